//! Functions over arrays through the C interface, compared with exact values and scalar formulas, for every
//! length around that of a vector and every SIMD level.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls under one contract")]

use core::ptr::{null, null_mut};

use widebragg::lanes::Simd;
use widebragg::rotation::{Mat3, Orientation, PhiMode, PhiSweep, fill_orientations};
use widebragg::structure_factor::tricubic;
use widebragg::vector::Vec3;
use widebragg_ffi::arrays::*;
use widebragg_ffi::enums::{WB_CPARITY, WB_SPEC};
use widebragg_ffi::grid::wb_grid;
use widebragg_ffi::level::{WB_SIMD_AUTO, WB_SIMD_AVX2, WB_SIMD_AVX512, WB_SIMD_PORTABLE};
use widebragg_ffi::scalar::wb_sincg;
use widebragg_ffi::status::*;
use widebragg_tests::compare::ulp_error;
use widebragg_tests::golden;

/// The codes of the SIMD levels that this processor supports.
fn caps() -> impl Iterator<Item = i32> {
    Simd::available().zip([WB_SIMD_PORTABLE, WB_SIMD_AVX2, WB_SIMD_AVX512]).map(|(_, cap)| cap)
}

type Sincg = unsafe extern "C" fn(*const f64, usize, f64, *mut f64, i32) -> i32;

fn call(function: Sincg, x: &[f64], n: f64, simd: i32) -> Result<Vec<f64>, i32> {
    // The last element must not be written.
    let mut out = vec![-7.0; x.len() + 1];
    // SAFETY: both arrays have at least `x.len()` elements.
    let status = unsafe { function(x.as_ptr(), x.len(), n, out.as_mut_ptr(), simd) };
    assert_eq!(out.pop(), Some(-7.0));
    if status == WB_OK { Ok(out) } else { Err(status) }
}

#[test]
fn sincg_of_indices_is_within_2_ulp_of_exact_values() {
    for row in golden::sincg_exact().expect("sincg_exact.csv") {
        if row.N > 1e5 {
            continue;
        }
        for cap in caps() {
            let values = call(wb_sincg_index_array, &[row.h, 0.25, row.h], row.N, cap).expect("values");
            for value in [values[0], values[2]] {
                // The zeros of the table have errors of its 90 digits.
                let close =
                    if row.exact.0.abs() < 1e-60 { value == 0.0 } else { ulp_error(value, row.exact) <= 2.0 };
                assert!(close, "{row:?}: {value}");
            }
        }
    }
}

#[test]
fn sincg_of_phases_is_the_scalar_s_for_every_length_and_start() {
    let phases: Vec<f64> = (0..200).map(|i| f64::from(i * i - 900) * 0.013).collect();
    for cap in caps() {
        for n in [1.0, 2.0, 29.0, 36.0, 99_999.0, 2.5] {
            for length in 0..=51 {
                let x = &phases[length..2 * length];
                for (x, value) in x.iter().zip(call(wb_sincg_array, x, n, cap).expect("values")) {
                    let scalar = wb_sincg(*x, n);
                    // Both are within 4 ulp of the exact value, or for n that is not whole, of the C
                    // expression; the array's is so within another 2^-51 n.
                    let allowed =
                        if n == 2.5 { 1e-12 } else { f64::EPSILON * (8.0 * scalar.abs() + 2.0 * n) };
                    assert!((value - scalar).abs() <= allowed, "sincg({x}, {n}): {value}, {scalar}");
                }
            }
        }
    }
}

