//! Grids of structure factors in the caller's memory.

use widebragg::defaults;
use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};

use crate::memory::{Input, Region};
use crate::status::Failure;

/// Structure factors on a dense grid of Miller indices: element ((h - h_min) nk + (k - k_min)) nl + (l -
/// l_min).
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_grid {
    /// The values, in electrons; NULL with `f_len` 0: every reflection has `default_f`.
    pub f: *const f64,
    /// The number of values in `f`.
    pub f_len: usize,
    /// The smallest h, k, l.
    pub hkl_min: [i32; 3],
    /// The number of nodes along h, k, l.
    pub hkl_len: [usize; 3],
    /// The structure factor outside the grid, in electrons.
    pub default_f: f64,
}

impl wb_grid {
    /// No grid, which is the default.
    pub(crate) const NONE: Self = Self {
        f: core::ptr::null(),
        f_len: 0,
        hkl_min: [0; 3],
        hkl_len: [0; 3],
        default_f: defaults::DEFAULT_F,
    };

    /// The values, with their pointer checked; `None` if there is no grid.
    fn values(&self) -> Result<Option<Input<f64>>, Failure> {
        if !self.f.is_null() {
            return Input::array(self.f, self.f_len, "grid.f").map(Some);
        }
        match self.f_len {
            0 => Ok(None),
            given => Err(Failure::length("grid.f, which is NULL", 0, given)),
        }
    }

    /// The memory of the values; empty if there is no grid.
    pub(crate) fn region(&self) -> Result<Region, Failure> {
        Ok(self.values()?.map_or(Region::EMPTY, |values| values.region()))
    }

    /// The kernel's `count` grids over this box, one after the other in `f`. Every value is checked to be finite.
    ///
    /// # Safety
    /// `f` is NULL or points to `f_len` initialised numbers, which during `'a` are not written.
    pub(crate) unsafe fn factors<'a>(
        &self,
        count: usize,
        lookup: LookupRule,
    ) -> Result<StructureFactors<'a>, Failure> {
        if !self.default_f.is_finite() {
            return Err(Failure::range("default_f", self.default_f, "finite"));
        }
        let grid = match self.values()? {
            None => None,
            Some(values) => {
                // SAFETY: `values` is `f`, at which the caller guarantees `f_len` initialised numbers that
                // during 'a are not written.
                let f = unsafe { values.slice() };
                Some(HklGrid::several(self.hkl_min, self.hkl_len, count, f)?)
            }
        };
        Ok(StructureFactors { grid, default_f: self.default_f, lookup })
    }
}
