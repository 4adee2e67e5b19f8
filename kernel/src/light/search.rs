//! The search for spots: the nodes within reach of the Ewald sphere whose scattered beams meet the detector.
//!
//! With k0 = i/lambda and K = 1/lambda, a node G scatters along p = G + k0 if K - r <= |p| <= K + r for the radius r of
//! its reach. The nodes of a pair are searched line by line: lines are neighbours in a vector, and each meets the two
//! spheres |p| = K + r and |p| = K - r in at most two intervals, which seldom hold an integer.

use core::f64::consts::PI;
use core::ops::Range;

use super::reach::axes_m;
use super::spots::{Gathered, Spot};
use super::{Light, lane_of, lanes_in};
use crate::Error;
use crate::beam::Source;
use crate::crystal::reciprocal_of;
use crate::lanes::{BaseLevel, LaneMask, Lanes, WithSimd};
use crate::panel::DirectionCone;
use crate::rotation::Orientation;
use crate::scene::Roi;
use crate::vector::Vec3;

/// What [`Light::find`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The pairs that have been searched.
    pub pairs: Range<usize>,
    /// Their spots: the first of the buffer.
    pub spots: usize,
}

/// Distance from an integer within which a position along a line is taken for it.
const NEAR_INTEGER: f64 = 1e-9;

/// Error of scattering vectors, relative to 1/lambda.
const ROUNDING: f64 = 1e-12;

impl Light<'_, '_> {
    /// Finds the spots of `pairs` on some rows of the detector, in the order of the pairs.
    ///
    /// Writes the spots of as many whole pairs as there is room for, of the first at least.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] where the spots of the first pair do not fit, [`Error::OutsideDetector`] for rows past
    /// the last.
    pub fn find(&self, rows: Range<usize>, pairs: Range<usize>, spots: &mut [Spot]) -> Result<Found, Error> {
        let limit = self.scene.p.panel.slow_pixels;
        if rows.end > limit {
            return Err(Error::OutsideDetector { index: rows.end.saturating_sub(1), limit });
        }
        let mut found = Found { pairs: pairs.start..pairs.start, spots: 0 };
        let Some(field) = Field::new(self, &rows) else {
            return Ok(Found { pairs, spots: 0 });
        };
        for pair in pairs {
            let mut target = Target { room: spots.get_mut(found.spots..).unwrap_or_default(), count: 0 };
            self.search_pair(&field, pair, &mut |spot| target.push(spot));
            let (count, given) = (target.count, target.room.len());
            if count > given {
                if found.pairs.is_empty() {
                    return Err(Error::BufferTooShort { buffer: "spots", needed: count, given });
                }
                break;
            }
            found.spots += count;
            found.pairs.end = pair + 1;
        }
        Ok(found)
    }

    /// The lines of nodes of a pair.
    pub(super) fn lines_of(&self, field: &Field, pair: usize) -> f64 {
        let p = &self.scene.p;
        let entries = p.orientations.entries();
        let count = entries.len().max(1);
        let (source, entry) = (p.sources.get(pair / count), entries.get(pair % count));
        let lines = source.zip(entry).and_then(|(source, entry)| Lines::new(self, field, source, entry));
        lines.map_or(0.0, |lines| (lines.sheet.extent() + 1.0) * (lines.next.extent() + 1.0))
    }

    /// Calls `spot` for each spot of a pair.
    pub(super) fn search_pair(&self, field: &Field, pair: usize, spot: &mut dyn FnMut(Spot)) -> u64 {
        let p = &self.scene.p;
        let entries = p.orientations.entries();
        let count = entries.len().max(1);
        let index = pair / count;
        let (Some(source), Some(entry)) = (p.sources.get(index), entries.get(pair % count)) else {
            return 0;
        };
        let Some(lines) = Lines::new(self, field, source, entry) else { return 0 };
        let grid = self.scene.grid_of(index);
        let mut nodes = Gathered::new(&lines, self, field, pair, grid);
        let count = p.simd.run(Search { nodes: &mut nodes, spot });
        nodes.find_spots(spot);
        count
    }
}

/// Spots that are written as far as there is room, and counted.
struct Target<'b> {
    room: &'b mut [Spot],
    count: usize,
}

impl Target<'_> {
    fn push(&mut self, spot: Spot) {
        if let Some(place) = self.room.get_mut(self.count) {
            *place = spot;
        }
        self.count += 1;
    }
}

/// The pixels that spots are searched on, and the cone of directions that they lie in.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// 1 over the edge of a pixel, in 1/m.
    pub(super) per_pixel: f64,
    /// Distance of the first sample from the edge of its pixel, in pixels.
    pub(super) inset_px: f64,
    /// First and last.
    pub(super) columns: [usize; 2],
    /// First and last.
    pub(super) rows: [usize; 2],
    /// Unit vector to the middle.
    middle: Vec3,
    /// Angle of the farthest corner from the middle.
    angle_rad: f64,
}

