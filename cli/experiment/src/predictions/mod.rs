//! Where the reflections of a crystal meet a detector: every h, k, l that a rotation or a still can show, with its pixel
//! and its phi.
//!
//! **Rotation.** q = R(e, phi) A h is on the Ewald sphere where |s0 + q| = |s0| = 1/lambda, which both roots
//!
//! ```text
//! phi = atan2(b, a) +- atan2(sqrt(a^2 + b^2 - c^2), c)
//! a = s0.(q0 - e (e.q0))    b = s0.(e x q0)    c = - q0.q0/2 - (s0.e)(e.q0)    q0 = A h
//! ```
//!
//! solve exactly. Those with phi in the scan, its start included and its end not, are listed.
//!
//! **Still.** q is turned in the plane of q and s0 onto the sphere, by the excitation angle: positive where q is inside of
//! the sphere. Reflections are listed where it is below a limit. Of a band of wavelengths, each takes the one that comes
//! nearest to Bragg's law, lambda = -2 u0.q/(q.q), with the unit vector u0 of the beam.
//!
//! **Pixels.** The ray s1 = s0 + q meets the panel that is nearest of those whose rectangle it crosses. x and y count from
//! the outer corner of the first pixel, so that the centre of that pixel is 0.5. A sensor of thickness t and attenuation mu
//! captures at depths, along the ray u, whose mean is o if photons that pass through it count with 0, c = |u.n|:
//!
//! ```text
//! o = 1/mu - (t/c + 1/mu) exp(-mu t/c),    x += o u.fast/pixel,    y += o u.slow/pixel
//! ```
//!
//! as DIALS has it; the captured photons alone have the mean o/(1 - exp(-mu t/c)), to which images of many layers tend.
//!
//! **Symbols and units.** h, k, l indices, A the matrix of a*, b*, c* in 1/Angstrom, e the spindle, s0 the wave vector of the
//! beam in 1/Angstrom, q the scattering vector.
//!
//! **Source.** The rules of `dials.predict`, in which Friedel mates are separate reflections. **Accuracy.** Pixels and phi of
//! DIALS 3.12 within 1e-10 px and 1e-10 degrees (`tests/predictions.rs`). **Cost.** A root or two for each index within
//! the resolution; memory for those that are listed.

mod ewald;
mod experiment;
mod intensity;
mod panels;

use rayon::prelude::*;
use widebragg::vector::Vec3;
use widebragg_formats::format_g::format_g;
use widebragg_formats::geometry::{Geometry, Panel, Scan};
use widebragg_formats::memory::{push, reserve};
use widebragg_reflections::symmetry::SpaceGroup;

use crate::failure::Failure;
use ewald::{Crossing, Ewald};
use panels::Placed;

pub use experiment::{f_cell, of_experiment, reach_rad};
pub use intensity::FullIntensity;

/// Indices that are tried at most: more take hours.
const MOST_TRIED: f64 = 1e11;

/// What decides where reflections are.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions<'a> {
    /// Unit vector from the source to the sample.
    pub beam: [f64; 3],
    /// Wavelength in m.
    pub lambda_m: f64,
    /// The shortest and the longest wavelength of the beam, in m: a still has reflections of all of them, and so have the
    /// ends of a rotation.
    pub band_m: [f64; 2],
    /// The panels of the detector.
    pub panels: &'a [Panel],
    /// Rows x, y, z and columns a*, b*, c* at phi = 0, in 1/Angstrom, with the fixed rotations of a goniometer applied.
    pub a_matrix: [[f64; 3]; 3],
    /// Smallest spacing of the lattice, in Angstrom.
    pub d_min_angstrom: f64,
    /// The rotation; `None`: a still.
    pub rotation: Option<Rotation>,
}

/// A rotation of the crystal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotation {
    /// Unit axis, right-handed in phi.
    pub spindle: [f64; 3],
    /// The frames.
    pub scan: Scan,
}

