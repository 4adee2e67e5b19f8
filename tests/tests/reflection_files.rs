//! Files of reflections: the golden MTZ, CIF and gzip files give the columns, cells, counts and values that they must,
//! or the refusal; files made here show what the golden ones do not.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use widebragg_formats::hkl::parse_hkl;
use widebragg_formats::reflections::p1::{Reflections, Wanted, read_reflections};
use widebragg_formats::reflections::{Choice, Contents, ReflectionFile, parse_reflections, write_mtz};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::{Hkl, Observation, Quantity};
use widebragg_tests::golden;

/// F m -3 m, by its definition: a reflection of each kind has all permutations of its indices with all signs, and those whose
/// indices are not all even or all odd are absent.
#[test]
fn a_cubic_list_has_all_its_equivalents_and_no_absent_ones() {
    /// The indices, largest first, F, and the number of equivalents.
    const LISTED: [([i32; 3], f64, usize); 7] = [
        ([4, 0, 0], 10.5, 6),
        ([3, 3, 3], 20.25, 8),
        ([4, 4, 0], 30.5, 12),
        ([3, 1, 1], 40.75, 24),
        ([3, 3, 1], 45.5, 24),
        ([4, 2, 0], 50.25, 24),
        ([5, 3, 1], 60.5, 48),
    ];
    const ABSENT: [[i32; 3]; 3] = [[1, 0, 0], [2, 1, 0], [4, 3, 2]];
    let mut text =
        "data_cubic\n_symmetry.space_group_name_H-M 'F m -3 m'\nloop_\n_refln.index_h\n_refln.index_k\n\
                    _refln.index_l\n_refln.F_meas_au\n"
            .to_owned();
    // Any of the equivalents may be the one that is listed.
    for ([h, k, l], f, _) in LISTED {
        text += &format!("{} {} {} {f}\n", -l, h, -k);
    }
    for [h, k, l] in ABSENT {
        text += &format!("{k} {l} {} 99\n", -h);
    }
    let read = read_reflections(&mut text.as_bytes(), Path::new("a"), &Wanted::default(), None, 7.0);
    let Ok(Reflections::Unique(unique)) = read else { panic!("{read:?}") };
    let counts = unique.summary.counts;
    assert_eq!((counts.unique, counts.absent, counts.expanded), (7, 3, 6 + 8 + 12 + 3 * 24 + 48));
    let table = unique.table(7.0, None).unwrap();
    assert_eq!([table.h, table.k, table.l], [(-5, 5); 3]);
    let mut found = [0; LISTED.len()];
    for (hkl, f) in table.nodes() {
        let mut sizes = hkl.map(i32::abs);
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let kind = LISTED.iter().position(|(indices, _, _)| *indices == sizes);
        let odd = hkl.iter().filter(|index| *index % 2 != 0).count();
        let expected = match kind {
            Some(kind) => LISTED[kind].1,
            None if odd == 0 || odd == 3 => 7.0,
            None => 0.0,
        };
        assert_eq!(f, expected, "{hkl:?}");
        if let Some(kind) = kind {
            found[kind] += 1;
        }
    }
    assert_eq!(found, LISTED.map(|(_, _, multiplicity)| multiplicity));
}

