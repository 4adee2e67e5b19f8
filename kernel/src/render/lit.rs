//! A span rendered from lists of its spots, and the proof that its pixels are those of the loop.
//!
//! ```text
//! 1 for each thickness layer and subpixel: directions of all pixels              GeometryPass
//! 2     for each cell of a spot, source by source and orientation by orientation:          LitPass
//!           for the vectors with its pixels: the step of the plain loop, whose nearest node is known
//!       sources by themselves with weights, layers, flags or a resolution limit  TermsPass, ResolutionPass
//! 3 sums to pixels; the largest sums that they may have, to pixels as well       ScalingPass
//!       pixels that differ are rendered by all of their steps
//! ```
//!
//! A step joins the sum of a pixel only within its reach, which is decided lane by lane, so that pixels have the same
//! bits at every level.

use core::marker::PhantomData;

use super::SpanReport;
use super::accumulate::Accumulation;
use super::geometry::{LaneVec, SubpixelGrid, scattering};
use super::pixel_value::PixelValue;
use super::plain::{
    GeometryPass, ResolutionPass, ScalingPass, Sums, TermsPass, Workspace, run_geometry, run_resolution,
    run_terms,
};
use super::row_plan::Span;
use crate::beam::Source;
use crate::lanes::{BaseLevel, Lanes, Level, WithSimd};
use crate::lattice::{CrystalShape, GaussKind, Indices, SpotKind, SpotShape, TophatKind};
use crate::light::{Cell, Reach, SpotList};
use crate::rotation::Orientation;
use crate::scene::Scene;
use crate::span::{SPAN, load, store};

/// The spots of a scene, and what their lists leave out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lit<'l> {
    pub(crate) reach: Reach,
    /// Of consecutive pairs, in order, and of all pairs.
    pub(crate) lists: &'l [SpotList<'l>],
}

impl<'l> Lit<'l> {
    /// The cells of a span, list by list.
    #[inline(always)]
    fn cells(&self, scene: &Scene<'_>, span: Span) -> impl Iterator<Item = &'l [Cell]> + use<'l> {
        let (slow, index) = (span.slow, Self::span_of(scene, span.first));
        self.lists.iter().filter_map(move |list| list.in_span(slow, index))
    }

    /// The number of the span that begins at a column.
    #[inline(always)]
    pub(super) fn span_of(scene: &Scene<'_>, column: usize) -> usize {
        (column - scene.p.roi.fast_min) / SPAN
    }
}

/// The pairs of sources and orientations, walked through in order.
struct Pairs<'s, 'p> {
    scene: &'s Scene<'p>,
    entries: &'p [Orientation],
    /// Index of the current source, and its first pair.
    source: usize,
    first: usize,
}

/// A source and an orientation.
struct Pair<'p> {
    source: &'p Source,
    orientation: &'p Orientation,
    /// The grid of the source.
    grid: usize,
}

impl<'s, 'p> Pairs<'s, 'p> {
    fn new(scene: &'s Scene<'p>) -> Self {
        Self { scene, entries: scene.p.orientations.entries(), source: 0, first: 0 }
    }

    /// Whether a pair is one of the current source.
    #[inline(always)]
    fn is_current(&self, pair: u32) -> bool {
        (pair as usize) < self.first + self.entries.len()
    }

    /// Moves to the next source.
    #[inline(always)]
    fn next_source(&mut self) {
        self.source += 1;
        self.first += self.entries.len();
    }

    /// A pair by its index, which is not before the one asked for last.
    #[inline(always)]
    fn at(&mut self, pair: u32) -> Option<Pair<'p>> {
        let sources = self.scene.p.sources;
        while self.source < sources.len() && !self.is_current(pair) {
            self.next_source();
        }
        Some(Pair {
            source: sources.get(self.source)?,
            orientation: self.entries.get((pair as usize).checked_sub(self.first)?)?,
            grid: self.scene.grid_of(self.source),
        })
    }
}

/// Renders a span; `None` where a pixel is NaN.
pub(super) fn render<P: PixelValue>(
    scene: &Scene<'_>,
    lit: &Lit<'_>,
    span: Span,
    work: &mut Workspace,
    out: &mut [P],
) -> Option<SpanReport> {
    let p = &scene.p;
    work.make_room_for(scene);
    if lit.reach.left_out > 0.0 {
        work.make_room_for_bound();
    }
    match scene.shape() {
        CrystalShape::Gauss => p.simd.run(LitPass::<GaussKind>::new(scene, lit, span, work)),
        CrystalShape::Tophat => p.simd.run(LitPass::<TophatKind>::new(scene, lit, span, work)),
        CrystalShape::Square | CrystalShape::Round => return None,
    }
    let (omega_sum_sr, any_nan) = p.simd.run(ScalingPass { scene, work, sums: Sums::OfSteps, out });
    if any_nan {
        return None;
    }
    if lit.reach.left_out > 0.0 {
        render_unproved(scene, lit, span, work, out);
    }
    Some(SpanReport { omega_sum_sr, fallbacks: 0 })
}