/// Which reflections are listed.
pub struct Listed<'r> {
    /// Largest excitation angle at which a reflection shows, in rad: in a still, and before the start and after the end of
    /// a rotation. With 0, a rotation lists the reflections that are on the sphere in it.
    pub reach_rad: &'r (dyn Fn(&Approach) -> f64 + Sync),
    /// Whether F of the index is 0, so that nothing shows.
    pub is_absent: &'r (dyn Fn([i32; 3]) -> bool + Sync),
}

impl core::fmt::Debug for Listed<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Listed").finish_non_exhaustive()
    }
}

/// A reflection near the sphere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Approach {
    /// Its indices.
    pub hkl: [i32; 3],
    /// Its scattering vector there, in 1/Angstrom.
    pub q_per_angstrom: Vec3,
    /// The rotation of the crystal there, in rad; 0 in a still.
    pub phi_rad: f64,
}

/// A reflection on a detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Its indices.
    pub hkl: [i32; 3],
    /// The panel that it meets, counted from 0.
    pub panel: usize,
    /// Where it meets it along fast and slow, in pixels from the outer corner of the first pixel.
    pub position_px: [f64; 2],
    /// Spacing of the lattice, in Angstrom.
    pub d_angstrom: f64,
    /// Wave vector of the diffracted ray, in 1/Angstrom; 1 over its length is the wavelength.
    pub s1_per_angstrom: Vec3,
    /// When it meets it.
    pub when: When,
}

/// When a reflection is on the sphere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// In a rotation.
    Phi {
        /// Phi in degrees.
        phi_deg: f64,
        /// Whether it enters the sphere as phi grows.
        is_entering: bool,
    },
    /// In a still, after a turn by this angle in rad: positive for a reflection inside of the sphere.
    Excitation(f64),
}

impl Prediction {
    /// Wavelength in Angstrom.
    #[must_use]
    pub fn lambda_angstrom(&self) -> f64 {
        1.0 / self.s1_per_angstrom.length()
    }
}

impl<'a> Conditions<'a> {
    /// The conditions of a geometry that a file describes.
    ///
    /// # Errors
    /// It lacks the wavelength, or the crystal, or has a scan without a spindle.
    pub fn of(geometry: &'a Geometry, d_min_angstrom: f64) -> Result<Self, Failure> {
        let missing = |what: &str| Failure::input(format!("the geometry has no {what}"));
        let rotation = match (geometry.scan, geometry.spindle) {
            (None, _) => None,
            (Some(scan), Some(spindle)) => Some(Rotation { spindle, scan }),
            (Some(_), None) => return Err(missing("spindle")),
        };
        let lambda_m = geometry.beam.lambda_m.ok_or_else(|| missing("wavelength"))?;
        Ok(Self {
            beam: geometry.beam.direction,
            lambda_m,
            band_m: [lambda_m; 2],
            panels: &geometry.panels,
            a_matrix: geometry.crystal.as_ref().ok_or_else(|| missing("crystal"))?.a_matrix,
            d_min_angstrom,
            rotation,
        })
    }

