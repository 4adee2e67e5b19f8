//! Scenes in the caller's memory: a header, then tables. Structure factors and mask stay where the caller has
//! them.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use widebragg::beam::{Polarization, Source};
use widebragg::detector::Detector;
use widebragg::lanes::Simd;
use widebragg::lattice::{Lattice, Precision};
use widebragg::render::{Oversample, Roi, Scene, SceneParameters, Sensor};
use widebragg::rotation::{
    IDENTITY, Mat3, Orientation, OrientationTable, PhiMode, PhiSweep, fill_orientations, orientations_len,
};
use widebragg::structure_factor::{LookupRule, StructureFactors};

use crate::block::{Array, Header, Layout, block};
use crate::level;
use crate::memory::{Input, Output, Region, disjoint, filled};
use crate::parameters::wb_scene_parameters;
use crate::record::{record, reported};
use crate::status::{Failure, WB_LATCH_MISSING, WB_TOO_LARGE, wb_error};

/// A scene; opaque to C.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct wb_scene {
    tag: u64,
    /// The size of the block that starts with this header.
    bytes: usize,
    /// Whether `wb_scene_set_latch` must be called before the scene can be rendered.
    latch_missing: bool,
    scene: Scene<'static>,
}

// SAFETY: `wb_scene` is `repr(C)` with an alignment of 64, and its first field is a `u64`, which `build` and
// `latched` set to TAG. Nothing else makes one.
unsafe impl Header for wb_scene {
    const TAG: u64 = 0x7762_7363_656e_6531;
    const NAME: &'static str = "scene";
}

/// The tables of a block.
#[derive(Clone, Copy)]
struct Tables {
    sources: Array<Source>,
    domains: Array<Mat3>,
    entries: Array<Orientation>,
    /// The size of the block.
    bytes: usize,
}

impl Tables {
    fn new(sources: usize, domains: usize, phi_steps: usize) -> Result<Self, Failure> {
        let entries = orientations_len(phi_steps, domains)?;
        let arrange = || {
            let mut layout = Layout::of::<wb_scene>();
            Some(Self {
                sources: layout.array(sources)?,
                domains: layout.array(domains)?,
                entries: layout.array(entries)?,
                bytes: layout.bytes()?,
            })
        };
        arrange().ok_or(Failure::new(WB_TOO_LARGE, wb_scene::NAME))
    }
}

/// Everything that makes a scene, except its tables; checked.
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
    tables: Tables,
    /// The memory that the parameters point to.
    inputs: [Region; 5],
}

/// An array and its memory; none if the pointer is NULL and the count 0.
///
/// # Safety
/// `start` is NULL or points to `count` initialised elements, which are not written while the result is used.
unsafe fn array<T>(
    start: *const T,
    count: usize,
    name: &'static str,
) -> Result<(Option<&'static [T]>, Region), Failure> {
    if start.is_null() && count == 0 {
        return Ok((None, Region::EMPTY));
    }
    let array = Input::array(start, count, name)?;
    if count == 0 {
        return Err(Failure::length(name, 1, 0));
    }
    // SAFETY: `start` is not NULL, so the caller guarantees `count` initialised elements there, which are not
    // written while the slice is used.
    Ok((Some(unsafe { array.slice() }), array.region()))
}

fn is_rotation(u: &Mat3) -> bool {
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let [x, y, z] = u;
    let unit = [x, y, z].into_iter().all(|row| (dot(row, row) - 1.0).abs() < 1e-6);
    unit && dot(x, y).abs() < 1e-6 && dot(y, z).abs() < 1e-6 && dot(x, z).abs() < 1e-6
}

