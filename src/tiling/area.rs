//! Rectangles of low-resolution pixels.

use std::ops::Range;

use super::tile_grid::cut;

/// A rectangle of low-resolution pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Rows.
    pub rows: Range<usize>,
    /// Columns.
    pub columns: Range<usize>,
}

impl Area {
    /// Extends every side by `halo`, but not beyond `bounds`.
    pub fn extended(&self, halo: usize, bounds: &Area) -> Self {
        Self {
            rows: extend(&self.rows, halo, &bounds.rows),
            columns: extend(&self.columns, halo, &bounds.columns),
        }
    }

    /// The high-resolution rectangle that this one becomes.
    pub fn scaled(&self, scale: usize) -> Self {
        Self { rows: scaled(&self.rows, scale), columns: scaled(&self.columns, scale) }
    }

    /// Its halves along the longer side, with an edge between them at a multiple of `multiple`; `None` where one would be
    /// shorter than `least`.
    pub fn halves(&self, least: usize, multiple: usize) -> Option<[Self; 2]> {
        let tall = self.rows.len() >= self.columns.len();
        let parts: [_; 2] =
            cut(if tall { &self.rows } else { &self.columns }, 2, multiple).try_into().ok()?;
        let fits = parts.iter().all(|part| part.len() >= least);
        let half = |part| match tall {
            true => Self { rows: part, ..self.clone() },
            false => Self { columns: part, ..self.clone() },
        };
        fits.then(|| parts.map(half))
    }

    /// Pixels.
    pub fn size(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

/// Extends a range by `halo` on both sides, but not beyond `bounds`.
pub fn extend(range: &Range<usize>, halo: usize, bounds: &Range<usize>) -> Range<usize> {
    range.start.saturating_sub(halo).max(bounds.start)..(range.end + halo).min(bounds.end)
}

/// A range of low-resolution pixels at high resolution.
pub fn scaled(range: &Range<usize>, scale: usize) -> Range<usize> {
    range.start * scale..range.end * scale
}

/// `inner` counted from the start of `outer`.
pub fn relative(inner: &Range<usize>, outer: &Range<usize>) -> Range<usize> {
    inner.start - outer.start..inner.end - outer.start
}
