//! The variables: the numbers on which an image depends smoothly.

use crate::real::Real;
use crate::rotation::Orientation;
use crate::vector::Vec3;

/// The 48 numbers from which the tables of a scene are filled and on which an image depends smoothly.
///
/// The same struct holds derivatives with respect to these numbers, and directions in which they change. A
/// derivative with respect to a factor is relative: it is taken with respect to a further factor on the value
/// of the scene.
///
/// The order of the fields is that of [`Variables::to_array`] and of the structure in C.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Variables<T = f64> {
    /// Cell vectors at phi = 0, in m.
    pub cell: Orientation<T>,
    /// a*, b*, c* at phi = 0, in 1/Angstrom. Only Gaussian spots depend on them.
    pub reciprocal_per_angstrom: [Vec3<T>; 3],
    /// Outer corner of the first pixel, in m.
    pub pix0_m: Vec3<T>,
    /// Fast axis of the detector.
    pub fast: Vec3<T>,
    /// Slow axis of the detector.
    pub slow: Vec3<T>,
    /// Normal of the detector.
    pub normal: Vec3<T>,
    /// Distance from the sample to the detector along its normal, in m; a factor of the solid angle.
    pub close_distance_m: T,
    /// Distance from the sample to the detector along the beam, in m; the radius of a curved detector.
    pub distance_m: T,
    /// Rotation added to every phi of the sweep, in rad ([`crate::rotation::PhiShift`]).
    pub phi0_rad: T,
    /// Rotation added to the step of the sweep, in rad.
    pub phi_step_rad: T,
    /// Factor on the angles of the mosaic rotations.
    pub mosaic_scale: T,
    /// Factor on all wavelengths.
    pub lambda_scale: T,
    /// Factor on the fluence.
    pub fluence_scale: T,
    /// Structure factor of reflections outside the grid.
    pub default_f: T,
    /// Added to all wavelengths, in m.
    pub lambda_shift_m: T,
    /// Cells added along a, b and c.
    pub added_cells: [T; 3],
    /// Added to the elements ab, ac and bc of the N matrix ([`crate::lattice::CellCoupling`]), in cells.
    pub added_coupling: [T; 3],
    /// Factors on the mosaic spreads about a, b and c ([`crate::mosaic::SpreadTensor`]).
    pub mosaic_axis_scale: [T; 3],
}

/// Number of variables.
pub const VARIABLES: usize = 48;

/// The ranges of the groups of variables in [`Variables::to_array`].
pub(crate) mod group {
    use core::ops::Range;

    pub(crate) const CELL: Range<usize> = 0..9;
    pub(crate) const RECIPROCAL: Range<usize> = 9..18;
    pub(crate) const PIX0: Range<usize> = 18..21;
    pub(crate) const FAST: Range<usize> = 21..24;
    pub(crate) const SLOW: Range<usize> = 24..27;
    pub(crate) const NORMAL: Range<usize> = 27..30;
    pub(crate) const CLOSE_DISTANCE: Range<usize> = 30..31;
    pub(crate) const DISTANCE: Range<usize> = 31..32;
    /// phi, its step and the mosaic factor, each of which rotates the orientations individually.
    pub(crate) const ROTATION: Range<usize> = 32..35;
    pub(crate) const LAMBDA: Range<usize> = 35..36;
    pub(crate) const FLUENCE: Range<usize> = 36..37;
    pub(crate) const DEFAULT_F: Range<usize> = 37..38;
    pub(crate) const LAMBDA_SHIFT: Range<usize> = 38..39;
    /// Added cells, and what is added to the other elements of the N matrix.
    pub(crate) const CELLS: Range<usize> = 39..45;
    pub(crate) const SPREADS: Range<usize> = 45..48;
    /// Origin, axes and distances of the detector.
    pub(crate) const DETECTOR: Range<usize> = PIX0.start..DISTANCE.end;

    const _: () = assert!(SPREADS.end == super::VARIABLES);
}

impl<T: Real> Variables<T> {
    /// Returns the variables in the order of the fields.
    #[must_use]
    pub fn to_array(&self) -> [T; VARIABLES] {
        let [a_star, b_star, c_star] = self.reciprocal_per_angstrom;
        let Orientation { a_m, b_m, c_m } = self.cell;
        let vectors = [a_m, b_m, c_m, a_star, b_star, c_star, self.pix0_m, self.fast, self.slow, self.normal];
        let numbers = [
            self.close_distance_m,
            self.distance_m,
            self.phi0_rad,
            self.phi_step_rad,
            self.mosaic_scale,
            self.lambda_scale,
            self.fluence_scale,
            self.default_f,
            self.lambda_shift_m,
        ];
        let triples = [self.added_cells, self.added_coupling, self.mosaic_axis_scale];
        let mut array = [T::constant(0.0); VARIABLES];
        let all = vectors.into_iter().flat_map(|v| [v.x, v.y, v.z]).chain(numbers);
        let all = all.chain(triples.into_iter().flatten());
        array.iter_mut().zip(all).for_each(|(to, from)| *to = from);
        array
    }

    /// Creates variables from an array in the order of the fields.
    #[must_use]
    pub fn from_array(array: &[T; VARIABLES]) -> Self {
        let triples = array.as_chunks::<3>().0;
        let triple = |i: usize| triples.get(i).copied().unwrap_or([T::constant(0.0); 3]);
        let at = |i: usize| triple(i).into();
        let [close_distance_m, distance_m, phi0_rad] = triple(10);
        let [phi_step_rad, mosaic_scale, lambda_scale] = triple(11);
        let [fluence_scale, default_f, lambda_shift_m] = triple(12);
        Self {
            cell: Orientation { a_m: at(0), b_m: at(1), c_m: at(2) },
            reciprocal_per_angstrom: [at(3), at(4), at(5)],
            pix0_m: at(6),
            fast: at(7),
            slow: at(8),
            normal: at(9),
            close_distance_m,
            distance_m,
            phi0_rad,
            phi_step_rad,
            mosaic_scale,
            lambda_scale,
            fluence_scale,
            default_f,
            lambda_shift_m,
            added_cells: triple(13),
            added_coupling: triple(14),
            mosaic_axis_scale: triple(15),
        }
    }
}

impl Variables {
    /// Computes the scalar product.
    ///
    /// If `self` holds derivatives with respect to the variables, it is the derivative along the direction
    /// `other`.
    #[must_use]
    pub fn dot(&self, other: &Self) -> f64 {
        let (these, others) = (self.to_array(), other.to_array());
        these.iter().zip(others).map(|(a, b)| a * b).sum()
    }

    /// Adds `other`, variable by variable.
    pub fn add(&mut self, other: &Self) {
        let mut sums = self.to_array();
        sums.iter_mut().zip(other.to_array()).for_each(|(sum, x)| *sum += x);
        *self = Self::from_array(&sums);
    }
}
