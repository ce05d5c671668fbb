//! Ctrl-C in the middle of a volume.

use super::Place;
use super::bad_inputs::{nifti, put};
use crate::cli::has_runtime;

#[test]
fn an_interrupt_leaves_neither_result_nor_temporary() {
    if !has_runtime() {
        return;
    }
    // Coarse along i, finished slices are kept in a temporary file.
    for (coarse, sides) in [(0, [40i16, 200, 200]), (2, [200, 200, 40])] {
        let place = Place::new();
        let voxels = (0..1_600_000u32).flat_map(|at| ((at * 7 % 1000) as i16).to_le_bytes());
        let mut bytes = nifti(|header| {
            for (axis, side) in sides.iter().enumerate() {
                put(header, 42 + 2 * axis, side.to_le_bytes());
                put(header, 80 + 4 * axis, if axis == coarse { 5f32 } else { 1f32 }.to_le_bytes());
            }
        });
        bytes.truncate(352);
        bytes.extend(voxels);
        place.put("a.nii", &bytes);
        place.interrupt(&["a.nii", "-o", "out.nii.gz"]);
        assert_eq!(place.files(), ["a.nii"]);
    }
}
