//! Scenes through the C interface: the bits of the kernel for every golden command line, every field under
//! every convention, and rejected parameters.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls under one contract")]

#[path = "common/scene.rs"]
mod made;

use core::ptr::{null, null_mut};

use made::{Memory, defaults, make, no_error, placed, sources, words};
use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters, Pivot, extent};
use widebragg::lanes::Simd;
use widebragg::lattice::{CellCoupling, CrystalShape, SpotMetric, SpotModel};
use widebragg::rotation::PhiMode;
use widebragg::vector::Vec3;
use widebragg_ffi::carryover::{
    WB_STREAMS, wb_carryover_open, wb_carryover_size, wb_carryover_use, wb_carryover_use_at,
};
use widebragg_ffi::direction::{WB_BY_A, wb_direction};
use widebragg_ffi::enums::*;
use widebragg_ffi::grid::wb_grid;
use widebragg_ffi::latch::{wb_latch, wb_scene_find_latch, wb_scene_set_latch};
use widebragg_ffi::level::{WB_SIMD_AVX2, WB_SIMD_AVX512, WB_SIMD_PORTABLE};
use widebragg_ffi::parameters::*;
use widebragg_ffi::render::{
    wb_render_pixel, wb_render_rows, wb_render_rows_f64, wb_render_rows_report, wb_row_report,
};
use widebragg_ffi::scene::*;
use widebragg_ffi::sources::*;
use widebragg_ffi::status::*;
use widebragg_ffi::summary::{wb_scene_summarize, wb_scene_summary};
use widebragg_ffi::turns::{wb_turns_make, wb_turns_size};
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

fn simulation(name: &str) -> Simulation {
    let case = Case::load(name).expect("a golden case");
    Simulation::from_args(&case.args, &golden::inputs()).expect("a golden command line")
}

#[test]
fn every_golden_image_has_the_kernel_s_bits() {
    let mut latched = 0;
    for name in golden::cases().expect("golden cases") {
        let simulation = simulation(&name);
        for mode in [Mode::Spec, Mode::CParity] {
            let kernel = KernelScene::from_simulation(&simulation, Simd::detect(), mode);
            let sources = sources(&kernel);
            let made = make(&placed(&kernel, &sources)).expect("a scene");
            let carried = made.open(WB_STREAMS, 1);
            latched += usize::from(made.latch(carried.carryover).is_some());
            let rows = kernel.detector.slow_pixels;
            let image = made.rows(0, rows, carried.carryover).expect("an image");
            let expected: Vec<f32> = kernel.render(1).expect("an image");
            let same = image.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same && image.len() == expected.len(), "{name}, {mode:?}");
        }
    }
    assert!(latched > 0, "no golden image latches");
}

#[test]
fn rows_pixels_and_f64_are_the_same_image_at_every_level() {
    let simulation = simulation("phi_all");
    for (level, cap) in Simd::available().zip([WB_SIMD_PORTABLE, WB_SIMD_AVX2, WB_SIMD_AVX512]) {
        let kernel = KernelScene::from_simulation(&simulation, level, Mode::CParity);
        let sources = sources(&kernel);
        let made = make(&wb_scene_parameters { simd: cap, ..placed(&kernel, &sources) }).expect("a scene");
        let carried = made.open(WB_STREAMS, 2);
        made.latch(carried.carryover);
        let (rows, columns) = (kernel.detector.slow_pixels, kernel.detector.fast_pixels);
        let expected: Vec<f64> = kernel.render(2).expect("an image");
        let mut image = vec![f64::NAN; rows * columns];
        for slow in (0..rows).rev() {
            let row = &mut image[slow * columns..][..columns];
            // SAFETY: scene and carryover were made, and `row` has `columns` elements.
            let status = unsafe {
                wb_render_rows_f64(made.scene, slow, 1, row.as_mut_ptr(), columns, carried.carryover)
            };
            assert_eq!(status, WB_OK);
        }
        assert_eq!(image, expected, "{}", level.level());
        for (slow, fast) in [(0, 0), (rows / 2, 0), (rows - 1, columns - 1), (3, 7)] {
            let mut value = f64::NAN;
            // SAFETY: scene and carryover were made, and `value` is a local.
            let status =
                unsafe { wb_render_pixel(made.scene, slow, fast, &raw mut value, carried.carryover) };
            let in_row = expected[slow * columns + fast];
            assert_eq!((status, value.to_bits()), (WB_OK, in_row.to_bits()));
        }
        let singles: Vec<f32> = made.rows(0, rows, carried.carryover).expect("an image");
        assert!(singles.iter().zip(&expected).all(|(&a, &b)| a == b as f32));
    }
}

/// Parameters in which every number is different.
fn distinct(convention: i32) -> wb_scene_parameters {
    wb_scene_parameters {
        given: WB_GIVEN_CELL,
        convention,
        pivot: WB_PIVOT_SAMPLE,
        fast_pixels: 40,
        slow_size_m: 0.0071,
        pixel_m: 2e-4,
        distance_m: 0.123,
        close_distance_m: 0.117,
        x_beam_m: 0.0031,
        y_beam_m: 0.0032,
        x_close_m: 0.0033,
        y_close_m: 0.0034,
        org_x_px: 11.25,
        org_y_px: 13.5,
        rotation_rad: [0.01, 0.02, 0.03],
        twotheta_rad: 0.04,
        fast_axis: [0.1, 0.9, 0.05],
        slow_axis: [0.8, -0.11, 0.06],
        normal_axis: [0.0, 0.0, 1.0],
        beam_axis: [0.02, 0.03, 1.0],
        polarization_axis: [1.0, 0.04, 0.0],
        spindle_axis: [0.05, 1.0, 0.0],
        twotheta_axis: [0.0, 1.0, 0.0],
        cell_angstrom: [31.0, 43.0, 57.0],
        cell_angles_rad: [1.4, 1.5, 1.7],
        misset_rad: [0.3, 0.2, 0.1],
        lambda0_m: 1.1e-10,
        ..defaults()
    }
}

