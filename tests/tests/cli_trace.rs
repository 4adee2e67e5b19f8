//! `widebragg trace`: taps in the reference's order, steps that add up to the pixel, the origin of carried
//! vectors, and refusals.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use serde_json::Value;
use widebragg_tests::compare::relative;
use widebragg_tests::golden;
use widebragg_tests::program::{Outcome, Workplace};
use widebragg_tests::report::number;

const LINE: &str = "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.2 -detpixels_x 12 -detpixels_y 10 -distance 20 -N 4 -oversample 1";

/// The pixels of a JSON trace.
fn traced(place: &Workplace, options: &str) -> Vec<Value> {
    let json = place.run_line(&format!("trace {LINE} {options} --format json")).well().json();
    json["traces"].as_array().expect("traces").clone()
}

fn steps(pixel: &Value) -> &Vec<Value> {
    pixel["per_phi"].as_array().expect("steps")
}

/// The lines of a text trace that begin with `start`, without it.
fn lines<'t>(text: &'t str, start: &str) -> Vec<&'t str> {
    text.lines().filter_map(|line| line.strip_prefix(start)).collect()
}

#[test]
fn taps_have_the_reference_s_names_and_order() {
    let place = Workplace::with_inputs();
    let golden =
        fs::read_to_string(golden::root().join("traces/phi_zero_start.json")).expect("a golden trace");
    let outcome = place.run_line(&format!("trace {LINE} --pixel 2 3")).well();
    let names: Vec<&str> = lines(&outcome.stdout, "TRACE_WB: ")
        .iter()
        .map(|line| line.split(' ').next().expect("a name"))
        .collect();
    let (first, taps) = names.split_first().expect("taps");
    assert_eq!(*first, "pixel");
    let at = |name: &str| golden.find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no tap {name}"));
    assert!(taps.is_sorted_by_key(|name| at(name)), "{taps:?}");
    let trace = golden::traces().expect("golden").into_iter().find(|trace| trace.case == "phi_zero_start");
    assert_eq!(taps.len(), trace.expect("the case").traces[0].taps.len());
}

#[test]
fn text_has_fifteen_digits_and_json_has_all() {
    let place = Workplace::with_inputs();
    let options = format!("trace {LINE} --pixel 2 3 -phi 0 -osc 1 -phisteps 3");
    let text = place.run_line(&options).well().stdout;
    let pixel = &traced(&place, "--pixel 2 3 -phi 0 -osc 1 -phisteps 3")[0];
    let digits = |word: &str| {
        let mantissa = word.split(['e', 'E']).next().expect("a mantissa").replace(['-', '.'], "");
        mantissa.trim_start_matches('0').len()
    };
    let mut longest = 0;
    for line in lines(&text, "TRACE_WB: ").iter().skip(1) {
        let mut words = line.split(' ');
        let value = &pixel["taps"][words.next().expect("a name")];
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        assert_eq!(words.clone().count(), values.len(), "{line}");
        for (word, value) in words.zip(&values) {
            longest = longest.max(digits(word));
            assert!(
                relative(word.parse().expect("a number"), number(value), 0.0) <= 5e-15,
                "{line}: {value}"
            );
        }
    }
    assert_eq!(longest, 15);
    for (line, step) in lines(&text, "TRACE_WB_PHI ").iter().zip(steps(pixel)) {
        let pairs: BTreeMap<&str, &str> = line.split(' ').filter_map(|word| word.split_once('=')).collect();
        assert_eq!(pairs.len(), step.as_object().expect("a step").len(), "{line}: {step}");
        for name in ["phi_tic", "domain", "h_frac", "l_frac", "F_latt", "F_cell", "term", "I_sum"] {
            let word: f64 = pairs[name].parse().expect("a number");
            assert!(relative(word, number(&step[name]), 0.0) <= 5e-15, "{name}: {line}");
        }
        // JSON has all digits: the term is exactly the product of the factors next to it.
        let amplitude = number(&step["F_latt"]) * number(&step["F_cell"]);
        assert_eq!(number(&step["term"]), amplitude * amplitude);
    }
}

