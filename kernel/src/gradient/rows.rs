//! Rows of derivatives: summed over pixels with weights, or pixel by pixel along directions.

use core::marker::PhantomData;
use core::ops::Range;

use super::jacobian::{Jacobian, Sink};
use super::orientation_derivatives::OrientationDerivatives;
use super::scatter::Scatter;
use super::{VARIABLES, Variables, Wanted};
use crate::Error;
use crate::carryover::Carryover;
use crate::lanes::{BaseLevel, Doubled, LaneMask, Lanes, Level, WithSimd};
use crate::lattice::{
    AnyShape, CrystalShape, Differentiable, DifferentiableKind, GaussKind, Precision, RoundKind, SquareKind,
};
use crate::render::Lit;
use crate::render::pixel_sum::{RunContext, StepTools, sum_pixels};
use crate::render::row_plan::{PixelRun, PixelVector};
use crate::render::visits::{EveryStep, Steps};
use crate::scene::Scene;
use crate::span::{PerPixel, SPAN, load, store};
use crate::structure_factor::{
    AnyLookup, Lookup, LookupKind, LookupPlan, LookupTable, NearestKind, UniformKind,
};

/// Derivatives with respect to structure factors, scattered run by run once the pixels are finished.
struct ByF<'o> {
    sums: &'o mut [f64],
    /// For each pixel its weight times the pixel divided by its sum.
    weights: PerPixel,
    /// For each pixel the logarithm of all that its sum has been multiplied by.
    ln_multiplier: PerPixel,
}

/// Where derivatives go.
#[allow(clippy::large_enum_variant)] // there is no box without an allocator
enum Output<'o> {
    /// Summed over pixels.
    Pull {
        /// Weights of the row's pixels.
        weights: &'o [f64],
        sums: &'o mut [f64; VARIABLES],
        /// Sums of the sizes of the terms of `sums`, where they are wanted.
        sizes: Option<&'o mut [f64; VARIABLES]>,
        by_f: Option<ByF<'o>>,
    },
    /// Along directions.
    Push {
        directions: &'o [Variables],
        /// One image after the other.
        images: &'o mut [f64],
        /// Pixels of an image.
        pixels: usize,
        /// Pixels of an image before the row.
        before: usize,
    },
}

/// Stores derivatives.
struct Store<'s, F>(&'s mut [F; VARIABLES]);

impl<F: Lanes> Sink<F> for Store<'_, F> {
    #[inline(always)]
    fn put(&mut self, at: usize, slope: F) {
        if let Some(to) = self.0.get_mut(at) {
            *to = slope;
        }
    }
}

/// Adds derivatives.
struct Add<'s, F>(&'s mut [F; VARIABLES]);

impl<F: Lanes> Sink<F> for Add<'_, F> {
    #[inline(always)]
    fn put(&mut self, at: usize, slope: F) {
        if let Some(sum) = self.0.get_mut(at) {
            *sum = *sum + slope;
        }
    }
}

/// Adds the derivatives of the pixels in `live`; those of other lanes may be NaN.
struct AddLive<'s, F: Lanes> {
    sums: &'s mut [F; VARIABLES],
    live: F::Mask,
}

impl<F: Lanes> Sink<F> for AddLive<'_, F> {
    #[inline(always)]
    fn put(&mut self, at: usize, slope: F) {
        if let Some(sum) = self.sums.get_mut(at) {
            *sum = *sum + F::select(self.live, slope, slope.splat_like(0.0));
        }
    }
}

/// Adds the sizes of the derivatives of the pixels in `live`.
struct AddSizes<'s, F: Lanes> {
    sums: &'s mut [F; VARIABLES],
    live: F::Mask,
}

impl<F: Lanes> Sink<F> for AddSizes<'_, F> {
    #[inline(always)]
    fn put(&mut self, at: usize, slope: F) {
        if let Some(sum) = self.sums.get_mut(at) {
            *sum = *sum + F::select(self.live, slope.max(-slope), slope.splat_like(0.0));
        }
    }
}

/// What the vectors of a run add up.
struct Totals<F> {
    sums: [F; VARIABLES],
    sizes: [F; VARIABLES],
}

