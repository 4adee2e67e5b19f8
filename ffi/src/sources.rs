//! The sources of a divergent, polychromatic beam, in the reference's grid.

use widebragg::beam::{Source, SourceGrid};
use widebragg::sampling::Steps;

use crate::memory::{Input, Output, Region, disjoint, filled};
use crate::parameters::{wb_scene_parameters, wb_source};
use crate::status::{Failure, status};

/// A grid of sources. An axis that is not sampled has a count of 1 and a range and step of 0.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_source_grid {
    /// The number of points across the polarisation axis, at least 1.
    pub hdiv_count: usize,
    /// The range of their angles.
    pub hdiv_range_rad: f64,
    /// The step of their angles.
    pub hdiv_step_rad: f64,
    /// The number of points along the polarisation axis, at least 1.
    pub vdiv_count: usize,
    /// The range of their angles.
    pub vdiv_range_rad: f64,
    /// The step of their angles.
    pub vdiv_step_rad: f64,
    /// The number of wavelengths, at least 1.
    pub dispersion_count: usize,
    /// Their range, as a fraction of `lambda0_m`.
    pub dispersion_range: f64,
    /// Their step, as a fraction of `lambda0_m`.
    pub dispersion_step: f64,
    /// Not 0 to omit the corners of the divergence grid, as the reference does.
    pub round: i32,
}

impl wb_source_grid {
    /// The kernel's grid. The kernel checks the sources themselves when it computes them.
    fn kernel_grid(&self, lambda0_m: f64) -> Result<SourceGrid, Failure> {
        let axis = |count: usize, range: f64, step: f64| {
            if count == 0 {
                return Err(Failure::range("number of sources along an axis", 0.0, "at least 1"));
            }
            match [range, step].into_iter().find(|value| !(value.is_finite() && *value >= 0.0)) {
                Some(value) => Err(Failure::range("range or step of sources", value, "0 or more")),
                None => Ok(Steps { count, range, step }),
            }
        };
        Ok(SourceGrid {
            hdiv: axis(self.hdiv_count, self.hdiv_range_rad, self.hdiv_step_rad)?,
            vdiv: axis(self.vdiv_count, self.vdiv_range_rad, self.vdiv_step_rad)?,
            dispersion: axis(self.dispersion_count, self.dispersion_range, self.dispersion_step)?,
            round: self.round != 0,
            lambda0_m,
        })
    }
}

/// Sets `len` to the number of sources that [`wb_sources_fill`] needs room for: as many as there are with the
/// corners.
///
/// # Safety
/// * `grid` is NULL or points to an initialised `wb_source_grid`, which no other thread writes during the
///   call.
/// * `len` is NULL or points to room for a `usize`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_sources_len(grid: *const wb_source_grid, len: *mut usize) -> i32 {
    let ask = || {
        let (len, grid) = (Output::one(len, "len")?, Input::one(grid, "grid")?);
        disjoint(&[len.region()], &[grid.region()])?;
        // SAFETY: `grid` is not NULL, so the caller guarantees an initialised `wb_source_grid` there that no
        // other thread writes.
        let grid = unsafe { grid.read() };
        let needed = grid.kernel_grid(1.0)?.sources_len()?;
        // SAFETY: `len` is not NULL, so the caller guarantees room for a `usize` there, which no other thread
        // accesses.
        unsafe { len.write(needed) };
        Ok(())
    };
    status(ask())
}

/// Fills `sources`, which has room for `len`, for the beam, polarisation axis and wavelength of `parameters`,
/// and sets `used` to the number of sources. Elements after these have no defined value.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `parameters` is NULL or points to an initialised `wb_scene_parameters`, whose first field is its size in
///   bytes.
/// * `grid` is NULL or points to an initialised `wb_source_grid`.
/// * `sources` is NULL or points to room for `len` `wb_source`.
/// * `used` is NULL or points to room for a `usize`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_sources_fill(
    parameters: *const wb_scene_parameters,
    grid: *const wb_source_grid,
    sources: *mut wb_source,
    len: usize,
    used: *mut usize,
) -> i32 {
    let fill = || {
        let read = [Region::new(parameters, 1, "parameters")?, Region::new(grid, 1, "grid")?];
        let used = Output::one(used, "used")?;
        disjoint(&[Region::new(sources, len, "sources")?, used.region()], &read)?;
        // SAFETY: the caller guarantees that `parameters` points to an initialised struct of the size in its
        // first field, which no other thread writes.
        let parameters = unsafe { wb_scene_parameters::read(parameters) }?;
        let grid = Input::one(grid, "grid")?;
        // SAFETY: `grid` is not NULL, so the caller guarantees an initialised `wb_source_grid` there that no
        // other thread writes.
        let grid = unsafe { grid.read() }.kernel_grid(parameters.lambda0_m)?;
        let detector = parameters.detector()?;
        let needed = grid.sources_len()?;
        if len < needed {
            return Err(Failure::length("sources", needed, len));
        }
        grid.check(&detector.frame())?;
        let sources = Output::array(sources.cast::<Source>(), needed, "sources")?;
        // SAFETY: `sources` is not NULL, so the caller guarantees room for `len` sources there, which have
        // the layout of the kernel's and of which these are the first; no other thread accesses them, and no
        // input overlaps them.
        let sources = unsafe { sources.uninit() };
        let count = grid.fill(&detector.frame(), filled(sources, Source::default()))?;
        // SAFETY: `used` is not NULL, so the caller guarantees room for a `usize` there, which no other
        // thread accesses; neither an input nor `sources` overlaps it.
        unsafe { used.write(count) };
        Ok(())
    };
    status(fill())
}
