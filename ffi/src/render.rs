//! Rows and pixels of a scene, into the caller's arrays.

use widebragg::render::{PixelValue, RowReport};

use crate::carryover::{slots, wb_carryover};
use crate::memory::{Stretch, apart, output, stretch};
use crate::scene::{made, wb_scene};
use crate::status::{Refusal, status};

/// What rendering rows did beside writing pixels.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_row_report {
    /// Pixels rendered: inside the region of interest and not masked.
    pub pixels: u64,
    /// Interpolations that fell back to the nearest node.
    pub fallbacks: u64,
    /// Solid angle summed over these pixels, layers and subpixels, in sr.
    pub omega_sum_sr: f64,
}

/// # Safety
/// As [`wb_render_rows`].
unsafe fn render_rows<P: PixelValue>(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    image: *mut P,
    len: usize,
    carryover: *mut wb_carryover,
    report: Option<Stretch>,
) -> Result<RowReport, Refusal> {
    // SAFETY: what this function requires.
    let made = unsafe { made(scene) }?;
    let scene = made.ready()?;
    let needed = rows.saturating_mul(scene.detector().fast_pixels);
    if len < needed {
        return Err(Refusal::length("image", needed, len));
    }
    let image_itself = stretch(image, needed, "image")?;
    let both = [image_itself, report.unwrap_or(image_itself)];
    let written = if report.is_some() { &both[..] } else { &both[..1] };
    apart(written, &[])?;
    for other in made.stretches()?.into_iter().flatten() {
        apart(written, &[other])?;
    }
    // SAFETY: what this function requires.
    let mut carry = unsafe { slots(scene, carryover, written) }?;
    // SAFETY: checked above; the rest is the caller's word.
    let image = unsafe { output(image, needed) };
    Ok(scene.render_rows(first_row..first_row.saturating_add(rows), image, &mut carry)?)
}

/// Renders `rows` rows from `first_row` on into `image`, which has room for `len` pixels: row by row, `fast_pixels` each. What
/// is outside the region of interest or masked becomes 0. `carryover` is NULL where the scene needs none.
///
/// # Safety
/// `scene` was made; `image` can be written; the carryover was opened and is used by no other thread during the call.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_render_rows(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    image: *mut f32,
    len: usize,
    carryover: *mut wb_carryover,
) -> i32 {
    // SAFETY: what this function requires.
    status(unsafe { render_rows(scene, first_row, rows, image, len, carryover, None) }.map(|_| ()))
}

/// [`wb_render_rows`] without rounding the pixels to float.
///
/// # Safety
/// As [`wb_render_rows`].
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_render_rows_f64(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    image: *mut f64,
    len: usize,
    carryover: *mut wb_carryover,
) -> i32 {
    // SAFETY: what this function requires.
    status(unsafe { render_rows(scene, first_row, rows, image, len, carryover, None) }.map(|_| ()))
}

/// [`wb_render_rows`], with a report of what it did.
///
/// # Safety
/// As [`wb_render_rows`]; `report` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_render_rows_report(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    image: *mut f32,
    len: usize,
    carryover: *mut wb_carryover,
    report: *mut wb_row_report,
) -> i32 {
    let render = || {
        let there = Some(stretch(report, 1, "report")?);
        // SAFETY: what this function requires.
        let done = unsafe { render_rows(scene, first_row, rows, image, len, carryover, there) }?;
        let RowReport { pixels, omega_sum_sr, fallbacks } = done;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { report.write(wb_row_report { pixels, fallbacks, omega_sum_sr }) };
        Ok(())
    };
    status(render())
}

/// Renders one pixel, with the bits it has among its neighbours.
///
/// # Safety
/// As [`wb_render_rows`].
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_render_pixel(
    scene: *const wb_scene,
    slow: usize,
    fast: usize,
    value: *mut f64,
    carryover: *mut wb_carryover,
) -> i32 {
    let render = || {
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        let scene = made.ready()?;
        let written = stretch(value, 1, "value")?;
        for other in made.stretches()?.into_iter().flatten() {
            apart(&[written], &[other])?;
        }
        // SAFETY: what this function requires.
        let mut carry = unsafe { slots(scene, carryover, &[written]) }?;
        let pixel = scene.render_pixel(slow, fast, &mut carry)?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { value.write(pixel) };
        Ok(())
    };
    status(render())
}
