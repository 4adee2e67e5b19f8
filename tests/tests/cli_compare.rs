//! `widebragg compare`: figures compared with those of plain loops, pictures and report, exit codes.

use core::time::Duration;
use std::fs;
use std::io::Cursor;
use std::time::Instant;
use widebragg_tests::skipped::skipped;

use serde_json::Value;
use widebragg_tests::golden;
use widebragg_tests::program::{Outcome, Workplace, executable};

/// Options of an image that differs between the two modes.
const LINE: &str = "-mat tri.mat -hkl dense.hkl -detpixels_x 48 -detpixels_y 40 -distance 100 -pixel 0.1 -lambda 1.2 -N 6 \
    -phi 0 -osc 2 -phisteps 4 -oversample 1 -seed 1 --quiet -nopgm";

fn bytes(pixels: &[f32]) -> Vec<u8> {
    pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect()
}

/// Two images of 40 x 30 pixels that have most spots in common.
fn pair() -> [Vec<f32>; 2] {
    let mut a: Vec<f32> = (0..1200).map(|i| ((i * 7919) % 101) as f32 * 0.01 + 0.5).collect();
    let mut b: Vec<f32> = a.iter().map(|pixel| pixel * 1.001).collect();
    for (x, y, in_a, in_b) in
        [(5, 5, 100.0, 90.0), (20, 12, 50.0, 55.0), (33, 25, 70.0, 70.0), (10, 20, 30.0, 1.0)]
    {
        a[y * 40 + x] = in_a;
        b[y * 40 + x] = in_b;
    }
    // The second image has one spot moved by one pixel.
    (a[15 * 40 + 30], b[15 * 40 + 31]) = (40.0, 44.0);
    [a, b]
}

fn workplace() -> Workplace {
    let place = Workplace::empty();
    let [a, b] = pair();
    place.write("a.bin", bytes(&a));
    place.write("b.bin", bytes(&b));
    place
}

fn summary(place: &Workplace) -> Value {
    serde_json::from_slice(&place.read("widebragg-compare/summary.json")).expect("JSON")
}

fn number(summary: &Value, key: &str) -> f64 {
    summary[key].as_f64().unwrap_or_else(|| panic!("{key}: {}", summary[key]))
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found}, expected {expected}");
}

/// Checks for one line on standard error that contains `words`, and nothing on standard output.
fn refused(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.lines().count()), ("", 1), "{}", outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "no '{word}' in {}", outcome.stderr);
    }
}

/// Decodes a PNG: width, height, RGB.
fn decoded(file: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(Cursor::new(file)).read_info().expect("a PNG");
    let mut rgb = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut rgb).expect("its pixels");
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width as usize, info.height as usize, rgb)
}

#[test]
fn figures_match_plain_loops() {
    let place = workplace();
    let outcome = place.run_line("compare a.bin b.bin --size 40 30 --json").well();
    let s = outcome.json();
    assert_eq!(s, summary(&place));
    let [a, b] = pair().map(|image| image.into_iter().map(f64::from).collect::<Vec<_>>());
    let n = a.len() as f64;
    let (sum_a, sum_b) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    let both = || a.iter().zip(&b);
    let mse = both().map(|(a, b)| (b - a) * (b - a)).sum::<f64>() / n;
    let covariance = both().map(|(a, b)| (a - sum_a / n) * (b - sum_b / n)).sum::<f64>();
    let variance = |image: &[f64], sum: f64| image.iter().map(|pixel| (pixel - sum / n).powi(2)).sum::<f64>();
    close(number(&s, "correlation"), covariance / (variance(&a, sum_a) * variance(&b, sum_b)).sqrt());
    close(number(&s, "sum_ratio"), sum_b / sum_a);
    close(number(&s, "mse"), mse);
    close(number(&s, "rmse"), mse.sqrt());
    let worst = both()
        .map(|(a, b)| (b - a).abs())
        .enumerate()
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .expect("pixels");
    assert_eq!(number(&s, "largest_absolute_difference"), worst.1);
    let at = &s["largest_absolute_at"];
    assert_eq!(
        (at["fast"].as_u64(), at["slow"].as_u64()),
        (Some(worst.0 as u64 % 40), Some(worst.0 as u64 / 40))
    );
    let relative = both().map(|(a, b)| (b - a).abs() / a.abs().max(b.abs())).fold(0.0, f64::max);
    close(number(&s, "largest_relative_difference"), relative);
    let [a, b] = pair();
    let identical = a.iter().zip(&b).filter(|(a, b)| a.to_bits() == b.to_bits()).count();
    assert_eq!(number(&s, "bit_identical_pixels"), identical as f64);
    close(number(&s, "bit_identical_fraction"), identical as f64 / n);
    // For positive numbers the distance in ulp is the difference of the bit patterns.
    let mut bins = vec![0u64; 33];
    for (a, b) in a.iter().zip(&b) {
        bins[(32 - a.to_bits().abs_diff(b.to_bits()).leading_zeros()) as usize] += 1;
    }
    let found: Vec<u64> = s["ulp_histogram"]
        .as_array()
        .expect("bins")
        .iter()
        .map(|bin| bin["pixels"].as_u64().expect("a count"))
        .collect();
    assert_eq!(found[..], bins[..found.len()]);
    assert_eq!(found.iter().sum::<u64>(), 1200);
}

