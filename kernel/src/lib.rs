//! # widebragg
//!
//! The compute core of nanocrystal X-ray diffraction simulation: what `nanoBragg.c` spends its time in, over SIMD
//! lanes, in caller-owned buffers. `no_std`, no allocation, no panic.
//!
//! Data flows one way: plain parameter structs with units in their field names ([`detector::DetectorParameters`],
//! [`crystal::CrystalParameters`], ...) give tables in the caller's buffers, [`render::Scene`] borrows the tables, and
//! [`render::Scene::render_rows`] turns rows of the scene into pixels.
//!
//! Two modes ([`rotation::PhiMode`]): **spec**, in which every phi step rotates the crystal afresh, and **c-parity**,
//! which reproduces the reference's phi carryover (see [`carryover`]).
#![no_std]
#![deny(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

pub mod arrays;
pub mod beam;
pub mod carryover;
pub mod crystal;
pub mod detector;
mod error;
pub mod gradient;
pub mod lanes;
pub mod lattice;
pub mod math;
mod names;
pub mod noise;
pub mod random;
pub mod real;
pub mod render;
pub mod rotation;
pub mod sampling;
pub mod structure_factor;
pub mod vector;

pub use error::Error;

/// Square of the classical electron radius, in m^2, as the reference has it.
pub const ELECTRON_RADIUS_SQUARED_M2: f64 = 7.940_792_480_189_65e-30;
