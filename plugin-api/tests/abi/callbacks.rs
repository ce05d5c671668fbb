//! Callbacks: on which thread, what they may do, and what becomes of their failures.

use std::ffi::c_void;
use std::ptr;
use std::thread;

use partdiff_capi::context::{partdiff_context_create, partdiff_context_destroy, partdiff_context_set_text};
use partdiff_capi::job::{
    partdiff_job_create, partdiff_job_destroy, partdiff_job_error, partdiff_job_set_progress,
};
use partdiff_capi::model::{partdiff_model_destroy, partdiff_model_open};
use partdiff_capi::upscale::{partdiff_upscale, partdiff_upscale_strips};
use partdiff_host::abi::partdiff_job;
use partdiff_host::{Error, Input, Job, Output, Status, Strip, StripMut};

use crate::support::{image, library, model, pattern, rgb8};

/// Runs a small image; each function may end it.
fn run(
    job: &mut Job,
    progress: &mut dyn FnMut(f64, u32, u32) -> bool,
    read: &mut dyn FnMut(StripMut<'_>) -> bool,
    write: &mut dyn FnMut(Strip<'_>) -> bool,
) -> Result<(), Error> {
    let (form, large) = (rgb8(40, 30), rgb8(160, 120));
    job.run(&form, Input::Rows(read), &large, Output::Rows(write), Some(progress))
}

/// A run to its end.
fn whole(job: &mut Job) -> Result<(), Error> {
    run(job, &mut |_, _, _| true, &mut |_| true, &mut |_| true)
}

#[test]
fn all_are_called_on_the_calling_thread_in_order() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    job.set_int("steps", 3).unwrap();
    job.set_int("tile", 16).unwrap();
    let here = thread::current().id();
    let (mut last, mut steps_seen, mut rows_read, mut rows_written) = (0.0, Vec::new(), 0, 0);
    run(
        &mut job,
        &mut |fraction, step, steps| {
            assert_eq!((thread::current().id(), steps), (here, 3));
            assert!(fraction >= last && step <= 3);
            last = fraction;
            steps_seen.push(step);
            true
        },
        &mut |strip| {
            assert_eq!((thread::current().id(), strip.top), (here, rows_read));
            rows_read += strip.rows;
            true
        },
        &mut |strip| {
            assert_eq!((thread::current().id(), strip.top), (here, rows_written));
            assert_eq!(strip.bytes.len(), strip.rows as usize * 160 * 3);
            rows_written += strip.rows;
            true
        },
    )
    .unwrap();
    assert_eq!((rows_read, rows_written), (30, 120));
    assert!(last > 0.999 && steps_seen.last() == Some(&3), "{last} {steps_seen:?}");
}

#[test]
fn what_a_callback_refuses_is_told() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    let error = run(&mut job, &mut |_, _, _| false, &mut |_| true, &mut |_| true).unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    let error = run(&mut job, &mut |_, _, _| true, &mut |_| false, &mut |_| true).unwrap_err();
    assert_eq!(error.status, Status::Callback);
    assert!(error.message.contains("delivers rows"), "{error}");
    let error = run(&mut job, &mut |_, _, _| true, &mut |_| true, &mut |_| false).unwrap_err();
    assert_eq!(error.status, Status::Callback);
    assert!(error.message.contains("takes rows"), "{error}");
    whole(&mut job).unwrap();
}

#[test]
fn calls_from_callbacks_have_a_status() {
    let Some(model) = model() else { return };
    let library = library();
    let f = library.functions();
    let mut job = model.job().unwrap();
    let mut other = model.job().unwrap();
    let handle = job.handle();
    let codes = |other: &mut Job| {
        // SAFETY: the arguments are valid; the moment is what is tested.
        let own = unsafe {
            [
                (f.partdiff_job_set_int)(handle, c"steps".as_ptr(), 2),
                (f.partdiff_job_set_progress)(handle, None, ptr::null_mut()),
                (f.partdiff_upscale)(handle, ptr::null(), ptr::null()),
            ]
        };
        assert_ne!(own[2], Status::Ok as i32);
        assert_eq!(own[..2], [Status::Busy as i32; 2]);
        assert_eq!(whole(other).unwrap_err().status, Status::Busy);
        let mut width = 0;
        // SAFETY: as above.
        let reading = unsafe { (f.partdiff_job_output_size)(handle, 4, 4, &raw mut width, &raw mut width) };
        assert_eq!((reading, width), (0, 16));
        true
    };
    let mut calls = 0;
    let (mut first, mut second) = (model.job().unwrap(), model.job().unwrap());
    run(
        &mut job,
        &mut |_, _, _| {
            calls += 1;
            codes(&mut other)
        },
        &mut |_| codes(&mut first),
        &mut |_| codes(&mut second),
    )
    .unwrap();
    assert!(calls > 0);
    whole(&mut job).unwrap();
}

#[test]
fn cancelling_works_before_during_and_after() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    let canceller = job.canceller();
    canceller.cancel();
    let mut read = false;
    let before = run(
        &mut job,
        &mut |_, _, _| true,
        &mut |_| {
            read = true;
            true
        },
        &mut |_| true,
    );
    assert_eq!(before.unwrap_err().status, Status::Cancelled);
    assert!(!read, "nothing is done for a job that was cancelled before");
    // The cancellation is used up.
    whole(&mut job).unwrap();
    let during = run(
        &mut job,
        &mut |_, _, _| true,
        &mut |_| {
            canceller.cancel();
            true
        },
        &mut |_| true,
    );
    assert_eq!(during.unwrap_err().status, Status::Cancelled);
    // From another thread, in the middle of the networks.
    job.set_int("steps", 40).unwrap();
    let mut told = 0;
    let from_elsewhere = run(
        &mut job,
        &mut |_, _, _| {
            told += 1;
            if told == 1 {
                let canceller = canceller.clone();
                thread::spawn(move || canceller.cancel());
            }
            true
        },
        &mut |_| true,
        &mut |_| true,
    );
    assert_eq!(from_elsewhere.unwrap_err().status, Status::Cancelled);
    job.set_int("steps", 1).unwrap();
    whole(&mut job).unwrap();
    // After the end it is for the next run.
    canceller.cancel();
    assert_eq!(whole(&mut job).unwrap_err().status, Status::Cancelled);
    whole(&mut job).unwrap();
    drop(job);
    canceller.cancel();
}

