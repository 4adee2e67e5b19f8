//! Rigid motions of panels: of one, of several as a group, or of a whole detector.
//!
//! **Formulas.** A motion shifts by t_1, t_2, t_3 along the axes e_1, e_2, e_3 of a frame, and turns about these axes,
//! in this order, by r_1, r_2, r_3. With the centre c of the frame and R(e, r) the rotation about e by r, a point P
//! of a panel and an axis v of it move to
//!
//! ```text
//! P' = c + R(e_3, r_3) R(e_2, r_2) R(e_1, r_1) (P - c) + t_1 e_1 + t_2 e_2 + t_3 e_3
//! v' =     R(e_3, r_3) R(e_2, r_2) R(e_1, r_1) v
//! ```
//!
//! All rotations are about axes as they are before the motion. The distance along the normal follows from origin
//! and normal; the radius of a curved panel keeps its ratio to that distance.
//!
//! **Units.** Lengths in m, angles in rad, vectors in the laboratory frame.
//!
//! **Source.** Derived for this crate.
//!
//! **Accuracy** (`tests/tests/kernel_gradient.rs`, `kernel_crystals.rs`, `cli_panel_gradient.rs`). Distances between
//! points of what moves stay the same to 1e-15 m. Derivatives are those of diffBragg's panels to 1e-14, and agree with
//! finite differences of images to 1e-6. A motion of 0 keeps the bits.
//!
//! **Derivatives.** The functions are generic over [`Real`]: numbers that carry a derivative
//! ([`Dual`]) give the direction in which a motion changes the [`Variables`], and pullback and pushforward take
//! that as they take the direction of a parameter.
//!
//! ```
//! use widebragg::crystal::{CellSource, CrystalParameters, UnitCell};
//! use widebragg::detector::{Detector, DetectorParameters};
//! use widebragg::gradient::{Model, Motion, MotionFrame, Moves, RigidMotion, Variables};
//! use widebragg::rotation::PhiMode;
//!
//! # fn main() -> Result<(), widebragg::Error> {
//! let source = CellSource::Cell(UnitCell::from_degrees([50.0, 60.0, 70.0], [90.0; 3]));
//! let crystal = CrystalParameters { source, lambda0_m: 1e-10, misset_rad: [0.0; 3] };
//! let panel = Detector::new(&DetectorParameters::default(), PhiMode::Spec)?;
//! let variables = Model::of_placed(crystal, panel, 1, 0.0)?.variables(&Moves::default())?;
//!
//! // The direction in which the variables change as the panel turns about its normal, through its centre.
//! let edge_m = panel.pixel_m * 1024.0;
//! let start = variables.along(&Variables::default());
//! let turn = RigidMotion::default().along(Some(Motion::Rotation(2)));
//! let direction = start.moved(&turn, &MotionFrame::of_panel(&start, [edge_m; 2])).slopes();
//! assert!((direction.pix0_m.length() - edge_m / 2f64.sqrt()).abs() < 1e-15);
//! assert!((direction.fast - panel.normal.cross(panel.fast)).length() < 1e-15);
//! assert!(direction.close_distance_m.abs() < 1e-15);
//! # Ok(())
//! # }
//! ```

use super::Variables;
use crate::real::{Dual, Real};
use crate::rotation::rotate_axis;
use crate::vector::Vec3;

/// A component of a rigid motion. The `usize` is the index of an axis of its frame, 0 to 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Motion {
    /// Shift along an axis, in m.
    Shift(usize),
    /// Rotation about an axis, in rad.
    Rotation(usize),
}

/// The frame of a rigid motion: the point that its rotations keep, and the axes of shifts and rotations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionFrame<T = f64> {
    /// The point that rotations leave where it is, in m.
    pub centre_m: Vec3<T>,
    /// Unit vectors; they need not be perpendicular.
    pub axes: [Vec3<T>; 3],
}

/// The shifts along and the rotations about the three axes of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RigidMotion<T = f64> {
    /// Shifts, in m.
    pub shift_m: [T; 3],
    /// Rotations, in rad, about the first axis, then about the second, then about the third.
    pub rotation_rad: [T; 3],
}

impl<T: Real> Default for RigidMotion<T> {
    fn default() -> Self {
        let zero = T::constant(0.0);
        Self { shift_m: [zero; 3], rotation_rad: [zero; 3] }
    }
}

impl RigidMotion {
    /// Returns a component; 0 for an axis that a frame does not have.
    #[must_use]
    pub fn get(&self, component: Motion) -> f64 {
        let (three, axis) = match component {
            Motion::Shift(axis) => (&self.shift_m, axis),
            Motion::Rotation(axis) => (&self.rotation_rad, axis),
        };
        three.get(axis).copied().unwrap_or(0.0)
    }

