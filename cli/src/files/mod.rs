//! File formats, one per file: what goes in and out of a run, with every error a line that names the file.
//!
//! Readers take arbitrary bytes: they never panic, and memory grows only with data that is really there.
//! Writers go through [`atomic`]: a file exists under its final name only when it is complete.

pub mod atomic;
pub mod cbf;
pub mod cbf_reader;
pub mod ctime;
mod decimal;
pub mod dump;
pub mod float;
pub mod format_g;
pub mod hkl;
pub mod hkl_table;
pub mod matrix;
pub mod pgm;
pub mod png;
mod raw;
pub mod smv;
pub mod smv_header;
pub mod sources;
mod text;
