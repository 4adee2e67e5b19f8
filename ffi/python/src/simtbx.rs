//! What `widebragg.simtbx` computes with: scenes of simtbx's class `nanoBragg`, from plain numbers.
//!
//! ```text
//! photons = r_e^2 fluence P/n * sum over subpixels, layers, sources, phi, domains of w omega capture F_cell^2 F_latt^2
//! ```
//!
//! n is the number of subpixels, phi steps and domains; w is the weight of a source, which simtbx does not divide by. P is
//! the polarisation factor of the last term whose F_latt is not 0. Gauss and tophat spots have index metric. These are
//! rules that the libraries have; what is here chooses them.

use core::ops::Range;
use std::sync::Arc;

use numpy::{
    IntoPyArray, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3,
    PyReadwriteArray2, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;
use widebragg::beam::PolarizedAt;
use widebragg::carryover::Carryover;
use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell, recommended_oversample};
use widebragg::detector::{BeamFrame, Convention, CustomAxes, Detector, DetectorParameters, Pivot};
use widebragg::lattice::{CellCoupling, CrystalShape, SpotMetric, SpotModel};
use widebragg::panel::{Bend, Panel};
use widebragg::random::{Ran1, random_misset_f64, random_rotation_f64};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, PhiSweep};
use widebragg::sampling::{OversampleRequest, StepRequest};
use widebragg::scene::{CrystalInput, DetectorInput, Roi, Scene, Sensor};
use widebragg::vector::Vec3;
use widebragg_experiment::carryover::latched;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::factor_grid::{FactorGrid, GridNumbers};
use widebragg_experiment::parameters::{
    Attenuation, LayerRule, Mosaic, PanelParameters, Parameters, SensorRequest, Sources,
};
use widebragg_experiment::threads;
use widebragg_formats::hkl_table::{HklTable, MAX_CELLS};
use widebragg_formats::sources::SourceLine;
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::symmetry::{Rotation, SpaceGroup};

use crate::failure::raised;
use crate::pools::pool;

/// Exponent of a gauss spot from which on `Gauss_argchk` is 0.
const ARGCHK: f64 = 35.0;

/// Pixels that are rendered at a time.
const PIXELS_AT_A_TIME: usize = 2048;

