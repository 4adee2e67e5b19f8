//! Rotations, and the table of the crystal orientations of a phi sweep.
//!
//! **Formula.** Rodrigues: a rotation by phi about the unit axis u takes v to v cos phi + u (u.v)(1 - cos
//! phi) + (u x v) sin phi. The table holds the rotated cell vectors U R(phi) a and so on for each phi step
//! and mosaic domain, phi outer, domain inner.
//!
//! **Symbols and units.** R(phi): the rotation about the spindle; U: the rotation of the mosaic domain;
//! angles in rad; cell vectors a, b, c in m.
//!
//! **Source.** `rotate_axis`, `rotate` and the loop over phi and mosaic domains of `nanoBragg.c`.
//!
//! **Accuracy** (`tests/tests/kernel_rotation.rs`). Rotations agree with those of the reference to 1e-15 of
//! the length.
//!
//! **Special case.** At phi == 0 exactly, the reference does not rotate: it keeps the vectors that the
//! previous step left. Within a sweep these are the vectors of the previous phi. At the first step they are
//! those of the last rotated step of the previous sweep, which are the same for every sweep of the image but
//! the first of each thread. The steady state of c-parity is therefore a table like any other, and only the
//! opening sweep of a stream differs (see [`crate::carryover`]).
//!
//! **Cost and buffers.** Nine f64 per entry in the caller's buffer, computed once per image instead of once
//! per pixel.
//!
//! ```
//! use widebragg::rotation::{
//!     IDENTITY, Orientation, PhiMode, PhiSweep, fill_orientations, orientations_len,
//! };
//! use widebragg::vector::Vec3;
//!
//! let cell = Orientation {
//!     a_m: Vec3::new(70e-10, 0.0, 0.0),
//!     b_m: Vec3::new(0.0, 80e-10, 0.0),
//!     c_m: Vec3::new(0.0, 0.0, 90e-10),
//! };
//! let sweep = PhiSweep {
//!     phi0_rad: 0.0,
//!     step_rad: 0.5f64.to_radians(),
//!     count: 3,
//!     spindle: Vec3::new(0.0, 0.0, 1.0),
//!     mode: PhiMode::Spec,
//! };
//! let domains = [IDENTITY];
//! let mut entries = vec![Orientation::default(); orientations_len(sweep.count, domains.len())?];
//! let table = fill_orientations(cell, sweep, &domains, &mut entries)?;
//! assert_eq!(table.entries()[0], cell);
//! assert!((table.entries()[2].a_m.y - 70e-10 * 1f64.to_radians().sin()).abs() < 1e-20);
//! # Ok::<(), widebragg::Error>(())
//! ```

use crate::Error;
use crate::identity::Identity;
use crate::names::named;
use crate::real::Real;
use crate::vector::Vec3;

/// A 3 x 3 matrix, as an array of rows.
pub type Mat3 = [[f64; 3]; 3];

/// The identity matrix.
pub const IDENTITY: Mat3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Rotates `v` about the unit vector `axis` by `phi_rad`, right-handed. Source: `rotate_axis` of
/// `nanoBragg.c`.
#[must_use]
pub fn rotate_axis<T: Real>(v: Vec3<T>, axis: Vec3<T>, phi_rad: T) -> Vec3<T> {
    let (sin, cos) = phi_rad.sin_cos();
    let along = v.dot(axis) * (T::constant(1.0) - cos);
    let across = axis.cross(v);
    Vec3 {
        x: axis.x * along + v.x * cos + across.x * sin,
        y: axis.y * along + v.y * cos + across.y * sin,
        z: axis.z * along + v.z * cos + across.z * sin,
    }
}

