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
            for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
                // Libraries may print there as well.
                if let Ok(reply) = serde_json::from_str(&line)
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