/// Status, quantity and allowed values of parameters that are rejected.
fn rejected(p: &wb_scene_parameters) -> (i32, String, String) {
    let (mut bytes, mut error) = (0, no_error());
    // SAFETY: the pointers are to locals, and the arrays of the parameters are as long as their counts say.
    let status = unsafe { wb_scene_size(p, &raw mut bytes, &raw mut error) };
    (status, words(&error.quantity), words(&error.allowed))
}

fn kernel_detector(p: &wb_scene_parameters) -> Detector {
    let given = |bit, value| (p.given & bit != 0).then_some(value);
    let axis = |bit, value: [f64; 3]| (p.given & bit != 0).then_some(Vec3::from(value));
    let (slow_pixels, slow_size_m) = extent(p.pixel_m, None, Some(p.slow_size_m)).expect("an extent");
    let parameters = DetectorParameters {
        pixel_m: p.pixel_m,
        fast_pixels: p.fast_pixels,
        slow_pixels,
        fast_size_m: p.pixel_m * p.fast_pixels as f64,
        slow_size_m,
        distance_m: Some(p.distance_m),
        close_distance_m: given(WB_GIVEN_CLOSE_DISTANCE, p.close_distance_m),
        x_beam_m: given(WB_GIVEN_X_BEAM, p.x_beam_m),
        y_beam_m: given(WB_GIVEN_Y_BEAM, p.y_beam_m),
        x_close_m: given(WB_GIVEN_X_CLOSE, p.x_close_m),
        y_close_m: given(WB_GIVEN_Y_CLOSE, p.y_close_m),
        org_x_px: given(WB_GIVEN_ORG_X, p.org_x_px),
        org_y_px: given(WB_GIVEN_ORG_Y, p.org_y_px),
        convention: match p.convention {
            WB_MOSFLM => Convention::Mosflm,
            WB_XDS => Convention::Xds,
            WB_ADXV => Convention::Adxv,
            WB_DENZO => Convention::Denzo,
            WB_DIALS => Convention::Dials,
            _ => Convention::Custom(CustomAxes {
                fast: axis(WB_GIVEN_FAST, p.fast_axis),
                slow: axis(WB_GIVEN_SLOW, p.slow_axis),
                normal: axis(WB_GIVEN_NORMAL, p.normal_axis),
                beam: axis(WB_GIVEN_BEAM, p.beam_axis),
                polarization: axis(WB_GIVEN_POLARIZATION, p.polarization_axis),
                spindle: axis(WB_GIVEN_SPINDLE, p.spindle_axis),
                twotheta: axis(WB_GIVEN_TWOTHETA, p.twotheta_axis),
            }),
        },
        pivot: Pivot::Sample,
        rotation_rad: p.rotation_rad,
        twotheta_rad: p.twotheta_rad,
        point_pixel: false,
        curved: false,
    };
    Detector::new(&parameters, PhiMode::Spec).expect("a detector")
}

#[test]
fn every_field_of_the_detector_arrives_under_every_convention() {
    let bits = (0..14).map(|i| 1u64 << i);
    let all: u64 = bits.clone().sum();
    for convention in [WB_MOSFLM, WB_XDS, WB_ADXV, WB_DENZO, WB_DIALS, WB_CUSTOM] {
        for given in bits.clone().chain([0, all, WB_GIVEN_FAST | WB_GIVEN_SLOW]) {
            let mut p = distinct(convention);
            p.given |= given;
            if convention == WB_CUSTOM && (given == WB_GIVEN_BEAM || given == WB_GIVEN_POLARIZATION) {
                // Given alone, each is nearly parallel to the default of the other.
                p.given |= WB_GIVEN_BEAM | WB_GIVEN_POLARIZATION;
            }
            let summary = make(&p).expect("a scene").summary();
            let d = kernel_detector(&p);
            let expected = [d.pix0_m, d.fast, d.slow, d.normal, d.beam, d.polarization, d.spindle];
            let found = [
                summary.pix0_m,
                summary.fast_axis,
                summary.slow_axis,
                summary.normal_axis,
                summary.beam_axis,
                summary.polarization_axis,
                summary.spindle_axis,
            ];
            assert_eq!(found, expected.map(Vec3::to_array), "{convention} {given}");
            assert_eq!(
                [summary.distance_m, summary.close_distance_m, summary.fast_beam_m, summary.slow_beam_m],
                [d.distance_m, d.close_distance_m, d.fast_beam_m, d.slow_beam_m]
            );
            assert_eq!((summary.fast_pixels, summary.slow_pixels), (40, d.slow_pixels));
        }
    }
}

#[test]
fn cell_matrix_and_both_are_the_kernel_s() {
    let p = wb_scene_parameters {
        matrix: [0.019, 0.009, 0.007, -0.002, 0.017, -0.009, -0.011, 0.004, 0.011],
        ..distinct(WB_XDS)
    };
    let cell = UnitCell { lengths_angstrom: p.cell_angstrom, angles_rad: p.cell_angles_rad };
    let matrix = [[0.019, 0.009, 0.007], [-0.002, 0.017, -0.009], [-0.011, 0.004, 0.011]];
    for (given, source) in [
        (WB_GIVEN_CELL, CellSource::Cell(cell)),
        (WB_GIVEN_MATRIX, CellSource::Matrix(matrix)),
        (WB_GIVEN_CELL | WB_GIVEN_MATRIX, CellSource::MatrixWithCell(matrix, cell)),
    ] {
        let parameters = CrystalParameters { source, lambda0_m: p.lambda0_m, misset_rad: p.misset_rad };
        let crystal = Crystal::new(&parameters).expect("a crystal");
        let summary = make(&wb_scene_parameters { given, ..p }).expect("a scene").summary();
        let direct = [crystal.direct.a_m, crystal.direct.b_m, crystal.direct.c_m].map(Vec3::to_array);
        assert_eq!(summary.direct_m, direct.as_flattened());
        let star = crystal.reciprocal_per_angstrom.map(Vec3::to_array);
        assert_eq!(summary.reciprocal_per_angstrom, star.as_flattened());
    }
    let (status, quantity, allowed) = rejected(&wb_scene_parameters { given: 0, ..p });
    assert_eq!((status, quantity.as_str()), (WB_OUT_OF_RANGE, "crystal"));
    assert_eq!(allowed, "given by exactly one of cell, matrix or axes");
}

