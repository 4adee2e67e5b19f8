//! Rotations, and the table of crystal orientations that a sweep goes through.
//!
//! **Formula.** About unit axis u by phi (Rodrigues): v cos phi + u (u.v)(1 - cos phi) + (u x v) sin phi.
//! The table holds, for every phi step and mosaic domain, the cell vectors a, b, c in metres: U R(phi) a, ...; nine
//! f64 an entry, phi outer, domain inner, computed once per image instead of once per pixel.
//!
//! **The two modes.** At phi == 0 exactly the reference keeps whatever vectors the step before left. Within a sweep
//! that is the previous step; at the first step it is the last sweep's last rotated step, the same for every sweep of
//! the image but the first of each thread. So the steady state of c-parity is a table like any other, and only the
//! opening sweep of a stream differs (see [`crate::carryover`]).

use crate::Error;
use crate::names::named;
use crate::real::Real;
use crate::vector::Vec3;

/// A 3 x 3 matrix, rows outer.
pub type Mat3 = [[f64; 3]; 3];

/// The identity.
pub const IDENTITY: Mat3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// The vector `v` rotated about the unit vector `axis` by `phi_rad`, right-handed. Source: `rotate_axis`.
#[must_use]
pub fn rotate_axis<T: Real>(v: Vec3<T>, axis: Vec3<T>, phi_rad: T) -> Vec3<T> {
    let (sin, cos) = phi_rad.sin_cos();
    let along = v.dot(axis) * (T::constant(1.0) - cos);
    let turned = axis.cross(v);
    Vec3 {
        x: axis.x * along + v.x * cos + turned.x * sin,
        y: axis.y * along + v.y * cos + turned.y * sin,
        z: axis.z * along + v.z * cos + turned.z * sin,
    }
}

/// The vector `v` rotated about lab x, then y, then z by `angles_rad`, right-handed. Source: `rotate`.
#[must_use]
pub fn rotate_xyz<T: Real>(v: Vec3<T>, angles_rad: [T; 3]) -> Vec3<T> {
    let [rx, ry, rz] = angles_rad;
    // Components, not the vector: rustc 1.95 hands callers' vectors over without copying them, and what was written to
    // one here would stand there.
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

/// U v.
#[must_use]
pub fn apply(u: &Mat3, v: Vec3) -> Vec3 {
    let [x, y, z] = u.map(|row| row[0] * v.x + row[1] * v.y + row[2] * v.z);
    Vec3 { x, y, z }
}

/// Cell vectors a, b, c in metres, in one orientation.
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
    /// The same cell after `turn` of each of its vectors.
    #[must_use]
    pub fn map<U>(self, turn: impl Fn(Vec3<T>) -> Vec3<U>) -> Orientation<U> {
        Orientation { a_m: turn(self.a_m), b_m: turn(self.b_m), c_m: turn(self.c_m) }
    }
}

impl Orientation {
    /// Rotated about the spindle.
    #[must_use]
    pub fn rotated(self, spindle: Vec3, phi_rad: f64) -> Self {
        self.map(|v| rotate_axis(v, spindle, phi_rad))
    }

    /// In the mosaic domain that `u` turns the crystal to.
    #[must_use]
    pub fn in_domain(self, u: &Mat3) -> Self {
        if *u == IDENTITY { self } else { self.map(|v| apply(u, v)) }
    }

    fn is_finite(self) -> bool {
        self.a_m.is_finite() && self.b_m.is_finite() && self.c_m.is_finite()
    }
}

/// Which crystal a phi step of exactly zero sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PhiMode {
    /// The unrotated cell: every phi step rotates afresh.
    #[default]
    Spec,
    /// What the step before left, as the reference does.
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
    /// What a phi of exactly zero means.
    pub mode: PhiMode,
}

impl PhiSweep {
    /// phi of step `i`, in rad.
    #[must_use]
    pub fn phi_rad(&self, i: usize) -> f64 {
        self.phi0_rad + self.step_rad * i as f64
    }

    /// How many steps at the start of the sweep see what the last sweep left; 0 in spec mode.
    ///
    /// Where every phi is zero nothing ever changes, and the answer is 0 as well.
    #[must_use]
    pub fn carried_steps(&self) -> usize {
        if self.mode == PhiMode::Spec {
            return 0;
        }
        (0..self.count).position(|i| self.phi_rad(i) != 0.0).unwrap_or(0)
    }

