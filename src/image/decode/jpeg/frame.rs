//! What a JPEG file's frame header and first scan say (ITU-T T.81, annex B).

use std::borrow::Cow;

use crate::image::metadata::jpeg::{END, SCAN, segments};

/// The headers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::image) struct Frame {
    /// The frame marker's low six bits: 0 baseline, 1 extended, 2 progressive, 3 lossless, and so on.
    process: u8,
    /// Whether there are several frames that build on each other.
    hierarchical: bool,
    /// Bits per sample.
    pub precision: u8,
    /// Size in pixels.
    pub width: u16,
    /// Size in pixels; 0 if the file does not give it.
    pub height: u16,
    /// Where the height is stored in the frame header, if it is 0 there and given after the first scan (DNL).
    height_at: Option<usize>,
    /// Channels.
    pub components: u8,
    /// Size of an MCU of all channels, in blocks of 8 x 8 pixels.
    pub mcu: (u8, u8),
    /// MCUs between restart markers, 0 without.
    pub restart: u16,
    /// The first scan's point transform: bits that lossless coding has left out.
    pub shift: u8,
    /// Whether anything but fill bytes follows the image.
    pub followed: bool,
}

impl Frame {
    /// Reads the headers; `None` without a frame and a scan.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut frame = Self::default();
        let mut scanned = false;
        for (marker, data) in segments(bytes) {
            match marker {
                // Not the tables of codes in between. The last is JPEG-LS.
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7 if !scanned => {
                    let &[precision, h1, h0, w1, w0, components] = data.first_chunk::<6>()?;
                    frame.process = marker & 0x3f;
                    frame.precision = precision;
                    frame.height = u16::from_be_bytes([h1, h0]);
                    frame.width = u16::from_be_bytes([w1, w0]);
                    frame.components = components;
                    frame.height_at =
                        (frame.height == 0).then(|| data.as_ptr() as usize + 1 - bytes.as_ptr() as usize);
                    let factors = || data[6..].chunks_exact(3).map(|channel| channel[1]);
                    frame.mcu = (
                        factors().map(|both| both >> 4).max().unwrap_or(1),
                        factors().map(|both| both & 15).max().unwrap_or(1),
                    );
                }
                0xdc if frame.height == 0 && scanned => {
                    frame.height = data.first_chunk().map_or(0, |height| u16::from_be_bytes(*height));
                }
                0xdd if !scanned => {
                    frame.restart = data.first_chunk().map_or(0, |interval| u16::from_be_bytes(*interval));
                }
                0xde => frame.hierarchical = true,
                SCAN if !scanned => {
                    scanned = true;
                    frame.shift = data.last()? & 15;
                }
                END => frame.followed = data.iter().any(|byte| !matches!(byte, 0 | 0xff)),
                _ => {}
            }
        }
        (scanned && frame.components > 0).then_some(frame)
    }

    /// Samples are coded without transform to frequencies.
    pub fn is_lossless(&self) -> bool {
        self.process == 3
    }

    /// Codes are arithmetic, not Huffman's.
    pub fn is_arithmetic(&self) -> bool {
        self.process > 8
    }

    /// What the file is, if that is not supported.
    pub fn unsupported(&self) -> Option<String> {
        let kind = match self.process {
            _ if self.hierarchical => "hierarchical",
            0x37 => "JPEG-LS",
            5..=7 | 13..=15 => "hierarchical",
            11 => "lossless with arithmetic coding",
            3 => return None,
            _ if self.precision == 8 => return None,
            _ => return Some(format!("{} bits", self.precision)),
        };
        Some(kind.into())
    }

    /// `bytes` with the height in the frame header.
    pub fn with_height<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(at) = self.height_at else { return bytes.into() };
        let mut bytes = bytes.to_vec();
        bytes[at..at + 2].copy_from_slice(&self.height.to_be_bytes());
        bytes.into()
    }
}
