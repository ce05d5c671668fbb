//! A small local network in plain Rust: zero padding and finite reach, as convolutions have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use partdiff::image::Raster;
use partdiff::model::Manifest;
use partdiff::runtime::network::{Condition, Network};
use partdiff::{Error, ErrorKind, Result};
use serde_json::{Value, json};

/// Reach of the encoder and of the denoiser in low-resolution pixels.
pub const ENCODER_HALO: usize = 3;
pub const DENOISER_HALO: usize = 2;

/// What a network does wrong, to be caught by the output guard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Defect {
    None,
    /// NaN in that many calls, then right.
    NotFinite(usize),
    Constant,
    Bright,
    /// No memory for more than that many pixels of the input.
    Small(usize),
}

pub struct FakeNetwork {
    pub scale: usize,
    pub defect: Defect,
    pub calls: Arc<AtomicUsize>,
}

impl FakeNetwork {
    pub fn boxed(scale: usize) -> Box<dyn Network> {
        Self::defective(scale, Defect::None)
    }

    pub fn defective(scale: usize, defect: Defect) -> Box<dyn Network> {
        Box::new(Self { scale, defect, calls: Arc::default() })
    }

    fn allocate(&self, pixels: usize) -> Result<()> {
        match self.defect {
            Defect::Small(most) if pixels > most => Err(Error::new(ErrorKind::Runtime, "out of memory")),
            _ => Ok(()),
        }
    }
}

/// Sum over a square of `reach`, zeros outside, weights that differ by direction.
fn filter(plane: &[f32], height: usize, width: usize, reach: usize) -> Vec<f32> {
    let at = |y: isize, x: isize| {
        let inside = y >= 0 && x >= 0 && y < height as isize && x < width as isize;
        if inside { plane[y as usize * width + x as usize] } else { 0.0 }
    };
    let reach = reach as isize;
    let mut out = Vec::with_capacity(plane.len());
    for y in 0..height as isize {
        for x in 0..width as isize {
            let mut sum = 0.0;
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    sum += at(y + dy, x + dx) * (1.0 + 0.1 * dy as f32 - 0.05 * dx as f32);
                }
            }
            out.push((sum / ((2 * reach + 1) * (2 * reach + 1)) as f32).tanh());
        }
    }
    out
}

fn filtered(raster: &Raster, reach: usize) -> Raster {
    let planes = (0..raster.channels())
        .flat_map(|channel| filter(raster.plane(channel), raster.height(), raster.width(), reach))
        .collect();
    Raster::from_vec(raster.channels(), raster.height(), raster.width(), planes)
}

impl Network for FakeNetwork {
    fn encode(&mut self, lr: &Raster, level: f32) -> Result<Raster> {
        self.allocate(lr.height() * lr.width())?;
        let mut features = filtered(lr, ENCODER_HALO);
        features.data_mut().iter_mut().for_each(|value| *value += level);
        Ok(features)
    }

    fn predict(&mut self, latent: &Raster, condition: Condition<'_>, timestep: f32) -> Result<Raster> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.allocate(latent.height() * latent.width() / (self.scale * self.scale))?;
        let (condition, shrink) = match condition {
            Condition::Features(raster) | Condition::Lr(raster) => (raster, self.scale),
            Condition::Upsampled(raster) => (raster, 1),
        };
        if (condition.height() * self.scale, condition.width() * self.scale)
            != (latent.height() * self.scale / shrink * shrink, latent.width() * self.scale / shrink * shrink)
            && shrink == 1
        {
            return Err(Error::new(ErrorKind::Model, "condition and latent differ in size"));
        }
        let mut out = filtered(latent, DENOISER_HALO * self.scale);
        for channel in 0..out.channels() {
            for y in 0..out.height() {
                let from = condition.row(channel, y / shrink).to_vec();
                for (x, value) in out.row_mut(channel, y).iter_mut().enumerate() {
                    *value = 0.3 * *value + 0.2 * from[x / shrink] * (0.5 + 0.5 * timestep.clamp(0.0, 1.0));
                }
            }
        }
        match self.defect {
            Defect::None | Defect::Small(_) => {}
            Defect::NotFinite(times) if call < times => out.data_mut()[0] = f32::NAN,
            Defect::NotFinite(_) => {}
            Defect::Constant => out.data_mut().fill(0.01),
            Defect::Bright => out.data_mut().iter_mut().for_each(|value| *value += 0.9),
        }
        Ok(out)
    }
}

/// A manifest for [`FakeNetwork`] of factor 2, with `changes` merged into it.
pub fn manifest(changes: Value) -> Manifest {
    let hash = "0".repeat(64);
    let mut value = json!({
        "format": 1, "name": "fake", "version": "1", "licence": "none", "description": "for tests",
        "scale": 2, "channels": 3, "value_range": [-1, 1],
        "upsampler": {"kernel": "cubic", "a": -0.5},
        "schedule": {"kind": "linear", "timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02},
        "start_step": 40, "alignment": "linear",
        "prediction": {"type": "residual", "scale": 0.1},
        "timestep_input": "fraction", "latent": "residual",
        "input_scaling": {"kind": "unit_variance", "residual_std": 0.1},
        "conditioning": "features",
        "encoder": {"file": "e.onnx", "sha256": hash, "inputs": {"lr": "lr"}, "output": "f",
                    "features": 3, "halo": ENCODER_HALO},
        "denoiser": {"file": "d.onnx", "sha256": hash,
                     "inputs": {"latent": "z", "conditioning": "f", "timestep": "t"},
                     "output": "r", "halo": DENOISER_HALO},
        "size_multiple": 1, "tiling": {"kind": "exact"},
        "defaults": {"steps": 1, "sampler": "ddim", "eta": 0.0, "spacing": "uniform"},
        "presets": {"detailed": {"steps": 4, "eta": 0.5}},
        "training": {}, "metrics": {}
    });
    let (Value::Object(fields), Value::Object(changes)) = (&mut value, changes) else { panic!("an object") };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, change);
        }
    }
    Manifest::parse(value.to_string().as_bytes()).unwrap()
}

/// A colourful image without symmetry.
pub fn test_image(channels: usize, height: usize, width: usize) -> Raster {
    let mut raster = Raster::new(channels, height, width);
    for channel in 0..channels {
        for y in 0..height {
            for (x, value) in raster.row_mut(channel, y).iter_mut().enumerate() {
                let phase = y as f32 * 0.31 + x as f32 * (0.17 + 0.05 * channel as f32);
                *value = 0.5 + 0.4 * phase.sin() * (x as f32 * 0.07).cos();
            }
        }
    }
    raster
}
