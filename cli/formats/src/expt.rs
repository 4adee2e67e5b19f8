//! Experiment lists of DIALS (`.expt`, JSON), written: beam, detector, goniometer, scan, crystal, and the images that
//! they belong to. [`crate::geometry::read_geometry`] reads them.
//!
//! Unlike the headers of SMV and miniCBF images, a list holds any placement of flat panels and any spindle. Vectors are
//! in the frame of the geometry; DIALS needs no particular one. With s the direction of the beam and E that of the
//! electric vector:
//!
//! * the beam's direction is -s, from the sample to the source; its polarisation normal is s x E, and its polarisation
//!   fraction (k + 1)/2 for Kahn's factor k. A beam of unknown polarisation is written as not polarised;
//! * a panel's origin is the outer corner of its first pixel, in mm. All panels are children of one node, the frame;
//! * `trusted_range` holds the smallest and the largest valid value as they are, -1 and the largest i32 where they are
//!   not known. Older versions of DIALS do not count its two ends as valid;
//! * frame i, counted from the first, covers start + i width to start + (i + 1) width, in degrees;
//! * a crystal has the axes a, b, c, the rows of the inverse of A: the goniometer has no other rotations. Its space
//!   group is written where the geometry is of a list of DIALS, whose symbols are Hall's; it is P 1 elsewhere;
//! * a still has neither goniometer nor scan. Of many stills ([`StillList`]) each has an image set of its own, as DIALS makes
//!   them of an NXmx file; beams and detectors that are equal are written once. A still without a crystal is an experiment
//!   without one, and each of several crystals in a still is an experiment.
//!
//! Paths of images may be relative: DIALS takes them from the folder of the list.
//! Source: dxtbx 3.11, `model/experiment_list.py`, and the `to_dict` methods of its models. Checked against dxtbx by
//! `tests/readers/run`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::geometry::vectors::{Matrix, cross, inverse, perpendicular, unit};
use crate::geometry::{Beam, Crystal, Frame, Geometry, Panel, Polarization, Scan};
use crate::memory::push;

/// The valid values of a panel of which none are known.
const TRUSTED: [f64; 2] = [-1.0, i32::MAX as f64];

/// An experiment list of one experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentList {
    /// The models.
    pub geometry: Geometry,
    /// Crystals beside that of the geometry: each makes an experiment of the list.
    pub other_crystals: Vec<Crystal>,
    /// Offset of the pixels.
    pub pedestal: f64,
    /// The images; `None`: the models alone.
    pub images: Option<Images>,
}

/// Where the images are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// Numbered files, with `#` for each digit of the number.
    Template(String),
    /// The files of stills, in order.
    Stills(Vec<String>),
    /// One file that has all frames, such as an NXmx file.
    OneFile {
        /// Its path.
        path: String,
        /// Frames in it.
        frames: usize,
        /// Whether they are a rotation.
        is_rotation: bool,
    },
}

/// An experiment list of stills, each with models and an image of its own.
///
/// It holds the models as text, until it is written.
#[derive(Debug, Clone, Default)]
pub struct StillList {
    /// Offset of the pixels.
    pedestal: f64,
    experiments: Models,
    beams: Models,
    detectors: Models,
    crystals: Models,
    images: Models,
}

/// Models of a list, a line each.
#[derive(Debug, Clone, Default)]
struct Models {
    lines: Vec<String>,
    /// The places of models that are written once.
    places: HashMap<String, usize>,
}

impl Models {
    /// Adds a model, and returns its place.
    fn add(&mut self, model: &Value) -> Result<usize, Failure> {
        let no_memory = || Failure::output("no memory for an experiment list");
        push(&mut self.lines, model.to_string()).ok_or_else(no_memory)?;
        Ok(self.lines.len() - 1)
    }

    /// The place of a model that is added if it is not there yet.
    fn shared(&mut self, model: &Value) -> Result<usize, Failure> {
        let line = model.to_string();
        if let Some(&place) = self.places.get(&line) {
            return Ok(place);
        }
        let place = self.add(model)?;
        self.places.insert(line, place);
        Ok(place)
    }
}

