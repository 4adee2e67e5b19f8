//! `--background`: photons beside those of nonBragg and beside a plain sum, tables in all their forms, and what is refused.

use std::io::Read;

use flate2::read::GzDecoder;
use widebragg_tests::golden;
use widebragg_tests::program::{Outcome, Workplace};
use widebragg_tests::report::number;

/// 80 x 80 pixels with nothing but what is behind these options.
const DETECTOR: &str = "-distance 60 -pixel 0.5 -detpixels 80 -Xbeam 18 -Ybeam 21 -lambda 1 -polar 0 -fluence 1e24 \
                        -cell 40 50 60 90 90 90";

const OUTPUT: &str = "-nonoise -nopgm -floatfile f.bin --json";

/// The same geometry in the words of nonBragg, whose fast axis has the other name and whose pixels begin at half a pixel.
const NONBRAGG: &str = "nonbragg -distance 60 -pixel 0.5 -detpixels 80 -Xbeam 21.25 -Ybeam 18.25 -lambda 1 -fluence 1e24 \
                        -oversample 1 -nonoise -floatfile n.bin -intfile n.img -pgmfile n.pgm";

const CRYSTAL: &str = "-default_F 2e7 -misset 10 20 30 -N 5 -oversample 1";

fn run(place: &Workplace, line: &str) -> Outcome {
    place.run_line(&format!("{DETECTOR} {OUTPUT} {line}")).well()
}

fn image(place: &Workplace, line: &str) -> Vec<f64> {
    run(place, line);
    floats(place, "f.bin")
}

fn floats(place: &Workplace, name: &str) -> Vec<f64> {
    place.float(name).into_iter().map(f64::from).collect()
}

fn mean(image: &[f64]) -> f64 {
    image.iter().sum::<f64>() / image.len() as f64
}

/// Checks that each pixel is the expected one to a part of itself.
fn assert_close(found: &[f64], expected: &[f64], within: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = *expected > 0.0 && (found / expected - 1.0).abs() <= within;
        assert!(close, "{what}: pixel {at}: {found}, not {expected}");
    }
}

fn table(name: &str) -> String {
    let path = golden::root().join("noise/inputs").join(format!("{name}.gz"));
    let mut text = String::new();
    let file = std::fs::File::open(&path).expect(name);
    GzDecoder::new(file).read_to_string(&mut text).expect(name);
    text
}

/// A table whose F is `f` everywhere.
fn flat(f: f64) -> String {
    format!("0 {f}\n2 {f}\n")
}

#[test]
fn a_table_gives_the_photons_of_nonbragg() {
    let place = Workplace::empty();
    place.write("water.stol", table("water.stol"));
    place.run_line(&format!("{NONBRAGG} -stol water.stol")).well();
    let expected = floats(&place, "n.bin");
    assert_close(&image(&place, "--background water.stol,0.1"), &expected, 2e-5, "the fine table");
    // Every 40th point is built in, with a molecular weight of more digits.
    let built_in: Vec<f64> =
        image(&place, "--background water,0.1").iter().map(|n| n * 18.015 / 18.0).collect();
    assert_close(&built_in, &expected, 1e-3, "water");
    let heavy = image(&place, "--background water.stol,0.3,1.5,36 -beamsize 0.2");
    // Three times the thickness, 1.5 times the density, half the molecules of a gram, four times the area.
    let nine: Vec<f64> = expected.iter().map(|n| n * 9.0).collect();
    assert_close(&heavy, &nine, 2e-5, "thickness, density, weight and beam size");
}

