//! Random command lines through the oracle, the command lines that it refuses, and the format of its output
//! files.

use proptest::prelude::*;
use widebragg_tests::commands::command_line;
use widebragg_tests::golden;
use widebragg_tests::oracle::input::Grid;
use widebragg_tests::oracle::output::{format_g, int_image, noise_image, pgm_image, smv_header};
use widebragg_tests::oracle::{Mode, Simulation};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_command_lines_render(args in command_line(), threads in 1_usize..4) {
        let simulation = Simulation::from_args(&args, &golden::inputs()).map_err(TestCaseError::fail)?;
        let [fast_pixels, slow_pixels] = simulation.npixels();
        let pixels: Vec<(usize, usize)> = (0..slow_pixels).map(|slow| (slow, (slow * 7) % fast_pixels)).collect();
        for mode in [Mode::CParity, Mode::Spec] {
            let image = simulation.render(mode, threads);
            prop_assert_eq!(image.float.len(), fast_pixels * slow_pixels);
            prop_assert!(image.value.iter().all(|v| v.is_finite()));
            for trace in simulation.render_pixels(mode, threads, &pixels) {
                let expected = image.value[trace.slow * fast_pixels + trace.fast];
                prop_assert_eq!(trace.I_pixel_final.to_bits(), expected.to_bits());
            }
            let noise = noise_image(&simulation, &image.float);
            prop_assert_eq!(noise.pixels.len(), int_image(&simulation, &image.float).len());
            prop_assert!(pgm_image(&simulation, &image.float).starts_with(b"P5\n"));
            let header = smv_header(&simulation);
            prop_assert!(header.ends_with('\u{c}'), "{}", header);
        }
    }

    #[test]
    fn any_arguments_are_refused_or_rendered(line in "(-[a-zA-Z_]{1,12}|-?[0-9.e]{1,6}| |-cell|-N|-roi|-phi){0,12}") {
        let _ = Simulation::from_args(&words(&line), &golden::inputs());
    }
}

#[test]
fn bad_command_lines_are_refused() {
    let good = "-mat tri.mat -hkl dense.hkl -detpixels 8 -N 3";
    assert!(Simulation::from_args(&words(good), &golden::inputs()).is_ok());
    for extra in [
        "-nosuchoption",
        "-N",
        "-N 3.5",
        "-distance nan",
        "-distance 0",
        "-lambda 0",
        "-detpixels 0",
        "-pixel 0",
        "-hkl nosuch.hkl",
        "-hkl sources.txt",
        "-mat bg.stol -mat nosuch.mat",
        "-roi 0 8 0 7",
        "-roi 5 4 0 7",
        "-mask mask.img",
        "-mask tri.mat",
        "-cell 10 10 10 0 90 90",
        "-osc 1e9 -phistep 1e-9",
        "-mosaic 1 -mosaic_domains 100000000",
    ] {
        let line = format!("{good} {extra}");
        assert!(Simulation::from_args(&words(&line), &golden::inputs()).is_err(), "{line}");
    }
    let incomplete = "-cell 50 -detpixels 8";
    assert!(Simulation::from_args(&words(incomplete), &golden::inputs()).is_err());
}

#[test]
fn aliases_have_the_same_effect() {
    let simulation = |line: &str| {
        let all = format!("-hkl sparse.hkl -detpixels_x 9 -detpixels_y 7 -oversample 1 {line}");
        Simulation::from_args(&words(&all), &golden::inputs())
            .expect("command line")
            .render(Mode::Spec, 1)
            .float
    };
    let plain = simulation("-mat tri.mat -lambda 1.2 -mosaic 0.2 -mosaic_domains 3 -sample_z 0.0002");
    let lengthened =
        simulation("-matrix_file tri.mat -wavelen 1.2 -mosaicity 0.2 -mosaic_dom 3 -xtal_heights 0.0002");
    assert!(plain == lengthened);
}

#[test]
fn dumps_are_read_as_they_were_written() {
    let grid = Grid::read_text(&golden::inputs().join("sparse.hkl"), 3.0).expect("sparse.hkl");
    assert_eq!(Grid::from_dump(&grid.to_dump()), Ok(grid.clone()));
    assert!(Grid::from_dump(&grid.to_dump()[..500]).is_err());
    assert!(Grid::from_dump(b"0 1 0 1 0\n\x0c").is_err());
}

#[test]
fn numbers_are_formatted_as_in_c() {
    for (x, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (90.0, "90"),
        (0.0375645, "0.0375645"),
        (123456.5, "123456"),
        (1234567.0, "1.23457e+06"),
        (0.00001, "1e-05"),
        (0.0001, "0.0001"),
        (999999.5, "1e+06"),
        (1.25932015286227e29, "1.25932e+29"),
        (-6.85, "-6.85"),
    ] {
        assert_eq!(format_g(x), expected);
    }
}
