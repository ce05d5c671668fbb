//! Whose fault a failure is, and when to try again.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// Worker deaths until a file is given up; the last time it must have been alone with the worker.
pub const CRASHES: u32 = 2;

/// Longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(600);

/// What a failure means for the file and for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The file: it is damaged, no image, or cannot be stored in the wanted format. Counted.
    File,
    /// The file changed or went away while it was read; it has to settle again.
    Moving,
    /// The file cannot be read now: no permission, its share is unavailable. Tried again without end.
    Unreadable,
    /// The surroundings: disk full, output away, GPU out of memory, library missing, an option that does not fit the
    /// model. Others would fail as well, so the watch pauses; never the file's fault.
    Place,
}

/// Judges what upscaling a file returned.
pub fn classify(error: &Error) -> Fault {
    let io = io_kind(error);
    match error.kind() {
        ErrorKind::Input => match io {
            None | Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => Fault::File,
            Some(io::ErrorKind::NotFound) => Fault::Moving,
            Some(_) => Fault::Unreadable,
        },
        ErrorKind::Output if io.is_none() => Fault::File,
        ErrorKind::Limit | ErrorKind::Quality => Fault::File,
        // Options were checked at the start; the model may have been replaced since.
        ErrorKind::InvalidOption
        | ErrorKind::Output
        | ErrorKind::Model
        | ErrorKind::Runtime
        | ErrorKind::Cancelled => Fault::Place,
    }
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // Decoders wrap what they think of the data into such an error, without a number of the system.
            return if io.raw_os_error().is_some() { Some(io.kind()) } else { None };
        }
        cause = error.source();
    }
    None
}

/// The wait after the `failures`th failure in a row (from 1): `base`, then twice as long each time, to 10 minutes.
pub fn backoff(base: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    base.saturating_mul(1 << doublings).min(LONGEST.max(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caused(kind: ErrorKind, errno: i32) -> Error {
        Error::with_source(kind, "x", io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn faults_are_told_apart() {
        for kind in [ErrorKind::Input, ErrorKind::Output, ErrorKind::Limit, ErrorKind::Quality] {
            assert_eq!(classify(&Error::new(kind, "x")), Fault::File, "{kind:?}");
        }
        let decoder = Error::with_source(ErrorKind::Input, "x", io::Error::other("bad chunk"));
        assert_eq!(classify(&decoder), Fault::File);
        for kind in [ErrorKind::Runtime, ErrorKind::Model, ErrorKind::InvalidOption] {
            assert_eq!(classify(&Error::new(kind, "x")), Fault::Place, "{kind:?}");
        }
        #[cfg(unix)]
        {
            let (enoent, eacces, enospc) = (2, 13, 28);
            assert_eq!(classify(&caused(ErrorKind::Input, enoent)), Fault::Moving);
            assert_eq!(classify(&caused(ErrorKind::Input, eacces)), Fault::Unreadable);
            for errno in [enoent, eacces, enospc] {
                assert_eq!(classify(&caused(ErrorKind::Output, errno).context("a.png")), Fault::Place);
            }
        }
    }

    #[test]
    fn waits_double_up_to_a_limit() {
        let base = Duration::from_secs(5);
        let waits: Vec<_> = [1, 2, 3, 99].map(|failures| backoff(base, failures).as_secs()).into();
        assert_eq!(waits, [5, 10, 20, 600]);
        assert_eq!(backoff(Duration::from_secs(3600), 7).as_secs(), 3600);
    }
}
