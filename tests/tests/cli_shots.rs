//! `widebragg shots`: each shot is a function of the seed and its number, equals the render that its truth describes, and
//! is the same for any threads, range and resumption.

use std::fs;

use widebragg_formats::shot_table::{ShotRows, parse_shots};
use widebragg_tests::program::{Workplace, smv_parts};

/// A still on 40 x 40 pixels.
const STILL: &str = "-cell 40 50 60 90 95 90 -N 6 -default_F 100 -lambda 1 -distance 60 -pixel 0.5 -detpixels 40 -oversample 2 \
                     -fluence 1e28 -nopgm";

/// Everything that can differ between shots.
const ALL_SPREADS: &str = "--crystals-per-shot 0:2 --size-spread 0.3 --cell-spread 0.01 --energy-spread 50 --fluence-spread 0.4 \
                           --shift-spread 0.3";

/// Images of shots as floats and with noise.
const IMAGES: &str = "-floatfile f.bin -noisefile n.img";

fn shots(place: &Workplace, line: &str) -> Vec<ShotRows> {
    place.run_line(&format!("shots {STILL} --truth t.csv {line}")).well();
    truth(place)
}

fn truth(place: &Workplace) -> Vec<ShotRows> {
    parse_shots(&place.read("t.csv")[..], "t.csv".as_ref()).expect("the table that the program writes")
}

/// The pixels of shot `number`: expected photons, and counts.
fn pixels(place: &Workplace, number: usize) -> (Vec<f32>, Vec<u16>) {
    let (_, counts) = smv_parts(&place.read(format!("n_{number:05}.img"))).expect("an SMV image");
    (place.float(&format!("f_{number:05}.bin")), counts)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let brightest = expected.iter().copied().fold(0.0, f32::max);
    assert!(brightest > 0.0, "{what}: the image is dark");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= 2e-6 * brightest, "{what}: pixel {at}: {found}, not {expected}");
    }
}

#[test]
fn a_shot_depends_on_its_number_alone() {
    let place = Workplace::empty();
    let all = shots(&place, &format!("{ALL_SPREADS} {IMAGES} --shots 7 --threads 1"));
    let images: Vec<_> = (1..=7).map(|number| pixels(&place, number)).collect();
    assert!(images.windows(2).all(|pair| pair[0] != pair[1]), "shots differ");

    let other = Workplace::empty();
    // Other jobs, of a longer run, on other threads.
    for range in ["5:9", "1:4"] {
        let line = format!("{ALL_SPREADS} {IMAGES} --shots 9 --threads 3 --shot-range {range}");
        assert_eq!(shots(&other, &line)[..7], all);
    }
    for (number, image) in (1..).zip(&images) {
        assert!(pixels(&other, number) == *image, "shot {number}");
    }
    let seeded = shots(&Workplace::empty(), &format!("{ALL_SPREADS} {IMAGES} --shots 7 --shot-seed 2"));
    assert!(seeded.iter().zip(&all).all(|(seeded, shot)| seeded != shot));
}

#[test]
fn the_truth_renders_the_same_bits() {
    let place = Workplace::empty();
    place.write("s.txt", "# energy_eV one two three\n12300 1 0 1\n12400 2 1 1\n12500 1 0 7\n");
    let line = format!("--spectrum s.txt -mosaic 0.5 -mosaic_domains 3 {IMAGES} --shots 6");
    let all = shots(&place, &format!("{line} {ALL_SPREADS}"));
    let images: Vec<_> = (1..=6).map(|number| pixels(&place, number)).collect();
    place.write("again.csv", place.read("t.csv"));
    for name in place.files().keys().filter(|name| name.ends_with(".json")) {
        fs::remove_file(place.path().join(name)).expect("a record");
    }
    assert_eq!(shots(&place, &format!("{line} --shot-table again.csv")), all);
    for (number, image) in (1..).zip(&images) {
        assert!(pixels(&place, number) == *image, "shot {number}");
    }
}

