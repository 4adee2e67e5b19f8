//! `widebragg` without a command: renders images, writes their files, and prints a summary.

mod estimate;
mod exposure;
pub(crate) mod expt;
mod nanobragg_log;
mod nxmx;
mod output;
mod predictions;
mod printout;
mod series;
mod summary;
mod xds_inp;

use std::path::PathBuf;

use indicatif::ProgressBar;
use rayon::ThreadPool;
use widebragg::light::LightRule;
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;
use widebragg_experiment::carryover::latched;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::frame::{Frame, check_room, render_frame, render_noisy_frame};
use widebragg_experiment::lattices::FrameScenes;
use widebragg_experiment::layout::layout;
use widebragg_experiment::light::LightTaken;
use widebragg_experiment::statistics::Statistics;
use widebragg_experiment::threads;
use widebragg_formats::atomic::check_writable;
use widebragg_formats::image::Layout;
use widebragg_formats::memory::{append, is_there};

use crate::commands::setup::geometry::FileGeometry;
use crate::commands::setup::inputs::Inputs;
use crate::commands::setup::sensor::GivenSensor;
use crate::commands::setup::structure_factors::{inputs, write_dump};
use crate::commands::setup::{self, SetUp};
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::{Log, NxmxData, Options};
use estimate::Estimate;
use nxmx::NxmxFile;
use output::{Names, Scales, Shared, adc_offset, noise_streams};
use predictions::{Predicted, Predictions};
use series::{Record, Series};
use summary::{FactorsOrigin, Hardware, ImageSummary, Known, Results};

/// Renders what `options` asks for; `args` is the command line they were read from.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &Options, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.evidence.as_deref(), args, |evidence| render(options, args, evidence))
}

