//! Resolution of a pixel, from what an image header says of the geometry; rings at round resolutions.
//!
//! d = lambda / (2 sin theta), 2 theta the angle between the directions from the sample to the pixel and to where the
//! beam meets the detector. With the foot of the normal (XDS origin, CLOSE_DISTANCE) a tilted detector is right too; a header
//! without it is taken as a detector perpendicular to the beam. Cost: one square root a pixel.

use crate::files::smv::SmvHeader;

/// Most rings on a picture.
const RINGS: usize = 4;

/// A flat detector as seen from the sample; positions in pixels from the outer edge of the first one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Pixel size.
    pub pixel_m: f64,
    /// Wavelength.
    pub lambda_m: f64,
    /// Distance from the sample to the detector plane.
    pub distance_m: f64,
    /// Foot of the normal: fast, slow.
    pub foot_px: [f64; 2],
    /// Where the beam meets the detector: fast, slow.
    pub beam_px: [f64; 2],
}

impl Geometry {
    /// From the keys of an SMV header of `slow` rows; beam centres in the convention of ADXV.
    #[must_use]
    pub fn of_smv(header: &SmvHeader, slow: usize) -> Option<Self> {
        let number = |key: &str| header.number(key).ok().flatten();
        let pixel_mm = number("PIXEL_SIZE")?;
        let x_mm = number("ADXV_CENTER_X").or_else(|| number("BEAM_CENTER_X"))?;
        let y_mm = number("ADXV_CENTER_Y").or_else(|| number("BEAM_CENTER_Y"))?;
        let beam_px = [x_mm / pixel_mm, slow as f64 - y_mm / pixel_mm];
        // XDS counts the first pixel's centre as 1.
        let normal = || {
            let (x, y) = (number("XDS_ORGX")? - 0.5, number("XDS_ORGY")? - 0.5);
            Some((number("CLOSE_DISTANCE")?, [x, y]))
        };
        let (distance_mm, foot_px) = normal().or_else(|| Some((number("DISTANCE")?, beam_px)))?;
        Self {
            pixel_m: pixel_mm * 1e-3,
            lambda_m: number("WAVELENGTH")? * 1e-10,
            distance_m: distance_mm * 1e-3,
            foot_px,
            beam_px,
        }
        .usable()
    }

    /// From the `# Key value` lines of a miniCBF.
    #[must_use]
    pub fn of_cbf(header: &str) -> Option<Self> {
        let words = |key: &str| {
            let line = header.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(key))?;
            Some(line.split([' ', '(', ')', ',', '=']).filter_map(|word| word.parse::<f64>().ok()))
        };
        let number = |key: &str| words(key)?.next();
        let mut beam = words("Beam_xy")?;
        let beam_px = [beam.next()?, beam.next()?];
        Self {
            pixel_m: number("Pixel_size")?,
            lambda_m: number("Wavelength")? * 1e-10,
            distance_m: number("Detector_distance")?,
            foot_px: beam_px,
            beam_px,
        }
        .usable()
    }

    fn usable(self) -> Option<Self> {
        let Self { pixel_m, lambda_m, distance_m, foot_px: [x, y], beam_px: [u, v] } = self;
        let lengths =
            [pixel_m, lambda_m, distance_m].iter().all(|length| *length > 0.0 && length.is_finite());
        (lengths && [x, y, u, v].iter().all(|place| place.is_finite())).then_some(self)
    }

    /// Resolution at a point, angstrom; infinite in the beam.
    #[must_use]
    pub fn d_angstrom(&self, point_px: [f64; 2]) -> f64 {
        let ray = |[x, y]: [f64; 2]| {
            let [foot_x, foot_y] = self.foot_px;
            [(x - foot_x) * self.pixel_m, (y - foot_y) * self.pixel_m, self.distance_m]
        };
        let (p, beam) = (ray(point_px), ray(self.beam_px));
        let dot = |u: [f64; 3], v: [f64; 3]| u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
        let cosine = dot(p, beam) / (dot(p, p) * dot(beam, beam)).sqrt();
        // sin(theta) from cos(2 theta).
        let sine = ((1.0 - cosine).max(0.0) / 2.0).sqrt();
        self.lambda_m * 1e10 / (2.0 * sine)
    }

    /// Round resolutions whose rings lie about evenly over the rectangle, coarse first.
    #[must_use]
    pub fn rings_angstrom(&self, corner_px: [f64; 2], size_px: [f64; 2]) -> Vec<f64> {
        let [x, y] = corner_px;
        let [width, height] = size_px;
        let corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]];
        let finest = corners.map(|corner| self.d_angstrom(corner)).into_iter().fold(f64::INFINITY, f64::min);
        if finest.is_nan() || finest <= 0.0 || finest.is_infinite() {
            return Vec::new();
        }
        // Radii go as 1 / d while angles are small.
        let mut rings: Vec<f64> =
            (1..=RINGS).map(|n| round(finest * RINGS as f64 / (n as f64 - 0.3))).collect();
        rings.dedup();
        rings
    }
}

/// Two significant digits.
fn round(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 1.0);
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_of_a_flat_and_of_a_tilted_detector() {
        let flat = Geometry {
            pixel_m: 1e-4,
            lambda_m: 1e-10,
            distance_m: 0.1,
            foot_px: [500.0, 400.0],
            beam_px: [500.0, 400.0],
        };
        assert!(flat.d_angstrom([500.0, 400.0]).is_infinite());
        // 45 degrees at a radius of the distance.
        let at_45 = 1.0 / (2.0 * 22.5f64.to_radians().sin());
        assert!((flat.d_angstrom([1500.0, 400.0]) - at_45).abs() < 1e-12);
        assert!((flat.d_angstrom([500.0, -600.0]) - at_45).abs() < 1e-12);
        // Swung by 45 degrees about the sample: the foot of the normal is at 45 degrees, the beam 1000 pixels off.
        let swung = Geometry { beam_px: [-500.0, 400.0], ..flat };
        assert!((swung.d_angstrom([500.0, 400.0]) - at_45).abs() < 1e-12);
        let rings = flat.rings_angstrom([0.0, 0.0], [1000.0, 800.0]);
        assert_eq!(rings.len(), 4);
        assert!(rings.windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rings.iter().all(|d| *d > flat.d_angstrom([0.0, 0.0])));
    }

    #[test]
    fn headers_of_both_formats() {
        let cbf = "# Pixel_size 172e-6 m x 172e-6 m\n# Wavelength 0.976800 A\n# Detector_distance 0.231270 m\n\
                   # Beam_xy (1231.500, 1263.250) pixels\n";
        let geometry = Geometry::of_cbf(cbf).unwrap();
        assert_eq!(geometry.beam_px, [1231.5, 1263.25]);
        assert_eq!((geometry.pixel_m, geometry.distance_m), (172e-6, 0.23127));
        assert_eq!(Geometry::of_cbf(&cbf.replace("0.976800", "0")), None);
        assert_eq!(Geometry::of_cbf(&cbf.replace("Beam_xy", "Beam")), None);
    }
}
