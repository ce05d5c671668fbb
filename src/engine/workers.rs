//! Networks working through a list of tiles, one thread each.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::engine::Meter;
use crate::error::{Error, Result};
use crate::network::Network;

/// Opens a network that stands in when another one gave a broken tile; on the CPU where that is not the device.
pub(crate) type Fallback = dyn Fn() -> Result<Box<dyn Network>> + Send + Sync;

/// The networks of one upscaler.
pub(crate) struct Workers {
    networks: Vec<Box<dyn Network>>,
    fallback: Option<Box<Fallback>>,
    spare: Mutex<Option<Box<dyn Network>>>,
}

impl Workers {
    /// One thread per network.
    pub(crate) fn new(networks: Vec<Box<dyn Network>>, fallback: Option<Box<Fallback>>) -> Self {
        Self { networks, fallback, spare: Mutex::new(None) }
    }

    /// How many tiles are in work at once.
    pub(crate) fn count(&self) -> usize {
        self.networks.len()
    }

    /// One of the networks.
    pub(crate) fn first(&mut self) -> &mut dyn Network {
        self.networks[0].as_mut()
    }

    /// Calls `work` for every item, each on one network at a time, in order of start. The first error ends it.
    pub(crate) fn for_each<T: Sync>(
        &mut self,
        items: &[T],
        meter: &Meter<'_>,
        work: impl Fn(&mut Worker<'_>, usize, &T) -> Result<()> + Sync,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        let (spare, fallback) = (&self.spare, self.fallback.as_deref());
        let run = |network: &mut Box<dyn Network>| {
            let mut worker = Worker { network: network.as_mut(), spare, fallback };
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { break };
                if let Err(error) = meter.check().and_then(|()| work(&mut worker, index, item)) {
                    failed.lock().expect("no panic while held").get_or_insert(error);
                    next.store(items.len(), Ordering::Relaxed);
                    break;
                }
            }
        };
        let threads = self.networks.len().min(items.len());
        if let [only] = &mut self.networks[..threads] {
            run(only);
        } else {
            thread::scope(|scope| {
                for network in &mut self.networks[..threads] {
                    scope.spawn(|| run(network));
                }
            });
        }
        failed.into_inner().expect("no panic while held").map_or(Ok(()), Err)
    }
}

/// A network and, for broken tiles, another try.
pub(crate) struct Worker<'a> {
    network: &'a mut dyn Network,
    spare: &'a Mutex<Option<Box<dyn Network>>>,
    fallback: Option<&'a Fallback>,
}

impl Worker<'_> {
    pub(crate) fn network(&mut self) -> &mut dyn Network {
        self.network
    }

    /// Runs `work` on the fallback network where there is one, else again on this one.
    pub(crate) fn again<T>(&mut self, work: impl FnOnce(&mut dyn Network) -> Result<T>) -> Result<T> {
        let Some(open) = self.fallback else { return work(self.network) };
        let mut spare = self.spare.lock().expect("no panic while held");
        if spare.is_none() {
            *spare = Some(open()?);
        }
        work(spare.as_deref_mut().expect("opened above"))
    }
}
