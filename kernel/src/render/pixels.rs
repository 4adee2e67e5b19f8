//! The loop over layers, subpixels, sources and orientations, for one span of a row.

use super::Scene;
use super::geometry::{LaneVec, Subpixel, SubpixelIndex};
use super::probe::Watch;
use crate::lanes::{BaseLevel, Doubled, Kernel, LaneMask, Lanes, Level};
use crate::lattice::{
    AnyShapeKind, CrystalShape, GaussKind, Indices, Precision, RoundKind, Shape, ShapeKind, SquareKind,
    SquareMixedKind, TophatKind,
};
use crate::rotation::Orientation;
use crate::structure_factor::{
    AnyLookupKind, Lookup, LookupKind, LookupPlan, LookupRule, LookupTable, NearestKind, TricubicKind,
    UniformKind,
};
use core::marker::PhantomData;

/// Most pixels of a span.
pub(super) const CHUNK: usize = 256;

/// A span of a row, and what is special about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkRequest<'r> {
    /// Row.
    pub(super) slow: usize,
    /// First column.
    pub(super) first: usize,
    /// A number per pixel: 1 where it is rendered, 0 where it is skipped.
    pub(super) live: &'r [f64],
    /// What the first sweep of the pixel finds at phi == 0; for a span of one pixel.
    pub(super) opening: Option<Orientation>,
    /// The evaluation that ends interpolation; for a span of one pixel.
    pub(super) until: u64,
}

/// What a span adds up beside its pixels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ChunkReport {
    pub(super) omega_sum_sr: f64,
    pub(super) fallbacks: u64,
}

/// Where the loop is, and what it just computed: for [`Watch`].
pub(super) struct TappedStep<'t, F> {
    pub(super) layer: usize,
    pub(super) subpixel: SubpixelIndex,
    pub(super) source: usize,
    pub(super) entry: usize,
    pub(super) orientation: &'t Orientation,
    pub(super) place: &'t Subpixel<F>,
    pub(super) scattering: &'t LaneVec<F>,
    pub(super) indices: &'t Indices<F>,
    pub(super) f_latt: F,
    pub(super) f_cell: F,
    pub(super) sum: F,
}

/// A finished pixel.
pub(super) struct TappedPixel<F> {
    pub(super) value: F,
    pub(super) sum: F,
    pub(super) polar: F,
    pub(super) omega: F,
    pub(super) capture: F,
}

/// The loop for one shape and lookup; `GENERAL` adds what most runs do without: the oversample flags, the resolution
/// limit, the opening sweep, the guard against exactly integer indices, someone who watches.
struct Chunk<'c, 'a, 'w, Sh, Lo, const GENERAL: bool> {
    scene: &'c Scene<'a>,
    request: &'c ChunkRequest<'c>,
    plan: LookupPlan,
    values: &'c mut [f64],
    extras: Extras<'c, 'w>,
    kinds: PhantomData<(Sh, Lo)>,
}

/// What the general loop may tell beside pixels.
#[derive(Default)]
struct Extras<'e, 'w> {
    /// Who watches.
    watch: Option<&'e mut Watch<'w>>,
    /// Per pixel the first evaluation that cannot interpolate, for the scan.
    first_fallback: Option<&'e mut [f64]>,
}

impl<Sh: ShapeKind, Lo: LookupKind, const GENERAL: bool> Kernel for Chunk<'_, '_, '_, Sh, Lo, GENERAL> {
    type Output = ChunkReport;

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) -> ChunkReport {
        // Two vectors in flight hide each other's latencies.
        if Sh::NEEDS_PAIRS || Lo::PAIRS_WELL { self.blocks(Doubled(level)) } else { self.blocks(level) }
    }
}

impl<Sh: ShapeKind, Lo: LookupKind, const GENERAL: bool> Chunk<'_, '_, '_, Sh, Lo, GENERAL> {
    #[inline(always)]
    fn blocks<L: Level>(self, level: L) -> ChunkReport {
        let Self { scene, request, plan, values, mut extras, .. } = self;
        // A caller's opening vectors may be of any length: they are outside the bounds of the table's.
        let largest = if request.opening.is_some() { [f64::INFINITY; 3] } else { scene.largest_index };
        let table = LookupTable { factors: scene.p.structure_factors, largest, plan };
        let shape = Sh::of(level, &scene.p.lattice, scene.precision);
        let mut lookup = Lo::of(level, &table);
        let lanes = L::F::LEN;
        let last = (request.first + request.live.len()) as f64 - 1.0;
        let mut omega_sum = level.splat(0.0);
        let spans = values.chunks_mut(lanes).zip(request.live.chunks(lanes));
        for (block, (out, live)) in spans.enumerate() {
            let live = level.load(live, 0.0);
            let is_live = level.splat(0.0).lt(live);
            if !is_live.any() {
                continue;
            }
            let start = request.first + block * lanes;
            let fast = level.ramp(start as f64, last);
            let (value, omega) = block_of_pixels::<L, Sh, _, GENERAL>(
                scene,
                request,
                &shape,
                &mut lookup,
                fast,
                is_live,
                &mut extras,
            );
            omega_sum = omega.mul_add(live, omega_sum);
            for (out, value) in out.iter_mut().zip(value.to_array().as_ref()) {
                *out = *value;
            }
            if GENERAL
                && let (Some(found), Some(first)) =
                    (extras.first_fallback.as_deref_mut(), lookup.take_first_fallback())
            {
                let found = found.iter_mut().skip(block * lanes);
                found.zip(first.to_array().as_ref()).for_each(|(found, &first)| *found = first);
            }
        }
        let omega_sum_sr = omega_sum.to_array().as_ref().iter().sum();
        ChunkReport { omega_sum_sr, fallbacks: lookup.fallbacks() }
    }
}

