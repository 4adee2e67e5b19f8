//! A scene in the caller's memory: a header, then its tables; structure factors and mask stay the caller's.

use core::ffi::c_char;

use widebragg::beam::{Polarization, Source};
use widebragg::carryover::Carryover;
use widebragg::detector::Detector;
use widebragg::lanes::Simd;
use widebragg::lattice::{Lattice, Precision};
use widebragg::render::{Oversample, Roi, Scene, SceneParts, Sensor};
use widebragg::rotation::{
    IDENTITY, Mat3, Orientation, OrientationTable, PhiMode, PhiSweep, fill_orientations, orientations_len,
};
use widebragg::structure_factor::{LatchPoint, LookupRule, StructureFactors};

use crate::carryover::{slots, wb_carryover};
use crate::level;
use crate::memory::{Stretch, apart, input, output, stretch};
use crate::parameters::wb_scene_parameters;
use crate::status::{
    Refusal, WB_LATCH_MISSING, WB_MISALIGNED, WB_NOT_MADE, WB_STRUCT_SIZE, WB_TOO_LARGE, record, reported,
    status, wb_error,
};

/// What the memory of scenes and carryovers must be aligned to.
pub const WB_ALIGNMENT: usize = 64;

/// A scene; opaque to C.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct wb_scene {
    tag: u64,
    /// Length of the block that this header begins.
    bytes: usize,
    /// c-parity interpolates, and nobody has said yet where it ends.
    latch_missing: bool,
    scene: Scene<'static>,
}

const TAG: u64 = 0x7762_7363_656e_6531;

/// What a scene came to: what the reference prints before its loop.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_scene_summary {
    /// Size of this struct.
    pub size: usize,
    /// Pixels along the fast axis.
    pub fast_pixels: usize,
    /// Pixels along the slow axis: rows.
    pub slow_pixels: usize,
    /// Innermost steps of a pixel, thickness layers not counted.
    pub steps: f64,
    /// Subpixels along each axis.
    pub oversample: usize,
    /// Sources.
    pub sources: usize,
    /// Phi steps times mosaic domains.
    pub orientations: usize,
    /// Not 0: rendering needs a carryover.
    pub carries: i32,
    /// Not 0: rendering needs [`wb_scene_set_latch`] first.
    pub latch_missing: i32,
    /// Outer corner of the first pixel.
    pub pix0_m: [f64; 3],
    /// Unit fast axis.
    pub fast_axis: [f64; 3],
    /// Unit slow axis.
    pub slow_axis: [f64; 3],
    /// Unit normal.
    pub normal_axis: [f64; 3],
    /// Unit beam direction.
    pub beam_axis: [f64; 3],
    /// Unit polarisation axis.
    pub polarization_axis: [f64; 3],
    /// Unit spindle axis.
    pub spindle_axis: [f64; 3],
    /// Sample to detector along the beam.
    pub distance_m: f64,
    /// Sample to detector along the normal.
    pub close_distance_m: f64,
    /// Beam centre along fast.
    pub fast_beam_m: f64,
    /// Beam centre along slow.
    pub slow_beam_m: f64,
    /// a, b, c at phi = 0 in m, one after the other.
    pub direct_m: [f64; 9],
    /// a*, b*, c* at phi = 0 in 1/Angstrom, one after the other.
    pub reciprocal_per_angstrom: [f64; 9],
    /// Name of the level that runs; static.
    pub simd: *const c_char,
}

/// The evaluation that ends the reference's interpolation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct wb_latch {
    /// 0: nothing ends it, and the other fields mean nothing.
    pub found: i32,
    /// Row of the pixel.
    pub slow: usize,
    /// Column of the pixel.
    pub fast: usize,
    /// Evaluation within the pixel, counted over layer, subpixel, source, phi and domain.
    pub evaluation: u64,
}

/// Where the parts of a block lie, in bytes from its start.
#[derive(Clone, Copy)]
struct Layout {
    sources: usize,
    domains: usize,
    entries: usize,
    entries_len: usize,
    bytes: usize,
}

/// `count` elements of `T` after `*end`, on a cache line of their own; `*end` moves past them.
pub(crate) fn place<T>(end: &mut usize, count: usize) -> Option<usize> {
    let start = end.checked_next_multiple_of(WB_ALIGNMENT)?;
    *end = start.checked_add(count.checked_mul(size_of::<T>())?)?;
    Some(start)
}

