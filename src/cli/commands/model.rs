//! `partdiff model`: what bundles there are, what one says of itself, and whether it works.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::upscale::open_bundle;
use crate::cli::args::choice::{DEVICES, one_of};
use crate::cli::output::exit::Exit;
use crate::cli::output::stdout::print;
use crate::diffusion::NoiseField;
use crate::engine::options::UpscaleOptions;
use crate::engine::{RuntimeOptions, Upscaler};
use crate::error::Result;
use crate::image::Raster;
use crate::model::{Bundle, DEFAULT_BUNDLE, Manifest, TilingKind};
use crate::progress::{CancelToken, NoProgress};
use crate::runtime::Device;
use crate::settings::values::show_bytes;

/// Sides of the image of `model check`: not square, and no multiple of anything.
const CHECK_SIZE: (usize, usize) = (37, 29);

#[derive(Args, Clone, Debug)]
pub struct ModelCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Clone, Debug)]
enum Action {
    /// List the models inside this program
    List,
    /// Show what a model is, how it samples, and how good it measured
    Info {
        #[command(flatten)]
        choice: Choice,
        /// Print the manifest as JSON
        #[arg(long)]
        json: bool,
    },
    /// Verify a model: manifest, hashes, the graphs' real inputs and outputs, and a small image
    Check {
        #[command(flatten)]
        choice: Choice,
        /// Where the model runs
        #[arg(long, default_value = "cpu", value_parser = one_of(DEVICES))]
        device: Device,
        /// The ONNX Runtime library to use, instead of the one that would be found
        #[arg(long, value_name = "PATH")]
        library: Option<PathBuf>,
    },
}

#[derive(Args, Clone, Debug)]
struct Choice {
    /// A model inside this program, a bundle folder, or a .partdiff file
    #[arg(value_name = "NAME|PATH", default_value = DEFAULT_BUNDLE)]
    model: OsString,
}

