//! The carryover through the C interface: per stream and per pixel, forks for threads, and carryovers of
//! other scenes.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls under one contract")]

#[path = "common/scene.rs"]
mod made;
#[path = "../../tests/tests/properties/random.rs"]
mod random;

use core::ptr::null_mut;
use std::thread;

use made::{Made, make, placed, sources};
use random::Random;
use widebragg::carryover::stream_rows;
use widebragg::lanes::Simd;
use widebragg_ffi::carryover::*;
use widebragg_ffi::enums::WB_SPEC;
use widebragg_ffi::latch::{wb_latch, wb_scene_find_latch};
use widebragg_ffi::level::WB_SIMD_PORTABLE;
use widebragg_ffi::parameters::{wb_scene_parameters, wb_source};
use widebragg_ffi::render::{wb_render_pixel, wb_render_rows};
use widebragg_ffi::status::*;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

fn kernel() -> KernelScene {
    let case = Case::load("phi_zero_start").expect("a golden case");
    let simulation = Simulation::from_args(&case.args, &golden::inputs()).expect("a golden command line");
    KernelScene::from_simulation(&simulation, Simd::detect(), Mode::CParity)
}

fn slot(carryover: *const wb_carryover, i: usize) -> wb_carryover_slot {
    let mut slot = core::mem::MaybeUninit::uninit();
    // SAFETY: the carryover was made, and `slot` is a local with room for one.
    assert_eq!(unsafe { wb_carryover_read(carryover, i, slot.as_mut_ptr()) }, WB_OK);
    // SAFETY: the call above has initialised it.
    unsafe { slot.assume_init() }
}

fn use_at(carryover: *const wb_carryover, made: &Made, slow: usize, fast: usize) -> (i32, i64, i64) {
    let mut found = wb_carryover_use { found: 9, left_by_slow: 9, left_by_fast: 9 };
    // SAFETY: carryover and scene were made, or the carryover is NULL; `found` is a local.
    let status = unsafe { wb_carryover_use_at(carryover, made.scene, slow, fast, &raw mut found) };
    assert_eq!(status, WB_OK);
    (found.found, found.left_by_slow, found.left_by_fast)
}

#[test]
fn streams_open_at_their_first_pixel_and_count_hits() {
    let kernel = kernel();
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    let (rows, columns) = (kernel.detector.slow_pixels, kernel.detector.fast_pixels);
    let carried = made.open(WB_STREAMS, 3);
    let mut count = 0;
    // SAFETY: the carryover was made, and the output is a local.
    assert_eq!(unsafe { wb_carryover_slots(carried.carryover, &raw mut count) }, WB_OK);
    assert_eq!(count, 3);
    for i in 0..3 {
        let stream = stream_rows(rows, 3, i);
        let slot = slot(carried.carryover, i);
        assert_eq!((slot.first_row, slot.end_row), (stream.start, stream.end));
        assert_eq!((slot.opening_slow, slot.opening_fast), (stream.start as i64, 0));
        assert_eq!((slot.left_by_slow, slot.left_by_fast, slot.hits, slot.fresh), (-1, -1, 0, 0));
        assert_eq!(slot.vectors_m[..3], kernel.cell.a_m.to_array());
        assert_eq!(slot.vectors_m[6..], kernel.cell.c_m.to_array());
        assert_eq!(use_at(carried.carryover, &made, stream.start, 0), (WB_FRESH, -1, -1));
        let left_by = (WB_HIT, stream.start as i64, 4);
        assert_eq!(use_at(carried.carryover, &made, stream.start, 5), left_by);
    }
    made.rows(0, rows, carried.carryover).expect("an image");
    let slots: Vec<_> = (0..3).map(|i| slot(carried.carryover, i)).collect();
    assert!(slots.iter().all(|slot| slot.fresh == 1));
    assert_eq!(slots.iter().map(|slot| slot.hits + slot.fresh).sum::<u64>(), (rows * columns) as u64);
    let mut slot = slots[0];
    // SAFETY: the carryover was made, and the output is a local.
    assert_eq!(unsafe { wb_carryover_read(carried.carryover, 3, &raw mut slot) }, WB_OUT_OF_RANGE);
}

