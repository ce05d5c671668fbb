//! The `partdiff` command.

fn main() -> std::process::ExitCode {
    partdiff::cli::main()
}
