//! `widebragg nonbragg`: the scattering of amorphous matter, as `nonBragg.c` computes it, byte for byte.
//!
//! The photons of all pixels within the region of interest are written as floats, as integers, and with noise. With an
//! image, its structure factors are extracted. `--mode spec` has the photons of spec ([`spec`]).
//!
//! Different from the reference: files are complete or not written at all, none of them may replace an input, detectors
//! and sources without a place and images of another size than the detector are refused, the bytes that the reference
//! writes behind the pixels of its PGM image are left out, and standard output has a summary of its own.

mod extraction;
mod images;
mod placement;
mod sources;
mod spec;

use core::fmt::Write as _;
use core::ops::Range;
use std::path::PathBuf;

use rayon::prelude::*;
use widebragg::background::{Background, BackgroundPixel, RadialPoint, RadialTable, Search};
use widebragg::beam::{Polarization, PolarizedAt, fluence_per_m2};
use widebragg::rotation::PhiMode;
use widebragg::scene::Sensor;
use widebragg_experiment::threads::pool;
use widebragg_formats::c_library::read_columns;
use widebragg_formats::format_g::format_g as g;
use widebragg_formats::memory::{reserved, zeroed};
use widebragg_formats::smv::{SmvImage, read_smv};

use super::companions::{check_files, no_memory};
use crate::console;
use crate::error::Failure;
use crate::options::{NonbraggOptions, RadialFile};
use placement::Placement;

/// Molecules in a mole, as the reference has them.
const AVOGADRO: f64 = 6.022_141_79e23;

/// Computes the images, and prints a summary.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &NonbraggOptions) -> Result<(), Failure> {
    options.notes.iter().for_each(|note| console::complain(note));
    let Some(table) = &options.table else {
        return Err(Failure::input("nonbragg: needs a table of structure factors (-stol FILE)"));
    };
    check_paths(options, table)?;
    let image =
        options.image.as_deref().map(read_smv).transpose().map_err(|failure| failure.context("-img"))?;
    let stated = image.as_ref().map(|image| (&image.header, [image.fast, image.slow]));
    let placement = Placement::new(options, stated)?;
    let size = placement.pixels();
    image.as_ref().map_or(Ok(()), |image| extraction::check(image, size))?;
    let run = Run {
        options,
        table,
        sample: Sample::new(options),
        image: image.as_ref(),
        roi: roi(options, size),
        placement,
    };
    let text = pool(options.threads.unwrap_or(0))?.install(|| match options.mode {
        PhiMode::CParity => run.of_nonbragg(),
        PhiMode::Spec => run.of_spec(),
    })?;
    if options.quiet { Ok(()) } else { console::print(&text) }
}

/// The values of a run.
struct Run<'o> {
    options: &'o NonbraggOptions,
    table: &'o RadialFile,
    placement: Placement,
    sample: Sample,
    image: Option<&'o SmvImage>,
    roi: [Range<usize>; 2],
}

impl Run<'_> {
    /// Writes the images of nonBragg, and returns the summary.
    fn of_nonbragg(&self) -> Result<String, Failure> {
        let Self { options, table, placement, sample, image, .. } = self;
        let points = read_table(table)?;
        let entries = RadialTable::entries(points.len());
        let (mut s_per_m, mut f_electrons) =
            (zeroed(entries).ok_or_else(no_memory)?, zeroed(entries).ok_or_else(no_memory)?);
        let radial = RadialTable::fill(&points, table.per_m(), &mut s_per_m, &mut f_electrons)
            .map_err(|error| Failure::input(error.to_string()))?;
        let sources = sources::sources(options, placement)?;
        let background = Background {
            detector: &placement.detector,
            sources: &sources,
            table: radial,
            polarization: polarization(options, placement),
            sensor: Sensor::THIN,
            oversample: usize::try_from(options.oversample).unwrap_or(0).max(1),
            fluence_per_m2: sample.fluence_per_m2,
            molecules: sample.molecules,
        };
        let simulation = Simulation { options, background, image: *image, roi: self.roi.clone() };
        let pixels = simulation.pixels()?;

        let mut text = sample.summary(sources.len());
        let [fast, slow] = placement.pixels();
        let _ = writeln!(text, "image        {fast} x {slow} pixels, {} sr", g(pixels.solid_angle_sr));
        if image.is_some() {
            let (lines, few) =
                extraction::write(options, table, &simulation.background, (&pixels.extracted, &pixels.bins))?;
            let _ = writeln!(text, "extracted    {lines} points, {few} with too few pixels");
        }
        text += &self.write_images(&pixels.photons)?;
        Ok(text)
    }

    /// Writes the images of photons, and returns their part of the summary.
    fn write_images(&self, pixels: &[f32]) -> Result<String, Failure> {
        let Self { options, placement, roi, .. } = self;
        images::Images { options, placement, roi: roi.clone(), pixels }.write()
    }
}

