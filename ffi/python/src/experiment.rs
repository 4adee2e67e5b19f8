//! Experiments: images, and derivatives of these.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg::crystal::CellSource;
use widebragg::scene::CrystalInput;
use widebragg_cli::commands::derivatives::Chosen;
use widebragg_cli::commands::setup::inputs::Inputs;
use widebragg_cli::commands::setup::{self, SetUp};
use widebragg_cli::options::{self, Command, GradientOptions, Options};
use widebragg_experiment::carryover::{find_latch, latched, open_slots};
use widebragg_experiment::detector_noise::DetectorNoise;
use widebragg_experiment::experiment::Experiment as LibraryExperiment;
use widebragg_experiment::failure::{Failure, Part};
use widebragg_experiment::frame::render_frame;
use widebragg_experiment::gradient::loss::{Loss, LossKind};
use widebragg_experiment::gradient::moves::Moves;
use widebragg_experiment::gradient::named::value;
use widebragg_experiment::gradient::problem::Problem;
use widebragg_experiment::gradient::refine::optimiser::fit;
use widebragg_experiment::gradient::selection::selected;
use widebragg_experiment::images::noise_counts;
use widebragg_experiment::threads;
use widebragg_experiment::trace::pixel::{Carried, Chosen as Steps, Rounding, trace_pixel};

use crate::failure::raised;
use crate::pools::pool;

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

/// The indices of the first node of a grid, and the grid.
type FactorArray<'py> = ([i32; 3], Bound<'py, PyArrayDyn<f64>>);

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
        Ok(facts)
    }

    /// The photons expected in each pixel of a frame, counted from 0, into `out` where it is given.
    #[pyo3(signature = (frame, threads, out))]
    fn render<'py>(
        &self,
        py: Python<'py>,
        frame: usize,
        threads: Option<usize>,
        out: Option<PyReadwriteArrayDyn<'py, f32>>,
    ) -> PyResult<Option<Bound<'py, PyArrayDyn<f32>>>> {
        let experiment = &self.set_up.experiment;
        let frames = experiment.crystals_at_frames.len();
        if frames > 0 && frame >= frames {
            return Err(PyIndexError::new_err(format!(
                "frame {frame} of a scan of {frames}, counted from 0"
            )));
        }
        let rendered = rendered(py, experiment, frame, self.threads(threads))?;
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
    /// moves by `steps`.
    fn pullback(
        &self,
        py: Python<'_>,
        wrt: Wrt,
        steps: Vec<f64>,
        weights: PyReadonlyArrayDyn<'_, f64>,
        threads: Option<usize>,
    ) -> PyResult<Vec<f64>> {
        let chosen = self.chosen(wrt)?;
        let (moves, weights) = (moved(&chosen, &steps)?, weights.as_slice()?);
        check_pixels("weights", weights.len(), &self.set_up.experiment)?;
        self.solved(py, &chosen, threads, |problem| slopes(problem, &chosen, &moves, weights))
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
        let stages = (&self.options, &self.noise);
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

    /// The derivatives of the sum of the pixels, each times its weight, with respect to each structure factor of the grid.
    fn pullback_to_f<'py>(
        &self,
        py: Python<'py>,
        weights: PyReadonlyArrayDyn<'_, f64>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let weights = weights.as_slice()?;
        check_pixels("weights", weights.len(), &self.set_up.experiment)?;
        let chosen = self.chosen((vec!["F".to_owned()], Vec::new()))?;
        let moves = Moves::default();
        let by_f = self.solved(py, &chosen, threads, |problem| {
            let (pulled, _) = problem.pullback(&moves, weights, &[], true)?;
            Ok(pulled.by_f.unwrap_or_default())
        })?;
        let shape = self.set_up.experiment.structure_factors.as_deref().map(|grid| grid.shape().to_vec());
        by_f.into_pyarray(py).reshape(shape.unwrap_or_default())
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
        for (name, value) in &trace.taps {
            match value.numbers() {
                [number] => values.set_item(name, number)?,
                numbers => values.set_item(name, numbers)?,
            }
        }
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
            let slopes = slopes(problem, &chosen, &moves, &weights)?;
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

/// The photons expected in each pixel of a frame, counted from 0.
pub(crate) fn rendered(
    py: Python<'_>,
    experiment: &LibraryExperiment,
    frame: usize,
    threads: usize,
) -> PyResult<Vec<f32>> {
    let pool = pool(threads)?;
    let render = || {
        let mut orientations = experiment.orientation_buffer()?;
        let scenes = experiment.scenes(frame, &mut orientations)?;
        render_frame(experiment, &scenes, &|| ())
    };
    Ok(py.detach(|| pool.install(render)).map_err(raised)?.pixels)
}

/// What a detector stores of expected photons, drawn by a seed and the number of a frame. The stages are those of the options,
/// and what they need is kept from the first image on.
pub(crate) fn stored<'py>(
    py: Python<'py>,
    experiment: &LibraryExperiment,
    (options, noise): (&Options, &OnceLock<DetectorNoise>),
    photons: &[f32],
    (seed, frame): (u64, u32),
    threads: usize,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    check_pixels("photons", photons.len(), experiment)?;
    let pool = pool(threads)?;
    let detect = || {
        if noise.get().is_none() {
            // Another thread may have made the same in the meantime.
            let _ = noise.set(DetectorNoise::new(&options.noise_stages, experiment)?);
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

/// Derivatives of a weighted sum of pixels with respect to each parameter, in its unit.
fn slopes(
    problem: &Problem<'_>,
    chosen: &Chosen,
    moves: &Moves,
    weights: &[f64],
) -> Result<Vec<f64>, Failure> {
    let directions = problem.directions(moves, chosen.parameters.iter().map(|named| named.movable))?;
    let (pulled, _) = problem.pullback(moves, weights, &directions, false)?;
    let along = chosen.parameters.iter().zip(&directions);
    Ok(along.map(|(named, direction)| pulled.along(direction) * named.per_unit).collect())
}
