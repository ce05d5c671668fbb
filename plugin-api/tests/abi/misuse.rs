//! What hosts do wrong: a status, never a crash.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use partdiff_host::abi::{PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, partdiff_image};
use partdiff_host::{Functions, Status};

use crate::support::{context, library, model, pattern};

fn expect(code: i32, status: Status) {
    assert_eq!(code, status as i32, "expected {status:?}");
}

fn image(width: u32, height: u32, data: &mut [u8]) -> partdiff_image {
    partdiff_image {
        struct_size: size_of::<partdiff_image>() as u32,
        sample: 1,
        color: 3,
        layout: 0,
        width,
        height,
        data: data.as_mut_ptr().cast(),
        size: data.len(),
        row_stride: 0,
        plane_stride: 0,
    }
}

/// A job of the default model, and the functions.
fn with_job(test: impl FnOnce(&Functions, *mut partdiff_host::abi::partdiff_job)) {
    let Some(model) = model() else { return };
    let library = library();
    let f = library.functions();
    let mut job = ptr::null_mut();
    // SAFETY: the model lives for ever.
    expect(unsafe { (f.partdiff_job_create)(model.handle(), &raw mut job) }, Status::Ok);
    test(f, job);
    // SAFETY: the handle is ours.
    expect(unsafe { (f.partdiff_job_destroy)(job) }, Status::Ok);
}

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
        expect((f.partdiff_context_set_int)(handle, c"threads".as_ptr(), -1), Status::InvalidOption);
        expect((f.partdiff_context_set_int)(handle, c"threads".as_ptr(), i64::MAX), Status::InvalidOption);
        expect((f.partdiff_context_set_int)(handle, c"device".as_ptr(), 1), Status::UnknownKey);
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

#[test]
fn options_are_checked_one_by_one() {
    with_job(|f, job| {
        let text = |key: &str, value: &str| {
            let (key, value) = (CString::new(key).unwrap(), CString::new(value).unwrap());
            // SAFETY: both texts live during the call.
            unsafe { (f.partdiff_job_set_text)(job, key.as_ptr(), value.as_ptr()) }
        };
        expect(text("steps", "0"), Status::InvalidOption);
        expect(text("steps", "many"), Status::InvalidOption);
        expect(text("stepps", "1"), Status::UnknownKey);
        expect(text("scale", "1e9"), Status::InvalidOption);
        expect(text("sampler", "euler"), Status::InvalidOption);
        expect(text("scale", "2,5"), Status::InvalidOption);
        expect(text("scale", "2.5"), Status::Ok);
        // SAFETY: the key ends with a zero or is null.
        unsafe {
            expect((f.partdiff_job_set_real)(job, c"eta".as_ptr(), f64::NAN), Status::InvalidOption);
            expect((f.partdiff_job_set_real)(job, ptr::null(), 1.0), Status::InvalidArgument);
            expect((f.partdiff_job_set_int)(job, c"preset".as_ptr(), 1), Status::InvalidOption);
            expect((f.partdiff_job_set_profile)(job, b"x".as_ptr(), usize::MAX), Status::InvalidArgument);
            let mut side = 0;
            expect(
                (f.partdiff_job_output_size)(job, 0, 5, &raw mut side, &raw mut side),
                Status::InvalidArgument,
            );
            expect(
                (f.partdiff_job_output_size)(job, 5, 5, ptr::null_mut(), &raw mut side),
                Status::InvalidArgument,
            );
            expect(
                (f.partdiff_job_output_size)(job, u32::MAX, 5, &raw mut side, &raw mut side),
                Status::Limit,
            );
        }
        // Options that only the model can judge are judged before any work.
        expect(text("preset", "nonesuch"), Status::Ok);
        let (mut small, mut large) = (pattern(8 * 6 * 3), vec![0; 20 * 15 * 3]);
        let (from, to) = (image(8, 6, &mut small), image(20, 15, &mut large));
        // SAFETY: both pictures hold together.
        expect(unsafe { (f.partdiff_upscale)(job, &raw const from, &raw const to) }, Status::InvalidOption);
    });
}

