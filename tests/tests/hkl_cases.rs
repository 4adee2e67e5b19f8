//! Every golden case of reflections (golden/reflections/cases.json) through the program: `widebragg hkl` writes the list
//! of P 1 that other programs make of the file, or refuses it in one line. Beyond them, what a render takes of such
//! files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use widebragg_coordinates::elements::Element;
use widebragg_tests::golden;
use widebragg_tests::program::{Outcome, Workplace};

/// Miller indices.
type Hkl = [i32; 3];

/// Cases whose equivalents are averaged with weights: the sum may round otherwise.
const WEIGHTED: [&str; 2] = ["xds_unmerged", "xds_unmerged_friedel"];

fn folder() -> PathBuf {
    golden::root().join("reflections")
}

fn file(name: &str) -> String {
    folder().join(name).to_str().expect("a name in UTF-8").to_owned()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// Reflections from lines of numbers that `separator` separates.
fn list(text: &str, separator: char) -> BTreeMap<Hkl, f64> {
    let read = |line: &str| {
        let words: Vec<&str> = line.split(separator).collect();
        let index = |at: usize| words[at].parse().expect("an index");
        ([index(0), index(1), index(2)], words[3].parse().expect("an amplitude"))
    };
    text.lines().map(read).collect()
}

/// `widebragg hkl` of a golden file.
fn hkl(place: &Workplace, name: &str, options: &[&str]) -> Outcome {
    place.run([&["hkl", &file(name)][..], options].concat())
}

#[test]
fn golden_files_become_their_lists_or_are_refused() {
    let cases = fs::read(folder().join("cases.json")).expect("cases.json");
    let cases: BTreeMap<String, Value> = serde_json::from_slice(&cases).expect("cases");
    let place = Workplace::empty();
    let (mut read, mut refused) = (0, 0);
    for (name, case) in &cases {
        let options: Vec<&str> =
            case["options"].as_array().expect("options").iter().filter_map(Value::as_str).collect();
        let out = ["--json", "--out", "list.hkl"];
        let outcome = hkl(&place, text(case, "file"), &[&options[..], &out].concat());
        if !case["error"].is_null() {
            refused += 1;
            let lines = outcome.stderr.lines().count();
            assert_eq!((outcome.code, lines, outcome.stdout.as_str()), (Some(2), 1, ""), "{name}");
            assert!(outcome.stderr.contains(text(case, "file")), "{name}: {}", outcome.stderr);
            continue;
        }
        read += 1;
        let warnings = outcome.stderr.clone();
        let json = outcome.well().json();
        let found = list(&String::from_utf8(place.read("list.hkl")).expect("text"), ' ');
        let expected = fs::read_to_string(folder().join(text(case, "expected"))).expect("a list");
        let expected = list(expected.split_once('\n').expect("headings").1, ',');
        assert!(found.keys().eq(expected.keys()), "{name}: {} of {}", found.len(), expected.len());
        let bound = if WEIGHTED.contains(&name.as_str()) { 1e-12 } else { 0.0 };
        for (hkl, f) in &found {
            let right = expected[hkl];
            assert!((f - right).abs() <= bound * right, "{name} {hkl:?}: {f:?}, not {right:?}");
        }
        let p1 = case["reflections_p1"].as_u64().expect("a count");
        assert_eq!(found.len() as u64, p1, "{name}");
        if json["format"] == "h k l F" && json["space_group"].is_null() {
            assert_eq!(json["listed"], p1, "{name}");
            continue;
        }
        assert_eq!(json["expanded"], p1, "{name}");
        let whole = |key: &str| json[key].as_u64().expect("a count");
        let pairs = json["taken"].as_array().expect("columns").len() as u64;
        assert!(
            whole("missing") <= whole("read") && whole("unique") <= pairs * whole("read"),
            "{name}: {json}"
        );
        for (key, of) in [("missing", "missing"), ("absent", "absent"), ("below_zero", "negative")] {
            assert!(case[of].is_null() || json[key] == case[of], "{name}: {key} is {}", json[key]);
        }
        if case["columns_used"].is_array() {
            assert_eq!(json["taken"], case["columns_used"], "{name}");
        }
        for key in ["cell", "space_group"] {
            let found = &json[if key == "cell" { "unit_cell" } else { key }];
            let same = match (found.as_array(), case[key].as_array()) {
                (Some(found), Some(cell)) => {
                    found.iter().map(Value::as_f64).eq(cell.iter().map(Value::as_f64))
                }
                _ => *found == case[key],
            };
            assert!(case[key].is_null() || same, "{name}: {key} is {found}");
        }
        assert!(warnings.contains(text(case, "warning")), "{name}: {warnings}");
    }
    assert_eq!((read, refused), (59, 44));
}

/// A render that is quick and meets many reflections.
const LINE: &str =
    "-N 3 -lambda 1 -distance 40 -detpixels 64 -oversample 1 -nonoise -nopgm -phi 10 -osc 5 -phisteps 3";

/// The float image of [`LINE`] with more options.
fn image(place: &Workplace, more: &[&str]) -> Vec<u8> {
    let line = LINE.split(' ').chain(["-floatfile", "a.bin", "-intfile", "a.img"]);
    place.run(line.chain(more.iter().copied())).well();
    place.read("a.bin")
}

#[test]
fn an_image_is_the_same_from_an_mtz_and_its_list_of_p1() {
    let place = Workplace::empty();
    let mtz = file("p212121_refmac.mtz");
    let cell = "-cell 31.2 40.5 27.8 90 90 90";
    for (out, default_f) in [("P1.hkl", "0"), ("P1.mtz", "0"), ("P1.hkl.gz", "0")] {
        let from_mtz = image(&place, &["-hkl", &mtz, "-default_F", default_f]);
        assert!(from_mtz.iter().any(|&byte| byte != 0));
        let written = out.trim_end_matches(".gz");
        place.run(["hkl", &mtz, "--out", written]).well();
        if out != written {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut packed, &place.read(written)).expect("room");
            place.write(out, packed.finish().expect("room"));
        }
        let more: Vec<&str> = ["-hkl", out].into_iter().chain(cell.split(' ')).collect();
        assert!(image(&place, &more) == from_mtz, "{out}");
    }
    // The dump that the render left, and that of the command, hold the same grid.
    image(&place, &["-hkl", &mtz]);
    let left = place.read("Fdump.bin");
    place.run(["hkl", &mtz, "--out", "grid.bin"]).well();
    assert!(place.read("grid.bin") == left);
}

