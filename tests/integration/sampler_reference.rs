//! The samplers against diffusers, step by step, with alignment off.
//!
//! `tests/reference/make_diffusers_reference.py` wrote the numbers. Each chain is driven freely: our own
//! schedule, our own latents, with only the recorded start, network outputs and noise.

use std::collections::BTreeMap;

use partdiff::diffusion::{
    LatentAlignment, LatentForm, PredictionType, Sampler, SamplerKind, SamplingPlan, ScheduleConfig,
    TimestepInput, TimestepSpacing, Trajectory, combine, select_timesteps,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    schedules: BTreeMap<String, ScheduleRecord>,
    chains: Vec<Chain>,
}

#[derive(Deserialize)]
struct ScheduleRecord {
    config: ScheduleConfig,
    alphas_cumprod: BTreeMap<usize, f64>,
}

#[derive(Deserialize)]
struct Chain {
    sampler: SamplerKind,
    eta: f64,
    schedule: String,
    prediction: PredictionType,
    spacing: String,
    start: Vec<f32>,
    steps: Vec<ChainStep>,
}

#[derive(Deserialize)]
struct ChainStep {
    index: usize,
    output: Vec<f32>,
    noise: Vec<f32>,
    latent: Vec<f32>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../reference/diffusers_chains.json")).unwrap()
}

#[test]
fn schedules_equal_diffusers() {
    let reference = reference();
    assert_eq!(reference.schedules.len(), 3);
    for (name, record) in &reference.schedules {
        let schedule = record.config.build().unwrap();
        assert!(record.alphas_cumprod.len() > 10);
        for (&index, &expected) in &record.alphas_cumprod {
            let found = schedule.alpha_bar(index + 1);
            // The reference multiplies a thousand factors in f32.
            assert!((found - expected).abs() <= 1e-6, "{name}[{index}]: {found}, {expected}");
            assert!((found / expected - 1.0).abs() < 1e-4, "{name}[{index}]: {found}, {expected}");
        }
    }
}

impl Chain {
    fn name(&self) -> String {
        format!("{} eta {} {} {:?} {}", self.sampler, self.eta, self.schedule, self.prediction, self.spacing)
    }

    fn plan(&self, schedules: &BTreeMap<String, ScheduleRecord>) -> SamplingPlan {
        let schedule = schedules[&self.schedule].config.build().unwrap();
        let total = schedule.timesteps();
        let trajectory = Trajectory::new(schedule, LatentAlignment::None, total).unwrap();
        let timesteps: Vec<usize> = self.steps.iter().map(|step| step.index + 1).collect();
        if self.spacing == "trailing" {
            let selected = select_timesteps(total, self.steps.len(), TimestepSpacing::Uniform).unwrap();
            assert_eq!(timesteps, selected, "{}", self.name());
        }
        for step in &self.steps {
            assert_eq!(TimestepInput::Index.value(&trajectory, step.index + 1), step.index as f64);
        }
        let sampler = Sampler::new(self.sampler, self.eta).unwrap();
        SamplingPlan::new(&trajectory, LatentForm::Image, self.prediction, 1.0, sampler, &timesteps).unwrap()
    }

    /// An epsilon chain from step T divides by A_T = 0.006 (linear) or 0.00005 (cosine), which magnifies f32's
    /// rounding beyond 1e-5 in any implementation, diffusers' own included.
    fn magnifies_rounding(&self) -> bool {
        self.prediction == PredictionType::Epsilon
            && self.spacing == "trailing"
            && self.schedule != "scaled_linear"
    }
}

#[test]
fn chains_equal_diffusers_at_every_step() {
    let reference = reference();
    assert_eq!(reference.chains.len(), 4 * (3 * 3 + 2));
    let mut strict = 0;
    for chain in &reference.chains {
        let plan = chain.plan(&reference.schedules);
        let mut latent = chain.start.clone();
        let mut target = vec![0.0; latent.len()];
        let mut previous = vec![0.0; latent.len()];
        strict += usize::from(!chain.magnifies_rounding());
        for (planned, recorded) in plan.steps().iter().zip(&chain.steps) {
            let (prediction, step) = (planned.prediction, planned.step);
            let terms =
                [(prediction.latent as f32, &latent[..]), (prediction.output as f32, &recorded.output)];
            combine(&mut target, 0.0, &terms);
            let terms = [
                (step.prediction as f32, &target[..]),
                (step.previous_prediction as f32, &previous),
                (step.noise as f32, &recorded.noise),
            ];
            combine(&mut latent, step.latent as f32, &terms);
            std::mem::swap(&mut target, &mut previous);
            let limit = if chain.magnifies_rounding() {
                4.0 * f64::from(f32::EPSILON) * planned.to.signal / plan.steps()[0].from.signal
            } else {
                1e-5
            };
            for (&found, &expected) in latent.iter().zip(&recorded.latent) {
                let error = f64::from((found - expected).abs());
                assert!(error <= limit, "{} at step {}: {found}, {expected}", chain.name(), planned.t);
            }
        }
    }
    assert_eq!(strict, 36);
}

/// The same in f64, where no chain is excused: the coefficients themselves are right. (diffusers runs its
/// DPM-Solver in f32, so that one cannot be compared this way.)
#[test]
fn one_step_samplers_equal_diffusers_in_double_precision() {
    let reference = reference();
    let chains = || reference.chains.iter().filter(|chain| chain.sampler != SamplerKind::DpmSolverPp2m);
    assert_eq!(chains().count(), 33);
    for chain in chains() {
        let plan = chain.plan(&reference.schedules);
        let mut latent: Vec<f64> = chain.start.iter().copied().map(f64::from).collect();
        for (planned, recorded) in plan.steps().iter().zip(&chain.steps) {
            let (prediction, step) = (planned.prediction, planned.step);
            for (i, value) in latent.iter_mut().enumerate() {
                let target = prediction.latent * *value + prediction.output * f64::from(recorded.output[i]);
                *value = step.latent * *value + step.prediction * target;
                *value += step.noise * f64::from(recorded.noise[i]);
                let error = (*value - f64::from(recorded.latent[i])).abs();
                assert!(error < 5e-7, "{} at step {}: {error:e}", chain.name(), planned.t);
            }
        }
    }
}
