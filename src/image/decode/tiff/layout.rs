//! How a page's samples are stored and what they mean.

use std::io::{Read, Seek};

use super::super::{Kind, truncated};
use super::color::YCbCr;
use super::compression::Compression;
use super::{damaged, unsupported};
use crate::error::Result;
use crate::image::metadata::directory::{Directory, Outside, TiffFile};
use crate::image::metadata::ifd::Order;
use crate::image::{ImageFormat, SampleDepth};

/// Numbers of tags.
pub(super) mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const SUBFILE_TYPE: u16 = 255;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const IMAGE_DESCRIPTION: u16 = 270;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_COUNTS: u16 = 279;
    pub const PLANAR: u16 = 284;
    pub const G3_OPTIONS: u16 = 292;
    pub const PREDICTOR: u16 = 317;
    pub const COLOR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_COUNTS: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
    pub const JPEG_STREAM: u16 = 513;
    pub const YCBCR_COEFFICIENTS: u16 = 529;
    pub const YCBCR_SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
}

/// What the bits of a sample are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleKind {
    Unsigned,
    Signed,
    Float,
}

/// What a page's tags say of its pixels.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub order: Order,
    pub width: usize,
    pub height: usize,
    /// Bits of a sample.
    pub bits: usize,
    pub sample_kind: SampleKind,
    /// Channels in the file.
    pub samples: usize,
    pub photometric: u16,
    pub compression: Compression,
    pub predictor: u16,
    /// Whether the first pixel is in the lowest bits of a byte.
    pub reversed: bool,
    /// Whether each channel is stored alone.
    pub planar: bool,
    /// Width and height of a tile; of strips, the image's width.
    pub block: (usize, usize),
    /// What the channels mean after decoding.
    pub kind: Kind,
    /// Which channels of the file are read, colours first.
    pub kept: Vec<usize>,
    /// Whether the last of them is alpha.
    pub has_alpha: bool,
    /// Whether colour is multiplied by alpha.
    pub premultiplied: bool,
    /// The colour map: all reds, then greens, then blues.
    pub palette: Option<Vec<u16>>,
    /// How luma and chroma become RGB.
    pub ycbcr: Option<YCbCr>,
    /// Tables that all JPEG strips share.
    pub jpeg_tables: Option<Vec<u8>>,
}

