//! Several crystals in one image.
//!
//! Crystals that the same photons hit are lattices of one experiment. They share beam, detector, rotation, structure
//! factors and the shape of their spots, and each has an orientation and a cell, a size, mosaic domains and a weight
//! of its own. Their image is
//!
//! ```text
//! I = background + sum over lattices of weight I_lattice
//! ```
//!
//! where I_lattice is the image of the lattice alone. No waves of two crystals interfere.
//!
//! **Rounding.** The image of each lattice is rounded to f32, as files store it, and these are added in the order of the
//! lattices. So n lattices have a relative error of at most n 6e-8, and a single one has the bits it has alone.

use widebragg::crystal::Crystal;
use widebragg::lattice::Crystallite;
use widebragg::mosaic::fill_domains;
use widebragg::random::fill_mosaic;
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiMode, apply, orientations_len};
use widebragg::sampling::Steps;
use widebragg::scene::{CrystalInput, MosaicInput, Scene};
use widebragg::vector::Vec3;
use widebragg_formats::memory::filled;

use crate::derive;
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::geometry::reciprocal_axes;
use crate::panels::DetectorPanel;
use crate::parameters::{LatticeParameters, Parameters};
use crate::tables::too_many_orientations;
use crate::warning::Warning;

/// A crystal beside the first one of an experiment.
#[derive(Debug, Clone)]
pub struct Lattice {
    /// The oriented crystal at phi = 0.
    pub crystal: Crystal,
    /// What it was oriented from.
    pub crystal_input: CrystalInput,
    /// Shape, size and reciprocal axes.
    pub crystallite: Crystallite,
    /// Mosaic domains.
    pub domains: Vec<Mat3>,
    /// Mosaic spread, in rad; 0 where there is a single domain, a list, or a spread that differs with the axis.
    pub mosaic_spread_rad: f64,
    /// Mosaic spreads about a, b and c, in rad, where they differ.
    pub mosaic_axes_rad: Option<[f64; 3]>,
    /// Factor on its photons, above 0.
    pub weight: f64,
}

