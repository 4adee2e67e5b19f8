//! Models read from PDB and mmCIF files and their structure factors, compared with golden figures of gemmi and cctbx;
//! and the readers on mutations of the seeds of the fuzz target `coordinates`.
//!
//! The 30 atoms are made up, in P 1, P 21 21 21 and P 32 2 1.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use widebragg_coordinates::anomalous::Anomalous;
use widebragg_coordinates::direct::structure_factors;
use widebragg_coordinates::scatterers::Scatterers;
use widebragg_coordinates::solvent::Solvent;
use widebragg_coordinates::structure_factors::{Method, Settings, StructureFactors};
use widebragg_formats::coordinates::read_model;
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::symmetry::SpaceGroup;
use widebragg_tests::coordinates::check;
use widebragg_tests::golden;
use widebragg_tests::mutants::each_mutant;

const D_MIN: f64 = 2.0;

/// The golden crystals: prefix of their files, and their groups.
const CRYSTALS: [(&str, &str); 3] = [("p1", "P 1"), ("p212121", "P 21 21 21"), ("p3221", "P 32 2 1")];

fn golden_file(name: &str) -> PathBuf {
    golden::root().join("coordinates").join(name)
}

fn scatterers_of(file: &str, group: &str) -> Scatterers {
    let model = read_model(&golden_file(file)).expect("a model");
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    let group = SpaceGroup::from_name(group, None).expect("a space group");
    Scatterers::new(&model, &group).expect("scatterers")
}

/// A row of a golden table: the index and the numbers after it.
type GoldenRow = ([i32; 3], Vec<f64>);

fn table(name: &str) -> Vec<GoldenRow> {
    let text = fs::read_to_string(golden_file(name)).expect("a table");
    let lines = text.lines().filter(|line| line.starts_with(|c: char| c == '-' || c.is_ascii_digit()));
    let rows: Vec<GoldenRow> = lines
        .map(|line| {
            let numbers: Vec<f64> = line.split(',').map(|word| word.parse().expect("a number")).collect();
            ([0, 1, 2].map(|i| numbers[i] as i32), numbers[3..].to_vec())
        })
        .collect();
    assert!(rows.len() >= 100, "{name}: {}", rows.len());
    rows
}

/// Every golden crystal, with isotropic and with anisotropic atoms, and from mmCIF: file, prefix of its tables,
/// group.
fn cases() -> impl Iterator<Item = (String, String, &'static str)> {
    CRYSTALS.into_iter().flat_map(|(name, group)| {
        [("iso", "pdb"), ("aniso", "pdb"), ("aniso", "cif")]
            .map(|(kind, extension)| (format!("{name}_{kind}.{extension}"), format!("{name}_{kind}"), group))
    })
}

/// Largest distance of F from the golden one, in units of the largest golden |F|.
fn worst(found: impl Iterator<Item = [f64; 2]>, golden: &[GoldenRow]) -> f64 {
    let largest = golden.iter().map(|(_, f)| f[0].hypot(f[1])).fold(0.0, f64::max);
    let distances = found.zip(golden).map(|(f, (_, golden))| (f[0] - golden[0]).hypot(f[1] - golden[1]));
    distances.fold(0.0, f64::max) / largest
}

#[test]
fn direct_sums_are_those_of_gemmi() {
    for (file, table_name, group) in cases() {
        let golden = table(&format!("{table_name}_direct.csv"));
        assert!(golden.iter().any(|(hkl, _)| *hkl == [0, 0, 0]), "{file} lacks F(0 0 0)");
        let hkls: Vec<[i32; 3]> = golden.iter().map(|(hkl, _)| *hkl).collect();
        let found = structure_factors(&scatterers_of(&file, group), &[], &hkls);
        let worst = worst(found.iter().map(|f| [f.plus.re, f.plus.im]), &golden);
        println!("{file}: {worst:.1e}");
        assert!(worst < 1e-6, "{file} {worst:e}");
    }
}

#[test]
fn anomalous_scattering_and_mates_are_those_of_cctbx() {
    let text = fs::read_to_string(golden_file("fprime.json")).expect("f', f''");
    let known: HashMap<String, [f64; 2]> = serde_json::from_str(&text).expect("f', f''");
    for (file, table_name, group) in cases() {
        let scatterers = scatterers_of(&file, group);
        let of_element = |element: widebragg_coordinates::elements::Element| {
            let [f_prime, f_double_prime] = known[element.symbol()];
            Anomalous { f_prime, f_double_prime }
        };
        let anomalous: Vec<Anomalous> = scatterers.elements().into_iter().map(of_element).collect();
        let golden = table(&format!("{table_name}_anomalous.csv"));
        let hkls: Vec<[i32; 3]> = golden.iter().map(|(hkl, _)| *hkl).collect();
        let mates = hkls.iter().filter(|hkl| hkls.contains(&hkl.map(|index| -index))).count();
        assert!(mates >= 100, "{file}: {mates} mates");
        let found = structure_factors(&scatterers, &anomalous, &hkls);
        let plus = worst(found.iter().map(|f| [f.plus.re, f.plus.im]), &golden);
        println!("{file}: {plus:.1e}");
        // cctbx holds the table of form factors in single precision, which moves F by up to 1.05e-8 of the largest;
        // with the table rounded so, the sums agree to 1.1e-9.
        assert!(plus < 1.1e-8, "{file} {plus:e}");
        for (hkl, f) in hkls.iter().zip(&found) {
            if let Some(mate) = hkls.iter().position(|other| *other == hkl.map(|index| -index)) {
                assert!((found[mate].plus - f.minus).norm() < 1e-9, "{file} {hkl:?}");
            }
        }
    }
}

