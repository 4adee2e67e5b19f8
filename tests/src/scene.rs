//! The oracle's derived values as a scene of the kernel.
//!
//! Detector, cell, sources, domains and grid are copied from a [`Simulation`] into the kernel's own structs.
//! Tests then compare only the kernel's tables and render loop, whatever the kernel's set-up does. An
//! [`Experiment`] owns the scene.

use std::sync::Arc;

use crate::oracle::command::Shape;
use crate::oracle::vector::Vector;
use crate::oracle::{Mode, Simulation};
use widebragg::Error;
use widebragg::beam::{Polarization, PolarizedAt, Source};
use widebragg::carryover::{Carryover, Slot};
use widebragg::crystal::{Crystal, UnitCell};
use widebragg::detector::{Detector, NormalUse};
use widebragg::gradient::{
    OrientationDerivativeBuffers, OrientationDerivatives, fill_orientation_derivatives, rotation_vector,
};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Crystallite, Precision, SpotModel};
use widebragg::light::LightRule;
use widebragg::mosaic::{MosaicSpread, SpreadTensor};
use widebragg::panel::Panel;
use widebragg::random::Ran1;
use widebragg::render::{PixelValue, open_streams};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, PhiShift, PhiSweep};
use widebragg::sampling::Steps;
use widebragg::scene::{CrystalInput, Oversample, Roi, Scene, Sensor};
use widebragg::vector::Vec3;
use widebragg_experiment::carryover::latched;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::factor_grid::{FactorGrid, GridNumbers};
use widebragg_experiment::failure::Failure;
use widebragg_experiment::panels::DetectorPanel;
use widebragg_experiment::parameters::PhiSampling;
use widebragg_reflections::index_box::IndexBox;

/// An owned dense grid of structure factors.
#[derive(Clone, Debug)]
pub struct OwnedGrid {
    /// Smallest h, k, l.
    pub min: [i32; 3],
    /// Number of nodes along h, k, l.
    pub len: [usize; 3],
    /// Values, h-major, l fastest.
    pub data: Vec<f64>,
    /// The numbers that experiments hold them in.
    pub numbers: GridNumbers,
    /// The grid of each source, where the values are those of several grids.
    pub of_source: Option<Vec<u32>>,
}

impl OwnedGrid {
    /// Makes several grids of this one over the same box; `value` makes a value from those of grid, node and this grid.
    pub fn repeat(&mut self, grids: usize, value: impl Fn(usize, usize, f64) -> f64) {
        let nodes = core::mem::take(&mut self.data);
        for grid in 0..grids {
            self.data.extend(nodes.iter().enumerate().map(|(node, &f)| value(grid, node, f)));
        }
    }

    /// The same grid as experiments own it.
    fn factor_grid(&self) -> FactorGrid {
        let axis = |i: usize| (self.min[i], self.min[i] + self.len[i] as i32 - 1);
        let bounds = IndexBox { h: axis(0), k: axis(1), l: axis(2) };
        FactorGrid::several(bounds, self.data.clone(), self.of_source.clone(), self.numbers)
    }
}

/// The tables of a scene, as the oracle derived them. The fields have the kernel's names.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names of the kernel's SceneParts")]
pub struct KernelScene {
    pub simd: Simd,
    pub detector: Detector,
    pub sensor: Sensor,
    pub oversample: Oversample,
    pub sources: Vec<Source>,
    pub source_weights: Option<Vec<f64>>,
    /// The cell before any rotation about the spindle.
    pub cell: Orientation,
    pub sweep: PhiSweep,
    pub shift: PhiShift,
    pub domains: Vec<Mat3>,
    pub crystallite: Crystallite,
    pub grid: Option<OwnedGrid>,
    pub default_f: f64,
    pub interpolate: bool,
    pub polarization: Option<Polarization>,
    pub d_min_m: f64,
    pub fluence_per_m2: f64,
    pub water_m: f64,
    pub roi: Roi,
    pub mask: Option<Vec<u16>>,
}

/// Converts a vector of the oracle to one of the kernel.
pub fn vec3(v: Vector) -> Vec3 {
    Vec3::from(v)
}

