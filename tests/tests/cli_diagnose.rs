//! `widebragg diagnose`: the figures of each fault of nanoBragg are those of whole images, golden ones where there are
//! any, and a sample of the pixels gives nearly the same.

use std::fs;
use std::process::Command;

use serde_json::Value;
use widebragg_tests::golden::{Case, cases};
use widebragg_tests::oracle::Mode;
use widebragg_tests::program::Workplace;
use widebragg_tests::report::number;

/// The golden lines that meet faults, and which.
const MET: [(&str, &[&str]); 25] = [
    ("custom_vectors", &["rotation"]),
    ("phi_all", &["rotation"]),
    ("phi_dmin", &["rotation"]),
    ("phi_mosaic", &["rotation"]),
    ("phi_oversample_sources", &["rotation"]),
    ("phi_roi", &["rotation"]),
    ("phi_spindle_axis", &["rotation"]),
    ("phi_step_and_range", &["rotation"]),
    ("phi_step_count", &["rotation"]),
    ("phi_zero_in_middle", &["rotation"]),
    ("phi_zero_start", &["rotation"]),
    ("interpolate_latch", &["interpolation"]),
    ("thick_sensor", &["layers"]),
    ("thick_oversample_cached", &["layers"]),
    ("spec_one_layer", &["layers"]),
    ("spec_layers_cached", &["rotation", "layers"]),
    ("spec_layers_tilt", &["layers", "flags"]),
    ("oversample_all", &["layers", "flags"]),
    ("sourcefile", &["weights"]),
    ("spec_weights", &["weights"]),
    ("spec_weight_zero_first", &["weights", "water"]),
    ("water_noise", &["water"]),
    ("spec_water", &["rotation", "layers", "water"]),
    ("spec_mirrored_odet", &["detector"]),
    ("gap_water_dmin", &["water"]),
];

const LINE: &str = "-hkl dense.hkl -mat tri.mat -lambda 1.2 -pixel 0.2 -detpixels_x 96 -detpixels_y 80 -distance 90 \
                    -N 8 -oversample 1";

/// `diagnose --json` of a command line, which must succeed.
fn diagnosis(place: &Workplace, args: &[String]) -> Value {
    let words = ["diagnose", "--json"].map(str::to_owned);
    place.run(words.iter().chain(args)).well().json()
}

fn diagnosis_of(place: &Workplace, line: &str) -> Value {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    diagnosis(place, &args)
}

/// The figures of a fault.
fn fault<'d>(diagnosis: &'d Value, name: &str) -> &'d Value {
    let faults = diagnosis["faults"].as_array().expect("faults");
    faults.iter().find(|fault| fault["name"] == name).expect("the fault")
}

/// The names of the faults that are met.
fn met(diagnosis: &Value) -> Vec<&str> {
    let faults = diagnosis["faults"].as_array().expect("faults");
    faults.iter().filter(|fault| fault["met"] == true).filter_map(|fault| fault["name"].as_str()).collect()
}

/// Ratio of the sums, largest change over the brightest pixel, and share of lit pixels that change by more than 1 %,
/// from whole images.
fn expected(without: &[f32], with: &[f32]) -> [f64; 3] {
    let [a, b]: [Vec<f64>; 2] = [without, with].map(|image| image.iter().map(|&x| f64::from(x)).collect());
    let brightest = |image: &[f64]| image.iter().fold(0.0, |most: f64, &x| most.max(x));
    let [limit_a, limit_b] = [&a, &b].map(|image| 1e-6 * brightest(image));
    let pairs = || a.iter().zip(&b);
    let lit: Vec<_> = pairs().filter(|(a, b)| **a > limit_a || **b > limit_b).collect();
    let changed = lit.iter().filter(|(a, b)| (**b - **a).abs() > 0.01 * a.abs()).count();
    let largest = pairs().map(|(a, b)| (b - a).abs()).fold(0.0, f64::max);
    [
        b.iter().sum::<f64>() / a.iter().sum::<f64>(),
        largest / brightest(&a),
        changed as f64 / lit.len() as f64,
    ]
}

/// Checks figures against those of whole images, whose pixels are rounded to 32 bits.
fn agrees(what: &str, found: &Value, expected: [f64; 3]) {
    for (name, expected, tolerance) in [
        ("sum_ratio", expected[0], 1e-6 * expected[0].abs() + 1e-30),
        ("largest_over_brightest", expected[1], 1e-6),
        ("changed_fraction", expected[2], 5e-4),
    ] {
        let found = number(&found[name]);
        assert!((found - expected).abs() <= tolerance, "{what}: {name} {found}, expected {expected}");
    }
}

