//! `partdiff verify`: is an image what its record says?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::interrupt;
use super::upscale::open_bundle;
use crate::batch::naming::shown;
use crate::batch::probe::read_file;
use crate::batch::verify::{Verdict, Verification, options, verify};
use crate::cli::args::settings_args::SettingsArgs;
use crate::cli::args::upscale_args::ModelArgs;
use crate::cli::output::human::intensities;
use crate::cli::output::stdout::print;
use crate::engine::{RuntimeOptions, Target, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::sha256_hex;
use crate::image::{Image, Provenance, decode_page, page_count};
use crate::model::Bundle;
use crate::progress::CancelToken;
use crate::runtime::{Device, Provider};
use crate::tiling::available_memory::return_freed_memory;
use crate::volume;
use crate::volume::dicom::files_of;
use crate::volume::nifti::{Nifti, is_volume};

/// Shown below the help.
pub const VERDICTS: &str = "\
Verdicts, and the exit status:
  identical     0  every sample or voxel is what the record makes of SOURCE
  equal         0  no sample is off by more than a level of 255 (other processors, tiles and threads round
                   differently); for JPEG and lossy WebP, by more than half a step of their quantisation; for
                   volumes a level is a 255th of the window, and integers may be off by one more
  different     1  OUTPUT was changed after it was made, or its record was; of a volume, also its header, its place or
                   its extensions
  other_source  1  SOURCE is not the file that OUTPUT was made from
  unverifiable  2  no record in OUTPUT, another model than here, or a file that cannot be read; \"reason\" says it
With --json, one object: verdict, exit, output, source, software, model, recorded_provider, provider, pages (of
OUTPUT, each with verdict, max_difference, mean_difference, tolerance in levels of 255, and the share differing).
A volume is one page. Its \"volume\" has corners_mm (the distance between its outer corners and those of SOURCE), fields
(of the header that differ), not_checked, and the numbers that upscale gives.";

#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// An image or volume made by partdiff, with its record
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,

    /// The file that it should have been made from
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    resources: SettingsArgs<true>,

    /// Print the verdict as one JSON object
    #[arg(long)]
    json: bool,
}

/// What was found out.
struct Finding {
    record: Provenance,
    provider: Option<String>,
    /// One per page; none if the source is another file.
    pages: Vec<Verification>,
    /// What else was found of a volume.
    volume: Option<volume::verify::Verification>,
}

/// What of a volume's result no record tells.
const NOT_CHECKED: [&str; 2] = ["the JSON sidecar", "the level of gzip"];

impl VerifyArgs {
    /// Prints the verdict; exit code 0 (verified), 1 (not what the record says) or 2 (cannot be verified).
    pub fn run(self) -> Result<ExitCode> {
        if self.resources.0.memory.is_some() {
            return_freed_memory();
        }
        let found = self.find();
        let about_volume = found.as_ref().ok().and_then(|found| found.volume.as_ref()).map(about_volume);
        let about_volume = about_volume.unwrap_or_default();
        let (verdict, code, details) = match found {
            Ok(finding) => finding.report(),
            Err(error) => ("unverifiable", 2, json!({ "reason": error.report() })),
        };
        let (output, source) = (self.output.display().to_string(), self.source.display().to_string());
        if self.json {
            let mut value = json!({ "verdict": verdict, "exit": code, "output": output, "source": source });
            if let (Value::Object(whole), Value::Object(details)) = (&mut value, details) {
                whole.extend(details);
            }
            print(&format!("{value}\n"))?;
        } else {
            print(&self.sentence(verdict, &details))?;
            print(&about_volume)?;
        }
        Ok(ExitCode::from(code))
    }

