//! The plain loop, which most runs take: a span of a row in three passes, so that each keeps what it needs in
//! registers.
//!
//! ```text
//! 1 for each thickness layer and subpixel: directions of all pixels              GeometryPass
//!       with a resolution limit, for each source: which pixels it reaches            ResolutionPass
//! 2     for each vector of pixels, source, orientation:                          StepsPass
//!           h, k, l = q.a, q.b, q.c
//!           near the nodes of the step before?  keep them, else round and look up
//!           F_cell = 0 in all lanes?  next step
//!           amplitude = F_latt(h, k, l) F_cell
//!           sum += amplitude^2
//!       in spec with weights, layers or flags, after each source:
//!           total += factor sum                                                  TermsPass
//! 3 for each vector of pixels: pixel = scale sum capture polarisation omega      ScalingPass
//! ```
//!
//! Polarisation and solid angle are those of the first sample, or of each where a flag asks for it, capture that
//! of the first sample of each layer (in c-parity of the last layer). Pass 2 is compiled once for each shape and
//! lookup, the others once for each level.
//!
//! An index that is exactly an integer other than 0 gives NaN here. The span is then reported and re-rendered
//! by the general loop, whose other pixels have the same bits.

use core::marker::PhantomData;

use super::accumulate::{Accumulation, PixelFactors, StepFactor};
use super::background::background;
use super::geometry::{Direction, LaneVec, Subpixel, SubpixelGrid, scattering};
use super::neglect::{BOX, Batch, Batches, CHUNK, Kept, NeglectPass, run_neglect};
use super::pixel_value::PixelValue;
use super::resolution::is_resolved;
use super::row_plan::{Span, select};
use crate::beam::{PolarizationFrame, Source};
use crate::lanes::{BaseLevel, Doubled, LaneMask, Lanes, Level, WithSimd};
use crate::lattice::{Shape, ShapeKind};
use crate::scene::{Scene, SourceRun};
use crate::span::{PerPixel, SPAN, load, store};
use crate::structure_factor::{Lookup, LookupKind, LookupTable, SavedNodes};

/// What one pass computes for the next. The fields are aligned and in this order, since vectors that straddle
/// cache lines cost twice.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Workspace {
    /// 1 where a pixel is rendered, 0 where it is skipped or past the end of the span.
    pub(super) live: PerPixel,
    pub(super) diffracted: [PerPixel; 3],
    inverse_distance: PerPixel,
    pub(super) sum: PerPixel,
    /// The sum over the sources whose terms have been multiplied by what belongs to them.
    total: PerPixel,
    /// Made only where several samples need it, since all memory of a call must be cleared.
    samples: Option<Samples>,
    /// Made only where spots are rendered that leave something out.
    bound: Option<Bound>,
    /// Made only where steps are neglected.
    kept: Option<Kept>,
    /// If not 0, the first `unmasked` elements of `live` are 1 and all others are 0.
    unmasked: usize,
}

/// What one sample of a pixel, a layer and subpixel, saves for the next and for the third pass.
#[derive(Debug)]
#[repr(align(64))]
struct Samples {
    omega: PerPixel,
    /// Over the samples.
    omega_sum: PerPixel,
    capture: PerPixel,
    polar: PerPixel,
    background: PerPixel,
    /// 1 for the pixels that the current source reaches within the resolution limit.
    reached: PerPixel,
    /// 1 for the pixels that any source has reached, whose polarisation factor stands.
    begun: PerPixel,
    /// What [`Lookup::save`] saves.
    nodes: SavedNodes,
}

/// What the steps that a list of spots leaves out may add to a pixel.
#[derive(Debug)]
#[repr(align(64))]
struct Bound {
    /// Largest sum that they may add.
    left_out: PerPixel,
    /// Largest sum that the pixel may have.
    sum: PerPixel,
}

impl Workspace {
    pub(super) const fn new() -> Self {
        const EMPTY: PerPixel = [0.0; SPAN];
        Self {
            live: EMPTY,
            diffracted: [EMPTY; 3],
            inverse_distance: EMPTY,
            sum: EMPTY,
            total: EMPTY,
            samples: None,
            bound: None,
            kept: None,
            unmasked: 0,
        }
    }