/// All golden lines that have images in both modes: all faults together are the golden images, a fault that is the only
/// one is all of them, and lines without faults have no change.
#[test]
fn the_figures_are_those_of_the_golden_images() {
    let place = Workplace::with_inputs();
    let mut compared = 0;
    for name in cases().expect("golden cases") {
        let case = Case::load(&name).expect("a case");
        if case.modes().count() < 2 {
            continue;
        }
        let found = diagnosis(&place, &case.args);
        assert_eq!(found["pixels"], found["compared_pixels"], "{name}");
        let known = MET.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, faults)| faults);
        assert_eq!(met(&found), known, "{name}");
        assert_eq!(known.is_empty(), !case.spec_image_differs, "{name}");
        let [spec, parity] = [Mode::Spec, Mode::CParity].map(|mode| case.image(mode).expect("an image"));
        agrees(&name, &found["all"], expected(&spec, &parity));
        if let [only] = known {
            // The very first sweep, which finds the unrotated crystal, belongs to all alone.
            for figure in ["sum_ratio", "largest_over_brightest", "correlation"] {
                let (one, all) = (&fault(&found, only)[figure], &found["all"][figure]);
                let same = one == all || (number(one) - number(all)).abs() < 1e-3 * number(all).abs();
                assert!(same, "{name}: {only}: {figure} {one}, all {all}");
            }
        }
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
}

/// The reference alone makes these images of its words; their figures are those of the images that the program renders.
#[test]
fn words_that_nanobragg_reads_otherwise_are_faults_of_flags_layers_or_the_detector() {
    let place = Workplace::with_inputs();
    for (name, known) in [
        ("gap_abs_inf_then_thick", "layers"),
        ("gap_nopolar_oversample_polar", "flags"),
        ("gap_thick_flag_no_sensor", "flags"),
        ("gap_twotheta_axis_last", "detector"),
    ] {
        let case = Case::load(name).expect("a case");
        let found = diagnosis(&place, &case.args);
        assert_eq!(met(&found), [known], "{name}");
        let render = ["-floatfile", "spec.bin", "-nonoise", "-nopgm"].map(str::to_owned);
        place.run(case.args.iter().chain(&render)).well();
        let all = expected(&place.float("spec.bin"), &case.image(Mode::CParity).expect("an image"));
        agrees(name, &found["all"], all);
        agrees(name, fault(&found, known), all);
    }
}

