//! Calls that are at work at the same time, as far as the memory allows.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::meter::{CANCEL_POLL, Meter};
use crate::error::Result;

/// Lets calls in, in their order.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Calls that there have been.
    calls: u64,
    /// Calls at work.
    working: usize,
    /// Bytes that they may take.
    bytes: u64,
    /// Orders of calls that wait.
    waiting: BTreeSet<u64>,
}

/// A call's place at work; dropping it ends the work.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    admission: &'a Admission,
    bytes: u64,
}

impl Admission {
    /// The order of a new call.
    pub(crate) fn order(&self) -> u64 {
        let mut state = self.state();
        state.calls += 1;
        state.calls
    }

    /// Waits until no earlier call waits, and `bytes` fit into `budget` beside what is at work, or nothing is.
    ///
    /// # Errors
    /// `Cancelled`, once the call of `meter` is.
    pub(crate) fn enter(&self, bytes: u64, budget: u64, meter: &Meter<'_>) -> Result<Place<'_>> {
        let mut state = self.state();
        state.waiting.insert(meter.order());
        let result = loop {
            if let Err(error) = meter.check() {
                break Err(error);
            }
            let fits = state.working == 0 || state.bytes.saturating_add(bytes) <= budget;
            if fits && state.waiting.first() == Some(&meter.order()) {
                state.working += 1;
                state.bytes = state.bytes.saturating_add(bytes);
                break Ok(Place { admission: self, bytes });
            }
            let waited = self.changed.wait_timeout(state, CANCEL_POLL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiting.remove(&meter.order());
        self.changed.notify_all();
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at every moment, also where a panic poisoned it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        state.working -= 1;
        state.bytes = state.bytes.saturating_sub(self.bytes);
        self.admission.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::progress::{CancelToken, NoProgress};

    #[test]
    fn calls_share_the_memory_in_their_order_and_large_ones_go_alone() {
        let admission = Admission::default();
        let cancel = CancelToken::new();
        let meter = || Meter::new(&NoProgress, &cancel, 1.0, admission.order());
        let (a, b) = (admission.enter(5, 10, &meter()).unwrap(), admission.enter(5, 10, &meter()).unwrap());
        let (large, small) = (meter(), meter());
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let place = admission.enter(99, 10, &large).unwrap();
                sender.send(admission.state().bytes).unwrap();
                drop(place);
            });
            while admission.state().waiting.is_empty() {
                std::thread::yield_now();
            }
            // It would fit, but not before the large one.
            let waiting = scope.spawn(|| admission.enter(1, 100, &small).map(drop));
            drop((a, b));
            assert_eq!(receiver.recv(), Ok(99));
            waiting.join().unwrap().unwrap();
        });
        let _c = admission.enter(5, 10, &meter()).unwrap();
        cancel.cancel();
        assert!(admission.enter(6, 10, &meter()).is_err() && admission.state().waiting.is_empty());
    }
}
