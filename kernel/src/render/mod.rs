//! Rendering: rows of a panel, single pixels, and their intermediate values, from a [`Scene`].
//!
//! **Formula** for each pixel, over thickness layers, subpixels, sources, phi steps and mosaic domains:
//!
//! ```text
//! I     = sum weight F_cell^2 F_latt^2 capture
//! pixel = r_e^2 fluence I/steps * polarisation * omega + background
//! ```
//!
//! capture is that of the layer's first subpixel; omega and polarisation are those of the first subpixel and
//! source, and so is the background of water ([`crate::beam::PolarizedAt`] has other places for the polarisation). A factor
//! whose `oversample_` flag is set is evaluated for each subpixel (and source) and multiplies its terms. steps is the
//! number of terms of a layer; with weights, the sum of the weights stands for the number of sources.
//!
//! That is spec. c-parity reproduces what the reference does instead with layers, flags, weights and water
//! (`accumulate`).
//!
//! **Lanes** are neighbouring pixels of a row; sources and orientations are scalars broadcast to all lanes. A
//! pixel's bits do not depend on its neighbours, on the rows rendered with it, or on threads. **Buffers**:
//! the caller owns the tables and the output; a call uses about 60 kB of stack.
//!
//! ```text
//! a row    -> its plan: spans of pixels that are rendered alike, and single pixels      row_plan
//! a span   -> the plain loop, three passes                                              plain, choice
//!             or, where the scene or a pixel needs it, the general loop                 general, pixel_sum
//!             or, with a list of spots, only their steps                                lit
//!             or, before it is rendered, the step that ends interpolation               latch
//! a step   -> its term joins the sum of its pixel                                       accumulate, background
//!             or the sums of what contributes to it                                     contributions
//! ```

pub(crate) mod accumulate;
pub(crate) mod background;
mod choice;
mod completed;
mod contributions;
mod general;
pub(crate) mod geometry;
mod latch;
mod lit;
pub(crate) mod neglect;
pub(crate) mod observer;
pub(crate) mod pixel_sum;
mod pixel_value;
pub(crate) mod plain;
mod probe;
pub(crate) mod resolution;
pub(crate) mod row_plan;
mod streams;
pub(crate) mod visits;

use core::ops::{Range, RangeInclusive};

pub use contributions::Contributions;
pub(crate) use lit::Lit;
pub use pixel_value::PixelValue;
use probe::ProbeObserver;
pub use probe::{PixelProbe, StepProbe};
pub use streams::{continue_streams, open_pixels, open_streams};

use crate::Error;
use crate::carryover::Carryover;
pub use crate::scene::{Oversample, Roi, Scene, SceneParts, Sensor};
use crate::span::{PerPixel, SPAN};
use accumulate::Accumulation;
use plain::Workspace;
use row_plan::{PixelRun, Span};

/// What a call reports in addition to the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowReport {
    /// Pixels rendered: inside the region of interest and not masked.
    pub pixels: u64,
    /// Sum of omega over these pixels, layers and subpixels, in sr.
    pub omega_sum_sr: f64,
    /// Interpolations that fell back to the nearest node.
    pub fallbacks: u64,
}

/// What a span accumulates in addition to its pixels.
#[derive(Debug, Clone, Copy, Default)]
struct SpanReport {
    omega_sum_sr: f64,
    fallbacks: u64,
}

impl RowReport {
    fn add(&mut self, span: &SpanReport) {
        self.omega_sum_sr += span.omega_sum_sr;
        self.fallbacks += span.fallbacks;
    }
}