    /// The reflections, in the order of h, k, l and phi.
    ///
    /// ```
    /// use widebragg_experiment::predictions::{Conditions, Listed, When};
    /// use widebragg_formats::geometry::Panel;
    ///
    /// # fn main() -> Result<(), widebragg_experiment::failure::Failure> {
    /// let panel = Panel {
    ///     name: "0".to_owned(),
    ///     pixels: [1000, 1000],
    ///     data_origin: [0, 0],
    ///     pixel_m: [1e-4, 1e-4],
    ///     origin_m: [-0.05, -0.05, 0.1],
    ///     fast: [1.0, 0.0, 0.0],
    ///     slow: [0.0, 1.0, 0.0],
    ///     sensor: None,
    ///     valid: [None, None],
    /// };
    /// let conditions = Conditions {
    ///     beam: [0.0, 0.0, 1.0],
    ///     lambda_m: 1e-10,
    ///     band_m: [1e-10, 1e-10],
    ///     panels: &[panel],
    ///     a_matrix: [[0.02, 0.0, 0.0], [0.0, 0.02, 0.0], [0.0, 0.0, 0.02]],
    ///     d_min_angstrom: 5.0,
    ///     rotation: None,
    /// };
    /// let listed = Listed { reach_rad: &|_| 0.02, is_absent: &|hkl| hkl == [0, 0, 0] };
    /// let still = conditions.predict(&listed)?;
    /// let first = still.iter().find(|prediction| prediction.hkl == [1, 0, 0]).expect("a reflection");
    /// // sin(theta) = lambda/(2 d) = 0.01, and the crystal is theta away from it.
    /// let theta = 0.01_f64.asin();
    /// assert!((first.position_px[0] - 500.0 - 1000.0 * (2.0 * theta).tan()).abs() < 1e-9);
    /// assert!(matches!(first.when, When::Excitation(angle) if (angle + theta).abs() < 1e-12));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Conditions that no reflection has, more indices than can be tried, or too little memory.
    pub fn predict(&self, listed: &Listed<'_>) -> Result<Vec<Prediction>, Failure> {
        let lattice = Lattice::new(self.a_matrix, self.d_min_angstrom)?;
        let [shortest_m, longest_m] = self.band_m;
        if !(shortest_m > 0.0 && (shortest_m..=longest_m).contains(&self.lambda_m) && longest_m.is_finite()) {
            return Err(Failure::input(format!(
                "a wavelength of {} m in a band from {} to {}",
                format_g(self.lambda_m),
                format_g(shortest_m),
                format_g(longest_m)
            )));
        }
        let ewald = Ewald::new(self);
        let placed: Vec<Placed> = self.panels.iter().map(Placed::new).collect();
        let of_h = |h: i32| -> Result<Vec<Prediction>, Failure> {
            let mut found = Vec::new();
            lattice.each_of(h, |hkl, q_per_angstrom| {
                if hkl == [0, 0, 0] || (listed.is_absent)(hkl) {
                    return Ok(());
                }
                for crossing in ewald.crossings(hkl, q_per_angstrom, listed.reach_rad) {
                    if let Some(prediction) = on_panel(&placed, hkl, q_per_angstrom, crossing) {
                        push(&mut found, prediction).ok_or_else(no_memory)?;
                    }
                }
                Ok(())
            })?;
            Ok(found)
        };
        let [h_max, ..] = lattice.most;
        let slices: Vec<_> = (-h_max..=h_max).into_par_iter().map(of_h).collect::<Result<_, _>>()?;
        let mut all = Vec::new();
        for mut slice in slices {
            reserve(&mut all, slice.len()).ok_or_else(no_memory)?;
            all.append(&mut slice);
        }
        Ok(all)
    }
}

/// Whether F of the index is 0 by the centring of the lattice. `dials.predict` leaves these out of rotations, and those of
/// screws and glides ([`SpaceGroup::is_absent`]) out of stills as well.
#[must_use]
pub fn is_absent_by_centring(group: &SpaceGroup, hkl: [i32; 3]) -> bool {
    let translations = group.operators().iter().filter(|operator| operator.is_translation());
    translations.into_iter().any(|operator| operator.phase_24ths(hkl) != 0)
}

fn no_memory() -> Failure {
    Failure::input("no memory for the predicted reflections: a coarser resolution limit has fewer")
}

/// The reflection on the nearest panel that its ray meets.
fn on_panel(
    placed: &[Placed],
    hkl: [i32; 3],
    q_per_angstrom: Vec3,
    Crossing { s1_per_angstrom, when }: Crossing,
) -> Option<Prediction> {
    let hits =
        placed.iter().enumerate().filter_map(|(panel, placed)| Some((panel, placed.hit(s1_per_angstrom)?)));
    let (panel, hit) = hits.min_by(|(_, a), (_, b)| a.distance_m.total_cmp(&b.distance_m))?;
    let d_angstrom = 1.0 / q_per_angstrom.length();
    Some(Prediction { hkl, panel, position_px: hit.position_px, d_angstrom, s1_per_angstrom, when })
}

