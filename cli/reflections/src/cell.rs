//! The unit cell.

use crate::observations::Hkl;
use crate::symmetry::Rotation;
use core::fmt;
use core::ops::RangeInclusive;

/// Relative difference of lengths up to which two cells are the same.
const LENGTH_TOLERANCE: f64 = 0.02;

/// Difference of angles in degrees up to which two cells are the same.
const ANGLE_TOLERANCE_DEG: f64 = 1.0;

/// Lengths of the axes of a cell in Å: far beyond what crystals have.
const LENGTHS_ANGSTROM: RangeInclusive<f64> = 1e-2..=1e5;

/// Least volume of a cell, as a part of that of the box with its lengths.
const LEAST_VOLUME: f64 = 1e-6;

/// A matrix, by rows.
pub type Matrix = [[f64; 3]; 3];

/// Lengths in Å and angles in degrees of a unit cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// a, b, c in Å.
    pub lengths_angstrom: [f64; 3],
    /// alpha, beta, gamma in degrees.
    pub angles_deg: [f64; 3],
}

impl Cell {
    /// Whether the lengths, of 0.01 to 100,000 Å, and angles are those of a cell with a volume, of at least 1e-6 abc. Files
    /// write zeros where the cell is unknown.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let is_angle = |angle: &f64| *angle > 0.0 && *angle < 180.0;
        self.lengths_angstrom.iter().all(|length| LENGTHS_ANGSTROM.contains(length))
            && self.angles_deg.iter().all(is_angle)
            && self.volume_of_unit_axes() >= LEAST_VOLUME
    }

    /// The volume in Å^3: abc sqrt(1 - cos^2 alpha - cos^2 beta - cos^2 gamma + 2 cos alpha cos beta cos gamma).
    /// NaN for angles that no cell has.
    #[must_use]
    pub fn volume_cubic_angstrom(&self) -> f64 {
        self.lengths_angstrom.iter().product::<f64>() * self.volume_of_unit_axes()
    }

    fn volume_of_unit_axes(&self) -> f64 {
        let [ca, cb, cg] = self.cosines();
        (1.0 - ca * ca - cb * cb - cg * cg + 2.0 * ca * cb * cg).sqrt()
    }

    /// The matrix from fractions of the cell to Å in the orthogonal frame of PDB files, where a is along x and b in the
    /// plane of x and y. Its columns are a, b and c.
    #[must_use]
    pub fn orthogonal(&self) -> Matrix {
        let [a, b, c] = self.lengths_angstrom;
        let [ca, cb, cg] = self.cosines();
        let sin_gamma = (1.0 - cg * cg).sqrt();
        let c_along_y = (ca - cb * cg) / sin_gamma;
        let c_along_z = (1.0 - cb * cb - c_along_y * c_along_y).sqrt();
        [[a, b * cg, c * cb], [0.0, b * sin_gamma, c * c_along_y], [0.0, 0.0, c * c_along_z]]
    }

    /// The matrix from Å in the frame of [`orthogonal`](Self::orthogonal) to fractions of the cell. Its rows are a*, b* and
    /// c*.
    #[must_use]
    pub fn fractional(&self) -> Matrix {
        let [[a, xy, xz], [_, yy, yz], [_, _, zz]] = self.orthogonal();
        [
            [1.0 / a, -xy / (a * yy), (xy * yz - xz * yy) / (a * yy * zz)],
            [0.0, 1.0 / yy, -yz / (yy * zz)],
            [0.0, 0.0, 1.0 / zz],
        ]
    }

    /// The metric of the reciprocal cell, from which resolutions follow.
    #[must_use]
    pub fn reciprocal_metric(&self) -> ReciprocalMetric {
        let [[aa, ab, ac], [_, bb, bc], [_, _, cc]] = self.metric();
        // The inverse of the metric, by cofactors.
        let determinant = aa * (bb * cc - bc * bc) - ab * (ab * cc - bc * ac) + ac * (ab * bc - bb * ac);
        ReciprocalMetric {
            squares: [bb * cc - bc * bc, aa * cc - ac * ac, aa * bb - ab * ab].map(|x| x / determinant),
            products: [ac * bc - ab * cc, ab * bc - ac * bb, ab * ac - aa * bc].map(|x| x / determinant),
        }
    }

    /// The largest |h|, |k| and |l| within a resolution: the axis over d, rounded down.
    #[must_use]
    pub fn largest_indices(&self, d_min_angstrom: f64) -> [i32; 3] {
        // A quotient that should be an integer may be an ulp below it.
        self.lengths_angstrom.map(|length| (length / d_min_angstrom * (1.0 + 1e-12)) as i32)
    }

    /// Whether two cells can be of one crystal: lengths within 2 % and angles within 1 degree.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= LENGTH_TOLERANCE * a.max(b);
        let parallel = |a: f64, b: f64| (a - b).abs() <= ANGLE_TOLERANCE_DEG;
        let pairs = |a: [f64; 3], b: [f64; 3]| a.into_iter().zip(b);
        pairs(self.lengths_angstrom, other.lengths_angstrom).all(|(a, b)| near(a, b))
            && pairs(self.angles_deg, other.angles_deg).all(|(a, b)| parallel(a, b))
    }

    /// The cell of the axes (a, b, c) R, where (a, b, c) are this cell's.
    #[must_use]
    pub fn turned(&self, rotation: &Rotation) -> Self {
        let metric = self.metric();
        let axis = |j: usize| rotation.map(|row| f64::from(row[j]));
        let product = |i: usize, j: usize| {
            let (first, second) = (axis(i), axis(j));
            (0..3)
                .flat_map(|m| (0..3).map(move |n| (m, n)))
                .map(|(m, n)| first[m] * metric[m][n] * second[n])
                .sum()
        };
        let lengths: [f64; 3] = core::array::from_fn(|i| f64::sqrt(product(i, i)));
        let angle = |i: usize, j: usize| {
            let cosine: f64 = product(i, j);
            (cosine / (lengths[i] * lengths[j])).acos().to_degrees()
        };
        Self { lengths_angstrom: lengths, angles_deg: [angle(1, 2), angle(0, 2), angle(0, 1)] }
    }

    /// Products of the axes in Å^2.
    fn metric(&self) -> [[f64; 3]; 3] {
        let [a, b, c] = self.lengths_angstrom;
        let [ca, cb, cg] = self.cosines();
        [[a * a, a * b * cg, a * c * cb], [a * b * cg, b * b, b * c * ca], [a * c * cb, b * c * ca, c * c]]
    }

    /// Cosines of alpha, beta and gamma, exact for 60, 90 and 120 degrees.
    fn cosines(&self) -> [f64; 3] {
        self.angles_deg.map(|angle| match angle {
            60.0 => 0.5,
            90.0 => 0.0,
            120.0 => -0.5,
            _ => angle.to_radians().cos(),
        })
    }
}

