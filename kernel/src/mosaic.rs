//! Mosaic domains whose spread differs with the axis of their rotation, whose axes are spread evenly, or that come in pairs
//! with their inverse.
//!
//! **Formulas.** Each domain is a rotation about an axis x of the laboratory, by an angle that is the spread eta(x) times a
//! deviate. With spreads eta_a, eta_b, eta_c about the cell vectors a, b, c at phi = 0,
//!
//! ```text
//! eta(x) = |x . T x|^(-1/2),    T = S diag(eta_a^-2, eta_b^-2, eta_c^-2) S^-1
//! ```
//!
//! where the columns of S are unit vectors along a, b, c. T is not symmetric in an oblique cell. Domains are rotations of
//! the laboratory, applied after the rotation of the spindle.
//!
//! * **Random** axes and deviates are those of the reference ([`crate::random::random_rotation`]): uniform axes, deviates
//!   (1 - r^2)^(1/3) up to 1.
//! * **Spiral** axes i = 1 ... m, m half the number of domains, lie on a spiral over half of the sphere:
//!
//!   ```text
//!   t = (i - 1/2)/m,    x = (sin th cos ph, sin th sin ph, t),    th = acos t,    ph = sqrt(pi m) asin t
//!   ```
//!
//!   Their deviates are the quantiles 0, 1/m, ..., (m-1)/m of the half-normal distribution, sqrt(2) erfinv(u), in an order
//!   that a seed shuffles. Each axis has two domains, turned by the angle and by its negative. So the spread is the
//!   standard deviation of the angles, and the set is the same on every machine.
//!
//! **Source.** Tensor and spiral: `AnisoUmats` of diffBragg (cctbx_project); the shuffle is that of Python's `random`.
//! **Accuracy** (`tests/tests/kernel_mosaic.rs`). Spiral domains agree with those of diffBragg to 1e-13.
//! **Buffers.** The domains are the caller's; nothing else grows with their number.
//!
//! ```
//! use widebragg::mosaic::{MosaicAxes, MosaicModel, MosaicSpread, fill_domains};
//! use widebragg::rotation::{IDENTITY, Orientation};
//! use widebragg::vector::Vec3;
//!
//! let cell = Orientation {
//!     a_m: Vec3::new(70e-10, 0.0, 0.0),
//!     b_m: Vec3::new(0.0, 80e-10, 0.0),
//!     c_m: Vec3::new(0.0, 0.0, 90e-10),
//! };
//! let model = MosaicModel {
//!     spread: MosaicSpread::Axes([0.3, 0.9, 1.6].map(f64::to_radians)),
//!     axes: MosaicAxes::Spiral,
//!     ..MosaicModel::default()
//! };
//! let mut domains = [IDENTITY; 20];
//! fill_domains(&model, &cell, &mut domains)?;
//! assert!(domains[0] != IDENTITY);
//! # Ok::<(), widebragg::Error>(())
//! ```

mod half_normal;
mod mersenne_twister;

use core::f64::consts::PI;

use crate::Error;
use crate::crystal::reciprocal_of;
use crate::defaults;
use crate::error::require;
use crate::names::named;
use crate::random::{Ran1, RandomTurn, fill_mosaic};
use crate::rotation::{IDENTITY, Mat3, Orientation, turn_about};
use crate::vector::Vec3;
use half_normal::half_normal_quantile;
use mersenne_twister::MersenneTwister;

/// How far domains are rotated, in rad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MosaicSpread {
    /// As far about every axis.
    Isotropic(f64),
    /// Spreads about a, b and c, each above 0. Three equal ones are the isotropic spread.
    Axes([f64; 3]),
}

impl MosaicSpread {
    /// The spread, where it is the same about every axis.
    #[must_use]
    pub fn isotropic_rad(&self) -> Option<f64> {
        match *self {
            Self::Isotropic(spread_rad) => Some(spread_rad),
            Self::Axes([a, b, c]) => (a == b && b == c).then_some(a),
        }
    }

    fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Isotropic(spread_rad) => require(true, "mosaic spread in rad", spread_rad, "finite"),
            Self::Axes(spreads_rad) => spreads_rad.into_iter().try_for_each(|spread_rad| {
                require(spread_rad > 0.0, "mosaic spread about an axis in rad", spread_rad, "above 0")
            }),
        }
    }
}

/// Where the axes of the rotations come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MosaicAxes {
    /// Drawn as in the reference; the first domain is not rotated.
    #[default]
    Random,
    /// Along a spiral, with half-normal angles, in pairs.
    Spiral,
}

named!(MosaicAxes, "mosaic axes": Random = "random", Spiral = "spiral");

