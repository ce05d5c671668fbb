//! The JSON file beside a volume, and the one for its result.
//!
//! Fields have the meaning that the Brain Imaging Data Structure gives them
//! (<https://bids-specification.readthedocs.io/en/stable/derivatives/common-data-types.html>). Values that stay are
//! copied as they are written. They may name the patient, so no message shows any.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::geometry::slice_axis;
use super::nifti::{Header, without_gz};
use super::options::AXES;
use super::plan::Plan;

/// Most bytes of a sidecar.
const MAX_BYTES: u64 = 16 << 20;

/// The fields of a sidecar, in their order.
#[derive(Clone, Default)]
pub struct Sidecar(Vec<(String, Box<RawValue>)>);

/// How a result came about.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The file that it was made from, as BIDS names it, if that exists beside the result.
    pub source: Option<String>,
    /// Name and version of the model.
    pub model: &'a str,
}

/// Where the sidecar of a volume lies.
pub fn sidecar_path(volume: &Path) -> PathBuf {
    without_gz(volume).with_extension("json")
}

impl Sidecar {
    /// The sidecar of the volume at `path`, if there is one.
    ///
    /// # Errors
    /// A warning, where it is no JSON object or cannot be read.
    pub fn of(path: &Path) -> Result<Option<Self>, String> {
        let path = sidecar_path(path);
        let name = Path::new(path.file_name().unwrap_or_default()).display();
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("its sidecar {name} cannot be read ({error}): not copied")),
            Ok(_) if bytes.len() as u64 > MAX_BYTES => {
                return Err(format!("its sidecar {name} has more than 16 MiB: not copied"));
            }
            Ok(_) => {}
        }
        // Some programs of Windows begin a file with a byte order mark.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        serde_json::from_slice(text).map(Some).map_err(|error| {
            // The words of the error may quote the file.
            let place = format!("line {}, column {}", error.line(), error.column());
            format!("its sidecar {name} is not a JSON object ({place}): not copied")
        })
    }

    /// The sidecar for the result of `plan`, as text, and what it could not keep, one sentence each.
    pub fn of_result(&self, plan: &Plan, origin: Option<&Origin<'_>>) -> (String, Vec<String>) {
        let mut new = self.clone();
        let notes = new.fit(plan);
        if let Some(origin) = origin {
            match &origin.source {
                Some(source) => new.set("Sources", &json!([source])),
                None => new.remove("Sources"),
            }
            let mut made_by = match self.value("GeneratedBy") {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(earlier)) => earlier,
                Some(earlier) => vec![earlier],
            };
            made_by.push(json!({
                "Name": "PartDiff",
                "Version": env!("CARGO_PKG_VERSION"),
                "Description": format!("super-resolution by partial diffusion, model {}", origin.model),
            }));
            new.set("GeneratedBy", &Value::Array(made_by));
        }
        (new.to_string(), notes)
    }

    /// Corrects the fields that depend on the grid. What describes the acquisition stays.
    fn fit(&mut self, plan: &Plan) -> Vec<String> {
        if plan.is_copy() {
            return Vec::new();
        }
        let (old, new) = (plan.stored(), plan.sides);
        let voxel = plan.voxel_mm();
        let sizes = voxel.map(rounded);
        let [i, j, k] = sizes;
        let own = plan.geometry.sides;
        let names: String = (0..3).filter(|&axis| new[axis] != own[axis]).map(|axis| AXES[axis]).collect();
        let along = if names.len() == 1 { "axis" } else { "axes" };
        let factor = rounded(plan.factor());
        let than = if plan.is_native() { "what was acquired" } else { "the source" };
        let mut resolution = format!("{i} x {j} x {k} mm");
        if !names.is_empty() {
            resolution.push_str(&format!(", {factor} times as fine along the {along} {names} as {than}"));
        }
        self.set("Resolution", &json!(resolution));
        if plan.is_native() && self.value("Interpolation2D").is_some() {
            self.set("Interpolation2D", &json!(false));
        }
        let slices = self.slice_axis(&plan.header);
        let phase =
            self.axis_of("PhaseEncodingDirection").filter(|&axis| new[axis] != old[axis] && old[axis] > 1);
        if let Some(axis) = phase {
            // The readout takes as long as before, for more lines.
            if let Some(spacing) = self.number("EffectiveEchoSpacing") {
                let lines = (old[axis] - 1) as f64 / (new[axis] - 1) as f64;
                self.set("EffectiveEchoSpacing", &json!(spacing * lines));
            }
            if self.number("ReconMatrixPE") == Some(old[axis] as f64) {
                self.set("ReconMatrixPE", &json!(new[axis]));
            }
        }
        if new[slices] == old[slices] {
            return Vec::new();
        }
        for field in ["SliceThickness", "SpacingBetweenSlices"] {
            if self.value(field).is_some() {
                self.set(field, &json!(sizes[slices]));
            }
        }
        if self.value("SliceTiming").is_none() {
            return Vec::new();
        }
        self.remove("SliceTiming");
        vec!["SliceTiming of its sidecar does not fit the new slices: left out of the result's".into()]
    }

    /// The acquired number of voxels along i, j and k of a grid of `sides`, where that is less: as scanners, and dcm2niix,
    /// state it for the axes of the plane, i and j.
    pub fn acquired(&self, sides: [usize; 3]) -> [Option<usize>; 3] {
        let mut acquired = [None; 3];
        let is_interpolated = match self.value("Interpolation2D") {
            Some(Value::Bool(stated)) => stated,
            Some(stated) => stated.as_f64() == Some(1.0),
            None => false,
        };
        let phase = self.axis_of("PhaseEncodingDirection").filter(|&axis| axis < 2);
        for axis in 0..2 {
            let side = sides[axis] as f64;
            let lines = match (self.number("AcquisitionMatrixPE"), self.number("ReconMatrixPE")) {
                (Some(lines), Some(stored)) if phase == Some(axis) && stored > 0.0 => {
                    Some(side * lines / stored)
                }
                _ => None,
            };
            // Siemens interpolates by two; its base resolution is the number of pixels along the readout.
            let readout = self.number("BaseResolution").filter(|_| phase == Some(1 - axis));
            let halved = is_interpolated.then_some(side / 2.0);
            let count = lines.or(readout.filter(|_| is_interpolated)).or(halved);
            acquired[axis] = count
                .map(f64::round)
                .filter(|count| (1.0..0.97 * side).contains(count))
                .map(|count| count as usize);
        }
        acquired
    }

    /// The thickness of slices across `axis` in millimetres, where that is the axis along which they were acquired.
    pub fn thickness(&self, axis: usize, header: &Header) -> Option<f64> {
        self.number("SliceThickness").filter(|_| self.slice_axis(header) == axis)
    }

    /// The axis along which slices were acquired.
    fn slice_axis(&self, header: &Header) -> usize {
        self.axis_of("SliceEncodingDirection").unwrap_or_else(|| slice_axis(header))
    }

    /// The axis that a field of a direction, such as `j-`, names.
    fn axis_of(&self, name: &str) -> Option<usize> {
        let value = self.value(name)?;
        AXES.iter().position(|axis| value.as_str().is_some_and(|value| value.starts_with(*axis)))
    }

    /// A field's value.
    pub fn value(&self, name: &str) -> Option<Value> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// A field's value, if it is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.value(name)?.as_f64()
    }

    fn set(&mut self, name: &str, value: &Value) {
        let Ok(value) = to_raw_value(value) else { return };
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }
}

