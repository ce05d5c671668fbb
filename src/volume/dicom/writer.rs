//! A derived series, written slice by slice: one classic image each.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::mem;
use std::path::Path;
use std::rc::Rc;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::classic::{classic, is_enhanced};
use super::derived::{Derivation, DerivedSlice, Reference, text};
use super::dropped::{Dropped, kept, told};
use super::file::read_header;
use super::grid::dot;
use super::series::{Frame, Series};
use super::uid::uid;
use crate::error::{Error, ErrorKind, Result};
use crate::volume::nifti::{Datatype, Order};

/// ImplementationClassUID of files that are written here.
const IMPLEMENTATION: &str = "2.25.59264103618682052639511270949061680138";

/// Bytes from the start of a file that is written here, in which its file meta group lies.
const META: u64 = 4096;

/// ImplementationVersionName (SH, 16 characters).
const VERSION: &str = concat!("PARTDIFF_", env!("CARGO_PKG_VERSION"));

/// Files are called by their InstanceNumber, of at least so many digits.
const DIGITS: usize = 4;

/// Their extension.
pub const EXTENSION: &str = "dcm";

/// What is made of a series, and how that is told.
#[derive(Clone, Debug)]
pub struct Making {
    /// Sides of the result along columns, rows and slices.
    pub sides: [usize; 3],
    /// Type of the voxels that are handed over.
    pub datatype: Datatype,
    /// Their byte order.
    pub order: Order,
    /// Slope and intercept that give them their meaning.
    pub scaling: (f64, f64),
    /// How many times as fine the result is, as people write it.
    pub factor: String,
    /// How it is made, in a sentence.
    pub description: String,
    /// All that decides about the pixels beside the source.
    pub settings: String,
    /// The record of making as JSON, if it is wanted.
    pub record: Option<String>,
}

/// Writes the slices of a derived series into a folder.
pub struct Writer<'a> {
    series: &'a Series,
    making: Making,
    derivation: Derivation,
    /// SOPClassUID and SOPInstanceUID of each file.
    sources: Vec<(String, String)>,
    folder: &'a Path,
    cannot_write: &'a str,
    /// Voxels of a slice that is not whole yet.
    pending: Vec<u8>,
    /// Slices that were written.
    done: usize,
    /// The attributes of the file that was used last.
    header: Option<(usize, Rc<InMemDicomObject>)>,
    dropped: BTreeSet<Dropped>,
}

impl<'a> Writer<'a> {
    /// For the result of `making`, in the empty `folder`; reads the headers of all files.
    ///
    /// # Errors
    /// `Input` where a file cannot be read or has no UID; `Limit` where a side is too long for DICOM.
    pub fn new(series: &'a Series, making: Making, folder: &'a Path, cannot_write: &'a str) -> Result<Self> {
        let size = size(making.sides)?;
        let mut sources = Vec::with_capacity(series.files.len());
        for place in &series.files {
            let header = read_header(place)?;
            let of = |tag| text(&header, tag).trim_end_matches(['\0', ' ']).to_owned();
            let (class, instance) = (of(tags::SOP_CLASS_UID), of(tags::SOP_INSTANCE_UID));
            if class.is_empty() || instance.is_empty() {
                let what = if class.is_empty() { "SOPClassUID" } else { "SOPInstanceUID" };
                let message = format!("{place} has no {what}: expected one, which the result refers to");
                return Err(Error::new(ErrorKind::Input, message));
            }
            sources.push((class, instance));
        }
        let grid = &series.grid;
        let [columns, rows, slices] = making.sides;
        let sides = format!("{columns} {rows} {slices}");
        let parts = sources.iter().map(|(_, instance)| instance.as_str());
        let finer = slices as f64 / grid.slices as f64;
        let normal = grid.normal();
        let distance = dot(grid.step, normal) / finer;
        let derivation = Derivation {
            series: uid(parts.chain([making.settings.as_str(), &sides])),
            title: format!("PartDiff x{}, not for diagnosis", making.factor),
            description: making.description.clone(),
            record: making.record.clone(),
            size,
            spacing: [
                grid.spacing[1] * grid.rows as f64 / rows as f64,
                grid.spacing[0] * grid.columns as f64 / columns as f64,
            ],
            // Slices that are made between others are as thick as they are apart.
            thickness: (slices != grid.slices)
                .then(|| grid.thickness.map_or(distance, |thickness| thickness.min(distance))),
            distance: (slices > 1).then_some(distance),
        };
        Ok(Self {
            series,
            making,
            derivation,
            sources,
            folder,
            cannot_write,
            pending: Vec::new(),
            done: 0,
            header: None,
            dropped: BTreeSet::new(),
        })
    }

