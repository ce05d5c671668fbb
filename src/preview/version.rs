//! The versions of a crop: interpolated, and made with each preset.

use std::time::Duration;

use super::crop::Crop;
use super::heat::difference;
use crate::engine::options::UpscaleOptions;
use crate::engine::{Target, Upscaled, Upscaler};
use crate::error::{Error, Result};
use crate::image::{Kernel, Raster, resize};
use crate::progress::{CancelToken, Progress, ProgressEvent};
use crate::settings::repair::{AskedRepair, Repair};

/// Pixels around the crop, besides those that the networks see, for back-projection.
const MARGIN: usize = 16;

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The part of the image.
    pub crop: Crop,
    /// Names of presets; the versions come in this order.
    pub presets: Vec<String>,
    /// The repair; by default what the whole image calls for.
    pub repair: AskedRepair,
    /// Results with different seeds, whose spread is shown where there is more than one step.
    pub samples: usize,
}

/// A crop of an image in several versions.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The crop, in pixels of the image.
    pub crop: Crop,
    /// Factor of the results.
    pub scale: usize,
    /// The crop, interpolated (bicubic).
    pub interpolated: Raster,
    /// One for each preset.
    pub versions: Vec<Version>,
}

/// The crop made with a preset.
#[derive(Clone, Debug)]
pub struct Version {
    /// The preset.
    pub preset: String,
    /// Denoising steps.
    pub steps: usize,
    /// Clean-up level, 0 to 1.
    pub cleanup: f32,
    /// The factor by which the image was made smaller first, against blur; 1: not at all.
    pub deblur: usize,
    /// The repair that was left out and why, one sentence each.
    pub left_out: Vec<String>,
    /// The picture.
    pub image: Raster,
    /// How far it lies from the interpolated crop, in levels of 255, one plane.
    pub added: Raster,
    /// The standard deviation over results with different seeds, in levels of 255, one plane; none for one step, which
    /// does not depend on the seed, and for several passes.
    pub uncertainty: Option<Raster>,
    /// How long the whole image takes here.
    pub time: Duration,
    /// The size of the whole result in pixels.
    pub size: (usize, usize),
}

/// Makes the versions of a crop of `image` (1 or 3 channels, black 0 and white 1) of a JPEG file of that quality.
///
/// Around the crop as much is made as the networks see, so that it equals that part of the whole result; with
/// back-projection nearly.
///
/// # Errors
/// `InvalidOption` for a crop outside the image and unknown presets; as [`Upscaler::upscale`].
pub fn preview(
    image: &Raster,
    jpeg_quality: Option<f32>,
    upscaler: &Upscaler,
    asked: &Asked,
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<Preview> {
    let size = (image.width(), image.height());
    let crop = asked.crop;
    if !crop.fits(size) {
        let message = format!("the crop {crop} is not within the image of {}x{}", size.0, size.1);
        return Err(Error::invalid_option(message));
    }
    let scale = upscaler.manifest().scale;
    let wide = crop.with_margin(MARGIN, size, 1);
    let enlarged = resize(
        &image.crop(wide.rows(), wide.columns()),
        wide.height * scale,
        wide.width * scale,
        Kernel::BICUBIC,
    );
    let interpolated = within(&enlarged, &crop, &wide, scale);
    let maker = Maker { image, jpeg_quality, upscaler, asked, interpolated: &interpolated, cancel };
    let count = asked.presets.len();
    let versions = asked.presets.iter().enumerate();
    let versions = versions.map(|(index, preset)| maker.version(preset, &Part { index, count, progress }));
    let versions = versions.collect::<Result<_>>()?;
    Ok(Preview { crop, scale, interpolated, versions })
}

/// Makes the versions of a crop.
struct Maker<'a> {
    image: &'a Raster,
    jpeg_quality: Option<f32>,
    upscaler: &'a Upscaler,
    asked: &'a Asked,
    interpolated: &'a Raster,
    cancel: &'a CancelToken,
}

impl Maker<'_> {
    fn version(&self, preset: &str, progress: &dyn Progress) -> Result<Version> {
        let Self { image, upscaler, asked, .. } = *self;
        let options = UpscaleOptions {
            preset: Some(preset.to_owned()),
            target: Target::Native,
            ..UpscaleOptions::default()
        };
        let repair = Repair::of(asked.repair, image, self.jpeg_quality, upscaler, &options)?;
        let size = (image.width(), image.height());
        // What does not fit the whole image is left out of its parts.
        let (plan, repair, mut left_out) =
            repair.fitting(|repair| upscaler.plan(size.0, size.1, image.channels(), &repair.apply(&options)));
        let plan = plan?;
        let scale = upscaler.manifest().scale;
        // What the networks see around a pixel, and what back-projection spreads.
        let margin = upscaler.reach(&plan) + MARGIN;
        let wide = asked.crop.with_margin(margin, size, upscaler.manifest().size_multiple * repair.deblur);
        let mut place = options.place;
        place.origin = (wide.x as u32, wide.y as u32);
        let steps = plan.sampling.steps;
        let part = image.crop(wide.rows(), wide.columns());
        let make = |repair: Repair| {
            // The uncertainty is measured over one pass.
            let uncertainty = (steps > 1 && repair.deblur == 1).then_some(asked.samples);
            let options = UpscaleOptions { place, uncertainty, ..repair.apply(&options) };
            upscaler.upscale(&part, &options, progress, self.cancel)
        };
        let (Upscaled { image: made, uncertainty, report }, notes) = repair.careful(make)?;
        left_out.extend(notes);
        let made = within(&made, &asked.crop, &wide, scale);
        let really = UpscaleOptions { cleanup: report.cleanup, deblur: report.deblur, ..options };
        let plan = upscaler.plan(size.0, size.1, image.channels(), &really)?;
        Ok(Version {
            preset: preset.to_owned(),
            steps,
            cleanup: report.cleanup,
            deblur: report.deblur,
            left_out,
            added: difference(&made, self.interpolated),
            image: made,
            uncertainty: uncertainty.map(|map| within(&map, &asked.crop, &wide, scale)),
            time: upscaler.estimate(&plan)?,
            size: (plan.width, plan.height),
        })
    }
}

/// The part of an enlarged `wide` that belongs to `crop`.
fn within(enlarged: &Raster, crop: &Crop, wide: &Crop, scale: usize) -> Raster {
    let (top, left) = ((crop.y - wide.y) * scale, (crop.x - wide.x) * scale);
    enlarged.crop(top..top + crop.height * scale, left..left + crop.width * scale)
}

/// The progress of one version, as that of all.
struct Part<'a> {
    index: usize,
    count: usize,
    progress: &'a dyn Progress,
}

impl Progress for Part<'_> {
    fn report(&self, event: ProgressEvent) -> bool {
        let fraction = (self.index as f64 + event.fraction) / self.count as f64;
        self.progress.report(ProgressEvent { fraction, ..event })
    }
}
