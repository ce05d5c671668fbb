//! Portable float maps.

use super::{Decoded, Kind, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{ImageFormat, SampleDepth};
use crate::limits::Limits;

/// Reads a `PF` (colour) or `Pf` (grey) file: three header lines, then rows from the bottom up.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Decoded> {
    let mut parts = Vec::new();
    let mut at = 0;
    while parts.len() < 4 {
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        let start = at;
        while bytes.get(at).is_some_and(|byte| !byte.is_ascii_whitespace()) && at - start < 40 {
            at += 1;
        }
        if bytes.get(at).is_none() {
            return Err(truncated(ImageFormat::Pfm));
        }
        parts.push(std::str::from_utf8(&bytes[start..at]).unwrap_or_default());
    }
    // One whitespace byte ends the header.
    let data = &bytes[at + 1..];
    let (width, height, scale) = (parts[1].parse::<u32>(), parts[2].parse::<u32>(), parts[3].parse::<f32>());
    let (Ok(width), Ok(height), Ok(scale)) = (width, height, scale) else {
        return Err(Error::new(
            ErrorKind::Input,
            "the PFM data is damaged: width, height or scale is not a number",
        ));
    };
    let channels = if parts[0] == "PF" { 3 } else { 1 };
    limits.check(width.into(), height.into(), channels as u64, 4)?;
    let (width, height) = (width as usize, height as usize);
    let row = width * channels * 4;
    let Some(data) = data.get(..row * height) else {
        return Err(truncated(ImageFormat::Pfm));
    };
    let value = |part: &[u8]| {
        let part = [part[0], part[1], part[2], part[3]];
        if scale < 0.0 { f32::from_le_bytes(part) } else { f32::from_be_bytes(part) }
    };
    let samples: Vec<f32> =
        data.chunks_exact(row).rev().flat_map(|row| row.chunks_exact(4).map(value)).collect();
    let kind = if channels == 3 { Kind::Rgb } else { Kind::Grey };
    Ok(Decoded { kind, channels, depth: SampleDepth::F32, height, width, samples: samples.into() })
}
