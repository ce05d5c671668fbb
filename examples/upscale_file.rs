//! Upscales a file, with its colour profile, transparency and metadata:
//! `cargo run --release --example upscale_file photo.jpg photo_x4.jpg`

use partdiff::image::{EncodeOptions, ImageFormat, RestoreOptions, decode, encode, prepare_for_model};
use partdiff::model::Bundle;
use partdiff::{CancelToken, Error, ErrorKind, Limits, NoProgress, RuntimeOptions, UpscaleOptions, Upscaler};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("usage: upscale_file INPUT OUTPUT".into());
    };
    let format = ImageFormat::from_path(output.as_ref())
        .ok_or_else(|| Error::new(ErrorKind::Output, "the output's extension names no format"))?;

    // One upscaler serves any number of images, from any number of threads.
    let upscaler = Upscaler::open(&Bundle::resolve("natural-x4")?, &RuntimeOptions::default())?;

    let image = decode(&std::fs::read(input)?, &Limits::default())?;
    // The model sees colour as sRGB; everything else waits in the frame.
    let prepared = prepare_for_model(image);
    let made =
        upscaler.upscale(&prepared.color, &UpscaleOptions::default(), &NoProgress, &CancelToken::new())?;
    let result = prepared.frame.restore(made.image, &RestoreOptions::default());
    let encoded = encode(&result, &EncodeOptions::new(format))?;
    for warning in &encoded.warnings {
        eprintln!("{warning}");
    }
    std::fs::write(output, encoded.bytes)?;
    Ok(())
}
