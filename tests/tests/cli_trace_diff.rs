//! `widebragg trace-diff`: the program's traces compared with the reference's, the first divergence, and
//! refusals.

use std::fs;
use widebragg_tests::skipped::skipped;

use serde_json::{Value, json};
use widebragg_tests::golden::{self, Tap, Trace, TracedPixel};
use widebragg_tests::program::{Outcome, Workplace};

/// A folder with the inputs of a golden trace; `None` where they are missing.
fn place_of(trace: &Trace) -> Option<Workplace> {
    let Some(folder) = golden::inputs_of(&trace.case) else {
        skipped(format!("trace {} (its inputs are missing)", trace.case));
        return None;
    };
    let place = Workplace::empty();
    for name in trace.args.iter().filter(|word| word.ends_with(".mat") || word.ends_with(".hkl")) {
        place.bring(&folder.join(name));
    }
    Some(place)
}

fn run_trace(place: &Workplace, trace: &Trace, pixels: &[[usize; 2]], options: &str) {
    let pixels =
        pixels.iter().flat_map(|[slow, fast]| ["--pixel".to_owned(), slow.to_string(), fast.to_string()]);
    let words = trace.args.iter().cloned().chain(pixels).chain(options.split_whitespace().map(str::to_owned));
    place.run(["trace".to_owned()].into_iter().chain(words)).well();
}

fn places(trace: &Trace) -> Vec<[usize; 2]> {
    trace.traces.iter().map(|traced| [traced.pixel.slow, traced.pixel.fast]).collect()
}

fn case(name: &str) -> Trace {
    golden::traces().expect("golden traces").into_iter().find(|trace| trace.case == name).expect("the case")
}

fn metrics(place: &Workplace) -> Value {
    serde_json::from_slice(&place.read("metrics.json")).expect("JSON")
}

#[test]
fn traces_match_the_golden_traces() {
    let traces = golden::traces().expect("golden traces");
    assert_eq!(traces.len(), 7, "golden traces");
    for trace in &traces {
        let Some(place) = place_of(trace) else { continue };
        let golden = golden::root().join("traces").join(format!("{}.json", trace.case));
        place.bring(&golden);
        for format in ["text", "json"] {
            let options = format!("--phi-carryover-mode c-parity --format {format} --out ours");
            run_trace(&place, trace, &places(trace), &options);
            place.run_line(&format!("trace-diff ours {}.json --rtol 1e-9", trace.case)).well();
            let metrics = metrics(&place);
            assert!(metrics["first_divergence"].is_null(), "{metrics}");
            assert_eq!(metrics["pixels_compared"], trace.traces.len());
            assert_eq!(metrics["only_in_b"], json!([]), "{}: a golden tap is not compared", trace.case);
            assert_eq!(metrics["steps_only_in_b"], 0);
            let values = |traced: &TracedPixel| {
                traced.taps.len() + traced.per_phi.iter().map(|step| step.len() - 1).sum::<usize>()
            };
            assert_eq!(metrics["values_compared"], trace.traces.iter().map(values).sum::<usize>());
            let worst = &metrics["largest_relative_difference"];
            println!("{} {format}: {} {}", trace.case, worst["tap"], worst["relative_difference"]);
        }
    }
}

#[test]
fn spec_and_c_parity_diverge_at_the_rotation() {
    for (name, pixel) in [("authoritative", [685, 1039]), ("phi_zero_start", [33, 47])] {
        let trace = case(name);
        let Some(place) = place_of(&trace) else { continue };
        run_trace(&place, &trace, &[pixel], "--out spec.txt");
        run_trace(&place, &trace, &[pixel], "--out c.json --json --phi-carryover-mode c-parity");
        let outcome = place.run_line("trace-diff spec.txt c.json --out deep/m");
        assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
        let said = format!("rot_a_angstroms at pixel {} {}", pixel[0], pixel[1]);
        assert!(outcome.stderr.contains(&said) && outcome.stderr.lines().count() == 1, "{}", outcome.stderr);
        assert!(outcome.stdout.contains("<== first divergence"));
        let metrics: Value = serde_json::from_slice(&place.read("deep/m/metrics.json")).expect("JSON");
        let first = &metrics["first_divergence"];
        assert_eq!((&first["tap"], &first["pixel"]["slow"]), (&json!("rot_a_angstroms"), &json!(pixel[0])));
        assert_eq!(first["a"].as_array().map(Vec::len), Some(3));
        let taps = &metrics["taps"];
        for (tap, diverging) in [("pix0_vector_meters", 0), ("scattering_vec_per_m", 0), ("hkl_frac", 1)] {
            assert_eq!(taps[tap]["diverging"], diverging, "{tap}");
        }
        assert_eq!(taps["k_frac of steps"]["diverging"], 1, "only phi 0 is carried over");
    }
}

