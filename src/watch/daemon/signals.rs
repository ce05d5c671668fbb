//! What the system or a person wants of the daemon.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// A wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End (SIGTERM, SIGINT).
    Stop,
    /// Read the configuration again (SIGHUP).
    Reload,
}

/// How long the daemon has to end by itself. All that matters is in the ledger at any time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Calls `send` for every signal, from another thread. A daemon that does not end in time, because its disk hangs or
/// nobody reads its log, is ended with `exit_code`.
///
/// # Errors
/// `Runtime` where the system does not let signals be caught.
pub fn listen(exit_code: u8, send: impl Fn(Signal) + Send + 'static) -> Result<()> {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
        std::thread::spawn(move || {
            for signal in signals.forever() {
                send(if signal == SIGHUP { Signal::Reload } else { Signal::Stop });
                if signal != SIGHUP {
                    std::thread::sleep(PATIENCE);
                    std::process::exit(exit_code.into());
                }
            }
        });
        Ok(())
    }
    #[cfg(not(unix))]
    {
        let _ = exit_code;
        ctrlc::set_handler(move || send(Signal::Stop)).map_err(failed)
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Runtime, "cannot listen for signals", error)
}
