//! The sensor of the detector: `--sensor`, and the options of nanoBragg for the same, which are used where both are
//! given.

use widebragg::rotation::PhiMode;
use widebragg_experiment::parameters::{self, SensorRequest};
use widebragg_experiment::sensor_material::SensorMaterial;
use widebragg_formats::format_g::format_g;

use crate::error::Failure;
use crate::options::{Attenuation, Options};

/// What the options say of the sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GivenSensor {
    /// Material, where it is known.
    pub material: Option<SensorMaterial>,
    /// Thickness in m; negative means unset.
    pub thickness_m: Option<f64>,
    /// Layers; not above 0 means unset.
    pub layers: Option<i64>,
}

impl GivenSensor {
    /// The sensor of `options`.
    pub(crate) fn new(options: &Options) -> Self {
        let thickness_m = options.detector_thick_m.filter(|&thickness_m| thickness_m >= 0.0);
        let layers = options.detector_thicksteps.filter(|&layers| layers > 0);
        let sensor = options.sensor;
        Self {
            material: sensor.map(|sensor| sensor.material),
            thickness_m: thickness_m.or(sensor.map(|sensor| sensor.thickness_m)).or(options.detector_thick_m),
            layers: layers.or(sensor.and_then(|sensor| sensor.layers)).or(options.detector_thicksteps),
        }
    }

    /// The sensor at a wavelength. `warn` is told which parts of `--sensor` other options replace.
    ///
    /// # Errors
    /// The attenuation of the material is not known at the wavelength.
    pub(super) fn request(
        &self,
        options: &Options,
        lambda_m: f64,
        warn: &mut dyn FnMut(String),
    ) -> Result<SensorRequest, Failure> {
        self.replaced(options).into_iter().for_each(warn);
        let is_c_parity = options.carryover_mode == PhiMode::CParity;
        let attenuation = match (options.detector_abs, self.material) {
            (None, Some(material)) => {
                let per_m = material.attenuation_per_m(lambda_m).map_err(Failure::from);
                parameters::Attenuation::DepthM(1.0 / per_m.map_err(|failure| failure.context("--sensor"))?)
            }
            (None, None) => parameters::Attenuation::Unknown,
            (Some(Attenuation::NoThickness), _) if is_c_parity && options.thick_after_no_thickness => {
                parameters::Attenuation::Transparent
            }
            (Some(Attenuation::NoThickness), _) => parameters::Attenuation::AtSurface,
            (Some(Attenuation::DepthM(depth_m)), _) => parameters::Attenuation::DepthM(depth_m),
        };
        Ok(SensorRequest { thickness_m: self.thickness_m, layers: self.layers, attenuation })
    }

    /// A line for each part of `--sensor` that another option replaces.
    fn replaced(&self, options: &Options) -> Vec<String> {
        let Some(sensor) = options.sensor else { return Vec::new() };
        let um = |length_m: f64| format_g(length_m * 1e6);
        let depth = options.detector_abs.map(|given| match given {
            Attenuation::NoThickness => "-detector_abs inf (no sensor)".to_owned(),
            Attenuation::DepthM(depth_m) => format!("-detector_abs {}", um(depth_m)),
        });
        let thickness_m = self.thickness_m.filter(|&thickness_m| thickness_m != sensor.thickness_m);
        let thickness = thickness_m.map(|thickness_m| format!("-detector_thick {}", um(thickness_m)));
        let layers = self.layers.filter(|_| sensor.layers.is_some() && self.layers != sensor.layers);
        let layers = layers.map(|layers| format!("-detector_thicksteps {layers}"));
        let replaced = [(depth, "attenuation"), (thickness, "thickness"), (layers, "layers")];
        let line = |(option, part): (Option<String>, &str)| {
            let material = sensor.material.name();
            option.map(|option| format!("{option} is used instead of the {part} of --sensor {material}"))
        };
        replaced.into_iter().filter_map(line).collect()
    }
}
