//! What to make of an image: target size and how to sample.

use crate::diffusion::{NoisePlace, SamplerKind, TimestepSpacing};
use crate::error::{Error, Result};
use crate::model::{MAX_CONSISTENCY, Manifest};
use crate::tiling::MIN_TILE;

/// Largest factor between input and output; beyond it nothing of the result comes from the image.
pub const MAX_SCALE: f64 = 64.0;

/// Factors by which a blurred image can be made smaller first.
pub const DEBLUR: [usize; 3] = [1, 2, 4];

/// Checks that a bundle enlarges by a multiple of `deblur`.
///
/// # Errors
/// `InvalidOption` where it does not.
pub fn check_deblur(deblur: usize, manifest: &Manifest) -> Result<()> {
    let Manifest { name, scale, .. } = manifest;
    if scale.is_multiple_of(deblur) {
        return Ok(());
    }
    Err(Error::invalid_option(format!(
        "deblur is {deblur}: model {name} enlarges {scale} times; expected a divisor of that"
    )))
}

/// The size of the result.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// The bundle's own factor, one model pass.
    Native,
    /// A factor over the input's width and height, more than 0 and at most 64.
    Scale(f64),
    /// This width in pixels; the height follows the aspect ratio.
    Width(u32),
    /// This height in pixels; the width follows the aspect ratio.
    Height(u32),
    /// Exactly this size in pixels, whatever the aspect ratio.
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The largest size with the input's aspect ratio that fits into this box, in pixels.
    Fit {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
}

impl Target {
    /// The target that a factor, a box (width, height), a width and a height stand for, in this order of precedence.
    pub fn of(scale: Option<f64>, fit: Option<(u32, u32)>, width: Option<u32>, height: Option<u32>) -> Self {
        match (scale, fit, width, height) {
            (Some(scale), ..) => Self::Scale(scale),
            (_, Some((width, height)), ..) => Self::Fit { width, height },
            (.., Some(width), Some(height)) => Self::Size { width, height },
            (.., Some(width), None) => Self::Width(width),
            (.., None, Some(height)) => Self::Height(height),
            _ => Self::Native,
        }
    }

    /// The result's (width, height) for an input of `width` x `height` pixels and a bundle of factor `native`.
    ///
    /// # Errors
    /// `InvalidOption` where a size is 0 or the factor leaves (0, 64].
    pub fn resolve(self, width: usize, height: usize, native: usize) -> Result<(usize, usize)> {
        let (w, h) = (width as f64, height as f64);
        let by_factor = |factor: f64| (w * factor, h * factor);
        let (out_w, out_h) = match self {
            Self::Native => by_factor(native as f64),
            Self::Scale(factor) => {
                if !(factor > 0.0 && factor <= MAX_SCALE) {
                    return Err(Error::invalid_option(format!(
                        "scale is {factor}: expected more than 0 and at most {MAX_SCALE}"
                    )));
                }
                by_factor(factor)
            }
            Self::Width(to) => by_factor(f64::from(to) / w),
            Self::Height(to) => by_factor(f64::from(to) / h),
            Self::Size { width, height } => (f64::from(width), f64::from(height)),
            Self::Fit { width, height } => by_factor((f64::from(width) / w).min(f64::from(height) / h)),
        };
        if matches!(
            self,
            Self::Width(0)
                | Self::Height(0)
                | Self::Size { width: 0, .. }
                | Self::Size { height: 0, .. }
                | Self::Fit { width: 0, .. }
                | Self::Fit { height: 0, .. }
        ) {
            return Err(Error::invalid_option("target width and height must be at least 1 pixel"));
        }
        if out_w / w > MAX_SCALE || out_h / h > MAX_SCALE {
            return Err(Error::invalid_option(format!(
                "target {out_w:.0}x{out_h:.0} is more than {MAX_SCALE} times the input's {width}x{height}"
            )));
        }
        Ok(((out_w.round() as usize).max(1), (out_h.round() as usize).max(1)))
    }
}

/// How to upscale one image. Every `None` takes the preset's value, else the bundle's default.
#[derive(Clone, Debug, PartialEq)]
pub struct UpscaleOptions {
    /// Size of the result. Default: `Target::Native`.
    pub target: Target,
    /// Name of one of the bundle's presets. Default: none, the bundle's defaults.
    pub preset: Option<String>,
    /// Denoising steps, 1 to the start step: one is the most faithful, more add texture. Default: the bundle's.
    pub steps: Option<usize>,
    /// The step K at which denoising starts. Default: the bundle's.
    pub start_step: Option<usize>,
    /// Update rule. Default: the bundle's.
    pub sampler: Option<SamplerKind>,
    /// Share of fresh noise in DDIM steps, 0 (none) to 1 (as DDPM). Default: the bundle's.
    pub eta: Option<f64>,
    /// Where the steps lie between K and 0. Default: the bundle's.
    pub spacing: Option<TimestepSpacing>,
    /// Clean-up level for bundles that take one, 0 (trust every pixel) to 1. Default: 0.
    pub cleanup: f32,
    /// The factor by which a blurred image is made smaller first, so that its blur becomes detail: 1 (not at all), 2 or 4,
    /// a divisor of the bundle's. Default: 1.
    pub deblur: usize,
    /// Rounds of back-projection at most, 0 to [`MAX_CONSISTENCY`]: each adds to the result what it lacks, shrunk
    /// again, of its input. Default: the preset's where [`cleanup`](Self::cleanup) is 0 and [`deblur`](Self::deblur) 1, else
    /// none, since what was cleaned up would come back.
    pub consistency: Option<usize>,
    /// Seed of the noise field. Default: 0.
    pub seed: u64,
    /// Where the image lies in the noise field, for parts of a larger image. Default: its corner.
    pub place: NoisePlace,
    /// Samples, 2 to 1000, over which the standard deviation of every pixel is measured; their seeds
    /// follow [`seed`](Self::seed), whose own sample is the result. Default: none.
    pub uncertainty: Option<usize>,
    /// Largest tile side in low-resolution pixels, at least 16. Default: planned from the memory.
    pub tile: Option<usize>,
    /// Whether other images are made at the same time, so that a small one need not be cut to keep all threads busy.
    /// Default: no.
    pub among_others: bool,
    /// Bytes that the engine may use, input and result included. Default: half of the free memory.
    pub memory: Option<u64>,
}

