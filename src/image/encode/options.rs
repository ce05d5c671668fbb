//! How an image is to be written, and what that loses.

use crate::error::{Error, Result};
use crate::image::color::describe_code;
use crate::image::{ImageFormat, Metadata, SampleDepth};

/// How to write an image.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodeOptions {
    /// The format of the file.
    pub format: ImageFormat,
    /// Quality of JPEG, AVIF and lossy WebP from 1 to 100. Default: 95.
    pub quality: u8,
    /// Whether WebP keeps every bit. Default: `true`.
    pub lossless: bool,
    /// Sample depth; `None` keeps the image's where the format can. Default: `None`.
    pub depth: Option<SampleDepth>,
    /// Colour (coded red, green, blue, each 0 to 1) under transparency where the format has none. Default: white.
    pub background: [f32; 3],
    /// Whether JPEG is written in scans of rising detail. Default: `false`.
    pub progressive: bool,
}

impl EncodeOptions {
    /// The defaults for `format`.
    pub fn new(format: ImageFormat) -> Self {
        Self { format, quality: 95, lossless: true, depth: None, background: [1.0; 3], progressive: false }
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// `InvalidOption` naming the option, its value and the range.
    pub fn validate(&self) -> Result<()> {
        if !(1..=100).contains(&self.quality) {
            return Err(Error::invalid_option(format!(
                "quality is {}, it must be from 1 to 100",
                self.quality
            )));
        }
        if self.background.iter().any(|value| !(0.0..=1.0).contains(value)) {
            return Err(Error::invalid_option(format!(
                "background is {:?}, each part must be from 0 to 1",
                self.background
            )));
        }
        if self.format == ImageFormat::WebP && !self.lossless && cfg!(not(feature = "lossy-webp")) {
            return Err(Error::invalid_option(
                "lossless is false, but this program was built without lossy WebP",
            ));
        }
        if !self.format.can_write() {
            let format = self.format;
            return Err(Error::invalid_option(match format.missing_feature() {
                Some(feature) => {
                    format!("this program was built without the feature {feature}, which {format} needs")
                }
                None => format!("{format} can be read but not written; choose another format"),
            }));
        }
        Ok(())
    }

    /// Whether the file holds other values than it is given, beyond its depth.
    pub fn is_lossy(&self) -> bool {
        match self.format {
            ImageFormat::Jpeg | ImageFormat::Avif => true,
            ImageFormat::WebP => !self.lossless,
            _ => false,
        }
    }

    /// The depth that a file gets for samples that had `source` depth.
    pub fn stored_depth(&self, source: SampleDepth) -> SampleDepth {
        self.format.nearest_depth(self.depth.unwrap_or(source))
    }

    /// What the file cannot hold of an image of `source` depth, `transparent` or opaque, one sentence each; known
    /// before work starts.
    pub fn losses(&self, source: SampleDepth, transparent: bool) -> Vec<String> {
        let mut losses = Vec::new();
        let format = self.format;
        let wanted = self.depth.unwrap_or(source);
        let stored = self.stored_depth(source);
        if stored < wanted {
            losses.push(format!(
                "{format} cannot store {} bits per sample; written with {}",
                wanted.bits(),
                stored.bits()
            ));
        }
        if format == ImageFormat::Avif && stored == SampleDepth::U16 {
            losses.push("AVIF stores 12 of the 16 bits per sample".into());
        }
        if format == ImageFormat::JpegXl && stored == SampleDepth::U16 && transparent {
            losses.push("JPEG XL is written with 8 bits of opacity beside 16 of colour".into());
        }
        if transparent && !format.has_alpha() {
            losses.push(format!("{format} has no transparency; flattened on the background colour"));
        }
        losses
    }

    /// Which metadata the format cannot hold, one sentence each; known before work starts.
    pub fn metadata_losses(&self, metadata: &Metadata) -> Vec<String> {
        use ImageFormat::{Bmp, Jpeg, Png, Tiff};
        let format = self.format;
        let exif = format.has_exif();
        let iptc = matches!(format, Png | Jpeg | Tiff);
        let lost = [
            (metadata.exif.is_some() && !exif, "EXIF"),
            (metadata.xmp.is_some() && !exif, "XMP"),
            (metadata.iptc.is_some() && !iptc, "IPTC"),
            (metadata.paths.is_some() && !matches!(format, Jpeg | Tiff), "Photoshop's paths"),
            (metadata.geo.is_some() && format != Tiff, "the map position (GeoTIFF)"),
            (metadata.own_text().next().is_some() && !matches!(format, Png | Jpeg), "text"),
            (metadata.density.is_some() && !exif && format != Bmp, "resolution"),
        ];
        let names: Vec<&str> = lost.iter().filter(|(lost, _)| *lost).map(|(_, name)| *name).collect();
        let mut losses = Vec::new();
        if !names.is_empty() {
            losses.push(format!("{format} cannot store {}; dropped", names.join(", ")));
        }
        if format != Png && !metadata.color_chunks.is_empty() {
            losses.push(match metadata.code_points() {
                Some(code) if metadata.icc.is_none() => format!(
                    "{format} cannot store the colour space ({}): values are kept, and other programs will read them as sRGB",
                    describe_code(code)
                ),
                Some(code) => format!(
                    "{format} cannot store the colour space ({}); the colour profile is kept instead",
                    describe_code(code)
                ),
                None => format!("{format} cannot store the mastering display and light level; dropped"),
            });
        }
        losses
    }
}
