//! The aligned chain: what a latent is made of at each step.

use serde::{Deserialize, Serialize};

use super::{LatentAlignment, NoiseSchedule};
use crate::error::{Error, ErrorKind, Result};

/// What the sampling loop keeps between steps. Both forms describe the same chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatentForm {
    /// The noisy image `x_t`; predictions are turned into the image `x0`.
    #[default]
    Image,
    /// `z_t = x_t - sqrt(alpha_bar_t) u`; predictions are turned into the residual `r = x0 - u`.
    Residual,
}

/// The parts of the latent at one step: `x_t = signal x0 + upsampled u + noise eps`.
///
/// In residual form the same numbers give `z_t = signal r + noise eps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLevels {
    /// `A_t = sqrt(alpha_bar_t) (1 - lambda_t)`.
    pub signal: f64,
    /// `B_t = sqrt(alpha_bar_t) lambda_t`.
    pub upsampled: f64,
    /// `S_t = sqrt(1 - alpha_bar_t)`.
    pub noise: f64,
    /// `alpha_bar_t` itself.
    pub alpha_bar: f64,
}

/// A noise schedule with its alignment, trained for starting at step K.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    schedule: NoiseSchedule,
    alignment: LatentAlignment,
    trained_start: usize,
}

impl Trajectory {
    /// A chain over `schedule` whose alignment was trained for the start step K = `trained_start`.
    ///
    /// # Errors
    /// `ErrorKind::Model` unless K is 1 to T.
    pub fn new(schedule: NoiseSchedule, alignment: LatentAlignment, trained_start: usize) -> Result<Self> {
        if !(1..=schedule.timesteps()).contains(&trained_start) {
            return Err(Error::new(
                ErrorKind::Model,
                format!("start_step is {trained_start}, expected 1 to {}", schedule.timesteps()),
            ));
        }
        Ok(Self { schedule, alignment, trained_start })
    }

    /// The noise schedule.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// The alignment.
    pub fn alignment(&self) -> LatentAlignment {
        self.alignment
    }

    /// The start step K that the model was trained for; the default start.
    pub fn trained_start(&self) -> usize {
        self.trained_start
    }

    /// The highest step that may be started from: K where the chain is aligned, else T.
    pub fn highest_start(&self) -> usize {
        match self.alignment {
            LatentAlignment::None => self.schedule.timesteps(),
            _ => self.trained_start,
        }
    }

    /// Checks a start step that a user chose.
    ///
    /// # Errors
    /// `ErrorKind::InvalidOption` unless it is 1 to [`highest_start`](Self::highest_start).
    pub fn check_start_step(&self, start: usize) -> Result<()> {
        if (1..=self.highest_start()).contains(&start) {
            return Ok(());
        }
        Err(Error::invalid_option(format!(
            "start step is {start}, expected 1 to {} for this model",
            self.highest_start()
        )))
    }

    /// The make-up of the latent at step `t`, 0 to T. The alignment always runs over the trained K.
    ///
    /// # Panics
    /// Where `t` is above T.
    pub fn levels(&self, t: usize) -> StepLevels {
        let alpha_bar = self.schedule.alpha_bar(t);
        let weight = self.alignment.weight(t, self.trained_start);
        let root = alpha_bar.sqrt();
        StepLevels {
            signal: root * (1.0 - weight),
            upsampled: root * weight,
            noise: (1.0 - alpha_bar).sqrt(),
            alpha_bar,
        }
    }

    /// How much of `u` the first latent holds when starting at step `start`.
    ///
    /// `sqrt(alpha_bar)` in image form: exact at the trained K of an aligned chain, the paper's approximation
    /// at other steps. 0 in residual form, and 0 at step T without alignment, where chains start from noise.
    /// (That last start is unit noise in either form, so there alone the forms differ, by `sqrt(alpha_bar_T) u`.)
    pub fn start_signal(&self, start: usize, form: LatentForm) -> f64 {
        if form == LatentForm::Residual || self.starts_from_noise(start) {
            0.0
        } else {
            self.schedule.alpha_bar(start).sqrt()
        }
    }

