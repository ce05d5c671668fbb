//! One picture in the worker: read, upscale, write; or an earlier result again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Cursor, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::protocol::{Job, Made, Ready, Reply};
use super::serve::say;
use crate::batch::byte_budget::{self, Room, Ticket};
use crate::batch::naming::{ending, show_scale};
use crate::batch::page::{MadePage, Page, write_pages};
use crate::engine::Upscaler;
use crate::engine::options::UpscaleOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::{hash_file, sha256_hex};
use crate::image::{EncodeOptions, Header, ImageFormat, Picture, page_headers};
use crate::progress::{CancelToken, ProgressEvent};
use crate::settings::recipe::Recipe;

/// How often a busy worker says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What to say of a result that cannot be written.
const CANNOT_WRITE: &str = "cannot write the result";

/// A file that was read.
pub struct Decoded<'a> {
    pub job: Job,
    /// The first page.
    page: Page,
    /// The file's contents and pages, where there are several.
    all: Option<(Vec<u8>, usize)>,
    start: Instant,
    ticket: Ticket<'a>,
}

/// What became of a file in the engine.
pub enum Upscaled<'a> {
    /// A picture that is still to be written.
    Page(Box<Unwritten<'a>>),
    /// Pages that were written one by one.
    Written(i64, Made),
}

/// A picture that was upscaled.
pub struct Unwritten<'a> {
    pub job: Job,
    page: MadePage,
    encoding: EncodeOptions,
    start: Instant,
    made: Made,
    _ticket: Ticket<'a>,
}

/// The engine's share of the memory that the user grants; the rest is for pictures on their way.
pub fn engine_options(recipe: &Recipe) -> Result<UpscaleOptions> {
    Ok(recipe.options()?.beside_others())
}

/// How many bytes pictures may take on their way to the engine and from it, if memory is limited.
pub fn room(recipe: &Recipe) -> Option<u64> {
    recipe.options().ok().and_then(|options| options.memory).map(|bytes| bytes / 4)
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
    let limits = job.recipe.limits();
    let headers = page_headers(Cursor::new(&bytes), &limits).map_err(Some)?;
    let ticket = room.enter(weight(&headers, &job, scale));
    let page = Page::read(&bytes, 0, &limits).map_err(Some)?;
    let all = (headers.len() > 1).then_some((bytes, headers.len()));
    Ok(Decoded { job, page, all, start, ticket })
}

/// Bytes of the largest decoded page and its result; 0 where only decoding can tell.
fn weight(headers: &[Option<Header>], job: &Job, scale: usize) -> u64 {
    let weight = |header: &Header| {
        let target = job.recipe.target().resolve(header.width, header.height, scale).unwrap_or_default();
        byte_budget::weight(
            (header.width, header.height),
            target,
            header.channels + usize::from(header.has_alpha),
        )
    };
    headers.iter().flatten().map(weight).max().unwrap_or(0)
}

/// Upscales what was read; several pages are written as well, one after the other.
///
/// # Errors
/// As [`Upscaler::upscale`], or where the format cannot hold the result; there is no temporary then.
pub fn upscale<'a>(upscaler: &Upscaler, decoded: Decoded<'a>, cancel: &CancelToken) -> Result<Upscaled<'a>> {
    let Decoded { job, page, all, start, ticket } = decoded;
    let options = engine_options(&job.recipe)?;
    let (mut format, mut ext) = ending(job.recipe.format, &job.input, page.rest().format);
    let mut made = Made { model: upscaler.manifest().name.clone(), ..Made::default() };
    if all.is_some() && format != ImageFormat::Tiff {
        let pages = "the file has several pages, and";
        made.warnings.push(format!("{pages} {format} holds one: written as TIFF"));
        (format, ext) = (ImageFormat::Tiff, "tif".into());
    }
    made.ext = ext;
    let encoding = job.recipe.encoding(format);
    let making = Making { upscaler, options, encoding: &encoding, job: &job, cancel };
    made.engine_began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let Some((bytes, pages)) = all else {
        let page = making.page(page, &mut made)?;
        let unwritten = Unwritten { page, encoding, start, made, _ticket: ticket, job };
        return Ok(Upscaled::Page(Box::new(unwritten)));
    };
    making.pages(page, &bytes, pages, &mut made)?;
    finish(&mut made, &job, start)?;
    Ok(Upscaled::Written(job.id, made))
}

/// Pages of one job in the engine.
struct Making<'a> {
    upscaler: &'a Upscaler,
    options: UpscaleOptions,
    encoding: &'a EncodeOptions,
    job: &'a Job,
    cancel: &'a CancelToken,
}

