//! `partdiff generate`: manual pages, completions and entries of file managers, for those who make packages.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::desktop::entries::entries;
use crate::cli::output::manual;
use crate::cli::plug_in::{self, Installed};
use crate::error::Result;
use crate::fs::folder::make_folder;

/// Write manual pages, completions or entries of file managers into a folder, for packages
#[derive(Args, Clone, Debug)]
pub struct GenerateArgs {
    /// What to write
    #[command(subcommand)]
    pub what: Generated,
}

/// What can be written.
#[derive(Clone, Debug, Subcommand)]
pub enum Generated {
    /// Manual pages of section 1, one for each subcommand
    Man {
        /// Where they go; made if missing
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Entries of file managers, below a folder such as /usr/share
    Desktop {
        /// Where they go; made if missing
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Completions for bash, zsh, fish, PowerShell and Elvish
    Completions {
        /// Where they go; made if missing
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

impl GenerateArgs {
    /// Writes the files; they replace others of the same names. `command` is the whole command line.
    pub fn run(&self, command: Command) -> Result<ExitCode> {
        let listed = |files: Vec<(String, Vec<u8>)>| -> Vec<Installed> {
            files.into_iter().map(|(name, bytes)| Installed::file(name, bytes)).collect()
        };
        let (folder, files) = match &self.what {
            Generated::Man { folder } => (folder, listed(manual::pages(command))),
            Generated::Completions { folder } => (folder, listed(completions(&command))),
            Generated::Desktop { folder } => {
                let mut entries = entries(Path::new("partdiff"))?;
                // Folders of the system are trusted as they are.
                entries.iter_mut().for_each(|entry| entry.program = false);
                (folder, entries)
            }
        };
        make_folder(folder)?;
        plug_in::install(folder, &files)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Name and contents, one for each shell.
fn completions(command: &Command) -> Vec<(String, Vec<u8>)> {
    // clap_complete would offer hidden subcommands too.
    const NAME: &str = "partdiff";
    let visible = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let command = Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .args(command.get_arguments().cloned())
        .subcommands(visible.cloned());
    let script = |shell: &Shell| {
        let mut bytes = Vec::new();
        clap_complete::generate(*shell, &mut command.clone(), NAME, &mut bytes);
        (clap_complete::Generator::file_name(shell, NAME), bytes)
    };
    Shell::value_variants().iter().map(script).collect()
}
