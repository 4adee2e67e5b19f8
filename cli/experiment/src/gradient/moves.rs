//! What can move in an experiment: the parameters that all panels share, and rigid motions of panels and of groups of
//! panels.

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
    /// A parameter of the kernel, which all panels share.
    Shared(Parameter),
    /// A component of the rigid motion of a body.
    Rigid(Body, Motion),
}

/// Shifts of the parameters from their values, and motions of bodies from their places, in the units of the kernel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moves {
    /// The shifts of the parameters that all panels share.
    pub shared: SharedMoves,
    rigid: BTreeMap<Body, RigidMotion>,
}

impl Moves {
    /// Adds `by` to one number.
    pub fn add(&mut self, movable: Movable, by: f64) {
        match movable {
            Movable::Shared(parameter) => self.shared.add(parameter, by),
            Movable::Rigid(body, component) => self.rigid.entry(body).or_default().add(component, by),
        }
    }

    /// The shift of one number.
    #[must_use]
    pub fn get(&self, movable: Movable) -> f64 {
        match movable {
            Movable::Shared(parameter) => self.shared.get(parameter),
            Movable::Rigid(body, component) => self.rigid_motion(body).get(component),
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
