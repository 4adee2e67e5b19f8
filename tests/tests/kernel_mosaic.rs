//! Mosaic domains of spreads that differ with the axis, along a spiral, and in pairs.

use widebragg::Error;
use widebragg::gradient::rotation_vector;
use widebragg::mosaic::{MosaicAxes, MosaicModel, MosaicSpread, fill_domains, transposed};
use widebragg::random::fill_mosaic;
use widebragg::rotation::{IDENTITY, Mat3, Orientation};
use widebragg::vector::Vec3;
use widebragg_tests::simtbx::images;

/// A triclinic cell in a general orientation, in m.
fn cell() -> Orientation {
    Orientation {
        a_m: Vec3::new(49e-10, 25e-10, 26e-10),
        b_m: Vec3::new(-39e-10, 57e-10, -22e-10),
        c_m: Vec3::new(-33e-10, 2e-10, 45e-10),
    }
}

fn domains(model: &MosaicModel, cell: &Orientation, count: usize) -> Vec<Mat3> {
    let mut domains = vec![IDENTITY; count];
    fill_domains(model, cell, &mut domains).expect("domains");
    domains
}

/// The largest difference of two lists of matrices.
fn apart(ours: &[Mat3], theirs: &[Mat3]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let pairs = ours.iter().flatten().flatten().zip(theirs.iter().flatten().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

const SPREADS_DEG: [f64; 3] = [0.3, 0.9, 1.6];

fn spreads() -> MosaicSpread {
    MosaicSpread::Axes(SPREADS_DEG.map(f64::to_radians))
}

#[test]
fn spirals_are_those_of_diffbragg() {
    let model = MosaicModel {
        axes: MosaicAxes::Spiral,
        seed: MosaicAxes::Spiral.default_seed(),
        ..MosaicModel::default()
    };
    let along = |x, y, z| Vec3::new(x, y, z);
    // Spreads about the axes of the laboratory are those of a cell along them.
    let laboratory =
        Orientation { a_m: along(1.0, 0.0, 0.0), b_m: along(0.0, 1.0, 0.0), c_m: along(0.0, 0.0, 1.0) };
    let mut compared = 0;
    for image in images("10_mosaicity").expect("images") {
        let (spread, cell) = match image.name.as_str() {
            "iso" => (MosaicSpread::Isotropic(0.6f64.to_radians()), image.scene.cell),
            "aniso_lab" => (spreads(), laboratory),
            "aniso_crystal" => (spreads(), image.scene.cell),
            // The same domains, with a crystal that was turned.
            _ => continue,
        };
        let ours = domains(&MosaicModel { spread, ..model }, &cell, 20);
        let apart = apart(&ours, &image.scene.domains);
        println!("{}: {apart:.1e}", image.name);
        assert!(apart < 1e-13, "{}: {apart:e}", image.name);
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[test]
fn equal_spreads_are_the_reference() {
    let mut reference = [IDENTITY; 9];
    fill_mosaic(0.01, 77, &mut reference).expect("domains");
    for spread in [MosaicSpread::Isotropic(0.01), MosaicSpread::Axes([0.01; 3])] {
        let model = MosaicModel { spread, seed: 77, ..MosaicModel::default() };
        assert_eq!(domains(&model, &cell(), 9), reference);
    }
}

#[test]
fn pairs_are_the_domains_with_their_inverses() {
    for spread in [MosaicSpread::Isotropic(0.01), spreads()] {
        let model = MosaicModel { spread, seed: 77, ..MosaicModel::default() };
        let single = domains(&model, &cell(), 9);
        let pairs = domains(&MosaicModel { pairs: true, ..model }, &cell(), 18);
        let expected: Vec<Mat3> = single.iter().flat_map(|u| [*u, transposed(u)]).collect();
        assert_eq!(pairs, expected);
    }
}

/// x . S diag(1/eta^2) S^-1 x, with the inverse by cofactors.
fn quadratic_form(x: Vec3, cell: &Orientation, eta: [f64; 3]) -> f64 {
    let [a, b, c] = [cell.a_m, cell.b_m, cell.c_m].map(|axis| axis.normalize().to_array());
    let x = x.to_array();
    let determinant = |p: [f64; 3], q: [f64; 3], r: [f64; 3]| {
        p[0] * (q[1] * r[2] - q[2] * r[1]) - p[1] * (q[0] * r[2] - q[2] * r[0])
            + p[2] * (q[0] * r[1] - q[1] * r[0])
    };
    // Cramer's rule solves S y = x.
    let whole = determinant(a, b, c);
    let y = [determinant(x, b, c) / whole, determinant(a, x, c) / whole, determinant(a, b, x) / whole];
    let scaled = [0, 1, 2].map(|j| y[j] / (eta[j] * eta[j]));
    (0..3).map(|i| x[i] * (a[i] * scaled[0] + b[i] * scaled[1] + c[i] * scaled[2])).sum()
}

#[test]
fn angles_are_the_references_times_the_spread_about_the_axis() {
    let mut of_a_degree = [IDENTITY; 40];
    fill_mosaic(1f64.to_radians(), 5, &mut of_a_degree).expect("domains");
    let model = MosaicModel { spread: spreads(), seed: 5, ..MosaicModel::default() };
    let ours = domains(&model, &cell(), 40);
    assert_eq!(ours[0], IDENTITY);
    for (ours, reference) in ours.iter().zip(&of_a_degree).skip(1) {
        let (turn, reference) = (rotation_vector(ours), rotation_vector(reference));
        let axis = reference.normalize();
        let expected = quadratic_form(axis, &cell(), SPREADS_DEG).abs().powf(-0.5) * reference;
        assert!((turn - expected).length() < 1e-12, "{turn:?} {expected:?}");
    }
}

#[test]
fn impossible_domains_are_refused() {
    let refused = |model: MosaicModel, cell: &Orientation, count: usize| {
        fill_domains(&model, cell, &mut vec![IDENTITY; count]).expect_err("a refusal")
    };
    let quantity = |error| {
        let Error::OutOfRange { quantity, .. } = error else { panic!("{error}") };
        quantity
    };
    let default = MosaicModel::default();
    for spread in [[0.1, 0.0, 0.1], [0.1, -0.1, 0.1], [f64::NAN, 0.1, 0.1], [0.1, 0.1, f64::INFINITY]] {
        let model = MosaicModel { spread: MosaicSpread::Axes(spread), ..default };
        assert_eq!(quantity(refused(model, &cell(), 4)), "mosaic spread about an axis in rad");
    }
    let infinite = MosaicModel { spread: MosaicSpread::Isotropic(f64::INFINITY), ..default };
    assert_eq!(quantity(refused(infinite, &cell(), 4)), "mosaic spread in rad");
    assert_eq!(quantity(refused(default, &cell(), 0)), "number of mosaic domains");
    let (spiral, pairs) = (MosaicAxes::Spiral, true);
    for model in [MosaicModel { axes: spiral, ..default }, MosaicModel { pairs, ..default }] {
        assert_eq!(quantity(refused(model, &cell(), 5)), "number of mosaic domains in pairs");
    }
    let flat = Orientation { c_m: cell().a_m + cell().b_m, ..cell() };
    let model = MosaicModel { spread: spreads(), ..default };
    let error = refused(model, &Orientation { c_m: Vec3::default(), ..flat }, 4);
    assert_eq!(error, Error::SingularMatrix);
}