impl Field {
    /// The pixels of `rows` in the region of interest; `None` where there are none.
    pub(super) fn new(light: &Light<'_, '_>, rows: &Range<usize>) -> Option<Self> {
        let scene = light.scene;
        let Roi { fast_min, fast_max, slow_min, slow_max } = scene.p.roi;
        let rows = [rows.start.max(slow_min), rows.end.min(slow_max + 1)];
        let [start, end] = rows;
        if start >= end {
            return None;
        }
        let rows = [start, end - 1];
        let columns = [fast_min, fast_max];
        let panel = &scene.p.panel;
        let [first, last] = columns;
        // Without a cone all directions are searched.
        let cone = panel.cone_of([first, last + 1], [start, end]);
        let (middle, angle_rad) =
            cone.map_or((panel.normal, PI), |DirectionCone { middle, cos, .. }| (middle, libm::acos(cos)));
        let inset_px = 0.5 / scene.p.oversample.per_axis as f64;
        Some(Self { per_pixel: 1.0 / panel.pixel_m, inset_px, columns, rows, middle, angle_rad })
    }
}

/// One of h, k, l in the search of a pair.
#[derive(Debug, Clone, Copy)]
struct Axis {
    /// 0, 1, 2 for h, k, l.
    which: usize,
    /// Its reciprocal axis, in 1/m.
    reciprocal: Vec3,
    /// First and last index.
    range: [f64; 2],
}

impl Axis {
    fn extent(&self) -> f64 {
        let [first, last] = self.range;
        last - first
    }

    /// Whether the range is one that spots can name, and not empty.
    fn is_searchable(&self) -> bool {
        self.extent() >= 0.0 && self.range.into_iter().all(|index| index.abs() < f64::from(i16::MAX))
    }
}

/// The lines of nodes of a pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    /// The axis from sheet to sheet of lines.
    sheet: Axis,
    /// The axis from line to line.
    next: Axis,
    /// The axis along a line.
    along: Axis,
    /// a*, b*, c*, in 1/m.
    pub(super) reciprocal: [Vec3; 3],
    pub(super) k0: Vec3,
    /// 1/lambda, and lambda.
    pub(super) k: f64,
    pub(super) per_k: f64,
    /// Radius of a spot, in 1/m.
    pub(super) radius: f64,
}

impl Lines {
    /// `None` where no node is in reach.
    fn new(light: &Light<'_, '_>, field: &Field, source: &Source, entry: &Orientation) -> Option<Self> {
        let direct = axes_m(entry);
        let reciprocal = reciprocal_of(direct)?;
        let k = 1.0 / source.lambda_m;
        let k0 = k * source.incident;
        let radius = light.reach.radius_per_m(reciprocal) + ROUNDING * k;
        let [a, b, c] = core::array::from_fn(|which| {
            let pick = |[a, b, c]: [Vec3; 3]| [a, b, c].into_iter().nth(which).unwrap_or_default();
            let range = field.index_range(pick(direct), k0, k, radius);
            Axis { which, reciprocal: pick(reciprocal), range }
        });
        if !(k > radius && [a, b, c].iter().all(Axis::is_searchable)) {
            return None;
        }
        // Lines run along the axis with the most nodes, and neighbours follow along the one with the second most.
        let ordered = |a: Axis, b: Axis| if a.extent() <= b.extent() { (a, b) } else { (b, a) };
        let (a, b) = ordered(a, b);
        let (b, along) = ordered(b, c);
        let (sheet, next) = ordered(a, b);
        Some(Self { sheet, next, along, reciprocal, k0, k, per_k: source.lambda_m, radius })
    }
}

impl Lines {
    /// h, k, l of a node, from its indices: that of the sheet, that of the line, and that along the line.
    fn node(&self, [i, j, l]: [f64; 3]) -> [f64; 3] {
        core::array::from_fn(|which| {
            if which == self.sheet.which {
                i
            } else if which == self.next.which {
                j
            } else {
                l
            }
        })
    }
}

impl Field {
    /// First and last index along a cell vector that a node with a spot in this field may have.
    fn index_range(&self, axis_m: Vec3, k0: Vec3, k: f64, radius: f64) -> [f64; 2] {
        // The direction of p may be aside of those of its spot by as much as the spot reaches.
        let aside_rad = libm::asin((radius / (k - radius)).clamp(0.0, 1.0));
        let (sin, cos) = libm::sincos((self.angle_rad + aside_rad + NEAR_INTEGER).min(PI));
        let length = axis_m.length();
        let towards = (axis_m.dot(self.middle) / length).clamp(-1.0, 1.0);
        let across = libm::sqrt(1.0 - towards * towards);
        let least = if towards > -cos { towards * cos - across * sin } else { -1.0 };
        let most = if towards < cos { towards * cos + across * sin } else { 1.0 };
        let (inner, outer) = (length * (k - radius), length * (k + radius));
        let margin = NEAR_INTEGER + 4.0 * length * ROUNDING * k;
        let origin = k0.dot(axis_m);
        let first = (least * inner).min(least * outer) - origin - margin;
        let last = (most * inner).max(most * outer) - origin + margin;
        [libm::ceil(first), libm::floor(last)]
    }
}

