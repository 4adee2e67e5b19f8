//! Derivatives of pixels compared with finite differences of the rendered image, for every variable of random
//! scenes.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use proptest::prelude::*;
use small::small;
use widebragg::Error;
use widebragg::beam::{Polarization, PolarizedAt};
use widebragg::carryover::Carryover;
use widebragg::gradient::{
    Motion, MotionFrame, OrientationDerivativeBuffers, OrientationDerivatives, RigidMotion, Sums, VARIABLES,
    Variables, Wanted, fill_orientation_derivatives, rotation_vector, scaled_rotation,
};
use widebragg::lanes::Simd;
use widebragg::lattice::{CellCoupling, CrystalShape, Crystallite, SpotMetric, SpotModel};
use widebragg::render::Scene;
use widebragg::rotation::{IDENTITY, Orientation, rotate_xyz};
use widebragg::vector::Vec3;
use widebragg_experiment::gradient::differences::{Difference, differences};
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::{KernelScene, first_step, spreads, spreads_moved, with_turns};

/// Largest allowed difference from finite differences, as a fraction of the largest derivative in the image.
const LIMIT: f64 = 1e-6;

fn unit(variable: usize) -> Variables {
    let mut array = [0.0; VARIABLES];
    array[variable] = 1.0;
    Variables::from_array(&array)
}

/// The scene with one variable changed.
fn moved(scene: &KernelScene, variable: usize, by: f64) -> KernelScene {
    let mut moved = scene.clone();
    let along = |v: &mut Vec3, axis: usize| *[&mut v.x, &mut v.y, &mut v.z][axis] += by;
    let KernelScene { cell, crystallite, detector: d, .. } = &mut moved;
    let Crystallite { reciprocal_per_angstrom: [a, b, c], .. } = crystallite;
    let vectors = [
        &mut cell.a_m,
        &mut cell.b_m,
        &mut cell.c_m,
        a,
        b,
        c,
        &mut d.pix0_m,
        &mut d.fast,
        &mut d.slow,
        &mut d.normal,
    ];
    if variable < 30 {
        for (i, v) in vectors.into_iter().enumerate() {
            if i == variable / 3 {
                along(v, variable % 3);
            }
        }
        return moved;
    }
    match variable {
        30 => d.close_distance_m += by,
        31 => d.distance_m += by,
        32 => moved.shift.phi0_rad += by,
        33 => moved.shift.step_rad += by,
        34 => moved
            .domains
            .iter_mut()
            .filter(|u| **u != IDENTITY)
            .for_each(|u| *u = scaled_rotation(u, 1.0 + by)),
        35 => moved.sources.iter_mut().for_each(|source| source.lambda_m *= 1.0 + by),
        36 => moved.fluence_per_m2 *= 1.0 + by,
        37 => moved.default_f += by,
        38 => moved.sources.iter_mut().for_each(|source| source.lambda_m += by),
        39..42 => crystallite.cells[variable - 39] += by,
        42..45 => {
            let CellCoupling { ab, ac, bc } = &mut crystallite.spots.coupling;
            *[ab, ac, bc][variable - 42] += by;
        }
        _ => {
            let mut factors = [1.0; 3];
            factors[variable - 45] += by;
            let (before, after) = (spreads(cell), spreads_moved(cell, factors));
            for u in &mut moved.domains {
                if let Some(axis) = rotation_vector(u).try_normalize() {
                    *u = scaled_rotation(u, after.about(axis) / before.about(axis));
                }
            }
        }
    }
    moved
}

/// Whether a scene can be moved by a variable in both directions: a crystal has at least one cell along an axis, and only
/// spots of index metric have an N matrix.
fn can_move(scene: &KernelScene, variable: usize) -> bool {
    let crystallite = &scene.crystallite;
    match variable {
        39..42 => crystallite.cells[variable - 39] > 1.0,
        42..45 => crystallite.shape == CrystalShape::Gauss && crystallite.spots.metric == SpotMetric::Index,
        _ => true,
    }
}

fn image(scene: &KernelScene, threads: usize) -> Vec<f64> {
    scene.render(threads).expect("an image")
}

/// Derivatives estimated by finite differences, pixel by pixel.
fn found(scene: &KernelScene, threads: usize, variable: usize, first_step: f64) -> Vec<Difference> {
    let evaluate = |by| Ok::<_, core::convert::Infallible>(image(&moved(scene, variable, by), threads));
    let Ok(found) = differences(first_step, evaluate);
    found
}

