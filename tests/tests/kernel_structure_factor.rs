//! The kernel's structure factors: the scalar cubic interpolation, and the vectorised lookup in a scene.
//!
//! The tests reach the lookup through a detector of one pixel whose scattering vector is a power of two along
//! x and y, so that they can ask for any h, k, l exactly, and through rows of pixels whose lanes use
//! different blocks.

use core::array;
use proptest::prelude::*;
use widebragg::Error;
use widebragg::beam::Source;
use widebragg::carryover::Carryover;
use widebragg::detector::{Detector, NormalUse};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Crystallite, SpotModel};
use widebragg::panel::Panel;
use widebragg::render::{Oversample, Roi, Sensor};
use widebragg::rotation::{IDENTITY, Orientation, PhiMode, PhiShift, PhiSweep};
use widebragg::structure_factor::{HklGrid, LatchPoint, tricubic};
use widebragg::vector::Vec3;
use widebragg_experiment::factor_grid::GridNumbers;
use widebragg_tests::compare::relative;
use widebragg_tests::golden::table;
use widebragg_tests::scene::{KernelScene, OwnedGrid};

/// The components of the scattering vector, 2^33 1/m.
const Q: f64 = 8_589_934_592.0;

/// A scene with one pixel at exactly (0, 1/8 m, 0), the beam along x, and a single unit cell.
fn one_pixel(simd: Simd, grid: OwnedGrid, interpolate: bool) -> KernelScene {
    let (x, y, z) = (Vec3::new(1.0, 0.0, 0.0), Vec3::new(0.0, 1.0, 0.0), Vec3::new(0.0, 0.0, 1.0));
    let pixel_m = 1.0 / 1024.0;
    let detector = Detector {
        pixel_m,
        fast_pixels: 1,
        slow_pixels: 1,
        slow_size_m: pixel_m,
        pix0_m: Vec3::new(-pixel_m / 2.0, 0.125, -pixel_m / 2.0),
        fast: x,
        slow: z,
        normal: y,
        beam: x,
        polarization: z,
        vertical: y,
        spindle: z,
        twotheta_axis: z,
        distance_m: 0.125,
        close_distance_m: 0.125,
        x_beam_m: 0.0,
        y_beam_m: 0.0,
        fast_beam_m: 0.0,
        slow_beam_m: 0.0,
        fast_close_m: 0.0,
        slow_close_m: 0.0,
        normal_use: NormalUse::AsGiven,
        point_pixel: false,
        curved: false,
    };
    KernelScene {
        shift: PhiShift::default(),
        simd,
        detector,
        sensor: Sensor::THIN,
        oversample: Oversample::NONE,
        sources: vec![Source { incident: x, lambda_m: 1.0 / Q }],
        source_weights: None,
        cell: Orientation::default(),
        sweep: PhiSweep { phi0_rad: 0.0, step_rad: 0.0, count: 1, spindle: z, mode: PhiMode::Spec },
        domains: vec![IDENTITY],
        crystallite: Crystallite {
            shape: CrystalShape::Square,
            cells: [1.0; 3],
            fudge: 1.0,
            reciprocal_per_angstrom: [x, y, z],
            spots: SpotModel::default(),
        },
        grid: Some(grid),
        default_f: 7.5,
        interpolate,
        polarization: None,
        d_min_m: 0.0,
        fluence_per_m2: 1.0,
        water_m: 0.0,
        roi: Roi::whole(&Panel::new(&detector, Sensor::THIN)),
        mask: None,
    }
}

