//! Every golden image through the program, in both modes: pixels, files, headers, figures, warnings.

use widebragg_tests::compare::compare;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::output::{format_g, smv_header};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::program::{Outcome, Workplace, smv_parts};

use serde_json::Value;

/// Number of values of the integer, noise and PGM images of all cases that may differ, because a float pixel
/// differs in its last bit.
const MOST_DIFFERENT: usize = 5;

/// Runs every case in a folder of its own and passes the result to `check`.
fn each_case(mode: Mode, extra: &[&str], mut check: impl FnMut(&Case, &Workplace, &Outcome)) {
    let names = golden::cases().expect("golden images");
    assert_eq!(names.len(), 67, "golden images");
    let word = if mode == Mode::Spec { "spec" } else { "c-parity" };
    for name in names {
        let case = Case::load(&name).expect("case.json");
        if !case.modes().any(|of_case| of_case == mode) {
            continue;
        }
        let workplace = Workplace::with_inputs();
        let own = ["--header", "reference", "--phi-carryover-mode", word];
        let args = case.args.iter().map(String::as_str).chain(own).chain(extra.iter().copied());
        let outcome = workplace.run(args);
        assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
        check(&case, &workplace, &outcome);
    }
}

/// Number of pixels that differ from the golden float image; checks that it is within limits.
fn different_pixels(case: &Case, workplace: &Workplace, mode: Mode) -> usize {
    let image = workplace.float("floatimage.bin");
    let difference = compare(&image, &case.image(mode).expect("float image")).expect("same size");
    assert!(difference.is_within_limits(), "{} {mode:?}: {difference}", case.name);
    if difference.different > 0 {
        println!("{} {mode:?}: {difference}", case.name);
    }
    difference.different
}

/// Number of values in which two files differ; their headers and lengths must be equal.
fn different_values(case: &Case, name: &str, written: &[u8], golden: &[u8]) -> usize {
    assert_eq!(written.len(), golden.len(), "{} {name}", case.name);
    if name == "p.pgm" {
        let lines: Vec<&[u8]> = golden.splitn(5, |&byte| byte == b'\n').collect();
        let header = golden.len() - lines[4].len();
        assert_eq!(written[..header], golden[..header], "{} {name}", case.name);
        return written.iter().zip(golden).filter(|(ours, theirs)| ours != theirs).count();
    }
    let (header, ours) = smv_parts(written).expect("an SMV file");
    let (expected, theirs) = smv_parts(golden).expect("an SMV file");
    assert_eq!(header, expected, "{} {name}", case.name);
    ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).count()
}

#[test]
fn c_parity_images_files_and_figures_match_the_reference() {
    let (mut different, mut different_floats, mut compared) = (0, 0, 0);
    each_case(Mode::CParity, &["--json"], |case, workplace, outcome| {
        different_floats += different_pixels(case, workplace, Mode::CParity);
        let written = [("i.img", "intimage.img"), ("n.img", "noiseimage.img"), ("p.pgm", "image.pgm")];
        for (golden, ours) in written {
            let ours = workplace.read(ours);
            if golden != "p.pgm" {
                let (header, _) = smv_parts(&ours).unwrap_or_else(|error| panic!("{}: {error}", case.name));
                assert_eq!(header, case.smv_header, "{} {golden}", case.name);
            }
            if let Some(theirs) = case.file(golden) {
                let values = different_values(case, golden, &ours, &theirs);
                println!("{} {golden}: {values} values differ", case.name);
                different += values;
                compared += 1;
            }
        }
        check_warnings(case, outcome);
        check_figures(case, &outcome.json());
    });
    assert_eq!(compared, 8, "files compared");
    println!("{different_floats} float pixels and {different} values of the other images differ in all");
    assert!(different <= MOST_DIFFERENT, "{different} values differ");
}

#[test]
fn spec_images_match_those_with_every_phi_step_rotated_afresh() {
    let mut different = 0;
    each_case(Mode::Spec, &["-nonoise", "-nopgm"], |case, workplace, outcome| {
        different += different_pixels(case, workplace, Mode::Spec);
        check_warnings(case, outcome);
        check_summary(case, outcome);
        let (header, _) = smv_parts(&workplace.read("intimage.img")).expect("an SMV file");
        // Where spec places a detector elsewhere than the reference, the header is that of the oracle.
        let simulation = Simulation::from_args(&case.args, &golden::inputs()).expect("command line");
        assert_eq!(header, smv_header(&simulation.in_mode(Mode::Spec)), "{}", case.name);
    });
    println!("{different} float pixels differ in all");
}

