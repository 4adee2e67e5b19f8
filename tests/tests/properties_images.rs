//! Properties of images, on small random scenes, at every level: transformations that change an image in a
//! known way, or not at all.
//!
//! Symmetries of the laboratory are tested in `kernel_symmetry.rs`, images compared with the oracle in
//! `kernel_render.rs` and `properties_million.rs`.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/bound.rs"]
mod bound;
#[path = "properties/small.rs"]
mod small;

use bound::depends_on_rounding;
use core::ops::Range;
use proptest::prelude::*;
use small::{Random, Small, small};
use std::sync::Mutex;
use std::thread;
use widebragg::carryover::{Carryover, Slot};
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::render::{Oversample, Roi, RowReport, Sensor};
use widebragg::rotation::Orientation;
use widebragg_tests::compare::{apart, flank_limit};
use widebragg_tests::golden;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::{KernelScene, OwnedGrid};

const MODES: [Mode; 2] = [Mode::CParity, Mode::Spec];

/// Proptest generates the numbers of small scenes. A number determines its scene, so that shrinking and
/// saving failures are of no use.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() }
}

fn bits(pixels: &[f64]) -> Vec<u64> {
    pixels.iter().map(|pixel| pixel.to_bits()).collect()
}

/// An image and the report of the call.
fn render(scene: &KernelScene, threads: usize) -> (Vec<f64>, RowReport) {
    let rendered = scene.with(threads, |scene, slots| {
        let mut pixels = vec![f64::NAN; scene.panel().pixels()];
        let rows = 0..scene.panel().slow_pixels;
        scene.render_rows(rows, &mut pixels, &mut Carryover::Streams(slots)).map(|report| (pixels, report))
    });
    rendered.and_then(|inner| inner).expect("a scene")
}

/// The scene with the crystal's axes permuted: axis i is the former axis `order[i]`.
fn axes_in_order(scene: &KernelScene, order: [usize; 3]) -> KernelScene {
    let Orientation { a_m, b_m, c_m } = scene.cell;
    let axes = [a_m, b_m, c_m];
    let [a_m, b_m, c_m] = order.map(|axis| axes[axis]);
    let mut named = KernelScene { cell: Orientation { a_m, b_m, c_m }, ..scene.clone() };
    named.crystallite.cells = order.map(|axis| scene.crystallite.cells[axis]);
    named.crystallite.reciprocal_per_angstrom =
        order.map(|axis| scene.crystallite.reciprocal_per_angstrom[axis]);
    named.grid = scene.grid.as_ref().map(|grid| {
        let len = order.map(|axis| grid.len[axis]);
        let mut data = Vec::with_capacity(grid.data.len());
        for i in 0..len[0] {
            for j in 0..len[1] {
                for m in 0..len[2] {
                    let mut old = [0; 3];
                    order.iter().zip([i, j, m]).for_each(|(&axis, index)| old[axis] = index);
                    data.push(grid.data[(old[0] * grid.len[1] + old[1]) * grid.len[2] + old[2]]);
                }
            }
        }
        OwnedGrid { min: order.map(|axis| grid.min[axis]), len, data, ..grid.clone() }
    });
    named
}

/// A random partition of `0..len`.
fn pieces(random: &mut Random, len: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < len {
        let end = random.whole(start + 1, len);
        pieces.push(start..end);
        start = end;
    }
    pieces
}

fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, random.whole(0, i));
    }
}

