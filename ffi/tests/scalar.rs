//! The scalar functions, compared with values of the reference (`tests/golden/vec`), exact values and the
//! vector code, and called with special arguments.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls with the same pointers")]

#[path = "../../tests/tests/kernel_math/exact.rs"]
#[allow(dead_code, reason = "shared with the kernel's tests, which need more of it")]
mod exact;

mod common;

use core::f64::consts::PI;
use core::ptr;
use std::path::Path;

use widebragg::lanes::{Lanes, Level, Simd, WithSimd};
use widebragg::math::sincg_rad;
use widebragg_ffi::{wb_polarization_factor, wb_polin3, wb_rotate, wb_rotate_axis, wb_sinc3, wb_sincg};
use widebragg_tests::compare::{relative, ulp_error};
use widebragg_tests::deviates::deviates;
use widebragg_tests::golden::table;

/// The magnitude element of a vector before a call.
const SLOT: f64 = 0.125;

/// A vector as C has it.
fn vector(xyz: &[f64]) -> [f64; 4] {
    [SLOT, xyz[0], xyz[1], xyz[2]]
}

fn rotate_axis(v: &[f64; 4], axis: &[f64; 4], phi: f64) -> [f64; 4] {
    let mut out = [SLOT; 4];
    // SAFETY: each pointer is to an array of four numbers.
    let returned = unsafe { wb_rotate_axis(v.as_ptr(), out.as_mut_ptr(), axis.as_ptr(), phi) };
    assert!(ptr::eq(returned, &raw const out[0]));
    out
}

fn rotate(v: &[f64; 4], [x, y, z]: [f64; 3]) -> [f64; 4] {
    let mut out = [SLOT; 4];
    // SAFETY: each pointer is to an array of four numbers.
    let returned = unsafe { wb_rotate(v.as_ptr(), out.as_mut_ptr(), x, y, z) };
    assert!(ptr::eq(returned, &raw const out[0]));
    out
}

fn polin3(nodes: [[f64; 4]; 3], block: &[f64], [x1, x2, x3]: [f64; 3]) -> f64 {
    let rows: Vec<*const f64> = block.chunks_exact(4).map(<[f64]>::as_ptr).collect();
    let planes: Vec<*const *const f64> = rows.chunks_exact(4).map(<[*const f64]>::as_ptr).collect();
    let [a, b, c] = &nodes;
    let mut y = f64::NAN;
    // SAFETY: there are four nodes for each axis, and four planes of four rows of four values.
    unsafe { wb_polin3(a.as_ptr(), b.as_ptr(), c.as_ptr(), planes.as_ptr(), x1, x2, x3, &raw mut y) };
    y
}

fn polarization(kahn: f64, vectors: &mut [[f64; 4]; 3]) -> f64 {
    let [incident, diffracted, axis] = vectors;
    // SAFETY: each pointer is to an array of four numbers.
    unsafe { wb_polarization_factor(kahn, incident.as_mut_ptr(), diffracted.as_mut_ptr(), axis.as_mut_ptr()) }
}

/// Compares computed values with the last columns of each row of a table, relative to the largest of the row.
fn check(name: &str, limit: f64, compute: impl Fn(&[f64]) -> Vec<f64>) {
    let rows = table(name).expect(name);
    assert!(rows.len() > 100, "{name}: {} rows", rows.len());
    for row in rows {
        let computed = compute(&row);
        let expected = &row[row.len() - computed.len()..];
        let largest = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        for (x, y) in computed.iter().zip(expected) {
            assert!(relative(*x, *y, largest) <= limit, "{name} {row:?}: {computed:?}");
        }
    }
}

