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
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use widebragg_reflections::cell::Matrix;
use widebragg_reflections::observations::Hkl;

use crate::density::symmetric;
use crate::ellipsoid::{Ellipsoid, Planes, pieces, steps_to_angstrom};
use crate::error::Error;
use crate::matrix::{congruent, norm};
use crate::scatterers::{LARGEST_INDEX, Scatterers};
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
            let axis = scatterers.cell.orthogonal().map(|row| row[i]);
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
            if hkl.into_iter().any(|index| index.unsigned_abs() > LARGEST_INDEX.unsigned_abs()) {
                return Err(Error::Resolution(0.5 / scatterers.stol_squared(hkl).sqrt()));
            }
        }
        let limits = scatterers.largest_images(hkls);
        let mask = Mask::new(self, scatterers, self.mask_size(scatterers, limits))?;
        let coefficients = transform(mask.size, limits, |u, plane| mask.fill_plane(u, plane))?;
        let mean = scatterers.cell.volume_cubic_angstrom() / scatterers.group.operators().len() as f64;
        Ok(symmetric(scatterers, &coefficients, hkls, |_| mean))
    }

    /// Number of spheres that are not solvent, at most: that of the atoms of the cell.
    fn most_spheres(scatterers: &Scatterers) -> usize {
        let atoms: usize = scatterers.kinds.iter().map(|kind| kind.atoms.len()).sum();
        atoms.saturating_mul(scatterers.group.operators().len())
    }

    /// Bytes of the list of spheres, and of what is noted of each for the planes that it meets.
    pub(crate) fn spheres_bytes(&self, scatterers: &Scatterers) -> usize {
        const LARGEST_RADIUS_ANGSTROM: f64 = 4.0;
        let planes = 2.0 * (LARGEST_RADIUS_ANGSTROM + self.probe_radius_angstrom) / self.step_angstrom + 1.0;
        let each = size_of::<Ellipsoid>().saturating_add(2 * size_of::<usize>() * planes as usize);
        Self::most_spheres(scatterers).saturating_mul(each)
    }

    /// The spheres that are not solvent, of all atoms of the cell.
    fn spheres(
        &self,
        scatterers: &Scatterers,
        size: [usize; 3],
        to_angstrom: &Matrix,
    ) -> Result<Vec<Ellipsoid>, Error> {
        let form = squared_distance(to_angstrom);
        let mut spheres = Vec::new();
        let most = Self::most_spheres(scatterers);
        let error = Error::OutOfMemory { bytes: most.saturating_mul(size_of::<Ellipsoid>()) };
        spheres.try_reserve_exact(most).map_err(|_| error)?;
        for kind in scatterers.kinds.iter().filter(|kind| !kind.element.is_hydrogen()) {
            let radius = kind.element.van_der_waals_radius_angstrom() + self.probe_radius_angstrom;
            for atom in kind.atoms.iter().filter(|atom| atom.weight != 0.0) {
                for operator in scatterers.group.operators() {
                    let place = operator.moved(atom.fractional);
                    let centre = core::array::from_fn(|i| (place[i] - place[i].floor()) * size[i] as f64);
                    spheres.push(Ellipsoid { centre, form, limit: radius * radius });
                }
            }
        }
        Ok(spheres)
    }
}

