//! The part of an image that a preview shows.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::Serialize;

use crate::image::Raster;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Crop {
    /// The first column.
    pub x: usize,
    /// The first row.
    pub y: usize,
    /// Columns, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
}

/// Cells to a side of the square that is looked for, which lies on their grid.
const CELLS: usize = 4;

impl Crop {
    /// The square of `side` pixels (less where the image is smaller) with the most detail: the largest differences
    /// between neighbouring pixels.
    ///
    /// # Panics
    /// If the image has no pixels, or `side` is less than 4.
    pub fn most_detailed(image: &Raster, side: usize) -> Self {
        let (width, height) = (side.min(image.width()), side.min(image.height()));
        let cell = side / CELLS;
        let (columns, rows) = (image.width() / cell, image.height() / cell);
        let mut detail = vec![0.0; columns * rows];
        for channel in 0..image.channels() {
            for y in 1..rows * cell {
                let (above, row) = (image.row(channel, y - 1), image.row(channel, y));
                for x in 1..columns * cell {
                    let change = (row[x] - row[x - 1]).abs() + (row[x] - above[x]).abs();
                    detail[y / cell * columns + x / cell] += f64::from(change);
                }
            }
        }
        let sum = |top: usize, left: usize| -> f64 {
            let cells = |row: usize| &detail[row * columns + left..columns.min(left + CELLS) + row * columns];
            (top..rows.min(top + CELLS)).flat_map(cells).sum()
        };
        let tops = 0..=(image.height() - height) / cell;
        let lefts = 0..=(image.width() - width) / cell;
        let places = tops.flat_map(|top| lefts.clone().map(move |left| (top, left)));
        // Of equal ones the first.
        let best = places.map(|(top, left)| (sum(top, left), top, left));
        let best = best.reduce(|best, other| if other.0 > best.0 { other } else { best });
        let (_, top, left) = best.unwrap_or((0.0, 0, 0));
        Self { x: left * cell, y: top * cell, width, height }
    }

    /// The rows that it covers.
    pub fn rows(&self) -> Range<usize> {
        self.y..self.y + self.height
    }

    /// The columns that it covers.
    pub fn columns(&self) -> Range<usize> {
        self.x..self.x + self.width
    }

    /// The crop with at least `margin` more pixels on all sides, as far as an image of `width` x `height` goes; it begins
    /// at multiples of `multiple`.
    pub fn with_margin(&self, margin: usize, (width, height): (usize, usize), multiple: usize) -> Self {
        let start = |start: usize| start.saturating_sub(margin) / multiple * multiple;
        let (x, y) = (start(self.x), start(self.y));
        let right = (self.x + self.width + margin).min(width);
        let bottom = (self.y + self.height + margin).min(height);
        Self { x, y, width: right - x, height: bottom - y }
    }

    /// Whether it lies within an image of `width` x `height`.
    pub fn fits(&self, (width, height): (usize, usize)) -> bool {
        let ends =
            |start: usize, length: usize, whole| start.checked_add(length).is_some_and(|end| end <= whole);
        ends(self.x, self.width, width) && ends(self.y, self.height, height)
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}+{}+{}", self.width, self.height, self.x, self.y)
    }
}

impl FromStr for Crop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected WIDTHxHEIGHT+X+Y in pixels, such as 200x150+1000+800".to_owned();
        let numbers: Vec<usize> = text
            .split(['x', '+'])
            .map(|part| part.parse().map_err(|_| expected()))
            .collect::<Result<_, String>>()?;
        let [width, height, x, y] = numbers[..] else { return Err(expected()) };
        let crop = Self { x, y, width, height };
        // Signs and separators where they belong.
        if crop.to_string() != text || width == 0 || height == 0 {
            return Err(expected());
        }
        Ok(crop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_detailed_square_is_found() {
        let mut image = Raster::new(1, 100, 150);
        for y in 60..80 {
            for x in 100..120 {
                image.row_mut(0, y)[x] = ((x + y) % 2) as f32;
            }
        }
        let crop = Crop::most_detailed(&image, 40);
        assert!(crop.columns().contains(&100) && crop.columns().contains(&119), "{crop}");
        assert!(crop.rows().contains(&60) && crop.rows().contains(&79), "{crop}");
        for (image, size) in
            [(&image, (150, 100)), (&Raster::new(3, 1, 1), (1, 1)), (&Raster::new(1, 3, 900), (400, 3))]
        {
            let crop = Crop::most_detailed(image, 400);
            assert_eq!((crop.x, crop.y, crop.width, crop.height), (0, 0, size.0, size.1));
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let crop: Crop = "20x10+3+4".parse().unwrap();
        assert_eq!(crop, Crop { x: 3, y: 4, width: 20, height: 10 });
        assert!(crop.fits((23, 14)) && !crop.fits((22, 14)) && !crop.fits((23, 13)));
        assert_eq!(crop.with_margin(4, (25, 100), 1).to_string(), "25x18+0+0");
        let far = Crop { x: 30, y: 41, ..crop };
        assert_eq!(far.with_margin(5, (100, 100), 2).to_string(), "31x20+24+36");
        let huge = format!("{0}x{0}+0+0", 1usize << 40);
        assert!(!huge.parse::<Crop>().unwrap().fits((9, 9)));
        for wrong in
            ["", "20x10", "20x10+3", "0x10+3+4", "20+10+3+4", "20x10+3+4+5", "-1x10+3+4", "20x10+3+ 4"]
        {
            assert!(wrong.parse::<Crop>().unwrap_err().contains("expected WIDTHxHEIGHT+X+Y"), "{wrong}");
        }
    }
}
