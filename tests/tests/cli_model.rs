//! Images from the coordinates of atomic models: the program computes the structure factors that its libraries and the
//! golden figures of gemmi and cctbx give, as far as the image reaches.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use widebragg_coordinates::anomalous::{AnomalousSource, EV_ANGSTROM};
use widebragg_coordinates::scatterers::Scatterers;
use widebragg_coordinates::solvent::Solvent;
use widebragg_coordinates::structure_factors::{Settings, StructureFactors};
use widebragg_formats::coordinates::read_model;
use widebragg_formats::dump::read_dump;
use widebragg_formats::hkl_table::HklTable;
use widebragg_reflections::symmetry::resolve;
use widebragg_tests::golden;
use widebragg_tests::program::Workplace;

/// A detector that reaches 1.97 Angstrom.
const IMAGE: &str = "-lambda 0.9768 -distance 100 -detpixels 64 -pixel 1.3 -misset 10 20 30 -nonoise -nopgm \
    -floatfile image.bin";

fn golden_file(name: &str) -> PathBuf {
    golden::root().join("coordinates").join(name)
}

/// A folder with the golden models.
fn place() -> Workplace {
    let place = Workplace::empty();
    for name in ["p1_aniso.pdb", "p212121_aniso.pdb", "p212121_aniso.cif", "p3221_iso.pdb", "p3221_aniso.cif"]
    {
        place.bring(&golden_file(name));
    }
    place
}

/// Renders, and returns the image and what is written to standard error.
fn image(place: &Workplace, options: &str) -> (Vec<f32>, String) {
    let outcome = place.run_line(&format!("{IMAGE} {options} --quiet")).well();
    (place.float("image.bin"), outcome.stderr)
}

/// The list of P 1 of a golden model to 1 Angstrom, as lines of h k l F.
fn list(file: &str, solvent: Option<Solvent>) -> String {
    let model = read_model(&golden_file(file)).expect("a model");
    let group = resolve(&model.symmetry, Some(&model.cell)).expect("a space group").group;
    let scatterers = Scatterers::new(&model, &group).expect("scatterers");
    let settings = Settings { solvent, ..Settings::to_resolution(1.0) };
    let source = AnomalousSource::tables();
    let factors = StructureFactors::at_energy(&scatterers, &settings, &source, EV_ANGSTROM / 0.9768);
    let mut text = String::new();
    factors.expect("structure factors").for_each_amplitude(&[], |[h, k, l], f| {
        text.push_str(&format!("{h} {k} {l} {f:?}\n"));
    });
    text
}

#[test]
fn the_image_of_a_model_is_that_of_its_list_without_limit() {
    let place = place();
    for file in ["p1_aniso.pdb", "p212121_aniso.pdb", "p3221_aniso.cif"] {
        let model = read_model(&golden_file(file)).expect("a model");
        let numbers = [model.cell.lengths_angstrom, model.cell.angles_deg].concat();
        let cell = numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        for (solvent, option) in [(None, "--solvent none"), (Some(Solvent::default()), "")] {
            place.write("list.hkl", list(file, solvent));
            for options in ["-N 4", "-N 4 -interpolate", "-N 1", "-N 4 -interpolate -dmin 4 -default_F 300"] {
                let (computed, told) = image(&place, &format!("-hkl {file} {option} {options}"));
                assert_eq!(told, "", "{file} {options}");
                let (listed, _) = image(&place, &format!("-hkl list.hkl -cell {cell} {options}"));
                assert!(computed.iter().any(|&pixel| pixel > 1.0), "{file} {options}: an image of nothing");
                assert!(computed == listed, "{file} {option} {options}");
            }
        }
    }
}

/// Shots of an atomic model are those of the list of its structure factors.
#[test]
fn shots_of_a_model_are_those_of_its_list() {
    let file = "p212121_aniso.pdb";
    let model = read_model(&golden_file(file)).expect("a model");
    let numbers = [model.cell.lengths_angstrom, model.cell.angles_deg].concat();
    let cell = numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let list = list(file, None);
    let line = |structure: &str| {
        format!(
            "shots {IMAGE} {structure} -N 4 --shots 3 --crystals-per-shot 2 --cell-spread 0.02 --energy-spread 300 \
             --shift-spread 3 --quiet"
        )
    };
    let images = |structure: &str| -> Vec<Vec<f32>> {
        let place = place();
        place.write("list.hkl", &list);
        place.run_line(&line(structure)).well();
        (1..=3).map(|shot| place.float(&format!("image_{shot:05}.bin"))).collect()
    };
    let computed = images(&format!("-hkl {file} --solvent none"));
    assert!(computed.iter().flatten().any(|&photons| photons > 1.0), "images of nothing");
    assert!(computed == images(&format!("-hkl list.hkl -cell {cell}")));
    let of_energies = line(&format!("-hkl {file} --spectrum-gauss 12700,100 --energy-channels 2"));
    let outcome = place().run_line(&of_energies).refused("F for each energy");
    assert!(outcome.stderr.contains("structure factors for each energy, in shots"), "{}", outcome.stderr);
}