fn render(options: &Options, args: &[String], mut evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let files = if options.frames.is_some() || options.frames_of_scan {
        Inputs::fingerprinted()
    } else {
        Inputs::default()
    };
    let geometry = FileGeometry::read(options, &files)?;
    let mut options = options.clone();
    if options.frames_of_scan {
        options.frames = geometry.as_ref().and_then(FileGeometry::frames);
    }
    if geometry.as_ref().is_some_and(FileGeometry::renders_several) {
        leave_flat_images_out(&mut options);
    }
    let series = Series::new(&options)?;
    // Checked before hours are spent on the images.
    Names::new(&options, series.number(series.first))?.check_writable()?;
    if let Some(list) = expt::path(&options) {
        check_writable(&list).map_err(|failure| Failure::from(failure.context("--expt")))?;
    }
    if let Some(path) = &options.predictions {
        check_writable(path).map_err(|failure| Failure::from(failure.context("--predictions")))?;
    }
    if let Some(path) = &options.xds_inp {
        check_writable(path).map_err(|failure| Failure::from(failure.context("--xds-inp")))?;
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
    let SetUp { experiment, reflections, model, geometry, wavelengths } =
        setup::of_images(options, &files, geometry)?;
    if options.printout || options.printout_pixel.is_some() {
        setup::check_single_crystal(options, &experiment)?;
    }
    let frame = geometry.as_ref().map(FileGeometry::frame);
    let unique = reflections.as_deref();
    let origin = FactorsOrigin { reflections: unique.map(|unique| &unique.summary), model: model.as_ref() };
    let material = GivenSensor::new(options).material;
    let hardware = Hardware { detector: options.detector, material };
    let list = expt::checked_path(options, &experiment)?;
    xds_inp::check(options, &experiment)?;
    let mut predictions = Predictions::new(options, &experiment)?;
    if let Some(record) = &mut record {
        record.keep(&files)?;
    }
    let identity = record.as_ref().map(Record::identity);
    let wanted = series.first..series.end;
    let nxmx = NxmxFile::new(options, &experiment, frame, args, identity.as_deref(), wanted)?;
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
            let known = Known { geometry: geometry.as_ref(), origin, hardware, wavelengths: &wavelengths };
            console::print(&summary::interpretation(&experiment, known, frames, threads, estimate))
        }
        false => Ok(()),
    };
    let rows = experiment.rows().saturating_mul(experiment.lattices()) as u64;
    let rows = rows.saturating_mul((series.end - series.first) as u64);
    let wanted = !options.quiet && options.progress != Some(false);
    let bar = console::progress(rows, wanted);
    let layout = if options.png.is_some() { layout(&experiment)? } else { None };
    let mut job = Job { options, experiment: &experiment, series, record, nxmx, layout, pool, bar };
    let images = job.render();
    job.bar.finish_and_clear();
    let Job { nxmx, .. } = job;
    let images = images?;
    write_dump(options, &experiment, unique);
    if let Some(list) = &list {
        expt::write(list, options, &experiment, frame)?;
    }
    xds_inp::write(options, &experiment, frame, origin.group())?;
    if let Some(predictions) = &mut predictions {
        let images = Predicted { shot: None, experiment: &experiment };
        predictions.write(core::iter::once(Ok(images)))?;
    }
    let results = Results {
        experiment: &experiment,
        known: Known { geometry: geometry.as_ref(), origin, hardware, wavelengths: &wavelengths },
        threads,
        estimate,
        images: &images,
        list: list.as_deref(),
        xds_inp: options.xds_inp.as_deref(),
        predictions: predictions.as_ref(),
        nxmx: nxmx.as_ref(),
    };
    check_printout(options, &images, evidence.is_some())?;
    if let Some(evidence) = evidence {
        keep(evidence, &results)?;
    }
    announced?;
    if options.json {
        return console::print(&summary::json(&results));
    }
    for image in &images {
        // Printed among nanoBragg's own lines where these are wanted; --quiet does not suppress it.
        if !prints(Log::NanoBragg) {
            console::print(&image.printout)?;
        }
        if prints(Log::Summary) {
            console::print(&image.text(nxmx.is_some()))?;
        }
    }
    if let (Some(list), true) = (&list, prints(Log::Summary)) {
        console::print(&summary::list_line(list))?;
    }
    if let (Some(path), true) = (&options.xds_inp, prints(Log::Summary)) {
        console::print(&summary::xds_inp_line(path))?;
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

/// Leaves images in formats without panels out that no option names, and says so.
fn leave_flat_images_out(options: &mut Options) {
    options.names_flat_images = true;
    let is_named = [&options.intfile, &options.noisefile, &options.pgmfile].iter().any(|file| file.is_some());
    if !is_named && !options.quiet {
        console::complain(
            "no SMV and PGM images, which have no panels: -intfile, -noisefile and -pgmfile write the panels stacked along slow",
        );
    }
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
    let nxmx = results.nxmx.map(NxmxFile::complete).unwrap_or_default();
    let nxmx = nxmx.iter().map(PathBuf::as_path);
    let mut files = images.chain(results.list).chain(results.xds_inp).chain(predictions).chain(nxmx);
    files.try_for_each(|path| evidence.add_copy(path))
}

/// The frames of a run, to be rendered.
struct Job<'a> {
    options: &'a Options,
    experiment: &'a Experiment,
    series: Series,
    record: Option<Record>,
    nxmx: Option<NxmxFile>,
    /// Where previews show the pixels.
    layout: Option<Layout>,
    pool: ThreadPool,
    bar: ProgressBar,
}