    /// Creates the storage that several samples need, and that neglected steps do, where a scene has them.
    pub(super) fn make_room_for(&mut self, scene: &Scene<'_>) {
        let p = &scene.p;
        let several = p.panel.sensor.layers > 1 || p.oversample.per_axis > 1;
        if several || p.oversample.has_flags() || p.d_min_m > 0.0 {
            self.make_room();
        }
        if scene.neglects() {
            self.make_room_to_neglect();
        }
    }

    /// Out of line, as [`Workspace::make_room`].
    #[inline(never)]
    fn make_room_to_neglect(&mut self) {
        self.make_room();
        if self.kept.is_none() {
            self.kept = Some(Kept::EMPTY);
        }
    }

    /// Out of line, since it takes as much stack again.
    #[inline(never)]
    fn make_room(&mut self) {
        if self.samples.is_none() {
            self.samples = Some(Samples::new());
        }
    }

    /// Creates the storage that spots need which leave something out. Out of line, as that of the samples.
    #[inline(never)]
    pub(super) fn make_room_for_bound(&mut self) {
        let bound = self.bound.get_or_insert(Bound { left_out: [0.0; SPAN], sum: [0.0; SPAN] });
        bound.left_out = [0.0; SPAN];
    }

    /// Starts the sums of a span of spots.
    pub(super) fn begin_sums(&mut self, background: f64) {
        self.sum = [background; SPAN];
        self.total = [0.0; SPAN];
    }

    /// Starts the sums of the next source, whose terms will be multiplied.
    pub(super) fn begin_sums_of_source(&mut self) {
        self.sum = [0.0; SPAN];
    }

    /// Bounds the sums of the pixels from above: sums of spots, which leave out at most `left_out` where no terms are
    /// multiplied, and whose rounding error is below `rounding` - 1.
    pub(super) fn bound_sums(&mut self, scene: &Scene<'_>, left_out: f64, rounding: f64) {
        let multiplies_terms = Accumulation::new(scene).multiplies_terms();
        let sums = if multiplies_terms { &self.total } else { &self.sum };
        let Some(bound) = &mut self.bound else { return };
        for ((largest, &sum), &of_terms) in bound.sum.iter_mut().zip(sums).zip(&bound.left_out) {
            *largest = (sum + if multiplies_terms { of_terms } else { left_out }) * rounding;
        }
    }

    /// The pixels that the current source reaches within the resolution limit; `None` without a limit.
    #[inline(always)]
    pub(super) fn reached(&self, scene: &Scene<'_>) -> Option<&PerPixel> {
        self.samples.as_ref().filter(|_| scene.p.d_min_m > 0.0).map(|samples| &samples.reached)
    }

    /// Selects the first pixels of the span for which `pixels` is true.
    pub(super) fn select_where(&mut self, pixels: impl Iterator<Item = bool>) {
        self.unmasked = 0;
        self.live = [0.0; SPAN];
        self.live.iter_mut().zip(pixels).for_each(|(live, selected)| *live = f64::from(u8::from(selected)));
    }

    /// Selects the pixels of a span that are in the region of interest and that `mask` does not skip, and returns their
    /// number.
    pub(super) fn select(&mut self, span: &Span, mask: Option<&[u16]>) -> u64 {
        if mask.is_none() && span.before == 0 {
            // Usually they are still those of the previous span.
            if self.unmasked != span.count {
                select(&mut self.live, span, None);
                self.unmasked = span.count;
            }
            return span.count as u64;
        }
        self.unmasked = 0;
        select(&mut self.live, span, mask);
        self.live.iter().map(|&live| live as u64).sum()
    }
}

impl Samples {
    const fn new() -> Self {
        const EMPTY: PerPixel = [0.0; SPAN];
        Self {
            omega: EMPTY,
            omega_sum: EMPTY,
            capture: EMPTY,
            polar: EMPTY,
            background: EMPTY,
            reached: EMPTY,
            begun: EMPTY,
            nodes: [EMPTY; 4],
        }
    }
}

