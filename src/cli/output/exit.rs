//! What the command tells its caller.

use std::process::ExitCode;

use crate::error::{Error, ErrorKind};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done: 0.
    Done,
    /// Some inputs failed, or the run was cancelled: 1.
    Incomplete,
    /// The work could not start: wrong usage, no library, a bad model: 2.
    NotStarted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Incomplete => 1,
            Self::NotStarted => 2,
        }
    }

    /// The end of a run that stopped with `error` before any input was worked on.
    pub fn from_error(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Cancelled => Self::Incomplete,
            _ => Self::NotStarted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The name of a category in `--json` output; stable.
pub fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidOption => "option",
        ErrorKind::Input => "input",
        ErrorKind::Output => "output",
        ErrorKind::Model => "model",
        ErrorKind::Runtime => "runtime",
        ErrorKind::Limit => "limit",
        ErrorKind::Quality => "quality",
        ErrorKind::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_is_not_a_failure_to_start() {
        assert_eq!(Exit::from_error(&Error::cancelled()), Exit::Incomplete);
        assert_eq!(Exit::from_error(&Error::new(ErrorKind::Model, "bad")), Exit::NotStarted);
    }
}
