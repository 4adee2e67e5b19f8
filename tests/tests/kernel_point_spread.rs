//! The point spread of spec: shares against integrals of the density, rows against plain sums and against simtbx and
//! noisify, whose faults (shares that are not 1 in all, light that comes back everywhere) are taken out.

use core::f64::consts::{LN_2, PI};
use std::io::Read;

use flate2::read::GzDecoder;
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::noise::point_spread::{Form, GaussShares, Shares};
use widebragg_tests::golden;
use widebragg_tests::program::smv_parts;

fn levels() -> impl Iterator<Item = Simd> {
    SimdLevel::ALL.into_iter().filter_map(Simd::exactly)
}

/// The density at a distance.
fn density(form: Form, w: f64, r: f64) -> f64 {
    let moffat = |width: f64, exponent: f64, norm: f64| norm * (width * width + r * r).powf(-exponent);
    match form {
        Form::Gauss => 4.0 * LN_2 / (PI * w * w) * (-4.0 * LN_2 * r * r / (w * w)).exp(),
        Form::Fiber => {
            let g = w / (2.0 * (2f64.powf(2.0 / 3.0) - 1.0).sqrt());
            moffat(g, 1.5, g / (2.0 * PI))
        }
        Form::Moffat => {
            let a = w / (2.0 * (2f64.powf(2.0 / 5.0) - 1.0).sqrt());
            moffat(a, 2.5, 3.0 * a.powi(3) / (2.0 * PI))
        }
    }
}

#[test]
fn densities_have_their_width() {
    for form in Form::ALL {
        for w in [0.3, 2.0] {
            let half = density(form, w, w / 2.0) / density(form, w, 0.0);
            assert!((half - 0.5).abs() < 1e-12, "{form:?}");
        }
    }
}

#[test]
fn shares_are_integrals_of_the_density() {
    for form in Form::ALL {
        for w in [0.8, 3.0] {
            for [dx, dy] in [[0, 0], [1, 0], [0, 1], [2, 3], [12, 5]] {
                let steps = 400;
                let at = |d: usize, step: usize| d as f64 - 0.5 + (step as f64 + 0.5) / steps as f64;
                let cells = (0..steps).flat_map(|j| (0..steps).map(move |i| (i, j)));
                let sum: f64 = cells.map(|(i, j)| density(form, w, at(dx, i).hypot(at(dy, j)))).sum::<f64>();
                let (found, expected) = (form.share(w, [dx, dy]), sum / (steps * steps) as f64);
                // The midpoint rule leaves a part of 1/(24 n^2) of the second derivative.
                assert!(
                    (found - expected).abs() < 1e-5 * expected + 1e-16,
                    "{form:?} {w} {dx} {dy}: {found} {expected}"
                );
                let mirrored = form.share(w, [dy, dx]);
                assert!((mirrored - found).abs() < 1e-12 * found + 1e-16, "{form:?}: {found} {mirrored}");
            }
            // All that there is.
            let whole = 4.0 * form.integral(w, [1e9, 1e9]);
            assert!((whole - 1.0).abs() < 1e-7, "{form:?}: {whole}");
        }
    }
}

fn random(count: usize) -> Vec<f64> {
    let mut state = 5u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / 1e7
    };
    (0..count).map(|_| draw()).collect()
}

/// What each pixel gets, summed one by one, of shares that are divided by their sum.
fn one_by_one(
    photons: &[f64],
    [fast, slow]: [usize; 2],
    radius: usize,
    share: &dyn Fn(usize, usize) -> f64,
) -> Vec<f64> {
    let offsets = || -(radius as i64)..=radius as i64;
    let at = |dx: i64, dy: i64| share(dx.unsigned_abs() as usize, dy.unsigned_abs() as usize);
    let total: f64 = offsets().map(|dy| offsets().map(|dx| at(dx, dy)).sum::<f64>()).sum();
    let mut out = vec![0.0; photons.len()];
    for (pixel, out) in out.iter_mut().enumerate() {
        let (x, y) = ((pixel % fast) as i64, (pixel / fast) as i64);
        for dy in offsets() {
            for dx in offsets() {
                let (from_x, from_y) = (x - dx, y - dy);
                if (0..fast as i64).contains(&from_x) && (0..slow as i64).contains(&from_y) {
                    *out += photons[from_y as usize * fast + from_x as usize] * at(dx, dy) / total;
                }
            }
        }
    }
    out
}

