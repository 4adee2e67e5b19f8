//! The kernel's elementary functions at every level of this CPU: errors in ulp compared with exact values,
//! special values, and array lengths around the lane boundaries. Each test prints a table of the largest
//! errors it found.

#[path = "kernel_math/exact.rs"]
mod exact;

use core::f64::consts::PI;
use proptest::prelude::*;
use widebragg::arrays::sincg_rad_into;
use widebragg::lanes::{Lanes, Level, Simd, SimdLevel, WithSimd};
use widebragg::math;
use widebragg_tests::compare::ulp_error;
use widebragg_tests::deviates::deviates;
use widebragg_tests::golden::{sincg_exact, table};
use widebragg_tests::oracle::functions::sinc3;

/// Makes a function of slices from a function of lanes. The unused lanes of the last vector hold x = 0, n =
/// 1.
macro_rules! lane_function {
    ($name:ident, |$x:ident, $n:ident| $value:expr) => {
        fn $name(simd: Simd, x: &[f64], n: &[f64]) -> Vec<f64> {
            struct Job<'a>(&'a [f64], &'a [f64]);
            impl WithSimd for Job<'_> {
                type Output = Vec<f64>;
                #[inline(always)]
                fn with_simd<L: Level>(self, level: L) -> Vec<f64> {
                    let mut values = Vec::with_capacity(self.0.len());
                    for (x, n) in self.0.chunks(L::F::LEN).zip(self.1.chunks(L::F::LEN)) {
                        let ($x, $n) = (level.load(x, 0.0), level.load(n, 1.0));
                        values.extend_from_slice(&$value.to_array().as_ref()[..x.len()]);
                    }
                    values
                }
            }
            simd.run(Job(x, n))
        }
    };
}

lane_function!(sincg, |h, n| math::sincg(h, n));
lane_function!(sincg_rad, |x, n| math::sincg_rad(x, n));
lane_function!(sincg_squared_slope, |h, n| math::sincg_squared_slope(h, n));
lane_function!(sinc3_half_turns, |y, _n| math::sinc3_half_turns(y));
lane_function!(exp, |x, _n| math::exp(x));
lane_function!(sin, |x, _n| math::sin_cos(x).0);
lane_function!(cos, |x, _n| math::sin_cos(x).1);

/// The fast sincg of a single x.
fn sincg_rad_quick(simd: Simd, x_rad: f64, n: f64) -> f64 {
    let mut out = [f64::NAN];
    sincg_rad_into(simd, &[x_rad], n, &mut out).expect("one element in, one out");
    out[0]
}

/// Applies a function of one argument.
fn map(function: fn(Simd, &[f64], &[f64]) -> Vec<f64>, simd: Simd, x: &[f64]) -> Vec<f64> {
    function(simd, x, &vec![1.0; x.len()])
}

/// The largest error, and the arguments at which it occurred.
#[derive(Debug, Default)]
struct Largest {
    error: f64,
    at: (f64, f64),
}

impl Largest {
    fn add(&mut self, error: f64, at: (f64, f64)) {
        if error.is_nan() || error > self.error {
            *self = Largest { error, at };
        }
    }

    /// Prints a row of the table and checks the error against its limit.
    fn check(&self, function: &str, simd: Simd, unit: &str, limit: f64) {
        let Largest { error, at } = self;
        println!("{function:<24} {:<9} {error:>10.3e} {unit} (limit {limit}) at {at:?}", simd.level());
        assert!(*error <= limit, "{function} {}: {error} {unit} at {at:?}", simd.level());
    }
}

#[test]
fn every_level_of_the_cpu_is_available() {
    let levels: Vec<SimdLevel> = Simd::available().map(Simd::level).collect();
    println!("levels: {levels:?}");
    assert!(levels.contains(&SimdLevel::Portable));
    assert_eq!(Some(&Simd::detect().level()), levels.last());
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        assert_eq!(levels.contains(&SimdLevel::Avx2), avx2, "avx2");
        assert_eq!(levels.contains(&SimdLevel::Avx512), avx2 && avx512, "avx512");
    }
    for level in SimdLevel::ALL {
        assert_eq!(level.name().parse(), Ok(level));
        assert!(Simd::capped(level).level() <= level);
        assert_eq!(Simd::exactly(level).is_some(), levels.contains(&level));
    }
    assert!("sse9".parse::<SimdLevel>().is_err());
}

