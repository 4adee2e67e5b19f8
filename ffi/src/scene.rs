//! Scenes in the caller's memory: a header, then tables, or the tables of the same scene on another panel. Structure factors and mask stay where the caller has
//! them.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use widebragg::beam::Source;
use widebragg::detector::Detector;
use widebragg::panel::Panel;
use widebragg::render::Scene;
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode};
use widebragg::scene::{Roi, SceneParameters, SceneTables, TablesLen};
use widebragg::structure_factor::{LookupRule, Nodes};

use crate::block::{Array, Header, Layout, block};
use crate::memory::{Output, Region, disjoint, filled};
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
    /// The address of this header: `scene` points to the tables of its block.
    made_at: usize,
    /// The block that the tables of the scene are in; empty: its own.
    tables: Region,
    /// Whether `wb_scene_set_latch` must be called before the scene can be rendered.
    latch_missing: bool,
    /// The detector that the scene's panel is.
    detector: Detector,
    scene: Scene<'static>,
}

// SAFETY: `wb_scene` is `repr(C)` with an alignment of 64, and its first field is a `u64`, which `build` and
// `latched` set to TAG. Nothing else makes one.
unsafe impl Header for wb_scene {
    const TAG: u64 = 0x7762_7363_656e_6532;
    const NAME: &'static str = "scene";

    fn made_at(&self) -> Option<usize> {
        Some(self.made_at)
    }
}

/// The tables of a block.
struct Tables {
    sources: Array<Source>,
    source_weights: Array<f64>,
    source_grids: Array<u32>,
    domains: Array<Mat3>,
    orientations: Array<Orientation>,
    /// The size of the block.
    bytes: usize,
}

impl Tables {
    fn new(len: TablesLen) -> Result<Self, Failure> {
        let arrange = || {
            let mut layout = Layout::of::<wb_scene>();
            Some(Self {
                sources: layout.array(len.sources)?,
                source_weights: layout.array(len.source_weights)?,
                source_grids: layout.array(len.source_grids)?,
                domains: layout.array(len.domains)?,
                orientations: layout.array(len.orientations)?,
                bytes: layout.bytes()?,
            })
        };
        arrange().ok_or(Failure::new(WB_TOO_LARGE, wb_scene::NAME))
    }
}

