//! The attributes of a derived slice (PS3.3, C.7.6.1, C.7.6.2, C.8.3.1, C.12.4): those of its source, but for what the
//! finer pixels change.

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR, dicom_value};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::decimal::{decimal, decimals};

/// Most characters of SeriesDescription (LO).
const LONG_STRING: usize = 64;

/// Most characters of DerivationDescription and ContributionDescription (ST).
const SHORT_TEXT: usize = 1024;

/// What is added to SeriesNumber.
const NEW_SERIES: i64 = 1000;

/// What all slices of a derived series have in common.
#[derive(Clone, Debug)]
pub struct Derivation {
    /// SeriesInstanceUID.
    pub series: String,
    /// Added to SeriesDescription: program, factor, and that it is not for diagnosis.
    pub title: String,
    /// How the series was made, in a sentence.
    pub description: String,
    /// The record of making as JSON, if it is wanted.
    pub record: Option<String>,
    /// Rows and columns.
    pub size: [u16; 2],
    /// PixelSpacing: distance of rows, then of columns.
    pub spacing: [f64; 2],
    /// SliceThickness, where it is known.
    pub thickness: Option<f64>,
    /// SpacingBetweenSlices, where there are several.
    pub distance: Option<f64>,
}

/// What one slice of it has of its own.
#[derive(Clone, Debug)]
pub struct DerivedSlice<'a> {
    /// SOPInstanceUID.
    pub instance: String,
    /// InstanceNumber.
    pub number: usize,
    /// ImagePositionPatient.
    pub position: [f64; 3],
    /// SliceLocation: the position along the normal.
    pub location: f64,
    /// SmallestImagePixelValue and LargestImagePixelValue.
    pub range: (i64, i64),
    /// Whether they are signed.
    pub signed: bool,
    /// The images that it was made from.
    pub sources: Vec<Reference<'a>>,
}

/// An image, or a frame of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// SOPClassUID.
    pub class: &'a str,
    /// SOPInstanceUID.
    pub instance: &'a str,
    /// Number of the frame, from 1, where there are several.
    pub frame: Option<usize>,
}

impl Derivation {
    /// Changes `object`, the attributes that a slice keeps of its source, to those of `slice`.
    pub fn apply(&self, object: &mut InMemDicomObject, slice: &DerivedSlice<'_>) {
        let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
            object.put(DataElement::new(tag, vr, value));
        };
        put(tags::SOP_INSTANCE_UID, VR::UI, slice.instance.as_str().into());
        put(tags::SERIES_INSTANCE_UID, VR::UI, self.series.as_str().into());
        put(tags::INSTANCE_NUMBER, VR::IS, slice.number.to_string().into());
        put(tags::ROWS, VR::US, self.size[0].into());
        put(tags::COLUMNS, VR::US, self.size[1].into());
        put(tags::PIXEL_SPACING, VR::DS, texts(decimals(&self.spacing)));
        put(tags::IMAGE_POSITION_PATIENT, VR::DS, texts(decimals(&slice.position)));
        put(tags::SLICE_LOCATION, VR::DS, decimal(slice.location).into());
        for (tag, value) in [
            (tags::SMALLEST_IMAGE_PIXEL_VALUE, slice.range.0),
            (tags::LARGEST_IMAGE_PIXEL_VALUE, slice.range.1),
        ] {
            // Wider values have no room there.
            match (slice.signed, i16::try_from(value), u16::try_from(value)) {
                (true, Ok(value), _) => put(tag, VR::SS, dicom_value!(I16, [value])),
                (false, _, Ok(value)) => put(tag, VR::US, value.into()),
                _ => {}
            }
        }
        for (tag, value) in
            [(tags::SLICE_THICKNESS, self.thickness), (tags::SPACING_BETWEEN_SLICES, self.distance)]
        {
            if let Some(value) = value {
                put(tag, VR::DS, decimal(value).into());
            }
        }
        self.describe(object);
        let sources: Vec<_> = slice.sources.iter().map(Reference::item).collect();
        object.put(DataElement::new(tags::SOURCE_IMAGE_SEQUENCE, VR::SQ, DataSetSequence::from(sources)));
    }

    /// Says in words and codes that the image is derived, and by what.
    fn describe(&self, object: &mut InMemDicomObject) {
        // What follows the first two values is the scanner's: magnitude or phase, filters.
        let mut kind = vec!["DERIVED".to_owned(), "SECONDARY".to_owned()];
        kind.extend(strings(object, tags::IMAGE_TYPE).into_iter().skip(2));
        object.put(DataElement::new(tags::IMAGE_TYPE, VR::CS, texts(kind)));
        let number =
            strings(object, tags::SERIES_NUMBER).first().and_then(|number| number.trim().parse::<i64>().ok());
        let number = number.unwrap_or(0).saturating_add(NEW_SERIES).min(i32::MAX.into());
        object.put(DataElement::new(tags::SERIES_NUMBER, VR::IS, number.to_string()));
        let title = after(&text(object, tags::SERIES_DESCRIPTION), &self.title, LONG_STRING);
        object.put(DataElement::new(tags::SERIES_DESCRIPTION, VR::LO, title));
        let description = after(&text(object, tags::DERIVATION_DESCRIPTION), &self.description, SHORT_TEXT);
        object.put(DataElement::new(tags::DERIVATION_DESCRIPTION, VR::ST, description));
        let equipment = object.get(tags::CONTRIBUTING_EQUIPMENT_SEQUENCE).and_then(DataElement::items);
        let mut equipment = equipment.map(<[_]>::to_vec).unwrap_or_default();
        equipment.push(self.equipment());
        object.put(DataElement::new(
            tags::CONTRIBUTING_EQUIPMENT_SEQUENCE,
            VR::SQ,
            DataSetSequence::from(equipment),
        ));
    }

    /// This program, as an item of ContributingEquipmentSequence.
    fn equipment(&self) -> InMemDicomObject {
        let mut item = InMemDicomObject::from_element_iter([
            purpose("109102", "Processing Equipment"),
            DataElement::new(tags::MANUFACTURER, VR::LO, "PartDiff"),
            DataElement::new(tags::MANUFACTURER_MODEL_NAME, VR::LO, "PartDiff"),
            DataElement::new(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION")),
        ]);
        if let Some(record) = self.record.as_ref().filter(|record| record.len() <= SHORT_TEXT) {
            item.put(DataElement::new(tags::CONTRIBUTION_DESCRIPTION, VR::ST, record.as_str()));
        }
        item
    }
}