/// The kernel's phi mode for a mode of the oracle.
pub fn phi_mode(mode: Mode) -> PhiMode {
    match mode {
        Mode::Spec => PhiMode::Spec,
        Mode::CParity => PhiMode::CParity,
    }
}

/// The detector as the oracle placed it.
fn detector(simulation: &Simulation) -> Detector {
    let d = &simulation.detector;
    Detector {
        pixel_m: d.pixel,
        fast_pixels: d.npixels[0],
        slow_pixels: d.npixels[1],
        slow_size_m: d.detsize[1],
        pix0_m: vec3(d.pix0),
        fast: vec3(d.f),
        slow: vec3(d.s),
        normal: vec3(d.o),
        beam: vec3(d.b),
        polarization: vec3(d.p),
        vertical: vec3(d.v),
        spindle: vec3(d.u),
        twotheta_axis: vec3(d.t),
        distance_m: d.distance,
        close_distance_m: d.close_distance,
        x_beam_m: d.Xbeam,
        y_beam_m: d.Ybeam,
        fast_beam_m: d.Fbeam,
        slow_beam_m: d.Sbeam,
        fast_close_m: d.Fclose,
        slow_close_m: d.Sclose,
        normal_use: NormalUse::AsGiven,
        point_pixel: simulation.point_pixel,
        curved: simulation.curved,
    }
}

impl KernelScene {
    /// The scene of a simulation, for a level and a mode.
    pub fn from_simulation(simulation: &Simulation, simd: Simd, mode: Mode) -> KernelScene {
        let simulation = &*simulation.in_mode(mode);
        let crystal = &simulation.crystal;
        let source = |source: &crate::oracle::input::Source| Source {
            incident: -vec3(source.direction),
            lambda_m: source.lambda,
        };
        let grid = |grid: &crate::oracle::input::Grid| OwnedGrid {
            min: grid.min.map(|index| index as i32),
            len: grid.range.map(|n| n as usize),
            data: grid.F.clone(),
            numbers: GridNumbers::F64,
            of_source: None,
        };
        let [fast_min, fast_max, slow_min, slow_max] = simulation.roi;
        let layers = if mode == Mode::Spec { simulation.spec_layers } else { simulation.layers };
        let used = simulation.sources.iter().filter(|source| mode == Mode::CParity || source.weight != 0.0);
        // The reference evaluates the polarisation for oversampling even where it is switched off.
        let polarized = !simulation.nopolar || (mode == Mode::CParity && simulation.oversample_polar);
        KernelScene {
            simd,
            detector: detector(simulation),
            sensor: Sensor { layers: layers.count, layer_m: layers.step, attenuation_per_m: simulation.mu },
            oversample: Oversample {
                per_axis: simulation.oversample,
                thick: simulation.oversample_thick,
                polar: simulation.oversample_polar,
                omega: simulation.oversample_omega,
            },
            sources: used.clone().map(source).collect(),
            source_weights: Some(used.map(|source| source.weight).collect::<Vec<_>>())
                .filter(|weights| weights.iter().any(|weight| *weight != weights[0])),
            cell: Orientation { a_m: vec3(crystal.a), b_m: vec3(crystal.b), c_m: vec3(crystal.c) },
            sweep: PhiSweep {
                phi0_rad: simulation.phi0,
                step_rad: simulation.phistep,
                count: simulation.phi.len(),
                spindle: vec3(simulation.detector.u),
                mode: phi_mode(mode),
            },
            shift: PhiShift::default(),
            domains: crystal.mosaic.clone(),
            crystallite: Crystallite {
                shape: match simulation.shape {
                    Shape::Square => CrystalShape::Square,
                    Shape::Round => CrystalShape::Round,
                    Shape::Gauss => CrystalShape::Gauss,
                    Shape::Tophat => CrystalShape::Tophat,
                },
                cells: crystal.N.map(|n| n as f64),
                fudge: simulation.fudge,
                reciprocal_per_angstrom: crystal.recip.map(vec3),
                spots: SpotModel::default(),
            },
            grid: simulation.grid.as_ref().map(grid),
            default_f: simulation.default_F,
            interpolate: simulation.interpolate,
            polarization: polarized.then_some(Polarization {
                kahn: simulation.kahn,
                axis: vec3(simulation.detector.p),
                at: PolarizedAt::First,
            }),
            d_min_m: simulation.dmin,
            fluence_per_m2: simulation.fluence,
            water_m: simulation.water,
            roi: Roi { fast_min, fast_max, slow_min, slow_max },
            mask: simulation.mask.clone(),
        }
    }

