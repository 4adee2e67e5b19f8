//! Panels of a detector: the same scene on another panel, and rigid motions of panels.

use core::ffi::c_void;

use widebragg::gradient::{Motion, MotionFrame, RigidMotion, Variables};
use widebragg::panel::{Bend, Panel};
use widebragg::scene::{Roi, Sensor};
use widebragg::vector::Vec3;

use crate::block::{block, header};
use crate::enums::chosen;
use crate::memory::{Input, Output, Region, disjoint};
use crate::parameters::finite;
use crate::record::{record, reported};
use crate::scene::{on_panel as place, wb_scene};
use crate::status::{Failure, WB_TOO_LARGE, status, wb_error};
use crate::variables::wb_variables;

/// A shift along the first axis of a frame, in m.
pub const WB_SHIFT_1: i32 = 0;
/// A shift along the second axis, in m.
pub const WB_SHIFT_2: i32 = 1;
/// A shift along the third axis, in m.
pub const WB_SHIFT_3: i32 = 2;
/// A turn about the first axis, in rad.
pub const WB_TURN_1: i32 = 3;
/// A turn about the second axis, in rad.
pub const WB_TURN_2: i32 = 4;
/// A turn about the third axis, in rad.
pub const WB_TURN_3: i32 = 5;

/// The memory that a scene on another panel needs, in bytes, is at most this.
pub const WB_SCENE_HEADER: usize = 4096;

const _: () = assert!(size_of::<wb_scene>() <= WB_SCENE_HEADER);

/// `WB_SHIFT_1` to `WB_TURN_3`.
const COMPONENTS: [Motion; 6] = [
    Motion::Shift(0),
    Motion::Shift(1),
    Motion::Shift(2),
    Motion::Rotation(0),
    Motion::Rotation(1),
    Motion::Rotation(2),
];

/// A rectangle of square pixels in the laboratory, with its sensitive layer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct wb_panel {
    /// Pixels along the fast axis.
    pub fast_pixels: usize,
    /// Pixels along the slow axis.
    pub slow_pixels: usize,
    /// Edge of a pixel.
    pub pixel_m: f64,
    /// The outer corner of the first pixel.
    pub pix0_m: [f64; 3],
    /// The fast axis, a unit vector.
    pub fast_axis: [f64; 3],
    /// The slow axis, a unit vector.
    pub slow_axis: [f64; 3],
    /// The normal, a unit vector away from the sample.
    pub normal_axis: [f64; 3],
    /// The distance from the sample along the normal.
    pub close_distance_m: f64,
    /// The radius of a panel that is bent to a sphere around the sample; 0: it is flat.
    pub radius_m: f64,
    /// Not 0: the solid angle of a pixel is 1/R^2.
    pub point_pixel: i32,
    /// Layers in which absorption is computed.
    pub sensor_layers: usize,
    /// Thickness of a layer; 0: all photons are absorbed at the surface.
    pub sensor_layer_m: f64,
    /// Attenuation coefficient of the sensor.
    pub attenuation_per_m: f64,
}

/// A rigid motion of panels in a frame: shifts along its axes and turns about them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct wb_motion {
    /// The point that turns leave where it is.
    pub centre_m: [f64; 3],
    /// Three unit vectors; they need not be perpendicular.
    pub axes: [f64; 9],
    /// Shifts along the axes.
    pub shift_m: [f64; 3],
    /// Turns about the axes: about the first, then about the second, then about the third.
    pub turn_rad: [f64; 3],
}

/// Rejects a vector that is not of unit length.
fn unit(quantity: &'static str, axis: [f64; 3]) -> Result<Vec3, Failure> {
    let axis = Vec3::from(axis);
    let length = axis.length();
    let is_unit = (length - 1.0).abs() < 1e-6;
    if is_unit { Ok(axis) } else { Err(Failure::range(quantity, length, "of length 1")) }
}

impl wb_panel {
    /// The panel of a scene.
    fn of(panel: &Panel) -> Self {
        Self {
            fast_pixels: panel.fast_pixels,
            slow_pixels: panel.slow_pixels,
            pixel_m: panel.pixel_m,
            pix0_m: panel.pix0_m.to_array(),
            fast_axis: panel.fast.to_array(),
            slow_axis: panel.slow.to_array(),
            normal_axis: panel.normal.to_array(),
            close_distance_m: panel.close_distance_m,
            radius_m: panel.bend.map_or(0.0, |bend| bend.radius_m),
            point_pixel: i32::from(panel.point_pixel),
            sensor_layers: panel.sensor.layers,
            sensor_layer_m: panel.sensor.layer_m,
            attenuation_per_m: panel.sensor.attenuation_per_m,
        }
    }

