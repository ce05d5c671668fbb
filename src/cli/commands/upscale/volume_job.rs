//! What becomes of one volume: a job whose pages are its slices.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::job::{Job, ModelFacts, named_output};
use crate::batch::naming::{show_scale, shown};
use crate::batch::planned_page::PlannedPage;
use crate::cli::args::destination::Destination;
use crate::cli::args::inputs::{Collected, Failure, Input};
use crate::cli::args::upscale_request::{Originals, UpscaleRequest};
use crate::engine::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::file_id::FileId;
use crate::image::{ImageFormat, Strip};
use crate::settings::cleanup::Cleanup;
use crate::settings::deblur::Deblur;
use crate::volume::bids::result_name;
use crate::volume::dicom::{EXTENSION, Member, Series};
use crate::volume::nifti::{Form, name_means_packed, without_gz};
use crate::volume::{Output, Plan, Sidecar, Source, sidecar_path};

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

/// The file to make from the volume `input`; `like` is what `--like` names.
///
/// # Errors
/// As [`Plan::new`]; `InvalidOption` for options that volumes do not have, and names that neither a NIfTI file nor a folder
/// has.
pub fn volume_job(
    request: &UpscaleRequest,
    model: ModelFacts<'_>,
    like: Option<&Collected>,
    input: &Input,
) -> Result<Job> {
    let settings = &request.settings;
    let (target, scale, options, limits) =
        (request.options.target, model.scale, &request.volumes, settings.limits());
    let mut plan = match &input.series {
        Some(member) => {
            Plan::of(Source::Series(Arc::clone(&member.series)), target, scale, options, &limits)?
        }
        None => Plan::new(&input.path, target, scale, options, &limits)?,
    };
    for (is_given, message) in [
        (
            settings.strip != Strip::Nothing,
            "--strip is for images: it does not remove patient data from volumes",
        ),
        (
            settings.cleanup == Some(Cleanup::Auto),
            "--cleanup auto is for images: the noise of volumes cannot be told from anatomy; expected 0 to 1",
        ),
        (
            settings.deblur.is_some_and(|deblur| deblur != Deblur::Factor(1)),
            "--deblur is for images: --native makes a volume as small as it was acquired",
        ),
        (settings.format.is_some(), "--format is for images: volumes are written as NIfTI or DICOM"),
        (settings.depth.is_some(), "--depth is for images: expected --datatype for volumes"),
        (settings.quality.is_some(), "--quality is for images: volumes are written without loss"),
    ] {
        if is_given {
            return Err(Error::invalid_option(message));
        }
    }
    let series = series(request, like, input)?;
    if request.uncertainty.is_some() && plan.is_through() {
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
    let mut packed = plan.source.is_packed();
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
        let bare = match &input.series {
            None => without_gz(&input.path),
            Some(member) => stem(member, &input.relative),
        };
        let bare = Input { path: bare, ..input.clone() };
        let ext = match &series {
            Some(_) => EXTENSION,
            None if packed => "nii.gz",
            None => "nii",
        };
        let factor = plan.is_through().then(|| plan.factor());
        job.output = named_output(request, model, &bare, ext, &job.pages[0], factor);
        let to_file = matches!(request.destination, Destination::File(_));
        let is_named = request.template.is_some() || to_file;
        if let (Some(output), None, false) = (&mut job.output, &series, is_named)
            && let Some(name) = bids_name(&bare.path, &plan, request.options.target, model.scale)
        {
            output.set_file_name(format!("{name}.{ext}"));
        }
        let named = job.output.as_deref().map(|path| (path, name_means_packed(path)));
        match (series, named) {
            (Some(series), Some((path, None))) if !to_file => {
                // A folder for the series is called by the name that a file would have.
                let is_file = path.extension().is_some_and(|extension| extension == EXTENSION);
                job.output = Some(if is_file { path.with_extension("") } else { path.to_path_buf() });
                plan = plan.into_dicom(series)?;
            }
            (_, Some((path, None))) => {
                let what = if to_file { "OUT" } else { "the name of the result" };
                let dicom = if input.series.is_some() || request.like.is_some() {
                    ", or for DICOM a folder, with a trailing /"
                } else {
                    ""
                };
                let path = path.display();
                return Err(Error::invalid_option(format!(
                    "{what} is {path} for a volume: expected .nii or .nii.gz{dicom}"
                )));
            }
            (_, named) if request.like.is_some() => {
                let what = named.map_or("standard output".into(), |(path, _)| path.display().to_string());
                return Err(Error::invalid_option(format!(
                    "--like writes DICOM, and OUT is {what}: expected a folder"
                )));
            }
            (_, Some((_, Some(is_packed)))) => packed = is_packed,
            (_, None) => {}
        }
    } else {
        let why = match (&plan.source, plan.source.form()) {
            (Source::Series(_), _) => Some("is a DICOM series, and a result is a series of its own"),
            (_, Form::Single) => None,
            _ => Some("is one file of a pair, and a result is a single file"),
        };
        if let Some(why) = why {
            let message = format!("{why}: expected no --in-place");
            return Err(Error::invalid_option(message));
        }
        job = job.in_place_of(request)?;
    }
    // In place, the file itself counts, not a link to it.
    let own = job.output.as_deref().filter(|_| job.in_place).unwrap_or(&input.path);
    let is_file = input.series.is_none() && matches!(plan.output, Output::Nifti);
    let sidecar = if is_file { Sidecar::of(own) } else { Ok(None) };
    let sidecar = sidecar.unwrap_or_else(|warning| {
        plan.warnings.push(warning);
        None
    });
    if request.preview.is_some() {
        check_preview(request, &job, is_file)?;
    }
    if let Some(output) = &job.output
        && !job.in_place
        && is_file
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
    } else if sidecar.is_some() && job.output.is_none() {
        plan.warnings.push("its sidecar is left out, as the result goes to standard output".into());
    }
    Ok(Job { volume: Some(Box::new(VolumeJob { plan, packed, sidecar })), ..job })
}