    /// The panel.
    pub fn panel(&self) -> Panel {
        Panel::new(&self.detector, self.sensor)
    }

    /// The experiment of these tables, which owns the scene.
    pub fn experiment(&self) -> Experiment {
        let PhiSweep { phi0_rad, step_rad, count, spindle, mode } = self.sweep;
        let reciprocal_per_angstrom = self.crystallite.reciprocal_per_angstrom;
        let detector = Detector { spindle, ..self.detector };
        Experiment {
            weight: 1.0,
            other_lattices: Vec::new(),
            simd: self.simd,
            device: None,
            panels: vec![DetectorPanel {
                roi: self.roi,
                mask: self.mask.clone().map(Arc::new),
                ..DetectorPanel::placed(detector, self.sensor)
            }],
            panels_in_all: 1,
            frame: detector.frame(),
            oversample: self.oversample,
            lambda0_m: self.sources.first().map_or(f64::NAN, |source| source.lambda_m),
            sources: self.sources.clone(),
            source_weights: self.source_weights.clone(),
            sources_left_out: 0,
            source_grid: None,
            polarization: self.polarization,
            fluence_per_m2: self.fluence_per_m2,
            exposure_s: 1.0,
            water_m: self.water_m,
            d_min_m: self.d_min_m,
            crystal: Crystal {
                direct: self.cell,
                reciprocal_per_angstrom,
                cell: UnitCell { lengths_angstrom: [f64::NAN; 3], angles_rad: [f64::NAN; 3] },
            },
            crystal_input: CrystalInput::Axes { direct: self.cell, reciprocal_per_angstrom },
            crystals_at_frames: Vec::new(),
            crystals_at_scan_points: Vec::new(),
            crystallite: self.crystallite,
            precision: Precision::Double,
            light: LightRule::default(),
            neglected_photons: 0.0,
            mode,
            reference_threads: 1,
            phi0_rad,
            phi: Steps { count, range: 0.0, step: step_rad },
            phi_sampling: PhiSampling::Start,
            shift: self.shift,
            domains: self.domains.clone(),
            mosaic_spread_rad: 0.0,
            mosaic_axes_rad: None,
            random: Ran1::new(1),
            structure_factors: self.grid.as_ref().map(|grid| Arc::new(grid.factor_grid())),
            default_f: self.default_f,
            interpolate: self.interpolate,
            background: None,
        }
    }

