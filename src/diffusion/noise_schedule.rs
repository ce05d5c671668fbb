//! How much of the signal is left at each step of the chain.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The longest chain accepted; published models use 1000 to 4000 steps.
pub const MAX_TIMESTEPS: usize = 100_000;

/// Offset of the cosine schedule and the largest beta it may use (Nichol & Dhariwal 2021, section 3.2).
const COSINE_OFFSET: f64 = 0.008;
const COSINE_MAX_BETA: f64 = 0.999;

/// A noise schedule as a manifest writes it, for example
/// `{"kind": "linear", "timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Betas evenly spaced from `beta_start` to `beta_end` (Ho et al. 2020).
    Linear {
        /// Steps T of the trained chain.
        timesteps: usize,
        /// First beta, in (0, 1).
        beta_start: f64,
        /// Last beta, in (0, 1).
        beta_end: f64,
    },
    /// Square roots of the betas evenly spaced (Rombach et al. 2022).
    ScaledLinear {
        /// Steps T of the trained chain.
        timesteps: usize,
        /// First beta, in (0, 1).
        beta_start: f64,
        /// Last beta, in (0, 1).
        beta_end: f64,
    },
    /// `alpha_bar` follows a squared cosine; offset 0.008, betas at most 0.999 (Nichol & Dhariwal 2021).
    Cosine {
        /// Steps T of the trained chain.
        timesteps: usize,
    },
    /// The cumulative products of the alphas themselves, for steps 1 to T.
    Table {
        /// Strictly decreasing values in (0, 1).
        alphas_cumprod: Vec<f64>,
    },
}

impl ScheduleConfig {
    /// The schedule's numbers.
    ///
    /// # Errors
    /// `ErrorKind::Model` where a count or beta is out of range, or where the products do not fall strictly
    /// within (0, 1).
    pub fn build(&self) -> Result<NoiseSchedule> {
        let alphas_cumprod = match self {
            Self::Linear { timesteps, beta_start, beta_end } => {
                check_timesteps(*timesteps)?;
                check_beta("beta_start", *beta_start)?;
                check_beta("beta_end", *beta_end)?;
                cumulative(spaced(*beta_start, *beta_end, *timesteps))
            }
            Self::ScaledLinear { timesteps, beta_start, beta_end } => {
                check_timesteps(*timesteps)?;
                check_beta("beta_start", *beta_start)?;
                check_beta("beta_end", *beta_end)?;
                cumulative(spaced(beta_start.sqrt(), beta_end.sqrt(), *timesteps).map(|root| root * root))
            }
            Self::Cosine { timesteps } => {
                check_timesteps(*timesteps)?;
                let total = *timesteps as f64;
                cumulative((0..*timesteps).map(|i| {
                    let ratio = cosine_signal((i + 1) as f64 / total) / cosine_signal(i as f64 / total);
                    (1.0 - ratio).min(COSINE_MAX_BETA)
                }))
            }
            Self::Table { alphas_cumprod } => {
                check_timesteps(alphas_cumprod.len())?;
                alphas_cumprod.clone()
            }
        };
        NoiseSchedule::from_alphas_cumprod(alphas_cumprod)
    }
}

/// The schedule's cumulative products, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseSchedule {
    alphas_cumprod: Vec<f64>,
}

impl NoiseSchedule {
    /// A schedule from its products for steps 1 to T.
    ///
    /// # Errors
    /// `ErrorKind::Model` unless the values are finite, in (0, 1) and strictly decreasing.
    pub fn from_alphas_cumprod(alphas_cumprod: Vec<f64>) -> Result<Self> {
        check_timesteps(alphas_cumprod.len())?;
        let mut previous = 1.0;
        for (index, &value) in alphas_cumprod.iter().enumerate() {
            // Written so that NaN fails. A first value of 1 would be a step without noise to divide by.
            if !(value > 0.0 && value < previous) {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!(
                        "noise schedule: alphas_cumprod[{index}] is {value}, expected a value above 0 and \
                         below {previous} (the products fall strictly from 1)"
                    ),
                ));
            }
            previous = value;
        }
        Ok(Self { alphas_cumprod })
    }

    /// The number of steps T.
    pub fn timesteps(&self) -> usize {
        self.alphas_cumprod.len()
    }

    /// The signal's share of the variance after `t` steps; 1 at `t = 0`.
    ///
    /// # Panics
    /// Where `t` is above [`timesteps`](Self::timesteps).
    pub fn alpha_bar(&self, t: usize) -> f64 {
        if t == 0 { 1.0 } else { self.alphas_cumprod[t - 1] }
    }
}