/// Compares |F| of the dump with those of a golden table; returns the largest difference relative to the largest F.
fn off_golden(table: &HklTable, name: &str, d_min_angstrom: f64, cell: &str) -> f64 {
    let text = fs::read_to_string(golden_file(name)).expect("a table");
    let model = read_model(&golden_file(cell)).expect("a model");
    let metric = model.cell.reciprocal_metric();
    let rows = text.lines().filter(|line| line.starts_with(|c: char| c == '-' || c.is_ascii_digit()));
    let (mut worst, mut largest, mut compared) = (0.0, 0.0, 0);
    for row in rows {
        let numbers: Vec<f64> = row.split(',').map(|word| word.parse().expect("a number")).collect();
        let hkl = [0, 1, 2].map(|i| numbers[i] as i32);
        let [re, im] = [numbers[numbers.len() - 2], numbers[numbers.len() - 1]];
        if metric.d_angstrom(hkl) < d_min_angstrom {
            continue;
        }
        let position = table.position(hkl[0], hkl[1], hkl[2]).expect("an index that the image needs");
        worst = f64::max(worst, (table.data[position] - re.hypot(im)).abs());
        largest = f64::max(largest, re.hypot(im));
        compared += 1;
    }
    assert!(compared > 50, "{name}: {compared}");
    worst / largest
}

#[test]
fn structure_factors_are_those_of_gemmi_and_cctbx() {
    let place = place();
    let text = fs::read_to_string(golden_file("fprime.json")).expect("f', f''");
    let known: HashMap<String, [f64; 2]> = serde_json::from_str(&text).expect("f', f''");
    let mut scans = String::new();
    for (symbol, [f_prime, f_double_prime]) in &known {
        let line = |energy: f64| format!("{energy} {f_prime} {f_double_prime}\n");
        place.write(format!("{symbol}.dat"), format!("# E f' f''\n{}{}", line(12_000.0), line(13_000.0)));
        scans.push_str(&format!(" --anomalous {symbol}={symbol}.dat"));
    }
    for (file, prefix) in [
        ("p1_aniso.pdb", "p1_aniso"),
        ("p212121_aniso.cif", "p212121_aniso"),
        ("p3221_iso.pdb", "p3221_iso"),
        ("p3221_aniso.cif", "p3221_aniso"),
    ] {
        for (options, golden, bound) in [
            ("--anomalous none --solvent none".to_owned(), "direct", 1e-6),
            (format!("--solvent none{scans}"), "anomalous", 1.1e-8),
            ("--anomalous none".to_owned(), "solvent", 5e-3),
        ] {
            image(&place, &format!("-hkl {file} -N 4 -dump f.bin {options}"));
            let table = read_dump(&place.path().join("f.bin")).expect("a dump");
            let off = off_golden(&table, &format!("{prefix}_{golden}.csv"), 2.0, file);
            println!("{file} {golden}: {off:.1e}");
            assert!(off < bound, "{file} {golden}: {off:e}");
        }
    }
}

#[test]
fn the_grid_reaches_three_nodes_beyond_the_image() {
    let place = place();
    let largest = |options: &str| {
        image(&place, &format!("-hkl p212121_aniso.pdb -N 4 -dump f.bin {options}"));
        let table = read_dump(&place.path().join("f.bin")).expect("a dump");
        [table.h, table.k, table.l].map(|(first, last)| {
            assert_eq!(-first, last);
            last
        })
    };
    // Axes of 31.2, 36.5 and 40.8 Angstrom.
    assert_eq!(largest("-dmin 4"), [7 + 3, 9 + 3, 10 + 3]);
    let whole = largest("");
    assert_eq!(largest("-dmin 0.5"), whole);
    let json = place.run_line(&format!("{IMAGE} -hkl p212121_aniso.pdb -N 4 --json")).well().json();
    let d = json["model"]["resolution_angstrom"].as_f64().expect("a resolution");
    assert_eq!(whole, [31.2, 36.5, 40.8].map(|axis| (axis / d) as i32 + 3));
    // The corner of the detector: the beam centre of the convention is a pixel beyond the middle.
    let aside_mm = 0.5 * 64.0 * 1.3 + 1.3;
    let two_theta = f64::atan(aside_mm * 2f64.sqrt() / 100.0);
    let expected = 0.9768 / (2.0 * (two_theta / 2.0).sin());
    assert!((d - expected).abs() < 1e-6 * expected, "{d} {expected}");
}

