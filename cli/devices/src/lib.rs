//! x
mod cache;
pub mod choice;
pub mod device;
pub mod drivers;
pub mod interpreted;
pub mod interpreter;
pub mod ptx;
pub mod recorded;
pub mod self_test;
pub mod symbol;
pub mod tables;
pub mod tape;
pub mod text;
