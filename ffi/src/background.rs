//! What amorphous matter in the beam of a scene scatters: an object in the caller's memory, a header and then tables.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use widebragg::background::{
    AmorphousMatter, BeamLine, Curve, Profile, Radial, RadialPoint, Slab, WeightedSource, molecules,
};
use widebragg::beam::Source;
use widebragg::vector::Vec3;

use crate::block::{Array, Header, Layout, block, header};
use crate::memory::{Input, Output, Region, disjoint, filled};
use crate::parameters::finite;
use crate::record::{record, reported};
use crate::scene::wb_scene;
use crate::status::{Failure, WB_STRUCT_SIZE, WB_TOO_LARGE, status, wb_error};

/// Converts 1/Angstrom to 1/m.
const PER_ANGSTROM_PER_M: f64 = 1e10;

/// Amorphous matter in the beam. Pointers are NULL or point to as many numbers as there are points.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_matter {
    /// The size of this struct, which identifies its version.
    pub size: usize,
    /// s = sin(theta)/lambda of the points of a table, in 1/Angstrom, each above the one before.
    pub stol_per_angstrom: *const f64,
    /// F of a molecule at these points, in electrons; held beyond the ends.
    pub f_electrons: *const f64,
    /// The number of points.
    pub point_count: usize,
    /// The number of molecules in the beam.
    pub molecules: f64,
    /// Where the matter is; the sample is at 0.
    pub origin_m: [f64; 3],
    /// Attenuation lengths in a slab across the beam that absorbs what it scatters; 0: nothing is absorbed.
    pub slab_depth: f64,
    /// 0: F of each source's own wavelength. Else the number of cells of the table of the mean over all wavelengths, for sources
    /// of one direction.
    pub profile_cells: usize,
}

/// The background of a scene; opaque to C.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct wb_background {
    tag: u64,
    /// The size of the block that starts with this header.
    bytes: usize,
    /// The address of this header: `matter` points to the tables of its block.
    made_at: usize,
    simd: widebragg::lanes::Simd,
    /// The largest error of the profile, and the largest magnitude, in electrons squared.
    profile_error: [f64; 2],
    matter: AmorphousMatter<'static>,
}

// SAFETY: `wb_background` is `repr(C)` with an alignment of 64, and its first field is a `u64`, which `build` sets to TAG.
// Nothing else makes one.
unsafe impl Header for wb_background {
    const TAG: u64 = 0x7762_6261_636b_6731;
    const NAME: &'static str = "background";

    fn made_at(&self) -> Option<usize> {
        Some(self.made_at)
    }
}

impl wb_background {
    fn region(&self) -> Result<Region, Failure> {
        Region::new((&raw const *self).cast::<u8>(), self.bytes, Self::NAME)
    }
}

/// The tables of a block.
struct Tables {
    sources: Array<WeightedSource>,
    points: Array<RadialPoint>,
    curve: Array<f64>,
    lines: Array<BeamLine>,
    profile: Array<f64>,
    /// The size of the block.
    bytes: usize,
}

impl Tables {
    fn new(scene: &wb_scene, matter: &wb_matter) -> Result<Self, Failure> {
        let sources = scene.kernel().parts().sources.len();
        let arrange = || {
            let mut layout = Layout::of::<wb_background>();
            Some(Self {
                sources: layout.array(sources)?,
                points: layout.array(matter.point_count)?,
                curve: layout.array(Curve::room_len(matter.point_count))?,
                lines: layout.array(if matter.profile_cells > 0 { sources } else { 0 })?,
                profile: layout.array(Profile::room_len(matter.profile_cells))?,
                bytes: layout.bytes()?,
            })
        };
        arrange().ok_or(Failure::new(WB_TOO_LARGE, wb_background::NAME))
    }
}

