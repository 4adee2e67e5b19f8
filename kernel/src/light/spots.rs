//! Spots: the pixels about nodes near the Ewald sphere, found for a vector of nodes at a time.

use super::cone::{Ellipse, Meets};
use super::search::{Field, Lines};
use super::{Light, lane_of, lanes_in};
use crate::lanes::{BaseLevel, LaneMask, Lanes, WithSimd};
use crate::render::geometry::LaneVec;

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
    /// Half of the middle chord, and half of the extent along slow; both are infinite where the outline is not an ellipse.
    half: [f32; 2],
    /// 1 over the latter.
    per_half_slow: f32,
    /// Columns that the middle of a chord moves from row to row.
    shear: f32,
}

/// How far chords are extended beyond their outline, in pixels, since its numbers are rounded.
const CHORD_WIDER_PX: f64 = 0.05;

/// The same for heights, and the relative error of a height in f32.
const HEIGHT_WIDER: [f64; 2] = [0.02, 3e-7];

/// Ellipses that reach farther than this, in pixels, are not kept in f32.
const FARTHEST_PX: f64 = 1e5;

/// How far spots are extended beyond the outline of their cone, in pixels.
const WIDER_PX: f64 = 1e-6;

impl ChordOutline {
    /// The first and the last column with a sample inside the outline, for each of some rows; where there is none, the last
    /// is before the first. They are within the spot's own first and last column, and the first sample of a pixel is
    /// `inset_px` from its edge.
    #[inline(always)]
    pub(super) fn columns<F: Lanes>(&self, rows: F, inset_px: f64, [first, last]: [u16; 2]) -> [F; 2] {
        let splat = |x: f64| rows.splat_like(x);
        let (first, last) = (splat(f64::from(first)), splat(f64::from(last)));
        let [from, to] = self.chord([rows + splat(inset_px), rows + splat(1.0 - inset_px)]);
        let one = splat(1.0);
        // An unknown outline has NaN here, for which max and min return the limits.
        let from = (from - splat(1.0 - inset_px)).max(first).min(last + one).ceil();
        let to = (to - splat(inset_px)).min(last).max(first - one).floor();
        [from, to]
    }

    /// The first and the last position inside the outline between two heights, in pixels.
    #[inline(always)]
    fn chord<F: Lanes>(&self, [lower, upper]: [F; 2]) -> [F; 2] {
        let splat = |x: f64| lower.splat_like(x);
        let ([u, v], [half_u, half_v]) = (self.middle.map(f64::from), self.half.map(f64::from));
        let [more, part] = HEIGHT_WIDER;
        let wider = more + part * (v.abs() + half_v);
        let (zero, one) = (splat(0.0), splat(1.0));
        let (top, bottom) = (splat(half_v), splat(-half_v));
        let lower = (lower - splat(v + wider)).min(top).max(bottom);
        let upper = (upper - splat(v - wider)).min(top).max(bottom);
        // The height of the longest chord between the two.
        let nearest = lower.max(upper.min(zero)) * splat(f64::from(self.per_half_slow));
        let shear = f64::from(self.shear);
        let share = (one - nearest * nearest).max(zero).sqrt();
        let half = share.mul_add(splat(half_u), splat(CHORD_WIDER_PX * (1.0 + shear.abs())));
        let (a, b) = (splat(shear) * lower, splat(shear) * upper);
        [splat(u) + a.min(b) - half, splat(u) + a.max(b) + half]
    }
}

/// The numbers of [`ChordOutline`]s, in its order.
struct Chords<F>([F; 6]);

impl<F: Lanes> Chords<F> {
    #[inline(always)]
    fn unknown(like: F) -> Self {
        let (zero, infinite) = (like.splat_like(0.0), like.splat_like(f64::INFINITY));
        Self([zero, zero, infinite, infinite, zero, zero])
    }

    #[inline(always)]
    fn new(meets: &Meets<F>, per_pixel: F) -> Self {
        let Ellipse { middle: [u, v], half: [half_u, half_v], shear } = meets.ellipse;
        let (u, v, half_u, half_v) = (u * per_pixel, v * per_pixel, half_u * per_pixel, half_v * per_pixel);
        let farthest = u.splat_like(FARTHEST_PX);
        let aside = shear * half_v;
        let chord = (half_u * half_u - aside * aside).max(u.splat_like(0.0)).sqrt();
        let told = meets.in_ellipse
            & (u.abs() + half_u).lt(farthest)
            & (v.abs() + half_v).lt(farthest)
            & aside.abs().lt(farthest);
        let Self([no_u, no_v, no_chord, no_half, no_inverse, no_shear]) = Self::unknown(u);
        Self([
            F::select(told, u, no_u),
            F::select(told, v, no_v),
            F::select(told, chord, no_chord),
            F::select(told, half_v, no_half),
            F::select(told, u.splat_like(1.0) / half_v, no_inverse),
            F::select(told, shear, no_shear),
        ])
    }
}

