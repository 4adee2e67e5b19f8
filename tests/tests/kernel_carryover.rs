//! The carryover's interface: streams, pixels, bands and partial calls give the same bits; hits and fresh
//! uses are reported; the interpolation latch is found; calls that return an error write nothing.

#[path = "properties/random.rs"]
mod random;

use proptest::prelude::*;
use random::Random;
use widebragg::Error;
use widebragg::carryover::{CarryUse, Carryover, Slot, stream_rows};
use widebragg::lanes::Simd;
use widebragg::render::{Scene, open_pixels, open_streams};
use widebragg::structure_factor::LookupRule;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

fn simulation(line: &str) -> Simulation {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    Simulation::from_args(&args, &golden::inputs()).expect("command line")
}

fn golden_simulation(case: &str) -> Simulation {
    let case = Case::load(case).expect("case.json");
    Simulation::from_args(&case.args, &golden::inputs()).expect("command line")
}

/// Scenes of 21 rows of 19 pixels in which the carryover, the latch or both matter.
fn scenes() -> Vec<(&'static str, Simulation)> {
    let common = "-hkl dense.hkl -mat tri.mat -lambda 1.2 -pixel 0.9 -detpixels_x 19 -detpixels_y 21 -distance 90 -N 7";
    [
        ("zero first", "-oversample 1 -phi 0 -osc 0.5 -phisteps 3"),
        ("zero first, two sources", "-oversample 2 -phi 0 -osc 1 -phisteps 2 -dispersion 1 -dispsteps 2"),
        ("mosaic", "-oversample 1 -phi 0 -osc 0.5 -phisteps 2 -mosaic 0.5 -mosaic_domains 3"),
        ("zero in the middle", "-oversample 1 -phi -0.25 -osc 1 -phisteps 4"),
        ("all zero", "-oversample 1 -phi 0 -osc 0 -phistep 0 -phisteps 2"),
        ("no zero", "-oversample 1 -phi 1 -osc 0.5 -phisteps 3"),
        ("dmin", "-oversample 1 -phi 0 -osc 0.5 -phisteps 3 -dmin 9"),
        ("roi", "-oversample 1 -phi 0 -osc 0.5 -phisteps 3 -roi 3 11 5 17"),
        ("latch", "-oversample 1 -phi 0 -osc 0.5 -phisteps 3 -interpolate -hkl sparse.hkl"),
        (
            "layers",
            "-oversample 1 -phi 0 -osc 0.5 -phisteps 2 -detector_thick 300 -thicksteps 2 -oversample_thick",
        ),
    ]
    .map(|(name, line)| (name, simulation(&format!("{common} {line}"))))
    .into()
}

