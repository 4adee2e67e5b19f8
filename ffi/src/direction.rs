//! Parameters of a scene, and the directions in which its variables change with them.

use widebragg::detector::{Detector, DetectorParameters};
use widebragg::gradient::{Model, Moves, Parameter, Variables};
use widebragg::scene::DetectorInput;

use crate::enums::{MODES, chosen};
use crate::memory::{Input, Output, disjoint};
use crate::parameters::{WB_GIVEN_AXES, finite, wb_scene_parameters};
use crate::record::{record, reported};
use crate::status::{Failure, wb_error};
use crate::variables::wb_variables;

/// x of cell vector a, in Angstrom.
pub const WB_BY_A_X: i32 = 0;
/// y of cell vector a, in Angstrom.
pub const WB_BY_A_Y: i32 = 1;
/// z of cell vector a, in Angstrom.
pub const WB_BY_A_Z: i32 = 2;
/// x of cell vector b, in Angstrom.
pub const WB_BY_B_X: i32 = 3;
/// y of cell vector b, in Angstrom.
pub const WB_BY_B_Y: i32 = 4;
/// z of cell vector b, in Angstrom.
pub const WB_BY_B_Z: i32 = 5;
/// x of cell vector c, in Angstrom.
pub const WB_BY_C_X: i32 = 6;
/// y of cell vector c, in Angstrom.
pub const WB_BY_C_Y: i32 = 7;
/// z of cell vector c, in Angstrom.
pub const WB_BY_C_Z: i32 = 8;
/// Length of a, in Angstrom.
pub const WB_BY_A: i32 = 9;
/// Length of b, in Angstrom.
pub const WB_BY_B: i32 = 10;
/// Length of c, in Angstrom.
pub const WB_BY_C: i32 = 11;
/// alpha, in rad.
pub const WB_BY_ALPHA: i32 = 12;
/// beta, in rad.
pub const WB_BY_BETA: i32 = 13;
/// gamma, in rad.
pub const WB_BY_GAMMA: i32 = 14;
/// Missetting rotation about lab x, in rad.
pub const WB_BY_MISSET_X: i32 = 15;
/// Missetting rotation about lab y, in rad.
pub const WB_BY_MISSET_Y: i32 = 16;
/// Missetting rotation about lab z, in rad.
pub const WB_BY_MISSET_Z: i32 = 17;
/// First phi, in rad.
pub const WB_BY_PHI0: i32 = 18;
/// Oscillation range, in rad, divided among the phi steps.
pub const WB_BY_OSC: i32 = 19;
/// Wavelength, in m.
pub const WB_BY_WAVELENGTH: i32 = 20;
/// Origin of the detector along lab x, in m.
pub const WB_BY_ORIGIN_X: i32 = 21;
/// Origin of the detector along lab y, in m.
pub const WB_BY_ORIGIN_Y: i32 = 22;
/// Origin of the detector along lab z, in m.
pub const WB_BY_ORIGIN_Z: i32 = 23;
/// Distance from sample to detector along the beam, in m.
pub const WB_BY_DISTANCE: i32 = 24;
/// Beam centre X, in m.
pub const WB_BY_BEAM_CENTRE_X: i32 = 25;
/// Beam centre Y, in m.
pub const WB_BY_BEAM_CENTRE_Y: i32 = 26;
/// Rotation of the detector about lab x, in rad.
pub const WB_BY_DETECTOR_ROTATION_X: i32 = 27;
/// Rotation of the detector about lab y, in rad.
pub const WB_BY_DETECTOR_ROTATION_Y: i32 = 28;
/// Rotation of the detector about lab z, in rad.
pub const WB_BY_DETECTOR_ROTATION_Z: i32 = 29;
/// Factor on the fluence.
pub const WB_BY_FLUENCE_SCALE: i32 = 30;
/// Factor on the angles of the mosaic rotations.
pub const WB_BY_MOSAIC_SCALE: i32 = 31;
/// Structure factor outside the grid, in electrons.
pub const WB_BY_DEFAULT_F: i32 = 32;
/// Added to the wavelength of every source, in m.
pub const WB_BY_SPECTRUM_SHIFT: i32 = 33;
/// Factor on the distances of the sources' wavelengths from `lambda0_m`.
pub const WB_BY_SPECTRUM_SCALE: i32 = 34;
/// Unit cells along a.
pub const WB_BY_CELLS_A: i32 = 35;
/// Unit cells along b.
pub const WB_BY_CELLS_B: i32 = 36;
/// Unit cells along c.
pub const WB_BY_CELLS_C: i32 = 37;
/// Unit cells along each of a, b and c.
pub const WB_BY_CELLS: i32 = 38;
/// The number of parameters.
pub const WB_PARAMETERS: i32 = 39;

