//! A header as its bytes, read and changed field by field, so that what is not touched stays as it was.

use super::analyze;
use super::datatype::Datatype;
use super::field::{self, Field, Kind};
use crate::error::{Error, ErrorKind, Result};

/// The order of bytes in header, extensions and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Order {
    Little,
    Big,
}

impl Order {
    /// Bytes of a number in this order as little-endian ones, or the other way round.
    pub(super) fn little<const N: usize>(self, mut bytes: [u8; N]) -> [u8; N] {
        if self == Self::Big {
            bytes.reverse();
        }
        bytes
    }
}

/// The version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Version {
    One,
    Two,
}

/// How header and data lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In one file.
    Single,
    /// In a header and a data file.
    Pair,
    /// As `Pair`, without orientation.
    Analyze,
}

/// The header of a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    version: Version,
    order: Order,
    bytes: Vec<u8>,
}

/// Largest side that NIfTI-1 can store.
const MAX_SIDE_ONE: i64 = i16::MAX as i64;

impl Version {
    /// Bytes of the header.
    pub fn bytes(self) -> usize {
        match self {
            Self::One => 348,
            Self::Two => 540,
        }
    }

    fn magic(self) -> (usize, &'static [u8]) {
        match self {
            Self::One => (344, b"n+1\0"),
            Self::Two => (4, b"n+2\0\r\n\x1a\n"),
        }
    }
}

impl Header {
    /// An empty header.
    pub fn new(version: Version, order: Order) -> Self {
        let mut header = Self { version, order, bytes: vec![0; version.bytes()] };
        header.put((0, Kind::I32), 0, version.bytes() as f64);
        let (at, magic) = version.magic();
        header.bytes[at..at + magic.len()].copy_from_slice(magic);
        header
    }

    /// The version and byte order of a header that begins with these 4 bytes.
    ///
    /// # Errors
    /// `Input` for anything else.
    pub fn kind(start: [u8; 4]) -> Result<(Version, Order)> {
        let (little, big) = (i32::from_le_bytes(start), i32::from_be_bytes(start));
        for version in [Version::One, Version::Two] {
            let size = version.bytes() as i32;
            if little == size {
                return Ok((version, Order::Little));
            }
            if big == size {
                return Ok((version, Order::Big));
            }
        }
        Err(wrong(format!("sizeof_hdr is {little}: expected 348 (NIfTI-1, Analyze) or 540 (NIfTI-2)")))
    }

    /// Reads a whole header of [`Version::bytes`]. One of Analyze becomes that of NIfTI-1, with the affine that nibabel
    /// gives it; `may_be_analyze` says whether the file's name allows that.
    ///
    /// # Errors
    /// `Input` naming the field that is wrong, its value and what was expected.
    pub fn parse(bytes: &[u8], may_be_analyze: bool) -> Result<(Self, Form)> {
        let start = bytes.first_chunk().ok_or_else(|| wrong("the header is truncated"))?;
        let (version, order) = Self::kind(*start)?;
        let Some(own) = bytes.get(..version.bytes()) else {
            return Err(wrong(format!("the header has {} bytes: expected {}", bytes.len(), version.bytes())));
        };
        let mut header = Self { version, order, bytes: own.to_vec() };
        let (at, single) = version.magic();
        let magic = &own[at..at + single.len()];
        let is_pair = magic[0] == b'n' && magic[1] == b'i' && magic[2..] == single[2..];
        let form = if magic == single {
            Form::Single
        } else if is_pair {
            Form::Pair
        } else if version == Version::One && may_be_analyze {
            Form::Analyze
        } else {
            let expected = if version == Version::One { "n+1 or ni1" } else { "n+2 or ni2" };
            return Err(wrong(format!("magic is {:?}: expected {expected}", String::from_utf8_lossy(magic))));
        };
        if form == Form::Analyze {
            header.check()?;
            analyze::convert(&mut header);
        }
        header.check()?;
        Ok((header, form))
    }

