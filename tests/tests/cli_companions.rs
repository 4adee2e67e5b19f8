//! `widebragg noisify` and `widebragg nonbragg` against the files of noisify and nonBragg, byte for byte.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;
use widebragg_tests::golden;
use widebragg_tests::program::Workplace;

/// A golden command line.
#[derive(Debug, Deserialize)]
struct Case {
    program: String,
    case: String,
    args: Vec<String>,
    files: Vec<String>,
}

fn root() -> PathBuf {
    golden::root().join("noise")
}

fn cases() -> Vec<Case> {
    let text = fs::read(root().join("cases.json")).expect("golden/noise/cases.json");
    serde_json::from_slice(&text).expect("cases")
}

fn unpacked(path: &Path) -> Vec<u8> {
    let file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes
}

/// A folder with all inputs of the golden command lines.
fn workplace() -> Workplace {
    let workplace = Workplace::empty();
    for entry in fs::read_dir(root().join("inputs")).expect("golden/noise/inputs") {
        let path = entry.expect("an input").path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            workplace.write(path.file_stem().expect("a name"), unpacked(&path));
        }
    }
    workplace
}

/// The bytes with the sign of every NaN of a float image cleared, which no standard fixes.
fn comparable(name: &str, bytes: Vec<u8>) -> Vec<u8> {
    if !name.ends_with(".f32") {
        return bytes;
    }
    let pixels = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")));
    pixels.flat_map(|pixel| if pixel.is_nan() { f32::NAN } else { pixel }.to_le_bytes()).collect()
}

#[test]
fn golden_command_lines_write_the_same_bytes() {
    let cases = cases();
    let mut compared = 0;
    for Case { program, case, args, files } in &cases {
        let workplace = workplace();
        workplace.run([program].into_iter().chain(args)).well();
        for name in files {
            let golden = unpacked(&root().join(program).join(case).join(format!("{name}.gz")));
            let (ours, golden) = (comparable(name, workplace.read(name)), comparable(name, golden));
            let first = ours.iter().zip(&golden).position(|(a, b)| a != b);
            assert!(ours == golden, "{program} {case} {name}: first different byte {first:?}");
            compared += 1;
        }
    }
    assert_eq!((cases.len(), compared), (64, 159));
}

#[test]
fn threads_change_no_byte() {
    let lines = [
        "noisify -floatfile spots.f32 -detpixels_x 64 -psf fiber -readout 2 -seed 3 -noisefile n.img -intfile i.img",
        "noisify -floatfile spots.f32 -detpixels_x 64 -psf gauss -psf_fwhm 300 -flicker 0.1 -seed 3 -noisefile n.img",
        "nonbragg -stol water.stol -pixel 2 -detpixels 100 -twotheta 30 -seed 1 -noisefile n.img -oversample 2",
        "nonbragg -stol shortwater.stol -pixel 2 -detpixels 100 -seed 1 -noisefile n.img",
    ];
    for line in lines {
        let files = ["1", "2", "5"].map(|threads| {
            let workplace = workplace();
            workplace.run_line(&format!("{line} --threads {threads} --quiet")).well();
            workplace.files()
        });
        assert!(files[0] == files[1] && files[0] == files[2], "{line}");
    }
}

/// The pixels of 16 bits of an SMV image.
fn pixels(file: &[u8]) -> Vec<u16> {
    let start = String::from_utf8_lossy(&file[..60]);
    let digits = start.split_once("HEADER_BYTES=").and_then(|(_, rest)| rest.split_once(';'));
    let length: usize = digits.and_then(|(digits, _)| digits.trim().parse().ok()).expect("HEADER_BYTES");
    let pixels = file[length..].chunks_exact(2);
    pixels.map(|two| u16::from_le_bytes(two.try_into().expect("two bytes"))).collect()
}

