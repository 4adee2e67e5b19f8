//! Spots sorted by the spans of pixels that they touch.

use core::marker::PhantomData;
use core::ops::Range;

use super::search::Found;
use super::spots::Spot;
use super::{Light, lane_of, lanes_in};
use crate::Error;
use crate::lanes::{BaseLevel, LaneMask, Lanes, WithSimd};
use crate::scene::Scene;
use crate::span::SPAN;

/// How long the buffers of a [`SpotList`] must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLen {
    /// Elements of `spans`: one for each span of 256 pixels of each row.
    pub spans: usize,
    /// Elements of `cells`: at most one for each span that a spot touches.
    pub cells: usize,
}

/// The pixels of a spot in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Source and orientation of the spot.
    pub(crate) pair: u32,
    /// h, k, l.
    pub(crate) node: [i16; 3],
    /// First and last pixel of the span.
    pub(crate) pixels: [u8; 2],
}

/// The spots of some pairs on some rows, sorted by the spans of pixels that they touch.
#[derive(Debug, Clone, Copy)]
pub struct SpotList<'b> {
    /// First row.
    first_row: usize,
    /// Spans of a row.
    spans: usize,
    pub(super) pairs: [usize; 2],
    /// Where its spots are cut off.
    pub(super) lowest_exponent: f64,
    /// Where the cells of each span begin and end.
    ranges: &'b [[u32; 2]],
    /// In the order of their pairs in each span.
    cells: &'b [Cell],
    /// The scene that the spots belong to, which a list borrows as it does its buffers.
    pub(super) scene: SceneAddress<'b>,
}

impl<'s> Light<'s, '_> {
    /// How long the buffers of the list of some spots must be.
    #[must_use]
    pub fn list_len(&self, rows: Range<usize>, spots: &[Spot]) -> ListLen {
        let grid = SpanGrid::new(self.scene, &rows);
        let cells = spots.iter().map(|spot| grid.most_cells(spot)).fold(0, usize::saturating_add);
        ListLen { spans: grid.len(), cells }
    }

    /// Sorts the spots that [`Light::find`] has found on `rows`, which must be those of that call.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for a buffer shorter than [`Light::list_len`] says, [`Error::TooLarge`] for more than 2^32
    /// cells.
    pub fn list(
        &self,
        rows: Range<usize>,
        found: &Found,
        spots: &[Spot],
        spans: &'s mut [[u32; 2]],
        cells: &'s mut [Cell],
    ) -> Result<SpotList<'s>, Error> {
        let too_short = |buffer, needed, given| Error::BufferTooShort { buffer, needed, given };
        let spots = spots.get(..found.spots).ok_or(too_short("spots", found.spots, spots.len()))?;
        let needed = self.list_len(rows.clone(), spots);
        if u32::try_from(needed.cells).is_err() {
            return Err(Error::TooLarge { quantity: "list of spots" });
        }
        let given = (spans.len(), cells.len());
        let ranges = spans.get_mut(..needed.spans).ok_or(too_short("spans", needed.spans, given.0))?;
        let cells = cells.get_mut(..needed.cells).ok_or(too_short("cells", needed.cells, given.1))?;
        let grid = SpanGrid::new(self.scene, &rows);
        // As many cells as there are at most; then each span grows from its beginning as its cells come.
        ranges.fill([0; 2]);
        for spot in spots {
            grid.each_span(spot, |span| {
                if let Some([_, count]) = ranges.get_mut(span) {
                    *count += 1;
                }
            });
        }
        let mut begin = 0;
        for range in ranges.iter_mut() {
            let [_, count] = *range;
            *range = [begin; 2];
            begin += count;
        }
        self.scene.p.simd.run(CellsPass { grid: &grid, spots, ranges, cells });
        let pairs = [found.pairs.start, found.pairs.end];
        let scene = SceneAddress::of(self.scene);
        let lowest_exponent = self.reach.lowest_exponent;
        Ok(SpotList {
            first_row: rows.start,
            spans: grid.spans,
            pairs,
            lowest_exponent,
            ranges,
            cells,
            scene,
        })
    }
}

