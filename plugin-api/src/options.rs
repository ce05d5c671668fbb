//! The options of a job, by key.

use std::collections::BTreeMap;

use partdiff::UpscaleOptions;
use partdiff::settings::Settings;
use partdiff::settings::repair::AskedRepair;
use partdiff::settings::units::Amount;

use crate::abi::partdiff_status as Status;
use crate::failure::Failure;
use crate::run::ProgressCall;
use crate::strings::unknown_key;

/// All keys, for messages.
const KEYS: [&str; 18] = [
    "scale",
    "width",
    "height",
    "fit_width",
    "fit_height",
    "preset",
    "steps",
    "start_step",
    "sampler",
    "eta",
    "spacing",
    "cleanup",
    "deblur",
    "consistency",
    "seed",
    "tile",
    "memory",
    "linear",
];

/// A value as the host gave it.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Back to the default.
    Default,
    /// A text; numbers may be given so, with a point whatever the locale.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// Any number.
    Real(f64),
}

/// Keys whose values are texts only.
const TEXTS: [&str; 3] = ["preset", "sampler", "spacing"];

/// All settings of a job.
#[derive(Clone, Debug, Default)]
pub struct JobSettings {
    /// Options by key; each is valid alone.
    given: BTreeMap<String, String>,
    /// The image's ICC profile.
    pub profile: Option<Vec<u8>>,
    /// Whom to tell.
    pub progress: Option<ProgressCall>,
}

impl JobSettings {
    /// What the engine is to do.
    ///
    /// # Errors
    /// `InvalidOption` where options contradict each other.
    pub fn options(&self) -> Result<UpscaleOptions, Failure> {
        self.settings().map(|(options, _)| options)
    }

    /// As [`options`](Self::options), and the repair that is asked for.
    ///
    /// # Errors
    /// As there.
    pub fn settings(&self) -> Result<(UpscaleOptions, AskedRepair), Failure> {
        let mut settings = Settings::default();
        for (key, text) in &self.given {
            let set = match key.as_str() {
                "fit_width" | "fit_height" | "linear" => continue,
                key => settings.set(key, text),
            };
            set.map_err(|problem| expected(key, text, &problem))?;
        }
        match (self.given.get("fit_width"), self.given.get("fit_height")) {
            (Some(width), Some(height)) => {
                let fit = format!("{width}x{height}");
                settings.set("fit", &fit).map_err(|problem| expected("fit", &fit, &problem))?;
            }
            (None, None) => {}
            _ => return Err(invalid("fit_width and fit_height: expected both or none")),
        }
        // Here the memory is the engine's alone.
        let memory = settings.memory.take().map(|Amount(bytes)| bytes);
        settings.validate()?;
        Ok((UpscaleOptions { memory, ..settings.options()? }, AskedRepair::from(&settings)))
    }

    /// Sets one option.
    ///
    /// # Errors
    /// `UnknownKey` and `InvalidOption`; then nothing is changed.
    pub fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), Failure> {
        if !KEYS.contains(&key) {
            return Err(unknown_key(key, &KEYS));
        }
        let text = match value {
            Value::Default => {
                self.given.remove(key);
                return Ok(());
            }
            Value::Text(text) => text.to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
        };
        check(key, value, &text)?;
        self.given.insert(key.to_owned(), text);
        Ok(())
    }

    /// Whether samples are linear light.
    pub fn linear(&self) -> bool {
        self.given.get("linear").is_some_and(|text| text == "1")
    }
}

/// Checks an option alone.
fn check(key: &str, value: Value<'_>, text: &str) -> Result<(), Failure> {
    let refused = |problem: &str| Err(expected(key, text, problem));
    match key {
        "linear" if ["0", "1"].contains(&text) => Ok(()),
        "linear" => refused("expected 0 or 1"),
        _ if TEXTS.contains(&key) && !matches!(value, Value::Text(_)) => refused("expected a text"),
        // Beyond 2^53 not every whole number exists.
        _ if matches!(value, Value::Real(number) if number.abs() > 2f64.powi(53)) => {
            refused("expected less than 2^53")
        }
        "fit_width" | "fit_height" => {
            Settings::default().set("width", text).map_err(|problem| expected(key, text, &problem))
        }
        _ => {
            let given = BTreeMap::from([(key.to_owned(), text.to_owned())]);
            JobSettings { given, ..JobSettings::default() }.options().map(drop)
        }
    }
}

