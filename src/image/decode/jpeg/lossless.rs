//! Lossless JPEG with Huffman codes (ITU-T T.81, annex H): samples as differences from their neighbours.
//!
//! Not by a library: jpeg-decoder, the only one in Rust, ignores restart intervals, point transforms and damage, and
//! only libjpeg-turbo 3 and later reads these files, which no crate builds with a C compiler alone.

use super::super::{Decoded, Kind, Samples, truncated};
use super::{Frame, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::image::metadata::jpeg::{SCAN, segments};
use crate::image::{ImageFormat, SampleDepth};

/// Codes of one table, with the categories of differences that they stand for.
#[derive(Clone, Default)]
struct Table {
    /// For each length from 1 bit on: the first code, the number of codes, and the place of the first one's category.
    lengths: Vec<(u32, u32, usize)>,
    categories: Vec<u8>,
}

/// The bits of coded data up to a marker.
struct Bits<'a> {
    rest: &'a [u8],
    buffer: u32,
    count: u32,
}

/// Decodes the file, whose size was checked.
pub(super) fn read(bytes: &[u8], frame: &Frame, adobe: Option<u8>) -> Result<Decoded> {
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let channels = usize::from(frame.components);
    let mut tables: [Table; 4] = Default::default();
    let mut jfif = false;
    let (scan, coded) = segments(bytes)
        .find_map(|(marker, data)| {
            match marker {
                0xe0 => jfif |= data.starts_with(b"JFIF\0"),
                0xc4 => read_tables(data, &mut tables)?,
                SCAN => {
                    let end = data.as_ptr() as usize + data.len() - bytes.as_ptr() as usize;
                    return Some((data, &bytes[end..]));
                }
                _ => {}
            }
            None
        })
        .ok_or_else(|| truncated(ImageFormat::Jpeg))?;
    if !matches!(channels, 1 | 3) || scan.len() != 4 + 2 * channels || frame.mcu != (1, 1) {
        return Err(unsupported("lossless with several scans, subsampling, or other than 1 or 3 channels"));
    }
    // Red, green and blue unless a marker says otherwise, as libjpeg-turbo has it.
    if channels == 3 && adobe.map_or(jfif, |transform| transform == 1) {
        return Err(unsupported("lossless YCbCr"));
    }
    let (predictor, shift) = (scan[1 + 2 * channels], u32::from(frame.shift));
    let bits = u32::from(frame.precision);
    let restart = usize::from(frame.restart);
    if !(2..=16).contains(&bits)
        || shift >= bits
        || !(1..=7).contains(&predictor)
        || !restart.is_multiple_of(width)
    {
        return Err(damaged("its parameters contradict each other"));
    }
    let tables: Vec<&Table> = (0..channels).map(|i| &tables[usize::from(scan[2 + 2 * i] >> 4) & 3]).collect();
    let rows = if restart == 0 { height } else { restart / width };
    let (line, most) = (width * channels, (1i32 << bits) - 1);
    let mut samples = vec![0u16; line * height];
    let mut source = Bits { rest: coded, buffer: 0, count: 0 };
    for y in 0..height {
        let first = y % rows == 0;
        if first && y > 0 {
            source.pass_restart((y / rows - 1) as u8 & 7)?;
        }
        for x in 0..line {
            let at = y * line + x;
            let sample = |at: usize| i32::from(samples[at]);
            let predicted = match (x < channels, first) {
                (true, true) => 1 << (bits - shift - 1),
                (false, true) => sample(at - channels),
                (true, false) => sample(at - line),
                (false, false) => {
                    let (a, b, c) = (sample(at - channels), sample(at - line), sample(at - line - channels));
                    match predictor {
                        1 => a,
                        2 => b,
                        3 => c,
                        4 => a + b - c,
                        5 => a + ((b - c) >> 1),
                        6 => b + ((a - c) >> 1),
                        _ => (a + b) >> 1,
                    }
                }
            };
            // Modulo 2^16.
            samples[at] = (predicted + source.difference(tables[x % channels])?) as u16;
            if i32::from(samples[at]) > most >> shift {
                return Err(damaged("a sample is out of range"));
            }
        }
    }
    source.expect_end()?;
    let (depth, full) = if bits > 8 { (SampleDepth::U16, 0xffff) } else { (SampleDepth::U8, 0xff) };
    let scale = |value: u16| ((u32::from(value) << shift) * full + most as u32 / 2) / most as u32;
    let samples: Samples = if bits > 8 {
        samples.into_iter().map(|value| scale(value) as u16).collect::<Vec<_>>().into()
    } else {
        samples.into_iter().map(|value| scale(value) as u8).collect::<Vec<_>>().into()
    };
    let kind = if channels == 1 { Kind::Grey } else { Kind::Rgb };
    Ok(Decoded { kind, channels, depth, height, width, samples })
}

