//! The oracle's derived values as a scene of the kernel.
//!
//! Detector, cell, sources, domains and grid are copied from a [`Simulation`] into the kernel's own structs, so that
//! what is compared is the kernel's tables and render loop alone, whatever its set-up may do. The tables are owned
//! here and lent to a [`Scene`] for the time of a call.

use crate::oracle::command::Shape;
use crate::oracle::vector::Vector;
use crate::oracle::{Mode, Simulation};
use widebragg::Error;
use widebragg::beam::{Polarization, Source};
use widebragg::carryover::{Carryover, Slot};
use widebragg::detector::Detector;
use widebragg::gradient::{TurnBuffers, TurnTable, fill_turns};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Lattice, Precision};
use widebragg::render::{Oversample, PixelValue, Roi, Scene, SceneParts, Sensor, open_streams};
use widebragg::rotation::{
    IDENTITY, Mat3, Orientation, PhiMode, PhiShift, PhiSweep, fill_shifted_orientations, orientations_len,
};
use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};
use widebragg::vector::Vec3;

/// A dense grid of structure factors, owned.
#[derive(Clone, Debug)]
pub struct OwnedGrid {
    /// Smallest h, k, l.
    pub min: [i32; 3],
    /// Nodes along h, k, l.
    pub len: [usize; 3],
    /// Values, h-major, l fastest.
    pub data: Vec<f64>,
}

/// Everything a [`Scene`] borrows, owned; fields are named as the kernel names them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names of the kernel's SceneParts")]
pub struct KernelScene {
    pub simd: Simd,
    pub detector: Detector,
    pub sensor: Sensor,
    pub oversample: Oversample,
    pub sources: Vec<Source>,
    /// The cell at phi = 0.
    pub cell: Orientation,
    pub sweep: PhiSweep,
    pub shift: PhiShift,
    pub domains: Vec<Mat3>,
    pub lattice: Lattice,
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

/// A vector of the oracle as one of the kernel.
pub fn vec3(v: Vector) -> Vec3 {
    Vec3::from(v)
}

/// The kernel's phi mode of an oracle mode.
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
        normal_replaced: false,
        point_pixel: simulation.point_pixel,
        curved: simulation.curved,
    }
}

impl KernelScene {
    /// The scene of a simulation, at one level, in one mode.
    pub fn from_simulation(simulation: &Simulation, simd: Simd, mode: Mode) -> KernelScene {
        let crystal = &simulation.crystal;
        let source = |source: &crate::oracle::input::Source| Source {
            incident: -vec3(source.direction),
            lambda_m: source.lambda,
        };
        let grid = |grid: &crate::oracle::input::Grid| OwnedGrid {
            min: grid.min.map(|index| index as i32),
            len: grid.range.map(|n| n as usize),
            data: grid.F.clone(),
        };
        let [fast_min, fast_max, slow_min, slow_max] = simulation.roi;
        KernelScene {
            simd,
            detector: detector(simulation),
            sensor: Sensor {
                layers: simulation.layers.count,
                layer_m: simulation.layers.step,
                attenuation_per_m: simulation.mu,
            },
            oversample: Oversample {
                per_axis: simulation.oversample,
                thick: simulation.oversample_thick,
                polar: simulation.oversample_polar,
                omega: simulation.oversample_omega,
            },
            sources: simulation.sources.iter().map(source).collect(),
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
            lattice: Lattice {
                shape: match simulation.shape {
                    Shape::Square => CrystalShape::Square,
                    Shape::Round => CrystalShape::Round,
                    Shape::Gauss => CrystalShape::Gauss,
                    Shape::Tophat => CrystalShape::Tophat,
                },
                cells: crystal.N.map(|n| n as f64),
                fudge: simulation.fudge,
                reciprocal_per_angstrom: crystal.recip.map(vec3),
            },
            grid: simulation.grid.as_ref().map(grid),
            default_f: simulation.default_F,
            interpolate: simulation.interpolate,
            polarization: (!simulation.nopolar)
                .then_some(Polarization { kahn: simulation.kahn, axis: vec3(simulation.detector.p) }),
            d_min_m: simulation.dmin,
            fluence_per_m2: simulation.fluence,
            water_m: simulation.water,
            roi: Roi { fast_min, fast_max, slow_min, slow_max },
            mask: simulation.mask.clone(),
        }
    }

    /// Lends the tables to a scene, with a carryover slot opened for each of the reference's threads. A c-parity scene
    /// that interpolates has its latch found.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn with<R>(
        &self,
        reference_threads: usize,
        job: impl FnOnce(&Scene<'_>, &mut [Slot]) -> R,
    ) -> Result<R, Error> {
        let mut entries =
            vec![Orientation::default(); orientations_len(self.sweep.count, self.domains.len())?];
        let orientations =
            fill_shifted_orientations(self.cell, self.sweep, self.shift, &self.domains, &mut entries)?;
        let grid = self.grid.as_ref().map(|grid| HklGrid::new(grid.min, grid.len, &grid.data)).transpose()?;
        let lookup = if self.interpolate { LookupRule::Tricubic } else { LookupRule::Nearest };
        let mut scene = Scene::new(SceneParts {
            simd: self.simd,
            detector: self.detector,
            sensor: self.sensor,
            oversample: self.oversample,
            sources: &self.sources,
            orientations,
            lattice: self.lattice,
            precision: Precision::Double,
            structure_factors: StructureFactors { grid, default_f: self.default_f, lookup },
            polarization: self.polarization,
            d_min_m: self.d_min_m,
            fluence_per_m2: self.fluence_per_m2,
            water_m: self.water_m,
            roi: self.roi,
            mask: self.mask.as_deref(),
        })?;
        let mut slots = vec![Slot::default(); reference_threads];
        open_streams(&scene, &mut slots)?;
        if self.interpolate && self.sweep.mode == PhiMode::CParity {
            let rows = 0..self.detector.slow_pixels;
            if let Some(latch) = scene.find_latch(rows, &Carryover::Streams(&mut slots))? {
                scene = scene.with_lookup(LookupRule::TricubicUntil(latch));
            }
        }
        Ok(job(&scene, &mut slots))
    }

    /// The whole image, as if the reference ran with so many threads.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn render<P: PixelValue>(&self, reference_threads: usize) -> Result<Vec<P>, Error> {
        self.with(reference_threads, |scene, slots| {
            let mut pixels = vec![P::from_f64(0.0); self.detector.pixels()];
            let rows = 0..self.detector.slow_pixels;
            scene.render_rows(rows, &mut pixels, &mut Carryover::Streams(slots))?;
            Ok(pixels)
        })?
    }
}

/// The derivatives of the orientations of a scene, lent to `job`: by the first `moving` of phi, step and mosaic factor.
///
/// # Panics
/// When the kernel refuses buffers that are as long as they must be.
pub fn with_turns<R>(scene: &Scene<'_>, moving: usize, job: impl FnOnce(&TurnTable<'_>) -> R) -> R {
    let entries = scene.orientations().entries().len();
    let mut rotations = vec![IDENTITY; entries];
    let [mut by_phi0, mut by_step, mut by_mosaic] =
        [0, 1, 2].map(|which| vec![Orientation::default(); if which < moving { entries } else { 0 }]);
    let buffers = TurnBuffers {
        rotations: &mut rotations,
        by_phi0: &mut by_phi0,
        by_step: &mut by_step,
        by_mosaic: &mut by_mosaic,
    };
    job(&fill_turns(scene.orientations(), buffers).expect("derivatives of orientations"))
}
