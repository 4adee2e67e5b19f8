//! The search for spots: the nodes within reach of the Ewald sphere whose scattered beams meet the detector.
//!
//! With k0 = i/lambda and K = 1/lambda, a node G scatters along p = G + k0 if K - r <= |p| <= K + r for the radius r of
//! its reach. The nodes of a pair are searched line by line: lines are neighbours in a vector, and each meets the two
//! spheres |p| = K + r and |p| = K - r in at most two intervals, which seldom hold an integer.

use core::f64::consts::PI;
use core::ops::Range;

use super::Light;
use super::cone::{Ellipse, Meets, Outline};
use super::reach::axes_m;
use crate::Error;
use crate::beam::Source;
use crate::crystal::reciprocal_of;
use crate::lanes::{BaseLevel, LaneMask, Lanes, WithSimd};
use crate::panel::Panel;
use crate::rotation::Orientation;
use crate::scene::Roi;
use crate::vector::Vec3;

/// A reciprocal-lattice node whose scattered beam meets the detector, and the pixels about it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spot {
    /// Its source and orientation.
    pub(crate) pair: u32,
    /// h, k, l.
    pub(crate) node: [i16; 3],
    /// First and last column.
    pub(crate) columns: [u16; 2],
    /// First and last row.
    pub(crate) rows: [u16; 2],
    /// Its outline.
    pub(super) outline: ChordOutline,
}

/// An ellipse whose chords along the rows are the spot's columns, in pixels from the outer corner of the first pixel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct ChordOutline {
    /// Middle, along fast and slow.
    middle: [f32; 2],
    /// Half of the middle chord, and half of the extent along slow; both are infinite where the outline is no ellipse.
    half: [f32; 2],
    /// 1 over the latter.
    per_half_slow: f32,
    /// Columns that the middle of a chord moves from row to row.
    shear: f32,
}

/// How far chords are taken to reach beyond their outline, in pixels, for the rounding of its numbers.
const CHORD_WIDER_PX: f64 = 0.05;

/// The same for heights, and the part of a height by which f32 may be off.
const HEIGHT_WIDER: [f64; 2] = [0.02, 3e-7];

/// Ellipses that reach farther than this, in pixels, are not told by f32.
const FARTHEST_PX: f64 = 1e5;

impl ChordOutline {
    const UNKNOWN: Self = Self { middle: [0.0; 2], half: [f32::INFINITY; 2], per_half_slow: 0.0, shear: 0.0 };

    fn new(ellipse: &Ellipse, per_pixel: f64) -> Self {
        let [u, v] = ellipse.ranges.clone().map(|range| [range.start * per_pixel, range.end * per_pixel]);
        let middle = [u, v].map(|[start, end]| 0.5 * (start + end));
        let [half_u, half_v] = [u, v].map(|[start, end]| 0.5 * (end - start));
        let aside = ellipse.shear * half_v;
        let chord = libm::sqrt((half_u * half_u - aside * aside).max(0.0));
        let [near_u, near_v] = middle.map(f64::abs);
        let is_told = |reach: f64| reach < FARTHEST_PX;
        if ![near_u + half_u, near_v + half_v, aside.abs()].into_iter().all(is_told) {
            return Self::UNKNOWN;
        }
        Self {
            middle: middle.map(|x| x as f32),
            half: [chord as f32, half_v as f32],
            per_half_slow: (1.0 / half_v) as f32,
            shear: ellipse.shear as f32,
        }
    }

    /// The columns of the chords between two heights, in pixels.
    pub(super) fn chord(&self, heights: [f64; 2]) -> [f64; 2] {
        let ([u, v], [half_u, half_v]) = (self.middle.map(f64::from), self.half.map(f64::from));
        let [more, part] = HEIGHT_WIDER;
        let wider = more + part * (v.abs() + half_v);
        let [lower, upper] = heights;
        let within = |offset: f64| offset.min(half_v).max(-half_v);
        let (lower, upper) = (within(lower - v - wider), within(upper - v + wider));
        let nearest = if lower > 0.0 { lower } else { upper.min(0.0) } * f64::from(self.per_half_slow);
        let shear = f64::from(self.shear);
        let half =
            half_u * libm::sqrt((1.0 - nearest * nearest).max(0.0)) + CHORD_WIDER_PX * (1.0 + shear.abs());
        let aside = [lower, upper].map(|offset| shear * offset);
        let [a, b] = aside;
        [u + a.min(b) - half, u + a.max(b) + half]
    }
}

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

