//! `partdiff gimp`: the plug-ins for GIMP, in and out of the user's profiles.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::gimp::{self, Profile, profiles};
use crate::cli::output::stdout::print;
use crate::cli::plug_in::Package;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Device, find};

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

/// What is installed, for messages.
const WHAT: &str = "plug-in";

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
            GimpCommand::Install => install(&profiles)?,
            GimpCommand::Uninstall => {
                for profile in &profiles {
                    let what = gimp::uninstall(profile)?.text(WHAT);
                    print(&format!("{profile}: {what}\n"))?;
                }
            }
            GimpCommand::Status => {
                let package = Package::beside_program()?;
                for profile in &profiles {
                    let what = gimp::state(&package, profile)?.text(WHAT, "gimp");
                    print(&format!("{profile}: {what}\n"))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn install(profiles: &[Profile]) -> Result<()> {
    let package = Package::beside_program()?;
    let runtime = find(None, Device::Auto);
    for profile in profiles {
        gimp::install(&package, profile, runtime.as_ref().ok().map(|library| library.path.as_path()))?;
        print(&format!("{profile}: installed in {}\n", profile.plug_in().display()))?;
    }
    if let Err(error) = runtime {
        eprintln!("The plug-in will not run yet: {}", error.report());
    }
    eprintln!("Start GIMP anew; the entry is Image > Upscale with PartDiff….");
    Ok(())
}
