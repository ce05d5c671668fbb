//! The daemon: its loop, its worker process, and what becomes of inputs and results.

pub(crate) mod background;
pub(crate) mod complete;
pub(crate) mod dispatch;
pub mod event_loop;
pub(crate) mod folder;
pub(crate) mod hasher;
pub mod lock;
pub(crate) mod metrics;
pub(crate) mod original;
pub mod place;
pub(crate) mod quarantine;
pub(crate) mod running;
pub(crate) mod scheduler;
pub(crate) mod service_manager;
pub mod signals;
pub(crate) mod status;
pub(crate) mod summary;
pub(crate) mod totals;