impl From<[f64; 6]> for Cell {
    /// The cell of a, b, c in Å and alpha, beta, gamma in degrees, as files and users state it: perhaps not a possible one.
    fn from([a, b, c, alpha, beta, gamma]: [f64; 6]) -> Self {
        Self { lengths_angstrom: [a, b, c], angles_deg: [alpha, beta, gamma] }
    }
}

impl fmt::Display for Cell {
    /// `79.1 79.1 38.2 90 90 90`, in Å and degrees.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.lengths_angstrom;
        let [alpha, beta, gamma] = self.angles_deg;
        write!(f, "{a} {b} {c} {alpha} {beta} {gamma}")
    }
}

/// Products of the reciprocal axes: 1/d^2 = h^2 a*^2 + k^2 b*^2 + l^2 c*^2 + 2 hk a*b* cos gamma* + 2 hl a*c* cos
/// beta* + 2 kl b*c* cos alpha*.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReciprocalMetric {
    /// a*^2, b*^2, c*^2 in 1/Å^2.
    squares: [f64; 3],
    /// a*.b*, a*.c*, b*.c* in 1/Å^2.
    products: [f64; 3],
}

impl ReciprocalMetric {
    /// 1/d^2 in 1/Å^2.
    #[must_use]
    pub fn inverse_d_squared(&self, hkl: Hkl) -> f64 {
        let [h, k, l] = hkl.map(f64::from);
        let [aa, bb, cc] = self.squares;
        let [ab, ac, bc] = self.products;
        h * h * aa + k * k * bb + l * l * cc + 2.0 * (h * k * ab + h * l * ac + k * l * bc)
    }

