//! Scalar replacements of the reference's functions: the same arguments and results, one value at a time.
//!
//! | here | reference | formula |
//! |---|---|---|
//! | [`wb_sincg`] | `sincg` | sin(N x)/sin(x), see `interference.rs` |
//! | [`wb_sinc3`] | `sinc3` | 3 (sin(x)/x - cos x)/x^2, [`math::sinc3`] |
//! | [`wb_rotate_axis`] | `rotate_axis` | Rodrigues' formula, [`rotation::rotate_axis`] |
//! | [`wb_rotate`] | `rotate` | rotations about x, then y, then z, [`rotation::rotate_xyz`] |
//! | [`wb_polin3`] | `polin3` | cubic Lagrange interpolation on 4 x 4 x 4 nodes |
//! | [`wb_polarization_factor`] | `polarization_factor` | [`beam::polarization_factor`] |
//!
//! A vector has four elements: 1, 2, 3 are x, y, z; element 0 holds a magnitude in the reference, and only
//! `wb_polarization_factor` writes it. Input and output may be the same vector, because all inputs are read
//! before anything is written.
//!
//! **Special cases.** If a pointer is NULL, nothing is written, and a returned number is NaN. NaN in, NaN
//! out. Pointers need not be aligned.

use widebragg::vector::Vec3;
use widebragg::{beam, math, rotation};

use crate::interference::sincg;

/// The elements x, y, z of a vector; `None` if `v` is NULL.
///
/// # Safety
/// `v` is NULL or points to four initialised `f64`, aligned or not, which no other thread writes meanwhile.
unsafe fn read_vector(v: *const f64) -> Option<Vec3> {
    // SAFETY: `v` is NULL or points to four initialised `f64`, as the caller guarantees.
    let [_, x, y, z] = unsafe { read::<4>(v) }?;
    Some(Vec3 { x, y, z })
}

/// `LEN` numbers from any address; `None` if `values` is NULL.
///
/// # Safety
/// `values` is NULL or points to `LEN` initialised `f64`, aligned or not, which no other thread writes
/// meanwhile.
unsafe fn read<const LEN: usize>(values: *const f64) -> Option<[f64; LEN]> {
    if values.is_null() {
        return None;
    }
    // SAFETY: `values` is not NULL, and the caller guarantees `LEN` initialised numbers there that no other
    // thread writes. `read_unaligned` accepts every alignment.
    Some(unsafe { values.cast::<[f64; LEN]>().read_unaligned() })
}

/// Writes the elements x, y, z of a vector.
///
/// # Safety
/// `out` points to room for four `f64`, aligned or not, which no other thread accesses meanwhile.
unsafe fn write_vector(out: *mut f64, v: Vec3) {
    let xyz = out.wrapping_add(1).cast::<[f64; 3]>();
    // SAFETY: `xyz` is element 1 of the four for which the caller guarantees room, so three numbers fit
    // there. `write_unaligned` accepts every alignment.
    unsafe { xyz.write_unaligned(v.to_array()) }
}

/// Replaces the reference's `sincg`: sin(N x)/sin(x), and N at x = 0.
///
/// **Units**: `x` in radians. **Accuracy**: 4 ulp for the given `x`, |x| <= 2^30 and integer N up to 1e5; for
/// other arguments, the value of the C expression. NaN or infinite `x` gives NaN. The result has the same
/// bits on every CPU.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub extern "C" fn wb_sincg(x: f64, n: f64) -> f64 {
    sincg(x, n)
}

/// Replaces the reference's `sinc3`: 3 (sin(x)/x - cos x)/x^2, and 1 at x = 0. `x` is in radians.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub extern "C" fn wb_sinc3(x: f64) -> f64 {
    math::sinc3(x)
}

