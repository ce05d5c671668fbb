//! Jobs: options, and images through the library.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::slice;
use std::sync::Arc;

use crate::abi::{partdiff_image, partdiff_job, partdiff_read_rows, partdiff_write_rows};
use crate::error::status;
use crate::objects::{c_text, object, whole_text};
use crate::{Error, Form, Library, Result, Status};

object! {
    /// Options, and images enlarged with them one after the other. Dropping it at work is impossible.
    Job: partdiff_job, partdiff_job_get_text, partdiff_job_error, partdiff_job_destroy
}

/// Some rows of an image, without gaps.
#[derive(Debug)]
pub struct Strip<'a> {
    /// The first row.
    pub top: u32,
    /// How many.
    pub rows: u32,
    /// The samples.
    pub bytes: &'a [u8],
}

/// Some rows of an image, without gaps, to be filled.
#[derive(Debug)]
pub struct StripMut<'a> {
    /// The first row.
    pub top: u32,
    /// How many.
    pub rows: u32,
    /// The samples.
    pub bytes: &'a mut [u8],
}

/// Told the share of the work done, 0 to 1, the step at work and the steps; `false` cancels. Called on the thread
/// that called [`Job::run`].
pub type Progress<'a> = &'a mut dyn FnMut(f64, u32, u32) -> bool;

/// Where the input comes from.
pub enum Input<'a> {
    /// Memory.
    Memory(&'a [u8]),
    /// A function that fills strips; `false` gives up.
    Rows(&'a mut dyn FnMut(StripMut<'_>) -> bool),
}

/// Where the result goes.
pub enum Output<'a> {
    /// Memory.
    Memory(&'a mut [u8]),
    /// A function that takes strips, top to bottom; `false` gives up.
    Rows(&'a mut dyn FnMut(Strip<'_>) -> bool),
}

/// Cancels a job from anywhere.
#[derive(Clone, Debug)]
pub struct Canceller {
    library: Arc<Library>,
    handle: *mut partdiff_job,
}

// SAFETY: the handle is a number; the library lets any thread cancel.
unsafe impl Send for Canceller {}
// SAFETY: as above.
unsafe impl Sync for Canceller {}

impl Canceller {
    /// Cancels the run under way, else the next one; nothing if the job is gone.
    pub fn cancel(&self) {
        // SAFETY: handles of jobs that are gone are known to be so.
        unsafe { (self.library.functions().partdiff_job_cancel)(self.handle) };
    }
}