/// The search along the lines of a pair.
struct Search<'s, 'c, 'l> {
    nodes: &'s mut Gathered<'c, 'l>,
    spot: &'s mut dyn FnMut(Spot),
}

impl WithSimd for Search<'_, '_, '_> {
    /// Lines searched.
    type Output = u64;

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> u64 {
        let Self { nodes, spot } = self;
        let lines = nodes.lines;
        let &Lines { sheet, next, along, k0, k, radius, .. } = lines;
        let spacing = along.reciprocal.length();
        let [e1, e2, e3] = frame_about((1.0 / spacing) * along.reciprocal);
        let ([first, last], [l_first, l_last]) = (next.range, along.range);
        let step1 = level.splat(next.reciprocal.dot(e1));
        let step2 = level.splat(next.reciprocal.dot(e2));
        let step3 = level.splat(-next.reciprocal.dot(e3) / spacing);
        let per_spacing = level.splat(1.0 / spacing);
        let (outside, inside) =
            (level.splat((k + radius) * (k + radius)), level.splat((k - radius) * (k - radius)));
        let zero = level.splat(0.0);
        let range = LineRange {
            near: level.splat(NEAR_INTEGER),
            first: level.splat(l_first),
            last: level.splat(l_last),
        };
        let end = level.splat(last);
        let [mut i, last_sheet] = sheet.range;
        let mut count = 0;
        while i <= last_sheet {
            let start = k0 + i * sheet.reciprocal;
            let (x0, y0) = (level.splat(start.dot(e1)), level.splat(start.dot(e2)));
            let m0 = level.splat(-start.dot(e3) / spacing);
            let mut j0 = first;
            while j0 <= last {
                let j = level.ramp(j0, f64::INFINITY);
                // The line is at (x, y) across, and nearest to the centre of the spheres at index m.
                let (x, y, m) = (j.mul_add(step1, x0), j.mul_add(step2, y0), j.mul_add(step3, m0));
                let across2 = x.mul_add(x, y * y);
                let outer2 = outside - across2;
                let in_reach = zero.le(outer2) & j.le(end);
                if in_reach.any() {
                    let outer = outer2.max(zero).sqrt() * per_spacing;
                    let inner = (inside - across2).max(zero).sqrt() * per_spacing;
                    let (from1, to1) = range.integers(m - outer, m - inner);
                    let (from2, to2) = range.integers(m + inner, m + outer);
                    let hit = in_reach & (from1.le(to1) | from2.le(to2));
                    if hit.any() {
                        let intervals = [j, from1, to1, from2, to2];
                        push_lines(nodes, i, hit.bits(), intervals.map(|lanes| lanes.to_array()), spot);
                    }
                }
                j0 += L::F::LEN as f64;
            }
            count += (last - first) as u64 + 1;
            i += 1.0;
        }
        count
    }
}

/// The indices along a line that are searched.
#[derive(Debug, Clone, Copy)]
struct LineRange<F> {
    near: F,
    first: F,
    last: F,
}

impl<F: Lanes> LineRange<F> {
    /// The first and the last integer of an interval, rounding errors included.
    #[inline(always)]
    fn integers(&self, from: F, to: F) -> (F, F) {
        ((from - self.near).max(self.first).ceil(), (to + self.near).min(self.last).floor())
    }
}

/// A right-handed frame with the unit vector `e3` as its third axis.
fn frame_about(e3: Vec3) -> [Vec3; 3] {
    let axis = if e3.x.abs() < 0.6 { Vec3::new(1.0, 0.0, 0.0) } else { Vec3::new(0.0, 1.0, 0.0) };
    let e1 = axis.cross(e3).normalize();
    [e1, e3.cross(e1), e3]
}

/// Adds the nodes of the `lines` of a vector that have some, given the index j of each line and two intervals along it.
#[inline(never)]
fn push_lines<A: AsRef<[f64]>>(
    nodes: &mut Gathered<'_, '_>,
    i: f64,
    lines: u32,
    intervals: [A; 5],
    spot: &mut dyn FnMut(Spot),
) {
    for lane in lanes_in(lines) {
        let [j, from1, to1, from2, to2] = intervals.each_ref().map(|numbers| lane_of(numbers, lane));
        // Where the line does not meet the inner sphere, both intervals may hold the same index.
        for (from, to) in [(from1, to1), (from2.max(to1 + 1.0), to2)] {
            let mut l = from;
            while l <= to {
                nodes.push(nodes.lines.node([i, j, l]), spot);
                l += 1.0;
            }
        }
    }
}
