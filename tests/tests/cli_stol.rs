//! `widebragg stol`: the background of an image becomes the table that it was made from, whatever else is in the image.

use widebragg_tests::program::Workplace;

const DETECTOR: &str = "-distance 60 -pixel 0.2 -detpixels 200 -lambda 1 -polar 0.9 -cell 40 50 60 90 90 90";

const TABLE: &str = "0 4\n0.05 5\n0.1 8\n0.15 3\n0.3 2.5\n";

/// s, F, number of pixels and of those left out, of each line.
fn rings(text: &str) -> Vec<[f64; 4]> {
    let numbers = |line: &str| -> Vec<f64> {
        line.split_whitespace().map(|word| word.parse().expect("a number")).collect()
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| numbers(line).try_into().expect("four numbers")).collect()
}

/// F between the points of the table.
fn expected(s: f64) -> f64 {
    let table: Vec<[f64; 2]> = TABLE
        .lines()
        .map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse().expect("a number"));
            [numbers.next().expect("s"), numbers.next().expect("F")]
        })
        .collect();
    let pair = table.windows(2).find(|pair| pair[1][0] >= s).expect("s is in the table");
    let part = (s - pair[0][0]) / (pair[1][0] - pair[0][0]);
    // The curve between points lies between them.
    pair[0][1] + part * (pair[1][1] - pair[0][1])
}

#[test]
fn expected_photons_give_the_table_back() {
    let place = Workplace::empty();
    place.write("t.stol", TABLE);
    let line = format!("{DETECTOR} -fluence 1e22 -detector_thick 300 -detector_abs 400");
    place.run_line(&format!("{line} --background t.stol,0.2,1.2,30 -nonoise -nopgm -floatfile f.bin")).well();
    let matter = "--thickness 0.2 --matter-density 1.2 --matter-weight 30";
    place.run_line(&format!("stol f.bin {line} {matter} --bins 100 --out g.stol")).well();
    let text = String::from_utf8(place.read("g.stol")).expect("text");
    let found = rings(&text);
    assert!(found.len() > 90, "{}", found.len());
    for [s, f, pixels, left_out] in &found {
        assert!(
            (f - expected(*s)).abs() < 0.5 && *pixels >= 10.0 && *left_out <= 0.1 * pixels,
            "{s} {f} {left_out}"
        );
    }
    // The table makes the same image.
    let before = place.float("f.bin");
    place.run_line(&format!("{line} --background g.stol,0.2,1.2,30 -nonoise -nopgm -floatfile h.bin")).well();
    for (before, after) in before.iter().zip(place.float("h.bin")) {
        assert!((after / before - 1.0).abs() < 0.06, "{before} {after}");
    }
}

#[test]
fn spots_gaps_and_noise_do_not_count() {
    let place = Workplace::empty();
    place.write("t.stol", TABLE);
    let line =
        format!("{DETECTOR} -fluence 2e17 -default_F 3000 -misset 10 20 30 -N 12 -oversample 2 -seed 5");
    place
        .run_line(&format!(
            "{line} --background t.stol,0.2 -nopgm -floatfile f.bin -intfile i.img -noisefile n.img --cbf n.cbf"
        ))
        .well();
    // Geometry, wavelength and offset are those of the header.
    let of = |line: &str| {
        let text =
            place.run_line(&format!("stol {line} -polar 0.9 -fluence 2e17 --thickness 0.2 --bins 60")).well();
        rings(&text.stdout)
    };
    let smv = of("n.img");
    let left_out: f64 = smv.iter().map(|ring| ring[3]).sum();
    assert!(smv.len() > 50 && left_out > 50.0, "{left_out}");
    for [s, f, pixels, _] in &smv {
        assert!((f - expected(*s)).abs() < 0.5 + 20.0 / pixels.sqrt(), "{s} {f}");
    }
    let json =
        place.run_line("stol n.img -polar 0.9 -fluence 2e17 --thickness 0.2 --bins 60 --json").well().json();
    assert_eq!(json["rings"].as_array().expect("rings").len(), smv.len());
    // A gain doubles the numbers, an offset is subtracted.
    let half = of("n.img --adu-per-photon 2");
    for (half, whole) in half.iter().zip(&smv) {
        let ratio = (half[1] / whole[1]).powi(2);
        assert!((ratio - 0.5).abs() < 0.05, "{half:?} {whole:?}");
    }
    let lower = of("n.img --offset 41");
    assert!(lower.iter().zip(&smv).all(|(lower, whole)| lower[1] < whole[1]));
}

#[test]
fn what_cannot_be_is_refused() {
    let place = Workplace::empty();
    place.write("t.stol", TABLE);
    place
        .run_line(&format!(
            "{DETECTOR} --background t.stol,0.2 -nonoise -nopgm -floatfile f.bin -intfile i.img"
        ))
        .well();
    for (line, expected) in [
        (String::new(), "stol: needs one image, but 0 given"),
        ("a.bin b.bin".into(), "stol: needs one image, but 2 given"),
        ("none.img --thickness 1".into(), "none.img"),
        ("i.img".into(), "stol: needs the thickness of the matter, --thickness mm"),
        ("i.img --thickness 0".into(), "--thickness 0: must be larger than zero"),
        ("i.img --thickness 1 --bins 0".into(), "--bins 0"),
        ("i.img --thickness 1 --bins 9999999".into(), "--bins 9999999: must be at most 1048576"),
        ("i.img --thickness 1 --background water,1".into(), "--background: not with stol"),
        ("i.img --thickness 1 --out i.img".into(), "i.img"),
        ("i.img --thickness 1 --phi-carryover-mode c-parity".into(), "background: only in spec"),
    ] {
        let outcome = place.run_line(&format!("stol {line}")).refused(&line);
        assert!(outcome.stderr.contains(expected), "{line}: no {expected} in {}", outcome.stderr);
    }
    let outcome = place.run_line("stol f.bin -detpixels 100 -distance 60 -pixel 0.2 --thickness 1");
    assert_ne!(outcome.code, Some(0), "an image of another size");
}
