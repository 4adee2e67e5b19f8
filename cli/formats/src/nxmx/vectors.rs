//! Vectors and 3 x 3 matrices in f64, as arrays. A matrix is an array of its rows.

/// A vector.
pub(super) type Vector = [f64; 3];

/// A matrix, by rows.
pub(super) type Matrix = [[f64; 3]; 3];

/// The matrix that changes nothing.
pub(super) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Smallest sine of the angle between two directions that are told apart.
const SMALLEST_SINE: f64 = 1e-6;

/// u . v
pub(super) fn dot(u: Vector, v: Vector) -> f64 {
    u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
}

/// u x v
pub(super) fn cross(u: Vector, v: Vector) -> Vector {
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}

/// u + by v
pub(super) fn plus(u: Vector, by: f64, v: Vector) -> Vector {
    [0, 1, 2].map(|i| u[i] + by * v[i])
}

/// The unit vector along v; `None` for a vector without direction.
pub(super) fn unit(v: Vector) -> Option<Vector> {
    let largest = v.iter().fold(0.0_f64, |largest, component| largest.max(component.abs()));
    if largest == 0.0 || v.iter().any(|component| !component.is_finite()) {
        return None;
    }
    let v = v.map(|component| component / largest);
    let length = dot(v, v).sqrt();
    Some(v.map(|component| component / length))
}

/// The unit vector along the part of v that is perpendicular to the unit vector `axis`; `None` where there is none.
pub(super) fn across(v: Vector, axis: Vector) -> Option<Vector> {
    let v = unit(v)?;
    let part = plus(v, -dot(v, axis), axis);
    unit(part).filter(|_| dot(part, part).sqrt() > SMALLEST_SINE)
}

/// M v
pub(super) fn apply(m: Matrix, v: Vector) -> Vector {
    m.map(|row| dot(row, v))
}

/// M N
pub(super) fn product(m: Matrix, n: Matrix) -> Matrix {
    let columns = [0, 1, 2].map(|j| n.map(|row| row[j]));
    m.map(|row| columns.map(|column| dot(row, column)))
}

/// The right-handed rotation about a unit axis.
pub(super) fn rotation(axis: Vector, angle_deg: f64) -> Matrix {
    let (sine, cosine) = angle_deg.to_radians().sin_cos();
    let [x, y, z] = axis;
    let turned = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]];
    [0, 1, 2].map(|i| {
        [0, 1, 2].map(|j| cosine * IDENTITY[i][j] + (1.0 - cosine) * axis[i] * axis[j] + sine * turned[i][j])
    })
}
