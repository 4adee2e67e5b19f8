//! What `gradient`, `gradcheck` and `refine` share: the parameters that `--wrt` names, and the image to
//! compare with.

use std::path::Path;

use rayon::ThreadPool;
use serde_json::{Value, json};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::gradient::loss::Loss;
use widebragg_experiment::gradient::moves::PanelGroup;
use widebragg_experiment::gradient::named::{ALL, Named, motions};
use widebragg_experiment::threads;
use widebragg_formats::memory::is_there;

use super::bodies::{Bodies, BodyWord, words};
use super::crystal_words::CrystalWord;
use super::setup::SetUp;
use super::setup::structure_factors::named_inputs;
use crate::console::complain;
use crate::error::Failure;
use crate::images::{Image, read_one};
use crate::options::GradientOptions;

/// Memory for a pixel while an image is compared with another and fitted.
const BYTES_PER_PIXEL: usize = 64;

/// Memory for the rest of a fit.
const FIT_BYTES: usize = 12 << 20;

/// Smallest width of the column of names in a table.
const LEAST_NAME_WIDTH: usize = 14;

/// The name in `--wrt` that selects the derivatives with respect to each structure factor.
const EACH_F: &str = "F";

/// What `--wrt` asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chosen {
    /// Parameters, each once.
    pub parameters: Vec<Named>,
    /// The groups of panels that their motions are of.
    pub groups: Vec<PanelGroup>,
    /// Whether derivatives with respect to each structure factor are wanted.
    pub each_f: bool,
}

impl Chosen {
    /// The parameters that `--wrt` names: single ones, groups of them, those of single crystals, motions of panels and groups,
    /// `all` or `F`.
    ///
    /// # Errors
    /// A word that names nothing, or something that the experiment does not have.
    pub fn new(options: &GradientOptions, set_up: &SetUp) -> Result<Self, Failure> {
        let experiment = &set_up.experiment;
        let of_bodies = words(&options.wrt).filter_map(BodyWord::new);
        let bodies = Bodies::new(set_up, &options.panel_groups, of_bodies)?;
        let mut chosen = Self::default();
        for word in words(&options.wrt) {
            if let Some(of_crystals) = CrystalWord::new(word) {
                chosen.add_anew(of_crystals.parameters(word, experiment)?);
                continue;
            }
            match BodyWord::new(word) {
                Some(of_bodies) => {
                    for body in bodies.of(of_bodies)? {
                        let motions = motions(body, experiment, &bodies.groups).collect();
                        chosen.add_motions(word, of_bodies.component(), motions)?;
                    }
                }
                None if word == EACH_F => chosen.each_f = true,
                None => chosen.add(word, experiment)?,
            }
        }
        if chosen.parameters.is_empty() && !chosen.each_f {
            return Err(Failure::input("--wrt: names no parameter"));
        }
        if chosen.each_f && experiment.structure_factors.is_none() {
            return Err(Failure::input("--wrt F: there are no structure factors (-hkl), only default_F"));
        }
        chosen.groups = bodies.groups;
        Ok(chosen)
    }

    /// Adds those of the motions of a body that a word names, all of them or one component, but none twice.
    fn add_motions(
        &mut self,
        word: &str,
        component: Option<&str>,
        motions: Vec<Named>,
    ) -> Result<(), Failure> {
        let component_of = |named: &Named| named.name.rsplit('.').next().unwrap_or_default().to_owned();
        let known: Vec<String> = motions.iter().map(component_of).collect();
        if component.is_some_and(|component| !known.iter().any(|known| known == component)) {
            let known = known.join(", ");
            return Err(Failure::input(format!("--wrt {word}: no such motion; there are {known}")));
        }
        let is_wanted = |named: &Named| component.is_none_or(|component| component_of(named) == component);
        self.add_anew(motions.into_iter().filter(is_wanted));
        Ok(())
    }

    /// Adds those parameters that are not chosen yet.
    fn add_anew(&mut self, parameters: impl IntoIterator<Item = Named>) {
        for named in parameters {
            if !self.parameters.contains(&named) {
                self.parameters.push(named);
            }
        }
    }

    /// Adds the parameters that a word names, but none twice.
    fn add(&mut self, word: &str, experiment: &Experiment) -> Result<(), Failure> {
        let named = ALL.iter().filter(|named| word == "all" || named.group == word || named.name == word);
        let found: Vec<_> = named.map(|named| named.clone().of(experiment)).collect();
        if found.is_empty() {
            let mut known: Vec<&str> = ALL.iter().map(|named| &*named.group).collect();
            known.dedup();
            return Err(Failure::input(format!(
                "--wrt {word}: no such parameter; there are {}, F, all, crystals, panels, groups, and the single ones",
                known.join(", ")
            )));
        }
        // Of a group, those that there are.
        if let (Some(Err(why)), false) = (found.first(), found.iter().any(Result::is_ok)) {
            return Err(Failure::input(format!("--wrt {word}: {why}")));
        }
        self.add_anew(found.into_iter().flatten());
        Ok(())
    }
}

/// The width of the column of names in a table.
pub(crate) fn name_width<'n>(named: impl Iterator<Item = &'n Named>) -> usize {
    named.map(|named| named.name.chars().count()).fold(LEAST_NAME_WIDTH, usize::max)
}

/// The names of the panels, where there are several, and the groups of panels that move, as members of a JSON object.
pub(crate) fn panel_members(
    experiment: &Experiment,
    groups: &[PanelGroup],
) -> impl Iterator<Item = (&'static str, Value)> {
    let names: Vec<&str> = experiment.panels.iter().map(|panel| &*panel.name).collect();
    let panels = (names.len() > 1).then(|| json!(names));
    let group = |group: &PanelGroup| {
        let panels = group.panels.iter().filter_map(|&at| names.get(at));
        json!({ "name": group.name, "panels": panels.collect::<Vec<_>>() })
    };
    let groups = (!groups.is_empty()).then(|| groups.iter().map(group).collect());
    [panels.map(|panels| ("panels", panels)), groups.map(|groups| ("groups", groups))].into_iter().flatten()
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
