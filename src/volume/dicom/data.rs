//! The voxels of a series as a stream, in the order of a NIfTI file.

use std::sync::Arc;

use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;
use dicom_pixeldata::{ConvertOptions, ModalityLutOption, PixelDecoder, Rescale};

use super::file::read_pixels;
use super::place::Place;
use super::series::Series;
use crate::error::{Error, ErrorKind, Result};
use crate::volume::nifti::Order;

/// The voxels of a series. One file is held at a time.
pub struct Data {
    series: Arc<Series>,
    /// The number of the frame that comes next.
    next: usize,
    /// The voxels of the frame before it, and how many bytes of them were handed out.
    slice: Vec<u8>,
    used: usize,
    /// A file of several frames, and its number.
    open: Option<(usize, DefaultDicomObject)>,
}

impl Data {
    /// From the first voxel on.
    pub fn new(series: Arc<Series>) -> Self {
        Self { series, next: 0, slice: Vec::new(), used: 0, open: None }
    }

    /// Fills `buffer` with the next voxels.
    ///
    /// # Errors
    /// `Input` naming the file, where its pixels cannot be read, or the voxels end.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.used == self.slice.len() {
                (self.slice, self.used) = (self.frame()?, 0);
            }
            let left = &self.slice[self.used..];
            let length = left.len().min(buffer.len() - filled);
            buffer[filled..filled + length].copy_from_slice(&left[..length]);
            self.used += length;
            filled += length;
        }
        Ok(())
    }

    /// The voxels of the next frame.
    fn frame(&mut self) -> Result<Vec<u8>> {
        let series = Arc::clone(&self.series);
        let frame = series.frames.get(self.next).ok_or_else(|| wrong("the series has no more slices"))?;
        let place = &series.files[frame.file];
        if self.open.as_ref().is_none_or(|(file, _)| *file != frame.file) {
            // The one before goes first.
            self.open = None;
            self.open = Some((frame.file, read_pixels(place)?));
        }
        let Some((_, object)) = &self.open else { return Err(wrong("the series has no more slices")) };
        let values = decode(&series, place, object, frame.number)?;
        let (slope, intercept) = if series.scaling.is_some() { (1.0, 0.0) } else { frame.scaling };
        let (datatype, columns) = (series.datatype(), series.grid.columns);
        let mut bytes = Vec::with_capacity(values.len() * datatype.bytes());
        for row in values.chunks_exact(columns).rev() {
            let row = row.iter().map(|value| f64::from(*value) * slope + intercept);
            datatype.encode(Order::Little, row, &mut bytes);
        }
        self.next += 1;
        Ok(bytes)
    }
}

/// The stored values of a frame, row by row from the top.
fn decode(series: &Series, place: &Place, object: &DefaultDicomObject, number: usize) -> Result<Vec<i32>> {
    let (columns, rows) = (series.grid.columns, series.grid.rows);
    let pixels = object
        .get(tags::PIXEL_DATA)
        .ok_or_else(|| wrong(format!("{place} has no PixelData: expected an image")))?;
    let expected = (number + 1) * columns * rows * usize::from(series.sample.allocated / 8);
    if let Some(native) = pixels.value().primitive() {
        let held = native.calculate_byte_len();
        if held < expected {
            return Err(wrong(format!(
                "PixelData of {place} is too short: {held} bytes, expected at least {expected}"
            )));
        }
    }
    // What the library says may quote the file.
    let cannot = || {
        wrong(format!("cannot decode the pixels of {place}: they are damaged, or of a kind that is not read"))
    };
    // The table of the rescale masks and extends the sign of the stored bits; this one changes nothing else.
    let options =
        ConvertOptions::new().with_modality_lut(ModalityLutOption::Override(Rescale::new(1.0, 0.0)));
    let decoded = object.decode_pixel_data_frame(number as u32).map_err(|_| cannot())?;
    let values: Vec<i32> = decoded.to_vec_frame_with_options(0, &options).map_err(|_| cannot())?;
    if values.len() != columns * rows {
        let message = format!("{place} has {} pixels in a frame: expected {columns} x {rows}", values.len());
        return Err(wrong(message));
    }
    Ok(values)
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}
