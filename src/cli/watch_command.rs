//! `partdiff watch`: arguments to a service, and what people ask its ledger.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::exit::Exit;
use super::given::Given;
use super::upscale_args::{ModelArgs, ResourceArgs};
use super::watch_query::{WatchQuery, state_folder};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::shown;
use crate::recipe::{RESOURCES, Recipe};
use crate::runtime::Device;
use crate::units::{Amount, Period};
use crate::watch::lock::Lock;
use crate::watch::log::{Log, fields, put_path};
use crate::watch::names::Names;
use crate::watch::preview::{Fate, Prospect, preview};
use crate::watch::protocol::Setup;
use crate::watch::schedule::Schedule;
use crate::watch::settings::{Collision, Originals, Quarantine, WatchSettings, refuse_loops};
use crate::watch::{Config, Daemon, End, Happening, Ledger, Service, ledger, signals, worker};

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
  partdiff watch status                             how many stand where; what failed, and why

SIGTERM and Ctrl-C end it within seconds, and nothing is lost; SIGHUP reads the configuration again.
Exit status: 0 at the end, 1 with --once if something failed or waits, 2 if it could not start.";

#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
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
    recipe: Recipe,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    resources: ResourceArgs,
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
    /// Name of the watch in messages and in the ledger; by default that of IN
    #[arg(long, value_name = "NAME")]
    watch_name: Option<String>,
    /// Watch the folders inside as well, and mirror them
    #[arg(short, long)]
    recursive: bool,
    /// Take only files that match, such as 'scan-*.tif'; may be given several times
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave files and folders alone that match; may be given several times
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave alone what is there at the first start
    #[arg(long)]
    ignore_existing: bool,
    /// How long a file must stay the same until it is taken
    #[arg(long, value_name = "TIME", default_value = "2s")]
    settle: Period,
    /// How often to walk through the whole folder (5min on local disks, 10s on others)
    #[arg(long, value_name = "TIME")]
    rescan: Option<Period>,
    /// Names of the results, from {stem} {ext} {from} {scale} {model} {preset} {width} {height}
    #[arg(long, value_name = "TEMPLATE", default_value = "{stem}.{ext}")]
    name: Names,
    /// Where another file has the result's name: add a number, replace it, or refuse the input
    #[arg(long, value_enum, default_value_t = CollisionArg::Number)]
    collision: CollisionArg,
    /// Move originals to this folder once their result is in place and verified
    #[arg(long, value_name = "DIR", conflicts_with = "delete_originals")]
    move_originals: Option<PathBuf>,
    /// Delete originals once their result is in place and verified
    #[arg(long)]
    delete_originals: bool,
    /// Failures until a file is given up and quarantined
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    /// The wait after a first failure; it doubles with every other
    #[arg(long, value_name = "TIME", default_value = "5s")]
    retry_delay: Period,
    /// Move bad files into quarantine, instead of linking to them from there
    #[arg(long)]
    quarantine_move: bool,
    /// Pause below so much free space for results
    #[arg(long, value_name = "AMOUNT", default_value = "500M")]
    min_free: Amount,
    /// Work only in these hours, such as 22:00-06:00
    #[arg(long, value_name = "HOURS")]
    hours: Option<Schedule>,
    /// Niceness of the work, 0 to 19
    #[arg(long, help_heading = RESOURCES, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=19))]
    nice: i32,
    /// Write figures for Prometheus to this file
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

