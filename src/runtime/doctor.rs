//! A check-up: what is there, what really runs, and what to do about the rest.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::environment::{Runtime, guarded};
use super::install::installations;
use super::library::Rejected;
use super::machine::Machine;
use super::network_spec::{NetworkBytes, NetworkSpec};
use super::outcomes::Outcomes;
use super::provider::{Device, Provider};
use super::speed::{SIDE, seconds_per_tile};
use crate::error::Result;
use crate::model::{Bundle, DEFAULT_BUNDLE};

/// What a check-up found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoctorReport {
    /// This program's version.
    pub version: &'static str,
    /// The processor and memory.
    pub machine: Machine,
    /// The library in use, if one can be used.
    pub library: Option<LibraryReport>,
    /// Libraries that were looked at before and passed over.
    pub rejected: Vec<RejectedReport>,
    /// One entry for each provider that this program can use; empty without a library.
    pub providers: Vec<ProviderHealth>,
    /// What `partdiff runtime install` put there.
    pub installations: Vec<InstallationReport>,
    /// What does not work and what to do about it, worst first.
    pub problems: Vec<Problem>,
}

/// The library in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LibraryReport {
    /// Its path.
    pub path: PathBuf,
    /// Why it was chosen.
    pub source: String,
    /// ONNX Runtime's version.
    pub version: String,
}

/// A library that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedReport {
    /// Its path.
    pub path: PathBuf,
    /// Why it was considered.
    pub source: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Whether a provider runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProviderHealth {
    /// Its name, as `--device` takes it.
    pub name: String,
    /// Whether the library was built with it.
    pub built_in: bool,
    /// The plug-in that holds it, if one was found.
    pub plugin: Option<PathBuf>,
    /// Why it does not run; `None` if a trial run on it gave the right numbers.
    pub failure: Option<String>,
    /// How it computes: `fp32`, `bf16`, or `reduced` where the hardware decides.
    pub precision: &'static str,
    /// Seconds for a megapixel of the default model's result with one step, on all threads; `None` where it does not run.
    pub seconds_per_megapixel: Option<f64>,
    /// Whether it has never been run with this program before, for want of the hardware.
    pub untried: bool,
}

/// An installation of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstallationReport {
    /// `cpu`, `cuda`, `openvino` or `webgpu`.
    pub flavour: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What is wrong with it; `None` if every file has its recorded hash.
    pub damage: Option<String>,
}

/// Something that does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether nothing can be upscaled because of it.
    pub fatal: bool,
}

impl DoctorReport {
    /// Examines this machine; loads the library and runs a trial inference on each provider it was built with.
    pub fn collect(explicit: Option<&Path>) -> Self {
        let mut report = Self {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::look(),
            library: None,
            rejected: Vec::new(),
            providers: Vec::new(),
            installations: Vec::new(),
            problems: Vec::new(),
        };
        match Runtime::open(explicit, Device::Auto) {
            Ok(runtime) => report.examine_runtime(runtime),
            Err(error) => report.problem(true, error.report(), Provider::Cpu.remedy()),
        }
        report.examine_installations();
        report.problems.sort_by_key(|problem| !problem.fatal);
        report
    }

    /// Whether images can be upscaled at all.
    pub fn is_usable(&self) -> bool {
        !self.problems.iter().any(|problem| problem.fatal)
    }

    fn examine_runtime(&mut self, runtime: &Runtime) {
        let library = runtime.library();
        self.library = Some(LibraryReport {
            path: library.path.clone(),
            source: library.source.to_string(),
            version: runtime.version().to_owned(),
        });
        self.rejected = library.rejected.iter().map(RejectedReport::from).collect();
        Outcomes::of_user().forget();
        let mut processor = None;
        for provider in Provider::ALL {
            let built_in = runtime.has(provider);
            let mut failure = runtime.probe(provider).err();
            let mut seconds = None;
            if failure.is_none() {
                match speed(runtime, provider, processor) {
                    Ok(measured) => seconds = Some(measured),
                    Err(error) => failure = Some(error.report()),
                }
            }
            processor = processor.or(seconds);
            // Every CUDA library has the TensorRT provider too, and every OpenVINO serves devices that few machines have:
            // listed, but no problem.
            let rare = !Provider::AUTOMATIC.contains(&provider) || provider == Provider::OpenVinoGpu;
            let rare = rare && provider != Provider::Cpu;
            if let Some(reason) = failure.as_ref().filter(|_| runtime.can_try(provider) && !rare) {
                let what = format!("{provider} does not run: {reason}");
                self.problem(provider == Provider::Cpu, what, provider.remedy());
            }
            self.providers.push(ProviderHealth {
                name: provider.to_string(),
                built_in,
                plugin: runtime.plugin_library(provider).and_then(Result::ok),
                failure,
                precision: match provider {
                    Provider::OpenVinoBf16 => "bf16",
                    _ if provider.is_exact() => "fp32",
                    _ => "reduced",
                },
                seconds_per_megapixel: seconds.map(|seconds| seconds / megapixels_per_tile()),
                untried: provider.is_untried(),
            });
        }
    }

    fn examine_installations(&mut self) {
        for installation in installations() {
            let damage = installation.state.err();
            if let Some(reason) = &damage {
                let what = format!("{}: {reason}", installation.folder.display());
                let remedy =
                    format!("run `partdiff runtime install --device {}` to replace it", installation.flavour);
                self.problem(false, what, &remedy);
            }
            self.installations.push(InstallationReport {
                flavour: installation.flavour.to_string(),
                folder: installation.folder,
                damage,
            });
        }
    }