impl Layout {
    /// Reads the tags.
    ///
    /// # Errors
    /// `Input` for what is missing, contradictory or not supported.
    pub fn read<R: Read + Seek>(file: &mut TiffFile<R>, directory: &Directory) -> Result<Self> {
        let mut numbers =
            |tag, most| file.numbers(directory, tag, most).map_err(|Outside| truncated(ImageFormat::Tiff));
        let mut one = |tag, otherwise: u64| {
            let value = numbers(tag, 1)?.first().copied().unwrap_or(otherwise);
            usize::try_from(value).map_err(|_| damaged(&format!("tag {tag} has the value {value}")))
        };
        let (width, height) = (one(tag::WIDTH, 0)?, one(tag::HEIGHT, 0)?);
        let compression_code = one(tag::COMPRESSION, 1)?;
        let planar = one(tag::PLANAR, 1)? == 2;
        let predictor = one(tag::PREDICTOR, 1)? as u16;
        let reversed = one(tag::FILL_ORDER, 1)? == 2;
        let g3_options = one(tag::G3_OPTIONS, 0)?;
        let photometric = one(tag::PHOTOMETRIC, u64::MAX)?;
        // Old-style JPEG often leaves the number of channels out.
        let samples = one(tag::SAMPLES, if (compression_code, photometric) == (6, 6) { 3 } else { 1 })?;
        let rows = one(tag::ROWS_PER_STRIP, u64::MAX)?;
        let tile = (one(tag::TILE_WIDTH, 0)?, one(tag::TILE_HEIGHT, 0)?);
        // Some writers describe channels that they do not store.
        let most = samples.min(usize::from(u16::MAX));
        let bits = numbers(tag::BITS, most)?;
        let formats = numbers(tag::SAMPLE_FORMAT, most)?;
        let extra = numbers(tag::EXTRA_SAMPLES, most)?;
        let map = numbers(tag::COLOR_MAP, (3 << 16) + 1)?;
        let subsampling = numbers(tag::YCBCR_SUBSAMPLING, 2)?;
        let jpeg_tables = match file.data(directory, tag::JPEG_TABLES) {
            Ok(data) => data.map(|(_, data)| data),
            Err(Outside) => return Err(truncated(ImageFormat::Tiff)),
        };

        let compression = Compression::new(compression_code, g3_options)?;
        if samples == 0 || samples > usize::from(u16::MAX) {
            return Err(damaged(&format!("it has {samples} channels")));
        }
        let bits = same("bits per sample", &bits, 1)?;
        // Of Lab, a* and b* have a sign and L* has none.
        let formats = if matches!(photometric, 8 | 9) { Vec::new() } else { formats };
        let sample_kind = match same("sample formats", &formats, 1)? {
            // Samples of undefined type are mostly unsigned.
            1 | 4 => SampleKind::Unsigned,
            2 => SampleKind::Signed,
            3 => SampleKind::Float,
            other => return Err(unsupported(&format!("sample format {other} (complex numbers)"))),
        };
        let readable = match sample_kind {
            SampleKind::Unsigned => matches!(bits, 1..=16 | 24 | 32),
            SampleKind::Signed => matches!(bits, 8 | 16 | 32),
            SampleKind::Float => matches!(bits, 16 | 24 | 32 | 64),
        };
        if !readable {
            return Err(unsupported(&format!("{bits} bits per sample ({sample_kind:?})")));
        }
        let photometric = match (photometric, samples - extra.len().min(samples - 1)) {
            (usize::MAX, 1) if compression.is_fax() => 0,
            (usize::MAX, 1) => 1,
            (usize::MAX, 3) => 2,
            (usize::MAX, _) => return Err(damaged("its photometric interpretation is missing")),
            (other, _) => other as u16,
        };
        let (kind, colors) = match photometric {
            0 | 1 | 4 => (Kind::Grey, 1),
            3 => (Kind::Grey, 1),
            2 => (Kind::Rgb, 3),
            5 => (Kind::Cmyk, 4),
            6 => (Kind::Rgb, 3),
            8 | 9 => (Kind::Lab, 3),
            other => {
                return Err(unsupported(&format!("photometric interpretation {other}{}", meaning(other))));
            }
        };
        let depth_fits = match photometric {
            3 => sample_kind == SampleKind::Unsigned && bits <= 16,
            6 => sample_kind == SampleKind::Unsigned && bits == 8,
            8 | 9 => matches!(bits, 8 | 16),
            5 => sample_kind != SampleKind::Signed,
            _ => true,
        };
        if samples < colors || !depth_fits {
            let what =
                format!("photometric interpretation {photometric} with {samples} channels of {bits} bits");
            return Err(unsupported(&what));
        }
        let alpha = extra.iter().position(|kind| matches!(kind, 1 | 2)).map(|at| colors + at);
        let premultiplied = alpha.is_some_and(|at| extra[at - colors] == 1);
        let alpha = alpha.or((extra.is_empty() && photometric == 2 && samples == 4).then_some(3));
        let alpha = alpha.filter(|at| *at < samples && matches!(photometric, 0..=4));
        // JPEG's own decoder converts what is interleaved.
        let ycbcr = (photometric == 6
            && (planar && compression == Compression::Jpeg || !compression.is_jpeg()))
        .then(|| {
            let coefficients = file.reals(directory, tag::YCBCR_COEFFICIENTS, 3);
            YCbCr::new(&subsampling, &coefficients, &file.reals(directory, tag::REFERENCE_BLACK_WHITE, 6))
        });
        let ycbcr = ycbcr.transpose()?;
        if ycbcr.as_ref().is_some_and(|ycbcr| ycbcr.sampling != (1, 1) && (planar || samples != 3)) {
            return Err(unsupported("subsampled YCbCr in planes or with further channels"));
        }
        let palette = (photometric == 3).then(|| palette(map, bits)).transpose()?;
        let tiled = tile.0 > 0 && tile.1 > 0;
        let block = match compression {
            // One stream for all strips.
            Compression::OldJpeg => (width, height),
            _ if tiled => tile,
            _ => (width, rows.clamp(1, height.max(1))),
        };
        let layout = Self {
            order: file.order,
            width,
            height,
            bits,
            sample_kind,
            samples,
            photometric,
            compression,
            predictor,
            reversed,
            planar: planar && samples > 1 && compression != Compression::OldJpeg,
            block,
            kind: if palette.is_some() { Kind::Rgb } else { kind },
            kept: (0..colors).chain(alpha).collect(),
            has_alpha: alpha.is_some(),
            premultiplied,
            palette,
            ycbcr,
            jpeg_tables,
        };
        layout.check()?;
        Ok(layout)
    }