/// Replaces the reference's `rotate_axis`: rotates `v` about the unit vector `axis` by `phi` radians,
/// right-handed, into `newv`, which it returns.
///
/// # Safety
/// No other thread writes the inputs or accesses the output during the call.
/// * `v` is NULL or points to four initialised `f64`.
/// * `newv` is NULL or points to room for four `f64`.
/// * `axis` is NULL or points to four initialised `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_rotate_axis(
    v: *const f64,
    newv: *mut f64,
    axis: *const f64,
    phi: f64,
) -> *mut f64 {
    // SAFETY: the caller guarantees that `v` is NULL or points to four initialised `f64` that no thread
    // writes.
    let v = unsafe { read_vector(v) };
    // SAFETY: the caller guarantees that `axis` is NULL or points to four initialised `f64` that no thread
    // writes.
    let axis = unsafe { read_vector(axis) };
    if let (Some(v), Some(axis), false) = (v, axis, newv.is_null()) {
        // SAFETY: `newv` is not NULL, so the caller guarantees room for four `f64` there. If it is `v` or
        // `axis`, these have been copied above.
        unsafe { write_vector(newv, rotation::rotate_axis(v, axis, phi)) };
    }
    newv
}

/// Replaces the reference's `rotate`: rotates `v` about lab x, then y, then z, by angles in radians,
/// right-handed, into `newv`, which it returns.
///
/// # Safety
/// No other thread writes the input or accesses the output during the call.
/// * `v` is NULL or points to four initialised `f64`.
/// * `newv` is NULL or points to room for four `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_rotate(
    v: *const f64,
    newv: *mut f64,
    phix: f64,
    phiy: f64,
    phiz: f64,
) -> *mut f64 {
    // SAFETY: the caller guarantees that `v` is NULL or points to four initialised `f64` that no thread
    // writes.
    let v = unsafe { read_vector(v) };
    if let (Some(v), false) = (v, newv.is_null()) {
        // SAFETY: `newv` is not NULL, so the caller guarantees room for four `f64` there. If it is `v`, that
        // has been copied above.
        unsafe { write_vector(newv, rotation::rotate_xyz(v, [phix, phiy, phiz])) };
    }
    newv
}

/// Cubic Lagrange weights of four nodes at `x`; on a node exactly one 1 and three zeros.
fn lagrange([a, b, c, d]: [f64; 4], x: f64) -> [f64; 4] {
    let (from_a, from_b, from_c, from_d) = (x - a, x - b, x - c, x - d);
    [
        from_b * from_c * from_d / ((a - b) * (a - c) * (a - d)),
        from_a * from_c * from_d / ((b - a) * (b - c) * (b - d)),
        from_a * from_b * from_d / ((c - a) * (c - b) * (c - d)),
        from_a * from_b * from_c / ((d - a) * (d - b) * (d - c)),
    ]
}

/// Replaces the reference's `polin3`: cubic Lagrange interpolation of `ya[i][j][m]`, given at `(x1a[i],
/// x2a[j], x3a[m])` with i, j, m in 0..4, at (x1, x2, x3), into `y`.
///
/// # Safety
/// No other thread writes the inputs or accesses the output during the call.
/// * Each of `x1a`, `x2a`, `x3a` is NULL or points to four initialised `f64`.
/// * `ya` is NULL or points to four pointers, each of which is NULL or points to four pointers, each of which
///   is NULL or points to four initialised `f64`.
/// * `y` is NULL or points to room for an `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
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
    // SAFETY: this function requires of `x1a`, `x2a`, `x3a` and `ya` what `interpolate` requires of its
    // pointers.
    let value = unsafe { interpolate([x1a, x2a, x3a], ya, [x1, x2, x3]) };
    if let (Some(value), false) = (value, y.is_null()) {
        // SAFETY: `y` is not NULL, so the caller guarantees room for an `f64` there; `write_unaligned`
        // accepts every alignment.
        unsafe { y.write_unaligned(value) };
    }
}

