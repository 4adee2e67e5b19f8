//! Images of simtbx and diffBragg (cctbx_project), and the scenes that they are images of.
//!
//! `golden/simtbx/<set>/scenes.json` has the parameters of a set: those that all of its images share, and those of each. An
//! image is in `<image>.f32`, slow-major; `factors.f32` has the structure factors of a box, l fastest.

use serde::Deserialize;
use serde_json::{Map, Value};
use widebragg::beam::{Polarization, Source};
use widebragg::detector::{Detector, NormalUse};
use widebragg::lanes::Simd;
use widebragg::lattice::{CellCoupling, Crystallite, SpotMetric, SpotModel};
use widebragg::panel::Panel;
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, PhiShift, PhiSweep};
use widebragg::scene::{Oversample, Roi, Sensor};
use widebragg::vector::Vec3;
use widebragg_experiment::factor_grid::GridNumbers;

use crate::golden::{read_f32, root};
use crate::scene::{KernelScene, OwnedGrid};

/// An image and its scene.
#[derive(Debug)]
pub struct SimtbxImage {
    /// Its name.
    pub name: String,
    /// What it is an image of, in the mode spec.
    pub scene: KernelScene,
    /// Photons.
    pub pixels: Vec<f32>,
}

#[derive(Deserialize)]
struct Box3 {
    min: [i32; 3],
    len: [usize; 3],
}

#[derive(Deserialize)]
struct Scenes {
    factors: Box3,
    common: Map<String, Value>,
    images: Map<String, Value>,
}

#[derive(Deserialize)]
struct GoldenSource {
    incident: [f64; 3],
    #[serde(rename = "lambda_A")]
    lambda_angstrom: f64,
    weight: f64,
}

#[derive(Deserialize)]
struct Parameters {
    slow_fast: [usize; 2],
    pixel_mm: f64,
    fast: [f64; 3],
    slow: [f64; 3],
    normal: [f64; 3],
    origin_mm: [f64; 3],
    distance_mm: f64,
    close_distance_mm: f64,
    beam: [f64; 3],
    point_pixel: bool,
    curved: bool,
    sources: Vec<GoldenSource>,
    kahn: Option<f64>,
    e_vector: [f64; 3],
    /// Where the other program takes the polarisation factor.
    polarized: String,
    photons_per_m2: f64,
    #[serde(rename = "direct_A")]
    direct_angstrom: [[f64; 3]; 3],
    cells: [f64; 3],
    coupling_ab_ac_bc: [f64; 3],
    shape: String,
    gauss_cutoff: Option<f64>,
    oversample: usize,
    phi_deg: f64,
    osc_deg: f64,
    phi_steps: usize,
    spindle: [f64; 3],
    layers: usize,
    layer_mm: f64,
    attenuation_mm: f64,
    #[serde(rename = "default_F")]
    default_f: f64,
    domains: Option<Vec<Mat3>>,
}

impl Parameters {
    fn detector(&self) -> Detector {
        let [slow_pixels, fast_pixels] = self.slow_fast;
        let pixel_m = self.pixel_mm * 1e-3;
        let (beam, polarization) = (Vec3::from(self.beam), Vec3::from(self.e_vector));
        Detector {
            pixel_m,
            fast_pixels,
            slow_pixels,
            slow_size_m: slow_pixels as f64 * pixel_m,
            pix0_m: 1e-3 * Vec3::from(self.origin_mm),
            fast: self.fast.into(),
            slow: self.slow.into(),
            normal: self.normal.into(),
            beam,
            polarization,
            vertical: beam.cross(polarization),
            spindle: self.spindle.into(),
            twotheta_axis: self.spindle.into(),
            distance_m: self.distance_mm * 1e-3,
            close_distance_m: self.close_distance_mm * 1e-3,
            x_beam_m: 0.0,
            y_beam_m: 0.0,
            fast_beam_m: 0.0,
            slow_beam_m: 0.0,
            fast_close_m: 0.0,
            slow_close_m: 0.0,
            normal_use: NormalUse::AsGiven,
            point_pixel: self.point_pixel,
            curved: self.curved,
        }
    }

