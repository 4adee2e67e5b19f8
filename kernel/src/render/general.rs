//! The loop that does everything, for what most runs do without: the oversample flags, the resolution limit, a pixel
//! whose first sweep opens its stream, exactly integer indices, the search for the latch, someone who watches, derivatives.
//!
//! For rendering it is compiled once per level: shape and lookup are told apart at every step.

use super::geometry::{LaneVec, Subpixel, SubpixelGrid, scattering};
use super::plain::SPAN;
use super::probe::Watch;
use super::{Scene, plan_of};
use crate::beam::{PolarizationFrame, Source};
use crate::detector::Detector;
use crate::lanes::{BaseLevel, Kernel, LaneMask, Lanes, Level};
use crate::lattice::{AnyShape, CrystalShape, Indices, LatticeSlopes, SmoothShape};
use crate::rotation::Orientation;
use crate::structure_factor::{AnyLookup, Lookup, LookupPlan, LookupRule, LookupTable};

/// A span of a row, and what is special about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanRequest<'r> {
    /// Row.
    pub(crate) slow: usize,
    /// First column.
    pub(crate) first: usize,
    /// A number per pixel: 1 where it is rendered, 0 where it is skipped.
    pub(crate) live: &'r [f64],
    /// What the first sweep of the pixel finds at phi == 0; for a span of one pixel.
    pub(crate) opening: Option<Orientation>,
    /// The evaluation that ends interpolation; for a span of one pixel.
    pub(crate) until: u64,
}

/// What a span adds up beside its pixels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SpanReport {
    pub(super) omega_sum_sr: f64,
    pub(super) fallbacks: u64,
}

/// Where the loop is, and what it just computed.
pub(crate) struct TappedStep<'t, F: Lanes> {
    pub(crate) layer: usize,
    /// (slow, fast).
    pub(crate) subpixel: (usize, usize),
    pub(crate) source: usize,
    pub(crate) entry: usize,
    /// Evaluations of the pixel before this one.
    pub(crate) evaluation: u64,
    pub(crate) orientation: &'t Orientation,
    /// Whether the vectors are those that an opening sweep finds.
    pub(crate) opened: bool,
    pub(crate) place: &'t Subpixel<F>,
    pub(crate) scattering: &'t LaneVec<F>,
    pub(crate) indices: &'t Indices<F>,
    /// Lanes that have the step.
    pub(crate) active: F::Mask,
    /// F_latt; its derivatives are 0 unless [`Visit::SLOPES`].
    pub(crate) lattice: LatticeSlopes<F>,
    pub(crate) f_cell: F,
    /// Derivatives of F_cell by h, k, l, likewise.
    pub(crate) f_cell_slopes: [F; 3],
    /// What the running sum is multiplied by; none: no oversample flag is set.
    pub(crate) factor: Option<F>,
    pub(crate) sum: F,
}

/// A finished pixel.
pub(crate) struct TappedPixel<F> {
    pub(crate) value: F,
    pub(crate) sum: F,
    pub(crate) polar: F,
    pub(crate) omega: F,
    pub(crate) capture: F,
    /// Value over sum: the scale, and the factors whose flags are not set.
    pub(crate) weight: F,
}

/// A subpixel of each lane's pixel.
pub(crate) struct Site<'t, F> {
    pub(crate) detector: &'t Detector,
    pub(crate) place: &'t Subpixel<F>,
    pub(crate) along_slow_m: f64,
    pub(crate) depth_m: f64,
}

