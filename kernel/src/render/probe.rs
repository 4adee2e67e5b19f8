//! Intermediate values of one pixel, from taps on the render loop.

use core::num::NonZeroUsize;

use super::Scene;
use super::general::{SpanRequest, TappedPixel, TappedStep, render_watched};
use super::geometry::LaneVec;
use crate::lanes::{Kernel, Lanes, Level, Simd};
use crate::lattice::CrystalShape;
use crate::math::{NUDGE, sincg};
use crate::rotation::Orientation;
use crate::structure_factor::LookupRule;
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
    /// Cell vectors.
    pub orientation: Orientation,
    /// h, k, l.
    pub hkl: [f64; 3],
    /// Nearest integers, an exact half going down.
    pub hkl_rounded: [f64; 3],
    /// Factor per axis with its sign, for square crystals; NaN for the other shapes.
    pub f_latt_axes: [f64; 3],
    /// F_latt, with its sign for square crystals.
    pub f_latt: f64,
    /// F_cell.
    pub f_cell: f64,
    /// Sum so far, this step included.
    pub intensity: f64,
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
    /// Captured share.
    pub capture: f64,
}

/// Turns what the loop shows into probes.
pub(super) struct Watch<'w> {
    step: &'w mut dyn FnMut(&StepProbe),
    pixel: PixelProbe,
    domains: NonZeroUsize,
    cells: Option<[f64; 3]>,
}

/// sincg of one number, at the level the program runs at.
struct OneSincg(f64, f64);

impl Kernel for OneSincg {
    type Output = f64;
    #[inline(always)]
    fn run<L: Level>(self, level: L) -> f64 {
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

impl Watch<'_> {
    /// An innermost step has been added.
    #[inline(always)]
    pub(super) fn step<F: Lanes>(&mut self, step: &TappedStep<'_, F>) {
        // What the loop nudged away from 0 is told as 0.
        let hkl = first_lanes(step.indices.h).map(|h| if h.abs() <= NUDGE { 0.0 } else { h });
        let axes = self.cells.map(|cells| {
            let mut factors = hkl;
            for (factor, n) in factors.iter_mut().zip(cells) {
                *factor = Simd::detect().run(OneSincg(*factor, n));
            }
            factors
        });
        let sign = axes.map_or(1.0, |axes| axes.iter().product::<f64>().signum());
        let (place, q) = (step.place, step.scattering);
        (self.step)(&StepProbe {
            layer: step.layer,
            subpixel: step.subpixel,
            source: step.source,
            phi_step: step.entry / self.domains,
            domain: step.entry % self.domains,
            position_m: first_vector(&place.position_m),
            distance_m: 1.0 / place.direction.inverse_distance.first(),
            diffracted: first_vector(&place.direction.diffracted),
            scattering_per_m: first_vector(q),
            orientation: *step.orientation,
            hkl,
            hkl_rounded: first_lanes(step.indices.h0),
            f_latt_axes: axes.unwrap_or([f64::NAN; 3]),
            f_latt: step.f_latt.first().abs() * sign,
            f_cell: step.f_cell.first(),
            intensity: step.sum.first(),
        });
    }

    /// The pixel is done.
    #[inline(always)]
    pub(super) fn pixel<F: Lanes>(&mut self, pixel: &TappedPixel<F>) {
        self.pixel = PixelProbe {
            value: pixel.value.first(),
            intensity: pixel.sum.first(),
            polarization: pixel.polar.first(),
            omega_sr: pixel.omega.first(),
            capture: pixel.capture.first(),
        };
    }
}

/// Renders the one pixel of `request` and tells `step` about every step.
pub(super) fn probe(
    scene: &Scene<'_>,
    request: &SpanRequest<'_>,
    lookup: LookupRule,
    step: &mut dyn FnMut(&StepProbe),
) -> PixelProbe {
    let cells = (scene.shape() == CrystalShape::Square).then_some(scene.p.lattice.cells);
    let domains = NonZeroUsize::new(scene.p.orientations.domains().len()).unwrap_or(NonZeroUsize::MIN);
    let mut watch = Watch { step, pixel: PixelProbe::default(), domains, cells };
    render_watched(scene, request, lookup, &mut watch);
    watch.pixel
}
