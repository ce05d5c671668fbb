//! A result in strips, for those who need not hold all that the model makes.

use super::passes::{Run, kernel, mean_of_channels};
use super::plan::Delivery;
use super::upscaler::Upscaler;
use crate::engine::options::UpscaleOptions;
use crate::engine::report::Report;
use crate::error::Result;
use crate::fidelity::{Comparison, Fidelity, RowComparison};
use crate::image::{Kernel, Raster, Resampler, RowResampler};
use crate::progress::{CancelToken, Progress};

/// Takes the rows of a result, [C, rows, width], from the given one on.
pub type TakeStrip<'a> = dyn FnMut(usize, Raster) -> Result<()> + 'a;

impl Upscaler {
    /// As [`upscale`](Self::upscale), but the result goes to `take` in strips, from top to bottom, and of a large one
    /// only a part is ever held.
    ///
    /// Back-projection, blended tiles, and a greyscale bundle on a colour image need the whole result, which then
    /// comes as one strip, as does what is only shrunk. Uncertainty is not handed out.
    ///
    /// # Errors
    /// As [`upscale`](Self::upscale), and what `take` returns, which ends the work.
    pub fn upscale_strips(
        &self,
        image: &Raster,
        options: &UpscaleOptions,
        progress: &dyn Progress,
        cancel: &CancelToken,
        take: &mut TakeStrip<'_>,
    ) -> Result<Report> {
        let options = &UpscaleOptions { uncertainty: None, ..options.clone() };
        let ((), report) = self.work(image, options, Delivery::Strips, progress, cancel, |run| {
            if run.plan.streamed {
                return Ok(((), self.run_strips(image, run, take)?));
            }
            let whole = self.run(image, run)?;
            take(0, whole.image)?;
            Ok(((), whole.fidelity))
        })?;
        Ok(report)
    }

    /// Hands out the result of a plan that is streamed.
    pub(super) fn run_strips(
        &self,
        image: &Raster,
        run: &mut Run<'_, '_>,
        take: &mut TakeStrip<'_>,
    ) -> Result<Fidelity> {
        let (plan, meter, model) = (run.plan, run.meter, self.manifest().channels);
        let grey = image.channels() < model;
        let current = if grey {
            Raster::from_vec(model, image.height(), image.width(), image.data().repeat(model))
        } else {
            image.clone()
        };
        let last = plan.passes.len() - 1;
        let current = self.before_last(current, grey, run)?;
        let size = self.size_after((image.height(), image.width()), plan.deblur, last + 1);
        let target = (plan.height, plan.width);
        let mut comparison = RowComparison::new(image, size, kernel(self.manifest().upsampler));
        let mut fidelity = None;
        let mut fit = (size != target)
            .then(|| RowResampler::new(Resampler::new(Kernel::Lanczos3, size, target), image.channels()));
        self.with_pass(last, current, grey, run, |pass, workers| {
            let bands = pass.bands();
            let single = bands.len() == 1;
            for rows in bands {
                let top = rows.start * pass.work.scale;
                let band = pass.band_within(workers, rows, size)?;
                meter.check()?;
                let mut band = if grey { mean_of_channels(&band) } else { band };
                if single {
                    // All of it is here, so that no rows need be kept for the comparison.
                    let whole = Comparison::new(image, size, kernel(self.manifest().upsampler));
                    fidelity = Some(whole.project(&mut band, 0, || meter.check())?);
                } else {
                    comparison.push(band.clone());
                }
                match &mut fit {
                    None => take(top, band)?,
                    Some(fit) => {
                        if let Some((top, rows)) = fit.push(band) {
                            take(top, rows)?;
                        }
                    }
                }
            }
            Ok(())
        })?;
        Ok(fidelity.unwrap_or_else(|| comparison.fidelity()))
    }
}
