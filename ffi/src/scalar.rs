//! Scalar twins: the reference's own functions, one value at a time, under its meanings.
//!
//! | here | reference | formula |
//! |---|---|---|
//! | [`wb_sincg`] | `sincg` | sin(N x)/sin(x), see `interference.rs` |
//! | [`wb_sinc3`] | `sinc3` | 3 (sin(x)/x - cos x)/x^2, [`math::sinc3`] |
//! | [`wb_rotate_axis`] | `rotate_axis` | Rodrigues, [`rotation::rotate_axis`] |
//! | [`wb_rotate`] | `rotate` | about x, then y, then z, [`rotation::rotate_xyz`] |
//! | [`wb_polin3`] | `polin3` | cubic Lagrange through 4 x 4 x 4 nodes |
//! | [`wb_polarization_factor`] | `polarization_factor` | [`beam::polarization_factor`] |
//!
//! Vectors have four elements: 1, 2, 3 are x, y, z, and 0 is the reference's slot for a magnitude, which only
//! `wb_polarization_factor` writes. A vector may be input and output at once: inputs are read before anything is written.
//!
//! **Special cases.** A NULL pointer: nothing is written, and the value, where there is one, is NaN. NaN in, NaN out.
//! Pointers need not be aligned.

use widebragg::vector::Vec3;
use widebragg::{beam, math, rotation};

use crate::interference::sincg;

/// x, y, z of a vector of four elements; `None` for NULL.
///
/// # Safety
/// `v` is NULL or points to four readable f64.
unsafe fn read_vector(v: *const f64) -> Option<Vec3> {
    // SAFETY: the caller's promise. An array of bytes has no alignment to violate.
    let [_, x, y, z] = unsafe { read::<4>(v) }?;
    Some(Vec3 { x, y, z })
}

/// `LEN` f64 from anywhere; `None` for NULL.
///
/// # Safety
/// `values` is NULL or points to `LEN` readable f64.
unsafe fn read<const LEN: usize>(values: *const f64) -> Option<[f64; LEN]> {
    if values.is_null() {
        return None;
    }
    // SAFETY: not NULL, and readable by the caller's promise.
    Some(unsafe { values.cast::<[f64; LEN]>().read_unaligned() })
}

/// Writes x, y, z behind the slot for the magnitude.
///
/// # Safety
/// `out` points to four writable f64.
unsafe fn write_vector(out: *mut f64, v: Vec3) {
    // The slot 0 is stepped over without a claim that it lies in the same object.
    let xyz = out.wrapping_add(1).cast::<[f64; 3]>();
    // SAFETY: writable by the caller's promise.
    unsafe { xyz.write_unaligned(v.to_array()) }
}

/// The reference's `sincg`: sin(N x)/sin(x), and N at x = 0.
///
/// `x` in radians. Error at most 4 ulp for the `x` given, |x| <= 2^30 and integer N up to 1e5; for other arguments
/// the value of the C expression. NaN or infinite `x` gives NaN. The same bits on every CPU.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub extern "C" fn wb_sincg(x: f64, n: f64) -> f64 {
    sincg(x, n)
}

/// The reference's `sinc3`: 3 (sin(x)/x - cos x)/x^2, and 1 at x = 0. `x` in radians.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub extern "C" fn wb_sinc3(x: f64) -> f64 {
    math::sinc3(x)
}

/// The reference's `rotate_axis`: `v` about the unit vector `axis` by `phi` radians, right-handed. Returns `newv`.
///
/// # Safety
/// Each pointer is NULL or points to four f64, `newv` to writable ones.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_rotate_axis(
    v: *const f64,
    newv: *mut f64,
    axis: *const f64,
    phi: f64,
) -> *mut f64 {
    // SAFETY: the caller's promise.
    let v = unsafe { read_vector(v) };
    // SAFETY: the caller's promise.
    let axis = unsafe { read_vector(axis) };
    if let (Some(v), Some(axis), false) = (v, axis, newv.is_null()) {
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { write_vector(newv, rotation::rotate_axis(v, axis, phi)) };
    }
    newv
}

/// The reference's `rotate`: `v` about lab x, then y, then z, by angles in radians, right-handed. Returns `newv`.
///
/// # Safety
/// Each pointer is NULL or points to four f64, `newv` to writable ones.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_rotate(
    v: *const f64,
    newv: *mut f64,
    phix: f64,
    phiy: f64,
    phiz: f64,
) -> *mut f64 {
    // SAFETY: the caller's promise.
    let v = unsafe { read_vector(v) };
    if let (Some(v), false) = (v, newv.is_null()) {
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { write_vector(newv, rotation::rotate_xyz(v, [phix, phiy, phiz])) };
    }
    newv
}

