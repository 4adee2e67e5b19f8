//! The file formats of widebragg, one in a module: images, structure factors, orientation matrices, sources,
//! traces.
//!
//! Readers take arbitrary bytes: they never panic, and memory grows only with data that is really there.
//! Files of several formats are told apart by their content ([`registry::reader_of`], [`trace::read_trace`]).
//! Writers go through [`atomic`]: a file has its final name only once it is complete. Every error is one line
//! that names the file ([`failure::Failure`]).

pub mod atomic;
pub mod cbf;
pub mod ctime;
mod decimal;
pub mod dump;
pub mod failure;
pub mod float;
pub mod format_g;
pub mod hkl;
pub mod hkl_table;
pub mod image;
pub mod matrix;
pub mod memory;
pub mod pgm;
pub mod png;
mod raw;
pub mod registry;
pub mod smv;
pub mod sources;
mod text;
pub mod trace;
