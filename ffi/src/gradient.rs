//! Derivatives of pixels by the variables of a scene, in both directions, and of the variables by what users move.
//!
//! What moves with the orientations lies in a block of the caller's beside the scene: a header, then its tables.

use widebragg::gradient::{
    Model, Moves, Parameter, Sums, TurnBuffers, TurnTable, Variables, Wanted, fill_turns,
};
use widebragg::render::Scene;
use widebragg::rotation::{Mat3, Orientation, PhiSweep};

use crate::carryover::{slots, wb_carryover};
use crate::memory::{Stretch, apart, input, output, stretch};
use crate::parameters::{WB_GIVEN_AXES, WB_PLACED, chosen, wb_scene_parameters};
use crate::scene::{WB_ALIGNMENT, block, made, place, wb_scene};
use crate::status::{Refusal, WB_NOT_MADE, WB_OTHER_SCENE, WB_TOO_LARGE, record, reported, status, wb_error};

/// Derivatives by the cell vectors, and by the reciprocal axes where spots are gaussian.
pub const WB_WANT_CELL: u64 = 1;
/// By origin, axes and distances of the detector.
pub const WB_WANT_DETECTOR: u64 = 2;
/// By the factor on the wavelengths.
pub const WB_WANT_WAVELENGTH: u64 = 4;
/// By default_F.
pub const WB_WANT_DEFAULT_F: u64 = 8;
/// By the first phi and the phi step.
pub const WB_WANT_PHI: u64 = 16;
/// By the factor on the mosaic rotations.
pub const WB_WANT_MOSAIC: u64 = 32;
/// All of them.
pub const WB_WANT_ALL: u64 = 63;

/// x of cell vector a, in Angstrom.
pub const WB_BY_A_X: i32 = 0;
/// y of cell vector a, in Angstrom.
pub const WB_BY_A_Y: i32 = 1;
/// z of cell vector a, in Angstrom.
pub const WB_BY_A_Z: i32 = 2;
/// x of cell vector b, in Angstrom.
pub const WB_BY_B_X: i32 = 3;
/// y of cell vector b, in Angstrom.
pub const WB_BY_B_Y: i32 = 4;
/// z of cell vector b, in Angstrom.
pub const WB_BY_B_Z: i32 = 5;
/// x of cell vector c, in Angstrom.
pub const WB_BY_C_X: i32 = 6;
/// y of cell vector c, in Angstrom.
pub const WB_BY_C_Y: i32 = 7;
/// z of cell vector c, in Angstrom.
pub const WB_BY_C_Z: i32 = 8;
/// Length of a, in Angstrom.
pub const WB_BY_A: i32 = 9;
/// Length of b, in Angstrom.
pub const WB_BY_B: i32 = 10;
/// Length of c, in Angstrom.
pub const WB_BY_C: i32 = 11;
/// alpha, in rad.
pub const WB_BY_ALPHA: i32 = 12;
/// beta, in rad.
pub const WB_BY_BETA: i32 = 13;
/// gamma, in rad.
pub const WB_BY_GAMMA: i32 = 14;
/// Missetting rotation about lab x, in rad.
pub const WB_BY_MISSET_X: i32 = 15;
/// About lab y.
pub const WB_BY_MISSET_Y: i32 = 16;
/// About lab z.
pub const WB_BY_MISSET_Z: i32 = 17;
/// First phi, in rad.
pub const WB_BY_PHI0: i32 = 18;
/// Oscillation range, in rad: the phi steps share it.
pub const WB_BY_OSC: i32 = 19;
/// Wavelength, in m.
pub const WB_BY_WAVELENGTH: i32 = 20;
/// Origin of the detector along lab x, in m.
pub const WB_BY_ORIGIN_X: i32 = 21;
/// Along lab y.
pub const WB_BY_ORIGIN_Y: i32 = 22;
/// Along lab z.
pub const WB_BY_ORIGIN_Z: i32 = 23;
/// Sample to detector along the beam, in m.
pub const WB_BY_DISTANCE: i32 = 24;
/// Beam centre X, in m.
pub const WB_BY_BEAM_CENTRE_X: i32 = 25;
/// Beam centre Y, in m.
pub const WB_BY_BEAM_CENTRE_Y: i32 = 26;
/// Rotation of the detector about lab x, in rad.
pub const WB_BY_DETECTOR_ROTATION_X: i32 = 27;
/// About lab y.
pub const WB_BY_DETECTOR_ROTATION_Y: i32 = 28;
/// About lab z.
pub const WB_BY_DETECTOR_ROTATION_Z: i32 = 29;
/// Factor on the fluence.
pub const WB_BY_FLUENCE_SCALE: i32 = 30;
/// Factor on the angles of the mosaic rotations.
pub const WB_BY_MOSAIC_SCALE: i32 = 31;
/// F of reflections outside the grid.
pub const WB_BY_DEFAULT_F: i32 = 32;
/// How many there are.
pub const WB_PARAMETERS: i32 = 33;

