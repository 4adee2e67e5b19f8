//! Rows of the background that amorphous matter gives in spec.

use core::ops::Range;

use super::{Curve, Profile, WeightedSource};
use crate::arrays::same_length;
use crate::beam::{Polarization, PolarizationFrame, Source};
use crate::error::require;
use crate::lanes::{BaseLevel, Lanes, Level, Simd, WithSimd};
use crate::math::exp;
use crate::panel::Panel;
use crate::render::geometry::{Direction, LaneVec, Subpixel, SubpixelGrid};
use crate::span::{PerPixel, SPAN, load, store};
use crate::vector::Vec3;
use crate::{ELECTRON_RADIUS_SQUARED_M2, Error};

/// Molecules in a mole, as the reference has them.
const AVOGADRO: f64 = 6.022_141_79e23;

/// Attenuation lengths below which a mean over a path is its series.
const SHORT: f64 = 0.01;

/// Molecules in the part of a sample that the beam hits.
///
/// **Units.** Thickness along the beam in m, cross section of the beam in m^2, density in g/cm^3, molecular weight in
/// g/mol. Avogadro's number is the reference's, 6.02214179e23.
///
/// ```
/// // A drop of water of a tenth of a millimetre.
/// let molecules = widebragg::background::molecules(1e-4, 1e-8, 1.0, 18.0);
/// assert!((molecules / 3.3456e16 - 1.0).abs() < 1e-4);
/// ```
#[must_use]
pub fn molecules(thickness_m: f64, area_m2: f64, density_g_per_cm3: f64, weight_g_per_mol: f64) -> f64 {
    thickness_m * area_m2 * (density_g_per_cm3 * 1e6) * AVOGADRO / weight_g_per_mol
}

/// The structure factors of matter, as a function of the scattering angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Radial<'t> {
    /// F of a molecule against s, for each source with its wavelength.
    Curve(Curve<'t>),
    /// The mean of F |F| of a molecule over the wavelengths, which the sources have in common. Their own do not count.
    Profile(Profile<'t>),
}

/// The slab that matter fills, where what it absorbs of its own scattering counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slab {
    /// Unit normal: the direction of the beam.
    pub normal: Vec3,
    /// Attenuation lengths in its thickness.
    pub depth: f64,
}

/// Amorphous matter in the beam, as one panel sees it.
///
/// **Formula.** A pixel gets, at its centre P, seen from the matter at `origin_m`,
///
/// ```text
/// d       = (P - origin)/R           R = |P - origin|        s = |d - i|/(2 lambda)
/// photons = r_e^2 fluence molecules omega capture escape  sum of w F(s) |F(s)| polarisation / sum of w
/// omega   = pixel^2/R^2 D/R          D: distance of the panel's plane from the origin; 1/R^2 for point pixels
/// capture = 1 - exp(-thickness attenuation/(d . o))         1 without a sensor
/// escape  = (exp(-m) - exp(-m/c))/(m (1/c - 1))             c = d . normal, m: depth of the slab; 1 without a slab
/// ```
///
/// over the sources with their incident directions i, wavelengths and weights w. F is negative only where the table is.
///
/// **Source.** `add_background` of simtbx and `nonBragg.c`, with these differences: F is monotone between the points of
/// its table and constant beyond, weights are divided by their sum, and the layers of a sensor are together as thick as
/// the sensor. The escape is the mean of exp(-(z + (t - z)/c) m/t) over depths z from 0 to the slab's thickness t; for
/// c < 0, where photons leave through the front, it is (1 - exp(-m (1 - 1/c)))/(m (1 - 1/c)).
///
/// **Accuracy** (`tests/tests/kernel_background.rs`). 1e-13 of the formula in plain f64, at every level, with a curve;
/// what [`Profile::error`] says more with a profile.
///
/// **Cost.** 8 kB of stack; no memory but the caller's.
///
/// ```
/// use widebragg::background::{AmorphousMatter, Curve, Radial, RadialPoint, WeightedSource, molecules};
/// use widebragg::beam::Source;
/// use widebragg::detector::{Detector, DetectorParameters};
/// use widebragg::lanes::Simd;
/// use widebragg::panel::Panel;
/// use widebragg::rotation::PhiMode;
/// use widebragg::scene::Sensor;
/// use widebragg::vector::Vec3;
///
/// let detector = Detector::new(&DetectorParameters::default(), PhiMode::Spec)?;
/// let points = [RadialPoint { s: 0.0, f_electrons: 2.57 }];
/// let mut room = [0.0; Curve::room_len(1)];
/// let source = Source { incident: detector.beam, lambda_m: 1e-10 };
/// let water = AmorphousMatter {
///     panel: Panel::new(&detector, Sensor::THIN),
///     origin_m: Vec3::new(0.0, 0.0, 0.0),
///     sources: &[WeightedSource { source, weight: 1.0 }],
///     radial: Radial::Curve(Curve::fill(&points, 1e10, &mut room)?),
///     polarization: None,
///     fluence_per_m2: 1e20,
///     molecules: molecules(1e-4, 1e-8, 1.0, 18.0),
///     slab: None,
/// };
/// let mut row = [0.0; 1024];
/// water.add_to_row(Simd::detect(), 512, 0..1024, &mut row)?;
/// assert!(row[512] > row[0] && row[0] > 0.0);
/// # Ok::<(), widebragg::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AmorphousMatter<'a> {
    /// The panel.
    pub panel: Panel,
    /// Where the matter is, in m: the sample is at 0.
    pub origin_m: Vec3,
    /// The sources.
    pub sources: &'a [WeightedSource],
    /// Structure factors of a molecule.
    pub radial: Radial<'a>,
    /// The polarisation of the beam; with `None`, its factor is 1.
    pub polarization: Option<Polarization>,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Number of molecules in the beam.
    pub molecules: f64,
    /// The slab in which scattered photons are absorbed; `None`: they are not.
    pub slab: Option<Slab>,
}

