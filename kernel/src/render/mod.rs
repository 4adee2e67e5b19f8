//! The fused loop: a [`Scene`] borrows the tables, and turns rows of the detector into pixels.
//!
//! **Formula** per pixel, over thickness layers, subpixels, sources, phi steps and mosaic domains:
//!
//! ```text
//! I     = I_bg + sum F_cell^2 F_latt^2
//! pixel = r_e^2 fluence I/steps * capture * polarisation * omega
//! ```
//!
//! omega, capture and polarisation are those of the first layer, subpixel and source, each kept unless its
//! `oversample_` flag is set; a flag set multiplies the *running sum* at every innermost step, as in the reference.
//!
//! **Lanes** are neighbouring pixels of a row; sources and orientations are scalars broadcast to all. A pixel's bits do
//! not depend on its neighbours, on the rows rendered with it, or on threads. **Buffers**: the tables and the output are the
//! caller's; a call uses about 40 kB of stack.

pub(crate) mod general;
pub(crate) mod geometry;
mod plain;
mod probe;
mod resolution;

use core::ops::Range;

pub use probe::{PixelProbe, StepProbe};

use crate::Error;
use crate::carryover::Carryover;
use crate::lanes::Lanes;
use crate::rotation::Orientation;
pub use crate::scene::{Oversample, Roi, Scene, SceneParts, Sensor};
use crate::structure_factor::{LatchPoint, LookupPlan, LookupRule};
use general::{SpanReport, SpanRequest};
pub(crate) use plain::{PerPixel, SPAN, get, put};
use plain::{Span, Workspace};

/// What a call did beside writing pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowReport {
    /// Pixels rendered: inside the region of interest and not masked.
    pub pixels: u64,
    /// Sum of omega over these pixels, layers and subpixels, in sr.
    pub omega_sum_sr: f64,
    /// Interpolations that fell back to the nearest node.
    pub fallbacks: u64,
}

impl RowReport {
    fn add(&mut self, span: &SpanReport) {
        self.omega_sum_sr += span.omega_sum_sr;
        self.fallbacks += span.fallbacks;
    }
}

/// A pixel as it is stored: f32 or f64.
pub trait PixelValue: Copy + private::Sealed {
    /// Rounded to the stored type.
    fn from_f64(value: f64) -> Self;
    /// Writes lanes to `out`, rounded: the first ones when it is shorter than a vector.
    fn store<F: Lanes>(lanes: F, out: &mut [Self]);
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl PixelValue for f32 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn store<F: Lanes>(lanes: F, out: &mut [Self]) {
        lanes.store_f32(out);
    }
}

impl PixelValue for f64 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn store<F: Lanes>(lanes: F, out: &mut [Self]) {
        lanes.store(out);
    }
}

