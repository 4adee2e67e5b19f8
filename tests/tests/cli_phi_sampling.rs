//! `--phi-sampling middle`: images, traces and derivatives sample each phi step in its middle; the default is
//! the start of the step, as in nanoBragg, whose mode refuses another.

use serde_json::{Value, json};
use widebragg_tests::program::{Workplace, smv_parts};

const LINE: &str = "-default_F 100 -mat tri.mat -lambda 1.2 -pixel 0.2 -detpixels_x 60 -detpixels_y 50 -N 7 \
    -oversample 1 -fluence 1e27 -seed 1 --quiet";

const MIDDLE: &str = "--phi-sampling middle";

fn place() -> Workplace {
    Workplace::with_inputs()
}

/// The float image of a run.
fn image(place: &Workplace, rest: &str) -> Vec<f32> {
    place.run_line(&format!("{LINE} {rest} -floatfile image.bin")).well();
    place.float("image.bin")
}

/// The largest difference of two images, as a fraction of the brightest pixel.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let most = a.iter().copied().fold(0f32, f32::max);
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs() / most)).fold(0.0, f64::max)
}

/// Sampling in the middle is that of a crystal half a step on: with 6 steps a degree, 1/12 of a degree.
#[test]
fn an_image_is_that_of_a_start_half_a_step_on() {
    let place = place();
    for (sweep, start) in [
        ("-phi -0.5 -osc 1 -phisteps 8", "-0.4375"),
        ("-phi 10 -osc 0.5 -phisteps 1", "10.25"),
        ("-phi 0 -phistep 0.25", "0.125"),
        ("-phi 3 -osc 1.2 -phistep 0.4", "3.2"),
    ] {
        let middle = image(&place, &format!("{sweep} {MIDDLE}"));
        assert!(distance(&middle, &image(&place, &format!("{sweep} -phi {start}"))) < 1e-6, "{sweep}");
        let plain = image(&place, sweep);
        assert!(distance(&middle, &plain) > 1e-3, "{sweep}");
        assert_eq!(plain, image(&place, &format!("{sweep} --phi-sampling start")), "{sweep}");
    }
    // Without a rotation there is nothing to sample.
    assert_eq!(image(&place, MIDDLE), image(&place, ""));
}

/// Frames of a series too; headers state the start of the oscillation.
#[test]
fn headers_and_summaries_state_the_start_of_the_frame() {
    let place = place();
    let line =
        format!("{LINE} -phi -0.5 -osc 0.5 -phisteps 2 -nonoise -nopgm {MIDDLE}").replace("--quiet", "");
    let summary = place.run_line(&format!("{line} --frames 2 --json")).well().json();
    assert_eq!((&summary["phi_deg"], &summary["phi_sampling"]), (&Value::from(-0.5), &Value::from("middle")));
    let single = image(&place, "-phi 0 -osc 0.5 -phisteps 2 --phi-sampling middle");
    assert_eq!(place.float("floatimage_00002.bin"), single);
    let (header, _) = smv_parts(&place.read("intimage_00002.img")).expect("an image");
    assert!(header.contains("\nPHI=0;") && header.contains("\nOSC_START=0;"), "{header}");
    let list: Value = serde_json::from_slice(&place.read("intimage.expt")).expect("an experiment list");
    assert_eq!(list["scan"][0]["oscillation"], json!([-0.5, 0.5]));
    let text = place.run_line(&line).well().stdout;
    assert!(text.contains("osc 0.5 degrees in 2 steps, each sampled in its middle"), "{text}");
}

/// The mean of the sampled angles is the middle of the oscillation; at the start it is half a step before.
#[test]
fn the_mean_of_the_traced_angles_is_the_middle_of_the_oscillation() {
    let place = place();
    for (sampling, expected) in [("middle", 2.5), ("start", 2.5 - 1.0 / 12.0)] {
        let sweep = "-phi 2 -osc 1 -phisteps 6";
        let line = format!("trace {LINE} {sweep} --pixel 4 5 --phi-sampling {sampling} --format json");
        let trace = place.run_line(&line).well().json();
        let steps = trace["traces"][0]["per_phi"].as_array().expect("steps").clone();
        let angles: Vec<f64> = steps.iter().map(|step| step["phi_deg"].as_f64().expect("an angle")).collect();
        assert_eq!(angles.len(), 6);
        let mean = angles.iter().sum::<f64>() / 6.0;
        assert!((mean - expected).abs() < 1e-12, "{sampling}: {mean}");
    }
}

/// An oscillation that grows moves the first sample as well, by half a step.
#[test]
fn derivatives_agree_with_differences_of_the_options() {
    let place = place();
    image(&place, "-phi 1 -osc 0.4 -phisteps 3 -distance 90.3 -misset 0.1 0 0");
    let model =
        format!("{LINE} -distance 90 -phisteps 3 {MIDDLE} --against image.bin").replace("--quiet", "");
    let report = |phi: f64, osc: f64| {
        place.run_line(&format!("gradient {model} -phi {phi} -osc {osc} --wrt phi,osc")).well().json()
    };
    let loss = |phi: f64, osc: f64| report(phi, osc)["loss"].as_f64().expect("a loss");
    let centre = report(1.0, 0.4);
    for (index, [by_phi, by_osc]) in [[1.0, 0.0], [0.0, 1.0]].into_iter().enumerate() {
        let slope = |step: f64| {
            let at = |sign: f64| loss(1.0 + sign * step * by_phi, 0.4 + sign * step * by_osc);
            (at(1.0) - at(-1.0)) / (2.0 * step)
        };
        let expected = (4.0 * slope(5e-4) - slope(1e-3)) / 3.0;
        let found = centre["gradient"][index]["derivative"].as_f64().expect("a derivative");
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{index}: {found:e}, {expected:e}");
    }
    place.run_line(&format!("gradcheck {LINE} -phi 1 -osc 0.4 -phisteps 3 {MIDDLE} --wrt phi,osc")).well();
}

#[test]
fn c_parity_refuses_another_sampling_than_nanobragg_s() {
    let place = place();
    for command in
        ["", "trace --pixel 4 5", "gradient --wrt a", "gradcheck --wrt a", "refine --wrt a --against x"]
    {
        let line = format!("{command} {LINE} -osc 1 {MIDDLE} --phi-carryover-mode c-parity");
        let outcome = place.run_line(&line).refused(&line);
        let words = ["--phi-sampling middle", "c-parity", "nanoBragg samples phi at the start of each step"];
        assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{line}: {}", outcome.stderr);
        assert!(!place.path().join("floatimage.bin").exists());
    }
    image(&place, "-osc 1 --phi-sampling start --phi-carryover-mode c-parity");
    let outcome = place.run_line(&format!("{LINE} --phi-sampling end"));
    assert!(outcome.code == Some(2) && outcome.stderr.contains("start or middle"), "{}", outcome.stderr);
}
