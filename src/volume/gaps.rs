//! Gaps between slices that are thinner than they lie apart.

/// Slices that are thinner than this share of their distance have gaps worth telling of.
const GAPS: f64 = 0.95;

/// What to tell of slices so thick that lie so far apart, both in millimetres; nothing where there are no gaps.
pub fn gaps(thickness: f64, distance: f64) -> Option<String> {
    let distance = rounded(distance);
    (thickness < GAPS * distance).then(|| {
        format!(
            "slices are {thickness} mm thick and lie {distance} mm apart: the gaps were not measured, and what --through \
             puts there is a guess"
        )
    })
}

/// A length without the noise of single precision.
pub fn rounded(millimetres: f64) -> f64 {
    (millimetres * 1e4).round() / 1e4
}
