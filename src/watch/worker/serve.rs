//! The worker process: reads orders from standard input, makes images, answers on standard output.
//!
//! Several files are made at the same time, so that no network waits for anything but a network.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::failure::{Fault, classify};
use super::making::{Source, Work, copy};
use super::protocol::{Job, Order, Reply, Setup};
use super::volume::has_sidecar;
use crate::batch::admission::Admission;
use crate::engine::{RuntimeOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Bundle;
use crate::progress::CancelToken;
use crate::tiling::available_memory::return_freed_memory;

/// Gives the engine for a model, an embedded name or the path of a bundle.
pub type Open<'a> = dyn Fn(&str, &RuntimeOptions) -> Result<Upscaler> + Sync + 'a;

/// Serves the process that started this one, until it closes the pipe.
///
/// # Errors
/// Where the first line cannot be understood.
pub fn serve() -> Result<()> {
    serve_with(&|model, runtime| Upscaler::open(&Bundle::resolve(model)?, runtime))
}

/// As [`serve`], with engines from `open`.
///
/// # Errors
/// As [`serve`].
pub fn serve_with(open: &Open<'_>) -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    let first = lines.next().and_then(io::Result::ok).unwrap_or_default();
    let setup: Setup = serde_json::from_str(&first).map_err(|error| {
        Error::with_source(ErrorKind::InvalidOption, "the worker is started by watch", error)
    })?;
    prepare(setup.nice);
    let runtime = setup.runtime;
    if runtime.memory.is_some() {
        return_freed_memory();
    }
    let cancel = CancelToken::new();
    let admission = Admission::new(&runtime, runtime.memory, None);
    let (orders, incoming) = channel();
    let worker = Worker { open, runtime: &runtime, cancel: &cancel };
    thread::scope(|scope| {
        scope.spawn(|| guarded(|| worker.work(incoming, &admission)));
        for line in lines.map_while(io::Result::ok) {
            match serde_json::from_str::<Order>(&line) {
                Ok(order) => _ = orders.send(order),
                Err(error) => eprintln!("partdiff watch worker: invalid request: {error}"),
            }
        }
        // Nobody listens any more.
        cancel.cancel();
        drop(orders);
    });
    Ok(())
}

/// Takes on niceness, and ends with its parent.
fn prepare(nice: i32) {
    #[cfg(unix)]
    if nice > 0 {
        let _ = rustix::process::setpriority_process(None, nice);
    }
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
    let _ = nice;
}

/// Runs a thread's work; a defect ends the process, which its parent notices and survives.
fn guarded(work: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
        std::process::exit(101);
    }
}

struct Worker<'a> {
    open: &'a Open<'a>,
    runtime: &'a RuntimeOptions,
    cancel: &'a CancelToken,
}

impl Worker<'_> {
    /// Does what is ordered, until no more orders come.
    fn work(&self, orders: Receiver<Order>, admission: &Admission) {
        let (mut models, mut last) = (HashMap::new(), String::new());
        thread::scope(|scope| {
            for order in orders {
                let job = match order {
                    Order::Load { model } => {
                        say(&match self.engine(&mut models, &model) {
                            Ok(upscaler) => {
                                let provider =
                                    upscaler.provider().map(ToString::to_string).unwrap_or_default();
                                Reply::Loaded { provider }
                            }
                            Err(error) => Reply::Refused { reason: error.report() },
                        });
                        continue;
                    }
                    Order::Make(job) => *job,
                };
                let (id, model) = (job.id, job.model().to_string());
                let Some(source) = read(job) else { continue };
                if model != last {
                    // Networks of two models would only be in each other's way.
                    drop(admission.exclusive());
                    last.clone_from(&model);
                }
                let admitted = self.engine(&mut models, &model).and_then(|upscaler| {
                    let work = source.plan(&upscaler)?;
                    let options = source.job.settings.options()?;
                    let (permit, options) = match &work {
                        Work::Pages(pages) => admission.admit(&upscaler, &options, pages, source.bytes()),
                        // Its slices keep the networks busy.
                        Work::Volume(_) => (admission.exclusive(), options),
                    };
                    Ok((upscaler, work, permit, options))
                });
                let (upscaler, work, permit, options) = match admitted {
                    Ok(admitted) => admitted,
                    Err(error) => {
                        failed(id, &error);
                        continue;
                    }
                };
                scope.spawn(move || {
                    guarded(|| match source.make(&upscaler, &work, &options, self.cancel) {
                        Ok(made) => say(&Reply::Made { id, made: Box::new(made) }),
                        Err(Some(error)) => failed(id, &error),
                        Err(None) => moving(id, "the file changed while it was read"),
                    });
                    drop(permit);
                });
            }
        });
    }

    /// The engine for a model, opened once.
    fn engine(&self, models: &mut HashMap<String, Arc<Upscaler>>, name: &str) -> Result<Arc<Upscaler>> {
        if let Some(upscaler) = models.get(name) {
            return Ok(Arc::clone(upscaler));
        }
        let upscaler = Arc::new((self.open)(name, self.runtime)?);
        models.insert(name.to_string(), Arc::clone(&upscaler));
        Ok(upscaler)
    }
}

/// The file of `job`; `None` where the job is answered already.
fn read(job: Job) -> Option<Source> {
    let id = job.id;
    if let Some(ready) = &job.ready
        && !has_sidecar(&job)
        && let Ok(made) = copy(&job, ready)
    {
        say(&Reply::Made { id, made: Box::new(made) });
        return None;
    }
    match Source::read(job) {
        Ok(source) => Some(source),
        Err(Some(error)) => {
            failed(id, &error);
            None
        }
        Err(None) => {
            moving(id, "the file changed before it was read");
            None
        }
    }
}

/// Says that a file has to settle again.
fn moving(id: i64, reason: &str) {
    say(&Reply::Failed { id, fault: Fault::Moving, reason: reason.into() });
}

/// Says that a job failed.
fn failed(id: i64, error: &Error) {
    say(&Reply::Failed { id, fault: classify(error), reason: error.report() });
}

/// Answers the daemon.
pub fn say(reply: &Reply) {
    if let Ok(line) = serde_json::to_string(reply) {
        let mut out = io::stdout().lock();
        // Without a listener the end of standard input ends this process.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn each_model_is_opened_once_and_one_that_failed_is_tried_again() {
        let opened = Mutex::new(Vec::new());
        let open = |name: &str, _: &RuntimeOptions| {
            let mut opened = opened.lock().unwrap();
            opened.push(name.to_owned());
            if name == "mended" && opened.len() == 1 {
                return Err(Error::new(ErrorKind::Model, "damaged"));
            }
            Ok(crate::batch::fixture::fake())
        };
        let (runtime, cancel) = (RuntimeOptions::default(), CancelToken::new());
        let (worker, mut models) =
            (Worker { open: &open, runtime: &runtime, cancel: &cancel }, HashMap::new());
        assert!(worker.engine(&mut models, "mended").is_err());
        let first = worker.engine(&mut models, "mended").unwrap();
        assert!(Arc::ptr_eq(&first, &worker.engine(&mut models, "mended").unwrap()));
        assert!(!Arc::ptr_eq(&first, &worker.engine(&mut models, "other").unwrap()));
        assert_eq!(*opened.lock().unwrap(), ["mended", "mended", "other"]);
    }
}
