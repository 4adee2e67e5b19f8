//! Intermediate values of one pixel, reported by the general loop. The plain loop, which renders, reports
//! nothing.

use core::num::NonZeroUsize;

use super::accumulate::StepFactor;
use super::geometry::LaneVec;
use super::observer::{ObservedPixel, ObservedStep};
use crate::carryover::CarryUse;
use crate::lanes::{Lanes, Level, Simd, WithSimd};
use crate::lattice::Indices;
use crate::math::{NUDGE, sincg};
use crate::rotation::{Orientation, PhiMode, PhiSweep};
use crate::scene::Scene;
use crate::vector::Vec3;

/// One innermost step of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepProbe {
    /// Thickness layer.
    pub layer: usize,
    /// Subpixel (slow, fast).
    pub subpixel: (usize, usize),
    /// Index of the source.
    pub source: usize,
    /// phi step.
    pub phi_step: usize,
    /// Mosaic domain.
    pub domain: usize,
    /// Position of the subpixel, in m.
    pub position_m: Vec3,
    /// Its distance from the sample, in m.
    pub distance_m: f64,
    /// Unit vector towards it.
    pub diffracted: Vec3,
    /// Scattering vector, in 1/m.
    pub scattering_per_m: Vec3,
    /// What this step found at phi = 0 in c-parity mode. For a pixel's later sweeps, and for a phi = 0 in the
    /// middle of a sweep, the pixel itself left the vectors.
    pub carry: CarryUse,
    /// Cell vectors.
    pub orientation: Orientation,
    /// h, k, l.
    pub hkl: [f64; 3],
    /// Nearest integers, an exact half going down.
    pub hkl_rounded: [f64; 3],
    /// The factor of each axis with its sign, for square crystals of whole cells; NaN for all others. Computed in f64
    /// beside the loop, which keeps only their product.
    pub f_latt_axes: [f64; 3],
    /// F_latt, with its sign for square crystals.
    pub f_latt: f64,
    /// F_cell.
    pub f_cell: f64,
    /// What the term is multiplied by before it joins the sum, in spec: the weight of the source, and those of
    /// capture, polarisation and solid angle that are not the same for all terms.
    pub factor: f64,
    /// Sum so far, this step included.
    pub intensity: f64,
}

impl StepProbe {
    /// What the step adds to the sum: F_cell^2 F_latt^2 times the factor.
    #[must_use]
    pub fn term(&self) -> f64 {
        let amplitude = self.f_latt * self.f_cell;
        amplitude * amplitude * self.factor
    }
}

/// A finished pixel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PixelProbe {
    /// Its value.
    pub value: f64,
    /// The sum before scaling.
    pub intensity: f64,
    /// Polarisation factor.
    pub polarization: f64,
    /// Solid angle, in sr.
    pub omega_sr: f64,
    /// Captured share, of the last layer.
    pub capture: f64,
    /// Background of water that the value includes, in spec.
    pub background: f64,
}

/// Observer that turns the loop's values into probes.
pub(super) struct ProbeObserver<'w> {
    step: &'w mut dyn FnMut(&StepProbe),
    pub(super) pixel: PixelProbe,
    domains: NonZeroUsize,
    cells: Option<[f64; 3]>,
    carry: CarryUses,
}

/// What the carryover held at each step.
struct CarryUses {
    sweep: PhiSweep,
    carried_steps: usize,
    /// What the pixel's first sweep finds.
    first_use: CarryUse,
    /// The pixel (slow, fast).
    here: (usize, usize),
    /// Layer, subpixel and source of the first sweep, once it has begun.
    first_sweep: Option<SweepIndex>,
}

/// Layer, subpixel (slow, fast) and source.
type SweepIndex = (usize, (usize, usize), usize);

impl CarryUses {
    fn use_at(&mut self, sweep: SweepIndex, phi_step: usize) -> CarryUse {
        let is_first = *self.first_sweep.get_or_insert(sweep) == sweep;
        let phis = &self.sweep;
        if phis.mode == PhiMode::Spec || phis.phi_rad(phi_step) != 0.0 {
            CarryUse::NotUsed
        } else if is_first && phi_step < self.carried_steps {
            self.first_use
        } else if self.carried_steps == 0 && phis.phi_rad(0) == 0.0 {
            // Every phi is 0: no sweep ever leaves rotated vectors.
            CarryUse::Fresh
        } else {
            CarryUse::Hit { left_by: self.here }
        }
    }
}

