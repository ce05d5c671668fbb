//! What people ask the ledger of `partdiff watch`, and tell it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use crate::batch::naming::shown;
use crate::cli::output::exit::Exit;
use crate::cli::output::watch_page::write_page;
use crate::error::{Error, ErrorKind, Result};
use crate::report::event::Files;
use crate::watch::Ledger;
use crate::watch::ledger::entry::{Entry, State};
use crate::watch::ledger::store;
use crate::watch::ledger::store::timestamp;
use crate::watch::report::entry_text;

/// What people ask a ledger.
#[derive(Subcommand, Clone, Debug)]
pub enum WatchQuery {
    /// Show the number of files in each state, and which failed or wait and why; or the state of one file
    Status {
        /// Write a web page instead, with every file before and after, its numbers, and what failed and why
        #[arg(long, value_name = "PAGE", conflicts_with_all = ["json", "file"])]
        html: Option<PathBuf>,
        #[command(flatten)]
        view: ViewArgs,
    },
    /// Process files again: the named ones, whatever their state, or all that failed or wait
    Retry {
        /// Files to do again, as paths below the watched folder; all that failed or wait if none is named
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Remove files from the ledger, so that they count as new
    Forget {
        /// Files to forget, as paths below the watched folder
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Show what happened to all files or to one, the latest first
    History(ViewArgs),
}

#[derive(Args, Clone, Debug)]
pub struct ViewArgs {
    /// Only this file, as a path below the watched folder
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show at most so many lines
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: u32,
    /// Print JSON for scripts: status prints one object, history one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Args, Clone, Debug)]
pub struct StateArgs {
    /// The state folder, if the watch was started with another than the usual one
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl WatchQuery {
    /// Answers.
    pub fn run(self) -> Result<ExitCode> {
        let (Self::Status { view: ViewArgs { state, .. }, .. }
        | Self::History(ViewArgs { state, .. })
        | Self::Retry { state, .. }
        | Self::Forget { state, .. }) = &self;
        let state = state_folder(state.state.as_deref())?;
        if !state.join(store::FILE).exists() {
            let message =
                format!("no ledger in {}: give the watch's state folder with --state", state.display());
            return Err(Error::new(ErrorKind::Input, message));
        }
        let ledger = Ledger::open(&state)?;
        let exit = match &self {
            Self::Status { html: Some(page), .. } => {
                write_page(&ledger, page)?;
                Exit::Done
            }
            Self::Status { view, .. } => status(&ledger, view)?,
            Self::History(args) => history(&ledger, args)?,
            Self::Retry { files, .. } if files.is_empty() => {
                told("retried", &ledger.retry(None)?);
                Exit::Done
            }
            Self::Retry { files, .. } => change(&ledger, "retried", files, |path| ledger.retry(Some(path)))?,
            Self::Forget { files, .. } => {
                change(&ledger, "forgotten", files, |path| ledger.forget(Some(path), None))?
            }
        };
        Ok(exit.into())
    }
}

fn status(ledger: &Ledger, args: &ViewArgs) -> Result<Exit> {
    if let Some(file) = &args.file {
        let entries = ledger.named(&plain(file))?;
        if entries.is_empty() {
            return Ok(unknown(file));
        }
        if args.json {
            println!("{}", json!({ "inputs": objects(&entries) }));
        } else {
            entries.iter().for_each(|entry| println!("{}", entry_text::line(entry)));
        }
        return Ok(Exit::Done);
    }
    let counts = ledger.counts()?;
    let mut troubled = ledger.troubled(args.limit.saturating_add(1))?;
    let more = troubled.len() > args.limit as usize;
    troubled.truncate(args.limit as usize);
    if args.json {
        println!("{}", json!({ "watches": counts, "inputs": objects(&troubled), "more": more }));
        return Ok(Exit::Done);
    }
    for (watch, counts) in counts {
        let parts: Vec<_> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        println!("{watch}: {}", parts.join(", "));
    }
    troubled.iter().for_each(|entry| println!("{}", entry_text::line(entry)));
    if more {
        println!("and more: a larger --limit shows them");
    }
    Ok(Exit::Done)
}

fn history(ledger: &Ledger, args: &ViewArgs) -> Result<Exit> {
    let file = args.file.as_deref().map(plain);
    let events = ledger.history(file.as_deref(), args.limit)?;
    if let Some(file) = &args.file
        && events.is_empty()
    {
        return Ok(unknown(file));
    }
    for event in events {
        if args.json {
            let files = Files::of_watch(&event.watch, &event.path, None);
            let (time, detail) = (timestamp(event.at), event.detail.as_deref());
            println!("{}", json!(HistoryLine { time, files, state: event.state, detail }));
        } else {
            // A detail may be a path, whose name must not steer the terminal.
            let detail = event.detail.map(|detail| format!(": {}", shown(Path::new(&detail))));
            let (time, path) = (timestamp(event.at), shown(&event.path));
            println!("{time} {} {} {path}{}", event.watch, event.state, detail.unwrap_or_default());
        }
    }
    Ok(Exit::Done)
}

/// Changes what is known of `files`; those that are not known, or being made, are named.
fn change(
    ledger: &Ledger,
    what: &str,
    files: &[PathBuf],
    act: impl Fn(&Path) -> Result<Vec<Entry>>,
) -> Result<Exit> {
    let mut exit = Exit::Done;
    let mut changed = Vec::new();
    for file in files {
        let entries = act(&plain(file))?;
        if entries.is_empty() {
            let known = ledger.named(&plain(file))?;
            if known.is_empty() {
                exit = unknown(file);
            }
            for entry in known {
                eprintln!("partdiff: not {what}: {}", entry_text::line(&entry));
                // What is looked at anyway needs no help.
                if entry.state == State::Running {
                    exit = Exit::Incomplete;
                }
            }
        }
        changed.extend(entries);
    }
    told(what, &changed);
    Ok(exit)
}

fn unknown(file: &Path) -> Exit {
    eprintln!(
        "partdiff: {}: not in the ledger: expected a path relative to the watched folder, such as sub/a.png",
        shown(file)
    );
    Exit::Incomplete
}

/// `path` without `./`, as the ledger has it.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != std::path::Component::CurDir).collect()
}

fn told(what: &str, entries: &[Entry]) {
    for entry in entries {
        println!("{what}: {}: {}", entry.watch, shown(&entry.path));
    }
    println!("{} {what}", entries.len());
}

fn objects(entries: &[Entry]) -> Vec<entry_text::Object<'_>> {
    entries.iter().map(entry_text::Object::from).collect()
}

/// A line of `history --json`.
#[derive(Serialize)]
struct HistoryLine<'a> {
    time: String,
    #[serde(flatten)]
    files: Files<'a>,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

/// The state folder that was chosen, or this user's; it need not exist.
pub fn state_folder(chosen: Option<&Path>) -> Result<PathBuf> {
    let folder = match chosen {
        Some(folder) => folder.to_path_buf(),
        None => {
            let folders = directories::ProjectDirs::from("", "", "partdiff")
                .ok_or_else(|| Error::invalid_option("no home folder is known: give --state DIR"))?;
            folders.state_dir().unwrap_or(folders.data_local_dir()).join("watch")
        }
    };
    std::path::absolute(&folder).map_err(|error| {
        let message = format!("cannot use the state folder {}", folder.display());
        Error::with_source(ErrorKind::Output, message, error)
    })
}