/// In spec the noise is that of a render with the same stages: of the same photons, the same integers.
#[test]
fn spec_has_the_noise_of_a_render() {
    let place = Workplace::empty();
    let render = "-default_F 100 -cell 40 50 60 90 90 90 -lambda 1 -distance 100 -pixel 0.1 -detpixels_x 60 -detpixels_y 40 -oversample 1 \
                  -N 5 -fluence 1e24 -water 300 -seed 7 -adc 0 --noise-model counter -noisefile r.img -floatfile f.bin --quiet";
    let noisify = "noisify -floatfile f.bin -detpixels_x 60 -pixel 0.1 -seed 7 -adc 0 --mode spec -noisefile n.img --quiet";
    for (of_render, of_noisify) in [
        ("", "-calibration 0"),
        (
            "--gain 1.5 --calibration 0.05 --calibration-seed 3 --readout 2 --flicker 0.1",
            "-gain 1.5 -calibration 0.05 -calib_seed 3 -readout 2 -flicker 0.1",
        ),
        ("--psf fiber,80,4", "-calibration 0 -psf fiber -psf_fwhm 80 -psf_radius 4"),
        ("--psf gauss,150", "-calibration 0 -psf gauss -psf_fwhm 150"),
    ] {
        place.run_line(&format!("{render} {of_render}")).well();
        for threads in ["1", "3"] {
            place.run_line(&format!("{noisify} {of_noisify} --threads {threads}")).well();
            let [expected, found] = ["r.img", "n.img"].map(|name| pixels(&place.read(name)));
            assert!(expected.iter().any(|&adu| adu > 5), "{of_render}");
            assert!(expected == found, "{of_noisify} {threads}");
        }
    }
    place.run_line(&format!("{noisify} -calibration 0 -adc 40 -bits 32")).well();
    let of_32_bits = place.read("n.img");
    place.run_line(&format!("{noisify} -calibration 0 -adc 40")).well();
    let of_16_bits = pixels(&place.read("n.img"));
    let wide = of_32_bits[of_32_bits.len() - 4 * of_16_bits.len()..].chunks_exact(4);
    let wide = wide.map(|four| u32::from_le_bytes(four.try_into().expect("four bytes")));
    assert!(wide.map(|adu| adu.min(65_535)).eq(of_16_bits.iter().map(|&adu| u32::from(adu))));
    for (more, told) in [
        ("-gain 0", "-gain: must be above 0 for --mode spec"),
        ("-readout -1", "-readout: must be 0 or more for --mode spec"),
        ("-flicker nan", "-flicker: must be 0 or more for --mode spec"),
        ("-psf gauss -psf_radius -2", "-psf_radius: must be 0 or more for --mode spec"),
        ("-adc inf", "-adc: must be finite for --mode spec"),
    ] {
        let outcome = place.run_line(&format!("{noisify} {more}")).refused(more);
        assert!(outcome.stderr.contains(told), "{more}: {}", outcome.stderr);
    }
}

/// In spec the photons are those of a render of no crystal with the same `--background`. The beam centre of a render in the
/// convention of MOSFLM is half a pixel away, and its axes are exchanged.
#[test]
fn spec_has_the_background_of_a_render() {
    let place = workplace();
    place.write("spectrum.txt", "# wavelength_A weight\n0.98 1\n1.0 2\n1.03 0.5\n");
    place.write(
        "sources.txt",
        "-1 0 0 1 0.98e-10 # one\n-1 0 0 2 1e-10\n-1 0 0 0 1e-10\n-1 0 0 0.5 1.03e-10\n",
    );
    let nonbragg = "nonbragg -pixel 0.5 -detpixels_x 70 -detpixels_y 61 -distance 90 -Xbeam 17.25 -Ybeam 15.75 -fluence 1e24 \
                    --mode spec -floatfile n.bin -noisefile n.img -seed 7 -adc 0 --quiet";
    let render = "-default_F 0 -cell 40 50 60 90 90 90 -N 1 -oversample 1 -lambda 1 -pixel 0.5 -detpixels_x 70 -detpixels_y 61 \
                  -distance 90 -Xbeam 15.5 -Ybeam 17 -fluence 1e24 --noise-model counter -floatfile r.bin -noisefile r.img \
                  -seed 7 -adc 0 --quiet";
    for (of_nonbragg, of_render) in [
        ("-stol water.stol -thick 0.3", "--background water.stol,0.3"),
        (
            "-stol syn_uneven.stol -thick 2 -density 1.3 -MW 44 -polar 0.7",
            "--background syn_uneven.stol,2,1.3,44 -polar 0.7",
        ),
        ("-4stol syn_4stol.txt -beamsize 0.05", "--background syn_4stol.txt:4s,0.1 -beamsize 0.05"),
        ("-Q syn_Q.txt -nopolar -point_pixel", "--background syn_Q.txt:Q,0.1 -nopolar -point_pixel"),
        (
            "-stol water.stol -dispersion 5 -dispsteps 3",
            "--background water.stol,0.1 -dispersion 5 -dispsteps 3",
        ),
        ("-stol water.stol -sourcefile sources.txt", "--background water.stol,0.1 --spectrum spectrum.txt"),
        ("-stol water.stol -roi 3 30 40 50", "--background water.stol,0.1 -roi 3 30 40 50"),
        ("-stol water.stol -detpixels 13", "--background water.stol,0.1 -detpixels 13"),
    ] {
        place.run_line(&format!("{render} {of_render}")).well();
        for threads in ["1", "3"] {
            place.run_line(&format!("{nonbragg} {of_nonbragg} --threads {threads}")).well();
            let [expected, found] = ["r.bin", "n.bin"].map(|name| place.float(name));
            assert_eq!(expected.len(), found.len(), "{of_nonbragg}");
            assert!(expected.iter().any(|&photons| photons > 1.0), "{of_render}");
            let largest = expected.iter().zip(&found).map(|(a, b)| (a - b).abs() / a.abs().max(1e-9));
            let largest = largest.fold(0.0, f32::max);
            assert!(largest < 2e-7, "{of_nonbragg}: {largest}");
            // Photons that differ in the last bit at most give different counts in a few pixels only.
            let [expected, found] = ["r.img", "n.img"].map(|name| pixels(&place.read(name)));
            let differ = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
            assert!(
                expected.iter().any(|&adu| adu > 1) && differ * 500 < found.len(),
                "{of_nonbragg}: {differ}"
            );
        }
    }
}

