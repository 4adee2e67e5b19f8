//! How far the two modes are apart: the table of the README.

use widebragg_tests::program::Workplace;

/// The correlation of the two modes' images of a crystal of 20 x 20 x 20 cells.
fn correlation(place: &Workplace, rotation: &str) -> f64 {
    for mode in ["spec", "c-parity"] {
        let line = format!(
            "-cell 70 80 90 90 90 90 -misset 10 20 30 -default_F 100 -N 20 -lambda 1 -distance 100 \
             -detpixels 512 -pixel 0.2 -oversample 1 -nonoise -nopgm {rotation} \
             --phi-carryover-mode {mode} -floatfile {mode}.bin --quiet"
        );
        place.run_line(&line).well();
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
        let found = correlation(&place, rotation);
        assert!((found - expected).abs() < 1e-3, "{rotation}: {found}");
    }
}

#[test]
fn stills_and_rotations_that_leave_out_zero_are_the_same_in_both_modes() {
    let place = Workplace::empty();
    for rotation in ["", "-phi 0.5 -osc 0.1 -phisteps 3"] {
        let found = correlation(&place, rotation);
        assert!(place.read("spec.bin") == place.read("c-parity.bin"), "{rotation}: {found}");
    }
}

/// The sum of the image of a crystal of one cell in a mode, relative to that without the options.
fn relative_sum(place: &Workplace, options: &str, mode: &str) -> (f64, String) {
    let line = "-cell 40 50 60 80 95 100 -N 1 -default_F 30 -lambda 1.1 -distance 200 -detpixels 40 -pixel 1 \
                -fluence 1e24 -nonoise -nopgm -nopolar --quiet";
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
    for (options, spec, parity, told) in [
        ("-detector_thick 450 -detector_abs 300 -detector_thicksteps 5", 0.78, 0.35, "sensor layers"),
        ("-detector_thick 450 -detector_abs 300", 0.78, 0.5, "sensor layers"),
        ("-oversample 4 -oversample_polar", 1.0, 1.0, "-oversample_thick"),
    ] {
        let (found, stderr) = relative_sum(&place, options, "spec");
        assert!((found / spec - 1.0).abs() < 0.02, "{options}: {found}");
        assert!(stderr.contains(told), "{stderr}");
        let (found, stderr) = relative_sum(&place, options, "c-parity");
        assert!((found / parity - 1.0).abs() < 0.05, "{options}: {found}");
        assert!(!stderr.contains("spec: "), "{stderr}");
    }
    // A factor that is the same everywhere: the solid angle, in sr, of a pixel at 200 mm.
    let ratio = |mode: &str| relative_sum(&place, "-oversample 4 -oversample_omega", mode).0;
    assert!((ratio("spec") - 1.0).abs() < 0.02);
    assert!((ratio("c-parity") * 16.0 - 1.0).abs() < 0.02, "{}", ratio("c-parity") * 16.0);
    // Water alone.
    let water = |mode: &str| {
        let line = "-cell 40 -N 1 -default_F 0 -lambda 1 -distance 100 -detpixels 10 -pixel 1 -water 10 \
                    -fluence 1e24 -oversample 1 -nonoise -nopgm --quiet";
        let stderr = place.run_line(&format!("{line} --phi-carryover-mode {mode}")).well().stderr;
        (place.float("floatimage.bin").iter().map(|&pixel| f64::from(pixel)).sum::<f64>(), stderr)
    };
    let ((spec, stderr), (parity, _)) = (water("spec"), water("c-parity"));
    assert!((spec / parity / 126e3 - 1.0).abs() < 0.01, "{}", spec / parity);
    assert!(stderr.contains("-water: nanoBragg's background would be 7.941e-6 times this one"), "{stderr}");
}
