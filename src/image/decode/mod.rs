//! Bytes of a file to an image.

mod decoded;
#[cfg(feature = "heif")]
pub(in crate::image) mod heif;
pub(in crate::image) mod jpeg;
#[cfg(feature = "jxl")]
pub(in crate::image) mod jxl;
mod pfm;
mod png;
mod sniff;
pub(in crate::image) mod tiff;

use std::io::{Cursor, ErrorKind as IoErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::LimitErrorKind;
use image::{ColorType, ImageDecoder, ImageError, ImageReader};

use self::decoded::{Decoded, Kind, Samples};
use super::alpha::is_opaque;
use super::color::{
    HDR_PEAK, Meaning, adobe_rgb_icc, describe_code, meaning_of_code, meaning_of_gamma, srgb_icc,
};
use super::interleave::Sample;
use super::metadata::png::ColorChunks;
use super::metadata::{self, Metadata};
use super::orientation::upright;
use super::{Image, ImageFormat, Raster, SampleDepth};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;

/// Decodes the bytes of an image file; the format is found from its contents.
///
/// Orientation is applied to the pixels; metadata come with the image. Of a file with several pages or frames
/// this is the first one, and a warning says so.
///
/// Of a damaged file as much is read as can be, and [`Image::damage`] says what is lost.
///
/// # Errors
/// [`ErrorKind::Input`] for empty, unknown, unsupported or truncated data, and for damaged data of which nothing
/// useful can be read; [`ErrorKind::Limit`] for a
/// image over `limits`, which are checked before pixels are allocated.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Image> {
    let mut image = decode_page(bytes, 0, limits)?;
    let pages = page_count(bytes);
    if pages > 1 {
        image.warnings.push(format!("the file has {pages} pages; only the first is read"));
    }
    Ok(image)
}

/// The number of pages that [`decode_page`] can read: over 1 for TIFF only.
pub fn page_count(bytes: &[u8]) -> usize {
    if ImageFormat::sniff(bytes) == Some(ImageFormat::Tiff) { tiff::pages(bytes) } else { 1 }
}

/// Decodes page `page`, counted from 0; see [`decode`].
pub fn decode_page(bytes: &[u8], page: usize, limits: &Limits) -> Result<Image> {
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Input, "the file is empty"));
    }
    let Some(format) = ImageFormat::sniff(bytes) else {
        return Err(sniff::unknown(bytes));
    };
    if let Some(feature) = format.missing_feature() {
        return Err(sniff::left_out(format, feature));
    }
    // A codec's own fault on a hostile file must not end the program.
    catch_unwind(AssertUnwindSafe(|| decode_known(bytes, format, page, limits))).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Input, format!("the {format} data is damaged: its decoder failed")))
    })
}

fn decode_known(bytes: &[u8], format: ImageFormat, page: usize, limits: &Limits) -> Result<Image> {
    let mut source = Source {
        format,
        metadata: Metadata::default(),
        notes: Vec::new(),
        damage: None,
        premultiplied: false,
        measured: false,
        animated: false,
    };
    let mut orientation = None;
    let decoded = match format {
        ImageFormat::Tiff => {
            let page = tiff::read(bytes, page, limits)?;
            orientation = Some(page.tags.orientation);
            source.metadata = page.tags.metadata;
            source.notes = page.tags.notes;
            source.premultiplied = page.premultiplied;
            source.measured = page.signed;
            source.damage = page.damage;
            page.decoded
        }
        ImageFormat::Pfm => pfm::read(bytes, limits)?,
        #[cfg(feature = "jxl")]
        ImageFormat::JpegXl => {
            let file = jxl::read(bytes, limits)?;
            // The codestream's own orientation counts, and is applied already.
            orientation = Some(1);
            source.metadata = file.metadata;
            source.animated = file.animated;
            file.decoded
        }
        #[cfg(feature = "heif")]
        ImageFormat::Avif | ImageFormat::Heic => {
            let file = heif::read(bytes, format, limits)?;
            orientation = Some(1);
            source.metadata = file.metadata;
            source.premultiplied = file.premultiplied;
            source.notes = file.notes;
            file.decoded
        }
        ImageFormat::Png => source.read_png(bytes, limits)?,
        ImageFormat::Jpeg => source.read_jpeg(bytes, limits)?,
        _ => source.read_other(bytes, limits)?,
    };
    source.finish(decoded, orientation)
}

