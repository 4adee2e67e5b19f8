//! Symmetry and expansion against other programs' results, plain reimplementations and made-up crystals.

mod common;
mod completeness;
mod expansion;
mod files;
mod settings;
mod stated;
mod wilson;
