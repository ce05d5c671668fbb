//! The settings of an image as options of the command line.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::settings::Settings;

/// Heading of options that do not change the image.
pub const RESOURCES: &str = "Resources (these do not change the image)";
const SIZE: &str = "Size (by default the model's own factor)";
const SAMPLING: &str = "Sampling (defaults come from the model)";
const ENCODING: &str = "Encoding (by default as in the input, where the format allows)";
const INPUT: &str = "Input";
const METADATA: &str = "Metadata (kept where the format allows)";

/// A field of [`Settings`] that the command line takes.
struct Field {
    heading: &'static str,
    /// Without the two dashes; the field is called so, with underscores.
    name: &'static str,
    short: Option<char>,
    /// What stands for the value in the help; a flag has none.
    value: Option<&'static str>,
    help: &'static str,
    /// The default that the help shows.
    default: Option<&'static str>,
    conflicts: &'static [&'static str],
}

const fn option(heading: &'static str, name: &'static str, value: &'static str, help: &'static str) -> Field {
    Field { heading, name, short: None, value: Some(value), help, default: None, conflicts: &[] }
}

const fn flag(heading: &'static str, name: &'static str, help: &'static str) -> Field {
    Field { heading, name, short: None, value: None, help, default: None, conflicts: &[] }
}

const FIELDS: [Field; 26] = [
    Field {
        short: Some('s'),
        conflicts: &["width", "height", "fit"],
        ..option(SIZE, "scale", "FACTOR", "Factor between input and result, such as 4 or 2.5")
    },
    Field {
        conflicts: &["fit"],
        ..option(
            SIZE,
            "width",
            "PIXELS",
            "Width of the result in pixels; the height follows, unless given too",
        )
    },
    Field {
        conflicts: &["fit"],
        ..option(
            SIZE,
            "height",
            "PIXELS",
            "Height of the result in pixels; the width follows, unless given too",
        )
    },
    option(
        SIZE,
        "fit",
        "WxH",
        "Largest size with the input's aspect ratio that fits into WIDTHxHEIGHT pixels; larger images are shrunk, \
         without the model",
    ),
    Field {
        short: Some('p'),
        ..option(SAMPLING, "preset", "PRESET", "One of the model's presets: faithful, balanced or detailed")
    },
    option(SAMPLING, "steps", "COUNT", "Denoising steps: 1 is the most faithful, more add texture"),
    option(SAMPLING, "start-step", "STEP", "The step of the diffusion chain at which denoising starts"),
    option(
        SAMPLING,
        "sampler",
        "RULE",
        "Update rule of a step: ddim (deterministic, or with --eta partly random), ddpm (ancestral: fresh noise in \
         every step), or dpmpp-2m (DPM-Solver++ of second order)",
    ),
    option(SAMPLING, "eta", "0-1", "Share of fresh noise in each DDIM step, 0 (none) to 1 (as DDPM)"),
    Field {
        default: Some("0"),
        ..option(SAMPLING, "seed", "NUMBER", "Seed of the noise: the same seed gives the same image")
    },
    option(
        SAMPLING,
        "cleanup",
        "0-1|auto",
        "How much blur, noise and compression damage to clean up, for models that can: 0 (none) to 1; or auto: what \
         the image seems to need, and a JPEG file by its quantisation tables at least. Default: auto where the model \
         estimates damage, else 0; 0 where back-projection is on (--consistency, the preset faithful), where the \
         result is not larger than the image, and for volumes",
    ),
    option(
        SAMPLING,
        "deblur",
        "1|2|4|auto",
        "Make a blurred image smaller by this factor first, so that its blur becomes detail again: 1 (not at all), 2 or \
         4; or auto: 2 where the image is found to be blurred. Default: auto where the clean-up follows the image, the \
         result is larger and need not agree with it, and no --uncertainty is asked for; else 1. An automatic clean-up \
         is at least 0.1 then. With 2, a result 4 times as large takes about 4 times as long, one twice as large a quarter",
    ),
    option(
        SAMPLING,
        "consistency",
        "ROUNDS",
        "Rounds, at most, in which the result is shrunk, compared with the input, and corrected, until no sample is \
         off by a level of 255. By default 32 with the preset faithful and no clean-up, else 0: with --cleanup or \
         --deblur, it brings back what was cleaned up",
    ),
    option(
        SAMPLING,
        "spacing",
        "HOW",
        "Timestep spacing between the start step and 0: uniform, or quadratic (denser toward 0)",
    ),
    option(
        ENCODING,
        "format",
        "FORMAT",
        "Format of the results, by its name or extension, such as png, jpg, webp, tif, jxl or exr (an unknown name \
         lists them all); by default from the result's extension, else the input's format",
    ),
    option(
        ENCODING,
        "quality",
        "1-100",
        "Quality of JPEG and AVIF, 1 to 100 (95 by default); makes WebP lossy, which is lossless by default",
    ),
    option(ENCODING, "depth", "BITS", "Bits per sample: 8, 16, or 32 (floating point)"),
    Field {
        default: Some("white"),
        ..option(
            ENCODING,
            "background",
            "COLOUR",
            "Background colour for transparent images where the format has no alpha (JPEG): white, black, or \
             #RRGGBB in the image's own colour space",
        )
    },
    flag(
        ENCODING,
        "progressive",
        "Write progressive JPEG, which is slightly smaller and can be shown while it loads",
    ),
    option(
        METADATA,
        "strip",
        "WHAT",
        "Remove location data (gps), or all metadata except colour profile and resolution (all)",
    ),
    flag(METADATA, "keep-dpi", "Keep the input's resolution (dpi) instead of its print size"),
    flag(METADATA, "no-provenance", "Do not record in the result how it was made"),
    flag(
        INPUT,
        "strict",
        "Refuse damaged files; by default what can be read of them is enlarged, and a message says how much is lost",
    ),
    Field {
        default: Some("200M"),
        ..option(
            RESOURCES,
            "max-pixels",
            "COUNT",
            "Maximum number of pixels of an input (per page), such as 200M or 1G; larger inputs fail before memory \
             is allocated",
        )
    },
    option(
        RESOURCES,
        "tile",
        "PIXELS",
        "Largest tile side in input pixels; planned from the memory by default",
    ),
    option(
        RESOURCES,
        "memory",
        "AMOUNT",
        "Memory to use at most, such as 800M or 1G; half of the free memory by default, and up to a quarter more \
         where several images are at work",
    ),
];