impl Layout {
    fn new(sources: usize, domains: usize, phi_steps: usize) -> Result<Self, Refusal> {
        let entries_len = orientations_len(phi_steps, domains)?;
        let lay = || {
            let mut end = size_of::<wb_scene>();
            let sources = place::<Source>(&mut end, sources)?;
            let domains = place::<Mat3>(&mut end, domains)?;
            let entries = place::<Orientation>(&mut end, entries_len)?;
            let bytes = end.checked_next_multiple_of(WB_ALIGNMENT)?;
            Some(Self { sources, domains, entries, entries_len, bytes })
        };
        lay().ok_or(Refusal::new(WB_TOO_LARGE, "scene"))
    }
}

/// Everything of a scene but its tables, checked.
struct Plan {
    simd: Simd,
    detector: Detector,
    sensor: Sensor,
    oversample: Oversample,
    lattice: Lattice,
    structure_factors: StructureFactors<'static>,
    polarization: Option<Polarization>,
    d_min_m: f64,
    fluence_per_m2: f64,
    water_m: f64,
    roi: Roi,
    mask: Option<&'static [u16]>,
    precision: Precision,
    cell: Orientation,
    sweep: PhiSweep,
    sources: Option<&'static [Source]>,
    domains: Option<&'static [Mat3]>,
    only_source: Source,
    layout: Layout,
    inputs: [Option<Stretch>; 5],
}

/// An array of `count`, or none where the pointer is NULL and the count 0.
///
/// # Safety
/// `start` holds `count` elements.
unsafe fn table<T>(
    start: *const T,
    count: usize,
    name: &'static str,
) -> Result<Option<(&'static [T], Stretch)>, Refusal> {
    if start.is_null() && count == 0 {
        return Ok(None);
    }
    let there = stretch(start, count, name)?;
    if count == 0 {
        return Err(Refusal::length(name, 1, 0));
    }
    // SAFETY: checked above; the rest is the caller's word.
    Ok(Some((unsafe { input(start, count) }, there)))
}

fn is_rotation(u: &Mat3) -> bool {
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let [x, y, z] = u;
    let unit = [x, y, z].into_iter().all(|row| (dot(row, row) - 1.0).abs() < 1e-6);
    unit && dot(x, y).abs() < 1e-6 && dot(y, z).abs() < 1e-6 && dot(x, z).abs() < 1e-6
}

impl Plan {
    /// # Safety
    /// As [`wb_scene_make`].
    unsafe fn new(parameters: *const wb_scene_parameters) -> Result<Self, Refusal> {
        let itself = stretch(parameters, 1, "parameters")?;
        // SAFETY: the caller's word.
        let p = unsafe { wb_scene_parameters::read(parameters) }?;
        // SAFETY: the caller's word.
        let sources = unsafe { table(p.sources.cast::<Source>(), p.source_count, "sources") }?;
        // SAFETY: the caller's word.
        let domains = unsafe { table(p.domains.cast::<Mat3>(), p.domain_count, "domains") }?;
        // SAFETY: the caller's word.
        let mask = unsafe { table(p.mask, p.mask_len, "mask") }?;
        let inputs = [
            Some(itself),
            sources.map(|(_, there)| there),
            domains.map(|(_, there)| there),
            mask.map(|(_, there)| there),
            p.grid.stretch()?,
        ];
        let sources = sources.map(|(sources, _)| sources);
        let domains = domains.map(|(domains, _)| domains);
        if domains.is_some_and(|domains| !domains.iter().all(is_rotation)) {
            return Err(Refusal::range("matrix of a mosaic domain", f64::NAN, "a rotation"));
        }
        let detector = p.detector()?;
        let cell = p.cell()?;
        let only_source = p.default_source(&detector)?;
        let layout = Layout::new(sources.map_or(1, <[_]>::len), domains.map_or(1, <[_]>::len), p.phi_steps)?;
        let sweep = p.sweep(&detector)?;
        // SAFETY: the grid's values are there: the caller's word.
        let structure_factors = unsafe { p.grid.factors(p.lookup()?) }?;
        let plan = Self {
            simd: level::simd(p.simd)?,
            detector,
            sensor: p.sensor(),
            oversample: p.oversample(&cell, &detector)?,
            lattice: p.lattice(&cell)?,
            structure_factors,
            polarization: p.polarization(&detector),
            d_min_m: p.d_min_m,
            fluence_per_m2: p.fluence_per_m2,
            water_m: p.water_m,
            roi: p.roi(&detector),
            mask: mask.map(|(mask, _)| mask),
            precision: p.precision()?,
            cell: cell.direct,
            sweep,
            sources,
            domains,
            only_source,
            layout,
            inputs,
        };
        plan.rehearse()?;
        Ok(plan)
    }