#[test]
fn special_values_pass_through_and_bad_arguments_do_not() {
    for cap in caps().chain([WB_SIMD_AUTO]) {
        for function in [wb_sincg_array as Sincg, wb_sincg_index_array] {
            let values = call(function, &[0.0, f64::NAN, -0.0], 29.0, cap).expect("values");
            assert!(values[0] == 29.0 && values[1].is_nan() && values[2] == 29.0, "{values:?}");
            for n in [f64::NAN, f64::INFINITY] {
                assert_eq!(call(function, &[0.1], n, cap), Err(WB_OUT_OF_RANGE));
            }
        }
    }
    assert_eq!(call(wb_sincg_index_array, &[0.1], 2.5, WB_SIMD_AUTO), Err(WB_OUT_OF_RANGE));
    for simd in [-1, 4] {
        assert_eq!(call(wb_sincg_array, &[0.1], 2.0, simd), Err(WB_OUT_OF_RANGE));
    }
    let mut x = [0.5f64; 8];
    let start = x.as_mut_ptr();
    // SAFETY: the calls fail before they write anything; what they read are locals.
    unsafe {
        assert_eq!(wb_sincg_array(null(), 4, 2.0, start, 0), WB_NULL_POINTER);
        assert_eq!(wb_sincg_array(start, 4, 2.0, null_mut(), 0), WB_NULL_POINTER);
        assert_eq!(wb_sincg_array(start, 4, 2.0, start.wrapping_byte_add(4), 0), WB_MISALIGNED);
        assert_eq!(wb_sincg_array(start, 8, 2.0, start, 0), WB_OVERLAP);
        assert_eq!(wb_sincg_array(start, 5, 2.0, start.wrapping_add(4), 0), WB_OVERLAP);
        assert_eq!(wb_sincg_array(start, usize::MAX / 4, 2.0, start.wrapping_add(4), 0), WB_TOO_LARGE);
    }
    assert_eq!(x, [0.5; 8]);
    // SAFETY: the two arrays are the halves of a local.
    assert_eq!(unsafe { wb_sincg_array(start, 4, 2.0, start.wrapping_add(4), 0) }, WB_OK);
    assert!((x[7] - 1f64.sin() / 0.5f64.sin()).abs() < 1e-15);
}

#[test]
fn slopes_are_those_of_the_plain_expression() {
    use core::f64::consts::PI;
    let indices: Vec<f64> = (0..60).map(|i| f64::from(i) * 0.0437 - 1.1).collect();
    for cap in caps() {
        for n in [1.0, 2.0, 14.0, 101.0] {
            for length in 0..=30 {
                let h = &indices[length..2 * length];
                let found = call(wb_sincg_squared_slope_array, h, n, cap).expect("values");
                for (&h, value) in h.iter().zip(found) {
                    let (s, c) = (PI * h).sin_cos();
                    let (sn, cn) = (n * PI * h).sin_cos();
                    let plain = 2.0 * PI * sn / s * (n * cn * s - sn * c) / (s * s);
                    let size = 2.0 * PI * n * (n * n).min(1.0 / (s * s));
                    // The plain expression rounds N pi h.
                    assert!((value - plain).abs() <= 1e-10 * size, "{h} {n}: {value} {plain}");
                }
            }
        }
        let special = call(wb_sincg_squared_slope_array, &[0.0, f64::NAN, -3.0], 29.0, cap).expect("values");
        assert!(special[0] == 0.0 && special[1].is_nan() && special[2] == 0.0, "{special:?}");
    }
    for n in [f64::NAN, f64::INFINITY, 0.0, 2.5, -3.0, 100_001.0] {
        assert_eq!(call(wb_sincg_squared_slope_array, &[0.1], n, WB_SIMD_AUTO), Err(WB_OUT_OF_RANGE));
    }
}

/// The structure factor at a node of the grid, without symmetry and not a polynomial.
fn f_at(h: i32, k: i32, l: i32) -> f64 {
    f64::from(h * 17 + k * k * 3 + l * l * l) + f64::from((h * 31 + k * 7 + l * 13).rem_euclid(11)) * 0.37
}

const MIN: [i32; 3] = [-3, -5, 2];
const LEN: [usize; 3] = [8, 9, 11];
const DEFAULT_F: f64 = 12.5;

fn values() -> Vec<f64> {
    let axis = |i: usize| (0..LEN[i] as i32).map(move |step| MIN[i] + step);
    axis(0).flat_map(|h| axis(1).flat_map(move |k| axis(2).map(move |l| f_at(h, k, l)))).collect()
}

fn nearest(index: f64) -> i32 {
    (index - 0.5).ceil() as i32
}

fn inside(node: [i32; 3]) -> bool {
    node.iter().zip(MIN.iter().zip(LEN)).all(|(&i, (&min, len))| i >= min && i < min + len as i32)
}

fn nearest_value([h, k, l]: [f64; 3]) -> f64 {
    let node = [nearest(h), nearest(k), nearest(l)];
    if inside(node) { f_at(node[0], node[1], node[2]) } else { DEFAULT_F }
}

