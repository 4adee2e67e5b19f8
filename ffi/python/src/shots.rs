//! Series of shots.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg_cli::commands::setup::SetUp;
use widebragg_cli::commands::setup::shots::Plan;
use widebragg_cli::options::{self, Command, Options};
use widebragg_experiment::detector_noise::{DetectorNoise, NoiseStages};
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::shot_table::CrystalRow;

use crate::experiment::{rendered, set_up, shape, stored};
use crate::failure::raised;

/// Shots, set up from the options of `widebragg shots`.
#[pyclass(frozen, module = "widebragg._core")]
pub(crate) struct Shots {
    options: Options,
    plan: Plan,
    /// What the shots have in common.
    base: Experiment,
    noise_stages: NoiseStages,
    /// What the user should know, a sentence each.
    warnings: Vec<String>,
    /// The stages with what they need, which all shots share, once an image is detected.
    noise: OnceLock<DetectorNoise>,
}

#[pymethods]
impl Shots {
    /// The shots of the options `words`; `files` holds contents that stand for files of these names.
    #[new]
    fn new(py: Python<'_>, mut words: Vec<String>, files: BTreeMap<PathBuf, Vec<u8>>) -> PyResult<Self> {
        words.insert(0, "shots".to_owned());
        let options = match options::parse(&words).map_err(raised)? {
            Command::Render(options) if options.shots.is_some() => *options,
            _ => {
                return Err(PyValueError::new_err(
                    "shots have the options of widebragg shots, and no command",
                ));
            }
        };
        let (SetUp { experiment: base, plan, noise_stages, .. }, warnings) = set_up(py, &options, files)?;
        let plan = plan.ok_or_else(|| PyValueError::new_err("shots: there are none"))?;
        Ok(Self { options, plan, base, noise_stages, warnings, noise: OnceLock::new() })
    }

    /// What the user should know, a sentence each.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// The shape of an image: (slow, fast), or (panel, slow, fast) of several panels of equal size.
    #[getter]
    fn shape(&self) -> Vec<usize> {
        shape(&self.base)
    }

    fn __len__(&self) -> usize {
        self.plan.truth.len()
    }

    /// The photons expected in each pixel of a shot, counted from 0.
    fn render<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let experiment = self.plan.experiment(index).map_err(raised)?;
        rendered(py, &experiment, 0, self.threads(threads), None)?.into_pyarray(py).reshape(self.shape())
    }

    /// What the detector stores of the expected photons of a shot.
    fn detect<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        photons: PyReadonlyArrayDyn<'_, f32>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
        let experiment = self.plan.experiment(index).map_err(raised)?;
        let number = u32::try_from(index + 1).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let stages = (&self.noise_stages, &self.noise);
        let drawn = (self.plan.seed, number);
        stored(py, &experiment, stages, photons.as_slice()?, drawn, self.threads(threads))
    }

    /// What a shot, counted from 0, is: its number, wavelength and crystals.
    fn truth<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyDict>> {
        let shots = self.plan.truth.len();
        let shot = self.plan.truth.get(index);
        let shot =
            shot.ok_or_else(|| PyIndexError::new_err(format!("shot {index} of {shots}, counted from 0")))?;
        let truth = PyDict::new(py);
        truth.set_item("number", shot.number)?;
        truth.set_item("wavelength_A", shot.beam.lambda_m.unwrap_or(self.base.lambda0_m) * 1e10)?;
        truth.set_item("spectrum", shot.beam.spectrum)?;
        truth.set_item("fluence", shot.beam.fluence_per_m2.unwrap_or(self.base.fluence_per_m2))?;
        let shift_m = shot.beam.shift_m.unwrap_or_default();
        truth.set_item("shift_mm", shift_m.map(|along_m| along_m * 1e3))?;
        let is_crystal = |crystal: &&CrystalRow| crystal.weight != Some(0.0);
        let crystals = shot.crystals.iter().filter(is_crystal).map(|crystal| {
            let entry = PyDict::new(py);
            entry.set_item("A", crystal.a_matrix)?;
            entry.set_item("misset_deg", crystal.misset_deg)?;
            entry.set_item("cell", crystal.cell)?;
            entry.set_item("N", crystal.cells.unwrap_or(self.base.crystallite.cells))?;
            entry.set_item("weight", crystal.weight.unwrap_or(1.0))?;
            entry.set_item("mosaic_spread_deg", crystal.mosaic_deg)?;
            Ok(entry)
        });
        truth.set_item("crystals", crystals.collect::<PyResult<Vec<_>>>()?)?;
        Ok(truth)
    }
}

impl Shots {
    /// Threads for a shot: those asked for, or all; 0 stands for these.
    fn threads(&self, asked: Option<usize>) -> usize {
        asked.or(self.options.threads).unwrap_or(0)
    }
}
