//! Events as people want to read them, on standard error.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::bar::Bar;
use super::exit::kind_name;
use crate::batch::naming::shown;
use crate::batch::timings::Timings;
use crate::cli::args::upscale_request::Verbosity;
use crate::error::ErrorKind;
use crate::report::event::{Event, Files, Reporter};
use crate::report::shown::RESAMPLED;
use crate::settings::values::{show_bytes, show_seconds};
use crate::volume::{Side, Summary};

/// Writes lines and a progress bar; plans go to standard output, since they are what was asked for.
pub struct HumanReporter {
    verbosity: Verbosity,
    bar: Mutex<Bar>,
    failed: Mutex<Vec<(PathBuf, String)>>,
}

impl HumanReporter {
    /// A reporter with this verbosity.
    pub fn new(verbosity: Verbosity) -> Self {
        let bar = Bar::new(verbosity != Verbosity::Quiet);
        Self { verbosity, bar: Mutex::new(bar), failed: Mutex::default() }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Bar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, text: &str) {
        // A closed terminal must not end the work.
        self.bar().above(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }
}

impl Reporter for HumanReporter {
    fn tell(&self, event: &Event<'_>) {
        let (quiet, verbose) = (self.verbosity == Verbosity::Quiet, self.verbosity == Verbosity::Verbose);
        match event {
            Event::Run {
                version,
                model,
                model_version,
                model_digest,
                library,
                provider,
                provider_failed,
                files,
                megapixels,
            } => {
                self.bar().expect(*files, *megapixels);
                if *provider_failed && !quiet && !verbose {
                    self.line(&format!("runs on {provider}"));
                }
                if !verbose {
                    return;
                }
                self.line(&format!(
                    "partdiff {version}, model {model} {model_version} (sha256 {model_digest})"
                ));
                self.line(&format!("runs on {provider}, with {}", shown(library.0)));
            }
            Event::Shard { index, count, files, all_files } => {
                if !quiet {
                    self.line(&format!("part {index} of {count}: {files} of {all_files} inputs"));
                }
            }
            Event::Start { files, width, height, megapixels, .. } => {
                if verbose {
                    self.line(&format!("{} to {width}x{height} pixels", shown(files.input.0)));
                }
                self.bar().start(shown(files.input.0), output(files), *megapixels);
            }
            Event::Progress { files, fraction, step, steps } => {
                self.bar().set(output(files), *fraction, *step, *steps);
            }
            Event::Plan { files, pages, width, height, memory_bytes, seconds, details, page } => {
                let text = format!(
                    "{}: {}{width}x{height} pixels, about {}, {} of memory",
                    arrow(files),
                    count(*pages, page),
                    show_seconds(*seconds),
                    show_bytes(*memory_bytes)
                );
                let details = if verbose { format!("\n  {details}") } else { String::new() };
                let _ = writeln!(io::stdout().lock(), "{text}{details}");
            }
            Event::Done {
                files,
                backup,
                uncertainty,
                preview,
                pages,
                width,
                height,
                seconds,
                report,
                timings,
                volume,
                thumbnails: _,
            } => {
                self.bar().finish(output(files), true);
                if quiet {
                    return;
                }
                // Files that are made at the same time share the processors: the summary has their rate.
                let alone = self.bar().files() == 1;
                let rate = if alone { self.rate(*seconds) } else { String::new() };
                let fidelity = &report.fidelity;
                let (made, agrees) = if volume.is_some_and(Summary::is_copy) {
                    ("copied".to_owned(), String::new())
                } else if report.passes == 0 {
                    (RESAMPLED.to_owned(), String::new())
                } else {
                    let steps = report.sampling.steps;
                    let plural = if steps == 1 { "" } else { "s" };
                    let mut made = format!("{steps} step{plural}");
                    if report.cleanup > 0.0 {
                        made.push_str(&format!(", clean-up {:.2}", report.cleanup));
                    }
                    if report.deblur > 1 {
                        made.push_str(&format!(", made {} times smaller first against blur", report.deblur));
                    }
                    let agrees = format!(
                        ", mean difference from the input {:.2} levels of 255 (maximum {:.1}, mean colour shift \
                         {:.2})",
                        fidelity.mean_error,
                        fidelity.max_error,
                        fidelity.drift.iter().fold(0.0f64, |most, drift| most.max(drift.abs()))
                    );
                    (made, agrees)
                };
                match volume {
                    None => self.line(&format!(
                        "{}: {}{width}x{height} pixels, {made}, {}{rate}{agrees}",
                        arrow(files),
                        count(*pages, "page"),
                        show_seconds(*seconds)
                    )),
                    Some(volume) => self.line(&format!(
                        "{}: {}, {made}, {}{rate}{}",
                        arrow(files),
                        grid(&volume.output),
                        show_seconds(*seconds),
                        about_volume(volume)
                    )),
                }
                if let Some(timings) = timings {
                    let Timings { read_s, decode_s, engine_s, inference_s, restore_s, encode_s, .. } =
                        timings;
                    self.line(&format!(
                        "  read {read_s:.3} s, decoded {decode_s:.3} s, engine {engine_s:.3} s (networks {inference_s:.3} s), \
                         restored {restore_s:.3} s, encoded {encode_s:.3} s"
                    ));
                }
                if let Some(backup) = backup {
                    self.line(&format!("  the original is kept as {}", shown(backup.0)));
                }
                if let Some(map) = uncertainty {
                    self.line(&format!("  the uncertainty map is {}", shown(map.0)));
                }
                if let Some(preview) = preview {
                    self.line(&format!("  the preview is {}", shown(preview.0)));
                }
                if verbose {
                    self.line(&format!(
                        "  {}, start step {}, eta {}, seed {}, model passes {}, network calls {}, tiles retried {}, \
                         inference time {}",
                        report.sampling.sampler.name(),
                        report.sampling.start_step,
                        report.sampling.eta,
                        report.seed,
                        report.passes,
                        report.tiles,
                        report.retries,
                        show_seconds(report.network_seconds)
                    ));
                    let drift: Vec<_> = fidelity.drift.iter().map(|drift| format!("{drift:+.3}")).collect();
                    self.line(&format!(
                        "  downscaled to the input's size: mean colour difference {} levels of 255, {:.3} % of \
                         samples off by a level or more, back-projection rounds {}",
                        drift.join(" "),
                        100.0 * fidelity.off,
                        fidelity.rounds
                    ));
                }
            }
            Event::Skipped { files } if !quiet => {
                self.line(&format!("{}: skipped, exists already", arrow(files)));
            }
            Event::Skipped { .. } => {}
            Event::Warning { .. } if quiet => {}
            Event::Warning { files, message } => {
                self.line(&format!("partdiff: {}: warning: {message}", shown(files.input.0)));
            }
            Event::Damaged { files, message } => {
                self.line(&format!("partdiff: {}: {message}", shown(files.input.0)));
            }
            Event::Failed { files, kind, reason } => {
                if *kind == Some(kind_name(ErrorKind::Cancelled)) && self.bar().files() > 1 {
                    // The summary says so once for all.
                    return;
                }
                self.bar().finish(output(files), false);
                self.line(&format!("partdiff: {}: {reason}", shown(files.input.0)));
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push((files.input.0.to_path_buf(), reason.to_string()));
            }
            Event::Summary { done, skipped, failed, cancelled, seconds, .. } => {
                self.bar().clear();
                let total = done + skipped + failed;
                if !quiet && (total > 1 || *cancelled) {
                    self.summary((*done, *skipped, *failed), *cancelled, *seconds);
                }
            }
            // The daemon has a log.
            Event::Placed { .. } | Event::Attempt { .. } | Event::Finished { .. } | Event::Notice(_) => {}
        }
    }
}

impl HumanReporter {
    /// How fast the finished results were made.
    fn rate(&self, seconds: f64) -> String {
        format!(", {:.2} megapixels/s", self.bar().done() / seconds.max(1e-3))
    }

