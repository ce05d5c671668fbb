//! The frames of one file, and what has to be known of each to sort it.

use dicom_core::dictionary::UidDictionary;
use dicom_dictionary_std::{StandardSopClassDictionary, tags, uids};
use dicom_encoding::TransferSyntaxIndex;
use dicom_object::DefaultDicomObject;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::attributes::Attributes;
use super::component::Component;
use super::content::BIG_ENDIAN;
use super::series::Sample;

/// Farthest that a position may be from the origin, in millimetres.
const FARTHEST: f64 = 1e6;

/// Most frames of one file.
const MAX_FRAMES: i64 = 1 << 20;

/// The transfer syntaxes that are read.
const READ: &[&str] = &[
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    BIG_ENDIAN,
    uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    uids::RLE_LOSSLESS,
    uids::JPEG_LOSSLESS,
    uids::JPEG_LOSSLESS_SV1,
    uids::JPEG2000_LOSSLESS,
    uids::JPEG2000,
    #[cfg(feature = "jpegls")]
    uids::JPEGLS_LOSSLESS,
    #[cfg(feature = "jpegls")]
    uids::JPEGLS_NEAR_LOSSLESS,
];

/// The compressions among them, as people write them.
const COMPRESSIONS: &str = if cfg!(feature = "jpegls") {
    "deflate, RLE, lossless JPEG, JPEG 2000 or JPEG-LS"
} else {
    "deflate, RLE, lossless JPEG or JPEG 2000"
};

/// What all frames of a series share, beside their orientation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// SeriesInstanceUID.
    pub uid: String,
    /// SeriesNumber.
    pub number: Option<i64>,
    /// Magnitudes, phases and so on.
    pub component: Component,
    /// Echo time in microseconds, or the echo's number where that is not stated.
    pub echo: Option<i64>,
    /// Columns and rows.
    pub size: (usize, usize),
    /// How pixels are stored.
    pub sample: Sample,
}

/// What tells frames at one place apart, in order of precedence: they are of different times.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// TemporalPositionIdentifier or TemporalPositionIndex.
    pub position: Option<i64>,
    /// AcquisitionNumber.
    pub acquisition: Option<i64>,
    /// TriggerTime in microseconds.
    pub trigger: Option<i64>,
    /// Date and time of acquisition.
    pub acquired: Option<String>,
    /// Diffusion b-value in thousandths.
    pub b_value: Option<i64>,
    /// InstanceNumber.
    pub instance: Option<i64>,
    /// Date and time of the content, which images get in the order in which they are finished.
    pub content: Option<String>,
}

/// Where a frame lies (LPS, millimetres).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// The centre of its first pixel.
    pub position: [f64; 3],
    /// Directions along a row and down a column, of length 1.
    pub directions: [[f64; 3]; 2],
    /// Distances of pixels along a row and down a column.
    pub spacing: [f64; 2],
}

/// A frame.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which of the files.
    pub file: usize,
    /// Number within it, from 0.
    pub number: usize,
    /// SOPInstanceUID.
    pub instance: String,
    /// What it shares with others.
    pub key: Key,
    /// Where it lies, or why that is not known.
    pub plane: Result<Plane, String>,
    /// When it was taken.
    pub time: Time,
    /// RescaleSlope and RescaleIntercept.
    pub scaling: (f64, f64),
    /// SliceThickness in millimetres.
    pub thickness: Option<f64>,
    /// SpacingBetweenSlices, for a single slice whose thickness is not stated.
    pub between: Option<f64>,
    /// What the header of the result tells.
    pub details: Details,
}

/// What does not tell series apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Numbers of frequency and phase encoding steps.
    pub encoded: Option<[usize; 2]>,
    /// Whether phase is encoded along a row.
    pub phase_along_row: Option<bool>,
    /// RepetitionTime in milliseconds.
    pub repetition: Option<f64>,
    /// Modality, where it is none of MR's.
    pub foreign: Option<String>,
    /// Whether pixels were compressed with loss.
    pub lossy: bool,
    /// Whether pixels were made of others (ImageType).
    pub derived: bool,
}

/// What a file is.
pub enum Contents {
    /// Frames of an image.
    Frames(Vec<Found>),
    /// An image that cannot be read or should not be, and why.
    Refused(Key, String),
    /// Something that is no image, by its name.
    Other(String),
}

