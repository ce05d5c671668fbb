//! From an input to a finished result: the model over the image, as often as it takes.

use rayon::prelude::*;

use super::plan::Plan;
use super::upscaler::Upscaler;
use crate::diffusion::NoiseSource;
use crate::engine::enlarged::Enlarged;
use crate::engine::meter::Meter;
use crate::engine::options::UpscaleOptions;
use crate::engine::pass::{Counts, ModelPass, StepInput};
use crate::engine::workers::Workers;
use crate::error::Result;
use crate::fidelity::{Comparison, Fidelity};
use crate::image::{Kernel, Raster, Resampler, resize};
use crate::model::{InputScaling, UpsamplerConfig};
use crate::tiling::Workload;

/// Most clean-up in the later passes over a deblurred image, since what the first one made is not as clean as a photograph.
/// More smooths what came out sharp.
const STILL_ROUGH: f32 = 0.15;

/// What all parts of a run share.
pub(crate) struct Run<'a, 'w> {
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a UpscaleOptions,
    pub(crate) workers: &'w Workers,
    pub(crate) meter: &'a Meter<'a>,
    pub(crate) counts: &'a Counts,
}

/// What a run gives.
pub(crate) struct Finished {
    pub(crate) image: Raster,
    pub(crate) uncertainty: Option<Raster>,
    pub(crate) fidelity: Fidelity,
}

impl Upscaler {
    /// The result of the planned size, compared with `image`.
    pub(crate) fn run(&self, image: &Raster, run: &mut Run<'_, '_>) -> Result<Finished> {
        if run.plan.streamed {
            let mut result = Raster::new(image.channels(), run.plan.height, run.plan.width);
            let fidelity = self.run_strips(image, run, &mut |top, rows| {
                result.paste_all(&rows, top, 0);
                Ok(())
            })?;
            return Ok(Finished { image: result, uncertainty: None, fidelity });
        }
        let Enlarged { image: mut result, variance } = self.enlarge(image, run)?;
        run.meter.check()?;
        let size = (result.height(), result.width());
        let comparison = Comparison::new(image, size, kernel(self.manifest().upsampler));
        let rounds = run.plan.sampling.consistency;
        let fidelity = comparison.project(&mut result, rounds, || run.meter.check())?;
        let fit = |raster: Raster, kernel| {
            let (height, width) = (run.plan.height, run.plan.width);
            if size == (height, width) { raster } else { resize(&raster, height, width, kernel) }
        };
        let uncertainty = variance.map(|mut variance| {
            variance.data_mut().par_iter_mut().for_each(|value| *value = value.sqrt() * 255.0);
            fit(variance, Kernel::Linear)
        });
        Ok(Finished { image: fit(result, Kernel::Lanczos3), uncertainty, fidelity })
    }

    /// The image after the last model pass, whatever its channels and the bundle's.
    fn enlarge(&self, image: &Raster, run: &mut Run<'_, '_>) -> Result<Enlarged> {
        let model = self.manifest().channels;
        match (image.channels(), model) {
            (have, want) if have == want => self.passes(image.clone(), false, run),
            (1, _) => {
                let planes = image.data().repeat(model);
                let image = Raster::from_vec(model, image.height(), image.width(), planes);
                let Enlarged { image: result, variance } = self.passes(image, true, run)?;
                Ok(Enlarged { image: mean_of_channels(&result), variance })
            }
            (channels, _) => {
                let mut planes = Vec::new();
                let mut size = (0, 0);
                let mut sum: Option<Raster> = None;
                for channel in 0..channels {
                    let plane = image.plane(channel).to_vec();
                    let plane = Raster::from_vec(1, image.height(), image.width(), plane);
                    let Enlarged { image: result, variance } = self.passes(plane, false, run)?;
                    size = (result.height(), result.width());
                    planes.extend_from_slice(result.data());
                    if let Some(mut variance) = variance {
                        let before = sum.as_ref().map_or(&[][..], |sum| sum.data());
                        let share = 1.0 / channels as f32;
                        variance.data_mut().iter_mut().for_each(|value| *value *= share);
                        variance
                            .data_mut()
                            .iter_mut()
                            .zip(before)
                            .for_each(|(value, before)| *value += before);
                        sum = Some(variance);
                    }
                }
                let image = Raster::from_vec(channels, size.0, size.1, planes);
                Ok(Enlarged { image, variance: sum })
            }
        }
    }

    /// All model passes over an image of the bundle's channels; `grey` says that they are all alike.
    fn passes(&self, image: Raster, grey: bool, run: &mut Run<'_, '_>) -> Result<Enlarged> {
        let Some(last) = run.plan.passes.len().checked_sub(1) else {
            return Ok(Enlarged { image, variance: None });
        };
        let size = self.size_after((image.height(), image.width()), run.plan.deblur, last + 1);
        let image = self.before_last(image, grey, run)?;
        let made = self.with_pass(last, image, grey, run, |pass, workers| pass.run(workers))?;
        let variance = made.variance.map(|variance| cropped(variance, size));
        Ok(Enlarged { image: cropped(made.image, size), variance })
    }

