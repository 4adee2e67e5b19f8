//! The reference's elementary functions: interference functions, rotations, polarisation, cubic
//! interpolation.
//!
//! Angles are in radians. `sincg` and `sinc3` are the reference's own expressions, which lose digits near
//! multiples of pi: they give what the reference computes, not the exact values.

use super::vector::{Vector, cross, dot, unit};
use core::f64::consts::PI;

/// sin(N x) / sin(x), the interference function of N unit cells in a row; N where x is exactly 0.
pub fn sincg(x_rad: f64, N: f64) -> f64 {
    if x_rad == 0.0 { N } else { (x_rad * N).sin() / x_rad.sin() }
}

/// 3 (sin(x)/x - cos x) / x^2, the Fourier transform of a sphere; 1 at x = 0.
pub fn sinc3(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { 3.0 * (x.sin() / x - x.cos()) / (x * x) }
}

/// sin(pi N h)/sin(pi h) to a few ulp. Whole numbers are subtracted from h and N h before the multiplication
/// by pi.
pub fn sincg_precise(h: f64, N: f64) -> f64 {
    let d = h - h.round();
    let turns = (N * d).round();
    let r = N.mul_add(d, -turns);
    let odd = |x: f64| x % 2.0 != 0.0;
    let sign = if odd(turns) != (odd(h.round()) && !odd(N)) { -1.0 } else { 1.0 };
    if d == 0.0 { sign * N } else { sign * (PI * r).sin() / (PI * d).sin() }
}

/// [`sinc3`] to a few ulp: for small x its series, because the expression cancels there.
pub fn sinc3_precise(x: f64) -> f64 {
    if x.abs() > 2.0 {
        return sinc3(x);
    }
    // The k-th term is (-1)^k 3 (2k + 2) / (2k + 3)! x^2k.
    let (mut power, mut sum) = (0.5, 0.0);
    for k in 0..16 {
        let n = 2.0 * f64::from(k);
        sum += power * (n + 2.0);
        power *= -x * x / ((n + 4.0) * (n + 5.0));
    }
    sum
}

/// Rotates `v` about `axis` by `phi_rad`, right-handed. The axis is not normalised: one that is not a unit
/// vector distorts.
pub fn rotate_axis(v: Vector, axis: Vector, phi_rad: f64) -> Vector {
    let (sin, cos) = (phi_rad.sin(), phi_rad.cos());
    let along = dot(v, axis) * (1.0 - cos);
    [
        axis[0] * along + v[0] * cos + (-axis[2] * v[1] + axis[1] * v[2]) * sin,
        axis[1] * along + v[1] * cos + (axis[2] * v[0] - axis[0] * v[2]) * sin,
        axis[2] * along + v[2] * cos + (-axis[1] * v[0] + axis[0] * v[1]) * sin,
    ]
}

/// Rotates `v` about the laboratory's x, then y, then z axis. A rotation by exactly 0 is skipped.
pub fn rotate_xyz(v: Vector, angles_rad: Vector) -> Vector {
    let [mut x, mut y, mut z] = v;
    if angles_rad[0] != 0.0 {
        let (sin, cos) = (angles_rad[0].sin(), angles_rad[0].cos());
        (y, z) = (y * cos - z * sin, y * sin + z * cos);
    }
    if angles_rad[1] != 0.0 {
        let (sin, cos) = (angles_rad[1].sin(), angles_rad[1].cos());
        (x, z) = (x * cos + z * sin, -x * sin + z * cos);
    }
    if angles_rad[2] != 0.0 {
        let (sin, cos) = (angles_rad[2].sin(), angles_rad[2].cos());
        (x, y) = (x * cos - y * sin, x * sin + y * cos);
    }
    [x, y, z]
}

/// Kahn's polarisation factor for the polarised fraction `kahn`. The directions are not normalised.
pub fn polarization_factor(kahn: f64, incident: Vector, diffracted: Vector, axis: Vector) -> f64 {
    let cos_2theta = dot(incident, diffracted);
    let cos_2theta_sq = cos_2theta * cos_2theta;
    let psi = if kahn == 0.0 {
        0.0
    } else {
        let B = unit(cross(axis, incident));
        let E = unit(cross(incident, B));
        -dot(diffracted, B).atan2(dot(diffracted, E))
    };
    0.5 * (1.0 + cos_2theta_sq - kahn * (2.0 * psi).cos() * (1.0 - cos_2theta_sq))
}

/// A 4 x 4 x 4 block of structure factors `[h][k][l]`, at floor - 1 ..= floor + 2 of each index.
pub type Block = [[[f64; 4]; 4]; 4];

/// Cubic Lagrange interpolation of a block at (h, k, l): along l, then k, then h.
pub fn polin3(block: &Block, h: f64, k: f64, l: f64) -> f64 {
    let along_l = block.map(|plane| plane.map(|row| lagrange(row, l)));
    let along_k = along_l.map(|row| lagrange(row, k));
    lagrange(along_k, h)
}

/// The value at x of the cubic through four values at floor(x) - 1 ..= floor(x) + 2.
fn lagrange(values: [f64; 4], x: f64) -> f64 {
    let nodes = [-1.0, 0.0, 1.0, 2.0].map(|offset| x.floor() + offset);
    let mut sum = 0.0;
    for (i, (&node, &value)) in nodes.iter().zip(&values).enumerate() {
        let (mut numerator, mut denominator) = (1.0, 1.0);
        for (j, &other) in nodes.iter().enumerate() {
            if j != i {
                numerator *= x - other;
                denominator *= node - other;
            }
        }
        sum += numerator * value / denominator;
    }
    sum
}
