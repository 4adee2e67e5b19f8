//! Observer of the general loop's intermediate values. Values that an observer does not use cost nothing.

use super::accumulate::StepFactor;
use super::geometry::{LaneVec, Subpixel};
use crate::beam::{PolarizationFrame, Source};
use crate::lanes::Lanes;
use crate::lattice::FLattDerivatives;
use crate::panel::Panel;
use crate::rotation::Orientation;
use crate::structure_factor::{Located, Lookup};

/// A subpixel of each lane's pixel.
pub(crate) struct Site<'t, F> {
    pub(crate) panel: &'t Panel,
    pub(crate) subpixel: Subpixel<F>,
    /// Distance from the origin along the slow axis, in m.
    pub(crate) along_slow_m: f64,
    /// Depth in the sensor, in m.
    pub(crate) depth_m: f64,
    /// Thickness layer.
    pub(crate) layer: usize,
    /// Index of the subpixel, (slow, fast).
    pub(crate) index: (usize, usize),
}

/// An innermost step that has been added to the sum.
pub(crate) struct ObservedStep<'t, F: Lanes> {
    pub(crate) site: &'t Site<'t, F>,
    /// Index of the source.
    pub(crate) source: usize,
    /// Index of the orientation: phi step times domains plus domain.
    pub(crate) entry: usize,
    /// Evaluations of the pixel before this one.
    pub(crate) evaluation: u64,
    pub(crate) orientation: &'t Orientation,
    /// Whether the step uses the vectors that an opening sweep finds, and not those of the table.
    pub(crate) is_opening: bool,
    pub(crate) scattering: &'t LaneVec<F>,
    /// Lanes for which the step is evaluated.
    pub(crate) active: F::Mask,
    /// F_latt; its derivatives are 0 unless [`Observer::DERIVATIVES`].
    pub(crate) lattice: FLattDerivatives<F>,
    pub(crate) f_cell: F,
    /// Derivatives of F_cell with respect to h, k, l; 0 unless [`Observer::DERIVATIVES`].
    pub(crate) f_cell_derivatives: [F; 3],
    /// What the step is multiplied by.
    pub(crate) factor: StepFactor<F>,
    /// The sum of the pixel, this step included.
    pub(crate) sum: F,
}

/// A finished pixel.
pub(crate) struct ObservedPixel<F> {
    /// Background included.
    pub(crate) value: F,
    /// The background that was added to the scaled sum.
    pub(crate) background: F,
    pub(crate) sum: F,
    pub(crate) polarization: F,
    pub(crate) omega_sr: F,
    pub(crate) capture: F,
    /// `value` without background, divided by `sum`: the scale, and the factors that do not belong to steps.
    pub(crate) value_per_sum: F,
}

/// Observer of the loop's intermediate values. The vectors of pixels are processed one after the other.
pub(crate) trait Observer<F: Lanes> {
    /// Whether steps come with derivatives.
    const DERIVATIVES: bool;
    /// Whether steps with F_latt = 0 are reported as well.
    #[inline(always)]
    fn wants_all_steps(&self) -> bool {
        false
    }
    /// The solid angle has been evaluated at `site`.
    #[inline(always)]
    fn omega(&mut self, _site: &Site<'_, F>) {}
    /// The captured fraction has been evaluated for the layer of thickness `layer_m` that begins at the depth
    /// of `site`.
    #[inline(always)]
    fn capture(&mut self, _site: &Site<'_, F>, _layer_m: f64, _attenuation_per_m: f64) {}
    /// The polarisation factor has been evaluated at `site` for `lanes`.
    #[inline(always)]
    fn polarization(&mut self, _site: &Site<'_, F>, _frame: &PolarizationFrame, _lanes: F::Mask) {}
    /// The background has been evaluated at `site`.
    #[inline(always)]
    fn background(&mut self, _site: &Site<'_, F>) {}
    /// The sweep of a source begins, with what its steps are multiplied by.
    #[inline(always)]
    fn begin_source(&mut self, _factor: StepFactor<F>) {}
    /// A step has been added.
    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, _step: &ObservedStep<'_, F>, _located: &Located<'_, F, K>) {}
    /// The sweep of a source has ended.
    #[inline(always)]
    fn end_source(&mut self, _source: &Source, _scattering: &LaneVec<F>) {}
    /// All sources of a subpixel are done.
    #[inline(always)]
    fn end_subpixel(&mut self, _site: &Site<'_, F>) {}
    /// The pixel is done.
    #[inline(always)]
    fn pixel(&mut self, _pixel: &ObservedPixel<F>) {}
}
