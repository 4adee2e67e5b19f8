//! `--predictions`: spots of images are where the table has them, with as many photons.

use widebragg_tests::program::Workplace;
use widebragg_tests::table::Table;

fn read_table(place: &Workplace, name: &str) -> Table {
    Table::parse(&String::from_utf8(place.read(name)).expect("a text"))
}

/// Where a row has its spot.
fn position(table: &Table, row: &[f64]) -> [f64; 2] {
    [table.value(row, "x_px"), table.value(row, "y_px")]
}

fn distance([x, y]: [f64; 2], [u, v]: [f64; 2]) -> f64 {
    (x - u).hypot(y - v)
}

/// Pixels along an edge of the detector of a rotation.
const EDGE: usize = 300;

/// The same of a still: neighbouring reflections are at least 7 pixels apart.
const STILL_EDGE: usize = 600;

/// A tilted detector of 300 x 300 pixels, and eight frames of a degree.
const ROTATION: &str = "-cell 50 60 45 88 95 100 -misset 12 34 56 -lambda 1.1 -distance 60 -pixel 0.15 -detpixels 300 \
    -detector_rotx 3 -detector_roty 20 -fluence 1e28 -phi 30 -osc 1 -nonoise -nopgm --quiet --frames 8";

/// Rotates a few isolated reflections through the sphere and compares each spot with its line; returns the photons of each
/// spot over those of its line.
fn compare_spots(shape: &str) -> Vec<f64> {
    let place = Workplace::empty();
    let coarse = format!("{ROTATION} {shape} -default_F 100 -phisteps 1 -oversample 1 --predictions all.csv");
    place.run_line(&coarse).well();
    let all = read_table(&place, "all.csv");
    // All F are the same, so that those with many photons move along the sphere rather than through it.
    let mut photons: Vec<f64> = all.rows.iter().map(|row| all.value(row, "full_photons")).collect();
    photons.sort_by(f64::total_cmp);
    let median = photons[photons.len() / 2];
    let mut picked: Vec<&Vec<f64>> = Vec::new();
    for row in &all.rows {
        let is_inside = position(&all, row).iter().all(|at| (35.0..265.0).contains(at));
        let crosses = (33.6..34.4).contains(&all.value(row, "phi_deg"));
        let is_alone = |other: &&Vec<f64>| distance(position(&all, row), position(&all, other)) > 50.0;
        let is_fast = all.value(row, "full_photons") < 1.5 * median;
        if is_inside && crosses && is_fast && picked.iter().all(is_alone) {
            picked.push(row);
        }
    }
    assert!(picked.len() >= 4, "{}", picked.len());
    let lines = picked.iter().map(|row| format!("{} {} {} 70\n", row[0], row[1], row[2]));
    place.write("picked.hkl", lines.collect::<String>());
    let files = "-hkl picked.hkl -nointerpolate -floatfile f.bin -intfile i.img --predictions picked.csv";
    place.run_line(&format!("{ROTATION} {shape} {files} -phisteps 50 -oversample 5")).well();
    let table = read_table(&place, "picked.csv");
    assert_eq!(table.rows.len(), picked.len());
    let mut sum = vec![0.0; EDGE * EDGE];
    for frame in 1..=8 {
        let image = place.float(&format!("f_{frame:05}.bin"));
        image.iter().zip(&mut sum).for_each(|(pixel, sum)| *sum += f64::from(*pixel));
    }
    let compare = |row: &Vec<f64>| {
        let [x, y] = position(&table, row);
        let (mut photons, mut along_x, mut along_y) = (0.0, 0.0, 0.0);
        for (index, &pixel) in sum.iter().enumerate() {
            let centre = [(index % EDGE) as f64 + 0.5, (index / EDGE) as f64 + 0.5];
            if distance(centre, [x, y]) < 25.0 {
                photons += pixel;
                along_x += pixel * centre[0];
                along_y += pixel * centre[1];
            }
        }
        let apart = distance([along_x / photons, along_y / photons], [x, y]);
        assert!(apart < 0.1, "{shape}: {row:?}: spot off by {apart} px");
        assert_eq!(table.value(row, "frame"), (table.value(row, "phi_deg") - 30.0).floor() + 1.0);
        photons / table.value(row, "full_photons")
    };
    table.rows.iter().map(compare).collect()
}

fn within_a_percent(shape: &str) {
    let ratios = compare_spots(shape);
    assert!(ratios.iter().all(|ratio| (ratio - 1.0).abs() < 0.01), "{shape}: {ratios:?}");
}

#[test]
fn gaussian_spots_are_where_they_are_predicted_with_as_many_photons() {
    within_a_percent("-gauss_xtal -N 8");
}

#[test]
fn spots_with_an_edge_are_where_they_are_predicted_with_as_many_photons() {
    within_a_percent("-tophat_spots -N 6 -fudge 0.7");
}

#[test]
fn spots_of_index_metric_have_the_predicted_photons() {
    within_a_percent("-gauss_xtal --n-matrix 12 13 11 2 -1 1.5");
    within_a_percent("-gauss_xtal --cells 10.5 12 9.75 --spot-metric index --gauss-cutoff 0.8");
    within_a_percent("-tophat_spots --cells 6 5 6.5 --spot-metric index");
}