#[test]
fn spots_are_matched_within_a_pixel() {
    let place = workplace();
    let s = place.run_line("compare a.bin b.bin --size 40 30 --json").well().json();
    let peaks = &s["peaks"];
    // The brightest 0.5 % of 1200 pixels are five spots of A and four of B, which lacks the one at (10, 20).
    assert_eq!(
        (peaks["a"].as_u64(), peaks["b"].as_u64(), peaks["matched"].as_u64()),
        (Some(5), Some(4), Some(4)),
        "{peaks}"
    );
    assert_eq!(
        peaks["brightest_unmatched_a"],
        serde_json::json!([{ "fast": 10, "slow": 20, "value": 30.0 }])
    );
    assert_eq!(peaks["brightest_unmatched_b"], serde_json::json!([]));
    close(number(peaks, "matched_share"), 0.8);
    close(number(&peaks["distance_px"], "mean"), 0.25);
    close(number(&peaks["distance_px"], "largest"), 1.0);
    close(number(&peaks["intensity_ratio"], "mean"), (0.9 + 1.1 + 1.0 + 1.1) / 4.0);
}

#[test]
fn an_image_compared_with_itself_has_null_differences() {
    let place = workplace();
    let s = place.run_line("compare a.bin a.bin --size 40 30 --threshold 1 --json").well().json();
    for (key, expected) in [
        ("correlation", 1.0),
        ("sum_ratio", 1.0),
        ("mse", 0.0),
        ("rmse", 0.0),
        ("largest_absolute_difference", 0.0),
        ("largest_relative_difference", 0.0),
        ("bit_identical_fraction", 1.0),
    ] {
        assert_eq!(number(&s, key), expected, "{key}");
    }
    assert!(s["largest_absolute_at"].is_null() && s["largest_relative_at"].is_null());
    assert_eq!(s["passes"], Value::Bool(true));
    // Without variance the correlation is undefined, but identical images still pass.
    place.write("zero.bin", bytes(&[0.0; 12]));
    let s = place.run_line("compare zero.bin zero.bin --size 4 3 --threshold 1 --json").well().json();
    assert!(s["correlation"].is_null() && s["sum_ratio"].is_null());
}

#[test]
fn a_region_is_compared_and_nan_pixels_are_excluded() {
    let place = Workplace::empty();
    let [mut a, mut b] = pair();
    (a[0], a[41], b[41], b[1199]) = (f32::NAN, f32::NAN, f32::NAN, f32::INFINITY);
    place.write("a.bin", bytes(&a));
    place.write("b.bin", bytes(&b));
    let outcome = place.run_line("compare a.bin b.bin --size 40 30").well();
    assert!(outcome.stdout.contains("excluded") && outcome.stderr.contains("excluded"), "{}", outcome.stderr);
    let s = summary(&place);
    assert_eq!(
        (number(&s["a"], "nan_pixels"), number(&s["b"], "nan_pixels"), number(&s["b"], "infinite_pixels")),
        (2.0, 1.0, 1.0)
    );
    assert_eq!((number(&s, "compared_pixels"), number(&s, "excluded_pixels")), (1197.0, 3.0));
    assert!(number(&s, "correlation") > 0.8);
    let page = String::from_utf8(place.read("widebragg-compare/report.html")).expect("UTF-8");
    assert!(page.contains("3 pixels are NaN or infinite"));
    // Pixels are enlarged 16 times. The excluded pixel is green in A and in the difference, but not in B.
    let green = |name: &str| {
        let (width, _, rgb) = decoded(&place.read(format!("widebragg-compare/{name}")));
        let at = 3 * ((34 + 8) * width + 76 + 8);
        rgb[at..at + 3] == [0, 200, 83]
    };
    assert_eq!(["a.png", "b.png", "difference.png"].map(green), [true, false, true]);
    let s = place.run_line("compare a.bin b.bin --size 40 30 --roi 4 6 5 5 --json").well().json();
    assert_eq!(number(&s, "pixels"), 3.0);
    assert_eq!(s["roi"], serde_json::json!([4, 6, 5, 5]));
    assert_eq!(s["largest_absolute_at"]["fast"], 5);
    assert_eq!(number(&s, "largest_absolute_difference"), 10.0);
    place.write("nan.bin", bytes(&[f32::NAN; 1200]));
    let outcome = place.run_line("compare nan.bin b.bin --size 40 30 --threshold 0.1 --quiet");
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
}

