//! The reference's warnings: each says on standard error what was changed and to what, and none stops the
//! run.

use widebragg_tests::program::Workplace;

const LINE: &str = "-mat tri.mat -hkl dense.hkl -lambda 1.2 -detpixels 16 -N 3 -oversample 9 -nonoise -nopgm";

#[test]
fn each_warning_appears_only_where_it_applies() {
    let mirrored = "-fdet_vector 0 0 1 -sdet_vector 0 1 0 -odet_vector 2 0 0";
    let mirrored_c = format!("{mirrored} --phi-carryover-mode c-parity");
    let cases: [(&str, &[&str]); 11] = [
        ("-odet_vector 1 0.1 0", &["-odet_vector", "replaced", "1.000000 0.000000 0.000000"]),
        (mirrored, &["-odet_vector", "normalised to 1.000000 0.000000 0.000000", "mirrored"]),
        (&mirrored_c, &["-odet_vector", "replaced", "-1.000000 0.000000 0.000000"]),
        ("-xtalsize 0.0002 -beamsize 0.0001", &["-sample_y", "clipped", "0.0001 mm"]),
        ("-cell 50 60 70 -sample_x 0.0002", &["-sample_x", "whole number of cells", "-Na"]),
        ("-N 40 -oversample 1", &["-oversample 1", "or more"]),
        ("-mosaic 0.1", &["-mosaic without -mosaic_domains", "10 domains"]),
        ("-mosaic_domains 4", &["-mosaic_domains 4", "1 domain"]),
        ("-detector_thick 100", &["-detector_abs", "attenuation depth 100 um"]),
        ("-hkl sparse.hkl -interpolate -distance 1", &["interpolations reached beyond"]),
        (
            "-hkl sparse.hkl -interpolate -distance 1 --phi-carryover-mode c-parity",
            &["interpolation out of range at pixel", "from there on"],
        ),
    ];
    let place = Workplace::with_inputs();
    let quiet = place.run_line(LINE);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    for (extra, words) in cases {
        let outcome = place.run_line(&format!("{LINE} {extra}"));
        assert_eq!(outcome.code, Some(0), "{extra}: {}", outcome.stderr);
        let line = outcome.stderr.lines().find(|line| words.iter().all(|word| line.contains(word)));
        assert!(line.is_some(), "{extra}: no line with {words:?} in {}", outcome.stderr);
        assert!(!outcome.stdout.contains(words[0]), "{extra}: {}", outcome.stdout);
    }
}