#[test]
fn a_shot_is_the_render_of_its_crystals() {
    let place = Workplace::empty();
    let spreads =
        "--crystals-per-shot 2 --size-spread 0.3 --cell-spread 0.01 --energy-spread 50 --fluence-spread 0.4";
    let all = shots(&place, &format!("{spreads} {IMAGES} --shots 3"));
    let table = String::from_utf8(place.read("t.csv")).expect("text");
    let (heading, rows) = table.split_once('\n').expect("a heading");
    // The columns of the crystals come first; those of the beam are options of the render.
    let of_crystal = |line: &str| {
        let columns: Vec<&str> = line.split(',').collect();
        columns[1..15].join(",")
    };
    for shot in &all {
        let number = shot.number.to_string();
        let rows = rows.lines().filter(|row| row.split(',').next() == Some(&number));
        let rows: Vec<String> = rows.map(of_crystal).collect();
        place.write("c.csv", format!("{}\n{}\n", of_crystal(heading), rows.join("\n")));
        let (lambda_m, fluence) = (shot.beam.lambda_m.unwrap(), shot.beam.fluence_per_m2.unwrap());
        let beam = format!("-lambda {} -fluence {fluence}", lambda_m * 1e10);
        place
            .run_line(&format!("{STILL} {beam} --crystals c.csv -nonoise -intfile i.img -floatfile one.bin"))
            .well();
        assert_close(&pixels(&place, shot.number).0, &place.float("one.bin"), &number);
    }
}

#[test]
fn blanks_have_their_background_alone() {
    let place = Workplace::empty();
    place.write("t0.csv", "shot,weight\n2,0\n");
    let all = shots(&place, &format!("{IMAGES} --shots 2 --shot-table t0.csv -water 2 --predictions p.csv"));
    assert_eq!(all[1].crystals.iter().map(|crystal| crystal.weight).collect::<Vec<_>>(), [Some(0.0)]);
    place
        .run_line(&format!("{STILL} -default_F 0 -water 2 -nonoise -intfile i.img -floatfile dry.bin"))
        .well();
    assert_close(&pixels(&place, 2).0, &place.float("dry.bin"), "blank");
    assert_ne!(pixels(&place, 1).0, pixels(&place, 2).0);
    let predictions = String::from_utf8(place.read("p.csv")).expect("text");
    assert!(predictions.starts_with("shot,crystal,h,k,l,"), "{predictions}");
    let shots: Vec<_> = predictions.lines().skip(1).map(|line| line.split(',').next()).collect();
    assert!(!shots.is_empty() && shots.iter().all(|shot| *shot == Some("1")), "{predictions}");
}

#[test]
fn detectors_are_displaced() {
    let place = Workplace::empty();
    // A pixel along fast, two along slow.
    place.write("t0.csv", "shot,shift_fast_mm,shift_slow_mm\n1,0,0\n2,0.5,1\n");
    shots(&place, &format!("--orientation given -point_pixel {IMAGES} --shots 2 --shot-table t0.csv"));
    let [(before, _), (after, _)] = [pixels(&place, 1), pixels(&place, 2)];
    let cut = |image: &[f32], [fast, slow]: [usize; 2]| -> Vec<f32> {
        image.chunks(40).skip(slow).take(38).flat_map(|row| row[fast..fast + 39].to_vec()).collect()
    };
    assert_close(&cut(&after, [0, 0]), &cut(&before, [1, 2]), "displaced");
}

#[test]
fn spectra_come_in_turn() {
    let place = Workplace::empty();
    place.write("s.txt", "# energy_eV one two\n12300 1 0\n12400 2 1\n12500 1 5\n");
    let all = shots(&place, &format!("--orientation given --spectrum s.txt {IMAGES} --shots 3"));
    assert_eq!(all.iter().map(|shot| shot.beam.spectrum).collect::<Vec<_>>(), [Some(1), Some(2), Some(1)]);
    assert_ne!(all[0].beam.lambda_m, all[1].beam.lambda_m);
    for (number, column) in [(1, 1), (2, 2), (3, 1)] {
        let line =
            format!("--spectrum s.txt --spectrum-column {column} -nonoise -intfile i.img -floatfile one.bin");
        place.run_line(&format!("{} {line}", STILL.replace("-lambda 1 ", ""))).well();
        assert_close(&pixels(&place, number).0, &place.float("one.bin"), &format!("shot {number}"));
    }
}

