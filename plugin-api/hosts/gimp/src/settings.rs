//! What the user asked for: a text for each argument of the procedures, most of which the engine takes as they are.

use std::collections::BTreeMap;

/// A setting as both generations of GIMP show it.
pub struct Field {
    /// Its name, as the procedures and the engine have it.
    pub name: &'static str,
    /// Its label in the dialog.
    pub label: &'static str,
    /// More on it.
    pub tip: &'static str,
    /// What values it has.
    pub kind: Kind,
    /// Its value, unless the user chooses another one.
    pub default: &'static str,
}

/// What values a setting has.
pub enum Kind {
    /// One of these, with their labels.
    Choice(&'static [(&'static str, &'static str)]),
    /// A whole number from 0 to this one.
    Whole(u32),
    /// Any text.
    Text,
}

/// The values of `preset`; the presets are those of the default model.
pub const PRESETS: &[(&str, &str)] = &[
    ("default", "The model's choice"),
    ("faithful", "Faithful"),
    ("balanced", "Balanced"),
    ("detailed", "Detailed"),
];
/// The values of `cleanup`.
const CLEANUPS: &[(&str, &str)] = &[
    ("default", "What the image seems to need"),
    ("0", "None"),
    ("0.25", "Weak"),
    ("0.5", "Medium"),
    ("0.75", "Strong"),
    ("1", "Strongest"),
];
/// The values of `output`.
pub const OUTPUTS: &[(&str, &str)] =
    &[("new-image", "New image from what is visible"), ("this-image", "This image with all its layers")];
const SCALES: &[(&str, &str)] = &[("x2", "x2"), ("x3", "x3"), ("x4", "x4"), ("size", "Width and height")];
const DEVICES: &[(&str, &str)] = &[
    ("auto", "Automatic"),
    ("cpu", "Processor"),
    ("openvino", "OpenVINO, processor"),
    ("openvino:bf16", "OpenVINO, processor, 16 bits"),
    ("openvino:gpu", "OpenVINO, Intel GPU"),
    ("openvino:npu", "OpenVINO, Intel NPU"),
    ("webgpu", "WebGPU"),
    ("cuda", "CUDA"),
    ("tensorrt", "TensorRT"),
];
/// Longest side of a result.
const LONGEST: u32 = 262_144;
/// Largest factor between input and result.
const MAX_FACTOR: f64 = 64.0;

/// All settings.
pub static FIELDS: [Field; 10] = [
    field("scale", "Sc_ale:", "How much larger", Kind::Choice(SCALES), "x4"),
    field("width", "_Width:", "In pixels; 0 follows from the height", Kind::Whole(LONGEST), "0"),
    field("height", "Hei_ght:", "In pixels; 0 follows from the width", Kind::Whole(LONGEST), "0"),
    field(
        "output",
        "Res_ult:",
        "The layers chosen are upscaled by the model, the others by GIMP",
        Kind::Choice(OUTPUTS),
        "new-image",
    ),
    field(
        "preset",
        "_Preset:",
        "Faithful keeps to what is known, detailed adds likely texture",
        Kind::Choice(PRESETS),
        "default",
    ),
    field("steps", "S_teps:", "0 leaves them to the preset; more steps add texture", Kind::Whole(1000), "0"),
    field(
        "cleanup",
        "Clea_n-up:",
        "How much noise, blur and JPEG damage to take out",
        Kind::Choice(CLEANUPS),
        "default",
    ),
    field("seed", "See_d:", "Another seed gives other texture", Kind::Whole(u32::MAX), "0"),
    field("model", "_Model:", "Name or path of a model; empty for the default one", Kind::Text, ""),
    field("device", "De_vice:", "Where the model runs", Kind::Choice(DEVICES), "auto"),
];

const fn field(
    name: &'static str,
    label: &'static str,
    tip: &'static str,
    kind: Kind,
    default: &'static str,
) -> Field {
    Field { name, label, tip, kind, default }
}

/// One run's settings, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Default for Settings {
    fn default() -> Self {
        Self::from_values(|field| field.default.to_owned())
    }
}

