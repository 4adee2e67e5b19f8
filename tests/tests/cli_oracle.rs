//! Random command lines through the program, compared with the oracle in both modes.

use proptest::prelude::*;
use widebragg_tests::commands::command_line;
use widebragg_tests::compare::compare;
use widebragg_tests::golden;
use widebragg_tests::oracle::output::{int_image, noise_image, pgm_image, smv_header};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::program::{Workplace, smv_parts};

/// Number of command lines for each mode.
const CASES: u32 = 100;

/// Number of command lines whose image may depend on the last bit of a value.
const MOST_UNDECIDED: u32 = 5;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_global_rejects: MOST_UNDECIDED,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

/// The oracle's header as the program writes it, which declares 1024 bytes where 512 are too few.
fn declared(header: &str) -> String {
    if header.len() > 512 {
        header.replace("HEADER_BYTES=512;", "HEADER_BYTES=1024;")
    } else {
        header.to_owned()
    }
}

/// Whether each pixel is within `relative` of the expected one, or off by less than `floor` times the
/// maximum. The images are too small for a limit on the fraction of differing pixels: some show only flanks
/// of reflections, or rounding errors where F is 0.
fn is_close(image: &[f32], expected: &[f32], relative: f64, floor: f64) -> bool {
    let max = expected.iter().copied().fold(1e-20_f32, f32::max);
    let close = |(&x, &y): (&f32, &f32)| {
        let (x, y) = (f64::from(x), f64::from(y));
        x == y || (x - y).abs() <= (relative * y.abs()).max(floor * f64::from(max))
    };
    image.len() == expected.len() && image.iter().zip(expected).all(close)
}

fn has(args: &[String], stem: &str) -> bool {
    args.iter().any(|arg| arg.contains(stem))
}

fn agrees(args: &[String], mode: Mode, threads: usize) -> Result<(), TestCaseError> {
    let mut simulation = Simulation::from_args(args, &golden::inputs()).map_err(TestCaseError::fail)?;
    // The program does not lose the digits that the reference's interference functions lose.
    simulation.precise = true;
    let place = Workplace::with_inputs();
    let name = if mode == Mode::Spec { "spec" } else { "c-parity" };
    let own = format!("--header reference --phi-carryover-mode {name} --reference-threads {threads} --json");
    let outcome = place.run(args.iter().map(String::as_str).chain(own.split(' ')));
    prop_assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let json = outcome.json();
    let cells: Vec<i64> =
        json["cells"].as_array().into_iter().flatten().map(|n| n.as_f64().unwrap_or(0.0) as i64).collect();
    if cells != simulation.N() {
        // The last bit of a size that is a whole number of cells decides about one more cell.
        let one_apart = cells.iter().zip(simulation.N()).all(|(ours, theirs)| (ours - theirs).abs() <= 1);
        let sized =
            args.iter().any(|arg| arg.contains("xtal") || arg.contains("ample") || arg.contains("dth"));
        prop_assert!(one_apart && sized, "{:?} cells, not {:?}", cells, simulation.N());
        return Err(TestCaseError::reject("a size that is a whole number of cells"));
    }
    let float = place.float("floatimage.bin");
    let expected = simulation.render(mode, threads).float;
    let difference = compare(&float, &expected).map_err(TestCaseError::fail)?;
    if !is_close(&float, &expected, 2e-6, 1e-9) {
        // The angle of a random rotation is an f32 from `powf`, which math libraries sometimes round
        // differently.
        let drawn = has(args, "mosaic") || has(args, "random");
        prop_assert!(drawn && is_close(&float, &expected, 0.0, 2e-2), "{}", difference);
        return Err(TestCaseError::reject("a random rotation that is one f32 apart"));
    }

    // The other files are made from the program's own float image, so that a difference in its last bit does
    // not matter here.
    let expected_header = declared(&smv_header(&simulation.in_mode(mode)));
    for (name, expected) in [
        ("intimage.img", int_image(&simulation, &float)),
        ("noiseimage.img", noise_image(&simulation, &float).pixels),
    ] {
        let (header, pixels) = smv_parts(&place.read(name)).map_err(TestCaseError::fail)?;
        prop_assert_eq!(&header, &expected_header);
        prop_assert!(pixels == expected, "{}", name);
    }
    prop_assert!(place.read("image.pgm") == pgm_image(&simulation, &float), "image.pgm");
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn spec_images_match_the_oracle(args in command_line()) {
        agrees(&args, Mode::Spec, 1)?;
    }

    #[test]
    fn c_parity_images_match_the_oracle(args in command_line(), threads in 1_usize..4) {
        agrees(&args, Mode::CParity, threads)?;
    }
}

/// Regression test: some subpixels of a pixel are outside its spot, so that the loop keeps nodes whose
/// structure factor it has not looked up.
#[test]
fn spots_in_only_some_subpixels_match_the_oracle() {
    let options = "-pixel 0.6 -detpixels 20 -Xbeam 6.90 -Ybeam 5.60 -mat tri.mat -misset 0 -23.71 -29.55 -N 6 \
        -hkl dense.hkl -energy 13156.6 -dispersion 1.95 -flux 1e10 -seed 1";
    for shape in ["-tophat_spots", "-gauss_xtal"] {
        let args: Vec<String> = options.split_whitespace().chain([shape]).map(str::to_owned).collect();
        agrees(&args, Mode::Spec, 1).expect("the image differs from the oracle's");
        agrees(&args, Mode::CParity, 1).expect("the image differs from the oracle's");
    }
}