/// Renders those pixels of a span by all of their steps that what the lists leave out might change.
fn render_unproved<P: PixelValue>(
    scene: &Scene<'_>,
    lit: &Lit<'_>,
    span: Span,
    work: &mut Workspace,
    out: &mut [P],
) {
    let p = &scene.p;
    let samples =
        p.panel.sensor.layers as f64 * (p.oversample.per_axis as f64) * (p.oversample.per_axis as f64);
    let (sources, orientations) = (p.sources.len() as f64, p.orientations.entries().len() as f64);
    let steps = samples * sources * orientations;
    // Each addition, and each product of a source's terms, rounds by at most 2^-53 of the sum, in the sum of the list
    // and in the whole one.
    let roundings = 2.0 * (steps + 2.0 * samples * sources + 8.0);
    work.bound_sums(scene, lit.reach.left_out * steps, 1.0 + roundings * f64::EPSILON);
    let mut upper = [P::from_f64(0.0); SPAN];
    let upper = upper.get_mut(..span.count).unwrap_or_default();
    p.simd.run(ScalingPass { scene, work, sums: Sums::Largest, out: upper });
    let differs = |(out, upper): (&P, &P)| !(out == upper);
    if !out.iter().zip(upper.iter()).any(differs) {
        return;
    }
    work.select_where(out.iter().zip(upper.iter()).map(differs));
    let mut rendered = [P::from_f64(0.0); SPAN];
    let rendered = rendered.get_mut(..span.count).unwrap_or_default();
    scene.render_every_step(span, work, rendered);
    for ((out, upper), rendered) in out.iter_mut().zip(upper).zip(rendered) {
        if differs((out, upper)) {
            *out = *rendered;
        }
    }
}

/// The steps of the spots of a span.
struct LitPass<'c, 'a, Sh> {
    scene: &'c Scene<'a>,
    lit: &'c Lit<'c>,
    span: Span,
    work: &'c mut Workspace,
    kind: PhantomData<Sh>,
}

impl<'c, 'a, Sh: SpotKind> LitPass<'c, 'a, Sh> {
    fn new(scene: &'c Scene<'a>, lit: &'c Lit<'c>, span: Span, work: &'c mut Workspace) -> Self {
        Self { scene, lit, span, work, kind: PhantomData }
    }
}

impl<Sh: SpotKind> WithSimd for LitPass<'_, '_, Sh> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, lit, span, work, .. } = self;
        let p = &scene.p;
        let grid = SubpixelGrid::new(&p.panel, span.slow, p.oversample.per_axis);
        let shape = Sh::spots(level, &p.crystallite);
        let lowest_exponent = level.splat(lit.reach.lowest_exponent);
        let multiplies_terms = Accumulation::new(scene).multiplies_terms();
        let is_limited = p.d_min_m > 0.0;
        let orientations = p.orientations.entries().len().max(1);
        let left_out = lit.reach.left_out * orientations as f64;
        work.begin_sums(scene.background);
        for (layer, sub_slow, sub_fast) in scene.samples() {
            run_geometry(GeometryPass {
                scene,
                span,
                grid: &grid,
                layer,
                sub_slow,
                sub_fast,
                work: &mut *work,
            });
            let mut pairs = Pairs::new(scene);
            if !(multiplies_terms || is_limited) {
                for cells in lit.cells(scene, span) {
                    for cell in cells {
                        if let Some(pair) = pairs.at(cell.pair) {
                            Self::steps(scene, work, cell, pair, &shape, lowest_exponent);
                        }
                    }
                }
                continue;
            }
            let mut cells = lit.cells(scene, span).flatten().peekable();
            for source in 0..p.sources.len() {
                if is_limited {
                    run_resolution(ResolutionPass { scene, source, span, work: &mut *work });
                }
                let mut any = false;
                while let Some(cell) = cells.next_if(|cell| pairs.is_current(cell.pair)) {
                    if let Some(pair) = pairs.at(cell.pair) {
                        any = true;
                        Self::steps(scene, work, cell, pair, &shape, lowest_exponent);
                    }
                }
                if multiplies_terms && (any || left_out > 0.0) {
                    run_terms(TermsPass { scene, source, span, left_out, work: &mut *work });
                    work.begin_sums_of_source();
                }
                pairs.next_source();
            }
        }
    }
}

impl<Sh: SpotKind> LitPass<'_, '_, Sh> {
    /// The steps of a cell, over the vectors that hold its pixels.
    #[inline(always)]
    fn steps<F: Lanes>(
        scene: &Scene<'_>,
        work: &mut Workspace,
        cell: &Cell,
        Pair { source, orientation, grid }: Pair<'_>,
        shape: &impl SpotShape<F>,
        lowest_exponent: F,
    ) {
        let level = lowest_exponent.level();
        let zero = level.splat(0.0);
        let nudge = level.splat(shape.nudge());
        let f_cell = level.splat(scene.p.structure_factors.at_node(grid, cell.node.map(i32::from)));
        let [h, k, l] = cell.node;
        let node = [level.splat(f64::from(h)), level.splat(f64::from(k)), level.splat(f64::from(l))];
        let [first, last] = cell.pixels.map(usize::from);
        // Vectors begin at the first pixel, or before it where they would end beyond the span.
        let vectors = (last + 1 - first).div_ceil(F::LEN);
        let start = first.min(SPAN - (vectors * F::LEN).min(SPAN));
        for at in (start..start + vectors * F::LEN).step_by(F::LEN) {
            let [x, y, z] = &work.diffracted;
            let diffracted = LaneVec { x: load(level, x, at), y: load(level, y, at), z: load(level, z, at) };
            let q = scattering(diffracted, source);
            let hkl = q.indices(orientation, nudge);
            let f_latt = shape.f_latt_in_reach(&Indices::about(node, hkl), lowest_exponent);
            let mut amplitude = f_latt * f_cell;
            if let Some(reached) = work.reached(scene) {
                amplitude = F::select(zero.lt(load(level, reached, at)), amplitude, zero);
            }
            let sum = load(level, &work.sum, at);
            store(amplitude.mul_add(amplitude, sum), &mut work.sum, at);
        }
    }
}
