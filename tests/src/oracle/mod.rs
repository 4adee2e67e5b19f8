//! The reference, reimplemented in plain scalar f64 and in its own serial order.
//!
//! It has no vectors, no threads and no code in common with the kernel, and is slow for that reason.
//! [`Simulation::from_args`] reads a command line; [`Simulation::render`] renders the whole image,
//! [`Simulation::render_pixels`] single pixels with their intermediate values; [`output`] makes the files.
//!
//! ```
//! use widebragg_tests::golden;
//! use widebragg_tests::oracle::{Mode, Simulation};
//!
//! let line = "-cell 40 -default_F 10 -N 5 -detpixels 8 -pixel 1 -oversample 1";
//! let args: Vec<String> = line.split(' ').map(String::from).collect();
//! let simulation = Simulation::from_args(&args, &golden::inputs()).unwrap();
//! assert_eq!(simulation.render(Mode::Spec, 1).float.len(), 64);
//! ```

pub mod beam;
pub mod command;
pub mod crystal;
pub mod detector;
pub mod functions;
pub mod input;
pub mod noise;
pub mod output;
mod pixel;
pub mod random;
pub mod sampling;
pub mod vector;

pub use pixel::{Mode, PhiTrace, PixelTrace, Rendered};

use command::{Command, DEGREE, Shape};
use crystal::Crystal;
use detector::Detector;
use functions::rotate_axis;
use input::{Grid, Source};
use sampling::{Steps, phi_steps, thickness_steps};
use std::borrow::Cow;
use std::fs;
use std::path::Path;
use vector::Vector;

/// Square of the classical electron radius, m^2.
pub const R_E_SQR: f64 = 7.94079248018965e-30;

/// The seed where none is given. The reference takes one from the clock then; an oracle must be reproducible.
pub const SEED_WITHOUT_CLOCK: i32 = -1;

/// Upper limit for the number of subpixels along an edge; more is taken for a mistake.
const MOST_OVERSAMPLE: f64 = 1e5;

/// Everything that the pixel loop needs, derived from a command line. SI units unless stated otherwise.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Position, axes and beam centre.
    pub detector: Detector,
    /// Cell, orientation, number of cells, mosaic domains.
    pub crystal: Crystal,
    /// Directions and wavelengths.
    pub sources: Vec<Source>,
    /// Structure factors, if a file was read.
    pub grid: Option<Grid>,
    /// Structure factor outside the grid.
    pub default_F: f64,
    /// Whether structure factors are interpolated.
    pub interpolate: bool,
    /// Crystal shape.
    pub shape: Shape,
    /// Factor on the width of round, gauss and tophat spots.
    pub fudge: f64,
    /// Subpixels along each edge of a pixel.
    pub oversample: usize,
    /// Whether capture is applied at every step.
    pub oversample_thick: bool,
    /// Whether polarisation is applied at every step.
    pub oversample_polar: bool,
    /// Whether the solid angle is applied at every step.
    pub oversample_omega: bool,
    /// Spindle angle of every phi step, radians.
    pub phi: Vec<f64>,
    /// Phi of the first step, radians.
    pub phi0: f64,
    /// Difference between two phi steps, radians.
    pub phistep: f64,
    /// Oscillation range, radians.
    pub osc: f64,
    /// Sensor layers of the reference.
    pub layers: Steps,
    /// Sensor layers of spec.
    pub spec_layers: Steps,
    /// Inverse attenuation depth, 1/m.
    pub mu: f64,
    /// Fluence, photons per square metre.
    pub fluence: f64,
    /// Background of every pixel, before scaling.
    pub background: f64,
    /// Thickness of water, metres.
    pub water: f64,
    /// Polarised fraction.
    pub kahn: f64,
    /// Whether the polarisation factor is left out.
    pub nopolar: bool,
    /// Whether the solid angle leaves out obliquity and pixel area.
    pub point_pixel: bool,
    /// Whether the detector is curved around the sample.
    pub curved: bool,
    /// Resolution limit, metres.
    pub dmin: f64,
    /// Wavelength of the command line, metres.
    pub lambda: f64,
    /// Two-theta, radians.
    pub twotheta: f64,
    /// The number of steps by which a pixel's sum is divided: sources x domains x phi steps x oversample^2.
    pub steps: f64,
    /// Limits of the region of interest, inclusive: fast min, fast max, slow min, slow max.
    pub roi: [usize; 4],
    /// Mask: pixels where it is 0 are not rendered.
    pub mask: Option<Vec<u16>>,
    /// Whether the misset angles were drawn at random.
    pub misset_random: bool,
    /// Integer image: counts per photon; 0 for automatic.
    pub scale: f64,
    /// Offset of the integer and noise images.
    pub adc: f64,
    /// PGM image: grey levels per photon; 0 for automatic.
    pub pgmscale: f64,
    /// Noise seed, as passed to the generator.
    pub seed: i32,
    /// Whether the interference functions are accurate to a few ulp, instead of rounded as the reference's
    /// expressions are. An implementation that does not lose those digits is compared with this. Only tests
    /// set it.
    pub precise: bool,
    /// The real axes at every phi step, metres.
    rotated: Vec<[Vector; 3]>,
    /// What is different in spec mode, where a mirrored detector lies elsewhere.
    spec: Option<SpecPlacement>,
}

