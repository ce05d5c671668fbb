//! `partdiff preview`: a part of an image with every preset, as a web page to choose by eye.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Args;

use super::interrupt;
use super::upscale::open_bundle;
use crate::batch::naming::{format_and_extension, shown};
use crate::batch::probe::read_file;
use crate::cli::args::upscale_args::ModelArgs;
use crate::cli::output::bar::Bar;
use crate::cli::output::exit::Exit;
use crate::cli::output::stdout::print;
use crate::engine::Upscaler;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::atomic_file;
use crate::fs::file_id::FileId;
use crate::fs::folder::{folder_of, make_folder};
use crate::image::{EncodeOptions, decode_page, jpeg_quality, page_count, prepare_for_model};
use crate::limits::Limits;
use crate::model::{Bundle, DEFAULT_BUNDLE};
use crate::preview::{About, Asked, Crop, page, preview};
use crate::progress::{CancelToken, ProgressEvent};
use crate::runtime::{Device, Provider, Runtime};
use crate::settings::cleanup::Cleanup;
use crate::settings::deblur::Deblur;
use crate::settings::repair::AskedRepair;
use crate::settings::values;

/// Side of the part that is shown, in pixels of the image.
const SIDE: usize = 160;

/// Show a part of an image with every preset side by side, as a web page
#[derive(Args, Clone, Debug)]
pub struct PreviewArgs {
    /// The image; of several pages the first
    #[arg(value_name = "INPUT")]
    input: PathBuf,

    /// The page to write; by default {stem}_preview.html beside the input
    #[arg(short, long, value_name = "PAGE")]
    output: Option<PathBuf>,

    /// Replace an existing page
    #[arg(long)]
    overwrite: bool,

    /// The part to show, in pixels of the image; by default a square of 160 pixels with much detail
    #[arg(long, value_name = "WxH+X+Y")]
    crop: Option<Crop>,

    /// Clean-up, as for `partdiff upscale`
    #[arg(long, value_name = "0-1|auto")]
    cleanup: Option<Cleanup>,

    /// Deblurring, as for `partdiff upscale`
    #[arg(long, value_name = "FACTOR|auto")]
    deblur: Option<Deblur>,

    /// Results with different seeds, whose spread is shown as uncertainty, 2 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = values::count)]
    samples: usize,

    #[command(flatten)]
    model: ModelArgs,
}

impl PreviewArgs {
    /// Writes the page.
    pub fn run(&self) -> Result<ExitCode> {
        let output = self.output.clone().unwrap_or_else(|| beside(&self.input));
        if FileId::of(&output).is_some_and(|id| FileId::of(&self.input) == Some(id)) {
            let message = format!("{} is also the input: expected another name for the page", shown(&output));
            return Err(Error::invalid_option(message));
        }
        if output.symlink_metadata().is_ok() && !self.overwrite {
            let message = format!("{} exists already: use --overwrite to replace it", shown(&output));
            return Err(Error::new(ErrorKind::Output, message));
        }
        atomic_file::check_writable(&output)?;
        let text = self.made().map_err(|error| match error.kind() {
            ErrorKind::Input | ErrorKind::Limit => error.context(shown(&self.input)),
            _ => error,
        })?;
        make_folder(folder_of(&output))?;
        atomic_file::write(&output, text.as_bytes(), self.overwrite)?;
        print(&format!("{}: open it in a browser\n", shown(&output)))?;
        Ok(Exit::Done.into())
    }