#[test]
fn sincg_is_accurate_to_two_ulp() {
    let rows: Vec<_> = sincg_exact()
        .expect("sincg_exact.csv")
        .into_iter()
        .filter(|row| row.h.abs() <= 1e6 && row.N <= 1e5)
        .collect();
    assert!(rows.len() > 1000, "{} rows", rows.len());
    let (h, n): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (row.h, row.N)).unzip();
    for simd in Simd::available() {
        let mut largest = Largest::default();
        let mut zeros = 0;
        for (row, value) in rows.iter().zip(sincg(simd, &h, &n)) {
            if row.exact.0.abs() < 1e-60 {
                // Where N h is an integer and h is not, the exact value is 0, of which the table's 300 bits
                // give a tiny residue. The residue of N h is exact, so that the kernel returns 0.
                assert_eq!(value, 0.0, "{row:?}");
                zeros += 1;
            } else {
                assert_eq!(value.is_sign_negative(), row.exact.0.is_sign_negative(), "{row:?}: {value}");
                largest.add(ulp_error(value, row.exact), (row.h, row.N));
            }
        }
        println!("{zeros} zeros");
        largest.check("sincg (table)", simd, "ulp", 2.0);
    }
}

/// The error of sincg at random arguments, against sin(pi N h)/sin(pi h) with h and N h reduced modulo 1
/// exactly, in fixed point.
#[test]
fn sincg_is_accurate_to_two_ulp_at_random_arguments() {
    let mut deviate = deviates();
    let cases: Vec<(f64, f64)> = (0..4000)
        .map(|i| {
            let n = (10.0_f64.powf(5.0 * deviate())).round();
            let h = match i % 4 {
                0 => 10.0_f64.powf(6.0 * deviate()) * (2.0 * deviate() - 1.0),
                // h near an integer, and near a zero of the numerator.
                1 => (2000.0 * deviate()).round() + 10.0_f64.powf(-16.0 * deviate()),
                2 => ((2000.0 * n * deviate()).round() / n).next_up(),
                _ => 60.0 * deviate() - 30.0,
            };
            (h, n)
        })
        .collect();
    let (h, n): (Vec<f64>, Vec<f64>) = cases.iter().copied().unzip();
    for simd in Simd::available() {
        let mut largest = Largest::default();
        for (&(h, n), value) in cases.iter().zip(sincg(simd, &h, &n)) {
            match exact::sincg(h, n) {
                (0.0, _) => assert_eq!(value, 0.0, "sincg({h}, {n})"),
                exact => largest.add(ulp_error(value, exact), (h, n)),
            }
        }
        largest.check("sincg", simd, "ulp", 2.0);
    }
}

#[test]
fn sincg_handles_special_values() {
    let two51 = 2.0_f64.powi(51);
    // (h, N, value). Huge h are integers or half-integers, and the function has period 2.
    let cases = [
        (0.0, 7.0, 7.0),
        (-0.0, 7.0, 7.0),
        (1.0, 8.0, -8.0),
        (-1.0, 8.0, -8.0),
        (3.0, 9.0, 9.0),
        (two51 - 0.5, 5.0, 1.0),
        (two51 - 0.5, 6.0, 0.0),
        (two51, 6.0, 6.0),
        (two51 + 0.5, 7.0, -1.0),
        (two51 + 1.0, 6.0, -6.0),
        (two51 + 1.0, 5.0, 5.0),
        (-two51 - 1.0, 6.0, -6.0),
        (2.0 * two51 + 1.0, 4.0, -4.0),
        (4.0 * two51 + 2.0, 4.0, 4.0),
        (2.0_f64.powi(53) + 2.0, 1e5, 1e5),
        (1e300, 1e5, 1e5),
        (-1e300, 3.0, 3.0),
        (f64::MAX, 100_000.0, 100_000.0),
        (5e-324, 12.0, 12.0),
        (1e-300, 12.0, 12.0),
    ];
    for simd in Simd::available() {
        for (h, n, value) in cases {
            // Alone, and next to lanes without special cases.
            assert_eq!(sincg(simd, &[h], &[n]), [value], "{} sincg({h}, {n})", simd.level());
            assert_eq!(sincg(simd, &[0.25, h, 0.25], &[2.0, n, 2.0])[1], value, "{} {h}", simd.level());
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(sincg(simd, &[bad], &[5.0])[0].is_nan());
            assert!(sincg_rad(simd, &[bad], &[5.0])[0].is_nan());
            let _ = sincg(simd, &[0.3; 2], &[bad, 2.5]);
            let _ = sincg_rad(simd, &[0.3; 2], &[bad, 2.5]);
            let _ = (map(exp, simd, &[bad]), map(sinc3_half_turns, simd, &[bad]));
            let _ = (map(sin, simd, &[bad]), map(cos, simd, &[bad]), math::sinc3(bad));
        }
    }
}

