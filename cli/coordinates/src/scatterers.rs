//! Atoms, made ready for sums: checked, and weighted by occupancy and by what symmetry repeats of them.
//!
//! An atom within 0.5 Å of n - 1 of its images counts n times in a sum over all operators. PDB files state its
//! occupancy as 1/n of that of its site, small-molecule CIFs as that of the whole site, and some PDB files do so as
//! well: its weight is occupancy/n where the model has full sites, or where occupancy x n exceeds 1.01.

use core::f64::consts::PI;

use widebragg_reflections::cell::{Cell, ReciprocalMetric};
use widebragg_reflections::observations::Hkl;
use widebragg_reflections::symmetry::{Operator, SpaceGroup};

use crate::elements::Element;
use crate::error::Error;
use crate::matrix::{least_eigenvalue, norm_sq, times};
use crate::model::{Displacement, Model};

/// Images of an atom closer than this are one site.
const SAME_SITE_ANGSTROM: f64 = 0.5;

/// 8 pi^2, from U to B.
pub(crate) const B_PER_U: f64 = 8.0 * PI * PI;

/// Least B of an atom: below, exp(-B s^2) would grow beyond all bounds at high resolution.
const LEAST_B_ANGSTROM2: f64 = -100.0;

/// Largest index of reflections, far beyond what any crystal diffracts.
pub(crate) const LARGEST_INDEX: i32 = 30_000;

/// An atom of the asymmetric unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scatterer {
    pub(crate) fractional: [f64; 3],
    /// Occupancy, divided by the number of images at its site.
    pub(crate) weight: f64,
    pub(crate) displacement: Displacement,
}

/// The atoms of one element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kind {
    pub(crate) element: Element,
    pub(crate) atoms: Vec<Scatterer>,
}

/// A model, ready for structure factors.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatterers {
    pub(crate) cell: Cell,
    pub(crate) reciprocal: ReciprocalMetric,
    pub(crate) group: SpaceGroup,
    /// In the order of the atomic numbers.
    pub(crate) kinds: Vec<Kind>,
    warnings: Vec<String>,
}

impl Scatterers {
    /// The atoms of a model in its space group, which [`resolve`](widebragg_reflections::symmetry::resolve) finds, and
    /// says whether the cell has its symmetry.
    ///
    /// # Errors
    /// [`Error::NoAtoms`], [`Error::ImpossibleCell`], [`Error::NotFinite`] and [`Error::TooNegative`].
    pub fn new(model: &Model, group: &SpaceGroup) -> Result<Self, Error> {
        let cell = model.cell;
        if !cell.is_possible() {
            return Err(Error::ImpossibleCell(cell));
        }
        if model.atoms.is_empty() {
            return Err(Error::NoAtoms);
        }
        let mut kinds: Vec<Kind> = Vec::new();
        let mut divided = 0;
        for (index, atom) in model.atoms.iter().enumerate() {
            let finite = |values: &[f64], what| {
                let good = values.iter().all(|value| value.abs() < 1e9);
                if good { Ok(()) } else { Err(Error::NotFinite { atom: index, what }) }
            };
            finite(&atom.fractional, "its place")?;
            finite(&[atom.occupancy], "its occupancy")?;
            match atom.displacement {
                Displacement::Isotropic(b) => finite(&[b], "its B")?,
                Displacement::Anisotropic(u) => finite(&u, "its U")?,
            }
            let b_angstrom2 = B_PER_U * least_eigenvalue(u_cartesian(atom.displacement));
            if b_angstrom2 < LEAST_B_ANGSTROM2 {
                return Err(Error::TooNegative { atom: index, b_angstrom2 });
            }
            let images = images_at_site(&cell, group, atom.fractional);
            let overcounted = atom.occupancy * images as f64 > 1.01;
            let weight = if images > 1 && (model.full_sites || overcounted) {
                divided += usize::from(!model.full_sites);
                atom.occupancy / images as f64
            } else {
                atom.occupancy
            };
            let scatterer =
                Scatterer { fractional: atom.fractional, weight, displacement: atom.displacement };
            match kinds.iter_mut().find(|kind| kind.element == atom.element) {
                Some(kind) => kind.atoms.push(scatterer),
                None => kinds.push(Kind { element: atom.element, atoms: vec![scatterer] }),
            }
        }
        kinds.sort_by_key(|kind| kind.element);
        let mut warnings = Vec::new();
        if divided > 0 {
            warnings.push(format!(
                "atoms on special positions with the occupancy of their whole site, which is divided by the number of \
                 symmetry operators that leave the site: {divided}"
            ));
        }
        let reciprocal = cell.reciprocal_metric();
        Ok(Self { cell, reciprocal, group: group.clone(), kinds, warnings })
    }

