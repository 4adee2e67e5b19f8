//! `widebragg gradient`: losses, derivatives with respect to parameters and to structure factors, images of
//! derivatives.

use serde_json::Value;
use widebragg_tests::golden;
use widebragg_tests::program::{Outcome, Workplace};
use widebragg_tests::report::number;

const LINE: &str = "-hkl dense.hkl -mat tri.mat -lambda 1.2 -pixel 0.2 -detpixels_x 60 -detpixels_y 50 -N 7 -osc 0.4 \
                    -phisteps 4 -oversample 1 -fluence 1e27";

/// The same with one F for all reflections, so that the image has no jumps where the nearest node changes.
const SMOOTH: &str = "-default_F 100 -mat tri.mat -lambda 1.2 -pixel 0.2 -detpixels_x 60 -detpixels_y 50 -N 7 -osc 0.4 \
                      -phisteps 4 -oversample 1 -fluence 1e27";

/// A folder with images of a slightly different crystal and detector distance.
fn place() -> Workplace {
    let place = Workplace::with_inputs();
    let line = format!(
        "{LINE} -distance 90.3 -misset 0.1 0 0 -floatfile data.bin -intfile data.img --cbf data.cbf --quiet"
    );
    place.run_line(&line).well();
    place
}

fn gradient(place: &Workplace, rest: &str) -> Value {
    place.run_line(&format!("gradient {LINE} {rest}")).well().json()
}

fn derivative(report: &Value, name: &str) -> f64 {
    let entries = report["gradient"].as_array().expect("a gradient");
    number(&entries.iter().find(|entry| entry["name"] == name).expect(name)["derivative"])
}

/// The derivative of the loss of a model with respect to an option, from central differences.
fn by_differences(place: &Workplace, model: &str, option: impl Fn(f64) -> String, step: f64) -> f64 {
    let loss = |by: f64| {
        let line = format!("gradient {model} --wrt scale {}", option(by));
        number(&place.run_line(&line).well().json()["loss"])
    };
    // One step of Richardson extrapolation.
    let slope = |step: f64| (loss(step) - loss(-step)) / (2.0 * step);
    (4.0 * slope(step / 2.0) - slope(step)) / 3.0
}

/// A parameter, the first step of its finite differences, and the option that moves it by that amount.
type Moved = (&'static str, f64, fn(f64) -> String);

/// Derivatives agree with finite differences of the program's loss when its options change.
#[test]
fn derivatives_match_finite_differences_of_the_options() {
    let place = Workplace::empty();
    place.bring(&golden::inputs().join("tri.mat"));
    place.run_line(&format!("{SMOOTH} -distance 90.3 -misset 0.1 0 0 -floatfile data.bin --quiet")).well();
    for loss in ["--loss least-squares", "--loss poisson"] {
        let rest = format!("-distance 90 --against data.bin {loss} -misset 0 0 0");
        let report = place.run_line(&format!("gradient {SMOOTH} {rest} --wrt all")).well().json();
        assert_eq!(report["kind"], loss.trim_start_matches("--loss "));
        assert_eq!(report["pixels"], 3000);
        let cases: [Moved; 4] = [
            ("distance", 0.01, |by| format!("-distance {}", 90.0 + by)),
            ("misset_y", 1e-3, |by| format!("-misset 0 {by} 0")),
            ("osc", 1e-3, |by| format!("-osc {}", 0.4 + by)),
            ("detector_rotx", 1e-3, |by| format!("-detector_rotx {by}")),
        ];
        for (name, step, option) in cases {
            let expected = by_differences(&place, &format!("{SMOOTH} {rest}"), option, step);
            let found = derivative(&report, name);
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs(),
                "{loss} {name}: {found:e}, {expected:e}"
            );
        }
    }
}

/// A crystal of Gaussian spots with everything that can be moved, but for the options that the test moves.
const GAUSS: &str = "-default_F 100 -mat tri.mat -lambda 1.2 -pixel 0.2 -detpixels_x 60 -detpixels_y 50 -distance 90 \
                     -gauss_xtal -mosaic_domains 5 -oversample 1 -fluence 1e27";