/// Runs `job` on every scene of [`scenes`] at every level, in c-parity, with `streams` streams.
fn each_scene(streams: usize, mut job: impl FnMut(&str, &Simulation, &Scene<'_>, &mut [Slot])) {
    for (name, simulation) in scenes() {
        for simd in Simd::available() {
            let scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
            let what = format!("{name}, {}, {streams} streams", simd.level());
            scene.with(streams, |scene, slots| job(&what, &simulation, scene, slots)).expect("a scene");
        }
    }
}

fn whole(scene: &Scene<'_>, slots: &mut [Slot]) -> Vec<f64> {
    let mut pixels = vec![f64::NAN; scene.panel().pixels()];
    let rows = 0..scene.panel().slow_pixels;
    let report = scene.render_rows(rows, &mut pixels, &mut Carryover::Streams(slots)).expect("rows");
    let selected = (0..pixels.len()).filter(|i| {
        let columns = scene.panel().fast_pixels;
        scene.is_selected(i / columns, i % columns)
    });
    assert_eq!(report.pixels, selected.count() as u64);
    pixels
}

fn bits(pixels: &[f64]) -> Vec<u64> {
    pixels.iter().map(|pixel| pixel.to_bits()).collect()
}

#[test]
fn streams_match_the_threads_of_the_reference() {
    let mut seen = Vec::new();
    for streams in [1, 2, 3, 7, 21, 30] {
        each_scene(streams, |what, simulation, scene, slots| {
            let expected = simulation.render(Mode::CParity, streams);
            let max = expected.value.iter().fold(0.0_f64, |max, &x| max.max(x));
            let pixels = whole(scene, slots);
            for (i, (x, y)) in pixels.iter().zip(&expected.value).enumerate() {
                assert!((x - y).abs() <= 5e-12 * max, "{what}, pixel {i}: {x}, {y}");
            }
            // More threads than rows have the same result as one thread a row.
            if what.starts_with("zero first, portable") && streams <= 21 {
                seen.push(bits(&pixels));
            }
        });
    }
    // The images must depend on the number of threads, or the test would prove nothing.
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn bands_and_single_pixels_equal_the_image() {
    for streams in [1, 3, 7] {
        each_scene(streams, |what, _, scene, slots| {
            let image = bits(&whole(scene, slots));
            let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);

            // Rows in bands, the last band first.
            for band in [1, 2, 5, 13] {
                open_streams(scene, slots).expect("slots");
                let mut pixels = vec![f64::NAN; rows * columns];
                for (i, out) in pixels.chunks_mut(band * columns).enumerate().rev() {
                    let rows = i * band..(i * band + band).min(rows);
                    scene.render_rows(rows, out, &mut Carryover::Streams(slots)).expect("rows");
                }
                assert_eq!(bits(&pixels), image, "{what}, bands of {band}");
            }

            // A copy of the slots for every band, as a caller with several threads would use.
            open_streams(scene, slots).expect("slots");
            let mut pixels = vec![f64::NAN; rows * columns];
            let mut total = vec![Slot::default(); slots.len()];
            for (i, out) in pixels.chunks_mut(4 * columns).enumerate() {
                let mut copy = slots.to_vec();
                let rows = i * 4..(i * 4 + 4).min(rows);
                scene.render_rows(rows, out, &mut Carryover::Streams(&mut copy)).expect("rows");
                total.iter_mut().zip(&copy).for_each(|(total, copy)| total.absorb(copy));
            }
            assert_eq!(bits(&pixels), image, "{what}, copies");
            open_streams(scene, slots).expect("slots");
            whole(scene, slots);
            let counts =
                |slots: &[Slot]| slots.iter().map(|slot| (slot.hits, slot.fresh)).collect::<Vec<_>>();
            assert_eq!(counts(&total), counts(slots), "{what}");

            // Pixel by pixel, the last first, with slots for streams and with a slot for each pixel.
            open_streams(scene, slots).expect("slots");
            let mut slot_per_pixel = vec![Slot::default(); rows * columns];
            open_pixels(scene, slots.len(), &mut slot_per_pixel).expect("slots");
            for (i, &expected) in image.iter().enumerate().rev() {
                let (slow, fast) = (i / columns, i % columns);
                let pixel = scene.render_pixel(slow, fast, &mut Carryover::Streams(slots)).expect("a pixel");
                assert_eq!(pixel.to_bits(), expected, "{what}, pixel {slow} {fast}");
                let pixel = scene.render_pixel(slow, fast, &mut Carryover::Pixels(&mut slot_per_pixel));
                assert_eq!(pixel.map(f64::to_bits), Ok(expected), "{what}, pixel {slow} {fast}");
            }

            // Rows with a slot for each pixel.
            open_pixels(scene, slots.len(), &mut slot_per_pixel).expect("slots");
            let mut pixels = vec![f64::NAN; rows * columns];
            scene
                .render_rows(0..rows, &mut pixels, &mut Carryover::Pixels(&mut slot_per_pixel))
                .expect("rows");
            assert_eq!(bits(&pixels), image, "{what}, a slot per pixel");
        });
    }
}

/// Threads in excess of the rows have no work, and opening takes no time for them.
#[test]
fn pixels_are_opened_for_any_number_of_threads() {
    each_scene(1, |what, _, scene, _| {
        let (rows, pixels) = (scene.panel().slow_pixels, scene.panel().pixels());
        let opened = |threads: usize| {
            let mut slots = vec![Slot::default(); pixels];
            open_pixels(scene, threads, &mut slots).expect("slots");
            slots
        };
        let expected = opened(rows);
        assert_eq!(opened(rows + 1), expected, "{what}");
        assert_eq!(opened(usize::MAX), expected, "{what}");
    });
}

#[test]
fn uses_are_counted_and_reported() {
    for streams in [1, 2, 7] {
        each_scene(streams, |what, simulation, scene, slots| {
            let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
            let carries = scene.orientations().sweep().carried_steps() > 0;
            assert_eq!(carries, simulation.phi[0] == 0.0 && simulation.phi.iter().any(|&phi| phi != 0.0));
            let mut slot_per_pixel = vec![Slot::default(); rows * columns];
            open_pixels(scene, streams, &mut slot_per_pixel).expect("slots");

            // In the reference's order, a sweep uses what the sweep before it in the same stream left.
            let mut expected = vec![(0, 0); streams];
            for (stream, count) in expected.iter_mut().enumerate() {
                let mut last = None;
                for slow in stream_rows(rows, streams, stream) {
                    for fast in 0..columns {
                        let found = if !carries || !scene.is_swept(slow, fast) {
                            CarryUse::NotUsed
                        } else if let Some(left_by) = last {
                            count.0 += 1;
                            CarryUse::Hit { left_by }
                        } else {
                            count.1 += 1;
                            CarryUse::Fresh
                        };
                        let ours = scene.carry_use(&Carryover::Streams(slots), slow, fast);
                        assert_eq!(ours, Ok(found), "{what}, {slow} {fast}");
                        let ours = scene.carry_use(&Carryover::Pixels(&mut slot_per_pixel), slow, fast);
                        assert_eq!(ours, Ok(found), "{what}, {slow} {fast}");
                        if scene.is_swept(slow, fast) {
                            last = Some((slow, fast));
                        }
                    }
                }
            }
            whole(scene, slots);
            let counted: Vec<(u64, u64)> = slots.iter().map(|slot| (slot.hits, slot.fresh)).collect();
            assert_eq!(counted, expected, "{what}");
        });
    }
}

#[test]
fn spec_needs_no_slots() {
    for (name, simulation) in scenes() {
        for simd in Simd::available() {
            let scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
            let image: Vec<f64> = scene.render(1).expect("an image");
            let rendered = scene.with(1, |scene, _| {
                let mut pixels = vec![f64::NAN; scene.panel().pixels()];
                let rows = 0..scene.panel().slow_pixels;
                scene.render_rows(rows, &mut pixels, &mut Carryover::Off).map(|_| pixels)
            });
            assert_eq!(
                rendered.and_then(|inner| inner).as_deref(),
                Ok(&image[..]),
                "{name} {}",
                simd.level()
            );
        }
    }
}

/// The pixel at which the oracle latches, found by bisection: all pixels from some index on are masked.
fn latch_of_oracle(simulation: &Simulation, streams: usize) -> Option<usize> {
    let pixels = simulation.npixels().iter().product();
    let mask = simulation.mask.clone().unwrap_or_else(|| vec![1; pixels]);
    let mut simulation = simulation.clone();
    let mut latches_before = |end: usize| {
        let kept = mask.iter().enumerate().map(|(i, &value)| if i < end { value } else { 0 });
        simulation.mask = Some(kept.collect());
        simulation.render(Mode::CParity, streams).latched
    };
    if !latches_before(pixels) {
        return None;
    }
    let (mut below, mut latched) = (0, pixels);
    while latched - below > 1 {
        let middle = (below + latched) / 2;
        if latches_before(middle) { latched = middle } else { below = middle }
    }
    Some(latched - 1)
}

#[test]
fn the_latch_matches_the_oracle() {
    let mut simulations = vec![("interpolate", golden_simulation("interpolate"))];
    simulations.push(("interpolate_latch", golden_simulation("interpolate_latch")));
    simulations.extend(scenes().into_iter().filter(|(name, _)| *name == "latch" || *name == "zero first"));
    let latch =
        "-hkl sparse.hkl -cell 45 52 61 82 97 104 -pixel 0.9 -detpixels_x 40 -detpixels_y 30 -interpolate";
    for (name, line) in [
        ("in a corner", "-distance 90 -N 2 -oversample 1 -Xbeam 13 -Ybeam 18 -phi 0 -osc 1 -phisteps 3"),
        (
            "middle of a pixel",
            "-distance 130 -N 2 -oversample 2 -Xbeam 3 -Ybeam 3 -detpixels_x 20 -phi 0 -osc 80 -phisteps 5",
        ),
        (
            "later row",
            "-distance 120 -misset 50 10 -70 -N 2 -oversample 2 -Xbeam 3 -Ybeam 3 -detpixels_x 20 -phi 0 -osc 80 -phisteps 5",
        ),
        (
            "last pixel of a row",
            "-distance 200 -misset 50 10 -70 -N 2 -oversample 2 -Xbeam 3 -Ybeam 3 -detpixels_x 20 -phi 0 -osc 80 -phisteps 5",
        ),
        ("gauss", "-distance 90 -N 3 -gauss_xtal -oversample 1 -Xbeam 13 -Ybeam 18"),
        ("roi", "-distance 90 -N 2 -oversample 1 -roi 5 38 7 29 -phi 0 -osc 1 -phisteps 2"),
    ] {
        simulations.push((name, simulation(&format!("{latch} {line}"))));
    }
    let mut found = Vec::new();
    for (name, simulation) in simulations {
        for streams in [1, 3] {
            let columns = simulation.npixels()[0];
            let expected = latch_of_oracle(&simulation, streams).filter(|_| simulation.interpolate);
            let image = simulation.render(Mode::CParity, streams).value;
            let max = image.iter().fold(0.0_f64, |max, &x| max.max(x));
            for simd in Simd::available() {
                let what = format!("{name}, {}, {streams} streams", simd.level());
                let scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
                let pixels = scene.with(streams, |scene, slots| {
                    let latch = match scene.parts().structure_factors.lookup {
                        LookupRule::TricubicUntil(latch) => Some(latch),
                        _ => None,
                    };
                    assert_eq!(latch.map(|latch| latch.slow * columns + latch.fast), expected, "{what}");
                    if let Some(latch) = latch {
                        // Any rows that contain the latch find it; the rows before it do not.
                        let scene = scene.with_lookup(LookupRule::Tricubic);
                        let carry = Carryover::Streams(slots);
                        assert_eq!(
                            scene.find_latch(latch.slow..latch.slow + 1, &carry),
                            Ok(Some(latch)),
                            "{what}"
                        );
                        assert_eq!(scene.find_latch(0..latch.slow, &carry), Ok(None), "{what}");
                        found.push((name, streams, latch));
                    }
                    whole(scene, slots)
                });
                for (i, (x, y)) in pixels.expect("a scene").iter().zip(&image).enumerate() {
                    assert!((x - y).abs() <= 5e-12 * max, "{what}, pixel {i}: {x}, {y}");
                }
            }
        }
    }
    println!("{found:?}");
    assert!(
        found.iter().any(|(_, _, latch)| latch.evaluation > 0),
        "one in the middle of a pixel: {found:?}"
    );
    assert!(found.iter().any(|(_, _, latch)| latch.slow > 0), "one in a later row: {found:?}");
}

#[test]
fn calls_that_return_an_error_write_nothing() {
    for simd in Simd::available() {
        let (_, simulation) = scenes().swap_remove(0);
        let scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
        scene
            .with(2, |scene, slots| {
                let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
                let before = slots.to_vec();
                let mut pixels = vec![7.0_f64; rows * columns];
                let mut refused = |rows: core::ops::Range<usize>, given: usize, carry: &mut Carryover<'_>| {
                    let error = scene.render_rows(rows, &mut pixels[..given], carry).err();
                    assert!(pixels.iter().all(|&pixel| pixel == 7.0), "written");
                    error
                };
                for given in [0, 1, columns - 1, 3 * columns - 1] {
                    let short = Error::BufferTooShort { buffer: "pixels", needed: 3 * columns, given };
                    assert_eq!(refused(4..7, given, &mut Carryover::Streams(slots)), Some(short));
                }
                let outside = Error::OutsideDetector { index: rows, limit: rows };
                assert_eq!(refused(0..rows + 1, 50, &mut Carryover::Streams(slots)), Some(outside));
                assert!(refused(0..usize::MAX, 50, &mut Carryover::Streams(slots)).is_some());
                assert_eq!(refused(0..2, 50, &mut Carryover::Off), Some(Error::CarryoverMissing));
                let none = Error::BufferTooShort { buffer: "carryover slots", needed: 1, given: 0 };
                assert_eq!(refused(0..2, 50, &mut Carryover::Streams(&mut [])), Some(none));
                let few =
                    Error::BufferTooShort { buffer: "carryover slots", needed: rows * columns, given: 2 };
                assert_eq!(refused(0..2, 50, &mut Carryover::Pixels(slots)), Some(few));
                assert_eq!(slots, before, "counted");

                for (slow, fast) in [(rows, 0), (0, columns), (usize::MAX, usize::MAX)] {
                    let mut carry = Carryover::Streams(slots);
                    assert!(matches!(
                        scene.render_pixel(slow, fast, &mut carry),
                        Err(Error::OutsideDetector { .. })
                    ));
                    assert!(scene.probe_pixel(slow, fast, &carry, &mut |_| ()).is_err());
                }
                assert_eq!(scene.render_pixel(0, 0, &mut Carryover::Off), Err(Error::CarryoverMissing));
                assert_eq!(open_streams(scene, &mut []).err(), Some(none));
                let mut short = vec![Slot::default(); rows * columns - 1];
                let needed = rows * columns;
                let given = needed - 1;
                let error = Error::BufferTooShort { buffer: "carryover slots", needed, given };
                assert_eq!(open_pixels(scene, 1, &mut short), Err(error));

                // An empty range of rows is not an error, even if its end is below its start.
                for nothing in [0..0, rows..rows, core::ops::Range { start: 5, end: 2 }] {
                    let mut carry = Carryover::Streams(slots);
                    let report = scene.render_rows::<f32>(nothing, &mut [], &mut carry);
                    assert_eq!(report.map(|report| report.pixels), Ok(0));
                }
            })
            .expect("a scene");
    }
}