/// Near multiples of pi the C expression is dominated by the rounding error of N x, so it is not compared
/// there.
#[test]
fn sincg_rad_matches_the_reference() {
    let rows = table("sincg.csv").expect("sincg.csv");
    let kept = |x: f64| x == 0.0 || f64::EPSILON * x.abs() <= 1e-9 * x.sin().abs();
    let rows: Vec<_> = rows.into_iter().filter(|row| kept(row[0])).collect();
    assert!(rows.len() > 1150, "{} rows", rows.len());
    let (x, n): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (row[0], row[1])).unzip();
    for simd in Simd::available() {
        let mut largest = Largest::default();
        for (row, value) in rows.iter().zip(sincg_rad(simd, &x, &n)) {
            largest.add((value - row[2]).abs() / row[1], (row[0], row[1]));
        }
        largest.check("sincg_rad (C)", simd, "N", 1e-9);
    }
}

/// Arguments (x in radians, N): the golden table, multiples of pi and their neighbours, zeros of the
/// numerator.
fn radian_cases() -> Vec<(f64, f64)> {
    let mut deviate = deviates();
    let mut cases: Vec<(f64, f64)> = table("sincg.csv")
        .expect("sincg.csv")
        .iter()
        .map(|row| (row[0], row[1]))
        .filter(|&(x, n)| n == n.round() && x.abs() <= 1e6)
        .collect();
    for i in 0..3000 {
        let n = (10.0_f64.powf(5.0 * deviate())).round();
        let sign = if deviate() < 0.5 { -1.0 } else { 1.0 };
        let x = match i % 4 {
            0 => 10.0_f64.powf(9.0 * deviate() - 3.0),
            // The f64 nearest to a multiple of pi, its neighbours, and numbers close to it.
            1 => ((3e5 * deviate().powi(3)).round() * PI).next_up(),
            2 => (3e5 * deviate().powi(3)).round() * PI + 10.0_f64.powf(-12.0 * deviate()),
            // Zeros of the numerator.
            _ => (1e4 * n * deviate()).round() * PI / n,
        };
        cases.push((sign * x, n));
    }
    cases.extend((1..400).map(|k| (f64::from(k) * PI, 15.0)));
    cases
}

#[test]
fn sincg_rad_is_accurate_to_four_ulp() {
    let cases = radian_cases();
    let (x, n): (Vec<f64>, Vec<f64>) = cases.iter().copied().unzip();
    let exact: Vec<(f64, f64)> = cases.iter().map(|&(x, n)| exact::sincg_rad(x, n)).collect();
    for simd in Simd::available() {
        let mut largest = Largest::default();
        for ((&exact, value), &case) in exact.iter().zip(sincg_rad(simd, &x, &n)).zip(&cases) {
            largest.add(ulp_error(value, exact), case);
        }
        largest.check("sincg_rad", simd, "ulp", 4.0);
    }
}