impl Reference<'_> {
    /// As an item of SourceImageSequence.
    fn item(&self) -> InMemDicomObject {
        let mut item = InMemDicomObject::from_element_iter([
            DataElement::new(tags::REFERENCED_SOP_CLASS_UID, VR::UI, self.class),
            DataElement::new(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, self.instance),
            purpose("121322", "Source image for image processing operation"),
        ]);
        if let Some(frame) = self.frame {
            item.put(DataElement::new(tags::REFERENCED_FRAME_NUMBER, VR::IS, frame.to_string()));
        }
        item
    }
}

/// PurposeOfReferenceCodeSequence with a code of DICOM's own.
fn purpose(code: &str, meaning: &str) -> DataElement<InMemDicomObject> {
    let item = InMemDicomObject::from_element_iter([
        DataElement::new(tags::CODE_VALUE, VR::SH, code),
        DataElement::new(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM"),
        DataElement::new(tags::CODE_MEANING, VR::LO, meaning),
    ]);
    DataElement::new(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, VR::SQ, DataSetSequence::from(vec![item]))
}

/// `old; new` in at most `most` characters: `old` is cut where they are too many.
fn after(old: &str, new: &str, most: usize) -> String {
    let old = old.trim_end();
    let room = most.saturating_sub(new.chars().count() + 2);
    let cut: String = old.chars().take(room).collect();
    // A part of a text that shifts between character sets would leave it shifted.
    let cut = if cut.len() < old.len() && old.contains('\u{1b}') { "" } else { cut.trim_end() };
    if cut.is_empty() { new.chars().take(most).collect() } else { format!("{cut}; {new}") }
}

/// The values of a text attribute; none where it is missing or empty.
pub fn strings(object: &InMemDicomObject, tag: Tag) -> Vec<String> {
    let values = object.get(tag).and_then(|element| element.to_multi_str().ok());
    values.map(|values| values.to_vec()).unwrap_or_default()
}

/// A text attribute as a whole; empty where it is missing.
pub fn text(object: &InMemDicomObject, tag: Tag) -> String {
    object.get(tag).and_then(|element| element.to_str().ok()).map(String::from).unwrap_or_default()
}

fn texts(values: Vec<String>) -> PrimitiveValue {
    PrimitiveValue::Strs(values.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_fit_and_say_the_new_part_whole() {
        let new = "PartDiff x4, not for diagnosis";
        assert_eq!(after("AX FSE T2 ", new, 64), "AX FSE T2; PartDiff x4, not for diagnosis");
        assert_eq!(after("", new, 64), new);
        let long = after(&"ä".repeat(64), new, 64);
        assert_eq!((long.chars().count(), long.ends_with(new)), (64, true));
        assert_eq!(after(&format!("{}\u{1b}$B..\u{1b}(B", "x".repeat(40)), new, 64), new);
    }
}
