//! The unit cell: from lengths and angles, or an A matrix, to the cell vectors of the misset crystal.
//!
//! **Formulas.** V = 2abc sqrt(sin s sin(s-alpha) sin(s-beta) sin(s-gamma)), where s = (alpha+beta+gamma)/2.
//! The reciprocal lengths are bc sin(alpha)/V and cyclic. The default setting has a* along x and b* in the xy
//! plane. The direct cell follows from the reciprocal cell: a = V (b* x c*) and cyclic.
//!
//! **Symbols and units.** Lengths of the cell in Angstrom, angles in rad, cell vectors in m.
//!
//! **Source.** The set-up of the crystal in `nanoBragg.c`. If a matrix and a cell are given, directions and
//! angles come from the matrix, and the lengths and the volume from the cell.
//!
//! **Accuracy** (`tests/tests/kernel_setup.rs`). The cell vectors of all golden command lines agree with
//! those of the scalar oracle to 1e-13.
//!
//! ```
//! use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
//!
//! let cell = UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0, 90.0, 90.0]);
//! let parameters =
//!     CrystalParameters { source: CellSource::Cell(cell), lambda0_m: 1e-10, misset_rad: [0.0; 3] };
//! let crystal = Crystal::new(&parameters)?;
//! assert!((crystal.direct.a_m.x - 70e-10).abs() < 1e-20); // a along x, in m
//! assert!((crystal.reciprocal_per_angstrom[1].y - 1.0 / 80.0).abs() < 1e-12); // b* along y, in 1/Angstrom
//! # Ok::<(), widebragg::Error>(())
//! ```

use crate::Error;
use crate::error::require;
use crate::real::Real;
use crate::rotation::{Orientation, rotate_xyz};
use crate::vector::Vec3;

/// Lengths and angles of a unit cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitCell<T = f64> {
    /// a, b, c in Angstrom.
    pub lengths_angstrom: [T; 3],
    /// alpha, beta, gamma in rad.
    pub angles_rad: [T; 3],
}

impl UnitCell {
    /// Creates a cell from edges in Angstrom and angles in degrees.
    ///
    /// ```
    /// use widebragg::crystal::UnitCell;
    /// let cell = UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0, 60.0, 90.0]);
    /// assert_eq!(cell.angles_rad[1], std::f64::consts::PI / 3.0);
    /// ```
    #[must_use]
    pub fn from_degrees(lengths_angstrom: [f64; 3], angles_deg: [f64; 3]) -> Self {
        Self { lengths_angstrom, angles_rad: angles_deg.map(|angle| angle * (core::f64::consts::PI / 180.0)) }
    }
}

/// The source of the cell and its orientation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CellSource<T = f64> {
    /// A cell in the default setting.
    Cell(UnitCell<T>),
    /// An A matrix: rows x, y, z, columns a*, b*, c*, in units of 1/lambda0.
    Matrix([[T; 3]; 3]),
    /// Directions and angles from the matrix, lengths and volume from the cell.
    MatrixWithCell([[T; 3]; 3], UnitCell<T>),
}

/// The parameters of [`Crystal::new`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrystalParameters<T = f64> {
    /// Cell, matrix or both.
    pub source: CellSource<T>,
    /// Wavelength by which the matrix is scaled, in m.
    pub lambda0_m: T,
    /// Missetting rotation about lab x, y, z, in rad.
    pub misset_rad: [T; 3],
}

/// The direct and reciprocal cell vectors of an oriented crystal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CrystalAxes<T> {
    /// a, b, c in metres.
    pub(crate) direct: Orientation<T>,
    /// a*, b*, c* in 1/Angstrom.
    pub(crate) reciprocal_per_angstrom: [Vec3<T>; 3],
}

/// An oriented crystal at phi = 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crystal {
    /// a, b, c in metres.
    pub direct: Orientation,
    /// a*, b*, c* in 1/Angstrom.
    pub reciprocal_per_angstrom: [Vec3; 3],
    /// Lengths and angles of the resulting cell.
    pub cell: UnitCell,
}

/// The upper limit of the length of a cell edge, in Angstrom.
const LONGEST_EDGE: f64 = 1e9;
/// The lower limit of the length of a cell edge, in Angstrom. Shorter edges would have products outside the
/// range of f64.
const SHORTEST_EDGE: f64 = 1e-9;

