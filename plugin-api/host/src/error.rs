//! What went wrong.

use std::fmt;

use crate::Status;

/// A specialised `Result`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A status with the library's sentence on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The category.
    pub status: Status,
    /// The sentence.
    pub message: String,
}

impl Error {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The status of a number that a call returned; one from a newer library counts as an internal error.
pub(crate) fn status(code: i32) -> Status {
    const ALL: [Status; 16] = [
        Status::Ok,
        Status::InvalidArgument,
        Status::InvalidHandle,
        Status::AbiMismatch,
        Status::Busy,
        Status::UnknownKey,
        Status::InvalidOption,
        Status::Input,
        Status::Output,
        Status::Model,
        Status::Runtime,
        Status::Limit,
        Status::Quality,
        Status::Cancelled,
        Status::Callback,
        Status::Internal,
    ];
    ALL.into_iter().find(|status| *status as i32 == code).unwrap_or(Status::Internal)
}