#[test]
fn defaults_are_the_reference_s() {
    let p = wb_scene_parameters {
        given: WB_GIVEN_CELL,
        cell_angstrom: [60.0; 3],
        cell_angles_rad: [1.6; 3],
        ..defaults()
    };
    let made = make(&p).expect("a scene");
    let summary = made.summary();
    assert_eq!((summary.fast_pixels, summary.slow_pixels), (1024, 1024));
    assert_eq!((summary.sources, summary.orientations, summary.carries), (1, 1, 0));
    assert_eq!(summary.distance_m, 0.1);
    // ceil(3 * 60 A/(1 A * 0.1 m/0.1 mm)) = 1
    assert_eq!((summary.oversample, summary.steps), (1, 1.0));
    let level = Simd::detect().level().name();
    // SAFETY: the pointer is to a static string with a final zero.
    assert_eq!(unsafe { core::ffi::CStr::from_ptr(summary.simd) }.to_str(), Ok(level));
}

/// A small scene that needs a carryover and interpolates.
fn small() -> (KernelScene, Vec<wb_source>) {
    let kernel = KernelScene::from_simulation(&simulation("phi_all"), Simd::detect(), Mode::CParity);
    let sources = sources(&kernel);
    (kernel, sources)
}

/// Only the ratios of weights count; a source of weight 0 is not there; in c-parity weights have no effect.
#[test]
fn sources_have_weights_in_spec() {
    let simulation = simulation("sourcefile");
    let image = |mode: Mode, weights: &[f64], count: usize| {
        let kernel = KernelScene::from_simulation(&simulation, Simd::detect(), mode);
        let sources = sources(&kernel);
        assert!(sources.len() >= 3);
        let source_weights = if weights.is_empty() { null() } else { weights.as_ptr() };
        let p = wb_scene_parameters { source_weights, source_count: count, ..placed(&kernel, &sources) };
        let made = make(&p).map_err(|failure| failure.0)?;
        let carried = made.open(WB_STREAMS, 1);
        made.latch(carried.carryover);
        Ok::<_, i32>(made.rows(0, kernel.detector.slow_pixels, carried.carryover).expect("an image"))
    };
    let weighted = image(Mode::Spec, &[1.0, 0.5, 3.0], 3);
    assert!(weighted.is_ok() && weighted == image(Mode::Spec, &[2.0, 1.0, 6.0], 3));
    assert!(weighted != image(Mode::Spec, &[], 3));
    assert!(image(Mode::Spec, &[2.0; 3], 3) == image(Mode::Spec, &[], 3));
    assert!(image(Mode::Spec, &[1.0, 1.0, 0.0], 3) == image(Mode::Spec, &[], 2));
    assert!(image(Mode::CParity, &[1.0, 0.5, 3.0], 3) == image(Mode::CParity, &[], 3));
    for bad in [[1.0, -1.0, 1.0], [0.0; 3], [f64::NAN, 1.0, 1.0]] {
        assert_eq!(image(Mode::Spec, &bad, 3), Err(WB_OUT_OF_RANGE), "{bad:?}");
    }
}

/// Spots of simtbx and diffBragg, and their polarisation, have the bits of the kernel's scene.
#[test]
fn spots_and_polarisation_have_other_rules() {
    let simulation = simulation("phi_all");
    let mut kernel = KernelScene::from_simulation(&simulation, Simd::detect(), Mode::Spec);
    let sources = sources(&kernel);
    let usual = wb_scene_parameters { shape: WB_GAUSS, ..placed(&kernel, &sources) };
    let image = |p: &wb_scene_parameters| {
        let made = make(p).map_err(|failure| failure.0)?;
        Ok::<_, i32>(made.rows(0, p.slow_pixels, null_mut()).expect("an image"))
    };
    let plain = image(&usual).expect("an image");
    let index = wb_scene_parameters { spot_metric: WB_INDEX, ..usual };
    let coupled = wb_scene_parameters { coupling: [0.5, -0.3, 0.2], ..index };
    let cut = wb_scene_parameters { gauss_cutoff: 2.0, ..coupled };
    let images = [&index, &coupled, &cut].map(|p| image(p).expect("an image"));
    assert!(images[0] != plain && images[0] != images[1] && images[1] != images[2]);
    kernel.crystallite.spots = SpotModel {
        metric: SpotMetric::Index,
        coupling: CellCoupling { ab: 0.5, ac: -0.3, bc: 0.2 },
        gauss_cutoff: 2.0,
    };
    kernel.crystallite.shape = CrystalShape::Gauss;
    assert!(images[2] == kernel.render::<f32>(1).expect("an image"), "the bits of the kernel");
    // One source and no oversampling: the last contribution is another than the first only on wide pixels.
    for polarized_at in [WB_FIRST, WB_LAST, WB_CENTRE] {
        assert!(image(&wb_scene_parameters { polarized_at, ..usual }).is_ok());
    }
    for bad in [
        wb_scene_parameters { spot_metric: 2, ..usual },
        wb_scene_parameters { polarized_at: -1, ..usual },
        wb_scene_parameters { gauss_cutoff: f64::NAN, ..usual },
        wb_scene_parameters { coupling: [1e9, 0.0, 0.0], ..index },
    ] {
        assert_eq!(image(&bad), Err(WB_OUT_OF_RANGE));
    }
}

