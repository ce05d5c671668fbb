//! The daemon: its loop, its worker process, and what becomes of inputs and results.

pub(crate) mod desk;
pub(crate) mod dispatch;
pub mod event_loop;
pub(crate) mod folder;
pub mod lock;
pub mod place;
pub(crate) mod running;
pub(crate) mod service_manager;
pub mod signals;
