//! What belongs to the library itself.

use std::ffi::{CStr, c_char};

use crate::abi::{PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, partdiff_status as Status};

/// The ABI of this library: its major version times 65536, plus its minor version.
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_abi_version() -> u32 {
    PARTDIFF_ABI_MAJOR << 16 | PARTDIFF_ABI_MINOR
}

/// The version of the program that this library is part of, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("a version has no zeros inside"),
        };
    VERSION.as_ptr()
}

/// What a status means, in a few words; for numbers that are no status, "unknown status".
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_status_text(status: i32) -> *const c_char {
    let text = match status {
        x if x == Status::Ok as i32 => c"success",
        x if x == Status::InvalidArgument as i32 => c"invalid argument",
        x if x == Status::InvalidHandle as i32 => c"invalid or freed handle",
        x if x == Status::AbiMismatch as i32 => {
            c"the program was built for an ABI version that this libpartdiff does not serve"
        }
        x if x == Status::Busy as i32 => c"the handle is at work, or the call is not allowed from a callback",
        x if x == Status::UnknownKey as i32 => c"unknown key",
        x if x == Status::InvalidOption as i32 => c"invalid option",
        x if x == Status::Input as i32 => c"the input cannot be used",
        x if x == Status::Output as i32 => c"the result cannot be delivered",
        x if x == Status::Model as i32 => c"the model is missing or damaged",
        x if x == Status::Runtime as i32 => c"ONNX Runtime or the device is unavailable, or failed",
        x if x == Status::Limit as i32 => c"a limit on pixels or memory",
        x if x == Status::Quality as i32 => c"the model's output is unusable",
        x if x == Status::Cancelled as i32 => c"cancelled",
        x if x == Status::Callback as i32 => c"a callback reported failure",
        x if x == Status::Internal as i32 => c"internal error (please report)",
        _ => c"unknown status",
    };
    text.as_ptr()
}
