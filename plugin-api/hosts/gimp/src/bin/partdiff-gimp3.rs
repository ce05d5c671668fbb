//! The plug-in for GIMP 3; GIMP starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    partdiff_gimp::run(partdiff_gimp::gimp3::main)
}
