//! The parameters that users change, and the variables of a scene that follow from them.
//!
//! **Formulas.** Those of [`crate::crystal`] and [`crate::detector`], evaluated with numbers that carry a
//! derivative ([`crate::real::Dual`]). The derivatives are therefore those of the set-up itself, and there is
//! no second description of cell and detector. The following is defined here, since the set-up has no
//! parameter for it:
//!
//! * a change of the lengths and angles of a cell that comes from a matrix keeps the line of a and the plane
//!   of a and b;
//! * a shift of the origin moves the whole detector, and the distances follow;
//! * the beam centre is Xbeam, Ybeam if the convention uses them, else the foot of the normal that it uses
//!   (ORGX, ORGY);
//! * a detector that was placed without parameters ([`Model::of_placed`]) turns about the sample, by lab x, then y,
//!   then z; its distance shifts it along the beam, and its beam centre against its fast and slow axis;
//! * a shift of the wavelength scales the wavelengths of all sources and shifts the one by which a matrix is
//!   scaled;
//! * a shift of the spectrum adds to the wavelengths of all sources, and a change of its width moves them away from one of
//!   them, in proportion to their distance ([`Model::about_wavelength`]); neither has to do with the cell.
//!
//! Numbers of steps and domains, and the steps whose phi is exactly 0, do not change.

use super::{MotionFrame, RigidMotion, Variables};
use crate::Error;
use crate::crystal::{CellSource, Crystal, CrystalParameters, UnitCell, edges};
use crate::defaults;
use crate::detector::{Convention, Detector, DetectorParameters, Placement};
use crate::real::{Dual, Real};
use crate::rotation::{Orientation, PhiMode};
use crate::vector::Vec3;

/// A parameter of the model. The `usize` is the index of a component: a, b, c or x, y, z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    /// Component of the cell vectors, in Angstrom: 0 to 8, for ax, ay, az, bx and so on.
    CellVector(usize),
    /// Length of a, b, c, in Angstrom.
    CellLength(usize),
    /// alpha, beta, gamma, in rad.
    CellAngle(usize),
    /// Missetting rotation about lab x, y, z, in rad.
    Misset(usize),
    /// First phi, in rad.
    Phi0,
    /// Oscillation range, in rad, divided among the steps.
    Osc,
    /// Wavelength, in m.
    Wavelength,
    /// Detector origin along lab x, y, z, in m.
    Origin(usize),
    /// Distance from the sample to the detector along the beam, in m.
    Distance,
    /// X or Y of the beam centre, in m.
    BeamCentre(usize),
    /// Detector rotation about lab x, y, z, in rad.
    DetectorRotation(usize),
    /// Factor on the fluence.
    FluenceScale,
    /// Factor on the mosaic spread, that is on the angles of the rotations of the domains.
    MosaicScale,
    /// Structure factor of reflections outside the grid.
    DefaultF,
    /// Added to the wavelength of every source, in m.
    SpectrumShift,
    /// Factor on the distances of the sources' wavelengths from that of [`Model::about_wavelength`].
    SpectrumScale,
    /// Unit cells along a, b, c.
    Cells(usize),
    /// Unit cells along each of a, b and c: the same number is added to all three.
    AllCells,
    /// Element ab, ac, bc of the N matrix, in cells.
    Coupling(usize),
    /// Factor on the mosaic spread about a, b, c.
    MosaicAxisScale(usize),
}

/// Number of parameters.
pub const PARAMETERS: usize = 45;

impl Parameter {
    /// All parameters, in the order of [`Moves`].
    pub const ALL: [Self; PARAMETERS] = {
        let mut all = [Self::DefaultF; PARAMETERS];
        let mut i = 0;
        while i < 9 {
            all[i] = Self::CellVector(i);
            i += 1;
        }
        while i < 18 {
            let (kind, component) = (i / 3, i % 3);
            all[i] = match kind {
                3 => Self::CellLength(component),
                4 => Self::CellAngle(component),
                _ => Self::Misset(component),
            };
            i += 1;
        }
        all[18] = Self::Phi0;
        all[19] = Self::Osc;
        all[20] = Self::Wavelength;
        all[21] = Self::Origin(0);
        all[22] = Self::Origin(1);
        all[23] = Self::Origin(2);
        all[24] = Self::Distance;
        all[25] = Self::BeamCentre(0);
        all[26] = Self::BeamCentre(1);
        all[27] = Self::DetectorRotation(0);
        all[28] = Self::DetectorRotation(1);
        all[29] = Self::DetectorRotation(2);
        all[30] = Self::FluenceScale;
        all[31] = Self::MosaicScale;
        all[33] = Self::SpectrumShift;
        all[34] = Self::SpectrumScale;
        all[38] = Self::AllCells;
        let mut i = 0;
        while i < 3 {
            all[35 + i] = Self::Cells(i);
            all[39 + i] = Self::Coupling(i);
            all[42 + i] = Self::MosaicAxisScale(i);
            i += 1;
        }
        all
    };
}

