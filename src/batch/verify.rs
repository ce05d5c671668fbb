//! Whether an image is what its record says: made again from its source, and compared.

use serde::Serialize;

use crate::diffusion::NoisePlace;
use crate::engine::Upscaler;
use crate::engine::options::{Target, UpscaleOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{
    EncodeOptions, Image, Provenance, Raster, RestoreOptions, SampleDepth, decode_page, encode,
    prepare_for_model,
};
use crate::limits::Limits;
use crate::progress::{CancelToken, NoProgress};

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every sample is the same.
    Identical,
    /// No sample is off by more than the tolerance.
    Equal,
    /// The image is not what its record says.
    Different,
}

/// An image compared with what its record makes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// What it comes to.
    pub verdict: Verdict,
    /// Largest difference of any sample, in levels of 255; `None` where size or channels differ.
    pub max_difference: Option<f64>,
    /// Mean difference, in levels of 255.
    pub mean_difference: Option<f64>,
    /// Share of samples that differ at all, 0 to 1.
    pub differing: Option<f64>,
    /// Largest difference, in levels of 255, that counts as equal: 1, for other processors round differently; more
    /// for lossy formats, where the least difference may tip a coefficient to its next step.
    pub tolerance: f64,
}

/// Largest mean difference of equal images in a lossy format, in levels of 255.
const LOSSY_MEAN: f64 = 0.5;

/// Makes the image of `record` again from the bytes of its source, and compares it with `image`. `resources` are
/// options of which only tile and memory count.
///
/// # Errors
/// `InvalidOption` where the record names settings that this program does not have; as decoding, upscaling and
/// encoding fail.
pub fn verify(
    upscaler: &Upscaler,
    record: &Provenance,
    image: &Image,
    source: &[u8],
    resources: &UpscaleOptions,
    limits: &Limits,
    cancel: &CancelToken,
) -> Result<Verification> {
    let prepared = prepare_for_model(decode_page(source, record.page, limits)?);
    let side = |pixels: usize| {
        u32::try_from(pixels).map_err(|_| Error::new(ErrorKind::Limit, "the image is too large"))
    };
    let target = Target::Size { width: side(image.width())?, height: side(image.height())? };
    let options = options(record, target, resources)?;
    let upscaled = upscaler.upscale(&prepared.color, &options, &NoProgress, cancel)?;
    let unit_range = image.depth != SampleDepth::F32;
    let restore = RestoreOptions { unit_range, ..RestoreOptions::default() };
    let made = prepared.frame.restore(upscaled.image, &restore);
    // Through the format as well, so that what it changes is changed on both sides.
    let defaults = EncodeOptions::new(image.format);
    let encoding = EncodeOptions {
        quality: record.quality.unwrap_or(defaults.quality),
        lossless: record.quality.is_none(),
        depth: Some(image.depth),
        background: record.background.unwrap_or(defaults.background),
        ..defaults
    };
    let bytes = encode(&made, &encoding)?.bytes;
    drop(made);
    let made = decode_page(&bytes, 0, limits)?;
    let tolerance = if encoding.is_lossy() { lossy_tolerance(encoding.quality) } else { 1.0 };
    Ok(compare(&made, image, tolerance, encoding.is_lossy()))
}

/// The settings of a record, for a result of the size `target`. Of `resources` only tile and memory count.
///
/// # Errors
/// `InvalidOption` where the record names settings that this program does not have.
pub fn options(record: &Provenance, target: Target, resources: &UpscaleOptions) -> Result<UpscaleOptions> {
    let strange = |error: Error| error.context("the record of its making");
    Ok(UpscaleOptions {
        target,
        preset: None,
        steps: Some(record.steps as usize).filter(|&steps| steps > 0),
        start_step: Some(record.start_step as usize),
        sampler: Some(record.sampler.parse().map_err(strange)?),
        eta: Some(record.eta),
        spacing: Some(record.spacing.parse().map_err(strange)?),
        cleanup: record.cleanup,
        deblur: record.deblur.unwrap_or(1),
        consistency: Some(record.consistency as usize),
        seed: record.seed,
        place: NoisePlace::default(),
        uncertainty: None,
        tile: resources.tile,
        memory: resources.memory,
        among_others: false,
    })
}

