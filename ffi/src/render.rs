//! Rows and pixels of a scene, into the caller's arrays.

use widebragg::render::PixelValue;

use crate::carryover::{slots, wb_carryover};
use crate::memory::{apart, output, stretch};
use crate::scene::{made, wb_scene};
use crate::status::{Refusal, status};

/// # Safety
/// As [`wb_render_rows`].
unsafe fn render_rows<P: PixelValue>(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    image: *mut P,
    len: usize,
    carryover: *mut wb_carryover,
) -> Result<(), Refusal> {
    // SAFETY: what this function requires.
    let made = unsafe { made(scene) }?;
    let scene = made.ready()?;
    let needed = rows.saturating_mul(scene.detector().fast_pixels);
    if len < needed {
        return Err(Refusal::length("image", needed, len));
    }
    let written = stretch(image, needed, "image")?;
    for other in made.stretches()?.into_iter().flatten() {
        apart(&[written], &[other])?;
    }
    // SAFETY: what this function requires.
    let mut carry = unsafe { slots(scene, carryover, &[written]) }?;
    // SAFETY: checked above; the rest is the caller's word.
    let image = unsafe { output(image, needed) };
    scene.render_rows(first_row..first_row.saturating_add(rows), image, &mut carry)?;
    Ok(())
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
    status(unsafe { render_rows(scene, first_row, rows, image, len, carryover) })
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
    status(unsafe { render_rows(scene, first_row, rows, image, len, carryover) })
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
