//! What the sampling loop asks of a network; ONNX Runtime is one implementation, tests bring their own.

use std::sync::Arc;

use crate::error::Result;
use crate::image::Raster;

/// Conditioning handed to the denoiser.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// Encoder features, shape [F, h, w] at low resolution.
    Features(&'a Raster),
    /// The low-resolution image itself, shape [C, h, w] in the bundle's value range.
    Lr(&'a Raster),
    /// The image upsampled by the bundle's kernel, shape [C, s h, s w] in the bundle's value range.
    Upsampled(&'a Raster),
}

/// Stops a running inference.
pub trait Interrupt: Send + Sync {
    /// Makes a running call and later ones end soon, with `ErrorKind::Cancelled`. Does not wait.
    fn stop(&self);

    /// Lets calls run again.
    fn reset(&self);
}

/// One worker's instance of a bundle's graphs. Calls are stateless: equal inputs give equal outputs.
pub trait Network: Send {
    /// Encoder features [F, h, w] of `lr` [C, h, w] (bundle's value range); `level` is the clean-up level, 0 to 1.
    ///
    /// Called only for bundles with an encoder.
    fn encode(&mut self, lr: &Raster, level: f32) -> Result<Raster>;

    /// The raw network output [C, s h, s w] for a latent that is already scaled for input.
    ///
    /// `timestep` is in the form that the bundle's `timestep_input` names.
    fn predict(&mut self, latent: &Raster, condition: Condition<'_>, timestep: f32) -> Result<Raster>;

    /// What stops this network's calls from another thread, if anything can.
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        None
    }
}
