//! From a bundle and an image to the numbers that the cut is planned with.

use crate::engine::options::UpscaleOptions;
use crate::engine::sampling::Sampling;
use crate::model::{Conditioning, Manifest, TilingKind};
use crate::tiling::Workload;

/// Pixels of an image that is one tile where others are made at the same time: what fits the caches well.
const UNCUT: usize = 128 * 128;

/// The workload of one pass over an image of `width` x `height` pixels; `encoder_cost` is relative to a step of the
/// denoiser.
pub(crate) fn workload(
    manifest: &Manifest,
    width: usize,
    height: usize,
    sampling: &Sampling,
    options: &UpscaleOptions,
    workers: usize,
    encoder_cost: f64,
) -> Workload {
    let multiple = manifest.size_multiple;
    // Others use the networks that a small image leaves alone; halos would cost more than they gain.
    let alone = !options.among_others || width * height > UNCUT;
    let features = manifest.encoder.as_ref().map_or(0, |encoder| encoder.features);
    let overlap = match manifest.tiling {
        TilingKind::Exact => manifest.denoiser.halo,
        TilingKind::Blend { overlap } => overlap,
    };
    Workload {
        height: height.next_multiple_of(multiple),
        width: width.next_multiple_of(multiple),
        channels: manifest.channels,
        scale: manifest.scale,
        features,
        encoder_halo: manifest.encoder.as_ref().map_or(0, |encoder| encoder.halo).next_multiple_of(multiple),
        denoiser_halo: overlap.next_multiple_of(multiple),
        multiple,
        steps: sampling.steps,
        samples: options.uncertainty.unwrap_or(1),
        streamed: false,
        beside: 0,
        corrected: sampling.consistency > 0,
        keeps_previous: sampling.sampler.is_multistep(),
        exact: manifest.tiling == TilingKind::Exact,
        workers,
        feed: if alone { workers } else { 1 },
        encoder_cost,
        activation_bytes: activation_bytes(manifest),
        largest_tile: options.tile,
    }
}

/// Bytes that ONNX Runtime's arenas hold per low-resolution pixel of a tile: at most 8 planes per feature channel (3 kB
/// with natural-x4). So reckoned, a process takes 0.6 to 0.85 of `--memory`: measured with natural-x4 and mri-x4
/// on two threads, from 400 MB to 2 GB. A denoiser without an encoder is taken to be twice as wide, one that works
/// at high resolution to have 64 channels there.
fn activation_bytes(manifest: &Manifest) -> u64 {
    let pixels = (manifest.scale * manifest.scale) as u64;
    let latent = 4 * manifest.channels as u64 * pixels;
    match (manifest.conditioning, &manifest.encoder) {
        (Conditioning::Upsampled, _) => 4 * 64 * 6 * pixels + 4 * latent,
        (_, Some(encoder)) => 4 * encoder.features as u64 * 8,
        (_, None) => 4 * 96 * 16,
    }
}