impl MosaicAxes {
    /// The seed that the programs use where none is given: the reference for random axes, diffBragg for a spiral.
    #[must_use]
    pub const fn default_seed(self) -> i64 {
        match self {
            Self::Random => defaults::MOSAIC_SEED,
            Self::Spiral => 8_675_309,
        }
    }
}

/// What mosaic domains are made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MosaicModel {
    /// How far they are rotated.
    pub spread: MosaicSpread,
    /// About which axes.
    pub axes: MosaicAxes,
    /// Seed of the random numbers.
    pub seed: i64,
    /// Whether every second domain is the inverse of the one before it. Those of a spiral are in any case.
    pub pairs: bool,
}

/// Random axes, without a spread.
impl Default for MosaicModel {
    fn default() -> Self {
        let axes = MosaicAxes::default();
        Self { spread: MosaicSpread::Isotropic(0.0), axes, seed: axes.default_seed(), pairs: false }
    }
}

impl MosaicModel {
    /// Whether the domains come in pairs, so that their number is even.
    #[must_use]
    pub fn has_pairs(&self) -> bool {
        self.pairs || self.axes == MosaicAxes::Spiral
    }

    /// Checks the spread, and a number of domains.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a spread that is not finite or, about an axis, not above 0, for no domains, and for an odd
    /// number of domains that come in pairs.
    pub fn check(&self, domains: usize) -> Result<(), Error> {
        self.spread.check()?;
        require(domains > 0, "number of mosaic domains", domains as f64, "at least 1")?;
        let is_even = domains.is_multiple_of(2);
        require(is_even || !self.has_pairs(), "number of mosaic domains in pairs", domains as f64, "even")
    }
}

/// The mosaic spread about any axis of the laboratory: eta(x) = |x . T x|^(-1/2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpreadTensor(Spreads);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Spreads {
    Isotropic(f64),
    /// Unit vectors along a, b, c, their reciprocal vectors, and the spreads.
    Axes([(Vec3, Vec3, f64); 3]),
}

/// x . T x, the part of one of a, b, c.
fn term(axis: Vec3, &(along, inverse, eta): &(Vec3, Vec3, f64)) -> f64 {
    axis.dot(along) * inverse.dot(axis) / (eta * eta)
}

impl SpreadTensor {
    /// The tensor of a crystal with the cell `cell` at phi = 0.
    ///
    /// # Errors
    /// [`Error::SingularMatrix`] for spreads about axes that span no volume.
    pub fn new(spread: MosaicSpread, cell: &Orientation) -> Result<Self, Error> {
        let MosaicSpread::Axes([eta_a, eta_b, eta_c]) = spread else {
            return Ok(Self(Spreads::Isotropic(spread.isotropic_rad().unwrap_or(0.0))));
        };
        let unit = [cell.a_m, cell.b_m, cell.c_m].map(|axis| axis.normalize());
        let [inverse_a, inverse_b, inverse_c] = reciprocal_of(unit).ok_or(Error::SingularMatrix)?;
        let [a, b, c] = unit;
        Ok(Self(Spreads::Axes([(a, inverse_a, eta_a), (b, inverse_b, eta_b), (c, inverse_c, eta_c)])))
    }

    /// The spread of rotations about the unit vector `axis`, in rad.
    #[must_use]
    pub fn about(&self, axis: Vec3) -> f64 {
        match &self.0 {
            Spreads::Isotropic(spread_rad) => *spread_rad,
            Spreads::Axes(axes) => {
                1.0 / libm::sqrt(axes.iter().map(|one| term(axis, one)).sum::<f64>().abs())
            }
        }
    }

    /// d ln eta(x)/d ln eta_a, and the same for b and c: they add up to 1. 0 where the spread is isotropic.
    ///
    /// ```
    /// use widebragg::mosaic::{MosaicSpread, SpreadTensor};
    /// use widebragg::rotation::Orientation;
    /// use widebragg::vector::Vec3;
    /// let (x, y, z) = (Vec3::new(1.0, 0.0, 0.0), Vec3::new(0.0, 1.0, 0.0), Vec3::new(0.0, 0.0, 1.0));
    /// let cell = Orientation { a_m: 7e-9 * x, b_m: 8e-9 * y, c_m: 9e-9 * z };
    /// let tensor = SpreadTensor::new(MosaicSpread::Axes([0.01, 0.02, 0.02]), &cell)?;
    /// assert_eq!(tensor.shares(x), [1.0, 0.0, 0.0]);
    /// let [by_a, by_b, by_c] = tensor.shares((x + y).normalize());
    /// assert!((by_a - 0.8).abs() < 1e-15 && (by_b - 0.2).abs() < 1e-15 && by_c == 0.0);
    /// # Ok::<(), widebragg::Error>(())
    /// ```
    #[must_use]
    pub fn shares(&self, axis: Vec3) -> [f64; 3] {
        match &self.0 {
            Spreads::Isotropic(_) => [0.0; 3],
            Spreads::Axes(axes) => {
                let terms = axes.map(|one| term(axis, &one));
                let sum = terms.iter().sum::<f64>();
                terms.map(|term| term / sum)
            }
        }
    }
}

