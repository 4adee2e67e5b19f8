//! Structure factors of atomic models.
//!
//! No files: a model is a list of atoms in a cell, with its space group.
//!
//! ```
//! use widebragg_coordinates::anomalous::{AnomalousSource, EV_ANGSTROM};
//! use widebragg_coordinates::elements::Element;
//! use widebragg_coordinates::model::{Atom, Displacement, Model};
//! use widebragg_coordinates::scatterers::Scatterers;
//! use widebragg_coordinates::solvent::Solvent;
//! use widebragg_coordinates::structure_factors::{Settings, StructureFactors};
//! use widebragg_reflections::cell::Cell;
//! use widebragg_reflections::index_box::IndexBox;
//! use widebragg_reflections::symmetry::SpaceGroup;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let atom = |symbol, fractional| Atom {
//!     element: Element::from_symbol(symbol).expect("an element"),
//!     fractional,
//!     occupancy: 1.0,
//!     displacement: Displacement::Isotropic(15.0),
//! };
//! let model = Model {
//!     cell: Cell { lengths_angstrom: [20.0, 25.0, 30.0], angles_deg: [90.0, 100.0, 90.0] },
//!     symmetry: Default::default(),
//!     atoms: vec![atom("Se", [0.1, 0.2, 0.3]), atom("C", [0.15, 0.22, 0.31])],
//!     full_sites: false,
//!     warnings: Vec::new(),
//! };
//! let scatterers = Scatterers::new(&model, &SpaceGroup::from_name("P 1 21 1", None)?)?;
//!
//! let settings = Settings { solvent: Some(Solvent::default()), ..Settings::to_resolution(2.0) };
//! let source = AnomalousSource::tables();
//! let factors = StructureFactors::at_energy(&scatterers, &settings, &source, EV_ANGSTROM / 0.9768)?;
//!
//! // |F| of all indices to 2 Angstrom; corners of the box stay 0.
//! let bounds = IndexBox::symmetric(scatterers.largest_indices(2.0)?);
//! let mut amplitudes = vec![0.0; bounds.nodes().ok_or("too many")?];
//! factors.amplitudes_into(&[], &bounds, &mut amplitudes)?;
//! let at = |h, k, l| bounds.position([h, k, l]).map(|position| amplitudes[position]);
//! assert_eq!(at(2, 3, 4), at(-2, 3, -4)); // equivalent
//! assert!(at(2, 3, 4) != at(-2, -3, -4)); // mates
//! assert_eq!(at(0, 3, 0), Some(0.0)); // absent
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | get \|F\| at one energy | [`structure_factors::StructureFactors::at_energy`] |
//! | get \|F\| at many energies | [`structure_factors::StructureFactors::over_energies`] |
//! | get F of a few reflections | [`direct::structure_factors`] |
//! | use measured f', f'' | [`anomalous::Scan`] |
//! | know the memory it takes | [`structure_factors::Settings::bytes_needed`] |

pub mod anomalous;
mod density;
pub mod direct;
pub mod elements;
mod ellipsoid;
pub mod error;
pub mod fourier;
pub mod matrix;
pub mod model;
pub mod scatterers;
pub mod solvent;
pub mod structure_factors;
mod tables;
mod transform;
pub mod xray_tables;