/// The image of a still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillImage {
    /// Its file.
    pub path: String,
    /// Its place in a file of several, counted from 0.
    pub index: Option<usize>,
}

impl StillList {
    /// A list without stills, whose pixels have the offset `pedestal`.
    #[must_use]
    pub fn new(pedestal: f64) -> Self {
        Self { pedestal, ..Self::default() }
    }

    /// Adds a still: beam and panels of `geometry`, whose crystal is one of `crystals`, and its image.
    ///
    /// # Errors
    /// The wavelength is not known, an A matrix has no inverse, or there is no memory for the models.
    pub fn add(
        &mut self,
        geometry: &Geometry,
        crystals: &[Crystal],
        image: Option<&StillImage>,
    ) -> Result<(), Failure> {
        let mut experiment = json!({ "__id__": "Experiment", "identifier": "" });
        experiment["beam"] = self.beams.shared(&beam_json(&geometry.beam)?)?.into();
        experiment["detector"] =
            self.detectors.shared(&detector_json(&geometry.panels, self.pedestal))?.into();
        if let Some(StillImage { path, index }) = image {
            let mut set = json!({ "__id__": "ImageSet", "images": [path] });
            if let Some(index) = index {
                set["single_file_indices"] = json!([index]);
            }
            experiment["imageset"] = self.images.add(&with_tables(set))?.into();
        }
        if crystals.is_empty() {
            self.experiments.add(&experiment)?;
        }
        for crystal in crystals {
            experiment["crystal"] = self.crystals.add(&crystal_json(crystal, geometry.frame)?)?.into();
            self.experiments.add(&experiment)?;
        }
        Ok(())
    }

    /// Writes the list.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let models = [
            ("experiment", &self.experiments),
            ("imageset", &self.images),
            ("beam", &self.beams),
            ("detector", &self.detectors),
            ("crystal", &self.crystals),
        ];
        write_atomically(path, |out| {
            writeln!(out, "{{\n\"__id__\": \"ExperimentList\",")?;
            for (name, Models { lines, .. }) in models {
                writeln!(out, "\"{name}\": [")?;
                for (place, line) in lines.iter().enumerate() {
                    writeln!(out, "{line}{}", if place + 1 < lines.len() { "," } else { "" })?;
                }
                writeln!(out, "],")?;
            }
            writeln!(out, "\"goniometer\": [],\n\"scan\": [],\n\"profile\": [],\n\"scaling_model\": []\n}}")
        })
    }
}

impl ExperimentList {
    /// The list as JSON.
    ///
    /// # Errors
    /// The wavelength is not known, or the A matrix has no inverse.
    pub fn json(&self) -> Result<Value, Failure> {
        let Geometry { beam, panels, spindle, scan, crystal, .. } = &self.geometry;
        let mut experiment = json!({ "__id__": "Experiment", "identifier": "", "beam": 0, "detector": 0 });
        let models = [
            ("goniometer", spindle.is_some()),
            ("scan", scan.is_some()),
            ("crystal", crystal.is_some()),
            ("imageset", self.images.is_some()),
        ];
        for (name, _) in models.into_iter().filter(|(_, is_there)| *is_there) {
            experiment[name] = json!(0);
        }
        let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let goniometer = |spindle: &[f64; 3]| {
            json!({
                "rotation_axis": spindle,
                "fixed_rotation": identity,
                "setting_rotation": identity,
            })
        };
        let crystals = crystal.iter().chain(&self.other_crystals);
        let crystals = crystals.map(|crystal| crystal_json(crystal, self.geometry.frame));
        // Each crystal is an experiment with the same other models.
        let mut experiments = vec![experiment.clone()];
        for index in 1..=self.other_crystals.len() {
            experiment["crystal"] = json!(index);
            experiments.push(experiment.clone());
        }
        Ok(json!({
            "__id__": "ExperimentList",
            "experiment": experiments,
            "imageset": self.images.iter().map(Images::json).collect::<Vec<_>>(),
            "beam": [beam_json(beam)?],
            "detector": [detector_json(panels, self.pedestal)],
            "goniometer": spindle.iter().map(goniometer).collect::<Vec<_>>(),
            "scan": scan.iter().map(scan_json).collect::<Vec<_>>(),
            "crystal": crystals.collect::<Result<Vec<_>, _>>()?,
            "profile": [],
            "scaling_model": [],
        }))
    }

