//! A selection of the pixels of an image, and its pixels alone: those that a refinement uses, or that tell how two
//! images differ.
//!
//! A refinement uses the pixels within a limit of |s|, and the most informative of these where there are too many.
//! Where more than [`MOST`] pixels are within the limit, they are selected in blocks of `BLOCK` neighbours,
//! since neighbouring pixels are rendered together as one SIMD vector. Nine of ten blocks are those with the
//! largest sum of (data + model)
//! |s|, that is, with strong spots that move far. The others are evenly spaced, so that spots of the model
//! without data count as well. Blocks with equal sums are selected in order, so that the selection does not
//! depend on the number of threads.

use core::cmp::Ordering;
use core::ops::Range;

use rayon::prelude::*;
use widebragg_formats::memory::{filled, reserved};

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};

/// Largest number of pixels of a selection.
pub const MOST: usize = 200_000;
/// Number of neighbours in a row that are selected together: the lanes of the widest vectors.
const BLOCK: usize = 8;
/// One in this many blocks is selected whatever its score.
const SPREAD: usize = 10;

/// A selection of the pixels of an image, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// 1 for selected pixels, 0 for others.
    mask: Vec<u16>,
    /// Indices of the selected pixels.
    indices: Vec<usize>,
    /// Number of pixels of a row of the image.
    columns: usize,
    /// Rows with selected pixels, and the range of these in the selection.
    rows: Vec<(usize, Range<usize>)>,
}

impl Selection {
    /// Selects the pixels for which `takes` returns true, of `pixels` pixels in rows of `columns`.
    ///
    /// # Errors
    /// No memory.
    pub fn new(pixels: usize, columns: usize, takes: impl Fn(usize) -> bool + Sync) -> Result<Self, Failure> {
        let mut mask = filled(pixels, 0u16).ok_or_else(no_memory)?;
        mask.par_iter_mut().enumerate().for_each(|(i, taken)| *taken = u16::from(takes(i)));
        let selected = || mask.iter().enumerate().filter(|(_, taken)| **taken > 0).map(|(i, _)| i);
        let mut indices = reserved(selected().count()).ok_or_else(no_memory)?;
        indices.extend(selected());
        let mut rows: Vec<(usize, Range<usize>)> = Vec::new();
        for (at, index) in indices.iter().enumerate() {
            match rows.last_mut() {
                Some((row, range)) if *row == index / columns => range.end = at + 1,
                _ => rows.push((index / columns, at..at + 1)),
            }
        }
        Ok(Self { mask, indices, columns, rows })
    }

    /// Number of selected pixels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether no pixel is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The selection as a mask.
    #[must_use]
    pub fn mask(&self) -> &[u16] {
        &self.mask
    }

    /// Rows with selected pixels, and the range of these in the selection.
    #[must_use]
    pub fn rows(&self) -> &[(usize, Range<usize>)] {
        &self.rows
    }

    /// Indices of a range of the selection.
    pub fn indices(&self, range: &Range<usize>) -> impl Iterator<Item = usize> + '_ {
        self.indices.get(range.clone()).unwrap_or(&[]).iter().copied()
    }

    /// The index in the image of pixel `at` of the selection.
    #[must_use]
    pub fn index(&self, at: usize) -> Option<usize> {
        self.indices.get(at).copied()
    }

    /// The selected pixels of an image.
    #[must_use]
    pub fn of(&self, image: &[f32]) -> Vec<f64> {
        self.indices.iter().map(|&i| image.get(i).copied().map_or(f64::NAN, f64::from)).collect()
    }

    /// The [`MOST`] most informative pixels of the selection; `score` rates each of its pixels.
    ///
    /// # Errors
    /// No memory.
    pub fn thinned(self, columns: usize, score: &[f64]) -> Result<Self, Failure> {
        if self.len() <= MOST {
            return Ok(self);
        }
        // Index, number of pixels and total score of each block.
        let mut blocks: Vec<(usize, usize, f64)> = Vec::new();
        for (&index, &score) in self.indices.iter().zip(score) {
            let block = index / columns * columns.div_ceil(BLOCK) + index % columns / BLOCK;
            match blocks.last_mut() {
                Some((last, count, sum)) if *last == block => {
                    *count += 1;
                    *sum += score;
                }
                _ => blocks.push((block, 1, score)),
            }
        }
        let spread = blocks.len().div_ceil(MOST / BLOCK / SPREAD);
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        // The evenly spaced blocks first, then those with the largest scores.
        let key = |i: usize| (i.is_multiple_of(spread), blocks.get(i).map_or(0.0, |(_, _, sum)| *sum));
        order.sort_by(|&one, &other| match (key(one), key(other)) {
            ((true, _), (true, _)) => one.cmp(&other),
            ((true, _), _) => Ordering::Less,
            (_, (true, _)) => Ordering::Greater,
            ((_, a), (_, b)) => b.total_cmp(&a).then(one.cmp(&other)),
        });
        let mut taken = vec![false; blocks.len()];
        let mut room = MOST;
        for i in order {
            let Some((_, count, _)) = blocks.get(i) else { break };
            if *count > room {
                break;
            }
            room -= count;
            taken[i] = true;
        }
        let mut mask = vec![false; self.mask.len()];
        let mut pixels = self.indices.iter();
        for ((_, count, _), taken) in blocks.iter().zip(taken) {
            for &index in pixels.by_ref().take(*count) {
                mask[index] = taken;
            }
        }
        Self::new(mask.len(), columns, |i| mask.get(i).is_some_and(|&taken| taken))
    }
}