    /// The elements, in the order of their atomic numbers.
    #[must_use]
    pub fn elements(&self) -> Vec<Element> {
        self.kinds.iter().map(|kind| kind.element).collect()
    }

    /// What was assumed, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The cell.
    #[must_use]
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// The space group.
    #[must_use]
    pub fn group(&self) -> &SpaceGroup {
        &self.group
    }

    /// Largest |h|, |k|, |l| to a resolution.
    ///
    /// # Errors
    /// [`Error::Resolution`] where `d_min_angstrom` is not positive, or an index is beyond 30,000.
    pub fn largest_indices(&self, d_min_angstrom: f64) -> Result<Hkl, Error> {
        let largest = self.cell.largest_indices(d_min_angstrom);
        let is_usable =
            (1e-9..1e9).contains(&d_min_angstrom) && largest.iter().all(|&index| index <= LARGEST_INDEX);
        if is_usable { Ok(largest) } else { Err(Error::Resolution(d_min_angstrom)) }
    }

    /// s^2 = 1/(4 d^2) of a reflection, in 1/Å^2.
    #[must_use]
    pub fn stol_squared(&self, hkl: Hkl) -> f64 {
        self.reciprocal.stol_squared(hkl)
    }

    /// Largest |h|, |k|, |l| of all equivalents of some reflections.
    pub(crate) fn largest_images(&self, hkls: &[Hkl]) -> [usize; 3] {
        let mut largest = [0; 3];
        for image in hkls.iter().flat_map(|&hkl| self.group.images(hkl)) {
            largest = core::array::from_fn(|i| image[i].unsigned_abs().max(largest[i]));
        }
        largest.map(|index| index as usize)
    }

    /// A bound of |h|, |k|, |l| of all equivalents of reflections with indices up to `limits`.
    pub(crate) fn widened(&self, limits: [usize; 3]) -> [usize; 3] {
        if self.group.fits(&self.cell) {
            // Equivalents are at the same resolution, to a few hundredths.
            return limits.map(|limit| limit + limit / 16 + 1);
        }
        let along = |operator: &Operator, j: usize| -> usize {
            let rotation = operator.rotation();
            let terms = (0..3).map(|i| limits[i].saturating_mul(rotation[i][j].unsigned_abs() as usize));
            terms.fold(0, usize::saturating_add)
        };
        let largest = |j: usize| self.group.primitive().iter().map(|operator| along(operator, j)).max();
        core::array::from_fn(|j| largest(j).unwrap_or(limits[j]))
    }
}

/// Number of operators that leave an atom within [`SAME_SITE_ANGSTROM`] of its place, up to whole cells.
fn images_at_site(cell: &Cell, group: &SpaceGroup, fractional: [f64; 3]) -> usize {
    let orthogonal = cell.orthogonal();
    let at_site = |operator: &&Operator| {
        let moved = operator.moved(fractional);
        let apart = core::array::from_fn(|i| {
            let apart = moved[i] - fractional[i];
            apart - apart.round()
        });
        norm_sq(times(&orthogonal, apart)) < SAME_SITE_ANGSTROM * SAME_SITE_ANGSTROM
    };
    group.operators().iter().filter(at_site).count()
}

/// U of a displacement in the orthogonal frame, in Å^2, as 11 22 33 12 13 23.
pub(crate) fn u_cartesian(displacement: Displacement) -> [f64; 6] {
    match displacement {
        Displacement::Isotropic(b) => {
            let u = b / B_PER_U;
            [u, u, u, 0.0, 0.0, 0.0]
        }
        Displacement::Anisotropic(u) => u,
    }
}

