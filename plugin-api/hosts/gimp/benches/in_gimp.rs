//! What the plug-ins cost over the engine itself, from GIMP's call to the return:
//! `cargo bench -p partdiff-gimp --bench in_gimp [-- SIDE [ROUNDS]]`, after `cargo build --release`.
//!
//! Engine and GIMP run once per round, in turn, so that a busy machine is unfair to all alike; ratios are of the best
//! times. Processor seconds are those of plug-in and GIMP together. The plug-in starts anew for each image and opens
//! the model, which the engine has done before.

#[path = "../../../benches/common/mod.rs"]
mod common;
#[path = "../tests/common/mod.rs"]
mod gimp;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use partdiff::image::{EncodeOptions, Image, ImageFormat, SampleDepth, encode};

use common::{arguments, better, engine, line, number, peak, pixels, processor, raster, timed};
use gimp::scheme::{header, upscale_cleaned, with_image};
use gimp::{Generation, Gimp};

/// Best seconds by the clock and of the processor, and the largest peak of the plug-in in MiB, by what was done.
type Figures = BTreeMap<String, ([f64; 2], u64)>;

fn main() {
    let arguments = arguments();
    let (side, rounds) = (number(&arguments, 0, 1000), number(&arguments, 1, 2));
    let image = raster(&pixels(side), side);
    let file = Image::new(image.clone(), None, SampleDepth::U8, ImageFormat::Png);
    let png = encode(&file, &EncodeOptions::new(ImageFormat::Png)).expect("an image").bytes;
    let mut engine = engine(image);
    let hosts: Vec<Gimp> = [Generation::Two, Generation::Three].into_iter().filter_map(Gimp::new).collect();
    let (mut alone, mut figures) = ([f64::INFINITY; 2], Figures::new());
    for _ in 0..rounds {
        alone = better(alone, timed(&mut engine));
        for host in &hosts {
            let input = host.path("square.png");
            fs::write(&input, &png).expect("room");
            measure(host, &input, &mut figures);
        }
    }
    println!("{side}x{side} pixels, 8-bit RGB, one step, factor 4");
    line("engine", alone, alone, "");
    for (name, (seconds, memory)) in figures {
        line(&name, seconds, alone, &memory.to_string());
    }
}

/// Runs the plug-in in both its ways on the image at `input`.
fn measure(host: &Gimp, input: &Path, figures: &mut Figures) {
    // Differences, because Scheme prints ten digits.
    let clocked = |name: &str, work: String| {
        format!(
            "(let* ((start (gettimeofday)) (done {work}) (end (gettimeofday)))
               (gimp-message (string-append \"{name}=\"
                 (number->string (+ (- (car end) (car start)) (/ (- (cadr end) (cadr start)) 1000000.0))))))\n"
        )
    };
    let generation = if host.generation == Generation::Two { "GIMP 2.10" } else { "GIMP 3" };
    for (way, this_image) in [("new image", false), ("this image", true)] {
        let name = format!("{generation}, {way}");
        let script = header(host).to_owned()
            + &with_image(host, input, &clocked(&name, upscale_cleaned(host, 4, this_image, "0")));
        let (said, use_of) = watched(|| host.batch(&script));
        let number = said.split(&format!("{name}=")).nth(1).and_then(|rest| rest.split_whitespace().next());
        let clock: f64 = number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{said}"));
        let best = figures.entry(name).or_insert(([f64::INFINITY; 2], 0));
        *best = (better(best.0, [clock, use_of.plug_in + use_of.gimp]), best.1.max(use_of.peak));
    }
}

/// What a run of the plug-in took, as far as it was seen.
#[derive(Default)]
struct Use {
    /// Processor seconds of the plug-in.
    plug_in: f64,
    /// Processor seconds of GIMP while the plug-in was there.
    gimp: f64,
    /// The plug-in's peak of memory in MiB.
    peak: u64,
}

/// Does `work` and looks meanwhile at the plug-in of ours that it starts, and at its parent, which is GIMP.
fn watched<T>(work: impl FnOnce() -> T) -> (T, Use) {
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut seen, mut first) = (Use::default(), None);
            while !finished.load(Ordering::Relaxed) {
                if let Some((id, parent)) = plug_in() {
                    seen.plug_in = processor(&id).unwrap_or(seen.plug_in);
                    seen.peak = peak(&id).unwrap_or(seen.peak);
                    if let Some(now) = processor(&parent) {
                        seen.gimp = now - *first.get_or_insert(now);
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
            seen
        });
        let value = work();
        finished.store(true, Ordering::Relaxed);
        (value, watcher.join().expect("it only reads"))
    })
}

/// The numbers of a process that is a plug-in of ours, asked for an image, and of its parent.
fn plug_in() -> Option<(String, String)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ours = processes.map(|process| process.path()).find(|process| {
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        // GIMP asks with -query at its start.
        let asked = fs::read(process.join("cmdline")).unwrap_or_default();
        program.ends_with("plug-ins/partdiff-gimp/partdiff-gimp")
            && asked.split(|&byte| byte == 0).any(|argument| argument == b"-run")
    })?;
    let status = fs::read_to_string(ours.join("status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Some((ours.file_name()?.to_str()?.to_owned(), parent.trim().to_owned()))
}