#[test]
fn jobs_share_a_file() {
    let place = Workplace::empty();
    let line = format!("{ALL_SPREADS} --shots 6");
    shots(&place, &format!("{line} --nxmx one.nxs"));
    let said = place.run_line(&format!("shots {STILL} {line} --nxmx two.nxs --shot-range 4:6")).well().stdout;
    assert!(said.contains("two.nxs is written once all 6 frames are in two.nxs.parts"), "{said}");
    // Two shots are lost, and the job is submitted again.
    for part in ["000005.part", "000006.part"] {
        fs::remove_file(place.path().join("two.nxs.parts").join(part)).expect("a part");
    }
    for range in ["4:6", "1:3"] {
        place.run_line(&format!("shots {STILL} {line} --nxmx two.nxs --resume --shot-range {range}")).well();
    }
    for frame in 0..6 {
        let same = place
            .run_line(&format!("compare one.nxs:{frame} two.nxs:{frame} --json --out same"))
            .well()
            .json();
        assert_eq!(same["bit_identical_fraction"], 1.0, "frame {frame}");
    }
    // Four jobs begin at the same time.
    let begin = |range: &str| {
        let line = format!("shots {STILL} {line} --nxmx three.nxs --quiet --shot-range {range}");
        place.command(line.split_whitespace()).spawn().expect("the program starts")
    };
    let jobs: Vec<_> = ["1:2", "3:3", "4:5", "6:6"].map(begin).into_iter().collect();
    for mut job in jobs {
        assert!(job.wait().expect("the end of a job").success());
    }
    let same = place.run_line("compare one.nxs:5 three.nxs:5 --json --out same").well().json();
    assert_eq!(same["bit_identical_fraction"], 1.0);
    let records = ["one", "two"].map(|name| place.read(format!("{name}.nxs.series.json")));
    assert_eq!(records[0], records[1], "they are of the same shots");
    let record: serde_json::Value = serde_json::from_slice(&records[0]).expect("a record");
    assert_eq!(record["seed"], 1, "the seed of shots is never the clock's");
    let table = String::from_utf8(place.read("two.csv")).expect("the truth is beside the file");
    assert_eq!(table.as_bytes(), place.read("t.csv"), "{table}");
}

#[test]
fn a_stream_is_a_table_and_a_truth() {
    let place = Workplace::empty();
    place.write(
        "d.geom",
        "photon_energy = 12398.42\nclen = 0.06\nres = 2000\nrigid_group_q = p\nrigid_group_collection_a = q\np/min_fs = 0\np/max_fs = 39\n\
         p/min_ss = 0\np/max_ss = 39\np/corner_x = -20\np/corner_y = -20\np/fs = +x\np/ss = +y\n",
    );
    let line = "--geometry d.geom -cell 40 50 60 90 95 90 -N 6 -default_F 100 -oversample 2 -fluence 1e28";
    let spreads = "--crystals-per-shot 1:2 --cell-spread 0.01 --energy-spread 50 --shift-spread 0.3";
    let run =
        |more: &str| place.run_line(&format!("shots {line} --shots 3 {IMAGES} --truth t.csv {more}")).well();
    run(&format!("{spreads} --stream s.stream"));
    let (drawn, images) = (truth(&place), (1..=3).map(|number| pixels(&place, number).0).collect::<Vec<_>>());
    for name in place.files().keys().filter(|name| name.ends_with(".json")) {
        fs::remove_file(place.path().join(name)).expect("a record");
    }
    run("--shot-table s.stream");
    for (read, drawn) in truth(&place).iter().zip(&drawn) {
        assert_eq!(read.crystals.len(), drawn.crystals.len());
        let shifts = |shot: &ShotRows| shot.beam.shift_m.unwrap();
        assert!(shifts(read).iter().zip(shifts(drawn)).all(|(read, drawn)| (read - drawn).abs() < 1e-12));
    }
    for (number, image) in (1..).zip(&images) {
        assert_close(&pixels(&place, number).0, image, &format!("shot {number}"));
    }
}

/// The mean, and how far it is from `expected` in standard errors.
fn check_mean(values: &[f64], expected: f64, what: &str) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let off = (mean - expected).abs() / (variance / count).sqrt();
    assert!(off < 5.0, "{what}: {mean}, not {expected}: {off} standard errors");
}