impl Field {
    fn arg(&self) -> Arg {
        let name = self.name;
        let mut arg = Arg::new(name)
            .long(name)
            .help(self.help)
            .help_heading(self.heading)
            .conflicts_with_all(self.conflicts);
        if let Some(short) = self.short {
            arg = arg.short(short);
        }
        if let Some(default) = self.default {
            arg = arg.default_value(default);
        }
        let Some(value) = self.value else { return arg.action(ArgAction::SetTrue) };
        // clap names option and text beside what was expected.
        arg.value_name(value).value_parser(move |text: &str| {
            set(&mut Settings::default(), name, text).map(|()| text.to_owned())
        })
    }
}

fn set(settings: &mut Settings, name: &str, text: &str) -> Result<(), String> {
    settings.set(&name.replace('-', "_"), text)
}

/// The settings on the command line: all of them, or the resources only.
#[derive(Clone, Debug)]
pub struct SettingsArgs<const RESOURCES_ONLY: bool>(pub Settings);

impl<const RESOURCES_ONLY: bool> SettingsArgs<RESOURCES_ONLY> {
    fn fields() -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().filter(|field| !RESOURCES_ONLY || field.heading == RESOURCES)
    }
}

impl<const RESOURCES_ONLY: bool> Args for SettingsArgs<RESOURCES_ONLY> {
    fn augment_args(command: Command) -> Command {
        command.args(Self::fields().map(Field::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const RESOURCES_ONLY: bool> FromArgMatches for SettingsArgs<RESOURCES_ONLY> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut settings = Settings::default();
        for Field { name, value, .. } in Self::fields() {
            let text = match value {
                Some(_) => matches.get_one::<String>(name).cloned(),
                None => matches.get_one::<bool>(name).map(bool::to_string),
            };
            if let Some(text) = text {
                let wrong = |problem| Error::raw(clap::error::ErrorKind::ValueValidation, problem);
                set(&mut settings, name, &text).map_err(wrong)?;
            }
        }
        Ok(Self(settings))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::deblur::Deblur;

    #[test]
    fn every_option_is_a_setting_and_the_defaults_shown_are_true() {
        let matches = SettingsArgs::<false>::augment_args(Command::new("test")).get_matches_from(["test"]);
        assert_eq!(SettingsArgs::<false>::from_arg_matches(&matches).unwrap().0, Settings::default());
        let settings = Settings { strict: true, deblur: Some(Deblur::Auto), ..Settings::default() };
        let known = serde_json::to_value(settings).unwrap();
        for Field { name, .. } in &FIELDS {
            assert!(known.get(name.replace('-', "_")).is_some(), "{name}");
            let problem = set(&mut Settings::default(), name, "?!").err();
            assert!(
                *name == "preset" || problem.is_some_and(|problem| problem.starts_with("expected")),
                "{name}"
            );
        }
    }
}