/// What is known about a file besides its pixels.
struct Source {
    format: ImageFormat,
    metadata: Metadata,
    notes: Vec<String>,
    /// What of the pixels is lost; see [`Image::damage`].
    damage: Option<String>,
    premultiplied: bool,
    /// Whether samples were integers with a sign, which measure something.
    measured: bool,
    /// Whether there are frames after the first.
    animated: bool,
}

impl Source {
    fn read_png(&mut self, bytes: &[u8], limits: &Limits) -> Result<Decoded> {
        let chunks = metadata::png::read(bytes);
        self.metadata = chunks.metadata;
        self.notes = chunks.notes;
        self.take_color(&chunks.color);
        self.animated = chunks.frames > 1;
        let (decoded, damage) = png::read(bytes, limits)?;
        self.damage = damage;
        Ok(decoded)
    }

    fn read_jpeg(&mut self, bytes: &[u8], limits: &Limits) -> Result<Decoded> {
        let segments = metadata::jpeg::read(bytes);
        self.metadata = segments.metadata;
        self.notes = segments.notes;
        let frame = jpeg::Frame::read(bytes).ok_or_else(|| truncated(self.format))?;
        if segments.images || frame.followed {
            let what =
                "what the file holds besides the image (previews, gain or depth map, a motion photo's video)";
            self.notes.push(format!("{what} is dropped"));
        }
        let file = jpeg::read(bytes, &frame, segments.adobe_transform, limits)?;
        self.notes.extend(file.note);
        self.damage = file.damage;
        Ok(file.decoded)
    }

    fn read_other(&mut self, bytes: &[u8], limits: &Limits) -> Result<Decoded> {
        match self.format {
            ImageFormat::WebP => {
                if !sniff::riff_is_complete(bytes) {
                    return Err(truncated(self.format));
                }
                let chunks = metadata::riff::read(bytes);
                (self.metadata, self.animated, self.notes) = (chunks.metadata, chunks.animated, chunks.notes);
            }
            ImageFormat::Gif => self.animated = sniff::gif_has_frames(bytes),
            ImageFormat::Bmp => self.metadata.density = sniff::bmp_density(bytes),
            ImageFormat::OpenExr => self.premultiplied = true,
            _ => {}
        }
        read_codec(bytes, self.format, limits)
    }

    /// Puts a profile in the place of PNG's colour chunks, or keeps them where there is none for them.
    fn take_color(&mut self, chunks: &ColorChunks) {
        let coded = chunks.cicp.map(|cicp| match cicp {
            [_, _, 0, 0 | 1] => (cicp, meaning_of_code(cicp, chunks.grey)),
            _ => {
                let code = describe_code(cicp);
                self.notes.push(format!("the chunk cICP is not valid ({code}); dropped"));
                (cicp, Meaning::Srgb)
            }
        });
        if let Some((cicp, meaning)) = &coded
            && (*meaning == Meaning::Other
                || *meaning != Meaning::Srgb && self.metadata.icc.is_some()
                || !self.metadata.color_chunks.is_empty())
        {
            self.metadata.color_chunks.insert(0, (*b"cICP", cicp.to_vec()));
        }
        if self.metadata.icc.is_none() {
            // Beside `cICP`, older chunks are for readers that do not know it.
            let meaning = match coded {
                Some((_, meaning)) if meaning != Meaning::Other => meaning,
                _ => meaning_of_gamma(chunks),
            };
            if let Meaning::Profile(icc) = meaning {
                self.metadata.icc = Some(icc);
            }
        }
    }

