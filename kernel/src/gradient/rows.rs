//! Rows of derivatives: summed over pixels with weights, or pixel by pixel along directions.

use core::marker::PhantomData;
use core::ops::Range;

use super::jacobian::{Jacobian, Scatter, Sink};
use super::turns::TurnTable;
use super::{VARIABLES, Variables, Wanted};
use crate::Error;
use crate::carryover::Carryover;
use crate::lanes::{BaseLevel, Doubled, Kernel, LaneMask, Lanes, Level};
use crate::lattice::{
    AnyShape, CrystalShape, GaussKind, Precision, RoundKind, SmoothKind, SmoothShape, SquareKind,
};
use crate::render::general::{Common, SpanRequest, block_of_pixels};
use crate::render::{PerPixel, SPAN, Scene, get, plan_of, put};
use crate::rotation::Orientation;
use crate::structure_factor::{
    AnyLookup, Lookup, LookupKind, LookupPlan, LookupRule, LookupTable, NearestKind, UniformKind,
};

/// Derivatives by structure factors: scattered span by span, when the pixels are known.
struct ByF<'o> {
    sums: &'o mut [f64],
    /// What a term of each pixel's sum counts.
    weights: PerPixel,
    /// Logarithm of what each pixel's sum has been multiplied by.
    ln_carried: PerPixel,
}

/// Where derivatives go.
#[allow(clippy::large_enum_variant)] // there is no box without an allocator
enum Output<'o> {
    /// Summed.
    Pull {
        /// Of the row's pixels.
        weights: &'o [f64],
        sums: &'o mut [f64; VARIABLES],
        by_f: Option<ByF<'o>>,
    },
    /// Along directions.
    Push {
        directions: &'o [Variables],
        /// Image after image.
        images: &'o mut [f64],
        /// Pixels of an image.
        pixels: usize,
        /// Those before the row.
        before: usize,
    },
}

/// Keeps derivatives.
struct Store<'s, F>(&'s mut [F; VARIABLES]);

impl<F: Lanes> Sink<F> for Store<'_, F> {
    #[inline(always)]
    fn put(&mut self, at: usize, slope: F) {
        if let Some(to) = self.0.get_mut(at) {
            *to = slope;
        }
    }
}

/// Adds derivatives up.
struct Add<'s, F>(&'s mut [F; VARIABLES]);

impl<F: Lanes> Sink<F> for Add<'_, F> {
    #[inline(always)]
    fn put(&mut self, at: usize, slope: F) {
        if let Some(sum) = self.0.get_mut(at) {
            *sum = *sum + slope;
        }
    }
}

/// Adds up those of live pixels: what others have may be no number.
struct AddLive<'s, F: Lanes>(&'s mut [F; VARIABLES], F::Mask);

impl<F: Lanes> Sink<F> for AddLive<'_, F> {
    #[inline(always)]
    fn put(&mut self, at: usize, slope: F) {
        if let Some(sum) = self.0.get_mut(at) {
            *sum = *sum + F::select(self.1, slope, slope.splat_like(0.0));
        }
    }
}

/// The derivatives of a span, with a shape and a lookup; `run` is compiled for each that has a kernel of its own.
struct SpanDerivatives<'c, 'a, 'o> {
    scene: &'c Scene<'a>,
    turns: &'c TurnTable<'c>,
    wanted: Wanted,
    request: &'c SpanRequest<'c>,
    plan: LookupPlan,
    output: &'c mut Output<'o>,
}