impl Making<'_> {
    /// Width and height of a page's result, which the format must be able to hold.
    fn size(&self, page: &Page) -> Result<(usize, usize)> {
        let color = page.color();
        let scale = self.upscaler.manifest().scale;
        // The options were found right at the start: this picture is too small for them.
        let too_small = |error: Error| Error::new(ErrorKind::Limit, error.to_string());
        let target = self.options.target;
        let (width, height) = target.resolve(color.width(), color.height(), scale).map_err(too_small)?;
        self.encoding.format.check_size(width, height)?;
        Ok((width, height))
    }

    /// One page; its figures go into `made`.
    fn page(&self, page: Page, made: &mut Made) -> Result<MadePage> {
        self.size(&page)?;
        let width = page.color().width();
        let hash = self.job.recipe.provenance().then(|| self.job.hash.clone());
        let last = Mutex::new(Instant::now());
        let progress = |_: ProgressEvent| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= SIGN_OF_LIFE {
                *last = Instant::now();
                say(&Reply::Alive);
            }
            true
        };
        let cleanup = self.job.recipe.cleanup;
        let page = page.upscale(self.upscaler, &self.options, cleanup, hash, &progress, self.cancel)?;
        made.engine_seconds += page.report.seconds;
        made.network_seconds += page.report.network_seconds;
        if made.width == 0 {
            (made.width, made.height) = page.size();
            made.scale = show_scale(made.width as f64 / width as f64);
        }
        Ok(page)
    }

    /// All pages, written to the job's temporary.
    fn pages(&self, first: Page, bytes: &[u8], pages: usize, made: &mut Made) -> Result<()> {
        let recipe = &self.job.recipe;
        let (width, height) = self.size(&first)?;
        // Four channels of pages like the first; a file of larger ones says what it cannot hold.
        let samples = (width as u64).saturating_mul(height as u64).saturating_mul(4 * pages as u64);
        let mut first = Some(first);
        let notes = with_temporary(&self.job.temporary, |file| {
            write_pages(file, self.encoding, (pages, samples), CANNOT_WRITE, |index| {
                let page = match first.take() {
                    Some(page) => page,
                    None => Page::read(bytes, index, &recipe.limits())?,
                };
                Ok(finished(self.page(page, made)?, recipe, self.encoding, &mut made.warnings))
            })
        })?;
        made.warnings.extend(notes);
        Ok(())
    }
}

/// The finished picture; what it lost goes to `warnings`, once.
fn finished(
    page: MadePage,
    recipe: &Recipe,
    encoding: &EncodeOptions,
    warnings: &mut Vec<String>,
) -> Picture {
    let mut picture = page.finish(&recipe.restore_options(), encoding);
    for warning in std::mem::take(&mut picture.warnings) {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    picture
}

/// Writes a result to the job's temporary, down to the disk.
///
/// # Errors
/// `Output`; there is no temporary then.
pub fn write(unwritten: Unwritten<'_>) -> Result<Made> {
    let Unwritten { job, page, encoding, start, mut made, _ticket } = unwritten;
    let mut picture = Some(finished(page, &job.recipe, &encoding, &mut made.warnings));
    let notes = with_temporary(&job.temporary, |file| {
        write_pages(file, &encoding, (1, 0), CANNOT_WRITE, |_| {
            picture.take().ok_or_else(|| Error::new(ErrorKind::Output, CANNOT_WRITE))
        })
    })?;
    made.warnings.extend(notes);
    finish(&mut made, &job, start)?;
    Ok(made)
}

fn finish(made: &mut Made, job: &Job, start: Instant) -> Result<()> {
    made.hash = hash_file(&job.temporary).map_err(cannot_write)?;
    made.seconds = start.elapsed().as_secs_f64();
    Ok(())
}

/// Copies an earlier result of the same contents to the job's temporary; the file system may share the blocks.
///
/// # Errors
/// Where the earlier result is not as it was; there is no temporary then.
pub fn copy(job: &Job, ready: &Ready) -> Result<Made> {
    let start = Instant::now();
    with_temporary(&job.temporary, |writer| {
        let mut source = File::open(&ready.path).map_err(cannot_write)?;
        // Shares blocks where the file system can.
        io::copy(&mut source, &mut *writer.get_mut()).map(drop).map_err(cannot_write)
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

fn with_temporary<T>(path: &Path, fill: impl FnOnce(&mut BufWriter<&File>) -> Result<T>) -> Result<T> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(cannot_write)?;
    let mut writer = BufWriter::new(&file);
    let result = fill(&mut writer).and_then(|value| {
        writer.flush().and_then(|()| file.sync_all()).map_err(cannot_write)?;
        Ok(value)
    });
    if result.is_err() {
        let _ = fs::remove_file(path);
    }
    result
}

fn cannot_write(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Output, CANNOT_WRITE, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::units::Amount;

    #[test]
    fn memory_is_shared_by_program_engine_and_waiting_pictures() {
        let recipe = Recipe { memory: Some(Amount(1 << 30)), ..Recipe::default() };
        let (engine, waiting) = (engine_options(&recipe).unwrap().memory.unwrap(), room(&recipe).unwrap());
        assert_eq!(engine + waiting + crate::tiling::available_memory::PROGRAM_BYTES, 1 << 30);
    }
}