    fn crystallite(&self) -> Crystallite {
        let [a, b, c] = self.direct_angstrom.map(Vec3::from);
        let per_volume = 1.0 / a.dot(b.cross(c));
        let [ab, ac, bc] = self.coupling_ab_ac_bc;
        Crystallite {
            shape: self.shape.parse().expect("a shape"),
            cells: self.cells,
            fudge: 1.0,
            reciprocal_per_angstrom: [b.cross(c), c.cross(a), a.cross(b)].map(|axis| per_volume * axis),
            spots: SpotModel {
                metric: SpotMetric::Index,
                coupling: CellCoupling { ab, ac, bc },
                gauss_cutoff: self.gauss_cutoff.unwrap_or(f64::INFINITY),
            },
        }
    }

    fn scene(self, grid: OwnedGrid) -> KernelScene {
        let detector = self.detector();
        let [a_m, b_m, c_m] = self.direct_angstrom.map(|edge| 1e-10 * Vec3::from(edge));
        let weights: Vec<_> = self.sources.iter().map(|source| source.weight).collect();
        let source = |source: &GoldenSource| Source {
            incident: source.incident.into(),
            lambda_m: source.lambda_angstrom * 1e-10,
        };
        let sweep = PhiSweep {
            phi0_rad: self.phi_deg.to_radians(),
            step_rad: self.osc_deg.to_radians() / self.phi_steps as f64,
            count: self.phi_steps,
            spindle: self.spindle.into(),
            mode: PhiMode::Spec,
        };
        let sensor = Sensor {
            layers: self.layers,
            layer_m: self.layer_mm * 1e-3,
            attenuation_per_m: 1e3 / self.attenuation_mm,
        };
        KernelScene {
            simd: Simd::detect(),
            detector,
            sensor,
            oversample: Oversample { per_axis: self.oversample, thick: true, polar: false, omega: true },
            sources: self.sources.iter().map(source).collect(),
            source_weights: Some(weights),
            cell: Orientation { a_m, b_m, c_m },
            sweep,
            shift: PhiShift::default(),
            crystallite: self.crystallite(),
            domains: self.domains.unwrap_or_else(|| vec![IDENTITY]),
            grid: Some(grid),
            default_f: self.default_f,
            interpolate: false,
            polarization: self.kahn.map(|kahn| {
                let at = self.polarized.parse().expect("a contribution");
                Polarization { kahn, axis: detector.polarization, at }
            }),
            d_min_m: 0.0,
            fluence_per_m2: self.photons_per_m2,
            water_m: 0.0,
            roi: Roi::whole(&Panel::new(&detector, sensor)),
            mask: None,
        }
    }
}

/// The images of a set.
///
/// # Errors
/// When a file cannot be read.
pub fn images(set: &str) -> Result<Vec<SimtbxImage>, String> {
    let folder = root().join("simtbx").join(set);
    let path = folder.join("scenes.json");
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let scenes: Scenes =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let Box3 { min, len } = scenes.factors;
    let grid = OwnedGrid {
        min,
        len,
        data: read_f32(&folder.join("factors.f32"))?.into_iter().map(f64::from).collect(),
        numbers: GridNumbers::F64,
        of_source: None,
    };
    let image = |(name, own): (String, Value)| {
        let mut all = scenes.common.clone();
        all.extend(own.as_object().cloned().unwrap_or_default());
        let parameters: Parameters =
            serde_json::from_value(all.into()).map_err(|error| format!("{set} {name}: {error}"))?;
        Ok(SimtbxImage {
            scene: parameters.scene(grid.clone()),
            pixels: read_f32(&folder.join(format!("{name}.f32")))?,
            name,
        })
    };
    scenes.images.into_iter().map(image).collect()
}