/// The shifts of the parameters from their values in the model, in the order of [`Parameter::ALL`].
///
/// **Units.** Those of the parameters; the shifts of the factors are relative to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moves<T = f64>([T; PARAMETERS]);

impl Default for Moves {
    fn default() -> Self {
        Self([0.0; PARAMETERS])
    }
}

impl<T: Real> Moves<T> {
    /// Returns the shift of one parameter.
    #[must_use]
    pub fn get(&self, parameter: Parameter) -> T {
        let found = Parameter::ALL.iter().zip(self.0).find(|(p, _)| **p == parameter);
        found.map_or(T::constant(0.0), |(_, by)| by)
    }

    fn three(&self, parameter: impl Fn(usize) -> Parameter) -> [T; 3] {
        [self.get(parameter(0)), self.get(parameter(1)), self.get(parameter(2))]
    }
}

impl Moves {
    /// Adds `by` to the shift of one parameter.
    pub fn add(&mut self, parameter: Parameter, by: f64) {
        for (p, moved) in Parameter::ALL.iter().zip(&mut self.0) {
            if *p == parameter {
                *moved += by;
            }
        }
    }

    /// Returns the same shifts with derivative 1 in one parameter.
    fn along(&self, parameter: Parameter) -> Moves<Dual> {
        let mut moves = Moves([Dual::default(); PARAMETERS]);
        for ((p, &value), to) in Parameter::ALL.iter().zip(&self.0).zip(&mut moves.0) {
            *to = Dual { value, slope: if *p == parameter { 1.0 } else { 0.0 } };
        }
        moves
    }
}

/// The crystal and detector from which the variables of a scene are computed, before any shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    crystal: CrystalParameters,
    /// What the detector was placed from, and in which mode; `None` where it was given as it is.
    detector: Option<(DetectorParameters, PhiMode)>,
    /// The unit cell of the crystal.
    cell: UnitCell,
    /// The detector without shifts.
    placed: Detector,
    phi_steps: usize,
    default_f: f64,
    /// The wavelength that stays when the width of the spectrum changes.
    mean_m: f64,
}

impl Model {
    /// Creates the model of a crystal and a detector, with an oscillation of `phi_steps` steps.
    ///
    /// # Errors
    /// The errors of [`Crystal::new`] and [`Detector::new`].
    pub fn new(
        crystal: CrystalParameters,
        detector: DetectorParameters,
        mode: PhiMode,
        phi_steps: usize,
        default_f: f64,
    ) -> Result<Self, Error> {
        let placed = Detector::new(&detector, mode)?;
        let model = Self::of_placed(crystal, placed, phi_steps, default_f)?;
        Ok(Self { detector: Some((detector, mode)), ..model })
    }

    /// As [`Model::new`], of a detector that is already placed, such as a panel of several.
    ///
    /// # Errors
    /// The errors of [`Crystal::new`].
    pub fn of_placed(
        crystal: CrystalParameters,
        placed: Detector,
        phi_steps: usize,
        default_f: f64,
    ) -> Result<Self, Error> {
        let cell = Crystal::new(&crystal)?.cell;
        let mean_m = crystal.lambda0_m;
        Ok(Self { crystal, detector: None, cell, placed, phi_steps: phi_steps.max(1), default_f, mean_m })
    }

    /// The same model with a spectrum whose width changes about `lambda_m`, in m, and not about lambda0.
    #[must_use]
    pub fn about_wavelength(self, lambda_m: f64) -> Self {
        Self { mean_m: lambda_m, ..self }
    }

