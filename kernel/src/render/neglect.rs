//! Steps that are left out because their light is neglected: a bound on the photons that a pixel may lack.
//!
//! A box is 8 neighbouring pixels of a row, counted from the row's first, with one source and one orientation. Along its
//! pixels the scattered beams lie on an arc, whose distance from its chord is at most the arc's sagitta, so that h, k and
//! l of all of them lie between those of the outer two and little beyond. With d the least distance of each from an
//! integer,
//!
//! ```text
//! square   |F_latt| <= product of min(N_i, 1/(2 d_i))
//! round    |F_latt| <= Na Nb Nc 0.7236 min(1, 3 (1 + 1/x)/x^2)      x = pi sqrt(fudge sum (N_i d_i)^2)
//! ```
//!
//! A box whose bound is below an amplitude A is left out. A is such that all steps of a pixel together, with the largest
//! |F_cell|, solid angle and polarisation factor, give no more photons than are neglected.
//!
//! The test is arithmetic without fused operations, so that the same steps are left out at every level.

use core::f64::consts::PI;

use super::geometry::SubpixelGrid;
use super::row_plan::Span;
use crate::Error;
use crate::error::require;
use crate::lanes::{BaseLevel, LaneMask, Lanes, Level, WithSimd};
use crate::lattice::CrystalShape;
use crate::rotation::Orientation;
use crate::scene::Scene;
use crate::span::SPAN;
use crate::structure_factor::LookupRule;
use crate::vector::Vec3;

/// Pixels of a box.
pub(super) const BOX: usize = 8;

/// Boxes of a span.
const BOXES: usize = SPAN / BOX;

/// Orientations that are tested at a time.
pub(super) const CHUNK: usize = 256;

/// Orientations of a chunk that are tested first. Where hardly a box of them is dark, the others are not tested.
const TRIED: usize = 8;

/// Part of the boxes that must be dark for the test to pay: a third.
const PAYS: u32 = 3;

/// What distances from integers are taken to be too large by, for rounding: a number, and a part of the largest index.
const ROUNDING: [f64; 2] = [1e-9, 1e-14];

/// What bounds are taken to be too small by, for the rounding of F_latt, mixed precision included.
const PRECISION: f64 = 1e-3;

/// Which steps are neglected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neglect {
    bound: Bound,
    /// Lengths of the longest cell vectors, in m.
    longest_m: [f64; 3],
}

/// The bound on |F_latt|.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// Dark where the product of max(1/N, 2 d) is at least this.
    Square { least: f64, per_cells: [f64; 3] },
    /// Dark where the sum of (N d)^2 is at least this.
    Round { least: f64, cells: [f64; 3] },
}

impl Neglect {
    /// The steps to neglect so that a pixel lacks at most `photons`; `None` where none can be left out: other shapes,
    /// curved detectors, and c-parity with an oversample flag, where every step multiplies the sum.
    fn new(scene: &Scene<'_>, photons: f64) -> Option<Self> {
        let p = &scene.p;
        if scene.needs_general_loop() || p.panel.bend.is_some() || !scene.has_usual_factors() {
            return None;
        }
        let largest = scene.largest_factor() * scene.terms();
        let amplitude = libm::sqrt(photons / largest) / p.structure_factors.largest() * (1.0 - PRECISION);
        // Not above 1, or NaN where nothing can be bounded: only a crystal in the dark would be left out.
        let pays = amplitude > 1.0;
        let cells = p.crystallite.cells;
        let bound = match p.crystallite.shape {
            CrystalShape::Square => {
                Bound::Square { least: 1.0 / amplitude, per_cells: cells.map(|n| 1.0 / n) }
            }
            CrystalShape::Round => {
                let volume: f64 = cells.iter().product::<f64>() * 0.723_601_254_558_268;
                let x = least_phase(amplitude / volume) / PI;
                Bound::Round { least: x * x / p.crystallite.fudge, cells }
            }
            CrystalShape::Gauss | CrystalShape::Tophat => return None,
        };
        pays.then_some(Self { bound, longest_m: p.longest_edges_m() })
    }
}

