//! `widebragg` without a command: renders images, writes their files, and prints a summary.

mod estimate;
mod exposure;
mod expt;
mod nanobragg_log;
mod nxmx;
mod output;
mod predictions;
mod printout;
mod series;
mod summary;

use indicatif::ProgressBar;
use rayon::ThreadPool;
use widebragg::light::LightRule;
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;
use widebragg_experiment::carryover::latched;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::frame::{Frame, check_room, render_frame, render_noisy_frame};
use widebragg_experiment::light::LightTaken;
use widebragg_experiment::statistics::Statistics;
use widebragg_experiment::threads;
use widebragg_formats::atomic::check_writable;
use widebragg_formats::memory::{append, is_there};

use crate::commands::setup::inputs::Inputs;
use crate::commands::setup::sensor::GivenSensor;
use crate::commands::setup::structure_factors::{inputs, write_dump};
use crate::commands::setup::{self, SetUp};
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::{Log, Options};
use estimate::Estimate;
use nxmx::NxmxFile;
use output::{Names, Scales, adc_offset, noise_stream};
use predictions::Predictions;
use series::{Record, Series};
use summary::{FactorsOrigin, Hardware, ImageSummary, Results};

/// Renders what `options` asks for; `args` is the command line they were read from.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &Options, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.evidence.as_deref(), args, |evidence| render(options, args, evidence))
}

fn render(options: &Options, args: &[String], mut evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let series = Series::new(options)?;
    let mut options = options.clone();
    // Checked before hours are spent on the images.
    Names::new(&options, series.number(series.first))?.check_writable()?;
    if let Some(list) = expt::path(&options) {
        check_writable(&list).map_err(|failure| Failure::from(failure.context("--expt")))?;
    }
    if let Some(path) = &options.predictions {
        check_writable(path).map_err(|failure| Failure::from(failure.context("--predictions")))?;
    }
    if let Some(file) = &options.nxmx {
        check_writable(file).map_err(|failure| Failure::from(failure.context("--nxmx")))?;
    }
    let mut record = None;
    if series.frames.is_some() {
        Names::check_series(&options, series.first + 1..=series.end)?;
        record = Some(Record::find(&mut options, args)?);
    }
    let options = &options;
    if let Some(evidence) = &mut evidence {
        inputs(options).for_each(|path| evidence.add_input(path));
    }
    let files = if record.is_some() { Inputs::fingerprinted() } else { Inputs::default() };
    let SetUp { experiment, reflections, model } = setup::of_images(options, &files)?;
    let unique = reflections.as_deref();
    let origin = FactorsOrigin { reflections: unique.map(|unique| &unique.summary), model: model.as_ref() };
    let material = GivenSensor::new(options).material;
    let hardware = Hardware { detector: options.detector, material };
    let list = expt::checked_path(options, &experiment)?;
    let predictions = Predictions::new(options, &experiment)?;
    if let Some(record) = &mut record {
        record.keep(&files)?;
    }
    let identity = record.as_ref().map(Record::identity);
    let nxmx = NxmxFile::new(options, &experiment, args, identity.as_deref())?;
    if series.end - series.first > 1 && experiment.phi.range == 0.0 {
        console::complain("--frames without an oscillation: all frames have the same phi");
    }
    let threads = threads::worth_starting(&experiment, threads::or_all_cores(options.threads));
    let pool = threads::pool(threads)?;
    check_room(&experiment)?;
    let estimate = Estimate::new(options, &experiment, series.end - series.first, threads);
    estimate.warning().iter().for_each(|warning| console::complain(warning));
    let prints = |log: Log| !options.quiet && !options.json && [Log::All, log].contains(&options.log);
    // A standard output that cannot be written is no reason not to render.
    let announced = match prints(Log::Summary) {
        true => {
            let frames = series.frames.unwrap_or(1);
            console::print(&summary::interpretation(&experiment, origin, hardware, frames, threads, estimate))
        }
        false => Ok(()),
    };
    let rows = (experiment.detector.slow_pixels as u64).saturating_mul((series.end - series.first) as u64);
    let wanted = !options.quiet && options.progress != Some(false);
    let bar = console::progress(rows, wanted);
    let mut job = Job { options, experiment: &experiment, series, record, nxmx, pool, bar };
    let images = job.render();
    job.bar.finish_and_clear();
    let Job { nxmx, .. } = job;
    let images = images?;
    write_dump(options, &experiment, unique);
    if let Some(list) = &list {
        expt::write(list, options, &experiment)?;
    }
    if let Some(predictions) = &predictions {
        predictions.write(&experiment)?;
    }
    let results = Results {
        experiment: &experiment,
        origin,
        hardware,
        threads,
        estimate,
        images: &images,
        list: list.as_deref(),
        predictions: predictions.as_ref(),
        nxmx: nxmx.as_ref(),
    };
    check_printout(options, &images, evidence.is_some())?;
    if let Some(evidence) = evidence {
        keep(evidence, &results)?;
    }
    announced?;
    if options.json && !options.quiet {
        return console::print(&summary::json(&results));
    }
    for image in &images {
        // Printed among nanoBragg's own lines where these are wanted; --quiet does not suppress it.
        if !prints(Log::NanoBragg) {
            console::print(&image.printout)?;
        }
        if prints(Log::Summary) {
            console::print(&image.text())?;
        }
    }
    if let (Some(list), true) = (&list, prints(Log::Summary)) {
        console::print(&summary::list_line(list))?;
    }
    if let (Some(predictions), true) = (&predictions, prints(Log::Summary)) {
        console::print(&summary::predictions_line(predictions))?;
    }
    if let (Some(file), true) = (&nxmx, prints(Log::Summary)) {
        console::print(&summary::nxmx_line(file))?;
    }
    if prints(Log::NanoBragg) {
        if options.log == Log::All {
            console::print(NANOBRAGG_LOG)?;
        }
        console::print(&nanobragg_log::run(options, &experiment, unique))?;
        for image in &images {
            console::print(&image.printout)?;
            console::print(&nanobragg_log::image(options, &experiment, image))?;
        }
    }
    Ok(())
}

