//! Images from lists of spots have the bits of the loop, whatever is left out, and the proof of it is not slack.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/spots.rs"]
mod spots;

use spots::{Random, SCENES, scene, split, with_lists};
use widebragg::Error;
use widebragg::beam::Source;
use widebragg::carryover::{Carryover, Slot};
use widebragg::lanes::Simd;
use widebragg::light::{Cell, Cutoff, Light, LightRule, Spot};
use widebragg::render::{PixelValue, RowReport};
use widebragg::rotation::{IDENTITY, PhiMode};
use widebragg::scene::{Roi, Scene};
use widebragg_experiment::factor_grid::GridNumbers;
use widebragg_experiment::frame::render_frame;
use widebragg_experiment::light::LightTaken;
use widebragg_tests::golden;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

/// The simulation of a command line.
fn simulation(line: &str) -> Simulation {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    Simulation::from_args(&args, &golden::inputs()).expect("a scene")
}

/// An image rendered from lists, made of `pieces` of the pairs and in `bands` of rows.
fn from_lists<P: PixelValue>(
    scene: &Scene<'_>,
    light: &Light<'_, '_>,
    slots: &mut [Slot],
    (bands, pieces): (usize, usize),
) -> (Vec<P>, RowReport) {
    let columns = scene.panel().fast_pixels;
    let mut pixels = vec![P::from_f64(f64::NAN); scene.panel().pixels()];
    let mut report = RowReport::default();
    for band in split(scene.panel().slow_pixels, bands) {
        let out = &mut pixels[band.start * columns..band.end * columns];
        let carry = &mut Carryover::Streams(slots);
        let done = with_lists(light, &band, pieces, &mut |light, lists| {
            light.render_rows(lists, band.clone(), out, carry)
        });
        let done = done.expect("rows");
        report.pixels += done.pixels;
        report.omega_sum_sr += done.omega_sum_sr;
    }
    (pixels, report)
}

fn whole_image<P: PixelValue>(scene: &Scene<'_>, slots: &mut [Slot]) -> (Vec<P>, RowReport) {
    let detector = scene.panel();
    let mut pixels = vec![P::from_f64(f64::NAN); detector.pixels()];
    let report = scene.render_rows(0..detector.slow_pixels, &mut pixels, &mut Carryover::Streams(slots));
    (pixels, report.expect("an image"))
}

/// Cutoffs from those that leave out most of the light to those that leave out nothing.
const CUTOFFS: [Cutoff; 6] = [
    Cutoff::Exponent(0.5),
    Cutoff::Exponent(3.0),
    Cutoff::Exponent(15.0),
    Cutoff::Exponent(40.0),
    Cutoff::Exponent(70.0),
    Cutoff::Exact,
];

fn bits32(pixels: &[f32]) -> Vec<u32> {
    pixels.iter().map(|pixel| pixel.to_bits()).collect()
}

/// Renders a scene from lists at several cutoffs and compares it with the loop; returns the images compared.
fn compare(scene: &KernelScene, threads: usize, random: &mut Random, what: &str) -> usize {
    let mut compared = 0;
    let run = |scene: &Scene<'_>, slots: &mut [Slot]| {
        let fresh = slots.to_vec();
        let (single, report) = whole_image::<f32>(scene, slots);
        let (double, _) = whole_image::<f64>(scene, &mut fresh.clone());
        for cutoff in CUTOFFS {
            let Some(light) = scene.light(cutoff) else { continue };
            let parts = (random.whole(1, 3), random.whole(1, 4));
            let mut used = fresh.clone();
            let (pixels, of_list) = from_lists::<f32>(scene, &light, &mut used, parts);
            let differs = (0..single.len()).find(|&i| pixels[i].to_bits() != single[i].to_bits());
            assert_eq!(differs, None, "{what} {cutoff:?}");
            assert_eq!(of_list.pixels, report.pixels, "{what}");
            let apart = (of_list.omega_sum_sr - report.omega_sum_sr).abs();
            assert!(apart <= 1e-12 * report.omega_sum_sr, "{what}: {apart}");
            assert_eq!(used, slots, "{what}: the carryover");
            let (pixels, _) = from_lists::<f64>(scene, &light, &mut fresh.clone(), parts);
            let differs = (0..double.len()).find(|&i| pixels[i].to_bits() != double[i].to_bits());
            assert_eq!(differs, None, "{what} {cutoff:?}, f64");
            compared += 1;
        }
    };
    scene.with(threads, run).unwrap_or_else(|error| panic!("{what}: {error}"));
    compared
}

