//! Images of the host: checked before a byte of them is touched.

use std::ops::Range;

use half::f16;
use partdiff::image::Raster;
use rayon::prelude::*;

use crate::abi::{partdiff_color, partdiff_image, partdiff_layout, partdiff_sample};
use crate::failure::Failure;
use crate::samples::Stored;

/// Where the samples of an image lie in its memory; with consistent strides and sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// As the host gave it, for strips.
    image: Shape,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    row_stride: usize,
    plane_stride: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    sample: partdiff_sample,
    color: partdiff_color,
    layout: partdiff_layout,
}

impl Form {
    /// The form of `image`, called `name` in messages.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field, its value and what was expected.
    pub fn new(image: &partdiff_image, name: &str) -> Result<Self, Failure> {
        let unknown = |field: &str, value: u32, expected: &str| {
            Failure::argument(format!("{name}.{field} is {value}: expected {expected}"))
        };
        let sample = match image.sample {
            1 => partdiff_sample::U8,
            2 => partdiff_sample::U16,
            3 => partdiff_sample::F16,
            4 => partdiff_sample::F32,
            other => return Err(unknown("sample", other, "a partdiff_sample, 1 to 4")),
        };
        let color = match image.color {
            1 => partdiff_color::Grey,
            2 => partdiff_color::GreyAlpha,
            3 => partdiff_color::Rgb,
            4 => partdiff_color::Rgba,
            other => return Err(unknown("color", other, "a partdiff_color, 1 to 4")),
        };
        let layout = match image.layout {
            0 => partdiff_layout::Interleaved,
            1 => partdiff_layout::Planar,
            other => return Err(unknown("layout", other, "a partdiff_layout, 0 or 1")),
        };
        if image.width == 0 || image.height == 0 {
            return Err(Failure::argument(format!(
                "{name} is {}x{}: expected at least 1x1 pixels",
                image.width, image.height
            )));
        }
        let too_large = || Failure::argument(format!("{name} does not fit into the address space"));
        let shape = Shape { sample, color, layout };
        let mut form =
            Self::packed(shape, image.width as usize, image.height as usize).ok_or_else(too_large)?;
        let row = form.row_bytes();
        if image.row_stride != 0 {
            if image.row_stride < row {
                return Err(Failure::argument(format!(
                    "{name}.row_stride is {}: expected at least {row} bytes",
                    image.row_stride
                )));
            }
            form.row_stride = image.row_stride;
        }
        let plane = form.rows_bytes(form.height).ok_or_else(too_large)?;
        if layout == partdiff_layout::Planar {
            form.plane_stride = match image.plane_stride {
                // Packed planes follow whole rows.
                0 => form.row_stride.checked_mul(form.height).unwrap_or(plane),
                stride if stride < plane => {
                    return Err(Failure::argument(format!(
                        "{name}.plane_stride is {stride}: expected at least {plane} bytes"
                    )));
                }
                stride => stride,
            };
        }
        form.bytes().ok_or_else(too_large)?;
        Ok(form)
    }

    /// The form of `rows` rows without gaps.
    pub fn strip(&self, rows: usize) -> Self {
        Self::packed(self.image, self.width, rows).expect("a part of an image that fits the memory")
    }

    /// As the host knows it; `data` has `bytes()` bytes.
    pub fn image(&self, data: *mut u8) -> partdiff_image {
        partdiff_image {
            struct_size: size_of::<partdiff_image>() as u32,
            sample: self.image.sample as u32,
            color: self.image.color as u32,
            layout: self.image.layout as u32,
            width: self.width as u32,
            height: self.height as u32,
            data: data.cast(),
            size: self.bytes().expect("checked"),
            row_stride: self.row_stride,
            plane_stride: self.plane_stride,
        }
    }

    fn packed(image: Shape, width: usize, height: usize) -> Option<Self> {
        let mut form = Self { image, width, height, row_stride: 0, plane_stride: 0 };
        form.row_stride = width.checked_mul(form.pixel_bytes())?;
        if form.is_planar() {
            form.plane_stride = form.row_stride.checked_mul(height)?;
        }
        form.bytes().map(|_| form)
    }

    /// The channels.
    pub fn color(&self) -> partdiff_color {
        self.image.color
    }

    /// Channels that are not alpha.
    pub fn colors(&self) -> usize {
        match self.image.color {
            partdiff_color::Grey | partdiff_color::GreyAlpha => 1,
            partdiff_color::Rgb | partdiff_color::Rgba => 3,
        }
    }

