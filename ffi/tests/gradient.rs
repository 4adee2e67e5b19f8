//! Derivatives through the C interface: the bits of the kernel in both modes and directions, directions of
//! parameters compared with the kernel's model and with changed scenes, and failed calls that write nothing.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls under one contract")]

#[path = "common/scene.rs"]
mod made;

use core::ptr::{null, null_mut};

use made::{Made, Memory, defaults, make, no_error, placed, sources, words};
use widebragg::carryover::Carryover;
use widebragg::crystal::{CellSource, CrystalParameters, UnitCell};
use widebragg::detector::{Convention, DetectorParameters, Pivot};
use widebragg::gradient::{
    Model, Moves, OrientationDerivatives, Parameter, Sums, VARIABLES, Variables, Wanted,
};
use widebragg::lanes::Simd;
use widebragg::render::Scene;
use widebragg::rotation::PhiMode;
use widebragg_ffi::carryover::{WB_PIXELS, WB_STREAMS, wb_carryover};
use widebragg_ffi::direction::*;
use widebragg_ffi::enums::*;
use widebragg_ffi::gradient::*;
use widebragg_ffi::parameters::*;
use widebragg_ffi::render::wb_render_rows_f64;
use widebragg_ffi::scene::wb_scene;
use widebragg_ffi::status::*;
use widebragg_ffi::turns::*;
use widebragg_ffi::variables::*;
use widebragg_tests::deviates::deviates;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::{self, KernelScene};

fn kernel(name: &str, mode: Mode) -> KernelScene {
    let case = Case::load(name).expect("a golden case");
    let simulation = Simulation::from_args(&case.args, &golden::inputs()).expect("a golden command line");
    KernelScene::from_simulation(&simulation, Simd::detect(), mode)
}

/// Variables as C has them.
fn c(variables: Variables) -> wb_variables {
    // SAFETY: both types have the same layout: `f64` fields in the same order.
    unsafe { core::mem::transmute(variables) }
}

fn bits(variables: &Variables) -> [u64; VARIABLES] {
    variables.to_array().map(f64::to_bits)
}

/// Variables as the kernel has them.
fn rust(variables: wb_variables) -> Variables {
    // SAFETY: both types have the same layout: `f64` fields in the same order.
    unsafe { core::mem::transmute(variables) }
}

/// Turns, and the memory that they live in.
struct Turns {
    memory: Memory,
    turns: *mut wb_turns,
}

fn turns(made: &Made, wanted: u64) -> Result<Turns, i32> {
    let (mut bytes, mut turns) = (0, null_mut());
    // SAFETY: the scene was made, and `bytes` is a local.
    let status = unsafe { wb_turns_size(made.scene, wanted, &raw mut bytes) };
    if status != WB_OK {
        assert_eq!(bytes, 0);
        return Err(status);
    }
    let mut memory = Memory::new(bytes);
    // SAFETY: the scene was made; the memory has the size that was asked for and lives as long as the turns.
    let status = unsafe { wb_turns_make(made.scene, wanted, memory.start(), bytes, &raw mut turns) };
    assert_eq!(status, WB_OK);
    Ok(Turns { memory, turns })
}

