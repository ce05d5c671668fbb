//! One frame of an Enhanced MR image as a classic MR image: its functional groups become attributes of the image.

use dicom_core::header::Header;
use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::decimal::decimal;
use super::derived::{strings, text};

/// Attributes that hold for all frames together, or place a frame among them.
const OF_ALL_FRAMES: [Tag; 17] = [
    tags::NUMBER_OF_FRAMES,
    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::DIMENSION_ORGANIZATION_SEQUENCE,
    tags::DIMENSION_ORGANIZATION_TYPE,
    tags::DIMENSION_INDEX_SEQUENCE,
    tags::DIMENSION_INDEX_VALUES,
    tags::STACK_ID,
    tags::IN_STACK_POSITION_NUMBER,
    tags::TEMPORAL_POSITION_INDEX,
    tags::FRAME_ACQUISITION_NUMBER,
    tags::FRAME_ACQUISITION_DATE_TIME,
    tags::FRAME_TYPE,
    tags::CONCATENATION_UID,
    tags::IN_CONCATENATION_NUMBER,
    tags::IN_CONCATENATION_TOTAL_NUMBER,
    tags::CONCATENATION_FRAME_OFFSET_NUMBER,
];

/// Functional groups that are attributes of images as they are.
const WHOLE: [Tag; 3] = [
    tags::REFERENCED_IMAGE_SEQUENCE,
    tags::DERIVATION_IMAGE_SEQUENCE,
    tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE,
];

/// Whether `object` is an Enhanced MR image.
pub fn is_enhanced(object: &InMemDicomObject) -> bool {
    object.get(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).is_some()
        || object.get(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).is_some()
}

/// Frame number `frame`, from 0, of the Enhanced MR image `object` as a classic one, without pixels.
pub fn classic(object: &InMemDicomObject, frame: usize) -> InMemDicomObject {
    let own = object.iter().filter(|element| !OF_ALL_FRAMES.contains(&element.tag()));
    let mut image = InMemDicomObject::from_element_iter(own.cloned());
    for (groups, index) in
        [(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0), (tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame)]
    {
        let items = object.get(groups).and_then(DataElement::items);
        for group in items.and_then(|items| items.get(index)).into_iter().flatten() {
            match group.items() {
                // Private ones may repeat attributes with other meanings.
                Some([item, ..]) if !WHOLE.contains(&group.tag()) && group.tag().group() % 2 == 0 => {
                    item.iter().for_each(|element| drop(image.put(element.clone())));
                }
                _ => drop(image.put(group.clone())),
            }
        }
    }
    translate(&mut image);
    image.retain(|element| !OF_ALL_FRAMES.contains(&element.tag()));
    image.put(DataElement::new(tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE));
    image
}