/// Reads the tables of a segment; `None` for damaged ones.
fn read_tables(mut data: &[u8], tables: &mut [Table; 4]) -> Option<()> {
    while let [place, rest @ ..] = data {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let (mut code, mut at) = (0, 0);
        let mut lengths = Vec::with_capacity(16);
        for &count in counts {
            lengths.push((code, count.into(), at));
            at += usize::from(count);
            code = (code + u32::from(count)) << 1;
        }
        tables[usize::from(place & 3)] = Table { lengths, categories: rest.get(..at)?.to_vec() };
        data = &rest[at..];
    }
    Some(())
}

impl Bits<'_> {
    fn bit(&mut self) -> Result<u32> {
        if self.count == 0 {
            let (byte, rest) = match *self.rest {
                [0xff, 0, ref rest @ ..] => (0xff, rest),
                [0xff, _, ..] => return Err(damaged("coded data is missing")),
                [byte, ref rest @ ..] => (byte, rest),
                [] => return Err(truncated(ImageFormat::Jpeg)),
            };
            (self.buffer, self.count, self.rest) = (byte.into(), 8, rest);
        }
        self.count -= 1;
        Ok(self.buffer >> self.count & 1)
    }

    /// The next difference (H.1.2.2).
    fn difference(&mut self, table: &Table) -> Result<i32> {
        let mut code = 0;
        for &(first, count, at) in &table.lengths {
            code = code << 1 | self.bit()?;
            if code.wrapping_sub(first) >= count {
                continue;
            }
            let category = table.categories[at + (code - first) as usize];
            return match category {
                0 => Ok(0),
                1..=15 => {
                    let value = (0..category).try_fold(0, |value, _| Ok(value << 1 | self.bit()? as i32))?;
                    let half = 1 << (category - 1);
                    Ok(if value < half { value - 2 * half + 1 } else { value })
                }
                16 => Ok(1 << 15),
                _ => Err(damaged("a Huffman code has an impossible value")),
            };
        }
        Err(damaged("a Huffman code is unknown"))
    }

    /// Skips restart marker `number`, which must come next.
    fn pass_restart(&mut self, number: u8) -> Result<()> {
        self.count = 0;
        let start = self.rest.iter().take_while(|byte| **byte == 0xff).count();
        match self.rest.get(start) {
            Some(&marker) if start > 0 && marker == 0xd0 | number => self.rest = &self.rest[start + 1..],
            None => return Err(truncated(ImageFormat::Jpeg)),
            Some(_) => return Err(damaged("a restart marker is missing")),
        }
        Ok(())
    }

    /// Only fill bytes may come before the next marker.
    fn expect_end(&self) -> Result<()> {
        match self.rest.iter().find(|byte| **byte != 0) {
            None | Some(0xff) => Ok(()),
            Some(_) => Err(damaged("there is more coded data than the image needs")),
        }
    }
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Input, format!("the JPEG data is damaged: {why}"))
}
