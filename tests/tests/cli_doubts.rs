//! What the program says before a render and after it: values in a wrong unit, lists that lack equivalents, exposures
//! that show nothing, runs that take hours, files of another kind.

use core::time::Duration;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use serde_json::Value;
use widebragg_tests::program::Workplace;

/// A line that nobody doubts.
const LINE: &str =
    "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 1 -detpixels 16 -N 3 -oversample 10 -seed 1 -nopgm";

/// Runs [`LINE`] with more options.
fn warnings(place: &Workplace, more: &str) -> String {
    place.run_line(&format!("{LINE} {more}")).well().stderr
}

#[test]
fn values_in_another_unit_are_doubted() {
    let place = Workplace::with_inputs();
    assert_eq!(warnings(&place, ""), "");
    for (more, words) in [
        ("-distance 0.15", &["-distance 0.15", "0.15 mm from the sample", "in mm"][..]),
        ("-pixel 0.000172", &["-pixel 0.000172", "in mm"]),
        ("-pixel 172", &["-pixel 172", "172 mm wide"]),
        ("-Xbeam 5000", &["direct beam misses the detector by", "-Xbeam and -Ybeam are in mm"]),
        ("-xds -ORGX 0.08 -ORGY 2000", &["direct beam misses the detector by", "-ORGX and -ORGY in pixels"]),
        ("-energy 12.66", &["wavelength is 979.338 Angstrom", "-energy in eV"]),
        ("-osc -1", &["-osc -1", "counts as not given"]),
        ("-lambda 0.01 -N 1", &["cell edges are 0.375 0.433333 0.508333 Angstrom", "times the wavelength"]),
        ("-cell 0.5 50 50 90 90 90", &["cell edges are 0.5 50 50 Angstrom", "-cell"]),
        (
            "-cell 37.5 43.3333 50.8333 82 97 104",
            &["edges of -mat are 45 52 61", "without the factor of the wavelength"],
        ),
        ("-cell 46 60 61 82 97 104", &["edges of -mat are 45 52 61", "those of -cell are used"]),
    ] {
        let said = warnings(&place, more);
        assert!(said.lines().any(|line| words.iter().all(|word| line.contains(word))), "{more}: {said}");
    }
    // Panels beside the beam, and swung ones, are no mistake.
    for more in ["-Xbeam -10", "-distance 100 -twotheta 40", "-cell 45 52 61 82 97 104", "-energy 11000"] {
        assert!(!warnings(&place, more).contains("beam misses"), "{more}");
        assert!(!warnings(&place, more).contains("edges"), "{more}");
    }
}

#[test]
fn a_matrix_without_a_wavelength_is_doubted() {
    let place = Workplace::with_inputs();
    let line = "-mat tri.mat -default_F 100 -pixel 1 -N 5 -oversample 10 -nonoise -nopgm";
    let said = place.run_line(&format!("{line} -detpixels 16")).well().stderr;
    assert!(said.contains("-mat without -lambda: the wavelength is taken as 1 Angstrom"), "{said}");
    assert!(said.contains("the cell, which scales with it, is 37.5 43.3333 50.8333"), "{said}");
    for with in ["-lambda 1", "-energy 12398", "-img mask.img"] {
        let said = place.run_line(&format!("{line} {with}")).well().stderr;
        assert!(!said.contains("-mat without"), "{with}: {said}");
    }
}

#[test]
fn a_list_without_equivalents_is_doubted() {
    let place = Workplace::with_inputs();
    let mut octant = String::new();
    for (h, k, l) in (0..512).map(|n| (n / 64, n / 8 % 8, n % 8)) {
        octant += &format!("{h} {k} {l} 100\n");
    }
    place.write("octant.hkl", octant);
    let said = warnings(&place, "-hkl octant.hkl");
    assert!(said.contains("-hkl: octant.hkl: the list covers one octant of reciprocal space"), "{said}");
    assert!(said.contains("--space-group expands it"), "{said}");
    let said = warnings(&place, "-hkl sparse.hkl -default_F 5");
    assert!(
        said.contains("half a sphere, without Friedel mates; all other reflections have default_F, 5"),
        "{said}"
    );
}

