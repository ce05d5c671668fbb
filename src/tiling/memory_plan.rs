//! How to cut the work so that it fits the memory and wastes the least on halos.

use crate::error::{Error, ErrorKind, Result};

const FLOAT: u64 = 4;

/// Smallest tile side in low-resolution pixels; below it halos cost more than the image.
pub const MIN_TILE: usize = 16;

/// One model pass, as far as time and memory depend on it. Lengths are low-resolution pixels.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Rows of the image, a multiple of `multiple`.
    pub height: usize,
    /// Columns of the image, a multiple of `multiple`.
    pub width: usize,
    /// Colour channels.
    pub channels: usize,
    /// Factor between low and high resolution.
    pub scale: usize,
    /// Feature channels of the encoder, 0 without one.
    pub features: usize,
    /// Halo of the encoder, a multiple of `multiple`.
    pub encoder_halo: usize,
    /// Halo of the denoiser (the overlap where tiles are blended), a multiple of `multiple`.
    pub denoiser_halo: usize,
    /// Tile sides are multiples of this.
    pub multiple: usize,
    /// Denoising steps.
    pub steps: usize,
    /// Results that are made from one run of the encoder, at least 1.
    pub samples: usize,
    /// Whether the result leaves band by band and is never held as a whole.
    pub streamed: bool,
    /// Bytes that are held beside the pass.
    pub beside: u64,
    /// Whether the result is corrected by its input, as a whole.
    pub corrected: bool,
    /// Whether the sampler keeps the previous prediction.
    pub keeps_previous: bool,
    /// Whether bands may be cut, that is, whether tiles are exact.
    pub exact: bool,
    /// Tiles in work at once.
    pub workers: usize,
    /// Tiles that should be in work at once.
    pub feed: usize,
    /// Cost of the encoder relative to one step of the denoiser, per pixel.
    pub encoder_cost: f64,
    /// Bytes of activations per low-resolution pixel of a tile in work.
    pub activation_bytes: u64,
    /// Largest tile side that the caller allows.
    pub largest_tile: Option<usize>,
}

/// The chosen cut of a `Workload`.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPlan {
    /// Largest rows of a tile.
    pub tile_height: usize,
    /// Largest columns of a tile.
    pub tile_width: usize,
    /// Largest rows of a band, that is, of what advances together through all steps.
    pub band_rows: usize,
    /// Expected peak in bytes of images, latents, features and activations.
    pub bytes: u64,
    /// Pixels that run through the encoder, halos included.
    pub encoder_pixels: u64,
    /// Pixels that run through the denoiser in all steps, halos included.
    pub denoiser_pixels: u64,
    /// Pixels computed per pixel needed; 1 is no waste.
    pub overhead: f64,
}

impl MemoryPlan {
    /// The cheapest plan within `budget` bytes.
    ///
    /// # Errors
    /// `Limit`, saying how much the smallest plan takes.
    pub fn choose(work: &Workload, budget: u64) -> Result<Self> {
        let sides = candidate_sides(work);
        let mut least = u64::MAX;
        let mut best: Option<(f64, Self)> = None;
        // Few bands cost few halos between them, but leave room for small tiles only, whose halos cost more.
        for rows in candidate_bands(work) {
            for &side in &sides {
                let (cost, plan) = evaluate(work, side, rows);
                least = least.min(plan.bytes);
                if plan.bytes <= budget && best.as_ref().is_none_or(|(known, _)| cost < *known) {
                    best = Some((cost, plan));
                }
            }
        }
        if let Some((_, plan)) = best {
            return Ok(plan);
        }
        Err(Error::new(
            ErrorKind::Limit,
            format!(
                "{} MiB left for the engine is not enough for a {}x{} image: expected at least {} MiB; raise the \
                 memory limit",
                budget >> 20,
                work.width,
                work.height,
                (least >> 20) + 1,
            ),
        ))
    }
}

fn candidate_sides(work: &Workload) -> Vec<usize> {
    let largest = work.largest_tile.unwrap_or(512);
    let up = |side: usize| side.next_multiple_of(work.multiple);
    let mut sides: Vec<_> = [16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512]
        .into_iter()
        .filter(|&s| s < largest)
        .collect();
    sides.push(largest.max(MIN_TILE));
    if let Some(exactly) = work.largest_tile {
        sides = vec![exactly];
    }
    sides.into_iter().map(up).collect()
}

/// Bytes of a band's result beyond which a streamed one is cut; halos cost less than such bands gain.
const STREAMED_BYTES: u64 = 256 << 20;

fn candidate_bands(work: &Workload) -> Vec<usize> {
    let mut rows = vec![work.height];
    let mut parts = 2;
    if work.streamed && work.exact {
        let whole = latent_bytes(work) * (work.height * work.width) as u64;
        parts = whole.div_ceil(STREAMED_BYTES) as usize;
        // Never so thin that most of the work goes into halos.
        parts = parts.min(work.height / (8 * (work.steps * work.denoiser_halo).max(MIN_TILE))).max(1);
        rows = vec![work.height.div_ceil(parts).next_multiple_of(work.multiple)];
        parts += 1;
    }
    while work.exact && work.height.div_ceil(parts) >= MIN_TILE {
        rows.push(work.height.div_ceil(parts).next_multiple_of(work.multiple));
        parts += 1 + parts / 4;
    }
    rows
}