#[test]
fn slots_per_pixel_give_the_same_image_in_any_order() {
    let kernel = kernel();
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    let (rows, columns) = (kernel.detector.slow_pixels, kernel.detector.fast_pixels);
    let streams = made.open(WB_STREAMS, 2);
    let image = made.rows(0, rows, streams.carryover).expect("an image");
    let pixels = made.open(WB_PIXELS, 2);
    for at in (0..rows * columns).rev() {
        let (slow, fast, mut value) = (at / columns, at % columns, f64::NAN);
        let before = use_at(streams.carryover, &made, slow, fast);
        assert_eq!(use_at(pixels.carryover, &made, slow, fast), before);
        // SAFETY: scene and carryover were made, and `value` is a local.
        let status = unsafe { wb_render_pixel(made.scene, slow, fast, &raw mut value, pixels.carryover) };
        assert_eq!((status, value as f32), (WB_OK, image[at]));
        let slot = slot(pixels.carryover, at);
        assert_eq!((slot.hits, slot.fresh), if before.0 == WB_HIT { (1, 0) } else { (0, 1) });
    }
}

/// A pointer that is passed to a thread.
struct Shared<T>(*mut T);
// SAFETY: threads only read the scene, and each has a carryover of its own.
unsafe impl<T> Send for Shared<T> {}

#[test]
fn two_threads_with_forks_give_the_image_and_the_counts_of_one() {
    let kernel = kernel();
    let sources = sources(&kernel);
    let made = make(&placed(&kernel, &sources)).expect("a scene");
    let (rows, columns) = (kernel.detector.slow_pixels, kernel.detector.fast_pixels);
    let single = made.open(WB_STREAMS, 1);
    let expected = made.rows(0, rows, single.carryover).expect("an image");

    let whole = made.open(WB_STREAMS, 1);
    // The counts of a fork start at zero, whatever those of the original are.
    let half = rows / 2;
    let mut image = made.rows(0, 1, whole.carryover).expect("a row");
    image.resize(rows * columns, f32::NAN);
    let forks = [whole.fork(), whole.fork()];
    assert_eq!(slot(forks[0].carryover, 0).hits, 0);
    let (upper, lower) = image.split_at_mut(half * columns);
    thread::scope(|scope| {
        for (first, band, fork) in [(1, &mut upper[columns..], &forks[0]), (half, lower, &forks[1])] {
            let (scene, carry) = (Shared(made.scene), Shared(fork.carryover));
            scope.spawn(move || {
                let (Shared(scene), Shared(carry)) = ({ scene }, { carry });
                // SAFETY: scene and carryover were made, and `band` has the given length.
                let status = unsafe {
                    wb_render_rows(scene, first, band.len() / columns, band.as_mut_ptr(), band.len(), carry)
                };
                assert_eq!(status, WB_OK);
            });
        }
    });
    assert!(image == expected);
    for fork in &forks {
        // SAFETY: both carryovers were made, and no thread renders any more.
        assert_eq!(unsafe { wb_carryover_absorb(whole.carryover, fork.carryover) }, WB_OK);
    }
    let (one, two) = (slot(single.carryover, 0), slot(whole.carryover, 0));
    assert_eq!((one.hits, one.fresh), (two.hits, two.fresh));
    // SAFETY: both carryovers were made, and no thread renders any more.
    assert_eq!(unsafe { wb_carryover_absorb(whole.carryover, whole.carryover) }, WB_OVERLAP);
}

#[test]
fn a_carryover_of_another_scene_is_refused() {
    let kernel = kernel();
    let sources = sources(&kernel);
    let p = placed(&kernel, &sources);
    let made = make(&p).expect("a scene");
    let next = make(&wb_scene_parameters { phi_step_rad: p.phi_step_rad * 1.5, ..p }).expect("a scene");
    let narrow = wb_scene_parameters { fast_pixels: p.fast_pixels - 1, roi_fast_max: p.fast_pixels - 2, ..p };
    let narrow = make(&narrow).expect("a scene");
    let carried = made.open(WB_STREAMS, 1);
    assert!(made.rows(0, 1, carried.carryover).is_ok());
    for other in [&next, &narrow] {
        assert_eq!(other.rows(0, 1, carried.carryover), Err(WB_OTHER_SCENE));
        let theirs = other.open(WB_STREAMS, 1);
        // SAFETY: both carryovers were made, and no thread renders.
        let status = unsafe { wb_carryover_absorb(carried.carryover, theirs.carryover) };
        assert_eq!(status, WB_OTHER_SCENE);
    }
    // A scene that needs no carryover accepts NULL or its own.
    let spec = make(&wb_scene_parameters { mode: WB_SPEC, ..p }).expect("a scene");
    assert!(spec.rows(0, 1, null_mut()).is_ok());
    assert_eq!(use_at(core::ptr::null(), &spec, 0, 0), (WB_NOT_USED, -1, -1));
    assert!(spec.rows(0, 1, spec.open(WB_STREAMS, 1).carryover).is_ok());
}

