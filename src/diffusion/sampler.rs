//! The transitions of the reverse chain as linear coefficients.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::StepLevels;
use crate::error::{Error, Result};

/// The way from one step to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SamplerKind {
    /// Ancestral sampling with the posterior variance (Ho et al. 2020); DDIM with eta 1.
    #[serde(rename = "ddpm")]
    Ddpm,
    /// Song et al. 2021, "Denoising diffusion implicit models".
    #[default]
    #[serde(rename = "ddim")]
    Ddim,
    /// DPM-Solver++ of second order, multistep, midpoint (Lu et al. 2022, arXiv 2211.01095).
    #[serde(rename = "dpmpp-2m")]
    DpmSolverPp2m,
}

impl SamplerKind {
    /// All samplers.
    pub const ALL: [Self; 3] = [Self::Ddpm, Self::Ddim, Self::DpmSolverPp2m];

    /// The name in options and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddpm => "ddpm",
            Self::Ddim => "ddim",
            Self::DpmSolverPp2m => "dpmpp-2m",
        }
    }

    /// Whether steps use the prediction of the step before.
    pub fn is_multistep(self) -> bool {
        self == Self::DpmSolverPp2m
    }
}

impl fmt::Display for SamplerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SamplerKind {
    type Err = Error;

    /// Fails with `ErrorKind::InvalidOption` for an unknown name.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid_option(format!("sampler is {text:?}, expected one of {names}"))
        })
    }
}

/// A sampler with its setting.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampler {
    kind: SamplerKind,
    eta: f64,
}

/// One transition t -> s: `x_s = latent x_t + prediction q + previous_prediction q_previous + upsampled u
/// + noise z`, with q the predicted target, q_previous that of the step before, and z fresh unit noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepCoefficients {
    /// Factor of the latent at t.
    pub latent: f64,
    /// Factor of the target predicted at t.
    pub prediction: f64,
    /// Factor of the target predicted at the step before; 0 for one-step samplers and first steps.
    pub previous_prediction: f64,
    /// Factor of the upsampled input; 0 in residual form.
    pub upsampled: f64,
    /// Factor of fresh noise; 0 for deterministic samplers and for s = 0.
    pub noise: f64,
}

impl Sampler {
    /// A sampler; `eta` in [0, 1] is how much of DDIM's noise is fresh, and other samplers have no use for it.
    ///
    /// # Errors
    /// `ErrorKind::InvalidOption` for an eta outside [0, 1].
    pub fn new(kind: SamplerKind, eta: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&eta) {
            return Err(Error::invalid_option(format!("eta is {eta}, expected 0 to 1")));
        }
        Ok(Self { kind, eta })
    }

    /// The kind.
    pub fn kind(self) -> SamplerKind {
        self.kind
    }

    /// Whether steps draw fresh noise.
    pub fn is_stochastic(self) -> bool {
        match self.kind {
            SamplerKind::Ddpm => true,
            SamplerKind::Ddim => self.eta > 0.0,
            SamplerKind::DpmSolverPp2m => false,
        }
    }

    /// Whether steps use the prediction of the step before.
    pub fn is_multistep(self) -> bool {
        self.kind.is_multistep()
    }

    /// The transition `from` -> `to` of the centred latent `c = A q + S eps`, so without a part for `u`;
    /// `before` is the step visited ahead of `from`, `None` for the first.
    pub fn centred_step(
        self,
        before: Option<&StepLevels>,
        from: &StepLevels,
        to: &StepLevels,
    ) -> StepCoefficients {
        match self.kind {
            SamplerKind::Ddpm => implicit_step(from, to, 1.0),
            SamplerKind::Ddim => implicit_step(from, to, self.eta),
            SamplerKind::DpmSolverPp2m => multistep(before, from, to),
        }
    }
}

/// `c_s = A_s q + sqrt(S_s^2 - sigma^2) (c - A_t q) / S_t + sigma z` (DDIM, equations 12 and 16).
fn implicit_step(from: &StepLevels, to: &StepLevels, eta: f64) -> StepCoefficients {
    let sigma = eta * (to.noise / from.noise) * (1.0 - from.alpha_bar / to.alpha_bar).sqrt();
    // Rounding may take the difference below 0.
    let kept = (to.noise * to.noise - sigma * sigma).max(0.0).sqrt() / from.noise;
    StepCoefficients {
        latent: kept,
        prediction: to.signal - kept * from.signal,
        previous_prediction: 0.0,
        upsampled: 0.0,
        noise: sigma,
    }
}

