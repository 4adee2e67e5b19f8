//! Where the pixels of a stack of panels are in a picture that shows the panels as they stand in space.
//!
//! The picture is a parallel projection along the mean of the normals of the panels. Its rows go along the fast axis of
//! the first panel, and its columns are on the side of that panel's slow axis, so that a single panel fills its picture as it
//! is. A point of the picture shows the pixel that covers it; gaps between panels, and pixels that are not rendered, show
//! none. Where panels cover each other the later one is seen. Cost: one small linear map a point and panel.

use widebragg::vector::Vec3;
use widebragg_formats::image::Layout;
use widebragg_formats::memory::filled;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};
use crate::panels::DetectorPanel;

/// Most points along an edge of a picture. Panels that are further apart are shown smaller.
const MOST_POINTS: f64 = 8192.0;

/// The layout of the panels of an experiment; `None` for a single panel that is rendered as a whole.
///
/// # Errors
/// There is not enough memory.
pub fn layout(experiment: &Experiment) -> Result<Option<Layout>, Failure> {
    if experiment.panels.len() == 1 && experiment.renders_all_pixels() {
        return Ok(None);
    }
    let first = &experiment.first_panel().detector;
    let mean = experiment.panels.iter().fold(Vec3::default(), |sum, panel| sum + panel.detector.normal);
    let view = mean.try_normalize().unwrap_or(first.normal);
    let flat = |v: Vec3| v - v.dot(view) * view;
    // The first panel may stand along the view.
    let right = flat(first.fast).try_normalize().unwrap_or(first.fast);
    let down = view.cross(right);
    let down = if down.dot(first.slow) < 0.0 { -down } else { down };

    let corners = experiment.panels.iter().flat_map(|panel| {
        let d = &panel.detector;
        let [fast, slow] = [d.fast_pixels as f64, d.slow_pixels as f64];
        [[0.0, 0.0], [fast, 0.0], [0.0, slow], [fast, slow]].map(|corner| panel.panel().position_m(corner))
    });
    let seen = corners.map(|corner| [corner.dot(right), corner.dot(down)]);
    let start = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    let (least, most) = seen.fold(start, |(least, most), at| {
        ([0, 1].map(|i| least[i].min(at[i])), [0, 1].map(|i| most[i].max(at[i])))
    });
    let extent_m = (most[0] - least[0]).max(most[1] - least[1]);
    let point_m = first.pixel_m.max(extent_m / MOST_POINTS);
    // Rounding must not add a row or a column.
    let points = |i: usize| ((most[i] - least[i]) / point_m - 1e-6).ceil().max(1.0) as usize;
    let (width, height) = (points(0), points(1));
    let no_memory = || Failure::no_memory(Part::Scene, format!("a picture of {width} x {height} points"));
    let mut pixels = filled(width * height, Layout::GAP).ok_or_else(no_memory)?;
    for (index, panel) in experiment.panels.iter().enumerate() {
        let plane = Plane { right, down, origin_m: least, point_m };
        let before = experiment.first_row(index) * experiment.columns();
        plane.draw(panel, before, width, &mut pixels);
    }
    Ok(Some(Layout { width, height, pixels }))
}

/// The plane of a picture.
struct Plane {
    right: Vec3,
    down: Vec3,
    /// The corner of the first point along `right` and `down`.
    origin_m: [f64; 2],
    /// Edge of a point.
    point_m: f64,
}

