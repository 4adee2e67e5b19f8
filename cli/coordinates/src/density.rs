//! Sums over unit scatterers by fast Fourier transform of a density.
//!
//! The atoms of an element are unit scatterers smeared by their displacements, so each is one Gaussian: in the
//! density rho(r) = w (2 pi)^-1.5 det(V)^-0.5 exp(-r V^-1 r/2), V = U + B_x/(8 pi^2), or with an isotropic B
//! w (4 pi/(B + B_x))^1.5 exp(-4 pi^2 r^2/(B + B_x)). The form factor multiplies the transform afterwards, so its
//! narrow Gaussians and its constant need no grid. Only the atoms of the asymmetric unit are smeared; the transform A of
//! their density gives G(h) = exp(B_x s^2) V_cell sum over operators of A(h R) exp(2 pi i h t), which is exact for
//! any grid.
//!
//! B_x makes the narrowest atom as wide as the grid needs (or as narrow as it allows). **Accuracy.** Two errors of at
//! most about [`TOLERANCE`] of an atom's scattering: a wave above the sampling limit is taken for a wave at h, damped
//! by exp(-B (g^2 - 2 g/d)/4), g the shortest reciprocal vector of the grid; and the density is cut off where it is
//! below exp(-E) of its height. The test against direct sums is in [`crate::structure_factors`].

use num_complex::Complex64;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use widebragg_reflections::cell::{Cell, Matrix};
use widebragg_reflections::observations::Hkl;
use widebragg_reflections::symmetry::Operator;

use core::f64::consts::TAU;

use crate::ellipsoid::{Ellipsoid, Planes, pieces, steps_to_angstrom};
use crate::error::Error;
use crate::matrix::{congruent, least_eigenvalue, norm, norm_sq, row_times};
use crate::scatterers::{B_PER_U, Kind, Scatterer, Scatterers, u_cartesian};
use crate::transform::{Coefficients, smooth_size, transform};

/// Size of the errors, relative to the scattering of an atom.
const TOLERANCE: f64 = 1e-8;

/// Points of the grid along an axis for each wave at the resolution, from which the search for a grid starts: 1 would
/// be the sampling limit.
const RATE: f64 = 1.5;

/// A grid for densities to a resolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DensityGrid {
    pub(crate) size: [usize; 3],
    /// Largest |h|, |k|, |l|.
    pub(crate) limits: [usize; 3],
    /// Smallest B in Å^2 that its step is fine enough for.
    least_b: f64,
    /// 1/(4 d_min^2).
    largest_stol_sq: f64,
}

impl DensityGrid {
    /// A grid for coefficients up to `limits`, all to the resolution.
    pub(crate) fn new(cell: &Cell, d_min_angstrom: f64, limits: [usize; 3]) -> Self {
        let fractional = cell.fractional();
        let mut rate = RATE;
        loop {
            let size = core::array::from_fn(|i| {
                let spacing = 1.0 / norm(fractional[i]);
                let points = (2.0 * rate * spacing / d_min_angstrom).ceil() as usize;
                smooth_size(points.max(2 * limits[i] + 1))
            });
            let g = shortest_reciprocal_vector(&fractional, size);
            if g * d_min_angstrom >= 2.0 * 0.9 * RATE {
                let gap = g * (g - 2.0 / d_min_angstrom);
                let least_b = -4.0 * TOLERANCE.ln() / gap;
                let largest_stol_sq = 0.25 / (d_min_angstrom * d_min_angstrom);
                return Self { size, limits, least_b, largest_stol_sq };
            }
            rate *= 1.2;
        }
    }

    /// B_x in Å^2 for the atoms of an element.
    fn blur(&self, atoms: &[Scatterer]) -> f64 {
        let least = |atom: &Scatterer| B_PER_U * least_eigenvalue(u_cartesian(atom.displacement));
        self.least_b - atoms.iter().map(least).fold(f64::INFINITY, f64::min)
    }

    /// The part of the grid that each atom is smeared over, and its height in the middle.
    fn smeared(&self, cell: &Cell, atoms: &[Scatterer]) -> (f64, Vec<Ellipsoid>, Vec<f64>) {
        let blur = self.blur(atoms);
        // exp(B_x s^2) magnifies what is cut off. The 2 stands for the tail beyond the cut, seen as a whole.
        let exponent = 2.0 - TOLERANCE.ln() + blur.max(0.0) * self.largest_stol_sq;
        let to_angstrom = steps_to_angstrom(cell, self.size);
        let transposed = core::array::from_fn(|i| to_angstrom.map(|row| row[i]));
        let ellipsoid = |atom: &Scatterer| {
            let mut v = u_cartesian(atom.displacement);
            v[..3].iter_mut().for_each(|diagonal| *diagonal += blur / B_PER_U);
            let (inverse, determinant) = inverse(v);
            let form = congruent(&transposed, inverse);
            let centre = core::array::from_fn(|i| {
                let x = atom.fractional[i];
                (x - x.floor()) * self.size[i] as f64
            });
            let height = atom.weight * (TAU.powi(3) * determinant).sqrt().recip();
            (Ellipsoid { centre, form, limit: 2.0 * exponent }, height)
        };
        let (ellipsoids, heights) = atoms.iter().map(ellipsoid).unzip();
        (blur, ellipsoids, heights)
    }

    /// Number of grid points that the atoms of an element are smeared over, about.
    pub(crate) fn smeared_points(&self, cell: &Cell, atoms: &[Scatterer]) -> f64 {
        self.smeared(cell, atoms).1.iter().map(Ellipsoid::points).sum()
    }
}

