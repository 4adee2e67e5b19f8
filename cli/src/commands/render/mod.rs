//! `widebragg` without a command: renders images, writes their files, and prints a summary.

pub mod arrays;
mod estimate;
mod exposure;
pub(crate) mod expt;
mod job;
mod nanobragg_log;
mod nxmx;
mod output;
mod predictions;
mod printout;
mod series;
mod shots;
mod summary;
mod xds_inp;

use std::borrow::Cow;
use std::path::PathBuf;

use widebragg_experiment::detector_noise::DetectorNoise;
use widebragg_experiment::frame::check_room;
use widebragg_experiment::layout::layout;
use widebragg_experiment::threads;
use widebragg_formats::atomic::check_writable;
use widebragg_formats::memory::is_there;

use crate::commands::devices;
use crate::commands::setup::geometry::FileGeometry;
use crate::commands::setup::inputs::Inputs;
use crate::commands::setup::sensor::GivenSensor;
use crate::commands::setup::structure_factors::{inputs, write_dump};
use crate::commands::setup::{self, SetUp};
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::{Log, Options};
use estimate::Estimate;
use job::Job;
use nxmx::{NxmxFile, Subject};
use output::Names;
use predictions::{Predicted, Predictions};
use series::{Record, Series};
use shots::TruthFiles;
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
    shots::check_files(options)?;
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
    let truth = TruthFiles::new(&options);
    truth.check_writable()?;
    let mut record = None;
    if series.frames.is_some() {
        Names::check_series(&options, series.first + 1..=series.end)?;
        record = Some(Record::find(&mut options, args)?);
    }
    if let Some(evidence) = &mut evidence {
        inputs(&options).for_each(|path| evidence.add_input(path));
    }
    let SetUp { experiment, reflections, model, geometry, wavelengths, plan, noise_stages } =
        setup::of_images(&options, &files, geometry)?;
    options.noise_stages = noise_stages;
    let options = &options;
    if options.printout || options.printout_pixel.is_some() {
        setup::check_single_crystal(options, &experiment)?;
    }
    let laboratory = geometry.as_ref().map(FileGeometry::frame);
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
    let subject = Subject { experiment: &experiment, plan: plan.as_ref(), laboratory, args };
    let nxmx = NxmxFile::new(options, subject, identity.as_deref(), wanted)?;
    let frames = series.end - series.first;
    if frames > 1 && experiment.phi.range == 0.0 && plan.is_none() {
        console::complain("--frames without an oscillation: all frames have the same phi");
    }
    let threads = threads::or_all_cores(options.threads);
    let threads = match plan {
        Some(_) => threads,
        None => threads::worth_starting(&experiment, threads),
    };
    let pool = threads::pool(threads)?;
    check_room(&experiment)?;
    let estimate = Estimate::new(options, &experiment, frames, threads);
    estimate.warning().iter().for_each(|warning| console::complain(warning));
    // nanoBragg has no words for shots.
    let knows = |log: Log| log == Log::Summary || plan.is_none();
    let prints =
        |log: Log| knows(log) && !options.quiet && !options.json && [Log::All, log].contains(&options.log);
    // A standard output that cannot be written is no reason not to render.
    let announced = match prints(Log::Summary) {
        true => {
            let frames = series.frames.unwrap_or(1);
            let known = Known { geometry: geometry.as_ref(), origin, hardware, wavelengths: &wavelengths };
            console::print(&summary::interpretation(&experiment, known, frames, threads, estimate))
        }
        false => Ok(()),
    };
    let layout =
        if options.png.is_some() || options.noise_png.is_some() { layout(&experiment)? } else { None };
    let rows = job::rows(subject, series.first..series.end);
    let bar = console::progress(rows, !options.quiet && options.progress != Some(false));
    let noise = options.has_counter_noise();
    let noise = noise.then(|| pool.install(|| DetectorNoise::new(&options.noise_stages, &experiment)));
    let noise = noise.transpose()?;
    let mut job = Job { options, subject, series, record, nxmx, noise, layout, pool, bar };
    let images = job.render();
    job.bar.finish_and_clear();
    let Job { nxmx, .. } = job;
    let images = images?;
    if let Some(warning) = experiment.device.as_deref().and_then(devices::failure) {
        console::complain(&warning);
    }
    write_dump(options, &experiment, unique);
    match (&list, &plan) {
        (None, _) => {}
        (Some(list), Some(plan)) => expt::write_shots(list, options, plan, laboratory)?,
        (Some(list), None) => expt::write(list, options, &experiment, laboratory)?,
    }
    xds_inp::write(options, &experiment, laboratory, origin.group())?;
    truth.write(options, subject)?;
    match (&mut predictions, &plan) {
        (None, _) => {}
        (Some(predictions), Some(plan)) => shots::write_predictions(predictions, plan)?,
        (Some(predictions), None) => {
            let images = Predicted { shot: None, experiment: Cow::Borrowed(&experiment) };
            predictions.write(core::iter::once(Ok(images)))?;
        }
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
        shots: plan.as_ref().map(|plan| (plan, &truth)),
    };
    check_printout(options, &images, evidence.is_some())?;
    if let Some(evidence) = evidence {
        keep(evidence, &results)?;
    }
    announced?;
    if options.json {
        return console::print(&summary::json(&results));
    }
    if let (Some(plan), true) = (&plan, prints(Log::Summary)) {
        console::print(&summary::shots(plan, &truth, &images))?;
    }
    for image in images.iter().filter(|_| plan.is_none()) {
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
    if let Some(device) = &results.experiment.device {
        evidence.add_fact("device", devices::members(device));
    }
    evidence.add_fact("threads", results.threads.into());
    // An image may have the name of the summary: its copy then gets another one.
    evidence.add_text("summary.json", &summary::json(results))?;
    let images = results.images.iter().flat_map(|image| image.names.all());
    let predictions = results.predictions.map(|predictions| predictions.path.as_path());
    let nxmx = results.nxmx.map(NxmxFile::complete).unwrap_or_default();
    let nxmx = nxmx.iter().map(PathBuf::as_path);
    let truth = results.shots.iter().flat_map(|(_, truth)| truth.paths());
    let mut files =
        images.chain(results.list).chain(results.xds_inp).chain(predictions).chain(nxmx).chain(truth);
    files.try_for_each(|path| evidence.add_copy(path))
}
