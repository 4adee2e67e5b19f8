//! Renders and writes the images of a run: the frames of a series one after another, shots several at a time.

use indicatif::ProgressBar;
use rayon::ThreadPool;
use rayon::prelude::*;
use widebragg::light::LightRule;
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;
use widebragg_experiment::carryover::latched;
use widebragg_experiment::detector_noise::DetectorNoise;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::frame::{Frame, render_frame, render_noisy_frame};
use widebragg_experiment::lattices::FrameScenes;
use widebragg_experiment::light::LightTaken;
use widebragg_experiment::means::Means;
use widebragg_experiment::statistics::Statistics;
use widebragg_formats::image::Layout;
use widebragg_formats::memory::append;
use widebragg_formats::nxmx::StageImage;

use super::nxmx::{NxmxFile, Subject};
use super::output::{self, Contents, Names, Scales, Shared, adc_offset, noise_seed, noise_streams};
use super::series::{Record, Series};
use super::summary::ImageSummary;
use super::{exposure, printout};
use crate::commands::setup::shots::Plan;
use crate::console;
use crate::error::Failure;
use crate::options::{NxmxData, Options};

/// The frames of a run, to be rendered.
pub struct Job<'a> {
    pub options: &'a Options,
    pub subject: Subject<'a>,
    pub series: Series,
    pub record: Option<Record>,
    pub nxmx: Option<NxmxFile>,
    /// The noise of the detector, where each pixel's is drawn by itself.
    pub noise: Option<DetectorNoise>,
    /// Where previews show the pixels.
    pub layout: Option<Layout>,
    pub pool: ThreadPool,
    pub bar: ProgressBar,
}

/// A rendered image, to be written.
struct Image<'a> {
    /// Number in the series, counted from 0.
    index: usize,
    experiment: &'a Experiment,
    /// A scene for each panel.
    scenes: &'a [Scene<'a>],
    frame: Frame,
    stored: Stored,
    /// Means of the pixels, where they are wanted.
    means: Option<Means>,
    names: Names,
    /// Whether it is the first of the run: warnings that hold for all images are printed for it alone.
    is_first: bool,
}

/// What a detector stores of an image.
#[derive(Default)]
struct Stored {
    /// A deviate of each pixel, where noise is wanted.
    deviates: Vec<f32>,
    /// Images of the stages of the noise, where these are kept.
    stages: Vec<StageImage>,
}

/// Rows that are rendered in some frames, once for each lattice.
pub fn rows(subject: Subject<'_>, frames: impl Iterator<Item = usize>) -> u64 {
    let lattices = |index: usize| match subject.plan {
        Some(plan) => plan.crystals(index).max(1),
        None => subject.experiment.lattices(),
    };
    let lattices = frames.fold(0_u64, |sum, index| sum.saturating_add(lattices(index) as u64));
    lattices.saturating_mul(subject.experiment.rows() as u64)
}

