//! The recorded formulas are the kernel's: on the interpreter they give the bits of the SIMD level that rounds alike.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use small::small;
use std::collections::HashMap;
use std::sync::Arc;
use widebragg::carryover::{Carryover, Slot};
use widebragg::formulas::StepFormula;
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::lattice::Precision;
use widebragg::light::LightRule;
use widebragg::scene::Scene;
use widebragg_devices::device::Device;
use widebragg_devices::interpreted::Interpreted;
use widebragg_devices::interpreter::Rounding;
use widebragg_devices::tables::{Band, PixelType, SceneTables, nodes_of};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::failure::Failure;
use widebragg_experiment::frame::{Frame, render_frame};
use widebragg_tests::device::{Defect, InterpretingDriver};
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::KernelScene;

/// Random scenes that are compared.
const SCENES: u64 = 400;

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
    for seed in 0..SCENES {
        let drawn = small(seed);
        for mode in [Mode::Spec, Mode::CParity] {
            for (simd, rounding) in levels() {
                let mut scene = KernelScene::from_simulation(&drawn.simulation, simd, mode);
                if seed % 5 == 0 {
                    scene.crystallite.cells = scene.crystallite.cells.map(|n| n + 0.25);
                }
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
    for formula in StepFormula::all() {
        assert!(compared.get(&formula).is_some_and(|&count| count > 100), "{formula:?}: {compared:?}");
    }
}

fn bits(pixels: &[f32]) -> Vec<u32> {
    pixels.iter().map(|pixel| pixel.to_bits()).collect()
}

fn render(experiment: &Experiment) -> Result<Frame, Failure> {
    let mut orientations = experiment.orientation_buffer()?;
    render_frame(experiment, &experiment.scenes(0, &mut orientations)?, &|| ())
}

fn on(experiment: &Experiment, rounding: Rounding, defect: Defect, is_optional: bool) -> Experiment {
    let device = Device::new(Box::new(InterpretingDriver::new(rounding, defect)), is_optional);
    // The frames have a few rows: each is a band.
    let device = device.in_bands_of(1);
    experiment.clone().on_device(Arc::new(device)).expect("a level that rounds alike")
}

#[test]
fn frames_of_a_device_are_those_of_the_processor() {
    let mut counted = 0;
    for seed in 0..60 {
        let drawn = small(seed);
        for mode in [Mode::Spec, Mode::CParity] {
            for (simd, rounding) in levels() {
                let scene = KernelScene::from_simulation(&drawn.simulation, simd, mode);
                let mut experiment = scene.experiment();
                experiment.reference_threads = drawn.threads;
                experiment.light = LightRule::Loop;
                let device = on(&experiment, rounding, Defect::None, false);
                let (expected, found) =
                    (render(&experiment).expect("a frame"), render(&device).expect("a frame"));
                let what = format!("seed {seed} {mode:?} {} {}", simd.level(), drawn.line);
                assert_eq!(bits(&found.pixels), bits(&expected.pixels), "{what}");
                // Rows are added up in other pieces where interpolation ends between them.
                let apart = (found.report.omega_sum_sr - expected.report.omega_sum_sr).abs();
                assert!(apart <= 1e-14 * expected.report.omega_sum_sr, "{what}: {apart}");
                let counts = |frame: &Frame| (frame.report.pixels, frame.report.fallbacks);
                assert_eq!(counts(&found), counts(&expected), "{what}");
                let slots = |frame: &Frame| frame.panels[0].slots.clone();
                assert_eq!(slots(&found), slots(&expected), "{what}");
                counted +=
                    usize::from(expected.report.fallbacks > 0) + usize::from(!slots(&expected).is_empty());
            }
        }
    }
    assert!(counted > 20, "{counted} frames with fallbacks or a carryover");
}

/// A frame of a few bands, at a level and its rounding.
fn some_experiment() -> (Experiment, Rounding) {
    let (simd, rounding) = levels()[0];
    let scene = (0..SCENES)
        .map(|seed| KernelScene::from_simulation(&small(seed).simulation, simd, Mode::Spec))
        .find(|scene| scene.roi.slow_max > scene.roi.slow_min);
    (scene.expect("a scene of several rows").experiment(), rounding)
}

#[test]
fn a_device_with_a_defect_is_refused_by_name() {
    let (experiment, rounding) = some_experiment();
    for (defect, words) in [
        (Defect::OtherRounding, "was expected, and this one"),
        (Defect::Miscompiles, "pixels of the self-test"),
        (Defect::NoMemory, "no memory for nodes"),
        (Defect::LostAfter(0), "the device is lost"),
        // The three scenes of the self-test are rendered, and the first rows of the frame.
        (Defect::LostAfter(4), "the device is lost"),
    ] {
        let device = on(&experiment, rounding, defect, false);
        let failure = render(&device).expect_err("a failure").to_string();
        assert!(failure.starts_with("test:0: ") && failure.contains(words), "{defect:?}: {failure}");
        assert_eq!(failure.lines().count(), 1, "{failure}");
        // It is not tried again.
        assert_eq!(render(&device).expect_err("a failure").to_string(), failure);
    }
}

#[test]
fn the_processor_goes_on_for_an_optional_device() {
    let (experiment, rounding) = some_experiment();
    let expected = render(&experiment).expect("a frame");
    for defect in [Defect::Miscompiles, Defect::NoMemory, Defect::LostAfter(4)] {
        let device = on(&experiment, rounding, defect, true);
        let found = render(&device).expect("a frame");
        assert_eq!(bits(&found.pixels), bits(&expected.pixels), "{defect:?}");
        let device = device.device.expect("a device");
        assert!(device.failed().is_some(), "{defect:?}");
    }
}
