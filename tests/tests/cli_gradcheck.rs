//! `widebragg gradcheck` on the golden command lines: every parameter, both modes, both directions of
//! differentiation.

use widebragg_tests::golden::{Case, cases};
use widebragg_tests::program::Workplace;

/// Runs `gradcheck --json` and checks that all derivatives are right. Returns the number of parameters.
fn check(place: &Workplace, what: &str, args: &[String]) -> usize {
    let outcome = place.run(["gradcheck", "--json"].map(str::to_owned).iter().chain(args));
    assert_eq!(outcome.code, Some(0), "{what}: {}{}", outcome.stdout, outcome.stderr);
    let report = outcome.json();
    let parameters = report["parameters"].as_array().expect("parameters");
    for parameter in parameters {
        assert_eq!(parameter["right"], true, "{what}: {parameter}");
        for error in ["pullback_error", "pushforward_error"] {
            assert!(parameter[error].as_f64().expect("a number") <= 1e-6, "{what}: {parameter}");
        }
    }
    parameters.len()
}

/// Regions of two by two pixels around the brightest pixel of each image.
#[test]
fn derivatives_are_right_on_all_golden_cases_in_both_modes() {
    let place = Workplace::with_inputs();
    let mut derivatives = 0;
    let cases = cases().expect("golden cases");
    for name in &cases {
        let case = Case::load(name).expect("a case");
        for mode in ["spec", "c-parity"] {
            let args: Vec<String> =
                case.args.iter().cloned().chain(["--phi-carryover-mode", mode].map(str::to_owned)).collect();
            derivatives += check(&place, &format!("{name} {mode}"), &args);
        }
    }
    println!("{} cases in two modes, {derivatives} derivatives", cases.len());
    assert!(derivatives > 2 * 30 * cases.len());
}

/// Regions on the flanks of spots and between them. The first pixels of the image also open the carryover.
#[test]
fn derivatives_are_right_in_other_regions() {
    let place = Workplace::with_inputs();
    for name in [
        "phi_zero_start",
        "phi_zero_in_middle",
        "interpolate_latch",
        "shape_round",
        "shape_gauss",
        "phi_mosaic",
    ] {
        let case = Case::load(name).expect("a case");
        for mode in ["spec", "c-parity"] {
            for roi in ["0 1 0 1", "40 41 33 34", "12 13 60 61"] {
                let own = ["--phi-carryover-mode", mode, "-roi"].into_iter().chain(roi.split(' '));
                let args: Vec<String> = case.args.iter().cloned().chain(own.map(str::to_owned)).collect();
                check(&place, &format!("{name} {mode} {roi}"), &args);
            }
        }
    }
}

const LINE: &str =
    "-hkl dense.hkl -mat tri.mat -lambda 1.2 -pixel 0.2 -detpixels_x 96 -detpixels_y 80 -distance 90 -N 9";

/// Sizes of crystals, N matrices, mosaic spreads and spectra, where images depend smoothly on them.
#[test]
fn derivatives_by_crystals_and_spectra_are_right() {
    let place = Workplace::with_inputs();
    let line = LINE.trim_end_matches(" -N 9");
    for (more, wrt, count) in [
        ("-round_xtal --cells 5.5 6.25 7", "N,cells", 4),
        ("-gauss_xtal --cells 5.5 6.25 7", "N,cells", 4),
        ("-gauss_xtal --cells 5.5 6.25 7 --spot-metric index", "N,cells,coupling", 7),
        ("-gauss_xtal --n-matrix 7.25 5.5 6.3 -1.9 2.2 0.9", "N,cells,coupling", 7),
        ("-gauss_xtal -N 9 -mosaic_domains 6 --mosaic-anisotropic 0.2 0.5 0.9", "mosaic", 3),
        ("-N 9 -mosaic_domains 6 --mosaic-anisotropic 0.2 0.5 0.9 --mosaic-axes spiral", "mosaic", 3),
        ("-N 9 --spectrum-gauss 10300,60 --spectrum-steps 5", "spectrum,lambda", 3),
    ] {
        for roi in ["40 41 33 34", "12 13 60 61"] {
            let args = format!("{line} {more} --wrt {wrt} -roi {roi}");
            let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
            assert_eq!(check(&place, more, &args), count, "{more}");
        }
    }
}

/// `gradcheck` computes images and derivatives in f64 even in mixed precision.
#[test]
fn mixed_precision_is_checked_in_f64() {
    let place = Workplace::with_inputs();
    let args: Vec<String> = format!("{LINE} --precision mixed --wrt misset,lambda,distance")
        .split(' ')
        .map(str::to_owned)
        .collect();
    assert_eq!(check(&place, "mixed", &args), 5);
}

#[test]
fn exceeding_the_tolerance_ends_with_exit_code_3() {
    let place = Workplace::with_inputs();
    let outcome = place.run_line(&format!("gradcheck {LINE} --wrt misset --tolerance 1e-20"));
    assert_eq!(outcome.code, Some(3), "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("misset_x"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("gradcheck: "), "{}", outcome.stderr);
}

#[test]
fn the_table_names_parameters_units_and_pixels() {
    let place = Workplace::with_inputs();
    let outcome = place.run_line(&format!("gradcheck {LINE} --wrt cell,distance -roi 40 41 33 34")).well();
    for word in ["fast 40..41, slow 33..34", "alpha", "deg", "distance", "mm", "pullback"] {
        assert!(outcome.stdout.contains(word), "{word}: {}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("WRONG"));
}