const _: () = assert!(WB_PARAMETERS as usize == Parameter::ALL.len());

/// What an image is a smooth function of, or one number for each of these: derivatives by them, or a direction.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct wb_variables {
    /// a, b, c at phi = 0 in m, one after the other.
    pub cell_m: [f64; 9],
    /// a*, b*, c* at phi = 0 in 1/Angstrom; only gaussian spots depend on them.
    pub reciprocal_per_angstrom: [f64; 9],
    /// Outer corner of the first pixel.
    pub pix0_m: [f64; 3],
    /// Fast axis.
    pub fast_axis: [f64; 3],
    /// Slow axis.
    pub slow_axis: [f64; 3],
    /// Normal.
    pub normal_axis: [f64; 3],
    /// Sample to detector along the normal: in the solid angle.
    pub close_distance_m: f64,
    /// Sample to detector along the beam: the radius of a curved detector.
    pub distance_m: f64,
    /// How much further the sweep is turned than its phi say.
    pub phi0_rad: f64,
    /// The same of its step.
    pub phi_step_rad: f64,
    /// Factor on the angles of the mosaic rotations.
    pub mosaic_scale: f64,
    /// Factor on all wavelengths.
    pub lambda_scale: f64,
    /// Factor on the fluence.
    pub fluence_scale: f64,
    /// F of reflections outside the grid.
    pub default_f: f64,
}

// Pointers to one are used as pointers to the other.
const _: () = assert!(size_of::<wb_variables>() == size_of::<Variables>());
const _: () = assert!(align_of::<wb_variables>() == align_of::<Variables>());

/// How a scene's orientations move; opaque to C.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct wb_turns {
    tag: u64,
    /// Length of the block that this header begins.
    bytes: usize,
    /// `WB_WANT_` bits.
    wanted: u64,
    /// What it was made for.
    of: Turned,
    table: TurnTable<'static>,
}

const TAG: u64 = 0x7762_7475_726e_7331;

/// What tells the orientations of one scene from those of another.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Turned {
    cell: Orientation,
    sweep: PhiSweep,
    entries: usize,
    last: Orientation,
}

impl Turned {
    fn of(scene: &Scene<'_>) -> Self {
        let table = scene.orientations();
        let (entries, last) = (table.entries().len(), table.entries().last().copied().unwrap_or_default());
        Self { cell: table.cell(), sweep: *table.sweep(), entries, last }
    }
}

/// Where the tables of a block lie, in bytes from its start, and how many elements each has.
struct Layout {
    tables: [(usize, usize); 4],
    bytes: usize,
}

