//! The loop that most runs take: a span of a row in three passes, so that each keeps what it needs in registers.
//!
//! 1. [`Places`], once per thickness layer and subpixel: where the pixels are.
//! 2. [`Steps`], compiled for each shape and lookup: sources, phi steps and mosaic domains, added up.
//! 3. [`Scaling`]: sums to pixels, with their solid angle, capture and polarisation, which are those of the first sample.
//!
//! An index that is exactly an integer other than 0 gives NaN here. It is told, and the span rendered again by the
//! guarded loop, whose other pixels have the same bits.

use core::marker::PhantomData;

use super::geometry::{Direction, LaneVec, Subpixel, SubpixelGrid, scattering};
use super::{PixelValue, Scene, SpanReport, plan_of};
use crate::lanes::{BaseLevel, Doubled, Kernel, LaneMask, Lanes, Level};
use crate::lattice::{
    CrystalShape, GaussKind, Precision, RoundKind, Shape, ShapeKind, SquareKind, SquareMixedKind,
    SquareThinKind, TophatKind,
};
use crate::structure_factor::{
    Lookup, LookupKind, LookupPlan, LookupRule, LookupTable, NearestKind, TricubicKind, UniformKind,
};

/// Most pixels of a span: a multiple of the lanes of every level.
pub(crate) const SPAN: usize = 256;

/// A number per pixel of a span.
pub(crate) type PerPixel = [f64; SPAN];

/// What the passes leave for each other. Aligned, and in this order: vectors that straddle cache lines cost twice.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Workspace {
    /// 1 where a pixel is rendered, 0 where it is skipped and past the end of the span.
    pub(super) live: PerPixel,
    diffracted: [PerPixel; 3],
    inverse_distance: PerPixel,
    sum: PerPixel,
    /// Only where it is needed: all that a call has must be cleared.
    samples: Option<Samples>,
    /// If not 0: the first so many of `live` are 1, the others 0.
    unmasked: usize,
}

/// What several samples of a pixel, layers and subpixels, leave for each other and for the third pass.
#[derive(Debug)]
#[repr(align(64))]
struct Samples {
    omega: PerPixel,
    capture: PerPixel,
    polar: PerPixel,
    /// What [`Lookup::keep`] keeps.
    nodes: [PerPixel; 4],
}

impl Workspace {
    pub(super) const fn new() -> Self {
        const EMPTY: PerPixel = [0.0; SPAN];
        Self {
            live: EMPTY,
            diffracted: [EMPTY; 3],
            inverse_distance: EMPTY,
            sum: EMPTY,
            samples: None,
            unmasked: 0,
        }
    }

    /// Makes room for what several samples need. Out of line: on the way it takes as much of the stack again.
    #[inline(never)]
    fn make_room(&mut self) {
        if self.samples.is_none() {
            self.samples = Some(Samples::new());
        }
    }

    /// Selects the pixels of a span of `count` that `mask` does not skip; how many these are.
    pub(super) fn select(&mut self, count: usize, mask: Option<&[u16]>) -> u64 {
        let Some(mask) = mask else {
            // Mostly as the span before left it.
            if self.unmasked != count {
                self.live.fill(0.0);
                self.live.iter_mut().take(count).for_each(|live| *live = 1.0);
                self.unmasked = count;
            }
            return count as u64;
        };
        self.unmasked = 0;
        self.live.fill(0.0);
        self.live.iter_mut().take(count).zip(mask).for_each(|(live, &m)| *live = f64::from(u8::from(m != 0)));
        mask.iter().map(|&m| u64::from(m != 0)).sum()
    }
}

impl Samples {
    const fn new() -> Self {
        const EMPTY: PerPixel = [0.0; SPAN];
        Self { omega: EMPTY, capture: EMPTY, polar: EMPTY, nodes: [EMPTY; 4] }
    }
}

/// The lanes of `from` from pixel `at` on.
#[inline(always)]
pub(crate) fn get<L: Level>(level: L, from: &PerPixel, at: usize) -> L::F {
    level.load(from.get(at..).unwrap_or(&[]), 0.0)
}