/// F_cell at exactly (h, k, l).
fn f_cell(scene: &mut KernelScene, [h, k, l]: [f64; 3]) -> f64 {
    scene.cell = Orientation {
        a_m: Vec3::new(-h / Q, 0.0, 0.0),
        b_m: Vec3::new(0.0, k / Q, 0.0),
        c_m: Vec3::new(0.0, l / Q, 0.0),
    };
    let mut found = f64::NAN;
    let probed = scene.with(1, |scene, _| {
        scene.probe_pixel(0, 0, &Carryover::Off, &mut |step| {
            assert_eq!(step.hkl, [h, k, l]);
            found = step.f_cell;
        })
    });
    assert!(matches!(probed, Ok(Ok(_))), "{probed:?}");
    found
}

/// A grid with h in -5..=6, k in -4..=4, l in 0..=7 and the values of `value`.
fn grid(value: impl Fn(f64, f64, f64) -> f64) -> OwnedGrid {
    let (min, len) = ([-5, -4, 0], [12, 9, 8]);
    let axis = |i: usize| (0..len[i]).map(move |n| f64::from(min[i] + n as i32));
    let data = axis(0).flat_map(|h| {
        let value = &value;
        axis(1).flat_map(move |k| axis(2).map(move |l| value(h, k, l)))
    });
    OwnedGrid { min, len, data: data.collect(), numbers: GridNumbers::F64, of_source: None }
}

/// A different value at every node.
fn numbered(h: f64, k: f64, l: f64) -> f64 {
    1000.0 + 100.0 * h + 10.0 * k + l
}

#[test]
fn scalar_interpolation_matches_the_reference() {
    for row in table("polin3.csv").expect("polin3.csv") {
        let mut block = [[[0.0; 4]; 4]; 4];
        for (value, cell) in row[3..67].iter().zip(block.as_flattened_mut().as_flattened_mut()) {
            *cell = *value;
        }
        let value = tricubic(row[0], row[1], row[2], &block);
        let floor = row[3..67].iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        assert!(relative(value, row[67], floor) <= 1e-14, "{value} {row:?}");
    }
}

