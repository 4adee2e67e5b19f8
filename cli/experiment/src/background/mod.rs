//! The background: photons that amorphous matter in the beam adds to the images of an experiment, in spec.
//!
//! [`Matter`] is a table of F against s, where the matter is, and how much of it the beam hits; [`photons`] are those of
//! all matter in each pixel of the stack of panels, evaluated at the pixel's centre by
//! [`AmorphousMatter`]. They depend neither on the crystal nor on the frame, so that a series computes them once; shots
//! whose beam or detector differs have their own ([`Background::of`]).
//!
//! **Sources.** Where each direction of the beam has the same wavelengths with the same weights, as those of grids and
//! spectra have, the F of all wavelengths are looked up at once ([`Profile`]), with an error of at most
//! [`PROFILE_ERROR`] of the largest. Small panels look each F up by itself. The choice depends on the size of the panel
//! alone, so that a pixel has the same bits in any region of interest.

mod broaden;
mod extract;
mod known;

use core::num::NonZeroUsize;
use core::ops::{AddAssign, Range};
use std::sync::Arc;

use rayon::prelude::*;
use widebragg::background::{
    AmorphousMatter, BeamLine, Curve, Profile, Radial, RadialPoint, Slab, WeightedSource, molecules,
};
use widebragg::rotation::PhiMode;
use widebragg_formats::memory::{reserved, zeroed};
use widebragg_formats::stol::StolPoint;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::panels::DetectorPanel;

pub use broaden::broadened;
pub use extract::{FEWEST_PIXELS, MOST_SIGMAS, RadialMean, radial_means};
pub use known::{KnownMatter, attenuation_per_m};

/// Density of matter of which none is given, in g/cm^3: that of water.
pub const DENSITY_G_PER_CM3: f64 = 1.0;

/// Molecular weight of matter of which none is given, in g/mol: that of water, as nonBragg has it.
pub const WEIGHT_G_PER_MOL: f64 = 18.0;

/// Largest error of F |F| that is looked up for several wavelengths at once, as a part of its largest value.
pub const PROFILE_ERROR: f64 = 1e-6;

/// Fewest cells of a profile; panels of fewer pixels are not worth one.
const FEWEST_CELLS: usize = 1 << 12;

/// Profiles that are tried, each of twice as many cells as the one before.
const PROFILES: usize = 5;

/// Segments of a path are at most this part of the shortest distance of a panel.
const SEGMENT: f64 = 1.0 / 32.0;

/// Most segments of a path.
const MOST_SEGMENTS: f64 = 1000.0;

/// 1/Å in 1/m.
const PER_ANGSTROM: f64 = 1e10;

/// Where matter is along the beam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// A slab at the sample, across the beam.
    Slab {
        /// Its thickness, in m.
        thickness_m: f64,
    },
    /// A path along the beam, as segments that are each as if at their middle.
    Path {
        /// Its ends, in m along the beam from the sample: below 0 before it.
        ends_m: [f64; 2],
    },
}

impl Place {
    /// Length along the beam, in m.
    #[must_use]
    pub fn length_m(self) -> f64 {
        match self {
            Self::Slab { thickness_m } => thickness_m,
            Self::Path { ends_m: [from, to] } => to - from,
        }
    }
}

/// Amorphous matter in the beam.
#[derive(Debug, Clone, PartialEq)]
pub struct Matter {
    /// What it is called in summaries.
    pub name: String,
    /// F of a molecule, in the order of s.
    pub points: Arc<Vec<StolPoint>>,
    /// Where it is.
    pub place: Place,
    /// Density, in g/cm^3.
    pub density_g_per_cm3: f64,
    /// Molecular weight, in g/mol.
    pub weight_g_per_mol: f64,
    /// Attenuation of the slab, in 1/m, where it absorbs what it scatters; `None`: it does not.
    pub attenuation_per_m: Option<f64>,
}

/// What matter adds to the images.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    /// Photons of each pixel of the stack, slow-major; 0 where nothing is rendered.
    pub photons: Vec<f32>,
    /// What each matter adds.
    pub added: Vec<Added>,
    /// The matter.
    matter: Vec<Matter>,
    /// Cross section of the beam, in m^2.
    area_m2: f64,
}

