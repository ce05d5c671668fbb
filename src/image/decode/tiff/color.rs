//! What samples mean: white at 0, colour maps, Lab, YCbCr.

use super::super::Samples;
use super::damaged;
use super::layout::Layout;
use super::samples::Target;
use crate::error::Result;
use crate::image::SampleDepth;

/// Converts the samples of a page to those that [`super::super::Kind`] describes.
pub(super) fn interpret(layout: &Layout, mut samples: Samples) -> Result<Samples> {
    match layout.photometric {
        0 => invert(layout, &mut samples),
        3 => return indexed(layout, &samples),
        6 => {
            if let (Some(ycbcr), Samples::U8(data)) = (&layout.ycbcr, &mut samples) {
                data.chunks_exact_mut(3).for_each(|pixel| {
                    pixel.copy_from_slice(&ycbcr.rgb([pixel[0], pixel[1], pixel[2]]));
                });
            }
        }
        // a* and b* are signed: half the range is added.
        8 => match &mut samples {
            Samples::U8(data) => {
                data.chunks_exact_mut(3).flat_map(|p| &mut p[1..]).for_each(|v| *v ^= 1 << 7)
            }
            Samples::U16(data) => {
                data.chunks_exact_mut(3).flat_map(|p| &mut p[1..]).for_each(|v| *v ^= 1 << 15);
            }
            Samples::F32(_) => {}
        },
        // ICC's 16-bit L* ends at 0xff00.
        9 => {
            if let Samples::U16(data) = &mut samples {
                data.iter_mut().step_by(3).for_each(|v| *v = (u32::from(*v) * 257 / 256).min(65535) as u16);
            }
        }
        _ => {}
    }
    Ok(samples)
}

fn invert(layout: &Layout, samples: &mut Samples) {
    let channels = layout.kept.len();
    match samples {
        Samples::U8(data) => data.iter_mut().step_by(channels).for_each(|value| *value = !*value),
        Samples::U16(data) => data.iter_mut().step_by(channels).for_each(|value| *value = !*value),
        // Measured numbers have no white.
        Samples::F32(data) => {
            if data.iter().step_by(channels).all(|value| (0.0..=1.0).contains(value)) {
                data.iter_mut().step_by(channels).for_each(|value| *value = 1.0 - *value);
            }
        }
    }
}

/// Looks colours up in the colour map; alpha may stand beside the index.
fn indexed(layout: &Layout, samples: &Samples) -> Result<Samples> {
    let (Some(map), Samples::U16(data)) = (&layout.palette, samples) else {
        return Err(damaged("the colour map is missing"));
    };
    let colors = map.len() / 3;
    let most = (colors - 1) as u32;
    let wide = data.chunks_exact(layout.kept.len()).flat_map(|pixel| {
        let index = usize::from(pixel[0]);
        let color = [0, 1, 2].map(|channel| map[channel * colors + index]);
        let alpha = pixel.get(1).map(|value| (u32::from(*value) * 65535 / most) as u16);
        color.into_iter().chain(alpha)
    });
    Ok(match layout.depth() {
        SampleDepth::U8 => wide.map(|value| (value >> 8) as u8).collect::<Vec<_>>().into(),
        _ => wide.collect::<Vec<_>>().into(),
    })
}

/// YCbCr to RGB, with the same integer arithmetic as libtiff.
#[derive(Clone, Debug)]
pub(super) struct YCbCr {
    /// How many pixels, across and down, share their chroma.
    pub sampling: (usize, usize),
    luma: [i32; 256],
    red: [i32; 256],
    blue: [i32; 256],
    /// Green from red's and from blue's chroma, in 1/65536.
    green: [[i32; 256]; 2],
}

impl YCbCr {
    /// From the tags YCbCrSubSampling, YCbCrCoefficients and ReferenceBlackWhite, each with its default if it is empty.
    pub fn new(sampling: &[u64], coefficients: &[f64], reference: &[f64]) -> Result<Self> {
        let sampling = match sampling {
            [] => (2, 2),
            [across @ (1 | 2 | 4), down @ (1 | 2 | 4), ..] => (*across as usize, *down as usize),
            _ => return Err(damaged("its chroma subsampling is not 1, 2 or 4")),
        };
        let [red, green, blue] = *coefficients.first_chunk().unwrap_or(&[0.299, 0.587, 0.114]);
        let reference = *reference.first_chunk().unwrap_or(&[0.0, 255.0, 128.0, 255.0, 128.0, 255.0]);
        if ![red, green, blue].iter().chain(&reference).all(|value| value.is_finite()) || green == 0.0 {
            return Err(damaged("its YCbCrCoefficients or ReferenceBlackWhite are not valid"));
        }
        let fixed = |value: f64, most: f64| (value.clamp(0.0, most) * 65536.0 + 0.5) as i32;
        let (from_cr, from_cb) = (2.0 - 2.0 * red, 2.0 - 2.0 * blue);
        let factors = [
            fixed(from_cr, 2.0),
            -fixed(red * from_cr / green, 2.0),
            fixed(from_cb, 2.0),
            -fixed(blue * from_cb / green, 2.0),
        ];
        // ReferenceBlackWhite, as for video levels.
        let level = |code: i32, at: usize, range: f64| {
            let span = reference[at + 1] - reference[at];
            let value =
                (f64::from(code) - reference[at].trunc()) * range / if span == 0.0 { 1.0 } else { span };
            value.clamp(-8192.0, 8192.0) as i32
        };
        let half = 1 << 15;
        let table = |make: &dyn Fn(i32) -> i32| std::array::from_fn(|code| make(code as i32));
        let (cb, cr) = (|code| level(code, 2, 127.0), |code| level(code, 4, 127.0));
        Ok(Self {
            sampling,
            luma: table(&|code| level(code, 0, 255.0)),
            red: table(&|code| (factors[0] * cr(code) + half) >> 16),
            blue: table(&|code| (factors[2] * cb(code) + half) >> 16),
            green: [table(&|code| factors[1] * cr(code)), table(&|code| factors[3] * cb(code) + half)],
        })
    }

    fn rgb(&self, [y, cb, cr]: [u8; 3]) -> [u8; 3] {
        let (y, cb, cr) = (self.luma[usize::from(y)], usize::from(cb), usize::from(cr));
        let green = (self.green[0][cr] + self.green[1][cb]) >> 16;
        [y + self.red[cr], y + green, y + self.blue[cb]].map(|value| value.clamp(0, 255) as u8)
    }

    /// Spreads groups of luma samples, each followed by its two chroma samples, as [`super::samples::Stored::spread`]
    /// spreads rows.
    pub fn spread(&self, layout: &Layout, bytes: &[u8], target: Target, out: &mut [u8]) {
        let (across, down) = self.sampling;
        let group = across * down + 2;
        let groups = bytes.chunks_exact(layout.block.0.div_ceil(across) * group);
        for (row, out) in groups.zip(out.chunks_mut(layout.width * 3 * down)) {
            for (y, out) in out.chunks_exact_mut(layout.width * 3).enumerate() {
                let out = &mut out[target.left * 3..(target.left + target.columns) * 3];
                for (x, pixel) in out.chunks_exact_mut(3).enumerate() {
                    let group = &row[x / across * group..][..group];
                    pixel[0] = group[y * across + x % across];
                    pixel[1..].copy_from_slice(&group[group.len() - 2..]);
                }
            }
        }
    }
}
