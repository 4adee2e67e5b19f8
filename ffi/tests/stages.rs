//! The stages of a detector and its point spread through the C interface: the bits of the kernel, parts of a panel, and
//! failed calls.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls under one contract")]

use core::ptr::{null, null_mut};

use widebragg::lanes::Simd;
use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, GainMode, GainSwitching, Limits, PixelDifferences, Place,
    fill_bad_pixels, fill_gain_map, fill_pedestal_map, shot_factor,
};
use widebragg::noise::point_spread::{Form, GaussShares, Shares};
use widebragg_ffi::level::{WB_SIMD_AUTO, WB_SIMD_PORTABLE};
use widebragg_ffi::spread::*;
use widebragg_ffi::stages::*;
use widebragg_ffi::status::*;

/// A panel of 40 x 30 pixels.
const COLUMNS: usize = 40;
const PIXELS: usize = 1200;

static PLACE: wb_place =
    wb_place { seed: 0x0123_4567_89ab_cdef, frame: 5, panel: 3, first: 0, simd: WB_SIMD_AUTO };

const SWITCHING: wb_gain_switching = wb_gain_switching {
    photon_kev: 9.5,
    switch_kev: [300.0, 2000.0],
    modes: [
        wb_gain_mode { adu_per_kev: 40.0, pedestal_adu: 2500.0, readout_adu: 12.0 },
        wb_gain_mode { adu_per_kev: -1.4, pedestal_adu: 15_000.0, readout_adu: 20.0 },
        wb_gain_mode { adu_per_kev: -0.1, pedestal_adu: 15_200.0, readout_adu: 21.0 },
    ],
};

fn kernel_place() -> Place {
    let wb_place { seed, frame, panel, first, .. } = PLACE;
    Place { simd: Simd::detect(), seed, frame, panel, first }
}

fn photons() -> Vec<f32> {
    let mut photons: Vec<f32> = (0..PIXELS).map(|at| ((at * 7919) % 101) as f32 * 0.7).collect();
    (photons[7], photons[8], photons[9]) = (f32::NAN, -3.0, 1e7);
    photons
}

/// The bits of pixels, with those of one NaN for all.
fn bits(pixels: &[f32]) -> Vec<u32> {
    pixels.iter().map(|pixel| if pixel.is_nan() { f32::NAN } else { *pixel }.to_bits()).collect()
}

/// Calls a stage on the whole panel, and on its parts with another instruction set; both must give the same pixels.
fn by_parts<T: Copy + PartialEq + core::fmt::Debug>(
    pixels: &[T],
    stage: impl Fn(&wb_place, usize, &mut [T]) -> i32,
    comparable: impl Fn(&[T]) -> Vec<u32>,
) -> Vec<T> {
    let mut whole = pixels.to_vec();
    assert_eq!(stage(&PLACE, 0, &mut whole), WB_OK);
    let mut parts = pixels.to_vec();
    let mut first = 0;
    for part in parts.chunks_mut(333) {
        let place = wb_place { first: first as u32, simd: WB_SIMD_PORTABLE, ..PLACE };
        assert_eq!(stage(&place, first, part), WB_OK);
        first += part.len();
    }
    assert_eq!(comparable(&parts), comparable(&whole));
    whole
}

fn floats(pixels: &[f32], stage: impl Fn(&wb_place, usize, *mut f32, usize) -> i32) -> Vec<f32> {
    by_parts(pixels, |place, first, part| stage(place, first, part.as_mut_ptr(), part.len()), bits)
}

fn integers(pixels: &[i32], stage: impl Fn(&wb_place, usize, *mut i32, usize) -> i32) -> Vec<i32> {
    let same = |pixels: &[i32]| pixels.iter().map(|&pixel| pixel as u32).collect();
    by_parts(pixels, |place, first, part| stage(place, first, part.as_mut_ptr(), part.len()), same)
}

fn gain_map() -> Vec<f32> {
    let mut gains = vec![f32::NAN; PIXELS];
    // SAFETY: the place is a constant, and the array has the given length.
    assert_eq!(unsafe { wb_gain_map(&raw const PLACE, 0.03, gains.as_mut_ptr(), PIXELS) }, WB_OK);
    gains
}

