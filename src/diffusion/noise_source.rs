//! The noise of one image, which may be a part of a larger one, or one of several that lie one above the other.

use super::{NoiseField, combine};

/// Where in the noise field an image lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoisePlace {
    /// Column and row of the first pixel, in pixels of the image.
    pub origin: (u32, u32),
    /// Two planes of the field, and how much of each: the squares sum to 1, so that the variance is 1.
    pub planes: [(u32, f32); 2],
}

impl Default for NoisePlace {
    /// The corner of plane 0.
    fn default() -> Self {
        Self { origin: (0, 0), planes: [(0, 1.0), (0, 0.0)] }
    }
}

/// Independent standard normals for the pixels of one image and every step, the same however the image is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseSource {
    origin: (u32, u32),
    fields: [(NoiseField, f32); 2],
}

impl NoiseSource {
    /// The noise at `place` of the field of `seed`; pixels are `scale` times as fine as those that `place` counts.
    pub fn new(seed: u64, place: NoisePlace, scale: u32) -> Self {
        let (x, y) = place.origin;
        let field = NoiseField::new(seed);
        let fields = place.planes.map(|(plane, share)| (field.in_plane(plane), share));
        Self { origin: (x * scale, y * scale), fields }
    }

    /// As [`NoiseField::fill`], for pixels of the image.
    pub fn fill(&self, step: u32, channel: u32, y: u32, x0: u32, out: &mut [f32]) {
        let (y, x0) = (self.origin.1 + y, self.origin.0 + x0);
        let [(field, share), (other, rest)] = self.fields;
        field.fill(step, channel, y, x0, out);
        if rest != 0.0 {
            let mut more = vec![0.0; out.len()];
            other.fill(step, channel, y, x0, &mut more);
            combine(out, share, &[(rest, &more)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(source: NoiseSource, y: u32, x0: u32, length: usize) -> Vec<f32> {
        let mut out = vec![0.0; length];
        source.fill(40, 0, y, x0, &mut out);
        out
    }

    #[test]
    fn a_part_of_an_image_has_the_noise_of_the_whole() {
        let place = NoisePlace { planes: [(3, 0.6), (4, 0.8)], ..NoisePlace::default() };
        let whole = NoiseSource::new(7, place, 4);
        let part = NoiseSource::new(7, NoisePlace { origin: (5, 2), ..place }, 4);
        assert_eq!(row(part, 1, 3, 50), row(whole, 9, 23, 50));
        // An image by itself has the plain field.
        let mut plain = vec![0.0; 50];
        NoiseField::new(7).fill(40, 0, 9, 23, &mut plain);
        assert_eq!(row(NoiseSource::new(7, NoisePlace::default(), 4), 9, 23, 50), plain);
    }

    #[test]
    fn mixed_planes_have_unit_variance_and_share_what_they_are_mixed_of() {
        let length = 200_000;
        let of = |planes| {
            row(NoiseSource::new(1, NoisePlace { planes, ..NoisePlace::default() }, 4), 0, 0, length)
        };
        let product = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>() / length as f64
        };
        let (a, b) = (of([(0, 0.6), (1, 0.8)]), of([(0, 1.0), (1, 0.0)]));
        // Five standard errors.
        let error = 5.0 * (2.0 / length as f64).sqrt();
        assert!((product(&a, &a) - 1.0).abs() < error);
        assert!((product(&a, &b) - 0.6).abs() < error);
    }
}
