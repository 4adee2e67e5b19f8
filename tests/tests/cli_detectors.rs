//! `--detector`: sizes, gaps and sensors of detectors by name, what replaces them, and what is refused. The gaps are
//! those that pyFAI, dxtbx and the makers' files agree on.

use std::collections::BTreeSet;

use serde_json::Value;
use widebragg_formats::cbf::read_cbf;
use widebragg_tests::program::{Workplace, smv_parts};

/// Water in the beam, so that every pixel that is rendered has photons.
const LINE: &str =
    "-default_F 0 -mat tri.mat -lambda 1 -distance 200 -N 1 -oversample 1 -water 100 -nonoise -nopgm";

/// Columns without a single photon, and such rows.
fn dark(place: &Workplace, [fast, slow]: [usize; 2]) -> [BTreeSet<usize>; 2] {
    let image = place.float("image.bin");
    assert_eq!(image.len(), fast * slow);
    let column = |index: &usize| (0..slow).all(|row| image[row * fast + index] == 0.0);
    let row = |index: &usize| image[index * fast..][..fast].iter().all(|&pixel| pixel == 0.0);
    [(0..fast).filter(column).collect(), (0..slow).filter(row).collect()]
}

fn near(found: &Value, expected: f64) {
    assert!(
        found.as_f64().is_some_and(|found| (found / expected - 1.0).abs() < 1e-12),
        "{found}, not {expected}"
    );
}

#[test]
fn gaps_of_a_pilatus_are_not_rendered() {
    let place = Workplace::with_inputs();
    let files = "-floatfile image.bin --cbf image.cbf -intfile image.img";
    let outcome = place.run_line(&format!("{LINE} --detector pilatus-300k {files} --json")).well();
    let summary = outcome.json();
    assert_eq!((&summary["fast_pixels"], &summary["slow_pixels"]), (&487.into(), &619.into()));
    near(&summary["pixel_m"], 172e-6);
    assert_eq!(summary["detector"]["name"], "Pilatus 300K");
    assert_eq!(summary["detector"]["saturation"], 1_048_575);
    assert_eq!(summary["sensor"]["material"], "Si");
    near(&summary["sensor"]["thickness_m"], 320e-6);
    let [columns, rows] = dark(&place, [487, 619]);
    assert!(columns.is_empty());
    assert_eq!(rows, (195..=211).chain(407..=423).collect());
    let counts = read_cbf(&place.path().join("image.cbf")).expect("an image").pixels;
    assert!(
        counts
            .chunks(487)
            .zip(0..)
            .all(|(line, row)| line.iter().all(|&count| (count == -1) == rows.contains(&row)))
    );
    // Masked pixels hold the offset in SMV images.
    let (_, pixels) = smv_parts(&place.read("image.img")).expect("an image");
    assert!(pixels[195 * 487..212 * 487].iter().all(|&pixel| pixel == 40));
    assert!(pixels[..195 * 487].iter().all(|&pixel| pixel > 40));
}

#[test]
fn a_detector_is_its_options_and_a_mask() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} --detector Eiger_500K -floatfile named.bin")).well();
    let by_hand = "-detpixels_x 1030 -detpixels_y 514 -pixel 0.075 --sensor Si,450";
    place.run_line(&format!("{LINE} {by_hand} -floatfile by_hand.bin")).well();
    assert_eq!(place.float("named.bin"), place.float("by_hand.bin"));
}

#[test]
fn a_mask_joins_the_gaps() {
    let place = Workplace::with_inputs();
    // The integer image of water is a mask without 0 but outside its region.
    let part = "-roi 100 300 150 400 -adc 1 -intfile mask.img -floatfile image.bin -scale 1";
    place.run_line(&format!("{LINE} -detpixels_x 487 -detpixels_y 619 -pixel 0.172 {part}")).well();
    place.run_line(&format!("{LINE} --detector pilatus_300k -mask mask.img -floatfile image.bin")).well();
    let [columns, rows] = dark(&place, [487, 619]);
    assert_eq!(columns, (0..100).chain(301..487).collect());
    assert_eq!(rows, (0..150).chain(195..=211).chain(401..619).collect());
}