/// Derivatives with respect to cells, N matrix, mosaic spreads and spectrum agree with finite differences of the program's
/// loss when its options, or the file of its spectrum, change.
#[test]
fn derivatives_by_crystal_and_spectrum_match_finite_differences_of_the_options() {
    let place = Workplace::empty();
    place.bring(&golden::inputs().join("tri.mat"));
    let lines = |wavelengths: [f64; 3]| {
        let weighted = wavelengths.into_iter().zip([1.0, 3.0, 4.0]);
        let lines: String = weighted.map(|(lambda, weight)| format!("{lambda:?} {weight}\n")).collect();
        format!("# wavelength_A weight\n{lines}")
    };
    let size = "--n-matrix 7.25 5.5 6.3 -1.9 2.2 0.9";
    let spread = "--mosaic-anisotropic 0.2 0.5 0.9";
    let spectrum = "--spectrum s.txt";
    place.write("s.txt", lines([1.19, 1.2, 1.22]));
    let data = format!("{GAUSS} {size} {spread} {spectrum} -misset 0.1 0 0 -floatfile data.bin --quiet");
    place.run_line(&data).well();
    let model = format!("{GAUSS} --against data.bin");
    let whole = format!("gradient {model} {size} {spread} {spectrum} --wrt all");
    let report = place.run_line(&whole).well().json();
    let check = |name: &str, model: &str, step: f64, option: &dyn Fn(f64) -> String| {
        let (found, expected) = (derivative(&report, name), by_differences(&place, model, option, step));
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{name}: {found:e}, {expected:e}");
    };
    let rest = format!("{model} {spread} {spectrum}");
    check("Nb", &rest, 1e-2, &|by| format!("--n-matrix 7.25 {} 6.3 -1.9 2.2 0.9", 5.5 + by));
    check("Nac", &rest, 1e-2, &|by| format!("--n-matrix 7.25 5.5 6.3 -1.9 {} 0.9", 2.2 + by));
    let all = |by: f64| [7.25, 5.5, 6.3].map(|n: f64| (n + by).to_string()).join(" ");
    check("N", &rest, 1e-2, &|by| format!("--n-matrix {} -1.9 2.2 0.9", all(by)));
    let rest = format!("{model} {size} {spectrum}");
    check("mosaic_b", &rest, 1e-2, &|by| format!("--mosaic-anisotropic 0.2 {} 0.9", 0.5 + by));
    let rest = format!("{model} {size} {spread}");
    let moved = |wavelengths: [f64; 3]| {
        place.write("moved.txt", lines(wavelengths));
        "--spectrum moved.txt".to_owned()
    };
    check("spectrum_shift", &rest, 1e-4, &|by| moved([1.19 + by, 1.2 + by, 1.22 + by]));
    // The weighted mean is 1.20875.
    let scaled = |by: f64| moved([1.19, 1.2, 1.22].map(|lambda| lambda + by * (lambda - 1.20875)));
    check("spectrum_scale", &rest, 1e-2, &scaled);
}

#[test]
fn an_image_fitted_to_itself_has_no_gradient_in_any_format() {
    let place = place();
    let same = gradient(&place, "-distance 90.3 -misset 0.1 0 0 --against data.bin --wrt misset,distance");
    let off = gradient(&place, "-distance 90 --against data.bin --wrt misset,distance");
    // The loss is not exactly 0, because the data are rounded to f32.
    assert!(number(&same["loss"]) < 1e-10 * number(&off["loss"]), "{same} {off}");
    let misset = |report: &Value| derivative(report, "misset_x").abs();
    assert!(misset(&same) < 1e-4 * misset(&off), "{same} {off}");
    for file in ["data.img", "data.cbf"] {
        let report = gradient(&place, &format!("-distance 90 --against {file} --wrt misset"));
        assert!(number(&report["loss"]) > 0.0, "{file}");
    }
}

