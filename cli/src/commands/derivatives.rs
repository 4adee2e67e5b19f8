//! What `gradient`, `gradcheck` and `refine` share: the parameters that `--wrt` names, and the image to
//! compare with.

use std::path::Path;

use rayon::ThreadPool;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::gradient::loss::Loss;
use widebragg_experiment::gradient::named::{ALL, Named};
use widebragg_experiment::threads;

use super::setup::structure_factors::named_inputs;
use crate::error::Failure;
use crate::images::read_one;
use crate::options::GradientOptions;

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
        let mut named = ALL.iter().filter(|named| word == "all" || named.group == word || named.name == word);
        let mut found = named.by_ref().peekable();
        if found.peek().is_none() {
            let mut known: Vec<&str> = ALL.iter().map(|named| named.group).collect();
            known.dedup();
            return Err(Failure::input(format!(
                "--wrt {word}: no such parameter; there are {}, F, all, and the single ones",
                known.join(", ")
            )));
        }
        for named in found {
            match named.of(experiment) {
                Some(named) if !self.parameters.contains(&named) => self.parameters.push(named),
                Some(_) => {}
                None if word == "all" => {}
                None => return Err(Failure::input("--wrt mosaic: there is no mosaic spread (-mosaic)")),
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

/// The loss against the image in a file, as `--loss` and `--against` name them.
pub(crate) fn loss_against(
    options: &GradientOptions,
    path: &Path,
    experiment: &Experiment,
) -> Result<Loss, Failure> {
    Ok(Loss::against(pixels(path, experiment, "--against")?, options.loss))
}

/// The pixels of an image file that `option` names, as many as the detector has.
pub(crate) fn pixels(path: &Path, experiment: &Experiment, option: &str) -> Result<Vec<f32>, Failure> {
    let size = [experiment.detector.fast_pixels, experiment.detector.slow_pixels];
    Ok(read_one(path, size).map_err(|failure| failure.context(option))?.pixels)
}

/// The threads that `--threads` asks for.
pub(crate) fn pool(options: &GradientOptions) -> Result<ThreadPool, Failure> {
    Ok(threads::pool(options.render.threads.unwrap_or(0))?)
}