impl Layout {
    fn new(scene: &Scene<'_>, wanted: u64) -> Result<Self, Refusal> {
        if wanted & !WB_WANT_ALL != 0 {
            return Err(Refusal::range("wanted", wanted as f64, "WB_WANT_ bits"));
        }
        let entries = scene.orientations().entries().len();
        let count = |bit: u64| if wanted & bit != 0 { entries } else { 0 };
        let [phi, mosaic] = [WB_WANT_PHI, WB_WANT_MOSAIC].map(count);
        let lay = || {
            let mut end = size_of::<wb_turns>();
            let tables = [
                (place::<Mat3>(&mut end, entries)?, entries),
                (place::<Orientation>(&mut end, phi)?, phi),
                (place::<Orientation>(&mut end, phi)?, phi),
                (place::<Orientation>(&mut end, mosaic)?, mosaic),
            ];
            Some(Self { tables, bytes: end.checked_next_multiple_of(WB_ALIGNMENT)? })
        };
        lay().ok_or(Refusal::new(WB_TOO_LARGE, "turns"))
    }
}

/// Bytes of memory that [`wb_turns_make`] needs.
///
/// # Safety
/// `scene` was made; `bytes` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_turns_size(scene: *const wb_scene, wanted: u64, bytes: *mut usize) -> i32 {
    let ask = || {
        let written = stretch(bytes, 1, "bytes")?;
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        apart(&[written], &made.stretches()?.map(|there| there.unwrap_or(Stretch::NONE)))?;
        let Layout { bytes: needed, .. } = Layout::new(made.scene(), wanted)?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { bytes.write(needed) };
        Ok(())
    };
    status(ask())
}

/// How the orientations of the scene move, for the derivatives that `wanted` names, in `memory` of `bytes` bytes, aligned to
/// `WB_ALIGNMENT`.
///
/// # Safety
/// `scene` was made; `memory` is the turns'; `turns` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_turns_make(
    scene: *const wb_scene,
    wanted: u64,
    memory: *mut core::ffi::c_void,
    bytes: usize,
    turns: *mut *mut wb_turns,
) -> i32 {
    let make = || {
        let written = [stretch(turns, 1, "turns")?, block(memory.cast::<u8>(), bytes)?];
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        apart(&written, &made.stretches()?.map(|there| there.unwrap_or(Stretch::NONE)))?;
        let layout = Layout::new(made.scene(), wanted)?;
        if bytes < layout.bytes {
            return Err(Refusal::length("memory", layout.bytes, bytes));
        }
        // SAFETY: the block is large enough, aligned, and apart from the scene.
        let header = unsafe { build(made.scene(), wanted, &layout, memory.cast::<u8>()) }?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { turns.write(header) };
        Ok(())
    };
    status(make())
}

/// Lays tables and header down.
///
/// # Safety
/// `memory` is aligned, nobody else's, and has `layout.bytes` bytes.
unsafe fn build(
    scene: &Scene<'_>,
    wanted: u64,
    layout: &Layout,
    memory: *mut u8,
) -> Result<*mut wb_turns, Refusal> {
    let [rotations, phi0, step, mosaic] = layout.tables;
    let buffers = TurnBuffers {
        // SAFETY: the layout keeps the tables apart, inside the block and aligned.
        rotations: unsafe { table(memory, rotations) },
        // SAFETY: as above.
        by_phi0: unsafe { table(memory, phi0) },
        // SAFETY: as above.
        by_step: unsafe { table(memory, step) },
        // SAFETY: as above.
        by_mosaic: unsafe { table(memory, mosaic) },
    };
    let table = fill_turns(scene.orientations(), buffers)?;
    let header = memory.cast::<wb_turns>();
    let first = wb_turns { tag: TAG, bytes: layout.bytes, wanted, of: Turned::of(scene), table };
    // SAFETY: the header is the block's first part.
    unsafe { header.write(first) };
    Ok(header)
}

