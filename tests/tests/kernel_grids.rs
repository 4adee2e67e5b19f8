//! Grids of structure factors in f32: where it holds every F exactly, nothing that the kernel computes differs by a bit.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use small::small;
use widebragg::carryover::Carryover;
use widebragg::gradient::{Sums, VARIABLES, Variables, Wanted};
use widebragg::lanes::Simd;
use widebragg::render::{PixelProbe, RowReport, Scene};
use widebragg::structure_factor::{LookupRule, Nodes};
use widebragg_experiment::factor_grid::GridNumbers;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::{KernelScene, with_turns};

/// An image, and how its structure factors were looked up.
#[derive(Debug, PartialEq)]
struct Image {
    pixels: Vec<u64>,
    report: RowReport,
    lookup: LookupRule,
}

/// Bits of numbers, which tell NaN and -0 apart as well.
fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn rendered(scene: &Scene<'_>, carry: &mut Carryover<'_>) -> Image {
    let mut pixels = vec![f64::NAN; scene.detector().pixels()];
    let report = scene.render_rows(0..scene.detector().slow_pixels, &mut pixels, carry).expect("an image");
    Image { pixels: bits(&pixels), report, lookup: scene.parts().structure_factors.lookup }
}

fn image(scene: &KernelScene, threads: usize) -> Image {
    scene.with(threads, |scene, slots| rendered(scene, &mut Carryover::Streams(slots))).expect("a scene")
}

/// Image, traces of its pixels, and derivatives both ways.
type Everything = (Image, Vec<(PixelProbe, Vec<[u64; 4]>)>, Vec<u64>, Vec<u64>);

fn everything(scene: &KernelScene, threads: usize) -> Everything {
    let nodes = scene.grid.as_ref().map_or(0, |grid| grid.data.len());
    let columns = scene.detector.fast_pixels;
    let weights: Vec<f64> = (0..scene.detector.pixels()).map(|i| 1.0 - 0.3 * (i % 5) as f64).collect();
    let directions: Vec<Variables> = (0..VARIABLES)
        .map(|variable| {
            let mut along = [0.0; VARIABLES];
            along[variable] = 1.0;
            Variables::from_array(&along)
        })
        .collect();
    let found = scene.with(threads, |scene, slots| {
        let image = rendered(scene, &mut Carryover::Streams(slots));
        let carry = Carryover::Streams(slots);
        let rows = 0..scene.detector().slow_pixels;
        let pixels = rows.clone().flat_map(|slow| (0..columns).map(move |fast| (slow, fast)));
        let traces = pixels.map(|(slow, fast)| {
            let mut steps = Vec::new();
            let probe = scene.probe_pixel(slow, fast, &carry, &mut |step| {
                steps.push([step.f_cell, step.f_latt, step.intensity, step.factor].map(f64::to_bits));
            });
            (probe.expect("a pixel"), steps)
        });
        let traces = traces.collect();
        let (mut by_f, mut images) = (vec![0.0; nodes], vec![0.0; weights.len() * VARIABLES]);
        let mut sums = Sums { wanted: Wanted::ALL, structure_factors: Some(&mut by_f), ..Sums::default() };
        with_turns(scene, 3, |turns| {
            scene.pullback_rows(turns, rows.clone(), &weights, &carry, &mut sums).expect("derivatives");
            scene.pushforward_rows(turns, rows, &directions, &carry, &mut images).expect("derivatives");
        });
        let pulled = [bits(&sums.variables.to_array()), bits(&by_f)].concat();
        (image, traces, pulled, bits(&images))
    });
    found.expect("a scene")
}

/// The scene with every F rounded to f32, held in f64 and in f32; `None` without a grid.
fn in_both_numbers(mut scene: KernelScene) -> Option<[KernelScene; 2]> {
    let grid = scene.grid.as_mut()?;
    grid.data.iter_mut().for_each(|f| *f = f64::from(*f as f32));
    grid.numbers = GridNumbers::F64;
    let mut narrow = scene.clone();
    narrow.grid.as_mut()?.numbers = GridNumbers::Auto;
    let held = [&scene, &narrow].map(|scene| {
        let experiment = scene.experiment();
        experiment.structure_factors.as_deref().map(|grid| matches!(grid.nodes(), Nodes::F32(_)))
    });
    assert_eq!(held, [Some(false), Some(true)]);
    Some([scene, narrow])
}

#[test]
fn golden_images_have_the_same_bits_with_f32_nodes() {
    let mut compared = 0;
    for name in golden::cases().expect("golden images") {
        let case = Case::load(&name).expect("case.json");
        let simulation = Simulation::from_args(&case.args, &golden::inputs()).expect("command line");
        for mode in case.modes() {
            for simd in Simd::available() {
                let scene = KernelScene::from_simulation(&simulation, simd, mode);
                let Some([wide, narrow]) = in_both_numbers(scene) else { continue };
                assert!(image(&wide, 1) == image(&narrow, 1), "{name} {mode:?} {}", simd.level());
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "only {compared} images have a grid");
}

/// Images, latches, fallbacks, traces and derivatives.
#[test]
fn random_scenes_have_the_same_bits_with_f32_nodes() {
    let (mut latched, mut fell_back, mut interpolated) = (0, 0, 0);
    for seed in 0..300 {
        let small = small(seed);
        for mode in [Mode::CParity, Mode::Spec] {
            for simd in Simd::available() {
                let scene = KernelScene::from_simulation(&small.simulation, simd, mode);
                let Some(both) = in_both_numbers(scene) else { continue };
                let [wide, narrow] = both.map(|scene| everything(&scene, small.threads));
                latched += usize::from(matches!(wide.0.lookup, LookupRule::TricubicUntil(_)));
                fell_back += usize::from(wide.0.report.fallbacks > 0);
                interpolated += usize::from(wide.0.lookup == LookupRule::Tricubic);
                assert!(wide == narrow, "{seed} {mode:?} {}\n{}", simd.level(), small.line);
            }
        }
    }
    assert!(latched > 20 && fell_back > 20 && interpolated > 20, "{latched} {fell_back} {interpolated}");
}

/// F that f32 does not hold are rounded to it, and nothing else is.
#[test]
fn rounded_nodes_are_those_of_f32() {
    for seed in 0..60 {
        let small = small(seed);
        let mut scene = KernelScene::from_simulation(&small.simulation, Simd::detect(), Mode::Spec);
        let Some(grid) = &mut scene.grid else { continue };
        grid.numbers = GridNumbers::F32;
        let rounded = image(&scene, small.threads);
        let grid = scene.grid.as_mut().expect("a grid");
        grid.data.iter_mut().for_each(|f| *f = f64::from(*f as f32));
        grid.numbers = GridNumbers::F64;
        assert!(rounded == image(&scene, small.threads), "{seed}");
    }
}