    /// Checks the fields on which the others depend.
    fn check(&self) -> Result<()> {
        let count = self.int(field::DIM, 0);
        if !(1..=7).contains(&count) {
            return Err(wrong(format!("dim[0] is {count}: expected 1 to 7")));
        }
        for axis in 1..=count as usize {
            let side = self.int(field::DIM, axis);
            if side < 1 {
                return Err(wrong(format!("dim[{axis}] is {side}: expected at least 1")));
            }
        }
        let datatype = Datatype::from_code(self.int(field::DATATYPE, 0))?;
        let (bits, expected) = (self.int(field::BITPIX, 0), 8 * datatype.bytes() as i64);
        if bits != expected && bits != 0 {
            return Err(wrong(format!("bitpix is {bits}: expected {expected} for {}", datatype.name())));
        }
        Ok(())
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The order of its bytes.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The bytes, as they stand in a file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that no field names, for Analyze.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Makes it one of a single file.
    pub fn make_single(&mut self) {
        let (at, magic) = self.version.magic();
        self.bytes[at..at + magic.len()].copy_from_slice(magic);
    }

    /// Number `index` of a field of integers.
    pub fn int(&self, field: Field, index: usize) -> i64 {
        let (at, kind) = self.place(field, index);
        match kind {
            Kind::I64 => i64::from_le_bytes(self.order.little(self.number(at))),
            _ => self.real(field, index) as i64,
        }
    }

    /// Number `index` of a field.
    pub fn real(&self, field: Field, index: usize) -> f64 {
        let (at, kind) = self.place(field, index);
        let order = self.order;
        match kind {
            Kind::U8 => f64::from(self.bytes[at]),
            Kind::I16 => f64::from(i16::from_le_bytes(order.little(self.number(at)))),
            Kind::I32 => f64::from(i32::from_le_bytes(order.little(self.number(at)))),
            Kind::I64 => i64::from_le_bytes(order.little(self.number(at))) as f64,
            Kind::F32 => f64::from(f32::from_le_bytes(order.little(self.number(at)))),
            Kind::F64 => f64::from_le_bytes(order.little(self.number(at))),
        }
    }

    /// Slope and intercept of the voxels; a slope of 0, or none, is no scaling.
    pub fn scaling(&self) -> Option<(f64, f64)> {
        let (slope, inter) = (self.real(field::SCL_SLOPE, 0), self.real(field::SCL_INTER, 0));
        let inter = if inter.is_finite() { inter } else { 0.0 };
        (slope.is_finite() && slope != 0.0).then_some((slope, inter))
    }

    /// All numbers of a field.
    pub fn reals<const N: usize>(&self, field: Field) -> [f64; N] {
        std::array::from_fn(|index| self.real(field, index))
    }

    /// Whether a field of text has any.
    pub fn has_text(&self, field: Field) -> bool {
        let (at, _) = self.place(field, 0);
        self.bytes[at] != 0
    }

    /// The bytes of a field of text up to the first zero.
    pub fn text(&self, field: Field) -> &[u8] {
        let (at, _) = self.place(field, 0);
        let all = &self.bytes[at..at + field.count];
        all.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Sets a field of text, as much of it as there is room for.
    pub fn set_text(&mut self, field: Field, text: &str) {
        let (at, _) = self.place(field, 0);
        let length = text.len().min(field.count - 1);
        self.bytes[at..at + field.count].fill(0);
        self.bytes[at..at + length].copy_from_slice(&text.as_bytes()[..length]);
    }

    /// Sets number `index` of a field; integers are clamped to their type.
    pub fn set(&mut self, field: Field, index: usize, value: f64) {
        let place = match self.version {
            Version::One => field.one,
            Version::Two => field.two,
        };
        self.put(place, index, value);
    }

    /// Sets the side of an axis, counted from 0; a header that has no room for it becomes one of NIfTI-2.
    pub fn set_side(&mut self, axis: usize, side: usize) {
        if self.version == Version::One && side as i64 > MAX_SIDE_ONE {
            self.upgrade();
        }
        self.set(field::DIM, axis + 1, side as f64);
    }

    /// Sides of the first four axes, 1 where there are fewer.
    ///
    /// # Errors
    /// `Input` where there are more.
    pub fn shape(&self) -> Result<[usize; 4]> {
        let count = self.int(field::DIM, 0) as usize;
        for axis in 5..=count {
            let side = self.int(field::DIM, axis);
            if side != 1 {
                return Err(wrong(format!(
                    "dim[{axis}] is {side}: expected 1, that is, one value per voxel and at most 4 dimensions"
                )));
            }
        }
        let mut shape = [1; 4];
        for (axis, side) in shape.iter_mut().enumerate().take(count) {
            *side = usize::try_from(self.int(field::DIM, axis + 1)).unwrap_or(usize::MAX);
        }
        Ok(shape)
    }

    /// Makes it one of NIfTI-2.
    fn upgrade(&mut self) {
        let mut new = Self::new(Version::Two, self.order);
        for &field in field::ALL {
            for index in 0..field.count {
                new.set(field, index, self.real(field, index));
            }
        }
        *self = new;
    }

    fn place(&self, field: Field, index: usize) -> (usize, Kind) {
        let (at, kind) = match self.version {
            Version::One => field.one,
            Version::Two => field.two,
        };
        (at + index * kind.bytes(), kind)
    }

    fn number<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|byte| self.bytes[at + byte])
    }