/// Adds lanes to the sums of a row.
#[inline(always)]
fn add_lanes<F: Lanes>(sums: &mut [f64; VARIABLES], lanes: [F; VARIABLES]) {
    for (sum, lanes) in sums.iter_mut().zip(lanes) {
        *sum += lanes.to_array().as_ref().iter().sum::<f64>();
    }
}

impl Output<'_> {
    /// Adds or stores the derivatives of the pixels of `vector`, which begins at column `fast`.
    #[inline(always)]
    fn take<F: Lanes, const CELLS: bool>(
        &mut self,
        jacobian: &Jacobian<'_, F, CELLS>,
        vector: &PixelVector<'_, F>,
        fast: usize,
        totals: &mut Totals<F>,
    ) {
        let level = vector.fast.level();
        let zero = level.splat(0.0);
        match self {
            Output::Pull { weights, by_f, sizes, .. } => {
                let end = (fast + vector.selected.len()).min(weights.len());
                let weight = level.load(weights.get(fast..end).unwrap_or(&[]), 0.0);
                let weight = F::select(vector.live, weight, zero);
                if vector.live.all() {
                    jacobian.report(weight, &mut Add(&mut totals.sums));
                } else {
                    jacobian.report(weight, &mut AddLive { sums: &mut totals.sums, live: vector.live });
                }
                if sizes.is_some() {
                    jacobian.report(weight, &mut AddSizes { sums: &mut totals.sizes, live: vector.live });
                }
                if let Some(by_f) = by_f {
                    let (value_per_sum, ln_multiplier) = jacobian.scatter_weights();
                    store(weight * value_per_sum, &mut by_f.weights, vector.at);
                    store(ln_multiplier, &mut by_f.ln_multiplier, vector.at);
                }
            }
            Output::Push { directions, images, pixels, before } => {
                let mut slopes = [zero; VARIABLES];
                jacobian.report(level.splat(1.0), &mut Store(&mut slopes));
                // Never 0, which the compiler cannot know: without this the object code would have a panic
                // for it.
                let each = (*pixels).max(1);
                for (image, direction) in images.chunks_exact_mut(each).zip(directions.iter()) {
                    let out = image.get_mut(*before + fast..).unwrap_or_default();
                    store_along(&slopes, direction, vector.selected, out);
                }
            }
        }
    }
}

/// Stores the derivatives along `direction` of the pixels that are selected.
#[inline(always)]
fn store_along<F: Lanes>(slopes: &[F; VARIABLES], direction: &Variables, selected: &[f64], out: &mut [f64]) {
    let [first, ..] = slopes;
    let mut along = first.splat_like(0.0);
    for (&slope, by) in slopes.iter().zip(direction.to_array()) {
        along = slope.mul_add(slope.splat_like(by), along);
    }
    // Other pixels are 0 already, or belong to another run.
    for ((pixel, &selected), &along) in out.iter_mut().zip(selected).zip(along.to_array().as_ref()) {
        if selected > 0.0 {
            *pixel = along;
        }
    }
}

/// The derivatives of a run, for any shape and lookup.
struct RunDerivatives<'c, 'a, 'o> {
    scene: &'c Scene<'a>,
    turns: &'c OrientationDerivatives<'c>,
    wanted: Wanted,
    run: &'c PixelRun<'c>,
    output: &'c mut Output<'o>,
}

impl<'c> RunDerivatives<'c, '_, '_> {
    /// `steps` tells which steps are taken.
    #[inline(always)]
    fn accumulate<const CELLS: bool, L: Level, S: Differentiable<L::F>, K: Lookup<L::F>>(
        self,
        level: L,
        shape: &S,
        lookup: &mut K,
        steps: &impl Steps<'c>,
    ) {
        let Self { scene, turns, wanted, run, output } = self;
        let zero = level.splat(0.0);
        let context = RunContext::new(scene, run);
        let scatters = matches!(output, Output::Pull { by_f: Some(_), .. });
        let domains = scene.orientations().domains();
        let mut jacobian = Jacobian::<_, CELLS>::new(level, scene, turns, domains, wanted, scatters);
        let mut totals = Totals { sums: [zero; VARIABLES], sizes: [zero; VARIABLES] };
        for vector in run.vectors(level) {
            let mut tools = StepTools { shape, lookup, observer: &mut jacobian };
            let pass = steps.of(scene, (run.slow, run.first), (vector.at, L::F::LEN));
            sum_pixels(&context, &mut tools, level, vector.fast, vector.live, &pass);
            output.take(&jacobian, &vector, run.first + vector.at, &mut totals);
            jacobian.clear(zero);
        }
        if let Output::Pull { sums, sizes, .. } = output {
            add_lanes(sums, totals.sums);
            if let Some(sizes) = sizes {
                add_lanes(sizes, totals.sizes);
            }
        }
    }
}

