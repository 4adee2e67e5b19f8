//! `widebragg refine`: recovery of crystals from their images, options that reproduce the fit, and how a
//! refinement ends.
//!
//! The test with the demo at full size and 20 random starts takes a minute or more, so it is ignored and run
//! by name:
//!
//! ```sh
//! cargo test --release -p widebragg-tests --test cli_refine -- --ignored --nocapture
//! ```
//!
//! Measured on two cores with AVX-512: all 20 starts succeed, each in 1.9 to 3.3 s and 8 to 10 steps. The
//! largest error of a length or an angle is 5.2e-11, and of a missetting angle 4.0e-9 degrees.

use std::time::Instant;

use serde_json::Value;
use widebragg_tests::deviates::deviates;
use widebragg_tests::program::{Outcome, Workplace};
use widebragg_tests::report::number;

/// Options of a small crystal on a small detector, without cell and orientation.
const LINE: &str = "-default_F 100 -lambda 1 -distance 80 -pixel 0.2 -detpixels_x 300 -detpixels_y 290 -N 6 -osc 1 -phisteps 3 \
                    -oversample 3 -fluence 1e27 -nonoise -nopgm";
const CELL: [f64; 6] = [45.3, 52.1, 60.7, 82.0, 97.0, 104.0];
const MISSET: [f64; 3] = [20.0, -35.0, 50.0];

/// Largest errors of a refinement: relative for lengths and angles, in degrees for missetting angles.
const CELL_WITHIN: f64 = 1e-4;
const MISSET_WITHIN: f64 = 0.002;

fn crystal(cell: [f64; 6], misset: [f64; 3]) -> String {
    let words = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    format!("-cell {} -misset {}", words(&cell), words(&misset))
}

/// A folder with `data.bin`, an image of the crystal with the options in `rest`.
fn place(rest: &str) -> Workplace {
    let place = Workplace::empty();
    let line =
        format!("{LINE} {} {rest} -floatfile data.bin -intfile data.img --quiet", crystal(CELL, MISSET));
    place.run_line(&line).well();
    place
}

/// A random offset of either sign, between half of `most` and `most`.
fn off(random: &mut impl FnMut() -> f64, most: f64) -> f64 {
    let size = most * (0.5 + 0.5 * random());
    if random() < 0.5 { -size } else { size }
}

/// A random start at the largest offsets that are promised: 0.3 % of lengths and angles, 0.05 degrees.
fn start(random: &mut impl FnMut() -> f64) -> String {
    let cell = CELL.map(|number| number * (1.0 + off(random, 0.003)));
    crystal(cell, MISSET.map(|angle| angle + off(random, 0.05)))
}

fn fitted(report: &Value, name: &str) -> f64 {
    let rows = report["parameters"].as_array().expect("parameters");
    number(&rows.iter().find(|row| row["name"] == name).expect(name)["fitted"])
}

/// Largest errors of a fit: relative for lengths and angles, in degrees for missetting angles.
fn errors(report: &Value, cell: [f64; 6], misset: [f64; 3]) -> [f64; 2] {
    let cell = ["a", "b", "c", "alpha", "beta", "gamma"].into_iter().zip(cell);
    let relative = cell.map(|(name, right)| (fitted(report, name) / right - 1.0).abs());
    let misset = ["misset_x", "misset_y", "misset_z"].into_iter().zip(misset);
    let degrees = misset.map(|(name, right)| (fitted(report, name) - right).abs());
    [relative.fold(0.0, f64::max), degrees.fold(0.0, f64::max)]
}

