//! The calls that make a scene and use it. The memory of scenes and carryovers is separate from the arena.
//! Some outputs point into it, and these calls must fail.

use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::{null, null_mut};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use widebragg_ffi::carryover::*;
use widebragg_ffi::grid::wb_grid;
use widebragg_ffi::latch::{wb_latch, wb_scene_find_latch, wb_scene_set_latch};
use widebragg_ffi::parameters::*;
use widebragg_ffi::render::*;
use widebragg_ffi::scene::*;
use widebragg_ffi::sources::{wb_source_grid, wb_sources_fill, wb_sources_len};
use widebragg_ffi::status::{WB_NOT_MADE, WB_OK, WB_OVERLAP, wb_error};
use widebragg_ffi::summary::{wb_scene_summarize, wb_scene_summary};

use crate::arena::{Given, Memory, Place, call};

/// The largest memory of a scene or carryover, and the most steps of an image that is rendered.
const MOST_BYTES: usize = 1 << 20;
const MOST_STEPS: f64 = 20_000.0;

/// The numbers of a scene, within physical ranges except for a few.
#[derive(Debug, Arbitrary)]
pub struct SceneInput {
    knobs: [u8; 24],
    wild: [Option<(u8, f64)>; 3],
    given: u64,
    enums: [u8; 7],
    wild_enum: Option<(u8, i32)>,
    pixels: [u8; 2],
    counts: [u8; 3],
    huge_phi_steps: Option<u64>,
    roi: [u8; 4],
    min: [i8; 3],
    len: [u8; 3],
    mask: Place,
    f: Place,
    sources: Place,
    domains: Place,
    size: Option<u16>,
}

/// A call that needs the scene.
#[derive(Debug, Arbitrary)]
pub enum StageCall {
    Sources { grid: [u8; 3], steps: [f64; 6], itself: Place, sources: Place, used: Place },
    Summary { out: Place, size: Option<u8> },
    Open { form: i8, streams: u64 },
    Slots { out: Place, slot: Place, i: u8 },
    UseAt { slow: u8, fast: u8, out: Place },
    Fork,
    Latch { first: u8, rows: u64, out: Place, set: bool },
    Rows { first: u64, rows: u8, image: Place, report: Place, kind: u8, carried: bool },
    Pixel { slow: u8, fast: u8, out: Place, carried: bool },
    Into { kind: u8, at: u16 },
}

/// A scene and a carryover, if they could be made.
pub struct Stage {
    parameters: wb_scene_parameters,
    /// Structure factors and mask, which must not change.
    _tables: Memory,
    scene: Option<(Memory, *mut wb_scene)>,
    carryover: Option<(Memory, *mut wb_carryover)>,
}

fn no_error() -> wb_error {
    wb_error { status: 7, value: 0.0, needed: 0, quantity: [0; 64], allowed: [0; 64] }
}

fn defaults() -> wb_scene_parameters {
    let mut parameters = MaybeUninit::uninit();
    // SAFETY: `parameters` is a local with room for the struct.
    let status = unsafe { wb_scene_defaults(parameters.as_mut_ptr(), size_of::<wb_scene_parameters>()) };
    assert_eq!(status, WB_OK);
    // SAFETY: the call above has initialised it.
    unsafe { parameters.assume_init() }
}

impl SceneInput {
    fn knob(&self, i: usize, low: f64, high: f64) -> f64 {
        let within = low + (high - low) * f64::from(self.knobs[i]) / 255.0;
        if self.knobs[i] == 0 && low <= 0.0 { 0.0 } else { within }
    }

