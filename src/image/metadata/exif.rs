//! EXIF blocks (CIPA DC-008): read, corrected in place, rebuilt.
//!
//! A block that a camera wrote is never moved about: fields are changed where they lie, so maker notes, whose
//! inner offsets nobody documents, stay intact. A block is rebuilt only when it comes from or goes into a TIFF
//! file, and then maker notes are left out.

use super::Density;
use super::exif_fields::{
    EXIF_POINTER, FOCAL_PLANE_X, FOCAL_PLANE_Y, Fields, GPS_POINTER, INTEROP_POINTER, ORIENTATION, PIXEL_X,
    PIXEL_Y, RESOLUTION_UNIT, SUBJECT_AREA, SUBJECT_LOCATION, X_RESOLUTION, Y_RESOLUTION, fields_at,
    rational,
};
use super::ifd::{self, Directory, Order};

/// A block that begins with a TIFF header.
#[derive(Clone, Debug)]
pub(in crate::image) struct Exif {
    bytes: Vec<u8>,
    order: Order,
    first: usize,
}

impl Exif {
    /// Takes a block; `None` if it has no readable header and first directory.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let (order, first) = ifd::header(&bytes)?;
        ifd::read(&bytes, order, first)?;
        Some(Self { bytes, order, first })
    }

    /// The block.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn main(&self) -> Option<Directory> {
        ifd::read(&self.bytes, self.order, self.first)
    }

    fn child(&self, parent: &Directory, pointer: u16) -> Option<Directory> {
        let at = parent.find(pointer)?.number(&self.bytes, self.order)?;
        ifd::read(&self.bytes, self.order, at as usize)
    }

    /// The orientation field, 1 to 8; 1 if absent or nonsense.
    pub fn orientation(&self) -> u8 {
        self.stated_orientation().unwrap_or(1)
    }

    /// The orientation field, 1 to 8; `None` if absent or nonsense.
    pub fn stated_orientation(&self) -> Option<u8> {
        let value = self.main()?.find(ORIENTATION)?.number(&self.bytes, self.order)?;
        (1..=8).contains(&value).then_some(value as u8)
    }

    /// Says that the image is upright.
    pub fn reset_orientation(&mut self) {
        if let Some(entry) = self.main().and_then(|main| main.find(ORIENTATION).copied()) {
            // However it was written, it is one short number now.
            let [kind, count, value] = [self.order.bytes16(3), self.order.bytes16(1), self.order.bytes16(1)];
            let count = if self.order == Order::Little { [count, [0; 2]] } else { [[0; 2], count] };
            self.bytes[entry.at + 2..entry.at + 12]
                .copy_from_slice(&[kind, count[0], count[1], value, [0; 2]].concat());
        }
    }

    /// Corrects the fields that repeat the image's size, where present.
    pub fn set_size(&mut self, width: u32, height: u32) {
        let Some(main) = self.main() else { return };
        self.set_number(&main, 0x0100, width);
        self.set_number(&main, 0x0101, height);
        if let Some(exif) = self.child(&main, EXIF_POINTER) {
            self.set_number(&exif, PIXEL_X, width);
            self.set_number(&exif, PIXEL_Y, height);
            if let Some(interop) = self.child(&exif, INTEROP_POINTER) {
                self.set_number(&interop, 0x1001, width);
                self.set_number(&interop, 0x1002, height);
            }
        }
    }

    /// Overwrites a single integer in place; its type grows to 32 bits, which the entry has room for.
    fn set_number(&mut self, directory: &Directory, tag: u16, value: u32) {
        let Some(entry) = directory.find(tag) else { return };
        if entry.count != 1 || !matches!(entry.kind, 3 | 4) {
            return;
        }
        let mut inline = [0; 4];
        let kind: u16 = match u16::try_from(value) {
            Ok(short) if entry.kind == 3 => {
                inline[..2].copy_from_slice(&self.order.bytes16(short));
                3
            }
            _ => {
                inline = self.order.bytes32(value);
                4
            }
        };
        let kind = self.order.bytes16(kind);
        self.bytes[entry.at + 2..entry.at + 4].copy_from_slice(&kind);
        self.bytes[entry.at + 8..entry.at + 12].copy_from_slice(&inline);
    }

    /// The resolution fields.
    pub fn density(&self) -> Option<Density> {
        let main = self.main()?;
        let x = main.find(X_RESOLUTION)?.rational(&self.bytes, self.order)?;
        let y = main.find(Y_RESOLUTION)?.rational(&self.bytes, self.order)?;
        let unit = main.find(RESOLUTION_UNIT).and_then(|entry| entry.number(&self.bytes, self.order));
        Density::new(x, y, unit.unwrap_or(2))
    }

    /// Whether values are Adobe RGB without a profile that says so, by DCF's (JEITA CP-3461) option file rule:
    /// an uncalibrated colour space and the interoperability index R03; some cameras write 2 instead.
    pub fn is_adobe_rgb(&self) -> bool {
        let space = || -> Option<(u32, bool)> {
            let exif = self.child(&self.main()?, EXIF_POINTER)?;
            let space = exif.find(0xa001)?.number(&self.bytes, self.order)?;
            let interop = self.child(&exif, INTEROP_POINTER);
            let index =
                interop.and_then(|interop| Some(interop.find(1)?.data(&self.bytes).starts_with(b"R03")));
            Some((space, index.unwrap_or(false)))
        };
        matches!(space(), Some((2, _) | (0xffff, true)))
    }

    /// Says that values are sRGB, where it says anything of the kind.
    pub fn set_srgb(&mut self) {
        if let Some(exif) = self.main().and_then(|main| self.child(&main, EXIF_POINTER)) {
            self.set_number(&exif, 0xa001, 1);
        }
    }

    /// Overwrites the resolution fields, where present.
    pub fn set_density(&mut self, density: Density) {
        let Some(main) = self.main() else { return };
        for (tag, value) in [(X_RESOLUTION, density.x), (Y_RESOLUTION, density.y)] {
            self.set_rational(&main, tag, value);
        }
        self.set_number(&main, RESOLUTION_UNIT, density.unit_code());
    }

    fn set_rational(&mut self, directory: &Directory, tag: u16, value: f64) {
        let Some(entry) = directory.find(tag).filter(|entry| entry.kind == 5 && entry.count == 1) else {
            return;
        };
        let (over, under) = rational(value);
        let at = entry.data_at;
        self.bytes[at..at + 4].copy_from_slice(&self.order.bytes32(over));
        self.bytes[at + 4..at + 8].copy_from_slice(&self.order.bytes32(under));
    }

    /// Multiplies what is counted in pixels: the focal plane's resolution, the subject's place and size.
    pub fn scale(&mut self, across: f64, down: f64) {
        let Some(exif) = self.main().and_then(|main| self.child(&main, EXIF_POINTER)) else { return };
        for (tag, factor) in [(FOCAL_PLANE_X, across), (FOCAL_PLANE_Y, down)] {
            let old = exif.find(tag).and_then(|entry| entry.rational(&self.bytes, self.order));
            if let Some(old) = old {
                self.set_rational(&exif, tag, old * factor);
            }
        }
        for tag in [SUBJECT_AREA, SUBJECT_LOCATION] {
            let Some(entry) = exif.find(tag).filter(|entry| entry.kind == 3) else { continue };
            // A point, a circle with its diameter, or a rectangle.
            for (i, factor) in (0..entry.size / 2).zip([across, down, across, down]) {
                let at = entry.data_at + 2 * i;
                let Some(value) = self.order.u16(&self.bytes, at) else { continue };
                let value = (f64::from(value) * factor).round().min(65535.0) as u16;
                self.bytes[at..at + 2].copy_from_slice(&self.order.bytes16(value));
            }
        }
    }

    /// Cuts the link to the thumbnail's directory and blanks the thumbnail; `true` if there was one.
    pub fn drop_thumbnail(&mut self) -> bool {
        let Some(main) = self.main() else { return false };
        let link = main.link_at;
        let Some(at) = self.order.u32(&self.bytes, link).filter(|&at| at != 0) else { return false };
        self.bytes[link..link + 4].fill(0);
        let Some(thumbnail) = ifd::read(&self.bytes, self.order, at as usize) else { return true };
        let number = |tag| thumbnail.find(tag)?.number(&self.bytes, self.order).map(|value| value as usize);
        let Some((start, end)) =
            number(0x0201).zip(number(0x0202)).and_then(|(at, size)| Some((at, at.checked_add(size)?)))
        else {
            return true;
        };
        // Nothing but the JPEG itself may be blanked; at the end of the block it is cut off.
        if self.bytes.get(start..).is_some_and(|data| data.starts_with(&[0xff, 0xd8]))
            && end <= self.bytes.len()
        {
            if end + 4 >= self.bytes.len() && thumbnail.link_at + 4 <= start {
                self.bytes.truncate(start);
            } else {
                self.bytes[start..end].fill(0);
            }
        }
        true
    }

    /// Removes the GPS directory and blanks its values; `true` if there was one.
    pub fn drop_gps(&mut self) -> bool {
        let Some(main) = self.main() else { return false };
        let Some(pointer) = main.find(GPS_POINTER) else { return false };
        if let Some(gps) = self.child(&main, GPS_POINTER) {
            let values = gps.entries.iter().map(|entry| entry.data_at..entry.data_at + entry.size);
            for range in values.chain(std::iter::once(gps.at..gps.link_at)) {
                // In a damaged block they may lie over the first directory.
                if range.end <= main.at || range.start >= main.link_at + 4 {
                    self.bytes[range].fill(0);
                }
            }
        }
        // The later entries and the link move up by one.
        let end = (main.link_at + 4).min(self.bytes.len());
        self.bytes.copy_within(pointer.at + 12..end, pointer.at);
        self.bytes[end - 12..end].fill(0);
        if let Some(count) = self.order.u16(&self.bytes, main.at) {
            let count = self.order.bytes16(count - 1);
            self.bytes[main.at..main.at + 2].copy_from_slice(&count);
        }
        true
    }

    /// Copies the fields out, values in `order`.
    pub fn fields(&self, order: Order) -> Fields {
        fields_at(&self.bytes, self.order, self.first, order)
    }
}