/// The pixels of one vector: their values, and omega summed over layers and subpixels.
#[inline(always)]
fn block_of_pixels<L: Level, Sh: ShapeKind, Lo: Lookup<L::F>, const GENERAL: bool>(
    scene: &Scene<'_>,
    request: &ChunkRequest<'_>,
    shape: &Sh::Of<L::F>,
    lookup: &mut Lo,
    fast: L::F,
    live: <L::F as Lanes>::Mask,
    extras: &mut Extras<'_, '_>,
) -> (L::F, L::F) {
    let level = fast.level();
    let (zero, one) = (level.splat(0.0), level.splat(1.0));
    let p = &scene.p;
    let detector = &p.detector;
    let flags = p.oversample;
    let entries = p.orientations.entries();
    let domains = p.orientations.domains();
    let carried = p.orientations.sweep().carried_steps() * domains.len();
    // The sines of the reference are never exactly 0: a step without water is left out for sparse shapes only.
    let all_steps = p.water_m > 0.0 || matches!(p.lattice.shape, CrystalShape::Square | CrystalShape::Round);

    let mut sum = level.splat(scene.background);
    let mut omega = zero;
    let mut omega_sum = zero;
    let mut capture = one;
    let mut polar = one;
    // Lanes that have had their first source: their polarisation is set, their stream is open.
    let mut begun = zero.lt(zero);
    let mut evaluation = 0u64;

    for layer in 0..p.sensor.layers {
        let depth_m = layer as f64 * p.sensor.layer_m;
        let next_depth_m = (layer + 1) as f64 * p.sensor.layer_m;
        for (sub_slow, sub_fast) in subpixels(flags.per_axis) {
            let index = SubpixelIndex { depth_m, slow: sub_slow, fast: sub_fast, per_axis: flags.per_axis };
            let first_sub = sub_slow == 0 && sub_fast == 0;
            let place = Subpixel::new(detector, request.slow, fast, index);
            if (layer == 0 && first_sub) || flags.omega {
                omega = place.omega_sr(detector);
            }
            omega_sum = omega_sum + omega;
            if p.sensor.layer_m > 0.0 && (first_sub || flags.thick) {
                capture = place.capture(detector, depth_m, next_depth_m, p.sensor.attenuation_per_m);
            }
            for (source_index, source) in p.sources.iter().enumerate() {
                let q = place.scattering(source);
                let run = if GENERAL && p.d_min_m > 0.0 {
                    live & !(one / q.dot(q).sqrt()).lt(level.splat(p.d_min_m))
                } else {
                    live
                };
                if GENERAL && !run.any() {
                    evaluation += entries.len() as u64;
                    continue;
                }
                if let Some(polarization) = &p.polarization {
                    let first = layer == 0 && first_sub && source_index == 0;
                    if flags.polar {
                        polar = L::F::select(run, place.polarization(polarization, source), polar);
                    } else if first || (GENERAL && p.d_min_m > 0.0) {
                        let unset = run & !begun;
                        polar = L::F::select(unset, place.polarization(polarization, source), polar);
                    }
                }
                let opening = if GENERAL { request.opening.filter(|_| !begun.any()) } else { None };
                begun = begun | run;

                for (entry, steady) in entries.iter().enumerate() {
                    let opened = match (opening, domains.get(entry % domains.len().max(1))) {
                        (Some(vectors), Some(domain)) if entry < carried => Some(vectors.in_domain(domain)),
                        _ => None,
                    };
                    let orientation = if GENERAL { opened.as_ref().unwrap_or(steady) } else { steady };
                    let indices = Indices::new([
                        q.dot_scalar(orientation.a_m),
                        q.dot_scalar(orientation.b_m),
                        q.dot_scalar(orientation.c_m),
                    ]);
                    let f_latt = if GENERAL {
                        shape.f_latt::<true>(&indices)
                    } else {
                        shape.f_latt::<false>(&indices)
                    };
                    let active = if GENERAL || Lo::NEEDS_ACTIVE || Sh::SPARSE {
                        if all_steps { run } else { run & !f_latt.eq(zero) }
                    } else {
                        run
                    };
                    if (GENERAL || Sh::SPARSE) && !active.any() {
                        evaluation += 1;
                        continue;
                    }
                    let f_cell = lookup.f_cell(&indices, active, evaluation);
                    evaluation += 1;
                    let amplitude = f_latt * f_cell;
                    let mut added = amplitude.mul_add(amplitude, sum);
                    if GENERAL {
                        if flags.thick {
                            added = added * capture;
                        }
                        if flags.polar {
                            added = added * polar;
                        }
                        if flags.omega {
                            added = added * omega;
                        }
                        added = L::F::select(active, added, sum);
                    }
                    sum = added;
                    if GENERAL && let Some(watch) = extras.watch.as_deref_mut() {
                        watch.step(&TappedStep {
                            layer,
                            subpixel: index,
                            source: source_index,
                            entry,
                            orientation,
                            place: &place,
                            scattering: &q,
                            indices: &indices,
                            f_latt,
                            f_cell,
                            sum,
                        });
                    }
                }
            }
        }
    }
    let mut value = level.splat(scene.scale) * sum;
    if !flags.thick {
        value = value * capture;
    }
    if !flags.polar {
        value = value * polar;
    }
    if !flags.omega {
        value = value * omega;
    }
    if GENERAL && let Some(watch) = extras.watch.as_deref_mut() {
        watch.pixel(&TappedPixel { value, sum, polar, omega, capture });
    }
    (value, omega_sum)
}

