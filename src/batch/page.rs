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
use crate::settings::repair::{AskedRepair, Repair};

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
    /// What is to be said of it.
    notes: Vec<String>,
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

    /// The first page, of a file that is decoded.
    #[cfg(test)]
    pub(crate) fn of(image: Image) -> Self {
        Self { index: 0, jpeg_quality: None, prepared: prepare_for_model(image) }
    }

    /// Its colours: 1 or 3 channels, sRGB-coded, 0 to 1.
    pub fn color(&self) -> &Raster {
        &self.prepared.color
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

    /// Upscales the page as `options` say, with the repair that is `asked` for; by default with what its damage calls
    /// for. With the `hash` of the file's contents (SHA-256 in hexadecimal), the result records how it was made.
    ///
    /// # Errors
    /// As [`Repair::of`] and [`Upscaler::upscale`].
    pub fn upscale(
        self,
        upscaler: &Upscaler,
        options: &UpscaleOptions,
        asked: AskedRepair,
        hash: Option<String>,
        progress: &dyn Progress,
        cancel: &CancelToken,
    ) -> Result<MadePage> {
        let Prepared { color, frame } = self.prepared;
        let repair = Repair::of(asked, &color, self.jpeg_quality, upscaler, options)?;
        let make = |repair: Repair| upscaler.upscale(&color, &repair.apply(options), progress, cancel);
        let (Upscaled { image, uncertainty, report }, notes) = repair.careful(make)?;
        let scale = image.width() as f64 / color.width() as f64;
        let record = hash.map(|hash| {
            let record = upscaler.provenance(&report, scale, hash);
            Provenance { page: self.index, ..record }
        });
        Ok(MadePage { frame, image, record, notes, report, uncertainty })
    }
}

impl MadePage {
    /// Its colours: 1 or 3 channels, sRGB-coded, 0 to 1.
    pub fn color(&self) -> &Raster {
        &self.image
    }

