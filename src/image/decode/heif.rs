//! AVIF and HEIC, through libheif.

use std::io::{BufRead, Read, Seek};

use libheif_rs::{
    ColorSpace, HeifContext, HeifError, HeifErrorCode, ImageHandle, ItemId, LibHeif, RgbChroma,
    SecurityLimits,
};

use super::sniff::boxes_are_complete;
use super::{Decoded, Kind, Samples};
use crate::error::{Error, ErrorKind, Result};
use crate::image::color::{Meaning, meaning_of_code};
use crate::image::{Header, ImageFormat, Metadata, SampleDepth};
use crate::limits::Limits;

/// Bytes of `heif_security_limits` as of libheif 1.19.
const FIRST_FORM: usize = 64;

/// An image, upright as it is to be seen.
pub(super) struct File {
    pub decoded: Decoded,
    pub metadata: Metadata,
    pub premultiplied: bool,
    pub notes: Vec<String>,
}

/// The header without pixels.
pub(in crate::image) fn header(mut source: impl BufRead + Seek, format: ImageFormat) -> Option<Header> {
    let mut bytes = Vec::new();
    source.by_ref().take(Limits::default().max_decode_bytes).read_to_end(&mut bytes).ok()?;
    let context = open(&bytes).ok()?;
    let handle = context.primary_image_handle().ok()?;
    Some(Header {
        width: handle.width() as usize,
        height: handle.height() as usize,
        channels: if is_grey(&handle) { 1 } else { 3 },
        has_alpha: handle.has_alpha_channel(),
        depth: depth(&handle),
        format,
    })
}

/// Decodes the main image.
pub(super) fn read(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<File> {
    let failed = |error| failed(bytes, format, error);
    let mut context = open(bytes).map_err(failed)?;
    let handle = context.primary_image_handle().map_err(failed)?;
    let (height, width) = (handle.height() as usize, handle.width() as usize);
    let (alpha, depth) = (handle.has_alpha_channel(), depth(&handle));
    limits.check(width as u64, height as u64, 4, u64::from(depth.bits() / 8))?;
    // For what the file does not say of itself, such as the size inside its codestream.
    restrict(&mut context, limits.max_pixels, limits.max_decode_bytes).map_err(failed)?;
    let chroma = match (depth, alpha) {
        (SampleDepth::U8, false) => RgbChroma::Rgb,
        (SampleDepth::U8, true) => RgbChroma::Rgba,
        (_, false) => RgbChroma::HdrRgbLe,
        (_, true) => RgbChroma::HdrRgbaLe,
    };
    let image = LibHeif::new().decode(&handle, ColorSpace::Rgb(chroma), None).map_err(failed)?;
    let plane = image
        .planes()
        .interleaved
        .filter(|plane| (plane.height, plane.width) == (height as u32, width as u32));
    let Some(plane) = plane else {
        return Err(Error::new(
            ErrorKind::Input,
            format!("the {format} data is damaged: its dimensions differ between header and image data"),
        ));
    };
    let stored = if alpha { 4 } else { 3 };
    let grey = is_grey(&handle);
    let picked: &[usize] = match (grey, alpha) {
        (true, false) => &[0],
        (true, true) => &[0, 3],
        (false, false) => &[0, 1, 2],
        (false, true) => &[0, 1, 2, 3],
    };
    let row = width * stored * depth.bits() as usize / 8;
    let rows = plane.data.chunks(plane.stride).take(height).map(|line| &line[..row]);
    let samples: Samples = match depth {
        SampleDepth::U8 => rows
            .flat_map(|line| line.chunks_exact(stored).flat_map(|pixel| picked.iter().map(|&i| pixel[i])))
            .collect::<Vec<u8>>()
            .into(),
        _ => {
            let most = (1u32 << plane.bits_per_pixel.clamp(9, 16)) - 1;
            let wide = |pair: &[u8]| {
                let value = u32::from(u16::from_le_bytes([pair[0], pair[1]])).min(most);
                ((value * 65_535 + most / 2) / most) as u16
            };
            rows.flat_map(|line| {
                line.chunks_exact(stored * 2).flat_map(|pixel| picked.iter().map(|&i| wide(&pixel[2 * i..])))
            })
            .collect::<Vec<u16>>()
            .into()
        }
    };
    let kind = if grey { Kind::Grey } else { Kind::Rgb };
    let decoded = Decoded { kind, channels: picked.len(), depth, height, width, samples };
    let mut notes = Vec::new();
    if context.image_ids().len() > 1 {
        notes.push(format!(
            "the file has {} images; only the primary image is read",
            context.image_ids().len()
        ));
    }
    Ok(File {
        decoded,
        metadata: metadata(&handle, grey),
        premultiplied: handle.is_premultiplied_alpha(),
        notes,
    })
}

/// Reads the boxes, no pixels. An image may be of any size yet: what is too large, our own limits say better.
fn open(bytes: &[u8]) -> Result<HeifContext<'_>, HeifError> {
    let mut context = HeifContext::new()?;
    restrict(&mut context, u64::MAX, Limits::default().max_decode_bytes)?;
    let mut context: HeifContext<'_> = context;
    context.read_bytes(bytes)?;
    Ok(context)
}