    fn parameters(&self, memory: &mut Memory, tables: &mut Memory) -> wb_scene_parameters {
        let knob = |i, low, high| self.knob(i, low, high);
        let (mask, f): (Given<u16>, Given<f64>) = (tables.at(self.mask), tables.at(self.f));
        let (sources, domains): (Given<wb_source>, Given<[f64; 9]>) =
            (memory.at(self.sources), memory.at(self.domains));
        fill(&sources, &domains);
        let [convention, shape, mode, precision, interpolation, simd, flags] = self.enums;
        let mut p = wb_scene_parameters {
            given: self.given | if self.given & 0x1_c000 == 0 { WB_GIVEN_CELL } else { 0 },
            convention: (convention % 7).into(),
            pivot: (flags & 1).into(),
            fast_pixels: (self.pixels[0] % 20).into(),
            slow_pixels: (self.pixels[1] % 4).into(),
            pixel_m: knob(0, 1e-4, 5e-3),
            fast_size_m: 0.01,
            slow_size_m: 0.002,
            distance_m: knob(1, 0.05, 0.3),
            close_distance_m: knob(2, 0.05, 0.3),
            x_beam_m: knob(3, -0.1, 0.1),
            rotation_rad: [knob(4, -0.3, 0.3), knob(5, -0.3, 0.3), 0.0],
            twotheta_rad: knob(6, -0.5, 0.5),
            fast_axis: [0.0, 0.0, 1.0],
            slow_axis: [0.0, -1.0, knob(7, 0.0, 0.1)],
            normal_axis: [1.0, 0.0, 0.0],
            beam_axis: [1.0, knob(8, 0.0, 0.1), 0.0],
            polarization_axis: [0.0, 0.0, 1.0],
            spindle_axis: [0.0, 0.0, 1.0],
            twotheta_axis: [0.0, 1.0, 0.0],
            pix0_m: [0.1, 0.01, -0.01],
            curved: (flags >> 1 & 1).into(),
            point_pixel: (flags >> 2 & 1).into(),
            sensor_layers: (flags >> 3 & 1) as usize + 1,
            sensor_layer_m: knob(9, 0.0, 1e-3),
            attenuation_per_m: knob(10, 0.0, 1e4),
            cell_angstrom: [knob(11, 15.0, 60.0), knob(12, 15.0, 60.0), 40.0],
            cell_angles_rad: [knob(13, 1.2, 1.7), 1.57, knob(14, 1.2, 1.7)],
            matrix: [knob(15, 0.0, 0.03), 0.001, 0.002, 0.0, 0.02, 0.003, 0.001, 0.0, knob(16, 0.0, 0.03)],
            misset_rad: [0.1, knob(17, -3.0, 3.0), 0.2],
            direct_m: [4e-9, 0.0, 0.0, 0.0, knob(18, 2e-9, 6e-9), 0.0, 0.0, 0.0, 5e-9],
            reciprocal_per_angstrom: [0.025, 0.0, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 0.02],
            cells: [0, 1, 2].map(|i| knob(19 + i, 1.0, 12.0).round()),
            fudge: knob(22, 0.3, 2.0),
            shape: (shape % 4).into(),
            mode: (mode % 2).into(),
            phi0_rad: if mode & 2 == 0 { 0.0 } else { knob(23, -1.0, 1.0) },
            phi_step_rad: knob(23, -0.02, 0.02),
            phi_steps: self.huge_phi_steps.map_or(usize::from(self.counts[0] % 4), |n| n as usize),
            domains: domains.start.cast(),
            domain_count: domains.len,
            sources: sources.start,
            source_count: sources.len,
            polarized: (flags >> 4 & 1).into(),
            simd: (simd % 4).into(),
            water_m: knob(9, 0.0, 1e-4),
            d_min_m: knob(10, 0.0, 3e-10),
            oversample: (self.counts[1] % 3).into(),
            oversample_thick: (flags >> 5 & 1).into(),
            oversample_polar: (flags >> 6 & 1).into(),
            oversample_omega: (flags >> 7 & 1).into(),
            precision: (precision % 2).into(),
            roi_fast_min: (self.roi[0] % 16).into(),
            roi_fast_max: (self.roi[1] % 20).into(),
            roi_slow_min: (self.roi[2] % 3).into(),
            roi_slow_max: (self.roi[3] % 4).into(),
            mask: mask.start,
            mask_len: mask.len,
            grid: wb_grid {
                f: f.start,
                f_len: f.len,
                hkl_min: self.min.map(i32::from),
                hkl_len: self.len.map(|n| usize::from(n % 8)),
                default_f: 50.0,
            },
            interpolation: (interpolation % 3).into(),
            ..defaults()
        };
        self.spoil(&mut p);
        p.size = self.size.map_or(p.size, usize::from);
        p
    }

