//! The Brain Imaging Data Structure: names of results, and how one file names another.
//!
//! <https://bids-specification.readthedocs.io>: "Filenames", "Entities" (their order), "BIDS URI".

use std::path::{Path, PathBuf};
use std::{fs, path};

use serde_json::Value;

/// Entities that come after the resolution.
const LAST: [&str; 4] = ["den", "label", "prov", "desc"];

/// What `desc` says of our results.
const DESC: &str = "partdiff";

/// The name, without extension, for a result `scale` times as fine as the file that is called `stem`; `None` where that
/// is no name of BIDS.
///
/// Entities stay in their order. What `res` and `desc` say already stays too, with ours after it, so that two files that
/// differ in them give two results.
pub fn result_name(stem: &str, scale: &str) -> Option<String> {
    let (entities, suffix) = stem.rsplit_once('_')?;
    let is_label = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
    };
    let mut parts = Vec::new();
    for entity in entities.split('_') {
        let (key, label) = entity.split_once('-')?;
        (key.bytes().all(|byte| byte.is_ascii_lowercase()) && is_label(key) && is_label(label))
            .then_some(())?;
        parts.push((key, label.to_owned()));
    }
    if parts[0].0 != "sub" || !is_label(suffix) {
        return None;
    }
    // A label has no point: x1.5 becomes x1p5.
    let res = format!("x{}", scale.replace('.', "p"));
    match parts.iter_mut().find(|(key, _)| *key == "res") {
        Some((_, label)) => label.push_str(&res),
        None => {
            let at = parts.iter().position(|(key, _)| LAST.contains(key)).unwrap_or(parts.len());
            parts.insert(at, ("res", res));
        }
    }
    match parts.iter_mut().find(|(key, _)| *key == "desc") {
        Some((_, label)) if label.to_lowercase().ends_with(DESC) => {}
        Some((_, label)) => label.push_str("Partdiff"),
        None => parts.push(("desc", DESC.to_owned())),
    }
    let mut name: String = parts.iter().map(|(key, label)| format!("{key}-{label}_")).collect();
    name.push_str(suffix);
    Some(name)
}

/// How a file in `folder` names `file`: by a BIDS URI where both lie in one dataset, or that of `folder` links to the
/// other; else by the path from `folder`.
pub fn reference(file: &Path, folder: &Path) -> String {
    let full =
        |path: &Path| path.canonicalize().or_else(|_| path::absolute(path)).unwrap_or_else(|_| path.into());
    let (file, folder) = (full(file), full(folder));
    if let (Some(theirs), Some(ours)) = (dataset(&file), dataset(&folder))
        && let Ok(inside) = file.strip_prefix(theirs)
    {
        if ours == theirs {
            return format!("bids::{}", slashes(inside));
        }
        if let Some(name) = link(ours, theirs) {
            return format!("bids:{name}:{}", slashes(inside));
        }
    }
    let common = file.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let mut way: PathBuf = folder.components().skip(common).map(|_| "..").collect();
    way.extend(file.components().skip(common));
    slashes(&way)
}

/// The dataset that `path` lies in.
fn dataset(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.join("dataset_description.json").is_file())
}

/// The name under which the dataset `ours` links to `theirs`.
fn link(ours: &Path, theirs: &Path) -> Option<String> {
    let text = fs::read(ours.join("dataset_description.json")).ok()?;
    let described: Value = serde_json::from_slice(&text).ok()?;
    let links = described.get("DatasetLinks")?.as_object()?;
    let leads = |to: &Value| {
        let to = to.as_str().unwrap_or_default();
        let to = ours.join(to.strip_prefix("file://").unwrap_or(to));
        to.canonicalize().is_ok_and(|to| to == theirs)
    };
    links.iter().find(|(_, to)| leads(to)).map(|(name, _)| name.clone())
}

fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_entities_in_order() {
        let name = |stem: &str| result_name(stem, "4").unwrap_or_default();
        assert_eq!(name("sub-01_T1w"), "sub-01_res-x4_desc-partdiff_T1w");
        assert_eq!(name("sub-01_ses-a_run-2_FLAIR"), "sub-01_ses-a_run-2_res-x4_desc-partdiff_FLAIR");
        assert_eq!(
            name("sub-01_space-MNI_label-GM_bold"),
            "sub-01_space-MNI_res-x4_label-GM_desc-partdiff_bold"
        );
        assert_eq!(name("sub-01_res-2_desc-preproc_T1w"), "sub-01_res-2x4_desc-preprocPartdiff_T1w");
        assert_eq!(name("sub-01_res-x4_desc-partdiff_T1w"), "sub-01_res-x4x4_desc-partdiff_T1w");
        assert_eq!(result_name("sub-01_T2w", "1.25").unwrap(), "sub-01_res-x1p25_desc-partdiff_T2w");
        for other in [
            "scan",
            "sub-01",
            "my_scan",
            "ses-1_T1w",
            "sub-01_T1w_2.1",
            "sub-_T1w",
            "sub-01__T1w",
            "Sub-01_T1w",
        ] {
            assert_eq!(result_name(other, "4"), None, "{other}");
        }
    }

    #[test]
    fn files_are_named_within_and_between_datasets() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let (anat, derived) = (root.join("raw/sub-01/anat"), root.join("raw/derivatives/p/sub-01/anat"));
        fs::create_dir_all(&anat).unwrap();
        fs::create_dir_all(&derived).unwrap();
        let file = anat.join("sub-01_T1w.nii.gz");
        fs::write(&file, b"").unwrap();
        let described =
            |at: &str, text: &str| fs::write(root.join(at).join("dataset_description.json"), text).unwrap();
        assert_eq!(reference(&file, &anat), "sub-01_T1w.nii.gz");
        assert_eq!(reference(&file, &derived), "../../../../sub-01/anat/sub-01_T1w.nii.gz");
        described("raw", "{}");
        assert_eq!(reference(&file, &derived), "bids::sub-01/anat/sub-01_T1w.nii.gz");
        described("raw/derivatives/p", "{}");
        assert_eq!(reference(&file, &derived), "../../../../sub-01/anat/sub-01_T1w.nii.gz");
        described("raw/derivatives/p", r#"{"DatasetLinks": {"x": "gone", "raw": "../.."}}"#);
        assert_eq!(reference(&file, &derived), "bids:raw:sub-01/anat/sub-01_T1w.nii.gz");
    }
}
