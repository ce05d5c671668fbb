//! Types of voxels, and their bytes.

use super::header::Order;
use crate::error::{Error, ErrorKind, Result};

/// A type of voxels that can be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Datatype {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

/// Types of the format that are refused, by code.
const REFUSED: [(i64, &str); 7] = [
    (1, "binary (1 bit)"),
    (32, "complex64"),
    (128, "RGB24"),
    (1536, "float128"),
    (1792, "complex128"),
    (2048, "complex256"),
    (2304, "RGBA32"),
];

/// Runs a block in which `$type` is the Rust type of a [`Datatype`].
macro_rules! with_type {
    ($datatype:expr, $type:ident => $body:expr) => {
        with_type!($datatype, $type => $body;
            U8 u8, I8 i8, I16 i16, U16 u16, I32 i32, U32 u32, I64 i64, U64 u64, F32 f32, F64 f64)
    };
    ($datatype:expr, $type:ident => $body:expr; $($variant:ident $own:ty),*) => {
        match $datatype {
            $(Datatype::$variant => {
                type $type = $own;
                $body
            })*
        }
    };
}

impl Datatype {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::U8,
        Self::I8,
        Self::I16,
        Self::U16,
        Self::I32,
        Self::U32,
        Self::I64,
        Self::U64,
        Self::F32,
        Self::F64,
    ];

    /// The type with this code in the header.
    ///
    /// # Errors
    /// `Input`, with the name of a type that is refused.
    pub fn from_code(code: i64) -> Result<Self> {
        if let Some(known) = Self::ALL.into_iter().find(|known| known.code() == code) {
            return Ok(known);
        }
        let name = REFUSED.iter().find(|(refused, _)| *refused == code).map_or("unknown", |(_, name)| name);
        let message =
            format!("datatype is {code} ({name}): expected integers of 8 to 64 bits, float32 or float64");
        Err(Error::new(ErrorKind::Input, message))
    }

    /// The code in the header.
    pub fn code(self) -> i64 {
        match self {
            Self::U8 => 2,
            Self::I8 => 256,
            Self::I16 => 4,
            Self::U16 => 512,
            Self::I32 => 8,
            Self::U32 => 768,
            Self::I64 => 1024,
            Self::U64 => 1280,
            Self::F32 => 16,
            Self::F64 => 64,
        }
    }

    /// The name, as NumPy has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::U16 => "uint16",
            Self::I32 => "int32",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::U64 => "uint64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Bytes of a voxel.
    pub fn bytes(self) -> usize {
        with_type!(self, T => size_of::<T>())
    }

    /// Whether it holds fractions, NaN and infinities.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// The smallest and the largest finite value.
    pub fn range(self) -> (f64, f64) {
        #[allow(clippy::cast_lossless, clippy::unnecessary_cast, reason = "one body for all types")]
        {
            with_type!(self, T => (T::MIN as f64, T::MAX as f64))
        }
    }

    /// The values of `bytes`, a whole number of voxels.
    pub fn decode(self, order: Order, bytes: &[u8], mut take: impl FnMut(f64)) {
        #[allow(clippy::cast_lossless, clippy::unnecessary_cast, reason = "one body for all types")]
        {
            with_type!(self, T => {
                let (voxels, _) = bytes.as_chunks::<{ size_of::<T>() }>();
                match order {
                    Order::Little => voxels.iter().for_each(|voxel| take(T::from_le_bytes(*voxel) as f64)),
                    Order::Big => voxels.iter().for_each(|voxel| take(T::from_be_bytes(*voxel) as f64)),
                }
            });
        }
    }

    /// Appends `values` to `bytes`; integers are rounded, ties to even, and clamped to the type's range.
    pub fn encode(self, order: Order, values: impl Iterator<Item = f64>, bytes: &mut Vec<u8>) {
        let round = !self.is_float();
        with_type!(self, T => {
            for value in values {
                // A cast clamps values to the range of the type.
                let voxel = if round { value.round_ties_even() as T } else { value as T };
                match order {
                    Order::Little => bytes.extend_from_slice(&voxel.to_le_bytes()),
                    Order::Big => bytes.extend_from_slice(&voxel.to_be_bytes()),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_never_wrap() {
        for datatype in Datatype::ALL {
            for order in [Order::Little, Order::Big] {
                let mut bytes = Vec::new();
                let values = [0.0, 1.0, 77.0, 100.0, 1e30, -1e30];
                datatype.encode(order, values.into_iter(), &mut bytes);
                assert_eq!(bytes.len(), values.len() * datatype.bytes());
                let mut found = Vec::new();
                datatype.decode(order, &bytes, |value| found.push(value));
                assert_eq!(found[..4], values[..4], "{}", datatype.name());
                if !datatype.is_float() {
                    let (low, high) = datatype.range();
                    assert_eq!(found[4..], [high, low], "{}", datatype.name());
                }
            }
        }
        let mut bytes = Vec::new();
        Datatype::U16.encode(Order::Big, [0.5, 1.5, 65535.6, -0.4].into_iter(), &mut bytes);
        assert_eq!(bytes, [0, 0, 0, 2, 255, 255, 0, 0]);
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let message = |code| Datatype::from_code(code).unwrap_err().to_string();
        assert!(message(32).starts_with("datatype is 32 (complex64): expected"));
        assert!(message(128).contains("RGB24") && message(1536).contains("float128"));
        assert!(message(7).contains("unknown"));
    }
}
