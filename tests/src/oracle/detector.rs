//! The detector's position: conventions, tilt, two-theta, pivot, and the beam centre in every notation.
//!
//! pix0 is the outer corner of the first pixel; f, s and o are the fast, slow and normal axes; b is the beam,
//! u the spindle, p the polarisation axis, t the two-theta axis, and v = unit(b x p). All are in the
//! laboratory frame, lengths in metres. Special cases: where the beam lies in the detector plane, the divisor
//! 0 is replaced by the smallest positive f64; in spec mode a mirrored detector keeps the direction of its
//! normal, where the reference's would point upstream.

use super::Mode;
use super::command::{Command, Convention, Pivot};
use super::functions::{rotate_axis, rotate_xyz};
use super::vector::{Vector, add, cross, dot, magnitude, scale, sub, unit};

const X: Vector = [1.0, 0.0, 0.0];
const Y: Vector = [0.0, 1.0, 0.0];
const Z: Vector = [0.0, 0.0, 1.0];
const MINUS_X: Vector = [-1.0, 0.0, 0.0];
const MINUS_Y: Vector = [0.0, -1.0, 0.0];
const MINUS_Z: Vector = [0.0, 0.0, -1.0];

/// Upper limit for the number of pixels; more is taken for a mistake.
const MOST_PIXELS: f64 = (1_u64 << 28) as f64;

/// The detector as the pixel loop uses it; lengths in metres.
#[derive(Clone, Debug)]
pub struct Detector {
    /// Number of pixels along the fast and the slow axis.
    pub npixels: [usize; 2],
    /// Pixel edge.
    pub pixel: f64,
    /// Length of the detector along the fast and the slow axis.
    pub detsize: [f64; 2],
    /// Corner of the first pixel.
    pub pix0: Vector,
    /// Fast axis.
    pub f: Vector,
    /// Slow axis.
    pub s: Vector,
    /// Normal.
    pub o: Vector,
    /// Beam direction.
    pub b: Vector,
    /// Spindle axis.
    pub u: Vector,
    /// Polarisation axis.
    pub p: Vector,
    /// Two-theta axis, not normalised.
    pub t: Vector,
    /// "Vertical": unit(b x p).
    pub v: Vector,
    /// Sample to detector along the beam.
    pub distance: f64,
    /// Sample to the nearest point of the detector plane.
    pub close_distance: f64,
    /// Beam centre along the convention's first axis.
    pub Xbeam: f64,
    /// Beam centre along the convention's second axis.
    pub Ybeam: f64,
    /// Direct beam along f, from pix0.
    pub Fbeam: f64,
    /// Direct beam along s, from pix0.
    pub Sbeam: f64,
    /// Point nearest to the sample, along f from pix0.
    pub Fclose: f64,
    /// Point nearest to the sample, along s from pix0.
    pub Sclose: f64,
    /// Point nearest to the sample along f, in pixels counted from 1 (XDS).
    pub ORGX: f64,
    /// Point nearest to the sample along s, in pixels counted from 1 (XDS).
    pub ORGY: f64,
    /// DIALS origin in millimetres.
    pub dials_origin_mm: Vector,
}

/// The axes of one convention before any rotation.
struct Axes {
    b: Vector,
    o: Vector,
    f: Vector,
    s: Vector,
    t: Vector,
    p: Vector,
    u: Vector,
}

impl Axes {
    fn of(command: &Command) -> Axes {
        match command.convention {
            Convention::Adxv => Axes { b: Z, o: Z, f: X, s: MINUS_Y, t: MINUS_X, p: X, u: X },
            Convention::Mosflm | Convention::Denzo => {
                Axes { b: X, o: X, f: Z, s: MINUS_Y, t: MINUS_Z, p: Z, u: Z }
            }
            Convention::Xds => Axes { b: Z, o: Z, f: X, s: Y, t: X, p: X, u: X },
            Convention::Dials => Axes { b: Z, o: Z, f: X, s: Y, t: Y, p: Y, u: Y },
            Convention::Custom => {
                let given = &command.vectors;
                Axes {
                    b: given.beam.unwrap_or(X),
                    o: given.odet.unwrap_or(X),
                    f: given.fdet.unwrap_or(Z),
                    s: given.sdet.unwrap_or(MINUS_Y),
                    t: given.twotheta.unwrap_or(Y),
                    p: given.polar.unwrap_or(Z),
                    u: given.spindle.unwrap_or(Z),
                }
            }
        }
    }

    /// Normalises all axes but t. A normal that was not a unit vector becomes unit(f x s), except in spec mode
    /// on a mirrored detector, o.(f x s) < 0.
    fn normalised(self, mode: Mode) -> Axes {
        let normal_length = magnitude(self.o);
        let mut axes = Axes {
            b: unit(self.b),
            o: unit(self.o),
            f: unit(self.f),
            s: unit(self.s),
            t: self.t,
            p: unit(self.p),
            u: unit(self.u),
        };
        let across = cross(axes.f, axes.s);
        let keeps_direction = mode == Mode::Spec && dot(self.o, across) < 0.0;
        if normal_length != 1.0 && !keeps_direction {
            axes.o = unit(across);
        }
        axes
    }
}

