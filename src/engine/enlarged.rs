//! A whole image through the model once, band by band.

use std::ops::Range;

use crate::diffusion::{LatentForm, combine};
use crate::engine::band::Band;
use crate::engine::pass::ModelPass;
use crate::engine::passes::cropped;
use crate::engine::spread::Spread;
use crate::engine::workers::Workers;
use crate::error::Result;
use crate::image::Raster;
use crate::tiling::scaled;

/// What a pass makes.
pub(crate) struct Enlarged {
    /// The result [C, s h, s w], black 0 and white 1, not clipped.
    pub(crate) image: Raster,
    /// The variance of each pixel over the samples [1, s h, s w], if there are others than the result.
    pub(crate) variance: Option<Raster>,
}

impl ModelPass<'_> {
    /// The whole image's result.
    pub(crate) fn run(&self, workers: &Workers) -> Result<Enlarged> {
        let bands = self.bands();
        if let [rows] = &bands[..] {
            return self.band(workers, rows.clone());
        }
        let scale = self.work.scale;
        let (height, width) = (self.lr.height() * scale, self.lr.width() * scale);
        let mut image = Raster::new(self.lr.channels(), height, width);
        let mut variance = (!self.others.is_empty()).then(|| Raster::new(1, height, width));
        for rows in bands {
            let top = rows.start * scale;
            let band = self.band(workers, rows)?;
            image.paste_all(&band.image, top, 0);
            if let (Some(variance), Some(part)) = (&mut variance, &band.variance) {
                variance.paste_all(part, top, 0);
            }
        }
        Ok(Enlarged { image, variance })
    }

    /// The result of some rows.
    pub(crate) fn band(&self, workers: &Workers, rows: Range<usize>) -> Result<Enlarged> {
        let target = scaled(&rows, self.work.scale);
        let band = Band::new(self, rows.clone());
        let conditions = band.conditions(workers)?;
        let mut image = band.run(workers, &conditions)?;
        self.finish(&mut image, &target);
        if self.others.is_empty() {
            return Ok(Enlarged { image, variance: None });
        }
        let mut spread = Spread::new(&image, self.grey);
        for &noise in self.others {
            let pass = Self { noise, ..*self };
            let mut sample = Band::new(&pass, rows.clone()).run(workers, &conditions)?;
            self.finish(&mut sample, &target);
            spread.add(&sample);
        }
        let variance = Some(spread.variance());
        Ok(Enlarged { image, variance })
    }

    /// As [`band`](Self::band), the image alone, and only that part of it which lies within a result of `size`
    /// (height, width): below and to the right may lie what was added up to the size multiple.
    pub(crate) fn band_within(
        &self,
        workers: &Workers,
        rows: Range<usize>,
        size: (usize, usize),
    ) -> Result<Raster> {
        let top = rows.start * self.work.scale;
        let band = self.band(workers, rows)?.image;
        let height = band.height().min(size.0 - top);
        Ok(cropped(band, (height, size.1)))
    }

    /// Turns the last prediction into the image, black 0 and white 1.
    fn finish(&self, prediction: &mut Raster, rows: &Range<usize>) {
        let residual = self.sampling.form() == LatentForm::Residual;
        let [black, white] = self.manifest.value_range;
        let factor = 1.0 / (white - black);
        self.strips(prediction, rows.start, residual, |_, _, values, u| {
            if residual {
                combine(values, 1.0, &[(1.0, u)]);
            }
            values.iter_mut().for_each(|value| *value = (*value - black) * factor);
        });
    }
}
