//! Miller indices of a scattering vector: fractional, the nearest integers, and what lies between.

use crate::lanes::{LaneMask, Lanes, Lanes32};

/// Fractional Miller indices, for each lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Indices<F> {
    /// h, k, l.
    pub(crate) hkl: [F; 3],
    /// h0, k0, l0: the nearest integers.
    pub(crate) hkl0: [F; 3],
    /// `hkl` - `hkl0`, exact.
    pub(crate) offset: [F; 3],
}

/// Offsets from the nearest integers in f32, and their squares, which mixed precision tests and then
/// evaluates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrowed<G> {
    pub(super) offset: [G; 3],
    pub(super) square: [G; 3],
}

impl<G: Lanes32> Narrowed<G> {
    #[inline(always)]
    fn new<F: Lanes<Narrow = G>>(offset: [F; 3]) -> Self {
        let [a, b, c] = offset;
        let (a, b, c) = (a.narrow(), b.narrow(), c.narrow());
        Self { offset: [a, b, c], square: [a * a, b * b, c * c] }
    }

    /// [`Indices::all_nearest`] of these offsets: narrowing may round one up to a half, never from above to
    /// below it.
    #[inline(always)]
    pub(crate) fn all_nearest(&self) -> bool {
        let [a, b, c] = self.square;
        a.max(b).max(c).all_below(0.25)
    }
}

impl<F: Lanes> Indices<F> {
    /// Indices with their nearest integers; an exact half goes down, as in the reference.
    #[inline(always)]
    pub(crate) fn new(hkl: [F; 3]) -> Self {
        let [h, k, l] = hkl;
        Self::about([nearest(h), nearest(k), nearest(l)], hkl)
    }

    /// Indices relative to a given node.
    #[inline(always)]
    pub(crate) fn about(hkl0: [F; 3], hkl: [F; 3]) -> Self {
        let ([h, k, l], [h0, k0, l0]) = (hkl, hkl0);
        Self { hkl, hkl0, offset: [h - h0, k - k0, l - l0] }
    }

    /// Indices for a lookup that never reads the nearest integers: at an exact half the offset may have the
    /// other sign, which makes no difference to any shape.
    #[inline(always)]
    pub(crate) fn fractions(hkl: [F; 3]) -> Self {
        let [h, k, l] = hkl;
        let offset = [h.fraction(), k.fraction(), l.fraction()];
        let [dh, dk, dl] = offset;
        Self { hkl, hkl0: [h - dh, k - dk, l - dl], offset }
    }

    /// Whether `hkl0` are the nearest integers of all lanes, with no offset at a half.
    #[inline(always)]
    pub(crate) fn all_nearest(&self) -> bool {
        let [a, b, c] = self.offset;
        let farthest = (a * a).max(b * b).max(c * c);
        farthest.lt(a.splat_like(0.25)).all()
    }

    /// The offsets in f32.
    #[inline(always)]
    pub(crate) fn narrowed(&self) -> Narrowed<F::Narrow> {
        Narrowed::new(self.offset)
    }
}

/// ceil(x - 1/2), for |x| < 2^51.
#[inline(always)]
fn nearest<F: Lanes>(x: F) -> F {
    (x - x.splat_like(0.5)).ceil()
}