/// Runs the command.
///
/// # Errors
/// `Model` for a bundle that does not hold, `Runtime` where it cannot be run.
pub fn run(command: &ModelCommand) -> Result<Exit> {
    let text = match &command.action {
        Action::List => list()?,
        Action::Info { choice, json } => info(&open_bundle(&choice.model)?, *json),
        Action::Check { choice, device, library } => {
            let bundle = open_bundle(&choice.model)?;
            let runtime = RuntimeOptions { library: library.clone(), device: *device, ..Default::default() };
            check(&bundle, &runtime)?
        }
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn list() -> Result<String> {
    let mut text = String::new();
    for name in Bundle::embedded_names() {
        let bundle = Bundle::resolve(name)?;
        let mark = if name == DEFAULT_BUNDLE { " (default)" } else { "" };
        text.push_str(&format!("{name}{mark}: {}\n", bundle.manifest().description));
    }
    Ok(text)
}

fn info(bundle: &Bundle, as_json: bool) -> String {
    let manifest = bundle.manifest();
    if as_json {
        let value = json!({ "digest": bundle.digest(), "manifest": manifest });
        return format!("{value:#}\n");
    }
    let mut text = format!("{} {}: {}\n\n", manifest.name, manifest.version, manifest.description);
    for (name, value) in rows(bundle, manifest) {
        text.push_str(&format!("{name:<14}{value}\n"));
    }
    text.push_str("\npresets (--preset)\n");
    for (name, preset) in manifest.presets_by_steps() {
        text.push_str(&format!("  {name:<12}{}\n", plain(preset)));
    }
    for (title, record) in [("metrics", &manifest.metrics), ("training", &manifest.training)] {
        if record.as_object().is_some_and(serde_json::Map::is_empty) {
            continue;
        }
        text.push_str(&format!("\n{title}\n"));
        write_record(&mut text, record, 1);
    }
    text
}

fn rows(bundle: &Bundle, manifest: &Manifest) -> Vec<(&'static str, String)> {
    let size = bundle.size();
    let halo = match &manifest.encoder {
        Some(encoder) => {
            format!("encoder {}, denoiser {} input pixels", encoder.halo, manifest.denoiser.halo)
        }
        None => format!("denoiser {} input pixels", manifest.denoiser.halo),
    };
    vec![
        ("licence", manifest.licence.clone()),
        ("factor", format!("x{}", manifest.scale)),
        ("colours", if manifest.channels == 1 { "grey".into() } else { "red, green, blue".into() }),
        ("starts at", format!("step {} of the chain", manifest.start_step)),
        ("schedule", plain(&manifest.schedule)),
        ("alignment", plain(&manifest.alignment)),
        ("predicts", plain(&manifest.prediction)),
        ("latent", plain(&manifest.latent)),
        ("sees", plain(&manifest.conditioning)),
        ("by default", plain(&manifest.defaults)),
        (
            "tiles",
            match manifest.tiling {
                TilingKind::Exact => "exact: the result does not depend on them".into(),
                TilingKind::Blend { overlap } => format!("blended over {overlap} input pixels"),
            },
        ),
        ("halo", halo),
        ("size", show_bytes(size as u64)),
        ("sha256", bundle.digest().to_string()),
    ]
}

/// A value as `name value, name value`, without the punctuation of JSON.
fn plain(value: &impl Serialize) -> String {
    fn words(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or(f64::NAN).to_string(),
            Value::Array(items) if items.len() > 8 => format!("{} values", items.len()),
            Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(" "),
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| format!("{name} {}", words(value));
                fields.iter().map(field).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        }
    }
    serde_json::to_value(value).map_or_else(|_| "?".into(), |value| words(&value).replace('_', " "))
}

/// A free record as indented lines; what holds no further record is one line.
fn write_record(text: &mut String, record: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let Value::Object(fields) = record else {
        text.push_str(&format!("{indent}{}\n", plain(record)));
        return;
    };
    for (name, value) in fields {
        if value.as_object().is_some_and(|fields| fields.values().any(Value::is_object)) {
            text.push_str(&format!("{indent}{name}\n"));
            write_record(text, value, depth + 1);
        } else {
            text.push_str(&format!("{indent}{name}: {}\n", plain(value)));
        }
    }
}

/// Loads the graphs and upscales an image of noise; opening the bundle has checked manifest and hashes.
fn check(bundle: &Bundle, runtime: &RuntimeOptions) -> Result<String> {
    let manifest = bundle.manifest();
    let upscaler = Upscaler::open(bundle, runtime)?;
    let (width, height) = CHECK_SIZE;
    let mut image = Raster::new(manifest.channels, height, width);
    NoiseField::new(0).fill(0, 0, 0, 0, image.data_mut());
    for sample in image.data_mut() {
        *sample = (0.5 + 0.1 * *sample).clamp(0.0, 1.0);
    }
    let presets = manifest.presets.keys().cloned().map(Some);
    let mut text = format!(
        "{} {}: manifest and hashes are valid, and the graphs match the manifest; run on {}\n",
        manifest.name,
        manifest.version,
        upscaler.provider().map(ToString::to_string).unwrap_or_default()
    );
    for preset in [None].into_iter().chain(presets) {
        let name = preset.clone().unwrap_or_else(|| "defaults".into());
        let options = UpscaleOptions { preset, ..Default::default() };
        let made = upscaler
            .upscale(&image, &options, &NoProgress, &CancelToken::new())
            .map_err(|error| error.context(format!("with {name}")))?;
        let (w, h) = (made.image.width(), made.image.height());
        let steps = made.report.sampling.steps;
        text.push_str(&format!("  {name}: {width}x{height} to {w}x{h} pixels, steps {steps}: ok\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_words() {
        let value = json!({ "kind": "scaled_linear", "steps": 1000, "range": [0, 1], "table": vec![0; 9] });
        assert_eq!(plain(&value), "kind scaled linear, range 0 1, steps 1000, table 9 values");
    }

    #[test]
    fn info_names_what_users_need() {
        let bundle = Bundle::resolve(DEFAULT_BUNDLE).unwrap();
        let text = info(&bundle, false);
        for part in [DEFAULT_BUNDLE, "licence", "x4", "sha256", bundle.digest(), "faithful"] {
            assert!(text.contains(part), "{part} is missing from:\n{text}");
        }
        let value: Value = serde_json::from_str(&info(&bundle, true)).unwrap();
        assert_eq!(value["manifest"]["name"], DEFAULT_BUNDLE);
    }
}