/// First pass, for one layer and subpixel.
pub(super) struct GeometryPass<'c, 'a> {
    pub(super) scene: &'c Scene<'a>,
    pub(super) span: Span,
    pub(super) grid: &'c SubpixelGrid,
    pub(super) layer: usize,
    pub(super) sub_slow: usize,
    pub(super) sub_fast: usize,
    pub(super) work: &'c mut Workspace,
}

impl WithSimd for GeometryPass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, span, grid, layer, sub_slow, sub_fast, work } = self;
        let panel = &scene.p.panel;
        let depth_m = layer as f64 * scene.p.panel.sensor.layer_m;
        let line = grid.line(panel, sub_slow, depth_m);
        let is_first = sub_slow == 0 && sub_fast == 0;
        let flags = scene.p.oversample;
        // Lanes past the last pixel repeat it.
        let last = level.splat((span.first + span.count) as f64 - 1.0);
        let stride = level.splat(L::F::LEN as f64);
        let mut next = level.ramp(span.first as f64, f64::INFINITY);
        let [to_x, to_y, to_z] = &mut work.diffracted;
        for at in (0..span.count).step_by(L::F::LEN) {
            let fast = next.min(last);
            next = next + stride;
            let direction = Subpixel::new(panel, grid, line, fast, sub_fast).direction;
            let LaneVec { x, y, z } = direction.diffracted;
            store(x, to_x, at);
            store(y, to_y, at);
            store(z, to_z, at);
            if is_first || flags.omega {
                store(direction.inverse_distance, &mut work.inverse_distance, at);
            }
        }
        // With a single sample the third pass evaluates the factors itself.
        if work.samples.is_some() && (is_first || flags.omega || flags.thick) {
            FactorsPass { scene, span, layer, is_first, work }.with_simd(level);
        }
    }
}

/// The factors that a sample gives the pixel: all of them the first subpixel of a layer, any other those whose
/// flags are set. A loop of its own, since one long chain of arithmetic per vector would leave the processor
/// waiting.
struct FactorsPass<'c, 'a> {
    scene: &'c Scene<'a>,
    span: Span,
    layer: usize,
    is_first: bool,
    work: &'c mut Workspace,
}

impl FactorsPass<'_, '_> {
    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, span, layer, is_first, work } = self;
        let (panel, flags) = (&scene.p.panel, scene.p.oversample);
        let sensor = &panel.sensor;
        let begins = layer == 0 && is_first;
        let [capture_of_steps, ..] = Accumulation::new(scene).of_steps();
        // The reference uses that of the last layer alone.
        let captures = sensor.layer_m > 0.0 && (capture_of_steps || layer + 1 == sensor.layers);
        // Without the flag, the solid angle of the first sample stands for all layers and subpixels.
        let per_axis = scene.p.oversample.per_axis as f64;
        let alike = if flags.omega { 1.0 } else { sensor.layers as f64 * per_axis * per_axis };
        let samples_of_omega = level.splat(alike);
        let unresolved = level.splat(if scene.darkens_unresolved_pixels() { 0.0 } else { 1.0 });
        let zero = level.splat(0.0);
        let depth_m = layer as f64 * sensor.layer_m;
        let next_depth_m = (layer + 1) as f64 * sensor.layer_m;
        let Workspace { diffracted, inverse_distance, samples: Some(samples), .. } = work else { return };
        for at in (0..span.count).step_by(L::F::LEN) {
            let direction = direction(level, diffracted, inverse_distance, at);
            if captures && (is_first || flags.thick) {
                let capture = direction.capture(panel, depth_m, next_depth_m, sensor.attenuation_per_m);
                store(capture, &mut samples.capture, at);
            }
            if begins || flags.omega {
                let omega = direction.omega_sr(panel);
                let before = if begins { zero } else { load(level, &samples.omega_sum, at) };
                store(omega, &mut samples.omega, at);
                store(omega.mul_add(samples_of_omega, before), &mut samples.omega_sum, at);
            }
            if !begins {
                continue;
            }
            if scene.p.d_min_m > 0.0 {
                store(unresolved, &mut samples.polar, at);
                store(zero, &mut samples.begun, at);
            } else if let Some(frame) = &scene.polarization {
                store(direction.polarization(frame), &mut samples.polar, at);
            }
            if scene.water > 0.0 {
                store(background(scene, &direction), &mut samples.background, at);
            }
        }
    }
}