fn restrict(context: &mut HeifContext<'_>, pixels: u64, block_bytes: u64) -> Result<(), HeifError> {
    let mut limits = context.security_limits();
    limits.set_max_image_size_pixels(pixels);
    limits.set_max_memory_block_size(block_bytes);
    // A newer libheif says that its limits are of a later form, of which there is only the beginning here: it would
    // go
    // on reading behind that. Called the first form, it adds its own defaults.
    const { assert!(size_of::<SecurityLimits>() == FIRST_FORM) };
    // SAFETY: all of the type is C's structure, as its size says, and that begins with a byte that holds its form.
    unsafe { std::ptr::from_mut(&mut limits).cast::<u8>().write(1) };
    context.set_security_limits(&limits)
}

fn is_grey(handle: &ImageHandle) -> bool {
    matches!(handle.preferred_decoding_colorspace(), Ok(ColorSpace::Monochrome))
}

fn depth(handle: &ImageHandle) -> SampleDepth {
    if handle.luma_bits_per_pixel() > 8 { SampleDepth::U16 } else { SampleDepth::U8 }
}

fn metadata(handle: &ImageHandle, grey: bool) -> Metadata {
    let mut metadata =
        Metadata { icc: handle.color_profile_raw().map(|profile| profile.data), ..Metadata::default() };
    if metadata.icc.is_none()
        && let Some(profile) = handle.color_profile_nclx()
    {
        let cicp = [profile.color_primaries() as u8, profile.transfer_characteristics() as u8, 0, 1];
        // Video's curve, and no word at all, are what encoders say of ordinary images.
        match meaning_of_code(cicp, grey) {
            _ if matches!(cicp, [1 | 2, 1 | 2 | 6 | 13, ..]) => {}
            Meaning::Profile(icc) => metadata.icc = Some(icc),
            Meaning::Other => metadata.color_chunks.push((*b"cICP", cicp.to_vec())),
            Meaning::Srgb => {}
        }
    }
    let count = handle.number_of_metadata_blocks(0).max(0) as usize;
    let mut blocks: Vec<ItemId> = vec![0; count];
    let count = handle.metadata_block_ids(&mut blocks, 0);
    for &block in &blocks[..count] {
        let (kind, content) = (handle.metadata_type(block), handle.metadata_content_type(block));
        let (exif, xmp) = (kind == Some("Exif"), content == Some("application/rdf+xml"));
        let Ok(data) = handle.metadata(block) else { continue };
        if xmp {
            metadata.xmp = Some(data);
        } else if exif && let Some((skip, data)) = data.split_first_chunk::<4>() {
            // Before the block stands how many bytes into it its header begins.
            metadata.exif = data.get(u32::from_be_bytes(*skip) as usize..).map(<[u8]>::to_vec);
        }
    }
    metadata
}

fn failed(bytes: &[u8], format: ImageFormat, error: HeifError) -> Error {
    let kind = match error.code {
        HeifErrorCode::MemoryAllocationError => ErrorKind::Limit,
        _ => ErrorKind::Input,
    };
    let message = match (kind, error.code) {
        (ErrorKind::Limit, _) => {
            format!("decoding the {format} data needs more memory than the limit allows")
        }
        (_, HeifErrorCode::UnsupportedFeature | HeifErrorCode::UnsupportedFileType) => {
            format!("this kind of {format} is not supported by the libheif that is installed")
        }
        _ if !boxes_are_complete(bytes) => return super::truncated(format),
        _ => format!("the {format} data is damaged"),
    };
    Error::with_source(kind, message, error)
}
