//! The geometry of XDS: `XPARM.XDS` and `GXPARM.XDS` ([`xparm`]), and `XDS.INP` ([`inp`]).
//!
//! Pixels IX, IY count from 1, an integer at the centre of a pixel. With X, Y the axes of the detector, normalised, Q
//! the edges of a pixel, F the distance and ORG the foot of the normal,
//!
//! ```text
//! position(IX, IY) = ED (EDS (QX (IX - ORGXS), QY (IY - ORGYS), FS) - (QX ORGX, QY ORGY, -F))
//! ED = (X, Y, X x Y),   EDS = (EDS1, EDS2, EDS1 x EDS2)   by columns
//! ```
//!
//! for a pixel of a segment, whose axes EDS1, EDS2 are in the detector's frame. A detector without segments is one with
//! EDS = 1 and ORGXS = ORGYS = FS = 0. Each segment is a panel, whose outer corner is at its first IX, IY less 1/2.
//!
//! Image j begins at STARTING_ANGLE + OSCILLATION_RANGE (j - STARTING_FRAME). The cell axes are those at spindle 0.
//! The frame may be any right-handed one.
//!
//! Source: W. Kabsch, XDS documentation, "XDS.INP" and "XPARM.XDS". Checked with golden files in
//! `tests/tests/geometry.rs`.

pub(super) mod inp;
pub(super) mod xparm;

use super::vectors::{Matrix, Vector, apply, are_parallel, cross, inverse, plus, transposed, unit};
use super::{Beam, Crystal, Frame, Geometry, Panel, Polarization, Scan, Sensor};
use crate::memory::reserved;

/// The detector as a whole.
#[derive(Debug, Clone)]
struct Plane {
    /// NX, NY.
    pixels: [usize; 2],
    /// QX, QY.
    pixel_mm: [f64; 2],
    /// ORGX, ORGY.
    foot_px: [f64; 2],
    /// The signed distance F.
    distance_mm: f64,
    /// Directions of its X and Y axis, of any length.
    axes: [Vector; 2],
    sensor: Option<Sensor>,
    valid: [Option<f64>; 2],
}

/// A rectangle of pixels with a position of its own.
#[derive(Debug, Clone, Copy)]
struct Segment {
    /// Its first and last pixel along X and Y, counted from 1.
    x: [usize; 2],
    y: [usize; 2],
    /// ORGXS, ORGYS.
    foot_px: [f64; 2],
    /// FS.
    distance_mm: f64,
    /// EDS1 and EDS2, of any length.
    axes: [Vector; 2],
}

impl Segment {
    /// That of a whole detector.
    fn whole([x, y]: [usize; 2]) -> Self {
        Self { x: [1, x], y: [1, y], ..Self::default() }
    }
}

impl Default for Segment {
    fn default() -> Self {
        let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
        Self { x: [0; 2], y: [0; 2], foot_px: [0.0; 2], distance_mm: 0.0, axes }
    }
}

/// What both formats say.
#[derive(Debug, Clone)]
struct Experiment {
    plane: Plane,
    segments: Vec<Segment>,
    /// The wave vector from the source, of any length.
    beam: Vector,
    wavelength_angstrom: f64,
    polarization: Option<Polarization>,
    spindle: Option<Vector>,
    scan: Option<Scan>,
    /// The axes a, b, c in Angstrom, at spindle 0.
    cell_axes: Option<Matrix>,
    space_group: Option<usize>,
}

impl Experiment {
    /// The geometry; a text that says what is not possible.
    fn geometry(self) -> Result<Geometry, String> {
        let panels = self.panels()?;
        let direction = unit(self.beam).ok_or("the incident beam has no direction")?;
        if self.wavelength_angstrom <= 0.0 {
            return Err(format!("a wavelength of {} A", self.wavelength_angstrom));
        }
        let spindle =
            self.spindle.map(|axis| unit(axis).ok_or("the rotation axis has no direction")).transpose()?;
        let crystal = self.cell_axes.map(|axes| {
            let a_matrix = inverse(axes).ok_or("the cell axes span no volume")?;
            let space_group = self.space_group.map(|number| number.to_string());
            Ok::<_, String>(Crystal { a_matrix, a_at_frames: Vec::new(), space_group })
        });
        Ok(Geometry {
            frame: Frame::Xds,
            beam: Beam {
                direction,
                lambda_m: Some(self.wavelength_angstrom * 1e-10),
                polarization: self.polarization,
            },
            panels,
            spindle,
            scan: self.scan,
            crystal: crystal.transpose()?,
        })
    }

    fn panels(&self) -> Result<Vec<Panel>, String> {
        let Plane { pixel_mm: [qx, qy], foot_px, distance_mm, axes, .. } = self.plane;
        if qx <= 0.0 || qy <= 0.0 {
            return Err(format!("pixels of {qx} x {qy} mm"));
        }
        let detector = frame(axes).ok_or("the axes of the detector span no plane")?;
        let mut panels = reserved(self.segments.len()).ok_or("no memory for its segments")?;
        for (segment, number) in self.segments.iter().zip(1..) {
            let refused = |what: &str| format!("segment {number}: {what}");
            let own = frame(segment.axes).ok_or_else(|| refused("its axes span no plane"))?;
            let [width, height] =
                [segment.x, segment.y].map(|[first, last]| (last + 1).saturating_sub(first));
            let [most_x, most_y] = self.plane.pixels;
            if segment.x[0] < 1 || segment.y[0] < 1 || width < 1 || height < 1 {
                return Err(refused("it has no pixels"));
            }
            if segment.x[1] > most_x || segment.y[1] > most_y {
                return Err(refused("it reaches beyond the detector"));
            }
            let from_foot = |first: usize, foot: f64| first as f64 - 0.5 - foot;
            let within = [
                qx * from_foot(segment.x[0], segment.foot_px[0]),
                qy * from_foot(segment.y[0], segment.foot_px[1]),
                segment.distance_mm,
            ];
            let foot_mm = [qx * foot_px[0], qy * foot_px[1], -distance_mm];
            let origin_mm = apply(detector, plus(apply(own, within), -1.0, foot_mm));
            let [eds1, eds2, _] = transposed(own);
            let axis =
                |eds: Vector| unit(apply(detector, eds)).ok_or_else(|| refused("its axes span no plane"));
            panels.push(Panel {
                name: number.to_string(),
                pixels: [width, height],
                data_origin: [segment.x[0] - 1, segment.y[0] - 1],
                pixel_m: [qx * 1e-3, qy * 1e-3],
                origin_m: origin_mm.map(|length| length * 1e-3),
                fast: axis(eds1)?,
                slow: axis(eds2)?,
                sensor: self.plane.sensor.clone(),
                valid: self.plane.valid,
            });
        }
        Ok(panels)
    }
}

/// The matrix with the columns X, Y, X x Y, with X and Y normalised; `None` where they span no plane.
fn frame([x, y]: [Vector; 2]) -> Option<Matrix> {
    let (x, y) = (unit(x)?, unit(y)?);
    (!are_parallel(x, y)).then(|| transposed([x, y, cross(x, y)]))
}

/// A whole number from 0 to the largest i32.
fn whole(value: f64) -> Result<usize, String> {
    if value.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&value) {
        Ok(value as usize)
    } else {
        Err(format!("{value} is not a whole number from 0 to {}", i32::MAX))
    }
}
