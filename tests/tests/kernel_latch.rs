//! The evaluation that ends the reference's interpolation is found where the indices of all steps say that it is.

#[path = "properties/random.rs"]
mod random;

use core::ops::RangeInclusive;

use random::Random;
use widebragg::carryover::Carryover;
use widebragg::lanes::Simd;
use widebragg::render::StepProbe;
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_experiment::factor_grid::GridNumbers;
use widebragg_tests::golden;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::{KernelScene, OwnedGrid};

/// Random scenes.
const SCENES: u64 = 200;

/// A random scene of a few rows that are wide enough for two spans, seen at angles from narrow to wide.
fn scene(seed: u64, simd: Simd) -> KernelScene {
    let mut random = Random(seed ^ 0x1a7c);
    let line = format!(
        "-default_F 1 -cell {} {} {} 80 95 105 -misset {} 20 30 -lambda {} -dispersion 2 -dispsteps {} -distance {} \
         -pixel {} -detpixels_x 300 -detpixels_y 3 -oversample {} -N 5 -mosaic 1 -mosaic_domains {} -phi 5 -osc 1 \
         -phisteps {} -Xbeam {} -Ybeam {} -twotheta {} -detector_thick {} -detector_abs 500 -detector_thicksteps 2",
        random.within(20.0, 90.0),
        random.within(20.0, 90.0),
        random.within(20.0, 90.0),
        random.within(0.0, 90.0),
        random.within(0.7, 2.0),
        random.whole(1, 2),
        random.within(50.0, 200.0),
        random.within(0.05, 1.0),
        random.whole(1, 2),
        random.whole(1, 3),
        random.whole(1, 3),
        random.within(-50.0, 300.0),
        random.within(-100.0, 100.0),
        random.within(-30.0, 30.0),
        random.within(0.0, 2000.0),
    );
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let simulation = Simulation::from_args(&args, &golden::inputs()).expect("a scene");
    KernelScene::from_simulation(&simulation, simd, Mode::CParity)
}

/// h, k, l of all steps of a scene, in the reference's order, with their pixel and evaluation.
fn steps(scene: &Scene<'_>) -> Vec<(LatchPoint, [f64; 3])> {
    let panel = *scene.panel();
    let mut steps = Vec::new();
    for slow in 0..panel.slow_pixels {
        for fast in 0..panel.fast_pixels {
            let mut evaluation = 0;
            let mut step = |step: &StepProbe| {
                steps.push((LatchPoint { slow, fast, evaluation }, step.hkl));
                evaluation += 1;
            };
            scene.probe_pixel(slow, fast, &Carryover::Off, &mut step).expect("a pixel");
        }
    }
    steps
}

/// The grid of a box.
fn grid_of(axes: [RangeInclusive<i32>; 3]) -> OwnedGrid {
    let min = axes.clone().map(|axis| *axis.start());
    let len = axes.map(|axis| axis.count().max(1));
    OwnedGrid { min, len, data: vec![1.0; len.iter().product()], numbers: GridNumbers::F64, of_source: None }
}

#[test]
fn the_latch_is_the_first_step_whose_block_is_not_in_the_grid() {
    let (mut found, mut none) = (0, 0);
    for seed in 0..SCENES {
        for simd in Simd::available() {
            let mut random = Random(seed);
            let mut scene = scene(seed, simd);
            let steps = scene.with(1, |scene, _| steps(scene)).expect("a scene");
            // Boxes with just the nodes that all steps need, or with one layer less on some sides.
            let axes = [0, 1, 2].map(|axis| {
                let least = steps.iter().map(|(_, hkl)| hkl[axis]).fold(f64::INFINITY, f64::min);
                let largest = steps.iter().map(|(_, hkl)| hkl[axis]).fold(f64::NEG_INFINITY, f64::max);
                let mut more = || i32::from(random.chance(0.2));
                least.floor() as i32 - 2 + more()..=largest.ceil() as i32 + 2 - more()
            });
            let holds = |hkl: &[f64; 3]| {
                hkl.iter().zip(&axes).all(|(&index, axis)| {
                    f64::from(*axis.start()) <= index - 2.0 && index + 2.0 <= f64::from(*axis.end())
                })
            };
            let first = steps.iter().find(|(_, hkl)| !holds(hkl)).map(|(point, _)| *point);
            scene.grid = Some(grid_of(axes.clone()));
            scene.interpolate = true;
            let latch = scene.with(1, |scene, _| scene.find_latch(0..3, &Carryover::Off));
            assert_eq!(latch.and_then(|latch| latch).expect("a scene"), first, "{seed} {}", simd.level());
            *(if first.is_some() { &mut found } else { &mut none }) += 1;
        }
    }
    assert!(found > 50 && none > 50, "{found} scenes with a latch, {none} without");
}