    /// The scene of these tables.
    fn scene<'a>(
        &self,
        sources: &'a [Source],
        orientations: OrientationTable<'a>,
    ) -> Result<Scene<'a>, Refusal> {
        Ok(Scene::new(SceneParts {
            simd: self.simd,
            detector: self.detector,
            sensor: self.sensor,
            oversample: self.oversample,
            sources,
            orientations,
            lattice: self.lattice,
            precision: self.precision,
            structure_factors: self.structure_factors,
            polarization: self.polarization,
            d_min_m: self.d_min_m,
            fluence_per_m2: self.fluence_per_m2,
            water_m: self.water_m,
            roi: self.roi,
            mask: self.mask,
        })?)
    }

    /// Makes the scene with a table of one entry that stands for all: what could be refused is, before anything is
    /// written to the caller's memory.
    fn rehearse(&self) -> Result<(), Refusal> {
        let PhiSweep { phi0_rad, step_rad, count, .. } = self.sweep;
        if count == 0 {
            return Err(Refusal::range("phi_steps", 0.0, "at least 1"));
        }
        for angle in [phi0_rad, step_rad, self.sweep.phi_rad(count)] {
            if !angle.is_finite() {
                return Err(Refusal::range("phi in rad", angle, "finite"));
            }
        }
        // Domains are rotations to 1e-6: no edge of the real table is longer than this.
        let cell = self.cell.map(|v| 1.000_01 * v);
        let mut entry = [Orientation::default()];
        let orientations =
            fill_orientations(cell, PhiSweep { count: 1, ..self.sweep }, &[IDENTITY], &mut entry)?;
        let only = [self.only_source];
        let sources = self.sources.unwrap_or(&only);
        self.scene(sources, orientations).map(|_| ())
    }

    /// Whether the reference would stop interpolating somewhere.
    fn may_latch(&self) -> bool {
        let factors = &self.structure_factors;
        self.sweep.mode == PhiMode::CParity
            && factors.grid.is_some()
            && factors.lookup == LookupRule::Tricubic
    }
}

/// Bytes of memory that [`wb_scene_make`] needs for these parameters.
///
/// # Safety
/// `parameters` and what it points to can be read; `bytes` and `error` can be written, `error` may be NULL.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_size(
    parameters: *const wb_scene_parameters,
    bytes: *mut usize,
    error: *mut wb_error,
) -> i32 {
    let ask = || {
        let written = [record(error)?, Some(stretch(bytes, 1, "bytes")?)];
        all_apart(&written, &[Some(stretch(parameters, 1, "parameters")?)])?;
        // SAFETY: what this function requires.
        let plan = unsafe { Plan::new(parameters) }?;
        all_apart(&written, &plan.inputs)?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { bytes.write(plan.layout.bytes) };
        Ok(())
    };
    // SAFETY: what this function requires.
    unsafe { reported(ask(), error) }
}

/// The scene of these parameters, in `memory` of `bytes` bytes, aligned to `WB_ALIGNMENT`. Sources, domains and numbers are
/// copied; structure factors and mask must outlive the scene, and stay as they are.
///
/// # Safety
/// As [`wb_scene_size`]; `memory` is the scene's until the caller ends it by using the memory for something else.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_make(
    parameters: *const wb_scene_parameters,
    memory: *mut core::ffi::c_void,
    bytes: usize,
    scene: *mut *mut wb_scene,
    error: *mut wb_error,
) -> i32 {
    let make = || {
        let written =
            [record(error)?, Some(stretch(scene, 1, "scene")?), Some(block(memory.cast::<u8>(), bytes)?)];
        all_apart(&written, &[Some(stretch(parameters, 1, "parameters")?)])?;
        // SAFETY: what this function requires.
        let plan = unsafe { Plan::new(parameters) }?;
        all_apart(&written, &plan.inputs)?;
        if bytes < plan.layout.bytes {
            return Err(Refusal::length("memory", plan.layout.bytes, bytes));
        }
        // SAFETY: the block is large enough, aligned, and apart from all that is read.
        let made = unsafe { build(&plan, memory.cast::<u8>()) }?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { scene.write(made) };
        Ok(())
    };
    // SAFETY: what this function requires.
    unsafe { reported(make(), error) }
}