fn check_paths(options: &NonbraggOptions, table: &RadialFile) -> Result<(), Failure> {
    let read = [
        ("-stol", Some(&table.path)),
        ("-img", options.image.as_ref()),
        ("-sourcefile", options.source_file.as_ref()),
    ];
    let read = read.into_iter().filter_map(|(option, path)| path.map(|path| (option, path.as_path())));
    let written = [
        ("-stolout", options.image.as_ref().map(|_| &options.table_out)),
        ("-floatfile", Some(&options.float_file)),
        ("-intfile", Some(&options.int_file)),
        ("-pgmfile", Some(&options.pgm_file)),
        ("-noisefile", Some(&options.noise_file).filter(|_| options.has_noise)),
    ];
    check_files(read, written.map(|(option, path)| (option, path.map(PathBuf::as_path))))
}

fn read_table(table: &RadialFile) -> Result<Vec<RadialPoint>, Failure> {
    let rows = read_columns::<2>(&table.path).map_err(|failure| failure.context("-stol"))?;
    if rows.is_empty() {
        return Err(Failure::input(format!("-stol: {}: no points in it", table.path.display())));
    }
    let mut points = reserved(rows.len()).ok_or_else(no_memory)?;
    points.extend(rows.into_iter().map(|[s, f_electrons]| RadialPoint { s, f_electrons }));
    Ok(points)
}

/// The reference normalises the axis again where it computes the polarisation.
fn polarization(options: &NonbraggOptions, placement: &Placement) -> Option<Polarization> {
    options.kahn.map(|kahn| Polarization {
        kahn,
        axis: placement.detector.polarization.normalize(),
        at: PolarizedAt::default(),
    })
}

/// The first and the last column and row that are simulated.
fn roi(options: &NonbraggOptions, size: [usize; 2]) -> [Range<usize>; 2] {
    let [fast_first, fast_last, slow_first, slow_last] = options.roi;
    let within = |first: i32, last: i32, pixels: usize| {
        let first = usize::try_from(first).unwrap_or(0).min(pixels);
        let end = usize::try_from(last).map_or(pixels, |last| last.saturating_add(1).min(pixels));
        first..end.max(first)
    };
    [within(fast_first, fast_last, size[0]), within(slow_first, slow_last, size[1])]
}

/// The matter in the beam.
struct Sample {
    size_m: [f64; 3],
    density_g_per_m3: f64,
    molecules: f64,
    fluence_per_m2: f64,
}

impl Sample {
    fn new(options: &NonbraggOptions) -> Self {
        let NonbraggOptions { beamsize_m, sample_m: [x, y, z], molecular_weight, .. } = *options;
        let within_beam = |edge_m: f64| {
            let is_clipped = beamsize_m >= 0.0 && beamsize_m < edge_m;
            if is_clipped {
                let (beam, edge) = (g(beamsize_m * 1000.0), g(edge_m * 1000.0));
                console::complain(&format!("the beam of {beam} mm clips the sample of {edge} mm"));
            }
            if is_clipped { beamsize_m } else { edge_m }
        };
        let size_m = [x, within_beam(y), within_beam(z)];
        let volume_m3 = size_m[0] * size_m[1] * size_m[2];
        let density_g_per_m3 = match options.molecules {
            0.0 => options.density_g_per_m3,
            molecules => molecules / volume_m3 / AVOGADRO * molecular_weight,
        };
        Self {
            size_m,
            density_g_per_m3,
            molecules: volume_m3 * density_g_per_m3 * AVOGADRO / molecular_weight,
            fluence_per_m2: fluence_per_m2(
                options.fluence_per_m2,
                options.flux_per_s,
                options.exposure_s,
                beamsize_m,
            ),
        }
    }