/// The directions of the pixels from `at` on.
#[inline(always)]
fn direction<L: Level>(
    level: L,
    [x, y, z]: &[PerPixel; 3],
    inverse_distance: &PerPixel,
    at: usize,
) -> Direction<L::F> {
    let diffracted = LaneVec { x: load(level, x, at), y: load(level, y, at), z: load(level, z, at) };
    Direction { inverse_distance: load(level, inverse_distance, at), diffracted }
}

/// Out of line, so that it is compiled once and not again for each shape and lookup.
#[inline(never)]
pub(super) fn run_geometry(pass: GeometryPass<'_, '_>) {
    pass.scene.p.simd.run(pass);
}

/// First and second pass, for one shape and lookup.
pub(super) struct StepsPass<'c, 'a, Sh, Lo> {
    scene: &'c Scene<'a>,
    span: Span,
    work: &'c mut Workspace,
    kinds: PhantomData<(Sh, Lo)>,
}

impl<Sh: ShapeKind, Lo: LookupKind> WithSimd for StepsPass<'_, '_, Sh, Lo> {
    /// Interpolations that fell back.
    type Output = u64;

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> u64 {
        // Two vectors in flight hide each other's latencies. A vector of several registers does so by itself.
        let pairs = Sh::NEEDS_PAIRS || (Lo::PAIRS_WELL && L::IS_REGISTER);
        if pairs { self.steps(Doubled(level)) } else { self.steps(level) }
    }
}

impl<Sh: ShapeKind, Lo: LookupKind> StepsPass<'_, '_, Sh, Lo> {
    #[inline(always)]
    fn steps<L: Level>(self, level: L) -> u64 {
        let Self { scene, span, work, .. } = self;
        let p = &scene.p;
        let per_axis = p.oversample.per_axis;
        let subpixels = SubpixelGrid::new(&p.panel, span.slow, per_axis);
        let shape = Sh::at(level, &p.crystallite);
        let mut lookup = Lo::at(level, &LookupTable { factors: p.structure_factors, plan: span.lookup });
        let nudge = level.splat(shape.nudge());
        let multiplies_terms = Accumulation::new(scene).multiplies_terms();
        let is_limited = p.d_min_m > 0.0;
        let neglect = scene.neglect.as_ref();
        let by_source = multiplies_terms || is_limited || neglect.is_some();
        let entries = p.orientations.entries();
        let mut batches = Batches::new();
        let chunk_len = if neglect.is_some() { CHUNK } else { entries.len().max(1) };
        // The grid whose nodes are saved.
        let mut saved = None;
        // The first sample starts the sum, or the first step of each source whose terms are multiplied. Neglected steps
        // start nothing.
        let mut summed = neglect.is_some();
        if multiplies_terms || neglect.is_some() {
            work.begin_sums(scene.background);
        }
        for (layer, sub_slow, sub_fast) in scene.samples() {
            run_geometry(GeometryPass {
                scene,
                span,
                grid: &subpixels,
                layer,
                sub_slow,
                sub_fast,
                work: &mut *work,
            });
            if let (Some(_), Some(kept)) = (neglect, &mut work.kept) {
                kept.aim(scene, &subpixels, span, (layer, sub_slow, sub_fast));
            }
            let mut next = 0;
            while let Some(SourceRun { first: source, sources, grid }) = scene.source_run(next, by_source) {
                next = source + sources.len();
                lookup.choose_grid(grid);
                if is_limited {
                    run_resolution(ResolutionPass { scene, source, span, work: &mut *work });
                }
                for chunk in entries.chunks(chunk_len) {
                    if let (Some(neglect), Some(kept)) = (neglect, &mut work.kept) {
                        run_neglect(NeglectPass { scene, neglect, source, chunk, kept });
                    }
                    for at in (0..span.count).step_by(L::F::LEN) {
                        if let (true, Some(samples)) = (saved == Some(grid), &work.samples) {
                            lookup.restore(&samples.nodes, at);
                        }
                        batches.begin(chunk);
                        while let Some(batch) = batches.next(work.kept.as_ref(), at, L::F::LEN) {
                            Self::block(scene, sources, &batch, work, &shape, &mut lookup, nudge, at, summed);
                        }
                        if let Some(samples) = &mut work.samples {
                            lookup.save(&mut samples.nodes, at);
                        }
                    }
                    saved = Some(grid);
                }
                summed = !multiplies_terms || neglect.is_some();
                if multiplies_terms {
                    run_terms(TermsPass { scene, source, span, left_out: 0.0, work: &mut *work });
                    if neglect.is_some() {
                        work.begin_sums_of_source();
                    }
                }
            }
        }
        lookup.fallbacks()
    }

