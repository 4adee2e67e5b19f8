//! A group of operators, and what it says of Miller indices.

use super::operator::{Operator, PARTS, Rotation, image, phase_24ths};
use super::{group, hall, names, point_groups};
use crate::cell::Cell;
use crate::failure::{Failure, quoted};
use crate::observations::Hkl;
use core::fmt;
use core::ops::RangeInclusive;

/// A space group in the setting of a file, or only its point group.
///
/// Of equivalent indices h' = h R the amplitudes are equal; F of an absent index is 0.
///
/// ```
/// use widebragg_reflections::symmetry::SpaceGroup;
///
/// let group = SpaceGroup::from_name("P 32 2 1", None)?;
/// assert_eq!((group.name(), group.number(), group.operators().len()), ("P 32 2 1", Some(154), 6));
/// assert!(group.is_absent([0, 0, 2]) && !group.is_absent([0, 0, 3]));
/// assert!(group.images([1, 0, 2]).any(|image| image == [-1, 1, 2]));
/// # Ok::<(), widebragg_reflections::Failure>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceGroup {
    name: String,
    number: Option<u32>,
    operators: Vec<Operator>,
    primitive: Vec<Operator>,
    rotations: Vec<Rotation>,
    absences: Option<Absences>,
}

/// What makes indices absent: (R, t) of the group with h R = h and h.t not an integer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Absences {
    /// Translations in 24ths.
    centring: Vec<[i32; 3]>,
    /// One operator of each other R that has only operators with a translation. Where the centring leaves an
    /// index, all operators of the same R have the same h.t.
    screws_and_glides: Vec<Operator>,
}

impl SpaceGroup {
    /// The group that the operators generate. Its name and number are known where it is a setting of
    /// International Tables.
    ///
    /// # Errors
    /// Operators of no space group: they make more than 192.
    pub fn from_operators(operators: &[Operator]) -> Result<Self, Failure> {
        let operators = group::closed(operators)?;
        let is_member = |operator: &Operator| operators.binary_search(operator).is_ok();
        let setting = names::all_settings().find(|setting| {
            hall::generators(setting.hall).is_ok_and(|generators| {
                generators.iter().all(is_member)
                    && group::closed(&generators).is_ok_and(|all| all.len() == operators.len())
            })
        });
        Ok(match setting {
            Some(setting) => Self::new(setting.name(), Some(setting.number), operators),
            None => Self::new(format!("a group of {} operators", operators.len()), None, operators),
        })
    }

    /// The group with this Hall symbol.
    ///
    /// # Errors
    /// A symbol that breaks the rules, or whose operators are no space group.
    pub fn from_hall(symbol: &str) -> Result<Self, Failure> {
        Self::from_operators(&hall::generators(symbol)?)
    }

    /// The group with this Hermann-Mauguin name. For R groups without an extension the cell tells the axes;
    /// they are hexagonal where it is unknown.
    ///
    /// # Errors
    /// An unknown name.
    pub fn from_name(name: &str, cell: Option<&Cell>) -> Result<Self, Failure> {
        Self::of(names::meant(&names::by_name(name), cell)).unwrap_or_else(|| {
            Err(Failure::new(format!(
                "the space group {} is unknown: \
                 give --space-group, by another name, by hall:SYMBOL, or by its operators",
                quoted(name)
            )))
        })
    }

    /// The standard setting of a number of International Tables: unique axis b, and for R groups hexagonal
    /// axes, unless the cell says otherwise.
    ///
    /// # Errors
    /// A number beyond 230, and 0.
    pub fn from_number(number: u32, cell: Option<&Cell>) -> Result<Self, Failure> {
        Self::of(names::meant(&names::by_number(number), cell)).unwrap_or_else(|| {
            Err(Failure::new(format!("there is no space group {number}: they are numbered from 1 to 230")))
        })
    }