/// Each fault by itself, on a line that meets nearly all: images of lines that have the fault or not.
#[test]
fn each_fault_is_taken_by_itself() {
    let place = Workplace::with_inputs();
    let image = |options: &str| {
        place
            .run_line(&format!("{LINE} {options} -floatfile image.bin -nonoise -nopgm -nointerpolate"))
            .well();
        place.float("image.bin")
    };
    let sensor = "-detector_thick 400 -detector_abs 250 -detector_thicksteps 3";
    let beam = "-water 1 -fluence 1e12 -sourcefile weighted.txt";
    let rotation = "-phi 0 -osc 1 -phisteps 4";
    let found = diagnosis_of(&place, &format!("{LINE} -nointerpolate {rotation} {beam} {sensor}"));
    assert_eq!(met(&found), ["rotation", "layers", "weights", "water"]);

    // Rotation: the steps are at 0, 1/4, 1/2 and 3/4 degrees; the last takes the place of the first.
    let dry = image(&format!("{rotation} {beam} {sensor} -water 0"));
    let [first, last] =
        ["0", "0.75"].map(|phi| image(&format!("-phi {phi} -osc 0 -phisteps 1 {beam} {sensor} -water 0")));
    let exchanged: Vec<f32> = dry
        .iter()
        .zip(first.iter().zip(&last))
        .map(|(dry, (first, last))| dry + (last - first) / 4.0)
        .collect();
    agrees("rotation", fault(&found, "rotation"), expected(&dry, &exchanged));

    // Weights: the same directions, all with the same weight.
    let list = place.read("weighted.txt");
    let list = String::from_utf8(list).expect("a source file");
    let alike = |file: &str, with_zero: bool| {
        let lines = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let lines = lines.filter(|words| with_zero || words[3] != "0");
        let lines: Vec<String> =
            lines.map(|words| [&words[..3], &["1"], &words[4..]].concat().join(" ") + "\n").collect();
        fs::write(place.path().join(file), lines.concat()).expect("a source file");
        lines.len()
    };
    assert!(alike("alike.txt", true) > alike("used.txt", false));
    let other = image(&format!("{rotation} {beam} {sensor} -water 0 -sourcefile alike.txt"));
    agrees("weights", fault(&found, "weights"), expected(&dry, &other));

    // Layers: the same line without weights and water, just beside phi = 0.
    let bare = format!("-sourcefile used.txt -fluence 1e12 {sensor} -phi 1e-12 -osc 1 -phisteps 4");
    let other = image(&format!("{bare} --phi-carryover-mode c-parity"));
    agrees("layers", fault(&found, "layers"), expected(&image(&bare), &other));

    // Water: the line without it, and the water of c-parity without a crystal.
    let spec = image(&format!("{rotation} {beam} {sensor}"));
    // In another folder, which has no dump of the structure factors.
    let other_place = Workplace::with_inputs();
    let line = "-cell 50 -default_F 0 -lambda 1.2 -pixel 0.2 -detpixels_x 96 -detpixels_y 80 -distance 90 -N 8 \
                -oversample 1 -floatfile water.bin -nonoise -nopgm --phi-carryover-mode c-parity";
    other_place.run_line(&format!("{line} {rotation} {beam} {sensor}")).well();
    let other: Vec<f32> =
        dry.iter().zip(other_place.float("water.bin")).map(|(dry, water)| dry + water).collect();
    agrees("water", fault(&found, "water"), expected(&spec, &other));

    // Flags: the same line just beside phi = 0.
    let flags = "-oversample 2 -oversample_omega -oversample_polar";
    let bare = format!("{flags} -phi 1e-12 -osc 1 -phisteps 4");
    let found = diagnosis_of(&place, &format!("{LINE} -nointerpolate {flags} {rotation}"));
    assert_eq!(met(&found), ["rotation", "flags"]);
    let other = image(&format!("{bare} --phi-carryover-mode c-parity"));
    agrees("flags", fault(&found, "flags"), expected(&image(&bare), &other));

    // With layers as well, which have the same capture nearly everywhere: the two faults multiply.
    let found = diagnosis_of(&place, &format!("{LINE} -nointerpolate {flags} {sensor}"));
    assert_eq!(met(&found), ["layers", "flags"]);
    let [layers, flags] = ["layers", "flags"].map(|name| number(&fault(&found, name)["sum_ratio"]));
    let all = number(&found["all"]["sum_ratio"]);
    assert!((layers * flags / all - 1.0).abs() < 0.02, "{layers} {flags} {all}");
}

#[test]
fn a_line_without_faults_says_so() {
    let place = Workplace::with_inputs();
    let outcome = place.run_line(&format!("diagnose {LINE}")).well();
    assert!(outcome.stdout.contains("meets no fault of nanoBragg"), "{}", outcome.stdout);
    let all = outcome.stdout.lines().find(|line| line.starts_with("all ") && line.contains("1.0000"));
    assert!(all.is_some_and(|all| all.matches(" 0 %").count() == 2), "{}", outcome.stdout);
    let found = diagnosis_of(&place, LINE);
    assert!(met(&found).is_empty());
    for figures in found["faults"].as_array().expect("faults").iter().chain([&found["all"]]) {
        assert_eq!([&figures["sum_ratio"], &figures["correlation"]], [1.0, 1.0], "{figures}");
        assert_eq!(
            [&figures["changed_fraction"], &figures["largest_over_brightest"]],
            [0.0, 0.0],
            "{figures}"
        );
    }
    // A step beside phi = 0 is no fault either.
    let found = diagnosis_of(&place, &format!("{LINE} -phi 0.5 -osc 1 -phisteps 3"));
    assert_eq!(fault(&found, "rotation")["why"], "no step is at phi = 0");
    assert!(met(&found).is_empty() && found["all"]["largest_at"].is_null());
}

/// The options of the output and the mode make no difference, and nothing is written.
#[test]
fn the_mode_and_the_output_of_the_line_are_ignored() {
    let place = Workplace::with_inputs();
    let before = place.files();
    for line in [
        format!("{LINE} -phi 0 -osc 1 -phisteps 2"),
        format!("{LINE} -mosflm -fdet_vector 0 0 1 -twotheta_axis 3 1 0"),
    ] {
        let [plain, spec, parity] =
            ["", "--phi-carryover-mode spec", "--phi-carryover-mode c-parity"].map(|mode| {
                place.run_line(&format!("diagnose {line} {mode} -noisefile n.img --png p.png")).well()
            });
        assert!(
            plain.stdout == spec.stdout && plain.stdout == parity.stdout,
            "{}{}",
            plain.stdout,
            parity.stdout
        );
        assert!(!plain.stdout.contains("no fault"), "{}", plain.stdout);
    }
    assert_eq!(before, place.files());
    let outcome = place.run_line(&format!("diagnose {LINE} --phi-sampling middle"));
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("not with --phi-sampling middle"), "{}", outcome.stderr);
}