/// The least x for which 3 (1 + 1/x)/x^2 is at most `part`; 0 where min(1, ...) always is.
fn least_phase(part: f64) -> f64 {
    if part >= 1.0 {
        return 0.0;
    }
    // The bound falls with x, from above 1 at x = 1 on.
    let (mut above, mut below) = (1.0, 1e200);
    for _ in 0..1100 {
        let x = libm::sqrt(above) * libm::sqrt(below);
        *(if 3.0 * (1.0 + 1.0 / x) / (x * x) > part { &mut above } else { &mut below }) = x;
    }
    below
}

impl Scene<'_> {
    /// The same scene, whose pixels may each lack up to `photons`: steps whose light is certain to be that dim are left
    /// out, box by box of 8 pixels. It pays where crystals are large and mosaic. Only [`Scene::render_rows`] leaves steps
    /// out; traces and derivatives do not.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a number that is below 0 or not finite, and for one above 0 with interpolation.
    pub fn neglecting(mut self, photons: f64) -> Result<Self, Error> {
        require(photons >= 0.0, "photons to neglect", photons, "0 or more")?;
        let interpolates = self.grid().is_some() && self.p.structure_factors.lookup != LookupRule::Nearest;
        require(photons == 0.0 || !interpolates, "photons to neglect", photons, "0 with interpolation")?;
        self.neglect = if photons > 0.0 { Neglect::new(&self, photons) } else { None };
        Ok(self)
    }

    /// Whether any steps are left out.
    #[must_use]
    pub fn neglects(&self) -> bool {
        self.neglect.is_some()
    }

    /// The largest that a sum is multiplied by: scale, solid angle, polarisation factor and weight.
    pub(crate) fn largest_factor(&self) -> f64 {
        let p = &self.p;
        // No pixel is nearer than the foot of the normal.
        let per_foot = 1.0 / self.foot_distance_m();
        let edge = p.panel.pixel_m * per_foot;
        let pixel_sr = edge * edge * (p.panel.close_distance_m * per_foot);
        let omega = if p.panel.point_pixel { per_foot * per_foot } else { pixel_sr };
        let kahn = p.polarization.map_or(0.0, |polarization| polarization.kahn.abs());
        let weight = (0..p.sources.len()).map(|source| self.weight(source)).fold(1.0, f64::max);
        self.scale * omega * (0.5 * (1.0 + kahn)).max(1.0) * weight
    }

    /// Terms of a pixel's sum: steps times layers.
    pub(crate) fn terms(&self) -> f64 {
        self.steps() * self.p.panel.sensor.layers as f64
    }
}

/// The directions at the outer pixels of the boxes of a span, and which boxes are kept for each orientation of a chunk.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Kept {
    /// x, y, z at the first pixel of each box, then at its last.
    ends: [[f64; BOXES]; 6],
    /// How far h, k, l may be beyond those of the outer pixels, times the wavelength and in units of a cell vector's
    /// length.
    sagitta: [f64; BOXES],
    /// For each orientation, a bit for each box.
    boxes: [u32; CHUNK],
}

impl Kept {
    pub(super) const EMPTY: Self = Self { ends: [[0.0; BOXES]; 6], sagitta: [0.0; BOXES], boxes: [0; CHUNK] };

    /// Sets the directions of a sample. Scalar arithmetic, which is the same at every level.
    pub(super) fn aim(
        &mut self,
        scene: &Scene<'_>,
        grid: &SubpixelGrid,
        span: Span,
        sample: (usize, usize, usize),
    ) {
        let (layer, sub_slow, sub_fast) = sample;
        let panel = &scene.p.panel;
        let line = grid.line(panel, sub_slow, layer as f64 * panel.sensor.layer_m);
        let direction = |column: usize| (line + grid.along_fast_m(column, sub_fast) * panel.fast).normalize();
        let [x1, y1, z1, x2, y2, z2] = &mut self.ends;
        let ends = x1.iter_mut().zip(y1).zip(z1).zip(x2.iter_mut().zip(y2).zip(z2));
        for (index, ((((x1, y1), z1), ((x2, y2), z2)), sagitta)) in ends.zip(&mut self.sagitta).enumerate() {
            let first = span.first + index * BOX;
            let (one, other) = (direction(first), direction(first + BOX - 1));
            (*x1, *y1, *z1) = (one.x, one.y, one.z);
            (*x2, *y2, *z2) = (other.x, other.y, other.z);
            // 1 - cos(angle/2), where the chord is 2 sin(angle/2).
            let half2 = 0.25 * (other - one).dot(other - one);
            *sagitta = if half2 < 0.1 { 0.6 * half2 } else { 1.0 };
        }
    }
}

