//! Warnings: what set-up changed or assumed, and parameters that the user may not have intended.

use core::fmt;

use widebragg::vector::Vec3;

/// A warning about the parameters of an experiment that can still be rendered.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The given normal is not of length 1; this one, fast x slow before any tilt, replaces it.
    NormalReplaced(Vec3),
    /// The given normal of a mirrored detector is not of length 1; this is its direction, which is kept.
    NormalNormalized(Vec3),
    /// The beam runs along the detector plane.
    BeamAlongDetector,
    /// The axis of the detector swing has this length, not 1, which distorts the detector.
    SwingAxisLength(f64),
    /// The crystal is clipped to the beam along an axis: 1 for b, 2 for c.
    SampleClipped {
        /// The axis.
        axis: usize,
        /// Its size now.
        size_m: f64,
    },
    /// The size of the crystal along an axis (0 for a, 1 for b, 2 for c) is a whole number of cells, so that the last
    /// bit of the cell decides whether one more is counted.
    WholeCells {
        /// The axis.
        axis: usize,
        /// The cells counted.
        cells: f64,
    },
    /// Too few subpixels to resolve the spots.
    Undersampled {
        /// Subpixels along each axis.
        per_axis: usize,
        /// Subpixels that resolve the spots.
        recommended: f64,
    },
    /// A mosaic spread without a number of domains: this many are used.
    DomainsAssumed(usize),
    /// This number of domains without a mosaic spread: one is used.
    DomainsIgnored(usize),
    /// A sensor thickness without an attenuation depth: this depth is used, in m.
    DepthAssumed(f64),
    /// The weights of the sources differ, which makes no difference in c-parity.
    WeightsIgnored,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NormalReplaced(normal) => {
                let [x, y, z] = normal.to_array();
                write!(
                    f,
                    "the detector normal is not of length 1: replaced by fast x slow, {x:.6} {y:.6} {z:.6}"
                )
            }
            Self::NormalNormalized(normal) => {
                let [x, y, z] = normal.to_array();
                write!(
                    f,
                    "the normal of the mirrored detector is not of length 1: normalised to {x:.6} {y:.6} {z:.6}"
                )
            }
            Self::BeamAlongDetector => f.write_str("the beam runs along the detector: no photon reaches it"),
            Self::SwingAxisLength(length) => write!(
                f,
                "the axis of the detector swing has length {length:.6}: used as given, which distorts the detector"
            ),
            Self::SampleClipped { axis, size_m } => {
                let name = if axis == 1 { "b" } else { "c" };
                write!(f, "the crystal is clipped to the beam along {name}: {size_m} m")
            }
            Self::WholeCells { axis, cells } => {
                let name = ["a", "b", "c"].get(axis).unwrap_or(&"an axis");
                write!(f, "the size along {name} is a whole number of cells, but for rounding: {cells} cells")
            }
            Self::Undersampled { per_axis, recommended } => {
                write!(
                    f,
                    "{per_axis} subpixels along each axis: {recommended} or more would resolve the spots"
                )
            }
            Self::DomainsAssumed(count) => {
                write!(f, "a mosaic spread without a number of domains: {count} domains used")
            }
            Self::DomainsIgnored(count) => {
                write!(f, "{count} mosaic domains without a mosaic spread: 1 domain used")
            }
            Self::DepthAssumed(depth_m) => {
                write!(f, "a sensor thickness without an attenuation depth: {depth_m} m used")
            }
            Self::WeightsIgnored => f.write_str(
                "the weights of the sources differ: c-parity counts all sources alike, as nanoBragg does",
            ),
        }
    }
}