fn refused(error: widebragg::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Structure factors on a box of Miller indices that contains 0, 0, 0; scenes share it.
#[pyclass(frozen, module = "widebragg._core")]
pub(crate) struct SimtbxFactors(Arc<FactorGrid>);

#[pymethods]
impl SimtbxFactors {
    /// The box of the indices `hkl`, of shape (n, 3), with `f` at these, `f000` at 0, 0, 0 and `default_f` elsewhere.
    #[new]
    fn new(
        py: Python<'_>,
        hkl: PyReadonlyArray2<'_, i32>,
        f: PyReadonlyArray1<'_, f64>,
        default_f: f64,
        f000: f64,
    ) -> PyResult<Self> {
        let (hkl, f) = (hkl.as_array(), f.as_array());
        if hkl.ncols() != 3 || hkl.nrows() != f.len() {
            return Err(PyValueError::new_err("indices of shape (n, 3) and n structure factors are needed"));
        }
        let table = py.detach(|| {
            let indices = || hkl.rows().into_iter().map(|index| [index[0], index[1], index[2]]);
            let mut bounds = IndexBox { h: (0, 0), k: (0, 0), l: (0, 0) };
            indices().for_each(|index| bounds.include(index));
            let IndexBox { h, k, l } = bounds;
            let mut table = HklTable::filled(h, k, l, default_f, MAX_CELLS)?;
            let centre = ([0; 3], f000);
            for (index, f) in indices().zip(f.iter().copied()).chain([centre]) {
                if let Some(place) = bounds.position(index) {
                    table.data[place] = f;
                }
            }
            Ok::<_, String>(table)
        });
        let table = table.map_err(PyValueError::new_err)?;
        Ok(Self(Arc::new(FactorGrid::new(table, GridNumbers::Auto))))
    }

    /// The number of nodes along h, k, l.
    #[getter]
    fn shape(&self) -> [usize; 3] {
        self.0.shape()
    }
}

/// The lattice points in the cell of a space group, and the threefold rotations of its Laue group, which turn fractional
/// coordinates.
#[pyfunction]
pub(crate) fn simtbx_threefold(space_group: &str) -> PyResult<(usize, Vec<Rotation>)> {
    let group = SpaceGroup::from_name(space_group, None);
    let group = group.map_err(|failure| PyValueError::new_err(failure.to_string()))?;
    let mut threefold: Vec<Rotation> = Vec::new();
    for rotation in group.rotations() {
        // Of a rotation and its product with the inversion, the one that keeps hands.
        let sign = determinant(rotation);
        let proper = rotation.map(|row| row.map(|element| sign * element));
        // 1 + 2 cos(angle).
        let trace: i32 = (0..3).map(|axis| proper[axis][axis]).sum();
        if trace == 0 && !threefold.contains(&proper) {
            threefold.push(proper);
        }
    }
    Ok((group.centring(), threefold))
}

fn determinant([a, b, c]: &Rotation) -> i32 {
    let minor = |i: usize, j: usize| b[i] * c[j] - b[j] * c[i];
    a[0] * minor(1, 2) - a[1] * minor(0, 2) + a[2] * minor(0, 1)
}

/// The region of a first and last pixel along fast, then along slow.
pub(crate) fn region([fast_min, fast_max, slow_min, slow_max]: [usize; 4]) -> Roi {
    Roi { fast_min, fast_max, slow_min, slow_max }
}

/// A panel in its place; lengths in mm, vectors in the laboratory frame.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct PanelNumbers {
    /// Pixels along slow and fast.
    shape: [usize; 2],
    pixel_mm: f64,
    origin_mm: [f64; 3],
    fast: [f64; 3],
    slow: [f64; 3],
    normal: [f64; 3],
    distance_mm: f64,
    close_distance_mm: f64,
    point_pixel: bool,
    curved: bool,
    /// Thickness of the sensor; not above 0: none.
    thick_mm: f64,
    layers: i64,
    attenuation_mm: f64,
    /// First and last pixel along fast, then along slow.
    region: [usize; 4],
}

/// The beam.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct BeamNumbers {
    direction: [f64; 3],
    e_vector: [f64; 3],
    /// Kahn's factor; without one there is no polarisation factor.
    kahn: Option<f64>,
    wavelength_angstrom: f64,
    pub(crate) photons_per_m2: f64,
    /// Count, range and step of horizontal and vertical divergence in rad, and of the wavelength as a fraction.
    divergence: [(Option<i64>, Option<f64>, Option<f64>); 3],
    /// Whether the corners of the divergence are dropped.
    round: bool,
}

/// The crystal and its rotation.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct CrystalNumbers {
    direct_angstrom: [[f64; 3]; 3],
    cells: [f64; 3],
    shape: String,
    default_f: f64,
    interpolate: bool,
    oversample: usize,
    /// Whether each subpixel has its own solid angle; else all have that of the first.
    solid_angle_of_each: bool,
    spindle: [f64; 3],
    phi_deg: f64,
    step_deg: f64,
    steps: usize,
    /// Whether phi = 0 leaves the crystal where the last step turned it.
    carried: bool,
}

/// Vectors of a matrix that turns x, y, z.
const AXES: Orientation = Orientation {
    a_m: Vec3::new(1.0, 0.0, 0.0),
    b_m: Vec3::new(0.0, 1.0, 0.0),
    c_m: Vec3::new(0.0, 0.0, 1.0),
};