/// Scenes with subpixels, sources, phi steps, domains and layers: the terms of the steps add up to the sums,
/// and the values are those of the image.
#[test]
fn steps_add_up_to_the_pixel_of_the_image() {
    let place = Workplace::with_inputs();
    let options = "-oversample 2 -hdivrange 2 -hdivsteps 3 -phi -0.3 -phistep 0.3 -phisteps 3 -osc 0.9 -mosaic 0.5 \
                   -mosaic_domains 2 -detector_thick 200 -detector_thicksteps 2 -detector_abs 100";
    for mode in ["spec", "c-parity"] {
        let options = format!("{options} --phi-carryover-mode {mode}");
        place.run_line(&format!("{LINE} {options} -nonoise --quiet")).well();
        let image = place.float("floatimage.bin");
        for pixel in traced(&place, &format!("{options} --roi 4 5 0 11")) {
            let (slow, fast) = (number(&pixel["pixel"]["slow"]), number(&pixel["pixel"]["fast"]));
            let steps = steps(&pixel);
            assert_eq!(steps.len(), 2 * 2 * 2 * 3 * 3 * 2);
            let sum: f64 = steps.iter().map(|step| number(&step["term"])).sum();
            let taps = &pixel["taps"];
            assert!(relative(sum, number(&taps["I_before_scaling"]), 0.0) <= 1e-12, "{slow} {fast}");
            assert_eq!(number(&steps[steps.len() - 1]["I_sum"]), number(&taps["I_before_scaling"]));
            let stored = image[slow as usize * 12 + fast as usize];
            assert_eq!(number(&taps["floatimage_accumulated"]), f64::from(stored), "{mode} {slow} {fast}");
            assert_eq!(number(&taps["I_pixel_final"]) as f32, stored);
        }
    }
    let some = &traced(&place, &format!("{options} --pixel 4 4 --subpixel 1 0 --source 2"))[0];
    let all = &traced(&place, &format!("{options} --pixel 4 4"))[0];
    let of = |step: &&Value| step["subpixel_slow"] == 1 && step["subpixel_fast"] == 0 && step["source"] == 2;
    assert_eq!(steps(some).iter().collect::<Vec<_>>(), steps(all).iter().filter(of).collect::<Vec<_>>());
    assert_eq!(steps(some).len(), 2 * 3 * 2);
    assert_ne!(some["taps"]["pixel_pos_meters"], all["taps"]["pixel_pos_meters"]);
    assert_ne!(some["taps"]["incident_vec"], all["taps"]["incident_vec"]);
    assert_eq!(some["taps"]["I_pixel_final"], all["taps"]["I_pixel_final"]);
}

/// The sum is of terms times weight over mean weight, so that it scales to the pixel as any other.
#[test]
fn a_sum_of_weighted_sources_scales_to_the_pixel() {
    const RE_SQUARED_M2: f64 = 7.940_792_480_189_65e-30;
    let place = Workplace::with_inputs();
    place.write("two.txt", "-10 0 0 2 1.2e-10\n-10 0.02 0 6 1.19e-10\n");
    for pixel in traced(&place, "-sourcefile two.txt -fluence 1e24 --roi 4 5 0 11") {
        let tap = |name: &str| number(&pixel["taps"][name]);
        let scaled =
            RE_SQUARED_M2 * 1e24 * tap("I_before_scaling") / tap("steps") * tap("polar") * tap("omega_pixel");
        assert!(relative(scaled, tap("I_pixel_final"), 0.0) < 1e-14, "{scaled}, {}", tap("I_pixel_final"));
    }
}

/// Water of spec is added to the scaled sum: steps without intensity are not looked up for its sake.
#[test]
fn water_of_spec_looks_up_no_dark_steps() {
    let place = Workplace::with_inputs();
    let line = "-cell 50 60 70 -hkl sparse.hkl -interpolate -tophat_spots -N 5 -detpixels 40 -distance 5 -oversample 1";
    let fallbacks = |water: &str| {
        let json = place.run_line(&format!("{line} -water {water} -nonoise -nopgm --json")).well().json();
        number(&json["images"][0]["interpolation_fallbacks"])
    };
    assert!(fallbacks("0") < 1600.0);
    assert_eq!(fallbacks("10"), fallbacks("0"));
}

