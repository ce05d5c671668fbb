//! Pixels between GIMP's buffers and the engine, in the image's own coding: nothing converts them on the way.

use std::ptr;

use partdiff_host::Sample;

use crate::host::{Gegl, Pointer, Rectangle, string};

/// Side of the tiles in which GIMP and plug-ins exchange pixels.
const TILE: usize = 128;

/// GIMP's types of samples; two of them the engine does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As the engine has it.
    Same(Sample),
    /// 32-bit integers, which the engine sees as floats (24 bits of them).
    U32,
    /// 64-bit floats, which the engine sees as 32-bit ones.
    F64,
}

impl Stored {
    fn bytes(self) -> usize {
        match self {
            Self::Same(sample) => sample_bytes(sample),
            Self::U32 => 4,
            Self::F64 => 8,
        }
    }
}

fn sample_bytes(sample: Sample) -> usize {
    match sample {
        Sample::U8 => 1,
        Sample::U16 | Sample::F16 => 2,
        Sample::F32 => 4,
    }
}

/// The layout of one of GIMP's formats.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    babl: Pointer,
    /// 1 to 4: grey, grey and alpha, RGB, RGB and alpha.
    pub channels: usize,
    /// How samples are stored.
    pub stored: Stored,
}

impl Format {
    /// The layout of `babl`.
    ///
    /// # Errors
    /// For a type of samples that GIMP did not have when this was written.
    pub fn new(gegl: &Gegl, babl: Pointer) -> Result<Self, String> {
        // SAFETY: `babl` is a format, its type and the type's name live as long as babl.
        let (channels, name) = unsafe {
            let kind = (gegl.babl_format_get_type)(babl, 0);
            ((gegl.babl_format_get_n_components)(babl) as usize, string((gegl.babl_get_name)(kind)))
        };
        let stored = match name.as_str() {
            "u8" => Stored::Same(Sample::U8),
            "u16" => Stored::Same(Sample::U16),
            "half" => Stored::Same(Sample::F16),
            "float" => Stored::Same(Sample::F32),
            "u32" => Stored::U32,
            "double" => Stored::F64,
            other => return Err(format!("PartDiff cannot read samples of type {other:?}")),
        };
        if !(1..=4).contains(&channels) {
            return Err(format!("PartDiff cannot read pixels of {channels} samples"));
        }
        Ok(Self { babl, channels, stored })
    }

    /// The type that the engine sees.
    pub fn sample(self) -> Sample {
        match self.stored {
            Stored::Same(sample) => sample,
            Stored::U32 | Stored::F64 => Sample::F32,
        }
    }
}

/// An image as the engine takes and gives it, rows without gaps, samples interleaved.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 to 4, alpha last.
    pub channels: usize,
    /// Type of samples.
    pub sample: Sample,
    /// `height * width * channels` samples in the machine's byte order.
    pub data: Vec<u8>,
}

impl Pixels {
    /// Black, or clear where there is alpha.
    pub fn new(width: usize, height: usize, channels: usize, sample: Sample) -> Self {
        Self {
            width,
            height,
            channels,
            sample,
            data: vec![0; width * height * channels * sample_bytes(sample)],
        }
    }

    /// Bytes per row.
    pub fn stride(&self) -> usize {
        self.width * self.channels * sample_bytes(self.sample)
    }

    /// Reads `area` of `buffer`, whose format is `format`.
    pub fn read(gegl: &Gegl, buffer: Pointer, area: Rectangle, format: Format) -> Self {
        let (width, height) = (area.width as usize, area.height as usize);
        let mut stored = vec![0u8; width * height * format.channels * format.stored.bytes()];
        // SAFETY: `stored` holds the area in that format without gaps.
        unsafe {
            (gegl.gegl_buffer_get)(buffer, &area, 1.0, format.babl, stored.as_mut_ptr().cast(), 0, 0);
        }
        let data = match format.stored {
            Stored::Same(_) => stored,
            Stored::U32 => {
                convert(&stored, |bytes| (u32::from_ne_bytes(bytes) as f64 / 4_294_967_295.0) as f32)
            }
            Stored::F64 => convert(&stored, |bytes| f64::from_ne_bytes(bytes) as f32),
        };
        Self { width, height, channels: format.channels, sample: format.sample(), data }
    }