/// Larger tiles fall out of the caches: measured loss of convolution speed, in percent per doubling of the area.
const CACHE_LOSS: f64 = 0.02;

/// Relative cost and plan of tiles of at most `side` in bands of at most `rows`.
fn evaluate(work: &Workload, side: usize, rows: usize) -> (f64, MemoryPlan) {
    let bands = work.height.div_ceil(rows);
    let (mut encoder_pixels, mut denoiser_pixels, mut cost) = (0.0, 0.0, 0.0);
    // A band in the middle has halos on both sides, the first and the last on one.
    let band_edges = if bands == 1 { 0.0 } else { 2.0 * (bands - 1) as f64 / bands as f64 };
    let padded = |length: usize, parts: usize, halo: usize| {
        // Average extended length of a tile: halos exist only towards neighbours.
        length as f64 / parts as f64 + 2.0 * halo as f64 * (parts - 1) as f64 / parts as f64
    };
    let mut tile = (0, 0);
    let mut run = |region_rows: f64, halo: usize, weight: f64| {
        let region_rows = (region_rows.ceil() as usize).min(work.height).max(1);
        let (ny, nx) = (region_rows.div_ceil(side), work.width.div_ceil(side));
        let (ny, nx) = balance(ny, nx, work.feed, region_rows, work.width);
        // Beyond a band's edge lie neighbours, too.
        let outer = 2.0 * halo as f64 * (1.0 / ny as f64 - 1.0 / (ny * bands) as f64);
        let pixels = (padded(region_rows, ny, halo) + outer) * padded(work.width, nx, halo);
        let count = (ny * nx) as f64;
        tile = (tile.0.max(region_rows.div_ceil(ny)), tile.1.max(work.width.div_ceil(nx)));
        let rounds = (count / work.feed as f64).ceil();
        let slowdown = 1.0 + CACHE_LOSS * (pixels / 16384.0).log2().max(0.0);
        cost += rounds * pixels * weight * slowdown * bands as f64;
        count * pixels * bands as f64
    };
    if work.features > 0 {
        let extended = rows as f64 + band_edges * (work.steps * work.denoiser_halo) as f64;
        encoder_pixels += run(extended, work.encoder_halo, work.encoder_cost);
    }
    for step in 0..work.steps {
        let remaining = (work.steps - 1 - step) * work.denoiser_halo;
        let samples = work.samples as f64;
        denoiser_pixels +=
            samples * run(rows as f64 + band_edges * remaining as f64, work.denoiser_halo, samples);
    }
    let needed = (work.height * work.width) as f64;
    let with_encoder = if work.features > 0 { work.encoder_cost } else { 0.0 };
    let overhead = (encoder_pixels * with_encoder + denoiser_pixels)
        / (needed * (with_encoder + (work.steps * work.samples) as f64));
    let plan = MemoryPlan {
        tile_height: tile.0.next_multiple_of(work.multiple),
        tile_width: tile.1.next_multiple_of(work.multiple),
        band_rows: rows,
        bytes: bytes(work, tile, rows, bands),
        encoder_pixels: encoder_pixels as u64,
        denoiser_pixels: denoiser_pixels as u64,
        overhead,
    };
    (cost, plan)
}

/// Adds tiles along the longer tile side until `workers` have the same number of them.
fn balance(ny: usize, nx: usize, workers: usize, rows: usize, columns: usize) -> (usize, usize) {
    let (mut ny, mut nx) = (ny, nx);
    while (ny * nx) % workers != 0 && ny * nx < 4 * workers {
        let taller = rows / ny >= columns / nx;
        if taller && rows / (ny + 1) >= MIN_TILE {
            ny += 1;
        } else if columns / (nx + 1) >= MIN_TILE {
            nx += 1;
        } else {
            break;
        }
    }
    (ny, nx)
}

/// Bytes of the result per pixel of the input.
fn latent_bytes(work: &Workload) -> u64 {
    FLOAT * (work.channels * work.scale * work.scale) as u64
}