impl Job<'_> {
    /// Renders and writes all frames that are not finished.
    ///
    /// # Errors
    /// One of them cannot be rendered or written.
    pub fn render(&mut self) -> Result<Vec<ImageSummary>, Failure> {
        let options = self.options;
        let frames: Vec<usize> = (self.series.first..self.series.end).collect();
        let wanted: Vec<usize> = frames.iter().copied().filter(|&index| !self.has_finished(index)).collect();
        let left_out = frames.len() - wanted.len();
        let again = wanted.iter().filter(|&&index| self.nxmx.is_some() && self.has_images(index)).count();
        let kind = if self.subject.plan.is_some() { "shots" } else { "frames" };
        if again > 0 && !Names::numbered(options, None).all().is_empty() {
            console::complain(&format!(
                "--nxmx: {again} finished {kind} are rendered again, since the file does not have them"
            ));
        }
        let done = frames.iter().copied().filter(|index| wanted.binary_search(index).is_err());
        self.bar.inc(rows(self.subject, done));
        let images = match self.subject.plan {
            Some(plan) => self.shots(plan, &wanted)?,
            None => self.frames(&wanted)?,
        };
        if let Some(file) = &mut self.nxmx {
            file.finish()?;
        }
        let fallbacks: u64 = images.iter().map(|image| image.fallbacks).sum();
        if fallbacks > 0 && self.subject.experiment.mode == PhiMode::Spec {
            console::complain(&format!(
                "{fallbacks} interpolations reached beyond the structure factors: the nearest, or default_F, was used for each; nanoBragg \
                 would have stopped interpolating at the first"
            ));
        }
        if left_out > 0 && !options.quiet {
            let nothing = if wanted.is_empty() { "nothing to do, " } else { "" };
            console::complain(&format!("--resume: {nothing}{left_out} finished {kind} kept"));
        }
        Ok(images)
    }

    /// Whether frame `index` was finished by an earlier run, and is to be kept.
    fn has_finished(&self, index: usize) -> bool {
        self.nxmx.as_ref().is_none_or(|file| file.has(index)) && self.has_images(index)
    }

    /// Whether an earlier run has made the images of frame `index`, all but that of the NXmx file.
    fn has_images(&self, index: usize) -> bool {
        let Self { options, subject, series, record, .. } = self;
        let names = || Names::numbered(options, series.number(index));
        let record = record.as_ref().filter(|_| options.resume);
        record.is_some_and(|record| record.has_finished(&names(), subject.experiment.pixels()))
    }

    /// Whether the images have the scales of a series that are not known yet.
    fn lacks_scales(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.scales().is_none())
    }

    /// Takes the scales of the series from its first frame.
    fn keep_scales(&mut self, scenes: &[Scene<'_>], first: &Frame) -> Result<(), Failure> {
        let Some(record) = &mut self.record else { return Ok(()) };
        record.keep_scales(Scales::of(self.options, &Statistics::new(scenes, &first.pixels)))
    }

    /// The frames of a series, or a single image. The threads share the rows of each.
    fn frames(&mut self, wanted: &[usize]) -> Result<Vec<ImageSummary>, Failure> {
        let experiment = self.subject.experiment;
        let mut orientations = experiment.orientation_buffer()?;
        if wanted.first().is_some_and(|&first| first > 0) && self.lacks_scales() {
            // The scales of the series are those of its first frame, which another job writes.
            let scenes = experiment.scenes(0, &mut orientations)?;
            let frame = self.pool.install(|| render_frame(experiment, &scenes, &|| ()))?;
            self.keep_scales(scenes.panels(), &frame)?;
        }
        let mut images = Vec::new();
        for &index in wanted {
            let names = Names::new(self.options, self.series.number(index))?;
            let scenes = experiment.scenes(index, &mut orientations)?;
            self.announce(index);
            let has_stream = self.noise.is_none() && self.has_noise(&names);
            let (frame, stored) = self.pool.install(|| -> Result<_, Failure> {
                if has_stream {
                    let streams = noise_streams(self.options, experiment, index);
                    let (frame, deviates) =
                        render_noisy_frame(experiment, &scenes, &streams, &|| self.bar.inc(1))?;
                    let stages = self.without_noise(&frame, index)?;
                    return Ok((frame, Stored { deviates, stages }));
                }
                let frame = render_frame(experiment, &scenes, &|| self.bar.inc(1))?;
                let stored = self.stored(experiment, &frame, &names, noise_seed(self.options), index)?;
                Ok((frame, stored))
            })?;
            let means = self.pool.install(|| means(experiment, &scenes, &names))?;
            let scenes = scenes.panels();
            if self.lacks_scales() {
                self.keep_scales(scenes, &frame)?;
            }
            let is_first = images.is_empty();
            let image = Image { index, experiment, scenes, frame, stored, means, names, is_first };
            images.push(self.pool.install(|| self.written(image))?);
        }
        Ok(images)
    }

    /// Shots. As many as there are threads are under way at a time; a thread that finds no other helps with their rows.
    fn shots(&mut self, plan: &Plan, wanted: &[usize]) -> Result<Vec<ImageSummary>, Failure> {
        if !wanted.is_empty() && self.lacks_scales() && Names::numbered(self.options, None).are_scaled() {
            let experiment = plan.experiment(0)?;
            let mut orientations = experiment.orientation_buffer()?;
            let scenes = experiment.scenes(0, &mut orientations)?;
            let frame = self.pool.install(|| render_frame(&experiment, &scenes, &|| ()))?;
            self.keep_scales(scenes.panels(), &frame)?;
        }
        let this = &*self;
        this.pool.install(|| {
            let mut images = Vec::new();
            for shots in wanted.chunks(rayon::current_num_threads()) {
                let shots = shots.par_iter();
                let shots = shots.map(|&index| this.shot(plan, index, wanted.first() == Some(&index)));
                for image in shots.collect::<Vec<Result<ImageSummary, Failure>>>() {
                    images.push(image?);
                }
            }
            Ok(images)
        })
    }

    /// Shot `index`, counted from 0. Its noise is that of the seed of the shots.
    fn shot(&self, plan: &Plan, index: usize, is_first: bool) -> Result<ImageSummary, Failure> {
        let names = Names::new(self.options, self.series.number(index))?;
        let experiment = &plan.experiment(index)?;
        let mut orientations = experiment.orientation_buffer()?;
        let scenes = experiment.scenes(0, &mut orientations)?;
        self.announce(index);
        let frame = render_frame(experiment, &scenes, &|| self.bar.inc(1))?;
        let stored = self.stored(experiment, &frame, &names, plan.seed, index)?;
        let means = means(experiment, &scenes, &names)?;
        let scenes = scenes.panels();
        self.written(Image { index, experiment, scenes, frame, stored, means, names, is_first })
    }

    /// What the detector stores of image `index`, drawn from `seed`; nothing where no image with noise is made.
    fn stored(
        &self,
        experiment: &Experiment,
        frame: &Frame,
        names: &Names,
        seed: u64,
        index: usize,
    ) -> Result<Stored, Failure> {
        let wanted = self.noise.as_ref().filter(|_| self.has_noise(names));
        let Some(noise) = wanted else { return Ok(Stored::default()) };
        let (pixels, number) = (&frame.pixels, (index + 1) as u32);
        let mut stages = self.without_noise(frame, index)?;
        let keeps = self.nxmx.as_ref().filter(|file| file.lacks_stages(index));
        let deviates = match keeps {
            None => noise.stored(experiment, pixels, seed, number)?,
            Some(file) => noise.stored_by_stage(experiment, pixels, (seed, number), |_, pixels| {
                stages.push(file.stage_image(pixels)?);
                Ok::<(), Failure>(())
            })?,
        };
        Ok(Stored { deviates, stages })
    }

    /// The photons of image `index` as the first image of its stages, where these are kept.
    fn without_noise(&self, frame: &Frame, index: usize) -> Result<Vec<StageImage>, Failure> {
        let keeps = self.nxmx.iter().filter(|file| file.lacks_stages(index));
        keeps.map(|file| file.stage_image(&frame.pixels)).collect()
    }

    /// Tells the progress.
    fn announce(&self, index: usize) {
        if let Some(words) = self.series.progress(index, self.subject.plan.is_some()) {
            self.bar.set_message(words);
        }
    }

    /// Whether an image with photon noise is made.
    fn has_noise(&self, names: &Names) -> bool {
        names.have_noise() || self.options.data_of_nxmx() == Some(NxmxData::Noise)
    }

    /// Writes the files of an image, and adds it to the NXmx file.
    fn written(&self, image: Image<'_>) -> Result<ImageSummary, Failure> {
        let Self { options, series, record, nxmx, .. } = self;
        let Image { index, experiment, scenes, frame, stored, means, names, is_first } = image;
        let Stored { deviates, stages } = &stored;
        let record = record.as_ref();
        let shared = Shared { scales: record.and_then(Record::scales), layout: self.layout.as_ref() };
        let pixels = &frame.pixels[..];
        let contents = Contents { scenes, pixels, deviates, means: means.as_ref() };
        // Each has parts that one thread does alone.
        let write = || output::write(options, experiment, contents, index, &names, shared);
        let add = || nxmx.as_ref().map_or(Ok(()), |file| file.add(scenes, (pixels, deviates), stages, index));
        let (written, added) = rayon::join(write, add);
        let written = written?;
        if let Some(record) = record {
            record.mark(&names);
        }
        added?;
        let number = series.number(index);
        let latched = frame.panels.iter().zip(&experiment.panels);
        let latched = latched.filter_map(|(done, panel)| Some((done.latch.filter(|_| is_first)?, panel)));
        for (latch, panel) in latched {
            let of_panel = match experiment.panels_in_all {
                1 => String::new(),
                _ => format!(" of panel {}", panel.name),
            };
            console::complain(&format!(
                "interpolation out of range at pixel fast {} slow {}{of_panel}: nearest structure factors used from there on, as \
                 nanoBragg does",
                latch.fast, latch.slow
            ));
        }
        // The sum is f64 and cannot overflow, so that only an infinite pixel makes it infinite.
        if !written.statistics.sum.is_finite() {
            let what = if written.statistics.sum.is_nan() {
                "a pixel is not a number"
            } else {
                "a pixel is infinite: beyond the 3.4e38 that f32 holds"
            };
            console::complain(&format!("{}: {what}", self.called(index, &names)));
        }
        for without_effect in without_effect(options, &frame, self.has_noise(&names)).filter(|_| is_first) {
            console::complain(without_effect);
        }
        let adc = adc_offset(options);
        if let Some(doubt) =
            exposure::doubt(experiment, &written, frame.report.pixels, adc).filter(|_| is_first)
        {
            console::complain(&format!("{}: {doubt}", self.called(index, &names)));
        }
        let steps = scenes.first().map_or(0.0, Scene::steps);
        let stages =
            self.noise.as_ref().filter(|_| self.has_noise(&names)).map(|_| options.noise_stages.to_string());
        let mut image = ImageSummary::new(experiment, &frame, steps, number, names, written);
        image.noise_stages = stages;
        if options.printout || options.printout_pixel.is_some() {
            image.printout = self.printouts(scenes, &frame)?;
        }
        Ok(image)
    }

    /// What messages call image `index`: its first file, or else the number of the shot.
    fn called(&self, index: usize, names: &Names) -> String {
        match names.all().first() {
            Some(path) => path.display().to_string(),
            None => format!("shot {}", index + 1),
        }
    }

    /// The lines of `-printout` for one pixel or for the region of interest.
    fn printouts(&self, scenes: &[Scene<'_>], frame: &Frame) -> Result<String, Failure> {
        let (options, experiment) = (self.options, self.subject.experiment);
        let panel = experiment.only_panel()?;
        let (Some(scene), Some(done)) = (scenes.first(), frame.panels.first()) else {
            return Ok(String::new());
        };
        let scene = &latched(scene, done.latch);
        let columns = experiment.columns();
        let stored =
            |[fast, slow]: [usize; 2]| frame.pixels.get(slow * columns + fast).copied().unwrap_or(0.0);
        let one = |position: [usize; 2]| {
            printout::pixel(experiment.lambda0_m, scene, &done.slots, position, stored(position))
        };
        if let Some(pixel) = options.printout_pixel {
            let [fast, slow] = pixel.map(|index| usize::try_from(index).unwrap_or(usize::MAX));
            let inside = fast < columns && slow < experiment.rows();
            return if inside { one([fast, slow]) } else { Ok(String::new()) };
        }
        let roi = panel.roi;
        let mut text = String::new();
        for slow in roi.slow_min..=roi.slow_max {
            for fast in roi.fast_min..=roi.fast_max {
                let lines = one([fast, slow])?;
                append(&mut text, &lines).ok_or_else(|| {
                    let place = format!("pixel fast {fast} slow {slow}");
                    Failure::input(format!("-printout: no memory for the lines after {place}: choose pixels with -roi or -printout_pixel"))
                })?;
            }
        }
        Ok(text)
    }
}

/// The means of the pixels of a frame, where `names` has images of them.
fn means(experiment: &Experiment, scenes: &FrameScenes<'_>, names: &Names) -> Result<Option<Means>, Failure> {
    if !names.have_means() {
        return Ok(None);
    }
    Ok(Some(Means::new(experiment, scenes)?))
}

/// A line for each option on how to render that the image could not heed.
fn without_effect(
    options: &Options,
    frame: &Frame,
    has_noise: bool,
) -> impl Iterator<Item = &'static str> + use<> {
    let list = options.light == LightRule::List && frame.light() == LightTaken::Loop;
    let neglect = options.neglected_photons.is_some_and(|photons| photons > 0.0) && !frame.neglects();
    let list = list.then_some(
        "--light list has no effect: lists are for gauss and tophat crystals with small spots (widebragg help performance)",
    );
    let neglect = neglect.then_some(
        "--neglect has no effect: no step of a square or round crystal can be left out for so few photons",
    );
    let noise = (!has_noise && options.has_noise_stages())
        .then_some("the options of the detector's noise have no effect: no image with noise is made");
    [list, neglect, noise].into_iter().flatten()
}