    /// The resolution d in Å; infinite for 0 0 0.
    #[must_use]
    pub fn d_angstrom(&self, hkl: Hkl) -> f64 {
        1.0 / self.inverse_d_squared(hkl).sqrt()
    }

    /// (sin(theta)/lambda)^2 = 1/(4 d^2) in 1/Å^2.
    #[must_use]
    pub fn stol_squared(&self, hkl: Hkl) -> f64 {
        self.inverse_d_squared(hkl) / 4.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRICLINIC: Cell = Cell { lengths_angstrom: [21.3, 26.9, 31.7], angles_deg: [83.1, 101.4, 95.2] };

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs()
    }

    #[test]
    fn resolutions_are_those_of_reciprocal_axes() {
        // From vectors: a along x, b in the plane xy, and a* = b x c / V.
        let [alpha, beta, gamma] = TRICLINIC.angles_deg.map(f64::to_radians);
        let [la, lb, lc] = TRICLINIC.lengths_angstrom;
        let a = [la, 0.0, 0.0];
        let b = [lb * gamma.cos(), lb * gamma.sin(), 0.0];
        let cy = lc * (alpha.cos() - beta.cos() * gamma.cos()) / gamma.sin();
        let cx = lc * beta.cos();
        let c = [cx, cy, (lc * lc - cx * cx - cy * cy).sqrt()];
        let cross = |u: [f64; 3], v: [f64; 3]| {
            [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
        };
        let volume: f64 = a.iter().zip(cross(b, c)).map(|(x, y)| x * y).sum();
        assert!(close(TRICLINIC.volume_cubic_angstrom(), volume));
        let star = [cross(b, c), cross(c, a), cross(a, b)].map(|axis| axis.map(|x| x / volume));
        let metric = TRICLINIC.reciprocal_metric();
        for hkl in [[1, 0, 0], [0, 1, 0], [0, 0, 1], [3, -2, 5], [-7, 4, 1]] {
            let q: [f64; 3] =
                core::array::from_fn(|i| (0..3).map(|axis| f64::from(hkl[axis]) * star[axis][i]).sum());
            let squared: f64 = q.iter().map(|x| x * x).sum();
            assert!(close(metric.inverse_d_squared(hkl), squared), "{hkl:?}");
            assert!(close(metric.stol_squared(hkl), squared / 4.0), "{hkl:?}");
            assert!(close(metric.d_angstrom(hkl), 1.0 / squared.sqrt()), "{hkl:?}");
        }
        assert_eq!(metric.d_angstrom([0; 3]), f64::INFINITY);
    }

    #[test]
    fn the_matrices_are_inverse_and_keep_lengths_and_angles() {
        let (orthogonal, fractional) = (TRICLINIC.orthogonal(), TRICLINIC.fractional());
        let axis = |i: usize| orthogonal.map(|row| row[i]);
        let dot = |u: [f64; 3], v: [f64; 3]| -> f64 { u.iter().zip(v).map(|(u, v)| u * v).sum() };
        for i in 0..3 {
            let (this, next) = (axis(i), axis((i + 1) % 3));
            assert!(close(dot(this, this).sqrt(), TRICLINIC.lengths_angstrom[i]));
            let cosine = dot(this, next) / (dot(this, this) * dot(next, next)).sqrt();
            assert!((cosine - TRICLINIC.angles_deg[(i + 2) % 3].to_radians().cos()).abs() < 1e-14);
            for (j, star) in fractional.into_iter().enumerate() {
                assert!((dot(star, this) - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        let [[a, _, _], [_, b, _], [_, _, c]] = orthogonal;
        assert!(close(a * b * c, TRICLINIC.volume_cubic_angstrom()));
    }

    #[test]
    fn largest_indices_bound_the_sphere_tightly() {
        let d_min = 2.0;
        let most = TRICLINIC.largest_indices(d_min);
        assert_eq!(most, [10, 13, 15]);
        let metric = TRICLINIC.reciprocal_metric();
        let mut reached = [0; 3];
        for h in -20..=20 {
            for k in -20..=20 {
                for l in -20..=20 {
                    if metric.d_angstrom([h, k, l]) >= d_min {
                        reached = core::array::from_fn(|i| reached[i].max([h, k, l][i].abs()));
                    }
                }
            }
        }
        assert_eq!(reached, most);
        let cube = Cell { lengths_angstrom: [0.3; 3], angles_deg: [90.0; 3] };
        assert_eq!(cube.largest_indices(0.1), [3; 3]);
    }

    #[test]
    fn cells_agree_within_two_percent_and_a_degree() {
        let with = |lengths_angstrom, angles_deg| Cell { lengths_angstrom, angles_deg };
        let right = [90.0; 3];
        let cell = with([100.0, 50.0, 70.0], right);
        assert!(cell.agrees_with(&with([101.9, 50.9, 70.0], [90.9, 89.1, 90.0])));
        assert!(!cell.agrees_with(&with([102.1, 50.0, 70.0], right)));
        assert!(!cell.agrees_with(&with([100.0, 48.9, 70.0], right)));
        assert!(!cell.agrees_with(&with([100.0, 50.0, 70.0], [90.0, 91.1, 90.0])));
        assert!(!cell.agrees_with(&with([100.0, 50.0, f64::NAN], right)));
    }

    #[test]
    fn turned_cells() {
        let hexagonal = Cell { lengths_angstrom: [60.0, 60.0, 72.0], angles_deg: [90.0, 90.0, 120.0] };
        let third = [[0, -1, 0], [1, -1, 0], [0, 0, 1]];
        assert!(hexagonal.agrees_with(&hexagonal.turned(&third)));
        let cyclic = [[0, 0, 1], [1, 0, 0], [0, 1, 0]];
        let turned = TRICLINIC.turned(&cyclic);
        for (value, expected) in turned.lengths_angstrom.iter().zip([26.9, 31.7, 21.3]) {
            assert!(close(*value, expected), "{turned}");
        }
        for (value, expected) in turned.angles_deg.iter().zip([101.4, 95.2, 83.1]) {
            assert!(close(*value, expected), "{turned}");
        }
    }

    #[test]
    fn impossible_cells_are_known() {
        assert!(TRICLINIC.is_possible());
        for (lengths_angstrom, angles_deg) in [
            ([0.0; 3], [0.0; 3]),
            ([10.0, 10.0, -10.0], [90.0; 3]),
            ([10.0, 10.0, f64::NAN], [90.0; 3]),
            ([10.0, 10.0, f64::INFINITY], [90.0; 3]),
            ([10.0; 3], [60.0, 60.0, 130.0]),
            ([10.0; 3], [90.0, 90.0, 180.0]),
            ([10.0; 3], [60.0, 60.0, 120.0]),
            ([10.0; 3], [f64::INFINITY; 3]),
            ([1e9, 10.0, 10.0], [90.0; 3]),
        ] {
            let cell = Cell { lengths_angstrom, angles_deg };
            assert!(!cell.is_possible(), "{cell}");
        }
    }
}
