//! Reflections as data: cells, symmetry, observations, and the list of P1 that a crystal's lattice diffracts.
//!
//! No files: readers give this crate what they read, and take nothing from it but its types.

pub mod cell;
pub mod observations;
pub mod symmetry;
