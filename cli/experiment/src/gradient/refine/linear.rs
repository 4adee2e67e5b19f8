//! Triangle and singular values of a matrix with many rows and few columns.
//!
//! **Formulas.** A = Q R with orthonormal columns of Q and an upper triangle R; R = U S V^T with orthonormal
//! columns of U and V and singular values S >= 0 in no particular order.
//!
//! **Method.** Householder reflections reduce blocks of [`BLOCK`] rows to triangles; the triangles are
//! stacked and reduced again until one is left (the "tall and skinny" QR). Blocks are processed in parallel;
//! since their sizes do not depend on the number of threads, neither does the result. One-sided Jacobi
//! rotations then make the columns of R V orthogonal, pair by pair; their norms are the singular values.
//!
//! **Sources.** Demmel, Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34, A206 (2012); Golub and Van
//! Loan, Matrix Computations, 4th edition, sections 5.2 and 8.6.3.
//!
//! **Accuracy.** Backward stable for each column: scaling a column of A scales the same column of R and
//! nothing else. A column of zeros gives exact zeros.
//!
//! **Special cases.** A matrix with fewer rows than columns is padded with rows of zeros. Values whose
//! squares overflow or underflow are not supported.
//!
//! **Cost.** 2 m n^2 operations for m rows and n columns, and a copy of one block in each thread.

use rayon::prelude::*;

/// A small matrix, column after column.
pub type Columns = Vec<Vec<f64>>;

/// Rows of a block: a few dozen columns of them fit into the second-level cache.
const BLOCK: usize = 512;
/// Fewest rows of a block for each column, so that the stacked triangles have fewer rows than the matrix.
const TALL: usize = 4;
/// Most passes over all pairs of columns. Fewer than ten suffice in practice, since convergence is quadratic.
const MOST_SWEEPS: usize = 60;

/// Dot product.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight independent sums: one chain of additions would be limited by its latency.
    const SUMS: usize = 8;
    let (a_blocks, a_rest) = a.as_chunks::<SUMS>();
    let (b_blocks, b_rest) = b.as_chunks::<SUMS>();
    let mut sums = [0.0; SUMS];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

/// Euclidean norm.
#[must_use]
pub fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// The square upper triangle R of `columns`, which all have the same length.
#[must_use]
pub fn triangle(columns: &[&[f64]]) -> Columns {
    let rows = columns.first().map_or(0, |column| column.len());
    let block = BLOCK.max(TALL * columns.len());
    if rows <= block {
        return reduced(columns.iter().map(|column| column.to_vec()).collect());
    }
    let triangles: Vec<Columns> = (0..rows.div_ceil(block))
        .into_par_iter()
        .map(|i| {
            let range = i * block..rows.min((i + 1) * block);
            reduced(columns.iter().map(|column| column[range.clone()].to_vec()).collect())
        })
        .collect();
    let stacked: Columns = (0..columns.len())
        .map(|j| triangles.iter().flat_map(|triangle| triangle[j].iter().copied()).collect())
        .collect();
    let stacked: Vec<&[f64]> = stacked.iter().map(Vec::as_slice).collect();
    triangle(&stacked)
}

/// The triangle of one block.
fn reduced(mut columns: Columns) -> Columns {
    let count = columns.len();
    for column in &mut columns {
        column.resize(column.len().max(count), 0.0);
    }
    for j in 0..count {
        let (left, right) = columns.split_at_mut(j + 1);
        let axis = &mut left[j][j..];
        let length = norm(axis);
        if length > 0.0 {
            // The reflection I - axis axis^T scale makes the column `diagonal` times the first unit vector.
            let diagonal = -length.copysign(axis[0]);
            let scale = 1.0 / (length * (length + axis[0].abs()));
            axis[0] -= diagonal;
            for column in right {
                let column = &mut column[j..];
                let by = dot(axis, column) * scale;
                column.iter_mut().zip(&*axis).for_each(|(x, axis)| *x -= by * axis);
            }
            axis[0] = diagonal;
        }
        left[j].truncate(j + 1);
        left[j].resize(count, 0.0);
    }
    columns
}

/// Singular values and vectors of a square matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// Singular values.
    pub singular: Vec<f64>,
    /// Left singular vectors times their singular values: the columns of U S.
    pub scaled_left: Columns,
    /// Right singular vectors: the columns of V.
    pub right: Columns,
}

impl Svd {
    /// Decomposes a square matrix.
    #[must_use]
    pub fn new(mut matrix: Columns) -> Self {
        let count = matrix.len();
        let unit = |j: usize| (0..count).map(|i| if i == j { 1.0 } else { 0.0 }).collect();
        let mut right: Columns = (0..count).map(unit).collect();
        for _ in 0..MOST_SWEEPS {
            let mut is_orthogonal = true;
            for p in 0..count {
                for q in p + 1..count {
                    if let Some(tangent) = tangent(&matrix[p], &matrix[q]) {
                        rotate(&mut matrix, p, q, tangent);
                        rotate(&mut right, p, q, tangent);
                        is_orthogonal = false;
                    }
                }
            }
            if is_orthogonal {
                break;
            }
        }
        Self { singular: matrix.iter().map(|column| norm(column)).collect(), scaled_left: matrix, right }
    }
}

