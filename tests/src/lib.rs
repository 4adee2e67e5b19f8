//! Everything that the crates of this workspace are tested against: a scalar oracle, golden data, random
//! command lines.
//!
//! * [`oracle`]: the whole reference in plain scalar f64, in the reference's serial order. It shares no code
//!   with the kernel, so that an error in one does not hide an error in the other.
//! * [`golden`]: images, function tables and traces that the reference produced (folder `golden/`).
//! * [`compare`]: differences between two images or two numbers, and their limits.
//! * [`coordinates`]: what every model that is read must keep.
//! * [`deviates`]: reproducible random numbers.
//! * [`distributions`]: histograms of deviates, and how probable they are.
//! * [`commands`]: a `proptest` strategy of valid command lines over the whole option space.
//! * [`mutants`]: mutations of the seeds of the fuzz targets.
//! * [`program`]: runs the `widebragg` program in a temporary folder.
//! * [`fault`]: runs the program under resource limits, in small or read-only file systems, and with signals.
//! * [`skipped`]: tells which tests were skipped.
//! * [`reflection_text`]: what every file of reflections as text must keep.
//! * [`hdf5`]: what every HDF5 file must keep.
//! * [`smv_header`]: what every SMV header must keep.
//! * [`stream`]: what every stream of CrystFEL must keep.
//! * [`table`]: reads tables of numbers.
//! * [`reflections`]: what every stream of reflections must keep.
//! * [`scene`]: the oracle's derived values as a scene of the kernel, so that the kernel's render loop is
//!   tested alone.

#![allow(non_snake_case, reason = "the field's symbols keep their case: N, F_latt, Fbeam, ORGX")]

pub mod commands;
pub mod compare;
pub mod coordinates;
pub mod deviates;
pub mod device;
pub mod distributions;
pub mod fault;
pub mod geometry;
pub mod golden;
pub mod hdf5;
pub mod mutants;
pub mod oracle;
pub mod program;
pub mod reflection_text;
pub mod reflections;
pub mod report;
pub mod scene;
pub mod shot_table;
pub mod simtbx;
pub mod skipped;
pub mod smv_header;
pub mod stream;
pub mod table;

/// Compiles and runs the program in the README of the project.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
