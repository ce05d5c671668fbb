//! Ctrl-C and the signals that end programs.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::output::exit::Exit;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::temporary::remove_temporaries;
use crate::progress::CancelToken;

/// Cancels `cancel` on the first Ctrl-C (or SIGTERM, SIGHUP); the second one ends the program at once, with its
/// temporaries removed as well as possible.
///
/// # Errors
/// `Runtime` where the system does not let a handler be set.
pub fn install(cancel: CancelToken) -> Result<()> {
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        cancel.cancel();
        if asked.swap(true, Ordering::SeqCst) {
            remove_temporaries();
            std::process::exit(Exit::Incomplete.code().into());
        }
    })
    .map_err(|error| Error::with_source(ErrorKind::Runtime, "cannot listen for Ctrl-C", error))
}
