//! Planar floating-point images.

use std::ops::Range;

/// An image as planar `f32`, shape [channels, height, width], row-major, nominally 0 to 1 (black to white).
#[derive(Clone, Debug, PartialEq)]
pub struct Raster {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f32>,
}

impl Raster {
    /// An image of zeros.
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, data: vec![0.0; channels * height * width] }
    }

    /// Wraps samples in [channels, height, width] order.
    ///
    /// # Panics
    /// If `data` does not hold `channels * height * width` samples.
    pub fn from_vec(channels: usize, height: usize, width: usize, data: Vec<f32>) -> Self {
        assert_eq!(
            data.len(),
            channels * height * width,
            "samples do not fit [{channels}, {height}, {width}]"
        );
        Self { channels, height, width, data }
    }

    /// Number of planes.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All samples.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All samples, writable.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The least and the largest finite sample; zeros where there is none.
    pub fn range(&self) -> (f32, f32) {
        let finite = self.data.iter().copied().filter(|value| value.is_finite());
        finite
            .map(|value| (value, value))
            .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
            .unwrap_or((0.0, 0.0))
    }

    /// One plane of `height * width` samples.
    pub fn plane(&self, channel: usize) -> &[f32] {
        let size = self.height * self.width;
        &self.data[channel * size..(channel + 1) * size]
    }

    /// One plane, writable.
    pub fn plane_mut(&mut self, channel: usize) -> &mut [f32] {
        let size = self.height * self.width;
        &mut self.data[channel * size..(channel + 1) * size]
    }

    /// One row of one plane.
    pub fn row(&self, channel: usize, y: usize) -> &[f32] {
        let start = (channel * self.height + y) * self.width;
        &self.data[start..start + self.width]
    }

    /// One row of one plane, writable.
    pub fn row_mut(&mut self, channel: usize, y: usize) -> &mut [f32] {
        let start = (channel * self.height + y) * self.width;
        &mut self.data[start..start + self.width]
    }

    /// The rectangle of `rows` by `columns` from every plane.
    ///
    /// # Panics
    /// If the rectangle leaves the image.
    pub fn crop(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let mut data = Vec::with_capacity(self.channels * rows.len() * columns.len());
        for channel in 0..self.channels {
            for y in rows.clone() {
                data.extend_from_slice(&self.row(channel, y)[columns.clone()]);
            }
        }
        Self::from_vec(self.channels, rows.len(), columns.len(), data)
    }

    /// Copies the rectangle of `rows` by `columns` of `source` to (`y`, `x`) of every plane.
    ///
    /// # Panics
    /// If either rectangle leaves its image.
    pub fn paste(&mut self, source: &Self, rows: Range<usize>, columns: Range<usize>, y: usize, x: usize) {
        for channel in 0..self.channels {
            for (offset, row) in rows.clone().enumerate() {
                let from = &source.row(channel, row)[columns.clone()];
                self.row_mut(channel, y + offset)[x..x + from.len()].copy_from_slice(from);
            }
        }
    }

    /// Copies all of `source` to (`y`, `x`) of every plane.
    ///
    /// # Panics
    /// If it leaves the image.
    pub fn paste_all(&mut self, source: &Self, y: usize, x: usize) {
        self.paste(source, 0..source.height, 0..source.width, y, x);
    }
}
