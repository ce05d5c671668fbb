//! A decoded image with what its file said about it.

use super::alpha::is_opaque;
use super::{ImageFormat, Metadata, Raster};

/// How samples are stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SampleDepth {
    /// 8-bit integers.
    U8,
    /// 16-bit integers.
    U16,
    /// 32-bit floating point.
    F32,
}

impl SampleDepth {
    /// Bits per sample.
    pub fn bits(self) -> u32 {
        match self {
            Self::U8 => 8,
            Self::U16 => 16,
            Self::F32 => 32,
        }
    }
}

/// An image in memory.
#[derive(Clone, Debug)]
pub struct Image {
    /// One channel (grey) or three (red, green, blue) of values as coded in the file, 0 to 1; floating point may leave
    /// that range.
    pub color: Raster,
    /// Opacity, one channel of 0 (clear) to 1 (opaque) of the same size; colour is not multiplied by it.
    pub alpha: Option<Raster>,
    /// The depth that the file had, and that a file written from this image gets if its format can.
    pub depth: SampleDepth,
    /// The format that the image came in.
    pub format: ImageFormat,
    /// Whether colour values are linear light (sRGB primaries, may exceed 1) or other numbers, instead of coded by the
    /// profile.
    pub linear: bool,
    /// Whether the file has further frames, which are not here.
    pub animated: bool,
    /// Profile, EXIF and all else that is not pixels.
    pub metadata: Metadata,
    /// What decoding could not keep, one sentence each.
    pub warnings: Vec<String>,
    /// What is wrong with a damaged file of which part could be read, and how much is lost; `None` for a whole one.
    pub damage: Option<String>,
}

impl Image {
    /// An image without warnings and damage.
    ///
    /// # Panics
    /// If `color` has neither 1 nor 3 channels, or `alpha` is not one channel of the same size.
    pub fn new(color: Raster, alpha: Option<Raster>, depth: SampleDepth, format: ImageFormat) -> Self {
        assert!(matches!(color.channels(), 1 | 3), "an image has 1 or 3 channels, not {}", color.channels());
        if let Some(alpha) = &alpha {
            let sizes =
                [(1, color.height(), color.width()), (alpha.channels(), alpha.height(), alpha.width())];
            assert_eq!(sizes[0], sizes[1], "alpha must be one channel of the image's size");
        }
        Self {
            color,
            alpha,
            depth,
            format,
            linear: false,
            animated: false,
            metadata: Metadata::default(),
            warnings: Vec::new(),
            damage: None,
        }
    }

    /// Whether any pixel is not opaque.
    pub fn is_transparent(&self) -> bool {
        self.alpha.as_ref().is_some_and(|alpha| !is_opaque(alpha))
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.color.width()
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.color.height()
    }
}
