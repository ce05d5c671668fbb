//! The worker process: reads orders from standard input, makes pictures, answers on standard output.
//!
//! Reading, upscaling and writing run in three threads, so that the engine does not wait for the others.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::failure::{Fault, classify};
use super::path_bytes::hex;
use super::protocol::{Job, Made, Order, Reply, Setup};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{
    EncodeOptions, ImageFormat, Picture, Prepared, RestoreOptions, decode, encode_to, prepare_for_model,
};
use crate::limits::Limits;
use crate::model::Bundle;
use crate::progress::{CancelToken, ProgressEvent};
use crate::runtime::Device;
use crate::upscaler::{RuntimeOptions, Upscaler};

/// How often a busy worker says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

struct Decoded {
    job: Job,
    prepared: Prepared,
    start: Instant,
}

enum Step {
    Load(String),
    Upscale(Box<Decoded>),
}

struct Upscaled {
    job: Job,
    picture: Picture,
    format: ImageFormat,
    start: Instant,
    made: Made,
}

/// Serves the process that started this one, until it closes the pipe.
///
/// # Errors
/// Where the first line cannot be understood.
pub fn serve() -> Result<()> {
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
    let (orders, incoming) = channel();
    let (decoded, to_upscale) = sync_channel(1);
    let (upscaled, to_write) = sync_channel(1);
    thread::scope(|scope| {
        scope.spawn(|| guarded(|| read_pictures(incoming, decoded)));
        scope.spawn(|| guarded(|| upscale_pictures(to_upscale, upscaled, runtime, &cancel)));
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

fn read_pictures(orders: Receiver<Order>, next: SyncSender<Step>) {
    for order in orders {
        let step = match order {
            Order::Load { model } => Step::Load(model),
            Order::Make(job) => {
                let job = *job;
                let start = Instant::now();
                match read(&job) {
                    Ok(picture) => {
                        Step::Upscale(Box::new(Decoded { job, prepared: prepare_for_model(picture), start }))
                    }
                    Err((fault, error)) => {
                        say(&Reply::Failed { id: job.id, fault, reason: error.report() });
                        continue;
                    }
                }
            }
        };
        if next.send(step).is_err() {
            return;
        }
    }
}

fn read(job: &Job) -> Result<Picture, (Fault, Error)> {
    let judged = |error: Error| (classify(&error), error);
    let bytes = fs::read(&job.input)
        .map_err(|error| judged(Error::with_source(ErrorKind::Input, "cannot read", error)))?;
    // The result must belong to the contents that the ledger knows.
    if hex(&Sha256::digest(&bytes)) != job.hash {
        return Err((Fault::Moving, Error::new(ErrorKind::Input, "the file changed before it was read")));
    }
    decode(&bytes, &Limits::default()).map_err(judged)
}

fn upscale_pictures(
    steps: Receiver<Step>,
    next: SyncSender<Upscaled>,
    runtime: RuntimeOptions,
    cancel: &CancelToken,
) {
    let mut models = HashMap::new();
    for step in steps {
        match step {
            Step::Load(model) => match open(&mut models, &model, &runtime) {
                Ok(upscaler) => {
                    let provider = upscaler.provider().map(ToString::to_string).unwrap_or_default();
                    say(&Reply::Loaded { provider });
                }
                Err(error) => say(&Reply::Refused { reason: error.report() }),
            },
            Step::Upscale(decoded) => {
                let id = decoded.job.id;
                let model = decoded.job.recipe.model().to_string();
                let result = open(&mut models, &model, &runtime)
                    .and_then(|upscaler| upscale(upscaler, *decoded, cancel));
                match result {
                    Ok(upscaled) => {
                        if next.send(upscaled).is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        say(&Reply::Failed { id, fault: classify(&error), reason: error.report() });
                    }
                }
            }
        }
    }
}

fn open<'a>(
    models: &'a mut HashMap<String, Upscaler>,
    name: &str,
    runtime: &RuntimeOptions,
) -> Result<&'a Upscaler> {
    if !models.contains_key(name) {
        let upscaler = Upscaler::open(&Bundle::resolve(name)?, runtime)?;
        models.insert(name.to_string(), upscaler);
    }
    Ok(&models[name])
}

fn upscale(upscaler: &Upscaler, decoded: Decoded, cancel: &CancelToken) -> Result<Upscaled> {
    let Decoded { job, prepared, start } = decoded;
    let Prepared { color, frame } = prepared;
    let options = job.recipe.options();
    let plan = upscaler.plan(color.width(), color.height(), color.channels(), &options)?;
    let (format, ext) = ending(job.recipe.image_format()?, &job.input, frame.picture().format);
    format.check_size(plan.width, plan.height)?;
    let last = Mutex::new(Instant::now());
    let progress = |_: ProgressEvent| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= SIGN_OF_LIFE {
            *last = Instant::now();
            say(&Reply::Alive);
        }
        true
    };
    let begin = Instant::now();
    let upscaled = upscaler.upscale(&color, &options, &progress, cancel)?;
    let factor = upscaled.image.width() as f64 / color.width() as f64;
    let scale = format!("{factor:.2}");
    let made = Made {
        width: upscaled.image.width(),
        height: upscaled.image.height(),
        ext,
        scale: scale.trim_end_matches('0').trim_end_matches('.').to_string(),
        model: upscaler.manifest().name.clone(),
        engine_seconds: begin.elapsed().as_secs_f64(),
        ..Made::default()
    };
    let mut picture = frame.restore(upscaled.image, &RestoreOptions::default());
    let record = upscaler.provenance(&upscaled.report, factor, job.hash.clone());
    picture.warnings.extend(record.write(&mut picture.metadata));
    Ok(Upscaled { job, picture, format, start, made })
}