impl Lattice {
    /// Derives the lattice of an experiment of `parameters`.
    pub(crate) fn new(
        lattice: &LatticeParameters,
        parameters: &Parameters,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<Self, Failure> {
        let LatticeParameters { crystal: crystal_input, cells, ref mosaic, weight } = *lattice;
        check_weight(weight)?;
        let crystal = derive::crystal(&crystal_input, parameters.lambda0_m)?;
        let crystallite = Crystallite { cells, ..derive::crystallite(parameters, &crystal, &mut |_| ()) };
        let mosaic = derive::mosaic(mosaic, warn);
        Ok(Self {
            crystal,
            crystal_input,
            crystallite,
            domains: domains(&mosaic, crystal.direct)?,
            mosaic_spread_rad: derive::mosaic_spread_rad(&mosaic),
            mosaic_axes_rad: derive::mosaic_axes_rad(&mosaic),
            weight,
        })
    }
}

/// Refuses weights that are negative or not finite.
pub(crate) fn check_weight(weight: f64) -> Result<(), Failure> {
    if weight >= 0.0 && weight.is_finite() {
        return Ok(());
    }
    Err(Failure::impossible(Part::Crystal, format!("a weight of {weight}: weights are 0 or more")))
}

fn domains(mosaic: &MosaicInput<'_>, direct: Orientation) -> Result<Vec<Mat3>, Failure> {
    let count = match *mosaic {
        MosaicInput::List(list) => list.len(),
        MosaicInput::Spread { domains, .. } | MosaicInput::Model { domains, .. } => domains,
    };
    let no_memory = || Failure::no_memory(Part::Mosaic, format!("{count} domains"));
    let mut domains = filled(count, IDENTITY).ok_or_else(no_memory)?;
    let filled = match mosaic {
        MosaicInput::List(list) => {
            domains.copy_from_slice(list);
            Ok(())
        }
        MosaicInput::Spread { spread_rad, seed, .. } => fill_mosaic(*spread_rad, *seed, &mut domains),
        MosaicInput::Model { model, .. } => {
            model.check(count).and_then(|()| fill_domains(model, &direct, &mut domains))
        }
    };
    filled.map_err(refused(Part::Mosaic))?;
    Ok(domains)
}

/// Largest part by which a twin law may stretch a crystal: laws of pseudo-symmetry are not exact.
const STRETCH: f64 = 0.05;

/// The twin of a crystal by a law: what has the index h on the crystal has the index R h on the twin, R the rows of
/// `law`, as far as the law is one of the lattice. The twin is the crystal rotated by the rotation nearest to A R^-1 A^-1,
/// A the matrix of a*, b*, c*; a law of determinant -1 stands for -R, which by Friedel's law has the same F.
///
/// # Errors
/// The law turns the lattice into one that differs from it by more than 5 %.
///
/// ```
/// use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
/// use widebragg_experiment::lattices::twin;
///
/// let cell = UnitCell::from_degrees([60.0, 60.0, 90.0], [90.0, 90.0, 120.0]);
/// let crystal = CrystalParameters { source: CellSource::Cell(cell), lambda0_m: 1e-10, misset_rad: [0.1, 0.2, 0.3] };
/// let crystal = Crystal::new(&crystal).expect("a crystal");
/// let twin = twin(&crystal, &[[0, 1, 0], [1, 0, 0], [0, 0, -1]])?;
/// assert!((twin.direct.a_m - crystal.direct.b_m).length() < 1e-20);
/// # Ok::<(), widebragg_experiment::failure::Failure>(())
/// ```
pub fn twin(crystal: &Crystal, law: &[[i32; 3]; 3]) -> Result<Crystal, Failure> {
    let axes = [crystal.direct.a_m, crystal.direct.b_m, crystal.direct.c_m];
    let rows = law.map(|row| row.map(f64::from));
    let [u, v, w] = rows.map(|[x, y, z]| Vec3::new(x, y, z));
    let determinant = u.dot(v.cross(w));
    // With R, a vector of direct space has the coefficients R^-T x: axis j of the twin is the sum of R_ji times axis i.
    let images = rows.map(|[x, y, z]| determinant * (x * axes[0] + y * axes[1] + z * axes[2]));
    let stars = reciprocal_axes(crystal).map(|axis| 1e10 * axis);
    // The map from axes to images: the sum of images times reciprocal axes.
    let mut map: Mat3 = core::array::from_fn(|row| {
        core::array::from_fn(|column| {
            (0..3).map(|i| images[i].to_array()[row] * stars[i].to_array()[column]).sum()
        })
    });
    let stretched = |map: &Mat3| -> f64 {
        let dot = |i: usize, j: usize| (0..3).map(|k| map[k][i] * map[k][j]).sum::<f64>();
        (0..9)
            .map(|n| dot(n / 3, n % 3) - f64::from(u8::from(n / 3 == n % 3)))
            .map(f64::abs)
            .fold(0.0, f64::max)
    };
    if stretched(&map).is_nan() || stretched(&map) > 2.0 * STRETCH {
        return Err(Failure::impossible(
            Part::Crystal,
            "the law is none of this crystal: it turns its lattice into another one",
        ));
    }
    // Newton's iteration for the orthogonal factor: the mean with the inverse transpose.
    for _ in 0..10 {
        let [x, y, z] = map.map(|[x, y, z]| Vec3::new(x, y, z));
        let per_volume = 1.0 / x.dot(y.cross(z));
        let cofactors = [y.cross(z), z.cross(x), x.cross(y)].map(|row| (per_volume * row).to_array());
        map = core::array::from_fn(|row| {
            core::array::from_fn(|column| 0.5 * (map[row][column] + cofactors[row][column]))
        });
    }
    Ok(Crystal {
        direct: crystal.direct.map(|axis| apply(&map, axis)),
        reciprocal_per_angstrom: crystal.reciprocal_per_angstrom.map(|axis| apply(&map, axis)),
        cell: crystal.cell,
    })
}

impl Experiment {
    /// The number of its lattices.
    #[must_use]
    pub fn lattices(&self) -> usize {
        1 + self.other_lattices.len()
    }

    /// The same experiment with one of its lattices alone, counted from 0; its weight stays.
    ///
    /// # Panics
    /// There is no such lattice.
    #[must_use]
    pub fn on_lattice(&self, lattice: usize) -> Self {
        let alone = Self { other_lattices: Vec::new(), ..self.clone() };
        match lattice.checked_sub(1) {
            None => alone,
            Some(other) => alone.with_first(self.other_lattices[other].clone()),
        }
    }

    /// The same experiment with these lattices in place of its own; those of weight 0 are left out. Without any, its image
    /// is its background.
    ///
    /// # Errors
    /// A weight that is negative or not finite, or several lattices in c-parity mode.
    pub fn with_lattices(&self, lattices: Vec<Lattice>) -> Result<Self, Failure> {
        lattices.iter().try_for_each(|lattice| check_weight(lattice.weight))?;
        let mut shining = lattices.into_iter().filter(|lattice| lattice.weight > 0.0);
        let Some(first) = shining.next() else { return Ok(self.clone().blank()) };
        let lit = Self { other_lattices: shining.collect(), ..self.clone().with_first(first) };
        lit.check_lattices()?;
        Ok(lit)
    }