impl PanelNumbers {
    fn parameters(&self, beam: &BeamNumbers, spindle: [f64; 3]) -> PanelParameters {
        let [slow_pixels, fast_pixels] = self.shape;
        let pixel_m = self.pixel_mm * 1e-3;
        let [beam, polarization] = [beam.direction, beam.e_vector].map(Vec3::from);
        let (vertical, spindle) = (beam.cross(polarization).normalize(), spindle.into());
        let distance_m = self.distance_mm * 1e-3;
        let panel = Panel {
            pixel_m,
            fast_pixels,
            slow_pixels,
            pix0_m: 1e-3 * Vec3::from(self.origin_mm),
            fast: self.fast.into(),
            slow: self.slow.into(),
            normal: self.normal.into(),
            close_distance_m: self.close_distance_mm * 1e-3,
            point_pixel: self.point_pixel,
            bend: self.curved.then_some(Bend { beam, radius_m: distance_m }),
            // The experiment has it made of the request below.
            sensor: Sensor::THIN,
        };
        let detector = panel.detector(distance_m, &BeamFrame { beam, polarization, vertical, spindle });
        let is_thick = self.thick_mm > 0.0;
        PanelParameters {
            detector: DetectorInput::Placed(detector),
            sensor: SensorRequest {
                thickness_m: is_thick.then_some(self.thick_mm * 1e-3),
                layers: Some(self.layers),
                attenuation: if is_thick {
                    Attenuation::DepthM(self.attenuation_mm * 1e-3)
                } else {
                    Attenuation::AtSurface
                },
                layer_rule: LayerRule::AsGiven,
            },
            roi: Some(region(self.region)),
            ..PanelParameters::default()
        }
    }
}

impl CrystalNumbers {
    fn input(&self) -> CrystalInput {
        let [a, b, c] = self.direct_angstrom.map(Vec3::from);
        let per_volume = 1.0 / a.dot(b.cross(c));
        let [a_m, b_m, c_m] = [a, b, c].map(|edge| 1e-10 * edge);
        CrystalInput::Axes {
            direct: Orientation { a_m, b_m, c_m },
            reciprocal_per_angstrom: [b.cross(c), c.cross(a), a.cross(b)].map(|axis| per_volume * axis),
        }
    }

    fn spots(&self) -> PyResult<(CrystalShape, SpotModel)> {
        let (name, gauss_cutoff) = match &*self.shape {
            "gauss_argchk" => ("gauss", ARGCHK),
            name => (name, f64::INFINITY),
        };
        let shape = name.parse().map_err(refused)?;
        Ok((shape, SpotModel { metric: SpotMetric::Index, coupling: CellCoupling::NONE, gauss_cutoff }))
    }

    /// The domains, each turned by every phi that is seen, where phi = 0 is carried.
    fn carried_domains(&self, domains: &[Mat3]) -> Vec<Mat3> {
        let sweep = PhiSweep {
            phi0_rad: self.phi_deg.to_radians(),
            step_rad: self.step_deg.to_radians(),
            count: self.steps,
            spindle: self.spindle.into(),
            mode: PhiMode::CParity,
        };
        let turned = (0..self.steps).map(|step| {
            // Where no step turns the crystal, each sees itself.
            let seen = sweep.seen_step(step).unwrap_or(step);
            AXES.rotated(sweep.spindle, sweep.phi_rad(seen))
        });
        let in_domains = turned.flat_map(|axes| domains.iter().map(move |domain| axes.in_domain(domain)));
        let matrix = |Orientation { a_m, b_m, c_m }| {
            let [a, b, c] = [a_m, b_m, c_m].map(Vec3::to_array);
            [0, 1, 2].map(|row| [a[row], b[row], c[row]])
        };
        in_domains.map(matrix).collect()
    }
}

/// Matrices of an array of shape (n, 3, 3).
fn matrices(array: &PyReadonlyArray3<'_, f64>) -> PyResult<Vec<Mat3>> {
    let [count, 3, 3] = *array.shape() else {
        return Err(PyValueError::new_err("domains: matrices of shape (n, 3, 3) are needed"));
    };
    let array = array.as_array();
    Ok((0..count).map(|i| [0, 1, 2].map(|row| [0, 1, 2].map(|column| array[[i, row, column]]))).collect())
}

/// Sources of an array whose rows are x, y, z towards the source, the wavelength in A and the weight; and the sum of the
/// weights.
fn listed(array: &PyReadonlyArray2<'_, f64>) -> PyResult<(Sources, f64)> {
    let array = array.as_array();
    if array.ncols() != 5 {
        return Err(PyValueError::new_err("sources: rows of x, y, z, wavelength and weight are needed"));
    }
    let lines = array.rows().into_iter().map(|row| SourceLine {
        direction: [Some(row[0]), Some(row[1]), Some(row[2])],
        weight: Some(row[4]),
        lambda_m: Some(row[3] * 1e-10),
    });
    Ok((Sources::Lines(lines.collect()), array.column(4).sum()))
}

