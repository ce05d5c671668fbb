//! A page that is going to be made, known from headers alone.

use crate::engine::options::{Target, UpscaleOptions};
use crate::engine::{Plan, Upscaler};
use crate::error::Result;

use super::probe::PageSize;

/// One page to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedPage {
    /// Its place in the input, counted from 0.
    pub index: usize,
    /// Width and height of the input in pixels.
    pub size: (usize, usize),
    /// Colour channels of the input, 1 or 3.
    pub channels: usize,
    /// Width and height of the result in pixels.
    pub target: (usize, usize),
}

impl PlannedPage {
    /// Every page of an input, for a model of factor `scale`.
    ///
    /// # Errors
    /// As [`Target::resolve`].
    pub fn all(pages: &[PageSize], target: Target, scale: usize) -> Result<Vec<Self>> {
        let page = |(index, &PageSize { size, channels }): (usize, &PageSize)| {
            Ok(Self { index, size, channels, target: target.resolve(size.0, size.1, scale)? })
        };
        pages.iter().enumerate().map(page).collect()
    }

    /// What upscaling it would do.
    ///
    /// # Errors
    /// As [`Upscaler::plan`].
    pub fn plan(&self, upscaler: &Upscaler, options: &UpscaleOptions) -> Result<Plan> {
        let target = Target::Size { width: self.target.0 as u32, height: self.target.1 as u32 };
        let options = UpscaleOptions { target, ..options.clone() };
        upscaler.plan(self.size.0, self.size.1, self.channels, &options)
    }

    /// Millions of pixels of the result.
    #[cfg(feature = "cli")]
    pub fn megapixels(&self) -> f64 {
        self.target.0 as f64 * self.target.1 as f64 / 1e6
    }

    /// Samples of the result; alpha, perhaps, is a fourth channel.
    pub fn samples(&self) -> u64 {
        area(self.target).saturating_mul(self.channels as u64 + 1)
    }

    /// Bytes of the decoded page and its result, with alpha.
    pub fn decoded_bytes(&self) -> u64 {
        area(self.size).saturating_add(area(self.target)).saturating_mul(4 * (self.channels as u64 + 1))
    }
}

fn area((width, height): (usize, usize)) -> u64 {
    (width as u64).saturating_mul(height as u64)
}
