//! One rendering: a crop of the layer at two settings.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::next::Outcome;
use crate::engine::Engine;
use crate::pixels::Pixels;
use crate::settings::Settings;
use crate::text::tr;

/// An engine with the model and device that it was opened for.
pub struct Opened {
    place: [String; 2],
    engine: Engine,
}

impl Opened {
    fn new(settings: &Settings) -> Result<Self, String> {
        let place = ["model", "device"].map(|name| settings.get(name).to_owned());
        Ok(Self { engine: Engine::open(&place[0], &place[1])?, place })
    }

    fn fits(&self, settings: &Settings) -> bool {
        self.place == ["model", "device"].map(|name| settings.get(name))
    }

    /// The engine, if it is the one for `settings`.
    pub fn engine(self, settings: &Settings) -> Option<Engine> {
        self.fits(settings).then_some(self.engine)
    }
}

/// What the work on a preview needs from the main thread.
pub struct Order {
    /// The crop with its margin.
    pub crop: Pixels,
    /// Of both views; `None` enlarges nothing.
    pub settings: [Option<Settings>; 2],
    /// Of the results, in pixels.
    pub size: (u32, u32),
    /// Kept from one rendering to the next.
    pub engine: Arc<Mutex<Option<Opened>>>,
    /// Ends the work.
    pub cancelled: Arc<AtomicBool>,
}

impl Order {
    /// Both images; one without settings is the crop itself.
    pub fn fulfil(self) -> Outcome {
        let mut slot =
            self.engine.lock().map_err(|_| tr("PartDiff failed: internal error (please report)."))?;
        let mut make = |settings: &Option<Settings>| {
            let Some(settings) = settings else { return Ok(self.crop.clone()) };
            if slot.as_ref().is_none_or(|opened| !opened.fits(settings)) {
                *slot = Some(Opened::new(settings)?);
            }
            let Some(Opened { engine, .. }) = slot.as_ref() else { return Err(String::new()) };
            let go_on = &mut |_, _, _| !self.cancelled.load(Ordering::Acquire);
            engine.upscale(&self.crop, None, settings, self.size, go_on).map(|(pixels, _)| pixels)
        };
        let [first, second] = &self.settings;
        Ok([make(first)?, make(second)?])
    }
}
