//! The fields of a header, and where they lie in either version.

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Floating point, 32 bits.
    F32,
    /// Floating point, 64 bits.
    F64,
}

impl Kind {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }
}

/// A field: its name, how many numbers it has, and offset and kind in NIfTI-1 and NIfTI-2.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "said above")]
pub struct Field {
    pub name: &'static str,
    pub count: usize,
    pub one: (usize, Kind),
    pub two: (usize, Kind),
}

macro_rules! fields {
    ($($constant:ident $name:literal $count:literal $one:literal $one_kind:ident $two:literal $two_kind:ident)*) => {
        $(
            #[allow(missing_docs, reason = "named as in the format")]
            pub const $constant: Field = Field {
                name: $name,
                count: $count,
                one: ($one, Kind::$one_kind),
                two: ($two, Kind::$two_kind),
            };
        )*
        /// All fields that both versions have, texts as bytes.
        pub const ALL: &[Field] = &[$($constant),*];
    };
}

fields! {
    DIM_INFO "dim_info" 1 39 U8 524 U8
    DIM "dim" 8 40 I16 16 I64
    INTENT_P "intent_p" 3 56 F32 80 F64
    INTENT_CODE "intent_code" 1 68 I16 504 I32
    DATATYPE "datatype" 1 70 I16 12 I16
    BITPIX "bitpix" 1 72 I16 14 I16
    SLICE_START "slice_start" 1 74 I16 224 I64
    PIXDIM "pixdim" 8 76 F32 104 F64
    VOX_OFFSET "vox_offset" 1 108 F32 168 I64
    SCL_SLOPE "scl_slope" 1 112 F32 176 F64
    SCL_INTER "scl_inter" 1 116 F32 184 F64
    SLICE_END "slice_end" 1 120 I16 232 I64
    SLICE_CODE "slice_code" 1 122 U8 496 I32
    XYZT_UNITS "xyzt_units" 1 123 U8 500 I32
    CAL_MAX "cal_max" 1 124 F32 192 F64
    CAL_MIN "cal_min" 1 128 F32 200 F64
    SLICE_DURATION "slice_duration" 1 132 F32 208 F64
    TOFFSET "toffset" 1 136 F32 216 F64
    DESCRIP "descrip" 80 148 U8 240 U8
    AUX_FILE "aux_file" 24 228 U8 320 U8
    QFORM_CODE "qform_code" 1 252 I16 344 I32
    SFORM_CODE "sform_code" 1 254 I16 348 I32
    QUATERN "quatern" 3 256 F32 352 F64
    QOFFSET "qoffset" 3 268 F32 376 F64
    SROW "srow" 12 280 F32 400 F64
    INTENT_NAME "intent_name" 16 328 U8 508 U8
}
