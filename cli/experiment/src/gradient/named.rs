//! Names and units of what an image can be differentiated with respect to: the parameters that all panels and crystals
//! share ([`ALL`]), those of one of several crystals ([`of_crystal`]), and the motions of panels and of groups of them
//! ([`motions`]).

use core::f64::consts::PI;
use std::borrow::Cow;

use widebragg::crystal::CellSource;
use widebragg::gradient::{Motion, Parameter};
use widebragg::lattice::{CellCoupling, CrystalShape, Crystallite, SpotMetric};
use widebragg::scene::CrystalInput;

use super::moves::{Body, Movable, Moves, PanelGroup};
use crate::experiment::Experiment;
use crate::lattices::Lattice;

/// Something that moves, with its name and unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Name of its group.
    pub group: Cow<'static, str>,
    /// What it is.
    pub movable: Movable,
    /// Its unit; empty for a factor or a structure factor.
    pub unit: &'static str,
    /// Size of the unit in the kernel's unit.
    pub per_unit: f64,
}

const DEGREE: f64 = PI / 180.0;
const MM: f64 = 1e-3;
const ANGSTROM_M: f64 = 1e-10;

const fn named(
    name: &'static str,
    group: &'static str,
    parameter: Parameter,
    unit: &'static str,
    per_unit: f64,
) -> Named {
    Named {
        name: Cow::Borrowed(name),
        group: Cow::Borrowed(group),
        movable: Movable::Shared(parameter),
        unit,
        per_unit,
    }
}

/// All parameters that panels share.
pub static ALL: [Named; 45] = [
    named("a", "cell", Parameter::CellLength(0), "angstrom", 1.0),
    named("b", "cell", Parameter::CellLength(1), "angstrom", 1.0),
    named("c", "cell", Parameter::CellLength(2), "angstrom", 1.0),
    named("alpha", "cell", Parameter::CellAngle(0), "deg", DEGREE),
    named("beta", "cell", Parameter::CellAngle(1), "deg", DEGREE),
    named("gamma", "cell", Parameter::CellAngle(2), "deg", DEGREE),
    named("a_x", "vectors", Parameter::CellVector(0), "angstrom", 1.0),
    named("a_y", "vectors", Parameter::CellVector(1), "angstrom", 1.0),
    named("a_z", "vectors", Parameter::CellVector(2), "angstrom", 1.0),
    named("b_x", "vectors", Parameter::CellVector(3), "angstrom", 1.0),
    named("b_y", "vectors", Parameter::CellVector(4), "angstrom", 1.0),
    named("b_z", "vectors", Parameter::CellVector(5), "angstrom", 1.0),
    named("c_x", "vectors", Parameter::CellVector(6), "angstrom", 1.0),
    named("c_y", "vectors", Parameter::CellVector(7), "angstrom", 1.0),
    named("c_z", "vectors", Parameter::CellVector(8), "angstrom", 1.0),
    named("misset_x", "misset", Parameter::Misset(0), "deg", DEGREE),
    named("misset_y", "misset", Parameter::Misset(1), "deg", DEGREE),
    named("misset_z", "misset", Parameter::Misset(2), "deg", DEGREE),
    named("phi", "phi", Parameter::Phi0, "deg", DEGREE),
    named("osc", "osc", Parameter::Osc, "deg", DEGREE),
    named("lambda", "lambda", Parameter::Wavelength, "angstrom", ANGSTROM_M),
    named("origin_x", "origin", Parameter::Origin(0), "mm", MM),
    named("origin_y", "origin", Parameter::Origin(1), "mm", MM),
    named("origin_z", "origin", Parameter::Origin(2), "mm", MM),
    named("distance", "distance", Parameter::Distance, "mm", MM),
    named("beam_x", "beam", Parameter::BeamCentre(0), "mm", MM),
    named("beam_y", "beam", Parameter::BeamCentre(1), "mm", MM),
    named("detector_rotx", "detector", Parameter::DetectorRotation(0), "deg", DEGREE),
    named("detector_roty", "detector", Parameter::DetectorRotation(1), "deg", DEGREE),
    named("detector_rotz", "detector", Parameter::DetectorRotation(2), "deg", DEGREE),
    named("scale", "scale", Parameter::FluenceScale, "", 1.0),
    named("mosaic", "mosaic", Parameter::MosaicScale, "deg", 1.0),
    named("mosaic_a", "mosaic", Parameter::MosaicAxisScale(0), "deg", 1.0),
    named("mosaic_b", "mosaic", Parameter::MosaicAxisScale(1), "deg", 1.0),
    named("mosaic_c", "mosaic", Parameter::MosaicAxisScale(2), "deg", 1.0),
    named("N", "N", Parameter::AllCells, "cells", 1.0),
    named("Na", "cells", Parameter::Cells(0), "cells", 1.0),
    named("Nb", "cells", Parameter::Cells(1), "cells", 1.0),
    named("Nc", "cells", Parameter::Cells(2), "cells", 1.0),
    named("Nab", "coupling", Parameter::Coupling(0), "cells", 1.0),
    named("Nac", "coupling", Parameter::Coupling(1), "cells", 1.0),
    named("Nbc", "coupling", Parameter::Coupling(2), "cells", 1.0),
    named("spectrum_shift", "spectrum", Parameter::SpectrumShift, "angstrom", ANGSTROM_M),
    named("spectrum_scale", "spectrum", Parameter::SpectrumScale, "", 1.0),
    named("default_F", "default_F", Parameter::DefaultF, "", 1.0),
];