    /// Refuses several lattices where there can be but one.
    pub(crate) fn check_lattices(&self) -> Result<(), Failure> {
        if self.other_lattices.is_empty() {
            return Ok(());
        }
        if self.mode == PhiMode::CParity {
            let why = "nanoBragg has one crystal: several are for the mode spec";
            return Err(Failure::impossible(Part::Crystal, why));
        }
        if !self.crystals_at_frames.is_empty() {
            let why = "several crystals, of which the first changes from frame to frame";
            return Err(Failure::impossible(Part::Crystal, why));
        }
        Ok(())
    }

    /// The first lattice, as the others are.
    #[must_use]
    pub fn first_lattice(&self) -> Lattice {
        Lattice {
            crystal: self.crystal,
            crystal_input: self.crystal_input,
            crystallite: self.crystallite,
            domains: self.domains.clone(),
            mosaic_spread_rad: self.mosaic_spread_rad,
            mosaic_axes_rad: self.mosaic_axes_rad,
            weight: self.weight,
        }
    }

    /// All of its lattices, in order.
    pub fn all_lattices(&self) -> impl Iterator<Item = Lattice> + '_ {
        core::iter::once(self.first_lattice()).chain(self.other_lattices.iter().cloned())
    }

    pub(crate) fn with_first(self, lattice: Lattice) -> Self {
        let Lattice { crystal, crystal_input, crystallite, domains, weight, .. } = lattice;
        let Lattice { mosaic_spread_rad, mosaic_axes_rad, .. } = lattice;
        Self {
            crystal,
            crystal_input,
            crystallite,
            domains,
            mosaic_spread_rad,
            mosaic_axes_rad,
            weight,
            ..self
        }
    }

    /// Whether derivatives need a scene of its own for the water. The water is otherwise part of the first crystal's scene, and
    /// would change with the weight of that crystal.
    pub(crate) fn has_water_apart(&self) -> bool {
        self.water_m > 0.0 && !self.other_lattices.is_empty()
    }

    /// The experiment without its crystals: a single step without structure factors, and the water.
    pub(crate) fn blank(self) -> Self {
        let crystallite = Crystallite { cells: [1.0; 3], ..self.crystallite };
        Self {
            crystallite,
            domains: vec![IDENTITY],
            phi: Steps { count: 1, ..self.phi },
            structure_factors: None,
            default_f: 0.0,
            interpolate: false,
            weight: 1.0,
            other_lattices: Vec::new(),
            ..self
        }
    }

    /// Orientations of all lattices in a frame.
    pub(crate) fn orientations_len(&self) -> Result<usize, Failure> {
        let of_domains = |domains: &[Mat3]| orientations_len(self.phi.count, domains.len()).ok();
        let others = self.other_lattices.iter().map(|lattice| of_domains(&lattice.domains));
        let sum = others.fold(of_domains(&self.domains), |sum, len| sum?.checked_add(len?));
        sum.ok_or_else(too_many_orientations)
    }
}

/// The scenes of a frame: one for each lattice and panel.
#[derive(Debug)]
pub struct FrameScenes<'a> {
    /// Those of each lattice.
    lattices: Vec<Vec<Scene<'a>>>,
}

impl<'a> FrameScenes<'a> {
    /// The scenes of several lattices, at least one, on the same panels.
    pub(crate) fn new(first: Vec<Scene<'a>>, others: Vec<Vec<Scene<'a>>>) -> Self {
        Self { lattices: core::iter::once(first).chain(others).collect() }
    }

    /// Those of the first lattice, one for each panel: for all that does not depend on the crystal.
    #[must_use]
    pub fn panels(&self) -> &[Scene<'a>] {
        &self.lattices[0]
    }

    /// Those of each lattice, one for each panel.
    pub(crate) fn lattices(&self) -> impl Iterator<Item = &[Scene<'a>]> {
        self.lattices.iter().map(Vec::as_slice)
    }

    /// Those of a panel, one for each lattice.
    pub(crate) fn on_panel(
        &self,
        panel: usize,
    ) -> impl DoubleEndedIterator<Item = &Scene<'a>> + ExactSizeIterator {
        self.lattices.iter().map(move |scenes| &scenes[panel])
    }
}

/// The scenes on all panels, of which `first` is that on the first.
pub(crate) fn on_panels<'a>(
    first: Scene<'a>,
    panels: &'a [DetectorPanel],
) -> Result<Vec<Scene<'a>>, widebragg::Error> {
    let on = |panel: &'a DetectorPanel| first.on_panel(panel.panel(), panel.roi, panel.mask());
    core::iter::once(Ok(first)).chain(panels[1..].iter().map(on)).collect()
}
