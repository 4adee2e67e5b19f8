//! Where reflections are on the Ewald sphere; the formulas are those of the parent.

use widebragg::rotation::rotate_axis;
use widebragg::vector::Vec3;

use super::{Approach, Conditions, Rotation, When};

/// A whole turn in degrees.
const TURN_DEG: f64 = 360.0;

/// A reflection on the sphere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing {
    /// Wave vector of its ray, in 1/Angstrom.
    pub s1_per_angstrom: Vec3,
    /// When it is there.
    pub when: When,
}

/// The sphere, and how the crystal moves.
pub(super) struct Ewald {
    /// Wave vector of the beam, in 1/Angstrom.
    s0: Vec3,
    /// Unit vector along the beam.
    beam: Vec3,
    /// Shortest and longest wavelength, in Angstrom.
    band_angstrom: [f64; 2],
    scan: Option<Sweep>,
}

/// A rotation over a range of phi.
struct Sweep {
    spindle: Vec3,
    /// Phi at its lower and at its upper end, in degrees.
    ends_deg: [f64; 2],
    /// Whether phi grows: the end where it starts belongs to the range, the other does not.
    is_forward: bool,
}

impl Ewald {
    pub(super) fn new(conditions: &Conditions<'_>) -> Self {
        let beam = Vec3::from(conditions.beam);
        let radius_per_angstrom = 1e-10 / conditions.lambda_m;
        Self {
            s0: radius_per_angstrom * beam,
            beam,
            band_angstrom: conditions.band_m.map(|lambda_m| lambda_m * 1e10),
            scan: conditions.rotation.map(Sweep::new),
        }
    }

    /// Where a reflection that is listed is on the sphere; `q0` is its scattering vector at phi = 0, in 1/Angstrom.
    pub(super) fn crossings(
        &self,
        hkl: [i32; 3],
        q0: Vec3,
        reach_rad: &dyn Fn(&Approach) -> f64,
    ) -> Vec<Crossing> {
        let is_within = |phi_rad: f64, q: Vec3| {
            let turned = self.turned(q)?;
            let reach_rad = reach_rad(&Approach { hkl, q_per_angstrom: q, phi_rad });
            (turned.angle_rad.abs() < reach_rad).then_some(turned)
        };
        let Some(sweep) = &self.scan else {
            let still = is_within(0.0, q0).map(|turned| Crossing {
                s1_per_angstrom: turned.s1,
                when: When::Excitation(turned.angle_rad),
            });
            return still.into_iter().collect();
        };
        let Some(roots_deg) = self.roots_deg(sweep, q0) else { return Vec::new() };
        let mut phis_deg: Vec<f64> = roots_deg.into_iter().flat_map(|root| sweep.inside(root)).collect();
        phis_deg.extend(
            sweep
                .outside(roots_deg)
                .filter(|&(_, end_deg)| {
                    let end_rad = end_deg.to_radians();
                    is_within(end_rad, rotate_axis(q0, sweep.spindle, end_rad)).is_some()
                })
                .map(|(phi_deg, _)| phi_deg),
        );
        phis_deg.sort_by(f64::total_cmp);
        phis_deg.into_iter().map(|phi_deg| self.at(sweep, q0, phi_deg)).collect()
    }

    /// The crossing at a root.
    fn at(&self, sweep: &Sweep, q0: Vec3, phi_deg: f64) -> Crossing {
        let s1 = self.s0 + rotate_axis(q0, sweep.spindle, phi_deg.to_radians());
        let is_entering = s1.dot(self.s0.cross(sweep.spindle)) < 0.0;
        Crossing { s1_per_angstrom: s1, when: When::Phi { phi_deg, is_entering } }
    }

    /// The phi at which a reflection is on the sphere, in degrees, from a range of two turns; `None` for one that never is.
    fn roots_deg(&self, sweep: &Sweep, q0: Vec3) -> Option<[f64; 2]> {
        let along = sweep.spindle.dot(q0);
        let a = self.s0.dot(q0 - along * sweep.spindle);
        let b = self.s0.dot(sweep.spindle.cross(q0));
        let c = -0.5 * q0.dot(q0) - self.s0.dot(sweep.spindle) * along;
        let length = a.hypot(b);
        let squared = (length - c) * (length + c);
        if !(squared >= 0.0 && length > 0.0) {
            return None;
        }
        let (middle, half) = (b.atan2(a), squared.sqrt().atan2(c));
        Some([middle - half, middle + half].map(f64::to_degrees))
    }

