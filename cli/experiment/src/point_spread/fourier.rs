//! A point spread by Fourier transforms of an image between zeros.
//!
//! **Method.** Rows are transformed between zeros that are as wide as the point spread reaches within the image, so that
//! nothing comes around. Columns of the result are transformed, multiplied by the transform of the point spread and
//! transformed back, a few at a time, and then the rows. The point spread is even, so that its transform is real and a
//! quarter of it is enough. Transforms of images are f32, that of the point spread f64. They use AVX where the processor has it,
//! whatever level the kernel runs at.

use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use num_complex::Complex;
use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};
use widebragg::noise::point_spread::Form;
use widebragg_coordinates::fourier::plan_real;
use widebragg_formats::memory::zeroed;

use super::no_memory;
use crate::failure::Failure;

/// Columns and rows that are moved at a time: a cache line of complex numbers.
const LINE: usize = 8;

/// Lengths of transforms are multiples of it, so that their parts fill vectors: 2 x 3^7 points take longer than 2^5 x 3^2 x 5 x 7,
/// which are more.
const VECTORS: usize = 32;

/// The transforms of a size, and that of the point spread.
pub(super) struct Fourier {
    size: [usize; 2],
    /// Points of the transforms along slow.
    tall: usize,
    /// The transform of the point spread, divided by the number of points: the first half of each column.
    factors: Vec<f32>,
    rows: Arc<dyn RealToComplex<f32>>,
    rows_back: Arc<dyn ComplexToReal<f32>>,
    columns: Arc<dyn Fft<f32>>,
    columns_back: Arc<dyn Fft<f32>>,
}

impl Fourier {
    /// Prepares a point spread for images of `[fast, slow]` pixels. Within a radius its shares are divided by their sum.
    ///
    /// # Errors
    /// Too little memory.
    pub fn new(
        form: Form,
        width_px: f64,
        radius_px: Option<usize>,
        [fast, slow]: [usize; 2],
    ) -> Result<Self, Failure> {
        let reach = [fast, slow].map(|pixels| radius_px.unwrap_or(usize::MAX).min(pixels.saturating_sub(1)));
        let [wide, tall] = [fast + reach[0], slow + reach[1]].map(quick_length);
        let share = |dx: usize, dy: usize| match radius_px {
            Some(radius) if dx * dx + dy * dy > radius * radius => 0.0,
            _ => form.share(width_px, [dx, dy]),
        };
        let total = radius_px.map_or(1.0, |radius| total(radius, &share));
        let scale = 1.0 / (total * wide as f64 * tall as f64);
        let [along_row, along_column] = [wide, tall].map(plan_real);
        let (kept, half) = (wide / 2 + 1, tall / 2 + 1);
        // The transforms of the rows of a quarter, row by row.
        let mut rows = zeroed::<f64>((reach[1] + 1) * kept).ok_or_else(no_memory)?;
        rows.par_chunks_mut(kept).enumerate().for_each_init(
            || (along_row.make_input_vec(), along_row.make_output_vec(), along_row.make_scratch_vec()),
            |(points, transform, scratch), (dy, row)| {
                fill_even(points, |dx| if dx <= reach[0] { scale * share(dx, dy) } else { 0.0 });
                let done = along_row.process_with_scratch(points, transform, scratch);
                debug_assert!(done.is_ok(), "the lengths are those of the plan");
                row.iter_mut().zip(&*transform).for_each(|(to, value)| *to = value.re);
            },
        );
        let mut factors = zeroed::<f32>(kept * half).ok_or_else(no_memory)?;
        factors.par_chunks_mut(half).enumerate().for_each_init(
            || {
                (
                    along_column.make_input_vec(),
                    along_column.make_output_vec(),
                    along_column.make_scratch_vec(),
                )
            },
            |(points, transform, scratch), (column, factors)| {
                fill_even(points, |dy| if dy <= reach[1] { rows[dy * kept + column] } else { 0.0 });
                let done = along_column.process_with_scratch(points, transform, scratch);
                debug_assert!(done.is_ok(), "the lengths are those of the plan");
                factors.iter_mut().zip(&*transform).for_each(|(to, value)| *to = value.re as f32);
            },
        );
        let (mut real, mut complex) = (RealFftPlanner::<f32>::new(), FftPlanner::<f32>::new());
        Ok(Self {
            size: [fast, slow],
            tall,
            factors,
            rows: real.plan_fft_forward(wide),
            rows_back: real.plan_fft_inverse(wide),
            columns: complex.plan_fft_forward(tall),
            columns_back: complex.plan_fft_inverse(tall),
        })
    }