/// sincg of one number, at the level the program runs at.
struct OneSincg(f64, f64);

impl WithSimd for OneSincg {
    type Output = f64;
    #[inline(always)]
    fn with_simd<L: Level>(self, level: L) -> f64 {
        sincg(level.splat(self.0), level.splat(self.1)).first()
    }
}

#[inline(always)]
fn first_lanes<F: Lanes>([x, y, z]: [F; 3]) -> [f64; 3] {
    [x.first(), y.first(), z.first()]
}

#[inline(always)]
fn first_vector<F: Lanes>(v: &LaneVec<F>) -> Vec3 {
    Vec3::new(v.x.first(), v.y.first(), v.z.first())
}

impl<'w> ProbeObserver<'w> {
    /// Observer of the pixel `here` (slow, fast) that calls `step` for every step; `first_use` is what the
    /// pixel's first sweep finds.
    pub(super) fn new(
        scene: &Scene<'_>,
        here: (usize, usize),
        first_use: CarryUse,
        step: &'w mut dyn FnMut(&StepProbe),
    ) -> Self {
        let sweep = *scene.p.orientations.sweep();
        let carried_steps = sweep.carried_steps();
        Self {
            step,
            pixel: PixelProbe::default(),
            domains: NonZeroUsize::new(scene.p.orientations.domains().len()).unwrap_or(NonZeroUsize::MIN),
            cells: (scene.shape().is_product_of_axes() && !scene.is_fractional_square())
                .then_some(scene.p.crystallite.cells),
            carry: CarryUses { sweep, carried_steps, first_use, here, first_sweep: None },
        }
    }
}

impl ProbeObserver<'_> {
    /// Reports a step.
    #[inline(always)]
    pub(super) fn step<F: Lanes>(&mut self, step: &ObservedStep<'_, F>, indices: &Indices<F>) {
        // An index that the loop moved away from 0 is reported as 0.
        let hkl = first_lanes(indices.hkl).map(|h| if h.abs() <= NUDGE { 0.0 } else { h });
        let axes = self.cells.map(|cells| {
            let mut factors = hkl;
            for (factor, n) in factors.iter_mut().zip(cells) {
                *factor = Simd::detect().run(OneSincg(*factor, n));
            }
            factors
        });
        let sign = axes.map_or(1.0, |axes| axes.iter().product::<f64>().signum());
        let (site, subpixel) = (step.site, &step.site.subpixel);
        let phi_step = step.entry / self.domains;
        (self.step)(&StepProbe {
            layer: site.layer,
            subpixel: site.index,
            source: step.source,
            phi_step,
            domain: step.entry % self.domains,
            position_m: first_vector(&subpixel.position_m),
            distance_m: 1.0 / subpixel.direction.inverse_distance.first(),
            diffracted: first_vector(&subpixel.direction.diffracted),
            scattering_per_m: first_vector(step.scattering),
            carry: self.carry.use_at((site.layer, site.index, step.source), phi_step),
            orientation: *step.orientation,
            hkl,
            hkl_rounded: first_lanes(indices.hkl0),
            f_latt_axes: axes.unwrap_or([f64::NAN; 3]),
            f_latt: step.lattice.f_latt.first().abs() * sign,
            f_cell: step.f_cell.first(),
            factor: match step.factor {
                StepFactor::Terms(factor) => factor.first(),
                StepFactor::One | StepFactor::RunningSum(_) => 1.0,
            },
            intensity: step.sum.first(),
        });
    }

    /// Reports the finished pixel.
    #[inline(always)]
    pub(super) fn finish<F: Lanes>(&mut self, pixel: &ObservedPixel<F>) {
        self.pixel = PixelProbe {
            value: pixel.value.first(),
            intensity: pixel.sum.first(),
            polarization: pixel.polarization.first(),
            omega_sr: pixel.omega_sr.first(),
            capture: pixel.capture.first(),
            background: pixel.background.first(),
        };
    }
}
