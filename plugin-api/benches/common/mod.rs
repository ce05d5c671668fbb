//! What the benchmarks share: arguments, an image, the engine alone, memory.

#![allow(dead_code, reason = "not every benchmark uses all of it")]

use std::fs;
use std::time::Instant;

use partdiff::image::Raster;
use partdiff::model::{Bundle, DEFAULT_BUNDLE};
use partdiff::runtime::Device;
use partdiff::{CancelToken, NoProgress, RuntimeOptions, UpscaleOptions, Upscaler};

/// The arguments of the benchmark.
pub fn arguments() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| argument != "--bench").collect()
}

/// The argument at `index`, a number.
pub fn number(arguments: &[String], index: usize, default: usize) -> usize {
    arguments.get(index).and_then(|argument| argument.parse().ok()).unwrap_or(default)
}

/// Interleaved 8-bit colours of a square.
pub fn pixels(side: usize) -> Vec<u8> {
    (0..side * side * 3).map(|i| ((i / 3 % 97) * 2 + (i / side) % 50) as u8).collect()
}

/// The same, as the engine takes it.
pub fn raster(pixels: &[u8], side: usize) -> Raster {
    let planes = (0..3).flat_map(|c| pixels.iter().skip(c).step_by(3).map(|&v| f32::from(v) / 255.0));
    Raster::from_vec(3, side, side, planes.collect())
}

/// The engine by itself, with the default model and its single step, ready to be run again and again.
pub fn engine(image: Raster) -> impl FnMut() {
    let bundle = Bundle::embedded(DEFAULT_BUNDLE).expect("embedded").expect("good");
    let runtime = RuntimeOptions { device: Device::Cpu, ..Default::default() };
    let upscaler = Upscaler::open(&bundle, &runtime).expect("ONNX Runtime");
    let options = UpscaleOptions { steps: Some(1), ..Default::default() };
    move || {
        upscaler.upscale(&image, &options, &NoProgress, &CancelToken::new()).expect("works");
    }
}

/// The most memory that process `id` ("self": this one) has had, in MiB.
pub fn peak(id: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? >> 10)
}

/// The processor seconds that process `id` has used, to a hundredth; other programs disturb them less than the clock.
pub fn processor(id: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// Seconds by the clock and of the processor that `work` takes in this process.
pub fn timed(work: impl FnOnce()) -> [f64; 2] {
    let (clock, before) = (Instant::now(), processor("self").unwrap_or(f64::NAN));
    work();
    [clock.elapsed().as_secs_f64(), processor("self").unwrap_or(f64::NAN) - before]
}

/// The better of both numbers.
pub fn better(one: [f64; 2], other: [f64; 2]) -> [f64; 2] {
    [one[0].min(other[0]), one[1].min(other[1])]
}

/// A line of the table: what was done, seconds by the clock and of the processor, each with its ratio to those of the
/// engine, and memory.
pub fn line(name: &str, [clock, processor]: [f64; 2], engine: [f64; 2], memory: &str) {
    let (ratio, shares) = (clock / engine[0], processor / engine[1]);
    println!(
        "{name:24} {clock:8.2} s {ratio:6.3}   processors {processor:8.2} s {shares:6.3}   {memory:>6} MiB"
    );
}
