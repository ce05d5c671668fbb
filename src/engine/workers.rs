//! The networks of one upscaler, lent out inference by inference to all calls that are at work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::engine::meter::{CANCEL_POLL, Meter};
use crate::error::{Error, Result};
use crate::runtime::network::Network;

/// Opens a network that stands in when another one gave a broken tile; on the CPU where that is not the device.
pub(crate) type Fallback = dyn Fn() -> Result<Box<dyn Network>> + Send + Sync;

/// The networks of one upscaler.
///
/// A call holds a network only while that runs, so that what calls do between inferences overlaps the inferences of
/// others. Earlier calls go first: later ones fill the gaps.
pub(crate) struct Workers {
    pool: Mutex<Pool>,
    changed: Condvar,
    count: usize,
    fallback: Option<Box<Fallback>>,
    spare: Mutex<Option<Box<dyn Network>>>,
}

struct Pool {
    free: Vec<Box<dyn Network>>,
    /// Orders of the calls whose threads wait, one entry a thread.
    waiting: Vec<u64>,
}

impl Workers {
    /// One inference at a time per network.
    pub(crate) fn new(networks: Vec<Box<dyn Network>>, fallback: Option<Box<Fallback>>) -> Self {
        let count = networks.len();
        let pool = Mutex::new(Pool { free: networks, waiting: Vec::new() });
        Self { pool, changed: Condvar::new(), count, fallback, spare: Mutex::new(None) }
    }

    /// How many tiles are in work at once.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Calls `work` for every item, on as many threads as there are networks, in order of start. The first error ends
    /// it.
    pub(crate) fn for_each<T: Sync>(
        &self,
        items: &[T],
        meter: &Meter<'_>,
        work: impl Fn(&Worker<'_>, usize, &T) -> Result<()> + Sync,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        let run = || {
            let worker = Worker { workers: self, meter };
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { break };
                if let Err(error) = meter.check().and_then(|()| work(&worker, index, item)) {
                    failed.lock().expect("no panic while held").get_or_insert(error);
                    next.store(items.len(), Ordering::Relaxed);
                    break;
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.count.min(items.len()) {
                scope.spawn(run);
            }
            run();
        });
        failed.into_inner().expect("no panic while held").map_or(Ok(()), Err)
    }

    /// Runs `work` on a network, once one is free for the call of `meter`.
    pub(crate) fn lend<T>(
        &self,
        meter: &Meter<'_>,
        work: impl FnOnce(&mut dyn Network) -> Result<T>,
    ) -> Result<T> {
        let mut loan = Loan { workers: self, network: Some(self.wait(meter)?) };
        let network = loan.network.as_deref_mut().expect("taken when the loan ends");
        let _running = meter.running(network.interrupt())?;
        work(network)
    }

    fn wait(&self, meter: &Meter<'_>) -> Result<Box<dyn Network>> {
        let mut pool = self.pool();
        pool.waiting.push(meter.order());
        let result = loop {
            if let Err(error) = meter.check() {
                break Err(error);
            }
            if pool.waiting.iter().all(|&order| order >= meter.order())
                && let Some(network) = pool.free.pop()
            {
                break Ok(network);
            }
            let waited = self.changed.wait_timeout(pool, CANCEL_POLL);
            pool = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        let own = pool.waiting.iter().position(|&order| order == meter.order()).expect("pushed above");
        pool.waiting.swap_remove(own);
        if !pool.free.is_empty() {
            self.changed.notify_all();
        }
        result
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // Whole at every moment, also where a panic poisoned it.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A network that was lent; it goes back also after a panic, of which it holds nothing.
struct Loan<'a> {
    workers: &'a Workers,
    network: Option<Box<dyn Network>>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.workers.pool().free.extend(self.network.take());
        // All, since only the earliest call may go on.
        self.workers.changed.notify_all();
    }
}

/// A thread of a call, as the work on its tiles sees it.
pub(crate) struct Worker<'a> {
    workers: &'a Workers,
    meter: &'a Meter<'a>,
}

impl Worker<'_> {
    /// Runs `work` on a network.
    pub(crate) fn run<T>(&self, work: impl FnOnce(&mut dyn Network) -> Result<T>) -> Result<T> {
        self.workers.lend(self.meter, work)
    }

    /// Runs `work` on the fallback network where there is one, else again on any.
    pub(crate) fn again<T>(&self, work: impl FnOnce(&mut dyn Network) -> Result<T>) -> Result<T> {
        let Some(open) = &self.workers.fallback else { return self.run(work) };
        let mut spare = self.workers.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_none() {
            *spare = Some(open()?);
        }
        let network = spare.as_deref_mut().expect("opened above");
        let _running = self.meter.running(network.interrupt())?;
        work(network)
    }
}