    /// Computes the variables after the shifts `moves`. Without shifts they have the bits of the set-up.
    ///
    /// # Errors
    /// The errors of [`Crystal::new`] and [`Detector::new`], and [`Error::OutOfRange`] for a shift that is
    /// not finite.
    pub fn variables(&self, moves: &Moves) -> Result<Variables, Error> {
        self.at(moves)
    }

    /// Computes the derivatives of the variables with respect to one parameter, after the shifts `moves`.
    ///
    /// # Errors
    /// As [`Model::variables`].
    pub fn direction(&self, moves: &Moves, parameter: Parameter) -> Result<Variables, Error> {
        let mut duals = self.at(&moves.along(parameter))?;
        // Derivatives with respect to the factors are relative to the values after the shifts.
        let [a, b, c] = &mut duals.mosaic_axis_scale;
        let factors = [&mut duals.mosaic_scale, &mut duals.lambda_scale, &mut duals.fluence_scale, a, b, c];
        for factor in factors {
            factor.slope /= factor.value;
        }
        // A further factor on the wavelengths multiplies what was added to them as well.
        duals.lambda_shift_m.slope -= duals.lambda_shift_m.value * duals.lambda_scale.slope;
        Ok(Variables::from_array(&duals.to_array().map(|x| x.slope)))
    }

    fn at<T: Real>(&self, moves: &Moves<T>) -> Result<Variables<T>, Error> {
        for by in &moves.0 {
            crate::error::require(true, "shift of a parameter", by.value(), "finite")?;
        }
        let (cell, reciprocal_per_angstrom) = self.crystal_at(moves)?;
        let Placement { pix0_m, fast, slow, normal, close_distance_m, distance_m } = match &self.detector {
            Some((parameters, mode)) => self.detector_at(parameters, *mode, moves)?,
            None => self.placement(),
        };
        let one = T::constant(1.0);
        let lambda0_m = T::constant(self.crystal.lambda0_m);
        let wavelengths = one + moves.get(Parameter::Wavelength) / lambda0_m;
        let width = moves.get(Parameter::SpectrumScale);
        let in_all = moves.get(Parameter::AllCells);
        let [a, b, c] = moves.three(Parameter::Cells);
        let variables = Variables {
            cell,
            reciprocal_per_angstrom,
            pix0_m,
            fast,
            slow,
            normal,
            close_distance_m,
            distance_m,
            phi0_rad: moves.get(Parameter::Phi0),
            phi_step_rad: moves.get(Parameter::Osc) / T::constant(self.phi_steps as f64),
            mosaic_scale: one + moves.get(Parameter::MosaicScale),
            lambda_scale: wavelengths * (one + width),
            fluence_scale: one + moves.get(Parameter::FluenceScale),
            default_f: T::constant(self.default_f) + moves.get(Parameter::DefaultF),
            lambda_shift_m: wavelengths
                * (moves.get(Parameter::SpectrumShift) - width * T::constant(self.mean_m)),
            added_cells: [a + in_all, b + in_all, c + in_all],
            added_coupling: moves.three(Parameter::Coupling),
            mosaic_axis_scale: moves.three(Parameter::MosaicAxisScale).map(|by| one + by),
        };
        Ok(if self.detector.is_some() { variables } else { self.moved_as_placed(variables, moves) })
    }

    /// The detector as it was placed.
    fn placement<T: Real>(&self) -> Placement<T> {
        let d = &self.placed;
        Placement {
            pix0_m: Vec3::constant(d.pix0_m),
            fast: Vec3::constant(d.fast),
            slow: Vec3::constant(d.slow),
            normal: Vec3::constant(d.normal),
            close_distance_m: T::constant(d.close_distance_m),
            distance_m: T::constant(d.distance_m),
        }
    }