/// G(h) of the atoms of an element.
pub(crate) fn sums(
    scatterers: &Scatterers,
    kind: &Kind,
    grid: &DensityGrid,
    hkls: &[Hkl],
) -> Result<Vec<Complex64>, Error> {
    let (blur, ellipsoids, heights) = grid.smeared(&scatterers.cell, &kind.atoms);
    let [nu, nv, nw] = grid.size;
    let planes = Planes::new(&ellipsoids, nu)?;
    let coefficients = transform(grid.size, grid.limits, |u, plane| {
        for (index, u) in planes.of(u) {
            smear(&ellipsoids[index], heights[index], u, [nv, nw], plane);
        }
    })?;
    let volume = scatterers.cell.volume_cubic_angstrom();
    Ok(symmetric(scatterers, &coefficients, hkls, |stol_sq| volume * (blur * stol_sq).exp()))
}

/// `scale(s^2)` times the sum over all operators of M(h R) exp(2 pi i h t).
pub(crate) fn symmetric(
    scatterers: &Scatterers,
    coefficients: &Coefficients,
    hkls: &[Hkl],
    scale: impl Fn(f64) -> f64 + Sync,
) -> Vec<Complex64> {
    let group = &scatterers.group;
    let value = |&hkl: &Hkl| {
        if group.is_absent(hkl) {
            return Complex64::ZERO;
        }
        // Operators with the same rotation have the same phase where the reflection is present.
        let term = |operator: &Operator| {
            coefficients.at(operator.image(hkl)) * Complex64::cis(TAU * operator.phase_turns(hkl))
        };
        let sum: Complex64 = group.primitive().iter().map(term).sum();
        sum * (group.centring() as f64 * scale(scatterers.stol_squared(hkl)))
    };
    hkls.par_iter().map(value).collect()
}

/// Adds one Gaussian to a plane. Along a row its exponent is quadratic, so neighbours differ by factors that themselves
/// differ by one factor: two exponentials a row.
fn smear(ellipsoid: &Ellipsoid, height: f64, u: i64, [nv, nw]: [usize; 2], plane: &mut [f64]) {
    let ww = ellipsoid.form[2];
    let change = (-ww).exp();
    for row in ellipsoid.rows(u, nv) {
        let dw = row.first as f64 - ellipsoid.centre[2];
        let form = (ww * dw + 2.0 * row.half_slope) * dw + row.constant;
        let mut density = height * (-0.5 * form).exp();
        let mut ratio = (-0.5 * ww * (2.0 * dw + 1.0) - row.half_slope).exp();
        let points = &mut plane[row.v * nw..(row.v + 1) * nw];
        for (begin, end, _) in pieces(row.first, row.last, nw) {
            for point in &mut points[begin..end] {
                *point += density;
                density *= ratio;
                ratio *= change;
            }
        }
    }
}

/// Length in 1/Å of the shortest vector of the lattice that is reciprocal to the grid, among the sums of up to two of
/// each basis vector.
fn shortest_reciprocal_vector(fractional: &Matrix, size: [usize; 3]) -> f64 {
    let mut shortest = f64::INFINITY;
    for h in -2..=2_i32 {
        for k in -2..=2_i32 {
            for l in -2..=2_i32 {
                if [h, k, l] != [0; 3] {
                    let hkl = [h, k, l].map(f64::from);
                    let vector = core::array::from_fn(|i| hkl[i] * size[i] as f64);
                    shortest = shortest.min(norm_sq(row_times(vector, fractional)));
                }
            }
        }
    }
    shortest.sqrt()
}

/// Inverse and determinant of a symmetric matrix.
fn inverse([xx, yy, zz, xy, xz, yz]: [f64; 6]) -> ([f64; 6], f64) {
    let cofactors = [
        yy * zz - yz * yz,
        xx * zz - xz * xz,
        xx * yy - xy * xy,
        xz * yz - xy * zz,
        xy * yz - xz * yy,
        xy * xz - xx * yz,
    ];
    let determinant = xx * cofactors[0] + xy * cofactors[3] + xz * cofactors[4];
    (cofactors.map(|cofactor| cofactor / determinant), determinant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_and_inverses_of_symmetric_matrices() {
        assert_eq!(least_eigenvalue([2.0, 2.0, 2.0, 0.0, 0.0, 0.0]), 2.0);
        assert!((least_eigenvalue([3.0, 1.0, 2.0, 0.0, 0.0, 0.0]) - 1.0).abs() < 1e-14);
        // Eigenvalues 1, 3 and 5: the first two axes are turned by 45 degrees.
        assert!((least_eigenvalue([2.0, 2.0, 5.0, 1.0, 0.0, 0.0]) - 1.0).abs() < 1e-14);
        assert!((least_eigenvalue([2.0, 5.0, 2.0, 0.0, -1.0, 0.0]) - 1.0).abs() < 1e-14);
        let u = [2.0, 3.0, 4.0, 0.5, -0.3, 0.7];
        let (inverted, determinant) = inverse(u);
        let (back, other) = inverse(inverted);
        assert!((0..6).all(|i| (back[i] - u[i]).abs() < 1e-13), "{back:?}");
        assert!((determinant * other - 1.0).abs() < 1e-14);
    }

    #[test]
    fn skewed_cells_get_a_finer_grid() {
        let cell = |gamma| Cell { lengths_angstrom: [40.0; 3], angles_deg: [90.0, 90.0, gamma] };
        let straight = DensityGrid::new(&cell(90.0), 2.0, [20; 3]);
        assert_eq!(straight.size, [60; 3]);
        let skewed = cell(150.0);
        let grid = DensityGrid::new(&skewed, 2.0, [20; 3]);
        assert!(shortest_reciprocal_vector(&skewed.fractional(), grid.size) >= 1.35, "{:?}", grid.size);
    }
}