/// Checks that there is memory for the copies of `-printout` in the summary.
fn check_printout(options: &Options, images: &[ImageSummary], has_evidence: bool) -> Result<(), Failure> {
    let bytes: usize = images.iter().map(|image| image.printout.len()).sum();
    let copies = match (options.json || has_evidence, options.quiet) {
        (true, _) => 12,
        (false, false) => 5,
        (false, true) => 0,
    };
    if bytes > 0 && copies > 0 && !is_there(bytes.saturating_mul(copies)) {
        let advice = "choose pixels with -roi or -printout_pixel, or leave the summary out with --quiet";
        return Err(Failure::input(format!(
            "-printout: no memory for a summary with {bytes} bytes of it: {advice}"
        )));
    }
    Ok(())
}

/// The heading of [`nanobragg_log`].
const NANOBRAGG_LOG: &str = "\nFor scripts, as nanoBragg prints it (--log summary leaves it out):\n";

/// Adds images and summary to the evidence folder.
fn keep(evidence: &mut Evidence, results: &Results<'_>) -> Result<(), Failure> {
    evidence.add_fact("simd", results.experiment.simd.level().name().into());
    evidence.add_fact("threads", results.threads.into());
    // An image may have the name of the summary: its copy then gets another one.
    evidence.add_text("summary.json", &summary::json(results))?;
    let images = results.images.iter().flat_map(|image| image.names.all());
    let predictions = results.predictions.map(|predictions| predictions.path.as_path());
    let nxmx = results.nxmx.and_then(NxmxFile::complete);
    let mut files = images.chain(results.list).chain(predictions).chain(nxmx);
    files.try_for_each(|path| evidence.add_copy(path))
}

/// The frames of a run, to be rendered.
struct Job<'a> {
    options: &'a Options,
    experiment: &'a Experiment,
    series: Series,
    record: Option<Record>,
    nxmx: Option<NxmxFile>,
    pool: ThreadPool,
    bar: ProgressBar,
}

