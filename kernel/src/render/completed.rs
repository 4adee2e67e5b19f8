//! Rows whose pixels another processor has evaluated by [`crate::formulas`]: what is left to do for them.

use core::ops::Range;

use super::geometry::{Subpixel, SubpixelGrid};
use super::row_plan::{Span, select};
use super::{PixelValue, RowReport, SpanReport};
use crate::Error;
use crate::carryover::Carryover;
use crate::lanes::{BaseLevel, Lanes, WithSimd};
use crate::scene::{Roi, Scene};
use crate::span::{PerPixel, SPAN, load};

impl Scene<'_> {
    /// Completes rows of pixels that [`crate::formulas`] gave, with the steady vectors of the carryover: evaluates those again
    /// that are NaN, that open a stream of the carryover, or in which interpolation ends, and sets those to 0 that are not
    /// selected. The report is that of [`Scene::render_rows`], without fallbacks.
    ///
    /// **Shapes**: those of [`Scene::render_rows`].
    ///
    /// # Errors
    /// Those of [`Scene::render_rows`].
    pub fn complete_rows<P: PixelValue>(
        &self,
        rows: Range<usize>,
        pixels: &mut [P],
        carry: &mut Carryover<'_>,
    ) -> Result<RowReport, Error> {
        let mut report = RowReport::default();
        for (slow, row) in self.rows_of(rows, "pixels", pixels, carry)? {
            self.complete_row(slow, row, carry, &mut report);
        }
        Ok(report)
    }

    fn complete_row<P: PixelValue>(
        &self,
        slow: usize,
        row: &mut [P],
        carry: &mut Carryover<'_>,
        report: &mut RowReport,
    ) {
        let Roi { fast_min, fast_max, .. } = self.p.roi;
        let Some(plan) = self.row_plan(slow, carry) else {
            row.fill(P::from_f64(0.0));
            return;
        };
        for outside in [0..fast_min, (fast_max + 1).min(row.len())..row.len()] {
            row.get_mut(outside).unwrap_or_default().fill(P::from_f64(0.0));
        }
        let mut live = [0.0; SPAN];
        for span in plan.spans() {
            if let Some(out) = row.get_mut(span.first..span.first + span.count) {
                self.complete_span(span, &mut live, out, report);
            }
        }
        for single in plan.singles() {
            if let Some(pixel) = row.get_mut(single.fast) {
                *pixel = P::from_f64(self.evaluate(&single.run()));
            }
        }
        self.count_uses(slow, fast_min..=fast_max, carry);
    }

    fn complete_span<P: PixelValue>(
        &self,
        span: Span,
        live: &mut PerPixel,
        out: &mut [P],
        report: &mut RowReport,
    ) {
        select(live, &span, self.mask_of(&span));
        let selected = live.iter().filter(|&&live| live > 0.0).count();
        if selected == 0 {
            out.fill(P::from_f64(0.0));
            return;
        }
        let mut any_nan = false;
        for (pixel, &live) in out.iter_mut().zip(&*live) {
            if live == 0.0 {
                *pixel = P::from_f64(0.0);
            }
            any_nan |= pixel.is_nan();
        }
        if any_nan {
            self.render_nan_generally(span, live, out);
        }
        let omega_sum_sr = self.p.simd.run(OmegaPass { scene: self, span, live });
        report.add(&SpanReport { omega_sum_sr, fallbacks: 0 });
        report.pixels += selected as u64;
    }
}

/// The sum of the solid angles of a span's live pixels, over layers and subpixels, in sr, as the loops report it.
struct OmegaPass<'c, 'a> {
    scene: &'c Scene<'a>,
    span: Span,
    live: &'c PerPixel,
}

impl WithSimd for OmegaPass<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> f64 {
        let Self { scene, span, live } = self;
        let p = &scene.p;
        let (panel, layer_m) = (&p.panel, p.panel.sensor.layer_m);
        let grid = SubpixelGrid::new(panel, span.slow, p.oversample.per_axis);
        let (zero, last) = (level.splat(0.0), level.splat((span.first + span.count) as f64 - 1.0));
        // Without the flag, the solid angle of the first sample stands for all layers and subpixels. The general loop adds it
        // for each of them.
        let (is_general, each) = (scene.needs_general_loop(), p.oversample.omega);
        let per_axis = p.oversample.per_axis as f64;
        let alike = if each { 1.0 } else { panel.sensor.layers as f64 * per_axis * per_axis };
        let alike = level.splat(if is_general { 1.0 } else { alike });
        let mut sum = zero;
        for at in (0..span.count).step_by(L::F::LEN) {
            let fast = level.ramp((span.first + at) as f64, f64::INFINITY).min(last);
            let (mut of_pixel, mut omega) = (zero, zero);
            for (layer, sub_slow, sub_fast) in scene.samples() {
                let begins = layer == 0 && sub_slow == 0 && sub_fast == 0;
                if begins || each {
                    let line = grid.line(panel, sub_slow, layer as f64 * layer_m);
                    omega = Subpixel::new(panel, &grid, line, fast, sub_fast).direction.omega_sr(panel);
                } else if !is_general {
                    break;
                }
                of_pixel = omega.mul_add(alike, of_pixel);
            }
            sum = of_pixel.mul_add(load(level, live, at), sum);
        }
        sum.to_array().as_ref().iter().sum()
    }
}
