//! What the slots of a scene's carryover depend on, as one number.
//!
//! A slot holds cell vectors, and the pixel whose first sweep finds them. The vectors follow from the cell and
//! its rotation; which pixels have a sweep follows from the size of the panel, the region of interest, the
//! mask and, where there is a resolution limit, from the geometry of the scattering.

use super::{Roi, SceneParts};
use crate::identity::Identity;
use crate::panel::Bend;

/// The number of the carryover; 0 where nothing is carried.
pub(super) fn carryover_id(p: &SceneParts<'_>) -> u64 {
    if p.orientations.sweep().carried_steps() == 0 {
        return 0;
    }
    let mut id = Identity::new();
    id.add(p.orientations.id());
    id.add_counts([p.panel.fast_pixels, p.panel.slow_pixels]);
    let Roi { fast_min, fast_max, slow_min, slow_max } = p.roi;
    id.add_counts([fast_min, fast_max, slow_min, slow_max]);
    let mask = p.mask.and_then(|mask| mask.get(..p.panel.pixels()));
    id.add_selection(mask.unwrap_or(&[]));
    if p.d_min_m > 0.0 {
        add_scattering(p, &mut id);
    }
    id.number().max(1)
}

/// Adds what decides which pixels lie within the resolution limit.
fn add_scattering(p: &SceneParts<'_>, id: &mut Identity) {
    let panel = &p.panel;
    // The levels round differently, so a pixel at the limit may have a sweep at one of them only.
    id.add(p.simd.level() as u64);
    id.add_numbers([p.d_min_m, panel.pixel_m, panel.sensor.layer_m]);
    [panel.pix0_m, panel.fast, panel.slow, panel.normal].into_iter().for_each(|v| id.add_vector(v));
    if let Some(Bend { beam, radius_m }) = panel.bend {
        id.add_vector(beam);
        id.add_numbers([radius_m]);
    }
    let is_bent = usize::from(panel.bend.is_some());
    id.add_counts([is_bent, panel.sensor.layers, p.oversample.per_axis, p.sources.len()]);
    for source in p.sources {
        id.add_vector(source.incident);
        id.add_numbers([source.lambda_m]);
    }
}
