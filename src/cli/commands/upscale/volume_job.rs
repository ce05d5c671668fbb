//! What becomes of one volume: a job whose pages are its slices.

use super::job::{Job, ModelFacts, named_output};
use crate::batch::planned_page::PlannedPage;
use crate::cli::args::destination::Destination;
use crate::cli::args::inputs::Input;
use crate::cli::args::upscale_request::{Originals, UpscaleRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{ImageFormat, Strip};
use crate::volume::Plan;
use crate::volume::nifti::{Form, name_means_packed, without_gz};

/// A volume to make.
#[derive(Clone, Debug)]
pub struct VolumeJob {
    /// What is made of what.
    pub plan: Plan,
    /// Whether the result is compressed.
    pub packed: bool,
}

/// The file to make from the volume `input`.
///
/// # Errors
/// As [`Plan::new`]; `InvalidOption` for options that volumes do not have, and names that are no NIfTI file's.
pub fn volume_job(request: &UpscaleRequest, model: ModelFacts<'_>, input: &Input) -> Result<Job> {
    let settings = &request.settings;
    let plan =
        Plan::new(&input.path, request.options.target, model.scale, &request.volumes, &settings.limits())?;
    for (is_given, message) in [
        (
            settings.strip != Strip::Nothing,
            "--strip is for images: it does not remove patient data from volumes",
        ),
        (settings.format.is_some(), "--format is for images: volumes are written as NIfTI"),
        (settings.depth.is_some(), "--depth is for images: expected --datatype for volumes"),
        (settings.quality.is_some(), "--quality is for images: volumes are written without loss"),
    ] {
        if is_given {
            return Err(invalid(message));
        }
    }
    if request.uncertainty.is_some() && plan.through {
        // The result, another one, and sums over all of them.
        let bytes = plan.sides.iter().fold(16u64, |bytes, side| bytes.saturating_mul(*side as u64));
        let most = settings.limits().max_decode_bytes;
        if bytes > most {
            let message = format!(
                "the uncertainty through the plane takes {bytes} bytes of memory: expected at most {most}"
            );
            return Err(Error::new(ErrorKind::Limit, message));
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
        volume: None,
    };
    if request.originals == Originals::Stay {
        let bare = Input { path: without_gz(&input.path), ..input.clone() };
        let ext = if packed { "nii.gz" } else { "nii" };
        let factor = plan.through.then(|| plan.factor());
        job.output = named_output(request, model, &bare, ext, &job.pages[0], factor);
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
    Ok(Job { volume: Some(Box::new(VolumeJob { plan, packed })), ..job })
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
}