/// Writes lanes to pixel `at` and those after it.
#[inline(always)]
pub(crate) fn put<F: Lanes>(lanes: F, to: &mut PerPixel, at: usize) {
    lanes.store(to.get_mut(at..).unwrap_or_default());
}

/// Pixels of a row, those of the workspace's `live`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) slow: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}

/// First pass, for one layer and subpixel.
struct Places<'c, 'a> {
    scene: &'c Scene<'a>,
    span: Span,
    grid: &'c SubpixelGrid,
    layer: usize,
    sub_slow: usize,
    sub_fast: usize,
    work: &'c mut Workspace,
}

impl Kernel for Places<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
        let Self { scene, span, grid, layer, sub_slow, sub_fast, work } = self;
        let detector = &scene.p.detector;
        let depth_m = layer as f64 * scene.p.sensor.layer_m;
        let line = grid.line(detector, sub_slow, depth_m);
        let is_first = sub_slow == 0 && sub_fast == 0;
        // Lanes past the last pixel repeat it.
        let last = level.splat((span.first + span.count) as f64 - 1.0);
        let stride = level.splat(L::F::LEN as f64);
        let mut next = level.ramp(span.first as f64, f64::INFINITY);
        let [to_x, to_y, to_z] = &mut work.diffracted;
        for at in (0..span.count).step_by(L::F::LEN) {
            let fast = next.min(last);
            next = next + stride;
            let direction = Subpixel::new(detector, grid, line, fast, sub_fast).direction;
            let LaneVec { x, y, z } = direction.diffracted;
            put(x, to_x, at);
            put(y, to_y, at);
            put(z, to_z, at);
            if is_first {
                put(direction.inverse_distance, &mut work.inverse_distance, at);
            }
        }
        // The third pass has them at hand where there is one sample.
        if is_first && work.samples.is_some() {
            Factors { scene, span, layer, work }.run(level);
        }
    }
}

/// What the first subpixel of a layer gives the whole pixel. A loop of its own: one long chain of arithmetic per vector
/// would leave the processor waiting.
struct Factors<'c, 'a> {
    scene: &'c Scene<'a>,
    span: Span,
    layer: usize,
    work: &'c mut Workspace,
}

impl Factors<'_, '_> {
    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
        let Self { scene, span, layer, work } = self;
        let (detector, sensor) = (&scene.p.detector, &scene.p.sensor);
        let depth_m = layer as f64 * sensor.layer_m;
        let next_depth_m = (layer + 1) as f64 * sensor.layer_m;
        let Workspace { diffracted, inverse_distance, samples: Some(samples), .. } = work else { return };
        for at in (0..span.count).step_by(L::F::LEN) {
            let direction = direction(level, diffracted, inverse_distance, at);
            if sensor.layer_m > 0.0 {
                let capture = direction.capture(detector, depth_m, next_depth_m, sensor.attenuation_per_m);
                put(capture, &mut samples.capture, at);
            }
            if layer > 0 {
                continue;
            }
            put(direction.omega_sr(detector), &mut samples.omega, at);
            if let Some(frame) = &scene.polarization {
                put(direction.polarization(frame), &mut samples.polar, at);
            }
        }
    }
}

/// The direction of the pixels from `at` on.
#[inline(always)]
fn direction<L: Level>(
    level: L,
    [x, y, z]: &[PerPixel; 3],
    inverse_distance: &PerPixel,
    at: usize,
) -> Direction<L::F> {
    let diffracted = LaneVec { x: get(level, x, at), y: get(level, y, at), z: get(level, z, at) };
    Direction { inverse_distance: get(level, inverse_distance, at), diffracted }
}

/// Out of line: once, not once for each shape and lookup.
#[inline(never)]
fn place(places: Places<'_, '_>) {
    places.scene.p.simd.run(places);
}

/// First and second pass.
struct Steps<'c, 'a, Sh, Lo> {
    scene: &'c Scene<'a>,
    span: Span,
    plan: LookupPlan,
    work: &'c mut Workspace,
    kinds: PhantomData<(Sh, Lo)>,
}

