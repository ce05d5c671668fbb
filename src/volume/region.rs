//! Where the network works: in a box around what is not air, and inside a mask. All else is interpolated.
//!
//! There is one box for the whole file. Its margin is as wide as the network can see, so that the result in the box is that
//! of the whole slice; in the margin the network's share falls to 0, so that no border shows.

use std::ops::Range;

use super::intensity::{Survey, Window};
use super::mask::Mask;

/// Pixels around each that resampling to the size of the result reads.
const RESAMPLED: usize = 3;

/// Where in a volume the network works.
pub struct Region {
    bounds: [Range<usize>; 3],
    margin: usize,
    mask: Option<Mask>,
}

/// Where in a slice the network works.
#[derive(Clone, Debug)]
pub struct Part {
    /// The box, as rows and columns.
    rows: Range<usize>,
    columns: Range<usize>,
    margin: usize,
    /// Pixels of the whole slice that lie in the mask.
    mask: Option<Vec<bool>>,
}

impl Region {
    /// The region of a volume, for a network that sees `reach` pixels around each. Its slices may have been reduced to
    /// `sides`.
    pub fn new(
        survey: &Survey,
        window: &Window,
        mask: Option<Mask>,
        reach: usize,
        sides: [usize; 3],
    ) -> Self {
        let masked = mask.as_ref().map(Mask::bounds);
        let bounds = std::array::from_fn(|axis| {
            let most = &survey.most[axis];
            let first = most.iter().position(|most| !window.is_air(*most)).unwrap_or(0);
            let end = most.iter().rposition(|most| !window.is_air(*most)).map_or(0, |last| last + 1);
            let side = most.len();
            let (first, end) = (first * sides[axis] / side, (end * sides[axis]).div_ceil(side));
            let masked = masked.as_ref().map_or(0..sides[axis], |bounds| bounds[axis].clone());
            first.max(masked.start)..end.min(masked.end)
        });
        Self { bounds, margin: reach + RESAMPLED, mask }
    }

    /// The part in the slice at `index` along the axis that is neither `rows` nor `columns`; `None` where there is none.
    pub fn part(&self, (rows, columns): (usize, usize), index: usize) -> Option<Part> {
        let is_empty = self.bounds.iter().any(Range::is_empty);
        if is_empty || !self.bounds[3 - rows - columns].contains(&index) {
            return None;
        }
        let mask = self.mask.as_ref().map(|mask| mask.slice((rows, columns), index));
        if mask.as_ref().is_some_and(|mask| !mask.contains(&true)) {
            return None;
        }
        let [rows, columns] = [rows, columns].map(|axis| self.bounds[axis].clone());
        Some(Part { rows, columns, margin: self.margin, mask })
    }
}

impl Part {
    /// Rows and columns, of `height` and `width`, that the network gets; their starts and ends are multiples of `multiple`
    /// but at borders of the slice.
    pub fn area(&self, (height, width): (usize, usize), multiple: usize) -> (Range<usize>, Range<usize>) {
        let widen = |range: &Range<usize>, side: usize| {
            let start = range.start.saturating_sub(self.margin) / multiple * multiple;
            start..(range.end + self.margin).next_multiple_of(multiple).min(side)
        };
        (widen(&self.rows, height), widen(&self.columns, width))
    }

    /// The box of a slice whose `width` became `narrowed`; without the mask, which is for the original.
    pub fn narrowed(&self, width: usize, narrowed: usize) -> Self {
        let start = self.columns.start * narrowed / width;
        let end = (self.columns.end * narrowed).div_ceil(width);
        Self { rows: self.rows.clone(), columns: start..end, margin: self.margin, mask: None }
    }

    /// Pixels of the slice that lie in the mask, if there is one.
    pub fn mask(&self) -> Option<&[bool]> {
        self.mask.as_deref()
    }

