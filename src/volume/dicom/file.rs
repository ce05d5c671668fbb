//! Reading DICOM files, with or without their pixels.

use std::io::{self, Cursor, Read};

use dicom_dictionary_std::tags;
use dicom_object::file::ReadPreamble;
use dicom_object::{DefaultDicomObject, FileMetaTableBuilder, OpenFileOptions};

use super::content::{self, Start, TOLD_BY};
use super::lengths;
use super::place::Place;
use crate::error::{Error, ErrorKind, Result};

/// Why a file cannot be read.
enum Failure {
    Io(io::Error),
    /// It is damaged. What the library says may quote the file, which may name the patient.
    Damaged,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // As of deflated data that are damaged or cut.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Damaged
            }
            _ => Self::Io(error),
        }
    }
}

/// The data set of a file up to its pixels.
///
/// # Errors
/// `Input` where it cannot be read or is damaged.
pub fn read_header(place: &Place) -> Result<DefaultDicomObject> {
    read(place, false)
}

/// The data set of a file with its pixels, but without what follows them.
///
/// # Errors
/// `Input` where it cannot be read or is damaged.
pub fn read_pixels(place: &Place) -> Result<DefaultDicomObject> {
    read(place, true)
}

fn read(place: &Place, pixels: bool) -> Result<DefaultDicomObject> {
    let options = OpenFileOptions::new().read_preamble(ReadPreamble::Never);
    let options =
        if pixels { options.read_to(tags::PIXEL_DATA) } else { options.read_until(tags::FLOAT_PIXEL_DATA) };
    let object = || {
        let are_plausible =
            |file: &mut dyn Read| lengths::are_plausible(&mut whole(file)?, pixels).map_err(Failure::from);
        if !place.read(are_plausible)? {
            return Err(Failure::Damaged);
        }
        place.read(|file| options.from_reader(whole(file)?).map_err(|_| Failure::Damaged))
    };
    object().map_err(|failure| match failure {
        Failure::Io(error) => Error::with_source(ErrorKind::Input, format!("cannot read {place}"), error),
        Failure::Damaged => Error::new(
            ErrorKind::Input,
            format!("{place} is truncated or damaged: expected a whole DICOM file"),
        ),
    })
}

/// A file from its magic number on, with what is missing of its beginning.
fn whole(file: &mut dyn Read) -> Result<impl Read, Failure> {
    let mut begin = Vec::with_capacity(TOLD_BY);
    file.take(TOLD_BY as u64).read_to_end(&mut begin)?;
    let (skipped, before) = match content::start(&begin).ok_or(Failure::Damaged)? {
        Start::Preamble => (128, Vec::new()),
        Start::Magic => (0, Vec::new()),
        Start::Meta => (0, b"DICM".to_vec()),
        Start::Bare(syntax) => (0, meta(syntax)?),
    };
    begin.drain(..skipped);
    Ok(Cursor::new(before).chain(Cursor::new(begin)).chain(file))
}

/// A file meta group that names only the transfer syntax.
fn meta(syntax: &str) -> Result<Vec<u8>, Failure> {
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(syntax)
        .media_storage_sop_class_uid("")
        .media_storage_sop_instance_uid("")
        .build()
        .map_err(|_| Failure::Damaged)?;
    let mut bytes = b"DICM".to_vec();
    meta.write(&mut bytes).map_err(|_| Failure::Damaged)?;
    Ok(bytes)
}
