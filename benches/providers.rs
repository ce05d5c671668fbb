//! The command with each provider, precision and preset, side by side in one run, from process start to file written;
//! a Python loop over the same graphs, and Real-ESRGAN. `cargo bench --bench providers [-- IMAGE [ROUNDS]]`
//!
//! Every contender runs once per round, in turn, so that a busy machine is unfair to all alike; the best times count.
//! PARTDIFF_PYTHON is a Python with numpy, Pillow, onnxruntime and what onnx/ imports, PARTDIFF_PEER the folder that
//! `python -m partdiff_train peer` filled (without it Real-ESRGAN is left out; it runs in the first round only),
//! PARTDIFF_DEVICES the devices, each with `@` and its library if that is not the usual one, else all that need no GPU. A
//! provider that cannot run says why.

mod shared;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use partdiff::model::{Bundle, DEFAULT_BUNDLE};

const DEVICES: &str = "cpu openvino openvino:bf16 webgpu";

/// What is timed.
struct Contender {
    name: String,
    preset: String,
    rounds: usize,
    command: Box<dyn Fn() -> Command>,
    /// Seconds in all and, of the command, those inside the networks on each thread.
    best: Option<(f64, Option<f64>)>,
}

fn main() {
    let mut arguments = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = arguments.next().map_or_else(|| shared::sample(folder.path()), PathBuf::from);
    let rounds = arguments.next().and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(3);
    let (width, height) = image::image_dimensions(&image).expect("an image");
    let bundle = Bundle::embedded(DEFAULT_BUNDLE).expect("embedded").expect("intact");
    let scale = bundle.manifest().scale as f64;
    let megapixels = f64::from(width) * f64::from(height) * scale * scale / 1e6;
    println!(
        "{} ({width}x{height}, {megapixels:.2} megapixels of output), best of {rounds}\n",
        image.display()
    );
    let mut contenders = contenders(&bundle, &image, folder.path(), rounds);
    for round in 0..rounds {
        for contender in contenders.iter_mut().filter(|contender| round < contender.rounds) {
            let start = Instant::now();
            let Some(text) = shared::printed((contender.command)()) else {
                contender.rounds = 0;
                continue;
            };
            let seconds = start.elapsed().as_secs_f64();
            if contender.best.is_none_or(|(best, _)| seconds < best) {
                contender.best = Some((seconds, inference(&text)));
            }
        }
    }
    println!("| | preset | s per megapixel | of that, networks |\n| --- | --- | --- | --- |");
    for Contender { name, preset, best, .. } in &contenders {
        match best {
            Some((seconds, networks)) => {
                let share =
                    networks.map_or(String::new(), |networks| format!("{:.0} %", 100.0 * networks / seconds));
                println!("| {name} | {preset} | {:.3} | {share} |", seconds / megapixels);
            }
            None => println!("| {name} | {preset} | did not run | |"),
        }
    }
}

fn contenders(bundle: &Bundle, image: &Path, folder: &Path, rounds: usize) -> Vec<Contender> {
    let mut contenders = Vec::new();
    let mut add = |name: &str, preset: &str, rounds, command: Box<dyn Fn() -> Command>| {
        contenders.push(Contender { name: name.into(), preset: preset.into(), rounds, command, best: None });
    };
    let devices = std::env::var("PARTDIFF_DEVICES").unwrap_or_else(|_| DEVICES.into());
    for (preset, values) in bundle.manifest().presets_by_steps() {
        for device in devices.split_whitespace() {
            let (device, library) = device.split_once('@').unwrap_or((device, ""));
            let options = [
                "--overwrite",
                "--json",
                "--timings",
                "--cleanup",
                "0",
                "--preset",
                preset,
                "--device",
                device,
            ];
            let mut arguments: Vec<OsString> = vec!["upscale".into(), image.into(), "-o".into()];
            arguments.push(folder.join("command.png").into());
            arguments.extend(options.map(OsString::from));
            if !library.is_empty() {
                arguments.extend(["--library".into(), library.into()]);
            }
            let command = move || {
                let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
                command.args(&arguments);
                command
            };
            add(&format!("`{device}`"), preset, rounds, Box::new(command));
        }
        let (image, output, steps) = (image.to_owned(), folder.join("python.png"), values.steps.to_string());
        let command = move || {
            let mut command = shared::python("python_loop.py");
            command.arg("onnxruntime").arg(shared::model_folder()).arg(&image).arg(&output).arg(&steps);
            command
        };
        add("Python loop, onnxruntime", preset, rounds, Box::new(command));
    }
    if let Some(peer) = std::env::var_os("PARTDIFF_PEER") {
        let (image, output) = (image.to_owned(), folder.join("peer.png"));
        let command = move || {
            let mut command = shared::python("real_esrgan.py");
            command.arg(&peer).arg(&image).arg(&output);
            command
        };
        add("Real-ESRGAN x4plus, ncnn", "", 1, Box::new(command));
    }
    contenders
}

/// Seconds inside the networks, of what the command printed.
fn inference(text: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value.get("timings")?.get("inference_s")?.as_f64()
    })
}
