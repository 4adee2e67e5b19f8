//! Symmetry operators on fractional coordinates.

use widebragg_reflections::observations::Hkl;

use crate::error::Error;

/// x' = R x + t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operator {
    /// R, by rows.
    pub rotation: [[i32; 3]; 3],
    /// t, in fractions of the cell.
    pub translation: [f64; 3],
}

impl Operator {
    /// The operator that changes nothing.
    pub const IDENTITY: Self = Self { rotation: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], translation: [0.0; 3] };

    /// h R, the index of the equivalent reflection, for indices below 10^7.
    #[must_use]
    pub fn turned(&self, hkl: Hkl) -> Hkl {
        core::array::from_fn(|j| (0..3).map(|i| hkl[i] * self.rotation[i][j]).sum())
    }

    /// h t, in turns.
    #[must_use]
    pub fn shift_turns(&self, hkl: Hkl) -> f64 {
        (0..3).map(|i| f64::from(hkl[i]) * self.translation[i]).sum()
    }

    /// R x + t.
    #[must_use]
    pub fn moved(&self, fractional: [f64; 3]) -> [f64; 3] {
        core::array::from_fn(|i| {
            let turned: f64 = (0..3).map(|j| f64::from(self.rotation[i][j]) * fractional[j]).sum();
            turned + self.translation[i]
        })
    }

    fn determinant(&self) -> i64 {
        let [a, b, c] = self.rotation.map(|row| row.map(i64::from));
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0])
    }
}

/// The operators of a space group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// All operators, centring included.
    pub(crate) all: Vec<Operator>,
    /// One operator for each rotation.
    pub(crate) primitive: Vec<Operator>,
}

impl Group {
    /// Checks a list of all operators, centring included.
    ///
    /// # Errors
    /// [`Error::NotAGroup`] for an empty list, a determinant other than 1 and -1, entries beyond -9..=9, translations
    /// that are not finite, a list without the identity, or rotations that occur more often than others.
    pub fn new(operators: &[Operator]) -> Result<Self, Error> {
        let mut primitive: Vec<Operator> = Vec::new();
        for operator in operators {
            let small = operator.rotation.iter().flatten().all(|entry| (-9..=9).contains(entry));
            let finite = operator.translation.iter().all(|t| t.is_finite());
            if !small || !finite || operator.determinant().abs() != 1 {
                return Err(Error::NotAGroup);
            }
            if primitive.iter().all(|known| known.rotation != operator.rotation) {
                primitive.push(*operator);
            }
        }
        let times = |known: &Operator| operators.iter().filter(|o| o.rotation == known.rotation).count();
        let even = primitive.iter().all(|known| times(known) * primitive.len() == operators.len());
        let identity = primitive.iter().any(|known| known.rotation == Operator::IDENTITY.rotation);
        if !even || !identity {
            return Err(Error::NotAGroup);
        }
        Ok(Self { all: operators.to_vec(), primitive })
    }

    /// Number of centring vectors, the zero vector included.
    #[must_use]
    pub fn centring(&self) -> usize {
        self.all.len() / self.primitive.len()
    }

    /// A bound of |h|, |k|, |l| of all equivalents of reflections with indices up to `limits`, whatever the cell.
    pub(crate) fn widened(&self, limits: [usize; 3]) -> [usize; 3] {
        let along = |operator: &Operator, j: usize| -> usize {
            let terms =
                (0..3).map(|i| limits[i].saturating_mul(operator.rotation[i][j].unsigned_abs() as usize));
            terms.fold(0, usize::saturating_add)
        };
        core::array::from_fn(|j| self.primitive.iter().map(|o| along(o, j)).max().unwrap_or(limits[j]))
    }

    /// Largest |h|, |k|, |l| of all equivalents of some reflections.
    pub(crate) fn largest_images(&self, hkls: &[Hkl]) -> [usize; 3] {
        let mut largest = [0; 3];
        for &hkl in hkls {
            for operator in &self.primitive {
                let turned = operator.turned(hkl);
                largest = core::array::from_fn(|i| turned[i].unsigned_abs().max(largest[i]));
            }
        }
        largest.map(|index| index as usize)
    }

    /// Whether the symmetry makes F of a reflection 0: an operator leaves the index and changes the phase.
    #[must_use]
    pub fn is_absent(&self, hkl: Hkl) -> bool {
        self.all.iter().any(|operator| {
            let turns = operator.shift_turns(hkl);
            operator.turned(hkl) == hkl && (turns - turns.round()).abs() > 1e-3
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screw(rotation: [[i32; 3]; 3], translation: [f64; 3]) -> Operator {
        Operator { rotation, translation }
    }

    #[test]
    fn absences_of_a_screw_axis_and_of_a_centring() {
        let p21 = [Operator::IDENTITY, screw([[-1, 0, 0], [0, 1, 0], [0, 0, -1]], [0.0, 0.5, 0.0])];
        let group = Group::new(&p21).unwrap();
        assert!(group.is_absent([0, 3, 0]) && !group.is_absent([0, 2, 0]) && !group.is_absent([1, 3, 0]));
        assert_eq!((group.centring(), group.primitive.len()), (1, 2));

        let centred = [Operator::IDENTITY, Operator { translation: [0.5, 0.5, 0.0], ..Operator::IDENTITY }];
        let group = Group::new(&centred).unwrap();
        assert!(group.is_absent([1, 0, 5]) && !group.is_absent([1, 1, 5]));
        assert_eq!((group.centring(), group.primitive.len()), (2, 1));
    }

    #[test]
    fn what_is_no_group_is_refused() {
        let turn = screw([[-1, 0, 0], [0, 1, 0], [0, 0, -1]], [0.0; 3]);
        let singular = screw([[1, 0, 0], [0, 1, 0], [1, 0, 0]], [0.0; 3]);
        let nan = Operator { translation: [f64::NAN, 0.0, 0.0], ..Operator::IDENTITY };
        for operators in [&[][..], &[turn], &[Operator::IDENTITY, turn, turn], &[singular], &[nan]] {
            assert_eq!(Group::new(operators), Err(Error::NotAGroup));
        }
    }

    #[test]
    fn indices_turn_by_row_times_matrix() {
        let three = screw([[0, -1, 0], [1, -1, 0], [0, 0, 1]], [0.0, 0.0, 2.0 / 3.0]);
        assert_eq!(three.turned([1, 2, 3]), [2, -3, 3]);
        assert_eq!(three.shift_turns([1, 2, 3]), 2.0);
        assert_eq!(three.moved([0.1, 0.2, 0.3]), [-0.2, -0.1, 0.3 + 2.0 / 3.0]);
    }
}
