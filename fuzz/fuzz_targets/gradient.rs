//! Derivatives of tiny scenes at every level: no number causes a panic. Where the numbers are physically
//! sensible, the derivatives are finite and the pullback is the transpose of the pushforward.

#![no_main]

#[path = "scene/input.rs"]
mod input;

use input::{Input, Tables};
use libfuzzer_sys::fuzz_target;
use widebragg::Error;
use widebragg::carryover::{Carryover, Slot};
use widebragg::gradient::{OrientationDerivatives, Sums, VARIABLES, Variables, Wanted};
use widebragg::lanes::Simd;
use widebragg::render::{Scene, open_streams};
use widebragg::structure_factor::LookupRule;
use widebragg_tests::scene::with_turns;

fuzz_target!(|input: Input| {
    let Ok(mut tables) = input.tables() else { return };
    for simd in Simd::available() {
        if differentiate(&input, &mut tables, simd).is_err() {
            // The kernel refuses the same scenes at every level.
            return;
        }
    }
});

fn differentiate(input: &Input, tables: &mut Tables, simd: Simd) -> Result<(), Error> {
    let scene = input.scene(tables, simd)?;
    let mut slots = vec![Slot::default(); 1 + usize::from(input.streams % 3)];
    open_streams(&scene, &mut slots)?;
    let rows = 0..scene.panel().slow_pixels;
    let latch =
        if input.latches() { scene.find_latch(rows.clone(), &Carryover::Streams(&mut slots))? } else { None };
    let scene = latch.map_or(scene, |latch| scene.with_lookup(LookupRule::TricubicUntil(latch)));
    let carry = Carryover::Streams(&mut slots);

    with_turns(&scene, 3, |turns| both_ways(input, &scene, turns, &carry))
}

/// Both directions of differentiation.
fn both_ways(
    input: &Input,
    scene: &Scene<'_>,
    turns: &OrientationDerivatives<'_>,
    carry: &Carryover<'_>,
) -> Result<(), Error> {
    let rows = 0..scene.panel().slow_pixels;
    let pixels = scene.panel().pixels();
    let weights: Vec<f64> = (0..pixels).map(|i| 1.0 + (i % 3) as f64).collect();
    let nodes = scene.parts().structure_factors.grid.map_or(0, |grid| grid.nodes().count());
    let mut by_f = vec![0.0; nodes];
    let mut sums = Sums { wanted: Wanted::ALL, structure_factors: Some(&mut by_f), ..Sums::default() };
    scene.pullback_rows(turns, rows.clone(), &weights, carry, &mut sums)?;
    let pulled = sums.variables.to_array();
    let directions: Vec<Variables> = (0..VARIABLES)
        .map(|i| {
            let mut one = [0.0; VARIABLES];
            one[i] = 1.0;
            Variables::from_array(&one)
        })
        .collect();
    let mut images = vec![f64::NAN; pixels * VARIABLES];
    scene.pushforward_rows(turns, rows.clone(), &directions, carry, &mut images)?;
    // A row has the same bits alone and together with the others.
    let (slow, columns) = (usize::from(input.alone[0]) % rows.end, scene.panel().fast_pixels);
    let mut row = vec![f64::NAN; columns * VARIABLES];
    scene.pushforward_rows(turns, slow..slow + 1, &directions, carry, &mut row)?;
    for (alone, image) in row.chunks_exact(columns).zip(images.chunks_exact(pixels)) {
        for (alone, among) in alone.iter().zip(&image[slow * columns..]) {
            assert!(
                alone.to_bits() == among.to_bits() || (alone.is_nan() && among.is_nan()),
                "{alone:e}, not {among:e}"
            );
        }
    }
    if !input.is_tame() {
        return Ok(());
    }
    assert!(by_f.iter().all(|slope| slope.is_finite()), "a derivative with respect to F is not finite");
    for (i, (sum, image)) in pulled.into_iter().zip(images.chunks_exact(pixels)).enumerate() {
        let terms = || image.iter().zip(&weights).map(|(slope, weight)| slope * weight);
        let (expected, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
        // Subnormal numbers have few digits.
        let limit = 1e-11 * size + f64::MIN_POSITIVE;
        assert!((sum - expected).abs() <= limit, "variable {i}: {sum:e}, {expected:e}, {size:e}");
    }
    Ok(())
}