    /// The kernel's panel in a beam along `beam`. Of the numbers, those are checked that the kernel does not check.
    fn kernel(&self, beam: Vec3) -> Result<Panel, Failure> {
        let (fast, slow) = (unit("fast_axis", self.fast_axis)?, unit("slow_axis", self.slow_axis)?);
        let normal = unit("normal_axis", self.normal_axis)?;
        let across = fast.cross(slow).length();
        if across < 1e-6 {
            return Err(Failure::range("fast and slow axis", across, "not parallel"));
        }
        finite("pix0_m", &self.pix0_m)?;
        let numbers = [
            ("pixel_m", self.pixel_m, self.pixel_m > 0.0, "above 0 and finite"),
            ("close_distance_m", self.close_distance_m, self.close_distance_m != 0.0, "finite and not 0"),
            ("radius_m", self.radius_m, self.radius_m >= 0.0, "0 or more"),
        ];
        for (quantity, value, is_allowed, allowed) in numbers {
            if !is_allowed || !value.is_finite() {
                return Err(Failure::range(quantity, value, allowed));
            }
        }
        if self.fast_pixels.checked_mul(self.slow_pixels).is_none() {
            return Err(Failure::new(WB_TOO_LARGE, "panel"));
        }
        Ok(Panel {
            pixel_m: self.pixel_m,
            fast_pixels: self.fast_pixels,
            slow_pixels: self.slow_pixels,
            pix0_m: self.pix0_m.into(),
            fast,
            slow,
            normal,
            close_distance_m: self.close_distance_m,
            point_pixel: self.point_pixel != 0,
            bend: (self.radius_m > 0.0).then_some(Bend { beam, radius_m: self.radius_m }),
            sensor: Sensor {
                layers: self.sensor_layers,
                layer_m: self.sensor_layer_m,
                attenuation_per_m: self.attenuation_per_m,
            },
        })
    }

    /// The variables of the panel; those of the crystal and the beam do not move with it.
    fn variables(&self) -> Result<Variables, Failure> {
        let panel = self.kernel(Vec3::default())?;
        let Panel { pix0_m, fast, slow, normal, close_distance_m, bend, .. } = panel;
        let distance_m = bend.map_or(close_distance_m, |bend| bend.radius_m);
        Ok(Variables { pix0_m, fast, slow, normal, close_distance_m, distance_m, ..Variables::default() })
    }
}

impl wb_motion {
    /// The frame and the motion in it.
    fn kernel(&self) -> Result<(MotionFrame, RigidMotion), Failure> {
        finite("centre_m", &self.centre_m)?;
        finite("shift_m", &self.shift_m)?;
        finite("turn_rad", &self.turn_rad)?;
        let [a, b, c, d, e, f, g, h, i] = self.axes;
        let axes = [unit("axes", [a, b, c])?, unit("axes", [d, e, f])?, unit("axes", [g, h, i])?];
        let frame = MotionFrame { centre_m: self.centre_m.into(), axes };
        Ok((frame, RigidMotion { shift_m: self.shift_m, rotation_rad: self.turn_rad }))
    }
}

/// A panel and a motion of it, for a call that writes `written`.
///
/// # Safety
/// No thread writes the inputs during the call.
/// * `panel` is NULL or points to an initialised `wb_panel`.
/// * `motion` is NULL or points to an initialised `wb_motion`.
unsafe fn read(
    panel: *const wb_panel,
    motion: *const wb_motion,
    written: &[Region],
) -> Result<(wb_panel, wb_motion), Failure> {
    let (panel, motion) = (Input::one(panel, "panel")?, Input::one(motion, "motion")?);
    disjoint(written, &[panel.region(), motion.region()])?;
    // SAFETY: `panel` is not NULL, so the caller guarantees an initialised `wb_panel` there, which no thread writes.
    let panel = unsafe { panel.read() };
    // SAFETY: `motion` is not NULL, so the caller guarantees an initialised `wb_motion` there, which no thread writes.
    Ok((panel, unsafe { motion.read() }))
}

