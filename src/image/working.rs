//! From a decoded image to what the model works on, and back.

use super::alpha::{AlphaRows, extend_colors, resize_alpha};
use super::color::Coding;
use super::metadata::{Retouch, Strip};
use super::outside::{add_outside, take_outside};
use super::{Image, Raster, SampleDepth};

/// An image made ready: colour for the model, and everything else for afterwards.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// sRGB-coded planes (1 or 3), 0 to 1, continued under transparency.
    pub color: Raster,
    /// What is put back by [`Frame::restore`].
    pub frame: Frame,
}

/// All of an image but its colour planes.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The image without its pixels; `color` is a single 0.
    shell: Image,
    size: (usize, usize),
    coding: Coding,
    /// Colours outside sRGB's gamut, where there are any.
    outside: Option<Raster>,
}

/// How a result is put together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RestoreOptions {
    /// Keep the dots per inch instead of the printed size. Default: `false`.
    pub keep_dpi: bool,
    /// What metadata to leave out. Default: nothing.
    pub strip: Strip,
    /// Leave numbers that were scaled to 0..1 for the model at that, for a file of integers. Default: `false`.
    pub unit_range: bool,
}

/// Makes `image` ready for the model; [`Frame::restore`] undoes it.
///
/// A colour profile that cannot be used is dropped with a warning, and the values are taken as sRGB. Floating-point
/// values that leave the range of a photograph are brought into it: light on an arc hyperbolic sine, numbers without a
/// profile by their least and largest, with a warning.
pub fn prepare_for_model(image: Image) -> Prepared {
    let mut image = image;
    let size = (image.height(), image.width());
    let mut color = std::mem::replace(&mut image.color, Raster::new(1, 1, 1));
    let mut coding = if image.linear {
        Coding::linear(color.range())
    } else if let Some(icc) = &image.metadata.icc {
        Coding::from_icc(icc, color.channels()).unwrap_or_else(|why| {
            image.warnings.push(format!("the colour profile is dropped: {why}"));
            image.metadata.icc = None;
            Coding::Kept
        })
    } else {
        Coding::Kept
    };
    if image.depth == SampleDepth::F32 && !image.linear {
        coding = coding.for_range(color.range(), image.metadata.icc.is_some());
        if let Coding::Scaled { low, high } = coding {
            let (low, high) = (Plain(low), Plain(high));
            image.warnings.push(format!("values from {low} to {high} are taken as 0 to 1 for the model"));
        }
    }
    coding.to_srgb(&mut color);
    if let Some(alpha) = &image.alpha {
        extend_colors(&mut color, alpha);
    }
    let outside = take_outside(&mut color, ROUNDING);
    Prepared { color, frame: Frame { shell: image, size, coding, outside } }
}

/// How far outside 0..1 a value is that was rounded, and no colour outside the gamut: less than half a level of 16 bits.
const ROUNDING: f32 = 5e-6;

/// A number for people: without dozens of zeros.
struct Plain(f32);

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.abs() {
            0.0 | 1e-4..1e7 => self.0.fmt(f),
            _ => write!(f, "{:e}", self.0),
        }
    }
}

impl Frame {
    /// The image's size before, (height, width).
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The image without its colour planes: depth, format, metadata, warnings.
    pub fn image(&self) -> &Image {
        &self.shell
    }

    /// Whether the image has an alpha channel.
    pub fn has_alpha(&self) -> bool {
        self.shell.alpha.is_some()
    }

    /// The finished image from the model's sRGB-coded `color` of any size: back in the source's coding, with
    /// alpha brought to that size and metadata corrected.
    pub fn restore(self, color: Raster, options: &RestoreOptions) -> Image {
        let mut color = color;
        let size = (color.height(), color.width());
        if let Some(outside) = &self.outside {
            add_outside(outside, size, 0, &mut color);
        }
        let mut image = self.shell;
        if let (Coding::Scaled { low, high }, true) = (&self.coding, options.unit_range) {
            let (low, high) = (Plain(*low), Plain(*high));
            image.warnings.push(format!("values from {low} to {high} are stored as black to white"));
        } else {
            self.coding.undo(&mut color);
            image.linear |= matches!(self.coding, Coding::Scaled { .. });
        }
        image.alpha = image.alpha.map(|alpha| resize_alpha(&alpha, size.0, size.1));
        image.color = color;
        let notes = image.metadata.retouch(&Retouch {
            size,
            old_size: self.size,
            keep_dpi: options.keep_dpi,
            strip: options.strip,
        });
        image.warnings.extend(notes);
        image
    }
}

/// Puts a result together strip by strip, for those who never hold all of it; the rows are those of
/// [`Frame::restore`].
pub struct Strips<'a> {
    coding: &'a Coding,
    outside: Option<&'a Raster>,
    size: (usize, usize),
    alpha: Option<AlphaRows<'a>>,
}