/// What spec repairs: comments, order, the ends of the table, weights, integers below 0, and the table of an image.
#[test]
fn spec_reads_the_input_of_nonbragg_without_its_faults() {
    let place = Workplace::empty();
    place.write("plain.stol", "0 2\n0.1 4\n0.2 3\n");
    place.write("commented.stol", "# s F\n0.2 3 last\n0 2\n0.1 4 # peak\n");
    place.write("same.stol", "0 2\n0.1 4\n0.1 3\n");
    place.write("sticks.stol", "0 0\n.1 5\n.2 0\n.3 5\n.4 0\n.5 6\n.6 0\n");
    place.write("negative.stol", "0 -2\n");
    place.write("one.txt", "-1 0 0 1 1e-10\n");
    place.write("twice.txt", "-1 0 0 7 1e-10\n-1 0 0 7 1e-10\n");
    place.write("dark.txt", "-1 0 0 0 1e-10\n");
    let line = "nonbragg -detpixels 40 -pixel 2 -distance 60 -fluence 1e24 --mode spec --quiet";
    let image = |more: &str| {
        let outcome = place.run_line(&format!("{line} {more} -floatfile f.bin -nonoise")).well();
        (place.float("f.bin"), outcome.stderr)
    };
    let (plain, told) = image("-stol plain.stol");
    assert_eq!((plain.len(), told.as_str()), (1600, ""));
    let (sorted, told) = image("-stol commented.stol");
    assert!(
        plain == sorted && told.contains("-stol: commented.stol:3: not in the order of s: sorted"),
        "{told}"
    );
    let [one, twice] =
        ["one", "twice"].map(|name| image(&format!("-stol plain.stol -sourcefile {name}.txt")).0);
    assert!(one == twice);
    let (oversampled, told) = image("-stol plain.stol -oversample 3");
    assert!(plain == oversampled && told.contains("-oversample has no effect"), "{told}");

    let (map, _) = image("-stol plain.stol -Fmap");
    // The corner is beyond the table.
    assert!(map[0] == 3.0 && map.iter().all(|f| (2.0..=4.0).contains(f)), "{}", map[0]);
    place.write("one.stol", "0 1\n");
    let (units, _) = image("-stol one.stol");
    for ((photons, unit), f) in plain.iter().zip(&units).zip(&map) {
        assert!((photons / unit - f * f).abs() < 1e-5 * f * f, "{photons} {unit} {f}");
    }

    let (negative, _) = image("-stol negative.stol");
    assert!(negative.iter().all(|&photons| photons < 0.0));
    place
        .run_line(&format!("{line} -stol negative.stol -noisefile n.img -intfile i.img -adc 3 -seed 1"))
        .well();
    assert!(pixels(&place.read("n.img")).iter().all(|&adu| adu == 3));
    assert!(place.read("image.pgm").ends_with(&[0; 1600]));

    // The table that is extracted from an image is the one from which the image was made.
    let large = "nonbragg -detpixels 300 -pixel 0.3 -distance 60 -thick 1 -fluence 1e18 --mode spec --quiet";
    place.run_line(&format!("{large} -stol plain.stol -noisefile n.img -seed 1 -adc 20")).well();
    place.run_line(&format!("{large} -stol plain.stol -img n.img -adc 20 -stolout out.stol -nonoise")).well();
    let table = String::from_utf8(place.read("out.stol")).expect("text");
    let rows: Vec<Vec<f64>> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').map(|word| word.parse().expect("a number")).collect())
        .collect();
    assert!(rows.len() > 150, "{}", rows.len());
    for row in rows.iter().filter(|row| row[2] > 200.0) {
        let (s, f) = (row[0], row[1]);
        let is_right = if s > 0.2 { (f - 3.0).abs() < 0.1 } else { (1.9..4.1).contains(&f) };
        assert!(is_right, "{row:?}");
    }

    place.run_line(&format!("{large} -stol plain.stol -fluence 1e25 -noisefile white.img -seed 1")).well();
    let outcome = place.run_line(&format!("{large} -stol plain.stol -img white.img")).refused("saturated");
    assert!(outcome.stderr.contains("-img: white.img: no ring has enough pixels"), "{}", outcome.stderr);

    for (more, told) in [
        ("-stol same.stol", "-stol: same.stol:3: the same s as in line 2"),
        ("-stol sticks.stol", "-stol: sticks.stol:2: a peak of a single point"),
        ("-stol plain.stol -thick 0", "-thick: must be above 0 for --mode spec"),
        ("-stol plain.stol -MW nan", "-MW: must be above 0 for --mode spec"),
        ("-stol plain.stol -density -1", "-density and -molecules: must be above 0 for --mode spec"),
        ("-stol plain.stol -adc inf", "-adc: must be finite for --mode spec"),
        ("-stol plain.stol -roi 50 60 0 1", "-roi: leaves no pixel"),
        ("-stol plain.stol -sourcefile dark.txt", "-sourcefile: "),
        ("-stol plain.stol -distance -60", "detector: its normal points towards the sample"),
        ("-stol plain.stol -hdivsteps 2000000 -vdivsteps 2000000", "no memory for"),
        ("-stol plain.stol -lambda 0", "wavelength in m is 0"),
    ] {
        let outcome = place.run_line(&format!("{line} {more}")).refused(more);
        assert!(outcome.stderr.contains(told), "{more}: {}", outcome.stderr);
    }
}

