//! Scale and B of made-up intensities.

use crate::common::{Lcg, observations, small_indices};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::expansion::Expansion;
use widebragg_reflections::observations::{Hkl, Quantity};
use widebragg_reflections::symmetry::SpaceGroup;
use widebragg_reflections::wilson::{RESIDUE, Wilson, wilson};

const CELL: Cell = Cell { lengths_angstrom: [40.0, 40.0, 55.0], angles_deg: [90.0, 90.0, 120.0] };
const SCALE: f64 = 0.037;
const B: f64 = 23.5;

/// A sum over 1000 atoms with Gaussian form factors.
fn sum_f_squared(stol: f64) -> f64 {
    let f = 2.0 + 4.5 * (-9.0 * stol * stol).exp();
    1000.0 * f * f
}

/// Intensities of the formula times `factor`, in the range from 1.8 to 4 Å.
fn fitted(group: &SpaceGroup, mut factor: impl FnMut(bool) -> f64) -> Wilson {
    let metric = CELL.reciprocal_metric();
    let is_wanted = |hkl: &Hkl| {
        let d = metric.d_angstrom(*hkl);
        group.is_representative(*hkl) && !group.is_absent(*hkl) && (1.8..30.0).contains(&d)
    };
    let list = small_indices(31).filter(is_wanted).map(|hkl| {
        let stol_squared = metric.stol_squared(hkl);
        let mean = sum_f_squared(stol_squared.sqrt()) * (-2.0 * B * stol_squared).exp() / SCALE;
        // All operators that keep the index, counted one by one.
        let epsilon = group.operators().iter().filter(|operator| operator.image(hkl) == hkl).count();
        (hkl, mean * epsilon as f64 * factor(group.is_centric(hkl)))
    });
    let expansion = Expansion::new(&observations(Quantity::Intensity, list), group).unwrap();
    wilson(&expansion, &CELL, 1.8..=4.0, sum_f_squared).unwrap()
}

#[test]
fn exact_intensities_give_scale_and_b_exactly() {
    for name in ["P 1", "P -1", "P 32 2 1", "R 3 2:H", "P 63/m"] {
        let found = fitted(&SpaceGroup::from_name(name, None).unwrap(), |_| 1.0);
        assert!((found.intensity_scale / SCALE - 1.0).abs() < 1e-9, "{name} {found:?}");
        assert!((found.b_square_angstrom - B).abs() < 1e-8, "{name} {found:?}");
    }
}

#[test]
fn wilson_distributed_intensities_give_them_within_their_noise() {
    let mut random = Lcg(7);
    for name in ["P 1", "P 32 2 1", "P 63/m"] {
        let found = fitted(&SpaceGroup::from_name(name, None).unwrap(), |centric| {
            let exponential = -random.uniform().ln();
            if centric {
                // The square of a normal deviate of variance 1.
                2.0 * exponential * (core::f64::consts::TAU * random.uniform()).cos().powi(2)
            } else {
                exponential
            }
        });
        // Of n reflections: 1/sqrt(n) in the level, and over the range 2 s^2 spreads by 0.035; times 4.
        let noise = 4.0 * (if name == "P 63/m" { 2.0_f64 } else { 1.0 } / found.reflections as f64).sqrt();
        assert!((found.b_square_angstrom - B).abs() < noise / 0.035, "{name} {found:?}");
        // The level is known well at the mean s^2 of 0.05 only: elsewhere the error of B adds to it.
        let at_middle = (found.intensity_scale / SCALE).ln() + 2.0 * 0.05 * (found.b_square_angstrom - B);
        assert!(at_middle.abs() < noise, "{name} {found:?}");
    }
}

#[test]
fn far_from_the_first_guess() {
    // A B of 400 spans eight orders of magnitude; one of -100 rises.
    for b in [400.0, -100.0] {
        let group = SpaceGroup::from_name("P 1", None).unwrap();
        let metric = CELL.reciprocal_metric();
        let list = small_indices(12).filter(|hkl| group.is_representative(*hkl)).map(|hkl| {
            let stol_squared = metric.stol_squared(hkl);
            (hkl, 1e-20 * sum_f_squared(stol_squared.sqrt()) * (-2.0 * b * stol_squared).exp())
        });
        let expansion = Expansion::new(&observations(Quantity::Intensity, list), &group).unwrap();
        let found = wilson(&expansion, &CELL, 0.1..=20.0, sum_f_squared).unwrap();
        assert!((found.b_square_angstrom / b - 1.0).abs() < 1e-9, "{found:?}");
        assert!((found.intensity_scale / 1e20 - 1.0).abs() < 1e-9, "{found:?}");
    }
}

#[test]
fn a_residue_has_a_tenth_of_a_kilodalton() {
    let mass = RESIDUE.map(|(element, count)| {
        let mass = match element {
            "C" => 12.011,
            "N" => 14.007,
            "O" => 15.999,
            "H" => 1.008,
            _ => f64::NAN,
        };
        count * mass
    });
    assert!((100.0..115.0).contains(&mass.iter().sum()), "{mass:?}");
}

#[test]
fn what_has_no_scale_is_refused() {
    let group = SpaceGroup::from_name("P 1", None).unwrap();
    let refusal = |f: f64, count: usize, cell: &Cell, sum: f64| {
        let list = (1..=i32::try_from(count).unwrap()).map(|h| ([h, 0, 0], f));
        let expansion = Expansion::new(&observations(Quantity::Amplitude, list), &group).unwrap();
        wilson(&expansion, cell, 1.0..=50.0, |_| sum).unwrap_err().to_string()
    };
    let few = "an absolute scale needs 20 reflections, there are 19 between 1 and 50 Å";
    assert_eq!(refusal(1.0, 19, &CELL, 1.0), few);
    assert_eq!(refusal(0.0, 30, &CELL, 1.0), "the reflections between 1 and 50 Å give no absolute scale");
    assert!(refusal(1.0, 30, &CELL, 0.0).starts_with("the sum of f^2 at sin(theta)/lambda = 0.01"));
    assert!(refusal(1.0, 30, &CELL, f64::NAN).contains("is not positive"));
    let none = Cell { lengths_angstrom: [0.0; 3], ..CELL };
    assert_eq!(refusal(1.0, 30, &none, 1.0), "there is no cell 0 0 0 90 90 120");
}