    /// Writes the list.
    ///
    /// # Errors
    /// The file cannot be written, the wavelength is not known, or the A matrix has no inverse.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let json = self.json().map_err(|failure| failure.context(path.display()))?;
        let text = format!("{json:#}\n");
        write_atomically(path, |out| out.write_all(text.as_bytes()))
    }
}

fn beam_json(beam: &Beam) -> Result<Value, Failure> {
    let lambda_m = beam.lambda_m.ok_or_else(|| Failure::output("an experiment list needs a wavelength"))?;
    let not_polarized = || Polarization { electric_vector: perpendicular(beam.direction), kahn_factor: 0.0 };
    let Polarization { electric_vector, kahn_factor } = beam.polarization.unwrap_or_else(not_polarized);
    let normal = cross(beam.direction, electric_vector);
    Ok(json!({
        "direction": beam.direction.map(|component| 0.0 - component),
        "wavelength": lambda_m * 1e10,
        "divergence": 0.0,
        "sigma_divergence": 0.0,
        // + 0.0 turns -0 into 0.
        "polarization_normal": unit(normal).unwrap_or(normal).map(|component| component + 0.0),
        "polarization_fraction": (kahn_factor + 1.0) / 2.0,
        "flux": 0.0,
        "transmission": 1.0,
    }))
}

fn detector_json(panels: &[Panel], pedestal: f64) -> Value {
    let leaves = (0..panels.len()).map(|panel| json!({ "panel": panel }));
    // Several are nested as DIALS nests the modules of an NXmx file: it takes a list as the reference geometry of that file
    // only if both have the same nodes.
    let children = if panels.len() > 1 {
        let modules = leaves.zip(panels).map(|(leaf, panel)| node_json(&panel.name, vec![leaf]));
        vec![node_json("detector", modules.collect())]
    } else {
        leaves.collect()
    };
    let panels: Vec<Value> = panels.iter().map(|panel| panel_json(panel, pedestal)).collect();
    json!({ "panels": panels, "hierarchy": node_json("", children) })
}

/// A node above panels, in whose frame they stay as they are.
fn node_json(name: &str, children: Vec<Value>) -> Value {
    json!({
        "name": name,
        "type": "",
        "fast_axis": [1.0, 0.0, 0.0],
        "slow_axis": [0.0, 1.0, 0.0],
        "origin": [0.0, 0.0, 0.0],
        "raw_image_offset": [0, 0],
        "image_size": [0, 0],
        "pixel_size": [0.0, 0.0],
        "trusted_range": [0.0, 0.0],
        "thickness": 0.0,
        "material": "",
        "mu": 0.0,
        "identifier": "",
        "mask": [],
        "gain": 1.0,
        "pedestal": 0.0,
        "px_mm_strategy": { "type": "SimplePxMmStrategy" },
        "children": children,
    })
}

fn panel_json(panel: &Panel, pedestal: f64) -> Value {
    let sensor = panel.sensor.as_ref();
    let attenuation_per_m = sensor.and_then(|sensor| sensor.attenuation_per_m);
    let [smallest, largest] = panel.valid;
    let trusted = [smallest.unwrap_or(TRUSTED[0]), largest.unwrap_or(TRUSTED[1])];
    let strategy =
        if attenuation_per_m.is_some() { "ParallaxCorrectedPxMmStrategy" } else { "SimplePxMmStrategy" };
    json!({
        "name": panel.name,
        "type": "SENSOR_PAD",
        "fast_axis": panel.fast,
        "slow_axis": panel.slow,
        "origin": panel.origin_m.map(|length_m| length_m * 1e3),
        "raw_image_offset": panel.data_origin,
        "image_size": panel.pixels,
        "pixel_size": panel.pixel_m.map(|edge_m| edge_m * 1e3),
        "trusted_range": trusted,
        "thickness": sensor.map_or(0.0, |sensor| sensor.thickness_m * 1e3),
        "material": sensor.and_then(|sensor| sensor.material.as_deref()).unwrap_or_default(),
        "mu": attenuation_per_m.map_or(0.0, |attenuation_per_m| attenuation_per_m / 1e3),
        "identifier": "",
        "mask": [],
        "gain": 1.0,
        "pedestal": pedestal,
        "px_mm_strategy": { "type": strategy },
    })
}