/// A length without the noise of single precision.
fn rounded(millimetres: f64) -> f64 {
    (millimetres * 1e5).round() / 1e5
}

impl PartialEq for Sidecar {
    fn eq(&self, other: &Self) -> bool {
        let texts = |sidecar: &Self| -> Vec<(String, String)> {
            sidecar.0.iter().map(|(name, value)| (name.clone(), value.get().to_owned())).collect()
        };
        texts(self) == texts(other)
    }
}

impl fmt::Debug for Sidecar {
    /// Without the contents, which may name the patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sidecar of {} fields", self.0.len())
    }
}

impl fmt::Display for Sidecar {
    /// JSON, one field a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}\n\t{}: {}", json!(name), value.get())?;
        }
        f.write_str("\n}\n")
    }
}

impl<'de> Deserialize<'de> for Sidecar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Sidecar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sidecar, A::Error> {
                let mut fields: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    // Of a field that stands there twice, readers take the last.
                    fields.retain(|(known, _)| *known != name);
                    fields.push((name, value));
                }
                Ok(Sidecar(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::nifti::{Order, Version, field};

    #[test]
    fn what_was_acquired_is_read_from_what_scanners_state() {
        let acquired = |text: &str| serde_json::from_str::<Sidecar>(text).unwrap().acquired([256, 320, 40]);
        assert_eq!(acquired("{}"), [None; 3]);
        let phase = r#""PhaseEncodingDirection": "j-", "AcquisitionMatrixPE": 240, "ReconMatrixPE": 320"#;
        assert_eq!(acquired(&format!("{{{phase}}}")), [None, Some(240), None]);
        // Of a volume that was resampled since, the same share.
        assert_eq!(acquired(&format!("{{{}}}", phase.replace("320", "640"))), [None, Some(120), None]);
        let both = |more: &str| acquired(&format!("{{{phase}, \"Interpolation2D\": true{more}}}"));
        assert_eq!(both(""), [Some(128), Some(240), None]);
        assert_eq!(both(r#", "BaseResolution": 192"#), [Some(192), Some(240), None]);
        assert_eq!(acquired(r#"{"Interpolation2D": 1}"#), [Some(128), Some(160), None]);
        // Nothing was interpolated, or nonsense is stated.
        for text in [r#"{"Interpolation2D": false, "BaseResolution": 128}"#, r#"{"Interpolation2D": "yes"}"#]
        {
            assert_eq!(acquired(text), [None; 3]);
        }
        let nonsense = r#"{"PhaseEncodingDirection": "i", "AcquisitionMatrixPE": 0, "ReconMatrixPE": 256}"#;
        assert_eq!(acquired(nonsense), [None; 3]);
        assert_eq!(acquired(&nonsense.replace("\": 256", "\": 0")), [None; 3]);
    }

    #[test]
    fn the_thickness_is_that_along_the_axis_of_the_slices() {
        let mut header = Header::new(Version::One, Order::Little);
        let along = |text: &str, header: &Header| {
            let sidecar: Sidecar = serde_json::from_str(text).unwrap();
            [0, 1, 2].map(|axis| sidecar.thickness(axis, header))
        };
        let (plain, coronal) =
            (r#"{"SliceThickness": 4}"#, r#"{"SliceThickness": 4, "SliceEncodingDirection": "j-"}"#);
        assert_eq!(along(plain, &header), [None, None, Some(4.0)]);
        assert_eq!(along(coronal, &header), [None, Some(4.0), None]);
        // Slices lie along i.
        header.set(field::DIM_INFO, 0, 16.0);
        assert_eq!(along(plain, &header), [Some(4.0), None, None]);
        assert_eq!(along(r#"{"SliceThickness": "4"}"#, &header), [None; 3]);
    }

    #[test]
    fn values_keep_their_spelling_and_the_last_of_two_counts() {
        let sidecar: Sidecar = serde_json::from_str("{\"a\": 1.50, \"b\": [1,\n 2], \"a\": 0.10}").unwrap();
        assert_eq!(sidecar.to_string(), "{\n\t\"b\": [1,\n 2],\n\t\"a\": 0.10\n}\n");
        assert_eq!(format!("{sidecar:?}"), "sidecar of 2 fields");
    }
}
