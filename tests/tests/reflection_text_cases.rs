//! The golden files of reflections as text (golden/reflections): what each reader takes of them, expanded here by the
//! operators of the file's point group, is the list of P1 that other programs make of the file.
//!
//! The expansion is an oracle of its own: it shares no code with the program's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use widebragg_formats::failure::Failure;
use widebragg_formats::reflections::hklf::Hklf;
use widebragg_formats::reflections::{Choice, ReflectionFile, cns, crystfel, hklf, scalepack, xds};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::{Hkl, Mates, Observation, Observations, Quantity};
use widebragg_reflections::symmetry::StatedSymmetry;

/// What is used of an entry of cases.json.
#[derive(Deserialize)]
struct Case {
    file: String,
    options: Vec<String>,
    expected: Option<String>,
    reflections_p1: Option<usize>,
    columns_used: Option<Vec<String>>,
    cell: Option<[f64; 6]>,
    point_group: Option<String>,
}

fn folder() -> PathBuf {
    widebragg_tests::golden::root().join("reflections")
}

fn case(name: &str) -> Case {
    let text = fs::read(folder().join("cases.json")).unwrap();
    let mut cases: BTreeMap<String, Case> = serde_json::from_slice(&text).unwrap();
    cases.remove(name).unwrap()
}

/// Reads a file by the only reader that recognises it, or as HKLF where that is given.
fn read(file: &str, hklf: Option<Hklf>) -> Result<ReflectionFile, Failure> {
    let (path, choice) = (Path::new(file), Choice::default());
    let bytes = fs::read(folder().join(file)).unwrap();
    let input = &mut io::BufReader::new(&bytes[..]);
    let start = &bytes[..bytes.len().min(512)];
    let known = [xds::begins(start), crystfel::begins(start), scalepack::begins(start), cns::begins(start)];
    match (hklf, known) {
        (Some(hklf), [false, false, false, false]) => hklf::parse(input, path, &choice, hklf),
        (None, [true, false, false, false]) => xds::parse(input, path, &choice),
        (None, [false, true, false, false]) => crystfel::parse(input, path, &choice),
        (None, [false, false, true, false]) => scalepack::parse(input, path, &choice),
        (None, [false, false, false, true]) => cns::parse(input, path, &choice),
        _ => panic!("{file} is recognised as {known:?}"),
    }
}

/// An operator on indices, h' = h R.
type Operator = fn(Hkl) -> Hkl;

const TWO_Y: Operator = |[h, k, l]| [-h, k, -l];
const TWO_X: Operator = |[h, k, l]| [h, -k, -l];
const TWO_XY: Operator = |[h, k, l]| [k, h, -l];
const THREE_Z: Operator = |[h, k, l]| [k, -h - k, l];
const FOUR_Z: Operator = |[h, k, l]| [k, -h, l];
const INVERSION: Operator = |[h, k, l]| [-h, -k, -l];

/// All images of an index under the group that the operators generate.
fn images(hkl: Hkl, generators: &[Operator]) -> BTreeSet<Hkl> {
    let mut found = BTreeSet::from([hkl]);
    loop {
        let more: BTreeSet<Hkl> =
            found.iter().flat_map(|&one| generators.iter().map(move |operator| operator(one))).collect();
        let before = found.len();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// The mean of equivalents; the value of a single one to the bit.
fn mean(equivalents: &[Observation], weighted: bool) -> f64 {
    if let [only] = equivalents {
        return only.value;
    }
    let weight = |one: &Observation| match one.sigma {
        Some(sigma) if weighted => 1.0 / (sigma * sigma),
        _ => 1.0,
    };
    let sum: f64 = equivalents.iter().map(weight).sum();
    equivalents.iter().map(|one| weight(one) * one.value).sum::<f64>() / sum
}

/// The list of P1, without the reflections that are absent.
fn expanded(
    observations: &Observations,
    generators: &[Operator],
    is_absent: fn(Hkl) -> bool,
) -> BTreeMap<Hkl, f64> {
    let classes_under = |generators: &[Operator]| {
        let mut classes = BTreeMap::<Hkl, Vec<Observation>>::new();
        for one in observations.list.iter().filter(|one| !is_absent(one.hkl)) {
            let representative = *images(one.hkl, generators).last().unwrap();
            classes.entry(representative).or_default().push(*one);
        }
        classes
    };
    let mut generators = generators.to_vec();
    let mut classes = classes_under(&generators);
    let has_mate = |hkl: &Hkl| {
        let mates = images(INVERSION(*hkl), &generators);
        !mates.contains(hkl) && classes.contains_key(mates.last().unwrap())
    };
    if observations.mates == Mates::Merged || !classes.keys().any(has_mate) {
        generators.push(INVERSION);
        classes = classes_under(&generators);
    }
    let mut list = BTreeMap::new();
    for (hkl, equivalents) in &classes {
        let mean = mean(equivalents, observations.weighted).max(0.0);
        let f = if observations.quantity == Quantity::Intensity { mean.sqrt() } else { mean };
        list.extend(images(*hkl, &generators).into_iter().map(|image| (image, f)));
    }
    let mates: Vec<_> = list.iter().map(|(&hkl, &f)| (INVERSION(hkl), f)).collect();
    for (mate, f) in mates {
        list.entry(mate).or_insert(f);
    }
    list
}

fn expected(file: &str) -> BTreeMap<Hkl, f64> {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("h,k,l,F"));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(',').collect();
            ([0, 1, 2].map(|axis| words[axis].parse().unwrap()), words[3].parse().unwrap())
        })
        .collect()
}

