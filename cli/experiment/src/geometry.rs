//! The geometry of an experiment as the readers of its images need it: where the direct beam meets the
//! detector, the frame of DIALS, and whether an image header can hold the geometry.
//!
//! **Direct beam.** The ray t b from the sample meets the plane of the detector at
//! t = (pix0 . n) / (b . n), where pix0 is the outer corner of the first pixel, n the normal and b the
//! direction of the beam. The beam centre is (t b - pix0) . f along fast and (t b - pix0) . s along slow. All
//! are those of the placed detector, after every tilt and swing. nanoBragg leaves the swing (`-twotheta`) out
//! of t, so that its distance is t cos(2theta) where the detector swings about the sample.
//!
//! **DIALS' frame.** e3 = -b, towards the source; e1 is the part of the spindle u across the beam,
//! normalised; e2 = e3 x e1. For a spindle along the beam, e1 comes from the fast axis instead. In nanoBragg's
//! MOSFLM frame (b = x, u = z) this is (x, y, z) -> (z, y, -x).
//!
//! **Headers.** SMV and miniCBF headers state a distance and a beam centre. Their readers take a flat detector
//! perpendicular to the beam, fast along e1, slow along -e2, and a spindle along e1. [`lost_in_headers`] lists
//! what is not so. It takes e1 along the fast axis, since nothing but the spindle ties a reader's frame to the
//! laboratory.

use core::fmt;

use widebragg::crystal::Crystal;
use widebragg::detector::Detector;
use widebragg::rotation::Orientation;
use widebragg::vector::Vec3;
use widebragg_formats::geometry::{Panel, Scan, Sensor};

use crate::experiment::Experiment;
use crate::panels::DetectorPanel;

/// Displacement of a corner of the detector, in pixels, up to which a header holds the geometry.
pub const TOLERANCE_PX: f64 = 0.02;

/// Smallest sine of the angle between two directions that are told apart.
const SMALLEST_SINE: f64 = 1e-4;

/// Smallest tilt that can be the reason of a displacement, in rad.
const SMALLEST_TILT_RAD: f64 = 1e-6;

/// Where the direct beam meets the detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeamSpot {
    /// Distance from the sample along the beam, in m.
    pub distance_m: f64,
    /// Position along the fast axis, from the outer edge of the first pixel, in m.
    pub fast_m: f64,
    /// Position along the slow axis, from the outer edge of the first pixel, in m.
    pub slow_m: f64,
}

impl BeamSpot {
    /// The spot on a placed detector; `None` where the beam does not meet its plane.
    #[must_use]
    pub fn new(detector: &Detector) -> Option<Self> {
        let Detector { pix0_m, fast, slow, normal, beam, .. } = *detector;
        let distance_m = pix0_m.dot(normal) / beam.dot(normal);
        if distance_m <= 0.0 || !distance_m.is_finite() {
            return None;
        }
        let from_corner_m = distance_m * beam - pix0_m;
        Some(Self { distance_m, fast_m: from_corner_m.dot(fast), slow_m: from_corner_m.dot(slow) })
    }

    /// What a header states that has to give a distance and a beam centre: the spot, or the foot of the normal
    /// where the beam does not meet the plane.
    #[must_use]
    pub fn or_foot(detector: &Detector) -> Self {
        Self::new(detector).unwrap_or(Self {
            distance_m: detector.close_distance_m,
            fast_m: detector.fast_close_m,
            slow_m: detector.slow_close_m,
        })
    }
}

/// A frame for DIALS, as its three axes in the laboratory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DialsFrame([Vec3; 3]);

impl DialsFrame {
    /// The frame of a detector, its beam and its spindle.
    #[must_use]
    pub fn new(detector: &Detector) -> Self {
        Self::along(detector, detector.spindle)
            .or_else(|| Self::along(detector, detector.fast))
            .or_else(|| Self::along(detector, detector.slow))
            // Fast and slow are not parallel, so that one of them is across the beam.
            .unwrap_or(Self([detector.fast, detector.slow, -detector.beam]))
    }

    /// The frame whose e1 is the part of `axis` across the beam; `None` for an axis along the beam.
    fn along(detector: &Detector, axis: Vec3) -> Option<Self> {
        let e3 = -detector.beam;
        let across = axis - axis.dot(e3) * e3;
        if across.length() < SMALLEST_SINE {
            return None;
        }
        let e1 = across.try_normalize()?;
        Some(Self([e1, e3.cross(e1), e3]))
    }

    /// The components of a laboratory vector in this frame.
    #[must_use]
    pub fn components(&self, v: Vec3) -> Vec3 {
        let Self([e1, e2, e3]) = *self;
        Vec3::new(v.dot(e1), v.dot(e2), v.dot(e3))
    }

    /// The outer corner of the first pixel, in mm.
    #[must_use]
    pub fn origin_mm(&self, detector: &Detector) -> [f64; 3] {
        // + 0.0 turns -0 into 0.
        self.components(detector.pix0_m).to_array().map(|length_m| 1000.0 * length_m + 0.0)
    }
}

/// The panels of the detector, without limits of their values; `components` are those of a laboratory vector in the
/// frame of the panels.
#[must_use]
pub fn panels(experiment: &Experiment, components: impl Fn(Vec3) -> [f64; 3]) -> Vec<Panel> {
    let numbered = experiment.panels.iter().enumerate();
    numbered.map(|(index, panel)| self::panel(panel, experiment.first_row(index), &components)).collect()
}

