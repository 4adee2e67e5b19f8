//! The kernel's rotations, and its table of orientations in both modes.

use core::array;
use proptest::prelude::*;
use widebragg::Error;
use widebragg::rotation::{
    IDENTITY, Mat3, Orientation, OrientationTable, PhiMode, PhiSweep, apply, fill_orientations,
    orientations_len, rotate_axis, rotate_xyz,
};
use widebragg::vector::Vec3;
use widebragg_tests::compare::relative;
use widebragg_tests::golden::table;
use widebragg_tests::oracle::functions;
use widebragg_tests::oracle::vector::Vector;

fn check(name: &str, rotate: impl Fn(&[f64]) -> Vec3) {
    for row in table(name).expect(name) {
        let rotated = rotate(&row).to_array();
        let expected = &row[row.len() - 3..];
        let length = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        for (x, y) in rotated.iter().zip(expected) {
            assert!(relative(*x, *y, length) <= 1e-15, "{name} {row:?}: {rotated:?}");
        }
    }
}

fn vector(row: &[f64], at: usize) -> Vec3 {
    Vec3::new(row[at], row[at + 1], row[at + 2])
}

#[test]
fn rotations_match_the_reference() {
    check("rotate_axis.csv", |row| rotate_axis(vector(row, 0), vector(row, 3), row[6]));
    check("rotate_xyz.csv", |row| rotate_xyz(vector(row, 0), [row[3], row[4], row[5]]));
}

const A: Vector = [34e-10, 2e-10, -1e-10];
const B: Vector = [-3e-10, 51e-10, 4e-10];
const C: Vector = [5e-10, -6e-10, 67e-10];
const SPINDLE: Vector = [0.0, 0.6, -0.8];

fn cell() -> Orientation {
    let [a_m, b_m, c_m] = [A, B, C].map(Vec3::from);
    Orientation { a_m, b_m, c_m }
}

fn sweep(phi0_deg: f64, step_deg: f64, count: usize, mode: PhiMode) -> PhiSweep {
    let (phi0_rad, step_rad) = (phi0_deg.to_radians(), step_deg.to_radians());
    PhiSweep { phi0_rad, step_rad, count, spindle: Vec3::from(SPINDLE), mode }
}

/// The identity and two rotations about different axes.
fn domains() -> [Mat3; 3] {
    let columns = |axis: Vector, angle: f64| -> Mat3 {
        let turned = IDENTITY.map(|unit| functions::rotate_axis(unit, axis, angle));
        array::from_fn(|i| array::from_fn(|j| turned[j][i]))
    };
    [IDENTITY, columns([1.0, 0.0, 0.0], 0.01), columns([0.0, 0.6, 0.8], -0.02)]
}

/// The cell that a step uses: `state` is the phi of the rotation in force, `None` for the unrotated cell.
fn expected(state: Option<f64>, domain: &Mat3) -> [Vector; 3] {
    [A, B, C].map(|axis| {
        let axis = state.map_or(axis, |phi| functions::rotate_axis(axis, SPINDLE, phi));
        domain.map(|row| row[0] * axis[0] + row[1] * axis[1] + row[2] * axis[2])
    })
}

/// Compares a table with the phi whose rotation each step should use.
fn hold(table: &OrientationTable<'_>, domains: &[Mat3], states: &[Option<f64>]) {
    assert_eq!(table.entries().len(), states.len() * domains.len());
    for (step, (&state, entries)) in states.iter().zip(table.entries().chunks(domains.len())).enumerate() {
        for (n, (entry, domain)) in entries.iter().zip(domains).enumerate() {
            let ours = [entry.a_m, entry.b_m, entry.c_m].map(Vec3::to_array);
            for (ours, expected) in ours.as_flattened().iter().zip(expected(state, domain).as_flattened()) {
                assert!(
                    (ours - expected).abs() <= 1e-15 * 70e-10,
                    "step {step}, domain {n}: {ours} {expected}"
                );
            }
        }
    }
}

fn check_sweep(phi0_deg: f64, step_deg: f64, count: usize, steady: &[Option<f64>], carried: usize) {
    let domains = domains();
    let mut buffer = vec![Orientation::default(); count * domains.len()];
    let parity = sweep(phi0_deg, step_deg, count, PhiMode::CParity);
    let table = fill_orientations(cell(), parity, &domains, &mut buffer).expect("c-parity");
    let degrees: Vec<Option<f64>> = steady.iter().map(|state| state.map(f64::to_radians)).collect();
    hold(&table, &domains, &degrees);
    assert_eq!(parity.carried_steps(), carried);
    assert_eq!((table.cell(), table.domains()), (cell(), &domains[..]));

    let mut buffer = vec![Orientation::default(); count * domains.len()];
    let spec = sweep(phi0_deg, step_deg, count, PhiMode::Spec);
    let table = fill_orientations(cell(), spec, &domains, &mut buffer).expect("spec");
    let fresh: Vec<Option<f64>> =
        (0..count).map(|i| Some(spec.phi_rad(i)).filter(|&phi| phi != 0.0)).collect();
    hold(&table, &domains, &fresh);
    assert_eq!(spec.carried_steps(), 0);
}