impl SpanDerivatives<'_, '_, '_> {
    #[inline(always)]
    fn run<L: Level, S: SmoothShape<L::F>, K: Lookup<L::F>>(self, level: L, shape: &S, lookup: &mut K) {
        let Self { scene, turns, wanted, request, output, .. } = self;
        let zero = level.splat(0.0);
        let common = Common::new(scene, request);
        let scatters = matches!(output, Output::Pull { by_f: Some(_), .. });
        let domains = scene.orientations().domains();
        let mut jacobian = Jacobian::new(level, scene, turns, domains, wanted, scatters);
        let mut totals = [zero; VARIABLES];
        let lanes = L::F::LEN;
        let last = (request.first + request.live.len()) as f64 - 1.0;
        for (block, live) in request.live.chunks(lanes).enumerate() {
            let at = request.first + block * lanes;
            let is_live = zero.lt(level.load(live, 0.0));
            if !is_live.any() {
                continue;
            }
            let fast = level.ramp(at as f64, last);
            block_of_pixels::<L, S, K, _>(scene, &common, shape, lookup, fast, is_live, &mut jacobian);
            match output {
                Output::Pull { weights, sums: _, by_f } => {
                    let end = (at + live.len()).min(weights.len());
                    let weight = level.load(weights.get(at..end).unwrap_or(&[]), 0.0);
                    let weight = L::F::select(is_live, weight, zero);
                    if is_live.all() {
                        jacobian.tell(weight, &mut Add(&mut totals));
                    } else {
                        jacobian.tell(weight, &mut AddLive(&mut totals, is_live));
                    }
                    if let Some(by_f) = by_f {
                        let (value_over_sum, ln_carried) = jacobian.scatters();
                        put(weight * value_over_sum, &mut by_f.weights, block * lanes);
                        put(ln_carried, &mut by_f.ln_carried, block * lanes);
                    }
                }
                Output::Push { directions, images, pixels, before } => {
                    let mut slopes = [zero; VARIABLES];
                    jacobian.tell(level.splat(1.0), &mut Store(&mut slopes));
                    // Never 0 here, which the compiler cannot know: it would leave a panic for it.
                    let each = (*pixels).max(1);
                    for (image, direction) in images.chunks_exact_mut(each).zip(directions.iter()) {
                        let mut along = zero;
                        for (&slope, by) in slopes.iter().zip(direction.to_array()) {
                            along = slope.mul_add(level.splat(by), along);
                        }
                        let out = image.get_mut(*before + at..).unwrap_or_default();
                        // Skipped pixels are 0 already, or somebody else's.
                        for ((pixel, &live), &along) in
                            out.iter_mut().zip(live).zip(along.to_array().as_ref())
                        {
                            if live > 0.0 {
                                *pixel = along;
                            }
                        }
                    }
                }
            }
            jacobian.clear(zero);
        }
        if let Output::Pull { sums, .. } = output {
            for (sum, total) in sums.iter_mut().zip(totals) {
                *sum += total.to_array().as_ref().iter().sum::<f64>();
            }
        }
    }
}

/// A shape without interpolation, what most scenes are.
struct Plain<'c, 'a, 'o, Sh, Lo>(SpanDerivatives<'c, 'a, 'o>, PhantomData<(Sh, Lo)>);

impl<Sh: SmoothKind, Lo: LookupKind> Kernel for Plain<'_, '_, '_, Sh, Lo> {
    type Output = ();

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
        // Two vectors in flight hide each other's latencies.
        if L::IS_REGISTER { self.vectors(Doubled(level)) } else { self.vectors(level) }
    }
}

impl<Sh: SmoothKind, Lo: LookupKind> Plain<'_, '_, '_, Sh, Lo> {
    #[inline(always)]
    fn vectors<L: Level>(self, level: L) {
        let p = self.0.scene.parts();
        let shape = Sh::smooth(level, &p.lattice);
        let table = LookupTable { factors: p.structure_factors, plan: self.0.plan };
        let mut lookup = Lo::of(level, &table);
        self.0.run(level, &shape, &mut lookup);
    }
}

/// Any other scene: shape and lookup are told apart at every step.
struct Any<'c, 'a, 'o>(SpanDerivatives<'c, 'a, 'o>);

impl Kernel for Any<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
        let p = self.0.scene.parts();
        let shape = AnyShape::new(level, &p.lattice, Precision::Double);
        let table = LookupTable { factors: p.structure_factors, plan: self.0.plan };
        let mut lookup = AnyLookup::new(level, &table);
        self.0.run(level, &shape, &mut lookup);
    }
}

/// What [`Scene::pullback_rows`] adds up.
#[derive(Debug, Default)]
pub struct Sums<'s> {
    /// Which derivatives are wanted.
    pub wanted: Wanted,
    /// Those by the variables.
    pub variables: Variables,
    /// Those by each structure factor, as long as the grid; none: not wanted.
    pub structure_factors: Option<&'s mut [f64]>,
}