#[test]
fn rows_are_sums_of_shares_at_every_level() {
    for (size, radius) in [([1, 1], 2), ([7, 5], 0), ([7, 5], 3), ([70, 9], 12), ([131, 6], 4), ([64, 3], 1)]
    {
        let [fast, slow] = size;
        let photons = random(fast * slow);
        let narrow: Vec<f32> = photons.iter().map(|&pixel| pixel as f32).collect();
        for form in Form::ALL {
            let w = 1.3;
            let circle = |dx: usize, dy: usize| match dx * dx + dy * dy <= radius * radius {
                true => form.share(w, [dx, dy]),
                false => 0.0,
            };
            let expected = one_by_one(&photons, size, radius, &circle);
            let mut room = vec![0.0; Shares::room_len(radius)];
            let shares = Shares::fill(form, w, radius, &mut room).expect("shares");
            let mut scratch = vec![f64::NAN; shares.scratch_len(fast)];
            for simd in levels() {
                let mut found = vec![f64::NAN; fast * slow];
                // Bands of rows are those of the whole.
                let cut = slow / 2;
                let (upper, lower) = found.split_at_mut(cut * fast);
                shares.spread_rows(simd, size, &photons, 0..cut, &mut scratch, upper).expect("rows");
                shares.spread_rows(simd, size, &photons, cut..slow, &mut scratch, lower).expect("rows");
                let mut stored = vec![0f32; fast * slow];
                shares.spread_rows(simd, size, &narrow, 0..slow, &mut scratch, &mut stored).expect("rows");
                for ((found, expected), stored) in found.iter().zip(&expected).zip(stored) {
                    assert!(
                        (found / expected - 1.0).abs() < 1e-12,
                        "{form:?} {size:?} {radius}: {found} {expected}"
                    );
                    assert!((f64::from(stored) / expected - 1.0).abs() < 1e-6);
                }
            }
        }
        let square = |dx: usize, dy: usize| Form::Gauss.share(1.3, [dx, dy]);
        let expected = one_by_one(&photons, size, radius, &square);
        let mut room = vec![0.0; radius + 1];
        let shares = GaussShares::fill(1.3, &mut room).expect("shares");
        let mut scratch = vec![f64::NAN; shares.scratch_len(fast)];
        for simd in levels() {
            let mut found = vec![f64::NAN; fast * slow];
            let cut = slow.div_ceil(3);
            let (upper, lower) = found.split_at_mut(cut * fast);
            shares.spread_rows(simd, size, &photons, 0..cut, &mut scratch, upper).expect("rows");
            shares.spread_rows(simd, size, &photons, cut..slow, &mut scratch, lower).expect("rows");
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found / expected - 1.0).abs() < 1e-12, "{size:?} {radius}: {found} {expected}");
            }
        }
    }
}

fn unpacked(path: &str) -> Vec<u8> {
    let file = std::fs::File::open(golden::root().join("noise").join(path)).expect(path);
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect(path);
    bytes
}

fn input(name: &str) -> Vec<f64> {
    let bytes = unpacked(&format!("inputs/{name}.f32.gz"));
    bytes
        .chunks_exact(4)
        .map(|four| f64::from(f32::from_le_bytes(four.try_into().expect("four bytes"))))
        .collect()
}

