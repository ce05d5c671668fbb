//! The file formats that images are read from and written to.

use std::fmt;
use std::path::Path;

use super::SampleDepth;
use crate::error::{Error, ErrorKind, Result};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG/JFIF.
    Jpeg,
    /// WebP.
    WebP,
    /// TIFF, BigTIFF where the data needs it.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// Portable grey map or pixel map (PBM, PGM, PPM).
    Pnm,
    /// Portable arbitrary map: PNM with alpha.
    Pam,
    /// Portable float map, linear light.
    Pfm,
    /// GIF, read only.
    Gif,
    /// Quite OK Image.
    Qoi,
    /// Radiance, linear light.
    Hdr,
    /// OpenEXR, linear light.
    OpenExr,
    /// JPEG XL; needs the feature `jxl`.
    JpegXl,
    /// AVIF; needs the feature `heif`.
    Avif,
    /// HEIC, read only; needs the feature `heif`.
    Heic,
}

impl ImageFormat {
    /// All formats, whether this program was built with them or not.
    pub const ALL: [Self; 15] = [
        Self::Png,
        Self::Jpeg,
        Self::WebP,
        Self::Tiff,
        Self::Bmp,
        Self::Pnm,
        Self::Pam,
        Self::Pfm,
        Self::Gif,
        Self::Qoi,
        Self::Hdr,
        Self::OpenExr,
        Self::JpegXl,
        Self::Avif,
        Self::Heic,
    ];