/// A failure that names the option, its value and what was expected.
pub fn expected(key: &str, text: &str, problem: &str) -> Failure {
    invalid(format!("{key} is \"{text}\": {problem}"))
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Status::InvalidOption, message)
}

#[cfg(test)]
mod tests {
    use partdiff::Target;
    use partdiff::diffusion::TimestepSpacing;

    use super::*;

    #[test]
    fn every_key_takes_its_kind_and_names_itself_when_it_does_not() {
        let mut settings = JobSettings::default();
        let good = [
            ("scale", Value::Real(2.5)),
            ("scale", Value::Default),
            ("width", Value::Int(640)),
            ("height", Value::Text("480")),
            ("preset", Value::Text("faithful")),
            ("steps", Value::Int(4)),
            ("start_step", Value::Int(40)),
            ("sampler", Value::Text("ddim")),
            ("eta", Value::Real(0.5)),
            ("spacing", Value::Text("quadratic")),
            ("cleanup", Value::Text("0.25")),
            ("deblur", Value::Int(2)),
            ("consistency", Value::Int(3)),
            ("seed", Value::Text("18446744073709551615")),
            ("tile", Value::Real(64.0)),
            ("memory", Value::Int(1 << 30)),
            ("linear", Value::Int(1)),
        ];
        for (key, value) in good {
            settings.set(key, value).unwrap_or_else(|failure| panic!("{key}: {}", failure.message));
        }
        let options = settings.options().unwrap();
        assert_eq!(options.target, Target::Size { width: 640, height: 480 });
        assert_eq!((options.steps, options.seed, options.tile), (Some(4), u64::MAX, Some(64)));
        assert_eq!((options.cleanup, options.deblur), (0.25, 2));
        assert_eq!(options.spacing, Some(TimestepSpacing::Quadratic));
        for key in KEYS {
            let failure = settings.clone().set(key, Value::Text("?!")).err();
            // Any text may be the name of a preset; the model tells later.
            assert_eq!(failure.is_none(), key == "preset", "{key}");
            assert!(failure.is_none_or(|failure| failure.message.contains(key)), "{key}");
        }
    }

    #[test]
    fn bad_values_change_nothing() {
        let mut settings = JobSettings::default();
        let bad = [
            ("steps", Value::Int(0)),
            ("steps", Value::Int(-1)),
            ("steps", Value::Real(1.5)),
            ("eta", Value::Real(f64::NAN)),
            ("cleanup", Value::Real(1.1)),
            ("deblur", Value::Int(3)),
            ("scale", Value::Real(-2.0)),
            ("scale", Value::Real(f64::INFINITY)),
            ("tile", Value::Int(3)),
            ("width", Value::Int(1 << 32)),
            ("seed", Value::Real(1e300)),
            ("preset", Value::Int(3)),
            ("linear", Value::Int(2)),
        ];
        for (key, value) in bad {
            let failure = settings.set(key, value).unwrap_err();
            assert_eq!(failure.status, Status::InvalidOption, "{key} {value:?}: {}", failure.message);
        }
        assert_eq!(settings.options().unwrap(), UpscaleOptions::default());
        assert_eq!(settings.set("stepps", Value::Int(1)).unwrap_err().status, Status::UnknownKey);
    }

    #[test]
    fn sizes_do_not_contradict() {
        let mut settings = JobSettings::default();
        settings.set("scale", Value::Real(2.0)).unwrap();
        settings.set("width", Value::Int(100)).unwrap();
        assert!(settings.options().unwrap_err().message.contains("one of scale"));
        settings.set("scale", Value::Default).unwrap();
        assert_eq!(settings.options().unwrap().target, Target::Width(100));
        settings.set("width", Value::Default).unwrap();
        settings.set("fit_width", Value::Int(100)).unwrap();
        assert!(settings.options().unwrap_err().message.contains("expected both"));
    }
}
