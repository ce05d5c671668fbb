//! Contexts and models, ended when dropped.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

use crate::abi::{partdiff_context, partdiff_model};
use crate::error::status;
use crate::{Error, Job, Library, Result, Status};

/// A text for C.
pub(crate) fn c_text(text: &str, what: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(Status::InvalidArgument, format!("{what} contains a NUL byte")))
}

/// The whole text that `get` writes.
pub(crate) fn whole_text(
    mut get: impl FnMut(*mut c_char, usize, *mut usize) -> i32,
) -> Result<String, Status> {
    let mut length = 0;
    let mut buffer = vec![0_u8; 256];
    loop {
        match status(get(buffer.as_mut_ptr().cast(), buffer.len(), &raw mut length)) {
            Status::Ok if length < buffer.len() => break,
            Status::Ok => buffer = vec![0; length + 1],
            other => return Err(other),
        }
    }
    buffer.truncate(length);
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}

/// A handle of the library with the functions that every kind has.
macro_rules! object {
    ($(#[$docs:meta])* $name:ident: $handle:ty, $get_text:ident, $error:ident, $destroy:ident) => {
        $(#[$docs])*
        #[derive(Debug)]
        pub struct $name {
            pub(crate) library: Arc<Library>,
            pub(crate) handle: *mut $handle,
        }

        // SAFETY: the handle is a number; the library lets any thread use it.
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}

        impl $name {
            pub(crate) fn new(library: Arc<Library>, handle: *mut $handle) -> Self {
                Self { library, handle }
            }

            /// The handle, for calls that this crate does not wrap; it stays owned.
            pub fn handle(&self) -> *mut $handle {
                self.handle
            }

            /// The text with that key; see the header.
            ///
            /// # Errors
            /// `UnknownKey`.
            pub fn text(&self, key: &str) -> Result<String> {
                let key = c_text(key, "key")?;
                let get = self.library.functions().$get_text;
                // SAFETY: key and buffer live during the call.
                whole_text(|buffer, size, length| unsafe {
                    get(self.handle, key.as_ptr(), buffer, size, length)
                })
                .map_err(|status| self.failure(status))
            }

            /// What the library says of a call that gave `code`.
            pub(crate) fn check(&self, code: i32) -> Result<()> {
                match status(code) {
                    Status::Ok => Ok(()),
                    other => Err(self.failure(other)),
                }
            }

            fn failure(&self, status: Status) -> Error {
                let get = self.library.functions().$error;
                let text = whole_text(|buffer, size, length| {
                    // SAFETY: the buffer lives during the call.
                    unsafe { get(self.handle, buffer, size, length) }
                });
                Error::new(status, text.unwrap_or_else(|status| self.library.status_text(status)))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the handle is ours, and this is its end.
                unsafe { (self.library.functions().$destroy)(self.handle) };
            }
        }
    };
}
pub(crate) use object;

object! {
    /// Where models run.
    Context: partdiff_context, partdiff_context_get_text, partdiff_context_error, partdiff_context_destroy
}

object! {
    /// A model, loaded.
    Model: partdiff_model, partdiff_model_get_text, partdiff_model_error, partdiff_model_destroy
}

impl Context {
    /// Sets a text option, see the header; `None` for the default.
    ///
    /// # Errors
    /// `UnknownKey`, `InvalidOption`.
    pub fn set_text(&self, key: &str, value: Option<&str>) -> Result<()> {
        let key = c_text(key, "key")?;
        let value = value.map(|value| c_text(value, "value")).transpose()?;
        let value = value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
        // SAFETY: both texts live during the call.
        self.check(unsafe {
            (self.library.functions().partdiff_context_set_text)(self.handle, key.as_ptr(), value)
        })
    }

    /// Sets a whole number, see the header.
    ///
    /// # Errors
    /// `UnknownKey`, `InvalidOption`.
    pub fn set_int(&self, key: &str, value: i64) -> Result<()> {
        let key = c_text(key, "key")?;
        // SAFETY: the key lives during the call.
        self.check(unsafe {
            (self.library.functions().partdiff_context_set_int)(self.handle, key.as_ptr(), value)
        })
    }

    /// The names of the models inside the library.
    ///
    /// # Errors
    /// None are known.
    pub fn models(&self) -> Result<Vec<String>> {
        Ok(self.text("models")?.lines().map(str::to_owned).collect())
    }

    /// Opens a model by name or path; `None` for the default.
    ///
    /// # Errors
    /// `Model` where there is none or it is damaged, `Runtime` where ONNX Runtime or the device is unavailable.
    pub fn open(&self, name: Option<&str>) -> Result<Model> {
        let name = name.map(|name| c_text(name, "name")).transpose()?;
        let name = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        let mut handle = ptr::null_mut();
        // SAFETY: name and handle live during the call.
        self.check(unsafe {
            (self.library.functions().partdiff_model_open)(self.handle, name, &raw mut handle)
        })?;
        Ok(Model::new(Arc::clone(&self.library), handle))
    }

    /// Opens a model from the bytes of a `.partdiff` file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_memory(&self, bytes: &[u8]) -> Result<Model> {
        let mut handle = ptr::null_mut();
        let open = self.library.functions().partdiff_model_open_memory;
        // SAFETY: bytes and handle live during the call.
        self.check(unsafe { open(self.handle, bytes.as_ptr(), bytes.len(), &raw mut handle) })?;
        Ok(Model::new(Arc::clone(&self.library), handle))
    }
}

impl Model {
    /// The number with that key; see the header.
    ///
    /// # Errors
    /// `UnknownKey`.
    pub fn int(&self, key: &str) -> Result<i64> {
        let key = c_text(key, "key")?;
        let mut value = 0;
        let get = self.library.functions().partdiff_model_get_int;
        // SAFETY: key and value live during the call.
        self.check(unsafe { get(self.handle, key.as_ptr(), &raw mut value) })?;
        Ok(value)
    }

    /// The names of the presets, fewest steps first.
    ///
    /// # Errors
    /// None are known.
    pub fn presets(&self) -> Result<Vec<String>> {
        Ok(self.text("presets")?.lines().map(str::to_owned).collect())
    }

    /// A job with the model's defaults.
    ///
    /// # Errors
    /// None are known.
    pub fn job(&self) -> Result<Job> {
        let mut handle = ptr::null_mut();
        // SAFETY: the handle lives during the call.
        self.check(unsafe { (self.library.functions().partdiff_job_create)(self.handle, &raw mut handle) })?;
        Ok(Job::new(Arc::clone(&self.library), handle))
    }
}