impl<'c> RunDerivatives<'c, '_, '_> {
    /// Selects shape and lookup at every step.
    fn of_any(self, steps: &'c impl Steps<'c>) {
        if self.wanted.cells {
            self.of_all(steps);
        } else {
            self.scene.parts().simd.run(Any::<_, false> { derivatives: self, steps });
        }
    }

    /// The same, in the loop that has the derivatives with respect to cells whether they are wanted or not.
    fn of_all(self, steps: &'c impl Steps<'c>) {
        self.scene.parts().simd.run(Any::<_, true> { derivatives: self, steps });
    }
}

/// Whether derivatives at the portable level have a single loop: on x86-64, whose processors have AVX2 since 2013,
/// while its SSE2 makes the largest of all loops.
const PORTABLE_HAS_ONE_LOOP: bool = cfg!(target_arch = "x86_64");

/// The derivatives of a run but for those with respect to cells, compiled for a shape and a lookup.
struct Compiled<'c, 'a, 'o, Sh, Lo>(RunDerivatives<'c, 'a, 'o>, PhantomData<(Sh, Lo)>);

impl<Sh: DifferentiableKind, Lo: LookupKind> WithSimd for Compiled<'_, '_, '_, Sh, Lo> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        if L::IS_REGISTER {
            // Two vectors in flight hide each other's latencies.
            self.accumulate(Doubled(level));
        } else if PORTABLE_HAS_ONE_LOOP {
            self.0.of_all(&EveryStep);
        } else {
            self.accumulate(level);
        }
    }
}

impl<Sh: DifferentiableKind, Lo: LookupKind> Compiled<'_, '_, '_, Sh, Lo> {
    #[inline(always)]
    fn accumulate<L: Level>(self, level: L) {
        let p = self.0.scene.parts();
        let shape = Sh::differentiable(level, &p.crystallite);
        let table = LookupTable { factors: p.structure_factors, plan: self.0.run.lookup };
        let mut lookup = Lo::at(level, &table);
        self.0.accumulate::<false, _, _, _>(level, &shape, &mut lookup, &EveryStep);
    }
}

/// The derivatives of a run whose shape and lookup are selected at every step; with `CELLS`, those with respect to cells too.
struct Any<'c, 'a, 'o, St, const CELLS: bool> {
    derivatives: RunDerivatives<'c, 'a, 'o>,
    steps: &'c St,
}

impl<'c, St: Steps<'c>, const CELLS: bool> WithSimd for Any<'c, '_, '_, St, CELLS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { derivatives, steps } = self;
        if !CELLS && !L::IS_REGISTER && PORTABLE_HAS_ONE_LOOP {
            return derivatives.of_all(steps);
        }
        let p = derivatives.scene.parts();
        let shape = AnyShape::new(level, &p.crystallite, Precision::Double);
        let table = LookupTable { factors: p.structure_factors, plan: derivatives.run.lookup };
        let mut lookup = AnyLookup::new(level, &table);
        derivatives.accumulate::<CELLS, _, _, _>(level, &shape, &mut lookup, steps);
    }
}

/// What [`Scene::pullback_rows`] adds up.
#[derive(Debug, Default)]
pub struct Sums<'s> {
    /// Which derivatives are wanted.
    pub wanted: Wanted,
    /// Derivatives with respect to the variables.
    pub variables: Variables,
    /// For each variable, the sum of the sizes of the terms of `variables`, a term for each pixel. Only derivatives by
    /// lists of spots sum them up, since what lists leave out is to be compared with them.
    pub sizes: Variables,
    /// Derivatives with respect to each structure factor, as long as the grid; with `None` they are not
    /// computed.
    pub structure_factors: Option<&'s mut [f64]>,
}

/// Adds the derivatives with respect to structure factors of a run that has been differentiated.
struct ScatterRun<'c, 'a, 'o, St> {
    scene: &'c Scene<'a>,
    run: &'c PixelRun<'c>,
    steps: &'c St,
    by_f: &'c mut ByF<'o>,
}

