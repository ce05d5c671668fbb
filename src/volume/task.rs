//! One volume: its voxels examined, enlarged slice by slice, and written.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::intensity::{Survey, Window};
use super::kspace;
use super::nifti::{self, COMMENT, Extension, Header, field};
use super::plan::Plan;
use super::slices::{Outcome, Slices};
use super::summary::Summary;
use crate::engine::{Report, Target, UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::fidelity::Fidelity;
use crate::image::Provenance;
use crate::progress::{CancelToken, Progress};

/// Blocks of finished voxels that may wait until they are written.
const WAITING: usize = 2;

/// Gets warnings and progress of a volume.
pub trait Listener: Progress {
    /// Something was not kept, or deserves a look.
    fn warn(&self, message: &str);
}

/// Writes the whole result once.
pub type Fill<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<()>;

/// A volume to make, and how.
pub struct VolumeTask<'a> {
    /// What is made of what.
    pub plan: &'a Plan,
    /// SHA-256 of the file with the input's voxels, in hexadecimal, if the result is to record how it was made.
    pub hash: Option<String>,
    /// Whether the result is compressed.
    pub packed: bool,
    /// Options for the engine, from the user's settings.
    pub options: &'a UpscaleOptions,
    /// Folder for a temporary file.
    pub folder: &'a Path,
    /// The message for a result that cannot be written.
    pub cannot_write: &'a str,
}

/// What became of a volume.
#[derive(Clone, Debug)]
pub struct Made {
    /// How its slices were made, in all.
    pub report: Report,
    /// What became of it.
    pub summary: Summary,
    /// The stored values that were black and white for the network.
    pub window: Window,
}

