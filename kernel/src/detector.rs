//! The detector: from a convention, tilts and a beam centre to an origin and three axes.
//!
//! **Formulas.** Let f (fast), s (slow) and o (normal) be the unit axes after tilts and 2theta, and pix0 the
//! origin:
//!
//! ```text
//! pix0  = -Fbeam f - Sbeam s + distance b                                  pivot at the beam spot
//! pix0  = T R (-Fclose f - Sclose s + close_distance o)                    pivot at the sample
//! P     = pix0 + F f + S s + O o      F = pixel/os (fast os + sub) + pixel/os/2, S likewise, O = layer depth
//! omega = pixel^2/|P|^2 close_distance/|P|                                 point pixels: 1/|P|^2
//! ```
//!
//! **Symbols and units.** Vectors in the laboratory frame, in m. b: unit vector of the beam; R: rotation
//! about lab x, y, z; T: rotation about the 2theta axis; P: position of a subpixel; os: subpixels along an
//! axis; sub: index of a subpixel; omega: solid angle in sr. In the second line f, s and o are
//! the axes before the rotations.
//!
//! **Source.** The set-up of `nanoBragg.c`, with its peculiarities: a 2theta axis is not normalised, and a
//! normal whose length is not exactly 1 is replaced by unit(f x s). On a mirrored detector, o.(f x s) < 0, the
//! replacement points upstream; spec mode keeps the direction of the given normal there.
//!
//! **Accuracy** (`tests/tests/kernel_setup.rs`). The detectors of all golden command lines agree with those
//! of the scalar oracle to 1e-13.
//!
//! ```
//! use widebragg::detector::{Detector, DetectorParameters};
//! use widebragg::rotation::PhiMode;
//!
//! let parameters = DetectorParameters {
//!     fast_pixels: 200,
//!     slow_pixels: 100,
//!     fast_size_m: 0.02,
//!     slow_size_m: 0.01,
//!     ..Default::default()
//! };
//! let detector = Detector::new(&parameters, PhiMode::Spec)?;
//! // MOSFLM's convention: X of the beam centre is along the slow axis, and half a pixel is added to both.
//! assert!((detector.x_beam_m - 0.00505).abs() < 1e-12);
//! assert!((detector.slow_beam_m - 0.0051).abs() < 1e-12);
//! assert!((detector.fast_beam_m - 0.0101).abs() < 1e-12);
//! # Ok::<(), widebragg::Error>(())
//! ```

use core::str::FromStr;

use crate::Error;
use crate::defaults;
use crate::error::require;
use crate::names::{listed, named};
use crate::real::Real;
use crate::rotation::{PhiMode, rotate_axis, rotate_xyz};
use crate::vector::Vec3;

/// The convention that defines the axes, the beam centre and the pivot.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(clippy::large_enum_variant)] // without an allocator, a `Box` is not available
pub enum Convention {
    /// ADXV: the origin of the beam centre is at the lower left.
    Adxv,
    /// MOSFLM: X of the beam centre is along slow, Y along fast, and half a pixel is added to both.
    #[default]
    Mosflm,
    /// DENZO: as MOSFLM, without the half pixel.
    Denzo,
    /// XDS: the beam centre defaults to the foot of the normal through the sample; the pivot is the sample.
    Xds,
    /// DIALS: as XDS, with the 2theta, polarisation and spindle axes along y instead of x.
    Dials,
    /// Axes given individually.
    Custom(CustomAxes),
}

impl Convention {
    /// The named conventions.
    pub const NAMED: &'static [Self] = &[Self::Adxv, Self::Mosflm, Self::Denzo, Self::Xds, Self::Dials];

    /// Returns the name of the convention, in capitals.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Adxv => "ADXV",
            Self::Mosflm => "MOSFLM",
            Self::Denzo => "DENZO",
            Self::Xds => "XDS",
            Self::Dials => "DIALS",
            Self::Custom(_) => "CUSTOM",
        }
    }
}

impl FromStr for Convention {
    type Err = Error;

    /// Parses the name of a named convention, ignoring case.
    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::NAMED.iter().find(|convention| convention.name().eq_ignore_ascii_case(name));
        let known = listed!("adxv", "mosflm", "denzo", "xds", "dials");
        found.copied().ok_or(Error::UnknownName { quantity: "convention", known })
    }
}

