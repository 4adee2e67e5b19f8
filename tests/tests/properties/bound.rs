//! How far two renderings of a scene may be apart, and what makes them differ by more without either being wrong.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

use widebragg::carryover::Carryover;
use widebragg::lattice::CrystalShape;
use widebragg_tests::oracle::Simulation;
use widebragg_tests::oracle::command::Shape;
use widebragg_tests::oracle::vector::magnitude;
use widebragg_tests::scene::KernelScene;

/// Of the image maximum.
const LIMIT: f64 = 1e-12;

/// Closer than this to where a rounded index jumps, relative to 1 or to the index, the last bits decide.
const JUMP: f64 = 1e-13;

/// The limit for a scene: an index h is right to some ulp on both sides, and the flank of a reflection multiplies that by
/// N (gauss and tophat spots are as narrow as those of Na Nb Nc cells).
pub fn limit(simulation: &Simulation) -> f64 {
    let crystal = &simulation.crystal;
    let N = crystal.N.map(|n| n as f64);
    let axes = [crystal.a, crystal.b, crystal.c].map(magnitude);
    let reach = match simulation.shape {
        Shape::Square | Shape::Round => {
            axes.iter().zip(N).map(|(axis, n)| n * 2.0 * axis / simulation.lambda).fold(0.0, f64::max)
        }
        Shape::Gauss | Shape::Tophat => N.iter().product::<f64>() * 2e-10 / simulation.lambda,
    };
    LIMIT * (reach * simulation.fudge.max(1.0) / 50.0).max(1.0)
}

/// Largest difference of two images, of the maximum; infinite where one has a NaN and the other has not.
pub fn apart(image: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(image.len(), expected.len());
    // An image of nothing but the far tails of Gaussian spots underflows here or there.
    let max = expected.iter().fold(1e-200_f64, |max, x| max.max(x.abs()));
    let apart = |(x, y): (&f64, &f64)| if x == y { 0.0 } else { (x - y).abs() / max };
    image
        .iter()
        .zip(expected)
        .map(apart)
        .fold(0.0, |worst, x| if x.is_nan() { f64::INFINITY } else { worst.max(x) })
}

/// Whether some step of the image has an index so close to where another reflection becomes the nearest, another block
/// of nodes is used, or a tophat ends, that rounding decides.
pub fn hangs_on_a_last_bit(scene: &KernelScene, threads: usize) -> bool {
    let columns = scene.detector.fast_pixels;
    let mut hangs = false;
    let N = scene.lattice.cells.iter().product::<f64>();
    scene
        .with(threads, |checked, slots| {
            for i in 0..scene.detector.pixels() {
                let (slow, fast) = (i / columns, i % columns);
                if !checked.is_selected(slow, fast) {
                    continue;
                }
                let carry = Carryover::Streams(slots);
                let probed = checked.probe_pixel(slow, fast, &carry, &mut |step| {
                    for h in step.hkl {
                        let jump = if scene.interpolate { 0.5 } else { 1.0 };
                        let from_half = ((h - 0.5) / jump - ((h - 0.5) / jump).round()).abs() * jump;
                        hangs |= from_half <= JUMP * h.abs().max(1.0);
                    }
                    if scene.lattice.shape == CrystalShape::Tophat {
                        let offset: [f64; 3] = core::array::from_fn(|i| step.hkl[i] - step.hkl_rounded[i]);
                        let [a, b, c] = scene.lattice.reciprocal_per_angstrom;
                        let r = offset[0] * a + offset[1] * b + offset[2] * c;
                        let cut = r.dot(r) * N * N * scene.lattice.fudge / 0.3969;
                        hangs |= (cut - 1.0).abs() <= 1e-11 * N;
                    }
                });
                probed.expect("a selected pixel");
            }
        })
        .expect("a scene");
    hangs
}
