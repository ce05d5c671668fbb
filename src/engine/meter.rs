//! Progress and cancellation of one run, shared by its threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::progress::{CancelToken, Progress, ProgressEvent};

/// Adds up finished work and hears whether to go on.
pub(crate) struct Meter<'a> {
    progress: &'a dyn Progress,
    cancel: &'a CancelToken,
    refused: AtomicBool,
    total: f64,
    done: Mutex<f64>,
}

impl<'a> Meter<'a> {
    /// A meter for `total` units of work.
    pub(crate) fn new(progress: &'a dyn Progress, cancel: &'a CancelToken, total: f64) -> Self {
        Self { progress, cancel, refused: AtomicBool::new(false), total, done: Mutex::new(0.0) }
    }

    /// Counts `units` of finished work while `step` of `steps` runs (0: the encoder).
    pub(crate) fn add(&self, units: f64, step: usize, steps: usize) {
        // Held over the call, so that reports come one at a time and in order.
        let mut done = self.done.lock().expect("no panic while held");
        *done += units;
        let fraction = (*done / self.total).min(1.0);
        if !self.progress.report(ProgressEvent { fraction, step, steps }) {
            self.refused.store(true, Ordering::Release);
        }
    }

    /// Whether the caller asked to stop, by token or by the progress's return value.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.refused.load(Ordering::Acquire) || self.cancel.is_cancelled()
    }

    /// A poll point.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}
