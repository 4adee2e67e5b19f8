//! What `gradient`, `gradcheck` and `refine` share: the parameters that `--wrt` names, and the image to
//! compare with.

use std::path::Path;

use rayon::ThreadPool;
use serde_json::{Value, json};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::gradient::loss::Loss;
use widebragg_experiment::gradient::named::{ALL, Named};
use widebragg_experiment::threads;
use widebragg_formats::memory::is_there;

use super::setup::structure_factors::named_inputs;
use crate::console::complain;
use crate::error::Failure;
use crate::images::{Image, read_one};
use crate::options::GradientOptions;

/// Memory for a pixel while an image is compared with another and fitted.
const BYTES_PER_PIXEL: usize = 64;

/// Memory for the rest of a fit.
const FIT_BYTES: usize = 12 << 20;

/// The name in `--wrt` that selects the derivatives with respect to each structure factor.
const EACH_F: &str = "F";

/// What `--wrt` asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Chosen {
    /// Parameters, each once.
    pub parameters: Vec<Named>,
    /// Whether derivatives with respect to each structure factor are wanted.
    pub each_f: bool,
}

impl Chosen {
    /// The parameters that `words` name, separated by commas: single ones, groups of them, `all` or `F`.
    ///
    /// # Errors
    /// A word that names nothing, or something that the experiment does not have.
    pub fn new(words: &str, experiment: &Experiment) -> Result<Self, Failure> {
        let mut chosen = Self::default();
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if word == EACH_F {
                chosen.each_f = true;
            } else {
                chosen.add(word, experiment)?;
            }
        }
        if chosen.parameters.is_empty() && !chosen.each_f {
            return Err(Failure::input("--wrt: names no parameter"));
        }
        if chosen.each_f && experiment.structure_factors.is_none() {
            return Err(Failure::input("--wrt F: there are no structure factors (-hkl), only default_F"));
        }
        Ok(chosen)
    }

    /// Adds the parameters that a word names, but none twice.
    fn add(&mut self, word: &str, experiment: &Experiment) -> Result<(), Failure> {
        let named = ALL.iter().filter(|named| word == "all" || named.group == word || named.name == word);
        let found: Vec<_> = named.map(|named| named.of(experiment)).collect();
        if found.is_empty() {
            let mut known: Vec<&str> = ALL.iter().map(|named| named.group).collect();
            known.dedup();
            return Err(Failure::input(format!(
                "--wrt {word}: no such parameter; there are {}, F, all, and the single ones",
                known.join(", ")
            )));
        }
        // Of a group, those that there are.
        if let (Some(Err(why)), false) = (found.first(), found.iter().any(Result::is_ok)) {
            return Err(Failure::input(format!("--wrt {word}: {why}")));
        }
        for named in found.into_iter().flatten() {
            if !self.parameters.contains(&named) {
                self.parameters.push(named);
            }
        }
        Ok(())
    }
}

/// The files that `gradient` and `refine` read, with the options that name them.
pub(crate) fn read_files(options: &GradientOptions) -> impl Iterator<Item = (&'static str, &Path)> {
    let images = [("--against", &options.against), ("--weights", &options.weights)];
    let images = images.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)));
    named_inputs(&options.render).chain(images)
}

/// How the pixels of `--against` became photons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exposure {
    /// What was subtracted from every pixel.
    pub offset: f64,
    /// The value from which pixels are left out.
    pub saturation: Option<f64>,
    /// Number of pixels that were left out as saturated.
    pub saturated: usize,
}

impl Exposure {
    /// In words, for a table.
    pub fn line(&self) -> String {
        let saturated = match self.saturation {
            Some(saturation) => format!("{} pixels saturated (from {saturation}), left out", self.saturated),
            None => "no saturation".to_owned(),
        };
        format!("offset {} subtracted, {saturated}", self.offset)
    }

    /// As members of a JSON object.
    pub fn members(&self) -> [(&'static str, Value); 3] {
        [
            ("offset", json!(self.offset)),
            ("saturation", json!(self.saturation)),
            ("saturated_pixels", json!(self.saturated)),
        ]
    }
}

/// The loss against the image in a file, as `--loss` and `--against` name them. Its offset is subtracted, and
/// saturated pixels do not count.
pub(crate) fn loss_against(
    options: &GradientOptions,
    path: &Path,
    experiment: &Experiment,
) -> Result<(Loss, Exposure), Failure> {
    let image = read(path, experiment, "--against")?;
    let offset = options.offset.or(image.counting.offset).unwrap_or_else(|| {
        complain(&format!(
            "--against {}: its header has no ADC_OFFSET: 0 is assumed; nanoBragg adds 40 and does not say so (give --offset)",
            path.display()
        ));
        0.0
    });
    let saturation = options.saturation.or(image.counting.saturation);
    let mut exposure = Exposure { offset, saturation, saturated: 0 };
    let mut pixels = image.pixels;
    for (i, pixel) in pixels.iter_mut().enumerate() {
        if saturation.is_some_and(|saturation| f64::from(*pixel) >= saturation) {
            exposure.saturated += usize::from(experiment.is_selected(i));
            *pixel = f32::NAN;
        } else {
            *pixel = (f64::from(*pixel) - offset) as f32;
        }
    }
    Ok((Loss::against(pixels, options.loss), exposure))
}

/// The pixels of an image file that `option` names, as many as the detector has.
pub(crate) fn pixels(path: &Path, experiment: &Experiment, option: &str) -> Result<Vec<f32>, Failure> {
    Ok(read(path, experiment, option)?.pixels)
}

fn read(path: &Path, experiment: &Experiment, option: &str) -> Result<Image, Failure> {
    let size = [experiment.columns(), experiment.rows()];
    let bytes = experiment.pixels().saturating_mul(BYTES_PER_PIXEL).saturating_add(FIT_BYTES);
    if !is_there(bytes) {
        let [fast, slow] = size;
        return Err(Failure::input(format!("{option}: no memory to compare {fast} x {slow} pixels")));
    }
    read_one(path, size).map_err(|failure| failure.context(option))
}

/// The threads that `--threads` asks for.
pub(crate) fn pool(options: &GradientOptions) -> Result<ThreadPool, Failure> {
    Ok(threads::pool(options.render.threads.unwrap_or(0))?)
}
