//! Jobs: settings, and an image at a time through the engine.

use std::ffi::{c_char, c_void};
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partdiff::image::{Image, ImageFormat, SampleDepth, prepare_for_model};
use partdiff::settings::repair::Repair;
use partdiff::{CancelToken, ErrorKind, Limits, UpscaleOptions};

use crate::abi::{
    partdiff_job, partdiff_model, partdiff_progress, partdiff_status, partdiff_status as Status,
};
use crate::context::give_failure;
use crate::failure::Failure;
use crate::guard::{guard, guard_alone};
use crate::handles::{self, Object};
use crate::image::Form;
use crate::model::Model;
use crate::options::{JobSettings, Value};
use crate::run::{HostCall, Sink, Source, Strip, attend, in_callback, read};
use crate::strings::{give, optional, put, required, unknown_key};

/// Largest profile taken; real ones have some megabytes at most.
const MAX_PROFILE_BYTES: usize = 64 << 20;

/// Behind a `partdiff_job`.
pub struct Job {
    model: Arc<Model>,
    settings: Mutex<JobSettings>,
    at_work: AtomicBool,
    /// For the run under way or the next one.
    cancel: Mutex<CancelToken>,
    outcome: Mutex<Outcome>,
    failure: Mutex<String>,
}

/// What the latest run had to say.
#[derive(Default)]
struct Outcome {
    warnings: Vec<String>,
    report: String,
}

impl Object for Job {
    type Handle = partdiff_job;
    const NAME: &'static str = "job";
    fn latest_failure(&self) -> &Mutex<String> {
        &self.failure
    }
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between two changes that belong together.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to run a job, given back when dropped.
struct Turn<'a>(&'a Job);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // A cancellation ends one run at most.
        *open(&self.0.cancel) = CancelToken::new();
        self.0.at_work.store(false, Ordering::Release);
    }
}

impl Job {
    fn busy() -> Failure {
        Failure::new(Status::Busy, "the job is busy")
    }

    fn change(&self, change: impl FnOnce(&mut JobSettings) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.at_work.load(Ordering::Acquire) {
            return Err(Self::busy());
        }
        change(&mut open(&self.settings))
    }

    fn set(&self, key: &str, value: Value<'_>) -> Result<(), Failure> {
        self.change(|settings| settings.set(key, value))
    }

    fn turn(&self) -> Result<Turn<'_>, Failure> {
        if in_callback() {
            return Err(Failure::new(Status::Busy, "an upscale was called from within a callback"));
        }
        if self.at_work.swap(true, Ordering::AcqRel) {
            return Err(Self::busy());
        }
        Ok(Turn(self))
    }

    /// The result's width and height for an input of that size.
    fn output_size(&self, width: usize, height: usize) -> Result<(usize, usize), Failure> {
        let options = open(&self.settings).options()?;
        Ok(options.target.resolve(width, height, self.model.upscaler.manifest().scale)?)
    }

    /// Enlarges an image of the form `input` from `source` into `sink`, which has the form `output`.
    ///
    /// # Errors
    /// `Busy`, `InvalidArgument` where the two do not fit each other, what the host's callbacks refuse, and what the
    /// engine says.
    pub fn upscale(
        &self,
        input: &Form,
        source: Source<'_>,
        output: &Form,
        sink: Sink<'_>,
    ) -> Result<(), Failure> {
        let _turn = self.turn()?;
        *open(&self.outcome) = Outcome::default();
        let settings = open(&self.settings).clone();
        let cancel = open(&self.cancel).clone();
        if input.color() != output.color() {
            return Err(Failure::argument(format!(
                "output.color is {:?}: expected {:?} as in the input",
                output.color(),
                input.color()
            )));
        }
        let expected = self.output_size(input.width, input.height)?;
        if (output.width, output.height) != expected {
            return Err(Failure::argument(format!(
                "output is {}x{}: expected {}x{}",
                output.width, output.height, expected.0, expected.1
            )));
        }
        let (width, height) = (input.width as u64, input.height as u64);
        Limits::default().check(width, height, input.colors() as u64, 4)?;
        cancel.check()?;
        let (color, alpha) = read(input, source)?;
        let mut image = Image::new(color, alpha, SampleDepth::F32, ImageFormat::Png);
        image.metadata.icc = settings.profile.clone();
        image.linear = settings.linear();
        let prepared = prepare_for_model(image);
        let (options, asked) = settings.settings()?;
        let options = UpscaleOptions { memory: options.memory.or(self.model.memory), ..options };
        let upscaler = &self.model.upscaler;
        let repair = Repair::of(asked, &prepared.color, None, upscaler, &options)?;
        let outcome = attend(output, sink, settings.progress.as_ref(), &cancel, |exchange| {
            let strips = prepared.frame.strips((output.height, output.width));
            let mut take = |top: usize, color| {
                let (color, alpha) = strips.restore(top, color);
                exchange.deliver(Strip { top, color, alpha })
            };
            // A plan fails before the first strip is delivered.
            let (made, used, left_out) = repair.fitting(|repair| {
                let options = repair.apply(&options);
                upscaler.upscale_strips(&prepared.color, &options, exchange, &cancel, &mut take)
            });
            // The result leaves in strips, and cannot be taken back as the command does.
            let unasked = used.is_unasked();
            let report = made.map_err(|error| match error.kind() {
                ErrorKind::Quality if unasked => error.context("with clean-up (cleanup 0 makes none)"),
                _ => error,
            })?;
            let mut warnings = prepared.frame.image().warnings.clone();
            warnings.extend(repair.note().into_iter().chain(left_out));
            let doubt = Repair::doubt(&report).filter(|_| unasked);
            warnings.extend(doubt.map(|why| used.warning(&why)));
            Ok(Outcome { warnings, report: serde_json::to_string(&report).unwrap_or_default() })
        })?;
        *open(&self.outcome) = outcome;
        Ok(())
    }
}

