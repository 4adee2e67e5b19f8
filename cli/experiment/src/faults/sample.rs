//! Pixels that are spread evenly over the region of interest, in short runs of neighbours.
//!
//! Neighbours of a row share vectors, so that runs of them cost no more than single pixels. Of the runs of a row
//! every 1/p-th is taken, where p is the share that is wanted; from row to row the first one moves on by the golden
//! ratio, so that the runs fill the plane evenly and do not line up with anything in the image.

use rayon::prelude::*;

use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::gradient::selection::{Selection, selected};

/// Length of a run: two vectors of the widest kind, which a loop renders together.
pub(super) const RUN: usize = 16;

/// The golden ratio less 1: its multiples, less their whole parts, fill the interval from 0 to 1 most evenly.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Least number of pixels of a sample: a few runs.
const LEAST: usize = 4 * RUN;

/// About `wanted` of the pixels of an experiment, but at least [`LEAST`]; all where there are no more. Also returns
/// how many there are.
///
/// # Errors
/// No memory.
pub(super) fn sample(experiment: &Experiment, wanted: usize) -> Result<(Selection, usize), Failure> {
    let (pixels, columns) = (experiment.detector.pixels(), experiment.detector.fast_pixels);
    let is_there = selected(experiment);
    let all = (0..pixels).into_par_iter().filter(|&index| is_there(index)).count();
    let share = wanted.max(LEAST) as f64 / all.max(1) as f64;
    let first = experiment.roi.fast_min;
    let selection = Selection::new(pixels, columns, |index| {
        let (row, column) = (index / columns, index % columns);
        is_there(index) && is_taken(share, row, column.saturating_sub(first) / RUN)
    })?;
    if !selection.is_empty() {
        return Ok((selection, all));
    }
    // A mask can leave none of the runs that are taken.
    Ok((Selection::new(pixels, columns, is_there)?, all))
}

/// Whether a run of pixels is in a sample that holds a share of them. The first run of an image, where the carryover
/// opens, is in samples of more than half.
fn is_taken(share: f64, row: usize, run: usize) -> bool {
    (run as f64 * share + row as f64 * GOLDEN + 0.5).fract() < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_taken_everywhere() {
        for share in [0.001, 0.013, 0.1, 0.37, 0.9, 1.0] {
            let count = |rows: core::ops::Range<usize>, runs: core::ops::Range<usize>| {
                let total = (rows.len() * runs.len()) as f64;
                let taken = rows.flat_map(|row| runs.clone().map(move |run| is_taken(share, row, run)));
                (taken.filter(|&taken| taken).count() as f64, share * total)
            };
            for (rows, runs) in [(0..2000, 0..300), (0..1000, 0..150), (1000..2000, 150..300)] {
                let (taken, expected) = count(rows, runs);
                assert!((taken - expected).abs() < 0.01 * expected + 3.0, "{share}: {taken} of {expected}");
            }
        }
        assert!(!is_taken(0.4, 0, 0) && is_taken(1.0, 0, 0));
    }
}
