//! `partdiff krita`: the plug-in for Krita, in and out of the user's installations.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::krita::{self, Installation, installations};
use crate::cli::output::stdout::print;
use crate::cli::plug_in::Package;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Device, find};

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

/// What is installed, for messages.
const WHAT: &str = "plug-in";

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
            KritaCommand::Install => install(&found)?,
            KritaCommand::Uninstall => {
                for krita in &found {
                    print(&format!("{krita}: {}\n", krita::uninstall(krita)?.text(WHAT)))?;
                }
            }
            KritaCommand::Status => {
                let package = Package::beside_program()?;
                for krita in &found {
                    let what = krita::state(&package, krita)?.text(WHAT, "krita");
                    print(&format!("{krita}: {what}\n"))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn install(found: &[Installation]) -> Result<()> {
    let package = Package::beside_program()?;
    let runtime = find(None, Device::Auto);
    for krita in found {
        let path = runtime.as_ref().ok().map(|library| library.path.as_path());
        let is_on = krita::install(&package, krita, path)?;
        print(&format!("{krita}: installed in {}\n", krita.plug_ins().display()))?;
        if !is_on {
            eprintln!(
                "It is switched off there: switch it on in Settings > Configure Krita > Python Plugin Manager."
            );
        }
    }
    if let Err(error) = runtime {
        eprintln!("The plug-in will not run yet: {}", error.report());
    }
    eprintln!("Start Krita anew; the entry is Image > Upscale with PartDiff….");
    Ok(())
}
