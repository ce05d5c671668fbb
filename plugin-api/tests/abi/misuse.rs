//! Inconsistent options and images: a status, never a crash.

use std::ffi::CString;
use std::ptr;

use partdiff_host::abi::partdiff_image;
use partdiff_host::{Color, Form, Functions, Input, Output, Sample, Status};

use crate::support::{expect, image, library, model, pattern, rgb8};

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
        // SAFETY: both images are consistent.
        expect(unsafe { (f.partdiff_upscale)(job, &raw const from, &raw const to) }, Status::InvalidOption);
    });
}

#[test]
fn inconsistent_images_are_refused() {
    with_job(|f, job| {
        let (mut small, mut large) = (pattern(8 * 6 * 3), vec![0x77; 32 * 24 * 3]);
        let (from, to) = (image(8, 6, &mut small), image(32, 24, &mut large));
        let run = |from: &partdiff_image, to: &partdiff_image| {
            // SAFETY: what is wrong with the images is tested before their data is touched.
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
    let (form, large) = (rgb8(300, 200), rgb8(1200, 800));
    job.set_int("memory", 1 << 20).unwrap();
    let pixels = pattern(form.bytes());
    let mut result = vec![0; large.bytes()];
    let error =
        job.run(&form, Input::Memory(&pixels), &large, Output::Memory(&mut result), None).unwrap_err();
    assert_eq!(error.status, Status::Limit, "{error}");
    assert!(error.message.contains("MiB"));
}