/// Refuses outputs that overlap each other or an input. The record of errors is the first: where it overlaps anything, it
/// is what is refused, and not written.
fn all_apart(outputs: &[Option<Stretch>], inputs: &[Option<Stretch>]) -> Result<(), Refusal> {
    for (i, output) in outputs.iter().enumerate() {
        let others = outputs.iter().skip(i + 1).chain(inputs);
        for (output, other) in others.filter_map(|other| output.zip(*other)) {
            apart(&[output], &[other])?;
        }
    }
    Ok(())
}

/// The block that a scene or carryover will live in.
pub(crate) fn block(memory: *const u8, bytes: usize) -> Result<Stretch, Refusal> {
    let block = stretch(memory, bytes, "memory")?;
    if memory.addr().is_multiple_of(WB_ALIGNMENT) {
        Ok(block)
    } else {
        Err(Refusal::new(WB_MISALIGNED, "memory"))
    }
}

/// Lays tables and header down.
///
/// # Safety
/// `memory` is aligned, nobody else's, and has `plan.layout.bytes` bytes.
unsafe fn build(plan: &Plan, memory: *mut u8) -> Result<*mut wb_scene, Refusal> {
    let Layout { sources, domains, entries, entries_len, bytes } = plan.layout;
    let only = [plan.only_source];
    // SAFETY: the layout keeps the parts apart, inside the block and aligned.
    let sources = unsafe { laid_down(memory, sources, plan.sources.unwrap_or(&only)) };
    // SAFETY: as above.
    let domains = unsafe { laid_down(memory, domains, plan.domains.unwrap_or(&[IDENTITY])) };
    // SAFETY: the layout's offset lies inside the block.
    let entries = unsafe { memory.add(entries) }.cast::<Orientation>();
    // SAFETY: as above.
    let entries = unsafe { output(entries, entries_len) };
    let orientations = fill_orientations(plan.cell, plan.sweep, domains, entries)?;
    let scene = plan.scene(sources, orientations)?;
    let header = memory.cast::<wb_scene>();
    let latch_missing = plan.may_latch();
    // SAFETY: the header is the block's first part.
    unsafe { header.write(wb_scene { tag: TAG, bytes, latch_missing, scene }) };
    Ok(header)
}

/// A copy of `table` at `offset` of the block.
///
/// # Safety
/// The block has room for it there, and nothing else lies there.
unsafe fn laid_down<T: Copy>(memory: *mut u8, offset: usize, table: &[T]) -> &'static [T] {
    // SAFETY: what this function requires.
    let start = unsafe { memory.add(offset) }.cast::<T>();
    // SAFETY: what this function requires.
    unsafe { start.copy_from_nonoverlapping(table.as_ptr(), table.len()) };
    // SAFETY: just written.
    unsafe { input(start, table.len()) }
}

/// A scene of the caller's, ready to render.
///
/// # Safety
/// `scene` is NULL or points to initialised memory of the size of a scene, which nobody writes while `'a` lasts.
pub(crate) unsafe fn made<'a>(scene: *const wb_scene) -> Result<&'a wb_scene, Refusal> {
    stretch(scene, 1, "scene")?;
    // SAFETY: every scene begins with its tag.
    if unsafe { scene.cast::<u64>().read() } != TAG {
        return Err(Refusal::new(WB_NOT_MADE, "scene"));
    }
    // SAFETY: the tag says that `wb_scene_make` wrote a scene there.
    Ok(unsafe { &*scene })
}

impl wb_scene {
    /// The kernel's scene.
    pub(crate) fn scene(&self) -> &Scene<'static> {
        &self.scene
    }

    /// The kernel's scene, if all is said that rendering needs.
    pub(crate) fn ready(&self) -> Result<&Scene<'static>, Refusal> {
        if self.latch_missing {
            return Err(Refusal::new(WB_LATCH_MISSING, "latch"));
        }
        Ok(&self.scene)
    }

    /// The scene's memory, its structure factors and its mask: what no output may overlap.
    pub(crate) fn stretches(&self) -> Result<[Option<Stretch>; 3], Refusal> {
        let p = self.scene.parts();
        let grid =
            p.structure_factors.grid.map(|grid| stretch(grid.data().as_ptr(), grid.data().len(), "grid"));
        let mask = p.mask.map(|mask| stretch(mask.as_ptr(), mask.len(), "mask"));
        let block = stretch((&raw const *self).cast::<u8>(), self.bytes, "scene")?;
        Ok([Some(block), grid.transpose()?, mask.transpose()?])
    }
}

