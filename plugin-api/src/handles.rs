//! Handles: numbers for hosts, objects for us.
//!
//! What a host holds is a key into one table and never an address, so one that was destroyed, mistaken or invented
//! is found out, and an object lives until the last call that uses it has ended.

use std::any::Any;
use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::abi::partdiff_status as Status;
use crate::failure::Failure;

/// Something behind a handle.
pub trait Object: Any + Send + Sync {
    /// The type that hosts know it by.
    type Handle;
    /// Its name in messages.
    const NAME: &'static str;
    /// Where it keeps the latest failure.
    fn latest_failure(&self) -> &Mutex<String>;
}

type Table = HashMap<usize, Arc<dyn Any + Send + Sync>>;

fn table() -> MutexGuard<'static, Table> {
    static TABLE: OnceLock<Mutex<Table>> = OnceLock::new();
    // Each change is a single insertion or removal.
    TABLE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enters `object` and returns its handle, which is never used again.
pub fn insert<T: Object>(object: T) -> *mut T::Handle {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    // An odd factor keeps counts apart and spreads them, so that small numbers and other handles hit nothing.
    const SPREAD: usize = 0x9E37_79B9_7F4A_7C15_u64 as usize | 1;
    let key = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(SPREAD);
    table().insert(key, Arc::new(object));
    ptr::without_provenance_mut(key)
}

/// The object of a handle.
///
/// # Errors
/// `InvalidHandle`.
pub fn get<T: Object>(handle: *const T::Handle) -> Result<Arc<T>, Failure> {
    let object = table().get(&handle.addr()).cloned();
    object.and_then(|object| object.downcast().ok()).ok_or_else(|| invalid::<T>(handle))
}

/// Ends a handle; its object goes with the last call that uses it.
///
/// # Errors
/// `InvalidHandle`.
pub fn remove<T: Object>(handle: *const T::Handle) -> Result<Arc<T>, Failure> {
    let object = get::<T>(handle)?;
    // Another thread may have been faster.
    table().remove(&handle.addr()).map(|_| object).ok_or_else(|| invalid::<T>(handle))
}

fn invalid<T: Object>(handle: *const T::Handle) -> Failure {
    let state = if handle.is_null() { "null" } else { "an invalid or freed handle" };
    Failure::new(Status::InvalidHandle, format!("{} is {state}", T::NAME))
}
