//! What contributed to a pixel: wavelength and h, k, l, as sums over its steps.
//!
//! **Formula**, T the photons that a step adds to its pixel, with all that multiplies it:
//!
//! ```text
//! photons = sum T      lambda = sum T lambda      hkl = sum T (h, k, l)
//! ```
//!
//! h, k, l are the fractional indices of the step, of its own mosaic domain. The sums over photons are the means. Sums are
//! returned, and no means, since those of several crystals add up. The general loop computes them, of all steps, at the
//! speed of a render by that loop.

use core::ops::{AddAssign, Range};

use super::accumulate::StepFactor;
use super::observer::{ObservedPixel, ObservedStep, Observer};
use super::pixel_sum::{RunContext, StepTools, sum_pixels};
use super::row_plan::PixelRun;
use super::visits::Every;
use crate::Error;
use crate::beam::Source;
use crate::carryover::Carryover;
use crate::lanes::{BaseLevel, Lanes, WithSimd};
use crate::lattice::AnyShape;
use crate::scene::Scene;
use crate::span::SPAN;
use crate::structure_factor::{AnyLookup, Located, Lookup, LookupTable};

/// Sums over the steps of a pixel, each weighted by the photons that it adds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Contributions {
    /// Photons, without background.
    pub photons: f64,
    /// Photons times wavelength, in m.
    pub lambda_m: f64,
    /// Photons times h, k, l.
    pub hkl: [f64; 3],
}

impl Contributions {
    /// The mean wavelength, in m; NaN where there are no photons.
    #[must_use]
    pub fn mean_lambda_m(&self) -> f64 {
        self.lambda_m / self.photons
    }

    /// The mean h, k, l; NaN where there are no photons.
    #[must_use]
    pub fn mean_hkl(&self) -> [f64; 3] {
        self.hkl.map(|sum| sum / self.photons)
    }
}

impl AddAssign for Contributions {
    /// Adds the steps of another crystal to the same pixel.
    fn add_assign(&mut self, other: Self) {
        self.photons += other.photons;
        self.lambda_m += other.lambda_m;
        for (sum, term) in self.hkl.iter_mut().zip(other.hkl) {
            *sum += term;
        }
    }
}

/// Observer that sums the terms of the pixels of a vector: photons, and these times wavelength, h, k, l.
struct Summing<'s, F> {
    sources: &'s [Source],
    sums: [F; 5],
}

impl<F: Lanes> Summing<'_, F> {
    #[inline(always)]
    fn multiply(&mut self, by: F) {
        for sum in &mut self.sums {
            *sum = *sum * by;
        }
    }
}

impl<F: Lanes> Observer<F> for Summing<'_, F> {
    const DERIVATIVES: bool = false;

    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, step: &ObservedStep<'_, F>, located: &Located<'_, F, K>) {
        let amplitude = step.lattice.f_latt * step.f_cell;
        let zero = amplitude.splat_like(0.0);
        let mut term = F::select(step.active, amplitude * amplitude, zero);
        if let StepFactor::Terms(factor) = step.factor {
            term = term * factor;
        }
        let lambda_m = self.sources.get(step.source).map_or(0.0, |source| source.lambda_m);
        let [h, k, l] = located.indices.hkl;
        let [photons, by_lambda, by_h, by_k, by_l] = self.sums;
        self.sums = [
            photons + term,
            term.mul_add(zero.splat_like(lambda_m), by_lambda),
            term.mul_add(h, by_h),
            term.mul_add(k, by_k),
            term.mul_add(l, by_l),
        ];
        if let StepFactor::RunningSum(factor) = step.factor {
            self.multiply(F::select(step.active, factor, zero.splat_like(1.0)));
        }
    }

    #[inline(always)]
    fn pixel(&mut self, pixel: &ObservedPixel<F>) {
        self.multiply(pixel.value_per_sum);
    }
}

/// The sums of a run.
struct SumRun<'c, 'a> {
    scene: &'c Scene<'a>,
    run: &'c PixelRun<'c>,
    /// One for each of its pixels.
    out: &'c mut [Contributions],
}

impl WithSimd for SumRun<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { scene, run, out } = self;
        let p = scene.parts();
        let table = LookupTable { factors: p.structure_factors, plan: run.lookup };
        let context = RunContext::new(scene, run);
        let shape = AnyShape::new(level, &p.crystallite, scene.lattice_precision());
        let mut lookup = AnyLookup::new(level, &table);
        let every = Every::new(scene);
        for vector in run.vectors(level) {
            let mut summing = Summing { sources: p.sources, sums: [level.splat(0.0); 5] };
            let mut tools = StepTools { shape: &shape, lookup: &mut lookup, observer: &mut summing };
            sum_pixels(&context, &mut tools, level, vector.fast, vector.live, &every);
            let [photons, lambda_m, h, k, l] = summing.sums;
            let (photons, lambda_m) = (photons.to_array(), lambda_m.to_array());
            let (h, k, l) = (h.to_array(), k.to_array(), l.to_array());
            let lambda = photons.as_ref().iter().zip(lambda_m.as_ref());
            let hkl = h.as_ref().iter().zip(k.as_ref()).zip(l.as_ref());
            let of_pixels = out.get_mut(vector.at..).unwrap_or_default().iter_mut().zip(vector.selected);
            for ((pixel, selected), ((&photons, &lambda_m), ((&h, &k), &l))) in of_pixels.zip(lambda.zip(hkl))
            {
                if *selected > 0.0 {
                    *pixel = Contributions { photons, lambda_m, hkl: [h, k, l] };
                }
            }
        }
    }
}

impl Scene<'_> {
    /// Sums up what contributes to the pixels of `rows`.
    ///
    /// **Shapes**: `pixels` is slow-major, rows times fast pixels. Pixels outside the region of interest and masked pixels
    /// get sums of 0. The carryover is read, and its uses are not counted. Steps that [`Scene::neglecting`] leaves out of an
    /// image are summed as well.
    ///
    /// # Errors
    /// As [`Scene::render_rows`]. Nothing is written then.
    pub fn sum_contributions(
        &self,
        rows: Range<usize>,
        pixels: &mut [Contributions],
        carry: &Carryover<'_>,
    ) -> Result<(), Error> {
        for (slow, row) in self.rows_of(rows, "sums of contributions", pixels, carry)? {
            row.fill(Contributions::default());
            self.sum_row(slow, row, carry);
        }
        Ok(())
    }

    fn sum_row(&self, slow: usize, row: &mut [Contributions], carry: &Carryover<'_>) {
        let simd = self.parts().simd;
        let Some(plan) = self.row_plan(slow, carry) else { return };
        for span in plan.spans() {
            let mut live = [0.0; SPAN];
            let run = plan.run_without_singles(&span, &mut live);
            let out = row.get_mut(span.first..span.first + span.count).unwrap_or_default();
            simd.run(SumRun { scene: self, run: &run, out });
        }
        for single in plan.singles() {
            let out = row.get_mut(single.fast..=single.fast).unwrap_or_default();
            simd.run(SumRun { scene: self, run: &single.run(), out });
        }
    }
}