/// Axes of [`Convention::Custom`]. An axis that is `None` is that of MOSFLM, or y for the 2theta axis.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CustomAxes {
    /// Fast axis.
    pub fast: Option<Vec3>,
    /// Slow axis.
    pub slow: Option<Vec3>,
    /// Normal of the detector.
    pub normal: Option<Vec3>,
    /// Direction of the beam.
    pub beam: Option<Vec3>,
    /// Direction of the E vector.
    pub polarization: Option<Vec3>,
    /// Rotation axis of the crystal.
    pub spindle: Option<Vec3>,
    /// Rotation axis of the 2theta arm.
    pub twotheta: Option<Vec3>,
}

/// The point that detector rotations leave fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pivot {
    /// The spot of the direct beam on the detector.
    #[default]
    Beam,
    /// The sample.
    Sample,
}

named!(Pivot, "pivot": Beam = "beam", Sample = "sample");

/// Computes the number of pixels and the size of the detector along one axis.
///
/// A number of pixels takes precedence over a size. Without it, the number is ceil(size/pixel - 1/2), where
/// the size defaults to [`defaults::DETECTOR_SIZE_M`]. Returns (pixels, size in m).
///
/// # Errors
/// [`Error::OutOfRange`] for sizes that are not positive and finite, [`Error::TooLarge`] for more than 2^31
/// pixels.
pub fn extent(pixel_m: f64, pixels: Option<usize>, size_m: Option<f64>) -> Result<(usize, f64), Error> {
    require(pixel_m > 0.0, "pixel size in m", pixel_m, "above 0")?;
    let most = 2_147_483_648.0;
    let too_large = Err(Error::TooLarge { quantity: "number of detector pixels" });
    if let Some(pixels) = pixels {
        return if pixels as f64 > most { too_large } else { Ok((pixels, pixel_m * pixels as f64)) };
    }
    let size_m = size_m.unwrap_or(defaults::DETECTOR_SIZE_M);
    require(size_m > 0.0, "detector size in m", size_m, "above 0")?;
    let pixels = libm::ceil(size_m / pixel_m - 0.5);
    if pixels > most { too_large } else { Ok((pixels as usize, size_m)) }
}

/// The parameters of [`Detector::new`]. A parameter that is `None` takes its default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorParameters<T = f64> {
    /// Edge of a pixel, in m.
    pub pixel_m: f64,
    /// Pixels along the fast axis.
    pub fast_pixels: usize,
    /// Pixels along the slow axis.
    pub slow_pixels: usize,
    /// Size along the fast axis, in m.
    pub fast_size_m: f64,
    /// Size along the slow axis, in m.
    pub slow_size_m: f64,
    /// Distance from the sample to the detector along the beam, in m; default 0.1.
    pub distance_m: Option<T>,
    /// Distance from the sample to the detector along its normal, in m; above 0.
    pub close_distance_m: Option<T>,
    /// X of the beam centre in the convention, in m.
    pub x_beam_m: Option<T>,
    /// Y of the beam centre in the convention, in m.
    pub y_beam_m: Option<T>,
    /// X of the foot of the normal through the sample, in m.
    pub x_close_m: Option<T>,
    /// Y of the foot of the normal through the sample, in m.
    pub y_close_m: Option<T>,
    /// XDS ORGX: foot of the normal along fast, in pixels, counted from 1.
    pub org_x_px: Option<T>,
    /// XDS ORGY: foot of the normal along slow, in pixels, counted from 1.
    pub org_y_px: Option<T>,
    /// Convention of axes, beam centre and pivot.
    pub convention: Convention,
    /// Pivot of a custom convention; named conventions have their own.
    pub pivot: Pivot,
    /// Rotation of the detector about lab x, y, z, in rad.
    pub rotation_rad: [T; 3],
    /// Rotation of the 2theta arm, in rad.
    pub twotheta_rad: T,
    /// Whether pixels are points, so that omega = 1/|P|^2.
    pub point_pixel: bool,
    /// Whether the detector is a sphere around the sample.
    pub curved: bool,
}

