//! The grid of structure factors of an experiment, or one for each channel of wavelengths, in f64 or f32.
//!
//! f32 nodes take half the memory, and the kernel computes with exactly the same numbers where every F is one that f32
//! holds. Measured F mostly are: columns of an MTZ file are f32.

use bytemuck::{cast_slice, cast_slice_mut, cast_vec};
use widebragg::Error;
use widebragg::structure_factor::{HklGrid, Nodes};
use widebragg_formats::hkl_table::HklTable;
use widebragg_reflections::index_box::IndexBox;

/// The numbers that a grid is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GridNumbers {
    /// f32 where it holds every F exactly, else f64.
    #[default]
    Auto,
    /// f32; F are rounded to it.
    F32,
    /// f64.
    F64,
}

impl GridNumbers {
    /// All choices.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::F32, Self::F64];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// What a grid in these numbers has of an F.
    #[must_use]
    pub fn rounded(self, f: f64) -> f64 {
        match self {
            Self::F32 => f64::from(f as f32),
            Self::Auto | Self::F64 => f,
        }
    }
}

/// Structure factors on a box of Miller indices, owned.
///
/// ```
/// use widebragg_experiment::factor_grid::{FactorGrid, GridNumbers};
/// use widebragg_formats::hkl_table::{HklTable, MAX_CELLS};
///
/// let table = |f| HklTable::filled((-5, 5), (-5, 5), (0, 9), f, MAX_CELLS);
/// let (whole, decimal) = (table(12.0)?, table(12.1)?);
/// assert_eq!(FactorGrid::new(whole, GridNumbers::Auto).name(), "f32");
/// assert_eq!(FactorGrid::new(decimal.clone(), GridNumbers::Auto).name(), "f64");
/// let rounded = FactorGrid::new(decimal, GridNumbers::F32);
/// assert_eq!((rounded.is_rounded(), rounded.nodes().get(0)), (true, Some(f64::from(12.1f32))));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FactorGrid {
    bounds: IndexBox,
    nodes: OwnedNodes,
    /// For each source its grid, where there are several.
    of_source: Option<Vec<u32>>,
}

#[derive(Debug, Clone, PartialEq)]
enum OwnedNodes {
    F64(Vec<f64>),
    /// Two nodes in each word, the earlier first in memory.
    F32 {
        words: Vec<u64>,
        count: usize,
        rounded: bool,
    },
}

impl FactorGrid {
    /// The grid of a table, in these numbers.
    #[must_use]
    pub fn new(table: HklTable, numbers: GridNumbers) -> Self {
        Self::several(table.bounds(), table.data, None, numbers)
    }

    /// Grids over the same box, whose values follow each other; `of_source` is the index of the grid of each source of the
    /// experiment, `None` where all have the first.
    #[must_use]
    pub fn several(
        bounds: IndexBox,
        values: Vec<f64>,
        of_source: Option<Vec<u32>>,
        numbers: GridNumbers,
    ) -> Self {
        let is_exact = || values.iter().all(|&f| f64::from(f as f32) == f);
        let (narrow, rounded) = match numbers {
            GridNumbers::F64 => (false, false),
            GridNumbers::Auto => (is_exact(), false),
            GridNumbers::F32 => (true, !is_exact()),
        };
        let nodes = if narrow { narrowed(values, rounded) } else { OwnedNodes::F64(values) };
        Self { bounds, nodes, of_source }
    }

    /// The box of each grid.
    #[must_use]
    pub fn bounds(&self) -> IndexBox {
        self.bounds
    }

    /// The smallest h, k, l.
    #[must_use]
    pub fn min(&self) -> [i32; 3] {
        let IndexBox { h, k, l } = self.bounds;
        [h.0, k.0, l.0]
    }

