//! Fourier transforms of real maps of a cell, kept to the reflections that are wanted.
//!
//! M(h) = 1/N sum over the N points of the map of m(x) exp(2 pi i h x), for |h|, |k|, |l| up to limits. The map is
//! made plane by plane, transformed within the plane at once, and only the indices up to the limits are stored: the
//! whole map never exists. A map is sampled more finely than the limits ask for, so this takes a fraction of its
//! memory.
//!
//! **Memory.** 16 bytes for each of n_u (2 k + 1)(l + 1) and (2 h + 1)(2 k + 1)(l + 1) numbers, and a plane of the map for
//! each thread.

use num_complex::Complex64;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use rustfft::FftPlanner;
use widebragg_reflections::observations::Hkl;

use crate::error::{Error, zeros};
use crate::fourier::plan_real;

/// Smallest number not below `least` that has no prime factors but 2, 3 and 5.
pub(crate) fn smooth_size(least: usize) -> usize {
    let mut size = least.max(1);
    loop {
        let mut rest = size;
        for prime in [2, 3, 5] {
            while rest.is_multiple_of(prime) {
                rest /= prime;
            }
        }
        if rest == 1 {
            return size;
        }
        size += 1;
    }
}

/// Coefficients of a real map, for l >= 0.
#[derive(Debug)]
pub(crate) struct Coefficients {
    limits: [usize; 3],
    /// By k, then h, then l.
    values: Vec<Complex64>,
}

impl Coefficients {
    /// M(h). M(-h) is its conjugate, since the map is real.
    pub(crate) fn at(&self, hkl: Hkl) -> Complex64 {
        if hkl[2] < 0 {
            return self.stored(hkl.map(|index| -index)).conj();
        }
        self.stored(hkl)
    }

    fn stored(&self, [h, k, l]: Hkl) -> Complex64 {
        let [h_max, k_max, l_max] = self.limits;
        let along = |index: i32, limit: usize| (index as isize + limit as isize) as usize;
        let row = along(k, k_max) * (2 * h_max + 1) + along(h, h_max);
        self.values[row * (l_max + 1) + l as usize]
    }
}

/// The number of bytes that [`transform`] takes, without its planes.
pub(crate) fn transform_bytes(size: [usize; 3], limits: [usize; 3]) -> usize {
    let [h_max, k_max, l_max] = limits;
    let columns = (2 * k_max + 1).saturating_mul(l_max + 1);
    columns.saturating_mul(size[0] + 2 * h_max + 1).saturating_mul(size_of::<Complex64>())
}

/// Position in a transform of n points of a coefficient; `i` counts from -limit.
fn position(i: usize, limit: usize, points: usize) -> usize {
    if i >= limit { i - limit } else { points + i - limit }
}

/// The coefficients to `limits` of the map whose planes `fill` adds to zeros.
///
/// Each size must be above twice its limit. A plane is along the second and third axis, the third fastest.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub(crate) fn transform(
    size: [usize; 3],
    limits: [usize; 3],
    fill: impl Fn(usize, &mut [f64]) + Sync,
) -> Result<Coefficients, Error> {
    let [nu, nv, nw] = size;
    let [h_max, k_max, l_max] = limits;
    debug_assert!((0..3).all(|i| size[i] > 2 * limits[i]));
    let (nh, nk, nl) = (2 * h_max + 1, 2 * k_max + 1, l_max + 1);
    let along_w = plan_real(nw);
    let mut planner = FftPlanner::new();
    let [along_u, along_v] = [nu, nv].map(|points| planner.plan_fft_forward(points));

    // By u, then k, then l.
    let mut planes: Vec<Complex64> = zeros(nu * nk * nl)?;
    planes.par_chunks_mut(nk * nl).enumerate().for_each_init(
        || {
            let scratch = along_w.get_scratch_len().max(along_v.get_inplace_scratch_len());
            (
                vec![0.0; nv * nw],
                along_w.make_output_vec(),
                vec![Complex64::ZERO; nl * nv],
                vec![Complex64::ZERO; scratch],
            )
        },
        |(plane, row, columns, scratch), (u, kept)| {
            plane.fill(0.0);
            fill(u, plane);
            for (v, points) in plane.chunks_exact_mut(nw).enumerate() {
                let done = along_w.process_with_scratch(points, row, scratch);
                debug_assert!(done.is_ok(), "the lengths are those of the plan");
                for (l, value) in row[..nl].iter().enumerate() {
                    columns[l * nv + v] = *value;
                }
            }
            along_v.process_with_scratch(columns, scratch);
            for (k, row) in kept.chunks_exact_mut(nl).enumerate() {
                let v = position(k, k_max, nv);
                for (l, value) in row.iter_mut().enumerate() {
                    *value = columns[l * nv + v];
                }
            }
        },
    );

    let scale = 1.0 / (nu * nv * nw) as f64;
    let mut values: Vec<Complex64> = zeros(nk * nh * nl)?;
    values.par_chunks_mut(nh * nl).enumerate().for_each_init(
        || (vec![Complex64::ZERO; nl * nu], vec![Complex64::ZERO; along_u.get_inplace_scratch_len()]),
        |(columns, scratch), (k, kept)| {
            for u in 0..nu {
                let from = (u * nk + k) * nl;
                for (l, value) in planes[from..from + nl].iter().enumerate() {
                    columns[l * nu + u] = *value;
                }
            }
            along_u.process_with_scratch(columns, scratch);
            for (h, row) in kept.chunks_exact_mut(nl).enumerate() {
                let u = position(h, h_max, nu);
                for (l, value) in row.iter_mut().enumerate() {
                    // The transform has exp(-2 pi i h x), whose sum over a real map is the conjugate.
                    *value = columns[l * nu + u].conj() * scale;
                }
            }
        },
    );
    Ok(Coefficients { limits, values })
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::*;

    #[test]
    fn sizes_have_small_factors() {
        let sizes = [(0, 1), (7, 8), (11, 12), (13, 15), (31, 32), (97, 100), (121, 125), (1021, 1024)];
        for (least, size) in sizes {
            assert_eq!(smooth_size(least), size);
        }
    }

    #[test]
    fn coefficients_are_those_of_the_sum() {
        let size = [9, 10, 12];
        let limits = [4, 3, 5];
        let value = |u: usize, v: usize, w: usize| ((u * 7 + v * 13 + w * 5 + u * v * w) % 11) as f64 - 4.0;
        let found = transform(size, limits, |u, plane| {
            for (i, point) in plane.iter_mut().enumerate() {
                *point += value(u, i / size[2], i % size[2]);
            }
        })
        .unwrap();
        for hkl in [[0, 0, 0], [4, -3, 5], [-4, 3, 0], [1, 2, -5], [-3, -3, -1], [0, 1, 0], [4, 3, 3]] {
            let mut sum = Complex64::ZERO;
            for u in 0..size[0] {
                for v in 0..size[1] {
                    for w in 0..size[2] {
                        let x = [u, v, w];
                        let turns: f64 =
                            (0..3).map(|i| f64::from(hkl[i]) * x[i] as f64 / size[i] as f64).sum();
                        sum += Complex64::cis(TAU * turns) * value(u, v, w);
                    }
                }
            }
            let sum = sum / (9.0 * 10.0 * 12.0);
            assert!((found.at(hkl) - sum).norm() < 1e-14, "{hkl:?} {} {sum}", found.at(hkl));
        }
    }
}