/// The part of the list that an image needs is kept in memory; the dump has all of it.
#[test]
fn a_dump_has_what_other_images_need() {
    let place = Workplace::empty();
    let mtz = file("p212121_refmac.mtz");
    let cell = "-cell 31.2 40.5 27.8 90 90 90 -lambda 0.9768";
    place.run(["hkl", &mtz, "--out", "all.bin"]).well();
    for (narrow, wide) in [("", "-pixel 1"), ("-dmin 9", ""), ("-interpolate -default_F 0", "-pixel 1")] {
        image(&place, &[&["-hkl", &mtz][..], &narrow.split_whitespace().collect::<Vec<_>>()].concat());
        assert!(place.read("Fdump.bin") == place.read("all.bin"), "{narrow}");
        let wide: Vec<&str> = cell.split(' ').chain(wide.split_whitespace()).collect();
        let of_dump = image(&place, &wide);
        assert!(of_dump == image(&place, &[&["-hkl", &mtz][..], &wide].concat()), "{wide:?}");
    }
}

/// A virus, of which an image to 20 Angstrom needs a thousandth.
#[test]
fn a_list_may_be_larger_than_any_grid() {
    let place = Workplace::empty();
    place.write("huge.hkl", "1000 1000 1000 4\n1 2 3 5\n");
    let line =
        "-cell 2000 -hkl huge.hkl --space-group P1 -dmin 20 -detpixels 8 -oversample 1 -nonoise -nopgm";
    let outcome = place.run_line(line).well();
    assert!(
        outcome
            .stderr
            .contains("structure factor dump not written: Fdump.bin: the indices span h -1000..1000, "),
        "{}",
        outcome.stderr
    );
    assert!(!place.path().join("Fdump.bin").exists());
}

