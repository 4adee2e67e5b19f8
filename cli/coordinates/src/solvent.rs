//! The bulk solvent: a flat density between the molecules.
//!
//! F_total = F_calc + k_sol exp(-B_sol/(4 d^2)) F_mask. F_mask is the Fourier transform of a mask that is 1 in the
//! solvent and 0 elsewhere, as in Jiang and Brünger (J. Mol. Biol. 243, 100, 1994): points within r_vdw + r_probe of
//! an atom are not solvent; then points within r_shrink of a solvent point are solvent again. Radii are those of
//! cctbx. Hydrogens and atoms of occupancy 0 are left out.
//!
//! The mask is a convention and has no exact value: halving its step from 0.6 Å changes F_mask by about a tenth
//! beyond 4 Å. The values for equivalent reflections are averaged, since the grid need not have the symmetry of the
//! space group.

use core::ops::Range;

use num_complex::Complex64;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};
use widebragg_reflections::observations::Hkl;

use crate::density::symmetric;
use crate::ellipsoid::{Ellipsoid, Planes, pieces, steps_to_angstrom};
use crate::error::{Error, zeros};
use crate::metric::{LARGEST_INDEX, Matrix, congruent, norm};
use crate::scatterers::Scatterers;
use crate::transform::{smooth_size, transform};

/// The parameters of the bulk solvent; the defaults are usual values for proteins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solvent {
    /// k_sol in electrons/Å^3.
    pub k_sol_e_per_angstrom3: f64,
    /// B_sol in Å^2.
    pub b_sol_angstrom2: f64,
    /// r_probe in Å.
    pub probe_radius_angstrom: f64,
    /// r_shrink in Å.
    pub shrink_radius_angstrom: f64,
    /// Largest distance of neighbouring points of the mask along an axis, in Å.
    pub step_angstrom: f64,
}

impl Default for Solvent {
    fn default() -> Self {
        Self {
            k_sol_e_per_angstrom3: 0.35,
            b_sol_angstrom2: 46.0,
            probe_radius_angstrom: 1.1,
            shrink_radius_angstrom: 0.9,
            step_angstrom: 0.4,
        }
    }
}

impl Solvent {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let radius = |radius: f64| (0.0..=10.0).contains(&radius);
        if !radius(self.probe_radius_angstrom) || !radius(self.shrink_radius_angstrom) {
            return Err(Error::Solvent("its radii must be between 0 and 10 Angstrom"));
        }
        if !(0.05..=10.0).contains(&self.step_angstrom) {
            return Err(Error::Solvent("its step must be between 0.05 and 10 Angstrom"));
        }
        let scales = [self.k_sol_e_per_angstrom3, self.b_sol_angstrom2];
        if !scales.into_iter().all(|scale| (-1e4..=1e4).contains(&scale)) {
            return Err(Error::Solvent("k_sol and B_sol must be between -10,000 and 10,000"));
        }
        Ok(())
    }

    /// k_sol exp(-B_sol s^2), s^2 = 1/(4 d^2).
    #[must_use]
    pub fn scale(&self, stol_sq: f64) -> f64 {
        self.k_sol_e_per_angstrom3 * (-self.b_sol_angstrom2 * stol_sq).exp()
    }

    /// Points of the mask along each axis, for coefficients up to `limits`.
    pub(crate) fn mask_size(&self, scatterers: &Scatterers, limits: [usize; 3]) -> [usize; 3] {
        core::array::from_fn(|i| {
            let axis = scatterers.metric.orthogonal.map(|row| row[i]);
            let points = (norm(axis) / self.step_angstrom).ceil() as usize;
            smooth_size(points.max(2 * limits[i] + 1))
        })
    }

    /// F_mask of a list of reflections, in Å^3.
    ///
    /// # Errors
    /// [`Error::Solvent`], [`Error::OutOfMemory`], and [`Error::Resolution`] for indices beyond 30,000.
    pub fn f_mask(&self, scatterers: &Scatterers, hkls: &[Hkl]) -> Result<Vec<Complex64>, Error> {
        self.check()?;
        for &hkl in hkls {
            if hkl.into_iter().any(|index| f64::from(index).abs() > LARGEST_INDEX) {
                return Err(Error::Resolution(0.5 / scatterers.metric.stol_sq(hkl).sqrt()));
            }
        }
        let limits = scatterers.group.largest_images(hkls);
        let size = self.mask_size(scatterers, limits);
        let mask = self.mask(scatterers, size)?;
        let plane_len = size[1] * size[2];
        let coefficients = transform(size, limits, |u, plane| {
            let points = &mask[u * plane_len..(u + 1) * plane_len];
            plane.iter_mut().zip(points).for_each(|(value, point)| *value = f64::from(*point));
        })?;
        let mean = scatterers.metric.volume_angstrom3 / scatterers.group.all.len() as f64;
        Ok(symmetric(scatterers, &coefficients, hkls, |_| mean))
    }

    /// The mask, the third axis fastest: 1 in the solvent, else 0.
    fn mask(&self, scatterers: &Scatterers, size: [usize; 3]) -> Result<Vec<u8>, Error> {
        let [nu, nv, nw] = size;
        let to_angstrom = steps_to_angstrom(&scatterers.metric, size);
        let atoms = self.spheres(scatterers, size, &to_angstrom);
        let planes = Planes::new(&atoms, nu)?;
        let mut outside: Vec<u8> = zeros(nu * nv * nw)?;
        outside.par_chunks_mut(nv * nw).enumerate().for_each(|(plane, points)| {
            points.fill(1);
            for (index, u) in planes.of(plane) {
                for row in atoms[index].rows(u, nv) {
                    fill(&mut points[row.v * nw..(row.v + 1) * nw], row.first, row.last, 0);
                }
            }
        });
        let around_a_point = Ellipsoid {
            centre: [0.0; 3],
            form: squared_distance(&to_angstrom),
            limit: self.shrink_radius_angstrom * self.shrink_radius_angstrom,
        };
        dilated(&outside, size, &around_a_point)
    }

    /// The spheres that are not solvent, of all atoms of the cell.
    fn spheres(&self, scatterers: &Scatterers, size: [usize; 3], to_angstrom: &Matrix) -> Vec<Ellipsoid> {
        let form = squared_distance(to_angstrom);
        let mut spheres = Vec::new();
        for kind in scatterers.kinds.iter().filter(|kind| !kind.element.is_hydrogen()) {
            let radius = kind.element.van_der_waals_radius_angstrom() + self.probe_radius_angstrom;
            for atom in kind.atoms.iter().filter(|atom| atom.weight != 0.0) {
                for operator in &scatterers.group.all {
                    let place = operator.moved(atom.fractional);
                    let centre = core::array::from_fn(|i| (place[i] - place[i].floor()) * size[i] as f64);
                    spheres.push(Ellipsoid { centre, form, limit: radius * radius });
                }
            }
        }
        spheres
    }
}

