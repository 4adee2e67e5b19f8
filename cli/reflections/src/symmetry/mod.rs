//! Space groups: what is stated of them, and their operators.

mod group;
mod hall;
mod names;
mod operator;
mod point_groups;
mod space_group;
mod stated;

pub use operator::{Operator, Rotation};
pub use space_group::SpaceGroup;
pub use stated::{Resolved, resolve};

pub(crate) use operator::image;

/// The symmetry as a file or a user states it. Where several are given, operators are believed before the
/// Hall symbol, that before the name, and the name before the number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatedSymmetry {
    /// Operators as triplets, such as `-x,y+1/2,-z`; perhaps generators only.
    pub operators: Vec<String>,
    /// Hall symbol.
    pub hall: Option<String>,
    /// Hermann-Mauguin name, as it was written.
    pub name: Option<String>,
    /// Number in International Tables. CCP4 adds a multiple of 1000 for settings of its own.
    pub number: Option<u32>,
    /// CrystFEL's symbol of a point group, which says nothing of absences.
    pub point_group: Option<String>,
}
