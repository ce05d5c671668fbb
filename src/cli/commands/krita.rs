//! `partdiff krita`: the plug-in for Krita, in and out of the user's installations.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::krita::installations;
use crate::cli::plug_in;
use crate::error::{Error, ErrorKind, Result};

/// Put the plug-in into Krita, take it out, or say where it is
#[derive(Args, Clone, Debug)]
pub struct KritaArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KritaCommand,
}

/// What to do about the plug-in.
#[derive(Clone, Debug, Subcommand)]
pub enum KritaCommand {
    /// Put the plug-in into the Krita of this user (5.x, Flatpak) and switch it on
    Install,
    /// Remove the plug-in
    Uninstall,
    /// Say whether Krita has it
    Status,
}

impl KritaArgs {
    /// Does what the subcommand says.
    pub fn run(&self) -> Result<ExitCode> {
        let found = installations();
        if found.is_empty() {
            let message =
                "Krita was not found: start it once, so that it makes its folders, and run this again";
            return Err(Error::new(ErrorKind::Output, message));
        }
        match self.command {
            KritaCommand::Install => plug_in::install_in(&found)?,
            KritaCommand::Uninstall => plug_in::uninstall_from(&found)?,
            KritaCommand::Status => plug_in::tell_states(&found)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