/// What the scene came to. `size` is that of `summary`.
///
/// # Safety
/// `scene` was made; `summary` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_summarize(
    scene: *const wb_scene,
    summary: *mut wb_scene_summary,
    size: usize,
) -> i32 {
    let summarize = || {
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        let written = stretch(summary, 1, "summary")?;
        if size != size_of::<wb_scene_summary>() {
            return Err(Refusal::new(WB_STRUCT_SIZE, "wb_scene_summary"));
        }
        for other in made.stretches()?.into_iter().flatten() {
            apart(&[written], &[other])?;
        }
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { summary.write(made.summary()) };
        Ok(())
    };
    status(summarize())
}

impl wb_scene {
    fn summary(&self) -> wb_scene_summary {
        let p = self.scene.parts();
        let d = &p.detector;
        let nine = |[a, b, c]: [[f64; 3]; 3]| {
            let ([a0, a1, a2], [b0, b1, b2], [c0, c1, c2]) = (a, b, c);
            [a0, a1, a2, b0, b1, b2, c0, c1, c2]
        };
        let cell = self.scene.orientations().cell();
        wb_scene_summary {
            size: size_of::<wb_scene_summary>(),
            fast_pixels: d.fast_pixels,
            slow_pixels: d.slow_pixels,
            steps: self.scene.steps(),
            oversample: p.oversample.per_axis,
            sources: p.sources.len(),
            orientations: p.orientations.entries().len(),
            carries: i32::from(p.orientations.sweep().carried_steps() > 0),
            latch_missing: i32::from(self.latch_missing),
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
            reciprocal_per_angstrom: nine(p.lattice.reciprocal_per_angstrom.map(|v| v.to_array())),
            simd: level::name(p.simd.level()).as_ptr(),
        }
    }
}

/// Where, in `rows` rows from `first_row`, the reference would stop interpolating; of several bands the first in image
/// order counts. `carryover` is NULL where the scene needs none.
///
/// # Safety
/// `scene` was made; the carryover was opened and is used by no other thread during the call; `latch` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_find_latch(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    carryover: *mut wb_carryover,
    latch: *mut wb_latch,
) -> i32 {
    let find = || {
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        let written = stretch(latch, 1, "latch")?;
        for other in made.stretches()?.into_iter().flatten() {
            apart(&[written], &[other])?;
        }
        // SAFETY: what this function requires.
        let carry: Carryover<'_> = unsafe { slots(made.scene(), carryover, &[written]) }?;
        let rows = first_row..first_row.saturating_add(rows);
        let found = made.scene().find_latch(rows, &carry)?;
        let answer = match found {
            None => wb_latch { found: 0, slow: 0, fast: 0, evaluation: 0 },
            Some(LatchPoint { slow, fast, evaluation }) => wb_latch { found: 1, slow, fast, evaluation },
        };
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { latch.write(answer) };
        Ok(())
    };
    status(find())
}

/// Ends the interpolation of a c-parity scene at `latch`, or nowhere. The only call that changes a scene: before other
/// threads use it.
///
/// # Safety
/// `scene` was made, and no other thread uses it; `latch` can be read.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_set_latch(scene: *mut wb_scene, latch: *const wb_latch) -> i32 {
    let set = || {
        // SAFETY: what this function requires.
        let old = unsafe { made(scene) }?;
        stretch(latch, 1, "latch")?;
        // SAFETY: checked above; the rest is the caller's word.
        let wb_latch { found, slow, fast, evaluation } = unsafe { latch.read() };
        let p = old.scene().parts();
        let interpolates =
            p.structure_factors.grid.is_some() && p.structure_factors.lookup != LookupRule::Nearest;
        if !interpolates || p.orientations.sweep().mode == PhiMode::Spec {
            return Err(Refusal::range("latch", f64::NAN, "for c-parity scenes that interpolate"));
        }
        let lookup = match found {
            0 => LookupRule::Tricubic,
            _ => LookupRule::TricubicUntil(LatchPoint { slow, fast, evaluation }),
        };
        let (bytes, latched) = (old.bytes, old.scene().with_lookup(lookup));
        // SAFETY: a scene lies there, and nobody else uses it.
        unsafe { scene.write(wb_scene { tag: TAG, bytes, latch_missing: false, scene: latched }) };
        Ok(())
    };
    status(set())
}
