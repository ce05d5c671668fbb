//! One picture in the worker: read, upscale, write; or an earlier result again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Cursor, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::protocol::{Job, Made, Ready, Reply};
use super::room::{Room, Ticket};
use super::worker::say;
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{hash_file, sha256_hex};
use crate::image::{
    EncodeOptions, Frame, ImageFormat, Prepared, Provenance, Raster, decode, encode_to, header,
    prepare_for_model,
};
use crate::limits::Limits;
use crate::naming::{ending, show_scale};
use crate::progress::{CancelToken, ProgressEvent};
use crate::upscaler::Upscaler;

/// How often a busy worker says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// A picture that was read.
pub struct Decoded<'a> {
    pub job: Job,
    prepared: Prepared,
    start: Instant,
    ticket: Ticket<'a>,
}

/// A picture that was upscaled.
pub struct Upscaled<'a> {
    pub job: Job,
    image: Raster,
    frame: Frame,
    format: ImageFormat,
    record: Option<Provenance>,
    start: Instant,
    made: Made,
    _ticket: Ticket<'a>,
}

/// Reads the picture of `job` once there is room for it and for its result, `scale` times as large by default.
///
/// # Errors
/// Why it cannot be read or decoded; `None` where it is not what the ledger knows.
pub fn read<'a>(job: Job, scale: usize, room: &'a Room) -> std::result::Result<Decoded<'a>, Option<Error>> {
    let start = Instant::now();
    let bytes = match fs::read(&job.input) {
        Ok(bytes) => bytes,
        Err(error) => return Err(Some(Error::with_source(ErrorKind::Input, "cannot read", error))),
    };
    // The result must belong to the contents that the ledger knows.
    if sha256_hex(&bytes) != job.hash {
        return Err(None);
    }
    let ticket = room.enter(weight(&bytes, &job, scale));
    match decode(&bytes, &Limits::default()) {
        Ok(picture) => {
            let prepared = prepare_for_model(picture);
            Ok(Decoded { job, prepared, start, ticket })
        }
        Err(error) => Err(Some(error)),
    }
}

/// Bytes of the decoded picture and its result; 0 where only decoding can tell.
fn weight(bytes: &[u8], job: &Job, scale: usize) -> u64 {
    let Some(header) = header(Cursor::new(bytes)) else { return 0 };
    let (width, height) = job.recipe.target().resolve(header.width, header.height, scale).unwrap_or_default();
    let samples = 4 * (header.channels + usize::from(header.has_alpha)) as u64;
    let area = |width: usize, height: usize| (width as u64).saturating_mul(height as u64);
    area(header.width, header.height).saturating_add(area(width, height)).saturating_mul(samples)
}

/// Upscales what was read.
///
/// # Errors
/// As [`Upscaler::upscale`], or where the format cannot hold the result.
pub fn upscale<'a>(upscaler: &Upscaler, decoded: Decoded<'a>, cancel: &CancelToken) -> Result<Upscaled<'a>> {
    let Decoded { job, prepared: Prepared { color, frame }, start, ticket } = decoded;
    let options = job.recipe.options()?;
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
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let result = upscaler.upscale(&color, &options, &progress, cancel)?;
    let factor = result.image.width() as f64 / color.width() as f64;
    let made = Made {
        width: result.image.width(),
        height: result.image.height(),
        ext,
        scale: show_scale(factor),
        model: upscaler.manifest().name.clone(),
        engine_began: began,
        engine_seconds: result.report.seconds,
        network_seconds: result.report.network_seconds,
        ..Made::default()
    };
    let record =
        job.recipe.provenance().then(|| upscaler.provenance(&result.report, factor, job.hash.clone()));
    Ok(Upscaled { job, image: result.image, frame, format, record, start, made, _ticket: ticket })
}

/// Writes a result to the job's temporary, down to the disk.
///
/// # Errors
/// `Output`; there is no temporary then.
pub fn write(upscaled: Upscaled<'_>) -> Result<Made> {
    let Upscaled { job, image, frame, format, record, start, mut made, _ticket } = upscaled;
    let mut picture = frame.restore(image, &job.recipe.restore_options());
    if let Some(record) = record {
        picture.warnings.extend(record.write(&mut picture.metadata));
    }
    made.warnings.append(&mut picture.warnings);
    let mut options = EncodeOptions::new(format);
    if let Some(quality) = job.recipe.quality {
        (options.quality, options.lossless) = (quality, false);
    }
    with_temporary(&job.temporary, |file| {
        let mut writer = BufWriter::new(file);
        made.warnings.extend(encode_to(&picture, &options, &mut writer)?);
        writer.flush().map_err(cannot_write)
    })?;
    made.hash = hash_file(&job.temporary).map_err(cannot_write)?;
    made.seconds = start.elapsed().as_secs_f64();
    Ok(made)
}

/// Copies an earlier result of the same contents to the job's temporary; the file system may share the blocks.
///
/// # Errors
/// Where the earlier result is not as it was; there is no temporary then.
pub fn copy(job: &Job, ready: &Ready) -> Result<Made> {
    let start = Instant::now();
    with_temporary(&job.temporary, |file| {
        let mut source = File::open(&ready.path).map_err(cannot_write)?;
        // Shares blocks where the file system can.
        io::copy(&mut source, &mut &*file).map(drop).map_err(cannot_write)
    })?;
    if hash_file(&job.temporary).map_err(cannot_write)? != ready.made.hash {
        let _ = fs::remove_file(&job.temporary);
        return Err(Error::new(ErrorKind::Output, format!("{} was changed", ready.path.display())));
    }
    Ok(Made {
        seconds: start.elapsed().as_secs_f64(),
        engine_began: 0.0,
        engine_seconds: 0.0,
        network_seconds: 0.0,
        reused: true,
        warnings: Vec::new(),
        ..ready.made.clone()
    })
}

fn with_temporary(path: &Path, fill: impl FnOnce(&File) -> Result<()>) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(cannot_write)?;
    let result = fill(&file).and_then(|()| file.sync_all().map_err(cannot_write));
    if result.is_err() {
        let _ = fs::remove_file(path);
    }
    result
}

fn cannot_write(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Output, "cannot write the result", error)
}
