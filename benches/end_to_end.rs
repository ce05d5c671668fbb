//! Side by side in one run: the whole engine, its ONNX sessions alone, the command, and Python loops over the
//! same bundle. `cargo bench --bench end_to_end [-- IMAGE [STEPS [ROUNDS]]]`
//!
//! Every contender runs once per round, in turn, so that a busy machine is unfair to all alike; ratios are of
//! the best times. Set PARTDIFF_PYTHON to a Python with numpy, Pillow and onnxruntime (torch if wanted).

mod shared;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use partdiff::image::Raster;
use partdiff::model::{Bundle, DEFAULT_BUNDLE};
use partdiff::runtime::network::{Condition, Network};
use partdiff::runtime::{Device, NetworkBytes, NetworkSpec, Runtime, open_networks};
use partdiff::{CancelToken, NoProgress, Result, UpscaleOptions, Upscaler};

/// One network call, by the sizes of its low-resolution input.
#[derive(Clone, Copy)]
enum Call {
    Encode { height: usize, width: usize },
    Predict { height: usize, width: usize },
}

/// A name and what is timed; `false` where it could not run.
type Contender<'a> = (&'a str, Box<dyn FnMut() -> bool + 'a>);

/// Notes every call that passes through it.
struct Recorder {
    inner: Box<dyn Network>,
    scale: usize,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Network for Recorder {
    fn encode(&mut self, lr: &Raster, level: f32) -> Result<Raster> {
        self.calls.lock().unwrap().push(Call::Encode { height: lr.height(), width: lr.width() });
        self.inner.encode(lr, level)
    }

    fn predict(&mut self, latent: &Raster, condition: Condition<'_>, timestep: f32) -> Result<Raster> {
        let (height, width) = (latent.height() / self.scale, latent.width() / self.scale);
        self.calls.lock().unwrap().push(Call::Predict { height, width });
        self.inner.predict(latent, condition, timestep)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let image = arguments.first().map(PathBuf::from);
    let steps = arguments.get(1).map_or(4, |steps| steps.parse().expect("STEPS is a number"));
    let rounds = arguments.get(2).map_or(5, |rounds| rounds.parse().expect("ROUNDS is a number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = image.unwrap_or_else(|| shared::sample(folder.path()));
    let input = decode(&image);
    println!("{} ({}x{}), {steps} steps, best of {rounds}", image.display(), input.width(), input.height());

    let options = UpscaleOptions { steps: Some(steps), ..Default::default() };
    let bundle = Bundle::embedded(DEFAULT_BUNDLE).expect("embedded").expect("intact");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let recorded = networks(&bundle, threads)
        .into_iter()
        .map(|inner| {
            let scale = bundle.manifest().scale;
            Box::new(Recorder { inner, scale, calls: calls.clone() }) as Box<dyn Network>
        })
        .collect();
    let upscaler = Upscaler::with_networks(bundle.manifest(), recorded).expect("networks");
    let run = || upscaler.upscale(&input, &options, &NoProgress, &CancelToken::new()).expect("upscaled");
    run();
    let calls = calls.lock().unwrap().clone();
    let mut alone = networks(&bundle, threads);

    let output = folder.path().join("out.png");
    let command = |steps: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.arg("upscale").arg(&image).arg("-o").arg(&output).args([
            "--overwrite",
            "--quiet",
            "--steps",
            steps,
        ]);
        command
    };
    let (steps_text, model) = (steps.to_string(), shared::model_folder());
    let mut contenders: Vec<Contender<'_>> = vec![
        (
            "engine",
            Box::new(|| {
                run();
                true
            }),
        ),
        (
            "ONNX sessions alone, same tiles and steps",
            Box::new(|| {
                replay(&mut alone, &bundle, &calls);
                true
            }),
        ),
    ];
    contenders.push((
        "partdiff upscale, process start to file written",
        Box::new(|| shared::printed(command(&steps_text)).is_some()),
    ));
    for (name, engine) in [
        ("Python loop, numpy and onnxruntime, start to file written", "onnxruntime"),
        ("Python loop, PyTorch eager, start to file written", "torch"),
    ] {
        let (image, output, model) = (image.clone(), folder.path().join("python.png"), model.clone());
        contenders.push((
            name,
            Box::new(move || {
                let mut command = shared::python("python_loop.py");
                command.arg(engine).arg(&model).arg(&image).arg(&output).arg(steps.to_string());
                shared::printed(command).is_some()
            }),
        ));
    }
    let mut best = vec![f64::INFINITY; contenders.len()];
    for _ in 0..rounds {
        for ((_, contender), best) in contenders.iter_mut().zip(&mut best) {
            let start = Instant::now();
            if contender() {
                *best = best.min(start.elapsed().as_secs_f64());
            }
        }
    }
    for ((name, _), seconds) in contenders.iter().zip(&best) {
        if seconds.is_finite() {
            println!("{seconds:8.3} s  {:5.2} x engine  {name}", seconds / best[0]);
        } else {
            println!("       -                  {name}: did not run (missing packages?)");
        }
    }
    println!("engine over sessions alone: {:.3}", best[0] / best[1]);
}

fn networks(bundle: &Bundle, threads: usize) -> Vec<Box<dyn Network>> {
    let runtime = Runtime::open(None, Device::Cpu).expect("ONNX Runtime; run `partdiff runtime install`");
    let bytes = NetworkBytes { encoder: bundle.encoder(), denoiser: bundle.denoiser() };
    let spec = NetworkSpec::from(bundle.manifest());
    let opened = open_networks(runtime, &spec, bytes, Device::Cpu, threads, false).expect("networks");
    opened.networks.into_iter().map(|network| Box::new(network) as Box<dyn Network>).collect()
}

/// Runs the recorded calls on ready-made inputs, shared among threads as the engine does.
fn replay(networks: &mut [Box<dyn Network>], bundle: &Bundle, calls: &[Call]) {
    let manifest = bundle.manifest();
    let features = manifest.encoder.as_ref().map_or(0, |encoder| encoder.features);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for network in networks {
            let next = &next;
            scope.spawn(move || {
                while let Some(call) = calls.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    match *call {
                        Call::Encode { height, width } => {
                            let lr = Raster::new(manifest.channels, height, width);
                            network.encode(&lr, 0.0).expect("encoded");
                        }
                        Call::Predict { height, width } => {
                            let (h, w) = (height * manifest.scale, width * manifest.scale);
                            let latent = Raster::new(manifest.channels, h, w);
                            let features = Raster::new(features, height, width);
                            network.predict(&latent, Condition::Features(&features), 0.5).expect("predicted");
                        }
                    }
                }
            });
        }
    });
}

fn decode(path: &Path) -> Raster {
    let image = image::open(path).expect("an image").to_rgb32f();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut raster = Raster::new(3, height, width);
    for (x, y, pixel) in image.enumerate_pixels() {
        for channel in 0..3 {
            raster.row_mut(channel, y as usize)[x as usize] = pixel.0[channel];
        }
    }
    raster
}