    /// Whether the last channel is alpha.
    pub fn has_alpha(&self) -> bool {
        matches!(self.image.color, partdiff_color::GreyAlpha | partdiff_color::Rgba)
    }

    fn channels(&self) -> usize {
        self.colors() + usize::from(self.has_alpha())
    }

    fn is_planar(&self) -> bool {
        self.image.layout == partdiff_layout::Planar
    }

    fn sample_bytes(&self) -> usize {
        match self.image.sample {
            partdiff_sample::U8 => 1,
            partdiff_sample::U16 | partdiff_sample::F16 => 2,
            partdiff_sample::F32 => 4,
        }
    }

    /// Bytes from one sample of a channel to the next.
    fn pixel_bytes(&self) -> usize {
        if self.is_planar() { self.sample_bytes() } else { self.channels() * self.sample_bytes() }
    }

    fn row_bytes(&self) -> usize {
        self.width * self.pixel_bytes()
    }

    /// Bytes from the first sample of a plane to the end of its row `rows`.
    fn rows_bytes(&self, rows: usize) -> Option<usize> {
        (rows - 1).checked_mul(self.row_stride)?.checked_add(self.row_bytes())
    }

    /// Bytes from the first sample to the end of the last; `None` beyond any memory.
    pub fn bytes(&self) -> Option<usize> {
        let planes = if self.is_planar() { self.channels() } else { 1 };
        let before = (planes - 1).checked_mul(self.plane_stride)?;
        before.checked_add(self.rows_bytes(self.height)?).filter(|&bytes| isize::try_from(bytes).is_ok())
    }

    /// Reads all rows in `bytes` into rows `top` on of `color` and `alpha`.
    pub fn load(&self, bytes: &[u8], color: &mut Raster, alpha: Option<&mut Raster>, top: usize) {
        match self.image.sample {
            partdiff_sample::U8 => self.load_as::<u8>(bytes, color, alpha, top),
            partdiff_sample::U16 => self.load_as::<u16>(bytes, color, alpha, top),
            partdiff_sample::F16 => self.load_as::<f16>(bytes, color, alpha, top),
            partdiff_sample::F32 => self.load_as::<f32>(bytes, color, alpha, top),
        }
    }

