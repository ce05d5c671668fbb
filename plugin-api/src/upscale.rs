//! The calls that an image goes in through, and its result out.

use std::ffi::c_void;
use std::slice;

use crate::abi::{partdiff_image, partdiff_job, partdiff_read_rows, partdiff_status, partdiff_write_rows};
use crate::failure::Failure;
use crate::guard::guard;
use crate::image::Form;
use crate::job::Job;
use crate::run::{HostCall, Sink, Source};

/// Enlarges `input` into `output`, both in memory and not overlapping. Returns when it is done.
///
/// `output` has the input's `color` and the size that partdiff_job_output_size() tells; sample, layout and strides
/// are free. After a failure its contents are undefined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_upscale(
    job: *mut partdiff_job,
    input: *const partdiff_image,
    output: *const partdiff_image,
) -> partdiff_status {
    // SAFETY: promised by the caller.
    guard::<Job>(job, |job| unsafe { upscale(job, input, None, output, None) })
}

/// As partdiff_upscale(), but with `read` the input, and with `write` the result, goes through strips: `data` and
/// `size` of that image are ignored, sample, layout and size hold. Where `read` or `write` is null, the image is
/// in memory. Never is there a whole result in the library's memory because of this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_upscale_strips(
    job: *mut partdiff_job,
    input: *const partdiff_image,
    read: partdiff_read_rows,
    read_user: *mut c_void,
    output: *const partdiff_image,
    write: partdiff_write_rows,
    write_user: *mut c_void,
) -> partdiff_status {
    let read = read.map(|read| HostCall(Some(read), read_user));
    let write = write.map(|write| HostCall(Some(write), write_user));
    // SAFETY: promised by the caller.
    guard::<Job>(job, |job| unsafe { upscale(job, input, read, output, write) })
}

/// Checks both images and runs the job.
///
/// # Safety
/// As `partdiff_upscale`.
unsafe fn upscale(
    job: &Job,
    input: *const partdiff_image,
    read: Option<HostCall<partdiff_read_rows>>,
    output: *const partdiff_image,
    write: Option<HostCall<partdiff_write_rows>>,
) -> Result<(), Failure> {
    // SAFETY: promised by the caller.
    let (input, output) = unsafe { (fetch(input, "input")?, fetch(output, "output")?) };
    let (from, to) = (Form::new(&input, "input")?, Form::new(&output, "output")?);
    let needed = |form: &Form, image: &partdiff_image, name: &str| {
        let bytes = form.bytes().unwrap_or(usize::MAX);
        if image.data.is_null() {
            return Err(Failure::argument(format!("{name}.data is null, and there is no callback")));
        }
        if image.size < bytes {
            return Err(Failure::argument(format!(
                "{name}.size is {}: expected at least {bytes}",
                image.size
            )));
        }
        Ok(bytes)
    };
    let given = if read.is_none() { needed(&from, &input, "input")? } else { 0 };
    let taken = if write.is_none() { needed(&to, &output, "output")? } else { 0 };
    let (start, target) = (input.data.addr(), output.data.addr());
    if given > 0 && taken > 0 && start < target.saturating_add(taken) && target < start.saturating_add(given)
    {
        return Err(Failure::argument("input and output overlap"));
    }
    let source = match read {
        Some(read) => Source::Rows(read),
        // SAFETY: `size` bytes are promised by the caller, and `given` are not more.
        None => Source::Memory(unsafe { slice::from_raw_parts(input.data.cast(), given) }),
    };
    let sink = match write {
        Some(write) => Sink::Rows(write),
        // SAFETY: as above; nobody else changes them, and the input lies elsewhere.
        None => Sink::Memory(unsafe { slice::from_raw_parts_mut(output.data.cast(), taken) }),
    };
    job.upscale(&from, source, &to, sink)
}

/// A copy of the description at `image`.
///
/// # Safety
/// `image` is null or points to as many bytes as its `struct_size` says.
unsafe fn fetch(image: *const partdiff_image, name: &str) -> Result<partdiff_image, Failure> {
    if image.is_null() {
        return Err(Failure::argument(format!("{name} is null")));
    }
    // SAFETY: promised by the caller; the size comes first.
    let size = unsafe { image.cast::<u32>().read_unaligned() };
    let expected = size_of::<partdiff_image>();
    if (size as usize) < expected {
        return Err(Failure::argument(format!("{name}.struct_size is {size}: expected {expected}")));
    }
    // SAFETY: promised by the caller.
    Ok(unsafe { image.read_unaligned() })
}