impl Detector {
    /// Derives the geometry from a command line.
    ///
    /// # Errors
    /// When the detector has no or too many pixels, or its position is not finite.
    pub fn new(command: &Command, mode: Mode) -> Result<Detector, String> {
        let command = &*command.in_mode(mode);
        let px = command.pixel;
        if px <= 0.0 {
            return Err("-pixel: not above 0".to_owned());
        }
        let (fast, detsize_f) = edge(command.detpixels[0], command.detsize[0], px)?;
        let (slow, detsize_s) = edge(command.detpixels[1], command.detsize[1], px)?;
        if fast as f64 * slow as f64 > MOST_PIXELS {
            return Err(format!("{fast} x {slow} pixels are too many"));
        }

        let mut Fclose = command.ORGX.map_or(detsize_f / 2.0, |x| (x - 0.5) * px);
        let mut Sclose = command.ORGY.map_or(detsize_s / 2.0, |y| (y - 0.5) * px);
        let (default_X, default_Y) = match command.convention {
            Convention::Adxv => ((detsize_f + px) / 2.0, (detsize_s - px) / 2.0),
            Convention::Mosflm | Convention::Denzo => ((detsize_s + px) / 2.0, (detsize_f + px) / 2.0),
            _ => (command.Xclose.unwrap_or(Fclose), command.Yclose.unwrap_or(Sclose)),
        };
        let Xbeam = command.Xbeam.unwrap_or(default_X);
        let Ybeam = command.Ybeam.unwrap_or(default_Y);
        let (Fbeam, Sbeam) = match command.convention {
            Convention::Adxv => (Xbeam, detsize_s - Ybeam),
            Convention::Mosflm => (Ybeam + px / 2.0, Xbeam + px / 2.0),
            Convention::Denzo => (Ybeam, Xbeam),
            Convention::Xds | Convention::Dials | Convention::Custom => (Xbeam, Ybeam),
        };
        let pivot = match command.convention {
            Convention::Adxv | Convention::Mosflm | Convention::Denzo => Pivot::Beam,
            Convention::Xds | Convention::Dials => Pivot::Sample,
            Convention::Custom => {
                (Fclose, Sclose) = (Xbeam, Ybeam);
                command.pivot
            }
        };

        let Axes { b, o, f, s, t, p, u } = Axes::of(command).normalised(mode);
        let tilt = |v: Vector| rotate_xyz(v, command.rotation);
        let swing = |v: Vector| rotate_axis(v, t, command.twotheta);
        let mut ratio = dot(b, tilt(o));
        if ratio == 0.0 {
            ratio = f64::from_bits(1);
        }
        let close = command.close_distance.unwrap_or((ratio * command.distance.unwrap_or(0.1)).abs());
        let distance = close / ratio;

        let [turned_f, turned_s, turned_o] = [f, s, o].map(|axis| swing(tilt(axis)));
        let pix0 = match pivot {
            Pivot::Sample => {
                let corner = add(add(scale(-Fclose, f), scale(-Sclose, s)), scale(close, o));
                swing(tilt(corner))
            }
            Pivot::Beam => add(add(scale(-Fbeam, turned_f), scale(-Sbeam, turned_s)), scale(distance, b)),
        };
        let (Fclose, Sclose) = (-dot(pix0, turned_f), -dot(pix0, turned_s));
        let close_distance = dot(pix0, turned_o);
        let distance = close_distance / ratio;
        let to_beam = sub(scale(distance, b), pix0);
        if !distance.is_finite() || distance == 0.0 || !pix0.iter().all(|x| x.is_finite()) {
            return Err("the detector is at no finite distance above 0".to_owned());
        }
        Ok(Detector {
            npixels: [fast, slow],
            pixel: px,
            detsize: [detsize_f, detsize_s],
            pix0,
            f: turned_f,
            s: turned_s,
            o: turned_o,
            b,
            u,
            p,
            t,
            v: unit(cross(b, p)),
            distance,
            close_distance,
            Xbeam,
            Ybeam,
            Fbeam: dot(turned_f, to_beam),
            Sbeam: dot(turned_s, to_beam),
            Fclose,
            Sclose,
            ORGX: Fclose / px + 0.5,
            ORGY: Sclose / px + 0.5,
            dials_origin_mm: scale(1000.0, [pix0[2], pix0[1], -pix0[0]]),
        })
    }

    /// The position of a subpixel at `depth` metres in the sensor.
    pub fn position(&self, subpixel: [usize; 2], oversample: usize, depth: f64, curved: bool) -> Vector {
        let step = self.pixel / oversample as f64;
        let half = self.pixel / 2.0 / oversample as f64;
        let F = step * subpixel[0] as f64 + half;
        let S = step * subpixel[1] as f64 + half;
        let flat: Vector =
            core::array::from_fn(|i| F * self.f[i] + S * self.s[i] + depth * self.o[i] + self.pix0[i]);
        if !curved {
            return flat;
        }
        let centre = scale(self.distance, self.b);
        let about_s = rotate_axis(centre, self.s, flat[1] / self.distance);
        rotate_axis(about_s, self.f, flat[2] / self.distance)
    }
}

/// Number of pixels and length of one edge. A pixel count overrides a length; a length without a count is
/// kept as given.
fn edge(pixels: Option<i64>, length: Option<f64>, px: f64) -> Result<(usize, f64), String> {
    match (pixels, length) {
        (Some(n), _) if n > 0 => Ok((n as usize, px * n as f64)),
        (Some(n), _) => Err(format!("{n} pixels make no detector")),
        (None, length) => {
            let length = length.unwrap_or(0.1024);
            let n = (length / px - 0.5).ceil();
            if (1.0..=MOST_PIXELS).contains(&n) {
                Ok((n as usize, length))
            } else {
                Err(format!("{} mm make no detector of sensible size", length * 1000.0))
            }
        }
    }
}