/// The detector of spec mode, and the subpixels that its distance asks for.
#[derive(Clone, Debug)]
struct SpecPlacement {
    detector: Detector,
    oversample: usize,
    twotheta: f64,
}

impl Simulation {
    /// Derives a simulation from a command line of the reference (without the program's name). Files are
    /// relative to `dir`.
    ///
    /// # Errors
    /// A line that names what is wrong.
    pub fn from_args(args: &[String], dir: &Path) -> Result<Simulation, String> {
        let mut command = Command::parse(args, dir)?;
        if !command.lambda.is_finite() || command.lambda <= 0.0 {
            return Err("the wavelength is not above 0".to_owned());
        }
        if command.beamsize >= 0.0 {
            for across in &mut command.sample[1..] {
                *across = across.min(command.beamsize);
            }
        }
        let detector = Detector::new(&command, Mode::CParity)?;
        let crystal = Crystal::new(&command)?;
        let sources = beam::sources(&command, &detector)?;
        let grid = structure_factors(&command, dir)?;
        let fluence = beam::fluence(&command);
        let spec_detector = Detector::new(&command, Mode::Spec)?;
        // Also for a swing of -0, which the header shows.
        let is_swung_alike = command.in_mode(Mode::CParity).twotheta.to_bits() == command.twotheta.to_bits();
        let is_placed_alike = (spec_detector.o, spec_detector.pix0) == (detector.o, detector.pix0);
        let spec = if is_placed_alike && is_swung_alike {
            None
        } else {
            let oversample = oversample(&command, &crystal, &spec_detector)?;
            Some(SpecPlacement { detector: spec_detector, oversample, twotheta: command.twotheta })
        };
        let oversample = oversample(&command, &crystal, &detector)?;
        let phi_steps = phi_steps(command.phi)?;
        let phi: Vec<f64> = (0..phi_steps.count).map(|i| command.phi0 + phi_steps.step * i as f64).collect();
        let (layers, mu) = sensor(&command)?;
        let spec_layers = spec_layers(&command, layers);
        let [fast, slow] = detector.npixels;
        let steps =
            (sources.len() * crystal.mosaic.len() * phi.len()) as f64 * (oversample * oversample) as f64;

        // The default depends on N as given on the command line, before a sample size changes it.
        let by_default = command.N.iter().any(|&n| n <= 2);
        let water_F_sqr = 2.57 * 2.57;
        let axes = [crystal.a, crystal.b, crystal.c];
        Ok(Simulation {
            rotated: phi.iter().map(|&angle| axes.map(|axis| rotate_axis(axis, detector.u, angle))).collect(),
            interpolate: grid.is_some() && command.interpolate.unwrap_or(by_default),
            background: water_F_sqr
                * R_E_SQR
                * fluence
                * command.water
                * command.water
                * command.water
                * 1e6
                * 6.02214179e23
                / 18.0,
            roi: roi(command.roi, fast, slow)?,
            mask: mask(&command, fast, slow)?,
            detector,
            crystal,
            sources,
            grid,
            default_F: command.default_F,
            shape: command.shape,
            fudge: command.fudge,
            oversample,
            oversample_thick: command.oversample_thick,
            oversample_polar: command.oversample_polar,
            oversample_omega: command.oversample_omega,
            phi,
            phi0: command.phi0,
            phistep: phi_steps.step,
            osc: phi_steps.range,
            layers,
            spec_layers,
            mu,
            fluence,
            water: command.water,
            kahn: command.polar,
            nopolar: command.nopolar,
            point_pixel: command.point_pixel,
            curved: command.curved_det,
            dmin: command.dmin,
            lambda: command.lambda,
            twotheta: command.in_mode(Mode::CParity).twotheta,
            steps,
            misset_random: command.misset_random,
            scale: command.scale,
            adc: command.adc,
            pgmscale: command.pgmscale,
            seed: command.seed.unwrap_or(SEED_WITHOUT_CLOCK),
            precise: false,
            spec,
        })
    }

