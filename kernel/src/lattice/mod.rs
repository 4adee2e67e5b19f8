//! F_latt: the interference of the unit cells of a crystal, for four crystal shapes, one per file.
//!
//! With h, k, l in index units and h0, k0, l0 their nearest integers (an exact half goes down):
//!
//! ```text
//! square   product of sin(pi N h)/sin(pi h) over the axes
//! round    Na Nb Nc 0.7236 sinc3(pi sqrt(fudge sum (N_i (h_i - h0_i))^2))
//! gauss    Na Nb Nc exp(-fudge rs2/0.63)      0 where fudge rs2/0.63 is at or beyond a cutoff, if there is one
//! tophat   Na Nb Nc where fudge rs2 < 0.3969, else 0
//! rs2 =    |(h-h0) a* + (k-k0) b* + (l-l0) c*|^2 (Na Nb Nc)^2     unrotated a*, b*, c* in 1/Angstrom
//!          |N (h-h0, k-k0, l-l0)|^2                               in index metric ([`SpotMetric`])
//! ```
//!
//! N is the matrix with Na, Nb, Nc on its diagonal. Where it has other elements ([`CellCoupling`]), det N stands for
//! Na Nb Nc.
//!
//! **Source.** The pixel loop of the reference; index metric and N matrix those of simtbx and diffBragg (cctbx_project).
//! **Accuracy.** See [`crate::math`]. Only the square of F_latt is used, so its sign is dropped. **Cost.**
//! `benches/ROOFLINE.md` counts the operations of a step; a square crystal takes one division for all three axes, and one
//! with fractions of cells the general loop.
//!
//! A shape is a type at each SIMD level (`Shape`), and a marker type independent of the level (`ShapeKind`)
//! for which a loop can be compiled. `AnyShape` selects the shape at every step instead.

mod any;
mod cell_slopes;
mod gauss;
mod indices;
mod mixed;
mod round;
mod shape;
mod spot;
mod spot_model;
mod square;
mod square_fractional;
mod thin;
mod tophat;

pub(crate) use any::AnyShape;
pub(crate) use cell_slopes::CellSlopes;
pub(crate) use gauss::{Gauss, GaussKind};
pub(crate) use indices::{Indices, Narrowed};
pub(crate) use mixed::{MIXED_CELLS_LIMIT, MIXED_NUDGE, SquareMixed, SquareMixedKind};
pub(crate) use round::{Round, RoundKind};
pub(crate) use shape::{Differentiable, DifferentiableKind, FLattDerivatives, Shape, ShapeKind};
pub(crate) use spot::{SpotKind, SpotProfile, SpotShape};
pub use spot_model::{CellCoupling, SpotMetric, SpotModel};
pub(crate) use square::{Square, SquareKind};
pub(crate) use square_fractional::{SquareFractional, SquareFractionalKind};
pub(crate) use thin::{SquareThin, SquareThinKind};
pub(crate) use tophat::{Tophat, TophatKind};

use crate::names::named;
use crate::vector::Vec3;

/// The shape of the crystal, or of its spots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrystalShape {
    /// A parallelepiped of Na x Nb x Nc cells.
    #[default]
    Square,
    /// A sphere.
    Round,
    /// Gaussian spots.
    Gauss,
    /// Spots with a sharp edge.
    Tophat,
}

named!(CrystalShape, "crystal shape": Square = "square", Round = "round", Gauss = "gauss", Tophat = "tophat");

impl CrystalShape {
    /// Whether F_latt is exactly 0 nearly everywhere.
    pub(crate) const fn is_sparse(self) -> bool {
        match self {
            Self::Square | Self::Round => false,
            Self::Gauss | Self::Tophat => true,
        }
    }

    /// Whether F_latt is a product of one factor for each axis.
    pub(crate) const fn is_product_of_axes(self) -> bool {
        match self {
            Self::Square => true,
            Self::Round | Self::Gauss | Self::Tophat => false,
        }
    }
}

/// The arithmetic of the lattice factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f64 throughout.
    #[default]
    Double,
    /// Indices and reductions in f64, sines and their quotient in f32, sums in f64: within 1e-5 of f64 on
    /// pixels above 1e-6 of the maximum, for up to 10,000 cells along an axis. For square crystals and
    /// nearest structure factors; the other shapes, interpolation, and crystals of 2^20 cells along an axis
    /// and more stay f64.
    Mixed,
}

named!(Precision, "precision": Double = "f64", Mixed = "mixed");

/// Shape and size of the crystal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crystallite {
    /// Shape.
    pub shape: CrystalShape,
    /// Unit cells along a, b, c: at least 1, and fractions where the crystal has some.
    pub cells: [f64; 3],
    /// Factor on the size of round, gauss and tophat spots.
    pub fudge: f64,
    /// a*, b*, c* at phi = 0, in 1/Angstrom.
    pub reciprocal_per_angstrom: [Vec3; 3],
    /// Width and end of gauss and tophat spots.
    pub spots: SpotModel,
}

impl Crystallite {
    /// Unit cells that set the width of a spot along each axis: a spot is about 1/N wide in index units.
    ///
    /// Square and round crystals have their own N, and so have gauss and tophat spots of index metric; with an N matrix
    /// it is the length of a column. In reciprocal metric these are as narrow as if all cells of the crystal lay along
    /// each axis.
    ///
    /// ```
    /// use widebragg::lattice::{CrystalShape, Crystallite, SpotMetric, SpotModel};
    /// use widebragg::vector::Vec3;
    /// let crystallite = Crystallite {
    ///     shape: CrystalShape::Gauss,
    ///     cells: [2.0, 3.0, 4.0],
    ///     fudge: 1.0,
    ///     reciprocal_per_angstrom: [Vec3::new(0.01, 0.0, 0.0); 3],
    ///     spots: SpotModel::default(),
    /// };
    /// assert_eq!(crystallite.cells_across_spots(), [24.0; 3]);
    /// let spots = SpotModel { metric: SpotMetric::Index, ..SpotModel::default() };
    /// assert_eq!(Crystallite { spots, ..crystallite }.cells_across_spots(), [2.0, 3.0, 4.0]);
    /// ```
    #[must_use]
    pub fn cells_across_spots(&self) -> [f64; 3] {
        match self.shape {
            CrystalShape::Square | CrystalShape::Round => self.cells,
            CrystalShape::Gauss | CrystalShape::Tophat => match self.spots.metric {
                SpotMetric::Reciprocal => [self.cells.iter().product(); 3],
                SpotMetric::Index => self.spot_axes().map(Vec3::length),
            },
        }
    }

    /// Whether F_latt changes smoothly with the reciprocal axes at constant h, k, l.
    pub(crate) fn varies_with_reciprocal_axes(&self) -> bool {
        self.shape == CrystalShape::Gauss && self.spots.metric == SpotMetric::Reciprocal
    }

    /// Whether the crystal has a fraction of a cell along some axis, so that a square one differs from node to node.
    pub(crate) fn is_fractional(&self) -> bool {
        self.cells.iter().any(|&n| libm::floor(n) != n)
    }

    /// Whether the crystal is a single cell thick along some axis.
    pub(crate) fn is_thin(&self) -> bool {
        self.cells.contains(&1.0)
    }
}
