//! A panel: a rectangle of pixels in the laboratory, with its sensitive layer.
//!
//! A detector is one panel or several. What all panels share, such as the beam, the crystal and the structure
//! factors, belongs to the scene; [`Scene::on_panel`](crate::scene::Scene::on_panel) is the same scene on another
//! panel. Pixels are addressed by panel, slow and fast, so that the rows of a panel are those of its scene.
//!
//! ```
//! use widebragg::panel::Panel;
//! use widebragg::scene::Sensor;
//! use widebragg::vector::Vec3;
//!
//! // 64 x 32 pixels of 0.1 mm across a beam along z, 0.2 m from the sample.
//! let panel = Panel {
//!     pixel_m: 1e-4,
//!     fast_pixels: 64,
//!     slow_pixels: 32,
//!     pix0_m: Vec3::new(-0.0032, -0.0016, 0.2),
//!     fast: Vec3::new(1.0, 0.0, 0.0),
//!     slow: Vec3::new(0.0, 1.0, 0.0),
//!     normal: Vec3::new(0.0, 0.0, 1.0),
//!     close_distance_m: 0.2,
//!     point_pixel: false,
//!     bend: None,
//!     sensor: Sensor::THIN,
//! };
//! assert_eq!(panel.pixels(), 2048);
//! let corner = panel.position_m([64.0, 32.0]);
//! assert!((corner - Vec3::new(0.0032, 0.0016, 0.2)).length() < 1e-15);
//! ```

use crate::detector::{BeamFrame, Detector, NormalUse};
use crate::scene::Sensor;
use crate::vector::Vec3;

/// A rectangle of square pixels; vectors are in the laboratory frame, with the sample at its origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// Edge of a pixel, in m.
    pub pixel_m: f64,
    /// Pixels along the fast axis.
    pub fast_pixels: usize,
    /// Pixels along the slow axis.
    pub slow_pixels: usize,
    /// Outer corner of the first pixel, in m.
    pub pix0_m: Vec3,
    /// Unit fast axis.
    pub fast: Vec3,
    /// Unit slow axis.
    pub slow: Vec3,
    /// Unit normal, away from the sample.
    pub normal: Vec3,
    /// Distance from the sample along the normal, in m.
    pub close_distance_m: f64,
    /// Whether pixels are points, so that omega = 1/|P|^2.
    pub point_pixel: bool,
    /// How the panel is bent; `None`: it is flat.
    pub bend: Option<Bend>,
    /// The sensitive layer.
    pub sensor: Sensor,
}

/// The sphere around the sample that a curved panel lies on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bend {
    /// Unit vector from the sample to the point that stays where it is: the direction of the beam.
    pub beam: Vec3,
    /// Radius, in m.
    pub radius_m: f64,
}

/// The directions from the sample to a block of pixels of a flat panel, the depth of its sensor included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DirectionCone {
    /// Unit vectors to the corners; all directions lie between them.
    pub(crate) corners: [Vec3; 8],
    /// Unit vector to the middle.
    pub(crate) middle: Vec3,
    /// Cosine of the angle between the middle and the farthest corner.
    pub(crate) cos: f64,
}

/// Least cosine of a [`DirectionCone`]. Directions farther from the middle than a right angle need not be between the corners.
const WIDEST_COS: f64 = 0.01;

impl Panel {
    /// The panel that is a placed detector, with its sensitive layer.
    #[must_use]
    pub fn new(detector: &Detector, sensor: Sensor) -> Self {
        let Detector { beam, distance_m, .. } = *detector;
        Self {
            pixel_m: detector.pixel_m,
            fast_pixels: detector.fast_pixels,
            slow_pixels: detector.slow_pixels,
            pix0_m: detector.pix0_m,
            fast: detector.fast,
            slow: detector.slow,
            normal: detector.normal,
            close_distance_m: detector.close_distance_m,
            point_pixel: detector.point_pixel,
            bend: detector.curved.then_some(Bend { beam, radius_m: distance_m }),
            sensor,
        }
    }