/// Tangent of the rotation that makes two columns orthogonal; none if they are orthogonal within rounding.
fn tangent(a: &[f64], b: &[f64]) -> Option<f64> {
    let (aa, ab, bb) = (dot(a, a), dot(a, b), dot(b, b));
    let orthogonal = f64::EPSILON * a.len() as f64 * aa.sqrt() * bb.sqrt();
    if ab.abs() <= orthogonal || ab.is_nan() {
        return None;
    }
    let cotangent_of_twice = (bb - aa) / (2.0 * ab);
    Some((1.0 / (cotangent_of_twice.abs() + cotangent_of_twice.hypot(1.0))).copysign(cotangent_of_twice))
}

/// Rotates columns `p` and `q` > `p`.
fn rotate(matrix: &mut Columns, p: usize, q: usize, tangent: f64) {
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = cosine * tangent;
    let (left, right) = matrix.split_at_mut(q);
    for (a, b) in left[p].iter_mut().zip(&mut right[0]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Irregular numbers between -1 and 1.
    fn scattered(count: usize) -> impl Iterator<Item = f64> {
        (0..count)
            .map(|i| ((i as f64 + 1.0) * 12.9898).sin() * 43758.5453)
            .map(|x| 2.0 * x.fract().abs() - 1.0)
    }

    fn matrix(rows: usize, columns: usize) -> Columns {
        let values: Vec<f64> = scattered(rows * columns).collect();
        values.chunks(rows).map(<[f64]>::to_vec).collect()
    }

    fn slices(columns: &Columns) -> Vec<&[f64]> {
        columns.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn a_triangle_has_the_products_of_the_columns() {
        // Fewer rows than columns, one block, several blocks, and triangles that need another pass.
        for (rows, columns) in [(3, 5), (1, 1), (40, 5), (513, 4), (5000, 7), (70_000, 9)] {
            let a = matrix(rows, columns);
            let r = triangle(&slices(&a));
            assert_eq!(r.len(), columns);
            for i in 0..columns {
                assert_eq!(r[i].len(), columns);
                assert!(r[i][i + 1..].iter().all(|&below| below == 0.0));
                for j in 0..=i {
                    let (found, expected) = (dot(&r[i], &r[j]), dot(&a[i], &a[j]));
                    assert!((found - expected).abs() < 1e-13 * rows as f64, "{rows} {columns} {i} {j}");
                }
            }
        }
    }

    #[test]
    fn zeros_stay_zeros_and_no_columns_give_none() {
        let mut a = matrix(2000, 4);
        a[1].fill(0.0);
        let r = triangle(&slices(&a));
        assert_eq!(r[1], [0.0; 4]);
        let svd = Svd::new(r);
        assert_eq!(svd.right[1], [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(svd.singular[1], 0.0);
        assert!(triangle(&[]).is_empty() && Svd::new(Vec::new()).singular.is_empty());
    }

    #[test]
    fn singular_vectors_are_orthonormal_and_give_the_matrix_back() {
        for count in [1, 2, 7, 38] {
            let mut a = matrix(count, count);
            // Two parallel columns, and columns of very different norms.
            if count > 2 {
                a[2] = a[0].clone();
            }
            for (j, column) in a.iter_mut().enumerate() {
                column.iter_mut().for_each(|x| *x *= 10f64.powi(-(j as i32 % 5)));
            }
            let Svd { singular, scaled_left, right } = Svd::new(a.clone());
            for i in 0..count {
                for j in 0..count {
                    let is_one = f64::from(i == j);
                    assert!((dot(&right[i], &right[j]) - is_one).abs() < 1e-13);
                    let expected = is_one * singular[i] * singular[i];
                    assert!((dot(&scaled_left[i], &scaled_left[j]) - expected).abs() < 1e-13);
                    let back: f64 = (0..count).map(|k| scaled_left[k][i] * right[k][j]).sum();
                    assert!((back - a[j][i]).abs() < 1e-13 * count as f64, "{count} {i} {j}");
                }
            }
            assert_eq!(count > 2, singular.iter().any(|&s| s < 1e-14));
        }
    }

    #[test]
    fn singular_values_of_a_known_matrix() {
        // Eigenvalues of its square are (3 +- sqrt 5)/2: the golden ratio and its inverse are its singular
        // values.
        let mut found = Svd::new(vec![vec![1.0, 0.0], vec![1.0, 1.0]]).singular;
        found.sort_by(f64::total_cmp);
        let golden = (1.0 + 5f64.sqrt()) / 2.0;
        assert!((found[0] - 1.0 / golden).abs() < 1e-15 && (found[1] - golden).abs() < 1e-15);
    }
}
