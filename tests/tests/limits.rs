//! Extreme values: the program's figures match the oracle's, or a message refuses them, in bounded memory.
//!
//! Lists of 100 million reflections and whole images of 16384 x 16384 pixels differ from these tests only in
//! size.

use core::fmt::Write as _;
use widebragg_tests::skipped::skipped;

use widebragg_tests::fault::run_script;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::program::Workplace;

/// Options of a small detector around the direct beam.
const LINE: &str = "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.9 -detpixels 16 -N 5 -oversample 1 -seed 1 \
    -osc 0.6 -phisteps 3";

const MODES: [(Mode, &str); 2] = [(Mode::Spec, "spec"), (Mode::CParity, "c-parity")];

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The oracle's simulation of a command line with the files of `place`, with precise interference functions.
fn oracle(line: &str, place: &Workplace) -> Simulation {
    let mut simulation = Simulation::from_args(&words(line), place.path()).expect(line);
    simulation.precise = true;
    simulation
}

/// Largest difference between two images, relative to the larger of the pixel and of `floor` times the
/// maximum.
fn difference(image: &[f32], expected: &[f32], floor: f64) -> f64 {
    assert_eq!(image.len(), expected.len());
    let max = f64::from(expected.iter().copied().fold(0f32, f32::max));
    // An image without a pixel above 0 must fail the test.
    if !(max > 0.0 && max.is_finite()) {
        return f64::INFINITY;
    }
    let pairs = image.iter().zip(expected).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    pairs.map(|(x, y)| (x - y).abs() / y.abs().max(floor * max)).fold(0.0, f64::max)
}

#[test]
fn extreme_geometries_match_the_oracle() {
    let place = Workplace::with_inputs();
    for extra in [
        "-lambda 0.01 -pixel 0.008",
        "-lambda 0.01 -twotheta 5 -Na 9 -fudge 1e-3",
        "-distance 1e7 -pixel 90000",
        "-distance 1e7 -pixel 90000 -lambda 0.01 -N 30 -curved_det",
        "-twotheta 89",
        "-twotheta 89 -detector_roty 60 -detector_thick 500 -detector_thicksteps 3",
        "-detector_rotz 89 -pixel 0.05",
        "-detector_rotz 89.999 -pixel 0.05 -xds",
        "-distance 0.01 -pixel 0.005 -default_F 10",
        "-lambda 100 -default_F 10",
    ] {
        for (mode, name) in MODES {
            let line = format!("{LINE} {extra}");
            place.run_line(&format!("{line} --phi-carryover-mode {name} --quiet")).well();
            let expected = oracle(&line, &place).render(mode, 1).float;
            let apart = difference(&place.float("floatimage.bin"), &expected, 1e-6);
            assert!(apart <= 2e-6, "{name} {extra}: {apart:.1e}");
        }
    }
}

/// With a million cells along an axis, an index h of about 10 is known to 1e-15, and its phase N h to 1e-9 of
/// a turn. The flanks of an interference function with a million fringes are known to no more than that error
/// divided by their distance from a node.
#[test]
fn a_million_cells_along_an_axis_match_the_oracle() {
    let place = Workplace::with_inputs();
    for shape in
        ["-square_xtal", "-Na 1 -Nb 1 -square_xtal", "-gauss_xtal -fudge 1e-30", "-round_xtal -fudge 1e-12"]
    {
        for (mode, name) in MODES {
            let line = format!("{LINE} -nointerpolate -N 1000000 {shape}");
            place.run_line(&format!("{line} --phi-carryover-mode {name} --quiet")).well();
            let expected = oracle(&line, &place).render(mode, 1).float;
            let apart = difference(&place.float("floatimage.bin"), &expected, 1e-3);
            assert!(apart <= 1e-5, "{name} {shape}: {apart:.1e}");
        }
    }
}

/// Pixels whose intensity exceeds the range of f32 are infinite, as in the reference, and a warning reports
/// them.
#[test]
fn a_peak_beyond_f32_is_infinite_and_reported() {
    let place = Workplace::with_inputs();
    let line = "-cell 10 10 10 90 90 90 -default_F 1e6 -detpixels 3 -N 1000000 -oversample 1 -nointerpolate";
    let outcome = place.run_line(&format!("{line} -ORGX 2 -ORGY 2 -xds --json")).well();
    let float = place.float("floatimage.bin");
    assert!(float[4].is_infinite(), "{float:?}");
    assert!(outcome.stderr.contains("a pixel is infinite"), "{}", outcome.stderr);
}