fn scan_json(scan: &Scan) -> Value {
    let exposure_s = scan.exposure_s.unwrap_or(0.0);
    let epochs: Vec<f64> = (0..scan.frames).map(|frame| frame as f64 * exposure_s).collect();
    json!({
        "image_range": [scan.first, scan.first + scan.frames.max(1) - 1],
        "batch_offset": 0,
        "oscillation": [scan.start_deg, scan.width_deg],
        "exposure_time": vec![exposure_s; scan.frames],
        "epochs": epochs,
        "valid_image_ranges": {},
    })
}

fn crystal_json(crystal: &Crystal, frame: Frame) -> Result<Value, Failure> {
    let axes = inverse(crystal.a_matrix).ok_or_else(|| {
        Failure::output("the A matrix of the crystal has no inverse, so that it has no cell")
    })?;
    let hall = crystal.space_group.as_deref().filter(|_| frame == Frame::Dials).unwrap_or("P 1");
    let mut json = json!({
        "__id__": "crystal",
        "real_space_a": axes[0],
        "real_space_b": axes[1],
        "real_space_c": axes[2],
        "space_group_hall_symbol": format!(" {hall}"),
    });
    if !crystal.a_at_frames.is_empty() {
        let rows = |a: &Matrix| a.iter().flatten().copied().collect::<Vec<f64>>();
        json["A_at_scan_points"] = crystal.a_at_frames.iter().map(rows).collect();
    }
    Ok(json)
}

impl Images {
    fn json(&self) -> Value {
        let set = match self {
            Self::Template(template) => json!({ "__id__": "ImageSequence", "template": template }),
            Self::Stills(paths) => json!({ "__id__": "ImageSet", "images": paths }),
            Self::OneFile { path, frames, is_rotation } => {
                let indices: Vec<usize> = (0..*frames).collect();
                if *is_rotation {
                    json!({ "__id__": "ImageSequence", "template": path, "single_file_indices": indices })
                } else {
                    let images = vec![path; *frames];
                    json!({ "__id__": "ImageSet", "images": images, "single_file_indices": indices })
                }
            }
        };
        with_tables(set)
    }
}

