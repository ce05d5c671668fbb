//! Transparency: colour under it, and its own way to another size.

use std::ops::Range;

use rayon::prelude::*;

use super::resample::{Kernel, Resampler};
use super::{Raster, resize};

/// Opacity from which a pixel's own colour is fully trusted; fainter ones hold few levels of it.
const TRUSTED: f32 = 0.125;

/// Whether every pixel is opaque.
pub(super) fn is_opaque(alpha: &Raster) -> bool {
    alpha.data().iter().all(|&a| a >= 1.0)
}

/// Continues the colours of visible pixels under transparency, so that no kernel or network can pull what was
/// hidden there into the edges. Visible pixels keep their values.
///
/// Pull-push (Gortler et al., The Lumigraph, 1996): weighted averages in ever coarser grids, then holes filled
/// from the next coarser one.
pub(super) fn extend_colors(color: &mut Raster, alpha: &Raster) {
    let trust = Raster::from_vec(
        1,
        alpha.height(),
        alpha.width(),
        alpha.data().iter().map(|&a| (a / TRUSTED).clamp(0.0, 1.0)).collect(),
    );
    if trust.data().iter().all(|&t| t >= 1.0) || trust.data().iter().all(|&t| t <= 0.0) {
        return;
    }
    fill(color, &trust);
}

/// Mixes each value with the coarser grid's by trust.
fn fill(color: &mut Raster, trust: &Raster) {
    let (height, width) = (color.height(), color.width());
    if height == 1 && width == 1 {
        return;
    }
    let (mut coarse, coarse_trust) = pull(color, trust);
    fill(&mut coarse, &coarse_trust);
    let smooth = resize(&coarse, height, width, Kernel::Linear);
    for channel in 0..color.channels() {
        let rest = smooth.plane(channel);
        for ((value, &t), &other) in color.plane_mut(channel).iter_mut().zip(trust.data()).zip(rest) {
            // Whole trust keeps the bits.
            if t < 1.0 {
                *value = t * *value + (1.0 - t) * other;
            }
        }
    }
}

/// Half the size: averages weighted by trust, and the trust of each block, saturating.
fn pull(color: &Raster, trust: &Raster) -> (Raster, Raster) {
    let (height, width) = (color.height().div_ceil(2), color.width().div_ceil(2));
    let mut coarse = Raster::new(color.channels(), height, width);
    let mut coarse_trust = Raster::new(1, height, width);
    let mut sums = vec![0.0f32; color.channels()];
    for y in 0..height {
        for x in 0..width {
            let mut weight = 0.0;
            sums.fill(0.0);
            for source_y in 2 * y..color.height().min(2 * y + 2) {
                for source_x in 2 * x..color.width().min(2 * x + 2) {
                    let t = trust.row(0, source_y)[source_x];
                    weight += t;
                    for (channel, sum) in sums.iter_mut().enumerate() {
                        *sum += t * color.row(channel, source_y)[source_x];
                    }
                }
            }
            if weight > 0.0 {
                for (channel, sum) in sums.iter().enumerate() {
                    coarse.row_mut(channel, y)[x] = sum / weight;
                }
                coarse_trust.row_mut(0, y)[x] = weight.min(1.0);
            }
        }
    }
    (coarse, coarse_trust)
}

/// Rows of opacity that one thread makes at a time.
const BLOCK: usize = 32;

/// Opacity on its way to another size without ringing: cubic, held within the range of the nearest samples.
pub(super) struct AlphaRows<'a> {
    alpha: &'a Raster,
    /// None where all is opaque.
    resampler: Option<Resampler>,
    /// Shrinking averages; a kernel without negative lobes cannot ring.
    shrinks: bool,
    size: (usize, usize),
}

impl<'a> AlphaRows<'a> {
    /// The way from `alpha`, one plane, to `size` (height, width).
    pub fn new(alpha: &'a Raster, size: (usize, usize)) -> Self {
        let own = (alpha.height(), alpha.width());
        let shrinks = size.0 < own.0 || size.1 < own.1;
        let kernel = if shrinks { Kernel::Linear } else { Kernel::BICUBIC };
        let resampler = (!is_opaque(alpha)).then(|| Resampler::new(kernel, own, size));
        Self { alpha, resampler, shrinks, size }
    }