impl Named {
    /// The parameter of `experiment`: the kernel moves mosaic spreads by factors, so that their unit depends on the
    /// spread. Of several crystals it is that of the first, and the others' spreads keep their ratios to it.
    ///
    /// # Errors
    /// Why the experiment has no such parameter, or its image no derivative with respect to it.
    pub fn of(self, experiment: &Experiment) -> Result<Self, &'static str> {
        let Movable::Shared(parameter) = self.movable else { return Ok(self) };
        let is_twin = |lattice: &Lattice| matches!(lattice.crystal_input, CrystalInput::Axes { .. });
        if orients(parameter) && experiment.other_lattices.iter().any(is_twin) {
            return Err("a crystal and its twin move one by one (crystal[1], crystal[2])");
        }
        let per_unit = |lattice: Lattice| self.per_unit_of(&lattice, experiment);
        let of_all: Vec<f64> = experiment.all_lattices().map(per_unit).collect::<Result<_, _>>()?;
        Ok(Self { per_unit: of_all.first().copied().unwrap_or(self.per_unit), ..self })
    }

    /// The size of the unit for a crystal.
    fn per_unit_of(&self, lattice: &Lattice, experiment: &Experiment) -> Result<f64, &'static str> {
        let Crystallite { shape, cells, spots, .. } = lattice.crystallite;
        let Some(parameter) = self.parameter() else { return Ok(self.per_unit) };
        match parameter {
            Parameter::MosaicScale if lattice.mosaic_spread_rad > 0.0 => {
                Ok(DEGREE / lattice.mosaic_spread_rad)
            }
            Parameter::MosaicScale => Err("there is no mosaic spread (-mosaic)"),
            Parameter::MosaicAxisScale(i) => match lattice.mosaic_axes_rad {
                Some(spreads_rad) => Ok(DEGREE / at(spreads_rad, i)),
                None => Err("there are no mosaic spreads about a, b and c (--mosaic-anisotropic)"),
            },
            Parameter::Cells(_) | Parameter::AllCells if shape == CrystalShape::Tophat => {
                Err("images of tophat spots have no derivative with respect to the width of the spots")
            }
            Parameter::Cells(i) if at(cells, i) <= 1.0 => Err(NO_FEWER_CELLS),
            Parameter::AllCells if cells.iter().any(|&n| n <= 1.0) => Err(NO_FEWER_CELLS),
            Parameter::Coupling(_) if shape != CrystalShape::Gauss || spots.metric != SpotMetric::Index => {
                Err("an N matrix needs Gaussian spots of index metric (-gauss_xtal --spot-metric index)")
            }
            Parameter::SpectrumScale
                if experiment.sources.windows(2).all(|two| two[0].lambda_m == two[1].lambda_m) =>
            {
                Err("there is a single wavelength")
            }
            _ => Ok(self.per_unit),
        }
    }

    /// The parameter of the kernel, of all crystals or of one; `None` for a motion of panels.
    #[must_use]
    pub fn parameter(&self) -> Option<Parameter> {
        match self.movable {
            Movable::Shared(parameter) | Movable::Crystal(_, parameter) => Some(parameter),
            Movable::Rigid(..) => None,
        }
    }

    /// The parameter that all panels and crystals share; `None` for others.
    #[must_use]
    pub fn shared(&self) -> Option<Parameter> {
        match self.movable {
            Movable::Shared(parameter) => Some(parameter),
            Movable::Crystal(..) | Movable::Rigid(..) => None,
        }
    }
}

