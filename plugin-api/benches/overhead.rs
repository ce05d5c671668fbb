//! What the C ABI costs over the engine itself: `cargo bench -p partdiff-capi --bench overhead [-- SIDE [ROUNDS]]`.
//!
//! All run once per round, in turn, so that a busy machine is unfair to all alike; ratios are of the best times. Peaks of
//! memory are those of processes of their own, which do one picture each.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use partdiff::image::Raster;
use partdiff::model::{Bundle, DEFAULT_BUNDLE};
use partdiff::runtime::Device;
use partdiff::{CancelToken, NoProgress, RuntimeOptions, UpscaleOptions, Upscaler};
use partdiff_host::{Color, Form, Input, Library, Output, Sample, Strip, StripMut};

const CONTENDERS: [&str; 3] = ["engine", "library, in memory", "library, in strips"];

/// Makes a run that can be repeated.
fn contender(name: &str, side: usize) -> Box<dyn FnMut()> {
    let values: Vec<u8> = (0..side * side * 3).map(|i| ((i / 3 % 97) * 2 + (i / side) % 50) as u8).collect();
    if name == CONTENDERS[0] {
        let bundle = Bundle::embedded(DEFAULT_BUNDLE).expect("embedded").expect("good");
        let runtime = RuntimeOptions { device: Device::Cpu, ..Default::default() };
        let upscaler = Upscaler::open(&bundle, &runtime).expect("ONNX Runtime");
        let planes = (0..3).flat_map(|c| values.iter().skip(c).step_by(3).map(|&v| f32::from(v) / 255.0));
        let image = Raster::from_vec(3, side, side, planes.collect());
        let options = UpscaleOptions { steps: Some(1), ..Default::default() };
        return Box::new(move || {
            upscaler.upscale(&image, &options, &NoProgress, &CancelToken::new()).expect("works");
        });
    }
    let program = std::env::current_exe().expect("a program");
    let library = Library::open(&program.with_file_name("libpartdiff_capi.so")).expect("the library");
    let context = library.context().expect("this ABI");
    context.set_text("device", Some("cpu")).expect("a device");
    let model = context.open(None).expect("ONNX Runtime");
    let mut job = model.job().expect("a job");
    job.set_int("steps", 1).expect("an option");
    let small = Form::new(Sample::U8, Color::Rgb, side as u32, side as u32);
    let (width, height) = job.output_size(side as u32, side as u32).expect("a size");
    let large = Form { width, height, ..small };
    if name == CONTENDERS[1] {
        let mut result = vec![0; large.bytes()];
        return Box::new(move || {
            let (from, to) = (Input::Memory(&values), Output::Memory(&mut result));
            job.run(&small, from, &large, to, Some(&mut |_, _, _| true)).expect("works");
        });
    }
    Box::new(move || {
        let row = side * 3;
        let mut read = |strip: StripMut<'_>| {
            let start = strip.top as usize * row;
            strip.bytes.copy_from_slice(&values[start..start + strip.bytes.len()]);
            true
        };
        let mut write = |strip: Strip<'_>| !strip.bytes.is_empty();
        let (from, to) = (Input::Rows(&mut read), Output::Rows(&mut write));
        job.run(&small, from, &large, to, Some(&mut |_, _, _| true)).expect("works");
    })
}

/// The most memory that this process has had, in MiB.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? >> 10)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |index: usize, default: usize| {
        arguments.get(index).and_then(|argument| argument.parse().ok()).unwrap_or(default)
    };
    let (side, rounds) = (number(0, 1000), number(1, 3));
    if let Some(name) = arguments.get(2) {
        contender(name, side)();
        println!("{}", peak().unwrap_or(0));
        return;
    }
    let mut runs = CONTENDERS.map(|name| contender(name, side));
    let mut best = [f64::INFINITY; CONTENDERS.len()];
    for _ in 0..rounds {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            let start = Instant::now();
            run();
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    drop(runs);
    println!("{side}x{side} pixels, one step, factor 4");
    for (name, seconds) in CONTENDERS.iter().zip(best) {
        let program = std::env::current_exe().expect("a program");
        let memory = Command::new(Path::new(&program)).args([&side.to_string(), "1", name]).output();
        let memory = memory.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let ratio = seconds / best[0];
        println!("{name:20} {seconds:8.2} s  {ratio:6.3}  {:>6} MiB", memory.unwrap_or_default());
    }
}
