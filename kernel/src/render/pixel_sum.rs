//! The sum of a pixel, with every feature that a scene can have: the body of the general loop.
//!
//! ```text
//! for each thickness layer and subpixel:                 enter_subpixel
//!     direction d; omega, capture; background
//!     for each source:                                   enter_source
//!         q = (d - i)/lambda; skip lanes beyond the resolution limit; polarisation
//!         for each phi step and mosaic domain:           step
//!             h, k, l = q.a, q.b, q.c
//!             amplitude = F_latt(h, k, l) F_cell(h, k, l)
//!             sum = join(sum, amplitude^2)               render/accumulate
//! pixel = finish(scale, sum) + background
//! ```

use super::accumulate::{Accumulation, PixelFactors, StepFactor};
use super::background::background;
use super::geometry::{LaneVec, Subpixel, SubpixelGrid, scattering};
use super::observer::{ObservedPixel, ObservedStep, Observer, Site};
use super::resolution::is_resolved;
use super::row_plan::PixelRun;
use super::visits::Visits;
use crate::beam::{PolarizationFrame, Source};
use crate::lanes::{LaneMask, Lanes, Level};
use crate::lattice::{Differentiable, FLattDerivatives};
use crate::panel::Panel;
use crate::rotation::Orientation;
use crate::scene::Scene;
use crate::structure_factor::Lookup;

/// What the pixels of a run have in common.
pub(crate) struct RunContext<'c, 'a> {
    scene: &'c Scene<'a>,
    subpixels: SubpixelGrid,
    /// The pixels themselves, where their centres are polarised.
    centres: Option<SubpixelGrid>,
    accumulation: Accumulation,
    /// The vectors that the first sweep finds at phi = 0, if not the steady ones.
    opening: Option<Orientation>,
    /// Entries at the start of a sweep that use what the sweep finds.
    carried: usize,
}

impl<'c, 'a> RunContext<'c, 'a> {
    #[inline(always)]
    pub(crate) fn new(scene: &'c Scene<'a>, run: &PixelRun<'_>) -> Self {
        let p = &scene.p;
        Self {
            scene,
            subpixels: SubpixelGrid::new(&p.panel, run.slow, p.oversample.per_axis),
            centres: scene.polarizes_centre().then(|| SubpixelGrid::new(&p.panel, run.slow, 1)),
            accumulation: Accumulation::new(scene),
            opening: run.opening,
            carried: p.orientations.sweep().carried_steps() * p.orientations.domains().len(),
        }
    }

    /// Whether a pixel depends on a source none of whose steps is taken: its polarisation factor is that of the first
    /// source within the resolution limit.
    #[inline(always)]
    fn needs_source(&self, index: usize) -> bool {
        index == 0 || self.scene.p.d_min_m > 0.0
    }

    /// The vectors that an entry finds in an opening sweep; `None` where it is the steady entry of the table.
    #[inline(always)]
    fn opening_orientation(&self, entry: usize) -> Option<Orientation> {
        let domains = self.scene.p.orientations.domains();
        match (self.opening, domains.get(entry % domains.len().max(1))) {
            (Some(vectors), Some(domain)) if entry < self.carried => Some(vectors.in_domain(domain)),
            _ => None,
        }
    }
}

/// Shape, lookup and observer of the steps.
pub(crate) struct StepTools<'t, S, K, O> {
    pub(crate) shape: &'t S,
    pub(crate) lookup: &'t mut K,
    pub(crate) observer: &'t mut O,
}

/// One source's sweep for one subpixel.
struct Sweep<'s, F: Lanes> {
    site: &'s Site<'s, F>,
    source: usize,
    /// Scattering vector, in 1/m.
    q: LaneVec<F>,
    /// Lanes within the resolution limit.
    lanes: F::Mask,
    /// What its steps are multiplied by.
    factor: StepFactor<F>,
    /// The polarisation of pixels whose last contribution is one of its steps, and their polarisation factor.
    last: Option<(PolarizationFrame, F)>,
    is_opening: bool,
}

