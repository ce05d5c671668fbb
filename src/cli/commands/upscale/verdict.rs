//! Whether a result may be written where something is already.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use super::job::Job;
use crate::batch::naming::shown;
use crate::cli::args::upscale_request::{Existing, UpscaleRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::atomic_folder::check_replaceable;
use crate::fs::file_id::FileId;
use crate::volume::dicom::is_written_here;

/// What becomes of a job.
pub enum Verdict {
    Go,
    Skip,
}

/// Whether `job` may write its files; `inputs` are never written over.
///
/// # Errors
/// `Output`, saying what is in the way.
pub fn verdict(job: &Job, request: &UpscaleRequest, inputs: &HashSet<FileId>) -> Result<Verdict> {
    for map in request.uncertainty.iter().chain(&request.preview) {
        let existing =
            if request.existing == Existing::Replace { Existing::Replace } else { Existing::Refuse };
        judge(map, existing, inputs)?;
    }
    if job.in_place {
        let backups = [job.backup.clone(), job.sidecar().and_then(|(_, backup)| backup)];
        return match backups.iter().flatten().find(|backup| fs::symlink_metadata(backup).is_ok()) {
            Some(backup) => Err(Error::new(
                ErrorKind::Output,
                format!(
                    "the backup {} already exists: move it away, or give another --backup",
                    shown(backup)
                ),
            )),
            None => Ok(Verdict::Go),
        };
    }
    let Some(output) = &job.output else { return Ok(Verdict::Go) };
    if job.makes_folder() {
        return judge_folder(output, request.existing, inputs);
    }
    let verdict = judge(output, request.existing, inputs)?;
    // A sidecar without its volume is not what a run before has made.
    if let (Verdict::Go, Some((sidecar, _))) = (&verdict, job.sidecar()) {
        if sidecar.exists() {
            check_left_sidecar(&sidecar, output, request.existing)?;
        }
        judge(&sidecar, request.existing, inputs)?;
    }
    Ok(verdict)
}

/// Refuses a sidecar of another volume than `output`, and one that is alone where results that exist are left as they are.
fn check_left_sidecar(sidecar: &Path, output: &Path, existing: Existing) -> Result<()> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Output, format!("{} {what}", shown(sidecar))));
    let mut others = ["nii", "nii.gz", "img", "img.gz"].map(|ext| sidecar.with_extension(ext)).into_iter();
    if let Some(other) = others.find(|other| other != output && other.exists()) {
        return refuse(format!("belongs to {}: choose another name or folder", shown(&other)));
    }
    if existing == Existing::Skip {
        return refuse("exists without its volume: move it away, or give --overwrite".into());
    }
    Ok(())
}

/// What an existing file at `output` means.
fn judge(output: &Path, existing: Existing, inputs: &HashSet<FileId>) -> Result<Verdict> {
    let refuse = |what: &str| Err(Error::new(ErrorKind::Output, format!("{} {what}", shown(output))));
    let found = match fs::symlink_metadata(output) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Go),
        Err(error) => {
            let message = format!("cannot write {}", shown(output));
            return Err(Error::with_source(ErrorKind::Output, message, error));
        }
        Ok(found) => found,
    };
    // Through links, as the input may be reached by several.
    if FileId::of(output).is_some_and(|id| inputs.contains(&id)) {
        return refuse("is also an input: only --in-place replaces originals; choose another name or folder");
    }
    if found.is_dir() {
        return refuse("is a folder");
    }
    if !found.is_file() && !found.is_symlink() {
        return refuse("is not an ordinary file");
    }
    match existing {
        Existing::Refuse => refuse("exists already: give --overwrite or --skip-existing"),
        Existing::Replace => Ok(Verdict::Go),
        Existing::Skip => Ok(Verdict::Skip),
    }
}

/// What an existing folder at `output` means for a series.
fn judge_folder(output: &Path, existing: Existing, inputs: &HashSet<FileId>) -> Result<Verdict> {
    let refuse = |what: &str| Err(Error::new(ErrorKind::Output, format!("{} {what}", shown(output))));
    if fs::symlink_metadata(output).is_ok_and(|found| !found.is_dir()) {
        return refuse("is no folder, and a DICOM series is written to one");
    }
    let files = fs::read_dir(output).into_iter().flatten().flatten().map(|entry| entry.path());
    if files.filter_map(|file| FileId::of(&file)).any(|id| inputs.contains(&id)) {
        return refuse("holds an input: choose another folder");
    }
    match (check_replaceable(output, is_written_here), existing) {
        (Ok(false), _) => Ok(Verdict::Go),
        (_, Existing::Refuse) => refuse("exists already: give --overwrite or --skip-existing"),
        (_, Existing::Skip) => Ok(Verdict::Skip),
        (is_ours, Existing::Replace) => is_ours.map(|_| Verdict::Go),
    }
}
