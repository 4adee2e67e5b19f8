//! Derivatives and fits of detectors of several panels: `gradcheck`, `gradient` and `refine` with `--geometry`,
//! motions of panels and of groups of them.

use core::fmt::Write as _;

use serde_json::Value;
use widebragg_tests::program::Workplace;
use widebragg_tests::report::{entry, number};

/// A crystal so small that it lights most pixels, which the files of geometry do not have.
const CRYSTAL: &str = "-cell 70 80 90 85 95 100 -misset 10 20 30 -N 5 -default_F 100 -fluence 1e24";

/// A panel of 30 x 20 pixels of 0.5 mm.
#[derive(Clone, Copy)]
struct Tile {
    /// Its first corner, in m.
    corner_m: [f64; 3],
    fast: [f64; 3],
    slow: [f64; 3],
}

/// Four panels, turned against each other and not quite in a plane.
fn tiles() -> [Tile; 4] {
    let corners = [[-16e-3, -11e-3], [1e-3, -10.5e-3], [-15.5e-3, 0.5e-3], [0.8e-3, 1e-3]];
    [0, 1, 2, 3].map(|panel| {
        let (sin, cos) = (0.03 * (panel as f64 - 1.2)).sin_cos();
        let tilt = 0.05 * panel as f64;
        Tile {
            corner_m: [corners[panel][0], corners[panel][1], 0.1 + 1e-3 * panel as f64],
            fast: unit([cos, sin, tilt]),
            slow: unit(across([cos, sin, tilt], [-sin, cos, -0.04])),
        }
    })
}

fn plus(a: [f64; 3], by: f64, b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| a[i] + by * b[i])
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    v.map(|component| component / dot(v, v).sqrt())
}

/// The part of `v` that is perpendicular to `axis`.
fn across(axis: [f64; 3], v: [f64; 3]) -> [f64; 3] {
    plus(v, -dot(v, axis) / dot(axis, axis), axis)
}

/// `v` turned about a unit axis.
fn turned(v: [f64; 3], axis: [f64; 3], angle_deg: f64) -> [f64; 3] {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    let along = plus([0.0; 3], dot(v, axis), axis);
    plus(plus(along, cos, across(axis, v)), sin, cross(axis, v))
}

impl Tile {
    fn centre_m(&self) -> [f64; 3] {
        plus(plus(self.corner_m, 7.5e-3, self.fast), 5e-3, self.slow)
    }

    fn axes(&self) -> [[f64; 3]; 3] {
        [self.fast, self.slow, cross(self.fast, self.slow)]
    }

    /// The tile after shifts in mm and turns in degrees in a frame.
    fn moved(mut self, centre_m: [f64; 3], axes: [[f64; 3]; 3], by: [f64; 6]) -> Self {
        let mut from_centre = plus(self.corner_m, -1.0, centre_m);
        for (axis, angle_deg) in axes.into_iter().zip(&by[3..]) {
            for v in [&mut from_centre, &mut self.fast, &mut self.slow] {
                *v = turned(*v, axis, *angle_deg);
            }
        }
        self.corner_m = plus(centre_m, 1.0, from_centre);
        for (axis, by_mm) in axes.into_iter().zip(by) {
            self.corner_m = plus(self.corner_m, by_mm * 1e-3, axis);
        }
        self
    }
}

/// The tiles as a geometry of CrystFEL.
fn geom(tiles: &[Tile]) -> String {
    let mut text = "photon_energy = 12398.419843320026 eV\nclen = 0\nres = 2000\n\
                    rigid_group_upper = p2, p3\ngroup_all = p0,p1,upper\n"
        .to_owned();
    for (panel, tile) in tiles.iter().enumerate() {
        let [x, y, z] = tile.corner_m;
        let vector = |v: [f64; 3]| format!("{:+.17}x {:+.17}y {:+.17}z", v[0], v[1], v[2]);
        let _ = write!(
            text,
            "p{panel}/min_fs = 0\np{panel}/max_fs = 29\np{panel}/min_ss = {}\np{panel}/max_ss = {}\n\
             p{panel}/corner_x = {:.17}\np{panel}/corner_y = {:.17}\np{panel}/coffset = {z:.17}\np{panel}/fs = {}\n\
             p{panel}/ss = {}\n",
            20 * panel,
            20 * panel + 19,
            2000.0 * x,
            2000.0 * y,
            vector(tile.fast),
            vector(tile.slow)
        );
    }
    text
}

/// A folder with the four panels.
fn place() -> Workplace {
    let place = Workplace::empty();
    place.write("start.geom", geom(&tiles()));
    place
}

