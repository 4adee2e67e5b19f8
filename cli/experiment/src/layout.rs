//! Where the pixels of several panels are in a picture that shows the panels as they stand in space.
//!
//! The picture is a parallel projection along the mean of the normals of the panels. Its rows go along the fast axis of
//! the first panel, and its columns are on the side of that panel's slow axis, so that a single panel fills its picture as it
//! is. A point of the picture shows the pixel that covers it; gaps between panels, and pixels that are not rendered, show
//! none. Where panels cover each other the later one is seen. Cost: one small linear map a point and panel.

use widebragg::vector::Vec3;
use widebragg_formats::geometry::{Geometry, Panel};
use widebragg_formats::image::Layout;
use widebragg_formats::memory::filled;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};
use crate::geometry::panels;
use crate::resolution::{Resolution, rings_up_to_corners, spacing_angstrom};

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
    let is_shown = |panel: usize, [fast, slow]: [usize; 2]| experiment.panels[panel].is_selected(slow, fast);
    View::of(panels(experiment, Vec3::to_array)).layout(experiment.columns(), is_shown).map(Some)
}

/// Panels as a picture shows them. Points of the picture are counted along its rows and columns from its corner.
#[derive(Debug, Clone)]
pub struct View {
    panels: Vec<Seen>,
    width: usize,
    height: usize,
}

/// A panel in the plane of the picture.
#[derive(Debug, Clone)]
struct Seen {
    panel: Panel,
    /// The outer corner of the first pixel.
    corner: [f64; 2],
    /// The edges of a pixel along fast and slow.
    fast: [f64; 2],
    slow: [f64; 2],
}

impl View {
    /// The view of some panels.
    #[must_use]
    pub fn of(panels: Vec<Panel>) -> Self {
        let normals = panels.iter().filter_map(outward);
        let mean = normals.fold(Vec3::default(), |sum, normal| sum + normal).try_normalize();
        let (Some(first), Some(view)) = (panels.first(), mean.or_else(|| outward(panels.first()?))) else {
            return Self { panels: Vec::new(), width: 1, height: 1 };
        };
        let flat = |v: Vec3| v - v.dot(view) * view;
        // The first panel may stand along the view.
        let right = flat(first.fast.into()).try_normalize().unwrap_or_else(|| first.fast.into());
        let down = view.cross(right);
        let down = if down.dot(first.slow.into()) < 0.0 { -down } else { down };
        let along = |v: Vec3| [v.dot(right), v.dot(down)];

        let corners = panels.iter().flat_map(corners_m);
        let seen = corners.map(|corner| along(corner.into()));
        let start = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        let (least, most) = seen.fold(start, |(least, most), at| {
            ([0, 1].map(|i| least[i].min(at[i])), [0, 1].map(|i| most[i].max(at[i])))
        });
        let extent_m = (most[0] - least[0]).max(most[1] - least[1]);
        let [fast_m, slow_m] = first.pixel_m;
        let point_m = fast_m.min(slow_m).max(extent_m / MOST_POINTS);
        // Rounding must not add a row or a column.
        let points = |i: usize| ((most[i] - least[i]) / point_m - 1e-6).ceil().max(1.0) as usize;
        let (width, height) = (points(0), points(1));
        let panels = panels.into_iter().map(|panel| {
            let corner = along(panel.origin_m.into());
            let edge = |axis: usize, direction: [f64; 3]| {
                along(panel.pixel_m[axis] * Vec3::from(direction)).map(|length_m| length_m / point_m)
            };
            Seen {
                corner: [0, 1].map(|i| corner[i] / point_m - least[i] / point_m),
                fast: edge(0, panel.fast),
                slow: edge(1, panel.slow),
                panel,
            }
        });
        Self { panels: panels.collect(), width, height }
    }

    /// The pixels of an image in rows of `columns`, in which the panels are where they say. `is_shown` tells of a panel,
    /// counted from 0, and a pixel of it along fast and slow whether the picture shows it.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn layout(
        &self,
        columns: usize,
        is_shown: impl Fn(usize, [usize; 2]) -> bool,
    ) -> Result<Layout, Failure> {
        let &Self { width, height, .. } = self;
        let no_memory = || Failure::no_memory(Part::Scene, format!("a picture of {width} x {height} points"));
        let mut pixels = filled(width * height, Layout::GAP).ok_or_else(no_memory)?;
        for (index, seen) in self.panels.iter().enumerate() {
            let [[left, right], [top, bottom]] = seen.reach();
            let [first_fast, first_slow] = seen.panel.data_origin;
            for (row, points) in pixels.chunks_exact_mut(width).enumerate().take(bottom).skip(top) {
                for (column, point) in points.iter_mut().enumerate().take(right).skip(left) {
                    let place = seen.place([column as f64 + 0.5, row as f64 + 0.5]);
                    let Some([fast, slow]) = place.map(|at| at.map(|at| at as usize)) else { continue };
                    if is_shown(index, [fast, slow]) {
                        let pixel = (first_slow + slow) * columns + first_fast + fast;
                        *point = u32::try_from(pixel).unwrap_or(Layout::GAP);
                    }
                }
            }
        }
        Ok(Layout { width, height, pixels })
    }

    /// Where a point of the picture is in space; `None` in a gap.
    fn position_m(&self, point: [f64; 2]) -> Option<Vec3> {
        self.panels.iter().rev().find_map(|seen| Some(seen.panel.position_m(seen.place(point)?).into()))
    }
}

