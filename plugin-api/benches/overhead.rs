//! What the C ABI costs over the engine itself: `cargo bench -p partdiff-capi --bench overhead [-- SIDE [ROUNDS]]`.
//!
//! All run once per round, in turn, so that a busy machine is unfair to all alike; ratios are of the best times. Peaks of
//! memory are those of processes of their own, which do one image each.

mod common;

use std::path::Path;
use std::process::Command;

use partdiff_host::{Color, Form, Input, Library, Output, Sample, Strip, StripMut};

use common::{arguments, better, engine, line, number, peak, pixels, raster, timed};

const CONTENDERS: [&str; 3] = ["engine", "library, in memory", "library, in strips"];

/// Makes a run that can be repeated.
fn contender(name: &str, side: usize) -> Box<dyn FnMut()> {
    let values = pixels(side);
    if name == CONTENDERS[0] {
        return Box::new(engine(raster(&values, side)));
    }
    let program = std::env::current_exe().expect("a program");
    let library = Library::open(&program.with_file_name("libpartdiff_capi.so")).expect("the library");
    let context = library.context().expect("this ABI");
    context.set_text("device", Some("cpu")).expect("a device");
    let model = context.open(None).expect("ONNX Runtime");
    let mut job = model.job().expect("a job");
    job.set_int("steps", 1).expect("an option");
    job.set_int("cleanup", 0).expect("an option");
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

fn main() {
    let arguments = arguments();
    let (side, rounds) = (number(&arguments, 0, 1000), number(&arguments, 1, 3));
    if let Some(name) = arguments.get(2) {
        contender(name, side)();
        println!("{}", peak("self").unwrap_or(0));
        return;
    }
    let mut runs = CONTENDERS.map(|name| contender(name, side));
    let mut best = [[f64::INFINITY; 2]; CONTENDERS.len()];
    for _ in 0..rounds {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            *best = better(*best, timed(run));
        }
    }
    drop(runs);
    println!("{side}x{side} pixels, one step, factor 4");
    for (name, seconds) in CONTENDERS.iter().zip(best) {
        let program = std::env::current_exe().expect("a program");
        let memory = Command::new(Path::new(&program)).args([&side.to_string(), "1", name]).output();
        let memory = memory.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        line(name, seconds, best[0], &memory.unwrap_or_default());
    }
}
