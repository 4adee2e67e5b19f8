//! What can move in an experiment: the parameters that all panels and crystals share, those of one of several crystals,
//! and rigid motions of panels and of groups of panels.

use std::collections::BTreeMap;

use widebragg::gradient::{Motion, Moves as SharedMoves, Parameter, RigidMotion};

/// Panels that move as one rigid body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelGroup {
    /// Its name.
    pub name: String,
    /// Its panels, by their place among those that are rendered, counted from 0; the first one gives the axes.
    pub panels: Vec<usize>,
}

/// A rigid body of a detector. Groups come before panels: a group takes its panels along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Body {
    /// A group of panels, by its place among the groups.
    Group(usize),
    /// A panel, by its place among those that are rendered.
    Panel(usize),
}

/// A number that an image depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Movable {
    /// A parameter of the kernel, which all panels and crystals share.
    Shared(Parameter),
    /// A parameter of one crystal, by its place among those of the experiment; the factor on the fluence is that on its
    /// weight.
    Crystal(usize, Parameter),
    /// A component of the rigid motion of a body.
    Rigid(Body, Motion),
}

/// Shifts of the parameters from their values, and motions of bodies from their places, in the units of the kernel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moves {
    /// The shifts of the parameters that all panels and crystals share.
    pub shared: SharedMoves,
    crystals: BTreeMap<usize, SharedMoves>,
    rigid: BTreeMap<Body, RigidMotion>,
}

impl Moves {
    /// Adds `by` to one number.
    pub fn add(&mut self, movable: Movable, by: f64) {
        match movable {
            Movable::Shared(parameter) => self.shared.add(parameter, by),
            Movable::Crystal(crystal, parameter) => {
                self.crystals.entry(crystal).or_default().add(parameter, by);
            }
            Movable::Rigid(body, component) => self.rigid.entry(body).or_default().add(component, by),
        }
    }

    /// The shift of one number.
    #[must_use]
    pub fn get(&self, movable: Movable) -> f64 {
        match movable {
            Movable::Shared(parameter) => self.shared.get(parameter),
            Movable::Crystal(crystal, parameter) => self.own(crystal).get(parameter),
            Movable::Rigid(body, component) => self.rigid_motion(body).get(component),
        }
    }

    fn own(&self, crystal: usize) -> SharedMoves {
        self.crystals.get(&crystal).copied().unwrap_or_default()
    }

    /// The shifts of the parameters of a crystal: those that it shares, and its own. Factors are multiplied.
    #[must_use]
    pub fn of_crystal(&self, crystal: usize) -> SharedMoves {
        let Some(own) = self.crystals.get(&crystal) else { return self.shared };
        let mut moves = self.shared;
        for parameter in Parameter::ALL {
            moves.add(
                parameter,
                own.get(parameter) * self.slope_in(crystal, Movable::Crystal(crystal, parameter)),
            );
        }
        moves
    }

    /// By how much the shift of a parameter of a crystal changes with a shift that it shares, or with its own: a factor is
    /// multiplied by the other one.
    pub(super) fn slope_in(&self, crystal: usize, along: Movable) -> f64 {
        match along {
            Movable::Shared(parameter) if is_factor(parameter) => 1.0 + self.own(crystal).get(parameter),
            Movable::Crystal(_, parameter) if is_factor(parameter) => 1.0 + self.shared.get(parameter),
            _ => 1.0,
        }
    }

    /// The motion of a body.
    #[must_use]
    pub fn rigid_motion(&self, body: Body) -> RigidMotion {
        self.rigid.get(&body).copied().unwrap_or_default()
    }

    /// The bodies that move, groups first.
    pub fn bodies(&self) -> impl Iterator<Item = Body> + '_ {
        self.rigid.keys().copied()
    }
}

/// Whether a parameter is a factor.
fn is_factor(parameter: Parameter) -> bool {
    matches!(
        parameter,
        Parameter::FluenceScale
            | Parameter::MosaicScale
            | Parameter::MosaicAxisScale(_)
            | Parameter::SpectrumScale
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_of_a_crystal_are_added_and_factors_multiplied() {
        let mut moves = Moves::default();
        let (scale, length) = (Parameter::FluenceScale, Parameter::CellLength(1));
        for (movable, by) in [
            (Movable::Shared(scale), 0.5),
            (Movable::Crystal(1, scale), -0.2),
            (Movable::Shared(length), 3.0),
            (Movable::Crystal(1, length), 4.0),
        ] {
            moves.add(movable, by);
            assert_eq!(moves.get(movable), by);
        }
        assert_eq!(moves.of_crystal(0), moves.shared);
        let own = moves.of_crystal(1);
        assert!((own.get(scale) - (1.5 * 0.8 - 1.0)).abs() < 1e-15, "{}", own.get(scale));
        assert_eq!(own.get(length), 7.0);
        assert_eq!(moves.slope_in(1, Movable::Shared(scale)), 0.8);
        assert_eq!(moves.slope_in(1, Movable::Crystal(1, scale)), 1.5);
        assert_eq!(moves.slope_in(1, Movable::Shared(length)), 1.0);
    }
}
