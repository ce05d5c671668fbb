//! From what a network says to the image or residual it means.

use serde::{Deserialize, Serialize};

use super::{LatentForm, StepLevels};
use crate::error::{Error, ErrorKind, Result};

/// What a network's output stands for, after multiplication with the manifest's prediction scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise `eps` in the latent.
    Epsilon,
    /// The image `x0`.
    Sample,
    /// `v = A eps - S q`, with q the latent's own target: `x0` in image form, `r` in residual form
    /// (Salimans & Ho 2022; there A^2 + S^2 = 1).
    VPrediction,
    /// The residual `r = x0 - u`.
    Residual,
}

/// The target as a linear combination: `q = latent x_t + output out + upsampled u`.
///
/// `x_t` is the latent in the plan's form and unscaled; q is `x0` in image form, `r` in residual form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictionCoefficients {
    /// Factor of the latent.
    pub latent: f64,
    /// Factor of the raw network output; holds the prediction scale.
    pub output: f64,
    /// Factor of the upsampled input `u`.
    pub upsampled: f64,
}

impl PredictionType {
    /// The coefficients for a latent made up as `levels` says, for outputs to be multiplied by `scale`.
    ///
    /// # Errors
    /// `ErrorKind::Model` for an epsilon prediction where the latent holds none of the target, as at the
    /// aligned start step.
    pub fn coefficients(
        self,
        levels: &StepLevels,
        form: LatentForm,
        scale: f64,
    ) -> Result<PredictionCoefficients> {
        let StepLevels { signal, noise, .. } = *levels;
        // The centred latent c = signal q + noise eps is x_t - B u in image form and z_t itself otherwise.
        let shift = match form {
            LatentForm::Image => levels.upsampled,
            LatentForm::Residual => 0.0,
        };
        let (latent, output, upsampled) = match (self, form) {
            (Self::Sample, LatentForm::Image) | (Self::Residual, LatentForm::Residual) => (0.0, scale, 0.0),
            (Self::Residual, LatentForm::Image) => (0.0, scale, 1.0),
            (Self::Sample, LatentForm::Residual) => (0.0, scale, -1.0),
            (Self::Epsilon, _) => {
                if signal == 0.0 {
                    return Err(Error::new(
                        ErrorKind::Model,
                        "prediction type epsilon cannot start at the aligned start step: the latent there is \
                         the upsampled image plus noise, so a noise prediction carries no image; expected \
                         sample, v_prediction or residual, alignment none, or an earlier start step",
                    ));
                }
                (1.0 / signal, -noise * scale / signal, -shift / signal)
            }
            (Self::VPrediction, _) => {
                let power = signal * signal + noise * noise;
                (signal / power, -noise * scale / power, -signal * shift / power)
            }
        };
        Ok(PredictionCoefficients { latent, output, upsampled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step in the middle of an aligned chain, with values that share no symmetry.
    const LEVELS: StepLevels =
        StepLevels { signal: 0.42, upsampled: 0.28, noise: 0.714_142_842_854_285, alpha_bar: 0.49 };

    #[test]
    fn every_type_recovers_the_target_in_both_forms() {
        let (x0, u, eps, scale) = (0.3, -0.2, 1.7, 0.25);
        for form in [LatentForm::Image, LatentForm::Residual] {
            let (target, latent) = match form {
                LatentForm::Image => (x0, LEVELS.signal * x0 + LEVELS.upsampled * u + LEVELS.noise * eps),
                LatentForm::Residual => (x0 - u, LEVELS.signal * (x0 - u) + LEVELS.noise * eps),
            };
            for (kind, meaning) in [
                (PredictionType::Epsilon, eps),
                (PredictionType::Sample, x0),
                (PredictionType::VPrediction, LEVELS.signal * eps - LEVELS.noise * target),
                (PredictionType::Residual, x0 - u),
            ] {
                let factors = kind.coefficients(&LEVELS, form, scale).unwrap();
                let output = meaning / scale;
                let found = factors.latent * latent + factors.output * output + factors.upsampled * u;
                assert!((found - target).abs() < 1e-14, "{kind:?} {form:?}: {found}, expected {target}");
            }
        }
    }

    #[test]
    fn only_epsilon_fails_at_the_aligned_start() {
        let levels = StepLevels { signal: 0.0, upsampled: 0.7, ..LEVELS };
        for form in [LatentForm::Image, LatentForm::Residual] {
            let error = PredictionType::Epsilon.coefficients(&levels, form, 1.0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Model);
            assert!(error.to_string().contains("carries no image"));
            for kind in [PredictionType::Sample, PredictionType::VPrediction, PredictionType::Residual] {
                let factors = kind.coefficients(&levels, form, 1.0).unwrap();
                assert!(factors.latent == 0.0 && factors.output.is_finite());
            }
        }
    }
}