impl<T: Real> UnitCell<T> {
    /// Computes the volume in cubic Angstrom.
    fn volume(&self) -> Result<T, Error> {
        let [a, b, c] = self.lengths_angstrom;
        for length in self.lengths_angstrom.map(T::value) {
            require(
                length > SHORTEST_EDGE && length < LONGEST_EDGE,
                "cell length in Angstrom",
                length,
                "above 1e-9, below 1e9",
            )?;
        }
        for angle in self.angles_rad.map(T::value) {
            let ok = angle > 0.0 && angle < core::f64::consts::PI;
            require(ok, "cell angle in degrees", angle.to_degrees(), "between 0 and 180")?;
        }
        let [alpha, beta, gamma] = self.angles_rad;
        let two = T::constant(2.0);
        let s = (alpha + beta + gamma) / two;
        let skew = s.sin() * (s - alpha).sin() * (s - beta).sin() * (s - gamma).sin();
        // At or below this bound the axes are coplanar, or no cell has these angles.
        if skew.value().is_nan() || skew.value() <= 1e-14 {
            return Err(Error::ImpossibleCell);
        }
        Ok(two * a * b * c * skew.sqrt())
    }

    /// Computes the reciprocal axes in the default setting, in 1/Angstrom.
    fn reciprocal(&self, volume: T) -> [Vec3<T>; 3] {
        let [a, b, c] = self.lengths_angstrom;
        let [alpha, beta, gamma] = self.angles_rad;
        let zero = T::constant(0.0);
        let inverse = T::constant(1.0) / volume;
        let a_star = b * c * alpha.sin() * inverse;
        let b_star = c * a * beta.sin() * inverse;
        let c_star = a * b * gamma.sin() * inverse;
        let sin_gamma_star = c * inverse / (a_star * b_star);
        let cosine = |x: T, y: T, z: T| {
            let value = (y.cos() * z.cos() - x.cos()) / (y.sin() * z.sin());
            value.clamp_cosine()
        };
        let cos_alpha_star = cosine(alpha, beta, gamma);
        let cos_beta_star = cosine(beta, gamma, alpha);
        let cos_gamma_star = cosine(gamma, alpha, beta);
        [
            Vec3::new(a_star, zero, zero),
            Vec3::new(b_star * cos_gamma_star, b_star * sin_gamma_star, zero),
            Vec3::new(
                c_star * cos_beta_star,
                c_star * (cos_alpha_star - cos_beta_star * cos_gamma_star) / sin_gamma_star,
                c_star * volume / (a * b * c * sin_gamma_star),
            ),
        ]
    }
}

/// Computes the angle between two vectors, in rad.
fn angle(x: Vec3, y: Vec3) -> f64 {
    libm::acos((x.dot(y) / x.length() / y.length()).clamp(-1.0, 1.0))
}

/// The vectors a, b, c in Angstrom, and the volume of the reciprocal cell in 1/Angstrom^3.
pub(crate) type Edges<T> = ([Vec3<T>; 3], T);

impl Crystal {
    /// Computes the oriented crystal.
    ///
    /// # Errors
    /// [`Error::ImpossibleCell`], [`Error::SingularMatrix`], or [`Error::OutOfRange`] for lengths, angles, a
    /// wavelength or rotations outside their range.
    pub fn new(parameters: &CrystalParameters) -> Result<Self, Error> {
        let edges = edges(parameters)?;
        let CrystalAxes { direct, reciprocal_per_angstrom } = CrystalAxes::of(edges);
        let ([a, b, c], _) = edges;
        let lengths_angstrom = [a.length(), b.length(), c.length()];
        let angles_rad = [angle(b, c), angle(a, c), angle(a, b)];
        Ok(Self { direct, reciprocal_per_angstrom, cell: UnitCell { lengths_angstrom, angles_rad } })
    }
}

impl<T: Real> CrystalAxes<T> {
    /// Converts the edges to the units of the struct.
    pub(crate) fn of(([a, b, c], volume_star): Edges<T>) -> Self {
        let metres = |v: Vec3<T>| v.scaled(T::constant(1e-10));
        Self {
            direct: Orientation { a_m: metres(a), b_m: metres(b), c_m: metres(c) },
            reciprocal_per_angstrom: [b.cross(c), c.cross(a), a.cross(b)].map(|v| v.scaled(volume_star)),
        }
    }
}