/// Half the coarsest step of JPEG's usual tables at `quality`, and a level for rounding.
fn lossy_tolerance(quality: u8) -> f64 {
    let quality = f64::from(quality.clamp(1, 100));
    let scale = if quality < 50.0 { 50.0 / quality } else { 2.0 - quality / 50.0 };
    (1.0 + 0.5 * 121.0 * scale).min(255.0)
}

fn compare(made: &Image, image: &Image, tolerance: f64, lossy: bool) -> Verification {
    let same_shape = |a: &Raster, b: &Raster| {
        (a.channels(), a.height(), a.width()) == (b.channels(), b.height(), b.width())
    };
    let alphas = match (&made.alpha, &image.alpha) {
        (Some(a), Some(b)) if same_shape(a, b) => Some((a.data(), b.data())),
        (None, None) => Some((&[][..], &[][..])),
        _ => None,
    };
    let (Some((a, b)), true) = (alphas, same_shape(&made.color, &image.color)) else {
        return Verification {
            verdict: Verdict::Different,
            max_difference: None,
            mean_difference: None,
            differing: None,
            tolerance,
        };
    };
    let (mut max, mut sum, mut count) = (0.0f64, 0.0, 0usize);
    let samples = made.color.data().iter().zip(image.color.data()).chain(a.iter().zip(b));
    for (a, b) in samples {
        let difference = 255.0 * f64::from((a - b).abs());
        max = max.max(difference);
        sum += difference;
        count += usize::from(difference > 0.0);
    }
    let total = (made.color.data().len() + a.len()).max(1) as f64;
    let mean = sum / total;
    // Levels of 255 are not exact in single precision.
    let close = max <= tolerance + 1e-3 && (!lossy || mean <= LOSSY_MEAN);
    let verdict = match (count, close) {
        (0, _) => Verdict::Identical,
        (_, true) => Verdict::Equal,
        _ => Verdict::Different,
    };
    Verification {
        verdict,
        max_difference: Some(max),
        mean_difference: Some(mean),
        differing: Some(count as f64 / total),
        tolerance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ImageFormat;

    fn grey(values: [f32; 4]) -> Image {
        let color = Raster::from_vec(1, 2, 2, values.to_vec());
        Image::new(color, None, SampleDepth::U8, ImageFormat::Png)
    }

    #[test]
    fn verdicts_follow_the_largest_difference() {
        let level = 1.0 / 255.0;
        let base = grey([0.2, 0.4, 0.6, 0.8]);
        let judge = |values, tolerance, lossy| compare(&base, &grey(values), tolerance, lossy);
        let same = judge([0.2, 0.4, 0.6, 0.8], 1.0, false);
        assert_eq!(
            (same.verdict, same.max_difference, same.differing),
            (Verdict::Identical, Some(0.0), Some(0.0))
        );
        let near = judge([0.2, 0.4 + level, 0.6, 0.8], 1.0, false);
        assert_eq!((near.verdict, near.differing), (Verdict::Equal, Some(0.25)));
        assert_eq!(judge([0.2, 0.4, 0.6 + 1.1 * level, 0.8], 1.0, false).verdict, Verdict::Different);
        // A lossy file may be off here and there, not everywhere.
        assert_eq!(judge([0.2, 0.4, 0.6 + 1.9 * level, 0.8], 5.0, true).verdict, Verdict::Equal);
        assert_eq!(
            judge([0.2 + level, 0.4 + level, 0.6 + level, 0.8], 5.0, true).verdict,
            Verdict::Different
        );
        let mut clear = base.clone();
        clear.alpha = Some(Raster::new(1, 2, 2));
        let odd = compare(&base, &clear, 1.0, false);
        assert_eq!((odd.verdict, odd.max_difference), (Verdict::Different, None));
    }

    #[test]
    fn tolerance_grows_as_quality_falls() {
        assert!((lossy_tolerance(100) - 1.0).abs() < 1e-9);
        assert!((lossy_tolerance(95) - 7.05).abs() < 1e-9);
        assert!(lossy_tolerance(30) > lossy_tolerance(60));
        assert!(lossy_tolerance(1) <= 255.0);
    }
}