impl AmorphousMatter<'_> {
    /// Adds the photons of `columns` of row `slow` to `photons`.
    ///
    /// **Shapes.** `photons` has an element for each of the columns.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for another length, [`Error::OutsideDetector`] for pixels that the panel does not have,
    /// [`Error::OutOfRange`] without sources or with a weight that is not above 0.
    pub fn add_to_row(
        &self,
        simd: Simd,
        slow: usize,
        columns: Range<usize>,
        photons: &mut [f64],
    ) -> Result<(), Error> {
        let Panel { fast_pixels, slow_pixels, .. } = self.panel;
        for (end, limit) in [(columns.end, fast_pixels), (slow.saturating_add(1), slow_pixels)] {
            if end > limit {
                return Err(Error::OutsideDetector { index: end.saturating_sub(1), limit });
            }
        }
        same_length("photons", photons.len(), columns.len())?;
        require(!self.sources.is_empty(), "number of sources", 0.0, "at least 1")?;
        for WeightedSource { weight, .. } in self.sources {
            require(*weight > 0.0, "weight of a source", *weight, "above 0")?;
        }
        let first = columns.start;
        match self.radial {
            Radial::Curve(curve) => simd.run(Row { matter: self, lookup: curve, slow, first, photons }),
            Radial::Profile(profile) => simd.run(Row { matter: self, lookup: profile, slow, first, photons }),
        }
        Ok(())
    }

    /// The frame of a source's polarisation.
    fn frame(&self, source: &Source) -> Option<PolarizationFrame> {
        self.polarization.map(|polarization| PolarizationFrame::new(&polarization, source.incident))
    }
}

/// F |F| of a molecule at v = sin(theta).
trait Lookup: Copy {
    fn intensity<F: Lanes>(&self, v: F, lambda_m: f64) -> F;
}

impl Lookup for Curve<'_> {
    #[inline(always)]
    fn intensity<F: Lanes>(&self, v: F, lambda_m: f64) -> F {
        let f = self.structure_factors(v * v.splat_like(1.0 / lambda_m));
        f * f.abs()
    }
}

impl Lookup for Profile<'_> {
    #[inline(always)]
    fn intensity<F: Lanes>(&self, v: F, _lambda_m: f64) -> F {
        self.intensities(v)
    }
}

/// Neighbouring pixels of a row.
struct Row<'a, R> {
    matter: &'a AmorphousMatter<'a>,
    lookup: R,
    slow: usize,
    first: usize,
    photons: &'a mut [f64],
}

/// Directions of the pixels of a span, and their sums.
struct Work {
    x: PerPixel,
    y: PerPixel,
    z: PerPixel,
    /// Photons for a mean of 1.
    factor: PerPixel,
    sum: PerPixel,
}