/// The reciprocal axes of three axes; `None` where they span no volume.
pub(crate) fn reciprocal_of([a, b, c]: [Vec3; 3]) -> Option<[Vec3; 3]> {
    let (across_a, across_b, across_c) = (b.cross(c), c.cross(a), a.cross(b));
    let inverse_volume = 1.0 / a.dot(across_a);
    let axes = [across_a, across_b, across_c].map(|across| inverse_volume * across);
    axes.iter().all(|axis| axis.is_finite()).then_some(axes)
}

/// Computes the cell vectors after the missetting rotation.
pub(crate) fn edges<T: Real>(parameters: &CrystalParameters<T>) -> Result<Edges<T>, Error> {
    let CrystalParameters { source, lambda0_m, misset_rad } = *parameters;
    require(lambda0_m.value() > 0.0, "wavelength in m", lambda0_m.value(), "above 0")?;
    for angle in misset_rad {
        require(true, "missetting angle in rad", angle.value(), "finite")?;
    }
    let (matrix, cell) = match source {
        CellSource::Cell(cell) => (None, Some(cell)),
        CellSource::Matrix(matrix) => (Some(matrix), None),
        CellSource::MatrixWithCell(matrix, cell) => (Some(matrix), Some(cell)),
    };
    let sized = match cell {
        Some(cell) => Some((cell, cell.volume()?)),
        None => None,
    };
    let reciprocal = match (matrix, sized) {
        (Some([x, y, z]), _) => {
            let scale = T::constant(1e-10) / lambda0_m;
            [0, 1, 2].map(|i: usize| {
                let at = |row: [T; 3]| row.get(i).copied().unwrap_or(T::constant(0.0)) * scale;
                Vec3::new(at(x), at(y), at(z))
            })
        }
        (None, Some((cell, volume))) => cell.reciprocal(volume),
        (None, None) => return Err(Error::ImpossibleCell),
    };
    let star = reciprocal.map(|v| rotate_xyz(v, misset_rad));
    if !star.iter().all(|v| v.value().is_finite()) {
        return Err(Error::OutOfRange {
            quantity: "matrix element",
            value: f64::NAN,
            allowed: "a finite number",
        });
    }
    edges_of_reciprocal(star, sized)
}

/// Inverts the reciprocal axes `star`; a cell with its volume, if given, sets the lengths.
fn edges_of_reciprocal<T: Real>(
    star: [Vec3<T>; 3],
    sized: Option<(UnitCell<T>, T)>,
) -> Result<Edges<T>, Error> {
    let [a_star, b_star, c_star] = star;
    let mut cross = [b_star.cross(c_star), c_star.cross(a_star), a_star.cross(b_star)];
    let mut volume_star = a_star.dot(cross[0]);
    let flat = 1e-12 * (a_star.length() * b_star.length() * c_star.length()).value();
    if volume_star.value().is_nan() || volume_star.value().abs() <= flat {
        return Err(Error::SingularMatrix);
    }
    let mut volume = T::constant(1.0) / volume_star;
    if let Some((cell, cell_volume)) = sized {
        volume = cell_volume;
        volume_star = T::constant(1.0) / volume;
        for (v, length) in cross.iter_mut().zip(cell.lengths_angstrom) {
            *v = v.scaled(length / volume / v.length());
        }
    }
    let edges = cross.map(|v| v.scaled(volume));
    for length in edges.map(|v| v.value().length()) {
        let ok = length > SHORTEST_EDGE && length < LONGEST_EDGE;
        require(ok, "cell length in Angstrom", length, "above 1e-9, below 1e9")?;
    }
    Ok((edges, volume_star))
}

/// Computes the number of unit cells along an axis of a crystal of size `size_m`: ceil(size/|axis|), at least
/// 1.
#[must_use]
pub fn cells_along(size_m: f64, axis_m: Vec3) -> f64 {
    libm::ceil(size_m / axis_m.length()).max(1.0)
}

/// Computes the number of subpixels per axis that resolves the spots.
///
/// **Formula.** ceil(3 max(N_i |a_i|) / (lambda0 distance / pixel)), at least 1.
#[must_use]
pub fn recommended_oversample(
    direct: Orientation,
    cells: [f64; 3],
    lambda0_m: f64,
    distance_m: f64,
    pixel_m: f64,
) -> f64 {
    let edges = [direct.a_m, direct.b_m, direct.c_m].map(Vec3::length);
    let size = cells.iter().zip(edges).map(|(n, edge)| n * edge).fold(0.0, f64::max);
    libm::ceil(3.0 * size / (lambda0_m * distance_m / pixel_m)).max(1.0)
}