#[test]
fn cell_symmetry_and_matrix_may_be_given() {
    let place = place();
    let pdb = String::from_utf8(place.read("p212121_aniso.pdb")).expect("text");
    let without_group = pdb.replace("P 21 21 21 ", "           ");
    assert_ne!(pdb, without_group);
    place.write("groupless.pdb", &without_group);
    let (expected, _) = image(&place, "-hkl p212121_aniso.pdb -N 4");
    let of_group = image(&place, "-hkl groupless.pdb -N 4 --space-group 19");
    assert!(of_group.0 == expected && of_group.1.is_empty(), "{}", of_group.1);
    let (given, told) = image(&place, "-hkl p212121_aniso.pdb -N 4 -cell 31.2 36.5 40.8 90 90 90");
    assert!(given == expected && told.is_empty(), "{told}");
    let (_, told) = image(&place, "-hkl p212121_aniso.pdb -N 4 -cell 36.5 31.2 40.8 90 90 90");
    assert!(
        told.contains("its cell is 31.2 36.5 40.8 90 90 90, that of -cell is 36.5 31.2 40.8 90 90 90"),
        "{told}"
    );
}

#[test]
fn archives_and_pipes_hold_models_too() {
    let place = place();
    let (expected, _) = image(&place, "-hkl p3221_aniso.cif -N 4");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&place.read("p3221_aniso.cif")).expect("an archive");
    let packed = packed.finish().expect("an archive");
    place.write("model", &packed);
    assert!(image(&place, "-hkl model -N 4").0 == expected);
    place.write("cut", &packed[..packed.len() - 3]);
    let told = place.run_line(&format!("{IMAGE} -hkl cut -N 4")).stderr;
    assert!(told.contains("-hkl: cut: cannot read: the gzip archive ends before its end"), "{told}");
}

