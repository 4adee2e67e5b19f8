//! Experiment lists of DIALS (`.expt`, JSON): beam, detector of one panel, goniometer, scan, and the images that
//! they belong to.
//!
//! Unlike the headers of SMV and miniCBF images, a list holds any placement of a flat detector and any spindle.
//! Vectors are in one right-handed frame of the caller's choice; DIALS needs no particular one. With s the
//! direction of the beam and E that of the electric vector:
//!
//! * the beam's direction is -s, from the sample to the source; its polarisation normal is s x E, normalised, and
//!   its polarisation fraction (k + 1)/2 for Kahn's factor k;
//! * a panel's origin is the outer corner of its first pixel, in mm;
//! * frame i, counted from 1, covers start + (i - 1) width to start + i width, in degrees;
//! * a still has neither goniometer nor scan.
//!
//! A list has no crystal, so that `dials.index` finds one itself. Paths of images may be relative: DIALS takes
//! them from the folder of the list.
//! Source: dxtbx 3.11, `model/experiment_list.py`, and the `to_dict` methods of its models. Checked against dxtbx by
//! `tests/readers/run`.

use std::path::Path;

use serde_json::{Value, json};

use crate::atomic::write_atomically;
use crate::failure::Failure;

/// An experiment list of one experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentList {
    /// The beam.
    pub beam: Beam,
    /// The detector.
    pub panel: Panel,
    /// The rotation; `None`: a still.
    pub rotation: Option<Rotation>,
    /// The images; `None`: the models alone.
    pub images: Option<Images>,
}

/// The beam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beam {
    /// Unit vector from the source to the sample.
    pub direction: [f64; 3],
    /// Wavelength.
    pub lambda_m: f64,
    /// Unit normal of beam and electric vector.
    pub polarization_normal: [f64; 3],
    /// Fraction of the intensity whose electric vector is perpendicular to the normal, 0 to 1.
    pub polarization_fraction: f64,
}

/// A flat detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// Pixels along fast and slow.
    pub pixels: [usize; 2],
    /// Edge of a pixel.
    pub pixel_m: f64,
    /// Outer corner of the first pixel.
    pub origin_m: [f64; 3],
    /// Unit fast axis.
    pub fast: [f64; 3],
    /// Unit slow axis.
    pub slow: [f64; 3],
    /// Thickness, and attenuation per metre, of a sensor whose depth displaces spots.
    pub sensor_m: Option<[f64; 2]>,
    /// Offset of the pixels.
    pub pedestal: f64,
    /// Largest value above the offset that counts.
    pub trusted_max: f64,
}

/// A rotation in equal steps, one a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotation {
    /// Unit spindle axis.
    pub spindle: [f64; 3],
    /// Number of the first frame.
    pub first: usize,
    /// Frames.
    pub frames: usize,
    /// Angle at the start of the first frame.
    pub start_deg: f64,
    /// Oscillation of a frame.
    pub width_deg: f64,
    /// Exposure of a frame.
    pub exposure_s: f64,
}

/// Where the images are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// Numbered files, with `#` for each digit of the number.
    Template(String),
    /// The files of stills, in order.
    Stills(Vec<String>),
}

impl ExperimentList {
    /// The list as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut experiment = json!({ "__id__": "Experiment", "identifier": "", "beam": 0, "detector": 0 });
        if self.rotation.is_some() {
            experiment["goniometer"] = json!(0);
            experiment["scan"] = json!(0);
        }
        if self.images.is_some() {
            experiment["imageset"] = json!(0);
        }
        let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let goniometer = |rotation: &Rotation| {
            json!({
                "rotation_axis": rotation.spindle,
                "fixed_rotation": identity,
                "setting_rotation": identity,
            })
        };
        json!({
            "__id__": "ExperimentList",
            "experiment": [experiment],
            "imageset": self.images.iter().map(Images::json).collect::<Vec<_>>(),
            "beam": [self.beam.json()],
            "detector": [self.panel.json()],
            "goniometer": self.rotation.iter().map(goniometer).collect::<Vec<_>>(),
            "scan": self.rotation.iter().map(Rotation::json).collect::<Vec<_>>(),
            "crystal": [],
            "profile": [],
            "scaling_model": [],
        })
    }

    /// Writes the list.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = format!("{:#}\n", self.json());
        write_atomically(path, |out| out.write_all(text.as_bytes()))
    }
}

impl Beam {
    fn json(&self) -> Value {
        json!({
            "direction": self.direction.map(|component| 0.0 - component),
            "wavelength": self.lambda_m * 1e10,
            "divergence": 0.0,
            "sigma_divergence": 0.0,
            "polarization_normal": self.polarization_normal,
            "polarization_fraction": self.polarization_fraction,
            "flux": 0.0,
            "transmission": 1.0,
        })
    }
}