#[test]
fn sincg_rad_into_is_within_its_bound() {
    let cases = radian_cases();
    let exact: Vec<(f64, f64)> = cases.iter().map(|&(x, n)| exact::sincg_rad(x, n)).collect();
    for simd in Simd::available() {
        let mut largest = Largest::default();
        for (&(exact, low), &(x, n)) in exact.iter().zip(&cases) {
            let value = sincg_rad_quick(simd, x, n);
            let ulp = (exact.abs().next_up() - exact.abs()).max(f64::MIN_POSITIVE);
            let bound = 4.0 * ulp + n.abs() * 2.0 * f64::EPSILON;
            largest.add(((value - exact) - low).abs() / bound, (x, n));
        }
        largest.check("sincg_rad_quick", simd, "of its bound", 1.0);
        for (x, n, expected) in [(0.0, 5.0, 5.0), (-0.0, 4.0, 4.0), (PI, 1.0, 1.0), (0.3, 1.0, 1.0)] {
            assert_eq!(sincg_rad_quick(simd, x, n), expected, "x {x}, N {n}");
        }
        // Outside its range it equals the accurate function.
        for (x, n) in [(1e12, 5.0), (0.3, 2.5), (-2e9, 7.0)] {
            assert_eq!(sincg_rad_quick(simd, x, n), sincg_rad(simd, &[x], &[n])[0], "x {x}, N {n}");
        }
        let (x, mut out) = ([0.3, 1e12, 0.4, 7.0], [0.0; 4]);
        sincg_rad_into(simd, &x, 6.0, &mut out).expect("as many out as in");
        assert_eq!(
            out,
            x.map(|x| sincg_rad_quick(simd, x, 6.0)),
            "an element must not depend on its neighbours"
        );
        assert!(sincg_rad_quick(simd, f64::NAN, 5.0).is_nan());
        assert!(sincg_rad_quick(simd, f64::INFINITY, 5.0).is_nan());
    }
}

#[test]
fn sincg_rad_outside_its_range_matches_the_c_expression() {
    for simd in Simd::available() {
        for (x, n) in [(0.3_f64, 2.5), (2e9, 7.0), (-1e12, 3.0), (0.5, 1e9)] {
            let c = (x * n).sin() / x.sin();
            let value = sincg_rad(simd, &[x], &[n])[0];
            assert!((value - c).abs() <= 1e-12 * n, "{} sincg({x}, {n}) = {value}, {c} in C", simd.level());
        }
        assert_eq!(sincg_rad(simd, &[0.0], &[2.5]), [2.5]);
    }
}

#[test]
fn sinc3_matches_the_reference_and_is_accurate() {
    let rows = table("sinc3.csv").expect("sinc3.csv");
    let mut from_c = Largest::default();
    let mut scalar = Largest::default();
    for row in &rows {
        let (x, value) = (row[0], math::sinc3(row[0]));
        // The C expression loses digits by cancellation near 0; the kernel does not.
        from_c.add((value - row[1]).abs() / (1.0_f64).max(1.0 / (x * x)), (x, 0.0));
        let (hi, lo) = exact::sinc3(x);
        scalar.add((value - hi - lo).abs(), (x, 0.0));
    }
    let simd = Simd::capped(SimdLevel::Portable);
    from_c.check("sinc3 (C)", simd, "max(1, 1/x^2)", 1e-15);
    scalar.check("sinc3", simd, "absolute", 1e-15);

    let mut deviate = deviates();
    let mut y: Vec<f64> = (0..2000).map(|_| 10.0_f64.powf(6.0 * deviate() - 3.0)).collect();
    y.extend([0.0, 1e-300, 1e-9, 0.5, 0.5_f64.next_up(), 1.0, 1.5, 2.0, 1e5]);
    for simd in Simd::available() {
        let (mut near, mut far) = (Largest::default(), Largest::default());
        for (&y, value) in y.iter().zip(map(sinc3_half_turns, simd, &y)) {
            let (hi, lo) = exact::sinc3_half_turns(y);
            let error = (value - hi - lo).abs();
            near.add(error, (y, 0.0));
            // Far from 0 the function oscillates within 3/x^2.
            let x = PI * y;
            far.add(error * (x * x / 3.0).max(1.0), (y, 0.0));
        }
        near.check("sinc3_half_turns", simd, "absolute", 1e-15);
        far.check("sinc3_half_turns", simd, "3/x^2", 2e-15);
    }
}

