//! The kernel's parameters of a scene, from those of the interface.

use widebragg::beam::Source;
use widebragg::lattice::{CellCoupling, SpotModel};
use widebragg::rotation::Mat3;
use widebragg::sampling::OversampleRequest;
use widebragg::scene::{MosaicInput, Roi, SceneParameters, Sensor, SourcesInput};
use widebragg::structure_factor::{LookupRule, StructureFactors};

use crate::enums::{INTERPOLATIONS, METRICS, MODES, POLARIZED_AT, PRECISIONS, SHAPES, chosen};
use crate::level;
use crate::memory::{Input, Region};
use crate::parameters::{WB_GIVEN_ROI, wb_scene_parameters};
use crate::status::Failure;

/// An array of the caller, with its pointer checked; `None` if the pointer is NULL and the count 0.
fn array<T>(start: *const T, count: usize, name: &'static str) -> Result<Option<Input<T>>, Failure> {
    if start.is_null() && count == 0 {
        return Ok(None);
    }
    let array = Input::array(start, count, name)?;
    if count == 0 { Err(Failure::length(name, 1, 0)) } else { Ok(Some(array)) }
}

/// The memory of an array; empty if there is none.
fn region<T>(array: &Option<Input<T>>) -> Region {
    array.as_ref().map_or(Region::EMPTY, Input::region)
}

impl wb_scene_parameters {
    fn source_array(&self) -> Result<Option<Input<Source>>, Failure> {
        array(self.sources.cast(), self.source_count, "sources")
    }

    fn weight_array(&self) -> Result<Option<Input<f64>>, Failure> {
        let count = if self.source_weights.is_null() { 0 } else { self.source_count };
        array(self.source_weights, count, "source_weights")
    }

    fn source_grid_array(&self) -> Result<Option<Input<u32>>, Failure> {
        let count = if self.source_grids.is_null() { 0 } else { self.source_count };
        array(self.source_grids, count, "source_grids")
    }

    fn domain_array(&self) -> Result<Option<Input<Mat3>>, Failure> {
        array(self.domains.cast(), self.domain_count, "domains")
    }

    /// Kahn's factor, where there is a polarisation. Beyond -1 to 1 pixels would be negative in some directions.
    fn kahn(&self) -> Result<Option<f64>, Failure> {
        let kahn = (self.polarized != 0).then_some(self.kahn);
        match kahn {
            Some(kahn) if !(-1.0..=1.0).contains(&kahn) => {
                Err(Failure::range("Kahn factor", kahn, "from -1 to 1"))
            }
            _ => Ok(kahn),
        }
    }

    fn mask_array(&self) -> Result<Option<Input<u16>>, Failure> {
        array(self.mask, self.mask_len, "mask")
    }

    /// The memory of the arrays that the parameters point to.
    pub(crate) fn regions(&self) -> Result<[Region; 6], Failure> {
        let (sources, weights) = (self.source_array()?, self.weight_array()?);
        let (grids, domains, mask) = (self.source_grid_array()?, self.domain_array()?, self.mask_array()?);
        let [sources, weights, grids] = [region(&sources), region(&weights), region(&grids)];
        Ok([sources, weights, grids, region(&domains), region(&mask), self.grid.region()?])
    }

