//! What a beam of several wavelengths scatters, as a function of the scattering angle alone.

use super::Curve;
use crate::Error;
use crate::arrays::same_length;
use crate::error::require;
use crate::lanes::Lanes;

/// Coefficients of the cubic of a cell.
const TERMS: usize = 4;

/// Where the error of a cell is measured, as parts of it.
const CHECKED: [f64; 3] = [0.25, 0.5, 0.75];

/// A wavelength of the beam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeamLine {
    /// Wavelength, in m.
    pub lambda_m: f64,
    /// What it contributes, relative to the others: above 0.
    pub weight: f64,
}

/// The mean of F |F| over the wavelengths, as a function of v = sin(theta), in cells of equal width.
///
/// **Formula.** In each cell the cubic with the values and slopes that the sum over w, lambda has at its ends:
///
/// ```text
/// I(v) = sum w F(v/lambda) |F(v/lambda)| / sum w
/// ```
///
/// **Accuracy.** [`Profile::error`] is the largest difference between the cubics and the sum, measured at three points
/// of each cell. Between two of them the curve is smooth, or has a kink of its second derivative.
///
/// **Cost.** A lookup takes 4 loads whatever the number of wavelengths and of points of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile<'t> {
    cubics: &'t [[f64; TERMS]],
    from: f64,
    to: f64,
    per_cell: f64,
    error: f64,
    largest: f64,
}

impl<'t> Profile<'t> {
    /// Length of the buffer for a profile of `cells` cells.
    #[must_use]
    pub const fn room_len(cells: usize) -> usize {
        cells.saturating_mul(TERMS)
    }

    /// Fills a profile from `sines[0]` to `sines[1]`, beyond which it is constant.
    ///
    /// **Shapes.** `room` has [`Profile::room_len`] elements of at least one cell.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for a room that is no multiple of a cell's; [`Error::OutOfRange`] for sines that do not
    /// increase, no lines, or lines without a wavelength or weight above 0.
    pub fn fill(
        curve: &Curve<'_>,
        lines: &[BeamLine],
        sines: [f64; 2],
        room: &'t mut [f64],
    ) -> Result<Self, Error> {
        let cells = room.len() / TERMS;
        same_length("profile", room.len(), Self::room_len(cells.max(1)))?;
        let [from, to] = sines;
        require(to.is_finite() && to > from, "end of a profile", to, "above its start")?;
        require(from.is_finite(), "start of a profile", from, "finite")?;
        require(!lines.is_empty(), "wavelengths of a profile", 0.0, "at least 1")?;
        for line in lines {
            require(line.lambda_m > 0.0, "wavelength in m", line.lambda_m, "above 0")?;
            require(line.weight > 0.0, "weight of a wavelength", line.weight, "above 0")?;
        }
        let weights: f64 = lines.iter().map(|line| line.weight).sum();
        let sum = |v: f64| {
            let (mut value, mut slope) = (0.0, 0.0);
            for &BeamLine { lambda_m, weight } in lines {
                let (f, by_s) = curve.with_slope(v / lambda_m);
                value += weight * f * f.abs();
                slope += weight * 2.0 * f.abs() * by_s / lambda_m;
            }
            (value / weights, slope / weights)
        };
        let width = (to - from) / cells as f64;
        let mut profile = Self { cubics: &[], from, to, per_cell: 1.0 / width, error: 0.0, largest: 0.0 };
        let mut start = sum(from);
        for (cell, cubic) in room.chunks_exact_mut(TERMS).enumerate() {
            let at = |part: f64| from + (cell as f64 + part) * width;
            let end = sum(at(1.0));
            // In units of the cell.
            let (slope, next) = (start.1 * width, end.1 * width);
            let rise = end.0 - start.0;
            let [c0, c1, c2, c3] =
                [start.0, slope, 3.0 * rise - 2.0 * slope - next, slope + next - 2.0 * rise];
            for part in CHECKED {
                let exact = sum(at(part)).0;
                let cubic = c0 + part * (c1 + part * (c2 + part * c3));
                profile.error = profile.error.max((cubic - exact).abs());
                profile.largest = profile.largest.max(exact.abs());
            }
            cubic.iter_mut().zip([c0, c1, c2, c3]).for_each(|(to, value)| *to = value);
            start = end;
        }
        Ok(Self { cubics: room.as_chunks().0, ..profile })
    }

    /// The largest error that was measured, in electrons squared.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.error
    }

    /// The largest magnitude that was measured, in electrons squared.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.largest
    }

    /// I(v) over lanes.
    #[inline(always)]
    pub(super) fn intensities<F: Lanes>(&self, v: F) -> F {
        let zero = v.splat_like(0.0);
        let within = v.max(zero.splat_like(self.from)).min(zero.splat_like(self.to));
        let place = (within - zero.splat_like(self.from)) * zero.splat_like(self.per_cell);
        let last = self.cubics.len() as f64 - 1.0;
        let cell = place.floor().min(zero.splat_like(last));
        let t = place - cell;
        let [c0, c1, c2, c3] = cell.load_rows(self.cubics);
        t.mul_add(t.mul_add(t.mul_add(c3, c2), c1), c0)
    }
}