    /// Sets some fields to arbitrary values.
    fn spoil(&self, p: &mut wb_scene_parameters) {
        for &(field, value) in self.wild.iter().flatten() {
            let fields = [
                &mut p.pixel_m,
                &mut p.fast_size_m,
                &mut p.distance_m,
                &mut p.close_distance_m,
                &mut p.y_beam_m,
                &mut p.x_close_m,
                &mut p.org_x_px,
                &mut p.twotheta_rad,
                &mut p.fast_axis[1],
                &mut p.normal_axis[0],
                &mut p.beam_axis[2],
                &mut p.pix0_m[1],
                &mut p.sensor_layer_m,
                &mut p.attenuation_per_m,
                &mut p.lambda0_m,
                &mut p.cell_angstrom[2],
                &mut p.cell_angles_rad[1],
                &mut p.matrix[4],
                &mut p.misset_rad[0],
                &mut p.direct_m[8],
                &mut p.reciprocal_per_angstrom[4],
                &mut p.cells[0],
                &mut p.fudge,
                &mut p.phi0_rad,
                &mut p.phi_step_rad,
                &mut p.kahn,
                &mut p.fluence_per_m2,
                &mut p.water_m,
                &mut p.d_min_m,
                &mut p.grid.default_f,
            ];
            let count = fields.len();
            if let Some(field) = fields.into_iter().nth(usize::from(field) % count) {
                *field = value;
            }
        }
        if let Some((field, value)) = self.wild_enum {
            let fields = [
                &mut p.convention,
                &mut p.shape,
                &mut p.mode,
                &mut p.precision,
                &mut p.interpolation,
                &mut p.simd,
            ];
            if let Some(field) = fields.into_iter().nth(usize::from(field) % 6) {
                *field = value;
            }
        }
    }
}

/// Fills the arrays with sources and rotations, which arbitrary bytes seldom are.
fn fill(sources: &Given<wb_source>, domains: &Given<[f64; 9]>) {
    for i in 0..sources.count() {
        let source = wb_source { incident: [1.0, 0.0, 0.0], lambda_m: 1e-10 * (1.0 + i as f64 / 99.0) };
        // SAFETY: `sources` has room for `count` elements, and `i` is one of them.
        unsafe { sources.start.wrapping_add(i).write(source) };
    }
    for i in 0..domains.count() {
        // SAFETY: `domains` has room for `count` elements, and `i` is one of them.
        unsafe { domains.start.wrapping_add(i).write([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]) };
    }
}

impl Stage {
    /// Makes the scene if its numbers are valid.
    pub fn new(input: &SceneInput, numbers: &[f64], memory: &mut Memory) -> Self {
        let numbers: Vec<f64> = numbers.iter().map(|f| if f.is_finite() { *f } else { 3.0 }).collect();
        let mut tables = Memory::new(4096, &numbers);
        let parameters = input.parameters(memory, &mut tables);
        let scene = make(&parameters);
        Self { parameters, _tables: tables, scene, carryover: None }
    }

