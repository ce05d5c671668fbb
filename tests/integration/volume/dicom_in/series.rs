//! Small DICOM series, written with dicom-object.

use std::fs;
use std::path::Path;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

/// Columns and rows.
pub const SIZE: (usize, usize) = (8, 6);

/// A text or several, as an element has them.
pub fn text(tag: Tag, vr: VR, value: &str) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

/// A sequence with these items.
pub fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

/// Numbers of 16 bits.
pub fn short(tag: Tag, value: u16) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

/// Pixels of a slice, told apart by `seed`.
pub fn pixels(seed: u16) -> DataElement<InMemDicomObject> {
    let values: Vec<u16> = (0..(SIZE.0 * SIZE.1) as u16).map(|at| at % 8 * 100 + at / 8 * 7 + seed).collect();
    DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into()))
}

/// An axial slice `z` millimetres up, whose name tells nothing of its place.
pub fn slice(z: f64) -> InMemDicomObject {
    let instance = format!("2.25.{}", (z * 1000.0) as i64 + 1_000_000);
    let mut object = InMemDicomObject::new_empty();
    for (tag, vr, value) in [
        (tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, instance.as_str()),
        (tags::SERIES_INSTANCE_UID, VR::UI, "2.25.77"),
        (tags::IMAGE_TYPE, VR::CS, r"ORIGINAL\PRIMARY\M\ND"),
        (tags::MODALITY, VR::CS, "MR"),
        (tags::PATIENT_NAME, VR::PN, "Secret^Name"),
        (tags::PATIENT_ID, VR::LO, "Secret77"),
        (tags::SERIES_NUMBER, VR::IS, "5"),
        (tags::SERIES_DESCRIPTION, VR::LO, "Secret scan"),
        (tags::SLICE_THICKNESS, VR::DS, "4"),
        (tags::ECHO_TIME, VR::DS, "90"),
        // Both are wrong, and play no part.
        (tags::SPACING_BETWEEN_SLICES, VR::DS, "2"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::IMAGE_POSITION_PATIENT, VR::DS, &format!(r"-10\20\{z}")),
        (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, r"1\0\0\0\1\0"),
        (tags::PIXEL_SPACING, VR::DS, r"0.75\0.5"),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
    ] {
        object.put(text(tag, vr, value));
    }
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::COLUMNS, SIZE.0 as u16),
        (tags::ROWS, SIZE.1 as u16),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        object.put(short(tag, value));
    }
    object.put(pixels(z.abs() as u16));
    object
}

/// Writes `object` to `path`, uncompressed.
pub fn write(object: InMemDicomObject, path: &Path) {
    write_as(object, uids::EXPLICIT_VR_LITTLE_ENDIAN, path);
}

/// Writes `object` to `path` in a transfer syntax.
pub fn write_as(object: InMemDicomObject, syntax: &str, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let meta = FileMetaTableBuilder::new().transfer_syntax(syntax);
    object.with_meta(meta).unwrap().write_to_file(path).unwrap();
}
