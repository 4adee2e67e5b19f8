//! The resolution limit: which pixels a source reaches within it, and whether any source reaches a pixel.

use super::geometry::{LaneVec, Subpixel, SubpixelGrid, scattering};
use crate::formulas::LimitNumbers;
use crate::lanes::{BaseLevel, LaneMask, Lanes, WithSimd};
use crate::scene::Scene;

/// Distance of (|q| d_min)^2 from 1 beyond which rounding cannot decide: its own error and that of 1/|q| are a few
/// 1e-16.
const UNDECIDED: f64 = 1e-12;

/// Whether 1/|q| is not below the limit, with the reference's rounding; q in 1/m.
#[inline(always)]
pub(super) fn is_resolved<F: Lanes>(q: LaneVec<F>, d_min_m: f64) -> F::Mask {
    is_within(q, &LimitNumbers::new(d_min_m).splat(q.x.level()))
}

/// [`is_resolved`] with a limit of lanes.
#[inline(always)]
pub(crate) fn is_within<F: Lanes>(q: LaneVec<F>, limit: &LimitNumbers<F>) -> F::Mask {
    let q2 = q.dot(q);
    let one = q2.splat_like(1.0);
    let product = q2 * limit.d_min2_m2;
    let within = product.lt(q2.splat_like(1.0 - UNDECIDED));
    let beyond = q2.splat_like(1.0 + UNDECIDED).lt(product);
    if (within | beyond).all() { within } else { !(one / q2.sqrt()).lt(limit.d_min_m) }
}

/// For each pixel of a run, whether any source, layer or subpixel scatters into it within the resolution limit.
struct Resolved<'c, 'a> {
    scene: &'c Scene<'a>,
    slow: usize,
    first: usize,
    /// 1 where one does, else 0.
    resolved: &'c mut [f64],
}

impl WithSimd for Resolved<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, slow, first, resolved } = self;
        let p = &scene.p;
        let grid = SubpixelGrid::new(&p.panel, slow, p.oversample.per_axis);
        let (zero, one) = (level.splat(0.0), level.splat(1.0));
        for (vector, resolved) in resolved.chunks_mut(L::F::LEN).enumerate() {
            let at = first + vector * L::F::LEN;
            let fast = level.ramp(at as f64, (at + resolved.len()) as f64 - 1.0);
            let mut any = zero.lt(zero);
            for (layer, sub_slow, sub_fast) in scene.samples() {
                let line = grid.line(&p.panel, sub_slow, layer as f64 * p.panel.sensor.layer_m);
                let subpixel = Subpixel::new(&p.panel, &grid, line, fast, sub_fast);
                for source in p.sources {
                    any = any | is_resolved(scattering(subpixel.direction.diffracted, source), p.d_min_m);
                    if any.all() {
                        break;
                    }
                }
                if any.all() {
                    break;
                }
            }
            L::F::select(any, one, zero).store(resolved);
        }
    }
}

impl Scene<'_> {
    /// Whether any sample of a pixel is within the resolution limit.
    pub(super) fn resolves(&self, slow: usize, fast: usize) -> bool {
        let mut resolved = [0.0];
        self.find_resolved(slow, fast, &mut resolved);
        resolved == [1.0]
    }

    /// Sets each of the pixels from column `first` on to 1 where [`Scene::resolves`] them, else to 0.
    pub(super) fn find_resolved(&self, slow: usize, first: usize, resolved: &mut [f64]) {
        self.p.simd.run(Resolved { scene: self, slow, first, resolved });
    }
}