/// Sources choose among the grids of the scene; the indices of sources of weight 0 are left out with them.
#[test]
fn sources_have_grids() {
    let simulation = simulation("sourcefile");
    let kernel = KernelScene::from_simulation(&simulation, Simd::detect(), Mode::Spec);
    let sources = sources(&kernel);
    assert!(sources.len() >= 3);
    // The water of an image, and its polarisation factor, are no sums over sources.
    let good = wb_scene_parameters { polarized: 0, water_m: 0.0, ..placed(&kernel, &sources) };
    let nodes = good.grid.hkl_len.iter().product::<usize>();
    let first: Vec<f64> = kernel.grid.as_ref().expect("a grid").data.clone();
    let second: Vec<f64> = first.iter().map(|f| 0.5 * f + 3.0).collect();
    let both = [&first[..], &second].concat();
    let image = |values: &[f64], count: usize, grids: &[u32], weights: &[f64]| {
        let grid = wb_grid { f: values.as_ptr(), f_len: values.len(), ..good.grid };
        let source_grids = if grids.is_empty() { null() } else { grids.as_ptr() };
        let p = wb_scene_parameters {
            grid,
            grid_count: count,
            source_grids,
            source_weights: weights.as_ptr(),
            source_count: 3,
            ..good
        };
        let made = make(&p).map_err(|failure| failure.0)?;
        Ok::<_, i32>(made.rows(0, kernel.detector.slow_pixels, null_mut()).expect("an image"))
    };
    assert_eq!(both.len(), 2 * nodes);
    let alike = [1.0; 3];
    assert!(image(&both, 2, &[1; 3], &alike) == image(&second, 1, &[], &alike));
    assert!(image(&both, 2, &[], &alike) == image(&first, 1, &[0; 3], &alike));
    assert!(image(&both, 2, &[0, 1, 0], &[0.0, 1.0, 0.0]) == image(&second, 1, &[], &[0.0, 1.0, 0.0]));
    let mixed = image(&both, 2, &[0, 1, 0], &alike).expect("an image");
    let parts: Vec<_> = [([1.0, 0.0, 0.0], &first), ([0.0, 1.0, 0.0], &second), ([0.0, 0.0, 1.0], &first)]
        .into_iter()
        .map(|(weights, values)| image(values, 1, &[], &weights).expect("an image"))
        .collect();
    let largest = mixed.iter().fold(0.0, |most: f32, &pixel| most.max(pixel));
    for (i, pixel) in mixed.iter().enumerate() {
        let sum = parts.iter().map(|part| part[i]).sum::<f32>() / 3.0;
        assert!((pixel - sum).abs() <= 1e-6 * largest, "{i}: {pixel} {sum}");
    }
    assert_eq!(image(&both, 2, &[0, 2, 0], &alike), Err(WB_OUT_OF_RANGE));
    assert_eq!(image(&both, 3, &[0; 3], &alike), Err(WB_WRONG_LENGTH));
    assert_eq!(image(&both, 0, &[0; 3], &alike), Err(WB_OUT_OF_RANGE));
    assert_eq!(image(&both, usize::MAX, &[0; 3], &alike), Err(WB_TOO_LARGE));
}

/// Each case is a word of the expected error record, and a field to spoil.
#[test]
fn numbers_that_cannot_be_are_refused_and_named() {
    let (kernel, sources) = small();
    let good = placed(&kernel, &sources);
    assert!(make(&good).is_ok());
    type Spoil = fn(&mut wb_scene_parameters, f64);
    let fields: [(&str, Spoil); 27] = [
        ("pixel", |p, x| p.pixel_m = x),
        ("size", |p, x| p.fast_size_m = x),
        ("size", |p, x| p.slow_size_m = x),
        ("distance", |p, x| p.distance_m = x),
        ("close", |p, x| p.close_distance_m = x),
        ("fast", |p, x| p.fast_axis[1] = x),
        ("slow", |p, x| p.slow_axis[2] = x),
        ("normal", |p, x| p.normal_axis[0] = x),
        ("beam", |p, x| p.beam_axis[0] = x),
        ("polarisation", |p, x| p.polarization_axis[2] = x),
        ("spindle", |p, x| p.spindle_axis[1] = x),
        ("origin", |p, x| p.pix0_m[2] = x),
        ("sensor", |p, x| p.sensor_layer_m = x),
        ("attenuation", |p, x| p.attenuation_per_m = x),
        ("wavelength", |p, x| p.lambda0_m = x),
        ("axes", |p, x| p.direct_m[4] = x),
        ("reciprocal", |p, x| p.reciprocal_per_angstrom[8] = x),
        ("cells", |p, x| p.cells[1] = x),
        ("fudge", |p, x| p.fudge = x),
        ("phi", |p, x| p.phi0_rad = x),
        ("phi", |p, x| p.phi_step_rad = x),
        ("Kahn", |p, x| p.kahn = x),
        ("fluence", |p, x| p.fluence_per_m2 = x),
        ("water", |p, x| p.water_m = x),
        ("resolution", |p, x| p.d_min_m = x),
        ("default_f", |p, x| p.grid.default_f = x),
        ("cells", |p, x| p.cells[0] = x + 0.5),
    ];
    for (name, spoil) in fields {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut p = good;
            spoil(&mut p, value);
            let Err((status, quantity)) = make(&p) else { panic!("{name} {value} is taken") };
            assert_eq!(status, WB_OUT_OF_RANGE, "{name}");
            assert!(quantity.contains(name), "{name}: {quantity}");
        }
    }
    let conventional: [(&str, Spoil); 8] = [
        ("beam centre", |p, x| p.x_beam_m = x),
        ("beam centre", |p, x| p.y_close_m = x),
        ("beam centre", |p, x| p.org_x_px = x),
        ("rotation", |p, x| p.rotation_rad[2] = x),
        ("rotation", |p, x| p.twotheta_rad = x),
        ("cell", |p, x| p.cell_angstrom[1] = x),
        ("angle", |p, x| p.cell_angles_rad[0] = x),
        ("misset", |p, x| p.misset_rad[1] = x),
    ];
    for (name, spoil) in conventional {
        let mut p = distinct(WB_MOSFLM);
        p.given |= WB_GIVEN_X_BEAM | WB_GIVEN_Y_CLOSE | WB_GIVEN_ORG_X;
        assert!(make(&p).is_ok());
        spoil(&mut p, f64::NAN);
        let Err((status, quantity)) = make(&p) else { panic!("{name} NaN is taken") };
        assert_eq!(status, WB_OUT_OF_RANGE);
        assert!(quantity.contains(name), "{name}: {quantity}");
    }
    // Finite numbers that do not form a cell or a plane.
    let flat = wb_scene_parameters { cell_angles_rad: [0.5, 0.5, 3.0], ..distinct(WB_MOSFLM) };
    assert_eq!(make(&flat).err(), Some((WB_IMPOSSIBLE_CELL, "cell angles".to_owned())));
    let parallel = wb_scene_parameters { slow_axis: good.fast_axis, ..good };
    assert_eq!(make(&parallel).err(), Some((WB_OUT_OF_RANGE, "fast and slow axis".to_owned())));
    let enumerations: [fn(&mut wb_scene_parameters, i32); 6] = [
        |p, x| p.convention = x,
        |p, x| p.shape = x,
        |p, x| p.mode = x,
        |p, x| p.simd = x,
        |p, x| p.precision = x,
        |p, x| p.interpolation = x,
    ];
    for spoil in enumerations {
        for value in [-1, 7, i32::MAX, i32::MIN] {
            let mut p = good;
            spoil(&mut p, value);
            assert_eq!(make(&p).err().map(|(status, _)| status), Some(WB_OUT_OF_RANGE));
        }
    }
    type SpoilCount = fn(&mut wb_scene_parameters);
    let counts: [(i32, SpoilCount); 13] = [
        (WB_OUT_OF_RANGE, |p| p.phi_steps = 0),
        (WB_TOO_LARGE, |p| p.phi_steps = usize::MAX),
        (WB_TOO_LARGE, |p| p.fast_pixels = usize::MAX),
        (WB_OUT_OF_RANGE, |p| p.sensor_layers = 0),
        (WB_OUT_OF_RANGE, |p| p.oversample = usize::MAX),
        (WB_WRONG_LENGTH, |p| p.domain_count = 0),
        (WB_NULL_POINTER, |p| p.domains = null()),
        (WB_NULL_POINTER, |p| p.sources = null()),
        (WB_OUTSIDE_DETECTOR, |p| p.roi_fast_max = usize::MAX),
        (WB_OUTSIDE_DETECTOR, |p| p.roi_slow_max = p.slow_pixels),
        (WB_STRUCT_SIZE, |p| p.size -= 1),
        (WB_WRONG_LENGTH, |p| p.grid.f_len -= 1),
        (WB_MISALIGNED, |p| p.sources = p.sources.wrapping_byte_add(1)),
    ];
    for (i, (status, spoil)) in counts.into_iter().enumerate() {
        let mut p = good;
        spoil(&mut p);
        assert_eq!(make(&p).err().map(|(status, _)| status), Some(status), "{i}");
    }
    let stretched: Vec<f64> =
        (0..9 * good.domain_count).map(|i| if i % 4 == 0 { 2.0 } else { 0.0 }).collect();
    let p = wb_scene_parameters { domains: stretched.as_ptr(), ..good };
    assert_eq!(make(&p).err().map(|(status, _)| status), Some(WB_OUT_OF_RANGE));
}

