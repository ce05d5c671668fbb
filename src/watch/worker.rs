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
use crate::image::{EncodeOptions, ImageFormat, Kernel, Picture, decode, encode_to, resize};
use crate::limits::Limits;
use crate::model::Bundle;
use crate::progress::{CancelToken, ProgressEvent};
use crate::runtime::Device;
use crate::upscaler::{RuntimeOptions, Upscaler};

/// How often a busy worker says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

struct Decoded {
    job: Job,
    picture: Picture,
    start: Instant,
}

enum Step {
    Load(String),
    Upscale(Box<Decoded>),
}

struct Upscaled {
    decoded: Box<Decoded>,
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
        scope.spawn(|| read_pictures(incoming, decoded));
        scope.spawn(|| upscale_pictures(to_upscale, upscaled, runtime, &cancel));
        scope.spawn(|| write_pictures(to_write));
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

/// Takes on niceness, ends with its parent, and turns a defect into an end that the parent notices.
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
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        std::process::exit(101);
    }));
}

fn read_pictures(orders: Receiver<Order>, next: SyncSender<Step>) {
    for order in orders {
        let step = match order {
            Order::Load { model } => Step::Load(model),
            Order::Make(job) => {
                let start = Instant::now();
                match read(&job) {
                    Ok(picture) => Step::Upscale(Box::new(Decoded { job, picture, start })),
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
            Step::Upscale(mut decoded) => {
                let id = decoded.job.id;
                let result = open(&mut models, decoded.job.recipe.model(), &runtime)
                    .and_then(|upscaler| upscale(upscaler, &mut decoded, cancel));
                match result {
                    Ok(made) => {
                        if next.send(Upscaled { decoded, made }).is_err() {
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

/// Replaces the picture by its enlargement.
fn upscale(upscaler: &Upscaler, decoded: &mut Decoded, cancel: &CancelToken) -> Result<Made> {
    let picture = &decoded.picture;
    let recipe = &decoded.job.recipe;
    let options = recipe.options();
    let plan = upscaler.plan(picture.width(), picture.height(), picture.color.channels(), &options)?;
    let (format, ext) = ending(recipe.image_format()?, &decoded.job.input, picture.format);
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
    let result = upscaler.upscale(&picture.color, &options, &progress, cancel)?.image;
    let scale = format!("{:.2}", result.width() as f64 / picture.width() as f64);
    let made = Made {
        width: result.width(),
        height: result.height(),
        ext,
        scale: scale.trim_end_matches('0').trim_end_matches('.').to_string(),
        model: upscaler.manifest().name.clone(),
        engine_seconds: begin.elapsed().as_secs_f64(),
        warnings: picture.warnings.clone(),
        ..Made::default()
    };
    // Linear never overshoots, so that clear stays clear and opaque opaque.
    let alpha = picture.alpha.as_ref().map(|alpha| resize(alpha, made.height, made.width, Kernel::Linear));
    decoded.picture = Picture::new(result, alpha, picture.depth, format);
    Ok(made)
}

/// Format and ending of the result: as chosen, else as the input is called, else as it is made.
fn ending(chosen: Option<ImageFormat>, input: &Path, contents: ImageFormat) -> (ImageFormat, String) {
    let own = input.extension().and_then(|ext| ext.to_str());
    let named = own.and_then(ImageFormat::from_extension);
    let format = chosen.or(named).unwrap_or(contents);
    (format, own.filter(|_| named == Some(format)).unwrap_or(format.extensions()[0]).to_string())
}

fn write_pictures(pictures: Receiver<Upscaled>) {
    for Upscaled { decoded, mut made } in pictures {
        let (id, temporary) = (decoded.job.id, &decoded.job.temporary);
        match write(&decoded, &mut made) {
            Ok(()) => {
                made.seconds = decoded.start.elapsed().as_secs_f64();
                say(&Reply::Made { id, made });
            }
            Err(error) => {
                let _ = fs::remove_file(temporary);
                say(&Reply::Failed { id, fault: classify(&error), reason: error.report() });
            }
        }
    }
}

fn write(decoded: &Decoded, made: &mut Made) -> Result<()> {
    let failed = |error: io::Error| Error::with_source(ErrorKind::Output, "cannot write the result", error);
    let path = &decoded.job.temporary;
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    let mut writer = BufWriter::new(&file);
    let defaults = EncodeOptions::new(decoded.picture.format);
    let quality = decoded.job.recipe.quality.unwrap_or(defaults.quality);
    let warnings = encode_to(&decoded.picture, &EncodeOptions { quality, ..defaults }, &mut writer)?;
    writer.flush().map_err(failed)?;
    drop(writer);
    file.sync_all().map_err(failed)?;
    made.warnings.extend(warnings);
    made.hash = hash_file(path).map_err(failed)?;
    Ok(())
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