#[test]
fn stages_one_after_the_other_are_those_of_the_kernel() {
    let place = kernel_place();
    let mut factor = f64::NAN;
    // SAFETY: place and factor are a constant and a local.
    assert_eq!(unsafe { wb_shot_factor(&raw const PLACE, 0.1, &raw mut factor) }, WB_OK);
    assert_eq!(factor, shot_factor(place.simd, 0.1, PLACE.seed, PLACE.frame));
    let mut gains = vec![f32::NAN; PIXELS];
    fill_gain_map(place.simd, 0.03, PLACE.seed, PLACE.panel, 0, &mut gains);
    assert_eq!(gain_map(), gains);
    let (mut bad, mut found) = (vec![0; 20], vec![u32::MAX; 20]);
    fill_bad_pixels(place.simd, PLACE.seed, PLACE.panel, PIXELS as u32, 0, &mut bad).expect("bad pixels");
    // SAFETY: the place is a constant, and the array has the given length.
    let status = unsafe { wb_bad_pixels(&raw const PLACE, PIXELS as u32, 0, found.as_mut_ptr(), 20) };
    assert_eq!((status, &found), (WB_OK, &bad));
    let mask: Vec<u16> = (0..PIXELS).map(|at| u16::from(at % 17 != 3)).collect();
    let dead_time = DeadTime { tau_s: 2e-10, exposure_s: 1e-3, is_paralyzable: true };
    let common = CommonMode { rms_adu: 2.0, columns: COLUMNS, block: [COLUMNS, 1] };

    let mut expected = photons();
    let mut integer_pixels = vec![0; PIXELS];
    let stored = Expected::new(place, &mut expected)
        .times(factor)
        .flicker(0.05)
        .count()
        .lose(&dead_time)
        .amplify(1.7, Some(&gains))
        .expect("as many gains")
        .add_pedestal(40.5)
        .add_common_mode(&common)
        .read_out(3.0)
        .store_into(Limits { least: 0, largest: 65_535 }, &mut integer_pixels)
        .expect("as many integers");
    let most = stored.saturated();
    stored.set(&bad, 0).mask(&mask, -1).expect("as many values");

    // SAFETY: in all calls places are borrowed, and the arrays have the given lengths.
    let pixels = unsafe {
        let pixels = floats(&photons(), |place, _, pixels, n| wb_stage_scale(place, factor, pixels, n));
        let pixels = floats(&pixels, |place, _, pixels, n| wb_stage_flicker(place, 0.05, pixels, n));
        let pixels = floats(&pixels, |place, _, pixels, n| wb_stage_count(place, pixels, n));
        let pixels =
            floats(&pixels, |place, _, pixels, n| wb_stage_dead_time(place, 2e-10, 1e-3, 1, pixels, n));
        let pixels = floats(&pixels, |place, first, pixels, n| {
            wb_stage_amplify(place, 1.7, gains[first..].as_ptr(), pixels, n)
        });
        let pixels = floats(&pixels, |place, _, pixels, n| wb_stage_pedestal(place, 40.5, pixels, n));
        let pixels = floats(&pixels, |place, _, pixels, n| {
            wb_stage_common_mode(place, 2.0, COLUMNS, COLUMNS, 1, pixels, n)
        });
        floats(&pixels, |place, _, pixels, n| wb_stage_read_out(place, 3.0, pixels, n))
    };
    assert_eq!(bits(&pixels), bits(&expected));
    let (mut stored, mut saturated) = (vec![-7; PIXELS], usize::MAX);
    // SAFETY: the arrays have the given lengths, and `saturated` is a local.
    let stored = unsafe {
        let (start, to) = (pixels.as_ptr(), stored.as_mut_ptr());
        assert_eq!(wb_stage_store(start, PIXELS, 0, 65_535, to, &raw mut saturated), WB_OK);
        let stored = integers(&stored, |place, _, pixels, n| {
            wb_stage_set(place, bad.as_ptr(), bad.len(), 0, pixels, n)
        });
        integers(&stored, |place, first, pixels, n| {
            wb_stage_mask(place, mask[first..].as_ptr(), -1, pixels, n)
        })
    };
    assert_eq!((stored, saturated), (integer_pixels, most));
    assert_eq!(saturated, 1);
}