/// The first and the last pixel of spots along an axis; where there is none, the last is before the first.
struct Along<F>([F; 2]);

impl<F: Lanes> Along<F> {
    /// The pixels with a sample in a range, in pixels, or all pixels where a spot may be `anywhere`.
    #[inline(always)]
    fn new([from, to]: [F; 2], anywhere: F::Mask, inset_px: f64, limits: [usize; 2]) -> Self {
        let [first, last] = limits.map(|limit| limit as f64);
        let splat = |x: f64| from.splat_like(x);
        let (first, last, one) = (splat(first), splat(last), splat(1.0));
        let from = (from - splat(WIDER_PX + (1.0 - inset_px))).max(first).min(last + one).ceil();
        let to = (to + splat(WIDER_PX - inset_px)).min(last).max(first - one).floor();
        Self([F::select(anywhere, first, from), F::select(anywhere, last, to)])
    }

    #[inline(always)]
    fn are_some(&self) -> F::Mask {
        let Self([first, last]) = self;
        first.le(*last)
    }
}

/// The pixels of spots.
struct OnPixels<F> {
    columns: Along<F>,
    rows: Along<F>,
    chords: Chords<F>,
}

impl<F: Lanes> OnPixels<F> {
    /// The pixels of a field inside the outlines of cones about the unit vectors `p`; sin2 is the square of the sine of half
    /// their opening.
    #[inline(always)]
    fn new(light: &Light<'_, '_>, field: &Field, p: LaneVec<F>, sin2: F) -> Self {
        let per_pixel = sin2.splat_like(field.per_pixel);
        let meets = light.outline.meets(p, sin2);
        let mut ranges = ranges(&meets, per_pixel);
        let mut chords = Chords::new(&meets, per_pixel);
        let mut anywhere = meets.anywhere;
        if let Some(deepest) = &light.deepest {
            let meets = deepest.meets(p, sin2);
            let [[left, right], [top, bottom]] = self::ranges(&meets, per_pixel);
            let [[u0, u1], [v0, v1]] = ranges;
            ranges = [[u0.min(left), u1.max(right)], [v0.min(top), v1.max(bottom)]];
            chords = Chords::unknown(sin2);
            anywhere = anywhere | meets.anywhere;
        }
        let [u, v] = ranges;
        let columns = Along::new(u, anywhere, field.inset_px, field.columns);
        let rows = Along::new(v, anywhere, field.inset_px, field.rows);
        Self { columns, rows, chords }
    }
}

/// The extents of outlines in pixels; empty ranges where there is no ellipse.
#[inline(always)]
fn ranges<F: Lanes>(meets: &Meets<F>, per_pixel: F) -> [[F; 2]; 2] {
    let Ellipse { middle: [u, v], half: [half_u, half_v], .. } = meets.ellipse;
    let range = |middle: F, half: F| {
        let (most, least) = (middle.splat_like(f64::MAX), middle.splat_like(f64::MIN));
        let (from, to) = ((middle - half) * per_pixel, (middle + half) * per_pixel);
        [F::select(meets.in_ellipse, from, most), F::select(meets.in_ellipse, to, least)]
    };
    [range(u, half_u), range(v, half_v)]
}

/// Nodes that are gathered before their spots are looked for.
const GATHERED: usize = 64;

/// The nodes of a pair that may have spots.
pub(super) struct Gathered<'c, 'l> {
    pub(super) lines: &'c Lines,
    pub(super) light: &'c Light<'l, 'l>,
    pub(super) field: &'c Field,
    pub(super) pair: u32,
    /// The grid of the pair's source.
    pub(super) grid: usize,
    hkl: [[f64; GATHERED]; 3],
    count: usize,
}

impl<'c, 'l> Gathered<'c, 'l> {
    pub(super) fn new(
        lines: &'c Lines,
        light: &'c Light<'l, 'l>,
        field: &'c Field,
        pair: usize,
        grid: usize,
    ) -> Self {
        Self { lines, light, field, pair: pair as u32, grid, hkl: [[0.0; GATHERED]; 3], count: 0 }
    }

    /// Adds a node. Where there is no room for it, `spot` is called for the spots of the nodes before.
    #[inline(always)]
    pub(super) fn push(&mut self, node: [f64; 3], spot: &mut dyn FnMut(Spot)) {
        if self.count == GATHERED {
            self.find_spots(spot);
        }
        for (indices, index) in self.hkl.iter_mut().zip(node) {
            if let Some(place) = indices.get_mut(self.count) {
                *place = index;
            }
        }
        self.count += 1;
    }