    fn sentence(&self, verdict: &str, details: &Value) -> String {
        let (output, source) = (shown(&self.output), shown(&self.source));
        let most = details["pages"]
            .as_array()
            .map(|pages| pages.iter().filter_map(|page| page["max_difference"].as_f64()).fold(0.0, f64::max));
        let reshaped = details["pages"].as_array().is_some_and(|pages| {
            pages.iter().any(|page| page.get("max_difference").is_some_and(Value::is_null))
        });
        let off = match most {
            _ if reshaped => " (its dimensions or channels differ)".to_owned(),
            Some(most) => format!(" (off by at most {most:.2} levels of 255)"),
            None => String::new(),
        };
        let text = |name: &str| details[name].as_str().unwrap_or_default().to_owned();
        let how = format!("{}, {}, on {}", text("software"), text("model"), text("provider"));
        match verdict {
            "identical" => {
                format!("identical: {output} is exactly what its record reproduces from {source} ({how})\n")
            }
            "equal" => {
                format!("equal: {output} matches what its record reproduces from {source}{off} ({how})\n")
            }
            "different" => {
                format!(
                    "different: {output} does not match what its record reproduces from {source}{off} ({how})\n"
                )
            }
            "other_source" => format!("other_source: {output} was made from a file other than {source}\n"),
            _ => format!("unverifiable: {}\n", text("reason")),
        }
    }

    /// As [`VerifyArgs::find`], of a volume.
    fn find_volume(&self) -> Result<Finding> {
        let limits = self.resources.0.limits();
        let result = Nifti::open(&self.output).map_err(named(&self.output))?;
        let record = volume::verify::record(&result).ok_or_else(no_record).map_err(named(&self.output))?;
        let source = Nifti::open(&self.source).map_err(named(&self.source))?;
        if source.hash().map_err(named(&self.source))? != record.source_sha256 {
            return Ok(Finding { record, provider: None, pages: Vec::new(), volume: None });
        }
        let cancel = CancelToken::new();
        interrupt::install(cancel.clone())?;
        let upscaler = Upscaler::open(&self.bundle(&record)?, &self.runtime(&record)?)?;
        let options = options(&record, Target::Native, &self.resources.0.options()?)?;
        let found = volume::verify::verify(&upscaler, &result, &self.source, &options, &limits, &cancel)
            .map_err(named(&self.output))?;
        let close = found.max_difference <= found.tolerance + 1e-3;
        let verdict = match (found.differing == 0.0, close && found.fields.is_empty()) {
            (true, true) => Verdict::Identical,
            (false, true) => Verdict::Equal,
            _ => Verdict::Different,
        };
        let page = Verification {
            verdict,
            max_difference: Some(found.max_difference),
            mean_difference: Some(found.mean_difference),
            differing: Some(found.differing),
            tolerance: found.tolerance,
        };
        let provider = upscaler.provider().map(|report| report.provider.to_string());
        Ok(Finding { record, provider, pages: vec![page], volume: Some(found) })
    }

    fn find(&self) -> Result<Finding> {
        let limits = self.resources.0.limits();
        for path in [&self.output, &self.source] {
            if path.is_dir() || !files_of(path).unwrap_or_default().is_empty() {
                let message = if path == &self.output {
                    "results in DICOM cannot be verified yet"
                } else {
                    "results of DICOM series cannot be verified yet"
                };
                return Err(named(path)(Error::new(ErrorKind::Input, message)));
            }
        }
        if is_volume(&self.output) {
            return self.find_volume();
        }
        let read = |path: &Path| read_file(path, &limits).map_err(named(path));
        let output = read(&self.output)?;
        let page = |index| decode_page(&output, index, &limits).map_err(named(&self.output));
        let first = page(0)?;
        let record = record(&first).map_err(named(&self.output))?;
        let source = read(&self.source)?;
        if sha256_hex(&source) != record.source_sha256 {
            return Ok(Finding { record, provider: None, pages: Vec::new(), volume: None });
        }
        let cancel = CancelToken::new();
        interrupt::install(cancel.clone())?;
        let upscaler = Upscaler::open(&self.bundle(&record)?, &self.runtime(&record)?)?;
        let resources = self.resources.0.options()?;
        let mut pages = Vec::new();
        let mut next = Some(first);
        for index in 0..page_count(&output) {
            let image = next.take().map_or_else(|| page(index), Ok)?;
            let record = super::verify::record(&image).map_err(named(&self.output))?;
            pages.push(verify(&upscaler, &record, &image, &source, &resources, &limits, &cancel)?);
        }
        let provider = upscaler.provider().map(|report| report.provider.to_string());
        Ok(Finding { record, provider, pages, volume: None })
    }

