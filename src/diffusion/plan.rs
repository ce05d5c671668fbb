//! A whole run, worked out before the first pixel.

use super::{
    LatentForm, PredictionCoefficients, PredictionType, Sampler, StepCoefficients, StepLevels, Trajectory,
};
use crate::error::{Error, ErrorKind, Result};

/// One network call and the transition that follows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanStep {
    /// The step that the latent is at.
    pub t: usize,
    /// The step that the transition leads to; 0 for the last.
    pub s: usize,
    /// The latent's make-up at `t`.
    pub from: StepLevels,
    /// The latent's make-up at `s`.
    pub to: StepLevels,
    /// How the network's output becomes the target q.
    pub prediction: PredictionCoefficients,
    /// How latent, targets, `u` and fresh noise become the latent at `s`.
    pub step: StepCoefficients,
}

/// The start and all steps of a run.
///
/// The latent starts as `start_signal u + start_noise z`. Each step asks the network, forms q with the step's
/// `prediction` and replaces the latent with its `step`. After the last step the latent is the image, or the
/// residual to add to `u` in residual form.
///
/// Every noise has its own key in a [`NoiseField`](super::NoiseField): the start's is the first `t`, a
/// transition's is its `s`.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingPlan {
    form: LatentForm,
    start_signal: f64,
    start_noise: f64,
    steps: Vec<PlanStep>,
}

impl SamplingPlan {
    /// The plan for visiting `timesteps` (strictly decreasing, the start step first, without 0).
    ///
    /// # Errors
    /// `ErrorKind::InvalidOption` where the timesteps are empty, out of order or out of the trajectory's range;
    /// `ErrorKind::Model` for an epsilon prediction at an aligned start, or a scale that is not above 0.
    pub fn new(
        trajectory: &Trajectory,
        form: LatentForm,
        prediction: PredictionType,
        prediction_scale: f64,
        sampler: Sampler,
        timesteps: &[usize],
    ) -> Result<Self> {
        if !(prediction_scale > 0.0 && prediction_scale.is_finite()) {
            return Err(Error::new(
                ErrorKind::Model,
                format!("prediction scale is {prediction_scale}, expected a finite value above 0"),
            ));
        }
        let Some(&start) = timesteps.first() else {
            return Err(Error::invalid_option("no timesteps, expected at least one"));
        };
        trajectory.check_start_step(start)?;
        let mut steps = Vec::with_capacity(timesteps.len());
        for (index, &t) in timesteps.iter().enumerate() {
            let s = timesteps.get(index + 1).copied().unwrap_or(0);
            if s >= t {
                return Err(Error::invalid_option(format!(
                    "timestep {s} follows {t}, expected strictly decreasing steps above 0"
                )));
            }
            let before = index.checked_sub(1).map(|earlier| trajectory.levels(timesteps[earlier]));
            let (from, to) = (trajectory.levels(t), trajectory.levels(s));
            let mut step = sampler.centred_step(before.as_ref(), &from, &to);
            if form == LatentForm::Image {
                // c = x - B u on both sides of the transition.
                step.upsampled = to.upsampled - step.latent * from.upsampled;
            }
            let prediction = prediction.coefficients(&from, form, prediction_scale)?;
            steps.push(PlanStep { t, s, from, to, prediction, step });
        }
        Ok(Self {
            form,
            start_signal: trajectory.start_signal(start, form),
            start_noise: trajectory.start_noise(start),
            steps,
        })
    }

    /// The form that the latent is kept in.
    pub fn form(&self) -> LatentForm {
        self.form
    }

    /// Factor of `u` in the first latent.
    pub fn start_signal(&self) -> f64 {
        self.start_signal
    }

    /// Factor of unit noise in the first latent.
    pub fn start_noise(&self) -> f64 {
        self.start_noise
    }

    /// The steps in the order of the run; never empty.
    pub fn steps(&self) -> &[PlanStep] {
        &self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{LatentAlignment, SamplerKind, ScheduleConfig};

    fn plan(timesteps: &[usize], scale: f64) -> Result<SamplingPlan> {
        let config = ScheduleConfig::Linear { timesteps: 100, beta_start: 1e-3, beta_end: 0.1 };
        let trajectory = Trajectory::new(config.build()?, LatentAlignment::Linear, 40)?;
        let sampler = Sampler::new(SamplerKind::Ddim, 0.0)?;
        SamplingPlan::new(&trajectory, LatentForm::Image, PredictionType::Residual, scale, sampler, timesteps)
    }

    #[test]
    fn one_aligned_step_gives_the_regression_estimate() {
        let plan = plan(&[40], 0.5).unwrap();
        let [only] = plan.steps() else { panic!("{} steps", plan.steps().len()) };
        assert_eq!((only.t, only.s), (40, 0));
        // The image is u + 0.5 out: nothing of the noisy latent is left.
        assert_eq!(only.prediction, PredictionCoefficients { latent: 0.0, output: 0.5, upsampled: 1.0 });
        assert_eq!((only.step.latent, only.step.prediction, only.step.upsampled), (0.0, 1.0, 0.0));
    }

    #[test]
    fn image_form_moves_u_along() {
        let plan = plan(&[40, 20], 1.0).unwrap();
        let first = plan.steps()[0];
        let expected = first.to.upsampled - first.step.latent * first.from.upsampled;
        assert_eq!(first.step.upsampled, expected);
        assert_eq!(plan.start_signal(), first.from.upsampled);
    }

    #[test]
    fn impossible_runs_are_refused() {
        for (timesteps, scale, kind, part) in [
            (&[][..], 1.0, ErrorKind::InvalidOption, "no timesteps"),
            (&[41], 1.0, ErrorKind::InvalidOption, "start step is 41, expected 1 to 40"),
            (&[40, 40], 1.0, ErrorKind::InvalidOption, "timestep 40 follows 40"),
            (&[40, 0], 1.0, ErrorKind::InvalidOption, "timestep 0 follows 0"),
            (&[40], 0.0, ErrorKind::Model, "prediction scale is 0"),
            (&[40], f64::INFINITY, ErrorKind::Model, "prediction scale is inf"),
        ] {
            let error = plan(timesteps, scale).unwrap_err();
            assert_eq!(error.kind(), kind, "{timesteps:?}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
