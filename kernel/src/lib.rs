//! # widebragg
//!
//! The compute core of nanocrystal X-ray diffraction simulation: what `nanoBragg.c` spends its time in, over
//! SIMD lanes, in caller-owned buffers. `no_std`, no allocation, no panic.
//!
//! This program renders an image of a crystal of 20 x 20 x 20 unit cells on the default detector:
//!
//! ```
//! use widebragg::beam::Source;
//! use widebragg::carryover::Carryover;
//! use widebragg::crystal::{CellSource, UnitCell};
//! use widebragg::rotation::{IDENTITY, Orientation};
//! use widebragg::scene::{SceneParameters, SceneTables};
//!
//! fn main() -> Result<(), widebragg::Error> {
//!     let cell = UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0, 90.0, 90.0]);
//!     let defaults = SceneParameters::new(CellSource::Cell(cell));
//!     let parameters = SceneParameters { cells: [20.0; 3], default_f: 100.0, ..defaults };
//!     let len = parameters.tables_len()?;
//!     let mut sources = vec![Source::default(); len.sources];
//!     let mut domains = vec![IDENTITY; len.domains];
//!     let mut orientations = vec![Orientation::default(); len.orientations];
//!     let (sources, domains, orientations) = (&mut sources[..], &mut domains[..], &mut orientations[..]);
//!     let tables = SceneTables {
//!         sources,
//!         source_weights: &mut [],
//!         source_grids: &mut [],
//!         domains,
//!         orientations,
//!     };
//!     let scene = parameters.fill(tables)?;
//!     let rows = scene.panel().slow_pixels;
//!     let mut image = vec![0f32; scene.panel().pixels()]; // slow-major, in photons
//!     scene.render_rows(0..rows, &mut image, &mut Carryover::Off)?;
//!     Ok(())
//! }
//! ```
//!
//! Data flows one way: plain parameters with units in their field names ([`scene::SceneParameters`]) give
//! tables in the caller's slices, a [`scene::Scene`] borrows the tables, and [`scene::Scene::render_rows`]
//! turns rows of the detector into pixels. Rows are independent, so threads can share a scene and split its
//! rows.
//!
//! | to | start at |
//! |---|---|
//! | render an image | [`scene::SceneParameters`], [`scene::Scene::render_rows`] |
//! | choose a detector | [`detector::DetectorParameters`] |
//! | give structure factors, or each source its own | [`structure_factor::HklGrid`] |
//! | render small spots without the pixels between them | [`light`] |
//! | reproduce `nanoBragg.c` to the last bit, with its phi carryover | [`rotation::PhiMode`], [`carryover`] |
//! | differentiate an image | [`gradient`] |
//! | add what amorphous matter scatters, noise and a point spread | [`background`], [`noise`] |
//! | see the intermediate values of a pixel | [`scene::Scene::probe_pixel`] |
//! | render on another processor, such as a GPU | [`formulas`] |
//! | evaluate single functions over arrays | [`arrays`], [`math`] |
//!
//! Two modes ([`rotation::PhiMode`]): **spec**, in which every phi step rotates the crystal afresh, and
//! **c-parity**, which reproduces the reference, `nanoBragg.c`.
#![no_std]
#![deny(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

pub mod arrays;
pub mod background;
pub mod beam;
pub mod carryover;
pub mod crystal;
pub mod defaults;
pub mod detector;
mod error;
pub mod formulas;
pub mod gradient;
mod identity;
pub mod lanes;
pub mod lattice;
pub mod light;
pub mod math;
pub mod mosaic;
mod names;
pub mod noise;
pub mod panel;
pub mod random;
pub mod real;
pub mod render;
pub mod rotation;
pub mod rounded;
pub mod sampling;
pub mod scene;
mod span;
pub mod structure_factor;
pub mod vector;

pub use error::Error;

/// Compiles the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Square of the classical electron radius, in m^2, as the reference has it.
pub const ELECTRON_RADIUS_SQUARED_M2: f64 = 7.940_792_480_189_65e-30;

/// What the mode spec means; the number grows when images of spec change by more than rounding.
///
/// 1: phi = 0 and interpolation are right. 2: so are layers, oversample flags, weights, water and mirrored detectors.
pub const SPEC_REVISION: u32 = 2;
