//! JPEG XL, lossless, in a container that holds the metadata.

use std::io::Write;

use zune_core::bit_depth::BitDepth;
use zune_core::colorspace::ColorSpace;
use zune_core::options::EncoderOptions;
use zune_jpegxl::JxlSimpleEncoder;

use super::super::interleave::Rows;
use super::super::metadata::Metadata;
use super::super::metadata::exif_fields::only_density;
use super::super::{ImageFormat, SampleDepth};
use super::failed;
use crate::error::Result;

/// Writes `rows` of an image of `size` (height, width) with 8 or 16 bits per sample.
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    depth: SampleDepth,
    metadata: &Metadata,
    out: &mut impl Write,
) -> Result<()> {
    let (samples, depth) = match depth {
        SampleDepth::U8 => (rows.collect::<u8>(), BitDepth::Eight),
        _ => {
            let mut samples = rows.collect::<u16>();
            if rows.channels() == 4 {
                // The encoder says that opacity has 8 bits, whatever colour has.
                let narrow = |value: u16| ((u32::from(value) * 255 + 32_767) / 65_535) as u16;
                samples.chunks_exact_mut(4).for_each(|pixel| pixel[3] = narrow(pixel[3]));
            }
            (bytemuck::cast_slice(&samples).to_vec(), BitDepth::Sixteen)
        }
    };
    let space = match rows.channels() {
        1 => ColorSpace::Luma,
        2 => ColorSpace::LumaA,
        3 => ColorSpace::RGB,
        _ => ColorSpace::RGBA,
    };
    let threads = u8::try_from(rayon::current_num_threads()).unwrap_or(u8::MAX);
    let options = EncoderOptions::new(size.1, size.0, space, depth).set_num_threads(threads);
    let mut codestream = Vec::new();
    JxlSimpleEncoder::new(&samples, options)
        .encode(&mut codestream)
        .map_err(|error| failed(ImageFormat::JpegXl, format!("{error:?}")))?;
    drop(samples);
    // JPEG XL has no resolution of its own.
    let exif = metadata.exif.clone().or_else(|| metadata.density.map(only_density));
    let mut head = b"\0\0\0\x0cJXL \r\n\x87\n".to_vec();
    append(&mut head, b"ftyp", &[b"jxl \0\0\0\0jxl "]);
    if depth == BitDepth::Sixteen {
        // More than 12 bits of lossless samples are beyond level 5.
        append(&mut head, b"jxll", &[&[10]]);
    }
    if let Some(exif) = exif {
        // The block's header is at its beginning.
        append(&mut head, b"Exif", &[&[0; 4], &exif]);
    }
    if let Some(xmp) = &metadata.xmp {
        append(&mut head, b"xml ", &[xmp]);
    }
    // The last box goes to the end of the file, however long.
    head.extend(b"\0\0\0\0jxlc");
    out.write_all(&head)
        .and_then(|()| out.write_all(&codestream))
        .map_err(|error| failed(ImageFormat::JpegXl, error))
}

/// Appends a box of `parts`.
fn append(out: &mut Vec<u8>, kind: &[u8; 4], parts: &[&[u8]]) {
    let size = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend((size as u32).to_be_bytes());
    out.extend(kind);
    parts.iter().for_each(|part| out.extend(*part));
}
