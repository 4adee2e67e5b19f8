//! `--psf`: the counts of an image without it, spread by the shares of its form, one by one.

use widebragg::noise::point_spread::Form;
use widebragg_tests::program::{Workplace, smv_parts};

const FAST: usize = 40;
const SLOW: usize = 30;
const LINE: &str = "-cell 40 50 60 90 90 90 -default_F 300 -misset 10 20 30 -N 5 -distance 60 -pixel 0.1 -detpixels_x 40 \
                    -detpixels_y 30 -oversample 1 -fluence 1e30 -seed 3 -nopgm -floatfile f.bin -intfile i.img -noisefile n.img \
                    --noise-model counter";

/// The noise image, less the offset of 40.
fn counts(place: &Workplace, line: &str) -> Vec<f64> {
    place.run_line(&format!("{LINE} {line}")).well();
    let (_, pixels) = smv_parts(&place.read("n.img")).expect("an image");
    pixels.into_iter().map(|pixel| f64::from(pixel) - 40.0).collect()
}

/// Spreads counts by shares of a width in pixels, within a circle of a radius if there is one.
fn spread(form: Form, width_px: f64, radius: Option<usize>, counts: &[f64]) -> Vec<f64> {
    let share = |dx: usize, dy: usize| match radius {
        Some(radius) if dx * dx + dy * dy > radius * radius => 0.0,
        _ => form.share(width_px, [dx, dy]),
    };
    let sides = |d: usize| if d == 0 { 1.0 } else { 2.0 };
    let total: f64 = radius.map_or(1.0, |radius| {
        let mut total = 0.0;
        for dy in 0..=radius {
            for dx in 0..=radius {
                total += sides(dx) * sides(dy) * share(dx, dy);
            }
        }
        total
    });
    let mut shares = vec![0.0; FAST * SLOW];
    shares.iter_mut().enumerate().for_each(|(at, to)| *to = share(at % FAST, at / FAST) / total);
    let pixel = |at: usize| -> f64 {
        let from = |(other, &count): (usize, &f64)| {
            let (dx, dy) = ((other % FAST).abs_diff(at % FAST), (other / FAST).abs_diff(at / FAST));
            count * shares[dy * FAST + dx]
        };
        counts.iter().enumerate().map(from).sum()
    };
    (0..FAST * SLOW).map(pixel).collect()
}

#[test]
fn counts_are_spread_by_the_shares_of_the_form() {
    let place = Workplace::empty();
    let plain = counts(&place, "");
    let brightest = plain.iter().copied().fold(0.0, f64::max);
    assert!(brightest > 100.0 && brightest < 60_000.0, "{brightest}");
    for (line, form, width_px, radius) in [
        ("fiber,80,5", Form::Fiber, 0.8, Some(5)),
        ("fiber,80,20", Form::Fiber, 0.8, Some(20)),
        ("fiber,80", Form::Fiber, 0.8, None),
        ("moffat,150", Form::Moffat, 1.5, None),
        ("gauss,150", Form::Gauss, 1.5, None),
    ] {
        let found = counts(&place, &format!("--psf {line} --threads 2"));
        for (at, (found, expected)) in found.iter().zip(spread(form, width_px, radius, &plain)).enumerate() {
            // Rounded to the nearest integer.
            assert!((found - expected).abs() < 0.501, "{line} {at}: {found} {expected}");
        }
        assert_eq!(counts(&place, &format!("--psf {line}")), found);
    }
    // The gain comes after it.
    let doubled = counts(&place, "--psf fiber,80,5 --gain 2");
    for (found, expected) in doubled.iter().zip(spread(Form::Fiber, 0.8, Some(5), &plain)) {
        assert!((found - 2.0 * expected).abs() < 0.501, "{found} {expected}");
    }
}

#[test]
fn what_is_no_point_spread_is_refused() {
    let place = Workplace::empty();
    for (line, expected) in [
        ("--psf fiber", "--psf fiber: expected a form, a width in um, and perhaps a radius"),
        ("--psf fiber,1,2,3", "--psf fiber,1,2,3: expected a form, a width in um, and perhaps a radius"),
        ("--psf lorentz,80", "--psf lorentz,80: the form is gauss, fiber or moffat"),
        ("--psf fiber,0", "--psf fiber,0: the width must be above 0"),
        ("--psf fiber,-1", "--psf fiber,-1: expected a number that is not negative"),
        ("--psf fiber,nan", "--psf fiber,nan: expected a number that is not negative"),
        ("--psf fiber,80,-1", "the radius is a number of pixels, at most 10000"),
        ("--psf fiber,80,1.5", "the radius is a number of pixels, at most 10000"),
        ("--psf fiber,80,99999", "the radius is a number of pixels, at most 10000"),
        ("--psf fiber,80 --phi-carryover-mode c-parity", "are not for c-parity"),
    ] {
        let outcome = place.run_line(&format!("{LINE} {line}")).refused(line);
        assert!(outcome.stderr.contains(expected), "{line}: no {expected} in {}", outcome.stderr);
    }
}
