//! k-space: what of a volume's grid was measured, slices resized there, and results that agree with it.

mod acquired;
mod consistency;
mod resizer;

pub use acquired::acquired;
pub use consistency::{is_truncated, put_back};
pub use resizer::Resizer;
