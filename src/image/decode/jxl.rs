//! JPEG XL.

use std::io::{BufRead, BufReader, Read, Seek};

use brotli_decompressor::Decompressor;
use jxl::api::{
    AlphaMode, Endianness, Event, ExtraChannel, JxlAuxBox, JxlAuxBoxType, JxlBasicInfo, JxlBitDepth,
    JxlBitstreamInput, JxlColorProfile, JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions,
    JxlOutputBuffer, JxlPixelFormat, ProfileLevel,
};

use super::{Decoded, Kind, Samples, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::color::srgb_icc;
use crate::image::{Header, ImageFormat, Metadata, SampleDepth};
use crate::limits::Limits;

/// Most bytes that one compressed metadata box may unpack to.
const UNPACKED: u64 = 32 << 20;

/// An image, upright as it is to be seen.
pub(super) struct File {
    pub decoded: Decoded,
    pub metadata: Metadata,
    pub animated: bool,
}

/// The header without pixels.
pub(in crate::image) fn header(source: impl BufRead + Seek) -> Option<Header> {
    let mut decoder = JxlDecoder::new(options());
    start(&mut decoder, &mut BufReader::new(source)).ok()?;
    let (info, layout) = (decoder.basic_info()?.clone(), Layout::of(&decoder)?);
    Some(Header {
        width: info.size.0,
        height: info.size.1,
        channels: if layout.kind == Kind::Grey { 1 } else { 3 },
        has_alpha: layout.color_type.has_alpha(),
        depth: layout.depth,
        format: ImageFormat::JpegXl,
    })
}

/// Decodes the first frame.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<File> {
    let mut options = options();
    // Samples are 4 bytes each while they are decoded, and again in the result.
    options.sample_limit = Some(usize::try_from(limits.max_decode_bytes / 8).unwrap_or(usize::MAX));
    options.request_aux_boxes = vec![JxlAuxBoxType::EXIF, JxlAuxBoxType::XMP];
    let mut decoder = JxlDecoder::new(options);
    let mut input = bytes;
    start(&mut decoder, &mut input)?;
    let (Some(info), Some(layout)) = (decoder.basic_info().cloned(), Layout::of(&decoder)) else {
        return Err(truncated(ImageFormat::JpegXl));
    };
    let (width, height) = info.size;
    let channels = layout.color_type.samples_per_pixel();
    limits.check(width as u64, height as u64, channels as u64, 4)?;
    decoder.set_pixel_format(layout.pixel_format(&info)).map_err(failed)?;
    let icc = layout.profile(&decoder);
    let count = width * height * channels;
    let samples: Samples = match layout.depth {
        SampleDepth::U8 => pixels::<u8>(&mut decoder, &mut input, count, height)?.into(),
        SampleDepth::U16 => pixels::<u16>(&mut decoder, &mut input, count, height)?.into(),
        SampleDepth::F32 => pixels::<f32>(&mut decoder, &mut input, count, height)?.into(),
    };
    // Boxes may follow the pixels; what comes of further frames does not matter.
    while let Ok(event) = decoder.process(&mut input, None, None) {
        match event {
            Event::NeedMoreInput { .. } => {
                decoder.close_input();
                let _ = decoder.process(&mut input, None, None);
                break;
            }
            Event::Complete => break,
            _ => {}
        }
    }
    let mut decoded = Decoded { kind: layout.kind, channels, depth: layout.depth, height, width, samples };
    if layout.kind == Kind::Cmyk {
        decoded.turn_round();
    }
    let first = |kind| decoder.aux_boxes(kind).first().and_then(contents);
    let metadata = Metadata {
        icc,
        // Before the block stands how many bytes into it its header begins.
        exif: first(JxlAuxBoxType::EXIF).and_then(|data| {
            let skip = u32::from_be_bytes(data.get(..4)?.try_into().ok()?) as usize;
            Some(data.get(4usize.checked_add(skip)?..)?.to_vec())
        }),
        xmp: first(JxlAuxBoxType::XMP),
        ..Metadata::default()
    };
    Ok(File { decoded, metadata, animated: info.animation.is_some() })
}

fn options() -> JxlDecoderOptions {
    let mut options = JxlDecoderOptions::default();
    options.alpha_mode = AlphaMode::Unpremultiplied;
    options.high_precision = true;
    options.max_profile_level = ProfileLevel::Main10;
    options
}

/// Reads up to the basic information.
fn start(decoder: &mut JxlDecoder, input: &mut dyn JxlBitstreamInput) -> Result<()> {
    match decoder.process(input, None, None).map_err(failed)? {
        Event::BasicInfo => Ok(()),
        _ => Err(truncated(ImageFormat::JpegXl)),
    }
}