#[cfg(test)]
mod tests {
    use super::super::exif_fields::MAKER_NOTE;
    use super::super::ifd::Field;
    use super::*;

    /// A big-endian block as a camera writes it: orientation, resolution, maker note, GPS, thumbnail.
    fn camera() -> Vec<u8> {
        let order = Order::Big;
        let field = |tag, kind, data: &[u8]| Field { tag, kind, data: data.to_vec() };
        let mut block = b"MM\0*\0\0\0\0".to_vec();
        let exif = [
            field(MAKER_NOTE, 7, b"Nikon\0 offsets into the whole block"),
            field(PIXEL_X, 3, &[0, 10]),
            field(PIXEL_Y, 4, &[0, 0, 0, 20]),
        ];
        let exif = ifd::append(&mut block, order, &exif, &[]);
        let gps = ifd::append(&mut block, order, &[field(2, 5, &[0, 0, 0, 47, 0, 0, 0, 1])], &[]);
        let main = [
            field(0x010f, 2, b"Nikon\0"),
            field(ORIENTATION, 3, &[0, 6]),
            field(X_RESOLUTION, 5, &[0, 0, 0, 72, 0, 0, 0, 1]),
            field(Y_RESOLUTION, 5, &[0, 0, 0, 72, 0, 0, 0, 1]),
            field(RESOLUTION_UNIT, 3, &[0, 2]),
        ];
        let main = ifd::append(&mut block, order, &main, &[(EXIF_POINTER, exif), (GPS_POINTER, gps)]);
        block[4..8].copy_from_slice(&main.to_be_bytes());
        let thumbnail_at = block.len() as u32 + 30;
        let thumbnail = [field(0x0201, 4, &thumbnail_at.to_be_bytes()), field(0x0202, 4, &[0, 0, 0, 4])];
        let at = ifd::append(&mut block, order, &thumbnail, &[]);
        block.extend([0xff, 0xd8, 0xff, 0xd9]);
        let link = ifd::read(&block, order, main as usize).unwrap().link_at;
        block[link..link + 4].copy_from_slice(&at.to_be_bytes());
        block
    }

