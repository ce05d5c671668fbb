//! Puts a network of its own, here plain Rust, into the sampling loop:
//! `cargo run --release --example own_network photo.jpg result.png`

use std::thread;

use partdiff::image::{
    EncodeOptions, ImageFormat, Raster, RestoreOptions, decode, encode, prepare_for_model,
};
use partdiff::model::Bundle;
use partdiff::runtime::network::{Condition, Network};
use partdiff::{CancelToken, Error, ErrorKind, Limits, NoProgress, UpscaleOptions, Upscaler};

/// Sharpens by a Laplacian: its residual is what the upsampled input lacks against its own blur.
struct Sharpener {
    strength: f32,
}

impl Network for Sharpener {
    fn encode(&mut self, _: &Raster, _: f32) -> partdiff::Result<Raster> {
        Err(Error::new(ErrorKind::Model, "the manifest names no encoder"))
    }

    /// The residual [C, s h, s w] in units of the manifest's `prediction.scale`.
    fn predict(&mut self, _: &Raster, condition: Condition<'_>, _: f32) -> partdiff::Result<Raster> {
        let Condition::Upsampled(input) = condition else {
            return Err(Error::new(ErrorKind::Model, "expected the upsampled image as conditioning"));
        };
        let (height, width) = (input.height(), input.width());
        let mut residual = Raster::new(input.channels(), height, width);
        for channel in 0..input.channels() {
            let plane = input.plane(channel);
            let at = |y: usize, x: usize| plane[y.min(height - 1) * width + x.min(width - 1)];
            for y in 0..height {
                for (x, value) in residual.row_mut(channel, y).iter_mut().enumerate() {
                    let around =
                        at(y.saturating_sub(1), x) + at(y + 1, x) + at(y, x.saturating_sub(1)) + at(y, x + 1);
                    *value = self.strength * (at(y, x) - around / 4.0);
                }
            }
        }
        Ok(residual)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("usage: own_network INPUT OUTPUT.png".into());
    };
    // The manifest of an embedded model with what differs.
    let mut manifest = Bundle::resolve("natural-x4")?.manifest().clone();
    manifest.name = "sharpener".into();
    manifest.encoder = None;
    manifest.conditioning = partdiff::model::Conditioning::Upsampled;
    // Pixels of the input that one pixel of the result depends on, in each direction.
    manifest.denoiser.halo = 1;

    // Each network runs on a thread of its own.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let network = || Box::new(Sharpener { strength: 8.0 }) as Box<dyn Network>;
    let upscaler =
        Upscaler::with_networks(&manifest, std::iter::repeat_with(network).take(threads).collect())?;

    let prepared = prepare_for_model(decode(&std::fs::read(input)?, &Limits::default())?);
    let options = UpscaleOptions { steps: Some(1), ..UpscaleOptions::default() };
    let made = upscaler.upscale(&prepared.color, &options, &NoProgress, &CancelToken::new())?;
    let result = prepared.frame.restore(made.image, &RestoreOptions::default());
    std::fs::write(output, encode(&result, &EncodeOptions::new(ImageFormat::Png))?.bytes)?;
    Ok(())
}
