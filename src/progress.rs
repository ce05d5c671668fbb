//! Progress and cancellation: one trait serves bar, callback and nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// What the engine is doing; sent after each finished piece of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProgressEvent {
    /// Work done so far, from 0 to 1, weighted by the cost of its pieces.
    pub fraction: f64,
    /// The denoising step that runs now, from 1 to `steps`; 0 while the encoder runs.
    pub step: usize,
    /// Denoising steps in all.
    pub steps: usize,
}

/// Receives progress. Calls may come from any thread, one at a time.
pub trait Progress: Send + Sync {
    /// Reports `event`; `false` cancels the work at the next poll point.
    fn report(&self, event: ProgressEvent) -> bool;
}

/// Reports nowhere and never cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn report(&self, _: ProgressEvent) -> bool {
        true
    }
}

impl<F: Fn(ProgressEvent) -> bool + Send + Sync> Progress for F {
    fn report(&self, event: ProgressEvent) -> bool {
        self(event)
    }
}

/// A flag that any thread may set to cancel work; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token not yet cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether `cancel` was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// `Err(Cancelled)` once cancelled: a poll point.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}
