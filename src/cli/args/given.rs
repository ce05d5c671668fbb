//! Which options of `partdiff watch` were given, as against their defaults.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::error::{Error, Result};

/// What may stand beside `--config`.
const BESIDE_CONFIG: [&str; 5] = ["config", "state", "once", "dry_run", "json"];

/// The names by which clap knows the options of the command line.
#[derive(Clone, Debug, Default)]
pub struct Given(Vec<String>);

impl Given {
    /// Refuses options whose place is in the configuration, which would be overruled without a word.
    /// (clap's own refusal lists every option that could have been given.)
    ///
    /// # Errors
    /// `InvalidOption` naming them.
    pub fn refuse_beside_config(&self) -> Result<()> {
        let others = self.0.iter().map(String::as_str).filter(|name| !BESIDE_CONFIG.contains(name));
        let others: Vec<_> = others.map(spelled).collect();
        let belong = match others.len() {
            0 => return Ok(()),
            1 => "it belongs",
            _ => "they belong",
        };
        let message = format!("{} cannot be used with --config: {belong} in that file", others.join(", "));
        Err(Error::invalid_option(message))
    }
}

fn spelled(name: &str) -> String {
    match name {
        "input" => "IN".into(),
        "output" => "OUT".into(),
        option => format!("--{}", option.replace('_', "-")),
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let typed = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
        // Groups are called as the structs that they come from.
        let option = |name: &&str| !name.starts_with(char::is_uppercase);
        Ok(Self(matches.ids().map(clap::Id::as_str).filter(option).filter(typed).map(Into::into).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