/// A detector of 1024 x 1024 pixels of 0.1 mm, at a distance of 100 mm, in the convention of MOSFLM.
impl<T: Real> Default for DetectorParameters<T> {
    fn default() -> Self {
        let zero = T::constant(0.0);
        Self {
            pixel_m: defaults::PIXEL_M,
            fast_pixels: defaults::DETECTOR_PIXELS,
            slow_pixels: defaults::DETECTOR_PIXELS,
            fast_size_m: defaults::DETECTOR_SIZE_M,
            slow_size_m: defaults::DETECTOR_SIZE_M,
            distance_m: Some(T::constant(defaults::DISTANCE_M)),
            close_distance_m: None,
            x_beam_m: None,
            y_beam_m: None,
            x_close_m: None,
            y_close_m: None,
            org_x_px: None,
            org_y_px: None,
            convention: Convention::default(),
            pivot: Pivot::default(),
            rotation_rad: [zero; 3],
            twotheta_rad: zero,
            point_pixel: false,
            curved: false,
        }
    }
}

/// How the normal of a detector follows from the one that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NormalUse {
    /// It has length 1 and is used as it is.
    #[default]
    AsGiven,
    /// Its length is not exactly 1: unit(f x s) replaces it.
    Replaced,
    /// Its length is not exactly 1, and the detector is mirrored: it is normalised. Only in spec mode.
    Normalized,
}

/// A placed detector, and the directions of beam, polarisation and spindle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detector {
    /// Edge of a pixel, in m.
    pub pixel_m: f64,
    /// Pixels along the fast axis.
    pub fast_pixels: usize,
    /// Pixels along the slow axis.
    pub slow_pixels: usize,
    /// Size along the slow axis, in m.
    pub slow_size_m: f64,
    /// Outer corner of the first pixel, in m.
    pub pix0_m: Vec3,
    /// Unit fast axis.
    pub fast: Vec3,
    /// Unit slow axis.
    pub slow: Vec3,
    /// Unit normal.
    pub normal: Vec3,
    /// Unit beam direction.
    pub beam: Vec3,
    /// Unit polarisation axis.
    pub polarization: Vec3,
    /// Unit vector along beam x polarisation.
    pub vertical: Vec3,
    /// Unit spindle axis.
    pub spindle: Vec3,
    /// 2theta axis, not normalised.
    pub twotheta_axis: Vec3,
    /// Distance from the sample to the detector along the beam, in m.
    pub distance_m: f64,
    /// Distance from the sample to the detector along its normal, in m.
    pub close_distance_m: f64,
    /// X of the beam centre in the convention, in m.
    pub x_beam_m: f64,
    /// Y of the beam centre in the convention, in m.
    pub y_beam_m: f64,
    /// Beam centre along fast, in m.
    pub fast_beam_m: f64,
    /// Beam centre along slow, in m.
    pub slow_beam_m: f64,
    /// Foot of the normal along fast, in m.
    pub fast_close_m: f64,
    /// Foot of the normal along slow, in m.
    pub slow_close_m: f64,
    /// How the normal follows from the one that was given.
    pub normal_use: NormalUse,
    /// Whether pixels are points.
    pub point_pixel: bool,
    /// Whether the detector is a sphere around the sample.
    pub curved: bool,
}

/// Directions that all panels of a detector share; unit vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeamFrame {
    /// Direction of the beam.
    pub beam: Vec3,
    /// Polarisation axis.
    pub polarization: Vec3,
    /// Along beam x polarisation.
    pub vertical: Vec3,
    /// Spindle axis.
    pub spindle: Vec3,
}

/// Axes, beam centre and pivot after applying the convention.
struct Reading<T> {
    beam: Vec3,
    normal: Vec3,
    fast: Vec3,
    slow: Vec3,
    twotheta: Vec3,
    polarization: Vec3,
    spindle: Vec3,
    x_beam_m: T,
    y_beam_m: T,
    fast_beam_m: T,
    slow_beam_m: T,
    pivot: Pivot,
}

/// The part of a placed detector that depends smoothly on its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement<T> {
    pub(crate) pix0_m: Vec3<T>,
    pub(crate) fast: Vec3<T>,
    pub(crate) slow: Vec3<T>,
    pub(crate) normal: Vec3<T>,
    pub(crate) close_distance_m: T,
    pub(crate) distance_m: T,
}

