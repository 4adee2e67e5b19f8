//! Panels, rigid motions of them and the background of matter through the C interface: against the kernel and against
//! finite differences, and failed calls.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls under one contract")]

#[path = "common/scene.rs"]
mod made;

use core::ptr::{null, null_mut};

use made::{Made, Memory, defaults, make, no_error, words};
use widebragg::background::{AmorphousMatter, Curve, Radial, RadialPoint, Slab, WeightedSource, molecules};
use widebragg::beam::{Polarization, PolarizedAt, Source};
use widebragg::lanes::Simd;
use widebragg::panel::Panel;
use widebragg::scene::Sensor;
use widebragg::vector::Vec3;
use widebragg_ffi::background::*;
use widebragg_ffi::gradient::{wb_pullback_rows, wb_pushforward_rows};
use widebragg_ffi::panel::*;
use widebragg_ffi::parameters::{WB_GIVEN_CELL, wb_scene_parameters, wb_source};
use widebragg_ffi::render::wb_render_rows_f64;
use widebragg_ffi::scene::wb_scene;
use widebragg_ffi::status::*;
use widebragg_ffi::turns::{wb_turns_make, wb_turns_size};
use widebragg_ffi::variables::{WB_WANT_DETECTOR, wb_dot, wb_variables, wb_wanted_along};

const COLUMNS: usize = 30;
const ROWS: usize = 20;

/// A crystal whose spots are wider than a pixel, so that images are smooth in the place of the panel.
fn parameters() -> wb_scene_parameters {
    let mut parameters = wb_scene_parameters {
        given: WB_GIVEN_CELL,
        cell_angstrom: [40.0, 50.0, 60.0],
        cell_angles_rad: [1.5, 1.6, 1.55],
        misset_rad: [0.3, 0.2, 0.1],
        cells: [3.0; 3],
        fast_pixels: COLUMNS,
        slow_pixels: ROWS,
        pixel_m: 1e-3,
        oversample: 1,
        kahn: 0.5,
        sensor_layers: 2,
        sensor_layer_m: 2e-4,
        attenuation_per_m: 4000.0,
        rotation_rad: [0.1, 0.2, -0.1],
        ..defaults()
    };
    parameters.grid.default_f = 100.0;
    parameters
}

fn panel_of(scene: *const wb_scene) -> wb_panel {
    let mut panel = core::mem::MaybeUninit::uninit();
    // SAFETY: the scene was made, and the output is a local.
    assert_eq!(unsafe { wb_scene_panel(scene, panel.as_mut_ptr()) }, WB_OK);
    // SAFETY: the call above has initialised it.
    unsafe { panel.assume_init() }
}

/// A scene on another panel, and its memory.
struct OnPanel {
    memory: Memory,
    scene: *mut wb_scene,
}

fn on_panel(
    scene: *const wb_scene,
    panel: &wb_panel,
    roi: Option<[usize; 4]>,
    mask: Option<&[u16]>,
) -> Result<OnPanel, (i32, String)> {
    let mut memory = Memory::new(WB_SCENE_HEADER);
    let (mut found, mut error) = (null_mut(), no_error());
    let roi = roi.as_ref().map_or(null(), |roi| roi.as_ptr());
    let (mask, mask_len) = mask.map_or((null(), 0), |mask| (mask.as_ptr(), mask.len()));
    let (start, bytes) = (memory.start(), memory.bytes());
    // SAFETY: the scene was made and lives as long as the new one, whose memory has the given length; mask and region too.
    let status = unsafe {
        wb_scene_on_panel(scene, panel, roi, mask, mask_len, start, bytes, &raw mut found, &raw mut error)
    };
    assert_eq!(status, error.status);
    match status {
        WB_OK => Ok(OnPanel { memory, scene: found }),
        _ => {
            assert!(memory.untouched() && found.is_null());
            Err((status, words(&error.quantity)))
        }
    }
}

fn image(scene: *const wb_scene) -> Vec<f64> {
    let panel = panel_of(scene);
    let mut image = vec![f64::NAN; panel.fast_pixels * panel.slow_pixels];
    let (start, len) = (image.as_mut_ptr(), image.len());
    // SAFETY: the scene was made, and the array has the given length.
    assert_eq!(unsafe { wb_render_rows_f64(scene, 0, panel.slow_pixels, start, len, null_mut()) }, WB_OK);
    image
}