#[test]
fn backgrounds_add_to_each_other_and_to_the_crystal() {
    let place = Workplace::empty();
    place.write("flat.stol", flat(3.0));
    let line = "--background water,0.1 --background flat.stol,0.2";
    let made = run(&place, &format!("{line} {CRYSTAL}")).json();
    let all = floats(&place, "f.bin");
    let [water, flat, crystal] =
        ["--background water,0.1", "--background flat.stol,0.2", CRYSTAL].map(|line| image(&place, line));
    // Both are seen in the sum.
    assert!(mean(&crystal) > 0.001 * mean(&water) && mean(&crystal) < 1000.0 * mean(&water));
    let sum: Vec<f64> = (0..all.len()).map(|i| water[i] + flat[i] + crystal[i]).collect();
    assert_close(&all, &sum, 1e-6, "the sum");
    // With several crystals it is there once.
    let twin = format!("{CRYSTAL} --twin h,-k,-l,0.3");
    let [both, twins] = [format!("{line} {twin}"), twin].map(|line| image(&place, &line));
    let sum: Vec<f64> = (0..both.len()).map(|i| water[i] + flat[i] + twins[i]).collect();
    assert_close(&both, &sum, 1e-6, "twins");
    let of = |at: usize| {
        (made["background"][at]["matter"].clone(), number(&made["background"][at]["mean_photons"]))
    };
    for (at, name, image) in [(0, "water,0.1", water), (1, "flat.stol,0.2", flat)] {
        let (matter, photons) = of(at);
        assert_eq!(matter, name);
        assert!((photons / mean(&image) - 1.0).abs() < 1e-6, "{name}: {photons}");
    }
    let text = place.run_line(&format!("{DETECTOR} -nonoise -nopgm {line}")).well().stdout;
    let lines = ["background   water,0.1: ", "flat.stol,0.2: "].map(|start| text.contains(start));
    assert_eq!(lines, [true, true], "{text}");
}

#[test]
fn a_pixel_does_not_depend_on_region_threads_or_frame() {
    let place = Workplace::empty();
    let line = format!("{CRYSTAL} --background water,0.1 --background air,20 --background ice,0.01");
    let whole = image(&place, &line);
    assert!(image(&place, &format!("{line} --threads 3")) == whole);
    let part = image(&place, &format!("{line} -roi 10 40 20 50"));
    for (at, (part, whole)) in part.iter().zip(&whole).enumerate() {
        let inside = (10..=40).contains(&(at % 80)) && (20..=50).contains(&(at / 80));
        assert_eq!(*part, if inside { *whole } else { 0.0 }, "pixel {at}");
    }
    let still = format!("{DETECTOR} {CRYSTAL} -nonoise -nopgm -phi 0 -osc 1 -phisteps 1 --frames 2");
    let series = |line: &str| {
        let place = Workplace::empty();
        place.run_line(&format!("{still} -floatfile s.bin {line}")).well();
        [1, 2].map(|frame| floats(&place, &format!("s_{frame:05}.bin")))
    };
    let [with, without] = ["--background water,0.1", ""].map(series);
    let water = image(&place, "--background water,0.1");
    for (with, without) in with.iter().zip(&without) {
        let sum: Vec<f64> = without.iter().zip(&water).map(|(crystal, water)| crystal + water).collect();
        assert_close(with, &sum, 1e-6, "a frame");
    }
    assert!(with[0] != with[1]);
}

#[test]
fn shots_have_the_background_of_their_own_beam() {
    let place = Workplace::empty();
    place.write(
        "shots.csv",
        "shot,weight,lambda_angstrom,fluence_per_m2\n1,0,1.0,1e24\n2,0,1.2,3e24\n3,1,1.2,1e24\n",
    );
    let line = "--background water,0.1 --background air,20";
    place
        .run_line(&format!(
            "shots {DETECTOR} {CRYSTAL} -nonoise -nopgm -floatfile s.bin --shots 3 --shot-table shots.csv {line}"
        ))
        .well();
    let [first, second, third] = [1, 2, 3].map(|shot| floats(&place, &format!("s_{shot:05}.bin")));
    assert_close(&first, &image(&place, line), 1e-6, "a blank");
    let longer = image(&place, &format!("{line} -lambda 1.2"));
    let thrice: Vec<f64> = longer.iter().map(|photons| 3.0 * photons).collect();
    assert_close(&second, &thrice, 1e-6, "another wavelength and fluence");
    assert!(mean(&third) > mean(&longer));
}