/// The indices of a reciprocal lattice within a resolution.
struct Lattice {
    reciprocal: [Vec3; 3],
    /// Largest index along each axis.
    most: [i32; 3],
    /// 1/d_min^2.
    largest_squared: f64,
}

impl Lattice {
    fn new(a_matrix: [[f64; 3]; 3], d_min_angstrom: f64) -> Result<Self, Failure> {
        let [x, y, z] = a_matrix;
        let column = |i: usize| Vec3::new(x[i], y[i], z[i]);
        let reciprocal @ [a_star, b_star, c_star] = [column(0), column(1), column(2)];
        let volume_star = a_star.dot(b_star.cross(c_star));
        if !(volume_star.is_finite() && volume_star != 0.0) {
            return Err(Failure::input("the A matrix is no lattice"));
        }
        let tried = 4.0 / 3.0 * core::f64::consts::PI / (volume_star.abs() * d_min_angstrom.powi(3));
        if !(d_min_angstrom > 0.0 && tried <= MOST_TRIED) {
            return Err(Failure::input(format!(
                "a resolution limit of {} Angstrom has more reflections than can be tried",
                format_g(d_min_angstrom)
            )));
        }
        // |h| = |a.q| is at most |a|/d_min.
        let edges = [b_star.cross(c_star), c_star.cross(a_star), a_star.cross(b_star)];
        let most = edges.map(|edge| edge.length() / volume_star.abs() / d_min_angstrom);
        if most.iter().any(|&most| most > f64::from(i32::MAX / 2)) {
            return Err(Failure::input("the A matrix has indices beyond 2^30"));
        }
        let most = most.map(|most| most.ceil() as i32);
        Ok(Self { reciprocal, most, largest_squared: d_min_angstrom.powi(-2) })
    }