    fn summary(&self, (done, skipped, failed): (usize, usize, usize), cancelled: bool, seconds: f64) {
        let mut text = format!("{done} done");
        for (count, what) in [(skipped, "skipped"), (failed, "failed")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        let how = if cancelled { ", cancelled after" } else { " in" };
        let rate = if done > 0 { self.rate(seconds) } else { String::new() };
        let colon = if failed > 0 { ":" } else { "" };
        self.line(&format!("{text}{how} {}{rate}{colon}", show_seconds(seconds)));
        for (input, reason) in self.failed.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            self.line(&format!("  {}: {reason}", shown(input)));
        }
    }
}

/// The number of pages and what follows, where there are several.
fn count(pages: usize, page: &str) -> String {
    if pages > 1 { format!("{pages} {page}s, the first ") } else { String::new() }
}

/// The size of a volume and of its voxels.
fn grid(side: &Side) -> String {
    let shape = if side.shape[3] == 1 { &side.shape[..3] } else { &side.shape[..] };
    let shape: Vec<_> = shape.iter().map(ToString::to_string).collect();
    let voxel: Vec<_> = side.voxel_mm.iter().map(|size| show_number(*size)).collect();
    format!("{} voxels of {} mm", shape.join("x"), voxel.join("x"))
}

/// The intensities of a volume before and after.
pub fn intensities(volume: &Summary) -> String {
    let Summary { input, output, .. } = volume;
    let pair = |input: f64, output: f64| format!("{} to {}", show_number(input), show_number(output));
    let mut text = format!(
        "mean {}, 1st percentile {}, median {}, 99th percentile {} (result resampled to the input's grid)",
        pair(input.mean, output.mean),
        pair(input.p1, output.p1),
        pair(input.p50, output.p50),
        pair(input.p99, output.p99)
    );
    if let Some(correlation) = volume.correlation {
        text.push_str(&format!(", correlation {correlation:.5}"));
    }
    text
}

/// What else is worth telling of a volume.
fn about_volume(volume: &Summary) -> String {
    let mut text = format!("\n  before {}\n  {}", grid(&volume.input), intensities(volume));
    if volume.flat_slices > 0 {
        text.push_str(&format!(
            "\n  {} of {} slices that the model might see hold only air or lie outside the mask: interpolated without it",
            volume.flat_slices,
            volume.flat_slices + volume.slices
        ));
    }
    if let Some(sides) = volume.acquired {
        let sides = sides.map(|side| side.to_string()).join("x");
        text.push_str(&if volume.native {
            format!("\n  reduced first to the acquired grid of {sides}")
        } else {
            format!("\n  the acquired grid seems to be {sides}, interpolated before it was stored; --native reduces to it first")
        });
    }
    if volume.kspace {
        text.push_str(
            "\n  the k-space of the slices was put back: what was acquired is in the result as it was",
        );
    }
    if let Some(times) = volume.thickness() {
        text.push_str(&format!(
            "\n  only the plane {} became finer: slices lie {times:.0} times as far apart as the new pixels; --through iso makes \
             finer slices",
            volume.plane
        ));
    }
    text
}

/// A number with four digits that count.
fn show_number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The result by name, of which there is one for every image at work.
fn output<'a>(files: &Files<'a>) -> &'a Path {
    files.output.map_or(Path::new(""), |name| name.0)
}

fn arrow(files: &Files<'_>) -> String {
    let name =
        |path: &Path, stdio: &str| if path == Path::new("-") { stdio.to_string() } else { shown(path) };
    let input = name(files.input.0, "standard input");
    match files.output {
        Some(output) => format!("{input} -> {}", name(output.0, "standard output")),
        None => input,
    }
}
