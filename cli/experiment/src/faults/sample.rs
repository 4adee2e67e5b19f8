//! Pixels that are spread evenly over the region of interest, in short runs of neighbours.
//!
//! Neighbours of a row share vectors, so that runs of them cost no more than single pixels. Of the runs of a row
//! every 1/p-th is taken, where p is the share that is wanted; from row to row the first one moves on by the golden
//! ratio, so that the runs fill the plane evenly and do not line up with anything in the image.

use rayon::prelude::*;
use widebragg_formats::memory::push;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};
use crate::gradient::selection::{Selection, selected};

/// Length of a run: two vectors of the widest kind, which a loop renders together.
const RUN: usize = 16;

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
    let (pixels, columns) = (experiment.pixels(), experiment.columns());
    let is_there = selected(experiment);
    let all = (0..pixels).into_par_iter().filter(|&index| is_there(index)).count();
    let share = wanted.max(LEAST) as f64 / all.max(1) as f64;
    let first = experiment.first_panel().roi.fast_min;
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

/// The lengths of the runs of a selection, in its order. Masks and the edges of the region of interest leave runs of less than
/// [`RUN`] pixels.
///
/// # Errors
/// No memory.
pub(super) fn runs(experiment: &Experiment, selection: &Selection) -> Result<Vec<usize>, Failure> {
    let (columns, first) = (experiment.columns(), experiment.first_panel().roi.fast_min);
    let mut runs: Vec<usize> = Vec::new();
    for (_, pixels) in selection.rows() {
        let mut last = None;
        for index in selection.indices(pixels) {
            let run = Some((index % columns).saturating_sub(first) / RUN);
            match runs.last_mut().filter(|_| run == last) {
                Some(length) => *length += 1,
                None => push(&mut runs, 1)
                    .ok_or_else(|| Failure::no_memory(Part::Selection, "the runs of the pixels"))?,
            }
            last = run;
        }
    }
    Ok(runs)
}

/// Whether a run of pixels is in a sample that holds a share of them. The first run of an image, where the carryover
/// opens, is in samples of more than half.
fn is_taken(share: f64, row: usize, run: usize) -> bool {
    (run as f64 * share + row as f64 * GOLDEN + 0.5).fract() < share
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use widebragg::crystal::{CellSource, UnitCell};
    use widebragg::detector::DetectorParameters;
    use widebragg::scene::{DetectorInput, Roi};

    use super::*;
    use crate::parameters::{PanelParameters, Parameters};

    /// 100 x 3 pixels.
    fn experiment(roi: Roi, mask: impl Fn(usize) -> bool) -> Experiment {
        let (fast_pixels, slow_pixels, pixel_m) = (100, 3, 1e-3);
        let (fast_size_m, slow_size_m) = (0.1, 0.003);
        let detector = DetectorParameters {
            fast_pixels,
            slow_pixels,
            pixel_m,
            fast_size_m,
            slow_size_m,
            ..DetectorParameters::default()
        };
        let panel = PanelParameters {
            detector: DetectorInput::Parameters(detector),
            roi: Some(roi),
            mask: Some(Arc::new((0..300).map(|index| u16::from(mask(index))).collect())),
            ..PanelParameters::default()
        };
        let cell = UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0; 3]);
        let parameters = Parameters { panels: vec![panel], ..Parameters::new(CellSource::Cell(cell)) };
        Experiment::new(parameters, |_| ()).unwrap()
    }

    #[test]
    fn runs_end_where_masks_cut_them() {
        let roi = Roi { fast_min: 10, fast_max: 60, slow_min: 0, slow_max: 1 };
        let found = |mask: fn(usize) -> bool| {
            let experiment = experiment(roi, mask);
            let (selection, all) = sample(&experiment, 1000).unwrap();
            let runs = runs(&experiment, &selection).unwrap();
            assert_eq!((runs.iter().sum(), selection.len()), (all, all));
            runs
        };
        assert_eq!(found(|_| true), [16, 16, 16, 3, 16, 16, 16, 3]);
        // In row 0 the second run is left out; in row 1 a part of each run is, and none is joined to the next.
        assert_eq!(found(|index| !(26..42).contains(&index)), [16, 16, 3, 16, 16, 16, 3]);
        assert_eq!(found(|index| index < 100 || index % 8 == 0), [16, 16, 16, 3, 2, 2, 2, 1]);
    }

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