/// A bit that this version does not know may stand for a field that the caller counts on.
#[test]
fn unknown_bits_of_given_are_refused() {
    let p = distinct(WB_MOSFLM);
    let (known, mut len, mut used) = (2 * WB_GIVEN_ROI - 1, 0, 0);
    let all = wb_scene_parameters {
        given: known & !WB_GIVEN_AXES & !WB_GIVEN_MATRIX,
        roi_fast_max: 3,
        roi_slow_max: 3,
        ..p
    };
    assert_eq!(rejected(&all).0, WB_OK);
    for bit in (0..64).map(|i| 1_u64 << i).filter(|bit| known & bit == 0) {
        let p = wb_scene_parameters { given: p.given | bit, ..p };
        let expected = (WB_OUT_OF_RANGE, "given".to_owned(), "a sum of WB_GIVEN_ bits".to_owned());
        assert_eq!(rejected(&p), expected, "{bit:x}");
        let grid = wb_source_grid {
            hdiv_count: 1,
            hdiv_range_rad: 0.0,
            hdiv_step_rad: 0.0,
            vdiv_count: 1,
            vdiv_range_rad: 0.0,
            vdiv_step_rad: 0.0,
            dispersion_count: 1,
            dispersion_range: 0.0,
            dispersion_step: 0.0,
            round: 0,
        };
        let mut source = wb_source { incident: [0.0; 3], lambda_m: 0.0 };
        // SAFETY: all pointers are to locals, and there is room for one source.
        unsafe {
            assert_eq!(wb_sources_len(&raw const grid, &raw mut len), WB_OK);
            let status = wb_sources_fill(&raw const p, &raw const grid, &raw mut source, len, &raw mut used);
            assert_eq!(status, WB_OUT_OF_RANGE);
        }
        let mut direction = core::mem::MaybeUninit::uninit();
        // SAFETY: the pointers are to locals or NULL.
        let status = unsafe { wb_direction(&raw const p, WB_BY_A, direction.as_mut_ptr(), null_mut()) };
        assert_eq!(status, WB_OUT_OF_RANGE);
    }
}

/// Kahn factors beyond -1 to 1 and distances that put the sample behind the detector make pixels negative.
#[test]
fn numbers_that_would_make_pixels_negative_are_refused() {
    let (kernel, sources) = small();
    let good = placed(&kernel, &sources);
    for kahn in [-1.0, -0.3, 0.0, 1.0] {
        assert_eq!(rejected(&wb_scene_parameters { kahn, ..good }).0, WB_OK, "{kahn}");
    }
    for kahn in [50.0, 1.0000001, -1.0000001] {
        let (status, quantity, allowed) = rejected(&wb_scene_parameters { kahn, ..good });
        assert_eq!((status, &quantity[..], &allowed[..]), (WB_OUT_OF_RANGE, "Kahn factor", "from -1 to 1"));
    }
    // A scene without polarisation does not read it.
    assert_eq!(rejected(&wb_scene_parameters { kahn: 50.0, polarized: 0, ..good }).0, WB_OK);
    for convention in [WB_MOSFLM, WB_XDS, WB_CUSTOM] {
        let mut p = distinct(convention);
        p.given |= WB_GIVEN_CLOSE_DISTANCE;
        assert_eq!(rejected(&p).0, WB_OK);
        p.close_distance_m = -p.close_distance_m;
        assert_eq!(rejected(&p).1, "close distance in m");
    }
    let close_distance_m = -good.close_distance_m;
    assert_eq!(rejected(&wb_scene_parameters { close_distance_m, ..good }).1, "close distance in m");
}