    /// Writes all rows to `buffer` from its upper left corner on, some at a time.
    pub fn write(&self, gegl: &Gegl, buffer: Pointer, format: Format) {
        // Whole rows of GIMP's tiles, so that none is sent twice.
        let rows = ((1 << 22) / self.stride().max(1) / TILE).max(1) * TILE;
        for (index, part) in self.data.chunks(rows * self.stride()).enumerate() {
            let area = Rectangle {
                x: 0,
                y: (index * rows) as i32,
                width: self.width as i32,
                height: (part.len() / self.stride()) as i32,
            };
            let converted = match format.stored {
                Stored::Same(_) => None,
                // The cast clips, and turns NaN into 0.
                Stored::U32 => Some(expand(part, |value| {
                    ((f64::from(value) * 4_294_967_295.0 + 0.5) as u32).to_ne_bytes()
                })),
                Stored::F64 => Some(expand(part, |value| f64::from(value).to_ne_bytes())),
            };
            let source = converted.as_deref().unwrap_or(part);
            // SAFETY: `source` holds the area in that format without gaps.
            unsafe { (gegl.gegl_buffer_set)(buffer, &area, 0, format.babl, source.as_ptr().cast(), 0) };
        }
        // SAFETY: a live buffer.
        unsafe { (gegl.gegl_buffer_flush)(buffer) };
    }

    /// Whether alpha is 1 everywhere; `false` without alpha.
    pub fn is_opaque(&self) -> bool {
        let size = sample_bytes(self.sample);
        let opaque: &[u8] = match self.sample {
            Sample::U8 => &[255],
            Sample::U16 => &[255, 255],
            Sample::F16 => &0x3C00u16.to_ne_bytes(),
            Sample::F32 => &1.0f32.to_ne_bytes(),
        };
        matches!(self.channels, 2 | 4)
            && self.data.chunks_exact(self.channels * size).all(|pixel| pixel.ends_with(opaque))
    }

    /// The image without its alpha channel.
    pub fn without_alpha(self) -> Self {
        let (colors, size) = (self.channels - 1, sample_bytes(self.sample));
        let pixels = self.data.chunks_exact(self.channels * size);
        let data = pixels.flat_map(|pixel| &pixel[..colors * size]).copied().collect();
        Self { channels: colors, data, ..self }
    }
}

fn convert<const N: usize>(stored: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<u8> {
    let samples = stored.as_chunks::<N>().0;
    samples.iter().flat_map(|&bytes| value(bytes).to_ne_bytes()).collect()
}

fn expand<const N: usize>(floats: &[u8], bytes: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    floats.as_chunks::<4>().0.iter().flat_map(|&float| bytes(f32::from_ne_bytes(float))).collect()
}

/// The whole of a buffer that is not empty.
///
/// # Errors
/// Where the buffer could not be had, for instance because its image was closed.
pub fn extent(gegl: &Gegl, buffer: Pointer) -> Result<Rectangle, String> {
    if buffer.is_null() {
        return Err("GIMP does not give the layer's pixels".into());
    }
    // SAFETY: a live buffer; the rectangle is copied at once.
    let extent = unsafe { ptr::read((gegl.gegl_buffer_get_extent)(buffer)) };
    Ok(extent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(channels: usize, data: &[u16]) -> Pixels {
        let bytes = data.iter().flat_map(|value| value.to_ne_bytes()).collect();
        Pixels { width: 2, height: 1, channels, sample: Sample::U16, data: bytes }
    }

    #[test]
    fn alpha_is_dropped_only_where_nothing_shows_through() {
        let opaque = pixels(2, &[1, 65535, 2, 65535]);
        assert!(opaque.is_opaque());
        assert_eq!(opaque.without_alpha(), pixels(1, &[1, 2]));
        assert!(!pixels(2, &[1, 65535, 2, 65534]).is_opaque());
        assert!(!pixels(1, &[65535, 65535]).is_opaque());
    }

    #[test]
    fn wide_samples_come_back() {
        let samples = [0u32, 1 << 31, u32::MAX];
        let stored: Vec<u8> = samples.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let floats = convert(&stored, |bytes| (u32::from_ne_bytes(bytes) as f64 / 4_294_967_295.0) as f32);
        let back = expand(&floats, |value| ((f64::from(value) * 4_294_967_295.0 + 0.5) as u32).to_ne_bytes());
        for (bytes, expected) in back.as_chunks::<4>().0.iter().zip(samples) {
            assert!(u32::from_ne_bytes(*bytes).abs_diff(expected) <= 256);
        }
    }
}
