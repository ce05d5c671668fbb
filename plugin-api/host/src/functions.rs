//! The library's functions, as the header declares them.

use std::ffi::{c_char, c_void};

use libloading::Library;

use crate::abi::{
    partdiff_context, partdiff_image, partdiff_job, partdiff_model, partdiff_progress, partdiff_read_rows,
    partdiff_write_rows,
};
use crate::{Error, Result, Status};

macro_rules! functions {
    ($($name:ident($($argument:ty),*) -> $result:ty;)+) => {
        /// The functions themselves; a status comes as the number that was returned.
        #[allow(missing_docs)]
        #[derive(Debug)]
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($argument),*) -> $result,)+
        }

        impl Functions {
            /// Looks all of them up.
            ///
            /// # Safety
            /// `library` is libpartdiff of this ABI's major version.
            pub(crate) unsafe fn load(library: &Library) -> Result<Self> {
                Ok(Self {$(
                    // SAFETY: promised by the caller.
                    $name: *unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) }
                        .map_err(|error| Error::new(Status::AbiMismatch, error.to_string()))?,
                )+})
            }
        }
    };
}

functions! {
    partdiff_abi_version() -> u32;
    partdiff_version() -> *const c_char;
    partdiff_status_text(i32) -> *const c_char;
    partdiff_context_create(u32, u32, *mut *mut partdiff_context) -> i32;
    partdiff_context_destroy(*mut partdiff_context) -> i32;
    partdiff_context_set_text(*mut partdiff_context, *const c_char, *const c_char) -> i32;
    partdiff_context_set_int(*mut partdiff_context, *const c_char, i64) -> i32;
    partdiff_context_get_text(*const partdiff_context, *const c_char, *mut c_char, usize, *mut usize) -> i32;
    partdiff_context_error(*const partdiff_context, *mut c_char, usize, *mut usize) -> i32;
    partdiff_model_open(*mut partdiff_context, *const c_char, *mut *mut partdiff_model) -> i32;
    partdiff_model_open_memory(*mut partdiff_context, *const u8, usize, *mut *mut partdiff_model) -> i32;
    partdiff_model_destroy(*mut partdiff_model) -> i32;
    partdiff_model_get_text(*const partdiff_model, *const c_char, *mut c_char, usize, *mut usize) -> i32;
    partdiff_model_get_int(*const partdiff_model, *const c_char, *mut i64) -> i32;
    partdiff_model_error(*const partdiff_model, *mut c_char, usize, *mut usize) -> i32;
    partdiff_job_create(*mut partdiff_model, *mut *mut partdiff_job) -> i32;
    partdiff_job_destroy(*mut partdiff_job) -> i32;
    partdiff_job_set_text(*mut partdiff_job, *const c_char, *const c_char) -> i32;
    partdiff_job_set_int(*mut partdiff_job, *const c_char, i64) -> i32;
    partdiff_job_set_real(*mut partdiff_job, *const c_char, f64) -> i32;
    partdiff_job_set_profile(*mut partdiff_job, *const u8, usize) -> i32;
    partdiff_job_set_progress(*mut partdiff_job, partdiff_progress, *mut c_void) -> i32;
    partdiff_job_output_size(*const partdiff_job, u32, u32, *mut u32, *mut u32) -> i32;
    partdiff_upscale(*mut partdiff_job, *const partdiff_image, *const partdiff_image) -> i32;
    partdiff_upscale_strips(
        *mut partdiff_job, *const partdiff_image, partdiff_read_rows, *mut c_void,
        *const partdiff_image, partdiff_write_rows, *mut c_void
    ) -> i32;
    partdiff_job_cancel(*const partdiff_job) -> i32;
    partdiff_job_get_text(*const partdiff_job, *const c_char, *mut c_char, usize, *mut usize) -> i32;
    partdiff_job_error(*const partdiff_job, *mut c_char, usize, *mut usize) -> i32;
}
