//! Scenes in which two correct renderings may differ by more than the limit.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

use widebragg::carryover::Carryover;
use widebragg::lattice::CrystalShape;
use widebragg_tests::scene::KernelScene;

/// At this distance from a jump of a rounded index, relative to 1 or to the index, rounding errors decide.
const JUMP: f64 = 1e-13;

/// Whether rounding errors decide some step of the image: which reflection is nearest, which block of nodes
/// is used, or whether the step is inside a tophat.
pub fn depends_on_rounding(scene: &KernelScene, threads: usize) -> bool {
    let columns = scene.detector.fast_pixels;
    let mut depends = false;
    let N = scene.crystallite.cells.iter().product::<f64>();
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
                        depends |= from_half <= JUMP * h.abs().max(1.0);
                    }
                    if scene.crystallite.shape == CrystalShape::Tophat {
                        let offset: [f64; 3] = core::array::from_fn(|i| step.hkl[i] - step.hkl_rounded[i]);
                        let [a, b, c] = scene.crystallite.reciprocal_per_angstrom;
                        let r = offset[0] * a + offset[1] * b + offset[2] * c;
                        let cut = r.dot(r) * N * N * scene.crystallite.fudge / 0.3969;
                        depends |= (cut - 1.0).abs() <= 1e-11 * N;
                    }
                });
                probed.expect("a selected pixel");
            }
        })
        .expect("a scene");
    depends
}