#[cfg(test)]
mod tests {
    use widebragg_reflections::symmetry::StatedSymmetry;

    use super::*;
    use crate::model::Atom;

    #[test]
    fn indices_reach_to_the_resolution() {
        let scatterers = on_two_fold(0.0, 0.5, false);
        assert_eq!(scatterers.largest_indices(2.0), Ok([10, 12, 15]));
        assert_eq!(scatterers.largest_indices(1.0), Ok([20, 25, 30]));
        for d in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 9e-4] {
            assert!(scatterers.largest_indices(d).is_err(), "{d}");
        }
    }

    #[test]
    fn impossible_cells_are_refused() {
        let cell = Cell { lengths_angstrom: [10.0; 3], angles_deg: [120.0; 3] };
        let (symmetry, atoms, warnings) = (StatedSymmetry::default(), Vec::new(), Vec::new());
        let model = Model { cell, symmetry, atoms, full_sites: false, warnings };
        assert_eq!(Scatterers::new(&model, &group("P 1")), Err(Error::ImpossibleCell(cell)));
    }

    fn group(name: &str) -> SpaceGroup {
        SpaceGroup::from_name(name, None).unwrap()
    }

    /// A cell with a 2-fold along b, and iron on the axis or off it.
    fn on_two_fold(x: f64, occupancy: f64, full_sites: bool) -> Scatterers {
        let model = Model {
            cell: Cell { lengths_angstrom: [20.0, 25.0, 30.0], angles_deg: [90.0, 100.0, 90.0] },
            symmetry: StatedSymmetry::default(),
            atoms: vec![Atom {
                element: Element::from_symbol("Fe").unwrap(),
                fractional: [x, 0.3, 0.5],
                occupancy,
                displacement: Displacement::Isotropic(20.0),
            }],
            full_sites,
            warnings: Vec::new(),
        };
        Scatterers::new(&model, &group("P 1 2 1")).unwrap()
    }

    #[test]
    fn a_b_far_below_0_is_refused() {
        let with = |displacement| {
            let atom = Atom {
                element: Element::from_symbol("C").unwrap(),
                fractional: [0.1, 0.2, 0.3],
                occupancy: 1.0,
                displacement,
            };
            let cell = Cell { lengths_angstrom: [20.0; 3], angles_deg: [90.0; 3] };
            let (symmetry, warnings) = (StatedSymmetry::default(), Vec::new());
            let model = Model { cell, symmetry, atoms: vec![atom], full_sites: false, warnings };
            Scatterers::new(&model, &group("P 1"))
        };
        assert!(with(Displacement::Isotropic(-99.0)).is_ok());
        for displacement in [
            Displacement::Isotropic(-99_999.0),
            Displacement::Anisotropic([0.1, 0.1, -2.0, 0.0, 0.0, 0.0]),
            Displacement::Anisotropic([0.1, 0.1, 0.1, 3.0, 0.0, 0.0]),
        ] {
            assert!(
                matches!(with(displacement), Err(Error::TooNegative { atom: 0, .. })),
                "{displacement:?}"
            );
        }
    }

    #[test]
    fn a_site_on_an_axis_counts_once() {
        for (x, occupancy, full_sites, weight) in [
            (0.5, 0.5, false, 0.5),
            (0.5, 1.0, false, 0.5),
            (0.51, 1.0, false, 0.5),
            (0.52, 1.0, false, 1.0),
            (0.5, 0.3, false, 0.3),
            (0.5, 0.5, true, 0.25),
            (0.5, 1.0, true, 0.5),
            (0.3, 1.0, true, 1.0),
        ] {
            let scatterers = on_two_fold(x, occupancy, full_sites);
            assert_eq!(scatterers.kinds[0].atoms[0].weight, weight, "{x} {occupancy} {full_sites}");
            let warned = !full_sites && weight != occupancy;
            assert_eq!(scatterers.warnings().len(), usize::from(warned));
        }
    }
}
