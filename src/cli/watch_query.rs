//! What people ask the ledger of `partdiff watch`, and tell it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::error::{Error, ErrorKind, Result};
use crate::naming::shown;
use crate::watch::entry::{Entry, State};
use crate::watch::{Ledger, ledger};

/// What people ask a ledger.
#[derive(Subcommand, Clone, Debug)]
pub enum WatchQuery {
    /// Say how many inputs stand where, and which ones failed or wait
    Status(QueryArgs),
    /// Give failed and waiting inputs another chance; or do the one that is named again
    Retry(QueryArgs),
    /// Remove an input from the ledger, so that it counts as new
    Forget(QueryArgs),
    /// Show what happened, the last first
    History(QueryArgs),
}

#[derive(Args, Clone, Debug)]
pub struct QueryArgs {
    /// The state folder
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// An input, as a path below the watched folder
    path: Option<PathBuf>,
    /// Lines to show at most
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

impl WatchQuery {
    /// Answers.
    pub fn run(self) -> Result<ExitCode> {
        let (Self::Status(args) | Self::Retry(args) | Self::Forget(args) | Self::History(args)) = &self;
        let state = state_folder(args.state.as_deref())?;
        if !state.join(ledger::FILE).exists() {
            let message = format!("{} holds no ledger: give the --state of the watch", state.display());
            return Err(Error::new(ErrorKind::Input, message));
        }
        let ledger = Ledger::open(&state)?;
        let path = args.path.as_deref();
        match &self {
            Self::Status(_) => {
                for (watch, counts) in ledger.counts()? {
                    let parts: Vec<_> =
                        counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
                    println!("{watch}: {}", parts.join(", "));
                }
                let troubled = ledger.list(Some(State::Failed), args.limit)?.into_iter().chain(
                    ledger
                        .list(Some(State::Queued), args.limit)?
                        .into_iter()
                        .filter(|entry| entry.reason.is_some()),
                );
                troubled.for_each(|entry| println!("{}", line(&entry)));
            }
            Self::Retry(_) => told("retried", &ledger.retry(path)?),
            Self::Forget(_) => {
                if path.is_none() {
                    let message = "forget needs the path of an input, below the watched folder";
                    return Err(Error::new(ErrorKind::InvalidOption, message));
                }
                told("forgotten", &ledger.forget(path, None)?);
            }
            Self::History(_) => {
                for event in ledger.history(path, args.limit)? {
                    let time = jiff::Timestamp::from_millisecond(event.at).unwrap_or_default();
                    let detail = event.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
                    println!("{time:.0} {} {} {}{detail}", event.watch, event.state, shown(&event.path));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn told(what: &str, entries: &[Entry]) {
    for entry in entries {
        println!("{what}: {}: {}", entry.watch, shown(&entry.path));
    }
    println!("{} {what}", entries.len());
}

fn line(entry: &Entry) -> String {
    let reason = entry.reason.as_deref().unwrap_or("no reason known");
    format!("{} {}: {}: {reason}", entry.state, entry.watch, shown(&entry.path))
}

/// The state folder that was chosen, or this user's; it need not exist.
pub fn state_folder(chosen: Option<&Path>) -> Result<PathBuf> {
    let folder = match chosen {
        Some(folder) => folder.to_path_buf(),
        None => {
            let folders = directories::ProjectDirs::from("", "", "partdiff").ok_or_else(|| {
                Error::new(ErrorKind::InvalidOption, "no home folder is known: give --state DIR")
            })?;
            folders.state_dir().unwrap_or(folders.data_local_dir()).join("watch")
        }
    };
    std::path::absolute(&folder).map_err(|error| {
        let message = format!("cannot use the state folder {}", folder.display());
        Error::with_source(ErrorKind::Output, message, error)
    })
}