/// An experiment of plain numbers, and the sum of the weights of its sources, by which simtbx does not divide.
pub(crate) fn experiment(
    panel: &PanelNumbers,
    beam: &BeamNumbers,
    crystal: &CrystalNumbers,
    sources: Option<&PyReadonlyArray2<'_, f64>>,
    domains: Option<&PyReadonlyArray3<'_, f64>>,
) -> PyResult<(Experiment, f64)> {
    let (sources, weight) = match sources {
        Some(array) => listed(array)?,
        None => {
            let [hdiv, vdiv, dispersion] =
                beam.divergence.map(|(count, range, step)| StepRequest { count, range, step });
            (Sources::Grid { hdiv, vdiv, dispersion, round: beam.round }, 1.0)
        }
    };
    let domains = domains.map_or_else(|| Ok(vec![IDENTITY]), matrices)?;
    let carries = crystal.carried && crystal.phi_deg == 0.0 && crystal.steps > 1;
    let domains = if carries { crystal.carried_domains(&domains) } else { domains };
    // Carried steps are among the domains.
    let (steps, step_rad) = if carries { (1, 0.0) } else { (crystal.steps, crystal.step_deg.to_radians()) };
    let (shape, spots) = crystal.spots()?;
    let parameters = Parameters {
        panels: vec![panel.parameters(beam, crystal.spindle)],
        oversample: OversampleRequest {
            per_axis: Some(crystal.oversample),
            thick: true,
            polar: false,
            omega: crystal.solid_angle_of_each,
        },
        lambda0_m: beam.wavelength_angstrom * 1e-10,
        sources,
        kahn: beam.kahn,
        polarized_at: PolarizedAt::Last,
        fluence_per_m2: weight * beam.photons_per_m2,
        beamsize_m: -1.0,
        crystal: crystal.input(),
        shape,
        cells: crystal.cells,
        spots,
        mode: PhiMode::Spec,
        phi0_rad: crystal.phi_deg.to_radians(),
        phi: StepRequest {
            count: Some(steps as i64),
            range: Some(steps as f64 * step_rad),
            step: Some(step_rad),
        },
        mosaic: Mosaic::List(domains),
        default_f: crystal.default_f,
        ..Parameters::new(CellSource::Matrix([[0.0; 3]; 3]))
    };
    let experiment = Experiment::new(parameters, |_| ()).map_err(raised)?;
    Ok((experiment, weight))
}

/// Adds the photons of the spots to the pixels of `image` (slow, fast); returns whether interpolation came to its end, which
/// it does for good where a reflection has too few neighbours.
#[pyfunction]
#[pyo3(signature = (image, panel, beam, crystal, sources, domains, factors, threads))]
#[expect(clippy::too_many_arguments, reason = "one call from Python for each image")]
pub(crate) fn simtbx_add_spots(
    py: Python<'_>,
    mut image: PyReadwriteArray2<'_, f64>,
    panel: PanelNumbers,
    beam: BeamNumbers,
    crystal: CrystalNumbers,
    sources: Option<PyReadonlyArray2<'_, f64>>,
    domains: Option<PyReadonlyArray3<'_, f64>>,
    factors: &SimtbxFactors,
    threads: Option<usize>,
) -> PyResult<bool> {
    if image.shape() != panel.shape {
        let (has, wanted) = (image.shape().to_vec(), panel.shape);
        return Err(PyValueError::new_err(format!("image: shape {has:?}, the panel has {wanted:?}")));
    }
    let (mut experiment, _) = experiment(&panel, &beam, &crystal, sources.as_ref(), domains.as_ref())?;
    experiment.structure_factors = Some(factors.0.clone());
    experiment.interpolate = crystal.interpolate;
    let pixels = image.as_slice_mut()?;
    let render = || {
        let mut orientations = experiment.orientation_buffer().map_err(raised)?;
        let scene = experiment.scene(0, 0, &mut orientations).map_err(raised)?;
        let rows = scene.parts().roi.slow_min..scene.parts().roi.slow_max + 1;
        let latch = match crystal.interpolate {
            true => scene.find_latch(rows.clone(), &Carryover::Off).map_err(refused)?,
            false => None,
        };
        let scene = latched(&scene, latch);
        let threads = match threads {
            Some(threads) => threads,
            None => threads::worth_starting(&experiment, threads::or_all_cores(None)),
        };
        add_rows(&scene, rows, pixels, threads)?;
        Ok(latch.is_some())
    };
    py.detach(render)
}

