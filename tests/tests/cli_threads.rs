//! Images have the same bits for any number of threads and in every run, at every SIMD level; the levels
//! agree within limits.

use widebragg_tests::compare::compare;
use widebragg_tests::program::Workplace;
use widebragg_tests::skipped::skipped;

const LEVELS: [&str; 3] = ["portable", "avx2", "avx512"];

/// Scenes large enough for several threads, one for each kind of loop.
const LINES: [&str; 4] = [
    "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.2 -detpixels_x 97 -detpixels_y 81 -distance 90 -N 10 \
     -osc 1 -phisteps 10 -mosaic 0.3 -mosaic_domains 4 -oversample 1 -seed 3",
    "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.2 -detpixels_x 97 -detpixels_y 81 -distance 60 -N 4 \
     -interpolate -osc 0.5 -phisteps 12 -round_xtal -oversample 2 -seed 3",
    "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.2 -detpixels_x 97 -detpixels_y 81 -distance 60 -N 8 \
     -divergence 3 -divsteps 3 -dispersion 1 -dispsteps 3 -gauss_xtal -polar 0.7 -oversample_polar -seed 3",
    "-cell 45 52 61 82 97 104 -misset 10 20 30 -hkl dense.hkl -default_F 3 -pixel 0.2 -detpixels_x 97 \
     -detpixels_y 81 -distance 60 -N 8 -curved_det -detector_thick 300 -detector_abs 200 -thicksteps 4 \
     -oversample_thick -oversample_omega -osc 0.5 -phisteps 10 -oversample 1 -tophat_spots -seed 3",
];

/// Float and noise image at a level; `None` where the processor lacks it.
fn images(place: &Workplace, line: &str, level: &str, threads: usize) -> Option<(Vec<f32>, Vec<u8>)> {
    let line = format!("{line} --simd {level} --threads {threads} --json --header reference -nopgm");
    let outcome = place.run_line(&line).well();
    let json = outcome.json();
    if json["simd"] != level {
        assert!(outcome.stderr.contains(&format!("--simd {level}")), "{}", outcome.stderr);
        return None;
    }
    assert_eq!(json["threads"], threads, "the image is too small for several threads");
    Some((place.float("floatimage.bin"), place.read("noiseimage.img")))
}

fn compare_levels(mode: &str) {
    for (number, line) in LINES.iter().enumerate() {
        let place = Workplace::with_inputs();
        let line = format!("{line} --phi-carryover-mode {mode}");
        let mut reference: Option<Vec<f32>> = None;
        for level in LEVELS {
            let Some(once) = images(&place, &line, level, 1) else {
                skipped(format!("this processor does not have {level}"));
                continue;
            };
            assert!(once.0.iter().any(|&pixel| pixel > 0.0), "line {number}: all pixels are 0");
            for threads in [1, 2, 7] {
                let again = images(&place, &line, level, threads);
                assert!(again.as_ref() == Some(&once), "line {number} {mode} {level} {threads} threads");
            }
            match &reference {
                None => reference = Some(once.0),
                Some(reference) => {
                    let difference = compare(&once.0, reference).expect("same size");
                    println!("line {number} {mode} {level}: {difference}");
                    assert!(difference.max_relative <= 1e-6, "line {number} {level}: {difference}");
                    assert!(difference.is_within_limits(), "line {number} {level}: {difference}");
                }
            }
        }
    }
}

#[test]
fn spec_images_do_not_depend_on_threads() {
    compare_levels("spec");
}

#[test]
fn c_parity_images_do_not_depend_on_threads() {
    compare_levels("c-parity --reference-threads 3");
}