    /// Sources and orientations for one vector of pixels.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn block<F: Lanes>(
        scene: &Scene<'_>,
        sources: &[Source],
        batch: &Batch<'_>,
        work: &mut Workspace,
        shape: &Sh::At<F>,
        lookup: &mut Lo::At<'_, F>,
        nudge: F,
        at: usize,
        summed: bool,
    ) {
        let level = nudge.level();
        let zero = level.splat(0.0);
        // With a resolution limit, the source leaves the sums of all other pixels as they are.
        let reached = work.reached(scene);
        let mut live = zero.lt(load(level, reached.unwrap_or(&work.live), at));
        let mut is_limited = reached.is_some();
        if F::LEN > BOX && batch.boxes != (1 << (F::LEN / BOX)) - 1 {
            // One of the two boxes.
            let first = level.ramp(0.0, f64::INFINITY).lt(level.splat(BOX as f64));
            live = live & if batch.boxes == 1 { first } else { !first };
            is_limited = true;
        }
        if !live.any() {
            if is_limited && !summed {
                store(level.splat(scene.background), &mut work.sum, at);
            }
            return;
        }
        // The reference skips a step with F_latt = 0 and no water; its sines are never exactly 0.
        let all_steps = scene.looks_up_dark_steps() || !Sh::SPARSE;
        // Nothing equals NaN, so that no step is skipped.
        let skipped = level.splat(if all_steps { f64::NAN } else { 0.0 });
        let [x, y, z] = &work.diffracted;
        let diffracted = LaneVec { x: load(level, x, at), y: load(level, y, at), z: load(level, z, at) };
        let mut sum = if summed { load(level, &work.sum, at) } else { level.splat(scene.background) };
        for source in sources {
            let q = scattering(diffracted, source);
            for orientation in batch.entries {
                let hkl = q.indices(orientation, nudge);
                let step = take_step::<F, Sh, _>(shape, lookup, hkl, live, skipped);
                if let Some(Step { amplitude, .. }) = step {
                    sum = amplitude.mul_add(amplitude, sum);
                }
            }
        }
        if is_limited {
            let before = if summed { load(level, &work.sum, at) } else { level.splat(scene.background) };
            sum = F::select(live, sum, before);
        }
        store(sum, &mut work.sum, at);
    }
}

/// A step that may add something to the sum.
pub(crate) struct Step<F: Lanes> {
    pub(crate) f_latt: F,
    /// Lanes that are looked up; F_latt is 0 in the others.
    pub(crate) active: F::Mask,
    /// F_latt F_cell.
    pub(crate) amplitude: F,
}