impl Plane {
    /// Draws a panel, before whose pixels there are `before` others in the stack.
    fn draw(&self, panel: &DetectorPanel, before: usize, width: usize, points: &mut [u32]) {
        let d = &panel.detector;
        let along = |v: Vec3| [v.dot(self.right), v.dot(self.down)].map(|length_m| length_m / self.point_m);
        let corner = along(d.pix0_m);
        let corner = [0, 1].map(|i| corner[i] - self.origin_m[i] / self.point_m);
        let [fast, slow] = [d.fast, d.slow].map(|axis| along(d.pixel_m * axis));
        // Points of the picture to pixels of the panel: the inverse of the matrix with the columns fast and slow.
        let determinant = fast[0] * slow[1] - fast[1] * slow[0];
        if determinant.abs() < f64::EPSILON {
            return;
        }
        let size = [d.fast_pixels, d.slow_pixels];
        let ends = [0, 1].map(|i| {
            let reach = [0.0, fast[i] * size[0] as f64].map(|by| corner[i] + by);
            let reach = reach.map(|at| [at, at + slow[i] * size[1] as f64]);
            let least = reach.iter().flatten().copied().fold(f64::INFINITY, f64::min);
            let most = reach.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
            (least.floor().max(0.0) as usize, most.ceil().max(0.0) as usize)
        });
        let [(left, right), (top, bottom)] = ends;
        for (row, points) in points.chunks_exact_mut(width).enumerate().take(bottom).skip(top) {
            for (column, point) in points.iter_mut().enumerate().take(right).skip(left) {
                let [x, y] = [column as f64 + 0.5 - corner[0], row as f64 + 0.5 - corner[1]];
                let at = [x * slow[1] - y * slow[0], y * fast[0] - x * fast[1]].map(|at| at / determinant);
                // A cast of a negative number is 0.
                let [fast, slow] = at.map(|at| at as usize);
                let inside = at.iter().all(|&at| at >= 0.0) && fast < size[0] && slow < size[1];
                if inside && panel.is_selected(slow, fast) {
                    *point = u32::try_from(before + slow * size[0] + fast).unwrap_or(Layout::GAP);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use widebragg::crystal::{CellSource, UnitCell};
    use widebragg::detector::DetectorParameters;
    use widebragg::scene::DetectorInput;

    use super::*;
    use crate::parameters::{PanelParameters, Parameters};

    /// A panel of 3 x 2 pixels of 1 mm whose first corner is so many pixels along fast and slow from where the beam is.
    fn panel([fast, slow]: [f64; 2], mask: Option<Vec<u16>>) -> PanelParameters {
        let detector = DetectorParameters {
            pixel_m: 1e-3,
            fast_pixels: 3,
            slow_pixels: 2,
            fast_size_m: 3e-3,
            slow_size_m: 2e-3,
            // MOSFLM's: X is along slow, and both are shifted by half a pixel.
            x_beam_m: Some(1e-3 * (-slow - 0.5)),
            y_beam_m: Some(1e-3 * (-fast - 0.5)),
            rotation_rad: [0.0, 0.02, 0.01],
            ..DetectorParameters::default()
        };
        let detector = DetectorInput::Parameters(detector);
        PanelParameters { detector, mask: mask.map(Arc::new), ..PanelParameters::default() }
    }

    fn layout_of(panels: Vec<PanelParameters>) -> Option<Layout> {
        let cell = CellSource::Cell(UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0; 3]));
        let parameters = Parameters { panels, ..Parameters::new(cell) };
        layout(&Experiment::new(parameters, |_| ()).unwrap()).unwrap()
    }

    #[test]
    fn panels_stand_side_by_side_with_a_gap() {
        assert_eq!(layout_of(vec![panel([0.0; 2], None)]), None);
        let masked = layout_of(vec![panel([0.0; 2], Some(vec![1, 1, 0, 1, 1, 1]))]).unwrap();
        let gap = Layout::GAP;
        assert_eq!((masked.width, masked.height), (3, 2));
        assert_eq!(masked.pixels, [0, 1, gap, 3, 4, 5]);
        // The second panel is one pixel to the right and one lower.
        let two = layout_of(vec![panel([-4.0, 0.0], None), panel([0.0, 1.0], None)]).unwrap();
        assert_eq!((two.width, two.height), (7, 3));
        #[rustfmt::skip]
        assert_eq!(two.pixels, [
            0, 1, 2, gap, gap, gap, gap,
            3, 4, 5, gap, 6, 7, 8,
            gap, gap, gap, gap, 9, 10, 11,
        ]);
    }
}
