//! WebP, lossless in Rust or lossy with libwebp.

use std::io::Write;

use image_webp::{ColorType, EncodingError, WebPEncoder};

use super::super::ImageFormat;
use super::super::interleave::Rows;
use super::super::metadata::Metadata;
use super::super::metadata::exif_fields::only_density;
use super::{EncodeOptions, failed};
use crate::error::Result;

/// Writes `rows` (3 or 4 channels) of an image of `size` (height, width).
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    options: &EncodeOptions,
    metadata: &Metadata,
    out: &mut impl Write,
) -> Result<()> {
    // WebP has no resolution of its own.
    let exif = metadata.exif.clone().or_else(|| metadata.density.map(only_density)).unwrap_or_default();
    let icc = metadata.icc.clone().unwrap_or_default();
    let xmp = metadata.xmp.clone().unwrap_or_default();
    let (height, width) = (size.0 as u32, size.1 as u32);
    let samples: Vec<u8> = rows.collect();
    #[cfg(feature = "lossy-webp")]
    if !options.lossless {
        let file = lossy::encode(&samples, (height, width), rows.channels(), options.quality)?;
        let file = lossy::with_metadata(&file, (height, width), &icc, &exif, &xmp);
        return out.write_all(&file).map_err(|error| failed(ImageFormat::WebP, error));
    }
    debug_assert!(options.lossless, "the options were checked");
    let mut encoder = WebPEncoder::new(out);
    encoder.set_icc_profile(icc);
    encoder.set_exif_metadata(exif);
    encoder.set_xmp_metadata(xmp);
    let color = if rows.channels() == 4 { ColorType::Rgba8 } else { ColorType::Rgb8 };
    encoder.encode(&samples, width, height, color).map_err(|error| match error {
        EncodingError::IoError(io) => failed(ImageFormat::WebP, io),
        other => failed(ImageFormat::WebP, other),
    })
}

#[cfg(feature = "lossy-webp")]
mod lossy {
    use super::{ImageFormat, failed};
    use crate::error::Result;

    /// A plain file.
    pub fn encode(
        samples: &[u8],
        (height, width): (u32, u32),
        channels: usize,
        quality: u8,
    ) -> Result<Vec<u8>> {
        let refused = |what: String| failed(ImageFormat::WebP, what);
        let mut config =
            webp::WebPConfig::new().map_err(|()| refused("libwebp has another version".into()))?;
        config.quality = quality.into();
        // The slower conversion that does not wash out thin coloured lines.
        config.use_sharp_yuv = 1;
        config.alpha_quality = 100;
        let encoder = match channels {
            4 => webp::Encoder::from_rgba(samples, width, height),
            _ => webp::Encoder::from_rgb(samples, width, height),
        };
        let file = encoder.encode_advanced(&config).map_err(|error| refused(format!("{error:?}")))?;
        Ok(file.to_vec())
    }

    /// The file as an extended one (RFC 9649, section 2.7) with metadata chunks; as it is without any.
    pub fn with_metadata(
        file: &[u8],
        (height, width): (u32, u32),
        icc: &[u8],
        exif: &[u8],
        xmp: &[u8],
    ) -> Vec<u8> {
        if icc.is_empty() && exif.is_empty() && xmp.is_empty() {
            return file.to_vec();
        }
        // An extended file's own header is replaced.
        let image = match file.get(12..16) {
            Some(b"VP8X") => &file[30..],
            _ => &file[12..],
        };
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut header = vec![
            flag(!icc.is_empty(), 0x20)
                | flag(image.starts_with(b"ALPH"), 0x10)
                | flag(!exif.is_empty(), 0x08)
                | flag(!xmp.is_empty(), 0x04),
            0,
            0,
            0,
        ];
        header.extend(&(width - 1).to_le_bytes()[..3]);
        header.extend(&(height - 1).to_le_bytes()[..3]);
        let mut body = b"WEBP".to_vec();
        chunk(&mut body, b"VP8X", &header);
        if !icc.is_empty() {
            chunk(&mut body, b"ICCP", icc);
        }
        body.extend(image);
        for (name, data) in [(b"EXIF", exif), (b"XMP ", xmp)] {
            if !data.is_empty() {
                chunk(&mut body, name, data);
            }
        }
        let mut out = b"RIFF".to_vec();
        out.extend((body.len() as u32).to_le_bytes());
        out.extend(body);
        out
    }
    fn chunk(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
        out.extend(name);
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
        // Chunks have even lengths.
        out.extend(&[0][..data.len() % 2]);
    }
}
