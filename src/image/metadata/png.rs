//! Metadata in PNG chunks (PNG third edition, section 11.3).
//!
//! Not by the crate `png`, which drops texts that are not valid UTF-8 and chunks with a wrong checksum; nor by `img-parts`,
//! which copies the file, refuses it for one wrong checksum, and would save only the walk over chunks.

use std::io::{Read, Write};

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::application::CREDENTIALS;
use super::{Density, DensityUnit, Metadata, iptc};

const XMP_KEYWORD: &str = "XML:com.adobe.xmp";
const RAW_PREFIX: &str = "Raw profile type ";

/// Most bytes that all compressed chunks together may unpack to.
const UNPACKED: u64 = 32 << 20;

/// Colour chunks that stand for a profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::image) struct ColorChunks {
    /// `cICP`: primaries, transfer, matrix, full range.
    pub cicp: Option<[u8; 4]>,
    /// `sRGB` is present.
    pub srgb: bool,
    /// `gAMA`: the encoding exponent.
    pub gamma: Option<f64>,
    /// The image is grey.
    pub grey: bool,
    /// `cHRM`: white, red, green, blue, each (x, y).
    pub chromaticities: Option<[[f64; 2]; 4]>,
}

/// Other chunks that are read.
const READ: [&[u8; 4]; 5] = [b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"pHYs"];

/// What the chunks say.
#[derive(Clone, Debug, Default)]
pub(in crate::image) struct Chunks {
    /// Metadata as they are.
    pub metadata: Metadata,
    /// Colour chunks.
    pub color: ColorChunks,
    /// Frames of an animation, 0 for a still.
    pub frames: u32,
    /// What cannot be carried over, one sentence each.
    pub notes: Vec<String>,
}

/// A chunk.
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    /// With length and checksum.
    whole: &'a [u8],
}

impl Chunk<'_> {
    /// Whether the image can be shown without it.
    fn is_ancillary(&self) -> bool {
        self.kind[0] & 0x20 != 0
    }

    fn is_intact(&self) -> bool {
        let mut sum = Crc::new();
        sum.update(&self.kind);
        sum.update(self.data);
        self.whole.ends_with(&sum.sum().to_be_bytes())
    }

    fn name(&self) -> String {
        String::from_utf8_lossy(&self.kind).into_owned()
    }
}

/// Iterates over chunks; stops at the first that leaves the file.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let size = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let kind = rest.get(4..8)?.try_into().ok()?;
        let data = rest.get(8..8usize.checked_add(size)?)?;
        let whole = &rest[..rest.len().min(12 + size)];
        rest = &rest[whole.len()..];
        Some(Chunk { kind, data, whole })
    })
}

/// What a PNG file holds of its (first) image.
pub(in crate::image) struct ImageChunks {
    /// A file with those chunks only.
    pub file: Vec<u8>,
    /// What is wrong with them, one sentence each.
    pub damage: Vec<String>,
    /// Whether the file ends before its end is marked.
    pub cut: bool,
}

/// The chunks that make up the image. Of a file that ends too early they may still hold all pixels.
pub(in crate::image) fn image_chunks(bytes: &[u8]) -> ImageChunks {
    let mut file = bytes[..bytes.len().min(8)].to_vec();
    let (mut end, mut damage) = (file.len(), Vec::new());
    let (mut color, mut colors, mut has_data) = (None, 0, false);
    for chunk in chunks(bytes) {
        end += chunk.whole.len();
        match &chunk.kind {
            b"IHDR" => color = chunk.data.get(9).copied(),
            b"PLTE" => colors = chunk.data.len() / 3,
            b"IDAT" => has_data = true,
            _ => {}
        }
        // As many values as channels, or opacities of the palette's colours.
        let fits = || match (color, chunk.data.len()) {
            (Some(0), size) => size == 2,
            (Some(2), size) => size == 6,
            (Some(3), size) => (1..=colors).contains(&size),
            _ => true,
        };
        if &chunk.kind == b"tRNS" && (!chunk.is_intact() || has_data || !fits()) {
            damage.push("the transparency (tRNS) is damaged; dropped".into());
        } else if &chunk.kind == b"tRNS" || !chunk.is_ancillary() {
            file.extend(chunk.whole);
        }
        if &chunk.kind == b"IEND" {
            return ImageChunks { file, damage, cut: false };
        }
    }
    // The beginning of a chunk.
    let rest = &bytes[end..];
    match rest.get(4..8) {
        Some(b"IDAT") => file.extend(rest),
        _ => file.extend(b"\0\0\0\0IEND\xae\x42\x60\x82"),
    }
    damage.push("the file ends too early: what follows the image data is lost".into());
    ImageChunks { file, damage, cut: true }
}

