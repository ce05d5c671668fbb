//! How much of a damaged JPEG file is lost.

use std::collections::BTreeSet;

use super::Frame;
use crate::image::libjpeg::Decompressed;

/// What is lost, in a sentence; `None` for a whole file.
///
/// Without restart markers an error affects everything that follows in its scan, and is noticed some time after it; with
/// them it affects only its interval.
pub(super) fn describe(image: &Decompressed, frame: &Frame) -> Option<String> {
    const DAMAGED: &str = "the JPEG data is damaged";
    if image.missing > 0 {
        return Some(format!(
            "{DAMAGED}: {} of its {} channels are missing",
            image.missing, frame.components
        ));
    }
    let first = image.warnings.iter().map(|warning| warning.row).min()?;
    let (across, down) = (8 * usize::from(frame.mcu.0.max(1)), 8 * usize::from(frame.mcu.1.max(1)));
    let (columns, rows) = (image.width.div_ceil(across), image.height.div_ceil(down));
    let restart = usize::from(frame.restart);
    let mut lost = vec![false; rows];
    for warning in &image.warnings {
        let row = (warning.row as usize).min(rows - 1);
        let wrong = match (row * columns).checked_div(restart) {
            None => row..rows,
            // All intervals with a part in the row.
            Some(first) => {
                let end = ((row + 1) * columns).div_ceil(restart);
                first * restart / columns..(end * restart).div_ceil(columns).min(rows)
            }
        };
        lost[wrong].fill(true);
    }
    let share = 100 * lost.iter().filter(|lost| **lost).count() / rows;
    let scans = image.warnings.iter().map(|warning| warning.scan).collect::<BTreeSet<_>>().len();
    let errors = match image.errors {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    };
    let errors =
        if image.scans > 1 { format!("{errors} in {scans} of {} scans", image.scans) } else { errors };
    let row = first as usize * down;
    Some(if row >= image.height {
        format!("{DAMAGED}: {errors}, found at the end of the data; any part of the image may be wrong")
    } else if restart == 0 {
        format!(
            "{DAMAGED}: {errors}, the first found in row {row} of {}; about {share} % of the image may be wrong, \
             beginning there or a few rows above",
            image.height
        )
    } else {
        format!(
            "{DAMAGED}: {errors}, the first found in row {row} of {}; about {} % of the image may be wrong",
            image.height,
            share.max(1)
        )
    })
}
