//! The commands, one file or folder each: a command turns its options into an experiment and reports what
//! came of it.

pub mod bench;
mod bodies;
mod companions;
pub mod compare;
mod crystal_words;
pub mod demo;
pub mod devices;
pub mod derivatives;
pub mod diagnose;
mod distinct;
pub mod gradcheck;
pub mod gradient;
pub mod hkl;
mod light;
pub mod noisify;
pub mod nonbragg;
pub mod refine;
mod reflections;
pub mod render;
pub mod setup;
pub mod stol;
pub mod trace;
pub mod trace_diff;