#[test]
fn random_scenes_have_the_bits_of_the_loop() {
    let mut compared = 0;
    for seed in 0..SCENES {
        for mode in [Mode::Spec, Mode::CParity] {
            for simd in Simd::available() {
                let (scene, threads, line) = scene(seed, simd, mode);
                let what = format!("seed {seed} {mode:?} {} {line}", simd.level());
                compared += compare(&scene, threads, &mut Random(seed), &what);
            }
        }
    }
    let scenes = SCENES as usize * 2 * Simd::available().count();
    assert!(compared > 2 * scenes, "{compared} images of {scenes} scenes");
}

/// Gives a scene at least two sources and several grids, which of them each source has by chance; nodes that are 0 in one
/// grid are not in the next.
fn give_grids(scene: &mut KernelScene, random: &mut Random) -> bool {
    let Some(grid) = &mut scene.grid else { return false };
    let grids = random.whole(2, 4);
    grid.repeat(grids, |i, node, f| if node % grids == i { 0.0 } else { f * (1.0 + i as f64) });
    grid.numbers = random.pick(&[GridNumbers::F32, GridNumbers::F64]);
    if scene.source_weights.is_none() {
        let source = scene.sources[0];
        scene.sources.push(Source { lambda_m: 1.02 * source.lambda_m, ..source });
    }
    let of_source = (0..scene.sources.len()).map(|_| random.whole(0, grids - 1) as u32);
    grid.of_source = Some(of_source.collect());
    true
}

#[test]
fn scenes_with_several_grids_have_the_bits_of_the_loop() {
    let (mut compared, mut depend_on_grids) = (0, 0);
    for seed in 0..SCENES {
        for mode in [Mode::Spec, Mode::CParity] {
            for simd in Simd::available() {
                let (mut scene, threads, line) = scene(seed, simd, mode);
                if !give_grids(&mut scene, &mut Random(seed)) {
                    continue;
                }
                // Light enough to see the grids in.
                scene.fluence_per_m2 = 1e24;
                scene.crystallite.fudge *= 1e-2;
                let what = format!("seed {seed} {mode:?} {} {line}", simd.level());
                let images = compare(&scene, threads, &mut Random(seed), &what);
                let mut of_first = scene.clone();
                of_first.grid.as_mut().expect("a grid").of_source = None;
                let [(image, _), (of_first, _)] = [&scene, &of_first]
                    .map(|scene| scene.with(threads, whole_image::<f32>).expect("an image"));
                compared += images;
                depend_on_grids += if bits32(&image) == bits32(&of_first) { 0 } else { images };
            }
        }
    }
    let scenes = SCENES as usize * 2 * Simd::available().count();
    assert!(compared > scenes, "{compared} images of {scenes} scenes");
    assert!(40 * depend_on_grids > compared, "{depend_on_grids} images of {compared} depend on the grids");
}

/// A crystal whose spots are a few pixels wide, with several orientations and wavelengths.
const SPOTS: &str = "-cell 60 70 80 90 90 90 -misset 10 20 30 -lambda 1 -dispersion 1 -dispsteps 5 -mosaic 0.2 \
                     -mosaic_domains 4 -N 40 -gauss_xtal -fudge 2e-4 -default_F 100 -distance 100 -pixel 0.2 \
                     -detpixels 40 -Xbeam 0.5 -Ybeam 1 -oversample 1 -fluence 1e20";

/// The pixel of the loop at a fluence.
fn pixel_at(scene: &KernelScene, fluence_per_m2: f64, (slow, fast): (usize, usize)) -> f32 {
    let scene = KernelScene { fluence_per_m2, ..scene.clone() };
    let pixel = |scene: &Scene<'_>, _: &mut [Slot]| scene.render_pixel(slow, fast, &mut Carryover::Off);
    scene.with(1, pixel).and_then(|inner| inner).expect("a pixel") as f32
}