impl<Sh: ShapeKind, Lo: LookupKind> Kernel for Steps<'_, '_, Sh, Lo> {
    /// Interpolations that fell back.
    type Output = u64;

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) -> u64 {
        // Two vectors in flight hide each other's latencies.
        if Sh::NEEDS_PAIRS || Lo::PAIRS_WELL { self.steps(Doubled(level)) } else { self.steps(level) }
    }
}

impl<Sh: ShapeKind, Lo: LookupKind> Steps<'_, '_, Sh, Lo> {
    #[inline(always)]
    fn steps<L: Level>(self, level: L) -> u64 {
        let Self { scene, span, plan, work, .. } = self;
        let p = &scene.p;
        let per_axis = p.oversample.per_axis;
        let grid = SubpixelGrid::new(&p.detector, span.slow, per_axis);
        let shape = Sh::of(level, &p.lattice);
        let mut lookup = Lo::of(level, &LookupTable { factors: p.structure_factors, plan });
        let nudge = level.splat(shape.nudge());
        // The first sample starts the sum.
        let mut visited = false;
        for layer in 0..p.sensor.layers {
            for sub_slow in 0..per_axis {
                for sub_fast in 0..per_axis {
                    let grid = &grid;
                    place(Places { scene, span, grid, layer, sub_slow, sub_fast, work: &mut *work });
                    for at in (0..span.count).step_by(L::F::LEN) {
                        if let (true, Some(samples)) = (visited, &work.samples) {
                            lookup.resume(&samples.nodes, at);
                        }
                        Self::block(scene, work, &shape, &mut lookup, nudge, at, visited);
                        if let Some(samples) = &mut work.samples {
                            lookup.keep(&mut samples.nodes, at);
                        }
                    }
                    visited = true;
                }
            }
        }
        lookup.fallbacks()
    }

    /// Sources and orientations for one vector of pixels.
    #[inline(always)]
    fn block<F: Lanes>(
        scene: &Scene<'_>,
        work: &mut Workspace,
        shape: &Sh::Of<F>,
        lookup: &mut Lo::Of<'_, F>,
        nudge: F,
        at: usize,
        visited: bool,
    ) {
        let level = nudge.level();
        let zero = level.splat(0.0);
        let live = zero.lt(get(level, &work.live, at));
        if !live.any() {
            return;
        }
        let entries = scene.p.orientations.entries();
        // The reference leaves a step without F_latt and water out; its sines are never exactly 0.
        let all_steps = scene.p.water_m > 0.0 || !Sh::SPARSE;
        let [x, y, z] = &work.diffracted;
        let diffracted = LaneVec { x: get(level, x, at), y: get(level, y, at), z: get(level, z, at) };
        let mut sum = if visited { get(level, &work.sum, at) } else { level.splat(scene.background) };
        for source in scene.p.sources {
            let q = scattering(diffracted, source);
            for orientation in entries {
                let h = [
                    q.dot_nudged(orientation.a_m, nudge),
                    q.dot_nudged(orientation.b_m, nudge),
                    q.dot_nudged(orientation.c_m, nudge),
                ];
                let (indices, narrow) = if Sh::NEEDS_PAIRS {
                    lookup.place_mixed(h)
                } else {
                    // Nobody asks for what is narrowed here, so nothing is.
                    let indices = lookup.place(h);
                    (indices, indices.narrowed())
                };
                // The lattice factor of a dense shape costs more than asking.
                if !Sh::SPARSE && lookup.is_dark() {
                    continue;
                }
                let f_latt = shape.f_latt_narrowed(&indices, &narrow);
                let mut active = live;
                if Sh::SPARSE {
                    if !all_steps {
                        active = live & !f_latt.eq(zero);
                    }
                    if !active.any() {
                        continue;
                    }
                }
                let amplitude = f_latt * lookup.f_cell(&indices, active, 0);
                sum = amplitude.mul_add(amplitude, sum);
            }
        }
        put(sum, &mut work.sum, at);
    }
}

/// Third pass.
struct Scaling<'c, 'a, P> {
    scene: &'c Scene<'a>,
    work: &'c Workspace,
    out: &'c mut [P],
}

