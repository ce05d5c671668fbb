//! The damage estimator of a bundle, as an ONNX Runtime session.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ort::session::Session;
use ort::value::TensorRef;

use super::contract::{Expected, ExpectedShape, FLOAT, check_output, check_session};
use super::environment::{Runtime, guarded};
use super::provider::Provider;
use super::session::load_graph;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Raster;
use crate::model::{Bundle, EstimatorEntry};

/// How errors call the graph.
const FILE: &str = "estimator.onnx";

/// What the estimator tells of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The clean-up level, 0 to 1.
    pub level: f32,
    /// The blur of each crop, its standard deviation in pixels; empty where the graph does not tell.
    pub blurs: Vec<f32>,
}

/// Tells from crops of an image which clean-up level it calls for, and how blurred it is. It is small, and runs on the
/// processor.
pub struct Estimator {
    entry: EstimatorEntry,
    session: Mutex<Session>,
}

impl fmt::Debug for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Estimator").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl Estimator {
    /// The estimator of `bundle`; `None` where it has none.
    ///
    /// # Errors
    /// `Model` where the graph does not fit the manifest.
    pub fn open(runtime: &Runtime, bundle: &Bundle) -> Result<Option<Self>> {
        let manifest = bundle.manifest();
        let (Some(entry), Some(bytes)) = (&manifest.estimator, bundle.estimator()) else {
            return Ok(None);
        };
        guarded("ONNX Runtime failed while loading the damage estimator", || {
            let session = load_graph(runtime, Provider::Cpu, FILE, bytes)?;
            let tensor = |name, role, shape| Expected { name, role, shape, elements: FLOAT };
            check_session(
                FILE,
                &session,
                &[tensor(&entry.input, "low-resolution image", ExpectedShape::Crops(manifest.channels))],
                &tensor(&entry.output, "clean-up level", ExpectedShape::Single),
            )?;
            if let Some(blur) = &entry.blur {
                check_output(FILE, &session, &tensor(blur, "blur", ExpectedShape::Each))?;
            }
            Ok(Some(Self { entry: entry.clone(), session: Mutex::new(session) }))
        })
    }

    /// Side of the crops that it was trained on, in pixels.
    pub fn side(&self) -> usize {
        self.entry.side
    }

    /// The damage of the image that `crops`, at least one and of equal size, are of: [C, h, w] in the bundle's value range.
    /// Where the graph tells a level for each, their mean.
    ///
    /// # Errors
    /// `Runtime` where the inference fails, `Model` where it returns neither one number nor one for each.
    pub fn damage(&self, crops: &[Raster]) -> Result<Told> {
        let failed =
            |error| Error::with_source(ErrorKind::Runtime, format!("{FILE}: the inference failed"), error);
        let shape = [crops.len(), crops[0].channels(), crops[0].height(), crops[0].width()];
        let data = crops.iter().map(Raster::data).collect::<Vec<_>>().concat();
        let input = TensorRef::from_array_view((shape, &data[..])).map_err(failed)?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(vec![(self.entry.input.as_str(), input)]).map_err(failed)?;
        let numbers = |name: &str, single| {
            let (_, told) = outputs[name].try_extract_tensor::<f32>().map_err(failed)?;
            let count = told.len() == crops.len() || single && told.len() == 1;
            if count && told.iter().all(|number| number.is_finite()) {
                return Ok(told.to_vec());
            }
            let expected =
                if single { "one number, or one for each crop" } else { "one number for each crop" };
            Err(Error::new(
                ErrorKind::Model,
                format!("{FILE}: output \"{name}\" is {told:?}: expected {expected}"),
            ))
        };
        let levels = numbers(&self.entry.output, true)?;
        let level = (levels.iter().sum::<f32>() / levels.len() as f32).clamp(0.0, 1.0);
        let blurs =
            self.entry.blur.as_ref().map(|name| numbers(name, false)).transpose()?.unwrap_or_default();
        Ok(Told { level, blurs })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::model::{DEFAULT_BUNDLE, MANIFEST_FILE};
    use crate::runtime::test_runtime;

    /// A slope from black to white with `noise`, in -1 to 1.
    fn slope(side: usize, noise: f32) -> Raster {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let data =
            (0..3 * side * side).map(|i| (i % side) as f32 / side as f32 * 2.0 - 1.0 + noise * random());
        Raster::from_vec(3, side, side, data.collect())
    }

    #[test]
    fn a_crop_of_any_size_has_a_level_and_noise_changes_it() {
        let Some(runtime) = test_runtime() else { return };
        let bundle = Bundle::resolve(DEFAULT_BUNDLE).unwrap();
        let estimator = Estimator::open(runtime, &bundle).unwrap().unwrap();
        for side in [16, 21, estimator.side()] {
            let crop = |noise| slope(side, noise);
            let level = |crops: &[Raster]| estimator.damage(crops).unwrap().level;
            let [clean, noisy] = [0.0, 0.05].map(|noise| level(&[crop(noise)]));
            assert!((0.0..=1.0).contains(&clean) && (0.0..=1.0).contains(&noisy), "{side}: {clean} {noisy}");
            assert!(clean != noisy && level(&[crop(0.0)]) == clean, "{side}: {clean} {noisy}");
            let both = level(&[crop(0.0), crop(0.05)]);
            assert!(both != clean && both != noisy, "{side}: {clean} {noisy} {both}");
            let turned = level(&[crop(0.05), crop(0.0)]);
            assert!((turned - both).abs() < 1e-5, "{side}: {turned} {both}");
        }
        assert!(Estimator::open(runtime, &Bundle::resolve("mri-x4").unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_graph_that_is_no_estimator_is_refused() {
        let Some(runtime) = test_runtime() else { return };
        let bundle = Bundle::resolve(DEFAULT_BUNDLE).unwrap();
        let mut manifest = serde_json::to_value(bundle.manifest()).unwrap();
        let sha256: Value = manifest["denoiser"]["sha256"].clone();
        manifest["estimator"]["file"] = manifest["denoiser"]["file"].clone();
        manifest["estimator"]["sha256"] = sha256;
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        put(MANIFEST_FILE, manifest.to_string().as_bytes());
        put(&bundle.manifest().encoder.as_ref().unwrap().file, bundle.encoder().unwrap());
        put(&bundle.manifest().denoiser.file, bundle.denoiser());
        let error = Estimator::open(runtime, &Bundle::open(folder.path()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.to_string().starts_with("estimator.onnx: input \"lr\""), "{error}");
    }
}
