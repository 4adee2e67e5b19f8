//! How far the two modes are apart: the table of the README.

use widebragg_tests::program::Workplace;

/// The correlation of the images that the two modes give of a crystal of 20 x 20 x 20 cells. Where they `differ`, the
/// summary must say that phi = 0 is the cause.
fn correlation(place: &Workplace, rotation: &str, differ: bool) -> f64 {
    for mode in ["spec", "c-parity"] {
        let line = format!(
            "-cell 70 80 90 90 90 90 -misset 10 20 30 -default_F 100 -N 20 -lambda 1 -distance 100 \
             -detpixels 512 -pixel 0.2 -oversample 1 -nonoise -nopgm {rotation} \
             --phi-carryover-mode {mode} -floatfile {mode}.bin"
        );
        let told = place.run_line(&line).well().stdout;
        assert_eq!(told.contains("phi = 0 is a step like any other; "), differ && mode == "spec", "{told}");
    }
    let compared = place.run_line("compare spec.bin c-parity.bin --size 512 512 --json");
    compared.json()["correlation"].as_f64().expect("a correlation")
}

#[test]
fn the_modes_differ_in_rotations_from_zero_as_the_readme_says() {
    let place = Workplace::empty();
    for (rotation, expected) in [
        ("-phi 0 -osc 0.1 -phisteps 10", 0.996),
        ("-phi 0 -osc 0.1 -phisteps 2", 0.965),
        ("-phi 0 -osc 1 -phisteps 10", 0.966),
        ("-phi 0 -osc 1 -phisteps 2", 0.733),
    ] {
        let found = correlation(&place, rotation, true);
        assert!((found - expected).abs() < 1e-3, "{rotation}: {found}");
    }
}

#[test]
fn stills_and_rotations_that_leave_out_zero_are_the_same_in_both_modes() {
    let place = Workplace::empty();
    for rotation in ["", "-phi 0.5 -osc 0.1 -phisteps 3", "-phi -0.1 -osc 0.1 -phisteps 2"] {
        let found = correlation(&place, rotation, false);
        assert!(place.read("spec.bin") == place.read("c-parity.bin"), "{rotation}: {found}");
    }
}

/// Beside the detector of [`relative_sum`]: pixels at 48 to 53 degrees, whose polarisation factor is 0.68 to 0.72.
const ASIDE: &str = "-Xbeam -225";

/// The sum of the image of a crystal of one cell in a mode, relative to that without the options; both images have the
/// options `both`.
fn relative_sum(place: &Workplace, [both, options]: [&str; 2], mode: &str) -> (f64, String) {
    let line = format!(
        "-cell 40 50 60 80 95 100 -N 1 -default_F 30 -lambda 1.1 -distance 200 -detpixels 40 -pixel 1 \
         -fluence 1e24 -nonoise -nopgm --quiet {both}"
    );
    let [with, without] = [options, ""].map(|options| {
        let oversampled = if options.contains("-oversample ") { "" } else { "-oversample 1" };
        let line = format!("{line} {oversampled} {options} --phi-carryover-mode {mode}");
        let outcome = place.run_line(&line).well();
        let sum = place.float("floatimage.bin").iter().map(|&pixel| f64::from(pixel)).sum::<f64>();
        (sum, outcome.stderr)
    });
    (with.0 / without.0, with.1)
}

/// The sizes in the table of the README, and that the program tells users of nanoBragg.
#[test]
fn the_modes_differ_in_layers_flags_and_water_as_the_readme_says() {
    let place = Workplace::empty();
    let aside_unpolarized = format!("{ASIDE} -nopolar");
    for (both, options, spec, parity, told) in [
        (
            "-nopolar",
            "-detector_thick 450 -detector_abs 300 -detector_thicksteps 5",
            0.78,
            0.35,
            "sensor layers (5 of 90 um) each capture their own share; nanoBragg's (5 of 112.5 um) all",
        ),
        (
            "-nopolar",
            "-detector_thick 450 -detector_abs 300",
            0.78,
            0.5,
            "sensor layers (2 of 225 um) each capture their own share; nanoBragg's (2 of 225 um) all",
        ),
        (
            "-nopolar",
            "-detector_thick 300 -detector_abs 300 -detector_thicksteps 1",
            0.63,
            0.465,
            "sensor layers (1 of 300 um) each capture their own share; nanoBragg's (2 of 300 um) all",
        ),
        ("-nopolar", "-oversample_thick", 1.0, 0.0, "nanoBragg's image would be dark"),
        // Sixteen subpixels: the mean of 0.7 to 0.7^16, over 0.7.
        (ASIDE, "-oversample 4 -oversample_polar", 1.0, 0.21, "-oversample_thick, _polar and _omega"),
        (&aside_unpolarized, "-oversample_polar", 1.0, 0.7, "-nopolar switches the polarisation off"),
    ] {
        let (found, stderr) = relative_sum(&place, [both, options], "spec");
        assert!((found / spec - 1.0).abs() < 0.02, "{options}: {found}");
        assert!(stderr.contains(told), "{stderr}");
        let (found, stderr) = relative_sum(&place, [both, options], "c-parity");
        assert!((found - parity).abs() <= 0.05 * parity, "{options}: {found}");
        assert!(!stderr.contains("spec: "), "{stderr}");
    }
    // A factor that is the same everywhere: the solid angle, in sr, of a pixel at 200 mm.
    let ratio = |mode: &str| relative_sum(&place, ["-nopolar", "-oversample 4 -oversample_omega"], mode).0;
    assert!((ratio("spec") - 1.0).abs() < 0.02);
    assert!((ratio("c-parity") * 16.0 - 1.0).abs() < 0.02, "{}", ratio("c-parity") * 16.0);
    // Water alone.
    place.write("sources.txt", "-10 0 0 1\n-10 0 0 0\n-10 0 0 0\n");
    let water = |options: &str| {
        let [(spec, stderr), (parity, _)] = ["spec", "c-parity"].map(|mode| {
            let line = "-cell 40 -N 1 -default_F 0 -lambda 1 -distance 100 -detpixels 10 -pixel 1 -water 10 \
                        -fluence 1e24 -oversample 1 -nonoise -nopgm --quiet";
            let stderr =
                place.run_line(&format!("{line} {options} --phi-carryover-mode {mode}")).well().stderr;
            (place.float("floatimage.bin").iter().map(|&pixel| f64::from(pixel)).sum::<f64>(), stderr)
        });
        (spec / parity, stderr)
    };
    // nanoBragg divides by the sources of weight 0 as well.
    for (options, ratio, told) in [("", 126e3, "7.941e-6"), ("-sourcefile sources.txt", 378e3, "2.647e-6")] {
        let (found, stderr) = water(options);
        assert!((found / ratio - 1.0).abs() < 0.01, "{options}: {found}");
        let line = format!("-water: nanoBragg's background would be {told} times this one");
        assert!(stderr.contains(&line), "{options}: {stderr}");
    }
}