#[test]
fn tables_may_have_other_columns_comments_and_orders() {
    let place = Workplace::empty();
    let points = [(0.0, 3.0), (0.05, 4.0), (0.1, 9.0), (0.2, 2.0), (0.3, 5.0)];
    let rows = |x: &dyn Fn(f64) -> f64| points.map(|(s, f)| format!("{} {f}\n", x(s))).concat();
    place.write("s.stol", rows(&|s| s));
    place.write("s4.txt", format!("# 4 s, F\n\n{}", rows(&|s| 4.0 * s).replace(' ', " , ")));
    place.write("q.txt", rows(&|s| 4.0 * core::f64::consts::PI * s).replace('\n', " note\r\n"));
    let expected = image(&place, "--background s.stol,0.1");
    for line in ["s.stol:s,0.1", "s4.txt:4s,0.1", "q.txt:Q,0.1", "./s.stol,1e-1,1,18"] {
        assert_close(&image(&place, &format!("--background {line}")), &expected, 1e-6, line);
    }
    place.write("mixed.stol", "0.3 5\n0 3\n0.2 2\n0.05 4\n0.1 9\n");
    let outcome = run(&place, "--background mixed.stol,0.1");
    assert!(
        outcome.stderr.contains("--background: mixed.stol:2: not in the order of s: sorted"),
        "{}",
        outcome.stderr
    );
    assert!(floats(&place, "f.bin") == expected);
    // Negative F take photons away.
    place.write("both.stol", "0 3\n0.05 4\n0.06 -4\n0.3 -4\n");
    let both = image(&place, "--background both.stol,0.1");
    assert!(both[0] < 0.0 && both.iter().any(|&photons| photons > 0.0));
}

#[test]
fn wavelengths_and_directions_have_their_weights() {
    let place = Workplace::empty();
    place.write("a.txt", "# wavelength_A weight\n0.9 1\n1.0 2\n1.2 5\n");
    let of_lambda = |lambda: f64| image(&place, &format!("--background water,0.1 -lambda {lambda}"));
    let each = [of_lambda(0.9), of_lambda(1.0), of_lambda(1.2)];
    let expected: Vec<f64> =
        (0..6400).map(|i| (each[0][i] + 2.0 * each[1][i] + 5.0 * each[2][i]) / 8.0).collect();
    // The wavelengths are looked up at once, with an error of a millionth of the largest F^2, 64; F^2 is at least 6.
    assert_close(&image(&place, "--background water,0.1 --spectrum a.txt"), &expected, 2e-5, "a spectrum");
    // A small detector looks each of them up.
    let small = |line: &str| image(&place, &format!("--background water,0.1 -detpixels 20 {line}"));
    let each = [0.9, 1.0, 1.2].map(|lambda| small(&format!("-lambda {lambda}")));
    let expected: Vec<f64> =
        (0..400).map(|i| (each[0][i] + 2.0 * each[1][i] + 5.0 * each[2][i]) / 8.0).collect();
    assert_close(&small("--spectrum a.txt"), &expected, 1e-6, "a spectrum on few pixels");
    // Columns are x, y, z, weight and wavelength, in m: the beam is at an angle of 0.1 for a quarter of the photons.
    place.write("two.txt", "-1 0 0 3 1e-10\n-0.995 0.09987 0 1 1e-10\n");
    place.write("one.txt", "-0.995 0.09987 0 1 1e-10\n");
    let [both, straight, inclined] = ["-sourcefile two.txt", "", "-sourcefile one.txt"]
        .map(|line| image(&place, &format!("--background water,0.1 {line}")));
    let expected: Vec<f64> = (0..6400).map(|i| (3.0 * straight[i] + inclined[i]) / 4.0).collect();
    assert_close(&both, &expected, 2e-5, "two directions");
    assert!(mean(&straight) != mean(&inclined));
}

