//! The one pixel loop of the sampler: a linear combination of planes.

/// Values per block; small enough that a block stays in the first-level cache over all terms.
const BLOCK: usize = 1024;

/// `out = own * out + sum of factor * plane`, element by element.
///
/// Terms with a factor of 0 are not read and may be empty, and an `own` of 0 overwrites whatever `out` held.
/// Each element is computed in the order of the terms, whatever its neighbours, so the result does not depend
/// on how an image is cut into slices.
///
/// # Panics
/// Where a plane with a factor other than 0 differs from `out` in length.
pub fn combine(out: &mut [f32], own: f32, terms: &[(f32, &[f32])]) {
    for (factor, plane) in terms {
        assert!(
            *factor == 0.0 || plane.len() == out.len(),
            "a term of {} values in a combination of {}",
            plane.len(),
            out.len()
        );
    }
    for (index, block) in out.chunks_mut(BLOCK).enumerate() {
        if own == 0.0 {
            block.fill(0.0);
        } else if own != 1.0 {
            block.iter_mut().for_each(|value| *value *= own);
        }
        for &(factor, plane) in terms.iter().filter(|(factor, _)| *factor != 0.0) {
            let plane = &plane[index * BLOCK..][..block.len()];
            for (value, &term) in block.iter_mut().zip(plane) {
                *value += factor * term;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_terms_count_and_zero_factors_are_not_read() {
        let length = 2 * BLOCK + 3;
        let ramp: Vec<f32> = (0..length).map(|i| i as f32).collect();
        let mut out = vec![2.0; length];
        combine(&mut out, 0.5, &[(3.0, &ramp), (0.0, &[]), (-1.0, &ramp)]);
        assert!(out.iter().enumerate().all(|(i, &value)| value == 1.0 + 2.0 * i as f32));
        let mut out = vec![f32::NAN; length];
        combine(&mut out, 0.0, &[(1.0, &ramp)]);
        assert_eq!(out, ramp);
    }

    #[test]
    #[should_panic(expected = "a term of 2 values in a combination of 3")]
    fn planes_of_another_size_are_refused() {
        combine(&mut [0.0; 3], 1.0, &[(1.0, &[0.0; 2])]);
    }
}
