//! F_cell: structure factors on a dense grid over h, k, l, looked up at the nearest node or interpolated.
//!
//! **Layout.** h-major, l fastest: element ((h - h_min) nk + (k - k_min)) nl + (l - l_min) of a slice of f64 or f32
//! that the caller owns. All arithmetic is in f64.
//!
//! **Formulas.** Nearest: the grid value inside the box, else default_F. Tricubic: cubic Lagrange through the
//! 4 x 4 x 4 nodes floor-1 .. floor+2, along l, then k, then h. The block is usable where h - 2 >= h_min and
//! h - h_min + 3 <= number of h, and likewise for k and l; elsewhere the nearest value is used.
//!
//! **Source.** The reference's lookup and `polin3`. **Accuracy.** Interpolation reproduces nodes exactly and
//! cubics to 1e-13 (`tests/tests/kernel_structure_factor.rs`).
//!
//! ```
//! use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};
//! // F(0,0,0) = 1 and F(0,0,1) = 2; all others are 5.
//! let grid = HklGrid::new([0, 0, 0], [1, 1, 2], &[1.0, 2.0])?;
//! let factors = StructureFactors { grid: Some(grid), default_f: 5.0, lookup: LookupRule::Nearest };
//! # assert_eq!(factors.grid.map(|grid| grid.shape()), Some([1, 1, 2]));
//! # Ok::<(), widebragg::Error>(())
//! ```

mod any;
mod grid;
mod latch;
mod lookup;
mod nearest;
mod nodes;
mod tricubic;
mod uniform;

pub(crate) use any::AnyLookup;
pub use grid::HklGrid;
pub use latch::LatchPoint;
pub(crate) use lookup::{Located, Lookup, LookupKind, LookupPlan, LookupTable, SavedNodes};
pub(crate) use nearest::{Nearest, NearestKind};
pub use nodes::Nodes;
pub use tricubic::tricubic;
pub(crate) use tricubic::{Tricubic, TricubicKind};
pub(crate) use uniform::UniformKind;

/// The structure factors of a scene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StructureFactors<'a> {
    /// The grid, or several over the same box; with `None` every reflection has `default_f`.
    pub grid: Option<HklGrid<'a>>,
    /// Structure factor of reflections outside the grid.
    pub default_f: f64,
    /// How values between nodes are found.
    pub lookup: LookupRule,
}

/// Nearest node or interpolation, and what happens near the edge of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LookupRule {
    /// The value at the nearest node.
    #[default]
    Nearest,
    /// Tricubic; an evaluation whose block is not usable takes the nearest value and is counted.
    Tricubic,
    /// The reference's rule: tricubic up to an evaluation, nearest from there on, for good.
    TricubicUntil(LatchPoint),
}

impl<'a> StructureFactors<'a> {
    /// The grid, or one without nodes.
    pub(crate) fn grid_or_empty(&self) -> HklGrid<'a> {
        self.grid.unwrap_or(HklGrid::EMPTY)
    }

    /// F_cell at a node, in one of the grids.
    pub(crate) fn at_node(&self, grid: usize, node: [i32; 3]) -> f64 {
        self.grid.and_then(|grids| grids.value(grid, node)).unwrap_or(self.default_f)
    }

    /// The largest |F_cell|, of all grids.
    pub(crate) fn largest(&self) -> f64 {
        self.grid.map_or(0.0, |grid| grid.largest()).max(self.default_f.abs())
    }
}
