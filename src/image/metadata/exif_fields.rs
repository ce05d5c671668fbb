//! The fields of an EXIF block, sorted out and laid down anew.

use std::cell::Cell;

use super::Density;
use super::ifd::{self, Directory, Entry, Field, Order};

pub(in crate::image) const ORIENTATION: u16 = 0x0112;
pub(super) const X_RESOLUTION: u16 = 0x011a;
pub(super) const Y_RESOLUTION: u16 = 0x011b;
pub(super) const RESOLUTION_UNIT: u16 = 0x0128;
pub(in crate::image) const SUBJECT_AREA: u16 = 0x9214;
pub(in crate::image) const SUBJECT_LOCATION: u16 = 0xa214;
pub(in crate::image) const FOCAL_PLANE_X: u16 = 0xa20e;
pub(in crate::image) const FOCAL_PLANE_Y: u16 = 0xa20f;
pub(in crate::image) const EXIF_POINTER: u16 = 0x8769;
pub(in crate::image) const GPS_POINTER: u16 = 0x8825;
pub(in crate::image) const INTEROP_POINTER: u16 = 0xa005;
pub(super) const MAKER_NOTE: u16 = 0x927c;
pub(super) const PIXEL_X: u16 = 0xa002;
pub(super) const PIXEL_Y: u16 = 0xa003;

/// Fields of the first directory that describe the image and not its storage.
const DESCRIPTIVE: [u16; 17] = [
    0x010d, 0x010e, 0x010f, 0x0110, 0x011d, 0x0131, 0x0132, 0x013b, 0x013c, 0x4746, 0x4749, 0x8298, 0x9c9b,
    0x9c9c, 0x9c9d, 0x9c9e, 0x9c9f,
];

/// Most bytes of values that are copied out of a block.
const MOST_COPIED: usize = 16 << 20;

/// Most fields that are copied out of a directory; one has room for 65,535.
const MOST_FIELDS: usize = 60_000;

/// The fields of a block, sorted out for a writer that lays them down anew.
#[derive(Clone, Debug, Default)]
pub(in crate::image) struct Fields {
    /// Descriptive fields of the first directory, without orientation and resolution.
    pub main: Vec<Field>,
    /// The EXIF directory without maker note and pointers.
    pub exif: Vec<Field>,
    /// The GPS directory.
    pub gps: Vec<Field>,
    /// The interoperability directory.
    pub interop: Vec<Field>,
    /// Whether a maker note was left out.
    pub dropped_maker_note: bool,
}

/// Copies the fields of the directory at `first` and of its children out of `bytes`, values in `order`.
pub(in crate::image) fn fields_at(bytes: &[u8], from: Order, first: usize, order: Order) -> Fields {
    let Some(main) = ifd::read(bytes, from, first) else { return Fields::default() };
    let child = |parent: &Directory, pointer: u16| {
        let at = parent.find(pointer)?.number(bytes, from)?;
        ifd::read(bytes, from, at as usize)
    };
    // Entries of a hostile block may all mean the same bytes, as often as there are entries.
    let left = Cell::new(MOST_COPIED);
    let copy = |directory: &Directory, keep: &dyn Fn(u16) -> bool| -> Vec<Field> {
        let fits = |entry: &&Entry| {
            let rest = left.get().checked_sub(entry.size);
            rest.is_some_and(|rest| keep(entry.tag) && left.replace(rest) > 0)
        };
        let entries = directory.entries.iter().take(MOST_FIELDS).filter(fits);
        entries.map(|entry| Field::copy(entry, bytes).in_order(from, order)).collect()
    };
    let all = |directory: Option<Directory>| directory.map_or(Vec::new(), |found| copy(&found, &|_| true));
    let exif = child(&main, EXIF_POINTER);
    let interop = exif.as_ref().and_then(|exif| child(exif, INTEROP_POINTER));
    Fields {
        main: copy(&main, &|tag| DESCRIPTIVE.contains(&tag)),
        dropped_maker_note: exif.as_ref().is_some_and(|exif| exif.find(MAKER_NOTE).is_some()),
        exif: exif
            .map_or(Vec::new(), |exif| copy(&exif, &|tag| !matches!(tag, MAKER_NOTE | INTEROP_POINTER))),
        gps: all(child(&main, GPS_POINTER)),
        interop: all(interop),
    }
}

impl Fields {
    /// Whether there is anything to keep.
    pub fn is_empty(&self) -> bool {
        self.main.is_empty() && self.exif.is_empty() && self.gps.is_empty()
    }

    /// Adds the resolution fields (little-endian values).
    pub fn add_density(&mut self, density: Density) {
        for (tag, value) in [(X_RESOLUTION, density.x), (Y_RESOLUTION, density.y)] {
            let (over, under) = rational(value);
            let data = [over.to_le_bytes(), under.to_le_bytes()].concat();
            self.main.push(Field { tag, kind: 5, data });
        }
        let unit = density.unit_code() as u16;
        self.main.push(Field { tag: RESOLUTION_UNIT, kind: 3, data: unit.to_le_bytes().to_vec() });
    }

    /// Lays the fields (little-endian values) down as a new block.
    pub fn to_block(&self) -> Vec<u8> {
        let order = Order::Little;
        let mut block = b"II*\0\0\0\0\0".to_vec();
        let mut links = Vec::new();
        if !self.exif.is_empty() {
            let mut inner = Vec::new();
            if !self.interop.is_empty() {
                inner.push((INTEROP_POINTER, ifd::append(&mut block, order, &self.interop, &[])));
            }
            links.push((EXIF_POINTER, ifd::append(&mut block, order, &self.exif, &inner)));
        }
        if !self.gps.is_empty() {
            links.push((GPS_POINTER, ifd::append(&mut block, order, &self.gps, &[])));
        }
        let first = ifd::append(&mut block, order, &self.main, &links);
        block[4..8].copy_from_slice(&first.to_le_bytes());
        block
    }
}

/// A block that holds a resolution and nothing else.
pub(in crate::image) fn only_density(density: Density) -> Vec<u8> {
    let mut fields = Fields::default();
    fields.add_density(density);
    fields.to_block()
}

/// A fraction for a positive number: exact for whole numbers and up to 4 decimals.
pub(in crate::image) fn rational(value: f64) -> (u32, u32) {
    if value.fract() == 0.0 || value > 400_000.0 {
        return (value.min(f64::from(u32::MAX)) as u32, 1);
    }
    ((value * 10_000.0).round() as u32, 10_000)
}