/// The value that [`wb_polin3`] writes; `None` if a pointer is NULL.
///
/// # Safety
/// No other thread writes the numbers or pointers meanwhile.
/// * Each of `nodes` is NULL or points to four initialised `f64`.
/// * `ya` is NULL or points to four pointers, each of which is NULL or points to four pointers, each of which
///   is NULL or points to four initialised `f64`.
unsafe fn interpolate(nodes: [*const f64; 3], ya: *const *const *const f64, at: [f64; 3]) -> Option<f64> {
    let mut weights = [[0.0; 4]; 3];
    for ((weights, nodes), x) in weights.iter_mut().zip(nodes).zip(at) {
        // SAFETY: `nodes` is NULL or points to four initialised `f64`, as the caller guarantees.
        *weights = lagrange(unsafe { read(nodes) }?, x);
    }
    let [along_1, along_2, along_3] = weights;
    let mut sum = 0.0;
    // SAFETY: `ya` is NULL or points to four initialised pointers, as the caller guarantees.
    for (rows, weight_1) in unsafe { read_pointers(ya) }?.into_iter().zip(along_1) {
        let mut plane = 0.0;
        // SAFETY: `rows` is an element of `ya`: NULL or a pointer to four initialised pointers.
        for (row, weight_2) in unsafe { read_pointers(rows) }?.into_iter().zip(along_2) {
            // SAFETY: `row` is an element of `ya[i]`: NULL or a pointer to four initialised `f64`.
            let values: [f64; 4] = unsafe { read(row) }?;
            let line: f64 = values.iter().zip(along_3).map(|(value, weight)| value * weight).sum();
            plane += line * weight_2;
        }
        sum += plane * weight_1;
    }
    Some(sum)
}

/// Four pointers from any address; `None` if `pointers` is NULL.
///
/// # Safety
/// `pointers` is NULL or points to four initialised pointers, aligned or not, which no other thread writes
/// meanwhile.
unsafe fn read_pointers<T>(pointers: *const *const T) -> Option<[*const T; 4]> {
    if pointers.is_null() {
        return None;
    }
    // SAFETY: `pointers` is not NULL, and the caller guarantees four initialised pointers there that no other
    // thread writes. `read_unaligned` accepts every alignment.
    Some(unsafe { pointers.cast::<[*const T; 4]>().read_unaligned() })
}

/// Normalises the vector `v`, whose elements are `from`, in place; a vector of length 0 stays as it is, as in
/// the reference.
///
/// # Safety
/// `v` points to room for four `f64`, aligned or not, which no other thread accesses meanwhile.
unsafe fn normalise(v: *mut f64, from: Vec3) -> Vec3 {
    let length = from.length();
    let (unit, magnitude) = if length == 0.0 { (from, 0.0) } else { (from.normalize(), 1.0) };
    // SAFETY: the caller guarantees room for four `f64` at `v`, of which this is the first; `write_unaligned`
    // accepts every alignment.
    unsafe { v.write_unaligned(magnitude) };
    // SAFETY: the caller guarantees room for four `f64` at `v`.
    unsafe { write_vector(v, unit) };
    unit
}

/// Replaces the reference's `polarization_factor` for Kahn's factor `kahn_factor`. Normalises its three
/// vectors in place and sets their magnitudes.
///
/// # Safety
/// Each of `incident`, `diffracted` and `axis` is NULL or points to four initialised `f64`, which no other
/// thread accesses during the call. They may be the same vector.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
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
        // One after the other, as in the reference: two of them may be the same vector.
        // SAFETY: `v` is not NULL, so the caller guarantees four initialised `f64` there.
        if let Some(from) = unsafe { read_vector(v) } {
            // SAFETY: `v` is not NULL, so the caller guarantees four `f64` there that no other thread
            // accesses.
            *unit = unsafe { normalise(v, from) };
        }
    }
    let [incident, diffracted, axis] = units;
    beam::polarization_factor(kahn_factor, incident, diffracted, axis)
}