/// The fluence, within a factor of 2 of `fluence_per_m2`, at which the pixel is rounded up for the first time.
fn fluence_at_midpoint(scene: &KernelScene, fluence_per_m2: f64, pixel: (usize, usize)) -> f64 {
    let (mut below, mut above) = (fluence_per_m2, 1.9 * fluence_per_m2);
    let first = pixel_at(scene, below, pixel);
    assert!(pixel_at(scene, above, pixel) > first, "{pixel:?} at {fluence_per_m2:e}: {first:e}");
    loop {
        let middle = 0.5 * (below + above);
        if middle <= below || middle >= above {
            return above;
        }
        *(if pixel_at(scene, middle, pixel) > first { &mut above } else { &mut below }) = middle;
    }
}

#[test]
fn pixels_halfway_between_two_stored_values_are_decided_as_the_loop_decides_them() {
    let simulation = simulation(SPOTS);
    let simd = Simd::detect();
    let mut random = Random(1);
    let mut halfway = 0;
    for mode in [Mode::Spec, Mode::CParity] {
        let mut scene = KernelScene::from_simulation(&simulation, simd, mode);
        for fluence in [1e20, 1e-7, 1e-16, 1e-19] {
            scene.fluence_per_m2 = fluence;
            let (image, _) = scene.with(1, whole_image::<f32>).expect("an image");
            // Ordinary and subnormal pixels, and those next to the smallest f32.
            let lit: Vec<_> = (0..1600).filter(|&i| image[i] > 2e-45).map(|i| (i / 40, i % 40)).collect();
            for _ in 0..8 {
                let pixel = lit[random.whole(0, lit.len() - 1)];
                let at = fluence_at_midpoint(&scene, fluence, pixel);
                for fluence_per_m2 in [at.next_down(), at, at.next_up()] {
                    let roi = Roi {
                        fast_min: pixel.1.saturating_sub(4),
                        fast_max: pixel.1,
                        slow_min: pixel.0,
                        slow_max: pixel.0,
                    };
                    let scene = KernelScene { fluence_per_m2, roi, ..scene.clone() };
                    let what = format!("{mode:?} {fluence_per_m2:e} {pixel:?}");
                    // With the farthest cutoffs, spots meet their neighbours.
                    assert!(compare(&scene, 1, &mut random, &what) >= 4, "{what}");
                    halfway += 1;
                }
            }
        }
    }
    assert!(halfway == 2 * 4 * 8 * 3, "{halfway}");
}

#[test]
fn half_the_bound_would_be_too_small() {
    // All domains have one orientation, and their terms are left out together, just beyond the cutoff. The sum starts
    // with the background of water.
    let line = format!("{SPOTS} -water 500");
    let mut scene = KernelScene::from_simulation(&simulation(&line), Simd::detect(), Mode::CParity);
    scene.sources.truncate(1);
    scene.domains = vec![IDENTITY; 7];
    scene.sweep.mode = PhiMode::CParity;
    let pixel = (0..1600).map(|i| (i / 40, i % 40)).find_map(|(slow, fast)| {
        let dry = KernelScene { water_m: 0.0, ..scene.clone() };
        let exponent = |scene: &Scene<'_>, _: &mut [Slot]| {
            let mut exponent = 0.0;
            let mut step = |step: &widebragg::render::StepProbe| exponent = -(step.f_latt / 64000.0).ln();
            scene.probe_pixel(slow, fast, &Carryover::Off, &mut step).expect("a pixel");
            exponent
        };
        let exponent: f64 = dry.with(1, exponent).expect("a scene");
        (15.0..20.0).contains(&exponent).then_some(((slow, fast), exponent))
    });
    let ((slow, fast), exponent) = pixel.expect("a pixel at the flank of a spot");
    scene.fluence_per_m2 = fluence_at_midpoint(&scene, 1e20, (slow, fast));
    let run = |scene: &Scene<'_>, slots: &mut [Slot]| {
        let (whole, _) = whole_image::<f32>(scene, slots);
        let light = scene.light(Cutoff::Exponent(exponent * (1.0 - 1e-12))).expect("a list");
        let bound = light.left_out_of_step();
        let with_bound = |share: f64| {
            let light = light.with_left_out_of_step(share * bound);
            let (pixels, _) = from_lists::<f32>(scene, &light, slots, (1, 1));
            pixels[slow * 40 + fast]
        };
        let at = whole[slow * 40 + fast];
        ([1.0, 0.5].map(with_bound), at)
    };
    let ([proved, halved], whole) = scene.with(1, run).expect("a scene");
    assert_eq!(proved.to_bits(), whole.to_bits());
    assert_eq!(halved, whole.next_down(), "the proof would not notice half the bound");
}

