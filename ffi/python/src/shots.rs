//! Series of shots.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg_cli::commands::render::arrays::{Subject, TruthFiles};
use widebragg_cli::commands::setup::SetUp;
use widebragg_cli::commands::setup::shots::Plan;
use widebragg_cli::options::{self, Command, Options};
use widebragg_experiment::detector_noise::{DetectorNoise, NoiseStages};
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::geometry::Frame;
use widebragg_formats::shot_table::{BeamRow, CrystalRow, ShotRows, parse_crystals, parse_shots};

use crate::experiment::{rendered, set_up, shape, stored};
use crate::failure::raised;
use crate::files::open;

/// Shots, set up from the options of `widebragg shots`.
#[pyclass(frozen, module = "widebragg._core")]
pub(crate) struct Shots {
    options: Options,
    words: Vec<String>,
    plan: Plan,
    /// What the shots have in common.
    base: Experiment,
    /// The frame of the laboratory, where a file of geometry tells it.
    laboratory: Option<Frame>,
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
        let (set_up, warnings) = set_up(py, &options, files)?;
        let SetUp { experiment: base, geometry, plan, noise_stages, .. } = set_up;
        let laboratory = geometry.as_ref().map(|geometry| geometry.frame());
        let plan = plan.ok_or_else(|| PyValueError::new_err("shots: there are none"))?;
        Ok(Self { options, words, plan, base, laboratory, noise_stages, warnings, noise: OnceLock::new() })
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
        let Experiment { lambda0_m, fluence_per_m2, .. } = self.base;
        let mut told = shot.clone();
        let BeamRow { lambda_m, fluence_per_m2: fluence, shift_m, .. } = &mut told.beam;
        lambda_m.get_or_insert(lambda0_m);
        fluence.get_or_insert(fluence_per_m2);
        shift_m.get_or_insert_default();
        for crystal in &mut told.crystals {
            crystal.cells.get_or_insert(self.base.crystallite.cells);
            crystal.weight.get_or_insert(1.0);
        }
        of_shot(py, &told)
    }

    /// Writes what all shots are as a table.
    fn write_truth(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        self.write(py, &TruthFiles { table: Some(path), stream: None })
    }

    /// Writes what all shots are as a stream of CrystFEL, with the reflections that are predicted.
    fn write_stream(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        self.write(py, &TruthFiles { table: None, stream: Some(path) })
    }
}

impl Shots {
    /// Threads for a shot: those asked for, or all; 0 stands for these.
    fn threads(&self, asked: Option<usize>) -> usize {
        asked.or(self.options.threads).unwrap_or(0)
    }

    fn write(&self, py: Python<'_>, files: &TruthFiles) -> PyResult<()> {
        let subject = Subject {
            experiment: &self.base,
            plan: Some(&self.plan),
            laboratory: self.laboratory,
            args: &self.words,
        };
        py.detach(|| files.write(&self.options, subject)).map_err(raised)
    }
}

/// The shots of a table.
#[pyfunction]
pub(crate) fn read_shots<'py>(py: Python<'py>, path: PathBuf) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let shots = py.detach(|| parse_shots(open(&path)?, &path)).map_err(raised)?;
    shots.iter().map(|shot| of_shot(py, shot)).collect()
}

/// The crystals of a table.
#[pyfunction]
pub(crate) fn read_crystals<'py>(py: Python<'py>, path: PathBuf) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let crystals = py.detach(|| parse_crystals(open(&path)?, &path)).map_err(raised)?;
    crystals.iter().map(|crystal| of_crystal(py, crystal)).collect()
}

/// A shot: the numbers that its crystals share, and its crystals.
fn of_shot<'py>(py: Python<'py>, shot: &ShotRows) -> PyResult<Bound<'py, PyDict>> {
    let BeamRow { lambda_m, spectrum, fluence_per_m2, shift_m } = shot.beam;
    let entry = PyDict::new(py);
    entry.set_item("number", shot.number)?;
    entry.set_item("wavelength_A", lambda_m.map(|lambda_m| lambda_m * 1e10))?;
    entry.set_item("spectrum", spectrum)?;
    entry.set_item("fluence", fluence_per_m2)?;
    entry.set_item("shift_mm", shift_m.map(|shift_m| shift_m.map(|along_m| along_m * 1e3)))?;
    let crystals = shot.crystals.iter().filter(|crystal| crystal.weight != Some(0.0));
    let crystals = crystals.map(|crystal| of_crystal(py, crystal));
    entry.set_item("crystals", crystals.collect::<PyResult<Vec<_>>>()?)?;
    Ok(entry)
}

fn of_crystal<'py>(py: Python<'py>, crystal: &CrystalRow) -> PyResult<Bound<'py, PyDict>> {
    let CrystalRow { weight, misset_deg, a_matrix, cell, cells, mosaic_deg } = *crystal;
    let entry = PyDict::new(py);
    entry.set_item("A", a_matrix)?;
    entry.set_item("misset_deg", misset_deg)?;
    entry.set_item("cell", cell)?;
    entry.set_item("N", cells)?;
    entry.set_item("weight", weight)?;
    entry.set_item("mosaic_spread_deg", mosaic_deg)?;
    Ok(entry)
}