fn frame_of(panel: &wb_panel) -> wb_motion {
    let mut motion = core::mem::MaybeUninit::uninit();
    // SAFETY: the panel is borrowed, and the output is a local.
    assert_eq!(unsafe { wb_panel_frame(panel, motion.as_mut_ptr()) }, WB_OK);
    // SAFETY: the call above has initialised it.
    unsafe { motion.assume_init() }
}

fn moved(panel: &wb_panel, motion: &wb_motion) -> wb_panel {
    let mut moved = *panel;
    // SAFETY: panel and motion are borrowed, and the output is a local.
    assert_eq!(unsafe { wb_panel_move(panel, motion, &raw mut moved) }, WB_OK);
    moved
}

/// The same motion, by more in a component.
fn farther(motion: &wb_motion, component: usize, by: f64) -> wb_motion {
    let mut motion = *motion;
    let all = motion.shift_m.iter_mut().chain(&mut motion.turn_rad);
    *all.into_iter().nth(component).expect("a component") += by;
    motion
}

#[test]
fn a_scene_on_a_panel_is_the_same_scene() {
    let made = make(&parameters()).expect("a scene");
    let panel = panel_of(made.scene);
    let whole = image(made.scene);
    assert!(whole.iter().all(|pixel| *pixel > 0.0));
    assert_eq!((panel.fast_pixels, panel.slow_pixels, panel.pixel_m), (COLUMNS, ROWS, 1e-3));
    assert_eq!((panel.sensor_layers, panel.radius_m, panel.point_pixel), (2, 0.0, 0));
    let same = on_panel(made.scene, &panel, None, None).expect("the same panel");
    assert_eq!(image(same.scene), whole);
    assert_eq!(panel_of(same.scene), panel);

    // The right part of a panel is a panel, and so is the right part of that; pixels differ by roundings.
    let right_of = |panel: &wb_panel, columns: usize| {
        let shift = columns as f64 * panel.pixel_m;
        let mut right = wb_panel { fast_pixels: panel.fast_pixels - columns, ..*panel };
        (0..3).for_each(|i| right.pix0_m[i] += shift * panel.fast_axis[i]);
        right
    };
    let right = on_panel(made.scene, &right_of(&panel, 10), None, None).expect("a panel");
    let far_right = on_panel(right.scene, &right_of(&right_of(&panel, 10), 5), None, None).expect("a panel");
    for (scene, first) in [(right.scene, 10), (far_right.scene, 15)] {
        let part = image(scene);
        let rows = part.chunks(COLUMNS - first).zip(whole.chunks(COLUMNS));
        for (part, whole) in rows {
            for (part, whole) in part.iter().zip(&whole[first..]) {
                assert!((part / whole - 1.0).abs() < 1e-9, "{part} {whole}");
            }
        }
    }

    // Region of interest and mask are those of the panel.
    let mask: Vec<u16> = (0..COLUMNS * ROWS).map(|at| u16::from(at % 7 != 2)).collect();
    let part = on_panel(made.scene, &panel, Some([3, 8, 2, 4]), Some(&mask)).expect("a part");
    for (at, (part, whole)) in image(part.scene).iter().zip(&whole).enumerate() {
        let (slow, fast) = (at / COLUMNS, at % COLUMNS);
        let is_there = (3..=8).contains(&fast) && (2..=4).contains(&slow) && mask[at] != 0;
        assert_eq!(*part, if is_there { *whole } else { 0.0 });
    }
}

