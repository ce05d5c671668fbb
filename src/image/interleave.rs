//! Between interleaved file samples and planes.

use rayon::prelude::*;

use super::{Image, Raster};

/// Samples converted at a time by [`Rows::for_each`].
const BATCH: usize = 1 << 18;

/// A stored sample; how files and hosts keep values of 0 to 1.
pub trait Sample: Copy + Default + Send + Sync {
    /// The sample for a value of 0 to 1; integers clip and round to nearest, halves up.
    fn from_unit(value: f32) -> Self;
    /// The value, 0 to 1 for integers.
    fn to_unit(self) -> f32;
}

impl Sample for u8 {
    fn from_unit(value: f32) -> Self {
        // The cast turns NaN into 0.
        (value.clamp(0.0, 1.0) * 255.0 + 0.5) as Self
    }
    fn to_unit(self) -> f32 {
        f32::from(self) / 255.0
    }
}

impl Sample for u16 {
    fn from_unit(value: f32) -> Self {
        (value.clamp(0.0, 1.0) * 65535.0 + 0.5) as Self
    }
    fn to_unit(self) -> f32 {
        f32::from(self) / 65535.0
    }
}

impl Sample for f32 {
    fn from_unit(value: f32) -> Self {
        value
    }
    fn to_unit(self) -> f32 {
        self
    }
}

/// Planes from interleaved `samples`: colour, and alpha if `channels` is 2 or 4.
pub(super) fn split<S: Sample>(
    samples: &[S],
    channels: usize,
    height: usize,
    width: usize,
) -> (Raster, Option<Raster>) {
    let colors = if channels < 3 { 1 } else { 3 };
    let plane = |channel: usize, out: &mut [f32]| {
        out.par_chunks_mut(width).zip(samples.par_chunks(width * channels)).for_each(|(row, source)| {
            for (value, pixel) in row.iter_mut().zip(source.chunks_exact(channels)) {
                *value = pixel[channel].to_unit();
            }
        });
    };
    let mut color = Raster::new(colors, height, width);
    for channel in 0..colors {
        plane(channel, color.plane_mut(channel));
    }
    let alpha = (channels > colors).then(|| {
        let mut alpha = Raster::new(1, height, width);
        plane(colors, alpha.plane_mut(0));
        alpha
    });
    (color, alpha)
}

/// Reads an image row by row in the order of a file.
pub(super) struct Rows<'a> {
    image: &'a Image,
    background: Option<[f32; 3]>,
    colors: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `image`, alpha interleaved if it has one; with `background` (coded values), laid over that;
    /// with `spread`, grey as equal red, green and blue.
    pub fn new(image: &'a Image, background: Option<[f32; 3]>, spread: bool) -> Self {
        let background = match (image.color.channels(), background) {
            // The luma of the background stands for it in a grey image.
            (1, Some([r, g, b])) => Some([0.299 * r + 0.587 * g + 0.114 * b; 3]),
            (_, background) => background,
        };
        let colors = if spread { 3 } else { image.color.channels() };
        Self { image, background, colors }
    }

    fn alpha(&self) -> Option<&'a Raster> {
        self.image.alpha.as_ref()
    }

    /// Interleaved channels.
    pub fn channels(&self) -> usize {
        let stored = self.alpha().is_some() && self.background.is_none();
        self.colors + usize::from(stored)
    }

    /// Samples of one row.
    pub fn len(&self) -> usize {
        self.channels() * self.image.width()
    }

    /// Writes row `y` into `out`, which has `len()` samples.
    pub fn write<S: Sample>(&self, y: usize, out: &mut [S]) {
        let channels = self.channels();
        let colors = self.colors;
        if channels == 3 && self.image.color.channels() == 3 && self.alpha().is_none() {
            let [red, green, blue] = [0, 1, 2].map(|channel| self.image.color.row(channel, y));
            for (((pixel, &r), &g), &b) in out.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
                pixel.copy_from_slice(&[S::from_unit(r), S::from_unit(g), S::from_unit(b)]);
            }
            return;
        }
        for channel in 0..colors {
            let row = self.image.color.row(channel.min(self.image.color.channels() - 1), y);
            let slots = out[channel..].iter_mut().step_by(channels);
            match (self.background, self.alpha()) {
                (Some(background), Some(alpha)) => {
                    for ((slot, &value), &a) in slots.zip(row).zip(alpha.row(0, y)) {
                        *slot = S::from_unit(a * value + (1.0 - a) * background[channel]);
                    }
                }
                _ => slots.zip(row).for_each(|(slot, &value)| *slot = S::from_unit(value)),
            }
        }
        if channels > colors
            && let Some(alpha) = self.alpha()
        {
            let slots = out[colors..].iter_mut().step_by(channels);
            slots.zip(alpha.row(0, y)).for_each(|(slot, &value)| *slot = S::from_unit(value));
        }
    }

    /// Hands all rows in order to `take`, some at a time, converted in parallel.
    pub fn for_each<S: Sample, E>(&self, mut take: impl FnMut(&[S]) -> Result<(), E>) -> Result<(), E> {
        let height = self.image.height();
        let some = (BATCH / self.len()).clamp(1, height);
        let mut buffer = vec![S::default(); some * self.len()];
        for top in (0..height).step_by(some) {
            let part = &mut buffer[..some.min(height - top) * self.len()];
            part.par_chunks_mut(self.len()).enumerate().for_each(|(i, row)| self.write(top + i, row));
            take(part)?;
        }
        Ok(())
    }

    /// All rows in one buffer.
    pub fn collect<S: Sample>(&self) -> Vec<S> {
        let mut out = vec![S::default(); self.len() * self.image.height()];
        out.par_chunks_mut(self.len()).enumerate().for_each(|(y, row)| self.write(y, row));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_survive_the_round_trip() {
        for value in 0..=255u8 {
            assert_eq!(u8::from_unit(value.to_unit()), value);
        }
        for value in 0..=65535u16 {
            assert_eq!(u16::from_unit(value.to_unit()), value);
        }
    }

    #[test]
    fn rounding_clips_and_rounds_halves_up() {
        assert_eq!(u8::from_unit(0.5 / 255.0), 1);
        assert_eq!(u8::from_unit(0.499 / 255.0), 0);
        assert_eq!(u8::from_unit(1.7), 255);
        assert_eq!(u8::from_unit(-0.2), 0);
        assert_eq!(u8::from_unit(f32::NAN), 0);
        assert_eq!(u16::from_unit(f32::INFINITY), 65535);
        assert_eq!(f32::from_unit(1.7), 1.7);
    }
}
