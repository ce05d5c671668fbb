//! Shows progress of its own, and cancels after ten seconds: `cargo run --release --example progress photo.jpg`

use std::thread;
use std::time::Duration;

use partdiff::image::{decode, prepare_for_model};
use partdiff::model::Bundle;
use partdiff::{CancelToken, ErrorKind, Limits, ProgressEvent, RuntimeOptions, UpscaleOptions, Upscaler};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let input = std::env::args_os().nth(1).ok_or("usage: progress INPUT")?;
    let upscaler = Upscaler::open(&Bundle::resolve("natural-x4")?, &RuntimeOptions::default())?;
    let color = prepare_for_model(decode(&std::fs::read(input)?, &Limits::default())?).color;

    // Any thread may cancel. So may the progress, by returning false.
    let cancel = CancelToken::new();
    let clock = cancel.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(10));
        clock.cancel();
    });
    let progress = |event: ProgressEvent| {
        eprint!("\r{:3.0} %, step {} of {}", event.fraction * 100.0, event.step, event.steps);
        true
    };
    let options = UpscaleOptions { preset: Some("detailed".into()), ..UpscaleOptions::default() };
    match upscaler.upscale(&color, &options, &progress, &cancel) {
        Ok(made) => eprintln!("\n{}x{} pixels", made.image.width(), made.image.height()),
        Err(error) if error.kind() == ErrorKind::Cancelled => eprintln!("\ncancelled"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
