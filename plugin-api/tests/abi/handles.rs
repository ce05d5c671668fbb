//! Handles and versions that are not what the host believes: a status, never a crash.

use std::ffi::CStr;
use std::ptr;

use partdiff_host::Status;
use partdiff_host::abi::{PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR};

use crate::support::{context, expect, library};

#[test]
fn another_abi_is_refused() {
    let library = library();
    let f = library.functions();
    let mut context = ptr::null_mut();
    for (major, minor) in [
        (PARTDIFF_ABI_MAJOR + 1, 0),
        (PARTDIFF_ABI_MAJOR - 1, 0),
        (PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR + 1),
        (u32::MAX, u32::MAX),
    ] {
        // SAFETY: the pointer is valid.
        let code = unsafe { (f.partdiff_context_create)(major, minor, &raw mut context) };
        expect(code, Status::AbiMismatch);
        assert!(context.is_null());
    }
    // SAFETY: null is allowed and refused.
    let code =
        unsafe { (f.partdiff_context_create)(PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, ptr::null_mut()) };
    expect(code, Status::InvalidArgument);
    for code in [-1, 0, 3, 15, 16, i32::MAX, i32::MIN] {
        // SAFETY: any number is allowed.
        let text = unsafe { CStr::from_ptr((f.partdiff_status_text)(code)) };
        assert_eq!(text == c"unknown status", !(0..=15).contains(&code));
    }
}

#[test]
fn null_freed_and_mistaken_handles_are_found_out() {
    let library = library();
    let f = library.functions();
    let mut freed = ptr::null_mut();
    // SAFETY: the pointers are valid, the handles are made for this.
    unsafe {
        expect(
            (f.partdiff_context_create)(PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, &raw mut freed),
            Status::Ok,
        );
        expect((f.partdiff_context_destroy)(freed), Status::Ok);
        expect((f.partdiff_context_destroy)(freed), Status::InvalidHandle);
    }
    let alive = context();
    let alive = alive.handle();
    for address in [0, freed.addr(), alive.addr() ^ 1, 1, 8, usize::MAX] {
        let context = ptr::without_provenance_mut(address);
        let (mut number, mut length, mut width) = (0_i64, 0_usize, 0_u32);
        let mut model = ptr::null_mut();
        // SAFETY: other arguments are valid; bad handles are what is tested.
        let codes = unsafe {
            [
                (f.partdiff_context_destroy)(context),
                (f.partdiff_context_set_text)(context, c"device".as_ptr(), ptr::null()),
                (f.partdiff_context_set_int)(context, c"threads".as_ptr(), 1),
                (f.partdiff_context_get_text)(
                    context,
                    c"models".as_ptr(),
                    ptr::null_mut(),
                    0,
                    &raw mut length,
                ),
                (f.partdiff_context_error)(context, ptr::null_mut(), 0, &raw mut length),
                (f.partdiff_model_open)(context, ptr::null(), &raw mut model),
                (f.partdiff_model_open_memory)(context, b"x".as_ptr(), 1, &raw mut model),
            ]
        };
        codes.into_iter().for_each(|code| expect(code, Status::InvalidHandle));
        // A living context is no model and no job.
        for address in [address, alive.addr()] {
            let (model, job) = (ptr::without_provenance_mut(address), ptr::without_provenance_mut(address));
            let mut made = ptr::null_mut();
            // SAFETY: as above.
            let codes = unsafe {
                [
                    (f.partdiff_model_destroy)(model),
                    (f.partdiff_model_get_text)(model, c"name".as_ptr(), ptr::null_mut(), 0, &raw mut length),
                    (f.partdiff_model_get_int)(model, c"scale".as_ptr(), &raw mut number),
                    (f.partdiff_model_error)(model, ptr::null_mut(), 0, &raw mut length),
                    (f.partdiff_job_create)(model, &raw mut made),
                    (f.partdiff_job_destroy)(job),
                    (f.partdiff_job_set_text)(job, c"scale".as_ptr(), ptr::null()),
                    (f.partdiff_job_set_int)(job, c"steps".as_ptr(), 1),
                    (f.partdiff_job_set_real)(job, c"eta".as_ptr(), 0.0),
                    (f.partdiff_job_set_profile)(job, ptr::null(), 0),
                    (f.partdiff_job_set_progress)(job, None, ptr::null_mut()),
                    (f.partdiff_job_output_size)(job, 1, 1, &raw mut width, &raw mut width),
                    (f.partdiff_upscale)(job, ptr::null(), ptr::null()),
                    (f.partdiff_upscale_strips)(
                        job,
                        ptr::null(),
                        None,
                        ptr::null_mut(),
                        ptr::null(),
                        None,
                        ptr::null_mut(),
                    ),
                    (f.partdiff_job_cancel)(job),
                    (f.partdiff_job_get_text)(job, c"report".as_ptr(), ptr::null_mut(), 0, &raw mut length),
                    (f.partdiff_job_error)(job, ptr::null_mut(), 0, &raw mut length),
                ]
            };
            codes.into_iter().for_each(|code| expect(code, Status::InvalidHandle));
        }
    }
}

#[test]
fn a_library_that_is_none_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libpartdiff.so");
    std::fs::write(&text, "no library").unwrap();
    for path in [text.as_path(), std::path::Path::new("/no/such/libpartdiff.so")] {
        let error = partdiff_host::Library::open(path).unwrap_err();
        assert_eq!(error.status, Status::AbiMismatch);
        assert!(error.message.contains("libpartdiff.so"), "{error}");
    }
    #[cfg(target_os = "linux")]
    {
        let error = partdiff_host::Library::open(std::path::Path::new("libm.so.6")).unwrap_err();
        assert!(error.message.contains("is not libpartdiff"), "{error}");
    }
}