impl<P: PixelValue> Kernel for Scaling<'_, '_, P> {
    /// Sum of omega, and whether any pixel is NaN.
    type Output = (f64, bool);

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) -> (f64, bool) {
        let Self { scene, work, out } = self;
        let p = &scene.p;
        let (detector, sensor) = (&p.detector, &p.sensor);
        let (zero, scale) = (level.splat(0.0), level.splat(scene.scale));
        let mut omega_sum = zero;
        let mut nan = zero.lt(zero);
        for (block, out) in out.chunks_mut(L::F::LEN).enumerate() {
            let at = block * L::F::LEN;
            let live = get(level, &work.live, at);
            let mut value = scale * get(level, &work.sum, at);
            let omega = if let Some(samples) = &work.samples {
                if sensor.layer_m > 0.0 {
                    value = value * get(level, &samples.capture, at);
                }
                if scene.polarization.is_some() {
                    value = value * get(level, &samples.polar, at);
                }
                get(level, &samples.omega, at)
            } else {
                let direction = direction(level, &work.diffracted, &work.inverse_distance, at);
                if sensor.layer_m > 0.0 {
                    let capture = direction.capture(detector, 0.0, sensor.layer_m, sensor.attenuation_per_m);
                    value = value * capture;
                }
                if let Some(frame) = &scene.polarization {
                    value = value * direction.polarization(frame);
                }
                direction.omega_sr(detector)
            };
            value = value * omega;
            let is_live = zero.lt(live);
            nan = nan | (is_live & !value.eq(value));
            omega_sum = omega.mul_add(live, omega_sum);
            P::store(L::F::select(is_live, value, zero), out);
        }
        (omega_sum.to_array().as_ref().iter().sum(), nan.any())
    }
}

/// Renders a span; `None` where an index was exactly an integer.
pub(super) fn render<P: PixelValue>(
    scene: &Scene<'_>,
    span: Span,
    lookup: LookupRule,
    work: &mut Workspace,
    out: &mut [P],
) -> Option<SpanReport> {
    let plan = plan_of(scene, lookup, u64::MAX);
    if scene.p.sensor.layers > 1 || scene.p.oversample.per_axis > 1 {
        work.make_room();
    }
    let fallbacks = steps(scene, span, plan, work);
    let (omega_sum_sr, any_nan) = scene.p.simd.run(Scaling { scene, work, out });
    let per_axis = scene.p.oversample.per_axis as f64;
    let evaluations = scene.p.sensor.layers as f64 * per_axis * per_axis;
    (!any_nan).then_some(SpanReport { omega_sum_sr: omega_sum_sr * evaluations, fallbacks })
}

/// The second pass compiled for the scene's shape and lookup.
fn steps(scene: &Scene<'_>, span: Span, plan: LookupPlan, work: &mut Workspace) -> u64 {
    macro_rules! run {
        ($shape:ty, $lookup:ty) => {
            scene.p.simd.run(Steps::<$shape, $lookup> { scene, span, plan, work, kinds: PhantomData })
        };
    }
    macro_rules! with_shape {
        ($square:ident, $lookup:ty) => {
            match scene.shape() {
                CrystalShape::Square => $square!($lookup),
                CrystalShape::Round => run!(RoundKind, $lookup),
                CrystalShape::Gauss => run!(GaussKind, $lookup),
                CrystalShape::Tophat => run!(TophatKind, $lookup),
            }
        };
    }
    let thin = scene.p.lattice.is_thin();
    macro_rules! square {
        ($lookup:ty) => {
            if thin { run!(SquareThinKind, $lookup) } else { run!(SquareKind, $lookup) }
        };
    }
    macro_rules! either_square {
        ($lookup:ty) => {
            match scene.lattice_precision() {
                Precision::Double => square!($lookup),
                Precision::Mixed => run!(SquareMixedKind, $lookup),
            }
        };
    }
    match plan {
        LookupPlan::Nearest => with_shape!(either_square, NearestKind),
        LookupPlan::Tricubic { .. } => with_shape!(square, TricubicKind),
        LookupPlan::Uniform | LookupPlan::LatchScan => with_shape!(either_square, UniformKind),
    }
}
