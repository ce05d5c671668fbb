//! How an image lies in memory.

use crate::abi::partdiff_image;
use crate::{Color, Layout, Sample};

/// Size, samples and strides of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// How a sample is stored.
    pub sample: Sample,
    /// The channels.
    pub color: Color,
    /// Where they lie.
    pub layout: Layout,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from row to row; 0 without gaps.
    pub row_stride: usize,
    /// Bytes from plane to plane; 0 without gaps.
    pub plane_stride: usize,
}

impl Form {
    /// Interleaved samples without gaps.
    pub fn new(sample: Sample, color: Color, width: u32, height: u32) -> Self {
        Self { sample, color, layout: Layout::Interleaved, width, height, row_stride: 0, plane_stride: 0 }
    }

    /// Channels, alpha included.
    pub fn channels(&self) -> usize {
        self.color as usize
    }

    /// Bytes of a sample.
    pub fn sample_bytes(&self) -> usize {
        match self.sample {
            Sample::U8 => 1,
            Sample::U16 | Sample::F16 => 2,
            Sample::F32 => 4,
        }
    }

    /// Bytes of the image without gaps.
    pub fn bytes(&self) -> usize {
        self.width as usize * self.height as usize * self.channels() * self.sample_bytes()
    }

    /// The image as C describes it, for calls through [`Functions`](crate::Functions): at `data`, with `size` bytes
    /// from there on.
    pub fn image(&self, data: *mut u8, size: usize) -> partdiff_image {
        partdiff_image {
            struct_size: size_of::<partdiff_image>() as u32,
            sample: self.sample as u32,
            color: self.color as u32,
            layout: self.layout as u32,
            width: self.width,
            height: self.height,
            data: data.cast(),
            size,
            row_stride: self.row_stride,
            plane_stride: self.plane_stride,
        }
    }
}
