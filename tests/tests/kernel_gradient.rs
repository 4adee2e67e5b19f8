//! Derivatives of pixels against finite differences of the rendered image, for every variable of random scenes.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use small::{Random, small};
use widebragg::carryover::Carryover;
use widebragg::gradient::{TurnBuffers, VARIABLES, Variables, Wanted, fill_turns, scaled_rotation};
use widebragg::lanes::Simd;
use widebragg::render::Scene;
use widebragg::rotation::{IDENTITY, Orientation};
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::KernelScene;

/// Largest difference from finite differences, of the largest derivative in the image.
const LIMIT: f64 = 1e-6;

fn unit(variable: usize) -> Variables {
    let mut array = [0.0; VARIABLES];
    array[variable] = 1.0;
    Variables::from_array(&array)
}

/// The scene with one variable moved.
fn moved(scene: &KernelScene, variable: usize, by: f64) -> KernelScene {
    let mut moved = scene.clone();
    let along = |v: &mut widebragg::vector::Vec3, axis: usize| *[&mut v.x, &mut v.y, &mut v.z][axis] += by;
    let KernelScene { cell, lattice, detector: d, .. } = &mut moved;
    let [a, b, c] = &mut lattice.reciprocal_per_angstrom;
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
        _ => moved.default_f += by,
    }
    moved
}

/// A step of each variable that turns the phases of the interference function by a tenth or so.
fn first_step(scene: &KernelScene, variable: usize) -> f64 {
    let lambda = scene.sources.iter().fold(f64::INFINITY, |least, source| least.min(source.lambda_m));
    let Orientation { a_m, b_m, c_m } = scene.cell;
    let edge = [a_m, b_m, c_m].iter().map(|v| v.length()).fold(0.0, f64::max);
    let cells = scene.lattice.cells.iter().copied().fold(1.0, f64::max);
    let index = cells * edge * 2.0 / lambda;
    let d = &scene.detector;
    let reach = d.pix0_m.length();
    let size = d.pixel_m * d.fast_pixels.max(d.slow_pixels) as f64;
    match variable {
        0..9 => 0.02 / (cells * 2.0 / lambda),
        9..18 => 1e-5 / edge * 1e-10,
        18..21 | 31 => 0.02 * reach / index,
        21..27 => 0.02 * reach / index / size.max(1e-3),
        30 => 1e-2 * d.close_distance_m.abs(),
        34 => 1e-2,
        32 | 33 | 35 => 0.02 / index,
        _ => 1e-2,
    }
}

fn image(scene: &KernelScene, threads: usize) -> Vec<f64> {
    scene.render(threads).expect("an image")
}

/// Ridders: central differences with ever smaller steps, extrapolated, and how far the best can be trusted; per pixel.
fn differences(scene: &KernelScene, threads: usize, variable: usize, first_step: f64) -> Vec<(f64, f64)> {
    const ROUNDS: usize = 7;
    let pixels = scene.detector.pixels();
    let mut best = vec![(0.0, f64::INFINITY); pixels];
    let mut rows: Vec<Vec<Vec<f64>>> = Vec::new();
    let mut step = first_step;
    for round in 0..ROUNDS {
        let (above, below) =
            (image(&moved(scene, variable, step), threads), image(&moved(scene, variable, -step), threads));
        let plain: Vec<f64> = above.iter().zip(&below).map(|(x, y)| (x - y) / (2.0 * step)).collect();
        let mut row = vec![plain];
        for order in 1..=round {
            let factor = 4f64.powi(order as i32);
            let (finer, coarser) = (&row[order - 1], &rows[round - 1][order - 1]);
            let next: Vec<f64> =
                finer.iter().zip(coarser).map(|(f, c)| (factor * f - c) / (factor - 1.0)).collect();
            for (i, best) in best.iter_mut().enumerate() {
                // Rounding of the images themselves cannot show in how the estimates settle where they are all alike.
                let rounding = 4.0 * f64::EPSILON * above[i].abs() / step;
                let error = (next[i] - finer[i]).abs().max((next[i] - coarser[i]).abs()) + rounding;
                if error < best.1 {
                    *best = (next[i], error);
                }
            }
            row.push(next);
        }
        rows.push(row);
        step /= 2.0;
    }
    best
}

