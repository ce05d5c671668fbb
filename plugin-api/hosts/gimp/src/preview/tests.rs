use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};

use partdiff_host::Sample;

use super::next::{Next, Outcome, Screen, Work};
use crate::pixels::Pixels;

/// A dialog in which each call runs a handler, as GTK may do.
#[derive(Default)]
struct Dialog {
    next: Next,
    /// What handlers do to `next`.
    handler: Cell<Option<fn(&Dialog)>>,
    /// The latest wish of the user.
    shade: Cell<u8>,
    /// Renderings wait while it is held.
    gate: Arc<Mutex<()>>,
    log: RefCell<Vec<String>>,
}

impl Dialog {
    fn with(handler: fn(&Dialog)) -> Self {
        Self { handler: Cell::new(Some(handler)), ..Self::default() }
    }

    fn handle(&self) {
        if let Some(handler) = self.handler.get() {
            handler(self);
        }
    }

    fn want(&self, shade: u8) {
        self.shade.set(shade);
        self.next.want(self);
    }

    /// Ticks until `line` was logged.
    fn until(&self, line: &str) {
        while !self.log.borrow().iter().any(|found| found == line) {
            self.next.advance(self);
            std::thread::yield_now();
        }
    }

    fn logged(&self, start: &str) -> Vec<String> {
        self.log.borrow().iter().filter(|line| line.starts_with(start)).cloned().collect()
    }
}

fn render(shade: u8) -> Outcome {
    let mut pixels = Pixels::new(1, 1, 1, Sample::U8);
    pixels.data[0] = shade;
    Ok([pixels.clone(), pixels])
}

impl Screen for Dialog {
    fn work(&self) -> Option<Work> {
        let shade = self.shade.get();
        self.log.borrow_mut().push(format!("work {shade}"));
        self.handle();
        match shade {
            0 => None,
            1 => Some(Box::new(|| panic!("in the rendering"))),
            _ => {
                let gate = Arc::clone(&self.gate);
                Some(Box::new(move || {
                    let _open = gate.lock();
                    render(shade)
                }))
            }
        }
    }

    fn show(&self, images: &[Pixels; 2]) {
        self.log.borrow_mut().push(format!("show {}", images[0].data[0]));
        self.handle();
    }

    fn say(&self, text: &str) {
        self.log.borrow_mut().push(format!("say {text}"));
        self.handle();
    }
}

#[test]
fn one_wish_is_rendered_once() {
    let dialog = Dialog::default();
    dialog.want(7);
    dialog.until("say ");
    dialog.next.advance(&dialog);
    assert_eq!(*dialog.log.borrow(), ["work 7", "say Working…", "show 7", "say "]);
}

#[test]
fn wishes_during_a_rendering_become_one_after_it() {
    let dialog = Dialog::default();
    let gate = Arc::clone(&dialog.gate);
    let held = gate.lock().unwrap();
    dialog.want(7);
    dialog.want(8);
    dialog.want(9);
    drop(held);
    dialog.until("show 9");
    assert_eq!(dialog.logged("work"), ["work 7", "work 9"]);
}

#[test]
fn handlers_that_fire_within_calls_start_nothing_twice() {
    // Ticks within every call: each outcome is shown once all the same.
    let dialog = Dialog::with(|dialog| dialog.next.advance(dialog));
    dialog.want(7);
    dialog.until("say ");
    dialog.want(8);
    dialog.until("show 8");
    assert_eq!(dialog.logged("work"), ["work 7", "work 8"]);
    assert_eq!(dialog.logged("show"), ["show 7", "show 8"]);
}

#[test]
fn a_wish_from_within_a_call_is_kept() {
    // The first call of the screen changes the settings.
    let dialog = Dialog::with(|dialog| {
        dialog.handler.set(None);
        dialog.want(9);
    });
    dialog.want(7);
    dialog.until("show 9");
    assert_eq!(dialog.logged("work"), ["work 7", "work 9"]);
}

#[test]
fn a_closed_dialog_begins_and_shows_nothing() {
    let dialog = Dialog::default();
    dialog.want(7);
    dialog.next.close();
    dialog.want(8);
    dialog.next.advance(&dialog);
    assert_eq!(*dialog.log.borrow(), ["work 7", "say Working…"]);
}

#[test]
fn a_rendering_that_panics_is_told_and_the_next_one_runs() {
    let dialog = Dialog::default();
    dialog.want(0);
    dialog.want(1);
    dialog.until("say PartDiff failed: internal error (please report).");
    dialog.want(7);
    dialog.until("show 7");
}