#[test]
fn scalar_functions_are_the_reference_s() {
    check("rotate_axis.csv", 1e-15, |row| {
        rotate_axis(&vector(&row[..3]), &vector(&row[3..6]), row[6])[1..].to_vec()
    });
    check("rotate_xyz.csv", 1e-15, |row| rotate(&vector(&row[..3]), [row[3], row[4], row[5]])[1..].to_vec());
    check("polarization.csv", 1e-14, |row| {
        vec![polarization(row[0], &mut [1, 4, 7].map(|at| vector(&row[at..at + 3])))]
    });
    check("polin3.csv", 1e-13, |row| {
        let at = [row[0], row[1], row[2]];
        let nodes = at.map(|x| [-1.0, 0.0, 1.0, 2.0].map(|i| x.floor() + i));
        vec![polin3(nodes, &row[3..67], at)]
    });
    // Here the C expressions are less accurate: sinc3 near 0, sincg near multiples of pi.
    for row in table("sinc3.csv").expect("sinc3.csv") {
        let (x, value) = (row[0], wb_sinc3(row[0]));
        assert!((value - row[1]).abs() <= 1e-15 * (1.0_f64).max(1.0 / (x * x)), "sinc3({x:e}) = {value:e}");
    }
    let rows = table("sincg.csv").expect("sincg.csv");
    let kept = |x: f64| x == 0.0 || f64::EPSILON * x.abs() <= 1e-9 * x.sin().abs();
    let rows: Vec<_> = rows.into_iter().filter(|row| kept(row[0])).collect();
    assert!(rows.len() > 1150, "{} rows", rows.len());
    for row in rows {
        let value = wb_sincg(row[0], row[1]);
        assert!((value - row[2]).abs() <= 1e-9 * row[1], "sincg({:e}, {}) = {value:e}", row[0], row[1]);
    }
}

/// Arguments that are hard to reduce: near multiples of pi, near zeros of the numerator, on both sides of the
/// edge of the central maximum, and anywhere up to 2^30.
fn hard_cases() -> Vec<(f64, f64)> {
    let mut deviate = deviates();
    let mut cases = Vec::new();
    for i in 0..6000 {
        let n = (10.0_f64.powf(5.0 * deviate())).round();
        let sign = if deviate() < 0.5 { -1.0 } else { 1.0 };
        let x = match i % 6 {
            0 => 10.0_f64.powf(12.0 * deviate() - 3.0).min(1_073_741_824.0),
            1 => ((3e8 * deviate().powi(3)).round() * PI).next_up(),
            2 => (3e5 * deviate().powi(3)).round() * PI + 10.0_f64.powf(-12.0 * deviate()),
            3 => (1e4 * n * deviate()).round() * PI / n,
            4 => 4.0 * deviate() / n,
            _ => 1.6 * deviate(),
        };
        cases.push((sign * x, n));
    }
    cases
}

#[test]
fn sincg_is_exact_to_four_ulp() {
    let mut worst = 0.0_f64;
    for (x, n) in hard_cases() {
        let error = ulp_error(wb_sincg(x, n), exact::sincg_rad(x, n));
        assert!(error <= 4.0, "sincg({x:e}, {n}): {error} ulp");
        worst = worst.max(error);
    }
    assert!(worst > 1.0, "{worst} ulp at most: cases that hard have rounding errors");
}

struct OneLane(f64, f64);

impl WithSimd for OneLane {
    type Output = f64;
    #[inline(always)]
    fn with_simd<L: Level>(self, level: L) -> f64 {
        sincg_rad(level.splat(self.0), level.splat(self.1)).first()
    }
}

#[test]
fn sincg_is_what_lanes_give() {
    for simd in Simd::available() {
        for (x, n) in hard_cases() {
            let (here, lane) = (wb_sincg(x, n), simd.run(OneLane(x, n)));
            // Both are within 4 ulp of the exact value.
            let allowed = 8.0 * f64::EPSILON * here.abs().max(lane.abs());
            assert!((here - lane).abs() <= allowed, "{}: sincg({x:e}, {n})", simd.level());
        }
    }
}

