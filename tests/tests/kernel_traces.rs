//! The kernel's probe compared with golden traces, and the kernel's rows with the authoritative run, where
//! its inputs are available.

use widebragg::carryover::Carryover;
use widebragg::lanes::Simd;
use widebragg::render::{PixelProbe, Scene, StepProbe};
use widebragg_experiment::trace::taps::{Value, step_numbers, taps};
use widebragg_tests::compare::{compare, relative};
use widebragg_tests::golden::{self, Tap, TracedPixel};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;
use widebragg_tests::skipped::skipped;

const LIMIT: f64 = 1e-9;

fn close(name: &str, ours: Tap, expected: Tap) {
    match (ours, expected) {
        (Tap::Scalar(x), Tap::Scalar(y)) => {
            assert!(relative(x, y, 0.0) <= LIMIT, "{name}: {x}, expected {y}")
        }
        (Tap::Vector(x), Tap::Vector(y)) => {
            // Where components cancel, the error is relative to the vector.
            let length = y.iter().fold(0.0_f64, |max, c| max.max(c.abs()));
            for (x, y) in x.iter().zip(y) {
                assert!(relative(*x, y, length) <= LIMIT, "{name}: {x}, expected {y}");
            }
        }
        _ => panic!("{name}: one is a number and the other a vector"),
    }
}

/// The pixel, and the steps of its first sweep for the first domain, in order of phi.
fn probe(scene: &Scene<'_>, carry: &Carryover<'_>, slow: usize, fast: usize) -> (PixelProbe, Vec<StepProbe>) {
    let mut steps: Vec<StepProbe> = Vec::new();
    let pixel = scene.probe_pixel(slow, fast, carry, &mut |step| {
        if (step.layer, step.subpixel, step.source, step.domain) == (0, (0, 0), 0, 0) {
            steps.push(*step);
        }
    });
    (pixel.expect("a pixel"), steps)
}

fn check(case: &str, scene: &Scene<'_>, carry: &Carryover<'_>, expected: &TracedPixel) {
    let (slow, fast) = (expected.pixel.slow, expected.pixel.fast);
    let (pixel, steps) = probe(scene, carry, slow, fast);
    let first = steps.first().unwrap_or_else(|| panic!("{case} {slow} {fast}: no step"));
    assert_eq!(first.phi_step, 0, "{case} {slow} {fast}");
    let taps = taps(scene, &pixel, Some(first));
    for (name, &value) in &expected.taps {
        let found = taps.iter().find(|(tap, _)| tap == name);
        let (_, ours) = found.unwrap_or_else(|| panic!("{case}: no tap {name}"));
        let ours = match *ours {
            Value::Number(x) => Tap::Scalar(x),
            Value::Vector(v) => Tap::Vector(v),
        };
        close(&format!("{case} {slow} {fast} {name}"), ours, value);
    }
    let sweep = scene.orientations().sweep();
    for (i, (step, ours)) in expected.per_phi.iter().zip(&steps).enumerate() {
        assert_eq!(ours.phi_step, i, "{case} {slow} {fast}");
        let numbers = step_numbers(ours, sweep.phi_rad(i));
        for (name, &value) in step.iter().filter(|(name, _)| *name != "phi_tic") {
            let found = numbers.iter().find(|(number, _)| number == name);
            let (_, ours) = *found.unwrap_or_else(|| panic!("{case}: no value {name}"));
            close(&format!("{case} {slow} {fast} {i} {name}"), Tap::Scalar(ours), Tap::Scalar(value));
        }
    }
}

#[test]
fn traces_match_the_reference() {
    let traces = golden::traces().expect("golden traces");
    assert_eq!(traces.len(), 7, "golden traces");
    for trace in traces {
        let Some(folder) = golden::inputs_of(&trace.case) else {
            skipped(format!("trace {} (its inputs are missing)", trace.case));
            continue;
        };
        let simulation = Simulation::from_args(&trace.args, &folder).expect("command line");
        for simd in Simd::available() {
            KernelScene::from_simulation(&simulation, simd, Mode::CParity)
                .with(1, |scene, slots| {
                    let carry = Carryover::Streams(slots);
                    for pixel in &trace.traces {
                        check(&format!("{} {}", trace.case, simd.level()), scene, &carry, pixel);
                    }
                })
                .expect("a scene");
        }
    }
}

