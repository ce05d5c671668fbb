//! A picture of a volume and its result: three planes through the middle, before, by cubic interpolation, and after.

use super::geometry::{Affine, Geometry, others};
use super::intensity::Window;
use super::nifti::Nifti;
use super::options::AXES;
use crate::error::Result;
use crate::image::{Image, ImageFormat, Kernel, Raster, SampleDepth, resize};
use font8x8::{BASIC_FONTS, UnicodeFonts};

/// Most and least pixels along the longest side of a panel.
const PANEL: (f64, f64) = (1024.0, 256.0);

/// Sides of a letter; the font has 8 pixels.
const LETTER: usize = 16;

/// Room around a panel: beside it for a mark, above and below for a line of text.
const MARGIN: usize = LETTER + 8;

const GREY: [f32; 3] = [0.75; 3];
const YELLOW: [f32; 3] = [1.0, 0.85, 0.2];

/// Three planes of a volume, each across one axis.
pub struct Planes {
    sides: [usize; 3],
    /// In stored values. Across i, j and k: the faster of the other two axes along rows.
    planes: [Raster; 3],
}

/// The three planes of a picture: how a voxel's index becomes a place in it.
struct View {
    name: String,
    /// The axis that it lies across.
    normal: usize,
    /// The axis from left to right, and whether indices fall along it.
    across: (usize, bool),
    /// The axis from top to bottom.
    down: (usize, bool),
    /// What lies left and right.
    marks: Option<[char; 2]>,
}

/// Planes of one volume, and what is black and white in them, in stored values.
struct Column<'a> {
    title: String,
    planes: &'a Planes,
    window: Window,
}

impl Planes {
    /// The planes of the first volume of `nifti` that lie at a share of each side, from 0 to 1.
    ///
    /// # Errors
    /// `Input` where it cannot be read.
    pub fn of(nifti: &Nifti, at: [f64; 3]) -> Result<Self> {
        let [i, j, k, _] = nifti.shape;
        let sides = [i, j, k];
        let at: [usize; 3] =
            std::array::from_fn(|axis| ((at[axis] * sides[axis] as f64) as usize).min(sides[axis] - 1));
        let plane = |normal: usize| {
            let (a, b) = others(normal);
            Raster::new(1, sides[b], sides[a])
        };
        let mut planes = [plane(0), plane(1), plane(2)];
        let mut data = nifti.data()?;
        let mut bytes = vec![0; i * j * nifti.datatype.bytes()];
        for z in 0..k {
            data.fill(&mut bytes)?;
            let mut values = Vec::with_capacity(i * j);
            nifti.datatype.decode(nifti.header.order(), &bytes, |value| values.push(value as f32));
            let row = &values[at[1] * i..][..i];
            planes[1].row_mut(0, z).copy_from_slice(row);
            for (value, row) in planes[0].row_mut(0, z).iter_mut().zip(values.chunks_exact(i)) {
                *value = row[at[0]];
            }
            if z == at[2] {
                planes[2].data_mut().copy_from_slice(&values);
            }
        }
        Ok(Self { sides, planes })
    }

    /// The planes of a grid of `sides`, by cubic interpolation.
    fn enlarged(&self, sides: [usize; 3]) -> Self {
        let plane = |normal: usize| {
            let (a, b) = others(normal);
            resize(&self.planes[normal], sides[b], sides[a], Kernel::BICUBIC)
        };
        Self { sides, planes: [plane(0), plane(1), plane(2)] }
    }

    /// The value at a place of a view, from 0 to 1 across and down.
    fn at(&self, view: &View, across: f64, down: f64) -> f32 {
        let index = |(axis, falls): (usize, bool), at: f64| {
            let at = if falls { 1.0 - at } else { at };
            ((at * self.sides[axis] as f64) as usize).min(self.sides[axis] - 1)
        };
        let (x, y) = (index(view.across, across), index(view.down, down));
        let (x, y) = if view.across.0 < view.down.0 { (x, y) } else { (y, x) };
        self.planes[view.normal].row(0, y)[x]
    }

    fn largest(&self) -> f32 {
        let values = self.planes.iter().flat_map(|plane| plane.data());
        values.copied().filter(|value| value.is_finite()).fold(0.0, f32::max)
    }
}

