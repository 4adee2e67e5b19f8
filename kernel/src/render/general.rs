//! The loop that does everything, for what most runs do without: the oversample flags, the resolution limit, a pixel
//! whose first sweep opens its stream, exactly integer indices, the search for the latch, someone who watches.
//!
//! Compiled once per level: shape and lookup are told apart at every step.

use super::geometry::{LaneVec, PolarizationFrame, Subpixel, SubpixelGrid, scattering};
use super::plain::SPAN;
use super::probe::Watch;
use super::{Scene, plan_of};
use crate::lanes::{BaseLevel, Kernel, LaneMask, Lanes, Level};
use crate::lattice::{AnyShape, CrystalShape, Indices, Shape};
use crate::rotation::Orientation;
use crate::structure_factor::{AnyLookup, Lookup, LookupPlan, LookupRule, LookupTable};

/// A span of a row, and what is special about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpanRequest<'r> {
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
pub(super) struct SpanReport {
    pub(super) omega_sum_sr: f64,
    pub(super) fallbacks: u64,
}

/// Where the loop is, and what it just computed: for [`Watch`].
pub(super) struct TappedStep<'t, F> {
    pub(super) layer: usize,
    /// (slow, fast).
    pub(super) subpixel: (usize, usize),
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

/// The loop over one span.
struct General<'c, 'a, 'w> {
    scene: &'c Scene<'a>,
    request: &'c SpanRequest<'c>,
    plan: LookupPlan,
    values: &'c mut [f64],
    extras: Extras<'c, 'w>,
}

/// What the general loop may tell beside pixels.
#[derive(Default)]
struct Extras<'e, 'w> {
    /// Who watches.
    watch: Option<&'e mut Watch<'w>>,
    /// Per pixel the first evaluation that cannot interpolate, for the scan.
    first_fallback: Option<&'e mut [f64]>,
}

impl Kernel for General<'_, '_, '_> {
    type Output = SpanReport;

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) -> SpanReport {
        let Self { scene, request, plan, values, mut extras } = self;
        let table = LookupTable { factors: scene.p.structure_factors, plan };
        let common = Common::new(scene, request);
        let shape = AnyShape::new(level, &scene.p.lattice, scene.lattice_precision());
        let mut lookup = AnyLookup::new(level, &table);
        let lanes = L::F::LEN;
        let last = (request.first + request.live.len()) as f64 - 1.0;
        let mut omega_sum = level.splat(0.0);
        let blocks = values.chunks_mut(lanes).zip(request.live.chunks(lanes));
        for (block, (out, live)) in blocks.enumerate() {
            let live = level.load(live, 0.0);
            let is_live = level.splat(0.0).lt(live);
            if !is_live.any() {
                continue;
            }
            let fast = level.ramp((request.first + block * lanes) as f64, last);
            let (value, omega) =
                block_of_pixels::<L>(scene, &common, &shape, &mut lookup, fast, is_live, &mut extras);
            omega_sum = omega.mul_add(live, omega_sum);
            value.store(out);
            if let (Some(found), Some(first)) =
                (extras.first_fallback.as_deref_mut(), lookup.take_first_fallback())
                && let Some(found) = found.get_mut(block * lanes..)
            {
                first.store(found);
            }
        }
        let omega_sum_sr = omega_sum.to_array().as_ref().iter().sum();
        SpanReport { omega_sum_sr, fallbacks: lookup.fallbacks() }
    }
}

/// What the pixels of a span have in common.
struct Common {
    subpixels: SubpixelGrid,
    /// What the first sweep finds at phi == 0.
    opening: Option<Orientation>,
}

impl Common {
    #[inline(always)]
    fn new(scene: &Scene<'_>, request: &SpanRequest<'_>) -> Self {
        let p = &scene.p;
        let subpixels = SubpixelGrid::new(&p.detector, request.slow, p.oversample.per_axis);
        Self { subpixels, opening: request.opening }
    }
}