impl Scene<'_> {
    /// Renders `rows` into `pixels` (slow-major, rows times fast pixels); what is outside the region of interest or
    /// masked becomes 0.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] with the length needed, [`Error::OutsideDetector`] for rows past the last,
    /// [`Error::CarryoverMissing`] for a c-parity scene without slots. Nothing is written then.
    pub fn render_rows<P: PixelValue>(
        &self,
        rows: Range<usize>,
        pixels: &mut [P],
        carry: &mut Carryover<'_>,
    ) -> Result<RowReport, Error> {
        let columns = self.p.detector.fast_pixels;
        let count = self.check_rows(&rows, carry)?;
        let needed = count.saturating_mul(columns);
        let given = pixels.len();
        let pixels =
            pixels.get_mut(..needed).ok_or(Error::BufferTooShort { buffer: "pixels", needed, given })?;
        let mut report = RowReport::default();
        let mut work = Workspace::new();
        for (slow, row) in rows.zip(pixels.chunks_exact_mut(columns.max(1))) {
            self.render_row(slow, row, carry, &mut work, &mut report);
        }
        Ok(report)
    }

    /// Renders one pixel without its neighbours, with the bits it has among them.
    ///
    /// # Errors
    /// As [`Scene::render_rows`].
    pub fn render_pixel(&self, slow: usize, fast: usize, carry: &mut Carryover<'_>) -> Result<f64, Error> {
        self.check_pixel(slow, fast, carry)?;
        if !self.is_selected(slow, fast) {
            return Ok(0.0);
        }
        let columns = self.p.detector.fast_pixels;
        self.count_uses(slow, columns, core::iter::once(fast), carry);
        let opening = self.opening_of(slow, fast, carry);
        Ok(self.evaluate(slow, fast, opening).0)
    }

    pub(crate) fn check_rows(&self, rows: &Range<usize>, carry: &Carryover<'_>) -> Result<usize, Error> {
        let limit = self.p.detector.slow_pixels;
        if rows.end > limit {
            return Err(Error::OutsideDetector { index: rows.end.saturating_sub(1), limit });
        }
        self.check_carry(carry)?;
        Ok(rows.end.saturating_sub(rows.start))
    }

    fn check_pixel(&self, slow: usize, fast: usize, carry: &Carryover<'_>) -> Result<(), Error> {
        for (index, limit) in [(slow, self.p.detector.slow_pixels), (fast, self.p.detector.fast_pixels)] {
            if index >= limit {
                return Err(Error::OutsideDetector { index, limit });
            }
        }
        self.check_carry(carry)
    }

    fn check_carry(&self, carry: &Carryover<'_>) -> Result<(), Error> {
        let needs_slots = self.carries();
        let (needed, given) = match carry {
            _ if !needs_slots => return Ok(()),
            Carryover::Off => return Err(Error::CarryoverMissing),
            Carryover::Streams(slots) => (1, slots.len()),
            Carryover::Pixels(slots) => (self.p.detector.pixels(), slots.len()),
        };
        if given < needed {
            return Err(Error::BufferTooShort { buffer: "carryover slots", needed, given });
        }
        Ok(())
    }

    fn count_uses(
        &self,
        slow: usize,
        columns: usize,
        rendered: impl Iterator<Item = usize>,
        carry: &mut Carryover<'_>,
    ) {
        if self.carries() {
            carry.count(slow, columns, rendered.filter(|&fast| self.is_swept(slow, fast)));
        }
    }

    fn render_row<P: PixelValue>(
        &self,
        slow: usize,
        row: &mut [P],
        carry: &mut Carryover<'_>,
        work: &mut Workspace,
        report: &mut RowReport,
    ) {
        let Roi { fast_min, fast_max, slow_min, slow_max } = self.p.roi;
        let inside = (slow_min..=slow_max).contains(&slow);
        if !inside || fast_min > 0 || fast_max + 1 < row.len() {
            row.fill(P::from_f64(0.0));
        }
        if !inside {
            return;
        }
        let (before, latch, after) = self.split_at_latch(slow, fast_min..fast_max + 1);
        self.render_span(slow, before, self.p.structure_factors.lookup, row, work, report);
        self.render_span(slow, after, LookupRule::Nearest, row, work, report);
        let columns = row.len();
        let steady = self.steady();
        let mut single = |fast: usize, opening: Option<Orientation>| {
            if let (true, Some(pixel)) = (self.is_selected(slow, fast), row.get_mut(fast)) {
                *pixel = P::from_f64(self.evaluate(slow, fast, opening).0);
            }
        };
        if let Some(fast) = latch {
            single(fast, None);
        }
        if self.carries() {
            for (fast, opening) in carry.openings_in_row(slow, columns).unsteady(steady) {
                single(fast, Some(opening));
            }
        }
        self.count_uses(
            slow,
            columns,
            (fast_min..=fast_max).filter(|&fast| self.is_selected(slow, fast)),
            carry,
        );
    }

    /// Columns of a row before the latch, at it, and after it.
    pub(crate) fn split_at_latch(
        &self,
        slow: usize,
        span: Range<usize>,
    ) -> (Range<usize>, Option<usize>, Range<usize>) {
        let nothing = span.end..span.end;
        match self.p.structure_factors.lookup {
            LookupRule::TricubicUntil(latch) if slow > latch.slow => (span.start..span.start, None, span),
            LookupRule::TricubicUntil(latch) if slow == latch.slow => {
                let at = latch.fast.max(span.start).min(span.end);
                let inside = span.contains(&latch.fast);
                // The latch pixel is rendered with the span before it for its omega, then again for its value.
                let next = if inside { at + 1 } else { at };
                (span.start..next, inside.then_some(at), next..span.end)
            }
            _ => (span, None, nothing),
        }
    }

    fn render_span<P: PixelValue>(
        &self,
        slow: usize,
        span: Range<usize>,
        lookup: LookupRule,
        row: &mut [P],
        work: &mut Workspace,
        report: &mut RowReport,
    ) {
        let columns = self.p.detector.fast_pixels;
        let mut first = span.start;
        while first < span.end {
            let count = (span.end - first).min(SPAN);
            let Some(out) = row.get_mut(first..first + count) else { return };
            // The span lies inside the region of interest: only a mask can take pixels out of it.
            let start = slow * columns + first;
            let mask = self.p.mask.and_then(|mask| mask.get(start..start + count));
            let selected = work.select(count, mask);
            if selected > 0 {
                report.add(&self.render_part(Span { slow, first, count }, lookup, work, out));
                report.pixels += selected;
            } else {
                out.fill(P::from_f64(0.0));
            }
            first += count;
        }
    }

    /// Part of a row: by the plain loop, or by the general one where that has to be or an index was exactly an integer.
    fn render_part<P: PixelValue>(
        &self,
        span: Span,
        lookup: LookupRule,
        work: &mut Workspace,
        out: &mut [P],
    ) -> SpanReport {
        if !self.needs_general_loop()
            && let Some(report) = plain::render(self, span, lookup, work, out)
        {
            return report;
        }
        let Span { slow, first, count } = span;
        let live = work.live.get(..count).unwrap_or(&[]);
        let mut values = [0.0; SPAN];
        let values = values.get_mut(..count).unwrap_or_default();
        let request = SpanRequest { slow, first, live, opening: None, until: u64::MAX };
        let report = general::render(self, &request, lookup, values);
        for (pixel, (&value, &live)) in out.iter_mut().zip(values.iter().zip(live)) {
            *pixel = P::from_f64(if live > 0.0 { value } else { 0.0 });
        }
        report
    }

    /// One pixel with all that makes it special: the sweep that opens its stream, the evaluation that latches.
    fn evaluate(&self, slow: usize, fast: usize, opening: Option<Orientation>) -> (f64, SpanReport) {
        let (lookup, until) = self.lookup_at(slow, fast);
        let request = SpanRequest { slow, first: fast, live: &[1.0], opening, until };
        let mut value = [0.0];
        let report = general::render(self, &request, lookup, &mut value);
        let [value] = value;
        (value, report)
    }

    /// The lookup of one pixel, and the evaluation that ends its interpolation.
    pub(crate) fn lookup_at(&self, slow: usize, fast: usize) -> (LookupRule, u64) {
        match self.p.structure_factors.lookup {
            LookupRule::TricubicUntil(latch) if (slow, fast) > (latch.slow, latch.fast) => {
                (LookupRule::Nearest, u64::MAX)
            }
            LookupRule::TricubicUntil(latch) if (slow, fast) == (latch.slow, latch.fast) => {
                (LookupRule::Tricubic, latch.evaluation)
            }
            rule => (rule, u64::MAX),
        }
    }

    fn needs_general_loop(&self) -> bool {
        self.p.oversample.multiplies_sum() || self.p.d_min_m > 0.0
    }

    /// Whether a pixel has any sweep: selected, and some source scatters into it above the resolution limit.
    #[must_use]
    pub fn is_swept(&self, slow: usize, fast: usize) -> bool {
        self.is_selected(slow, fast) && (self.p.d_min_m == 0.0 || self.resolves(slow, fast))
    }

    /// The first pixel of `rows`, in order, that has a sweep.
    #[must_use]
    pub fn first_swept(&self, rows: Range<usize>) -> Option<(usize, usize)> {
        let Roi { fast_min, fast_max, slow_min, slow_max } = self.p.roi;
        let rows = rows.start.max(slow_min)..rows.end.min(slow_max.saturating_add(1));
        rows.flat_map(|slow| (fast_min..=fast_max).map(move |fast| (slow, fast)))
            .find(|&(slow, fast)| self.is_swept(slow, fast))
    }

    /// The last pixel before (slow, fast), from row `first_row` on, that has a sweep.
    pub(crate) fn last_swept_before(
        &self,
        first_row: usize,
        slow: usize,
        fast: usize,
    ) -> Option<(usize, usize)> {
        let columns = self.p.detector.fast_pixels;
        let here = (0..fast).rev().map(|column| (slow, column));
        let above =
            (first_row..slow).rev().flat_map(|row| (0..columns).rev().map(move |column| (row, column)));
        here.chain(above).find(|&(row, column)| self.is_swept(row, column))
    }

    /// The first evaluation in `rows`, in the reference's order, whose block of 4 x 4 x 4 nodes is not usable: what
    /// switches the reference's interpolation off. `None` when there is none, or the scene does not interpolate.
    ///
    /// # Errors
    /// As [`Scene::render_rows`].
    pub fn find_latch(&self, rows: Range<usize>, carry: &Carryover<'_>) -> Result<Option<LatchPoint>, Error> {
        self.check_rows(&rows, carry)?;
        if self.p.structure_factors.lookup == LookupRule::Nearest || self.p.structure_factors.grid.is_none() {
            return Ok(None);
        }
        let Roi { fast_min, fast_max, slow_min, slow_max } = self.p.roi;
        let steady = self.steady();
        for slow in rows.start.max(slow_min)..rows.end.min(slow_max.saturating_add(1)) {
            let mut opening = carry.openings_in_row(slow, self.p.detector.fast_pixels).unsteady(steady);
            let opening = if self.carries() { opening.next() } else { None };
            let mut first = fast_min;
            while first <= fast_max {
                let mut count = (fast_max + 1 - first).min(SPAN);
                // An opening pixel is scanned alone, with what its first sweep finds.
                let vectors = match opening {
                    Some((fast, vectors)) if fast == first => {
                        count = 1;
                        Some(vectors)
                    }
                    Some((fast, _)) if (first..first + count).contains(&fast) => {
                        count = fast - first;
                        None
                    }
                    _ => None,
                };
                let mut live = [0.0; SPAN];
                for (fast, live) in (first..).zip(live.iter_mut().take(count)) {
                    *live = f64::from(u8::from(self.is_selected(slow, fast)));
                }
                let live = live.get(..count).unwrap_or(&[]);
                let request = SpanRequest { slow, first, live, opening: vectors, until: u64::MAX };
                if let Some((fast, evaluation)) = general::scan_latch(self, &request) {
                    return Ok(Some(LatchPoint { slow, fast, evaluation }));
                }
                first += count;
            }
        }
        Ok(None)
    }

    /// One pixel with its intermediate values: `step` is called for every innermost step of the sources that the
    /// resolution limit leaves.
    ///
    /// # Errors
    /// As [`Scene::render_pixel`].
    pub fn probe_pixel(
        &self,
        slow: usize,
        fast: usize,
        carry: &Carryover<'_>,
        step: &mut dyn FnMut(&StepProbe),
    ) -> Result<PixelProbe, Error> {
        self.check_pixel(slow, fast, carry)?;
        let first_use = carry.use_at(self, slow, fast)?;
        let opening = self.opening_of(slow, fast, carry);
        let (lookup, until) = self.lookup_at(slow, fast);
        let request = SpanRequest { slow, first: fast, live: &[1.0], opening, until };
        Ok(probe::probe(self, &request, lookup, first_use, step))
    }

    /// What the first sweep of a pixel finds, where that is not the steady vectors.
    fn opening_of(&self, slow: usize, fast: usize, carry: &Carryover<'_>) -> Option<Orientation> {
        if !self.carries() {
            return None;
        }
        let mut openings = carry.openings_in_row(slow, self.p.detector.fast_pixels).unsteady(self.steady());
        openings.find_map(|(column, vectors)| (column == fast).then_some(vectors))
    }
}

/// How a span is looked up.
pub(crate) fn plan_of(scene: &Scene<'_>, lookup: LookupRule, until: u64) -> LookupPlan {
    match (scene.grid(), lookup) {
        (None, _) => LookupPlan::Uniform,
        (Some(_), LookupRule::Nearest) => LookupPlan::Nearest,
        (Some(_), LookupRule::Tricubic | LookupRule::TricubicUntil(_)) => LookupPlan::Tricubic { until },
    }
}
