//! Random command lines through the program, compared with the oracle in both modes.

use proptest::prelude::*;
use widebragg_tests::commands::{command_line, lines_to_draw};
use widebragg_tests::compare::{compare, is_close};
use widebragg_tests::golden;
use widebragg_tests::oracle::output::{int_image, noise_image, pgm_image, smv_header};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::program::{Workplace, smv_parts};

/// Of how many command lines one may have an image that depends on the last bit of a value.
const LINES_FOR_UNDECIDED: u32 = 20;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: lines_to_draw(),
        failure_persistence: None,
        max_global_rejects: lines_to_draw().div_ceil(LINES_FOR_UNDECIDED),
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
    if !is_close(&simulation, &float, &expected, 2e-6, 1e-9) {
        // The angle of a random rotation is an f32 from `powf`, which math libraries sometimes round
        // differently.
        let drawn = has(args, "mosaic") || has(args, "random");
        prop_assert!(drawn && is_close(&simulation, &float, &expected, 0.0, 2e-2), "{}", difference);
        return Err(TestCaseError::reject("a random rotation that is one f32 apart"));
    }

    // The other files are made from the program's own float image, so that a difference in its last bit does
    // not matter here.
    let expected_header = declared(&smv_header(&simulation.in_mode(mode)));
    for (name, without, expected) in [
        ("intimage.img", "", int_image(&simulation, &float)),
        ("noiseimage.img", "-nonoise", noise_image(&simulation, &float).pixels),
    ] {
        if args.iter().any(|arg| arg == without) {
            continue;
        }
        let (header, pixels) = smv_parts(&place.read(name)).map_err(TestCaseError::fail)?;
        prop_assert_eq!(&header, &expected_header);
        prop_assert!(pixels == expected, "{}", name);
    }
    if !has(args, "-nopgm") {
        prop_assert!(place.read("image.pgm") == pgm_image(&simulation, &float), "image.pgm");
    }
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

/// Regression test: the direct beam meets the middle of a pixel, where the reflection 0 0 0 is dark and the
/// interpolation leaves its rounding errors alone.
#[test]
fn a_dark_reflection_interpolated_matches_the_oracle() {
    let options = "-pixel 1.5 -detpixels_x 11 -detpixels_y 19 -roi 0 10 0 16 -close_distance 20 -Xclose 3.3 \
        -Yclose 5.7 -mat tri.mat -misset 0 0 0 -N 5 -samplesize 0.000262 -gauss_xtal -hkl sparse.hkl -interpolate \
        -lambda 0.8 -flux 1e10 -phi 0 -oversample 1 -seed 1";
    let args: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
    agrees(&args, Mode::Spec, 1).expect("the image differs from the oracle's");
    agrees(&args, Mode::CParity, 3).expect("the image differs from the oracle's");
}
