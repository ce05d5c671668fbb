//! What a watch has done.

/// What was done in a folder since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Results that were placed.
    pub done: u64,
    /// Those among them that are copies of earlier results.
    pub reused: u64,
    /// Files that were given up.
    pub failed: u64,
    /// Seconds in the engine, those of images at the same time added up.
    pub engine_seconds: f64,
}
