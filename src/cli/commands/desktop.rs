//! `partdiff desktop`: entries of file managers, and what they run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Args, Subcommand};
use directories::BaseDirs;
use serde_json::Value;

use crate::cli::desktop::entries::{entries, paths};
use crate::cli::desktop::notification::Notification;
use crate::cli::output::stdout::print;
use crate::cli::plug_in;
use crate::error::{Error, ErrorKind, Result};

/// Put "Upscale with PartDiff" into the menus of file managers (Nautilus, Dolphin, Thunar, and Open With of others)
#[derive(Args, Clone, Debug)]
pub struct DesktopArgs {
    /// What to do
    #[command(subcommand)]
    pub command: DesktopCommand,
}

/// What to do about the entries.
#[derive(Clone, Debug, Subcommand)]
pub enum DesktopCommand {
    /// Put the entries into this user's menus
    Install,
    /// Remove them
    Uninstall,
    /// Say whether they are there
    Status,
    /// Upscale images as the entries do: beside each, with a notification at the end
    Upscale {
        /// Images
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// What is installed, for messages.
const WHAT: &str = "entries";

/// Most lines of a notification.
const LINES: usize = 5;

impl DesktopArgs {
    /// Does what the subcommand says.
    pub fn run(&self) -> Result<ExitCode> {
        let program = env::current_exe()
            .map_err(|error| Error::with_source(ErrorKind::Output, "cannot find this program", error))?;
        let act: fn(&Path, &Path) -> Result<String> = match &self.command {
            DesktopCommand::Upscale { files } => return upscale(&program, files),
            DesktopCommand::Install => install,
            DesktopCommand::Uninstall => uninstall,
            DesktopCommand::Status => status,
        };
        if !cfg!(target_os = "linux") {
            let message =
                "the entries are for file managers of Linux: expected `partdiff desktop upscale` here";
            return Err(Error::invalid_option(message));
        }
        let base = BaseDirs::new()
            .ok_or_else(|| Error::new(ErrorKind::Output, "this user has no home folder: set HOME"))?;
        let said = act(&program, base.data_dir())?;
        print(&format!("{}: {said}\n", base.data_dir().display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn install(program: &Path, share: &Path) -> Result<String> {
    plug_in::install(share, &entries(program)?)?;
    refresh_open_with(share);
    eprintln!("Nautilus needs its package python3-nautilus for the entry; start file managers anew.");
    Ok("installed".to_owned())
}

fn uninstall(_: &Path, share: &Path) -> Result<String> {
    let removed = plug_in::remove(share, &paths()[0], &paths())?;
    refresh_open_with(share);
    Ok(removed.text(WHAT))
}

fn status(program: &Path, share: &Path) -> Result<String> {
    Ok(plug_in::state(share, &paths(), || entries(program))?.text(WHAT, "desktop"))
}

/// Has the cache made anew from which menus take what can open a file. Without the program that makes it, menus of some
/// desktops lack the entry in Open With.
fn refresh_open_with(share: &Path) {
    let mut command = Command::new("update-desktop-database");
    let _ = command.arg(share.join("applications")).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn upscale(program: &Path, files: &[PathBuf]) -> Result<ExitCode> {
    let mut command = Command::new(program);
    command.args(["upscale", "--json", "--skip-existing", "--"]).args(files).stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| Error::with_source(ErrorKind::Output, "cannot start this program", error))?;
    let events: Vec<Value> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    notification(&events, output.status.success(), &String::from_utf8_lossy(&output.stderr)).show();
    Ok(if output.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What to say about a run, from its events and, where they do not tell why it was not a success, from `stderr`.
fn notification(events: &[Value], success: bool, stderr: &str) -> Notification {
    let of = |kind: &str| -> Vec<&Value> { events.iter().filter(|event| event["event"] == kind).collect() };
    let name = |event: &Value, key: &str| {
        let path = Path::new(event[key].as_str().unwrap_or_default());
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    };
    let (done, skipped, failed) = (of("done"), of("skipped"), of("failed"));
    let images = |count: usize| if count == 1 { "1 image".to_owned() } else { format!("{count} images") };
    let mut lines: Vec<String> = failed
        .iter()
        .map(|event| format!("{}: {}", name(event, "input"), event["reason"].as_str().unwrap_or_default()))
        .collect();
    lines.extend(skipped.iter().map(|event| format!("{} is there already", name(event, "output"))));
    lines.extend(of("damaged").iter().map(|event| {
        format!("{} is damaged: {}", name(event, "input"), event["message"].as_str().unwrap_or_default())
    }));
    lines.extend(done.iter().map(|event| name(event, "output")));
    let ended_early = !success && failed.is_empty();
    if ended_early {
        let why = stderr.lines().take(LINES - 1).map(str::to_owned);
        lines.splice(0..0, std::iter::once("It ended early.".to_owned()).chain(why));
    }
    if lines.len() > LINES {
        let more = lines.len() - (LINES - 1);
        lines.truncate(LINES - 1);
        lines.push(format!("and {more} more"));
    }
    let title = match (done.len(), failed.len()) {
        (0, 0) if !skipped.is_empty() => "Nothing to upscale".to_owned(),
        (0, _) => "Nothing was upscaled".to_owned(),
        (made, 0) => format!("{} upscaled", images(made)),
        (made, lost) => format!("{} upscaled, {lost} failed", images(made)),
    };
    let urgent = ended_early || !failed.is_empty();
    Notification { title, text: lines.join("\n"), urgent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_notification_names_what_failed_first() {
        let done = |name: &str| json!({"event": "done", "input": "/a/x.png", "output": format!("/a/{name}")});
        let failed = json!({"event": "failed", "input": "/a/bad.png", "reason": "is cut"});
        let all = notification(&[done("x_x4.png")], true, "");
        assert_eq!(
            all,
            Notification { title: "1 image upscaled".into(), text: "x_x4.png".into(), urgent: false }
        );
        let some = notification(&[done("x_x4.png"), done("y_x4.png"), failed.clone()], false, "");
        assert_eq!(some.title, "2 images upscaled, 1 failed");
        assert_eq!(some.text, "bad.png: is cut\nx_x4.png\ny_x4.png");
        assert!(some.urgent);
        let none = notification(&[failed], false, "");
        assert_eq!(none.title, "Nothing was upscaled");
        let many = notification(&vec![done("x_x4.png"); 9], true, "");
        assert_eq!(many.text.lines().count(), LINES);
        assert!(many.text.ends_with("and 5 more"));
        let early = notification(&[], false, "partdiff: no ONNX Runtime\n  run this");
        assert_eq!(early.text, "It ended early.\npartdiff: no ONNX Runtime\n  run this");
        assert!(early.urgent && early.title == "Nothing was upscaled");
        let killed = notification(&[done("x_x4.png")], false, "");
        assert_eq!((killed.text.as_str(), killed.urgent), ("It ended early.\nx_x4.png", true));
        let skipped = json!({"event": "skipped", "input": "/a/x.png", "output": "/a/x_x4.png"});
        let again = notification(&[skipped], true, "");
        assert_eq!(
            (again.title.as_str(), again.text.as_str()),
            ("Nothing to upscale", "x_x4.png is there already")
        );
    }
}
