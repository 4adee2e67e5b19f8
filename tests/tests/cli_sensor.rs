//! `--sensor`: its images are those of the same attenuation, thickness and layers given by hand, which replace its own
//! where both are given.

use widebragg_tests::program::Workplace;

const LINE: &str = "-default_F 100 -mat tri.mat -pixel 0.2 -detpixels_x 60 -detpixels_y 50 -distance 30 -N 7 \
    -oversample 1 -fluence 1e27 -seed 1 -nonoise -nopgm -osc 0.5 -phisteps 3";

/// A run: the bits of its float image, its JSON, and standard error.
fn run(place: &Workplace, rest: &str) -> (Vec<u32>, serde_json::Value, String) {
    let outcome = place.run_line(&format!("{LINE} {rest} -floatfile image.bin --json")).well();
    let bits = place.float("image.bin").into_iter().map(f32::to_bits).collect();
    (bits, outcome.json(), outcome.stderr)
}

#[test]
fn an_image_is_that_of_the_equivalent_options() {
    let place = Workplace::with_inputs();
    let modes = ["", "--phi-carryover-mode c-parity"];
    for (sensor, by_hand, wavelength) in [
        ("si,320", "-detector_thick 320", "-lambda 1.2"),
        ("Si,450,5", "-detector_thick 450 -detector_thicksteps 5", "-energy 9000"),
        ("CdTe,750,3", "-detector_thick 750 -thicksteps 3", "-energy 30000"),
        ("GaAs,500", "-detector_thick 500", "-lambda 0.5"),
    ] {
        for mode in modes {
            let (with_sensor, summary, _) = run(&place, &format!("--sensor {sensor} {wavelength} {mode}"));
            let mu_per_m = summary["sensor"]["attenuation_per_m"].as_f64().expect("mu");
            let depth = format!("-detector_abs {:?}", 1e6 / mu_per_m);
            let (equivalent, by_options, _) = run(&place, &format!("{by_hand} {depth} {wavelength} {mode}"));
            // The depth goes through a decimal in um, which may cost its last bit.
            let apart = with_sensor.iter().zip(&equivalent).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart.is_some_and(|apart| apart <= 1), "{sensor} {mode}: {apart:?}");
            assert_eq!(summary["sensor"]["thickness_m"], by_options["sensor"]["thickness_m"]);
            let (thin, none, _) = run(&place, &format!("{wavelength} {mode}"));
            assert!(none["sensor"].is_null() && thin != with_sensor, "{sensor} {mode}");
        }
    }
}

/// Total attenuation of silicon at 12 keV: 4.63/mm by NIST's table, as dxtbx computed it (golden/geometry).
#[test]
fn the_summary_says_material_thickness_and_attenuation() {
    let place = Workplace::with_inputs();
    let (_, summary, _) = run(&place, "--sensor Si,320 -lambda 1.0332");
    let sensor = &summary["sensor"];
    assert_eq!(sensor["material"], "Si");
    assert!((sensor["thickness_m"].as_f64().expect("a thickness") - 320e-6).abs() < 1e-12);
    assert!((sensor["attenuation_per_m"].as_f64().expect("mu") / 4630.2307 - 1.0).abs() < 0.01);
    let text = place.run_line(&format!("{LINE} --sensor Si,320,4 -lambda 1.0332")).well().stdout;
    let line = text.lines().find(|line| line.starts_with("sensor ")).expect("a line about the sensor");
    assert!(line.starts_with("sensor       Si, 320 um in 4 layers, mu 4.6"), "{line}");
}

#[test]
fn options_of_nanobragg_replace_parts_of_the_sensor_and_say_so() {
    let place = Workplace::with_inputs();
    let (image, _, said) =
        run(&place, "--sensor Si,320,3 -detector_abs 100 -detector_thick 200 -thicksteps 2 -lambda 1.2");
    for line in [
        "-detector_abs 100 is used instead of the attenuation of --sensor Si",
        "-detector_thick 200 is used instead of the thickness of --sensor Si",
        "-detector_thicksteps 2 is used instead of the layers of --sensor Si",
    ] {
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(image, run(&place, "-detector_abs 100 -detector_thick 200 -thicksteps 2 -lambda 1.2").0);
    let (image, summary, said) = run(&place, "-detector_abs inf --sensor Si,320 -lambda 1.2");
    assert!(said.contains("-detector_abs inf (no sensor) is used instead"), "{said}");
    assert!(summary["sensor"].is_null() && image == run(&place, "-lambda 1.2").0);
    // What counts as not given replaces nothing.
    let (image, _, said) = run(&place, "--sensor Si,320,3 -detector_thick -5 -thicksteps 0 -lambda 1.2");
    assert!(!said.contains("instead") && image == run(&place, "--sensor Si,320,3 -lambda 1.2").0, "{said}");
}

#[test]
fn sensors_that_cannot_be_are_refused() {
    let place = Workplace::with_inputs();
    for (rest, message) in [
        ("--sensor Ge,300", "--sensor Ge,300: 'Ge' is not Si, CdTe or GaAs"),
        ("--sensor Si", "--sensor Si: give its thickness too, such as Si,500"),
        ("--sensor Si,0", "--sensor Si,0: '0' is not a thickness in um"),
        ("--sensor Si,inf", "'inf' is not a thickness in um"),
        ("--sensor Si,320,0", "'0' is not a number of layers"),
        ("--sensor Si,320000", "--sensor Si,320000: '320000' um is thicker than any sensor (1 cm)"),
        ("--sensor CdTe,750,1001", "--sensor CdTe,750,1001: a sensor has at most 1000 layers"),
        ("--sensor Si,320,2,1", "expected material, thickness in um and layers, such as Si,320,5"),
        (
            "--sensor Si,320 -energy 50",
            "--sensor Si: attenuation of Si is known from 100 to 800000 eV, not at 50 eV",
        ),
    ] {
        let outcome = place.run_line(&format!("{LINE} {rest}"));
        assert_eq!(outcome.code, Some(2), "{rest}");
        assert!(outcome.stderr.contains(message), "{rest}: {}", outcome.stderr);
    }
}