/// What a refusal says, by case.
const REFUSALS: [(&str, &str); 36] = [
    (
        "p3221_pm_no_such",
        "no column \"FOO\"; the file has IMEAN (intensity), SIGIMEAN (uncertainty), F (amplitude)",
    ),
    (
        "p3221_pm_phase",
        "PHIC is no amplitude or intensity (phase); the file has FreeR_flag (integer), FP (amplitude)",
    ),
    ("f_r_type", "no amplitudes or intensities are taken by default; the file has FCALC (real number)"),
    (
        "map_only",
        "no amplitudes or intensities are taken by default; the file has FWT (amplitude), PHWT (phase)",
    ),
    ("bad_empty", "no reflections in it"),
    ("bad_four_bytes", "ends before byte 80"),
    ("bad_cut_in_data", "ends at byte 4830, but its header should begin at byte 9580"),
    ("bad_cut_in_header", "the header from byte 9580 on has no END before the file ends at byte 10460"),
    ("bad_header_beyond", "ends at byte 2180, but its header should begin at byte 399999996"),
    ("bad_header_negative", "bytes 4 to 7: a header cannot begin at word -7"),
    ("bad_header_in_stamp", "bytes 4 to 7: a header cannot begin at word 5"),
    ("bad_header_64_huge", "bytes 12 to 19: a header cannot begin at word 4611686018427387904"),
    ("bad_ncol_huge", "NCOL says 99999999 columns, but 5 are described"),
    (
        "bad_nref_huge",
        "999999999999 reflections of 5 columns do not fit between byte 80 and the header at byte 180",
    ),
    ("bad_ncol_differs", "NCOL says 4 columns, but 5 are described"),
    ("bad_nref_more_than_data", "6 reflections of 5 columns do not fit"),
    ("bad_nan_index", "reflection 6, H: NaN is not an index"),
    ("bad_fractional_index", "reflection 6, K: 1.5 is not an index"),
    ("bad_infinite_f", "reflection 6, F: inf is not a finite number"),
    ("bad_no_f", "no amplitudes or intensities are taken by default; the file has"),
    ("bad_no_hkl", "no column H of indices (type H)"),
    ("bad_no_rows", "no reflections in it"),
    ("bad_unmerged", "unmerged (1 batches): merge it first, e.g. aimless, dials.merge"),
    ("bad_binary_header", "the header from byte 9580 on has no END before the file ends at byte 14700"),
    ("sf_blocks_unmerged", "the reflections are unmerged (_diffrn_refln): merge them first"),
    ("cut_gz", "the gzip archive ends before its end"),
    ("bad_crc_gz", "the gzip archive is damaged (corrupt gzip stream does not have a matching checksum)"),
    ("bad_cif_loop_uneven", ":22: the row has 3 of the 4 values of the loop that begins at line 16"),
    ("bad_cif_open_text", ":17: the text field does not end"),
    ("bad_cif_fraction", ":21: k: \"2.5\" is not an integer"),
    ("bad_cif_huge", ":21: k: \"99999999999\" is beyond the largest index, 1000000"),
    ("bad_cif_no_index", "the table of reflections has no column index_l"),
    ("bad_cif_word", ":21: \"abc\" is not a finite number"),
    ("bad_cif_no_block", ":1: the file does not begin with a data_ heading"),
    ("bad_cif_bytes", ":2: a NUL byte, which no text has"),
    ("bad_cif_model", "no atoms in it"),
];

/// Cases whose reflections are read, and whose symmetry is refused by those who use it.
const SYMMETRY: [(&str, &[&str], Option<&str>); 5] = [
    ("bad_bad_symm", &["X,Y,Z", "-X,Y+1/2"], Some("P 1 21 1")),
    ("bad_singular_symm", &["X,Y,Z", "X,X,Z"], Some("P 1 21 1")),
    ("bad_not_a_group", &["X,Y,Z", "X,X+Y,Z"], Some("P 1 21 1")),
    ("bad_cif_no_group", &[], None),
    ("bad_cif_unknown_group", &[], Some("P 99 99 99")),
];

fn folder() -> std::path::PathBuf {
    golden::root().join("reflections")
}

/// The golden cases whose files are here, by name.
fn cases() -> BTreeMap<String, Value> {
    let text = fs::read(folder().join("cases.json")).expect("cases.json");
    let mut cases: BTreeMap<String, Value> = serde_json::from_slice(&text).expect("cases");
    cases.retain(|_, case| {
        [".mtz", ".cif", ".fcf", ".gz"].iter().any(|ending| text_of(case, "file").ends_with(ending))
    });
    assert!(cases.len() > 80, "{} cases", cases.len());
    cases
}

fn text_of<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