#[test]
fn derivatives_by_motions_are_right_in_both_modes() {
    let place = place();
    for mode in ["spec", "c-parity"] {
        let line = format!(
            "gradcheck {CRYSTAL} -oversample 1 --geometry start.geom --phi-carryover-mode {mode} -osc 1 -phisteps 3 -detector_rotx 2 \
             -twotheta 3 --panel-group diagonal=p1,2 --json --wrt \
             misset,lambda,origin,distance,beam,detector,panels,groups"
        );
        let report = place.run_line(&line).well().json();
        let parameters = report["parameters"].as_array().expect("parameters");
        // 3 + 1 + 3 + 1 + 2 + 3, four panels, and the groups diagonal, upper and all.
        assert_eq!(parameters.len(), 13 + 6 * 7, "{report}");
        for parameter in parameters {
            assert_eq!(parameter["right"], true, "{mode}: {parameter}");
            for error in ["pullback_error", "pushforward_error"] {
                assert!(number(&parameter[error]) <= 1e-6, "{mode}: {parameter}");
            }
            assert!(number(&parameter["derivative"]) != 0.0, "{mode}: {parameter}");
        }
        assert_eq!(report["panels"], serde_json::json!(["p0", "p1", "p2", "p3"]));
        let groups = serde_json::json!([
            { "name": "all", "panels": ["p0", "p1", "p2", "p3"] },
            { "name": "diagonal", "panels": ["p1", "p2"] },
            { "name": "upper", "panels": ["p2", "p3"] },
        ]);
        assert_eq!(report["groups"], groups);
        assert_eq!(report["roi"].as_array().map(Vec::len), Some(4));
    }
}

/// A group moves as its panels do together: shifts of it are sums of shifts of the panels along its axes.
#[test]
fn derivatives_of_a_group_are_sums_over_its_panels() {
    let place = place();
    let line = format!(
        "gradient {CRYSTAL} -oversample 1 --geometry start.geom --wrt group[upper],group[all],panels,origin,distance,beam,misset"
    );
    let report = place.run_line(&line).well().json();
    let derivative = |name: &str| number(&entry(&report, "gradient", name)["derivative"]);
    let tiles = tiles();
    // The derivative by a shift of panels along a vector.
    let along = |panels: &[usize], v: [f64; 3]| -> f64 {
        let of_panel = |&panel: &usize| {
            let shifts = ["fast", "slow", "normal"].into_iter().zip(tiles[panel].axes());
            let terms =
                shifts.map(|(name, axis)| dot(axis, v) * derivative(&format!("panel[p{panel}].{name}")));
            terms.sum::<f64>()
        };
        panels.iter().map(of_panel).sum()
    };
    let all = [0, 1, 2, 3];
    let [fast, slow, _] = tiles[0].axes();
    for (name, panels, vector) in [
        ("group[upper].fast", &all[2..], tiles[2].axes()[0]),
        ("group[upper].normal", &all[2..], tiles[2].axes()[2]),
        ("group[all].slow", &all, tiles[0].axes()[1]),
        ("origin_y", &all, [0.0, 1.0, 0.0]),
        ("distance", &all, [0.0, 0.0, 1.0]),
        ("beam_x", &all, fast.map(|component| -component)),
        ("beam_y", &all, slow.map(|component| -component)),
    ] {
        let (found, expected) = (derivative(name), along(panels, vector));
        assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{name}: {found} {expected}");
    }
}

/// Nodes of a hierarchy of DIALS are groups as those of CrystFEL are; the frame of the file changes last digits alone.
#[test]
fn nodes_of_an_experiment_list_are_groups() {
    let place = place();
    place
        .run_line(&format!("{CRYSTAL} -oversample 1 --geometry start.geom --expt flat.expt -nonoise --quiet"))
        .well();
    let mut list: Value = serde_json::from_slice(&place.read("flat.expt")).expect("JSON");
    let root = &mut list["detector"][0]["hierarchy"]["children"][0];
    let [p0, p1, p2, p3] = [0, 1, 2, 3].map(|panel| root["children"][panel].clone());
    let mut node = root.clone();
    node["name"] = "upper".into();
    node["children"] = serde_json::json!([p2, p3]);
    root["children"] = serde_json::json!([p0, p1, node]);
    place.write("nested.expt", list.to_string());

    let derivatives = |options: &str| {
        let line = format!("gradient {options} -oversample 1 --wrt group[upper] --json");
        let report = place.run_line(&line).well().json();
        let entries = report["gradient"].as_array().expect("parameters");
        entries.iter().map(|entry| number(&entry["derivative"])).collect::<Vec<f64>>()
    };
    let listed = derivatives(&format!("{CRYSTAL} --geometry start.geom"));
    let nested = derivatives("-N 5 -default_F 100 -fluence 1e24 --geometry nested.expt");
    let largest = listed.iter().fold(0.0_f64, |largest, by| largest.max(by.abs()));
    assert_eq!((listed.len(), nested.len()), (6, 6));
    for (listed, nested) in listed.iter().zip(&nested) {
        assert!((listed - nested).abs() <= 1e-9 * largest, "{listed} {nested}");
    }
}