    fn find(block: &[u8], part: &[u8]) -> Option<usize> {
        block.windows(part.len()).position(|window| window == part)
    }

    #[test]
    fn corrections_leave_the_maker_note_where_it_was() {
        let block = camera();
        let mut exif = Exif::new(block.clone()).unwrap();
        assert_eq!(exif.orientation(), 6);
        assert_eq!(exif.density().unwrap().dpi(), Some((72.0, 72.0)));
        exif.reset_orientation();
        exif.set_size(100_000, 80_000);
        exif.set_density(Density { x: 288.5, ..exif.density().unwrap() });
        assert!(exif.drop_thumbnail() && !exif.drop_thumbnail());
        assert!(exif.drop_gps() && !exif.drop_gps());
        assert_eq!(exif.orientation(), 1);
        assert_eq!(exif.density().unwrap().x, 288.5);
        let fields = exif.fields(Order::Little);
        assert!(fields.gps.is_empty() && fields.dropped_maker_note);
        assert_eq!(fields.exif[0].data, 100_000u32.to_le_bytes());
        assert_eq!(fields.exif[1].data, 80_000u32.to_le_bytes());
        let after = exif.into_bytes();
        let note = b"Nikon\0 offsets into the whole block";
        assert_eq!(find(&after, note), find(&block, note));
        assert!(find(&block, &[0xff, 0xd8]).is_some() && find(&after, &[0xff, 0xd8]).is_none());
        assert!(find(&block, &[0, 0, 0, 47]).is_some() && find(&after, &[0, 0, 0, 47]).is_none());
        assert!(find(&after, b"Nikon\0").is_some());
    }