    fn summary(&self, sources: usize) -> String {
        let [x, y, z] = self.size_m.map(|edge_m| g(edge_m * 1000.0));
        format!(
            "sample       {x} x {y} x {z} mm, {} g/cm3, {} molecules\n\
             beam         {} photons/m2, {sources} sources\n",
            g(self.density_g_per_m3 / 1e6),
            g(self.molecules),
            g(self.fluence_per_m2)
        )
    }
}

/// What the pixels follow from.
struct Simulation<'a> {
    options: &'a NonbraggOptions,
    background: Background<'a>,
    image: Option<&'a SmvImage>,
    roi: [Range<usize>; 2],
}

/// All pixels, 0 outside the region of interest.
struct Pixels {
    photons: Vec<f32>,
    /// Structure factors of the image, and their bins; empty without one.
    extracted: Vec<f32>,
    bins: Vec<u32>,
    solid_angle_sr: f64,
}

/// A row of [`Pixels`].
struct Row<'p> {
    slow: usize,
    photons: &'p mut [f32],
    extracted: &'p mut [f32],
    bins: &'p mut [u32],
}

impl Simulation<'_> {
    fn pixels(&self) -> Result<Pixels, Failure> {
        let (fast, slow) = (self.background.detector.fast_pixels, self.background.detector.slow_pixels);
        let count = fast.checked_mul(slow).ok_or_else(no_memory)?;
        let of_image = if self.image.is_some() { count } else { 0 };
        let mut pixels = Pixels {
            photons: zeroed(count).ok_or_else(no_memory)?,
            extracted: zeroed(of_image).ok_or_else(no_memory)?,
            bins: zeroed(of_image).ok_or_else(no_memory)?,
            solid_angle_sr: 0.0,
        };
        let (extracted, bins) = (&mut pixels.extracted[..], &mut pixels.bins[..]);
        let mut of_image = extracted.chunks_mut(fast).zip(bins.chunks_mut(fast));
        let mut rows = reserved(slow).ok_or_else(no_memory)?;
        rows.extend(pixels.photons.chunks_mut(fast).enumerate().map(|(slow, photons)| {
            let (extracted, bins) = of_image.next().unwrap_or_default();
            Row { slow, photons, extracted, bins }
        }));
        let rows = rows.into_iter().filter(|row: &Row<'_>| self.roi[1].contains(&row.slow));
        pixels.solid_angle_sr = if self.background.table.is_ordered() {
            let rows: Vec<_> = rows.collect();
            rows.into_par_iter().map(|row| self.row(row, &mut Search::default())).sum()
        } else {
            // Each pixel depends on the one before.
            let mut search = Search::default();
            rows.map(|row| self.row(row, &mut search)).sum()
        };
        Ok(pixels)
    }

    /// Computes a row, and returns the sum of its solid angles.
    fn row(&self, row: Row<'_>, search: &mut Search) -> f64 {
        let Row { slow, photons, extracted, bins } = row;
        let mut solid_angle_sr = 0.0;
        for fast in self.roi[0].clone() {
            let pixel = self.background.pixel([fast, slow], search);
            solid_angle_sr += pixel.omega_sum_sr;
            photons[fast] = self.value(&pixel);
            if let Some(image) = self.image {
                let stored = image.pixels[slow * image.fast + fast];
                (extracted[fast], bins[fast]) =
                    extraction::of_pixel(self.options, &self.background, stored, &pixel);
            }
        }
        solid_angle_sr
    }

    fn value(&self, pixel: &BackgroundPixel) -> f32 {
        if self.options.is_map {
            return pixel.last.f_electrons as f32;
        }
        // The sum of 0 and -0 is 0.
        (0.0 + pixel.photons) as f32
    }
}
