//! Derivatives of pixels with respect to the variables of a scene, in both directions: pullback and
//! pushforward.

use core::ops::Range;

use widebragg::carryover::Carryover;
use widebragg::gradient::{Sums, Variables};

use crate::block::header;
use crate::carryover::{slots, wb_carryover};
use crate::memory::{Input, Output, Region, fill_with};
use crate::record::{record, reported};
use crate::scene::wb_scene;
use crate::status::{Failure, wb_error};
use crate::turns::wb_turns;
use crate::variables::{all_finite, wanted_along, wb_variables};

/// The rows of a call that computes derivatives, and what it needs for them.
#[derive(Clone, Copy)]
struct Rows {
    scene: *const wb_scene,
    turns: *const wb_turns,
    first_row: usize,
    rows: usize,
    carryover: *mut wb_carryover,
}

impl Rows {
    /// The scene and the turns, after checking that they belong together and that `record` does not overlap
    /// them.
    ///
    /// # Safety
    /// During `'a` no thread writes scene or turns.
    /// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
    /// * `turns` is NULL or turns made by `wb_turns_make`.
    unsafe fn objects<'a>(self, record: Region) -> Result<(&'a wb_scene, &'a wb_turns), Failure> {
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which during 'a no thread writes.
        let scene: &wb_scene = unsafe { header(self.scene) }?;
        // SAFETY: the caller guarantees that `turns` is NULL or turns, which during 'a no thread writes.
        let turns: &wb_turns = unsafe { header(self.turns) }?;
        turns.check(scene, &[record], Region::EMPTY)?;
        scene.ready()?;
        Ok((scene, turns))
    }

    /// The carryover for a call that writes `outputs`.
    ///
    /// # Safety
    /// `carryover` is NULL or a carryover made by `wb_carryover_open` or `wb_carryover_fork`, which during
    /// `'a` nothing else accesses.
    unsafe fn carry<'a>(self, scene: &wb_scene, outputs: &[Region]) -> Result<Carryover<'a>, Failure> {
        // SAFETY: `carryover` is NULL or a carryover that during 'a nothing else accesses, as the caller
        // guarantees.
        unsafe { slots(scene.kernel(), self.carryover, outputs) }
    }

    fn range(self) -> Range<usize> {
        self.first_row..self.first_row.saturating_add(self.rows)
    }

    /// The number of pixels in these rows.
    fn pixels(self, scene: &wb_scene) -> usize {
        self.rows.saturating_mul(scene.kernel().panel().fast_pixels)
    }
}

