//! Turning images upright.

use super::Raster;

/// `src` as it is to be seen, by EXIF orientation 1 to 8 (CIPA DC-008, section 4.6.4 A).
pub(super) fn upright(src: Raster, orientation: u8) -> Raster {
    let (height, width) = (src.height(), src.width());
    // Whether rows become columns, and which source axes run backwards.
    let (transposed, flip_y, flip_x) = match orientation {
        2 => (false, false, true),
        3 => (false, true, true),
        4 => (false, true, false),
        5 => (true, false, false),
        6 => (true, true, false),
        7 => (true, true, true),
        8 => (true, false, true),
        _ => return src,
    };
    let (out_height, out_width) = if transposed { (width, height) } else { (height, width) };
    let mut out = Raster::new(src.channels(), out_height, out_width);
    for channel in 0..src.channels() {
        let plane = src.plane(channel);
        for y in 0..out_height {
            for (x, slot) in out.row_mut(channel, y).iter_mut().enumerate() {
                let (source_y, source_x) = if transposed { (x, y) } else { (y, x) };
                let source_y = if flip_y { height - 1 - source_y } else { source_y };
                let source_x = if flip_x { width - 1 - source_x } else { source_x };
                *slot = plane[source_y * width + source_x];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_eight_come_upright() {
        // The image "1 2 3 / 4 5 6" as stored under each orientation.
        let stored: [(u8, usize, [f32; 6]); 8] = [
            (1, 3, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            (2, 3, [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]),
            (3, 3, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]),
            (4, 3, [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]),
            (5, 2, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
            (6, 2, [3.0, 6.0, 2.0, 5.0, 1.0, 4.0]),
            (7, 2, [6.0, 3.0, 5.0, 2.0, 4.0, 1.0]),
            (8, 2, [4.0, 1.0, 5.0, 2.0, 6.0, 3.0]),
        ];
        for (orientation, width, samples) in stored {
            let out = upright(Raster::from_vec(1, 6 / width, width, samples.to_vec()), orientation);
            assert_eq!((out.height(), out.width()), (2, 3), "{orientation}");
            assert_eq!(out.data(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "{orientation}");
        }
    }
}