    /// `rows` of the result.
    pub fn rows(&self, rows: Range<usize>) -> Raster {
        let (height, width) = (rows.len(), self.size.1);
        let Some(resampler) = &self.resampler else {
            return Raster::from_vec(1, height, width, vec![1.0; height * width]);
        };
        let mut out = Raster::new(1, height, width);
        out.data_mut().par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, values)| {
            let top = rows.start + block * BLOCK;
            let count = values.len() / width;
            resampler.fill(self.alpha, 0, top..top + count, 0..width, values);
            if !self.shrinks {
                values.chunks_mut(width).enumerate().for_each(|(row, values)| self.hold(top + row, values));
            }
        });
        out
    }

    /// Holds row `y` of the result within the range of its neighbours in the source.
    fn hold(&self, y: usize, values: &mut [f32]) {
        let near = |i: usize, input: usize, output: usize| {
            let position = (i as f64 + 0.5) * input as f64 / output as f64 - 0.5;
            let low = position.floor().clamp(0.0, (input - 1) as f64) as usize;
            (low, position.ceil().clamp(0.0, (input - 1) as f64) as usize)
        };
        let (top, bottom) = near(y, self.alpha.height(), self.size.0);
        let (top, bottom) = (self.alpha.row(0, top), self.alpha.row(0, bottom));
        for (x, value) in values.iter_mut().enumerate() {
            let (left, right) = near(x, self.alpha.width(), self.size.1);
            let corners = [top[left], top[right], bottom[left], bottom[right]];
            let low = corners.iter().copied().fold(f32::MAX, f32::min);
            let high = corners.iter().copied().fold(f32::MIN, f32::max);
            *value = value.clamp(low, high);
        }
    }
}

/// All of `alpha` at `height` x `width`; see [`AlphaRows`].
pub(super) fn resize_alpha(alpha: &Raster, height: usize, width: usize) -> Raster {
    AlphaRows::new(alpha, (height, width)).rows(0..height)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A red disc; around it, transparent, green.
    fn disc(size: usize) -> (Raster, Raster) {
        let mut color = Raster::new(3, size, size);
        let mut alpha = Raster::new(1, size, size);
        let center = (size as f32 - 1.0) / 2.0;
        for y in 0..size {
            for x in 0..size {
                let distance = (y as f32 - center).hypot(x as f32 - center);
                let opacity = (size as f32 / 3.0 - distance + 0.5).clamp(0.0, 1.0);
                alpha.row_mut(0, y)[x] = opacity;
                let channel = usize::from(opacity == 0.0);
                color.row_mut(channel, y)[x] = 1.0;
            }
        }
        (color, alpha)
    }

    #[test]
    fn a_disc_has_no_fringe() {
        let (mut color, alpha) = disc(33);
        let before = color.clone();
        extend_colors(&mut color, &alpha);
        let big = resize(&color, 132, 132, Kernel::BICUBIC);
        let big_alpha = resize_alpha(&alpha, 132, 132);
        let mut worst: f32 = 0.0;
        for i in 0..132 * 132 {
            let a = big_alpha.data()[i];
            // What shows of the wrong colour over black.
            worst = worst.max(a * big.plane(1)[i].abs()).max(a * (big.plane(0)[i] - 1.0).abs());
        }
        assert!(worst < 0.5 / 255.0, "fringe of {worst}");
        for (i, &a) in alpha.data().iter().enumerate() {
            if a >= TRUSTED {
                assert_eq!(color.plane(0)[i], before.plane(0)[i]);
            }
        }
        // Without the extension the same measure is large: the test can fail.
        let naive = resize(&before, 132, 132, Kernel::BICUBIC);
        let fringe =
            (0..132 * 132).map(|i| big_alpha.data()[i] * naive.plane(1)[i].abs()).fold(0.0, f32::max);
        assert!(fringe > 10.0 / 255.0, "{fringe}");
    }

    #[test]
    fn opacity_stays_in_range_and_whole_opacity_stays_whole() {
        let (_, alpha) = disc(15);
        for size in [(60, 60), (40, 15), (7, 9), (15, 15)] {
            let out = resize_alpha(&alpha, size.0, size.1);
            assert!(out.data().iter().all(|value| (0.0..=1.0).contains(value)));
            // Rows by themselves are those of the whole.
            let some = size.0 / 3..size.0;
            let rows = AlphaRows::new(&alpha, size).rows(some.clone());
            assert_eq!(rows, out.crop(some, 0..size.1));
        }
        // A hard edge gets no overshoot next to it.
        let edge = Raster::from_vec(1, 1, 6, vec![0.0, 0.0, 0.0, 0.5, 0.5, 0.5]);
        let out = resize_alpha(&edge, 1, 24);
        assert!(out.data().iter().all(|value| (0.0..=0.5).contains(value)));
        assert!(out.data()[..8].iter().all(|&value| value == 0.0));
        let opaque = Raster::from_vec(1, 2, 2, vec![1.0; 4]);
        assert!(is_opaque(&resize_alpha(&opaque, 9, 7)));
    }

    #[test]
    fn wholly_transparent_images_keep_their_colours() {
        let mut color = Raster::from_vec(1, 1, 2, vec![0.2, 0.8]);
        extend_colors(&mut color, &Raster::new(1, 1, 2));
        assert_eq!(color.data(), [0.2, 0.8]);
    }
}