/// The frames of file number `file`, whose header is `object`.
pub fn contents(file: usize, object: &DefaultDicomObject) -> Contents {
    let all = Attributes::new(object, 0);
    let class =
        all.text(tags::SOP_CLASS_UID).unwrap_or_else(|| object.meta().media_storage_sop_class_uid().into());
    let side = |tag| all.int(tag).and_then(|side| usize::try_from(side).ok()).unwrap_or(0);
    let size = (side(tags::COLUMNS), side(tags::ROWS));
    let bits = |tag| all.int(tag).and_then(|bits| u16::try_from(bits).ok()).unwrap_or(0);
    let sample = Sample {
        allocated: bits(tags::BITS_ALLOCATED),
        stored: bits(tags::BITS_STORED),
        signed: all.int(tags::PIXEL_REPRESENTATION) == Some(1),
    };
    let key = Key {
        uid: all.text(tags::SERIES_INSTANCE_UID).unwrap_or_default(),
        number: all.int(tags::SERIES_NUMBER),
        component: Component::of(&all),
        echo: None,
        size,
        sample,
    };
    if size.0 == 0 || size.1 == 0 {
        let name =
            StandardSopClassDictionary.by_uid(&class).map(|entry| entry.name.trim_end_matches(" Storage"));
        return match name {
            Some(name) if !name.ends_with("Image") => Contents::Other(name.into()),
            None if !class.is_empty() => Contents::Other("an object of a private kind".into()),
            // Of an image that was cut off, as much as there is can be read.
            _ => Contents::Refused(
                key,
                "Rows and Columns are missing: the file is truncated, or no image".into(),
            ),
        };
    }
    if let Some(why) = refusal(object, &all, &class, sample) {
        return Contents::Refused(key, why);
    }
    let count = all.int(tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if !(1..=MAX_FRAMES).contains(&count) {
        let why = format!("NumberOfFrames is {count}: expected 1 to {MAX_FRAMES}");
        return Contents::Refused(key, why);
    }
    let frames = object.get(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).and_then(|groups| groups.items());
    if count > 1 && frames.map_or(0, <[_]>::len) < count as usize {
        let why = format!(
            "NumberOfFrames is {count}, but PerFrameFunctionalGroupsSequence is missing or shorter: expected where each \
             frame lies"
        );
        return Contents::Refused(key, why);
    }
    let lossy = [uids::JPEG2000, uids::JPEGLS_NEAR_LOSSLESS].contains(&object.meta().transfer_syntax())
        || all.text(tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01");
    let frames =
        (0..count as usize).map(|number| frame(file, number, lossy, &key, &Attributes::new(object, number)));
    Contents::Frames(frames.collect())
}

/// Why an image cannot be read.
fn refusal(object: &DefaultDicomObject, all: &Attributes<'_>, class: &str, sample: Sample) -> Option<String> {
    if class == uids::SEGMENTATION_STORAGE {
        return Some("is a segmentation, and values between its labels mean nothing: expected images".into());
    }
    if all.texts(tags::IMAGE_TYPE).iter().any(|word| word == "MOSAIC") {
        let advice = "expected one slice in each frame; dcm2niix makes NIfTI of it, which can be enlarged";
        return Some(format!("is a Siemens mosaic, which holds all slices in one image: {advice}"));
    }
    let syntax = object.meta().transfer_syntax();
    if !READ.contains(&syntax) {
        let name = TransferSyntaxRegistry.get(syntax).map_or(syntax, |known| known.name());
        return Some(format!("is compressed as {name}: expected no compression, {COMPRESSIONS}"));
    }
    let colour = all.text(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_else(|| "not stated".into());
    if !colour.starts_with("MONOCHROME")
        || all.int(tags::SAMPLES_PER_PIXEL).is_some_and(|samples| samples != 1)
    {
        return Some(format!("PhotometricInterpretation is {colour}: expected MONOCHROME1 or MONOCHROME2"));
    }
    let Sample { allocated, stored, .. } = sample;
    if allocated != 8 && allocated != 16 {
        return Some(format!("BitsAllocated is {allocated}: expected 8 or 16"));
    }
    if !(1..=allocated).contains(&stored) {
        return Some(format!("BitsStored is {stored}: expected 1 to {allocated}"));
    }
    let high = all.int(tags::HIGH_BIT).unwrap_or(i64::from(stored) - 1);
    let expected = i64::from(stored) - 1;
    (high != expected).then(|| format!("HighBit is {high}: expected {expected}, as BitsStored is {stored}"))
}

fn frame(file: usize, number: usize, lossy: bool, key: &Key, own: &Attributes<'_>) -> Found {
    let thousandths = |tag| own.real(tag).map(|value| (value * 1000.0).round() as i64);
    let echo = thousandths(tags::ECHO_TIME)
        .or_else(|| thousandths(tags::EFFECTIVE_ECHO_TIME))
        .or_else(|| own.int(tags::ECHO_NUMBERS));
    // With the date, as night falls between two times.
    let moment = |whole, date, time| {
        own.text(whole).or_else(|| Some(own.text(date).unwrap_or_default() + &own.text(time)?))
    };
    let time = Time {
        position: own
            .int(tags::TEMPORAL_POSITION_INDEX)
            .or_else(|| own.int(tags::TEMPORAL_POSITION_IDENTIFIER)),
        acquisition: own.int(tags::FRAME_ACQUISITION_NUMBER).or_else(|| own.int(tags::ACQUISITION_NUMBER)),
        b_value: thousandths(tags::DIFFUSION_B_VALUE),
        trigger: thousandths(tags::TRIGGER_TIME),
        acquired: own
            .text(tags::FRAME_ACQUISITION_DATE_TIME)
            .or_else(|| moment(tags::ACQUISITION_DATE_TIME, tags::ACQUISITION_DATE, tags::ACQUISITION_TIME)),
        content: moment(tags::FRAME_REFERENCE_DATE_TIME, tags::CONTENT_DATE, tags::CONTENT_TIME),
        instance: own.int(tags::INSTANCE_NUMBER),
    };
    let slope = own.real(tags::RESCALE_SLOPE).filter(|slope| *slope != 0.0).unwrap_or(1.0);
    let positive = |tag| own.real(tag).filter(|length| *length > 0.0);
    Found {
        file,
        number,
        instance: own.text(tags::SOP_INSTANCE_UID).unwrap_or_default(),
        key: Key { component: Component::of(own), echo, ..key.clone() },
        plane: plane(own),
        time,
        scaling: (slope, own.real(tags::RESCALE_INTERCEPT).unwrap_or(0.0)),
        thickness: positive(tags::SLICE_THICKNESS),
        between: positive(tags::SPACING_BETWEEN_SLICES),
        details: Details {
            encoded: encoded(own),
            phase_along_row: own
                .text(tags::IN_PLANE_PHASE_ENCODING_DIRECTION)
                .and_then(|direction| {
                    [("ROW", true), ("COL", false), ("COLUMN", false)]
                        .into_iter()
                        .find(|(name, _)| *name == direction)
                })
                .map(|(_, along_row)| along_row),
            repetition: positive(tags::REPETITION_TIME),
            foreign: own.text(tags::MODALITY).filter(|modality| modality != "MR"),
            derived: own.texts(tags::IMAGE_TYPE).first().is_some_and(|word| word == "DERIVED"),
            lossy,
        },
    }
}

/// Where a frame lies, or what is missing.
fn plane(own: &Attributes<'_>) -> Result<Plane, String> {
    let missing = |name: &str, what: &str| format!("{name} is missing or invalid: expected {what}");
    let position = own
        .reals(tags::IMAGE_POSITION_PATIENT)
        .filter(|position: &[f64; 3]| position.iter().all(|part| part.abs() < FARTHEST))
        .ok_or_else(|| missing("ImagePositionPatient", "where each slice lies"))?;
    let directions = own
        .reals::<6>(tags::IMAGE_ORIENTATION_PATIENT)
        .and_then(directions)
        .ok_or_else(|| missing("ImageOrientationPatient", "two directions at right angles"))?;
    let [down, along] = own
        .reals(tags::PIXEL_SPACING)
        .filter(|spacing| spacing.iter().all(|side| *side > 0.0))
        .ok_or_else(|| missing("PixelSpacing", "two distances of pixels"))?;
    Ok(Plane { position, directions, spacing: [along, down] })
}

/// Two directions of length 1, if they are at right angles.
fn directions([a, b, c, d, e, f]: [f64; 6]) -> Option<[[f64; 3]; 2]> {
    let (along, down) = ([a, b, c], [d, e, f]);
    let unit = |v: [f64; 3]| {
        let length = v.iter().map(|part| part * part).sum::<f64>().sqrt();
        (0.9..1.1).contains(&length).then(|| v.map(|part| part / length))
    };
    let (along, down) = (unit(along)?, unit(down)?);
    let cosine: f64 = along.iter().zip(down).map(|(a, b)| a * b).sum();
    (cosine.abs() < 0.01).then_some([along, down])
}

/// The numbers of frequency and phase encoding steps.
fn encoded(own: &Attributes<'_>) -> Option<[usize; 2]> {
    let count = |number: f64| (number >= 1.0).then_some(number as usize);
    if let Some([a, b, c, d]) = own.reals(tags::ACQUISITION_MATRIX) {
        return Some([count(a.max(b))?, count(c.max(d))?]);
    }
    Some([
        count(own.real(tags::MR_ACQUISITION_FREQUENCY_ENCODING_STEPS)?)?,
        count(own.real(tags::MR_ACQUISITION_PHASE_ENCODING_STEPS_IN_PLANE)?)?,
    ])
}