/// The picture of `input`, of its `result` and, if there is one, of the map of its `uncertainty`, which have one grid. All
/// are seen through `window`, in stored values, but the map, whose largest value is white.
///
/// # Errors
/// `Input` where one of them cannot be read.
pub fn draw(input: &Nifti, result: &Nifti, uncertainty: Option<&Nifti>, window: &Window) -> Result<Image> {
    let [i, j, k, _] = input.shape;
    let geometry = Geometry::of(&input.header, [i, j, k]);
    // The middle of the input's middle voxel, in which one of the result's lies.
    let middle = geometry.sides.map(|side| ((side / 2) as f64 + 0.5) / side as f64);
    let before = Planes::of(input, middle)?;
    let after = Planes::of(result, middle)?;
    let cubic = before.enlarged(after.sides);
    let column = |title: &str, planes| Column { title: title.to_owned(), planes, window: *window };
    let mut columns = vec![column("before", &before), column("cubic", &cubic), column("after", &after)];
    let map = uncertainty.map(|map| Planes::of(map, middle)).transpose()?;
    if let (Some(planes), Some(nifti)) = (&map, uncertainty) {
        let high = f64::from(planes.largest().max(f32::MIN_POSITIVE));
        let (slope, inter) = nifti.header.scaling().unwrap_or((1.0, 0.0));
        let title = match planes.largest() > 0.0 {
            true => format!("SD over seeds, white {:.3}", high * slope + inter),
            false => "SD over seeds: 0".to_owned(),
        };
        columns.push(Column { title, planes, window: Window { low: 0.0, high } });
    }
    let views = views(&geometry);
    let extent: [f64; 3] =
        std::array::from_fn(|axis| geometry.sides[axis] as f64 * geometry.voxel_mm()[axis]);
    let finest = (0..3).map(|axis| extent[axis] / after.sides[axis] as f64).fold(f64::INFINITY, f64::min);
    let longest = extent.into_iter().fold(0.0, f64::max);
    // Whole pixels for the finest voxels where that is possible.
    let mut pixel = finest.max(longest / PANEL.0);
    while longest / pixel < PANEL.1 {
        pixel /= 2.0;
    }
    let sides = |view: &View| {
        let side = |axis: usize| ((extent[axis] / pixel).round() as usize).max(1);
        (side(view.across.0), side(view.down.0))
    };
    let titles = columns.iter().map(|column| column.title.len() * LETTER);
    let wide = views.iter().map(|view| sides(view).0).chain(titles).max().unwrap_or(1);
    let cell = wide + 2 * MARGIN;
    let height: usize = views.iter().map(|view| sides(view).1 + 2 * MARGIN).sum();
    let mut picture = Picture(Raster::new(3, height + 3 * MARGIN, cell * columns.len()));
    let mut top = 2 * MARGIN;
    for (at, column) in columns.iter().enumerate() {
        picture.write(&column.title, at * cell + MARGIN, MARGIN / 2, GREY);
    }
    for view in &views {
        let (width, height) = sides(view);
        for (at, column) in columns.iter().enumerate() {
            let left = at * cell + MARGIN + (wide - width) / 2;
            for y in 0..height {
                for x in 0..width {
                    let (across, down) = ((x as f64 + 0.5) / width as f64, (y as f64 + 0.5) / height as f64);
                    let value = column.planes.at(view, across, down);
                    let value = column.window.normalized(value.into());
                    // A hole is black.
                    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
                    picture.set(left + x, top + y, [value; 3]);
                }
            }
            if let Some([first, last]) = view.marks {
                let middle = top + height / 2 - (LETTER / 2).min(height / 2);
                picture.write(&first.to_string(), left - LETTER - 4, middle, YELLOW);
                picture.write(&last.to_string(), left + width + 4, middle, YELLOW);
            }
            picture.write(&view.name, left, top + height + 4, GREY);
        }
        top += height + 2 * MARGIN;
    }
    picture.write("not for diagnosis", MARGIN, top - MARGIN / 2, GREY);
    Ok(Image::new(picture.0, None, SampleDepth::U8, ImageFormat::Png))
}

/// Axial, coronal and sagittal by the affine, as radiologists look: the right side of the patient is on the left. Without
/// an affine, the planes of the axes as they lie in the file.
fn views(geometry: &Geometry) -> Vec<View> {
    let Some(affine) = geometry.sform.as_ref().or(geometry.qform.as_ref()) else {
        let view = |normal: usize| {
            let (a, b) = others(normal);
            let name = format!("plane {}{}, sides unknown", AXES[a], AXES[b]);
            View { name, normal, across: (a, false), down: (b, false), marks: None }
        };
        return vec![view(2), view(1), view(0)];
    };
    let [x, y, z] = world_axes(affine);
    let view = |name: &str, normal: (usize, bool), across, down, marks| View {
        name: name.to_owned(),
        normal: normal.0,
        across,
        down,
        marks: Some(marks),
    };
    // Right, anterior and superior are where coordinates are highest, and come first.
    vec![
        view("axial", z, x, y, ['R', 'L']),
        view("coronal", y, x, z, ['R', 'L']),
        view("sagittal", x, y, z, ['A', 'P']),
    ]
}

