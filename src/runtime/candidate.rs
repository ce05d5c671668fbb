//! A file that may be ONNX Runtime's library, and why it is considered.

use std::fmt;
use std::path::PathBuf;

/// Why a library was looked at; in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The caller named it.
    Explicit,
    /// The environment variable `ORT_DYLIB_PATH` names it.
    Environment,
    /// `partdiff runtime install` put it there.
    Installed,
    /// It lies beside the program, or in `lib` there.
    BesideExecutable,
    /// It belongs to a Python package `onnxruntime`.
    Python,
    /// It lies in a folder of the system.
    System,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "given by --library",
            Self::Environment => "named by ORT_DYLIB_PATH",
            Self::Installed => "installed by `partdiff runtime install`",
            Self::BesideExecutable => "beside the program",
            Self::Python => "from the Python package onnxruntime",
            Self::System => "of the system",
        })
    }
}

/// A file that may be the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Absolute path.
    pub path: PathBuf,
    /// Why it is considered.
    pub source: Source,
}
