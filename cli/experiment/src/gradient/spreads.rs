//! Mosaic spreads about a, b and c that move: by how much domains turn further, and what each spread has to do with it.
//!
//! A domain keeps its axis; its angle is proportional to the spread about that axis ([`SpreadTensor`]). The tensor belongs
//! to the crystal as it was given, whatever moves beside the spreads.

use widebragg::gradient::{Variables, rotation_vector};
use widebragg::mosaic::{MosaicSpread, SpreadTensor};
use widebragg::rotation::Mat3;

use crate::failure::{Failure, Part, refused};
use crate::lattices::Lattice;

/// The mosaic spreads of a crystal, before and after the parameters are changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct MovedSpreads {
    before: SpreadTensor,
    after: SpreadTensor,
}

impl MovedSpreads {
    /// `None` where the spreads about a, b and c do not differ.
    ///
    /// # Errors
    /// Axes that span no volume.
    pub(super) fn new(lattice: &Lattice, v: &Variables) -> Result<Option<Self>, Failure> {
        let Some(spreads_rad) = lattice.mosaic_axes_rad else { return Ok(None) };
        let ([a, b, c], [by_a, by_b, by_c]) = (spreads_rad, v.mosaic_axis_scale);
        let tensor = |spreads_rad| {
            SpreadTensor::new(MosaicSpread::Axes(spreads_rad), &lattice.crystal.direct)
                .map_err(refused(Part::Mosaic))
        };
        Ok(Some(Self { before: tensor(spreads_rad)?, after: tensor([a * by_a, b * by_b, c * by_c])? }))
    }

    /// The factor on the angle of a domain, which is given as it was before.
    pub(super) fn factor(&self, domain: &Mat3) -> f64 {
        let axis = rotation_vector(domain).try_normalize();
        axis.map_or(1.0, |axis| self.after.about(axis) / self.before.about(axis))
    }

    /// The parts of a relative change of the angle of a domain that are due to those of the spreads about a, b and c.
    pub(super) fn shares(&self, domain: &Mat3) -> [f64; 3] {
        rotation_vector(domain).try_normalize().map_or([0.0; 3], |axis| self.after.shares(axis))
    }
}
