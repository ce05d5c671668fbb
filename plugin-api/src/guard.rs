//! The one way in: every export runs its work in here.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use crate::abi::partdiff_status as Status;
use crate::failure::Failure;
use crate::handles::{self, Object};

/// Runs `work` on the object of `handle`, which keeps the failure; nothing unwinds out of here.
pub fn guard<T: Object>(
    handle: *const T::Handle,
    work: impl FnOnce(&Arc<T>) -> Result<(), Failure>,
) -> Status {
    let mut object = None;
    let result = caught(|| work(object.insert(handles::get::<T>(handle)?)));
    let Err(failure) = result else { return Status::Ok };
    if let Some(object) = object {
        *object.latest_failure().lock().unwrap_or_else(PoisonError::into_inner) = failure.message;
    }
    failure.status
}

/// Runs `work` that has no object to keep the failure.
pub fn guard_alone(work: impl FnOnce() -> Result<(), Failure>) -> Status {
    caught(work).err().map_or(Status::Ok, |failure| failure.status)
}

/// Turns a panic into a failure.
pub fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(internal_error(panic)))
}

/// What a panic has to say.
pub fn internal_error(panic: Box<dyn Any + Send>) -> Failure {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("internal error (please report): {}", text.unwrap_or("no details"));
    // A payload of the host's own type might panic again when dropped.
    std::mem::forget(panic);
    Failure::new(Status::Internal, message)
}
