//! The engine over networks in plain Rust: tiling, bands, samplers, guard, cancellation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use partdiff::diffusion::SamplerKind;
use partdiff::image::{Kernel, Raster, resize};
use partdiff::{
    CancelToken, ErrorKind, NoProgress, ProgressEvent, Result, Target, UpscaleOptions, Upscaled, Upscaler,
};
use serde_json::{Value, json};

use crate::fake_network::{Defect, FakeNetwork, manifest, test_image};

pub fn upscaler(changes: Value, threads: usize) -> Upscaler {
    let manifest = manifest(changes);
    let networks = (0..threads).map(|_| FakeNetwork::boxed(manifest.scale)).collect();
    Upscaler::with_networks(&manifest, networks).unwrap()
}

pub fn run(upscaler: &Upscaler, image: &Raster, options: &UpscaleOptions) -> Result<Upscaled> {
    upscaler.upscale(image, options, &NoProgress, &CancelToken::new())
}

fn largest_difference(a: &Raster, b: &Raster) -> f32 {
    assert_eq!((a.channels(), a.height(), a.width()), (b.channels(), b.height(), b.width()));
    a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// A budget under which `image` takes several bands.
fn tight_memory(upscaler: &Upscaler, image: &Raster, options: &UpscaleOptions) -> u64 {
    let plan = |memory| {
        let options = UpscaleOptions { memory: Some(memory), ..options.clone() };
        upscaler.plan(image.width(), image.height(), image.channels(), &options)
    };
    let mut memory = plan(u64::MAX).unwrap().bytes;
    while plan(memory * 31 / 32).is_ok() {
        memory = memory * 31 / 32;
    }
    assert!(plan(memory).unwrap().passes[0].band_rows < image.height(), "memory can force bands");
    memory
}

#[test]
fn a_tile_for_which_the_device_has_no_memory_is_made_in_parts() {
    let image = test_image(3, 90, 70);
    for form in [json!({}), json!({"conditioning": "lr", "encoder": null}), json!({"size_multiple": 4})] {
        let manifest = manifest(form.clone());
        let options = UpscaleOptions { steps: Some(2), tile: Some(512), ..Default::default() };
        let expected = run(&upscaler(form, 1), &image, &options).unwrap();
        let with = |pixels| {
            let networks = vec![FakeNetwork::defective(2, Defect::Small(pixels))];
            run(&Upscaler::with_networks(&manifest, networks).unwrap(), &image, &options)
        };
        let made = with(40 * 40).unwrap();
        assert!(made.report.tiles > 4 * expected.report.tiles, "{} tiles", made.report.tiles);
        assert!(largest_difference(&made.image, &expected.image) < 1e-5);
        let error = with(100).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Runtime, "out of memory"));
    }
}

#[test]
fn the_result_does_not_depend_on_tiles_threads_or_bands() {
    let image = test_image(3, 243, 30);
    let forms = [
        json!({}),
        json!({"latent": "image", "input_scaling": {"kind": "none"}}),
        json!({"conditioning": "upsampled", "encoder": null, "latent": "image", "alignment": "none",
               "input_scaling": {"kind": "none"}, "prediction": {"type": "v_prediction", "scale": 1.0}}),
        json!({"conditioning": "lr", "encoder": null, "alignment": "cosine"}),
        json!({"size_multiple": 4}),
    ];
    for form in forms {
        for (sampler, steps, eta) in [
            (SamplerKind::Ddim, 1, 0.0),
            (SamplerKind::Ddim, 3, 0.7),
            (SamplerKind::Ddpm, 2, 1.0),
            (SamplerKind::DpmSolverPp2m, 4, 0.0),
        ] {
            let options = UpscaleOptions {
                steps: Some(steps),
                sampler: Some(sampler),
                eta: Some(eta),
                ..Default::default()
            };
            let single = upscaler(form.clone(), 1);
            let whole = UpscaleOptions { tile: Some(512), ..options.clone() };
            let expected = run(&single, &image, &whole).unwrap().image;
            assert!(expected.data().iter().all(|value| value.is_finite()));
            for (tile, threads) in [(16, 1), (24, 3), (40, 2)] {
                let tiled = UpscaleOptions { tile: Some(tile), ..options.clone() };
                let result = run(&upscaler(form.clone(), threads), &image, &tiled).unwrap().image;
                assert!(
                    largest_difference(&result, &expected) < 1e-5,
                    "{form} {sampler} x{steps}, tile {tile}: {}",
                    largest_difference(&result, &expected)
                );
            }
            let tight =
                UpscaleOptions { memory: Some(tight_memory(&single, &image, &options)), ..options.clone() };
            let banded = run(&single, &image, &tight).unwrap().image;
            assert!(largest_difference(&banded, &expected) < 1e-5, "{form} {sampler} x{steps} in bands");
        }
    }
}