/// The scene without what the modes treat differently in every image.
fn alike_in_both_modes(scene: KernelScene) -> KernelScene {
    let oversample = Oversample { per_axis: scene.oversample.per_axis, ..Oversample::NONE };
    KernelScene { water_m: 0.0, sensor: Sensor::THIN, source_weights: None, oversample, ..scene }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn intensity_is_proportional_to_f_squared(seed: u64, factor in 0.01..100.0_f64) {
        let Small { line, simulation, threads } = small(seed);
        for (mode, simd) in MODES.into_iter().flat_map(|mode| Simd::available().map(move |simd| (mode, simd))) {
            // The background from water does not depend on structure factors.
            let scene = KernelScene { water_m: 0.0, ..KernelScene::from_simulation(&simulation, simd, mode) };
            let image = render(&scene, threads).0;
            // Powers of two and signs give exact results, except for values near the smallest f64.
            for (factor, bound) in [(factor, 1e-12), (-1.0, 0.0), (0.0, 0.0), (8.0, 1e-90)] {
                let mut scaled = scene.clone();
                scaled.default_f *= factor;
                scaled.grid.iter_mut().for_each(|grid| grid.data.iter_mut().for_each(|F| *F *= factor));
                let expected: Vec<f64> = image.iter().map(|pixel| pixel * factor * factor).collect();
                let apart = apart(&render(&scaled, threads).0, &expected);
                prop_assert!(apart <= bound, "{} {:?} {}: {:e}", line, mode, simd.level(), apart);
            }
        }
    }

    #[test]
    fn the_order_of_the_axes_does_not_matter(seed: u64) {
        let Small { line, simulation, threads } = small(seed);
        for (mode, simd) in MODES.into_iter().flat_map(|mode| Simd::available().map(move |simd| (mode, simd))) {
            let scene = KernelScene::from_simulation(&simulation, simd, mode);
            let (image, report) = render(&scene, threads);
            for order in [[1, 2, 0], [2, 0, 1], [1, 0, 2], [0, 2, 1], [2, 1, 0]] {
                let (named, named_report) = render(&axes_in_order(&scene, order), threads);
                let apart = apart(&named, &image);
                prop_assert!(
                    apart <= flank_limit(&simulation) || depends_on_rounding(&scene, threads),
                    "{} {:?} {} {:?}: {:e}", line, mode, simd.level(), order, apart
                );
                prop_assert_eq!(report, named_report);
            }
        }
    }

    /// In spec mode only: in c-parity a step at phi = 0 uses other vectors.
    #[test]
    fn rotating_the_crystal_equals_another_starting_phi(seed: u64, turn_rad in -7.0..7.0_f64) {
        let Small { line, simulation, threads } = small(seed);
        for simd in Simd::available() {
            let scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
            let mut turned = scene.clone();
            turned.cell = scene.cell.rotated(scene.sweep.spindle, turn_rad);
            let mut started = scene;
            started.sweep.phi0_rad += turn_rad;
            let apart = apart(&render(&turned, threads).0, &render(&started, threads).0);
            prop_assert!(
                // Angles are up to 10 rad, and each rotation has a rounding error of its own.
                apart <= 4.0 * flank_limit(&simulation) || depends_on_rounding(&started, threads),
                "{} {}: {:e}", line, simd.level(), apart
            );
        }
    }

    /// Without water, flags and layers, where the modes differ. Interpolation is switched off where it needs nodes
    /// outside the grid, because they differ there too.
    #[test]
    fn the_modes_agree_where_no_phi_is_zero(seed: u64) {
        let Small { line, mut simulation, threads } = small(seed);
        if simulation.phi.contains(&0.0) {
            simulation.phi0 += 0.1;
        }
        for simd in Simd::available() {
            let mut spec = alike_in_both_modes(KernelScene::from_simulation(&simulation, simd, Mode::Spec));
            prop_assert!((0..spec.sweep.count).all(|i| spec.sweep.phi_rad(i) != 0.0), "{}", line);
            if render(&spec, threads).1.fallbacks > 0 {
                spec.interpolate = false;
            }
            let mut parity = alike_in_both_modes(KernelScene::from_simulation(&simulation, simd, Mode::CParity));
            parity.interpolate = spec.interpolate;
            parity.polarization = spec.polarization;
            let ((image, report), (expected, expected_report)) = (render(&parity, threads), render(&spec, threads));
            prop_assert!(bits(&image) == bits(&expected), "{} {}", line, simd.level());
            prop_assert_eq!(report, expected_report);
        }
    }

    /// In spec mode only: in c-parity, as in the reference, the first sweep is the first of the region.
    #[test]
    fn regions_add_up_to_the_whole_image(seed: u64, columns in 1..=50_usize) {
        let Small { line, simulation, threads } = small(seed);
        let mut random = Random(seed);
        for simd in Simd::available() {
            let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
            // Lengths around the lane boundaries of every level.
            scene.detector.fast_pixels = columns;
            scene.mask = None;
            scene.roi = Roi::whole(&scene.panel());
            let (image, report) = render(&scene, threads);
            let mut union = vec![f64::NAN; image.len()];
            let mut total = RowReport::default();
            for slow in pieces(&mut random, scene.detector.slow_pixels) {
                for fast in pieces(&mut random, columns) {
                    let (slow_min, slow_max) = (slow.start, slow.end - 1);
                    scene.roi = Roi { fast_min: fast.start, fast_max: fast.end - 1, slow_min, slow_max };
                    let (part, report) = render(&scene, threads);
                    for (i, (pixel, &rendered)) in union.iter_mut().zip(&part).enumerate() {
                        let inside = slow.contains(&(i / columns)) && fast.contains(&(i % columns));
                        if inside {
                            *pixel = rendered;
                        }
                        prop_assert!(inside || rendered == 0.0, "{} pixel {} is outside", line, i);
                    }
                    total.pixels += report.pixels;
                    total.omega_sum_sr += report.omega_sum_sr;
                    total.fallbacks += report.fallbacks;
                }
            }
            prop_assert!(bits(&union) == bits(&image), "{} {} columns, {}", line, columns, simd.level());
            prop_assert_eq!((total.pixels, total.fallbacks), (report.pixels, report.fallbacks));
            prop_assert!((total.omega_sum_sr / report.omega_sum_sr - 1.0).abs() <= 1e-13);
        }
    }

    #[test]
    fn levels_agree_with_each_other(seed: u64) {
        let Small { line, simulation, threads } = small(seed);
        for mode in MODES {
            let images: Vec<_> = Simd::available()
                .map(|simd| {
                    let scene = KernelScene::from_simulation(&simulation, simd, mode);
                    (simd.level(), render(&scene, threads).0, scene)
                })
                .collect();
            for (level, image, scene) in &images {
                for (other, expected, _) in &images {
                    let apart = apart(image, expected);
                    prop_assert!(
                        apart <= flank_limit(&simulation) || depends_on_rounding(scene, threads),
                        "{} {:?} {} {}: {:e}", line, mode, level, other, apart
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(60))]

    /// Frames of a rotation are rendered in bands, in any order, by several threads under a cap of the level.
    /// They have the same bits as each frame rendered in one call at that level.
    #[test]
    fn any_order_and_number_of_threads_give_the_same_bits(seed: u64, workers in 1..=4_usize) {
        let Small { line, simulation, threads } = small(seed);
        let mut random = Random(seed);
        for (mode, cap) in MODES.into_iter().flat_map(|mode| SimdLevel::ALL.map(move |cap| (mode, cap))) {
            let simd = Simd::capped(cap);
            let mut first = KernelScene::from_simulation(&simulation, simd, mode);
            first.detector.slow_pixels = 7;
            first.mask = None;
            first.roi = Roi::whole(&first.panel());
            let (rows, columns) = (first.detector.slow_pixels, first.detector.fast_pixels);
            let frames: Vec<KernelScene> = (0..3)
                .map(|frame| {
                    let mut scene = first.clone();
                    scene.sweep.phi0_rad = first.sweep.phi_rad(frame * first.sweep.count);
                    scene
                })
                .collect();
            let mut jobs = Vec::new();
            for frame in 0..frames.len() {
                jobs.extend(pieces(&mut random, rows).into_iter().map(|band| (frame, band)));
            }
            shuffle(&mut random, &mut jobs);

            let images = Mutex::new(vec![vec![f64::NAN; rows * columns]; frames.len()]);
            let jobs = Mutex::new(jobs);
            thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| {
                        loop {
                            let next = jobs.lock().expect("no other thread panicked").pop();
                            let Some((frame, band)) = next else { break };
                            let mut part = vec![f64::NAN; band.len() * columns];
                            let whole = |scene: &widebragg::render::Scene<'_>, slots: &mut [Slot]| {
                                scene.render_rows(band.clone(), &mut part, &mut Carryover::Streams(slots))
                            };
                            frames[frame].with(threads, whole).and_then(|inner| inner).expect("rows");
                            let at = band.start * columns..band.end * columns;
                            images.lock().expect("no other thread panicked")[frame][at].copy_from_slice(&part);
                        }
                    });
                }
            });
            let images = images.into_inner().expect("no thread panicked");
            for (frame, image) in frames.iter().zip(&images) {
                // Rendered with the level's own token, not with a cap.
                let exact = Simd::exactly(simd.level()).expect("the level that runs");
                let whole = render(&KernelScene { simd: exact, ..frame.clone() }, threads).0;
                prop_assert!(bits(image) == bits(&whole), "{} {:?} {}", line, mode, cap);
            }
        }
    }
}

