//! Reflections as data: cells, symmetry, observations, and the list of P1 that a crystal's lattice diffracts.
//!
//! No files: readers give this crate what they read, and take nothing from it but its types.
//!
//! ```
//! use widebragg_reflections::expansion::Expansion;
//! use widebragg_reflections::observations::{Mates, Observation, Observations, Quantity};
//! use widebragg_reflections::symmetry::{StatedSymmetry, resolve};
//!
//! let stated = StatedSymmetry { name: Some("P 4".to_string()), ..Default::default() };
//! let group = resolve(&stated, None)?.group;
//! let list = vec![Observation { hkl: [1, 2, 3], value: 7.0, sigma: None }];
//! let observations =
//!     Observations { quantity: Quantity::Amplitude, list, weighted: false, mates: Mates::AsListed };
//!
//! let expansion = Expansion::new(&observations, &group)?;
//! let bounds = expansion.bounds();
//! let mut nodes = vec![0.0_f32; bounds.nodes().expect("a small box")];
//! expansion.fill(&bounds, 0.0, &mut nodes)?;
//!
//! assert_eq!(expansion.counts().expanded, 8);
//! assert_eq!(bounds.position([-2, 1, 3]).map(|position| nodes[position]), Some(7.0));
//! assert_eq!(bounds.position([1, 2, 2]).map(|position| nodes[position]), Some(0.0));
//! # Ok::<(), widebragg_reflections::Failure>(())
//! ```

pub mod cell;
pub mod completeness;
pub mod expansion;
mod failure;
pub mod index_box;
pub mod observations;
pub mod symmetry;
pub mod wilson;

pub use failure::Failure;