/// What one kind of matter adds to the images.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// The mean over the rendered pixels, in photons.
    pub mean: f64,
}

impl Background {
    /// That of one panel of `experiment`, for which it was computed; the means stay those of all panels.
    pub(crate) fn on_panel(&self, experiment: &Experiment, panel: usize) -> Self {
        let pixels = |panel: &DetectorPanel| panel.panel().pixels();
        let first: usize = experiment.panels.iter().take(panel).map(pixels).sum();
        let count = experiment.panels.get(panel).map_or(0, pixels);
        let photons = self.photons.get(first..first + count).unwrap_or_default().to_vec();
        Self { photons, ..self.clone() }
    }

    /// That of the same matter in another beam, or on another detector.
    ///
    /// # Errors
    /// As [`photons`].
    pub fn of(&self, experiment: &Experiment) -> Result<Self, Failure> {
        photons(experiment, self.matter.clone(), self.area_m2)
    }
}

/// The photons of the pixels from a row of the stack on; empty where there is no background.
pub(crate) fn from_row(experiment: &Experiment, row: usize) -> &[f32] {
    let photons = experiment.background.as_ref().map_or(&[][..], |background| &background.photons);
    photons.get(row * experiment.columns()..).unwrap_or_default()
}

/// Adds photons to the pixels that they belong to.
pub(crate) fn add<P: From<f32> + AddAssign>(photons: &[f32], pixels: &mut [P]) {
    pixels.iter_mut().zip(photons).for_each(|(pixel, &photons)| *pixel += P::from(photons));
}

/// The photons of `matter` in the images of `experiment`, whose beam has the cross section `area_m2`; computed on the
/// threads of the current pool.
///
/// # Errors
/// The mode is c-parity, a table or number cannot be, a path reaches a panel, or there is too little memory.
pub fn photons(experiment: &Experiment, matter: Vec<Matter>, area_m2: f64) -> Result<Background, Failure> {
    let impossible = |why: &str| Failure::impossible(Part::Background, why);
    if experiment.mode == PhiMode::CParity {
        return Err(impossible("only in spec, since nanoBragg adds none"));
    }
    let no_memory = || Failure::no_memory(Part::Background, "the background of an image");
    let mut photons = zeroed::<f32>(experiment.pixels()).ok_or_else(no_memory)?;
    let mut added = Vec::new();
    let beam = Beam::new(experiment).ok_or_else(no_memory)?;
    let rendered: usize = experiment.panels.iter().map(rendered_pixels).sum();
    for (index, matter) in matter.iter().enumerate() {
        let sum = add_matter(experiment, &beam, matter, area_m2, index == 0, &mut photons)?;
        added.push(Added { name: matter.name.clone(), mean: sum / rendered.max(1) as f64 });
    }
    Ok(Background { photons, added, matter, area_m2 })
}

fn rendered_pixels(panel: &DetectorPanel) -> usize {
    let roi = panel.roi;
    let columns = roi.fast_min..=roi.fast_max;
    let rows = roi.slow_min..=roi.slow_max;
    match panel.mask() {
        None => columns.count() * rows.count(),
        Some(_) => {
            rows.map(|slow| columns.clone().filter(|&fast| panel.is_selected(slow, fast)).count()).sum()
        }
    }
}

/// The directions and wavelengths of a beam.
struct Beam {
    /// All sources.
    sources: Vec<WeightedSource>,
    /// Where each direction has the same wavelengths: a source for each direction, and the wavelengths.
    common: Option<(Vec<WeightedSource>, Vec<BeamLine>)>,
}

impl Beam {
    fn new(experiment: &Experiment) -> Option<Self> {
        let mut sources = reserved(experiment.sources.len())?;
        let weight = |at: usize| experiment.source_weights.as_ref().and_then(|weights| weights.get(at));
        let weighted = |(at, &source)| WeightedSource { source, weight: weight(at).copied().unwrap_or(1.0) };
        sources.extend(experiment.sources.iter().enumerate().map(weighted));
        let common = common(&sources);
        Some(Self { sources, common })
    }
}

