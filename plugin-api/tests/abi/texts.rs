//! Texts in and out: checked, cut to the buffer, ended.

use std::ffi::{CStr, c_char};
use std::ptr;

use partdiff_host::Status;

use crate::support::{context, expect, library};

#[test]
fn null_and_wrong_texts_are_refused() {
    let library = library();
    let f = library.functions();
    let context = context();
    let handle = context.handle();
    let bad_utf8: &[c_char] = &[-1, 0];
    let mut length = 0;
    // SAFETY: texts end with a zero or are null.
    unsafe {
        expect((f.partdiff_context_set_text)(handle, ptr::null(), ptr::null()), Status::InvalidArgument);
        expect(
            (f.partdiff_context_set_text)(handle, bad_utf8.as_ptr(), ptr::null()),
            Status::InvalidArgument,
        );
        expect(
            (f.partdiff_context_set_text)(handle, c"device".as_ptr(), bad_utf8.as_ptr()),
            Status::InvalidArgument,
        );
        expect(
            (f.partdiff_context_set_text)(handle, c"device".as_ptr(), c"abacus".as_ptr()),
            Status::InvalidOption,
        );
        expect((f.partdiff_context_set_text)(handle, c"?".as_ptr(), ptr::null()), Status::UnknownKey);
        for wrong in [c"much", c"1M"] {
            expect(
                (f.partdiff_context_set_text)(handle, c"memory".as_ptr(), wrong.as_ptr()),
                Status::InvalidOption,
            );
        }
        expect((f.partdiff_context_set_int)(handle, c"threads".as_ptr(), -1), Status::InvalidOption);
        expect((f.partdiff_context_set_int)(handle, c"threads".as_ptr(), i64::MAX), Status::InvalidOption);
        expect((f.partdiff_context_set_int)(handle, c"device".as_ptr(), 1), Status::UnknownKey);
        expect((f.partdiff_context_set_int)(handle, c"memory".as_ptr(), 128 << 20), Status::InvalidOption);
        expect((f.partdiff_context_set_int)(handle, c"memory".as_ptr(), 1 << 30), Status::Ok);
        expect((f.partdiff_context_set_text)(handle, c"memory".as_ptr(), ptr::null()), Status::Ok);
        expect(
            (f.partdiff_context_get_text)(handle, c"?".as_ptr(), ptr::null_mut(), 0, &raw mut length),
            Status::UnknownKey,
        );
        expect(
            (f.partdiff_context_get_text)(handle, c"models".as_ptr(), ptr::null_mut(), 9, ptr::null_mut()),
            Status::InvalidArgument,
        );
        expect((f.partdiff_model_open)(handle, ptr::null(), ptr::null_mut()), Status::InvalidArgument);
        expect((f.partdiff_model_open)(handle, bad_utf8.as_ptr(), ptr::null_mut()), Status::InvalidArgument);
        let mut model = ptr::null_mut();
        expect((f.partdiff_model_open)(handle, c"/no/such.partdiff".as_ptr(), &raw mut model), Status::Model);
        expect(
            (f.partdiff_model_open_memory)(handle, ptr::null(), 5, &raw mut model),
            Status::InvalidArgument,
        );
        expect(
            (f.partdiff_model_open_memory)(handle, b"?".as_ptr(), usize::MAX, &raw mut model),
            Status::InvalidArgument,
        );
        expect(
            (f.partdiff_model_open_memory)(handle, b"PK rubbish".as_ptr(), 10, &raw mut model),
            Status::Model,
        );
        assert!(model.is_null());
    }
    let message = {
        let mut buffer = [0x55_u8; 400];
        // SAFETY: the buffer lives during the call.
        let code = unsafe {
            (f.partdiff_context_error)(handle, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut length)
        };
        expect(code, Status::Ok);
        CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap().to_owned()
    };
    assert!(message.contains("not a zipped model bundle"), "{message}");
    assert_eq!(message.len(), length);
}

#[test]
fn texts_are_cut_to_the_buffer_and_ended() {
    let library = library();
    let f = library.functions();
    let context = context();
    let whole = context.text("default_model").unwrap();
    for size in 0..whole.len() + 3 {
        let mut buffer = vec![0x55_u8; whole.len() + 3];
        let mut length = 0;
        // SAFETY: the buffer has more than `size` bytes.
        let code = unsafe {
            (f.partdiff_context_get_text)(
                context.handle(),
                c"default_model".as_ptr(),
                buffer.as_mut_ptr().cast(),
                size,
                &raw mut length,
            )
        };
        expect(code, Status::Ok);
        assert_eq!(length, whole.len());
        assert!(buffer[size..].iter().all(|&byte| byte == 0x55));
        if size > 0 {
            let text = CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap();
            assert_eq!(text, &whole[..whole.len().min(size - 1)]);
        }
    }
}

#[test]
fn a_characters_bytes_stay_together_when_cut() {
    let context = context();
    // The message names the device that it does not know.
    let error = context.set_text("device", Some("äöü")).unwrap_err();
    assert!(error.message.contains("äöü"));
    let library = library();
    for size in 1..=error.message.len() + 1 {
        let mut buffer = vec![0_u8; size];
        // SAFETY: the buffer has `size` bytes.
        unsafe {
            (library.functions().partdiff_context_error)(
                context.handle(),
                buffer.as_mut_ptr().cast(),
                size,
                ptr::null_mut(),
            )
        };
        let text = CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap();
        assert!(error.message.starts_with(text) && text.len() + 3 > size - 1);
    }
}
