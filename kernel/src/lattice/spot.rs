//! Spots in reciprocal space, for gauss and tophat: the distance of a scattering vector from its nearest
//! node.

use super::{Crystallite, Indices};
use crate::lanes::{Lanes, Level};
use crate::vector::Vec3;

/// The squared distance to the nearest node in reciprocal space, times a factor.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeDistance<F> {
    /// a*, b*, c*, each x, y, z, in 1/Angstrom.
    pub(super) reciprocal: [[F; 3]; 3],
    /// fudge (Na Nb Nc)^2 and the factor that the shape asks for.
    pub(super) scale: F,
}

impl<F: Lanes> NodeDistance<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite, scale: f64) -> Self {
        let [a, b, c] = crystallite.reciprocal_per_angstrom;
        let [na, nb, nc] = crystallite.cells;
        Self {
            reciprocal: [splat(level, a), splat(level, b), splat(level, c)],
            scale: level.splat(na * na * nb * nb * nc * nc * crystallite.fudge * scale),
        }
    }

    /// The vector from the nearest node, in 1/Angstrom.
    #[inline(always)]
    pub(super) fn offset(&self, indices: &Indices<F>) -> [F; 3] {
        let [dh, dk, dl] = indices.offset;
        let [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = self.reciprocal;
        let x = dh.mul_add(ax, dk.mul_add(bx, dl * cx));
        let y = dh.mul_add(ay, dk.mul_add(by, dl * cy));
        let z = dh.mul_add(az, dk.mul_add(bz, dl * cz));
        [x, y, z]
    }

    /// The squared distance times the factor.
    #[inline(always)]
    pub(super) fn squared(&self, indices: &Indices<F>) -> F {
        let [x, y, z] = self.offset(indices);
        x.mul_add(x, y.mul_add(y, z * z)) * self.scale
    }
}

#[inline(always)]
fn splat<L: Level>(level: L, v: Vec3) -> [L::F; 3] {
    [level.splat(v.x), level.splat(v.y), level.splat(v.z)]
}