/// Chunks on colour, of which a wrong number changes every pixel.
const COLOR: [&[u8; 4]; 7] = [b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI"];

/// Reads all metadata chunks; damaged ones are named.
pub(in crate::image) fn read(bytes: &[u8]) -> Chunks {
    let mut out = Chunks::default();
    let number = |data: &[u8], at: usize| Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?));
    let mut left = UNPACKED;
    let mut inflate = |data: &[u8]| inflate(data, &mut left);
    for chunk in chunks(bytes) {
        let Chunk { kind, data, .. } = chunk;
        let metadata = &mut out.metadata;
        let read = COLOR.contains(&&kind) || READ.contains(&&kind);
        if read && !chunk.is_intact() {
            let dropped = COLOR.contains(&&kind);
            let end = if dropped { "dropped" } else { "it may be damaged" };
            out.notes.push(format!("the checksum of the chunk {} is wrong; {end}", chunk.name()));
            if dropped {
                continue;
            }
        }
        match &kind {
            b"iCCP" => {
                metadata.icc = split_keyword(data).and_then(|(_, rest)| inflate(rest.get(1..)?));
                if metadata.icc.is_none() {
                    out.notes.push("the colour profile is damaged; dropped".into());
                }
            }
            b"eXIf" => metadata.exif = Some(without_prefix(data)),
            b"tEXt" => {
                if let Some((keyword, text)) = split_keyword(data) {
                    take_text(metadata, keyword, text, false);
                }
            }
            b"zTXt" => {
                if let Some((keyword, rest)) = split_keyword(data)
                    && let Some(text) = rest.get(1..).and_then(&mut inflate)
                {
                    take_text(metadata, keyword, &text, false);
                }
            }
            b"iTXt" => {
                if let Some((keyword, text)) = international(data, &mut inflate) {
                    take_text(metadata, keyword, &text, true);
                }
            }
            b"pHYs" => {
                if let (Some(x), Some(y), Some(unit)) = (number(data, 0), number(data, 4), data.get(8)) {
                    metadata.density = match unit {
                        1 => Density::per_meter(x, y),
                        _ => Density::new(x.into(), y.into(), 1),
                    };
                }
            }
            b"IHDR" => out.color.grey = matches!(data.get(9), Some(0 | 4)),
            b"cICP" => out.color.cicp = data.try_into().ok(),
            // The mastering display and the light level; drafts of the standard wrote them in the second way.
            b"mDCV" | b"mDCv" if data.len() == 24 => metadata.color_chunks.push((kind, data.into())),
            b"cLLI" | b"cLLi" if data.len() == 8 => metadata.color_chunks.push((kind, data.into())),
            b"sRGB" => out.color.srgb = true,
            b"gAMA" => out.color.gamma = number(data, 0).map(|value| f64::from(value) / 1e5),
            b"cHRM" if data.len() == 32 => {
                let value = |i: usize| f64::from(number(data, i * 4).unwrap_or(0)) / 1e5;
                out.color.chromaticities = Some([0, 2, 4, 6].map(|i| [value(i), value(i + 1)]));
            }
            b"acTL" => out.frames = number(data, 0).unwrap_or(0),
            b"caBX" => out.notes.push(CREDENTIALS.into()),
            b"IEND" => break,
            _ => {}
        }
    }
    out
}

/// Chunks (type, data) to be written before the image data.
pub(in crate::image) fn write(metadata: &Metadata) -> Vec<([u8; 4], Vec<u8>)> {
    let mut out = metadata.color_chunks.clone();
    if let Some(icc) = &metadata.icc {
        out.push((*b"iCCP", [&b"ICC profile\0\0"[..], &deflate(icc)].concat()));
    }
    if let Some(density) = metadata.density {
        let (scale, unit) = match density.unit {
            DensityUnit::Aspect => (1.0, 0),
            DensityUnit::Inch => (100.0 / 2.54, 1),
            DensityUnit::Centimeter => (100.0, 1),
        };
        let mut data = Vec::new();
        data.extend(((density.x * scale).round() as u32).to_be_bytes());
        data.extend(((density.y * scale).round() as u32).to_be_bytes());
        data.push(unit);
        out.push((*b"pHYs", data));
    }
    if let Some(exif) = &metadata.exif {
        out.push((*b"eXIf", exif.clone()));
    }
    if let Some(xmp) = &metadata.xmp {
        // Keyword, no compression, no language, no translated keyword.
        out.push((*b"iTXt", [XMP_KEYWORD.as_bytes(), &[0; 5], xmp].concat()));
    }
    if let Some(records) = &metadata.iptc {
        let payload = iptc::to_resources(records);
        let mut text = format!("\niptc\n{:8}\n", payload.len());
        for line in payload.chunks(36) {
            line.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
            text.push('\n');
        }
        out.push((
            *b"zTXt",
            [format!("{RAW_PREFIX}iptc\0\0").as_bytes(), &deflate(text.as_bytes())].concat(),
        ));
    }
    for (keyword, text) in &metadata.text {
        let keyword = keyword_bytes(keyword);
        match latin1(text) {
            Some(text) => out.push((*b"tEXt", [&keyword[..], &[0], &text].concat())),
            None => out.push((*b"iTXt", [&keyword[..], &[0; 5], text.as_bytes()].concat())),
        }
    }
    out
}

