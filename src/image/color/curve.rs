//! Tone curves of profiles, continued beyond 0 and 1 so that nothing is clipped.

use moxcms::ToneReprCurve;

/// A monotone map from coded values to linear light.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::image) enum Curve {
    /// ICC.1:2022, table 70: (a x + b)^g + e from d on, c x + f below.
    Parametric {
        /// g, a, b, c, d, e, f.
        p: [f32; 7],
    },
    /// Equally spaced, strictly rising samples over 0..1.
    Table(Vec<f32>),
}

/// IEC 61966-2-1.
const SRGB: [f32; 7] = [2.4, 1.0 / 1.055, 0.055 / 1.055, 1.0 / 12.92, 0.04045, 0.0, 0.0];

impl Curve {
    /// The sRGB curve.
    pub fn srgb() -> Self {
        Self::Parametric { p: SRGB }
    }

    /// The curve of values that are linear light.
    pub fn identity() -> Self {
        Self::Parametric { p: [1.0, 1.0, 0.0, 0.0, f32::NEG_INFINITY, 0.0, 0.0] }
    }

    /// A profile's curve; `None` if it cannot be inverted.
    pub fn new(curve: &ToneReprCurve) -> Option<Self> {
        match curve {
            ToneReprCurve::Lut(table) => match table[..] {
                [] => Self::parametric(&[1.0]),
                // An 8.8 fixed-point exponent.
                [gamma] => Self::parametric(&[f32::from(gamma) / 256.0]),
                _ => Self::table(table.iter().map(|&value| f32::from(value) / 65535.0).collect()),
            },
            ToneReprCurve::Parametric(parameters) => Self::parametric(parameters),
        }
    }

    fn parametric(parameters: &[f32]) -> Option<Self> {
        // Shorter forms are special cases of the full one.
        let p = match *parameters {
            [g] => [g, 1.0, 0.0, 0.0, f32::NEG_INFINITY, 0.0, 0.0],
            [g, a, b] => [g, a, b, 0.0, -b / a, 0.0, 0.0],
            [g, a, b, c] => [g, a, b, 0.0, -b / a, c, c],
            [g, a, b, c, d] => [g, a, b, c, d, 0.0, 0.0],
            [g, a, b, c, d, e, f] => [g, a, b, c, d, e, f],
            _ => return None,
        };
        let fine = p.iter().enumerate().all(|(i, value)| value.is_finite() || (i == 4 && !value.is_nan()));
        let curve = Self::Parametric { p };
        (fine && p[0] > 0.1 && p[0] < 10.0 && p[1] > 0.0 && curve.round_trips()).then_some(curve)
    }

    fn table(table: Vec<f32>) -> Option<Self> {
        // Flat ends (clipped blacks) have no inverse.
        let rising = table.windows(2).all(|pair| pair[1] > pair[0]);
        rising.then_some(Self::Table(table))
    }

    /// Whether coded values come back from linear light to a 16-bit step.
    fn round_trips(&self) -> bool {
        (0..=64).all(|i| {
            let x = i as f32 / 64.0;
            (self.code(self.linear(x)) - x).abs() < 1.0 / 65535.0
        })
    }

    /// Linear light of a coded value; negative values mirror positive ones.
    pub fn linear(&self, x: f32) -> f32 {
        let magnitude = x.abs();
        let y = match self {
            Self::Parametric { p: [g, a, b, c, d, e, f] } => {
                if magnitude >= *d {
                    (a * magnitude + b).max(0.0).powf(*g) + e
                } else {
                    c * magnitude + f
                }
            }
            Self::Table(table) => {
                let last = table.len() - 1;
                let position = magnitude * last as f32;
                // Beyond 1 the last segment goes on.
                let i = (position as usize).min(last - 1);
                table[i] + (table[i + 1] - table[i]) * (position - i as f32)
            }
        };
        y.copysign_if(x)
    }

    /// The coded value of linear light; the inverse of [`Self::linear`].
    pub fn code(&self, y: f32) -> f32 {
        let magnitude = y.abs();
        let x = match self {
            Self::Parametric { p: [g, a, b, c, d, e, f] } => {
                if *d > 0.0 && *c > 0.0 && magnitude < c * d + f {
                    (magnitude - f) / c
                } else {
                    ((magnitude - e).max(0.0).powf(1.0 / g) - b) / a
                }
            }
            Self::Table(table) => {
                let last = table.len() - 1;
                let i = table.partition_point(|&value| value <= magnitude).clamp(1, last) - 1;
                (i as f32 + (magnitude - table[i]) / (table[i + 1] - table[i])) / last as f32
            }
        };
        x.copysign_if(y)
    }

    /// Whether this is the sRGB curve to half an 8-bit step.
    pub fn is_srgb(&self) -> bool {
        let srgb = Self::srgb();
        (0..=255).all(|i| {
            let x = i as f32 / 255.0;
            (srgb.code(self.linear(x)) - x).abs() < 0.5 / 255.0
        })
    }
}

trait CopySignIf {
    /// Turns negative if `sign` is.
    fn copysign_if(self, sign: Self) -> Self;
}

impl CopySignIf for f32 {
    fn copysign_if(self, sign: Self) -> Self {
        if sign < 0.0 { -self } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_invert_beyond_the_unit_range() {
        let table = |floor: f64| {
            let value = move |i: u16| floor.max((f64::from(i) / 1023.0).powf(1.8)) * 65535.0;
            ToneReprCurve::Lut((0..1024).map(|i| value(i).round() as u16).collect())
        };
        let curves = [
            Curve::srgb(),
            Curve::new(&ToneReprCurve::Lut(vec![])).unwrap(),
            Curve::new(&ToneReprCurve::Lut(vec![563])).unwrap(),
            Curve::new(&ToneReprCurve::Parametric(vec![2.4, 0.948, 0.052, 0.077, 0.0404])).unwrap(),
            Curve::new(&ToneReprCurve::Parametric(vec![1.8])).unwrap(),
            Curve::new(&ToneReprCurve::Lut((0..1024).map(|i| i * 64).collect())).unwrap(),
        ];
        for curve in &curves {
            for i in -50..=150 {
                let x = i as f32 / 100.0;
                let back = curve.code(curve.linear(x));
                assert!((back - x).abs() < 2e-5, "{curve:?} {x} {back}");
            }
        }
        // A table with flat blacks has no inverse and is left alone.
        assert_eq!(Curve::new(&table(0.01)), None);
    }

    #[test]
    fn srgb_is_known_by_its_values() {
        assert!(Curve::srgb().is_srgb());
        assert!((Curve::srgb().linear(0.5) - 0.214_041).abs() < 1e-6);
        let table = (0..1024).map(|i| (Curve::srgb().linear(i as f32 / 1023.0) * 65535.0) as u16).collect();
        assert!(Curve::new(&ToneReprCurve::Lut(table)).unwrap().is_srgb());
        assert!(!Curve::new(&ToneReprCurve::Lut(vec![563])).unwrap().is_srgb());
    }
}
