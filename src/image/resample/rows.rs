//! Resampling of an image that comes and goes in strips.

use std::ops::Range;

use rayon::prelude::*;

use super::{BLOCK, Resampler};
use crate::image::Raster;

/// Makes rows of the result as soon as the rows of the source that they need are there, and keeps no more of the source
/// than later rows need. The rows are those of [`Resampler::resample`], bit for bit.
pub(crate) struct RowResampler {
    resampler: Resampler,
    /// Rows of the source from `first` on.
    window: Raster,
    first: usize,
    /// The next row of the result.
    next: usize,
}

impl RowResampler {
    /// For images of `channels` planes.
    pub(crate) fn new(resampler: Resampler, channels: usize) -> Self {
        let window = Raster::new(channels, 0, resampler.horizontal.input());
        Self { resampler, window, first: 0, next: 0 }
    }

    /// Takes the next rows of the source; the rows of the result that this finishes, with the first one's place.
    ///
    /// # Panics
    /// If `rows` do not have the source's width, or there are more than the source has.
    pub(crate) fn push(&mut self, rows: Raster) -> Option<(usize, Raster)> {
        self.append(rows);
        let known = self.first + self.window.height();
        let input = self.resampler.vertical.input();
        assert!(known <= input, "{known} rows of a source of {input}");
        let height = self.resampler.vertical.output();
        // Rows need ever later ones.
        let ready = |end: usize| self.resampler.source_rows(end - 1..end).end <= known;
        let start = self.next;
        let mut end = start;
        while end < height && ready(end + 1) {
            end += 1;
        }
        if start == end {
            return None;
        }
        let made = self.make(start..end);
        self.next = end;
        if end < height {
            let needed = self.resampler.source_rows(end..end + 1).start.min(known);
            self.window = self.window.crop(needed - self.first..known - self.first, 0..self.window.width());
            self.first = needed;
        }
        Some((start, made))
    }

    fn append(&mut self, rows: Raster) {
        if self.window.height() == 0 {
            self.window = rows;
            return;
        }
        let (channels, width, above) = (rows.channels(), rows.width(), self.window.height());
        let mut window = Raster::new(channels, above + rows.height(), width);
        window.paste_all(&self.window, 0, 0);
        window.paste_all(&rows, above, 0);
        self.window = window;
    }

    fn make(&self, y: Range<usize>) -> Raster {
        let width = self.resampler.horizontal.output();
        let mut out = Raster::new(self.window.channels(), y.len(), width);
        for channel in 0..out.channels() {
            out.plane_mut(channel).par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, rows)| {
                let top = y.start + block * BLOCK;
                let part = top..top + rows.len() / width;
                self.resampler.fill_from(&self.window, (self.first, 0), channel, part, 0..width, rows);
            });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Kernel, resize};

    #[test]
    fn strips_give_the_rows_of_the_whole() {
        let (height, width) = (41, 13);
        let values = (0..2 * height * width).map(|i| ((i * 31) % 97) as f32 / 97.0).collect();
        let source = Raster::from_vec(2, height, width, values);
        for (kernel, size) in [
            (Kernel::Lanczos3, (25, 9)),
            (Kernel::Lanczos3, (90, 30)),
            (Kernel::BICUBIC, (10, 13)),
            (Kernel::Cubic { a: -0.75 }, (3, 3)),
        ] {
            let whole = resize(&source, size.0, size.1, kernel);
            for strip in [1, 4, 17, 41] {
                let resampler = Resampler::new(kernel, (height, width), size);
                let mut rows = RowResampler::new(resampler, 2);
                let mut done = 0;
                for top in (0..height).step_by(strip) {
                    let part = source.crop(top..height.min(top + strip), 0..width);
                    let Some((first, made)) = rows.push(part) else { continue };
                    assert_eq!(first, done);
                    done += made.height();
                    assert_eq!(made, whole.crop(first..done, 0..size.1), "{kernel:?} {size:?} {strip}");
                }
                assert_eq!(done, size.0);
                assert!(rows.window.height() <= height);
            }
        }
    }
}
