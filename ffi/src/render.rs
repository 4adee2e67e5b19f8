//! Rendering rows and pixels of a scene into the caller's arrays.

use widebragg::Error;
use widebragg::render::{PixelValue, RowReport};

use crate::block::header;
use crate::carryover::{slots, wb_carryover};
use crate::memory::{Output, Region, disjoint, filled};
use crate::scene::wb_scene;
use crate::status::{Failure, status};

/// What rendering rows reports, apart from the pixels.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_row_report {
    /// The number of pixels rendered: those inside the region of interest that are not masked.
    pub pixels: u64,
    /// The number of interpolations that used the nearest node because nodes were missing.
    pub fallbacks: u64,
    /// The sum of the solid angle over these pixels, their layers and subpixels, in sr.
    pub omega_sum_sr: f64,
}

/// Rows that are initialised and rendered at a time: few enough to stay in the cache between the two.
const BAND: usize = 16;

/// Renders `rows` rows from `first_row` on, `band` of them at a time. `report` is other memory that the call
/// writes. Returns the report of the last band.
///
/// # Safety
/// No other thread accesses the image or the carryover, or writes the scene, during the call.
/// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
/// * `image` is NULL or points to room for `len` pixels.
/// * `carryover` is NULL or a carryover made by `wb_carryover_open` or `wb_carryover_fork`.
unsafe fn render_rows<P: PixelValue>(
    scene: *const wb_scene,
    (first_row, rows): (usize, usize),
    image: *mut P,
    len: usize,
    carryover: *mut wb_carryover,
    band: usize,
    report: Region,
) -> Result<RowReport, Failure> {
    // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
    let scene = unsafe { header(scene) }?;
    let kernel = scene.ready()?;
    let columns = kernel.panel().fast_pixels;
    let needed = rows.saturating_mul(columns);
    if len < needed {
        return Err(Failure::length("image", needed, len));
    }
    let image = Output::array(image, needed, "image")?;
    let written = [image.region(), report];
    disjoint(&written, &scene.regions()?)?;
    // SAFETY: the caller guarantees that `carryover` is NULL or a carryover, which no other thread accesses.
    let mut carry = unsafe { slots(kernel, carryover, &written) }?;
    let rows = first_row..first_row.saturating_add(rows);
    // Without room for pixels: the kernel checks rows and carryover before it checks the length.
    match kernel.render_rows::<P>(rows.clone(), &mut [], &mut carry) {
        Ok(_) | Err(Error::BufferTooShort { .. }) => {}
        Err(rejected) => return Err(rejected.into()),
    }
    // SAFETY: `image` is not NULL, so the caller guarantees room for `len` pixels there, of which these are
    // the first; no other thread accesses them, and neither scene, structure factors, mask, carryover nor
    // report overlap them.
    let image = unsafe { image.uninit() };
    let mut report = RowReport::default();
    let zero = P::from_f64(0.0);
    let bands = image.chunks_mut(columns.saturating_mul(band).max(1));
    for (first, pixels) in rows.step_by(band.max(1)).zip(bands) {
        let end = first.saturating_add(pixels.len() / columns.max(1));
        report = kernel.render_rows(first..end, filled(pixels, zero), &mut carry)?;
    }
    Ok(report)
}

/// Renders `rows` rows from `first_row` on into `image`, which has room for `len` pixels: row by row,
/// `fast_pixels` each. Pixels outside the region of interest and masked pixels become 0. `carryover` may be
/// NULL if the scene needs none.
///
/// # Safety
/// No other thread accesses the image or the carryover, or writes the scene, during the call.
/// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
/// * `image` is NULL or points to room for `len` `f32`.
/// * `carryover` is NULL or a carryover made by `wb_carryover_open` or `wb_carryover_fork`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_render_rows(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    image: *mut f32,
    len: usize,
    carryover: *mut wb_carryover,
) -> i32 {
    // SAFETY: this function requires of its pointers what `render_rows` requires.
    let done = unsafe { render_rows(scene, (first_row, rows), image, len, carryover, BAND, Region::EMPTY) };
    status(done.map(|_| ()))
}

/// Renders like [`wb_render_rows`], without rounding the pixels to float.
///
/// # Safety
/// As for [`wb_render_rows`], with room for `len` `f64` at `image`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_render_rows_f64(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    image: *mut f64,
    len: usize,
    carryover: *mut wb_carryover,
) -> i32 {
    // SAFETY: this function requires of its pointers what `render_rows` requires.
    let done = unsafe { render_rows(scene, (first_row, rows), image, len, carryover, BAND, Region::EMPTY) };
    status(done.map(|_| ()))
}

/// Renders like [`wb_render_rows`] and reports how many pixels and fallbacks there were.
///
/// # Safety
/// As for [`wb_render_rows`]; in addition, `report` is NULL or points to room for a `wb_row_report`, which no
/// other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
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
        let report = Output::one(report, "report")?;
        let region = report.region();
        // All rows in one band: the rounding of the solid angle's sum depends on where it is split.
        // SAFETY: this function requires of its pointers what `render_rows` requires.
        let done =
            unsafe { render_rows(scene, (first_row, rows), image, len, carryover, usize::MAX, region) };
        let RowReport { pixels, omega_sum_sr, fallbacks } = done?;
        // SAFETY: `report` is not NULL, so the caller guarantees room for a report there, which no other
        // thread accesses.
        unsafe { report.write(wb_row_report { pixels, fallbacks, omega_sum_sr }) };
        Ok(())
    };
    status(render())
}

/// Renders one pixel, with the same bits that it has when its row is rendered.
///
/// # Safety
/// No other thread accesses the value or the carryover, or writes the scene, during the call.
/// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
/// * `value` is NULL or points to room for an `f64`.
/// * `carryover` is NULL or a carryover made by `wb_carryover_open` or `wb_carryover_fork`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_render_pixel(
    scene: *const wb_scene,
    slow: usize,
    fast: usize,
    value: *mut f64,
    carryover: *mut wb_carryover,
) -> i32 {
    let render = || {
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        let kernel = scene.ready()?;
        let value = Output::one(value, "value")?;
        disjoint(&[value.region()], &scene.regions()?)?;
        // SAFETY: the caller guarantees that `carryover` is NULL or a carryover, which no other thread
        // accesses.
        let mut carry = unsafe { slots(kernel, carryover, &[value.region()]) }?;
        let pixel = kernel.render_pixel(slow, fast, &mut carry)?;
        // SAFETY: `value` is not NULL, so the caller guarantees room for a number there, which no other
        // thread accesses; neither scene nor carryover overlaps it.
        unsafe { value.write(pixel) };
        Ok(())
    };
    status(render())
}
