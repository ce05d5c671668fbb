//! The progress bar: time left and megapixels per second; hidden where standard error is no terminal.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Positions of a full bar; so many that the time left is known early in a run of days.
const FULL: u64 = 1_000_000;

const STYLE: &str = "{prefix} {wide_bar} {percent:>3}% {msg} {eta_precise} left";

/// The progress of a run of one image or many.
pub struct Bar {
    shown: bool,
    bar: ProgressBar,
    files: usize,
    finished: usize,
    /// Megapixels of the results of the whole run, and of those that are finished.
    total: f64,
    done: f64,
    at_work: Vec<AtWork>,
}

struct AtWork {
    name: String,
    output: PathBuf,
    megapixels: f64,
    fraction: f64,
}

impl Bar {
    /// A bar that appears with the first image, if at all.
    pub fn new(shown: bool) -> Self {
        let bar = ProgressBar::hidden();
        Self { shown, bar, files: 0, finished: 0, total: 0.0, done: 0.0, at_work: Vec::new() }
    }

    /// Expects `files` images whose results have `megapixels` in all.
    pub fn expect(&mut self, files: usize, megapixels: f64) {
        (self.files, self.total) = (files, megapixels);
    }

    /// Images of the run.
    pub fn files(&self) -> usize {
        self.files
    }

    /// Megapixels of the results that are made.
    pub fn done(&self) -> f64 {
        self.done
    }

    /// Begins the image called `name`.
    pub fn start(&mut self, name: String, output: &Path, megapixels: f64) {
        self.at_work.push(AtWork { name, output: output.to_path_buf(), megapixels, fraction: 0.0 });
        if self.shown && self.bar.is_hidden() {
            let style = ProgressStyle::with_template(STYLE).expect("the template is valid");
            self.bar =
                ProgressBar::with_draw_target(Some(FULL), ProgressDrawTarget::stderr()).with_style(style);
        }
        self.bar.set_prefix(self.title());
        self.bar.tick();
    }

    /// Shows how far an image is.
    pub fn set(&mut self, output: &Path, fraction: f64, step: usize, steps: usize) {
        if let Some(image) = self.at_work.iter_mut().find(|image| image.output == output) {
            image.fraction = fraction;
        }
        let at = if self.at_work.len() > 1 { String::new() } else { format!("step {step}/{steps}, ") };
        self.show(&at);
    }

    /// Ends an image that was `made`, or could not be.
    pub fn finish(&mut self, output: &Path, made: bool) {
        if let Some(index) = self.at_work.iter().position(|image| image.output == output) {
            let megapixels = self.at_work.remove(index).megapixels;
            if made {
                self.done += megapixels;
            } else {
                self.total -= megapixels;
            }
            self.finished += 1;
        }
        if self.finished == self.files {
            self.clear();
        } else {
            self.bar.set_prefix(self.title());
            self.show("");
        }
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

    /// The image that is longest at work, and how many are finished, made or not.
    fn title(&self) -> String {
        let name = self.at_work.first().map_or("", |image| &image.name);
        match self.files {
            1 => name.to_owned(),
            files => format!("[{}/{files} finished] {name}", self.finished),
        }
    }

    fn show(&self, at: &str) {
        let made = self.made();
        let seconds = self.bar.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { made / seconds } else { 0.0 };
        self.bar.set_message(format!("{at}{rate:.2} MP/s,"));
        self.bar.set_position((made / self.total.max(f64::MIN_POSITIVE) * FULL as f64) as u64);
    }

    /// Megapixels so far, those of unfinished images by their share.
    fn made(&self) -> f64 {
        self.done + self.at_work.iter().map(|image| image.fraction * image.megapixels).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_at_work_count_by_their_share() {
        let mut bar = Bar::new(false);
        bar.expect(3, 10.0);
        for (name, megapixels) in [("a", 2.0), ("b", 4.0)] {
            bar.start(name.into(), Path::new(name), megapixels);
        }
        bar.set(Path::new("b"), 0.25, 1, 4);
        bar.set(Path::new("a"), 0.5, 1, 2);
        assert_eq!(bar.made(), 2.0);
        bar.finish(Path::new("b"), true);
        bar.finish(Path::new("never begun"), true);
        assert_eq!((bar.made(), bar.done(), bar.title().as_str()), (5.0, 4.0, "[1/3 finished] a"));
        bar.finish(Path::new("a"), false);
        assert_eq!((bar.made(), bar.total, bar.title().as_str()), (4.0, 8.0, "[2/3 finished] "));
    }
}