#[test]
fn pictures_show_the_differences_and_the_report_is_self_contained() {
    let place = workplace();
    place.run_line("compare a.bin b.bin --size 40 30 --quiet").well();
    let colour = |name: &str, fast: usize, slow: usize| {
        let (width, _, rgb) = decoded(&place.read(format!("widebragg-compare/{name}")));
        let at = 3 * ((34 + 16 * slow + 8) * width + 76 + 16 * fast + 8);
        [i32::from(rgb[at]), i32::from(rgb[at + 1]), i32::from(rgb[at + 2])]
    };
    let [red, _, blue] = colour("difference.png", 31, 15);
    assert!(red > blue + 60, "B is larger there");
    let [red, _, blue] = colour("difference.png", 10, 20);
    assert!(blue > red + 60, "A is larger there");
    assert!(colour("difference.png", 33, 25).iter().all(|part| *part > 230), "they are equal there");
    let sum = |rgb: [i32; 3]| rgb.iter().sum::<i32>();
    assert!(sum(colour("a.png", 5, 5)) > sum(colour("b.png", 5, 5)), "both pictures have the same scale");
    assert!(sum(colour("a.png", 5, 5)) > 500 && sum(colour("a.png", 6, 8)) < 300);
    let page = String::from_utf8(place.read("widebragg-compare/report.html")).expect("UTF-8");
    for outside in ["http", "<script", "<link", "@import", "url(", "href="] {
        assert!(!page.contains(outside), "{outside}");
    }
    let sources: Vec<&str> = page.split("src=\"").skip(1).collect();
    assert!(sources.len() > 3 && sources.iter().all(|source| source.starts_with("data:image/png;base64,")));
    assert!(page.contains("0.9") && page.contains("photons/pixel") && page.trim_end().ends_with("</html>"));
}

#[test]
fn smv_and_cbf_images_are_compared_and_give_resolution_rings() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} -scale 10 -adc 0 --cbf a.cbf -intfile a.img -floatfile a.bin")).well();
    let s = place.run_line("compare a.img a.cbf --json").well().json();
    assert_eq!((s["a"]["format"].as_str(), s["b"]["format"].as_str()), (Some("SMV"), Some("CBF")));
    assert!(number(&s, "correlation") > 0.999, "{s}");
    assert!(number(&s, "largest_absolute_difference") <= 1.0);
    // A float image takes its size from the other image.
    let s = place.run_line("compare a.bin a.img --json").well().json();
    assert!(number(&s, "correlation") > 0.99, "{s}");
    let plain = place.read("widebragg-compare/a.png");
    for rings in ["compare a.bin a.img --rings", "compare a.bin a.bin --size 48 40 --geometry a.cbf"] {
        place.run_line(&format!("{rings} --quiet")).well();
        assert!(place.read("widebragg-compare/a.png") != plain, "{rings}");
    }
    let outcome = place.run_line("compare a.bin a.bin --size 48 40 --rings --quiet").well();
    assert!(outcome.stderr.contains("--geometry"), "{}", outcome.stderr);
    refused(
        &place.run_line("compare a.bin a.bin --size 48 40 --geometry a.bin"),
        2,
        &["--geometry", "a.bin", "neither an experiment list"],
    );
}