/// Adds, to `sums` and `by_f`, the derivatives of the sum of weight times value over the pixels of `rows`
/// rows from `first_row` on. The `len` elements of `weights` are slow-major. `by_f` is NULL, with `by_f_len`
/// 0, if no derivatives with respect to structure factors are wanted. `carryover` may be NULL if the scene
/// needs none; its counts do not change.
///
/// # Safety
/// No other thread writes the inputs, or accesses the outputs or the carryover, during the call.
/// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
/// * `turns` is NULL or turns made by `wb_turns_make`.
/// * `weights` is NULL or points to `len` initialised `f64`.
/// * `sums` is NULL or points to an initialised `wb_variables`.
/// * `by_f` is NULL or points to `by_f_len` initialised `f64`.
/// * `carryover` is NULL or a carryover made by `wb_carryover_open` or `wb_carryover_fork`.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the C prototype has as many")]
pub unsafe extern "C" fn wb_pullback_rows(
    scene: *const wb_scene,
    turns: *const wb_turns,
    first_row: usize,
    rows: usize,
    weights: *const f64,
    len: usize,
    sums: *mut wb_variables,
    by_f: *mut f64,
    by_f_len: usize,
    carryover: *mut wb_carryover,
    error: *mut wb_error,
) -> i32 {
    let pull = || {
        let rows = Rows { scene, turns, first_row, rows, carryover };
        let record = record(error)?;
        // SAFETY: this function requires of `scene` and `turns` what `objects` requires.
        let (scene, turns) = unsafe { rows.objects(record) }?;
        let needed = rows.pixels(scene);
        if len < needed {
            return Err(Failure::length("weights", needed, len));
        }
        let by_f = structure_factors(scene, by_f, by_f_len)?;
        let sums = Output::one(sums.cast::<Variables>(), "sums")?;
        let by_f_region = by_f.as_ref().map_or(Region::EMPTY, Output::region);
        let written = [record, sums.region(), by_f_region];
        let weights = Input::array(weights, needed, "weights")?;
        turns.check(scene, &written, weights.region())?;
        // SAFETY: this function requires of `carryover` what `carry` requires.
        let carry = unsafe { rows.carry(scene, &written) }?;
        // SAFETY: `weights` is not NULL, so the caller guarantees `len` initialised numbers there, of which
        // these are the first; no other thread writes them, and no output overlaps them.
        let weights = unsafe { weights.slice() };
        all_finite("weights", weights.iter().copied())?;
        // SAFETY: `by_f`, where it is given, is not NULL, so the caller guarantees `by_f_len` initialised
        // numbers there, of which these are the first; no other thread accesses them, and no input or other
        // output overlaps them.
        let structure_factors = by_f.map(|by_f| unsafe { by_f.initialised() });
        // SAFETY: `sums` is not NULL, so the caller guarantees an initialised `wb_variables` there, which has
        // the layout of `Variables`; no other thread accesses it.
        let variables = unsafe { sums.read() };
        let mut added =
            Sums { wanted: turns.kernel_wanted(), variables, structure_factors, ..Sums::default() };
        scene.kernel().pullback_rows(turns.table(), rows.range(), weights, &carry, &mut added)?;
        // SAFETY: as for reading `sums` above; no input or other output overlaps it.
        unsafe { sums.write(added.variables) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread
    // accesses.
    unsafe { reported(pull(), error) }
}

/// The array that receives derivatives with respect to the structure factors: as long as the grid; `None` if
/// there is no array.
fn structure_factors(scene: &wb_scene, by_f: *mut f64, len: usize) -> Result<Option<Output<f64>>, Failure> {
    if by_f.is_null() && len == 0 {
        return Ok(None);
    }
    let nodes = scene.kernel().parts().structure_factors.grid.map_or(0, |grid| grid.nodes().count());
    if len < nodes {
        return Err(Failure::length("by_f", nodes, len));
    }
    Output::array(by_f, nodes, "by_f").map(Some)
}

/// Writes the derivatives of the pixels of `rows` rows from `first_row` on along `count` directions into
/// `images`, which has room for `len` numbers: for each direction an image of rows times fast pixels,
/// slow-major. Pixels outside the region of interest and masked pixels become 0. `carryover` may be NULL if
/// the scene needs none; its counts do not change.
///
/// # Safety
/// No other thread writes the inputs, or accesses the outputs or the carryover, during the call.
/// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
/// * `turns` is NULL or turns made by `wb_turns_make`.
/// * `directions` is NULL or points to `count` initialised `wb_variables`.
/// * `images` is NULL or points to room for `len` `f64`.
/// * `carryover` is NULL or a carryover made by `wb_carryover_open` or `wb_carryover_fork`.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the C prototype has as many")]
pub unsafe extern "C" fn wb_pushforward_rows(
    scene: *const wb_scene,
    turns: *const wb_turns,
    first_row: usize,
    rows: usize,
    directions: *const wb_variables,
    count: usize,
    images: *mut f64,
    len: usize,
    carryover: *mut wb_carryover,
    error: *mut wb_error,
) -> i32 {
    let push = || {
        let rows = Rows { scene, turns, first_row, rows, carryover };
        let record = record(error)?;
        // SAFETY: this function requires of `scene` and `turns` what `objects` requires.
        let (scene, turns) = unsafe { rows.objects(record) }?;
        let needed = rows.pixels(scene).saturating_mul(count);
        if len < needed {
            return Err(Failure::length("images", needed, len));
        }
        let images = Output::array(images, needed, "images")?;
        let directions = Input::array(directions.cast::<Variables>(), count, "directions")?;
        let written = [record, images.region()];
        turns.check(scene, &written, directions.region())?;
        // SAFETY: this function requires of `carryover` what `carry` requires.
        let carry = unsafe { rows.carry(scene, &written) }?;
        // SAFETY: `directions` is not NULL, so the caller guarantees `count` initialised `wb_variables`
        // there, which have the layout of `Variables`; no other thread writes them, and no output overlaps
        // them.
        let directions = unsafe { directions.slice() };
        if wanted_along(directions)? & !turns.wanted() != 0 {
            return Err(Failure::range("directions", f64::NAN, "along what the turns were made for"));
        }
        // SAFETY: `images` is not NULL, so the caller guarantees room for `len` numbers there, of which these
        // are the first; no other thread accesses them, and no input or other output overlaps them.
        let images = unsafe { images.uninit() };
        let (kernel, table) = (scene.kernel(), turns.table());
        fill_with(images, 0.0, |images| {
            kernel.pushforward_rows(table, rows.range(), directions, &carry, images)
        })
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread
    // accesses.
    unsafe { reported(push(), error) }
}