/// The error of the mean over n x n samples of a smooth function decreases as 1/n^2.
///
/// Square crystals without a grid have a smooth F_latt. The detector is curved because its solid angle is
/// then constant; on a flat detector it is that of the first subpixel, whose position depends on n.
#[test]
fn subpixels_converge() {
    let line = "-cell 45 52 61 82 97 104 -misset 10 20 30 -default_F 100 -lambda 1.2 -pixel 0.2 -detpixels_x 19 \
                -detpixels_y 17 -distance 100 -Na 6 -Nb 5 -Nc 4 -curved_det -nopolar -oversample 1 \
                -osc 0.5 -phi 1 -phisteps 2 -mosaic 0.3 -mosaic_domains 2";
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
    for simd in Simd::available() {
        let image = |per_axis: usize| {
            let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
            scene.oversample.per_axis = per_axis;
            render(&scene, 1).0
        };
        let norm = |pixels: &[f64]| pixels.iter().map(|x| x * x).sum::<f64>().sqrt();
        let fine = image(24);
        let errors = [1, 2, 3, 4].map(|n| {
            let off: Vec<f64> = image(n).iter().zip(&fine).map(|(x, y)| x - y).collect();
            norm(&off) / norm(&fine)
        });
        println!("{}: {errors:?}", simd.level());
        assert!(errors[0] > 1e-3, "{}: the errors are too small to compare: {errors:?}", simd.level());
        for (n, error) in (1..=4).zip(errors) {
            let expected = errors[0] / f64::from(n * n);
            assert!((error / expected - 1.0).abs() < 0.25, "{} {n}: {errors:?}", simd.level());
        }
    }
}