/// The parameters of scenes in C, which have neither N matrices nor spreads about axes.
const IN_C: [Parameter; WB_PARAMETERS as usize] = *Parameter::ALL.first_chunk().unwrap();
const _: () = assert!(matches!(IN_C[WB_BY_CELLS as usize], Parameter::AllCells));

/// Sets `direction` to the derivatives of the variables of a scene by a parameter, one of `WB_BY_`. The
/// arrays that `parameters` points to are not read.
///
/// # Safety
/// * `parameters` is NULL or points to an initialised `wb_scene_parameters`, whose first field is its size in
///   bytes; no other thread writes it during the call.
/// * `direction` is NULL or points to room for a `wb_variables`, which no other thread accesses during the
///   call.
/// * `error` is NULL or points to room for a `wb_error`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_direction(
    parameters: *const wb_scene_parameters,
    parameter: i32,
    direction: *mut wb_variables,
    error: *mut wb_error,
) -> i32 {
    let find = || {
        let record = record(error)?;
        let direction = Output::one(direction.cast::<Variables>(), "direction")?;
        let read = Input::one(parameters, "parameters")?;
        disjoint(&[record, direction.region()], &[read.region()])?;
        // SAFETY: the caller guarantees that `parameters` points to an initialised struct of the size in its
        // first field, which no other thread writes.
        let parameters = unsafe { wb_scene_parameters::read(parameters) }?;
        let found = parameters.direction(parameter)?;
        // SAFETY: `direction` is not NULL, so the caller guarantees room for a `wb_variables` there, which
        // has the layout of `Variables`; no other thread accesses it.
        unsafe { direction.write(found) };
        Ok(())
    };
    // SAFETY: the caller guarantees that `error` is NULL or points to room for a record that no other thread
    // accesses.
    unsafe { reported(find(), error) }
}

impl wb_scene_parameters {
    fn direction(&self, parameter: i32) -> Result<Variables, Failure> {
        let number = f64::from(parameter);
        let parameter = chosen("parameter", parameter, &IN_C)?;
        if self.phi_steps == 0 {
            return Err(Failure::range("phi_steps", 0.0, "at least 1"));
        }
        finite("default_f", &[self.grid.default_f])?;
        let crystal = self.crystal_parameters()?;
        let detector = match (self.detector_input()?, parameter) {
            (DetectorInput::Parameters(detector), _) => detector,
            (DetectorInput::Placed(placed), Parameter::Origin(axis)) => {
                return Ok(direction_of_placed_origin(&placed, axis));
            }
            (
                DetectorInput::Placed(_),
                Parameter::Distance | Parameter::BeamCentre(_) | Parameter::DetectorRotation(_),
            ) => return Err(Failure::range("parameter", number, "one that WB_PLACED has")),
            // The remaining parameters do not change the detector, so any serves.
            (DetectorInput::Placed(_), _) => DetectorParameters::default(),
        };
        let mode = chosen("mode", self.mode, &MODES)?;
        let model = Model::new(crystal, detector, mode, self.phi_steps, self.grid.default_f)?;
        let mut found = model.direction(&Moves::default(), parameter)?;
        if self.given & WB_GIVEN_AXES != 0 && parameter == Parameter::Wavelength {
            // Axes that are given do not scale with the wavelength.
            (found.cell, found.reciprocal_per_angstrom) = Default::default();
        }
        Ok(found)
    }
}

/// The derivatives with respect to the origin of a placed detector along lab axis `axis`.
fn direction_of_placed_origin(placed: &Detector, axis: usize) -> Variables {
    let mut origin = [0.0; 3];
    if let Some(component) = origin.get_mut(axis) {
        *component = 1.0;
    }
    let along_normal = placed.normal.dot(origin.into());
    Variables {
        pix0_m: origin.into(),
        close_distance_m: along_normal,
        distance_m: along_normal * placed.distance_m / placed.close_distance_m,
        ..Variables::default()
    }
}