#[test]
fn sincg_has_the_same_bits_on_every_cpu() {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for i in 0..20_000 {
        let x = f64::from(i) * 0.003_906_25 - 11.0;
        for n in [1.0, 29.0, 36.0, 99_999.0, 2.5] {
            hash = (hash ^ wb_sincg(x, n).to_bits()).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!(hash, 0x568daa49c189dd48, "{hash:#x}");
}

#[test]
fn sincg_elsewhere_is_the_c_expression() {
    let mut deviate = deviates();
    let fractions = (0..2000).map(|_| (60.0 * deviate() - 30.0, 100.0 * deviate())).collect::<Vec<_>>();
    let far = [(2e9, 7.0), (-1e12, 3.0), (0.5, 1e9), (1e300, 3.0), (1e3, 1e9), (1e-9, 1e12), (3.0, -5.0)];
    for (x, n) in fractions.into_iter().chain(far) {
        let c: f64 = (x * n).sin() / x.sin();
        let value = wb_sincg(x, n);
        // The rounding of sin(x) matters where it is small.
        let allowed = 1e-14 * c.abs().max(1.0) / x.sin().abs();
        assert!((value - c).abs() <= allowed, "sincg({x:e}, {n}) = {value:e}, {c:e} in C");
    }
    assert_eq!(wb_sincg(0.0, 2.5), 2.5);
}

#[test]
fn special_values() {
    for n in [29.0, 2.5, 1e300, f64::INFINITY, 0.0] {
        assert_eq!(wb_sincg(0.0, n), n);
        assert_eq!(wb_sincg(-0.0, n), n);
    }
    for x in [5e-324, -1e-320, 1e-300] {
        assert_eq!(wb_sincg(x, 29.0), 29.0);
    }
    assert_eq!(wb_sinc3(0.0), 1.0);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(wb_sincg(bad, 29.0).is_nan());
        assert!(wb_sincg(0.3, bad).is_nan());
        assert!(wb_sinc3(bad).is_nan() || wb_sinc3(bad) == 0.0);
        let nodes = [[-1.0, 0.0, 1.0, 2.0]; 3];
        assert!(polin3(nodes, &[1.0; 64], [bad, 0.5, 0.5]).is_nan());
        assert!(rotate(&[SLOT, 1.0, 2.0, 3.0], [bad; 3])[1].is_nan());
        assert!(rotate_axis(&[SLOT, 1.0, 2.0, 3.0], &[SLOT, 0.0, 0.0, 1.0], bad)[1].is_nan());
        assert!(polarization(0.5, &mut [[SLOT, bad, 0.0, 1.0]; 3]).is_nan());
    }
}

#[test]
fn a_vector_may_be_input_and_output() {
    let (v, axis) = ([SLOT, 1.0, -2.0, 3.0], [SLOT, 0.0, 0.6, -0.8]);
    let mut turned = v;
    let at = turned.as_mut_ptr();
    // SAFETY: each pointer is to an array of four numbers.
    let _ = unsafe { wb_rotate(at, at, 0.1, 0.2, 0.3) };
    assert_eq!(turned, rotate(&v, [0.1, 0.2, 0.3]));
    let mut turned = v;
    let at = turned.as_mut_ptr();
    // SAFETY: each pointer is to an array of four numbers.
    let _ = unsafe { wb_rotate_axis(at, at, axis.as_ptr(), 0.4) };
    assert_eq!(turned, rotate_axis(&v, &axis, 0.4));
    assert_eq!(turned[0], SLOT, "the magnitude slot is the caller's");
    // The axis, rotated about itself, into itself.
    let mut turned = axis;
    let at = turned.as_mut_ptr();
    // SAFETY: each pointer is to an array of four numbers.
    let _ = unsafe { wb_rotate_axis(at, at, at, 0.4) };
    assert_eq!(turned, rotate_axis(&axis, &axis, 0.4));
}

#[test]
fn vectors_may_lie_anywhere() {
    let (v, axis) = ([SLOT, 1.0, -2.0, 3.0], [SLOT, 0.0, 0.6, -0.8]);
    let mut bytes = [0_u8; 33];
    for (to, byte) in bytes[1..].iter_mut().zip(v.map(f64::to_ne_bytes).as_flattened()) {
        *to = *byte;
    }
    let at = bytes[1..].as_mut_ptr().cast::<f64>();
    // SAFETY: `at` has room for four numbers; it need not be aligned.
    let _ = unsafe { wb_rotate_axis(at, at, axis.as_ptr(), 0.4) };
    // SAFETY: the call has written four numbers at `at`.
    let turned = unsafe { at.cast::<[f64; 4]>().read_unaligned() };
    assert_eq!(turned, rotate_axis(&v, &axis, 0.4));
}

#[test]
fn interpolation_takes_the_nodes_given() {
    // Unevenly spaced nodes, which are not those around the argument, reproduce a cubic all the same.
    let nodes = [[-3.0, 0.5, 1.0, 7.0], [2.0, 3.0, 4.0, 5.0], [0.0, -1.0, -2.0, -4.0]];
    let cubic = |x: f64, y: f64, z: f64| (x * x * x - 2.0 * x + 1.0) * (y * y + 3.0) + z * z * z * y;
    let mut block = Vec::new();
    for x in nodes[0] {
        for y in nodes[1] {
            block.extend(nodes[2].map(|z| cubic(x, y, z)));
        }
    }
    let value = polin3(nodes, &block, [0.3, 4.7, -1.5]);
    assert!((value - cubic(0.3, 4.7, -1.5)).abs() <= 1e-12 * 400.0, "{value}");
    assert_eq!(polin3(nodes, &block, [7.0, 3.0, -4.0]), cubic(7.0, 3.0, -4.0), "a node is hit exactly");
}

#[test]
fn polarization_normalises_in_place() {
    let mut long = [[SLOT, 3.0, 0.0, 0.0], [SLOT, 1.0, 2.0, -2.0], [SLOT, 0.0, 0.0, 0.5]];
    let factor = polarization(0.7, &mut long);
    let unit = [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0 / 3.0, 2.0 / 3.0, -2.0 / 3.0], [1.0, 0.0, 0.0, 1.0]];
    assert_eq!(long, unit);
    // cos(2 theta) is 1/3, and cos(psi) in the plane across the beam is 1/sqrt(2).
    assert!((factor - 0.5 * (1.0 + 1.0 / 9.0)).abs() <= 1e-15, "{factor}");
    let mut zero = [[SLOT, 0.0, 0.0, 0.0]; 3];
    assert_eq!(polarization(0.7, &mut zero), 0.5 * (1.0 - 0.7));
    assert_eq!(zero, [[0.0; 4]; 3]);
}

