//! Steps that are left out because their light is neglected: no pixel lacks more than it may, and the same steps are left
//! out at every level, in every region of interest.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use core::f64::consts::PI;

use small::{Random, small};
use widebragg::Error;
use widebragg::beam::Source;
use widebragg::carryover::{Carryover, Slot};
use widebragg::gradient::Sums;
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Precision};
use widebragg::math::sinc3;
use widebragg::scene::{Roi, Scene};
use widebragg_tests::golden;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::{KernelScene, with_turns};

fn simulation(line: &str) -> Simulation {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    Simulation::from_args(&args, &golden::inputs()).expect("a scene")
}

/// The image of a scene that may lack `photons` a pixel, and whether anything is left out.
fn image(scene: &KernelScene, threads: usize, photons: f64, precision: Precision) -> (Vec<f64>, bool) {
    let run = |scene: &Scene<'_>, slots: &mut [Slot]| {
        let scene = scene.with_precision(precision).neglecting(photons)?;
        let mut pixels = vec![f64::NAN; scene.panel().pixels()];
        let rows = 0..scene.panel().slow_pixels;
        scene.render_rows(rows, &mut pixels, &mut Carryover::Streams(slots))?;
        Ok::<_, Error>((pixels, scene.neglects()))
    };
    scene.with(threads, run).and_then(|inner| inner).expect("an image")
}

/// A random scene of a square or round crystal, large enough that most of its light is between the spots.
fn scene(seed: u64, simd: Simd, mode: Mode) -> (KernelScene, usize, String) {
    let mut random = Random(seed ^ 0x0e61_ec70);
    let small = small(seed);
    let mut scene = KernelScene::from_simulation(&small.simulation, simd, mode);
    scene.interpolate = false;
    scene.crystallite.shape = random.pick(&[CrystalShape::Square, CrystalShape::Round]);
    scene.crystallite.cells = [0; 3].map(|_| random.pick(&[1, 2, 15, 100, 300]) as f64);
    // Narrow pixels, so that a box is small enough to be dark.
    let narrower = random.pick(&[0.1, 0.01]);
    scene.detector.pixel_m *= narrower;
    (scene, small.threads, small.line)
}

/// Checks random scenes, each changed by `change`: no pixel lacks more than it may, and of one image in `part` something
/// is left out.
fn check_random_scenes(change: impl Fn(&mut KernelScene), part: usize) {
    let (mut left_out, mut images) = (0, 0);
    for seed in 0..300 {
        let mut random = Random(seed);
        for mode in [Mode::Spec, Mode::CParity] {
            for simd in Simd::available() {
                let (mut scene, threads, line) = scene(seed, simd, mode);
                change(&mut scene);
                for precision in [Precision::Double, Precision::Mixed] {
                    let (whole, _) = image(&scene, threads, 0.0, precision);
                    let largest = whole.iter().copied().fold(0.0, f64::max);
                    let photons = largest * 10f64.powf(random.within(-6.0, 1.5)) + 1e-300;
                    let (neglected, _) = image(&scene, threads, photons, precision);
                    for (i, (whole, neglected)) in whole.iter().zip(&neglected).enumerate() {
                        let (lacks, rounding) = (whole - neglected, 1e-12 * whole.abs());
                        let level = simd.level();
                        assert!(
                            lacks <= photons + rounding && lacks >= -rounding,
                            "seed {seed} {mode:?} {level}, pixel {i}: {whole:e} lacks {lacks:e} of {photons:e}: {line}"
                        );
                    }
                    images += 1;
                    left_out += usize::from(whole != neglected);
                }
            }
        }
    }
    assert!(left_out * part > images, "steps are left out of {left_out} images of {images}");
}

#[test]
fn no_pixel_lacks_more_than_it_may() {
    check_random_scenes(|_| (), 8);
}