    /// Fills `out` with the spread of `photons`, both of the image's size.
    ///
    /// # Errors
    /// Too little memory.
    pub fn spread(&self, photons: &[f32], out: &mut [f32]) -> Result<(), Failure> {
        let [fast, slow] = self.size;
        if out.is_empty() {
            return Ok(());
        }
        let kept = self.rows.complex_len();
        let mut rows = zeroed::<Complex<f32>>(slow * kept).ok_or_else(no_memory)?;
        rows.par_chunks_mut(kept).zip(photons.par_chunks(fast)).for_each_init(
            || (self.rows.make_input_vec(), self.rows.make_scratch_vec()),
            |(points, scratch), (transform, row)| {
                // The transform leaves anything in its input.
                points.fill(0.0);
                points[..fast].copy_from_slice(row);
                let done = self.rows.process_with_scratch(points, transform, scratch);
                debug_assert!(done.is_ok(), "the lengths are those of the plan");
            },
        );
        let mut columns = zeroed::<Complex<f32>>(slow * kept).ok_or_else(no_memory)?;
        let scratch_len =
            self.columns.get_inplace_scratch_len().max(self.columns_back.get_inplace_scratch_len());
        columns.par_chunks_mut(LINE * slow).enumerate().for_each_init(
            || (vec![Complex::ZERO; LINE * self.tall], vec![Complex::ZERO; scratch_len]),
            |(points, scratch), (line, columns)| {
                let first = line * LINE;
                let these = first..first + columns.len() / slow;
                self.spread_columns(&rows, these, points, scratch);
                for (column, points) in columns.chunks_exact_mut(slow).zip(points.chunks_exact(self.tall)) {
                    column.copy_from_slice(&points[..slow]);
                }
            },
        );
        drop(rows);
        let wide = self.rows_back.len();
        out.par_chunks_mut(LINE * fast).enumerate().for_each_init(
            || (vec![Complex::ZERO; LINE * kept], vec![0.0; wide], self.rows_back.make_scratch_vec()),
            |(lines, points, scratch), (line, out)| {
                let first = line * LINE;
                let count = out.len() / fast;
                for (at, column) in columns.chunks_exact(slow).enumerate() {
                    let values = column[first..first + count].iter().enumerate();
                    values.for_each(|(row, value)| lines[row * kept + at] = *value);
                }
                for (row, transform) in out.chunks_exact_mut(fast).zip(lines.chunks_exact_mut(kept)) {
                    // They are zero but for roundings, as those of real numbers are.
                    transform[0].im = 0.0;
                    transform[kept - 1].im = 0.0;
                    let done = self.rows_back.process_with_scratch(transform, points, scratch);
                    debug_assert!(done.is_ok(), "the lengths are those of the plan");
                    row.iter_mut().zip(&*points).for_each(|(pixel, &value)| *pixel = value.max(0.0));
                }
            },
        );
        Ok(())
    }

    /// Multiplies the transforms of some columns of the transforms of `rows` by the factors, and transforms them back.
    fn spread_columns(
        &self,
        rows: &[Complex<f32>],
        these: Range<usize>,
        points: &mut [Complex<f32>],
        scratch: &mut [Complex<f32>],
    ) {
        let (tall, kept) = (self.tall, self.rows.complex_len());
        points.fill(Complex::ZERO);
        for (y, row) in rows.chunks_exact(kept).enumerate() {
            let values = row[these.clone()].iter().enumerate();
            values.for_each(|(column, value)| points[column * tall + y] = *value);
        }
        let half = tall / 2 + 1;
        for (column, points) in these.clone().zip(points.chunks_exact_mut(tall)) {
            self.columns.process_with_scratch(points, scratch);
            let factors = &self.factors[column * half..(column + 1) * half];
            for (value, factor) in points.iter_mut().zip(factors) {
                *value *= *factor;
            }
            // The second half mirrors the first.
            for (value, factor) in points[half..].iter_mut().rev().zip(&factors[1..]) {
                *value *= *factor;
            }
            self.columns_back.process_with_scratch(points, scratch);
        }
    }
}

impl fmt::Debug for Fourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fourier").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Fills points with an even function of the distance from the first one.
fn fill_even(points: &mut [f64], value: impl Fn(usize) -> f64) {
    let count = points.len();
    for at in 0..=count / 2 {
        let value = value(at);
        points[at] = value;
        if at > 0 {
            points[count - at] = value;
        }
    }
}

/// The sum of all shares within a radius.
fn total(radius: usize, share: &impl Fn(usize, usize) -> f64) -> f64 {
    let sides = |d: usize| if d == 0 { 1.0 } else { 2.0 };
    let row = |dy: usize| (0..=radius).map(move |dx| sides(dx) * sides(dy) * share(dx, dy)).sum::<f64>();
    (0..=radius).map(row).sum()
}

/// The smallest multiple of 32 that is at least `least` and has no prime factor above 7: transforms of such lengths are fast.
fn quick_length(least: usize) -> usize {
    let is_quick = |&length: &usize| {
        let mut rest = length;
        for prime in [2, 3, 5, 7] {
            while rest % prime == 0 {
                rest /= prime;
            }
        }
        rest == 1
    };
    let first = least.max(1).next_multiple_of(VECTORS);
    (first..).step_by(VECTORS).find(is_quick).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_products_of_small_primes() {
        let lengths = [0, 2, 32, 33, 121, 4333, 7679, 8193].map(quick_length);
        assert_eq!(lengths, [32, 32, 32, 64, 128, 4480, 7680, 8640]);
    }
}
