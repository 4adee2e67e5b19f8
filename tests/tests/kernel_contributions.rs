//! `Scene::sum_contributions`: mean wavelengths and mean h, k, l of pixels, compared with those of diffBragg and with the
//! steps that the probe reports.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use small::small;
use widebragg::Error;
use widebragg::carryover::Carryover;
use widebragg::lanes::Simd;
use widebragg::render::{Contributions, Scene};
use widebragg::rotation::PhiMode;
use widebragg_tests::golden::{read_f32, root};
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::KernelScene;
use widebragg_tests::simtbx::images;

/// Largest relative difference from sums over the steps of the probe.
const ROUNDING: f64 = 1e-11;
/// Indices of the random scenes are below.
const LARGEST_INDEX: f64 = 1e3;

fn sums(scene: &Scene<'_>, carry: &Carryover<'_>) -> Vec<Contributions> {
    let mut pixels = vec![Contributions::default(); scene.panel().pixels()];
    scene.sum_contributions(0..scene.panel().slow_pixels, &mut pixels, carry).expect("sums");
    pixels
}

/// Means of diffBragg are f32, wavelengths in angstrom. Its h, k, l are within 1e-6 of an index.
#[test]
fn means_are_those_of_diffbragg() {
    let folder = root().join("simtbx/13_means");
    let mut compared = 0;
    for mut image in images("13_means").expect("images") {
        let theirs = |name: &str| read_f32(&folder.join(format!("{}_mean_{name}.f32", image.name))).ok();
        let means = ["lambda_A", "h", "k", "l"].map(theirs);
        for simd in Simd::available() {
            image.scene.simd = simd;
            let ours = image.scene.with(1, |scene, _| sums(scene, &Carryover::Off)).expect("a scene");
            let lambda = |pixel: &Contributions| pixel.mean_lambda_m() * 1e10;
            for (i, theirs) in means.iter().enumerate() {
                let Some(theirs) = theirs else { continue };
                let mean =
                    |pixel: &Contributions| if i == 0 { lambda(pixel) } else { pixel.mean_hkl()[i - 1] };
                for (ours, &theirs) in ours.iter().map(mean).zip(theirs) {
                    let apart = (ours - f64::from(theirs)).abs();
                    // Half a unit in the last place of theirs, and what else may differ.
                    let within = f64::from(theirs.abs()) * f64::from(f32::EPSILON) + 1e-6;
                    assert!(apart < within, "{} {i}: {ours}, expected {theirs}", image.name);
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 9 * Simd::available().count());
}

/// The same sums over the steps of the probe. In c-parity, without water, a step may multiply the running sum.
fn by_steps(scene: &Scene<'_>, carry: &Carryover<'_>, slow: usize, fast: usize) -> Contributions {
    let (mut sums, mut before) = ([0.0; 5], 0.0);
    let pixel = scene.probe_pixel(slow, fast, carry, &mut |step| {
        let [h, k, l] = step.hkl;
        let lambda_m = scene.parts().sources[step.source].lambda_m;
        let (term, with_term) = (step.term(), before + step.term());
        let multiplies = scene.mode() == PhiMode::CParity && with_term > 0.0;
        let multiplier = if multiplies { step.intensity / with_term } else { 1.0 };
        for (sum, value) in sums.iter_mut().zip([1.0, lambda_m, h, k, l]) {
            *sum = (*sum + term * value) * multiplier;
        }
        before = step.intensity;
    });
    let pixel = pixel.expect("a pixel");
    let photons = pixel.value - pixel.background;
    let [terms, ..] = sums;
    let [lambda_m, h, k, l] = [1, 2, 3, 4].map(|i| if terms > 0.0 { sums[i] / terms * photons } else { 0.0 });
    Contributions { photons, lambda_m, hkl: [h, k, l] }
}

/// Random scenes with all features, at every level: weights, oversampling, sensors, mosaicity, sweeps that open streams,
/// interpolation that ends.
#[test]
fn sums_are_those_over_the_steps_of_a_pixel() {
    let mut lit = 0;
    for (seed, simd) in (0..60).flat_map(|seed| Simd::available().map(move |simd| (seed, simd))) {
        let small = small(seed);
        for mode in [Mode::CParity, Mode::Spec] {
            let mut kernel = KernelScene::from_simulation(&small.simulation, simd, mode);
            kernel.water_m *= f64::from(u8::from(mode == Mode::Spec));
            let image = kernel.render::<f64>(small.threads).expect("an image");
            let columns = kernel.detector.fast_pixels;
            let compared = kernel.with(small.threads, |scene, slots| {
                let carry = Carryover::Streams(slots);
                let sums = sums(scene, &carry);
                for (i, ours) in sums.iter().enumerate() {
                    let (slow, fast) = (i / columns, i % columns);
                    if !scene.is_selected(slow, fast) {
                        assert_eq!(
                            (*ours, image[i]),
                            (Contributions::default(), 0.0),
                            "{} {mode:?} {i}",
                            small.line
                        );
                        assert!(ours.mean_lambda_m().is_nan() && ours.mean_hkl().iter().all(|h| h.is_nan()));
                        continue;
                    }
                    let theirs = by_steps(scene, &carry, slow, fast);
                    let lambda_m = scene.parts().sources[0].lambda_m;
                    let pairs = [
                        (ours.photons, theirs.photons, 1.0),
                        (ours.lambda_m, theirs.lambda_m, lambda_m),
                        (ours.hkl[0], theirs.hkl[0], LARGEST_INDEX),
                        (ours.hkl[1], theirs.hkl[1], LARGEST_INDEX),
                        (ours.hkl[2], theirs.hkl[2], LARGEST_INDEX),
                    ];
                    for (ours, theirs, size) in pairs {
                        let within = ROUNDING * size * image[i];
                        assert!(
                            (ours - theirs).abs() <= within,
                            "{} {mode:?} {i}: {ours:e} {theirs:e}",
                            small.line
                        );
                    }
                    lit += u64::from(ours.photons > 0.0);
                }
            });
            compared.expect("a scene");
        }
    }
    assert!(lit > 1000, "{lit}");
}

#[test]
fn rows_have_the_same_bits_alone_and_short_buffers_are_refused() {
    let scene = images("13_means").expect("images").swap_remove(0).scene;
    let checked = scene.with(1, |scene, _| {
        let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
        let whole = sums(scene, &Carryover::Off);
        let mut row = vec![Contributions::default(); columns];
        for slow in 0..rows {
            scene.sum_contributions(slow..slow + 1, &mut row, &Carryover::Off).expect("sums");
            assert!(row[..] == whole[slow * columns..][..columns], "{slow}");
        }
        let before = row.clone();
        assert_eq!(
            scene.sum_contributions(0..2, &mut row, &Carryover::Off),
            Err(Error::BufferTooShort {
                buffer: "sums of contributions",
                needed: 2 * columns,
                given: columns
            })
        );
        assert!(scene.sum_contributions(rows..rows + 1, &mut row, &Carryover::Off).is_err());
        assert!(row == before);
    });
    checked.expect("a scene");
}
