//! Grids of structure factors in f32: where it holds every F exactly, nothing that the kernel computes differs by a bit.
//! And several grids, one for each group of sources.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use small::small;
use widebragg::Error;
use widebragg::beam::Source;
use widebragg::carryover::Carryover;
use widebragg::gradient::{Sums, VARIABLES, Variables, Wanted};
use widebragg::lanes::Simd;
use widebragg::render::{PixelProbe, RowReport, Scene};
use widebragg::structure_factor::{HklGrid, LookupRule, Nodes};
use widebragg_experiment::factor_grid::GridNumbers;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::{KernelScene, first_step, with_turns};

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
    let mut pixels = vec![f64::NAN; scene.panel().pixels()];
    let report = scene.render_rows(0..scene.panel().slow_pixels, &mut pixels, carry).expect("an image");
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
        let rows = 0..scene.panel().slow_pixels;
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

/// The scene with `count` sources in the direction of its first, each of another wavelength and with a grid of its own
/// (`values` makes the values of grid and node from those of the scene), and without what is not a sum over sources.
fn with_grids(
    mut scene: KernelScene,
    count: usize,
    values: impl Fn(usize, usize, f64) -> f64,
) -> KernelScene {
    let source = scene.sources[0];
    scene.sources = (0..count)
        .map(|i| Source { lambda_m: source.lambda_m * (1.0 + 0.013 * i as f64), ..source })
        .collect();
    scene.source_weights = None;
    let grid = scene.grid.as_mut().expect("a grid");
    grid.repeat(count, values);
    grid.of_source = Some((0..count as u32).collect());
    scene
}

/// The scene with only one of the sources of [`with_grids`], and its grid.
fn alone(scene: &KernelScene, source: usize) -> KernelScene {
    let mut alone = scene.clone();
    alone.sources = vec![scene.sources[source]];
    alone.source_weights = None;
    let grid = alone.grid.as_mut().expect("a grid");
    let nodes = grid.len.iter().product::<usize>();
    grid.data = grid.data[source * nodes..][..nodes].to_vec();
    grid.of_source = None;
    alone
}

/// Random scenes with grids, without water, which is no sum over sources.
fn scenes(
    seeds: core::ops::Range<u64>,
    modes: &[Mode],
) -> impl Iterator<Item = (String, KernelScene, usize)> {
    let kernels = move |seed: u64| {
        let small = small(seed);
        let levels = Simd::available().flat_map(|simd| modes.iter().map(move |&mode| (simd, mode)));
        levels
            .map(|(simd, mode)| {
                let mut scene = KernelScene::from_simulation(&small.simulation, simd, mode);
                scene.water_m = 0.0;
                (format!("{seed} {mode:?} {}\n{}", simd.level(), small.line), scene, small.threads)
            })
            .collect::<Vec<_>>()
    };
    seeds.flat_map(kernels).filter(|(_, scene, _)| scene.grid.is_some())
}

fn floats(bits: &[u64]) -> Vec<f64> {
    bits.iter().map(|&bits| f64::from_bits(bits)).collect()
}

/// Numbers agree to 1e-12 of the largest and to `rounding`.
fn assert_near(what: &str, found: &[f64], expected: &[f64], rounding: f64) {
    let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let limit = 1e-12 * largest + rounding;
        assert!((a - b).abs() <= limit, "{what}: element {i}: {a:e}, {b:e}, largest {largest:e}");
    }
}

/// Where all grids are the same, all that the kernel computes has the bits of a scene with one grid.
#[test]
fn equal_grids_have_the_bits_of_one() {
    for (what, scene, threads) in scenes(0..120, &[Mode::CParity, Mode::Spec]) {
        let several = with_grids(scene, 3, |_, _, f| f);
        let mut one = several.clone();
        let grid = one.grid.as_mut().expect("a grid");
        grid.data.truncate(grid.len.iter().product());
        grid.of_source = None;
        let (several, one) = (everything(&several, threads), everything(&one, threads));
        assert!(several.0 == one.0, "image: {what}");
        assert!(several.1 == one.1, "traces: {what}");
        assert!(several.2[..VARIABLES] == one.2[..VARIABLES], "pullback: {what}");
        assert!(several.3 == one.3, "pushforward: {what}");
        // The derivative by a node of one grid is that of its source alone.
        let (several, one) = (floats(&several.2[VARIABLES..]), floats(&one.2[VARIABLES..]));
        let sums = (0..one.len()).map(|node| several.iter().skip(node).step_by(one.len()).sum());
        assert_near(&what, &sums.collect::<Vec<f64>>(), &one, 0.0);
    }
}

