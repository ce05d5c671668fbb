//! `partdiff gimp`: the plug-ins for GIMP, in and out of the user's profiles.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::gimp::profiles;
use crate::cli::plug_in;
use crate::error::{Error, ErrorKind, Result};

/// Put the plug-in into GIMP's profiles, take it out, or say where it is
#[derive(Args, Clone, Debug)]
pub struct GimpArgs {
    /// What to do
    #[command(subcommand)]
    pub command: GimpCommand,
}

/// What to do about the plug-ins.
#[derive(Clone, Debug, Subcommand)]
pub enum GimpCommand {
    /// Put the plug-in into every GIMP profile of this user (2.10, 3.x, Flatpak)
    Install,
    /// Remove the plug-in from every profile
    Uninstall,
    /// Say which profiles have it
    Status,
}

impl GimpArgs {
    /// Does what the subcommand says.
    pub fn run(&self) -> Result<ExitCode> {
        let profiles = profiles();
        if profiles.is_empty() {
            let message = "no GIMP profile was found: start GIMP once, so that it makes one, and run this again \
                           (GIMP 2.10 or 3; GIMP2_DIRECTORY and GIMP3_DIRECTORY name a profile elsewhere)";
            return Err(Error::new(ErrorKind::Output, message));
        }
        match self.command {
            GimpCommand::Install => plug_in::install_in(&profiles)?,
            GimpCommand::Uninstall => plug_in::uninstall_from(&profiles)?,
            GimpCommand::Status => plug_in::tell_states(&profiles)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
