//! `partdiff runtime`: install, list and locate ONNX Runtime.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::args::choice::{Choice, one_of};
use crate::cli::output::stdout::print;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{
    Device, Flavour, InstallObserver, InstallPlan, Installation, Installed, Package, find, install,
    installations,
};

/// Install, list and locate ONNX Runtime, the library that runs the models
#[derive(Args, Clone, Debug)]
pub struct RuntimeArgs {
    /// What to do
    #[command(subcommand)]
    pub command: RuntimeCommand,
}

/// What to do about ONNX Runtime.
#[derive(Clone, Debug, Subcommand)]
pub enum RuntimeCommand {
    /// Download ONNX Runtime or a plug-in for it with pip or uv, verify it, and install it for this user
    Install {
        /// What to install; a plug-in is added to the ONNX Runtime that is there
        #[arg(long, default_value = "cpu", value_parser = one_of(SETS))]
        device: Flavour,

        /// Do not ask before a large download
        #[arg(long, short)]
        yes: bool,
    },
    /// List the installed runtimes, and check every file against its recorded hash
    List,
    /// Print the path of the library that would be used
    Path {
        /// A library to check instead of looking for one
        #[arg(long, value_name = "PATH")]
        library: Option<PathBuf>,
    },
}

/// What an installed set runs on.
const SETS: &[Choice<Flavour>] = &[
    (Flavour::Cpu, "cpu", "The processor (a download of 28 MB)"),
    (Flavour::Cuda, "cuda", "An NVIDIA GPU as well (a download of 1.3 GB)"),
    (
        Flavour::OpenVino,
        "openvino",
        "A plug-in for Intel's processors, GPUs and NPUs (53 MB, 76 MB on Windows)",
    ),
    (Flavour::WebGpu, "webgpu", "A plug-in for GPUs of any maker (5 to 14 MB)"),
];

impl RuntimeArgs {
    /// Does what the subcommand says.
    pub fn run(&self) -> Result<ExitCode> {
        match &self.command {
            RuntimeCommand::Install { device, yes } => install_set(*device, *yes)?,
            RuntimeCommand::List => list()?,
            RuntimeCommand::Path { library } => {
                print(&format!("{}\n", find(library.as_deref(), Device::Auto)?.path.display()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn install_set(flavour: Flavour, yes: bool) -> Result<()> {
    if flavour.plugin().is_some() && find(None, Device::Auto).is_err() {
        install_set(Flavour::Cpu, yes)?;
    }
    let what = match flavour.plugin() {
        Some(_) => format!("The plug-in {flavour} {}", flavour.version()),
        None => format!("ONNX Runtime {} ({flavour})", flavour.version()),
    };
    let mut console = Console { yes, unattended: false };
    match install(flavour, &mut console) {
        Ok(Installed::AlreadyThere(library)) => {
            print(&format!("{}\n", library.display()))?;
            eprintln!("{what} is already installed and intact.");
        }
        Ok(Installed::Fresh(library)) => {
            print(&format!("{}\n", library.display()))?;
            eprintln!("{what} is installed.");
            if flavour.plugin().is_some() {
                eprintln!("`partdiff doctor` says whether it runs here, and how fast.");
            }
        }
        Err(error) if error.kind() == ErrorKind::Cancelled && console.unattended => {
            let message = "--yes is required for a large download when standard input is not a terminal";
            return Err(Error::invalid_option(message));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn list() -> Result<()> {
    let found = installations();
    if found.is_empty() {
        eprintln!("ONNX Runtime is not installed: run `partdiff runtime install`.");
    }
    let mut text = String::new();
    for Installation { flavour, folder, state } in found {
        let (state, path) = match state {
            Ok((library, size)) => (format!("{} MB\tintact", size.div_ceil(1_000_000)), library),
            Err(reason) => (format!("damaged: {reason}"), folder),
        };
        text.push_str(&format!("{flavour}\t{}\t{state}\t{}\n", flavour.version(), path.display()));
    }
    print(&text)
}

/// Above this many megabytes the user is asked.
const LARGE: u32 = 100;

/// Shows and asks on stderr, so that stdout holds the path alone.
struct Console {
    yes: bool,
    unattended: bool,
}

impl InstallObserver for Console {
    fn confirm(&mut self, plan: &InstallPlan) -> bool {
        if let Some(reason) = &plan.replaces {
            eprintln!("The installation in {} is replaced: {reason}.", plan.folder.display());
        }
        eprintln!("Into {}:", plan.folder.display());
        for package in plan.packages {
            eprintln!("  {:<24} {:<10} {:>5} MB", package.name, package.version, package.megabytes);
        }
        if self.yes || plan.megabytes() <= LARGE {
            return true;
        }
        if !std::io::stdin().is_terminal() {
            self.unattended = true;
            return false;
        }
        eprint!("Download {} MB? [y/N] ", plan.megabytes());
        let _ = std::io::stderr().flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    fn fetching(&mut self, package: &Package) {
        eprintln!("Downloading {} {} ({} MB) ...", package.name, package.version, package.megabytes);
    }
}
