//! Binary PGM, PPM and PAM.

use std::io::{self, Write};

use super::super::interleave::Rows;
use super::super::{ImageFormat, SampleDepth};
use super::failed;
use crate::error::Result;

/// Writes `rows` of a picture of `size` (height, width); `Pnm` takes 1 or 3 channels, `Pam` any.
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    depth: SampleDepth,
    format: ImageFormat,
    out: &mut impl Write,
) -> Result<()> {
    write_rows(rows, size, depth, format, out).map_err(|error| failed(format, error))
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
        let mut row = vec![0u8; rows.len()];
        for y in 0..height {
            rows.write(y, &mut row);
            out.write_all(&row)?;
        }
    } else {
        let mut row = vec![0u16; rows.len()];
        for y in 0..height {
            rows.write(y, &mut row);
            let bytes: Vec<u8> = row.iter().flat_map(|sample| sample.to_be_bytes()).collect();
            out.write_all(&bytes)?;
        }
    }
    Ok(())
}