#[test]
fn a_panic_of_the_host_goes_on_in_the_host() {
    let Some(model) = model() else { return };
    let mut job = model.job().unwrap();
    let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(&mut job, &mut |_, _, _| panic!("in progress"), &mut |_| true, &mut |_| true)
    }));
    assert_eq!(thrown.unwrap_err().downcast_ref(), Some(&"in progress"));
    whole(&mut job).unwrap();
}

unsafe extern "C-unwind" fn panics(_: *mut c_void, _: f64, _: u32, _: u32) -> i32 {
    panic!("thrown by progress")
}

unsafe extern "C-unwind" fn panics_with_rows(
    _: *mut c_void,
    _: u32,
    _: *const partdiff_capi::abi::partdiff_image,
) -> i32 {
    panic!("thrown by rows")
}

/// A panic of a callback itself, inside the library's frames: here the library is linked, so that both have the same
/// runtime.
#[test]
fn a_panic_inside_the_library_is_a_status() {
    if model().is_none() {
        return;
    }
    let (mut context, mut model, mut job) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let (mut small, mut large) = (pattern(20 * 10 * 3), vec![0_u8; 80 * 40 * 3]);
    let (from, to) = (image(20, 10, &mut small), image(80, 40, &mut large));
    let message = |job: *mut partdiff_capi::abi::partdiff_job| {
        let mut buffer = [0_u8; 200];
        // SAFETY: the buffer lives during the call.
        unsafe { partdiff_job_error(job, buffer.as_mut_ptr().cast(), buffer.len(), ptr::null_mut()) };
        String::from_utf8_lossy(&buffer).trim_end_matches('\0').to_owned()
    };
    // The same C struct, here as another type of Rust.
    let (from, to) = ((&raw const from).cast(), (&raw const to).cast());
    let internal = partdiff_capi::abi::partdiff_status::Internal;
    // SAFETY: all pointers live during the calls.
    unsafe {
        let _ = partdiff_context_create(1, 0, &raw mut context);
        let _ = partdiff_context_set_text(context, c"device".as_ptr(), c"cpu".as_ptr());
        let _ = partdiff_model_open(context, ptr::null(), &raw mut model);
        let _ = partdiff_job_create(model, &raw mut job);
        let _ = partdiff_job_set_progress(job, Some(panics), ptr::null_mut());
        assert_eq!(partdiff_upscale(job, from, to), internal);
        assert!(message(job).contains("thrown by progress"), "{}", message(job));
        let _ = partdiff_job_set_progress(job, None, ptr::null_mut());
        for (read, write) in [(Some(panics_with_rows as _), None), (None, Some(panics_with_rows as _))] {
            let nobody = ptr::null_mut();
            let code = partdiff_upscale_strips(job, from, read, nobody, to, write, nobody);
            assert_eq!(code, internal);
            assert!(message(job).contains("thrown by rows"), "{}", message(job));
        }
        // It goes on working.
        let ok = partdiff_capi::abi::partdiff_status::Ok;
        assert_eq!(partdiff_upscale(job, from, to), ok);
        assert_eq!(partdiff_job_destroy(job), ok);
        assert_eq!(partdiff_model_destroy(model), ok);
        assert_eq!(partdiff_context_destroy(context), ok);
    }
}

#[test]
fn a_job_destroyed_by_its_own_callback_ends_cancelled() {
    let Some(model) = model() else { return };
    let library = library();
    let f = library.functions();
    let mut job: *mut partdiff_job = ptr::null_mut();
    struct End(unsafe extern "C" fn(*mut partdiff_job) -> i32, *mut partdiff_job, i32);
    unsafe extern "C-unwind" fn destroy(user: *mut c_void, _: f64, _: u32, _: u32) -> i32 {
        // SAFETY: `user` is the `End` below.
        let end = unsafe { &mut *user.cast::<End>() };
        // SAFETY: the handle was living, at least the first time.
        end.2 = end.2.max(unsafe { end.0(end.1) });
        0
    }
    let (mut small, mut large) = (pattern(100 * 80 * 3), vec![0_u8; 400 * 320 * 3]);
    // SAFETY: all pointers live during the calls.
    unsafe {
        (f.partdiff_job_create)(model.handle(), &raw mut job);
        (f.partdiff_job_set_int)(job, c"steps".as_ptr(), 40);
        let mut end = End(f.partdiff_job_destroy, job, -1);
        (f.partdiff_job_set_progress)(job, Some(destroy), (&raw mut end).cast());
        let (from, to) = (image(100, 80, &mut small), image(400, 320, &mut large));
        let code = (f.partdiff_upscale)(job, &raw const from, &raw const to);
        assert_eq!(code, Status::Cancelled as i32);
        assert!([Status::Ok as i32, Status::InvalidHandle as i32].contains(&end.2));
        assert_eq!((f.partdiff_job_cancel)(job), Status::InvalidHandle as i32);
    }
}