#[test]
fn shots_have_their_distributions() {
    let place = Workplace::empty();
    let line = "--crystals-per-shot poisson:1.5 --size-spread 0.2 --cell-spread 0.01 --energy-spread 50 --fluence-spread 0.4 --shift-spread 0.3";
    let all =
        shots(&place, &format!("-N 1000 -roi 0 0 0 0 -floatfile f.bin {line} --shots 4000 --shot-range 1:1"));
    let crystals =
        |shot: &ShotRows| shot.crystals.iter().filter(|crystal| crystal.weight != Some(0.0)).count();
    let counts: Vec<f64> = all.iter().map(|shot| crystals(shot) as f64).collect();
    check_mean(&counts, 1.5, "crystals");
    check_mean(
        &counts.iter().map(|count| count * count).collect::<Vec<_>>(),
        1.5 + 1.5 * 1.5,
        "their squares",
    );
    let each = |value: &dyn Fn(&ShotRows) -> f64, power: i32| -> Vec<f64> {
        all.iter().map(|shot| value(shot).powi(power)).collect()
    };
    let energy = |shot: &ShotRows| {
        (12_398.419_843_320_026e-10 / shot.beam.lambda_m.unwrap() - 12_398.419_843_320_026) / 50.0
    };
    let shift = |axis: usize| move |shot: &ShotRows| shot.beam.shift_m.unwrap()[axis] / 0.3e-3;
    let check_gauss = |what: &str, deviate: &dyn Fn(&ShotRows) -> f64| {
        for (power, moment) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
            check_mean(&each(deviate, power), moment, &format!("{what}^{power}"));
        }
    };
    check_gauss("energy", &energy);
    check_gauss("fast", &shift(0));
    check_gauss("slow", &shift(1));
    check_mean(&each(&|shot| shot.beam.fluence_per_m2.unwrap() / 1e28, 1), 1.0, "fluence");
    check_mean(
        &each(&|shot| (shot.beam.fluence_per_m2.unwrap() / 1e28).ln() / 0.4 + 0.2, 2),
        1.0,
        "its width",
    );
    let lit = || all.iter().flat_map(|shot| &shot.crystals).filter(|crystal| crystal.weight != Some(0.0));
    check_mean(&lit().map(|crystal| crystal.cells.unwrap()[0]).collect::<Vec<_>>(), 1000.0, "size");
    // Directions of b* are uniform on the sphere: all second moments 1/3, and no first ones.
    for axis in 0..3 {
        let along = |crystal: [[f64; 3]; 3]| {
            let length = (0..3).map(|row| crystal[row][1].powi(2)).sum::<f64>().sqrt();
            crystal[axis][1] / length
        };
        let cosines: Vec<f64> = lit().map(|crystal| along(crystal.a_matrix.unwrap())).collect();
        check_mean(&cosines, 0.0, "direction");
        check_mean(&cosines.iter().map(|c| c * c).collect::<Vec<_>>(), 1.0 / 3.0, "its square");
    }
    let volumes: Vec<f64> = lit().map(|crystal| 1.0 / determinant(crystal.a_matrix.unwrap())).collect();
    check_mean(&volumes, 40.0 * 50.0 * 60.0 * 95_f64.to_radians().sin(), "volume");
}

fn determinant([x, y, z]: [[f64; 3]; 3]) -> f64 {
    (0..3).map(|i| x[i] * (y[(i + 1) % 3] * z[(i + 2) % 3] - y[(i + 2) % 3] * z[(i + 1) % 3])).sum()
}

