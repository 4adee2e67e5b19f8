//! `widebragg compare`: where and how far two images differ, in numbers and pictures.
//!
//! Reads two images (or runs two programs that make them), and writes summary.json, a.png and b.png on one
//! scale, difference.png, and report.html with all of these. Panels stand in the pictures as they do in space. Exit
//! codes: 1 usage, 2 a program or a file failed, 3 correlation below the threshold, 4 sizes differ.
//! Memory: about 20 bytes a pixel; pictures are reduced to a fixed size.

pub mod figures;
pub mod peaks;
pub mod report;
pub mod runs;
mod shown;
pub mod summary;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use widebragg_experiment::threads;

use super::distinct::Files;
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::images::{Region, read_pair};
use crate::options::CompareOptions;
use crate::picture::image::{NOT_FINITE_NAME, Picture, surroundings};
use crate::picture::scale::Scale;
use figures::Figures;
use peaks::{Level, matched};
use report::Pictures;
use runs::{Run, run_both};
use shown::Shown;
use summary::Comparison;
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::memory::is_there;

/// Memory for the figures of a row of pixels while they are computed.
const ROW_BYTES: usize = 1 << 10;

/// Memory for the tiles in which the worst pixels are found, a pixel.
const TILE_BYTES_PER_PIXEL: usize = 1;

/// Memory for pictures and report.
const PICTURES_BYTES: usize = 48 << 20;

/// The files in the folder of `--out`.
const FILES: [&str; 5] = ["a.png", "b.png", "difference.png", "report.html", "summary.json"];

/// Exit code of a correlation below the threshold.
const BELOW_THRESHOLD: u8 = 3;

/// Compares two images; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to print on standard error, and the exit code.
pub fn run(options: &CompareOptions, args: &[String]) -> Result<(), Failure> {
    let threads = threads::or_all_cores(options.threads);
    let pool = threads::pool(threads)?;
    let images = options.images.iter().zip(["A", "B"]).map(|(path, name)| (name, path.as_path()));
    let geometry = options.geometry.iter().map(|path| ("--geometry", path.as_path()));
    Files::read(images.chain(geometry)).write_into(&options.out, FILES)?;
    evidence::recorded(options.evidence.as_deref(), args, |mut evidence| {
        if let Some(evidence) = evidence.as_deref_mut() {
            evidence.add_fact("threads", json!(threads));
            options.images.iter().chain(&options.geometry).for_each(|path| evidence.add_input(path));
        }
        let unusable =
            |error: std::io::Error| Failure::input(format!("--out {}: {error}", options.out.display()));
        fs::create_dir_all(&options.out).map_err(unusable)?;
        let runs = run_both(options)?;
        if let Some(evidence) = evidence.as_deref_mut() {
            keep_runs(evidence, &runs)?;
        }
        runs.iter().try_for_each(Run::check)?;
        pool.install(|| compare(options, &runs, evidence))
    })
}

fn keep_runs(evidence: &mut Evidence, runs: &[Run]) -> Result<(), Failure> {
    for run in runs {
        evidence.add_command(&run.begun, run.code, run.seconds, &run.words);
        evidence.add_folder(&run.folder)?;
    }
    Ok(())
}

fn compare(options: &CompareOptions, runs: &[Run], evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let paths: Vec<&Path> = match runs {
        [] => options.images.iter().map(PathBuf::as_path).collect(),
        runs => runs.iter().map(|run| run.float.as_path()).collect(),
    };
    let &[path_a, path_b] = &paths[..] else {
        return Err(Failure::with_code(1, "compare: needs two images"));
    };
    let size = options.size_px.or_else(|| runs.iter().find_map(Run::size));
    let mut images = read_pair([path_a, path_b], size)?;
    let [a, b] = &mut images;
    let size = [a.fast, a.slow];
    let region = Region::new(options.roi_px, a)?;
    region.cut(a);
    region.cut(b);
    let no_memory = || {
        let Region { fast, slow, .. } = region;
        Failure::input(format!(
            "compare: no memory to compare {fast} x {slow} pixels; choose a part with --roi"
        ))
    };
    let (matching, levels) = matched(&a.pixels, &b.pixels, &region).ok_or_else(no_memory)?;
    let figures_bytes = region.slow * ROW_BYTES + a.pixels.len() * TILE_BYTES_PER_PIXEL;
    if !is_there(figures_bytes.max(PICTURES_BYTES)) {
        return Err(no_memory());
    }
    let figures = Figures::new(&a.pixels, &b.pixels, &region);
    let mut notes: Vec<String> = images.iter().filter_map(|image| image.note.clone()).collect();
    let shown = Shown::of(options, runs, size, &images, &mut notes)?;
    let mut comparison =
        Comparison { options, images: &images, size, region, figures, matching, runs, notes };
    if comparison.excluded() > 0 {
        let note = format!(
            "{} {} in A or B: excluded from all figures, green on the pictures",
            match comparison.excluded() {
                1 => "1 pixel is".to_owned(),
                count => format!("{count} pixels are"),
            },
            comparison.unusable().join(" or ")
        );
        comparison.notes.push(note);
    }
    if comparison.figures.compared == 0 {
        comparison.notes.push("no pixel is finite in both images: nothing was compared".to_owned());
    }
    comparison.notes.iter().for_each(|note| console::complain(note));
    let pictures = pictures(&comparison, levels, &shown)?;
    let written = write(&comparison, &pictures)?;
    if let Some(evidence) = evidence {
        written.iter().try_for_each(|path| evidence.add_copy(path))?;
    }
    if options.json {
        console::print(&format!("{:#}\n", comparison.json()))?;
    } else if !options.quiet {
        console::print(&comparison.text())?;
    }
    match (comparison.passes(), options.threshold) {
        (Some(false), Some(threshold)) => {
            let found = comparison.figures.correlation;
            let found = found.map_or_else(|| "none".to_owned(), |found| format!("{found:.9}"));
            Err(Failure::with_code(
                BELOW_THRESHOLD,
                format!("correlation {found} is below --threshold {threshold}"),
            ))
        }
        _ => Ok(()),
    }
}

