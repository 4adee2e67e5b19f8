//! The beam: sources for divergence and dispersion, polarisation, fluence, and the background of water.
//!
//! **Formulas.** The direction to a source is -10 b, rotated about the polarisation axis by vdiv and then
//! about v by hdiv; the incident unit vector is the opposite direction. For the polarisation, with the
//! incident direction i, the diffracted direction d and the polarisation axis p:
//!
//! ```text
//! B      = unit(p x i)        E = unit(i x B)        psi = -atan2(d.B, d.E)        c2 = i.d
//! factor = (1 + c2^2 - k cos(2 psi) (1 - c2^2))/2
//! ```
//!
//! cos(2 psi) is computed as ((d.E)^2 - (d.B)^2)/((d.E)^2 + (d.B)^2).
//!
//! **Symbols and units.** b: unit vector of the beam; v: unit vector along b x p; hdiv, vdiv: horizontal and
//! vertical divergence in rad; k: Kahn's polarisation factor; c2: cosine of the scattering angle.
//!
//! **Source.** The set-up of the sources and `polarization_factor` of `nanoBragg.c`.
//!
//! **Accuracy** (`tests/tests/kernel_beam.rs`). Incident vectors, wavelengths and polarisation factors agree
//! with the reference to 1e-15.
//!
//! ```
//! use widebragg::beam::{Source, SourceGrid};
//! use widebragg::detector::{Detector, DetectorParameters};
//! use widebragg::rotation::PhiMode;
//! use widebragg::sampling::Steps;
//!
//! let detector = Detector::new(&DetectorParameters::default(), PhiMode::Spec)?;
//! let divergence = Steps { count: 3, range: 1e-3, step: 5e-4 }; // -0.5, 0 and 0.5 mrad
//! let grid = SourceGrid {
//!     hdiv: divergence,
//!     vdiv: divergence,
//!     dispersion: Steps::ONE,
//!     round: true,
//!     lambda0_m: 1e-10,
//! };
//! let mut sources = vec![Source::default(); grid.sources_len()?];
//! let used = grid.fill(&detector.frame(), &mut sources)?;
//! assert_eq!((sources.len(), used), (9, 5)); // `round` drops the four corners
//! assert!((sources[2].incident + -detector.beam).length() < 1e-15);
//! # Ok::<(), widebragg::Error>(())
//! ```

use crate::Error;
use crate::detector::BeamFrame;
use crate::names::named;
use crate::rotation::rotate_axis;
use crate::sampling::Steps;
use crate::vector::Vec3;

/// A point source: one direction and one wavelength.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Source {
    /// Unit vector of the incident beam.
    pub incident: Vec3,
    /// Wavelength, in m.
    pub lambda_m: f64,
}

impl Source {
    /// Creates a source in the direction `from`, as seen from the sample.
    ///
    /// **Units.** `from` needs no particular length; `lambda_m` in m.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a direction that cannot be normalised, or a wavelength that is not positive
    /// and finite.
    pub fn new(from: Vec3, lambda_m: f64) -> Result<Self, Error> {
        crate::error::require(lambda_m > 0.0, "wavelength in m", lambda_m, "above 0")?;
        if let Some(to) = from.try_normalize() {
            return Ok(Self { incident: -to, lambda_m });
        }
        let (quantity, value) = ("length of a source direction", from.length());
        Err(Error::OutOfRange { quantity, value, allowed: "from 1e-150 to 1e150" })
    }
}

/// A grid of sources over divergence and wavelength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceGrid {
    /// Horizontal divergence, in rad.
    pub hdiv: Steps,
    /// Vertical divergence, in rad.
    pub vdiv: Steps,
    /// Wavelength spread, as a fraction.
    pub dispersion: Steps,
    /// Whether points outside the ellipse of the divergence are dropped.
    pub round: bool,
    /// Central wavelength, in m.
    pub lambda0_m: f64,
}

impl SourceGrid {
    /// Returns the length that [`SourceGrid::fill`] needs: the number of sources before any are dropped.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the product overflows.
    pub fn sources_len(&self) -> Result<usize, Error> {
        let too_large = Error::TooLarge { quantity: "number of sources" };
        let points = self.hdiv.count.checked_mul(self.vdiv.count).ok_or(too_large)?;
        let len = points.checked_mul(self.dispersion.count).ok_or(too_large)?;
        len.checked_mul(size_of::<Source>()).map(|_| len).ok_or(too_large)
    }

    /// Fills `sources` and returns their number.
    ///
    /// **Shapes.** `sources` holds at least [`SourceGrid::sources_len`] elements. The order is horizontal
    /// divergence outer, vertical inner, wavelength innermost.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] with the length needed, or an error of [`Source::new`]. In either case
    /// nothing is written.
    pub fn fill(&self, frame: &BeamFrame, sources: &mut [Source]) -> Result<usize, Error> {
        let needed = self.sources_len()?;
        let given = sources.len();
        let table =
            sources.get_mut(..needed).ok_or(Error::BufferTooShort { buffer: "sources", needed, given })?;
        self.sources(frame).try_for_each(|source| source.map(|_| ()))?;
        let mut used = 0;
        for (slot, source) in table.iter_mut().zip(self.sources(frame)) {
            *slot = source?;
            used += 1;
        }
        Ok(used)
    }