    /// Takes the next voxels, in the order of NIfTI with rows from the bottom, and writes the slices that are whole.
    ///
    /// # Errors
    /// `Output` where a file cannot be written, `Input` where the attributes of a source cannot be read.
    pub fn push(&mut self, mut voxels: &[u8]) -> Result<()> {
        let [columns, rows, _] = self.making.sides;
        let length = columns * rows * self.making.datatype.bytes();
        while !voxels.is_empty() {
            let (now, later) = voxels.split_at(voxels.len().min(length - self.pending.len()));
            voxels = later;
            self.pending.extend_from_slice(now);
            if self.pending.len() == length {
                let voxels = mem::take(&mut self.pending);
                self.write(&voxels)?;
                self.pending = voxels;
                self.pending.clear();
            }
        }
        Ok(())
    }

    /// Ends the series. Returns what is to be said of attributes that were not kept.
    ///
    /// # Errors
    /// `Output` where slices are missing.
    pub fn finish(self) -> Result<Option<String>> {
        let expected = self.making.sides[2] * self.series.grid.times;
        if self.done != expected || !self.pending.is_empty() {
            let message = format!("internal error (please report): {} of {expected} slices", self.done);
            return Err(Error::new(ErrorKind::Output, message));
        }
        Ok(told(&self.dropped))
    }