impl Plan {
    /// # Safety
    /// `parameters` is NULL or points to an initialised struct that begins with its size in bytes. No other
    /// thread writes it, or the arrays that it points to and that must meet the requirements of
    /// [`wb_scene_parameters`], while the plan exists.
    unsafe fn new(parameters: *const wb_scene_parameters) -> Result<Self, Failure> {
        let itself = Region::new(parameters, 1, "parameters")?;
        // SAFETY: the caller guarantees that `parameters` is NULL or points to an initialised struct of the
        // size in its first field, which no other thread writes.
        let p = unsafe { wb_scene_parameters::read(parameters) }?;
        // SAFETY: the caller guarantees that `p.sources` is NULL or points to `source_count` initialised
        // sources, which have the layout of the kernel's and are not written while the plan exists.
        let (sources, of_sources) = unsafe { array(p.sources.cast::<Source>(), p.source_count, "sources") }?;
        // SAFETY: the caller guarantees that `p.domains` is NULL or points to nine initialised numbers for
        // each of `domain_count` domains, which is the layout of as many matrices; they are not written while
        // the plan exists.
        let (domains, of_domains) = unsafe { array(p.domains.cast::<Mat3>(), p.domain_count, "domains") }?;
        // SAFETY: the caller guarantees that `p.mask` is NULL or points to `mask_len` initialised numbers,
        // which are not written while the plan or its scene exists.
        let (mask, of_mask) = unsafe { array(p.mask, p.mask_len, "mask") }?;
        let inputs = [itself, of_sources, of_domains, of_mask, p.grid.region()?];
        if domains.is_some_and(|domains| !domains.iter().all(is_rotation)) {
            return Err(Failure::range("matrix of a mosaic domain", f64::NAN, "a rotation"));
        }
        let detector = p.detector()?;
        let cell = p.cell()?;
        let only_source = p.default_source(&detector)?;
        let tables = Tables::new(sources.map_or(1, <[_]>::len), domains.map_or(1, <[_]>::len), p.phi_steps)?;
        let sweep = p.sweep(&detector)?;
        // SAFETY: the caller guarantees that `p.grid.f` is NULL or points to `f_len` initialised numbers,
        // which are not written while the plan or its scene exists.
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
            mask,
            precision: p.precision()?,
            cell: cell.direct,
            sweep,
            sources,
            domains,
            only_source,
            tables,
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
    ) -> Result<Scene<'a>, Failure> {
        let scene = Scene::new(SceneParameters {
            simd: self.simd,
            detector: self.detector,
            sensor: self.sensor,
            oversample: self.oversample,
            sources,
            orientations,
            lattice: self.lattice,
            structure_factors: self.structure_factors,
            polarization: self.polarization,
            d_min_m: self.d_min_m,
            fluence_per_m2: self.fluence_per_m2,
            water_m: self.water_m,
            roi: self.roi,
            mask: self.mask,
        })?;
        Ok(scene.with_precision(self.precision))
    }

    /// Makes the scene with a table of one entry that stands for all: what could be refused is, before
    /// anything is written to the caller's memory.
    fn rehearse(&self) -> Result<(), Failure> {
        let PhiSweep { phi0_rad, step_rad, count, .. } = self.sweep;
        if count == 0 {
            return Err(Failure::range("phi_steps", 0.0, "at least 1"));
        }
        for angle in [phi0_rad, step_rad, self.sweep.phi_rad(count)] {
            if !angle.is_finite() {
                return Err(Failure::range("phi in rad", angle, "finite"));
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

/// Sets `bytes` to the size of the memory that [`wb_scene_make`] needs for these parameters.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `parameters` is NULL or points to an initialised `wb_scene_parameters`, whose first field is its size in
///   bytes and whose pointers meet the requirements of that struct.
/// * `bytes` is NULL or points to room for a `usize`.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_size(
    parameters: *const wb_scene_parameters,
    bytes: *mut usize,
    error: *mut wb_error,
) -> i32 {
    let ask = || {
        let record = record(error)?;
        let bytes = Output::one(bytes, "bytes")?;
        let written = [record, bytes.region()];
        disjoint(&written, &[Region::new(parameters, 1, "parameters")?])?;
        // SAFETY: this function requires of `parameters` what `Plan::new` requires; the plan does not outlive
        // the call.
        let plan = unsafe { Plan::new(parameters) }?;
        disjoint(&written, &plan.inputs)?;
        // SAFETY: `bytes` is not NULL, so the caller guarantees room for a `usize` there, which no other
        // thread accesses; neither an input nor the record overlaps it.
        unsafe { bytes.write(plan.tables.bytes) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread
    // accesses.
    unsafe { reported(ask(), error) }
}

/// Makes the scene of these parameters in `memory`, which has `bytes` bytes and is aligned to `WB_ALIGNMENT`.
/// Sources, domains and numbers are copied; structure factors and mask are not.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `parameters` is NULL or points to an initialised `wb_scene_parameters`, whose first field is its size in
///   bytes and whose pointers meet the requirements of that struct. Its structure factors and mask are not
///   written or freed while the scene exists.
/// * `memory` is NULL or points to room for `bytes` bytes. They belong to the scene from then on: until the
///   caller uses them for something else, only functions of this library write them.
/// * `scene` is NULL or points to room for a pointer.
/// * `error` is NULL or points to room for a `wb_error`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_make(
    parameters: *const wb_scene_parameters,
    memory: *mut c_void,
    bytes: usize,
    scene: *mut *mut wb_scene,
    error: *mut wb_error,
) -> i32 {
    let make = || {
        let record = record(error)?;
        let handle = Output::one(scene, "scene")?;
        let written = [record, handle.region(), block(memory, bytes)?.region()];
        disjoint(&written, &[Region::new(parameters, 1, "parameters")?])?;
        // SAFETY: this function requires of `parameters` what `Plan::new` requires: the plan does not outlive
        // the call, and for as long as the scene exists, structure factors and mask do not change.
        let plan = unsafe { Plan::new(parameters) }?;
        disjoint(&written, &plan.inputs)?;
        if bytes < plan.tables.bytes {
            return Err(Failure::length("memory", plan.tables.bytes, bytes));
        }
        // SAFETY: `memory` is aligned to WB_ALIGNMENT, as `block` found, and has room for the tables. The
        // caller guarantees that the memory exists and belongs to the scene; neither an input nor another
        // output overlaps it.
        let made = unsafe { build(&plan, memory.cast()) }?;
        // SAFETY: `handle` is not NULL, so the caller guarantees room for a pointer there, which no other
        // thread accesses; neither an input nor another output overlaps it.
        unsafe { handle.write(made) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread
    // accesses.
    unsafe { reported(make(), error) }
}

/// Fills the tables and writes the header.
///
/// # Safety
/// `memory` is aligned to `WB_ALIGNMENT` and points to room for `plan.tables.bytes` bytes, which belong to
/// the scene: nothing writes its tables for as long as it exists.
unsafe fn build(plan: &Plan, memory: *mut u8) -> Result<*mut wb_scene, Failure> {
    let Tables { sources, domains, entries, bytes } = plan.tables;
    let only = [plan.only_source];
    // SAFETY: `memory` is aligned and has room for these tables, as the caller guarantees. They belong to the
    // scene, so the slice is valid for as long as the scene exists, and lies apart from the other tables.
    let sources: &mut [MaybeUninit<Source>] = unsafe { sources.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let domains: &mut [MaybeUninit<Mat3>] = unsafe { domains.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let entries: &mut [MaybeUninit<Orientation>] = unsafe { entries.uninit(memory) };
    let sources = copied(sources, plan.sources.unwrap_or(&only));
    let domains = copied(domains, plan.domains.unwrap_or(&[IDENTITY]));
    let entries = filled(entries, plan.cell);
    let orientations = fill_orientations(plan.cell, plan.sweep, domains, entries)?;
    let scene = plan.scene(sources, orientations)?;
    let start = Output::one(memory.cast::<wb_scene>(), "memory")?;
    let (tag, latch_missing) = (wb_scene::TAG, plan.may_latch());
    // SAFETY: `memory` is not NULL and is aligned, and the block, which belongs to the scene, begins with
    // room for the header, apart from the tables.
    unsafe { start.write(wb_scene { tag, bytes, latch_missing, scene }) };
    Ok(memory.cast())
}

/// Copies `values` to an array of the same length, which may be uninitialised.
fn copied<'a, T: Copy + Default>(array: &'a mut [MaybeUninit<T>], values: &[T]) -> &'a [T] {
    let array = filled(array, T::default());
    array.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
    array
}

impl wb_scene {
    /// The kernel's scene.
    pub(crate) fn kernel(&self) -> &Scene<'static> {
        &self.scene
    }

    /// The kernel's scene, if it can be rendered.
    pub(crate) fn ready(&self) -> Result<&Scene<'static>, Failure> {
        if self.latch_missing {
            return Err(Failure::new(WB_LATCH_MISSING, "latch"));
        }
        Ok(&self.scene)
    }

    /// Whether `wb_scene_set_latch` must be called before the scene can be rendered.
    pub(crate) fn latch_missing(&self) -> bool {
        self.latch_missing
    }

    /// The same scene with another rule of interpolation, which its latch decided.
    pub(crate) fn latched(&self, lookup: LookupRule) -> Self {
        Self {
            tag: Self::TAG,
            bytes: self.bytes,
            latch_missing: false,
            scene: self.scene.with_lookup(lookup),
        }
    }

    /// The memory of the scene, of its structure factors and of its mask, which no output may overlap.
    pub(crate) fn regions(&self) -> Result<[Region; 3], Failure> {
        let p = self.scene.parameters();
        let grid = match p.structure_factors.grid {
            Some(grid) => Region::new(grid.data().as_ptr(), grid.data().len(), "grid")?,
            None => Region::EMPTY,
        };
        let mask = match p.mask {
            Some(mask) => Region::new(mask.as_ptr(), mask.len(), "mask")?,
            None => Region::EMPTY,
        };
        let block = Region::new((&raw const *self).cast::<u8>(), self.bytes, Self::NAME)?;
        Ok([block, grid, mask])
    }
}
