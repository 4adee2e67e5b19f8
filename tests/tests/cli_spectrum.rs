//! Spectra: an image of a spectrum is the mean, by weight, of the images of its wavelengths; fewer wavelengths give the
//! same image; and the wavelength of the matrix is that of the rule.

use serde_json::Value;
use widebragg_tests::golden;
use widebragg_tests::program::Workplace;
use widebragg_tests::report::number;

/// A tilted crystal on 40 x 40 pixels, in a still.
const STILL: &str = "-default_F 100 -misset 10 20 30 -N 5 -distance 60 -pixel 0.5 -detpixels 40 -oversample 1 -fluence 1e24 \
                     -nonoise -nopgm -floatfile f.bin";

const CELL: &str = "-cell 40 50 60 90 90 90";

fn summary(place: &Workplace, line: &str) -> Value {
    place.run_line(&format!("{STILL} {line} --json")).well().json()
}

fn image(place: &Workplace, line: &str) -> Vec<f64> {
    summary(place, line);
    place.float("f.bin").into_iter().map(f64::from).collect()
}

/// Checks that two images are the same to `within` of the maximum.
fn assert_close(found: &[f64], expected: &[f64], within: f64, what: &str) {
    let most = expected.iter().copied().fold(0.0, f64::max);
    assert!(most > 0.0, "{what}: the image is dark");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= within * most, "{what}: pixel {at}: {found}, not {expected}");
    }
}

fn mean(images: &[(f64, Vec<f64>)]) -> Vec<f64> {
    let total: f64 = images.iter().map(|(weight, _)| weight).sum();
    let pixels = images[0].1.len();
    (0..pixels)
        .map(|at| images.iter().map(|(weight, image)| weight * image[at]).sum::<f64>() / total)
        .collect()
}

#[test]
fn an_image_is_the_mean_of_its_wavelengths() {
    let place = Workplace::empty();
    place.write("a.txt", "# wavelength_A weight\n0.9 1\n0.95 0\n1.0 2.5\n1.1 0.5\n");
    // The polarisation and the rest of a pixel are those of its first source for all of them.
    let line = format!("{CELL} -nopolar");
    let of_lambda = |lambda: f64| image(&place, &format!("{line} -lambda {lambda}"));
    let expected = mean(&[(1.0, of_lambda(0.9)), (2.5, of_lambda(1.0)), (0.5, of_lambda(1.1))]);
    let made = summary(&place, &format!("{line} --spectrum a.txt"));
    assert_eq!((&made["sources"], &made["wavelength_from"]), (&3.into(), &"mean of the spectrum".into()));
    assert!((number(&made["lambda_m"]) / ((0.9 + 2.5 + 0.55) / 4.0 * 1e-10) - 1.0).abs() < 1e-12);
    let found: Vec<f64> = place.float("f.bin").into_iter().map(f64::from).collect();
    assert_close(&found, &expected, 1e-6, "weights");
    // The same by energies, in the other order, and with weights of another scale.
    let row = |angstrom: f64, weight: f64| format!("{:.12} {weight}\n", 12_398.419_843_320_026 / angstrom);
    place
        .write("b.txt", format!("# energy_eV weight\n{}{}{}", row(1.1, 5.0), row(1.0, 25.0), row(0.9, 10.0)));
    assert_close(&image(&place, &format!("{line} --spectrum b.txt")), &expected, 1e-6, "energies");
    // As sources in a list, from the beam's direction.
    place.write("s.txt", "-10 0 0 1 0.9e-10\n-10 0 0 2.5 1.0e-10\n-10 0 0 0.5 1.1e-10\n");
    assert_close(&image(&place, &format!("{line} -sourcefile s.txt")), &expected, 1e-6, "sources");
}

#[test]
fn every_direction_of_a_divergence_has_the_whole_spectrum() {
    let place = Workplace::empty();
    place.write("a.txt", "# wavelength_A weight\n0.9 1\n1.0 3\n");
    let line = format!("{CELL} -nopolar -divergence 10 -divsteps 3");
    let of_lambda = |lambda: f64| image(&place, &format!("{line} -lambda {lambda}"));
    let expected = mean(&[(1.0, of_lambda(0.9)), (3.0, of_lambda(1.0))]);
    let made = summary(&place, &format!("{line} --spectrum a.txt"));
    // The corners of the 3 x 3 directions are left out.
    assert_eq!(made["sources"], 10);
    let found: Vec<f64> = place.float("f.bin").into_iter().map(f64::from).collect();
    assert_close(&found, &expected, 1e-6, "divergence");
}

