//! What is rendered next: one rendering at a time, on another thread, and then whatever is wanted by then.

use std::cell::{Cell, RefCell};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use crate::pixels::Pixels;
use crate::text::tr;

/// What was made for both views, or why not.
pub type Outcome = Result<[Pixels; 2], String>;
/// One rendering.
pub type Work = Box<dyn FnOnce() -> Outcome + Send>;

/// What the user sees. Each of its calls may end up in [`Next`] again, because GTK runs handlers within calls.
pub trait Screen {
    /// What to render for the settings shown; `None`, with the reason said, where there is nothing.
    fn work(&self) -> Option<Work>;
    /// Shows what was rendered.
    fn show(&self, images: &[Pixels; 2]);
    /// Shows `text`, a line on the state of the work.
    fn say(&self, text: &str);
}

/// The rendering under way and the one after it. Nothing of it stays borrowed while the screen is called.
#[derive(Default)]
pub struct Next {
    running: RefCell<Option<Receiver<Outcome>>>,
    wanted: Cell<bool>,
    /// A call is at work further up the stack, or the dialog is closed.
    busy: Cell<bool>,
}

impl Next {
    /// Asks for a rendering of what `screen` shows, after the one under way.
    pub fn want(&self, screen: &impl Screen) {
        self.wanted.set(true);
        self.advance(screen);
    }

    /// Shows what is finished, and begins what is wanted. To be called again and again: called from within itself, it
    /// leaves both to a later call.
    pub fn advance(&self, screen: &impl Screen) {
        if self.busy.replace(true) {
            return;
        }
        match self.finished() {
            Some(Ok(images)) => {
                screen.show(&images);
                screen.say("");
            }
            Some(Err(message)) => screen.say(&message),
            None => {}
        }
        let idle = self.running.borrow().is_none();
        if idle
            && self.wanted.take()
            && let Some(work) = screen.work()
        {
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || sender.send(work()));
            self.running.replace(Some(receiver));
            screen.say(&tr("Working…"));
        }
        self.busy.set(false);
    }

    /// From here on, nothing is begun or shown.
    pub fn close(&self) {
        self.busy.set(true);
    }

    /// The outcome of the rendering that has just ended.
    fn finished(&self) -> Option<Outcome> {
        let outcome = match self.running.borrow().as_ref()?.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(tr("PartDiff failed: internal error (please report).")),
        };
        self.running.take();
        Some(outcome)
    }
}