#[test]
fn null_pointers_change_nothing() {
    let before = [SLOT, 1.0, 2.0, 3.0];
    let mut v = before;
    let (at, null, null_mut) = (v.as_mut_ptr(), ptr::null(), ptr::null_mut());
    // SAFETY: each pointer is NULL or to an array of four numbers.
    unsafe {
        assert_eq!(wb_rotate(null, at, 1.0, 1.0, 1.0), at);
        assert!(wb_rotate(at, null_mut, 1.0, 1.0, 1.0).is_null());
        assert_eq!(wb_rotate_axis(null, at, at, 1.0), at);
        assert_eq!(wb_rotate_axis(at, at, null, 1.0), at);
        assert!(wb_rotate_axis(at, null_mut, at, 1.0).is_null());
        assert!(wb_polarization_factor(0.5, null_mut, at, at).is_nan());
        assert!(wb_polarization_factor(0.5, at, null_mut, at).is_nan());
        assert!(wb_polarization_factor(0.5, at, at, null_mut).is_nan());
    }
    assert_eq!(v, before);

    let nodes = [-1.0, 0.0, 1.0, 2.0];
    let n = nodes.as_ptr();
    let rows = [n; 4];
    let holed_rows = [n, n, n, ptr::null()];
    let planes = [rows.as_ptr(); 4];
    let holed_planes = [rows.as_ptr(), ptr::null(), rows.as_ptr(), rows.as_ptr()];
    let planes_with_holes = [rows.as_ptr(), rows.as_ptr(), rows.as_ptr(), holed_rows.as_ptr()];
    let mut y = SLOT;
    // SAFETY: each pointer, at every level, is NULL or to an array of four elements.
    unsafe {
        wb_polin3(null, n, n, planes.as_ptr(), 0.5, 0.5, 0.5, &raw mut y);
        wb_polin3(n, null, n, planes.as_ptr(), 0.5, 0.5, 0.5, &raw mut y);
        wb_polin3(n, n, null, planes.as_ptr(), 0.5, 0.5, 0.5, &raw mut y);
        wb_polin3(n, n, n, ptr::null(), 0.5, 0.5, 0.5, &raw mut y);
        wb_polin3(n, n, n, holed_planes.as_ptr(), 0.5, 0.5, 0.5, &raw mut y);
        wb_polin3(n, n, n, planes_with_holes.as_ptr(), 0.5, 0.5, 0.5, &raw mut y);
        wb_polin3(n, n, n, planes.as_ptr(), 0.5, 0.5, 0.5, ptr::null_mut());
    }
    assert_eq!(y, SLOT);
}

#[test]
#[ignore = "a timing: run it alone on a quiet machine, with --nocapture to see the table"]
fn no_slower_than_the_c_expressions() {
    let Some(cc) = common::cc() else { return };
    let source = Path::new(common::CRATE).join("tests/c/scalar_speed.c");
    let table = common::run_program(&cc, &source, &["-std=c99", "-O2"]);
    println!("{table}");
    for line in table.lines() {
        let cells: Vec<f64> = line.split_whitespace().filter_map(|cell| cell.parse().ok()).collect();
        let [.., theirs, ours] = cells[..] else { panic!("{line}") };
        // A tolerance of one twentieth for the resolution of the clock.
        assert!(ours <= 1.05 * theirs, "{line}");
    }
}