/// For each of the world's axes the voxels' axis that lies nearest to it, and whether coordinates grow along that.
fn world_axes(affine: &Affine) -> [(usize, bool); 3] {
    let length =
        |axis: usize| affine.iter().map(|row| row[axis].powi(2)).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let share = |world: usize, axis: usize| (affine[world][axis] / length(axis)).abs();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let fit = |order: &[usize; 3]| (0..3).map(|world| share(world, order[world])).sum::<f64>();
    let best = orders.into_iter().max_by(|a, b| fit(a).total_cmp(&fit(b))).unwrap_or([0, 1, 2]);
    std::array::from_fn(|world| (best[world], affine[world][best[world]] > 0.0))
}

/// A picture of 3 channels, drawn on.
struct Picture(Raster);

impl Picture {
    fn set(&mut self, x: usize, y: usize, color: [f32; 3]) {
        if x >= self.0.width() || y >= self.0.height() {
            return;
        }
        for (channel, value) in color.into_iter().enumerate() {
            self.0.row_mut(channel, y)[x] = value;
        }
    }

    fn write(&mut self, text: &str, left: usize, top: usize, color: [f32; 3]) {
        for (at, letter) in text.chars().enumerate() {
            for (y, row) in BASIC_FONTS.get(letter).unwrap_or_default().into_iter().enumerate() {
                for x in (0..8).filter(|x| row >> x & 1 == 1) {
                    let scale = LETTER / 8;
                    for (dx, dy) in (0..scale).flat_map(|dx| (0..scale).map(move |dy| (dx, dy))) {
                        self.set(left + at * LETTER + x * scale + dx, top + y * scale + dy, color);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::nifti::{Header, Order, Version, field};

    #[test]
    fn the_world_decides_what_is_left() {
        // Stored as left, superior, posterior.
        let affine = [[-1.0, 0.1, 0.0, 0.0], [0.0, 0.2, -3.0, 0.0], [0.1, 2.0, 0.0, 0.0]];
        assert_eq!(world_axes(&affine), [(0, false), (2, false), (1, true)]);
    }

    /// A volume of two bright and two dark voxels in a row, in a file.
    fn volume(folder: &std::path::Path, name: &str, voxels: [f32; 4]) -> Nifti {
        let mut header = Header::new(Version::One, Order::Little);
        header.set(field::DIM, 0, 3.0);
        for (axis, side) in [4, 1, 1].into_iter().enumerate() {
            header.set_side(axis, side);
            header.set(field::PIXDIM, axis + 1, 1.0);
        }
        header.set(field::DATATYPE, 0, 16.0);
        header.set(field::BITPIX, 0, 32.0);
        let path = folder.join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        let bytes: Vec<u8> = voxels.iter().flat_map(|value| value.to_le_bytes()).collect();
        crate::volume::nifti::write(&mut file, &header, &[], None, "", |out| {
            out.write_all(&bytes).unwrap();
            Ok(())
        })
        .unwrap();
        Nifti::open(&path).unwrap()
    }

    #[test]
    fn all_columns_have_one_window_but_the_map_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let input = volume(folder.path(), "a.nii", [100.0, 100.0, 300.0, f32::NAN]);
        let result = volume(folder.path(), "b.nii", [100.0, 200.0, 500.0, 300.0]);
        let map = volume(folder.path(), "c.nii", [0.0, 0.0, 0.0, 8.0]);
        let window = Window { low: 100.0, high: 300.0 };
        let picture = draw(&input, &result, Some(&map), &window).unwrap().color;
        let cell = picture.width() / 4;
        // The first plane is 256 pixels wide, 64 a voxel, and stands in the middle of its cell.
        let row = picture.row(0, 2 * MARGIN + 32);
        let seen = |column: usize| -> Vec<f32> {
            let left = column * cell + (cell - 256) / 2;
            (0..4).map(|voxel| row[left + 64 * voxel + 32]).collect()
        };
        assert_eq!(seen(0), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(seen(2), [0.0, 0.5, 1.0, 1.0]);
        assert_eq!(seen(3), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn right_is_on_the_left_and_anterior_on_top() {
        // Indices grow to the right, to the front and upwards; each voxel tells where it lies.
        let mut plane = Raster::new(1, 3, 2);
        for y in 0..3 {
            for x in 0..2 {
                plane.row_mut(0, y)[x] = (10 * y + x) as f32;
            }
        }
        let planes = Planes { sides: [2, 3, 1], planes: [Raster::new(1, 1, 3), Raster::new(1, 1, 2), plane] };
        let geometry = Geometry {
            sides: [2, 3, 1],
            spacing: [1.0; 3],
            millimetres: Some(1.0),
            qform: None,
            sform: Some([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]),
        };
        let axial = &views(&geometry)[0];
        assert_eq!((axial.name.as_str(), axial.marks), ("axial", Some(['R', 'L'])));
        // Top left: the front, and the patient's right, that is, the highest x and y.
        assert_eq!(planes.at(axial, 0.1, 0.1), 21.0);
        assert_eq!(planes.at(axial, 0.9, 0.9), 0.0);
    }
}