/// The pixels of one vector: their values, and omega summed over layers and subpixels.
#[inline(always)]
fn block_of_pixels<L: Level>(
    scene: &Scene<'_>,
    common: &Common,
    shape: &AnyShape<L::F>,
    lookup: &mut AnyLookup<'_, L::F>,
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
    // The sines of the reference are never exactly 0: a step without water is left out for sparse shapes only. Who watches
    // is told of those too; they add nothing.
    let all_steps = extras.watch.is_some()
        || p.water_m > 0.0
        || matches!(p.lattice.shape, CrystalShape::Square | CrystalShape::Round);

    let mut sum = level.splat(scene.background);
    let mut omega = zero;
    let mut omega_sum = zero;
    let mut capture = one;
    let mut polar = one;
    // Lanes that have had their first source: their polarisation is set, their stream is open.
    let mut begun = zero.lt(zero);
    let mut evaluation = 0u64;

    let per_axis = flags.per_axis;
    let nudge = level.splat(shape.nudge());
    for layer in 0..p.sensor.layers {
        let depth_m = layer as f64 * p.sensor.layer_m;
        let next_depth_m = (layer + 1) as f64 * p.sensor.layer_m;
        for sub_slow in 0..per_axis {
            let line = common.subpixels.line(detector, sub_slow, depth_m);
            for sub_fast in 0..per_axis {
                let first_sub = sub_slow == 0 && sub_fast == 0;
                let place = Subpixel::new(detector, &common.subpixels, line, fast, sub_fast);
                if (layer == 0 && first_sub) || flags.omega {
                    omega = place.direction.omega_sr(detector);
                }
                omega_sum = omega_sum + omega;
                if p.sensor.layer_m > 0.0 && (first_sub || flags.thick) {
                    capture =
                        place.direction.capture(detector, depth_m, next_depth_m, p.sensor.attenuation_per_m);
                }
                for (source_index, source) in p.sources.iter().enumerate() {
                    let q = scattering(place.direction.diffracted, source);
                    let run = if p.d_min_m > 0.0 {
                        live & !(one / q.dot(q).sqrt()).lt(level.splat(p.d_min_m))
                    } else {
                        live
                    };
                    if !run.any() {
                        evaluation += entries.len() as u64;
                        continue;
                    }
                    let first = layer == 0 && first_sub && source_index == 0;
                    if flags.polar || p.d_min_m > 0.0 {
                        if let Some(polarization) = &p.polarization {
                            let frame = PolarizationFrame::new(polarization, source.incident);
                            let lanes = if flags.polar { run } else { run & !begun };
                            polar = L::F::select(lanes, place.direction.polarization(&frame), polar);
                        }
                    } else if first && let Some(frame) = &scene.polarization {
                        polar = place.direction.polarization(frame);
                    }
                    let opening = common.opening.filter(|_| !begun.any());
                    begun = begun | run;

                    for (entry, steady) in entries.iter().enumerate() {
                        let opened = match (opening, domains.get(entry % domains.len().max(1))) {
                            (Some(vectors), Some(domain)) if entry < carried => {
                                Some(vectors.in_domain(domain))
                            }
                            _ => None,
                        };
                        let orientation = opened.as_ref().unwrap_or(steady);
                        let indices = lookup.place([
                            q.dot_nudged(orientation.a_m, nudge),
                            q.dot_nudged(orientation.b_m, nudge),
                            q.dot_nudged(orientation.c_m, nudge),
                        ]);
                        let f_latt = shape.f_latt::<true>(&indices);
                        let active = if all_steps { run } else { run & !f_latt.eq(zero) };
                        if !active.any() {
                            evaluation += 1;
                            continue;
                        }
                        let f_cell = lookup.f_cell(&indices, active, evaluation);
                        evaluation += 1;
                        let amplitude = f_latt * f_cell;
                        let mut added = amplitude.mul_add(amplitude, sum);
                        if flags.thick {
                            added = added * capture;
                        }
                        if flags.polar {
                            added = added * polar;
                        }
                        if flags.omega {
                            added = added * omega;
                        }
                        sum = L::F::select(active, added, sum);
                        if let Some(watch) = extras.watch.as_deref_mut() {
                            watch.step(&TappedStep {
                                layer,
                                subpixel: (sub_slow, sub_fast),
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
    if let Some(watch) = extras.watch.as_deref_mut() {
        watch.pixel(&TappedPixel { value, sum, polar, omega, capture });
    }
    (value, omega_sum)
}

fn run(
    scene: &Scene<'_>,
    request: &SpanRequest<'_>,
    plan: LookupPlan,
    values: &mut [f64],
    extras: Extras<'_, '_>,
) -> SpanReport {
    scene.p.simd.run(General { scene, request, plan, values, extras })
}

/// The general loop over a span.
pub(super) fn render(
    scene: &Scene<'_>,
    request: &SpanRequest<'_>,
    lookup: LookupRule,
    values: &mut [f64],
) -> SpanReport {
    run(scene, request, plan_of(scene, lookup, request.until), values, Extras::default())
}

/// The general loop over one pixel, watched.
pub(super) fn render_watched(
    scene: &Scene<'_>,
    request: &SpanRequest<'_>,
    lookup: LookupRule,
    watch: &mut Watch<'_>,
) {
    let extras = Extras { watch: Some(watch), first_fallback: None };
    run(scene, request, plan_of(scene, lookup, request.until), &mut [0.0], extras);
}

/// The first pixel of a span, and its first evaluation, that cannot interpolate.
pub(super) fn scan_latch(scene: &Scene<'_>, request: &SpanRequest<'_>) -> Option<(usize, u64)> {
    let (mut values, mut first) = ([0.0; SPAN], [f64::INFINITY; SPAN]);
    let values = values.get_mut(..request.live.len())?;
    let extras = Extras { watch: None, first_fallback: Some(&mut first) };
    run(scene, request, LookupPlan::LatchScan, values, extras);
    let mut found = first.iter().zip(request.live).enumerate();
    let (i, (&evaluation, _)) = found.find(|(_, (first, live))| first.is_finite() && **live != 0.0)?;
    Some((request.first + i, evaluation as u64))
}
