//! Many threads on one library.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use partdiff_host::{Input, Output, Status};

use crate::support::{context, image, library, model, pattern, rgb8};

#[test]
fn jobs_on_one_model_and_on_two_give_what_one_alone_gives() {
    let Some(model) = model() else { return };
    let second = context().open(None).unwrap();
    let (form, large) = (rgb8(48, 40), rgb8(192, 160));
    let pixels = pattern(form.bytes());
    let run = |model: &partdiff_host::Model, seed: i64| {
        let mut job = model.job().unwrap();
        job.set_int("steps", 2).unwrap();
        job.set_int("seed", seed).unwrap();
        job.set_real("eta", 1.0).unwrap();
        let mut result = vec![0; large.bytes()];
        job.run(&form, Input::Memory(&pixels), &large, Output::Memory(&mut result), None).unwrap();
        result
    };
    let alone: Vec<_> = (0..4).map(|seed| run(model, seed)).collect();
    assert_ne!(alone[0], alone[1]);
    thread::scope(|scope| {
        for seed in 0..4 {
            for model in [model, &second] {
                let (run, alone) = (&run, &alone);
                scope.spawn(move || assert!(run(model, seed as i64) == alone[seed]));
            }
        }
    });
}

/// A call waits in its callback until another one on the same model has returned. Both are small enough for the memory.
#[test]
fn jobs_of_one_model_are_at_work_at_the_same_time() {
    let Some(model) = model() else { return };
    let (form, large) = (rgb8(24, 16), rgb8(96, 64));
    let pixels = pattern(form.bytes());
    let run = |progress: partdiff_host::Progress<'_>| {
        let mut result = vec![0; large.bytes()];
        let output = Output::Memory(&mut result);
        model.job().unwrap().run(&form, Input::Memory(&pixels), &large, output, Some(progress)).unwrap();
    };
    let (begun, wait_for_begin) = mpsc::channel();
    let (ended, wait_for_end) = mpsc::channel();
    thread::scope(|scope| {
        let run = &run;
        scope.spawn(move || {
            wait_for_begin.recv().unwrap();
            run(&mut |_, _, _| true);
            ended.send(()).unwrap();
        });
        let mut first = true;
        run(&mut |_, _, _| {
            if std::mem::take(&mut first) {
                begun.send(()).unwrap();
                wait_for_end.recv().unwrap();
            }
            true
        });
    });
}

#[test]
fn two_threads_on_one_job_take_turns_or_hear_that_it_is_busy() {
    let Some(model) = model() else { return };
    let library = library();
    let f = library.functions();
    let mut job = ptr::null_mut();
    // SAFETY: the pointers are valid.
    unsafe { (f.partdiff_job_create)(model.handle(), &raw mut job) };
    let address = job.addr();
    let (done, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let job = ptr::without_provenance_mut(address);
                let (mut small, mut large) = (pattern(24 * 16 * 3), vec![0_u8; 96 * 64 * 3]);
                let (from, to) = (image(24, 16, &mut small), image(96, 64, &mut large));
                for _ in 0..5 {
                    // SAFETY: the images are this thread's own.
                    match unsafe { (f.partdiff_upscale)(job, &raw const from, &raw const to) } {
                        0 => done.fetch_add(1, Ordering::Relaxed),
                        code if code == Status::Busy as i32 => busy.fetch_add(1, Ordering::Relaxed),
                        code => panic!("status {code}"),
                    };
                }
            });
        }
    });
    assert_eq!(done.load(Ordering::Relaxed) + busy.load(Ordering::Relaxed), 20);
    assert!(done.load(Ordering::Relaxed) > 0);
    // SAFETY: the handle is ours.
    unsafe { (f.partdiff_job_destroy)(job) };
}

#[test]
fn handles_that_vanish_in_the_middle_are_only_statuses() {
    let Some(model) = model() else { return };
    let library = library();
    let f = library.functions();
    for round in 0..6_u64 {
        let mut job = ptr::null_mut();
        // SAFETY: the pointers are valid.
        unsafe { (f.partdiff_job_create)(model.handle(), &raw mut job) };
        let address = job.addr();
        thread::scope(|scope| {
            for worker in 0..4_u64 {
                scope.spawn(move || {
                    let job = ptr::without_provenance_mut(address);
                    let (mut small, mut large) = (pattern(16 * 16 * 3), vec![0_u8; 64 * 64 * 3]);
                    let (from, to) = (image(16, 16, &mut small), image(64, 64, &mut large));
                    let allowed = [Status::Ok, Status::Busy, Status::Cancelled, Status::InvalidHandle]
                        .map(|s| s as i32);
                    for turn in 0..8_u64 {
                        // SAFETY: the arguments are valid, whatever became of the handle.
                        let code = unsafe {
                            match (worker + turn * 3 + round) % 7 {
                                0 => (f.partdiff_job_cancel)(job),
                                1 => (f.partdiff_job_set_int)(job, c"steps".as_ptr(), 1 + turn as i64 % 3),
                                2 if turn == 7 => (f.partdiff_job_destroy)(job),
                                3 => (f.partdiff_job_error)(job, ptr::null_mut(), 0, &mut 0),
                                _ => (f.partdiff_upscale)(job, &raw const from, &raw const to),
                            }
                        };
                        assert!(allowed.contains(&code), "status {code}");
                    }
                });
            }
        });
        // SAFETY: it may be gone already.
        unsafe { (f.partdiff_job_destroy)(job) };
    }
}

#[test]
fn owners_may_end_in_any_order() {
    if model().is_none() {
        return;
    }
    let context = context();
    let model = context.open(None).unwrap();
    drop(context);
    let mut job = model.job().unwrap();
    drop(model);
    let (form, large) = (rgb8(12, 9), rgb8(48, 36));
    let pixels = pattern(form.bytes());
    let mut result = vec![0; large.bytes()];
    job.run(&form, Input::Memory(&pixels), &large, Output::Memory(&mut result), None).unwrap();
    assert!(result.iter().any(|&byte| byte > 0));
}