    /// A point group, by CrystFEL's symbol such as `4/mmm`, `321_H`, `2_uab`: no absences are known.
    ///
    /// # Errors
    /// A symbol that is none of CrystFEL's, and `unknown`.
    pub fn from_point_group(symbol: &str) -> Result<Self, Failure> {
        let operators = group::closed(&point_groups::generators(symbol)?)?;
        Ok(Self { absences: None, ..Self::new(symbol.trim().to_string(), None, operators) })
    }

    /// The group of a setting; `None` where there is none.
    fn of(setting: Option<names::Setting>) -> Option<Result<Self, Failure>> {
        let setting = setting?;
        let operators = hall::generators(setting.hall).and_then(|generators| group::closed(&generators));
        Some(operators.map(|operators| Self::new(setting.name(), Some(setting.number), operators)))
    }

    /// The group of all settings that a name or a number may mean.
    pub(super) fn all_of(settings: Vec<names::Setting>) -> impl Iterator<Item = Self> {
        settings.into_iter().filter_map(|setting| Self::of(Some(setting))?.ok())
    }

    /// A space group of sorted operators.
    fn new(name: String, number: Option<u32>, operators: Vec<Operator>) -> Self {
        let centring = operators
            .iter()
            .filter(|operator| operator.is_translation())
            .map(Operator::shift_24ths)
            .filter(|shift| *shift != [0; 3])
            .collect();
        // Sorted: the first of its R has the smallest translation.
        let mut primitive = operators.clone();
        primitive.dedup_by_key(|operator| *operator.rotation());
        let rotations = primitive.iter().map(|operator| *operator.rotation()).collect();
        let is_shifted = |operator: &&Operator| operator.shift_24ths() != [0; 3];
        let screws_and_glides = primitive.iter().filter(is_shifted).copied().collect();
        let absences = Some(Absences { centring, screws_and_glides });
        Self { name, number, operators, primitive, rotations, absences }
    }

    /// Its name, such as `P 1 21 1`, `R 3:H`, `F d -3 m:2`, or CrystFEL's symbol of a point group.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number in International Tables, where it is one of the settings listed there.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// All operators, those of the centring included, sorted. Those of a point group have no translations.
    #[must_use]
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// One operator for each rotation, with the smallest translation of its operators.
    #[must_use]
    pub fn primitive(&self) -> &[Operator] {
        &self.primitive
    }

    /// Number of centring vectors, the zero vector included.
    #[must_use]
    pub fn centring(&self) -> usize {
        self.operators.len() / self.primitive.len()
    }

    /// The distinct rotations R of the operators: the point group.
    #[must_use]
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// Whether -1 is among the rotations, so that Friedel mates are equivalent.
    #[must_use]
    pub fn is_centrosymmetric(&self) -> bool {
        self.rotations.contains(&[[-1, 0, 0], [0, -1, 0], [0, 0, -1]])
    }

    /// Number of rotations of the Laue group, the point group with an inversion added.
    #[must_use]
    pub fn laue_order(&self) -> usize {
        self.rotations.len() * if self.is_centrosymmetric() { 1 } else { 2 }
    }

    /// Whether absences are known: not for a point group.
    #[must_use]
    pub fn has_absences(&self) -> bool {
        self.absences.is_some()
    }

