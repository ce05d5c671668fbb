//! The worker process: reads orders from standard input, makes pictures, answers on standard output.
//!
//! Reading, upscaling and writing run in threads of their own, and several pictures are upscaled at the same time, so
//! that no network waits for anything but a network.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use super::failure::{Fault, classify};
use super::making::{Decoded, Upscaled, copy, read, upscale, write};
use super::protocol::{Job, Order, Reply, Setup};
use crate::batch::byte_budget::{Room, SPARE_LANES};
use crate::engine::{RuntimeOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Bundle;
use crate::progress::CancelToken;
use crate::runtime::Device;

/// Pictures that wait before the engine, and behind it.
const AHEAD: usize = 2;

/// Gives the engine for a model, an embedded name or the path of a bundle.
pub type Open<'a> = dyn Fn(&str, &RuntimeOptions) -> Result<Upscaler> + Sync + 'a;

enum Step<'a> {
    Load(String),
    Upscale(Box<Decoded<'a>>),
}

/// Serves the process that started this one, until it closes the pipe.
///
/// # Errors
/// Where the first line cannot be understood.
pub fn serve() -> Result<()> {
    serve_with(&|model, runtime| Upscaler::open(&Bundle::resolve(model)?, runtime))
}

/// As [`serve`], with engines from `open`.
///
/// # Errors
/// As [`serve`].
pub fn serve_with(open: &Open<'_>) -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    let first = lines.next().and_then(io::Result::ok).unwrap_or_default();
    let setup: Setup = serde_json::from_str(&first).map_err(|error| {
        Error::with_source(ErrorKind::InvalidOption, "the worker is started by watch", error)
    })?;
    prepare(&setup);
    let runtime = RuntimeOptions {
        device: Device::from_str(if setup.device.is_empty() { "auto" } else { &setup.device })?,
        library: setup.library.clone(),
        threads: setup.threads,
    };
    let cancel = CancelToken::new();
    let room =
        Room::new(setup.room.unwrap_or_else(|| crate::tiling::available_memory::available_memory() / 4));
    let (orders, incoming) = channel();
    let (decoded, to_upscale) = sync_channel(AHEAD);
    let (upscaled, to_write) = sync_channel(AHEAD);
    thread::scope(|scope| {
        scope.spawn(|| guarded(|| read_pictures(incoming, decoded, &room)));
        scope.spawn(|| guarded(|| upscale_pictures(to_upscale, upscaled, open, &runtime, &cancel)));
        scope.spawn(|| guarded(|| write_pictures(to_write)));
        for line in lines.map_while(io::Result::ok) {
            match serde_json::from_str::<Order>(&line) {
                Ok(order) => _ = orders.send(order),
                Err(error) => eprintln!("partdiff watch worker: order not understood: {error}"),
            }
        }
        // Nobody listens any more.
        cancel.cancel();
        drop(orders);
    });
    Ok(())
}

/// Takes on niceness, and ends with its parent.
fn prepare(setup: &Setup) {
    #[cfg(unix)]
    if setup.nice > 0 {
        let _ = rustix::process::setpriority_process(None, setup.nice);
    }
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
    let _ = setup;
}

/// Runs a thread's work; a defect ends the process, which its parent notices and survives.
fn guarded(work: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
        std::process::exit(101);
    }
}

fn read_pictures<'a>(orders: Receiver<Order>, next: SyncSender<Step<'a>>, room: &'a Room) {
    let mut scales = HashMap::new();
    for order in orders {
        let step = match order {
            Order::Load { model } => Step::Load(model),
            Order::Make(job) => match prepared(*job, &mut scales, room) {
                Some(decoded) => Step::Upscale(Box::new(decoded)),
                None => continue,
            },
        };
        if next.send(step).is_err() {
            return;
        }
    }
}