impl Seen {
    /// The place of a point of the picture on the panel, in pixels along fast and slow; `None` beside it.
    fn place(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        let Self { panel, corner, fast, slow } = self;
        let [x, y] = [x - corner[0], y - corner[1]];
        // The inverse of the matrix with the columns fast and slow.
        let determinant = fast[0] * slow[1] - fast[1] * slow[0];
        if determinant.abs() < f64::EPSILON {
            return None;
        }
        let at = [x * slow[1] - y * slow[0], y * fast[0] - x * fast[1]].map(|at| at / determinant);
        let is_inside = (0..2).all(|i| at[i] >= 0.0 && at[i] < panel.pixels[i] as f64);
        is_inside.then_some(at)
    }

    /// The columns and the rows of the picture that the panel reaches.
    fn reach(&self) -> [[usize; 2]; 2] {
        let Self { panel, corner, fast, slow } = self;
        [0, 1].map(|i| {
            let ends = [0.0, fast[i] * panel.pixels[0] as f64].map(|by| corner[i] + by);
            let ends = ends.map(|at| [at, at + slow[i] * panel.pixels[1] as f64]);
            let least = ends.iter().flatten().copied().fold(f64::INFINITY, f64::min);
            let most = ends.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
            [least.floor().max(0.0) as usize, most.ceil().max(0.0) as usize]
        })
    }
}

/// The corners of a panel.
fn corners_m(panel: &Panel) -> [[f64; 3]; 4] {
    let [fast, slow] = panel.pixels.map(|count| count as f64);
    [[0.0, 0.0], [fast, 0.0], [0.0, slow], [fast, slow]].map(|corner| panel.position_m(corner))
}

/// The unit normal of a panel on the side away from the sample.
fn outward(panel: &Panel) -> Option<Vec3> {
    let normal = Vec3::from(panel.fast).cross(panel.slow.into()).try_normalize()?;
    let is_outward = normal.dot(Vec3::from(panel.origin_m)) >= 0.0;
    Some(if is_outward { normal } else { -normal })
}

/// The resolution of the points of a picture of several panels; not a number in gaps.
#[derive(Debug, Clone)]
pub struct PanelResolution {
    view: View,
    beam: Vec3,
    lambda_m: f64,
}

impl PanelResolution {
    /// The resolution on the panels of a geometry, of which `view` is the picture; `None` without a wavelength.
    #[must_use]
    pub fn of(view: &View, geometry: &Geometry) -> Option<Self> {
        let beam = geometry.beam.direction.into();
        Some(Self { view: view.clone(), beam, lambda_m: geometry.beam.lambda_m? })
    }
}

impl Resolution for PanelResolution {
    fn d_angstrom(&self, point: [f64; 2]) -> f64 {
        let position_m = self.view.position_m(point);
        position_m.map_or(f64::NAN, |position_m| spacing_angstrom(position_m, self.beam, self.lambda_m))
    }

    fn rings_angstrom(&self, _: [f64; 2], _: [f64; 2]) -> Vec<f64> {
        let corners = self.view.panels.iter().flat_map(|seen| corners_m(&seen.panel));
        rings_up_to_corners(
            corners.map(|corner_m| spacing_angstrom(corner_m.into(), self.beam, self.lambda_m)),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use widebragg::crystal::{CellSource, UnitCell};
    use widebragg::detector::DetectorParameters;
    use widebragg::scene::DetectorInput;
    use widebragg_formats::geometry::{Beam, Frame};

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

    /// Of two halves of a flat detector, the second moved away along fast by `gap_px` pixels.
    fn halves(gap_px: f64) -> Geometry {
        let panel = |number: usize| Panel {
            name: number.to_string(),
            pixels: [30, 40],
            data_origin: [30 * number, 0],
            pixel_m: [1e-3; 2],
            origin_m: [1e-3 * (number as f64 * (30.0 + gap_px) - 25.0), 0.018, 0.1],
            fast: [1.0, 0.0, 0.0],
            slow: [0.0, -1.0, 0.0],
            sensor: None,
            valid: [None, None],
        };
        Geometry {
            frame: Frame::McStas,
            beam: Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(1e-10), polarization: None },
            panels: vec![panel(0), panel(1)],
            spindle: None,
            scan: None,
            crystal: None,
        }
    }

    #[test]
    fn resolutions_of_panels_are_those_of_a_flat_detector() {
        let together = halves(0.0);
        let flat = together.flat_detector().unwrap();
        let resolution =
            |geometry: &Geometry| PanelResolution::of(&View::of(geometry.panels.clone()), geometry).unwrap();
        let of_panels = resolution(&together);
        for point in [[0.0, 0.0], [12.25, 7.5], [30.0, 39.0], [59.9, 0.1]] {
            let (found, expected) = (of_panels.d_angstrom(point), flat.d_angstrom(point));
            assert!((found - expected).abs() < 1e-9 * expected, "{point:?}: {found}, expected {expected}");
        }
        let whole = flat.rings_angstrom([0.0, 0.0], [60.0, 40.0]);
        assert_eq!(of_panels.rings_angstrom([0.0; 2], [0.0; 2]), whole);
        let apart = resolution(&halves(5.0));
        assert!(apart.d_angstrom([32.5, 20.0]).is_nan() && apart.d_angstrom([-1.0, 20.0]).is_nan());
        assert!(apart.d_angstrom([35.5, 20.0]) > 0.0);
        assert!(PanelResolution::of(&View::of(Vec::new()), &together).unwrap().d_angstrom([0.0; 2]).is_nan());
    }
}
