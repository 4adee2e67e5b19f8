//! Derivatives from lists of spots: what they leave out is bounded, and the bounds are not slack.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/spots.rs"]
mod spots;

use spots::{Random, SCENES, scene, split, with_lists};
use widebragg::carryover::Carryover;
use widebragg::gradient::{LeftOut, OrientationDerivatives, Sums, VARIABLES, Variables, Wanted};
use widebragg::lanes::Simd;
use widebragg::light::{Cutoff, Light};
use widebragg::scene::Scene;
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::{KernelScene, with_turns};

/// Cutoffs from those that leave out most of the light to those that leave out nothing.
const CUTOFFS: [Cutoff; 5] = [
    Cutoff::Exponent(0.7),
    Cutoff::Exponent(2.0),
    Cutoff::Exponent(6.0),
    Cutoff::Exponent(20.0),
    Cutoff::Exact,
];

fn unit(variable: usize) -> Variables {
    let mut array = [0.0; VARIABLES];
    array[variable] = 1.0;
    Variables::from_array(&array)
}

fn units() -> Vec<Variables> {
    (0..VARIABLES).map(unit).collect()
}

/// Weights that differ from pixel to pixel, some of them below 0.
fn weights(pixels: usize) -> Vec<f64> {
    (0..pixels).map(|i| 1.0 - 0.6 * (i % 5) as f64).collect()
}

/// Derivatives of a scene: an image for each variable, the sums over weighted pixels, their sizes, and those by structure
/// factors.
#[derive(Debug, PartialEq)]
struct Derivatives {
    images: Vec<f64>,
    sums: Variables,
    sizes: Variables,
    by_f: Vec<f64>,
}

/// What derivatives are computed from.
struct Inputs<'i, 's> {
    scene: &'i Scene<'s>,
    turns: &'i OrientationDerivatives<'i>,
    carry: &'i Carryover<'i>,
    weights: Vec<f64>,
}

impl Inputs<'_, '_> {
    fn empty(&self) -> Derivatives {
        let nodes = self.scene.parts().structure_factors.grid.map_or(0, |grid| grid.nodes().count());
        Derivatives {
            images: vec![0.0; self.scene.panel().pixels() * VARIABLES],
            sums: Variables::default(),
            sizes: Variables::default(),
            by_f: vec![0.0; nodes],
        }
    }

    fn by_loop(&self) -> Derivatives {
        let Self { scene, turns, carry, ref weights } = *self;
        let mut found = self.empty();
        let rows = 0..scene.panel().slow_pixels;
        scene
            .pushforward_rows(turns, rows.clone(), &units(), carry, &mut found.images)
            .expect("images of derivatives");
        let structure_factors = Some(&mut found.by_f[..]);
        let mut sums = Sums { wanted: Wanted::ALL, structure_factors, ..Sums::default() };
        scene.pullback_rows(turns, rows, weights, carry, &mut sums).expect("sums of derivatives");
        assert_eq!(sums.sizes, Variables::default());
        found.sums = sums.variables;
        found
    }

    /// From lists in `bands` of rows, made of `pieces` of the pairs.
    fn by_list(&self, light: &Light<'_, '_>, (bands, pieces): (usize, usize)) -> Derivatives {
        let Self { scene, turns, carry, ref weights } = *self;
        let mut found = self.empty();
        let (pixels, columns) = (scene.panel().pixels(), scene.panel().fast_pixels);
        for rows in split(scene.panel().slow_pixels, bands) {
            let at = rows.start * columns..rows.end * columns;
            let mut band = vec![f64::NAN; at.len() * VARIABLES];
            let structure_factors = Some(&mut found.by_f[..]);
            let mut sums = Sums { wanted: Wanted::ALL, structure_factors, ..Sums::default() };
            with_lists(light, &rows, pieces, &mut |light, lists| {
                light.pushforward_rows(lists, turns, rows.clone(), &units(), carry, &mut band)?;
                light.pullback_rows(lists, turns, rows.clone(), &weights[at.clone()], carry, &mut sums)
            })
            .expect("derivatives");
            found.sums.add(&sums.variables);
            found.sizes.add(&sums.sizes);
            for (image, band) in found.images.chunks_exact_mut(pixels).zip(band.chunks_exact(at.len().max(1)))
            {
                image[at.clone()].copy_from_slice(band);
            }
        }
        found
    }
}

/// For each variable, and at last for structure factors, the largest part of its bound that was really left out.
type Tightest = [f64; VARIABLES + 1];

/// For each variable, the least part of its bound that scenes must really leave out. That of a vector is the largest of its
/// components; the distance along the beam has no part in a flat image, and the others are bounded by the largest q, the
/// shortest distance and so on, all at once.
const LEAST: [(usize, usize, f64); 15] = [
    (0, 9, 5e-3),
    (9, 18, 0.1),
    (18, 21, 0.1),
    (21, 24, 0.05),
    (24, 27, 0.05),
    (27, 30, 5e-3),
    (30, 31, 0.5),
    (32, 33, 1e-3),
    (33, 34, 1e-4),
    (34, 35, 1e-5),
    (35, 36, 2e-3),
    // These are as close as the f32 bound: half of it would be too small.
    (36, 37, 0.5),
    (37, 38, 0.5),
    (38, 39, 1e-3),
    (31, 32, 0.0),
];

