//! Binary PGM, PPM, PAM and PFM.

use std::io::{self, Write};

use super::super::interleave::Rows;
use super::super::{ImageFormat, SampleDepth};
use super::failed;
use crate::error::Result;

/// Writes `rows` of an image of `size` (height, width); `Pnm` takes 1 or 3 channels, `Pam` any.
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    depth: SampleDepth,
    format: ImageFormat,
    out: &mut impl Write,
) -> Result<()> {
    write_rows(rows, size, depth, format, out).map_err(|error| failed(format, error))
}

/// Writes a float map: rows of little-endian samples from the bottom up.
pub(super) fn write_float(
    rows: &Rows<'_>,
    (height, width): (usize, usize),
    out: &mut impl Write,
) -> Result<()> {
    let magic = if rows.channels() == 1 { "Pf" } else { "PF" };
    let mut body = || -> io::Result<()> {
        write!(out, "{magic}\n{width} {height}\n-1.0\n")?;
        let mut row = vec![0.0f32; rows.len()];
        for y in (0..height).rev() {
            rows.write(y, &mut row);
            let bytes: Vec<u8> = row.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            out.write_all(&bytes)?;
        }
        Ok(())
    };
    body().map_err(|error| failed(ImageFormat::Pfm, error))
}

fn write_rows(
    rows: &Rows<'_>,
    (height, width): (usize, usize),
    depth: SampleDepth,
    format: ImageFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    let most = if depth == SampleDepth::U8 { 255 } else { 65535 };
    let channels = rows.channels();
    if format == ImageFormat::Pam {
        let kind = ["GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"][channels - 1];
        writeln!(
            out,
            "P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {channels}\nMAXVAL {most}\nTUPLTYPE {kind}\nENDHDR"
        )?;
    } else {
        let magic = if channels == 1 { "P5" } else { "P6" };
        writeln!(out, "{magic}\n{width} {height}\n{most}")?;
    }
    if depth == SampleDepth::U8 {
        rows.for_each(|samples: &[u8]| out.write_all(samples))
    } else {
        rows.for_each(|samples: &[u16]| {
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
            out.write_all(&bytes)
        })
    }
}