    /// The network's share of all pixels of a slice of `own` (height, width) that is enlarged to `size`, row by row; empty
    /// for rows without any.
    pub fn shares(&self, own: (usize, usize), size: (usize, usize)) -> impl Iterator<Item = Vec<f32>> {
        let places =
            |own: usize, new: usize| (0..new).map(move |at| (at as f32 + 0.5) * own as f32 / new as f32);
        let falling = |bounds: &Range<usize>, at: f32| {
            let beyond = (bounds.start as f32 - at).max(at - bounds.end as f32);
            (1.0 - beyond / self.margin as f32).clamp(0.0, 1.0)
        };
        let columns: Vec<_> = places(own.1, size.1).map(|x| (x, falling(&self.columns, x))).collect();
        places(own.0, size.0).map(move |y| {
            let row = falling(&self.rows, y);
            let share = |&(x, column): &(f32, f32)| {
                row * column * self.mask.as_ref().map_or(1.0, |mask| in_mask(mask, own.1, y, x))
            };
            if row == 0.0 { Vec::new() } else { columns.iter().map(share).collect() }
        })
    }
}

/// 1 at the centre of a pixel inside the mask, 0 outside, and falling in between toward pixels outside.
fn in_mask(mask: &[bool], width: usize, y: f32, x: f32) -> f32 {
    let height = mask.len() / width;
    let (row, column) = (y as usize, x as usize);
    if !mask[row * width + column] {
        return 0.0;
    }
    let mut share = 1.0f32;
    for near in row.saturating_sub(1)..height.min(row + 2) {
        for beside in column.saturating_sub(1)..width.min(column + 2) {
            if !mask[near * width + beside] {
                // From 1 a pixel away from its centre to 0 at its border.
                let away = (y - near as f32 - 0.5).abs().max((x - beside as f32 - 0.5).abs());
                share = share.min(2.0 * away - 1.0);
            }
        }
    }
    share.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fall_in_the_margin_and_not_at_borders_of_the_slice() {
        let part = Part { rows: 10..20, columns: 0..30, margin: 4, mask: None };
        assert_eq!(part.area((40, 32), 1), (6..24, 0..32));
        assert_eq!(part.area((40, 32), 5), (5..25, 0..32));
        let shares: Vec<_> = part.shares((40, 32), (80, 64)).collect();
        let column: Vec<f32> = shares.iter().map(|row| row.first().copied().unwrap_or(0.0)).collect();
        assert!(shares[..12].iter().chain(&shares[48..]).all(Vec::is_empty));
        let falling = [0.0625, 0.1875, 0.3125, 0.4375, 0.5625, 0.6875, 0.8125, 0.9375];
        assert_eq!(column[12..20], falling);
        assert!(column[20..40].iter().all(|share| *share == 1.0));
        assert!(column[40..48].iter().eq(falling.iter().rev()));
        // The box ends at the left border, and its margin is cut at the right one.
        assert!(shares[30][..60].iter().all(|share| *share == 1.0) && shares[30][63] > 0.5);
    }

    #[test]
    fn a_mask_is_full_in_the_middle_of_its_pixels_and_nothing_outside() {
        let mask = [false, false, false, false, true, true, false, true, true];
        for (y, x, share) in [
            (1.5, 1.5, 1.0),
            (2.5, 2.5, 1.0),
            (1.01, 1.5, 0.02),
            (0.99, 1.5, 0.0),
            (1.25, 2.5, 0.5),
            (2.9, 2.9, 1.0),
        ] {
            assert!((in_mask(&mask, 3, y, x) - share).abs() < 1e-5, "{y} {x}");
        }
        // No step between pixels.
        for (a, b) in [((1.999, 1.2), (2.001, 1.2)), ((1.3, 1.999), (1.3, 2.001))] {
            assert!((in_mask(&mask, 3, a.0, a.1) - in_mask(&mask, 3, b.0, b.1)).abs() < 0.01);
        }
    }
}