/// Figures whose values in the summary are those of the beam on the detector as it is, which nanoBragg does not
/// compute for a swung detector, or of which it prints what was typed or what holds in another frame. Its own values
/// are in its header (`--header reference`) and in `kernel_setup`.
const OF_A_SWING: [&str; 3] = ["distance_m", "Fbeam_m", "Sbeam_m"];
const TYPED: [&str; 3] = ["Xbeam_m", "Ybeam_m", "dials_origin_mm"];

/// Checks that the JSON summary has every figure that the reference prints.
fn check_figures(case: &Case, json: &Value) {
    let images = json["images"].as_array().expect("images");
    assert_eq!(images.len(), 1);
    for (name, expected) in &case.figures {
        let value = images[0].get(name).or_else(|| json.get(name));
        let value = value.unwrap_or_else(|| panic!("{}: no {name}", case.name));
        let is_swung = case.args.iter().any(|arg| arg == "-twotheta");
        if TYPED.contains(&name.as_str()) || (is_swung && OF_A_SWING.contains(&name.as_str())) {
            continue;
        }
        // The reference's count is 0 where it did not make a noise image.
        if name == "noise_photons" && expected == "0" {
            continue;
        }
        assert_eq!(printed(name, value), *expected, "{} {name}", case.name);
    }
}

/// Formats a figure as the reference does.
fn printed(name: &str, value: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let list = |format: fn(f64) -> String, separator: &str| {
        let values = value.as_array().expect("a list").iter();
        values.map(|value| format(number(value))).collect::<Vec<_>>().join(separator)
    };
    match name {
        "cells" => list(format_g, "x"),
        "misset_deg" => list(|degrees| format!("{degrees:.6}"), " "),
        "noise_photons" => format!("{:.0}", number(value)),
        _ if value.is_array() => list(format_g, " "),
        _ => format_g(number(value)),
    }
}

/// Checks that each warning is one line on standard error, and that the program warns where the reference
/// does.
fn check_warnings(case: &Case, outcome: &Outcome) {
    assert!(outcome.stderr.lines().all(|line| line.starts_with("widebragg: ")), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains("widebragg: "), "{}", outcome.stdout);
    if case.warnings > 0 {
        assert!(!outcome.stderr.is_empty(), "{}: the reference gave {} warnings", case.name, case.warnings);
    }
}

/// Checks the summary in text. In spec mode only the geometry is compared, because the figures of the image
/// differ.
fn check_summary(case: &Case, outcome: &Outcome) {
    if case.figures.is_empty() {
        return;
    }
    let figure = |name: &str| case.figures.get(name).expect("a figure").as_str();
    let mut expected = vec![
        "acceptance   ".to_owned(),
        "\nsolid angle subtended by detector = ".to_owned(),
        "brightest    ".to_owned(),
        " at fast ".to_owned(),
        "average      ".to_owned(),
        "  rms ".to_owned(),
        "  rmsd ".to_owned(),
        "time         ".to_owned(),
        "floatimage.bin intimage.img".to_owned(),
    ];
    if !case.spec_image_differs {
        let [max, mean, rms, rmsd] = ["max_I", "mean", "rms", "rmsd"].map(figure);
        // The sum over layers is divided by the number of sources: spec may have others.
        expected.push(format!("acceptance   {} sr\n", figure("solid_angle_sr")));
        expected
            .push(format!("\nsolid angle subtended by detector = {} steradian ( ", figure("solid_angle_sr")));
        expected.push(format!("brightest    {max} at fast "));
        expected.push(format!("average      {mean}  rms {rms}  rmsd {rmsd}\n"));
        expected.push(format!("\nmax_I = {max}  at "));
        expected.push(format!("\nmean= {mean} rms= {rms} rmsd= {rmsd}\n"));
    }
    for words in expected {
        assert!(outcome.stdout.contains(&words), "{}: no '{words}' in {}", case.name, outcome.stdout);
    }
}
