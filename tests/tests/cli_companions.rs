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