/// Compares both at several cutoffs; returns how many comparisons with something left out were made, and how many of them
/// with a carryover.
fn compare(
    scene: &KernelScene,
    threads: usize,
    random: &mut Random,
    what: &str,
    tightest: &mut Tightest,
) -> [usize; 2] {
    let mut compared = [0; 2];
    let run = |scene: &Scene<'_>, slots: &mut [widebragg::carryover::Slot]| {
        with_turns(scene, 3, |turns| {
            let weights = weights(scene.panel().pixels());
            let carry = Carryover::Streams(slots);
            let inputs = Inputs { scene, turns, carry: &carry, weights };
            let whole = inputs.by_loop();
            for cutoff in CUTOFFS {
                let Some(light) = scene.light(cutoff) else { continue };
                let left_out = light.left_out_of_derivatives(turns).expect("derivatives of this scene");
                let listed = inputs.by_list(&light, (random.whole(1, 3), random.whole(1, 4)));
                let what = format!("{what} {cutoff:?}");
                check(&inputs, (&whole, &listed), &left_out, &what, tightest);
                let leaves_out = usize::from(light.left_out_of_step() > 0.0);
                compared[0] += leaves_out;
                compared[1] += leaves_out * usize::from(scene.carries());
                if light.left_out_of_step() == 0.0 {
                    assert_eq!(listed.images, whole.images, "{what}");
                    assert_eq!(left_out, LeftOut::default(), "{what}");
                }
            }
        });
    };
    scene.with(threads, run).unwrap_or_else(|error| panic!("{what}: {error}"));
    compared
}

fn check(
    inputs: &Inputs<'_, '_>,
    (whole, listed): (&Derivatives, &Derivatives),
    left_out: &LeftOut,
    what: &str,
    tightest: &mut Tightest,
) {
    let pixels = inputs.scene.panel().pixels();
    let sum_of_weights: f64 = inputs.weights.iter().map(|weight| weight.abs()).sum();
    let sums = whole.sums.to_array().into_iter().zip(listed.sums.to_array()).zip(listed.sizes.to_array());
    let images = whole.images.chunks_exact(pixels).zip(listed.images.chunks_exact(pixels));
    let bounds = left_out.variables.to_array();
    for (variable, (((whole, listed), ((sum, listed_sum), size)), bound)) in
        images.zip(sums).zip(bounds).enumerate()
    {
        let at = format!("{what}, variable {variable}");
        for (whole, listed) in whole.iter().zip(listed) {
            let apart = (whole - listed).abs();
            assert!(
                apart <= bound + 1e-12 * whole.abs() + f64::MIN_POSITIVE,
                "{at}: {whole:e} {listed:e} {bound:e}"
            );
            if bound > 0.0 && bound.is_finite() && apart > 1e-9 * whole.abs() {
                tightest[variable] = tightest[variable].max(apart / bound);
            }
        }
        let terms = || listed.iter().zip(&inputs.weights).map(|(slope, weight)| slope * weight);
        let expected: f64 = terms().map(f64::abs).sum();
        assert!(
            (size - expected).abs() <= 1e-11 * expected + f64::MIN_POSITIVE,
            "{at}: sizes {size:e} {expected:e}"
        );
        let apart = (sum - listed_sum).abs();
        let rounding = 1e-11 * size.max(sum.abs()) + f64::MIN_POSITIVE;
        assert!(apart <= bound * sum_of_weights + rounding, "{at}: {sum:e} {listed_sum:e} {bound:e}");
    }
    let most = left_out.structure_factor * sum_of_weights;
    for (whole, listed) in whole.by_f.iter().zip(&listed.by_f) {
        let apart = (whole - listed).abs();
        assert!(
            apart <= most + 1e-11 * whole.abs() + f64::MIN_POSITIVE,
            "{what}, by F: {whole:e} {listed:e} {most:e}"
        );
        if most > 0.0 && apart > 1e-9 * whole.abs() {
            tightest[VARIABLES] = tightest[VARIABLES].max(apart / most);
        }
    }
}

#[test]
fn derivatives_lack_no_more_than_what_lists_may_leave_out() {
    let mut tightest = [0.0; VARIABLES + 1];
    let (mut compared, mut carried) = (0, 0);
    for seed in 0..SCENES {
        for mode in [Mode::Spec, Mode::CParity] {
            for simd in Simd::available() {
                let (mut scene, threads, line) = scene(seed, simd, mode);
                // Neither below the smallest numbers nor beyond the largest.
                scene.fluence_per_m2 = 1e24;
                let what = format!("seed {seed} {mode:?} {} {line}", simd.level());
                let [all, carrying] = compare(&scene, threads, &mut Random(seed), &what, &mut tightest);
                (compared, carried) = (compared + all, carried + carrying);
            }
        }
    }
    println!("{compared} comparisons, {carried} with a carryover, largest parts of bounds {tightest:.6?}");
    assert!(compared > 2 * SCENES as usize, "{compared} comparisons of {SCENES} scenes");
    assert!(carried > 100, "{carried} comparisons with a carryover");
    for (start, end, least) in LEAST {
        let part = tightest[start..end].iter().copied().fold(0.0, f64::max);
        assert!(part >= least && part <= 1.0, "variables {start} to {end}: {part:e} of the bound");
    }
}
