//! The numbers that an image is a smooth function of.

use crate::real::Real;
use crate::rotation::Orientation;
use crate::vector::Vec3;

/// What scene tables are filled from, as far as an image changes smoothly with it; or one number for each of these: the
/// derivatives of something by them, or a direction in which they move.
///
/// Derivatives by the three factors are by another factor on what the scene has: relative.
///
/// 38 numbers, in the order of the fields, which is also that of [`Variables::to_array`] and of the C structure.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Variables<T = f64> {
    /// Cell vectors at phi = 0, in m.
    pub cell: Orientation<T>,
    /// a*, b*, c* at phi = 0, in 1/Angstrom; only gaussian spots depend on them.
    pub reciprocal_per_angstrom: [Vec3<T>; 3],
    /// Outer corner of the first pixel, in m.
    pub pix0_m: Vec3<T>,
    /// Fast axis.
    pub fast: Vec3<T>,
    /// Slow axis.
    pub slow: Vec3<T>,
    /// Normal.
    pub normal: Vec3<T>,
    /// Sample to detector along the normal, in m: in the solid angle.
    pub close_distance_m: T,
    /// Sample to detector along the beam, in m: the radius of a curved detector.
    pub distance_m: T,
    /// How much further the sweep is turned than its phi say, in rad ([`crate::rotation::PhiShift`]).
    pub phi0_rad: T,
    /// The same of its step, in rad.
    pub phi_step_rad: T,
    /// Factor on the angles of the mosaic rotations.
    pub mosaic_scale: T,
    /// Factor on all wavelengths.
    pub lambda_scale: T,
    /// Factor on the fluence.
    pub fluence_scale: T,
    /// F of reflections outside the grid.
    pub default_f: T,
}

/// Numbers in [`Variables`].
pub const VARIABLES: usize = 38;

impl<T: Real> Variables<T> {
    /// The numbers in the order of the fields.
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
        ];
        let mut array = [T::constant(0.0); VARIABLES];
        let all = vectors.into_iter().flat_map(|v| [v.x, v.y, v.z]).chain(numbers);
        array.iter_mut().zip(all).for_each(|(to, from)| *to = from);
        array
    }
}

impl Variables {
    /// The inverse of [`Variables::to_array`].
    #[must_use]
    pub fn from_array(array: &[f64; VARIABLES]) -> Self {
        let vectors = array.as_chunks::<3>().0;
        let at = |i: usize| vectors.get(i).copied().unwrap_or_default().into();
        let &[
            ..,
            close_distance_m,
            distance_m,
            phi0_rad,
            phi_step_rad,
            mosaic_scale,
            lambda_scale,
            fluence_scale,
            default_f,
        ] = array;
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
        }
    }

    /// The sum of products: the derivative along the direction `other`, where these are the derivatives by the variables.
    #[must_use]
    pub fn dot(&self, other: &Self) -> f64 {
        let (these, others) = (self.to_array(), other.to_array());
        these.iter().zip(others).map(|(a, b)| a * b).sum()
    }

    /// Adds `other`, number by number.
    pub fn add(&mut self, other: &Self) {
        let mut sums = self.to_array();
        sums.iter_mut().zip(other.to_array()).for_each(|(sum, x)| *sum += x);
        *self = Self::from_array(&sums);
    }
}
