//! The images of `--mode spec`: the photons that a render with `--background` has where there is no crystal, on the detector and in
//! the beam of the same command line.
//!
//! What differs from nonBragg: F is monotone between the points of its table and constant beyond, and the table is read
//! as that of `--background`; the weights of sources are divided by their sum; photons are those at the centre of a
//! pixel; there are as many pixels as asked for; each pixel's noise is drawn by itself, and its integer is the nearest
//! one. What is extracted from an image is the table of `widebragg stol`.

use core::fmt::Write as _;

use widebragg::background::{Curve, RadialPoint};
use widebragg::crystal::{CellSource, UnitCell};
use widebragg::rotation::PhiMode;
use widebragg::sampling::OversampleRequest;
use widebragg::scene::{DetectorInput, Roi};
use widebragg_experiment::background::{Matter, Place, photons, radial_means};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::failure::Failure as ExperimentFailure;
use widebragg_experiment::parameters::{PanelParameters, Parameters};
use widebragg_experiment::resolution::scattering_lengths;
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::memory::{reserved, zeroed};
use widebragg_formats::smv::SmvImage;
use widebragg_formats::stol::{StolPoint, read_stol};

use super::{Run, Sample, sources};
use crate::commands::companions::no_memory;
use crate::commands::stol::{ANY_CELL, BINS, text};
use crate::console;
use crate::error::Failure;

/// The value of saturated pixels, which are left out.
const SATURATED: u16 = u16::MAX;

/// 1/A in 1/m.
const PER_ANGSTROM: f64 = 1e10;

