//! The `partdiff` command: arguments in, exit code out. Everything else is the library's.

mod bar;
mod destination;
mod doctor_command;
mod events;
mod exit;
mod file_id;
mod gimp_command;
mod given;
mod human;
mod inputs;
mod interrupt;
mod job;
mod lanes;
mod make;
mod model_command;
mod plan;
mod probe;
mod runtime_command;
mod stdout;
mod upscale_args;
mod upscale_request;
mod upscale_run;
mod verify_command;
mod watch_command;
mod watch_query;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::progress::CancelToken;
use doctor_command::DoctorArgs;
use exit::Exit;
use gimp_command::GimpArgs;
use model_command::ModelCommand;
use runtime_command::RuntimeArgs;
use upscale_args::{EVENTS, EXAMPLES, UpscaleArgs};
use upscale_request::UpscaleRequest;
use verify_command::{VERDICTS, VerifyArgs};
use watch_command::WatchArgs;

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
    /// Upscale pictures, folders of pictures, or a picture from a pipe
    #[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EVENTS}"))]
    Upscale(Box<UpscaleArgs>),
    /// Make a result again from its source, as its record says, and compare
    #[command(after_help = VERDICTS)]
    Verify(Box<VerifyArgs>),
    /// Watch folders: whatever picture lands in one appears upscaled in another
    #[command(after_help = watch_command::EXAMPLES)]
    Watch(Box<WatchArgs>),
    /// Runs the work of watch
    #[command(name = watch_command::WORKER, hide = true)]
    WatchWorker,
    /// List, show and check models
    Model(ModelCommand),
    /// Install and find ONNX Runtime, the library that runs the models
    Runtime(RuntimeArgs),
    /// Install the plug-ins for GIMP
    Gimp(GimpArgs),
    /// Say what works on this machine, what does not, and what to do about it
    Doctor(DoctorArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
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
            let cancel = CancelToken::new();
            interrupt::install(cancel.clone())?;
            upscale_run::run(&request, &cancel).map(ExitCode::from)
        }
        Command::Verify(args) => args.run(),
        Command::Watch(args) => args.run(),
        Command::WatchWorker => watch_command::run_worker(),
        Command::Model(command) => model_command::run(&command).map(ExitCode::from),
        Command::Runtime(args) => args.run(),
        Command::Gimp(args) => args.run(),
        Command::Doctor(args) => args.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