#[test]
fn options_are_found_within_words() {
    let workplace = workplace();
    let same = |a: &str, b: &str, name: &str| {
        let images = [a, b].map(|line| {
            workplace.run_line(line).well();
            workplace.read(name)
        });
        assert!(images[0] == images[1], "{a}\n{b}");
    };
    same(
        "noisify -floatfile ramp.f32 -detpixels 64 -detpixels_y 48 -seed 4 -readout 2",
        "noisify -binary ramp.f32 --detpixels_x 64 -detpixels_yes 48 -seed 4.7 -readout_noise 2adu",
        "noiseimage.img",
    );
    same(
        "nonbragg -stol water14.stol -thick 2 -width 0.05 -seed 1 -detpixels 32 -pixel 5",
        "nonbragg -stol water14.stol -sample_thickness 2 -sample_y 0.05 -seed 1 -detpixels_fast 32 -detpixels_slow 32 \
         -pixel 5",
        "noiseimage.img",
    );
    let outcome = workplace.run_line("noisify -floatfile ramp.f32 -detpixels_x 64 -gian 3 -nonoise").well();
    assert!(outcome.stderr.contains("-gian has no effect: there is no such option"), "{}", outcome.stderr);
    let outcome = workplace.run_line("noisify -floatfile ramp.f32 -detpixels_x 64 -nonoise -gain").well();
    assert!(outcome.stderr.contains("-gain has no effect: nothing follows it"), "{}", outcome.stderr);
}

