//! Real bundles in ONNX Runtime: the guarantees that only the real networks can break.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partdiff::diffusion::{SamplerKind, TimestepSpacing};
use partdiff::image::{Kernel, Raster, decode, resize};
use partdiff::model::{Bundle, DEFAULT_BUNDLE};
use partdiff::runtime::Device;
use partdiff::{
    CancelToken, ErrorKind, Limits, NoProgress, ProgressEvent, RuntimeOptions, UpscaleOptions, Upscaler,
};

pub fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file)
}

fn test_image(file: &str) -> Raster {
    decode(&std::fs::read(data(file)).unwrap(), &Limits::default()).unwrap().color
}

pub fn open(bundle: &Bundle, threads: usize) -> Upscaler {
    let options = RuntimeOptions { device: Device::Cpu, threads: Some(threads), ..Default::default() };
    Upscaler::open(bundle, &options).unwrap_or_else(|error| panic!("{}", error.report()))
}

fn embedded() -> Bundle {
    Bundle::embedded(DEFAULT_BUNDLE).unwrap().unwrap()
}

fn run(upscaler: &Upscaler, image: &Raster, options: &UpscaleOptions) -> Raster {
    upscaler.upscale(image, options, &NoProgress, &CancelToken::new()).unwrap().image
}

/// Samples as an 8-bit file holds them.
fn levels(image: &Raster) -> Vec<u8> {
    image.data().iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
}

fn psnr(a: &Raster, b: &Raster) -> f64 {
    let squares: f64 = a.data().iter().zip(b.data()).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    -10.0 * (squares / a.data().len() as f64).log10()
}

#[test]
fn tiles_threads_and_bands_change_no_level_by_more_than_one() {
    let bundle = embedded();
    let (one, two) = (open(&bundle, 1), open(&bundle, 2));
    let images = [
        test_image("dog.png"),
        test_image("girl.png").crop(0..101, 0..144),
        test_image("house.png").crop(100..430, 150..350),
    ];
    for (index, image) in images.iter().enumerate() {
        for steps in [1, 3] {
            let options =
                UpscaleOptions { steps: Some(steps), eta: Some(0.5), seed: 9, ..Default::default() };
            let whole = UpscaleOptions { tile: Some(512), ..options.clone() };
            let expected = levels(&run(&one, image, &whole));
            let mut cuts: Vec<(&Upscaler, UpscaleOptions)> = vec![(&two, options.clone())];
            for tile in [48, 96, 160] {
                cuts.push((
                    if tile == 96 { &one } else { &two },
                    UpscaleOptions { tile: Some(tile), ..options.clone() },
                ));
            }
            if let Some(memory) = memory_for_bands(&two, image, &options) {
                cuts.push((&two, UpscaleOptions { memory: Some(memory), ..options.clone() }));
            } else {
                assert_ne!(index, 2, "the tall image can be cut into bands");
            }
            for (upscaler, options) in cuts {
                let result = levels(&run(upscaler, image, &options));
                let worst = expected.iter().zip(&result).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(worst <= Some(1), "image {index}, {steps} steps, {options:?}: {worst:?} levels");
            }
        }
    }
}

/// The least memory with which `image` can be worked on, where that takes several bands.
fn memory_for_bands(upscaler: &Upscaler, image: &Raster, options: &UpscaleOptions) -> Option<u64> {
    let plan = |memory| {
        let options = UpscaleOptions { memory: Some(memory), ..options.clone() };
        upscaler.plan(image.width(), image.height(), image.channels(), &options).ok()
    };
    let mut memory = plan(u64::MAX)?.bytes;
    while plan(memory * 15 / 16).is_some() {
        memory = memory * 15 / 16;
    }
    (plan(memory)?.passes[0].band_rows < image.height()).then_some(memory)
}

#[test]
fn the_same_request_gives_the_same_samples() {
    let upscaler = open(&embedded(), 2);
    let image = test_image("dog.png");
    let options =
        UpscaleOptions { steps: Some(4), eta: Some(1.0), seed: 3, tile: Some(64), ..Default::default() };
    let first = run(&upscaler, &image, &options);
    assert_eq!(first.data(), run(&upscaler, &image, &options).data());
    assert_eq!(first.data(), run(&open(&embedded(), 1), &image, &options).data());
}

