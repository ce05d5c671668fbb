//! PNG. The codec is given the chunks that make up the image and no others, which could only keep it from being read.

use std::io::{Cursor, ErrorKind as IoErrorKind};

use png::{BitDepth, DecodeOptions, Decoder, DecodingError, Limits as CodecLimits, Transformations};

use super::{Decoded, Kind, Samples, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::metadata::png::image_chunks;
use crate::image::{ImageFormat, SampleDepth};
use crate::limits::Limits;

/// Decodes the image, and tells what is wrong with one that can be read nevertheless.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<(Decoded, Option<String>)> {
    let (file, damage) = image_chunks(bytes);
    let error = match decode(&file, limits, false) {
        Ok(decoded) => return Ok((decoded, damage)),
        Err(error) => error,
    };
    // Few readers look at the second checksum, and some writers get it wrong: no reason to refuse the image.
    let decoded = decode(&file, limits, true).map_err(|_| error)?;
    let what = "the checksum of the image data is wrong: pixels may be wrong";
    Ok((decoded, Some(damage.map_or(what.into(), |damage| format!("{what}; {damage}")))))
}

fn decode(file: &[u8], limits: &Limits, ignore_adler: bool) -> Result<Decoded> {
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(ignore_adler);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    let bytes = usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX);
    decoder.set_limits(CodecLimits { bytes });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = reader.info().size();
    let (color, bits) = reader.output_color_type();
    let (channels, depth) =
        (color.samples(), if bits == BitDepth::Sixteen { SampleDepth::U16 } else { SampleDepth::U8 });
    limits.check(width.into(), height.into(), channels as u64, u64::from(depth.bits() / 8))?;
    let mut data = vec![0; reader.output_buffer_size().ok_or_else(|| too_large("it is too large"))?];
    reader.next_frame(&mut data).map_err(failed)?;
    let samples: Samples = match depth {
        SampleDepth::U8 => data.into(),
        _ => {
            let pairs = data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            pairs.collect::<Vec<u16>>().into()
        }
    };
    let kind = if channels < 3 { Kind::Grey } else { Kind::Rgb };
    Ok(Decoded { kind, channels, depth, height: height as usize, width: width as usize, samples })
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