impl VolumeTask<'_> {
    /// Makes the volume. `write` gives its argument the place to write to; it is called once all voxels were examined.
    /// Returns what `write` does, and what became of the volume.
    ///
    /// # Errors
    /// Anything that prevents the result.
    pub fn make<T>(
        self,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
        write: impl FnOnce(Fill<'_>) -> Result<T>,
    ) -> Result<(T, Made)> {
        let plan = self.plan;
        plan.warnings.iter().for_each(|warning| listener.warn(warning));
        let survey = Survey::of(&plan.nifti, cancel)?;
        survey.warning.iter().for_each(|warning| listener.warn(warning));
        self.check_range(&survey)?;
        if plan.native && survey.nan > 0 {
            let message = "holds voxels that are NaN, which have no k-space: expected none with --native";
            return Err(Error::new(ErrorKind::Input, message));
        }
        let options = self.engine_options(upscaler, listener);
        let report = planned(upscaler, plan, &options)?;
        let mut header = plan.nifti.header.clone();
        plan.geometry.refine(&mut header, plan.sides).iter().for_each(|said| listener.warn(said));
        if header.version() != plan.nifti.header.version() {
            listener.warn("a side is longer than NIfTI-1 can store (32767): written as NIfTI-2");
        }
        header.set(field::DATATYPE, 0, plan.datatype.code() as f64);
        header.set(field::BITPIX, 0, 8.0 * plan.datatype.bytes() as f64);
        let extensions = self.record(&mut header, upscaler, &report);
        let slices = Slices {
            plan,
            window: Window::of(&survey),
            options,
            folder: self.folder,
            resizer: plan.resizer(),
        };
        let mut outcome = Outcome::default();
        let written = write(&mut |out| {
            outcome = self.fill(out, &header, &extensions, &slices, upscaler, listener, cancel)?;
            Ok(())
        })?;
        let mut summary = if plan.is_copy() {
            Summary::new(plan, &survey, (0, 0), None)
        } else {
            let figures = Some((&outcome.figures, &slices.window));
            Summary::new(plan, &survey, (outcome.made, outcome.flat), figures)
        };
        if !plan.is_copy() {
            let found = if plan.native { [None; 3] } else { kspace::acquired(&plan.nifti, cancel)? };
            summary.note_acquired(std::array::from_fn(|axis| plan.acquired[axis].or(found[axis])));
        }
        // A volume of air alone does not need the network.
        let report = outcome.report.unwrap_or(Report { passes: 0, ..report });
        Ok((written, Made { report, summary, window: slices.window }))
    }

    /// Refuses a `--datatype` that cannot hold the input's values.
    fn check_range(&self, survey: &Survey) -> Result<()> {
        let (datatype, own) = (self.plan.datatype, self.plan.nifti.datatype);
        let ((low, high), (least, most)) = (datatype.range(), survey.range);
        if datatype == own || low <= least && most <= high {
            return Ok(());
        }
        let name = datatype.name();
        let message = format!(
            "datatype is {name}, which holds {low} to {high}, and voxels are {least} to {most}: expected a type that holds \
             them"
        );
        Err(Error::new(ErrorKind::InvalidOption, message))
    }

    /// Options with the preset's back-projection left out. It assumes the model's kernel; where the scanner's was another,
    /// as with truncated k-space, it brings ringing back as a grid of dots.
    fn engine_options(&self, upscaler: &Upscaler, listener: &dyn Listener) -> UpscaleOptions {
        let mut options = self.options.clone();
        if options.consistency.is_none() {
            let preset = options.preset.as_ref().and_then(|name| upscaler.manifest().presets.get(name));
            if preset.is_some_and(|preset| preset.consistency.is_some_and(|rounds| rounds > 0)) {
                listener.warn(
                    "the preset's back-projection is left out for volumes: it brings back ringing of truncated k-space; \
                     --consistency asks for it",
                );
            }
            options.consistency = Some(0);
        }
        options
    }

    /// The extensions of the result: the input's, and how it was made.
    fn record(&self, header: &mut Header, upscaler: &Upscaler, report: &Report) -> Vec<Extension> {
        let mut extensions = self.plan.nifti.extensions.clone();
        if let Some(hash) = &self.hash {
            let record = upscaler.provenance(report, self.plan.factor(), hash.clone());
            let record =
                Provenance { native: self.plan.native.then_some(self.plan.geometry.sides), ..record };
            let text = serde_json::to_string(&record).unwrap_or_default();
            extensions.push(Extension::comment(&text, header.order()));
            debug_assert_eq!(extensions.last().map(Extension::code), Some(COMMENT));
            if !header.has_text(field::DESCRIP) {
                header.set_text(field::DESCRIP, &record.software);
            }
        }
        extensions
    }

    /// Makes slices in one thread and writes them in another.
    #[allow(clippy::too_many_arguments, reason = "they belong to different owners")]
    fn fill(
        &self,
        out: &mut dyn Write,
        header: &Header,
        extensions: &[Extension],
        slices: &Slices<'_>,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
    ) -> Result<Outcome> {
        let fail = |error: io::Error| Error::with_source(ErrorKind::Output, self.cannot_write, error);
        thread::scope(|scope| {
            let (send, finished) = sync_channel::<Vec<u8>>(WAITING);
            let worker = scope.spawn(move || {
                // If nobody takes blocks any more, the writer has failed and reports why.
                let take = |block: Vec<u8>| send.send(block).map_err(|_| Error::cancelled());
                slices.make(upscaler, listener, cancel, take)
            });
            let packing = self.packed.then_some(self.plan.gz_level);
            let mut bytes = 0;
            let written = nifti::write(out, header, extensions, packing, self.cannot_write, |voxels| {
                for block in finished {
                    voxels.write_all(&block).map_err(fail)?;
                    bytes += block.len() as u64;
                }
                Ok(())
            });
            let outcome = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            written?;
            let outcome = outcome?;
            if bytes != self.plan.result_bytes() {
                let message = format!("internal error (please report): {bytes} bytes of voxels");
                return Err(Error::new(ErrorKind::Output, message));
            }
            Ok(outcome)
        })
    }
}

/// The report of a slice before it is made: what the record tells.
fn planned(upscaler: &Upscaler, plan: &Plan, options: &UpscaleOptions) -> Result<Report> {
    let ((width, height), target) = plan.runs()[0];
    let target = Target::Size { width: target.0 as u32, height: target.1 as u32 };
    let options = &UpscaleOptions { target, ..options.clone() };
    let of_slice = upscaler.plan(width, height, 1, options)?;
    Ok(Report {
        sampling: of_slice.sampling,
        seed: options.seed,
        cleanup: options.cleanup,
        passes: of_slice.passes.len(),
        tiles: 0,
        retries: 0,
        fidelity: Fidelity { max_error: 0.0, mean_error: 0.0, drift: vec![0.0], off: 0.0, rounds: 0 },
        seconds: 0.0,
        network_seconds: 0.0,
    })
}