    /// Refuses compressions and predictors that do not fit the samples.
    fn check(&self) -> Result<()> {
        if self.compression.is_fax() && (self.bits != 1 || self.stored() != 1) {
            return Err(unsupported(&format!(
                "CCITT compression of {} channels of {} bits",
                self.samples, self.bits
            )));
        }
        if self.compression == Compression::WebP && (self.bits != 8 || !matches!(self.stored(), 3 | 4)) {
            return Err(unsupported("WebP compression of samples other than 8-bit RGB or RGBA"));
        }
        if self.compression.is_jpeg() && (self.bits != 8 || self.sample_kind != SampleKind::Unsigned) {
            return Err(unsupported(&format!("JPEG compression of {} bits", self.bits)));
        }
        let fits = match self.effective_predictor() {
            1 => true,
            2 => matches!(self.bits, 8 | 16 | 24 | 32 | 64) && self.sampling() == (1, 1),
            3 => self.sample_kind == SampleKind::Float,
            _ => false,
        };
        if !fits {
            return Err(unsupported(&format!(
                "predictor {} with {} bits per sample",
                self.predictor, self.bits
            )));
        }
        Ok(())
    }

    /// The predictor, which only some compressions have.
    pub fn effective_predictor(&self) -> u16 {
        if matches!(self.compression, Compression::Lzw | Compression::Deflate) { self.predictor } else { 1 }
    }

    /// How many pixels, across and down, share their chroma.
    pub fn sampling(&self) -> (usize, usize) {
        if self.compression.is_jpeg() {
            (1, 1)
        } else {
            self.ycbcr.as_ref().map_or((1, 1), |ycbcr| ycbcr.sampling)
        }
    }

    /// Channels that are interleaved in a strip or tile.
    pub fn stored(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Planes in the file; interleaved channels are one.
    pub fn stored_planes(&self) -> usize {
        if self.planar { self.samples } else { 1 }
    }

    /// Bytes of `rows` rows of a strip or tile.
    pub fn bytes(&self, rows: usize) -> Option<usize> {
        let (across, down) = self.sampling();
        if (across, down) == (1, 1) {
            return self.row_bytes()?.checked_mul(rows);
        }
        // Groups of luma, each with its two chroma samples.
        self.block.0.div_ceil(across).checked_mul(rows.div_ceil(down))?.checked_mul(across * down + 2)
    }

    /// Bytes of a row of a strip or tile.
    pub fn row_bytes(&self) -> Option<usize> {
        Some(self.block.0.checked_mul(self.stored())?.checked_mul(self.bits)?.div_ceil(8))
    }

    /// Which planes of the file are read; interleaved channels are one.
    pub fn planes(&self) -> &[usize] {
        if self.planar { &self.kept } else { &[0] }
    }

    /// Strips or tiles, across and down.
    pub fn blocks(&self) -> (usize, usize) {
        (self.width.div_ceil(self.block.0), self.height.div_ceil(self.block.1))
    }

    /// Depth of the decoded samples.
    pub fn depth(&self) -> SampleDepth {
        match (self.sample_kind, self.bits, &self.palette) {
            (_, _, Some(map)) if map.iter().all(|value| value % 257 == 0) => SampleDepth::U8,
            (_, _, Some(_)) => SampleDepth::U16,
            (SampleKind::Unsigned, ..=8, _) => SampleDepth::U8,
            (SampleKind::Unsigned, ..=16, _) => SampleDepth::U16,
            _ => SampleDepth::F32,
        }
    }
}

/// Names of photometric interpretations that are not read.
fn meaning(photometric: u16) -> &'static str {
    match photometric {
        10 => " (ITU Lab)",
        32803 => " (a camera's colour filter array)",
        32844 | 32845 => " (SGI LogL or LogLuv)",
        34892 => " (a camera's linear raw)",
        _ => "",
    }
}

/// The value of a tag, which must be the same for all channels.
fn same(what: &str, values: &[u64], otherwise: u64) -> Result<usize> {
    let first = values.first().copied().unwrap_or(otherwise);
    match values.iter().all(|value| *value == first) {
        true => Ok(usize::try_from(first).unwrap_or(usize::MAX)),
        false => Err(unsupported(&format!("channels with different {what}"))),
    }
}

/// A colour map in 16 bits.
fn palette(map: Vec<u64>, bits: usize) -> Result<Vec<u16>> {
    let needed = 3 << bits;
    if map.len() != needed {
        return Err(damaged(&format!("the colour map has {} values instead of {needed}", map.len())));
    }
    // The map has 16 bits, of which most writers fill only the upper 8, or both halves alike, and some the lower 8.
    let low = map.iter().all(|value| *value < 256);
    let high = map.iter().all(|value| value & 0xff == 0 || value % 257 == 0);
    let wide = |value: u64| match (low, high) {
        (true, _) => value as u16 * 257,
        (_, true) => (value >> 8) as u16 * 257,
        _ => value as u16,
    };
    Ok(map.into_iter().map(wide).collect())
}