/// An image set without tables of its own.
fn with_tables(mut set: Value) -> Value {
    for table in ["mask", "gain", "pedestal", "dx", "dy"] {
        set[table] = Value::Null;
    }
    set["params"] = json!({});
    set
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::vectors::{across, length, plus, product, rotation, scaled};
    use crate::geometry::{Sensor, parse_geometry};

    fn list() -> ExperimentList {
        let panel = Panel {
            name: "Panel".to_owned(),
            pixels: [487, 195],
            data_origin: [0, 0],
            pixel_m: [0.172e-3; 2],
            origin_m: [-0.03, 0.01, -0.1],
            fast: [1.0, 0.0, 0.0],
            slow: [0.0, -1.0, 0.0],
            sensor: None,
            valid: [None, Some(65495.0)],
        };
        let beam = Beam {
            direction: [0.0, 0.0, -1.0],
            lambda_m: Some(0.9768e-10),
            polarization: Some(Polarization { electric_vector: [1.0, 0.0, 0.0], kahn_factor: 0.0 }),
        };
        let scan = Scan { first: 1, frames: 3, start_deg: 10.0, width_deg: 0.5, exposure_s: Some(2.0) };
        let geometry = Geometry {
            frame: Frame::Dials,
            beam,
            panels: vec![panel],
            spindle: Some([1.0, 0.0, 0.0]),
            scan: Some(scan),
            crystal: None,
        };
        let images = Some(Images::Template("noise_#####.img".to_owned()));
        ExperimentList { geometry, other_crystals: Vec::new(), pedestal: 40.0, images }
    }

    #[test]
    fn a_series() {
        let made = list().json().unwrap();
        assert_eq!(
            made["experiment"][0],
            json!({
                "__id__": "Experiment", "identifier": "", "beam": 0, "detector": 0, "goniometer": 0, "scan": 0,
                "imageset": 0,
            })
        );
        assert_eq!(made["beam"][0]["direction"], json!([0.0, 0.0, 1.0]));
        assert_eq!(made["beam"][0]["polarization_normal"], json!([0.0, -1.0, 0.0]));
        assert_eq!(made["beam"][0]["polarization_fraction"], 0.5);
        assert_eq!(made["imageset"][0]["template"], "noise_#####.img");
        let panel = &made["detector"][0]["panels"][0];
        assert_eq!(panel["origin"], json!([-30.0, 10.0, -100.0]));
        assert_eq!(panel["image_size"], json!([487, 195]));
        assert_eq!(panel["trusted_range"], json!([-1.0, 65495.0]));
        assert_eq!((&panel["pedestal"], &panel["raw_image_offset"]), (&json!(40.0), &json!([0, 0])));
        assert_eq!(panel["px_mm_strategy"]["type"], "SimplePxMmStrategy");
        assert_eq!(made["detector"][0]["hierarchy"]["children"], json!([{ "panel": 0 }]));
        assert_eq!(made["scan"][0]["image_range"], json!([1, 3]));
        assert_eq!(made["scan"][0]["oscillation"], json!([10.0, 0.5]));
        assert_eq!(made["scan"][0]["epochs"], json!([0.0, 2.0, 4.0]));
        assert_eq!(made["goniometer"][0]["rotation_axis"], json!([1.0, 0.0, 0.0]));
    }

    #[test]
    fn equal_models_of_stills_are_written_once() {
        let ExperimentList { mut geometry, .. } = list();
        (geometry.spindle, geometry.scan) = (None, None);
        let crystal = |a: f64| Crystal {
            a_matrix: [[a, 0.0, 0.0], [0.0, 0.02, 0.0], [0.0, 0.0, 0.04]],
            a_at_frames: Vec::new(),
            space_group: None,
        };
        let mut stills = StillList::new(3.0);
        for (index, (lambda_m, crystals)) in
            [(1e-10, vec![crystal(0.01)]), (1.1e-10, vec![]), (1e-10, vec![crystal(0.01), crystal(0.02)])]
                .into_iter()
                .enumerate()
        {
            geometry.beam.lambda_m = Some(lambda_m);
            let image = StillImage { path: "a.nxs".to_owned(), index: Some(index) };
            stills.add(&geometry, &crystals, Some(&image)).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.expt");
        stills.write(&path).unwrap();
        let made: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let count = |name: &str| made[name].as_array().unwrap().len();
        assert_eq!(["experiment", "imageset", "beam", "detector", "crystal"].map(count), [4, 3, 2, 1, 3]);
        let of = |name: &str| -> Vec<&Value> {
            made["experiment"].as_array().unwrap().iter().map(|experiment| &experiment[name]).collect()
        };
        assert_eq!(of("beam"), [&json!(0), &json!(1), &json!(0), &json!(0)]);
        assert_eq!(of("imageset"), [&json!(0), &json!(1), &json!(2), &json!(2)]);
        assert_eq!(of("crystal"), [&json!(0), &Value::Null, &json!(1), &json!(2)]);
        assert_eq!(made["imageset"][2]["single_file_indices"], json!([2]));
        assert_eq!(made["detector"][0]["panels"][0]["pedestal"], 3.0);
    }

    #[test]
    fn a_still_without_images_and_a_thick_sensor() {
        let mut still = ExperimentList { images: None, ..list() };
        (still.geometry.spindle, still.geometry.scan) = (None, None);
        still.geometry.panels[0].sensor =
            Some(Sensor { material: None, thickness_m: 450e-6, attenuation_per_m: Some(3915.0) });
        let made = still.json().unwrap();
        for model in ["imageset", "goniometer", "scan", "crystal"] {
            assert_eq!(made[model], json!([]), "{model}");
            assert_eq!(made["experiment"][0].get(model), None, "{model}");
        }
        let panel = &made["detector"][0]["panels"][0];
        assert_eq!(panel["px_mm_strategy"]["type"], "ParallaxCorrectedPxMmStrategy");
        assert!((panel["thickness"].as_f64().unwrap() - 0.45).abs() < 1e-12);
        assert!((panel["mu"].as_f64().unwrap() - 3.915).abs() < 1e-12);
    }

    #[test]
    fn what_a_list_cannot_be_without() {
        let mut dark = list();
        dark.geometry.beam.lambda_m = None;
        assert_eq!(dark.json().unwrap_err().to_string(), "an experiment list needs a wavelength");
        let mut flat = list();
        flat.geometry.crystal =
            Some(Crystal { a_matrix: [[0.01; 3]; 3], a_at_frames: Vec::new(), space_group: None });
        assert!(flat.json().unwrap_err().to_string().contains("no inverse"));
        let mut plain = list();
        plain.geometry.beam.polarization = None;
        assert_eq!(plain.json().unwrap()["beam"][0]["polarization_fraction"], 0.5);
    }

    #[test]
    fn the_file_is_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.expt");
        list().write(&path).unwrap();
        let read: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, list().json().unwrap());
    }

    fn direction() -> impl Strategy<Value = [f64; 3]> {
        [-1.0..1.0, -1.0..1.0, -1.0..1.0].prop_filter_map("a direction", unit)
    }

    fn panel() -> impl Strategy<Value = Panel> {
        let placement = ([-0.3..0.3, -0.3..0.3, -0.3..0.3], direction(), direction());
        let sensor = prop::option::of((1e-5..1e-3, prop::option::of(1.0..1e4)));
        let range = [prop::option::of(-5.0..5.0), prop::option::of(1e3..1e6)];
        let sizes = ([1_usize..5000, 1..5000], [0_usize..9000, 0..9000], [1e-5..1e-3, 1e-5..1e-3]);
        (placement, sensor, range, sizes).prop_filter_map(
            "two axes",
            |((origin_m, fast, slow), sensor, valid, (pixels, data_origin, pixel_m))| {
                let sensor = sensor.map(|(thickness_m, attenuation_per_m)| Sensor {
                    material: attenuation_per_m.map(|_| "CdTe".to_owned()),
                    thickness_m,
                    attenuation_per_m,
                });
                let valid = [valid[0].or(Some(TRUSTED[0])), valid[1].or(Some(TRUSTED[1]))];
                let slow = unit(cross(cross(fast, slow), fast))?;
                let name = "p".to_owned();
                Some(Panel { name, pixels, data_origin, pixel_m, origin_m, fast, slow, sensor, valid })
            },
        )
    }

    fn geometry() -> impl Strategy<Value = Geometry> {
        let axes = ([20.0..200.0, 20.0..200.0, 20.0..200.0], direction(), -180.0..180.0);
        let scan = (0_usize..9, 1_usize..5, -400.0..400.0, 0.01..2.0);
        let beam = (direction(), direction(), -1.0..1.0, 0.5e-10..2e-10);
        (prop::collection::vec(panel(), 1..5), beam, direction(), axes, scan, any::<bool>()).prop_filter_map(
            "an electric vector across the beam",
            |(
                panels,
                (direction, electric_vector, kahn_factor, lambda_m),
                spindle,
                axes,
                scan,
                is_refined,
            )| {
                let electric_vector = across(electric_vector, direction)?;
                let (lengths, axis, angle_deg) = axes;
                let turned = rotation(axis, angle_deg);
                let a_matrix = inverse([0, 1, 2].map(|i| scaled(lengths[i], turned[i])))?;
                let (first, frames, start_deg, width_deg) = scan;
                let drifted = |point: usize| product(rotation(spindle, 0.01 * point as f64), a_matrix);
                let a_at_frames = if is_refined { (0..=frames).map(drifted).collect() } else { Vec::new() };
                Some(Geometry {
                    frame: Frame::Dials,
                    beam: Beam {
                        direction,
                        lambda_m: Some(lambda_m),
                        polarization: Some(Polarization { electric_vector, kahn_factor }),
                    },
                    panels,
                    spindle: Some(spindle),
                    scan: Some(Scan { first, frames, start_deg, width_deg, exposure_s: Some(0.1) }),
                    crystal: Some(Crystal {
                        a_matrix,
                        a_at_frames,
                        space_group: Some("P 2ac 2ab".to_owned()),
                    }),
                })
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(geometry in geometry()) {
            let list = ExperimentList {
                geometry: geometry.clone(),
                other_crystals: Vec::new(),
                pedestal: 0.0,
                images: None,
            };
            let text = list.json().unwrap().to_string();
            let read = parse_geometry(&mut text.as_bytes(), Path::new("a.expt"), 0).unwrap();
            prop_assert_eq!(&read.warnings, &Vec::<String>::new());
            let read = read.geometry;
            prop_assert_eq!(read.panels.len(), geometry.panels.len());
            for (ours, read) in geometry.panels.iter().zip(&read.panels) {
                let size = ours.pixels.map(|count| count as f64);
                for corner in [[0.0, 0.0], [size[0], 0.0], [0.0, size[1]], size] {
                    let off = plus(ours.position_m(corner), -1.0, read.position_m(corner));
                    prop_assert!(length(off) < 1e-12, "{off:?}");
                }
                let place = |panel: &Panel| (panel.name.clone(), panel.pixels, panel.data_origin);
                prop_assert_eq!(place(ours), place(read));
                prop_assert_eq!(ours.valid, read.valid);
                prop_assert_eq!(ours.sensor.is_some(), read.sensor.is_some());
                for (ours, read) in ours.sensor.iter().zip(&read.sensor) {
                    prop_assert!((ours.thickness_m - read.thickness_m).abs() < 1e-18);
                    let per_m = |sensor: &Sensor| sensor.attenuation_per_m.unwrap_or(0.0);
                    prop_assert!((per_m(ours) - per_m(read)).abs() < 1e-12 * 1e4);
                    prop_assert_eq!(&ours.material, &read.material);
                }
            }
            let (ours, other) = (geometry.crystal.unwrap(), read.crystal.unwrap());
            prop_assert_eq!(&ours.space_group, &other.space_group);
            prop_assert_eq!(ours.a_at_frames.len(), other.a_at_frames.len());
            let components = ours.a_matrix.iter().flatten();
            let largest = components.fold(0.0_f64, |most, component| most.max(component.abs()));
            let frames = ours.a_at_frames.iter().zip(&other.a_at_frames);
            for (one, other) in frames.chain([(&ours.a_matrix, &other.a_matrix)]) {
                for (one, other) in one.iter().flatten().zip(other.iter().flatten()) {
                    prop_assert!((one - other).abs() < 1e-14 * largest, "{one} {other}");
                }
            }
            prop_assert_eq!((read.scan, read.frame), (geometry.scan, geometry.frame));
            let (ours, other) = (geometry.beam, read.beam);
            let (one, two) = (ours.polarization.unwrap(), other.polarization.unwrap());
            prop_assert!((ours.lambda_m.unwrap() - other.lambda_m.unwrap()).abs() < 1e-24);
            prop_assert!((one.kahn_factor - two.kahn_factor).abs() < 1e-15);
            let spindles = (geometry.spindle.unwrap(), read.spindle.unwrap());
            let beams = (ours.direction, other.direction);
            for (one, two) in [(one.electric_vector, two.electric_vector), beams, spindles] {
                prop_assert!(length(plus(one, -1.0, two)) < 1e-14, "{one:?} {two:?}");
            }
        }
    }
}
