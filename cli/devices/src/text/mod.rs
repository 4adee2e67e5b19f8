//! Recorded formulas as source text.

mod blocks;
pub mod c;
mod function;
#[cfg(feature = "vulkan")]
pub mod spirv;
pub mod wgsl;

pub use c::{Dialect, program};