/// How far the reference's expression for sinc3, 3 (sin x/x - cos x)/x^2, is from the kernel's next to the direct beam,
/// where its numerator cancels: below 1e-8 it is 0, where 1 is right. The expression is the oracle's, whose values are the
/// reference's to the last bit (`oracle_functions`).
#[test]
fn the_reference_s_sinc3_loses_all_digits_next_to_the_direct_beam() {
    // From, to, and between which bounds the largest difference lies.
    for (from, to, least, most) in [
        (1e-9_f64, 1e-8_f64, 1.0, 1.0),
        (1e-8, 1e-7, 0.1, 3.4),
        (1e-6, 1e-5, 1e-5, 6e-4),
        (1e-4, 1e-3, 1e-9, 4e-8),
        (0.1, 1.0, 0.0, 1e-13),
    ] {
        let mut apart = 0.0_f64;
        for i in 0..1000 {
            let x = from * (to / from).powf(f64::from(i) / 1000.0);
            assert!((math::sinc3(x) - (1.0 - x * x / 10.0)).abs() <= x.powi(4) / 280.0 + 2e-16);
            apart = apart.max((sinc3(x) - math::sinc3(x)).abs());
        }
        println!("sinc3 from {from:e} to {to:e}: at most {apart:.1e} apart");
        assert!(apart >= least && apart <= most, "{apart:e} apart from {from:e} to {to:e}");
    }
    assert_eq!((sinc3(5e-9), math::sinc3(5e-9)), (0.0, 1.0));
}

#[test]
fn exp_is_accurate_to_two_ulp() {
    let mut deviate = deviates();
    let mut x: Vec<f64> = (0..2000).map(|_| 1416.0 * deviate() - 708.0).collect();
    x.extend((0..1000).map(|_| 10.0_f64.powf(-20.0 * deviate()) * (2.0 * deviate() - 1.0)));
    x.extend([0.0, -0.0, 1.0, -1.0, 708.9, 709.0, -708.0, 0.5 * core::f64::consts::LN_2]);
    for simd in Simd::available() {
        let mut largest = Largest::default();
        for (&x, value) in x.iter().zip(map(exp, simd, &x)) {
            let (exact, exponent) = exact::exp(x);
            largest.add(ulp_error(value * 2.0_f64.powi(-exponent), exact), (x, 0.0));
        }
        largest.check("exp", simd, "ulp", 2.0);
        let outside = [-708.1, -1e300, f64::NEG_INFINITY, 710.0, 1e300, f64::INFINITY];
        let top = map(exp, simd, &[709.0])[0];
        assert_eq!(map(exp, simd, &outside), [0.0, 0.0, 0.0, top, top, top], "{}", simd.level());
    }
}

#[test]
fn sin_and_cos_are_within_their_bound() {
    let mut deviate = deviates();
    let mut x: Vec<f64> = (0..2000).map(|_| 10.0_f64.powf(10.0 * deviate() - 4.0)).collect();
    x.extend((0..200).map(|k| f64::from(k) * PI / 4.0));
    let x: Vec<f64> = x.iter().flat_map(|&x| [x, -x]).collect();
    for simd in Simd::available() {
        let mut largest = Largest::default();
        let values = map(sin, simd, &x).into_iter().zip(map(cos, simd, &x));
        for (&x, (sin, cos)) in x.iter().zip(values) {
            let ((exact_sin, sin_low), (exact_cos, cos_low)) =
                if x == 0.0 { ((0.0, 0.0), (1.0, 0.0)) } else { exact::sin_cos(x) };
            for error in [sin - exact_sin - sin_low, cos - exact_cos - cos_low] {
                largest.add(error.abs() / (1.0 + x.abs()), (x, 0.0));
            }
        }
        largest.check("sin_cos", simd, "(1 + |x|)", 2e-16);
    }
}

/// Every length around the lane boundaries, from every start in a longer array: each element has the value
/// that it has alone.
#[test]
fn sincos_is_accurate_to_one_ulp() {
    let mut deviate = deviates();
    let mut x: Vec<f64> = (0..20_000).map(|_| 10.0_f64.powf(12.0 * deviate() - 6.0)).collect();
    // Arguments at which the reduction cancels: near multiples of a quarter turn, and at the limits of the
    // branches.
    let quarters = (1..11_000).chain((0..1000).map(|_| (6e5 * deviate()) as u32));
    x.extend(quarters.flat_map(|k| {
        let quarter = f64::from(k) * (PI / 2.0);
        [quarter.next_down(), quarter, quarter.next_up()]
    }));
    for limit in [0.125_f64, PI / 4.0, 16_384.0] {
        x.extend([limit.next_down(), limit, limit.next_up()]);
    }
    let mut largest = Largest::default();
    for x in x.into_iter().flat_map(|x| [x, -x]) {
        let ((sin, cos), (exact_sin, exact_cos)) = (math::sincos(x), exact::sin_cos(x));
        largest.add(ulp_error(sin, exact_sin), (x, 0.0));
        largest.add(ulp_error(cos, exact_cos), (x, 0.0));
    }
    largest.check("sincos", Simd::capped(SimdLevel::Portable), "ulp", 1.0);
    for zero in [0.0, -0.0] {
        let (sin, cos) = math::sincos(zero);
        assert_eq!((sin.to_bits(), cos), (f64::to_bits(zero), 1.0));
    }
    assert_eq!(math::sincos(5e-324), (5e-324, 1.0));
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (sin, cos) = math::sincos(x);
        assert!(sin.is_nan() && cos.is_nan());
    }
}