/// Reads the file of a case, and compares all that the case says. `rows` are the rows of the file, and those without a
/// value.
fn check(
    name: &str,
    hklf: Option<Hklf>,
    rows: (usize, usize),
    generators: &[Operator],
    is_absent: fn(Hkl) -> bool,
) -> ReflectionFile {
    let case = case(name);
    let mut file = read(&case.file, hklf).unwrap();
    assert_eq!((file.read, file.missing), rows, "{name}");
    if case.options.iter().any(|option| option == "--friedel") {
        file.observations.mates = Mates::Merged;
    }
    let list = expanded(&file.observations, generators, is_absent);
    let expected = expected(&case.expected.unwrap());
    assert_eq!(Some(list.len()), case.reflections_p1, "{name}");
    assert!(list.keys().eq(expected.keys()), "{name}");
    for (hkl, f) in &list {
        let right = expected[hkl];
        let bound = if file.observations.weighted { 1e-12 * right } else { 0.0 };
        assert!((f - right).abs() <= bound, "{name} {hkl:?}: {f:?}, not {right:?}");
    }
    if let Some(columns) = case.columns_used {
        assert_eq!(file.taken, columns, "{name}");
    }
    if let Some([a, b, c, alpha, beta, gamma]) = case.cell {
        let cell = Cell { lengths_angstrom: [a, b, c], angles_deg: [alpha, beta, gamma] };
        assert_eq!(file.cell, Some(cell), "{name}");
    }
    if case.point_group.is_some() {
        assert_eq!(file.symmetry, StatedSymmetry { point_group: case.point_group, ..none() }, "{name}");
    }
    file
}

fn none() -> StatedSymmetry {
    StatedSymmetry::default()
}

fn never(_: Hkl) -> bool {
    false
}

#[test]
fn xds() {
    let merged = check("xds_merged", None, (349, 0), &[FOUR_Z, TWO_X], never);
    assert_eq!(merged.symmetry, StatedSymmetry { number: Some(96), ..none() });
    assert_eq!((merged.observations.mates, merged.observations.weighted), (Mates::Merged, false));
    assert_eq!(merged.wavelength_angstrom, Some(0.9768));

    let unmerged = check("xds_unmerged", None, (657, 70), &[TWO_X, TWO_Y], never);
    assert_eq!(unmerged.symmetry, StatedSymmetry { number: Some(19), ..none() });
    assert_eq!((unmerged.observations.mates, unmerged.observations.weighted), (Mates::AsListed, true));
    assert_eq!(unmerged.observations.list.len(), 587);
    assert!(unmerged.warnings.is_empty());
    check("xds_unmerged_friedel", None, (657, 70), &[TWO_X, TWO_Y], never);
}

#[test]
fn crystfel() {
    let file = check("crystfel_4mmm", None, (222, 0), &[FOUR_Z, TWO_X, INVERSION], never);
    assert_eq!((file.cell, file.observations.weighted), (None, false));
    check("crystfel_222", None, (181, 0), &[TWO_X, TWO_Y], never);
    check("crystfel_2_uab", None, (398, 0), &[TWO_Y], never);
    check("crystfel_321_H", None, (236, 0), &[THREE_Z, TWO_XY], never);
}

#[test]
fn scalepack() {
    let file = check("scalepack", None, (194, 0), &[TWO_X, TWO_Y], never);
    assert_eq!(file.symmetry, StatedSymmetry { name: Some("p212121".into()), ..none() });
    assert_eq!(file.taken, ["I(+)", "I(-)"]);
    let (first, last) = (file.observations.list[0], file.observations.list.last().unwrap());
    assert_eq!((first.hkl, first.value, first.sigma), ([0, 0, 2], 13224.0, Some(120.5)));
    assert_eq!((last.hkl, last.value, last.sigma), ([6, 2, 0], 13219.9, Some(120.5)));
}

#[test]
fn cns() {
    for name in ["cns", "xplor", "cns_remark"] {
        let file = check(name, None, (148, 0), &[TWO_X, TWO_Y], never);
        let group = (name == "cns_remark").then(|| "P2(1)2(1)2(1)".to_owned());
        assert_eq!(file.symmetry, StatedSymmetry { name: group, ..none() }, "{name}");
        assert_eq!(file.cell.is_some(), name == "cns_remark", "{name}");
        let mates = if name == "xplor" { Mates::AsListed } else { Mates::Merged };
        assert_eq!(file.observations.mates, mates, "{name}");
        assert_eq!(file.observations.list[0].sigma, Some(1.5), "{name}");
    }
}

#[test]
fn hklf() {
    // P 21/c: 0k0 with k odd and h0l with l odd are absent.
    let is_absent = |[h, k, l]: Hkl| h == 0 && l == 0 && k % 2 != 0 || k == 0 && l % 2 != 0;
    let file = check("hklf3", Some(Hklf::Amplitudes), (12, 0), &[TWO_Y, INVERSION], is_absent);
    assert!(file.warnings.is_empty());
    let intensities = read("hklf4.hkl", Some(Hklf::Intensities)).unwrap();
    assert_eq!(intensities.observations.list, file.observations.list);
    assert_eq!(intensities.observations.quantity, Quantity::Intensity);
    assert_eq!((intensities.symmetry, intensities.cell), (none(), None));
}

#[test]
fn refusals() {
    let refused = |name: &str| read(&case(name).file, None).unwrap_err().to_string();
    assert_eq!(refused("xds_cut"), "xds_cut.HKL: the file is cut: no !END_OF_DATA after row 45");
    assert_eq!(
        refused("crystfel_cut"),
        "crystfel_cut.hkl: the list is cut: no \"End of reflections\" after row 236"
    );
}