/// The interpolated value, and whether the nearest node was used because nodes are missing.
fn cubic_value(hkl: [f64; 3]) -> (f64, bool) {
    let usable = hkl
        .iter()
        .zip(MIN.iter().zip(LEN))
        .all(|(&x, (&min, len))| x - 2.0 >= f64::from(min) && x - f64::from(min) + 3.0 <= len as f64);
    if !usable {
        return (nearest_value(hkl), true);
    }
    let [h0, k0, l0] = hkl.map(|x| x.floor() as i32 - 1);
    let mut block = [[[0.0; 4]; 4]; 4];
    for (i, j, m) in (0..64).map(|at| (at / 16, at / 4 % 4, at % 4)) {
        block[i][j][m] = f_at(h0 + i as i32, k0 + j as i32, l0 + m as i32);
    }
    (tricubic(hkl[0], hkl[1], hkl[2], &block), false)
}

#[test]
fn structure_factors_are_those_of_the_formulas() {
    let data = values();
    let grid =
        wb_grid { f: data.as_ptr(), f_len: data.len(), hkl_min: MIN, hkl_len: LEN, default_f: DEFAULT_F };
    let spread = |i: usize, step: f64, low: f64, width: f64| low + (i as f64 * step).rem_euclid(width);
    let (mut h, mut k, mut l) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..500 {
        h.push(spread(i, 0.731, -4.6, 10.0));
        k.push(spread(i, 0.377, -6.7, 11.5));
        l.push(spread(i, 0.917, 0.4, 13.0));
    }
    for (i, special) in
        [f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 2_251_799_813_685_249.0].into_iter().enumerate()
    {
        (h[7 * i], k[7 * i + 1], l[7 * i + 2]) = (special, special, special);
    }
    // Exact halves, which are rounded down, and exact nodes.
    (h[50], k[50], l[50]) = (0.5, -1.5, 7.5);
    (h[51], k[51], l[51]) = (1.0, -1.0, 7.0);
    for cap in caps() {
        for length in (0..=51).chain([500]) {
            let (h, k, l) = (&h[..length], &k[..length], &l[..length]);
            let mut found = vec![-7.0; length + 1];
            // SAFETY: the arrays have the given lengths, and so has the grid.
            let status = unsafe {
                wb_nearest_array(
                    &raw const grid,
                    h.as_ptr(),
                    k.as_ptr(),
                    l.as_ptr(),
                    length,
                    found.as_mut_ptr(),
                    cap,
                )
            };
            assert_eq!((status, found.pop()), (WB_OK, Some(-7.0)));
            for (i, value) in found.iter().enumerate() {
                assert_eq!(*value, nearest_value([h[i], k[i], l[i]]), "{} {} {}", h[i], k[i], l[i]);
            }
            let (mut found, mut fallbacks) = (vec![-7.0; length + 1], u64::MAX);
            // SAFETY: the arrays have the given lengths, and so has the grid.
            let status = unsafe {
                wb_tricubic_array(
                    &raw const grid,
                    h.as_ptr(),
                    k.as_ptr(),
                    l.as_ptr(),
                    length,
                    found.as_mut_ptr(),
                    &raw mut fallbacks,
                    cap,
                )
            };
            assert_eq!((status, found.pop()), (WB_OK, Some(-7.0)));
            let mut expected_fallbacks = 0;
            for (i, value) in found.iter().enumerate() {
                let (expected, fell_back) = cubic_value([h[i], k[i], l[i]]);
                expected_fallbacks += u64::from(fell_back);
                assert!(
                    (value - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                    "{i}: {value}, {expected}"
                );
            }
            assert_eq!(fallbacks, expected_fallbacks);
        }
    }
    let nan = [f64::NAN, 1.0];
    let mut found = [0.0; 2];
    // SAFETY: the arrays have the given lengths, and so has the grid.
    unsafe {
        let (one, out) = ([1.0, 7.0].as_ptr(), found.as_mut_ptr());
        assert_eq!(wb_nearest_array(&raw const grid, nan.as_ptr(), one, one, 2, out, 0), WB_OK);
        assert!(found[0].is_nan() && found[1] == f_at(1, 7, 7).min(DEFAULT_F));
        assert_eq!(
            wb_tricubic_array(&raw const grid, one, nan.as_ptr(), one, 2, found.as_mut_ptr(), null_mut(), 0),
            WB_OK
        );
        assert!(found[0].is_nan());
    }
}

#[test]
fn grids_that_cannot_be_are_refused() {
    let data = values();
    let good = wb_grid { f: data.as_ptr(), f_len: data.len(), hkl_min: MIN, hkl_len: LEN, default_f: 1.0 };
    let call = |grid: &wb_grid| {
        let (x, mut out) = ([1.0; 3], [-7.0; 3]);
        // SAFETY: the arrays have the given lengths, and so has the grid.
        let status =
            unsafe { wb_nearest_array(grid, x.as_ptr(), x.as_ptr(), x.as_ptr(), 3, out.as_mut_ptr(), 0) };
        assert_eq!(out == [-7.0; 3], status != WB_OK);
        status
    };
    assert_eq!(call(&good), WB_OK);
    assert_eq!(call(&wb_grid { f: null(), f_len: 0, ..good }), WB_OK);
    assert_eq!(call(&wb_grid { f: null(), ..good }), WB_WRONG_LENGTH);
    assert_eq!(call(&wb_grid { f_len: data.len() - 1, ..good }), WB_WRONG_LENGTH);
    assert_eq!(call(&wb_grid { hkl_len: [0, 9, 11], ..good }), WB_OUT_OF_RANGE);
    assert_eq!(call(&wb_grid { hkl_len: [usize::MAX, 9, 11], ..good }), WB_TOO_LARGE);
    assert_eq!(call(&wb_grid { hkl_min: [i32::MAX, 0, 0], ..good }), WB_TOO_LARGE);
    assert_eq!(call(&wb_grid { default_f: f64::NAN, ..good }), WB_OUT_OF_RANGE);
    let mut bad = data.clone();
    bad[100] = f64::NAN;
    assert_eq!(call(&wb_grid { f: bad.as_ptr(), ..good }), WB_OUT_OF_RANGE);
    // SAFETY: the calls fail before they write anything; what they read are locals.
    unsafe {
        let x = [1.0; 3];
        let inside = data.as_ptr().cast_mut();
        let status = wb_nearest_array(&raw const good, x.as_ptr(), x.as_ptr(), x.as_ptr(), 3, inside, 0);
        assert_eq!(status, WB_OVERLAP);
        let own = x.as_ptr().cast_mut();
        assert_eq!(
            wb_nearest_array(&raw const good, x.as_ptr(), x.as_ptr(), x.as_ptr(), 3, own, 0),
            WB_OVERLAP
        );
        assert_eq!(wb_nearest_array(null(), x.as_ptr(), x.as_ptr(), x.as_ptr(), 3, own, 0), WB_NULL_POINTER);
    }
}

#[test]
fn the_rotation_table_is_the_kernel_s() {
    let cell = [5e-9, 0.0, 1e-10, 2e-10, 6e-9, 0.0, 0.0, 3e-10, 7e-9];
    let orientation = Orientation {
        a_m: Vec3::new(5e-9, 0.0, 1e-10),
        b_m: Vec3::new(2e-10, 6e-9, 0.0),
        c_m: Vec3::new(0.0, 3e-10, 7e-9),
    };
    let mut domains: [Mat3; 3] = [[[0.0; 3]; 3]; 3];
    widebragg::random::fill_mosaic(0.01, 5, &mut domains).expect("domains");
    let spindle = [0.6, 0.0, 0.8];
    for (mode, phi_mode) in [(WB_SPEC, PhiMode::Spec), (WB_CPARITY, PhiMode::CParity)] {
        let sweep =
            PhiSweep { phi0_rad: -0.02, step_rad: 0.01, count: 7, spindle: spindle.into(), mode: phi_mode };
        let mut expected = [Orientation::default(); 21];
        fill_orientations(orientation, sweep, &domains, &mut expected).expect("a table");
        let call = |mode: i32, steps: usize, len: usize, out: &mut [f64]| {
            // SAFETY: the arrays have the given lengths, and so has the grid.
            unsafe {
                wb_orientations(
                    cell.as_ptr(),
                    -0.02,
                    0.01,
                    steps,
                    spindle.as_ptr(),
                    mode,
                    domains.as_flattened().as_flattened().as_ptr(),
                    3,
                    out.as_mut_ptr(),
                    len,
                )
            }
        };
        let mut out = [f64::NAN; 190];
        assert_eq!(call(mode, 7, 188, &mut out), WB_WRONG_LENGTH);
        assert_eq!(call(7, 7, 189, &mut out), WB_OUT_OF_RANGE);
        assert_eq!(call(mode, 0, 189, &mut out), WB_OUT_OF_RANGE);
        assert!(out.iter().all(|x| x.is_nan()));
        assert_eq!(call(mode, 7, 189, &mut out), WB_OK);
        for (nine, entry) in out.chunks_exact(9).zip(expected) {
            let vectors = [entry.a_m, entry.b_m, entry.c_m].map(Vec3::to_array);
            assert_eq!(nine, vectors.as_flattened());
        }
        assert!(out[189].is_nan());
    }
}
