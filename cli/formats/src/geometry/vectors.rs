//! Vectors and 3 x 3 matrices in f64, as arrays. A matrix is an array of its rows.

/// A vector.
pub(crate) type Vector = [f64; 3];

/// A matrix, by rows.
pub(crate) type Matrix = [[f64; 3]; 3];

/// The matrix that changes nothing.
pub(crate) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Largest difference of R^T R from the identity, for a matrix R that is taken for a rotation.
const ROTATION_TOLERANCE: f64 = 1e-4;

/// Smallest sine of the angle between two directions that are told apart.
const SMALLEST_SINE: f64 = 1e-6;

/// u . v
pub(crate) fn dot(u: Vector, v: Vector) -> f64 {
    u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
}

/// u x v
pub(crate) fn cross(u: Vector, v: Vector) -> Vector {
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}

/// u + by v
pub(crate) fn plus(u: Vector, by: f64, v: Vector) -> Vector {
    [0, 1, 2].map(|i| u[i] + by * v[i])
}

/// by v
pub(crate) fn scaled(by: f64, v: Vector) -> Vector {
    v.map(|component| by * component)
}

/// |v|, without overflow or underflow of the squares.
pub(crate) fn length(v: Vector) -> f64 {
    let largest = v.iter().fold(0.0_f64, |largest, component| largest.max(component.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let v = v.map(|component| component / largest);
    largest * dot(v, v).sqrt()
}

/// The unit vector along v; `None` for a vector without direction.
pub(crate) fn unit(v: Vector) -> Option<Vector> {
    let largest = v.iter().fold(0.0_f64, |largest, component| largest.max(component.abs()));
    if largest == 0.0 || v.iter().any(|component| !component.is_finite()) {
        return None;
    }
    let v = v.map(|component| component / largest);
    Some(scaled(1.0 / dot(v, v).sqrt(), v))
}

/// The unit vector along the part of v that is perpendicular to the unit vector `axis`; `None` where there is none.
pub(crate) fn across(v: Vector, axis: Vector) -> Option<Vector> {
    let v = unit(v)?;
    let part = plus(v, -dot(v, axis), axis);
    unit(part).filter(|_| length(part) > SMALLEST_SINE)
}

/// A unit vector that is perpendicular to the unit vector `axis`.
pub(crate) fn perpendicular(axis: Vector) -> Vector {
    // Of the frame's axes, the one that is farthest from it.
    let smallest = (0..3).min_by(|&i, &j| axis[i].abs().total_cmp(&axis[j].abs())).unwrap_or(0);
    across(IDENTITY[smallest], axis).unwrap_or(IDENTITY[smallest])
}

/// Whether two unit vectors are along one line.
pub(crate) fn are_parallel(u: Vector, v: Vector) -> bool {
    length(cross(u, v)) < SMALLEST_SINE
}

/// M v
pub(crate) fn apply(m: Matrix, v: Vector) -> Vector {
    m.map(|row| dot(row, v))
}

/// M N
pub(crate) fn product(m: Matrix, n: Matrix) -> Matrix {
    let columns = transposed(n);
    m.map(|row| columns.map(|column| dot(row, column)))
}

/// The transposed matrix; of three columns, the matrix that has them.
pub(crate) fn transposed([x, y, z]: Matrix) -> Matrix {
    [0, 1, 2].map(|i| [x[i], y[i], z[i]])
}

/// The determinant.
pub(crate) fn determinant([a, b, c]: Matrix) -> f64 {
    dot(a, cross(b, c))
}

/// The inverse of the matrix with the rows a, b, c: its columns are (b x c, c x a, a x b) / a . (b x c). `None` where
/// that is not finite.
pub(crate) fn inverse([a, b, c]: Matrix) -> Option<Matrix> {
    let volume = determinant([a, b, c]);
    let columns = [cross(b, c), cross(c, a), cross(a, b)].map(|v| v.map(|component| component / volume));
    let is_finite = volume != 0.0 && columns.iter().flatten().all(|component| component.is_finite());
    is_finite.then(|| transposed(columns))
}

/// The right-handed rotation about a unit axis.
pub(crate) fn rotation(axis: Vector, angle_deg: f64) -> Matrix {
    let (sine, cosine) = angle_deg.to_radians().sin_cos();
    let [x, y, z] = axis;
    let turned = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]];
    [0, 1, 2].map(|i| {
        [0, 1, 2].map(|j| cosine * IDENTITY[i][j] + (1.0 - cosine) * axis[i] * axis[j] + sine * turned[i][j])
    })
}

/// Whether a matrix is a rotation, as far as files print its numbers.
pub(crate) fn is_rotation(m: Matrix) -> bool {
    let difference = |i: usize, j: usize| (product(transposed(m), m)[i][j] - IDENTITY[i][j]).abs();
    determinant(m) > 0.0 && (0..3).all(|i| (0..3).all(|j| difference(i, j) < ROTATION_TOLERANCE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn direction() -> impl Strategy<Value = Vector> {
        [-1.0..1.0, -1.0..1.0, -1.0..1.0].prop_filter_map("a direction", unit)
    }

    fn largest_difference(m: Matrix, n: Matrix) -> f64 {
        m.iter().flatten().zip(n.iter().flatten()).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
    }

    #[test]
    fn vectors_without_direction() {
        assert_eq!(unit([0.0; 3]), None);
        assert_eq!(unit([f64::NAN, 1.0, 0.0]), None);
        assert_eq!(unit([1.0, 0.0, f64::INFINITY]), None);
        assert_eq!(unit([0.0, 3e-200, 4e-200]).map(length), Some(1.0));
        assert!((length([3e200, 0.0, 4e200]) - 5e200).abs() < 1e186);
        assert_eq!(across([2.0, 0.0, 0.0], [1.0, 0.0, 0.0]), None);
        assert_eq!(across([2.0, 5.0, 0.0], [1.0, 0.0, 0.0]), Some([0.0, 1.0, 0.0]));
        assert_eq!(inverse([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), None);
        assert!(!is_rotation([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]));
        assert!(!is_rotation([[1.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]));
    }

    #[test]
    fn rotations_are_right_handed() {
        let turned = apply(rotation([0.0, 0.0, 1.0], 90.0), [1.0, 0.0, 0.0]);
        assert!(length(plus(turned, -1.0, [0.0, 1.0, 0.0])) < 1e-15);
    }

    proptest! {
        #[test]
        fn rotations_turn_back(axis in direction(), angle_deg in -720.0..720.0) {
            let m = rotation(axis, angle_deg);
            prop_assert!(is_rotation(m));
            prop_assert!(largest_difference(product(m, rotation(axis, -angle_deg)), IDENTITY) < 4e-15);
            prop_assert!(length(plus(apply(m, axis), -1.0, axis)) < 4e-15);
        }

        #[test]
        fn perpendicular_vectors(axis in direction()) {
            prop_assert!(dot(perpendicular(axis), axis).abs() < 1e-15);
            prop_assert!((length(perpendicular(axis)) - 1.0).abs() < 1e-15);
        }

        #[test]
        fn an_inverse_undoes(
            axis in direction(),
            angle_deg in -180.0..180.0,
            lengths in [10.0..300.0, 10.0..300.0, 10.0..300.0],
        ) {
            let turned = rotation(axis, angle_deg);
            let rows = [0, 1, 2].map(|i| scaled(lengths[i], turned[i]));
            prop_assert!(largest_difference(product(rows, inverse(rows).unwrap()), IDENTITY) < 1e-14);
        }
    }
}