/// A table at `offset` of the block, to be filled.
///
/// # Safety
/// The block has room for it there, and nothing else lies there.
unsafe fn table<T>(memory: *mut u8, (offset, count): (usize, usize)) -> &'static mut [T] {
    // SAFETY: what this function requires.
    let start = unsafe { memory.add(offset) }.cast::<T>();
    // SAFETY: what this function requires.
    unsafe { output(start, count) }
}

/// Turns of the caller's.
///
/// # Safety
/// `turns` is NULL or points to initialised memory of the size of a header, which nobody writes while `'a` lasts.
unsafe fn turned<'a>(turns: *const wb_turns) -> Result<&'a wb_turns, Refusal> {
    stretch(turns, 1, "turns")?;
    // SAFETY: all turns begin with their tag.
    if unsafe { turns.cast::<u64>().read() } != TAG {
        return Err(Refusal::new(WB_NOT_MADE, "turns"));
    }
    // SAFETY: the tag says that `wb_turns_make` wrote a header there.
    Ok(unsafe { &*turns })
}

impl wb_turns {
    fn wants(&self, bit: u64) -> bool {
        self.wanted & bit != 0
    }

    fn kernel_wanted(&self) -> Wanted {
        let cell = self.wants(WB_WANT_CELL);
        Wanted {
            cell,
            reciprocal: cell,
            detector: self.wants(WB_WANT_DETECTOR),
            wavelength: self.wants(WB_WANT_WAVELENGTH),
            default_f: self.wants(WB_WANT_DEFAULT_F),
        }
    }

    /// Refuses what overlaps the scene, these turns or what is `read`, and turns of another scene.
    fn check(&self, made: &wb_scene, written: &[Stretch], read: Stretch) -> Result<(), Refusal> {
        let [scene, grid, mask] = made.stretches()?.map(|there| there.unwrap_or(Stretch::NONE));
        let itself = stretch((&raw const *self).cast::<u8>(), self.bytes, "turns")?;
        apart(written, &[scene, grid, mask, itself, read])?;
        if self.of == Turned::of(made.scene()) { Ok(()) } else { Err(Refusal::new(WB_OTHER_SCENE, "turns")) }
    }
}

fn all_finite(quantity: &'static str, mut values: impl Iterator<Item = f64>) -> Result<(), Refusal> {
    match values.find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Refusal::range(quantity, value, "finite")),
    }
}

/// Adds, to `sums` and `by_f`, the derivatives of the sum over `rows` rows of pixels from `first_row` on of weight times value.
/// `weights`, of `len`, are slow-major. `by_f` is NULL, with `by_f_len` 0, where no derivatives by structure factors are
/// wanted. `carryover` is NULL where the scene needs none; it is read, not counted.
///
/// # Safety
/// `scene` and `turns` were made; `weights` can be read; `sums`, `by_f` and `error` can be written, `error` may be NULL; the
/// carryover was opened and is used by no other thread during the call.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "C has no other way to name them")]
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
        let itself = record(error)?.unwrap_or(Stretch::NONE);
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        // SAFETY: what this function requires.
        let turns = unsafe { turned(turns) }?;
        turns.check(made, &[itself], Stretch::NONE)?;
        let scene = made.ready()?;
        let needed = rows.saturating_mul(scene.detector().fast_pixels);
        if len < needed {
            return Err(Refusal::length("weights", needed, len));
        }
        let wants_f = !by_f.is_null() || by_f_len > 0;
        let nodes = scene.parts().structure_factors.grid.map_or(0, |grid| grid.data().len());
        if wants_f && by_f_len < nodes {
            return Err(Refusal::length("by_f", nodes, by_f_len));
        }
        let written = [
            itself,
            stretch(sums, 1, "sums")?,
            if wants_f { stretch(by_f, nodes, "by_f")? } else { Stretch::NONE },
        ];
        turns.check(made, &written, stretch(weights, needed, "weights")?)?;
        // SAFETY: what this function requires.
        let carry = unsafe { slots(scene, carryover, &written) }?;
        // SAFETY: checked above; the rest is the caller's word.
        let weights = unsafe { input(weights, needed) };
        all_finite("weights", weights.iter().copied())?;
        // SAFETY: checked above; the rest is the caller's word.
        let structure_factors = wants_f.then(|| unsafe { output(by_f, nodes) });
        // SAFETY: checked above; the rest is the caller's word.
        let variables = unsafe { sums.cast::<Variables>().read() };
        let mut added = Sums { wanted: turns.kernel_wanted(), variables, structure_factors };
        let rows = first_row..first_row.saturating_add(rows);
        scene.pullback_rows(&turns.table, rows, weights, &carry, &mut added)?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { sums.cast::<Variables>().write(added.variables) };
        Ok(())
    };
    // SAFETY: what this function requires.
    unsafe { reported(pull(), error) }
}