/// Scatters to the grid what a span that has been differentiated gives it.
struct ScatterSpan<'c, 'a, 'o> {
    scene: &'c Scene<'a>,
    request: &'c SpanRequest<'c>,
    plan: LookupPlan,
    by_f: &'c mut ByF<'o>,
}

impl Kernel for ScatterSpan<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
        let Self { scene, request, plan, by_f } = self;
        let p = scene.parts();
        let zero = level.splat(0.0);
        let shape = AnyShape::new(level, &p.lattice, Precision::Double);
        let mut lookup = AnyLookup::new(level, &LookupTable { factors: p.structure_factors, plan });
        let common = Common::new(scene, request);
        let last = (request.first + request.live.len()) as f64 - 1.0;
        for (block, live) in request.live.chunks(L::F::LEN).enumerate() {
            let at = block * L::F::LEN;
            let is_live = zero.lt(level.load(live, 0.0));
            if !is_live.any() {
                continue;
            }
            let mut scatter = Scatter {
                sums: &mut *by_f.sums,
                weight: get(level, &by_f.weights, at),
                ln_ahead: get(level, &by_f.ln_carried, at),
                ln_factor: zero,
            };
            let fast = level.ramp((request.first + at) as f64, last);
            block_of_pixels::<L, _, _, _>(scene, &common, &shape, &mut lookup, fast, is_live, &mut scatter);
        }
    }
}

