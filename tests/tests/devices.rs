//! The recorded formulas are the kernel's: on the interpreter they give the bits of the SIMD level that rounds alike.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use small::small;
use std::collections::HashMap;
use widebragg::carryover::{Carryover, Slot};
use widebragg::formulas::StepFormula;
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::lattice::Precision;
use widebragg::scene::Scene;
use widebragg_devices::interpreted::Interpreted;
use widebragg_devices::interpreter::Rounding;
use widebragg_devices::tables::{Band, PixelType, SceneTables, nodes_of};
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::KernelScene;

/// The levels and how they round.
fn levels() -> Vec<(Simd, Rounding)> {
    let level = |level, rounding| Simd::exactly(level).map(|simd| (simd, rounding));
    [level(SimdLevel::Portable, Rounding::Separate), level(SimdLevel::Avx2, Rounding::Fused)]
        .into_iter()
        .flatten()
        .collect()
}

/// Compares all pixels of a scene; returns how many were compared for each formula.
fn compare(
    scene: &Scene<'_>,
    slots: &mut [Slot],
    rounding: Rounding,
    what: &str,
) -> HashMap<StepFormula, usize> {
    let mut compared = HashMap::new();
    let Some(tables) = SceneTables::new(scene) else { return compared };
    let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
    let carry = &mut Carryover::Streams(slots);
    let mut expected = vec![f64::NAN; rows * columns];
    let report = scene.render_rows(0..rows, &mut expected, carry).expect("an image");
    let mut pixels = vec![f64::NAN; rows * columns];
    let mut fallbacks = 0;
    for part in scene.row_formulas() {
        let range = part.rows.start * columns..part.rows.end * columns;
        let Some(formula) = part.formula else {
            let report = scene.render_rows(part.rows, &mut pixels[range], carry).expect("rows");
            fallbacks += report.fallbacks;
            continue;
        };
        let band = Band::new(scene, &tables, formula, part.rows.clone(), PixelType::Wide);
        let mut interpreted = Interpreted::new(formula, rounding);
        for row in 0..part.rows.len() {
            for column in 0..band.columns.len() {
                let (slow, fast) = (part.rows.start + row, band.columns.start + column);
                let pixel = interpreted.pixel(&tables, &band, nodes_of(scene), [row, column]);
                pixels[slow * columns + fast] = pixel.photons;
                if scene.is_selected(slow, fast) {
                    fallbacks += u64::from(pixel.fallbacks);
                }
            }
        }
        *compared.entry(formula).or_default() += range.len();
    }
    let completed = scene.complete_rows(0..rows, &mut pixels, carry).expect("rows");
    let differs = (0..pixels.len()).find(|&i| pixels[i].to_bits() != expected[i].to_bits());
    assert_eq!(differs.map(|i| (i, pixels[i], expected[i])), None, "{what}");
    assert_eq!(
        (completed.pixels, completed.omega_sum_sr, fallbacks),
        (report.pixels, report.omega_sum_sr, report.fallbacks),
        "{what}"
    );
    compared
}

#[test]
fn recorded_formulas_give_the_bits_of_their_level() {
    let mut compared: HashMap<StepFormula, usize> = HashMap::new();
    for seed in 0..400 {
        let drawn = small(seed);
        for mode in [Mode::Spec, Mode::CParity] {
            for (simd, rounding) in levels() {
                let scene = KernelScene::from_simulation(&drawn.simulation, simd, mode);
                for precision in [Precision::Double, Precision::Mixed] {
                    let what = format!("seed {seed} {mode:?} {} {precision} {}", simd.level(), drawn.line);
                    let pixels = scene.with(drawn.threads, |scene, slots| {
                        compare(&scene.with_precision(precision), slots, rounding, &what)
                    });
                    for (formula, count) in pixels.expect("a scene") {
                        *compared.entry(formula).or_default() += count;
                    }
                }
            }
        }
    }
    println!("{compared:?}");
}
