//! `partdiff doctor`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::output::stdout::print;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Bundle, DEFAULT_BUNDLE};
use crate::runtime::DoctorReport;

/// Show what this machine can do, what does not work, and what to do about it
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// ONNX Runtime's library to examine instead of the one that would be found
    #[arg(long, value_name = "PATH")]
    pub library: Option<PathBuf>,

    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl DoctorArgs {
    /// Prints the report on stdout; exit code 0 if images can be upscaled, else 1.
    pub fn run(&self) -> Result<ExitCode> {
        let report = DoctorReport::collect(self.library.as_deref());
        let bundle = Bundle::resolve(DEFAULT_BUNDLE)?;
        let manifest = bundle.manifest();
        let text = if self.json {
            let broken =
                |error| Error::with_source(ErrorKind::Output, "the report cannot be written as JSON", error);
            let mut value = serde_json::to_value(&report).map_err(broken)?;
            value["model"] = serde_json::json!({
                "name": manifest.name, "version": manifest.version, "digest": bundle.digest(),
            });
            serde_json::to_string_pretty(&value).map_err(broken)? + "\n"
        } else {
            format!(
                "{report}\nmodel: {} {}, built in, intact (sha256 {}...)\n",
                manifest.name,
                manifest.version,
                &bundle.digest()[..12]
            )
        };
        print(&text)?;
        Ok(if report.is_usable() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
