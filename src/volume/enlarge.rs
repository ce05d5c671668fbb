//! One slice enlarged: by the network where that has something to add, elsewhere by interpolation.

use super::intensity::{Slice, is_flat};
use super::region::Part;
use super::slices::Progress;
use crate::engine::{Report, Target, UpscaleOptions, Upscaled, Upscaler};
use crate::error::Result;
use crate::image::{Kernel, Raster, resize};
use crate::progress::{CancelToken, ProgressEvent};

/// What becomes of a slice.
pub(super) struct Enlarged {
    pub(super) image: Raster,
    /// The standard deviation over seeds, in the network's units, if it was asked for and the network ran.
    pub(super) deviation: Option<Raster>,
    /// How the network ran; `None` where there is nothing for it.
    pub(super) report: Option<Report>,
}

/// A slice enlarged to `size` (height, width), which `options` ask for too; by interpolation alone without a `part` that
/// needs the network, or where that is air.
pub(super) fn enlarge(
    slice: &Slice,
    part: Option<&Part>,
    upscaler: &Upscaler,
    options: &UpscaleOptions,
    size: (usize, usize),
    progress: &Progress<'_>,
    cancel: &CancelToken,
) -> Result<Enlarged> {
    cancel.check()?;
    let told = progress.part();
    let inside = &slice.inside;
    let own = (inside.height(), inside.width());
    let interpolated = || resize(inside, size.0, size.1, Kernel::BICUBIC);
    let manifest = upscaler.manifest();
    let area = part.map(|part| (part, part.area(own, manifest.size_multiple)));
    let seen = area.map(|(part, area)| (part, inside.crop(area.0.clone(), area.1.clone()), area));
    let mut enlarged = match seen.filter(|(_, seen, _)| !is_flat(seen)) {
        None => {
            told.tell(ProgressEvent { fraction: 1.0, step: 0, steps: 0 });
            Enlarged { image: interpolated(), deviation: None, report: None }
        }
        Some((part, seen, area)) => {
            let report = |event: ProgressEvent| told.tell(event);
            let passes = upscaler.plan(own.1, own.0, 1, options)?.passes.len();
            let is_whole = part.mask().is_none() && (seen.height(), seen.width()) == own;
            if is_whole || passes == 0 {
                let made = upscaler.upscale(inside, options, &report, cancel)?;
                Enlarged::new(made)
            } else {
                let factor = manifest.scale.pow(passes as u32);
                let of = |side: usize| (side * factor) as u32;
                let mut options = options.clone();
                options.target = Target::Size { width: of(seen.width()), height: of(seen.height()) };
                options.place.origin = (area.1.start as u32, area.0.start as u32);
                let made = Enlarged::new(upscaler.upscale(&seen, &options, &report, cancel)?);
                let whole = |mut around: Raster, part: &Raster, kernel| {
                    let (rows, columns) = (0..part.height(), 0..part.width());
                    around.paste(part, rows, columns, area.0.start * factor, area.1.start * factor);
                    let fits = (around.height(), around.width()) == size;
                    if fits { around } else { resize(&around, size.0, size.1, kernel) }
                };
                let (height, width) = (own.0 * factor, own.1 * factor);
                let plain = interpolated();
                let around = match (height, width) == size {
                    true => plain.clone(),
                    false => resize(inside, height, width, Kernel::BICUBIC),
                };
                let image = whole(around, &made.image, Kernel::Lanczos3);
                let deviation = made.deviation.map(|deviation| {
                    let deviation = whole(Raster::new(1, height, width), &deviation, Kernel::Linear);
                    mixed(Raster::new(1, size.0, size.1), &deviation, part.shares(own, size))
                });
                let image = mixed(plain, &image, part.shares(own, size));
                Enlarged { image, deviation, report: made.report }
            }
        }
    };
    slice.add_outside(&mut enlarged.image);
    Ok(enlarged)
}

impl Enlarged {
    fn new(Upscaled { image, uncertainty, report }: Upscaled) -> Self {
        let deviation = uncertainty.map(|mut deviation| {
            deviation.data_mut().iter_mut().for_each(|value| *value /= 255.0);
            deviation
        });
        Self { image, deviation, report: Some(report) }
    }
}