fn pictures(
    comparison: &Comparison<'_>,
    levels: [Option<Level>; 2],
    shown: &Shown,
) -> Result<Pictures, Failure> {
    let (rings, layout) = (shown.rings.as_deref(), shown.layout.as_ref());
    let [a, b] = comparison.images;
    let (a, b) = (&a.pixels[..], &b.pixels[..]);
    let figures = &comparison.figures;
    let [one, other] = figures.images;
    let bottom = f64::from(one.min.min(other.min));
    let top = f64::from(one.max.max(other.max));
    let level = |of: fn(&Level) -> f32| {
        levels.iter().flatten().map(|level| f64::from(of(level)) - bottom).fold(0.0, f64::max)
    };
    // The background, or, where that is zero, a tenth of the weakest spots.
    let background = level(|level| level.median);
    let soft = if background > 0.0 { background } else { level(|level| level.percentile) / 10.0 };
    let common = Scale::sequential(bottom, top, soft);
    let largest = figures.largest_absolute.map_or(0.0, |largest| largest.absolute());
    let signed = Scale::diverging(largest, figures.mse.unwrap_or(0.0).sqrt() / 100.0);
    let title = |name: &str, path: &Path| format!("{name}: {}", path.display());
    let picture = |image: usize, title: &str| {
        let not_finite = figures.images[image].nan + figures.images[image].infinite;
        let (pixels, format) = ([a, b][image], comparison.images[image].format);
        let picture = Picture {
            title,
            unit: comparison.unit(),
            region: comparison.region,
            layout,
            scale: &common,
            not_finite,
            not_finite_name: if format.has_header() { "masked" } else { NOT_FINITE_NAME },
            rings,
            ring_colour: [120, 220, 255],
        };
        picture.draw(|index| pixels[index], |value| value)
    };
    let difference = || {
        let picture = Picture {
            title: "B - A",
            unit: comparison.unit(),
            region: comparison.region,
            layout,
            scale: &signed,
            not_finite: comparison.excluded(),
            not_finite_name: "excluded",
            rings,
            ring_colour: [90, 100, 110],
        };
        picture.draw(
            |index| {
                let (a, b) = (a[index], b[index]);
                if a.is_finite() { b - a } else { a }
            },
            f32::abs,
        )
    };
    let [path_a, path_b] = comparison.images.each_ref().map(|image| image.path.as_path());
    let ((a_png, b_png), difference) = rayon::join(
        || rayon::join(|| picture(0, &title("A", path_a)), || picture(1, &title("B", path_b))),
        difference,
    );
    let worst = figures.worst.iter().map(|worst| surroundings(a, b, &comparison.region, worst.index));
    Ok(Pictures { a: a_png?, b: b_png?, difference: difference?, worst: worst.collect::<Result<_, _>>()? })
}

/// Writes all files; returns their names.
fn write(comparison: &Comparison<'_>, pictures: &Pictures) -> Result<Vec<PathBuf>, Failure> {
    let summary = format!("{:#}\n", comparison.json());
    let page = report::html(comparison, pictures);
    let contents: [&[u8]; 5] =
        [&pictures.a, &pictures.b, &pictures.difference, page.as_bytes(), summary.as_bytes()];
    let mut written = Vec::new();
    for (name, content) in FILES.into_iter().zip(contents) {
        let path = comparison.options.out.join(name);
        write_atomically(&path, |out| out.write_all(content))?;
        written.push(path);
    }
    Ok(written)
}