/// An image of several sources is the mean, by weight, of those of each source alone, and so are its derivatives.
#[test]
fn sources_with_grids_of_their_own_add_up() {
    let mut lit = 0;
    for (at, (what, scene, threads)) in scenes(0..200, &[Mode::Spec]).enumerate() {
        let count = 2 + at % 3;
        let mut scene =
            with_grids(scene, count, |i, node, f| f * (1.0 + i as f64) + (node * 7 % (5 + i)) as f64);
        if at % 2 == 0 {
            scene.source_weights = Some((0..count).map(|i| 1.0 + i as f64).collect());
        }
        let numbers = if at % 4 < 2 { GridNumbers::F64 } else { GridNumbers::F32 };
        scene.grid.as_mut().expect("a grid").numbers = numbers;
        let weight = |i: usize| scene.source_weights.as_ref().map_or(1.0, |weights| weights[i]);
        let total: f64 = (0..count).map(weight).sum();
        let together = everything(&scene, threads);
        let each: Vec<Everything> = (0..count).map(|i| everything(&alone(&scene, i), threads)).collect();
        let mean = |part: &dyn Fn(&Everything) -> Vec<f64>| -> Vec<f64> {
            let parts: Vec<Vec<f64>> = each.iter().map(part).collect();
            (0..parts[0].len())
                .map(|at| parts.iter().enumerate().map(|(i, part)| weight(i) / total * part[at]).sum())
                .collect()
        };
        let image = |all: &Everything| floats(&all.0.pixels);
        lit += usize::from(image(&together).iter().any(|&pixel| pixel > 0.0));
        assert_near(&what, &image(&together), &mean(&image), 0.0);
        let brightest = image(&together).into_iter().fold(0.0, f64::max);
        for variable in 0..VARIABLES {
            let pixels = scene.detector.pixels();
            let pushed = |all: &Everything| floats(&all.3[variable * pixels..][..pixels]);
            // The rounding error of the image, divided by a typical step of the variable: derivatives may cancel.
            let rounding = 1e-12 * brightest / first_step(&scene, variable);
            assert_near(
                &format!("variable {variable}: {what}"),
                &pushed(&together),
                &mean(&pushed),
                rounding,
            );
        }
        let by_f = floats(&together.2[VARIABLES..]);
        let expected: Vec<f64> = each
            .iter()
            .enumerate()
            .flat_map(|(i, all)| floats(&all.2[VARIABLES..]).into_iter().map(move |slope| (i, slope)))
            .map(|(i, slope)| weight(i) / total * slope)
            .collect();
        assert_near(&format!("by F: {what}"), &by_f, &expected, 0.0);
    }
    assert!(lit > 100, "only {lit} scenes have a pixel above 0");
}

/// The terms are quadratic in F, so that central differences by one F are exact.
#[test]
fn derivatives_by_the_nodes_of_each_grid_match_differences() {
    let mut compared = 0;
    for (what, scene, threads) in scenes(200..300, &[Mode::CParity, Mode::Spec]) {
        let scene = with_grids(scene, 3, |i, node, f| f * (1.0 + i as f64) + (node * 7 % (5 + i)) as f64);
        let loss = |scene: &KernelScene| -> f64 {
            let pixels = floats(&image(scene, threads).pixels).into_iter().enumerate();
            pixels.map(|(i, pixel)| (1.0 - 0.3 * (i % 5) as f64) * pixel).sum()
        };
        let size: f64 = floats(&image(&scene, threads).pixels).iter().sum();
        let by_f = floats(&everything(&scene, threads).2[VARIABLES..]);
        let nodes = by_f.len() / 3;
        for grid in 0..3 {
            let own = &by_f[grid * nodes..][..nodes];
            let strongest = (0..nodes).max_by(|&a, &b| own[a].abs().total_cmp(&own[b].abs()));
            let Some(node) = strongest.filter(|&node| own[node] != 0.0) else { continue };
            let at = |by: f64| {
                let mut moved = scene.clone();
                moved.grid.as_mut().expect("a grid").data[grid * nodes + node] += by;
                loss(&moved)
            };
            let difference = (at(1.0) - at(-1.0)) / 2.0;
            let apart = (own[node] - difference).abs();
            assert!(apart <= 1e-9 * (own[node].abs() + size), "grid {grid} node {node}: {what}");
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} nodes");
}

#[test]
fn impossible_choices_of_grids_are_refused() {
    let values = [1.0; 12];
    assert_eq!(HklGrid::several([0; 3], [1, 2, 3], 2, &values).map(|grid| grid.grids()), Ok(2));
    let short = HklGrid::several([0; 3], [1, 2, 3], 3, &values);
    assert_eq!(short, Err(Error::BufferTooShort { buffer: "structure factor grid", needed: 18, given: 12 }));
    assert!(matches!(HklGrid::several([0; 3], [1, 2, 3], 0, &values), Err(Error::OutOfRange { .. })));
    assert!(matches!(HklGrid::several([0; 3], [1, 2, 3], usize::MAX, &values), Err(Error::TooLarge { .. })));
    let (_, scene, threads) = scenes(0..50, &[Mode::Spec]).next().expect("a scene with a grid");
    let scene = with_grids(scene, 2, |_, _, f| f);
    let outcome = |of_source: &[u32]| {
        let mut scene = scene.clone();
        scene.grid.as_mut().expect("a grid").of_source = Some(of_source.to_vec());
        scene.with(threads, |_, _| ())
    };
    assert_eq!(outcome(&[1, 0]), Ok(()));
    assert_eq!(outcome(&[1]), Err(Error::BufferTooShort { buffer: "grids of sources", needed: 2, given: 1 }));
    let beyond =
        Error::OutOfRange { quantity: "grid of a source", value: 2.0, allowed: "below the number of grids" };
    assert_eq!(outcome(&[0, 2]), Err(beyond));
}