impl Scene<'_> {
    /// Adds, to `sums`, the derivatives of the sum over the pixels of `rows` of weight times value: with the derivatives of a loss by
    /// the pixels as weights, those of the loss.
    ///
    /// **Shapes**: `weights` slow-major, rows times fast pixels. **Units**: those of the weights, times m^-1 and so on.
    /// The sums of each row are added in order. Pixels outside the region of interest or masked count nothing. The carryover is
    /// read, not counted.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] with the length needed, [`Error::OutsideDetector`] for rows past the last,
    /// [`Error::CarryoverMissing`] for a c-parity scene without slots. Nothing is written then.
    pub fn pullback_rows(
        &self,
        turns: &TurnTable<'_>,
        rows: Range<usize>,
        weights: &[f64],
        carry: &Carryover<'_>,
        sums: &mut Sums<'_>,
    ) -> Result<(), Error> {
        let columns = self.detector().fast_pixels;
        let needed = self.check_rows(&rows, carry)?.saturating_mul(columns);
        let short = |buffer, needed, given| Err(Error::BufferTooShort { buffer, needed, given });
        self.check_turns(turns)?;
        if weights.len() < needed {
            return short("weights", needed, weights.len());
        }
        if let Some(by_f) = &sums.structure_factors {
            let nodes = self.parts().structure_factors.grid.map_or(0, |grid| grid.data().len());
            if by_f.len() < nodes {
                return short("derivatives by structure factors", nodes, by_f.len());
            }
        }
        let wanted = sums.wanted;
        for (slow, weights) in rows.zip(weights.chunks_exact(columns.max(1))) {
            let mut row = [0.0; VARIABLES];
            let by_f = sums.structure_factors.as_deref_mut().map(|sums| ByF {
                sums,
                weights: [0.0; SPAN],
                ln_carried: [0.0; SPAN],
            });
            let mut output = Output::Pull { weights, sums: &mut row, by_f };
            self.differentiate_row(turns, wanted, slow, carry, &mut output);
            sums.variables.add(&Variables::from_array(&row));
        }
        Ok(())
    }

    /// Writes the derivatives of the pixels of `rows` along `directions`: how fast each pixel changes as the variables move there.
    ///
    /// **Shapes**: `images` holds an image of rows times fast pixels, slow-major, for each direction, one after the other. What is
    /// outside the region of interest or masked becomes 0.
    ///
    /// # Errors
    /// As [`Scene::pullback_rows`].
    pub fn pushforward_rows(
        &self,
        turns: &TurnTable<'_>,
        rows: Range<usize>,
        directions: &[Variables],
        carry: &Carryover<'_>,
        images: &mut [f64],
    ) -> Result<(), Error> {
        let columns = self.detector().fast_pixels;
        let pixels = self.check_rows(&rows, carry)?.saturating_mul(columns);
        self.check_turns(turns)?;
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
            self.differentiate_row(turns, wanted, slow, carry, &mut output);
        }
        Ok(())
    }

    fn check_turns(&self, turns: &TurnTable<'_>) -> Result<(), Error> {
        let (needed, given) = (self.orientations().entries().len(), turns.rotations.len());
        if given < needed {
            return Err(Error::BufferTooShort { buffer: "derivatives of orientations", needed, given });
        }
        Ok(())
    }

    fn differentiate_row(
        &self,
        turns: &TurnTable<'_>,
        wanted: Wanted,
        slow: usize,
        carry: &Carryover<'_>,
        output: &mut Output<'_>,
    ) {
        let roi = self.parts().roi;
        if !(roi.slow_min..=roi.slow_max).contains(&slow) {
            return;
        }
        let columns = self.detector().fast_pixels;
        let (before, latch, after) = self.split_at_latch(slow, roi.fast_min..roi.fast_max + 1);
        let steady = self.steady();
        let carries = self.orientations().sweep().carried_steps() > 0;
        // Slots that are none, rather than no slots: the compiler moves tests on what these would hold out of loops, and memory
        // checkers see numbers that nobody has written.
        let nobody = Carryover::Streams(&mut []);
        let openings_in_row = if carries { carry } else { &nobody }.openings_in_row(slow, columns);
        let openings = || openings_in_row.unsteady(steady);
        for (span, lookup) in [(before, self.parts().structure_factors.lookup), (after, LookupRule::Nearest)]
        {
            for first in span.clone().step_by(SPAN) {
                let mut live = [0.0; SPAN];
                let count = (span.end - first).min(SPAN);
                for (fast, live) in (first..).zip(live.iter_mut().take(count)) {
                    *live = f64::from(u8::from(self.is_selected(slow, fast)));
                }
                // Pixels that are special are done by themselves.
                for fast in openings().map(|(fast, _)| fast).chain(latch) {
                    if let Some(live) = fast.checked_sub(first).and_then(|i| live.get_mut(i)) {
                        *live = 0.0;
                    }
                }
                let live = live.get(..count).unwrap_or(&[]);
                let request = SpanRequest { slow, first, live, opening: None, until: u64::MAX };
                self.differentiate_span(turns, wanted, &request, lookup, output);
            }
        }
        let mut single = |fast: usize, opening: Option<Orientation>| {
            if self.is_selected(slow, fast) {
                let (lookup, until) = self.lookup_at(slow, fast);
                let request = SpanRequest { slow, first: fast, live: &[1.0], opening, until };
                self.differentiate_span(turns, wanted, &request, lookup, output);
            }
        };
        for (fast, opening) in openings() {
            single(fast, Some(opening));
        }
        if let Some(fast) = latch.filter(|&latch| openings().all(|(fast, _)| fast != latch)) {
            single(fast, None);
        }
    }

    fn differentiate_span(
        &self,
        turns: &TurnTable<'_>,
        wanted: Wanted,
        request: &SpanRequest<'_>,
        lookup: LookupRule,
        output: &mut Output<'_>,
    ) {
        let plan = plan_of(self, lookup, request.until);
        let span = SpanDerivatives { scene: self, turns, wanted, request, plan, output: &mut *output };
        let simd = self.parts().simd;
        match (self.parts().lattice.shape, plan) {
            (CrystalShape::Square, LookupPlan::Nearest) => {
                simd.run(Plain::<SquareKind, NearestKind>(span, PhantomData));
            }
            (CrystalShape::Square, LookupPlan::Uniform) => {
                simd.run(Plain::<SquareKind, UniformKind>(span, PhantomData));
            }
            (CrystalShape::Round, LookupPlan::Nearest) => {
                simd.run(Plain::<RoundKind, NearestKind>(span, PhantomData));
            }
            (CrystalShape::Gauss, LookupPlan::Nearest) => {
                simd.run(Plain::<GaussKind, NearestKind>(span, PhantomData));
            }
            _ => simd.run(Any(span)),
        }
        if let Output::Pull { by_f: Some(by_f), .. } = output {
            simd.run(ScatterSpan { scene: self, request, plan, by_f });
        }
    }
}