impl wb_matter {
    fn check(&self, scene: &wb_scene) -> Result<(), Failure> {
        let not_negative = |quantity, value: f64| {
            let is_allowed = value.is_finite() && value >= 0.0;
            if is_allowed { Ok(()) } else { Err(Failure::range(quantity, value, "0 or more")) }
        };
        not_negative("molecules", self.molecules)?;
        not_negative("slab_depth", self.slab_depth)?;
        finite("origin_m", &self.origin_m)?;
        let panel = scene.kernel().panel();
        let along_normal_m = Vec3::from(self.origin_m).dot(panel.normal);
        // The sign is that at the sample: the normal of a mirrored panel points upstream.
        let left_m = (panel.close_distance_m - along_normal_m) * panel.close_distance_m.signum();
        if left_m.is_nan() || left_m <= 0.0 {
            return Err(Failure::range("origin_m along the normal", along_normal_m, "before the detector"));
        }
        let Some((first, others)) = scene.kernel().parts().sources.split_first() else { return Ok(()) };
        if self.profile_cells > 0 && others.iter().any(|other| other.incident != first.incident) {
            let cells = self.profile_cells as f64;
            return Err(Failure::range("profile_cells", cells, "0 for sources of several directions"));
        }
        Ok(())
    }
}

/// The scene, the matter and its points, checked, for a call that writes `written`.
///
/// # Safety
/// During `'a` no thread writes scene, matter or points.
/// * `scene` is NULL or a scene made by this library.
/// * `matter` is NULL or points to an initialised `wb_matter` whose pointers meet its requirements.
unsafe fn checked<'a>(
    scene: *const wb_scene,
    matter: *const wb_matter,
    written: &[Region],
) -> Result<(&'a wb_scene, wb_matter, [&'a [f64]; 2]), Failure> {
    // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
    let scene: &wb_scene = unsafe { header(scene) }?;
    disjoint(written, &scene.regions()?)?;
    let matter = Input::one(matter, "matter")?;
    disjoint(written, &[matter.region()])?;
    // SAFETY: `matter` is not NULL, so the caller guarantees an initialised `wb_matter` there, which no thread writes.
    let matter = unsafe { matter.read() };
    if matter.size != size_of::<wb_matter>() {
        return Err(Failure::new(WB_STRUCT_SIZE, "wb_matter"));
    }
    let stol = Input::array(matter.stol_per_angstrom, matter.point_count, "stol_per_angstrom")?;
    let f_electrons = Input::array(matter.f_electrons, matter.point_count, "f_electrons")?;
    disjoint(written, &[stol.region(), f_electrons.region()])?;
    // SAFETY: `stol_per_angstrom` is not NULL, so the caller guarantees `point_count` initialised numbers there, which no thread
    // writes; no output overlaps them.
    let stol = unsafe { stol.slice() };
    // SAFETY: as for `stol_per_angstrom`, with the numbers at `f_electrons`.
    let f_electrons = unsafe { f_electrons.slice() };
    matter.check(scene)?;
    Curve::check(points([stol, f_electrons]), PER_ANGSTROM_PER_M)?;
    Ok((scene, matter, [stol, f_electrons]))
}

/// The points of a table from its two columns.
fn points([stol, f_electrons]: [&[f64]; 2]) -> impl Iterator<Item = RadialPoint> {
    stol.iter().zip(f_electrons).map(|(&s, &f_electrons)| RadialPoint { s, f_electrons })
}

/// Returns the number of molecules in the part of a sample that the beam hits; NaN for numbers that are NaN.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub extern "C" fn wb_molecules(
    thickness_m: f64,
    area_m2: f64,
    density_g_per_cm3: f64,
    weight_g_per_mol: f64,
) -> f64 {
    molecules(thickness_m, area_m2, density_g_per_cm3, weight_g_per_mol)
}

