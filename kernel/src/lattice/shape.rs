//! The interface of a crystal shape: |F_latt| and its derivatives, for lanes.

use super::Crystallite;
use super::indices::{Indices, Narrowed};
use crate::lanes::{Lanes, Level};
use crate::math::NUDGE;

/// A crystal shape at one SIMD level.
pub(crate) trait Shape<F: Lanes>: Copy {
    /// A number added to every index, so small that only an index of exactly 0 changes.
    ///
    /// A crystal with an axis along an axis of the laboratory frame has a whole row of pixels with such an
    /// index. Their 0/0 would otherwise have to be evaluated again by the general loop.
    #[inline(always)]
    fn nudge(&self) -> f64 {
        NUDGE
    }
    /// |F_latt|. Unless `GUARDED`, an index that is exactly an integer may give NaN, which the caller must
    /// detect and evaluate again.
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F;
    /// Unguarded [`Shape::f_latt`] of indices whose offsets are already in f32.
    #[inline(always)]
    fn f_latt_narrowed(&self, indices: &Indices<F>, _: &Narrowed<F::Narrow>) -> F {
        self.f_latt::<false>(indices)
    }
}

/// F_latt and its derivatives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FLattDerivatives<F> {
    /// |F_latt|, equal to that of [`Shape::f_latt`] within rounding.
    pub(crate) f_latt: F,
    /// Derivatives with respect to h, k, l.
    pub(crate) by_index: [F; 3],
    /// Derivative with respect to the vector from the node in the metric of the spots, where F_latt is a smooth function of
    /// it; else 0. In Angstrom in reciprocal space, and a number in index metric.
    pub(crate) by_offset: [F; 3],
}

impl<F: Lanes> FLattDerivatives<F> {
    /// A value without derivatives.
    #[inline(always)]
    pub(crate) fn constant(f_latt: F) -> Self {
        let zero = f_latt.splat_like(0.0);
        Self { f_latt, by_index: [zero; 3], by_offset: [zero; 3] }
    }
}

/// A shape whose F_latt has derivatives, in f64 throughout.
pub(crate) trait Differentiable<F: Lanes>: Shape<F> {
    /// |F_latt| and its derivatives, at any index.
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F>;
}

/// Marker type of a shape, independent of the SIMD level. A loop is compiled for each.
pub(crate) trait ShapeKind {
    /// Whether F_latt is exactly 0 nearly everywhere.
    const SPARSE: bool;
    /// Whether the loop must run over pairs of vectors: two of f64 narrow into one of f32.
    const NEEDS_PAIRS: bool;
    /// The shape at a level.
    type At<F: Lanes>: Shape<F>;
    /// The shape of `lattice`, at a level.
    fn at<L: Level>(level: L, crystallite: &Crystallite) -> Self::At<L::F>;
}

/// Marker type of a shape for whose derivatives a separate loop is compiled.
pub(crate) trait DifferentiableKind {
    /// The shape of `lattice`, at a level.
    fn differentiable<L: Level>(level: L, crystallite: &Crystallite) -> impl Differentiable<L::F>;
}

/// Defines the marker type of a shape, which is independent of the SIMD level.
macro_rules! shape_kind {
    ($kind:ident, $shape:ident, sparse: $sparse:expr, pairs: $pairs:literal) => {
        #[doc = concat!("[`", stringify!($shape), "`], independent of the SIMD level.")]
        pub(crate) struct $kind;

        impl $crate::lattice::ShapeKind for $kind {
            const SPARSE: bool = $sparse;
            const NEEDS_PAIRS: bool = $pairs;
            type At<F: $crate::lanes::Lanes> = $shape<F>;
            #[inline(always)]
            fn at<L: $crate::lanes::Level>(
                level: L,
                crystallite: &$crate::lattice::Crystallite,
            ) -> $shape<L::F> {
                $shape::new(level, crystallite)
            }
        }
    };
}

/// Implements [`DifferentiableKind`] for the marker type of a shape.
macro_rules! differentiable_kind {
    ($kind:ident, $shape:ident) => {
        impl $crate::lattice::DifferentiableKind for $kind {
            #[inline(always)]
            fn differentiable<L: $crate::lanes::Level>(
                level: L,
                crystallite: &$crate::lattice::Crystallite,
            ) -> impl $crate::lattice::Differentiable<L::F> {
                $shape::new(level, crystallite)
            }
        }
    };
}

pub(super) use {differentiable_kind, shape_kind};
