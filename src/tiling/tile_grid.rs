//! Covering a rectangle with tiles of nearly equal size.

use std::ops::Range;

use crate::tiling::Area;

/// Cuts `range` into `parts` nearly equal pieces whose inner edges are multiples of `multiple`.
///
/// Equal pieces keep the last tile from being a sliver that is all halo. Gives fewer pieces where the range
/// has too few multiples.
pub fn cut(range: &Range<usize>, parts: usize, multiple: usize) -> Vec<Range<usize>> {
    let units = range.len().div_ceil(multiple);
    let parts = parts.clamp(1, units.max(1));
    let edge = |part: usize| (range.start + units * part / parts * multiple).min(range.end);
    (0..parts).map(|part| edge(part)..edge(part + 1)).collect()
}

/// The tiles, at most `height` x `width` each, that cover `area` row by row without overlap.
pub fn tiles(area: &Area, height: usize, width: usize, multiple: usize) -> Vec<Area> {
    let parts = |length: usize, side: usize| length.div_ceil(multiple).div_ceil((side / multiple).max(1));
    let columns = cut(&area.columns, parts(area.columns.len(), width), multiple);
    cut(&area.rows, parts(area.rows.len(), height), multiple)
        .into_iter()
        .flat_map(|rows| {
            columns.iter().map(move |columns| Area { rows: rows.clone(), columns: columns.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_pixel_once_within_their_side() {
        for (h, w, side, multiple) in [(1, 1, 16, 1), (100, 37, 16, 1), (97, 64, 48, 8), (5, 300, 32, 4)] {
            let area = Area { rows: 8..8 + h, columns: 16..16 + w };
            let mut seen = vec![0; h * w];
            for tile in tiles(&area, side, side, multiple) {
                assert!(tile.rows.len() <= side && tile.columns.len() <= side, "{tile:?}");
                assert_eq!((tile.rows.start - 8) % multiple, 0);
                assert_eq!((tile.columns.start - 16) % multiple, 0);
                for y in tile.rows.clone() {
                    for x in tile.columns.clone() {
                        seen[(y - 8) * w + x - 16] += 1;
                    }
                }
            }
            assert!(seen.iter().all(|&count| count == 1), "{h}x{w} by {side}");
        }
    }

    #[test]
    fn pieces_differ_by_at_most_one_multiple() {
        let sizes: Vec<_> = cut(&(0..1000), 7, 8).iter().map(|piece| piece.len()).collect();
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 8, "{sizes:?}");
    }
}
