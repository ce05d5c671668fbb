//! What the user asked for.

/// The size of the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// So many times as wide and as high.
    Factor(u32),
    /// This width and height in pixels; 0 leaves one of them to the aspect ratio.
    Pixels(u32, u32),
}

/// Where the result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A new image made from what is visible.
    NewImage,
    /// The image itself with all its layers.
    ThisImage,
}

/// One run's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Size of the result. Default: 4 times.
    pub size: Size,
    /// Name of a preset; empty for the model's own choice. Default: empty.
    pub preset: String,
    /// Denoising steps; 0 leaves them to the preset. Default: 0.
    pub steps: u32,
    /// Clean-up strength from 0 to 1. Default: 0.
    pub cleanup: f64,
    /// Seed of the noise. Default: 0.
    pub seed: u32,
    /// Where the result goes. Default: a new image.
    pub output: Output,
    /// Name or path of a model; empty for the default one. Default: empty.
    pub model: String,
    /// `auto`, `cpu`, `cuda` or `tensorrt`. Default: `auto`.
    pub device: String,
}

/// Factors that dialogs offer.
pub const FACTORS: [u32; 3] = [2, 3, 4];
/// Presets that dialogs offer; those of the default model.
pub const PRESETS: [&str; 3] = ["faithful", "balanced", "detailed"];
/// Devices, in the order of dialogs.
pub const DEVICES: [&str; 4] = ["auto", "cpu", "cuda", "tensorrt"];
/// Largest factor between input and result.
const MAX_FACTOR: f64 = 64.0;

impl Default for Settings {
    fn default() -> Self {
        Self {
            size: Size::Factor(4),
            preset: String::new(),
            steps: 0,
            cleanup: 0.0,
            seed: 0,
            output: Output::NewImage,
            model: String::new(),
            device: DEVICES[0].into(),
        }
    }
}

impl Settings {
    /// The result's (width, height) for an image of `width` x `height` pixels.
    ///
    /// # Errors
    /// For a size of nothing, or more than 64 times the image's.
    pub fn target(&self, width: u32, height: u32) -> Result<(u32, u32), String> {
        let (w, h) = (f64::from(width), f64::from(height));
        let (to_width, to_height) = match self.size {
            Size::Factor(factor) => (w * f64::from(factor), h * f64::from(factor)),
            Size::Pixels(0, 0) => return Err("Give a width, a height or both.".into()),
            Size::Pixels(width, 0) => (f64::from(width), h * f64::from(width) / w),
            Size::Pixels(0, height) => (w * f64::from(height) / h, f64::from(height)),
            Size::Pixels(width, height) => (f64::from(width), f64::from(height)),
        };
        let largest = (to_width / w).max(to_height / h);
        if !(largest > 0.0 && largest <= MAX_FACTOR) {
            return Err(format!("The result would be {largest:.1} times as large; at most 64 are possible."));
        }
        Ok(((to_width.round() as u32).max(1), (to_height.round() as u32).max(1)))
    }

    /// The settings in one line, for GIMP 2.10 to keep until the next run.
    pub fn to_line(&self) -> String {
        let (factor, width, height) = match self.size {
            Size::Factor(factor) => (factor, 0, 0),
            Size::Pixels(width, height) => (0, width, height),
        };
        let output = u8::from(self.output == Output::ThisImage);
        let Self { preset, steps, cleanup, seed, model, device, .. } = self;
        format!(
            "{factor}\t{width}\t{height}\t{preset}\t{steps}\t{cleanup}\t{seed}\t{output}\t{device}\t{model}"
        )
    }

    /// What [`to_line`](Self::to_line) wrote; `None` for anything else.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut words = line.splitn(10, '\t');
        let mut number = || words.next()?.parse::<u32>().ok();
        let (factor, width, height) = (number()?, number()?, number()?);
        Some(Self {
            size: if factor > 0 { Size::Factor(factor) } else { Size::Pixels(width, height) },
            preset: words.next()?.into(),
            steps: words.next()?.parse().ok()?,
            cleanup: words.next()?.parse().ok()?,
            seed: words.next()?.parse().ok()?,
            output: if words.next()? == "1" { Output::ThisImage } else { Output::NewImage },
            device: words.next()?.into(),
            model: words.next()?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_follows_the_aspect_ratio() {
        let target = |size| Settings { size, ..Default::default() }.target(30, 20);
        assert_eq!(target(Size::Factor(3)), Ok((90, 60)));
        assert_eq!(target(Size::Pixels(45, 0)), Ok((45, 30)));
        assert_eq!(target(Size::Pixels(0, 50)), Ok((75, 50)));
        assert_eq!(target(Size::Pixels(31, 99)), Ok((31, 99)));
        assert!(target(Size::Pixels(0, 0)).unwrap_err().starts_with("Give a width"));
        assert!(target(Size::Pixels(30 * 65, 0)).unwrap_err().contains("65.0 times"));
        assert!(target(Size::Factor(0)).is_err());
    }

    #[test]
    fn a_line_keeps_everything() {
        let settings = Settings {
            size: Size::Pixels(10, 0),
            preset: "detailed".into(),
            steps: 3,
            cleanup: 0.25,
            seed: 7,
            output: Output::ThisImage,
            model: "/a\tb/c".into(),
            device: "cpu".into(),
        };
        assert_eq!(Settings::from_line(&settings.to_line()), Some(settings));
        let default = Settings::default();
        assert_eq!(Settings::from_line(&default.to_line()), Some(default));
        assert_eq!(Settings::from_line("4\t0"), None);
    }
}
