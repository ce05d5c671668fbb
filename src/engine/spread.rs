//! How far samples of one image lie apart.

use rayon::prelude::*;

use crate::image::Raster;

/// Sums over samples, all relative to the first one, which keeps single precision exact enough.
pub(crate) struct Spread<'a> {
    first: &'a Raster,
    grey: bool,
    /// Samples, the first one included.
    count: usize,
    /// Sums of deviations, per channel.
    sums: Raster,
    /// Sums of squared deviations over all channels.
    squares: Raster,
}

impl<'a> Spread<'a> {
    /// Nothing but the first sample; with `grey`, samples are the mean of their channels.
    pub(crate) fn new(first: &'a Raster, grey: bool) -> Self {
        let (height, width) = (first.height(), first.width());
        let channels = if grey { 1 } else { first.channels() };
        let sums = Raster::new(channels, height, width);
        Self { first, grey, count: 1, sums, squares: Raster::new(1, height, width) }
    }

    /// Counts one more sample.
    pub(crate) fn add(&mut self, sample: &Raster) {
        self.count += 1;
        let (first, grey) = (self.first, self.grey);
        let deviation = |channel: usize, index: usize| {
            let of = |channel: usize| sample.plane(channel)[index] - first.plane(channel)[index];
            let channels = sample.channels();
            if grey { (0..channels).map(of).sum::<f32>() / channels as f32 } else { of(channel) }
        };
        for channel in 0..self.sums.channels() {
            let sums = self.sums.plane_mut(channel).par_iter_mut();
            sums.zip(self.squares.data_mut()).enumerate().for_each(|(index, (sum, square))| {
                let deviation = deviation(channel, index);
                *sum += deviation;
                *square += deviation * deviation;
            });
        }
    }

    /// The unbiased variance of every pixel, the mean over its channels.
    ///
    /// # Panics
    /// Without a second sample.
    pub(crate) fn variance(self) -> Raster {
        assert!(self.count > 1, "one sample has no spread");
        let Self { count, sums, mut squares, .. } = self;
        let factor = 1.0 / ((count - 1) * sums.channels()) as f32;
        squares.data_mut().par_iter_mut().enumerate().for_each(|(index, value)| {
            let means: f32 = (0..sums.channels()).map(|channel| sums.plane(channel)[index].powi(2)).sum();
            // Rounding may take equal samples just below zero.
            *value = ((*value - means / count as f32) * factor).max(0.0);
        });
        squares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_are_those_of_the_textbook() {
        let samples = [[0.1, 0.9, 0.4, 0.4], [0.3, 0.9, 0.1, 0.4], [0.8, 0.9, 0.1, 0.7]];
        let rasters = samples.map(|values| Raster::from_vec(2, 1, 2, values.to_vec()));
        let of = |values: [f64; 3]| {
            let mean = values.iter().sum::<f64>() / 3.0;
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 2.0
        };
        let column = |index: usize| samples.map(|values| values[index] as f64);
        for grey in [false, true] {
            let mut spread = Spread::new(&rasters[0], grey);
            spread.add(&rasters[1]);
            spread.add(&rasters[2]);
            let variance = spread.variance();
            for (pixel, &value) in variance.data().iter().enumerate() {
                let (a, b) = (column(pixel), column(pixel + 2));
                let expected = match grey {
                    true => of([0, 1, 2].map(|i| (a[i] + b[i]) / 2.0)),
                    false => (of(a) + of(b)) / 2.0,
                };
                assert!((f64::from(value) - expected).abs() < 1e-6, "{value} instead of {expected}");
            }
        }
    }
}