#[test]
fn what_is_no_panel_is_refused() {
    let made = make(&parameters()).expect("a scene");
    let panel = panel_of(made.scene);
    let refused = |panel: wb_panel| on_panel(made.scene, &panel, None, None).err();
    let range = |quantity: &str| Some((WB_OUT_OF_RANGE, quantity.to_owned()));
    assert_eq!(refused(wb_panel { pixel_m: 0.0, ..panel }), range("pixel_m"));
    assert_eq!(refused(wb_panel { pixel_m: f64::NAN, ..panel }), range("pixel_m"));
    assert_eq!(refused(wb_panel { pix0_m: [f64::INFINITY, 0.0, 0.0], ..panel }), range("pix0_m"));
    assert_eq!(refused(wb_panel { fast_axis: [2.0, 0.0, 0.0], ..panel }), range("fast_axis"));
    assert_eq!(refused(wb_panel { normal_axis: [f64::NAN; 3], ..panel }), range("normal_axis"));
    assert_eq!(refused(wb_panel { slow_axis: panel.fast_axis, ..panel }), range("fast and slow axis"));
    assert_eq!(refused(wb_panel { close_distance_m: 0.0, ..panel }), range("close_distance_m"));
    assert_eq!(refused(wb_panel { radius_m: -1.0, ..panel }), range("radius_m"));
    assert_eq!(refused(wb_panel { sensor_layers: 0, ..panel }), range("thickness layers"));
    assert_eq!(refused(wb_panel { fast_pixels: 0, ..panel }), range("pixels of the panel"));
    let huge = wb_panel { fast_pixels: usize::MAX, ..panel };
    assert_eq!(refused(huge).map(|(status, _)| status), Some(WB_TOO_LARGE));
    let status = |roi: Option<[usize; 4]>, mask: Option<&[u16]>| {
        on_panel(made.scene, &panel, roi, mask).err().map(|(status, _)| status)
    };
    assert_eq!(status(Some([0, COLUMNS, 0, 1]), None), Some(WB_OUTSIDE_DETECTOR));
    assert_eq!(status(None, Some(&[1; COLUMNS * ROWS - 1])), Some(WB_WRONG_LENGTH));
    let mut memory = Memory::new(WB_SCENE_HEADER);
    let (start, mut found) = (memory.start(), null_mut());
    // SAFETY: the calls fail before they write anything; scene, panel and memory have the given lengths.
    unsafe {
        let make = |scene, panel, start, bytes, found| {
            wb_scene_on_panel(scene, panel, null(), null(), 0, start, bytes, found, null_mut())
        };
        let (scene, panel, handle) = (made.scene, &raw const panel, &raw mut found);
        assert_eq!(make(scene, panel, start, WB_SCENE_HEADER - 1, handle), WB_WRONG_LENGTH);
        assert_eq!(make(scene, panel, start.byte_add(8), WB_SCENE_HEADER - 8, handle), WB_MISALIGNED);
        assert_eq!(make(scene, panel, null_mut(), WB_SCENE_HEADER, handle), WB_NULL_POINTER);
        assert_eq!(make(scene, panel, start, WB_SCENE_HEADER, null_mut()), WB_NULL_POINTER);
        assert_eq!(make(null(), panel, start, WB_SCENE_HEADER, handle), WB_NULL_POINTER);
        assert_eq!(make(scene, null(), start, WB_SCENE_HEADER, handle), WB_NULL_POINTER);
        assert_eq!(make(scene, panel, scene.cast(), WB_SCENE_HEADER, handle), WB_OVERLAP);
        assert_eq!(make(scene, panel, start, WB_SCENE_HEADER, start.cast()), WB_OVERLAP);
    }
    assert!(memory.untouched());
    // Neither the scene of the tables nor that of the panel works as a copy, and no image overlaps the tables.
    let on = on_panel(made.scene, &panel, None, None).expect("a panel");
    let mut copy = on.memory.clone();
    let (copied, (_memory, other)) = (copy.start().cast::<wb_scene>(), made.copied());
    assert_eq!(on_panel(other, &panel, None, None).err(), Some((WB_MOVED, "scene".to_owned())));
    let mut image = [0.0; COLUMNS];
    // SAFETY: the calls fail before they write anything.
    unsafe {
        assert_eq!(wb_render_rows_f64(copied, 0, 1, image.as_mut_ptr(), COLUMNS, null_mut()), WB_MOVED);
        let tables = made.scene.cast::<f64>();
        assert_eq!(wb_render_rows_f64(on.scene, 0, 1, tables, COLUMNS, null_mut()), WB_OVERLAP);
    }
}