/// Each panel is a run by itself, also in c-parity: the stack has the derivatives of the panels alone, to the bit.
#[test]
fn a_panel_alone_is_its_part_of_the_stack() {
    let place = place();
    for mode in ["spec", "c-parity"] {
        let line = format!(
            "gradient {CRYSTAL} -oversample 1 --geometry start.geom --phi-carryover-mode {mode} -osc 1 -phisteps 3 --images --quiet \
             --wrt misset_x,origin_x,panel[p2].rot_fast,panel[2].slow"
        );
        place.run_line(&format!("{line} --out all")).well();
        place.run_line(&format!("{line} --out one --panel p2")).well();
        for name in ["misset_x", "origin_x", "panel_p2_.rot_fast", "panel_p2_.slow"] {
            let all = place.float(&format!("all/dI_d{name}.bin"));
            let one = place.float(&format!("one/dI_d{name}.bin"));
            assert_eq!((all.len(), one.len()), (2400, 600));
            assert!(one.iter().any(|&slope| slope != 0.0), "{mode}: {name}");
            assert!(all[1200..1800] == one[..], "{mode}: {name}");
            // Other panels do not move with this one.
            let is_still = all[..1200].iter().chain(&all[1800..]).all(|&slope| slope == 0.0);
            assert_eq!(is_still, name.starts_with("panel"), "{mode}: {name}");
        }
    }
}

/// A detector of one panel is differentiated as before: the file of one panel, and one panel of a file of several.
#[test]
fn a_single_panel_keeps_its_bits() {
    let place = place();
    place.write("one.geom", geom(&tiles()[..1]));
    let gradient = |rest: &str| {
        let line = format!(
            "gradient {CRYSTAL} -oversample 1 -osc 1 -phisteps 2 --wrt misset,cell,origin,detector,scale {rest}"
        );
        place.run_line(&line).well().stdout
    };
    let one = gradient("--geometry one.geom");
    assert_eq!(one, gradient("--geometry start.geom --panel p0"));
    assert!(!one.contains("panels"), "{one}");
}

/// Fits start from the panels of `start.geom`; the data are of panels that are elsewhere.
fn fit(place: &Workplace, truth: &[Tile], against: &str, wrt: &str) -> Value {
    place.write("truth.geom", geom(truth));
    let images = "-floatfile data.bin --nxmx data.nxs --nxmx-data photons -nonoise --quiet";
    place.run_line(&format!("{CRYSTAL} -oversample 2 --geometry truth.geom {images}")).well();
    let line = format!(
        "refine {CRYSTAL} -oversample 2 --geometry start.geom --against {against} --wrt {wrt} --out fitted --json"
    );
    let report = place.run_line(&line).well().json();
    assert_eq!(
        (&report["converged"], &report["verdict"]["believable"]),
        (&true.into(), &true.into()),
        "{report}"
    );
    report
}

/// Shifts in mm and turns in degrees as they were fitted.
fn fitted(report: &Value, body: &str) -> [f64; 6] {
    ["fast", "slow", "normal", "rot_fast", "rot_slow", "rot_normal"]
        .map(|name| number(&entry(report, "parameters", &format!("{body}.{name}"))["fitted"]))
}

fn check_motion(found: [f64; 6], expected: [f64; 6]) {
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 2e-5, "{found} {expected}");
    }
}

/// The image of `fitted/fitted.expt` is that of the data, to single precision.
fn check_list(place: &Workplace) {
    let beside = "-N 5 -default_F 100 -oversample 2 -fluence 1e24 -nonoise --quiet";
    place.run_line(&format!("{beside} --geometry fitted/fitted.expt -floatfile back.bin")).well();
    let (back, data) = (place.float("back.bin"), place.float("data.bin"));
    let most = data.iter().fold(0f32, |most, &pixel| most.max(pixel));
    for (back, data) in back.iter().zip(&data) {
        assert!((back - data).abs() <= 1e-4 * most, "{back} {data}");
    }
}