impl<R: Lookup> WithSimd for Row<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { matter, lookup, slow, first, photons } = self;
        let weights: f64 = matter.sources.iter().map(|source| source.weight).sum();
        let scale = ELECTRON_RADIUS_SQUARED_M2 * matter.fluence_per_m2 * matter.molecules / weights;
        let zeros = [0.0; SPAN];
        let mut work = Work { x: zeros, y: zeros, z: zeros, factor: zeros, sum: zeros };
        for (part, photons) in (0..).zip(photons.chunks_mut(SPAN)) {
            let count = photons.len();
            matter.directions(level, slow, first + part * SPAN, count, scale, &mut work);
            for (index, WeightedSource { source, weight }) in matter.sources.iter().enumerate() {
                let frame = matter.frame(source);
                for at in (0..count).step_by(L::F::LEN) {
                    let direction = work.direction(level, at);
                    let mut term = lookup.intensity(direction.sine(source), source.lambda_m);
                    if let Some(frame) = &frame {
                        term = term * direction.polarization_without_quotient(frame);
                    }
                    let before = if index == 0 { level.splat(0.0) } else { load(level, &work.sum, at) };
                    store(term.mul_add(level.splat(*weight), before), &mut work.sum, at);
                }
            }
            for ((photons, sum), factor) in photons.iter_mut().zip(&work.sum).zip(&work.factor) {
                *photons += sum * factor;
            }
        }
    }
}

impl Work {
    #[inline(always)]
    fn direction<L: Level>(&self, level: L, at: usize) -> Direction<L::F> {
        let at = |from: &PerPixel| load(level, from, at);
        let diffracted = LaneVec { x: at(&self.x), y: at(&self.y), z: at(&self.z) };
        // The solid angle has been taken already.
        Direction { inverse_distance: level.splat(1.0), diffracted }
    }
}

impl AmorphousMatter<'_> {
    /// The directions and factors of `count` pixels of a row from `first` on.
    #[inline(always)]
    fn directions<L: Level>(
        &self,
        level: L,
        slow: usize,
        first: usize,
        count: usize,
        scale: f64,
        work: &mut Work,
    ) {
        let panel = &self.panel;
        let grid = SubpixelGrid::new(panel, slow, 1);
        let line = grid.line(panel, 0, 0.0);
        // The solid angle is that of the panel's plane as the matter sees it.
        let from_origin =
            Panel { close_distance_m: panel.close_distance_m - self.origin_m.dot(panel.normal), ..*panel };
        let last = (first + count).saturating_sub(1) as f64;
        for at in (0..count).step_by(L::F::LEN) {
            let fast = level.ramp((first + at) as f64, last);
            let position_m = Subpixel::new(panel, &grid, line, fast, 0).position_m;
            let direction = Direction::to(position_m.plus_scalar(level.splat(-1.0), self.origin_m));
            let mut factor = direction.omega_sr(&from_origin) * level.splat(scale);
            if panel.sensor.layer_m > 0.0 {
                factor = factor * direction.captured(panel);
            }
            if let Some(slab) = &self.slab {
                factor = factor * slab.escape(direction.diffracted.dot_scalar(slab.normal));
            }
            let LaneVec { x, y, z } = direction.diffracted;
            store(x, &mut work.x, at);
            store(y, &mut work.y, at);
            store(z, &mut work.z, at);
            store(factor, &mut work.factor, at);
        }
    }
}

impl Slab {
    /// The part of the photons scattered by the angle whose cosine is `c` that leaves the slab.
    #[inline(always)]
    fn escape<F: Lanes>(&self, c: F) -> F {
        let (zero, one) = (c.splat_like(0.0), c.splat_like(1.0));
        let depth = c.splat_like(self.depth);
        let inverse = one / c;
        let forward = zero.lt(c);
        let path = depth * F::select(forward, inverse - one, one - inverse);
        let before = F::select(forward, one.splat_like(libm::exp(-self.depth)), one);
        before * mean_transmission(path)
    }
}

/// (1 - exp(-x))/x: the mean of exp over 0 ... -x.
#[inline(always)]
fn mean_transmission<F: Lanes>(x: F) -> F {
    let one = x.splat_like(1.0);
    let short = x.abs().lt(x.splat_like(SHORT));
    let divisor = F::select(short, one, x);
    let long = (one - exp(-x)) / divisor;
    let mut series = x.splat_like(-1.0 / 720.0);
    for term in [1.0 / 120.0, -1.0 / 24.0, 1.0 / 6.0, -0.5, 1.0] {
        series = series.mul_add(x, x.splat_like(term));
    }
    F::select(short, series, long)
}