    /// The finished image, to be written with `encoding`.
    pub fn finish(self, restore: &RestoreOptions, encoding: &EncodeOptions) -> Image {
        let flattened = self.frame.has_alpha() && !encoding.format.has_alpha();
        let unit_range = encoding.stored_depth(self.frame.image().depth) != SampleDepth::F32;
        let mut image = self.frame.restore(self.image, &RestoreOptions { unit_range, ..*restore });
        image.warnings.extend(self.notes);
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::batch::fixture::fake;
    use crate::error::ErrorKind;
    use crate::fake_network::test_image;
    use crate::image::{decode, page_count};
    use crate::progress::NoProgress;

    fn image(depth: SampleDepth, alpha: bool) -> Image {
        let alpha = alpha.then(|| test_image(1, 5, 6));
        Image::new(test_image(3, 5, 6), alpha, depth, ImageFormat::Png)
    }

    fn upscale(page: Page, hash: Option<&str>) -> MadePage {
        let hash = hash.map(ToString::to_string);
        let options = UpscaleOptions::default();
        page.upscale(&fake(), &options, AskedRepair::default(), hash, &NoProgress, &CancelToken::new())
            .unwrap()
    }

    #[test]
    fn a_record_that_the_source_has_does_not_pass_for_that_of_the_result() {
        let (restore, png) = (RestoreOptions::default(), EncodeOptions::new(ImageFormat::Png));
        let first = upscale(Page::of(image(SampleDepth::U8, false)), Some("first")).finish(&restore, &png);
        assert_eq!(Provenance::read(&first.metadata).unwrap().source_sha256, "first");
        let second = upscale(Page::of(first.clone()), Some("second")).finish(&restore, &png);
        assert_eq!(Provenance::read(&second.metadata).unwrap().source_sha256, "second");
        let unrecorded = upscale(Page::of(first), None).finish(&restore, &png);
        assert!(Provenance::read(&unrecorded.metadata).is_none());
    }

    #[test]
    fn the_record_tells_of_quality_and_background_only_where_they_matter() {
        let restore = RestoreOptions::default();
        let record = |alpha: bool, format: ImageFormat| {
            let encoding = EncodeOptions { background: [0.0, 0.5, 1.0], ..EncodeOptions::new(format) };
            let made =
                upscale(Page::of(image(SampleDepth::U8, alpha)), Some("5")).finish(&restore, &encoding);
            let record = Provenance::read(&made.metadata).unwrap();
            (record.quality.is_some(), record.background)
        };
        assert_eq!(record(false, ImageFormat::Png), (false, None));
        assert_eq!(record(true, ImageFormat::Png), (false, None));
        assert_eq!(record(false, ImageFormat::Jpeg), (true, None));
        assert_eq!(record(true, ImageFormat::Jpeg), (true, Some([0.0, 0.5, 1.0])));
    }

    #[test]
    fn what_a_format_cannot_hold_is_known_before_the_work() {
        let restore = RestoreOptions::default();
        let losses = |alpha: bool, format: ImageFormat, recorded: bool| {
            Page::of(image(SampleDepth::U16, alpha)).losses(&EncodeOptions::new(format), &restore, recorded)
        };
        assert!(losses(true, ImageFormat::Png, true).is_empty());
        assert_eq!(
            losses(true, ImageFormat::Bmp, true).len(),
            losses(true, ImageFormat::Bmp, false).len() + 1
        );
        let said = losses(true, ImageFormat::Jpeg, true).join("; ");
        assert!(said.contains("16") && said.contains("transparen"), "{said}");
    }

    #[test]
    fn a_page_that_cannot_be_made_is_named_by_its_number_and_a_loss_of_all_pages_told_once() {
        let mut tiff = EncodeOptions::new(ImageFormat::Tiff);
        tiff.depth = Some(SampleDepth::U8);
        let write = |pages: usize, page: &mut dyn FnMut(usize) -> Result<Image>| {
            let mut file = Cursor::new(Vec::new());
            write_pages(&mut file, &tiff, (pages, 1000), "a.tif", page)
                .map(|notes| (file.into_inner(), notes))
        };
        let (file, notes) = write(3, &mut |_| Ok(image(SampleDepth::U16, false))).unwrap();
        assert_eq!(page_count(&file), 3);
        let (_, of_one) = write(1, &mut |_| Ok(image(SampleDepth::U16, false))).unwrap();
        assert_eq!(notes, of_one);
        let bad = || Error::new(ErrorKind::Quality, "the tile is grey");
        let error =
            write(3, &mut |index| if index == 1 { Err(bad()) } else { Ok(image(SampleDepth::U8, false)) });
        assert_eq!(error.unwrap_err().to_string(), "page 2: the tile is grey");
        let error = write(1, &mut |_| Err(bad())).unwrap_err();
        assert_eq!(error.to_string(), "the tile is grey");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        /// As a full disk.
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        impl Seek for Full {
            fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
                Ok(0)
            }
        }
        let tiff = EncodeOptions::new(ImageFormat::Tiff);
        for pages in [1, 2] {
            let error =
                write_pages(Full, &tiff, (pages, 1000), "a.tif", |_| Ok(image(SampleDepth::U8, false)));
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Output);
            assert!(error.to_string().starts_with("a.tif: "), "{error}");
        }
    }

    #[test]
    fn a_page_is_read_by_its_number() {
        let file = crate::batch::fixture::tiff(2);
        let limits = Limits::default();
        for index in 0..2 {
            let page = Page::read(&file, index, &limits).unwrap();
            assert_eq!(page.prepared.color.height(), 4 + index);
            let encoding = EncodeOptions::new(ImageFormat::Png);
            let mut out = Cursor::new(Vec::new());
            let made = upscale(page, Some("5")).finish(&RestoreOptions::default(), &encoding);
            write_pages(&mut out, &encoding, (1, 1), "", |_| Ok(made.clone())).unwrap();
            let image = decode(&out.into_inner(), &limits).unwrap();
            assert_eq!(
                (image.height(), Provenance::read(&image.metadata).unwrap().page),
                (8 + 2 * index, index)
            );
        }
        assert!(Page::read(&file, 2, &limits).is_err());
    }
}
