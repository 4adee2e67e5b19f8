//! The kernel's render loop compared with golden images and the oracle, at every level, in both modes.
//!
//! Near a reflection the reference's sin(N pi h)/sin(pi h) has an error of 1e-16 h/d, where d is the distance
//! to the nearest integer; the kernel's does not. Stored as f32 the images still agree. For agreement to
//! 1e-12 the kernel is compared with the oracle's precise interference functions, with everything else in the
//! reference's order of operations.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

use proptest::prelude::*;
use widebragg::lanes::Simd;
use widebragg::render::RowReport;
use widebragg_tests::commands::command_line;
use widebragg_tests::compare::{ORACLE_LIMIT, apart, compare, flank_limit, relative, ulp_error};
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::functions::{sinc3, sinc3_precise, sincg_precise};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

const MODES: [Mode; 2] = [Mode::CParity, Mode::Spec];

/// An image and the report of the call.
fn render(scene: &KernelScene, reference_threads: usize) -> (Vec<f64>, RowReport) {
    let rendered = scene.with(reference_threads, |scene, slots| {
        let mut pixels = vec![f64::NAN; scene.panel().pixels()];
        let rows = 0..scene.panel().slow_pixels;
        let report =
            scene.render_rows(rows, &mut pixels, &mut widebragg::carryover::Carryover::Streams(slots))?;
        Ok::<_, widebragg::Error>((pixels, report))
    });
    rendered.and_then(|inner| inner).expect("a scene")
}

#[test]
fn the_precise_oracle_is_accurate() {
    for row in golden::sincg_exact().expect("sincg_exact.csv") {
        if row.h.abs() <= 1e6 && row.exact.0.abs() > 1e-60 {
            let value = sincg_precise(row.h, row.N);
            assert!(ulp_error(value, row.exact) <= 6.0, "{row:?}: {value}");
        }
    }
    for i in 0..=200 {
        // Arguments at which the series and the expression are both accurate.
        let x = 1.0 + f64::from(i) / 100.0;
        assert!((sinc3_precise(x) - sinc3(x)).abs() <= 1e-15, "{x}");
    }
}

