//! Derivatives and fits of several crystals in one image: `gradcheck`, `gradient` and `refine` with `--crystals` and `--twin`.

use serde_json::Value;
use widebragg_tests::program::Workplace;
use widebragg_tests::report::{entry, number};

/// A still on 40 x 36 pixels.
const STILL: &str = "-default_F 100 -lambda 1 -distance 60 -pixel 0.5 -detpixels_x 40 -detpixels_y 36 -oversample 1 -fluence 1e24";

/// Crystals that differ in all that a table has; one of weight 0 stands between them.
const TABLE: &str = "weight,misset_x_deg,misset_y_deg,misset_z_deg,a_angstrom,b_angstrom,c_angstrom,alpha_deg,beta_deg,\
                     gamma_deg,n_a,n_b,n_c,mosaic_deg\n\
                     1,10,20,30,40,50,60,90,95,90,5,6,7,0.8\n0,1,2,3,40,50,60,90,90,90,9,9,9,\n\
                     0.3,40,2,71,41,49,62,88,95,93,4,4,5,1.2\n";

fn place() -> Workplace {
    let place = Workplace::empty();
    place.write("c.csv", TABLE);
    place
}

#[test]
fn derivatives_by_parameters_of_each_crystal_are_right() {
    let place = place();
    let without_mosaicity: Vec<&str> =
        TABLE.lines().filter_map(|line| Some(line.rsplit_once(',')?.0)).collect();
    place.write("anisotropic.csv", without_mosaicity.join("\n"));
    let isotropic = "-mosaic 0.5 --crystals c.csv --wrt mosaic,";
    let anisotropic = "--mosaic-anisotropic 0.5 1 0.7 --crystals anisotropic.csv --wrt mosaic_b,";
    // 6 + 9 numbers of the cell, 3 angles, 4 numbers of cells, the weight, the mosaicity, and the rest of the N matrix.
    for (more, of_each) in [
        (isotropic, 23 + 1),
        (
            &*format!(
                "-round_xtal -osc 1 -phisteps 3 --spectrum-gauss 12398,100 --spectrum-steps 3 {isotropic}"
            ),
            23 + 1,
        ),
        (&*format!("-gauss_xtal --spot-metric index --light list {isotropic}"), 23 + 1 + 3),
        (&*format!("-gauss_xtal {anisotropic}"), 23 + 3),
    ] {
        let line = format!(
            "gradcheck {STILL} -cell 40 50 60 90 95 90 -mosaic_domains 4 --json \
             {more}cell,misset,lambda,scale,N,distance,default_F,crystals"
        );
        let report = place.run_line(&line).well().json();
        let parameters = report["parameters"].as_array().expect("parameters");
        let of = |crystal: usize| {
            let label = format!("crystal[{crystal}].");
            let own =
                parameters.iter().filter(|p| p["name"].as_str().is_some_and(|name| name.starts_with(&label)));
            own.count()
        };
        assert_eq!([of(1), of(2), of(3)], [of_each, of_each, 0], "{more}");
        for parameter in parameters {
            assert_eq!(parameter["right"], true, "{more}: {parameter}");
            assert!(number(&parameter["pullback_error"]) <= 1e-6, "{more}: {parameter}");
            assert!(number(&parameter["derivative"]) != 0.0, "{more}: {parameter}");
        }
    }
}