/// Adds what classic images call by other names, where it is missing.
fn translate(image: &mut InMemDicomObject) {
    let number =
        |tag: Tag| image.get(tag).and_then(|element| element.to_float64().ok()).filter(|n| n.is_finite());
    let word = |tag: Tag| text(image, tag).trim().to_owned();
    let is = |tag: Tag, wanted: &str| word(tag) == wanted;
    // Present and neither NONE nor NO.
    let has = |tag: Tag| !["", "NONE", "NO"].contains(&word(tag).as_str());
    let mut found: Vec<(Tag, VR, Vec<String>)> = Vec::new();
    for (old, new, vr) in [
        (tags::EFFECTIVE_ECHO_TIME, tags::ECHO_TIME, VR::DS),
        (tags::INVERSION_TIMES, tags::INVERSION_TIME, VR::DS),
        (tags::TRANSMITTER_FREQUENCY, tags::IMAGING_FREQUENCY, VR::DS),
        (tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME, tags::TRIGGER_TIME, VR::DS),
        (tags::FRAME_ACQUISITION_NUMBER, tags::ACQUISITION_NUMBER, VR::IS),
        (tags::TEMPORAL_POSITION_INDEX, tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS),
        (tags::MR_ACQUISITION_PHASE_ENCODING_STEPS_IN_PLANE, tags::NUMBER_OF_PHASE_ENCODING_STEPS, VR::IS),
    ] {
        found.extend(number(old).map(|number| (new, vr, vec![decimal(number)])));
    }
    for (old, new, vr) in [
        (tags::RESONANT_NUCLEUS, tags::IMAGED_NUCLEUS, VR::SH),
        (tags::PULSE_SEQUENCE_NAME, tags::SEQUENCE_NAME, VR::SH),
    ] {
        found.push((new, vr, vec![word(old)]));
    }
    let time = Some(word(tags::FRAME_ACQUISITION_DATE_TIME)).filter(|time| !time.is_empty());
    let time = time.unwrap_or_else(|| word(tags::ACQUISITION_DATE_TIME));
    if let Some((date, time)) = time.split_at_checked(8) {
        // Without the offset from UTC.
        let time = time.split(['+', '-']).next().unwrap_or_default();
        found.push((tags::ACQUISITION_DATE, VR::DA, vec![date.into()]));
        found.push((tags::ACQUISITION_TIME, VR::TM, vec![time.into()]));
    }
    let along_columns = is(tags::IN_PLANE_PHASE_ENCODING_DIRECTION, "COLUMN");
    let steps = |tag: Tag| number(tag).map(decimal);
    if let (Some(frequency), Some(phase)) = (
        steps(tags::MR_ACQUISITION_FREQUENCY_ENCODING_STEPS),
        steps(tags::MR_ACQUISITION_PHASE_ENCODING_STEPS_IN_PLANE),
    ) {
        let zero = || "0".to_owned();
        let matrix = if along_columns {
            [frequency, zero(), zero(), phase]
        } else {
            [zero(), frequency, phase, zero()]
        };
        found.push((tags::ACQUISITION_MATRIX, VR::US, matrix.into()));
    }
    // Defined terms of PS3.3, C.8.3.1, and the ones of C.8.13 that they come from.
    let terms = |known: &[(bool, &str)], otherwise: &str| {
        let terms: Vec<_> = known.iter().filter(|(is, _)| *is).map(|(_, term)| (*term).to_owned()).collect();
        if terms.is_empty() { vec![otherwise.to_owned()] } else { terms }
    };
    let echo = word(tags::ECHO_PULSE_SEQUENCE);
    let sequence = [
        (["SPIN", "BOTH"].contains(&echo.as_str()), "SE"),
        (has(tags::INVERSION_RECOVERY), "IR"),
        (["GRADIENT", "BOTH"].contains(&echo.as_str()), "GR"),
        (has(tags::ECHO_PLANAR_PULSE_SEQUENCE), "EP"),
    ];
    let variant = [
        (has(tags::SEGMENTED_K_SPACE_TRAVERSAL) && !is(tags::SEGMENTED_K_SPACE_TRAVERSAL, "SINGLE"), "SK"),
        (has(tags::MAGNETIZATION_TRANSFER), "MTC"),
        (has(tags::STEADY_STATE_PULSE_SEQUENCE), "SS"),
        (has(tags::SPOILING), "SP"),
        (has(tags::OVERSAMPLING_PHASE), "OSP"),
    ];
    let partial = |direction: &str| {
        has(tags::PARTIAL_FOURIER) && word(tags::PARTIAL_FOURIER_DIRECTION).starts_with(direction)
    };
    let options = [
        (has(tags::FLOW_COMPENSATION), "FC"),
        (partial("FREQUENCY"), "PFF"),
        (partial("PHASE"), "PFP"),
        (has(tags::SPATIAL_PRESATURATION), "SP"),
        (is(tags::SPECTRALLY_SELECTED_SUPPRESSION, "FAT"), "FS"),
    ];
    found.push((tags::SCANNING_SEQUENCE, VR::CS, terms(&sequence, "RM")));
    found.push((tags::SEQUENCE_VARIANT, VR::CS, terms(&variant, "NONE")));
    found.push((tags::SCAN_OPTIONS, VR::CS, terms(&options, "")));
    let gradient = image.get(tags::DIFFUSION_GRADIENT_DIRECTION_SEQUENCE).and_then(DataElement::items);
    let gradient =
        gradient.and_then(<[_]>::first).and_then(|item| item.get(tags::DIFFUSION_GRADIENT_ORIENTATION));
    let gradient = gradient.cloned();
    let kind = strings(image, tags::FRAME_TYPE);
    for (tag, vr, values) in found {
        if image.get(tag).is_some() {
            continue;
        }
        let numbers: Option<Vec<u16>> = values.iter().map(|value| value.parse().ok()).collect();
        image.put(match (vr, numbers) {
            (VR::US, Some(numbers)) => DataElement::new(tag, vr, PrimitiveValue::U16(numbers.into())),
            _ => DataElement::new(tag, vr, PrimitiveValue::Strs(values.into())),
        });
    }
    if along_columns {
        image.put(DataElement::new(tags::IN_PLANE_PHASE_ENCODING_DIRECTION, VR::CS, "COL"));
    }
    if !kind.is_empty() {
        image.put(DataElement::new(tags::IMAGE_TYPE, VR::CS, PrimitiveValue::Strs(kind.into())));
    }
    gradient.into_iter().for_each(|gradient| drop(image.put(gradient)));
}
