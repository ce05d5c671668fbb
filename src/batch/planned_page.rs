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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::fixture::fake;
    use crate::error::ErrorKind;

    fn page(size: (usize, usize), channels: usize) -> PageSize {
        PageSize { size, channels }
    }

    #[test]
    fn each_page_has_a_size_of_its_own() {
        let pages = [page((30, 20), 3), page((10, 40), 1)];
        let targets = |target: Target| {
            let pages = PlannedPage::all(&pages, target, 4)?;
            assert_eq!(
                pages.iter().map(|page| (page.index, page.channels)).collect::<Vec<_>>(),
                [(0, 3), (1, 1)]
            );
            Ok::<_, crate::Error>(pages.iter().map(|page| page.target).collect::<Vec<_>>())
        };
        assert_eq!(targets(Target::Native).unwrap(), [(120, 80), (40, 160)]);
        assert_eq!(targets(Target::Scale(1.5)).unwrap(), [(45, 30), (15, 60)]);
        assert_eq!(targets(Target::Fit { width: 60, height: 60 }).unwrap(), [(60, 40), (15, 60)]);
        // One that cannot be made makes none.
        assert_eq!(targets(Target::Width(800)).unwrap_err().kind(), ErrorKind::InvalidOption);
    }

    #[test]
    fn what_is_counted_of_a_page_includes_alpha_and_does_not_overflow() {
        let pages = PlannedPage::all(&[page((3, 2), 3)], Target::Native, 2).unwrap();
        assert_eq!((pages[0].samples(), pages[0].decoded_bytes()), (6 * 4 * 4, (6 + 24) * 4 * 4));
        let huge =
            PlannedPage { index: 0, size: (usize::MAX, usize::MAX), channels: 3, target: (usize::MAX, 9) };
        assert_eq!((huge.samples(), huge.decoded_bytes()), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_plan_is_of_the_pages_size_and_channels() {
        let upscaler = fake();
        let pages = PlannedPage::all(&[page((9, 7), 1)], Target::Scale(3.0), 2).unwrap();
        let options = UpscaleOptions { target: Target::Scale(3.0), ..UpscaleOptions::default() };
        let plan = pages[0].plan(&upscaler, &options).unwrap();
        assert_eq!(((plan.width, plan.height), plan.passes.len(), plan.repeats), (pages[0].target, 2, 1));
    }
}