/// Whether a parameter is the cell or the orientation of a crystal.
fn orients(parameter: Parameter) -> bool {
    matches!(
        parameter,
        Parameter::CellVector(_) | Parameter::CellLength(_) | Parameter::CellAngle(_) | Parameter::Misset(_)
    )
}

/// Whether each of several crystals has a parameter of its own.
#[must_use]
pub fn is_of_crystal(parameter: Parameter) -> bool {
    let has_size = matches!(
        parameter,
        Parameter::MosaicScale
            | Parameter::MosaicAxisScale(_)
            | Parameter::AllCells
            | Parameter::Cells(_)
            | Parameter::Coupling(_)
    );
    orients(parameter) || has_size || parameter == Parameter::FluenceScale
}

/// The name of a crystal's factor on its photons, and that of its group.
const WEIGHT: &str = "weight";

/// The parameters of one of several crystals, counted from 0, with the name or the group `word`, or all of them:
/// `crystal[1].weight`, `crystal[1].misset_x` and so on, the crystals counted from 1. Where the crystal lacks a
/// parameter, the reason.
#[must_use]
pub fn of_crystal(
    crystal: usize,
    word: Option<&str>,
    experiment: &Experiment,
) -> Vec<Result<Named, &'static str>> {
    let Some(lattice) = experiment.all_lattices().nth(crystal) else { return Vec::new() };
    let own = ALL.iter().filter_map(|named| Some((named, named.shared().filter(|&p| is_of_crystal(p))?)));
    let own = own.map(|(named, parameter)| match parameter {
        Parameter::FluenceScale => (named, parameter, WEIGHT, WEIGHT),
        _ => (named, parameter, &*named.name, &*named.group),
    });
    let wanted = own.filter(|&(_, _, name, group)| word.is_none_or(|word| word == name || word == group));
    let label = format!("crystal[{}]", crystal + 1);
    let named = |(named, parameter, name, _): (&Named, Parameter, &str, &str)| {
        let per_unit = match parameter {
            Parameter::FluenceScale => 1.0 / lattice.weight,
            _ => named.per_unit_of(&lattice, experiment)?,
        };
        Ok(Named {
            name: format!("{label}.{name}").into(),
            group: label.clone().into(),
            movable: Movable::Crystal(crystal, parameter),
            unit: named.unit,
            per_unit,
        })
    };
    wanted.map(named).collect()
}

const NO_FEWER_CELLS: &str = "needs more than one cell, since a crystal cannot have fewer";

fn at(array: [f64; 3], i: usize) -> f64 {
    array.get(i).copied().unwrap_or(0.0)
}

/// The components of a rigid motion, shifts along the axes of its frame and rotations about them: their names, units, and
/// sizes of these in the kernel's units.
pub const MOTIONS: [(&str, Motion, &str, f64); 6] = [
    ("fast", Motion::Shift(0), "mm", MM),
    ("slow", Motion::Shift(1), "mm", MM),
    ("normal", Motion::Shift(2), "mm", MM),
    ("rot_fast", Motion::Rotation(0), "deg", DEGREE),
    ("rot_slow", Motion::Rotation(1), "deg", DEGREE),
    ("rot_normal", Motion::Rotation(2), "deg", DEGREE),
];