/// The result of `job` for the scene and the turns of the kernel.
fn with_turns<R>(
    kernel: &KernelScene,
    threads: usize,
    job: impl FnOnce(&Scene<'_>, &OrientationDerivatives<'_>, &Carryover<'_>) -> R,
) -> R {
    let with = kernel.with(threads, |scene, slots| {
        scene::with_turns(scene, 3, |turns| job(scene, turns, &Carryover::Streams(slots)))
    });
    with.expect("a scene")
}

fn pull(
    made: &Made,
    turns: &Turns,
    first: usize,
    weights: &[f64],
    into: (&mut wb_variables, &mut [f64]),
    carryover: *mut wb_carryover,
) -> i32 {
    let rows = weights.len() / made.summary().fast_pixels;
    let (sums, by_f) = into;
    let mut error = no_error();
    // SAFETY: scene, turns and carryover were made, and the arrays have the given lengths.
    let status = unsafe {
        let (by_f, nodes) = (by_f.as_mut_ptr(), by_f.len());
        let by_f = if nodes == 0 { null_mut() } else { by_f };
        let (weights, len) = (weights.as_ptr(), weights.len());
        wb_pullback_rows(
            made.scene,
            turns.turns,
            first,
            rows,
            weights,
            len,
            sums,
            by_f,
            nodes,
            carryover,
            &raw mut error,
        )
    };
    assert_eq!(status, error.status, "{}", words(&error.quantity));
    status
}

fn push(
    made: &Made,
    turns: &Turns,
    rows: core::ops::Range<usize>,
    directions: &[wb_variables],
    carryover: *mut wb_carryover,
) -> Result<Vec<f64>, i32> {
    let mut images = vec![f64::NAN; rows.len() * made.summary().fast_pixels * directions.len()];
    let mut error = no_error();
    // SAFETY: scene, turns and carryover were made, and the arrays have the given lengths.
    let status = unsafe {
        let (directions, count) = (directions.as_ptr(), directions.len());
        let (start, len) = (images.as_mut_ptr(), images.len());
        let (first, rows) = (rows.start, rows.len());
        wb_pushforward_rows(
            made.scene,
            turns.turns,
            first,
            rows,
            directions,
            count,
            start,
            len,
            carryover,
            &raw mut error,
        )
    };
    assert_eq!(status, error.status, "{}", words(&error.quantity));
    if status == WB_OK {
        return Ok(images);
    }
    assert!(images.iter().all(|x| x.is_nan()));
    Err(status)
}

/// `n` pseudorandom numbers between -1 and 1, after the first `skipped` of the series.
fn numbers(n: usize, skipped: usize) -> Vec<f64> {
    let mut deviate = deviates();
    (0..skipped + n).map(|_| 2.0 * deviate() - 1.0).skip(skipped).collect()
}

/// Directions in which all variables change, by amounts of similar effect.
fn directions(count: usize) -> Vec<Variables> {
    let scale: [f64; VARIABLES] = core::array::from_fn(|i| match i {
        0..9 => 1e-12,
        18..21 | 31 => 1e-5,
        32 | 33 => 1e-4,
        45..48 => 0.0,
        _ => 1e-3,
    });
    let all = numbers(count * VARIABLES, 4);
    let direction = |some: &[f64]| Variables::from_array(&core::array::from_fn(|i| some[i] * scale[i]));
    all.chunks_exact(VARIABLES).map(direction).collect()
}

#[test]
fn both_directions_have_the_kernel_s_bits_in_both_modes() {
    let mut differ = 0;
    for name in ["phi_zero_start", "phi_zero_in_middle", "phi_all", "interpolate_latch", "oversample_all"] {
        let mut of_modes = Vec::new();
        for mode in [Mode::Spec, Mode::CParity] {
            let kernel = kernel(name, mode);
            let sources = sources(&kernel);
            let made = make(&placed(&kernel, &sources)).expect("a scene");
            let turns = turns(&made, WB_WANT_ALL).expect("turns");
            let (pixels, rows) = (kernel.detector.pixels(), kernel.detector.slow_pixels);
            let (weights, directions) = (numbers(pixels, 3), directions(3));
            let nodes = kernel.grid.as_ref().map_or(0, |grid| grid.data.len());

            let mut by_f = vec![0.0; nodes];
            let mut sums =
                Sums { wanted: Wanted::ALL, structure_factors: Some(&mut by_f), ..Sums::default() };
            let mut images = vec![f64::NAN; 3 * pixels];
            with_turns(&kernel, 2, |scene, turns, carry| {
                scene.pullback_rows(turns, 0..rows, &weights, carry, &mut sums).expect("a pullback");
                scene.pushforward_rows(turns, 0..rows, &directions, carry, &mut images).expect("images");
            });
            let expected = sums.variables;
            assert!(expected.to_array().iter().filter(|&&x| x != 0.0).count() > 20, "{name}: {expected:?}");

            for form in [WB_STREAMS, WB_PIXELS] {
                let carried = made.open(form, 2);
                made.latch(carried.carryover);
                let (mut found, mut found_by_f) = (c(Variables::default()), vec![0.0; nodes]);
                // Two bands of rows give the sums of one.
                let (upper, lower) = weights.split_at(rows / 3 * kernel.detector.fast_pixels);
                for (first, band) in [(0, upper), (rows / 3, lower)] {
                    let into = (&mut found, &mut found_by_f[..]);
                    assert_eq!(pull(&made, &turns, first, band, into, carried.carryover), WB_OK, "{name}");
                }
                assert_eq!(bits(&rust(found)), bits(&expected), "{name}, {mode:?}");
                assert!(found_by_f.iter().zip(&by_f).all(|(x, y)| x.to_bits() == y.to_bits()), "{name}");
                // So do single rows, each with its own sums, added in order.
                let mut added = Variables::default();
                for (slow, row) in weights.chunks_exact(kernel.detector.fast_pixels).enumerate() {
                    let mut own = c(Variables::default());
                    let status = pull(&made, &turns, slow, row, (&mut own, &mut []), carried.carryover);
                    assert_eq!(status, WB_OK);
                    added.add(&rust(own));
                }
                assert_eq!(bits(&added), bits(&expected), "{name}, {mode:?}");
                let along: Vec<_> = directions.iter().copied().map(c).collect();
                let found = push(&made, &turns, 0..rows, &along, carried.carryover).expect("images");
                assert!(found.iter().zip(&images).all(|(x, y)| x.to_bits() == y.to_bits()), "{name}");
            }
            of_modes.push(bits(&expected));
        }
        differ += usize::from(of_modes[0] != of_modes[1]);
    }
    assert!(differ > 1, "no golden case tells the modes apart");
}

#[test]
fn only_what_is_wanted_is_computed_and_directions_say_what_they_want() {
    let kernel = kernel("phi_all", Mode::Spec);
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    // Three rows with spots.
    let weights = numbers(3 * kernel.detector.fast_pixels, 3);
    let summed = |wanted| {
        let mut sums = c(Variables::default());
        let turns = turns(&made, wanted).expect("turns");
        assert_eq!(pull(&made, &turns, 3, &weights, (&mut sums, &mut []), null_mut()), WB_OK);
        rust(sums).to_array()
    };
    let (all, without_cells) = (summed(WB_WANT_ALL), summed(WB_WANT_ALL & !WB_WANT_CELLS));
    for (with, without) in all.iter().zip(without_cells).filter(|(_, without)| *without != 0.0) {
        assert!((with - without).abs() <= 1e-13 * without.abs(), "{with:e} {without:e}");
    }
    let parts = [
        (WB_WANT_CELL, [0..18, 0..0]),
        (WB_WANT_DETECTOR, [18..32, 0..0]),
        (WB_WANT_PHI, [32..34, 0..0]),
        (WB_WANT_MOSAIC, [34..35, 0..0]),
        (WB_WANT_WAVELENGTH, [35..36, 38..39]),
        (WB_WANT_DEFAULT_F, [37..38, 0..0]),
        (WB_WANT_CELLS, [39..45, 0..0]),
    ];
    assert_eq!(WB_WANT_ALL, parts.iter().map(|(bit, _)| bit).sum::<u64>());
    for (bit, ranges) in parts {
        let some = summed(bit);
        let all = if bit == WB_WANT_CELLS { all } else { without_cells };
        for (i, (some, all)) in some.iter().zip(all).enumerate() {
            let is_wanted = ranges.iter().any(|range| range.contains(&i));
            let expected = if is_wanted || i == 36 { all } else { 0.0 };
            assert_eq!(*some, expected, "{bit} {i}");
        }
        for i in ranges.into_iter().flatten() {
            let mut along = [0.0; VARIABLES];
            along[i] = -2.0;
            let (along, mut wanted) = (c(Variables::from_array(&along)), 99);
            // SAFETY: the pointers are to locals.
            assert_eq!(unsafe { wb_wanted_along(&raw const along, 1, &raw mut wanted) }, WB_OK);
            assert_eq!(wanted, bit);
            // A direction that the turns were not made for is an error, not 0.
            let other = turns(&made, WB_WANT_ALL & !bit).expect("turns");
            assert_eq!(push(&made, &other, 0..1, &[along], null_mut()), Err(WB_OUT_OF_RANGE));
            let own = turns(&made, bit).expect("turns");
            assert!(push(&made, &own, 0..1, &[along], null_mut()).is_ok());
        }
    }
    assert_eq!(turns(&made, WB_WANT_ALL + 1).err(), Some(WB_OUT_OF_RANGE));
    assert!(summed(0)[36] != 0.0);
}

/// A small scene from plain numbers, in a convention.
fn plain(convention: i32) -> wb_scene_parameters {
    wb_scene_parameters {
        given: WB_GIVEN_CELL,
        convention,
        fast_pixels: 41,
        slow_pixels: 39,
        pixel_m: 5e-4,
        distance_m: 0.08,
        rotation_rad: [0.02, -0.03, 0.05],
        twotheta_rad: 0.04,
        twotheta_axis: [0.0, 1.0, 0.0],
        cell_angstrom: [21.0, 23.0, 27.0],
        cell_angles_rad: [1.5, 1.6, 1.7],
        misset_rad: [0.3, -0.2, 0.1],
        lambda0_m: 1.1e-10,
        // Enough cells that the spots vanish where the nearest reflection changes.
        cells: [10.0, 12.0, 8.0],
        oversample: 1,
        phi0_rad: 0.01,
        phi_step_rad: 0.002,
        phi_steps: 3,
        ..defaults()
    }
}

fn direction(p: &wb_scene_parameters, parameter: i32) -> Result<Variables, (i32, String)> {
    let (mut direction, mut error) = (c(Variables::from_array(&[7.5; VARIABLES])), no_error());
    // SAFETY: the pointers are to locals.
    let status = unsafe { wb_direction(p, parameter, &raw mut direction, &raw mut error) };
    assert_eq!(status, error.status);
    let direction = rust(direction);
    if status == WB_OK {
        return Ok(direction);
    }
    assert_eq!(direction.to_array(), [7.5; VARIABLES]);
    Err((status, words(&error.quantity)))
}

#[test]
fn directions_are_the_kernel_s() {
    let p = plain(WB_DENZO);
    let cell = UnitCell { lengths_angstrom: p.cell_angstrom, angles_rad: p.cell_angles_rad };
    let matrix = [[0.019, 0.009, 0.007], [-0.002, 0.017, -0.009], [-0.011, 0.004, 0.011]];
    let flat: [f64; 9] = matrix.as_flattened().try_into().expect("nine");
    for (given, source) in [
        (WB_GIVEN_CELL, CellSource::Cell(cell)),
        (WB_GIVEN_MATRIX, CellSource::Matrix(matrix)),
        (WB_GIVEN_CELL | WB_GIVEN_MATRIX, CellSource::MatrixWithCell(matrix, cell)),
    ] {
        let p = wb_scene_parameters { given, matrix: flat, ..p };
        let crystal = CrystalParameters { source, lambda0_m: p.lambda0_m, misset_rad: p.misset_rad };
        let detector = DetectorParameters {
            pixel_m: p.pixel_m,
            fast_pixels: 41,
            slow_pixels: 39,
            fast_size_m: p.pixel_m * 41.0,
            slow_size_m: p.pixel_m * 39.0,
            distance_m: Some(p.distance_m),
            close_distance_m: None,
            x_beam_m: None,
            y_beam_m: None,
            x_close_m: None,
            y_close_m: None,
            org_x_px: None,
            org_y_px: None,
            convention: Convention::Denzo,
            pivot: Pivot::Beam,
            rotation_rad: p.rotation_rad,
            twotheta_rad: p.twotheta_rad,
            point_pixel: false,
            curved: false,
        };
        let model =
            Model::new(crystal, detector, PhiMode::Spec, p.phi_steps, p.grid.default_f).expect("a model");
        for (i, parameter) in Parameter::ALL.into_iter().take(WB_PARAMETERS as usize).enumerate() {
            let expected = model.direction(&Moves::default(), parameter).expect("a direction");
            assert!(expected.to_array().iter().any(|&x| x != 0.0), "{parameter:?}");
            let found = direction(&p, i as i32).expect("a direction");
            assert_eq!(bits(&found), bits(&expected), "{parameter:?}");
            let (one, other) = (c(found), c(directions(1)[0]));
            // SAFETY: the pointers are to locals.
            let dot = unsafe { wb_dot(&raw const one, &raw const other) };
            assert_eq!(dot.to_bits(), found.dot(&directions(1)[0]).to_bits());
        }
    }
    for bad in [-1, WB_PARAMETERS, i32::MAX, i32::MIN] {
        assert_eq!(direction(&p, bad), Err((WB_OUT_OF_RANGE, "parameter".to_owned())));
    }
    for (status, bad) in [
        (WB_OUT_OF_RANGE, wb_scene_parameters { given: 0, ..p }),
        (WB_OUT_OF_RANGE, wb_scene_parameters { lambda0_m: f64::NAN, ..p }),
        (WB_OUT_OF_RANGE, wb_scene_parameters { phi_steps: 0, ..p }),
        (WB_OUT_OF_RANGE, wb_scene_parameters { distance_m: f64::INFINITY, ..p }),
        (WB_OUT_OF_RANGE, wb_scene_parameters { convention: 9, ..p }),
        (WB_IMPOSSIBLE_CELL, wb_scene_parameters { cell_angles_rad: [0.1, 0.2, 2.0], ..p }),
        (WB_SINGULAR_MATRIX, wb_scene_parameters { given: WB_GIVEN_MATRIX, matrix: [1.0; 9], ..p }),
        (WB_SINGULAR_MATRIX, wb_scene_parameters { given: WB_GIVEN_AXES, ..p }),
        (WB_STRUCT_SIZE, wb_scene_parameters { size: 8, ..p }),
    ] {
        assert_eq!(direction(&bad, WB_BY_A).err().map(|(status, _)| status), Some(status));
    }
    let (mut out, mut error) = (c(Variables::default()), no_error());
    let (itself, start) = (&raw const p, &raw mut out);
    // SAFETY: the calls fail before they write anything; what they read was made above, is a local, or is
    // NULL.
    unsafe {
        assert_eq!(wb_direction(null(), 0, start, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_direction(itself, 0, null_mut(), &raw mut error), WB_NULL_POINTER);
        assert_eq!(wb_direction(itself, 0, start.byte_add(4), null_mut()), WB_MISALIGNED);
        assert_eq!(wb_direction(itself, 0, itself.cast_mut().cast(), null_mut()), WB_OVERLAP);
        assert_eq!(wb_direction(itself, 0, start, start.cast()), WB_OVERLAP);
        assert_eq!(wb_direction(itself, 0, start, itself.cast_mut().cast()), WB_OVERLAP);
        assert!(wb_dot(start, null()).is_nan() && wb_dot(null(), start).is_nan());
        assert!(wb_dot(start, start.byte_add(4)).is_nan());
    }
    assert_eq!(rust(out), Variables::default());
}

/// The loss of an image: the sum of squares of the pixels.
fn loss(p: &wb_scene_parameters) -> f64 {
    let made = make(p).expect("a scene");
    image(&made).iter().map(|x| x * x).sum()
}

fn image(made: &Made) -> Vec<f64> {
    let summary = made.summary();
    let mut image = vec![f64::NAN; summary.fast_pixels * summary.slow_pixels];
    let (start, len) = (image.as_mut_ptr(), image.len());
    // SAFETY: the scene was made, and `image` has `len` elements.
    let status = unsafe { wb_render_rows_f64(made.scene, 0, summary.slow_pixels, start, len, null_mut()) };
    assert_eq!(status, WB_OK);
    image
}

/// dL/dp from central differences, extrapolated from three steps.
fn differences(p: &wb_scene_parameters, step: f64, by: impl Fn(&mut wb_scene_parameters, f64)) -> f64 {
    let moved = |x: f64| {
        let mut p = *p;
        by(&mut p, x);
        loss(&p)
    };
    let plain = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
    let [coarse, half, quarter] = [step, step / 2.0, step / 4.0].map(plain);
    let [first, second] = [(4.0 * half - coarse) / 3.0, (4.0 * quarter - half) / 3.0];
    (16.0 * second - first) / 15.0
}

/// A parameter, a step, and the change of the parameters of the scene by it.
type Move = (i32, f64, fn(&mut wb_scene_parameters, f64));

/// Sets the axes a, b, c and their reciprocal axes.
fn reaxed(p: &mut wb_scene_parameters, direct: [f64; 9]) {
    let [a, b, c] =
        core::array::from_fn(|i| widebragg::vector::Vec3::from([0, 1, 2].map(|j| direct[3 * i + j])));
    let volume = a.dot(b.cross(c));
    let star = [b.cross(c), c.cross(a), a.cross(b)].map(|across| (1e-10 / volume * across).to_array());
    (p.direct_m, p.reciprocal_per_angstrom) = (direct, star.as_flattened().try_into().expect("nine"));
}

#[test]
fn dots_of_pullbacks_and_directions_are_the_differences_of_moved_scenes() {
    let f: Vec<f64> = numbers(5 * 5 * 5, 8).iter().map(|x| 20.0 + 10.0 * x).collect();
    let domains = {
        let mut domains = vec![0.0; 18];
        // SAFETY: `domains` has room for two matrices.
        let status =
            unsafe { widebragg_ffi::noise::wb_mosaic_domains(0.005, 12345678, domains.as_mut_ptr(), 2) };
        assert_eq!(status, WB_OK);
        domains
    };
    let with_tables = |p: wb_scene_parameters| {
        let mut p = wb_scene_parameters { domains: domains.as_ptr(), domain_count: 2, ..p };
        (p.grid.f, p.grid.f_len, p.grid.hkl_min, p.grid.hkl_len) = (f.as_ptr(), f.len(), [-2; 3], [5; 3]);
        p.grid.default_f = 4.0;
        p
    };
    let common: [Move; 4] = [
        (WB_BY_PHI0, 2e-4, |p, x| p.phi0_rad += x),
        (WB_BY_OSC, 2e-4, |p, x| p.phi_step_rad += x / 3.0),
        (WB_BY_WAVELENGTH, 2e-14, |p, x| p.lambda0_m += x),
        (WB_BY_FLUENCE_SCALE, 1e-3, |p, x| p.fluence_per_m2 *= 1.0 + x),
    ];
    let of_cell: [Move; 6] = [
        (WB_BY_B, 2e-3, |p, x| p.cell_angstrom[1] += x),
        (WB_BY_GAMMA, 1e-4, |p, x| p.cell_angles_rad[2] += x),
        (WB_BY_MISSET_Y, 1e-4, |p, x| p.misset_rad[1] += x),
        (WB_BY_DEFAULT_F, 1e-2, |p, x| p.grid.default_f += x),
        (WB_BY_CELLS_B, 1e-3, |p, x| p.cells[1] += x),
        (WB_BY_CELLS, 1e-3, |p, x| p.cells = p.cells.map(|n| n + x)),
    ];
    let of_detector: [Move; 3] = [
        (WB_BY_DISTANCE, 2e-6, |p, x| p.distance_m += x),
        (WB_BY_DETECTOR_ROTATION_Z, 1e-4, |p, x| p.rotation_rad[2] += x),
        (WB_BY_BEAM_CENTRE_X, 2e-6, |p, x| {
            p.given |= if p.convention == WB_XDS { WB_GIVEN_ORG_X } else { WB_GIVEN_X_BEAM };
            p.org_x_px += x / p.pixel_m;
            p.x_beam_m += x;
        }),
    ];
    let of_axes: [Move; 3] = [
        (WB_BY_A_Y, 2e-3, |p, x| {
            let mut direct = p.direct_m;
            direct[1] += 1e-10 * x;
            reaxed(p, direct);
        }),
        (WB_BY_MISSET_Z, 1e-4, |p, x| {
            let turned = [0, 3, 6].map(|i| {
                let [vx, vy, vz] = [p.direct_m[i], p.direct_m[i + 1], p.direct_m[i + 2]];
                [vx * x.cos() - vy * x.sin(), vx * x.sin() + vy * x.cos(), vz]
            });
            reaxed(p, turned.as_flattened().try_into().expect("nine"));
        }),
        (WB_BY_ORIGIN_Y, 2e-6, |p, x| {
            p.pix0_m[1] += x;
            p.close_distance_m += x * p.normal_axis[1];
        }),
    ];
    for (shape, convention) in
        [(WB_SQUARE, WB_MOSFLM), (WB_GAUSS, WB_XDS), (WB_ROUND, WB_DIALS), (WB_GAUSS, WB_PLACED)]
    {
        let mut p = with_tables(wb_scene_parameters { shape, ..plain(convention.min(WB_DIALS)) });
        if shape == WB_ROUND {
            // Round spots are so wide that the image is not smooth where the nearest reflection changes.
            (p.grid.f, p.grid.f_len) = (null(), 0);
        }
        (p.x_beam_m, p.org_x_px) = (0.011, 20.25);
        p.given |= if convention == WB_XDS { WB_GIVEN_ORG_X } else { WB_GIVEN_X_BEAM };
        let mut moves: Vec<Move> = common.to_vec();
        if convention == WB_PLACED {
            let s = make(&p).expect("a scene").summary();
            p.given = WB_GIVEN_FAST | WB_GIVEN_SLOW | WB_GIVEN_NORMAL | WB_GIVEN_BEAM | WB_GIVEN_POLARIZATION;
            p.given |= WB_GIVEN_SPINDLE | WB_GIVEN_CLOSE_DISTANCE | WB_GIVEN_AXES;
            p.convention = WB_PLACED;
            (p.fast_axis, p.slow_axis, p.normal_axis) = (s.fast_axis, s.slow_axis, s.normal_axis);
            (p.beam_axis, p.polarization_axis) = (s.beam_axis, s.polarization_axis);
            (p.spindle_axis, p.pix0_m) = (s.spindle_axis, s.pix0_m);
            (p.distance_m, p.close_distance_m) = (s.distance_m, s.close_distance_m);
            reaxed(&mut p, s.direct_m);
            moves.extend(of_axes);
            for unknown in [WB_BY_DISTANCE, WB_BY_BEAM_CENTRE_Y, WB_BY_DETECTOR_ROTATION_X] {
                assert_eq!(direction(&p, unknown), Err((WB_OUT_OF_RANGE, "parameter".to_owned())));
            }
        } else {
            // No gaussian spot lies outside the grid.
            moves.extend(of_cell.iter().filter(|m| shape != WB_GAUSS || m.0 != WB_BY_DEFAULT_F));
            moves.extend(of_detector.iter().filter(|m| convention != WB_DIALS || m.0 != WB_BY_BEAM_CENTRE_X));
        }
        let made = make(&p).expect("a scene");
        let turns = turns(&made, WB_WANT_ALL).expect("turns");
        assert!(loss(&p) > 1.0, "{shape} {convention}: no spots");
        let weights: Vec<f64> = image(&made).iter().map(|x| 2.0 * x).collect();
        let (mut sums, mut by_f) = (c(Variables::default()), vec![0.0; p.grid.f_len]);
        assert_eq!(pull(&made, &turns, 0, &weights, (&mut sums, &mut by_f), null_mut()), WB_OK);
        for (parameter, step, by) in moves {
            let along = c(direction(&p, parameter).expect("a direction"));
            // SAFETY: the pointers are to locals.
            let found = unsafe { wb_dot(&raw const sums, &raw const along) };
            // No step may cross a change of the nearest reflection, where round spots are not differentiable.
            let step = if shape == WB_ROUND { step / 100.0 } else { step };
            let expected = differences(&p, step, by);
            let error = (found - expected).abs() / expected.abs();
            assert!(error < 1e-6, "{shape} {convention} {parameter}: {found:e} {expected:e} {error:e}");
        }
        // The structure factor with the largest derivative.
        let most = by_f.iter().enumerate().max_by(|x, y| x.1.abs().total_cmp(&y.1.abs()));
        let Some((most, &found)) = most else { continue };
        let moved = |x: f64| {
            let mut f = f.clone();
            f[most] += x;
            let mut p = p;
            p.grid.f = f.as_ptr();
            loss(&p)
        };
        let expected = (moved(1e-3) - moved(-1e-3)) / 2e-3;
        assert!((found - expected).abs() < 1e-6 * expected.abs(), "{found} {expected}");
    }
}

#[test]
fn what_is_refused_writes_nothing() {
    let kernel = kernel("phi_zero_start", Mode::CParity);
    let sources = sources(&kernel);
    let p = placed(&kernel, &sources);
    let made = make(&p).expect("a scene");
    let Turns { mut memory, turns: made_turns } = turns(&made, WB_WANT_ALL).expect("turns");
    let carried = made.open(WB_STREAMS, 1);
    let carry = carried.carryover;
    let (columns, limit) = (kernel.detector.fast_pixels, kernel.detector.slow_pixels);
    let scene = made.scene.cast_const();
    let nodes = kernel.grid.as_ref().map_or(0, |grid| grid.data.len());
    assert!(nodes > 0);
    // One element more than needed, for misaligned and overlapping arrays.
    let mut weights = numbers(columns + 1, 3);
    let mut sums = vec![0.5; VARIABLES + 1];
    let mut by_f = vec![0.25; nodes + 1];
    let mut error = no_error();

    #[derive(Clone, Copy)]
    struct Pull {
        scene: *const wb_scene,
        turns: *const wb_turns,
        first: usize,
        rows: usize,
        weights: *const f64,
        len: usize,
        sums: *mut wb_variables,
        by_f: *mut f64,
        by_f_len: usize,
        carry: *mut wb_carryover,
        error: *mut wb_error,
    }
    let good = Pull {
        scene,
        turns: made_turns,
        first: 0,
        rows: 1,
        weights: weights.as_ptr(),
        len: columns,
        sums: sums.as_mut_ptr().cast(),
        by_f: by_f.as_mut_ptr(),
        by_f_len: nodes,
        carry,
        error: &raw mut error,
    };
    let call = |p: Pull| {
        // SAFETY: `p` is valid, or the call fails before it reads or writes what is not.
        unsafe {
            wb_pullback_rows(
                p.scene, p.turns, p.first, p.rows, p.weights, p.len, p.sums, p.by_f, p.by_f_len, p.carry,
                p.error,
            )
        }
    };
    let grid = p.grid.f.cast_mut();
    let turns_start: *mut f64 = memory.start().cast();
    let scene_start: *mut f64 = scene.cast_mut().cast();
    let weights_start = weights.as_mut_ptr();
    let refusals = [
        (WB_NULL_POINTER, Pull { scene: null(), ..good }),
        (WB_NULL_POINTER, Pull { turns: null(), ..good }),
        (WB_NULL_POINTER, Pull { weights: null(), ..good }),
        (WB_NULL_POINTER, Pull { sums: null_mut(), ..good }),
        (WB_NULL_POINTER, Pull { by_f: null_mut(), ..good }),
        (WB_CARRYOVER_MISSING, Pull { carry: null_mut(), ..good }),
        (WB_NOT_MADE, Pull { scene: made_turns.cast(), ..good }),
        (WB_NOT_MADE, Pull { turns: scene.cast(), ..good }),
        (WB_NOT_MADE, Pull { carry: scene.cast_mut().cast(), ..good }),
        (WB_WRONG_LENGTH, Pull { len: columns - 1, ..good }),
        (WB_WRONG_LENGTH, Pull { rows: 2, ..good }),
        (WB_WRONG_LENGTH, Pull { rows: usize::MAX, ..good }),
        (WB_WRONG_LENGTH, Pull { by_f_len: nodes - 1, ..good }),
        (WB_WRONG_LENGTH, Pull { by_f_len: 0, ..good }),
        (WB_OUTSIDE_DETECTOR, Pull { first: limit, ..good }),
        (WB_OUTSIDE_DETECTOR, Pull { first: usize::MAX, ..good }),
        (WB_MISALIGNED, Pull { weights: weights_start.wrapping_byte_add(4), ..good }),
        (WB_MISALIGNED, Pull { sums: good.sums.wrapping_byte_add(4), ..good }),
        (WB_MISALIGNED, Pull { by_f: good.by_f.wrapping_byte_add(4), ..good }),
        (WB_MISALIGNED, Pull { turns: made_turns.wrapping_byte_add(8), ..good }),
        (WB_MISALIGNED, Pull { error: good.error.wrapping_byte_add(4), ..good }),
        (WB_OVERLAP, Pull { sums: weights_start.cast(), ..good }),
        (WB_OVERLAP, Pull { sums: scene_start.cast(), ..good }),
        (WB_OVERLAP, Pull { sums: turns_start.cast(), ..good }),
        (WB_OVERLAP, Pull { sums: carry.cast(), ..good }),
        (WB_OVERLAP, Pull { sums: grid.cast(), ..good }),
        (WB_OVERLAP, Pull { sums: good.by_f.cast(), ..good }),
        (WB_OVERLAP, Pull { by_f: grid, ..good }),
        (WB_OVERLAP, Pull { by_f: turns_start, ..good }),
        (WB_OVERLAP, Pull { error: scene_start.cast(), ..good }),
        (WB_OVERLAP, Pull { error: turns_start.cast(), ..good }),
        (WB_OVERLAP, Pull { error: carry.cast(), ..good }),
        (WB_OVERLAP, Pull { error: weights_start.cast(), ..good }),
        (WB_OVERLAP, Pull { error: good.sums.cast(), ..good }),
        (WB_OVERLAP, Pull { error: good.by_f.cast(), ..good }),
    ];
    for (i, (status, bad)) in refusals.into_iter().enumerate() {
        assert_eq!(call(bad), status, "{i}");
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let kept = core::mem::replace(&mut weights[columns - 1], bad);
        assert_eq!(call(good), WB_OUT_OF_RANGE);
        assert_eq!((error.status, words(&error.quantity).as_str()), (WB_OUT_OF_RANGE, "weights"));
        weights[columns - 1] = kept;
    }
    assert_eq!(weights, numbers(columns + 1, 3));
    assert!(sums.iter().all(|&x| x == 0.5) && by_f.iter().all(|&x| x == 0.25));

    let along: Vec<_> = directions(2).into_iter().map(c).collect();
    let mut images = vec![f64::NAN; 2 * columns + 1];
    let push = |scene, turns, rows, directions: *const wb_variables, at: *mut f64, len, carry, error| {
        // SAFETY: the calls fail before they write anything; what they read was made above, is a local, or is
        // NULL.
        unsafe { wb_pushforward_rows(scene, turns, 0, rows, directions, 2, at, len, carry, error) }
    };
    let (from, out, len, none) = (along.as_ptr(), images.as_mut_ptr(), 2 * columns, null_mut());
    assert_eq!(push(null(), made_turns, 1, from, out, len, carry, none), WB_NULL_POINTER);
    assert_eq!(push(scene, null_mut(), 1, from, out, len, carry, none), WB_NULL_POINTER);
    assert_eq!(push(scene, made_turns, 1, null(), out, len, carry, none), WB_NULL_POINTER);
    assert_eq!(push(scene, made_turns, 1, from, null_mut(), len, carry, none), WB_NULL_POINTER);
    assert_eq!(push(scene, made_turns, 1, from, out, len, null_mut(), none), WB_CARRYOVER_MISSING);
    assert_eq!(push(scene, made_turns, 1, from, out, len - 1, carry, none), WB_WRONG_LENGTH);
    assert_eq!(push(scene, made_turns, 2, from, out, len, carry, none), WB_WRONG_LENGTH);
    assert_eq!(push(scene, made_turns, usize::MAX, from, out, len, carry, none), WB_WRONG_LENGTH);
    assert_eq!(push(scene, made_turns, 1, from, out.wrapping_byte_add(4), len, carry, none), WB_MISALIGNED);
    assert_eq!(push(scene, made_turns, 1, from.wrapping_byte_add(4), out, len, carry, none), WB_MISALIGNED);
    assert_eq!(push(scene, made_turns, 1, out.cast_const().cast(), out, len, carry, none), WB_OVERLAP);
    for taken in [scene_start, turns_start, carry.cast(), grid] {
        assert_eq!(push(scene, made_turns, 1, from, taken, len, carry, none), WB_OVERLAP);
    }
    for taken in [scene_start, turns_start, carry.cast(), out, from.cast_mut().cast()] {
        assert_eq!(push(scene, made_turns, 1, from, out, len, carry, taken.cast()), WB_OVERLAP);
    }
    let mut spoilt = along.clone();
    spoilt[1].close_distance_m = f64::NAN;
    assert_eq!(push(scene, made_turns, 1, spoilt.as_ptr(), out, len, carry, &raw mut error), WB_OUT_OF_RANGE);
    assert_eq!(words(&error.quantity), "directions");
    let mut turned = along.clone();
    turned[1].mosaic_axis_scale[2] = 1e-3;
    assert_eq!(push(scene, made_turns, 1, turned.as_ptr(), out, len, carry, &raw mut error), WB_OUT_OF_RANGE);
    assert_eq!(words(&error.quantity), "mosaic_axis_scale of a direction");
    assert!(images.iter().all(|x| x.is_nan()));
    let (mut wanted, at) = (99, spoilt.as_ptr());
    // SAFETY: the calls fail before they write anything; what they read was made above, is a local, or is
    // NULL.
    unsafe {
        assert_eq!(wb_wanted_along(at, 2, &raw mut wanted), WB_OUT_OF_RANGE);
        assert_eq!(wb_wanted_along(null(), 2, &raw mut wanted), WB_NULL_POINTER);
        assert_eq!(wb_wanted_along(from, 2, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_wanted_along(at, 2, at.cast_mut().cast()), WB_OVERLAP);
    }
    assert_eq!(wanted, 99);

    // After all failures, valid calls succeed.
    assert_eq!(call(good), WB_OK);
    assert_eq!(push(scene, made_turns, 1, from, out, len, carry, none), WB_OK);
}

#[test]
fn turns_are_checked_and_serve_their_crystal_alone() {
    let kernel = kernel("phi_all", Mode::Spec);
    let sources = sources(&kernel);
    let p = placed(&kernel, &sources);
    let made = make(&p).expect("a scene");
    let (mut bytes, mut made_turns) = (0, null_mut());
    // SAFETY: the scene was made, and `bytes` is a local.
    assert_eq!(unsafe { wb_turns_size(made.scene, WB_WANT_ALL, &raw mut bytes) }, WB_OK);
    let mut memory = Memory::new(bytes + 64);
    let start = memory.start();
    // SAFETY: the calls fail before they write anything; what they read was made above, is a local, or is
    // NULL.
    unsafe {
        let scene = made.scene;
        let (all, handle) = (WB_WANT_ALL, &raw mut made_turns);
        assert_eq!(wb_turns_size(null(), all, &raw mut bytes), WB_NULL_POINTER);
        assert_eq!(wb_turns_size(scene, all, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_turns_size(scene, all, scene.cast()), WB_OVERLAP);
        assert_eq!(wb_turns_make(null(), all, start, bytes, handle), WB_NULL_POINTER);
        assert_eq!(wb_turns_make(scene, all, null_mut(), bytes, handle), WB_NULL_POINTER);
        assert_eq!(wb_turns_make(scene, all, start, bytes, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_turns_make(scene, all, start.byte_add(8), bytes, handle), WB_MISALIGNED);
        assert_eq!(wb_turns_make(scene, all, start, bytes - 1, handle), WB_WRONG_LENGTH);
        assert_eq!(wb_turns_make(scene, all + 1, start, bytes, handle), WB_OUT_OF_RANGE);
        assert_eq!(wb_turns_make(scene, all, scene.cast(), bytes, handle), WB_OVERLAP);
        assert_eq!(wb_turns_make(scene, all, start, bytes, start.cast()), WB_OVERLAP);
    }
    assert!(made_turns.is_null() && memory.untouched());

    let turns = turns(&made, WB_WANT_ALL).expect("turns");
    let weights = numbers(kernel.detector.fast_pixels, 3);
    let pulled = |made: &Made| {
        let mut sums = c(Variables::default());
        let status = pull(made, &turns, 0, &weights, (&mut sums, &mut []), null_mut());
        assert!(status == WB_OK || rust(sums) == Variables::default());
        status
    };
    assert_eq!(pulled(&made), WB_OK);
    // Turns are valid for another detector with the same crystal.
    let near = wb_scene_parameters { pix0_m: p.pix0_m.map(|x| x + 1e-4), ..p };
    assert_eq!(pulled(&make(&near).expect("a scene")), WB_OK);
    let domains: Vec<f64> = kernel.domains.iter().rev().flatten().flatten().copied().collect();
    for other in [
        wb_scene_parameters { phi_step_rad: p.phi_step_rad * 1.5, ..p },
        wb_scene_parameters { phi_steps: p.phi_steps + 1, ..p },
        wb_scene_parameters { direct_m: p.direct_m.map(|x| x * 1.001), ..p },
        wb_scene_parameters { domains: domains.as_ptr(), ..p },
    ] {
        if kernel.domains.len() == 1 && other.domains == domains.as_ptr() {
            continue;
        }
        assert_eq!(pulled(&make(&other).expect("a scene")), WB_OTHER_SCENE);
    }
}

/// Domains that differ between the first and the last make other derivatives.
#[test]
fn turns_of_other_domains_are_refused() {
    let kernel = kernel("phi_all", Mode::Spec);
    let sources = sources(&kernel);
    let still = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let turned = [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let weights = numbers(kernel.detector.fast_pixels, 3);
    let [one, other] = [[still; 3], [still, turned, still]].map(|domains| {
        let p = wb_scene_parameters {
            domains: domains.as_ptr().cast(),
            domain_count: 3,
            ..placed(&kernel, &sources)
        };
        make(&p).expect("a scene")
    });
    let turns = turns(&one, WB_WANT_ALL).expect("turns");
    let mut sums = c(Variables::default());
    assert_eq!(pull(&one, &turns, 0, &weights, (&mut sums, &mut []), null_mut()), WB_OK);
    assert_eq!(pull(&other, &turns, 0, &weights, (&mut sums, &mut []), null_mut()), WB_OTHER_SCENE);
}

#[test]
fn turns_are_valid_only_where_they_were_made() {
    let kernel = kernel("phi_all", Mode::Spec);
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    let turns = turns(&made, WB_WANT_ALL).expect("turns");
    let weights = numbers(kernel.detector.fast_pixels, 3);
    let mut memory = turns.memory.clone();
    let copy = Turns { turns: memory.start().cast(), memory };
    let mut sums = c(Variables::default());
    assert_eq!(pull(&made, &copy, 0, &weights, (&mut sums, &mut []), null_mut()), WB_MOVED);
    assert!(rust(sums) == Variables::default());
    assert_eq!(push(&made, &copy, 0..1, &[c(directions(1)[0])], null_mut()), Err(WB_MOVED));
    assert_eq!(pull(&made, &turns, 0, &weights, (&mut sums, &mut []), null_mut()), WB_OK);
}

#[test]
fn a_latch_missing_is_an_error_here_too() {
    let kernel = kernel("interpolate_latch", Mode::CParity);
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    let turns = turns(&made, WB_WANT_CELL).expect("turns");
    let carried = made.open(WB_STREAMS, 1);
    let (weights, mut sums) = (numbers(kernel.detector.fast_pixels, 3), c(Variables::default()));
    let mut pulled = || pull(&made, &turns, 0, &weights, (&mut sums, &mut []), carried.carryover);
    assert_eq!(pulled(), WB_LATCH_MISSING);
    assert_eq!(push(&made, &turns, 0..1, &[c(directions(1)[0])], carried.carryover), Err(WB_LATCH_MISSING));
    made.latch(carried.carryover);
    assert_eq!(pulled(), WB_OK);
}