    /// Writes the next slice.
    fn write(&mut self, voxels: &[u8]) -> Result<()> {
        let series = self.series;
        let (slices, new_slices) = (series.grid.slices, self.making.sides[2]);
        let (time, index) = (self.done / new_slices, self.done % new_slices);
        // Where it lies among the slices of the source.
        let at = (index as f64 + 0.5) * slices as f64 / new_slices as f64 - 0.5;
        let at = at.clamp(0.0, slices as f64 - 1.0);
        let frames = &series.frames[time * slices..][..slices];
        let nearest = &frames[at.round() as usize];
        let header = self.header(nearest.file)?;
        let mut object = if is_enhanced(&header) {
            kept(&classic(&header, nearest.number), &mut self.dropped)
        } else {
            kept(&header, &mut self.dropped)
        };
        let (pixels, range) = self.pixels(voxels, nearest.scaling, &object);
        let number = self.done + 1;
        let position = self.position(index, time);
        let mut sources: Vec<_> = [at.floor(), at.ceil()].map(|at| &frames[at as usize]).to_vec();
        sources.dedup();
        let reference = |frame: &&Frame| Reference {
            class: &self.sources[frame.file].0,
            instance: &self.sources[frame.file].1,
            frame: is_enhanced(&header).then_some(frame.number + 1),
        };
        let slice = DerivedSlice {
            instance: uid([self.derivation.series.as_str(), &number.to_string()]),
            number,
            position,
            location: dot(position, series.grid.normal()),
            range,
            signed: series.sample.signed,
            sources: sources.iter().map(reference).collect(),
        };
        self.derivation.apply(&mut object, &slice);
        // Explicit VR Little Endian has words for more than 8 bits.
        let vr = if series.sample.allocated > 8 { VR::OW } else { VR::OB };
        object.put(DataElement::new(tags::PIXEL_DATA, vr, PrimitiveValue::U8(pixels.into())));
        let bytes = self.encoded(object)?;
        let digits = (new_slices * series.grid.times).to_string().len().max(DIGITS);
        let path = self.folder.join(format!("{number:0digits$}.{EXTENSION}"));
        let written = File::create_new(path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(|error| Error::with_source(ErrorKind::Output, self.cannot_write, error))?;
        self.done = number;
        Ok(())
    }

    /// The attributes of a file.
    fn header(&mut self, file: usize) -> Result<Rc<InMemDicomObject>> {
        if let Some((_, header)) = self.header.as_ref().filter(|(last, _)| *last == file) {
            return Ok(Rc::clone(header));
        }
        let header = Rc::new(read_header(&self.series.files[file])?.into_inner());
        self.header = Some((file, Rc::clone(&header)));
        Ok(header)
    }

    /// Stored pixels with the rows from the top, and the smallest and largest of them.
    fn pixels(
        &self,
        voxels: &[u8],
        (slope, intercept): (f64, f64),
        object: &InMemDicomObject,
    ) -> (Vec<u8>, (i64, i64)) {
        let (sample, making) = (self.series.sample, &self.making);
        let int = |tag| object.get(tag).and_then(|element| element.to_int::<i64>().ok());
        let high = int(tags::HIGH_BIT).and_then(|high| u16::try_from(high).ok());
        let high = high
            .filter(|high| (sample.stored - 1..sample.allocated).contains(high))
            .unwrap_or(sample.stored - 1);
        let padding = int(tags::PIXEL_PADDING_VALUE).unwrap_or(0);
        let same = making.scaling == (slope, intercept);
        let row = making.sides[0] * making.datatype.bytes();
        let mut pixels = Vec::with_capacity(voxels.len());
        let mut range = (i64::MAX, i64::MIN);
        for row in voxels.chunks_exact(row).rev() {
            making.datatype.decode(making.order, row, |value| {
                let (scale, zero) = making.scaling;
                let value = if same { value } else { (value * scale + zero - intercept) / slope };
                let value = sample.nearest(if value.is_nan() { padding as f64 } else { value });
                range = (range.0.min(value), range.1.max(value));
                sample.push(value, high, &mut pixels);
            });
        }
        // Values have an even length.
        pixels.resize(pixels.len().next_multiple_of(2), 0);
        (pixels, range)
    }

    /// The centre of the first pixel of slice `index` at `time`: outer faces stay where they are.
    fn position(&self, index: usize, time: usize) -> [f64; 3] {
        let (grid, [columns, rows, slices]) = (&self.series.grid, self.making.sides);
        let first = |old: usize, new: usize| 0.5 * old as f64 / new as f64 - 0.5;
        let (x, y) =
            (first(grid.columns, columns) * grid.spacing[0], first(grid.rows, rows) * grid.spacing[1]);
        let at = (index as f64 + 0.5) * grid.slices as f64 / slices as f64 - 0.5;
        std::array::from_fn(|axis| {
            let origin = if slices == grid.slices {
                // Its own, which may be a little off the even grid.
                self.series.frames[time * slices + index].position[axis]
            } else {
                grid.origin[axis] + at * grid.step[axis]
            };
            origin + x * grid.along_row[axis] + y * grid.along_column[axis]
        })
    }

    /// A whole file.
    fn encoded(&self, object: InMemDicomObject) -> Result<Vec<u8>> {
        let fail = || {
            // What the library says may quote the file, which may name the patient.
            let message = format!("{}: its texts do not suit its SpecificCharacterSet", self.cannot_write);
            Error::new(ErrorKind::Output, message)
        };
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .implementation_class_uid(IMPLEMENTATION)
            .implementation_version_name(VERSION);
        let mut bytes = Vec::new();
        object.with_meta(meta).map_err(|_| fail())?.write_all(&mut bytes).map_err(|_| fail())?;
        Ok(bytes)
    }
}

/// Rows and columns.
///
/// # Errors
/// `Limit` where one is too long for DICOM.
pub fn size([columns, rows, _]: [usize; 3]) -> Result<[u16; 2]> {
    match (u16::try_from(rows), u16::try_from(columns)) {
        (Ok(rows), Ok(columns)) => Ok([rows, columns]),
        _ => {
            let message = format!(
                "the result has {columns} columns and {rows} rows: expected at most {} of each, as DICOM stores no more; \
                 a NIfTI file can (-o x.nii.gz)",
                u16::MAX
            );
            Err(Error::new(ErrorKind::Limit, message))
        }
    }
}

/// Whether the file at `path` was written here: by its name, and by the program that its file meta group names.
pub fn is_written_here(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_numbered = path.extension().is_some_and(|extension| extension == EXTENSION)
        && stem.len() >= DIGITS
        && stem.bytes().all(|byte| byte.is_ascii_digit());
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(META).read_to_end(&mut start));
    is_numbered
        && read.is_ok()
        && start.windows(IMPLEMENTATION.len()).any(|part| part == IMPLEMENTATION.as_bytes())
}