#[test]
fn array_length_and_start_do_not_change_values() {
    let x: Vec<f64> = (0..40).map(|i| 0.37 * f64::from(i) - 5.0).collect();
    let n: Vec<f64> = (0..40).map(|i| f64::from(1 + i % 13)).collect();
    for simd in Simd::available() {
        for function in [sincg, sincg_rad, sinc3_half_turns, exp, sin, cos] {
            let alone: Vec<f64> =
                x.iter().zip(&n).flat_map(|(&x, &n)| function(simd, &[x.abs()], &[n])).collect();
            let positive: Vec<f64> = x.iter().map(|x| x.abs()).collect();
            for len in 0..=25 {
                for start in [0, 1, 3, 7, 14] {
                    let span = start..start + len;
                    let values = function(simd, &positive[span.clone()], &n[span.clone()]);
                    assert_eq!(values, alone[span], "{} length {len} from {start}", simd.level());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sincg_is_even_and_bounded(h in -1e6..1e6_f64, cells in 1..100_000_u32) {
        let n = f64::from(cells);
        for simd in Simd::available() {
            let [plus, minus, whole] = sincg(simd, &[h, -h, h.round()], &[n; 3])[..] else { unreachable!() };
            prop_assert_eq!(plus, minus);
            prop_assert!(plus.abs() <= n);
            let sign = if cells % 2 == 0 && h.round() % 2.0 != 0.0 { -n } else { n };
            prop_assert_eq!(whole, sign);
            let [plus, minus] = sincg_rad(simd, &[h, -h], &[n; 2])[..] else { unreachable!() };
            prop_assert_eq!(plus, minus);
        }
    }

    #[test]
    fn any_bit_pattern_is_accepted(bits in prop::array::uniform2(any::<u64>())) {
        let [x, n] = bits.map(f64::from_bits);
        for simd in Simd::available() {
            for function in [sincg, sincg_rad, sinc3_half_turns, exp, sin, cos] {
                prop_assert_eq!(function(simd, &[x], &[n]).len(), 1);
            }
        }
    }
}

/// Compared with exact values at every level. The limit is relative to the size of the slope at that distance
/// from a node, and next to a node relative to the slope itself.
#[test]
fn sincg_squared_slope_is_accurate_next_to_nodes() {
    let rows = table("sincg_squared_slope.csv").expect("exact slopes");
    let (h, n): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (row[0], row[1])).unzip();
    for simd in Simd::available() {
        let (mut sized, mut relative) = (0.0_f64, 0.0_f64);
        for (row, slope) in rows.iter().zip(sincg_squared_slope(simd, &h, &n)) {
            let (h, n, exact) = (row[0], row[1], row[2]);
            let d = h - h.round();
            let off = (slope - exact).abs();
            let size = 2.0 * PI * n * (n * n).min((PI * d).sin().powi(-2));
            assert!(off <= 1e-11 * size, "{} h {h} N {n}: {slope:e}, exact {exact:e}", simd.level());
            sized = sized.max(off / size);
            // With one cell the slope is 0 and has no digits to lose.
            if (n * d).abs() < 0.5 && n > 1.0 && exact != 0.0 {
                assert!(
                    off <= 2e-11 * exact.abs(),
                    "{} h {h} N {n}: {slope:e}, exact {exact:e}",
                    simd.level()
                );
                relative = relative.max(off / exact.abs());
            }
        }
        println!(
            "{}: {sized:.1e} of the size of slopes, next to nodes {relative:.1e} of the slope",
            simd.level()
        );
    }
}