    /// The input of the last pass, which all others made of `image`.
    pub(super) fn before_last(&self, image: Raster, grey: bool, run: &mut Run<'_, '_>) -> Result<Raster> {
        let (whole, deblur) = ((image.height(), image.width()), run.plan.deblur);
        let mut image = self.smaller(image, deblur);
        for index in 0..run.plan.passes.len() - 1 {
            let made = self.with_pass(index, image, grey, run, |pass, workers| pass.run(workers))?;
            image = cropped(made.image, self.size_after(whole, deblur, index + 1));
        }
        Ok(image)
    }

    /// Runs `work` on the model pass number `index`, whose input is `image`.
    pub(crate) fn with_pass<T>(
        &self,
        index: usize,
        image: Raster,
        grey: bool,
        run: &mut Run<'_, '_>,
        work: impl FnOnce(&ModelPass<'_>, &Workers) -> Result<T>,
    ) -> Result<T> {
        let Run { plan, options, meter, counts, .. } = *run;
        let sampling = plan.sampling.plan(self.manifest(), &self.trajectory)?;
        let inputs: Vec<_> = sampling.steps().iter().map(|step| self.step_input(step.t)).collect();
        let samples = options.uncertainty.unwrap_or(1) as u64;
        let scale = self.manifest().scale;
        // The whole image is that many times as fine after this pass.
        let fineness = (scale.pow(index as u32 + 1) / plan.deblur) as u32;
        let noise = |more: u64| NoiseSource::new(options.seed.wrapping_add(more), options.place, fineness);
        let others: Vec<_> = (1..samples).map(noise).collect();
        let load = self.workload(image.width(), image.height(), &plan.sampling, options);
        let lr = self.prepare(&image, &load);
        drop(image);
        let upsampler = Resampler::new(
            kernel(self.manifest().upsampler),
            (load.height, load.width),
            (load.height * scale, load.width * scale),
        );
        let pass = ModelPass {
            manifest: self.manifest(),
            sampling: &sampling,
            inputs: &inputs,
            work: &load,
            cut: &plan.passes[index],
            lr: &lr,
            upsampler: &upsampler,
            // A second pass must not repeat the first one's noise.
            noise: noise(index as u64),
            others: &others,
            grey,
            cleanup: match index {
                0 => options.cleanup,
                _ if plan.deblur > 1 => options.cleanup.min(STILL_ROUGH),
                _ => 0.0,
            },
            meter,
            counts,
        };
        work(&pass, run.workers)
    }

    /// `image` made smaller by the factor `deblur`, its last row and column repeated up to a multiple of that.
    fn smaller(&self, image: Raster, deblur: usize) -> Raster {
        if deblur == 1 {
            return image;
        }
        let (height, width) = (image.height().div_ceil(deblur), image.width().div_ceil(deblur));
        let padded = padded(&image, (height * deblur, width * deblur), |value| value);
        resize(&padded, height, width, kernel(self.manifest().upsampler))
    }

    /// The size (height, width) of an image of the size `whole` after that many passes over it, made smaller by `deblur`
    /// first.
    pub(super) fn size_after(&self, whole: (usize, usize), deblur: usize, passes: usize) -> (usize, usize) {
        let finer = self.manifest().scale.pow(passes as u32) / deblur;
        (whole.0 * finer, whole.1 * finer)
    }

    fn step_input(&self, t: usize) -> StepInput {
        let scale = match self.manifest().input_scaling {
            InputScaling::None => 1.0,
            InputScaling::UnitVariance { residual_std } => self.trajectory.input_scale(t, residual_std),
        };
        StepInput {
            timestep: self.manifest().timestep_input.value(&self.trajectory, t) as f32,
            scale: scale as f32,
        }
    }

    /// The image in the bundle's value range, its last row and column repeated up to the size multiple.
    fn prepare(&self, image: &Raster, work: &Workload) -> Raster {
        let [black, white] = self.manifest().value_range;
        padded(image, (work.height, work.width), |value| black + value * (white - black))
    }
}

pub(crate) fn kernel(config: UpsamplerConfig) -> Kernel {
    match config {
        UpsamplerConfig::Cubic { a } => Kernel::Cubic { a },
        UpsamplerConfig::Lanczos3 => Kernel::Lanczos3,
    }
}

/// An image of the larger `size` (height, width), its last row and column repeated, with `value` of each sample.
fn padded(image: &Raster, (height, width): (usize, usize), value: impl Fn(f32) -> f32) -> Raster {
    let mut made = Raster::new(image.channels(), height, width);
    for channel in 0..image.channels() {
        for y in 0..height {
            let from = image.row(channel, y.min(image.height() - 1));
            let last = from[from.len() - 1];
            let row = made.row_mut(channel, y);
            for (to, &from) in row.iter_mut().zip(from.iter().chain(std::iter::repeat(&last))) {
                *to = value(from);
            }
        }
    }
    made
}

/// The upper left part of a raster, of `size` (height, width).
pub(crate) fn cropped(raster: Raster, (height, width): (usize, usize)) -> Raster {
    if (raster.height(), raster.width()) == (height, width) {
        return raster;
    }
    raster.crop(0..height, 0..width)
}

pub(crate) fn mean_of_channels(image: &Raster) -> Raster {
    let mut mean = image.plane(0).to_vec();
    let factor = 1.0 / image.channels() as f32;
    mean.par_iter_mut().enumerate().for_each(|(index, value)| {
        let rest: f32 = (1..image.channels()).map(|channel| image.plane(channel)[index]).sum();
        *value = (*value + rest) * factor;
    });
    Raster::from_vec(1, image.height(), image.width(), mean)
}
