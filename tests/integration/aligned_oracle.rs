//! The aligned chain with a perfect network: it must end at the true image, in every combination, and its
//! states must be distributed as the forward process says.

use partdiff::diffusion::{
    LatentAlignment, LatentForm, NoiseField, PlanStep, PredictionType, Sampler, SamplerKind, SamplingPlan,
    ScheduleConfig, TimestepSpacing, Trajectory, combine, select_timesteps,
};

const ALIGNMENTS: [LatentAlignment; 3] =
    [LatentAlignment::Linear, LatentAlignment::Cosine, LatentAlignment::None];
const FORMS: [LatentForm; 2] = [LatentForm::Image, LatentForm::Residual];

fn samplers() -> [Sampler; 4] {
    [
        (SamplerKind::Ddpm, 0.0),
        (SamplerKind::Ddim, 0.0),
        (SamplerKind::Ddim, 0.5),
        (SamplerKind::DpmSolverPp2m, 0.0),
    ]
    .map(|(kind, eta)| Sampler::new(kind, eta).unwrap())
}

fn trajectory(alignment: LatentAlignment) -> Trajectory {
    let config = ScheduleConfig::Linear { timesteps: 1000, beta_start: 1e-4, beta_end: 0.02 };
    Trajectory::new(config.build().unwrap(), alignment, 300).unwrap()
}

/// A pair of images: the true image in [-1, 1] and a blurred stand-in for the upsampled input.
fn images(length: usize) -> (Vec<f32>, Vec<f32>) {
    let image: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin() * 0.9).collect();
    let upsampled = (0..length).map(|i| image[i] * 0.8 + 0.1 * (i as f32 * 0.31).cos()).collect();
    (image, upsampled)
}

fn noise(seed: u64, step: usize, length: usize) -> Vec<f32> {
    let mut out = vec![0.0; length];
    NoiseField::new(seed).fill(step as u32, 0, 0, 0, &mut out);
    out
}

/// What a network that knows the image says about `latent`; the noise is what the latent's make-up implies.
fn oracle(
    kind: PredictionType,
    form: LatentForm,
    planned: &PlanStep,
    latent: &[f32],
    image: &[f32],
    upsampled: &[f32],
) -> Vec<f32> {
    let levels = planned.from;
    let mut output = Vec::with_capacity(latent.len());
    for ((&x, &x0), &u) in latent.iter().zip(image).zip(upsampled) {
        let (x, x0, u) = (f64::from(x), f64::from(x0), f64::from(u));
        let (centred, target) = match form {
            LatentForm::Image => (x - levels.upsampled * u, x0),
            LatentForm::Residual => (x, x0 - u),
        };
        let eps = (centred - levels.signal * target) / levels.noise;
        output.push(match kind {
            PredictionType::Epsilon => eps,
            PredictionType::Sample => x0,
            PredictionType::VPrediction => levels.signal * eps - levels.noise * target,
            PredictionType::Residual => x0 - u,
        } as f32);
    }
    output
}