/// Makes a job for images to be enlarged by `model`, with the model's defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_create(
    model: *mut partdiff_model,
    job: *mut *mut partdiff_job,
) -> partdiff_status {
    guard::<Model>(model, |model| {
        if job.is_null() {
            return Err(Failure::argument("job is null"));
        }
        let object = Job {
            model: Arc::clone(model),
            settings: Mutex::default(),
            at_work: AtomicBool::new(false),
            cancel: Mutex::default(),
            outcome: Mutex::default(),
            failure: Mutex::default(),
        };
        // SAFETY: promised by the caller.
        unsafe { put(handles::insert(object), job, "job") }
    })
}

/// Ends a job. One that is at work is cancelled; its call returns soon and uses the images until then.
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_job_destroy(job: *mut partdiff_job) -> partdiff_status {
    guard_alone(|| {
        let job = handles::remove::<Job>(job)?;
        open(&job.cancel).cancel();
        Ok(())
    })
}

/// Sets an option to a text; null brings the default back. Numbers may be given as text, with a point.
///
/// "preset": one of the model's. "sampler": "ddim", "ddpm", "dpmpp-2m". "spacing": "uniform", "quadratic".
/// "cleanup": "auto" (what the damage of the image calls for). That is the default where the model estimates damage, the
/// result is larger than the input, and no consistency is asked for; else the default is 0. "deblur": "auto" (2 where the
/// image is found to be blurred, else 1). That is the default where the clean-up follows the image, the result is larger than
/// the input, and no consistency is asked for; else the default is 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_set_text(
    job: *mut partdiff_job,
    key: *const c_char,
    value: *const c_char,
) -> partdiff_status {
    guard::<Job>(job, |job| {
        // SAFETY: promised by the caller.
        let (key, value) = unsafe { (required(key, "key")?, optional(value, "value")?) };
        job.set(key, value.map_or(Value::Default, Value::Text))
    })
}

/// Sets an option to a whole number.
///
/// "steps": denoising steps, from 1 (the most faithful) to the model's start step. "start_step": the step at which
/// denoising starts. "seed": of the noise (default 0). "width", "height": size of the result in pixels; one alone
/// keeps the proportions. "fit_width" with "fit_height": as large as fits into that box. "tile": largest side of a
/// tile in pixels of the input (default: planned). "deblur": the factor by which a blurred image is made smaller before it is
/// enlarged: 1 (not at all), 2 or 4. "consistency": rounds at most that make the result agree with the
/// input, which need the whole result in memory (default: the preset's). "memory": bytes that the engine may use
/// (default: the limit of the context that opened the model, else half of what is free). "linear": 1 if the samples are
/// linear light instead of coded (default 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_set_int(
    job: *mut partdiff_job,
    key: *const c_char,
    value: i64,
) -> partdiff_status {
    // SAFETY: promised by the caller.
    guard::<Job>(job, |job| job.set(unsafe { required(key, "key")? }, Value::Int(value)))
}