/// Adds rows of a scene to the pixels of an image.
fn add_rows(scene: &Scene<'_>, rows: Range<usize>, image: &mut [f64], threads: usize) -> PyResult<()> {
    let columns = scene.panel().fast_pixels;
    let rows_at_a_time = (PIXELS_AT_A_TIME / columns.max(1)).max(1);
    let part = |room: &mut Vec<f64>, first: usize, out: &mut [f64]| {
        room.resize(out.len(), 0.0);
        let rows = first..first + out.len() / columns;
        scene.render_rows(rows, room, &mut Carryover::Off)?;
        out.iter_mut().zip(room.iter()).for_each(|(sum, photons)| *sum += photons);
        Ok(())
    };
    let selected = &mut image[rows.start * columns..rows.end * columns];
    let pixels_at_a_time = rows_at_a_time * columns;
    let first_row = |index: usize| rows.start + index * rows_at_a_time;
    let done = if threads == 1 {
        let mut room = Vec::new();
        let mut parts = selected.chunks_mut(pixels_at_a_time).enumerate();
        parts.try_for_each(|(index, out)| part(&mut room, first_row(index), out))
    } else {
        let parts = selected.par_chunks_mut(pixels_at_a_time).enumerate();
        pool(threads)?.install(|| {
            parts.try_for_each_init(Vec::new, |room, (index, out)| part(room, first_row(index), out))
        })
    };
    done.map_err(refused)
}

/// Where a panel is, and its directions; lengths in mm.
#[derive(IntoPyObject)]
pub(crate) struct Placed {
    origin_mm: [f64; 3],
    fast: [f64; 3],
    slow: [f64; 3],
    normal: [f64; 3],
    beam: [f64; 3],
    e_vector: [f64; 3],
    spindle: [f64; 3],
    twotheta_axis: [f64; 3],
    distance_mm: f64,
    close_distance_mm: f64,
    beam_center_mm: [f64; 2],
}

/// The panel of a named convention, of which DIALS is simtbx's and not nanoBragg's.
///
/// `shape` (slow, fast); the beam centre is X and Y of the convention, its default where it is not given.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one call from Python for each geometry")]
pub(crate) fn simtbx_panel(
    convention: &str,
    shape: [usize; 2],
    pixel_mm: f64,
    distance_mm: Option<f64>,
    close_distance_mm: Option<f64>,
    beam_center_mm: Option<[f64; 2]>,
    rotation_deg: [f64; 3],
    twotheta_deg: f64,
) -> PyResult<Placed> {
    let z = Vec3::new(0.0, 0.0, 1.0);
    let x = Vec3::new(1.0, 0.0, 0.0);
    let convention = match convention {
        "dials" => Convention::Custom(CustomAxes {
            fast: Some(x),
            slow: Some(Vec3::new(0.0, -1.0, 0.0)),
            normal: Some(-z),
            beam: Some(-z),
            polarization: Some(x),
            spindle: Some(x),
            twotheta: Some(x),
        }),
        name => name.parse().map_err(refused)?,
    };
    let pixel_m = pixel_mm * 1e-3;
    let [slow_pixels, fast_pixels] = shape;
    let metres = |mm: f64| mm * 1e-3;
    let parameters = DetectorParameters {
        pixel_m,
        fast_pixels,
        slow_pixels,
        fast_size_m: fast_pixels as f64 * pixel_m,
        slow_size_m: slow_pixels as f64 * pixel_m,
        distance_m: distance_mm.map(metres),
        close_distance_m: close_distance_mm.map(metres),
        x_beam_m: beam_center_mm.map(|[x, _]| metres(x)),
        y_beam_m: beam_center_mm.map(|[_, y]| metres(y)),
        convention,
        pivot: Pivot::Sample,
        rotation_rad: rotation_deg.map(f64::to_radians),
        twotheta_rad: twotheta_deg.to_radians(),
        ..DetectorParameters::default()
    };
    let placed = Detector::new(&parameters, PhiMode::Spec).map_err(refused)?;
    Ok(Placed {
        origin_mm: placed.pix0_m.to_array().map(|length_m| length_m * 1e3),
        fast: placed.fast.to_array(),
        slow: placed.slow.to_array(),
        normal: placed.normal.to_array(),
        beam: placed.beam.to_array(),
        e_vector: placed.polarization.to_array(),
        spindle: placed.spindle.to_array(),
        twotheta_axis: placed.twotheta_axis.to_array(),
        distance_mm: placed.distance_m * 1e3,
        close_distance_mm: placed.close_distance_m * 1e3,
        beam_center_mm: [placed.x_beam_m * 1e3, placed.y_beam_m * 1e3],
    })
}