    fn problem(&mut self, fatal: bool, what: String, remedy: &str) {
        self.problems.push(Problem { what, remedy: remedy.to_owned(), fatal });
    }
}

/// Seconds for a tile of the default model; `processor` is how long the processor takes.
fn speed(runtime: &Runtime, provider: Provider, processor: Option<f64>) -> Result<f64> {
    let bundle = Bundle::resolve(DEFAULT_BUNDLE)?;
    let spec = NetworkSpec::from(bundle.manifest());
    let bytes = NetworkBytes::from(&bundle);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    guarded("the model failed", || seconds_per_tile(runtime, provider, &spec, bytes, threads, processor))
}

/// What a tile is of the default model's result.
fn megapixels_per_tile() -> f64 {
    let scale = Bundle::resolve(DEFAULT_BUNDLE).map_or(1, |bundle| bundle.manifest().scale);
    (SIDE * scale).pow(2) as f64 * 1e-6
}

impl From<&Rejected> for RejectedReport {
    fn from(rejected: &Rejected) -> Self {
        Self {
            path: rejected.path.clone(),
            source: rejected.source.to_string(),
            reason: rejected.reason.clone(),
        }
    }
}

impl ProviderHealth {
    /// In a line: whether it runs, how exactly, and how fast.
    fn state(&self) -> String {
        let untried = if self.untried { "; never run by the makers of PartDiff" } else { "" };
        match (&self.failure, self.seconds_per_megapixel) {
            (Some(reason), _) => format!("no: {reason}{untried}"),
            (None, Some(seconds)) => {
                format!("runs, {}, {seconds:.2} s for a megapixel and step{untried}", self.precision)
            }
            (None, None) => format!("runs, {}{untried}", self.precision),
        }
    }
}

impl fmt::Display for DoctorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(f, "partdiff      {}", self.version)?;
        writeln!(f, "processor     {}", machine.processor.as_deref().unwrap_or("unknown"))?;
        writeln!(f, "features      {}", machine.features.join(" "))?;
        writeln!(f, "threads       {}", machine.threads)?;
        if let (Some(memory), Some(available)) = (machine.memory, machine.memory_available) {
            let gigabytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            writeln!(
                f,
                "memory        {:.1} GiB, {:.1} GiB available",
                gigabytes(memory),
                gigabytes(available)
            )?;
        }
        match &self.library {
            Some(library) => {
                writeln!(f, "onnxruntime   {}", library.version)?;
                writeln!(f, "library       {}", library.path.display())?;
                writeln!(f, "              {}", library.source)?;
            }
            None => writeln!(f, "onnxruntime   no usable library found")?,
        }
        for rejected in &self.rejected {
            writeln!(
                f,
                "rejected      {} ({}): {}",
                rejected.path.display(),
                rejected.source,
                rejected.reason
            )?;
        }
        for provider in &self.providers {
            writeln!(f, "{:<13} {}", provider.name, provider.state())?;
        }
        for installation in &self.installations {
            let state = installation.damage.as_deref().unwrap_or("intact");
            writeln!(
                f,
                "installed     {}, {state}: {}",
                installation.flavour,
                installation.folder.display()
            )?;
        }
        if self.problems.is_empty() {
            return writeln!(f, "\nNo problems found.");
        }
        writeln!(f)?;
        for problem in &self.problems {
            writeln!(f, "{}: {}", if problem.fatal { "error" } else { "warning" }, problem.what)?;
            writeln!(f, "  what to do: {}", problem.remedy)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_shown_with_what_to_do() {
        let mut report = DoctorReport {
            version: "1.2.3",
            machine: Machine {
                processor: Some("A processor".to_owned()),
                features: vec!["avx2", "fma"],
                threads: 2,
                memory: Some(2 << 30),
                memory_available: Some(1 << 30),
            },
            library: None,
            rejected: vec![RejectedReport {
                path: "/lib/libonnxruntime.so".into(),
                source: "of the system".to_owned(),
                reason: "is version 1.9; 1.17 or newer is needed".to_owned(),
            }],
            providers: vec![
                ProviderHealth {
                    name: "cpu".to_owned(),
                    built_in: true,
                    plugin: None,
                    failure: None,
                    precision: "fp32",
                    seconds_per_megapixel: Some(1.25),
                    untried: false,
                },
                ProviderHealth {
                    name: "cuda".to_owned(),
                    built_in: false,
                    plugin: None,
                    failure: Some("no GPU".to_owned()),
                    precision: "fp32",
                    seconds_per_megapixel: None,
                    untried: true,
                },
            ],
            installations: Vec::new(),
            problems: Vec::new(),
        };
        assert!(report.is_usable());
        assert!(report.to_string().ends_with("\nNo problems found.\n"));
        report.problem(true, "no library".to_owned(), "install one");
        assert!(!report.is_usable());
        let text = report.to_string();
        for line in [
            "features      avx2 fma",
            "memory        2.0 GiB, 1.0 GiB available",
            "onnxruntime   no usable library found",
            "rejected      /lib/libonnxruntime.so (of the system): is version 1.9; 1.17 or newer is needed",
            "cpu           runs, fp32, 1.25 s for a megapixel and step",
            "cuda          no: no GPU; never run by the makers of PartDiff",
            "error: no library",
            "  what to do: install one",
        ] {
            assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
        }
    }

    #[test]
    fn this_machine_can_be_examined() {
        if crate::runtime::test_runtime().is_none() {
            return;
        }
        let report = DoctorReport::collect(None);
        assert!(report.is_usable(), "{report}");
        assert_eq!(report.providers[0].failure, None, "{report}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["providers"][0]["name"], "cpu");
        assert!(json["library"]["version"].as_str().unwrap().starts_with("1."));
    }
}