/// The kernel's parameters, checked, and the tables that they need, for a call that writes `written`.
///
/// # Safety
/// `parameters` is NULL or points to an initialised struct that begins with its size in bytes and whose
/// pointers meet the requirements of [`wb_scene_parameters`]. No thread writes the struct during the call,
/// nor the arrays for as long as the result, or a scene made from it, is used: a scene uses structure factors
/// and mask only.
unsafe fn checked(
    parameters: *const wb_scene_parameters,
    written: &[Region],
) -> Result<(SceneParameters<'static>, Tables), Failure> {
    disjoint(written, &[Region::new(parameters, 1, "parameters")?])?;
    // SAFETY: the caller guarantees that `parameters` points to an initialised struct of the size in its
    // first field, which no thread writes.
    let parameters = unsafe { wb_scene_parameters::read(parameters) }?;
    disjoint(written, &parameters.regions()?)?;
    // SAFETY: the caller guarantees that the arrays are as long as their counts say, initialised, and not
    // written for as long as the result is used.
    let parameters = unsafe { parameters.kernel_parameters() }?;
    parameters.check()?;
    let tables = Tables::new(parameters.tables_len()?)?;
    Ok((parameters, tables))
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
        // SAFETY: this function requires of `parameters` what `checked` requires; the result does not outlive
        // the call.
        let (_, tables) = unsafe { checked(parameters, &written) }?;
        // SAFETY: `bytes` is not NULL, so the caller guarantees room for a `usize` there, which no other
        // thread accesses; neither an input nor the record overlaps it.
        unsafe { bytes.write(tables.bytes) };
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
        // SAFETY: this function requires of `parameters` what `checked` requires: the result does not outlive
        // the call, and structure factors and mask are not written for as long as the scene exists.
        let (parameters, tables) = unsafe { checked(parameters, &written) }?;
        if bytes < tables.bytes {
            return Err(Failure::length("memory", tables.bytes, bytes));
        }
        // SAFETY: `memory` is aligned to WB_ALIGNMENT, as `block` found, and has room for the tables. The
        // caller guarantees that the memory exists and belongs to the scene; neither an input nor another
        // output overlaps it.
        let made = unsafe { build(&parameters, &tables, memory.cast()) }?;
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
/// `memory` is aligned to `WB_ALIGNMENT` and points to room for `tables.bytes` bytes, which belong to the
/// scene: nothing writes its tables for as long as it exists.
unsafe fn build(
    parameters: &SceneParameters<'static>,
    tables: &Tables,
    memory: *mut u8,
) -> Result<*mut wb_scene, Failure> {
    // SAFETY: `memory` is aligned and has room for these tables, as the caller guarantees. They belong to the
    // scene, so the slice is valid for as long as the scene exists, and lies apart from the other tables.
    let sources: &mut [MaybeUninit<Source>] = unsafe { tables.sources.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let source_weights = unsafe { tables.source_weights.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let source_grids = unsafe { tables.source_grids.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let domains = unsafe { tables.domains.uninit(memory) };
    // SAFETY: as for `sources`, with another table of the same block.
    let orientations = unsafe { tables.orientations.uninit(memory) };
    let detector = parameters.detector.placed(parameters.mode)?;
    let scene = parameters.fill(SceneTables {
        sources: filled(sources, Source::default()),
        source_weights: filled(source_weights, 0.0),
        source_grids: filled(source_grids, 0),
        domains: filled(domains, IDENTITY),
        orientations: filled(orientations, Orientation::default()),
    })?;
    let start = Output::one(memory.cast::<wb_scene>(), "memory")?;
    let (tag, bytes, made_at) = (wb_scene::TAG, tables.bytes, memory.addr());
    let latch_missing = may_latch(&scene);
    // SAFETY: `memory` is not NULL and is aligned, and the block, which belongs to the scene, begins with
    // room for the header, apart from the tables.
    unsafe {
        start.write(wb_scene { tag, bytes, made_at, tables: Region::EMPTY, latch_missing, detector, scene })
    };
    Ok(memory.cast())
}

/// The header of `scene` on another panel, to be written at the address `made_at`. It uses the tables of `scene`.
pub(crate) fn on_panel(
    scene: &wb_scene,
    panel: Panel,
    roi: Roi,
    mask: Option<&'static [u16]>,
    made_at: usize,
) -> Result<wb_scene, Failure> {
    let kernel = scene.scene.on_panel(panel, roi, mask)?;
    let Detector { beam, twotheta_axis, normal_use, .. } = scene.detector;
    // Where the beam meets the plane of the panel; it may not.
    let distance_m =
        panel.bend.map_or(panel.pix0_m.dot(panel.normal) / beam.dot(panel.normal), |bend| bend.radius_m);
    let placed = panel.detector(distance_m, &scene.detector.frame());
    let detector = Detector { twotheta_axis, normal_use, ..placed };
    Ok(wb_scene {
        tag: wb_scene::TAG,
        bytes: size_of::<wb_scene>(),
        made_at,
        tables: scene.tables_region()?,
        latch_missing: may_latch(&kernel),
        detector,
        scene: kernel,
    })
}

/// Whether the reference might stop interpolating in this scene.
pub(crate) fn may_latch(scene: &Scene<'_>) -> bool {
    let factors = scene.parts().structure_factors;
    scene.orientations().sweep().mode == PhiMode::CParity
        && factors.grid.is_some()
        && factors.lookup != LookupRule::Nearest
}
impl wb_scene {
    /// The detector.
    pub(crate) fn detector(&self) -> &Detector {
        &self.detector
    }

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
            made_at: self.made_at,
            tables: self.tables,
            latch_missing: false,
            detector: self.detector,
            scene: self.scene.with_lookup(lookup),
        }
    }

    /// The memory that the tables of the scene are in.
    fn tables_region(&self) -> Result<Region, Failure> {
        if self.tables.is_empty() { self.block() } else { Ok(self.tables) }
    }

    fn block(&self) -> Result<Region, Failure> {
        Region::new((&raw const *self).cast::<u8>(), self.bytes, Self::NAME)
    }

    /// The memory of the scene, of its tables, of its structure factors and of its mask, which no output may overlap.
    pub(crate) fn regions(&self) -> Result<[Region; 4], Failure> {
        let p = self.scene.parts();
        let grid = match p.structure_factors.grid {
            Some(grid) => match grid.nodes() {
                Nodes::F64(values) => Region::new(values.as_ptr(), values.len(), "grid")?,
                Nodes::F32(values) => Region::new(values.as_ptr(), values.len(), "grid")?,
            },
            None => Region::EMPTY,
        };
        let mask = match p.mask {
            Some(mask) => Region::new(mask.as_ptr(), mask.len(), "mask")?,
            None => Region::EMPTY,
        };
        Ok([self.block()?, self.tables, grid, mask])
    }
}