impl Job<'_> {
    fn render(&mut self) -> Result<Vec<ImageSummary>, Failure> {
        let (options, experiment) = (self.options, self.experiment);
        let frames: Vec<usize> = (self.series.first..self.series.end).collect();
        let wanted: Vec<usize> = frames.iter().copied().filter(|&index| !self.has_finished(index)).collect();
        let left_out = frames.len() - wanted.len();
        let again = wanted.iter().filter(|&&index| self.nxmx.is_some() && self.has_images(index)).count();
        if again > 0 {
            console::complain(&format!(
                "--nxmx: {again} finished frames are rendered again, since the file does not have them"
            ));
        }
        self.bar.inc((left_out * experiment.rows() * experiment.lattices()) as u64);
        let mut orientations = experiment.orientation_buffer()?;
        if wanted.first().is_some_and(|&first| first > 0) && self.lacks_scales() {
            // The scales of the series are those of its first frame, which another job writes.
            let scenes = experiment.scenes(0, &mut orientations)?;
            let frame = self.pool.install(|| render_frame(experiment, &scenes, &|| ()))?;
            self.keep_scales(scenes.panels(), &frame)?;
        }
        let mut images: Vec<ImageSummary> = Vec::new();
        for &index in &wanted {
            let names = Names::new(options, self.series.number(index))?;
            let scenes = experiment.scenes(index, &mut orientations)?;
            let image = self.frame(index, &scenes, names, images.is_empty())?;
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
        self.nxmx.as_ref().is_none_or(|file| file.has(index)) && self.has_images(index)
    }

    /// Whether an earlier run has made the images of frame `index`, all but that of the NXmx file.
    fn has_images(&self, index: usize) -> bool {
        let Self { options, experiment, series, record, .. } = self;
        let names = || Names::numbered(options, series.number(index));
        let record = record.as_ref().filter(|_| options.resume);
        record.is_some_and(|record| record.has_finished(&names(), experiment.pixels()))
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

    /// Renders and writes frame `index` of the series, counted from 0.
    fn frame(
        &mut self,
        index: usize,
        scenes: &FrameScenes<'_>,
        names: Names,
        is_first: bool,
    ) -> Result<ImageSummary, Failure> {
        if let Some(words) = self.series.progress(index) {
            self.bar.set_message(words);
        }
        let has_noise = names.have_noise() || self.options.data_of_nxmx() == Some(NxmxData::Noise);
        let streams = has_noise.then(|| noise_streams(self.options, self.experiment, index));
        let (frame, deviates) = self.pool.install(|| match streams {
            None => Ok((render_frame(self.experiment, scenes, &|| self.bar.inc(1))?, Vec::new())),
            Some(streams) => render_noisy_frame(self.experiment, scenes, &streams, &|| self.bar.inc(1)),
        })?;
        let scenes = scenes.panels();
        if self.lacks_scales() {
            self.keep_scales(scenes, &frame)?;
        }
        let Self { options, experiment, series, record, nxmx, pool, .. } = self;
        let shared =
            Shared { scales: record.as_ref().and_then(Record::scales), layout: self.layout.as_ref() };
        let image = (&frame.pixels[..], &deviates[..]);
        let written =
            pool.install(|| output::write(options, experiment, scenes, image, index, &names, shared))?;
        if let Some(record) = record {
            record.mark(&names);
        }
        if let Some(file) = nxmx {
            pool.install(|| file.add(scenes, image, index))?;
        }
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
        let mut image = ImageSummary::new(experiment, &frame, scenes[0].steps(), number, names, written);
        if options.printout || options.printout_pixel.is_some() {
            image.printout = self.printouts(scenes, &frame)?;
        }
        Ok(image)
    }

    /// The lines of `-printout` for one pixel or for the region of interest.
    fn printouts(&self, scenes: &[Scene<'_>], frame: &Frame) -> Result<String, Failure> {
        let Self { options, experiment, .. } = self;
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

/// A line for each option on how to render that the image could not heed.
fn without_effect(options: &Options, frame: &Frame) -> impl Iterator<Item = &'static str> + use<> {
    let list = options.light == LightRule::List && frame.light() == LightTaken::Loop;
    let neglect = options.neglected_photons.is_some_and(|photons| photons > 0.0) && !frame.neglects();
    let list = list.then_some(
        "--light list has no effect: lists are for gauss and tophat crystals with small spots (widebragg help performance)",
    );
    let neglect = neglect.then_some(
        "--neglect has no effect: no step of a square or round crystal can be left out for so few photons",
    );
    [list, neglect].into_iter().flatten()
}
