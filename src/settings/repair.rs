//! What is done about the damage of an image: clean-up, and a smaller start where it is blurred.

use super::Settings;
use super::cleanup::Cleanup;
use super::deblur::Deblur;
use crate::engine::options::check_deblur;
use crate::engine::{Report, UpscaleOptions, Upscaled, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Raster;
use crate::model::Manifest;

/// The least level that an estimate makes worth while: light damage is less than what clean-up of it costs (LPIPS of JPEG
/// quality 90, held out, is lower without).
const WORTHWHILE: f32 = 0.3;

/// The blur, in pixels, from which on it is better to start smaller.
const BLURRED: f32 = 0.75;

/// The factor by which a blurred image is made smaller.
const SMALLER: usize = 2;

/// How many times as long as without it deblurring that nobody asked for may take. Four times is usual; where memory is
/// short, halos of small tiles can make it many more.
const MOST_TIMES: f64 = 6.0;

/// The blur, in pixels, from which on clean-up makes an image sharper than it costs.
const SOFT: f32 = 0.35;

/// The least clean-up of an image that is made smaller, for a blur of that many pixels. LPIPS is lowest at about this level
/// (BSD100, blurred by 0.9 to 1.8 pixels); more makes fur and skin look like clay.
fn level_of_blur(blur: f32) -> f32 {
    (0.3 * (blur - 0.5)).clamp(0.1, 1.0)
}

/// The largest mean difference from the input, in levels of 255, that clean-up of damage explains, and deblurring.
/// Photographs with the worst damage of training change by up to 10, blurred ones by up to 13, waves and stripes that were
/// taken for damaged ones by 16 and more.
const MOST_CHANGE: (f64, f64) = (12.0, 15.0);

/// What is asked for; where nothing is, it follows the image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AskedRepair {
    /// Clean-up.
    pub cleanup: Option<Cleanup>,
    /// Deblurring. Where nothing is asked, as the image needs it if clean-up is automatic too, else none.
    pub deblur: Option<Deblur>,
}

impl From<&Settings> for AskedRepair {
    fn from(settings: &Settings) -> Self {
        Self { cleanup: settings.cleanup, deblur: settings.deblur }
    }
}

/// What is done about the damage of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repair {
    /// Clean-up level, 0 (none) to 1.
    pub cleanup: f32,
    /// The factor by which the image is made smaller first, 1 (not at all), 2 or 4.
    pub deblur: usize,
    /// Both, as far as they were asked for.
    given: (f32, usize),
    /// Clean-up level where deblurring that was not asked for is left out.
    undeblurred: f32,
    /// Whether deblurring is left out for the time it would take.
    too_slow: bool,
}