    fn put(&mut self, (at, kind): (usize, Kind), index: usize, value: f64) {
        let at = at + index * kind.bytes();
        match kind {
            Kind::U8 => self.bytes[at] = value as u8,
            Kind::I16 => self.put_bytes(at, (value as i16).to_le_bytes()),
            Kind::I32 => self.put_bytes(at, (value as i32).to_le_bytes()),
            Kind::I64 => self.put_bytes(at, (value as i64).to_le_bytes()),
            Kind::F32 => self.put_bytes(at, (value as f32).to_le_bytes()),
            Kind::F64 => self.put_bytes(at, value.to_le_bytes()),
        }
    }

    fn put_bytes<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.bytes[at..at + N].copy_from_slice(&self.order.little(bytes));
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_where_they_should_and_do_not_overlap() {
        for version in [Version::One, Version::Two] {
            let mut taken = vec![false; version.bytes()];
            for field in field::ALL {
                let (at, kind) = if version == Version::One { field.one } else { field.two };
                for byte in &mut taken[at..at + kind.bytes() * field.count] {
                    assert!(!*byte, "{}", field.name);
                    *byte = true;
                }
            }
        }
    }

    #[test]
    fn a_side_that_does_not_fit_makes_it_nifti_2_with_all_fields() {
        for order in [Order::Little, Order::Big] {
            let mut header = Header::new(Version::One, order);
            header.set(field::PIXDIM, 1, 0.5);
            header.set(field::SROW, 11, -17.25);
            header.set(field::SLICE_CODE, 0, 3.0);
            header.set_text(field::DESCRIP, "a scan");
            header.set_side(0, 32767);
            assert_eq!((header.version(), header.order()), (Version::One, order));
            header.set_side(1, 40000);
            assert_eq!((header.version(), header.order()), (Version::Two, order));
            assert_eq!((header.int(field::DIM, 1), header.int(field::DIM, 2)), (32767, 40000));
            assert_eq!((header.real(field::PIXDIM, 1), header.real(field::SROW, 11)), (0.5, -17.25));
            assert_eq!((header.int(field::SLICE_CODE, 0), header.text(field::DESCRIP)), (3, &b"a scan"[..]));
            assert_eq!(Header::kind(*header.bytes().first_chunk().unwrap()).unwrap(), (Version::Two, order));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |change: &dyn Fn(&mut Header)| {
            let mut header = Header::new(Version::One, Order::Big);
            header.set(field::DIM, 0, 3.0);
            (0..3).for_each(|axis| header.set_side(axis, 2));
            header.set(field::DATATYPE, 0, 4.0);
            change(&mut header);
            Header::parse(header.bytes(), false).map(drop).unwrap_err().to_string()
        };
        assert_eq!(wrong(&|header| header.set(field::DIM, 0, 8.0)), "dim[0] is 8: expected 1 to 7");
        assert_eq!(wrong(&|header| header.set(field::DIM, 2, -5.0)), "dim[2] is -5: expected at least 1");
        assert!(
            wrong(&|header| header.set(field::BITPIX, 0, 8.0)).contains("bitpix is 8: expected 16 for int16")
        );
        assert!(wrong(&|header| header.bytes[344] = b'x').contains("magic is"));
        assert!(Header::kind([1, 2, 3, 4]).unwrap_err().to_string().contains("expected 348"));
    }
}