    /// The variables of a detector without parameters after `moves`: it turns about the sample, and is shifted.
    fn moved_as_placed<T: Real>(&self, variables: Variables<T>, moves: &Moves<T>) -> Variables<T> {
        let laboratory = MotionFrame::laboratory();
        let rotation_rad = moves.three(Parameter::DetectorRotation);
        let turned = variables.moved(&RigidMotion { rotation_rad, ..Default::default() }, &laboratory);
        let along_beam = Vec3::constant(self.placed.beam).scaled(moves.get(Parameter::Distance));
        let along_fast = turned.fast.scaled(-moves.get(Parameter::BeamCentre(0)));
        let along_slow = turned.slow.scaled(-moves.get(Parameter::BeamCentre(1)));
        let shift: Vec3<T> = moves.three(Parameter::Origin).into();
        let Vec3 { x, y, z } = shift + along_beam + along_fast + along_slow;
        turned.moved(&RigidMotion { shift_m: [x, y, z], ..Default::default() }, &laboratory)
    }

    fn crystal_at<T: Real>(&self, moves: &Moves<T>) -> Result<(Orientation<T>, [Vec3<T>; 3]), Error> {
        let CrystalParameters { source, lambda0_m, misset_rad } = self.crystal;
        let by_length = moves.three(Parameter::CellLength);
        let by_angle = moves.three(Parameter::CellAngle);
        let moved = |cell: UnitCell| UnitCell {
            lengths_angstrom: add(constants(cell.lengths_angstrom), by_length),
            angles_rad: add(constants(cell.angles_rad), by_angle),
        };
        let (source, has_matrix) = match source {
            CellSource::Cell(cell) => (CellSource::Cell(moved(cell)), false),
            CellSource::Matrix(matrix) => (CellSource::Matrix(matrix.map(constants)), true),
            CellSource::MatrixWithCell(matrix, UnitCell { lengths_angstrom, angles_rad }) => {
                let cell = UnitCell {
                    lengths_angstrom: constants(lengths_angstrom),
                    angles_rad: constants(angles_rad),
                };
                (CellSource::MatrixWithCell(matrix.map(constants), cell), true)
            }
        };
        let (mut axes, mut volume_star) = edges(&CrystalParameters {
            source,
            lambda0_m: T::constant(lambda0_m) + moves.get(Parameter::Wavelength),
            misset_rad: add(constants(misset_rad), moves.three(Parameter::Misset)),
        })?;
        let before = axes;
        if has_matrix {
            axes = sheared(axes, &self.cell, &moved(self.cell))?;
        }
        let component = |i: usize| moves.three(|j| Parameter::CellVector(3 * i + j)).into();
        let [a, b, c] = axes;
        axes = [a + component(0), b + component(1), c + component(2)];
        if axes != before {
            let volume = |[a, b, c]: [Vec3<T>; 3]| a.dot(b.cross(c));
            volume_star = volume_star * (volume(before) / volume(axes));
        }
        let axes = crate::crystal::CrystalAxes::of((axes, volume_star));
        Ok((axes.direct, axes.reciprocal_per_angstrom))
    }

