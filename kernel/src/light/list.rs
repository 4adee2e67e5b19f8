//! Spots sorted by the spans of pixels that they touch.

use core::marker::PhantomData;
use core::ops::Range;

use super::Light;
use super::search::{Found, Spot, pixels_with_samples};
use crate::Error;
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
        for spot in spots {
            grid.each_cell(spot, |span, pixels| {
                if let Some([_, end]) = ranges.get_mut(span) {
                    if let Some(cell) = cells.get_mut(*end as usize) {
                        *cell = Cell { pair: spot.pair, node: spot.node, pixels };
                    }
                    *end += 1;
                }
            });
        }
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

    /// Calls `cell` with the number of each span that a spot touches, and with its first and last pixel there.
    fn each_cell(&self, spot: &Spot, mut cell: impl FnMut(usize, [u8; 2])) {
        for row in self.rows_of(spot) {
            let heights = [row as f64 + self.inset_px, row as f64 + 1.0 - self.inset_px];
            let chord = spot.outline.chord(heights);
            let Some(columns) = pixels_with_samples(chord, self.inset_px, spot.columns) else { continue };
            let [from, to] = self.after_first(columns);
            for span in from / SPAN..to / SPAN + 1 {
                let start = span * SPAN;
                let pixels = [from.max(start) - start, to.min(start + SPAN - 1) - start];
                cell((row - self.rows.start) * self.spans + span, pixels.map(|pixel| pixel as u8));
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