/// The state of the pixels of one vector in the loop.
struct PixelState<F: Lanes> {
    live: F::Mask,
    /// The sum of the steps; while the terms of a source are multiplied, the sum of these alone.
    sum: F,
    /// The sum of the sources before, while the terms of a source are multiplied.
    earlier: F,
    factors: PixelFactors<F>,
    /// What is added to the scaled sum.
    background: F,
    /// omega summed over layers and subpixels.
    omega_sum: F,
    /// Lanes that have had their first source: their polarisation is set and their stream is open.
    begun: F::Mask,
    /// Evaluations before the current source.
    evaluations_before: u64,
}

/// The values of the pixels of one vector, and omega summed over layers and subpixels, from the orientations of `pass` for
/// each of their samples.
#[inline(always)]
pub(crate) fn sum_pixels<'c, L, S, K, O, V>(
    context: &RunContext<'c, '_>,
    tools: &mut StepTools<'_, S, K, O>,
    level: L,
    fast: L::F,
    live: <L::F as Lanes>::Mask,
    pass: &V,
) -> (L::F, L::F)
where
    L: Level,
    S: Differentiable<L::F>,
    K: Lookup<L::F>,
    O: Observer<L::F>,
    V: Visits<'c>,
{
    let scene = context.scene;
    let mut state = PixelState::new(level, scene, live);
    for (layer, sub_slow, sub_fast) in scene.samples() {
        let site = state.enter_subpixel(context, tools.observer, fast, (layer, sub_slow, sub_fast));
        let mut visits = pass.clone();
        for (index, source) in scene.p.sources.iter().enumerate() {
            let is_entered = visits.turn_to(index) || context.needs_source(index);
            if is_entered
                && let Some(sweep) = state.enter_source(context, tools.observer, &site, index, source)
            {
                tools.lookup.choose_grid(scene.grid_of(index));
                while let Some((entry, steady)) = visits.next() {
                    state.step(context, tools, &sweep, entry, steady);
                }
                state.leave_source(&sweep);
                tools.observer.end_source(source, &sweep.q);
            }
            state.evaluations_before += scene.p.orientations.entries().len() as u64;
        }
        tools.observer.end_subpixel(&site);
    }
    state.finish(context, tools.observer)
}

impl<F: Lanes> PixelState<F> {
    #[inline(always)]
    fn new<L: Level<F = F>>(level: L, scene: &Scene<'_>, live: F::Mask) -> Self {
        let (zero, one) = (level.splat(0.0), level.splat(1.0));
        Self {
            live,
            sum: level.splat(scene.background),
            earlier: zero,
            factors: PixelFactors {
                capture: if scene.captures_nothing() { zero } else { one },
                polarization: one,
                omega_sr: zero,
            },
            background: zero,
            omega_sum: zero,
            begun: zero.lt(zero),
            evaluations_before: 0,
        }
    }