/// A random crystal is the same in both modes, though no seed is given.
#[test]
fn a_random_crystal_is_the_same_in_both_modes() {
    let place = Workplace::empty();
    let found = diagnosis_of(
        &place,
        "-cell 40 50 60 -misset random -default_F 10 -N 5 -lambda 1 -distance 80 -detpixels 40 -pixel 1",
    );
    assert!(met(&found).is_empty() && found["all"]["largest_at"].is_null(), "{found}");
}

/// Pipes can be read once only, though both modes need what they hold.
#[cfg(unix)]
#[test]
fn inputs_can_be_pipes() {
    let place = Workplace::with_inputs();
    let line = "-lambda 1.2 -pixel 0.2 -detpixels 40 -distance 90 -N 5 -phi 0 -osc 1 -phisteps 2";
    let files =
        place.run_line(&format!("diagnose {line} -hkl dense.hkl -mat tri.mat -sourcefile sources.txt"));
    let script = format!(
        "\"$WIDEBRAGG\" diagnose {line} -hkl <(cat dense.hkl) -mat <(cat tri.mat) -sourcefile <(cat sources.txt)"
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("WIDEBRAGG", widebragg_tests::program::executable())
        .current_dir(place.path())
        .output()
        .expect("bash starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), files.well().stdout);
}

/// Samples hold about the pixels that are asked for, with the values that they have in the whole image, and their
/// figures are those of all pixels, within the errors that they state.
#[test]
fn samples_give_nearly_the_figures_of_all_pixels() {
    let place = Workplace::empty();
    let line = "-cell 70 80 90 90 90 90 -misset 10 20 30 -default_F 100 -N 12 -lambda 1 -distance 100 -detpixels 500 \
                -pixel 0.2 -oversample 1 -phi 0 -osc 1 -phisteps 2 -detector_thick 450 -detector_abs 300";
    let all = diagnosis_of(&place, line);
    assert_eq!(all["compared_pixels"], 250_000);
    for pixels in [20_000, 80_000] {
        let found = diagnosis_of(&place, &format!("{line} --pixels {pixels}"));
        let compared = number(&found["compared_pixels"]);
        assert!((compared / f64::from(pixels) - 1.0).abs() < 0.05, "{compared}");
        assert_eq!(found["pixels"], 250_000);
        for name in ["rotation", "layers"] {
            let (found, all) = (fault(&found, name), fault(&all, name));
            let [ratio, error] = ["sum_ratio", "sum_ratio_error"].map(|name| number(&found[name]));
            let off = (ratio - number(&all["sum_ratio"])).abs();
            assert!(error > 0.0 && error < 0.1 && off < 3.0 * error, "{name}: {ratio} {error} {all}");
            for (figure, tolerance) in [("correlation", 0.1), ("changed_fraction", 0.02)] {
                let off = number(&found[figure]) - number(&all[figure]);
                assert!(off.abs() < tolerance, "{name}: {figure} {found} {all}");
            }
        }
        // The pixel that changes most has its value in the whole image.
        let at = &found["all"]["largest_at"];
        let (fast, slow) = (number(&at["fast"]) as usize, number(&at["slow"]) as usize);
        for (mode, value) in [("spec", &at["without"]), ("c-parity", &at["with"])] {
            place.run_line(&format!(
                "{line} --phi-carryover-mode {mode} -floatfile whole.bin -nonoise -nopgm"
            ));
            let whole = place.float("whole.bin")[slow * 500 + fast];
            assert_eq!(number(value) as f32, whole, "{mode}");
        }
    }
}

#[test]
fn the_evidence_holds_the_figures() {
    let place = Workplace::with_inputs();
    let line = format!("diagnose {LINE} -phi 0 -osc 1 -phisteps 2 --json --evidence kept");
    let printed = place.run_line(&line).well().json();
    let kept: Value = serde_json::from_slice(&place.read("kept/diagnose.json")).expect("JSON");
    assert_eq!(printed, kept);
}

/// Where a single fault is met, it is the whole difference; where none is, rounding is no difference.
#[test]
fn a_fault_alone_is_the_whole_difference() {
    let place = Workplace::with_inputs();
    let line =
        "-cell 40 50 60 -default_F 10 -misset 10 20 30 -N 5 -lambda 1 -distance 80 -detpixels 60 -pixel 0.5";
    let no_sensor = "-oversample_thick -detector_abs inf -detector_thick 450";
    for (options, names) in [
        // Another place of the detector has other automatic subpixels.
        ("-odet_vector -1.1 0 0", &["detector"][..]),
        (&format!("{no_sensor} -oversample 1"), &["layers"]),
        (&format!("{no_sensor} -oversample 2"), &["layers"]),
        // c-parity has three dark layers, and the one of spec is a single step.
        (
            "-oversample_polar -detector_abs inf -detector_thick 450 -detector_thicksteps 3 -oversample 1",
            &["layers"],
        ),
        ("-oversample 1 -oversample_polar -dmin 40 -water 100 -fluence 1e24", &["water"]),
        ("-oversample 1 -oversample_polar -oversample_omega -round_xtal", &[]),
    ] {
        let found = diagnosis_of(&place, &format!("{line} {options}"));
        assert_eq!(met(&found), names, "{options}");
        if let [name] = names {
            for figure in ["sum_ratio", "rms_over_mean", "largest_over_brightest"] {
                let [one, all] = [fault(&found, name), &found["all"]].map(|change| number(&change[figure]));
                assert!((one - all).abs() <= 1e-6 * all.abs(), "{options}: {figure} {one}, {all} in all");
            }
        } else {
            assert_eq!(found["all"]["largest_at"], Value::Null, "{options}");
        }
    }
}

#[test]
fn few_pixels_are_a_sample_and_none_are_refused() {
    let place = Workplace::with_inputs();
    let found = diagnosis_of(&place, &format!("{LINE} --pixels 1"));
    assert!((16.0..200.0).contains(&number(&found["compared_pixels"])), "{found}");
    let image = fs::read(place.path().join("mask.img")).expect("the mask");
    let (header, pixels) = image.split_at(512);
    place.write("dark.img", [header, &vec![0; pixels.len()]].concat());
    let outcome = place.run_line(&format!("diagnose {LINE} -mask dark.img"));
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no pixel"), "{}", outcome.stderr);
}

/// With several panels, the image is their stack, and each panel is a run of nanoBragg of its own.
#[test]
fn faults_of_several_panels_are_those_of_their_stack() {
    let place = Workplace::empty();
    let panel = |name: &str, first_row: usize, corner_y: f64| {
        format!(
            "{name}/min_fs = 0\n{name}/max_fs = 29\n{name}/min_ss = {first_row}\n{name}/max_ss = {}\n\
             {name}/corner_x = -15\n{name}/corner_y = {corner_y}\n{name}/fs = x\n{name}/ss = y\n",
            first_row + 19
        )
    };
    let panels = [panel("low", 0, -21.0), panel("high", 20, 1.0)].concat();
    place.write("two.geom", format!("photon_energy = 12398.42 eV\nclen = 0.1\nres = 2000\n{panels}"));
    let line = "-cell 70 80 90 85 95 100 -misset 10 20 30 -N 5 -default_F 100 -fluence 1e24 -oversample 2 -osc 1 \
                -phisteps 2 --geometry two.geom";
    let images = ["spec", "c-parity"].map(|mode| {
        let output = format!("--phi-carryover-mode {mode} -floatfile {mode}.bin -nonoise --quiet");
        place.run_line(&format!("{line} {output}")).well();
        place.float(&format!("{mode}.bin"))
    });
    let found = diagnosis_of(&place, &format!("{line} --pixels 10000"));
    assert_eq!((&found["compared_pixels"], met(&found)), (&1200.into(), vec!["rotation"]));
    agrees("two panels", &found["all"], expected(&images[0], &images[1]));
    let at = &found["all"]["largest_at"];
    let index = |name: &str| at[name].as_u64().expect("an index") as usize;
    let first_row = if at["panel"] == "high" { 20 } else { 0 };
    let pixel = (first_row + index("slow")) * 30 + index("fast");
    assert_eq!(number(&at["with"]), f64::from(images[1][pixel]));
    assert_eq!(number(&at["without"]), f64::from(images[0][pixel]));

    let one = diagnosis_of(&place, &format!("{line} --pixels 10000 --panel high"));
    agrees("one panel", &one["all"], expected(&images[0][600..], &images[1][600..]));
    assert!(one["all"]["largest_at"]["panel"].is_null());
}
