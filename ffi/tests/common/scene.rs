//! Scenes made through the C interface, with the memory that they live in.

#![allow(dead_code, reason = "compiled into each test program, none of which uses all of it")]

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use widebragg::lattice::CrystalShape;
use widebragg::rotation::PhiMode;
use widebragg_ffi::carryover::{wb_carryover, wb_carryover_fork, wb_carryover_open, wb_carryover_size};
use widebragg_ffi::enums::*;
use widebragg_ffi::grid::wb_grid;
use widebragg_ffi::latch::{wb_latch, wb_scene_find_latch, wb_scene_set_latch};
use widebragg_ffi::parameters::*;
use widebragg_ffi::render::wb_render_rows;
use widebragg_ffi::scene::*;
use widebragg_ffi::status::{WB_OK, wb_error};
use widebragg_ffi::summary::{wb_scene_summarize, wb_scene_summary};
use widebragg_tests::scene::KernelScene;

/// A piece of memory with the alignment of scenes.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

/// Aligned memory.
#[derive(Clone)]
pub struct Memory(Vec<Line>);

impl Memory {
    pub fn new(bytes: usize) -> Self {
        Self(vec![Line([0xa5; 64]); bytes.div_ceil(64)])
    }
    pub fn start(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast()
    }
    pub fn bytes(&self) -> usize {
        self.0.len() * 64
    }
    pub fn contents(&self) -> Vec<u8> {
        self.0.iter().flat_map(|line| line.0).collect()
    }
    pub fn untouched(&self) -> bool {
        self.0.iter().all(|line| line.0 == [0xa5; 64])
    }
}

/// An error record that no call has written.
pub fn no_error() -> wb_error {
    wb_error { status: 7, value: 0.0, needed: 0, quantity: [0; 64], allowed: [0; 64] }
}

/// A text of an error record.
pub fn words(text: &[core::ffi::c_char]) -> String {
    text.iter().take_while(|&&c| c != 0).map(|&c| char::from(c as u8)).collect()
}

pub fn defaults() -> wb_scene_parameters {
    let mut parameters = core::mem::MaybeUninit::uninit();
    // SAFETY: `parameters` is a local with room for the struct.
    let status = unsafe { wb_scene_defaults(parameters.as_mut_ptr(), size_of::<wb_scene_parameters>()) };
    assert_eq!(status, WB_OK);
    // SAFETY: the call above has initialised it.
    unsafe { parameters.assume_init() }
}

/// A scene and its memory.
pub struct Made {
    memory: Memory,
    pub scene: *mut wb_scene,
}

pub fn make(parameters: &wb_scene_parameters) -> Result<Made, (i32, String)> {
    let (mut bytes, mut error, mut scene) = (0, no_error(), null_mut());
    // SAFETY: all pointers are to locals, and the arrays of the parameters are as long as their counts say.
    let status = unsafe { wb_scene_size(parameters, &raw mut bytes, &raw mut error) };
    assert_eq!(status, error.status);
    if status != WB_OK {
        assert_eq!(bytes, 0);
        return Err((status, words(&error.quantity)));
    }
    let mut memory = Memory::new(bytes);
    // SAFETY: as above; the memory has the size that was asked for and lives as long as the scene.
    let status = unsafe { wb_scene_make(parameters, memory.start(), bytes, &raw mut scene, &raw mut error) };
    assert_eq!(status, WB_OK, "{}", words(&error.quantity));
    Ok(Made { memory, scene })
}

impl Made {
    pub fn summary(&self) -> wb_scene_summary {
        let mut summary = core::mem::MaybeUninit::uninit();
        // SAFETY: the scene was made, and `summary` is a local with room for the struct.
        let status =
            unsafe { wb_scene_summarize(self.scene, summary.as_mut_ptr(), size_of::<wb_scene_summary>()) };
        assert_eq!(status, WB_OK);
        // SAFETY: the call above has initialised it.
        unsafe { summary.assume_init() }
    }

    /// The scene, byte by byte in other memory.
    pub fn copied(&self) -> (Memory, *mut wb_scene) {
        let mut copy = self.memory.clone();
        let scene = copy.start().cast();
        (copy, scene)
    }

    pub fn open(&self, form: i32, streams: usize) -> Carried {
        let (mut bytes, mut carryover) = (0, null_mut());
        // SAFETY: the scene was made, and the pointer is to a local.
        let status = unsafe { wb_carryover_size(self.scene, form, streams, &raw mut bytes) };
        assert_eq!(status, WB_OK);
        let mut memory = Memory::new(bytes);
        // SAFETY: the scene was made; the memory has the size that was asked for and lives as long as the
        // carryover.
        let status = unsafe {
            wb_carryover_open(self.scene, form, streams, memory.start(), bytes, &raw mut carryover)
        };
        assert_eq!(status, WB_OK);
        Carried { memory, carryover }
    }

    /// Finds the latch with a carryover and sets it, if the scene needs one.
    pub fn latch(&self, carryover: *mut wb_carryover) -> Option<wb_latch> {
        let summary = self.summary();
        if summary.latch_missing == 0 {
            return None;
        }
        let mut latch = wb_latch { found: -1, slow: 0, fast: 0, evaluation: 0 };
        // SAFETY: scene and carryover were made, and the pointer is to a local.
        let status =
            unsafe { wb_scene_find_latch(self.scene, 0, summary.slow_pixels, carryover, &raw mut latch) };
        assert_eq!(status, WB_OK);
        // SAFETY: the scene was made, and no other thread uses it.
        assert_eq!(unsafe { wb_scene_set_latch(self.scene, &raw const latch) }, WB_OK);
        (latch.found != 0).then_some(latch)
    }