impl<'c, St: Steps<'c>> WithSimd for ScatterRun<'c, '_, '_, St> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, run, steps, by_f } = self;
        let p = scene.parts();
        let shape = AnyShape::new(level, &p.crystallite, Precision::Double);
        let table = LookupTable { factors: p.structure_factors, plan: run.lookup };
        let mut lookup = AnyLookup::new(level, &table);
        let context = RunContext::new(scene, run);
        for vector in run.vectors(level) {
            let mut scatter = Scatter {
                sums: &mut *by_f.sums,
                weight: load(level, &by_f.weights, vector.at),
                ln_ahead: load(level, &by_f.ln_multiplier, vector.at),
                ln_factor: level.splat(0.0),
            };
            let mut tools = StepTools { shape: &shape, lookup: &mut lookup, observer: &mut scatter };
            let pass = steps.of(scene, (run.slow, run.first), (vector.at, L::F::LEN));
            sum_pixels(&context, &mut tools, level, vector.fast, vector.live, &pass);
        }
    }
}

impl Scene<'_> {
    /// Adds to `sums` the derivatives of the sum of weight times value over the pixels of `rows`. Where the
    /// weights are the derivatives of a loss with respect to the pixels, these are the derivatives of the
    /// loss.
    ///
    /// **Shapes**: `weights` slow-major, rows times fast pixels. **Units**: those of the weights, times m^-1
    /// and so on. The sums of each row are added in order. Pixels outside the region of interest and masked
    /// pixels add nothing. The carryover is read, and its uses are not counted.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] with the length needed, [`Error::OutsideDetector`] for rows past the last,
    /// [`Error::CarryoverMissing`] for a c-parity scene without slots for these rows, [`Error::OtherScene`]
    /// for slots or derivatives of orientations of another scene. Nothing is written then.
    pub fn pullback_rows(
        &self,
        turns: &OrientationDerivatives<'_>,
        rows: Range<usize>,
        weights: &[f64],
        carry: &Carryover<'_>,
        sums: &mut Sums<'_>,
    ) -> Result<(), Error> {
        self.pullback_rows_of(turns, rows, weights, carry, sums, None)
    }

    /// [`Scene::pullback_rows`], from lists of spots where there are some.
    pub(super) fn pullback_rows_of(
        &self,
        turns: &OrientationDerivatives<'_>,
        rows: Range<usize>,
        weights: &[f64],
        carry: &Carryover<'_>,
        sums: &mut Sums<'_>,
        lit: Option<&Lit<'_>>,
    ) -> Result<(), Error> {
        let columns = self.panel().fast_pixels;
        let needed = self.check_rows(&rows, carry)?.saturating_mul(columns);
        let short = |buffer, needed, given| Err(Error::BufferTooShort { buffer, needed, given });
        self.check_derivatives(turns)?;
        if weights.len() < needed {
            return short("weights", needed, weights.len());
        }
        if let Some(by_f) = &sums.structure_factors {
            let nodes = self.parts().structure_factors.grid.map_or(0, |grid| grid.nodes().count());
            if by_f.len() < nodes {
                return short("derivatives with respect to structure factors", nodes, by_f.len());
            }
        }
        let wanted = sums.wanted;
        for (slow, weights) in rows.zip(weights.chunks_exact(columns.max(1))) {
            let (mut row, mut sizes) = ([0.0; VARIABLES], [0.0; VARIABLES]);
            let by_f = sums.structure_factors.as_deref_mut().map(|sums| ByF {
                sums,
                weights: [0.0; SPAN],
                ln_multiplier: [0.0; SPAN],
            });
            let mut output = Output::Pull { weights, sums: &mut row, sizes: lit.map(|_| &mut sizes), by_f };
            self.differentiate_row(turns, wanted, slow, carry, lit, &mut output);
            sums.variables.add(&Variables::from_array(&row));
            sums.sizes.add(&Variables::from_array(&sizes));
        }
        Ok(())
    }

    /// Writes the derivatives of the pixels of `rows` along `directions`.
    ///
    /// **Shapes**: `images` holds an image of rows times fast pixels, slow-major, for each direction, one
    /// after the other. Pixels outside the region of interest and masked pixels become 0.
    ///
    /// # Errors
    /// As [`Scene::pullback_rows`].
    pub fn pushforward_rows(
        &self,
        turns: &OrientationDerivatives<'_>,
        rows: Range<usize>,
        directions: &[Variables],
        carry: &Carryover<'_>,
        images: &mut [f64],
    ) -> Result<(), Error> {
        self.pushforward_rows_of(turns, rows, directions, carry, images, None)
    }

    /// [`Scene::pushforward_rows`], from lists of spots where there are some.
    pub(super) fn pushforward_rows_of(
        &self,
        turns: &OrientationDerivatives<'_>,
        rows: Range<usize>,
        directions: &[Variables],
        carry: &Carryover<'_>,
        images: &mut [f64],
        lit: Option<&Lit<'_>>,
    ) -> Result<(), Error> {
        let columns = self.panel().fast_pixels;
        let pixels = self.check_rows(&rows, carry)?.saturating_mul(columns);
        self.check_derivatives(turns)?;
        let (needed, given) = (pixels.saturating_mul(directions.len()), images.len());
        let images = images.get_mut(..needed).ok_or(Error::BufferTooShort {
            buffer: "images of derivatives",
            needed,
            given,
        })?;
        images.fill(0.0);
        if pixels == 0 {
            return Ok(());
        }
        let wanted = Wanted::along(directions);
        for (row, slow) in rows.enumerate() {
            let mut output = Output::Push { directions, images, pixels, before: row * columns };
            self.differentiate_row(turns, wanted, slow, carry, lit, &mut output);
        }
        Ok(())
    }

    pub(super) fn check_derivatives(&self, turns: &OrientationDerivatives<'_>) -> Result<(), Error> {
        let (needed, given) = (self.orientations().entries().len(), turns.rotations.len());
        if given < needed {
            return Err(Error::BufferTooShort { buffer: "derivatives of orientations", needed, given });
        }
        if !turns.is_of(self.orientations()) {
            return Err(Error::OtherScene { quantity: "derivatives of orientations" });
        }
        Ok(())
    }

    fn differentiate_row(
        &self,
        turns: &OrientationDerivatives<'_>,
        wanted: Wanted,
        slow: usize,
        carry: &Carryover<'_>,
        lit: Option<&Lit<'_>>,
        output: &mut Output<'_>,
    ) {
        let Some(plan) = self.row_plan(slow, carry) else { return };
        for span in plan.spans() {
            let mut live = [0.0; SPAN];
            let run = plan.run_without_singles(&span, &mut live);
            self.differentiate_run(turns, wanted, &run, lit, output);
        }
        for single in plan.singles() {
            self.differentiate_run(turns, wanted, &single.run(), None, output);
        }
    }

    fn differentiate_run(
        &self,
        turns: &OrientationDerivatives<'_>,
        wanted: Wanted,
        run: &PixelRun<'_>,
        lit: Option<&Lit<'_>>,
        output: &mut Output<'_>,
    ) {
        use CrystalShape::{Gauss, Round, Square};
        use LookupPlan::{Nearest, Uniform};

        let simd = self.parts().simd;
        let derivatives = RunDerivatives { scene: self, turns, wanted, run, output: &mut *output };
        if let Some(steps) = lit {
            derivatives.of_any(steps);
            if let Output::Pull { by_f: Some(by_f), .. } = output {
                simd.run(ScatterRun { scene: self, run, steps, by_f });
            }
            return;
        }
        match (run.lookup, self.shape()) {
            _ if wanted.cells => derivatives.of_any(&EveryStep),
            (Nearest | Uniform, Square) if self.is_fractional_square() => derivatives.of_any(&EveryStep),
            (Nearest, Square) => simd.run(Compiled::<SquareKind, NearestKind>(derivatives, PhantomData)),
            (Uniform, Square) => simd.run(Compiled::<SquareKind, UniformKind>(derivatives, PhantomData)),
            (Nearest, Round) => simd.run(Compiled::<RoundKind, NearestKind>(derivatives, PhantomData)),
            (Nearest, Gauss) => simd.run(Compiled::<GaussKind, NearestKind>(derivatives, PhantomData)),
            // Others are rarer: shape and lookup are selected at every step.
            _ => derivatives.of_any(&EveryStep),
        }
        if let Output::Pull { by_f: Some(by_f), .. } = output {
            simd.run(ScatterRun { scene: self, run, steps: &EveryStep, by_f });
        }
    }
}