/// For the steps at phi = 0 of each pixel: `fresh`, `off`, or the pixel that left the carried vectors.
fn carried(place: &Workplace, options: &str) -> Vec<Vec<String>> {
    let found = |step: &Value| match &step["left_by"] {
        Value::Null => step["carryover"].as_str().expect("a word").to_owned(),
        left => {
            assert_eq!(step["carryover"], "hit");
            format!("{} {}", left["slow"], left["fast"])
        }
    };
    let of_pixel = |pixel: &Value| {
        let zero = |step: &&Value| number(&step["phi_deg"]) == 0.0;
        let (zero, other): (Vec<&Value>, Vec<&Value>) = steps(pixel).iter().partition(zero);
        assert!(other.iter().all(|step| step.get("carryover").is_none()));
        zero.into_iter().map(found).collect()
    };
    traced(place, options).iter().map(of_pixel).collect()
}

#[test]
fn carried_vectors_name_the_pixel_that_left_them() {
    let place = Workplace::with_inputs();
    let parity = "--phi-carryover-mode c-parity --pixel 0 0 --pixel 0 1 --pixel 5 0";
    let sweep = "-phi 0 -osc 1 -phisteps 3";
    assert_eq!(carried(&place, &format!("{parity} {sweep}")), [["fresh"], ["0 0"], ["4 11"]]);
    let threads = format!("{parity} {sweep} --reference-threads 2");
    assert_eq!(
        carried(&place, &threads),
        [["fresh"], ["0 0"], ["fresh"]],
        "the second thread starts at row 5"
    );
    assert_eq!(
        carried(&place, &format!("{parity} {sweep} -roi 1 11 0 9 --pixel 1 1")),
        [vec![], vec!["fresh"], vec![], vec!["0 11"]],
        "column 0 is not rendered and leaves no vectors"
    );
    // Later sweeps of a pixel, and a phi of 0 in the middle of a sweep, use the vectors that the same pixel
    // left.
    let sources = "-hdivrange 1 -hdivsteps 2";
    assert_eq!(
        carried(&place, &format!("{parity} {sweep} {sources}")),
        [["fresh", "0 0"], ["0 0", "0 1"], ["4 11", "5 0"]]
    );
    assert_eq!(
        carried(&place, &format!("{parity} -phi -1 -phistep 1 -phisteps 3 -osc 3")),
        [["0 0"], ["0 1"], ["5 0"]]
    );
    assert_eq!(carried(&place, parity), [["fresh"], ["fresh"], ["fresh"]], "a still leaves no vectors");
    let spec = parity.replace("c-parity", "spec");
    assert_eq!(carried(&place, &format!("{spec} {sweep}")), [["off"], ["off"], ["off"]]);
    let text = place.run_line(&format!("trace {LINE} {parity} {sweep}")).well().stdout;
    let ends: Vec<&str> = lines(&text, "TRACE_WB_PHI ")
        .iter()
        .filter_map(|line| Some(line.split_once("carryover=")?.1))
        .collect();
    assert_eq!(ends, ["fresh", "hit left_by=0,0", "hit left_by=4,11"]);
}

/// A step at phi = 0 has the vectors that the trace says it has.
#[test]
fn a_fresh_step_has_the_unrotated_cell_and_a_hit_has_the_last_one() {
    let place = Workplace::with_inputs();
    let sweep = "-phi 0 -osc 1 -phisteps 3 --pixel 0 0 --pixel 0 1";
    let parity = traced(&place, &format!("{sweep} --phi-carryover-mode c-parity"));
    let spec = traced(&place, sweep);
    assert_eq!(parity[0]["taps"], spec[0]["taps"]);
    assert_eq!(spec[1]["taps"]["rot_a_angstroms"], spec[0]["taps"]["rot_a_angstroms"]);
    assert_ne!(parity[1]["taps"]["rot_a_angstroms"], spec[1]["taps"]["rot_a_angstroms"]);
    let (first, last) = (&steps(&parity[1])[0], &steps(&parity[1])[2]);
    for name in ["h_frac", "k_frac", "l_frac", "F_latt", "F_cell", "term"] {
        assert_eq!(first[name], last[name], "{name}: phi 0 has the vectors that the last phi left");
    }
}

