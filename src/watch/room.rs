//! Memory for pictures on their way to the engine and from it.

use std::sync::{Condvar, Mutex, PoisonError};

/// A limit on the bytes of pictures outside the engine.
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
    bytes: u64,
}

impl Room {
    /// Room for `total` bytes.
    pub fn new(total: u64) -> Self {
        Self { total, taken: Mutex::new(0), left: Condvar::new() }
    }

    /// Waits until there is room for `bytes`. What exceeds the whole room goes alone.
    pub fn enter(&self, bytes: u64) -> Ticket<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self
            .left
            .wait_while(taken, |taken| *taken > 0 && taken.saturating_add(bytes) > self.total)
            .unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_add(bytes);
        Ticket { room: self, bytes }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(self.bytes);
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
