//! The property of the readers of models, for the fuzz target and for mutations of its seeds.

use std::path::Path;

use widebragg_coordinates::anomalous::Anomalous;
use widebragg_coordinates::direct::structure_factors;
use widebragg_coordinates::model::Displacement;
use widebragg_coordinates::scatterers::Scatterers;
use widebragg_formats::coordinates::{parse_model, parse_scan};
use widebragg_reflections::symmetry::SpaceGroup;

/// Reads bytes as a model and as a scan, uses what is read, and returns the refusals.
///
/// # Panics
/// Where a model that is read has an impossible cell, no atoms or a number that is not finite, or gives an F of 0 0 0
/// that is not the sum over its atoms; where a scan has no values between its ends.
pub fn check(bytes: &[u8], name: &str) -> Vec<String> {
    let path = Path::new(name);
    let mut refusals = Vec::new();
    match parse_scan(bytes, path) {
        Ok(scan) => assert!(scan.points().len() >= 2),
        Err(failure) => refusals.push(failure.to_string()),
    }
    let model = match parse_model(bytes, path) {
        Ok(model) => model,
        Err(failure) => {
            refusals.push(failure.to_string());
            return refusals;
        }
    };
    assert!(!model.atoms.is_empty());
    assert!(model.cell.is_possible());
    for atom in &model.atoms {
        let smearing = match atom.displacement {
            Displacement::Isotropic(b) => [b; 6],
            Displacement::Anisotropic(u) => u,
        };
        let numbers = atom.fractional.iter().chain(&smearing).chain([&atom.occupancy]);
        numbers.for_each(|number| assert!(number.is_finite(), "{atom:?}"));
    }
    let group = SpaceGroup::from_name("P 1", None).expect("a space group");
    match Scatterers::new(&model, &group) {
        Err(error) => refusals.push(format!("{name}: {error}")),
        Ok(scatterers) => {
            let f = structure_factors(&scatterers, &[Anomalous::default(); 98], &[[0, 0, 0], [1, -2, 3]]);
            let terms = model.atoms.iter().map(|atom| atom.occupancy * atom.element.form_factor(0.0));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
            assert!((f[0].plus.re - sum).abs() <= 1e-9 * size, "{} {sum}", f[0].plus);
        }
    }
    refusals
}