/// A spectrum of 100 lines on both sides of 1 Angstrom, 0.2 % wide in all.
fn hundred_lines() -> String {
    let line = |at: u32| {
        let x = f64::from(at) / 99.0;
        format!("{:.9} {:.6}\n", 0.999 + 0.002 * x, (10.0 * x).sin().abs() + 0.1)
    };
    format!("# wavelength_A weight\n{}", (0..100).map(line).collect::<String>())
}

#[test]
fn fewer_wavelengths_give_the_same_image() {
    let place = Workplace::empty();
    place.write("a.txt", hundred_lines());
    let all = summary(&place, &format!("{CELL} --spectrum a.txt"));
    let expected: Vec<f64> = place.float("f.bin").into_iter().map(f64::from).collect();
    let fewer = summary(&place, &format!("{CELL} --spectrum a.txt --spectrum-steps 10"));
    let found: Vec<f64> = place.float("f.bin").into_iter().map(f64::from).collect();
    assert_eq!((&all["sources"], &fewer["sources"]), (&100.into(), &10.into()));
    assert_eq!(fewer["spectrum"]["wavelengths"], 10);
    assert!((number(&fewer["lambda_m"]) / number(&all["lambda_m"]) - 1.0).abs() < 1e-12);
    // The step moves a spot by 0.02 % of its distance from the origin in h, k, l, of at most 10: far less than a tenth
    // of its width of 1/5.
    let most = expected.iter().copied().fold(0.0, f64::max);
    let bright = expected.iter().zip(&found).filter(|(pixel, _)| **pixel > 1e-3 * most);
    assert!(bright.clone().count() > 100);
    for (expected, found) in bright {
        assert!((found / expected - 1.0).abs() < 0.01, "{found}, not {expected}");
    }
}

#[test]
fn peaks_are_told_by_parameters() {
    let place = Workplace::empty();
    let one = summary(&place, &format!("{CELL} --spectrum-gauss 12400,40"));
    assert_eq!((&one["sources"], &one["spectrum"]["origin"]), (&20.into(), &"1 Gaussian peak".into()));
    assert!((number(&one["lambda_m"]) / (12_398.419_843e-10 / 12_400.0) - 1.0).abs() < 1e-5, "{one}");
    let two = summary(&place, &format!("{CELL} --spectrum-gauss 12400,0,3+12800,0,1 --spectrum-steps 7"));
    assert_eq!(two["sources"], 2);
    let mean_m = 12_398.419_843e-10 * (3.0 / 12_400.0 + 1.0 / 12_800.0) / 4.0;
    assert!((number(&two["lambda_m"]) / mean_m - 1.0).abs() < 1e-9);
    let text = place
        .run_line(&format!("{STILL} {CELL} --spectrum-gauss 12400,20+12800,20 --spectrum-steps 7"))
        .well();
    let line = "spectrum     14 wavelengths from 0.966";
    assert!(text.stdout.contains(line) && text.stdout.contains("; 2 Gaussian peaks\n"), "{}", text.stdout);
}

#[test]
fn a_spectrum_of_several_is_chosen() {
    let place = Workplace::empty();
    place.write("a.txt", "# wavelength_A one two\n0.9 1 0\n1.0 0 2\n");
    let lambda_m =
        |line: &str| number(&summary(&place, &format!("{CELL} --spectrum a.txt {line}"))["lambda_m"]);
    assert!((lambda_m("") - 0.9e-10).abs() < 1e-24);
    assert!((lambda_m("--spectrum-column 2") - 1e-10).abs() < 1e-24);
    let made = summary(&place, &format!("{CELL} --spectrum a.txt --spectrum-column 2"));
    assert_eq!(made["spectrum"]["origin"], "2 lines of a.txt, spectrum 2 (two) of 2");
}