fn check_timesteps(count: usize) -> Result<()> {
    if (1..=MAX_TIMESTEPS).contains(&count) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Model,
        format!("noise schedule: {count} timesteps, expected 1 to {MAX_TIMESTEPS}"),
    ))
}

fn check_beta(field: &str, beta: f64) -> Result<()> {
    if beta > 0.0 && beta < 1.0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Model,
        format!("noise schedule: {field} is {beta}, expected a value above 0 and below 1"),
    ))
}

/// `count` values from `first` to `last`, both included; `first` alone for a count of 1.
fn spaced(first: f64, last: f64, count: usize) -> impl Iterator<Item = f64> {
    let step = if count > 1 { (last - first) / (count - 1) as f64 } else { 0.0 };
    (0..count).map(move |i| first + step * i as f64)
}

fn cumulative(betas: impl Iterator<Item = f64>) -> Vec<f64> {
    betas
        .scan(1.0, |product, beta| {
            *product *= 1.0 - beta;
            Some(*product)
        })
        .collect()
}

fn cosine_signal(fraction: f64) -> f64 {
    ((fraction + COSINE_OFFSET) / (1.0 + COSINE_OFFSET) * std::f64::consts::FRAC_PI_2).cos().powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(config: &ScheduleConfig) -> String {
        let error = config.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        error.to_string()
    }

    #[test]
    fn a_short_linear_chain_multiplies_out() {
        let config = ScheduleConfig::Linear { timesteps: 3, beta_start: 0.1, beta_end: 0.3 };
        let schedule = config.build().unwrap();
        let expected = [1.0, 0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7];
        for (t, value) in expected.into_iter().enumerate() {
            assert!((schedule.alpha_bar(t) - value).abs() < 1e-15);
        }
        assert_eq!(schedule.timesteps(), 3);
    }

    #[test]
    fn the_longest_cosine_chain_still_falls_strictly() {
        let schedule = ScheduleConfig::Cosine { timesteps: MAX_TIMESTEPS }.build().unwrap();
        assert!(schedule.alpha_bar(MAX_TIMESTEPS) > 0.0);
    }

    #[test]
    fn impossible_schedules_are_named() {
        let linear =
            |timesteps, beta_start, beta_end| ScheduleConfig::Linear { timesteps, beta_start, beta_end };
        assert!(message(&linear(0, 0.1, 0.2)).contains("0 timesteps"));
        assert!(message(&ScheduleConfig::Cosine { timesteps: usize::MAX }).contains("timesteps"));
        assert!(message(&linear(3, 0.0, 0.2)).contains("beta_start is 0"));
        assert!(message(&linear(3, 0.1, 1.0)).contains("beta_end is 1"));
        assert!(message(&linear(3, f64::NAN, 0.2)).contains("beta_start is NaN"));
        // The products underflow before the chain ends.
        assert!(message(&linear(2000, 0.9, 0.9)).contains("is 0, expected"));
        let table = |values: &[f64]| ScheduleConfig::Table { alphas_cumprod: values.to_vec() };
        assert!(message(&table(&[])).contains("0 timesteps"));
        assert!(message(&table(&[1.0, 0.5])).contains("alphas_cumprod[0] is 1"));
        assert!(message(&table(&[0.9, 0.9])).contains("alphas_cumprod[1] is 0.9"));
        assert!(message(&table(&[0.9, f64::NAN])).contains("alphas_cumprod[1] is NaN"));
        assert!(message(&table(&[0.9, -0.1])).contains("alphas_cumprod[1] is -0.1"));
    }

    #[test]
    fn manifests_are_read_strictly() {
        let text = r#"{"kind":"scaled_linear","timesteps":1000,"beta_start":0.00085,"beta_end":0.012}"#;
        let config: ScheduleConfig = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), text);
        for wrong in [
            r#"{"kind":"cosine","timesteps":10,"beta_start":0.1}"#,
            r#"{"kind":"linear","timesteps":10,"beta_start":0.1}"#,
            r#"{"kind":"sigmoid","timesteps":10}"#,
            r#"{"kind":"cosine","timesteps":-1}"#,
        ] {
            assert!(serde_json::from_str::<ScheduleConfig>(wrong).is_err(), "{wrong}");
        }
    }
}