fn choice(case: &Value) -> Choice {
    let options: Vec<&str> =
        case["options"].as_array().expect("options").iter().filter_map(Value::as_str).collect();
    let value = |name| options.iter().position(|option| *option == name).map(|at| options[at + 1]);
    Choice {
        columns: value("--hkl-columns")
            .map_or(Vec::new(), |list| list.split(',').map(str::to_owned).collect()),
        block: value("--hkl-block").map(str::to_owned),
        ..Choice::default()
    }
}

/// Reads bytes named `a`, which are no lines of h k l F.
fn read(bytes: &[u8], choice: &Choice) -> Result<ReflectionFile, String> {
    let mut input = bytes;
    let path = Path::new("a");
    match parse_reflections(&mut input, path, choice).map_err(|failure| failure.to_string())? {
        Contents::File(file) => Ok(*file),
        Contents::Model(_) => Err("a: this is an atomic model".to_owned()),
        Contents::Text(text) => {
            Err(parse_hkl(text, path, 0.0, 1 << 16).expect_err("a golden text that is refused").to_string())
        }
    }
}

fn golden_file(case: &Value) -> Result<ReflectionFile, String> {
    read(&fs::read(folder().join(text_of(case, "file"))).expect("a golden file"), &choice(case))
}

/// The list of P1 that a case must give.
fn expected(case: &Value) -> BTreeMap<Hkl, f64> {
    let text = fs::read_to_string(folder().join(text_of(case, "expected"))).expect("a list");
    let rows = text.lines().skip(1).map(|line| {
        let words: Vec<&str> = line.split(',').collect();
        let index = |at: usize| words[at].parse().expect("an index");
        ([index(0), index(1), index(2)], words[3].parse().expect("an amplitude"))
    });
    rows.collect()
}

fn amplitude(quantity: Quantity, value: f64) -> f64 {
    match quantity {
        Quantity::Amplitude => value.max(0.0),
        Quantity::Intensity => value.max(0.0).sqrt(),
    }
}

#[test]
fn golden_files_give_their_columns_cells_counts_and_values() {
    let mut read = 0;
    for (name, case) in cases().iter().filter(|(name, case)| case["error"].is_null() && *name != "text_gz") {
        let file = golden_file(case).unwrap_or_else(|error| panic!("{name}: {error}"));
        read += 1;
        if let Some(columns) = case["columns_used"].as_array() {
            assert_eq!(file.taken, columns.iter().filter_map(Value::as_str).collect::<Vec<_>>(), "{name}");
        }
        if let Some(cell) = case["cell"].as_array() {
            let numbers: Vec<f64> = cell.iter().filter_map(Value::as_f64).collect();
            let found = file.cell.unwrap_or_else(|| panic!("{name} has a cell"));
            assert_eq!([found.lengths_angstrom, found.angles_deg].concat(), numbers, "{name}");
        }
        if let Some(missing) = case["missing"].as_u64() {
            assert_eq!(file.missing as u64, missing, "{name}");
        }
        let list = &file.observations.list;
        if let Some(negative) = case["negative"].as_u64() {
            assert_eq!(list.iter().filter(|one| one.value < 0.0).count() as u64, negative, "{name}");
        }
        let warning = text_of(case, "warning");
        assert!(warning.is_empty() || file.warnings.iter().any(|text| text.contains(warning)), "{name}");
        // Every value of the columns is an observation; a difference gives each mate one.
        let present = |label: &String| {
            file.columns.iter().find(|column| column.label == *label).expect("a column that is taken").present
        };
        let values: usize = match name.as_str() {
            "c2_dano" => 2 * present(&file.taken[0]),
            _ => file.taken.iter().map(present).sum(),
        };
        assert_eq!(list.len(), values, "{name}");
        let expected = expected(case);
        let is_merged = name == "p3221_pm_merged";
        let mut absent = 0;
        for &Observation { hkl, value, .. } in list {
            match expected.get(&hkl) {
                Some(&f) => {
                    assert!(is_merged || f == amplitude(file.observations.quantity, value), "{name}: {hkl:?}")
                }
                None => absent += 1,
            }
        }
        // The case of another column of this file does not say so.
        let known = if name == "p212121_refmac_FC" { 3 } else { case["absent"].as_u64().unwrap_or(0) };
        assert_eq!(absent, known, "{name}");
    }
    assert_eq!(read, 44);
}

