//! Predicted reflections: those of `dials.predict` for a rotation and for a still of four panels, and what images show.
//!
//! `golden/geometry` holds experiment lists and what DIALS 3.12 predicts for them. Its rotation also lists some reflections
//! beyond its d_min of 2.4 Angstrom, incompletely.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use widebragg::rotation::Mat3;
use widebragg::vector::Vec3;
use widebragg_experiment::predictions::{
    Conditions, Listed, Prediction, Rotation, When, is_absent_by_centring,
};
use widebragg_formats::geometry::{Panel, Scan, Sensor};
use widebragg_reflections::symmetry::SpaceGroup;
use widebragg_tests::golden;
use widebragg_tests::table::Table;

fn read_table(name: &str) -> Table {
    let path = golden::root().join("geometry").join(name);
    Table::parse(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// What the predictions need of an experiment list.
struct Experiment {
    beam: [f64; 3],
    lambda_m: f64,
    panels: Vec<Panel>,
    a_matrix: [[f64; 3]; 3],
    rotation: Option<Rotation>,
    group: SpaceGroup,
}

fn numbers<const COUNT: usize>(value: &Value) -> [f64; COUNT] {
    let list: Vec<f64> =
        value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect();
    list.try_into().expect("as many numbers")
}

fn rows([a, b, c, d, e, f, g, h, i]: [f64; 9]) -> Mat3 {
    [[a, b, c], [d, e, f], [g, h, i]]
}

fn product(left: Mat3, right: Mat3) -> Mat3 {
    left.map(|row| [0, 1, 2].map(|j| (0..3).map(|k| row[k] * right[k][j]).sum()))
}

fn applied(matrix: Mat3, v: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(v).map(|(m, x)| m * x).sum())
}

/// Columns fast, slow and fast x slow.
fn frame(node: &Value) -> Mat3 {
    let [fast, slow] = ["fast_axis", "slow_axis"].map(|key| numbers::<3>(&node[key]));
    let normal = Vec3::from(fast).cross(slow.into()).to_array();
    [0, 1, 2].map(|row| [fast[row], slow[row], normal[row]])
}

impl Experiment {
    /// The first experiment of a list whose panels hang directly on the root of its hierarchy.
    fn read(name: &str) -> Self {
        let list: Value =
            serde_json::from_slice(&fs::read(golden::root().join("geometry").join(name)).expect("a list"))
                .expect("JSON");
        let beam = &list["beam"][0];
        let to_source = Vec3::from(numbers::<3>(&beam["direction"])).normalize();
        let detector = &list["detector"][0];
        let root = &detector["hierarchy"];
        let shift: [f64; 3] = numbers(&root["origin"]);
        let panel = |panel: &Value| {
            let in_root = |key: &str| applied(frame(root), numbers(&panel[key]));
            let origin = in_root("origin");
            let thickness_m = panel["thickness"].as_f64().expect("a thickness") * 1e-3;
            Panel {
                name: panel["name"].as_str().expect("a name").to_owned(),
                pixels: numbers::<2>(&panel["image_size"]).map(|pixels| pixels as usize),
                data_origin: [0, 0],
                pixel_m: numbers::<2>(&panel["pixel_size"]).map(|mm| mm * 1e-3),
                origin_m: [0, 1, 2].map(|i| (origin[i] + shift[i]) * 1e-3),
                fast: in_root("fast_axis"),
                slow: in_root("slow_axis"),
                sensor: Some(Sensor {
                    material: None,
                    thickness_m,
                    attenuation_per_m: Some(panel["mu"].as_f64().expect("mu") * 1e3),
                }),
                valid: [None, None],
            }
        };
        let crystal = &list["crystal"][0];
        let edges =
            ["a", "b", "c"].map(|edge| Vec3::from(numbers::<3>(&crystal[format!("real_space_{edge}")])));
        let [a, b, c] = edges;
        let per_volume = 1.0 / a.dot(b.cross(c));
        let [a_star, b_star, c_star] =
            [b.cross(c), c.cross(a), a.cross(b)].map(|v| (per_volume * v).to_array());
        let mut a_matrix = [0, 1, 2].map(|row| [a_star[row], b_star[row], c_star[row]]);
        let rotation = list["goniometer"].get(0).map(|goniometer| {
            let [fixed, setting] =
                ["fixed_rotation", "setting_rotation"].map(|key| rows(numbers::<9>(&goniometer[key])));
            a_matrix = product(product(setting, fixed), a_matrix);
            let scan = &list["scan"][0];
            let [first, last] = numbers::<2>(&scan["image_range"]).map(|image| image as usize);
            let [start_deg, width_deg] = numbers(&scan["oscillation"]);
            let scan = Scan { first, frames: last + 1 - first, start_deg, width_deg, exposure_s: None };
            Rotation { spindle: applied(setting, numbers(&goniometer["rotation_axis"])), scan }
        });
        Self {
            beam: (-to_source).to_array(),
            lambda_m: beam["wavelength"].as_f64().expect("a wavelength") * 1e-10,
            panels: detector["panels"].as_array().expect("panels").iter().map(panel).collect(),
            a_matrix,
            rotation,
            group: SpaceGroup::from_hall(
                crystal["space_group_hall_symbol"].as_str().expect("a symbol").trim(),
            )
            .expect("a space group"),
        }
    }

    fn conditions(&self, d_min_angstrom: f64) -> Conditions<'_> {
        Conditions {
            beam: self.beam,
            lambda_m: self.lambda_m,
            band_m: [self.lambda_m; 2],
            panels: &self.panels,
            a_matrix: self.a_matrix,
            d_min_angstrom,
            rotation: self.rotation,
        }
    }
}

