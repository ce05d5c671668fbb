//! The options of a job, by key.

use partdiff::diffusion::{SamplerKind, TimestepSpacing};
use partdiff::{Target, UpscaleOptions};

use crate::abi::partdiff_status as Status;
use crate::failure::Failure;
use crate::run::ProgressCall;
use crate::strings::unknown_key;

/// All keys, for messages.
const KEYS: [&str; 17] = [
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

/// All settings of a job.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    options: UpscaleOptions,
    scale: Option<f64>,
    width: Option<u32>,
    height: Option<u32>,
    fit_width: Option<u32>,
    fit_height: Option<u32>,
    /// Samples are linear light.
    pub linear: bool,
    /// The image's ICC profile.
    pub profile: Option<Vec<u8>>,
    /// Whom to tell.
    pub progress: Option<ProgressCall>,
}

impl Settings {
    /// What the engine is to do.
    ///
    /// # Errors
    /// `InvalidOption` where options contradict each other.
    pub fn options(&self) -> Result<UpscaleOptions, Failure> {
        let fit = match (self.fit_width, self.fit_height) {
            (Some(width), Some(height)) => Some((width, height)),
            (None, None) => None,
            _ => return Err(invalid("fit_width and fit_height: expected both or none")),
        };
        let sized = self.width.is_some() || self.height.is_some();
        if usize::from(self.scale.is_some()) + usize::from(fit.is_some()) + usize::from(sized) > 1 {
            return Err(invalid("scale, fit_width x fit_height, and width or height: expected one of these"));
        }
        let target = Target::of(self.scale, fit, self.width, self.height);
        Ok(UpscaleOptions { target, ..self.options.clone() })
    }

    /// Sets one option.
    ///
    /// # Errors
    /// `UnknownKey` and `InvalidOption`; then nothing is changed.
    pub fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), Failure> {
        let mut next = self.clone();
        let given = Given { key, value };
        let options = &mut next.options;
        match key {
            "scale" => next.scale = given.real()?,
            "width" => next.width = given.pixels()?,
            "height" => next.height = given.pixels()?,
            "fit_width" => next.fit_width = given.pixels()?,
            "fit_height" => next.fit_height = given.pixels()?,
            "preset" => options.preset = given.text()?.map(str::to_owned),
            "steps" => options.steps = given.whole()?.map(|steps| steps as usize),
            "start_step" => options.start_step = given.whole()?.map(|step| step as usize),
            "sampler" => options.sampler = given.text()?.map(str::parse::<SamplerKind>).transpose()?,
            "eta" => options.eta = given.real()?,
            "spacing" => options.spacing = given.text()?.map(str::parse::<TimestepSpacing>).transpose()?,
            "cleanup" => options.cleanup = given.real()?.unwrap_or(0.0) as f32,
            "consistency" => options.consistency = given.whole()?.map(|rounds| rounds as usize),
            "seed" => options.seed = given.whole()?.unwrap_or(0),
            "tile" => options.tile = given.whole()?.map(|side| side as usize),
            "memory" => options.memory = given.whole()?,
            "linear" => {
                next.linear = match given.whole()?.unwrap_or(0) {
                    0 => false,
                    1 => true,
                    other => return Err(invalid(format!("linear is {other}: expected 0 or 1"))),
                }
            }
            _ => return Err(unknown_key(key, &KEYS)),
        }
        next.options.validate()?;
        // The size of no image is known yet; a small one shows factors that suit none.
        if let Some(scale) = next.scale {
            Target::Scale(scale).resolve(1, 1, 1)?;
        }
        *self = next;
        Ok(())
    }
}

struct Given<'a> {
    key: &'a str,
    value: Value<'a>,
}

impl<'a> Given<'a> {
    fn text(&self) -> Result<Option<&'a str>, Failure> {
        match self.value {
            Value::Default => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Int(_) | Value::Real(_) => Err(self.expected("a text")),
        }
    }

    fn real(&self) -> Result<Option<f64>, Failure> {
        match self.value {
            Value::Default => Ok(None),
            Value::Real(number) => Ok(Some(number)),
            Value::Int(number) => Ok(Some(number as f64)),
            Value::Text(text) => text.parse().map(Some).map_err(|_| self.expected("a number")),
        }
    }

    fn whole(&self) -> Result<Option<u64>, Failure> {
        let number = match self.value {
            Value::Default => return Ok(None),
            Value::Int(number) => u64::try_from(number).ok(),
            Value::Text(text) => text.parse().ok(),
            Value::Real(number) => {
                // Beyond 2^53 not every whole number exists.
                Some(number as u64).filter(|&whole| whole as f64 == number && whole <= 1 << 53)
            }
        };
        number.map(Some).ok_or_else(|| self.expected("a whole number of at least 0"))
    }

    fn pixels(&self) -> Result<Option<u32>, Failure> {
        let too_large = |_| self.expected("at most 4294967295 pixels");
        match self.whole()? {
            None => Ok(None),
            Some(0) => Err(self.expected("at least 1 pixel")),
            Some(pixels) => u32::try_from(pixels).map(Some).map_err(too_large),
        }
    }

    fn expected(&self, what: &str) -> Failure {
        let value = match self.value {
            Value::Default => "null".to_owned(),
            Value::Text(text) => format!("\"{text}\""),
            Value::Int(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
        };
        invalid(format!("{} is {value}: expected {what}", self.key))
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Status::InvalidOption, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_takes_its_kind_and_names_itself_when_it_does_not() {
        let mut settings = Settings::default();
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
        assert_eq!((options.cleanup, options.spacing), (0.25, Some(TimestepSpacing::Quadratic)));
        for key in KEYS {
            let failure = settings.clone().set(key, Value::Text("?!")).err();
            // Any text may be the name of a preset; the model tells later.
            assert_eq!(failure.is_none(), key == "preset", "{key}");
            assert!(failure.is_none_or(|failure| failure.message.contains(key)), "{key}");
        }
    }

    #[test]
    fn bad_values_change_nothing() {
        let mut settings = Settings::default();
        let bad = [
            ("steps", Value::Int(0)),
            ("steps", Value::Int(-1)),
            ("steps", Value::Real(1.5)),
            ("eta", Value::Real(f64::NAN)),
            ("cleanup", Value::Real(1.1)),
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
        let mut settings = Settings::default();
        settings.set("scale", Value::Real(2.0)).unwrap();
        settings.set("width", Value::Int(100)).unwrap();
        assert!(settings.options().unwrap_err().message.contains("expected one of these"));
        settings.set("scale", Value::Default).unwrap();
        assert_eq!(settings.options().unwrap().target, Target::Width(100));
        settings.set("width", Value::Default).unwrap();
        settings.set("fit_width", Value::Int(100)).unwrap();
        assert!(settings.options().unwrap_err().message.contains("expected both"));
    }
}
