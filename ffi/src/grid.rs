//! Structure factors on a grid of the caller's.

use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};

use crate::memory::{Stretch, input, stretch};
use crate::status::Refusal;

/// A dense grid of structure factors: element ((h - h_min) nk + (k - k_min)) nl + (l - l_min).
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_grid {
    /// The values; NULL: every reflection has `default_f`.
    pub f: *const f64,
    /// How many values `f` holds.
    pub f_len: usize,
    /// Smallest h, k, l.
    pub hkl_min: [i32; 3],
    /// Nodes along h, k, l.
    pub hkl_len: [usize; 3],
    /// F of what is outside the grid.
    pub default_f: f64,
}

impl wb_grid {
    /// The stretch that is read; `None` where there is no grid.
    pub(crate) fn stretch(&self) -> Result<Option<Stretch>, Refusal> {
        if self.f.is_null() {
            if self.f_len == 0 {
                return Ok(None);
            }
            return Err(Refusal::length("grid.f, which is NULL", 0, self.f_len));
        }
        stretch(self.f, self.f_len, "grid.f").map(Some)
    }

    /// The grid as the kernel has it; all its values are looked at.
    ///
    /// # Safety
    /// `f` holds `f_len` numbers, which nobody writes while `'a` lasts.
    pub(crate) unsafe fn factors<'a>(&self, lookup: LookupRule) -> Result<StructureFactors<'a>, Refusal> {
        if !self.default_f.is_finite() {
            return Err(Refusal::range("default_f", self.default_f, "finite"));
        }
        let grid = match self.stretch()? {
            None => None,
            Some(_) => {
                // SAFETY: the stretch was accepted; the rest is what this function requires.
                let f = unsafe { input(self.f, self.f_len) };
                Some(HklGrid::new(self.hkl_min, self.hkl_len, f)?)
            }
        };
        Ok(StructureFactors { grid, default_f: self.default_f, lookup })
    }
}