/// `c_s = (S_s / S_t) c + A_s (1 - e^-h) (q + (q - q_previous) h / (2 h_last))` with h the step in
/// `ln(A / S)` (DPM-Solver++, algorithm 2, with the aligned A and S for its alpha and sigma).
fn multistep(before: Option<&StepLevels>, from: &StepLevels, to: &StepLevels) -> StepCoefficients {
    let latent = to.noise / from.noise;
    // A_s e^-h = A_t S_s / S_t, which stays finite at the aligned start (A_t = 0) and at s = 0 (S_s = 0).
    let prediction = to.signal - from.signal * latent;
    let extrapolated = match before {
        // The last step is the prediction itself: h is infinite there and extrapolating would diverge.
        Some(before) if to.noise > 0.0 => {
            let step = (to.signal * from.noise / (to.noise * from.signal)).ln();
            // Infinite after the aligned start, which drops the extrapolation.
            let last_step = (from.signal * before.noise / (from.noise * before.signal)).ln();
            prediction * step / (2.0 * last_step)
        }
        _ => 0.0,
    };
    StepCoefficients {
        latent,
        prediction: prediction + extrapolated,
        previous_prediction: -extrapolated,
        upsampled: 0.0,
        noise: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn levels(alpha_bar: f64, weight: f64) -> StepLevels {
        let root: f64 = alpha_bar.sqrt();
        StepLevels {
            signal: root * (1.0 - weight),
            upsampled: root * weight,
            noise: (1.0 - alpha_bar).sqrt(),
            alpha_bar,
        }
    }

    #[test]
    fn names_read_back_and_others_are_refused() {
        for kind in SamplerKind::ALL {
            assert_eq!(kind.to_string().parse::<SamplerKind>().unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        let error = "euler".parse::<SamplerKind>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert_eq!(error.to_string(), "sampler is \"euler\", expected one of ddpm, ddim, dpmpp-2m");
    }

    #[test]
    fn eta_is_limited() {
        for eta in [-0.1, 1.1, f64::NAN] {
            let error = Sampler::new(SamplerKind::Ddim, eta).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert!(error.to_string().contains("expected 0 to 1"));
        }
        assert!(!Sampler::new(SamplerKind::Ddim, 0.0).unwrap().is_stochastic());
        assert!(Sampler::new(SamplerKind::Ddpm, 0.0).unwrap().is_stochastic());
    }

    /// A consistent latent keeps its signal and its noise power through every transition.
    #[test]
    fn transitions_keep_signal_and_noise_at_their_levels() {
        let chain = [levels(0.1, 1.0), levels(0.4, 0.6), levels(0.7, 0.25), levels(1.0, 0.0)];
        for kind in SamplerKind::ALL {
            let sampler = Sampler::new(kind, 0.5).unwrap();
            for i in 0..3usize {
                let before = i.checked_sub(1).map(|b| &chain[b]);
                let step = sampler.centred_step(before, &chain[i], &chain[i + 1]);
                let signal = step.latent * chain[i].signal + step.prediction + step.previous_prediction;
                let noise = (step.latent * chain[i].noise).hypot(step.noise);
                assert!((signal - chain[i + 1].signal).abs() < 1e-14, "{kind} {i}");
                assert!((noise - chain[i + 1].noise).abs() < 1e-14, "{kind} {i}");
            }
        }
    }

    #[test]
    fn the_last_transition_is_the_prediction_itself() {
        let chain = [levels(0.1, 0.7), levels(0.4, 0.6), levels(1.0, 0.0)];
        for kind in SamplerKind::ALL {
            let step = Sampler::new(kind, 1.0).unwrap().centred_step(Some(&chain[0]), &chain[1], &chain[2]);
            let expected = StepCoefficients {
                latent: 0.0,
                prediction: 1.0,
                previous_prediction: 0.0,
                upsampled: 0.0,
                noise: 0.0,
            };
            assert_eq!(step, expected, "{kind}");
        }
    }

    #[test]
    fn the_step_after_an_aligned_start_does_not_extrapolate() {
        let sampler = Sampler::new(SamplerKind::DpmSolverPp2m, 0.0).unwrap();
        let (start, middle, end) = (levels(0.1, 1.0), levels(0.4, 0.6), levels(0.7, 0.3));
        let step = sampler.centred_step(Some(&start), &middle, &end);
        assert_eq!(step.previous_prediction, 0.0);
        assert_eq!(step, sampler.centred_step(None, &middle, &end));
        let earlier = levels(0.2, 0.9);
        assert!(sampler.centred_step(Some(&earlier), &middle, &end).previous_prediction < -0.01);
    }
}
