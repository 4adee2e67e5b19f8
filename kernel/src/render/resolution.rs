//! The resolution limit: which pixels a source reaches within it, and whether any source reaches a pixel.

use super::geometry::{LaneVec, Subpixel, SubpixelGrid, scattering};
use crate::lanes::{LaneMask, Lanes, Level, WithSimd};
use crate::scene::Scene;

/// Distance of (|q| d_min)^2 from 1 beyond which rounding cannot decide: its own error and that of 1/|q| are a few
/// 1e-16.
const UNDECIDED: f64 = 1e-12;

/// Whether 1/|q| is not below the limit, with the reference's rounding; q in 1/m.
#[inline(always)]
pub(super) fn is_resolved<F: Lanes>(q: LaneVec<F>, d_min_m: f64) -> F::Mask {
    let q2 = q.dot(q);
    let one = q2.splat_like(1.0);
    let product = q2 * q2.splat_like(d_min_m * d_min_m);
    let within = product.lt(q2.splat_like(1.0 - UNDECIDED));
    let beyond = q2.splat_like(1.0 + UNDECIDED).lt(product);
    if (within | beyond).all() { within } else { !(one / q2.sqrt()).lt(q2.splat_like(d_min_m)) }
}

/// Whether any source, layer or subpixel of a pixel scatters within the resolution limit.
struct Resolves<'c, 'a> {
    scene: &'c Scene<'a>,
    slow: usize,
    fast: usize,
}

impl WithSimd for Resolves<'_, '_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<L: Level>(self, level: L) -> bool {
        let p = &self.scene.p;
        let per_axis = p.oversample.per_axis;
        let fast = level.splat(self.fast as f64);
        let grid = SubpixelGrid::new(&p.detector, self.slow, per_axis);
        for (layer, sub_slow, sub_fast) in self.scene.samples() {
            let depth_m = layer as f64 * p.sensor.layer_m;
            let line = grid.line(&p.detector, sub_slow, depth_m);
            let subpixel = Subpixel::new(&p.detector, &grid, line, fast, sub_fast);
            for source in p.sources {
                let q = scattering(subpixel.direction.diffracted, source);
                if is_resolved(q, p.d_min_m).any() {
                    return true;
                }
            }
        }
        false
    }
}

impl Scene<'_> {
    pub(super) fn resolves(&self, slow: usize, fast: usize) -> bool {
        self.p.simd.run(Resolves { scene: self, slow, fast })
    }
}
