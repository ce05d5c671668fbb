//! `partdiff watch`: arguments to a service, and what people ask its ledger.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::exit::Exit;
use super::upscale_args::{ModelArgs, ResourceArgs, SamplingArgs, SizeArgs};
use super::values;
use crate::diffusion::SamplerKind;
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageFormat;
use crate::naming::shown;
use crate::runtime::Device;
use crate::units::{Amount, Period};
use crate::watch::entry::{Entry, State};
use crate::watch::lock::Lock;
use crate::watch::log::Log;
use crate::watch::names::Names;
use crate::watch::protocol::Setup;
use crate::watch::recipe::Recipe;
use crate::watch::scan::{Kind, scan};
use crate::watch::schedule::Schedule;
use crate::watch::selection::Selection;
use crate::watch::settings::{Collision, Originals, Quarantine, WatchSettings, refuse_loops};
use crate::watch::settle::Role;
use crate::watch::{Config, Daemon, End, Happening, Ledger, Service, signals, worker};

/// The hidden command that runs a worker process.
pub const WORKER: &str = "watch-worker";

/// A busy worker that says nothing for so long hangs.
const STALL: Duration = Duration::from_secs(900);

#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct WatchArgs {
    #[command(subcommand)]
    query: Option<Query>,
    #[command(flatten)]
    folders: FolderArgs,
    #[command(flatten)]
    size: SizeArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    resources: ResourceArgs,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Watching")]
struct FolderArgs {
    /// The folder to watch
    #[arg(value_name = "IN", required_unless_present = "config", conflicts_with = "config")]
    input: Option<PathBuf>,
    /// Where results go; made if missing
    #[arg(value_name = "OUT", required_unless_present = "config")]
    output: Option<PathBuf>,
    /// A TOML file with one or more watches, instead of folders and options
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for ledger, lock and quarantine
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
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
    /// Format of the results; by default that of each input
    #[arg(long, value_name = "png|jpeg|webp|tiff|bmp|pnm", value_parser = values::format)]
    format: Option<ImageFormat>,
    /// Quality of JPEG, 1 to 100 (95 by default)
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: Option<u8>,
    /// Names of the results, from {stem} {ext} {from} {scale} {model} {width} {height}
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
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=19))]
    nice: i32,
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

/// What people ask a ledger.
#[derive(Subcommand, Clone, Debug)]
enum Query {
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
struct QueryArgs {
    /// The state folder
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// An input, as a path below the watched folder
    path: Option<PathBuf>,
    /// Lines to show at most
    #[arg(long, default_value_t = 20)]
    limit: u32,
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
        let log = Log::new(self.folders.json);
        if self.folders.dry_run {
            return self.config()?.watches.iter().try_for_each(list).map(|()| ExitCode::SUCCESS);
        }
        let first = self.config()?;
        let state = state_folder(self.folders.state.as_deref().or(first.state.as_deref()))?;
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
        let mut config = first;
        let mut started = false;
        loop {
            let service = Service {
                watches: config.watches.clone(),
                state: state.clone(),
                setup: config.setup.clone(),
                once: self.folders.once,
                stall: STALL,
            };
            let mut daemon = Daemon::new(service, &ledger, &log, worker_command)?;
            *daemon_sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon.sender());
            // A model that cannot run is an error now, and a pause later.
            if !started {
                daemon.check_worker()?;
            }
            let end = daemon.run();
            started = true;
            match end? {
                End::Stopped => return Ok(ExitCode::SUCCESS),
                End::Finished { failures } => {
                    return Ok(if failures { Exit::Incomplete } else { Exit::Done }.into());
                }
                End::Reload => match self.config() {
                    Ok(new) => {
                        config = new;
                        log.service("reloaded", "the configuration");
                    }
                    Err(error) => log.service("kept", &format!("the old configuration: {}", error.report())),
                },
            }
        }
    }

    fn config(&self) -> Result<Config> {
        if let Some(path) = &self.folders.config {
            return Config::read(path);
        }
        let folders = self.folders.clone();
        let mut watch = WatchSettings {
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
            upscale: self.recipe(folders.format, folders.quality)?,
            ..WatchSettings::default()
        };
        watch.prepare()?;
        let watches = vec![watch];
        refuse_loops(&watches)?;
        let setup = Setup {
            device: Device::from(self.model.device).to_string(),
            library: self.model.library.clone(),
            threads: self.resources.threads,
            nice: folders.nice,
        };
        Ok(Config { state: None, setup, watches })
    }

    fn recipe(&self, format: Option<ImageFormat>, quality: Option<u8>) -> Result<Recipe> {
        let model = self.model.model.as_ref().map(|name| {
            name.to_str().map(str::to_string).ok_or_else(|| {
                Error::new(ErrorKind::InvalidOption, "the model's path must be valid Unicode for watch")
            })
        });
        Ok(Recipe {
            model: model.transpose()?,
            scale: self.size.scale,
            width: self.size.width,
            height: self.size.height,
            fit: self.size.fit,
            preset: self.sampling.preset.clone(),
            steps: self.sampling.steps,
            start_step: self.sampling.start_step,
            sampler: self.sampling.sampler.map(SamplerKind::from),
            eta: self.sampling.eta,
            seed: self.sampling.seed,
            cleanup: self.sampling.cleanup,
            format: format.map(|format| format.extensions()[0].to_string()),
            quality,
            tile: self.resources.tile,
            memory: self.resources.memory,
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

fn list(watch: &WatchSettings) -> Result<()> {
    let selection = Selection::new(&watch.include, &watch.exclude)?;
    let found = scan(&watch.input, watch.recursive, &selection, std::slice::from_ref(&watch.output))
        .map_err(|error| {
            Error::with_source(ErrorKind::Input, format!("cannot read {}", watch.input.display()), error)
        })?;
    for file in found.files {
        match file.kind {
            Kind::File(Role::Picture, stamp) if stamp.len > 0 => println!("take {}", shown(&file.relative)),
            Kind::File(Role::Picture, _) => println!("wait {} (empty)", shown(&file.relative)),
            Kind::Odd => println!("skip {} (not an ordinary file)", shown(&file.relative)),
            _ => {}
        }
    }
    Ok(())
}

fn state_folder(chosen: Option<&Path>) -> Result<PathBuf> {
    let folder = match chosen {
        Some(folder) => folder.to_path_buf(),
        None => {
            let folders = directories::ProjectDirs::from("", "", "partdiff").ok_or_else(|| {
                Error::new(ErrorKind::InvalidOption, "no home folder is known: give --state DIR")
            })?;
            folders.state_dir().unwrap_or(folders.data_local_dir()).join("watch")
        }
    };
    std::fs::create_dir_all(&folder).and_then(|()| folder.canonicalize()).map_err(|error| {
        Error::with_source(
            ErrorKind::Output,
            format!("cannot use the state folder {}", folder.display()),
            error,
        )
    })
}

impl Query {
    fn run(self) -> Result<ExitCode> {
        let (Self::Status(args) | Self::Retry(args) | Self::Forget(args) | Self::History(args)) = &self;
        let state = state_folder(args.state.as_deref())?;
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
