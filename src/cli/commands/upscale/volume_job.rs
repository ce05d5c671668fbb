//! What becomes of one volume: a job whose pages are its slices.

use std::path::Path;

use super::job::{Job, ModelFacts, named_output};
use crate::batch::naming::{show_scale, shown};
use crate::batch::planned_page::PlannedPage;
use crate::cli::args::destination::Destination;
use crate::cli::args::inputs::Input;
use crate::cli::args::upscale_request::{Originals, UpscaleRequest};
use crate::engine::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::file_id::FileId;
use crate::image::{ImageFormat, Strip};
use crate::volume::bids::result_name;
use crate::volume::nifti::{Form, name_means_packed, without_gz};
use crate::volume::{Plan, Sidecar, sidecar_path};

/// A volume to make.
#[derive(Clone, Debug)]
pub struct VolumeJob {
    /// What is made of what.
    pub plan: Plan,
    /// Whether the result is compressed.
    pub packed: bool,
    /// The input's sidecar.
    pub sidecar: Option<Sidecar>,
}

/// The file to make from the volume `input`.
///
/// # Errors
/// As [`Plan::new`]; `InvalidOption` for options that volumes do not have, and names that are no NIfTI file's.
pub fn volume_job(request: &UpscaleRequest, model: ModelFacts<'_>, input: &Input) -> Result<Job> {
    let settings = &request.settings;
    let mut plan =
        Plan::new(&input.path, request.options.target, model.scale, &request.volumes, &settings.limits())?;
    for (is_given, message) in [
        (
            settings.strip != Strip::Nothing,
            "--strip is for images: it does not remove patient data from volumes",
        ),
        (settings.format.is_some(), "--format is for images: volumes are written as NIfTI"),
        (settings.depth.is_some(), "--depth is for images: expected --datatype for volumes"),
        (settings.quality.is_some(), "--quality is for images: volumes are written without loss"),
        (request.uncertainty.is_some(), "--uncertainty is for images"),
    ] {
        if is_given {
            return Err(invalid(message));
        }
    }
    let page = |(index, (size, target))| PlannedPage { index, size, channels: 1, target };
    let pages = plan.runs().into_iter().enumerate().map(page).collect();
    let mut packed = plan.nifti.is_packed();
    let mut job = Job {
        input: input.clone(),
        bytes: None,
        pages,
        format: ImageFormat::Tiff,
        output: None,
        in_place: false,
        backup: None,
        backup_suffix: None,
        volume: None,
    };
    if request.originals == Originals::Stay {
        let bare = Input { path: without_gz(&input.path), ..input.clone() };
        let ext = if packed { "nii.gz" } else { "nii" };
        let factor = plan.through.then(|| plan.factor());
        job.output = named_output(request, model, &bare, ext, &job.pages[0], factor);
        let is_named = request.template.is_some() || matches!(request.destination, Destination::File(_));
        if let (Some(output), false) = (&mut job.output, is_named)
            && let Some(name) = bids_name(&bare.path, &plan, request.options.target, model.scale)
        {
            output.set_file_name(format!("{name}.{ext}"));
        }
        if let Some(path) = &job.output {
            packed = name_means_packed(path).ok_or_else(|| {
                let to_file = matches!(request.destination, Destination::File(_));
                let what = if to_file { "OUT" } else { "the name of the result" };
                invalid(format!("{what} is {} for a volume: expected .nii or .nii.gz", path.display()))
            })?;
        }
    } else {
        if plan.nifti.form != Form::Single {
            let message = "is one file of a pair, and a result is a single file: expected no --in-place";
            return Err(invalid(message));
        }
        job = job.in_place_of(request)?;
    }
    // In place, the file itself counts, not a link to it.
    let own = job.output.as_deref().filter(|_| job.in_place).unwrap_or(&input.path);
    let sidecar = Sidecar::of(own).unwrap_or_else(|warning| {
        plan.warnings.push(warning);
        None
    });
    if request.preview.is_some() && request.originals == Originals::Replace {
        return Err(invalid(
            "--preview compares with the original, which is lost with --no-backup: expected a backup",
        ));
    }
    if let Some(output) = &job.output
        && !job.in_place
    {
        let (own, new) = (sidecar_path(&input.path), sidecar_path(output));
        let is_own = FileId::of(&own).is_some_and(|id| FileId::of(&new) == Some(id));
        if is_own && sidecar.is_some() {
            let message =
                format!("{} is the sidecar of the input: choose another name or folder", shown(&new));
            return Err(Error::new(ErrorKind::Output, message));
        }
        if sidecar.is_none() && !is_own && new.exists() {
            plan.warnings.push(format!("{} is of another volume, and stays beside the result", shown(&new)));
        }
    } else if request.preview.is_some() && job.output.is_none() {
        return Err(invalid("--preview needs a result in a file: give a file as OUT"));
    } else if sidecar.is_some() && job.output.is_none() {
        plan.warnings.push("its sidecar is left out, as the result goes to standard output".into());
    }
    Ok(Job { volume: Some(Box::new(VolumeJob { plan, packed, sidecar })), ..job })
}

/// The name of the result by the rules of BIDS, if that of the input at `path` follows them.
fn bids_name(path: &Path, plan: &Plan, target: Target, scale: usize) -> Option<String> {
    let factor = match target {
        Target::Scale(factor) if !plan.through => factor,
        Target::Native if !plan.through => scale as f64,
        _ => plan.factor(),
    };
    result_name(path.file_stem()?.to_str()?, &show_scale(factor))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
}