#[test]
fn pictures_that_do_not_hold_together_are_refused() {
    with_job(|f, job| {
        let (mut small, mut large) = (pattern(8 * 6 * 3), vec![0x77; 32 * 24 * 3]);
        let (from, to) = (image(8, 6, &mut small), image(32, 24, &mut large));
        let run = |from: &partdiff_image, to: &partdiff_image| {
            // SAFETY: what is wrong with the pictures is tested before their data is touched.
            unsafe { (f.partdiff_upscale)(job, from, to) }
        };
        // SAFETY: null is what is tested.
        unsafe {
            expect((f.partdiff_upscale)(job, ptr::null(), &raw const to), Status::InvalidArgument);
            expect((f.partdiff_upscale)(job, &raw const from, ptr::null()), Status::InvalidArgument);
        }
        type Change = fn(&mut partdiff_image);
        let bad: &[Change] = &[
            |image| image.struct_size = 0,
            |image| image.struct_size -= 1,
            |image| image.sample = 0,
            |image| image.sample = 5,
            |image| image.color = 0,
            |image| image.color = u32::MAX,
            |image| image.layout = 2,
            |image| image.width = 0,
            |image| image.height = 0,
            |image| image.data = ptr::null_mut(),
            |image| image.size -= 1,
            |image| image.size = 0,
            |image| image.row_stride = 1,
            |image| image.row_stride = image.width as usize * 3 - 1,
            |image| image.row_stride = image.width as usize * 3 + 1,
            |image| image.row_stride = usize::MAX,
            |image| (image.layout, image.plane_stride) = (1, 1),
            |image| (image.layout, image.plane_stride) = (1, usize::MAX),
            |image| (image.sample, image.color) = (4, 4),
            |image| (image.width, image.height) = (u32::MAX, u32::MAX),
        ];
        for (index, change) in bad.iter().enumerate() {
            let (mut wrong, mut wrong_too) = (from, to);
            change(&mut wrong);
            change(&mut wrong_too);
            assert_eq!(run(&wrong, &to), Status::InvalidArgument as i32, "input {index}");
            assert_eq!(run(&from, &wrong_too), Status::InvalidArgument as i32, "output {index}");
        }
        // Sizes and channels that do not fit the input.
        expect(run(&from, &partdiff_image { width: 31, ..to }), Status::InvalidArgument);
        expect(run(&from, &partdiff_image { color: 1, ..to }), Status::InvalidArgument);
        // The same memory, and memory that overlaps by one byte.
        expect(run(&partdiff_image { data: to.data, size: to.size, ..from }, &to), Status::InvalidArgument);
        let last = to.data.wrapping_byte_add(to.size - 1);
        expect(run(&partdiff_image { data: last, ..from }, &to), Status::InvalidArgument);
        let before = to.data.wrapping_byte_sub(from.size - 1);
        expect(run(&partdiff_image { data: before, ..from }, &to), Status::InvalidArgument);
        assert!(large.iter().all(|&byte| byte == 0x77), "nothing was written");
        expect(run(&from, &to), Status::Ok);
    });
}

#[test]
fn values_that_are_no_numbers_are_named_by_place() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    use partdiff_host::{Color, Form, Input, Output, Sample};
    let form = Form::new(Sample::F32, Color::Rgba, 6, 5);
    let large = Form { width: 24, height: 20, ..form };
    for (bad, channel, what) in [(f32::NAN, 1, "colour"), (f32::INFINITY, 3, "alpha")] {
        let mut values = [0.5_f32; 6 * 5 * 4];
        values[(3 * 6 + 2) * 4 + channel] = bad;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let mut result = vec![0; large.bytes()];
        let error =
            job.run(&form, Input::Memory(&bytes), &large, Output::Memory(&mut result), None).unwrap_err();
        assert_eq!(error.status, Status::Input);
        assert!(error.message.contains(what) && error.message.contains("column 2, row 3"), "{error}");
    }
}

#[test]
fn too_little_memory_is_a_limit() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    use partdiff_host::{Input, Output};
    let (form, large) = (crate::support::rgb8(300, 200), crate::support::rgb8(1200, 800));
    job.set_int("memory", 1 << 20).unwrap();
    let pixels = pattern(form.bytes());
    let mut result = vec![0; large.bytes()];
    let error =
        job.run(&form, Input::Memory(&pixels), &large, Output::Memory(&mut result), None).unwrap_err();
    assert_eq!(error.status, Status::Limit, "{error}");
    assert!(error.message.contains("MiB"));
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
        assert!(error.message.contains("is no libpartdiff"), "{error}");
    }
}
