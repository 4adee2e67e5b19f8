//! A geometry as headers of images describe it: one flat detector of square pixels.

use super::vectors::{Vector, cross, dot, length, plus, unit};
use super::{Geometry, Panel};
use crate::image::FlatDetector;

/// Part of a pixel by which panels may miss the grid of the first, and pixels may fail to be square.
const SAME_PX: f64 = 1e-3;

impl Geometry {
    /// The detector as one flat grid of square pixels, which several panels make up where they lie in it as their pixels
    /// lie in the block of data. Positions count from its first pixel.
    ///
    /// # Errors
    /// In words, why the geometry is none: no wavelength, panels apart, other pixels, or a beam that does not meet
    /// them.
    pub fn flat_detector(&self) -> Result<FlatDetector, String> {
        let Self { beam, panels, .. } = self;
        let lambda_m = beam.lambda_m.ok_or("it has no wavelength")?;
        let Some((first, others)) = panels.split_first() else { return Err("it has no panel".to_owned()) };
        let [pixel_m, other_m] = first.pixel_m;
        if (pixel_m - other_m).abs() > SAME_PX * pixel_m {
            return Err("its pixels are not square".to_owned());
        }
        if others.iter().any(|panel| !continues(first, panel)) {
            return Err(format!("its {} panels are not one flat grid of pixels", panels.len()));
        }
        let normal = unit(cross(first.fast, first.slow)).ok_or("its fast and slow axes are parallel")?;
        let distance_m = dot(first.origin_m, normal);
        let along_beam = distance_m / dot(beam.direction, normal);
        if along_beam.is_nan() || along_beam <= 0.0 {
            return Err("the beam does not meet its detector".to_owned());
        }
        let from_origin = |point_m: Vector| {
            let along = |i: usize, axis| {
                let from_corner_m = dot(point_m, axis) - dot(first.origin_m, axis);
                from_corner_m / pixel_m + first.data_origin[i] as f64
            };
            [along(0, first.fast), along(1, first.slow)]
        };
        let detector = FlatDetector {
            pixel_m,
            lambda_m,
            distance_m: distance_m.abs(),
            foot_px: from_origin(normal.map(|component| component * distance_m)),
            beam_px: from_origin(beam.direction.map(|component| component * along_beam)),
        };
        detector.if_usable().ok_or_else(|| "its detector is too far or too near".to_owned())
    }
}

/// Whether the corners of a panel are where the grid of the first one has them.
fn continues(first: &Panel, panel: &Panel) -> bool {
    let offset = [0, 1].map(|axis| panel.data_origin[axis] as f64 - first.data_origin[axis] as f64);
    let [fast, slow] = panel.pixels.map(|count| count as f64);
    [[0.0, 0.0], [fast, 0.0], [0.0, slow]].into_iter().all(|corner| {
        let on_grid = first.position_m([corner[0] + offset[0], corner[1] + offset[1]]);
        length(plus(panel.position_m(corner), -1.0, on_grid)) <= SAME_PX * first.pixel_m[0]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Beam, Frame};

    /// A detector of `count` panels of 10 x 8 pixels of 0.1 mm along slow, 0.1 m downstream, with 2 pixels between them.
    fn stacked(count: usize) -> Geometry {
        let panel = |i: usize| Panel {
            name: i.to_string(),
            pixels: [10, 8],
            data_origin: [0, 10 * i],
            pixel_m: [1e-4; 2],
            origin_m: [-4e-4, 6e-4 - 1e-3 * i as f64, 0.1],
            fast: [1.0, 0.0, 0.0],
            slow: [0.0, -1.0, 0.0],
            sensor: None,
            valid: [None; 2],
        };
        let beam = Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(1e-10), polarization: None };
        let panels = (0..count).map(panel).collect();
        Geometry { frame: Frame::McStas, beam, panels, spindle: None, scan: None, crystal: None }
    }

    #[test]
    fn panels_of_one_grid_are_one_detector() {
        for count in [1, 3] {
            let flat = stacked(count).flat_detector().unwrap();
            assert!((flat.distance_m - 0.1).abs() < 1e-15);
            for (at, expected) in flat.beam_px.into_iter().chain(flat.foot_px).zip([4.0, 6.0, 4.0, 6.0]) {
                assert!((at - expected).abs() < 1e-9, "{flat:?}");
            }
        }
        // The block of data may begin elsewhere.
        let mut late = stacked(1);
        late.panels[0].data_origin = [100, 0];
        assert!((late.flat_detector().unwrap().beam_px[0] - 104.0).abs() < 1e-9);
    }

    #[test]
    fn others_are_refused_in_words() {
        let refused = |change: &dyn Fn(&mut Geometry)| {
            let mut geometry = stacked(2);
            change(&mut geometry);
            geometry.flat_detector().unwrap_err()
        };
        assert_eq!(refused(&|g| g.beam.lambda_m = None), "it has no wavelength");
        assert_eq!(refused(&|g| g.panels.clear()), "it has no panel");
        assert_eq!(refused(&|g| g.panels[0].pixel_m[1] = 2e-4), "its pixels are not square");
        let apart = "its 2 panels are not one flat grid of pixels";
        assert_eq!(refused(&|g| g.panels[1].origin_m[2] = 0.11), apart);
        assert_eq!(refused(&|g| g.panels[1].fast = [0.0, 1.0, 0.0]), apart);
        assert_eq!(refused(&|g| g.beam.direction[2] = -1.0), "the beam does not meet its detector");
    }
}
