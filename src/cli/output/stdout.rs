//! Standard output without panics: a reader that stops early, such as `head`, is no error.

use std::io::{ErrorKind as IoErrorKind, Write};

use crate::error::{Error, ErrorKind, Result};

/// Writes `text` to stdout.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != IoErrorKind::BrokenPipe => {
            Err(Error::with_source(ErrorKind::Output, "cannot write to standard output", error))
        }
        _ => Ok(()),
    }
}