/// Splits sources into directions and wavelengths that all of them have.
fn common(sources: &[WeightedSource]) -> Option<(Vec<WeightedSource>, Vec<BeamLine>)> {
    let first = sources.first()?;
    let of_first = sources.iter().take_while(|source| source.source.incident == first.source.incident);
    let count = NonZeroUsize::new(of_first.count())?;
    let lines = sources.get(..count.get())?;
    let mut directions = Vec::new();
    for group in sources.chunks(count.get()) {
        let leader = group.first()?;
        let factor = leader.weight / first.weight;
        let is_alike = |(one, other): (&WeightedSource, &WeightedSource)| {
            let weight = other.weight * factor;
            one.source.incident == leader.source.incident
                && one.source.lambda_m == other.source.lambda_m
                && (one.weight - weight).abs() <= 1e-12 * weight
        };
        if group.len() != lines.len() || !group.iter().zip(lines).all(is_alike) {
            return None;
        }
        directions.push(WeightedSource { source: leader.source, weight: factor });
    }
    let line = |source: &WeightedSource| BeamLine { lambda_m: source.source.lambda_m, weight: source.weight };
    Some((directions, lines.iter().map(line).collect()))
}

/// Adds the photons of matter to the pixels of the stack, which are 0 where it is the first, and returns how many these are in all.
fn add_matter(
    experiment: &Experiment,
    beam: &Beam,
    matter: &Matter,
    area_m2: f64,
    is_first: bool,
    photons: &mut [f32],
) -> Result<f64, Failure> {
    let refused = refused(Part::Background);
    let no_memory = || Failure::no_memory(Part::Background, "a table of the background");
    let mut points = reserved(matter.points.len()).ok_or_else(no_memory)?;
    points.extend(
        matter
            .points
            .iter()
            .map(|point| RadialPoint { s: point.s_per_angstrom, f_electrons: point.f_electrons }),
    );
    let mut room = zeroed(Curve::room_len(points.len())).ok_or_else(no_memory)?;
    let curve = Curve::fill(&points, PER_ANGSTROM, &mut room).map_err(&refused)?;
    let segments = segments(experiment, matter.place)?;
    let length_m = matter.place.length_m() / segments.len() as f64;
    let molecules = molecules(length_m, area_m2, matter.density_g_per_cm3, matter.weight_g_per_mol);
    let slab = match (matter.place, matter.attenuation_per_m) {
        (Place::Slab { thickness_m }, Some(attenuation_per_m)) => {
            Some(Slab { normal: experiment.frame.beam, depth: thickness_m * attenuation_per_m })
        }
        _ => None,
    };
    let mut rooms = [const { Vec::new() }; PROFILES];
    let is_large = |panel: &DetectorPanel| panel.panel().pixels() >= FEWEST_CELLS;
    let profile = match &beam.common {
        Some((_, lines)) if experiment.panels.iter().any(is_large) => profile(&curve, lines, &mut rooms)?,
        _ => None,
    };
    let mut rest = photons;
    let mut sum = 0.0;
    for panel in &experiment.panels {
        let (pixels, others) = core::mem::take(&mut rest).split_at_mut(panel.panel().pixels());
        rest = others;
        let (sources, radial) = match (&beam.common, profile) {
            (Some((directions, _)), Some(profile)) if is_large(panel) => {
                (&directions[..], Radial::Profile(profile))
            }
            _ => (&beam.sources[..], Radial::Curve(curve)),
        };
        let at = |&along_m: &f64| AmorphousMatter {
            panel: panel.panel(),
            origin_m: along_m * experiment.frame.beam,
            sources,
            radial,
            polarization: experiment.polarization,
            fluence_per_m2: experiment.fluence_per_m2,
            molecules,
            slab,
        };
        let segments: Vec<_> = segments.iter().map(at).collect();
        sum += add_to_panel(experiment, panel, &segments, is_first, pixels).map_err(&refused)?;
    }
    Ok(sum)
}