#[test]
fn seams_are_masked_where_the_sensor_is_of_cdte() {
    let place = Workplace::with_inputs();
    let line = format!("{LINE} --detector Pilatus3_100K -floatfile image.bin");
    let said = place.run_line(&format!("{line} --sensor CdTe --json")).well();
    assert_eq!(said.stderr.matches("columns 242 to 244").count(), 1, "{}", said.stderr);
    near(&said.json()["sensor"]["thickness_m"], 1e-3);
    assert_eq!(dark(&place, [487, 195])[0], (242..=244).collect());
    place.run_line(&format!("{line} --sensor Si,320")).well();
    assert!(dark(&place, [487, 195])[0].is_empty());
}

#[test]
fn options_replace_what_the_name_says_and_warn() {
    let place = Workplace::with_inputs();
    for (rest, line) in [
        ("-pixel 0.2", "-pixel 0.2 is used instead of the 0.172 mm of --detector Pilatus 300K"),
        ("-detpixels_x 400", "-detpixels_x 400 is used instead of the 487 pixels of --detector Pilatus 300K"),
        ("-detpixels_y 600", "its gaps are not masked, since the image has other pixels"),
        ("-detsize_y 20", "-detsize_y 20 is used instead of the 619 pixels of --detector Pilatus 300K"),
        (
            "-detector_thick 450",
            "-detector_thick 450 is used instead of the thickness of --detector Pilatus 300K",
        ),
        (
            "-detector_abs 200",
            "-detector_abs 200 is used instead of the attenuation of --detector Pilatus 300K",
        ),
    ] {
        let said = place.run_line(&format!("{LINE} --detector pilatus_300k {rest}")).well().stderr;
        assert!(said.contains(line), "{rest}: {said}");
    }
    let plain =
        place.run_line(&format!("{LINE} --detector Pilatus_300K -pixel 0.172 -detpixels_x 487")).well();
    assert!(!plain.stderr.contains("instead"), "{}", plain.stderr);
}

#[test]
fn what_is_uncertain_or_left_open_is_said() {
    let place = Workplace::with_inputs();
    let said = |rest: &str| place.run_line(&format!("{LINE} {rest}")).well().stderr;
    let open = "its sensor has 450 um of Si or 750 um of CdTe, of which none is simulated";
    assert!(said("--detector Eiger2-500K").contains(open));
    assert!(!said("--detector Eiger2-500K --sensor Si").contains("none is simulated"));
    assert!(said("--detector pilatus4-260k --sensor Si").contains("pyFAI, the only source"));
    let help = place.run_line("help detectors").well().stdout;
    for name in ["Pilatus 6M ", "Eiger2 16M ", "Jungfrau 4M ", "MAR345 3450 ", "CSPAD ", "ePix10k2M "] {
        assert!(help.contains(&format!("\n  {name}")), "{name}");
    }
}

#[test]
fn names_that_tell_no_geometry_are_refused() {
    let place = Workplace::with_inputs();
    for (rest, message) in [
        (
            "--detector CSPAD",
            "the geometry of CSPAD must come from a file: its 32 sensors are in 4 quadrants",
        ),
        ("--detector agipd_1m", "the geometry of AGIPD 1M must come from a file"),
        ("--detector Jungfrau_1M", "the gap between its 2 modules is 36 pixels at one facility"),
        (
            "--detector pilatus-12m",
            "the geometry of Pilatus 12M-DLS must come from a file: its 24 banks are tilted",
        ),
        ("--detector pilatos_6M", "--detector pilatos_6M: not a known detector; did you mean Pilatus 6M?"),
        ("--detector eiger3-16m", "did you mean Eiger"),
        ("--detector camera", "not a known detector; widebragg help detectors lists them"),
        ("--detector Pilatus-100K --sensor GaAs", "--sensor GaAs: give its thickness too, such as GaAs,500"),
        (
            "--detector Pilatus-100K -energy 20",
            "--detector Pilatus 100K: attenuation of Si is known from 100",
        ),
    ] {
        let outcome = place.run_line(&format!("{LINE} {rest}"));
        assert_eq!(outcome.code, Some(2), "{rest}");
        assert!(outcome.stderr.contains(message), "{rest}: {}", outcome.stderr);
    }
}