/// Rotates `v` about lab x, then y, then z by `angles_rad`, right-handed. Source: `rotate` of `nanoBragg.c`.
#[must_use]
pub fn rotate_xyz<T: Real>(v: Vec3<T>, angles_rad: [T; 3]) -> Vec3<T> {
    let [rx, ry, rz] = angles_rad;
    // The components are copied, because rustc 1.95 passes the caller's vector without a copy: writing to it
    // here would change it there.
    let Vec3 { mut x, mut y, mut z } = v;
    let still = T::constant(0.0);
    if rx != still {
        let (sin, cos) = rx.sin_cos();
        (y, z) = (y * cos - z * sin, y * sin + z * cos);
    }
    if ry != still {
        let (sin, cos) = ry.sin_cos();
        (x, z) = (x * cos + z * sin, z * cos - x * sin);
    }
    if rz != still {
        let (sin, cos) = rz.sin_cos();
        (x, y) = (x * cos - y * sin, x * sin + y * cos);
    }
    Vec3 { x, y, z }
}

/// The matrix of a right-handed rotation about the unit vector `axis`, in the order of operations of `nanoBragg.c`.
#[must_use]
pub(crate) fn turn_about(axis: Vec3, angle_rad: f64) -> Mat3 {
    let Vec3 { x, y, z } = axis;
    let (sin, cos) = (libm::sin(angle_rad), libm::cos(angle_rad));
    let t = 1.0 - cos;
    [
        [cos + t * (x * x), t * x * y - sin * z, t * x * z + sin * y],
        [t * x * y + sin * z, cos + t * (y * y), t * y * z - sin * x],
        [t * x * z - sin * y, t * y * z + sin * x, cos + t * (z * z)],
    ]
}

/// Computes U v.
#[must_use]
pub fn apply(u: &Mat3, v: Vec3) -> Vec3 {
    let [x, y, z] = u.map(|row| row[0] * v.x + row[1] * v.y + row[2] * v.z);
    Vec3 { x, y, z }
}

/// The cell vectors a, b, c of one orientation, in m.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Orientation<T = f64> {
    /// Cell vector a, in m.
    pub a_m: Vec3<T>,
    /// Cell vector b, in m.
    pub b_m: Vec3<T>,
    /// Cell vector c, in m.
    pub c_m: Vec3<T>,
}

impl<T> Orientation<T> {
    /// Applies `f` to each of the vectors.
    #[must_use]
    pub fn map<U>(self, f: impl Fn(Vec3<T>) -> Vec3<U>) -> Orientation<U> {
        Orientation { a_m: f(self.a_m), b_m: f(self.b_m), c_m: f(self.c_m) }
    }
}

impl Orientation {
    /// Rotates the cell about the spindle.
    #[must_use]
    pub fn rotated(self, spindle: Vec3, phi_rad: f64) -> Self {
        self.map(|v| rotate_axis(v, spindle, phi_rad))
    }

    /// Rotates the cell into the mosaic domain whose rotation is `u`.
    #[must_use]
    pub fn in_domain(self, u: &Mat3) -> Self {
        if *u == IDENTITY { self } else { self.map(|v| apply(u, v)) }
    }

    fn is_finite(self) -> bool {
        self.a_m.is_finite() && self.b_m.is_finite() && self.c_m.is_finite()
    }
}

/// The mode: whether an image is what the physics says, or what the reference computes, its defects included.
///
/// They differ in the cell vectors that a phi step of exactly 0 uses, in what follows an interpolation out of range, in
/// layers of the sensor, oversample flags, weights of sources, water, and the normal of a mirrored detector
/// ([`crate::detector::NormalUse`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PhiMode {
    /// The physics.
    #[default]
    Spec,
    /// `nanoBragg.c`.
    CParity,
}

named!(PhiMode, "mode": Spec = "spec", CParity = "c-parity");

/// The rotation of the crystal during the exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhiSweep {
    /// First phi, in rad.
    pub phi0_rad: f64,
    /// Step, in rad.
    pub step_rad: f64,
    /// Number of steps, at least 1.
    pub count: usize,
    /// Unit vector of the rotation axis.
    pub spindle: Vec3,
    /// Whether a phi of exactly 0 uses the vectors of the step before.
    pub mode: PhiMode,
}