    /// The simulation with the detector where a mode places it.
    pub fn in_mode(&self, mode: Mode) -> Cow<'_, Simulation> {
        match &self.spec {
            Some(SpecPlacement { detector, oversample, twotheta }) if mode == Mode::Spec => {
                let [before, after] = [self.oversample, *oversample].map(|n| (n * n) as f64);
                Cow::Owned(Simulation {
                    detector: detector.clone(),
                    oversample: *oversample,
                    steps: self.steps / before * after,
                    twotheta: *twotheta,
                    spec: None,
                    ..self.clone()
                })
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// Pixels along the fast and the slow axis.
    pub fn npixels(&self) -> [usize; 2] {
        self.detector.npixels
    }

    /// Unit cells along a, b, c.
    pub fn N(&self) -> [i64; 3] {
        self.crystal.N
    }

    /// Number of innermost steps of the whole image, sensor layers included: a measure of the rendering time.
    pub fn cost(&self) -> f64 {
        let [x0, x1, y0, y1] = self.roi;
        self.steps * self.layers.count as f64 * ((x1 - x0 + 1) * (y1 - y0 + 1)) as f64
    }

    /// Whether a pixel is inside the region of interest.
    pub fn in_roi(&self, slow: usize, fast: usize) -> bool {
        let [x0, x1, y0, y1] = self.roi;
        (x0..=x1).contains(&fast) && (y0..=y1).contains(&slow)
    }

    /// Whether a pixel is rendered: inside the region of interest and not masked.
    pub fn is_rendered(&self, slow: usize, fast: usize) -> bool {
        let index = slow * self.detector.npixels[0] + fast;
        let masked = self.mask.as_ref().is_some_and(|mask| mask.get(index) == Some(&0));
        self.in_roi(slow, fast) && !masked
    }
}

/// The list if one is given, else the dump if it exists, else none if there is a default.
fn structure_factors(command: &Command, dir: &Path) -> Result<Option<Grid>, String> {
    let dump = dir.join(&command.dump);
    if let Some(path) = &command.hkl {
        Grid::read_text(path, command.default_F).map(Some)
    } else if dump.is_file() {
        let bytes = fs::read(&dump).map_err(|error| format!("{}: {error}", dump.display()))?;
        Grid::from_dump(&bytes).map(Some)
    } else if command.default_F != 0.0 {
        Ok(None)
    } else {
        Err("there are no structure factors: no -hkl, no dump, no -default_F".to_owned())
    }
}

fn oversample(command: &Command, crystal: &Crystal, detector: &Detector) -> Result<usize, String> {
    let count = if command.oversample > 0 {
        command.oversample as f64
    } else {
        crystal.recommended_oversample(command.lambda * detector.distance / detector.pixel)
    };
    if count <= MOST_OVERSAMPLE { Ok(count as usize) } else { Err(format!("-oversample {count}: too many")) }
}

/// Sensor layers and inverse attenuation depth. An infinite depth after the thickness takes the sensor away; before
/// it, it leaves a sensor that captures nothing.
fn sensor(command: &Command) -> Result<(Steps, f64), String> {
    let mut request = command.thickness;
    if command.detector_abs == Some(f64::INFINITY) && !command.thick_after_infinite_depth {
        request.range = Some(0.0);
    }
    let thickness = request.range.unwrap_or(0.0);
    let mu = match command.detector_abs {
        Some(depth) => 1.0 / depth,
        None if thickness > 0.0 => 1.0 / thickness,
        None => 0.0,
    };
    Ok((thickness_steps(request)?, mu))
}

/// The layers of spec: together as thick as the sensor, which an infinite depth takes away wherever it stands.
fn spec_layers(command: &Command, layers: Steps) -> Steps {
    let thickness = command.thickness.range.unwrap_or(0.0);
    match command.thickness.count {
        _ if command.detector_abs == Some(f64::INFINITY) => Steps { count: 1, range: 0.0, step: 0.0 },
        Some(count) if count > 0 && thickness > 0.0 => {
            Steps { count: count as usize, range: thickness, step: thickness / count as f64 }
        }
        _ => layers,
    }
}

fn roi(given: Option<[i64; 4]>, fast: usize, slow: usize) -> Result<[usize; 4], String> {
    let Some(limits) = given else { return Ok([0, fast - 1, 0, slow - 1]) };
    let or_edge = |limit: i64, edge: usize| usize::try_from(limit).unwrap_or(edge);
    let [x0, x1, y0, y1] = limits;
    let [x0, x1, y0, y1] = [or_edge(x0, 0), or_edge(x1, fast - 1), or_edge(y0, 0), or_edge(y1, slow - 1)];
    if x0 <= x1 && x1 < fast && y0 <= y1 && y1 < slow {
        Ok([x0, x1, y0, y1])
    } else {
        Err(format!("-roi {limits:?} is outside {fast} x {slow} pixels or inverted"))
    }
}

fn mask(command: &Command, fast: usize, slow: usize) -> Result<Option<Vec<u16>>, String> {
    if command.mask.is_some() && command.mask_size != [fast as i64, slow as i64] {
        return Err(format!("-mask: {:?} pixels for a detector of {fast} x {slow}", command.mask_size));
    }
    Ok(command.mask.clone())
}

/// Converts to degrees, for headers and figures.
fn degrees(angle_rad: f64) -> f64 {
    angle_rad / DEGREE
}