/// A closure on its way through C, and what it threw.
struct Call<F> {
    function: F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<F> Call<F> {
    fn new(function: F) -> Self {
        Self { function, panic: None }
    }

    /// Calls the function; 0 to go on.
    fn call(&mut self, call: impl FnOnce(&mut F) -> bool) -> i32 {
        match catch_unwind(AssertUnwindSafe(|| call(&mut self.function))) {
            Ok(go_on) => i32::from(!go_on),
            Err(panic) => {
                self.panic = Some(panic);
                1
            }
        }
    }

    fn user(&mut self) -> *mut c_void {
        ptr::from_mut(self).cast()
    }
}

unsafe extern "C-unwind" fn tell(user: *mut c_void, fraction: f64, step: u32, steps: u32) -> i32 {
    // SAFETY: `user` is the call that was passed, alive during the run, and callbacks come one at a time.
    let call = unsafe { &mut *user.cast::<Call<Progress<'_>>>() };
    call.call(|progress| progress(fraction, step, steps))
}

unsafe extern "C-unwind" fn fill(user: *mut c_void, top: u32, strip: *const partdiff_image) -> i32 {
    // SAFETY: as above; the strip lives during the call, and its samples are packed.
    let (call, strip) = unsafe { (&mut *user.cast::<Call<&mut dyn FnMut(StripMut<'_>) -> bool>>(), &*strip) };
    // SAFETY: as above.
    let bytes = unsafe { slice::from_raw_parts_mut(strip.data.cast(), strip.size) };
    call.call(|read| read(StripMut { top, rows: strip.height, bytes }))
}

unsafe extern "C-unwind" fn take(user: *mut c_void, top: u32, strip: *const partdiff_image) -> i32 {
    // SAFETY: as above.
    let (call, strip) = unsafe { (&mut *user.cast::<Call<&mut dyn FnMut(Strip<'_>) -> bool>>(), &*strip) };
    // SAFETY: as above.
    let bytes = unsafe { slice::from_raw_parts(strip.data.cast(), strip.size) };
    call.call(|write| write(Strip { top, rows: strip.height, bytes }))
}

impl Job {
    /// Sets an option, see the header; `None` for the default. Numbers may be given so, with a point.
    ///
    /// # Errors
    /// `UnknownKey`, `InvalidOption`.
    pub fn set_text(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let key = c_text(key, "key")?;
        let value = value.map(|value| c_text(value, "value")).transpose()?;
        let value = value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
        let set = self.library.functions().partdiff_job_set_text;
        // SAFETY: both texts live during the call.
        self.check(unsafe { set(self.handle, key.as_ptr(), value) })
    }

    /// Sets an option to a whole number.
    ///
    /// # Errors
    /// `UnknownKey`, `InvalidOption`.
    pub fn set_int(&mut self, key: &str, value: i64) -> Result<()> {
        let key = c_text(key, "key")?;
        let set = self.library.functions().partdiff_job_set_int;
        // SAFETY: the key lives during the call.
        self.check(unsafe { set(self.handle, key.as_ptr(), value) })
    }

    /// Sets an option to a number.
    ///
    /// # Errors
    /// `UnknownKey`, `InvalidOption`.
    pub fn set_real(&mut self, key: &str, value: f64) -> Result<()> {
        let key = c_text(key, "key")?;
        let set = self.library.functions().partdiff_job_set_real;
        // SAFETY: the key lives during the call.
        self.check(unsafe { set(self.handle, key.as_ptr(), value) })
    }

    /// Sets the ICC profile of the images; `None` for sRGB.
    ///
    /// # Errors
    /// `InvalidArgument` for one that is too large.
    pub fn set_profile(&mut self, icc: Option<&[u8]>) -> Result<()> {
        let (data, size) = icc.map_or((ptr::null(), 0), |icc| (icc.as_ptr(), icc.len()));
        let set = self.library.functions().partdiff_job_set_profile;
        // SAFETY: the bytes live during the call.
        self.check(unsafe { set(self.handle, data, size) })
    }

    /// Width and height of the result for an input of that size.
    ///
    /// # Errors
    /// `InvalidOption`, `Limit`.
    pub fn output_size(&self, width: u32, height: u32) -> Result<(u32, u32)> {
        let (mut wide, mut high) = (0, 0);
        let size = self.library.functions().partdiff_job_output_size;
        // SAFETY: both numbers are valid for writing.
        self.check(unsafe { size(self.handle, width, height, &raw mut wide, &raw mut high) })?;
        Ok((wide, high))
    }

    /// What cancels this job from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller { library: Arc::clone(&self.library), handle: self.handle }
    }

    /// Enlarges one image. All functions are called on this thread; a panic of theirs goes on after the run.
    ///
    /// # Errors
    /// Every status that [`Status`] names.
    pub fn run(
        &mut self,
        input: &Form,
        source: Input<'_>,
        output: &Form,
        sink: Output<'_>,
        progress: Option<Progress<'_>>,
    ) -> Result<()> {
        let functions = self.library.functions();
        let mut told = progress.map(Call::new);
        let (mut reading, mut writing) = (None, None);
        let (from, read): (_, partdiff_read_rows) = match source {
            Input::Memory(bytes) => (input.image(bytes.as_ptr().cast_mut(), bytes.len()), None),
            Input::Rows(rows) => {
                reading = Some(Call::new(rows));
                (input.image(ptr::null_mut(), 0), Some(fill))
            }
        };
        let (to, write): (_, partdiff_write_rows) = match sink {
            Output::Memory(bytes) => (output.image(bytes.as_mut_ptr(), bytes.len()), None),
            Output::Rows(rows) => {
                writing = Some(Call::new(rows));
                (output.image(ptr::null_mut(), 0), Some(take))
            }
        };
        let user = told.as_mut().map_or(ptr::null_mut(), Call::user);
        let teller: crate::abi::partdiff_progress = told.is_some().then_some(tell);
        // SAFETY: the call lives until progress is taken back below.
        self.check(unsafe { (functions.partdiff_job_set_progress)(self.handle, teller, user) })?;
        let read_user = reading.as_mut().map_or(ptr::null_mut(), Call::user);
        let write_user = writing.as_mut().map_or(ptr::null_mut(), Call::user);
        // SAFETY: images and calls live during the run, and nobody else touches them.
        let code = unsafe {
            (functions.partdiff_upscale_strips)(
                self.handle,
                &raw const from,
                read,
                read_user,
                &raw const to,
                write,
                write_user,
            )
        };
        let result = self.check(code);
        // SAFETY: null is nobody.
        unsafe { (functions.partdiff_job_set_progress)(self.handle, None, ptr::null_mut()) };
        let panics = [
            told.and_then(|call| call.panic),
            reading.and_then(|call| call.panic),
            writing.and_then(|call| call.panic),
        ];
        if let Some(panic) = panics.into_iter().flatten().next() {
            resume_unwind(panic);
        }
        result
    }
}