/// `WB_WANT_` bits of what moves along directions.
fn wanted_along(directions: &[Variables]) -> u64 {
    let Wanted { cell, reciprocal, detector, wavelength, default_f } = Wanted::along(directions);
    let any = |moves: fn(&Variables) -> bool| directions.iter().any(moves);
    [
        (cell || reciprocal, WB_WANT_CELL),
        (detector, WB_WANT_DETECTOR),
        (wavelength, WB_WANT_WAVELENGTH),
        (default_f, WB_WANT_DEFAULT_F),
        (any(|along| along.phi0_rad != 0.0 || along.phi_step_rad != 0.0), WB_WANT_PHI),
        (any(|along| along.mosaic_scale != 0.0), WB_WANT_MOSAIC),
    ]
    .iter()
    .map(|&(moves, bit)| if moves { bit } else { 0 })
    .sum()
}

/// Sets `wanted` to the `WB_WANT_` bits that derivatives along `count` directions need.
///
/// # Safety
/// `directions` can be read, `wanted` be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_wanted_along(
    directions: *const wb_variables,
    count: usize,
    wanted: *mut u64,
) -> i32 {
    let ask = || {
        apart(&[stretch(wanted, 1, "wanted")?], &[stretch(directions, count, "directions")?])?;
        // SAFETY: checked above; the rest is the caller's word.
        let directions = unsafe { input(directions.cast::<Variables>(), count) };
        all_finite("directions", directions.iter().flat_map(Variables::to_array))?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { wanted.write(wanted_along(directions)) };
        Ok(())
    };
    status(ask())
}

/// Writes the derivatives of the pixels of `rows` rows from `first_row` on along `count` directions into `images`, which has
/// room for `len` numbers: for each direction rows times fast pixels, slow-major. What is outside the region of interest or
/// masked becomes 0. `carryover` is NULL where the scene needs none; it is read, not counted.
///
/// # Safety
/// `scene` and `turns` were made; `directions` can be read; `images` and `error` can be written, `error` may be NULL; the
/// carryover was opened and is used by no other thread during the call.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "C has no other way to name them")]
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
        let itself = record(error)?.unwrap_or(Stretch::NONE);
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        // SAFETY: what this function requires.
        let turns = unsafe { turned(turns) }?;
        turns.check(made, &[itself], Stretch::NONE)?;
        let scene = made.ready()?;
        let needed = rows.saturating_mul(scene.detector().fast_pixels).saturating_mul(count);
        if len < needed {
            return Err(Refusal::length("images", needed, len));
        }
        let written = [itself, stretch(images, needed, "images")?];
        turns.check(made, &written, stretch(directions, count, "directions")?)?;
        // SAFETY: what this function requires.
        let carry = unsafe { slots(scene, carryover, &written) }?;
        // SAFETY: checked above; the rest is the caller's word.
        let directions = unsafe { input(directions.cast::<Variables>(), count) };
        all_finite("directions", directions.iter().flat_map(Variables::to_array))?;
        if wanted_along(directions) & !turns.wanted != 0 {
            return Err(Refusal::range("directions", f64::NAN, "along what the turns were made for"));
        }
        // SAFETY: checked above; the rest is the caller's word.
        let images = unsafe { output(images, needed) };
        let rows = first_row..first_row.saturating_add(rows);
        Ok(scene.pushforward_rows(&turns.table, rows, directions, &carry, images)?)
    };
    // SAFETY: what this function requires.
    unsafe { reported(push(), error) }
}