    pub fn rows(&self, first: usize, rows: usize, carryover: *mut wb_carryover) -> Result<Vec<f32>, i32> {
        let mut image = vec![f32::NAN; rows * self.summary().fast_pixels];
        // SAFETY: scene and carryover were made, and the image has the given length.
        let status =
            unsafe { wb_render_rows(self.scene, first, rows, image.as_mut_ptr(), image.len(), carryover) };
        if status == WB_OK { Ok(image) } else { Err(status) }
    }
}

/// A carryover and its memory.
pub struct Carried {
    memory: Memory,
    pub carryover: *mut wb_carryover,
}

impl Carried {
    /// The carryover, byte by byte in other memory.
    pub fn copied(&self) -> Carried {
        let mut memory = self.memory.clone();
        let carryover = memory.start().cast();
        Carried { memory, carryover }
    }

    pub fn fork(&self) -> Carried {
        let (mut memory, mut carryover) = (Memory::new(self.memory.bytes()), null_mut());
        let bytes = memory.bytes();
        // SAFETY: the carryover was made, and the memory has its size and lives as long as the copy.
        let status = unsafe { wb_carryover_fork(self.carryover, memory.start(), bytes, &raw mut carryover) };
        assert_eq!(status, WB_OK);
        Carried { memory, carryover }
    }
}

/// The sources of a scene as C has them.
pub fn sources(scene: &KernelScene) -> Vec<wb_source> {
    let source =
        |s: &widebragg::beam::Source| wb_source { incident: s.incident.to_array(), lambda_m: s.lambda_m };
    scene.sources.iter().map(source).collect()
}

/// The parameters of a scene as a program passes them that has placed detector and crystal itself.
pub fn placed(scene: &KernelScene, sources: &[wb_source]) -> wb_scene_parameters {
    let d = &scene.detector;
    let nine = |v: [widebragg::vector::Vec3; 3]| -> [f64; 9] {
        let v = v.map(widebragg::vector::Vec3::to_array);
        v.as_flattened().try_into().expect("nine")
    };
    let grid = scene.grid.as_ref().map_or(
        wb_grid { f: null(), f_len: 0, hkl_min: [0; 3], hkl_len: [0; 3], default_f: scene.default_f },
        |grid| wb_grid {
            f: grid.data.as_ptr(),
            f_len: grid.data.len(),
            hkl_min: grid.min,
            hkl_len: grid.len,
            default_f: scene.default_f,
        },
    );
    let mask = scene.mask.as_deref();
    wb_scene_parameters {
        given: WB_GIVEN_FAST
            | WB_GIVEN_SLOW
            | WB_GIVEN_NORMAL
            | WB_GIVEN_BEAM
            | WB_GIVEN_POLARIZATION
            | WB_GIVEN_SPINDLE
            | WB_GIVEN_CLOSE_DISTANCE
            | WB_GIVEN_AXES
            | WB_GIVEN_ROI,
        convention: WB_PLACED,
        fast_pixels: d.fast_pixels,
        slow_pixels: d.slow_pixels,
        pixel_m: d.pixel_m,
        distance_m: d.distance_m,
        close_distance_m: d.close_distance_m,
        fast_axis: d.fast.to_array(),
        slow_axis: d.slow.to_array(),
        normal_axis: d.normal.to_array(),
        beam_axis: d.beam.to_array(),
        polarization_axis: d.polarization.to_array(),
        spindle_axis: d.spindle.to_array(),
        pix0_m: d.pix0_m.to_array(),
        point_pixel: i32::from(d.point_pixel),
        curved: i32::from(d.curved),
        sensor_layers: scene.sensor.layers,
        sensor_layer_m: scene.sensor.layer_m,
        attenuation_per_m: scene.sensor.attenuation_per_m,
        direct_m: nine([scene.cell.a_m, scene.cell.b_m, scene.cell.c_m]),
        reciprocal_per_angstrom: nine(scene.crystallite.reciprocal_per_angstrom),
        cells: scene.crystallite.cells,
        fudge: scene.crystallite.fudge,
        shape: match scene.crystallite.shape {
            CrystalShape::Square => WB_SQUARE,
            CrystalShape::Round => WB_ROUND,
            CrystalShape::Gauss => WB_GAUSS,
            CrystalShape::Tophat => WB_TOPHAT,
        },
        mode: if scene.sweep.mode == PhiMode::Spec { WB_SPEC } else { WB_CPARITY },
        phi0_rad: scene.sweep.phi0_rad,
        phi_step_rad: scene.sweep.step_rad,
        phi_steps: scene.sweep.count,
        domains: scene.domains.as_ptr().cast(),
        domain_count: scene.domains.len(),
        sources: sources.as_ptr(),
        source_count: sources.len(),
        source_weights: scene.source_weights.as_ref().map_or(null(), |weights| weights.as_ptr()),
        kahn: scene.polarization.map_or(0.0, |p| p.kahn),
        polarized: i32::from(scene.polarization.is_some()),
        fluence_per_m2: scene.fluence_per_m2,
        water_m: scene.water_m,
        d_min_m: scene.d_min_m,
        oversample: scene.oversample.per_axis,
        oversample_thick: i32::from(scene.oversample.thick),
        oversample_polar: i32::from(scene.oversample.polar),
        oversample_omega: i32::from(scene.oversample.omega),
        roi_fast_min: scene.roi.fast_min,
        roi_fast_max: scene.roi.fast_max,
        roi_slow_min: scene.roi.slow_min,
        roi_slow_max: scene.roi.slow_max,
        mask: mask.map_or(null(), <[u16]>::as_ptr),
        mask_len: mask.map_or(0, <[u16]>::len),
        grid,
        interpolation: if scene.interpolate { WB_INTERPOLATE_ALWAYS } else { WB_INTERPOLATE_NEVER },
        ..defaults()
    }
}