    /// Adds `by` to a component.
    pub fn add(&mut self, component: Motion, by: f64) {
        let (three, axis) = match component {
            Motion::Shift(axis) => (&mut self.shift_m, axis),
            Motion::Rotation(axis) => (&mut self.rotation_rad, axis),
        };
        if let Some(moved) = three.get_mut(axis) {
            *moved += by;
        }
    }

    /// Returns the same motion with derivative 1 in one component, or in none.
    #[must_use]
    pub fn along(&self, component: Option<Motion>) -> RigidMotion<Dual> {
        let slope = |here: Motion| if component == Some(here) { 1.0 } else { 0.0 };
        let dual = |here: Motion| Dual { value: self.get(here), slope: slope(here) };
        RigidMotion {
            shift_m: [0, 1, 2].map(|axis| dual(Motion::Shift(axis))),
            rotation_rad: [0, 1, 2].map(|axis| dual(Motion::Rotation(axis))),
        }
    }
}

impl<T: Real> MotionFrame<T> {
    /// The laboratory: x, y and z, about the sample.
    #[must_use]
    pub fn laboratory() -> Self {
        let axis = |x: f64, y: f64, z: f64| Vec3::constant(Vec3::new(x, y, z));
        Self {
            centre_m: axis(0.0, 0.0, 0.0),
            axes: [axis(1.0, 0.0, 0.0), axis(0.0, 1.0, 0.0), axis(0.0, 0.0, 1.0)],
        }
    }

    /// The frame of a panel of `size_m`, along fast and slow: its fast and slow axis and its normal, about its centre.
    #[must_use]
    pub fn of_panel(panel: &Variables<T>, size_m: [f64; 2]) -> Self {
        let [half_fast, half_slow] = size_m.map(|edge_m| T::constant(0.5 * edge_m));
        Self {
            centre_m: panel.pix0_m + panel.fast.scaled(half_fast) + panel.slow.scaled(half_slow),
            axes: [panel.fast, panel.slow, panel.normal],
        }
    }
}

impl<T: Real> RigidMotion<T> {
    /// Whether nothing moves, nor would move along a derivative.
    fn is_none(&self) -> bool {
        self.shift_m.iter().chain(&self.rotation_rad).all(|&by| by == T::constant(0.0))
    }

    fn turned(&self, v: Vec3<T>, frame: &MotionFrame<T>) -> Vec3<T> {
        let turns = frame.axes.iter().zip(self.rotation_rad);
        turns.fold(v, |v, (&axis, by)| if by == T::constant(0.0) { v } else { rotate_axis(v, axis, by) })
    }
}

impl<T: Real> Variables<T> {
    /// Returns the variables after a rigid motion of the panel in `frame`.
    #[must_use]
    pub fn moved(&self, by: &RigidMotion<T>, frame: &MotionFrame<T>) -> Self {
        if by.is_none() {
            return *self;
        }
        let [fast, slow, normal] = [self.fast, self.slow, self.normal].map(|axis| by.turned(axis, frame));
        let about_centre = by.turned(self.pix0_m - frame.centre_m, frame);
        let shifts = frame.axes.iter().zip(by.shift_m);
        let pix0_m = shifts
            .fold(frame.centre_m + about_centre, |corner_m, (&axis, by_m)| corner_m + axis.scaled(by_m));
        let farther_m = pix0_m.dot(normal) - self.pix0_m.dot(self.normal);
        let radius_per_distance = if self.close_distance_m.value() == 0.0 {
            T::constant(1.0)
        } else {
            self.distance_m / self.close_distance_m
        };
        Self {
            pix0_m,
            fast,
            slow,
            normal,
            close_distance_m: self.close_distance_m + farther_m,
            distance_m: self.distance_m + farther_m * radius_per_distance,
            ..*self
        }
    }
}

impl Variables {
    /// Returns the same variables with the derivatives `slopes`.
    #[must_use]
    pub fn along(&self, slopes: &Self) -> Variables<Dual> {
        let (values, slopes) = (self.to_array(), slopes.to_array());
        let mut duals = values.map(Dual::constant);
        duals.iter_mut().zip(slopes).for_each(|(dual, slope)| dual.slope = slope);
        Variables::from_array(&duals)
    }
}

impl Variables<Dual> {
    /// Returns the derivatives.
    #[must_use]
    pub fn slopes(&self) -> Variables {
        Variables::from_array(&self.to_array().map(|dual| dual.slope))
    }
}
