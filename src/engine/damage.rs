//! How damaged an image is: the clean-up level and the blur that the bundle's estimator tells from a few crops.

use std::ops::Range;

use super::upscaler::Upscaler;
use crate::error::Result;
use crate::image::Raster;
use crate::model::Manifest;
use crate::runtime::Told;

/// Crops that are looked at, from the most detailed down: edges show blur, flat places noise and JPEG blocks.
const CROPS: usize = 16;

/// The side of an image, in pixels, from which on damage can be told.
const SMALLEST: usize = 16;

/// The damage of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Damage {
    /// The clean-up level, 0 to 1, that it calls for.
    pub level: f32,
    /// The standard deviation of its blur where it has most detail, in pixels; 0 where the bundle cannot tell.
    pub blur: f32,
}

impl Upscaler {
    /// The damage of `image` (1 or 3 channels, black 0 and white 1); `None` where the bundle cannot tell. It is of the
    /// whole image, so tiles stay exact.
    ///
    /// # Errors
    /// As the inference fails.
    pub fn estimate_damage(&self, image: &Raster) -> Result<Option<Damage>> {
        let manifest = self.manifest();
        let Some(estimator) = &self.estimator else { return Ok(None) };
        let size = (image.height(), image.width());
        if size.0.min(size.1) < SMALLEST {
            return Ok(Some(Damage::default()));
        }
        let crops: Vec<_> = of_every_detail(image, estimator.side())
            .iter()
            .map(|crop| as_the_model_sees(crop, manifest))
            .collect();
        let Told { level, blurs } = estimator.damage(&crops)?;
        Ok(Some(Damage { level, blur: of_the_most_detailed(blurs) }))
    }
}

/// Squares of `side` pixels (less where the image is smaller), at most [`CROPS`], spread evenly from the one of the largest
/// variance down.
fn of_every_detail(image: &Raster, side: usize) -> Vec<Raster> {
    let (height, width) = (side.min(image.height()), side.min(image.width()));
    let starts =
        |length: usize, part: usize| (0..length / part).map(move |index| (length % part) / 2 + part * index);
    let mut places: Vec<(f64, usize, usize)> = starts(image.height(), height)
        .flat_map(|y| starts(image.width(), width).map(move |x| (y, x)))
        .map(|(y, x)| (variance(image, y..y + height, x..x + width), y, x))
        .collect();
    // Stable: of equal ones the first.
    places.sort_by(|a, b| b.0.total_cmp(&a.0));
    let count = places.len().min(CROPS);
    let chosen = (0..count).map(|index| places[index * places.len() / count]);
    chosen.map(|(_, y, x)| image.crop(y..y + height, x..x + width)).collect()
}

/// The blur of an image from that of its crops, the most detailed first: the median of the first quarter, since what has no
/// detail tells nothing, and what is out of focus may be meant to be. 0 for none.
fn of_the_most_detailed(mut blurs: Vec<f32>) -> f32 {
    blurs.truncate(blurs.len().div_ceil(4));
    blurs.sort_by(f32::total_cmp);
    match blurs[..] {
        [] => 0.0,
        _ => 0.5 * (blurs[(blurs.len() - 1) / 2] + blurs[blurs.len() / 2]),
    }
}

/// The variance of the samples of a rectangle, over all channels.
fn variance(image: &Raster, rows: Range<usize>, columns: Range<usize>) -> f64 {
    let (mut sum, mut squares) = (0.0, 0.0);
    for channel in 0..image.channels() {
        for y in rows.clone() {
            for value in &image.row(channel, y)[columns.clone()] {
                let value = f64::from(unit(*value));
                sum += value;
                squares += value * value;
            }
        }
    }
    let count = (image.channels() * rows.len() * columns.len()) as f64;
    (squares / count - (sum / count).powi(2)).max(0.0)
}

/// A crop in the bundle's value range; grey as equal channels where it takes colour, and colour as its mean where it takes
/// grey.
fn as_the_model_sees(crop: &Raster, manifest: &Manifest) -> Raster {
    let [black, white] = manifest.value_range;
    let mut seen = Raster::new(manifest.channels, crop.height(), crop.width());
    for channel in 0..manifest.channels {
        let planes = if crop.channels() > manifest.channels {
            0..crop.channels()
        } else {
            let plane = channel.min(crop.channels() - 1);
            plane..plane + 1
        };
        let share = 1.0 / planes.len() as f32;
        let sum = seen.plane_mut(channel);
        for plane in planes {
            let pairs = sum.iter_mut().zip(crop.plane(plane));
            pairs.for_each(|(sum, value)| *sum += share * unit(*value));
        }
        sum.iter_mut().for_each(|value| *value = black + *value * (white - black));
    }
    seen
}

/// A sample between black and white; what is no number is black.
fn unit(value: f32) -> f32 {
    if value > 0.0 { value.min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_of_every_detail_are_taken_and_small_images_whole() {
        let mut image = Raster::new(3, 200, 300);
        for channel in 0..3 {
            for y in 4..36 {
                for x in 6..38 {
                    image.row_mut(channel, y)[x] = ((x * 7 + y * 13 + channel) % 5) as f32 / 4.0;
                }
            }
        }
        let crops = of_every_detail(&image, 32);
        assert_eq!(crops.len(), CROPS);
        assert_eq!(crops[0], image.crop(4..36, 6..38));
        // Of 54, every third or fourth.
        assert_eq!(crops[15], image.crop(164..196, 166..198));
        assert_eq!(
            of_every_detail(&image.crop(0..20, 0..100), 32),
            [0, 1, 2].map(|i| image.crop(0..20, 2 + 32 * i..34 + 32 * i))
        );
        let small = image.crop(0..17, 0..18);
        assert_eq!(of_every_detail(&small, 32), [small]);
    }

    #[test]
    fn the_blur_is_that_of_the_most_detailed_crops() {
        assert_eq!(of_the_most_detailed(vec![]), 0.0);
        assert_eq!(of_the_most_detailed(vec![1.5, 0.0]), 1.5);
        let mut blurs = vec![0.0; 16];
        blurs[..4].copy_from_slice(&[2.0, 0.5, 1.0, 0.0]);
        assert_eq!(of_the_most_detailed(blurs), 0.75);
    }

    #[test]
    fn crops_come_in_the_channels_and_values_of_the_model() {
        let manifest = |channels: usize| {
            crate::fake_network::manifest(serde_json::json!({ "channels": channels, "value_range": [-1, 1] }))
        };
        let grey = Raster::from_vec(1, 1, 3, vec![0.0, 0.75, f32::NAN]);
        let seen = as_the_model_sees(&grey, &manifest(3));
        assert_eq!(seen.channels(), 3);
        assert!((0..3).all(|channel| seen.plane(channel) == [-1.0, 0.5, -1.0]));
        let colour = Raster::from_vec(3, 1, 1, vec![0.0, 0.5, 7.0]);
        assert_eq!(as_the_model_sees(&colour, &manifest(1)).data(), [0.0]);
        assert_eq!(as_the_model_sees(&colour, &manifest(3)).data(), [-1.0, 0.0, 1.0]);
    }
}
