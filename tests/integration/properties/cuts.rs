//! However an image is cut into tiles and bands, and shared out among threads, it is the same image.

use partdiff::diffusion::SamplerKind;
use partdiff::image::Raster;
use partdiff::model::{Bundle, DEFAULT_BUNDLE};
use partdiff::{Target, UpscaleOptions, Upscaler};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::cases;
use crate::engine::{run, upscaler};
use crate::fake_network::test_image;
use crate::real_model;

/// How the work is shared out.
#[derive(Clone, Debug)]
struct Cut {
    tile: Option<usize>,
    threads: usize,
    /// 0 for the least memory that suffices, 1 for as much as the whole image needs.
    memory: f64,
}

fn cut() -> impl Strategy<Value = Cut> {
    let tile = prop::option::of(16..80usize);
    (tile, 1..4usize, prop_oneof![Just(0.0), 0.0..1.0]).prop_map(|(tile, threads, memory)| Cut {
        tile,
        threads,
        memory,
    })
}

fn options() -> impl Strategy<Value = UpscaleOptions> {
    let sampler = select(vec![SamplerKind::Ddim, SamplerKind::Ddpm, SamplerKind::DpmSolverPp2m]);
    let target = prop_oneof![
        Just(Target::Native),
        (0.2..5.0).prop_map(Target::Scale),
        (1..90u32, 1..90u32).prop_map(|(width, height)| Target::Fit { width, height }),
    ];
    (target, 1..4usize, sampler, 0.0..=1.0, any::<u64>(), 0..3usize).prop_map(
        |(target, steps, sampler, eta, seed, rounds)| UpscaleOptions {
            target,
            steps: Some(steps),
            sampler: Some(sampler),
            eta: Some(eta),
            seed,
            consistency: Some(rounds),
            ..UpscaleOptions::default()
        },
    )
}

/// Sides of a small image, also of very long ones.
fn sides() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![(1..48usize, 1..48usize), (1..8usize, 100..250usize), (100..250usize, 1..8usize)]
}

/// The largest difference between `image` made at once by `whole` and as `cut` says by `parts`.
fn difference(
    whole: &Upscaler,
    parts: &Upscaler,
    image: &Raster,
    options: &UpscaleOptions,
    cut: &Cut,
) -> f32 {
    let plan = |memory| {
        let options = UpscaleOptions { tile: cut.tile, memory: Some(memory), ..options.clone() };
        parts.plan(image.width(), image.height(), image.channels(), &options)
    };
    // Without a network there is no plan to cut.
    let most = plan(u64::MAX).unwrap().bytes.max(1);
    let mut least = most;
    while plan(least * 15 / 16).is_ok() && least > 16 {
        least = least * 15 / 16;
    }
    let memory = least + ((most - least) as f64 * cut.memory) as u64;
    let cut = UpscaleOptions { tile: cut.tile, memory: Some(memory), ..options.clone() };
    let uncut = UpscaleOptions { tile: Some(512), memory: Some(u64::MAX), ..options.clone() };
    let (a, b) = (run(whole, image, &uncut).unwrap().image, run(parts, image, &cut).unwrap().image);
    assert_eq!((a.channels(), a.height(), a.width()), (b.channels(), b.height(), b.width()));
    a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_cut_gives_the_same_image(
        (height, width) in sides(), channels in select(vec![1, 3]), options in options(), cut in cut(),
        multiple in select(vec![1, 4]),
    ) {
        let form = json!({"size_multiple": multiple});
        let (whole, parts) = (upscaler(form.clone(), 1), upscaler(form, cut.threads));
        let off = difference(&whole, &parts, &test_image(channels, height, width), &options, &cut);
        prop_assert!(off < 1e-4, "{off}");
    }
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn any_cut_gives_the_same_image_with_the_real_model(
        (height, width) in (1..40usize, 1..40usize), options in options(), cut in cut(),
    ) {
        let bundle = Bundle::embedded(DEFAULT_BUNDLE).unwrap().unwrap();
        let (whole, parts) = (real_model::open(&bundle, 1), real_model::open(&bundle, cut.threads));
        let off = difference(&whole, &parts, &test_image(3, height, width), &options, &cut);
        prop_assert!(off * 255.0 <= 1.0, "{} levels", off * 255.0);
    }
}