#[test]
fn too_small_a_halo_would_be_seen() {
    // Proof that the test above can fail: a manifest that claims less reach than the network has.
    let lying = json!({"denoiser": {"file": "d.onnx", "sha256": "0".repeat(64),
        "inputs": {"latent": "z", "conditioning": "f", "timestep": "t"}, "output": "r", "halo": 0}});
    let image = test_image(3, 50, 50);
    let options = |tile| UpscaleOptions { tile: Some(tile), steps: Some(3), ..Default::default() };
    let upscaler = upscaler(lying, 1);
    let whole = run(&upscaler, &image, &options(512)).unwrap().image;
    let tiled = run(&upscaler, &image, &options(16)).unwrap().image;
    assert!(largest_difference(&whole, &tiled) > 1e-4);
}

#[test]
fn every_size_and_factor_works() {
    let upscaler = upscaler(json!({"size_multiple": 4}), 2);
    for (height, width) in [(1, 1), (1, 37), (40, 1), (3, 2), (17, 90)] {
        for channels in [1, 3] {
            let image = test_image(channels, height, width);
            for (target, expected) in [
                (Target::Native, (2 * height, 2 * width)),
                (Target::Scale(8.0), (8 * height, 8 * width)),
                (Target::Scale(3.0), (3 * height, 3 * width)),
                (Target::Size { width: 5, height: 7 }, (7, 5)),
            ] {
                let options = UpscaleOptions { target, ..Default::default() };
                if let Target::Size { .. } = target
                    && (5 > 64 * width || 7 > 64 * height)
                {
                    continue;
                }
                let result = run(&upscaler, &image, &options).unwrap().image;
                assert_eq!(
                    (result.height(), result.width(), result.channels()),
                    (expected.0, expected.1, channels)
                );
            }
        }
    }
}

