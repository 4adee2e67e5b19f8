//! Recorded formulas as source text.

mod blocks;
pub mod c;

pub use c::{Dialect, program};
