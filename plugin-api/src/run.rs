//! One image through the engine: the engine works on a thread of its own, and the calling thread alone talks to
//! the host.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use partdiff::image::Raster;
use partdiff::{CancelToken, Error, Progress, ProgressEvent};

use crate::abi::{partdiff_progress, partdiff_read_rows, partdiff_status as Status, partdiff_write_rows};
use crate::failure::Failure;
use crate::guard::{caught, internal_error};
use crate::image::Form;

/// Bytes of a strip that is handed to or filled by the host.
const STRIP_BYTES: usize = 4 << 20;

/// A function of the host with what it wants to be given.
#[derive(Debug)]
pub struct HostCall<F>(pub F, pub *mut c_void);

/// The host's progress callback.
pub type ProgressCall = HostCall<partdiff_progress>;

impl<F: Clone> Clone for HostCall<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1)
    }
}

// SAFETY: the pointer is only handed back to the host, which is told the thread and answers for it.
unsafe impl<F> Send for HostCall<F> {}
// SAFETY: as above.
unsafe impl<F> Sync for HostCall<F> {}

/// Where the input comes from.
pub enum Source<'a> {
    /// Memory of the input's form.
    Memory(&'a [u8]),
    /// The host, strip by strip.
    Rows(HostCall<partdiff_read_rows>),
}

/// Where the result goes.
pub enum Sink<'a> {
    /// Memory of the output's form.
    Memory(&'a mut [u8]),
    /// The host, strip by strip.
    Rows(HostCall<partdiff_write_rows>),
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a callback of the host.
pub fn in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Calls the host; a panic that it lets out (only Rust can) is a failure like any other.
fn call_host(call: impl FnOnce() -> i32) -> Result<i32, Failure> {
    IN_CALLBACK.set(true);
    let result = caught(|| Ok(call()));
    IN_CALLBACK.set(false);
    result
}

fn refused(what: &str, code: i32) -> Failure {
    Failure::new(Status::Callback, format!("the callback that {what} failed with code {code}: expected 0"))
}

/// Rows of a strip of `form`.
fn strip_rows(form: &Form) -> usize {
    (STRIP_BYTES / form.strip(1).bytes().unwrap_or(1)).clamp(1, form.height)
}

/// Reads the whole input: colour and alpha.
///
/// # Errors
/// `Callback` where the host gives up, `Input` for values that are no numbers.
pub fn read(form: &Form, source: Source<'_>) -> Result<(Raster, Option<Raster>), Failure> {
    let mut color = Raster::new(form.colors(), form.height, form.width);
    let mut alpha = form.has_alpha().then(|| Raster::new(1, form.height, form.width));
    match source {
        Source::Memory(bytes) => form.load(bytes, &mut color, alpha.as_mut(), 0),
        Source::Rows(HostCall(read, user)) => {
            let read = read.ok_or_else(|| Failure::argument("read is null"))?;
            let rows = strip_rows(form);
            let mut buffer = vec![0; form.strip(rows).bytes().unwrap_or(0)];
            for top in (0..form.height).step_by(rows) {
                let strip = form.strip(rows.min(form.height - top));
                let image = strip.image(buffer.as_mut_ptr());
                // SAFETY: the host passed a function of this type; the strip lives during the call.
                let code = call_host(|| unsafe { read(user, top as u32, &raw const image) })?;
                if code != 0 {
                    return Err(refused("delivers rows", code));
                }
                strip.load(&buffer, &mut color, alpha.as_mut(), top);
            }
        }
    }
    for (raster, what) in [(Some(&color), "colour"), (alpha.as_ref(), "alpha")] {
        let Some(place) = raster.and_then(|raster| raster.data().iter().position(|value| !value.is_finite()))
        else {
            continue;
        };
        let place = place % (form.height * form.width);
        let (x, y) = (place % form.width, place / form.width);
        let message = format!("the input's {what} at column {x}, row {y} is not finite");
        return Err(Failure::new(Status::Input, message));
    }
    Ok((color, alpha))
}

/// Some rows of the result.
pub struct Strip {
    /// The first row.
    pub top: usize,
    /// Colour as coded in the output.
    pub color: Raster,
    /// Opacity.
    pub alpha: Option<Raster>,
}

/// Between the engine's thread and the host's.
pub struct Exchange<'a> {
    pending: Mutex<Pending>,
    changed: Condvar,
    cancel: &'a CancelToken,
    told: bool,
}

#[derive(Default)]
struct Pending {
    progress: Option<ProgressEvent>,
    strip: Option<Strip>,
    /// The host wants no more.
    refused: bool,
    /// The engine sends no more.
    finished: bool,
}

enum Message {
    Progress(ProgressEvent),
    Strip(Strip),
}

