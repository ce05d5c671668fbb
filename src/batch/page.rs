//! Pages on their way from one file to another, the same for every program that makes files: read, upscaled, put
//! together, written.

use std::io::{Seek, Write};

use crate::engine::Report;
use crate::engine::options::UpscaleOptions;
use crate::engine::{Upscaled, Upscaler};
use crate::error::{Error, Result};
use crate::image::{
    EncodeOptions, Frame, Image, ImageFormat, PageWriter, Prepared, Provenance, Raster, RestoreOptions,
    Retouch, SampleDepth, decode_page, encode_to, jpeg_quality, prepare_for_model,
};
use crate::limits::Limits;
use crate::progress::{CancelToken, Progress};
use crate::settings::cleanup::Cleanup;

/// A page that was read.
#[derive(Clone, Debug)]
pub struct Page {
    index: usize,
    jpeg_quality: Option<f32>,
    prepared: Prepared,
}

/// A page that went through the engine.
#[derive(Clone, Debug)]
pub struct MadePage {
    frame: Frame,
    image: Raster,
    record: Option<Provenance>,
    /// How it was made.
    pub report: Report,
    /// What [`UpscaleOptions::uncertainty`] asks for.
    pub uncertainty: Option<Raster>,
}

impl Page {
    /// Reads page `index`, counted from 0, of a file's `bytes`.
    ///
    /// # Errors
    /// As [`decode_page`].
    pub fn read(bytes: &[u8], index: usize, limits: &Limits) -> Result<Self> {
        let prepared = prepare_for_model(decode_page(bytes, index, limits)?);
        Ok(Self { index, jpeg_quality: jpeg_quality(bytes), prepared })
    }

    /// Everything else of the page.
    pub fn rest(&self) -> &Image {
        self.prepared.frame.image()
    }

    /// What a file of `encoding` will not hold of the page, or of its record where the result is `recorded`; one
    /// sentence each, known before the work.
    pub fn losses(&self, encoding: &EncodeOptions, restore: &RestoreOptions, recorded: bool) -> Vec<String> {
        let rest = self.rest();
        let mut metadata = rest.metadata.clone();
        let size = self.prepared.frame.size();
        // Without what is left out on purpose.
        metadata.retouch(&Retouch { size, old_size: size, keep_dpi: restore.keep_dpi, strip: restore.strip });
        let mut losses = encoding.losses(rest.depth, rest.is_transparent());
        losses.extend(encoding.metadata_losses(&metadata));
        losses.extend(recorded.then(|| record_loss(encoding.format)).flatten());
        losses
    }

    /// Upscales the page, with `cleanup` for that of `options`. With the `hash` of the file's contents (SHA-256 in
    /// hexadecimal), the result records how it was made.
    ///
    /// # Errors
    /// As [`Cleanup::level`] and [`Upscaler::upscale`].
    pub fn upscale(
        self,
        upscaler: &Upscaler,
        options: &UpscaleOptions,
        cleanup: Cleanup,
        hash: Option<String>,
        progress: &dyn Progress,
        cancel: &CancelToken,
    ) -> Result<MadePage> {
        let Prepared { color, frame } = self.prepared;
        let cleanup = cleanup.level(self.jpeg_quality, upscaler.manifest())?;
        let options = UpscaleOptions { cleanup, ..options.clone() };
        let Upscaled { image, uncertainty, report } = upscaler.upscale(&color, &options, progress, cancel)?;
        let scale = image.width() as f64 / color.width() as f64;
        let record = hash.map(|hash| {
            let record = upscaler.provenance(&report, scale, hash);
            Provenance { page: self.index, ..record }
        });
        Ok(MadePage { frame, image, record, report, uncertainty })
    }
}

impl MadePage {
    /// The finished image, to be written with `encoding`.
    pub fn finish(self, restore: &RestoreOptions, encoding: &EncodeOptions) -> Image {
        let flattened = self.frame.has_alpha() && !encoding.format.has_alpha();
        let unit_range = encoding.stored_depth(self.frame.image().depth) != SampleDepth::F32;
        let mut image = self.frame.restore(self.image, &RestoreOptions { unit_range, ..*restore });
        let Some(mut record) = self.record else {
            // One that the source has tells of another image.
            Provenance::remove(&mut image.metadata);
            return image;
        };
        if let Some(loss) = record_loss(encoding.format) {
            image.warnings.push(loss);
        } else {
            record.quality = encoding.is_lossy().then_some(encoding.quality);
            record.background = flattened.then_some(encoding.background);
            image.warnings.extend(record.write(&mut image.metadata));
        }
        image
    }
}

/// What is to be said where `format` has no room for a record.
fn record_loss(format: ImageFormat) -> Option<String> {
    (!format.has_exif())
        .then(|| format!("{format} cannot store the record of how the image was made; left out"))
}

/// Writes a file of `pages` pages to `out`; `page` makes them in turn, by their number from 0. Several pages, of
/// `samples` samples in all, need TIFF. Returns what the file could not hold, each once.
///
/// # Errors
/// What `page` returns, with the page's number where there are several; as [`encode_to`], with `context`.
pub fn write_pages(
    mut out: impl Write + Seek,
    encoding: &EncodeOptions,
    (pages, samples): (usize, u64),
    context: &str,
    mut page: impl FnMut(usize) -> Result<Image>,
) -> Result<Vec<String>> {
    let cannot_write = |error: Error| error.context(context);
    if pages == 1 {
        return encode_to(&page(0)?, encoding, &mut out).map_err(cannot_write);
    }
    let mut writer = PageWriter::new(out, encoding.clone(), samples).map_err(cannot_write)?;
    let mut warnings: Vec<String> = Vec::new();
    for index in 0..pages {
        let image = page(index).map_err(|error| error.context(format!("page {}", index + 1)))?;
        for note in writer.add(&image).map_err(cannot_write)? {
            // The same for every page, mostly.
            if !warnings.contains(&note) {
                warnings.push(note);
            }
        }
    }
    Ok(warnings)
}