impl PhiSweep {
    /// Computes phi of step `i`, in rad.
    #[must_use]
    pub fn phi_rad(&self, i: usize) -> f64 {
        self.phi0_rad + self.step_rad * i as f64
    }

    /// Counts the steps at the start of the sweep that use the vectors which the previous sweep left.
    ///
    /// The number is 0 in spec mode. It is also 0 if every phi is 0, because the vectors then never change.
    #[must_use]
    pub fn carried_steps(&self) -> usize {
        if self.mode == PhiMode::Spec {
            return 0;
        }
        (0..self.count).position(|i| self.phi_rad(i) != 0.0).unwrap_or(0)
    }

    /// Returns the step whose rotation step `i` of a steady sweep uses, or `None` if it uses the unrotated
    /// cell.
    ///
    /// In c-parity mode a step with phi == 0 uses the last rotated step before it or, at the start of the
    /// sweep, the last rotated step of the sweep.
    #[must_use]
    pub fn seen_step(&self, i: usize) -> Option<usize> {
        let rotates = |i: &usize| self.phi_rad(*i) != 0.0;
        if self.mode == PhiMode::Spec || rotates(&i) {
            return Some(i);
        }
        (0..i).rev().find(rotates).or_else(|| self.last_rotated())
    }

    /// Returns the last step whose phi is not exactly 0.
    fn last_rotated(&self) -> Option<usize> {
        (0..self.count).rev().find(|&i| self.phi_rad(i) != 0.0)
    }

    /// Returns the cell as a sweep leaves it, before mosaic rotation: the contents of the carryover cache.
    #[must_use]
    pub fn left_behind(&self, cell: Orientation) -> Orientation {
        self.left_behind_shifted(PhiShift::default(), cell)
    }

    fn left_behind_shifted(&self, shift: PhiShift, cell: Orientation) -> Orientation {
        self.last_rotated().map_or(cell, |i| cell.rotated(self.spindle, self.shifted_rad(shift, i)))
    }

    /// Computes phi of step `i` plus `shift`, in rad.
    pub(crate) fn shifted_rad(&self, shift: PhiShift, i: usize) -> f64 {
        self.phi_rad(i) + (shift.phi0_rad + shift.step_rad * i as f64)
    }
}

/// An additional rotation of a sweep about the spindle, in rad.
///
/// Changing phi itself could change which steps have phi == 0. A shift does not, so derivatives and
/// refinements stay in the same branch of the carryover.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PhiShift {
    /// Added to the first phi.
    pub phi0_rad: f64,
    /// Added to the step.
    pub step_rad: f64,
}

/// Returns the number of entries that [`fill_orientations`] needs.
///
/// # Errors
/// [`Error::TooLarge`] if the product overflows.
pub fn orientations_len(phi_steps: usize, domains: usize) -> Result<usize, Error> {
    let too_large = Error::TooLarge { quantity: "phi steps times mosaic domains" };
    let len = phi_steps.checked_mul(domains).ok_or(too_large)?;
    len.checked_mul(size_of::<Orientation>()).map(|_| len).ok_or(too_large)
}

/// The steady table of a sweep, in a buffer of the caller.
#[derive(Debug, Clone, Copy)]
pub struct OrientationTable<'a> {
    pub(crate) entries: &'a [Orientation],
    pub(crate) domains: &'a [Mat3],
    pub(crate) sweep: PhiSweep,
    pub(crate) shift: PhiShift,
    pub(crate) cell: Orientation,
    id: u64,
}

