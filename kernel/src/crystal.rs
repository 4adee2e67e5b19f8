//! The unit cell: from lengths and angles or from an A matrix, through the missetting rotation, to a, b, c in metres.
//!
//! **Formulas.** V = 2abc sqrt(sin s sin(s-alpha) sin(s-beta) sin(s-gamma)), s = (alpha+beta+gamma)/2; reciprocal
//! lengths bc sin(alpha)/V and cyclic; default setting a* along x, b* in the xy plane. Direct cell from reciprocal:
//! a = V (b* x c*) and cyclic. Lengths in Angstrom and angles in rad here, cell vectors in metres.
//!
//! **Source.** reference.md of the project's reference program, "cell and orientation". With a matrix and a cell given,
//! directions and angles come from the matrix, lengths and volume factor from the cell.

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
    /// The cell with edges in Angstrom and angles in degrees.
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

/// Where cell and orientation come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CellSource<T = f64> {
    /// A cell in the default setting.
    Cell(UnitCell<T>),
    /// Nine numbers, rows x, y, z, columns a*, b*, c*, in units of 1/lambda0.
    Matrix([[T; 3]; 3]),
    /// Directions and angles of the matrix, lengths and volume of the cell.
    MatrixWithCell([[T; 3]; 3], UnitCell<T>),
}

/// What [`Crystal::new`] needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrystalParameters<T = f64> {
    /// Cell, matrix or both.
    pub source: CellSource<T>,
    /// Wavelength that the matrix is scaled by, in m.
    pub lambda0_m: T,
    /// Missetting rotation about lab x, y, z, in rad.
    pub misset_rad: [T; 3],
}

/// Cell vectors of an oriented crystal, and their reciprocals.
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
    /// Lengths and angles after everything.
    pub cell: UnitCell,
}

/// The longest cell edge that is taken for one, in Angstrom.
const LONGEST_EDGE: f64 = 1e9;
/// The shortest: below it products of edges would leave the range of f64.
const SHORTEST_EDGE: f64 = 1e-9;

impl<T: Real> UnitCell<T> {
    /// Volume in cubic Angstrom.
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
        // Below this three axes lie in a plane, or the angles do not close at all.
        if skew.value().is_nan() || skew.value() <= 1e-14 {
            return Err(Error::ImpossibleCell);
        }
        Ok(two * a * b * c * skew.sqrt())
    }

    /// Reciprocal axes in 1/Angstrom in the default setting.
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

/// Angle between two vectors, in rad.
fn angle(x: Vec3, y: Vec3) -> f64 {
    libm::acos((x.dot(y) / x.length() / y.length()).clamp(-1.0, 1.0))
}

/// a, b, c in Angstrom, and the volume of their reciprocal cell in 1/Angstrom^3.
pub(crate) type Edges<T> = ([Vec3<T>; 3], T);

impl Crystal {
    /// The oriented crystal.
    ///
    /// # Errors
    /// [`Error::ImpossibleCell`], [`Error::SingularMatrix`], or [`Error::OutOfRange`] for lengths, angles, wavelength
    /// or rotations that cannot be.
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
    /// The vectors in their units.
    pub(crate) fn of(([a, b, c], volume_star): Edges<T>) -> Self {
        let metres = |v: Vec3<T>| v.scaled(T::constant(1e-10));
        Self {
            direct: Orientation { a_m: metres(a), b_m: metres(b), c_m: metres(c) },
            reciprocal_per_angstrom: [b.cross(c), c.cross(a), a.cross(b)].map(|v| v.scaled(volume_star)),
        }
    }
}

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

/// Unit cells along an axis of a crystal of `size_m` metres: ceil(size/|axis|), at least 1.
#[must_use]
pub fn cells_along(size_m: f64, axis_m: Vec3) -> f64 {
    libm::ceil(size_m / axis_m.length()).max(1.0)
}

/// The oversampling that resolves the spots: ceil(3 max(N_i |a_i|) / (lambda0 distance / pixel)), at least 1.
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
