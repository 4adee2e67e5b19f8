//! Shots: many exposures, each of its own crystals, with a beam that differs from one to the next.
//!
//! Each value of a shot comes from its lines of a table or, where the table leaves it out, from a distribution
//! ([`Shots::shot`]). The result is a table again, in which nothing is left out: the truth of the shot. Experiments are
//! derived from that alone ([`Shots::experiment`]), so that the truth of a run, given as its table, renders the same bits.
//!
//! **Deviates** are functions of the seed, the number of the shot, the quantity and the crystal
//! ([`widebragg::noise::counter`]). So a shot is the same whatever was rendered before it, in whatever order.
//!
//! | quantity | distribution |
//! |---|---|
//! | orientation | a rotation uniform on SO(3), applied to the crystal of the base |
//! | number of crystals | a number, uniform in a range, or Poisson |
//! | size | N exp(s g - s^2/2) for all axes, at least 1: log-normal with the mean N |
//! | cell | a (1 + s g), the same for edges of equal length; angles stay |
//! | energy | E + s g |
//! | fluence | fluence exp(s g - s^2/2) |
//! | detector | shifts of s g along fast and along slow |
//!
//! s is the spread, and g Gaussian with the variance 1.
//!
//! **What shots share.** Detector, structure factors, the mosaic rotations unless the spread differs, and the spectra, of which
//! shot n has number n, and after the last the first again. The A matrix is that of the crystal, whatever the wavelength.
//! Files state the detector without the shift of the shot, which is left for users of the images to find.

mod distributions;

use std::sync::Arc;

use widebragg::beam::Source;
use widebragg::crystal::Crystal;
use widebragg::defaults::{MOSAIC_DOMAINS, MOSAIC_SEED};
use widebragg::detector::Detector;
use widebragg::lattice::Crystallite;
use widebragg::random::fill_mosaic;
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, apply};
use widebragg::scene::{CrystalInput, DetectorInput};
use widebragg::vector::Vec3;
use widebragg_coordinates::anomalous::EV_ANGSTROM;
use widebragg_formats::memory::filled;
use widebragg_formats::shot_table::{BeamRow, CrystalRow, ShotRows};

use crate::derive::cell_of;
use crate::experiment::Experiment;
use crate::factor_grid::FactorGrid;
use crate::failure::{Failure, Part, refused};
use crate::geometry::{columns, reciprocal_axes};
use crate::lattices::Lattice;
use crate::panels::DetectorPanel;
use crate::spectrum::Spectrum;

use distributions::Draws;
pub use distributions::{Count, Distributions, OrientationRule};

/// A spectrum as the sources of the beam.
#[derive(Debug, Clone)]
struct Beam {
    sources: Vec<Source>,
    weights: Option<Vec<f64>>,
    /// The mean wavelength.
    lambda_m: f64,
}

/// The shots of a run.
#[derive(Debug, Clone)]
pub struct Shots {
    base: Experiment,
    /// The beams of the spectra, at least one.
    beams: Vec<Beam>,
    /// How many of them there are to choose from; 0: the beam of the base.
    spectra: usize,
    distributions: Distributions,
    /// The shots that the table lists, in rising order.
    table: Arc<Vec<ShotRows>>,
    seed: u64,
}

/// Makes the crystal of a line of the table that gives no A matrix.
pub type CrystalOfRow<'f> = &'f dyn Fn(&CrystalRow) -> Result<Crystal, Failure>;

impl Shots {
    /// Shots about `base`, whose crystal they vary. Where there are spectra, shots have them in turn in place of the sources
    /// of `base`, in each of its directions.
    ///
    /// # Errors
    /// c-parity mode, a crystal that changes from frame to frame, structure factors of each
    /// source, or spreads that are negative or not finite.
    pub fn new(
        base: Experiment,
        spectra: &[Spectrum],
        distributions: Distributions,
        table: Vec<ShotRows>,
        seed: u64,
    ) -> Result<Self, Failure> {
        check(&base)?;
        if base.panels.iter().any(|panel| panel.detector.curved) && distributions.moves_detector(&table) {
            return Err(Failure::impossible(Part::Shots, "a shift of a curved detector"));
        }
        distributions.check()?;
        let own = || Beam {
            sources: base.sources.clone(),
            weights: base.source_weights.clone(),
            lambda_m: base.lambda0_m,
        };
        let beams = match spectra {
            [] => vec![own()],
            spectra => spectra.iter().map(|spectrum| beam(&base, spectrum)).collect::<Result<_, _>>()?,
        };
        let shots = Self { base, beams, spectra: spectra.len(), distributions, table: Arc::new(table), seed };
        let beyond = shots.table.iter().filter_map(|shot| shot.beam.spectrum).find(|&n| n > shots.spectra);
        match beyond {
            Some(number) => Err(Failure::impossible(
                Part::Shots,
                format!("spectrum {number} of {}: the table names one that is not there", shots.spectra),
            )),
            None => Ok(shots),
        }
    }

