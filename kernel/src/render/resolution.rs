//! The resolution limit of a single pixel.

use super::geometry::{Subpixel, SubpixelGrid, scattering};
use crate::lanes::{LaneMask, Lanes, Level, WithSimd};
use crate::scene::Scene;

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
                let d_spacing = level.splat(1.0) / q.dot(q).sqrt();
                if !d_spacing.lt(level.splat(p.d_min_m)).any() {
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