/// The direction of a component.
fn direction(panel: &wb_panel, motion: &wb_motion, component: usize) -> wb_variables {
    let mut direction = core::mem::MaybeUninit::uninit();
    // SAFETY: panel and motion are borrowed, and the output is a local.
    let status =
        unsafe { wb_panel_direction(panel, motion, component as i32, direction.as_mut_ptr(), null_mut()) };
    assert_eq!(status, WB_OK);
    // SAFETY: the call above has initialised it.
    unsafe { direction.assume_init() }
}

/// Turns of a scene for the derivatives by its detector.
fn turns(scene: *const wb_scene) -> (Memory, *mut widebragg_ffi::turns::wb_turns) {
    let (mut bytes, mut turns) = (0, null_mut());
    // SAFETY: the scene was made; the memory has the size that was asked for and is returned with the turns.
    unsafe {
        assert_eq!(wb_turns_size(scene, WB_WANT_DETECTOR, &raw mut bytes), WB_OK);
        let mut memory = Memory::new(bytes);
        let status = wb_turns_make(scene, WB_WANT_DETECTOR, memory.start(), bytes, &raw mut turns);
        assert_eq!(status, WB_OK);
        (memory, turns)
    }
}

#[test]
fn derivatives_by_motions_are_finite_differences_of_images() {
    let made = make(&parameters()).expect("a scene");
    let flat = panel_of(made.scene);
    let bent = wb_panel { radius_m: 0.11, ..flat };
    let (_memory, turns) = turns(made.scene);
    for panel in [flat, bent] {
        let own = frame_of(&panel);
        // A group about the sample, with axes that are no panel's, which has moved already.
        let group = wb_motion {
            centre_m: [0.0, 0.01, 0.02],
            axes: [1.0, 0.0, 0.0, 0.0, 0.6, 0.8, 0.0, 0.0, 1.0],
            shift_m: [1e-4, -2e-4, 3e-4],
            turn_rad: [0.01, -0.02, 0.03],
        };
        assert_eq!(moved(&panel, &own), panel);
        for motion in [own, group] {
            let here = moved(&panel, &motion);
            let scene = on_panel(made.scene, &here, None, None).expect("a panel");
            let pixels = image(scene.scene);
            let weights: Vec<f64> = (0..pixels.len()).map(|at| 1.0 + 0.1 * (at % 5) as f64).collect();
            for component in 0..6 {
                let direction = direction(&panel, &motion, component);
                let mut wanted = 0;
                let mut derivatives = vec![f64::NAN; pixels.len()];
                // SAFETY: scene and turns were made, and the arrays have the given lengths.
                let by_pullback = unsafe {
                    assert_eq!(wb_wanted_along(&raw const direction, 1, &raw mut wanted), WB_OK);
                    let (to, len) = (derivatives.as_mut_ptr(), derivatives.len());
                    let along = &raw const direction;
                    let status = wb_pushforward_rows(
                        scene.scene,
                        turns,
                        0,
                        ROWS,
                        along,
                        1,
                        to,
                        len,
                        null_mut(),
                        null_mut(),
                    );
                    assert_eq!(status, WB_OK);
                    let mut sums: wb_variables = core::mem::zeroed();
                    let (from, to) = (weights.as_ptr(), &raw mut sums);
                    let status = wb_pullback_rows(
                        scene.scene,
                        turns,
                        0,
                        ROWS,
                        from,
                        len,
                        to,
                        null_mut(),
                        0,
                        null_mut(),
                        null_mut(),
                    );
                    assert_eq!(status, WB_OK);
                    wb_dot(&raw const sums, along)
                };
                assert_eq!(wanted, WB_WANT_DETECTOR);
                let pushed: f64 = derivatives.iter().zip(&weights).map(|(by, weight)| by * weight).sum();
                let size: f64 =
                    derivatives.iter().zip(&weights).map(|(by, weight)| (by * weight).abs()).sum();
                assert!((pushed - by_pullback).abs() < 1e-10 * size, "{component}: {pushed} {by_pullback}");
                let step = if component < 3 { 1e-7 } else { 1e-6 };
                let at = |by: f64| {
                    let there = moved(&panel, &farther(&motion, component, by));
                    image(on_panel(made.scene, &there, None, None).expect("a panel").scene)
                };
                let (before, after) = (at(-step), at(step));
                let largest = derivatives.iter().fold(0.0f64, |most, by| most.max(by.abs()));
                assert!(largest > 0.0);
                for ((before, after), by) in before.iter().zip(&after).zip(&derivatives) {
                    let difference = (after - before) / (2.0 * step);
                    assert!((difference - by).abs() < 2e-6 * largest, "{component}: {difference} {by}");
                }
            }
        }
    }
}