    #[test]
    fn orientations_of_unusual_types_are_applied_once_too() {
        for order in [Order::Little, Order::Big] {
            for (kind, data) in [
                (1, vec![6]),
                (3, [order.bytes16(6), order.bytes16(5)].concat()),
                (4, order.bytes32(6).to_vec()),
            ] {
                let mut block = if order == Order::Little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
                block.extend(order.bytes32(8));
                ifd::append(&mut block, order, &[Field { tag: ORIENTATION, kind, data }], &[]);
                let mut exif = Exif::new(block).unwrap();
                assert_eq!(exif.orientation(), 6);
                exif.reset_orientation();
                assert_eq!(exif.orientation(), 1, "{order:?} {kind}");
            }
        }
    }

    #[test]
    fn damaged_blocks_do_no_harm() {
        let block = camera();
        for at in 0..block.len() {
            for value in [0, 0xff, block[at] ^ 0x10] {
                let mut damaged = block.clone();
                damaged[at] = value;
                damaged.truncate(block.len() - at % 3);
                let Some(mut exif) = Exif::new(damaged) else { continue };
                exif.reset_orientation();
                exif.set_size(1, 1);
                exif.drop_gps();
                exif.drop_thumbnail();
                exif.fields(Order::Little).to_block();
            }
        }
    }

    #[test]
    fn rebuilt_blocks_hold_the_same_fields() {
        let fields = Exif::new(camera()).unwrap().fields(Order::Little);
        let again = Exif::new(fields.to_block()).unwrap().fields(Order::Little);
        assert_eq!((again.main, again.exif, again.gps), (fields.main, fields.exif, fields.gps));
    }
}
