//! Derivatives of the orientations of a scene ("turns"), in the caller's memory: a header, then the tables of
//! [`OrientationDerivatives`].

use core::ffi::c_void;
use core::mem::MaybeUninit;

use widebragg::gradient::{
    OrientationDerivativeBuffers, OrientationDerivatives, Wanted, fill_orientation_derivatives,
};
use widebragg::render::Scene;
use widebragg::rotation::{IDENTITY, Mat3, Orientation};

use crate::block::{Array, Header, Layout, block, header};
use crate::memory::{Output, Region, disjoint, filled};
use crate::scene::wb_scene;
use crate::status::{Failure, WB_OTHER_SCENE, WB_TOO_LARGE, status};
use crate::variables::{
    WB_WANT_ALL, WB_WANT_CELL, WB_WANT_CELLS, WB_WANT_DEFAULT_F, WB_WANT_DETECTOR, WB_WANT_MOSAIC,
    WB_WANT_PHI, WB_WANT_WAVELENGTH,
};

/// The derivatives of the orientations of a scene; opaque to C.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct wb_turns {
    tag: u64,
    /// The size of the block that starts with this header.
    bytes: usize,
    /// The address of this header: `table` points to the tables of its block.
    made_at: usize,
    /// The `WB_WANT_` bits that they were made for.
    wanted: u64,
    table: OrientationDerivatives<'static>,
}

// SAFETY: `wb_turns` is `repr(C)` with an alignment of 64, and its first field is a `u64`, which `build` sets
// to TAG. Nothing else makes one.
unsafe impl Header for wb_turns {
    const TAG: u64 = 0x7762_7475_726e_7332;
    const NAME: &'static str = "turns";

    fn made_at(&self) -> Option<usize> {
        Some(self.made_at)
    }
}

/// The tables of a block.
struct Tables {
    rotations: Array<Mat3>,
    by_phi0: Array<Orientation>,
    by_step: Array<Orientation>,
    by_mosaic: Array<Orientation>,
    /// The size of the block.
    bytes: usize,
}

impl Tables {
    fn new(scene: &Scene<'_>, wanted: u64) -> Result<Self, Failure> {
        if wanted & !WB_WANT_ALL != 0 {
            return Err(Failure::range("wanted", wanted as f64, "WB_WANT_ bits"));
        }
        let entries = scene.orientations().entries().len();
        let count = |bit: u64| if wanted & bit != 0 { entries } else { 0 };
        let [phi, mosaic] = [WB_WANT_PHI, WB_WANT_MOSAIC].map(count);
        let arrange = || {
            let mut layout = Layout::of::<wb_turns>();
            Some(Self {
                rotations: layout.array(entries)?,
                by_phi0: layout.array(phi)?,
                by_step: layout.array(phi)?,
                by_mosaic: layout.array(mosaic)?,
                bytes: layout.bytes()?,
            })
        };
        arrange().ok_or(Failure::new(WB_TOO_LARGE, wb_turns::NAME))
    }
}

/// Sets `bytes` to the size of the memory that [`wb_turns_make`] needs.
///
/// # Safety
/// * `scene` is NULL or a scene made by `wb_scene_make`, which no thread writes during the call.
/// * `bytes` is NULL or points to room for a `usize`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_turns_size(scene: *const wb_scene, wanted: u64, bytes: *mut usize) -> i32 {
    let ask = || {
        let bytes = Output::one(bytes, "bytes")?;
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        disjoint(&[bytes.region()], &scene.regions()?)?;
        let needed = Tables::new(scene.kernel(), wanted)?.bytes;
        // SAFETY: `bytes` is not NULL, so the caller guarantees room for a `usize` there, which no other
        // thread accesses; the scene does not overlap it.
        unsafe { bytes.write(needed) };
        Ok(())
    };
    status(ask())
}