/// A golden pixel in the format of the reference's log, among other lines.
fn log(traced: &TracedPixel) -> String {
    let mut text = "nanoBragg nanocrystal diffraction simulator\nTRACE of nothing\nprogress: 3%\n".to_owned();
    for (name, value) in &traced.taps {
        let values = match value {
            Tap::Scalar(x) => format!("{x:e}"),
            Tap::Vector([x, y, z]) => format!("{x} {y} {z}"),
        };
        text.push_str(&format!("TRACE_C: {name} {values}\n"));
        if name == "F_latt_c" {
            for step in &traced.per_phi {
                let pairs: Vec<String> =
                    step.iter().map(|(key, value)| format!("{key}={value:.15}")).collect();
                text.push_str(&format!("TRACE_C_PHI {}\r\n", pairs.join(" ")));
            }
        }
    }
    text + "max_I = 3\n"
}

#[test]
fn the_reference_s_logs_are_read() {
    let trace = case("phi_zero_start");
    let place = place_of(&trace).expect("inputs");
    let options = "--phi-carryover-mode c-parity --out ours.txt";
    run_trace(&place, &trace, &[[33, 47]], options);
    let text = log(trace.traces.iter().find(|traced| traced.pixel.slow == 33).expect("the pixel"));
    place.write("c.log", &text);
    for order in ["ours.txt c.log", "c.log ours.txt"] {
        let outcome = place.run_line(&format!("trace-diff {order} --rtol 1e-9")).well();
        assert_eq!(outcome.stderr, "");
        assert!(outcome.stdout.contains("pixel 33 47"), "the position is known from one of the traces");
        assert_eq!(metrics(&place)["values_compared"], 37 + 5 * 4);
    }
    // One value is changed in its sixth digit; the difference is found at its step.
    let changed = text.replace("F_latt_b=14.744484234515101", "F_latt_b=14.744584234515101");
    assert_ne!(changed, text);
    place.write("c.log", &changed);
    let outcome = place.run_line("trace-diff ours.txt c.log");
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.contains("F_latt_b at pixel 33 47, phi 3: 14.7444842345"), "{}", outcome.stderr);
    let first = metrics(&place)["first_divergence"].clone();
    assert_eq!((&first["tap"], &first["step"]["phi_tic"]), (&json!("F_latt_b"), &json!(3)));
    assert!((first["relative_difference"].as_f64().expect("a number") - 6.78e-6).abs() < 1e-8);
    place.run_line("trace-diff ours.txt c.log --rtol 1e-5").well();
    place.run_line("trace-diff ours.txt c.log --atol 2e-4").well();
    // With several pixels in A, the log does not say which one it contains.
    run_trace(&place, &trace, &places(&trace), options);
    place.write("c.log", &text);
    let outcome = place.run_line("trace-diff ours.txt c.log");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("4 pixels in A and 1 in B") && outcome.stderr.contains("--pixel"));
    place.run_line("trace-diff ours.txt c.log --pixel 33 47 --rtol 1e-9").well();
    assert_eq!(place.run_line("trace-diff ours.txt c.log --pixel 60 12 --rtol 1e-9").code, Some(3));
    // All of them in one log, in the same order.
    place.write("c.log", trace.traces.iter().map(log).collect::<String>());
    place.run_line("trace-diff ours.txt c.log --rtol 1e-9").well();
    assert_eq!(metrics(&place)["pixels_compared"], 4);
}

