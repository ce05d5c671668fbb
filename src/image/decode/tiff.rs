//! TIFF and BigTIFF pages: strips, tiles and planes of all usual colours and depths.

use std::io::Cursor;

use tiff::decoder::{BufferLayoutPreference, Decoder, DecodingResult, Limits as TiffLimits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::{Decoded, Kind, Samples, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::metadata::ifd;
use crate::image::metadata::tiff::Tags;
use crate::image::{ImageFormat, SampleDepth, metadata};
use crate::limits::Limits;

/// Most pages that are looked for.
const PAGES: usize = 10_000;

type PageDecoder<'a> = Decoder<Cursor<&'a [u8]>>;

/// The number of pages, at least 1.
pub(super) fn pages(bytes: &[u8]) -> usize {
    let Ok(mut decoder) = Decoder::new(Cursor::new(bytes)) else { return 1 };
    let mut count = 1;
    while decoder.more_images() && count < PAGES && decoder.next_image().is_ok() {
        count += 1;
    }
    count
}

/// What a page is.
pub(super) struct Page {
    /// The pixels.
    pub decoded: Decoded,
    /// The tags.
    pub tags: Tags,
    /// Whether colour is multiplied by alpha.
    pub premultiplied: bool,
    /// Whether samples were integers with a sign.
    pub signed: bool,
}

/// Decodes page `page`, counted from 0.
pub(super) fn read(bytes: &[u8], page: usize, limits: &Limits) -> Result<Page> {
    // The decoder refuses indexed colours; told that they are grey, it delivers the indices.
    let photometric = photometric(bytes, page);
    let patched = match photometric {
        Some((at, 3)) => Some(patch(bytes, at, 1)),
        Some((at, 8)) => Some(patch(bytes, at, 2)),
        _ => None,
    };
    let bytes = patched.as_deref().unwrap_or(bytes);
    let mut decoder = open(bytes, page, limits)?;
    let mut tags = metadata::tiff::read(bytes, &mut decoder);
    // Camera raw files begin with a preview and hold the image where only their makers look.
    let reduced = decoder
        .find_tag_unsigned::<u32>(Tag::NewSubfileType)
        .ok()
        .flatten()
        .is_some_and(|kind| kind & 1 == 1);
    if page == 0 && reduced {
        tags.notes.push("the file says that its first image is a reduced copy of another one".into());
    }
    let (width, height) = decoder.dimensions().map_err(failed)?;
    let color = decoder.colortype().map_err(failed)?;
    let bits = color.bit_depth();
    let channels = usize::from(color.num_samples());
    limits.check(width.into(), height.into(), channels as u64, u64::from(bits).div_ceil(8))?;
    let (height, width) = (height as usize, width as usize);
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    let (kind, used) = match (photometric, color) {
        (Some((_, 3)), ColorType::Gray(1 | 2 | 4 | 8)) => (Kind::Grey, 1),
        (Some((_, 8)), ColorType::RGB(8)) => (Kind::Lab, 3),
        (Some((_, 3 | 8)), _) => return Err(unsupported(color)),
        (_, ColorType::Gray(_)) => (Kind::Grey, 1),
        (_, ColorType::Multiband { .. } | ColorType::GrayA(_)) => (Kind::Grey, 1),
        (_, ColorType::RGB(_) | ColorType::RGBA(_)) => (Kind::Rgb, 3),
        (_, ColorType::CMYK(_) | ColorType::CMYKA(_)) => (Kind::Cmyk, 4),
        (_, ColorType::Lab(8)) => (Kind::Lab, 3),
        (_, ColorType::YCbCr(8)) => (Kind::YCbCr, 3),
        _ => return Err(unsupported(color)),
    };
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result).map_err(failed)?;
    if result.as_buffer(0).as_bytes().len() < layout.complete_len {
        return Err(Error::new(
            ErrorKind::Limit,
            "decoding the TIFF data needs more memory than the limit allows",
        ));
    }
    let signed = matches!(result, DecodingResult::I8(_) | DecodingResult::I16(_));
    if matches!(result, DecodingResult::U32(_)) {
        tags.notes.push("32-bit integers become floating point, with 1 for 4294967295".into());
    }
    let floats = matches!(result, DecodingResult::F16(_) | DecodingResult::F32(_) | DecodingResult::F64(_));
    let (mut samples, depth) = unpack(result, bits, height, width * channels / layout.planes.max(1), &layout)
        .ok_or_else(|| unsupported(color))?;
    if layout.planes > 1 {
        samples = samples.interleave(layout.planes);
    }
    let mut decoded = Decoded { kind, channels, depth, height, width, samples };
    let has_alpha = matches!(extra.first(), Some(1 | 2)) || (extra.is_empty() && channels == 4 && used == 3);
    decoded.keep_channels(used + usize::from(has_alpha && kind != Kind::Cmyk && kind != Kind::Lab));
    // The decoder counts those that it knows.
    let stored = decoder.find_tag_unsigned::<u16>(Tag::SamplesPerPixel).ok().flatten().unwrap_or(1);
    let (kept, all) = (decoded.channels, channels.max(stored.into()));
    if kept < all {
        tags.notes.push(format!(
            "{} of its {all} channels are dropped; only the first {kept} are read",
            all - kept
        ));
    }
    if let Some((_, 3)) = photometric {
        let map = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap).ok().flatten().unwrap_or_default();
        decoded = indexed(&decoded, &map, bits)?;
    }
    if matches!(photometric, Some((_, 8))) {
        decoded.turn_signed();
    }
    // The decoder turns values that begin at white round; numbers with units of their own have no white.
    if let (Some((_, 0)), true, Samples::F32(data)) = (photometric, floats, &mut decoded.samples)
        && data.iter().any(|value| !(0.0..=1.0).contains(value))
    {
        data.iter_mut().for_each(|value| *value = 1.0 - *value);
    }
    Ok(Page { decoded, tags, premultiplied: extra.first() == Some(&1), signed })
}