impl Run<'_> {
    /// Writes the images of spec, and returns the summary.
    pub(super) fn of_spec(&self) -> Result<String, Failure> {
        self.check()?;
        let points = self.points()?;
        let experiment = self.experiment()?;
        let mut text = self.sample.summary(experiment.sources.len());
        let [fast, slow] = self.placement.pixels();
        let _ = writeln!(text, "image        {fast} x {slow} pixels");
        if let Some(image) = self.image {
            self.extract(&experiment, image, &mut text)?;
        }
        let pixels = if self.options.is_map {
            self.map(&experiment, &points)?
        } else {
            self.photons(&experiment, points)?
        };
        text += &self.write_images(&pixels)?;
        Ok(text)
    }

    /// Refuses values that nonBragg accepts although no sample or detector can have them.
    fn check(&self) -> Result<(), Failure> {
        let Sample { size_m: [x, y, z], density_g_per_m3, molecules, fluence_per_m2 } = self.sample;
        let above_0 = [
            ("-thick", x),
            ("-width and -beamsize", y),
            ("-heigh and -beamsize", z),
            ("-MW", self.options.molecular_weight),
            ("-density and -molecules", density_g_per_m3),
            ("-density and -molecules", molecules),
            ("-fluence", fluence_per_m2),
        ];
        let is_wrong = |value: f64| !(value > 0.0 && value.is_finite());
        if let Some((option, _)) = above_0.into_iter().find(|&(_, value)| is_wrong(value)) {
            return Err(Failure::input(format!("{option}: must be above 0 for --mode spec")));
        }
        if !self.options.offset_adu.is_finite() {
            return Err(Failure::input("-adc: must be finite for --mode spec"));
        }
        if self.roi.iter().any(|pixels| pixels.is_empty()) {
            return Err(Failure::input("-roi: leaves no pixel"));
        }
        if self.options.oversample > 1 {
            console::complain("-oversample has no effect: photons are those at the centre of each pixel");
        }
        Ok(())
    }

    /// The table.
    fn points(&self) -> Result<Vec<StolPoint>, Failure> {
        let path = &self.table.path;
        let table = read_stol(path, self.table.abscissa).map_err(|failure| failure.context("-stol"))?;
        if let Some(line) = table.unsorted_line {
            console::complain(&format!("-stol: {}:{line}: not in the order of s: sorted", path.display()));
        }
        match table.stick_line {
            None => Ok(table.points),
            Some(line) => Err(Failure::input(format!(
                "-stol: {}:{line}: a peak of a single point, as most here: --background of a render takes a width",
                path.display()
            ))),
        }
    }

    /// The detector and the beam, with a crystal that nothing depends on.
    fn experiment(&self) -> Result<Experiment, Failure> {
        let [columns, rows] = &self.roi;
        let roi = Roi {
            fast_min: columns.start,
            fast_max: columns.end - 1,
            slow_min: rows.start,
            slow_max: rows.end - 1,
        };
        let panel = PanelParameters {
            detector: DetectorInput::Placed(self.placement.detector),
            roi: Some(roi),
            ..PanelParameters::default()
        };
        let [a, b, c, alpha, beta, gamma] = ANY_CELL;
        let cell = CellSource::Cell(UnitCell::from_degrees([a, b, c], [alpha, beta, gamma]));
        let parameters = Parameters {
            panels: vec![panel],
            oversample: OversampleRequest { per_axis: Some(1), ..OversampleRequest::default() },
            lambda0_m: self.placement.lambda_m,
            sources: sources::of_spec(self.options)?,
            kahn: self.options.kahn,
            fluence_per_m2: self.sample.fluence_per_m2,
            mode: PhiMode::Spec,
            ..Parameters::new(cell)
        };
        // Warnings about the crystal are of no interest.
        Ok(Experiment::new(parameters, |_| ())?)
    }

    /// The photons of the sample in each pixel, if a molecule has the structure factors `points`.
    fn photons(&self, experiment: &Experiment, points: Vec<StolPoint>) -> Result<Vec<f32>, Failure> {
        let [thickness_m, width_m, height_m] = self.sample.size_m;
        let matter = Matter {
            name: String::new(),
            points: points.into(),
            place: Place::Slab { thickness_m },
            density_g_per_cm3: self.sample.density_g_per_m3 / 1e6,
            weight_g_per_mol: self.options.molecular_weight,
            attenuation_per_m: None,
        };
        Ok(photons(experiment, vec![matter], width_m * height_m).map_err(of_table)?.photons)
    }

    /// F at the centre of each pixel within the region of interest, for the first source and the central wavelength.
    fn map(&self, experiment: &Experiment, points: &[StolPoint]) -> Result<Vec<f32>, Failure> {
        let mut radial = reserved(points.len()).ok_or_else(no_memory)?;
        radial.extend(
            points.iter().map(|&StolPoint { s_per_angstrom: s, f_electrons }| RadialPoint { s, f_electrons }),
        );
        let mut room = zeroed(Curve::room_len(radial.len())).ok_or_else(no_memory)?;
        let curve = Curve::fill(&radial, PER_ANGSTROM, &mut room)
            .map_err(|error| Failure::input(error.to_string()).context("-stol"))?;
        let mut pixels = scattering_lengths(experiment)?;
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let s_per_m = f64::from(*pixel) / 2.0 * PER_ANGSTROM;
            *pixel = if experiment.is_selected(at) { curve.structure_factor(s_per_m) as f32 } else { 0.0 };
        }
        Ok(pixels)
    }

    /// Writes the table whose photons are those of the image, and adds to the summary.
    fn extract(
        &self,
        experiment: &Experiment,
        image: &SmvImage,
        summary: &mut String,
    ) -> Result<(), Failure> {
        let options = self.options;
        if !(options.gain > 0.0 && options.gain.is_finite()) {
            return Err(Failure::input("-gain: must be above 0 for --mode spec"));
        }
        let electron = StolPoint { s_per_angstrom: 0.0, f_electrons: 1.0 };
        let units = self.photons(experiment, vec![electron])?;
        let counts = |stored: u16| stored != SATURATED && !options.ignored.contains(&stored);
        let photons = |&stored: &u16| {
            let photons = (f64::from(stored) - options.offset_adu) / options.gain;
            if counts(stored) { photons as f32 } else { f32::NAN }
        };
        let mut counted = reserved(image.pixels.len()).ok_or_else(no_memory)?;
        counted.extend(image.pixels.iter().map(photons));
        let rings = radial_means(experiment, &counted, &units, BINS)?;
        let path = image.header.path();
        if rings.is_empty() {
            return Err(Failure::input(format!("-img: {}: no ring has enough pixels", path.display())));
        }
        let table = text(path, &rings);
        write_atomically(&options.table_out, |out| out.write_all(table.as_bytes()))?;
        let left_out: usize = rings.iter().map(|ring| ring.left_out).sum();
        let _ = writeln!(summary, "extracted    {} points, {left_out} pixels left out", rings.len());
        Ok(())
    }
}

/// What is wrong with the sample, as an error about its table.
fn of_table(failure: ExperimentFailure) -> Failure {
    Failure::input(failure.reason()).context("-stol")
}