/// Checks that the loss never rises within a stage.
fn check_history(report: &Value) {
    let history = report["history"].as_array().expect("a history");
    for pair in history.windows(2).filter(|pair| pair[0]["stage"] == pair[1]["stage"]) {
        assert!(number(&pair[1]["loss"]) < number(&pair[0]["loss"]), "{history:?}");
    }
    assert_eq!(history.last().expect("a step")["iteration"], report["iterations"]);
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_small_crystal_is_recovered_from_random_starts() {
    let place = place("");
    let mut random = deviates();
    for loss in ["least-squares", "poisson", "least-squares", "poisson", "least-squares", "poisson"] {
        let start = start(&mut random);
        let line = format!("refine {LINE} {start} --against data.bin --wrt cell,misset --loss {loss} --json");
        let outcome = place.run_line(&line).well();
        let report = outcome.json();
        check_history(&report);
        assert_eq!(report["converged"], true);
        let [cell, misset] = errors(&report, CELL, MISSET);
        assert!(
            cell <= CELL_WITHIN && misset <= MISSET_WITHIN,
            "{start}: {cell:e} {misset:e}\n{}",
            outcome.stderr
        );
        assert!(number(&report["fitted"]["correlation"]) > 0.999_999, "{report}");
        let lines = outcome.stderr.lines().filter(|line| line.starts_with("stage ")).count();
        assert_eq!(lines, report["history"].as_array().expect("a history").len(), "{}", outcome.stderr);
    }
}

/// With noisy counts, the errors are as large as the standard uncertainties say.
#[test]
fn errors_of_noisy_fits_match_their_uncertainties() {
    let place = place("-noisefile noise.img -seed 5 -fluence 3e27");
    let mut random = deviates();
    let start = start(&mut random);
    for loss in ["poisson", "least-squares"] {
        let line = format!(
            "refine {LINE} -fluence 3e27 {start} --against noise.img --wrt cell,misset,scale --loss {loss} --json"
        );
        let report = place.run_line(&line).well().json();
        let right = CELL.into_iter().chain(MISSET).chain([1.0]);
        let mut squares = Vec::new();
        for (row, right) in report["parameters"].as_array().expect("parameters").iter().zip(right) {
            let sigmas = (number(&row["fitted"]) - right) / number(&row["uncertainty"]);
            assert!(sigmas.abs() < 4.0, "{loss}: {row} {right}");
            squares.push(sigmas * sigmas);
        }
        assert_eq!(squares.len(), 10);
        let mean = squares.iter().sum::<f64>() / 10.0;
        assert!((0.1..4.0).contains(&mean), "{loss}: mean square of {mean} standard uncertainties");
    }
}

/// The offset of the header is subtracted. Without it, as in headers of nanoBragg, the fit used to end at a wrong
/// orientation with small uncertainties and exit code 0.
#[test]
fn a_fit_to_counts_with_an_offset_is_right_or_says_that_it_is_not() {
    let model = |misset: [f64; 3]| format!("{LINE} -fluence 5e27 {}", crystal(CELL, misset));
    let truth = [MISSET[0], MISSET[1], 0.04];
    let place = Workplace::empty();
    for (header, name) in [("readers", "own.img"), ("reference", "nanobragg.img")] {
        let line = format!("{} -adc 40 -seed 3 -noisefile {name} --header {header} --quiet", model(truth));
        place.run_line(&line.replace("-nonoise", "")).well();
    }
    let refine = |start: [f64; 3], rest: &str| {
        place.run_line(&format!("refine {} --wrt misset --json {rest}", model(start)))
    };
    let start = [truth[0], truth[1], 0.0];
    for loss in ["least-squares", "poisson"] {
        for rest in ["--against own.img", "--against nanobragg.img --offset 40"] {
            let report = refine(start, &format!("{rest} --loss {loss}")).well().json();
            let z = &report["parameters"][2];
            let sigmas = (number(&z["fitted"]) - 0.04) / number(&z["uncertainty"]);
            assert!(sigmas.abs() < 4.0, "{rest} {loss}: {z}");
            assert_eq!(
                (&report["verdict"]["believable"], number(&report["offset"])),
                (&Value::Bool(true), 40.0)
            );
        }
        let outcome = refine(start, &format!("--against nanobragg.img --loss {loss}"));
        assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
        let first = outcome.stderr.lines().next().expect("a warning");
        assert!(
            first.contains("--against nanobragg.img: its header has no ADC_OFFSET: 0 is assumed"),
            "{first}"
        );
        let reasons = outcome.json()["verdict"]["reasons"].to_string();
        assert!(reasons.contains("uncertainties are too small"), "{reasons}");
        let last = outcome.stderr.lines().last().expect("a verdict");
        assert!(last.starts_with("widebragg: refine: not to be believed: "), "{last}");
        assert_eq!(reasons.contains("the correlation with the data fell"), loss == "poisson", "{reasons}");
    }
    // From far off, the fit ends where it should or says that it did not.
    let far = refine([truth[0], truth[1], 8.0], "--against own.img");
    assert_eq!(far.code, Some(3), "{}", far.stderr);
    assert!(far.json()["verdict"]["reasons"].to_string().contains("does not describe the data"));
}

/// Counts so few that their noise hides the spots, so that their correlation with the right image is low: that image is
/// believed, and of another one the verdict says what is possible.
#[test]
fn few_photons_are_believed_as_far_as_they_tell() {
    let place = place("-noisefile noise.img -seed 5 -fluence 3e25");
    let refine = |misset: [f64; 3]| {
        let model = format!("{LINE} -fluence 3e25 {}", crystal(CELL, misset));
        place.run_line(&format!("refine {model} --against noise.img --wrt scale --loss poisson"))
    };
    let right = refine(MISSET).well().stdout;
    assert!(right.contains("; correlation 0.3"), "{right}");
    assert!(right.contains("verdict: the fit describes the data"), "{right}");
    let [x, y, z] = MISSET;
    let wrong = refine([x + 5.0, y, z]);
    assert_eq!(wrong.code, Some(3), "{}", wrong.stderr);
    let last = wrong.stderr.lines().last().expect("a line");
    assert!(last.contains("below 0.9 (the photons of the data allow about 0.2"), "{last}");
    assert!(wrong.stdout.contains("verdict: NOT to be believed\n  - the image does not"), "{}", wrong.stdout);
}

/// Pixels from the saturation on are left out and counted, so that clipped spots do not bias the fit.
#[test]
fn saturated_pixels_are_left_out() {
    let fluence = "-fluence 1e32";
    let place = place(&format!("{fluence} -noisefile noise.img -seed 5 -adc 10"));
    let model = format!("{LINE} {fluence} {}", crystal(CELL, MISSET));
    let clipped = place.float("data.bin").iter().filter(|&&photons| photons > 65_525.0).count();
    assert!(clipped > 100, "{clipped}");
    let refine = |rest: &str| place.run_line(&format!("refine {model} --wrt scale --json {rest}"));
    let report = refine("--against noise.img").well().json();
    let saturated = number(&report["saturated_pixels"]);
    assert!((saturated / clipped as f64 - 1.0).abs() < 0.05, "{saturated} {clipped}");
    assert_eq!((number(&report["offset"]), number(&report["saturation"])), (10.0, 65535.0));
    assert!((fitted(&report, "scale") - 1.0).abs() < 1e-3, "{report}");
    // With the clipped pixels, the scale is far too small.
    let report = refine("--against noise.img --saturation 70000").json();
    assert!(fitted(&report, "scale") < 0.9, "{report}");
    let gradient = |rest: &str| place.run_line(&format!("gradient {model} --wrt scale {rest}")).well().json();
    let report = gradient("--against noise.img");
    assert_eq!(number(&report["saturated_pixels"]), saturated);
    assert!(number(&report["correlation"]) > 0.99, "{report}");
    let report = gradient("--against data.bin --saturation 65525 --offset -5");
    assert_eq!((number(&report["saturated_pixels"]), number(&report["offset"])), (clipped as f64, -5.0));
}

/// A parameter, the options by which the data differ from the model, and the names passed to `--wrt`.
type Moved = (&'static str, &'static str, &'static str);

/// Rendering with the options that `refine` reports reproduces the image of the data.
#[test]
fn reported_options_reproduce_the_fit() {
    let cases: [Moved; 18] = [
        ("", "-distance 80.2", "distance"),
        ("", "-Xbeam 29.05 -Ybeam 30.15", "beam"),
        ("-xds", "-ORGX 150.3 -ORGY 145.9", "beam"),
        ("-xds", "-distance 80.2", "distance"),
        ("-close_distance 79 -detector_rotx 5", "-close_distance 79.1", "distance,detector"),
        ("", "-lambda 1.001", "lambda"),
        ("", "-phi 0.03 -osc 1.1", "phi,osc"),
        ("-mosaic 0.3 -mosaic_domains 4", "-mosaic 0.4", "mosaic,default_F"),
        ("", "-fluence 1.3e27", "scale"),
        ("-flux 1e22 -beamsize 0.01", "-flux 1.2e22", "scale"),
        ("", "-misset 20.02 -35 50.01", "cell,misset"),
        ("", "-misset 20.02 -35 50.01", "vectors"),
        ("-mat A.mat", "-misset 0.02 0 0.01", "cell,misset,lambda"),
        ("-mat A.mat -misset 10 0 0 --phi-carryover-mode c-parity", "-misset 10.02 0.01 0", "vectors"),
        ("-gauss_xtal", "--cells 6.2 6.2 6.2", "N"),
        ("-round_xtal", "--cells 6.1 5.8 6.2", "cells,misset"),
        ("-gauss_xtal --spot-metric index", "--n-matrix 6.2 5.9 6.1 0.3 -0.2 0.1", "cells,coupling"),
        (
            "-gauss_xtal --mosaic-anisotropic 0.3 0.5 0.7 -mosaic_domains 8",
            "--mosaic-anisotropic 0.4 0.45 0.8",
            "mosaic",
        ),
    ];
    let place = Workplace::empty();
    place.write("A.mat", "0.019 0.009 0.0075\n-0.0015 0.0168 -0.009\n-0.011 0.004 0.0113\n");
    for (i, (both, data, wrt)) in cases.into_iter().enumerate() {
        let crystal = crystal(CELL, MISSET);
        let crystal = if both.contains("-mat") { "" } else { &crystal };
        let model = format!("{LINE} {crystal} {both}");
        let sizeless = model.replace(" -N 6", "");
        let base = if data.contains("--cells") || data.contains("--n-") { &sizeless } else { &model };
        place.run_line(&format!("{base} {data} -floatfile data.bin -intfile data.img --quiet")).well();
        let line = format!("refine {model} --against data.bin --wrt {wrt} --out o{i} --json --quiet");
        let outcome = place.run_line(&line);
        // The wavelength has no effect on the image of a matrix.
        let is_determined = !wrt.contains("lambda") || !both.contains("-mat");
        assert_eq!(outcome.code, Some(if is_determined { 0 } else { 3 }), "{both} {wrt}: {}", outcome.stderr);
        let report = outcome.json();
        assert_eq!(report["without_option"].as_array().map(Vec::len), Some(0), "{both} {wrt}: {report}");
        let options = report["options"].as_array().expect("options").iter();
        let options: Vec<String> = options.map(|word| word.as_str().expect("a word").to_owned()).collect();
        // The fitted matrix also contains the cell.
        let without_cell = format!("{LINE} {both}");
        let model = match report["instead_of"].as_str() {
            Some("-cell") => &without_cell,
            Some(option) => {
                assert_eq!(option, "-N");
                &sizeless
            }
            None => &model,
        };
        let before = number(
            &place
                .run_line(&format!("gradient {LINE} {crystal} {both} --against data.bin --wrt scale"))
                .well()
                .json()["loss"],
        );
        let loss = |options: &[String]| {
            let mut line = words(&format!("gradient {model} --against data.bin --wrt scale"));
            line.extend_from_slice(options);
            number(&place.run(&line).well().json()["loss"])
        };
        let after = loss(&options);
        assert!(after < 1e-6 * before, "{both} {wrt}: {after:e} of {before:e} with {options:?}\n{report}");
    }
}

#[test]
fn an_unconverged_refinement_ends_with_exit_code_3_and_its_last_parameters() {
    let place = place("");
    let start = start(&mut deviates());
    let outcome =
        place.run_line(&format!("refine {LINE} {start} --against data.bin --wrt cell,misset --iterations 2"));
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().expect("a line");
    assert_eq!(last, "widebragg: refine: not converged after 2 iterations: --iterations are used up");
    assert!(outcome.stdout.contains("not converged after 2 iterations"), "{}", outcome.stdout);
    for name in ["alpha ", "misset_z ", "The fitted model: -cell 4"] {
        assert!(outcome.stdout.contains(name), "{}", outcome.stdout);
    }
}

#[test]
fn undetermined_parameters_have_no_uncertainty() {
    let place = place("-fluence 1.5e27");
    let model = format!("{LINE} {}", crystal(CELL, MISSET));
    let line = format!("refine {model} --against data.bin --wrt scale,default_F,misset_x --json --quiet");
    let outcome = place.run_line(&line);
    assert_eq!(outcome.code, Some(3));
    assert_eq!(
        outcome.stderr,
        "widebragg: refine: not to be believed: the pixels do not determine scale, default_F (singular normal matrix)\n"
    );
    let report = outcome.json();
    // The image is proportional to scale F^2, so that only this product is determined.
    let intensity = fitted(&report, "scale") * fitted(&report, "default_F").powi(2);
    assert!((intensity / 1.5e4 - 1.0).abs() < 1e-6, "{intensity}");
    assert!((fitted(&report, "misset_x") - MISSET[0]).abs() < 1e-6);
    let rows = report["parameters"].as_array().expect("parameters");
    for row in rows {
        assert_eq!(row["uncertainty"].is_null(), row["name"] != "misset_x", "{row}");
    }
    // The matrix is in units of 1/wavelength. The wavelength then has no effect on the image and does not
    // move.
    place.write("A.mat", "0.019 0.009 0.0075\n-0.0015 0.0168 -0.009\n-0.011 0.004 0.0113\n");
    place
        .run_line(&format!(
            "{LINE} -mat A.mat -misset 0.02 0 0.01 -floatfile data.bin -intfile data.img --quiet"
        ))
        .well();
    for wrt in ["lambda", "lambda,misset"] {
        let line = format!("refine {LINE} -mat A.mat --against data.bin --wrt {wrt} --json --quiet");
        let outcome = place.run_line(&line);
        assert!(outcome.stderr.contains("the pixels do not determine lambda"), "{}", outcome.stderr);
        let report = outcome.json();
        assert_eq!(
            (fitted(&report, "lambda"), report["iterations"] == 0),
            (1.0, wrt == "lambda"),
            "{report}"
        );
        assert!(report["parameters"][0]["uncertainty"].is_null(), "{report}");
    }
}

#[test]
fn fits_have_the_same_bits_for_any_threads_and_write_their_files() {
    let place = place("");
    let start = start(&mut deviates());
    let run = |threads: usize, rest: &str| {
        let line =
            format!("refine {LINE} {start} --against data.bin --wrt cell,misset --threads {threads} {rest}");
        place.run_line(&line).well()
    };
    let told = |outcome: &Outcome| {
        let mut report = outcome.json();
        report["seconds"] = Value::Null;
        report
    };
    let one = run(1, "--json --quiet --out out --evidence evidence");
    assert_eq!(one.stderr, "");
    assert_eq!(told(&one), told(&run(3, "--json --quiet")));
    let written: Value = serde_json::from_slice(&place.read("out/refine.json")).expect("JSON");
    assert_eq!(written, one.json());
    for name in ["before.png", "after.png", "difference.png", "spots.png", "loss.png"] {
        let picture = place.read(format!("out/{name}"));
        let decoder = png::Decoder::new(std::io::Cursor::new(&picture));
        assert!(decoder.read_info().expect("a picture").info().width > 600, "{name}");
        assert_eq!(place.read(format!("evidence/{name}")), picture, "{name}");
    }
    assert_eq!(place.read("evidence/refine.json"), place.read("out/refine.json"));
    let environment: Value = serde_json::from_slice(&place.read("evidence/env.json")).expect("JSON");
    assert_eq!(environment["inputs"][0]["path"], "data.bin");
}

/// With square roots of counts as residuals, the first step from a model that is far too bright is twice too
/// long and would make the fluence negative.
/// A crystal of small spots is refined by derivatives from lists of them, with the result of the loop.
#[test]
fn small_spots_are_refined_from_lists() {
    let spots = "-gauss_xtal -fudge 15";
    let place = place(spots);
    let misset = MISSET.map(|angle| angle + 0.02);
    let run = |light: &str| {
        let line = format!(
            "refine {LINE} {} {spots} --against data.bin --wrt misset,a --light {light} --json --quiet",
            crystal(CELL, misset)
        );
        place.run_line(&line).well().json()
    };
    let (list, whole) = (run("list"), run("loop"));
    assert_eq!((&list["light"], &whole["light"]), (&Value::from("list"), &Value::from("loop")));
    for name in ["misset_x", "misset_y", "misset_z", "a"] {
        let (listed, expected) = (fitted(&list, name), fitted(&whole, name));
        assert!((listed - expected).abs() < 1e-6, "{name}: {listed} {expected}");
    }
}

#[test]
fn steps_to_impossible_parameters_are_shortened() {
    let place = place("-fluence 1e24");
    let model = format!("{LINE} {}", crystal(CELL, MISSET));
    let line = format!("refine {model} --against data.bin --wrt scale --loss poisson --json --quiet");
    let report = place.run_line(&line).well().json();
    check_history(&report);
    assert!((fitted(&report, "scale") / 1e-3 - 1.0).abs() < 1e-5, "{report}");
}

#[test]
fn bad_input_is_refused() {
    let place = place("");
    place.write("short.bin", vec![0; 4 * 100]);
    place.write("nan.bin", f32::NAN.to_le_bytes().repeat(300 * 290));
    let model = format!("{LINE} {}", crystal(CELL, MISSET));
    for (rest, expected) in [
        ("--against none.bin --wrt cell", ["--against", "none.bin"]),
        ("--against short.bin --wrt cell", ["short.bin", "truncated"]),
        ("--against nan.bin --wrt cell", ["no pixel", "finite"]),
        ("--against data.bin --wrt cell,vectors", ["--wrt vectors and cell", "choose one"]),
        ("--against data.bin --wrt all", ["--wrt vectors and cell", "choose one"]),
        ("--against data.bin --wrt vectors,misset", ["--wrt vectors and misset", "choose one"]),
        ("--against data.bin --wrt origin,beam", ["--wrt origin and distance or beam", "choose one"]),
        ("--against data.bin --wrt cell,F", ["--wrt F", "structure factors"]),
        ("--against data.bin --wrt cell --out data.bin", ["--out data.bin", ""]),
    ] {
        let untouched = place.files();
        let outcome = place.run_line(&format!("refine {model} {rest}"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{rest}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{rest}: {}", outcome.stderr);
        for words in expected {
            assert!(outcome.stderr.contains(words), "{rest}: {}", outcome.stderr);
        }
        assert!(place.files() == untouched, "{rest}");
    }
}

type Rows = [[f64; 3]; 3];

fn product(a: &Rows, b: &Rows) -> Rows {
    a.map(|row| [0, 1, 2].map(|j: usize| row.iter().zip(b).map(|(x, other)| x * other[j]).sum()))
}

fn inverse([[a, b, c], [d, e, f], [g, h, i]]: &Rows) -> Rows {
    let volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]
    .map(|row| row.map(|x| x / volume))
}

/// Lengths, and angles in degrees, of the cell with axes `rows`.
fn cell_of([a, b, c]: &Rows) -> [f64; 6] {
    let dot = |u: &[f64; 3], v: &[f64; 3]| u.iter().zip(v).map(|(x, y)| x * y).sum::<f64>();
    let length = |u: &[f64; 3]| dot(u, u).sqrt();
    let angle = |u: &[f64; 3], v: &[f64; 3]| (dot(u, v) / length(u) / length(v)).acos().to_degrees();
    [length(a), length(b), length(c), angle(b, c), angle(a, c), angle(a, b)]
}

/// Axes of a cell, with a along x and b in the xy plane.
fn triangle([a, b, c, alpha, beta, gamma]: [f64; 6]) -> Rows {
    let [cos_alpha, cos_beta, cos_gamma] = [alpha, beta, gamma].map(|angle| angle.to_radians().cos());
    let sin_gamma = gamma.to_radians().sin();
    let y = (cos_alpha - cos_beta * cos_gamma) / sin_gamma;
    let z = (1.0 - cos_beta * cos_beta - y * y).sqrt();
    [[a, 0.0, 0.0], [b * cos_gamma, b * sin_gamma, 0.0], [c * cos_beta, c * y, c * z]]
}

/// The promise for the demo at full size: all of 20 random starts succeed, each with all lengths and angles
/// off by 0.15 to 0.3 % and all missetting angles off by 0.025 to 0.05 degrees.
///
/// The demo's crystal comes from a matrix, and `-cell` beside a matrix changes only lengths. So each start is
/// a matrix, of a cell that is off, with a in the same direction and b in the same plane, because that is how
/// `--wrt cell` moves a matrix's cell. The fit must end at the demo's cell, without missetting.
#[test]
#[ignore = "a minute or more: 20 refinements of 6 megapixels"]
fn the_demo_is_recovered_from_twenty_random_starts() {
    let place = Workplace::empty();
    let outcome = place.run(["demo", "--out", "demo"]).well();
    let plain =
        outcome.stdout.lines().find_map(|line| line.strip_prefix("  widebragg -mat A.mat ")).expect("a line");
    let lambda = 0.9768;
    assert!(plain.contains(&format!("-lambda {lambda} ")), "{plain}");
    let text = String::from_utf8(place.read("demo/A.mat")).expect("a matrix");
    let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let star = [0, 1, 2].map(|i: usize| [0, 1, 2].map(|j: usize| numbers[3 * i + j] / lambda));
    let direct = inverse(&star);
    let cell = cell_of(&direct);
    let mut random = deviates();
    let mut worst = [0f64; 3];
    for start in 1..=20 {
        let moved = cell.map(|number| number * (1.0 + off(&mut random, 0.003)));
        let axes = product(&product(&triangle(moved), &inverse(&triangle(cell))), &direct);
        assert!(cell_of(&axes).iter().zip(moved).all(|(x, y)| (x / y - 1.0).abs() < 1e-12));
        let rows = inverse(&axes).map(|row| row.map(|x| format!("{:?}", x * lambda)).join(" "));
        place.write("demo/start.mat", rows.join("\n"));
        let misset = [(); 3].map(|()| off(&mut random, 0.05));
        let [x, y, z] = misset;
        let line = format!(
            "refine -mat start.mat -misset {x} {y} {z} {plain} --against demo.bin --wrt cell,misset --threads 2 --json"
        );
        let begun = Instant::now();
        let run =
            place.command(words(&line)).current_dir(place.path().join("demo")).output().expect("it runs");
        let seconds = begun.elapsed().as_secs_f64();
        let told = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(0), "{told}");
        let report: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        check_history(&report);
        let [cell, misset] = errors(&report, cell, [0.0; 3]);
        println!(
            "start {start}: {seconds:.1} s, {} iterations; cell within {cell:.1e}, misset within {misset:.1e} degrees",
            report["iterations"]
        );
        assert!(cell <= CELL_WITHIN && misset <= MISSET_WITHIN, "{told}");
        assert!(seconds < 30.0, "{seconds} s");
        for (worst, now) in worst.iter_mut().zip([seconds, cell, misset]) {
            *worst = worst.max(now);
        }
    }
    let [seconds, cell, misset] = worst;
    println!("longest {seconds:.1} s; cell within {cell:.1e}, misset within {misset:.1e} degrees");
}
