//! Experiments: images, and derivatives of these.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use numpy::{
    IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn,
    PyUntypedArrayMethods, ToPyArray,
};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg::carryover::Slot;
use widebragg::crystal::CellSource;
use widebragg::scene::CrystalInput;
use widebragg_cli::commands::derivatives::Chosen;
use widebragg_cli::commands::render::arrays;
use widebragg_cli::commands::setup::inputs::Inputs;
use widebragg_cli::commands::setup::{self, SetUp};
use widebragg_cli::commands::stol::Amount;
use widebragg_cli::options::{self, Command, GradientOptions, Options};
use widebragg_experiment::background::{Place, RadialMean};
use widebragg_experiment::carryover::{find_latch, latched, open_slots};
use widebragg_experiment::detector_noise::{DetectorNoise, NoiseStages};
use widebragg_experiment::experiment::Experiment as LibraryExperiment;
use widebragg_experiment::factor_grid::{FactorGrid, GridNumbers};
use widebragg_experiment::failure::{Failure, Part};
use widebragg_experiment::frame::{render_continued, render_frame};
use widebragg_experiment::gradient::loss::{Loss, LossKind};
use widebragg_experiment::gradient::moves::Moves;
use widebragg_experiment::gradient::named::value;
use widebragg_experiment::gradient::problem::Problem;
use widebragg_experiment::gradient::refine::optimiser::fit;
use widebragg_experiment::gradient::selection::selected;
use widebragg_experiment::images::noise_counts;
use widebragg_experiment::predictions::{FullIntensity, Prediction, When, of_experiment};
use widebragg_experiment::threads;
use widebragg_experiment::trace::pixel::{Carried, Chosen as Steps, Rounding, trace_pixel};

use widebragg_formats::image::Pixels;
use widebragg_formats::stol::StolPoint;

use crate::failure::raised;
use crate::images::{self, Stored};
use crate::pools::pool;
use crate::traces::set_numbers;

/// The words with which `gradient` reads the parameters of a derivative.
const WRT: &str = "--wrt";
const GROUP: &str = "--panel-group";

/// An experiment, set up from the options of a render.
#[pyclass(frozen, module = "widebragg._core")]
pub(crate) struct Experiment {
    options: Options,
    words: Vec<String>,
    set_up: SetUp,
    /// What the user should know, a sentence each.
    warnings: Vec<String>,
    /// The stages of noise, once an image is detected.
    noise: OnceLock<DetectorNoise>,
}

type ArrayF64<'py> = Bound<'py, PyArrayDyn<f64>>;

/// The indices of the first node of a grid, and the grid.
type FactorArray<'py> = ([i32; 3], ArrayF64<'py>);

/// What a refinement found.
#[pyclass(frozen, get_all, module = "widebragg._core")]
pub(crate) struct Refined {
    /// Name, unit, value and standard uncertainty of each parameter.
    parameters: Vec<(String, &'static str, f64, Option<f64>)>,
    /// Half the sum of squared residuals at the start and at the end.
    loss: [f64; 2],
    /// Pearson's correlation coefficient at the start and at the end.
    correlation: [f64; 2],
    /// Accepted steps.
    iterations: usize,
    /// Whether it has converged.
    converged: bool,
    /// Whether it has, to something that describes the data.
    believable: bool,
    /// Pixels of the last stage.
    pixels: usize,
}

/// What the sweeps of an image leave to those of the next one: the slots of each panel.
#[pyclass(frozen, module = "widebragg._core")]
#[derive(Default)]
pub(crate) struct Carryover(Mutex<Vec<Vec<Slot>>>);

#[pymethods]
impl Carryover {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// For each stream its panel, its first row and the row past its last, the pixel (slow, fast) whose sweep left
    /// what was found, and how often that and the unrotated cell were found.
    #[getter]
    fn streams<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let panels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let streams =
            panels.iter().enumerate().flat_map(|(panel, slots)| slots.iter().map(move |slot| (panel, slot)));
        let streams = streams.map(|(panel, slot)| {
            let entry = PyDict::new(py);
            entry.set_item("panel", panel)?;
            entry.set_item("rows", (slot.first_row, slot.end_row))?;
            entry.set_item("left_by", slot.left_by)?;
            entry.set_item("hits", slot.hits)?;
            entry.set_item("fresh", slot.fresh)?;
            Ok(entry)
        });
        streams.collect()
    }
}