/// An image of 64 x 48 pixels as the references spread it, but for the first column, where they add what leaves over the
/// right edge: shares as they are, and the part of a photon that is `beyond` the radius for all pixels alike.
fn as_references(form: Form, width_px: f64, radius: usize, photons: &[f64], beyond: f64) -> Vec<f64> {
    let mut room = vec![0.0; Shares::room_len(radius)];
    let shares = Shares::fill(form, width_px, radius, &mut room).expect("shares");
    let mut scratch = vec![0.0; shares.scratch_len(64)];
    let mut spread = vec![0.0; photons.len()];
    shares.spread_rows(Simd::detect(), [64, 48], photons, 0..48, &mut scratch, &mut spread).expect("rows");
    let sides = |d: usize| if d == 0 { 1.0 } else { 2.0 };
    let all = (0..=radius).flat_map(|dy| (0..=radius).map(move |dx| [dx, dy]));
    let within = all.filter(|[dx, dy]| dx * dx + dy * dy <= radius * radius);
    let total: f64 = within.map(|[dx, dy]| sides(dx) * sides(dy) * form.share(width_px, [dx, dy])).sum();
    let back = photons.iter().sum::<f64>() * beyond / photons.len() as f64;
    spread.iter().map(|pixel| pixel * total + back).collect()
}

#[test]
fn a_gaussian_is_that_of_simtbx() {
    let bytes = unpacked("simtbx/apply_psf_gauss_r4.f64.gz");
    let golden =
        bytes.chunks_exact(8).map(|eight| f64::from_le_bytes(eight.try_into().expect("eight bytes")));
    let photons: Vec<f64> = input("spots").into_iter().map(|photons| photons.max(0.0)).collect();
    let beyond = (-16f64.ln() * (4.0f64 / 1.5).powi(2)).exp();
    let found = as_references(Form::Gauss, 1.5, 4, &photons, beyond);
    for (at, (found, golden)) in found.iter().zip(golden).enumerate().filter(|(at, _)| at % 64 > 0) {
        assert!((found / golden - 1.0).abs() < 1e-10, "{at}: {found} {golden}");
    }
}

#[test]
fn a_fiber_is_that_of_noisify() {
    let (_, golden) = smv_parts(&unpacked("noisify/psf_edge_fiber/i.img.gz")).expect("an image");
    let g: f64 = 0.652_383_013_252_053 * 3.0;
    let found = as_references(Form::Fiber, 3.0, 12, &input("edge"), g / (g * g + 144.0).sqrt());
    let mut brightest = 0;
    for (at, (found, golden)) in found.iter().zip(golden).enumerate().filter(|(at, _)| at % 64 > 0) {
        // A gain of 100, truncated; noisify's sums are f32.
        let over = 100.0 * found - f64::from(golden);
        assert!((-0.01..1.01).contains(&over), "{at}: {found} {golden}");
        brightest = brightest.max(golden);
    }
    assert!(brightest > 3000);
}

#[test]
fn a_whole_gaussian_loses_nothing() {
    for w in [0.2, 1.5, 6.0] {
        let radius = GaussShares::whole_radius(w);
        let beyond = 1.0 - 4.0 * Form::Gauss.integral(w, [radius as f64 + 0.5; 2]);
        assert!(beyond.abs() < 1e-10, "{w}: {beyond}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = [
            Shares::fill(Form::Fiber, width, 1, &mut [0.0; 4]).map(|_| ()).unwrap_err().to_string(),
            GaussShares::fill(width, &mut [0.0; 4]).map(|_| ()).unwrap_err().to_string(),
        ];
        for text in refused {
            assert!(text.starts_with("width of the point spread in pixels is "), "{text}");
        }
    }
    assert!(Shares::fill(Form::Fiber, 1.0, 1, &mut [0.0; 3]).is_err());
    assert!(Shares::fill(Form::Fiber, 1.0, 1 << 21, &mut []).is_err());
    assert!(GaussShares::fill(1.0, &mut []).is_err());
    let mut room = [0.0; 4];
    let shares = Shares::fill(Form::Fiber, 1.0, 1, &mut room).expect("shares");
    let spread = |photons: usize, rows, scratch: usize, out: usize| {
        let (photons, mut scratch, mut out) = (vec![0f32; photons], vec![0.0; scratch], vec![0f32; out]);
        shares.spread_rows(Simd::detect(), [4, 3], &photons, rows, &mut scratch, &mut out).is_ok()
    };
    let scratch = shares.scratch_len(4);
    assert!(spread(12, 1..3, scratch, 8));
    assert!(
        !spread(11, 1..3, scratch, 8) && !spread(12, 1..4, scratch, 12) && !spread(12, 1..3, scratch - 1, 8)
    );
    assert!(!spread(12, 1..3, scratch, 7));
}