/// Runs a plan over `network`; `watch` sees each step and the latent that it leaves behind. Gives the image.
fn run(
    plan: &SamplingPlan,
    seed: u64,
    upsampled: &[f32],
    mut network: impl FnMut(&PlanStep, &[f32]) -> Vec<f32>,
    mut watch: impl FnMut(&PlanStep, &[f32]),
) -> Vec<f32> {
    let length = upsampled.len();
    let start = noise(seed, plan.steps()[0].t, length);
    let mut latent = vec![0.0; length];
    combine(
        &mut latent,
        0.0,
        &[(plan.start_signal() as f32, upsampled), (plan.start_noise() as f32, &start)],
    );
    let (mut target, mut previous) = (vec![0.0; length], vec![0.0; length]);
    for planned in plan.steps() {
        let output = network(planned, &latent);
        let (prediction, step) = (planned.prediction, planned.step);
        combine(
            &mut target,
            0.0,
            &[
                (prediction.latent as f32, &latent),
                (prediction.output as f32, &output),
                (prediction.upsampled as f32, upsampled),
            ],
        );
        combine(
            &mut latent,
            step.latent as f32,
            &[
                (step.prediction as f32, &target),
                (step.previous_prediction as f32, &previous),
                (step.upsampled as f32, upsampled),
                (step.noise as f32, &noise(seed, planned.s, length)),
            ],
        );
        std::mem::swap(&mut target, &mut previous);
        watch(planned, &latent);
    }
    if plan.form() == LatentForm::Residual {
        combine(&mut latent, 1.0, &[(1.0, upsampled)]);
    }
    latent
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_perfect_network_gives_the_image_back() {
    let (image, upsampled) = images(64);
    let mut runs = 0;
    for alignment in ALIGNMENTS {
        let trajectory = trajectory(alignment);
        for (start, steps) in [(300, 1), (300, 2), (300, 8), (300, 50), (120, 5), (7, 7), (1000, 10)] {
            if start > trajectory.highest_start() {
                continue;
            }
            for spacing in [TimestepSpacing::Uniform, TimestepSpacing::Quadratic] {
                let timesteps = select_timesteps(start, steps, spacing).unwrap();
                for kind in [
                    PredictionType::Epsilon,
                    PredictionType::Sample,
                    PredictionType::VPrediction,
                    PredictionType::Residual,
                ] {
                    let aligned_start = alignment != LatentAlignment::None && start == 300;
                    if kind == PredictionType::Epsilon && aligned_start {
                        continue;
                    }
                    for form in FORMS {
                        for sampler in samplers() {
                            let plan =
                                SamplingPlan::new(&trajectory, form, kind, 1.0, sampler, &timesteps).unwrap();
                            let found = run(
                                &plan,
                                9,
                                &upsampled,
                                |planned, x| oracle(kind, form, planned, x, &image, &upsampled),
                                |_, _| {},
                            );
                            let error = largest_difference(&found, &image);
                            assert!(
                                error < 2e-6,
                                "{alignment:?} {start}/{steps} {spacing:?} {kind:?} {form:?} {sampler:?}: {error:e}"
                            );
                            runs += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(runs > 1000, "{runs} combinations ran");
}

#[test]
fn an_epsilon_network_is_refused_at_the_aligned_start_only() {
    let trajectory = trajectory(LatentAlignment::Linear);
    let plan = |timesteps: &[usize]| {
        let sampler = Sampler::default();
        SamplingPlan::new(&trajectory, LatentForm::Image, PredictionType::Epsilon, 1.0, sampler, timesteps)
    };
    assert!(plan(&[300, 100]).unwrap_err().to_string().contains("epsilon"));
    assert!(plan(&[299, 100]).is_ok());
}

/// A network that errs: its answer depends on the latent, so mistakes travel along the chain.
#[test]
fn image_and_residual_forms_agree_to_rounding() {
    let (image, upsampled) = images(256);
    for alignment in ALIGNMENTS {
        let trajectory = trajectory(alignment);
        let timesteps = select_timesteps(300, 12, TimestepSpacing::Uniform).unwrap();
        for sampler in samplers() {
            let [a, b] = FORMS.map(|form| {
                let plan =
                    SamplingPlan::new(&trajectory, form, PredictionType::Residual, 0.5, sampler, &timesteps)
                        .unwrap();
                let network = |planned: &PlanStep, latent: &[f32]| {
                    let root = planned.from.alpha_bar.sqrt() as f32;
                    let answer = |((&x, &u), &x0): ((&f32, &f32), &f32)| {
                        let z = if form == LatentForm::Image { x - root * u } else { x };
                        2.0 * (x0 - u + 0.3 * z.sin())
                    };
                    latent.iter().zip(&upsampled).zip(&image).map(answer).collect()
                };
                run(&plan, 4, &upsampled, network, |_, _| {})
            });
            let difference = largest_difference(&a, &b);
            assert!(difference < 2e-6, "{alignment:?} {sampler:?}: {difference:e}");
            // The network's mistakes must show, else this compares two perfect images.
            assert!(largest_difference(&a, &image) > 0.01);
        }
    }
}

/// Sample mean and variance in f64.
fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    (mean, values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count)
}

/// `x_t ~ N(sqrt(abar_t) (x0 + lambda_t (u - x0)), 1 - abar_t)` for one pixel, from the schedule alone.
fn expected_moments(alignment: LatentAlignment, t: usize, x0: f64, u: f64) -> (f64, f64) {
    let beta = |i: usize| 1e-4 + (0.02 - 1e-4) * i as f64 / 999.0;
    let alpha_bar: f64 = (0..t).map(|i| 1.0 - beta(i)).product();
    let fraction = (t as f64 / 300.0).min(1.0);
    let weight = match alignment {
        LatentAlignment::Linear => fraction,
        LatentAlignment::Cosine => (fraction * std::f64::consts::FRAC_PI_2).sin().powi(2),
        LatentAlignment::None => 0.0,
    };
    (alpha_bar.sqrt() * (x0 + weight * (u - x0)), 1.0 - alpha_bar)
}

const PIXELS: usize = 200_000;

fn assert_moments(values: &[f32], expected: (f64, f64), what: &str) {
    let (mean, variance) = moments(values);
    let count = values.len() as f64;
    // Five standard errors, and rounding.
    let mean_error = 5.0 * (expected.1 / count).sqrt() + 1e-6;
    let variance_error = 5.0 * expected.1 * (2.0 / count).sqrt() + 1e-6;
    assert!((mean - expected.0).abs() < mean_error, "{what}: mean {mean}, expected {}", expected.0);
    assert!(
        (variance - expected.1).abs() < variance_error,
        "{what}: variance {variance}, expected {}",
        expected.1
    );
}

#[test]
fn forward_states_follow_the_formula() {
    let (x0, u) = (0.8f32, -0.3f32);
    for alignment in ALIGNMENTS {
        let trajectory = trajectory(alignment);
        for t in [1, 40, 150, 299, 300] {
            let levels = trajectory.levels(t);
            let mut state = vec![0.0; PIXELS];
            combine(
                &mut state,
                0.0,
                &[
                    (levels.signal as f32, &vec![x0; PIXELS]),
                    (levels.upsampled as f32, &vec![u; PIXELS]),
                    (levels.noise as f32, &noise(21, t, PIXELS)),
                ],
            );
            let expected = expected_moments(alignment, t, f64::from(x0), f64::from(u));
            assert_moments(&state, expected, &format!("{alignment:?} step {t}"));
        }
    }
}

/// With a perfect network every sampler draws from the forward marginals at each step, and the ancestral one
/// also from the right joint: its fresh noise is independent of where the chain has been.
#[test]
fn reverse_states_follow_the_forward_marginals() {
    let (x0, u) = (0.8f32, -0.3f32);
    let (image, upsampled) = (vec![x0; PIXELS], vec![u; PIXELS]);
    for alignment in [LatentAlignment::Linear, LatentAlignment::Cosine] {
        let trajectory = trajectory(alignment);
        let timesteps = select_timesteps(300, 5, TimestepSpacing::Uniform).unwrap();
        for form in FORMS {
            for sampler in samplers() {
                let kind = PredictionType::Sample;
                let plan = SamplingPlan::new(&trajectory, form, kind, 1.0, sampler, &timesteps).unwrap();
                let mut states = vec![noise(33, 300, PIXELS)];
                run(
                    &plan,
                    33,
                    &upsampled,
                    |planned, latent| oracle(kind, form, planned, latent, &image, &upsampled),
                    |planned, latent| {
                        let (mean, variance) =
                            expected_moments(alignment, planned.s, f64::from(x0), f64::from(u));
                        let root = expected_moments(LatentAlignment::None, planned.s, 1.0, 0.0).0;
                        let shift = if form == LatentForm::Residual { root * f64::from(u) } else { 0.0 };
                        let what = format!("{alignment:?} {form:?} {sampler:?} step {}", planned.s);
                        assert_moments(latent, (mean - shift, variance), &what);
                        states.push(latent.to_vec());
                    },
                );
                if sampler.kind() == SamplerKind::Ddpm {
                    assert_markov_correlation(&states, &timesteps);
                }
            }
        }
    }
}

/// Given x0, the forward process is Markov with correlation `sqrt(abar_t (1 - abar_s) / (abar_s (1 - abar_t)))`
/// between s < t; the ancestral reverse chain must have the same.
fn assert_markov_correlation(states: &[Vec<f32>], timesteps: &[usize]) {
    for index in 1..timesteps.len() {
        let (earlier, later) = (&states[index - 1], &states[index]);
        let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(earlier), moments(later));
        let product = |(&a, &b): (&f32, &f32)| (f64::from(a) - mean_a) * (f64::from(b) - mean_b);
        let covariance = earlier.iter().zip(later).map(product).sum::<f64>() / PIXELS as f64;
        let found = covariance / (variance_a * variance_b).sqrt();
        let noise_power = |t| expected_moments(LatentAlignment::None, t, 0.0, 0.0).1;
        let (t_power, s_power) = (noise_power(timesteps[index - 1]), noise_power(timesteps[index]));
        let expected = ((1.0 - t_power) * s_power / ((1.0 - s_power) * t_power)).sqrt();
        assert!((found - expected).abs() < 5.0 / (PIXELS as f64).sqrt(), "{found}, expected {expected}");
    }
}
