//! The one error type of the crate: few categories, by who can mend it.

use std::error::Error as StdError;
use std::fmt;

/// A specialised `Result`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who or what is at fault. Adapters map it to exit codes and C status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option has a value outside its range, or options contradict each other.
    InvalidOption,
    /// The input image cannot be read or decoded.
    Input,
    /// The result cannot be encoded or written.
    Output,
    /// The model bundle is damaged, incomplete or does not fit its own manifest.
    Model,
    /// ONNX Runtime or the wanted execution provider cannot be had, or failed while running.
    Runtime,
    /// A limit on pixels or memory does not allow the work.
    Limit,
    /// The result did not pass the output guard (NaN, constant or drifted tiles).
    Quality,
    /// The caller cancelled.
    Cancelled,
}

/// What went wrong, in a sentence that names the file or field and what was expected.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with no deeper cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error that keeps its cause; `Display` shows `message`, the cause is in `source()`.
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// An option has a value outside its range, or does not suit the others.
    pub fn invalid_option(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidOption, message)
    }

    /// The work was cancelled by the caller.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// The category.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Puts `what: ` before the message, keeping category and cause; used to name the file.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The message followed by every cause, in one line.
    pub fn report(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let detail = error.to_string();
            // Some libraries repeat their cause in their own message.
            if !text.contains(&detail) {
                text.push_str(": ");
                text.push_str(&detail);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_joins_the_chain_without_repeating() {
        let inner = std::io::Error::other("disk on fire");
        let error = Error::with_source(ErrorKind::Output, "cannot write", inner).context("a.png");
        assert_eq!(error.report(), "a.png: cannot write: disk on fire");
        assert_eq!(error.to_string(), "a.png: cannot write");
        let repeating =
            Error::with_source(ErrorKind::Output, "cannot write: full", std::io::Error::other("full"));
        assert_eq!(repeating.report(), "cannot write: full");
    }
}