/// With a weight of 1 for one pixel, the derivative is that pixel's, which the image of derivatives also
/// contains.
#[test]
fn weights_select_pixels_of_the_images_of_derivatives() {
    let place = place();
    let mut weights = vec![0f32; 3000];
    let pixel = 31 * 60 + 22;
    weights[pixel] = 2.0;
    let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    place.write("weights.bin", bytes);
    let report = gradient(&place, "-distance 90 --weights weights.bin --wrt cell,beam --out slopes --images");
    assert_eq!(report["kind"], "weights");
    for name in ["a", "gamma", "beam_y"] {
        let image = place.float(&format!("slopes/dI_d{name}.bin"));
        let (found, expected) = (derivative(&report, name), 2.0 * f64::from(image[pixel]));
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{name}: {found:e}, {expected:e}");
        let picture = place.read(format!("slopes/dI_d{name}.png"));
        let decoder = png::Decoder::new(std::io::Cursor::new(picture));
        assert!(decoder.read_info().expect("a picture").info().width > 600);
    }
    let written: Value = serde_json::from_slice(&place.read("slopes/gradient.json")).expect("JSON");
    assert_eq!(written, report);
}

/// Euler's theorem: the intensity is quadratic in F, so that the sum of F dL/dF is twice the sum of the
/// pixels.
#[test]
fn derivatives_by_structure_factors_satisfy_euler() {
    let place = place();
    let report = gradient(&place, "-distance 90 --wrt F --out slopes");
    let mut table = std::collections::HashMap::new();
    let lines = |name: &str| String::from_utf8(place.read(name)).expect("text");
    for line in lines("dense.hkl").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<f64> =
            line.split_whitespace().take(4).map(|word| word.parse().expect("a number")).collect();
        table.insert([words[0] as i32, words[1] as i32, words[2] as i32], words[3]);
    }
    let mut euler = 0.0;
    for line in lines("slopes/dL_dF.hkl").lines() {
        let words: Vec<f64> = line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        euler += table[&[words[0] as i32, words[1] as i32, words[2] as i32]] * words[3];
    }
    let twice = 2.0 * number(&report["loss"]);
    assert!((euler - twice).abs() <= 1e-9 * twice, "{euler:e}, {twice:e}");
}

#[test]
fn derivatives_have_the_same_bits_for_any_number_of_threads() {
    let place = place();
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for threads in [1, 2, 7] {
        for mode in ["spec", "c-parity"] {
            let rest = format!(
                "gradient {LINE} -distance 90 --against data.bin --wrt all,F --out slopes{threads}{mode} --threads {threads} \
                 --phi-carryover-mode {mode}"
            );
            let text = place.run_line(&rest).well().stdout;
            found.push((text, place.read(format!("slopes{threads}{mode}/dL_dF.hkl"))));
        }
    }
    assert!(found.chunks(2).all(|two| two == &found[..2]));
    assert_ne!(found[0], found[1], "the derivatives include the carryover");
}

#[test]
fn evidence_contains_the_gradient() {
    let place = place();
    gradient(&place, "-distance 90 --against data.bin --wrt cell --evidence kept");
    let kept: Value = serde_json::from_slice(&place.read("kept/gradient.json")).expect("JSON");
    assert_eq!(kept["kind"], "least-squares");
    let sums = String::from_utf8(place.read("kept/sha256.txt")).expect("text");
    assert!(sums.contains("gradient.json") && sums.contains("commands.txt"), "{sums}");
}