/// What the network `made` by its shares, and `plain` by the rest.
pub(super) fn mixed(mut plain: Raster, made: &Raster, shares: impl Iterator<Item = Vec<f32>>) -> Raster {
    for (y, shares) in shares.enumerate() {
        for ((value, made), share) in plain.row_mut(0, y).iter_mut().zip(made.row(0, y)).zip(shares) {
            // Exactly the network's where its share is 1.
            *value = if share == 1.0 { *made } else { *value + share * (made - *value) };
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake_network::{FakeNetwork, manifest};
    use crate::progress;
    use crate::volume::intensity::{Survey, Window};
    use crate::volume::region::Region;
    use crate::volume::task::Listener;

    struct Silent;

    impl progress::Progress for Silent {
        fn report(&self, _: ProgressEvent) -> bool {
            true
        }
    }

    impl Listener for Silent {
        fn warn(&self, _: &str) {}
    }

    const SIDES: [usize; 3] = [96, 88, 1];
    const HEAD: [std::ops::Range<usize>; 2] = [40..60, 36..58];

    /// A bright pattern in air.
    fn head() -> Slice {
        let value = |at: usize| {
            let (x, y) = (at % SIDES[0], at / SIDES[0]);
            let inside = HEAD[0].contains(&x) && HEAD[1].contains(&y);
            if inside {
                0.6 + 0.3 * ((x * y) as f32 * 0.1).sin()
            } else {
                0.01 * ((x + y) as f32).sin().abs()
            }
        };
        Slice::new((0..SIDES[0] * SIDES[1]).map(value).collect(), SIDES[1], SIDES[0])
    }

    fn region(reach: usize) -> Region {
        let mut most = SIDES.map(|side| vec![0.01; side]);
        HEAD.into_iter().zip(&mut most).for_each(|(head, most)| most[head].fill(0.9));
        most[2][0] = 0.9;
        let survey = Survey { most, ..Survey::default() };
        Region::new(&survey, &Window { low: 0.0, high: 1.0 }, None, reach, SIDES)
    }

    fn made(part: Option<&Part>, threads: usize, options: &UpscaleOptions, size: (usize, usize)) -> Raster {
        let options = UpscaleOptions {
            target: Target::Size { width: size.1 as u32, height: size.0 as u32 },
            ..options.clone()
        };
        let upscaler = upscaler(threads);
        let progress = Progress::new(&Silent, 1);
        enlarge(&head(), part, &upscaler, &options, size, &progress, &CancelToken::new()).unwrap().image
    }

    fn upscaler(threads: usize) -> Upscaler {
        let networks = (0..threads).map(|_| FakeNetwork::boxed(2)).collect();
        Upscaler::with_networks(&manifest(json!({})), networks).unwrap()
    }

    #[test]
    fn the_box_is_that_of_the_whole_slice_and_its_border_shows_nowhere() {
        let everything = Region::new(
            &Survey { most: SIDES.map(|side| vec![1.0; side]), ..Survey::default() },
            &Window { low: 0.0, high: 1.0 },
            None,
            0,
            SIDES,
        );
        // 4 denoising steps with fresh noise; the second size takes two passes, and resampling after them.
        for (factor, steps) in [(2.0, 4), (2.5, 1)] {
            let options = UpscaleOptions { steps: Some(steps), eta: Some(0.5), ..UpscaleOptions::default() };
            let plan = upscaler(1).plan(
                SIDES[0],
                SIDES[1],
                1,
                &UpscaleOptions { target: Target::Scale(factor), ..options.clone() },
            );
            let reach = upscaler(1).reach(&plan.unwrap());
            let part = region(reach).part((1, 0), 0).unwrap();
            let (rows, columns) = part.area((SIDES[1], SIDES[0]), 1);
            assert!(rows.len() < SIDES[1] && columns.len() < SIDES[0], "{rows:?} {columns:?}");
            let size = ((SIDES[1] as f64 * factor) as usize, (SIDES[0] as f64 * factor) as usize);
            let whole = made(everything.part((1, 0), 0).as_ref(), 1, &options, size);
            let boxed = made(Some(&part), 1, &options, size);
            let at = |pixel: usize| (pixel as f64 * factor).round() as usize;
            for y in at(HEAD[1].start)..at(HEAD[1].end) {
                let columns = at(HEAD[0].start)..at(HEAD[0].end);
                assert_eq!(boxed.row(0, y)[columns.clone()], whole.row(0, y)[columns], "{y}");
            }
            // The network's part: nothing outside the area, and no jump at its border or that of the box.
            let plain = made(None, 1, &options, size);
            let residual = |raster: &Raster, y: usize| -> Vec<f32> {
                raster.row(0, y).iter().zip(plain.row(0, y)).map(|(value, plain)| value - plain).collect()
            };
            let jump = |raster: &Raster, y: usize| -> f32 {
                let (above, below) = (residual(raster, y - 1), residual(raster, y));
                above.iter().zip(&below).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
            };
            let most = (at(HEAD[1].start) + 1..at(HEAD[1].end)).map(|y| jump(&whole, y)).fold(0.0, f32::max);
            assert!(most > 0.0);
            for y in 1..size.0 {
                assert!(jump(&boxed, y) <= most * 1.01, "row {y}: {} above {most}", jump(&boxed, y));
                if y + 4 < at(rows.start) || y > at(rows.end) + 4 {
                    assert!(residual(&boxed, y).iter().all(|value| *value == 0.0), "row {y}");
                }
            }
            // Nor does it depend on tiles, threads or memory.
            let tiled = UpscaleOptions { tile: Some(16), memory: Some(16 << 20), ..options };
            assert_eq!(made(Some(&part), 3, &tiled, size), boxed);
        }
    }

    #[test]
    fn air_is_interpolated() {
        let size = (SIDES[1] * 2, SIDES[0] * 2);
        let plain = made(None, 1, &UpscaleOptions::default(), size);
        assert_eq!(plain, resize(&head().inside, size.0, size.1, Kernel::BICUBIC));
    }
}