impl Job<'_> {
    fn render(&mut self) -> Result<Vec<ImageSummary>, Failure> {
        let (options, experiment) = (self.options, self.experiment);
        let frames: Vec<usize> = (self.series.first..self.series.end).collect();
        let wanted: Vec<usize> = frames.iter().copied().filter(|&index| !self.has_finished(index)).collect();
        let left_out = frames.len() - wanted.len();
        self.bar.inc(left_out as u64 * experiment.detector.slow_pixels as u64);
        let mut orientations = experiment.orientation_buffer()?;
        if wanted.first().is_some_and(|&first| first > 0) && self.lacks_scales() {
            // The scales of the series are those of its first frame, which another job writes.
            let scene = experiment.scene(0, &mut orientations)?;
            let frame = self.pool.install(|| render_frame(experiment, &scene, &|| ()))?;
            self.keep_scales(&scene, &frame)?;
        }
        let mut images: Vec<ImageSummary> = Vec::new();
        for &index in &wanted {
            let names = Names::new(options, self.series.number(index))?;
            let scene = experiment.scene(index, &mut orientations)?;
            let image = self.frame(index, &scene, names, images.is_empty())?;
            images.push(image);
        }
        if let Some(file) = &mut self.nxmx {
            file.finish()?;
        }
        let fallbacks: u64 = images.iter().map(|image| image.fallbacks).sum();
        if fallbacks > 0 && experiment.mode == PhiMode::Spec {
            console::complain(&format!(
                "{fallbacks} interpolations reached beyond the structure factors: the nearest, or default_F, was used for each; nanoBragg \
                 would have stopped interpolating at the first"
            ));
        }
        if left_out > 0 && !options.quiet {
            let nothing = if wanted.is_empty() { "nothing to do, " } else { "" };
            console::complain(&format!("--resume: {nothing}{left_out} finished frames kept"));
        }
        Ok(images)
    }

    /// Whether frame `index` was finished by an earlier run, and is to be kept.
    fn has_finished(&self, index: usize) -> bool {
        let Self { options, experiment, series, record, nxmx, .. } = self;
        let names = || Names::numbered(options, series.number(index));
        let record = record.as_ref().filter(|_| options.resume);
        let record = record.filter(|_| nxmx.as_ref().is_none_or(|file| file.has(index)));
        record.is_some_and(|record| record.has_finished(&names(), experiment.detector.pixels()))
    }

    /// Whether the images have the scales of a series that are not known yet.
    fn lacks_scales(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.scales().is_none())
    }

    /// Takes the scales of the series from its first frame.
    fn keep_scales(&mut self, scene: &Scene<'_>, first: &Frame) -> Result<(), Failure> {
        let Some(record) = &mut self.record else { return Ok(()) };
        record.keep_scales(Scales::of(self.options, &Statistics::new(scene, &first.pixels)))
    }

    /// Renders and writes frame `index` of the series, counted from 0.
    fn frame(
        &mut self,
        index: usize,
        scene: &Scene<'_>,
        names: Names,
        is_first: bool,
    ) -> Result<ImageSummary, Failure> {
        if let Some(words) = self.series.progress(index) {
            self.bar.set_message(words);
        }
        let has_noise = names.have_noise() || (self.nxmx.is_some() && !self.options.nonoise);
        let random = has_noise.then(|| noise_stream(self.options, self.experiment, index));
        let (frame, deviates) = self.pool.install(|| match random {
            None => Ok((render_frame(self.experiment, scene, &|| self.bar.inc(1))?, Vec::new())),
            Some(random) => render_noisy_frame(self.experiment, scene, random, &|| self.bar.inc(1)),
        })?;
        if self.lacks_scales() {
            self.keep_scales(scene, &frame)?;
        }
        let Self { options, experiment, series, record, nxmx, pool, .. } = self;
        let scales = record.as_ref().and_then(Record::scales);
        let image = (&frame.pixels[..], &deviates[..]);
        let written =
            pool.install(|| output::write(options, experiment, scene, image, index, &names, scales))?;
        if let Some(record) = record {
            record.mark(&names);
        }
        if let Some(file) = nxmx {
            pool.install(|| file.add(options, scene, image, index))?;
        }
        let number = series.number(index);
        if let Some(latch) = frame.latch.filter(|_| is_first) {
            console::complain(&format!(
                "interpolation out of range at pixel fast {} slow {}: nearest structure factors used from there on, as nanoBragg does",
                latch.fast, latch.slow
            ));
        }
        // The sum is f64 and cannot overflow, so that only an infinite pixel makes it infinite.
        if !written.statistics.sum.is_finite() {
            let name = names.float().display();
            let what = if written.statistics.sum.is_nan() {
                "a pixel is not a number"
            } else {
                "a pixel is infinite: beyond the 3.4e38 that f32 holds"
            };
            console::complain(&format!("{name}: {what}"));
        }
        for without_effect in without_effect(options, &frame).filter(|_| is_first) {
            console::complain(without_effect);
        }
        let adc = adc_offset(options);
        if let Some(doubt) =
            exposure::doubt(experiment, &written, frame.report.pixels, adc).filter(|_| is_first)
        {
            console::complain(&format!("{}: {doubt}", names.float().display()));
        }
        let mut image = ImageSummary::new(experiment, &frame, scene.steps(), number, names, written);
        if options.printout || options.printout_pixel.is_some() {
            image.printout = self.printouts(&latched(scene, frame.latch), &frame)?;
        }
        Ok(image)
    }

    /// The lines of `-printout` for one pixel or for the region of interest.
    fn printouts(&self, scene: &Scene<'_>, frame: &Frame) -> Result<String, Failure> {
        let Self { options, experiment, .. } = self;
        let columns = experiment.detector.fast_pixels;
        let stored =
            |[fast, slow]: [usize; 2]| frame.pixels.get(slow * columns + fast).copied().unwrap_or(0.0);
        let one = |position: [usize; 2]| {
            printout::pixel(experiment.lambda0_m, scene, &frame.slots, position, stored(position))
        };
        if let Some(pixel) = options.printout_pixel {
            let [fast, slow] = pixel.map(|index| usize::try_from(index).unwrap_or(usize::MAX));
            let inside = fast < columns && slow < experiment.detector.slow_pixels;
            return if inside { one([fast, slow]) } else { Ok(String::new()) };
        }
        let roi = experiment.roi;
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

/// A line for each option on how to render that the image could not heed.
fn without_effect(options: &Options, frame: &Frame) -> impl Iterator<Item = &'static str> + use<> {
    let list = options.light == LightRule::List && frame.light == LightTaken::Loop;
    let neglect = options.neglected_photons.is_some_and(|photons| photons > 0.0) && !frame.neglects;
    let list = list.then_some(
        "--light list has no effect: lists are for gauss and tophat crystals with small spots (widebragg help performance)",
    );
    let neglect = neglect.then_some(
        "--neglect has no effect: no step of a square or round crystal can be left out for so few photons",
    );
    [list, neglect].into_iter().flatten()
}