/// Largest differences of a prediction and a row of DIALS: in pixels, in degrees, in s1 (1/Angstrom), in rad.
#[derive(Debug, Default, Clone, Copy)]
struct Apart {
    px: f64,
    deg: f64,
    s1: f64,
    rad: f64,
}

impl Apart {
    fn compare(&mut self, found: &Prediction, table: &Table, row: &[f64]) {
        let value = |name: &str| table.value(row, name);
        assert_eq!(found.panel, value("panel") as usize, "{:?}", found.hkl);
        let keep = |worst: &mut f64, found: f64, expected: f64| *worst = worst.max((found - expected).abs());
        let [x, y] = found.position_px;
        keep(&mut self.px, x, value("x_px"));
        keep(&mut self.px, y, value("y_px"));
        for (found, name) in found.s1_per_angstrom.to_array().into_iter().zip(["s1_x", "s1_y", "s1_z"]) {
            keep(&mut self.s1, found, value(name));
        }
        assert!((found.d_angstrom - value("d")).abs() < 1e-5, "{:?}", found.hkl);
        match found.when {
            When::Phi { phi_deg, is_entering } => {
                keep(&mut self.deg, phi_deg, value("phi_deg"));
                assert_eq!(is_entering, value("entering") == 1.0, "{:?}", found.hkl);
            }
            When::Excitation(angle_rad) => keep(&mut self.rad, angle_rad, value("delpsi_rad")),
        }
    }
}

fn hkl(table: &Table, row: &[f64]) -> [i32; 3] {
    ["h", "k", "l"].map(|name| table.value(row, name) as i32)
}

#[test]
fn a_rotation_has_the_reflections_of_dials_at_the_same_pixels_and_phi() {
    let experiment = Experiment::read("rotation.expt");
    let table = read_table("rotation_predicted.csv");
    assert_eq!(table.rows.len(), 899);
    let is_absent = |hkl| is_absent_by_centring(&experiment.group, hkl);
    let listed = Listed { reach_rad: &|_| 0.0, is_absent: &is_absent };
    let mut within: Vec<[i32; 3]> = Vec::new();
    let mut apart = Apart::default();
    // To 2.2 Angstrom there are also the reflections that DIALS lists beyond 2.4.
    let finer = experiment.conditions(2.2).predict(&listed).unwrap();
    for row in &table.rows {
        let phi_deg = table.value(row, "phi_deg");
        let same = |found: &&Prediction| {
            let near = matches!(found.when, When::Phi { phi_deg: phi, .. } if (phi - phi_deg).abs() < 1e-3);
            found.hkl == hkl(&table, row) && near
        };
        let found =
            finer.iter().find(same).unwrap_or_else(|| panic!("no {:?} at {phi_deg}", hkl(&table, row)));
        apart.compare(found, &table, row);
        if table.value(row, "within_d_min") == 1.0 {
            within.push(found.hkl);
        }
    }
    assert!(apart.px < 1e-10 && apart.deg < 1e-10 && apart.s1 < 1e-12, "{apart:?}");
    let predicted = experiment.conditions(2.4).predict(&listed).unwrap();
    let mut predicted: Vec<_> = predicted.iter().map(|prediction| prediction.hkl).collect();
    predicted.sort_unstable();
    within.sort_unstable();
    assert_eq!(within.len(), 835);
    assert_eq!(predicted, within);
}

#[test]
fn a_still_has_the_reflections_of_dials_on_the_same_panels_and_pixels() {
    let experiment = Experiment::read("still.expt");
    let table = read_table("still_predicted.csv");
    let is_absent = |hkl| experiment.group.is_absent(hkl);
    let listed = Listed { reach_rad: &|_| 0.0015, is_absent: &is_absent };
    let predicted = experiment.conditions(2.2).predict(&listed).unwrap();
    let by_index: BTreeMap<_, _> = predicted.iter().map(|prediction| (prediction.hkl, prediction)).collect();
    assert_eq!((table.rows.len(), predicted.len(), by_index.len()), (94, 94, 94));
    let mut apart = Apart::default();
    for row in &table.rows {
        let found = by_index.get(&hkl(&table, row)).unwrap_or_else(|| panic!("no {:?}", hkl(&table, row)));
        apart.compare(found, &table, row);
    }
    assert!(apart.px < 1e-10 && apart.s1 < 1e-12 && apart.rad < 1e-12, "{apart:?}");
}