    /// The equivalent indices h R, one for each rotation. Those of a special reflection repeat.
    pub fn images(&self, hkl: Hkl) -> impl Iterator<Item = Hkl> + '_ {
        self.rotations.iter().map(move |rotation| image(hkl, rotation))
    }

    /// Whether F of the index is 0 by symmetry; `false` where absences are not known.
    #[must_use]
    pub fn is_absent(&self, hkl: Hkl) -> bool {
        self.absences.as_ref().is_some_and(|absences| {
            absences.centring.iter().any(|shift| phase_24ths(hkl, *shift) != 0)
                || absences
                    .screws_and_glides
                    .iter()
                    .any(|operator| operator.image(hkl) == hkl && operator.phase_24ths(hkl) != 0)
        })
    }

    /// Calls `visit` with every l of a range for which h, k, l is absent, with some more than once. Faster than
    /// [`is_absent`](Self::is_absent) for each: an operator leaves all or one of the indices of a row, or none.
    pub(crate) fn absent_in_row(&self, h: i32, k: i32, l: RangeInclusive<i32>, mut visit: impl FnMut(i32)) {
        let Some(absences) = &self.absences else { return };
        for shift in &absences.centring {
            out_of_phase(h, k, l.clone(), *shift, &mut visit);
        }
        for operator in &absences.screws_and_glides {
            let fixed = match fixed_l(operator.rotation(), h, k) {
                Fixed::All => l.clone(),
                Fixed::One(one) if l.contains(&one) => one..=one,
                Fixed::One(_) | Fixed::None => continue,
            };
            out_of_phase(h, k, fixed, operator.shift_24ths(), &mut visit);
        }
    }

    /// Whether -h = h R for some R, so that F of Friedel mates is equal.
    #[must_use]
    pub fn is_centric(&self, hkl: Hkl) -> bool {
        let mate = hkl.map(|index| -index);
        self.images(hkl).any(|image| image == mate)
    }

    /// Number of operators, those of the centring included, with h R = h. The mean of |F|^2 over reflections
    /// that are not absent is this number times the sum of f^2 over the cell.
    #[must_use]
    pub fn epsilon(&self, hkl: Hkl) -> usize {
        let fixed = self.images(hkl).filter(|image| *image == hkl).count();
        fixed * self.centring()
    }

    /// Whether no equivalent index and no Friedel mate of one is larger, comparing h, then k, then l: each
    /// class of indices under the Laue group has one such index.
    #[must_use]
    pub fn is_representative(&self, hkl: Hkl) -> bool {
        self.images(hkl).all(|image| image <= hkl && image.map(|index| -index) <= hkl)
    }

    /// Whether the operators keep the cell's shape, within the tolerance of [`Cell::agrees_with`].
    #[must_use]
    pub fn fits(&self, cell: &Cell) -> bool {
        self.rotations.iter().all(|rotation| cell.agrees_with(&cell.turned(rotation)))
    }

    /// Whether both expand reflections alike: the same rotations, and the same absences among small indices.
    /// Operators for another origin do.
    pub(super) fn acts_as(&self, other: &Self) -> bool {
        // The longest periods of absences, of the screws 6_1 and the glides d, are 6 and 4.
        const REACH: i32 = 6;
        let indices = -REACH..=REACH;
        self.rotations == other.rotations
            && indices.clone().all(|h| {
                indices
                    .clone()
                    .all(|k| indices.clone().all(|l| self.is_absent([h, k, l]) == other.is_absent([h, k, l])))
            })
    }
}

impl fmt::Display for SpaceGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Calls `visit` with every l of a range for which h.t is not an integer.
fn out_of_phase(h: i32, k: i32, l: RangeInclusive<i32>, shift: [i32; 3], visit: &mut impl FnMut(i32)) {
    let mut phase = phase_24ths([h, k, *l.start()], shift);
    for l in l {
        if phase != 0 {
            visit(l);
        }
        phase = (phase + shift[2]) % PARTS;
    }
}

/// Which l have (h, k, l) R = (h, k, l).
enum Fixed {
    All,
    One(i32),
    None,
}

fn fixed_l(rotation: &Rotation, h: i32, k: i32) -> Fixed {
    let mut fixed = Fixed::All;
    for j in [0, 1, 2] {
        // Component j of h (R - 1) is slope l + start.
        let entry = |i: usize| i64::from(rotation[i][j] - i32::from(i == j));
        let start = i64::from(h) * entry(0) + i64::from(k) * entry(1);
        let slope = entry(2);
        if slope == 0 {
            if start != 0 {
                return Fixed::None;
            }
            continue;
        }
        let zero = i32::try_from(-start / slope).ok().filter(|_| start % slope == 0);
        fixed = match (zero, fixed) {
            (Some(zero), Fixed::All) => Fixed::One(zero),
            (Some(zero), Fixed::One(other)) if zero == other => Fixed::One(zero),
            _ => return Fixed::None,
        };
    }
    fixed
}