#[test]
fn slabs_absorb_and_sensors_capture() {
    let place = Workplace::empty();
    let plain = image(&place, "--background water,2");
    let absorbed = image(&place, "--background water,2 --background-absorption");
    // At the direct beam a millimetre absorbs exp(-mu), mu = 2.97/cm of water at 12.4 keV.
    let middle = 36 * 80 + 42;
    let ratio = absorbed[middle] / plain[middle];
    assert!((ratio - (-0.2f64 * 2.97).exp()).abs() < 0.02, "{ratio}");
    // The way out is longer at larger angles.
    assert!(absorbed[0] / plain[0] < ratio - 0.01);
    let sensor = "-detector_thick 320 -detector_abs 500";
    let captured = image(&place, &format!("--background water,2 {sensor} -detector_thicksteps 3"));
    let ratio = captured[middle] / plain[middle];
    assert!((ratio - (1.0 - (-320.0f64 / 500.0).exp())).abs() < 1e-3, "{ratio}");
    assert!(captured[0] / plain[0] > ratio + 0.01);
    // A formula makes a table absorb: that of water does so as water.
    place.write("w.stol", table("water.stol"));
    let of_file = image(&place, "--background w.stol,2,1,18.015,formula=H2O --background-absorption");
    assert_close(&of_file, &absorbed, 1e-3, "a formula");
}

#[test]
fn air_is_a_path_whose_parts_are_where_they_are() {
    let place = Workplace::empty();
    place.write("flat.stol", flat(2.0));
    let path = image(&place, "-nopolar --background flat.stol,-40..20");
    // In a plain sum over many parts, each pixel sees the solid angle of itself.
    let (parts, pixel) = (6000, 0.5);
    let photons = |fast: usize, slow: usize| -> f64 {
        // The beam hits the detector at Fbeam = Ybeam + half a pixel and Sbeam = Xbeam + half a pixel.
        let (x, y) = ((fast as f64 + 0.5) * pixel - 21.25, (slow as f64 + 0.5) * pixel - 18.25);
        let omega = |part: usize| {
            let z = 60.0 - (-40.0 + 60.0 * (part as f64 + 0.5) / f64::from(parts));
            pixel * pixel * z / (x * x + y * y + z * z).powf(1.5)
        };
        let molecules = 60e-3 * 1e-8 * 1e6 * 6.022_141_79e23 / 18.0;
        let omega = (0..parts as usize).map(omega).sum::<f64>() / f64::from(parts);
        7.940_792_480_189_65e-30 * 1e24 * molecules * 4.0 * omega
    };
    for (fast, slow) in [(0, 0), (42, 36), (79, 10), (5, 70)] {
        let (found, expected) = (path[slow * 80 + fast], photons(fast, slow));
        assert!((found / expected - 1.0).abs() < 2e-3, "{fast} {slow}: {found} {expected}");
    }
    // Air is always a path, around the sample.
    assert!(image(&place, "--background air,30") == image(&place, "--background air,-15..15"));
}

#[test]
fn ice_has_rings_where_its_reflections_are() {
    let place = Workplace::empty();
    let ice = image(&place, "--background ice,0.01 -pixel 0.1 -detpixels 400 -Xbeam 20 -Ybeam 20");
    // Along the row of the beam, towards larger angles.
    let row = &ice[200 * 400..201 * 400];
    for d in [3.90, 3.67, 3.44, 2.67, 2.25] {
        let two_theta = 2.0 * (0.5f64 / d).asin();
        let peak = 200.5 + 60.0 * two_theta.tan() / 0.1;
        if peak + 6.0 > 400.0 {
            continue;
        }
        let around = |at: f64| row[at as usize - 1..at as usize + 2].iter().copied().fold(0.0, f64::max);
        let most = around(peak);
        assert!(most > 3.0 * row[(peak + 6.0) as usize], "{d}: {most}");
    }
    // Sticks of a file need a width.
    place.write("sticks.stol", table("ice.stol"));
    let wide = image(
        &place,
        "--background sticks.stol,0.01,0.92,18,width=0.002 -pixel 0.1 -detpixels 400 -Xbeam 20 -Ybeam 20",
    );
    assert!(wide.iter().all(|&photons| photons >= 0.0));
    let outcome =
        place.run_line(&format!("{DETECTOR} {OUTPUT} --background sticks.stol,0.01")).refused("sticks");
    assert!(outcome.stderr.contains("a peak of a single point"), "{}", outcome.stderr);
}

