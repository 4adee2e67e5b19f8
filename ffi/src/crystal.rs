//! The oriented crystal that the parameters of a scene describe.

use widebragg::crystal::{CellSource, CrystalParameters, UnitCell};
use widebragg::rotation::{Mat3, Orientation};
use widebragg::scene::CrystalInput;
use widebragg::vector::Vec3;

use crate::parameters::{WB_GIVEN_AXES, WB_GIVEN_CELL, WB_GIVEN_MATRIX, finite, wb_scene_parameters};
use crate::status::Failure;

/// Nine numbers as the rows of a matrix.
fn rows([a, b, c, d, e, f, g, h, i]: [f64; 9]) -> Mat3 {
    [[a, b, c], [d, e, f], [g, h, i]]
}

impl wb_scene_parameters {
    /// The crystal, as cell or matrix or as its axes.
    pub(crate) fn crystal_input(&self) -> Result<CrystalInput, Failure> {
        if !self.is_given(WB_GIVEN_AXES) {
            return Ok(CrystalInput::Cell { source: self.cell_source()?, misset_rad: self.misset_rad });
        }
        let direct = self.direct_axes()?;
        finite("reciprocal axes in 1/Angstrom", &self.reciprocal_per_angstrom)?;
        let reciprocal_per_angstrom = rows(self.reciprocal_per_angstrom).map(Vec3::from);
        Ok(CrystalInput::Axes { direct, reciprocal_per_angstrom })
    }

    /// The kernel's parameters of the crystal. If axes are given, they contain the matrix of these axes,
    /// exact to rounding.
    pub(crate) fn crystal_parameters(&self) -> Result<CrystalParameters, Failure> {
        let lambda0_m = self.lambda0_m;
        if !self.is_given(WB_GIVEN_AXES) {
            let source = self.cell_source()?;
            return Ok(CrystalParameters { source, lambda0_m, misset_rad: self.misset_rad });
        }
        let Orientation { a_m: a, b_m: b, c_m: c } = self.direct_axes()?;
        let volume = a.dot(b.cross(c));
        if volume == 0.0 {
            return Err(widebragg::Error::SingularMatrix.into());
        }
        let [a_star, b_star, c_star] =
            [b.cross(c), c.cross(a), a.cross(b)].map(|across| (lambda0_m / volume) * across);
        let source = CellSource::Matrix([
            [a_star.x, b_star.x, c_star.x],
            [a_star.y, b_star.y, c_star.y],
            [a_star.z, b_star.z, c_star.z],
        ]);
        Ok(CrystalParameters { source, lambda0_m, misset_rad: [0.0; 3] })
    }

    /// The axes a, b, c that are given.
    fn direct_axes(&self) -> Result<Orientation, Failure> {
        finite("cell axes in m", &self.direct_m)?;
        let [a_m, b_m, c_m] = rows(self.direct_m).map(Vec3::from);
        Ok(Orientation { a_m, b_m, c_m })
    }

    /// The cell, the matrix, or both.
    fn cell_source(&self) -> Result<CellSource, Failure> {
        let cell = UnitCell { lengths_angstrom: self.cell_angstrom, angles_rad: self.cell_angles_rad };
        let matrix = rows(self.matrix);
        match (self.is_given(WB_GIVEN_MATRIX), self.is_given(WB_GIVEN_CELL)) {
            (true, true) => Ok(CellSource::MatrixWithCell(matrix, cell)),
            (true, false) => Ok(CellSource::Matrix(matrix)),
            (false, true) => Ok(CellSource::Cell(cell)),
            (false, false) => {
                Err(Failure::range("crystal", f64::NAN, "given by exactly one of cell, matrix or axes"))
            }
        }
    }
}