/// What goes with folders and with a configuration alike.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Watching")]
struct ServiceArgs {
    /// A TOML file with one or more watches, instead of folders and their options (see docs/watch.md)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for ledger, lock and quarantine
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Do what is there and end, for cron: 0 if all went well, 1 if something failed or waits
    #[arg(long)]
    once: bool,
    /// List what would be taken, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Tell events as JSON, one object a line, on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CollisionArg {
    Number,
    Replace,
    Refuse,
}

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
            return list(&config, &state, self.service.json).map(|()| ExitCode::SUCCESS);
        }
        let state = fs::create_dir_all(&state).and_then(|()| state.canonicalize()).map_err(|error| {
            let message = format!("cannot use the state folder {}", state.display());
            Error::with_source(ErrorKind::Output, message, error)
        })?;
        let _lock = Lock::take(&state)?;
        let ledger = Ledger::open(&state)?;
        let daemon_sender: Arc<Mutex<Option<Sender<Happening>>>> = Arc::default();
        let listener = Arc::clone(&daemon_sender);
        signals::listen(move |signal| {
            match listener.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                Some(sender) => _ = sender.send(Happening::Signal(signal)),
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
                End::Stopped => return Ok(ExitCode::SUCCESS),
                End::Finished { failures } => {
                    return Ok(if failures { Exit::Incomplete } else { Exit::Done }.into());
                }
                End::Reload => {
                    daemon = match self.config().and_then(|new| Ok((begin(&new)?, new))) {
                        Ok((daemon, new)) => {
                            config = new;
                            log.service("reloaded", "the configuration");
                            daemon
                        }
                        Err(error) => {
                            log.service("kept", &format!("the old configuration: {}", error.report()));
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
            collision: match folders.collision {
                CollisionArg::Number => Collision::Number,
                CollisionArg::Replace => Collision::Replace,
                CollisionArg::Refuse => Collision::Refuse,
            },
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
            upscale: self.recipe()?,
        };
        watch.prepare()?;
        let watches = vec![watch];
        refuse_loops(&watches)?;
        let setup = Setup {
            device: Device::from(self.model.device).to_string(),
            library: self.model.library.clone(),
            threads: self.resources.threads,
            nice: folders.nice,
            room: None,
        };
        Ok(Config { state: None, setup, metrics: folders.metrics, watches })
    }

    fn recipe(&self) -> Result<Recipe> {
        let model = self.model.model.as_ref().map(|name| {
            name.to_str().map(str::to_string).ok_or_else(|| {
                Error::new(ErrorKind::InvalidOption, "the model's path must be valid Unicode for watch")
            })
        });
        Ok(Recipe {
            model: model.transpose()?,
            tile: self.resources.tile,
            memory: self.resources.memory.map(Amount),
            ..self.recipe.clone()
        })
    }
}

/// Runs a worker process.
pub fn run_worker() -> Result<ExitCode> {
    worker::serve().map(|()| ExitCode::SUCCESS)
}

fn worker_command() -> Command {
    // The program may be replaced while it runs; on Linux this name leads to what runs.
    let linux = Path::new("/proc/self/exe");
    let own = if linux.exists() { linux.to_path_buf() } else { std::env::current_exe().unwrap_or_default() };
    let mut command = Command::new(own);
    command.arg(WORKER);
    command
}

/// Lists what would be done; what is done already is only counted.
fn list(config: &Config, state: &Path, json: bool) -> Result<()> {
    // One that is not there is not made.
    let ledger = if state.join(ledger::FILE).exists() { Some(Ledger::open(state)?) } else { None };
    let mut counts = [
        (Fate::Take, "to take", 0),
        (Fate::Wait, "to wait for", 0),
        (Fate::Skip, "left alone", 0),
        (Fate::Failed, "given up", 0),
        (Fate::Done, "done already", 0),
    ];
    for watch in &config.watches {
        let of = if config.watches.len() > 1 { format!("{}: ", watch.name) } else { String::new() };
        for Prospect { path, fate, reason } in preview(watch, state, ledger.as_ref())? {
            counts.iter_mut().filter(|(each, ..)| *each == fate).for_each(|(.., count)| *count += 1);
            if json {
                let mut all =
                    fields(&[("fate", fate.to_string().into()), ("watch", watch.name.as_str().into())]);
                put_path(&mut all, "input", &path);
                all.extend(reason.map(|reason| ("reason".into(), reason.into())));
                println!("{}", Value::Object(all));
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
