//! Tables whose peaks are made wider.

use core::f64::consts::{LN_2, PI};

use widebragg_formats::memory::{filled, reserved};
use widebragg_formats::stol::StolPoint;

use crate::failure::{Failure, Part};

/// Cells of the result in the full width at half maximum.
const CELLS_PER_WIDTH: f64 = 8.0;

/// Where a Gaussian ends, in full widths at half maximum: 4.7 standard deviations.
const REACH: f64 = 2.0;

/// Most cells of the result.
const MOST_CELLS: f64 = 1e5;

/// The table whose F |F| is that of `points`, between which F is linear, folded with a Gaussian of a full width at half
/// maximum. The integral of F |F| stays what it is, so that sticks become peaks of the same strength. Beyond its ends the
/// table is constant.
///
/// # Errors
/// The width is not above 0, the table has no point or is more than ten thousand widths long, or there is too little
/// memory.
pub fn broadened(points: &[StolPoint], width_per_angstrom: f64) -> Result<Vec<StolPoint>, Failure> {
    let impossible = |why: String| Failure::impossible(Part::Background, why);
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else {
        return Err(impossible("a table without points".into()));
    };
    let (from, to) = (first.s_per_angstrom, last.s_per_angstrom);
    let step = width_per_angstrom / CELLS_PER_WIDTH;
    let count = ((to - from) / step).ceil() + 1.0;
    if width_per_angstrom.is_nan() || width_per_angstrom <= 0.0 || count > MOST_CELLS {
        let least = (to - from) * CELLS_PER_WIDTH / MOST_CELLS;
        return Err(impossible(format!("a width of {width_per_angstrom}/A is not above {least}/A")));
    }
    let no_memory = || Failure::no_memory(Part::Background, "a broadened table");
    // Cells from -reach to count + reach, the middle of cell 0 at the first point.
    let (count, reach) = (count as usize, (REACH * CELLS_PER_WIDTH) as usize);
    let mut integrals = filled(count + 2 * reach, 0.0).ok_or_else(no_memory)?;
    let start = from - (reach as f64 + 0.5) * step;
    let mut segment = 0;
    for (cell, integral) in integrals.iter_mut().enumerate() {
        let (lower, upper) = (start + cell as f64 * step, start + (cell + 1) as f64 * step);
        let mut at = lower;
        while at < upper {
            while points.get(segment).is_some_and(|point| point.s_per_angstrom <= at) {
                segment += 1;
            }
            let end = points.get(segment).map_or(upper, |point| point.s_per_angstrom.min(upper));
            *integral += integral_of(points, segment, at, end);
            at = end;
        }
    }
    let exponent = 4.0 * LN_2 / (width_per_angstrom * width_per_angstrom);
    let weight = |cells: f64| (-exponent * (cells * step).powi(2)).exp() * (exponent / PI).sqrt();
    let mut weights = reserved(2 * reach + 1).ok_or_else(no_memory)?;
    weights.extend((0..=2 * reach).map(|cell| weight(cell as f64 - reach as f64)));
    let total: f64 = weights.iter().sum::<f64>() * step;
    let mut folded = reserved(count).ok_or_else(no_memory)?;
    for (cell, around) in integrals.windows(weights.len()).enumerate() {
        let sum: f64 = around.iter().zip(&weights).map(|(integral, weight)| integral * weight).sum();
        let mean = sum / total;
        let f_electrons = mean.signum() * mean.abs().sqrt();
        folded.push(StolPoint { s_per_angstrom: from + cell as f64 * step, f_electrons });
    }
    Ok(folded)
}

/// The integral of F |F| within the interval before point `segment`, by Simpson's rule, which is exact for squares of
/// lines.
fn integral_of(points: &[StolPoint], segment: usize, from: f64, to: f64) -> f64 {
    let f = |s: f64| match (segment.checked_sub(1).and_then(|before| points.get(before)), points.get(segment))
    {
        (Some(before), Some(after)) => {
            let part = (s - before.s_per_angstrom) / (after.s_per_angstrom - before.s_per_angstrom);
            before.f_electrons + part * (after.f_electrons - before.f_electrons)
        }
        (Some(end), None) | (None, Some(end)) => end.f_electrons,
        (None, None) => 0.0,
    };
    let square = |s: f64| f(s) * f(s).abs();
    (to - from) / 6.0 * (square(from) + 4.0 * square((from + to) / 2.0) + square(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(table: &[(f64, f64)]) -> Vec<StolPoint> {
        table.iter().map(|&(s_per_angstrom, f_electrons)| StolPoint { s_per_angstrom, f_electrons }).collect()
    }

    #[test]
    fn a_stick_becomes_a_gaussian_of_the_same_strength() {
        let stick = points(&[(0.0, 0.0), (0.1, 0.0), (0.1001, 30.0), (0.1002, 0.0), (0.3, 0.0)]);
        let wide = broadened(&stick, 0.004).unwrap();
        let squares: Vec<(f64, f64)> =
            wide.iter().map(|point| (point.s_per_angstrom, point.f_electrons.powi(2))).collect();
        let step = squares[1].0 - squares[0].0;
        let area: f64 = squares.iter().map(|(_, square)| square * step).sum();
        // F is a triangle, whose square has a third of the area of its rectangle.
        assert!((area / (900.0 * 0.0002 / 3.0) - 1.0).abs() < 1e-4, "{area}");
        let (top, most) =
            squares.iter().copied().fold((0.0, 0.0), |best, new| if new.1 > best.1 { new } else { best });
        assert!((top - 0.1001).abs() < step);
        let above = squares.iter().filter(|(_, square)| *square > most / 2.0).count() as f64 * step;
        assert!((above - 0.004).abs() < 2.0 * step, "{above}");
    }

    #[test]
    fn a_constant_stays_what_it_is() {
        for f_electrons in [2.5, -2.5, 0.0] {
            let flat = points(&[(0.0, f_electrons), (0.5, f_electrons)]);
            let wide = broadened(&flat, 0.01).unwrap();
            assert!(wide.len() > 400);
            assert!(wide.iter().all(|point| (point.f_electrons - f_electrons).abs() < 1e-12));
        }
        assert_eq!(broadened(&points(&[(0.2, 7.0)]), 0.01).unwrap().len(), 1);
    }

    #[test]
    fn widths_that_cannot_be_are_refused() {
        let table = points(&[(0.0, 1.0), (1.0, 1.0)]);
        for width in [0.0, -1.0, 1e-6, f64::NAN] {
            let error = broadened(&table, width).unwrap_err().to_string();
            assert_eq!(error, format!("background: a width of {width}/A is not above 0.00008/A"));
        }
    }
}