#[test]
fn rings_take_the_geometry_of_any_file() {
    let place = Workplace::with_inputs();
    let files = "--cbf a.cbf -intfile a_1.img -floatfile a.bin --nxmx a.nxs --expt a.expt -nonoise";
    place.run_line(&format!("{LINE} {files} -pixel 1")).well();
    let geom = "photon_energy = 12398.42\nclen = 0.1\nres = 1000\np/min_fs = 0\np/max_fs = 47\np/min_ss = 0\n\
                p/max_ss = 39\np/corner_x = -24\np/corner_y = 20\np/fs = x\np/ss = -y\n";
    place.write("a.geom", geom);
    let picture = |geometry: &str| {
        let outcome = place.run_line(&format!("compare a.bin a.bin --size 48 40 --quiet {geometry}")).well();
        assert_eq!(outcome.stderr, "", "{geometry}");
        place.read("widebragg-compare/a.png")
    };
    let plain = picture("");
    let rings = picture("--geometry a_1.img");
    assert!(rings != plain);
    for file in ["a.cbf", "a.nxs", "a.expt"] {
        assert!(picture(&format!("--geometry {file}")) == rings, "{file}");
    }
    assert!(picture("--geometry a.geom") != plain);

    let outcome = place.run_line("compare a.bin a.bin --size 40 48 --quiet --geometry a.expt").well();
    assert!(
        outcome.stderr.contains("a.expt describes 48 x 40 pixels, the images have 40 x 48"),
        "{}",
        outcome.stderr
    );
    place.write("bare.geom", geom.replace("photon_energy = 12398.42", ""));
    refused(
        &place.run_line("compare a.bin a.bin --size 48 40 --geometry bare.geom"),
        2,
        &["--geometry: bare.geom: no rings can be drawn: it has no wavelength"],
    );
}

#[test]
fn panels_are_shown_as_they_stand() {
    let place = Workplace::empty();
    // Two panels of 30 x 20 pixels. Two columns are between them, and the second is two rows lower.
    let panel = |name: &str, row: usize, [x, y]: [i32; 2]| {
        let last = row + 19;
        format!(
            "{name}/min_fs = 0\n{name}/max_fs = 29\n{name}/min_ss = {row}\n{name}/max_ss = {last}\n{name}/corner_x = {x}\n\
             {name}/corner_y = {y}\n{name}/fs = x\n{name}/ss = y\n"
        )
    };
    let bare = format!("clen = 0.1\nres = 2000\n{}{}", panel("p", 0, [-31, -20]), panel("q", 20, [1, -18]));
    place.write("bare.geom", &bare);
    place.write("two.geom", format!("photon_energy = 12398.42\n{bare}"));
    let image = "-cell 70 80 90 90 90 90 -N 5 -default_F 100 -oversample 1 -fluence 1e24 -nonoise --quiet";
    place.run_line(&format!("{image} --geometry two.geom -floatfile a.bin --nxmx a.nxs")).well();
    let picture = |line: &str| {
        let outcome = place.run_line(&format!("compare {line} --quiet")).well();
        (outcome.stderr, decoded(&place.read("widebragg-compare/a.png")))
    };
    // The image alone, without title, axes and colour bar.
    let inner = |width: usize, rgb: &[u8]| -> Vec<u8> {
        let rows = rgb.chunks_exact(3 * width).skip(34).take(220);
        rows.flat_map(|row| row[3 * 76..3 * (76 + 620)].to_vec()).collect()
    };
    let laid_out = ["a.bin a.bin --size 30 40 --geometry bare.geom", "a.nxs a.nxs"].map(|line| {
        let (stderr, (width, height, rgb)) = picture(line);
        // 62 x 22 points, each of ten times ten, and around them axes and the colour bar, which is higher.
        assert_eq!((width, height), (76 + 620 + 150, 34 + 220 + 54), "{line}");
        let is_gap = |[x, y]: [usize; 2]| {
            let at = 3 * (width * (34 + 10 * y + 5) + 76 + 10 * x + 5);
            rgb[at..at + 3] == [110, 116, 124]
        };
        for gap in [[30, 10], [31, 21], [61, 0], [40, 1], [0, 20], [29, 21]] {
            assert!(is_gap(gap), "{line}: {gap:?}");
        }
        for pixel in [[0, 0], [29, 0], [0, 19], [29, 19], [32, 2], [61, 2], [32, 21], [61, 21]] {
            assert!(!is_gap(pixel), "{line}: {pixel:?}");
        }
        (stderr, inner(width, &rgb))
    });
    let [(without_wavelength, one), (quiet, other)] = laid_out;
    assert!(without_wavelength.contains("bare.geom: no rings are drawn: it has no wavelength"));
    assert_eq!(quiet, "");
    assert!(one == other);
    let (_, (width, _, with_rings)) = picture("a.bin a.bin --size 30 40 --geometry two.geom");
    assert!(inner(width, &with_rings) != one);
    let (_, (_, _, of_nxmx)) = picture("a.nxs a.nxs --rings");
    assert!(inner(width, &of_nxmx) == inner(width, &with_rings));
    // A part of them is shown as it is stored: 10 x 5 pixels, each of 64 times 64.
    let (_, (width, ..)) = picture("a.nxs a.nxs --roi 0 9 0 4");
    assert_eq!(width, 76 + 640 + 150);
    refused(
        &place.run_line("compare a.bin a.bin --size 40 30 --geometry two.geom"),
        2,
        &[
            "its 2 panels are not one flat grid of pixels; it describes 30 x 40 pixels, the images have 40 x 30",
        ],
    );
}

