//! Images of simtbx and diffBragg (cctbx_project), and the scenes that they are images of.
//!
//! `golden/simtbx/<set>/scenes.json` has the parameters of a set: those that all of its images share, and those of each, which
//! may be `like` those of another. An image is in `<image>.f32`, slow-major; `factors.f32` has the structure factors of a box,
//! l fastest. `arrays.json` has the names of all arrays that the other programs made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use widebragg::Error;
use widebragg::beam::{Polarization, Source};
use widebragg::carryover::Carryover;
use widebragg::detector::{BeamFrame, Detector};
use widebragg::lanes::Simd;
use widebragg::lattice::{CellCoupling, Crystallite, SpotMetric, SpotModel};
use widebragg::panel::{Bend, Panel};
use widebragg::render::continue_streams;
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
    /// What it is an image of.
    pub scene: KernelScene,
    /// Photons.
    pub pixels: Vec<f32>,
    /// Where the other program takes the solid angle of a pixel.
    omega: Omega,
    /// How often it has rendered the scene, keeping what the phi carryover holds: the image is that of the last call.
    calls: usize,
    /// The part that `pixels` are: the first slow and fast pixel, and those after the last.
    region: Option<[usize; 4]>,
}

/// The point of a pixel whose solid angle counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Omega {
    /// That of each subpixel, in its own terms.
    #[default]
    Subpixel,
    /// That of the last subpixel, for all terms.
    LastSubpixel,
    /// The pixel's centre, for all terms.
    Centre,
}

impl SimtbxImage {
    /// The photons of the scene by the rules of the other program, in the pixels that it has.
    ///
    /// # Errors
    /// When the kernel refuses the scene.
    pub fn render(&self) -> Result<Vec<f64>, Error> {
        let Detector { fast_pixels, slow_pixels, .. } = self.scene.detector;
        let mut image = self.scene.with(1, |scene, slots| {
            let mut image = vec![0.0; fast_pixels * slow_pixels];
            for call in 0..self.calls {
                if call > 0 {
                    continue_streams(scene, slots)?;
                }
                scene.render_rows(0..slow_pixels, &mut image, &mut Carryover::Streams(slots))?;
            }
            Ok::<_, Error>(image)
        })??;
        // The kernel has taken that of the first subpixel, outside the sum, so that it can be exchanged.
        for (at, pixel) in image.iter_mut().enumerate() {
            *pixel *= self.omega_of([at / fast_pixels, at % fast_pixels]);
        }
        let [slow, fast, slow_end, fast_end] = self.region.unwrap_or([0, 0, slow_pixels, fast_pixels]);
        let rows = image.chunks_exact(fast_pixels).take(slow_end).skip(slow);
        Ok(rows.flat_map(|row| row[fast..fast_end].iter().copied()).collect())
    }

    /// The solid angle of a pixel as a part of that of its first subpixel, of a flat panel.
    fn omega_of(&self, [slow, fast]: [usize; 2]) -> f64 {
        let Detector { pixel_m, pix0_m, fast: along_fast, slow: along_slow, .. } = self.scene.detector;
        let half = 0.5 / self.scene.oversample.per_axis as f64;
        let distance_m = |within: f64| {
            let [fast, slow] = [fast, slow].map(|pixel| pixel_m * (pixel as f64 + within));
            (pix0_m + fast * along_fast + slow * along_slow).length()
        };
        let of = |within: f64| (distance_m(half) / distance_m(within)).powi(3);
        match self.omega {
            Omega::Subpixel => 1.0,
            Omega::LastSubpixel => of(1.0 - half),
            Omega::Centre => of(0.5),
        }
    }
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
    #[serde(default)]
    omega: Omega,
    mode: Option<String>,
    calls: Option<usize>,
    /// The first slow pixel and the one after the last, and so the fast ones.
    region: Option<[usize; 4]>,
}

impl Parameters {
    fn detector(&self) -> Detector {
        let [slow_pixels, fast_pixels] = self.slow_fast;
        let pixel_m = self.pixel_mm * 1e-3;
        let (beam, polarization) = (Vec3::from(self.beam), Vec3::from(self.e_vector));
        let (vertical, spindle) = (beam.cross(polarization), self.spindle.into());
        let distance_m = self.distance_mm * 1e-3;
        let panel = Panel {
            pixel_m,
            fast_pixels,
            slow_pixels,
            pix0_m: 1e-3 * Vec3::from(self.origin_mm),
            fast: self.fast.into(),
            slow: self.slow.into(),
            normal: self.normal.into(),
            close_distance_m: self.close_distance_mm * 1e-3,
            point_pixel: self.point_pixel,
            bend: self.curved.then_some(Bend { beam, radius_m: distance_m }),
            sensor: Sensor::THIN,
        };
        panel.detector(distance_m, &BeamFrame { beam, polarization, vertical, spindle })
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
        let mode = self.mode.as_deref().map_or(PhiMode::Spec, |mode| mode.parse().expect("a mode"));
        let sweep = PhiSweep {
            phi0_rad: self.phi_deg.to_radians(),
            step_rad: self.osc_deg.to_radians() / self.phi_steps as f64,
            count: self.phi_steps,
            spindle: self.spindle.into(),
            mode,
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
            oversample: Oversample {
                per_axis: self.oversample,
                // In c-parity it would multiply the running sum.
                thick: mode == PhiMode::Spec,
                polar: false,
                omega: self.omega == Omega::Subpixel,
            },
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
    let own = |name: &str| scenes.images.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let image = |name: &String| {
        let (mut all, own_of) = (scenes.common.clone(), own(name));
        all.extend(own_of.get("like").and_then(Value::as_str).map(&own).unwrap_or_default());
        all.extend(own_of);
        let parameters: Parameters =
            serde_json::from_value(all.into()).map_err(|error| format!("{set} {name}: {error}"))?;
        Ok(SimtbxImage {
            omega: parameters.omega,
            calls: parameters.calls.unwrap_or(1),
            region: parameters
                .region
                .map(|[slow, slow_end, fast, fast_end]| [slow, fast, slow_end, fast_end]),
            scene: parameters.scene(grid.clone()),
            pixels: read_f32(&folder.join(format!("{name}.f32")))?,
            name: name.clone(),
        })
    };
    scenes.images.keys().map(image).collect()
}

/// The names of all arrays that the other programs made, set by set.
///
/// # Errors
/// When the list cannot be read.
pub fn arrays() -> Result<BTreeMap<String, Vec<String>>, String> {
    let path = root().join("simtbx/arrays.json");
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}