    /// Planes, upright, with the metadata that still hold.
    fn finish(mut self, decoded: Decoded, orientation: Option<u8>) -> Result<Image> {
        if self.animated {
            self.notes.push("the file is an animation; only its first frame is read".into());
        }
        let depth = decoded.depth;
        let planes = decoded.into_planes(self.metadata.icc.as_deref());
        let (mut color, mut alpha) = (planes.color, planes.alpha);
        if let Some(note) = planes.converted {
            self.notes.push(note);
            self.metadata.become_srgb(srgb_icc());
        } else if color.channels() == 3 && self.format != ImageFormat::JpegXl && self.metadata.is_adobe_rgb()
        {
            self.metadata.icc = adobe_rgb_icc();
        }
        // The codec always makes an alpha channel, whether the file has transparency or not.
        if self.format == ImageFormat::Gif && alpha.as_ref().is_some_and(is_opaque) {
            alpha = None;
        }
        if let (true, Some(alpha)) = (self.premultiplied, &alpha) {
            unmultiply(&mut color, alpha);
        }
        if depth == SampleDepth::F32 {
            self.notes.extend(fill_gaps(&mut color));
            let opacity = |alpha: &mut f32| *alpha = if alpha.is_nan() { 1.0 } else { alpha.clamp(0.0, 1.0) };
            alpha.iter_mut().for_each(|alpha| alpha.data_mut().iter_mut().for_each(opacity));
        }
        let light = self.format == ImageFormat::Tiff
            && depth == SampleDepth::F32
            && !self.measured
            && self.is_light(&color);
        if light {
            self.notes.push("values above white without a profile are taken as linear light".into());
        }
        let exif = self.metadata.take_orientation();
        let orientation = orientation.unwrap_or(exif);
        // Some decoders have turned the image already.
        if orientation.max(exif) > 4
            && let Some(density) = &mut self.metadata.density
        {
            std::mem::swap(&mut density.x, &mut density.y);
        }
        if orientation != 1 || exif != 1 {
            self.notes.extend(self.metadata.drop_regions());
        }
        color = upright(color, orientation);
        alpha = alpha.map(|alpha| upright(alpha, orientation));
        let mut image = Image::new(color, alpha, depth, self.format);
        image.linear = self.format.is_linear() || light;
        image.animated = self.animated;
        image.metadata = self.metadata;
        image.warnings = self.notes;
        image.damage = self.damage;
        Ok(image)
    }

    /// Whether floating-point values are light: coded ones end at white, and of numbers with units of their own more
    /// than half lie above it, or many far below 0.
    fn is_light(&self, color: &Raster) -> bool {
        let (low, high) = color.range();
        let bright = color.data().iter().filter(|value| **value > HDR_PEAK).count();
        self.metadata.icc.is_none()
            && color.channels() == 3
            && bright > 0
            && 2 * bright < color.data().len()
            && low > -0.1 * high
    }
}

/// Magnitude above which a floating-point value stands for "no data".
const NO_DATA: f32 = 1e30;

/// Puts the least of all values in the place of what is no number, and of what stands for none.
fn fill_gaps(color: &mut Raster) -> Option<String> {
    let gap = |value: &f32| value.is_nan() || value.abs() > NO_DATA;
    let gaps = color.data().iter().filter(|value| gap(value)).count();
    if gaps == 0 {
        return None;
    }
    let least = color.data().iter().copied().filter(|value| !gap(value)).reduce(f32::min).unwrap_or(0.0);
    color.data_mut().iter_mut().filter(|value| gap(value)).for_each(|value| *value = least);
    Some(format!(
        "{gaps} samples are NaN, infinite or beyond {NO_DATA:e}; replaced by {least}, the smallest valid value"
    ))
}

/// Divides colour by alpha where there is any.
fn unmultiply(color: &mut Raster, alpha: &Raster) {
    for channel in 0..color.channels() {
        for (value, &a) in color.plane_mut(channel).iter_mut().zip(alpha.data()) {
            if a > 0.0 {
                *value /= a;
            }
        }
    }
}

