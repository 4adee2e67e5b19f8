//! The derivatives of the table of orientations with respect to phi, its step and the mosaic spread.

use crate::Error;
use crate::rotation::{IDENTITY, Mat3, Orientation, OrientationTable, PhiSweep, apply, rotate_axis};
use crate::vector::Vec3;

/// The derivatives of a table of orientations, in buffers of the caller.
#[derive(Debug, Clone, Copy)]
pub struct OrientationDerivatives<'a> {
    pub(super) rotations: &'a [Mat3],
    pub(super) by_phi0: &'a [Orientation],
    pub(super) by_step: &'a [Orientation],
    pub(super) by_mosaic: &'a [Orientation],
    /// For each domain, the parts of a change of its angle that are due to the spreads about a, b and c; or empty.
    pub(super) spread_shares: &'a [[f64; 3]],
    /// The number of the table that these are the derivatives of.
    table_id: u64,
}

impl<'a> OrientationDerivatives<'a> {
    /// Adds derivatives with respect to the mosaic spreads about a, b and c to those with respect to the mosaic factor,
    /// which they are parts of. `shares` has those of each domain of `table`
    /// ([`SpreadTensor::shares`](crate::mosaic::SpreadTensor::shares)); without them these derivatives are 0.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for too few shares, [`Error::OtherScene`] where these are the derivatives of another table.
    pub fn with_spread_shares(
        self,
        table: &OrientationTable<'_>,
        shares: &'a [[f64; 3]],
    ) -> Result<Self, Error> {
        if !self.is_of(table) {
            return Err(Error::OtherScene { quantity: "derivatives of orientations" });
        }
        let (needed, given) = (table.domains().len(), shares.len());
        let spread_shares = shares.get(..needed).ok_or(Error::BufferTooShort {
            buffer: "shares of mosaic spreads",
            needed,
            given,
        })?;
        Ok(Self { spread_shares, ..self })
    }

    /// Returns whether these are the derivatives of `table`, or of one with the same cell, sweep and domains.
    #[must_use]
    pub fn is_of(&self, table: &OrientationTable<'_>) -> bool {
        self.table_id == table.id()
    }
}

/// The buffers of a [`OrientationDerivatives`].
///
/// **Shapes.** Each buffer is as long as the table of orientations, or empty if its derivative is not wanted.
/// `rotations` is always required.
#[derive(Debug)]
pub struct OrientationDerivativeBuffers<'a> {
    /// The rotation from the unrotated cell to each entry.
    pub rotations: &'a mut [Mat3],
    /// Derivatives of the entries with respect to the first phi, in m/rad.
    pub by_phi0: &'a mut [Orientation],
    /// Derivatives with respect to the phi step, in m/rad.
    pub by_step: &'a mut [Orientation],
    /// Derivatives with respect to the factor on the angles of the mosaic rotations, in m.
    pub by_mosaic: &'a mut [Orientation],
}

/// Returns axis times angle, in rad, of a rotation by less than pi.
#[must_use]
pub fn rotation_vector(u: &Mat3) -> Vec3 {
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *u;
    let twice_sin = Vec3::new(zy - yz, xz - zx, yx - xy);
    let length = twice_sin.length();
    if length == 0.0 {
        return Vec3::default();
    }
    let angle = libm::atan2(length, xx + yy + zz - 1.0);
    (angle / length) * twice_sin
}

/// Scales the angle of a rotation about its axis by `scale`. A scale of 1 returns `u` bit for bit.
#[must_use]
pub fn scaled_rotation(u: &Mat3, scale: f64) -> Mat3 {
    if scale == 1.0 {
        return *u;
    }
    let vector = rotation_vector(u);
    let angle = vector.length();
    let Some(axis) = vector.try_normalize() else { return *u };
    columns(
        [Vec3::new(1.0, 0.0, 0.0), Vec3::new(0.0, 1.0, 0.0), Vec3::new(0.0, 0.0, 1.0)]
            .map(|v| rotate_axis(v, axis, scale * angle)),
    )
}

/// Creates a matrix from its columns.
fn columns([a, b, c]: [Vec3; 3]) -> Mat3 {
    [[a.x, b.x, c.x], [a.y, b.y, c.y], [a.z, b.z, c.z]]
}

/// Computes the derivative of the cell of a domain with respect to the factor on the mosaic rotations.
pub(super) fn by_mosaic(u: &Mat3, entry: Orientation) -> Orientation {
    let vector = if *u == IDENTITY { Vec3::default() } else { rotation_vector(u) };
    entry.map(|v| vector.cross(v))
}

/// Fills the derivatives of `table`.
///
/// A step that uses the unrotated cell has no derivative with respect to phi. A step at phi == 0 in c-parity
/// mode has the derivative of the step whose vectors it uses.
///
/// # Errors
/// [`Error::BufferTooShort`] for a buffer that is too short and not empty, or for empty `rotations`.
pub fn fill_orientation_derivatives<'a>(
    table: &OrientationTable<'_>,
    buffers: OrientationDerivativeBuffers<'a>,
) -> Result<OrientationDerivatives<'a>, Error> {
    let needed = table.entries().len();
    let OrientationDerivativeBuffers { rotations, by_phi0, by_step, by_mosaic: mosaic } = buffers;
    for (given, may_be_empty) in
        [(rotations.len(), false), (by_phi0.len(), true), (by_step.len(), true), (mosaic.len(), true)]
    {
        if given < needed && !(given == 0 && may_be_empty) {
            return Err(Error::BufferTooShort { buffer: "derivatives of orientations", needed, given });
        }
    }
    let (sweep, shift, domains) = (table.sweep(), table.shift(), table.domains());
    let PhiSweep { spindle, count, .. } = *sweep;
    let entries = table.entries().iter().zip(domains.iter().cycle());
    let steps = (0..count).flat_map(|i| domains.iter().map(move |_| sweep.seen_step(i)));
    for (e, ((entry, u), seen)) in entries.zip(steps).enumerate() {
        let basis = Orientation {
            a_m: Vec3::new(1.0, 0.0, 0.0),
            b_m: Vec3::new(0.0, 1.0, 0.0),
            c_m: Vec3::new(0.0, 0.0, 1.0),
        };
        let rotated = |cell: Orientation| match seen {
            Some(i) => cell.rotated(spindle, sweep.shifted_rad(shift, i)),
            None => cell,
        };
        if let Some(rotation) = rotations.get_mut(e) {
            let Orientation { a_m, b_m, c_m } = rotated(basis).in_domain(u);
            *rotation = columns([a_m, b_m, c_m]);
        }
        if let Some(by) = mosaic.get_mut(e) {
            *by = by_mosaic(u, *entry);
        }
        if by_phi0.is_empty() && by_step.is_empty() {
            continue;
        }
        let by_angle = match seen {
            Some(_) => rotated(table.cell()).map(|v| apply(u, spindle.cross(v))),
            None => Orientation::default(),
        };
        if let Some(by) = by_phi0.get_mut(e) {
            *by = by_angle;
        }
        if let Some(by) = by_step.get_mut(e) {
            *by = by_angle.map(|v| seen.unwrap_or(0) as f64 * v);
        }
    }
    Ok(OrientationDerivatives {
        rotations,
        by_phi0,
        by_step,
        by_mosaic: mosaic,
        spread_shares: &[],
        table_id: table.id(),
    })
}
