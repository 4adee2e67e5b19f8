//! Noise, point spread and background of simtbx's class `nanoBragg`, added to the pixels of its image.

use numpy::{PyReadonlyArray2, PyReadwriteArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use widebragg::background::{RadialPoint, WeightedSource, molecules};
use widebragg::lanes::Simd;
use widebragg::noise::point_spread::Shape;
use widebragg::noise::simtbx::SimtbxNoise;
use widebragg_experiment::simtbx::{AddBackground, AddNoise, Selection, SimtbxSpread};

use crate::failure::raised;
use crate::pools::pool;
use crate::simtbx::{BeamNumbers, CrystalNumbers, PanelNumbers, experiment, region};

/// What `add_noise` takes from the object.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct NoiseNumbers {
    seed: i64,
    calib_seed: i64,
    /// Fractions.
    flicker: f64,
    calibration: f64,
    gain: f64,
    offset_adu: f64,
    readout_adu: f64,
}

/// A point spread: its form, its width and its radius in pixels.
type SpreadNumbers = (String, f64, u32);

/// Amorphous matter in the beam.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct MatterNumbers {
    /// Along the beam, and across it.
    size_mm: [f64; 3],
    density_gcm3: f64,
    molecular_weight_da: f64,
    oversample: usize,
    /// The only source that counts, with the weight of all.
    only_source: Option<usize>,
}

fn spread((shape, width_px, radius_px): SpreadNumbers) -> PyResult<SimtbxSpread> {
    let shape = match &*shape {
        "gauss" => Shape::Gauss,
        "fiber" => Shape::Fiber,
        other => return Err(PyValueError::new_err(format!("{other} is not a shape of the point spread"))),
    };
    Ok(SimtbxSpread { shape, width_px, radius_px })
}

/// The size (fast, slow) of an image.
fn size(image: &PyReadwriteArray2<'_, f64>) -> [usize; 2] {
    [image.shape()[1], image.shape()[0]]
}

/// Replaces photons by ADU within a region (first and last pixel along fast, then along slow).
#[pyfunction]
pub(crate) fn simtbx_add_noise(
    py: Python<'_>,
    mut image: PyReadwriteArray2<'_, f64>,
    region_px: [usize; 4],
    noise: NoiseNumbers,
    point_spread: Option<SpreadNumbers>,
) -> PyResult<()> {
    let selection = Selection { roi: Some(region(region_px)), ..Selection::all(size(&image)) };
    let rule = AddNoise {
        seed: noise.seed,
        calibration_seed: noise.calib_seed,
        noise: SimtbxNoise {
            flicker: noise.flicker,
            calibration: noise.calibration,
            gain: noise.gain,
            offset_adu: noise.offset_adu,
            readout_adu: noise.readout_adu,
        },
        spread: point_spread.map(spread).transpose()?,
    };
    let pool = pool(0)?;
    let pixels = image.as_slice_mut()?;
    py.detach(|| pool.install(|| rule.apply(Simd::detect(), &selection, pixels))).map_err(raised)
}

/// Spreads the photons of each pixel over its neighbours.
#[pyfunction]
pub(crate) fn simtbx_apply_psf(
    py: Python<'_>,
    mut image: PyReadwriteArray2<'_, f64>,
    point_spread: SpreadNumbers,
) -> PyResult<()> {
    let (size, rule, pool) = (size(&image), spread(point_spread)?, pool(0)?);
    let pixels = image.as_slice_mut()?;
    py.detach(|| pool.install(|| rule.apply_psf(Simd::detect(), size, pixels))).map_err(raised)
}

/// Adds the photons that amorphous matter scatters; rows of `table` are sin(theta)/lambda in 1/A and F in electrons.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one call from Python for each image")]
pub(crate) fn simtbx_add_background(
    py: Python<'_>,
    mut image: PyReadwriteArray2<'_, f64>,
    panel: PanelNumbers,
    beam: BeamNumbers,
    crystal: CrystalNumbers,
    sources: Option<PyReadonlyArray2<'_, f64>>,
    table: PyReadonlyArray2<'_, f64>,
    matter: MatterNumbers,
) -> PyResult<()> {
    let table = table.as_array();
    let points: Vec<_> =
        table.rows().into_iter().map(|row| RadialPoint { s: row[0], f_electrons: row[1] }).collect();
    let (experiment, weight) = experiment(&panel, &beam, &crystal, sources.as_ref(), None)?;
    let each = weight / experiment.sources.len() as f64;
    let weights = experiment.source_weights.clone().unwrap_or_else(|| vec![each; experiment.sources.len()]);
    let sources: Vec<_> = experiment
        .sources
        .iter()
        .zip(weights)
        .map(|(&source, weight)| WeightedSource { source, weight })
        .collect();
    let [along, across, up] = matter.size_mm.map(|mm| mm * 1e-3);
    let placed = &experiment.panels[0];
    let rule = AddBackground {
        detector: &placed.detector,
        sensor: placed.sensor,
        sources: &sources,
        only_source: matter.only_source,
        points: &points,
        polarization: experiment.polarization,
        oversample: matter.oversample,
        fluence_per_m2: beam.photons_per_m2,
        molecules: molecules(along, across * up, matter.density_gcm3, matter.molecular_weight_da),
    };
    let selection = Selection { roi: Some(placed.roi), ..Selection::all(size(&image)) };
    let pool = pool(0)?;
    let pixels = image.as_slice_mut()?;
    py.detach(|| pool.install(|| rule.apply(&selection, pixels))).map_err(raised)
}
