//! Networks over an embedded bundle.

use std::time::{Duration, Instant};

use super::*;
use crate::model::Bundle;

/// The runtime and the default bundle; `None`, said past the harness, without ONNX Runtime.
fn bundle() -> Option<(&'static Runtime, Bundle)> {
    let runtime = crate::runtime::test_runtime()?;
    Some((runtime, Bundle::embedded("natural-x4").unwrap().unwrap()))
}

fn spec(bundle: &Bundle) -> NetworkSpec {
    NetworkSpec::from(bundle.manifest())
}

fn bytes(bundle: &Bundle) -> NetworkBytes<'_> {
    NetworkBytes::from(bundle)
}

fn image(height: usize, width: usize) -> Raster {
    let data = (0..3 * height * width).map(|index| ((index * 37) % 101) as f32 / 50.0 - 1.0).collect();
    Raster::from_vec(3, height, width, data)
}

fn open(bundle: &Bundle, runtime: &Runtime, spec: &NetworkSpec, workers: usize) -> Result<Networks> {
    open_networks(runtime, spec, bytes(bundle), Device::Cpu, workers, false)
}

#[test]
fn a_bundle_runs_at_any_size_and_workers_agree_to_the_bit() {
    let Some((runtime, bundle)) = bundle() else { return };
    let mut opened = open(&bundle, runtime, &spec(&bundle), 2).unwrap();
    assert_eq!(opened.networks.len(), 2);
    assert_eq!(opened.provider.to_string(), "cpu");
    let multiple = bundle.manifest().size_multiple;
    for (height, width) in [(12, 20), (1, 1), (7, 3)].map(|(h, w)| (h * multiple, w * multiple)) {
        let results: Vec<(Raster, Raster)> = std::thread::scope(|scope| {
            let run = |network: &mut OrtNetwork| {
                let features = network.encode(&image(height, width), 0.0).unwrap();
                let latent = image(4 * height, 4 * width);
                let prediction = network.predict(&latent, Condition::Features(&features), 0.5).unwrap();
                (features, prediction)
            };
            let threads: Vec<_> =
                opened.networks.iter_mut().map(|network| scope.spawn(move || run(network))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (features, prediction) = &results[0];
        assert_eq!((features.channels(), features.height(), features.width()), (96, height, width));
        let shape = (prediction.channels(), prediction.height(), prediction.width());
        assert_eq!(shape, (3, 4 * height, 4 * width));
        assert!(prediction.data().iter().all(|value| value.is_finite()));
        assert!(prediction.data().iter().any(|value| *value != 0.0));
        assert_eq!(results[0], results[1]);
    }
}

#[test]
fn graphs_that_do_not_fit_the_manifest_are_refused() {
    let Some((runtime, bundle)) = bundle() else { return };
    let refusal = |change: &dyn Fn(&mut NetworkSpec)| {
        let mut spec = spec(&bundle);
        change(&mut spec);
        let error = open(&bundle, runtime, &spec, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        error.report()
    };
    assert_eq!(
        refusal(&|spec| spec.channels = 1),
        "encoder.onnx: input \"lr\" (low-resolution image) has shape [?, 3, ?, ?], expected [1, 1, ?, ?] (? is free)"
    );
    assert_eq!(
        refusal(&|spec| spec.denoiser.timestep = "time".to_owned()),
        "denoiser.onnx: input \"time\" (timestep) is missing; the graph has \"z\", \"features\", \"t\""
    );
    assert_eq!(
        refusal(&|spec| spec.denoiser.conditioning_kind = ConditioningKind::Lr),
        "denoiser.onnx: input \"features\" (conditioning) has shape [?, 96, ?, ?], expected [1, 3, ?, ?] (? is free)"
    );
    assert!(refusal(&|spec| spec.encoder = None).contains("does not name an encoder"));
    let no_encoder = NetworkBytes { encoder: None, denoiser: bundle.denoiser() };
    let error = open_networks(runtime, &spec(&bundle), no_encoder, Device::Cpu, 1, true).unwrap_err();
    assert!(error.to_string().contains("it is missing"), "{error}");
}

#[test]
fn wrong_scale_and_wrong_conditioning_are_told() {
    let Some((runtime, bundle)) = bundle() else { return };
    let mut opened = open(&bundle, runtime, &spec(&bundle), 1).unwrap();
    let network = &mut opened.networks[0];
    let features = network.encode(&image(8, 8), 0.0).unwrap();
    let error = network.predict(&image(32, 32), Condition::Lr(&features), 0.5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    // Sizes that do not belong together fail inside the graph; the process and the network survive.
    let error = network.predict(&image(24, 24), Condition::Features(&features), 0.5).unwrap_err();
    assert!(error.report().starts_with("denoiser.onnx: the inference failed: "), "{}", error.report());
    network.predict(&image(32, 32), Condition::Features(&features), 0.5).unwrap();
}

#[test]
fn damaged_graphs_are_errors_not_crashes() {
    let Some((runtime, bundle)) = bundle() else { return };
    let denoiser = bundle.denoiser();
    for length in [0, 1, 100, denoiser.len() / 2, denoiser.len() - 1] {
        let bytes = NetworkBytes { encoder: bundle.encoder(), denoiser: &denoiser[..length] };
        let error = open_networks(runtime, &spec(&bundle), bytes, Device::Cpu, 1, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model, "{length}");
        assert!(error.report().starts_with("denoiser.onnx: "), "{}", error.report());
    }
}

#[test]
fn terminate_stops_a_running_inference_and_reset_allows_the_next() {
    let Some((runtime, bundle)) = bundle() else { return };
    let mut opened = open(&bundle, runtime, &spec(&bundle), 1).unwrap();
    let network = &mut opened.networks[0];
    let terminator = network.terminator();
    let started = Instant::now();
    // Long enough that the switch is thrown while it runs; the wait only decides how much work is lost.
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            terminator.terminate();
        });
        loop {
            if let Err(error) = network.encode(&image(256, 256), 0.0) {
                return error;
            }
            assert!(started.elapsed() < Duration::from_secs(300), "terminate had no effect");
        }
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(network.encode(&image(4, 4), 0.0).unwrap_err().kind(), ErrorKind::Cancelled);
    terminator.reset();
    network.encode(&image(4, 4), 0.0).unwrap();
}

#[test]
fn a_device_without_memory_is_told_from_other_failures() {
    for (message, lacking) in [
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=a", true),
        ("Failed to allocate memory for requested buffer of size 905969664", true),
        ("Available memory of 1048576 is smaller than requested bytes of 2097152", true),
        ("CUDNN failure 4000: CUDNN_STATUS_ALLOC_FAILED", true),
        ("Got invalid dimensions for input: x", false),
    ] {
        let cause = std::io::Error::other(message);
        let error = Error::with_source(ErrorKind::Runtime, "denoiser.onnx: the inference failed", cause);
        assert_eq!(is_out_of_memory(&error), lacking, "{message}");
    }
    assert!(!is_out_of_memory(&Error::new(ErrorKind::Limit, "out of memory")));
}
