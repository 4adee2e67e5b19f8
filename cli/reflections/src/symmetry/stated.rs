//! From what is stated of a symmetry to its operators.

use super::StatedSymmetry;
use super::names;
use super::operator::Operator;
use super::space_group::SpaceGroup;
use crate::cell::Cell;
use crate::failure::{Failure, quoted};

/// Multiples of this are added to the number of a group for CCP4's settings. Which one is meant is not known by the
/// number alone, so without a name it is refused.
const CCP4_SETTINGS: u32 = 1000;

/// A space group, and what was doubtful about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The group that is believed.
    pub group: SpaceGroup,
    /// Lines for the user: statements that disagree, and a cell without the group's symmetry.
    pub warnings: Vec<String>,
}

impl StatedSymmetry {
    /// What `--space-group` states: a number, `hall:SYMBOL`, operators with `;` between them, or else a name.
    ///
    /// # Errors
    /// What [`resolve`] refuses. The axes of an R group may still depend on a cell.
    pub fn from_option(value: &str) -> Result<Self, Failure> {
        let value = value.trim();
        let mut stated = Self::default();
        let hall = value.split_once(':').filter(|(kind, _)| kind.trim().eq_ignore_ascii_case("hall"));
        if let Some((_, symbol)) = hall {
            stated.hall = Some(symbol.trim().to_string());
        } else if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            stated.number = Some(value.parse().unwrap_or(u32::MAX));
        } else if value.contains([',', ';']) {
            let triplets = value.split(';').filter(|triplet| !triplet.trim().is_empty());
            stated.operators = triplets.map(str::to_string).collect();
        } else {
            stated.name = Some(value.to_string());
        }
        resolve(&stated, None)?;
        Ok(stated)
    }
}

/// The space group that is believed of what is stated: the one of the operators, else of the Hall symbol, else
/// of the name with the cell, else of the number with the cell, else a point group.
///
/// # Errors
/// Nothing stated, operators that are no space group, and, where nothing before it is stated, an unknown Hall
/// symbol, name, number or point group.
///
/// ```
/// use widebragg_reflections::symmetry::{StatedSymmetry, resolve};
///
/// let operators = ["x,y,z", "-x,-y,z+1/2"].map(String::from).to_vec();
/// let name = Some("P 1 21 1".to_string());
/// let resolved = resolve(&StatedSymmetry { operators, name, ..Default::default() }, None)?;
/// assert_eq!(resolved.group.name(), "P 1 1 21");
/// assert_eq!(
///     resolved.warnings,
///     ["the symmetry operators are those of P 1 1 21, but the space group name is \"P 1 21 1\": \
///       the operators are used"]
/// );
/// # Ok::<(), widebragg_reflections::Failure>(())
/// ```
pub fn resolve(stated: &StatedSymmetry, cell: Option<&Cell>) -> Result<Resolved, Failure> {
    let StatedSymmetry { operators, hall, name, number, point_group } = stated;
    let mut warnings = Vec::new();
    let (group, believed) = if !operators.is_empty() {
        let operators =
            operators.iter().map(|triplet| triplet.parse()).collect::<Result<Vec<Operator>, _>>()?;
        (SpaceGroup::from_operators(&operators)?, Believed::Operators)
    } else if let Some(hall) = hall {
        (SpaceGroup::from_hall(hall)?, Believed::Hall)
    } else if let Some(name) = name {
        (SpaceGroup::from_name(name, cell)?, Believed::Name)
    } else if let Some(number) = number {
        (SpaceGroup::from_number(*number, cell)?, Believed::Number)
    } else if let Some(symbol) = point_group {
        (SpaceGroup::from_point_group(symbol)?, Believed::PointGroup)
    } else {
        return Err(Failure::new("no symmetry is stated: give --space-group"));
    };

    let mut doubt = |what: String| warnings.push(format!("{} {group}, but {what}", believed.says()));
    let used = believed.used();
    if let Some(hall) = hall.as_ref().filter(|_| believed < Believed::Hall) {
        match SpaceGroup::from_hall(hall) {
            Ok(other) if agree(&group, &other) => {}
            Ok(other) => doubt(format!("the Hall symbol {} is that of {other}: {used}", quoted(hall))),
            Err(_) => doubt(format!("the Hall symbol {} is unknown: {used}", quoted(hall))),
        }
    }
    if let Some(name) = name.as_ref().filter(|_| believed < Believed::Name) {
        let mut others = SpaceGroup::all_of(names::by_name(name)).peekable();
        if others.peek().is_none() {
            doubt(format!("the space group name {} is unknown: {used}", quoted(name)));
        } else if !others.any(|other| agree(&group, &other)) {
            doubt(format!("the space group name is {}: {used}", quoted(name)));
        }
    }
    if let Some(as_stated) = number.filter(|_| believed < Believed::Number) {
        let number = as_stated % CCP4_SETTINGS;
        let agrees = match group.number() {
            Some(known) => known == number,
            None => SpaceGroup::all_of(names::by_number(number)).any(|other| agree(&group, &other)),
        };
        if !agrees {
            doubt(format!("the space group number is {as_stated}: {used}"));
        }
    }
    if let Some(cell) = cell.filter(|cell| cell.is_possible() && !group.fits(cell)) {
        warnings
            .push(format!("the cell {cell} does not have the symmetry of {group}: are they of one setting?"));
    }
    Ok(Resolved { group, warnings })
}

/// Whether two statements can be of one group. Operators in no listed setting, such as those for another
/// origin, agree with a group that expands reflections alike.
fn agree(believed: &SpaceGroup, other: &SpaceGroup) -> bool {
    believed.operators() == other.operators()
        || ((believed.number().is_none() || other.number().is_none() || believed.number() == other.number())
            && believed.acts_as(other))
}

/// What the group was taken from, most believed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Believed {
    Operators,
    Hall,
    Name,
    Number,
    PointGroup,
}

impl Believed {
    /// The beginning of a warning, before the name of the group.
    fn says(self) -> &'static str {
        match self {
            Self::Operators => "the symmetry operators are those of",
            Self::Hall => "the Hall symbol is that of",
            Self::Name => "the space group name is that of",
            Self::Number => "the space group number is that of",
            Self::PointGroup => "the point group is",
        }
    }

    /// The end of a warning.
    fn used(self) -> &'static str {
        match self {
            Self::Operators => "the operators are used",
            Self::Hall => "the Hall symbol is used",
            Self::Name => "the name is used",
            Self::Number => "the number is used",
            Self::PointGroup => "the point group is used",
        }
    }
}