/// The probe's value is the pixel's, and does not depend on the rest of the image.
#[test]
fn a_probed_pixel_equals_the_rendered_one() {
    for trace in golden::traces().expect("golden traces") {
        if trace.case == "authoritative" {
            continue;
        }
        let simulation = Simulation::from_args(&trace.args, &golden::inputs()).expect("command line");
        for mode in [Mode::CParity, Mode::Spec] {
            for simd in Simd::available() {
                KernelScene::from_simulation(&simulation, simd, mode)
                    .with(1, |scene, slots| {
                        for pixel in &trace.traces {
                            let (slow, fast) = (pixel.pixel.slow, pixel.pixel.fast);
                            let (probed, _) = probe(scene, &Carryover::Streams(slots), slow, fast);
                            let rendered = scene.render_pixel(slow, fast, &mut Carryover::Streams(slots));
                            assert_eq!(
                                rendered,
                                Ok(probed.value),
                                "{} {mode:?} {}",
                                trace.case,
                                simd.level()
                            );
                        }
                    })
                    .expect("a scene");
            }
        }
    }
}

#[test]
fn authoritative_rows_match_the_reference() {
    let Some((figures, simulation)) = golden::authoritative_run() else { return };
    for mode in [Mode::CParity, Mode::Spec] {
        let expected = figures.image(mode).expect("rows");
        for simd in Simd::available() {
            let rendered = KernelScene::from_simulation(&simulation, simd, mode).with(1, |scene, slots| {
                let mut image = vec![0.0_f32; expected.len()];
                for (row, &slow) in image.chunks_mut(figures.fast_pixels).zip(&figures.rows) {
                    scene.render_rows(slow..slow + 1, row, &mut Carryover::Streams(slots)).expect("a row");
                }
                image
            });
            let difference = compare(&rendered.expect("a scene"), &expected).expect("same size");
            println!("{mode:?} {}: {difference}", simd.level());
            assert!(difference.identical_share() >= 0.9998, "{mode:?} {}: {difference}", simd.level());
            assert!(difference.max_relative <= 2e-6, "{mode:?} {}: {difference}", simd.level());
            assert!(difference.sum_difference <= 1e-7, "{mode:?} {}: {difference}", simd.level());
        }
    }
}

#[test]
fn the_second_reference_thread_starts_with_the_unrotated_cell() {
    let Some((figures, simulation)) = golden::authoritative_run() else { return };
    let pixel = figures.two_thread_first_pixel;
    for simd in Simd::available() {
        let scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
        for (threads, expected) in [(1, pixel.one_thread), (2, pixel.two_threads)] {
            let value = scene.with(threads, |scene, slots| {
                scene.render_pixel(pixel.slow, pixel.fast, &mut Carryover::Streams(slots))
            });
            let value = value.and_then(|value| value).expect("a pixel");
            assert!(relative(value, expected, 0.0) <= 1e-6, "{threads} threads, {}: {value}", simd.level());
        }
    }
}

#[test]
fn a_pixel_can_be_rendered_alone() {
    let Some((_, simulation)) = golden::authoritative_run() else { return };
    for simd in Simd::available() {
        KernelScene::from_simulation(&simulation, simd, Mode::CParity)
            .with(1, |scene, slots| {
                let (pixel, steps) = probe(scene, &Carryover::Streams(slots), 685, 1039);
                close("F_latt", Tap::Scalar(steps[0].f_latt), Tap::Scalar(-2.38319665299058));
                close("I_before_scaling", Tap::Scalar(pixel.intensity), Tap::Scalar(943654.80923755));
            })
            .expect("a scene");
    }
}