/// Pixels that a format marks are masked; NaN of a float image are NaN.
#[test]
fn masked_pixels_are_called_masked() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} -nonoise -roi 0 9 0 9 --nxmx a.nxs -floatfile a.bin")).well();
    let count = 48 * 40 - 100;
    let outcome = place.run_line("compare a.nxs a.nxs").well();
    let excluded = format!("{count}: {count} masked in A, {count} masked in B\n");
    assert!(outcome.stdout.contains(&excluded) && !outcome.stdout.contains("NaN"), "{}", outcome.stdout);
    let note = format!("{count} pixels are masked in A or B: excluded");
    assert!(outcome.stderr.contains(&note), "{}", outcome.stderr);
    let s = place.run_line("compare a.nxs a.bin --json --quiet").well().json();
    assert_eq!((number(&s["a"], "masked_pixels"), number(&s["a"], "nan_pixels")), (f64::from(count), 0.0));
    assert_eq!((number(&s["b"], "masked_pixels"), number(&s["b"], "nan_pixels")), (0.0, 0.0));
}

#[test]
fn every_failure_has_a_message_and_an_exit_code() {
    let place = workplace();
    place.write("short.bin", &place.read("a.bin")[..4000]);
    place.write("odd.bin", &place.read("a.bin")[..4799]);
    place.write("long.bin", bytes(&[1.0; 1201]));
    place.write("cut.img", "{\nHEADER_BYTES=512;\nSIZE1=40;\nSIZE2=30;\nTYPE=unsigned_short;\n}");
    place.write("cut.cbf", "###CBF: VERSION 1.5\r\n");
    for (line, code, words) in [
        ("compare a.bin", 1, &["two images"][..]),
        ("compare a.bin b.bin", 1, &["a.bin", "--size"]),
        ("compare a.bin b.bin --size 40", 1, &["--size"]),
        ("compare a.bin b.bin --size 40 30 --roi 0 40 0 3", 1, &["--roi", "40 x 30"]),
        ("compare a.bin b.bin --size 40 30 --threshold 1.5", 1, &["--threshold 1.5"]),
        ("compare a.bin b.bin --size 40 30 --frames 2", 1, &["--frames", "compare"]),
        ("compare a.bin none.bin --size 40 30", 2, &["none.bin"]),
        ("compare a.bin short.bin --size 40 30", 2, &["short.bin", "truncated"]),
        ("compare odd.bin a.bin --size 40 30", 2, &["odd.bin", "truncated"]),
        ("compare a.bin cut.img", 2, &["cut.img", "truncated"]),
        ("compare a.bin cut.cbf", 2, &["cut.cbf", "truncated"]),
        ("compare a.bin long.bin", 4, &["sizes differ", "1200", "1201"]),
        ("compare a.bin long.bin --size 40 30", 4, &["sizes differ", "long.bin"]),
    ] {
        refused(&place.run_line(line), code, words);
    }
    place.write(
        "small.img",
        [format!("{:512}", "{\nHEADER_BYTES=512;\nSIZE1=2;\nSIZE2=1;\n}").as_bytes(), &[1, 0, 2, 0]].concat(),
    );
    place.write(
        "other.img",
        [format!("{:512}", "{\nHEADER_BYTES=512;\nSIZE1=1;\nSIZE2=2;\n}").as_bytes(), &[1, 0, 2, 0]].concat(),
    );
    refused(&place.run_line("compare small.img other.img"), 4, &["sizes differ", "2 x 1", "1 x 2"]);
    let outcome = place.run_line("compare a.bin b.bin --size 40 30 --threshold 0.999999 --quiet");
    refused(&outcome, 3, &["correlation", "--threshold"]);
    assert_eq!(summary(&place)["passes"], Value::Bool(false), "the report is written nevertheless");
    place.run_line("compare a.bin b.bin --size 40 30 --threshold 0.88").well();
}

