//! The interface of a structure factor lookup: from Miller indices to F_cell and its derivatives, for lanes.

use super::StructureFactors;
use crate::lanes::{Lanes, Level};
use crate::lattice::{Indices, Narrowed};
use crate::span::PerPixel;

/// Nodes h, k, l of the pixels of a span, and their values, saved from one sample of the pixels to the next.
pub(crate) type SavedNodes = [PerPixel; 4];

/// A lookup of F_cell for the lanes of one SIMD level.
///
/// The loops call [`Lookup::locate`] and read F_cell from the [`Located`] that it returns. Implementations
/// provide the other methods.
pub(crate) trait Lookup<F: Lanes> {
    /// Whether F_cell varies between nodes.
    const SMOOTH: bool;

    /// The indices `hkl` with their nearest integers.
    #[inline(always)]
    fn indices(&mut self, hkl: [F; 3]) -> Indices<F> {
        Indices::new(hkl)
    }
    /// [`Lookup::indices`], and the offsets in f32 for mixed precision.
    #[inline(always)]
    fn indices_mixed(&mut self, hkl: [F; 3]) -> (Indices<F>, Narrowed<F::Narrow>) {
        let indices = self.indices(hkl);
        (indices, indices.narrowed())
    }
    /// See [`Located::is_zero`].
    #[inline(always)]
    fn is_zero(&mut self) -> bool {
        false
    }
    /// See [`Located::f_cell`].
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F;
    /// See [`Located::f_cell_derivatives`].
    #[inline(always)]
    fn f_cell_derivatives(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> (F, [F; 3]) {
        let f_cell = self.f_cell(indices, active, evaluation);
        (f_cell, [f_cell.splat_like(0.0); 3])
    }
    /// See [`Located::scatter`].
    fn scatter(
        &self,
        indices: &Indices<F>,
        active: F::Mask,
        evaluation: u64,
        amount: F,
        sums: &mut [f64],
    ) -> F;

    /// Looks F_cell up in this one of the grids from now on.
    #[inline(always)]
    fn choose_grid(&mut self, _grid: usize) {}
    /// Saves the nodes last used for the pixels from `at` on, for [`Lookup::restore`].
    #[inline(always)]
    fn save(&self, _: &mut SavedNodes, _: usize) {}
    /// Restores the nodes that were saved for the pixels from `at` on.
    #[inline(always)]
    fn restore(&mut self, _: &SavedNodes, _: usize) {}
    /// Number of evaluations so far that fell back to the nearest node.
    fn fallbacks(&self) -> u64 {
        0
    }
    /// Returns for each lane the first evaluation that would fall back, or infinity, and resets the record
    /// for the next pixels.
    fn take_first_fallback(&mut self) -> Option<F> {
        None
    }

    /// The place of a scattering vector on the grid.
    #[inline(always)]
    fn locate(&mut self, hkl: [F; 3]) -> Located<'_, F, Self>
    where
        Self: Sized,
    {
        let indices = self.indices(hkl);
        Located { indices, lookup: self }
    }
    /// [`Lookup::locate`] with the offsets in f32.
    #[inline(always)]
    fn locate_mixed(&mut self, hkl: [F; 3]) -> (Located<'_, F, Self>, Narrowed<F::Narrow>)
    where
        Self: Sized,
    {
        let (indices, narrowed) = self.indices_mixed(hkl);
        (Located { indices, lookup: self }, narrowed)
    }
}

/// The place of a scattering vector on the grid. It borrows the lookup, which remembers one place at a time.
#[derive(Debug)]
pub(crate) struct Located<'l, F, K> {
    pub(crate) indices: Indices<F>,
    lookup: &'l mut K,
}

impl<F: Lanes, K: Lookup<F>> Located<'_, F, K> {
    /// Whether F_cell is already known to be 0 in all lanes. With `false`, F_cell is either unknown or not 0.
    #[inline(always)]
    pub(crate) fn is_zero(&mut self) -> bool {
        self.lookup.is_zero()
    }

    /// F_cell of the lanes in `active`; other lanes have unspecified values. `evaluation` counts the steps of
    /// the pixel.
    #[inline(always)]
    pub(crate) fn f_cell(&mut self, active: F::Mask, evaluation: u64) -> F {
        self.lookup.f_cell(&self.indices, active, evaluation)
    }

    /// [`Located::f_cell`] and its derivatives with respect to h, k, l, which are 0 unless
    /// [`Lookup::SMOOTH`].
    #[inline(always)]
    pub(crate) fn f_cell_derivatives(&mut self, active: F::Mask, evaluation: u64) -> (F, [F; 3]) {
        self.lookup.f_cell_derivatives(&self.indices, active, evaluation)
    }

    /// Adds `amount` times the derivative of F_cell with respect to each node of the grid to `sums`, for the
    /// lanes in `active`. Returns the derivative with respect to default_F.
    #[inline(always)]
    pub(crate) fn scatter(&self, active: F::Mask, evaluation: u64, amount: F, sums: &mut [f64]) -> F {
        self.lookup.scatter(&self.indices, active, evaluation, amount, sums)
    }
}

/// How the structure factors of a span of pixels are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookupPlan {
    /// default_F everywhere.
    Uniform,
    /// The nearest node.
    Nearest,
    /// Tricubic before evaluation `until` of the pixel, the nearest node from there on.
    Tricubic { until: u64 },
    /// Looks nothing up, and finds the evaluation at which the reference would stop interpolating.
    LatchScan,
}

/// The structure factors, and how to look them up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LookupTable<'a> {
    pub(crate) factors: StructureFactors<'a>,
    pub(crate) plan: LookupPlan,
}

/// Marker type of a lookup, independent of the SIMD level. A loop is compiled for each.
pub(crate) trait LookupKind {
    /// Whether pairs of vectors are faster than single vectors. They are not faster where lanes often share a
    /// block of nodes.
    const PAIRS_WELL: bool;
    /// The lookup at a level.
    type At<'a, F: Lanes + 'a>: Lookup<F>;
    /// The lookup in `table`, at a level.
    fn at<'a, L: Level>(level: L, table: &LookupTable<'a>) -> Self::At<'a, L::F>;
}

/// Defines the marker type of a lookup.
macro_rules! lookup_kind {
    ($kind:ident, $lookup:ident $(<$a:lifetime>)?, pairs well: $pairs:literal) => {
        #[doc = concat!("[`", stringify!($lookup), "`], independent of the SIMD level.")]
        pub(crate) struct $kind;

        impl $crate::structure_factor::LookupKind for $kind {
            const PAIRS_WELL: bool = $pairs;
            type At<'a, F: $crate::lanes::Lanes + 'a> = $lookup<$($a,)? F>;
            #[inline(always)]
            fn at<'a, L: $crate::lanes::Level>(
                level: L,
                table: &$crate::structure_factor::LookupTable<'a>,
            ) -> $lookup<$($a,)? L::F> {
                $lookup::new(level, table)
            }
        }
    };
}

pub(super) use lookup_kind;