#[test]
fn a_hundred_thousand_domains_match_the_oracle() {
    let place = Workplace::with_inputs();
    let line = format!("{LINE} -phi 0 -phisteps 2 -mosaic 0.3 -mosaic_domains 100000 -roi 9 10 9 10");
    let outcome = place.run_line(&format!("{line} --phi-carryover-mode c-parity --json")).well();
    assert_eq!(outcome.json()["steps_per_pixel"], 200_000.0);
    let expected = oracle(&line, &place).render(Mode::CParity, 1).float;
    // The angle of a random rotation is an f32, which two math libraries sometimes round differently.
    let apart = difference(&place.float("floatimage.bin"), &expected, 1e-6);
    assert!(apart <= 1e-5, "{apart:.1e}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_detector_of_16k_by_16k_keeps_the_documented_memory() {
    let place = Workplace::with_inputs();
    let line = format!("{LINE} -detpixels 16384 -pixel 0.01");
    let [fast, slow] = [8200, 8190];
    // 4 bytes a pixel for the float image, 2 for the integer image, and 256 MiB for everything else.
    let kilobytes = 16_384 * 16_384 * 6 / 1024 + 256 * 1024;
    let script = format!(
        "ulimit -v {kilobytes}; exec \"$WIDEBRAGG\" {line} -roi 8192 8255 8180 8200 -floatfile /dev/null \
         -intfile /dev/null -nonoise -nopgm --threads 2 -printout_pixel {fast} {slow}"
    );
    let outcome = run_script(&place, &script);
    if outcome.stderr.contains("no memory for an image of 16384 x 16384 pixels") {
        skipped("less than 2 GiB of memory here");
        return;
    }
    let text = outcome.well().stdout;
    let printed = text.lines().find_map(|line| line.strip_prefix("pixel ")).expect("a printed pixel");
    let printed: f64 = printed.trim().parse().expect("a number");
    let expected = oracle(&line, &place).render_pixels(Mode::Spec, 1, &[(slow, fast)])[0].I_pixel_final;
    assert!((printed - expected).abs() <= 2e-6 * expected, "{printed} is not {expected}");
}

#[test]
fn a_million_reflections_are_read_in_the_documented_memory() {
    let place = Workplace::with_inputs();
    let mut list = String::new();
    for h in -50..50i32 {
        for k in -50..50i32 {
            for l in -50..50i32 {
                let f = 10 + (h * 7 + k * 13 + l * 29).rem_euclid(990);
                writeln!(list, "{h} {k} {l} {f}.25").expect("a string");
            }
        }
    }
    assert_eq!(list.lines().count(), 1_000_000);
    place.write("million.hkl", &list);
    let line = LINE.replace("dense.hkl", "million.hkl");
    // 48 bytes a reflection while reading, 8 bytes a node, and 64 MiB for everything else.
    let kilobytes = (48 + 8) * 1_000_000 / 1024 + 64 * 1024;
    // The C library may reserve 64 MiB of addresses for a thread that allocates, or not, as the threads happen to run.
    let script =
        format!("export MALLOC_ARENA_MAX=1; ulimit -v {kilobytes}; exec \"$WIDEBRAGG\" {line} --quiet");
    run_script(&place, &script).well();
    let expected = oracle(&line, &place).render(Mode::Spec, 1).float;
    let apart = difference(&place.float("floatimage.bin"), &expected, 1e-6);
    assert!(apart <= 2e-6, "{apart:.1e}");
}

#[test]
fn indices_outside_the_range_of_a_grid_are_refused() {
    let place = Workplace::with_inputs();
    place.write("index.hkl", "1 1 1 5\n3000000000 0 0 1\n");
    place.write("box.hkl", "-2147483648 0 0 1\n2147483647 0 0 1\n");
    place.write("wide.hkl", "-1500 -1500 -1500 1\n1500 1500 1500 1\n");
    place.write("index.bin", "0 3000000000 0 1 0 1\n\u{c}");
    place.write("box.bin", "-2147483648 2147483647 0 1 0 1\n\u{c}");
    for (extra, expected) in [
        ("-hkl index.hkl", "index.hkl:2: h: \"3000000000\" is too large for an index"),
        ("-hkl box.hkl", "a grid of 4294967296 x 1 x 1 cells needs 32.0 GiB"),
        ("-hkl wide.hkl", "a grid of 3001 x 3001 x 3001 cells needs 201.4 GiB"),
        ("-dump index.bin", "index.bin: not a structure factor dump"),
        ("-dump box.bin", "a grid of 4294967296 x 2 x 2 cells needs 128.0 GiB"),
    ] {
        let outcome = place.run_line(&format!("-mat tri.mat -detpixels 16 -oversample 1 {extra}"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{extra}");
        assert!(outcome.stderr.contains(expected), "{extra}: {}", outcome.stderr);
    }
    assert!(!place.path().join("floatimage.bin").exists());
}
