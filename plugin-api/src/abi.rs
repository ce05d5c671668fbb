//! The types of the ABI and nothing else; also part of the crate `partdiff-host`.

#![allow(non_camel_case_types)]

use std::ffi::c_void;

/// Major version of the ABI: a host must have been built for the same.
pub const PARTDIFF_ABI_MAJOR: u32 = 1;
/// Minor version of the ABI: a library serves hosts built for the same or an older one.
pub const PARTDIFF_ABI_MINOR: u32 = 0;

/// Where models run, and the way to them.
pub struct partdiff_context {
    _private: [u8; 0],
}

/// A model, loaded. Jobs of one model may be at work at the same time and share its threads: earlier ones go first,
/// later ones fill the gaps, and each waits until its memory is free. Each model has threads of its own.
pub struct partdiff_model {
    _private: [u8; 0],
}

/// Settings for images to be enlarged one after the other.
pub struct partdiff_job {
    _private: [u8; 0],
}

/// How a call ended.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum partdiff_status {
    /// All went well.
    Ok = 0,
    /// An argument is null, too small, overlapping or of an unknown kind.
    InvalidArgument = 1,
    /// Invalid or freed handle: it is null, was destroyed, or is of another type.
    InvalidHandle = 2,
    /// The host was built for an ABI that this library does not serve.
    AbiMismatch = 3,
    /// The handle is at work in another call, or the call is not allowed from within a callback.
    Busy = 4,
    /// No option or property has that key.
    UnknownKey = 5,
    /// An option has a value outside its range, or options contradict each other.
    InvalidOption = 6,
    /// The input image cannot be used.
    Input = 7,
    /// The result cannot be delivered.
    Output = 8,
    /// The model is missing, damaged or does not fit its own description.
    Model = 9,
    /// ONNX Runtime or the wanted device is unavailable, or failed.
    Runtime = 10,
    /// A limit on pixels or memory does not allow the work.
    Limit = 11,
    /// The model's output is unusable, and was not passed on.
    Quality = 12,
    /// The work was cancelled.
    Cancelled = 13,
    /// A callback of the host reported failure.
    Callback = 14,
    /// Internal error (please report); the library goes on working.
    Internal = 15,
}

/// How one sample is stored, in the machine's byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum partdiff_sample {
    /// 8-bit integers, 0 black to 255 white.
    U8 = 1,
    /// 16-bit integers, 0 black to 65535 white.
    U16 = 2,
    /// IEEE 754 half precision, 0 black to 1 white; values beyond are kept.
    F16 = 3,
    /// IEEE 754 single precision, 0 black to 1 white; values beyond are kept.
    F32 = 4,
}

/// The channels of an image, in this order. Colour is not multiplied by alpha; alpha is 0 (clear) to full (opaque).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum partdiff_color {
    /// Grey.
    Grey = 1,
    /// Grey, alpha.
    GreyAlpha = 2,
    /// Red, green, blue.
    Rgb = 3,
    /// Red, green, blue, alpha.
    Rgba = 4,
}

/// Where the channels of a pixel lie.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum partdiff_layout {
    /// Side by side.
    Interleaved = 0,
    /// Each channel in a plane of its own.
    Planar = 1,
}

/// An image, or a strip of one, in memory of the host. Zero what you do not set.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct partdiff_image {
    /// sizeof(partdiff_image), by which the library knows the fields that the host knows.
    pub struct_size: u32,
    /// A partdiff_sample.
    pub sample: u32,
    /// A partdiff_color.
    pub color: u32,
    /// A partdiff_layout.
    pub layout: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The first sample of the top left pixel; null where a callback delivers or takes the samples. It need not
    /// be aligned.
    pub data: *mut c_void,
    /// Bytes from `data` to the end of the memory.
    pub size: usize,
    /// Bytes from one row to the next; 0 where rows follow each other without a gap.
    pub row_stride: usize,
    /// Bytes from one plane to the next, if planar; 0 where planes follow each other without a gap.
    pub plane_stride: usize,
}

/// Asked to fill `strip`, the rows from `top` on of the input. Returns 0, or anything else to give up.
pub type partdiff_read_rows =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, top: u32, strip: *const partdiff_image) -> i32>;

/// Given `strip`, the rows from `top` on of the result; strips come from top to bottom, each row once. Returns 0, or
/// anything else to give up.
pub type partdiff_write_rows =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, top: u32, strip: *const partdiff_image) -> i32>;

/// Told the share of the work done, 0 to 1, and the denoising step at work (0: none yet) of `steps`; the last call, with
/// 1, comes when the whole result was delivered. Returns 0, or anything else to cancel.
pub type partdiff_progress =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, fraction: f64, step: u32, steps: u32) -> i32>;