#[test]
fn derivatives_of_crystals_on_several_panels_are_right() {
    let place = place();
    let mut geom = "photon_energy = 12398.42\nclen = 0.06\nres = 2000\n".to_owned();
    for panel in 0..2 {
        let (first, corner) = (20 * panel, 25 * panel - 22);
        geom += &format!(
            "p{panel}/min_fs = 0\np{panel}/max_fs = 39\np{panel}/min_ss = {first}\np{panel}/max_ss = {}\n\
             p{panel}/corner_x = -18\np{panel}/corner_y = {corner}\np{panel}/fs = +1.0x +0.0{panel}y\n\
             p{panel}/ss = -0.0{panel}x +1.0y\n",
            first + 19
        );
    }
    place.write("d.geom", geom);
    let line = "gradcheck -default_F 100 -fluence 1e24 -oversample 1 -cell 40 50 60 90 95 90 --crystals c.csv --geometry d.geom --json \
                --wrt misset,panels,crystals.weight,crystals.misset,crystal[2].a";
    let report = place.run_line(line).well().json();
    let parameters = report["parameters"].as_array().expect("parameters");
    assert_eq!(parameters.len(), 3 + 12 + 2 + 6 + 1);
    assert!(parameters.iter().all(|parameter| parameter["right"] == true), "{report}");
}

/// The derivative by a weight is the image of the crystal with the weight 1.
#[test]
fn derivatives_by_weights_are_images() {
    let place = place();
    let lines: Vec<&str> = TABLE.lines().collect();
    place.write("second.csv", format!("{}\n{}\n", lines[0], lines[3].replace("0.3,", "1,")));
    let line = format!("{STILL} -cell 40 50 60 90 95 90 -mosaic_domains 5 -nonoise -nopgm --quiet");
    place.run_line(&format!("{line} --crystals second.csv -floatfile f.bin")).well();
    let expected = place.float("f.bin");
    let report = place
        .run_line(&format!("gradient {line} --crystals c.csv --wrt crystals.weight --out d --images --json"))
        .well()
        .json();
    let found = place.float("d/dI_dcrystal_2_.weight.bin");
    assert!(expected.iter().any(|&pixel| pixel > 0.0));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 2e-7 * expected, "{found} {expected}");
    }
    let weight = entry(&report, "gradient", "crystal[2].weight");
    let sum: f64 = expected.iter().copied().map(f64::from).sum();
    assert!((number(&weight["derivative"]) / sum - 1.0).abs() < 1e-6, "{weight} {sum}");
    assert_eq!(number(&weight["value"]), 0.3);
}

/// Water and other backgrounds belong to no crystal, and do not change with the weights of crystals.
#[test]
fn derivatives_beside_water_are_right() {
    let place = place();
    place.write(
        "d.geom",
        "photon_energy = 12398.42\nclen = 0.06\nres = 2000\np/min_fs = 0\np/max_fs = 39\np/min_ss = 0\np/max_ss = 29\n\
         p/corner_x = -18\np/corner_y = -11\np/fs = +1.0x +0.01y\np/ss = -0.01x +1.0y\n",
    );
    place.write("factors.hkl", "1 0 0 120\n0 1 0 80\n0 0 1 60\n1 1 2 200\n3 -1 1 40\n");
    let still = "-cell 40 50 60 90 95 90 --crystals c.csv -default_F 100 -fluence 1e24 -oversample 1";
    let panels = format!("{still} --geometry d.geom");
    let single = format!("{STILL} -cell 40 50 60 90 95 90 --crystals c.csv");
    for (line, wrt, count) in [
        (
            format!("{single} -water 0.1"),
            "scale,crystals.weight,crystal[1].misset,distance,lambda",
            1 + 2 + 3 + 2,
        ),
        (format!("{single} --background water,0.1 -water 0.1"), "scale,crystals.weight", 1 + 2),
        (
            format!(
                "{single} -gauss_xtal --light list -water 0.1 --spectrum-gauss 12398,100 --spectrum-steps 3"
            ),
            "crystals.weight,crystals.N,cell,mosaic",
            2 + 2 + 6 + 1,
        ),
        (format!("{panels} -water 0.1"), "crystals.weight,panels,scale", 2 + 6 + 1),
        (format!("{single} -water 0.1 -hkl factors.hkl"), "crystals.weight,default_F", 2 + 1),
    ] {
        let report = place.run_line(&format!("gradcheck {line} --json --wrt {wrt}")).well().json();
        let parameters = report["parameters"].as_array().expect("parameters");
        assert_eq!(parameters.len(), count, "{line}: {report}");
        for parameter in parameters {
            assert_eq!(parameter["right"], true, "{line}: {parameter}");
            assert!(number(&parameter["pullback_error"]) <= 1e-6, "{line}: {parameter}");
        }
    }
}