/// Sets `bytes` to the size of the memory that [`wb_background_make`] needs.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `scene` is NULL or a scene made by this library.
/// * `matter` is NULL or points to an initialised `wb_matter` whose pointers meet its requirements.
/// * `bytes` is NULL or points to room for a `usize`.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_background_size(
    scene: *const wb_scene,
    matter: *const wb_matter,
    bytes: *mut usize,
    error: *mut wb_error,
) -> i32 {
    let ask = || {
        let record = record(error)?;
        let bytes = Output::one(bytes, "bytes")?;
        // SAFETY: this function requires of `scene` and `matter` what `checked` requires; the result does not outlive the call.
        let (scene, matter, _) = unsafe { checked(scene, matter, &[record, bytes.region()]) }?;
        let needed = Tables::new(scene, &matter)?.bytes;
        // SAFETY: `bytes` is not NULL, so the caller guarantees room for a `usize` there, which no other thread accesses;
        // neither an input nor the record overlaps it.
        unsafe { bytes.write(needed) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread accesses.
    unsafe { reported(ask(), error) }
}

/// Makes the background that matter gives in a scene, in `memory`, which has `bytes` bytes and is aligned to `WB_ALIGNMENT`.
/// Scene and matter need not exist afterwards.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `scene` is NULL or a scene made by this library.
/// * `matter` is NULL or points to an initialised `wb_matter` whose pointers meet its requirements.
/// * `memory` is NULL or points to room for `bytes` bytes. They belong to the background from then on: until the caller uses
///   them for something else, nothing writes them.
/// * `background` is NULL or points to room for a pointer.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_background_make(
    scene: *const wb_scene,
    matter: *const wb_matter,
    memory: *mut c_void,
    bytes: usize,
    background: *mut *mut wb_background,
    error: *mut wb_error,
) -> i32 {
    let make = || {
        let record = record(error)?;
        let handle = Output::one(background, "background")?;
        let written = [record, handle.region(), block(memory, bytes)?.region()];
        disjoint(&written, &[])?;
        // SAFETY: this function requires of `scene` and `matter` what `checked` requires; the result does not outlive the call.
        let (scene, matter, columns) = unsafe { checked(scene, matter, &written) }?;
        let tables = Tables::new(scene, &matter)?;
        if bytes < tables.bytes {
            return Err(Failure::length("memory", tables.bytes, bytes));
        }
        // SAFETY: `memory` is aligned to WB_ALIGNMENT, as `block` found, and has room for the tables. The caller guarantees that
        // the memory exists and belongs to the background; neither an input nor another output overlaps it.
        let made = unsafe { build(scene, &matter, columns, &tables, memory.cast()) }?;
        // SAFETY: `handle` is not NULL, so the caller guarantees room for a pointer there, which no other thread accesses;
        // neither an input nor another output overlaps it.
        unsafe { handle.write(made) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread accesses.
    unsafe { reported(make(), error) }
}

/// Fills the tables and writes the header.
///
/// # Safety
/// `memory` is aligned to `WB_ALIGNMENT` and points to room for `tables.bytes` bytes, which belong to the background: nothing
/// writes its tables for as long as it exists.
unsafe fn build(
    scene: &wb_scene,
    matter: &wb_matter,
    columns: [&[f64]; 2],
    tables: &Tables,
    memory: *mut u8,
) -> Result<*mut wb_background, Failure> {
    // SAFETY: `memory` is aligned and has room for these tables, as the caller guarantees. They belong to the background, so the
    // slice is valid for as long as it exists, and lies apart from the other tables.
    let sources: &mut [MaybeUninit<WeightedSource>] = unsafe { tables.sources.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let table = unsafe { tables.points.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let curve = unsafe { tables.curve.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let lines = unsafe { tables.lines.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let profile = unsafe { tables.profile.uninit(memory) };

    let parts = scene.kernel().parts();
    let weight = |at: usize| parts.source_weights.and_then(|weights| weights.get(at).copied()).unwrap_or(1.0);
    let sources = filled(sources, WeightedSource { source: Source::default(), weight: 1.0 });
    for (at, (to, &source)) in sources.iter_mut().zip(parts.sources).enumerate() {
        *to = WeightedSource { source, weight: weight(at) };
    }
    let table = filled(table, RadialPoint { s: 0.0, f_electrons: 0.0 });
    table.iter_mut().zip(points(columns)).for_each(|(to, point)| *to = point);
    let curve = Curve::fill(table, PER_ANGSTROM_PER_M, filled(curve, 0.0))?;
    let (radial, sources, profile_error) = if matter.profile_cells == 0 {
        (Radial::Curve(curve), &*sources, [0.0; 2])
    } else {
        let lines = filled(lines, BeamLine { lambda_m: 1.0, weight: 1.0 });
        for (to, WeightedSource { source, weight }) in lines.iter_mut().zip(&*sources) {
            *to = BeamLine { lambda_m: source.lambda_m, weight: *weight };
        }
        let profile = Profile::fill(&curve, lines, [0.0, 1.0], filled(profile, 0.0))?;
        let error = [profile.error(), profile.largest()];
        (Radial::Profile(profile), sources.get(..1).unwrap_or_default(), error)
    };
    let slab = Slab { normal: scene.detector().beam, depth: matter.slab_depth };
    let made = wb_background {
        tag: wb_background::TAG,
        bytes: tables.bytes,
        made_at: memory.addr(),
        simd: parts.simd,
        profile_error,
        matter: AmorphousMatter {
            panel: parts.panel,
            origin_m: matter.origin_m.into(),
            sources,
            radial,
            polarization: parts.polarization,
            fluence_per_m2: parts.fluence_per_m2,
            molecules: matter.molecules,
            slab: (matter.slab_depth > 0.0).then_some(slab),
        },
    };
    let start = Output::one(memory.cast::<wb_background>(), "memory")?;
    // SAFETY: `memory` is not NULL and is aligned, and the block, which belongs to the background, begins with room for the
    // header, apart from the tables.
    unsafe { start.write(made) };
    Ok(memory.cast())
}

/// Adds the background of `rows` rows from `first_row` on to `photons`, which has `len` pixels.
///
/// # Safety
/// * `background` is NULL or a background made by [`wb_background_make`], which no thread writes during the call.
/// * `photons` is NULL or points to `len` initialised `f64`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_background_rows(
    background: *const wb_background,
    first_row: usize,
    rows: usize,
    photons: *mut f64,
    len: usize,
) -> i32 {
    let add = || {
        // SAFETY: the caller guarantees that `background` is NULL or a background, which no thread writes.
        let background: &wb_background = unsafe { header(background) }?;
        let matter = &background.matter;
        let (columns, limit) = (matter.panel.fast_pixels, matter.panel.slow_pixels);
        let needed = rows.saturating_mul(columns);
        if len < needed {
            return Err(Failure::length("photons", needed, len));
        }
        let end = first_row.saturating_add(rows);
        if end > limit {
            return Err(widebragg::Error::OutsideDetector { index: end.saturating_sub(1), limit }.into());
        }
        let photons = Output::array(photons, needed, "photons")?;
        disjoint(&[photons.region()], &[background.region()?])?;
        // SAFETY: `photons` is not NULL, so the caller guarantees `len` initialised numbers there, of which these are the first;
        // no other thread accesses them, and the background does not overlap them.
        let photons = unsafe { photons.initialised() };
        for (row, photons) in (first_row..).zip(photons.chunks_exact_mut(columns.max(1))) {
            matter.add_to_row(background.simd, row, 0..columns, photons)?;
        }
        Ok(())
    };
    status(add())
}

/// Sets `error` to the largest error of the mean over all wavelengths as a part of its largest value; 0 without such a mean.
///
/// # Safety
/// * `background` is NULL or a background made by [`wb_background_make`], which no thread writes during the call.
/// * `error` is NULL or points to room for an `f64`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_background_error(background: *const wb_background, error: *mut f64) -> i32 {
    let ask = || {
        // SAFETY: the caller guarantees that `background` is NULL or a background, which no thread writes.
        let background: &wb_background = unsafe { header(background) }?;
        let error = Output::one(error, "error")?;
        disjoint(&[error.region()], &[background.region()?])?;
        let [largest_error, largest] = background.profile_error;
        let part = if largest > 0.0 { largest_error / largest } else { 0.0 };
        // SAFETY: `error` is not NULL, so the caller guarantees room for an `f64` there, which no other thread accesses; the
        // background does not overlap it.
        unsafe { error.write(part) };
        Ok(())
    };
    status(ask())
}