    /// The same shots about another base, which differs from the present one in what they do not vary: structure factors,
    /// background and device.
    ///
    /// # Errors
    /// Structure factors of each source.
    pub fn about(self, base: Experiment) -> Result<Self, Failure> {
        check(&base)?;
        Ok(Self { base, ..self })
    }

    /// The experiment that shots vary.
    #[must_use]
    pub fn base(&self) -> &Experiment {
        &self.base
    }

    /// The truth of shot `number`, counted from 1: nothing in it is left out. `crystal_of` orients a line of the table that
    /// gives no matrix.
    ///
    /// # Errors
    /// What `crystal_of` fails with, or a wavelength that no X-rays have.
    pub fn shot(&self, number: usize, crystal_of: CrystalOfRow<'_>) -> Result<ShotRows, Failure> {
        let draws = Draws::new(self.base.simd, self.seed, number);
        let given = self.table.binary_search_by_key(&number, |shot| shot.number).ok();
        let given = given.and_then(|index| self.table.get(index));
        let drawn = [CrystalRow::default()];
        let rows: Vec<&CrystalRow> = match given {
            Some(shot) => shot.crystals.iter().collect(),
            None => drawn.iter().cycle().take(self.distributions.crystals(&draws)).collect(),
        };
        let numbered = rows.into_iter().enumerate();
        let crystals = numbered.map(|(index, row)| self.completed(&draws, index, row, crystal_of));
        let mut crystals: Vec<CrystalRow> = crystals.collect::<Result<_, Failure>>()?;
        // A blank is stated by one crystal without photons.
        crystals.retain(|crystal| crystal.weight != Some(0.0));
        if crystals.is_empty() {
            let none = CrystalRow { weight: Some(0.0), ..CrystalRow::default() };
            crystals.push(self.completed(&draws, 0, &none, crystal_of)?);
        }
        let beam = given.map_or_else(BeamRow::default, |shot| shot.beam);
        Ok(ShotRows { number, beam: self.beam(beam, &draws)?, crystals })
    }

    /// The beam of a shot, of which `given` may be empty.
    fn beam(&self, given: BeamRow, draws: &Draws) -> Result<BeamRow, Failure> {
        let spectrum = match self.spectra {
            0 => None,
            count => Some(given.spectrum.unwrap_or((draws.number - 1) % count + 1)),
        };
        let Distributions { energy_ev, fluence, shift_m, .. } = self.distributions;
        let usual_m = self.beams[spectrum.map_or(0, |number| number - 1)].lambda_m;
        let lambda_m = match (given.lambda_m, energy_ev) {
            (Some(lambda_m), _) => lambda_m,
            (None, 0.0) => usual_m,
            (None, spread_ev) => {
                let energy_ev = EV_ANGSTROM / (1e10 * usual_m) + spread_ev * draws.energy();
                EV_ANGSTROM / energy_ev * 1e-10
            }
        };
        if !(lambda_m > 0.0 && lambda_m < 1e-8) {
            let number = draws.number;
            return Err(Failure::impossible(
                Part::Shots,
                format!("the energy of shot {number} is none of X-rays: the spread is too large"),
            ));
        }
        let fluence_per_m2 =
            given.fluence_per_m2.unwrap_or(self.base.fluence_per_m2 * draws.fluence_factor(fluence));
        let shift_m = given.shift_m.unwrap_or_else(|| draws.shifts().map(|deviate| shift_m * deviate));
        Ok(BeamRow {
            lambda_m: Some(lambda_m),
            spectrum,
            fluence_per_m2: Some(fluence_per_m2),
            shift_m: Some(shift_m),
        })
    }

    /// Crystal `index` of a shot, with all that its line of the table leaves out.
    fn completed(
        &self,
        draws: &Draws,
        index: usize,
        row: &CrystalRow,
        crystal_of: CrystalOfRow<'_>,
    ) -> Result<CrystalRow, Failure> {
        let Distributions { orientation, size, cell, .. } = self.distributions;
        let CrystalRow { weight, misset_deg, cell: given_cell, cells, mosaic_deg, .. } = *row;
        let a_matrix = match row.a_matrix {
            Some(a_matrix) => a_matrix,
            None => {
                let crystal = match (misset_deg, given_cell) {
                    (None, None) => self.base.crystal,
                    _ => crystal_of(row)?,
                };
                let factors = match given_cell {
                    None => draws.cell_factors(index, cell, crystal.cell.lengths_angstrom),
                    Some(_) => [1.0; 3],
                };
                let rotation = match (misset_deg, orientation) {
                    (None, OrientationRule::Random) => draws.rotation(index),
                    _ => IDENTITY,
                };
                let stars = reciprocal_axes(&crystal);
                columns(core::array::from_fn(|axis| apply(&rotation, (1.0 / factors[axis]) * stars[axis])))
            }
        };
        let usual = self.base.crystallite.cells;
        let factor = draws.size_factor(index, size);
        let drawn = if size > 0.0 { usual.map(|cells| sized(cells, factor)) } else { usual };
        Ok(CrystalRow {
            weight: Some(weight.unwrap_or(1.0)),
            misset_deg: None,
            a_matrix: Some(a_matrix),
            cell: None,
            cells: Some(cells.unwrap_or(drawn)),
            mosaic_deg: mosaic_deg.or(self.usual_mosaic_deg()),
        })
    }

