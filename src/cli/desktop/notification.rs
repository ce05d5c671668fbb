//! Words to a user without a terminal.

use std::io;
use std::process::{Command, Stdio};

/// A message of the desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// A line.
    pub title: String,
    /// More, of a few lines.
    pub text: String,
    /// Whether it stays until the user has seen it.
    pub urgent: bool,
}

impl Notification {
    /// Shows it by the desktop's own programs; on stderr where there are none.
    pub fn show(&self) {
        if self.by_notify_send().or_else(|_| self.by_kdialog()).is_err() {
            eprintln!("{}\n{}", self.title, self.text);
        }
    }

    fn by_notify_send(&self) -> io::Result<()> {
        let urgency = if self.urgent { "critical" } else { "normal" };
        // Desktops read the text as markup.
        let text = self.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mut command = Command::new("notify-send");
        command.args(["--app-name=PartDiff", "--icon=image-x-generic", "--urgency", urgency, "--"]);
        run(command.args([&self.title, &text]))
    }

    fn by_kdialog(&self) -> io::Result<()> {
        let mut command = Command::new("kdialog");
        run(command.args(["--title", &self.title, "--passivepopup", &self.text, "10"]))
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}