impl Panel {
    fn json(&self) -> Value {
        let pixel_mm = self.pixel_m * 1e3;
        let strategy =
            if self.sensor_m.is_some() { "ParallaxCorrectedPxMmStrategy" } else { "SimplePxMmStrategy" };
        let [thickness_m, attenuation_per_m] = self.sensor_m.unwrap_or_default();
        let panel = json!({
            "name": "Panel",
            "type": "SENSOR_PAD",
            "fast_axis": self.fast,
            "slow_axis": self.slow,
            "origin": self.origin_m.map(|length_m| length_m * 1e3),
            "raw_image_offset": [0, 0],
            "image_size": self.pixels,
            "pixel_size": [pixel_mm, pixel_mm],
            "trusted_range": [-1.0, self.trusted_max],
            "thickness": thickness_m * 1e3,
            "material": "",
            "mu": attenuation_per_m / 1e3,
            "identifier": "",
            "mask": [],
            "gain": 1.0,
            "pedestal": self.pedestal,
            "px_mm_strategy": { "type": strategy },
        });
        // The node above the panel is the frame itself.
        let hierarchy = json!({
            "name": "",
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
            "children": [{ "panel": 0 }],
        });
        json!({ "panels": [panel], "hierarchy": hierarchy })
    }
}

impl Rotation {
    fn json(&self) -> Value {
        let epochs: Vec<f64> = (0..self.frames).map(|frame| frame as f64 * self.exposure_s).collect();
        json!({
            "image_range": [self.first, self.first + self.frames.max(1) - 1],
            "batch_offset": 0,
            "oscillation": [self.start_deg, self.width_deg],
            "exposure_time": vec![self.exposure_s; self.frames],
            "epochs": epochs,
            "valid_image_ranges": {},
        })
    }
}

impl Images {
    fn json(&self) -> Value {
        let mut set = match self {
            Self::Template(template) => json!({ "__id__": "ImageSequence", "template": template }),
            Self::Stills(paths) => json!({ "__id__": "ImageSet", "images": paths }),
        };
        for table in ["mask", "gain", "pedestal", "dx", "dy"] {
            set[table] = Value::Null;
        }
        set["params"] = json!({});
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> ExperimentList {
        ExperimentList {
            beam: Beam {
                direction: [0.0, 0.0, -1.0],
                lambda_m: 0.9768e-10,
                polarization_normal: [0.0, 1.0, 0.0],
                polarization_fraction: 0.5,
            },
            panel: Panel {
                pixels: [487, 195],
                pixel_m: 0.172e-3,
                origin_m: [-0.03, 0.01, -0.1],
                fast: [1.0, 0.0, 0.0],
                slow: [0.0, -1.0, 0.0],
                sensor_m: None,
                pedestal: 40.0,
                trusted_max: 65495.0,
            },
            rotation: Some(Rotation {
                spindle: [1.0, 0.0, 0.0],
                first: 1,
                frames: 3,
                start_deg: 10.0,
                width_deg: 0.5,
                exposure_s: 2.0,
            }),
            images: Some(Images::Template("noise_#####.img".to_owned())),
        }
    }

    #[test]
    fn a_series() {
        let made = list().json();
        assert_eq!(
            made["experiment"][0],
            json!({ "__id__": "Experiment", "identifier": "", "beam": 0, "detector": 0, "goniometer": 0, "scan": 0, "imageset": 0 })
        );
        assert_eq!(made["beam"][0]["direction"], json!([0.0, 0.0, 1.0]));
        assert_eq!(made["imageset"][0]["template"], "noise_#####.img");
        let panel = &made["detector"][0]["panels"][0];
        assert_eq!(panel["origin"], json!([-30.0, 10.0, -100.0]));
        assert_eq!(panel["image_size"], json!([487, 195]));
        assert_eq!(panel["px_mm_strategy"]["type"], "SimplePxMmStrategy");
        assert_eq!(made["scan"][0]["image_range"], json!([1, 3]));
        assert_eq!(made["scan"][0]["oscillation"], json!([10.0, 0.5]));
        assert_eq!(made["scan"][0]["epochs"], json!([0.0, 2.0, 4.0]));
        assert_eq!(made["goniometer"][0]["rotation_axis"], json!([1.0, 0.0, 0.0]));
    }

    #[test]
    fn a_still_without_images_and_a_thick_sensor() {
        let mut still = ExperimentList { rotation: None, images: None, ..list() };
        still.panel.sensor_m = Some([450e-6, 3915.0]);
        let made = still.json();
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
    fn the_file_is_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.expt");
        list().write(&path).unwrap();
        let read: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, list().json());
    }
}