#[test]
fn summaries_say_what_was_computed() {
    let place = place();
    place.write("se.dat", "12000 -7 0.5\n13000 -8 3.5\n");
    let line = format!("{IMAGE} -hkl p212121_aniso.pdb -N 4 --anomalous Se=se.dat --solvent 0.4,50");
    let told = place.run_line(&format!("{line} --log summary")).well().stdout;
    for expected in [
        "model        30 atoms (13 C, 5 N, 6 O, 1 P, 2 S, 1 Fe, 1 Zn, 1 Se) in P 21 21 21\n",
        " Angstrom and 3 nodes beyond, ",
        "             bulk solvent k_sol 0.4 e/Angstrom^3, B_sol 50 Angstrom^2\n",
        "             f', f'' at 12692.9 eV: C 0.006 0.003, ",
        ", Se -7.693 2.579\n",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let json = place.run_line(&format!("{line} --json")).well().json();
    let model = &json["model"];
    assert_eq!((model["atoms"].as_i64(), model["operators"].as_i64()), (Some(30), Some(4)));
    assert_eq!((&json["reflections"], &model["space_group_number"]), (&Value::Null, &Value::from(19)));
    assert_eq!(model["solvent"]["k_sol_e_per_angstrom3"], 0.4);
    let elements = model["elements"].as_array().expect("elements");
    let se = elements.iter().find(|element| element["symbol"] == "Se").expect("Se");
    let energy_ev = EV_ANGSTROM / 0.9768;
    let share = (energy_ev - 12_000.0) / 1000.0;
    assert!((se["f_prime"].as_f64().expect("f'") - (-7.0 - share)).abs() < 1e-9);
    assert!((se["f_double_prime"].as_f64().expect("f''") - (0.5 + 3.0 * share)).abs() < 1e-9);
    let json = place.run_line(&format!("{line} --anomalous none --solvent none --json")).well().json();
    assert_eq!(json["model"]["solvent"], Value::Null);
    // A scan stays beside none.
    let of = |symbol: &str| {
        let elements = json["model"]["elements"].as_array().expect("elements");
        elements.iter().find(|element| element["symbol"] == symbol).map(|element| element["f_prime"].clone())
    };
    assert_eq!((of("Fe"), of("Se") == Some(Value::from(0.0))), (Some(Value::from(0.0)), false));
}

#[test]
fn mates_differ_by_anomalous_scattering_only() {
    let place = place();
    let mates = |options: &str| {
        image(&place, &format!("-hkl p212121_aniso.pdb -N 4 -dump f.bin {options}"));
        let table = read_dump(&place.path().join("f.bin")).expect("a dump");
        let at = |h, k, l| table.data[table.position(h, k, l).expect("an index")];
        (at(3, 2, 1) - at(-3, -2, -1)).abs() / at(3, 2, 1)
    };
    assert!(mates("") > 1e-3);
    assert!(mates("--anomalous none") < 1e-12);
}

#[test]
fn what_cannot_be_used_is_refused_in_one_line() {
    let place = place();
    let pdb = String::from_utf8(place.read("p212121_aniso.pdb")).expect("text");
    place.write("groupless.pdb", pdb.replace("P 21 21 21 ", "           "));
    place.write("cellless.pdb", pdb.lines().skip(1).collect::<Vec<_>>().join("\n"));
    place.write("bad.pdb", pdb.replacen("4.840", "4.8x0", 1));
    place.write("far.dat", "7000 -7 0.5\n7100 -8 3.5\n");
    place.write("list.hkl", "1 2 3 4\n");
    for (options, message) in [
        ("-hkl groupless.pdb", "-hkl: groupless.pdb: no symmetry is stated: give --space-group"),
        ("-hkl cellless.pdb", "-hkl: cellless.pdb: no unit cell in it"),
        ("-hkl bad.pdb", "-hkl: bad.pdb:2: "),
        (
            "-hkl p3221_iso.pdb --hkl-columns F",
            "this is an atomic model: --hkl-columns is for lists of reflections",
        ),
        (
            "-hkl p3221_iso.pdb --anomalous Se=far.dat",
            "f', f'' of Se are known from 7000 to 7100 eV, not at 12692.895",
        ),
        ("-hkl p3221_iso.pdb -lambda 100000", "or --anomalous none"),
        ("-hkl p3221_iso.pdb --anomalous Se=nothing.dat", "--anomalous Se: nothing.dat: cannot read"),
        ("-hkl p3221_iso.pdb --anomalous Xx=far.dat", "what is before the = is no element"),
        ("-hkl p3221_iso.pdb --anomalous no", "expected none, or an element and a file"),
        ("-hkl p3221_iso.pdb --anomalous Se=", "the name of the file is missing"),
        ("-hkl p3221_iso.pdb --solvent 0.35", "expected none, or two numbers such as 0.35,46"),
        ("-hkl p3221_iso.pdb --solvent 1e9,46", "k_sol and B_sol must be between"),
        (
            "-hkl p3221_iso.pdb -lambda 0.01 -distance 1 -oversample 1 --anomalous none",
            "of memory, more than there is: give a larger -dmin",
        ),
        (
            "-hkl list.hkl -cell 30 40 50 --energy-channels 3",
            "--energy-channels: -hkl: list.hkl: a list of reflections has the F of one energy",
        ),
        ("-hkl p3221_iso.pdb --energy-channels 0", "--energy-channels"),
        (
            "-default_F 1 -cell 10 --energy-channels 3",
            "--energy-channels: needs -hkl FILE, the atomic model that it is about",
        ),
        (
            "-default_F 1 -cell 10 --solvent none",
            "--solvent: needs -hkl FILE, the atomic model that it is about",
        ),
    ] {
        let outcome = place.run_line(&format!("-detpixels 64 -pixel 1.3 -lambda 0.9768 -N 4 {options}"));
        assert_eq!(outcome.code, Some(2), "{options}: {}", outcome.stderr);
        let last = outcome.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(message), "{options}: {}", outcome.stderr);
    }
    let (_, told) = image(&place, "-hkl list.hkl -cell 30 40 50 -N 4 --solvent none");
    assert!(told.contains("--solvent has no effect: list.hkl is a list of reflections"), "{told}");
    let diagnosed = place.run_line("diagnose -hkl p3221_iso.pdb -lambda 1 -N 4 --energy-channels 3");
    let why = "--energy-channels: nanoBragg has the same F for all wavelengths";
    assert!(diagnosed.code == Some(2) && diagnosed.stderr.contains(why), "{}", diagnosed.stderr);
}