#[test]
fn other_ways_to_lose_and_to_amplify() {
    let place = kernel_place();
    let counts: Vec<f32> = photons().iter().map(|photons| photons.max(0.0).floor()).collect();
    let mut expected = counts.clone();
    let dead_time = DeadTime { tau_s: 1e-6, exposure_s: 1e-3, is_paralyzable: false };
    let _ = Counts::new(place, &mut expected).lose(&dead_time).amplify(2.5, None).expect("no gains");
    // SAFETY: in all calls places are borrowed, and the arrays have the given lengths.
    let found = unsafe {
        let found =
            floats(&counts, |place, _, pixels, n| wb_stage_dead_time(place, 1e-6, 1e-3, 0, pixels, n));
        floats(&found, |place, _, pixels, n| wb_stage_amplify(place, 2.5, null(), pixels, n))
    };
    assert_eq!(bits(&found), bits(&expected));
    // Modules in place of rows.
    let common = CommonMode { rms_adu: 2.0, columns: COLUMNS, block: [16, 10] };
    let mut expected = counts.clone();
    let _ = Counts::new(place, &mut expected).amplify(1.0, None).expect("no gains").add_common_mode(&common);
    // SAFETY: as above.
    let found = floats(&counts, |place, _, pixels, n| unsafe {
        wb_stage_common_mode(place, 2.0, COLUMNS, 16, 10, pixels, n)
    });
    assert_eq!(bits(&found), bits(&expected));
}

#[test]
fn gains_are_switched_as_in_the_kernel() {
    let kernel = GainSwitching {
        photon_kev: SWITCHING.photon_kev,
        switch_kev: SWITCHING.switch_kev,
        modes: SWITCHING.modes.map(|mode| GainMode {
            adu_per_kev: mode.adu_per_kev,
            pedestal_adu: mode.pedestal_adu,
            readout_adu: mode.readout_adu,
        }),
    };
    let counts: Vec<f32> = (0..PIXELS).map(|at| ((at * at) % 20_011) as f32).collect();
    let gains = gain_map();
    let pedestals = [0, 1, 2].map(|mode| {
        let (mut found, mut expected) = (vec![f32::NAN; PIXELS], vec![0.0; PIXELS]);
        let Place { simd, seed, panel, .. } = kernel_place();
        fill_pedestal_map(simd, 9.0, seed, panel, mode, 0, &mut expected);
        // SAFETY: the place is a constant, and the array has the given length.
        let status = unsafe { wb_pedestal_map(&raw const PLACE, 9.0, mode, found.as_mut_ptr(), PIXELS) };
        assert_eq!((status, &found), (WB_OK, &expected));
        found
    });
    let common = vec![3.0; PIXELS];
    let all = PixelDifferences {
        gains: Some(&gains),
        pedestals_adu: pedestals.each_ref().map(|map| Some(&map[..])),
        common_adu: Some(&common),
    };
    let of_gains = PixelDifferences { gains: Some(&gains), ..PixelDifferences::default() };
    for differences in [PixelDifferences::default(), of_gains, all] {
        let mut expected = vec![0; PIXELS];
        let saturated = kernel.store(kernel_place(), &counts, &differences, &mut expected).expect("words");
        let pointer = |map: Option<&[f32]>| map.map_or(null(), <[f32]>::as_ptr);
        let given = wb_pixel_differences {
            gains: pointer(differences.gains),
            pedestals_adu: differences.pedestals_adu.map(pointer),
            common_adu: pointer(differences.common_adu),
        };
        let (mut words, mut found) = (vec![-7; PIXELS], usize::MAX);
        let switch = |switching: &wb_gain_switching, words: &mut [i32], saturated: *mut usize| {
            let nothing_differs = differences == PixelDifferences::default();
            let given = if nothing_differs { null() } else { &raw const given };
            let (counts, n) = (counts.as_ptr(), words.len());
            // SAFETY: place and switching are borrowed, and the arrays have the given lengths.
            unsafe {
                wb_stage_switch_gain(
                    &raw const PLACE,
                    switching,
                    given,
                    counts,
                    n,
                    words.as_mut_ptr(),
                    saturated,
                )
            }
        };
        assert_eq!(switch(&SWITCHING, &mut words, &raw mut found), WB_OK);
        assert_eq!((&words, found), (&expected, saturated));
        assert!(words.iter().any(|word| word >> 14 == 3) && words.iter().any(|word| word >> 14 == 1));
        assert_eq!(switch(&SWITCHING, &mut words[..3], null_mut()), WB_OK);
        for wrong in [
            wb_gain_switching { photon_kev: 0.0, ..SWITCHING },
            wb_gain_switching { switch_kev: [300.0, 200.0], ..SWITCHING },
            wb_gain_switching { switch_kev: [f64::NAN, 200.0], ..SWITCHING },
            wb_gain_switching {
                modes: [
                    SWITCHING.modes[0],
                    wb_gain_mode { adu_per_kev: 0.0, ..SWITCHING.modes[1] },
                    SWITCHING.modes[2],
                ],
                ..SWITCHING
            },
            wb_gain_switching {
                modes: [
                    wb_gain_mode { readout_adu: -1.0, ..SWITCHING.modes[0] },
                    SWITCHING.modes[1],
                    SWITCHING.modes[2],
                ],
                ..SWITCHING
            },
        ] {
            let mut words = vec![-7; PIXELS];
            assert_eq!(switch(&wrong, &mut words, null_mut()), WB_OUT_OF_RANGE);
            assert!(words.iter().all(|&word| word == -7));
        }
    }
}