#[test]
fn float32_rounds_every_value() {
    let place = Workplace::with_inputs();
    let options = "--pixel 3 3 -phi 0 -osc 1 -phisteps 2";
    let exact = &traced(&place, options)[0];
    let rounded = &traced(&place, &format!("{options} --dtype float32"))[0];
    let check = |name: &str, exact: &Value, rounded: &Value| {
        assert_eq!(f64::from(number(exact) as f32), number(rounded), "{name}");
    };
    for (name, value) in exact["taps"].as_object().expect("taps") {
        let rounded = &rounded["taps"][name];
        match value.as_array() {
            None => check(name, value, rounded),
            Some(values) => {
                values.iter().enumerate().for_each(|(index, value)| check(name, value, &rounded[index]));
            }
        }
    }
    for (exact, rounded) in steps(exact).iter().zip(steps(rounded)) {
        for name in ["phi_deg", "h_frac", "F_latt_a", "F_latt", "F_cell", "term", "I_sum"] {
            check(name, &exact[name], &rounded[name]);
        }
    }
    assert_ne!(exact["taps"]["omega_pixel"], rounded["taps"]["omega_pixel"]);
}

/// The trace includes steps with F_latt = 0, which the loop skips.
#[test]
fn steps_without_intensity_are_included() {
    let place = Workplace::with_inputs();
    let options = "-tophat_spots -fudge 1 -phi 0 -osc 4 -phisteps 4 --phi-carryover-mode c-parity";
    place.run_line(&format!("{LINE} {options} -nonoise --quiet")).well();
    let image = place.float("floatimage.bin");
    let pixels = traced(&place, &format!("{options} --roi 0 9 0 11"));
    assert_eq!(pixels.len(), image.len());
    let mut dark = 0;
    for (pixel, stored) in pixels.iter().zip(&image) {
        assert_eq!(steps(pixel).len(), 4);
        assert_eq!(number(&pixel["taps"]["floatimage_accumulated"]), f64::from(*stored));
        assert!(pixel["taps"].get("F_latt_a").is_none(), "tophat has no factors per axis");
        let empty = |step: &&Value| number(&step["F_latt"]) == 0.0 && number(&step["term"]) == 0.0;
        dark += steps(pixel).iter().filter(empty).count();
    }
    assert!(dark > 0 && dark < 4 * image.len(), "{dark} steps without intensity");
    assert!(image.iter().any(|value| *value > 0.0));
}

#[test]
fn pixels_that_are_not_rendered_are_reported() {
    let place = Workplace::with_inputs();
    let text = place.run_line(&format!("trace {LINE} -roi 0 5 0 5 --pixel 7 7 --pixel 5 5")).well().stdout;
    assert!(text.contains("TRACE_WB: pixel 7 7\n# not rendered"), "{text}");
    let pixel = &traced(&place, "-roi 0 5 0 5 --pixel 7 7")[0];
    assert!(pixel["rendered"] == false && pixel["taps"].as_object().is_some_and(serde_json::Map::is_empty));
    // Beyond the resolution limit there are no steps, but the detector's values remain.
    let pixel = &traced(&place, "-dmin 300 --pixel 0 0")[0];
    assert!(pixel["rendered"] == true && steps(pixel).is_empty());
    assert_eq!(number(&pixel["taps"]["I_pixel_final"]), 0.0);
    assert!(pixel["taps"].get("pix0_vector_meters").is_some() && pixel["taps"].get("hkl_frac").is_none());
}

/// The trace ends interpolation at the same pixel as the image.
#[test]
fn interpolated_pixels_equal_those_of_the_image() {
    let place = Workplace::with_inputs();
    let options = "-interpolate -distance 1 --phi-carryover-mode c-parity";
    place.run_line(&format!("{LINE} {options} -nonoise --quiet")).well();
    let image = place.float("floatimage.bin");
    let text = place.run_line(&format!("trace {LINE} {options} --roi 0 9 0 11")).well().stdout;
    assert_eq!(lines(&text, "# interpolation ends at pixel ").len(), 1);
    let stored: Vec<f32> = lines(&text, "TRACE_WB: floatimage_accumulated ")
        .iter()
        .map(|value| value.parse().expect("a number"))
        .collect();
    assert_eq!(stored, image);
}

