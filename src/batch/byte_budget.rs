//! A limit on what is under way: bytes of pictures outside the engine, pictures inside it.

use std::sync::{Condvar, Mutex, PoisonError};

/// Pictures in the engine beside one for each network: while the engine prepares or finishes some, others fill the gap.
pub const SPARE_LANES: u64 = 2;

/// Bytes of a decoded picture of width x height `size` and of its result of size `target`, of so many channels with
/// alpha.
pub fn weight(size: (usize, usize), target: (usize, usize), channels: usize) -> u64 {
    let area = |(width, height): (usize, usize)| (width as u64).saturating_mul(height as u64);
    area(size).saturating_add(area(target)).saturating_mul(4 * channels as u64)
}

/// A limit on the sum of what is entered.
#[derive(Debug)]
pub struct Room {
    total: u64,
    taken: Mutex<u64>,
    left: Condvar,
}

/// A share of the room; dropping it gives it back.
#[derive(Debug)]
pub struct Ticket<'a> {
    room: &'a Room,
    amount: u64,
}

impl Room {
    /// Room for `total`.
    pub fn new(total: u64) -> Self {
        Self { total, taken: Mutex::new(0), left: Condvar::new() }
    }

    /// All of the room.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Waits until there is room for `amount`. What exceeds the whole room goes alone.
    pub fn enter(&self, amount: u64) -> Ticket<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self
            .left
            .wait_while(taken, |taken| *taken > 0 && taken.saturating_add(amount) > self.total)
            .unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_add(amount);
        Ticket { room: self, amount }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(self.amount);
        self.room.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn small_ones_share_and_large_ones_go_alone() {
        let room = Room::new(10);
        let (sender, receiver) = channel();
        let (a, b) = (room.enter(5), room.enter(5));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let large = room.enter(99);
                sender.send(*room.taken.lock().unwrap()).unwrap();
                drop(large);
            });
            drop(a);
            drop(b);
            assert_eq!(receiver.recv(), Ok(99));
        });
        assert_eq!(*room.taken.lock().unwrap(), 0);
    }
}
