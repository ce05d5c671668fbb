//! Samples as a codec delivers them, before they are planes.

use crate::image::SampleDepth;
use crate::image::interleave::{Sample, split};
use crate::image::{Raster, color};

/// What the channels mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Grey, perhaps alpha.
    Grey,
    /// Red, green, blue, perhaps alpha.
    Rgb,
    /// Amounts of cyan, magenta, yellow, black.
    Cmyk,
    /// L*, a* and b* (both moved up by half the range).
    Lab,
    /// JPEG's luma and chroma (BT.601, full range).
    YCbCr,
}

/// Interleaved samples.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    U8(Vec<u8>),
    U16(Vec<u16>),
    F32(Vec<f32>),
}

impl From<Vec<u8>> for Samples {
    fn from(data: Vec<u8>) -> Self {
        Self::U8(data)
    }
}

impl From<Vec<u16>> for Samples {
    fn from(data: Vec<u16>) -> Self {
        Self::U16(data)
    }
}

impl From<Vec<f32>> for Samples {
    fn from(data: Vec<f32>) -> Self {
        Self::F32(data)
    }
}

impl Samples {
    /// Interleaved samples from `planes` planes one after the other.
    pub fn interleave(self, planes: usize) -> Self {
        fn turn<S: Copy>(data: &[S], planes: usize) -> Vec<S> {
            let size = data.len() / planes;
            (0..size).flat_map(|i| (0..planes).map(move |plane| data[plane * size + i])).collect()
        }
        match self {
            Self::U8(data) => turn(&data, planes).into(),
            Self::U16(data) => turn(&data, planes).into(),
            Self::F32(data) => turn(&data, planes).into(),
        }
    }
}

/// A decoded image of any kind.
#[derive(Clone, Debug)]
pub(super) struct Decoded {
    /// What the channels mean.
    pub kind: Kind,
    /// Interleaved channels.
    pub channels: usize,
    /// Depth of the file.
    pub depth: SampleDepth,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `height * width * channels` samples.
    pub samples: Samples,
}

/// Planes of colour and alpha, and what happened to the colour.
pub(super) struct Planes {
    /// One or three planes.
    pub color: Raster,
    /// Opacity.
    pub alpha: Option<Raster>,
    /// Set if colours were converted to sRGB.
    pub converted: Option<String>,
}

impl Decoded {
    /// Drops channels from `count` on.
    pub fn keep_channels(&mut self, count: usize) {
        fn keep<S: Copy>(data: &mut Vec<S>, channels: usize, count: usize) {
            *data = data.chunks_exact(channels).flat_map(|pixel| pixel[..count].iter().copied()).collect();
        }
        if count < self.channels {
            match &mut self.samples {
                Samples::U8(data) => keep(data, self.channels, count),
                Samples::U16(data) => keep(data, self.channels, count),
                Samples::F32(data) => keep(data, self.channels, count),
            }
            self.channels = count;
        }
    }

    /// Turns all values round: full ink for none.
    #[cfg(feature = "jxl")]
    pub fn turn_round(&mut self) {
        match &mut self.samples {
            Samples::U8(data) => data.iter_mut().for_each(|value| *value = !*value),
            Samples::U16(data) => data.iter_mut().for_each(|value| *value = !*value),
            Samples::F32(data) => data.iter_mut().for_each(|value| *value = 1.0 - *value),
        }
    }

    /// Moves signed a* and b* up by half the range.
    pub fn turn_signed(&mut self) {
        match &mut self.samples {
            Samples::U8(data) => {
                data.chunks_exact_mut(3).flat_map(|p| &mut p[1..]).for_each(|v| *v ^= 1 << 7)
            }
            Samples::U16(data) => {
                data.chunks_exact_mut(3).flat_map(|p| &mut p[1..]).for_each(|v| *v ^= 1 << 15)
            }
            Samples::F32(_) => {}
        }
    }

    /// Planes; inks and Lab become sRGB, inks through `icc`.
    pub fn into_planes(self, icc: Option<&[u8]>) -> Planes {
        let (height, width) = (self.height, self.width);
        match self.kind {
            Kind::Grey | Kind::Rgb => {
                let (color, alpha) = match &self.samples {
                    Samples::U8(data) => split(data, self.channels, height, width),
                    Samples::U16(data) => split(data, self.channels, height, width),
                    Samples::F32(data) => split(data, self.channels, height, width),
                };
                Planes { color, alpha, converted: None }
            }
            Kind::Cmyk => {
                let (color, note) = color::from_cmyk(&self.floats(), height, width, icc);
                Planes { color, alpha: None, converted: Some(note) }
            }
            Kind::Lab => {
                let lab: Vec<[f32; 3]> = match &self.samples {
                    Samples::U8(data) => data
                        .chunks_exact(3)
                        .map(|p| [f32::from(p[0]) / 2.55, f32::from(p[1]) - 128.0, f32::from(p[2]) - 128.0])
                        .collect(),
                    Samples::U16(data) => data
                        .chunks_exact(3)
                        .map(|p| {
                            let signed = |v: u16| (f32::from(v) - 32768.0) / 256.0;
                            [f32::from(p[0]) / 655.35, signed(p[1]), signed(p[2])]
                        })
                        .collect(),
                    Samples::F32(data) => data.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect(),
                };
                let color = color::from_lab(&lab, height, width);
                Planes { color, alpha: None, converted: Some("Lab is converted to sRGB".into()) }
            }
            Kind::YCbCr => {
                let mut color = split(&self.floats(), 3, height, width).0;
                let size = height * width;
                let data = color.data_mut();
                for i in 0..size {
                    let (y, cb, cr) =
                        (data[i], data[size + i] - 128.0 / 255.0, data[2 * size + i] - 128.0 / 255.0);
                    data[i] = y + 1.402 * cr;
                    data[size + i] = y - 0.344_136 * cb - 0.714_136 * cr;
                    data[2 * size + i] = y + 1.772 * cb;
                }
                Planes { color, alpha: None, converted: None }
            }
        }
    }

    /// All samples from 0 to 1.
    fn floats(&self) -> Vec<f32> {
        match &self.samples {
            Samples::U8(data) => data.iter().map(|v| v.to_unit()).collect(),
            Samples::U16(data) => data.iter().map(|v| v.to_unit()).collect(),
            Samples::F32(data) => data.clone(),
        }
    }
}