/// The tails of round crystals fall off slowly, and end where another reflection is nearer: 0.30/R of the photons lie beyond a
/// sphere of R/N around the reflection, with R = N/2 = 7 for the largest within its cell.
#[test]
fn round_crystals_have_the_predicted_photons_but_for_their_tails() {
    let ratios = compare_spots("-round_xtal -N 14");
    assert!(ratios.iter().all(|ratio| (0.957..1.0).contains(ratio)), "{ratios:?}");
}

#[test]
fn crystals_with_straight_faces_have_the_predicted_photons() {
    within_a_percent("-square_xtal -N 14");
}

#[test]
fn spots_in_a_polarised_beam_on_a_sensor_have_the_predicted_photons() {
    within_a_percent("-gauss_xtal -N 7 -fudge 2 -polar 0.8 --sensor Si,30,3 -oversample_thick");
}

/// Every spot of stills, with everything that brings reflections to the sphere, has a line near it; and lines are few.
#[test]
fn spots_of_stills_are_predicted() {
    let still = "-cell 50 60 45 88 95 100 -lambda 1.1 -distance 60 -pixel 0.15 -detpixels 600 -default_F 100 \
        -fluence 1e28 -nonoise -nopgm --quiet -floatfile f.bin --predictions p.csv -oversample 1 -seed 1";
    let place = Workplace::empty();
    let mut numbers = Vec::new();
    for rest in [
        "-N 40 -misset 10 20 30",
        "-N 40 -misset 10 20 30 -mosaic 0.3 -mosaic_domains 40",
        "-N 40 -misset 10 20 30 -dispersion 3 -dispsteps 15",
        "-N 40 -misset 10 20 30 -divergence 4 -divsteps 6",
        "-N 8 -misset 50 20 80 -phi 17",
    ] {
        place.run_line(&format!("{still} {rest}")).well();
        let table = read_table(&place, "p.csv");
        let image = place.float("f.bin");
        let brightest = image.iter().copied().fold(0f32, f32::max);
        let mut spots = 0;
        for slow in 1..STILL_EDGE - 1 {
            for fast in 1..STILL_EDGE - 1 {
                let at = |fast: usize, slow: usize| image[slow * STILL_EDGE + fast];
                let here = at(fast, slow);
                let mut neighbours =
                    (slow - 1..=slow + 1).flat_map(|s| (fast - 1..=fast + 1).map(move |f| (f, s)));
                let centre = [fast as f64 + 0.5, slow as f64 + 0.5];
                // The direct beam is no reflection.
                let is_beam = distance(centre, [300.0; 2]) < 12.0;
                if here < 0.1 * brightest || is_beam || neighbours.any(|(f, s)| at(f, s) > here) {
                    continue;
                }
                spots += 1;
                let near = table.rows.iter().map(|row| distance(position(&table, row), centre));
                let nearest = near.fold(f64::INFINITY, f64::min);
                assert!(nearest < 2.0, "{rest}: a spot at {centre:?} is {nearest} px from any line");
            }
        }
        assert!(spots > 10, "{rest}: {spots} spots");
        // Lines near the limit of what can show have next to no photons; most have some.
        let shows = |row: &&Vec<f64>| {
            let [fast, slow] = position(&table, row).map(|at| at as usize);
            let around = |at: usize| at.saturating_sub(2)..(at + 3).min(STILL_EDGE);
            let mut pixels = around(slow).flat_map(|s| around(fast).map(move |f| s * STILL_EDGE + f));
            pixels.any(|index| image[index] > 1e-3 * brightest)
        };
        let shown = table.rows.iter().filter(shows).count();
        assert!(2 * shown > table.rows.len(), "{rest}: {shown} of {} lines show", table.rows.len());
        numbers.push(table.rows.len());
    }
    let [plain, mosaic, dispersed, divergent, _] = numbers[..] else { panic!("{numbers:?}") };
    assert!(plain < mosaic && plain < dispersed && plain < divergent, "{numbers:?}");
}

#[test]
fn the_table_is_named_in_the_summary_and_complete_or_absent() {
    let place = Workplace::empty();
    let line = format!("{ROTATION} -N 5 -default_F 100 -phisteps 1 -oversample 1").replace("--quiet", "");
    let summary = place.run_line(&format!("{line} --predictions p.csv --json")).well().json();
    let table = read_table(&place, "p.csv");
    assert_eq!(summary["predictions"]["reflections"], table.rows.len());
    assert_eq!(
        table.columns.join(","),
        "h,k,l,panel,x_px,y_px,phi_deg,frame,entering,d_angstrom,lambda_angstrom,full_photons"
    );
    let frames = table.rows.iter().map(|row| table.value(row, "frame"));
    assert!(frames.clone().any(|frame| frame < 1.0) && frames.clone().any(|frame| frame > 8.0));
    let single = line.replace("--frames 8", "");
    for (rest, message) in [
        (
            "--predictions p.csv -curved_det",
            "--predictions: detector: predictions are those of flat detectors",
        ),
        ("--predictions none/p.csv", "--predictions: none/p.csv"),
        ("--predictions f.bin -floatfile f.bin", "is also the table of predictions (--predictions)"),
    ] {
        let outcome = place.run_line(&format!("{single} {rest}"));
        assert_eq!(outcome.code, Some(2), "{rest}");
        assert!(outcome.stderr.contains(message), "{rest}: {}", outcome.stderr);
    }
    let text = place.run_line(&format!("{single} --predictions p.csv")).well().stdout;
    assert!(
        text.lines().any(|line| line.starts_with("predictions  ") && line.ends_with(" reflections: p.csv")),
        "{text}"
    );
}
