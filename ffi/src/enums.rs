//! The enumerations of the interface, and the values of the kernel that they stand for.

use widebragg::beam::PolarizedAt;
use widebragg::detector::{Convention, Pivot};
use widebragg::lattice::{CrystalShape, Precision, SpotMetric};
use widebragg::rotation::PhiMode;

use crate::status::Failure;

/// The convention of MOSFLM, which is the default.
pub const WB_MOSFLM: i32 = 0;
/// The convention of XDS.
pub const WB_XDS: i32 = 1;
/// The convention of ADXV.
pub const WB_ADXV: i32 = 2;
/// The convention of DENZO.
pub const WB_DENZO: i32 = 3;
/// The convention of DIALS.
pub const WB_DIALS: i32 = 4;
/// Individual axes; those not given are those of MOSFLM.
pub const WB_CUSTOM: i32 = 5;
/// No convention: origin, axes and distances are used as given.
pub const WB_PLACED: i32 = 6;

/// Detector rotations leave the spot of the direct beam in place.
pub const WB_PIVOT_BEAM: i32 = 0;
/// Detector rotations leave the sample in place.
pub const WB_PIVOT_SAMPLE: i32 = 1;

/// A parallelepiped.
pub const WB_SQUARE: i32 = 0;
/// A sphere.
pub const WB_ROUND: i32 = 1;
/// Gaussian spots.
pub const WB_GAUSS: i32 = 2;
/// Spots with a sharp edge.
pub const WB_TOPHAT: i32 = 3;

/// Distances from a reflection are in 1/Angstrom.
pub const WB_RECIPROCAL: i32 = 0;
/// Distances from a reflection are in indices.
pub const WB_INDEX: i32 = 1;

/// A pixel has the polarisation of its first contribution.
pub const WB_FIRST: i32 = 0;
/// A pixel has the polarisation of its last contribution.
pub const WB_LAST: i32 = 1;
/// A pixel has the polarisation of its centre.
pub const WB_CENTRE: i32 = 2;

/// Every phi step rotates the crystal from phi = 0.
pub const WB_SPEC: i32 = 0;
/// With the phi carryover and the interpolation latch of the reference.
pub const WB_CPARITY: i32 = 1;

/// Interpolation as in the reference: if the crystal has 2 cells or fewer along an axis.
pub const WB_INTERPOLATE_AUTO: i32 = 0;
/// The value at the nearest node.
pub const WB_INTERPOLATE_NEVER: i32 = 1;
/// Tricubic interpolation.
pub const WB_INTERPOLATE_ALWAYS: i32 = 2;

/// Double precision throughout.
pub const WB_DOUBLE: i32 = 0;
/// Sines of the lattice factor in single precision.
pub const WB_MIXED: i32 = 1;

/// The named conventions, `WB_MOSFLM` to `WB_DIALS`.
pub(crate) const CONVENTIONS: [Convention; 5] =
    [Convention::Mosflm, Convention::Xds, Convention::Adxv, Convention::Denzo, Convention::Dials];
/// `WB_PIVOT_BEAM` and `WB_PIVOT_SAMPLE`.
pub(crate) const PIVOTS: [Pivot; 2] = [Pivot::Beam, Pivot::Sample];
/// `WB_SQUARE` to `WB_TOPHAT`.
pub(crate) const SHAPES: [CrystalShape; 4] =
    [CrystalShape::Square, CrystalShape::Round, CrystalShape::Gauss, CrystalShape::Tophat];
/// `WB_RECIPROCAL` and `WB_INDEX`.
pub(crate) const METRICS: [SpotMetric; 2] = [SpotMetric::Reciprocal, SpotMetric::Index];
/// `WB_FIRST` to `WB_CENTRE`.
pub(crate) const POLARIZED_AT: [PolarizedAt; 3] =
    [PolarizedAt::First, PolarizedAt::Last, PolarizedAt::Centre];
/// `WB_SPEC` and `WB_CPARITY`.
pub(crate) const MODES: [PhiMode; 2] = [PhiMode::Spec, PhiMode::CParity];
/// `WB_INTERPOLATE_AUTO` to `WB_INTERPOLATE_ALWAYS`: whether to interpolate, if the caller decides.
pub(crate) const INTERPOLATIONS: [Option<bool>; 3] = [None, Some(false), Some(true)];
/// `WB_DOUBLE` and `WB_MIXED`.
pub(crate) const PRECISIONS: [Precision; 2] = [Precision::Double, Precision::Mixed];

// A value that the kernel gains needs a code here.
const _: () = assert!(CONVENTIONS.len() == Convention::NAMED.len() && PIVOTS.len() == Pivot::ALL.len());
const _: () = assert!(SHAPES.len() == CrystalShape::ALL.len() && MODES.len() == PhiMode::ALL.len());
const _: () = assert!(PRECISIONS.len() == Precision::ALL.len() && METRICS.len() == SpotMetric::ALL.len());
const _: () = assert!(POLARIZED_AT.len() == PolarizedAt::ALL.len());

/// The value that `code` stands for: an index of `values`.
pub(crate) fn chosen<T: Copy>(quantity: &'static str, code: i32, values: &[T]) -> Result<T, Failure> {
    let found = usize::try_from(code).ok().and_then(|i| values.get(i));
    found.copied().ok_or(Failure::range(quantity, f64::from(code), "a value of its enumeration"))
}

/// The code of a value: its index in `values`.
pub(crate) fn code<T: PartialEq>(value: &T, values: &[T]) -> i32 {
    values.iter().position(|other| other == value).and_then(|i| i32::try_from(i).ok()).unwrap_or(-1)
}