/// Grids differ by a factor of a million: with a bound from the dim one, nearly all light of the others would be left out.
#[test]
fn several_grids_are_bounded_by_the_largest_of_all() {
    let give_grids = |scene: &mut KernelScene| {
        scene.default_f *= 1e-6;
        let Some(grid) = &mut scene.grid else { return };
        grid.repeat(3, |i, _, f| f * [1e-6, 1.0, 1e-3][i]);
        if scene.source_weights.is_none() {
            let source = scene.sources[0];
            scene.sources.push(Source { lambda_m: 1.02 * source.lambda_m, ..source });
        }
        grid.of_source = Some((0..scene.sources.len() as u32).map(|source| source % 3).collect());
    };
    // The dim sources leave less to neglect.
    check_random_scenes(give_grids, 40);
}

/// A large mosaic crystal.
const LARGE: &str = "-cell 60 70 80 90 90 90 -misset 10 20 30 -lambda 1 -mosaic 0.1 -mosaic_domains 20 -N 200 \
                     -default_F 100 -distance 100 -pixel 0.05 -detpixels_x 90 -detpixels_y 12 -Xbeam 0.5 -Ybeam 12 \
                     -oversample 1 -fluence 1e20";

#[test]
fn the_same_steps_are_left_out_at_every_level() {
    for (line, shape) in [("", CrystalShape::Square), ("-round_xtal", CrystalShape::Round)] {
        let simulation = simulation(&format!("{LARGE} {line}"));
        let at = |simd| KernelScene::from_simulation(&simulation, simd, Mode::Spec);
        let (whole, _) = image(&at(Simd::detect()), 1, 0.0, Precision::Double);
        let mean = whole.iter().sum::<f64>() / whole.len() as f64;
        let largest = whole.iter().copied().fold(0.0, f64::max);
        assert!(largest < 1e4 * mean, "levels differ by more than a step");
        for photons in [1e-3 * mean, mean, 30.0 * mean] {
            let images: Vec<_> =
                Simd::available().map(|simd| image(&at(simd), 1, photons, Precision::Double).0).collect();
            assert!(images[0] != whole, "{shape:?}: nothing is left out");
            for image in &images[1..] {
                for (a, b) in images[0].iter().zip(image) {
                    // A step that only one of them has would be far above rounding.
                    assert!((a - b).abs() <= 1e-10 * largest, "{shape:?} {photons:e}: {a:e} {b:e}");
                }
            }
        }
    }
}

#[test]
fn a_region_of_interest_leaves_out_what_the_image_leaves_out() {
    let simulation = simulation(&format!("{LARGE} -detpixels_x 300"));
    for simd in Simd::available() {
        let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
        let (whole, neglects) = image(&scene, 1, 1.0, Precision::Double);
        assert!(neglects);
        for (fast_min, fast_max) in [(0, 299), (1, 88), (7, 8), (13, 260), (16, 31), (285, 285), (256, 299)] {
            scene.roi = Roi { fast_min, fast_max, slow_min: 3, slow_max: 7 };
            let (part, _) = image(&scene, 1, 1.0, Precision::Double);
            for (i, (part, whole)) in part.iter().zip(&whole).enumerate() {
                let inside = (fast_min..=fast_max).contains(&(i % 300)) && (3..=7).contains(&(i / 300));
                let expected: f64 = if inside { *whole } else { 0.0 };
                assert_eq!(part.to_bits(), expected.to_bits(), "{} pixel {i}", simd.level());
            }
        }
    }
}

