//! The file formats of widebragg, one in a module: images, geometry and experiment lists, structure factors,
//! orientation matrices, sources, traces.
//!
//! Readers take arbitrary bytes: they never panic, and memory grows only with data that is really there.
//! Files of several formats are told apart by their content ([`registry::reader_of`], [`registry::geometry_of_file`],
//! [`trace::read_trace`]).
//! Writers go through [`atomic`]: a file has its final name only once it is complete. Every error is one line
//! that names the file ([`failure::Failure`]).
//!
//! ```
//! use widebragg_formats::cbf::Cbf;
//! use widebragg_formats::image::{Image, ImageHeader, ImageWriter, Pixels};
//! use widebragg_formats::registry::reader_of;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("counts.cbf");
//! // Three columns, two rows; -1 is a gap.
//! let counts = [1, 0, 2, 300, -1, 70_000];
//! let header = ImageHeader { fast: 3, slow: 2, ..ImageHeader::default() };
//! let pixels = Pixels::I32(&counts);
//! Cbf.write(&path, &Image { header: &header, pixels, scale: 1.0, preview_scale: None, layout: None })?;
//!
//! let image = reader_of(&path)?.read(&path, None)?;
//! assert_eq!((image.fast, image.slow), (3, 2));
//! assert_eq!(image.pixels[5], 70_000.0);
//! assert!(image.pixels[4].is_nan());
//! # Ok(())
//! # }
//! ```

pub mod atomic;
pub mod bad_pixels;
pub mod c_library;
pub mod cbf;
pub mod cif;
mod cif_crystal;
pub mod coordinates;
pub mod ctime;
mod decimal;
pub mod dump;
pub mod expt;
pub mod failure;
pub mod float;
pub mod format_g;
pub mod geometry;
pub mod hdf5;
pub mod hkl;
pub mod hkl_table;
pub mod image;
pub mod kind;
pub mod matrix;
pub mod memory;
pub mod nxmx;
pub mod pgm;
pub mod png;
mod raw;
pub mod reflections;
pub mod registry;
pub mod rotations;
pub mod shot_table;
pub mod smv;
pub mod sources;
pub mod spectrum;
pub mod stol;
pub mod stream;
mod text;
pub mod trace;
pub mod unpack;
pub mod xds_inp;