impl Settings {
    /// The settings with the `value` of each field.
    pub fn from_values(mut value: impl FnMut(&Field) -> String) -> Self {
        Self(FIELDS.iter().map(|field| (field.name, value(field))).collect())
    }

    /// The value with that name.
    pub fn get(&self, name: &str) -> &str {
        &self.0[name]
    }

    /// These settings with another value for `name`.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.insert(name, value.to_owned());
        self
    }

    /// Whether the image itself is changed.
    pub fn in_place(&self) -> bool {
        self.get("output") == OUTPUTS[1].0
    }

    /// What the engine's jobs take, without what is left to it.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        let options = ["preset", "steps", "cleanup", "seed"].map(|name| (name, self.get(name)));
        options.into_iter().filter(|&(name, value)| value != "default" && (name, value) != ("steps", "0"))
    }

    /// The result's (width, height) for an image of `width` x `height` pixels.
    ///
    /// # Errors
    /// For a size of nothing, or more than 64 times the image's.
    pub fn target(&self, width: u32, height: u32) -> Result<(u32, u32), String> {
        let (w, h) = (f64::from(width), f64::from(height));
        let number = |name: &str| self.get(name).trim_start_matches('x').parse::<f64>().unwrap_or(0.0);
        let (to_width, to_height) = match (self.get("scale"), number("width"), number("height")) {
            ("size", 0.0, 0.0) => return Err("Give a width, a height or both.".into()),
            ("size", width, 0.0) => (width, h * width / w),
            ("size", 0.0, height) => (w * height / h, height),
            ("size", width, height) => (width, height),
            _ => (w * number("scale"), h * number("scale")),
        };
        let largest = (to_width / w).max(to_height / h);
        if !(largest > 0.0 && largest <= MAX_FACTOR) {
            return Err(format!("The result would be {largest:.1} times as large; at most 64 are possible."));
        }
        Ok(((to_width.round() as u32).max(1), (to_height.round() as u32).max(1)))
    }

    /// The settings in one line, for GIMP 2.10 to keep until the next run.
    pub fn to_line(&self) -> String {
        FIELDS.each_ref().map(|field| self.get(field.name)).join("\0")
    }

    /// What [`to_line`](Self::to_line) wrote; `None` for anything else.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut values = line.split('\0');
        let fits = values.clone().count() == FIELDS.len();
        fits.then(|| Self::from_values(|_| values.next().unwrap_or_default().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_follows_the_aspect_ratio() {
        let scaled = |scale| Settings::default().with("scale", scale).target(30, 20);
        let target = |width, height| {
            let settings = Settings::default().with("scale", "size");
            settings.with("width", width).with("height", height).target(30, 20)
        };
        assert_eq!(scaled("x3"), Ok((90, 60)));
        assert_eq!(target("45", "0"), Ok((45, 30)));
        assert_eq!(target("0", "50"), Ok((75, 50)));
        assert_eq!(target("31", "99"), Ok((31, 99)));
        assert!(target("0", "0").unwrap_err().starts_with("Give a width"));
        assert!(target("1950", "0").unwrap_err().contains("65.0 times"));
        assert!(scaled("x0").is_err());
    }

    #[test]
    fn a_line_keeps_everything() {
        let settings = Settings::from_values(|field| format!("{}\t/é", field.name));
        assert_eq!(Settings::from_line(&settings.to_line()), Some(settings));
        let default = Settings::default();
        assert_eq!(Settings::from_line(&default.to_line()), Some(default));
        assert_eq!(Settings::from_line("4\t0"), None);
        assert_eq!(Settings::from_line(""), None);
    }

    #[test]
    fn defaults_are_values_and_the_engine_hears_of_no_choice_left_to_it() {
        for field in &FIELDS {
            let Kind::Choice(choices) = field.kind else { continue };
            assert!(choices.iter().any(|choice| choice.0 == field.default), "{}", field.name);
        }
        let options: Vec<_> = Settings::default().options().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(options, ["seed"]);
        let chosen = Settings::default().with("preset", "detailed").with("steps", "3").with("cleanup", "0");
        assert_eq!(chosen.options().count(), 4);
    }
}
