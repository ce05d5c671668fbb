//! Interpolation kernels.

use std::f64::consts::PI;

/// A symmetric interpolation kernel; its argument is in pixels of the coarser grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// Keys' cubic convolution (IEEE TASSP 29, 1981) with the free parameter `a`, radius 2.
    Cubic {
        /// Slope at distance 1: -0.5 as Pillow and MATLAB, -0.75 as OpenCV.
        a: f64,
    },
    /// Windowed sinc with radius 3.
    Lanczos3,
    /// Linear interpolation, radius 1: never over- or undershoots.
    Linear,
    /// Area averaging when shrinking, nearest neighbour when enlarging.
    Box,
}

impl Kernel {
    /// The cubic kernel with `a = -0.5`, as in Pillow's `BICUBIC` and MATLAB's `imresize`.
    pub const BICUBIC: Self = Self::Cubic { a: -0.5 };

    /// Distance beyond which the kernel is 0.
    pub fn radius(self) -> f64 {
        match self {
            Self::Cubic { .. } => 2.0,
            Self::Lanczos3 => 3.0,
            Self::Linear => 1.0,
            Self::Box => 0.5,
        }
    }

    /// The kernel's value at distance `x`.
    pub fn value(self, x: f64) -> f64 {
        let d = x.abs();
        match self {
            Self::Cubic { a } if d < 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
            Self::Cubic { a } if d < 2.0 => (((d - 5.0) * d + 8.0) * d - 4.0) * a,
            Self::Lanczos3 if d < 3.0 => sinc(d) * sinc(d / 3.0),
            Self::Linear if d < 1.0 => 1.0 - d,
            // Half open, so that a sample on the border of two boxes counts once.
            Self::Box if x > -0.5 && x <= 0.5 => 1.0,
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}
