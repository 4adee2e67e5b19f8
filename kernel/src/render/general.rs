//! The general loop, for what most runs do without: the oversample flags, the resolution limit, opening
//! sweeps, exactly integer indices, the search for the latch, and observers.
//!
//! For rendering it is compiled once for each level; shape and lookup are selected at every step. Its inside
//! is [`super::pixel_sum`].

use super::SpanReport;
use super::observer::{ObservedPixel, ObservedStep, Observer};
use super::pixel_sum::{RunContext, StepTools, sum_pixels};
use super::probe::ProbeObserver;
use super::row_plan::PixelRun;
use super::visits::Every;
use crate::lanes::{BaseLevel, Lanes, WithSimd};
use crate::lattice::AnyShape;
use crate::scene::Scene;
use crate::span::SPAN;
use crate::structure_factor::{AnyLookup, Located, Lookup, LookupTable};

/// The loop over one run.
struct General<'c, 'a, 'w> {
    scene: &'c Scene<'a>,
    run: &'c PixelRun<'c>,
    values: &'c mut [f64],
    reports: Reports<'c, 'w>,
}

/// What the loop reports beside pixels.
#[derive(Default)]
struct Reports<'e, 'w> {
    probe: Option<&'e mut ProbeObserver<'w>>,
    /// For each pixel the first evaluation that cannot interpolate.
    first_fallback: Option<&'e mut [f64]>,
}

impl<F: Lanes> Observer<F> for Reports<'_, '_> {
    const DERIVATIVES: bool = false;
    #[inline(always)]
    fn wants_all_steps(&self) -> bool {
        self.probe.is_some()
    }
    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, step: &ObservedStep<'_, F>, located: &Located<'_, F, K>) {
        if let Some(probe) = self.probe.as_deref_mut() {
            probe.step(step, &located.indices);
        }
    }
    #[inline(always)]
    fn pixel(&mut self, pixel: &ObservedPixel<F>) {
        if let Some(probe) = self.probe.as_deref_mut() {
            probe.finish(pixel);
        }
    }
}

impl WithSimd for General<'_, '_, '_> {
    type Output = SpanReport;

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> SpanReport {
        let Self { scene, run, values, mut reports } = self;
        let table = LookupTable { factors: scene.p.structure_factors, plan: run.lookup };
        let context = RunContext::new(scene, run);
        let shape = AnyShape::new(level, &scene.p.crystallite, scene.lattice_precision());
        let mut lookup = AnyLookup::new(level, &table);
        let mut omega_sum = level.splat(0.0);
        let every = Every::new(scene);
        for vector in run.vectors(level) {
            let mut tools = StepTools { shape: &shape, lookup: &mut lookup, observer: &mut reports };
            let (value, omega) = sum_pixels(&context, &mut tools, level, vector.fast, vector.live, &every);
            omega_sum = omega.mul_add(level.load(vector.selected, 0.0), omega_sum);
            let end = vector.at + vector.selected.len();
            value.store(values.get_mut(vector.at..end).unwrap_or_default());
            if let (Some(found), Some(first)) =
                (reports.first_fallback.as_deref_mut(), lookup.take_first_fallback())
            {
                first.store(found.get_mut(vector.at..).unwrap_or_default());
            }
        }
        let omega_sum_sr = omega_sum.to_array().as_ref().iter().sum();
        SpanReport { omega_sum_sr, fallbacks: lookup.fallbacks() }
    }
}

/// Renders a run into `values`, one for each of its pixels.
pub(super) fn render(scene: &Scene<'_>, run: &PixelRun<'_>, values: &mut [f64]) -> SpanReport {
    scene.p.simd.run(General { scene, run, values, reports: Reports::default() })
}

/// Renders a run of one pixel and reports its intermediate values.
pub(super) fn render_probed(scene: &Scene<'_>, run: &PixelRun<'_>, probe: &mut ProbeObserver<'_>) {
    let reports = Reports { probe: Some(probe), first_fallback: None };
    scene.p.simd.run(General { scene, run, values: &mut [0.0], reports });
}

/// The first pixel of a run that cannot interpolate somewhere, and its first such evaluation.
pub(super) fn first_fallback(scene: &Scene<'_>, run: &PixelRun<'_>) -> Option<(usize, u64)> {
    let (mut values, mut first) = ([0.0; SPAN], [f64::INFINITY; SPAN]);
    let values = values.get_mut(..run.live.len())?;
    let reports = Reports { probe: None, first_fallback: Some(&mut first) };
    scene.p.simd.run(General { scene, run, values, reports });
    let mut found = first.iter().zip(run.live).enumerate();
    let (i, (&evaluation, _)) = found.find(|(_, (first, live))| first.is_finite() && **live != 0.0)?;
    Some((run.first + i, evaluation as u64))
}