/// Compares two short logs; exit code, metrics and outcome.
fn compared(a: &str, b: &str, options: &str) -> (Option<i32>, Value, Outcome) {
    let place = Workplace::empty();
    place.write("a", a);
    place.write("b", b);
    let outcome = place.run_line(&format!("trace-diff a b {options}"));
    let metrics = fs::read(place.path().join("metrics.json")).ok();
    let metrics = metrics.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).expect("JSON"));
    (outcome.code, metrics, outcome)
}

#[test]
fn differences_are_relative_to_the_value_or_its_vector() {
    let relative = |a: &str, b: &str| {
        let (_, metrics, _) = compared(&format!("{a}\n"), &format!("{b}\n"), "");
        metrics["largest_relative_difference"]["relative_difference"].as_f64().unwrap_or(0.0)
    };
    // Differences of components are relative to their vector, those of numbers to the number.
    assert_eq!(relative("TRACE_C: v 1 0 0", "TRACE_C: v 1 1e-17 0"), 1e-17);
    assert_eq!(relative("TRACE_C: x 0", "TRACE_C: x 1e-17"), 1.0);
    assert_eq!(relative("TRACE_C: x 0", "TRACE_C: x -0"), 0.0);
    assert_eq!(relative("TRACE_C: x 3", "TRACE_C: x 4"), 0.25);
    assert_eq!(relative("TRACE_C: x -4", "TRACE_C: x 4"), 2.0);
    assert_eq!(relative("TRACE_C: v 0 0 0", "TRACE_C: v 0 0 0"), 0.0);
    assert_eq!(relative("TRACE_C: cos_2theta 0", "TRACE_C: cos_2theta 1e-17"), 1e-17);
    // h, k and l of a step are one vector, even if one trace has only k.
    let hkl = "TRACE_WB_PHI phi_tic=0 h_frac=8 k_frac=0 l_frac=2";
    assert_eq!(relative(hkl, "TRACE_C_PHI phi_tic=0 k_frac=8e-17"), 1e-17);
    assert_eq!(relative("TRACE_C_PHI phi_tic=0 k_frac=0", "TRACE_C_PHI phi_tic=0 k_frac=8e-17"), 1.0);
    let (code, _, _) = compared("TRACE_C: x 0\n", "TRACE_C: x 1e-17\n", "--atol 1e-12 --quiet");
    assert_eq!(code, Some(0));
}

#[test]
fn nan_and_different_sizes_are_compared() {
    let (code, metrics, outcome) =
        compared("TRACE_C: x nan\nTRACE_C: y 1\n", "TRACE_C: x NaN\nTRACE_C: y 1\n", "");
    assert_eq!((code, &metrics["not_a_number_in_both"]), (Some(0), &json!(1)));
    assert!(outcome.stdout.contains("NaN in both, left out: 1"));
    let (code, metrics, _) = compared("TRACE_C: x nan\n", "TRACE_C: x 1\n", "--rtol 1e9 --atol 1e9");
    assert_eq!((code, &metrics["first_divergence"]["tap"]), (Some(3), &json!("x")));
    let (code, metrics, outcome) = compared("TRACE_C: v 1 2 3\n", "TRACE_C: v 1\n", "--rtol 1");
    assert_eq!((code, &metrics["first_divergence"]["tap"]), (Some(3), &json!("v")));
    assert!(outcome.stderr.contains("3 values against 1"), "{}", outcome.stderr);
}

#[test]
fn the_first_divergence_is_a_cause_and_gaps_are_reported() {
    let a = "TRACE_C: pix0_vector_meters 1 2 3\nTRACE_C: hkl_frac 1 2 3\nTRACE_C: I_before_scaling 5\nTRACE_C: polar 1\n\
             TRACE_C: scattering_vec_per_m 1 1 1\nTRACE_C: mine 3\nTRACE_C_PHI phi_tic=0 F_latt=2\nTRACE_C_PHI phi_tic=1 F_latt=2\n";
    let b = a.replace("hkl_frac 1", "hkl_frac 9").replace("I_before_scaling 5", "I_before_scaling 6");
    let b = b.replace("vec_per_m 1", "vec_per_m 9").replace("phi_tic=1 F_latt=2", "phi_tic=1 F_latt=9");
    let b = b.replace("mine", "yours");
    let order = |b: &str| compared(a, b, "").1["first_divergence"]["tap"].clone();
    assert_eq!(order(&b), "scattering_vec_per_m");
    let b = b.replace("vec_per_m 9", "vec_per_m 1");
    assert_eq!(order(&b), "hkl_frac");
    let b = b.replace("hkl_frac 9", "hkl_frac 1");
    assert_eq!(order(&b), "F_latt", "a step before the sum");
    let b = b.replace("F_latt=9", "F_latt=2");
    assert_eq!(order(&b), "I_before_scaling");
    let b = b.replace("phi_tic=1", "phi_tic=2");
    let (_, metrics, outcome) = compared(a, &b, "");
    assert_eq!((&metrics["only_in_a"], &metrics["only_in_b"]), (&json!(["mine"]), &json!(["yours"])));
    assert_eq!((&metrics["steps_only_in_a"], &metrics["steps_only_in_b"]), (&json!(1), &json!(1)));
    assert!(outcome.stdout.contains("only in A: mine") && outcome.stdout.contains("steps only in B: 1"));
}