impl Exchange<'_> {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Each change is a single assignment.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'b>(&self, pending: MutexGuard<'b, Pending>) -> MutexGuard<'b, Pending> {
        self.changed.wait(pending).unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a strip to the host; waits while it is busy with the one before the last.
    ///
    /// # Errors
    /// `Cancelled` once the host wants no more.
    pub fn deliver(&self, strip: Strip) -> partdiff::Result<()> {
        let mut pending = self.pending();
        while pending.strip.is_some() && !pending.refused {
            pending = self.wait(pending);
        }
        if pending.refused {
            return Err(Error::cancelled());
        }
        pending.strip = Some(strip);
        self.changed.notify_all();
        Ok(())
    }

    /// What comes next; `None` when the engine has ended.
    fn next(&self) -> Option<Message> {
        let mut pending = self.pending();
        loop {
            if let Some(event) = pending.progress.take() {
                return Some(Message::Progress(event));
            }
            if let Some(strip) = pending.strip.take() {
                self.changed.notify_all();
                return Some(Message::Strip(strip));
            }
            if pending.finished {
                return None;
            }
            pending = self.wait(pending);
        }
    }

    fn refuse(&self) {
        self.cancel.cancel();
        let mut pending = self.pending();
        pending.refused = true;
        pending.strip = None;
        self.changed.notify_all();
    }
}

impl Progress for Exchange<'_> {
    fn report(&self, event: ProgressEvent) -> bool {
        if self.told {
            // A host that is slower than the engine hears the latest only.
            self.pending().progress = Some(event);
            self.changed.notify_all();
        }
        true
    }
}

/// Says that the engine has ended, however it did.
struct EngineEnd<'a>(&'a Exchange<'a>);

impl Drop for EngineEnd<'_> {
    fn drop(&mut self) {
        self.0.pending().finished = true;
        self.0.changed.notify_all();
    }
}

/// Runs `engine` on a thread of its own and passes on what it sends.
///
/// # Errors
/// The host's refusal, else the engine's failure.
pub fn attend<T: Send>(
    form: &Form,
    mut sink: Sink<'_>,
    progress: Option<&ProgressCall>,
    cancel: &CancelToken,
    engine: impl FnOnce(&Exchange<'_>) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let told = progress.is_some_and(|call| call.0.is_some());
    let exchange = Exchange { pending: Mutex::default(), changed: Condvar::new(), cancel, told };
    thread::scope(|scope| {
        let work = scope.spawn(|| {
            let _end = EngineEnd(&exchange);
            engine(&exchange)
        });
        let (mut stopped, mut steps) = (None, 0);
        while let Some(message) = exchange.next() {
            if stopped.is_some() {
                continue;
            }
            let passed_on = match message {
                Message::Progress(event) => {
                    steps = event.steps;
                    tell(progress, event)
                }
                Message::Strip(strip) => caught(|| write(form, &mut sink, &strip)),
            };
            if let Err(failure) = passed_on {
                stopped = Some(failure);
                exchange.refuse();
            }
        }
        let result = work.join().unwrap_or_else(|panic| Err(internal_error(panic)));
        let result = stopped.map_or(result, Err)?;
        // The engine counts what it planned; the end is the end.
        tell(progress, ProgressEvent { fraction: 1.0, step: steps, steps })?;
        Ok(result)
    })
}

fn tell(progress: Option<&ProgressCall>, event: ProgressEvent) -> Result<(), Failure> {
    let Some(&HostCall(Some(call), user)) = progress else { return Ok(()) };
    let ProgressEvent { fraction, step, steps } = event;
    // SAFETY: the host passed a function of this type.
    let code = call_host(|| unsafe { call(user, fraction, step as u32, steps as u32) })?;
    if code == 0 {
        Ok(())
    } else {
        Err(Failure::new(Status::Cancelled, "cancelled by the progress callback"))
    }
}

/// Puts a strip where the host wants it.
fn write(form: &Form, sink: &mut Sink<'_>, strip: &Strip) -> Result<(), Failure> {
    match sink {
        Sink::Memory(bytes) => {
            form.store(bytes, &strip.color, strip.alpha.as_ref(), 0..strip.color.height(), strip.top)
        }
        Sink::Rows(HostCall(write, user)) => {
            let write = write.ok_or_else(|| Failure::argument("write is null"))?;
            let height = strip.color.height();
            let rows = strip_rows(form).min(height);
            let mut buffer = vec![0; form.strip(rows).bytes().unwrap_or(0)];
            for top in (0..height).step_by(rows) {
                let part = top..height.min(top + rows);
                let some = form.strip(part.len());
                some.store(&mut buffer, &strip.color, strip.alpha.as_ref(), part, 0);
                let image = some.image(buffer.as_mut_ptr());
                // SAFETY: the host passed a function of this type; the strip lives during the call.
                let code = call_host(|| unsafe { write(*user, (strip.top + top) as u32, &raw const image) })?;
                if code != 0 {
                    return Err(refused("takes rows", code));
                }
            }
        }
    }
    Ok(())
}