/// A panel whose first row in the stack is `first_row`.
fn panel(panel: &DetectorPanel, first_row: usize, components: impl Fn(Vec3) -> [f64; 3]) -> Panel {
    let detector = &panel.detector;
    let sensor = Sensor {
        material: None,
        thickness_m: panel.sensor.thickness_m(),
        attenuation_per_m: Some(panel.sensor.attenuation_per_m),
    };
    Panel {
        name: panel.name.clone(),
        pixels: [detector.fast_pixels, detector.slow_pixels],
        data_origin: [0, first_row],
        pixel_m: [detector.pixel_m; 2],
        origin_m: components(detector.pix0_m),
        fast: components(detector.fast),
        slow: components(detector.slow),
        sensor: Some(sensor).filter(|sensor| sensor.thickness_m > 0.0),
        valid: [None, None],
    }
}

/// The axes a*, b*, c* that belong to a, b, c, from which images are computed, in 1/Angstrom.
///
/// They are not those of [`Crystal::reciprocal_per_angstrom`] where nanoBragg derives a cell without a matrix: its c* of a
/// triclinic cell is off by some parts in 10,000.
#[must_use]
pub fn reciprocal_axes(crystal: &Crystal) -> [Vec3; 3] {
    let Orientation { a_m, b_m, c_m } = crystal.direct;
    let [a, b, c] = [a_m, b_m, c_m].map(|axis| 1e10 * axis);
    let per_volume = 1.0 / a.dot(b.cross(c));
    [b.cross(c), c.cross(a), a.cross(b)].map(|axis| per_volume * axis)
}

/// The matrix with these columns: A in 1/Angstrom, where they are a*, b* and c*.
#[must_use]
pub fn columns(axes: [Vec3; 3]) -> [[f64; 3]; 3] {
    let [a, b, c] = axes.map(Vec3::to_array);
    [0, 1, 2].map(|row| [a[row], b[row], c[row]])
}

/// The rotation of `frames` frames, of which the first has the number `first`; `None` for a still.
#[must_use]
pub fn scan(experiment: &Experiment, first: usize, frames: usize) -> Option<Scan> {
    (experiment.phi.range != 0.0).then(|| Scan {
        first,
        frames,
        start_deg: experiment.frame_phi0_rad(0).to_degrees(),
        width_deg: experiment.phi.range.to_degrees(),
        exposure_s: Some(experiment.exposure_s),
    })
}

/// A part of a geometry that the headers of SMV and miniCBF images cannot state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lost {
    /// The detector is curved. An experiment list cannot state it either.
    Curved,
    /// The detector has several panels, this many.
    Panels(usize),
    /// The beam does not meet the detector.
    NoSpot,
    /// The detector is not perpendicular to the beam, by this angle in rad.
    Tilted(f64),
    /// The image is a mirror image: fast x slow points towards the sample.
    Mirrored,
    /// The spindle is not where readers take it, by this angle in rad.
    Spindle(f64),
    /// Fast and slow are not perpendicular to each other.
    Skewed,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Curved => f.write_str("the detector is curved"),
            Self::Panels(count) => write!(f, "the detector has {count} panels"),
            Self::NoSpot => f.write_str("the beam does not meet the detector"),
            Self::Tilted(angle_rad) => {
                write!(f, "the detector is tilted by {:.3} degrees", angle_rad.to_degrees())
            }
            Self::Mirrored => f.write_str("the detector is mirrored"),
            Self::Spindle(angle_rad) => {
                write!(f, "the spindle is {:.3} degrees off the fast axis", angle_rad.to_degrees())
            }
            Self::Skewed => f.write_str("fast and slow are not perpendicular"),
        }
    }
}

/// The parts of the geometry that headers of SMV and miniCBF images cannot state; none for most experiments.
#[must_use]
pub fn lost_in_headers(experiment: &Experiment) -> Vec<Lost> {
    if experiment.panels.iter().any(|panel| panel.detector.curved) {
        return vec![Lost::Curved];
    }
    let [panel] = &experiment.panels[..] else { return vec![Lost::Panels(experiment.panels.len())] };
    let d = &panel.detector;
    let Some(spot) = BeamSpot::new(d) else { return vec![Lost::NoSpot] };
    let frame = DialsFrame::along(d, d.fast).unwrap_or_else(|| DialsFrame::new(d));
    let ours = |u: f64, v: f64| frame.components(d.pix0_m + u * d.fast + v * d.slow);
    let readers = |u: f64, v: f64| Vec3::new(u - spot.fast_m, spot.slow_m - v, -spot.distance_m);
    let (width_m, height_m) = (d.fast_pixels as f64 * d.pixel_m, d.slow_pixels as f64 * d.pixel_m);
    let corners = [[0.0, 0.0], [width_m, 0.0], [0.0, height_m], [width_m, height_m]];
    let displaced_m =
        corners.map(|[u, v]| (ours(u, v) - readers(u, v)).length()).into_iter().fold(0.0, f64::max);
    let mut lost = Vec::new();
    if displaced_m > TOLERANCE_PX * d.pixel_m {
        let handed = d.fast.cross(d.slow);
        let tilt_rad = handed.cross(d.beam).length().atan2(handed.dot(d.beam).abs());
        if tilt_rad > SMALLEST_TILT_RAD {
            lost.push(Lost::Tilted(tilt_rad));
        }
        if handed.dot(d.beam) < 0.0 {
            lost.push(Lost::Mirrored);
        }
    }
    if lost.is_empty() && displaced_m > TOLERANCE_PX * d.pixel_m {
        lost.push(Lost::Skewed);
    }
    let spindle = frame.components(d.spindle);
    let off_rad = spindle.y.hypot(spindle.z).atan2(spindle.x);
    if experiment.phi.range != 0.0 && off_rad > SMALLEST_SINE {
        lost.push(Lost::Spindle(off_rad));
    }
    lost
}
