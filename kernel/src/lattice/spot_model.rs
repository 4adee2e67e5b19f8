//! How wide gauss and tophat spots are for the cells that a crystal has, and where gauss spots end.

use super::gauss::GAUSS_VANISHES;
use super::{CrystalShape, Crystallite};
use crate::Error;
use crate::error::require;
use crate::names::named;
use crate::vector::Vec3;

/// What the distance of gauss and tophat spots from their node is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpotMetric {
    /// Reciprocal space: spots are spheres there, as narrow as if all Na Nb Nc cells lay along each axis. That of the
    /// reference.
    #[default]
    Reciprocal,
    /// Index units, by the number of cells along each axis: spots are 1/Na, 1/Nb, 1/Nc wide along h, k, l, as the peaks
    /// of square and round crystals are. That of simtbx.
    Index,
}

named!(SpotMetric, "spot metric": Reciprocal = "reciprocal", Index = "index");

/// The elements of the symmetric N matrix beside its diagonal, which is Na, Nb, Nc: they tilt spots of index metric against
/// the axes.
///
/// ```text
///     | Na  ab  ac |
/// N = | ab  Nb  bc |
///     | ac  bc  Nc |
/// ```
///
/// diffBragg lists them in the order ab, bc, ac (its Nd, Ne, Nf); here they have names.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CellCoupling {
    /// Between a and b.
    pub ab: f64,
    /// Between a and c.
    pub ac: f64,
    /// Between b and c.
    pub bc: f64,
}

impl CellCoupling {
    /// A diagonal N matrix.
    pub const NONE: Self = Self { ab: 0.0, ac: 0.0, bc: 0.0 };
}

/// Width and end of gauss and tophat spots, which the other shapes do not have. [`SpotModel::default`] is the reference's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpotModel {
    /// What distances are measured in.
    pub metric: SpotMetric,
    /// N matrix beside the cells, in index metric.
    pub coupling: CellCoupling,
    /// Exponent of a gauss spot, fudge rs2/0.63, from which on F_latt is 0; infinite where nothing is cut off.
    pub gauss_cutoff: f64,
}

impl Default for SpotModel {
    fn default() -> Self {
        Self { metric: SpotMetric::Reciprocal, coupling: CellCoupling::NONE, gauss_cutoff: f64::INFINITY }
    }
}

impl Crystallite {
    /// The axes A, B, C in rs2 = scale |(h-h0) A + (k-k0) B + (l-l0) C|^2, where scale is [`Crystallite::spot_scale`]: a*, b*,
    /// c* in 1/Angstrom, or the columns of the N matrix.
    pub(crate) fn spot_axes(&self) -> [Vec3; 3] {
        match self.spots.metric {
            SpotMetric::Reciprocal => self.reciprocal_per_angstrom,
            SpotMetric::Index => {
                let ([na, nb, nc], CellCoupling { ab, ac, bc }) = (self.cells, self.spots.coupling);
                [Vec3::new(na, ab, ac), Vec3::new(ab, nb, bc), Vec3::new(ac, bc, nc)]
            }
        }
    }

    /// What the square of a length in [`Crystallite::spot_axes`] is multiplied by.
    pub(crate) fn spot_scale(&self) -> f64 {
        let [na, nb, nc] = self.cells;
        match self.spots.metric {
            SpotMetric::Reciprocal => na * na * nb * nb * nc * nc,
            SpotMetric::Index => 1.0,
        }
    }

    /// F_latt at a node: Na Nb Nc, or det N.
    #[must_use]
    pub fn volume(&self) -> f64 {
        if self.spots.coupling == CellCoupling::NONE {
            return self.cells.iter().product();
        }
        let [a, b, c] = self.spot_axes();
        a.dot(b.cross(c))
    }

    /// The exponent from which on a gauss spot is 0.
    pub(crate) fn gauss_end(&self) -> f64 {
        self.spots.gauss_cutoff.min(GAUSS_VANISHES)
    }

    /// The lowest exponent, which is not above 0, at which a gauss spot is not 0.
    pub(crate) fn lowest_exponent(&self) -> f64 {
        // Where there is a cutoff, the spot is 0 at the cutoff as well.
        if self.spots.gauss_cutoff > GAUSS_VANISHES { -GAUSS_VANISHES } else { (-self.gauss_end()).next_up() }
    }

    /// Checks the model of the spots.
    pub(crate) fn check_spots(&self) -> Result<(), Error> {
        let SpotModel { metric, coupling: CellCoupling { ab, ac, bc }, gauss_cutoff } = self.spots;
        // An infinite cutoff is none; `require` would refuse it.
        if gauss_cutoff != f64::INFINITY {
            require(gauss_cutoff > 0.0, "cutoff of gauss spots", gauss_cutoff, "above 0")?;
        }
        if self.spots.coupling == CellCoupling::NONE {
            return Ok(());
        }
        let has_spots = matches!(self.shape, CrystalShape::Gauss | CrystalShape::Tophat);
        let couples = has_spots && metric == SpotMetric::Index;
        for element in [ab, ac, bc] {
            let allowed = "0 but for gauss and tophat spots of index metric";
            require(couples || element == 0.0, "coupling of an N matrix", element, allowed)?;
        }
        let [na, nb, _] = self.cells;
        for minor in [na * nb - ab * ab, self.volume()] {
            let allowed = "above 0, as those of a positive definite matrix";
            require(minor > 0.0, "principal minor of the N matrix", minor, allowed)?;
        }
        Ok(())
    }
}