#[test]
fn buffers_and_lists_that_do_not_suit_are_refused() {
    let scene = KernelScene::from_simulation(&simulation(SPOTS), Simd::detect(), Mode::Spec);
    let run = |scene: &Scene<'_>, _: &mut [Slot]| {
        let light = scene.light(Cutoff::Exponent(30.0)).expect("a list");
        let pairs = light.pairs();
        assert_eq!(pairs, 20);
        let mut spots = vec![Spot::default(); 2];
        let short = light.find(0..40, 0..pairs, &mut spots);
        assert!(matches!(short, Err(Error::BufferTooShort { buffer: "spots", given: 2, .. })), "{short:?}");
        let outside = light.find(0..41, 0..pairs, &mut spots);
        assert_eq!(outside.err(), Some(Error::OutsideDetector { index: 40, limit: 40 }));
        spots.resize(10_000, Spot::default());
        let found = light.find(0..40, 0..pairs, &mut spots).expect("spots");
        let len = light.list_len(0..40, &spots[..found.spots]);
        let (mut spans, mut cells) = (vec![[0; 2]; len.spans], vec![Cell::default(); len.cells]);
        for (short_spans, short_cells) in [(1, 0), (0, 1)] {
            let (mut spans, mut cells) =
                (vec![[0; 2]; len.spans - short_spans], vec![Cell::default(); len.cells - short_cells]);
            let list = light.list(0..40, &found, &spots, &mut spans, &mut cells).map(|_| ());
            assert!(matches!(list, Err(Error::BufferTooShort { .. })), "{list:?}");
        }
        let list = light.list(0..40, &found, &spots, &mut spans, &mut cells).expect("a list");
        let mut pixels = vec![0f32; 1600];
        let mut render = |lists: &[_], light: &Light<'_, '_>| {
            light.render_rows(lists, 0..40, &mut pixels, &mut Carryover::Off).map(|_| ())
        };
        assert_eq!(render(&[list], &light), Ok(()));
        let missing = render(&[], &light);
        assert_eq!(missing, Err(Error::BufferTooShort { buffer: "lists of spots", needed: 20, given: 0 }));
        let twice = render(&[list, list], &light);
        assert_eq!(twice, Ok(()), "pairs that are listed already are not rendered again");
        let nearer = scene.light(Cutoff::Exponent(20.0)).expect("a list");
        assert_eq!(render(&[list], &nearer), Err(Error::OtherScene { quantity: "spots" }));
        let other = *scene;
        let of_other = other.light(Cutoff::Exponent(30.0)).expect("a list");
        assert_eq!(render(&[list], &of_other), Err(Error::OtherScene { quantity: "spots" }));
    };
    scene.with(1, run).expect("a scene");
}

#[test]
fn lists_are_for_small_spots_without_interpolation() {
    let light = |line: &str, mode| {
        let scene =
            KernelScene::from_simulation(&simulation(&format!("{SPOTS} {line}")), Simd::detect(), mode);
        let applies = |scene: &Scene<'_>, _: &mut [Slot]| scene.light(Cutoff::Exponent(30.0)).is_some();
        scene.with(1, applies).expect("a scene")
    };
    for mode in [Mode::Spec, Mode::CParity] {
        assert!(light("", mode) && light("-tophat_spots", mode));
        for line in ["-square_xtal", "-round_xtal", "-curved_det", "-fudge 2e-7", "-fudge 0"] {
            assert!(!light(line, mode), "{line}");
        }
        for flag in ["-oversample_omega", "-oversample_polar", "-oversample_thick"] {
            assert_eq!(light(flag, mode), mode == Mode::Spec, "{flag}");
        }
    }
}

