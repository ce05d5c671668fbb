//! `partdiff gimp`: the plug-ins for GIMP, in and out of the user's profiles.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::gimp::{Package, Profile, Removed, State, profiles, uninstall};
use crate::cli::output::stdout::print;
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
                    let what = match uninstall(profile)? {
                        Removed::Nothing => "had no plug-in",
                        Removed::All => "removed",
                        Removed::Others => "removed, except for files that are not ours",
                    };
                    print(&format!("{profile}: {what}\n"))?;
                }
            }
            GimpCommand::Status => {
                let package = Package::beside_program()?;
                for profile in &profiles {
                    let what = match package.state(profile)? {
                        State::Absent => "no plug-in; `partdiff gimp install` puts it there",
                        State::Current => "has this version of the plug-in",
                        State::Different => "has another version; `partdiff gimp install` replaces it",
                    };
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
        package.install(profile, runtime.as_ref().ok().map(|library| library.path.as_path()))?;
        print(&format!("{profile}: installed in {}\n", profile.plug_in().display()))?;
    }
    if let Err(error) = runtime {
        eprintln!("The plug-in will not run yet: {}", error.report());
    }
    eprintln!("Start GIMP anew; the entry is Image > Upscale with PartDiff….");
    Ok(())
}