/// A normal that is not of length 1 on a mirrored detector: spec keeps its direction, c-parity replaces it.
#[test]
fn the_normal_of_a_mirrored_detector_follows_the_mode() {
    for (mode, x, distance_m) in [(WB_SPEC, 1.0, 0.1), (WB_CPARITY, -1.0, -0.1)] {
        let p = wb_scene_parameters {
            given: WB_GIVEN_CELL | WB_GIVEN_FAST | WB_GIVEN_SLOW | WB_GIVEN_NORMAL,
            convention: WB_CUSTOM,
            mode,
            fast_axis: [0.0, 0.0, 1.0],
            slow_axis: [0.0, 1.0, 0.0],
            normal_axis: [2.0, 0.0, 0.0],
            cell_angstrom: [40.0; 3],
            cell_angles_rad: [1.5; 3],
            ..defaults()
        };
        let summary = make(&p).expect("a scene").summary();
        assert_eq!(summary.normal_axis, [x, 0.0, 0.0]);
        assert!((summary.distance_m - distance_m).abs() < 1e-15, "{}", summary.distance_m);
    }
}

/// On a detector that swings past 90 degrees, pixels without intensity are -0: alone as in their rows.
#[test]
fn single_pixels_have_the_sign_of_zero_of_their_rows() {
    let p = wb_scene_parameters { twotheta_rad: 2.0, kahn: 0.7, ..distinct(WB_MOSFLM) };
    let made = make(&p).expect("a scene");
    let (rows, columns) = (made.summary().slow_pixels, made.summary().fast_pixels);
    let mut image = vec![f64::NAN; rows * columns];
    let (start, len) = (image.as_mut_ptr(), image.len());
    // SAFETY: the scene was made, and `image` has `len` elements.
    assert_eq!(unsafe { wb_render_rows_f64(made.scene, 0, rows, start, len, null_mut()) }, WB_OK);
    assert!(image.iter().any(|pixel| *pixel == 0.0 && pixel.is_sign_negative()));
    for (i, in_row) in image.iter().enumerate() {
        let (slow, fast, mut alone) = (i / columns, i % columns, f64::NAN);
        // SAFETY: the scene was made, and `alone` is a local.
        assert_eq!(unsafe { wb_render_pixel(made.scene, slow, fast, &raw mut alone, null_mut()) }, WB_OK);
        assert_eq!(alone.to_bits(), in_row.to_bits(), "{alone:e} {in_row:e}");
    }
}

#[test]
fn a_scene_is_valid_only_where_it_was_made() {
    let (kernel, sources) = small();
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    let carried = made.open(WB_STREAMS, 1);
    let latch = wb_latch { found: 0, slow: 0, fast: 0, evaluation: 0 };
    let columns = kernel.detector.fast_pixels;
    let expected = made.rows(0, 1, carried.carryover).expect("a row");
    let (copy, scene) = made.copied();
    let (before, mut summary) = (copy.contents(), made.summary());
    let (mut image, mut value, mut bytes, mut found) = (vec![f32::NAN; columns], f64::NAN, usize::MAX, latch);
    let mut report = wb_row_report { pixels: 0, fallbacks: 0, omega_sum_sr: 0.0 };
    let mut use_at = wb_carryover_use { found: 9, left_by_slow: 9, left_by_fast: 9 };
    let (mut other, mut turns) = (Memory::new(1 << 16), null_mut());
    let (room, start, mut handle) = (other.bytes(), other.start(), null_mut());
    let (pixels, carry) = (image.as_mut_ptr(), carried.carryover);
    // SAFETY: the scene is a copy of one that was made, `image` has `columns` elements, and the other pointers
    // are to locals or to memory of the given size.
    let statuses = unsafe {
        [
            wb_scene_summarize(scene, &raw mut summary, size_of::<wb_scene_summary>()),
            wb_carryover_size(scene, WB_STREAMS, 1, &raw mut bytes),
            wb_carryover_open(scene, WB_STREAMS, 1, start, room, &raw mut handle),
            wb_carryover_use_at(carry, scene, 0, 0, &raw mut use_at),
            wb_scene_find_latch(scene, 0, 1, carry, &raw mut found),
            wb_scene_set_latch(scene, &raw const latch),
            wb_render_rows(scene, 0, 1, pixels, columns, carry),
            wb_render_rows_report(scene, 0, 1, pixels, columns, carry, &raw mut report),
            wb_render_pixel(scene, 0, 0, &raw mut value, carry),
            wb_turns_size(scene, 0, &raw mut bytes),
            wb_turns_make(scene, 0, start, room, &raw mut turns),
        ]
    };
    assert_eq!(statuses, [WB_MOVED; 11]);
    assert!(image.iter().all(|pixel| pixel.is_nan()) && value.is_nan() && bytes == usize::MAX);
    assert!(other.untouched() && handle.is_null() && turns.is_null() && use_at.found == 9);
    assert!(copy.contents() == before);
    // The scene itself is as it was.
    assert_eq!(made.rows(0, 1, carry), Ok(expected));
    // A carryover may be copied.
    let restored = carried.copied();
    assert!(made.rows(0, 1, restored.carryover).is_ok());
}

#[test]
fn a_record_that_overlaps_anything_is_refused_and_not_written() {
    let (kernel, sources) = small();
    let mut p = placed(&kernel, &sources);
    let mut bytes = 0;
    // SAFETY: each pointer is NULL or to a local.
    assert_eq!(unsafe { wb_scene_size(&raw const p, &raw mut bytes, null_mut()) }, WB_OK);
    let mut memory = Memory::new(bytes);
    let start = memory.start();
    let (mut scene, mut error) = (null_mut::<wb_scene>(), no_error());
    let make = |handle: *mut *mut wb_scene, error: *mut wb_error| {
        // SAFETY: the call fails before it writes anything; what it reads are locals.
        unsafe { wb_scene_make(&raw const p, start, bytes, handle, error) }
    };
    assert_eq!(make(&raw mut scene, start.cast()), WB_OVERLAP);
    assert_eq!(make(&raw mut scene, (&raw mut scene).cast()), WB_OVERLAP);
    assert_eq!(make(start.cast(), &raw mut error), WB_OVERLAP);
    assert_eq!(error.status, WB_OVERLAP);
    assert!(scene.is_null() && memory.untouched());
    let (itself, pixel_m) = (&raw mut p, p.pixel_m);
    // SAFETY: the call fails before it writes anything; what it reads are locals.
    assert_eq!(unsafe { wb_scene_size(itself, &raw mut bytes, itself.cast()) }, WB_OVERLAP);
    // SAFETY: as for the call before.
    assert_eq!(unsafe { wb_scene_size(itself, itself.cast(), null_mut()) }, WB_OVERLAP);
    assert_eq!((p.size, p.pixel_m), (size_of::<wb_scene_parameters>(), pixel_m));
}

