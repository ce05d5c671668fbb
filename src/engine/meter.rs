//! Progress and cancellation of one call, shared by its threads.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::progress::{CancelToken, Progress, ProgressEvent};
use crate::runtime::network::Interrupt;

/// How often those who wait look whether their call was cancelled.
pub(crate) const CANCEL_POLL: Duration = Duration::from_millis(20);

/// Adds up finished work and hears whether to go on.
pub(crate) struct Meter<'a> {
    progress: &'a dyn Progress,
    cancel: &'a CancelToken,
    order: u64,
    refused: AtomicBool,
    total: f64,
    done: Mutex<f64>,
    /// What stops the inferences that run now.
    running: Mutex<Vec<Arc<dyn Interrupt>>>,
}

impl<'a> Meter<'a> {
    /// A meter for `total` units of work; calls of a lower `order` go first.
    pub(crate) fn new(progress: &'a dyn Progress, cancel: &'a CancelToken, total: f64, order: u64) -> Self {
        let (refused, done, running) = (AtomicBool::new(false), Mutex::new(0.0), Mutex::default());
        Self { progress, cancel, order, refused, total, done, running }
    }

    /// The call's place among all calls.
    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    /// Counts `units` of finished work while `step` of `steps` runs (0: the encoder).
    pub(crate) fn add(&self, units: f64, step: usize, steps: usize) {
        // Held over the call, so that reports come one at a time and in order; whole also after a panic.
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done += units;
        let fraction = (*done / self.total).min(1.0);
        let report = || self.progress.report(ProgressEvent { fraction, step, steps });
        match catch_unwind(AssertUnwindSafe(report)) {
            Ok(true) => {}
            Ok(false) => self.refused.store(true, Ordering::Release),
            Err(panic) => {
                // The call ends for its other threads, and here with the caller's own panic.
                self.refused.store(true, Ordering::Release);
                drop(done);
                resume_unwind(panic);
            }
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

    /// An inference begins that `interrupt` stops; it ends when the guard is dropped.
    pub(crate) fn running(&self, interrupt: Option<Arc<dyn Interrupt>>) -> Result<Running<'_>> {
        let mut running = self.list();
        // Under the lock: whatever was listed before a cancellation is stopped, and nothing is listed after it.
        self.check()?;
        if let Some(interrupt) = &interrupt {
            interrupt.reset();
            running.push(Arc::clone(interrupt));
        }
        drop(running);
        Ok(Running { meter: self, interrupt })
    }

    /// Stops the inferences of a cancelled call.
    pub(crate) fn break_off(&self) {
        self.list().iter().for_each(|interrupt| interrupt.stop());
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<dyn Interrupt>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An inference that can be stopped.
pub(crate) struct Running<'a> {
    meter: &'a Meter<'a>,
    interrupt: Option<Arc<dyn Interrupt>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(own) = &self.interrupt {
            self.meter.list().retain(|other| !Arc::ptr_eq(own, other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_panics_cancels_the_call_for_its_other_threads() {
        let progress = |event: ProgressEvent| {
            assert!(event.fraction > 0.4, "the caller's own fault");
            true
        };
        let cancel = CancelToken::new();
        let meter = Meter::new(&progress, &cancel, 4.0, 1);
        std::thread::scope(|scope| {
            let panic = scope.spawn(|| meter.add(1.0, 1, 1)).join().unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"the caller's own fault"));
        });
        // Another thread counts on without a panic, and hears that the call is over.
        meter.add(1.0, 1, 1);
        assert!(meter.is_cancelled());
    }
}