const X: Vec3 = Vec3::new(1.0, 0.0, 0.0);
const Y: Vec3 = Vec3::new(0.0, 1.0, 0.0);
const Z: Vec3 = Vec3::new(0.0, 0.0, 1.0);
const MINUS_X: Vec3 = Vec3::new(-1.0, 0.0, 0.0);
const MINUS_Y: Vec3 = Vec3::new(0.0, -1.0, 0.0);
const MINUS_Z: Vec3 = Vec3::new(0.0, 0.0, -1.0);

impl<T: Real> Reading<T> {
    /// Applies the convention of `p`.
    ///
    /// `x_close_m` and `y_close_m`, the foot of the normal, are the default of the beam centre in the XDS,
    /// DIALS and custom conventions.
    fn new(p: &DetectorParameters<T>, x_close_m: T, y_close_m: T) -> Self {
        let px = p.pixel_m;
        let centre = |x: T, y: T| (p.x_beam_m.unwrap_or(x), p.y_beam_m.unwrap_or(y));
        let middle = |x: f64, y: f64| centre(T::constant(x), T::constant(y));
        match p.convention {
            Convention::Adxv => {
                let (x, y) = middle((p.fast_size_m + px) / 2.0, (p.slow_size_m - px) / 2.0);
                Self {
                    beam: Z,
                    normal: Z,
                    fast: X,
                    slow: MINUS_Y,
                    twotheta: MINUS_X,
                    polarization: X,
                    spindle: X,
                    x_beam_m: x,
                    y_beam_m: y,
                    fast_beam_m: x,
                    slow_beam_m: T::constant(p.slow_size_m) - y,
                    pivot: Pivot::Beam,
                }
            }
            Convention::Mosflm | Convention::Denzo => {
                let (x, y) = middle((p.slow_size_m + px) / 2.0, (p.fast_size_m + px) / 2.0);
                let mosflm = p.convention == Convention::Mosflm;
                let shifted = |beam: T| if mosflm { beam + T::constant(px / 2.0) } else { beam };
                Self {
                    beam: X,
                    normal: X,
                    fast: Z,
                    slow: MINUS_Y,
                    twotheta: MINUS_Z,
                    polarization: Z,
                    spindle: Z,
                    x_beam_m: x,
                    y_beam_m: y,
                    fast_beam_m: shifted(y),
                    slow_beam_m: shifted(x),
                    pivot: Pivot::Beam,
                }
            }
            Convention::Xds | Convention::Dials => {
                let (x, y) = centre(x_close_m, y_close_m);
                let side = if p.convention == Convention::Xds { X } else { Y };
                Self {
                    beam: Z,
                    normal: Z,
                    fast: X,
                    slow: Y,
                    twotheta: side,
                    polarization: side,
                    spindle: side,
                    x_beam_m: x,
                    y_beam_m: y,
                    fast_beam_m: x,
                    slow_beam_m: y,
                    pivot: Pivot::Sample,
                }
            }
            Convention::Custom(axes) => {
                let (x, y) = centre(x_close_m, y_close_m);
                Self {
                    beam: axes.beam.unwrap_or(X),
                    normal: axes.normal.unwrap_or(X),
                    fast: axes.fast.unwrap_or(Z),
                    slow: axes.slow.unwrap_or(MINUS_Y),
                    twotheta: axes.twotheta.unwrap_or(Y),
                    polarization: axes.polarization.unwrap_or(Z),
                    spindle: axes.spindle.unwrap_or(Z),
                    x_beam_m: x,
                    y_beam_m: y,
                    fast_beam_m: x,
                    slow_beam_m: y,
                    pivot: p.pivot,
                }
            }
        }
    }
}

/// Normalises `axis`.
fn direction(quantity: &'static str, axis: Vec3) -> Result<Vec3, Error> {
    let allowed = "a vector of length 1e-150 to 1e150";
    axis.try_normalize().ok_or(Error::OutOfRange { quantity, value: axis.length(), allowed })
}