#[test]
fn a_shifted_and_turned_panel_is_found() {
    let place = place();
    let by = [0.12, -0.2, 0.3, 0.4, -0.3, 0.5];
    let mut truth = tiles();
    truth[1] = truth[1].moved(truth[1].centre_m(), truth[1].axes(), by);
    let report = fit(&place, &truth, "data.bin", "panel[p1],scale");
    check_motion(fitted(&report, "panel[p1]"), by);
    assert!((number(&entry(&report, "parameters", "scale")["fitted"]) - 1.0).abs() < 1e-6);
    assert_eq!(report["geometry"], "fitted/fitted.expt");
    check_list(&place);
}

#[test]
fn a_displaced_group_is_found_while_a_panel_in_it_moves() {
    let place = place();
    let (of_group, of_panel) = ([-0.2, 0.15, 0.3, -0.2, 0.3, 0.25], [0.1, 0.05, 0.0, 0.0, 0.0, -0.3]);
    let mut truth = tiles();
    let centre_m = plus(truth[3].centre_m(), 1.0, truth[2].centre_m()).map(|sum| sum / 2.0);
    let axes = truth[2].axes();
    for tile in &mut truth[2..] {
        *tile = tile.moved(centre_m, axes, of_group);
    }
    // The panel moves in its frame after the group has taken it along.
    truth[3] = truth[3].moved(truth[3].centre_m(), truth[3].axes(), of_panel);
    let wrt = "group[upper],panel[p3].fast,panel[p3].slow,panel[p3].rot_normal";
    let report = fit(&place, &truth, "data.nxs", wrt);
    check_motion(fitted(&report, "group[upper]"), of_group);
    for (name, expected) in [("fast", 0.1), ("slow", 0.05), ("rot_normal", -0.3)] {
        let found = number(&entry(&report, "parameters", &format!("panel[p3].{name}"))["fitted"]);
        assert!((found - expected).abs() < 2e-5, "{name}: {found}");
    }
    check_list(&place);
}

#[test]
fn tables_name_motions() {
    let place = place();
    let line = format!(
        "gradcheck {CRYSTAL} -oversample 1 --geometry start.geom --wrt panel[p3].rot_normal,group[upper].fast"
    );
    let outcome = place.run_line(&line).well();
    for words in ["of panel p0", "of panel p3", "panel[p3].rot_normal deg", "group[upper].fast    mm"] {
        assert!(outcome.stdout.contains(words), "{words}: {}", outcome.stdout);
    }
}

#[test]
fn what_is_not_there_is_said_in_one_line() {
    let place = place();
    for (rest, why) in [
        ("--wrt panel[p4]", "--wrt: there is no panel p4; there are p0, p1, p2, p3"),
        ("--wrt panel[4].fast", "there is no panel 4"),
        (
            "--wrt panel[p1].fats",
            "no such motion; there are fast, slow, normal, rot_fast, rot_slow, rot_normal",
        ),
        ("--wrt group[lower]", "there is no group lower; there are upper, all"),
        ("--wrt panel[p1", "no such parameter"),
        ("--wrt panels --panel-group left", "expected NAME=PANEL"),
        ("--wrt panels --panel-group left=", "expected NAME=PANEL"),
        ("--wrt panels --panel-group left=p0,p9", "--panel-group left: there is no panel p9"),
        ("--wrt panels --panel-group left=p0,0", "panel 0 is in it twice"),
        ("--wrt panels --panel-group left=p0 --panel-group left=p1", "it is given twice"),
        ("--wrt group[upper] --panel p0", "group upper has no panel that is rendered"),
        ("--wrt panel[p1] --panel p0", "there is no panel p1"),
        ("--wrt panels -roi 1 2 1 2", "choose it with --panel"),
    ] {
        for command in ["gradient", "gradcheck"] {
            let line = format!("{command} {CRYSTAL} --geometry start.geom {rest}");
            let outcome = place.run_line(&line).refused(&line);
            assert!(outcome.stderr.contains(why), "{line}: {}", outcome.stderr);
        }
    }
    place.run_line(&format!("{CRYSTAL} --geometry start.geom -floatfile data.bin -nonoise --quiet")).well();
    for (wrt, why) in [
        ("panels,distance", "--wrt distance and all motions of its panels move the same"),
        (
            "panel[p2],panel[p3],group[upper].fast",
            "--wrt group[upper] and all motions of its panels move the same",
        ),
    ] {
        let line = format!("refine {CRYSTAL} --geometry start.geom --against data.bin --wrt {wrt}");
        let outcome = place.run_line(&line).refused(&line);
        assert!(outcome.stderr.contains(why), "{line}: {}", outcome.stderr);
    }
    let line = format!("gradient {CRYSTAL} -detpixels 20 --wrt groups");
    let outcome = place.run_line(&line).refused(&line);
    assert!(outcome.stderr.contains("there are no groups of panels"), "{}", outcome.stderr);
}