impl Scene<'_> {
    /// Renders `rows` into `pixels`, in photons.
    ///
    /// **Shapes**: `pixels` is slow-major, rows times fast pixels. Pixels outside the region of interest and
    /// masked pixels become 0.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] with the length needed, [`Error::OutsideDetector`] for rows past the last,
    /// [`Error::CarryoverMissing`] for a c-parity scene without slots for these rows, [`Error::OtherScene`]
    /// for slots of another scene. Nothing is written then.
    ///
    /// The page of the crate has an example.
    pub fn render_rows<P: PixelValue>(
        &self,
        rows: Range<usize>,
        pixels: &mut [P],
        carry: &mut Carryover<'_>,
    ) -> Result<RowReport, Error> {
        self.render_rows_of(rows, pixels, carry, None)
    }

    /// [`Scene::render_rows`], from lists of spots where there are some.
    pub(crate) fn render_rows_of<P: PixelValue>(
        &self,
        rows: Range<usize>,
        pixels: &mut [P],
        carry: &mut Carryover<'_>,
        lit: Option<&Lit<'_>>,
    ) -> Result<RowReport, Error> {
        let mut report = RowReport::default();
        let mut work = Workspace::new();
        for (slow, row) in self.rows_of(rows, "pixels", pixels, carry)? {
            self.render_row(slow, row, carry, lit, &mut work, &mut report);
        }
        Ok(report)
    }

    /// Renders one pixel without its neighbours, with the same bits as in a whole row.
    ///
    /// # Errors
    /// As [`Scene::render_rows`].
    pub fn render_pixel(&self, slow: usize, fast: usize, carry: &mut Carryover<'_>) -> Result<f64, Error> {
        self.check_pixel(slow, fast, carry)?;
        if !self.is_selected(slow, fast) {
            return Ok(0.0);
        }
        self.count_uses(slow, fast..=fast, carry);
        Ok(self.evaluate(&self.single_plan(slow, fast, carry).run()))
    }

    /// One pixel with its intermediate values: `step` is called for every innermost step of the sources
    /// within the resolution limit.
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
        let first_use = self.carry_use(carry, slow, fast)?;
        let mut observer = ProbeObserver::new(self, (slow, fast), first_use, step);
        general::render_probed(self, &self.single_plan(slow, fast, carry).run(), &mut observer);
        Ok(observer.pixel)
    }

    pub(crate) fn check_rows(&self, rows: &Range<usize>, carry: &Carryover<'_>) -> Result<usize, Error> {
        let limit = self.p.panel.slow_pixels;
        if rows.end > limit {
            return Err(Error::OutsideDetector { index: rows.end.saturating_sub(1), limit });
        }
        self.check_carry(rows, carry)?;
        Ok(rows.end.saturating_sub(rows.start))
    }

    /// Each of `rows` with its part of the slow-major `pixels`, after the checks of [`Scene::render_rows`]. Errors call the
    /// pixels `buffer`.
    fn rows_of<'p, P>(
        &self,
        rows: Range<usize>,
        buffer: &'static str,
        pixels: &'p mut [P],
        carry: &Carryover<'_>,
    ) -> Result<impl Iterator<Item = (usize, &'p mut [P])> + use<'p, P>, Error> {
        let columns = self.p.panel.fast_pixels;
        let needed = self.check_rows(&rows, carry)?.saturating_mul(columns);
        let given = pixels.len();
        let pixels = pixels.get_mut(..needed).ok_or(Error::BufferTooShort { buffer, needed, given })?;
        Ok(rows.zip(pixels.chunks_exact_mut(columns.max(1))))
    }

    fn check_pixel(&self, slow: usize, fast: usize, carry: &Carryover<'_>) -> Result<(), Error> {
        for (index, limit) in [(slow, self.p.panel.slow_pixels), (fast, self.p.panel.fast_pixels)] {
            if index >= limit {
                return Err(Error::OutsideDetector { index, limit });
            }
        }
        self.check_carry(&(slow..slow + 1), carry)
    }

    /// Checks that the carryover, where the scene needs one, is that of this scene and has slots for `rows`.
    fn check_carry(&self, rows: &Range<usize>, carry: &Carryover<'_>) -> Result<(), Error> {
        if !self.carries() {
            return Ok(());
        }
        let panel = &self.p.panel;
        carry.check(rows, (panel.fast_pixels, panel.pixels()), self.carryover_id())
    }

    /// Counts the pixels of some columns of a row that have a sweep in the slots of the carryover.
    fn count_uses(&self, slow: usize, columns: RangeInclusive<usize>, carry: &mut Carryover<'_>) {
        if !self.carries() {
            return;
        }
        let end = columns.end() + 1;
        for first in columns.step_by(SPAN) {
            let mut resolved = [1.0; SPAN];
            let resolved = resolved.get_mut(..SPAN.min(end - first)).unwrap_or_default();
            if self.p.d_min_m > 0.0 {
                self.find_resolved(slow, first, resolved);
            }
            let pixels = (first..).zip(resolved).map(|(fast, &mut resolved)| (fast, resolved > 0.0));
            let swept = pixels.filter(|&(fast, resolved)| resolved && self.is_selected(slow, fast));
            carry.count(slow, self.p.panel.fast_pixels, swept.map(|(fast, _)| fast));
        }
    }

    fn render_row<P: PixelValue>(
        &self,
        slow: usize,
        row: &mut [P],
        carry: &mut Carryover<'_>,
        lit: Option<&Lit<'_>>,
        work: &mut Workspace,
        report: &mut RowReport,
    ) {
        let Roi { fast_min, fast_max, .. } = self.p.roi;
        let Some(plan) = self.row_plan(slow, carry) else {
            row.fill(P::from_f64(0.0));
            return;
        };
        if fast_min > 0 || fast_max + 1 < row.len() {
            row.fill(P::from_f64(0.0));
        }
        for span in plan.spans() {
            if let Some(out) = row.get_mut(span.first..span.first + span.count) {
                self.render_span(span, out, lit, work, report);
            }
        }
        // The spans have the solid angles of the single pixels too; their values are replaced.
        for single in plan.singles() {
            if let Some(pixel) = row.get_mut(single.fast) {
                *pixel = P::from_f64(self.evaluate(&single.run()));
            }
        }
        self.count_uses(slow, fast_min..=fast_max, carry);
    }

    fn render_span<P: PixelValue>(
        &self,
        span: Span,
        out: &mut [P],
        lit: Option<&Lit<'_>>,
        work: &mut Workspace,
        report: &mut RowReport,
    ) {
        let selected = work.select(&span, self.mask_of(&span));
        if selected == 0 {
            out.fill(P::from_f64(0.0));
            return;
        }
        let of_spots = lit.and_then(|lit| lit::render(self, lit, span, work, out));
        report.add(&of_spots.unwrap_or_else(|| self.render_every_step(span, work, out)));
        report.pixels += selected;
    }

    /// Renders the live pixels of a span by all of their steps; the others become 0.
    fn render_every_step<P: PixelValue>(
        &self,
        span: Span,
        work: &mut Workspace,
        out: &mut [P],
    ) -> SpanReport {
        if self.needs_general_loop() {
            return self.render_span_generally(span, &work.live, out);
        }
        let (report, any_nan) = choice::render(self, span, work, out);
        if any_nan {
            self.render_nan_generally(span, &work.live, out);
        }
        report
    }

    /// Renders the pixels of a span again that are NaN, by the general loop.
    fn render_nan_generally<P: PixelValue>(&self, span: Span, live: &PerPixel, out: &mut [P]) {
        let mut again = [P::from_f64(0.0); SPAN];
        let again = again.get_mut(..span.count).unwrap_or_default();
        self.render_span_generally(span, live, again);
        // The others have the same bits, except that nothing is neglected in them now.
        for (pixel, again) in out.iter_mut().zip(again) {
            if pixel.is_nan() {
                *pixel = *again;
            }
        }
    }

    fn render_span_generally<P: PixelValue>(&self, span: Span, live: &PerPixel, out: &mut [P]) -> SpanReport {
        let Span { slow, first, count, lookup, .. } = span;
        let live = live.get(..count).unwrap_or(&[]);
        let mut values = [0.0; SPAN];
        let values = values.get_mut(..count).unwrap_or_default();
        let run = PixelRun { slow, first, live, opening: None, lookup };
        let report = general::render(self, &run, values);
        for (pixel, (&value, &live)) in out.iter_mut().zip(values.iter().zip(live)) {
            *pixel = P::from_f64(if live > 0.0 { value } else { 0.0 });
        }
        report
    }

    /// Renders neighbouring pixels of a row, without the special cases of single pixels.
    pub(crate) fn render_run(&self, slow: usize, first: usize, values: &mut [f64]) {
        let live = [1.0; SPAN];
        let live = live.get(..values.len()).unwrap_or(&[]);
        let lookup = self.lookup_at(slow, first);
        general::render(self, &PixelRun { slow, first, live, opening: None, lookup }, values);
    }

    /// The value of a run of one pixel, including its special cases: the sweep that opens its stream, and the
    /// evaluation that ends interpolation.
    fn evaluate(&self, run: &PixelRun<'_>) -> f64 {
        let mut value = [0.0];
        general::render(self, run, &mut value);
        let [value] = value;
        value
    }

    /// Whether the scene has what only the general loop does: every step multiplies the running sum, a square crystal has
    /// fractions of cells, or the polarisation factor is not that of the first contribution.
    pub(crate) fn needs_general_loop(&self) -> bool {
        let polarizes_elsewhere = self.polarizes_last() || self.polarizes_centre();
        Accumulation::new(self).multiplies_sum() || self.is_fractional_square() || polarizes_elsewhere
    }
}