#[test]
fn what_is_no_motion_is_refused() {
    let made = make(&parameters()).expect("a scene");
    let panel = panel_of(made.scene);
    let own = frame_of(&panel);
    let mut found = panel;
    let wrong = [
        wb_motion { centre_m: [f64::NAN, 0.0, 0.0], ..own },
        wb_motion { axes: [0.0; 9], ..own },
        wb_motion { shift_m: [f64::INFINITY, 0.0, 0.0], ..own },
        wb_motion { turn_rad: [f64::NAN; 3], ..own },
    ];
    // SAFETY: the calls fail before they write anything; what they read are locals.
    unsafe {
        let (from, motion, to) = (&raw const panel, &raw const own, &raw mut found);
        for wrong in &wrong {
            assert_eq!(wb_panel_move(from, wrong, to), WB_OUT_OF_RANGE);
        }
        let mut error = no_error();
        let mut direction: wb_variables = core::mem::zeroed();
        assert_eq!(wb_panel_direction(from, motion, 6, &raw mut direction, &raw mut error), WB_OUT_OF_RANGE);
        assert_eq!(words(&error.quantity), "component");
        assert_eq!(wb_panel_direction(from, motion, 0, null_mut(), null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_panel_direction(from, null(), 0, &raw mut direction, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_panel_move(to, motion, to), WB_OVERLAP);
        assert_eq!(wb_panel_move(null(), motion, to), WB_NULL_POINTER);
        assert_eq!(wb_panel_frame(from, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_scene_panel(made.scene, null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_scene_panel(made.scene, made.scene.cast()), WB_OVERLAP);
    }
    assert_eq!(found, panel);
}

const STOL: [f64; 5] = [0.0, 0.1, 0.16, 0.3, 0.5];
const F: [f64; 5] = [2.57, 4.0, 8.0, 4.5, 3.0];

fn matter() -> wb_matter {
    wb_matter {
        size: size_of::<wb_matter>(),
        stol_per_angstrom: STOL.as_ptr(),
        f_electrons: F.as_ptr(),
        point_count: STOL.len(),
        molecules: wb_molecules(1e-4, 1e-8, 1.0, 18.0),
        origin_m: [0.0; 3],
        slab_depth: 0.0,
        profile_cells: 0,
    }
}

/// A background and its memory.
struct Background {
    memory: Memory,
    background: *mut wb_background,
}

fn background(made: &Made, matter: &wb_matter) -> Result<Background, (i32, String)> {
    let (mut bytes, mut error, mut background) = (0, no_error(), null_mut());
    // SAFETY: the scene was made, and the arrays of the matter are as long as its count says.
    let status = unsafe { wb_background_size(made.scene, matter, &raw mut bytes, &raw mut error) };
    assert_eq!((status, status != WB_OK), (error.status, bytes == 0));
    if status != WB_OK {
        return Err((status, words(&error.quantity)));
    }
    let mut memory = Memory::new(bytes);
    let start = memory.start();
    // SAFETY: as above; the memory has the size that was asked for and lives as long as the background.
    let status =
        unsafe { wb_background_make(made.scene, matter, start, bytes, &raw mut background, &raw mut error) };
    assert_eq!(status, WB_OK, "{}", words(&error.quantity));
    Ok(Background { memory, background })
}

fn photons(background: &Background, band: usize) -> Vec<f64> {
    let mut photons = vec![1.0; COLUMNS * ROWS];
    for (i, rows) in photons.chunks_mut(band * COLUMNS).enumerate() {
        let (start, len) = (rows.as_mut_ptr(), rows.len());
        // SAFETY: the background was made, and the array has the given length.
        let status =
            unsafe { wb_background_rows(background.background, i * band, len / COLUMNS, start, len) };
        assert_eq!(status, WB_OK);
    }
    photons
}

#[test]
fn backgrounds_are_those_of_the_kernel() {
    let lambdas = [0.97e-10, 1e-10, 1.04e-10];
    let incident = [1.0, 0.0, 0.0];
    let sources = lambdas.map(|lambda_m| wb_source { incident, lambda_m });
    let weights = [1.0, 2.0, 0.5];
    let parameters = wb_scene_parameters {
        sources: sources.as_ptr(),
        source_count: 3,
        source_weights: weights.as_ptr(),
        ..parameters()
    };
    let made = make(&parameters).expect("a scene");
    let panel = panel_of(made.scene);
    let summary = made.summary();
    let points: Vec<_> = STOL.iter().zip(F).map(|(&s, f_electrons)| RadialPoint { s, f_electrons }).collect();
    let mut room = [0.0; Curve::room_len(STOL.len())];
    let weighted = [0, 1, 2].map(|at| WeightedSource {
        source: Source { incident: incident.into(), lambda_m: lambdas[at] },
        weight: weights[at],
    });
    let kernel = AmorphousMatter {
        panel: Panel {
            pixel_m: panel.pixel_m,
            fast_pixels: COLUMNS,
            slow_pixels: ROWS,
            pix0_m: panel.pix0_m.into(),
            fast: panel.fast_axis.into(),
            slow: panel.slow_axis.into(),
            normal: panel.normal_axis.into(),
            close_distance_m: panel.close_distance_m,
            point_pixel: false,
            bend: None,
            sensor: Sensor { layers: 2, layer_m: 2e-4, attenuation_per_m: 4000.0 },
        },
        origin_m: Vec3::default(),
        sources: &weighted,
        radial: Radial::Curve(Curve::fill(&points, 1e10, &mut room).expect("a curve")),
        polarization: Some(Polarization {
            kahn: 0.5,
            axis: summary.polarization_axis.into(),
            at: PolarizedAt::default(),
        }),
        fluence_per_m2: parameters.fluence_per_m2,
        molecules: molecules(1e-4, 1e-8, 1.0, 18.0),
        slab: None,
    };
    let expected = |matter: &AmorphousMatter<'_>| {
        let mut photons = vec![1.0; COLUMNS * ROWS];
        for (slow, row) in photons.chunks_mut(COLUMNS).enumerate() {
            matter.add_to_row(Simd::detect(), slow, 0..COLUMNS, row).expect("a row");
        }
        photons
    };
    let found = background(&made, &matter()).expect("a background");
    assert_eq!(photons(&found, ROWS), expected(&kernel));
    assert_eq!(photons(&found, 3), expected(&kernel));
    let slab = Some(Slab { normal: summary.beam_axis.into(), depth: 0.3 });
    let far = AmorphousMatter { origin_m: Vec3::new(-0.02, 0.0, 0.0), slab, ..kernel };
    let of_c = wb_matter { origin_m: [-0.02, 0.0, 0.0], slab_depth: 0.3, ..matter() };
    assert_eq!(photons(&background(&made, &of_c).expect("a background"), ROWS), expected(&far));

    // One table of the mean over the wavelengths is as exact as it says.
    let mut error = f64::NAN;
    let general = photons(&found, ROWS);
    // SAFETY: the background was made, and the output is a local.
    assert_eq!(unsafe { wb_background_error(found.background, &raw mut error) }, WB_OK);
    assert_eq!(error, 0.0);
    let radial = background(&made, &wb_matter { profile_cells: 2048, ..matter() }).expect("a background");
    // SAFETY: as above.
    assert_eq!(unsafe { wb_background_error(radial.background, &raw mut error) }, WB_OK);
    assert!(error > 0.0 && error < 1e-3, "{error}");
    let largest = general.iter().fold(0.0f64, |most, &pixel| most.max(pixel));
    for (radial, general) in photons(&radial, ROWS).iter().zip(&general) {
        assert!((radial - general).abs() < 2.0 * error * largest + 1e-9 * largest, "{radial} {general}");
    }
}

#[test]
fn matter_that_cannot_be_is_refused() {
    let made = make(&parameters()).expect("a scene");
    let refused = |matter: wb_matter| background(&made, &matter).err();
    let range = |quantity: &str| Some((WB_OUT_OF_RANGE, quantity.to_owned()));
    for molecules in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(wb_matter { molecules, ..matter() }), range("molecules"));
    }
    assert_eq!(refused(wb_matter { slab_depth: -1.0, ..matter() }), range("slab_depth"));
    assert_eq!(refused(wb_matter { origin_m: [f64::NAN; 3], ..matter() }), range("origin_m"));
    let behind = wb_matter { origin_m: [1.0, 0.0, 0.0], ..matter() };
    assert_eq!(refused(behind), range("origin_m along the normal"));
    let falling = [0.0, 0.2, 0.1, 0.3, 0.5];
    let unordered = wb_matter { stol_per_angstrom: falling.as_ptr(), ..matter() };
    assert_eq!(refused(unordered), range("s of a radial table"));
    let odd = [1.0, f64::NAN, 1.0, 1.0, 1.0];
    assert_eq!(refused(wb_matter { f_electrons: odd.as_ptr(), ..matter() }), range("F of a radial table"));
    assert_eq!(refused(wb_matter { point_count: 0, ..matter() }), range("points of a radial table"));
    let status = |matter: wb_matter| refused(matter).map(|(status, _)| status);
    assert_eq!(status(wb_matter { size: 8, ..matter() }), Some(WB_STRUCT_SIZE));
    assert_eq!(status(wb_matter { f_electrons: null(), ..matter() }), Some(WB_NULL_POINTER));
    assert_eq!(status(wb_matter { profile_cells: usize::MAX, ..matter() }), Some(WB_TOO_LARGE));
    // A mean over wavelengths is one of sources of a single direction.
    let sources = [[1.0, 0.0, 0.0], [0.8, 0.6, 0.0]].map(|incident| wb_source { incident, lambda_m: 1e-10 });
    let two = wb_scene_parameters { sources: sources.as_ptr(), source_count: 2, ..parameters() };
    let divergent = make(&two).expect("a scene");
    let radial = wb_matter { profile_cells: 64, ..matter() };
    assert_eq!(background(&divergent, &radial).err(), range("profile_cells"));
    assert!(background(&divergent, &matter()).is_ok());

    let found = background(&made, &matter()).expect("a background");
    let mut copy = found.memory.clone();
    let copied = copy.start().cast::<wb_background>();
    let mut pixels = vec![-7.0; COLUMNS * ROWS];
    let (start, len) = (pixels.as_mut_ptr(), pixels.len());
    let mut memory = Memory::new(64);
    // SAFETY: the calls fail before they write anything; what they read was made or is a local.
    unsafe {
        let rows = |background, first, rows, len| wb_background_rows(background, first, rows, start, len);
        assert_eq!(rows(copied, 0, ROWS, len), WB_MOVED);
        assert_eq!(rows(null(), 0, ROWS, len), WB_NULL_POINTER);
        assert_eq!(rows(memory.start().cast(), 0, ROWS, len), WB_NOT_MADE);
        assert_eq!(rows(found.background, 0, ROWS, len - 1), WB_WRONG_LENGTH);
        assert_eq!(rows(found.background, 0, usize::MAX, len), WB_WRONG_LENGTH);
        assert_eq!(rows(found.background, 1, ROWS, len), WB_OUTSIDE_DETECTOR);
        assert_eq!(wb_background_rows(found.background, 0, 1, null_mut(), COLUMNS), WB_NULL_POINTER);
        let own = found.background.cast::<f64>();
        assert_eq!(wb_background_rows(found.background, 0, 1, own, COLUMNS), WB_OVERLAP);
        let (scene, of_c, mut handle) = (made.scene, matter(), null_mut());
        let small = memory.start();
        let status = wb_background_make(scene, &raw const of_c, small, 64, &raw mut handle, null_mut());
        assert_eq!((status, handle.is_null()), (WB_WRONG_LENGTH, true));
    }
    assert!(pixels.iter().all(|&pixel| pixel == -7.0) && memory.untouched());
}
