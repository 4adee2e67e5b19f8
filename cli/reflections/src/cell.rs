//! The unit cell.

/// Lengths in Å and angles in degrees of a unit cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// a, b, c in Å.
    pub lengths_angstrom: [f64; 3],
    /// alpha, beta, gamma in degrees.
    pub angles_deg: [f64; 3],
}