    /// The mosaic spread of the base; `None` where it has none.
    fn usual_mosaic_deg(&self) -> Option<f64> {
        let spread_rad = self.base.mosaic_spread_rad;
        (spread_rad > 0.0).then(|| spread_rad.to_degrees())
    }

    /// The experiment of a shot.
    ///
    /// # Errors
    /// Axes without volume, a weight that is negative, or what the kernel refuses.
    pub fn experiment(&self, shot: &ShotRows) -> Result<Experiment, Failure> {
        let ShotRows { number, beam, crystals } = shot;
        let lattices: Vec<Lattice> = crystals
            .iter()
            .filter(|row| row.weight != Some(0.0))
            .map(|row| self.lattice(row))
            .collect::<Result<_, _>>()
            .map_err(|failure| {
                Failure::impossible(Part::Shots, format!("shot {number}: {}", failure.reason()))
            })?;
        let mut experiment = self.base.with_lattices(lattices)?;
        let Beam { sources, weights, lambda_m: usual_m } =
            &self.beams[beam.spectrum.map_or(0, |number| number - 1)];
        let lambda_m = beam.lambda_m.unwrap_or(*usual_m);
        experiment.sources.clone_from(sources);
        experiment.source_weights.clone_from(weights);
        if lambda_m != *usual_m {
            let factor = lambda_m / usual_m;
            experiment.sources.iter_mut().for_each(|source| source.lambda_m *= factor);
        }
        experiment.lambda0_m = lambda_m;
        experiment.source_grid = None;
        if let Some(fluence_per_m2) = beam.fluence_per_m2 {
            experiment.fluence_per_m2 = fluence_per_m2;
        }
        if let Some(shift_m) = beam.shift_m.filter(|shift_m| *shift_m != [0.0; 2]) {
            move_panels(&mut experiment.panels, shift_m);
        }
        self.update_background(&mut experiment)?;
        Ok(experiment)
    }

    /// Computes the background of a shot again where it is not that of the base.
    fn update_background(&self, experiment: &mut Experiment) -> Result<(), Failure> {
        let base = &self.base;
        let is_that_of_base = experiment.sources == base.sources
            && experiment.source_weights == base.source_weights
            && experiment.fluence_per_m2 == base.fluence_per_m2
            && experiment
                .panels
                .iter()
                .zip(&base.panels)
                .all(|(panel, other)| panel.detector == other.detector);
        if let Some(background) = base.background.as_ref().filter(|_| !is_that_of_base) {
            experiment.background = Some(Arc::new(background.of(experiment)?));
        }
        Ok(())
    }

    fn lattice(&self, row: &CrystalRow) -> Result<Lattice, Failure> {
        let base = &self.base;
        let crystal = match row.a_matrix {
            Some(a_matrix) => crystal(&a_matrix)?,
            None => base.crystal,
        };
        let (domains, mosaic_spread_rad, mosaic_axes_rad) = match row.mosaic_deg {
            Some(spread_deg) if row.mosaic_deg != self.usual_mosaic_deg() => {
                let spread_rad = spread_deg.to_radians();
                let usual = if base.domains.len() > 1 { base.domains.len() } else { MOSAIC_DOMAINS };
                (domains(spread_rad, usual)?, spread_rad, None)
            }
            _ => (base.domains.clone(), base.mosaic_spread_rad, base.mosaic_axes_rad),
        };
        Ok(Lattice {
            crystal,
            crystal_input: CrystalInput::Axes {
                direct: crystal.direct,
                reciprocal_per_angstrom: crystal.reciprocal_per_angstrom,
            },
            crystallite: Crystallite {
                cells: row.cells.unwrap_or(base.crystallite.cells),
                reciprocal_per_angstrom: crystal.reciprocal_per_angstrom,
                ..base.crystallite
            },
            domains,
            mosaic_spread_rad,
            mosaic_axes_rad,
            weight: row.weight.unwrap_or(1.0),
        })
    }
}