    /// The page.
    fn made(&self) -> Result<String> {
        let limits = Limits::default();
        let bytes = read_file(&self.input, &limits)?;
        let image = decode_page(&bytes, 0, &limits)?;
        let note = |text: &str| eprintln!("partdiff: {}: {text}", shown(&self.input));
        image.damage.iter().for_each(|damage| note(damage));
        let (contents, pages) = (image.format, page_count(&bytes));
        if pages > 1 {
            note(&format!("the first of {pages} pages is shown"));
        }
        if image.is_transparent() {
            note("transparency is not shown");
        }
        let (format, _) = format_and_extension(None, &self.input, contents);
        let encoding = EncodeOptions { depth: Some(image.depth), ..EncodeOptions::new(format) };
        let image = prepare_for_model(image).color;
        let size = (image.width(), image.height());
        let crop = self.crop.unwrap_or_else(|| Crop::most_detailed(&image, SIDE));
        let bundle = self.bundle()?;
        let presets = presets(&bundle)?;
        let cancel = CancelToken::new();
        interrupt::install(cancel.clone())?;
        let upscaler = Upscaler::open(&bundle, &self.model.runtime(None))?;
        let repair = AskedRepair { cleanup: self.cleanup, deblur: self.deblur };
        let asked = Asked { crop, presets: presets.clone(), repair, samples: self.samples };
        let results = (bundle.manifest().scale.pow(2) * presets.len()) as f64;
        let bar = Mutex::new(self.bar(crop.width as f64 * crop.height as f64 * results * 1e-6));
        let bar = || bar.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = |event: ProgressEvent| {
            bar().set(&self.input, event.fraction, event.step, event.steps);
            true
        };
        let made = preview(&image, jpeg_quality(&bytes), &upscaler, &asked, &progress, &cancel);
        bar().clear();
        let made = made?;
        let provider = upscaler.provider().map_or(Provider::Cpu, |report| report.provider);
        let about = About {
            file: self.input.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            size,
            model: format!("{} {}", bundle.manifest().name, bundle.manifest().version),
            others: self.others(&bundle, provider),
            device: provider.to_string(),
            encoding,
            commands: presets.iter().map(|preset| self.command(preset)).collect(),
        };
        cancel.check()?;
        page(&made, &about)
    }

    fn bundle(&self) -> Result<Bundle> {
        match &self.model.model {
            Some(name) => open_bundle(name),
            None => Bundle::resolve(DEFAULT_BUNDLE),
        }
    }

    /// For so many megapixels of results.
    fn bar(&self, megapixels: f64) -> Bar {
        let mut bar = Bar::new(std::io::stderr().is_terminal());
        bar.expect(1, megapixels);
        bar.start(shown(&self.input), &self.input, megapixels);
        bar
    }

    /// Other providers that run here, with their time as a multiple of that of `own`.
    fn others(&self, bundle: &Bundle, own: Provider) -> Vec<(String, f64)> {
        let Some(runtime) = Runtime::loaded() else { return Vec::new() };
        let speeds = runtime.speeds(bundle, own, self.model.runtime(None).cpu_threads());
        let Some(&(_, unit)) = speeds.iter().find(|(provider, _)| *provider == own) else {
            return Vec::new();
        };
        let others = speeds.into_iter().filter(|(provider, _)| *provider != own);
        others.map(|(provider, seconds)| (provider.to_string(), seconds / unit)).collect()
    }

    /// The command line that makes the whole result with a preset; `None` for names that are no Unicode.
    fn command(&self, preset: &str) -> Option<String> {
        let input = self.input.to_str()?;
        // A dash would begin an option.
        let input = if input.starts_with('-') { format!("./{input}") } else { input.to_owned() };
        let mut words = vec!["partdiff".to_owned(), "upscale".to_owned(), input];
        let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
        if let Some(model) = &self.model.model {
            add("--model", model.to_str()?);
        }
        if self.model.device != Device::Auto {
            add("--device", &self.model.device.to_string());
        }
        if let Some(cleanup) = self.cleanup {
            add("--cleanup", &cleanup.to_string());
        }
        if let Some(deblur) = self.deblur {
            add("--deblur", &deblur.to_string());
        }
        add("--preset", preset);
        Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
    }
}

/// The presets of a bundle, fewest steps first.
fn presets(bundle: &Bundle) -> Result<Vec<String>> {
    let manifest = bundle.manifest();
    let presets = manifest.presets_by_steps();
    if presets.is_empty() {
        let message = format!("model {} has no presets: expected at least one to show", manifest.name);
        return Err(Error::new(ErrorKind::Model, message));
    }
    Ok(presets.into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// `{stem}_preview.html` beside the input.
fn beside(input: &Path) -> PathBuf {
    let mut name = input.file_stem().unwrap_or_default().to_owned();
    name.push("_preview.html");
    input.with_file_name(name)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if cfg!(windows) { format!("\"{word}\"") } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("a/b-1.png"), "a/b-1.png");
        if !cfg!(windows) {
            assert_eq!(quoted("Tom's cat.png"), "'Tom'\\''s cat.png'");
            assert_eq!(quoted(""), "''");
        }
        assert_eq!(beside(Path::new("dir/photo.one.jpg")), Path::new("dir/photo.one_preview.html"));
    }
}
