//! The reflections that the images of an experiment can show.

use widebragg::rotation::{IDENTITY, Mat3, rotate_axis};
use widebragg::vector::Vec3;

use super::{Approach, Conditions, Listed, Prediction, Rotation};
use crate::experiment::Experiment;
use crate::factor_grid::FactorGrid;
use crate::failure::{Failure, Part};
use crate::geometry::{panels, reciprocal_axes, scan};
use crate::resolution::largest_scattering_length;

/// The reflections that `frames` frames of an experiment can show of its first lattice, from the first on, to the resolution that its detector
/// reaches or to its limit. Those whose F_cell is 0 are left out. An experiment without oscillation is a still. Its
/// `shift` is not applied.
///
/// In a still a reflection can show within [`reach_rad`] of the sphere. A rotation shows those that cross the sphere, and
/// those within reach of it at its start or end that cross it next.
///
/// # Errors
/// A curved detector, more reflections than can be tried, or too little memory.
pub fn of_experiment(experiment: &Experiment, frames: usize) -> Result<Vec<Prediction>, Failure> {
    if experiment.panels.iter().any(|panel| panel.detector.curved) {
        return Err(Failure::impossible(Part::Detector, "predictions are those of flat detectors"));
    }
    let panels = panels(experiment, Vec3::to_array);
    let frame = &experiment.frame;
    let is_rotation = experiment.phi.range != 0.0;
    let phi0_rad = experiment.frame_phi0_rad(0);
    let axes = reciprocal_axes(&experiment.crystal);
    let axes = axes.map(|axis| if is_rotation { axis } else { rotate_axis(axis, frame.spindle, phi0_rad) });
    let [a_star, b_star, c_star] = axes.map(Vec3::to_array);
    let spindle = frame.spindle.to_array();
    let conditions = Conditions {
        beam: frame.beam.to_array(),
        lambda_m: experiment.lambda0_m,
        band_m: experiment.sources.iter().fold([experiment.lambda0_m; 2], |[least, most], source| {
            [least.min(source.lambda_m), most.max(source.lambda_m)]
        }),
        panels: &panels,
        a_matrix: [0, 1, 2].map(|row| [a_star[row], b_star[row], c_star[row]]),
        d_min_angstrom: (experiment.d_min_m * 1e10).max(1.0 / largest_scattering_length(experiment)),
        rotation: scan(experiment, 1, frames).map(|scan| Rotation { spindle, scan }),
    };
    let reach_rad = reach_rad(experiment);
    let is_absent = |hkl| f_cell(experiment, hkl) == 0.0;
    conditions.predict(&Listed { reach_rad: &reach_rad, is_absent: &is_absent })
}

/// How far from the sphere of its wavelength a reflection can show, in rad: the sum of
///
/// * the largest rotation of a mosaic domain,
/// * the largest angle between a source and the beam,
/// * the angle at which the lattice factor of a crystal with straight faces has its first zero,
///   1/(|q| max(N_i |a_i.t|)), where t is the direction in which q turns. Gaussian and tophat spots count as in
///   [`widebragg::lattice::Crystallite::cells_across_spots`].
pub fn reach_rad(experiment: &Experiment) -> impl Fn(&Approach) -> f64 + Sync {
    let frame = experiment.frame;
    let mosaic_rad = experiment.domains.iter().map(rotation_rad).fold(0.0, f64::max);
    let sources = &experiment.sources;
    let divergence_rad =
        sources.iter().map(|source| angle_rad(source.incident, frame.beam)).fold(0.0, f64::max);
    let direct = experiment.crystal.direct;
    let edges = [direct.a_m, direct.b_m, direct.c_m].map(|edge| 1e10 * edge);
    let cells = experiment.crystallite.cells_across_spots();
    move |approach: &Approach| {
        let q = approach.q_per_angstrom;
        let length = q.length();
        // A q along the beam turns in any direction, none of which brings it onto the sphere.
        let Some(across) = q.cross(frame.beam).try_normalize() else { return 0.0 };
        let turning = q.cross(across).normalize();
        let per_rad = |(edge, cells): (Vec3, f64)| {
            let edge = rotate_axis(edge, frame.spindle, approach.phi_rad);
            length * cells * edge.dot(turning).abs()
        };
        let fastest = edges.into_iter().zip(cells).map(per_rad).fold(0.0, f64::max);
        mosaic_rad + divergence_rad + 1.0 / fastest
    }
}

/// F of an index: that of the grid, or of what is outside of it. Where sources have grids of their own, the root of the
/// mean square over the sources, by weight.
#[must_use]
pub fn f_cell(experiment: &Experiment, hkl: [i32; 3]) -> f64 {
    let grids = experiment.structure_factors.as_deref();
    let of_grid =
        |grid: usize| grids.and_then(|grids| grids.value(grid, hkl)).unwrap_or(experiment.default_f);
    let Some(of_source) = grids.and_then(FactorGrid::of_source) else { return of_grid(0) };
    let weight = |source: usize| experiment.source_weights.as_ref().map_or(1.0, |weights| weights[source]);
    let weights = (0..of_source.len()).map(weight);
    // Relative to the largest, since weights may be as large as any f64.
    let largest = weights.clone().fold(0.0, f64::max);
    let (mut sum, mut of_squares) = (0.0, 0.0);
    for (&grid, weight) in of_source.iter().zip(weights) {
        let (f, share) = (of_grid(grid as usize), weight / largest);
        sum += share;
        of_squares += share * f * f;
    }
    (of_squares / sum).sqrt()
}

/// The angle between two unit vectors.
fn angle_rad(u: Vec3, v: Vec3) -> f64 {
    u.cross(v).length().atan2(u.dot(v))
}

/// The angle of a rotation.
fn rotation_rad(rotation: &Mat3) -> f64 {
    if *rotation == IDENTITY {
        return 0.0;
    }
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *rotation;
    let sine = Vec3::new(zy - yz, xz - zx, yx - xy).length();
    sine.atan2(xx + yy + zz - 1.0)
}
