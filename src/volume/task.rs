//! One volume: its voxels examined, enlarged slice by slice, and written.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::dicom::{self, Making, Series};
use super::intensity::{Survey, Window};
use super::kspace;
use super::mask::Mask;
use super::nifti::{self, Extension, Header, field};
use super::options::ConsistencyKernel;
use super::plan::{Output, Plan};
use super::region::Region;
use super::slices::{Block, MAP, Outcome, Slices};
use super::source::Source;
use super::summary::Summary;
use crate::engine::{Report, Target, UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::fidelity::Fidelity;
use crate::progress::{CancelToken, Progress};

/// Blocks of finished voxels that may wait until they are written.
const WAITING: usize = 2;

/// Gets warnings and progress of a volume.
pub trait Listener: Progress {
    /// Something was not kept, or deserves a look.
    fn warn(&self, message: &str);
}

/// Where a result is written.
pub enum Sink<'a> {
    /// A NIfTI file.
    File(&'a mut dyn Write),
    /// An empty folder for the files of a DICOM series.
    Folder(&'a Path),
}

/// Writes the whole result once.
pub type Fill<'a> = &'a mut dyn FnMut(Sink<'_>) -> Result<()>;

/// A volume to make, and how.
pub struct VolumeTask<'a, 'm> {
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
    /// Where the map goes, if options ask for uncertainty.
    pub map: Option<Map<'m>>,
}

/// Where the standard deviation of every voxel goes.
pub struct Map<'a> {
    /// Its file.
    pub out: &'a mut dyn Write,
    /// Whether it is compressed.
    pub packed: bool,
    /// The message for a map that cannot be written.
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

impl VolumeTask<'_, '_> {
    /// Makes the volume. `write` gives its argument the place to write to; it is called once all voxels were examined.
    /// Returns what `write` does, and what became of the volume.
    ///
    /// # Errors
    /// Anything that prevents the result.
    pub fn make<T>(
        mut self,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
        write: impl FnOnce(Fill<'_>) -> Result<T>,
    ) -> Result<(T, Made)> {
        let (plan, mut map) = (self.plan, self.map.take());
        plan.warnings.iter().for_each(|warning| listener.warn(warning));
        let survey = Survey::of(&plan.source, cancel)?;
        survey.warning.iter().for_each(|warning| listener.warn(warning));
        self.check_range(&survey)?;
        if plan.is_native() && survey.nan > 0 {
            let message = "holds voxels that are NaN, which have no k-space: expected none with --native";
            return Err(Error::new(ErrorKind::Input, message));
        }
        if let (Output::Dicom(series), Source::Nifti(nifti)) = (&plan.output, &plan.source) {
            let (slope, intercept) = nifti.header.scaling().unwrap_or((1.0, 0.0));
            let (a, b) = (survey.range.0 * slope + intercept, survey.range.1 * slope + intercept);
            dicom::check_storable(series, (a.min(b), a.max(b)))?;
        }
        let options = self.engine_options()?;
        let (report, reach) = planned(upscaler, plan, &options)?;
        let mut header = plan.header.clone();
        plan.geometry.refine(&mut header, plan.sides).iter().for_each(|said| listener.warn(said));
        if header.version() != plan.source.header().version() && matches!(plan.output, Output::Nifti) {
            listener.warn("a side is longer than NIfTI-1 can store (32767): written as NIfTI-2");
        }
        header.set(field::DATATYPE, 0, plan.datatype.code() as f64);
        header.set(field::BITPIX, 0, 8.0 * plan.datatype.bytes() as f64);
        let mask = plan.mask.as_ref().map(|mask| Mask::read(mask, cancel)).transpose()?;
        let window = Window::of(&survey);
        let region = Region::new(&survey, &window, mask, reach, plan.geometry.sides);
        let (folder, resizer) = (self.folder, plan.resizer());
        let made_before = Mutex::default();
        let is_put_back = plan.options.consistency_kernel == Some(ConsistencyKernel::Kspace);
        let zero = zero(plan.source.header(), &survey).map(|zero| window.normalized(zero));
        let mut slices =
            Slices { plan, window, region, options, folder, resizer, is_put_back, zero, made_before };
        if self.may_agree(&report) {
            slices.is_put_back = slices.are_truncated(upscaler, listener, cancel)?;
        }
        let is_put_back = slices.is_put_back;
        if !is_put_back {
            self.warn_of_preset(upscaler, listener);
        }
        let extensions = self.record(&mut header, upscaler, &report, is_put_back)?;
        let mut outcome = Outcome::default();
        if plan.is_copy() && map.is_some() {
            let message = "the result is a copy, which has no uncertainty: expected a larger one";
            return Err(Error::invalid_option(message));
        }
        if map.is_some() && report.sampling.steps == 1 {
            listener.warn(
                "with one step all seeds give the same result, so the uncertainty is 0 everywhere; that does not mean that \
                 nothing is invented: ask for more --steps",
            );
        }
        // After the result is in its place nothing may fail, and the source may have been replaced.
        let is_examined = !plan.is_copy() && !plan.is_native() && !plan.source.is_derived();
        let found = if is_examined { kspace::acquired(&plan.source, cancel)? } else { [None; 3] };
        let run = Run { slices: &slices, upscaler, listener, cancel };
        let fill = |sink: Sink<'_>, map: Option<OpenMap<'_>>| match (sink, &plan.output) {
            (Sink::Folder(folder), Output::Dicom(series)) => {
                let making = self.making(series, upscaler, &report, is_put_back)?;
                self.fill_folder(folder, map, series, making, &run)
            }
            (Sink::File(out), Output::Nifti) => self.fill(out, map, &header, &extensions, &run),
            _ => Err(internal("NIfTI goes to a file, and DICOM to a folder")),
        };
        let written = write(&mut |sink| {
            let Some(Map { out, packed, cannot_write }) = &mut map else {
                outcome = fill(sink, None)?;
                return Ok(());
            };
            let packing = packed.then_some(plan.options.gz_level);
            nifti::write(*out, &map_header(&header), &[], packing, cannot_write, |out| {
                outcome = fill(sink, Some(OpenMap { out, cannot_write }))?;
                Ok(())
            })
        })?;
        let mut summary = if plan.is_copy() {
            Summary::new(plan, &survey, (0, 0), None)
        } else {
            let figures = Some((&outcome.figures, &slices.window));
            Summary::new(plan, &survey, (outcome.made, outcome.flat), figures)
        };
        summary.kspace = is_put_back;
        if !plan.is_copy() {
            summary.note_acquired(std::array::from_fn(|axis| plan.acquired[axis].or(found[axis])));
        }
        // A volume of air alone does not need the network.
        let report = outcome.report.unwrap_or(Report { passes: 0, ..report });
        Ok((written, Made { report, summary, window: slices.window }))
    }

    /// Refuses a `--datatype` that cannot hold the input's values.
    fn check_range(&self, survey: &Survey) -> Result<()> {
        let (datatype, own) = (self.plan.datatype, self.plan.source.datatype());
        let ((low, high), (least, most)) = (datatype.range(), survey.range);
        if datatype == own || low <= least && most <= high {
            return Ok(());
        }
        let name = datatype.name();
        let message = format!(
            "datatype is {name}, which holds {low} to {high}, and voxels are {least} to {most}: expected a type that holds \
             them"
        );
        Err(Error::invalid_option(message))
    }

    /// Options with the preset's back-projection left out, unless the kernel of acquisition is known to be the model's. Where
    /// it was another, as with truncated k-space, back-projection brings ringing back as a grid of dots.
    fn engine_options(&self) -> Result<UpscaleOptions> {
        let mut options = self.options.clone();
        let kernel = self.plan.options.consistency_kernel;
        if kernel == Some(ConsistencyKernel::Kspace) {
            // It is done once and by itself, after the engine.
            let other = if options.consistency.is_some_and(|rounds| rounds > 0) {
                "--consistency"
            } else if options.uncertainty.is_some() {
                "--uncertainty"
            } else {
                options.consistency = Some(0);
                return Ok(options);
            };
            let message =
                format!("{other} does not go with --consistency-kernel kspace: expected one of them");
            return Err(Error::invalid_option(message));
        }
        if kernel.is_none() {
            options.consistency = options.consistency.or(Some(0));
        }
        Ok(options)
    }

    /// Whether the result may be made to agree with the k-space of its slices: one step of whole slices in the plane, of
    /// which nobody says how, or that they should not.
    fn may_agree(&self, report: &Report) -> bool {
        let (plan, options) = (self.plan, self.options);
        let is_asked = plan.options.consistency_kernel.is_some() || options.consistency.is_some();
        let is_plain = report.sampling.steps == 1 && !options.repairs() && options.uncertainty.is_none();
        let is_finer = plan.sides.iter().zip(plan.geometry.sides).all(|(new, old)| *new >= old);
        is_plain && !is_asked && is_finer && !plan.is_copy() && !plan.is_through() && plan.mask.is_none()
    }

    /// Warns that the preset's back-projection is left out, if it has any.
    fn warn_of_preset(&self, upscaler: &Upscaler, listener: &dyn Listener) {
        let preset = self.options.preset.as_ref().and_then(|name| upscaler.manifest().presets.get(name));
        let has_rounds = preset.is_some_and(|preset| preset.consistency.is_some_and(|rounds| rounds > 0));
        if has_rounds && self.options.consistency.is_none() && self.plan.options.consistency_kernel.is_none()
        {
            listener.warn(
                "the preset's back-projection is left out for volumes: it brings back ringing of truncated k-space; \
                 --consistency-kernel bicubic asks for it",
            );
        }
    }

    /// Makes slices in one thread and writes them to a file in another.
    fn fill(
        &self,
        out: &mut dyn Write,
        map: Option<OpenMap<'_>>,
        header: &Header,
        extensions: &[Extension],
        run: &Run<'_>,
    ) -> Result<Outcome> {
        let packing = self.packed.then_some(self.plan.options.gz_level);
        self.made(run, map, |finished| {
            nifti::write(out, header, extensions, packing, self.cannot_write, |voxels| {
                for block in finished {
                    voxels.write_all(&block?).map_err(|error| cannot(self.cannot_write, error))?;
                }
                Ok(())
            })
        })
    }

    /// Makes slices in one thread and writes them as files of a DICOM series in another.
    fn fill_folder(
        &self,
        folder: &Path,
        map: Option<OpenMap<'_>>,
        series: &Series,
        making: Making,
        run: &Run<'_>,
    ) -> Result<Outcome> {
        let mut writer = dicom::Writer::new(series, making, folder, self.cannot_write)?;
        let outcome = self.made(run, map, |finished| {
            for block in finished {
                writer.push(&block?)?;
            }
            Ok(())
        })?;
        writer.finish()?.iter().for_each(|said| run.listener.warn(said));
        Ok(outcome)
    }

    /// Makes slices in one thread, and hands them to `write`, block by block, in this one; blocks of the map go there.
    fn made(
        &self,
        run: &Run<'_>,
        mut map: Option<OpenMap<'_>>,
        write: impl FnOnce(&mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<()>,
    ) -> Result<Outcome> {
        thread::scope(|scope| {
            let (send, finished) = sync_channel::<Block>(WAITING);
            let worker = scope.spawn(move || {
                // If nobody takes blocks any more, the writer has failed and reports why.
                let take = |block: Block| send.send(block).map_err(|_| Error::cancelled());
                run.slices.make(run.upscaler, run.listener, run.cancel, take)
            });
            let mut bytes = 0;
            let written = write(&mut finished.into_iter().filter_map(|block| match block {
                Block::Result(block) => {
                    bytes += block.len() as u64;
                    Some(Ok(block))
                }
                Block::Map(block) => {
                    let map = map.as_mut()?;
                    map.out.write_all(&block).err().map(|error| Err(cannot(map.cannot_write, error)))
                }
            }));
            let outcome = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            written?;
            let outcome = outcome?;
            if bytes != self.plan.result_bytes() {
                return Err(internal(&format!("{bytes} bytes of voxels")));
            }
            Ok(outcome)
        })
    }
}

/// The file of a map, its header written.
struct OpenMap<'a> {
    out: &'a mut dyn Write,
    cannot_write: &'a str,
}

fn cannot(message: &str, error: io::Error) -> Error {
    Error::with_source(ErrorKind::Output, message, error)
}

/// What slices are made with.
struct Run<'a> {
    slices: &'a Slices<'a>,
    upscaler: &'a Upscaler,
    listener: &'a dyn Listener,
    cancel: &'a CancelToken,
}

/// The stored value of no signal, where voxels are magnitudes: none is less.
fn zero(header: &Header, survey: &Survey) -> Option<f64> {
    let (slope, inter) = header.scaling().unwrap_or((1.0, 0.0));
    let zero = -inter / slope;
    (slope > 0.0 && survey.range.0 >= zero).then_some(zero)
}

fn internal(what: &str) -> Error {
    Error::new(ErrorKind::Output, format!("internal error (please report): {what}"))
}

/// The header of a map of uncertainty, from that of the result.
fn map_header(result: &Header) -> Header {
    let mut header = result.clone();
    header.set(field::DATATYPE, 0, MAP.code() as f64);
    header.set(field::BITPIX, 0, 8.0 * MAP.bytes() as f64);
    for (field, value) in
        [(field::SCL_SLOPE, 1.0), (field::SCL_INTER, 0.0), (field::CAL_MAX, 0.0), (field::CAL_MIN, 0.0)]
    {
        header.set(field, 0, value);
    }
    header.set_text(field::DESCRIP, "standard deviation over seeds");
    header
}

/// The report of a slice before it is made, which is what the record tells; and how far the network sees.
fn planned(upscaler: &Upscaler, plan: &Plan, options: &UpscaleOptions) -> Result<(Report, usize)> {
    let ((width, height), target) = plan.runs()[0];
    let target = Target::Size { width: target.0 as u32, height: target.1 as u32 };
    let options = &UpscaleOptions { target, ..options.clone() };
    let of_slice = upscaler.plan(width, height, 1, options)?;
    let report = Report {
        sampling: of_slice.sampling,
        seed: options.seed,
        cleanup: options.cleanup,
        deblur: options.deblur,
        passes: of_slice.passes.len(),
        tiles: 0,
        retries: 0,
        fidelity: Fidelity { max_error: 0.0, mean_error: 0.0, drift: vec![0.0], off: 0.0, rounds: 0 },
        seconds: 0.0,
        network_seconds: 0.0,
    };
    Ok((report, upscaler.reach(&of_slice)))
}