impl<'b> SpotList<'b> {
    /// The cells of a span of a row; `None` for a row that is not listed.
    pub(crate) fn in_span(&self, slow: usize, span: usize) -> Option<&'b [Cell]> {
        let at = slow.checked_sub(self.first_row)?.checked_mul(self.spans)?.checked_add(span)?;
        let &[begin, end] = self.ranges.get(at)?;
        self.cells.get(begin as usize..end as usize)
    }

    /// Whether all of `rows` are listed.
    pub(super) fn holds(&self, rows: &Range<usize>) -> bool {
        let listed = self.ranges.len() / self.spans.max(1);
        rows.is_empty() || (self.first_row <= rows.start && rows.end <= self.first_row + listed)
    }
}

/// The spans of some rows.
struct SpanGrid {
    rows: Range<usize>,
    /// First column of the first span.
    first: usize,
    spans: usize,
    /// Distance of the first sample from the edge of its pixel, in pixels.
    inset_px: f64,
}

impl SpanGrid {
    fn new(scene: &Scene<'_>, rows: &Range<usize>) -> Self {
        let roi = scene.p.roi;
        let spans = (roi.fast_max + 1 - roi.fast_min).div_ceil(SPAN);
        let inset_px = 0.5 / scene.p.oversample.per_axis as f64;
        Self { rows: rows.clone(), first: roi.fast_min, spans, inset_px }
    }

    fn len(&self) -> usize {
        self.rows.len().saturating_mul(self.spans)
    }

    fn rows_of(&self, spot: &Spot) -> Range<usize> {
        let [top, bottom] = spot.rows.map(usize::from);
        top.max(self.rows.start)..(bottom + 1).min(self.rows.end)
    }

    /// Columns counted from the first one, first and last.
    fn after_first(&self, columns: [u16; 2]) -> [usize; 2] {
        columns.map(|column| usize::from(column).saturating_sub(self.first))
    }

    /// At least as many cells as a spot has.
    fn most_cells(&self, spot: &Spot) -> usize {
        let [from, to] = self.after_first(spot.columns);
        self.rows_of(spot).len() * (to / SPAN - from / SPAN + 1)
    }

    /// Calls `span` with the number of each span that a spot may touch.
    fn each_span(&self, spot: &Spot, mut span: impl FnMut(usize)) {
        let [from, to] = self.after_first(spot.columns);
        for row in self.rows_of(spot) {
            let first = (row - self.rows.start) * self.spans;
            (from / SPAN..to / SPAN + 1).for_each(|at| span(first + at));
        }
    }
}

/// Sorts the cells of spots by the spans that they are in.
struct CellsPass<'p> {
    grid: &'p SpanGrid,
    spots: &'p [Spot],
    /// Where the cells of each span begin, and where they end so far.
    ranges: &'p mut [[u32; 2]],
    cells: &'p mut [Cell],
}

impl CellsPass<'_> {
    /// Adds the cells of a spot in a row, between two columns.
    #[inline(always)]
    fn add(&mut self, spot: &Spot, row: usize, columns: [u16; 2]) {
        let [from, to] = self.grid.after_first(columns);
        let first = (row - self.grid.rows.start) * self.grid.spans;
        for span in from / SPAN..to / SPAN + 1 {
            let Some([_, end]) = self.ranges.get_mut(first + span) else { continue };
            if let Some(cell) = self.cells.get_mut(*end as usize) {
                let start = span * SPAN;
                let pixels = [from.max(start) - start, to.min(start + SPAN - 1) - start];
                *cell = Cell { pair: spot.pair, node: spot.node, pixels: pixels.map(|pixel| pixel as u8) };
            }
            *end += 1;
        }
    }
}

impl WithSimd for CellsPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(mut self, level: L) {
        for spot in self.spots {
            let rows = self.grid.rows_of(spot);
            for row in rows.clone().step_by(L::F::LEN) {
                let each = level.ramp(row as f64, f64::INFINITY);
                let [from, to] = spot.outline.columns(each, self.grid.inset_px, spot.columns);
                let bits = from.le(to).first_bits(rows.end - row);
                let (from, to) = (from.to_array(), to.to_array());
                for lane in lanes_in(bits) {
                    let columns = [lane_of(&from, lane) as u16, lane_of(&to, lane) as u16];
                    self.add(spot, row + lane, columns);
                }
            }
        }
    }
}

/// The address of a scene, which no other scene has as long as it is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SceneAddress<'s>(usize, PhantomData<&'s ()>);

impl<'s> SceneAddress<'s> {
    pub(super) fn of(scene: &'s Scene<'_>) -> Self {
        Self(core::ptr::from_ref(scene).cast::<()>() as usize, PhantomData)
    }
}