    /// Makes a call.
    pub fn call(&mut self, next: StageCall, memory: &mut Memory) {
        if let StageCall::Sources { grid, steps, itself, sources, used } = next {
            return self.sources(memory, grid, steps, itself, [sources, used]);
        }
        let Some((_, scene)) = self.scene else { return not_made(memory) };
        let carryover = self.carryover.as_ref().map_or(null_mut(), |(_, carryover)| *carryover);
        match next {
            StageCall::Sources { .. } => {}
            StageCall::Summary { out, size } => {
                let out: Given<wb_scene_summary> = memory.one(out);
                let size = size.map_or(size_of::<wb_scene_summary>(), usize::from);
                call(memory, &[out.bytes.clone()], &[], || {
                    // SAFETY: the scene was made, and `out` is NULL, misaligned, or has room for a summary.
                    unsafe { wb_scene_summarize(scene, out.start, size) }
                });
            }
            StageCall::Open { form, streams } => self.open(form.into(), streams as usize),
            StageCall::Slots { out, slot, i } => {
                if carryover.is_null() {
                    return;
                }
                let out: Given<usize> = memory.one(out);
                // SAFETY: the carryover was made, and `out` is NULL, misaligned, or has room for a number.
                call(memory, &[out.bytes.clone()], &[], || unsafe {
                    wb_carryover_slots(carryover, out.start)
                });
                let slot: Given<wb_carryover_slot> = memory.one(slot);
                call(memory, &[slot.bytes.clone()], &[], || {
                    // SAFETY: the carryover was made, and `slot` is NULL, misaligned, or has room for one.
                    unsafe { wb_carryover_read(carryover, i.into(), slot.start) }
                });
            }
            StageCall::UseAt { slow, fast, out } => {
                let out: Given<wb_carryover_use> = memory.one(out);
                call(memory, &[out.bytes.clone()], &[], || {
                    // SAFETY: scene and carryover were made, or the carryover is NULL; `out` is NULL,
                    // misaligned, or has room for one.
                    unsafe { wb_carryover_use_at(carryover, scene, slow.into(), fast.into(), out.start) }
                });
            }
            StageCall::Fork => self.fork(carryover),
            StageCall::Latch { first, rows, out, set } => {
                if self.steps() > MOST_STEPS {
                    return;
                }
                let out: Given<wb_latch> = memory.one(out);
                let found = call(memory, &[out.bytes.clone()], &[], || {
                    // SAFETY: scene and carryover were made, or the carryover is NULL; `out` is NULL,
                    // misaligned, or has room for one.
                    unsafe { wb_scene_find_latch(scene, first.into(), rows as usize, carryover, out.start) }
                });
                if found && set {
                    // SAFETY: the call above has set `out`, and no other thread uses the scene.
                    unsafe { wb_scene_set_latch(scene, out.start) };
                }
            }
            StageCall::Rows { first, rows, image, report, kind, carried } => {
                let carryover = if carried { carryover } else { null_mut() };
                self.rows(memory, [first as usize, rows.into()], [image, report], kind, carryover);
            }
            StageCall::Pixel { slow, fast, out, carried } => {
                if self.steps() > MOST_STEPS {
                    return;
                }
                let carryover = if carried { carryover } else { null_mut() };
                let out: Given<f64> = memory.one(out);
                call(memory, &[out.bytes.clone()], &[], || {
                    // SAFETY: scene and carryover were made, or the carryover is NULL; `out` is NULL,
                    // misaligned, or has room for a number.
                    unsafe { wb_render_pixel(scene, slow.into(), fast.into(), out.start, carryover) }
                });
            }
            StageCall::Into { kind, at } => self.into_own_memory(kind, at.into()),
        }
    }

    fn sources(
        &self,
        memory: &mut Memory,
        counts: [u8; 3],
        steps: [f64; 6],
        itself: Place,
        [sources, used]: [Place; 2],
    ) {
        let itself: Given<wb_source_grid> = memory.one(itself);
        if itself.bytes.is_some() {
            let [hdiv_count, vdiv_count, dispersion_count] = counts.map(|count| usize::from(count % 6));
            let [a, b, c, d, dispersion_range, dispersion_step] = steps;
            let grid = wb_source_grid {
                hdiv_count,
                hdiv_range_rad: a,
                hdiv_step_rad: b,
                vdiv_count,
                vdiv_range_rad: c,
                vdiv_step_rad: d,
                dispersion_count,
                dispersion_range,
                dispersion_step,
                round: i32::from(counts[0] > 127),
            };
            // SAFETY: `itself` has room for one: its bytes are known.
            unsafe { itself.start.write(grid) };
        }
        let used: Given<usize> = memory.one(used);
        call(memory, &[used.bytes.clone()], &[itself.bytes.clone()], || {
            // SAFETY: `itself` and `used` are NULL, misaligned, or have room for one each.
            unsafe { wb_sources_len(itself.start, used.start) }
        });
        let sources: Given<wb_source> = memory.at(sources);
        let outputs = [sources.bytes.clone(), used.bytes.clone()];
        if itself.bytes.is_some() {
            call(memory, &outputs, &[itself.bytes.clone()], || {
                let p = &raw const self.parameters;
                // SAFETY: as above; `sources` is NULL, misaligned, or has room for `len`, or `len` is
                // rejected.
                unsafe { wb_sources_fill(p, itself.start, sources.start, sources.len, used.start) }
            });
        }
    }

