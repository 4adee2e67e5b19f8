//! The beam: sources of divergence and dispersion, polarisation, fluence, water background.
//!
//! **Formulas.** Source direction: -10 b turned about the polarisation axis by vdiv, then about v by hdiv; the incident
//! unit vector is minus that. Polarisation with incident i, diffracted d, axis p:
//! B = unit(p x i), E = unit(i x B), psi = -atan2(d.B, d.E), c2 = i.d,
//! factor = (1 + c2^2 - k cos(2 psi) (1 - c2^2))/2. cos(2 psi) is taken as ((d.E)^2 - (d.B)^2)/((d.E)^2 + (d.B)^2).

use crate::Error;
use crate::detector::Detector;
use crate::rotation::rotate_axis;
use crate::sampling::Steps;
use crate::vector::Vec3;

/// A point of the source: one direction, one wavelength.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Source {
    /// Unit vector of the incident beam.
    pub incident: Vec3,
    /// Wavelength, in m.
    pub lambda_m: f64,
}

impl Source {
    /// The source that lies in direction `from` of the sample.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a direction without a usable length or a wavelength that is not positive and finite.
    pub fn new(from: Vec3, lambda_m: f64) -> Result<Self, Error> {
        crate::error::require(lambda_m > 0.0, "wavelength in m", lambda_m, "above 0")?;
        if let Some(to) = from.checked_unit() {
            return Ok(Self { incident: -to, lambda_m });
        }
        let (quantity, value) = ("length of a source direction", from.length());
        Err(Error::OutOfRange { quantity, value, allowed: "from 1e-150 to 1e150" })
    }
}

/// The grid that sources are laid out on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceGrid {
    /// Horizontal divergence, in rad.
    pub hdiv: Steps,
    /// Vertical divergence, in rad.
    pub vdiv: Steps,
    /// Wavelength spread, as a fraction.
    pub dispersion: Steps,
    /// Whether the corners of the divergence grid are dropped.
    pub round: bool,
    /// Central wavelength, in m.
    pub lambda0_m: f64,
}

impl SourceGrid {
    /// Sources there are before the corners are dropped: the length that [`SourceGrid::fill`] needs.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the product overflows.
    pub fn sources_len(&self) -> Result<usize, Error> {
        let too_large = Error::TooLarge { quantity: "number of sources" };
        let points = self.hdiv.count.checked_mul(self.vdiv.count).ok_or(too_large)?;
        let len = points.checked_mul(self.dispersion.count).ok_or(too_large)?;
        len.checked_mul(size_of::<Source>()).map(|_| len).ok_or(too_large)
    }

    /// Fills `sources` and returns how many there are: horizontal outer, vertical inner, wavelength innermost.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] with the length needed, or what [`Source::new`] refuses. Nothing is written then.
    pub fn fill(&self, detector: &Detector, sources: &mut [Source]) -> Result<usize, Error> {
        let needed = self.sources_len()?;
        let given = sources.len();
        let table =
            sources.get_mut(..needed).ok_or(Error::BufferTooShort { buffer: "sources", needed, given })?;
        self.sources(detector).try_for_each(|source| source.map(|_| ()))?;
        let mut used = 0;
        for (slot, source) in table.iter_mut().zip(self.sources(detector)) {
            *slot = source?;
            used += 1;
        }
        Ok(used)
    }

    /// Checks all sources and returns that with the shortest wavelength.
    ///
    /// # Errors
    /// What [`Source::new`] refuses, and [`Error::OutOfRange`] when there is no source.
    pub fn check(&self, detector: &Detector) -> Result<Source, Error> {
        self.sources_len()?;
        let mut shortest: Option<Source> = None;
        for source in self.sources(detector) {
            let source = source?;
            if shortest.is_none_or(|shortest| source.lambda_m < shortest.lambda_m) {
                shortest = Some(source);
            }
        }
        shortest.ok_or(Error::OutOfRange { quantity: "number of sources", value: 0.0, allowed: "at least 1" })
    }

    /// The sources, in the order of the table.
    fn sources<'g>(&'g self, detector: &'g Detector) -> impl Iterator<Item = Result<Source, Error>> + 'g {
        let angle = |axis: &Steps, i: usize| axis.step * i as f64 - axis.range / 2.0;
        let points = (0..self.hdiv.count).flat_map(move |i| {
            let h = angle(&self.hdiv, i);
            (0..self.vdiv.count).map(move |j| (h, angle(&self.vdiv, j)))
        });
        let kept = points.filter(|&(h, v)| !(self.round && self.outside_ellipse(h, v)));
        kept.flat_map(move |(h, v)| {
            let from = rotate_axis(-10.0 * detector.beam, detector.polarization, v);
            let from = rotate_axis(from, detector.vertical, h);
            (0..self.dispersion.count).map(move |n| {
                let spread = 1.0 + self.dispersion.step * n as f64 - self.dispersion.range / 2.0;
                Source::new(from, self.lambda0_m * spread)
            })
        })
    }

    /// A range of zero makes the test NaN, which keeps the point.
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
    /// Kahn's polarisation factor k: 0 unpolarised, 1 along the axis.
    pub kahn: f64,
    /// Unit vector along the E vector.
    pub axis: Vec3,
}

/// Polarisation about one direction of the beam.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PolarizationFrame {
    pub(crate) kahn: f64,
    pub(crate) incident: Vec3,
    /// Unit vector axis x incident.
    pub(crate) b: Vec3,
    /// Unit vector at right angles to the beam and to `b`.
    pub(crate) e: Vec3,
}

impl PolarizationFrame {
    pub(crate) fn new(polarization: &Polarization, incident: Vec3) -> Self {
        let b = polarization.axis.cross(incident).unit();
        Self { kahn: polarization.kahn, incident, b, e: incident.cross(b).unit() }
    }
}

/// The reference's `polarization_factor` for unit vectors `incident` and `diffracted` and any axis.
#[must_use]
pub fn polarization_factor(kahn: f64, incident: Vec3, diffracted: Vec3, axis: Vec3) -> f64 {
    let c2 = incident.dot(diffracted);
    let cos2_squared = c2 * c2;
    let cos_2psi = if kahn == 0.0 {
        1.0
    } else {
        let b = axis.cross(incident).unit();
        let e = incident.cross(b).unit();
        let (db, de) = (diffracted.dot(b), diffracted.dot(e));
        let length = db * db + de * de;
        // The axis along the beam, or scattering straight ahead, leaves psi open: the reference takes 0.
        if length > 0.0 { (de * de - db * db) / length } else { 1.0 }
    };
    0.5 * (1.0 + cos2_squared - kahn * cos_2psi * (1.0 - cos2_squared))
}

/// Photons per m^2: flux exposure / beamsize^2 where flux is given, else `fluence`.
#[must_use]
pub fn fluence_per_m2(fluence: f64, flux_per_s: f64, exposure_s: f64, beamsize_m: f64) -> f64 {
    if flux_per_s != 0.0 && exposure_s > 0.0 && beamsize_m >= 0.0 {
        flux_per_s * exposure_s / beamsize_m / beamsize_m
    } else {
        fluence
    }
}

/// What a pixel's sum starts from: 2.57^2 r_e^2 fluence water^3 1e6 Avogadro/18.
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
