//! The engine: libpartdiff, which lies beside the plug-in.

use partdiff_host::{Color, Error, Form, Input, Library, Model, Output, Status};

use crate::pixels::Pixels;
use crate::settings::Settings;
use crate::text::tr;

/// Told the share of the work done, 0 to 1, the step at work and the number of steps; `false` cancels.
pub type Step<'a> = &'a mut dyn FnMut(f64, u32, u32) -> bool;

/// A model, ready to run.
pub struct Engine {
    model: Model,
}

impl Engine {
    /// Opens a model by name or path, the default one for an empty name, on the device of that name.
    ///
    /// # Errors
    /// Where library, ONNX Runtime, device or model is unavailable, with the remedy.
    pub fn open(model: &str, device: &str) -> Result<Self, String> {
        let library = Library::find().map_err(|error| {
            let remedy = tr("Run the command “partdiff gimp install” again.");
            format!("{}\n{remedy}", error.message)
        })?;
        let open = || {
            let context = library.context()?;
            context.set_text("device", Some(device))?;
            context.open(Some(model).filter(|name| !name.is_empty()))
        };
        Ok(Self { model: open().map_err(message)? })
    }

    /// Enlarges `pixels`, coded as the ICC profile says (`None`: sRGB), to `size` (width, height). Returns the
    /// warnings too, one a line.
    ///
    /// # Errors
    /// What the engine says, with the remedy where one is known.
    pub fn upscale(
        &self,
        pixels: &Pixels,
        icc: Option<&[u8]>,
        settings: &Settings,
        size: (u32, u32),
        step: Step<'_>,
    ) -> Result<(Pixels, String), String> {
        let mut result = Pixels::new(size.0 as usize, size.1 as usize, pixels.channels, pixels.sample);
        let mut work = || -> Result<String, Error> {
            let mut job = self.model.job()?;
            job.set_int("width", size.0.into())?;
            job.set_int("height", size.1.into())?;
            for (name, value) in settings.options() {
                job.set_text(name, Some(value))?;
            }
            job.set_profile(icc)?;
            let (from, to) = (form(pixels), form(&result));
            job.run(&from, Input::Memory(&pixels.data), &to, Output::Memory(&mut result.data), Some(step))?;
            job.text("warnings")
        };
        let warnings = work().map_err(message)?;
        Ok((result, warnings))
    }
}

fn form(pixels: &Pixels) -> Form {
    let color = match pixels.channels {
        1 => Color::Grey,
        2 => Color::GreyAlpha,
        3 => Color::Rgb,
        _ => Color::Rgba,
    };
    Form::new(pixels.sample, color, pixels.width as u32, pixels.height as u32)
}

/// What the engine says, and what to do about it where that is not part of it.
fn message(error: Error) -> String {
    let remedy = match error.status {
        Status::Limit => tr("Close other images or programs, or choose a smaller result."),
        _ => return error.message,
    };
    format!("{}\n{remedy}", error.message)
}
