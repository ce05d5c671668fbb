//! One run: read, compute with progress, and only then write.

use std::ffi::c_int;

use crate::engine::Engine;
use crate::host::{Handle, Host, c};
use crate::pixels::Pixels;
use crate::settings::Settings;
use crate::source::{layers, profile, read_layer, read_visible};
use crate::text::tr;
use crate::writer::{new_image, scaled_area, this_image};

/// What is upscaled.
pub struct Task<'a, H> {
    /// The image.
    pub image: H,
    /// What is selected in it.
    pub drawables: &'a [H],
    /// How.
    pub settings: &'a Settings,
    /// Whether a new image is shown.
    pub show: bool,
}

/// `GIMP_INDEXED`: pixels are places in a palette.
const INDEXED: c_int = 2;

/// Does `task` and returns the image that has the result.
///
/// # Errors
/// With what to do about it, as far as that is known. The image is unchanged, unless GIMP itself failed in the end.
pub fn run<H: Handle>(host: &Host<H>, task: &Task<'_, H>, engine: Option<Engine>) -> Result<H, String> {
    let (gimp, settings, image) = (&host.gimp, task.settings, task.image);
    // GIMP 2.10 greys the menu for them, but lets scripts through.
    // SAFETY: the image that GIMP has just handed over.
    if unsafe { (gimp.gimp_image_base_type)(image) } == INDEXED {
        return Err(tr("Indexed images cannot be upscaled: convert the image to RGB first."));
    }
    // SAFETY: as above.
    let old = unsafe { ((gimp.gimp_image_width)(image) as u32, (gimp.gimp_image_height)(image) as u32) };
    let size = settings.target(old.0, old.1)?;
    let icc = profile(host, image);
    // Refused before any work: what could not be written in the end.
    let layers = if settings.in_place() { layers(host, task.drawables)? } else { Vec::new() };
    let meter = Meter::start(host);
    let engine = match engine {
        Some(engine) => engine,
        None => Engine::open(settings.get("model"), settings.get("device"))?,
    };
    if !settings.in_place() {
        let pixels = read_visible(host, image)?;
        let (result, warnings) =
            engine.upscale(&pixels, icc.as_deref(), settings, size, &mut meter.part(0, 1))?;
        drop(pixels);
        let image = new_image(host, image, &result)?;
        warn(host, &warnings);
        if task.show {
            // SAFETY: the image that was just made.
            unsafe { (gimp.gimp_display_new)(image) };
        }
        return Ok(image);
    }
    let mut results: Vec<(H, Pixels)> = Vec::new();
    let mut warned = Vec::new();
    for (index, &layer) in layers.iter().enumerate() {
        let source = read_layer(host, layer)?;
        let area = scaled_area(source.area, old, size);
        let size = (area.width as u32, area.height as u32);
        let step = &mut meter.part(index, layers.len());
        let (result, warnings) = engine.upscale(&source.pixels, icc.as_deref(), settings, size, step)?;
        results.push((layer, result));
        if !warned.contains(&warnings) {
            warned.push(warnings);
        }
    }
    this_image(host, image, size, &results)?;
    warned.iter().for_each(|warnings| warn(host, warnings));
    Ok(image)
}

/// Shows `text`, unless it is empty.
fn warn<H: Handle>(host: &Host<H>, text: &str) {
    if !text.is_empty() {
        // SAFETY: on the main thread; GIMP copies the text.
        unsafe { (host.gimp.gimp_message)(c(text).as_ptr()) };
    }
}

/// GIMP's progress bar.
struct Meter<'a, H> {
    host: &'a Host<H>,
}

impl<'a, H: Handle> Meter<'a, H> {
    fn start(host: &'a Host<H>) -> Self {
        // SAFETY: on the main thread; GIMP copies the text.
        unsafe { (host.gimp.gimp_progress_init)(c(&tr("Upscaling with PartDiff")).as_ptr()) };
        Self { host }
    }

    /// What shows the progress of part `index` of `count`: each step by name, each percent by the bar.
    fn part(&self, index: usize, count: usize) -> impl FnMut(f64, u32, u32) -> bool {
        let gimp = &self.host.gimp;
        let mut shown = (None, 0);
        move |fraction, step, steps| {
            let percent = ((index as f64 + fraction) / count as f64 * 100.0) as usize;
            if shown.1 != step {
                shown.1 = step;
                let text = tr("PartDiff: step {0} of {1}")
                    .replace("{0}", &step.to_string())
                    .replace("{1}", &steps.to_string());
                // SAFETY: on the main thread, on which the engine calls back; GIMP copies the text.
                unsafe { (gimp.gimp_progress_set_text)(c(&text).as_ptr()) };
            }
            if shown.0 != Some(percent) {
                shown.0 = Some(percent);
                // SAFETY: as above.
                unsafe { (gimp.gimp_progress_update)(percent as f64 / 100.0) };
            }
            true
        }
    }
}

impl<H> Drop for Meter<'_, H> {
    fn drop(&mut self) {
        // SAFETY: on the main thread.
        unsafe { (self.host.gimp.gimp_progress_end)() };
    }
}