#[test]
fn pointers_and_lengths_are_checked_before_anything_is_written() {
    let (kernel, sources) = small();
    let p = placed(&kernel, &sources);
    let mut bytes = 0;
    // SAFETY: each pointer is NULL or to a local.
    unsafe {
        assert_eq!(wb_scene_defaults(null_mut(), p.size), WB_NULL_POINTER);
        assert_eq!(wb_scene_size(&raw const p, null_mut(), null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_scene_size(null(), &raw mut bytes, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_scene_size(&raw const p, &raw mut bytes, null_mut()), WB_OK);
    }
    let mut memory = Memory::new(bytes + 64);
    let start = memory.start();
    let mut scene = null_mut();
    let mut error = no_error();
    let mut refused = |memory: *mut core::ffi::c_void, bytes: usize, p: &wb_scene_parameters| {
        // SAFETY: `memory` is NULL, or points to at least `bytes` bytes; the other pointers are to locals.
        let status = unsafe { wb_scene_make(p, memory, bytes, &raw mut scene, &raw mut error) };
        assert!(scene.is_null());
        assert_eq!(status, error.status);
        (status, error.needed)
    };
    assert_eq!(refused(null_mut(), bytes, &p).0, WB_NULL_POINTER);
    assert_eq!(refused(start.wrapping_byte_add(8), bytes, &p).0, WB_MISALIGNED);
    assert_eq!(refused(start, bytes - 1, &p), (WB_WRONG_LENGTH, bytes));
    assert_eq!(refused(start, bytes, &wb_scene_parameters { fudge: -1.0, ..p }).0, WB_OUT_OF_RANGE);
    // Every number is in range, but together they give a Miller index that is too large.
    let far = wb_scene_parameters { direct_m: p.direct_m.map(|x| x * 1e9), ..p };
    assert_eq!(refused(start, bytes, &far).0, WB_OUT_OF_RANGE);
    assert!(memory.untouched());
    // A grid of one node inside the memory of the scene.
    let mut inside = p;
    (inside.grid.f, inside.grid.f_len, inside.grid.hkl_len) = (start.cast(), 1, [1; 3]);
    assert_eq!(refused(start, bytes, &inside).0, WB_OVERLAP);
    assert!(memory.untouched());

    let made = make(&p).expect("a scene");
    let mut summary = made.summary();
    // As from a program built for another version of the summary.
    summary.latch_missing = 77;
    // SAFETY: the scene was made; the call fails before it writes the summary.
    let status =
        unsafe { wb_scene_summarize(made.scene, &raw mut summary, size_of::<wb_scene_summary>() + 8) };
    assert_eq!((status, summary.latch_missing), (WB_STRUCT_SIZE, 77));
    let carried = made.open(WB_STREAMS, 1);
    made.latch(carried.carryover);
    let columns = kernel.detector.fast_pixels;
    let mut image = vec![f32::NAN; 2 * columns];
    let mut render = |scene: *const wb_scene, first, rows, at: usize, len, carry| {
        let image = image.as_mut_ptr().wrapping_byte_add(at);
        // SAFETY: the calls fail before they write anything; what they read was made above or is NULL.
        unsafe { wb_render_rows(scene, first, rows, image, len, carry) }
    };
    let (scene, carry, limit) = (made.scene, carried.carryover, kernel.detector.slow_pixels);
    assert_eq!(render(null(), 0, 1, 0, columns, carry), WB_NULL_POINTER);
    assert_eq!(render(scene, 0, 1, 0, columns - 1, carry), WB_WRONG_LENGTH);
    assert_eq!(render(scene, 0, usize::MAX, 0, columns, carry), WB_WRONG_LENGTH);
    assert_eq!(render(scene, 0, 1, 2, columns, carry), WB_MISALIGNED);
    assert_eq!(render(scene, limit, 1, 0, columns, carry), WB_OUTSIDE_DETECTOR);
    assert_eq!(render(scene, usize::MAX, 1, 0, columns, carry), WB_OUTSIDE_DETECTOR);
    assert_eq!(render(scene, 0, 1, 0, columns, null_mut()), WB_CARRYOVER_MISSING);
    assert_eq!(render(scene, 0, 1, 0, columns, scene.cast()), WB_NOT_MADE);
    assert_eq!(render(carry.cast(), 0, 1, 0, columns, carry), WB_NOT_MADE);
    assert!(image.iter().all(|x| x.is_nan()));
    // SAFETY: the calls fail before they write anything; what they read was made above or is NULL.
    unsafe {
        let inside = scene.cast::<f32>();
        assert_eq!(wb_render_rows(scene, 0, 1, inside, columns, carry), WB_OVERLAP);
        let inside = carry.cast::<f32>();
        assert_eq!(wb_render_rows(scene, 0, 1, inside, columns, carry), WB_OVERLAP);
        let grid = p.grid.f.cast_mut().cast::<f32>();
        assert_eq!(wb_render_rows(scene, 0, 1, grid, columns, carry), WB_OVERLAP);
        assert_eq!(wb_render_pixel(scene, 0, columns, image.as_mut_ptr().cast(), carry), WB_OUTSIDE_DETECTOR);
        assert_eq!(wb_carryover_size(scene, 2, 1, &raw mut bytes), WB_OUT_OF_RANGE);
        assert_eq!(wb_carryover_size(scene, WB_STREAMS, 0, &raw mut bytes), WB_OUT_OF_RANGE);
        assert_eq!(wb_carryover_size(scene, WB_STREAMS, usize::MAX, &raw mut bytes), WB_TOO_LARGE);
        let mut other = null_mut();
        assert_eq!(wb_carryover_open(scene, WB_STREAMS, 1, start, 64, &raw mut other), WB_WRONG_LENGTH);
        assert!(other.is_null());
    }
}

#[test]
fn a_latch_missing_is_an_error() {
    let kernel =
        KernelScene::from_simulation(&simulation("interpolate_latch"), Simd::detect(), Mode::CParity);
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    assert_eq!(made.summary().latch_missing, 1);
    let carried = made.open(WB_STREAMS, 1);
    assert_eq!(made.rows(0, 1, carried.carryover), Err(WB_LATCH_MISSING));
    assert!(made.latch(carried.carryover).is_some());
    assert_eq!(made.summary().latch_missing, 0);
    assert!(made.rows(0, 1, carried.carryover).is_ok());
    let spec = KernelScene::from_simulation(&simulation("interpolate_latch"), Simd::detect(), Mode::Spec);
    let made = make(&placed(&spec, &sources)).expect("a scene");
    let latch = wb_latch { found: 0, slow: 0, fast: 0, evaluation: 0 };
    // SAFETY: the scene was made, no other thread uses it, and `latch` is a local.
    assert_eq!(unsafe { wb_scene_set_latch(made.scene, &raw const latch) }, WB_OUT_OF_RANGE);
}

#[test]
fn every_status_has_a_message_of_its_own() {
    let mut messages = std::collections::BTreeSet::new();
    for status in WB_MOVED..=WB_OK {
        // SAFETY: the pointer is to a static string with a final zero.
        let message = unsafe { core::ffi::CStr::from_ptr(wb_status_message(status)) };
        assert!(messages.insert(message.to_str().expect("ASCII").to_owned()), "{status}");
    }
    for status in [1, WB_MOVED - 1, i32::MIN] {
        // SAFETY: the pointer is to a static string with a final zero.
        let message = unsafe { core::ffi::CStr::from_ptr(wb_status_message(status)) };
        assert!(!messages.contains(message.to_str().expect("ASCII")));
    }
}

#[test]
fn the_report_is_the_kernel_s() {
    let kernel = KernelScene::from_simulation(&simulation("interpolate_latch"), Simd::detect(), Mode::Spec);
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    let (rows, mut image) = (kernel.detector.slow_pixels, vec![0f32; kernel.detector.pixels()]);
    let expected = kernel.with(1, |scene, slots| {
        scene.render_rows(0..rows, &mut image, &mut widebragg::carryover::Carryover::Streams(slots))
    });
    let expected = expected.expect("a scene").expect("a report");
    let mut found = wb_row_report { pixels: 0, fallbacks: 0, omega_sum_sr: 0.0 };
    let (start, len) = (image.as_mut_ptr(), image.len());
    // SAFETY: the scene was made, `image` has `len` elements, and `found` is a local.
    unsafe {
        let inside = start.cast();
        let status = wb_render_rows_report(made.scene, 0, rows, start, len, null_mut(), inside);
        assert_eq!(status, WB_OVERLAP);
        let status = wb_render_rows_report(made.scene, 0, rows, start, len, null_mut(), &raw mut found);
        assert_eq!(status, WB_OK);
    }
    assert!(expected.fallbacks > 0);
    assert_eq!(
        (found.pixels, found.fallbacks, found.omega_sum_sr),
        (expected.pixels, expected.fallbacks, expected.omega_sum_sr)
    );
}

#[test]
fn sources_are_the_kernel_s() {
    use widebragg::beam::{Source, SourceGrid};
    use widebragg::sampling::Steps;
    let p = distinct(WB_ADXV);
    let steps = |count, range, step| Steps { count, range, step };
    let grid = SourceGrid {
        hdiv: steps(5, 0.004, 0.001),
        vdiv: steps(4, 0.003, 0.001),
        dispersion: steps(3, 0.02, 0.01),
        round: true,
        lambda0_m: p.lambda0_m,
    };
    let good = wb_source_grid {
        hdiv_count: 5,
        hdiv_range_rad: 0.004,
        hdiv_step_rad: 0.001,
        vdiv_count: 4,
        vdiv_range_rad: 0.003,
        vdiv_step_rad: 0.001,
        dispersion_count: 3,
        dispersion_range: 0.02,
        dispersion_step: 0.01,
        round: 1,
    };
    let fill = |grid: &wb_source_grid, len: usize| {
        let blank = wb_source { incident: [f64::NAN; 3], lambda_m: f64::NAN };
        let (mut out, mut used) = (vec![blank; len], usize::MAX);
        // SAFETY: `out` has `len` elements; the other pointers are to locals.
        let status = unsafe { wb_sources_fill(&raw const p, grid, out.as_mut_ptr(), len, &raw mut used) };
        if status != WB_OK {
            assert!(out.iter().all(|source| source.lambda_m.is_nan()) && used == usize::MAX);
            return Err(status);
        }
        out.truncate(used);
        Ok(out)
    };
    let mut expected = [Source::default(); 60];
    let used = grid.fill(&kernel_detector(&p).frame(), &mut expected).expect("sources");
    assert!(used < 60);
    let mut len = 0;
    // SAFETY: both pointers are to locals.
    assert_eq!(unsafe { wb_sources_len(&raw const good, &raw mut len) }, WB_OK);
    assert_eq!(len, 60);
    let found = fill(&good, 60).expect("sources");
    assert_eq!(found.len(), used);
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.incident, found.lambda_m), (expected.incident.to_array(), expected.lambda_m));
    }
    assert_eq!(fill(&good, 59).err(), Some(WB_WRONG_LENGTH));
    for bad in [
        wb_source_grid { hdiv_count: 0, ..good },
        wb_source_grid { vdiv_step_rad: f64::NAN, ..good },
        wb_source_grid { hdiv_range_rad: f64::INFINITY, ..good },
        wb_source_grid { dispersion_range: 2.0, ..good },
        wb_source_grid { dispersion_step: -0.1, ..good },
    ] {
        assert_eq!(fill(&bad, 60).err(), Some(WB_OUT_OF_RANGE));
    }
    assert_eq!(fill(&wb_source_grid { hdiv_count: usize::MAX, ..good }, 60).err(), Some(WB_TOO_LARGE));
}
