//! `partdiff watch`: arguments to a service, and what people ask its ledger.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::watch_query::{WatchQuery, state_folder};
use crate::batch::naming::shown;
use crate::cli::args::choice::{Choice, one_of};
use crate::cli::args::given::Given;
use crate::cli::args::settings_args::{RESOURCES, SettingsArgs};
use crate::cli::args::upscale_args::ModelArgs;
use crate::cli::output::exit::Exit;
use crate::error::{Error, ErrorKind, Result};
use crate::report::event::{Files, Topic};
use crate::settings::Settings;
use crate::settings::units::{Amount, Period};
use crate::watch::daemon::lock::Lock;
use crate::watch::daemon::signals;
use crate::watch::ledger::store;
use crate::watch::report::log::Log;
use crate::watch::report::preview::{Fate, Previewed, preview};
use crate::watch::settings::names::Names;
use crate::watch::settings::schedule::Schedule;
use crate::watch::settings::watch_settings::{Collision, Originals, Quarantine, WatchSettings, refuse_loops};
use crate::watch::worker::protocol::Setup;
use crate::watch::worker::serve;
use crate::watch::{Config, Daemon, End, Ledger, Message, Service};

/// The hidden command that runs a worker process.
pub const WORKER: &str = "watch-worker";

/// A busy worker that says nothing for so long hangs.
const STALL: Duration = Duration::from_secs(900);

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  partdiff watch inbox/ outbox/                     until Ctrl-C; start it again at any time
  partdiff watch inbox/ outbox/ --once              what is there now, for cron
  partdiff watch scans/ large/ -r --hours 22:00-06:00 --format png
  partdiff watch --config ~/.config/partdiff/watch.toml
  partdiff watch status                             how many are in which state; what failed, and why
  partdiff watch status --html page.html            the same as a web page, with every file before and after

SIGTERM and Ctrl-C end it within seconds, and nothing is lost; SIGHUP reads the configuration again.
Exit status: 0 at the end; 1 with --once if something failed or waits, or it was interrupted; 2 if it could not start.";

/// Shown below the long help, where no line is too long for a narrow terminal.
const EVENTS: &str = "\
Events of --json, one object a line, each with fields \"time\" and \"event\";
about a file also \"watch\" and \"input\", its path below IN:
  done         output, width, height, seconds, and reused: whether it is a copy
               of an earlier result of the same contents
  warning      message: what the result could not keep
  damaged      message: what is wrong with the input; the result holds what
               could be read of it, and the original stays where it is
  attempt      detail: why a try failed; attempt, attempts (at most), next_try
  failed       reason: why the file was given up
  crash        detail: how the worker died over the file, and what follows
  changed      detail: the file changed while it was read
  unreadable   detail: why the file cannot be read now
  ignored      detail: why the file is left alone
  kept         detail: why the original was not moved or deleted
  unfinished   detail: why the file was given up, or still waits
               (at the end with --once, of 20 files)
  finished     done, failed, waiting: numbers (at the end with --once)
Without a file, with a detail: watching, running, polling, paused, resumed,
reloaded, kept (the old configuration), away, quarantine, metrics.
Names that are not valid Unicode come with a field input_hex or output_hex that
holds their bytes.";

