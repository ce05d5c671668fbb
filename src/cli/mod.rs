//! The `partdiff` command: arguments in, exit code out. Everything else is the library's.

mod args;
mod commands;
mod desktop;
mod gimp;
mod krita;
mod output;
mod plug_in;
mod process;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::Result;
use crate::progress::CancelToken;
use crate::runtime::TRIAL;
use crate::tiling::available_memory::return_freed_memory;
use args::upscale_args::{EVENTS, EXAMPLES, UpscaleArgs};
use args::upscale_request::UpscaleRequest;
use commands::desktop::DesktopArgs;
use commands::doctor::DoctorArgs;
use commands::generate::GenerateArgs;
use commands::gimp::GimpArgs;
use commands::krita::KritaArgs;
use commands::model::ModelCommand;
use commands::preview::PreviewArgs;
use commands::runtime::RuntimeArgs;
use commands::trial::TrialArgs;
use commands::verify::{VERDICTS, VerifyArgs};
use commands::watch::WatchArgs;
use commands::{interrupt, model, upscale, watch};
use output::exit::Exit;

const OVERVIEW: &str = "\
Examples:
  partdiff runtime install        fetches the ONNX Runtime library, once
  partdiff doctor                 says what works here and what does not
  partdiff upscale photo.jpg      writes photo_x4.jpg
  partdiff upscale --help         all about sizes, names, steps and formats";

/// Upscales photographs and MR images with a diffusion model that runs only the last part of its chain
#[derive(Parser, Debug)]
#[command(name = "partdiff", version, after_help = OVERVIEW)]
#[command(arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Upscale images, folders of images, or an image from a pipe
    #[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EVENTS}"))]
    Upscale(Box<UpscaleArgs>),
    /// Verify a result: make it again from its source, following its provenance record, and compare
    #[command(after_help = VERDICTS)]
    Verify(Box<VerifyArgs>),
    Preview(PreviewArgs),
    /// Watch folders: whatever image lands in one appears upscaled in another
    #[command(after_help = watch::EXAMPLES)]
    Watch(Box<WatchArgs>),
    /// Runs the work of watch
    #[command(name = watch::WORKER, hide = true)]
    WatchWorker,
    /// List, show and check models
    Model(ModelCommand),
    /// Install and find ONNX Runtime, the library that runs the models
    Runtime(RuntimeArgs),
    /// Tries a provider for another process, which it may crash
    #[command(name = TRIAL, hide = true)]
    TryProvider(TrialArgs),
    /// Install the plug-ins for GIMP
    Gimp(GimpArgs),
    /// Install the plug-in for Krita
    Krita(KritaArgs),
    Desktop(DesktopArgs),
    /// Say what works on this machine, what does not, and what to do about it
    Doctor(DoctorArgs),
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    process::prepare();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Prints help and version as well, which are no errors.
        Err(error) => error.exit(),
    };
    dispatch(cli.command).unwrap_or_else(|error| {
        eprintln!("partdiff: {}", error.report());
        Exit::from_error(&error).into()
    })
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Upscale(args) => {
            let request = UpscaleRequest::try_from(*args)?;
            if request.settings.memory.is_some() {
                return_freed_memory();
            }
            let cancel = CancelToken::new();
            interrupt::install(cancel.clone())?;
            upscale::run(&request, &cancel).map(ExitCode::from)
        }
        Command::Verify(args) => args.run(),
        Command::Preview(args) => args.run(),
        Command::Watch(args) => args.run(),
        Command::WatchWorker => watch::run_worker(),
        Command::Model(command) => model::run(&command).map(ExitCode::from),
        Command::Runtime(args) => args.run(),
        Command::TryProvider(args) => args.run(),
        Command::Gimp(args) => args.run(),
        Command::Krita(args) => args.run(),
        Command::Desktop(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Generate(args) => args.run(Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