/// A pixel with an index that is exactly an integer is rendered again, and its neighbours still lack what they lacked.
#[test]
fn a_pixel_that_is_rendered_again_leaves_its_neighbours_alone() {
    let line = "-default_F 100 -distance 60 -pixel 0.02 -detpixels_x 64 -detpixels_y 5 -oversample 1 -fluence 1e22 \
                -cell 10 10 10 90 90 90 -lambda 1 -N 2000 -misset 0 0 0 -fdet_vector 0 1 0 -sdet_vector 0 0 1 \
                -odet_vector 1 0 0 -beam_vector 1 0 0 -Xbeam -79.39 -Ybeam 0.05";
    let simulation = simulation(line);
    for simd in Simd::available() {
        let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
        let (whole, neglects) = image(&scene, 1, 8294.0, Precision::Double);
        assert!(neglects);
        for (fast_min, fast_max) in [(31, 63), (0, 29), (30, 30)] {
            scene.roi = Roi { fast_min, fast_max, slow_min: 0, slow_max: 4 };
            let (part, _) = image(&scene, 1, 8294.0, Precision::Double);
            for i in (0..320).filter(|i| (fast_min..=fast_max).contains(&(i % 64))) {
                assert_eq!(part[i].to_bits(), whole[i].to_bits(), "{} pixel {i}", simd.level());
            }
        }
    }
}

/// Derivatives have all steps, and only the pixels of the region of interest, wherever its boxes begin.
#[test]
fn derivatives_of_a_scene_that_neglects_are_those_of_one_that_does_not() {
    let mut scene = KernelScene::from_simulation(&simulation(LARGE), Simd::detect(), Mode::Spec);
    scene.roi = Roi { fast_min: 13, fast_max: 60, slow_min: 3, slow_max: 7 };
    let sums = |photons: f64| {
        let run = |scene: &Scene<'_>, _: &mut [Slot]| {
            let scene = scene.neglecting(photons).expect("a number of photons");
            assert_eq!(scene.neglects(), photons > 0.0);
            with_turns(&scene, 3, |turns| {
                let mut sums = Sums::default();
                let weights = vec![1.0; scene.panel().pixels()];
                let rows = 0..scene.panel().slow_pixels;
                scene.pullback_rows(turns, rows, &weights, &Carryover::Off, &mut sums).expect("derivatives");
                sums.variables.to_array()
            })
        };
        scene.with(1, run).expect("a scene")
    };
    for (neglecting, whole) in sums(1.0).into_iter().zip(sums(0.0)) {
        assert!((neglecting - whole).abs() <= 1e-9 * whole.abs(), "{neglecting:e} {whole:e}");
    }
}

#[test]
fn the_bounds_hold_between_nodes() {
    let mut random = Random(3);
    for _ in 0..200_000 {
        let n = random.pick(&[1.0, 2.0, 3.0, 10.0, 77.0, 1000.0]);
        let d = random.within(-0.5, 0.5) * 10f64.powf(random.within(-6.0, 0.0));
        let square = ((PI * n * d).sin() / (PI * d).sin()).abs();
        assert!(square <= n.min(1.0 / (2.0 * d.abs())) * (1.0 + 1e-9), "{n} {d}: {square}");
        let x = 10f64.powf(random.within(-3.0, 5.0));
        let round = sinc3(x).abs();
        assert!(round <= (3.0 * (1.0 + 1.0 / x) / (x * x)).min(1.0) * (1.0 + 1e-12), "{x}: {round}");
    }
}

#[test]
fn what_cannot_be_neglected_is_refused_or_left_alone() {
    let mut scene = KernelScene::from_simulation(&simulation(LARGE), Simd::detect(), Mode::Spec);
    let neglects = |scene: &KernelScene, photons: f64| {
        let run = |scene: &Scene<'_>, _: &mut [Slot]| scene.neglecting(photons).map(|scene| scene.neglects());
        scene.with(1, run).expect("a scene")
    };
    assert_eq!(neglects(&scene, 1.0), Ok(true));
    assert_eq!(neglects(&scene, 0.0), Ok(false));
    assert_eq!(neglects(&scene, 1e-30), Ok(false), "too little for any step");
    for photons in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(neglects(&scene, photons), Err(Error::OutOfRange { .. })));
    }
    scene.oversample.omega = true;
    assert_eq!(neglects(&scene, 1.0), Ok(true));
    scene.sweep.mode = widebragg::rotation::PhiMode::CParity;
    assert_eq!(neglects(&scene, 1.0), Ok(false), "every step multiplies the sum");
}