    /// The number of nodes along h, k, l.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.bounds.shape()
    }

    /// The number of grids.
    #[must_use]
    pub fn grids(&self) -> usize {
        self.nodes().count() / self.shape().iter().product::<usize>().max(1)
    }

    /// The index of the grid of each source; `None` where there is one for all.
    #[must_use]
    pub fn of_source(&self) -> Option<&[u32]> {
        self.of_source.as_deref()
    }

    /// The values, h-major, l fastest, of all grids.
    #[must_use]
    pub fn nodes(&self) -> Nodes<'_> {
        match &self.nodes {
            OwnedNodes::F64(values) => Nodes::F64(values),
            OwnedNodes::F32 { words, count, .. } => {
                let values: &[f32] = cast_slice(words);
                Nodes::F32(values.get(..*count).unwrap_or(values))
            }
        }
    }

    /// The value of an index in one of the grids; `None` outside the box.
    #[must_use]
    pub fn value(&self, grid: usize, hkl: [i32; 3]) -> Option<f64> {
        let position = self.bounds.position(hkl)?;
        self.nodes().get(grid * self.shape().iter().product::<usize>() + position)
    }

    /// The name of its numbers, f32 or f64.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.nodes {
            OwnedNodes::F64(_) => GridNumbers::F64.name(),
            OwnedNodes::F32 { .. } => GridNumbers::F32.name(),
        }
    }

    /// Whether a value is not exactly what it was made of.
    #[must_use]
    pub fn is_rounded(&self) -> bool {
        matches!(self.nodes, OwnedNodes::F32 { rounded: true, .. })
    }

    /// The grid as the kernel borrows it.
    pub(crate) fn kernel_grid(&self) -> Result<HklGrid<'_>, Error> {
        HklGrid::several(self.min(), self.shape(), self.grids(), self.nodes())
    }
}

/// The values in f32, in the first half of their memory; the rest is given back. A copy would need half as much again,
/// which may not be there.
fn narrowed(values: Vec<f64>, rounded: bool) -> OwnedNodes {
    let count = values.len();
    let mut words: Vec<u64> = cast_vec(values);
    for node in 0..count {
        let value = f64::from_bits(words[node]) as f32;
        let halves: &mut [u32] = cast_slice_mut(&mut words);
        halves[node] = value.to_bits();
    }
    words.truncate(count.div_ceil(2));
    words.shrink_to_fit();
    OwnedNodes::F32 { words, count, rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(data: Vec<f64>) -> HklTable {
        HklTable { h: (-1, 0), k: (2, 2), l: (0, data.len() as i32 / 2 - 1), data }
    }

    #[test]
    fn exact_values_are_narrowed_and_others_are_not() {
        for count in [2, 6, 34] {
            let exact: Vec<f64> = (0..count).map(|i| f64::from(0.1f32) * f64::from(1 << i.min(20))).collect();
            let grid = FactorGrid::new(table(exact.clone()), GridNumbers::Auto);
            let as_f64 = FactorGrid::new(table(exact.clone()), GridNumbers::F64);
            assert_eq!((grid.name(), grid.is_rounded(), grid.nodes().count()), ("f32", false, exact.len()));
            assert_eq!((as_f64.name(), grid.nodes().bytes()), ("f64", as_f64.nodes().bytes() / 2));
            for (i, f) in exact.iter().enumerate() {
                assert_eq!([grid.nodes().get(i), as_f64.nodes().get(i)], [Some(*f); 2]);
            }
            let mut other = exact;
            other[1] = 0.1;
            let kept = FactorGrid::new(table(other.clone()), GridNumbers::Auto);
            assert_eq!((kept.name(), kept.nodes()), ("f64", Nodes::F64(&other)));
            let rounded = FactorGrid::new(table(other), GridNumbers::F32);
            assert_eq!((rounded.is_rounded(), rounded.nodes().get(1)), (true, Some(f64::from(0.1f32))));
        }
    }

    #[test]
    fn values_beyond_the_range_of_f32_are_none_that_it_holds() {
        for beyond in [1e39, 1e-46, f64::MAX] {
            let grid = FactorGrid::new(table(vec![1.0, beyond]), GridNumbers::Auto);
            assert_eq!(grid.name(), "f64");
        }
        assert_eq!(FactorGrid::new(table(vec![0.0, -0.0]), GridNumbers::Auto).name(), "f32");
    }
}
