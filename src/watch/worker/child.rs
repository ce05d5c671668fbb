//! The worker process, seen from the daemon.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use super::protocol::{Order, Reply, Setup};

/// What a worker tells the daemon.
#[derive(Debug)]
pub enum WorkerEvent {
    /// A line.
    Reply(Reply),
    /// It ended.
    Ended,
}

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: Process,
    stdin: ChildStdin,
}

impl Child {
    /// Starts `command` as a worker; what it says goes to `events` with the number `generation`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start<T: Send + 'static>(
        mut command: Command,
        setup: &Setup,
        events: Sender<T>,
        wrap: impl Fn(WorkerEvent) -> T + Send + 'static,
    ) -> io::Result<Self> {
        // Ctrl-C in a terminal reaches the whole group; the daemon decides what to do about it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || io::Error::other("the worker has no pipe");
        let stdin = process.stdin.take().ok_or_else(missing)?;
        let stdout = process.stdout.take().ok_or_else(missing)?;
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(io::Result::ok) {
                // Libraries may print there as well, anything.
                if let Ok(reply) = serde_json::from_slice(&line)
                    && events.send(wrap(WorkerEvent::Reply(reply))).is_err()
                {
                    return;
                }
            }
            let _ = events.send(wrap(WorkerEvent::Ended));
        });
        let mut child = Self { process, stdin };
        child.write(setup)?;
        Ok(child)
    }

    /// Gives an order.
    ///
    /// # Errors
    /// Where the worker is gone.
    pub fn send(&mut self, order: &Order) -> io::Result<()> {
        self.write(order)
    }

    fn write(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value).map_err(io::Error::other)?;
        writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush())
    }

    /// Kills the worker and tells how it ended.
    pub fn end(mut self) -> String {
        let _ = self.process.kill();
        self.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn start(script: &str) -> (Child, Receiver<WorkerEvent>) {
        let (sender, receiver) = channel();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        (Child::start(command, &Setup::default(), sender, |event| event).unwrap(), receiver)
    }

    fn replies(events: &Receiver<WorkerEvent>) -> Vec<Reply> {
        let reply = |event| match event {
            WorkerEvent::Reply(reply) => Some(reply),
            WorkerEvent::Ended => None,
        };
        events.iter().map_while(reply).collect()
    }

    #[test]
    fn what_libraries_print_between_the_replies_is_passed_over_even_if_it_is_no_text() {
        let alive = r#"{"event":"alive"}"#;
        let script = format!(
            "read -r setup; echo noise; echo '{alive}'; printf '\\377\\376\\n'; echo '{alive}'; echo '{{}}'"
        );
        let (_child, events) = start(&script);
        assert_eq!(replies(&events), [Reply::Alive, Reply::Alive]);
        // Nothing comes after the end.
        assert!(events.recv().is_err());
    }

    #[test]
    fn the_setup_is_the_first_line_and_each_order_one_more() {
        let refuse = r#"while read -r line; do
            printf '%s\n' "$line" | sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/{"event":"refused","reason":"&"}/'; done"#;
        let (mut child, events) = start(refuse);
        let order = Order::Load { model: "a\nb".into() };
        child.send(&order).unwrap();
        let line = || match events.recv().unwrap() {
            WorkerEvent::Reply(Reply::Refused { reason }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(serde_json::from_str::<Setup>(&line()).unwrap(), Setup::default());
        assert_eq!(serde_json::from_str::<Order>(&line()).unwrap(), order);
        assert!(child.end().contains("signal: 9"));
        assert!(replies(&events).is_empty());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_says_nothing() {
        let (sender, receiver) = channel();
        let command = Command::new("/nowhere/partdiff");
        let error = Child::start(command, &Setup::default(), sender, |event| event).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(receiver.recv().is_err());
    }

    #[test]
    fn dropping_a_worker_ends_it() {
        let (child, events) = start("cat");
        let process = child.process.id();
        drop(child);
        assert!(replies(&events).is_empty());
        let status = Command::new("kill").args(["-0", &process.to_string()]).stderr(Stdio::null()).status();
        assert!(!status.unwrap().success());
    }
}