/// Fills the rotations of the mosaic domains of a crystal with the cell `cell` at phi = 0.
///
/// An isotropic spread about random axes without pairs gives the domains of [`fill_mosaic`].
///
/// # Errors
/// As [`MosaicModel::check`]; [`Error::SingularMatrix`] for spreads about axes that span no volume.
pub fn fill_domains(model: &MosaicModel, cell: &Orientation, domains: &mut [Mat3]) -> Result<(), Error> {
    model.check(domains.len())?;
    if model.axes == MosaicAxes::Spiral {
        return fill_spiral(&SpreadTensor::new(model.spread, cell)?, model.seed, domains);
    }
    let drawn = if model.pairs { domains.len() / 2 } else { domains.len() };
    let room = domains.get_mut(..drawn).unwrap_or_default();
    match model.spread.isotropic_rad() {
        Some(spread_rad) => fill_mosaic(spread_rad, model.seed, room)?,
        None => fill_random(&SpreadTensor::new(model.spread, cell)?, model.seed, room)?,
    }
    if model.pairs {
        spread_into_pairs(domains);
    }
    Ok(())
}

/// Moves the rotations of the first half to every second place, each before its inverse.
fn spread_into_pairs(domains: &mut [Mat3]) {
    for i in (0..domains.len() / 2).rev() {
        let Some(&u) = domains.get(i) else { continue };
        if let Some([first, second]) = domains.get_mut(2 * i..2 * i + 2) {
            (*first, *second) = (u, transposed(&u));
        }
    }
}

/// The inverse of a rotation.
#[must_use]
pub fn transposed([x, y, z]: &Mat3) -> Mat3 {
    [[x[0], y[0], z[0]], [x[1], y[1], z[1]], [x[2], y[2], z[2]]]
}

/// The reference's axes, and its angles for a spread of one degree, times the spread about the axis in degrees.
fn fill_random(spread: &SpreadTensor, seed: i64, domains: &mut [Mat3]) -> Result<(), Error> {
    let mut random = Ran1::new(seed);
    let degree = 1f64.to_radians();
    for domain in domains.iter_mut() {
        let RandomTurn { axis, angle_rad } = RandomTurn::draw(degree as f32, &mut random);
        *domain = turn_about(axis, angle_rad * finite(spread.about(axis) / degree)?);
    }
    if let Some(first) = domains.first_mut() {
        *first = IDENTITY;
    }
    Ok(())
}

/// Pairs of rotations about axes on a spiral.
fn fill_spiral(spread: &SpreadTensor, seed: i64, domains: &mut [Mat3]) -> Result<(), Error> {
    let (pairs, _) = domains.as_chunks_mut::<2>();
    let count = pairs.len();
    // The order of the quantiles is shuffled where the domains will be.
    for (j, [first, _]) in pairs.iter_mut().enumerate() {
        first[0][0] = j as f64;
    }
    let mut random = MersenneTwister::new(seed);
    for last in (1..count).rev() {
        exchange(pairs, last, random.below(last as u64 + 1) as usize);
    }
    let m = count as f64;
    for (i, pair) in pairs.iter_mut().enumerate() {
        let [[[level, ..], ..], _] = *pair;
        let t = (i as f64 + 0.5) / m;
        let (sin_ph, cos_ph) = libm::sincos(libm::sqrt(PI * m) * libm::asin(t));
        let sin_th = libm::sqrt(1.0 - t * t);
        let axis = Vec3::new(sin_th * cos_ph, sin_th * sin_ph, t);
        let angle_rad = half_normal_quantile((m - level) / m) * finite(spread.about(axis))?;
        *pair = [angle_rad, -angle_rad].map(|angle_rad| turn_about(axis, angle_rad));
    }
    Ok(())
}

/// Exchanges two elements, which are inside: [`slice::swap`] would panic where they are not.
fn exchange<T: Copy>(elements: &mut [T], i: usize, j: usize) {
    if let (Some(&one), Some(&other)) = (elements.get(i), elements.get(j)) {
        for (at, element) in [(i, other), (j, one)] {
            if let Some(to) = elements.get_mut(at) {
                *to = element;
            }
        }
    }
}

fn finite(spread_rad: f64) -> Result<f64, Error> {
    require(true, "mosaic spread about an axis", spread_rad, "finite")?;
    Ok(spread_rad)
}