#[test]
fn an_exposure_that_shows_nothing_is_doubted() {
    let place = Workplace::with_inputs();
    place.write("one.hkl", "30 30 30 100\n");
    for (more, words) in [
        ("-fluence 0", &["floatimage.bin: every pixel is 0", "fluence is 0"][..]),
        ("-hkl one.hkl", &["every pixel is 0", "no reflection"]),
        (
            "-fluence 1e20",
            &["the whole image has only", "photons: -fluence", "would give 10000 in the brightest pixel"],
        ),
        ("-fluence 1e36", &["of 256 pixels of the noise image are overloads", "would give 65495"]),
        ("-nonoise -scale 1e9", &[" pixels of the integer image are above 65535: -scale"]),
    ] {
        let said = warnings(&place, more);
        assert!(said.lines().any(|line| words.iter().all(|word| line.contains(word))), "{more}: {said}");
    }
    // A few bright pixels raise the mean, but do not saturate most of the image.
    let spots = "-fluence 1.2e37 -scale 1e-5 -nonoise -N 100 -oversample 1 -nointerpolate";
    let said = warnings(&place, spots);
    assert!(!said.contains("integer image"), "{said}");
    // The suggested fluence does what it says, and a series is warned of once.
    let said = warnings(&place, "-fluence 1e20 --frames 3 -osc 1");
    assert_eq!(said.matches("the whole image has only").count(), 1, "{said}");
    let said = warnings(&place, "-fluence 1e20");
    let (_, rest) = said.split_once("-fluence ").expect("a fluence");
    let fluence = rest.split(' ').next().expect("a number");
    assert_eq!(warnings(&place, &format!("-fluence {fluence}")), "");
    let brightest = place.float("floatimage.bin").into_iter().fold(0.0, f32::max);
    assert!((9000.0..11_000.0).contains(&brightest), "{brightest}");
}

#[test]
fn a_long_run_is_announced_before_it_begins() {
    let place = Workplace::empty();
    let line = "-cell 50 50 40 90 90 90 -default_F 10 -lambda 1 -N 5 -detpixels 4000 -oversample 1 -divergence 1 -divsteps 1000";
    let mut child = place
        .command(line.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(child.stderr.take().expect("standard error"));
    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        let lines = said.lines().map_while(Result::ok);
        for line in lines.filter(|line| line.contains("this run will take about")) {
            // The test may have given up.
            let _ = sender.send(line);
        }
    });
    let announced = receiver.recv_timeout(Duration::from_secs(60));
    child.kill().expect("it is still running");
    child.wait().expect("it ends");
    reader.join().expect("the reader");
    let announced = announced.expect("a line about the time");
    assert!(announced.contains("1.6000e7 pixels of"), "{announced}");
    assert!(["hours", "days"].iter().any(|unit| announced.contains(unit)), "{announced}");
    // Short ones are not, but print an estimate, which is in the JSON as well.
    let short = place
        .run_line("-cell 50 -default_F 10 -N 5 -lambda 1 -detpixels 8 -pixel 2 -nonoise -fluence 1e28")
        .well();
    assert!(short.stdout.contains("\nestimate     about a second and 20 MiB\n"), "{}", short.stdout);
    assert!(!short.stderr.contains("this run will"), "{}", short.stderr);
    let json = place.run_line("-cell 50 -default_F 10 -N 5 -detpixels 8 --json").well().json();
    assert!(json["estimated_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0 && seconds < 1.0));
    let bytes = |json: &Value| json["estimated_bytes"].as_f64().expect("a number of bytes");
    assert!((2e7..3e7).contains(&bytes(&json)), "{json}");
    let with_cbf =
        place.run_line("-cell 50 -default_F 10 -N 5 -detpixels 8 --noise-cbf n.cbf --json").well().json();
    assert_eq!(bytes(&with_cbf) - bytes(&json), 6.0 * 64.0);
}

#[test]
fn files_of_another_kind_are_named() {
    let place = Workplace::with_inputs();
    place.write("list.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03not really");
    place.write("model.cif", "data_r1abcsf\n_cell.length_a 10\nloop_\n");
    place.write("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    place.write("data.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0");
    place.write("refl.mtz", b"MTZ \x11\0\0\0");
    for (more, words) in [
        ("-hkl list.gz", &["-hkl: list.gz: cannot read: the gzip archive is damaged"][..]),
        ("-hkl picture.png", &["-hkl: picture.png: this is a PNG picture; reflections are expected"]),
        ("-hkl model.cif --hkl-format text", &["this is a CIF file", "lines of h k l F"]),
        ("-mat refl.mtz", &["-mat: refl.mtz: this is an MTZ file", "nine numbers", "-hkl reads such files"]),
        ("-mat model.cif", &["-mat: model.cif: this is a CIF file", "nine numbers"]),
        ("-mat mask.img", &["-mat: mask.img: this is an SMV image"]),
        ("-img picture.png", &["-img: picture.png: this is a PNG picture; an SMV image is expected"]),
        ("-mask data.h5", &["-mask: data.h5: this is an HDF5 file"]),
        ("-sourcefile list.gz", &["-sourcefile: list.gz: this is a gzip archive"]),
    ] {
        let outcome = place.run_line(&format!("{LINE} {more}")).refused(more);
        assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{more}: {}", outcome.stderr);
    }
    for (pair, kind) in [
        // Of a float image the other one says the size, and is read first.
        ("picture.png data.h5", "data.h5: truncated: it ends in its header"),
        (
            "picture.png mask.img",
            "picture.png: this is a PNG picture; an SMV, CBF or float image is expected",
        ),
        ("mask.img picture.png", "picture.png: this is a PNG picture"),
        ("list.gz mask.img", "list.gz: this is a gzip archive"),
    ] {
        let outcome = place.run_line(&format!("compare {pair}"));
        assert_eq!(outcome.code, Some(2), "{pair}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(kind), "{pair}: {}", outcome.stderr);
    }
}
