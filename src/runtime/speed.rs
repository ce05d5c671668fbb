//! How fast a provider runs a bundle here.

use std::time::Instant;

use super::environment::Runtime;
use super::network::{Condition, Network};
use super::network_spec::{ConditioningKind, NetworkBytes, NetworkSpec};
use super::outcomes::{Outcome, Outcomes, file_key, machine_key};
use super::provider::Provider;
use super::session::{OrtNetwork, load_networks};
use crate::error::Result;
use crate::fs::hash::sha256_hex;
use crate::image::Raster;

/// Side of the tile that is measured, in low-resolution pixels.
pub(super) const SIDE: usize = 64;

/// Side of a tile that is tried before.
const SMALL_SIDE: usize = 8;

/// Where the small tile takes this many times what the processor needs for the large one, as with a GPU that is made of
/// software, the large one is left out.
const HOPELESS: f64 = 4.0;

/// Seconds for one tile: encoder, and one step of the denoiser. `workers` threads are at work where `provider` is the
/// processor. Measured once for this machine, these files, and this bundle; `expected` is how long the processor takes.
///
/// # Errors
/// As the networks fail.
pub(super) fn seconds_per_tile(
    runtime: &Runtime,
    provider: Provider,
    spec: &NetworkSpec,
    bytes: NetworkBytes<'_>,
    workers: usize,
    expected: Option<f64>,
) -> Result<f64> {
    let plugin = runtime.plugin_library(provider).and_then(Result::ok);
    let workers = if provider.is_processor() { workers } else { 1 };
    let key = format!(
        "speed | {provider} x {workers} | {} | {} | {} | {}{}",
        file_key(&runtime.library().path),
        plugin.map(|path| file_key(&path)).unwrap_or_default(),
        machine_key(),
        sha256_hex(bytes.encoder.unwrap_or_default()),
        sha256_hex(bytes.denoiser),
    );
    let outcomes = Outcomes::of_user();
    if let Some(Outcome::Seconds(seconds)) = outcomes.recall(&key) {
        return Ok(seconds);
    }
    let mut networks = load_networks(runtime, spec, bytes, provider, workers, false)?;
    let mut best = |side: usize, runs: usize| {
        (0..runs).try_fold(f64::INFINITY, |best, _| Ok(run_all(&mut networks, spec, side)?.min(best)))
    };
    // The first run also compiles and allocates.
    let small = best(SMALL_SIDE, 2)?;
    let seconds = match expected {
        Some(expected) if small > HOPELESS * expected => small * (SIDE / SMALL_SIDE).pow(2) as f64,
        _ => best(SIDE, 3)?,
    };
    outcomes.keep(key, Outcome::Seconds(seconds));
    Ok(seconds)
}

/// Seconds for one tile, while each network runs one.
fn run_all(networks: &mut [OrtNetwork], spec: &NetworkSpec, side: usize) -> Result<f64> {
    let count = networks.len() as f64;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let running: Vec<_> =
            networks.iter_mut().map(|network| scope.spawn(move || run(network, spec, side))).collect();
        let mut joined = running.into_iter().map(|thread| thread.join());
        joined.try_for_each(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(start.elapsed().as_secs_f64() / count)
}

fn run(network: &mut OrtNetwork, spec: &NetworkSpec, side: usize) -> Result<()> {
    let pattern = |side: usize| {
        let values = (0..spec.channels * side * side).map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0);
        Raster::from_vec(spec.channels, side, side, values.collect())
    };
    let (lr, latent) = (pattern(side), pattern(side * spec.scale));
    let features = spec.encoder.as_ref().map(|_| network.encode(&lr, 0.0)).transpose()?;
    let condition = match (spec.denoiser.conditioning_kind, &features) {
        (ConditioningKind::Features, Some(features)) => Condition::Features(features),
        (ConditioningKind::Upsampled, _) => Condition::Upsampled(&latent),
        _ => Condition::Lr(&lr),
    };
    network.predict(&latent, condition, 0.5).map(drop)
}