/// Whether a volume and its result are files that a picture can be drawn of.
fn check_preview(request: &UpscaleRequest, job: &Job, is_file: bool) -> Result<()> {
    if !is_file {
        return Err(Error::invalid_option("--preview cannot draw DICOM: expected NIfTI as input and result"));
    }
    if request.originals == Originals::Replace {
        return Err(Error::invalid_option(
            "--preview compares with the original, which is lost with --no-backup: expected a backup",
        ));
    }
    if job.output.is_none() {
        return Err(Error::invalid_option("--preview needs a result in a file: give a file as OUT"));
    }
    Ok(())
}

/// The name of the result by the rules of BIDS, if that of the input at `path` follows them.
fn bids_name(path: &Path, plan: &Plan, target: Target, scale: usize) -> Option<String> {
    let factor = match target {
        Target::Scale(factor) if !plan.is_through() => factor,
        Target::Native if !plan.is_through() => scale as f64,
        _ => plan.factor(),
    };
    result_name(path.file_stem()?.to_str()?, &show_scale(factor))
}

/// The series whose attributes the result of `input` may take.
fn series(request: &UpscaleRequest, like: Option<&Collected>, input: &Input) -> Result<Option<Arc<Series>>> {
    let (Some(path), Some(like)) = (&request.like, like) else {
        return Ok(input.series.as_ref().map(|member| Arc::clone(&member.series)));
    };
    if input.series.is_some() {
        return Err(Error::invalid_option("--like is for NIfTI: a DICOM series has attributes of its own"));
    }
    if let Some(Failure { input, error, .. }) = like.failures.first() {
        let message = format!("--like: {}: {}", shown(input), error.report());
        return Err(Error::new(error.kind(), message));
    }
    let members: Vec<_> = like.inputs.iter().filter_map(|input| input.series.as_ref()).collect();
    match members[..] {
        [member] => Ok(Some(Arc::clone(&member.series))),
        _ => {
            let (path, count) = (shown(path), members.len());
            Err(Error::invalid_option(format!("--like: {path} holds {count} DICOM series: expected one")))
        }
    }
}

/// The path of a series, as names of results begin with it, with an extension to be left out.
fn stem(member: &Member, relative: &Path) -> PathBuf {
    let extension = relative.extension().and_then(OsStr::to_str).unwrap_or_default();
    // Other files and folders are named by numbers with dots.
    let is_known = ["dcm", "dicom", "ima", "zip"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    let own = if is_known { relative.with_extension("") } else { relative.to_path_buf() };
    let mut name = own.file_name().unwrap_or_default().to_os_string();
    if let Some(suffix) = &member.suffix {
        name.push("_");
        name.push(suffix);
    }
    name.push(".dcm");
    match member.path.canonicalize() {
        Ok(path) if member.path.file_name().is_none() => path.with_file_name(name),
        _ => member.path.with_file_name(name),
    }
}
