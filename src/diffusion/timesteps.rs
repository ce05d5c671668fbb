//! Which steps of the chain a run visits, and how a network is told where it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Trajectory;
use crate::error::{Error, Result};

/// How the visited steps are spread over the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// Evenly: `K (N - i) / N`.
    #[default]
    Uniform,
    /// Denser toward step 0: `K ((N - i) / N)^2`.
    Quadratic,
}

impl TimestepSpacing {
    /// All spacings.
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Quadratic];

    /// The name in options and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Quadratic => "quadratic",
        }
    }
}

impl fmt::Display for TimestepSpacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TimestepSpacing {
    type Err = Error;

    /// Fails with `ErrorKind::InvalidOption` for an unknown name.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|spacing| spacing.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid_option(format!("spacing is {text:?}, expected one of {names}"))
        })
    }
}

/// The `steps` steps visited from `start` down, strictly decreasing; the last transition leads to step 0.
///
/// Values are rounded half up. Quadratic values that would fall together are kept one step apart.
///
/// # Errors
/// `ErrorKind::InvalidOption` unless `steps` is 1 to `start`.
pub fn select_timesteps(start: usize, steps: usize, spacing: TimestepSpacing) -> Result<Vec<usize>> {
    if !(1..=start).contains(&steps) {
        return Err(Error::invalid_option(format!(
            "steps is {steps}, expected 1 to {start} (the start step)"
        )));
    }
    let (k, n) = (start as u128, steps as u128);
    let mut chosen = Vec::with_capacity(steps);
    let mut previous = 0;
    for rank in 1..=n {
        let (numerator, denominator) = match spacing {
            TimestepSpacing::Uniform => (k * rank, n),
            TimestepSpacing::Quadratic => (k * rank * rank, n * n),
        };
        let rounded = ((2 * numerator + denominator) / (2 * denominator)) as usize;
        // Never passes `start`: the curve is convex and steps <= start.
        previous = rounded.max(previous + 1);
        chosen.push(previous);
    }
    chosen.reverse();
    Ok(chosen)
}

/// The number a network is given for the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepInput {
    /// `t - 1`, the zero-based index into the schedule, as diffusers counts.
    #[default]
    Index,
    /// `t / K` with the trained K, in (0, 1].
    Fraction,
    /// `ln(alpha_bar_t / (1 - alpha_bar_t))`.
    LogSnr,
}

impl TimestepInput {
    /// The value at step `t`, 1 to T.
    ///
    /// # Panics
    /// Where `t` is 0 or above T.
    pub fn value(self, trajectory: &Trajectory, t: usize) -> f64 {
        assert!(t > 0, "a network is never asked about step 0");
        match self {
            Self::Index => (t - 1) as f64,
            Self::Fraction => t as f64 / trajectory.trained_start() as f64,
            Self::LogSnr => {
                let alpha_bar = trajectory.schedule().alpha_bar(t);
                (alpha_bar / (1.0 - alpha_bar)).ln()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{LatentAlignment, NoiseSchedule};
    use crate::error::ErrorKind;

    #[test]
    fn known_selections() {
        let select = |start, steps, spacing| select_timesteps(start, steps, spacing).unwrap();
        assert_eq!(select(300, 4, TimestepSpacing::Uniform), [300, 225, 150, 75]);
        assert_eq!(select(300, 4, TimestepSpacing::Quadratic), [300, 169, 75, 19]);
        assert_eq!(select(10, 4, TimestepSpacing::Uniform), [10, 8, 5, 3]);
        assert_eq!(select(5, 1, TimestepSpacing::Quadratic), [5]);
    }

    #[test]
    fn every_count_falls_strictly_from_the_start_to_above_zero() {
        for spacing in [TimestepSpacing::Uniform, TimestepSpacing::Quadratic] {
            for start in 1..=60 {
                for steps in 1..=start {
                    let chosen = select_timesteps(start, steps, spacing).unwrap();
                    assert_eq!((chosen.len(), chosen[0]), (steps, start));
                    assert!(chosen.windows(2).all(|pair| pair[0] > pair[1]) && chosen[steps - 1] > 0);
                }
            }
        }
    }

    #[test]
    fn impossible_counts_name_the_range() {
        for steps in [0, 301] {
            let error = select_timesteps(300, steps, TimestepSpacing::Uniform).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert_eq!(error.to_string(), format!("steps is {steps}, expected 1 to 300 (the start step)"));
        }
    }

    #[test]
    fn inputs_follow_their_definitions() {
        let schedule = NoiseSchedule::from_alphas_cumprod(vec![0.9, 0.5, 0.2]).unwrap();
        let trajectory = Trajectory::new(schedule, LatentAlignment::Linear, 2).unwrap();
        assert_eq!(TimestepInput::Index.value(&trajectory, 1), 0.0);
        assert_eq!(TimestepInput::Fraction.value(&trajectory, 1), 0.5);
        assert!((TimestepInput::LogSnr.value(&trajectory, 1) - 9f64.ln()).abs() < 1e-12);
        assert_eq!(TimestepInput::LogSnr.value(&trajectory, 2), 0.0);
    }
}
