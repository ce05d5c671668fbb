//! How strongly a JPEG file was compressed, told by its quantisation tables.

use super::metadata::jpeg::head;

/// Sum of the luma table of ITU-T T.81, annex K.1, which is quality 50 on the scale of the Independent JPEG Group.
const STANDARD_SUM: f64 = 3688.0;

/// The quality, 1 to 100 on the Independent JPEG Group's scale, whose luma table is about as coarse as the file's own;
/// `None` for anything but a JPEG file with a luma table before its first scan.
///
/// Cameras and editors have tables of their own shape: what counts is how coarse the table is as a whole.
pub fn jpeg_quality(bytes: &[u8]) -> Option<f32> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    let tables = head(bytes).filter(|(marker, _)| *marker == 0xdb);
    let sum = tables.filter_map(|(_, payload)| luma_sum(payload)).last()?;
    // The group's library scales the table by 200 - 2 q percent, below quality 50 by 5000 / q.
    let percent = (100.0 * sum / STANDARD_SUM).max(1e-3);
    let quality = if percent <= 100.0 { (200.0 - percent) / 2.0 } else { 5000.0 / percent };
    Some(quality.clamp(1.0, 100.0) as f32)
}

/// The sum of table 0 in a DQT segment, which may hold several tables.
fn luma_sum(mut payload: &[u8]) -> Option<f64> {
    while let [kind, rest @ ..] = payload {
        let wide = kind >> 4 != 0;
        let size = if wide { 128 } else { 64 };
        let table = rest.get(..size)?;
        if kind & 15 == 0 {
            let sum: u32 = if wide {
                table.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
            } else {
                table.iter().map(|&value| u32::from(value)).sum()
            };
            return Some(f64::from(sum));
        }
        payload = &rest[size..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, encode};

    fn encoded(quality: u8) -> Vec<u8> {
        let image =
            Image::new(Raster::from_vec(3, 16, 16, vec![0.4; 768]), None, SampleDepth::U8, ImageFormat::Png);
        encode(&image, &EncodeOptions { quality, ..EncodeOptions::new(ImageFormat::Jpeg) }).unwrap().bytes
    }

    #[test]
    fn the_quality_of_a_file_is_found() {
        for quality in [20, 40, 50, 60, 75, 90, 95] {
            let found = jpeg_quality(&encoded(quality)).unwrap();
            assert!((found - f32::from(quality)).abs() < 1.5, "{quality} was found as {found}");
        }
        assert!(jpeg_quality(&encoded(100)).unwrap() > 98.0);
    }

    #[test]
    fn other_and_damaged_files_have_none() {
        let whole = encoded(60);
        let table = whole.windows(2).position(|pair| pair == [0xff, 0xdb]).unwrap();
        for bytes in [&b""[..], b"\x89PNG\r\n\x1a\n", &whole[..2], &whole[..table + 30]] {
            assert_eq!(jpeg_quality(bytes), None);
        }
    }

    #[test]
    fn wide_tables_are_read() {
        let mut file = vec![0xff, 0xd8, 0xff, 0xdb, 0, 131, 0x10];
        file.extend([0, 58].repeat(64));
        file.extend([0xff, 0xd9]);
        let quality = jpeg_quality(&file).unwrap();
        assert!((49.0..50.5).contains(&quality), "{quality}");
    }
}
