//! Images that cannot be read, by the extensions of their names.

use super::ImageFormat;

/// Formats that are recognised by their extensions and never read.
const FOREIGN: [(&str, &[&str]); 8] = [
    ("camera raw", &["cr2", "cr3", "nef", "arw", "dng", "raf", "orf", "rw2", "pef", "srw", "raw"]),
    ("JPEG 2000", &["jp2", "j2k", "jpf", "jpx"]),
    ("Photoshop", &["psd", "psb"]),
    ("GIMP", &["xcf"]),
    ("Krita", &["kra"]),
    ("Targa", &["tga"]),
    ("DICOM", &["dcm"]),
    ("NIfTI", &["nii"]),
];

/// Why images with this extension cannot be read; `None` for those that can be, and for other files.
pub fn unreadable(ext: &str) -> Option<String> {
    if let Some(format) = ImageFormat::from_extension(ext) {
        let feature = format.missing_feature()?;
        return Some(format!(
            "{format} cannot be read: this program was built without the feature {feature}"
        ));
    }
    let ext = ext.to_ascii_lowercase();
    let (name, _) = FOREIGN.into_iter().find(|(_, extensions)| extensions.contains(&ext.as_str()))?;
    Some(match name {
        "DICOM" => "DICOM series are made by `partdiff upscale` alone".into(),
        _ => format!("{name} files cannot be read"),
    })
}