fn bytes(work: &Workload, tile: (usize, usize), rows: usize, bands: usize) -> u64 {
    let latent = latent_bytes(work);
    let pixels = |rows: usize| (rows.min(work.height) * work.width) as u64;
    let held = if work.streamed { 0 } else { latent };
    let input = FLOAT * work.channels as u64;
    // The input as it came and as the model wants it.
    let image = pixels(work.height) * (2 * input + held);
    let halo = work.denoiser_halo;
    let extended = if bands == 1 { work.height } else { rows + 2 * work.steps * halo };
    // The result itself holds the predictions of an only band.
    let predictions = match work.streamed {
        // One leaves while the next is made, and what follows may look at both.
        true => 3,
        false => u64::from(bands > 1 || !work.exact),
    };
    let latents = u64::from(work.steps > 1) + u64::from(work.keeps_previous && work.steps > 1) + predictions;
    let band = pixels(extended) * (latents * latent + FLOAT * work.features as u64);
    let widest = work.encoder_halo.max(halo);
    let in_work = ((tile.0 + 2 * widest).min(work.height) * (tile.1 + 2 * widest).min(work.width)) as u64;
    // Beside the first result and the sample in work: sums of deviations and their squares, and the variance.
    let plane = FLOAT * (work.scale * work.scale) as u64;
    let spread = match work.samples {
        1 => 0,
        _ => pixels(rows) * (2 * latent + plane) + pixels(work.height) * plane,
    };
    // A correction, the one before, what is lacking, and a byte for each: when bands and deviations are gone.
    let correction = if work.corrected { pixels(work.height) * (3 * input + input / FLOAT) } else { 0 };
    work.beside
        + image
        + (spread + band).max(correction)
        + work.workers as u64 * in_work * work.activation_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(height: usize, width: usize, steps: usize) -> Workload {
        Workload {
            height,
            width,
            channels: 3,
            scale: 4,
            features: 96,
            encoder_halo: 16,
            denoiser_halo: 8,
            multiple: 1,
            steps,
            samples: 1,
            streamed: false,
            beside: 0,
            corrected: false,
            keeps_previous: false,
            exact: true,
            workers: 2,
            feed: 2,
            encoder_cost: 2.0,
            activation_bytes: 3000,
            largest_tile: None,
        }
    }

    #[test]
    fn one_band_when_memory_allows_and_bands_when_not() {
        let work = work(1000, 1500, 2);
        let free = MemoryPlan::choose(&work, 64 << 30).unwrap();
        assert_eq!(free.band_rows, 1000);
        assert!(free.overhead < 1.15, "{free:?}");
        let tight = MemoryPlan::choose(&work, 700 << 20).unwrap();
        assert!(tight.band_rows < 1000 && tight.bytes <= 700 << 20, "{tight:?}");
        let error = MemoryPlan::choose(&work, 100 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.to_string().contains("100 MiB") && error.to_string().contains("at least"), "{error}");
    }

    #[test]
    fn bands_make_room_for_tiles() {
        // One band would fit with tiles whose halos are most of them.
        let work = Workload { activation_bytes: 6144, ..work(1000, 1500, 1) };
        let plan = MemoryPlan::choose(&work, 896 << 20).unwrap();
        assert!(plan.overhead < 1.5 && plan.bytes <= 896 << 20, "{plan:?}");
        // What corrects a result afterwards weighs only where bands are small.
        let corrected = Workload { corrected: true, ..work.clone() };
        assert_eq!(MemoryPlan::choose(&corrected, 896 << 20).unwrap(), plan);
        let least = |work: &Workload| {
            let fits = |mib: &u64| MemoryPlan::choose(work, mib << 20).is_ok();
            (0..896u64).find(fits).unwrap()
        };
        assert!(least(&corrected) > least(&work) + 20, "{} {}", least(&corrected), least(&work));
    }

    #[test]
    fn every_worker_has_a_tile_of_a_small_image() {
        let plan = MemoryPlan::choose(&work(128, 128, 1), 8 << 30).unwrap();
        assert!(plan.tile_height * plan.tile_width <= 128 * 128 / 2, "{plan:?}");
        let among_others = Workload { feed: 1, ..work(128, 128, 1) };
        let plan = MemoryPlan::choose(&among_others, 8 << 30).unwrap();
        assert_eq!((plan.tile_height, plan.tile_width, plan.overhead), (128, 128, 1.0));
    }

    #[test]
    fn an_asked_tile_side_is_kept() {
        let mut work = work(500, 500, 4);
        work.largest_tile = Some(96);
        let plan = MemoryPlan::choose(&work, 8 << 30).unwrap();
        assert!(plan.tile_height <= 96 && plan.tile_width <= 96, "{plan:?}");
    }

    #[test]
    fn a_streamed_result_is_held_in_parts() {
        let whole = work(4000, 6000, 1);
        let streamed = Workload { streamed: true, ..whole.clone() };
        let plans = [whole, streamed].map(|work| MemoryPlan::choose(&work, 64 << 30).unwrap());
        assert_eq!(plans[0].band_rows, 4000);
        assert!(plans[1].band_rows * 6000 * 192 < 300 << 20 && plans[1].overhead < 1.25, "{:?}", plans[1]);
        assert!(plans[1].bytes < plans[0].bytes / 4, "{plans:?}");
        let small = Workload { streamed: true, ..work(1000, 1000, 1) };
        assert_eq!(MemoryPlan::choose(&small, 64 << 30).unwrap().band_rows, 1000);
    }

    #[test]
    fn blended_tiles_are_never_cut_into_bands() {
        let mut work = work(2000, 2000, 4);
        work.exact = false;
        let plan = MemoryPlan::choose(&work, 64 << 30).unwrap();
        assert_eq!(plan.band_rows, 2000);
    }
}
