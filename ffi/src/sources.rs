//! Sources of a divergent, polychromatic beam, as the reference lays them out.

use widebragg::beam::{Source, SourceGrid};
use widebragg::sampling::Steps;

use crate::memory::{Input, Output, Region, disjoint, fill_with};
use crate::parameters::{wb_scene_parameters, wb_source};
use crate::status::{Failure, status};

/// The grid that sources lie on. A count of 1 with range and step 0: that axis is not sampled.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_source_grid {
    /// Points across the polarisation axis, at least 1.
    pub hdiv_count: usize,
    /// Range of their angles.
    pub hdiv_range_rad: f64,
    /// Step of their angles.
    pub hdiv_step_rad: f64,
    /// Points along the polarisation axis, at least 1.
    pub vdiv_count: usize,
    /// Range of their angles.
    pub vdiv_range_rad: f64,
    /// Step of their angles.
    pub vdiv_step_rad: f64,
    /// Wavelengths, at least 1.
    pub dispersion_count: usize,
    /// Their range, as a fraction of `lambda0_m`.
    pub dispersion_range: f64,
    /// Their step, as a fraction of `lambda0_m`.
    pub dispersion_step: f64,
    /// Not 0: the corners of the divergence grid are left out, as the reference does.
    pub round: i32,
}

impl wb_source_grid {
    /// The grid as the kernel has it, if every source that it gives can be one.
    fn checked(&self, lambda0_m: f64) -> Result<SourceGrid, Failure> {
        let axis = |count: usize, range: f64, step: f64| {
            for (value, ok) in [(count as f64, count > 0), (range, range >= 0.0), (step, step >= 0.0)] {
                if !(value.is_finite() && ok) {
                    return Err(Failure::range(
                        "sampling of sources",
                        value,
                        "1 or more points, 0 or more else",
                    ));
                }
            }
            let last = step * count as f64;
            if last.is_finite() {
                Ok(Steps { count, range, step })
            } else {
                Err(Failure::range("sampling of sources", last, "finite"))
            }
        };
        let dispersion = axis(self.dispersion_count, self.dispersion_range, self.dispersion_step)?;
        // Wavelengths rise from the first to the last.
        let first = lambda0_m * (1.0 - dispersion.range / 2.0);
        let last = lambda0_m * (1.0 + dispersion.step * dispersion.count as f64);
        if !(first > 0.0 && last.is_finite()) {
            return Err(Failure::range("wavelength in m", first, "above 0"));
        }
        Ok(SourceGrid {
            hdiv: axis(self.hdiv_count, self.hdiv_range_rad, self.hdiv_step_rad)?,
            vdiv: axis(self.vdiv_count, self.vdiv_range_rad, self.vdiv_step_rad)?,
            dispersion,
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
        let needed = grid.checked(1.0)?.sources_len()?;
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
        let grid = unsafe { grid.read() }.checked(parameters.lambda0_m)?;
        let detector = parameters.detector()?;
        let needed = grid.sources_len()?;
        if len < needed {
            return Err(Failure::length("sources", needed, len));
        }
        let sources = Output::array(sources.cast::<Source>(), needed, "sources")?;
        // SAFETY: `sources` is not NULL, so the caller guarantees room for `len` sources there, which have
        // the layout of the kernel's and of which these are the first; no other thread accesses them, and no
        // input overlaps them.
        let sources = unsafe { sources.uninit() };
        let count = fill_with(sources, Source::default(), |sources| grid.fill(&detector, sources))?;
        // SAFETY: `used` is not NULL, so the caller guarantees room for a `usize` there, which no other
        // thread accesses; neither an input nor `sources` overlaps it.
        unsafe { used.write(count) };
        Ok(())
    };
    status(fill())
}