/// Calls `job` with the scene and the derivatives of its orientations.
fn differentiated<R>(
    scene: &KernelScene,
    threads: usize,
    job: impl FnOnce(&Scene<'_>, &OrientationDerivatives<'_>, &Carryover<'_>) -> R,
) -> R {
    let lent = scene.with(threads, |scene, slots| {
        with_turns(scene, 3, |turns| job(scene, turns, &Carryover::Streams(slots)))
    });
    lent.expect("a scene")
}

/// An image of the derivatives with respect to each variable.
fn pushed(scene: &KernelScene, threads: usize) -> Vec<Vec<f64>> {
    let directions: Vec<Variables> = (0..VARIABLES).map(unit).collect();
    let (pixels, rows) = (scene.detector.pixels(), 0..scene.detector.slow_pixels);
    let mut images = vec![0.0; pixels * VARIABLES];
    differentiated(scene, threads, |scene, turns, carry| {
        scene.pushforward_rows(turns, rows, &directions, carry, &mut images).expect("derivatives");
    });
    images.chunks_exact(pixels).map(<[f64]>::to_vec).collect()
}

/// The result of comparing derivatives with finite differences.
#[derive(Debug, Default)]
struct Tally {
    right: u64,
    /// The finite difference is not accurate enough to decide.
    undecided: u64,
    wrong: Vec<String>,
}

/// Relative change of slope between both sides that makes a kink. Over steps so short, that of a smooth image is
/// smaller.
const KINK: f64 = 1e-3;

/// Whether each pixel has a kink at this scene, where no derivative exists: an index is half-way between two nodes, or
/// at a node of the interpolation. The slopes of both sides are taken over less than the shortest step of [`found`].
fn kinks(scene: &KernelScene, threads: usize, variable: usize, first_step: f64) -> Vec<bool> {
    let step = first_step / 100.0;
    let [below, here, above] = [-step, 0.0, step].map(|by| image(&moved(scene, variable, by), threads));
    let rounding = 1e-11 * here.iter().fold(0.0_f64, |most, pixel| most.max(pixel.abs())) / step;
    let sides = below.iter().zip(&here).zip(&above);
    let slopes = sides.map(|((below, here), above)| ((here - below) / step, (above - here) / step));
    slopes.map(|(left, right)| (right - left).abs() > KINK * (left.abs() + right.abs()) + rounding).collect()
}

/// Compares all derivatives of the pixels of a random scene.
fn check(seed: u64, tally: &mut Tally) {
    check_changed(seed, |_| {}, tally);
}

/// [`check`] of a scene that is changed first.
fn check_changed(seed: u64, change: impl Fn(&mut KernelScene), tally: &mut Tally) {
    let scene = small(seed);
    for mode in [Mode::CParity, Mode::Spec] {
        let mut kernel = KernelScene::from_simulation(&scene.simulation, Simd::detect(), mode);
        if mode == Mode::Spec {
            // Water of this thickness is 1e5 times as bright as in c-parity: finite differences would find the
            // derivatives of all else below its rounding.
            kernel.water_m /= 50.0;
        }
        change(&mut kernel);
        for (variable, slopes) in pushed(&kernel, scene.threads).iter().enumerate() {
            if !can_move(&kernel, variable) {
                continue;
            }
            let limit = LIMIT * slopes.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
            let agrees = |(slope, difference): (&f64, &Difference)| (slope - difference.value).abs() <= limit;
            let mut step = first_step(&kernel, variable);
            let mut differences = found(&kernel, scene.threads, variable, step);
            // The image jumps where an index is half-way between two nodes. A step across such a jump is too
            // long, so shorter ones are tried, for these pixels alone: elsewhere they may be below the rounding.
            let wrong = |pair: (&f64, &Difference)| !agrees(pair) && pair.1.error <= limit;
            for _ in 0..2 {
                if slopes.iter().zip(&differences).any(wrong) {
                    step /= 50.0;
                    let shorter = found(&kernel, scene.threads, variable, step);
                    for ((slope, difference), shorter) in slopes.iter().zip(&mut differences).zip(shorter) {
                        if wrong((slope, difference)) {
                            *difference = shorter;
                        }
                    }
                }
            }
            let mut kinks_here = None;
            let mut has_kink =
                |i: usize| kinks_here.get_or_insert_with(|| kinks(&kernel, scene.threads, variable, step))[i];
            for (i, pair) in slopes.iter().zip(&differences).enumerate() {
                if agrees(pair) {
                    tally.right += 1;
                } else if pair.1.error > limit || has_kink(i) {
                    tally.undecided += 1;
                } else {
                    let (slope, difference) = pair;
                    tally.wrong.push(format!(
                        "{seed} {mode:?} variable {variable} pixel {i}: {slope:e}, {difference:?}, limit {limit:e}\n{}",
                        scene.line
                    ));
                }
            }
        }
    }
}

/// `WIDEBRAGG_GRADIENT_SCENES` sets the number of scenes and `WIDEBRAGG_FIRST_SCENE` the first. 3000 scenes
/// have 4.5 million derivatives, all of them right except the 0.9 % that finite differences cannot decide.
#[test]
fn derivatives_by_every_variable_match_finite_differences() {
    let number = |name, default| std::env::var(name).map_or(default, |n| n.parse().expect("a number"));
    let (scenes, first) = (number("WIDEBRAGG_GRADIENT_SCENES", 60), number("WIDEBRAGG_FIRST_SCENE", 0));
    let mut tally = Tally::default();
    (first..first + scenes).for_each(|seed| check(seed, &mut tally));
    let Tally { right, undecided, wrong } = tally;
    println!("{right} derivatives match, {undecided} are undecided");
    wrong.iter().take(20).for_each(|wrong| println!("{wrong}"));
    assert!(wrong.is_empty(), "{} derivatives are wrong", wrong.len());
    assert!(undecided * 50 <= right, "{undecided} of {right}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn derivatives_of_any_scene_match_finite_differences(seed in 1_000_000_u64..) {
        let mut tally = Tally::default();
        check(seed, &mut tally);
        prop_assert!(tally.wrong.is_empty(), "{}", tally.wrong[0]);
    }
}

/// Gaussian spots of index metric, with an N matrix.
fn give_n_matrix(scene: &mut KernelScene) {
    scene.crystallite.shape = CrystalShape::Gauss;
    scene.crystallite.cells = [2.5, 3.25, 2.0];
    scene.crystallite.spots = SpotModel {
        metric: SpotMetric::Index,
        coupling: CellCoupling { ab: 0.4, ac: -0.7, bc: 0.5 },
        ..SpotModel::default()
    };
}

/// Fractions of cells. At most nodes the factor of a square crystal has a pole, about which the steps of differences are
/// never short enough: more pixels stay undecided.
fn give_fractions(scene: &mut KernelScene) {
    scene.crystallite.shape = CrystalShape::Square;
    scene.crystallite.cells = [2.5, 3.25, 1.0];
}

/// The polarisation factor of another contribution than the first.
fn polarize(scene: &mut KernelScene, at: PolarizedAt) {
    scene.oversample.polar = false;
    scene.polarization = Some(Polarization { kahn: 0.8, axis: scene.detector.polarization, at });
}

#[test]
fn derivatives_with_other_polarisations_match_finite_differences() {
    for at in [PolarizedAt::Last, PolarizedAt::Centre] {
        let mut tally = Tally::default();
        (0..40).for_each(|seed| check_changed(seed, |scene| polarize(scene, at), &mut tally));
        let Tally { right, undecided, wrong } = tally;
        wrong.iter().take(20).for_each(|wrong| println!("{wrong}"));
        assert!(wrong.is_empty(), "{} derivatives are wrong", wrong.len());
        assert!(undecided * 50 <= right, "{undecided} of {right}");
    }
}

/// Several cells along every axis, so that all derivatives by cells can be compared.
fn give_cells(scene: &mut KernelScene) {
    scene.crystallite.cells = [3.0, 2.0, 4.0];
}

#[test]
fn derivatives_of_other_crystals_match_finite_differences() {
    for change in [give_n_matrix, give_fractions, give_cells] {
        let mut tally = Tally::default();
        (0..30).for_each(|seed| check_changed(seed, change, &mut tally));
        let Tally { right, undecided, wrong } = tally;
        println!("{right} derivatives match, {undecided} are undecided");
        wrong.iter().take(20).for_each(|wrong| println!("{wrong}"));
        assert!(wrong.is_empty(), "{} derivatives are wrong", wrong.len());
        assert!(undecided * 10 <= right, "{undecided} of {right}");
    }
}

/// Pixel 8 of this scene is 1e-20 m from the direct beam, where the angle of polarisation has no limit but the
/// polarisation factor has.
#[test]
fn a_pixel_in_the_direct_beam_has_the_slope_of_its_neighbourhood() {
    let mut tally = Tally::default();
    check(10_000_773, &mut tally);
    assert!(tally.wrong.is_empty(), "{}", tally.wrong[0]);
}

/// Weights that differ from pixel to pixel.
fn weights(pixels: usize) -> Vec<f64> {
    (0..pixels).map(|i| 1.0 - 0.3 * (i % 5) as f64).collect()
}

/// The pullback over a scene's rows, in one call or in one call a row, and the derivatives with respect to
/// the grid.
fn pulled(scene: &KernelScene, threads: usize, by_rows: bool) -> (Variables, Vec<f64>) {
    let rows = scene.detector.slow_pixels;
    let weights = weights(scene.detector.pixels());
    let mut by_f = vec![0.0; scene.grid.as_ref().map_or(0, |grid| grid.data.len())];
    let mut sums = Sums { wanted: Wanted::ALL, structure_factors: Some(&mut by_f), ..Sums::default() };
    differentiated(scene, threads, |scene, turns, carry| {
        if !by_rows {
            return scene.pullback_rows(turns, 0..rows, &weights, carry, &mut sums);
        }
        let columns = scene.panel().fast_pixels;
        (0..rows).try_for_each(|row| {
            scene.pullback_rows(turns, row..row + 1, &weights[row * columns..], carry, &mut sums)
        })
    })
    .expect("derivatives");
    (sums.variables, by_f)
}

#[test]
fn pullback_is_the_transpose_of_pushforward_and_levels_agree() {
    for seed in 0..120 {
        let scene = small(seed);
        for mode in [Mode::CParity, Mode::Spec] {
            let mut largest: Vec<f64> = Vec::new();
            for simd in Simd::available() {
                let kernel = KernelScene::from_simulation(&scene.simulation, simd, mode);
                let (pulled, _) = pulled(&kernel, scene.threads, false);
                let pushed = pushed(&kernel, scene.threads);
                let weights = weights(kernel.detector.pixels());
                let bright: f64 =
                    image(&kernel, scene.threads).iter().zip(&weights).map(|(p, w)| (p * w).abs()).sum();
                for (variable, (sum, slopes)) in pulled.to_array().into_iter().zip(&pushed).enumerate() {
                    let terms = || slopes.iter().zip(&weights).map(|(slope, weight)| slope * weight);
                    let (expected, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                    let at = format!("{seed} {mode:?} {} variable {variable}", simd.level());
                    assert!((sum - expected).abs() <= 1e-11 * size, "{at}: {sum:e}, {expected:e}");
                    match largest.get(variable) {
                        None => largest.push(expected),
                        Some(other) => {
                            let apart = (expected - other).abs();
                            // The rounding error of the image, divided by a typical step of the variable.
                            let rounding = 1e-12 * bright / first_step(&kernel, variable);
                            assert!(
                                apart <= 1e-9 * size + rounding,
                                "{at}: {expected:e}, {other:e}, {size:e}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn rows_have_the_same_bits_alone_and_together() {
    for seed in 0..60 {
        let scene = small(seed);
        let kernel = KernelScene::from_simulation(&scene.simulation, Simd::detect(), Mode::CParity);
        assert_eq!(pulled(&kernel, scene.threads, true), pulled(&kernel, scene.threads, false), "{seed}");
    }
}

/// The terms are quadratic in F. Their derivatives times F therefore add up to twice the sum (Euler), and
/// central differences by a single F are exact.
#[test]
fn derivatives_by_structure_factors_are_exact() {
    let mut lit = 0;
    for seed in 0..300 {
        let scene = small(seed);
        for mode in [Mode::CParity, Mode::Spec] {
            let kernel = KernelScene::from_simulation(&scene.simulation, Simd::detect(), mode);
            let Some(grid) = &kernel.grid else { continue };
            let weights = weights(kernel.detector.pixels());
            let loss = |scene_now: &KernelScene| -> f64 {
                image(scene_now, scene.threads)
                    .iter()
                    .zip(&weights)
                    .map(|(pixel, weight)| pixel * weight)
                    .sum()
            };
            let size: f64 =
                image(&kernel, scene.threads).iter().zip(&weights).map(|(p, w)| (p * w).abs()).sum();
            let with = |change: &dyn Fn(&mut [f64]), default_f: f64| {
                let mut changed = KernelScene { default_f, ..kernel.clone() };
                change(&mut changed.grid.as_mut().expect("a grid").data);
                loss(&changed)
            };
            let dark = with(&|grid| grid.fill(0.0), 0.0);
            let (variables, by_f) = pulled(&kernel, scene.threads, false);
            let euler: f64 = by_f.iter().zip(&grid.data).map(|(slope, f)| slope * f).sum();
            let euler = euler + variables.default_f * kernel.default_f;
            let twice = 2.0 * (loss(&kernel) - dark);
            assert!(
                (euler - twice).abs() <= 1e-9 * size,
                "{seed} {mode:?}: {euler:e}, {twice:e}\n{}",
                scene.line
            );
            let strongest =
                by_f.iter().map(|slope| slope.abs()).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((node, slope)) = strongest.filter(|(_, slope)| *slope > 0.0) else { continue };
            lit += 1;
            let at = |by: f64| with(&|grid| grid[node] += by, kernel.default_f);
            let difference = (at(1.0) - at(-1.0)) / 2.0;
            assert!((by_f[node] - difference).abs() <= 1e-9 * (slope + size), "{seed} {mode:?} node {node}");
        }
    }
    assert!(lit > 100, "only {lit} scenes with a pixel above 0");
}

#[test]
fn short_buffers_are_refused_and_nothing_is_written() {
    let scene = small(3);
    let kernel = KernelScene::from_simulation(&scene.simulation, Simd::detect(), Mode::Spec);
    let (pixels, rows) = (kernel.detector.pixels(), 0..kernel.detector.slow_pixels);
    differentiated(&kernel, 1, |scene, turns, carry| {
        let mut sums = Sums { wanted: Wanted::ALL, ..Sums::default() };
        let short = scene.pullback_rows(turns, rows.clone(), &vec![1.0; pixels - 1], carry, &mut sums);
        let refused = |buffer, needed, given| Err(Error::BufferTooShort { buffer, needed, given });
        assert_eq!(short, refused("weights", pixels, pixels - 1));
        assert_eq!(sums.variables, Variables::default());
        let mut images = vec![7.0; 2 * pixels - 1];
        let directions = [unit(0), unit(1)];
        let short = scene.pushforward_rows(turns, rows.clone(), &directions, carry, &mut images);
        assert_eq!(short, refused("images of derivatives", 2 * pixels, 2 * pixels - 1));
        assert!(images.iter().all(|&pixel| pixel == 7.0));
        let beyond = scene.pushforward_rows(turns, 0..rows.end + 1, &directions, carry, &mut images);
        assert_eq!(beyond, Err(Error::OutsideDetector { index: rows.end, limit: rows.end }));
    });
    kernel
        .with(1, |scene, _| {
            let mut rotations = vec![IDENTITY; scene.orientations().entries().len()];
            let mut short = vec![Orientation::default(); rotations.len() + 1];
            rotations.pop();
            let buffers = OrientationDerivativeBuffers {
                rotations: &mut rotations,
                by_phi0: &mut short,
                by_step: &mut [],
                by_mosaic: &mut [],
            };
            assert!(matches!(
                fill_orientation_derivatives(scene.orientations(), buffers),
                Err(Error::BufferTooShort { .. })
            ));
        })
        .expect("a scene");
}

/// Scenes that differ in a middle domain, the sweep or the cell do not take each other's derivatives of the
/// orientations.
#[test]
fn derivatives_of_other_orientations_are_refused() {
    let scene = small(3);
    let mut kernel = KernelScene::from_simulation(&scene.simulation, Simd::detect(), Mode::Spec);
    kernel.domains = vec![IDENTITY; 3];
    let (mut domain, mut sweep, mut cell) = (kernel.clone(), kernel.clone(), kernel.clone());
    domain.domains[1] = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
    sweep.sweep.step_rad += 1e-3;
    cell.cell.a_m.x *= 1.001;
    let (rows, pixels) = (0..kernel.detector.slow_pixels, kernel.detector.pixels());
    let outcome = |own: &KernelScene, other: &KernelScene| {
        differentiated(other, 1, |_, turns, _| {
            let mut images = vec![0.0; pixels];
            own.with(1, |scene, slots| {
                let carry = Carryover::Streams(slots);
                scene.pushforward_rows(turns, rows.clone(), &[unit(0)], &carry, &mut images)
            })
            .expect("a scene")
        })
    };
    assert_eq!(outcome(&kernel, &kernel.clone()), Ok(()));
    for other in [domain, sweep, cell] {
        let refused = Err(Error::OtherScene { quantity: "derivatives of orientations" });
        assert_eq!(outcome(&kernel, &other), refused);
        assert_eq!(outcome(&other, &kernel), refused);
    }
}

/// Rotations are scaled and converted to rotation vectors without changing their axis.
#[test]
fn scaled_rotations_keep_their_axis() {
    for angles in [[0.1, -0.2, 0.3], [1e-9, 0.0, 0.0], [2.0, 0.5, -0.4]] {
        let [x, y, z] = IDENTITY.map(|unit| rotate_xyz(Vec3::from(unit), angles));
        let u = [[x.x, y.x, z.x], [x.y, y.y, z.y], [x.z, y.z, z.z]];
        assert_eq!(scaled_rotation(&u, 1.0), u);
        let (whole, half) = (rotation_vector(&u), rotation_vector(&scaled_rotation(&u, 0.5)));
        assert!((whole - 2.0 * half).length() <= 1e-14 + 1e-12 * whole.length(), "{whole:?} {half:?}");
        let twice = scaled_rotation(&scaled_rotation(&u, 0.5), 2.0);
        let off = twice.iter().flatten().zip(u.iter().flatten()).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) <= 1e-14);
    }
    assert_eq!(rotation_vector(&IDENTITY), Vec3::default());
}

/// A panel with a corner at `pix0_m`, turned about lab x, y, z.
fn placed(pix0_m: [f64; 3], angles_rad: [f64; 3]) -> Variables {
    let axis = |x, y, z| rotate_xyz(Vec3::new(x, y, z), angles_rad);
    let (pix0_m, normal) = (Vec3::from(pix0_m), axis(0.0, 0.0, 1.0));
    let (fast, slow, close_distance_m) = (axis(1.0, 0.0, 0.0), axis(0.0, 1.0, 0.0), pix0_m.dot(normal));
    Variables {
        pix0_m,
        fast,
        slow,
        normal,
        close_distance_m,
        distance_m: 1.25 * close_distance_m,
        ..unit(35)
    }
}

#[test]
fn panels_that_move_together_keep_their_distances() {
    let panels =
        [placed([-0.02, 0.01, 0.1], [0.1, -0.2, 0.3]), placed([0.03, -0.01, 0.12], [0.2, 0.1, -0.3])];
    let frame = MotionFrame::of_panel(&panels[0], [0.03, 0.02]);
    let mut motion = RigidMotion::default();
    assert_eq!(panels.map(|panel| panel.moved(&motion, &frame)), panels);
    for (axis, [shift_m, angle_rad]) in [[1e-3, 0.3], [-2e-3, -0.2], [3e-3, 0.5]].into_iter().enumerate() {
        motion.add(Motion::Shift(axis), shift_m);
        motion.add(Motion::Rotation(axis), angle_rad);
        let moved = panels.map(|panel| panel.moved(&motion, &frame));
        // The corners, and points 20 mm from them along the axes.
        let points = |[one, other]: [Variables; 2]| {
            let of = |v: Variables| [v.fast, v.slow, v.normal].map(|axis| v.pix0_m + 0.02 * axis);
            [[one.pix0_m, other.pix0_m].to_vec(), of(one).to_vec(), of(other).to_vec()].concat()
        };
        let (before, after) = (points(panels), points(moved));
        for (i, &p) in before.iter().enumerate() {
            for (j, &q) in before.iter().enumerate() {
                let apart = (p - q).length() - (after[i] - after[j]).length();
                assert!(apart.abs() < 1e-15, "{motion:?}: {apart:e}");
            }
            assert!(i == 0 || (after[i] - p).length() > 1e-4);
        }
        for v in moved {
            assert!((v.close_distance_m - v.pix0_m.dot(v.normal)).abs() < 1e-15);
            assert!((v.distance_m - 1.25 * v.close_distance_m).abs() < 1e-15);
            assert_eq!(v.lambda_scale, 1.0);
        }
    }
    // The centre of the frame moves along the axes.
    let centre_m = |v: &Variables| v.pix0_m + 0.015 * v.fast + 0.01 * v.slow;
    let shift = centre_m(&panels[0].moved(&motion, &frame)) - centre_m(&panels[0]);
    let expected = 1e-3 * frame.axes[0] - 2e-3 * frame.axes[1] + 3e-3 * frame.axes[2];
    assert!((shift - expected).length() < 1e-15);
}