/// Finds the boxes that are kept of a source and a chunk of orientations.
pub(super) struct NeglectPass<'c, 'a> {
    pub(super) scene: &'c Scene<'a>,
    pub(super) neglect: &'c Neglect,
    pub(super) source: usize,
    pub(super) chunk: &'c [Orientation],
    pub(super) kept: &'c mut Kept,
}

impl WithSimd for NeglectPass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, neglect, source, chunk, kept } = self;
        let Kept { ends, sagitta, boxes } = kept;
        let Some(source) = scene.p.sources.get(source) else { return };
        let per_lambda = 1.0 / source.lambda_m;
        let incident = per_lambda * source.incident;
        let mut dark = 0;
        for (index, (orientation, kept)) in chunk.iter().zip(boxes.iter_mut()).enumerate() {
            if index >= TRIED && dark * PAYS < (TRIED * BOXES) as u32 {
                *kept = u32::MAX;
                continue;
            }
            let axes = [orientation.a_m, orientation.b_m, orientation.c_m];
            let mut bits = 0;
            for at in (0..BOXES).step_by(L::F::LEN) {
                let [x1, y1, z1, x2, y2, z2] = &*ends;
                let from = LaneBox {
                    x: [pick(level, x1, at), pick(level, x2, at)],
                    y: [pick(level, y1, at), pick(level, y2, at)],
                    z: [pick(level, z1, at), pick(level, z2, at)],
                    sagitta: pick(level, sagitta, at),
                };
                let [h, k, l] = axes;
                let [long_h, long_k, long_l] = neglect.longest_m;
                let distances = [
                    from.least_distance(per_lambda * h, incident.dot(h), per_lambda * long_h),
                    from.least_distance(per_lambda * k, incident.dot(k), per_lambda * long_k),
                    from.least_distance(per_lambda * l, incident.dot(l), per_lambda * long_l),
                ];
                bits |= neglect.bound.is_dark(distances).bits() << at;
            }
            *kept = !bits;
            if index < TRIED {
                dark += bits.count_ones();
            }
        }
    }
}

#[inline(always)]
fn pick<L: Level>(level: L, from: &[f64; BOXES], at: usize) -> L::F {
    level.load(from.get(at..).unwrap_or(&[]), 0.0)
}

/// The directions at both ends of a box, for each lane.
#[derive(Clone, Copy)]
struct LaneBox<F> {
    x: [F; 2],
    y: [F; 2],
    z: [F; 2],
    sagitta: F,
}

impl<F: Lanes> LaneBox<F> {
    /// The least distance from an integer of d.axis - offset over the box; below 0 where an integer may be in it.
    #[inline(always)]
    fn least_distance(&self, axis: Vec3, offset: f64, length: f64) -> F {
        let ([x1, x2], [y1, y2], [z1, z2]) = (self.x, self.y, self.z);
        let (ax, ay, az) = (x1.splat_like(axis.x), x1.splat_like(axis.y), x1.splat_like(axis.z));
        let (first, last) = (x1 * ax + y1 * ay + z1 * az, x2 * ax + y2 * ay + z2 * az);
        let half = x1.splat_like(0.5);
        let middle = (first + last) * half - x1.splat_like(offset);
        let [least, part] = ROUNDING;
        let rounding = x1.splat_like(least + part * length);
        let beyond = (first - last).abs() * half + self.sagitta * x1.splat_like(length) + rounding;
        (middle - middle.round()).abs() - beyond
    }
}