/// The reflections of a file with lines of h k l F.
fn lines(place: &Workplace, name: &str) -> BTreeMap<[i32; 3], f64> {
    let text = String::from_utf8(place.read(name)).expect("text");
    let reflection = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let hkl = [0, 1, 2].map(|i| words[i].parse().expect("an index"));
        (hkl, words[3].parse().expect("F"))
    };
    text.lines().map(reflection).collect()
}

#[test]
fn the_hkl_command_says_what_a_model_holds() {
    let place = place();
    let told = place.run_line("hkl p212121_aniso.pdb").well().stdout;
    let expected = "model        30 atoms: 13 C, 5 N, 6 O, 1 P, 2 S, 1 Fe, 1 Zn, 1 Se\n\
                    symmetry     P 21 21 21, 4 operators, number 19\n\
                    unit cell    31.2 36.5 40.8 90 90 90\n\
                    B            ";
    assert!(told.starts_with(expected) && told.ends_with("; 10 of 30 atoms anisotropic\n"), "{told}");
    let json = place.run_line("hkl p3221_iso.pdb --json").well().json();
    let (atoms, operators) = (json["atoms"].as_i64(), json["operators"].as_i64());
    assert_eq!((atoms, operators, &json["elements"]["Se"]), (Some(30), Some(6), &Value::from(1)));
    assert_eq!((&json["computed"], &json["anisotropic_atoms"]), (&Value::Null, &Value::from(0)));
    // Columns 61 to 66.
    let pdb = String::from_utf8(place.read("p3221_iso.pdb")).expect("text");
    let b: Vec<f64> = pdb
        .lines()
        .filter(|line| line.starts_with("ATOM") || line.starts_with("HETATM"))
        .map(|line| line[60..66].trim().parse().expect("B"))
        .collect();
    let of = |what: &str| json["B_angstrom2"][what].as_f64().expect("B");
    assert_eq!(of("least"), b.iter().copied().fold(f64::INFINITY, f64::min));
    assert_eq!(of("most"), b.iter().copied().fold(0.0, f64::max));
    assert!((of("mean") - b.iter().sum::<f64>() / 30.0).abs() < 1e-12);
    // A U of 0.1, 0.2 and 0.3 square Angstrom along the axes, and mixed terms that do not count.
    place.write(
        "one.pdb",
        "CRYST1   30.000   40.000   50.000  90.00  90.00  90.00 P 1\n\
         ATOM      1  C   UNK A   1       1.000   2.000   3.000  1.00 99.00           C\n\
         ANISOU    1  C   UNK A   1     1000   2000   3000     50    -60     70       C\n",
    );
    let json = place.run_line("hkl one.pdb --json").well().json();
    let expected = 8.0 * core::f64::consts::PI.powi(2) * 0.2;
    assert!((json["B_angstrom2"]["mean"].as_f64().expect("B") - expected).abs() < 1e-12, "{json}");
}