/// The form d Q d of the squared distance in Å^2, d in steps of the grid.
fn squared_distance(to_angstrom: &Matrix) -> [f64; 6] {
    let transposed = core::array::from_fn(|i| to_angstrom.map(|row| row[i]));
    congruent(&transposed, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
}

/// Sets the points `first..=last` of a periodic row.
fn fill(row: &mut [u8], first: i64, last: i64, value: u8) {
    let nw = row.len();
    if last - first + 1 >= nw as i64 {
        return row.fill(value);
    }
    for (begin, end, _) in pieces(first, last, nw) {
        row[begin..end].fill(value);
    }
}

/// The mask with all points that are within an ellipsoid around a point of it.
fn dilated(mask: &[u8], [nu, nv, nw]: [usize; 3], ellipsoid: &Ellipsoid) -> Result<Vec<u8>, Error> {
    let runs: Vec<Vec<Range<u32>>> = mask.par_chunks(nw).map(runs_of_row).collect();
    // The rows of the ellipsoid, by the offsets of their planes and rows.
    let reach = Planes::new(&[*ellipsoid], nu)?;
    let offsets: Vec<_> = (0..nu).flat_map(|plane| reach.of(plane).map(|(_, du)| du)).collect();
    let mut wider: Vec<u8> = zeros(mask.len())?;
    wider.par_chunks_mut(nv * nw).enumerate().for_each(|(u, points)| {
        for &du in &offsets {
            let from = (u as i64 + du).rem_euclid(nu as i64) as usize;
            for row in ellipsoid.rows(du, nv) {
                for v in 0..nv {
                    // The ellipsoid is its own mirror image, so the offset may be taken from either point.
                    let points = &mut points[v * nw..(v + 1) * nw];
                    for run in &runs[from * nv + (v + row.v) % nv] {
                        let [start, end] = [run.start, run.end].map(i64::from);
                        fill(points, start - row.last, end - 1 - row.first, 1);
                    }
                }
            }
        }
    });
    Ok(wider)
}

/// The runs of ones in a row.
fn runs_of_row(row: &[u8]) -> Vec<Range<u32>> {
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(start) = row[at..].iter().position(|&point| point != 0).map(|ahead| at + ahead) {
        let end = row[start..].iter().position(|&point| point == 0).map_or(row.len(), |ahead| start + ahead);
        runs.push(start as u32..end as u32);
        at = end;
    }
    runs
}
