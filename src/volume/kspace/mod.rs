//! k-space: what of a volume's grid was measured, slices resized there, and what a slice holds of it.

mod acquired;
mod resizer;

pub use acquired::acquired;
pub use resizer::{Resizer, put_back};