#[test]
fn a_mixed_precision_trace_equals_the_rendered_image() {
    let place = Workplace::with_inputs();
    for precision in ["f64", "mixed"] {
        let options = format!("-phi 0 -osc 1 -phisteps 2 --precision {precision}");
        place.run_line(&format!("{LINE} {options} -nonoise --quiet")).well();
        let image = place.float("floatimage.bin");
        for (pixel, stored) in traced(&place, &format!("{options} --roi 0 9 0 11")).iter().zip(image) {
            assert_eq!(number(&pixel["taps"]["floatimage_accumulated"]), f64::from(stored), "{precision}");
        }
    }
}

#[test]
fn the_trace_is_written_to_a_file_and_to_evidence() {
    let place = Workplace::with_inputs();
    let shown = place.run_line(&format!("trace {LINE} --pixel 1 1")).well().stdout;
    let outcome = place.run_line(&format!("trace {LINE} --pixel 1 1 --out t.txt --evidence e")).well();
    assert_eq!(outcome.stdout, "");
    let in_file = String::from_utf8(place.read("t.txt")).expect("UTF-8");
    let values = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(values(&in_file), values(&shown), "the traces differ beyond the command in the first line");
    assert!(
        in_file.starts_with("# widebragg trace -mat tri.mat") && in_file.ends_with("# end of the trace\n")
    );
    assert_eq!(place.read("e/t.txt"), place.read("t.txt"));
    let outcome = place.run_line(&format!("trace {LINE} --pixel 1 1 --json --evidence e")).well();
    assert_eq!(place.read("e-2/trace.json"), outcome.stdout.as_bytes());
    let environment: Value = serde_json::from_slice(&place.read("e-2/env.json")).expect("JSON");
    assert_eq!(environment["inputs"].as_array().map(Vec::len), Some(2));
    let files: Vec<String> = place.files().into_keys().filter(|name| name.ends_with(".bin")).collect();
    assert!(files.is_empty(), "no image, no dump: {files:?}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let place = Workplace::with_inputs();
    let words = format!("trace {LINE} -phi 0 -osc 1 -phisteps 100 --roi 0 9 0 11");
    let mut child = place
        .command(words.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn bad_input_is_refused() {
    let place = Workplace::with_inputs();
    for (options, parts) in [
        ("", &["--pixel SLOW FAST", "--roi"][..]),
        ("--pixel 0 0 --roi 0 0 0 0", &["--pixel or --roi"]),
        ("--pixel 10 0", &["--pixel 10 0", "slow 9 fast 11"]),
        ("--pixel 0 12", &["--pixel 0 12", "slow 9 fast 11"]),
        ("--pixel 0 -1", &["--pixel 0 -1", "negative"]),
        ("--pixel 0", &["--pixel", "2 values"]),
        ("--roi 0 10 0 1", &["--roi 0 10 0 1", "slow 9 fast 11"]),
        ("--roi 1 0 0 1", &["smin is larger"]),
        ("--pixel 0 0 --subpixel 0 1", &["--subpixel 0 1", "1 x 1"]),
        ("--pixel 0 0 --source 1", &["--source 1", "last of 1 is 0"]),
        ("--pixel 0 0 --dtype f16", &["--dtype f16", "float64 or float32"]),
        ("--pixel 0 0 --format xml", &["--format xml", "text or json"]),
        ("--pixel 0 0 --out none/t.txt", &["--out", "none/t.txt"]),
        ("--pixel 0 0 --frames 3", &["--frames", "not an option of trace"]),
        ("--pixel 0 0 -mat none.mat", &["-mat", "none.mat"]),
        ("--pixel 0 0 -phisteps 3000 -oversample 60", &["10800000 steps", "--subpixel"]),
        ("stray --pixel 0 0", &["stray"]),
    ] {
        let Outcome { code, stdout, stderr } = place.run_line(&format!("trace {LINE} {options}"));
        let last = stderr.lines().last().unwrap_or_default();
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{options}: {stderr}");
        assert!(parts.iter().all(|part| last.contains(part)), "{options}: {last}");
    }
    place.run_line(&format!("trace {LINE} --pixel 0 0 -phisteps 3000 -oversample 60 --subpixel 0 0")).well();
}
