//! The compiled module of the Python package `widebragg`: the libraries of the program for numpy.
//!
//! Names, units and defaults are those of the program, from whose options experiments are made. The package's Python
//! files document all of it for users; what is here has the fewest types that serve these.

mod experiment;
mod failure;
mod files;
mod functions;
mod images;
mod noise;
mod pools;
mod shots;
mod simtbx;
mod simtbx_rules;
mod streams;
mod traces;
mod words;

use pyo3::prelude::*;

/// The compiled part of the package `widebragg`.
#[pymodule]
mod _core {
    use super::*;

    #[pymodule_export]
    use super::experiment::{Carryover, Experiment, Refined};
    #[pymodule_export]
    use super::files::{
        geometry, known_matter, read_dump, read_matrix, reflections, source_list, spectra, stol, write_dump,
        write_matrix, write_reflections,
    };
    #[pymodule_export]
    use super::functions::{polarization_factor, rotate, run, sincg, structure_factors};
    #[pymodule_export]
    use super::images::{compare, read_image};
    #[pymodule_export]
    use super::noise::{
        noise_add_common_mode, noise_amplify, noise_bad_pixels, noise_count, noise_gain_map, noise_lose,
        noise_read_out, noise_spread, noise_store, noise_switch_gain, noise_vary,
    };
    #[pymodule_export]
    use super::shots::{Shots, read_crystals, read_shots};
    #[pymodule_export]
    use super::simtbx::{
        SimtbxFactors, simtbx_add_spots, simtbx_axes, simtbx_domains, simtbx_misset, simtbx_oversample,
        simtbx_panel, simtbx_threefold,
    };
    #[pymodule_export]
    use super::simtbx_rules::{simtbx_add_background, simtbx_add_noise, simtbx_apply_psf};
    #[pymodule_export]
    use super::streams::{stream, write_stream};
    #[pymodule_export]
    use super::traces::read_trace;
    #[pymodule_export]
    use super::words::grouped;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