/// Sets an option to a number.
///
/// "scale": factor over the input's size, up to 64 (default: the model's own). "eta": share of fresh noise in DDIM
/// steps, 0 to 1. "cleanup": 0 (trust every pixel) to 1, for models that take one (default: see
/// partdiff_job_set_text()).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_set_real(
    job: *mut partdiff_job,
    key: *const c_char,
    value: f64,
) -> partdiff_status {
    // SAFETY: promised by the caller.
    guard::<Job>(job, |job| job.set(unsafe { required(key, "key")? }, Value::Real(value)))
}

/// Sets the ICC profile of the images, which is copied; null means sRGB. The result has the same one.
///
/// A profile that cannot be used is passed over with a warning (see partdiff_job_get_text()).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_set_profile(
    job: *mut partdiff_job,
    icc: *const u8,
    size: usize,
) -> partdiff_status {
    guard::<Job>(job, |job| {
        if size > MAX_PROFILE_BYTES {
            return Err(Failure::argument(format!(
                "size is {size}: expected at most {MAX_PROFILE_BYTES} bytes"
            )));
        }
        // SAFETY: promised by the caller.
        let profile = (!icc.is_null()).then(|| unsafe { slice::from_raw_parts(icc, size) }.to_vec());
        job.change(|settings| {
            settings.profile = profile;
            Ok(())
        })
    })
}

/// Sets whom to tell of progress; null for nobody. `user` is handed back.
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_job_set_progress(
    job: *mut partdiff_job,
    progress: partdiff_progress,
    user: *mut c_void,
) -> partdiff_status {
    guard::<Job>(job, |job| {
        job.change(|settings| {
            settings.progress = Some(HostCall(progress, user));
            Ok(())
        })
    })
}

/// Tells the size of the result for an input of that size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_output_size(
    job: *const partdiff_job,
    width: u32,
    height: u32,
    output_width: *mut u32,
    output_height: *mut u32,
) -> partdiff_status {
    guard::<Job>(job, |job| {
        if width == 0 || height == 0 {
            return Err(Failure::argument(format!(
                "the input is {width}x{height}: expected at least 1x1 pixels"
            )));
        }
        let (wide, high) = job.output_size(width as usize, height as usize)?;
        let fits = |side: usize| {
            u32::try_from(side).map_err(|_| {
                Failure::new(Status::Limit, format!("the result would be {wide}x{high}: a side is too long"))
            })
        };
        let (wide, high) = (fits(wide)?, fits(high)?);
        // SAFETY: promised by the caller.
        unsafe {
            put(wide, output_width, "output_width")?;
            put(high, output_height, "output_height")
        }
    })
}

/// Cancels the run under way, or, if there is none, the next one; each run ends at most one cancellation.
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_job_cancel(job: *const partdiff_job) -> partdiff_status {
    guard::<Job>(job, |job| {
        open(&job.cancel).cancel();
        Ok(())
    })
}

/// Gives a text on the latest run that succeeded: "warnings" (sentences, one a line: what could not be kept, which
/// repair was left out or may be wrong), "report" (JSON: how the image was made).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_get_text(
    job: *const partdiff_job,
    key: *const c_char,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> partdiff_status {
    guard::<Job>(job, |job| {
        // SAFETY: promised by the caller.
        let text = match unsafe { required(key, "key")? } {
            "warnings" => open(&job.outcome).warnings.join("\n"),
            "report" => open(&job.outcome).report.clone(),
            key => return Err(unknown_key(key, &["warnings", "report"])),
        };
        // SAFETY: promised by the caller.
        unsafe { give(&text, buffer, size, length) }
    })
}

/// Gives the sentence on the latest failure of a call on this job; empty if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_job_error(
    job: *const partdiff_job,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> partdiff_status {
    // SAFETY: promised by the caller.
    guard_alone(|| unsafe { give_failure::<Job>(job, buffer, size, length) })
}
