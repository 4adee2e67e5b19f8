//! Which of the grids of structure factors each source has, and runs of sources that have the same.

use super::{Scene, SceneParts};
use crate::Error;
use crate::beam::Source;
use crate::error::require;

/// Sources that follow each other and have the same grid.
pub(crate) struct SourceRun<'a> {
    /// Index of the first.
    pub(crate) first: usize,
    /// The sources, at least one.
    pub(crate) sources: &'a [Source],
    /// Index of their grid.
    pub(crate) grid: usize,
}

impl<'a> Scene<'a> {
    /// The grid of a source.
    pub(crate) fn grid_of(&self, source: usize) -> usize {
        let grid = self.p.source_grids.and_then(|grids| grids.get(source));
        grid.map_or(0, |&grid| grid as usize)
    }

    /// The run that begins with source `first`: as many sources as have the same grid, or with `by_source` one alone.
    /// `None` past the last source.
    ///
    /// Out of line, so that it is compiled once and not again for each loop.
    #[inline(never)]
    pub(crate) fn source_run(&self, first: usize, by_source: bool) -> Option<SourceRun<'a>> {
        let rest = self.p.sources.get(first..).filter(|rest| !rest.is_empty())?;
        let grid = self.grid_of(first);
        let count = match self.p.source_grids {
            _ if by_source => 1,
            None => rest.len(),
            Some(_) => (first..first + rest.len()).take_while(|&source| self.grid_of(source) == grid).count(),
        };
        Some(SourceRun { first, sources: rest.get(..count)?, grid })
    }
}

/// Checks that each source has a grid that exists.
pub(super) fn check_source_grids(p: &SceneParts<'_>) -> Result<(), Error> {
    let Some(grids) = p.source_grids else { return Ok(()) };
    let (needed, given) = (p.sources.len(), grids.len());
    let Some(used) = grids.get(..needed) else {
        return Err(Error::BufferTooShort { buffer: "grids of sources", needed, given });
    };
    let count = p.structure_factors.grid.map_or(0, |grid| grid.grids());
    used.iter().try_for_each(|&grid| require_grid(grid, count))
}

/// Refuses the index of a grid that is not one of `count`.
pub(super) fn require_grid(grid: u32, count: usize) -> Result<(), Error> {
    require((grid as usize) < count, "grid of a source", f64::from(grid), "below the number of grids")
}