/// a, b, c in A, as rows, of a cell in the default setting or of a*, b*, c* in 1/A as rows, turned about x, y, z.
#[pyfunction]
pub(crate) fn simtbx_axes<'py>(
    py: Python<'py>,
    cell: [f64; 6],
    reciprocal: Option<Mat3>,
    misset_deg: [f64; 3],
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let [a, b, c, alpha, beta, gamma] = cell;
    let source = match reciprocal {
        None => CellSource::Cell(UnitCell::from_degrees([a, b, c], [alpha, beta, gamma])),
        // The kernel has these as columns.
        Some(rows) => CellSource::Matrix([0, 1, 2].map(|row| [0, 1, 2].map(|column| rows[column][row]))),
    };
    let misset_rad = misset_deg.map(f64::to_radians);
    let crystal =
        Crystal::new(&CrystalParameters { source, lambda0_m: 1e-10, misset_rad }).map_err(refused)?;
    let Orientation { a_m, b_m, c_m } = crystal.direct;
    let rows = [a_m, b_m, c_m].map(|edge| (1e10 * edge).to_array());
    rows.as_flattened().to_vec().into_pyarray(py).reshape([3, 3])
}

/// The subpixels along each axis that resolve the spots of a crystal of `cells` cells of a, b, c in A.
#[pyfunction]
pub(crate) fn simtbx_oversample(
    direct_angstrom: [[f64; 3]; 3],
    cells: [f64; 3],
    wavelength_angstrom: f64,
    distance_mm: f64,
    pixel_mm: f64,
) -> f64 {
    let [a_m, b_m, c_m] = direct_angstrom.map(|edge| 1e-10 * Vec3::from(edge));
    let direct = Orientation { a_m, b_m, c_m };
    recommended_oversample(direct, cells, wavelength_angstrom * 1e-10, distance_mm * 1e-3, pixel_mm * 1e-3)
}

/// The missetting of `randomize_orientation`, in degrees.
#[pyfunction]
pub(crate) fn simtbx_misset(seed: i64) -> [f64; 3] {
    random_misset_f64(seed).map(f64::to_degrees)
}

/// Mosaic domains, of shape (n, 3, 3): the first is the identity and draws nothing.
#[pyfunction]
pub(crate) fn simtbx_domains(
    py: Python<'_>,
    spread_deg: f64,
    count: usize,
    seed: i64,
) -> PyResult<Bound<'_, PyArray3<f64>>> {
    if !spread_deg.is_finite() {
        return Err(PyValueError::new_err("mosaic_spread_deg is not a finite number"));
    }
    let mut random = Ran1::new(seed);
    let drawn = (1..count).map(|_| random_rotation_f64(spread_deg.to_radians(), &mut random));
    let domains: Vec<Mat3> = core::iter::once(IDENTITY).chain(drawn).collect();
    let count = domains.len();
    domains.as_flattened().as_flattened().to_vec().into_pyarray(py).reshape([count, 3, 3])
}