/// Format and ending of the result: as chosen, else as the input is called, else as it is made; PNG for formats that
/// can only be read.
fn ending(chosen: Option<ImageFormat>, input: &Path, contents: ImageFormat) -> (ImageFormat, String) {
    let own = input.extension().and_then(|ext| ext.to_str());
    let named = own.and_then(ImageFormat::from_extension);
    let format = chosen.or(named).unwrap_or(contents);
    let format = if format.can_write() { format } else { ImageFormat::Png };
    (format, own.filter(|_| named == Some(format)).unwrap_or(format.extensions()[0]).to_string())
}

fn write_pictures(pictures: Receiver<Upscaled>) {
    for upscaled in pictures {
        let (id, temporary) = (upscaled.job.id, &upscaled.job.temporary);
        match write(&upscaled) {
            Ok(made) => say(&Reply::Made { id, made }),
            Err(error) => {
                let _ = fs::remove_file(temporary);
                say(&Reply::Failed { id, fault: classify(&error), reason: error.report() });
            }
        }
    }
}

fn write(upscaled: &Upscaled) -> Result<Made> {
    let failed = |error: io::Error| Error::with_source(ErrorKind::Output, "cannot write the result", error);
    let Upscaled { job, picture, format, start, made } = upscaled;
    let file = OpenOptions::new().write(true).create_new(true).open(&job.temporary).map_err(failed)?;
    let mut writer = BufWriter::new(&file);
    let mut options = EncodeOptions::new(*format);
    if let Some(quality) = job.recipe.quality {
        (options.quality, options.lossless) = (quality, false);
    }
    let mut made = made.clone();
    made.warnings.clone_from(&picture.warnings);
    made.warnings.extend(encode_to(picture, &options, &mut writer)?);
    writer.flush().map_err(failed)?;
    drop(writer);
    file.sync_all().map_err(failed)?;
    made.hash = hash_file(&job.temporary).map_err(failed)?;
    made.seconds = start.elapsed().as_secs_f64();
    Ok(made)
}

/// SHA-256 of a file in hexadecimal.
///
/// # Errors
/// As reading fails.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}

fn say(reply: &Reply) {
    if let Ok(line) = serde_json::to_string(reply) {
        let mut out = io::stdout().lock();
        // Without a listener the end of standard input ends this process.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
