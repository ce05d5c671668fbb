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
    /// Turns all values round: full ink for none.
    #[cfg(feature = "jxl")]
    pub fn turn_round(&mut self) {
        match &mut self.samples {
            Samples::U8(data) => data.iter_mut().for_each(|value| *value = !*value),
            Samples::U16(data) => data.iter_mut().for_each(|value| *value = !*value),
            Samples::F32(data) => data.iter_mut().for_each(|value| *value = 1.0 - *value),
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