    /// Calls `job` with the scene of the tables and with one opened carryover slot for each of the
    /// reference's threads. In c-parity with interpolation, the scene has its latch.
    ///
    /// # Errors
    /// When the kernel refuses the scene.
    ///
    /// # Panics
    /// When there is no memory for the orientations.
    pub fn with<R>(
        &self,
        reference_threads: usize,
        job: impl FnOnce(&Scene<'_>, &mut [Slot]) -> R,
    ) -> Result<R, Error> {
        let experiment = self.experiment();
        let mut orientations = experiment.orientation_buffer().expect("memory for the orientations");
        let mut scene = match experiment.scene(0, 0, &mut orientations) {
            Ok(scene) => scene,
            Err(Failure::Refused { error, .. }) => return Err(error),
            Err(failure) => panic!("{failure}"),
        };
        let mut slots = vec![Slot::default(); reference_threads];
        open_streams(&scene, &mut slots)?;
        if self.interpolate && self.sweep.mode == PhiMode::CParity {
            let rows = 0..self.detector.slow_pixels;
            scene = latched(&scene, scene.find_latch(rows, &Carryover::Streams(&mut slots))?);
        }
        Ok(job(&scene, &mut slots))
    }

    /// The whole image, as the reference renders it with `reference_threads` threads.
    ///
    /// # Errors
    /// When the kernel refuses the scene.
    pub fn render<P: PixelValue>(&self, reference_threads: usize) -> Result<Vec<P>, Error> {
        self.with(reference_threads, |scene, slots| {
            let mut pixels = vec![P::from_f64(0.0); self.detector.pixels()];
            let rows = 0..self.detector.slow_pixels;
            scene.render_rows(rows, &mut pixels, &mut Carryover::Streams(slots))?;
            Ok(pixels)
        })?
    }
}

/// Mosaic spreads about the axes of any cell, as if the domains of a scene had been made from them.
///
/// # Panics
/// When the cell has no volume.
pub fn spreads(cell: &Orientation) -> SpreadTensor {
    spreads_moved(cell, [1.0; 3])
}

/// [`spreads`] that are multiplied by factors.
///
/// # Panics
/// When the cell has no volume.
pub fn spreads_moved(cell: &Orientation, [by_a, by_b, by_c]: [f64; 3]) -> SpreadTensor {
    SpreadTensor::new(MosaicSpread::Axes([0.005 * by_a, 0.015 * by_b, 0.03 * by_c]), cell).expect("a cell")
}

/// Calls `job` with the derivatives of a scene's orientations, by the first `moving` of phi, phi step and
/// mosaic factor; with the last also by [`spreads`].
///
/// # Panics
/// When the kernel refuses buffers of the right length.
pub fn with_turns<R>(
    scene: &Scene<'_>,
    moving: usize,
    job: impl FnOnce(&OrientationDerivatives<'_>) -> R,
) -> R {
    let cell = scene.orientations().cell();
    with_turns_by(scene, (moving == 3).then(|| spreads(&cell)).as_ref(), moving, job)
}

/// [`with_turns`], by other spreads.
///
/// # Panics
/// When the kernel refuses buffers of the right length.
pub fn with_turns_by<R>(
    scene: &Scene<'_>,
    spreads: Option<&SpreadTensor>,
    moving: usize,
    job: impl FnOnce(&OrientationDerivatives<'_>) -> R,
) -> R {
    let entries = scene.orientations().entries().len();
    let mut rotations = vec![IDENTITY; entries];
    let [mut by_phi0, mut by_step, mut by_mosaic] =
        [0, 1, 2].map(|which| vec![Orientation::default(); if which < moving { entries } else { 0 }]);
    let buffers = OrientationDerivativeBuffers {
        rotations: &mut rotations,
        by_phi0: &mut by_phi0,
        by_step: &mut by_step,
        by_mosaic: &mut by_mosaic,
    };
    let table = scene.orientations();
    let turns = fill_orientation_derivatives(table, buffers).expect("derivatives of orientations");
    let Some(spreads) = spreads else { return job(&turns) };
    let shares_of =
        |domain: &Mat3| rotation_vector(domain).try_normalize().map_or([0.0; 3], |axis| spreads.shares(axis));
    let shares: Vec<[f64; 3]> = table.domains().iter().map(shares_of).collect();
    job(&turns.with_spread_shares(table, &shares).expect("derivatives of orientations"))
}

/// For each variable, a step that changes the phases of the interference function by about a tenth.
pub fn first_step(scene: &KernelScene, variable: usize) -> f64 {
    let lambda = scene.sources.iter().fold(f64::INFINITY, |least, source| least.min(source.lambda_m));
    let Orientation { a_m, b_m, c_m } = scene.cell;
    let edge = [a_m, b_m, c_m].iter().map(|v| v.length()).fold(0.0, f64::max);
    let cells = scene.crystallite.cells.iter().copied().fold(1.0, f64::max);
    let index = cells * edge * 2.0 / lambda;
    let d = &scene.detector;
    let reach = d.pix0_m.length();
    let size = d.pixel_m * d.fast_pixels.max(d.slow_pixels) as f64;
    match variable {
        0..9 => 0.02 / (cells * 2.0 / lambda),
        9..18 => 1e-5 / edge * 1e-10,
        18..21 | 31 => 0.02 * reach / index,
        21..27 => 0.02 * reach / index / size.max(1e-3),
        30 => 1e-2 * d.close_distance_m.abs(),
        34 => 1e-2,
        32 | 33 | 35 => 0.02 / index,
        38 => 0.02 / index * lambda,
        39..42 => match scene.crystallite.shape {
            CrystalShape::Square => 0.02 * lambda / (2.0 * edge),
            CrystalShape::Round | CrystalShape::Gauss | CrystalShape::Tophat => 0.01,
        },
        _ => 1e-2,
    }
}