#[test]
fn nearest_rounds_halves_down() {
    for simd in Simd::available() {
        let mut scene = one_pixel(simd, grid(numbered), false);
        for (hkl, node) in [
            ([0.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
            ([0.5, 1.5, 2.5], [0.0, 1.0, 2.0]),
            ([-0.5, -1.5, 0.5], [-1.0, -2.0, 0.0]),
            ([-2.5, -3.5, 6.5], [-3.0, -4.0, 6.0]),
            ([0.5_f64.next_up(), -0.5_f64.next_down(), 3.0], [1.0, -1.0, 3.0]),
            ([-0.5 + 1e-15, 0.5_f64.next_down(), 3.0], [0.0, 0.0, 3.0]),
            ([6.5, 4.5, 7.5], [6.0, 4.0, 7.0]),
            ([-5.5_f64.next_down(), -4.0, 0.0], [-5.0, -4.0, 0.0]),
            ([2.75, -1.25, 4.625], [3.0, -1.0, 5.0]),
        ] {
            let [h, k, l] = node;
            assert_eq!(f_cell(&mut scene, hkl), numbered(h, k, l), "{} {hkl:?}", simd.level());
        }
    }
}

#[test]
fn outside_the_grid_f_is_default_f() {
    for simd in Simd::available() {
        for interpolate in [false, true] {
            let mut scene = one_pixel(simd, grid(numbered), interpolate);
            for hkl in [
                [-5.5, 0.0, 3.0],
                [6.5_f64.next_up(), 0.0, 3.0],
                [0.0, -4.5, 3.0],
                [0.0, 5.0, 3.0],
                [0.0, 0.0, -0.5],
                [0.0, 0.0, 8.0],
                [1e6, -1e6, 1e6],
                [-9.0, -9.0, -9.0],
            ] {
                assert_eq!(f_cell(&mut scene, hkl), 7.5, "{} {hkl:?}", simd.level());
            }
        }
    }
}

/// Interpolation needs h - 2 >= h_min and h - h_min + 3 <= number of nodes. Outside, the nearest node is
/// used.
#[test]
fn outside_the_border_the_nearest_node_is_used() {
    // Sums of cubes, for which the nearest value differs from the interpolated one between nodes.
    let cubes = |h: f64, k: f64, l: f64| h * h * h + k * k * k + l * l * l;
    for simd in Simd::available() {
        let mut scene = one_pixel(simd, grid(cubes), true);
        for (hkl, interpolated) in [
            ([-3.0, 0.5, 3.5], true),
            ([-3.0 - 1e-9, 0.5, 3.5], false),
            ([4.0, 0.5, 3.5], true),
            ([4.0 + 1e-9, 0.5, 3.5], false),
            ([0.5, -2.0, 3.5], true),
            ([0.5, -2.125, 3.5], false),
            ([0.5, 2.0, 3.5], true),
            ([0.5, 2.125, 3.5], false),
            ([0.5, 0.5, 2.0], true),
            ([0.5, 0.5, 1.875], false),
            ([0.5, 0.5, 5.0], true),
            ([0.5, 0.5, 5.125], false),
        ] {
            let [h, k, l] = hkl;
            let near = hkl.map(|x: f64| (x - 0.5).ceil());
            let expected = if interpolated { cubes(h, k, l) } else { cubes(near[0], near[1], near[2]) };
            let value = f_cell(&mut scene, hkl);
            assert!((value - expected).abs() <= 1e-7, "{} {hkl:?}: {value}, {expected}", simd.level());
        }
    }
}

/// sin(4 pi/4) is not exactly 0 in floating point. The reference looks F up there, and therefore latches
/// where it cannot interpolate.
#[test]
fn f_is_looked_up_at_zeros_of_the_interference_function() {
    for simd in Simd::available() {
        let mut scene = one_pixel(simd, grid(numbered), true);
        scene.crystallite.cells = [4.0, 1.0, 1.0];
        scene.cell = Orientation {
            a_m: Vec3::new(-0.25 / Q, 0.0, 0.0),
            b_m: Vec3::new(0.0, -4.0 / Q, 0.0),
            c_m: Vec3::new(0.0, 3.0 / Q, 0.0),
        };
        let mut pixel = [f64::NAN];
        let found = scene.with(1, |scene, _| {
            let latch = scene.find_latch(0..1, &Carryover::Off)?;
            Ok::<_, Error>((latch, scene.render_rows(0..1, &mut pixel, &mut Carryover::Off)?))
        });
        let (latch, report) = found.and_then(|found| found).expect("a scene");
        assert_eq!(latch, Some(LatchPoint { slow: 0, fast: 0, evaluation: 0 }), "{}", simd.level());
        assert_eq!((pixel, report.fallbacks), ([0.0], 1), "{}", simd.level());
    }
}

#[test]
fn interpolation_is_exact_at_nodes() {
    for simd in Simd::available() {
        // Values that no polynomial fits.
        let mut scene = one_pixel(simd, grid(|h, k, l| (h * 12.9898 + k * 78.233 + l * 37.719).sin()), true);
        for h in -3..=4 {
            for k in -2..=2 {
                for l in 2..=5 {
                    let hkl = [h, k, l].map(f64::from);
                    let [h, k, l] = hkl;
                    let node = (h * 12.9898 + k * 78.233 + l * 37.719).sin();
                    assert_eq!(f_cell(&mut scene, hkl), node, "{} {hkl:?}", simd.level());
                }
            }
        }
    }
}

/// Rows whose lanes use different nodes and blocks have the same bits as single pixels, whose lanes all use
/// the same.
#[test]
fn lanes_with_different_blocks_equal_single_pixels() {
    for simd in Simd::available() {
        for interpolate in [false, true] {
            let mut scene =
                one_pixel(simd, grid(|h, k, l| 50.0 + (h + 2.0 * k + 3.0 * l).sin()), interpolate);
            let columns = 3 * 8 + 1;
            scene.detector.fast_pixels = columns;
            scene.detector.pixel_m = 1.0 / 128.0;
            scene.detector.pix0_m = Vec3::new(-0.1, 0.125, -1.0 / 256.0);
            scene.roi = Roi::whole(&scene.panel());
            scene.cell = Orientation {
                a_m: Vec3::new(-6.0 / Q, 0.0, 0.0),
                b_m: Vec3::new(0.0, 3.5 / Q, 0.0),
                c_m: Vec3::new(-2.0 / Q, 3.0 / Q, 0.0),
            };
            let row: Vec<f64> = scene.render(1).expect("a row");
            let mut seen = Vec::new();
            scene
                .with(1, |scene, _| {
                    for (fast, &pixel) in row.iter().enumerate() {
                        let probed = scene
                            .probe_pixel(0, fast, &Carryover::Off, &mut |step| seen.push(step.hkl_rounded));
                        assert_eq!(probed.map(|probe| probe.value), Ok(pixel), "{} {fast}", simd.level());
                    }
                })
                .expect("a scene");
            seen.dedup();
            assert!(seen.len() > 5, "{seen:?}");
        }
    }
}

#[test]
fn impossible_grids_are_refused() {
    let data = [1.0; 24];
    assert!(HklGrid::new([0, 0, 0], [2, 3, 4], &data).is_ok());
    let short = HklGrid::new([0, 0, 0], [2, 3, 5], &data);
    assert_eq!(short, Err(Error::BufferTooShort { buffer: "structure factor grid", needed: 30, given: 24 }));
    assert!(matches!(HklGrid::new([0; 3], [0, 3, 4], &data), Err(Error::OutOfRange { .. })));
    assert!(matches!(HklGrid::new([0; 3], [usize::MAX, 2, 2], &data), Err(Error::TooLarge { .. })));
    assert!(matches!(HklGrid::new([0; 3], [1 << 30, 1 << 30, 1 << 30], &data), Err(Error::TooLarge { .. })));
    assert!(matches!(HklGrid::new([i32::MAX, 0, 0], [2, 3, 4], &data), Err(Error::TooLarge { .. })));
    assert!(HklGrid::new([i32::MAX, i32::MIN, 0], [1, 3, 4], &data).is_ok());
    for bad in [f64::NAN, f64::INFINITY] {
        let mut data = data;
        data[23] = bad;
        assert!(matches!(HklGrid::new([0; 3], [2, 3, 4], &data), Err(Error::OutOfRange { .. })));
        assert!(HklGrid::new([0; 3], [2, 3, 3], &data).is_ok(), "values beyond the grid are ignored");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn interpolation_reproduces_cubics(
        at in prop::array::uniform3(0.0..1.0_f64),
        c in prop::array::uniform4(-3.0..3.0_f64),
    ) {
        let cubic = |x: f64| c[0] + x * (c[1] + x * (c[2] + x * c[3]));
        let value = |h: f64, k: f64, l: f64| cubic(h) + 0.5 * cubic(k) * cubic(l);
        let hkl = [7.0 * at[0] - 3.0, 4.0 * at[1] - 2.0, 2.0 + 3.0 * at[2]];
        let nodes = grid(value);
        let max = nodes.data.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let exact = value(hkl[0], hkl[1], hkl[2]);
        for simd in Simd::available() {
            let ours = f_cell(&mut one_pixel(simd, nodes.clone(), true), hkl);
            prop_assert!((ours - exact).abs() <= 1e-13 * max, "{} {} {}", simd.level(), ours, exact);
        }
        let node = |axis: usize, i: usize| hkl[axis].floor() - 1.0 + i as f64;
        let block = array::from_fn(|i| {
            array::from_fn(|j| array::from_fn(|m| value(node(0, i), node(1, j), node(2, m))))
        });
        prop_assert!((tricubic(hkl[0], hkl[1], hkl[2], &block) - exact).abs() <= 1e-13 * max);
    }
}
