//! `partdiff try-provider`: what other processes run before they load a plug-in themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::Result;
use crate::runtime::{Device, try_provider};

/// Try a provider
#[derive(Args, Clone, Debug)]
pub struct TrialArgs {
    /// ONNX Runtime's library
    #[arg(long, value_name = "PATH")]
    library: PathBuf,

    /// The provider, named as a device
    provider: Device,
}

impl TrialArgs {
    /// Says on stdout how it went; exit code 0 if well.
    pub fn run(&self) -> Result<ExitCode> {
        let tried = self.provider.provider().map_or(Ok(()), |provider| try_provider(&self.library, provider));
        Ok(if tried.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