/// Subpixels (slow, fast) of a pixel, fast innermost.
#[inline(always)]
pub(super) fn subpixels(per_axis: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..per_axis).flat_map(move |slow| (0..per_axis).map(move |fast| (slow, fast)))
}

fn plan(scene: &Scene<'_>, lookup: LookupRule, until: u64) -> LookupPlan {
    match (scene.grid(), lookup) {
        (None, _) => LookupPlan::Uniform,
        (Some(_), LookupRule::Nearest) => LookupPlan::Nearest,
        (Some(_), LookupRule::Tricubic | LookupRule::TricubicUntil(_)) => LookupPlan::Tricubic { until },
    }
}

/// The plain loop over a span, compiled for its shape and lookup.
pub(super) fn render_plain(
    scene: &Scene<'_>,
    request: &ChunkRequest<'_>,
    lookup: LookupRule,
    values: &mut [f64],
) -> ChunkReport {
    let plan = plan(scene, lookup, request.until);
    macro_rules! run {
        ($shape:ty, $lookup:ty) => {
            scene.p.simd.run(Chunk::<$shape, $lookup, false> {
                scene,
                request,
                plan,
                values,
                extras: Extras::default(),
                kinds: PhantomData,
            })
        };
    }
    macro_rules! with_shape {
        ($lookup:ty) => {
            match scene.shape() {
                CrystalShape::Square if scene.precision == Precision::Mixed => run!(SquareMixedKind, $lookup),
                CrystalShape::Square => run!(SquareKind, $lookup),
                CrystalShape::Round => run!(RoundKind, $lookup),
                CrystalShape::Gauss => run!(GaussKind, $lookup),
                CrystalShape::Tophat => run!(TophatKind, $lookup),
            }
        };
    }
    match plan {
        LookupPlan::Uniform => with_shape!(UniformKind),
        LookupPlan::Nearest => with_shape!(NearestKind),
        LookupPlan::Tricubic { .. } => with_shape!(TricubicKind),
        LookupPlan::LatchScan => render_general(scene, request, plan, values, Extras::default()),
    }
}

fn render_general(
    scene: &Scene<'_>,
    request: &ChunkRequest<'_>,
    plan: LookupPlan,
    values: &mut [f64],
    extras: Extras<'_, '_>,
) -> ChunkReport {
    let kinds = PhantomData;
    scene.p.simd.run(Chunk::<AnyShapeKind, AnyLookupKind, true> {
        scene,
        request,
        plan,
        values,
        extras,
        kinds,
    })
}

/// The general loop over a span.
pub(super) fn render_special(
    scene: &Scene<'_>,
    request: &ChunkRequest<'_>,
    lookup: LookupRule,
    values: &mut [f64],
) -> ChunkReport {
    render_general(scene, request, plan(scene, lookup, request.until), values, Extras::default())
}

/// The general loop over one pixel, watched.
pub(super) fn render_watched(
    scene: &Scene<'_>,
    request: &ChunkRequest<'_>,
    lookup: LookupRule,
    watch: &mut Watch<'_>,
) {
    let extras = Extras { watch: Some(watch), first_fallback: None };
    render_general(scene, request, plan(scene, lookup, request.until), &mut [0.0], extras);
}

/// The first pixel of a span, and its first evaluation, that cannot interpolate.
pub(super) fn scan_latch(scene: &Scene<'_>, request: &ChunkRequest<'_>) -> Option<(usize, u64)> {
    let (mut values, mut first) = ([0.0; CHUNK], [f64::INFINITY; CHUNK]);
    let values = values.get_mut(..request.live.len())?;
    let extras = Extras { watch: None, first_fallback: Some(&mut first) };
    render_general(scene, request, LookupPlan::LatchScan, values, extras);
    let mut found = first.iter().zip(request.live).enumerate();
    let (i, (&evaluation, _)) = found.find(|(_, (first, live))| first.is_finite() && **live != 0.0)?;
    Some((request.first + i, evaluation as u64))
}