/// Who is told what the loop computes. What is not used costs nothing.
pub(crate) trait Visit<F: Lanes> {
    /// Whether steps come with derivatives.
    const SLOPES: bool;
    /// Whether steps without F_latt are told as well.
    #[inline(always)]
    fn wants_all_steps(&self) -> bool {
        false
    }
    /// The solid angle has been taken at `site`.
    #[inline(always)]
    fn omega(&mut self, _site: &Site<'_, F>) {}
    /// The captured share of a layer of some thickness, in m, that begins at the depth of `site`.
    #[inline(always)]
    fn capture(&mut self, _site: &Site<'_, F>, _layer_m: f64, _attenuation_per_m: f64) {}
    /// The polarisation factor has been taken at `site` for `lanes`.
    #[inline(always)]
    fn polar(&mut self, _site: &Site<'_, F>, _frame: &PolarizationFrame, _lanes: F::Mask) {}
    /// The sweep of a source begins, whose steps multiply the sum by `factor`.
    #[inline(always)]
    fn begin_source(&mut self, _factor: Option<F>) {}
    /// A step has been added.
    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, _step: &TappedStep<'_, F>, _lookup: &K) {}
    /// The sweep of a source has ended.
    #[inline(always)]
    fn end_source(&mut self, _source: &Source, _scattering: &LaneVec<F>) {}
    /// The sources have been gone through.
    #[inline(always)]
    fn end_subpixel(&mut self, _site: &Site<'_, F>) {}
    /// The pixel is done.
    #[inline(always)]
    fn pixel(&mut self, _pixel: &TappedPixel<F>) {}
}

/// The loop over one span.
struct General<'c, 'a, 'w> {
    scene: &'c Scene<'a>,
    request: &'c SpanRequest<'c>,
    plan: LookupPlan,
    values: &'c mut [f64],
    extras: Extras<'c, 'w>,
}

/// What the general loop may tell beside pixels when it renders.
#[derive(Default)]
struct Extras<'e, 'w> {
    /// Who watches.
    watch: Option<&'e mut Watch<'w>>,
    /// Per pixel the first evaluation that cannot interpolate, for the scan.
    first_fallback: Option<&'e mut [f64]>,
}

impl<F: Lanes> Visit<F> for Extras<'_, '_> {
    const SLOPES: bool = false;
    #[inline(always)]
    fn wants_all_steps(&self) -> bool {
        self.watch.is_some()
    }
    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, step: &TappedStep<'_, F>, _: &K) {
        if let Some(watch) = self.watch.as_deref_mut() {
            watch.step(step);
        }
    }
    #[inline(always)]
    fn pixel(&mut self, pixel: &TappedPixel<F>) {
        if let Some(watch) = self.watch.as_deref_mut() {
            watch.pixel(pixel);
        }
    }
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
            let (value, omega) = block_of_pixels::<L, _, _, _>(
                scene,
                &common,
                &shape,
                &mut lookup,
                fast,
                is_live,
                &mut extras,
            );
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
pub(crate) struct Common {
    subpixels: SubpixelGrid,
    /// What the first sweep finds at phi == 0.
    opening: Option<Orientation>,
}

impl Common {
    #[inline(always)]
    pub(crate) fn new(scene: &Scene<'_>, request: &SpanRequest<'_>) -> Self {
        let p = &scene.p;
        let subpixels = SubpixelGrid::new(&p.detector, request.slow, p.oversample.per_axis);
        Self { subpixels, opening: request.opening }
    }
}

/// The pixels of one vector: their values, and omega summed over layers and subpixels.
#[inline(always)]
pub(crate) fn block_of_pixels<L: Level, S: SmoothShape<L::F>, K: Lookup<L::F>, V: Visit<L::F>>(
    scene: &Scene<'_>,
    common: &Common,
    shape: &S,
    lookup: &mut K,
    fast: L::F,
    live: <L::F as Lanes>::Mask,
    visit: &mut V,
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
    let all_steps = visit.wants_all_steps()
        || p.water_m > 0.0
        || matches!(p.lattice.shape, CrystalShape::Square | CrystalShape::Round);
    let multiplies = flags.thick || flags.polar || flags.omega;

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
                let along_slow_m = common.subpixels.along_slow_m(sub_slow);
                let site = Site { detector, place: &place, along_slow_m, depth_m };
                if (layer == 0 && first_sub) || flags.omega {
                    omega = place.direction.omega_sr(detector);
                    visit.omega(&site);
                }
                omega_sum = omega_sum + omega;
                if p.sensor.layer_m > 0.0 && (first_sub || flags.thick) {
                    capture =
                        place.direction.capture(detector, depth_m, next_depth_m, p.sensor.attenuation_per_m);
                    visit.capture(&site, p.sensor.layer_m, p.sensor.attenuation_per_m);
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
                            visit.polar(&site, &frame, lanes);
                        }
                    } else if first && let Some(frame) = &scene.polarization {
                        polar = place.direction.polarization(frame);
                        visit.polar(&site, frame, live);
                    }
                    let mut factor = one;
                    for (flag, by) in [(flags.thick, capture), (flags.polar, polar), (flags.omega, omega)] {
                        if flag {
                            factor = factor * by;
                        }
                    }
                    let factor = multiplies.then_some(factor);
                    visit.begin_source(factor);
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
                        // Nothing depends on such a step, unless it multiplies.
                        if V::SLOPES && !multiplies && lookup.is_dark() {
                            evaluation += 1;
                            continue;
                        }
                        let lattice = if V::SLOPES {
                            shape.slopes(&indices)
                        } else {
                            let f_latt = shape.f_latt::<true>(&indices);
                            LatticeSlopes { f_latt, by_index: [zero; 3], by_offset: [zero; 3] }
                        };
                        let f_latt = lattice.f_latt;
                        let active = if all_steps { run } else { run & !f_latt.eq(zero) };
                        if !active.any() {
                            evaluation += 1;
                            continue;
                        }
                        let (f_cell, f_cell_slopes) = if V::SLOPES {
                            lookup.f_cell_slopes(&indices, active, evaluation)
                        } else {
                            (lookup.f_cell(&indices, active, evaluation), [zero; 3])
                        };
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
                        let step = TappedStep {
                            layer,
                            subpixel: (sub_slow, sub_fast),
                            source: source_index,
                            entry,
                            evaluation,
                            orientation,
                            opened: opened.is_some(),
                            place: &place,
                            scattering: &q,
                            indices: &indices,
                            active,
                            lattice,
                            f_cell,
                            f_cell_slopes,
                            factor,
                            sum,
                        };
                        visit.step(&step, lookup);
                        evaluation += 1;
                    }
                    visit.end_source(source, &q);
                }
                visit.end_subpixel(&site);
            }
        }
    }
    let mut value = level.splat(scene.scale) * sum;
    let mut weight = level.splat(scene.scale);
    for (flag, by) in [(flags.thick, capture), (flags.polar, polar), (flags.omega, omega)] {
        if !flag {
            value = value * by;
            weight = weight * by;
        }
    }
    visit.pixel(&TappedPixel { value, sum, polar, omega, capture, weight });
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