/// Computes the derivatives of the orientations of the scene that `wanted` needs, in `memory`, which has
/// `bytes` bytes and is aligned to `WB_ALIGNMENT`.
///
/// # Safety
/// * `scene` is NULL or a scene made by `wb_scene_make`, which no thread writes during the call.
/// * `memory` is NULL or points to room for `bytes` bytes. They belong to the turns from then on: until the
///   caller uses them for something else, nothing writes them.
/// * `turns` is NULL or points to room for a pointer, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_turns_make(
    scene: *const wb_scene,
    wanted: u64,
    memory: *mut c_void,
    bytes: usize,
    turns: *mut *mut wb_turns,
) -> i32 {
    let make = || {
        let handle = Output::one(turns, "turns")?;
        let written = [handle.region(), block(memory, bytes)?.region()];
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        disjoint(&written, &scene.regions()?)?;
        let tables = Tables::new(scene.kernel(), wanted)?;
        if bytes < tables.bytes {
            return Err(Failure::length("memory", tables.bytes, bytes));
        }
        // SAFETY: `memory` is aligned to WB_ALIGNMENT, as `block` found, and has room for the tables. The
        // caller guarantees that the memory exists and belongs to the turns; neither scene nor handle
        // overlaps it.
        let made = unsafe { build(scene.kernel(), wanted, &tables, memory.cast()) }?;
        // SAFETY: `handle` is not NULL, so the caller guarantees room for a pointer there, which no other
        // thread accesses; neither scene nor block overlaps it.
        unsafe { handle.write(made) };
        Ok(())
    };
    status(make())
}

/// Fills the tables and writes the header.
///
/// # Safety
/// `memory` is aligned to `WB_ALIGNMENT` and points to room for `tables.bytes` bytes, which belong to the
/// turns: nothing writes them for as long as the turns exist.
unsafe fn build(
    scene: &Scene<'_>,
    wanted: u64,
    tables: &Tables,
    memory: *mut u8,
) -> Result<*mut wb_turns, Failure> {
    // SAFETY: `memory` is aligned and has room for these tables, as the caller guarantees. They belong to the
    // turns, so the slice is valid for as long as the turns exist, and lies apart from the other tables.
    let rotations: &mut [MaybeUninit<Mat3>] = unsafe { tables.rotations.uninit(memory) };
    // SAFETY: as for `rotations`, with another table of the same block.
    let by_phi0 = unsafe { tables.by_phi0.uninit(memory) };
    // SAFETY: as for `rotations`, with another table of the same block.
    let by_step = unsafe { tables.by_step.uninit(memory) };
    // SAFETY: as for `rotations`, with another table of the same block.
    let by_mosaic = unsafe { tables.by_mosaic.uninit(memory) };
    let empty = Orientation::default();
    let buffers = OrientationDerivativeBuffers {
        rotations: filled(rotations, IDENTITY),
        by_phi0: filled(by_phi0, empty),
        by_step: filled(by_step, empty),
        by_mosaic: filled(by_mosaic, empty),
    };
    let table = fill_orientation_derivatives(scene.orientations(), buffers)?;
    let start = Output::one(memory.cast::<wb_turns>(), "memory")?;
    let (tag, bytes, made_at) = (wb_turns::TAG, tables.bytes, memory.addr());
    // SAFETY: `memory` is not NULL and is aligned, and the block, which belongs to the turns, begins with
    // room for the header, apart from the tables.
    unsafe { start.write(wb_turns { tag, bytes, made_at, wanted, table }) };
    Ok(memory.cast())
}

impl wb_turns {
    /// The kernel's table.
    pub(crate) fn table(&self) -> &OrientationDerivatives<'static> {
        &self.table
    }

    /// The `WB_WANT_` bits that the turns were made for.
    pub(crate) fn wanted(&self) -> u64 {
        self.wanted
    }

    /// The derivatives that the turns were made for, as the kernel names them.
    pub(crate) fn kernel_wanted(&self) -> Wanted {
        let wants = |bit: u64| self.wanted & bit != 0;
        Wanted {
            cell: wants(WB_WANT_CELL),
            reciprocal: wants(WB_WANT_CELL),
            detector: wants(WB_WANT_DETECTOR),
            wavelength: wants(WB_WANT_WAVELENGTH),
            default_f: wants(WB_WANT_DEFAULT_F),
            cells: wants(WB_WANT_CELLS),
        }
    }

    /// Rejects outputs that overlap the scene, these turns or `read`, and turns of another scene.
    pub(crate) fn check(&self, scene: &wb_scene, written: &[Region], read: Region) -> Result<(), Failure> {
        let itself = Region::new((&raw const *self).cast::<u8>(), self.bytes, Self::NAME)?;
        disjoint(written, &scene.regions()?)?;
        disjoint(written, &[itself, read])?;
        if self.table.is_of(scene.kernel().orientations()) {
            Ok(())
        } else {
            Err(Failure::new(WB_OTHER_SCENE, Self::NAME))
        }
    }
}