    fn detector_at<T: Real>(
        &self,
        d: &DetectorParameters,
        mode: PhiMode,
        moves: &Moves<T>,
    ) -> Result<Placement<T>, Error> {
        let zero = T::constant(0.0);
        let ratio = T::constant(self.placed.close_distance_m / self.placed.distance_m);
        let by_distance = moves.get(Parameter::Distance);
        let (by_x, by_y) = (moves.get(Parameter::BeamCentre(0)), moves.get(Parameter::BeamCentre(1)));
        let constant = |x: Option<f64>| x.map(T::constant);
        let moved = |x: Option<f64>, by: T, from: f64| {
            if by == zero { constant(x) } else { Some(T::constant(from) + by) }
        };
        // Named conventions whose pivot is the sample place the detector by the foot of the normal.
        let by_foot = matches!(d.convention, Convention::Xds | Convention::Dials);
        let px = d.pixel_m;
        let foot = |org: Option<f64>, size: f64| org.map_or(size / 2.0, |org| (org - 0.5) * px) / px + 0.5;
        let (x_beam_m, y_beam_m, org_x_px, org_y_px) = if by_foot {
            let (by_x, by_y) = (by_x / T::constant(px), by_y / T::constant(px));
            let (x, y) = (foot(d.org_x_px, d.fast_size_m), foot(d.org_y_px, d.slow_size_m));
            let org = (moved(d.org_x_px, by_x, x), moved(d.org_y_px, by_y, y));
            (constant(d.x_beam_m), constant(d.y_beam_m), org.0, org.1)
        } else {
            let beam = (
                moved(d.x_beam_m, by_x, self.placed.x_beam_m),
                moved(d.y_beam_m, by_y, self.placed.y_beam_m),
            );
            (beam.0, beam.1, constant(d.org_x_px), constant(d.org_y_px))
        };
        let close_distance_m = d.close_distance_m.map(|close| T::constant(close) + by_distance * ratio);
        let moved_detector = DetectorParameters {
            pixel_m: d.pixel_m,
            fast_pixels: d.fast_pixels,
            slow_pixels: d.slow_pixels,
            fast_size_m: d.fast_size_m,
            slow_size_m: d.slow_size_m,
            distance_m: Some(T::constant(d.distance_m.unwrap_or(defaults::DISTANCE_M)) + by_distance),
            close_distance_m,
            x_beam_m,
            y_beam_m,
            x_close_m: constant(d.x_close_m),
            y_close_m: constant(d.y_close_m),
            org_x_px,
            org_y_px,
            convention: d.convention,
            pivot: d.pivot,
            rotation_rad: add(constants(d.rotation_rad), moves.three(Parameter::DetectorRotation)),
            twotheta_rad: T::constant(d.twotheta_rad),
            point_pixel: d.point_pixel,
            curved: d.curved,
        };
        let mut placement = Placement::new(&moved_detector, mode)?;
        let by_origin: Vec3<T> = moves.three(Parameter::Origin).into();
        let along_normal = by_origin.dot(placement.normal);
        if by_origin != Vec3::constant(Vec3::default()) {
            let ratio = placement.close_distance_m / placement.distance_m;
            placement.pix0_m = placement.pix0_m + by_origin;
            placement.close_distance_m = placement.close_distance_m + along_normal;
            placement.distance_m = placement.distance_m + along_normal / ratio;
        }
        Ok(placement)
    }
}

fn constants<T: Real>([x, y, z]: [f64; 3]) -> [T; 3] {
    [T::constant(x), T::constant(y), T::constant(z)]
}

fn add<T: Real>([x, y, z]: [T; 3], [dx, dy, dz]: [T; 3]) -> [T; 3] {
    [x + dx, y + dy, z + dz]
}

/// Returns the columns of the upper triangular matrix of a cell with a along x and b in the xy plane.
fn triangle<T: Real>(cell: &UnitCell<T>) -> Result<(T, [T; 2], [T; 3]), Error> {
    let [a, b, c] = cell.lengths_angstrom;
    let [alpha, beta, gamma] = cell.angles_rad;
    let along_b = (alpha.cos() - beta.cos() * gamma.cos()) / gamma.sin();
    let square = T::constant(1.0) - beta.cos() * beta.cos() - along_b * along_b;
    if square.value().is_nan() || square.value() <= 0.0 {
        return Err(Error::ImpossibleCell);
    }
    Ok((a, [b * gamma.cos(), b * gamma.sin()], [c * beta.cos(), c * along_b, c * square.sqrt()]))
}

/// Changes the axes of a cell `from` to the lengths and angles of the cell `to`.
///
/// a keeps its line, and b stays in the plane of a and b.
fn sheared<T: Real>(
    [a, b, c]: [Vec3<T>; 3],
    from: &UnitCell,
    to: &UnitCell<T>,
) -> Result<[Vec3<T>; 3], Error> {
    let from = UnitCell {
        lengths_angstrom: constants(from.lengths_angstrom),
        angles_rad: constants(from.angles_rad),
    };
    if *to == from {
        return Ok([a, b, c]);
    }
    let (a0, [b0x, b0y], [c0x, c0y, c0z]) = triangle::<T>(&from)?;
    let (a1, [b1x, b1y], [c1x, c1y, c1z]) = triangle(to)?;
    // The elements of from^-1 to, which is triangular as well.
    let bb = b1y / b0y;
    let ba = (b1x - b0x * bb) / a0;
    let cc = c1z / c0z;
    let cb = (c1y - c0y * cc) / b0y;
    let ca = (c1x - b0x * cb - c0x * cc) / a0;
    Ok([a.scaled(a1 / a0), a.scaled(ba) + b.scaled(bb), a.scaled(ca) + b.scaled(cb) + c.scaled(cc)])
}