#[test]
fn golden_files_that_are_refused_say_why() {
    let mut refused = 0;
    for (name, case) in cases().iter().filter(|(_, case)| !case["error"].is_null()) {
        if let Some((_, operators, group)) = SYMMETRY.iter().find(|(of, _, _)| of == name) {
            let file = golden_file(case).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                (file.symmetry.operators, file.symmetry.name.as_deref()),
                (operators.iter().map(|&text| text.to_owned()).collect(), *group),
                "{name}"
            );
            continue;
        }
        refused += 1;
        let error = golden_file(case).expect_err(name);
        let known = REFUSALS.iter().find(|(of, _)| of == name);
        let (_, words) = known.unwrap_or_else(|| panic!("{name}: {error}"));
        assert!(error.starts_with('a') && error.contains(words), "{name}: {error}");
    }
    assert_eq!(refused, REFUSALS.len());
}

/// A stream that gives a few bytes at a time, as a pipe may.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(to.len());
        self.0.read(&mut to[..length])
    }
}

#[test]
fn files_may_arrive_in_small_pieces() {
    for name in [
        "p3221_pm_half",
        "offset64_big",
        "sf_crlf",
        "sf_gz",
        "fcf_list6",
        "bad_cut_in_data",
        "bad_cif_open_text",
    ] {
        let case = &cases()[name];
        let bytes = fs::read(folder().join(text_of(case, "file"))).expect("a golden file");
        for most in [1, 7, 4096] {
            let mut input = Drops(&bytes, most);
            let file = parse_reflections(&mut input, Path::new("a"), &choice(case));
            let file = file.map_err(|failure| failure.to_string()).map(|contents| match contents {
                Contents::File(file) => *file,
                Contents::Text(_) | Contents::Model(_) => panic!("{name} is a list in a format"),
            });
            assert_eq!(file, golden_file(case), "{name}");
        }
    }
}

#[test]
fn symmetry_is_handed_on_as_it_is_stated() {
    let cases = cases();
    let symmetry = |name: &str| golden_file(&cases[name]).expect(name).symmetry;
    let ops_win = symmetry("ops_win");
    assert_eq!((ops_win.operators[1].as_str(), ops_win.number), ("-X,-Y,Z+1/2", Some(4)));
    // CCP4's number: the setting of group 155 on rhombohedral axes.
    assert_eq!(symmetry("r32r_f").number, Some(1155));
    assert_eq!(
        (symmetry("no_symm").operators.len(), symmetry("no_symm").name.as_deref()),
        (0, Some("P 1 21 1"))
    );
    assert_eq!(symmetry("padded").operators, ["x,  y,  z", "-x,  y+0.5,  -z"]);
    assert_eq!(symmetry("fcf_list4").operators.len(), 4);
    assert_eq!(
        (symmetry("sf_ops").operators.len(), symmetry("sf_ops").name.as_deref()),
        (4, Some("I 21 (funny)"))
    );
    assert_eq!((symmetry("sf_old_anomalous").number, symmetry("sf_old_anomalous").name), (Some(154), None));
    assert_eq!(symmetry("sf_blocks_third"), symmetry("sf_blocks"));
    assert_eq!(
        golden_file(&cases["sf_blocks_third"]).unwrap().cell,
        golden_file(&cases["sf_blocks"]).unwrap().cell
    );
    assert_eq!(golden_file(&cases["bad_zero_cell"]).unwrap().cell, None);
    assert_eq!(golden_file(&cases["p21_mad"]).unwrap().wavelength_angstrom, Some(0.9768));
}

