//! The plug-in for GIMP 2.10; GIMP starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    partdiff_gimp::run(partdiff_gimp::gimp2::main)
}