#[test]
fn bad_input_is_refused() {
    let place = place();
    let refused = |rest: &str, words: &[&str]| {
        let Outcome { code, stdout, stderr } =
            place.run_line(&format!("gradient {LINE} -distance 90 {rest}"));
        assert!(matches!(code, Some(2 | 4)), "{rest}: {code:?} {stderr}");
        assert!(stdout.is_empty() && stderr.lines().count() >= 1, "{rest}: {stdout}");
        let last = stderr.lines().last().expect("a line");
        words.iter().for_each(|word| assert!(last.contains(word), "{rest}: {last}"));
    };
    refused("--wrt nothing", &["--wrt nothing", "cell", "misset"]);
    refused("--wrt ,", &["--wrt"]);
    refused("--wrt mosaic", &["--wrt mosaic", "-mosaic"]);
    refused("--wrt mosaic_b", &["--wrt mosaic_b", "--mosaic-anisotropic"]);
    refused("--wrt coupling", &["--wrt coupling", "--spot-metric index"]);
    refused("--wrt cells -tophat_spots", &["--wrt cells", "tophat"]);
    refused("--wrt Nb -Nb 1", &["--wrt Nb", "more than one cell"]);
    refused("--wrt N -Nb 1", &["--wrt N", "more than one cell"]);
    refused("--wrt spectrum_scale", &["--wrt spectrum_scale", "single wavelength"]);
    refused("--wrt cell --against none.bin", &["--against", "none.bin"]);
    refused("--wrt cell --against data.bin --weights data.bin", &["--against", "--weights"]);
    place.write("short.bin", [0u8; 16]);
    refused("--wrt cell --against short.bin", &["--against", "short.bin"]);
    refused("--wrt cell --weights data.img -detpixels_x 61", &["--weights", "data.img"]);
    let alone = Workplace::empty().run_line("gradient -default_F 10 -cell 50 -N 5 -detpixels 20 --wrt F");
    assert!(alone.code == Some(2) && alone.stderr.contains("--wrt F"), "{}", alone.stderr);
}

/// A gauss crystal of spots of about a pixel, in the dark for the most part, whose first step is at phi = 0.
const SPOTS: &str = "-hkl dense.hkl -mat tri.mat -lambda 1.2 -dispersion 0.5 -dispsteps 3 -pixel 0.2 -detpixels_x 60 \
                     -detpixels_y 50 -N 20 -gauss_xtal -fudge 0.03 -osc 0.4 -phisteps 4 -mosaic 0.2 -mosaic_domains 5 \
                     -oversample 1 -fluence 1e27 -water 100";

/// Largest difference between derivatives from lists and those of the loop, as a part of the largest.
const LIST_WITHIN: f64 = 1e-6;

#[test]
fn derivatives_from_lists_of_spots_are_those_of_the_loop() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{SPOTS} -distance 90.1 -floatfile data.bin --quiet")).well();
    for mode in ["--phi-carryover-mode spec", "--phi-carryover-mode c-parity --reference-threads 3"] {
        let run = |light: &str, out: &str| {
            let rest = "-distance 90 --against data.bin --wrt misset,a,distance,osc,scale,F";
            let line = format!("gradient {SPOTS} {mode} {rest} --light {light} --out {out} --images");
            place.run_line(&line).well().json()
        };
        let (list, whole) = (run("list", "list"), run("loop", "loop"));
        assert_eq!((&list["light"], &whole["light"]), (&Value::from("list"), &Value::from("loop")));
        assert!(number(&list["light_spots"]) > 100.0 && number(&list["light_exponent"]) > 10.0, "{list}");
        assert_eq!(
            (&list["loss"], &whole["light_spots"]),
            (&whole["loss"], &Value::Null),
            "the image has the same bits"
        );
        for name in ["misset_x", "misset_y", "misset_z", "a", "distance", "osc", "scale"] {
            let (listed, expected) = (derivative(&list, name), derivative(&whole, name));
            assert!(
                (listed - expected).abs() <= LIST_WITHIN * expected.abs(),
                "{mode} {name}: {listed:e}, {expected:e}"
            );
            let image = |out: &str| place.float(&format!("{out}/dI_d{name}.bin"));
            let (listed, expected) = (image("list"), image("loop"));
            let limit = LIST_WITHIN as f32 * expected.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
            let wrong = listed.iter().zip(&expected).filter(|(x, y)| (*x - *y).abs() > limit).count();
            assert!(limit > 0.0 && wrong == 0, "{mode} {name}: {wrong} pixels");
        }
        let by_f = |out: &str| -> Vec<f64> {
            let text = String::from_utf8(place.read(format!("{out}/dL_dF.hkl"))).expect("text");
            text.lines()
                .map(|line| line.split(' ').next_back().expect("a number").parse().expect("a number"))
                .collect()
        };
        let (listed, expected) = (by_f("list"), by_f("loop"));
        let most = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let sum = |slopes: &[f64]| slopes.iter().map(|x| x.abs()).sum::<f64>();
        assert!((sum(&listed) - sum(&expected)).abs() <= LIST_WITHIN * most, "{mode}");
    }
}
