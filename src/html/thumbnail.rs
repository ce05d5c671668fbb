//! Images so small that a page can hold a thousand of them.

use super::source;
use crate::image::{EncodeOptions, ImageFormat, Kernel, Raster, resize};

/// Longest side in pixels.
const SIDE: usize = 96;

const QUALITY: u8 = 50;

/// `color` (1 or 3 channels, sRGB-coded, 0 to 1), shrunk, as the source of an `img` element: about 1 kB. `None` where it
/// cannot be encoded.
pub fn thumbnail(color: &Raster) -> Option<String> {
    let (width, height) = (color.width(), color.height());
    let factor = SIDE as f64 / width.max(height) as f64;
    let side = |length: usize| ((length as f64 * factor).round() as usize).clamp(1, SIDE);
    let small =
        if factor < 1.0 { resize(color, side(height), side(width), Kernel::Box) } else { color.clone() };
    let format = if cfg!(feature = "lossy-webp") { ImageFormat::WebP } else { ImageFormat::Jpeg };
    source(&small, &EncodeOptions { quality: QUALITY, lossless: false, ..EncodeOptions::new(format) }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_network::test_image;

    #[test]
    fn they_are_small() {
        let large = thumbnail(&test_image(3, 700, 1200)).unwrap();
        assert!(large.len() < 4000, "{}", large.len());
        assert!(thumbnail(&test_image(1, 3, 9000)).is_some());
        assert!(thumbnail(&test_image(3, 2, 2)).is_some());
    }
}
