//! The resolution limit, pixel by pixel.

use super::Scene;
use super::geometry::{Subpixel, SubpixelIndex};
use super::pixels::subpixels;
use crate::lanes::{Kernel, LaneMask, Lanes, Level};

/// Whether any source, layer or subpixel scatters into a pixel above the resolution limit.
struct Resolves<'c, 'a> {
    scene: &'c Scene<'a>,
    slow: usize,
    fast: usize,
}

impl Kernel for Resolves<'_, '_> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Level>(self, level: L) -> bool {
        let p = &self.scene.p;
        let per_axis = p.oversample.per_axis;
        let fast = level.splat(self.fast as f64);
        for layer in 0..p.sensor.layers {
            let depth_m = layer as f64 * p.sensor.layer_m;
            for (sub_slow, sub_fast) in subpixels(per_axis) {
                let index = SubpixelIndex { depth_m, slow: sub_slow, fast: sub_fast, per_axis };
                let place = Subpixel::new(&p.detector, self.slow, fast, index);
                for source in p.sources {
                    let q = place.scattering(source);
                    let d_spacing = level.splat(1.0) / q.dot(q).sqrt();
                    if !d_spacing.lt(level.splat(p.d_min_m)).any() {
                        return true;
                    }
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