/// Every still of the list renders the shot again, and models that are equal stand in it once.
#[test]
fn experiment_lists_describe_shots() {
    let place = Workplace::empty();
    let dark = "-water 0 -beamsize 0.1";
    let line = format!("{dark} -phi 7 --shots 6 --shot-seed 3 --energy-spread 50 --nxmx a.nxs --expt a.expt");
    let placed =
        shots(&place, &format!("{line} --crystals-per-shot 0:2 --shift-spread 0.3 -floatfile f.bin"));
    let list: serde_json::Value =
        serde_json::from_slice(&place.read("a.expt")).expect("a list of experiments");
    let count = |name: &str| list[name].as_array().map_or(0, Vec::len);
    let crystals = |shot: &ShotRows| shot.crystals.iter().filter(|row| row.weight != Some(0.0)).count();
    let all: usize = placed.iter().map(crystals).sum();
    let blanks = placed.iter().filter(|shot| crystals(shot) == 0).count();
    assert!(all > 1 && blanks > 0, "{all} crystals, {blanks} blanks");
    assert_eq!(["crystal", "experiment", "imageset"].map(count), [all, all + blanks, 6]);
    assert_eq!(["beam", "detector"].map(count), [6, 6]);

    // Those of a shot with one crystal.
    let mut number = 0;
    for (index, shot) in placed.iter().enumerate() {
        let (first, here) = (number, crystals(shot));
        number += here.max(1);
        let experiment = &list["experiment"][first];
        let set = &list["imageset"][experiment["imageset"].as_u64().expect("an image set") as usize];
        assert_eq!((&set["images"][0], &set["single_file_indices"][0]), (&"a.nxs".into(), &index.into()));
        assert_eq!(experiment["crystal"].is_null(), here == 0);
        if here == 1 {
            let still =
                "-N 6 -default_F 100 -oversample 2 -fluence 1e28 -nonoise -nopgm -floatfile again.bin -phi 0";
            place.run_line(&format!("{still} --geometry a.expt --experiment {first} --quiet")).well();
            assert_close(
                &place.float("again.bin"),
                &place.float(&format!("f_{:05}.bin", index + 1)),
                "again",
            );
        }
    }
    assert!(placed.iter().any(|shot| crystals(shot) == 1));

    shots(&place, &format!("{dark} --shots 3 --expt b.expt -floatfile g.bin --noise-cbf n.cbf --nxmx b.nxs"));
    let list: serde_json::Value =
        serde_json::from_slice(&place.read("b.expt")).expect("a list of experiments");
    let count = |name: &str| list[name].as_array().map_or(0, Vec::len);
    assert_eq!(["experiment", "crystal", "imageset", "beam", "detector"].map(count), [3, 3, 3, 1, 1]);
    assert_eq!(list["imageset"][1]["images"][0], "n_00002.cbf");
    let wedge = place.run_line(&format!("shots {STILL} --shots 2 --nxmx w.nxs --expt w.expt -osc 1"));
    let is_refused = wedge.stderr.contains("--expt: only for shots that are stills");
    assert!(wedge.code == Some(2) && is_refused, "{}", wedge.stderr);
}

#[test]
fn what_cannot_be_is_refused() {
    let place = Workplace::empty();
    place.write("beyond.csv", "shot,weight\n3,1\n");
    place.write("lacks.csv", "shot,misset_x_deg,misset_y_deg\n1,1,2\n");
    place.write("none.csv", "weight\n1\n");
    place.write("spectrum.csv", "shot,spectrum\n1,2\n");
    let png = "--shots 2 -floatfile f.bin";
    for (line, why) in [
        ("-floatfile f.bin".to_owned(), "shots: how many? give --shots N"),
        ("--shots 2".to_owned(), "shots: into which file?"),
        (format!("{png} --shot-range 2:3"), "--shot-range 2:3: the series has shots 1 to 2"),
        (format!("{png} --shots 100000"), "--shots 100000: a series has at most 99999 shots"),
        (format!("{png} --shots 0"), "--shots 0: must be at least 1"),
        (format!("{png} --shot-table beyond.csv"), "has shot 3, and there are 2 (--shots)"),
        (format!("{png} --shot-table lacks.csv"), "lacks.csv:1: "),
        (format!("{png} --shot-table none.csv"), "none.csv: no column shot"),
        (format!("{png} --shot-table spectrum.csv"), "spectrum 2 of 0"),
        (format!("{png} --shot-table gone.csv"), "gone.csv"),
        (format!("{png} --size-spread -1"), "--size-spread -1: must not be negative"),
        (format!("{png} --cell-spread 0.3"), "a spread of the cell by 0.3"),
        (format!("{png} --shots 20 --energy-spread 90000"), "is none of X-rays"),
        (format!("{png} --crystals-per-shot 3:1"), "must be a number N, a range A:B, or poisson:MEAN"),
        (format!("{png} --crystals-per-shot 20000"), "at most 10000"),
        (format!("{png} --phi-carryover-mode c-parity"), "nanoBragg has no shots"),
        (format!("{png} --twin k,h,-l,0.3"), "--twin: not for shots"),
        (format!("{png} -seed 2"), "-seed: not for shots, whose noise is that of --shot-seed"),
        (format!("{png} --truth f_00001.bin"), "f_00001.bin"),
    ] {
        let outcome = place.run_line(&format!("shots {STILL} {line}")).refused(&line);
        assert!(outcome.stderr.contains(why), "{line}: {}", outcome.stderr);
    }
}
