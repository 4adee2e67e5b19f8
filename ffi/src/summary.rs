//! The derived quantities of a scene.

use core::ffi::c_char;

use crate::block::header;
use crate::level;
use crate::memory::{Output, disjoint};
use crate::scene::wb_scene;
use crate::status::{Failure, WB_STRUCT_SIZE, status};

/// The derived quantities of a scene, which the reference prints before its loop.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_scene_summary {
    /// The size of this struct.
    pub size: usize,
    /// Pixels along the fast axis.
    pub fast_pixels: usize,
    /// Pixels along the slow axis, which is the number of rows.
    pub slow_pixels: usize,
    /// Innermost steps of a pixel, not counting the layers of the sensor.
    pub steps: f64,
    /// Subpixels along each axis.
    pub oversample: usize,
    /// Number of sources.
    pub sources: usize,
    /// Number of phi steps times number of mosaic domains.
    pub orientations: usize,
    /// Not 0 if rendering needs a carryover.
    pub carries: i32,
    /// Not 0 if `wb_scene_set_latch` must be called before rendering.
    pub latch_missing: i32,
    /// The outer corner of the first pixel.
    pub pix0_m: [f64; 3],
    /// The fast axis, a unit vector.
    pub fast_axis: [f64; 3],
    /// The slow axis, a unit vector.
    pub slow_axis: [f64; 3],
    /// The normal of the detector, a unit vector.
    pub normal_axis: [f64; 3],
    /// The direction of the beam, a unit vector.
    pub beam_axis: [f64; 3],
    /// The polarisation axis, a unit vector.
    pub polarization_axis: [f64; 3],
    /// The spindle axis, a unit vector.
    pub spindle_axis: [f64; 3],
    /// The distance from sample to detector along the beam.
    pub distance_m: f64,
    /// The distance from sample to detector along the normal.
    pub close_distance_m: f64,
    /// The beam centre along the fast axis.
    pub fast_beam_m: f64,
    /// The beam centre along the slow axis.
    pub slow_beam_m: f64,
    /// a, b, c at phi = 0, in m.
    pub direct_m: [f64; 9],
    /// a*, b*, c* at phi = 0, in 1/Angstrom.
    pub reciprocal_per_angstrom: [f64; 9],
    /// The name of the SIMD level in use; static.
    pub simd: *const c_char,
}

/// Sets `summary`, whose size is `size`, to the derived quantities of the scene.
///
/// # Safety
/// * `scene` is NULL or a scene made by `wb_scene_make`, which no thread writes during the call.
/// * `summary` is NULL or points to room for `size` bytes, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_summarize(
    scene: *const wb_scene,
    summary: *mut wb_scene_summary,
    size: usize,
) -> i32 {
    let summarize = || {
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        let summary = Output::one(summary, "summary")?;
        if size != size_of::<wb_scene_summary>() {
            return Err(Failure::new(WB_STRUCT_SIZE, "wb_scene_summary"));
        }
        disjoint(&[summary.region()], &scene.regions()?)?;
        // SAFETY: `summary` is not NULL, so the caller guarantees room for `size` bytes there, which is the
        // size of the struct; no other thread accesses them, and the scene does not overlap them.
        unsafe { summary.write(wb_scene_summary::of(scene)) };
        Ok(())
    };
    status(summarize())
}

impl wb_scene_summary {
    fn of(scene: &wb_scene) -> Self {
        let kernel = scene.kernel();
        let p = kernel.parts();
        let d = scene.detector();
        let nine = |[a, b, c]: [[f64; 3]; 3]| {
            let ([a0, a1, a2], [b0, b1, b2], [c0, c1, c2]) = (a, b, c);
            [a0, a1, a2, b0, b1, b2, c0, c1, c2]
        };
        let cell = kernel.orientations().cell();
        Self {
            size: size_of::<Self>(),
            fast_pixels: d.fast_pixels,
            slow_pixels: d.slow_pixels,
            steps: kernel.steps(),
            oversample: p.oversample.per_axis,
            sources: p.sources.len(),
            orientations: p.orientations.entries().len(),
            carries: i32::from(kernel.carries()),
            latch_missing: i32::from(scene.latch_missing()),
            pix0_m: d.pix0_m.to_array(),
            fast_axis: d.fast.to_array(),
            slow_axis: d.slow.to_array(),
            normal_axis: d.normal.to_array(),
            beam_axis: d.beam.to_array(),
            polarization_axis: d.polarization.to_array(),
            spindle_axis: d.spindle.to_array(),
            distance_m: d.distance_m,
            close_distance_m: d.close_distance_m,
            fast_beam_m: d.fast_beam_m,
            slow_beam_m: d.slow_beam_m,
            direct_m: nine([cell.a_m, cell.b_m, cell.c_m].map(|v| v.to_array())),
            reciprocal_per_angstrom: nine(p.crystallite.reciprocal_per_angstrom.map(|v| v.to_array())),
            simd: level::name(p.simd.level()).as_ptr(),
        }
    }
}