/// Decodes with one of the general codecs.
fn read_codec(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Decoded> {
    let codec = codec(format).ok_or_else(|| sniff::unknown(bytes))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), codec);
    let mut codec_limits = image::Limits::no_limits();
    codec_limits.max_alloc = Some(limits.max_decode_bytes);
    reader.limits(codec_limits);
    let decoder = reader.into_decoder().map_err(|error| damaged(format, error))?;
    let (width, height) = decoder.dimensions();
    let (channels, depth) = layout(format, decoder.color_type())?;
    limits.check(width.into(), height.into(), channels as u64, u64::from(depth.bits() / 8))?;
    let (height, width) = (height as usize, width as usize);
    let samples = match depth {
        SampleDepth::U8 => read::<u8>(decoder, height * width * channels),
        SampleDepth::U16 => read::<u16>(decoder, height * width * channels),
        SampleDepth::F32 => read::<f32>(decoder, height * width * channels),
    }
    .map_err(|error| damaged(format, error))?;
    let kind = if channels < 3 { Kind::Grey } else { Kind::Rgb };
    Ok(Decoded { kind, channels, depth, height, width, samples })
}

/// Reads `count` interleaved samples.
fn read<S: Sample + bytemuck::Pod>(decoder: impl ImageDecoder, count: usize) -> Result<Samples, ImageError>
where
    Samples: From<Vec<S>>,
{
    let mut samples = vec![S::default(); count];
    decoder.read_image(bytemuck::cast_slice_mut(&mut samples))?;
    Ok(samples.into())
}

/// The codec's name for a format; `None` for those that are read otherwise.
fn codec(format: ImageFormat) -> Option<image::ImageFormat> {
    Some(match format {
        ImageFormat::WebP => image::ImageFormat::WebP,
        ImageFormat::Bmp => image::ImageFormat::Bmp,
        ImageFormat::Pnm | ImageFormat::Pam => image::ImageFormat::Pnm,
        ImageFormat::Gif => image::ImageFormat::Gif,
        ImageFormat::Qoi => image::ImageFormat::Qoi,
        ImageFormat::Hdr => image::ImageFormat::Hdr,
        ImageFormat::OpenExr => image::ImageFormat::OpenExr,
        ImageFormat::Png
        | ImageFormat::Jpeg
        | ImageFormat::Tiff
        | ImageFormat::Pfm
        | ImageFormat::JpegXl
        | ImageFormat::Avif
        | ImageFormat::Heic => {
            return None;
        }
    })
}

/// Interleaved channels and depth of what a codec returns.
fn layout(format: ImageFormat, color: ColorType) -> Result<(usize, SampleDepth)> {
    let depth = match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => SampleDepth::U8,
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => SampleDepth::U16,
        ColorType::Rgb32F | ColorType::Rgba32F => SampleDepth::F32,
        other => {
            return Err(Error::new(
                ErrorKind::Input,
                format!("this kind of {format} is not supported ({other:?})"),
            ));
        }
    };
    Ok((color.channel_count().into(), depth))
}

fn truncated(format: ImageFormat) -> Error {
    Error::new(ErrorKind::Input, format!("the {format} data is truncated: the file ends too early"))
}

fn damaged(format: ImageFormat, error: ImageError) -> Error {
    match error {
        ImageError::IoError(io) if io.kind() == IoErrorKind::UnexpectedEof => truncated(format),
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => {
            Error::with_source(
                ErrorKind::Limit,
                format!("decoding the {format} data needs more memory than the limit allows"),
                limit,
            )
        }
        ImageError::Unsupported(kind) => {
            Error::with_source(ErrorKind::Input, format!("this kind of {format} is not supported"), kind)
        }
        other => Error::with_source(ErrorKind::Input, format!("the {format} data is damaged"), other),
    }
}

#[cfg(test)]
mod tests;
