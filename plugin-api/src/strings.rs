//! Text between C and us.

use std::ffi::{CStr, c_char};

use crate::abi::partdiff_status as Status;
use crate::failure::Failure;

/// The text at `text`, called `name` in messages; `None` for null.
///
/// # Safety
/// `text` is null or ends with a zero.
///
/// # Errors
/// `InvalidArgument` if it is not UTF-8.
pub unsafe fn optional<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| Failure::argument(format!("{name} is not UTF-8")))
}

/// As [`optional`], but null is an error.
///
/// # Safety
/// As [`optional`].
///
/// # Errors
/// `InvalidArgument`.
pub unsafe fn required<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failure> {
    // SAFETY: promised by the caller.
    unsafe { optional(text, name) }?.ok_or_else(|| Failure::argument(format!("{name} is null")))
}

/// Writes `text` and a zero into `size` bytes at `buffer`, cut at a character's end, and its whole length without
/// the zero to `length`.
///
/// # Safety
/// `buffer` is null or has `size` bytes; `length` is null or valid.
///
/// # Errors
/// `InvalidArgument` if both are null.
pub unsafe fn give(text: &str, buffer: *mut c_char, size: usize, length: *mut usize) -> Result<(), Failure> {
    if buffer.is_null() && length.is_null() {
        return Err(Failure::argument("buffer and length are both null"));
    }
    if !buffer.is_null() && size > 0 {
        let cut = text.floor_char_boundary(size - 1);
        // SAFETY: `cut` and the zero fit into the buffer, which no reference of ours overlaps.
        unsafe {
            text.as_ptr().copy_to_nonoverlapping(buffer.cast(), cut);
            buffer.add(cut).write(0);
        }
    }
    if !length.is_null() {
        // SAFETY: promised by the caller.
        unsafe { length.write(text.len()) };
    }
    Ok(())
}

/// The failure for a key that is none of `known`.
pub fn unknown_key(key: &str, known: &[&str]) -> Failure {
    Failure::new(Status::UnknownKey, format!("no key \"{key}\": expected one of {}", known.join(", ")))
}

/// What `table` has for `key`.
///
/// # Errors
/// `UnknownKey`.
pub fn entry<'a, T>(key: &str, table: &'a [(&str, T)]) -> Result<&'a T, Failure> {
    let found = table.iter().find(|entry| entry.0 == key);
    let known = || table.iter().map(|entry| entry.0).collect::<Vec<_>>();
    found.map(|entry| &entry.1).ok_or_else(|| unknown_key(key, &known()))
}

/// Writes `value` to `out`, called `name` in messages.
///
/// # Safety
/// `out` is null or valid for writing.
///
/// # Errors
/// `InvalidArgument` if `out` is null.
pub unsafe fn put<T>(value: T, out: *mut T, name: &str) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::argument(format!("{name} is null")));
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(value) };
    Ok(())
}
