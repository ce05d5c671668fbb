//! Maps of one plane as pictures: black is 0, then red, yellow, and white for the most.

use crate::image::Raster;

/// `map` [1, H, W] in levels of 255 as colours [3, H, W]; white from `most` levels on.
pub fn heat(map: &Raster, most: f32) -> Raster {
    let mut picture = Raster::new(3, map.height(), map.width());
    for channel in 0..3 {
        // Red rises over the first third, green over the second, blue over the last.
        let from = channel as f32 / 3.0;
        for (sample, level) in picture.plane_mut(channel).iter_mut().zip(map.plane(0)) {
            *sample = ((level / most - from) * 3.0).clamp(0.0, 1.0);
        }
    }
    picture
}

/// The root mean square over the channels of the difference of two images, in levels of 255.
///
/// # Panics
/// If their shapes differ.
pub fn difference(a: &Raster, b: &Raster) -> Raster {
    assert_eq!((a.channels(), a.height(), a.width()), (b.channels(), b.height(), b.width()));
    let mut map = Raster::new(1, a.height(), a.width());
    for channel in 0..a.channels() {
        let pairs = a.plane(channel).iter().zip(b.plane(channel));
        for (sum, (a, b)) in map.plane_mut(0).iter_mut().zip(pairs) {
            *sum += (a.clamp(0.0, 1.0) - b.clamp(0.0, 1.0)).powi(2);
        }
    }
    let channels = a.channels() as f32;
    map.data_mut().iter_mut().for_each(|sum| *sum = 255.0 * (*sum / channels).sqrt());
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_in_levels_and_their_colours_rise_one_after_the_other() {
        let (mut a, b) = (Raster::new(3, 1, 2), Raster::new(3, 1, 2));
        a.plane_mut(1)[1] = 30.0 / 255.0;
        let map = difference(&a, &b);
        assert_eq!(map.data()[0], 0.0);
        assert!((map.data()[1] - 30.0 / 3f32.sqrt()).abs() < 1e-4);
        let picture = heat(&Raster::from_vec(1, 1, 4, vec![0.0, 10.0, 15.0, 90.0]), 30.0);
        let colour = |x: usize| [0, 1, 2].map(|channel| picture.plane(channel)[x]);
        assert_eq!(colour(0), [0.0; 3]);
        assert!(colour(1)[0] > 0.99 && colour(1)[1] < 0.01);
        assert!((colour(2)[1] - 0.5).abs() < 0.01 && colour(2)[2] == 0.0);
        assert_eq!(colour(3), [1.0; 3]);
    }
}