impl Frame {
    /// For a result of `size` (height, width).
    pub fn strips(&self, size: (usize, usize)) -> Strips<'_> {
        let alpha = self.shell.alpha.as_ref().map(|alpha| AlphaRows::new(alpha, size));
        Strips { coding: &self.coding, outside: self.outside.as_ref(), size, alpha }
    }
}

impl Strips<'_> {
    /// Colour and alpha of the rows from `top` on, from the model's sRGB-coded `color` of these rows.
    pub fn restore(&self, top: usize, color: Raster) -> (Raster, Option<Raster>) {
        let mut color = color;
        let rows = top..top + color.height();
        if let Some(outside) = self.outside {
            add_outside(outside, self.size, top, &mut color);
        }
        self.coding.undo(&mut color);
        (color, self.alpha.as_ref().map(|alpha| alpha.rows(rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Density, DensityUnit, ImageFormat, Kernel, SampleDepth, resize};

    #[test]
    fn an_image_keeps_what_it_had() {
        let color = Raster::from_vec(3, 2, 2, (0..12).map(|i| i as f32 / 11.0).collect());
        let alpha = Raster::from_vec(1, 2, 2, vec![1.0; 4]);
        let mut image = Image::new(color, Some(alpha), SampleDepth::U16, ImageFormat::Png);
        image.metadata.icc = moxcms::ColorProfile::new_adobe_rgb().encode().ok();
        image.metadata.density = Some(Density { x: 100.0, y: 200.0, unit: DensityUnit::Inch });
        let source = image.clone();
        let prepared = prepare_for_model(image);
        assert_ne!(prepared.color.data(), source.color.data());
        let same = prepared.frame.clone().restore(prepared.color.clone(), &RestoreOptions::default());
        let worst = same.color.data().iter().zip(source.color.data()).map(|(a, b)| (a - b).abs());
        assert!(worst.fold(0.0, f32::max) < 1e-3);
        assert_eq!(same.metadata, source.metadata);
        let big = resize(&prepared.color, 8, 6, Kernel::BICUBIC);
        let (strip, strip_alpha) = prepared.frame.strips((8, 6)).restore(3, big.crop(3..7, 0..6));
        let out = prepared.frame.restore(big, &RestoreOptions::default());
        assert_eq!((out.height(), out.width(), out.depth), (8, 6, SampleDepth::U16));
        assert_eq!(strip, out.color.crop(3..7, 0..6));
        assert_eq!(strip_alpha, out.alpha.as_ref().map(|alpha| alpha.crop(3..7, 0..6)));
        assert_eq!(out.alpha.unwrap().data(), [1.0; 48]);
        assert_eq!(out.metadata.icc, source.metadata.icc);
        // The print keeps its size: three times as wide, four times as high in pixels.
        assert_eq!(out.metadata.density, Some(Density { x: 300.0, y: 800.0, unit: DensityUnit::Inch }));
    }

    #[test]
    fn colours_outside_the_gamut_pass_by_the_model() {
        // Rec. 2020's green has no place in sRGB; grey has.
        let mut color =
            Raster::from_vec(3, 2, 2, vec![0.0, 0.5, 0.5, 0.0, 1.0, 0.5, 0.5, 1.0, 0.0, 0.5, 0.5, 0.0]);
        color.data_mut()[3] = 0.2;
        let mut image = Image::new(color, None, SampleDepth::U8, ImageFormat::Png);
        image.metadata.icc = moxcms::ColorProfile::new_bt2020().encode().ok();
        let source = image.color.clone();
        let Prepared { color, frame } = prepare_for_model(image);
        let (low, high) = color.range();
        assert!(low == 0.0 && high <= 1.0, "{low} {high}");
        let same = frame.clone().restore(color.clone(), &RestoreOptions::default());
        let worst = same.color.data().iter().zip(source.data()).map(|(a, b)| (a - b).abs());
        assert!(worst.fold(0.0, f32::max) < 1e-3, "{:?}", same.color);
        let big = resize(&color, 130, 6, Kernel::Linear);
        let (strip, _) = frame.strips((130, 6)).restore(60, big.crop(60..70, 0..6));
        let whole = frame.restore(big, &RestoreOptions::default()).color;
        assert_eq!(strip, whole.crop(60..70, 0..6));
    }

    #[test]
    fn a_useless_profile_is_dropped_with_a_word() {
        let mut image = Image::new(Raster::new(3, 1, 1), None, SampleDepth::U8, ImageFormat::Png);
        image.metadata.icc = Some(b"rubbish".to_vec());
        let prepared = prepare_for_model(image);
        assert_eq!(prepared.frame.image().metadata.icc, None);
        assert!(prepared.frame.image().warnings[0].starts_with("the colour profile is dropped"));
    }
}