impl AskedRepair {
    /// Checks that a model can do what is asked for, if anything is.
    ///
    /// # Errors
    /// `InvalidOption` where clean-up or deblurring should follow the image, and the model does not say how, or where the
    /// model's factor is no multiple of that by which images are to be made smaller.
    pub fn check(&self, manifest: &Manifest) -> Result<()> {
        Cleanup::check(self.cleanup, manifest)?;
        match self.deblur {
            Some(Deblur::Factor(factor)) => check_deblur(factor, manifest),
            Some(Deblur::Auto) if !tells_blur(manifest) => {
                let name = &manifest.name;
                let message = format!("deblur is auto: model {name} does not tell blur; expected 1, 2 or 4");
                Err(Error::invalid_option(message))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a model can tell how blurred an image is, and begin with a smaller one.
fn tells_blur(manifest: &Manifest) -> bool {
    let told = manifest.estimator.as_ref().is_some_and(|estimator| estimator.blur.is_some());
    told && check_deblur(SMALLER, manifest).is_ok()
}

/// Whether a smaller start, which fits the memory, takes too long in it.
fn is_too_slow(image: &Raster, upscaler: &Upscaler, options: &UpscaleOptions) -> bool {
    let cost = |deblur| {
        let options = UpscaleOptions { deblur, ..options.clone() };
        let plan = upscaler.plan(image.width(), image.height(), image.channels(), &options);
        plan.map(|plan| plan.cost(1.0, 1.0))
    };
    matches!((cost(1), cost(SMALLER)), (Ok(plain), Ok(smaller)) if smaller > MOST_TIMES * plain)
}

impl Repair {
    /// What is done about the damage of `image` (of a JPEG file of that quality). Where nothing is `asked`, what the image
    /// calls for; and nothing where the result must agree with the input, or is not larger.
    ///
    /// # Errors
    /// As [`AskedRepair::check`], [`Upscaler::may_repair`] and [`Upscaler::estimate_damage`].
    pub fn of(
        asked: AskedRepair,
        image: &Raster,
        jpeg_quality: Option<f32>,
        upscaler: &Upscaler,
        options: &UpscaleOptions,
    ) -> Result<Self> {
        let manifest = upscaler.manifest();
        asked.check(manifest)?;
        let may =
            manifest.estimator.is_some() && upscaler.may_repair(image.width(), image.height(), options)?;
        let level_told = asked.cleanup.map_or(may, |cleanup| cleanup == Cleanup::Auto);
        // The uncertainty is measured over one pass.
        let blur_told = asked
            .deblur
            .map_or(level_told && may && options.uncertainty.is_none(), |deblur| deblur == Deblur::Auto);
        let damage = if level_told || blur_told { upscaler.estimate_damage(image)? } else { None };
        let blur = damage.map_or(0.0, |damage| damage.blur);
        let blurred = blur_told && blur >= BLURRED && tells_blur(manifest);
        let too_slow = blurred && asked == AskedRepair::default() && is_too_slow(image, upscaler, options);
        let deblur = match asked.deblur {
            Some(Deblur::Factor(factor)) => factor,
            _ if blurred && !too_slow => SMALLER,
            _ => 1,
        };
        let tables = jpeg_quality.and_then(|quality| manifest.cleanup_of(quality));
        let told = damage.map(|damage| damage.level).into_iter().chain(tables).fold(0.0, f32::max);
        let told = if damage.is_some() && told < WORTHWHILE { 0.0 } else { told };
        let level = |deblur: usize| match (asked.cleanup, deblur) {
            (Some(Cleanup::Level(level)), _) => level as f32,
            _ if !level_told => 0.0,
            (_, 1) if blur >= SOFT => told.max(WORTHWHILE),
            (_, 1) => told,
            _ => told.max(level_of_blur(blur)),
        };
        let cleanup = level(deblur);
        let given = (
            if asked.cleanup.is_some() { cleanup } else { 0.0 },
            if asked.deblur.is_some() || asked.cleanup == Some(Cleanup::Auto) { deblur } else { 1 },
        );
        Ok(Self { cleanup, deblur, given, undeblurred: level(1), too_slow })
    }

    /// The engine's options with this repair.
    pub fn apply(self, options: &UpscaleOptions) -> UpscaleOptions {
        UpscaleOptions { cleanup: self.cleanup, deblur: self.deblur, ..options.clone() }
    }

    /// Whether some of it was not asked for.
    pub fn is_unasked(self) -> bool {
        (self.cleanup, self.deblur) != self.given
    }

    /// What `make` returns for as much of it as the memory suffices for, how much that is, and what is to be said of the
    /// rest, one sentence each: first deblurring is left out, then clean-up, as far as nobody asked for them.
    pub fn fitting<T>(self, mut make: impl FnMut(Self) -> Result<T>) -> (Result<T>, Self, Vec<String>) {
        let (mut used, mut made, mut notes) = (self, make(self), vec![]);
        let (cleanup, deblur) = self.given;
        while used.is_unasked() && matches!(&made, Err(error) if error.kind() == ErrorKind::Limit) {
            let (left_out, cleanup) = match used.deblur == deblur {
                true => ("clean-up", cleanup),
                false => ("deblurring", self.undeblurred),
            };
            notes.push(format!("made without {left_out}, as the memory does not suffice for it"));
            used = Self { cleanup, deblur, ..self };
            made = make(used);
        }
        (made, used, notes)
    }

    /// What was not asked for, in words.
    fn unasked(self) -> &'static str {
        match (self.cleanup != self.given.0, self.deblur != self.given.1) {
            (true, true) => "clean-up and deblurring",
            (false, true) => "deblurring",
            _ => "clean-up",
        }
    }

    /// What is to be said of deblurring that was left out for the time it would take.
    pub fn note(self) -> Option<String> {
        self.too_slow.then(|| {
            format!(
                "made without deblurring, which would take more than {MOST_TIMES} times as long with so little memory"
            )
        })
    }

    /// What `make` returns for it, and what is to be said of repair that was left out, one sentence each. Of what nobody asked
    /// for, that is what takes too long or too much memory, and all where it breaks the image or changes it by more than
    /// damage would.
    ///
    /// # Errors
    /// As `make`.
    pub fn careful(self, make: impl Fn(Self) -> Result<Upscaled>) -> Result<(Upscaled, Vec<String>)> {
        let (mut made, used, left_out) = self.fitting(&make);
        let mut notes: Vec<_> = self.note().into_iter().chain(left_out).collect();
        let why = match &made {
            _ if !used.is_unasked() => None,
            Ok(made) => Self::doubt(&made.report),
            Err(error) if error.kind() == ErrorKind::Quality => Some("it breaks the image".to_owned()),
            Err(_) => None,
        };
        if let Some(why) = why {
            notes.push(format!("made without {}, as {why}", used.unasked()));
            let (cleanup, deblur) = self.given;
            made = make(Self { cleanup, deblur, ..self });
        }
        made.map(|made| (made, notes))
    }

    /// How a host says [`doubt`](Self::doubt) of a result that cannot be taken back.
    pub fn warning(self, why: &str) -> String {
        let none = if self.cleanup == self.given.0 { "deblur 1" } else { "cleanup 0" };
        format!("{} may be wrong here: {why} ({none} makes none)", self.unasked())
    }

    /// Why a repair that nobody asked for may be wrong for an image; `None` where nothing suggests it.
    pub fn doubt(report: &Report) -> Option<String> {
        let change = report.fidelity.mean_error;
        let most = if report.deblur > 1 { MOST_CHANGE.1 } else { MOST_CHANGE.0 };
        let text =
            || format!("it changes the image by {change:.0} levels of 255, more than usual damage explains");
        (change > most).then(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake_network::{FakeNetwork, manifest};
    use crate::progress::{CancelToken, ProgressEvent};

    #[test]
    fn whatever_was_left_out_is_said() {
        let upscaler = Upscaler::with_networks(&manifest(json!({})), vec![FakeNetwork::boxed(2)]).unwrap();
        let plain = UpscaleOptions::default();
        let progress = |_: ProgressEvent| true;
        let made = upscaler.upscale(&Raster::new(1, 8, 8), &plain, &progress, &CancelToken::new()).unwrap();
        let repair = |given, too_slow| Repair { cleanup: 0.1, deblur: 2, given, undeblurred: 0.5, too_slow };
        // Clean-up changes the image by so many levels; deblurring, or any repair, needs more memory than there is.
        let careful = |repair: Repair, change: f64, most: f32| {
            let (made, notes) = repair
                .careful(|repair| {
                    if repair.deblur > 1 || repair.cleanup > most {
                        return Err(Error::new(ErrorKind::Limit, "no memory"));
                    }
                    let mut made = made.clone();
                    made.report.cleanup = repair.cleanup;
                    made.report.fidelity.mean_error = if repair.cleanup > 0.0 { change } else { 0.0 };
                    Ok(made)
                })
                .unwrap();
            (made.report.cleanup, notes)
        };
        let no_memory = |what| format!("made without {what}, as the memory does not suffice for it");
        let doubted = "made without clean-up, as it changes the image by 20 levels of 255, more than usual damage explains";
        let both = repair((0.0, 1), false);
        assert_eq!(careful(both, 3.0, 1.0), (0.5, vec![no_memory("deblurring")]));
        assert_eq!(careful(both, 20.0, 1.0), (0.0, vec![no_memory("deblurring"), doubted.to_owned()]));
        assert_eq!(careful(both, 3.0, 0.3), (0.0, vec![no_memory("deblurring"), no_memory("clean-up")]));
        let slow = Repair { cleanup: 0.5, deblur: 1, ..repair((0.0, 1), true) };
        let (cleanup, notes) = careful(slow, 20.0, 1.0);
        assert!(cleanup == 0.0 && notes.len() == 2 && notes[0].contains("times as long"), "{notes:?}");
        assert_eq!(notes[1], doubted);
        // What was asked for stays, whatever it does.
        let asked = Repair { cleanup: 0.5, deblur: 1, ..repair((0.5, 1), false) };
        assert_eq!(careful(asked, 20.0, 1.0), (0.5, vec![]));
    }
}