    /// Position and direction of a subpixel; its solid angle and captured share where they are evaluated for
    /// it.
    #[inline(always)]
    fn enter_subpixel<'t, O: Observer<F>>(
        &mut self,
        context: &RunContext<'t, '_>,
        observer: &mut O,
        fast: F,
        (layer, sub_slow, sub_fast): (usize, usize, usize),
    ) -> Site<'t, F> {
        let p = &context.scene.p;
        let (panel, flags) = (&p.panel, p.oversample);
        let depth_m = layer as f64 * p.panel.sensor.layer_m;
        let line = context.subpixels.line(panel, sub_slow, depth_m);
        let site = Site {
            panel,
            subpixel: Subpixel::new(panel, &context.subpixels, line, fast, sub_fast),
            along_slow_m: context.subpixels.along_slow_m(sub_slow),
            depth_m,
            layer,
            index: (sub_slow, sub_fast),
        };
        let is_first = sub_slow == 0 && sub_fast == 0;
        let direction = &site.subpixel.direction;
        if (layer == 0 && is_first) || flags.omega {
            self.factors.omega_sr = direction.omega_sr(panel);
            observer.omega(&site);
        }
        self.omega_sum = self.omega_sum + self.factors.omega_sr;
        if p.panel.sensor.layer_m > 0.0 && (is_first || flags.thick) {
            let next_depth_m = (layer + 1) as f64 * p.panel.sensor.layer_m;
            let attenuation_per_m = p.panel.sensor.attenuation_per_m;
            self.factors.capture = direction.capture(panel, depth_m, next_depth_m, attenuation_per_m);
            observer.capture(&site, p.panel.sensor.layer_m, attenuation_per_m);
        }
        if layer == 0
            && is_first
            && let (Some(centres), Some(frame)) = (&context.centres, &context.scene.polarization)
        {
            self.polarize_centre(panel, centres, frame, observer, fast);
        }
        if layer == 0 && is_first && context.scene.water > 0.0 {
            self.background = background(context.scene, direction);
            observer.background(&site);
        }
        site
    }

    /// The polarisation factor at the centres of the pixels.
    #[inline(always)]
    fn polarize_centre<O: Observer<F>>(
        &mut self,
        panel: &Panel,
        centres: &SubpixelGrid,
        frame: &PolarizationFrame,
        observer: &mut O,
        fast: F,
    ) {
        let subpixel = Subpixel::new(panel, centres, centres.line(panel, 0, 0.0), fast, 0);
        let along_slow_m = centres.along_slow_m(0);
        let centre = Site { panel, subpixel, along_slow_m, depth_m: 0.0, layer: 0, index: (0, 0) };
        self.factors.polarization = subpixel.direction.polarization(frame);
        observer.polarization(&centre, frame, self.live);
    }

    /// The sweep of a source; `None` where the resolution limit leaves no lane.
    #[inline(always)]
    fn enter_source<'s, O: Observer<F>>(
        &mut self,
        context: &RunContext<'_, '_>,
        observer: &mut O,
        site: &'s Site<'s, F>,
        index: usize,
        source: &Source,
    ) -> Option<Sweep<'s, F>> {
        let p = &context.scene.p;
        let q = scattering(site.subpixel.direction.diffracted, source);
        let lanes = if p.d_min_m > 0.0 { self.live & is_resolved(q, p.d_min_m) } else { self.live };
        if !lanes.any() {
            return None;
        }
        self.polarize(context.scene, observer, site, (index, source), lanes);
        let factor = context.accumulation.step_factor(context.scene.weight(index), self.factors);
        observer.begin_source(factor);
        if matches!(factor, StepFactor::Terms(_)) {
            self.earlier = self.sum;
            self.sum = self.sum.splat_like(0.0);
        }
        let is_opening = context.opening.is_some() && !self.begun.any();
        self.begun = self.begun | lanes;
        // No closure: it may be compiled without the instructions of the level.
        let last = if let (Some(polarization), true) = (&p.polarization, context.scene.polarizes_last()) {
            let frame = PolarizationFrame::new(polarization, source.incident);
            Some((frame, site.subpixel.direction.polarization(&frame)))
        } else {
            None
        };
        Some(Sweep { site, source: index, q, lanes, factor, last, is_opening })
    }

    /// Multiplies the terms of a source and adds them to those of the sources before.
    #[inline(always)]
    fn leave_source(&mut self, sweep: &Sweep<'_, F>) {
        if let StepFactor::Terms(_) = sweep.factor {
            self.sum = self.whole_sum(sweep);
        }
    }

    /// The sum of all steps so far.
    #[inline(always)]
    fn whole_sum(&self, sweep: &Sweep<'_, F>) -> F {
        match sweep.factor {
            StepFactor::Terms(factor) => self.sum.mul_add(factor, self.earlier),
            StepFactor::One | StepFactor::RunningSum(_) => self.sum,
        }
    }

    /// The polarisation factor: that of the first source within the resolution limit, unless it is evaluated
    /// for all, or elsewhere.
    #[inline(always)]
    fn polarize<O: Observer<F>>(
        &mut self,
        scene: &Scene<'_>,
        observer: &mut O,
        site: &Site<'_, F>,
        (index, source): (usize, &Source),
        lanes: F::Mask,
    ) {
        let p = &scene.p;
        let direction = &site.subpixel.direction;
        if scene.polarizes_last() || scene.polarizes_centre() {
            return;
        }
        if p.oversample.polar || p.d_min_m > 0.0 {
            if let Some(polarization) = &p.polarization {
                let frame = PolarizationFrame::new(polarization, source.incident);
                let lanes = if p.oversample.polar { lanes } else { lanes & !self.begun };
                let factor = direction.polarization(&frame);
                self.factors.polarization = F::select(lanes, factor, self.factors.polarization);
                observer.polarization(site, &frame, lanes);
            }
        } else if site.layer == 0
            && site.index == (0, 0)
            && index == 0
            && let Some(frame) = &scene.polarization
        {
            self.factors.polarization = direction.polarization(frame);
            observer.polarization(site, frame, self.live);
        }
    }

    /// One orientation of the crystal: adds F_cell^2 F_latt^2.
    #[inline(always)]
    fn step<S: Differentiable<F>, K: Lookup<F>, O: Observer<F>>(
        &mut self,
        context: &RunContext<'_, '_>,
        tools: &mut StepTools<'_, S, K, O>,
        sweep: &Sweep<'_, F>,
        entry: usize,
        steady: &Orientation,
    ) {
        let zero = self.sum.splat_like(0.0);
        let evaluation = self.evaluations_before + entry as u64;
        let opened = if sweep.is_opening { context.opening_orientation(entry) } else { None };
        let orientation = opened.as_ref().unwrap_or(steady);
        let nudge = zero.splat_like(tools.shape.nudge());
        let q = &sweep.q;
        let mut located = tools.lookup.locate(q.indices(orientation, nudge));
        // No derivative depends on a step with F_cell = 0, unless the step multiplies the running sum or polarises the pixel.
        let counts = matches!(sweep.factor, StepFactor::RunningSum(_)) || sweep.last.is_some();
        if O::DERIVATIVES && !counts && located.is_zero() {
            return;
        }
        let lattice = if O::DERIVATIVES {
            tools.shape.derivatives(&located.indices)
        } else {
            FLattDerivatives::constant(tools.shape.f_latt::<true>(&located.indices))
        };
        let p = &context.scene.p;
        // The reference skips a step with F_latt = 0 and no water. The sines of its square and round crystals
        // are never exactly 0. An observer may want such steps too; they add nothing.
        let all_steps = tools.observer.wants_all_steps()
            || context.scene.looks_up_dark_steps()
            || !p.crystallite.shape.is_sparse();
        let active = if all_steps { sweep.lanes } else { sweep.lanes & !lattice.f_latt.eq(zero) };
        if !active.any() {
            return;
        }
        if let Some((frame, factor)) = &sweep.last {
            let lit = active & !lattice.f_latt.eq(zero);
            self.factors.polarization = F::select(lit, *factor, self.factors.polarization);
            tools.observer.polarization(sweep.site, frame, lit);
        }
        let (f_cell, f_cell_derivatives) = if O::DERIVATIVES {
            located.f_cell_derivatives(active, evaluation)
        } else {
            (located.f_cell(active, evaluation), [zero; 3])
        };
        let added = context.accumulation.add(self.sum, lattice.f_latt * f_cell, self.factors);
        self.sum = F::select(active, added, self.sum);
        let step = ObservedStep {
            site: sweep.site,
            source: sweep.source,
            entry,
            evaluation,
            orientation,
            is_opening: opened.is_some(),
            scattering: q,
            active,
            lattice,
            f_cell,
            f_cell_derivatives,
            factor: sweep.factor,
            sum: self.whole_sum(sweep),
        };
        tools.observer.step(&step, &located);
    }

    /// The finished pixels, and omega summed over layers and subpixels.
    #[inline(always)]
    fn finish<O: Observer<F>>(self, context: &RunContext<'_, '_>, observer: &mut O) -> (F, F) {
        let Self { sum, mut factors, omega_sum, background, begun, .. } = self;
        let scene = context.scene;
        if scene.darkens_unresolved_pixels() {
            let zero = sum.splat_like(0.0);
            factors.polarization = F::select(begun, factors.polarization, zero);
        }
        let scale = sum.splat_like(scene.scale);
        let (mut value, value_per_sum) = context.accumulation.finish(scale, sum, factors);
        if scene.water > 0.0 {
            value = value + background;
        }
        let PixelFactors { capture, polarization, omega_sr } = factors;
        observer.pixel(&ObservedPixel {
            value,
            background,
            sum,
            polarization,
            omega_sr,
            capture,
            value_per_sum,
        });
        (value, omega_sum)
    }
}
