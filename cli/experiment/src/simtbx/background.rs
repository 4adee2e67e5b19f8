//! `add_background`.

use rayon::prelude::*;
use widebragg::background::{Background, RadialPoint, RadialTable, Search, WeightedSource};
use widebragg::beam::Polarization;
use widebragg::detector::Detector;
use widebragg::scene::Sensor;
use widebragg_formats::memory::{reserved, zeroed};

use super::Selection;
use crate::failure::{Failure, Part, refused};

/// s of a table in 1/A, in 1/m.
const PER_ANGSTROM_PER_M: f64 = 1e10;

/// What `add_background` takes from simtbx's object and its arguments.
#[derive(Debug, Clone, Copy)]
pub struct AddBackground<'a> {
    /// The detector.
    pub detector: &'a Detector,
    /// The sensor, of layers as simtbx counts them: together they may be thicker than the sensor.
    pub sensor: Sensor,
    /// The sources with simtbx's weights: 1/n for those of a grid, of mean 1 for `xray_beams`.
    pub sources: &'a [WeightedSource],
    /// `override_source`: this source alone, with the weight n that is right for `xray_beams`; `None`: all of them.
    pub only_source: Option<usize>,
    /// `Fbg_vs_stol`: s in 1/A and F of a molecule in electrons, in any order.
    pub points: &'a [RadialPoint],
    /// The polarisation of the beam; with `None`, its factor is 1.
    pub polarization: Option<Polarization>,
    /// Subpixels along each axis, at least 1.
    pub oversample: usize,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Molecules in the beam, [`molecules`](widebragg::background::molecules)' of `amorphous_sample_thick_mm` ...
    pub molecules: f64,
}

impl AddBackground<'_> {
    /// Adds the photons that amorphous matter scatters to the selected pixels, as `add_background` does, on the threads of the
    /// current pool: rows in parallel where the table is in order, since otherwise each pixel depends on the one before.
    ///
    /// # Errors
    /// An image or a mask of another size than the detector, no points, no sources or not the one that is chosen, or too little
    /// memory.
    pub fn apply(&self, selection: &Selection<'_>, pixels: &mut [f64]) -> Result<(), Failure> {
        let Detector { fast_pixels, slow_pixels, .. } = *self.detector;
        selection.check(pixels.len())?;
        if selection.size != [fast_pixels, slow_pixels] {
            return Err(Failure::impossible(Part::Background, "an image of another size than the detector"));
        }
        let entries = RadialTable::entries(self.points.len());
        let (mut s_per_m, mut f_electrons) =
            (zeroed(entries).ok_or_else(no_memory)?, zeroed(entries).ok_or_else(no_memory)?);
        let table = RadialTable::fill(self.points, PER_ANGSTROM_PER_M, &mut s_per_m, &mut f_electrons)
            .map_err(refused(Part::Background))?;
        let sources = self.weighted_sources()?;
        let background = Background {
            detector: self.detector,
            sources: &sources,
            table,
            polarization: self.polarization,
            sensor: self.sensor,
            oversample: self.oversample.max(1),
            fluence_per_m2: self.fluence_per_m2,
            molecules: self.molecules,
        };
        let add_row = |slow: usize, row: &mut [f64], search: &mut Search| {
            for fast in selection.columns().filter(|&fast| selection.has([fast, slow])) {
                row[fast] += background.pixel([fast, slow], search).photons;
            }
        };
        let rows = pixels.par_chunks_mut(fast_pixels.max(1)).enumerate();
        if background.table.is_ordered() {
            rows.for_each(|(slow, row)| add_row(slow, row, &mut Search::default()));
        } else {
            let mut search = Search::default();
            let rows = pixels.chunks_mut(fast_pixels.max(1)).enumerate();
            rows.for_each(|(slow, row)| add_row(slow, row, &mut search));
        }
        Ok(())
    }

    /// The sources with weights that [`Background`], which divides by the number of its sources, turns into simtbx's.
    fn weighted_sources(&self) -> Result<Vec<WeightedSource>, Failure> {
        let count = self.sources.len();
        let chosen = match self.only_source {
            None => self.sources,
            Some(index) => self.sources.get(index..=index).unwrap_or_default(),
        };
        if chosen.is_empty() {
            return Err(Failure::impossible(Part::Background, "there is no such source"));
        }
        let mut sources = reserved(chosen.len()).ok_or_else(no_memory)?;
        sources.extend(chosen.iter().map(|source| {
            let weight = self.only_source.map_or(source.weight, |_| 1.0) * count as f64;
            WeightedSource { weight, ..*source }
        }));
        Ok(sources)
    }
}

fn no_memory() -> Failure {
    Failure::no_memory(Part::Background, "a background")
}
