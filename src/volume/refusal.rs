//! Volumes whose values mean nothing between voxels.

use std::path::Path;

use super::nifti::{Header, field, without_gz};

/// Intent codes (nifti1.h), and what such volumes hold.
const INTENTS: [(std::ops::RangeInclusive<i64>, &str); 6] = [
    (1002..=1003, "labels"),
    (1004..=1005, "matrices"),
    (1006..=1010, "vectors, points or triangles"),
    (2002..=2002, "indices"),
    (2003..=2004, "colours"),
    // FSL's own: displacement fields and coefficients of splines.
    (2006..=2018, "a displacement field or coefficients"),
];

/// Parts of names (BIDS, and endings of dcm2niix), and what such volumes hold.
const NAMES: [(&str, &str); 14] = [
    ("_dseg", "labels"),
    ("_mask", "a mask"),
    ("_part-phase", "phases"),
    ("_part-real", "real parts"),
    ("_part-imag", "imaginary parts"),
    ("_phasediff", "phase differences"),
    ("_phase1", "phases"),
    ("_phase2", "phases"),
    ("_phase", "phases"),
    ("_ph", "phases"),
    ("_real", "real parts"),
    ("_imaginary", "imaginary parts"),
    ("_vel", "velocities"),
    ("_velocity", "velocities"),
];

/// Why a volume should not be interpolated.
pub fn refusal(header: &Header, path: &Path) -> Option<String> {
    let code = header.int(field::INTENT_CODE, 0);
    // A name may have points before its extension, as in head_1.5mm_ph.nii.gz.
    let bare = without_gz(path);
    let stem = bare.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    // An entity of BIDS stands anywhere, a suffix at the end.
    let named = |part: &str| if part.contains('-') { stem.contains(part) } else { stem.ends_with(part) };
    let (why, what) = INTENTS
        .iter()
        .find(|(codes, _)| codes.contains(&code))
        .map(|(_, what)| (format!("intent_code is {code}"), what))
        .or_else(|| {
            NAMES
                .iter()
                .find(|(part, _)| named(part))
                .map(|(part, what)| (format!("{part} in its name"), what))
        })?;
    Some(format!(
        "holds {what} ({why}), and values between them mean nothing: expected intensities, or give --force"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::nifti::{Order, Version};

    #[test]
    fn labels_and_phases_are_refused_by_code_and_name() {
        let mut header = Header::new(Version::One, Order::Little);
        let refused = |header: &Header, name: &str| refusal(header, Path::new(name));
        assert_eq!(refused(&header, "sub-01_T1w.nii.gz"), None);
        assert_eq!(refused(&header, "mask_maker.nii"), None);
        assert!(refused(&header, "sub-01_desc-brain_mask.nii.gz").unwrap().contains("_mask in its name"));
        assert!(refused(&header, "sub-01_part-phase_bold.nii").unwrap().contains("phases"));
        for (name, what) in [
            ("7_gre_e2_ph.nii.gz", "holds phases (_ph in its name)"),
            ("head_1.5mm_PH.nii", "holds phases"),
            ("a_real.hdr", "holds real parts"),
            ("a_imaginary.img.gz", "holds imaginary parts"),
            ("flow_vel.nii", "holds velocities"),
            ("flow_velocity.nii.gz", "holds velocities (_velocity in its name)"),
        ] {
            assert!(refused(&header, name).unwrap().starts_with(what), "{name}");
        }
        for name in
            ["graph.nii", "a_ph_mag.nii", "surreal.nii", "a_phantom.nii", "level.nii", "a_mask.maker.nii"]
        {
            assert_eq!(refused(&header, name), None, "{name}");
        }
        header.set(field::INTENT_CODE, 0, 1002.0);
        assert!(refused(&header, "a.nii").unwrap().starts_with("holds labels (intent_code is 1002)"));
        header.set(field::INTENT_CODE, 0, 3.0);
        assert_eq!(refused(&header, "a.nii"), None);
    }
}
