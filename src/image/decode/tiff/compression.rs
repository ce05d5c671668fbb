//! How strips and tiles are compressed.

use super::unsupported;
use crate::error::Result;

/// A compression that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// CCITT's Huffman code for each row; rows begin at bytes or at 16-bit words.
    FaxRows {
        words: bool,
    },
    /// CCITT Group 3; with two dimensions, rows may be coded by their difference from the row above.
    Fax3 {
        two_dimensional: bool,
    },
    Fax4,
    Lzw,
    OldJpeg,
    Jpeg,
    Deflate,
    PackBits,
    WebP,
}

impl Compression {
    /// The compression with number `code`; `g3_options` is the tag for Group 3.
    ///
    /// # Errors
    /// `Input` with the name of one that is not read.
    pub fn new(code: usize, g3_options: usize) -> Result<Self> {
        let name = match code {
            1 => return Ok(Self::None),
            2 => return Ok(Self::FaxRows { words: false }),
            3 => return Ok(Self::Fax3 { two_dimensional: g3_options & 1 == 1 }),
            4 => return Ok(Self::Fax4),
            5 => return Ok(Self::Lzw),
            6 => return Ok(Self::OldJpeg),
            7 => return Ok(Self::Jpeg),
            8 | 32946 => return Ok(Self::Deflate),
            32771 => return Ok(Self::FaxRows { words: true }),
            32773 => return Ok(Self::PackBits),
            34927 | 50001 => return Ok(Self::WebP),
            9 | 10 => "JBIG",
            32766 => "NeXT",
            32809 => "ThunderScan",
            32895..=32898 => "IT8",
            32908 | 32909 => "Pixar",
            33003 | 33004 | 33005 | 34712 => "JPEG 2000",
            34661 => "JBIG",
            34676 | 34677 => "SGILog",
            34887 => "LERC",
            34892 => "lossy JPEG of DNG",
            34925 => "LZMA",
            34926 | 50000 => "Zstandard",
            34933 | 50002 => "JPEG XL",
            _ => "unknown",
        };
        Err(unsupported(&format!("compression {code} ({name})")))
    }

    pub fn is_fax(self) -> bool {
        matches!(self, Self::FaxRows { .. } | Self::Fax3 { .. } | Self::Fax4)
    }

    pub fn is_jpeg(self) -> bool {
        matches!(self, Self::Jpeg | Self::OldJpeg)
    }
}