/// How far spots are taken to reach beyond the outline of their cone, in pixels.
const WIDER_PX: f64 = 1e-6;

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
        let search = Search { lines: &lines, light: self, field, pair: pair as u32, grid, spot };
        p.simd.run(search)
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
    per_pixel: f64,
    /// Distance of the first sample from the edge of its pixel, in pixels.
    inset_px: f64,
    columns: [usize; 2],
    rows: [usize; 2],
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
        let Panel { pix0_m, fast, slow, normal, pixel_m, .. } = scene.p.panel;
        let depth_m = scene.p.panel.sensor.thickness_m();
        let corners = corners(columns, rows, depth_m / pixel_m).map(|[u, v, depth]| {
            (pix0_m + (u * pixel_m) * fast + (v * pixel_m) * slow + (depth * pixel_m) * normal).normalize()
        });
        let sum = corners.iter().fold(Vec3::default(), |sum, &corner| sum + corner);
        let middle = sum.try_normalize();
        let cos = |middle: Vec3| corners.iter().map(|corner| corner.dot(middle)).fold(1.0, f64::min);
        // A cone that holds the corners holds all that lies between them only if it is less than half of all
        // directions; NaN, too, ends in the search of all directions.
        let cone = middle.map(|middle| (middle, cos(middle))).filter(|&(_, cos)| cos > 0.01);
        let (middle, angle_rad) =
            cone.map_or((scene.p.panel.normal, PI), |(middle, cos)| (middle, libm::acos(cos)));
        let inset_px = 0.5 / scene.p.oversample.per_axis as f64;
        Some(Self { per_pixel: 1.0 / pixel_m, inset_px, columns, rows, middle, angle_rad })
    }
}

