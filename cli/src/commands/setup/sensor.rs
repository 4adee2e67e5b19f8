//! The sensor of the detector. Its thickness, attenuation and layers are those of `--sensor`, or else those of the named
//! detector (`--detector`). Each of the three that an option of nanoBragg gives as well is that of nanoBragg's option.

use widebragg::rotation::PhiMode;
use widebragg_experiment::parameters::{self, SensorRequest};
use widebragg_experiment::sensor_material::SensorMaterial;
use widebragg_formats::format_g::format_g;

use crate::error::Failure;
use crate::options::{Attenuation, Options, SensorOption};

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
        let sensor = chosen(options);
        Self {
            material: sensor.map(|sensor| sensor.material),
            thickness_m: thickness_m
                .or(sensor.and_then(|sensor| sensor.thickness_m))
                .or(options.detector_thick_m),
            layers: layers.or(sensor.and_then(|sensor| sensor.layers)).or(options.detector_thicksteps),
        }
    }

    /// The sensor at a wavelength. `warn` is told which parts of `--sensor` or `--detector` other options replace.
    ///
    /// # Errors
    /// The attenuation of the material is not known at the wavelength, or nothing tells its thickness.
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
                let of_table = material.attenuation_per_m(lambda_m).map_err(Failure::from);
                let per_m = of_table.map_err(|failure| failure.context(origin(options)))?;
                parameters::Attenuation::DepthM(1.0 / per_m)
            }
            (None, None) => parameters::Attenuation::Unknown,
            (Some(Attenuation::NoThickness), _) if is_c_parity && options.thick_after_no_thickness => {
                parameters::Attenuation::Transparent
            }
            (Some(Attenuation::NoThickness), _) => parameters::Attenuation::AtSurface,
            (Some(Attenuation::DepthM(depth_m)), _) => parameters::Attenuation::DepthM(depth_m),
        };
        if let (Some(material), None) = (self.material, self.thickness_m) {
            let name = material.name();
            return Err(Failure::input(format!(
                "--sensor {name}: give its thickness too, such as {name},500"
            )));
        }
        Ok(SensorRequest {
            thickness_m: self.thickness_m,
            layers: self.layers,
            attenuation,
            ..SensorRequest::default()
        })
    }

    /// Whether an option says anything of the sensor, so that it stands in for that of a file of geometry.
    pub(super) fn is_given(&self, options: &Options) -> bool {
        self.material.is_some()
            || self.thickness_m.is_some()
            || self.layers.is_some()
            || options.detector_abs.is_some()
    }

    /// A line for each part of the chosen sensor that another option replaces.
    fn replaced(&self, options: &Options) -> Vec<String> {
        let Some(sensor) = chosen(options) else { return Vec::new() };
        let um = |length_m: f64| format_g(length_m * 1e6);
        let depth = options.detector_abs.map(|given| match given {
            Attenuation::NoThickness => "-detector_abs inf (no sensor)".to_owned(),
            Attenuation::DepthM(depth_m) => format!("-detector_abs {}", um(depth_m)),
        });
        let is_replaced = sensor.thickness_m.is_some() && self.thickness_m != sensor.thickness_m;
        let thickness_m = self.thickness_m.filter(|_| is_replaced);
        let thickness = thickness_m.map(|thickness_m| format!("-detector_thick {}", um(thickness_m)));
        let layers = self.layers.filter(|_| sensor.layers.is_some() && self.layers != sensor.layers);
        let layers = layers.map(|layers| format!("-detector_thicksteps {layers}"));
        let replaced = [(depth, "attenuation"), (thickness, "thickness"), (layers, "layers")];
        let origin = origin(options);
        let line = |(option, part): (Option<String>, &str)| {
            option.map(|option| format!("{option} is used instead of the {part} of {origin}"))
        };
        replaced.into_iter().filter_map(line).collect()
    }
}

/// The sensor of `--sensor`, whose thickness is that of `--detector` where it is left out, or else the usual one of
/// `--detector`.
fn chosen(options: &Options) -> Option<SensorOption> {
    let Some(sensor) = options.sensor else {
        let usual = options.detector?.usual_sensor()?;
        return Some(SensorOption {
            material: usual.material,
            thickness_m: Some(usual.thickness_m()),
            layers: None,
        });
    };
    let of_detector = options.detector.and_then(|detector| detector.sensor_of(sensor.material));
    let thickness_m = sensor.thickness_m.or(of_detector.map(|variant| variant.thickness_m()));
    Some(SensorOption { thickness_m, ..sensor })
}

/// The option that [`chosen`] comes from.
fn origin(options: &Options) -> String {
    match (options.sensor, options.detector) {
        (None, Some(detector)) => format!("--detector {}", detector.name),
        (sensor, _) => {
            let material = sensor.map_or("", |sensor| sensor.material.name());
            format!("--sensor {material}")
        }
    }
}
