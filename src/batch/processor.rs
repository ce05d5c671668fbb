//! One file: decoded page by page, upscaled, encoded. The same for every front end.

use std::io::{Seek, Write};
use std::sync::Arc;
use std::time::Instant;

use super::page::{Page, write_pages};
use super::planned_page::PlannedPage;
use super::timings::{Timings, timed};
use crate::engine::{Report, UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{EncodeOptions, Image, ImageFormat, Raster};
use crate::progress::{CancelToken, Progress, ProgressEvent};
use crate::settings::Settings;
use crate::settings::repair::AskedRepair;

/// A file to make, from one that was read.
#[derive(Debug)]
pub struct FileTask<'a> {
    /// The input.
    pub bytes: Arc<Vec<u8>>,
    /// SHA-256 of the input, in hexadecimal, if it is to be recorded.
    pub hash: Option<String>,
    /// The pages that the result has, at least one; several need TIFF.
    pub pages: &'a [PlannedPage],
    /// Format of the result.
    pub format: ImageFormat,
    /// What was asked for.
    pub settings: &'a Settings,
    /// What of it the engine is told.
    pub options: &'a UpscaleOptions,
    /// The message for a result that cannot be written.
    pub cannot_write: &'a str,
}

/// Hears how a file gets on.
pub trait Observer: Sync {
    /// Page `index` of the result was decoded, and goes to the engine.
    ///
    /// # Errors
    /// What speaks against making it.
    fn begin(&self, index: usize, page: &Page) -> Result<()>;

    /// The colours of page `index` of the result (1 or 3 channels, sRGB-coded, 0 to 1) are made.
    fn made(&self, _index: usize, _color: &Raster) {}

    /// Work on page `index` goes on; false cancels it.
    fn progress(&self, index: usize, event: ProgressEvent) -> bool;

    /// The input is damaged: the result holds what could be read of it. The same may come from several pages.
    ///
    /// # Errors
    /// What speaks against making it all the same.
    fn damaged(&self, message: &str) -> Result<()>;

    /// Something was not kept, or deserves a look. The same may come from several pages.
    fn warn(&self, message: &str);

    /// The map that [`UpscaleOptions::uncertainty`] asks for.
    ///
    /// # Errors
    /// As it cannot be written.
    fn uncertainty(&self, map: Raster) -> Result<()>;
}

/// What a result is written to.
pub trait Sink: Write + Seek {}
impl<T: Write + Seek> Sink for T {}

/// Writes the whole result once.
pub type Fill<'a> = &'a mut dyn FnMut(&mut dyn Sink) -> Result<()>;

impl FileTask<'_> {
    /// Makes the file. `write` gives its argument the place to write to; of a single page it is called only when that page
    /// is made. Returns what `write` does, how the pages were made, and how long it took without reading the file.
    ///
    /// # Errors
    /// Anything that prevents the result.
    pub fn make<T>(
        mut self,
        upscaler: &Upscaler,
        observer: &dyn Observer,
        cancel: &CancelToken,
        write: impl FnOnce(Fill<'_>) -> Result<T>,
    ) -> Result<(T, Report, Timings)> {
        let start = Instant::now();
        let mut timings = Timings::default();
        let pages = (self.pages.len(), self.pages.iter().map(PlannedPage::samples).sum());
        let encoding = self.settings.encoding(self.format);
        let cannot_write = self.cannot_write;
        let mut report: Option<Report> = None;
        let mut page = |index: usize| {
            let (image, of_page) = self.page(index, &encoding, upscaler, observer, cancel, &mut timings)?;
            report = Some(report.take().map_or(of_page.clone(), |report| report.and(&of_page)));
            Ok(image)
        };
        // A single page is made before there is a file for it.
        let mut single = if pages.0 == 1 { Some(page(0)?) } else { None };
        let written = write(&mut |out| {
            let next = |index| single.take().map_or_else(|| page(index), Ok);
            let warnings = write_pages(out, &encoding, pages, cannot_write, next)?;
            warnings.iter().for_each(|warning| observer.warn(warning));
            Ok(())
        })?;
        let report = report.ok_or_else(|| Error::new(ErrorKind::Input, "the file has no page"))?;
        timings.inference_s = report.network_seconds / upscaler.networks() as f64;
        timings.total_s = start.elapsed().as_secs_f64();
        timings.encode_s = timings.total_s - timings.decode_s - timings.engine_s - timings.restore_s;
        Ok((written, report, timings))
    }

    /// One finished page.
    fn page(
        &mut self,
        index: usize,
        encoding: &EncodeOptions,
        upscaler: &Upscaler,
        observer: &dyn Observer,
        cancel: &CancelToken,
        timings: &mut Timings,
    ) -> Result<(Image, Report)> {
        let page = timed(&mut timings.decode_s, || {
            Page::read(&self.bytes, self.pages[index].index, &self.settings.limits())
        })?;
        if index + 1 == self.pages.len() {
            // Nothing reads the input again.
            self.bytes = Arc::default();
        }
        self.finish(index, page, encoding, upscaler, observer, cancel, timings)
    }

    #[expect(clippy::too_many_arguments)]
    fn finish(
        &self,
        index: usize,
        page: Page,
        encoding: &EncodeOptions,
        upscaler: &Upscaler,
        observer: &dyn Observer,
        cancel: &CancelToken,
        timings: &mut Timings,
    ) -> Result<(Image, Report)> {
        let settings = self.settings;
        observer.begin(index, &page)?;
        if let Some(damage) = &page.rest().damage {
            if settings.strict {
                return Err(Error::new(ErrorKind::Input, damage.clone()));
            }
            observer.damaged(damage)?;
        }
        let restore = settings.restore_options();
        let hash = self.hash.clone();
        page.rest().warnings.iter().for_each(|warning| observer.warn(warning));
        page.losses(encoding, &restore, hash.is_some()).iter().for_each(|loss| observer.warn(loss));
        let progress = PageProgress { index, observer };
        let mut made = timed(&mut timings.engine_s, || {
            page.upscale(upscaler, self.options, AskedRepair::from(settings), hash, &progress, cancel)
        })?;
        observer.made(index, made.color());
        if let Some(map) = made.uncertainty.take() {
            observer.uncertainty(map)?;
        }
        let report = made.report.clone();
        let image = timed(&mut timings.restore_s, || made.finish(&restore, encoding));
        image.warnings.iter().for_each(|warning| observer.warn(warning));
        cancel.check()?;
        Ok((image, report))
    }
}

/// Tells the observer which page a progress belongs to.
struct PageProgress<'a> {
    index: usize,
    observer: &'a dyn Observer,
}

impl Progress for PageProgress<'_> {
    fn report(&self, event: ProgressEvent) -> bool {
        self.observer.progress(self.index, event)
    }
}

#[cfg(test)]
mod tests;
