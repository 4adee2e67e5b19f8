//! x
mod cache;
pub mod drivers;
pub mod interpreted;
pub mod interpreter;
pub mod recorded;
pub mod symbol;
pub mod tables;
pub mod tape;
pub mod text;