/// The scene with one value changed that may or may not matter to the carryover.
fn changed(scene: &KernelScene, random: &mut Random) -> KernelScene {
    let mut changed = scene.clone();
    let KernelScene { detector: d, roi, .. } = &mut changed;
    let (columns, rows) = (d.fast_pixels, d.slow_pixels);
    match random.whole(0, 17) {
        0 => roi.fast_min = random.whole(0, roi.fast_max),
        1 => roi.slow_min = random.whole(0, roi.slow_max),
        2 => (roi.fast_max, roi.slow_max) = (columns - 2, rows - 2),
        3 | 4 => {
            let from = random.whole(0, columns);
            changed.mask = Some((0..d.pixels()).map(|i| u16::from(i > from) * 7).collect());
        }
        5 => changed.mask = Some(vec![1; d.pixels()]),
        6 => changed.d_min_m = 9e-10,
        7 => changed.d_min_m = 8e-10,
        8 => d.pix0_m.x += 1e-3,
        9 => changed.sweep.count += 1,
        10 => changed.sweep.step_rad *= 1.5,
        11 => changed.sweep.phi0_rad = -changed.sweep.step_rad,
        12 => changed.cell.b_m.y *= 1.01,
        13 => changed.oversample.per_axis = 2,
        14 => changed.sensor.layers = 2,
        15 => changed.sources[0].lambda_m *= 1.1,
        16 => changed.fluence_per_m2 *= 2.0,
        _ => changed.domains.push([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    }
    changed
}

/// Slots of one scene used with another: either they are refused, or the pixels are those of the scene's own
/// slots. A scene always accepts its own.
#[test]
fn slots_of_another_scene_are_refused_unless_they_fit() {
    let (_, simulation) = scenes().swap_remove(0);
    let first = KernelScene::from_simulation(&simulation, Simd::detect(), Mode::CParity);
    let mut random = Random(5);
    let mut variants = vec![first.clone(), first.clone()];
    for _ in 0..40 {
        let before = variants[random.whole(0, variants.len() - 1)].clone();
        variants.push(changed(&before, &mut random));
    }
    let opened: Vec<_> = variants
        .iter()
        .map(|scene| {
            let slots = scene.with(2, |scene, slots| {
                let mut by_pixel = vec![Slot::default(); scene.panel().pixels()];
                open_pixels(scene, 2, &mut by_pixel).expect("slots");
                (slots.to_vec(), by_pixel)
            });
            slots.expect("a scene")
        })
        .collect();
    let (mut fit, mut refused) = (0, 0);
    for (i, scene) in variants.iter().enumerate() {
        let checked = scene.with(2, |scene, own| {
            let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
            let image = bits(&whole(scene, own));
            for (j, (streams, by_pixel)) in opened.iter().enumerate() {
                for (mut slots, is_by_pixel) in [(streams.clone(), false), (by_pixel.clone(), true)] {
                    let mut carry = if is_by_pixel {
                        Carryover::Pixels(&mut slots)
                    } else {
                        Carryover::Streams(&mut slots)
                    };
                    let mut pixels = vec![0.0_f64; rows * columns];
                    let outcome = scene.render_rows(0..rows, &mut pixels, &mut carry);
                    match outcome {
                        Ok(_) => assert!(bits(&pixels) == image, "slots of {j} spoil scene {i}"),
                        Err(_) => assert!(pixels.iter().all(|&pixel| pixel == 0.0)),
                    }
                    assert!(i != j || outcome.is_ok(), "{i}: {outcome:?}");
                    // All calls agree.
                    let error = outcome.err();
                    assert_eq!(scene.render_pixel(1, 1, &mut carry).err(), error, "{j} in {i}");
                    assert_eq!(scene.find_latch(0..rows, &carry).err(), error, "{j} in {i}");
                    assert_eq!(scene.probe_pixel(1, 1, &carry, &mut |_| ()).err(), error, "{j} in {i}");
                    let counted = if i == j { [0, 0] } else { [usize::from(error.is_none()), 1] };
                    (fit, refused) = (fit + counted[0], refused + counted[1] - counted[0]);
                }
            }
        });
        checked.expect("a scene");
    }
    println!("of the pairs of different scenes, {fit} fit and {refused} were refused");
    assert!(fit > 100 && refused > 1000, "{fit} {refused}");
}

#[test]
fn slots_that_were_not_opened_or_belong_to_other_rows_are_refused() {
    let (_, simulation) = scenes().swap_remove(0);
    let scene = KernelScene::from_simulation(&simulation, Simd::detect(), Mode::CParity);
    let checked = scene.with(3, |scene, slots| {
        let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
        let mut pixels = vec![0.0_f32; rows * columns];
        let mut render = |rows: core::ops::Range<usize>, slots: &mut [Slot]| {
            scene.render_rows(rows, &mut pixels, &mut Carryover::Streams(slots)).err()
        };
        let other = Error::OtherScene { quantity: "carryover slots" };
        assert_eq!(render(0..1, &mut [Slot::default()]), Some(other));
        let [a, b, c] = [slots[0], slots[1], slots[2]];
        assert_eq!(render(0..rows, &mut [c, b, a]), None);
        assert_eq!(render(b.first_row..b.end_row, &mut [b]), None);
        assert_eq!(render(0..b.end_row + 1, &mut [a, b]), Some(Error::CarryoverMissing));
        assert_eq!(render(0..rows, &mut [a, c]), Some(Error::CarryoverMissing));
        assert_eq!(
            scene.carry_use(&Carryover::Streams(&mut [a]), b.first_row, 0),
            Err(Error::CarryoverMissing)
        );
    });
    checked.expect("a scene");
}

/// A selection of the pixels of a scene has the bits of the whole image, though it hides the pixels that open
/// the streams.
#[test]
fn a_selection_keeps_the_carryover_of_its_scene() {
    let (_, simulation) = scenes().swap_remove(0);
    let scene = KernelScene::from_simulation(&simulation, Simd::detect(), Mode::CParity);
    let checked = scene.with(2, |scene, slots| {
        let image = whole(scene, slots);
        let mask: Vec<u16> = (0..image.len()).map(|i| u16::from(i % 7 == 5)).collect();
        let selection = scene.with_selection(&mask).expect("a selection");
        for (pixel, (whole, &mask)) in whole(&selection, slots).iter().zip(image.iter().zip(&mask)) {
            assert_eq!(*pixel, if mask == 0 { 0.0 } else { *whole });
        }
        let (needed, given) = (image.len(), image.len() - 1);
        let short = scene.with_selection(&mask[1..]).err();
        assert_eq!(short, Some(Error::BufferTooShort { buffer: "mask", needed, given }));
    });
    checked.expect("a scene");
}

#[test]
fn queries_accept_pixels_outside_the_detector() {
    let far = usize::MAX;
    each_scene(2, |what, _, scene, slots| {
        let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
        for (slow, fast) in [(rows, 0), (0, columns), (far, 0), (0, far), (far, far), (far / 2, 5)] {
            assert!(!scene.is_selected(slow, fast) && !scene.is_swept(slow, fast), "{what}");
            let carry = Carryover::Streams(slots);
            assert_eq!(scene.carry_use(&carry, slow, fast), Ok(CarryUse::NotUsed), "{what}");
        }
        assert_eq!(scene.first_swept(rows..far), None, "{what}");
    });
    assert!(stream_rows(10, 3, far).is_empty());
    assert!(stream_rows(far, 1, far).is_empty());
    assert!(stream_rows(10, 0, 0) == (0..10));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_divide_all_rows_in_order(rows in 0_usize..5000, threads in 1_usize..80) {
        let mut next = 0;
        for i in 0..threads {
            let stream = stream_rows(rows, threads, i);
            prop_assert_eq!(stream.start, next);
            prop_assert_eq!(stream.len(), rows / threads + usize::from(i < rows % threads));
            next = stream.end;
        }
        prop_assert_eq!(next, rows);
    }
}