    /// The step whose rotation step `i` of a steady sweep sees; `None`: nobody's, the unrotated cell.
    ///
    /// At phi == 0 in c-parity mode that is the step before, or at the start of the sweep its last.
    #[must_use]
    pub fn seen_step(&self, i: usize) -> Option<usize> {
        let rotates = |i: &usize| self.phi_rad(*i) != 0.0;
        if self.mode == PhiMode::Spec || rotates(&i) {
            return Some(i);
        }
        (0..i).rev().find(rotates).or_else(|| self.last_rotated())
    }

    /// The last step whose phi is not exactly 0.
    fn last_rotated(&self) -> Option<usize> {
        (0..self.count).rev().find(|&i| self.phi_rad(i) != 0.0)
    }

    /// The cell as the last step of a sweep leaves it, before mosaic: what the carryover cache holds.
    #[must_use]
    pub fn left_behind(&self, cell: Orientation) -> Orientation {
        self.left_behind_shifted(PhiShift::default(), cell)
    }

    fn left_behind_shifted(&self, shift: PhiShift, cell: Orientation) -> Orientation {
        self.last_rotated().map_or(cell, |i| cell.rotated(self.spindle, self.shifted_rad(shift, i)))
    }

    /// phi of step `i`, moved by `shift`, in rad.
    pub(crate) fn shifted_rad(&self, shift: PhiShift, i: usize) -> f64 {
        self.phi_rad(i) + (shift.phi0_rad + shift.step_rad * i as f64)
    }
}

/// By how much a sweep is turned further than its phi say, in rad.
///
/// Moving phi itself would move what counts as phi == 0: this leaves it, so that derivatives and refinements are those of one
/// and the same branch of the carryover.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PhiShift {
    /// Added to the first phi.
    pub phi0_rad: f64,
    /// Added to the step.
    pub step_rad: f64,
}

/// Number of entries that [`fill_orientations`] needs.
///
/// # Errors
/// [`Error::TooLarge`] when the product overflows.
pub fn orientations_len(phi_steps: usize, domains: usize) -> Result<usize, Error> {
    let too_large = Error::TooLarge { quantity: "phi steps times mosaic domains" };
    let len = phi_steps.checked_mul(domains).ok_or(too_large)?;
    len.checked_mul(size_of::<Orientation>()).map(|_| len).ok_or(too_large)
}

/// The steady table of a sweep, in a caller's buffer.
#[derive(Debug, Clone, Copy)]
pub struct OrientationTable<'a> {
    pub(crate) entries: &'a [Orientation],
    pub(crate) domains: &'a [Mat3],
    pub(crate) sweep: PhiSweep,
    pub(crate) shift: PhiShift,
    pub(crate) cell: Orientation,
}

impl<'a> OrientationTable<'a> {
    /// All entries, phi outer, domain inner.
    #[must_use]
    pub fn entries(&self) -> &'a [Orientation] {
        self.entries
    }

    /// The sweep that the table was made for.
    #[must_use]
    pub fn sweep(&self) -> &PhiSweep {
        &self.sweep
    }

    /// How much further it is turned.
    #[must_use]
    pub fn shift(&self) -> PhiShift {
        self.shift
    }

    /// The cell as the last step of the sweep leaves it, before mosaic.
    #[must_use]
    pub fn left_behind(&self) -> Orientation {
        self.sweep.left_behind_shifted(self.shift, self.cell)
    }

    /// The mosaic domains.
    #[must_use]
    pub fn domains(&self) -> &'a [Mat3] {
        self.domains
    }

    /// The cell before any rotation.
    #[must_use]
    pub fn cell(&self) -> Orientation {
        self.cell
    }
}

/// Fills the table of orientations, phi outer, domain inner.
///
/// # Errors
/// [`Error::BufferTooShort`] with the length needed ([`orientations_len`]), [`Error::OutOfRange`] for a vector, angle
/// or matrix that is not finite, or no domain at all.
pub fn fill_orientations<'a>(
    cell: Orientation,
    sweep: PhiSweep,
    domains: &'a [Mat3],
    entries: &'a mut [Orientation],
) -> Result<OrientationTable<'a>, Error> {
    fill_shifted_orientations(cell, sweep, PhiShift::default(), domains, entries)
}

/// [`fill_orientations`] of a sweep that is turned further than its phi say.
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
    Ok(OrientationTable { entries: table, domains, sweep, shift, cell })
}