/// The picture of `job`; `None` where the job is answered already.
fn prepared<'a>(job: Job, scales: &mut HashMap<String, usize>, room: &'a Room) -> Option<Decoded<'a>> {
    let id = job.id;
    if let Some(ready) = &job.ready
        && let Ok(made) = copy(&job, ready)
    {
        say(&Reply::Made { id, made });
        return None;
    }
    let scale = *scales.entry(job.recipe.model().to_string()).or_insert_with(|| {
        // A model that cannot be used is told of when it is opened.
        Bundle::resolve(job.recipe.model()).map_or(1, |bundle| bundle.manifest().scale)
    });
    match read(job, scale, room) {
        Ok(decoded) => Some(decoded),
        Err(Some(error)) => {
            failed(id, &error);
            None
        }
        Err(None) => {
            let reason = "the file changed before it was read".into();
            say(&Reply::Failed { id, fault: Fault::Moving, reason });
            None
        }
    }
}

fn upscale_pictures<'a>(
    steps: Receiver<Step<'a>>,
    next: SyncSender<Upscaled<'a>>,
    open: &Open<'_>,
    runtime: &RuntimeOptions,
    cancel: &CancelToken,
) {
    let (mut models, mut last) = (HashMap::new(), String::new());
    let lanes = Room::new(runtime.cpu_threads() as u64 + SPARE_LANES);
    thread::scope(|scope| {
        for step in steps {
            match step {
                Step::Load(model) => match engine(&mut models, &model, open, runtime) {
                    Ok(upscaler) => {
                        let provider = upscaler.provider().map(ToString::to_string).unwrap_or_default();
                        say(&Reply::Loaded { provider });
                    }
                    Err(error) => say(&Reply::Refused { reason: error.report() }),
                },
                Step::Upscale(decoded) => {
                    let model = decoded.job.recipe.model().to_string();
                    if model != last {
                        // Networks of two models would only be in each other's way.
                        drop(lanes.enter(u64::MAX));
                        last.clone_from(&model);
                    }
                    let upscaler = match engine(&mut models, &model, open, runtime) {
                        Ok(upscaler) => upscaler,
                        Err(error) => {
                            failed(decoded.job.id, &error);
                            continue;
                        }
                    };
                    let lane = lanes.enter(lanes.total() / (upscaler.networks() as u64 + SPARE_LANES));
                    let next = next.clone();
                    scope.spawn(move || {
                        guarded(|| upscale_picture(&upscaler, *decoded, &next, cancel));
                        drop(lane);
                    });
                }
            }
        }
    });
}

fn upscale_picture<'a>(
    upscaler: &Upscaler,
    decoded: Decoded<'a>,
    next: &SyncSender<Upscaled<'a>>,
    cancel: &CancelToken,
) {
    let id = decoded.job.id;
    match upscale(upscaler, decoded, cancel) {
        // Nobody writes any more only where this process ends.
        Ok(upscaled) => _ = next.send(upscaled),
        Err(error) => failed(id, &error),
    }
}

fn engine(
    models: &mut HashMap<String, Arc<Upscaler>>,
    name: &str,
    open: &Open<'_>,
    runtime: &RuntimeOptions,
) -> Result<Arc<Upscaler>> {
    if let Some(upscaler) = models.get(name) {
        return Ok(Arc::clone(upscaler));
    }
    let upscaler = Arc::new(open(name, runtime)?);
    models.insert(name.to_string(), Arc::clone(&upscaler));
    Ok(upscaler)
}

fn write_pictures(pictures: Receiver<Upscaled<'_>>) {
    for upscaled in pictures {
        let (id, result) = match upscaled {
            Upscaled::Written(id, made) => (id, Ok(made)),
            Upscaled::Page(page) => (page.job.id, write(*page)),
        };
        match result {
            Ok(made) => say(&Reply::Made { id, made }),
            Err(error) => failed(id, &error),
        }
    }
}

/// Says that a job failed.
fn failed(id: i64, error: &Error) {
    say(&Reply::Failed { id, fault: classify(error), reason: error.report() });
}

/// Answers the daemon.
pub fn say(reply: &Reply) {
    if let Ok(line) = serde_json::to_string(reply) {
        let mut out = io::stdout().lock();
        // Without a listener the end of standard input ends this process.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
