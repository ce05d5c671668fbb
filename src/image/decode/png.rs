//! PNG. The codec is given the chunks that make up the image and no others, which could only keep it from being read.

use std::io::{Cursor, ErrorKind as IoErrorKind};

use png::{
    BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Info, Limits as CodecLimits, Transformations,
};

use super::{Decoded, Kind, Samples, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::metadata::png::{ImageChunks, image_chunks};
use crate::image::{ImageFormat, SampleDepth};
use crate::limits::Limits;

/// Decodes the image, and tells what is wrong with one that can be read nevertheless.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<(Decoded, Option<String>)> {
    let ImageChunks { file, mut damage, cut } = image_chunks(bytes);
    let (decoded, beyond) = match decode(&file, limits, false) {
        Ok(decoded) => decoded,
        Err(error) => {
            let error =
                if cut && error.kind() == ErrorKind::Input { truncated(ImageFormat::Png) } else { error };
            // Few readers look at the second checksum, and some writers get it wrong: no reason to refuse the image.
            let decoded = decode(&file, limits, true).map_err(|_| error)?;
            damage.insert(0, "the checksum of the image data is wrong: pixels may be wrong".into());
            decoded
        }
    };
    if beyond > 0 {
        let pixels = if beyond == 1 { "pixel has" } else { "pixels have" };
        damage.push(format!("{beyond} {pixels} an index beyond the palette"));
    }
    Ok((decoded, (!damage.is_empty()).then(|| damage.join("; "))))
}

/// The image, and how many of its pixels have an index beyond the palette.
fn decode(file: &[u8], limits: &Limits, ignore_adler: bool) -> Result<(Decoded, usize)> {
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(ignore_adler);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    let bytes = usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX);
    decoder.set_limits(CodecLimits { bytes });
    // The codec would not tell of indices beyond the palette.
    let indexed = decoder.read_header_info().map_err(failed)?.color_type == ColorType::Indexed;
    decoder.set_transformations(match indexed {
        true => Transformations::IDENTITY,
        false => Transformations::EXPAND,
    });
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = reader.info().size();
    let (color, bits) = reader.output_color_type();
    let channels = match (indexed, &reader.info().trns) {
        (true, None) => 3,
        (true, Some(_)) => 4,
        _ => color.samples(),
    };
    let depth = if bits == BitDepth::Sixteen { SampleDepth::U16 } else { SampleDepth::U8 };
    limits.check(width.into(), height.into(), channels as u64, u64::from(depth.bits() / 8))?;
    let mut data = vec![0; reader.output_buffer_size().ok_or_else(|| too_large("it is too large"))?];
    reader.next_frame(&mut data).map_err(failed)?;
    let mut beyond = 0;
    if indexed {
        (data, beyond) = expand(&data, reader.info())?;
    }
    let samples: Samples = match depth {
        SampleDepth::U8 => data.into(),
        _ => {
            let pairs = data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            pairs.collect::<Vec<u16>>().into()
        }
    };
    let kind = if channels < 3 { Kind::Grey } else { Kind::Rgb };
    let decoded = Decoded { kind, channels, depth, height: height as usize, width: width as usize, samples };
    Ok((decoded, beyond))
}

/// Colours, with alpha where there is transparency, of rows of indices. Those beyond the palette are counted, and
/// black as in libpng.
fn expand(rows: &[u8], info: &Info) -> Result<(Vec<u8>, usize)> {
    let palette = info.palette.as_deref().unwrap_or_default().as_chunks::<3>().0;
    if palette.is_empty() {
        return Err(Error::new(ErrorKind::Input, "the PNG data is damaged: its palette is missing"));
    }
    let color = |index: usize| {
        let [red, green, blue] = palette.get(index).copied().unwrap_or_default();
        let alpha = info.trns.as_ref().map(|alpha| alpha.get(index).copied().unwrap_or(255));
        [red, green, blue, alpha.unwrap_or(255)]
    };
    let colors: [[u8; 4]; 256] = std::array::from_fn(color);
    let channels = if info.trns.is_some() { 4 } else { 3 };
    let (width, bits) = (info.width as usize, info.bit_depth as usize);
    let mut out = Vec::with_capacity(width * info.height as usize * channels);
    let mut beyond = 0;
    for row in rows.chunks_exact((width * bits).div_ceil(8)) {
        for x in 0..width {
            let shift = 8 - bits - x * bits % 8;
            let index = usize::from(row[x * bits / 8] >> shift) & ((1 << bits) - 1);
            beyond += usize::from(index >= palette.len());
            out.extend_from_slice(&colors[index][..channels]);
        }
    }
    Ok((out, beyond))
}

fn failed(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(io) if io.kind() == IoErrorKind::UnexpectedEof => truncated(ImageFormat::Png),
        DecodingError::LimitsExceeded => too_large("its limit is exceeded"),
        other => Error::with_source(ErrorKind::Input, "the PNG data is damaged", other),
    }
}

fn too_large(why: &'static str) -> Error {
    Error::with_source(ErrorKind::Limit, "decoding the PNG data needs more memory than the limit allows", why)
}