/// The derivatives of the variables of the scene of `parameters` by one of what users move, a `WB_BY_`. What the parameters
/// point to is not looked at.
///
/// # Safety
/// `parameters` can be read; `direction` and `error` can be written, `error` may be NULL.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_direction(
    parameters: *const wb_scene_parameters,
    parameter: i32,
    direction: *mut wb_variables,
    error: *mut wb_error,
) -> i32 {
    let find = || {
        let written = [record(error)?.unwrap_or(Stretch::NONE), stretch(direction, 1, "direction")?];
        apart(&written, &[stretch(parameters, 1, "parameters")?])?;
        // SAFETY: what this function requires.
        let parameters = unsafe { wb_scene_parameters::read(parameters) }?;
        let found = parameters.direction(parameter)?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { direction.cast::<Variables>().write(found) };
        Ok(())
    };
    // SAFETY: what this function requires.
    unsafe { reported(find(), error) }
}

impl wb_scene_parameters {
    fn direction(&self, parameter: i32) -> Result<Variables, Refusal> {
        let number = f64::from(parameter);
        let parameter = chosen("parameter", parameter, &Parameter::ALL)?;
        if self.phi_steps == 0 {
            return Err(Refusal::range("phi_steps", 0.0, "at least 1"));
        }
        all_finite("default_f", core::iter::once(self.grid.default_f))?;
        let crystal = self.crystal_parameters()?;
        let detector = if self.convention == WB_PLACED {
            // Refuses what a scene would be refused for.
            let placed = self.detector()?;
            match parameter {
                Parameter::Origin(axis) => {
                    let mut origin = [0.0; 3];
                    if let Some(moved) = origin.get_mut(axis) {
                        *moved = 1.0;
                    }
                    let along_normal = placed.normal.dot(origin.into());
                    return Ok(Variables {
                        pix0_m: origin.into(),
                        close_distance_m: along_normal,
                        distance_m: along_normal * placed.distance_m / placed.close_distance_m,
                        ..Variables::default()
                    });
                }
                Parameter::Distance | Parameter::BeamCentre(_) | Parameter::DetectorRotation(_) => {
                    return Err(Refusal::range("parameter", number, "one that WB_PLACED has"));
                }
                // Moves no detector: any does.
                _ => wb_scene_parameters::ANY_DETECTOR,
            }
        } else {
            self.detector_parameters()?
        };
        let model = Model::new(crystal, detector, self.phi_steps, self.grid.default_f)?;
        let mut found = model.direction(&Moves::default(), parameter)?;
        if self.given & WB_GIVEN_AXES != 0 && parameter == Parameter::Wavelength {
            // Axes used as they are do not scale with the wavelength.
            (found.cell, found.reciprocal_per_angstrom) = Default::default();
        }
        Ok(found)
    }
}

/// The sum of products of two directions: dL/dp of derivatives dL/dv and a direction dv/dp. NaN where a pointer is NULL or
/// misaligned.
///
/// # Safety
/// `sums` and `direction` can be read.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_dot(sums: *const wb_variables, direction: *const wb_variables) -> f64 {
    if stretch(sums, 1, "sums").is_err() || stretch(direction, 1, "direction").is_err() {
        return f64::NAN;
    }
    // SAFETY: checked above; the rest is the caller's word.
    let sums = unsafe { sums.cast::<Variables>().read() };
    // SAFETY: checked above; the rest is the caller's word.
    let direction = unsafe { direction.cast::<Variables>().read() };
    sums.dot(&direction)
}