#[test]
fn a_blurred_image_can_start_smaller() {
    let upscaler = upscaler(json!({}), 2);
    let options = UpscaleOptions { deblur: 2, steps: Some(2), eta: Some(1.0), ..Default::default() };
    for (height, width) in [(60, 46), (61, 47), (1, 1)] {
        for channels in [1, 3] {
            let image = test_image(channels, height, width);
            let made = run(&upscaler, &image, &options).unwrap();
            assert_eq!((made.image.height(), made.image.width()), (2 * height, 2 * width));
            assert_eq!((made.report.deblur, made.report.passes), (2, 2));
            let tiled = UpscaleOptions { tile: Some(16), ..options.clone() };
            assert!(largest_difference(&run(&upscaler, &image, &tiled).unwrap().image, &made.image) < 1e-5);
        }
    }
    // An even size has nothing to be padded.
    let image = test_image(3, 60, 46);
    let small = resize(&image, 30, 23, Kernel::BICUBIC);
    let plain = UpscaleOptions { deblur: 1, target: Target::Scale(4.0), ..options.clone() };
    let expected = run(&upscaler, &small, &plain).unwrap().image;
    assert_eq!(run(&upscaler, &image, &options).unwrap().image, expected);
    // Where one pass suffices, there is one.
    let once = UpscaleOptions { target: Target::Scale(1.0), ..options.clone() };
    assert_eq!(run(&upscaler, &image, &once).unwrap().report.passes, 1);
    for (deblur, expected) in
        [(4, "enlarges 2 times; expected a divisor"), (3, "deblur is 3: expected 1, 2 or 4")]
    {
        let error = run(&upscaler, &image, &UpscaleOptions { deblur, ..options.clone() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn colour_runs_through_a_greyscale_bundle_channel_by_channel() {
    let grey = json!({"channels": 1, "encoder": {"file": "e.onnx", "sha256": "0".repeat(64),
        "inputs": {"lr": "lr"}, "output": "f", "features": 1, "halo": 3}});
    let upscaler = upscaler(grey, 2);
    let image = test_image(3, 20, 24);
    let colour = run(&upscaler, &image, &UpscaleOptions::default()).unwrap().image;
    for channel in 0..3 {
        let plane = Raster::from_vec(1, 20, 24, image.plane(channel).to_vec());
        let alone = run(&upscaler, &plane, &UpscaleOptions::default()).unwrap().image;
        assert_eq!(alone.data(), colour.plane(channel));
    }
}

#[test]
fn seeds_differ_and_repeat() {
    let image = test_image(3, 30, 30);
    let upscaler = upscaler(json!({}), 2);
    let with = |seed| {
        let options = UpscaleOptions { seed, steps: Some(2), eta: Some(1.0), ..Default::default() };
        run(&upscaler, &image, &options).unwrap().image
    };
    assert_eq!(with(7).data(), with(7).data());
    assert!(largest_difference(&with(7), &with(8)) > 1e-3);
}

#[test]
fn blended_tiles_join_smoothly_and_never_depend_on_threads() {
    let image = test_image(3, 90, 70);
    let form = json!({"tiling": {"kind": "blend", "overlap": 8}});
    let options = UpscaleOptions { tile: Some(32), steps: Some(3), ..Default::default() };
    let one = run(&upscaler(form.clone(), 1), &image, &options).unwrap().image;
    let three = run(&upscaler(form.clone(), 3), &image, &options).unwrap().image;
    assert_eq!(one.data(), three.data());
    let whole = UpscaleOptions { tile: Some(512), ..options };
    let whole = run(&upscaler(form, 1), &image, &whole).unwrap().image;
    // The overlap exceeds the reach of both networks, so even at the seams little is left of the tiles.
    assert!(largest_difference(&one, &whole) < 0.02, "{}", largest_difference(&one, &whole));
}

#[test]
fn cancelling_at_any_report_ends_the_run() {
    let image = test_image(3, 60, 60);
    let options = UpscaleOptions { tile: Some(20), steps: Some(3), ..Default::default() };
    let upscaler = upscaler(json!({}), 2);
    let reports = Mutex::new(Vec::new());
    let all = |event: ProgressEvent| {
        reports.lock().unwrap().push(event);
        true
    };
    upscaler.upscale(&image, &options, &all, &CancelToken::new()).unwrap();
    let reports = reports.into_inner().unwrap();
    assert!(
        reports.windows(2).all(|pair| pair[0].fraction <= pair[1].fraction && pair[0].step <= pair[1].step)
    );
    let last = reports.last().unwrap();
    assert!((last.fraction - 1.0).abs() < 0.1 && last.step == 3 && last.steps == 3, "{last:?}");
    for stop in 0..reports.len() - 2 {
        let count = AtomicUsize::new(0);
        let until = |_: ProgressEvent| count.fetch_add(1, Ordering::Relaxed) != stop;
        let error = upscaler.upscale(&image, &options, &until, &CancelToken::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "at report {stop}");
        // Two threads finish at most the tile that they are at.
        assert!(count.load(Ordering::Relaxed) <= stop + 2);
    }
    let token = CancelToken::new();
    token.cancel();
    let error = upscaler.upscale(&image, &options, &NoProgress, &token).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    run(&upscaler, &image, &options).unwrap();
}

fn defective(defect: Defect) -> Result<Upscaled> {
    let upscaler =
        Upscaler::with_networks(&manifest(json!({})), vec![FakeNetwork::defective(2, defect)]).unwrap();
    run(&upscaler, &test_image(3, 40, 40), &UpscaleOptions { tile: Some(20), ..Default::default() })
}

#[test]
fn a_passing_fault_is_retried_and_a_lasting_one_fails() {
    assert_eq!(defective(Defect::None).unwrap().report.retries, 0);
    let once = defective(Defect::NotFinite(1)).unwrap();
    assert_eq!(once.report.retries, 1);
    assert_eq!(once.image.data(), defective(Defect::None).unwrap().image.data());
    for (defect, what) in [
        (Defect::NotFinite(usize::MAX), "not a number"),
        (Defect::Constant, "one constant value"),
        (Defect::Bright, "brighter or darker"),
    ] {
        let manifest = manifest(json!({"prediction": {"type": "residual", "scale": 1.0}}));
        let upscaler = Upscaler::with_networks(&manifest, vec![FakeNetwork::defective(2, defect)]).unwrap();
        let error = run(&upscaler, &test_image(3, 40, 40), &UpscaleOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quality);
        let text = error.to_string();
        assert!(text.contains(what) && text.contains("rows 0 to"), "{text}");
    }
}

#[test]
fn a_flat_image_stays_flat_without_complaint() {
    let flat = Raster::from_vec(3, 10, 10, vec![0.25; 300]);
    run(&upscaler(json!({}), 1), &flat, &UpscaleOptions::default()).unwrap();
}

#[test]
fn impossible_requests_name_the_field() {
    let upscaler = upscaler(json!({}), 1);
    let image = test_image(3, 20, 20);
    let error = |options: UpscaleOptions| run(&upscaler, &image, &options).unwrap_err();
    for (options, kind, part) in [
        (UpscaleOptions { steps: Some(41), ..Default::default() }, ErrorKind::InvalidOption, "steps is 41"),
        (
            UpscaleOptions { start_step: Some(41), ..Default::default() },
            ErrorKind::InvalidOption,
            "start step is 41",
        ),
        (
            UpscaleOptions { preset: Some("best".into()), ..Default::default() },
            ErrorKind::InvalidOption,
            "detailed",
        ),
        (UpscaleOptions { memory: Some(1000), ..Default::default() }, ErrorKind::Limit, "at least"),
    ] {
        let error = error(options);
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = run(&upscaler, &Raster::new(2, 4, 4), &UpscaleOptions::default()).unwrap_err();
    assert!(error.to_string().contains("2 channels"), "{error}");
}

/// Nothing is to be added to a result no larger than its image: it is resampled, and no network runs.
#[test]
fn what_is_only_shrunk_takes_no_model() {
    let upscaler = upscaler(json!({}), 1);
    for channels in [1, 3] {
        let image = test_image(channels, 30, 40);
        let shrunk = |target| UpscaleOptions { target, consistency: Some(9), ..Default::default() };
        for (target, height, width) in [
            (Target::Scale(0.5), 15, 20),
            (Target::Fit { width: 20, height: 90 }, 15, 20),
            (Target::Scale(1.0), 30, 40),
        ] {
            let made = run(&upscaler, &image, &shrunk(target)).unwrap();
            assert_eq!((made.report.passes, made.report.tiles), (0, 0));
            assert!(made.report.fidelity.max_error < 1e-3);
            let expected = partdiff::image::resize(&image, height, width, partdiff::image::Kernel::Lanczos3);
            assert!(largest_difference(&made.image, &expected) < 1e-6);
            let mut strips = Vec::new();
            let mut take = |top: usize, strip: Raster| {
                strips.push((top, strip));
                Ok(())
            };
            let loose = UpscaleOptions { consistency: None, ..shrunk(target) };
            upscaler.upscale_strips(&image, &loose, &NoProgress, &CancelToken::new(), &mut take).unwrap();
            let [(0, strip)] = &strips[..] else { panic!("{} strips", strips.len()) };
            assert!(largest_difference(strip, &expected) < 1e-6);
        }
        // One side grows, or damage is to go: that is the model's work.
        for options in [
            shrunk(Target::Size { width: 41, height: 10 }),
            UpscaleOptions { cleanup: 0.5, ..shrunk(Target::Scale(0.5)) },
        ] {
            assert_eq!(run(&upscaler, &image, &options).unwrap().report.passes, 1);
        }
        let map = UpscaleOptions { uncertainty: Some(2), ..shrunk(Target::Scale(0.5)) };
        let error = run(&upscaler, &image, &map).unwrap_err().to_string();
        assert!(error.contains("the result must be larger than the image"), "{error}");
    }
}

#[test]
fn a_preset_fills_in_what_the_user_left_open() {
    let upscaler = upscaler(json!({}), 1);
    let image = test_image(3, 16, 16);
    let preset = UpscaleOptions { preset: Some("detailed".into()), ..Default::default() };
    let sampling = run(&upscaler, &image, &preset).unwrap().report.sampling;
    assert_eq!((sampling.steps, sampling.eta, sampling.start_step), (4, 0.5, 40));
    let early = UpscaleOptions { start_step: Some(2), ..preset };
    assert_eq!(run(&upscaler, &image, &early).unwrap().report.sampling.steps, 2);
}

#[test]
fn back_projection_meets_the_input_whatever_the_cut() {
    let image = test_image(3, 243, 30);
    let upscaler = upscaler(json!({}), 2);
    let loose = UpscaleOptions { steps: Some(2), eta: Some(1.0), ..Default::default() };
    let before = run(&upscaler, &image, &loose).unwrap().report.fidelity;
    assert!(before.max_error > 3.0 && before.rounds == 0, "{before:?}");
    let options = UpscaleOptions { consistency: Some(60), tile: Some(512), ..loose };
    let whole = run(&upscaler, &image, &options).unwrap();
    let fidelity = &whole.report.fidelity;
    assert!(fidelity.max_error < 1.0 && (1..60).contains(&fidelity.rounds), "{fidelity:?}");
    assert!(fidelity.drift.len() == 3 && fidelity.drift.iter().all(|drift| drift.abs() < 0.1));
    // Checked from outside, too.
    let shrunk = partdiff::image::resize(&whole.image, 243, 30, partdiff::image::Kernel::BICUBIC);
    assert!(largest_difference(&shrunk, &image) < 1.0 / 255.0);
    let tiled = UpscaleOptions { tile: Some(24), ..options.clone() };
    let banded = UpscaleOptions {
        tile: None,
        memory: Some(tight_memory(&upscaler, &image, &UpscaleOptions { tile: None, ..options.clone() })),
        ..options
    };
    for cut in [tiled, banded] {
        let result = run(&upscaler, &image, &cut).unwrap();
        assert!(largest_difference(&result.image, &whole.image) < 1e-4);
        assert_eq!(result.report.fidelity.rounds, whole.report.fidelity.rounds);
    }
}

#[test]
fn fidelity_is_that_of_the_whole_way_at_any_factor_and_channel_count() {
    for (channels, form) in [(1, json!({})), (3, json!({})), (3, json!({"size_multiple": 4}))] {
        let upscaler = upscaler(form, 1);
        let image = test_image(channels, 19, 26);
        for target in [Target::Native, Target::Scale(4.0), Target::Scale(1.5), Target::Scale(3.0)] {
            let options = UpscaleOptions { target, consistency: Some(80), ..Default::default() };
            let result = run(&upscaler, &image, &options).unwrap();
            let fidelity = result.report.fidelity;
            assert!(fidelity.max_error < 1.0 && fidelity.drift.len() == channels, "{target:?}: {fidelity:?}");
        }
    }
}

#[test]
fn uncertainty_is_the_spread_over_seeds_and_the_encoder_runs_once() {
    let image = test_image(3, 61, 40);
    let manifest = manifest(json!({}));
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    let network = FakeNetwork { scale: 2, defect: Defect::None, calls: calls.clone() };
    let upscaler = Upscaler::with_networks(&manifest, vec![Box::new(network)]).unwrap();
    let options =
        |seed| UpscaleOptions { steps: Some(2), eta: Some(1.0), seed, tile: Some(512), ..Default::default() };
    let samples: Vec<_> = (5..9).map(|seed| run(&upscaler, &image, &options(seed)).unwrap()).collect();
    let alone = samples[0].report.tiles;
    calls.store(0, Ordering::Relaxed);
    let with = UpscaleOptions { uncertainty: Some(4), ..options(5) };
    let result = run(&upscaler, &image, &with).unwrap();
    assert_eq!(result.image.data(), samples[0].image.data());
    // Two steps for each of four samples, and one run of the encoder.
    assert_eq!((calls.load(Ordering::Relaxed), result.report.tiles, alone), (8, 9, 3));
    let map = result.uncertainty.unwrap();
    assert_eq!((map.channels(), map.height(), map.width()), (1, 122, 80));
    for at in (0..122 * 80).step_by(97) {
        let variance = |channel: usize| {
            let values: Vec<_> =
                samples.iter().map(|sample| f64::from(sample.image.plane(channel)[at]) * 255.0).collect();
            let mean = values.iter().sum::<f64>() / 4.0;
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 3.0
        };
        let expected = ((variance(0) + variance(1) + variance(2)) / 3.0).sqrt();
        assert!((f64::from(map.data()[at]) - expected).abs() < 1e-3 * expected.max(1.0), "at {at}");
    }
    let tight = UpscaleOptions { tile: None, ..with.clone() };
    let tight = UpscaleOptions { memory: Some(tight_memory(&upscaler, &image, &tight)), ..tight };
    let banded = run(&upscaler, &image, &tight).unwrap().uncertainty.unwrap();
    assert!(largest_difference(&banded, &map) < 1e-2);
    // A grey image's map is that of its one channel; another size's is of that size.
    let grey = UpscaleOptions { target: Target::Scale(1.5), ..with.clone() };
    let map = run(&upscaler, &test_image(1, 61, 40), &grey).unwrap().uncertainty.unwrap();
    assert_eq!((map.channels(), map.height(), map.width()), (1, 92, 60));
    let twice = UpscaleOptions { target: Target::Scale(4.0), ..with };
    let error = run(&upscaler, &image, &twice).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("at most 2 times"), "{error}");
}