    /// The kernel's parameters. Of the numbers, only those that the kernel cannot check are checked.
    ///
    /// # Safety
    /// During `'a` no thread writes the arrays.
    /// * `sources` is NULL or points to `source_count` initialised `wb_source`.
    /// * `source_weights` is NULL or points to `source_count` initialised `f64`.
    /// * `source_grids` is NULL or points to `source_count` initialised `u32`.
    /// * `domains` is NULL or points to 9 `domain_count` initialised `f64`.
    /// * `mask` is NULL or points to `mask_len` initialised `u16`.
    /// * `grid.f` is NULL or points to `grid.f_len` initialised `f64`.
    pub(crate) unsafe fn kernel_parameters<'a>(&self) -> Result<SceneParameters<'a>, Failure> {
        // SAFETY: `sources`, where it is given, is not NULL, so the caller guarantees `source_count`
        // initialised sources there, which have the layout of the kernel's; during 'a no thread writes them.
        let sources = self.source_array()?.map(|sources| unsafe { sources.slice() });
        // SAFETY: `source_weights`, where it is given, is not NULL, so the caller guarantees `source_count`
        // initialised numbers there, which during 'a no thread writes.
        let weights = self.weight_array()?.map(|weights| unsafe { weights.slice() });
        // SAFETY: `source_grids`, where it is given, is not NULL, so the caller guarantees `source_count`
        // initialised numbers there, which during 'a no thread writes.
        let source_grids = self.source_grid_array()?.map(|grids| unsafe { grids.slice() });
        // SAFETY: `domains`, where it is given, is not NULL, so the caller guarantees 9 `domain_count`
        // initialised numbers there, which is the layout of as many matrices; during 'a no thread writes
        // them.
        let domains = self.domain_array()?.map(|domains| unsafe { domains.slice() });
        // SAFETY: `mask`, where it is given, is not NULL, so the caller guarantees `mask_len` initialised
        // numbers there; during 'a no thread writes them.
        let mask = self.mask_array()?.map(|mask| unsafe { mask.slice() });
        // SAFETY: the caller guarantees that `grid.f` is NULL or points to `f_len` initialised numbers, which
        // during 'a no thread writes.
        let factors = unsafe { self.grid.factors(self.grid_count, LookupRule::Nearest) }?;
        let StructureFactors { grid, default_f, .. } = factors;
        let [ab, ac, bc] = self.coupling;
        Ok(SceneParameters {
            simd: level::simd(self.simd)?,
            detector: self.detector_input()?,
            sensor: Sensor {
                layers: self.sensor_layers,
                layer_m: self.sensor_layer_m,
                attenuation_per_m: self.attenuation_per_m,
            },
            oversample: OversampleRequest {
                per_axis: (self.oversample > 0).then_some(self.oversample),
                thick: self.oversample_thick != 0,
                polar: self.oversample_polar != 0,
                omega: self.oversample_omega != 0,
            },
            lambda0_m: self.lambda0_m,
            sources: match (sources, weights) {
                (None, _) => SourcesInput::default(),
                (Some(sources), None) => SourcesInput::List(sources),
                (Some(sources), Some(weights)) => SourcesInput::Weighted { sources, weights },
            },
            kahn: self.kahn()?,
            polarized_at: chosen("polarized_at", self.polarized_at, &POLARIZED_AT)?,
            crystal: self.crystal_input()?,
            shape: chosen("shape", self.shape, &SHAPES)?,
            cells: self.cells,
            fudge: self.fudge,
            spots: SpotModel {
                metric: chosen("spot_metric", self.spot_metric, &METRICS)?,
                coupling: CellCoupling { ab, ac, bc },
                gauss_cutoff: self.gauss_cutoff,
            },
            precision: chosen("precision", self.precision, &PRECISIONS)?,
            mode: chosen("mode", self.mode, &MODES)?,
            phi0_rad: self.phi0_rad,
            phi_step_rad: self.phi_step_rad,
            phi_steps: self.phi_steps,
            mosaic: domains.map_or(MosaicInput::default(), MosaicInput::List),
            grid,
            source_grids,
            default_f,
            interpolate: chosen("interpolation", self.interpolation, &INTERPOLATIONS)?,
            fluence_per_m2: self.fluence_per_m2,
            water_m: self.water_m,
            d_min_m: self.d_min_m,
            roi: self.is_given(WB_GIVEN_ROI).then_some(Roi {
                fast_min: self.roi_fast_min,
                fast_max: self.roi_fast_max,
                slow_min: self.roi_slow_min,
                slow_max: self.roi_slow_max,
            }),
            mask,
        })
    }
}
