//! The map position of an image: the tags of GeoTIFF (OGC 19-008r4) and of GDAL.

use std::io::{Read, Seek};

use super::directory::{Directory, TiffFile};
use super::ifd::{Field, Order};

const PIXEL_SCALE: u16 = 33550;
const TIE_POINTS: u16 = 33922;
const TRANSFORMATION: u16 = 34264;
const KEYS: u16 = 34735;
/// Numbers and texts of the keys; GDAL's metadata and its no-data value.
const OTHERS: [u16; 4] = [34736, 34737, 42112, 42113];
/// RPC: coefficients of a position that is not linear.
const RATIONAL_POLYNOMIAL: u16 = 50844;

/// The key that says what whole pixel coordinates are, and its value where they are the middles of pixels.
const RASTER_TYPE: (u16, u16) = (1025, 2);

/// How an image lies on a map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Geo {
    /// Size of a pixel on the map, across, down, up.
    pixel_scale: Vec<f64>,
    /// Pixels and where they lie, six numbers each.
    tie_points: Vec<f64>,
    /// A matrix of 4 x 4, row by row, from pixels to the map.
    transformation: Vec<f64>,
    /// The projection and the like.
    keys: Vec<u16>,
    /// Tags that do not change with the pixels, values in little-endian order.
    others: Vec<Field>,
}

impl Geo {
    /// Reads a page's tags, if it has any; with them a note on one that cannot be kept.
    pub(super) fn read<R: Read + Seek>(
        file: &mut TiffFile<R>,
        directory: &Directory,
    ) -> (Option<Self>, Option<String>) {
        let order = file.order;
        let keys = file.numbers(directory, KEYS, 4 << 16).unwrap_or_default();
        let other = |tag| {
            let (kind, data) = file.data(directory, tag).ok()??;
            (kind <= 13).then(|| Field { tag, kind, data }.in_order(order, Order::Little))
        };
        let others = OTHERS.into_iter().filter_map(other).collect();
        let note = matches!(file.data(directory, RATIONAL_POLYNOMIAL), Ok(Some(_)))
            .then(|| "the coefficients that place the image on a map (RPC) are dropped".into());
        let geo = Self {
            pixel_scale: file.reals(directory, PIXEL_SCALE, 3),
            tie_points: file.reals(directory, TIE_POINTS, usize::MAX),
            transformation: file.reals(directory, TRANSFORMATION, 16),
            keys: keys.into_iter().map(|key| key as u16).collect(),
            others,
        };
        ((geo != Self::default()).then_some(geo), note)
    }

    /// Whether there is a position, and not only tags that hold for an image of any size.
    pub(in crate::image) fn is_placed(&self) -> bool {
        !(self.pixel_scale.is_empty() && self.tie_points.is_empty() && self.transformation.is_empty())
    }

    /// Adapts the position to an image with `x` times the columns and `y` times the rows.
    pub(super) fn scale(&mut self, x: f64, y: f64) {
        for (size, factor) in self.pixel_scale.iter_mut().zip([x, y]) {
            *size /= factor;
        }
        let entries = self.keys.get(4..).unwrap_or_default();
        let middles = entries.chunks_exact(4).any(|entry| (entry[0], entry[3]) == RASTER_TYPE);
        // Corners keep their coordinates; the middle of the first pixel gets nearer to its corner.
        let moved = |factor: f64| if middles { (factor - 1.0) / 2.0 } else { 0.0 };
        for point in self.tie_points.chunks_exact_mut(6) {
            point[0] = point[0] * x + moved(x);
            point[1] = point[1] * y + moved(y);
        }
        if let Ok(matrix) = <&mut [f64; 16]>::try_from(&mut self.transformation[..]) {
            for row in matrix.chunks_exact_mut(4) {
                row[0] /= x;
                row[1] /= y;
                row[3] -= row[0] * moved(x) + row[1] * moved(y);
            }
        }
    }

    /// The tags, values in `order`.
    pub(in crate::image) fn fields(&self, order: Order) -> Vec<Field> {
        let doubles = |tag, values: &[f64]| Field {
            tag,
            kind: 12,
            data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
        let mut fields = vec![
            doubles(PIXEL_SCALE, &self.pixel_scale),
            doubles(TIE_POINTS, &self.tie_points),
            doubles(TRANSFORMATION, &self.transformation),
            Field { tag: KEYS, kind: 3, data: self.keys.iter().flat_map(|key| key.to_le_bytes()).collect() },
        ];
        fields.retain(|field| !field.data.is_empty());
        fields.extend_from_slice(&self.others);
        fields.into_iter().map(|field| field.in_order(Order::Little, order)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the map says that a pixel coordinate lies.
    fn place(geo: &Geo, x: f64, y: f64) -> (f64, f64) {
        if let [a, b, _, d, e, f, _, h, ..] = geo.transformation[..] {
            return (a * x + b * y + d, e * x + f * y + h);
        }
        let [i, j, _, east, north, _] = geo.tie_points[..] else { panic!("one tie point") };
        (east + (x - i) * geo.pixel_scale[0], north - (y - j) * geo.pixel_scale[1])
    }

    /// The middle of the image and its corner keep their places, whichever way pixels are counted.
    #[test]
    fn an_enlarged_map_lies_where_it_lay() {
        let tied = Geo {
            pixel_scale: vec![10.0, 20.0, 0.0],
            tie_points: vec![3.0, 4.0, 0.0, 440_000.0, 3_750_000.0, 0.0],
            ..Geo::default()
        };
        let matrix =
            vec![9.0, 2.0, 0.0, 500.0, 1.0, -8.0, 0.0, 700.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        for geo in [tied, Geo { transformation: matrix, ..Geo::default() }] {
            for (raster_type, middle) in [(1, 0.0), (2, 0.5)] {
                let keys = vec![1, 1, 0, 1, 1025, 0, 1, raster_type];
                let before = Geo { keys, ..geo.clone() };
                let mut after = before.clone();
                after.scale(4.0, 2.0);
                for (x, y) in [(0.0, 0.0), (64.0, 48.0), (31.5, 7.25)] {
                    let old = place(&before, x - middle, y - middle);
                    let new = place(&after, 4.0 * x - middle, 2.0 * y - middle);
                    assert!((old.0 - new.0).abs() < 1e-6 && (old.1 - new.1).abs() < 1e-6, "{old:?} {new:?}");
                }
            }
        }
    }
}