/// A parameter of derivatives: its name, its unit and its value.
type Parameter = (String, &'static str, f64);

/// What derivatives are with respect to: parameters, and groups of panels.
type Wrt = (Vec<String>, Vec<String>);

#[pymethods]
impl Experiment {
    /// The experiment of the options `words`; `files` holds contents that stand for files of these names.
    #[new]
    fn new(py: Python<'_>, words: Vec<String>, files: BTreeMap<PathBuf, Vec<u8>>) -> PyResult<Self> {
        let options = match options::parse(&words).map_err(raised)? {
            Command::Render(options) => *options,
            _ => {
                return Err(PyValueError::new_err(
                    "an experiment has the options of a render, and no command",
                ));
            }
        };
        let (set_up, warnings) = set_up(py, &options, files)?;
        Ok(Self { options, words, set_up, warnings, noise: OnceLock::new() })
    }

    /// What the user should know, a sentence each.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// The shape of an image: (slow, fast), or (panel, slow, fast) of several panels of equal size.
    #[getter]
    fn shape(&self) -> Vec<usize> {
        shape(&self.set_up.experiment)
    }

    /// The panels, each a dictionary of its name, its number in the file, the shape (slow, fast), and its geometry.
    #[getter]
    fn panels<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let panels = self.set_up.experiment.panels.iter();
        let panels = panels.map(|panel| {
            let detector = &panel.detector;
            let entry = PyDict::new(py);
            entry.set_item("name", &panel.name)?;
            entry.set_item("number", panel.number)?;
            entry.set_item("shape", (detector.slow_pixels, detector.fast_pixels))?;
            entry.set_item("pixel_mm", detector.pixel_m * 1e3)?;
            entry.set_item("origin_mm", detector.pix0_m.to_array().map(|length_m| length_m * 1e3))?;
            entry.set_item("fast", detector.fast.to_array())?;
            entry.set_item("slow", detector.slow.to_array())?;
            Ok(entry)
        });
        panels.collect()
    }

    /// Numbers of the experiment, by their names.
    #[getter]
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let experiment = &self.set_up.experiment;
        // As given, since angles computed from the axes differ slightly.
        let cell = match experiment.crystal_input {
            CrystalInput::Cell { source: CellSource::Cell(cell), .. } => cell,
            _ => experiment.crystal.cell,
        };
        let [a, b, c] = cell.lengths_angstrom;
        let [alpha, beta, gamma] = cell.angles_rad.map(f64::to_degrees);
        let facts = PyDict::new(py);
        facts.set_item("wavelength_A", experiment.lambda0_m * 1e10)?;
        facts.set_item("cell", [a, b, c, alpha, beta, gamma])?;
        facts.set_item("N", experiment.crystallite.cells)?;
        facts.set_item("phi_deg", experiment.phi0_rad.to_degrees())?;
        facts.set_item("osc_deg", experiment.phi.range.to_degrees())?;
        facts.set_item("phi_steps", experiment.phi.count)?;
        facts.set_item("sources", experiment.sources.len())?;
        facts.set_item("mosaic_domains", experiment.domains.len())?;
        facts.set_item("oversample", experiment.oversample.per_axis)?;
        facts.set_item("fluence", experiment.fluence_per_m2)?;
        facts.set_item("steps_per_pixel", experiment.steps_per_pixel())?;
        facts.set_item("simd", experiment.simd.level().name())?;
        let device = experiment.device.as_deref().map_or("cpu", |device| device.identity().option.as_str());
        facts.set_item("device", device)?;
        Ok(facts)
    }

    /// The photons expected in each pixel of a frame, counted from 0, into `out` where it is given; what calls before
    /// have left is found in `carryover`, and kept there.
    fn render<'py>(
        &self,
        py: Python<'py>,
        frame: usize,
        threads: Option<usize>,
        out: Option<PyReadwriteArrayDyn<'py, f32>>,
        carryover: Option<&Carryover>,
    ) -> PyResult<Option<Bound<'py, PyArrayDyn<f32>>>> {
        let experiment = &self.set_up.experiment;
        let frames = experiment.crystals_at_frames.len();
        if frames > 0 && frame >= frames {
            return Err(PyIndexError::new_err(format!(
                "frame {frame} of a scan of {frames}, counted from 0"
            )));
        }
        let rendered = rendered(py, experiment, frame, self.threads(threads), carryover)?;
        match out {
            None => rendered.into_pyarray(py).reshape(self.shape()).map(Some),
            Some(mut out) => {
                let target = out.as_slice_mut()?;
                check_pixels("out", target.len(), experiment)?;
                target.copy_from_slice(&rendered);
                Ok(None)
            }
        }
    }

    /// Name, unit and value of each parameter that `wrt` names.
    fn parameters(&self, wrt: Wrt) -> PyResult<Vec<Parameter>> {
        let chosen = self.chosen(wrt)?;
        let experiment = &self.set_up.experiment;
        let parameters = chosen.parameters.iter();
        let at_start = Moves::default();
        Ok(parameters
            .map(|named| (named.name.to_string(), named.unit, value(named, experiment, &at_start)))
            .collect())
    }

    /// The image in f64 after each parameter of `wrt` was moved by `steps`, in its unit.
    fn image<'py>(
        &self,
        py: Python<'py>,
        wrt: Wrt,
        steps: Vec<f64>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let chosen = self.chosen(wrt)?;
        let moves = moved(&chosen, &steps)?;
        let image = self.solved(py, &chosen, threads, |problem| problem.image(&moves))?;
        image.into_pyarray(py).reshape(self.shape())
    }

    /// The derivatives of the sum of the pixels, each times its weight, with respect to each parameter of `wrt`, after
    /// moves by `steps`; with `F` among these, also with respect to each structure factor of the grid.
    fn pullback<'py>(
        &self,
        py: Python<'py>,
        wrt: Wrt,
        steps: Vec<f64>,
        weights: PyReadonlyArrayDyn<'_, f64>,
        threads: Option<usize>,
    ) -> PyResult<(Vec<f64>, Option<ArrayF64<'py>>)> {
        let chosen = self.chosen(wrt)?;
        let (moves, weights) = (moved(&chosen, &steps)?, weights.as_slice()?);
        check_pixels("weights", weights.len(), &self.set_up.experiment)?;
        let (slopes, by_f) =
            self.solved(py, &chosen, threads, |problem| slopes(problem, &chosen, &moves, weights))?;
        let shape = self.set_up.experiment.structure_factors.as_deref().map(|grid| grid.shape().to_vec());
        let by_f = by_f.map(|by_f| by_f.into_pyarray(py).reshape(shape.unwrap_or_default())).transpose()?;
        Ok((slopes, by_f))
    }

    /// The derivatives of each pixel with respect to each parameter of `wrt`, after moves by `steps`: an image for each.
    fn pushforward<'py>(
        &self,
        py: Python<'py>,
        wrt: Wrt,
        steps: Vec<f64>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let chosen = self.chosen(wrt)?;
        let moves = moved(&chosen, &steps)?;
        let mut images = self.solved(py, &chosen, threads, |problem| {
            let directions =
                problem.directions(&moves, chosen.parameters.iter().map(|named| named.movable))?;
            problem.pushforward(&moves, &directions).map(|(images, _)| images)
        })?;
        let pixels = self.set_up.experiment.pixels();
        for (image, named) in images.chunks_mut(pixels.max(1)).zip(&chosen.parameters) {
            image.iter_mut().for_each(|slope| *slope *= named.per_unit);
        }
        let mut shape = vec![chosen.parameters.len()];
        shape.extend(self.shape());
        images.into_pyarray(py).reshape(shape)
    }

    /// What a detector stores of expected photons, by the stages of noise of the options: whole numbers, -1 where a pixel is
    /// masked.
    fn detect<'py>(
        &self,
        py: Python<'py>,
        photons: PyReadonlyArrayDyn<'_, f32>,
        seed: u64,
        frame: u32,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
        let experiment = &self.set_up.experiment;
        let stages = (&self.set_up.noise_stages, &self.noise);
        let threads = self.threads(threads);
        stored(py, experiment, stages, photons.as_slice()?, (seed, frame), threads)
    }

    /// The grid of structure factors and the indices of its first node; none where all have the default F.
    #[getter]
    fn structure_factors<'py>(&self, py: Python<'py>) -> PyResult<Option<FactorArray<'py>>> {
        let Some(grid) = self.set_up.experiment.structure_factors.as_deref() else { return Ok(None) };
        let count = grid.shape().iter().product();
        let nodes: Vec<f64> = (0..count).filter_map(|index| grid.nodes().get(index)).collect();
        Ok(Some((grid.min(), nodes.into_pyarray(py).reshape(grid.shape().to_vec())?)))
    }

    /// The same experiment with other structure factors in the grid.
    fn with_structure_factors(&self, factors: PyReadonlyArrayDyn<'_, f64>) -> PyResult<Self> {
        let SetUp { experiment, geometry, wavelengths, noise_stages, .. } = &self.set_up;
        let known = experiment.structure_factors.as_deref();
        let grid = known.filter(|grid| grid.grids() == 1 && factors.shape() == grid.shape());
        let Some(grid) = grid else {
            let known = known.map(|grid| (grid.grids(), grid.shape()));
            let given = factors.shape();
            return Err(PyValueError::new_err(match known {
                None => "structure factors: the experiment has none but default_F".to_owned(),
                Some((1, [h, k, l])) => {
                    format!("structure factors: an array of shape {given:?}, the grid has ({h}, {k}, {l})")
                }
                Some((grids, _)) => format!("structure factors: the experiment has {grids} grids of them"),
            }));
        };
        let values = factors.as_slice()?.to_vec();
        let grid = FactorGrid::several(grid.bounds(), values, None, GridNumbers::F64);
        let experiment = LibraryExperiment { structure_factors: Some(Arc::new(grid)), ..experiment.clone() };
        let set_up = SetUp {
            experiment,
            reflections: None,
            model: None,
            geometry: geometry.clone(),
            wavelengths: wavelengths.clone(),
            plan: None,
            noise_stages: noise_stages.clone(),
        };
        Ok(Self {
            options: self.options.clone(),
            words: self.words.clone(),
            set_up,
            warnings: Vec::new(),
            noise: OnceLock::new(),
        })
    }

    /// The photons that amorphous matter adds to each pixel; none without such matter.
    #[getter]
    fn background<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArrayDyn<f32>>>> {
        let background = self.set_up.experiment.background.as_deref();
        background.map(|of| of.photons.to_pyarray(py).reshape(self.shape())).transpose()
    }

    /// The photons of each pixel that matter scatters, in a slab or on a path along the beam, in mm: matter of points
    /// of s in 1/angstrom and F in electrons, of a density in g/cm^3 and a molecular weight in g/mol.
    fn scattered<'py>(
        &self,
        py: Python<'py>,
        points: Vec<(f64, f64)>,
        thickness_mm: f64,
        path_mm: Option<[f64; 2]>,
        density_and_weight: (f64, f64),
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let point = |(s_per_angstrom, f_electrons)| StolPoint { s_per_angstrom, f_electrons };
        let points = points.into_iter().map(point).collect();
        let (density_g_per_cm3, weight_g_per_mol) = density_and_weight;
        let place = match path_mm {
            Some(ends_mm) => Place::Path { ends_m: ends_mm.map(|end_mm| end_mm * 1e-3) },
            None => Place::Slab { thickness_m: thickness_mm * 1e-3 },
        };
        let matter = Amount { place, density_g_per_cm3, weight_g_per_mol };
        let pool = pool(self.threads(threads))?;
        let scatter = || matter.photons(&self.options, &self.set_up.experiment, points);
        let photons = py.detach(|| pool.install(scatter)).map_err(raised)?;
        photons.into_pyarray(py).reshape(self.shape())
    }

    /// s and F of the amorphous matter in a slab whose photons an image has, and the pixels of each; density and
    /// molecular weight are as above.
    fn radial_means<'py>(
        &self,
        py: Python<'py>,
        photons: PyReadonlyArrayDyn<'_, f32>,
        bins: usize,
        thickness_mm: f64,
        density_and_weight: (f64, f64),
        threads: Option<usize>,
    ) -> PyResult<[Bound<'py, PyArray1<f64>>; 3]> {
        let experiment = &self.set_up.experiment;
        let photons = photons.as_slice()?;
        check_pixels("photons", photons.len(), experiment)?;
        let place = Place::Slab { thickness_m: thickness_mm * 1e-3 };
        let (density_g_per_cm3, weight_g_per_mol) = density_and_weight;
        let matter = Amount { place, density_g_per_cm3, weight_g_per_mol };
        let pool = pool(self.threads(threads))?;
        let rings = || matter.rings(&self.options, experiment, photons, bins);
        let rings = py.detach(|| pool.install(rings)).map_err(raised)?;
        let column = |of: fn(&RadialMean) -> f64| rings.iter().map(of).collect::<Vec<f64>>().into_pyarray(py);
        Ok([
            column(|ring| ring.point.s_per_angstrom),
            column(|ring| ring.point.f_electrons),
            column(|ring| ring.pixels as f64),
        ])
    }

    /// Writes the pixels of a frame, counted from 0, as an image of a format; `adc_offset` is what counts have too
    /// much.
    fn write_image(
        &self,
        py: Python<'_>,
        path: PathBuf,
        format: &str,
        pixels: Stored<'_>,
        frame: usize,
        adc_offset: f64,
    ) -> PyResult<()> {
        check_pixels("pixels", pixels.count(), &self.set_up.experiment)?;
        images::write(py, (&self.options, &self.set_up), (&path, format), &pixels, (frame, adc_offset))
    }

    /// Writes frames, one after the other in `pixels`, as an NXmx file.
    fn write_nxmx(
        &self,
        py: Python<'_>,
        path: PathBuf,
        pixels: Stored<'_>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let count = self.set_up.experiment.pixels().max(1);
        let frames: Vec<Pixels<'_>> = match pixels.pixels()? {
            Pixels::F32(pixels) => pixels.chunks_exact(count).map(Pixels::F32).collect(),
            Pixels::I32(pixels) => pixels.chunks_exact(count).map(Pixels::I32).collect(),
            _ => return Err(PyTypeError::new_err("NXmx files hold f32 or i32")),
        };
        let pool = pool(self.threads(threads))?;
        let write = || arrays::write_nxmx((&self.options, &self.set_up), &self.words, &path, &frames);
        py.detach(|| pool.install(write)).map_err(raised)
    }

    /// Writes the geometry as an experiment list of DIALS, with the crystal, or as a geometry of CrystFEL.
    fn write_geometry(&self, py: Python<'_>, path: PathBuf, format: &str) -> PyResult<()> {
        let write = match format {
            "expt" => arrays::write_expt,
            "geom" => arrays::write_geom,
            _ => return Err(PyValueError::new_err(format!("format: {format:?} is none of expt, geom"))),
        };
        py.detach(|| write(&self.set_up, &path)).map_err(raised)
    }

    /// Where the reflections of the first `frames` frames are: a column for each quantity.
    fn predictions<'py>(&self, py: Python<'py>, frames: usize) -> PyResult<Bound<'py, PyDict>> {
        let experiment = &self.set_up.experiment;
        let found = py.detach(|| of_experiment(experiment, frames)).map_err(raised)?;
        let entry = PyDict::new(py);
        let hkl: Vec<i32> = found.iter().flat_map(|reflection| reflection.hkl).collect();
        entry.set_item("hkl", hkl.into_pyarray(py).reshape([found.len(), 3])?)?;
        let panels: Vec<i64> = found.iter().map(|reflection| reflection.panel as i64).collect();
        entry.set_item("panel", panels.into_pyarray(py))?;
        let column =
            |of: &dyn Fn(&Prediction) -> f64| found.iter().map(of).collect::<Vec<f64>>().into_pyarray(py);
        entry.set_item("fast_px", column(&|reflection| reflection.position_px[0]))?;
        entry.set_item("slow_px", column(&|reflection| reflection.position_px[1]))?;
        entry.set_item("d_A", column(&|reflection| reflection.d_angstrom))?;
        entry.set_item("wavelength_A", column(&Prediction::lambda_angstrom))?;
        let when = |reflection: &Prediction| match reflection.when {
            When::Phi { phi_deg, .. } => phi_deg,
            When::Excitation(angle_rad) => angle_rad.to_degrees(),
        };
        let rotates = experiment.phi.range != 0.0;
        entry.set_item(if rotates { "phi_deg" } else { "excitation_deg" }, column(&when))?;
        if let Some(intensity) = FullIntensity::new(experiment) {
            entry.set_item("full_photons", column(&|reflection| intensity.photons(reflection)))?;
        }
        Ok(entry)
    }

    /// The intermediate values of a pixel, and of each of its steps.
    fn trace<'py>(&self, py: Python<'py>, slow: usize, fast: usize) -> PyResult<Bound<'py, PyDict>> {
        let experiment = &self.set_up.experiment;
        let [rows, columns] = [experiment.rows(), experiment.columns()];
        if slow >= rows || fast >= columns {
            return Err(PyIndexError::new_err(format!("pixel {slow} {fast} of {rows} x {columns}")));
        }
        setup::check_single_crystal(&self.options, experiment).map_err(raised)?;
        experiment.only_panel().map_err(raised)?;
        let pool = pool(self.threads(None))?;
        let trace = || {
            let mut orientations = experiment.orientation_buffer()?;
            let scene = experiment.scene(0, 0, &mut orientations)?;
            let slots = open_slots(experiment, &scene)?;
            let latch = find_latch(&scene, &slots)?;
            let all = Steps { subpixel: None, source: None, rounding: Rounding::None };
            trace_pixel(&latched(&scene, latch), &slots, [slow, fast], &all)
        };
        let trace = py.detach(|| pool.install(trace)).map_err(raised)?;
        let values = PyDict::new(py);
        trace.taps.iter().try_for_each(|(name, value)| set_numbers(&values, name, value.numbers()))?;
        let steps = trace.steps.iter().map(|step| {
            let entry = PyDict::new(py);
            step.counters.iter().try_for_each(|(name, counter)| entry.set_item(name, counter))?;
            step.numbers.iter().try_for_each(|(name, number)| entry.set_item(name, number))?;
            entry.set_item("carryover", step.carryover.map(Carried::name))?;
            Ok(entry)
        });
        values.set_item("steps", steps.collect::<PyResult<Vec<_>>>()?)?;
        Ok(values)
    }

    /// Fits the parameters of `wrt` to an image in at most `iterations` steps.
    fn refine(
        &self,
        py: Python<'_>,
        wrt: Wrt,
        against: PyReadonlyArrayDyn<'_, f32>,
        poisson: bool,
        iterations: usize,
        threads: Option<usize>,
    ) -> PyResult<Refined> {
        let chosen = self.chosen(wrt)?;
        let against = against.as_slice()?;
        check_pixels("against", against.len(), &self.set_up.experiment)?;
        let kind = if poisson { LossKind::Poisson } else { LossKind::LeastSquares };
        let loss = Loss::against(against.to_vec(), kind);
        let fitted = self.solved(py, &chosen, threads, |problem| {
            fit(problem, &loss, &chosen.parameters, iterations, &|_| ())
        })?;
        let experiment = &self.set_up.experiment;
        let parameters = chosen.parameters.iter().zip(&fitted.uncertainties);
        let [before, after] = fitted.agreement;
        Ok(Refined {
            parameters: parameters
                .map(|(named, uncertainty)| {
                    let value = value(named, experiment, &fitted.moves);
                    (named.name.to_string(), named.unit, value, *uncertainty)
                })
                .collect(),
            loss: [before.loss, after.loss],
            correlation: [before.correlation, after.correlation],
            iterations: fitted.iterations(),
            converged: fitted.converged,
            believable: fitted.is_believable(),
            pixels: fitted.pixels,
        })
    }

    /// A loss, and its derivative with respect to each parameter of `wrt` by its name.
    fn gradient(
        &self,
        py: Python<'_>,
        wrt: Wrt,
        against: Option<PyReadonlyArrayDyn<'_, f32>>,
        poisson: bool,
        threads: Option<usize>,
    ) -> PyResult<(f64, Vec<(String, f64)>)> {
        let experiment = &self.set_up.experiment;
        let chosen = self.chosen(wrt)?;
        let kind = if poisson { LossKind::Poisson } else { LossKind::LeastSquares };
        let loss = match against {
            None => Loss::sum(experiment.pixels()),
            Some(data) => {
                let data = data.as_slice()?;
                check_pixels("against", data.len(), experiment)?;
                Loss::against(data.to_vec(), kind)
            }
        };
        let moves = Moves::default();
        self.solved(py, &chosen, threads, |problem| {
            let image = problem.image(&moves)?;
            let (loss, _, weights) = loss.at(&image, selected(experiment));
            let (slopes, _) = slopes(problem, &chosen, &moves, &weights)?;
            let names = chosen.parameters.iter().map(|named| named.name.to_string());
            Ok((loss, names.zip(slopes).collect()))
        })
    }
}