/// The corners of a block of pixels and of its lower face, in pixels.
fn corners(columns: [usize; 2], rows: [usize; 2], depth: f64) -> [[f64; 3]; 8] {
    let ([u0, u1], [v0, v1]) = (columns, rows);
    let (u, v) = ([u0 as f64, u1 as f64 + 1.0], [v0 as f64, v1 as f64 + 1.0]);
    core::array::from_fn(|i| [u[i & 1], v[i >> 1 & 1], if i & 4 == 0 { 0.0 } else { depth }])
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

/// The pixels between two others that have a sample in a range, in pixels, where the first sample of a pixel is
/// `inset_px` from its edge.
pub(super) fn pixels_with_samples(
    [from, to]: [f64; 2],
    inset_px: f64,
    [first, last]: [u16; 2],
) -> Option<[u16; 2]> {
    let from = (from - (1.0 - inset_px)).max(f64::from(first));
    let to = (to - inset_px).min(f64::from(last));
    // Converting to an integer rounds towards 0, and is much faster than rounding in f64.
    let whole = from as u16;
    let from = if f64::from(whole) < from { whole.saturating_add(1) } else { whole };
    (to >= 0.0 && from <= to as u16).then_some([from, to as u16])
}

/// The lines of nodes of a pair.
#[derive(Debug, Clone, Copy)]
struct Lines {
    /// The axis from sheet to sheet of lines.
    sheet: Axis,
    /// The axis from line to line.
    next: Axis,
    /// The axis along a line.
    along: Axis,
    k0: Vec3,
    /// 1/lambda, and lambda.
    k: f64,
    per_k: f64,
    /// Radius of a spot, in 1/m.
    radius: f64,
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
        Some(Self { sheet, next, along, k0, k, per_k: source.lambda_m, radius })
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
struct Search<'c, 'l> {
    lines: &'c Lines,
    light: &'c Light<'l, 'l>,
    field: &'c Field,
    pair: u32,
    /// The grid of the pair's source.
    grid: usize,
    spot: &'c mut dyn FnMut(Spot),
}

impl WithSimd for Search<'_, '_> {
    /// Lines searched.
    type Output = u64;

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> u64 {
        let Self { lines, light, field, pair, grid, spot } = self;
        let &Lines { sheet, next, along, k0, k, radius, .. } = lines;
        let candidate = Candidate { lines, light, field, pair, grid };
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
                        let hit = L::F::select(hit, level.splat(1.0), zero).to_array();
                        let (j, from1, to1) = (j.to_array(), from1.to_array(), to1.to_array());
                        let (from2, to2) = (from2.to_array(), to2.to_array());
                        let lanes = [
                            j.as_ref(),
                            hit.as_ref(),
                            from1.as_ref(),
                            to1.as_ref(),
                            from2.as_ref(),
                            to2.as_ref(),
                        ];
                        candidate.lanes(i, lanes, spot);
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

/// What a node near the spheres needs to become a spot.
struct Candidate<'c, 'l> {
    lines: &'c Lines,
    light: &'c Light<'l, 'l>,
    field: &'c Field,
    pair: u32,
    grid: usize,
}

impl Candidate<'_, '_> {
    /// The spots of a vector of lines: their index j, whether a line has any, and the two intervals of each.
    #[inline(never)]
    fn lanes(&self, i: f64, [j, hit, from1, to1, from2, to2]: [&[f64]; 6], spot: &mut dyn FnMut(Spot)) {
        let intervals = from1.iter().zip(to1).zip(from2.iter().zip(to2));
        for ((&j, &hit), ((&from1, &to1), (&from2, &to2))) in j.iter().zip(hit).zip(intervals) {
            if hit == 0.0 {
                continue;
            }
            // Where the line does not meet the inner sphere, both intervals may hold the same index.
            for (from, to) in [(from1, to1), (from2.max(to1 + 1.0), to2)] {
                let mut l = from;
                while l <= to {
                    if let Some(found) = self.spot(i, j, l) {
                        spot(found);
                    }
                    l += 1.0;
                }
            }
        }
    }

    /// The spot of a node; `None` where it is out of reach, off the field, or has no structure factor.
    fn spot(&self, i: f64, j: f64, l: f64) -> Option<Spot> {
        let Lines { sheet, next, along, k0, k, per_k, radius } = *self.lines;
        let p = k0 + i * sheet.reciprocal + j * next.reciprocal + l * along.reciprocal;
        let length = p.length();
        let off = k - length;
        let is_near = off.abs() <= radius;
        if !is_near {
            return None;
        }
        let node = core::array::from_fn(|which| {
            let index = if which == sheet.which {
                i
            } else if which == next.which {
                j
            } else {
                l
            };
            index as i16
        });
        if self.light.scene.p.structure_factors.at_node(self.grid, node.map(i32::from)) == 0.0 {
            return None;
        }
        // K d, p and their difference, at most the radius long, are a triangle.
        let per_length = 1.0 / length;
        let half = 0.25 * (radius - off) * (radius + off) * per_length * per_k;
        let sin2 = if half < 0.5 { 4.0 * half * (1.0 - half) } else { f64::INFINITY };
        let (columns, rows, outline) = self.field.pixels(&self.light.outlines, per_length * p, sin2)?;
        Some(Spot { pair: self.pair, node, columns, rows, outline })
    }
}

impl Field {
    /// First and last of the columns and rows inside the outline of a cone, and the outline; `None` where there are none.
    fn pixels(
        &self,
        outlines: &[Option<Outline>; 2],
        p: Vec3,
        sin2: f64,
    ) -> Option<([u16; 2], [u16; 2], ChordOutline)> {
        let mut union: Option<[Range<f64>; 2]> = None;
        let mut chords = ChordOutline::UNKNOWN;
        for outline in outlines.iter().flatten() {
            match (outline.meets(p, sin2), &mut union) {
                (Meets::Nowhere, _) => {}
                (Meets::Anywhere, _) => {
                    let [columns, rows] =
                        [self.columns, self.rows].map(|[first, last]| [first as u16, last as u16]);
                    return Some((columns, rows, ChordOutline::UNKNOWN));
                }
                (Meets::Ellipse(ellipse), None) => {
                    chords = ChordOutline::new(&ellipse, self.per_pixel);
                    union = Some(ellipse.ranges);
                }
                (Meets::Ellipse(ellipse), Some(union)) => {
                    chords = ChordOutline::UNKNOWN;
                    for (union, range) in union.iter_mut().zip(ellipse.ranges) {
                        *union = union.start.min(range.start)..union.end.max(range.end);
                    }
                }
            }
        }
        let [u, v] = union?;
        Some((self.pixels_along(&u, self.columns)?, self.pixels_along(&v, self.rows)?, chords))
    }

    /// The pixels with a sample in a range along an axis, in m.
    fn pixels_along(&self, range_m: &Range<f64>, limits: [usize; 2]) -> Option<[u16; 2]> {
        let range = [range_m.start * self.per_pixel - WIDER_PX, range_m.end * self.per_pixel + WIDER_PX];
        pixels_with_samples(range, self.inset_px, limits.map(|limit| limit as u16))
    }
}
