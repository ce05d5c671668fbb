//! How well a result agrees with what it was made from, and making it agree.

mod comparison;
mod projection;

pub use comparison::Fidelity;
pub(crate) use comparison::{Comparison, RowComparison};