/// The selected pixels of a panel, or of an image that has no others: of `deep` images side by side, of the rows that
/// have been rendered so far.
pub(crate) struct Gathered<'s> {
    selection: &'s Selection,
    /// Rows of the panel that have selected pixels, and the range of these in the selection.
    rows: &'s [(usize, Range<usize>)],
    /// The first row of the panel in the image.
    first_row: usize,
    deep: usize,
    /// For each row that has selected pixels, these.
    kept: Vec<Vec<f64>>,
}

impl<'s> Gathered<'s> {
    /// Nothing yet, of the panel that has these rows of the image.
    pub(crate) fn new(selection: &'s Selection, panel: Range<usize>, deep: usize) -> Self {
        let before = |end: usize| selection.rows.partition_point(|(row, _)| *row < end);
        let rows = &selection.rows[before(panel.start)..before(panel.end)];
        Self { selection, rows, first_row: panel.start, deep, kept: Vec::new() }
    }

    /// From the first row of the panel that has selected pixels to the last one.
    pub(crate) fn all_rows(&self) -> Range<usize> {
        match (self.rows.first(), self.rows.last()) {
            (Some((first, _)), Some((last, _))) => first - self.first_row..last + 1 - self.first_row,
            _ => 0..0,
        }
    }

    /// The range of the panel's pixels in the selection.
    pub(crate) fn range(&self) -> Range<usize> {
        match (self.rows.first(), self.rows.last()) {
            (Some((_, first)), Some((_, last))) => first.start..last.end,
            _ => 0..0,
        }
    }

    /// Calls `render` for those of some rows of the panel that have selected pixels, to fill the row of the images.
    /// The rows of the calls follow each other.
    pub(crate) fn render(
        &mut self,
        rows: Range<usize>,
        render: impl Fn(usize, &mut [f64]) -> Result<(), Failure> + Sync,
    ) -> Result<(), Failure> {
        let (selection, deep, columns) = (self.selection, self.deep, self.selection.columns);
        let first_row = self.first_row;
        let rest = self.rows.get(self.kept.len()..).unwrap_or(&[]);
        let these = rest.split_at(rest.partition_point(|(row, _)| *row < first_row + rows.end)).0;
        let kept: Result<Vec<Vec<f64>>, Failure> = these
            .par_iter()
            .map_init(Vec::new, |images, (row, pixels)| {
                if images.is_empty() {
                    *images = room(columns * deep)?;
                }
                render(row - first_row, images)?;
                let mut kept = room(pixels.len() * deep)?;
                for (kept, image) in
                    kept.chunks_exact_mut(pixels.len().max(1)).zip(images.chunks_exact(columns))
                {
                    for (kept, pixel) in kept.iter_mut().zip(selection.indices(pixels)) {
                        *kept = image[pixel % columns];
                    }
                }
                Ok(kept)
            })
            .collect();
        self.kept.append(&mut kept?);
        Ok(())
    }

    /// The selected pixels of the panel, image by image.
    pub(crate) fn pixels(self) -> Result<Vec<f64>, Failure> {
        let Range { start: before, end } = self.range();
        let len = end - before;
        let mut all = room(len * self.deep)?;
        for (kept, (_, pixels)) in self.kept.iter().zip(self.rows) {
            for (image, kept) in kept.chunks_exact(pixels.len().max(1)).enumerate() {
                let start = image * len + pixels.start - before;
                all[start..start + kept.len()].copy_from_slice(kept);
            }
        }
        Ok(all)
    }
}

fn room(len: usize) -> Result<Vec<f64>, Failure> {
    filled(len, 0f64).ok_or_else(no_memory)
}

fn no_memory() -> Failure {
    Failure::no_memory(Part::Scene, "a selection of pixels")
}

/// Returns a predicate that is true for the index of a pixel in the region of interest that is not masked.
pub fn selected(experiment: &Experiment) -> impl Fn(usize) -> bool + Sync + '_ {
    |index| experiment.is_selected(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_order() {
        let image: Vec<f32> = (0..30).map(|i| i as f32).collect();
        let selection = Selection::new(30, 10, |i| i % 10 == 3 && i != 13 || i == 29).unwrap();
        assert_eq!(selection.of(&image), [3.0, 23.0, 29.0]);
        assert_eq!(selection.rows(), [(0, 0..1), (2, 1..3)]);
        assert_eq!(selection.mask().iter().sum::<u16>(), 3);
    }

    #[test]
    fn of_many_the_strong_and_some_of_the_others() {
        let (columns, rows) = (1003, 1000);
        let all = Selection::new(columns * rows, columns, |_| true).unwrap();
        let is_strong = |i: usize| i % columns / BLOCK == 7 && (i / columns).is_multiple_of(2);
        let score: Vec<f64> = (0..columns * rows).map(|i| if is_strong(i) { 5.0 } else { 1.0 }).collect();
        let some = all.thinned(columns, &score).unwrap();
        assert!(some.len() <= MOST && some.len() > MOST - BLOCK, "{}", some.len());
        assert!((0..columns * rows).all(|i| !is_strong(i) || some.mask()[i] == 1));
        let last_rows = some.rows().iter().filter(|(row, _)| *row > 900).count();
        assert!(last_rows > 90, "{last_rows} of the last rows");
    }
}