/// The places along the beam, in m, of the segments of matter.
fn segments(experiment: &Experiment, place: Place) -> Result<Vec<f64>, Failure> {
    let Place::Path { ends_m: [from, to] } = place else { return Ok(vec![0.0]) };
    let impossible = |why: String| Failure::impossible(Part::Background, why);
    let beam = experiment.frame.beam;
    for panel in &experiment.panels {
        let panel = panel.panel();
        let depth_m = |along_m: f64| (panel.pix0_m - along_m * beam).dot(panel.normal);
        // The sign is that at the sample: the normal of a mirrored panel points upstream.
        if [from, to].iter().any(|&end| depth_m(end) * depth_m(0.0) <= 0.0) {
            return Err(impossible(format!(
                "a path of {} to {} mm reaches the detector",
                from * 1e3,
                to * 1e3
            )));
        }
    }
    let closest_m = |panel: &DetectorPanel| panel.detector.close_distance_m.abs();
    let shortest_m = experiment.panels.iter().map(closest_m).fold(f64::INFINITY, f64::min);
    let count = ((to - from) / (shortest_m * SEGMENT)).ceil().max(1.0);
    if count.is_nan() || count > MOST_SEGMENTS {
        return Err(impossible(format!(
            "a path of {} mm would be {count} segments of a thirty-second of the distance, more than {MOST_SEGMENTS}",
            (to - from) * 1e3
        )));
    }
    let step_m = (to - from) / count;
    Ok((0..count as usize).map(|segment| from + (segment as f64 + 0.5) * step_m).collect())
}

/// The profile of a curve over wavelengths; `None` where none is exact enough.
fn profile<'c>(
    curve: &Curve<'_>,
    lines: &[BeamLine],
    rooms: &'c mut [Vec<f64>; PROFILES],
) -> Result<Option<Profile<'c>>, Failure> {
    let mut cells = FEWEST_CELLS;
    for room in rooms {
        *room = zeroed(Profile::room_len(cells))
            .ok_or_else(|| Failure::no_memory(Part::Background, "a table of the background"))?;
        let profile = Profile::fill(curve, lines, [0.0, 1.0], room).map_err(refused(Part::Background))?;
        if profile.error() <= PROFILE_ERROR * profile.largest() {
            return Ok(Some(profile));
        }
        cells *= 2;
    }
    Ok(None)
}

/// Adds rows over threads, and returns the sum of what is added.
fn add_to_panel(
    experiment: &Experiment,
    panel: &DetectorPanel,
    segments: &[AmorphousMatter<'_>],
    is_first: bool,
    pixels: &mut [f32],
) -> Result<f64, widebragg::Error> {
    let roi = panel.roi;
    let columns: Range<usize> = roi.fast_min..roi.fast_max + 1;
    let fast_pixels = panel.detector.fast_pixels.max(1);
    let rows = pixels.par_chunks_mut(fast_pixels).enumerate();
    let rows = rows.filter(|(slow, _)| (roi.slow_min..=roi.slow_max).contains(slow));
    let of_row = |photons: &mut Vec<f64>, (slow, row): (usize, &mut [f32])| {
        photons.clear();
        photons.resize(columns.len(), 0.0);
        for segment in segments {
            segment.add_to_row(experiment.simd, slow, columns.clone(), photons)?;
        }
        let mask = panel.mask().and_then(|mask| mask.get(slow * fast_pixels + columns.start..));
        for (photons, _) in photons.iter_mut().zip(mask.unwrap_or_default()).filter(|(_, mask)| **mask == 0) {
            *photons = 0.0;
        }
        let pixels = row.get_mut(columns.clone()).unwrap_or_default().iter_mut().zip(&*photons);
        if is_first {
            // The system gives out a page twice that is read before it is written.
            pixels.for_each(|(pixel, &photons)| *pixel = photons as f32);
        } else {
            pixels.for_each(|(pixel, &photons)| *pixel += photons as f32);
        }
        Ok(sum(photons))
    };
    rows.map_init(Vec::new, of_row).try_reduce(|| 0.0, |one, other| Ok(one + other))
}

/// The sum of some numbers, eight of which are added at a time.
fn sum(numbers: &[f64]) -> f64 {
    let (eights, rest) = numbers.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for numbers in eights {
        sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
    }
    sums.iter().chain(rest).sum()
}