#[test]
fn one_step_is_closer_to_the_original_than_cubic_interpolation() {
    let original = test_image("house.png");
    let small = resize(&original, original.height() / 4, original.width() / 4, Kernel::Cubic { a: -0.5 });
    let cubic = resize(&small, original.height(), original.width(), Kernel::Cubic { a: -0.5 });
    let result = run(&open(&embedded(), 2), &small, &UpscaleOptions { steps: Some(1), ..Default::default() });
    let (ours, theirs) = (psnr(&result, &original), psnr(&cubic, &original));
    assert!(ours > theirs + 0.5, "{ours:.2} dB against {theirs:.2} dB");
}

#[test]
fn int8_is_as_close_on_processors_that_sum_in_16_bits() {
    let int8 = Bundle::embedded("natural-x4-int8").unwrap().unwrap();
    let (float, int8) = (open(&embedded(), 2), open(&int8, 2));
    for file in ["dog.png", "girl.png"] {
        let image = test_image(file);
        let options = UpscaleOptions { steps: Some(1), ..Default::default() };
        let close = psnr(&run(&int8, &image, &options), &run(&float, &image, &options));
        // Sums that overflow give 42 dB.
        assert!(close > 44.0, "{file}: {close:.1} dB");
    }
}

#[test]
fn more_steps_add_detail() {
    let upscaler = open(&embedded(), 2);
    let image = test_image("dog.png");
    let roughness = |steps| {
        let result = run(&upscaler, &image, &UpscaleOptions { steps: Some(steps), ..Default::default() });
        (0..result.height())
            .flat_map(|y| {
                result
                    .row(1, y)
                    .windows(2)
                    .map(|pair| f64::from((pair[1] - pair[0]).abs()))
                    .collect::<Vec<_>>()
            })
            .sum::<f64>()
    };
    assert!(roughness(8) > 1.05 * roughness(1));
}

#[test]
fn a_denoiser_alone_runs_its_full_chain_from_pure_noise() {
    let bundle = Bundle::open(&data("plain.partdiff")).unwrap();
    let upscaler = open(&bundle, 2);
    let image = test_image("girl.png").crop(0..50, 0..70);
    let truth = resize(&image, 100, 140, Kernel::Cubic { a: -0.5 });
    for (sampler, steps) in [
        (SamplerKind::Ddpm, 50),
        (SamplerKind::Ddim, 50),
        (SamplerKind::Ddim, 10),
        (SamplerKind::DpmSolverPp2m, 20),
    ] {
        for (tile, seed) in [(512, 1), (24, 2)] {
            let options = UpscaleOptions {
                sampler: Some(sampler),
                steps: Some(steps),
                spacing: Some(TimestepSpacing::Uniform),
                tile: Some(tile),
                seed,
                ..Default::default()
            };
            let result = run(&upscaler, &image, &options);
            assert!(psnr(&result, &truth) > 60.0, "{sampler} x{steps}: {:.1} dB", psnr(&result, &truth));
        }
    }
}

#[test]
fn cancelling_breaks_off_a_running_inference() {
    let upscaler = open(&embedded(), 2);
    // One tile per thread, so that the token can only be noticed inside the networks.
    let image = test_image("house.png");
    let token = CancelToken::new();
    let reports = AtomicUsize::new(0);
    let last = Mutex::new(None);
    let count = |event: ProgressEvent| {
        reports.fetch_add(1, Ordering::Relaxed);
        *last.lock().unwrap() = Some(event.fraction);
        true
    };
    std::thread::scope(|scope| {
        let token = &token;
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(150));
            token.cancel();
        });
        let options = UpscaleOptions { steps: Some(40), ..Default::default() };
        let error = upscaler.upscale(&image, &options, &count, token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.report());
    });
    assert!(last.into_inner().unwrap().is_none_or(|fraction| fraction < 0.9));
    // The networks are usable again.
    run(&upscaler, &image.crop(0..20, 0..20), &UpscaleOptions::default());
}