/// Sets `panel` to the panel that a scene is on.
///
/// # Safety
/// * `scene` is NULL or a scene made by this library, which no thread writes during the call.
/// * `panel` is NULL or points to room for a `wb_panel`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_panel(scene: *const wb_scene, panel: *mut wb_panel) -> i32 {
    let ask = || {
        let panel = Output::one(panel, "panel")?;
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        disjoint(&[panel.region()], &scene.regions()?)?;
        // SAFETY: `panel` is not NULL, so the caller guarantees room for a `wb_panel` there, which no other thread accesses;
        // the scene does not overlap it.
        unsafe { panel.write(wb_panel::of(scene.kernel().panel())) };
        Ok(())
    };
    status(ask())
}

/// Makes, in `memory` of `bytes` bytes, the same scene on another panel. `roi`, unless NULL, has the first and the last column and
/// then the first and the last row to render; `mask`, unless NULL, has `mask_len` values, one a pixel, 0 to skip it.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `scene` is NULL or a scene made by this library. It is not written, moved or freed while the new one exists.
/// * `panel` is NULL or points to an initialised `wb_panel`.
/// * `roi` is NULL or points to 4 initialised `usize`.
/// * `mask` is NULL or points to `mask_len` initialised `u16`, which are not written or freed while the new scene exists.
/// * `memory` is NULL or points to room for `bytes` bytes. They belong to the new scene from then on: until the caller uses them
///   for something else, only functions of this library write them.
/// * `on_panel` is NULL or points to room for a pointer.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the C prototype has as many")]
pub unsafe extern "C" fn wb_scene_on_panel(
    scene: *const wb_scene,
    panel: *const wb_panel,
    roi: *const usize,
    mask: *const u16,
    mask_len: usize,
    memory: *mut c_void,
    bytes: usize,
    on_panel: *mut *mut wb_scene,
    error: *mut wb_error,
) -> i32 {
    let make = || {
        let record = record(error)?;
        let handle = Output::one(on_panel, "on_panel")?;
        let written = [record, handle.region(), block(memory, bytes)?.region()];
        disjoint(&written, &[])?;
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes while the new one exists.
        let scene: &wb_scene = unsafe { header(scene) }?;
        disjoint(&written, &scene.regions()?)?;
        let panel = Input::one(panel, "panel")?;
        let roi = if roi.is_null() { None } else { Some(Input::one(roi.cast::<[usize; 4]>(), "roi")?) };
        let mask = match mask_len {
            0 if mask.is_null() => None,
            _ => Some(Input::array(mask, mask_len, "mask")?),
        };
        let read = [
            panel.region(),
            roi.as_ref().map_or(Region::EMPTY, Input::region),
            mask.as_ref().map_or(Region::EMPTY, Input::region),
        ];
        disjoint(&written, &read)?;
        if bytes < WB_SCENE_HEADER {
            return Err(Failure::length("memory", WB_SCENE_HEADER, bytes));
        }
        // SAFETY: `panel` is not NULL, so the caller guarantees an initialised `wb_panel` there, which no other thread writes.
        let panel = unsafe { panel.read() }.kernel(scene.detector().beam)?;
        // SAFETY: `roi`, where it is given, is not NULL, so the caller guarantees 4 initialised numbers there, which no other
        // thread writes.
        let roi = roi.map(|roi| unsafe { roi.read() });
        // SAFETY: `mask`, where it is given, is not NULL, so the caller guarantees `mask_len` initialised numbers there, which
        // are not written while the new scene exists.
        let mask = mask.map(|mask| unsafe { mask.slice() });
        if panel.pixels() == 0 {
            return Err(Failure::range("pixels of the panel", 0.0, "at least 1"));
        }
        let roi = roi.map_or(Roi::whole(&panel), |[fast_min, fast_max, slow_min, slow_max]| Roi {
            fast_min,
            fast_max,
            slow_min,
            slow_max,
        });
        let made = place(scene, panel, roi, mask, memory.addr())?;
        let start = Output::one(memory.cast::<wb_scene>(), "memory")?;
        // SAFETY: the memory is aligned to WB_ALIGNMENT, as `block` found, and has room for a header; the caller guarantees that
        // it exists and belongs to the new scene. Neither an input nor another output overlaps it.
        unsafe { start.write(made) };
        // SAFETY: `handle` is not NULL, so the caller guarantees room for a pointer there, which no other thread accesses;
        // neither an input nor another output overlaps it.
        unsafe { handle.write(memory.cast()) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread accesses.
    unsafe { reported(make(), error) }
}

/// Sets `motion` to the frame of a panel, in which nothing moves yet: its fast and slow axis and its normal, about its centre.
///
/// # Safety
/// * `panel` is NULL or points to an initialised `wb_panel`, which no other thread writes during the call.
/// * `motion` is NULL or points to room for a `wb_motion`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_panel_frame(panel: *const wb_panel, motion: *mut wb_motion) -> i32 {
    let ask = || {
        let (panel, motion) = (Input::one(panel, "panel")?, Output::one(motion, "motion")?);
        disjoint(&[motion.region()], &[panel.region()])?;
        // SAFETY: `panel` is not NULL, so the caller guarantees an initialised `wb_panel` there, which no other thread writes.
        let panel = unsafe { panel.read() };
        let edges_m = [panel.fast_pixels, panel.slow_pixels].map(|pixels| pixels as f64 * panel.pixel_m);
        let MotionFrame { centre_m, axes } = MotionFrame::of_panel(&panel.variables()?, edges_m);
        let [[a, b, c], [d, e, f], [g, h, i]] = axes.map(|axis| axis.to_array());
        let frame = wb_motion {
            centre_m: centre_m.to_array(),
            axes: [a, b, c, d, e, f, g, h, i],
            shift_m: [0.0; 3],
            turn_rad: [0.0; 3],
        };
        // SAFETY: `motion` is not NULL, so the caller guarantees room for a `wb_motion` there, which no other thread accesses;
        // the panel does not overlap it.
        unsafe { motion.write(frame) };
        Ok(())
    };
    status(ask())
}

/// Sets `moved` to a panel after a motion.
///
/// # Safety
/// No other thread writes the inputs or accesses the output during the call.
/// * `panel` is NULL or points to an initialised `wb_panel`.
/// * `motion` is NULL or points to an initialised `wb_motion`.
/// * `moved` is NULL or points to room for a `wb_panel`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_panel_move(
    panel: *const wb_panel,
    motion: *const wb_motion,
    moved: *mut wb_panel,
) -> i32 {
    let run = || {
        let moved = Output::one(moved, "moved")?;
        // SAFETY: this function requires of `panel` and `motion` what `read` requires.
        let (panel, motion) = unsafe { read(panel, motion, &[moved.region()]) }?;
        let (frame, by) = motion.kernel()?;
        let at = panel.variables()?.moved(&by, &frame);
        let after = wb_panel {
            pix0_m: at.pix0_m.to_array(),
            fast_axis: at.fast.to_array(),
            slow_axis: at.slow.to_array(),
            normal_axis: at.normal.to_array(),
            close_distance_m: at.close_distance_m,
            radius_m: if panel.radius_m > 0.0 { at.distance_m } else { 0.0 },
            ..panel
        };
        // SAFETY: `moved` is not NULL, so the caller guarantees room for a `wb_panel` there, which no other thread accesses;
        // no input overlaps it.
        unsafe { moved.write(after) };
        Ok(())
    };
    status(run())
}

