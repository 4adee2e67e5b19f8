//! Atoms, made ready for sums: checked, and weighted by occupancy and by what symmetry repeats of them.
//!
//! An atom within 0.5 Å of n - 1 of its images counts n times in a sum over all operators. PDB files state its
//! occupancy as 1/n of that of its site, small-molecule CIFs as that of the whole site, and some PDB files do so as
//! well: its weight is occupancy/n where the model has full sites, or where occupancy x n exceeds 1.01.

use core::f64::consts::PI;

use crate::elements::Element;
use crate::error::Error;
use crate::metric::{Metric, congruent, least_eigenvalue, norm_sq, times};
use crate::model::{Displacement, Model};
use crate::operator::{Group, Operator};

/// Images of an atom closer than this are one site.
const SAME_SITE_ANGSTROM: f64 = 0.5;

/// 8 pi^2, from U to B.
pub(crate) const B_PER_U: f64 = 8.0 * PI * PI;

/// Least B of an atom: below, exp(-B s^2) would grow beyond all bounds at high resolution.
const LEAST_B_ANGSTROM2: f64 = -100.0;

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
    pub(crate) metric: Metric,
    pub(crate) group: Group,
    /// In the order of the atomic numbers.
    pub(crate) kinds: Vec<Kind>,
    warnings: Vec<String>,
}

impl Scatterers {
    /// The atoms of a model in the space group whose operators are given, centring included.
    ///
    /// # Errors
    /// [`Error::NoAtoms`], [`Error::ImpossibleCell`], [`Error::NotFinite`], [`Error::TooNegative`] and
    /// [`Error::NotAGroup`].
    pub fn new(model: &Model, operators: &[Operator]) -> Result<Self, Error> {
        let metric = Metric::new(&model.cell)?;
        let group = Group::new(operators)?;
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
            let images = images_at_site(&metric, &group, atom.fractional);
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
                "{divided} atoms on special positions have the occupancy of their whole site; it is divided by the \
                 number of symmetry operators that leave the site"
            ));
        }
        if !has_symmetry(&metric, &group) {
            warnings.push("the unit cell does not have the symmetry of the space group".to_owned());
        }
        Ok(Self { metric, group, kinds, warnings })
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

    /// The geometry of the cell.
    #[must_use]
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// Largest |h|, |k|, |l| to a resolution.
    ///
    /// # Errors
    /// As [`Metric::largest_indices`].
    pub fn largest_indices(&self, d_min_angstrom: f64) -> Result<[i32; 3], Error> {
        self.metric.largest_indices(d_min_angstrom)
    }
}

/// Whether equivalent reflections have the same resolution, to 2 %.
pub(crate) fn has_symmetry(metric: &Metric, group: &Group) -> bool {
    let hkls = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]];
    hkls.into_iter().all(|hkl| {
        let length = metric.stol_sq(hkl).sqrt();
        let apart = |operator: &Operator| (metric.stol_sq(operator.turned(hkl)).sqrt() - length).abs();
        group.primitive.iter().all(|operator| apart(operator) <= 0.02 * length)
    })
}

/// Number of operators that leave an atom within [`SAME_SITE_ANGSTROM`] of its place, up to whole cells.
fn images_at_site(metric: &Metric, group: &Group, fractional: [f64; 3]) -> usize {
    let at_site = |operator: &&Operator| {
        let moved = operator.moved(fractional);
        let apart = core::array::from_fn(|i| {
            let apart = moved[i] - fractional[i];
            apart - apart.round()
        });
        norm_sq(times(&metric.orthogonal, apart)) < SAME_SITE_ANGSTROM * SAME_SITE_ANGSTROM
    };
    group.all.iter().filter(at_site).count()
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

/// U* = M U M^T with M from the orthogonal frame to fractions: T = exp(-2 pi^2 h U* h).
pub(crate) fn u_star(metric: &Metric, u: [f64; 6]) -> [f64; 6] {
    congruent(&metric.fractional, u)
}

#[cfg(test)]
mod tests {
    use widebragg_reflections::cell::Cell;
    use widebragg_reflections::symmetry::StatedSymmetry;

    use super::*;
    use crate::model::Atom;

    #[test]
    fn a_cell_without_the_symmetry_of_its_group_is_doubted() {
        let metric = |lengths_angstrom, gamma| {
            Metric::new(&Cell { lengths_angstrom, angles_deg: [90.0, 90.0, gamma] }).unwrap()
        };
        let four_fold = Operator { rotation: [[0, -1, 0], [1, 0, 0], [0, 0, 1]], translation: [0.0; 3] };
        let group = Group::new(&[Operator::IDENTITY, four_fold]).unwrap();
        assert!(has_symmetry(&metric([50.0, 50.2, 30.0], 90.0), &group));
        assert!(!has_symmetry(&metric([50.0, 53.0, 30.0], 90.0), &group));
        assert!(!has_symmetry(&metric([50.0, 50.0, 30.0], 120.0), &group));
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
        let two_fold = Operator { rotation: [[-1, 0, 0], [0, 1, 0], [0, 0, -1]], translation: [0.0; 3] };
        Scatterers::new(&model, &[Operator::IDENTITY, two_fold]).unwrap()
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
            Scatterers::new(&model, &[Operator::IDENTITY])
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
