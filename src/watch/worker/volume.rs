//! One volume in the worker process: made slice by slice, with its sidecar.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::making::{CANNOT_WRITE, WorkerObserver, cannot_write, fault_of_file, with_temporary};
use super::protocol::{Job, Made, remove_temporaries, sidecar_temporary};
use crate::batch::naming::show_scale;
use crate::engine::{UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::{hash_file, sha256_hex};
use crate::image::Strip;
use crate::progress::CancelToken;
use crate::report::shown::Shown;
use crate::volume::bids::reference;
use crate::volume::nifti::{Form, is_volume};
use crate::volume::{Origin, Plan, Sidecar, Sink, VolumeOptions, VolumeTask};
use crate::watch::source::stamp::Stamp;

/// A volume that has the contents that the ledger knows.
pub struct VolumeSource {
    stamp: Stamp,
}

/// Whether the result of `job` has a sidecar, which depends on more than its contents.
pub fn has_sidecar(job: &Job) -> bool {
    is_volume(&job.input) && !matches!(Sidecar::of(&job.input), Ok(None))
}

fn stamp(path: &Path) -> Result<Stamp> {
    let data =
        fs::metadata(path).map_err(|error| Error::with_source(ErrorKind::Input, "cannot read", error))?;
    Ok(Stamp::of(&data))
}

impl VolumeSource {
    /// The volume of `job`.
    ///
    /// # Errors
    /// Why it cannot be read; `None` where it is not what the ledger knows.
    pub fn read(job: &Job) -> std::result::Result<Self, Option<Error>> {
        let stamp = stamp(&job.input).map_err(Some)?;
        let hash = hash_file(&job.input)
            .map_err(|error| Some(Error::with_source(ErrorKind::Input, "cannot read", error)))?;
        if hash == job.hash { Ok(Self { stamp }) } else { Err(None) }
    }

    /// What is made of the volume of `job` by a model of factor `scale`.
    ///
    /// # Errors
    /// As [`Plan::new`]; `Limit` for settings that volumes do not have.
    pub fn plan(job: &Job, scale: usize) -> Result<Plan> {
        let settings = &job.settings;
        if settings.strip != Strip::Nothing {
            let message = "strip is for images: it does not remove patient data from volumes";
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let options = VolumeOptions::default();
        let plan = Plan::new(&job.input, settings.target(), scale, &options, &settings.limits());
        let plan = plan.map_err(fault_of_file)?;
        if plan.source.form() != Form::Single {
            let message = "is one file of a pair: expected a single file, .nii or .nii.gz";
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(plan)
    }

    /// Makes the result, and its sidecar if the volume has one, and writes them to the temporaries of `job`, down to the
    /// disk.
    ///
    /// # Errors
    /// Whatever keeps them from being made; `None` where the volume changed meanwhile. There are no temporaries then.
    pub fn make(
        self,
        job: &Job,
        plan: &Plan,
        (upscaler, options, cancel): (&Upscaler, &UpscaleOptions, &CancelToken),
        start: Instant,
    ) -> std::result::Result<Made, Option<Error>> {
        let mut warnings = Vec::new();
        let sidecar = Sidecar::of(&job.input).unwrap_or_else(|warning| {
            warnings.push(warning);
            None
        });
        let folder = job.temporary.parent().unwrap_or(Path::new("."));
        let task = VolumeTask {
            plan,
            hash: job.settings.provenance().then(|| job.hash.clone()),
            packed: plan.source.is_packed(),
            options,
            folder,
            cannot_write: CANNOT_WRITE,
            map: None,
        };
        let observer = WorkerObserver::new(warnings);
        observer.mark();
        let made = task.make(upscaler, &observer, cancel, |fill| {
            with_temporary(&job.temporary, |file| fill(Sink::File(file)))
        });
        let ((), made) = made.map_err(fault_of_file).map_err(Some)?;
        let mut state = observer.end();
        let sidecar =
            sidecar.map(|own| put_sidecar(&own, job, plan, upscaler, &mut state.warnings)).transpose();
        // The record names the contents that were hashed.
        let checked = sidecar.map_err(Some).and_then(|sidecar| {
            let hash = hash_file(&job.temporary).map_err(cannot_write).map_err(Some)?;
            if stamp(&job.input).map_err(Some)? == self.stamp { Ok((hash, sidecar)) } else { Err(None) }
        });
        let (hash, sidecar) = checked.inspect_err(|_| remove_temporaries(&job.temporary))?;
        let (width, height) = plan.target();
        Ok(Made {
            hash,
            width,
            height,
            ext: if plan.source.is_packed() { "nii.gz".into() } else { "nii".into() },
            scale: show_scale(plan.factor()),
            model: upscaler.manifest().name.clone(),
            seconds: start.elapsed().as_secs_f64(),
            engine_began: state.engine_began,
            engine_seconds: made.report.seconds,
            network_seconds: made.report.network_seconds,
            reused: false,
            warnings: state.warnings,
            damage: None,
            sidecar,
            shown: Shown::volume(&made.report, plan.is_copy()),
        })
    }
}

/// Writes the sidecar of the result, and returns its hash; `warnings` gets what it could not keep.
fn put_sidecar(
    own: &Sidecar,
    job: &Job,
    plan: &Plan,
    upscaler: &Upscaler,
    warnings: &mut Vec<String>,
) -> Result<String> {
    let manifest = upscaler.manifest();
    let model = &format!("{} {}", manifest.name, manifest.version);
    let folder = job.temporary.parent().unwrap_or(Path::new("."));
    let origin = Origin { source: Some(reference(&job.input, folder)), model };
    let (text, notes) = own.of_result(plan, job.settings.provenance().then_some(&origin));
    warnings.extend(notes);
    let path = sidecar_temporary(&job.temporary);
    with_temporary(&path, |file| file.write_all(text.as_bytes()).map_err(cannot_write))?;
    Ok(sha256_hex(text.as_bytes()))
}