/// The components of the motion of a body: `panel[NAME].fast` or `group[NAME].fast` and so on. A panel whose name
/// others have as well has its number among all panels of the detector instead.
pub fn motions(
    body: Body,
    experiment: &Experiment,
    groups: &[PanelGroup],
) -> impl Iterator<Item = Named> + use<> {
    let label = match body {
        Body::Group(group) => format!("group[{}]", groups.get(group).map_or("", |group| &group.name)),
        Body::Panel(at) => {
            let panels = &experiment.panels;
            let same = |name: &str| panels.iter().filter(|panel| panel.name == name).count();
            let named = panels.get(at).map(|panel| match same(&panel.name) {
                1 => format!("panel[{}]", panel.name),
                _ => format!("panel[{}]", panel.number),
            });
            named.unwrap_or_default()
        }
    };
    MOTIONS.into_iter().map(move |(component, motion, unit, per_unit)| Named {
        name: format!("{label}.{component}").into(),
        group: label.clone().into(),
        movable: Movable::Rigid(body, motion),
        unit,
        per_unit,
    })
}

/// The value of a parameter after `moves`, in its unit. The cell is the one given: the reference derives vectors from
/// it whose angles differ slightly. Those of a detector of several panels are the first panel's, those of several crystals
/// the first crystal's, and motions begin at 0.
#[must_use]
pub fn value(named: &Named, experiment: &Experiment, moves: &Moves) -> f64 {
    let (parameter, crystal) = match named.movable {
        Movable::Shared(parameter) => (parameter, 0),
        Movable::Crystal(crystal, parameter) => (parameter, crystal),
        Movable::Rigid(..) => return moves.get(named.movable) / named.per_unit,
    };
    let by = match named.movable {
        // The factor that all share is none of the weight of one.
        Movable::Crystal(_, Parameter::FluenceScale) => moves.get(named.movable),
        Movable::Crystal(..) => moves.of_crystal(crystal).get(parameter),
        _ => moves.shared.get(parameter),
    };
    let Some(lattice) = experiment.all_lattices().nth(crystal) else { return f64::NAN };
    let (cell, misset_rad) = match lattice.crystal_input {
        CrystalInput::Cell { source: CellSource::Cell(cell), misset_rad } => (cell, misset_rad),
        CrystalInput::Cell { misset_rad, .. } => (lattice.crystal.cell, misset_rad),
        CrystalInput::Axes { .. } => (lattice.crystal.cell, [0.0; 3]),
    };
    let direct = lattice.crystal.direct;
    let panel = experiment.first_panel();
    let detector = &panel.detector;
    let before = match parameter {
        Parameter::CellVector(i) => {
            let vector = [direct.a_m, direct.b_m, direct.c_m];
            vector.get(i / 3).map_or(0.0, |v| at(v.to_array(), i % 3)) / ANGSTROM_M
        }
        Parameter::CellLength(i) => at(cell.lengths_angstrom, i),
        Parameter::CellAngle(i) => at(cell.angles_rad, i),
        Parameter::Misset(i) => at(misset_rad, i),
        Parameter::Phi0 => experiment.phi0_rad,
        Parameter::Osc => experiment.phi.range,
        Parameter::Wavelength => experiment.lambda0_m,
        Parameter::Origin(i) => at(detector.pix0_m.to_array(), i),
        Parameter::Distance => detector.distance_m,
        Parameter::BeamCentre(0) => detector.x_beam_m,
        Parameter::BeamCentre(_) => detector.y_beam_m,
        Parameter::DetectorRotation(i) => {
            at(panel.detector_parameters().map_or([0.0; 3], |parameters| parameters.rotation_rad), i)
        }
        Parameter::FluenceScale
        | Parameter::MosaicScale
        | Parameter::MosaicAxisScale(_)
        | Parameter::SpectrumScale => 1.0,
        Parameter::DefaultF => experiment.default_f,
        Parameter::SpectrumShift => 0.0,
        Parameter::Cells(i) => at(lattice.crystallite.cells, i),
        Parameter::AllCells => lattice.crystallite.cells.iter().sum::<f64>() / 3.0,
        Parameter::Coupling(i) => {
            let CellCoupling { ab, ac, bc } = lattice.crystallite.spots.coupling;
            at([ab, ac, bc], i)
        }
    };
    (before + by) / named.per_unit
}