#[test]
fn what_no_detector_has_is_refused() {
    let place = &raw const PLACE;
    let (mut pixels, mut stored) = ([5f32; 6], [-7; 6]);
    let (start, to) = (pixels.as_mut_ptr(), stored.as_mut_ptr());
    let unknown = wb_place { simd: 9, ..PLACE };
    let mut factor = -7.0;
    let mut numbers = [u32::MAX; 6];
    // SAFETY: the calls fail before they write anything; what they read are locals of the given lengths.
    unsafe {
        for bad in [-0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(wb_shot_factor(place, bad, &raw mut factor), WB_OUT_OF_RANGE);
            assert_eq!(wb_gain_map(place, bad, start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_pedestal_map(place, bad, 0, start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_stage_scale(place, bad, start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_stage_flicker(place, bad, start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_stage_dead_time(place, bad, 1.0, 0, start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_stage_dead_time(place, 1e-7, bad, 0, start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_stage_amplify(place, bad, null(), start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_stage_common_mode(place, bad, 3, 3, 1, start, 6), WB_OUT_OF_RANGE);
            assert_eq!(wb_stage_read_out(place, bad, start, 6), WB_OUT_OF_RANGE);
        }
        assert_eq!(wb_pedestal_map(place, 1.0, 3, start, 6), WB_OUT_OF_RANGE);
        assert_eq!(wb_stage_dead_time(place, 1e-7, 0.0, 0, start, 6), WB_OUT_OF_RANGE);
        assert_eq!(wb_stage_amplify(place, 0.0, null(), start, 6), WB_OUT_OF_RANGE);
        assert_eq!(wb_stage_pedestal(place, f64::NAN, start, 6), WB_OUT_OF_RANGE);
        for [columns, fast, slow] in [[0, 3, 1], [3, 0, 1], [3, 3, 0]] {
            let status = wb_stage_common_mode(place, 1.0, columns, fast, slow, start, 6);
            assert_eq!(status, WB_OUT_OF_RANGE);
        }
        assert_eq!(wb_stage_store(start, 6, 5, 4, to, null_mut()), WB_OUT_OF_RANGE);
        assert_eq!(wb_stage_count(&raw const unknown, start, 6), WB_OUT_OF_RANGE);
        assert_eq!(wb_bad_pixels(place, 10, 5, numbers.as_mut_ptr(), 6), WB_WRONG_LENGTH);
        assert_eq!(wb_bad_pixels(place, 3, 5, numbers.as_mut_ptr(), 1), WB_WRONG_LENGTH);

        assert_eq!(wb_stage_count(null(), start, 6), WB_NULL_POINTER);
        assert_eq!(wb_stage_count(place, null_mut(), 6), WB_NULL_POINTER);
        assert_eq!(wb_stage_count(place, start.byte_add(1), 5), WB_MISALIGNED);
        assert_eq!(wb_stage_amplify(place, 1.0, start, start, 6), WB_OVERLAP);
        assert_eq!(wb_stage_store(start, 6, 0, 9, start.cast(), null_mut()), WB_OVERLAP);
        assert_eq!(wb_stage_store(start, 6, 0, 9, null_mut(), null_mut()), WB_NULL_POINTER);
        assert_eq!(wb_stage_set(place, to.cast(), 6, 0, to, 6), WB_OVERLAP);
        assert_eq!(wb_stage_set(place, null(), 1, 0, to, 6), WB_NULL_POINTER);
        assert_eq!(wb_stage_mask(place, to.cast(), 0, to, 6), WB_OVERLAP);
        assert_eq!(wb_stage_mask(place, null(), 0, to, 6), WB_NULL_POINTER);
        let mut both = PLACE;
        assert_eq!(wb_stage_count(&raw const both, (&raw mut both).cast(), 6), WB_OVERLAP);
    }
    assert_eq!((pixels, stored, factor, numbers), ([5.0; 6], [-7; 6], -7.0, [u32::MAX; 6]));
}

/// Lengths of shares and scratch.
fn lengths(spread: &wb_spread) -> Result<[usize; 2], i32> {
    let (mut shares, mut scratch) = (0, 0);
    // SAFETY: the point spread is borrowed, and the outputs are locals.
    match unsafe { wb_spread_size(spread, &raw mut shares, &raw mut scratch) } {
        WB_OK => Ok([shares, scratch]),
        status => Err(status),
    }
}

fn shares(spread: &wb_spread) -> Vec<f64> {
    let [len, _] = lengths(spread).expect("a form");
    let mut shares = vec![f64::NAN; len];
    // SAFETY: the point spread is borrowed, and the array has the given length.
    assert_eq!(unsafe { wb_spread_shares(spread, shares.as_mut_ptr(), len) }, WB_OK);
    shares
}

static SPREAD: wb_spread = wb_spread {
    form: WB_SPREAD_FIBER,
    simd: WB_SIMD_AUTO,
    width_px: 1.3,
    radius_px: 6,
    fast_pixels: COLUMNS,
    slow_pixels: 30,
};

#[test]
fn point_spreads_are_those_of_the_kernel_in_any_bands() {
    let photons: Vec<f32> = photons().iter().map(|photons| photons.max(0.0)).collect();
    let forms = [
        (WB_SPREAD_GAUSS, Some(Form::Gauss)),
        (WB_SPREAD_FIBER, Some(Form::Fiber)),
        (WB_SPREAD_MOFFAT, Some(Form::Moffat)),
        (WB_SPREAD_GAUSS_SQUARE, None),
    ];
    for (code, form) in forms {
        let spread = wb_spread { form: code, ..SPREAD };
        let mut expected = vec![0.0; PIXELS];
        let (simd, size) = (Simd::detect(), [COLUMNS, 30]);
        let mut room = vec![0.0; form.map_or(7, |_| Shares::room_len(6))];
        match form {
            Some(form) => {
                let shares = Shares::fill(form, 1.3, 6, &mut room).expect("shares");
                let mut scratch = vec![0.0; shares.scratch_len(COLUMNS)];
                shares.spread_rows(simd, size, &photons, 0..30, &mut scratch, &mut expected).expect("rows");
            }
            None => {
                let shares = GaussShares::fill(1.3, &mut room).expect("shares");
                let mut scratch = vec![0.0; shares.scratch_len(COLUMNS)];
                shares.spread_rows(simd, size, &photons, 0..30, &mut scratch, &mut expected).expect("rows");
            }
        }
        let shares = shares(&spread);
        assert_eq!(shares, room);
        let [_, scratch_len] = lengths(&spread).expect("a form");
        for band in [30, 7] {
            let mut found = vec![f32::NAN; PIXELS];
            let mut scratch = vec![f64::NAN; scratch_len];
            for (i, out) in found.chunks_mut(band * COLUMNS).enumerate() {
                let (first, rows) = (i * band, out.len() / COLUMNS);
                // SAFETY: the point spread is borrowed, and the arrays have the given lengths.
                let status = unsafe {
                    wb_spread_rows(
                        &raw const spread,
                        shares.as_ptr(),
                        shares.len(),
                        photons.as_ptr(),
                        PIXELS,
                        first,
                        rows,
                        scratch.as_mut_ptr(),
                        scratch_len,
                        out.as_mut_ptr(),
                        out.len(),
                    )
                };
                assert_eq!(status, WB_OK);
            }
            assert_eq!(bits(&found), bits(&expected), "{code} {band}");
        }
    }
    let mut radius = 0;
    // SAFETY: the output is a local.
    assert_eq!(unsafe { wb_spread_whole_radius(1.5, &raw mut radius) }, WB_OK);
    assert_eq!(radius, GaussShares::whole_radius(1.5));
}

#[test]
fn what_cannot_be_spread_is_refused() {
    assert_eq!(lengths(&wb_spread { form: 4, ..SPREAD }), Err(WB_OUT_OF_RANGE));
    assert_eq!(lengths(&wb_spread { simd: -1, ..SPREAD }), Err(WB_OUT_OF_RANGE));
    let [len, scratch_len] = lengths(&SPREAD).expect("a form");
    let mut short = vec![-7.0; len];
    for width_px in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let spread = wb_spread { width_px, ..SPREAD };
        // SAFETY: the call fails before it writes anything.
        let status = unsafe { wb_spread_shares(&raw const spread, short.as_mut_ptr(), len) };
        assert_eq!(status, WB_OUT_OF_RANGE);
    }
    // SAFETY: the calls fail before they write anything; what they read are locals of the given lengths.
    unsafe {
        let (spread, start) = (&raw const SPREAD, short.as_mut_ptr());
        assert_eq!(wb_spread_shares(spread, start, len - 1), WB_WRONG_LENGTH);
        assert_eq!(wb_spread_shares(null(), start, len), WB_NULL_POINTER);
        assert_eq!(wb_spread_shares(spread, null_mut(), len), WB_NULL_POINTER);
        let huge = wb_spread { radius_px: 1 << 30, ..SPREAD };
        assert_ne!(wb_spread_shares(&raw const huge, start, len), WB_OK);
        for width in [0.0, f64::NAN, 2e6] {
            let mut radius = 7;
            assert_eq!(wb_spread_whole_radius(width, &raw mut radius), WB_OUT_OF_RANGE);
            assert_eq!(radius, 7);
        }
    }
    assert!(short.iter().all(|&share| share == -7.0));
    let (shares, photons) = (shares(&SPREAD), photons());
    let (mut scratch, mut out) = (vec![0.0; scratch_len], vec![-7f32; PIXELS]);
    let mut rows = |lengths: [usize; 4], first: usize, count: usize| {
        let [shares_len, len, scratch_len, out_len] = lengths;
        // SAFETY: the arrays are at least as long as is stated, and the calls write to them alone.
        unsafe {
            wb_spread_rows(
                &raw const SPREAD,
                shares.as_ptr(),
                shares_len,
                photons.as_ptr(),
                len,
                first,
                count,
                scratch.as_mut_ptr(),
                scratch_len,
                out.as_mut_ptr(),
                out_len,
            )
        }
    };
    let all = [len, PIXELS, scratch_len, PIXELS];
    for short in 0..4 {
        let mut lengths = all;
        lengths[short] -= 1;
        assert_eq!(rows(lengths, 0, 30), WB_WRONG_LENGTH, "{short}");
    }
    assert_eq!(rows(all, 1, 30), WB_OUTSIDE_DETECTOR);
    assert_eq!(rows(all, usize::MAX, 1), WB_OUTSIDE_DETECTOR);
    assert_eq!(rows(all, 0, usize::MAX), WB_WRONG_LENGTH);
    assert_eq!(rows(all, 30, 0), WB_OK);
    assert!(out.iter().all(|&pixel| pixel == -7.0));
}
