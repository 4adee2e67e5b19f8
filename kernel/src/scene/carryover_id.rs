//! What the slots of a scene's carryover depend on, as one number.
//!
//! A slot holds cell vectors, and the pixel whose first sweep finds them. The vectors follow from the cell and
//! its rotation; which pixels have a sweep follows from the size of the detector, the region of interest, the
//! mask and, where there is a resolution limit, from the geometry of the scattering.

use super::{Roi, SceneParts};
use crate::identity::Identity;

/// The number of the carryover; 0 where nothing is carried.
pub(super) fn carryover_id(p: &SceneParts<'_>) -> u64 {
    if p.orientations.sweep().carried_steps() == 0 {
        return 0;
    }
    let mut id = Identity::new();
    id.add(p.orientations.id());
    id.add_counts([p.detector.fast_pixels, p.detector.slow_pixels]);
    let Roi { fast_min, fast_max, slow_min, slow_max } = p.roi;
    id.add_counts([fast_min, fast_max, slow_min, slow_max]);
    let mask = p.mask.and_then(|mask| mask.get(..p.detector.pixels()));
    id.add_selection(mask.unwrap_or(&[]));
    if p.d_min_m > 0.0 {
        add_scattering(p, &mut id);
    }
    id.number().max(1)
}

/// Adds what decides which pixels lie within the resolution limit.
fn add_scattering(p: &SceneParts<'_>, id: &mut Identity) {
    let d = &p.detector;
    // The levels round differently, so a pixel at the limit may have a sweep at one of them only.
    id.add(p.simd.level() as u64);
    id.add_numbers([p.d_min_m, d.pixel_m, d.distance_m, p.sensor.layer_m]);
    [d.pix0_m, d.fast, d.slow, d.normal, d.beam].into_iter().for_each(|v| id.add_vector(v));
    id.add_counts([usize::from(d.curved), p.sensor.layers, p.oversample.per_axis, p.sources.len()]);
    for source in p.sources {
        id.add_vector(source.incident);
        id.add_numbers([source.lambda_m]);
    }
}
