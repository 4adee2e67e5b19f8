//! Sources of a divergent, polychromatic beam, as the reference lays them out.

use widebragg::beam::{Source, SourceGrid};
use widebragg::sampling::Steps;

use crate::memory::{apart, output, stretch};
use crate::parameters::{wb_scene_parameters, wb_source};
use crate::status::{Refusal, status};

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
    fn checked(&self, lambda0_m: f64) -> Result<SourceGrid, Refusal> {
        let axis = |count: usize, range: f64, step: f64| {
            for (value, ok) in [(count as f64, count > 0), (range, range >= 0.0), (step, step >= 0.0)] {
                if !(value.is_finite() && ok) {
                    return Err(Refusal::range(
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
                Err(Refusal::range("sampling of sources", last, "finite"))
            }
        };
        let dispersion = axis(self.dispersion_count, self.dispersion_range, self.dispersion_step)?;
        // Wavelengths rise from the first to the last.
        let first = lambda0_m * (1.0 - dispersion.range / 2.0);
        let last = lambda0_m * (1.0 + dispersion.step * dispersion.count as f64);
        if !(first > 0.0 && last.is_finite()) {
            return Err(Refusal::range("wavelength in m", first, "above 0"));
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

/// Room that [`wb_sources_fill`] needs: sources there would be with the corners.
///
/// # Safety
/// `grid` can be read, `len` be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_sources_len(grid: *const wb_source_grid, len: *mut usize) -> i32 {
    let ask = || {
        apart(&[stretch(len, 1, "len")?], &[stretch(grid, 1, "grid")?])?;
        // SAFETY: checked above; the rest is the caller's word.
        let grid = unsafe { grid.read() };
        let needed = grid.checked(1.0)?.sources_len()?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { len.write(needed) };
        Ok(())
    };
    status(ask())
}

/// Fills `sources`, of room for `len`, for the beam, polarisation axis and wavelength of `parameters`; `used` is set to how
/// many there are.
///
/// # Safety
/// `parameters` and `grid` can be read; `sources` has room for `len`, and `used` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_sources_fill(
    parameters: *const wb_scene_parameters,
    grid: *const wb_source_grid,
    sources: *mut wb_source,
    len: usize,
    used: *mut usize,
) -> i32 {
    let fill = || {
        let read = [stretch(parameters, 1, "parameters")?, stretch(grid, 1, "grid")?];
        apart(&[stretch(sources, len, "sources")?, stretch(used, 1, "used")?], &read)?;
        // SAFETY: what this function requires.
        let parameters = unsafe { wb_scene_parameters::read(parameters) }?;
        // SAFETY: checked above; the rest is the caller's word.
        let grid = unsafe { grid.read() }.checked(parameters.lambda0_m)?;
        let detector = parameters.detector()?;
        let needed = grid.sources_len()?;
        if len < needed {
            return Err(Refusal::length("sources", needed, len));
        }
        // SAFETY: checked above; both types have one layout, and numbers may be uninitialised until written.
        let sources = unsafe { output(sources.cast::<Source>(), needed) };
        let count = grid.fill(&detector, sources)?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { used.write(count) };
        Ok(())
    };
    status(fill())
}
