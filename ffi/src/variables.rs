//! The variables of a scene, of which its pixels are smooth functions, and the sets of derivatives with
//! respect to them.

use widebragg::gradient::{Variables, Wanted};

use crate::memory::{Input, Output, disjoint};
use crate::status::{Failure, status};

/// Derivatives with respect to the cell vectors, and to the reciprocal axes if spots are gaussian.
pub const WB_WANT_CELL: u64 = 1;
/// Derivatives with respect to origin, axes and distances of the detector.
pub const WB_WANT_DETECTOR: u64 = 2;
/// Derivatives with respect to the factor on the wavelengths, and to what is added to them.
pub const WB_WANT_WAVELENGTH: u64 = 4;
/// Derivatives with respect to the structure factor outside the grid.
pub const WB_WANT_DEFAULT_F: u64 = 8;
/// Derivatives with respect to the first phi and the phi step.
pub const WB_WANT_PHI: u64 = 16;
/// Derivatives with respect to the factor on the mosaic rotations.
pub const WB_WANT_MOSAIC: u64 = 32;
/// Derivatives with respect to the cells that are added. With these, the others may differ in their last digits.
pub const WB_WANT_CELLS: u64 = 64;
/// All derivatives.
pub const WB_WANT_ALL: u64 = 127;

/// One number for each variable of a scene: derivatives with respect to the variables, or a direction in
/// which they change.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct wb_variables {
    /// a, b, c at phi = 0, in m.
    pub cell_m: [f64; 9],
    /// a*, b*, c* at phi = 0, in 1/Angstrom; only gaussian spots depend on them.
    pub reciprocal_per_angstrom: [f64; 9],
    /// The outer corner of the first pixel.
    pub pix0_m: [f64; 3],
    /// The fast axis.
    pub fast_axis: [f64; 3],
    /// The slow axis.
    pub slow_axis: [f64; 3],
    /// The normal of the detector.
    pub normal_axis: [f64; 3],
    /// The distance from sample to detector along the normal, which the solid angle depends on.
    pub close_distance_m: f64,
    /// The distance from sample to detector along the beam: the radius of a curved detector.
    pub distance_m: f64,
    /// A rotation added to the first phi; which steps have a phi of exactly 0 does not change.
    pub phi0_rad: f64,
    /// A rotation added to the phi step; which steps have a phi of exactly 0 does not change.
    pub phi_step_rad: f64,
    /// A factor on the angles of the mosaic rotations.
    pub mosaic_scale: f64,
    /// A factor on all wavelengths.
    pub lambda_scale: f64,
    /// A factor on the fluence.
    pub fluence_scale: f64,
    /// The structure factor outside the grid.
    pub default_f: f64,
    /// Added to all wavelengths.
    pub lambda_shift_m: f64,
    /// Cells added along a, b, c.
    pub added_cells: [f64; 3],
    /// Added to the elements ab, ac, bc of the N matrix of gaussian spots of index metric; others do not depend on it.
    pub added_coupling: [f64; 3],
    /// Factors on the mosaic spreads about a, b, c. Scenes of this interface have the same spread about every axis, so that
    /// derivatives with respect to them are 0, and directions must have 0.
    pub mosaic_axis_scale: [f64; 3],
}

// Both are `repr(C)` structs of the same `f64` fields in the same order, so a pointer to one is a pointer to
// the other.
const _: () = assert!(size_of::<wb_variables>() == size_of::<Variables>());
const _: () = assert!(align_of::<wb_variables>() == align_of::<Variables>());

/// Rejects numbers that are NaN or infinite.
pub(crate) fn all_finite(
    quantity: &'static str,
    mut values: impl Iterator<Item = f64>,
) -> Result<(), Failure> {
    match values.find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Failure::range(quantity, value, "finite")),
    }
}

/// The `WB_WANT_` bits of the variables that change along directions, whose numbers must be finite.
pub(crate) fn wanted_along(directions: &[Variables]) -> Result<u64, Failure> {
    all_finite("directions", directions.iter().flat_map(Variables::to_array))?;
    let Wanted { cell, reciprocal, detector, wavelength, default_f, cells } = Wanted::along(directions);
    let by_axis = directions.iter().flat_map(|along| along.mosaic_axis_scale);
    if let Some(by) = by_axis.into_iter().find(|by| *by != 0.0) {
        return Err(Failure::range("mosaic_axis_scale of a direction", by, "0"));
    }
    let any = |changes: fn(&Variables) -> bool| directions.iter().any(changes);
    let bits = [
        (cell || reciprocal, WB_WANT_CELL),
        (detector, WB_WANT_DETECTOR),
        (wavelength, WB_WANT_WAVELENGTH),
        (default_f, WB_WANT_DEFAULT_F),
        (any(|along| along.phi0_rad != 0.0 || along.phi_step_rad != 0.0), WB_WANT_PHI),
        (any(|along| along.mosaic_scale != 0.0), WB_WANT_MOSAIC),
        (cells, WB_WANT_CELLS),
    ];
    Ok(bits.iter().map(|&(changes, bit)| if changes { bit } else { 0 }).sum())
}

/// Sets `wanted` to the `WB_WANT_` bits of the derivatives along `count` directions.
///
/// # Safety
/// * `directions` is NULL or points to `count` initialised `wb_variables`, which no other thread writes
///   during the call.
/// * `wanted` is NULL or points to room for a `u64`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_wanted_along(
    directions: *const wb_variables,
    count: usize,
    wanted: *mut u64,
) -> i32 {
    let ask = || {
        let wanted = Output::one(wanted, "wanted")?;
        let directions = Input::array(directions.cast::<Variables>(), count, "directions")?;
        disjoint(&[wanted.region()], &[directions.region()])?;
        // SAFETY: `directions` is not NULL, so the caller guarantees `count` initialised `wb_variables`
        // there, which have the layout of `Variables`; no other thread writes them, and `wanted` does not
        // overlap them.
        let directions = unsafe { directions.slice() };
        let bits = wanted_along(directions)?;
        // SAFETY: `wanted` is not NULL, so the caller guarantees room for a `u64` there, which no other
        // thread accesses.
        unsafe { wanted.write(bits) };
        Ok(())
    };
    status(ask())
}

/// Returns the sum of products of all variables: dL/dp of the derivatives dL/dv and a direction dv/dp. NaN if
/// a pointer is NULL or misaligned.
///
/// # Safety
/// Each of `sums` and `direction` is NULL or points to an initialised `wb_variables`, which no other thread
/// writes during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_dot(sums: *const wb_variables, direction: *const wb_variables) -> f64 {
    let sums = Input::one(sums.cast::<Variables>(), "sums");
    let direction = Input::one(direction.cast::<Variables>(), "direction");
    let (Ok(sums), Ok(direction)) = (sums, direction) else { return f64::NAN };
    // SAFETY: `sums` is not NULL, so the caller guarantees an initialised `wb_variables` there, which has the
    // layout of `Variables`; no other thread writes it.
    let sums = unsafe { sums.read() };
    // SAFETY: `direction` is not NULL, so the caller guarantees an initialised `wb_variables` there, which
    // has the layout of `Variables`; no other thread writes it.
    let direction = unsafe { direction.read() };
    sums.dot(&direction)
}