/// Scenes that differ in what may matter to the carryover, in pairs: each accepts its own carryover, and one of
/// another scene only if it gives the same pixels.
#[test]
fn carryovers_of_other_scenes_are_refused_unless_they_give_the_same_pixels() {
    let kernel = kernel();
    let (sources, mut random) = (sources(&kernel), Random(11));
    let two: Vec<wb_source> = [0.97, 1.03]
        .iter()
        .map(|scale| wb_source { lambda_m: scale * sources[0].lambda_m, ..sources[0] })
        .collect();
    let turned =
        [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]];
    let masks: Vec<Vec<u16>> = (0..4)
        .map(|i| (0..kernel.detector.pixels()).map(|at| u16::from(at % 5 != i && at > 40 * i)).collect())
        .collect();
    let base = wb_scene_parameters { simd: WB_SIMD_PORTABLE, ..placed(&kernel, &sources) };
    let mut change = |p: &mut wb_scene_parameters| match random.whole(0, 12) {
        0 => p.roi_fast_min = random.whole(0, p.roi_fast_max),
        1 => p.roi_slow_min = random.whole(0, p.roi_slow_max),
        2 | 3 => {
            let mask = random.pick(&masks.iter().collect::<Vec<_>>());
            (p.mask, p.mask_len) = (mask.as_ptr(), mask.len());
        }
        4 | 5 => p.d_min_m = random.pick(&[3e-10, 6e-10, 9e-10]),
        6 => p.phi_steps += 1,
        7 => p.phi_step_rad *= 1.5,
        8 => (p.sources, p.source_count) = (two.as_ptr(), 2),
        9 => (p.domains, p.domain_count) = (turned.as_ptr().cast(), 2),
        10 => p.oversample = 2,
        11 => (p.sensor_layers, p.sensor_layer_m, p.attenuation_per_m) = (2, 1e-3, 1e3),
        _ => p.fluence_per_m2 *= 2.0,
    };
    let mut variants = vec![base];
    while variants.len() < 33 {
        let mut p = variants[variants.len() * 5 % 7 % variants.len()];
        change(&mut p);
        variants.push(p);
    }
    let made: Vec<Made> = variants.iter().map(|p| make(p).expect("a scene")).collect();
    let (rows, columns) = (kernel.detector.slow_pixels, kernel.detector.fast_pixels);
    for form in [WB_STREAMS, WB_PIXELS] {
        let carried: Vec<_> = made.iter().map(|made| made.open(form, 2)).collect();
        let (mut fit, mut refused) = (0, 0);
        for (i, made) in made.iter().enumerate() {
            let image = made.rows(0, rows, carried[i].carryover).expect("its own carryover");
            for (j, carried) in carried.iter().enumerate().filter(|(j, _)| *j != i) {
                let (mut value, mut found) =
                    (f64::NAN, wb_carryover_use { found: 9, left_by_slow: 9, left_by_fast: 9 });
                let mut latch = wb_latch { found: 9, slow: 9, fast: 9, evaluation: 9 };
                let carryover = carried.carryover;
                // SAFETY: scene and carryover were made, and the other pointers are to locals.
                let statuses = unsafe {
                    [
                        wb_render_pixel(made.scene, 0, columns - 1, &raw mut value, carryover),
                        wb_carryover_use_at(carryover, made.scene, 0, 0, &raw mut found),
                        wb_scene_find_latch(made.scene, 0, 1, carryover, &raw mut latch),
                    ]
                };
                match made.rows(0, rows, carryover) {
                    Ok(pixels) => {
                        fit += 1;
                        assert!(pixels == image, "the carryover of {j} spoils scene {i}");
                        assert_eq!(statuses, [WB_OK; 3]);
                    }
                    Err(status) => {
                        refused += 1;
                        assert_eq!((status, statuses), (WB_OTHER_SCENE, [WB_OTHER_SCENE; 3]));
                        assert!(value.is_nan() && found.found == 9 && latch.found == 9);
                    }
                }
            }
        }
        println!("form {form}: of {} pairs of scenes {fit} fit, {refused} are refused", fit + refused);
        assert!(fit > 10 && refused > 500);
    }
}