    /// Calls `spot` for each spot of the nodes, and removes them.
    #[inline(never)]
    pub(super) fn find_spots(&mut self, spot: &mut dyn FnMut(Spot)) {
        self.light.scene.p.simd.run(SpotsPass { nodes: self, spot });
        self.count = 0;
    }
}

/// The spots of gathered nodes.
struct SpotsPass<'p, 'c, 'l> {
    nodes: &'p Gathered<'c, 'l>,
    spot: &'p mut dyn FnMut(Spot),
}

impl WithSimd for SpotsPass<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { nodes, spot } = self;
        let Gathered { lines, light, field, hkl: [h, k, l], count, .. } = nodes;
        let Lines { reciprocal: [a, b, c], k0, per_k, .. } = *lines;
        let (inverse_lambda, radius) = (level.splat(lines.k), level.splat(lines.radius));
        let (one, half, quarter) = (level.splat(1.0), level.splat(0.5), level.splat(0.25 * per_k));
        for at in (0..*count).step_by(L::F::LEN) {
            let pick = |indices: &[f64; GATHERED]| level.load(indices.get(at..).unwrap_or(&[]), 0.0);
            let (h, k, l) = (pick(h), pick(k), pick(l));
            let on = |a: f64, b: f64, c: f64, k0: f64| {
                h.mul_add(
                    level.splat(a),
                    k.mul_add(level.splat(b), l.mul_add(level.splat(c), level.splat(k0))),
                )
            };
            let p = LaneVec {
                x: on(a.x, b.x, c.x, k0.x),
                y: on(a.y, b.y, c.y, k0.y),
                z: on(a.z, b.z, c.z, k0.z),
            };
            let length = p.dot(p).sqrt();
            let off = inverse_lambda - length;
            let per_length = one / length;
            // K d and p are two sides of a triangle, whose third side, their difference, is at most as long as the radius.
            let sin2_of_half = (radius - off) * (radius + off) * per_length * quarter;
            let sin2 = L::F::select(
                sin2_of_half.lt(half),
                level.splat(4.0) * sin2_of_half * (one - sin2_of_half),
                level.splat(f64::INFINITY),
            );
            let unit = LaneVec { x: p.x * per_length, y: p.y * per_length, z: p.z * per_length };
            let OnPixels { columns, rows, chords } = OnPixels::new(light, field, unit, sin2);
            let found = off.abs().le(radius) & columns.are_some() & rows.are_some();
            // Beyond the last node, a vector still has nodes that were looked at before.
            let bits = found.first_bits(count - at);
            if bits != 0 {
                let (Along([left, right]), Along([top, bottom])) = (columns, rows);
                let Chords([u, v, chord, half_slow, per_half_slow, shear]) = chords;
                let spots = FoundSpots {
                    hkl: [h.to_array(), k.to_array(), l.to_array()],
                    pixels: [left.to_array(), right.to_array(), top.to_array(), bottom.to_array()],
                    chords: [
                        u.to_array(),
                        v.to_array(),
                        chord.to_array(),
                        half_slow.to_array(),
                        per_half_slow.to_array(),
                        shear.to_array(),
                    ],
                };
                spots.hand_on(nodes, bits, spot);
            }
        }
    }
}

/// The numbers of a vector of spots.
struct FoundSpots<A> {
    hkl: [A; 3],
    /// First and last column, first and last row.
    pixels: [A; 4],
    /// Those of [`ChordOutline`], in its order.
    chords: [A; 6],
}

impl<A: AsRef<[f64]>> FoundSpots<A> {
    /// Calls `spot` for the spots of some lanes that have structure factors.
    #[inline(always)]
    fn hand_on(&self, nodes: &Gathered<'_, '_>, lanes: u32, spot: &mut dyn FnMut(Spot)) {
        let factors = &nodes.light.scene.p.structure_factors;
        for lane in lanes_in(lanes) {
            let at = |numbers: &A| lane_of(numbers, lane);
            let [h, k, l] = &self.hkl;
            let node = [at(h) as i16, at(k) as i16, at(l) as i16];
            if factors.at_node(nodes.grid, node.map(i32::from)) == 0.0 {
                continue;
            }
            let [left, right, top, bottom] = &self.pixels;
            let [u, v, chord, half_slow, per_half_slow, shear] = &self.chords;
            spot(Spot {
                pair: nodes.pair,
                node,
                columns: [at(left) as u16, at(right) as u16],
                rows: [at(top) as u16, at(bottom) as u16],
                outline: ChordOutline {
                    middle: [at(u) as f32, at(v) as f32],
                    half: [at(chord) as f32, at(half_slow) as f32],
                    per_half_slow: at(per_half_slow) as f32,
                    shear: at(shear) as f32,
                },
            });
        }
    }
}