/// What an image's samples mean and how deep they are.
#[derive(Clone, Copy)]
struct Layout {
    kind: Kind,
    color_type: JxlColorType,
    depth: SampleDepth,
}

impl Layout {
    fn of(decoder: &JxlDecoder) -> Option<Self> {
        let info = decoder.basic_info()?;
        let profile = decoder.embedded_color_profile()?;
        let alpha = info.extra_channels.iter().any(|extra| extra.ec_type == ExtraChannel::Alpha);
        let black = info.extra_channels.iter().any(|extra| extra.ec_type == ExtraChannel::Black);
        let (kind, color_type) = match (profile.channels(), alpha) {
            _ if black && profile.is_cmyk() => (Kind::Cmyk, JxlColorType::Cmyk),
            (1, false) => (Kind::Grey, JxlColorType::Grayscale),
            (1, true) => (Kind::Grey, JxlColorType::GrayscaleAlpha),
            (_, false) => (Kind::Rgb, JxlColorType::Rgb),
            (_, true) => (Kind::Rgb, JxlColorType::Rgba),
        };
        let depth = match info.bit_depth {
            JxlBitDepth::Int { bits_per_sample: 0..=8 } => SampleDepth::U8,
            JxlBitDepth::Int { bits_per_sample: 9..=16 } => SampleDepth::U16,
            _ => SampleDepth::F32,
        };
        Some(Self { kind, color_type, depth })
    }

    fn pixel_format(self, info: &JxlBasicInfo) -> JxlPixelFormat {
        let endianness = Endianness::native();
        let format = match self.depth {
            SampleDepth::U8 => JxlDataFormat::U8 { bit_depth: 8 },
            SampleDepth::U16 => JxlDataFormat::U16 { endianness, bit_depth: 16 },
            SampleDepth::F32 => JxlDataFormat::F32 { endianness },
        };
        JxlPixelFormat {
            color_type: self.color_type,
            color_data_format: Some(format),
            extra_channel_format: vec![None; info.extra_channels.len()],
        }
    }

    /// The profile of the pixels; `None` if that is sRGB.
    fn profile(self, decoder: &JxlDecoder) -> Option<Vec<u8>> {
        match decoder.output_color_profile()? {
            JxlColorProfile::Icc(icc) => Some(icc.clone()),
            simple => {
                let grey = self.kind == Kind::Grey;
                let srgb = JxlColorProfile::Simple(jxl::api::JxlColorEncoding::srgb(grey));
                if simple.same_color_encoding(&srgb) {
                    return None;
                }
                simple.try_as_icc().map(|icc| icc.into_owned()).or_else(srgb_icc)
            }
        }
    }
}

/// Decodes up to the end of the first frame.
fn pixels<S: Default + Clone + bytemuck::Pod>(
    decoder: &mut JxlDecoder,
    input: &mut &[u8],
    count: usize,
    height: usize,
) -> Result<Vec<S>> {
    let mut samples = vec![S::default(); count];
    let row = count / height * size_of::<S>();
    let mut buffer = [JxlOutputBuffer::new(bytemuck::cast_slice_mut(&mut samples), height, row)];
    loop {
        match decoder.process(input, Some(&mut buffer), None).map_err(failed)? {
            Event::FrameComplete { .. } => return Ok(samples),
            Event::NeedMoreInput { .. } | Event::Complete => return Err(truncated(ImageFormat::JpegXl)),
            Event::BasicInfo | Event::FrameHeader => {}
        }
    }
}

/// A box's bytes, unpacked; `None` if they are damaged or too many.
fn contents(data: &JxlAuxBox) -> Option<Vec<u8>> {
    if !data.is_compressed() {
        return Some(data.raw_data().to_vec());
    }
    let mut out = Vec::new();
    Decompressor::new(data.raw_data(), 4096).take(UNPACKED + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= UNPACKED).then_some(out)
}

fn failed(error: jxl::error::Error) -> Error {
    use jxl::error::Error::{
        ImageOutOfMemory, ImageSizeTooLarge, LevelLimitExceeded, OutOfBounds, OutOfMemory,
    };
    match error {
        OutOfBounds(_) => truncated(ImageFormat::JpegXl),
        ImageOutOfMemory(..) | ImageSizeTooLarge(..) | LevelLimitExceeded { .. } | OutOfMemory(_) => {
            Error::with_source(
                ErrorKind::Limit,
                "the JPEG XL data needs more memory than the limit allows",
                error,
            )
        }
        other => Error::with_source(ErrorKind::Input, "the JPEG XL data is damaged", other),
    }
}