#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, after_long_help = format!("{EXAMPLES}\n\n{EVENTS}"))]
pub struct WatchArgs {
    // Before the others, which take what was given out of clap's hands.
    #[command(flatten)]
    given: Given,
    #[command(subcommand)]
    query: Option<WatchQuery>,
    #[command(flatten)]
    folders: FolderArgs,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    settings: SettingsArgs<false>,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Watching")]
struct FolderArgs {
    /// The folder to watch
    #[arg(help_heading = None, value_name = "IN", required_unless_present = "config")]
    input: Option<PathBuf>,
    /// Where results go; made if missing
    #[arg(help_heading = None, value_name = "OUT", required_unless_present = "config")]
    output: Option<PathBuf>,
    /// Name of the watch in messages and in the ledger; by default the last part of IN
    #[arg(long, value_name = "NAME")]
    watch_name: Option<String>,
    /// Watch the folders inside IN as well, and mirror them in OUT
    #[arg(short, long)]
    recursive: bool,
    /// Take only files that match, such as 'scan-*.tif'; may be given several times
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave alone files and folders that match; may be given several times
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Ignore files already in IN at the first start, until they change
    #[arg(long)]
    ignore_existing: bool,
    /// Take a file once it has stayed the same for this long
    #[arg(long, value_name = "TIME", default_value = "2s")]
    settle: Period,
    /// How often to walk through all of IN; by default every 5min, or every 10s on network shares, which do not tell
    /// of changes
    #[arg(long, value_name = "TIME")]
    rescan: Option<Period>,
    /// Names of the results, from {stem} {ext} {from} {scale} {model} {preset} {width} {height}; {from} is the
    /// extension of the input
    #[arg(long, value_name = "TEMPLATE", default_value = "{stem}.{ext}")]
    name: Names,
    /// What to do where another file has the result's name
    #[arg(long, value_name = "HOW", default_value = "number", value_parser = one_of(COLLISIONS))]
    collision: Collision,
    /// Move originals to this folder once their result is in place and verified
    #[arg(long, value_name = "DIR", conflicts_with = "delete_originals")]
    move_originals: Option<PathBuf>,
    /// Delete originals once their result is in place and verified
    #[arg(long)]
    delete_originals: bool,
    /// How often to try a file that fails, before it is given up and quarantined
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    /// How long to wait after a first failure; every further one doubles it, up to 10min
    #[arg(long, value_name = "TIME", default_value = "5s")]
    retry_delay: Period,
    /// Move files that are given up into quarantine; by default they stay, and quarantine holds a link
    #[arg(long)]
    quarantine_move: bool,
    /// Pause while less than this is free for results
    #[arg(long, value_name = "AMOUNT", default_value = "500M")]
    min_free: Amount,
    /// Work only in these hours of the day, such as 22:00-06:00 or 0:00-6:30,12:00-13:00
    #[arg(long, value_name = "HOURS")]
    hours: Option<Schedule>,
    /// Niceness: 0 (normal priority) to 19 (all other programs go first)
    #[arg(long, value_name = "0-19", help_heading = RESOURCES, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=19))]
    nice: i32,
    /// Write Prometheus metrics to this file
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

/// What goes with folders and with a configuration alike.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Watching")]
struct ServiceArgs {
    /// Read folders and their options from this TOML file, which may define several watches (see docs/watch.md)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for ledger, lock and quarantine; by default this user's, on Linux
    /// ~/.local/state/partdiff/watch
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Process the files that are there now, then exit (for cron)
    #[arg(long)]
    once: bool,
    /// List what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print events for scripts, one JSON object a line, on standard output (described below)
    #[arg(long)]
    json: bool,
}

const COLLISIONS: &[Choice<Collision>] = &[
    (Collision::Number, "number", "Give the result a number: a-2.png"),
    (Collision::Replace, "replace", "Replace that file"),
    (Collision::Refuse, "refuse", "Let the input fail"),
];

impl WatchArgs {
    /// Watches until told to end, or answers a query.
    pub fn run(self) -> Result<ExitCode> {
        if let Some(query) = self.query {
            return query.run();
        }
        let log = Log::new(self.service.json);
        let mut config = self.config()?;
        let state = state_folder(self.service.state.as_deref().or(config.state.as_deref()))?;
        if self.service.dry_run {
            let state = state.canonicalize().unwrap_or(state);
            return list(&config, &state, self.service.json).map(|()| ExitCode::SUCCESS);
        }
        let state = fs::create_dir_all(&state).and_then(|()| state.canonicalize()).map_err(|error| {
            let message = format!("cannot use the state folder {}", state.display());
            Error::with_source(ErrorKind::Output, message, error)
        })?;
        let _lock = Lock::take(&state)?;
        let ledger = Ledger::open(&state)?;
        let daemon_sender: Arc<Mutex<Option<Sender<Message>>>> = Arc::default();
        let listener = Arc::clone(&daemon_sender);
        // A single run that is interrupted has not done everything.
        let stopped = if self.service.once { Exit::Incomplete } else { Exit::Done };
        signals::listen(stopped.code(), move |signal| {
            match listener.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                Some(sender) => _ = sender.send(Message::Signal(signal)),
                // Nothing has begun.
                None => std::process::exit(Exit::Incomplete.code().into()),
            }
        })?;
        let begin = |config: &Config| {
            config.watches.iter().try_for_each(WatchSettings::make_folders)?;
            let service = Service {
                watches: config.watches.clone(),
                state: state.clone(),
                setup: config.setup.clone(),
                once: self.service.once,
                stall: STALL,
                metrics: config.metrics.clone(),
            };
            let daemon = Daemon::new(service, &ledger, &log, worker_command)?;
            *daemon_sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon.sender());
            Ok(daemon)
        };
        let mut daemon = begin(&config)?;
        // A model that cannot run is an error now, and a pause later.
        daemon.check_worker()?;
        loop {
            match daemon.run()? {
                End::Stopped => return Ok(stopped.into()),
                End::Finished { failures } => {
                    return Ok(if failures { Exit::Incomplete } else { Exit::Done }.into());
                }
                End::Reload => {
                    daemon = match self.config().and_then(|new| Ok((begin(&new)?, new))) {
                        Ok((daemon, new)) => {
                            config = new;
                            log.service(Topic::Reloaded, "the configuration");
                            daemon
                        }
                        Err(error) => {
                            log.service(Topic::Kept, &format!("the old configuration: {}", error.report()));
                            begin(&config)?
                        }
                    };
                }
            }
        }
    }