/// Where a spot cannot say what it would have to, there is no list: indices beyond those of i16, and balls about nodes that
/// hold the middle of the Ewald sphere.
#[test]
fn scenes_that_a_list_cannot_describe_have_none() {
    for line in [
        "-cell 30000 30000 30000 90 90 90 -N 50 -tophat_spots -lambda 1 -distance 10 -pixel 0.05",
        "-cell 40 40 40 90 90 90 -N 1 -tophat_spots -fudge 3000 -lambda 100 -distance 100 -pixel 0.5",
    ] {
        let line =
            format!("{line} -detpixels 16 -oversample 1 -default_F 100 -fluence 1e24 -misset 10 20 30");
        let scene = KernelScene::from_simulation(&simulation(&line), Simd::detect(), Mode::Spec);
        let run = |scene: &Scene<'_>, slots: &mut [Slot]| {
            let (image, _) = whole_image::<f32>(scene, slots);
            (scene.light(Cutoff::Exact).is_some(), image.iter().any(|&pixel| pixel > 0.0))
        };
        assert!(!scene.with(1, run).expect("a scene").0, "{line}");
    }
}

/// The tips of spots far from the first row, whose chords change fast from row to row.
#[test]
fn tips_of_spots_on_tall_detectors_are_listed() {
    for seed in 1..4 {
        let line = format!(
            "-default_F 100 -distance 2000 -pixel 0.005 -detpixels_x 32 -detpixels_y 65535 -oversample 1 -mosaic 1 \
             -mosaic_domains 60 -fluence 1e24 -misset {seed} 20 30 -mosaic_seed {seed} -lambda 1 \
             -cell 10000 10000 10000 90 90 90 -N 33 -tophat_spots -fudge 3 -Xbeam 0.08 -Ybeam 0.5"
        );
        let scene = KernelScene::from_simulation(&simulation(&line), Simd::detect(), Mode::Spec);
        let run = |scene: &Scene<'_>, slots: &mut [Slot]| {
            let (whole, _) = whole_image::<f32>(scene, slots);
            let light = scene.light(Cutoff::Exact).expect("a list");
            let (listed, _) = from_lists::<f32>(scene, &light, slots, (1, 1));
            let differ = whole.iter().zip(&listed).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            (differ, whole.iter().filter(|&&pixel| pixel > 0.0).count())
        };
        let (differ, lit) = scene.with(1, run).expect("a scene");
        assert!(differ == 0 && lit > 1000, "{differ} pixels of {lit} differ");
    }
}

#[test]
fn frames_take_what_is_faster_or_what_is_asked_for() {
    let mut scene = KernelScene::from_simulation(&simulation(SPOTS), Simd::detect(), Mode::Spec);
    scene.domains = (0..50).flat_map(|_| scene.domains.clone()).collect();
    let image = |fudge: f64, rule| {
        let mut experiment = scene.experiment();
        experiment.crystallite.fudge = fudge;
        experiment.light = rule;
        let mut orientations = experiment.orientation_buffer().expect("memory");
        let scenes = experiment.scenes(0, &mut orientations).expect("a scene");
        let frame = render_frame(&experiment, &scenes, &|| ()).expect("an image");
        (frame.light(), bits32(&frame.pixels))
    };
    let is_list = |light| matches!(light, LightTaken::List { .. });
    for (fudge, faster) in [(1.0, true), (1e-4, false)] {
        let (auto, pixels) = image(fudge, LightRule::Auto);
        assert_eq!(is_list(auto), faster, "{fudge}: {auto:?}");
        let (list, listed) = image(fudge, LightRule::List);
        let (taken, looped) = image(fudge, LightRule::Loop);
        assert!(is_list(list) && taken == LightTaken::Loop, "{fudge}: {list:?} {taken:?}");
        assert!(pixels == looped && listed == looped, "{fudge}");
    }
}