#[cfg(unix)]
#[test]
fn two_programs_are_run_with_the_same_options() {
    let place = Workplace::with_inputs();
    let program = executable().display().to_string();
    let run = |a: &str, b: &str, out: &str| {
        let mut words = vec!["compare", "--run", a, "--run", b, "--out", out, "--quiet", "--"];
        words.extend(LINE.split_whitespace());
        place.run(words)
    };
    let parity = format!("'{program}' --phi-carryover-mode c-parity");
    run(&program, &parity, "out").well();
    let s: Value = serde_json::from_slice(&place.read("out/summary.json")).expect("JSON");
    assert_eq!((number(&s, "fast_pixels"), number(&s, "slow_pixels")), (48.0, 40.0));
    assert!(number(&s, "correlation") < 1.0);
    for (name, index) in [("a", 0), ("b", 1)] {
        for file in
            ["floatimage.bin", "intimage.img", "noiseimage.img", "Fdump.bin", "stdout.txt", "stderr.txt"]
        {
            assert!(place.path().join("out").join(name).join(file).is_file(), "{name}/{file}");
        }
        assert!(number(&s["runs"][index], "seconds") > 0.0);
        assert_eq!(s["runs"][index]["exit_code"], 0);
    }
    assert!(!place.path().join("floatimage.bin").exists(), "files are written only to the folders");
    // The figures are those of images rendered by separate commands.
    place.run_line(&format!("{LINE} -floatfile a.bin")).well();
    place.run_line(&format!("{LINE} -floatfile b.bin --phi-carryover-mode c-parity")).well();
    place.run_line("compare a.bin b.bin --size 48 40 --quiet").well();
    assert_eq!(number(&summary(&place), "correlation"), number(&s, "correlation"));

    let again = run(&program, &parity, "out");
    refused(&again, 2, &["out/a", "--out"]);
    place.write("fails.sh", "echo to stdout; echo the reason >&2; exit 7");
    refused(
        &run("sh fails.sh", &program, "out2"),
        2,
        &["sh fails.sh", "exit code 7", "the reason", "out2/a"],
    );
    assert_eq!(place.read("out2/a/stdout.txt"), b"to stdout\n");
    refused(&run("no-such-program", &program, "out3"), 2, &["no-such-program", "cannot start"]);
    refused(&run("true", "true", "out4"), 2, &["--run true", "floatimage.bin"]);
    refused(&run("sh 'open", &program, "out5"), 1, &["quote"]);
}

#[test]
fn the_two_modes_on_the_authoritative_run() {
    let Some(folder) = golden::authoritative() else {
        skipped("the authoritative run (set WIDEBRAGG_AUTHORITATIVE to its folder)");
        return;
    };
    let place = Workplace::empty();
    for name in ["A.mat", "scaled.hkl"] {
        place.bring(&folder.join(name));
    }
    let traces = golden::traces().expect("golden traces");
    let args =
        traces.into_iter().find(|trace| trace.case == "authoritative").expect("the authoritative trace").args;
    for (mode, name) in [("spec", "spec.bin"), ("c-parity", "c.bin")] {
        let more = [
            "--quiet",
            "-nonoise",
            "-nopgm",
            "-intfile",
            "/dev/null",
            "--phi-carryover-mode",
            mode,
            "-floatfile",
            name,
        ];
        place.run(args.iter().map(String::as_str).chain(more)).well();
    }
    let line = "compare spec.bin c.bin --size 2463 2527 --json --threads 2";
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        let s = place.run_line(line).well().json();
        best = best.min(started.elapsed());
        assert_eq!(format!("{:.5}", number(&s, "correlation")), "0.99655");
    }
    println!("6.2 million pixels compared and reported in {best:?}");
    assert!(best < Duration::from_secs(2), "{best:?}");
    assert!(
        fs::metadata(place.path().join("widebragg-compare/report.html")).expect("a report").len()
            < 20_000_000
    );
    for name in ["spec.bin", "c.bin"] {
        let s = place.run_line(&format!("compare {name} {name} --size 2463 2527 --json")).well().json();
        assert_eq!((number(&s, "correlation"), number(&s, "largest_absolute_difference")), (1.0, 0.0));
        assert!(s["largest_absolute_at"].is_null());
    }
}
