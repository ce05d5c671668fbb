//! Measuring the machine before a long run.

use std::time::Instant;

use crate::diffusion::NoiseField;
use crate::error::Result;
use crate::image::Raster;
use crate::model::{Conditioning, Manifest};
use crate::runtime::network::{Condition, Network};

/// Side of the square that is measured, in low-resolution pixels.
const PROBE_SIDE: usize = 64;

/// Seconds per low-resolution pixel that one network takes for the encoder and for a step of the denoiser.
pub(crate) fn probe(manifest: &Manifest, network: &mut dyn Network) -> Result<(f64, f64)> {
    let (side, scale) = (PROBE_SIDE.next_multiple_of(manifest.size_multiple), manifest.scale);
    let channels = manifest.channels;
    let mut lr = Raster::new(channels, side, side);
    let mut latent = Raster::new(channels, side * scale, side * scale);
    NoiseField::new(0).fill(0, 0, 0, 0, lr.data_mut());
    NoiseField::new(0).fill(1, 0, 0, 0, latent.data_mut());
    let mut times = (f64::INFINITY, f64::INFINITY);
    // The first run also allocates; the faster of two is the speed to expect.
    for _ in 0..2 {
        let start = Instant::now();
        let features = match manifest.conditioning {
            Conditioning::Features => Some(network.encode(&lr, 0.0)?),
            _ => None,
        };
        times.0 = times.0.min(start.elapsed().as_secs_f64());
        let condition = match (&features, manifest.conditioning) {
            (Some(features), _) => Condition::Features(features),
            (None, Conditioning::Lr) => Condition::Lr(&lr),
            (None, _) => Condition::Upsampled(&latent),
        };
        let start = Instant::now();
        network.predict(&latent, condition, 1.0)?;
        times.1 = times.1.min(start.elapsed().as_secs_f64());
    }
    if manifest.conditioning != Conditioning::Features {
        times.0 = 0.0;
    }
    let pixels = (side * side) as f64;
    Ok((times.0 / pixels, times.1 / pixels))
}