#[test]
fn the_hkl_command_writes_the_f_of_a_model() {
    let place = place();
    for (file, golden) in [("p1_aniso.pdb", "p1_aniso"), ("p3221_aniso.cif", "p3221_aniso")] {
        place.run_line(&format!("hkl {file} --out F.hkl -dmin 2 --solvent none --quiet")).well();
        let written = lines(&place, "F.hkl");
        let model = read_model(&golden_file(file)).expect("a model");
        let group = resolve(&model.symmetry, Some(&model.cell)).expect("a space group").group;
        let metric = model.cell.reciprocal_metric();
        let within = |hkl: [i32; 3]| metric.d_angstrom(hkl) >= 2.0 && !group.is_absent(hkl);
        let range = || -23..=23;
        let indices = range().flat_map(|h| range().flat_map(move |k| range().map(move |l| [h, k, l])));
        assert!(written.keys().copied().eq(indices.filter(|&hkl| within(hkl))), "{file}");
        let mut table = HklTable::filled((-23, 23), (-23, 23), (-23, 23), 0.0, 1 << 20).expect("a table");
        for (&[h, k, l], &f) in &written {
            let position = table.position(h, k, l).expect("a node");
            table.data[position] = f;
        }
        // Without a wavelength there is no anomalous scattering.
        assert!(off_golden(&table, &format!("{golden}_direct.csv"), 2.0, file) < 1e-6, "{file}");

        place.run_line(&format!("hkl {file} --out F.hkl -dmin 1 -lambda 0.9768 --quiet")).well();
        place.write("library.hkl", list(file, Some(Solvent::default())));
        let mut of_library = lines(&place, "library.hkl");
        of_library.retain(|&hkl, _| !group.is_absent(hkl));
        assert!(lines(&place, "F.hkl") == of_library, "{file}");
    }
    // The dump and the MTZ, whose F are f32, hold the same list.
    let line = "hkl p212121_aniso.cif -dmin 3 -energy 12700 --out";
    let json = place.run_line(&format!("{line} F.hkl --json")).well().json();
    assert_eq!(json["computed"]["energy_ev"].as_f64().map(f64::round), Some(12_700.0));
    for name in ["F.mtz", "F.bin"] {
        place.run_line(&format!("{line} {name} --quiet")).well();
    }
    let list = lines(&place, "F.hkl");
    let table = read_dump(&place.path().join("F.bin")).expect("a dump");
    let filled = table.nodes().filter(|(_, f)| *f != 0.0).collect::<BTreeMap<_, _>>();
    assert_eq!(filled, list);
    place.run_line("hkl F.mtz --out back.hkl --quiet").well();
    let back = lines(&place, "back.hkl");
    assert!(back.keys().eq(list.keys()) && list.iter().all(|(hkl, &f)| back[hkl] == f64::from(f as f32)));
    let told = place.run_line(&format!("{line} F.hkl")).well().stdout;
    for expected in ["             F to 3 Angstrom, ", "             f', f'' at 12700 eV: C 0.005 0.003, "] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let told = place.run_line("hkl p212121_aniso.cif -dmin 3").well().stdout;
    assert!(told.contains("             no anomalous scattering\n"), "{told}");

    place.write("se.dat", "12000 -7 0.5\n13000 -8 3.5\n");
    place.write("a.hkl", "12000 -7 0.5\n13000 -8 3.5\n");
    for (line, message) in [
        (
            "hkl p3221_iso.pdb --out F.hkl",
            "--out F.hkl: F of an atomic model are computed to a spacing: give -dmin",
        ),
        ("hkl p3221_iso.pdb -dmin 2 --anomalous Se=se.dat", "give -lambda or -energy"),
        ("hkl p3221_iso.pdb -dmin 0.01", "hkl: p3221_iso.pdb: "),
        ("hkl p3221_iso.pdb --energy-channels 2", "--energy-channels: a list has the F of one energy"),
        (
            "hkl p3221_iso.pdb --out a.hkl -dmin 9 -lambda 1 --anomalous Se=a.hkl",
            "is also read (--anomalous)",
        ),
        ("hkl p3221_iso.pdb -dmin 0", "-dmin 0: must be larger than zero"),
        ("hkl p3221_iso.pdb --hkl-columns F", "this is an atomic model: --hkl-columns is for lists"),
    ] {
        let outcome = place.run_line(line).refused(line);
        assert!(outcome.stderr.contains(message), "{line}: {}", outcome.stderr);
    }
    let told = place.run_line("hkl F.hkl -dmin 3 -lambda 1 --solvent none").well().stderr;
    assert_eq!(told.lines().count(), 3, "{told}");
    let told = place.run_line("hkl p3221_iso.pdb -cell 30").well().stderr;
    assert!(told.contains("-cell has no effect: the model p3221_iso.pdb has its own"), "{told}");
}

#[test]
fn warnings_of_models_are_told() {
    let place = place();
    // Fe on the two-fold axis along a + b of P 32 2 1, with the occupancy of its whole site.
    place.write(
        "whole.pdb",
        "CRYST1   38.400   38.400   45.100  90.00  90.00 120.00 P 32 2 1\n\
         ATOM      1 FE   UNK A   1       5.760   9.977   0.000  1.00 20.00          FE\n",
    );
    let (whole, told) = image(&place, "-hkl whole.pdb -N 4 --solvent none");
    assert!(
        told.contains("-hkl: whole.pdb: atoms on special positions with the occupancy of their whole site"),
        "{told}"
    );
    let text = String::from_utf8(place.read("whole.pdb")).expect("text");
    place.write("half.pdb", text.replace("  1.00 20.00", "  0.50 20.00"));
    let (half, told) = image(&place, "-hkl half.pdb -N 4 --solvent none");
    assert!(half == whole && told.is_empty(), "{told}");
    place.write("se.dat", "12000 -7 0.5\n13000 -8 3.5\n");
    let (_, told) = image(&place, "-hkl half.pdb -N 4 --anomalous Se=se.dat");
    assert!(told.contains("it has no Se: --anomalous Se has no effect"), "{told}");
}

