//! The kernel allocates no heap memory. An allocator that forwards to the system's counts the calls.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;
use widebragg::beam::{Polarization, PolarizedAt, Source, SourceGrid};
use widebragg::carryover::{Carryover, Slot};
use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
use widebragg::detector::{Convention, Detector, DetectorParameters, Pivot};
use widebragg::gradient::{
    Model, Moves, OrientationDerivativeBuffers, Parameter, Sums, Variables, Wanted,
    fill_orientation_derivatives,
};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Crystallite, Precision, SpotModel};
use widebragg::noise::Poisson;
use widebragg::panel::Panel;
use widebragg::random::fill_mosaic;
use widebragg::render::{Oversample, Roi, Scene, SceneParts, Sensor, open_pixels, open_streams};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, PhiSweep, fill_orientations};
use widebragg::sampling::{Axis, StepRequest, axis_steps};
use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};

std::thread_local! {
    /// The number of allocations of this thread; tests run in parallel.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: `System.alloc` has the contract of this function, which the caller upholds.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `System.dealloc` has the contract of this function, which the caller upholds. The block
        // came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: `System.realloc` has the contract of this function, which the caller upholds. The block
        // came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Runs `job`; its result and the number of its allocations.
fn counted<R>(job: impl FnOnce() -> R) -> (R, usize) {
    let before = ALLOCATIONS.get();
    let result = job();
    (result, ALLOCATIONS.get() - before)
}

#[test]
fn the_allocator_counts_allocations() {
    let (boxed, count) = counted(|| Box::new([1, 2, 3]));
    assert_eq!((count, boxed[1]), (1, 2));
    assert_eq!(counted(|| 3 + boxed[0]).1, 0);
}

const COLUMNS: usize = 21;
const ROWS: usize = 13;

/// Runs the kernel from parameters to pixels, in buffers that are allocated beforehand. The sum of the
/// pixels.
fn run(simd: Simd, shape: CrystalShape, mode: PhiMode, lookup: LookupRule) -> Result<f64, widebragg::Error> {
    let mut values = vec![0.0; 20 * 20 * 20];
    values.iter_mut().enumerate().for_each(|(i, value)| *value = 10.0 + (i % 7) as f64);
    let mut sources = vec![Source::default(); 8];
    let mut domains: Vec<Mat3> = vec![[[0.0; 3]; 3]; 3];
    let mut entries = vec![Orientation::default(); 9];
    let mut streams = vec![Slot::default(); 2];
    let mut slots = vec![Slot::default(); ROWS * COLUMNS];
    let mut pixels = vec![0.0_f32; ROWS * COLUMNS];
    let mask = vec![1_u16; ROWS * COLUMNS];
    let mut rotations = vec![IDENTITY; 9];
    let [mut by_phi0, mut by_step, mut by_mosaic] = [(); 3].map(|()| vec![Orientation::default(); 9]);
    let mut by_f = vec![0.0; values.len()];
    let mut weights = vec![1.0; ROWS * COLUMNS];

    let (sum, allocations) = counted(|| {
        let pixel_m = 1e-3;
        let detector_parameters = DetectorParameters {
            pixel_m,
            fast_pixels: COLUMNS,
            slow_pixels: ROWS,
            fast_size_m: pixel_m * COLUMNS as f64,
            slow_size_m: pixel_m * ROWS as f64,
            distance_m: Some(0.05),
            close_distance_m: None,
            x_beam_m: None,
            y_beam_m: None,
            x_close_m: None,
            y_close_m: None,
            org_x_px: None,
            org_y_px: None,
            convention: Convention::Mosflm,
            pivot: Pivot::Beam,
            rotation_rad: [0.1, 0.0, -0.05],
            twotheta_rad: 0.1,
            point_pixel: false,
            curved: false,
        };
        let detector = Detector::new(&detector_parameters, mode)?;
        let cell = UnitCell { lengths_angstrom: [40.0, 50.0, 60.0], angles_rad: [1.5, 1.6, 1.7] };
        let parameters = CrystalParameters {
            source: CellSource::Cell(cell),
            lambda0_m: 1e-10,
            misset_rad: [0.3, 0.2, 0.1],
        };
        let crystal = Crystal::new(&parameters)?;
        let two = StepRequest { count: Some(2), range: Some(1e-3), step: None };
        let grid = SourceGrid {
            hdiv: axis_steps(Axis::Divergence, two)?,
            vdiv: axis_steps(Axis::Divergence, two)?,
            dispersion: axis_steps(Axis::Dispersion, two)?,
            round: false,
            lambda0_m: 1e-10,
        };
        let used = grid.fill(&detector.frame(), &mut sources)?;
        fill_mosaic(0.01, 5, &mut domains)?;
        let sweep = PhiSweep { phi0_rad: 0.0, step_rad: 1e-3, count: 3, spindle: detector.spindle, mode };
        let orientations = fill_orientations(crystal.direct, sweep, &domains, &mut entries)?;
        let factors = HklGrid::new([-10; 3], [20; 3], &values[..])?;
        let sensor = Sensor { layers: 2, layer_m: 1e-4, attenuation_per_m: 3000.0 };
        let panel = Panel::new(&detector, sensor);
        let scene = Scene::new(SceneParts {
            simd,
            panel,
            oversample: Oversample { per_axis: 2, ..Oversample::NONE },
            sources: &sources[..used],
            source_weights: None,
            source_grids: None,
            orientations,
            crystallite: Crystallite {
                shape,
                cells: [5.0; 3],
                fudge: 1.0,
                reciprocal_per_angstrom: crystal.reciprocal_per_angstrom,
                spots: SpotModel::default(),
            },
            precision: Precision::Double,
            structure_factors: StructureFactors { grid: Some(factors), default_f: 2.0, lookup },
            polarization: Some(Polarization {
                kahn: 0.9,
                axis: detector.polarization,
                at: PolarizedAt::First,
            }),
            d_min_m: 3e-10,
            fluence_per_m2: 1e24,
            water_m: 1e-6,
            roi: Roi::whole(&panel),
            mask: Some(&mask),
        })?;
        open_streams(&scene, &mut streams)?;
        open_pixels(&scene, 2, &mut slots)?;
        let scene = match scene.find_latch(0..ROWS, &Carryover::Streams(&mut streams))? {
            Some(latch) if mode == PhiMode::CParity => scene.with_lookup(LookupRule::TricubicUntil(latch)),
            _ => scene,
        };
        let report = scene.render_rows(0..ROWS, &mut pixels, &mut Carryover::Streams(&mut streams))?;
        scene.render_rows(0..ROWS, &mut pixels, &mut Carryover::Pixels(&mut slots))?;
        let mut sum = report.omega_sum_sr;
        let mut carry = Carryover::Pixels(&mut slots);
        for (slow, fast) in [(0, 0), (6, 10), (12, 20)] {
            sum += scene.render_pixel(slow, fast, &mut carry)?;
            scene.carry_use(&carry, slow, fast)?;
            sum += scene.probe_pixel(slow, fast, &carry, &mut |step| sum += step.f_cell)?.value;
        }
        let turned = OrientationDerivativeBuffers {
            rotations: &mut rotations,
            by_phi0: &mut by_phi0,
            by_step: &mut by_step,
            by_mosaic: &mut by_mosaic,
        };
        let turns = fill_orientation_derivatives(scene.orientations(), turned)?;
        let mut sums = Sums { wanted: Wanted::ALL, structure_factors: Some(&mut by_f), ..Sums::default() };
        let carry = Carryover::Streams(&mut streams);
        scene.pullback_rows(&turns, 0..ROWS, &weights, &carry, &mut sums)?;
        scene.pushforward_rows(&turns, 0..ROWS, &[sums.variables], &carry, &mut weights)?;
        let model = Model::new(parameters, detector_parameters, mode, 3, 2.0)?;
        for parameter in Parameter::ALL {
            sum += model.direction(&Moves::default(), parameter)?.dot(&Variables::default());
        }
        let mut noise = Poisson::new(3);
        sum += pixels.iter().map(|&pixel| f64::from(noise.draw(pixel))).sum::<f64>();
        Ok(sum)
    });
    assert_eq!(allocations, 0, "{} {shape:?} {mode:?} {lookup:?}", simd.level());
    sum
}

#[test]
fn kernel_calls_allocate_nothing() {
    use CrystalShape::{Gauss, Round, Square, Tophat};
    for simd in Simd::available() {
        for shape in [Square, Round, Gauss, Tophat] {
            for mode in [PhiMode::CParity, PhiMode::Spec] {
                for lookup in [LookupRule::Nearest, LookupRule::Tricubic] {
                    let sum = run(simd, shape, mode, lookup).expect("a scene");
                    assert!(sum.is_finite() && sum > 0.0);
                }
            }
        }
    }
}

/// Errors hold numbers and static names, so that they need no allocation.
#[test]
fn errors_allocate_nothing() {
    let (refused, allocations) =
        counted(|| (HklGrid::new([0; 3], [9; 3], &[1.0]), Source::new(Default::default(), 1.0)));
    assert!(refused.0.is_err() && refused.1.is_err());
    assert_eq!(allocations, 0);
}