impl<'a> OrientationTable<'a> {
    /// Returns all entries, phi outer, domain inner.
    #[must_use]
    pub fn entries(&self) -> &'a [Orientation] {
        self.entries
    }

    /// Returns the sweep of the table.
    #[must_use]
    pub fn sweep(&self) -> &PhiSweep {
        &self.sweep
    }

    /// Returns the additional rotation of the sweep.
    #[must_use]
    pub fn shift(&self) -> PhiShift {
        self.shift
    }

    /// Returns the cell as the sweep leaves it, before mosaic rotation.
    #[must_use]
    pub fn left_behind(&self) -> Orientation {
        self.sweep.left_behind_shifted(self.shift, self.cell)
    }

    /// Returns the mosaic domains.
    #[must_use]
    pub fn domains(&self) -> &'a [Mat3] {
        self.domains
    }

    /// Returns the cell before any rotation.
    #[must_use]
    pub fn cell(&self) -> Orientation {
        self.cell
    }

    /// Returns a number that tells the cell, sweep and domains of this table from others.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

/// Fills the table of orientations.
///
/// **Shapes.** `entries` holds at least [`orientations_len`] entries; the order is phi outer, domain inner.
///
/// # Errors
/// [`Error::BufferTooShort`] with the length needed, or [`Error::OutOfRange`] for a vector, angle or matrix
/// that is not finite and for a sweep without steps or domains.
pub fn fill_orientations<'a>(
    cell: Orientation,
    sweep: PhiSweep,
    domains: &'a [Mat3],
    entries: &'a mut [Orientation],
) -> Result<OrientationTable<'a>, Error> {
    fill_shifted_orientations(cell, sweep, PhiShift::default(), domains, entries)
}

/// [`fill_orientations`] of a sweep with an additional rotation.
///
/// # Errors
/// As [`fill_orientations`].
pub fn fill_shifted_orientations<'a>(
    cell: Orientation,
    sweep: PhiSweep,
    shift: PhiShift,
    domains: &'a [Mat3],
    entries: &'a mut [Orientation],
) -> Result<OrientationTable<'a>, Error> {
    let refuse = |quantity, allowed| Err(Error::OutOfRange { quantity, value: f64::NAN, allowed });
    if domains.is_empty() || sweep.count == 0 {
        return refuse("number of orientations", "at least one phi step and one mosaic domain");
    }
    let finite_sweep = sweep.spindle.is_finite() && sweep.shifted_rad(shift, sweep.count).is_finite();
    if !cell.is_finite() || !finite_sweep || domains.iter().flatten().flatten().any(|x| !x.is_finite()) {
        return refuse("cell, rotation or mosaic matrix", "finite");
    }
    let needed = orientations_len(sweep.count, domains.len())?;
    let given = entries.len();
    let Some(table) = entries.get_mut(..needed) else {
        return Err(Error::BufferTooShort { buffer: "orientation table", needed, given });
    };
    let mut state = sweep.left_behind_shifted(shift, cell);
    for (i, chunk) in table.chunks_exact_mut(domains.len()).enumerate() {
        let phi = sweep.shifted_rad(shift, i);
        if sweep.phi_rad(i) != 0.0 || (sweep.mode == PhiMode::Spec && phi != 0.0) {
            state = cell.rotated(sweep.spindle, phi);
        } else if sweep.mode == PhiMode::Spec {
            state = cell;
        }
        for (entry, u) in chunk.iter_mut().zip(domains) {
            *entry = state.in_domain(u);
        }
    }
    let id = table_id(cell, sweep, shift, domains);
    Ok(OrientationTable { entries: table, domains, sweep, shift, cell, id })
}

/// A number for what a table is filled from.
fn table_id(cell: Orientation, sweep: PhiSweep, shift: PhiShift, domains: &[Mat3]) -> u64 {
    let mut id = Identity::new();
    id.add_orientation(&cell);
    id.add_numbers([sweep.phi0_rad, sweep.step_rad, shift.phi0_rad, shift.step_rad]);
    id.add_vector(sweep.spindle);
    id.add_counts([sweep.count, usize::from(sweep.mode == PhiMode::CParity), domains.len()]);
    domains.iter().for_each(|domain| id.add_matrix(domain));
    id.number()
}