    fn summary(&self) -> wb_scene_summary {
        let mut summary = MaybeUninit::uninit();
        let scene = self.scene.as_ref().map_or(null(), |(_, scene)| scene.cast_const());
        // SAFETY: the scene was made, and `summary` is a local with room for one.
        let status =
            unsafe { wb_scene_summarize(scene, summary.as_mut_ptr(), size_of::<wb_scene_summary>()) };
        assert_eq!(status, WB_OK);
        // SAFETY: the call above has initialised it.
        unsafe { summary.assume_init() }
    }

    /// The number of innermost steps of the image.
    fn steps(&self) -> f64 {
        let summary = self.summary();
        summary.steps
            * self.parameters.sensor_layers as f64
            * (summary.fast_pixels * summary.slow_pixels) as f64
    }

    fn open(&mut self, form: i32, streams: usize) {
        let Some((_, scene)) = self.scene else { return };
        let mut bytes = 0;
        // SAFETY: the scene was made, and `bytes` is a local.
        let status = unsafe { wb_carryover_size(scene, form, streams, &raw mut bytes) };
        if status != WB_OK || bytes > MOST_BYTES {
            return;
        }
        let (mut memory, mut carryover) = (Memory::new(bytes, &[7.0]), null_mut());
        // SAFETY: the scene was made; the memory has the size that was asked for and lives as long as the
        // carryover.
        let status = unsafe {
            wb_carryover_open(scene, form, streams, memory.start().cast(), bytes, &raw mut carryover)
        };
        assert_eq!(status, WB_OK, "a size was given, and yet it cannot be opened");
        self.carryover = Some((memory, carryover));
    }

    fn fork(&mut self, carryover: *mut wb_carryover) {
        let Some((original, _)) = &self.carryover else { return };
        let (mut memory, mut fork) = (Memory::new(original.bytes(), &[7.0]), null_mut());
        let bytes = memory.bytes();
        // SAFETY: the carryover was made; the memory has its size and lives as long as the copy.
        let status = unsafe { wb_carryover_fork(carryover, memory.start().cast(), bytes, &raw mut fork) };
        assert_eq!(status, WB_OK);
        // SAFETY: both carryovers were made, and no other thread uses them.
        assert_eq!(unsafe { wb_carryover_absorb(carryover, fork) }, WB_OK);
        // SAFETY: as above; the call must fail, because both arguments are the same.
        assert_eq!(unsafe { wb_carryover_absorb(fork, fork) }, WB_OVERLAP);
        self.carryover = Some((memory, fork));
    }

    fn rows(
        &self,
        memory: &mut Memory,
        [first, rows]: [usize; 2],
        [image, report]: [Place; 2],
        kind: u8,
        carryover: *mut wb_carryover,
    ) {
        let Some((_, scene)) = self.scene else { return };
        if self.steps() > MOST_STEPS {
            return;
        }
        let needed = rows * self.summary().fast_pixels;
        if kind % 3 == 0 {
            let image: Given<f64> = memory.at(image);
            call(memory, &[image.first(needed)], &[], || {
                // SAFETY: scene and carryover were made, or the carryover is NULL; `image` is NULL,
                // misaligned, or has room for `len` pixels, or `len` is rejected.
                unsafe { wb_render_rows_f64(scene, first, rows, image.start, image.len, carryover) }
            });
            return;
        }
        let image: Given<f32> = memory.at(image);
        let report: Given<wb_row_report> = memory.one(report);
        let written: [Option<Range<usize>>; 2] = [image.first(needed), report.bytes.clone()];
        call(memory, &written[..usize::from(kind % 3)], &[], || {
            if kind % 3 == 1 {
                // SAFETY: as for the call above.
                unsafe { wb_render_rows(scene, first, rows, image.start, image.len, carryover) }
            } else {
                // SAFETY: as for the call above; `report` is NULL, misaligned, or has room for one.
                unsafe {
                    wb_render_rows_report(scene, first, rows, image.start, image.len, carryover, report.start)
                }
            }
        });
    }

