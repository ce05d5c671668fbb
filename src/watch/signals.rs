//! What the system or a person wants of the daemon.

use crate::error::{Error, ErrorKind, Result};

/// A wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End (SIGTERM, SIGINT).
    Stop,
    /// Read the configuration again (SIGHUP).
    Reload,
}

/// Calls `tell` for every signal, from another thread.
///
/// # Errors
/// `Runtime` where the system does not let signals be caught.
pub fn listen(tell: impl Fn(Signal) + Send + 'static) -> Result<()> {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
        std::thread::spawn(move || {
            for signal in signals.forever() {
                tell(if signal == SIGHUP { Signal::Reload } else { Signal::Stop });
            }
        });
        Ok(())
    }
    #[cfg(not(unix))]
    {
        ctrlc::set_handler(move || tell(Signal::Stop)).map_err(failed)
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Runtime, "cannot listen for signals", error)
}
