//! The progress bar: step, time left and megapixels per second; hidden where standard error is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Positions of a full bar; fine enough for any terminal.
const FULL: u64 = 1000;

const STYLE: &str = "{prefix} {wide_bar} {percent:>3}% {msg} {eta_precise} left";

/// One picture's progress at a time.
pub struct Bar {
    shown: bool,
    bar: ProgressBar,
    megapixels: f64,
}

impl Bar {
    /// A bar that appears with the first picture, if at all.
    pub fn new(shown: bool) -> Self {
        Self { shown, bar: ProgressBar::hidden(), megapixels: 0.0 }
    }

    /// Begins a picture whose result has `megapixels`.
    pub fn start(&mut self, name: String, megapixels: f64) {
        self.clear();
        self.megapixels = megapixels;
        if self.shown {
            let style = ProgressStyle::with_template(STYLE).expect("the template is valid");
            self.bar = ProgressBar::with_draw_target(Some(FULL), ProgressDrawTarget::stderr())
                .with_style(style)
                .with_prefix(name);
            self.bar.tick();
        }
    }

    /// Shows how far the picture is.
    pub fn set(&mut self, fraction: f64, step: usize, steps: usize) {
        let seconds = self.bar.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { self.megapixels * fraction / seconds } else { 0.0 };
        self.bar.set_message(format!("step {step}/{steps}, {rate:.2} MP/s,"));
        self.bar.set_position((fraction * FULL as f64) as u64);
    }

    /// Runs `print` with the bar out of the way.
    pub fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Removes the bar.
    pub fn clear(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }
}