#[test]
fn golden_images_match_the_oracle_and_the_reference() {
    let mut worst = (0.0, String::new());
    let mut different = 0;
    let mut failures = Vec::new();
    for name in golden::cases().expect("golden images") {
        let case = Case::load(&name).expect("case.json");
        let mut simulation = Simulation::from_args(&case.args, &golden::inputs()).expect("command line");
        simulation.precise = true;
        for mode in case.modes() {
            let expected = simulation.render(mode, 1);
            let reference = case.image(mode).expect("float image");
            for simd in Simd::available() {
                let what = format!("{name} {mode:?} {}", simd.level());
                let (image, report) = render(&KernelScene::from_simulation(&simulation, simd, mode), 1);
                let apart = apart(&image, &expected.value);
                if apart > worst.0 {
                    worst = (apart, what.clone());
                }
                let stored: Vec<f32> = image.iter().map(|&x| x as f32).collect();
                let from_reference = compare(&stored, &reference).expect("same size");
                different += from_reference.different;
                let omega = relative(report.omega_sum_sr, expected.omega_sum, 0.0);
                if apart > ORACLE_LIMIT || !from_reference.is_within_limits() || omega > 1e-12 {
                    failures.push(format!(
                        "{what}: {apart:.1e} from the oracle, {from_reference}, omega {omega:.1e}"
                    ));
                }
                if mode == Mode::Spec && report.fallbacks != expected.fallbacks {
                    failures
                        .push(format!("{what}: {} fallbacks, not {}", report.fallbacks, expected.fallbacks));
                }
            }
        }
    }
    println!(
        "worst: {:.1e} of the maximum at {}; {different} pixels differ from the reference",
        worst.0, worst.1
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A step for which the reference finds F_latt to be exactly 0 is skipped: it multiplies no running sum and
/// latches no interpolation. A Gaussian as small as the smallest f64 is not skipped.
#[test]
fn steps_are_skipped_where_the_reference_skips_them() {
    let line = "-pixel 0.9 -detpixels 21 -close_distance 78.3 -Xbeam 9.59 -Ybeam 7.69 -detector_rotx -12.6 \
                -twotheta -6.5 -mat tri.mat -Na 10 -Nb 10 -Nc 1 -sample_heigh 0.000298 -gauss_xtal -mosaic_dom 2 \
                -hkl sparse.hkl -interpolate -energy 11261.9 -osc 0.5 -oversample 2 -oversample_polar -dmin 1.31";
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
    for mode in MODES {
        let expected = simulation.render(mode, 1);
        for simd in Simd::available() {
            let (image, report) = render(&KernelScene::from_simulation(&simulation, simd, mode), 1);
            let apart = apart(&image, &expected.value);
            assert!(apart <= flank_limit(&simulation), "{mode:?} {}: {apart:.1e}", simd.level());
            if mode == Mode::Spec {
                assert_eq!(report.fallbacks, expected.fallbacks, "{}", simd.level());
            }
        }
    }
}

/// Crystals with one cell along an axis have their own loops: each combination of such axes, with each
/// lookup.
#[test]
fn crystals_of_one_cell_along_an_axis_match_the_oracle() {
    let line = "-mat tri.mat -lambda 1.1 -pixel 0.9 -detpixels_x 21 -detpixels_y 5 -distance 60 -osc 0.5 -phisteps 2 -oversample 1";
    for lookup in ["-default_F 100", "-hkl dense.hkl -nointerpolate", "-hkl dense.hkl -interpolate"] {
        for thin in 1..8 {
            let cells = |axis: u32| if thin >> axis & 1 == 1 { 1 } else { 9 + axis };
            let args = format!("{line} {lookup} -Na {} -Nb {} -Nc {}", cells(0), cells(1), cells(2));
            let words: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
            let mut simulation = Simulation::from_args(&words, &golden::inputs()).expect("command line");
            simulation.precise = true;
            let expected = simulation.render(Mode::Spec, 1);
            for simd in Simd::available() {
                let (image, _) = render(&KernelScene::from_simulation(&simulation, simd, Mode::Spec), 1);
                let apart = apart(&image, &expected.value);
                assert!(apart <= ORACLE_LIMIT, "{args}, {}: {apart:.1e}", simd.level());
            }
        }
    }
}

/// Regions with every start and length around the lane boundaries, and some masked pixels: inside, the bits
/// are those of the whole image; outside, pixels are 0.
#[test]
fn regions_of_any_start_and_length_equal_the_image() {
    let line = "-hkl dense.hkl -mat tri.mat -pixel 0.7 -detpixels_x 34 -detpixels_y 3 -distance 40 -N 6 -oversample 1";
    for more in [
        "-nointerpolate",
        "-nointerpolate -Nb 1",
        "-interpolate",
        "-gauss_xtal",
        "-polar 0.9 -oversample_polar",
    ] {
        let args: Vec<String> = format!("{line} {more}").split_whitespace().map(str::to_owned).collect();
        let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
        for simd in Simd::available() {
            let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
            let whole: Vec<f64> = scene.render(1).expect("an image");
            let mask: Vec<u16> = (0..whole.len()).map(|i| u16::from(i % 11 != 5)).collect();
            scene.mask = Some(mask.clone());
            (scene.roi.slow_min, scene.roi.slow_max) = (1, 1);
            for start in 0..9 {
                for len in 1..=25 {
                    (scene.roi.fast_min, scene.roi.fast_max) = (start, start + len - 1);
                    let (image, report) = render(&scene, 1);
                    let mut selected = 0;
                    for (i, (&pixel, &full)) in image.iter().zip(&whole).enumerate() {
                        let inside = i / 34 == 1 && (start..start + len).contains(&(i % 34)) && mask[i] != 0;
                        selected += u64::from(inside);
                        let expected = if inside { full } else { 0.0 };
                        assert_eq!(
                            pixel.to_bits(),
                            expected.to_bits(),
                            "{more} {} {start} {len} {i}",
                            simd.level()
                        );
                    }
                    assert_eq!(report.pixels, selected);
                }
            }
        }
    }
}

#[test]
fn f32_pixels_are_the_rounded_f64_pixels() {
    let case = Case::load("phi_mosaic").expect("case.json");
    let simulation = Simulation::from_args(&case.args, &golden::inputs()).expect("command line");
    for simd in Simd::available() {
        let scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
        let wide: Vec<f64> = scene.render(1).expect("f64");
        let narrow: Vec<f32> = scene.render(1).expect("f32");
        assert!(wide.iter().zip(&narrow).all(|(&x, &y)| x as f32 == y), "{}", simd.level());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_command_lines_match_the_oracle(args in command_line(), threads in 1_usize..4) {
        let mut simulation = Simulation::from_args(&args, &golden::inputs()).map_err(TestCaseError::fail)?;
        simulation.precise = true;
        for mode in MODES {
            let expected = simulation.render(mode, threads);
            for simd in Simd::available() {
                let (image, report) = render(&KernelScene::from_simulation(&simulation, simd, mode), threads);
                let apart = apart(&image, &expected.value);
                prop_assert!(apart <= flank_limit(&simulation), "{:?} {}: {:.1e}", mode, simd.level(), apart);
                // The tolerance is for the oracle's sum of up to a hundred thousand equal numbers.
                prop_assert!(relative(report.omega_sum_sr, expected.omega_sum, 0.0) <= 1e-11);
            }
        }
    }
}