/// What `job` makes of a scene and the derivatives of its orientations.
fn differentiated<R>(
    scene: &KernelScene,
    threads: usize,
    job: impl FnOnce(&Scene<'_>, &widebragg::gradient::TurnTable<'_>, &Carryover<'_>) -> R,
) -> R {
    scene
        .with(threads, |scene, slots| {
            let entries = scene.orientations().entries().len();
            let mut rotations = vec![IDENTITY; entries];
            let [mut phi0, mut step, mut mosaic] = [(); 3].map(|()| vec![Orientation::default(); entries]);
            let buffers = TurnBuffers {
                rotations: &mut rotations,
                by_phi0: &mut phi0,
                by_step: &mut step,
                by_mosaic: &mut mosaic,
            };
            let turns = fill_turns(scene.orientations(), buffers).expect("derivatives of orientations");
            job(scene, &turns, &Carryover::Streams(slots))
        })
        .expect("a scene")
}

/// An image for each variable.
fn pushed(scene: &KernelScene, threads: usize) -> Vec<Vec<f64>> {
    let directions: Vec<Variables> = (0..VARIABLES).map(unit).collect();
    let (pixels, rows) = (scene.detector.pixels(), 0..scene.detector.slow_pixels);
    let mut images = vec![0.0; pixels * VARIABLES];
    differentiated(scene, threads, |scene, turns, carry| {
        scene.pushforward_rows(turns, rows, &directions, carry, &mut images).expect("derivatives");
    });
    images.chunks_exact(pixels).map(<[f64]>::to_vec).collect()
}

#[test]
fn every_variable_is_its_finite_difference() {
    let scenes: u64 = std::env::var("WIDEBRAGG_GRADIENT_SCENES").map_or(60, |n| n.parse().expect("a number"));
    let first: u64 = std::env::var("WIDEBRAGG_FIRST_SCENE").map_or(0, |n| n.parse().expect("a number"));
    let (mut decided, mut undecided) = (0u64, 0u64);
    let mut failures = Vec::new();
    for seed in first..first + scenes {
        let scene = small(seed);
        for mode in [Mode::CParity, Mode::Spec] {
            let kernel = KernelScene::from_simulation(&scene.simulation, Simd::detect(), mode);
            let pushed = pushed(&kernel, scene.threads);
            for (variable, slopes) in pushed.iter().enumerate() {
                let scale = slopes.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
                let step = first_step(&kernel, variable);
                let mut found = differences(&kernel, scene.threads, variable, step);
                let agrees = |slope: f64, difference: f64| (slope - difference).abs() <= LIMIT * scale;
                // The image jumps where an index is half-way between two nodes: steps that reach across one are too long.
                for shorter in [50.0, 2500.0] {
                    if slopes
                        .iter()
                        .zip(&found)
                        .any(|(&s, &(d, error))| !agrees(s, d) && error <= LIMIT * scale)
                    {
                        found = differences(&kernel, scene.threads, variable, step / shorter);
                    }
                }
                for (i, (&slope, &(difference, error))) in slopes.iter().zip(&found).enumerate() {
                    if agrees(slope, difference) {
                        decided += 1;
                    } else if error > LIMIT * scale {
                        undecided += 1;
                    } else {
                        failures.push(format!(
                            "{seed} {mode:?} variable {variable} pixel {i}: {slope:e}, by differences {difference:e} \
                             +- {error:e}, largest {scale:e}\n{}",
                            scene.line
                        ));
                    }
                }
            }
        }
    }
    println!("{decided} derivatives are their differences, {undecided} cannot be told");
    for failure in failures.iter().take(20) {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{} derivatives are wrong", failures.len());
    assert!(undecided * 100 <= decided, "{undecided} of {decided}");
}
