//! Limits on what a hostile or careless input may cost.

use crate::error::{Error, ErrorKind, Result};

/// Limits that decoders check before they allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels (width times height) that an input image may have. Default: 200 million.
    pub max_pixels: u64,
    /// Most bytes that decoding one image may need, floating-point samples included. Default: 8 GiB.
    pub max_decode_bytes: u64,
    /// Most pages that a file may have. Default: 1000.
    pub max_pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 200_000_000, max_decode_bytes: 8 << 30, max_pages: 1000 }
    }
}

impl Limits {
    /// Limits for images of up to `pixels` pixels, and as much memory as four channels of them take.
    pub fn of_pixels(pixels: u64) -> Self {
        let defaults = Self::default();
        let bytes = defaults.max_decode_bytes.max(pixels.saturating_mul(32));
        Self { max_pixels: pixels, max_decode_bytes: bytes, ..defaults }
    }

    /// Checks the number of pages of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] naming the limit.
    pub fn check_pages(&self, pages: usize) -> Result<()> {
        if pages > self.max_pages {
            let message = format!("the file has more than {} pages, the limit", self.max_pages);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    /// Checks an image of `width` x `height` with `channels` samples of `sample_bytes` bytes in the file.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] naming the image's number and the limit; [`ErrorKind::Input`] for an empty image.
    pub fn check(&self, width: u64, height: u64, channels: u64, sample_bytes: u64) -> Result<()> {
        if width == 0 || height == 0 {
            return Err(Error::new(
                ErrorKind::Input,
                format!("the image is {width} x {height} pixels: both sides must be at least 1"),
            ));
        }
        let pixels = width.saturating_mul(height);
        if pixels > self.max_pixels {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "the image has {width} x {height} = {pixels} pixels: expected at most {} (max_pixels)",
                    self.max_pixels
                ),
            ));
        }
        // The decoded samples and their floating-point copy live side by side.
        let bytes = pixels.saturating_mul(channels).saturating_mul(sample_bytes + 4);
        if bytes > self.max_decode_bytes {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "decoding {width} x {height} pixels with {channels} channels needs {bytes} bytes, the limit is \
                     {}",
                    self.max_decode_bytes
                ),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_are_named() {
        let limits = Limits { max_pixels: 100, max_decode_bytes: 1000, ..Limits::default() };
        limits.check(10, 10, 1, 1).unwrap();
        let error = limits.check(11, 10, 1, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert_eq!(
            error.to_string(),
            "the image has 11 x 10 = 110 pixels: expected at most 100 (max_pixels)"
        );
        let error = limits.check(10, 10, 3, 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "decoding 10 x 10 pixels with 3 channels needs 1800 bytes, the limit is 1000"
        );
        assert_eq!(limits.check(u64::MAX, 3, 4, 4).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(limits.check(0, 3, 4, 4).unwrap_err().kind(), ErrorKind::Input);
    }
}