#[test]
fn tables_hold_the_cell_of_each_step() {
    // No phi is 0: both modes agree.
    check_sweep(0.25, 0.5, 3, &[Some(0.25), Some(0.75), Some(1.25)], 0);
    // Phi is 0 in the first step, which uses the last step of the previous sweep.
    check_sweep(0.0, 0.5, 3, &[Some(1.0), Some(0.5), Some(1.0)], 1);
    check_sweep(-0.0, 0.5, 2, &[Some(0.5), Some(0.5)], 1);
    // Phi is 0 in the middle, which uses the step before it in the same sweep.
    check_sweep(-0.5, 0.25, 5, &[Some(-0.5), Some(-0.25), Some(-0.25), Some(0.25), Some(0.5)], 0);
    // Phi is 0 in the last step, which uses the step before it; the next sweep does not start at 0.
    check_sweep(-0.5, 0.25, 3, &[Some(-0.5), Some(-0.25), Some(-0.25)], 0);
    // Phi is always 0: the cell is never rotated.
    check_sweep(0.0, 0.0, 1, &[None], 0);
    check_sweep(0.0, 0.0, 4, &[None; 4], 0);
    check_sweep(0.0, 0.5, 1, &[None], 0);
}

#[test]
fn a_sweep_leaves_its_last_rotation() {
    for (phi0, count, last) in [(0.0, 3, Some(1.0)), (-0.5, 2, Some(-0.5)), (0.0, 1, None)] {
        let left = sweep(phi0, 0.5, count, PhiMode::CParity).left_behind(cell());
        let last: Option<f64> = last.map(f64::to_radians);
        let expected = last.map_or(cell(), |phi| cell().rotated(Vec3::from(SPINDLE), phi));
        assert_eq!(left, expected);
    }
}

#[test]
fn the_size_query_is_the_size_that_is_checked() {
    let domains = domains();
    assert_eq!(orientations_len(4, 3), Ok(12));
    assert!(matches!(orientations_len(usize::MAX, 2), Err(Error::TooLarge { .. })));
    assert!(matches!(orientations_len(usize::MAX / 8, 1), Err(Error::TooLarge { .. })));
    for given in 0..12 {
        let mut short = vec![Orientation::default(); given];
        let refused = fill_orientations(cell(), sweep(0.0, 0.5, 4, PhiMode::Spec), &domains, &mut short);
        let expected = Error::BufferTooShort { buffer: "orientation table", needed: 12, given };
        assert_eq!(refused.err(), Some(expected));
        assert!(short.iter().all(|entry| *entry == Orientation::default()), "written");
    }
    let mut long = vec![Orientation::default(); 20];
    let table = fill_orientations(cell(), sweep(0.0, 0.5, 4, PhiMode::Spec), &domains, &mut long);
    assert_eq!(table.expect("long enough").entries().len(), 12);
}

#[test]
fn impossible_numbers_are_refused() {
    let good = sweep(0.0, 0.5, 2, PhiMode::CParity);
    let mut buffer = [Orientation::default(); 6];
    let mut refused = |cell: Orientation, sweep: PhiSweep, domains: &[Mat3]| {
        assert!(
            fill_orientations(cell, sweep, domains, &mut buffer).is_err(),
            "{cell:?} {sweep:?} {domains:?}"
        );
    };
    refused(cell(), good, &[]);
    refused(cell(), PhiSweep { count: 0, ..good }, &[IDENTITY]);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(Orientation { b_m: Vec3::new(bad, 0.0, 0.0), ..cell() }, good, &[IDENTITY]);
        refused(cell(), PhiSweep { phi0_rad: bad, ..good }, &[IDENTITY]);
        refused(cell(), PhiSweep { step_rad: bad, ..good }, &[IDENTITY]);
        refused(cell(), PhiSweep { spindle: Vec3::new(0.0, bad, 0.0), ..good }, &[IDENTITY]);
        refused(cell(), good, &[IDENTITY, [[1.0, 0.0, 0.0], [0.0, bad, 0.0], [0.0, 0.0, 1.0]]]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rotations_keep_lengths_and_agree_with_the_oracle(
        v in prop::array::uniform3(-9.0..9.0_f64),
        angles in prop::array::uniform3(-9.0..9.0_f64),
    ) {
        let (from, axis) = (Vec3::from(v), Vec3::from(SPINDLE));
        let length = from.length();
        for (ours, expected) in [
            (rotate_xyz(from, angles), functions::rotate_xyz(v, angles)),
            (rotate_axis(from, axis, angles[0]), functions::rotate_axis(v, SPINDLE, angles[0])),
        ] {
            prop_assert!((ours.length() - length).abs() <= 1e-14 * length);
            prop_assert!((ours - Vec3::from(expected)).length() <= 1e-15 * length);
        }
        let back = rotate_axis(rotate_axis(from, axis, angles[0]), axis, -angles[0]);
        prop_assert!((back - from).length() <= 1e-14 * length);
        prop_assert_eq!(apply(&IDENTITY, from), from);
    }
}