#[test]
fn columns_symmetry_mates_and_scale_change_the_image() {
    let place = Workplace::empty();
    let (refmac, pairs) = (file("p212121_refmac.mtz"), file("p3221_pm.mtz"));
    let plain = image(&place, &["-hkl", &refmac]);
    assert!(image(&place, &["-hkl", &refmac, "--hkl-columns", "FP"]) == plain);
    assert!(image(&place, &["-hkl", &refmac, "--hkl-columns", "FC"]) != plain);
    assert!(image(&place, &["-hkl", &refmac, "--space-group", "19"]) == plain);
    assert!(image(&place, &["-hkl", &refmac, "--space-group", "P 1"]) != plain);
    let scaled = image(&place, &["-hkl", &refmac, "--hkl-scale", "2"]);
    let floats = |bytes: &[u8]| -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|&value| f32::from_ne_bytes(value)).collect()
    };
    assert!(floats(&scaled).iter().zip(floats(&plain)).all(|(four, one)| *four == 4.0 * one));
    assert!(image(&place, &["-hkl", &pairs, "--friedel", "merge"]) != image(&place, &["-hkl", &pairs]));
}

/// The mean of I over what the atoms of the cell give is 1: the equation of greatest likelihood, summed here over P 1.
#[test]
fn wilson_brings_f_to_the_electrons_of_the_residues() {
    let place = Workplace::empty();
    let wilson = ["--hkl-scale", "wilson", "--residues", "150", "--json", "--out", "P1.hkl"];
    let json = hkl(&place, "p212121_refmac.mtz", &wilson).well().json();
    let b = json["wilson_b_square_angstrom"].as_f64().expect("B");
    let atoms = [("C", 5.0), ("N", 1.35), ("O", 1.5), ("H", 8.0)]
        .map(|(symbol, count)| (Element::from_symbol(symbol).expect("an element"), 4.0 * 150.0 * count));
    let reflections = list(&String::from_utf8(place.read("P1.hkl")).expect("text"), ' ');
    let ratios = reflections.iter().filter_map(|(&[h, k, l], f)| {
        let inverse_d_squared: f64 = [(h, 31.2), (k, 40.5), (l, 27.8)]
            .iter()
            .map(|&(index, edge)| (f64::from(index) / edge).powi(2))
            .sum();
        let stol_squared = inverse_d_squared / 4.0;
        let sum_f_squared: f64 =
            atoms.iter().map(|(element, count)| count * element.form_factor(stol_squared).powi(2)).sum();
        let epsilon = if [h, k, l].iter().filter(|index| **index == 0).count() == 2 { 2.0 } else { 1.0 };
        let expected = epsilon * sum_f_squared * (-2.0 * b * stol_squared).exp();
        (inverse_d_squared >= 1.0 / 16.0).then_some(f * f / expected)
    });
    let (count, sum) = ratios.fold((0.0, 0.0), |(count, sum), ratio| (count + 1.0, sum + ratio));
    assert!(count > 500.0 && (sum / count - 1.0_f64).abs() < 1e-9, "{sum} of {count}");
    for (options, words) in [
        (&wilson[..2], "--hkl-scale wilson needs --residues N"),
        (&wilson[2..4], "--residues needs --hkl-scale wilson"),
        (&["--hkl-scale", "much"], "--hkl-scale much: 'much' is not a number"),
    ] {
        let outcome = hkl(&place, "p212121_refmac.mtz", options);
        assert!(outcome.code == Some(2) && outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}

#[test]
fn absent_reflections_are_dark_whatever_the_default() {
    let place = Workplace::empty();
    place.write(
        "a.cif",
        "data_a\n_cell.length_a 30\n_cell.length_b 40\n_cell.length_c 50\n_symmetry.Int_Tables_number 19\nloop_\n\
         _refln.index_h\n_refln.index_k\n_refln.index_l\n_refln.F_meas_au\n4 4 4 100\n0 0 3 50\n",
    );
    place
        .run(["-hkl", "a.cif", "-default_F", "7", "-cell", "30", "-detpixels", "8", "-dump", "F.bin"])
        .well();
    let dump = place.read("F.bin");
    let data = dump.windows(2).position(|pair| pair == b"\n\x0c").expect("a header") + 2;
    let node = |[h, k, l]: [i64; 3]| {
        let at = usize::try_from(((h + 4) * 10 + k + 4) * 10 + l + 4).expect("in the box");
        f64::from_ne_bytes(dump[data + 8 * at..][..8].try_into().expect("8 bytes"))
    };
    assert_eq!(
        [[4, -4, 4], [0, 0, 3], [0, -1, 0], [0, 0, 2], [1, 2, 3]].map(node),
        [100.0, 0.0, 0.0, 7.0, 7.0]
    );
}

#[test]
fn cell_and_wavelength_are_those_of_the_file_where_nothing_else_names_them() {
    let place = Workplace::empty();
    let mtz = file("p212121_refmac.mtz");
    let run = |more: &[&str]| {
        let line = "-fluence 1e34 -N 2 -distance 40 -detpixels 8 -nonoise -nopgm -hkl";
        place.run(line.split(' ').chain([mtz.as_str()]).chain(more.iter().copied())).well()
    };
    let outcome = run(&["--json"]);
    assert_eq!(outcome.stderr, "");
    let json = outcome.json();
    assert_eq!(json["unit_cell"], serde_json::json!([31.2, 40.5, 27.8, 90.0, 90.0, 90.0]));
    assert_eq!(json["lambda_m"], 0.9768 * 1e-10);
    let counts =
        ["read", "missing", "absent", "below_zero", "merged", "unique", "expanded", "mates_filled_in"];
    let found = counts.map(|key| json["reflections"][key].as_u64().expect("a count"));
    assert_eq!(found, [486, 25, 3, 0, 0, 458, 2972, 1156]);
    assert_eq!(json["reflections"]["taken"], serde_json::json!(["FP"]));

    let other = run(&["--json", "-cell", "31.2", "40.5", "29", "-lambda", "1.2"]);
    assert_eq!(other.json()["lambda_m"], 1.2e-10);
    let lines: Vec<&str> = other.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with(
        "its cell is 31.2 40.5 27.8 90 90 90, that of -cell is 31.2 40.5 29 90 90 90: the indices may be of another setting"
    ));
    assert!(lines[1].ends_with(
        "its F were measured at 0.9768 Angstrom, the image is of 1.2 Angstrom: anomalous scattering differs"
    ));
    // The columns are a*, b*, c* times 0.9768 Angstrom.
    place.write("A.mat", format!("{} 0 0\n0 {} 0\n0 0 {}\n", 0.9768 / 31.2, 0.9768 / 40.5, 0.9768 / 27.8));
    let with_matrix = run(&["-mat", "A.mat"]);
    assert_eq!(
        with_matrix.stderr,
        "widebragg: -mat without -lambda: the wavelength is taken as that of the file of -hkl, 0.9768 Angstrom, and \
         the cell, which scales with it, is 31.2 40.5 27.8\n"
    );
}

#[test]
fn the_summary_says_what_was_taken() {
    let place = Workplace::empty();
    let line = "-N 2 -distance 40 -detpixels 8 -nonoise -nopgm --log summary -hkl";
    let outcome = place.run(line.split(' ').chain([file("p3221_pm.mtz").as_str()])).well();
    for words in [
        "reflections  MTZ: F(+) and F(-); not IMEAN (intensity), ",
        "             P 32 2 1; F(h) and F(-h) differ, ",
        "             410 read, 5 missing, 0 absent, 0 below zero, 0 merged, 608 unique\n",
        "             3890 in P 1, 282 of them from their mates\n",
    ] {
        assert!(outcome.stdout.contains(words), "{words}: {}", outcome.stdout);
    }
    let described = hkl(&place, "p3221_pm.mtz", &[]).well().stdout;
    assert!(described.contains("unit cell    38.4 38.4 55.1 90 90 120\nwavelength   0.9768 Angstrom\n"));
    assert!(
        described.contains("column       F(+): amplitude of one mate, 381 values, taken\n"),
        "{described}"
    );
    assert_eq!(described.lines().filter(|line| line.ends_with('%')).count(), 10, "{described}");
}

#[test]
fn what_cannot_be_used_is_one_line() {
    let place = Workplace::empty();
    place.write("P1.hkl", "1 2 3 4\n");
    place.write("bad.cif", "data_a\n_symmetry.Int_Tables_number 1\nloop_\n_refln.index_h\n_refln.index_k\n_refln.index_l\n_refln.F_meas_au\n1 2 x 4\n");
    place.write(
        "group.cif",
        "data_a\nloop_\n_refln.index_h\n_refln.index_k\n_refln.index_l\n_refln.F_meas_au\n1 2 3 4\n",
    );
    place.write("huge.hkl", "1000 1000 1000 4\n");
    place.write("cube.mat", "0.0005 0 0\n0 0.0005 0\n0 0 0.0005\n");
    for (line, words) in [
        ("-cell 30 -hkl bad.cif", "-hkl: bad.cif:8: l: \"x\" is not a number"),
        ("-cell 30 -hkl group.cif", "-hkl: group.cif: no symmetry is stated: give --space-group"),
        ("-hkl P1.hkl", "no crystal: give -mat FILE or -cell a b c alpha beta gamma"),
        ("-cell 30 -hkl P1.hkl --hkl-columns F", "lines of h k l F have no labels and no blocks to choose"),
        ("-cell 30 -hkl P1.hkl --friedel merge", "taken as they stand: --friedel merge needs --space-group"),
        ("-cell 30 -hkl P1.hkl --space-group P9", "--space-group P9: "),
        ("-cell 30 -default_F 1 --hkl-block a", "--hkl-block: needs -hkl FILE"),
        (
            "-mat cube.mat -lambda 1 -hkl huge.hkl --space-group P1 -detpixels 4000",
            "-hkl: huge.hkl: in the cell 2000 2000 2000 90 90 90 to 0.8",
        ),
        (
            "-cell 2000 -hkl huge.hkl --space-group P1 -detpixels 4000",
            "-hkl: huge.hkl: in the cell 2000 2000 2000 90 90 90 to 1.155 Angstrom, the indices span h -1000..1000, \
             k -1000..1000, l -1000..1000: a grid of 2001 x 2001 x 2001 cells needs 59.7 GiB, more than the limit of \
             2147483648 cells: give a larger -dmin",
        ),
        ("hkl", "hkl: needs one file of reflections or of a model, but 0 given"),
        ("hkl P1.hkl --out P1.txt", "--out P1.txt: its name must end in .hkl, .bin or .mtz"),
        ("hkl P1.hkl --out P1.hkl", "is also read"),
        ("hkl P1.hkl --out P1.mtz", "an MTZ needs a cell, and the file has none: give -cell"),
        ("hkl none.mtz", "none.mtz: cannot read"),
    ] {
        let outcome = place.run_line(line).refused(line);
        assert!(outcome.stderr.contains(words), "{line}: {}", outcome.stderr);
    }
    place.run_line("hkl P1.hkl --out P1.mtz -cell 30").well();
    place.run_line("hkl P1.mtz --out again.hkl --quiet").well();
    // Of P 1, which the MTZ is in, the mate is known too.
    assert_eq!(place.read("again.hkl"), b"-1 -2 -3 4.0\n1 2 3 4.0\n");
}

/// The record of a series holds what is taken of the reflections.
#[test]
fn a_series_with_other_columns_is_another() {
    let place = Workplace::empty();
    let mtz = file("p212121_refmac.mtz");
    let line = "--frames 2 -osc 1 -N 2 -distance 40 -detpixels 8 -nonoise -nopgm -scale 1 -pgmscale 1 --no-expt -hkl";
    let run = |more: &[&str]| place.run(line.split(' ').chain([mtz.as_str()]).chain(more.iter().copied()));
    run(&[]).well();
    run(&["--resume"]).well();
    let outcome = run(&["--resume", "--hkl-columns", "FC"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("--hkl-columns"), "{}", outcome.stderr);
}
