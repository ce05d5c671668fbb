//! libjpeg behind a safe interface: all unsafe code for JPEG is in this folder.
//!
//! The library reports a fatal error through a function that must not return. Ours unwinds through the library's
//! frames, which are compiled for that, to [`caught`].

mod compress;
mod decompress;

use std::any::Any;
use std::ffi::c_int;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mozjpeg_sys as ffi;

pub(super) use compress::{Form, compress};
pub(super) use decompress::{Coding, Decompressed, Failure, MOST_SCANS, Space, decompress};

/// An error after which the library cannot go on.
#[derive(Debug)]
pub(super) struct Fatal {
    /// The library's number of the message.
    pub code: c_int,
    message: String,
}

impl Fatal {
    /// Whether the file is of a kind that the library does not know, or was built without.
    pub fn is_unsupported(&self) -> bool {
        let kinds = [
            ffi::JERR_ARITH_NOTIMPL,
            ffi::JERR_BAD_PRECISION,
            ffi::JERR_CCIR601_NOTIMPL,
            ffi::JERR_COMPONENT_COUNT,
            ffi::JERR_CONVERSION_NOTIMPL,
            ffi::JERR_FRACT_SAMPLE_NOTIMPL,
            ffi::JERR_IMAGE_TOO_BIG,
            ffi::JERR_NOTIMPL,
            ffi::JERR_NOT_COMPILED,
            ffi::JERR_SOF_UNSUPPORTED,
        ];
        kinds.contains(&self.code)
    }

    /// Whether memory ran out, or the limit set.
    pub fn is_memory(&self) -> bool {
        matches!(self.code, ffi::JERR_NO_BACKING_STORE | ffi::JERR_OUT_OF_MEMORY | ffi::JERR_WIDTH_OVERFLOW)
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fatal {}

/// Runs `work`, which calls the library; `Err` for the library's fatal error.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Fatal> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload: Box<dyn Any + Send>| {
        match payload.downcast::<Fatal>() {
            Ok(fatal) => *fatal,
            // A panic of our own.
            Err(payload) => resume_unwind(payload),
        }
    })
}

/// Error handlers that unwind, and that record warnings with `warn`.
fn error_manager(
    warn: unsafe extern "C-unwind" fn(&mut ffi::jpeg_common_struct, c_int),
) -> Box<ffi::jpeg_error_mgr> {
    // SAFETY: numbers, null pointers and absent functions, all of which zeroes stand for; the library fills them in.
    let mut manager: Box<ffi::jpeg_error_mgr> = Box::new(unsafe { std::mem::zeroed() });
    // SAFETY: it only writes into the struct.
    unsafe { ffi::jpeg_std_error(&mut manager) };
    manager.error_exit = Some(fail);
    manager.emit_message = Some(warn);
    manager
}

#[cold]
extern "C-unwind" fn fail(common: &mut ffi::jpeg_common_struct) {
    let mut text = [0u8; 80];
    // SAFETY: `err` is the manager that we made, which outlives the library's object.
    let manager = unsafe { &*common.err };
    let code = manager.msg_code;
    if let Some(format) = manager.format_message {
        // SAFETY: the binding's shared reference stands for a buffer of 80 bytes that the function writes to.
        let format: unsafe extern "C-unwind" fn(&mut ffi::jpeg_common_struct, *mut u8) =
            unsafe { std::mem::transmute(format) };
        // SAFETY: the library's own function, with the object that it is called for and a buffer of the right size.
        unsafe { format(common, text.as_mut_ptr()) };
    }
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    // No panic, so that nothing is printed.
    resume_unwind(Box::new(Fatal { code, message: String::from_utf8_lossy(text).into_owned() }));
}