    /// Makes a call whose output lies in the scene or in its carryover.
    fn into_own_memory(&mut self, kind: u8, at: usize) {
        let Some((memory, scene)) = &mut self.scene else { return };
        let scene = *scene;
        let carryover = self.carryover.as_ref().map_or(null_mut(), |(_, carryover)| *carryover);
        let target = match &mut self.carryover {
            Some((memory, _)) if kind > 127 => memory,
            _ => memory,
        };
        let room = target.bytes() - 512;
        let out = target.start().wrapping_add(at % room / 8 * 8);
        // The call fails, if not for the overlap then because the scene cannot be rendered.
        let status = match kind % 4 {
            // SAFETY: scene and carryover were made, or the carryover is NULL; `out` has room for 512 bytes.
            0 => unsafe { wb_render_pixel(scene, 0, 0, out.cast(), carryover) },
            // SAFETY: as above.
            1 => unsafe { wb_scene_find_latch(scene, 0, 1, carryover, out.cast()) },
            // SAFETY: as above.
            2 => unsafe { wb_carryover_use_at(carryover, scene, 0, 0, out.cast()) },
            // SAFETY: as above.
            _ => unsafe { wb_render_rows(scene, 0, 1, out.cast(), 20, carryover) },
        };
        assert_ne!(status, WB_OK, "something was written into a scene or its carryover");
    }
}

/// Makes a call with memory that holds no scene.
fn not_made(memory: &mut Memory) {
    let scene: *const wb_scene = memory.start().cast();
    // SAFETY: the memory has room for a number. A number that is no tag makes it a block without a scene.
    unsafe { memory.start().cast::<u64>().write(1) };
    let mut value = 0.0;
    // SAFETY: `scene` is aligned and its memory is initialised; `value` is a local.
    let status = unsafe { wb_render_pixel(scene, 0, 0, &raw mut value, null_mut()) };
    assert_eq!((status, value), (WB_NOT_MADE, 0.0));
}

fn make(parameters: &wb_scene_parameters) -> Option<(Memory, *mut wb_scene)> {
    let (mut bytes, mut error, mut scene) = (0, no_error(), null_mut());
    // SAFETY: the pointers are to locals, and the arrays of the parameters are as long as their counts say,
    // or rejected.
    let status = unsafe { wb_scene_size(parameters, &raw mut bytes, &raw mut error) };
    assert_eq!(status, error.status);
    assert_eq!(status == WB_OK, bytes > 0);
    if status != WB_OK || bytes > MOST_BYTES {
        return None;
    }
    let mut memory = Memory::new(bytes, &[7.0]);
    let start = memory.start().cast();
    // SAFETY: as above; the memory has room for `bytes - 64` bytes.
    let status = unsafe { wb_scene_make(parameters, start, bytes - 64, &raw mut scene, &raw mut error) };
    assert!(status != WB_OK && scene.is_null() && error.needed == bytes);
    // SAFETY: as above; the memory has room for `bytes` bytes. The record overlaps it, so the call must fail.
    let status = unsafe { wb_scene_make(parameters, start, bytes, &raw mut scene, start.cast()) };
    assert_eq!((status, scene.is_null()), (WB_OVERLAP, true));
    // SAFETY: as above; the memory lives as long as the scene.
    let status = unsafe { wb_scene_make(parameters, start, bytes, &raw mut scene, &raw mut error) };
    assert_eq!(status, WB_OK, "a size was given, and yet it cannot be made");
    Some((memory, scene))
}