/// The unit normal, and how it follows from the `given` one; `across` is f x s.
fn unit_normal(given: Vec3, across: Vec3, mode: PhiMode) -> Result<(Vec3, NormalUse), Error> {
    let normal_use = if given.length() == 1.0 {
        NormalUse::AsGiven
    } else if mode == PhiMode::Spec && given.dot(across) < 0.0 {
        NormalUse::Normalized
    } else {
        NormalUse::Replaced
    };
    let normal = match normal_use {
        NormalUse::AsGiven | NormalUse::Normalized => direction("detector normal", given)?,
        NormalUse::Replaced => direction("normal, replaced by fast x slow", across)?,
    };
    Ok((normal, normal_use))
}

/// The detector after applying the convention, with unit axes, and its placement.
struct Placed<T> {
    reading: Reading<T>,
    beam: Vec3,
    normal_use: NormalUse,
    polarization: Vec3,
    spindle: Vec3,
    vertical: Vec3,
    ratio: T,
    at: Placement<T>,
}

impl<T: Real> Placed<T> {
    fn new(p: &DetectorParameters<T>, mode: PhiMode) -> Result<Self, Error> {
        let foot = |org: Option<T>, size: f64| match org {
            Some(org) => (org - T::constant(0.5)) * T::constant(p.pixel_m),
            None => T::constant(size / 2.0),
        };
        let (mut fast_close_m, mut slow_close_m) =
            (foot(p.org_x_px, p.fast_size_m), foot(p.org_y_px, p.slow_size_m));
        let reading =
            Reading::new(p, p.x_close_m.unwrap_or(fast_close_m), p.y_close_m.unwrap_or(slow_close_m));
        if matches!(p.convention, Convention::Custom(_)) {
            (fast_close_m, slow_close_m) = (reading.x_beam_m, reading.y_beam_m);
        }
        let beam = direction("beam vector", reading.beam)?;
        let fast = direction("fast axis", reading.fast)?;
        let slow = direction("slow axis", reading.slow)?;
        let across = fast.cross(slow).length();
        require(across > 1e-6, "sine of the angle between fast and slow axis", across, "above 1e-6")?;
        let (normal, normal_use) = unit_normal(reading.normal, fast.cross(slow), mode)?;
        let polarization = direction("polarisation axis", reading.polarization)?;
        let spindle = direction("spindle axis", reading.spindle)?;
        let vertical = direction("beam x polarisation", beam.cross(polarization))?;
        if !reading.twotheta.is_finite() {
            direction("2theta axis", reading.twotheta)?;
        }

        let tilt = |v: Vec3<T>| rotate_xyz(v, p.rotation_rad);
        let swing = |v: Vec3<T>| rotate_axis(v, Vec3::constant(reading.twotheta), p.twotheta_rad);
        let [along_beam, fast, slow, normal] = [beam, fast, slow, normal].map(Vec3::constant);
        let ratio = match along_beam.dot(tilt(normal)) {
            ratio if ratio.value() == 0.0 => T::constant(f64::from_bits(1)),
            ratio => ratio,
        };
        let close = p
            .close_distance_m
            .unwrap_or_else(|| (ratio * p.distance_m.unwrap_or(T::constant(defaults::DISTANCE_M))).abs());
        let distance = close / ratio;
        let (f, s, o) = (swing(tilt(fast)), swing(tilt(slow)), swing(tilt(normal)));
        let pix0_m = match reading.pivot {
            Pivot::Sample => {
                let flat = fast.scaled(-fast_close_m) + slow.scaled(-slow_close_m) + normal.scaled(close);
                swing(tilt(flat))
            }
            Pivot::Beam => {
                f.scaled(-reading.fast_beam_m) + s.scaled(-reading.slow_beam_m) + along_beam.scaled(distance)
            }
        };
        let close_distance_m = pix0_m.dot(o);
        let at = Placement {
            pix0_m,
            fast: f,
            slow: s,
            normal: o,
            close_distance_m,
            distance_m: close_distance_m / ratio,
        };
        Ok(Self { reading, beam, normal_use, polarization, spindle, vertical, ratio, at })
    }
}

impl<T: Real> Placement<T> {
    /// Computes the placement of parameters that [`Detector::new`] has accepted.
    pub(crate) fn new(p: &DetectorParameters<T>, mode: PhiMode) -> Result<Self, Error> {
        Placed::new(p, mode).map(|placed| placed.at)
    }
}