/// The derivative by the weight of the first crystal is its image without the water, and a fit finds the weight beside it.
#[test]
fn weights_beside_water_are_those_of_crystals() {
    let place = place();
    let line = format!("{STILL} -cell 40 50 60 90 95 90 -mosaic_domains 5 -nonoise -nopgm --quiet");
    place.write("first.csv", TABLE.lines().take(2).collect::<Vec<_>>().join("\n"));
    place.run_line(&format!("{line} --crystals first.csv -floatfile first.bin")).well();
    let water = format!("{line} -water 0.1 --crystals c.csv");
    place.run_line(&format!("gradient {water} --wrt crystals.weight --out d --images")).well();
    let (first, found) = (place.float("first.bin"), place.float("d/dI_dcrystal_1_.weight.bin"));
    assert!(first.iter().any(|&pixel| pixel > 0.0));
    for (found, expected) in found.iter().zip(&first) {
        assert!((found - expected).abs() <= 2e-7 * expected, "{found} {expected}");
    }
    place.run_line(&format!("{water} -floatfile data.bin")).well();
    place.write("start.csv", TABLE.replace("\n1,10,", "\n1.4,10,").replace("0.3,40", "0.2,40"));
    let start = format!("{} -water 0.1 --crystals start.csv", line.replace("--quiet", ""));
    let report = place
        .run_line(&format!("refine {start} --against data.bin --wrt crystals.weight --out fit --json"))
        .well()
        .json();
    for (name, expected) in [("crystal[1].weight", 1.0), ("crystal[2].weight", 0.3)] {
        let fitted = number(&entry(&report, "parameters", name)["fitted"]);
        assert!((fitted - expected).abs() < 1e-4, "{name}: {fitted}");
    }
}

#[test]
fn what_crystals_share_is_the_sum_of_their_own() {
    let place = place();
    let report = place
        .run_line(&format!(
            "gradient {STILL} -cell 40 50 60 90 95 90 --crystals c.csv --wrt misset,a,Nb,scale,crystals --json"
        ))
        .well()
        .json();
    let derivative = |name: &str| number(&entry(&report, "gradient", name)["derivative"]);
    for name in ["misset_x", "misset_y", "misset_z", "a", "Nb"] {
        let sum = derivative(&format!("crystal[1].{name}")) + derivative(&format!("crystal[2].{name}"));
        assert!((derivative(name) / sum - 1.0).abs() < 1e-9, "{name}: {} {sum}", derivative(name));
    }
    // By a factor on all weights.
    let by_weights = derivative("crystal[1].weight") + 0.3 * derivative("crystal[2].weight");
    assert!((derivative("scale") / by_weights - 1.0).abs() < 1e-9, "{by_weights}");
}

#[test]
fn weights_and_orientations_of_crystals_are_recovered() {
    let place = place();
    let line = "-default_F 100 -lambda 1 -distance 60 -pixel 0.3 -detpixels 120 -oversample 1 -fluence 1e24 \
                -cell 40 50 60 90 95 90 -N 6";
    place.write("true.csv", "weight,misset_x_deg,misset_y_deg,misset_z_deg\n1,10,20,30\n0.4,40,2,71\n");
    place.write(
        "start.csv",
        "weight,misset_x_deg,misset_y_deg,misset_z_deg\n1,10.03,20,29.97\n0.6,40.02,1.98,71\n",
    );
    place.run_line(&format!("{line} --crystals true.csv -nonoise -nopgm -floatfile data.bin --quiet")).well();
    let report = place
        .run_line(&format!(
            "refine {line} --crystals start.csv --against data.bin --wrt crystals.misset,crystals.weight --out fit --json"
        ))
        .well()
        .json();
    let fitted = |name: &str| number(&entry(&report, "parameters", name)["fitted"]);
    for (name, expected) in [
        ("crystal[1].weight", 1.0),
        ("crystal[2].weight", 0.4),
        ("crystal[1].misset_x", 10.0),
        ("crystal[2].misset_z", 71.0),
    ] {
        assert!((fitted(name) - expected).abs() < 1e-4, "{name}: {}", fitted(name));
    }
    let words: Vec<&str> =
        report["options"].as_array().expect("options").iter().filter_map(Value::as_str).collect();
    let [option, table] = words[..] else { panic!("{words:?}") };
    assert_eq!(option, "--crystals");
    place.run_line(&format!("{line} --crystals {table} -nonoise -nopgm -floatfile again.bin --quiet")).well();
    let (data, again) = (place.float("data.bin"), place.float("again.bin"));
    let most = data.iter().copied().fold(0.0, f32::max);
    let apart = data.iter().zip(&again).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4 * most, "{apart} of {most}");
}

