//! Tiles, bands and how much memory they take.

mod area;
pub(crate) mod available_memory;
pub mod blend_window;
mod memory_plan;
mod tile_grid;

pub use area::{Area, extend, relative, scaled};
pub use memory_plan::{MIN_TILE, MemoryPlan, Workload};
pub use tile_grid::{cut, tiles};