/// |F| of a table of indices, from the dense box to the resolution.
fn from_box(factors: &StructureFactors, scatterers: &Scatterers, hkls: &[[i32; 3]]) -> Vec<f64> {
    let bounds = IndexBox::symmetric(scatterers.largest_indices(D_MIN).expect("indices"));
    let mut amplitudes = vec![f64::NAN; bounds.nodes().expect("a box")];
    factors.amplitudes_into(&[], &bounds, &mut amplitudes).expect("a box");
    let at = |&hkl: &[i32; 3]| amplitudes[bounds.position(hkl).expect("an index in the box")];
    hkls.iter().map(at).collect()
}

#[test]
fn transforms_are_within_their_bounds() {
    for (file, table_name, group) in cases() {
        let golden = table(&format!("{table_name}_direct.csv"));
        let hkls: Vec<[i32; 3]> = golden.iter().map(|(hkl, _)| *hkl).collect();
        let scatterers = scatterers_of(&file, group);
        let exact: Vec<f64> =
            structure_factors(&scatterers, &[], &hkls).iter().map(|f| f.plus.norm()).collect();
        let settings = Settings { method: Method::Fft, ..Settings::to_resolution(D_MIN) };
        let factors = StructureFactors::new(&scatterers, &settings, &[], &[]).expect("structure factors");
        let found = from_box(&factors, &scatterers, &hkls);
        let errors: Vec<f64> = found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).collect();
        let r = errors.iter().sum::<f64>() / exact.iter().sum::<f64>();
        let worst = errors.iter().copied().fold(0.0, f64::max) / exact.iter().copied().fold(0.0, f64::max);
        println!("{file}: R {r:.1e}, worst {worst:.1e}");
        // The bounds asked for are 2e-5 and 1e-4.
        assert!(r < 1e-7 && worst < 1e-7, "{file}: R {r:e}, worst {worst:e}");
        assert!(r > 0.0, "the transform was not used");
    }
}

#[test]
fn bulk_solvent_is_that_of_gemmi() {
    // The step of the golden masks.
    let solvent = Solvent { step_angstrom: 0.3, ..Solvent::default() };
    // There is no table for the isotropic atoms in P 1.
    for (file, table_name, group) in cases().filter(|(_, name, _)| name != "p1_iso") {
        let golden = table(&format!("{table_name}_solvent.csv"));
        let scatterers = scatterers_of(&file, group);
        let hkls: Vec<[i32; 3]> = golden.iter().map(|(hkl, _)| *hkl).collect();
        let found = solvent.f_mask(&scatterers, &hkls).expect("F_mask");
        let settings = Settings { solvent: Some(solvent), ..Settings::to_resolution(D_MIN) };
        let factors = StructureFactors::new(&scatterers, &settings, &[], &[]).expect("structure factors");
        let totals = from_box(&factors, &scatterers, &hkls);
        let [mut distance, mut size, mut total_distance, mut total_size, mut count] = [0.0; 5];
        for (((hkl, golden), mask), total) in golden.iter().zip(&found).zip(&totals) {
            // Beyond 4 Angstrom. F(0 0 0), the volume of the solvent, would hide the others.
            if *hkl != [0, 0, 0] && scatterers.stol_squared(*hkl) < 1.0 / 64.0 {
                distance += (mask.re - golden[0]).hypot(mask.im - golden[1]);
                size += golden[0].hypot(golden[1]);
                let golden_total = golden[2].hypot(golden[3]);
                total_distance += (total - golden_total).abs();
                total_size += golden_total;
                count += 1.0;
            }
        }
        let [r, r_total] = [distance / size, total_distance / total_size];
        println!("{file}: R of F_mask {r:.3}, of F_total {r_total:.4}, {count} reflections");
        assert!(count > 5.0, "{count} reflections");
        assert!(r < 0.05, "{file} {r}");
        assert!(r_total < 0.03, "{file} {r_total}");
    }
}

/// Pieces that models are made of and broken by.
const PIECES: [&str; 16] = [
    "\n",
    "data_",
    "loop_\n",
    "_atom_site.id ",
    "ATOM  ",
    "HETATM",
    "ANISOU",
    "CRYST1",
    "ENDMDL\n",
    "nan",
    "1e999",
    "?",
    "'",
    "\n;",
    "\0",
    "\u{fffd}",
];

#[test]
fn mutated_models_are_read_or_refused_in_one_line() {
    let (mut refused, mut read) = (0, 0);
    each_mutant("coordinates", &PIECES, |bytes| {
        let refusals = check(bytes, "some.file");
        assert!(refusals.iter().all(|line| line.starts_with("some.file")), "{refusals:?}");
        assert!(refusals.iter().all(|line| !line.contains(char::is_control)), "{refusals:?}");
        // Bytes are a model, a scan or neither, and never both.
        assert!(!refusals.is_empty());
        refused += usize::from(refusals.len() > 1);
        read += usize::from(refusals.len() == 1);
    });
    println!("{refused} refused, {read} read");
    assert!(refused > 2000 && read > 5000, "{refused} refused, {read} read");
}