#[test]
fn a_packed_text_is_handed_on_unpacked() {
    let case = &cases()["text_gz"];
    let packed = fs::read(folder().join(text_of(case, "file"))).unwrap();
    let mut input = &packed[..];
    let path = Path::new("text.hkl.gz");
    let Contents::Text(mut stream) = parse_reflections(&mut input, path, &Choice::default()).unwrap() else {
        panic!("lines of h k l F")
    };
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (_, lines) = text.split_once('\n').unwrap();
    let table = parse_hkl(Cursor::new(lines), path, f64::NAN, 1 << 20).unwrap();
    for ([h, k, l], f) in expected(case) {
        assert_eq!(table.position(h, k, l).map(|at| table.data[at]), Some(f));
    }
}

#[test]
fn the_check_sum_of_an_archive_counts_beyond_the_last_record() {
    let mut mtz = Mtz::new(&[("F", 'F')], &[&[1.0, 0.0, 0.0, 5.0]]).bytes();
    mtz.extend((0..100_000_u32).flat_map(|number| number.wrapping_mul(77).to_le_bytes()));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&mtz).unwrap();
    let mut packed = encoder.finish().unwrap();
    assert_eq!(read(&packed, &Choice::default()), read(&mtz, &Choice::default()));
    // The check sum lies before the length, which takes the last four bytes.
    let at = packed.len() - 5;
    packed[at] ^= 1;
    assert!(read(&packed, &Choice::default()).unwrap_err().contains("the gzip archive is damaged"));
}