    /// Checks all sources and returns the one with the shortest wavelength.
    ///
    /// # Errors
    /// What [`Source::new`] refuses, and [`Error::OutOfRange`] when there is no source.
    pub fn check(&self, frame: &BeamFrame) -> Result<Source, Error> {
        self.sources_len()?;
        let mut shortest: Option<Source> = None;
        for source in self.sources(frame) {
            let source = source?;
            if shortest.is_none_or(|shortest| source.lambda_m < shortest.lambda_m) {
                shortest = Some(source);
            }
        }
        shortest.ok_or(Error::OutOfRange { quantity: "number of sources", value: 0.0, allowed: "at least 1" })
    }

    /// Iterates over the sources in the order of the table.
    fn sources<'g>(&'g self, frame: &'g BeamFrame) -> impl Iterator<Item = Result<Source, Error>> + 'g {
        let angle = |axis: &Steps, i: usize| axis.step * i as f64 - axis.range / 2.0;
        let points = (0..self.hdiv.count).flat_map(move |i| {
            let h = angle(&self.hdiv, i);
            (0..self.vdiv.count).map(move |j| (h, angle(&self.vdiv, j)))
        });
        let kept = points.filter(|&(h, v)| !(self.round && self.outside_ellipse(h, v)));
        kept.flat_map(move |(h, v)| {
            let from = rotate_axis(-10.0 * frame.beam, frame.polarization, v);
            let from = rotate_axis(from, frame.vertical, h);
            (0..self.dispersion.count).map(move |n| {
                let spread = 1.0 + self.dispersion.step * n as f64 - self.dispersion.range / 2.0;
                Source::new(from, self.lambda0_m * spread)
            })
        })
    }

    /// Returns whether a point is outside the ellipse of the divergence.
    ///
    /// A range of 0 makes the sum NaN, so the point is kept.
    fn outside_ellipse(&self, h: f64, v: f64) -> bool {
        let term = |x: f64, axis: &Steps| {
            let even = (1 - axis.count % 2) as f64;
            (x * x - axis.step * axis.step / 4.0 * even) / (axis.range * axis.range)
        };
        4.0 * (term(h, &self.hdiv) + term(v, &self.vdiv)) > 1.1
    }
}

/// Polarisation of the incident beam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polarization {
    /// Kahn's polarisation factor k, from -1 to 1: 0 for unpolarised light, 1 for full polarisation along the
    /// axis, -1 across it. Any other, which `nanoBragg.c` takes as well, may make pixels negative.
    pub kahn: f64,
    /// Unit vector along E.
    pub axis: Vec3,
    /// What the factor of a pixel belongs to.
    pub at: PolarizedAt,
}

/// The contribution, a subpixel of a layer and a source, that gives a pixel its polarisation factor, unless each has its own
/// ([`crate::scene::Oversample::polar`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolarizedAt {
    /// The first, of a source within the resolution limit. That of the reference.
    #[default]
    First,
    /// The last whose F_latt is not 0. That of simtbx.
    Last,
    /// The centre of the pixel, at the surface of the sensor, with the first source. That of diffBragg.
    Centre,
}

named!(PolarizedAt, "contribution of the polarisation": First = "first", Last = "last", Centre = "centre");

/// The polarisation of one incident direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PolarizationFrame {
    pub(crate) kahn: f64,
    pub(crate) incident: Vec3,
    /// Unit vector axis x incident.
    pub(crate) b: Vec3,
    /// Unit vector perpendicular to the beam and to `b`.
    pub(crate) e: Vec3,
}

impl PolarizationFrame {
    pub(crate) fn new(polarization: &Polarization, incident: Vec3) -> Self {
        let b = polarization.axis.cross(incident).normalize();
        Self { kahn: polarization.kahn, incident, b, e: incident.cross(b).normalize() }
    }
}

/// The function `polarization_factor` of `nanoBragg.c`.
///
/// `incident` and `diffracted` are unit vectors; `axis` may have any length.
#[must_use]
pub fn polarization_factor(kahn: f64, incident: Vec3, diffracted: Vec3, axis: Vec3) -> f64 {
    let c2 = incident.dot(diffracted);
    let cos2_squared = c2 * c2;
    let cos_2psi = if kahn == 0.0 {
        1.0
    } else {
        let b = axis.cross(incident).normalize();
        let e = incident.cross(b).normalize();
        let (db, de) = (diffracted.dot(b), diffracted.dot(e));
        let length = db * db + de * de;
        // psi is undefined for an axis along the beam and for forward scattering; `nanoBragg.c` takes 0.
        if length > 0.0 { (de * de - db * db) / length } else { 1.0 }
    };
    0.5 * (1.0 + cos2_squared - kahn * cos_2psi * (1.0 - cos2_squared))
}

/// Computes the fluence in photons per m^2.
///
/// It is flux exposure/beamsize^2 if a flux is given, else `fluence`. A flux of 0 counts as not given.
#[must_use]
pub fn fluence_per_m2(fluence: f64, flux_per_s: f64, exposure_s: f64, beamsize_m: f64) -> f64 {
    if flux_per_s != 0.0 && exposure_s > 0.0 && beamsize_m >= 0.0 {
        flux_per_s * exposure_s / beamsize_m / beamsize_m
    } else {
        fluence
    }
}

/// Computes the background of water, with which the sum of each pixel starts.
///
/// **Formula.** 2.57^2 r_e^2 fluence water^3 1e6 Avogadro/18.
#[must_use]
pub fn water_background(fluence_per_m2: f64, water_m: f64) -> f64 {
    2.57 * 2.57
        * crate::ELECTRON_RADIUS_SQUARED_M2
        * fluence_per_m2
        * (water_m * water_m * water_m)
        * 1e6
        * 6.022_141_79e23
        / 18.0
}