/// Evaluates a step at h, k, l for the `live` lanes; those of a sparse shape whose F_latt is `skipped` look nothing up. `None`
/// where the step adds nothing in any lane.
#[inline(always)]
pub(crate) fn take_step<F: Lanes, Sh: ShapeKind, K: Lookup<F>>(
    shape: &Sh::At<F>,
    lookup: &mut K,
    hkl: [F; 3],
    live: F::Mask,
    skipped: F,
) -> Option<Step<F>> {
    let (mut located, narrowed) = if Sh::NEEDS_PAIRS {
        lookup.locate_mixed(hkl)
    } else {
        // The shapes here do not use the narrowed offsets, so the compiler drops them.
        let located = lookup.locate(hkl);
        let narrowed = located.indices.narrowed();
        (located, narrowed)
    };
    // The lattice factor of a dense shape costs more than this test.
    if !Sh::SPARSE && located.is_zero() {
        return None;
    }
    let f_latt = shape.f_latt_narrowed(&located.indices, &narrowed);
    let mut active = live;
    if Sh::SPARSE {
        active = live & !f_latt.eq(skipped);
        if !active.any() {
            return None;
        }
    }
    Some(Step { f_latt, active, amplitude: f_latt * located.f_cell(active, 0) })
}

/// The pixels that a source reaches within the resolution limit, and the polarisation factor of those that it is
/// the first to reach.
pub(super) struct ResolutionPass<'c, 'a> {
    pub(super) scene: &'c Scene<'a>,
    pub(super) source: usize,
    pub(super) span: Span,
    pub(super) work: &'c mut Workspace,
}

impl WithSimd for ResolutionPass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, source, span, work } = self;
        let p = &scene.p;
        let (Some(samples), Some(source)) = (&mut work.samples, p.sources.get(source)) else { return };
        // With the flag, each source has its own factor.
        let polarization = p.polarization.filter(|_| !p.oversample.polar);
        let frame = polarization.map(|polarization| PolarizationFrame::new(&polarization, source.incident));
        let (zero, one) = (level.splat(0.0), level.splat(1.0));
        for at in (0..span.count).step_by(L::F::LEN) {
            let direction = direction(level, &work.diffracted, &work.inverse_distance, at);
            let live = zero.lt(load(level, &work.live, at));
            let reached = live & is_resolved(scattering(direction.diffracted, source), p.d_min_m);
            store(L::F::select(reached, one, zero), &mut samples.reached, at);
            let begun = load(level, &samples.begun, at);
            let first = reached & begun.eq(zero);
            if first.any() {
                store(L::F::select(first, one, begun), &mut samples.begun, at);
                if let Some(frame) = &frame {
                    let polar = load(level, &samples.polar, at);
                    store(L::F::select(first, direction.polarization(frame), polar), &mut samples.polar, at);
                }
            }
        }
    }
}

/// Out of line, as [`run_geometry`].
#[inline(never)]
pub(super) fn run_resolution(pass: ResolutionPass<'_, '_>) {
    pass.scene.p.simd.run(pass);
}

/// Multiplies the sums of a source and adds them to those of the sources before.
pub(super) struct TermsPass<'c, 'a> {
    pub(super) scene: &'c Scene<'a>,
    pub(super) source: usize,
    pub(super) span: Span,
    /// What each pixel's sum may leave out.
    pub(super) left_out: f64,
    pub(super) work: &'c mut Workspace,
}

impl WithSimd for TermsPass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, source, span, left_out, work } = self;
        let (p, accumulation) = (&scene.p, Accumulation::new(scene));
        let weight = scene.weight(source);
        let incident = p.sources.get(source).map(|source| source.incident);
        let polarization = p.polarization.filter(|_| p.oversample.polar).zip(incident);
        let frame =
            polarization.map(|(polarization, incident)| PolarizationFrame::new(&polarization, incident));
        let one = level.splat(1.0);
        for at in (0..span.count).step_by(L::F::LEN) {
            let mut factors = PixelFactors { capture: one, polarization: one, omega_sr: one };
            if let Some(samples) = &work.samples {
                if p.panel.sensor.layer_m > 0.0 {
                    factors.capture = load(level, &samples.capture, at);
                }
                factors.omega_sr = load(level, &samples.omega, at);
            }
            if let Some(frame) = &frame {
                let direction = direction(level, &work.diffracted, &work.inverse_distance, at);
                factors.polarization = direction.polarization(frame);
            }
            if let StepFactor::Terms(factor) = accumulation.step_factor(weight, factors) {
                let total = load(level, &work.sum, at).mul_add(factor, load(level, &work.total, at));
                store(total, &mut work.total, at);
                if let (true, Some(bound)) = (left_out > 0.0, &mut work.bound) {
                    let before = load(level, &bound.left_out, at);
                    store(level.splat(left_out).mul_add(factor, before), &mut bound.left_out, at);
                }
            }
        }
    }
}

