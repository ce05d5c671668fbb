//! What a call that fails says: a status and a sentence.

use partdiff::{Error, ErrorKind};

use crate::abi::partdiff_status as Status;

/// Why a call failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The category.
    pub status: Status,
    /// A sentence naming what was wrong and what was expected.
    pub message: String,
}

impl Failure {
    /// A failure.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A bad argument.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidOption => Status::InvalidOption,
            ErrorKind::Input => Status::Input,
            ErrorKind::Output => Status::Output,
            ErrorKind::Model => Status::Model,
            ErrorKind::Runtime => Status::Runtime,
            ErrorKind::Limit => Status::Limit,
            ErrorKind::Quality => Status::Quality,
            ErrorKind::Cancelled => Status::Cancelled,
            _ => Status::Internal,
        };
        Self::new(status, error.report())
    }
}