    /// The formats that can be read.
    pub fn readable() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|format| format.can_read())
    }

    /// The formats that can be written.
    pub fn writable() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|format| format.can_write())
    }

    /// The extensions of the formats that can be written, for messages: "png, jpg, ...".
    pub fn writable_extensions() -> String {
        let extensions: Vec<_> = Self::writable().map(|format| format.extensions()[0]).collect();
        extensions.join(", ")
    }

    /// The name that people use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Pnm => "PNM",
            Self::Pam => "PAM",
            Self::Pfm => "PFM",
            Self::Gif => "GIF",
            Self::Qoi => "QOI",
            Self::Hdr => "Radiance HDR",
            Self::OpenExr => "OpenEXR",
            Self::JpegXl => "JPEG XL",
            Self::Avif => "AVIF",
            Self::Heic => "HEIC",
        }
    }

    /// File name extensions in lower case without the dot; the first is the one for new files.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png", "apng"],
            Self::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::WebP => &["webp"],
            Self::Tiff => &["tif", "tiff"],
            Self::Bmp => &["bmp", "dib"],
            Self::Pnm => &["ppm", "pgm", "pbm", "pnm"],
            Self::Pam => &["pam"],
            Self::Pfm => &["pfm"],
            Self::Gif => &["gif"],
            Self::Qoi => &["qoi"],
            Self::Hdr => &["hdr", "pic"],
            Self::OpenExr => &["exr"],
            Self::JpegXl => &["jxl"],
            Self::Avif => &["avif"],
            Self::Heic => &["heic", "heif", "hif"],
        }
    }

    /// The format that a file name extension stands for, in any case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        Self::ALL.into_iter().find(|format| format.extensions().contains(&extension.as_str()))
    }

    /// The format that the extension of `path` stands for.
    pub fn from_path(path: &Path) -> Option<Self> {
        Self::from_extension(path.extension()?.to_str()?)
    }

    /// The format of a file that begins with `bytes`, whatever its name.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            // Some writers put filling before the first segment.
            [0xff, 0xd8, rest @ ..] if rest.iter().take(64).any(|&byte| byte == 0xff) => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'B', b'M', _, _, _, _, ..] => Some(Self::Bmp),
            [b'P', b'1'..=b'6', space, ..] if space.is_ascii_whitespace() || *space == b'#' => {
                Some(Self::Pnm)
            }
            [b'P', b'7', b'\n', ..] => Some(Self::Pam),
            [b'P', b'F' | b'f', space, ..] if space.is_ascii_whitespace() => Some(Self::Pfm),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'q', b'o', b'i', b'f', ..] => Some(Self::Qoi),
            [b'#', b'?', b'R', b'A', b'D', b'I', b'A', b'N', b'C', b'E', ..]
            | [b'#', b'?', b'R', b'G', b'B', b'E', ..] => Some(Self::Hdr),
            [0x76, 0x2f, 0x31, 0x01, ..] => Some(Self::OpenExr),
            [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some(Self::JpegXl),
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Self::of_brands(brand),
            _ => None,
        }
    }

    /// Which of the formats in ISO base media files a file type box names; `brands` begins with the major brand.
    fn of_brands(brands: &[u8]) -> Option<Self> {
        // Some name only a general major brand, and what it is among the compatible ones.
        brands.chunks_exact(4).take(8).find_map(|brand| match brand {
            b"avif" | b"avis" => Some(Self::Avif),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some(Self::Heic),
            _ => None,
        })
    }

    /// The largest width and height that the format can store, in pixels.
    pub fn max_side(self) -> u64 {
        match self {
            // libjpeg's limit; the format's is 65,535.
            Self::Jpeg => 65_500,
            Self::WebP => 16_383,
            Self::Png | Self::Bmp => i32::MAX as u64,
            Self::Gif => 65_535,
            Self::JpegXl => 1 << 30,
            Self::Avif | Self::Heic => 65_536,
            Self::OpenExr | Self::Hdr => 1 << 24,
            Self::Tiff | Self::Pnm | Self::Pam | Self::Pfm | Self::Qoi => u64::from(u32::MAX),
        }
    }

    /// Checks that the format can store an image of `width` x `height`; to be called before work starts.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] naming the size and what the format allows.
    pub fn check_size(self, width: usize, height: usize) -> Result<()> {
        let (width, height) = (width as u64, height as u64);
        let most = self.max_side();
        if width > most || height > most {
            return Err(Error::new(
                ErrorKind::Output,
                format!(
                    "{self} cannot store {width} x {height} pixels: each side may have at most {most}; choose \
                     another format"
                ),
            ));
        }
        if self == Self::JpegXl && width.min(height) < 2 {
            return Err(Error::new(
                ErrorKind::Output,
                format!("JPEG XL needs at least 2 x 2 pixels, not {width} x {height}; choose another format"),
            ));
        }
        // BMP counts its bytes in 32 bits; up to 4 bytes per pixel and the header.
        if self == Self::Bmp && width.saturating_mul(height).saturating_mul(4) > u64::from(u32::MAX) - 4096 {
            return Err(Error::new(
                ErrorKind::Output,
                format!(
                    "BMP cannot store {width} x {height} pixels: the file would be over 4 GiB; choose another format"
                ),
            ));
        }
        Ok(())
    }

    /// Whether transparency can be stored.
    pub fn has_alpha(self) -> bool {
        !matches!(self, Self::Jpeg | Self::Pnm | Self::Pfm | Self::Hdr)
    }

    /// Whether grey is stored as one channel.
    pub fn has_grey(self) -> bool {
        !matches!(
            self,
            Self::WebP | Self::Qoi | Self::Hdr | Self::OpenExr | Self::Gif | Self::Avif | Self::Heic
        )
    }

    /// Whether a colour profile can be stored.
    pub fn has_profile(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::WebP | Self::Tiff | Self::Avif)
    }

    /// Whether EXIF and XMP can be stored.
    pub fn has_exif(self) -> bool {
        self.has_profile() || self == Self::JpegXl
    }

    /// Whether samples are linear light.
    pub fn is_linear(self) -> bool {
        matches!(self, Self::Pfm | Self::Hdr | Self::OpenExr)
    }

    /// Whether files can be read, by this program as it was built.
    pub fn can_read(self) -> bool {
        self.missing_feature().is_none()
    }

    /// Whether files can be written, by this program as it was built.
    pub fn can_write(self) -> bool {
        !matches!(self, Self::Gif | Self::Heic) && self.can_read()
    }

    /// The feature that a program needs to be built with to know the format, if it lacks that.
    pub fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::JpegXl if cfg!(not(feature = "jxl")) => Some("jxl"),
            Self::Avif | Self::Heic if cfg!(not(feature = "heif")) => Some("heif"),
            _ => None,
        }
    }

    /// The depth closest to `wanted` that the format can store.
    pub fn nearest_depth(self, wanted: SampleDepth) -> SampleDepth {
        match self {
            Self::Tiff => wanted,
            Self::Pfm | Self::Hdr | Self::OpenExr => SampleDepth::F32,
            // AVIF's deepest form has 12 bits.
            Self::Png | Self::Pnm | Self::Pam | Self::JpegXl | Self::Avif => wanted.min(SampleDepth::U16),
            Self::Jpeg | Self::WebP | Self::Bmp | Self::Gif | Self::Qoi | Self::Heic => SampleDepth::U8,
        }
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_are_recognised() {
        assert_eq!(ImageFormat::from_extension("JPeG"), Some(ImageFormat::Jpeg));
        assert_eq!(ImageFormat::from_path(Path::new("a.b/c.TIF")), Some(ImageFormat::Tiff));
        assert_eq!(ImageFormat::from_path(Path::new("png")), None);
        assert_eq!(ImageFormat::sniff(b"P6\n1 1\n255\n"), Some(ImageFormat::Pnm));
        assert_eq!(ImageFormat::sniff(b"P7\nWIDTH 1"), Some(ImageFormat::Pam));
        assert_eq!(ImageFormat::sniff(b"Please read me"), None);
        assert_eq!(ImageFormat::sniff(b""), None);
        assert_eq!(ImageFormat::sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic"), Some(ImageFormat::Heic));
        assert_eq!(ImageFormat::sniff(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1"), Some(ImageFormat::Avif));
        assert_eq!(ImageFormat::sniff(b"\0\0\0\x1cftypisom\0\0\0\0isomavc1"), None);
    }

    #[test]
    fn limits_of_formats_name_both_numbers() {
        ImageFormat::WebP.check_size(16_383, 16_383).unwrap();
        let error = ImageFormat::WebP.check_size(16_384, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert_eq!(
            error.to_string(),
            "WebP cannot store 16384 x 10 pixels: each side may have at most 16383; choose another format"
        );
        assert!(ImageFormat::Jpeg.check_size(65_500, 1).is_ok());
        assert!(ImageFormat::Jpeg.check_size(1, 65_501).is_err());
        assert!(ImageFormat::Bmp.check_size(40_000, 40_000).is_err());
        assert!(ImageFormat::Png.check_size(40_000, 40_000).is_ok());
    }
}