impl Experiment {
    /// Threads for an image: those asked for, or as many as it is worth.
    fn threads(&self, asked: Option<usize>) -> usize {
        asked.unwrap_or_else(|| {
            let all = threads::or_all_cores(self.options.threads);
            threads::worth_starting(&self.set_up.experiment, all)
        })
    }

    /// The parameters that `wrt` names.
    fn chosen(&self, (parameters, groups): Wrt) -> PyResult<Chosen> {
        let mut words = vec!["gradient".to_owned()];
        words.extend_from_slice(&self.words);
        words.extend([WRT.to_owned(), parameters.join(",")]);
        words.extend(groups.into_iter().flat_map(|group| [GROUP.to_owned(), group]));
        let options: GradientOptions = match options::parse(&words).map_err(raised)? {
            Command::Gradient(options) => *options,
            _ => return Err(PyValueError::new_err("wrt: not names of parameters")),
        };
        setup::check_all_steps(&self.options).map_err(raised)?;
        Chosen::new(&options, &self.set_up).map_err(raised)
    }

    /// What `solve` makes of the derivatives of the experiment, on `threads` threads.
    fn solved<T: Send>(
        &self,
        py: Python<'_>,
        chosen: &Chosen,
        threads: Option<usize>,
        solve: impl Fn(&Problem<'_>) -> Result<T, Failure> + Sync,
    ) -> PyResult<T> {
        let pool = pool(self.threads(threads))?;
        let solve = || solve(&Problem::new(&self.set_up.experiment, &chosen.groups)?);
        py.detach(|| pool.install(solve)).map_err(raised)
    }
}

/// The shape of an image: (slow, fast), or (panel, slow, fast) of several panels of equal size.
pub(crate) fn shape(experiment: &LibraryExperiment) -> Vec<usize> {
    let mut heights = experiment.panels.iter().map(|panel| panel.detector.slow_pixels);
    let first = heights.next().unwrap_or(0);
    let (count, columns) = (experiment.panels.len(), experiment.columns());
    if count > 1 && heights.all(|height| height == first) {
        vec![count, first, columns]
    } else {
        vec![experiment.rows(), columns]
    }
}

/// What options make, and what the user should know of it, a sentence each; `files` holds contents that stand for files.
pub(crate) fn set_up(
    py: Python<'_>,
    options: &Options,
    files: BTreeMap<PathBuf, Vec<u8>>,
) -> PyResult<(SetUp, Vec<String>)> {
    let files = files.into_iter().map(|(path, bytes)| (path, Arc::from(bytes))).collect();
    let warnings = Mutex::new(Vec::new());
    let warn = |line: String| warnings.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    let set_up = py.detach(|| setup::of_files(options, &Inputs::given(files), &warn)).map_err(raised)?;
    Ok((set_up, warnings.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// The photons expected in each pixel of a frame, counted from 0; what calls before have left is found in `carryover`.
pub(crate) fn rendered(
    py: Python<'_>,
    experiment: &LibraryExperiment,
    frame: usize,
    threads: usize,
    carryover: Option<&Carryover>,
) -> PyResult<Vec<f32>> {
    let pool = pool(threads)?;
    let render = |slots: Option<&mut Vec<Vec<Slot>>>| {
        let mut orientations = experiment.orientation_buffer()?;
        let scenes = experiment.scenes(frame, &mut orientations)?;
        match slots {
            None => render_frame(experiment, &scenes, &|| ()),
            Some(slots) => render_continued(experiment, &scenes, slots, &|| ()),
        }
    };
    let rendered = py.detach(|| {
        // Locked by the caller: a thread of the pool that waits for others may take up another render.
        let mut kept = carryover.map(|Carryover(kept)| kept.lock().unwrap_or_else(PoisonError::into_inner));
        let slots = kept.as_deref_mut();
        pool.install(|| render(slots))
    });
    Ok(rendered.map_err(raised)?.pixels)
}

/// What a detector stores of expected photons, drawn by a seed and the number of a frame. What the stages need is
/// kept from the first image on.
pub(crate) fn stored<'py>(
    py: Python<'py>,
    experiment: &LibraryExperiment,
    (stages, noise): (&NoiseStages, &OnceLock<DetectorNoise>),
    photons: &[f32],
    (seed, frame): (u64, u32),
    threads: usize,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    check_pixels("photons", photons.len(), experiment)?;
    let pool = pool(threads)?;
    let detect = || {
        if noise.get().is_none() {
            // Another thread may have made the same in the meantime.
            let _ = noise.set(DetectorNoise::new(stages, experiment)?);
        }
        let no_memory = || Failure::no_memory(Part::Noise, "an image");
        let stored = noise.get().ok_or_else(no_memory)?.stored(experiment, photons, seed, frame)?;
        let mut orientations = experiment.orientation_buffer()?;
        let scenes = experiment.scenes(0, &mut orientations)?;
        let counts = noise_counts(scenes.panels(), &stored, i32::MIN);
        counts.map(|noise| noise.pixels).ok_or_else(no_memory)
    };
    let counts = py.detach(|| pool.install(detect)).map_err(raised)?;
    counts.into_pyarray(py).reshape(shape(experiment))
}

/// Checks that an array has as many pixels as the image.
fn check_pixels(name: &str, pixels: usize, experiment: &LibraryExperiment) -> PyResult<()> {
    let wanted = experiment.pixels();
    if pixels == wanted {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("{name}: {pixels} pixels, the image has {wanted}")))
}

/// The moves of parameters by `steps` in their units.
fn moved(chosen: &Chosen, steps: &[f64]) -> PyResult<Moves> {
    if steps.len() != chosen.parameters.len() {
        let (has, wanted) = (steps.len(), chosen.parameters.len());
        return Err(PyValueError::new_err(format!("{has} steps for {wanted} parameters")));
    }
    let mut moves = Moves::default();
    for (named, step) in chosen.parameters.iter().zip(steps) {
        moves.add(named.movable, step * named.per_unit);
    }
    Ok(moves)
}

/// Derivatives of a weighted sum of pixels with respect to each parameter, in its unit, and where they are chosen
/// with respect to each structure factor.
fn slopes(
    problem: &Problem<'_>,
    chosen: &Chosen,
    moves: &Moves,
    weights: &[f64],
) -> Result<(Vec<f64>, Option<Vec<f64>>), Failure> {
    let directions = problem.directions(moves, chosen.parameters.iter().map(|named| named.movable))?;
    let (pulled, _) = problem.pullback(moves, weights, &directions, chosen.each_f)?;
    let along = chosen.parameters.iter().zip(&directions);
    let slopes = along.map(|(named, direction)| pulled.along(direction) * named.per_unit).collect();
    Ok((slopes, pulled.by_f))
}