    /// Calls `visit` with every h k l of an h within the resolution, and its scattering vector.
    fn each_of(
        &self,
        h: i32,
        mut visit: impl FnMut([i32; 3], Vec3) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let [a_star, b_star, c_star] = self.reciprocal;
        let [_, k_max, l_max] = self.most;
        for k in -k_max..=k_max {
            let of_row = f64::from(h) * a_star + f64::from(k) * b_star;
            // |of_row + l c*| is least at l = middle; it is within the resolution from there to +-half.
            let (square, middle) = (c_star.dot(c_star), -of_row.dot(c_star) / c_star.dot(c_star));
            let left = self.largest_squared - (of_row.dot(of_row) - square * middle * middle);
            if left < 0.0 {
                continue;
            }
            let half = (left / square).sqrt();
            // A step more on both sides: the test below decides.
            let [first, last] = [(middle - half).floor(), (middle + half).ceil()].map(|l| l as i32);
            for l in first.max(-l_max)..=last.min(l_max) {
                let q = of_row + f64::from(l) * c_star;
                if q.dot(q) <= self.largest_squared {
                    visit([h, k, l], q)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use widebragg_formats::geometry::{Beam, Crystal, Frame};

    use super::*;

    fn conditions(a_matrix: [[f64; 3]; 3], d_min_angstrom: f64, lambda_m: f64) -> Conditions<'static> {
        Conditions {
            beam: [0.0, 0.0, 1.0],
            lambda_m,
            band_m: [1e-10, 2e-10],
            panels: &[],
            a_matrix,
            d_min_angstrom,
            rotation: None,
        }
    }

    const CUBIC: [[f64; 3]; 3] = [[0.02, 0.0, 0.0], [0.0, 0.02, 0.0], [0.0, 0.0, 0.02]];

    #[test]
    fn conditions_that_no_reflection_has_are_refused() {
        let listed = Listed { reach_rad: &|_| 1.0, is_absent: &|_| false };
        let flat = [[0.02, 0.0, 0.0], [0.0, 0.02, 0.0], [0.0, 0.0, 0.0]];
        for (refused, why) in [
            (conditions(flat, 5.0, 1e-10), "the A matrix is no lattice"),
            (conditions([[f64::NAN; 3]; 3], 5.0, 1e-10), "the A matrix is no lattice"),
            (conditions(CUBIC, 0.0, 1e-10), "more reflections than can be tried"),
            (conditions(CUBIC, f64::NAN, 1e-10), "more reflections than can be tried"),
            (
                conditions(CUBIC, 1.0 / 3e3, 1e-10),
                "a resolution limit of 0.000333333 Angstrom has more reflections than can be tried",
            ),
            (conditions(CUBIC, 5.0, 3e-10), "in a band from"),
            (conditions(CUBIC, 5.0, f64::NAN), "in a band from"),
        ] {
            let error = refused.predict(&listed).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains('\n'), "{error}");
        }
        assert_eq!(conditions(CUBIC, 5.0, 1e-10).predict(&listed), Ok(Vec::new()));
    }

    #[test]
    fn a_geometry_must_have_what_predictions_need() {
        let beam = Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(1e-10), polarization: None };
        let crystal = Crystal { a_matrix: CUBIC, a_at_frames: Vec::new(), space_group: None };
        let scan = Scan { first: 1, frames: 5, start_deg: 0.0, width_deg: 1.0, exposure_s: None };
        let geometry = Geometry {
            frame: Frame::Dials,
            beam,
            panels: Vec::new(),
            spindle: Some([1.0, 0.0, 0.0]),
            scan: Some(scan),
            crystal: Some(crystal),
        };
        let conditions = Conditions::of(&geometry, 5.0).unwrap();
        assert_eq!(conditions.rotation, Some(Rotation { spindle: [1.0, 0.0, 0.0], scan }));
        assert_eq!((conditions.a_matrix, conditions.band_m), (CUBIC, [1e-10, 1e-10]));
        let still = Geometry { scan: None, ..geometry.clone() };
        assert_eq!(Conditions::of(&still, 5.0).unwrap().rotation, None);
        for (lacking, what) in [
            (Geometry { beam: Beam { lambda_m: None, ..beam }, ..geometry.clone() }, "wavelength"),
            (Geometry { spindle: None, ..geometry.clone() }, "spindle"),
            (Geometry { crystal: None, ..geometry.clone() }, "crystal"),
        ] {
            let error = Conditions::of(&lacking, 5.0).unwrap_err().to_string();
            assert_eq!(error, format!("the geometry has no {what}"));
        }
    }

    /// The indices of a skewed lattice are those that a search of a larger box finds.
    #[test]
    fn all_indices_within_the_resolution_are_visited_once() {
        let a_matrix = [[0.05, 0.021, -0.013], [0.0, 0.047, 0.018], [0.003, 0.0, 0.062]];
        let lattice = Lattice::new(a_matrix, 3.7).unwrap();
        let [h_max, ..] = lattice.most;
        let mut visited = Vec::new();
        for h in -h_max..=h_max {
            let visit = |hkl, _| push(&mut visited, hkl).ok_or_else(no_memory);
            lattice.each_of(h, visit).unwrap();
        }
        let within = |hkl: &[i32; 3]| {
            let q = a_matrix.map(|row| row.iter().zip(hkl).map(|(a, &h)| a * f64::from(h)).sum::<f64>());
            q.iter().map(|x| x * x).sum::<f64>() <= 1.0 / (3.7 * 3.7)
        };
        let box_of = -20..=20;
        let all =
            box_of.clone().flat_map(|h| box_of.clone().flat_map(move |k| (-20..=20).map(move |l| [h, k, l])));
        assert_eq!(visited, all.filter(within).collect::<Vec<_>>());
        assert!(visited.len() > 500);
    }
}
