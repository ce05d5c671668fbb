//! Finding and opening the library.

use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use crate::abi::{PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR};
use crate::error::status;
use crate::{Context, Error, Functions, Result, Status};

/// Names a library file that is to be taken instead of the one that would be found.
const VARIABLE: &str = "PARTDIFF_LIBRARY";

/// The library's name as the loader of this system knows it.
const NAME: &str = if cfg!(windows) {
    "partdiff.dll"
} else if cfg!(target_os = "macos") {
    "libpartdiff.1.dylib"
} else {
    "libpartdiff.so.1"
};

/// libpartdiff, loaded and of the right ABI.
#[derive(Debug)]
pub struct Library {
    functions: Functions,
    /// It cannot be unloaded anyway.
    _library: ManuallyDrop<libloading::Library>,
}

impl Library {
    /// The library that the variable PARTDIFF_LIBRARY names, else the one beside this program, else the system's.
    ///
    /// # Errors
    /// `AbiMismatch` naming the places and what was wrong there.
    pub fn find() -> Result<Arc<Self>> {
        if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            return Self::open(Path::new(&path));
        }
        let program = std::env::current_exe().ok();
        let folder = program.as_deref().and_then(Path::parent);
        let beside = folder.map(|folder| folder.join(NAME)).filter(|path| path.is_file());
        Self::open(&beside.unwrap_or_else(|| PathBuf::from(NAME)))
    }

    /// The library at `path`; a name without a directory is looked for by the system's loader.
    ///
    /// # Errors
    /// `AbiMismatch` where it cannot be loaded, is no libpartdiff, or serves another ABI.
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let wrong = |why: String| Error::new(Status::AbiMismatch, format!("{}: {why}", path.display()));
        // SAFETY: loading runs the initialisers of a library that the caller trusts; libpartdiff has none.
        let library = unsafe { libloading::Library::new(path) }.map_err(|error| wrong(error.to_string()))?;
        // SAFETY: the function has had this type in every version.
        let version = unsafe { library.get::<unsafe extern "C" fn() -> u32>(b"partdiff_abi_version\0") }
            .map_err(|_| wrong("is not libpartdiff: it does not export partdiff_abi_version".into()))?;
        // SAFETY: as above.
        let version = unsafe { version() };
        let (major, minor) = (version >> 16, version & 0xFFFF);
        if major != PARTDIFF_ABI_MAJOR || version < PARTDIFF_ABI_MAJOR << 16 | PARTDIFF_ABI_MINOR {
            return Err(wrong(format!(
                "has ABI {major}.{minor}; {PARTDIFF_ABI_MAJOR}.{PARTDIFF_ABI_MINOR} or a newer \
                 {PARTDIFF_ABI_MAJOR}.x is needed"
            )));
        }
        // SAFETY: it is a libpartdiff of this ABI.
        let functions = unsafe { Functions::load(&library) }?;
        Ok(Arc::new(Self { functions, _library: ManuallyDrop::new(library) }))
    }

    /// The functions, for what this crate does not wrap.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// The program version that the library is part of.
    pub fn version(&self) -> String {
        // SAFETY: the function returns a static text.
        unsafe { CStr::from_ptr((self.functions.partdiff_version)()) }.to_string_lossy().into_owned()
    }

    /// A context.
    ///
    /// # Errors
    /// `AbiMismatch`, which opening has ruled out.
    pub fn context(self: &Arc<Self>) -> Result<Context> {
        let mut handle = ptr::null_mut();
        let create = self.functions.partdiff_context_create;
        // SAFETY: `handle` is valid for writing.
        let code = unsafe { create(PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, &raw mut handle) };
        match status(code) {
            Status::Ok => Ok(Context::new(Arc::clone(self), handle)),
            other => Err(Error::new(other, self.status_text(other))),
        }
    }

    /// What a status means.
    pub fn status_text(&self, status: Status) -> String {
        // SAFETY: the function returns a static text for any number.
        unsafe { CStr::from_ptr((self.functions.partdiff_status_text)(status as i32)) }
            .to_string_lossy()
            .into_owned()
    }
}