#[test]
fn the_wavelength_of_the_matrix_is_that_of_the_rule() {
    let place = Workplace::with_inputs();
    place.write("a.txt", "# wavelength_A weight\n0.9 1\n1.0 3\n");
    place.run_line(&format!("{STILL} {CELL} -lambda 1.2 -intfile header.img")).well();
    let of = |line: &str| {
        let made = summary(&place, &format!("-mat tri.mat {line}"));
        let origin = made["wavelength_from"].as_str().expect("a text").to_owned();
        (origin, number(&made["lambda_m"]) * 1e10, number(&made["unit_cell"][0]))
    };
    let (given, lambda, a) = of("-lambda 1.1 --spectrum a.txt -img header.img");
    assert!(given == "given" && (lambda - 1.1).abs() < 1e-12, "{given} {lambda}");
    let (mean, lambda, other) = of("--spectrum a.txt -img header.img");
    assert!(mean == "mean of the spectrum" && (lambda - 0.975).abs() < 1e-12, "{mean} {lambda}");
    // The matrix is the reciprocal cell times the wavelength.
    assert!((other / a - 0.975 / 1.1).abs() < 1e-9, "{other} {a}");
    let (header, lambda, _) = of("-img header.img");
    assert!(header == "header of the image" && (lambda - 1.2).abs() < 1e-9, "{header} {lambda}");
    let (default, lambda, _) = of("");
    assert!(default == "default" && (lambda - 1.0).abs() < 1e-12, "{default} {lambda}");
    let text = place.run_line(&format!("{STILL} -mat tri.mat --spectrum a.txt")).well();
    assert!(text.stdout.contains("0.975 Angstrom (mean of the spectrum), fluence"), "{}", text.stdout);
    // The rule leaves no doubt, and nanoBragg has no spectra that it would treat otherwise.
    assert!(!text.stderr.contains("-mat") && !text.stderr.contains("weights"), "{}", text.stderr);
}

#[test]
fn what_cannot_be_a_spectrum_is_refused() {
    let place = Workplace::empty();
    place.bring(&golden::root().join("inputs/sources.txt"));
    place.write("a.txt", "# wavelength_A weight\n0.9 1\n1.0 3\n");
    place.write("bad.txt", "# wavelength_A weight\n0.9 1\n1.0 -3\n");
    for (line, expected) in [
        ("--spectrum bad.txt", "--spectrum: bad.txt:3: a negative weight, -3"),
        ("--spectrum none.txt", "--spectrum: none.txt: cannot read"),
        ("--spectrum a.txt --spectrum-column 2", "--spectrum-column 2: a.txt has 1 spectrum"),
        ("--spectrum a.txt --spectrum-gauss 9000,5", "--spectrum: not beside --spectrum-gauss"),
        ("--spectrum a.txt -sourcefile sources.txt", "--spectrum: not beside -sourcefile"),
        ("--spectrum-gauss 9000,5 -dispersion 1 -dispsteps 2", "--spectrum-gauss: not beside -dispersion"),
        ("--spectrum-column 2", "--spectrum-column: needs --spectrum FILE"),
        ("--spectrum-steps 2", "--spectrum-steps: needs --spectrum FILE or --spectrum-gauss"),
        ("--spectrum a.txt --spectrum-steps 0", "--spectrum-steps 0: must be at least 1"),
        ("--spectrum-gauss 9000", "--spectrum-gauss 9000: expected centre and width in eV"),
        ("--spectrum-gauss 9000,x", "--spectrum-gauss 9000,x: 'x' is not a number"),
        ("--spectrum-gauss 9000,-5", "--spectrum-gauss 9000,-5: a centre must be above 0"),
        ("--spectrum-gauss 9000,5,0", "--spectrum-gauss: all weights are 0"),
        ("--spectrum-gauss 9.5,0.1", "--spectrum-gauss: a peak of 0.1 eV at 9.5 eV reaches beyond"),
        ("--spectrum a.txt -floatfile a.txt", "is also read (--spectrum)"),
    ] {
        let outcome = place.run_line(&format!("{STILL} {CELL} {line}")).refused(line);
        assert!(outcome.stderr.contains(expected), "{line}: no {expected} in {}", outcome.stderr);
    }
}

#[test]
fn derivatives_of_a_spectrum_are_right() {
    let place = Workplace::empty();
    place.write("a.txt", "# wavelength_A weight\n0.97 1\n1.0 3\n1.02 2\n");
    let line = format!(
        "gradcheck {CELL} -default_F 100 -misset 10 20 30 -N 5 -distance 60 -pixel 0.5 -detpixels 8 \
                        -oversample 1 --spectrum a.txt --quiet"
    );
    place.run_line(&line).well();
}

#[test]
fn weights_are_ignored_as_in_nanobragg() {
    let place = Workplace::empty();
    place.write("a.txt", "# wavelength_A weight\n0.9 1\n1.0 3\n");
    place.write("even.txt", "# wavelength_A weight\n0.9 1\n1.0 1\n");
    let parity = |file: &str| {
        let line = format!("{CELL} --spectrum {file} --phi-carryover-mode c-parity -lambda 1");
        let outcome = place.run_line(&format!("{STILL} {line}")).well();
        (outcome.stderr, place.float("f.bin"))
    };
    let (warning, uneven) = parity("a.txt");
    let (silence, even) = parity("even.txt");
    assert!(warning.contains("weights") && !silence.contains("weights"), "{warning}{silence}");
    assert!(uneven == even);
}