fn open<'a>(bytes: &'a [u8], page: usize, limits: &Limits) -> Result<PageDecoder<'a>> {
    let most = usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX);
    let mut allowed = TiffLimits::default();
    allowed.decoding_buffer_size = most;
    allowed.intermediate_buffer_size = most;
    // Profiles of presses have a few megabytes.
    allowed.ifd_value_size = most.min(64 << 20);
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?.with_limits(allowed);
    if page > 0 {
        decoder.seek_to_image(page).map_err(failed)?;
    }
    Ok(decoder)
}

/// Where the page's photometric interpretation is stored, and its value; classic TIFF only.
fn photometric(bytes: &[u8], page: usize) -> Option<(usize, u32)> {
    let (order, mut at) = ifd::header(bytes)?;
    for _ in 0..page {
        at = order.u32(bytes, ifd::read(bytes, order, at)?.link_at)? as usize;
    }
    let directory = ifd::read(bytes, order, at)?;
    let entry = directory.find(0x0106)?;
    let low = if order == ifd::Order::Little { 0 } else { 1 };
    (entry.kind == 3).then_some((entry.data_at + low, entry.number(bytes, order)?))
}

fn patch(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at] = value;
    out
}

/// Samples in a depth that images have; `row` is the samples of a row.
fn unpack(
    result: DecodingResult,
    bits: u8,
    height: usize,
    row: usize,
    layout: &BufferLayoutPreference,
) -> Option<(Samples, SampleDepth)> {
    Some(match result {
        DecodingResult::U8(data) if bits == 8 => (data.into(), SampleDepth::U8),
        DecodingResult::U8(data) if matches!(bits, 1 | 2 | 4) && layout.planes == 1 => {
            let stride = layout.row_stride.map_or(row.div_ceil(8 / usize::from(bits)), |stride| stride.get());
            let most = (1u16 << bits) - 1;
            let mut out = Vec::with_capacity(height * row);
            for line in data.chunks(stride).take(height) {
                out.extend((0..row).map(|i| {
                    let bit = i * usize::from(bits);
                    let byte = line.get(bit / 8).copied().unwrap_or(0);
                    let value = u16::from(byte) >> (8 - usize::from(bits) - bit % 8) & most;
                    (value * 255 / most) as u8
                }));
            }
            (out.into(), SampleDepth::U8)
        }
        DecodingResult::U16(data) if bits == 16 => (data.into(), SampleDepth::U16),
        DecodingResult::U32(data) if bits == 32 => {
            let most = f64::from(u32::MAX);
            (data.iter().map(|&v| (f64::from(v) / most) as f32).collect::<Vec<_>>().into(), SampleDepth::F32)
        }
        // Numbers with a sign are measured ones.
        DecodingResult::I8(data) => (numbers(&data), SampleDepth::F32),
        DecodingResult::I16(data) => (numbers(&data), SampleDepth::F32),
        DecodingResult::F16(data) => {
            (data.iter().map(|v| v.to_f32()).collect::<Vec<_>>().into(), SampleDepth::F32)
        }
        DecodingResult::F32(data) => (data.into(), SampleDepth::F32),
        DecodingResult::F64(data) => {
            (data.iter().map(|&v| v as f32).collect::<Vec<_>>().into(), SampleDepth::F32)
        }
        _ => return None,
    })
}

fn numbers<T: Copy + Into<f32>>(data: &[T]) -> Samples {
    data.iter().map(|&value| value.into()).collect::<Vec<f32>>().into()
}

/// Colours of indices, which were widened to 8 bits.
fn indexed(indices: &Decoded, map: &[u16], bits: u8) -> Result<Decoded> {
    let colors = 1usize << bits;
    let Samples::U8(data) = &indices.samples else { return Err(unsupported(ColorType::Palette(bits))) };
    if map.len() != colors * 3 {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "the TIFF data is damaged: the colour map has {} values, {} are needed",
                map.len(),
                colors * 3
            ),
        ));
    }
    let scale = 255 / (colors - 1);
    // The map has 16 bits, of which most writers fill only the upper 8, or both halves alike.
    let narrow = map.iter().all(|value| value & 0xff == 0 || value % 257 == 0);
    let wide: Vec<u16> = data
        .chunks_exact(indices.channels)
        .flat_map(|pixel| {
            let index = usize::from(pixel[0]) / scale;
            [0, 1, 2].map(|channel| map[channel * colors + index])
        })
        .collect();
    let (samples, depth) = if narrow {
        let bytes: Vec<u8> = wide.iter().map(|value| (value >> 8) as u8).collect();
        (bytes.into(), SampleDepth::U8)
    } else {
        (wide.into(), SampleDepth::U16)
    };
    Ok(Decoded { kind: Kind::Rgb, channels: 3, depth, samples, ..*indices })
}

fn unsupported(color: ColorType) -> Error {
    Error::new(ErrorKind::Input, format!("this kind of TIFF is not supported ({color:?})"))
}

fn failed(error: TiffError) -> Error {
    match error {
        TiffError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(ImageFormat::Tiff)
        }
        TiffError::LimitsExceeded => Error::with_source(
            ErrorKind::Limit,
            "decoding the TIFF data needs more memory than the limit allows",
            error,
        ),
        TiffError::UnsupportedError(kind) => Error::with_source(
            ErrorKind::Input,
            "this kind of TIFF is not supported",
            TiffError::UnsupportedError(kind),
        ),
        other => Error::with_source(ErrorKind::Input, "the TIFF data is damaged", other),
    }
}