impl Detector {
    /// Places the detector. The mode decides on the normal of a mirrored detector, see [`NormalUse`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for lengths, angles or axes outside their range, [`Error::TooLarge`] if the
    /// number of pixels overflows.
    pub fn new(p: &DetectorParameters, mode: PhiMode) -> Result<Self, Error> {
        Self::check(p)?;
        let Placed { reading, beam, normal_use, polarization, spindle, vertical, ratio, at } =
            Placed::new(p, mode)?;
        let Placement { pix0_m, fast: f, slow: s, normal: o, close_distance_m, distance_m } = at;
        let to_beam = (close_distance_m / ratio) * beam - pix0_m;
        let detector = Self {
            pixel_m: p.pixel_m,
            fast_pixels: p.fast_pixels,
            slow_pixels: p.slow_pixels,
            slow_size_m: p.slow_size_m,
            pix0_m,
            fast: f,
            slow: s,
            normal: o,
            beam,
            polarization,
            vertical,
            spindle,
            twotheta_axis: reading.twotheta,
            distance_m,
            close_distance_m,
            x_beam_m: reading.x_beam_m,
            y_beam_m: reading.y_beam_m,
            fast_beam_m: f.dot(to_beam),
            slow_beam_m: s.dot(to_beam),
            fast_close_m: -pix0_m.dot(f),
            slow_close_m: -pix0_m.dot(s),
            normal_use,
            point_pixel: p.point_pixel,
            curved: p.curved,
        };
        let placed = pix0_m.is_finite() && detector.distance_m.is_finite();
        require(
            placed,
            "detector distance in m",
            detector.distance_m,
            "finite, with a beam that is not parallel to the detector",
        )?;
        Ok(detector)
    }

    fn check(p: &DetectorParameters) -> Result<(), Error> {
        require(p.pixel_m > 0.0, "pixel size in m", p.pixel_m, "above 0")?;
        for pixels in [p.fast_pixels, p.slow_pixels] {
            require(pixels > 0, "number of detector pixels", pixels as f64, "at least 1")?;
        }
        p.fast_pixels
            .checked_mul(p.slow_pixels)
            .and_then(|n| n.checked_mul(size_of::<f64>()))
            .ok_or(Error::TooLarge { quantity: "number of detector pixels" })?;
        require(p.fast_size_m > 0.0, "detector size in m", p.fast_size_m, "above 0")?;
        require(p.slow_size_m > 0.0, "detector size in m", p.slow_size_m, "above 0")?;
        if let Some(distance_m) = p.distance_m {
            require(distance_m != 0.0, "distance in m", distance_m, "finite and not 0")?;
        }
        if let Some(close_m) = p.close_distance_m {
            let allowed = "above 0, or every pixel would be negative";
            require(close_m > 0.0, "close distance in m", close_m, allowed)?;
        }
        let offsets = [p.x_beam_m, p.y_beam_m, p.x_close_m, p.y_close_m, p.org_x_px, p.org_y_px];
        for offset in offsets.into_iter().flatten() {
            require(true, "beam centre", offset, "finite")?;
        }
        for angle in p.rotation_rad.into_iter().chain([p.twotheta_rad]) {
            require(true, "detector rotation in rad", angle, "finite")?;
        }
        Ok(())
    }

    /// Returns the directions of beam, polarisation and spindle.
    #[must_use]
    pub fn frame(&self) -> BeamFrame {
        let Self { beam, polarization, vertical, spindle, .. } = *self;
        BeamFrame { beam, polarization, vertical, spindle }
    }

    /// Returns the number of pixels.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.fast_pixels * self.slow_pixels
    }

    /// Returns XDS ORGX, ORGY: the foot of the normal in pixels, where the centre of the first pixel is 1.
    #[must_use]
    pub fn org_px(&self) -> [f64; 2] {
        [self.fast_close_m / self.pixel_m + 0.5, self.slow_close_m / self.pixel_m + 0.5]
    }

    /// Returns the DIALS origin, in mm.
    #[must_use]
    pub fn dials_origin_mm(&self) -> [f64; 3] {
        [1000.0 * self.pix0_m.z, 1000.0 * self.pix0_m.y, 1000.0 * -self.pix0_m.x]
    }
}