/// Cubic Lagrange weights of four nodes at `x`; exactly 1 and three zeros on a node.
fn lagrange([a, b, c, d]: [f64; 4], x: f64) -> [f64; 4] {
    let (from_a, from_b, from_c, from_d) = (x - a, x - b, x - c, x - d);
    [
        from_b * from_c * from_d / ((a - b) * (a - c) * (a - d)),
        from_a * from_c * from_d / ((b - a) * (b - c) * (b - d)),
        from_a * from_b * from_d / ((c - a) * (c - b) * (c - d)),
        from_a * from_b * from_c / ((d - a) * (d - b) * (d - c)),
    ]
}

/// The reference's `polin3`: cubic Lagrange interpolation of `ya[i][j][m]`, given at `(x1a[i], x2a[j], x3a[m])` with
/// i, j, m in 0..4, at (x1, x2, x3), into `y`.
///
/// # Safety
/// Each of `x1a`, `x2a`, `x3a` is NULL or points to four f64, `ya` to four pointers to four pointers to four f64, any of
/// which may be NULL, `y` to a writable f64.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_polin3(
    x1a: *const f64,
    x2a: *const f64,
    x3a: *const f64,
    ya: *const *const *const f64,
    x1: f64,
    x2: f64,
    x3: f64,
    y: *mut f64,
) {
    // SAFETY: the caller's promise.
    let value = unsafe { interpolate([x1a, x2a, x3a], ya, [x1, x2, x3]) };
    if let (Some(value), false) = (value, y.is_null()) {
        // SAFETY: not NULL, and writable by the caller's promise.
        unsafe { y.write_unaligned(value) };
    }
}

/// The value that [`wb_polin3`] writes; `None` where a pointer is NULL.
///
/// # Safety
/// As for [`wb_polin3`].
unsafe fn interpolate(nodes: [*const f64; 3], ya: *const *const *const f64, at: [f64; 3]) -> Option<f64> {
    let mut weights = [[0.0; 4]; 3];
    for ((weights, nodes), x) in weights.iter_mut().zip(nodes).zip(at) {
        // SAFETY: the caller's promise.
        *weights = lagrange(unsafe { read(nodes) }?, x);
    }
    let [along_1, along_2, along_3] = weights;
    let mut sum = 0.0;
    // SAFETY: the caller's promise.
    for (rows, weight_1) in unsafe { read_pointers(ya) }?.into_iter().zip(along_1) {
        let mut plane = 0.0;
        // SAFETY: the caller's promise.
        for (row, weight_2) in unsafe { read_pointers(rows) }?.into_iter().zip(along_2) {
            // SAFETY: the caller's promise.
            let values: [f64; 4] = unsafe { read(row) }?;
            let line: f64 = values.iter().zip(along_3).map(|(value, weight)| value * weight).sum();
            plane += line * weight_2;
        }
        sum += plane * weight_1;
    }
    Some(sum)
}

/// Four pointers; `None` for NULL.
///
/// # Safety
/// `pointers` is NULL or points to four readable pointers.
unsafe fn read_pointers<T>(pointers: *const *const T) -> Option<[*const T; 4]> {
    if pointers.is_null() {
        return None;
    }
    // SAFETY: not NULL, and readable by the caller's promise.
    Some(unsafe { pointers.cast::<[*const T; 4]>().read_unaligned() })
}

/// A vector to normalise where it lies; the reference leaves a vector of length 0 as it is.
///
/// # Safety
/// `v` points to four readable and writable f64.
unsafe fn normalise(v: *mut f64, from: Vec3) -> Vec3 {
    let length = from.length();
    let (unit, magnitude) = if length == 0.0 { (from, 0.0) } else { (from.unit(), 1.0) };
    // SAFETY: writable by the caller's promise.
    unsafe { v.write_unaligned(magnitude) };
    // SAFETY: writable by the caller's promise.
    unsafe { write_vector(v, unit) };
    unit
}

/// The reference's `polarization_factor` for Kahn's factor `kahn_factor`; normalises its three vectors in place, and sets
/// their magnitude slots.
///
/// # Safety
/// Each pointer is NULL or points to four writable f64.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_polarization_factor(
    kahn_factor: f64,
    incident: *mut f64,
    diffracted: *mut f64,
    axis: *mut f64,
) -> f64 {
    let mut units = [Vec3::default(); 3];
    if incident.is_null() || diffracted.is_null() || axis.is_null() {
        return f64::NAN;
    }
    for (unit, v) in units.iter_mut().zip([incident, diffracted, axis]) {
        // One after the other, as the reference does: two of them may be the same vector.
        // SAFETY: the caller's promise.
        if let Some(from) = unsafe { read_vector(v) } {
            // SAFETY: not NULL, and writable by the caller's promise.
            *unit = unsafe { normalise(v, from) };
        }
    }
    let [incident, diffracted, axis] = units;
    beam::polarization_factor(kahn_factor, incident, diffracted, axis)
}
