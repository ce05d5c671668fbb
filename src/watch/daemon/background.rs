//! Work on files on a thread of its own: a share that hangs holds up nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A thread that does one task after the other.
#[derive(Debug)]
pub struct Background<T, R> {
    tasks: Sender<T>,
    results: Receiver<R>,
    announced: Arc<AtomicBool>,
    pending: usize,
}

impl<T: Send + 'static, R: Send + 'static> Background<T, R> {
    /// A thread that does `work`. It calls `announce` when there is something to [`take`](Self::take), once until it
    /// is taken.
    pub fn new(work: impl Fn(T) -> R + Send + 'static, announce: impl Fn() + Send + 'static) -> Self {
        let (tasks, waiting) = channel();
        let (done, results) = channel();
        let announced = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&announced);
        // Never joined: it may be in a system call that does not return.
        thread::spawn(move || {
            for task in waiting {
                if done.send(work(task)).is_err() {
                    return;
                }
                if !flag.swap(true, Ordering::SeqCst) {
                    announce();
                }
            }
        });
        Self { tasks, results, announced, pending: 0 }
    }

    /// Has `task` done.
    pub fn start(&mut self, task: T) {
        self.pending += 1;
        let _ = self.tasks.send(task);
    }

    /// Tasks whose results were not taken.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// The results since the last time.
    pub fn take(&mut self) -> Vec<R> {
        self.announced.store(false, Ordering::SeqCst);
        let results: Vec<R> = self.results.try_iter().collect();
        self.pending -= results.len();
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_blocks_holds_up_nobody() {
        let (release, released) = channel();
        let (announce, announced) = channel();
        let work = move |task: u32| {
            let () = released.recv().unwrap();
            task + 1
        };
        let mut background = Background::new(work, move || announce.send(()).unwrap());
        (1..3).for_each(|task| background.start(task));
        assert_eq!((background.take(), background.pending()), (vec![], 2));
        (1..3).for_each(|_| release.send(()).unwrap());
        let mut results = Vec::new();
        while background.pending() > 0 {
            announced.recv().unwrap();
            results.extend(background.take());
        }
        assert_eq!(results, [2, 3]);
    }
}
