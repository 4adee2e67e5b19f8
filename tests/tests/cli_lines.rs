//! Command lines as users of nanoBragg write them: every name, the author's examples, odd values, seeds, and the lines
//! that scripts read from standard output. Files of `golden/cases` hold what nanoBragg makes of them.

use std::fs;

use widebragg_tests::golden;
use widebragg_tests::program::{Outcome, Workplace, smv_parts};

/// A crystal without files and a small detector.
const SMALL: &str = "-cell 50 50 40 90 90 90 -misset 10 20 30 -default_F 10 -lambda 1 -distance 100 -detpixels 16 -pixel 1 \
    -N 5 -oversample 1 -fluence 1e28 -nonoise -nopgm";

/// A file of `golden/cases`.
fn case(name: &str) -> Vec<u8> {
    let path = golden::root().join("cases").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The float image of [`SMALL`] with more options, and what the run printed.
fn image(place: &Workplace, more: &str) -> (Vec<u8>, Outcome) {
    let outcome = place.run_line(&format!("{SMALL} {more}")).well();
    (place.read("floatimage.bin"), outcome)
}

/// Every name that nanoBragg, its help or its author's examples have, with values: aliases and lengthenings too.
const NAMES: &str = "
    -mat tri.mat; -matrix tri.mat; -matrices tri.mat; -cell 50; -cell 50 60; -cell 50 60 70 80 90 100; -misset 1 2 3;
    -misset random; -misset_seed 3; -N 3; -Na 3; -Nb 3; -Nc 3; -samplesize 0.00001; -sample_size 0.00001;
    -xtalsize 0.00001; -xtal_size 0.00001; -sample_x 0.00001; -sample_thick 0.00001; -xtal_x 0.00001;
    -xtal_thick 0.00001; -sample_y 0.00001; -sample_width 0.00001; -xtal_y 0.00001; -xtal_width 0.00001;
    -width 0.00001; -sample_z 0.00001; -sample_height 0.00001; -sample_heigh 0.00001; -xtal_z 0.00001;
    -xtal_height 0.00001; -xtal_heigh 0.00001; -height 0.00001; -heigh 0.00001; -square_xtal; -round_xtal;
    -gauss_xtal; -tophat_spots; -binary_spots; -fudge 1.1; -mosaic 0.1; -mosaicity 0.1; -mosaici 0.1; -mosaic_spread 0.1;
    -mosaic_spr 0.1; -mosaic_domains 3; -mosaic_dom 3; -mosaic_domain 3; -mosaic_seed 4; -density 1.2;
    -sample_density 1.2; -sample_den 1.2; -MW 18; -molecular_weight 18; -molec 18;
    -hkl sparse.hkl; -dump F.bin; -dumpfile F.bin; -default_F 20; -interpolate; -nointerpolate;
    -lambda 1.1; -wave 1.1; -wavelength 1.1; -wavelen 1.1; -energy 12000; -dispersion 0.1; -dispsteps 2; -dispstep 3;
    -divergence 0.1; -hdivrange 0.1; -vdivrange 0.1; -hdivstep 0.1; -vdivstep 0.1; -hdivsteps 2 -hdivrange 0.1;
    -vdivsteps 2 -vdivrange 0.1; -divsteps 2 -divergence 0.1; -hdiv 0.28; -vdiv 0.28; -round_div; -square_div;
    -sourcefile sources.txt; -polar 0.9; -nopolar; -fluence 1e27; -flux 1e10; -exposure 0.1; -beamsize 0.1; -water 10;
    -pixel 2; -detpixels 8; -detpixels_f 8; -detpixels_x 8; -detpixels_s 8; -detpixels_y 8; -detsize 10; -detsize_f 10;
    -detsize_x 10; -detsize_s 10; -detsize_y 10; -distance 90; -close_distance 90; -Xbeam 8; -Ybeam 8; -Xclose 8;
    -Yclose 8; -ORGX 8; -ORGY 8; -twotheta 5; -detector_rotx 1; -detector_roty 1; -detector_rotz 1; -pivot beam;
    -pivot sample; -mosflm; -xds; -adxv; -denzo; -dials; -fdet_vector 0 0 1; -sdet_vector 0 -1 0; -odet_vector 1 0 0;
    -beam_vector 1 0 0; -polar_vector 0 0 1; -spindle_axis 0 0 1; -twotheta_axis 0 0 -1; -pix0_vector 1 2 3;
    -pix0_vector_mm 1 2 3; -point_pixel; -curved_det; -curved_det yes; -detector_abs 300; -detector_abs inf;
    -detector_absorb 300; -detector_absorption 300; -detector_thick 300; -detector_thicksteps 3; -thicksteps 3;
    -roi 1 5 1 5; -oversample 2; -oversample_thick; -oversample_polar; -oversample_omega; -phi 5; -osc 1; -phistep 0.5;
    -phisteps 2; -dmin 3;
    -floatfile f.bin; -floatimage f.bin; -intfile i.img; -intimage i.img; -scale 2; -adc 10; -noisefile n.img;
    -noiseimage n.img; -nonoise; -seed 7; -pgmfile p.pgm; -pgmimage p.pgm; -pgmscale 2; -nopgm; -printout;
    -printout_pixel 3 3; -progress; -noprogress; -coherent; -stolout o.stol; -stol bg.stol; -4stol bg.stol; -Q bg.stol;
    -N 0";

#[test]
fn every_name_of_nanobragg_runs() {
    let place = Workplace::with_inputs();
    let mut tried = 0;
    for words in NAMES.split(';').map(str::trim) {
        let _ = image(&place, words);
        tried += 1;
    }
    assert_eq!(tried, 172);
    // Files whose headers give the geometry.
    let without_geometry = "-cell 50 50 40 90 90 90 -default_F 10 -N 5 -oversample 1 -nonoise -nopgm";
    for words in ["-mask mask.img", "-img mask.img"] {
        place.run_line(&format!("{without_geometry} {words}")).well();
    }
}

/// Lines that scripts of users run, with what each changes in comparison with the same line without it.
#[test]
fn the_authors_examples_run_and_say_what_they_do() {
    let place = Workplace::empty();
    let common = "-cell 74 74 36 90 90 90 -misset 10 20 30 -default_F 10 -lambda 1 -distance 100 -detsize 16 -pixel 2 \
                  -fluence 1e24 -nonoise";
    for (options, same_as, notes) in [
        ("-dispersion 0.1 -dispstep 3 -N 5", "-dispersion 0.1 -N 5", &["-dispstep 3", "-dispsteps"][..]),
        (
            "-hdiv 0.28 -hdivstep 0.02 -vdiv 0.28 -vdivstep 0.02 -N 5",
            "-hdivstep 0.02 -vdivstep 0.02 -N 5",
            &["-hdiv 0.28", "-hdivrange"],
        ),
        ("-N 0 -water 0", "-N 1", &["-N 0: taken as 1"]),
        (
            "-dispersion 0 -distance 1000 -hdiv 0 -vdiv 0 -fluence 1e32 -N 1",
            "-distance 1000 -fluence 1e32 -N 1",
            &["-vdiv 0", "-vdivrange"],
        ),
        ("-coherent -N 5", "-N 5", &["-coherent", "no effect"]),
        ("-stolout o.stol -N 5", "-N 5", &["-stolout", "no effect"]),
    ] {
        let outcome = place.run_line(&format!("{common} {options}")).well();
        let rendered = place.read("floatimage.bin");
        assert!(
            outcome.stderr.lines().any(|line| notes.iter().all(|word| line.contains(word))),
            "{options}: {}",
            outcome.stderr
        );
        place.run_line(&format!("{common} {same_as}")).well();
        assert!(place.read("floatimage.bin") == rendered, "{options}");
    }
    assert!(!place.path().join("o.stol").exists());
    // The lines of the other scripts: an image, then another one with the geometry of its header.
    let crystal = "-default_F 10 -cell 50 50 40 90 90 90 -misset 10 20 30 -N 8 -oversample 1 -nonoise -nopgm";
    let geometry = "-detpixels_x 60 -detpixels_y 80 -pixel 0.5 -distance 70 -lambda 1.1";
    for convention in [
        "-mosflm -Xbeam 12 -Ybeam 18",
        "-denzo -Xbeam 12 -Ybeam 18",
        "-adxv -Xbeam 12 -Ybeam 18",
        "-xds -ORGX 25 -ORGY 37",
        "-dials -ORGX 25 -ORGY 37",
    ] {
        place.run_line(&format!("{crystal} {geometry} {convention} -floatfile a.bin -intfile a.img")).well();
        let name = convention.split(' ').next().expect("a convention");
        place.run_line(&format!("{crystal} -img a.img {name} -floatfile b.bin -intfile b.img")).well();
    }
}

/// What nanoBragg makes of odd values, as the same image from plain ones.
#[test]
fn odd_values_give_the_images_of_nanobragg_with_a_warning() {
    let place = Workplace::empty();
    for (odd, plain, note) in [
        ("-N 0", "-N 1", "-N 0: taken as 1"),
        ("-Nb -3", "-Nb 1", "-Nb -3: taken as 1"),
        ("-N 2.7", "-N 2", "-N 2.7: taken as 2"),
        ("-mosaic_domains 0", "", "-mosaic_domains 0: counts as not given"),
        ("-mosaic 0.5 -mosaic_domains -3", "-mosaic 0.5", "-mosaic_domains -3: counts as not given"),
        ("-detector_thick -1", "", "-detector_thick -1: counts as not given"),
        (
            "-detector_thick 100 -detector_abs -3",
            "-detector_thick 100",
            "-detector_abs -3: counts as not given",
        ),
        ("-fudge -1", "", "-fudge -1: has no effect on square crystals"),
        ("-tophat_spots -fudge -1", "-tophat_spots -fudge 0", "-fudge -1: taken as 0"),
        ("-cell 50 50 0", "-cell 50 50 50", "lengths of 0 are taken as a"),
        ("-detsize -5", "", "-detsize -5: counts as not given"),
        ("-detpixels 0 -detsize 8", "-detpixels 8", "-detpixels 0: counts as not given"),
        ("-roi -3 5 -2 6", "-roi 0 5 0 6", "-roi -3 5 -2 6: negative limits"),
        ("-roi 2 -1 3 -1", "-roi 2 15 3 15", "-roi 2 -1 3 -1: negative limits"),
        ("-roi 4 100 0 15", "-roi 4 15 0 15", "-roi 4 100 0 15: the detector ends at pixel 15 15"),
        ("-phisteps -2", "", "-phisteps -2: counts as not given"),
        ("-osc -1", "", "-osc -1: a negative range counts as not given, as in nanoBragg: a still"),
        (
            "-phi 3 -osc -1 -phisteps 3",
            "-phi 3 -osc 1 -phisteps 3",
            "-osc -1: a negative range counts as not given, as in nanoBragg: 1 degree in 3 steps",
        ),
        ("-polar 1.5", "-polar 1.5", "-polar 1.5: no beam has a factor beyond -1 to 1"),
    ] {
        let (rendered, outcome) = image(&place, odd);
        assert!(outcome.stderr.contains(note), "{odd}: {}", outcome.stderr);
        assert!(outcome.stderr.lines().all(|line| line.starts_with("widebragg: ")), "{}", outcome.stderr);
        assert!(image(&place, plain).0 == rendered, "{odd}");
    }
    let printed = |pixel: &str| image(&place, pixel).1.stdout.matches(" : stol = ").count();
    assert_eq!(
        ["-1 -1", "3 3", "3 -1", "40 3"].map(|p| printed(&format!("-printout_pixel {p}"))),
        [256, 1, 0, 0]
    );
}

#[test]
fn what_gives_negative_pixels_or_none_is_refused() {
    let place = Workplace::empty();
    for (more, words) in [
        ("-polar -3 -distance 5", &["-polar", "-3 makes pixels negative, such as fast "][..]),
        ("-distance 90 -twotheta 120", &["detector", "45 mm away, so that every pixel would be negative"]),
        ("-close_distance -90", &["every pixel would be negative"]),
        ("-pixel 1e308", &["detector", "solid angles of its pixels are not finite"]),
        ("-distance 1e308", &["detector"]),
        ("-fudge -1 -round_xtal", &["-fudge -1"]),
        (
            "-oversample 0 -distance 0.15",
            &["subpixels along each axis", "more than the 64", "-distance", "-oversample"],
        ),
        ("-oversample 0 -xtalsize 0.05 -pixel 2", &["more than the 64"]),
    ] {
        let outcome = place.run_line(&format!("{SMALL} {more}"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{more}");
        let last = outcome.stderr.lines().last().unwrap_or_default();
        assert!(words.iter().all(|word| last.contains(word)), "{more}: {last}");
        assert!(place.files().is_empty(), "{more}");
    }
    // A list of sources is blamed for its own faults only.
    let place = Workplace::with_inputs();
    for (more, words, blames) in [
        ("-N 1e12", "unit cells along an axis", false),
        ("-sourcefile dark.txt", "sum of the weights of the sources", true),
    ] {
        place.write("dark.txt", "-10 0 0 0\n");
        let last = place.run_line(&format!("{SMALL} -sourcefile sources.txt {more}")).stderr;
        assert!(last.contains(words) && last.contains("-sourcefile: ") == blames, "{more}: {last}");
    }
    // A given number of subpixels is obeyed, and a polarisation that leaves all pixels positive.
    place.run_line(&format!("{SMALL} -roi 3 4 3 4 -oversample 70 -distance 0.15")).well();
    assert!(image(&place, "-polar 1.5").0.chunks_exact(4).all(|pixel| pixel[3] & 0x80 == 0));
}

/// nanoBragg's state of the random numbers is minus a 32-bit integer: above 0 it goes on with the shuffle table that
/// the draws of the mosaic domains left. `noise_seed_*.u16` are the pixels of its noise images for this line.
#[test]
fn seeds_beyond_their_range_give_the_noise_of_nanobragg() {
    let place = Workplace::empty();
    let line = "-default_F 10 -cell 50 50 40 90 90 90 -misset 10 20 30 -detpixels 16 -pixel 1 -oversample 1 -nopgm -N 5 \
                -fluence 1e32 -mosaic 0.2 -mosaic_domains 4 --header reference";
    let noise = |seed: &str| {
        place.run_line(&format!("{line} -seed {seed}")).well();
        place.read("noiseimage.img").split_off(512)
    };
    for seed in ["-5", "4294967295"] {
        assert!(noise(seed) == case(&format!("noise_seed_{seed}.u16")), "{seed}");
    }
    assert!(noise("4294967301") == noise("5"));
    assert!(noise("-1") == noise("4294967295"));
}

/// The words of a line, as awk counts them from $1.
fn field(line: &str, number: usize) -> &str {
    line.split_whitespace().nth(number - 1).unwrap_or_default()
}

/// `stdout.log` is what nanoBragg prints for this line.
#[test]
fn scripts_find_the_lines_of_nanobragg_on_standard_output() {
    let line = "-default_F 10 -cell 50 50 40 90 90 90 -xtalsize 0.0005 -detpixels 16 -misset_seed 7 -misset random \
                -dispersion 1 -dispsteps 3 -mosaic 0.1 -mosaic_domains 3 -nonoise";
    let place = Workplace::empty();
    let printed = place.run_line(&format!("{line} -noprogress")).well().stdout;
    let log = String::from_utf8(case("stdout.log")).expect("a text");
    let start = log.find("random orientation").expect("the first line about the crystal");
    // Lines about depths, deviations and files, which the summary has in its own words, and of figures without effect.
    let left_out =
        ["approximate MW", "thick0", "divergence deviation", "writing intimage", "writing image.pgm"];
    let mut compared = 0;
    for expected in log[start..].lines().filter(|line| !left_out.iter().any(|word| line.starts_with(word))) {
        assert!(printed.lines().any(|line| line == expected), "'{expected}' in {printed}");
        compared += 1;
    }
    assert_eq!(compared, 58);
    // The rules of the scripts.
    let select = |number: usize, word: &str| {
        let lines: Vec<&str> = printed.lines().filter(|line| field(line, number) == word).collect();
        assert_eq!(lines.len(), 1, "{word}: {lines:?}");
        lines[0]
    };
    let cells = field(select(2, "xtal:"), 3);
    assert_eq!(cells.split('x').map(|n| n.parse::<f64>().expect("a number")).product::<f64>(), 1_250_000.0);
    assert_eq!(field(select(1, "max_I"), 3), "1.50304e+06");
    assert_eq!(field(select(1, "random"), 5), "22.076402");
    let found = |words: &str| printed.lines().filter(|line| line.contains(words)).count();
    assert_eq!(["max_I", "solid angle", "steradian", "mean=", "Unit Cell"].map(found), [1; 5]);
    assert_eq!(found("created a total of 3 sources"), 1);

    // Once for a series, and the figures of each image.
    let series = place.run_line(&format!("{line} --frames 3 -osc 1")).well().stdout;
    let count = |words: &str| series.lines().filter(|line| line.starts_with(words)).count();
    assert_eq!((count("max_I = "), count("  parallelpiped xtal: ")), (3, 1));
    // Either part alone, and none of it where something else is asked for.
    let alone = place.run_line(&format!("{line} --log nanobragg")).well().stdout;
    assert!(alone.starts_with("random orientation") && alone.contains("\nmax_I = "), "{alone}");
    let summary = place.run_line(&format!("{line} --log summary")).well().stdout;
    assert!(summary.starts_with("widebragg ") && !summary.contains("xtal:"), "{summary}");
    place.run_line(&format!("{line} --json")).well().json();
    assert_eq!(place.run_line(&format!("{line} --quiet")).well().stdout, "");
}

#[test]
fn noise_and_lists_are_printed_as_nanobragg_prints_them() {
    let place = Workplace::with_inputs();
    let line = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -detpixels 16 -pixel 1 -N 3 -oversample 1 -detector_thick 300 \
                -detector_abs 200 -hdivrange 2 -hdivsteps 3 -vdivrange 1 -vdivsteps 2 -dispersion 1 -dispsteps 2 -osc 1 \
                -phisteps 3 -phi 5 -seed 1 -round_xtal -polar 0.5 -mosaic 0.2 -distance 50 -roi 2 10 3 12 -adc 20";
    let printed = place.run_line(line).well().stdout;
    // From nanoBragg's own output for this line.
    for expected in [
        "Unit Cell: 45 52 61 82 97 104",
        "Recp Cell: 0.0229996 0.0199493 0.0166247 96.54 84.7332 76.769",
        "volume = 136573 A^3",
        "crystal is 0.0135 x 0.0156 x 0.0183 microns",
        "phi1 = 5.33333",
        "  created a total of 12 sources:",
        "-9.99999 0.005 0.01   0.0833333 1.194e-10",
        "  918 initialized hkls (all others =0)",
        "  ellipsoidal xtal: 3x3x3 cells",
        "  wave=1.2e-10 meters +/- 1% in 2 steps",
        "  Kahn polarization factor: 0.500000",
        "  roi: 2 < x < 10 && 3 < y < 12",
        "  hdivrange=0.002 hdivstep=0.001  radians",
        "  6 divergence steps",
        "  10 mosaic domains over mosaic spread of 0.2 degrees",
        "  3 phi steps from 5 to 6 degrees",
        "  seed: -1",
    ] {
        assert_eq!(printed.lines().filter(|line| *line == expected).count(), 1, "'{expected}' in {printed}");
    }
    assert!(printed.contains(" photons on noise image (0 overloads)\n"), "{printed}");
}

/// A count below 0 has its lower 16 bits in nanoBragg's noise image, and is 0 in spec.
#[test]
fn a_negative_offset_of_the_noise_image() {
    let place = Workplace::empty();
    let dark = "-cell 50 -default_F 1 -fluence 1 -detpixels 4 -N 1 -oversample 1 -seed 1 -adc -3";
    for (mode, expected) in [("c-parity", 65_533), ("spec", 0)] {
        place.run_line(&format!("{dark} --phi-carryover-mode {mode}")).well();
        let (_, pixels) = smv_parts(&place.read("noiseimage.img")).expect("an SMV image");
        assert!(pixels.iter().all(|&pixel| pixel == expected), "{mode}: {pixels:?}");
    }
}
