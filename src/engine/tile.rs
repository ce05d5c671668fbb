//! One tile through the denoiser, judged by the output guard.

use crate::diffusion::{LatentForm, combine};
use crate::engine::guard::{Fault, check_drift, check_output, mean};
use crate::engine::pass::ModelPass;
use crate::engine::workers::Worker;
use crate::error::Result;
use crate::image::Raster;
use crate::runtime::network::{Condition, Network};
use crate::tiling::{Area, relative, scaled};

/// Where the denoiser's conditioning comes from.
pub(crate) enum TileConditions {
    /// Encoder features of the band; `top` is the image's row that they begin with.
    Map { features: Raster, top: usize },
    /// Encoder features of each tile's input, for networks that see beyond any halo.
    PerTile(Vec<Raster>),
    /// The low-resolution image.
    Lr,
    /// The upsampled image.
    Upsampled,
}

/// The predicted target of `kept`, a part of `input`, in step `step`; `core` is the tile's own part.
///
/// `latent` comes with the row that it begins with; without one the first latent is made on the spot.
#[allow(clippy::too_many_arguments)]
pub(crate) fn predict_tile(
    pass: &ModelPass<'_>,
    worker: &Worker<'_>,
    step: usize,
    index: usize,
    core: &Area,
    input: &Area,
    kept: &Area,
    latent: Option<(&Raster, usize)>,
    conditions: &TileConditions,
) -> Result<Raster> {
    let scale = pass.work.scale;
    let told = pass.inputs[step];
    let area = input.scaled(scale);
    let fed = match latent {
        Some((latent, top)) => {
            let top = top * scale;
            let mut fed = latent.crop(area.rows.start - top..area.rows.end - top, area.columns.clone());
            if told.scale != 1.0 {
                fed.data_mut().iter_mut().for_each(|value| *value *= told.scale);
            }
            fed
        }
        None => pass.start_latent(area.rows.clone(), area.columns.clone(), told.scale),
    };
    let held;
    let condition = match conditions {
        TileConditions::Map { features, top } => {
            held = features.crop(input.rows.start - top..input.rows.end - top, input.columns.clone());
            Condition::Features(&held)
        }
        TileConditions::PerTile(features) => Condition::Features(&features[index]),
        TileConditions::Lr => {
            held = pass.lr.crop(input.rows.clone(), input.columns.clone());
            Condition::Lr(&held)
        }
        TileConditions::Upsampled => {
            held = pass.upsampler.resample_region(pass.lr, area.rows.clone(), area.columns.clone());
            Condition::Upsampled(&held)
        }
    };
    let predict =
        |network: &mut dyn Network| pass.counts.timed(|| network.predict(&fed, condition, told.timestep));
    let judged = |output| judge(pass, step, core, input, kept, &fed, output);
    match judged(worker.run(predict)?) {
        Ok(target) => Ok(target),
        Err(_) => {
            pass.meter.check()?;
            pass.counts.retried();
            judged(worker.again(predict)?).map_err(|fault| fault.error(core))
        }
    }
}

/// The target of `kept` from the network's raw `output`, unless something is wrong with it.
fn judge(
    pass: &ModelPass<'_>,
    step: usize,
    core: &Area,
    input: &Area,
    kept: &Area,
    fed: &Raster,
    output: Raster,
) -> Result<Raster, Fault> {
    let scale = pass.work.scale;
    let plan = &pass.sampling.steps()[step];
    let [black, white] = pass.manifest.value_range;
    let lr = pass.lr.crop(core.rows.clone(), core.columns.clone());
    check_output(&output, &lr, white - black)?;
    let rows = scaled(&relative(&kept.rows, &input.rows), scale);
    let columns = scaled(&relative(&kept.columns, &input.columns), scale);
    let mut target = if kept == input { output } else { output.crop(rows.clone(), columns.clone()) };
    let prediction = &plan.prediction;
    let upsampled = (prediction.upsampled != 0.0).then(|| {
        let area = kept.scaled(scale);
        pass.upsampler.resample_region(pass.lr, area.rows, area.columns)
    });
    // The latent was scaled for the network; its share of the target is of the unscaled one.
    let latent_factor = (prediction.latent / f64::from(pass.inputs[step].scale)) as f32;
    for channel in 0..target.channels() {
        for (index, y) in rows.clone().enumerate() {
            let latent = &fed.row(channel, y)[columns.clone()];
            let u = upsampled.as_ref().map_or(&[][..], |u| u.row(channel, index));
            combine(
                target.row_mut(channel, index),
                prediction.output as f32,
                &[(latent_factor, latent), (prediction.upsampled as f32, u)],
            );
        }
    }
    if plan.s == 0 {
        let rows = scaled(&relative(&core.rows, &kept.rows), scale);
        let columns = scaled(&relative(&core.columns, &kept.columns), scale);
        check_drift((0..target.channels()).map(|channel| {
            let sum: f64 =
                rows.clone().map(|y| mean(target.row(channel, y)[columns.clone()].iter().copied())).sum();
            let mut drift = sum / rows.len() as f64;
            if pass.sampling.form() == LatentForm::Image {
                drift -= mean(lr.plane(channel).iter().copied());
            }
            drift / f64::from(white - black)
        }))?;
    }
    Ok(target)
}