#[test]
fn bad_input_is_refused_in_one_line() {
    let workplace = workplace();
    workplace.write("empty", "");
    workplace.write("blank.stol", "\n\n");
    workplace.write("short.img", "{\nHEADER_BYTES=1024;\nSIZE1=64;\nSIZE2=48;\n}\n");
    workplace.write("large.img", format!("{:512}", "{\nHEADER_BYTES=512;\nSIZE1=40000;\nSIZE2=40000;\n}\n"));
    workplace.write("sources.bad", "0 0 0\n");
    for (line, told) in [
        ("noisify", "noisify: needs an image of photons (-floatfile FILE)"),
        ("noisify -floatfile none.f32", "-floatfile: none.f32: cannot read"),
        (
            "noisify -floatfile empty -detpixels 2",
            "-floatfile: empty: 0 pixels (f32) do not make an image of 2 x 2",
        ),
        ("noisify -floatfile ramp.f32 -detpixels -3", "-detpixels_x -3: must be above 0"),
        ("noisify -floatfile ramp.f32 -detpixels 100000", "do not make an image of 100000 x 100000"),
        ("noisify -floatfile ramp.f32 -bits 8", "-bits 8: must be 16 or 32"),
        ("noisify -floatfile ramp.f32 -header ramp.f32", "-header: ramp.f32: not an SMV image"),
        (
            "noisify -floatfile ramp.f32 -header short.img",
            "-header: short.img: truncated: a header of 1024 bytes",
        ),
        ("noisify -floatfile ramp.f32 -header large.img", "do not make an image of 40000 x 40000"),
        ("noisify -floatfile ramp.f32 -intfile ramp.f32", "-intfile: ramp.f32: is also read (-floatfile)"),
        ("noisify -floatfile ramp.f32 -intfile a -noisefile a", "-noisefile: a: is written twice"),
        ("noisify -floatfile ramp.f32 -intfile none/a", "-intfile: none/a: there is no such folder"),
        ("noisify -floatfile ramp.f32 -detpixels 48 -psf gauss -pixel 0", "-psf_fwhm and -pixel"),
        ("nonbragg", "nonbragg: needs a table of structure factors (-stol FILE)"),
        ("nonbragg -stol none.stol", "-stol: none.stol: cannot read"),
        ("nonbragg -stol blank.stol", "-stol: blank.stol: no points in it"),
        ("nonbragg -stol water14.stol -pixel 0", "-pixel: 0 mm: must be above 0"),
        ("nonbragg -stol water14.stol -detpixels -1", "-detpixels_x: -0.1 mm are no number of pixels"),
        ("nonbragg -stol water14.stol -detpixels 40000000", "no memory for the image"),
        ("nonbragg -stol water14.stol -detpixels 2000000", "no memory for the image"),
        ("nonbragg -stol water14.stol -beam_vector 0 0 0", "-beam_vector: is not a direction"),
        (
            "nonbragg -stol water14.stol -fdet_vector 0 1 0",
            "-fdet_vector and -sdet_vector: is not a direction",
        ),
        ("nonbragg -stol water14.stol -distance nan", "nonbragg: the detector has no finite place"),
        ("nonbragg -stol water14.stol -lambda 0", "-divergence and -lambda: wavelength in m is 0"),
        ("nonbragg -stol water14.stol -sourcefile sources.bad", "-sourcefile: sources.bad: source 1"),
        ("nonbragg -stol water14.stol -sourcefile empty", "-sourcefile: empty: no sources in it"),
        ("nonbragg -stol water14.stol -hdivsteps 2000000 -vdivsteps 2000000", "no memory for the sources"),
        ("nonbragg -stol water14.stol -img ramp.f32", "-img: ramp.f32: not an SMV image"),
        (
            "nonbragg -stol water14.stol -img head.img -detpixels 10",
            "-img: head.img has 64 x 48 pixels, and the detector 10 x 10",
        ),
        (
            "nonbragg -stol water14.stol -floatfile water14.stol",
            "-floatfile: water14.stol: is also read (-stol)",
        ),
    ] {
        let outcome = workplace.run_line(line).refused(line);
        assert!(outcome.stderr.contains(told), "{line}: {}", outcome.stderr);
    }
}

/// Values that are refused nowhere give an image, whatever it looks like.
#[test]
fn odd_values_run() {
    let workplace = workplace();
    let noisify = "noisify -floatfile odd.f32 -detpixels_x 64 -seed 1 --quiet";
    for more in [
        "-scale nan",
        "-scale inf",
        "-scale 1e30 -psf fiber",
        "-scale 1e-30 -psf gauss",
        "-scale -1 -psf fiber",
        "-gain inf -readout 1e300",
        "-psf fiber -psf_radius 1e9",
        "-psf gauss -psf_radius -1e9",
        "-psf moffat",
        "-seed -2147483648",
        "-seed -2147483647 -calib_seed -2147483647",
        "-flicker 1e10 -calibration 1e10 -bits 32",
        "-pixel -1 -psf fiber",
    ] {
        workplace.run_line(&format!("{noisify} {more}")).well();
    }
    let nonbragg = "nonbragg -stol water14.stol -detpixels 20 -pixel 5 -seed 1 --quiet";
    for more in [
        "-density nan",
        "-flux inf -exposure 1",
        "-MW 0",
        "-distance -100",
        "-distance 0",
        "-roi 30 40 2 1",
        "-roi 5 5 7 7",
        "-polar 7",
        "-scale nan",
        "-curved_det yes -distance 1e-9",
    ] {
        workplace.run_line(&format!("{nonbragg} {more}")).well();
    }
}