impl Bound {
    /// Whether |F_latt| is certain to be below the amplitude, for these distances of h, k, l from integers.
    #[inline(always)]
    fn is_dark<F: Lanes>(&self, [dh, dk, dl]: [F; 3]) -> F::Mask {
        let zero = dh.splat_like(0.0);
        match *self {
            Self::Square { least, per_cells: [a, b, c] } => {
                let factor_h = (dh + dh).max(dh.splat_like(a));
                let factor_k = (dk + dk).max(dh.splat_like(b));
                let factor_l = (dl + dl).max(dh.splat_like(c));
                dh.splat_like(least).le(factor_h * factor_k * factor_l)
            }
            Self::Round { least, cells: [a, b, c] } => {
                let x = dh.max(zero) * dh.splat_like(a);
                let y = dk.max(zero) * dh.splat_like(b);
                let z = dl.max(zero) * dh.splat_like(c);
                dh.splat_like(least).le(x * x + y * y + z * z)
            }
        }
    }
}

/// Out of line, so that it is compiled once and not again for each shape and lookup.
#[inline(never)]
pub(super) fn run_neglect(pass: NeglectPass<'_, '_>) {
    pass.scene.p.simd.run(pass);
}

/// Orientations that are gathered for one call of the steps.
const BATCH: usize = 16;

/// The orientations of a chunk that are kept for a vector of pixels, batch by batch, in order.
pub(super) struct Batches<'c> {
    chunk: &'c [Orientation],
    /// Next orientation of the chunk.
    next: usize,
    gathered: [Orientation; BATCH],
}

/// One batch.
pub(super) struct Batch<'b> {
    pub(super) entries: &'b [Orientation],
    /// Which boxes of the vector they are kept for, the first as the lowest bit.
    pub(super) boxes: u32,
}

impl<'c> Batches<'c> {
    pub(super) fn new() -> Self {
        let nothing = Vec3::new(0.0, 0.0, 0.0);
        let empty = Orientation { a_m: nothing, b_m: nothing, c_m: nothing };
        Self { chunk: &[], next: 0, gathered: [empty; BATCH] }
    }

    /// Starts with a chunk.
    #[inline(always)]
    pub(super) fn begin(&mut self, chunk: &'c [Orientation]) {
        self.chunk = chunk;
        self.next = 0;
    }

    /// The next batch for a vector of `len` pixels, from pixel `at` of the span on.
    #[inline(always)]
    pub(super) fn next(&mut self, kept: Option<&Kept>, at: usize, len: usize) -> Option<Batch<'_>> {
        let all = (1u32 << len.div_ceil(BOX)) - 1;
        if let Some(kept) = kept {
            return self.gather(kept, at, all);
        }
        // Nothing is neglected.
        let entries = self.chunk.get(self.next..).filter(|entries| !entries.is_empty())?;
        self.next = self.chunk.len();
        Some(Batch { entries, boxes: all })
    }

    /// The next orientations that are kept for the same boxes: where they are neighbours as they are, else gathered.
    #[inline(never)]
    fn gather(&mut self, kept: &Kept, at: usize, all: u32) -> Option<Batch<'_>> {
        let boxes_of = |index: usize| kept.boxes.get(index).map_or(0, |boxes| boxes >> (at / BOX) & all);
        let end = self.chunk.len();
        let first = (self.next..end).find(|&index| boxes_of(index) != 0)?;
        let boxes = boxes_of(first);
        let run = (first..end).take_while(|&index| boxes_of(index) == boxes).count();
        if run >= BATCH || first + run == end {
            self.next = first + run;
            return Some(Batch { entries: self.chunk.get(first..self.next)?, boxes });
        }
        let mut count = 0;
        self.next = first;
        while let Some(&entry) = self.chunk.get(self.next) {
            let these = boxes_of(self.next);
            if these == boxes {
                let Some(place) = self.gathered.get_mut(count) else { break };
                *place = entry;
                count += 1;
            } else if these != 0 {
                break;
            }
            self.next += 1;
        }
        Some(Batch { entries: self.gathered.get(..count)?, boxes })
    }
}