    /// How much unit noise the first latent holds when starting at step `start`; 1 for a start from noise.
    pub fn start_noise(&self, start: usize) -> f64 {
        if self.starts_from_noise(start) { 1.0 } else { self.levels(start).noise }
    }

    /// The factor for the latent at step `t` before it enters a network that wants unit variance:
    /// `1 / sqrt((A_t std)^2 + S_t^2)`, where `target_std` is the deviation of the image or residual.
    pub fn input_scale(&self, t: usize, target_std: f64) -> f64 {
        let levels = self.levels(t);
        1.0 / (levels.signal * target_std).hypot(levels.noise)
    }

    /// An ordinary full chain, as SR3 runs it: nothing of `u` is in the latent.
    fn starts_from_noise(&self, start: usize) -> bool {
        self.alignment == LatentAlignment::None && start == self.schedule.timesteps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::ScheduleConfig;

    fn trajectory(alignment: LatentAlignment, trained_start: usize) -> Trajectory {
        let config = ScheduleConfig::Linear { timesteps: 100, beta_start: 1e-3, beta_end: 0.1 };
        Trajectory::new(config.build().unwrap(), alignment, trained_start).unwrap()
    }

    #[test]
    fn aligned_start_equals_the_forward_latent_at_k() {
        let trajectory = trajectory(LatentAlignment::Linear, 40);
        let levels = trajectory.levels(40);
        assert_eq!(levels.signal, 0.0);
        assert_eq!(trajectory.start_signal(40, LatentForm::Image), levels.upsampled);
        assert_eq!(trajectory.start_noise(40), levels.noise);
        assert_eq!(trajectory.start_signal(40, LatentForm::Residual), 0.0);
    }

    #[test]
    fn an_earlier_start_keeps_the_trained_alignment_and_holds_u_alone() {
        let trajectory = trajectory(LatentAlignment::Linear, 40);
        let levels = trajectory.levels(10);
        assert!((levels.upsampled / levels.alpha_bar.sqrt() - 0.25).abs() < 1e-15);
        assert_eq!(trajectory.start_signal(10, LatentForm::Image), levels.alpha_bar.sqrt());
    }

    #[test]
    fn an_unaligned_full_chain_starts_from_noise_and_a_partial_one_does_not() {
        let trajectory = trajectory(LatentAlignment::None, 100);
        assert_eq!(trajectory.start_signal(100, LatentForm::Image), 0.0);
        assert_eq!(trajectory.start_noise(100), 1.0);
        assert_eq!(trajectory.start_signal(60, LatentForm::Image), trajectory.levels(60).signal);
        assert_eq!(trajectory.start_noise(60), trajectory.levels(60).noise);
    }

    #[test]
    fn start_steps_are_limited_by_what_was_trained() {
        let aligned = trajectory(LatentAlignment::Cosine, 40);
        assert!(aligned.check_start_step(1).is_ok() && aligned.check_start_step(40).is_ok());
        for start in [0, 41] {
            let error = aligned.check_start_step(start).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert!(error.to_string().contains(&format!("{start}, expected 1 to 40")));
        }
        let plain = trajectory(LatentAlignment::None, 40);
        assert!(plain.check_start_step(100).is_ok() && plain.check_start_step(101).is_err());
        let schedule = plain.schedule().clone();
        for start in [0, 101] {
            let error = Trajectory::new(schedule.clone(), LatentAlignment::None, start).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Model);
        }
    }

    #[test]
    fn input_scale_gives_unit_variance() {
        let trajectory = trajectory(LatentAlignment::Linear, 40);
        let levels = trajectory.levels(20);
        let variance = (levels.signal * 0.13).powi(2) + levels.noise.powi(2);
        assert!((trajectory.input_scale(20, 0.13).powi(2) * variance - 1.0).abs() < 1e-14);
    }
}
