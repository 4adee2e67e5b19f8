//! Vectors of three f64, with the reference's order of operations.
//!
//! Special case: the unit vector of a zero vector is the zero vector, so that a polarisation axis along the
//! beam gives a finite factor.

/// The components x, y, z in the laboratory frame.
pub type Vector = [f64; 3];

/// a . b
pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// a x b
pub fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// |a|
pub fn magnitude(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// a / |a|; the zero vector for the zero vector.
pub fn unit(a: Vector) -> Vector {
    let length = magnitude(a);
    if length == 0.0 { [0.0; 3] } else { a.map(|x| x / length) }
}

/// factor * a
pub fn scale(factor: f64, a: Vector) -> Vector {
    a.map(|x| factor * x)
}

/// a + b
pub fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// a - b
pub fn sub(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// A row-major 3 x 3 matrix times a column vector.
pub fn transform(matrix: &[Vector; 3], column: Vector) -> Vector {
    matrix.map(|row| dot(row, column))
}