/// Sets `direction` to the direction in which the variables of a scene on the moved panel change with a component of the motion.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `panel` is NULL or points to an initialised `wb_panel`.
/// * `motion` is NULL or points to an initialised `wb_motion`.
/// * `direction` is NULL or points to room for a `wb_variables`.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_panel_direction(
    panel: *const wb_panel,
    motion: *const wb_motion,
    component: i32,
    direction: *mut wb_variables,
    error: *mut wb_error,
) -> i32 {
    let find = || {
        let record = record(error)?;
        let direction = Output::one(direction.cast::<Variables>(), "direction")?;
        let written = [record, direction.region()];
        disjoint(&written, &[])?;
        // SAFETY: this function requires of `panel` and `motion` what `read` requires.
        let (panel, motion) = unsafe { read(panel, motion, &written) }?;
        let component = chosen("component", component, &COMPONENTS)?;
        let (frame, by) = motion.kernel()?;
        let start = panel.variables()?.along(&Variables::default());
        let frame =
            MotionFrame { centre_m: Vec3::constant(frame.centre_m), axes: frame.axes.map(Vec3::constant) };
        let moved = start.moved(&by.along(Some(component)), &frame);
        // SAFETY: `direction` is not NULL, so the caller guarantees room for a `wb_variables` there, which has the layout of
        // `Variables`; no other thread accesses it, and no input or other output overlaps it.
        unsafe { direction.write(moved.slopes()) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread accesses.
    unsafe { reported(find(), error) }
}