    fn load_as<S: Stored>(&self, bytes: &[u8], color: &mut Raster, alpha: Option<&mut Raster>, top: usize) {
        let load = |raster: &mut Raster, plane: usize, channel: usize| {
            let (first, step) = self.channel(channel);
            let width = self.width;
            let rows = &mut raster.plane_mut(plane)[top * width..(top + self.height) * width];
            rows.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
                let source = &bytes[first + y * self.row_stride..];
                for (value, sample) in row.iter_mut().zip(source.chunks(step)) {
                    *value = S::load(sample);
                }
            });
        };
        for channel in 0..self.colors() {
            load(color, channel, channel);
        }
        if let Some(alpha) = alpha {
            load(alpha, 0, self.colors());
        }
    }

    /// Writes `rows` of `color` and `alpha` to rows `top` on in `bytes`.
    pub fn store(
        &self,
        bytes: &mut [u8],
        color: &Raster,
        alpha: Option<&Raster>,
        rows: Range<usize>,
        top: usize,
    ) {
        match self.image.sample {
            partdiff_sample::U8 => self.store_as::<u8>(bytes, color, alpha, rows, top),
            partdiff_sample::U16 => self.store_as::<u16>(bytes, color, alpha, rows, top),
            partdiff_sample::F16 => self.store_as::<f16>(bytes, color, alpha, rows, top),
            partdiff_sample::F32 => self.store_as::<f32>(bytes, color, alpha, rows, top),
        }
    }

    fn store_as<S: Stored>(
        &self,
        bytes: &mut [u8],
        color: &Raster,
        alpha: Option<&Raster>,
        rows: Range<usize>,
        top: usize,
    ) {
        let planes: Vec<(&Raster, usize)> =
            (0..self.colors()).map(|channel| (color, channel)).chain(alpha.map(|alpha| (alpha, 0))).collect();
        // All planes side by side in one band of rows, or each in a band of its own.
        let together = if self.is_planar() { 1 } else { planes.len() };
        let step = self.pixel_bytes();
        for (index, planes) in planes.chunks(together).enumerate() {
            let band = self.band(index, top, rows.len());
            bytes[band].par_chunks_mut(self.row_stride).enumerate().for_each(|(y, row)| {
                for (place, (raster, plane)) in planes.iter().enumerate() {
                    let samples = row[place * S::BYTES..].chunks_mut(step);
                    for (&value, sample) in raster.row(*plane, rows.start + y).iter().zip(samples) {
                        S::store(value, sample);
                    }
                }
            });
        }
    }

    /// Bytes of rows `top` to `top + rows` of a plane, without the gap after the last.
    fn band(&self, plane: usize, top: usize, rows: usize) -> Range<usize> {
        let start = plane * self.plane_stride + top * self.row_stride;
        start..start + (rows - 1) * self.row_stride + self.row_bytes()
    }

    /// The first sample of a channel and the bytes to the next one in its row.
    fn channel(&self, channel: usize) -> (usize, usize) {
        let first =
            if self.is_planar() { channel * self.plane_stride } else { channel * self.sample_bytes() };
        (first, self.pixel_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(sample: u32, color: u32, layout: u32) -> partdiff_image {
        partdiff_image {
            struct_size: size_of::<partdiff_image>() as u32,
            sample,
            color,
            layout,
            width: 5,
            height: 3,
            data: std::ptr::null_mut(),
            size: 0,
            row_stride: 0,
            plane_stride: 0,
        }
    }

    #[test]
    fn every_form_round_trips_and_leaves_gaps_alone() {
        for sample in 1..=4 {
            for color in 1..=4 {
                for (layout, row_gap, plane_gap) in [(0, 0, 0), (0, 3, 0), (1, 0, 0), (1, 7, 11)] {
                    let mut image = image(sample, color, layout);
                    let packed = Form::new(&image, "a").unwrap();
                    image.row_stride = packed.row_stride + row_gap;
                    image.plane_stride = image.row_stride * 3 + plane_gap;
                    let form = Form::new(&image, "a").unwrap();
                    let size = form.bytes().unwrap();
                    let mut raster = Raster::new(form.colors(), 3, 5);
                    for (i, value) in raster.data_mut().iter_mut().enumerate() {
                        *value = (i % 16) as f32 / 15.0;
                    }
                    let opacity = form.has_alpha().then(|| raster.crop(0..3, 0..5));
                    let opacity = opacity.map(|raster| Raster::from_vec(1, 3, 5, raster.plane(0).to_vec()));
                    let mut bytes = vec![0xA5; size];
                    // In two parts, as strips come.
                    for rows in [0..2, 2..3] {
                        let top = rows.start;
                        form.store(&mut bytes, &raster, opacity.as_ref(), rows, top);
                    }
                    let (mut back, mut alpha) =
                        (Raster::new(form.colors(), 3, 5), opacity.as_ref().map(|_| Raster::new(1, 3, 5)));
                    form.load(&bytes, &mut back, alpha.as_mut(), 0);
                    let worst = back.data().iter().zip(raster.data()).map(|(a, b)| (a - b).abs());
                    assert!(worst.fold(0.0, f32::max) < 1.0 / 255.0, "{form:?}");
                    assert_eq!(alpha.is_some(), opacity.is_some());
                    if layout == 0 && row_gap > 0 {
                        assert_eq!(bytes[packed.row_stride..form.row_stride], [0xA5; 3]);
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_hold_together_is_named() {
        let refused = |change: &dyn Fn(&mut partdiff_image), word: &str| {
            let mut image = image(2, 3, 1);
            change(&mut image);
            let message = Form::new(&image, "input").unwrap_err().message;
            assert!(message.starts_with("input") && message.contains(word), "{message}");
        };
        refused(&|image| image.sample = 0, "sample is 0");
        refused(&|image| image.color = 5, "color is 5");
        refused(&|image| image.layout = 2, "layout is 2");
        refused(&|image| image.width = 0, "at least 1x1 pixels");
        refused(&|image| image.row_stride = 9, "at least 10 bytes");
        refused(&|image| image.plane_stride = 29, "at least 30 bytes");
        refused(&|image| image.row_stride = usize::MAX / 2, "does not fit into the address space");
        refused(&|image| image.plane_stride = usize::MAX / 2, "does not fit into the address space");
        refused(
            &|image| (image.width, image.height) = (u32::MAX, u32::MAX),
            "does not fit into the address space",
        );
    }
}