    /// The detector that is this panel, whose axes are taken as they are: `distance_m` from the sample along the beam, which says
    /// where its beam centre is and has to be the radius of a bent one. X and Y of the beam centre are along fast and slow, the
    /// 2theta axis is the spindle.
    ///
    /// ```
    /// # use widebragg::detector::BeamFrame;
    /// # use widebragg::panel::Panel;
    /// # use widebragg::scene::Sensor;
    /// # use widebragg::vector::Vec3;
    /// # let [x, y, z] = [Vec3::new(1.0, 0.0, 0.0), Vec3::new(0.0, 1.0, 0.0), Vec3::new(0.0, 0.0, 1.0)];
    /// let panel = Panel {
    ///     pixel_m: 1e-4,
    ///     fast_pixels: 64,
    ///     slow_pixels: 32,
    ///     pix0_m: Vec3::new(-0.003, -0.001, 0.2),
    ///     fast: x,
    ///     slow: y,
    ///     normal: z,
    ///     close_distance_m: 0.2,
    ///     point_pixel: false,
    ///     bend: None,
    ///     sensor: Sensor::THIN,
    /// };
    /// let detector = panel.detector(0.2, &BeamFrame { beam: z, polarization: x, vertical: y, spindle: x });
    /// assert_eq!([detector.fast_beam_m, detector.slow_beam_m], [0.003, 0.001]);
    /// assert_eq!(Panel::new(&detector, Sensor::THIN), panel);
    /// ```
    #[must_use]
    pub fn detector(&self, distance_m: f64, frame: &BeamFrame) -> Detector {
        let Self { pixel_m, fast_pixels, slow_pixels, pix0_m, fast, slow, normal, .. } = *self;
        let BeamFrame { beam, polarization, vertical, spindle } = *frame;
        let to_beam = distance_m * beam - pix0_m;
        let (fast_beam_m, slow_beam_m) = (fast.dot(to_beam), slow.dot(to_beam));
        Detector {
            pixel_m,
            fast_pixels,
            slow_pixels,
            slow_size_m: pixel_m * slow_pixels as f64,
            pix0_m,
            fast,
            slow,
            normal,
            beam,
            polarization,
            vertical,
            spindle,
            twotheta_axis: spindle,
            distance_m,
            close_distance_m: self.close_distance_m,
            x_beam_m: fast_beam_m,
            y_beam_m: slow_beam_m,
            fast_beam_m,
            slow_beam_m,
            fast_close_m: -pix0_m.dot(fast),
            slow_close_m: -pix0_m.dot(slow),
            normal_use: NormalUse::AsGiven,
            point_pixel: self.point_pixel,
            curved: self.bend.is_some(),
        }
    }

    /// The number of pixels.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.fast_pixels * self.slow_pixels
    }

    /// The position, in m, of a point (fast, slow) that is counted in pixels from the outer corner of the first one,
    /// before the panel is bent.
    #[must_use]
    pub fn position_m(&self, [fast, slow]: [f64; 2]) -> Vec3 {
        self.pix0_m + slow * self.pixel_m * self.slow + fast * self.pixel_m * self.fast
    }

    /// The directions to the pixels between two edges along fast and two along slow, counted in pixels from the outer corner
    /// of the first; `None` where they spread too far for a cone.
    pub(crate) fn cone_of(&self, columns: [usize; 2], rows: [usize; 2]) -> Option<DirectionCone> {
        let depth_m = self.sensor.thickness_m();
        let corners = core::array::from_fn(|i| {
            let [column, row] = [columns[i & 1], rows[i >> 1 & 1]].map(|edge| edge as f64);
            let depth_m = if i & 4 == 0 { 0.0 } else { depth_m };
            (self.position_m([column, row]) + depth_m * self.normal).normalize()
        });
        let middle = corners.iter().fold(Vec3::default(), |sum, &corner| sum + corner).try_normalize()?;
        let cos = corners.iter().map(|corner| corner.dot(middle)).fold(1.0, f64::min);
        // False for NaN.
        (cos > WIDEST_COS).then_some(DirectionCone { corners, middle, cos })
    }
}