#[test]
fn repeated_and_non_numeric_values_are_noted() {
    let a = "TRACE_C: x 1\nTRACE_C: y 2\nTRACE_C: y 3\nTRACE_C: name of it\nTRACE_C_PHI F_latt=1\nTRACE_PY: x 7\n";
    let (code, metrics, outcome) = compared(a, "TRACE_PY: x 1\nTRACE_PY: y 2\n", "--json");
    assert_eq!(code, Some(0), "{}", outcome.stderr);
    assert_eq!(metrics["notes"].as_array().map(Vec::len), Some(4));
    for part in
        ["1 taps or steps come again", "1 trace lines without numbers", "without a phi_tic", "other programs"]
    {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    assert_eq!(outcome.json(), metrics);
}

#[test]
fn a_pixel_that_is_traced_twice_is_compared_twice() {
    let twice = |x: i32| format!("TRACE_C: pixel 3 4\nTRACE_C: x 1\nTRACE_C: pixel 3 4\nTRACE_C: x {x}\n");
    let (code, metrics, outcome) = compared(&twice(2), &twice(2), "--json");
    assert_eq!((code, &metrics["pixels_compared"]), (Some(0), &json!(2)), "{}", outcome.stderr);
    let (code, metrics, _) = compared(&twice(2), &twice(4), "--json");
    let values = (&metrics["first_divergence"]["a"], &metrics["first_divergence"]["b"]);
    assert_eq!((code, values), (Some(3), (&json!(2.0), &json!(4.0))), "{metrics}");
    let (code, metrics, _) = compared(&twice(2), "TRACE_C: pixel 3 4\nTRACE_C: x 1\n", "--json");
    assert_eq!((code, &metrics["only_in_a"]), (Some(0), &json!(["pixel 3 4"])), "{metrics}");
}

#[test]
fn bad_input_is_refused() {
    let trace = case("phi_zero_start");
    let place = place_of(&trace).expect("inputs");
    run_trace(&place, &trace, &[[0, 0], [0, 1]], "--out good.txt");
    run_trace(&place, &trace, &[[0, 0]], "--out good.json --json");
    let text = String::from_utf8(place.read("good.txt")).expect("UTF-8");
    let json = String::from_utf8(place.read("good.json")).expect("UTF-8");
    let golden = fs::read_to_string(golden::root().join("traces/phi_zero_start.json")).expect("golden");
    let line_end = text[..text.len() / 2].rfind('\n').expect("lines");
    for (name, content) in [
        ("empty", ""),
        ("other.log", "a log\nof something TRACE: else\nTRACE_C:\nTRACE_ x 3\n"),
        ("cut.txt", &text[..=line_end]),
        ("cut.log", "TRACE_C: x 1\nTRACE_C: y 2"),
        ("cut.json", &json[..json.len() - 5]),
        ("cut_golden.json", &golden[..golden.len() / 2]),
        ("list.json", "{\"a\": [1, 2]}"),
        ("word.json", "{\"traces\": [{\"taps\": {\"x\": \"one\"}}]}"),
        ("pixel.json", "{\"traces\": [{\"pixel\": {\"slow\": -1, \"fast\": 0}, \"taps\": {\"x\": 1}}]}"),
        ("elsewhere.json", "{\"traces\": [{\"pixel\": {\"slow\": 7, \"fast\": 0}, \"taps\": {\"x\": 1}}]}"),
        ("stranger.json", "{\"traces\": [{\"pixel\": {\"slow\": 0, \"fast\": 0}, \"taps\": {\"x\": 1}}]}"),
        ("place.log", "TRACE_C: pixel 1\nTRACE_C: x 1\n"),
        ("file", ""),
    ] {
        place.write(name, content);
    }
    for (words, parts) in [
        ("good.txt none", &["none", "cannot read"][..]),
        ("good.txt .", &[".", "cannot read"]),
        ("good.txt empty", &["empty", "no tap"]),
        ("other.log good.txt", &["other.log", "no tap", "TRACE_C: name values"]),
        ("cut.txt good.txt", &["cut.txt", "cut off"]),
        ("cut.log good.txt", &["cut.log: line 2", "cut off"]),
        ("good.txt cut.json", &["cut.json", "cut off", "line"]),
        ("good.txt cut_golden.json", &["cut_golden.json", "cut off"]),
        ("list.json good.txt", &["list.json", "traces"]),
        ("word.json good.txt", &["word.json", "traces[0]", "\"x\""]),
        ("pixel.json good.txt", &["pixel.json", "traces[0]", "slow"]),
        ("elsewhere.json good.txt", &["elsewhere.json", "no pixel in common"]),
        ("stranger.json good.txt", &["stranger.json", "no tap in common"]),
        ("place.log good.txt", &["place.log: line 1", "row and a column"]),
        ("good.txt good.json --pixel 0 1", &["no pixel in common"]),
        ("good.txt good.json --out file/deep", &["--out file/deep"]),
    ] {
        let Outcome { code, stdout, stderr } = place.run_line(&format!("trace-diff {words}"));
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{words}: {stderr}");
        assert!(parts.iter().all(|part| stderr.contains(part)), "{words}: {stderr}");
        assert!(!place.path().join("metrics.json").exists(), "{words}");
    }
    for (words, part) in [("good.txt", "two traces, but 1"), ("good.txt good.txt --rtol x", "--rtol x")] {
        let Outcome { code, stderr, .. } = place.run_line(&format!("trace-diff {words}"));
        assert_eq!(code, Some(1), "{words}: {stderr}");
        assert!(stderr.contains(part), "{words}: {stderr}");
    }
    let outcome = place.run_line("trace-diff good.txt good.json").well();
    assert!(outcome.stdout.contains("only in A: pixel 0 1"), "{}", outcome.stdout);
}

/// All that nanoBragg prints with `-printout`, from `tests/golden/cases`.
fn printout(name: &str) -> String {
    let path = golden::root().join("cases").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `printout.txt` is all that nanoBragg prints for this line.
const PRINTED: &str =
    "-default_F 100 -cell 100 100 100 90 90 90 -lambda 1 -N 5 -detpixels 6 -pixel 1 -oversample 1";

#[test]
fn printouts_of_nanobragg_are_traces() {
    let place = Workplace::empty();
    place.write("nanobragg.log", printout("printout.txt"));
    place.run_line(&format!("trace {PRINTED} --roi 0 5 0 5 --phi-carryover-mode c-parity --out ours")).well();
    for order in ["nanobragg.log ours", "ours nanobragg.log"] {
        // No tolerance: a value differs only where it does not round to what is printed.
        let outcome = place.run_line(&format!("trace-diff {order} --rtol 1e-12")).well();
        assert_eq!(outcome.stderr, "");
        let metrics = metrics(&place);
        assert_eq!((&metrics["pixels_compared"], &metrics["values_compared"]), (&json!(36), &json!(36 * 17)));
        let only = if order.starts_with("ours") { "only_in_b" } else { "only_in_a" };
        assert_eq!(metrics[only], json!([]), "{order}");
    }
    // So is the printout of this program.
    let outcome = place.run_line(&format!("{PRINTED} -nonoise -printout_pixel 3 2")).well();
    place.write("own.log", &outcome.stdout);
    place.run_line("trace-diff own.log nanobragg.log --rtol 1e-12 --quiet").well();
    assert_eq!(metrics(&place)["pixels_compared"], 1);
    // With several steps as well, since the lines of the run say how many there are before those of the pixel.
    let seven = format!("{PRINTED} -phi 5 -osc 1 -phisteps 7");
    place.run_line(&format!("trace {seven} --pixel 2 3 --out seven")).well();
    for log in ["", "--log nanobragg"] {
        let outcome = place.run_line(&format!("{seven} -nonoise -printout_pixel 3 2 {log}")).well();
        place.write("own.log", &outcome.stdout);
        place.run_line("trace-diff own.log seven --rtol 1e-12 --quiet").well();
        let found = metrics(&place);
        assert_eq!((&found["values_compared"], &found["steps_only_in_b"]), (&json!(15), &json!(6)), "{log}");
    }
    // A change of the last printed digit is found, at its pixel and with its name.
    let text = printout("printout.txt");
    for (from, to, tap) in [
        ("at 0.1 0.0025 -0.0015", "at 0.1 0.00250001 -0.0015", "pixel_pos_meters"),
        ("hkl= -0.042473 2.498938 -1.499363", "hkl= -0.042473 2.498940 -1.499363", "hkl_frac"),
        (
            "X: 100.00000000 -0.00000000  0.00000000\n",
            "X: 100.00000002 -0.00000000  0.00000000\n",
            "rot_a_angstroms",
        ),
        ("polar      0.9995753609", "polar      0.9995753611", "polar"),
        ("omega   9.987263533e-05", "omega   9.987263535e-05", "omega_pixel"),
        ("capfrac               1", "capfrac    1.0000000010", "capture_fraction"),
    ] {
        let at = text.find("   2    1 : stol").expect("the pixel");
        let (before, after) = text.split_at(at);
        assert!(after.contains(from), "{from}");
        place.write("changed.log", format!("{before}{}", after.replacen(from, to, 1)));
        let outcome = place.run_line("trace-diff changed.log ours --rtol 1e-12 --quiet");
        assert_eq!(outcome.code, Some(3), "{tap}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(&format!("{tap} at pixel 1 2")), "{tap}: {}", outcome.stderr);
    }
    place.write("cut.log", &text[..text.len() / 2]);
    let outcome = place.run_line("trace-diff cut.log ours").refused("trace-diff cut.log");
    assert!(outcome.stderr.contains("cut off"), "{}", outcome.stderr);
}

/// `printout_steps.txt` is all that nanoBragg prints for the command line of the trace phi_mosaic, with
/// `-nonoise -printout -printout_pixel 47 33`: the values are those of the last of 24 steps.
#[test]
fn printouts_of_several_steps_are_compared_with_the_last() {
    let trace = case("phi_mosaic");
    let place = place_of(&trace).expect("inputs");
    place.write("nanobragg.log", printout("printout_steps.txt"));
    run_trace(&place, &trace, &[[33, 47]], "--phi-carryover-mode c-parity --out ours.json --json");
    place.run_line("trace-diff nanobragg.log ours.json --rtol 1e-12 --quiet").well();
    let found = metrics(&place);
    assert_eq!((&found["values_compared"], &found["steps_only_in_b"]), (&json!(15), &json!(23)));
    assert_eq!(found["taps"]["h_frac of steps"]["compared"], 1);
    // The two modes differ at phi = 0, and so in the sum.
    run_trace(&place, &trace, &[[33, 47]], "--out spec.txt");
    let outcome = place.run_line("trace-diff nanobragg.log spec.txt --quiet");
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("first divergence: I_before_scaling at pixel 33 47"),
        "{}",
        outcome.stderr
    );
}

/// The program refuses a trace of its own that is cut off at any place.
#[test]
fn truncated_traces_are_refused() {
    let trace = case("still_mat");
    let place = place_of(&trace).expect("inputs");
    for format in ["text", "json"] {
        run_trace(&place, &trace, &[[40, 50]], &format!("--format {format} --out t"));
        let whole = place.read("t");
        let last = whole.len() - 2;
        for cut in (0..last).step_by(whole.len() / 60).chain([last]) {
            fs::write(place.path().join("cut"), &whole[..cut]).expect("a file");
            let read = widebragg_formats::trace::read_trace(&place.path().join("cut"));
            assert!(read.is_err(), "{format} cut at {cut} of {}", whole.len());
        }
    }
}