#[test]
fn twins_move_one_by_one() {
    let place = Workplace::empty();
    let line = format!("{STILL} -cell 30 30 40 90 90 120 -misset 10 20 30 -N 4 --twin k,h,-l,0.3");
    let report =
        place.run_line(&format!("gradcheck {line} --json --wrt crystals,lambda,scale")).well().json();
    let parameters = report["parameters"].as_array().expect("parameters");
    // 6 + 9 of the cell, 3 + 1 + 3 + 1 of each crystal, and 2.
    assert_eq!(parameters.len(), 2 * 23 + 2);
    assert!(parameters.iter().all(|parameter| parameter["right"] == true), "{report}");
    let report = place.run_line(&format!("gradient {line} --wrt crystals.weight --json")).well().json();
    for (name, weight) in [("crystal[1].weight", 0.7), ("crystal[2].weight", 0.3)] {
        assert!((number(&entry(&report, "gradient", name)["value"]) - weight).abs() < 1e-12, "{report}");
    }
    let line = line.replace("-oversample 1", "");
    let outcome = place.run_line(&format!("gradient {line} --wrt cell")).refused("cell of both");
    let error = "--wrt cell: a crystal and its twin move one by one (crystal[1], crystal[2])";
    assert!(outcome.stderr.contains(error), "{}", outcome.stderr);
}

#[test]
fn what_cannot_move_is_refused_in_one_line() {
    let place = Workplace::empty();
    place.write("c.csv", "weight\n1\n0\n0.5\n");
    place.write("data.bin", vec![0u8; 4 * 40 * 36]);
    let line = format!("{} -cell 40 50 60 90 95 90", STILL.replace("-oversample 1", ""));
    let table = format!("{line} --crystals c.csv");
    let refine = format!("refine {table} --against data.bin --wrt");
    for (line, error) in [
        (format!("gradient {line} --wrt crystal[2].a"), "--wrt crystal[2].a: there is one crystal"),
        (
            format!("gradient {table} --wrt crystal[3].a"),
            "--wrt crystal[3].a: there is no crystal 3; those with a weight are 1 to 2",
        ),
        (format!("gradient {table} --wrt crystal[0]"), "--wrt crystal[0]: there is no crystal 0"),
        (
            format!("gradient {table} --wrt crystal[1].phi"),
            "--wrt crystal[1].phi: no such parameter of a crystal; there are cell, ",
        ),
        (format!("gradient {table} --wrt coupling"), "--wrt coupling: an N matrix needs Gaussian spots"),
        (
            format!("{refine} crystal[2].vectors,crystal[2].cell"),
            "--wrt crystal[2].vectors and crystal[2].cell move the same",
        ),
        (format!("{refine} scale,crystals.weight"), "--wrt scale and that of each crystal move the same"),
        (format!("{refine} misset,crystals.misset"), "--wrt misset_x and that of each crystal move the same"),
    ] {
        let outcome = place.run_line(&line).refused(&line);
        assert!(outcome.stderr.contains(error), "{line}: {}", outcome.stderr);
    }
}
