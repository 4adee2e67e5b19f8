//! The oracle's elementary functions compared with the tables of `golden/vec`, and their symmetries.

use proptest::prelude::*;
use widebragg_tests::compare::{relative, ulp_error};
use widebragg_tests::golden::{exact_pair, sincg_exact, table};
use widebragg_tests::oracle::functions::{
    Block, polarization_factor, polin3, rotate_axis, rotate_xyz, sinc3, sincg,
};
use widebragg_tests::oracle::random::{Ran1, mosaic_matrix};
use widebragg_tests::oracle::vector::magnitude;

/// Compares computed values with the last columns of every row of a table, relative to the row's largest
/// value.
fn check(name: &str, limit: f64, compute: impl Fn(&[f64]) -> Vec<f64>) {
    let rows = table(name).expect(name);
    assert!(rows.len() > 50, "{name}: {} rows", rows.len());
    for row in rows {
        let computed = compute(&row);
        let expected = &row[row.len() - computed.len()..];
        let floor = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        for (x, y) in computed.iter().zip(expected) {
            assert!(relative(*x, *y, floor) <= limit, "{name} {row:?}: {computed:?}");
        }
    }
}

#[test]
fn functions_match_the_reference() {
    check("sincg.csv", 0.0, |row| vec![sincg(row[0], row[1])]);
    check("sinc3.csv", 0.0, |row| vec![sinc3(row[0])]);
    check("rotate_axis.csv", 1e-15, |row| {
        rotate_axis([row[0], row[1], row[2]], [row[3], row[4], row[5]], row[6]).to_vec()
    });
    check("rotate_xyz.csv", 1e-15, |row| {
        rotate_xyz([row[0], row[1], row[2]], [row[3], row[4], row[5]]).to_vec()
    });
    check("polarization.csv", 1e-15, |row| {
        let vector = |at: usize| [row[at], row[at + 1], row[at + 2]];
        vec![polarization_factor(row[0], vector(1), vector(4), vector(7))]
    });
    check("polin3.csv", 1e-14, |row| {
        let mut block = Block::default();
        for (value, cell) in row[3..67].iter().zip(block.as_flattened_mut().as_flattened_mut()) {
            *cell = *value;
        }
        vec![polin3(&block, row[0], row[1], row[2])]
    });
}

#[test]
fn random_numbers_match_the_reference() {
    let mut random = Ran1::new(0);
    for row in table("ran1.csv").expect("ran1.csv") {
        if row[1] == 0.0 {
            random = Ran1::new(row[0] as i32);
        }
        // The table has nine digits, enough to identify an f32.
        assert_eq!(random.draw(), row[2] as f32, "{row:?}");
    }
}

#[test]
fn mosaic_matrices_match_the_reference() {
    let mut random = Ran1::new(0);
    check_rows(&table("mosaic_umat.csv").expect("mosaic_umat.csv"), |row| {
        if row[2] == 0.0 {
            random = Ran1::new(row[0] as i32);
        }
        mosaic_matrix(row[1] as f32, &mut random).concat()
    });
}

fn check_rows(rows: &[Vec<f64>], mut compute: impl FnMut(&[f64]) -> Vec<f64>) {
    for row in rows {
        for (x, y) in compute(row).iter().zip(&row[row.len() - 9..]) {
            assert!((x - y).abs() <= 1e-15, "{row:?}: {x}");
        }
    }
}

#[test]
fn decimals_become_exact_pairs_of_f64() {
    assert_eq!(exact_pair("0.5"), Some((0.5, 0.0)));
    assert_eq!(exact_pair("-100000.0"), Some((-100000.0, 0.0)));
    // 0.1 is 0.1000000000000000055511151231257827... in binary.
    assert_eq!(exact_pair("0.1"), Some((0.1, -5.551115123125783e-18)));
    // The decimal and its nearest f64 lie on either side of a power of ten.
    assert_eq!(exact_pair("0.9999999999999999999999999"), Some((1.0, -1e-25)));
    assert_eq!(exact_pair("9.007199254740993e15"), Some((9007199254740992.0, 1.0)));
    assert_eq!(exact_pair("x"), None);
    assert_eq!(ulp_error(1.0 + 2.0 * f64::EPSILON, (1.0, 0.0)), 2.0);
    assert_eq!(ulp_error(1.0, (1.0, f64::EPSILON / 4.0)), 0.25);

    let rows = sincg_exact().expect("sincg_exact.csv");
    assert_eq!(rows.len(), 1190);
    for row in rows {
        let (hi, lo) = row.exact;
        assert_eq!(hi + lo, hi, "{row:?}");
        // Where both sines are far from 0, the plain expression is accurate.
        if row.N == 1.0 {
            assert!(ulp_error(1.0, row.exact) < 1e-6, "{row:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sincg_is_even(x in -50.0..50.0_f64, cells in 1..200_u32) {
        let cells = f64::from(cells);
        prop_assert_eq!(sincg(x, cells), sincg(-x, cells));
        prop_assert_eq!(sincg(0.0, cells), cells);
    }

    #[test]
    fn rotations_keep_lengths(v in prop::array::uniform3(-9.0..9.0_f64), angles in prop::array::uniform3(-9.0..9.0_f64)) {
        let length = magnitude(v);
        prop_assert!((magnitude(rotate_xyz(v, angles)) - length).abs() <= 1e-14 * length);
        prop_assert!((magnitude(rotate_axis(v, [0.0, 0.6, -0.8], angles[0])) - length).abs() <= 1e-14 * length);
    }

    #[test]
    fn interpolation_reproduces_cubics(at in prop::array::uniform3(-9.0..9.0_f64), c in prop::array::uniform4(-3.0..3.0_f64)) {
        let cubic = |x: f64| c[0] + x * (c[1] + x * (c[2] + x * c[3]));
        let value = |h: f64, k: f64, l: f64| cubic(h) + 0.5 * cubic(k) * cubic(l);
        let node = |axis: usize, i: usize| at[axis].floor() - 1.0 + i as f64;
        let block: Block = core::array::from_fn(|i| {
            core::array::from_fn(|j| core::array::from_fn(|m| value(node(0, i), node(1, j), node(2, m))))
        });
        let exact = value(at[0], at[1], at[2]);
        let scale = block.as_flattened().as_flattened().iter().fold(1.0_f64, |max, x| max.max(x.abs()));
        prop_assert!((polin3(&block, at[0], at[1], at[2]) - exact).abs() <= 1e-12 * scale);
    }
}