/// An MTZ made here.
struct Mtz {
    /// Label, type and dataset of each column.
    columns: Vec<(&'static str, char, i64)>,
    rows: Vec<Vec<f32>>,
    /// Further records of the header.
    records: Vec<String>,
    is_long: bool,
    batches: usize,
}

impl Mtz {
    fn new(columns: &[(&'static str, char)], rows: &[&[f32]]) -> Self {
        let indices = [("H", 'H', 0), ("K", 'H', 0), ("L", 'H', 0)];
        let further = columns.iter().map(|&(label, kind)| (label, kind, 1));
        Self {
            columns: indices.into_iter().chain(further).collect(),
            rows: rows.iter().map(|row| row.to_vec()).collect(),
            records: Vec::new(),
            is_long: false,
            batches: 0,
        }
    }

    fn with(mut self, records: &[&str]) -> Self {
        self.records.extend(records.iter().map(|&record| record.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 80];
        bytes[..4].copy_from_slice(b"MTZ ");
        let values: Vec<f32> = self.rows.concat();
        let word = 21 + values.len() as i64;
        let short = if self.is_long { -1 } else { i32::try_from(word).expect("a short file") };
        bytes[4..8].copy_from_slice(&short.to_le_bytes());
        bytes[8..10].copy_from_slice(&[0x44, 0x41]);
        if self.is_long {
            bytes[12..20].copy_from_slice(&word.to_le_bytes());
        }
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let counts = format!("NCOL {} {} {}", self.columns.len(), self.rows.len(), self.batches);
        let columns =
            self.columns.iter().map(|(label, kind, dataset)| format!("COLUMN {label} {kind} 0 1 {dataset}"));
        let records =
            [counts].into_iter().chain(columns).chain(self.records.clone()).chain(["END".to_owned()]);
        bytes.extend(records.flat_map(|record| format!("{record:80}").into_bytes()));
        bytes
    }

    fn read(&self, columns: &[&str]) -> Result<ReflectionFile, String> {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        read(&self.bytes(), &Choice { columns, ..Choice::default() })
    }

    fn values(&self, columns: &[&str]) -> Vec<(Hkl, f64)> {
        let file = self.read(columns).unwrap();
        file.observations.list.iter().map(|one| (one.hkl, one.value)).collect()
    }
}

#[test]
fn a_missing_value_is_nan_or_the_number_of_valm() {
    let rows: [&[f32]; 3] = [&[1.0, 0.0, 0.0, -999.0], &[2.0, 0.0, 0.0, f32::NAN], &[3.0, 0.0, 0.0, 7.5]];
    let plain = Mtz::new(&[("F", 'F')], &rows);
    let file = plain.read(&[]).unwrap();
    assert_eq!((file.missing, file.observations.list[0].value), (1, -999.0));
    for record in ["VALM -999", "VALM -999.0"] {
        let marked = Mtz::new(&[("F", 'F')], &rows).with(&[record]);
        assert_eq!(marked.values(&[]), [([3, 0, 0], 7.5)]);
        let file = marked.read(&[]).unwrap();
        assert_eq!((file.read, file.missing, file.columns[0].present), (3, 2, 1));
    }
    assert_eq!(Mtz::new(&[("F", 'F')], &rows).with(&["VALM nan"]).values(&[]), plain.values(&[]));
    let error = Mtz::new(&[("F", 'F')], &rows).with(&["VALM many"]).read(&[]).unwrap_err();
    assert_eq!(error, "a: header record at byte 528, \"VALM many\": \"many\" is not a number");
}

#[test]
fn indices_are_found_by_name_and_bounded() {
    let mut last = Mtz::new(&[("F", 'F')], &[&[7.5, 1.0, -2.0, 3.0]]);
    last.columns.rotate_left(3);
    assert_eq!(last.values(&[]), [([1, -2, 3], 7.5)]);
    last.columns[1].0 = "X";
    assert_eq!(last.read(&[]).unwrap_err(), "a: no column H of indices (type H)");
    for (index, is_read) in
        [(1e6, true), (-1e6, true), (1_000_001.0, false), (f32::INFINITY, false), (0.5, false)]
    {
        let file = Mtz::new(&[("F", 'F')], &[&[0.0, 0.0, 0.0, 1.0], &[0.0, index, 0.0, 1.0]]).read(&[]);
        assert_eq!(file.is_ok(), is_read, "{index}");
        if let Err(error) = file {
            assert_eq!(error, format!("a: reflection 2, K: {index} is not an index"));
        }
    }
}

#[test]
fn a_position_of_64_bits_is_read_in_little_endian_files() {
    let mut long = Mtz::new(&[("F", 'F')], &[&[1.0, 2.0, 3.0, 7.5]]);
    let short = long.read(&[]).unwrap();
    long.is_long = true;
    assert_eq!(long.read(&[]).unwrap(), short);
    let mut bytes = long.bytes();
    bytes[12..20].copy_from_slice(&i64::MIN.to_le_bytes());
    assert!(
        read(&bytes, &Choice::default())
            .unwrap_err()
            .contains("bytes 12 to 19: a header cannot begin at word -")
    );
}

#[test]
fn numbers_of_old_machines_are_refused() {
    let bytes = Mtz::new(&[("F", 'F')], &[&[1.0, 2.0, 3.0, 7.5]]).bytes();
    for (stamp, words) in [
        ([0x24, 0x41], "floats of the format 2 with integers of the format 4 are not read"),
        ([0x22, 0x21], "the number format 2 of an old machine is not read"),
        ([0x44, 0x11], "floats of the format 4 with integers of the format 1 are not read"),
        ([0x14, 0x01], "floats of the format 1 with integers of the format 0 are not read"),
    ] {
        let mut bytes = bytes.clone();
        bytes[8..10].copy_from_slice(&stamp);
        assert_eq!(read(&bytes, &Choice::default()).unwrap_err(), format!("a: bytes 8 to 11: {words}"));
    }
}

#[test]
fn the_192_operators_of_f_m_3_m_are_handed_on() {
    let axes = [
        ["X", "Y", "Z"],
        ["X", "Z", "Y"],
        ["Y", "X", "Z"],
        ["Y", "Z", "X"],
        ["Z", "X", "Y"],
        ["Z", "Y", "X"],
    ];
    let shifts = [["", "", ""], ["", "+1/2", "+1/2"], ["+1/2", "", "+1/2"], ["+1/2", "+1/2", ""]];
    let mut operators = Vec::new();
    for axis in axes {
        for signs in 0..8 {
            for shift in shifts {
                let part = |at: usize| {
                    format!("{}{}{}", if signs >> at & 1 == 1 { "-" } else { "" }, axis[at], shift[at])
                };
                operators.push([part(0), part(1), part(2)].join(","));
            }
        }
    }
    let records: Vec<String> = operators.iter().map(|operator| format!("SYMM {operator}")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let group = "SYMINF 192 48 F   225               'F m -3 m' PGm3m";
    let file =
        Mtz::new(&[("F", 'F')], &[&[1.0, 1.0, 1.0, 5.0]]).with(&[group]).with(&records).read(&[]).unwrap();
    assert_eq!(file.symmetry.operators, operators);
    assert_eq!((file.symmetry.name.as_deref(), file.symmetry.number), (Some("F m -3 m"), Some(225)));
}

#[test]
fn a_dataset_has_a_cell_and_a_wavelength_of_its_own() {
    let cells = ["CELL 10 11 12 90 91 92", "DCELL 1 20 21 22 90 91 92", "DWAVEL 1 0.98", "DATASET 1 low res"];
    let mtz = Mtz::new(&[("F", 'F'), ("G", 'F')], &[&[1.0, 0.0, 0.0, 5.0, 6.0]]);
    let mut mtz = mtz.with(&cells).with(&["DCELL 2 0 0 0 0 0 0", "DWAVEL 2 0"]);
    mtz.columns[4].2 = 2;
    let first = mtz.read(&["F"]).unwrap();
    let cell = |a| Some(Cell { lengths_angstrom: [a, a + 1.0, a + 2.0], angles_deg: [90.0, 91.0, 92.0] });
    assert_eq!((first.cell, first.wavelength_angstrom), (cell(20.0), Some(0.98)));
    let second = mtz.read(&["G"]).unwrap();
    assert_eq!((second.cell, second.wavelength_angstrom, second.warnings.len()), (cell(10.0), None, 0));
    mtz.columns[4].0 = "F";
    assert_eq!(mtz.read(&["low res/F"]).unwrap().taken, ["low res/F"]);
}

#[test]
fn values_are_those_of_the_columns() {
    let rows: [&[f32]; 3] = [
        &[1.0, 2.0, 3.0, 10.5, 3.0, f32::INFINITY],
        &[1.0, 2.0, 4.0, 8.0, f32::NAN, 0.0],
        &[1.0, 2.0, 5.0, f32::NAN, 1.0, 0.0],
    ];
    let mtz = Mtz::new(&[("FP", 'F'), ("DANO", 'D'), ("I", 'J')], &rows);
    assert_eq!(
        mtz.values(&[]),
        [([1, 2, 3], 12.0), ([-1, -2, -3], 9.0), ([1, 2, 4], 8.0), ([-1, -2, -4], 8.0)]
    );
    assert_eq!(mtz.read(&[]).unwrap().missing, 1);
    assert_eq!(mtz.read(&["I"]).unwrap_err(), "a: reflection 1, I: inf is not a finite number");
    let pair = Mtz::new(
        &[("F(-)", 'G'), ("F(+)", 'G')],
        &[&[0.0, 0.0, 1.0, 4.0, f32::NAN], &[0.0, 1.0, 0.0, 5.0, 6.0]],
    );
    assert_eq!(pair.values(&[]), [([0, 0, -1], 4.0), ([0, 1, 0], 6.0), ([0, -1, 0], 5.0)]);
}

#[test]
fn unmerged_and_incomplete_headers_are_refused() {
    let mut batches = Mtz::new(&[("F", 'F')], &[&[1.0, 0.0, 0.0, 5.0]]);
    batches.batches = 12;
    assert!(batches.read(&[]).unwrap_err().contains("unmerged (12 batches)"));
    let columns = [("M/ISYM", 'Y'), ("BATCH", 'B'), ("I", 'J')];
    assert!(Mtz::new(&columns, &[&[1.0; 6]]).read(&[]).unwrap_err().contains("unmerged"));
    assert!(Mtz::new(&[("ISYM", 'Y'), ("I", 'J')], &[&[1.0; 5]]).read(&[]).is_ok());
    let good = Mtz::new(&[("F", 'F')], &[&[1.0, 0.0, 0.0, 5.0]]).with(&["REM x"]).bytes();
    let without = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("a record");
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        read(&bytes, &Choice::default())
    };
    assert_eq!(without(b"NCOL", b"XCOL").unwrap_err(), "a: the header has no record NCOL");
    assert!(without(b"NCOL 4 1", b"NCOL 4 -").unwrap_err().contains("\"-\" is not a count"));
    assert!(
        without(b"COLUMN F F", b"COLUMN F FF")
            .unwrap_err()
            .contains("needs a label and a type of one letter")
    );
    assert!(without(b"REM x", b"DCELL 1 2").unwrap_err().contains("needs 6 numbers"));
    // The last record of the file may be short.
    assert!(read(&good[..good.len() - 77], &Choice::default()).is_ok());
    assert!(read(&good[..good.len() - 78], &Choice::default()).unwrap_err().contains("has no END"));
    let many: Vec<String> = (0..2000).map(|number| format!("COLUMN F{number} F 0 1 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let error = Mtz::new(&[("F", 'F')], &[&[1.0; 4]]).with(&many).read(&[]).unwrap_err();
    assert!(error.ends_with("more than 2000 columns"), "{error}");
    let block = Choice { block: Some("a".to_owned()), ..Choice::default() };
    assert!(read(&good, &block).unwrap_err().contains("an MTZ has no data blocks"));
}

#[test]
fn a_list_that_is_written_reads_back() {
    let cell = Cell { lengths_angstrom: [31.2, 40.5, 27.8], angles_deg: [90.0, 104.25, 90.0] };
    let mut list: Vec<(Hkl, f64)> =
        (-2..3).flat_map(|h| (-3..2).map(move |l| ([h, 7, l], f64::from(h * 10 + l) + 0.25))).collect();
    list.push(([1, 1, 1], f64::NAN));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("P1.mtz");
    write_mtz(&path, &cell, list.iter().copied()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = read(&bytes, &Choice::default()).unwrap();
    assert_eq!((file.cell, file.taken.concat().as_str(), file.missing), (Some(cell), "F", 1));
    assert_eq!((file.symmetry.operators.concat().as_str(), file.symmetry.number), ("X,  Y,  Z", Some(1)));
    let back: Vec<(Hkl, f64)> = file.observations.list.iter().map(|one| (one.hkl, one.value)).collect();
    assert_eq!(back, list[..list.len() - 1]);
    // The greatest 1/d^2 is that of -2 7 -3, since beta is obtuse.
    let header = String::from_utf8_lossy(&bytes).into_owned();
    let resolution =
        header.split("RESO").nth(1).and_then(|rest| rest.split_whitespace().nth(1)).expect("RESO");
    let (sine, cosine) = 104.25_f64.to_radians().sin_cos();
    let in_plane = 4.0 / (31.2 * 31.2) + 9.0 / (27.8 * 27.8) - 12.0 * cosine / (31.2 * 27.8);
    let expected = in_plane / (sine * sine) + 49.0 / (40.5 * 40.5);
    assert!((resolution.parse::<f64>().unwrap() - expected).abs() < 1e-11, "{resolution} {expected}");
    // What the reader refuses is not written.
    let path = folder.path().join("limits.mtz");
    let nothing: [([i32; 3], f64); 0] = [];
    let flat = Cell { angles_deg: [60.0, 60.0, 130.0], ..cell };
    for (cell, list, expected) in [
        (cell, &[([1_000_001, 0, 0], 1.0)][..], "the indices 1000001 0 0 are too large for an MTZ"),
        (cell, &[([1, 0, 0], 1e39)], "F of 1 0 0, 1e39, is too large for an MTZ"),
        (cell, &nothing, "no reflections for an MTZ"),
        (flat, &[([1, 0, 0], 1.0)], " is not possible"),
    ] {
        let error = write_mtz(&path, &cell, list.iter().copied()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!path.exists());
    }
    write_mtz(&path, &cell, [([1_000_000, 0, -1_000_000], f64::from(f32::MAX))].into_iter()).unwrap();
    assert_eq!(read(&fs::read(&path).unwrap(), &Choice::default()).unwrap().read, 1);
}
