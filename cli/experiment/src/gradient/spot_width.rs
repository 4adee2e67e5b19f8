//! The steps of parameters that move spots by a given part of their width.

use widebragg::gradient::{Motion, Parameter};
use widebragg::lattice::CrystalShape;

use super::moves::Movable;
use super::problem::Problem;
use crate::lattices::Lattice;

/// The step of something that moves, in the kernel's unit, that changes the phase of the interference function by
/// `small`, in half turns, where it changes it most.
pub fn step_of_phase(problem: &Problem<'_>, movable: Movable, small: f64) -> f64 {
    let all = problem.experiment().all_lattices().enumerate();
    let moving = all.filter(|(crystal, _)| !matches!(movable, Movable::Crystal(only, _) if only != *crystal));
    moving.map(|(_, lattice)| step_of(problem, &lattice, movable, small)).fold(f64::INFINITY, f64::min)
}

/// The step for one of the crystals.
fn step_of(problem: &Problem<'_>, lattice: &Lattice, movable: Movable, small: f64) -> f64 {
    let experiment = problem.experiment();
    let cells = lattice.crystallite.cells_across_spots().into_iter().fold(1.0, f64::max);
    let longest = lattice.crystal.cell.lengths_angstrom.iter().copied().fold(0.0, f64::max);
    let lambda_angstrom = experiment.lambda0_m / 1e-10;
    let phase = cells * 2.0 / lambda_angstrom;
    let turn = small / (phase * longest);
    let reach = experiment.first_panel().detector.pix0_m.length();
    let parameter = match movable {
        Movable::Shared(parameter) | Movable::Crystal(_, parameter) => parameter,
        Movable::Rigid(body, component) => {
            let [radius_m, distance_m] = problem.size_m(body);
            return match component {
                Motion::Shift(_) => turn * distance_m,
                Motion::Rotation(_) => turn * distance_m / radius_m,
            };
        }
    };
    match parameter {
        Parameter::CellVector(_) | Parameter::CellLength(_) => small / phase,
        Parameter::CellAngle(_) | Parameter::Misset(_) | Parameter::Phi0 => turn,
        Parameter::Osc | Parameter::DetectorRotation(_) => turn,
        Parameter::Wavelength => turn * experiment.lambda0_m,
        Parameter::Origin(_) | Parameter::Distance | Parameter::BeamCentre(_) => turn * reach,
        Parameter::FluenceScale => small,
        Parameter::MosaicScale => (turn / lattice.mosaic_spread_rad.max(1e-9)).min(small),
        Parameter::MosaicAxisScale(_) => {
            let widest_rad = lattice.mosaic_axes_rad.into_iter().flatten().fold(1e-9, f64::max);
            (turn / widest_rad).min(small)
        }
        Parameter::SpectrumShift => turn * experiment.lambda0_m,
        Parameter::SpectrumScale => {
            let wavelengths = || experiment.sources.iter().map(|source| source.lambda_m);
            let (shortest_m, longest_m) =
                (wavelengths().fold(f64::INFINITY, f64::min), wavelengths().fold(0.0, f64::max));
            (turn * experiment.lambda0_m / (longest_m - shortest_m)).min(small)
        }
        Parameter::Cells(_) | Parameter::AllCells | Parameter::Coupling(_) => {
            // A part of the cells that there are beyond one, since there cannot be fewer.
            let beyond_one = lattice.crystallite.cells.into_iter().fold(f64::INFINITY, f64::min) - 1.0;
            match lattice.crystallite.shape {
                // The phase is N h.
                CrystalShape::Square => small * (lambda_angstrom / (2.0 * longest)).min(beyond_one),
                CrystalShape::Round | CrystalShape::Gauss | CrystalShape::Tophat => small * beyond_one,
            }
        }
        Parameter::DefaultF => small * experiment.default_f.abs().max(1.0),
    }
}