#[test]
fn small_molecules_have_no_bulk_solvent_unless_it_is_asked_for() {
    let place = place();
    place.write(
        "small.cif",
        "data_small\n_cell_length_a 9.5\n_cell_length_b 10.5\n_cell_length_c 11.5\n_cell_angle_alpha 90\n\
         _cell_angle_beta 95\n_cell_angle_gamma 90\n_space_group_name_H-M_alt 'P 1 21/c 1'\nloop_\n_atom_site_label\n\
         _atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_U_iso_or_equiv\n\
         C1 C 0.1 0.2 0.3 0.02\nO1 O 0.2 0.3 0.4 0.03\n",
    );
    let solvent = |options: &str| {
        let line = format!("{IMAGE} -hkl small.cif -N 4 --json {options}");
        place.run_line(&line).well().json()["model"]["solvent"].clone()
    };
    assert_eq!(solvent(""), Value::Null);
    assert_eq!(solvent("--solvent 0.35,46")["B_sol_angstrom2"], 46.0);
}

#[test]
fn records_hold_models_and_scans() {
    let place = place();
    place.write("se.dat", "12000 -7 0.5\n13000 -8 3.5\n");
    let line = "-hkl p212121_aniso.pdb --anomalous Se=se.dat -lambda 0.9768 -distance 100 -detpixels 32 -pixel 2.6 -N 4 \
        -oversample 1 -osc 1 -phisteps 2 -nopgm -nonoise -floatfile a.bin --quiet";
    place.run_line(&format!("{line} --evidence kept")).well();
    let record: Value = serde_json::from_slice(&place.read("kept/env.json")).expect("a record");
    let inputs = record.to_string();
    assert!(inputs.contains("se.dat") && inputs.contains("p212121_aniso.pdb"), "{record}");
    place.run_line(&format!("{line} --frames 2 --resume")).well();
    place.write("se.dat", "12000 -7 0.5\n13000 -8 3.4\n");
    let told = place.run_line(&format!("{line} --frames 3 --resume"));
    assert!(told.code == Some(2) && told.stderr.contains("--anomalous Se"), "{}", told.stderr);
    let told = place.run_line(&format!("{line} -floatfile se.dat"));
    assert!(told.code == Some(2) && told.stderr.contains("is also read (--anomalous)"), "{}", told.stderr);
}

#[test]
fn other_commands_take_models() {
    let place = place();
    let line = "-hkl p3221_iso.pdb -lambda 0.9768 -distance 100 -detpixels 16 -pixel 5 -N 4 -oversample 1 -misset 10 20 30";
    let traced = place.run_line(&format!("trace {line} --pixel 4 5")).well().stdout;
    assert!(traced.contains("F_cell"), "{traced}");
    place.run_line(&format!("diagnose {line} -osc 1 -phisteps 2")).well();
    place.run_line(&format!("gradcheck {line} --wrt cell")).well();
}

/// Wavelengths on both sides of the K edge of Fe, 7112 eV, have F of their own: the image is the mean, by weight, of
/// those of each wavelength alone.
#[test]
fn channels_of_wavelengths_have_structure_factors_of_their_own() {
    let place = place();
    let sources = [("1.70e-10", 1.0), ("1.72e-10", 2.0), ("1.76e-10", 3.0)];
    let line = |(lambda, weight): (&str, f64)| format!("-10 0 0 {weight} {lambda}\n");
    place.write("sources.txt", sources.map(line).concat());
    let crystal = "-hkl p212121_aniso.pdb -N 4 -oversample 1 -lambda 1.72";
    for options in ["-interpolate", "-nointerpolate", "-interpolate --grid f32 -mosaic 1 -mosaic_domains 3"] {
        let together = |more: &str| {
            image(&place, &format!("{crystal} {options} -sourcefile sources.txt -dump f.bin {more}")).0
        };
        let apart = together("--energy-channels 30");
        assert!(!place.path().join("f.bin").exists(), "a dump holds one F of a reflection");
        let mut expected = vec![0.0; apart.len()];
        for source in sources {
            place.write("one.txt", line(source));
            let (alone, _) = image(&place, &format!("{crystal} {options} -sourcefile one.txt"));
            expected.iter_mut().zip(alone).for_each(|(sum, pixel)| *sum += source.1 / 6.0 * f64::from(pixel));
        }
        let largest = expected.iter().fold(0.0, |most: f64, &pixel| most.max(pixel));
        let off = |image: &[f32]| {
            let off = image.iter().zip(&expected).map(|(&pixel, sum)| (f64::from(pixel) - sum).abs());
            off.fold(0.0, f64::max) / largest
        };
        assert!(off(&apart) < 1e-6, "{options}: {:e}", off(&apart));
        assert!(off(&together("--energy-channels 1")) > 1e-4, "{options}");
    }
}