    /// q turned onto the sphere of the wavelength that comes nearest; `None` where it is too long, or along the beam.
    fn turned(&self, q: Vec3) -> Option<Turned> {
        let squared = q.dot(q);
        let across = q.cross(self.beam).try_normalize()?;
        let [shortest, longest] = self.band_angstrom;
        let lambda = (-2.0 * self.beam.dot(q) / squared).clamp(shortest, longest);
        // The component of the turned q along the beam, and that across it.
        let along = -0.5 * squared * lambda;
        let aside_squared = squared - along * along;
        if aside_squared < 0.0 {
            return None;
        }
        let turned = along * self.beam + aside_squared.sqrt() * self.beam.cross(across);
        let unit = q.normalize();
        let angle_rad = -turned.dot(unit.cross(across)).atan2(turned.dot(unit));
        Some(Turned { s1: (1.0 / lambda) * self.beam + turned, angle_rad })
    }
}

/// A scattering vector that was turned onto the sphere.
struct Turned {
    /// Wave vector of its ray, in 1/Angstrom.
    s1: Vec3,
    angle_rad: f64,
}

impl Sweep {
    fn new(Rotation { spindle, scan }: Rotation) -> Self {
        let start_deg = scan.start_deg;
        let end_deg = start_deg + scan.width_deg * scan.frames as f64;
        Self {
            spindle: spindle.into(),
            ends_deg: [start_deg.min(end_deg), start_deg.max(end_deg)],
            is_forward: scan.width_deg >= 0.0,
        }
    }

    /// Whether phi, which is not further away than a turn, is in the range.
    fn contains(&self, phi_deg: f64) -> bool {
        let [lower, upper] = self.ends_deg;
        match self.is_forward {
            true => lower <= phi_deg && phi_deg < upper,
            false => lower < phi_deg && phi_deg <= upper,
        }
    }

    /// The phi in the range that are a root and any number of turns.
    fn inside(&self, root_deg: f64) -> impl Iterator<Item = f64> {
        let [lower, upper] = self.ends_deg;
        let first = ((lower - root_deg) / TURN_DEG).ceil() as i64;
        let last = ((upper - root_deg) / TURN_DEG).floor() as i64;
        let phis_deg = (first..=last).map(move |turns| root_deg + TURN_DEG * turns as f64);
        phis_deg.filter(|&phi_deg| self.contains(phi_deg))
    }

    /// The roots beyond an end of the range to which no root is nearer, each with that end.
    fn outside(&self, roots_deg: [f64; 2]) -> impl Iterator<Item = (f64, f64)> {
        let [lower, upper] = self.ends_deg;
        let is_whole = upper - lower >= TURN_DEG;
        let ends = [(lower, -1.0), (upper, 1.0)].into_iter().filter(move |_| !is_whole);
        ends.filter_map(move |(end_deg, outwards)| {
            let apart_deg = roots_deg.map(|root_deg| {
                let apart_deg = root_deg - end_deg;
                apart_deg - TURN_DEG * (apart_deg / TURN_DEG).round()
            });
            let [one, other] = apart_deg;
            let nearest_deg = if one.abs() <= other.abs() { one } else { other };
            let phi_deg = end_deg + nearest_deg;
            let is_beyond = nearest_deg * outwards >= 0.0 && !self.contains(phi_deg);
            is_beyond.then_some((phi_deg, end_deg))
        })
    }
}

#[cfg(test)]
mod tests {
    use widebragg_formats::geometry::Scan;

    use super::*;

    fn sweep(start_deg: f64, width_deg: f64, frames: usize) -> Sweep {
        let scan = Scan { first: 1, frames, start_deg, width_deg, exposure_s: None };
        Sweep::new(Rotation { spindle: [1.0, 0.0, 0.0], scan })
    }

    #[test]
    fn the_start_of_a_scan_belongs_to_it_and_its_end_does_not() {
        let forward = sweep(10.0, 0.5, 20);
        assert_eq!(forward.inside(10.0).collect::<Vec<_>>(), [10.0]);
        assert_eq!(forward.inside(20.0 - 720.0).count(), 0);
        let backward = sweep(10.0, -0.5, 20);
        assert_eq!(backward.inside(370.0).collect::<Vec<_>>(), [10.0]);
        assert_eq!(backward.inside(0.0).count(), 0);
        assert_eq!(sweep(0.0, 10.0, 100).inside(-350.0).collect::<Vec<_>>(), [10.0, 370.0, 730.0]);
    }

    #[test]
    fn roots_beyond_an_end_are_those_that_nothing_inside_is_nearer_than() {
        let scan = sweep(10.0, 1.0, 10);
        let outside = |roots| scan.outside(roots).collect::<Vec<_>>();
        assert_eq!(outside([9.0, 200.0]), [(9.0, 10.0)]);
        assert_eq!(outside([369.0, -339.0]), [(9.0, 10.0), (21.0, 20.0)]);
        // 9 lies beyond the start, though it is the nearest root to the end as well.
        assert_eq!(outside([9.0, 8.0]), [(9.0, 10.0)]);
        // 11 is nearer to the start than 8, and 19 to the end than 22.
        assert_eq!(outside([8.0, 11.0]), []);
        assert_eq!(outside([19.0, 22.0]), []);
        assert_eq!(sweep(0.0, 1.0, 360).outside([5.0, -1.0]).count(), 0);
    }
}