/// Refuses a base that has no shots.
fn check(base: &Experiment) -> Result<(), Failure> {
    let is_per_source = |grid: &FactorGrid| grid.of_source().is_some();
    let reasons = [
        (base.mode == PhiMode::CParity, "nanoBragg has no shots: they are for the mode spec"),
        (!base.crystals_at_frames.is_empty(), "a crystal that changes from frame to frame, in shots"),
        (
            base.structure_factors.as_deref().is_some_and(is_per_source),
            "structure factors for each energy, in shots",
        ),
    ];
    match reasons.into_iter().find(|&(is_met, _)| is_met) {
        Some((_, why)) => Err(Failure::impossible(Part::Shots, why)),
        None => Ok(()),
    }
}

/// A number of cells times a factor: whole where it was whole, and at least 1.
fn sized(cells: f64, factor: f64) -> f64 {
    let sized = (factor * cells).max(1.0);
    if cells.fract() == 0.0 { sized.round() } else { sized }
}

/// Mosaic rotations by a spread that is not the base's, as nanoBragg draws them by default.
fn domains(spread_rad: f64, count: usize) -> Result<Vec<Mat3>, Failure> {
    let mut domains = filled(if spread_rad > 0.0 { count } else { 1 }, IDENTITY)
        .ok_or_else(|| Failure::no_memory(Part::Mosaic, format!("{count} domains")))?;
    if spread_rad > 0.0 {
        fill_mosaic(spread_rad, MOSAIC_SEED, &mut domains).map_err(refused(Part::Mosaic))?;
    }
    Ok(domains)
}

/// The sources of a spectrum, in each direction of the base.
fn beam(base: &Experiment, spectrum: &Spectrum) -> Result<Beam, Failure> {
    let mut directions: Vec<Source> = Vec::new();
    for source in &base.sources {
        if directions.iter().all(|known| known.incident != source.incident) {
            directions.push(*source);
        }
    }
    let lines = spectrum.lines();
    let no_memory = || Failure::no_memory(Part::SourceList, format!("{} wavelengths", lines.len()));
    let count = directions.len().checked_mul(lines.len()).ok_or_else(no_memory)?;
    let mut sources = filled(count, Source::default()).ok_or_else(no_memory)?;
    let mut weights = filled(count, 1.0).ok_or_else(no_memory)?;
    let terms = directions.iter().flat_map(|direction| lines.iter().map(move |line| (direction, line)));
    for ((source, weight), (direction, line)) in sources.iter_mut().zip(&mut weights).zip(terms) {
        *source = Source { lambda_m: line.lambda_m, ..*direction };
        *weight = line.weight;
    }
    let differ = weights.windows(2).any(|pair| pair[0] != pair[1]);
    Ok(Beam { sources, weights: differ.then_some(weights), lambda_m: spectrum.mean_lambda_m() })
}

/// The crystal of an A matrix in 1/Angstrom.
fn crystal(a_matrix: &[[f64; 3]; 3]) -> Result<Crystal, Failure> {
    let star = |column: usize| Vec3::new(a_matrix[0][column], a_matrix[1][column], a_matrix[2][column]);
    let stars @ [a, b, c] = [star(0), star(1), star(2)];
    let volume = a.dot(b.cross(c));
    let per_volume = 1e-10 / volume;
    let direct = Orientation {
        a_m: per_volume * b.cross(c),
        b_m: per_volume * c.cross(a),
        c_m: per_volume * a.cross(b),
    };
    let is_possible = |edge: Vec3| edge.is_finite() && (1e-19..0.1).contains(&edge.length());
    if !(volume.is_finite() && [direct.a_m, direct.b_m, direct.c_m].into_iter().all(is_possible)) {
        return Err(Failure::impossible(Part::Shots, "a*, b* and c* span no cell"));
    }
    Ok(Crystal { direct, reciprocal_per_angstrom: stars, cell: cell_of(&direct) })
}

/// Shifts all panels along fast and slow of the first.
fn move_panels(panels: &mut [DetectorPanel], [along_fast_m, along_slow_m]: [f64; 2]) {
    let Some(first) = panels.first() else { return };
    let shift = along_fast_m * first.detector.fast + along_slow_m * first.detector.slow;
    for panel in panels {
        let placed = panel.detector;
        let moved = Detector {
            pix0_m: placed.pix0_m + shift,
            close_distance_m: placed.close_distance_m + shift.dot(placed.normal),
            fast_close_m: placed.fast_close_m - shift.dot(placed.fast),
            slow_close_m: placed.slow_close_m - shift.dot(placed.slow),
            ..placed
        };
        panel.detector = moved;
        panel.detector_input = DetectorInput::Placed(moved);
    }
}