/// Most samples for the uncertainty of a result.
pub const MAX_SAMPLES: usize = 1000;

impl Default for UpscaleOptions {
    fn default() -> Self {
        Self {
            target: Target::Native,
            preset: None,
            steps: None,
            start_step: None,
            sampler: None,
            eta: None,
            spacing: None,
            cleanup: 0.0,
            deblur: 1,
            consistency: None,
            seed: 0,
            place: NoisePlace::default(),
            uncertainty: None,
            tile: None,
            among_others: false,
            memory: None,
        }
    }
}

impl UpscaleOptions {
    /// Whether the result leaves out damage, and so need not agree with the image.
    pub(crate) fn repairs(&self) -> bool {
        self.cleanup > 0.0 || self.deblur > 1
    }

    /// Checks what can be checked without a bundle.
    ///
    /// # Errors
    /// `InvalidOption` naming the field, its value and the allowed range.
    pub fn validate(&self) -> Result<()> {
        if let Some(eta) = self.eta.filter(|eta| !(0.0..=1.0).contains(eta)) {
            return Err(Error::invalid_option(format!("eta is {eta}: expected 0 to 1")));
        }
        if !(0.0..=1.0).contains(&self.cleanup) {
            return Err(Error::invalid_option(format!(
                "clean-up level is {}: expected 0 to 1",
                self.cleanup
            )));
        }
        if !DEBLUR.contains(&self.deblur) {
            return Err(Error::invalid_option(format!("deblur is {}: expected 1, 2 or 4", self.deblur)));
        }
        if let Some(rounds) = self.consistency.filter(|&rounds| rounds > MAX_CONSISTENCY) {
            return Err(Error::invalid_option(format!(
                "consistency is {rounds}: expected 0 to {MAX_CONSISTENCY} rounds"
            )));
        }
        if let Some(samples) = self.uncertainty.filter(|samples| !(2..=MAX_SAMPLES).contains(samples)) {
            return Err(Error::invalid_option(format!("samples is {samples}: expected 2 to {MAX_SAMPLES}")));
        }
        if let Some(tile) = self.tile.filter(|&tile| tile < MIN_TILE) {
            return Err(Error::invalid_option(format!(
                "tile is {tile}: expected at least {MIN_TILE} pixels"
            )));
        }
        if let Some(steps) = self.steps.filter(|&steps| steps == 0) {
            return Err(Error::invalid_option(format!("steps is {steps}: expected at least 1")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn targets_resolve_to_rounded_sizes() {
        assert_eq!(Target::Native.resolve(10, 7, 4).unwrap(), (40, 28));
        assert_eq!(Target::Scale(2.5).resolve(10, 7, 4).unwrap(), (25, 18));
        assert_eq!(Target::Width(100).resolve(10, 7, 4).unwrap(), (100, 70));
        assert_eq!(Target::Height(21).resolve(10, 7, 4).unwrap(), (30, 21));
        assert_eq!(Target::Size { width: 3, height: 99 }.resolve(10, 7, 4).unwrap(), (3, 99));
        assert_eq!(Target::Fit { width: 100, height: 35 }.resolve(10, 7, 4).unwrap(), (50, 35));
        assert_eq!(Target::Scale(0.01).resolve(10, 7, 4).unwrap(), (1, 1));
    }

    #[test]
    fn bad_targets_name_value_and_range() {
        for bad in [Target::Scale(0.0), Target::Scale(f64::NAN), Target::Scale(65.0)] {
            let error = bad.resolve(10, 10, 4).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert!(error.to_string().contains("at most 64"), "{error}");
        }
        assert!(Target::Width(0).resolve(10, 10, 4).is_err());
        assert!(Target::Width(641).resolve(10, 10, 4).is_err());
    }

    #[test]
    fn validation_names_the_field() {
        let bad = |options: UpscaleOptions| options.validate().unwrap_err().to_string();
        assert!(bad(UpscaleOptions { eta: Some(2.0), ..Default::default() }).contains("eta is 2"));
        assert!(
            bad(UpscaleOptions { cleanup: -0.5, ..Default::default() }).contains("clean-up level is -0.5")
        );
        assert!(
            bad(UpscaleOptions { consistency: Some(1001), ..Default::default() })
                .contains("consistency is 1001")
        );
        assert!(bad(UpscaleOptions { uncertainty: Some(1), ..Default::default() }).contains("samples is 1"));
        assert!(bad(UpscaleOptions { tile: Some(3), ..Default::default() }).contains("tile is 3"));
        assert!(bad(UpscaleOptions { steps: Some(0), ..Default::default() }).contains("steps is 0"));
        UpscaleOptions::default().validate().unwrap();
    }
}