/// Out of line, as [`run_geometry`].
#[inline(never)]
pub(super) fn run_terms(pass: TermsPass<'_, '_>) {
    pass.scene.p.simd.run(pass);
}

/// Which sums become pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    /// Those of the steps.
    OfSteps,
    /// The largest that they may be.
    Largest,
}

/// Third pass: sums to pixels.
pub(super) struct ScalingPass<'c, 'a, P> {
    pub(super) scene: &'c Scene<'a>,
    pub(super) work: &'c Workspace,
    pub(super) sums: Sums,
    pub(super) out: &'c mut [P],
}

impl<P: PixelValue> WithSimd for ScalingPass<'_, '_, P> {
    /// Sum of omega over pixels and samples, and whether any pixel is NaN.
    type Output = (f64, bool);

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> (f64, bool) {
        let Self { scene, work, sums, out } = self;
        let p = &scene.p;
        let panel = &p.panel;
        let sensor = &panel.sensor;
        let accumulation = Accumulation::new(scene);
        let sums = match (&work.bound, sums) {
            (Some(bound), Sums::Largest) => &bound.sum,
            _ if accumulation.multiplies_terms() => &work.total,
            _ => &work.sum,
        };
        let captures = sensor.layer_m > 0.0;
        let (zero, one, scale) = (level.splat(0.0), level.splat(1.0), level.splat(scene.scale));
        let mut omega_sum = zero;
        let mut nan = zero.lt(zero);
        for (block, out) in out.chunks_mut(L::F::LEN).enumerate() {
            let at = block * L::F::LEN;
            let live = load(level, &work.live, at);
            let mut factors = PixelFactors { capture: one, polarization: one, omega_sr: one };
            let mut water = zero;
            let omega_of_samples;
            if let Some(samples) = &work.samples {
                if captures {
                    factors.capture = load(level, &samples.capture, at);
                }
                if scene.polarization.is_some() {
                    factors.polarization = load(level, &samples.polar, at);
                }
                if scene.water > 0.0 {
                    water = load(level, &samples.background, at);
                }
                factors.omega_sr = load(level, &samples.omega, at);
                omega_of_samples = load(level, &samples.omega_sum, at);
            } else {
                let direction = direction(level, &work.diffracted, &work.inverse_distance, at);
                if captures {
                    factors.capture = direction.capture(panel, 0.0, sensor.layer_m, sensor.attenuation_per_m);
                }
                if let Some(frame) = &scene.polarization {
                    factors.polarization = direction.polarization(frame);
                }
                if scene.water > 0.0 {
                    water = background(scene, &direction);
                }
                factors.omega_sr = direction.omega_sr(panel);
                omega_of_samples = factors.omega_sr;
            }
            let (mut value, _) = accumulation.finish(scale, load(level, sums, at), factors);
            if scene.water > 0.0 {
                value = value + water;
            }
            let is_live = zero.lt(live);
            nan = nan | (is_live & !value.eq(value));
            omega_sum = omega_of_samples.mul_add(live, omega_sum);
            P::store(L::F::select(is_live, value, zero), out);
        }
        (omega_sum.to_array().as_ref().iter().sum(), nan.any())
    }
}

impl<'c, 'a, Sh: ShapeKind, Lo: LookupKind> StepsPass<'c, 'a, Sh, Lo> {
    pub(super) fn new(scene: &'c Scene<'a>, span: Span, work: &'c mut Workspace) -> Self {
        Self { scene, span, work, kinds: PhantomData }
    }
}
