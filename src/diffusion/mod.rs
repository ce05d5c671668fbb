//! Diffusion arithmetic: schedules, the aligned trajectory, samplers and noise. Pure: no I/O, no network.
//!
//! Steps are counted 1 to T and step 0 is the finished image, so `alpha_bar(0) = 1`. (diffusers counts its
//! training steps from 0: its index `i` is our step `i + 1`.) Coefficients are f64, pixels f32.
//!
//! A run builds a [`NoiseSchedule`], a [`Trajectory`] and the steps ([`select_timesteps`]), then a
//! [`SamplingPlan`]; the pixel loop is a handful of [`combine()`] calls per step.

pub mod combine;
pub mod latent_alignment;
pub mod noise_field;
pub mod noise_schedule;
pub mod noise_source;
mod normal;
pub mod plan;
pub mod prediction;
pub mod sampler;
pub mod timesteps;
pub mod trajectory;

pub use combine::combine;
pub use latent_alignment::LatentAlignment;
pub use noise_field::NoiseField;
pub use noise_schedule::{NoiseSchedule, ScheduleConfig};
pub use noise_source::{NoisePlace, NoiseSource};
pub use plan::{PlanStep, SamplingPlan};
pub use prediction::{PredictionCoefficients, PredictionType};
pub use sampler::{Sampler, SamplerKind, StepCoefficients};
pub use timesteps::{TimestepInput, TimestepSpacing, select_timesteps};
pub use trajectory::{LatentForm, StepLevels, Trajectory};