/// The form d Q d of the squared distance in Å^2, d in steps of the grid.
fn squared_distance(to_angstrom: &Matrix) -> [f64; 6] {
    let transposed = core::array::from_fn(|i| to_angstrom.map(|row| row[i]));
    congruent(&transposed, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
}

/// Sets the points `first..=last` of a periodic row.
fn fill<T: Copy>(row: &mut [T], first: i64, last: i64, value: T) {
    let nw = row.len();
    if last - first + 1 >= nw as i64 {
        return row.fill(value);
    }
    for (begin, end, _) in pieces(first, last, nw) {
        row[begin..end].fill(value);
    }
}

/// The mask, as what is needed to make its planes: of a large cell the whole would take gigabytes.
struct Mask {
    size: [usize; 3],
    /// The runs of points outside of all atoms, by plane and row.
    outside: Vec<Vec<Vec<Range<u32>>>>,
    /// What a point outside makes solvent around it.
    around: Ellipsoid,
    /// The planes that `around` reaches, from its own.
    reach: Vec<i64>,
}

impl Mask {
    fn new(solvent: &Solvent, scatterers: &Scatterers, size: [usize; 3]) -> Result<Self, Error> {
        let [nu, nv, nw] = size;
        let to_angstrom = steps_to_angstrom(&scatterers.cell, size);
        let atoms = solvent.spheres(scatterers, size, &to_angstrom)?;
        let planes = Planes::new(&atoms, nu)?;
        let runs_of_plane = |points: &mut Vec<u8>, plane| {
            points.fill(1);
            for (index, u) in planes.of(plane) {
                for row in atoms[index].rows(u, nv) {
                    fill(&mut points[row.v * nw..(row.v + 1) * nw], row.first, row.last, 0);
                }
            }
            points.chunks_exact(nw).map(runs_of_row).collect()
        };
        let outside = (0..nu).into_par_iter().map_init(|| vec![0; nv * nw], runs_of_plane).collect();
        let around = Ellipsoid {
            centre: [0.0; 3],
            form: squared_distance(&to_angstrom),
            limit: solvent.shrink_radius_angstrom * solvent.shrink_radius_angstrom,
        };
        let around_planes = Planes::new(&[around], nu)?;
        let reach = (0..nu).flat_map(|plane| around_planes.of(plane).map(|(_, du)| du)).collect();
        Ok(Self { size, outside, around, reach })
    }

    /// Sets the points of a plane that are solvent to 1.
    fn fill_plane(&self, u: usize, plane: &mut [f64]) {
        let [nu, nv, nw] = self.size;
        for &du in &self.reach {
            let from = &self.outside[(u as i64 + du).rem_euclid(nu as i64) as usize];
            for row in self.around.rows(du, nv) {
                for (v, points) in plane.chunks_exact_mut(nw).enumerate() {
                    for run in &from[(v + row.v) % nv] {
                        let [start, end] = [run.start, run.end].map(i64::from);
                        fill(points, start - row.last, end - 1 - row.first, 1.0);
                    }
                }
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use widebragg_reflections::cell::Cell;
    use widebragg_reflections::symmetry::{SpaceGroup, StatedSymmetry};

    use super::*;
    use crate::elements::Element;
    use crate::matrix::{norm_sq, times};
    use crate::model::{Atom, Displacement, Model};

    #[test]
    fn the_mask_is_what_its_definition_says() {
        let atom = |symbol, fractional, occupancy| Atom {
            element: Element::from_symbol(symbol).unwrap(),
            fractional,
            occupancy,
            displacement: Displacement::Isotropic(20.0),
        };
        let atoms = vec![
            atom("C", [0.1, 0.2, 0.9], 1.0),
            atom("O", [-0.4, 0.3, 0.5], 0.5),
            atom("H", [0.5, 0.8, 0.1], 1.0),
            atom("Fe", [0.5, 0.8, 0.4], 0.0),
        ];
        let cell = Cell { lengths_angstrom: [9.0, 10.0, 11.0], angles_deg: [80.0, 105.0, 95.0] };
        let symmetry = StatedSymmetry::default();
        let model = Model { cell, symmetry, atoms, full_sites: false, warnings: Vec::new() };
        let group = SpaceGroup::from_name("P -1", None).unwrap();
        let scatterers = Scatterers::new(&model, &group).unwrap();

        let size = [12, 15, 16];
        let points = (0..12).flat_map(|u| (0..15).flat_map(move |v| (0..16).map(move |w| [u, v, w])));
        let fraction =
            |point: [usize; 3]| -> [f64; 3] { core::array::from_fn(|i| point[i] as f64 / size[i] as f64) };
        // All images within a cell around matter, since the spheres are smaller than a cell.
        let near = |a: [f64; 3], b: [f64; 3], radius: f64| {
            (0..27).any(|image| {
                let cells = [image / 9 - 1, image / 3 % 3 - 1, image % 3 - 1];
                let apart = core::array::from_fn(|i| {
                    let apart = a[i] - b[i];
                    apart - apart.round() + f64::from(cells[i])
                });
                norm_sq(times(&cell.orthogonal(), apart)) <= radius * radius
            })
        };
        let solvent = Solvent::default();
        let atoms = [([0.1, 0.2, 0.9], 1.775), ([-0.4, 0.3, 0.5], 1.45)];
        let is_outside = |x: [f64; 3]| {
            atoms.iter().all(|&(atom, radius)| {
                let mirrored = atom.map(|x: f64| -x);
                !near(x, atom, radius + 1.1) && !near(x, mirrored, radius + 1.1)
            })
        };
        let outside: Vec<[f64; 3]> = points.clone().map(fraction).filter(|&x| is_outside(x)).collect();
        let mask = Mask::new(&solvent, &scatterers, size).unwrap();
        let planes: Vec<Vec<f64>> = (0..12)
            .map(|u| {
                let mut plane = vec![0.0; 15 * 16];
                mask.fill_plane(u, &mut plane);
                plane
            })
            .collect();
        let mut solvent_points = 0;
        for point in points {
            let x = fraction(point);
            let expected = f64::from(u8::from(outside.iter().any(|&other| near(x, other, 0.9))));
            let [u, v, w] = point;
            assert_eq!(planes[u][v * 16 + w], expected, "{point:?}");
            solvent_points += usize::from(expected == 1.0);
        }
        // The shrinking adds points, and the atoms keep some.
        assert!(
            outside.len() < solvent_points && solvent_points < 2500,
            "{} {solvent_points}",
            outside.len()
        );
    }
}