/// A keyword of 1 to 79 printable Latin-1 bytes.
fn keyword_bytes(keyword: &str) -> Vec<u8> {
    let printable = |c: &char| matches!(u32::from(*c), 32..=126 | 161..=255);
    let bytes: Vec<u8> = keyword.trim().chars().filter(printable).take(79).map(|c| c as u8).collect();
    if bytes.is_empty() { b"Comment".to_vec() } else { bytes }
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok().filter(|&byte| byte != 0)).collect()
}

fn split_keyword(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = data.iter().take(80).position(|&byte| byte == 0)?;
    Some((&data[..end], &data[end + 1..]))
}

/// Keyword and text of an `iTXt` chunk.
fn international(data: &[u8], inflate: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<(&[u8], Vec<u8>)> {
    let (keyword, rest) = split_keyword(data)?;
    let (&compressed, rest) = rest.split_first()?;
    let rest = rest.get(1..)?;
    let rest = &rest[rest.iter().position(|&byte| byte == 0)? + 1..];
    let text = &rest[rest.iter().position(|&byte| byte == 0)? + 1..];
    Some((keyword, if compressed == 1 { inflate(text)? } else { text.to_vec() }))
}

/// Sorts a text chunk into its place.
fn take_text(metadata: &mut Metadata, keyword: &[u8], text: &[u8], utf8: bool) {
    let keyword: String = keyword.iter().map(|&byte| char::from(byte)).collect();
    if keyword == XMP_KEYWORD {
        metadata.xmp = Some(text.to_vec());
    } else if let Some(kind) = keyword.strip_prefix(RAW_PREFIX) {
        let Some(payload) = raw_profile(text) else { return };
        match kind {
            "exif" | "APP1" if metadata.exif.is_none() => metadata.exif = Some(without_prefix(&payload)),
            "iptc" if payload.starts_with(&[0x1c]) => metadata.iptc = Some(payload),
            "iptc" => metadata.iptc = iptc::from_resources(without_photoshop(&payload)),
            "xmp" if metadata.xmp.is_none() => metadata.xmp = Some(payload),
            "icc" | "icm" if metadata.icc.is_none() => metadata.icc = Some(payload),
            _ => {}
        }
    } else {
        let text = match utf8 {
            true => String::from_utf8_lossy(text).into_owned(),
            false => text.iter().map(|&byte| char::from(byte)).collect(),
        };
        metadata.text.push((keyword, text));
    }
}

/// ImageMagick's form of a profile as text: name, length, hexadecimal digits.
fn raw_profile(text: &[u8]) -> Option<Vec<u8>> {
    // The name may have several words, on a line of its own.
    let (_, rest) = std::str::from_utf8(text).ok()?.trim_start().split_once('\n')?;
    let mut parts = rest.split_ascii_whitespace();
    let size: usize = parts.next()?.parse().ok()?;
    let digits: Vec<u8> =
        parts.flat_map(str::chars).map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (bytes.len() == size).then_some(bytes)
}

/// Some writers put JPEG's prefix before the block.
pub(in crate::image) fn without_prefix(data: &[u8]) -> Vec<u8> {
    data.strip_prefix(b"Exif\0\0").unwrap_or(data).to_vec()
}

fn without_photoshop(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"Photoshop 3.0\0").unwrap_or(data)
}

/// Unpacks `data` to at most `left` bytes, which become fewer by what came out.
fn inflate(data: &[u8], left: &mut u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = ZlibDecoder::new(data).take(*left + 1).read_to_end(&mut out);
    let fits = out.len() as u64 <= *left;
    *left = left.saturating_sub(out.len() as u64);
    read.ok().filter(|_| fits).map(|_| out)
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail.
    encoder.write_all(data).and_then(|()| encoder.finish()).unwrap_or_default()
}
