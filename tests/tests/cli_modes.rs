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