#[test]
fn channels_of_wavelengths_are_listed() {
    let place = place();
    place.write("sources.txt", "-10 0 0 1 1.70e-10\n-10 0 0 2 1.72e-10\n-10 0 0 3 1.76e-10\n");
    let line = format!("{IMAGE} -hkl p212121_aniso.pdb -N 4 -sourcefile sources.txt --energy-channels");
    let json = place.run_line(&format!("{line} 2 --json")).well().json();
    let channels = json["model"]["channels"].as_array().expect("channels");
    let of = |at: usize, key: &str| channels[at][key].as_f64().expect("a number");
    assert_eq!((channels.len(), of(0, "sources"), of(1, "sources")), (2, 2.0, 1.0));
    // The mean by weight of the first two.
    assert!((of(0, "wavelength_angstrom") - (1.70 + 2.0 * 1.72) / 3.0).abs() < 1e-9);
    assert!((of(1, "energy_ev") - EV_ANGSTROM / 1.76).abs() < 1e-6);
    let grid = &json["grid"];
    let nodes: i64 = grid["nodes"].as_array().expect("nodes").iter().filter_map(Value::as_i64).product();
    assert_eq!((&grid["grids"], &grid["numbers"]), (&Value::from(2), &Value::from("f64")));
    assert_eq!(grid["bytes"], 2 * 8 * nodes);
    let told = place.run_line(&format!("{line} 2 --log summary")).well().stdout;
    for expected in [
        "channels of wavelengths with F of their own: 2\n",
        "; sources: 2\n",
        "; sources: 1\n",
        " nodes, 2 grids in f64: ",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    // Fewer wavelengths than channels, and one wavelength.
    let count = |options: &str| {
        let json = place.run_line(&format!("{line} {options} --json")).well().json();
        json["model"]["channels"].as_array().map(Vec::len)
    };
    assert_eq!([count("30"), count("1")], [Some(3), Some(1)]);
    place.write("sources.txt", "-10 0 0 1 1.7e-10\n-10 0 1 2 1.7e-10\n");
    assert_eq!(count("5"), Some(1));
    let json = place.run_line(&format!("{IMAGE} -hkl p212121_aniso.pdb -N 4 --json")).well().json();
    assert_eq!((&json["model"]["channels"], &json["grid"]["grids"]), (&Value::Null, &Value::from(1)));
}

/// The commands of the README, on files of the same form.
#[test]
fn a_pdb_entry_becomes_images_as_the_readme_says() {
    let readme = fs::read_to_string(golden::root().join("../../README.md")).expect("the README");
    let section = readme.split("### From a PDB entry").nth(1).expect("its section");
    let block = section.split("```").nth(1).expect("its commands").replace("\\\n", " ");
    let place = Workplace::empty();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&fs::read(golden_file("p212121_aniso.pdb")).expect("a model")).expect("an archive");
    place.write("1abc.pdb.gz", packed.finish().expect("an archive"));
    let measured = golden::root().join("reflections/sf_fmeas.cif.gz");
    place.write("1abc-sf.cif.gz", fs::read(measured).expect("reflections"));
    let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("widebragg ")).collect();
    assert_eq!(commands.len(), 2);
    for command in commands {
        place.run_line(command).well();
    }
    for name in ["calculated", "measured"] {
        assert!(place.float(&format!("{name}.bin")).iter().any(|&pixel| pixel > 1.0), "{name}");
        assert!(place.read(format!("{name}.png")).starts_with(b"\x89PNG"), "{name}");
    }
}
