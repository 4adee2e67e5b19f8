//! The crystal: cell, A matrix, misset, number of cells, mosaic domains.
//!
//! Real axes are in metres and reciprocal axes in 1/Angstrom, as in the reference. Special case: with both a
//! matrix and a cell, directions and angles come from the matrix, lengths and volume from the cell.

use super::command::{Command, DEGREE};
use super::functions::rotate_xyz;
use super::input::read_matrix;
use super::random::{Ran1, mosaic_matrix};
use super::vector::{Vector, cross, dot, magnitude, scale};

/// Upper limit for the number of mosaic domains, to bound memory.
const MOST_DOMAINS: i64 = 1_000_000;
/// Upper limit for the number of cells along one axis; more is taken for a mistake.
const MOST_CELLS: f64 = 1e9;

/// The crystal as the pixel loop uses it.
#[derive(Clone, Debug)]
pub struct Crystal {
    /// Real axis a, metres.
    pub a: Vector,
    /// Real axis b, metres.
    pub b: Vector,
    /// Real axis c, metres.
    pub c: Vector,
    /// a*, b*, c* in 1/Angstrom.
    pub recip: [Vector; 3],
    /// Lengths in Angstrom, angles in degrees.
    pub unit_cell: [f64; 6],
    /// Misset angles in radians, as given or as drawn at random.
    pub misset: Vector,
    /// Number of unit cells along a, b, c.
    pub N: [i64; 3],
    /// Rotation matrix of every mosaic domain; that of the first is the identity.
    pub mosaic: Vec<[Vector; 3]>,
    /// The generator as the rotations left it.
    pub random: Ran1,
}

/// Lengths and volume of a cell, and its reciprocal axes in the default setting.
struct UserCell {
    lengths: [f64; 3],
    volume: f64,
    recip: [Vector; 3],
}

impl UserCell {
    fn new([a, b, c, al, be, ga]: [f64; 6]) -> UserCell {
        let aavg = (al + be + ga) / 2.0;
        let skew = aavg.sin() * (aavg - al).sin() * (aavg - be).sin() * (aavg - ga).sin();
        let volume = 2.0 * a * b * c * skew.abs().sqrt();
        let recip_volume = 1.0 / volume;
        let a_star = b * c * al.sin() * recip_volume;
        let b_star = c * a * be.sin() * recip_volume;
        let c_star = a * b * ga.sin() * recip_volume;
        let cos_star = |one: f64, two: f64, opposite: f64| {
            ((one.cos() * two.cos() - opposite.cos()) / (one.sin() * two.sin())).clamp(-1.0, 1.0)
        };
        let (cos_al, cos_be, cos_ga) = (cos_star(be, ga, al), cos_star(ga, al, be), cos_star(al, be, ga));
        let sin_ga = c * recip_volume / (a_star * b_star);
        let recip = [
            [a_star, 0.0, 0.0],
            [b_star * cos_ga, b_star * sin_ga, 0.0],
            [
                c_star * cos_be,
                c_star * (cos_al - cos_be * cos_ga) / sin_ga,
                c_star * volume / (a * b * c * sin_ga),
            ],
        ];
        UserCell { lengths: [a, b, c], volume, recip }
    }
}

impl Crystal {
    /// Derives the crystal from a command line whose sample sizes are already clipped to the beam.
    ///
    /// # Errors
    /// When neither a cell nor a matrix is given, the cell is impossible, or there are too many cells or
    /// domains.
    pub fn new(command: &Command) -> Result<Crystal, String> {
        let cell = command.cell.map(UserCell::new);
        let mut recip = match (&command.matrix, &cell) {
            (Some(path), _) => read_matrix(path, command.lambda)?,
            (None, Some(cell)) => cell.recip,
            (None, None) => return Err("neither -mat nor -cell is given".to_owned()),
        };
        // The reference draws everything from one generator, whose table outlives a new seed below 0.
        let mut random = Ran1::new(0);
        let misset = if command.misset_random { random_misset(command, &mut random) } else { command.misset };
        if misset != [0.0; 3] {
            recip = recip.map(|axis| rotate_xyz(axis, misset));
        }

        let [a_star, b_star, c_star] = recip;
        let mut crosses = [cross(b_star, c_star), cross(c_star, a_star), cross(a_star, b_star)];
        let mut recip_volume = dot(a_star, crosses[0]);
        let mut volume = 1.0 / recip_volume;
        if let Some(cell) = &cell {
            volume = cell.volume;
            for (axis, length) in crosses.iter_mut().zip(cell.lengths) {
                *axis = scale((length / volume) / magnitude(*axis), *axis);
            }
            recip_volume = 1.0 / volume;
        }
        let [a, b, c] = crosses.map(|axis| scale(volume, axis));
        let recip = [cross(b, c), cross(c, a), cross(a, b)].map(|axis| scale(recip_volume, axis));
        let angle =
            |x: Vector, y: Vector| (dot(x, y) / magnitude(x) / magnitude(y)).clamp(-1.0, 1.0).acos() / DEGREE;
        let unit_cell = [magnitude(a), magnitude(b), magnitude(c), angle(b, c), angle(a, c), angle(a, b)];
        if !unit_cell.iter().all(|x| x.is_finite() && *x > 0.0) {
            return Err("the cell is impossible".to_owned());
        }

        let [a, b, c] = [a, b, c].map(|axis| scale(1e-10, axis));
        let mut N = command.N;
        for ((count, sample), axis) in N.iter_mut().zip(command.sample).zip([a, b, c]) {
            if sample > 0.0 {
                let cells = (sample / magnitude(axis)).ceil();
                if cells > MOST_CELLS {
                    return Err(format!("{cells} unit cells on one axis are too many"));
                }
                *count = cells as i64;
            }
            *count = (*count).max(1);
        }
        let mosaic = mosaic_domains(command, &mut random)?;
        Ok(Crystal { a, b, c, recip, unit_cell, misset, N, mosaic, random })
    }

    /// The oversampling that puts about three samples on a spot; `step_m` is lambda * distance / pixel, in
    /// metres.
    pub fn recommended_oversample(&self, step_m: f64) -> f64 {
        let axes = [self.a, self.b, self.c];
        let longest =
            self.N.iter().zip(axes).map(|(&n, axis)| n as f64 * magnitude(axis)).fold(0.0, f64::max);
        (3.0 * longest / step_m).ceil().max(1.0)
    }
}

/// Misset angles of a random rotation. The reference passes 90 as if the limit were in degrees; it is in
/// radians.
fn random_misset(command: &Command, random: &mut Ran1) -> Vector {
    random.set_state(command.misset_seed.or(command.seed).unwrap_or(super::SEED_WITHOUT_CLOCK));
    let U = mosaic_matrix(90.0, random);
    [U[2][1].atan2(U[2][2]), (-U[2][0]).atan2(U[2][1].hypot(U[2][2])), U[1][0].atan2(U[0][0])]
}

/// Draws a rotation for every domain, the first included, whose rotation then becomes the identity.
fn mosaic_domains(command: &Command, random: &mut Ran1) -> Result<Vec<[Vector; 3]>, String> {
    let spread = command.mosaic.unwrap_or(0.0);
    let count = match command.mosaic_domains {
        _ if spread <= 0.0 => 1,
        None => 10,
        Some(n) => n.max(1),
    };
    if count > MOST_DOMAINS {
        return Err(format!("{count} mosaic domains are too many"));
    }
    random.set_state(command.mosaic_seed);
    let mut domains: Vec<_> = (0..count).map(|_| mosaic_matrix(spread as f32, random)).collect();
    domains[0] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    Ok(domains)
}