    /// The bundle that the record names, by its hash.
    fn bundle(&self, record: &Provenance) -> Result<Bundle> {
        let name = record.model.rsplit_once(' ').map_or(record.model.as_str(), |(name, _)| name);
        let bundle = match &self.model.model {
            Some(chosen) => open_bundle(chosen)?,
            None if Bundle::embedded_names().any(|known| known == name) => Bundle::resolve(name)?,
            None => {
                let message =
                    format!("it was made with the model {}: give its bundle with --model", record.model);
                return Err(Error::new(ErrorKind::Model, message));
            }
        };
        if bundle.digest() != record.model_sha256 {
            let message = format!(
                "the record names model {} (SHA-256 {}), but the model used here is {} {} (SHA-256 {})",
                record.model,
                record.model_sha256,
                bundle.manifest().name,
                bundle.manifest().version,
                bundle.digest()
            );
            return Err(Error::new(ErrorKind::Model, message));
        }
        Ok(bundle)
    }

    /// What was asked for, else where the image was made if that was the processor, or nothing else gives an equal one.
    fn runtime(&self, record: &Provenance) -> Result<RuntimeOptions> {
        let runtime = self.model.runtime(self.resources.0.options()?.memory);
        let recorded = record.provider.parse::<Device>().ok().and_then(Device::provider);
        let alone = recorded.filter(|provider| *provider == Provider::Cpu || !provider.is_exact());
        let device = match (runtime.device, alone) {
            (Device::Auto, Some(provider)) => provider.device(),
            (device, _) => device,
        };
        Ok(RuntimeOptions { device, ..runtime })
    }
}

impl Finding {
    /// Verdict, exit code and details.
    fn report(&self) -> (&'static str, u8, Value) {
        let (verdict, code) = match self.pages.iter().map(|page| page.verdict).max() {
            None => ("other_source", 1),
            Some(Verdict::Identical) => ("identical", 0),
            Some(Verdict::Equal) => ("equal", 0),
            Some(Verdict::Different) => ("different", 1),
        };
        let mut details = json!({
            "software": self.record.software,
            "model": self.record.model,
            "recorded_provider": self.record.provider,
            "provider": self.provider,
            "pages": self.pages,
        });
        if let Some(found) = &self.volume {
            let mut volume = json!(found.summary);
            volume["corners_mm"] = json!(found.corners_mm);
            volume["fields"] = json!(found.fields);
            volume["not_checked"] = json!(NOT_CHECKED);
            details["volume"] = volume;
        }
        (verdict, code, details)
    }
}

/// What else is worth telling of a volume.
fn about_volume(found: &volume::verify::Verification) -> String {
    let corners = match found.corners_mm {
        Some(apart) => format!("outer corners {apart:.6} mm or less from the source's"),
        None => "the header does not say where its voxels lie".into(),
    };
    let fields = if found.fields.is_empty() {
        String::new()
    } else {
        format!("\n  other than the record makes them: {}", found.fields.join(", "))
    };
    let intensities = intensities(&found.summary);
    format!("  {corners}\n  {intensities}{fields}\n  not checked: {}\n", NOT_CHECKED.join(", "))
}

/// Names the file that an error is about.
fn named(path: &Path) -> impl FnOnce(Error) -> Error {
    let path = shown(path);
    move |error| error.context(path)
}

fn record(image: &Image) -> Result<Provenance> {
    Provenance::read(&image.metadata).ok_or_else(no_record)
}

fn no_record() -> Error {
    let message = "has no provenance record: it was not made by partdiff, was made with --no-provenance, or its \
        format cannot store a record";
    Error::new(ErrorKind::Input, message)
}