#[test]
fn noise_is_drawn_from_the_sum() {
    let place = Workplace::empty();
    let line = format!(
        "{DETECTOR} {CRYSTAL} --background water,0.1 -seed 7 -adc 0 -nopgm -floatfile f.bin -noisefile n.img"
    );
    place.run_line(&line.replace("1e24", "1e17")).well();
    let expected = mean(&floats(&place, "f.bin"));
    let (_, counts) = widebragg_tests::program::smv_parts(&place.read("n.img")).expect("an image");
    let found = counts.iter().map(|&count| f64::from(count)).sum::<f64>() / counts.len() as f64;
    let sigma = (expected / counts.len() as f64).sqrt();
    assert!(expected > 1.0 && (found - expected).abs() < 5.0 * sigma, "{found} {expected}");
}

#[test]
fn what_cannot_be_a_background_is_refused() {
    let place = Workplace::empty();
    place.write("flat.stol", flat(3.0));
    for (name, text) in [
        ("empty.stol", "# nothing\n"),
        ("words.stol", "s F\n0 1\n"),
        ("twice.stol", "0 1\n0.1 2\n0.1 3\n"),
        ("nan.stol", "0 1\n0.1 nan\n"),
        ("half.stol", "0 1\n0.1\n"),
        ("negative.stol", "-0.1 1\n0.1 1\n"),
        ("near.stol", "0 1\n0.1 2\n0.10000000000001 3\n"),
    ] {
        place.write(name, text);
    }
    for (line, expected) in [
        ("--background empty.stol,0.1", "--background: empty.stol: no line with s and F in it"),
        ("--background words.stol,0.1", "--background: words.stol:1: \"s\" is not a number"),
        ("--background twice.stol,0.1", "--background: twice.stol:3: the same s as in line 2"),
        ("--background nan.stol,0.1", "--background: nan.stol:2: \"nan\" is not a finite number"),
        ("--background half.stol,0.1", "--background: half.stol:2: no F follows \"0.1\""),
        ("--background negative.stol,0.1", "--background: negative.stol:1: \"-0.1\" is negative"),
        ("--background near.stol,0.1", "must be above the s before it"),
        ("--background none.stol,0.1", "--background: none.stol: cannot read"),
        ("--background water", "--background water: no thickness in mm, such as water,0.1"),
        ("--background water,x", "--background water,x: 'x' is not a number"),
        ("--background water,0", "--background water,0: the thickness must be above 0"),
        ("--background water,-1", "--background water,-1: the thickness must be above 0"),
        ("--background water,1,0", "the density must be above 0"),
        ("--background water,1,1,-18", "the molecular weight must be above 0"),
        ("--background water,1,1,18,7", "'7' follows the molecular weight"),
        ("--background water,1,colour=red", "'colour' is not known: width and formula are"),
        ("--background water,1,width=0", "the width must be above 0"),
        ("--background water,1,width=1e-9", "a width of 0.000000001/A is not above"),
        ("--background air,5..5", "a path must end behind its start"),
        ("--background air,-10..60", "a path of -10 to 60 mm reaches the detector"),
        ("--background air,-1e6..0", "segments of a thirty-second of the distance, more than 1000"),
        ("--background water,1 -beamsize 0", "-beamsize must be above 0: it says how much matter"),
        ("--background-absorption -default_F 1", "--background-absorption: needs --background"),
        ("--background flat.stol,1 --background-absorption", "flat.stol,1 says no formula: add one"),
        (
            "--background flat.stol,1,formula=Xy --background-absorption",
            "--background flat.stol,1,formula=Xy: \"Xy\" is no chemical formula",
        ),
        ("--background water,1 --phi-carryover-mode c-parity", "background: only in spec"),
        ("--background flat.stol,1 -floatfile flat.stol", "is also read (--background)"),
    ] {
        let outcome = place.run_line(&format!("{DETECTOR} {OUTPUT} {line}")).refused(line);
        assert!(outcome.stderr.contains(expected), "{line}: no {expected} in {}", outcome.stderr);
    }
    let outcome = place
        .run_line(&format!("trace --pixel 1 2 {DETECTOR} {CRYSTAL} --background water,1"))
        .refused("trace");
    assert!(outcome.stderr.contains("--background: not in traces"), "{}", outcome.stderr);
    let line = format!("diagnose {DETECTOR} {CRYSTAL} --background water,1");
    let outcome = place.run_line(&line).refused("diagnose");
    assert!(outcome.stderr.contains("--background: nanoBragg has none"), "{}", outcome.stderr);
}