    fn config(&self) -> Result<Config> {
        if let Some(path) = &self.service.config {
            self.given.refuse_beside_config()?;
            return Config::read(path);
        }
        let folders = self.folders.clone();
        let mut watch = WatchSettings {
            name: folders.watch_name.unwrap_or_default(),
            input: folders.input.unwrap_or_default(),
            output: folders.output.unwrap_or_default(),
            recursive: folders.recursive,
            include: folders.include,
            exclude: folders.exclude,
            ignore_existing: folders.ignore_existing,
            settle: folders.settle,
            rescan: folders.rescan,
            names: folders.name,
            collision: folders.collision,
            originals: match (&folders.move_originals, folders.delete_originals) {
                (Some(_), _) => Originals::Move,
                (None, true) => Originals::Delete,
                (None, false) => Originals::Keep,
            },
            move_to: folders.move_originals,
            attempts: folders.attempts,
            retry_delay: folders.retry_delay,
            quarantine: if folders.quarantine_move { Quarantine::Move } else { Quarantine::Link },
            min_free: folders.min_free,
            hours: folders.hours,
            upscale: self.settings()?,
        };
        watch.prepare()?;
        let watches = vec![watch];
        refuse_loops(&watches)?;
        let setup = Setup { runtime: self.model.runtime(None), nice: folders.nice };
        Ok(Config { state: None, setup, metrics: folders.metrics, watches })
    }

    fn settings(&self) -> Result<Settings> {
        let model = self.model.model.as_ref().map(|name| {
            name.to_str()
                .map(str::to_string)
                .ok_or_else(|| Error::invalid_option("the model's path must be valid Unicode for watch"))
        });
        Ok(Settings { model: model.transpose()?, ..self.settings.0.clone() })
    }
}

/// Runs a worker process.
pub fn run_worker() -> Result<ExitCode> {
    serve::serve().map(|()| ExitCode::SUCCESS)
}

fn worker_command() -> Command {
    // The program may be replaced while it runs; on Linux this name leads to what runs.
    let linux = Path::new("/proc/self/exe");
    let own = if linux.exists() { linux.to_path_buf() } else { std::env::current_exe().unwrap_or_default() };
    let mut command = Command::new(own);
    command.arg(WORKER);
    command
}

/// A line of `--dry-run --json`.
#[derive(Serialize)]
struct Line<'a> {
    fate: Fate,
    #[serde(flatten)]
    files: Files<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Lists what would be done; what is done already is only counted.
fn list(config: &Config, state: &Path, json: bool) -> Result<()> {
    // One that is not there is not made.
    let ledger = if state.join(store::FILE).exists() { Some(Ledger::open(state)?) } else { None };
    let mut counts = [
        (Fate::Take, "to take", 0),
        (Fate::Wait, "to wait for", 0),
        (Fate::Skip, "left alone", 0),
        (Fate::Failed, "given up", 0),
        (Fate::Done, "done already", 0),
    ];
    for watch in &config.watches {
        let of = if config.watches.len() > 1 { format!("{}: ", watch.name) } else { String::new() };
        for Previewed { path, fate, reason } in preview(watch, state, ledger.as_ref())? {
            counts.iter_mut().filter(|(each, ..)| *each == fate).for_each(|(.., count)| *count += 1);
            if json {
                let (files, reason) = (Files::of_watch(&watch.name, &path, None), reason.as_deref());
                println!("{}", json!(Line { fate, files, reason }));
            } else if fate != Fate::Done {
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                println!("{fate} {of}{}{reason}", shown(&path));
            }
        }
    }
    if !json {
        let parts = counts.iter().filter(|(fate, _, count)| *count > 0 || *fate == Fate::Take);
        let parts: Vec<_> = parts.map(|(_, what, count)| format!("{count} {what}")).collect();
        eprintln!("{}", parts.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_breaks_no_line_of_the_events() {
        let broken: Vec<_> = EVENTS.lines().filter(|line| line.len() > 80).collect();
        assert_eq!(broken, [""; 0]);
    }
}
