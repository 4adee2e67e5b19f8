//! Where a ray meets a panel.

use widebragg::vector::Vec3;
use widebragg_formats::geometry::{Panel, Sensor};

/// A panel, prepared for many rays.
pub(super) struct Placed {
    /// The ray t u from the sample meets the plane of the panel where t u = origin + x fast + y slow. These vectors give
    /// x/t, y/t and 1/t, in that order, as their products with u.
    dual: [Vec3; 3],
    fast: Vec3,
    slow: Vec3,
    normal: Vec3,
    size_m: [f64; 2],
    pixel_m: [f64; 2],
    /// Thickness in m and attenuation in 1/m of a sensor in which spots are displaced.
    sensor: Option<[f64; 2]>,
}

/// Where a ray meets a panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    /// Distance from the sample, in m.
    pub distance_m: f64,
    /// Along fast and slow, in pixels from the outer corner of the first pixel.
    pub position_px: [f64; 2],
}

impl Placed {
    pub(super) fn new(panel: &Panel) -> Self {
        let [origin, fast, slow] = [panel.origin_m, panel.fast, panel.slow].map(Vec3::from);
        // Zero for a plane through the sample, which no ray meets: then all products are infinite or NaN.
        let per_volume = 1.0 / origin.dot(fast.cross(slow));
        let dual = [slow.cross(origin), origin.cross(fast), fast.cross(slow)].map(|v| per_volume * v);
        let along = |axis: usize| panel.pixels[axis] as f64 * panel.pixel_m[axis];
        let sensor = panel.sensor.as_ref().and_then(|Sensor { thickness_m, attenuation_per_m, .. }| {
            let attenuation_per_m = attenuation_per_m.filter(|&per_m| per_m > 0.0 && *thickness_m > 0.0)?;
            Some([*thickness_m, attenuation_per_m])
        });
        Self {
            dual,
            fast,
            slow,
            normal: fast.cross(slow).normalize(),
            size_m: [along(0), along(1)],
            pixel_m: panel.pixel_m,
            sensor,
        }
    }

    /// Where a ray from the sample meets the panel; `None` where it does not.
    pub(super) fn hit(&self, ray: Vec3) -> Option<Hit> {
        let unit = ray.try_normalize()?;
        let [x, y, inverse_m] = self.dual.map(|dual| dual.dot(unit));
        if !(inverse_m > 0.0 && inverse_m.is_finite()) {
            return None;
        }
        let at_m = [x / inverse_m, y / inverse_m];
        if at_m.iter().zip(self.size_m).any(|(at_m, size_m)| !(0.0..=size_m).contains(at_m)) {
            return None;
        }
        let depth_m = self.depth_m(unit);
        let along = [self.fast, self.slow].map(|axis| unit.dot(axis));
        let position_px = [0, 1].map(|axis| (at_m[axis] + depth_m * along[axis]) / self.pixel_m[axis]);
        Some(Hit { distance_m: 1.0 / inverse_m, position_px })
    }

    /// The mean depth of capture along the ray, in m, if photons that pass through count with 0.
    fn depth_m(&self, unit: Vec3) -> f64 {
        let Some([thickness_m, attenuation_per_m]) = self.sensor else { return 0.0 };
        let path_m = thickness_m / unit.dot(self.normal).abs();
        let free_m = 1.0 / attenuation_per_m;
        free_m - (path_m + free_m) * (-path_m * attenuation_per_m).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(sensor: Option<Sensor>) -> Panel {
        Panel {
            name: "0".to_owned(),
            pixels: [100, 50],
            data_origin: [0, 0],
            pixel_m: [1e-3, 2e-3],
            origin_m: [-0.05, -0.05, 0.1],
            fast: [1.0, 0.0, 0.0],
            slow: [0.0, 1.0, 0.0],
            sensor,
            valid: [None, None],
        }
    }

    #[test]
    fn rays_meet_the_rectangle_in_front_only() {
        let placed = Placed::new(&panel(None));
        let hit = |x: f64, y: f64, z: f64| placed.hit(Vec3::new(x, y, z)).map(|hit| hit.position_px);
        let [x, y] = hit(0.0, 0.0, 3.0).unwrap();
        assert!((x - 50.0).abs() < 1e-12 && (y - 25.0).abs() < 1e-12);
        let [x, y] = hit(0.2, -0.1, 1.0).unwrap();
        assert!((x - 70.0).abs() < 1e-12 && (y - 20.0).abs() < 1e-12);
        assert!(
            hit(0.0, 0.0, -1.0).is_none() && hit(0.6, 0.0, 1.0).is_none() && hit(1.0, 0.0, 0.0).is_none()
        );
        assert!(hit(0.0, 0.0, 0.0).is_none() && hit(f64::NAN, 0.0, 1.0).is_none());
        let through_the_sample = Panel { origin_m: [-0.05, -0.05, 0.0], ..panel(None) };
        assert!(Placed::new(&through_the_sample).hit(Vec3::new(0.0, 0.0, 1.0)).is_none());
    }

    /// A sensor that captures everything at its surface displaces nothing; one that captures few photons, mu t/c of them,
    /// displaces these by half of the path.
    #[test]
    fn spots_move_along_the_ray_by_the_mean_depth_of_capture() {
        let ray = Vec3::new(0.3, 0.0, 1.0);
        let flat = Placed::new(&panel(None)).hit(ray).unwrap().position_px[0];
        let moved_m = |attenuation_per_m: f64| {
            let sensor =
                Sensor { material: None, thickness_m: 1e-3, attenuation_per_m: Some(attenuation_per_m) };
            (Placed::new(&panel(Some(sensor))).hit(ray).unwrap().position_px[0] - flat) * 1e-3
        };
        assert!(moved_m(1e9) < 1e-9 && moved_m(1e9) > 0.0);
        // o = (mu t/c)^2/(2 mu) for small mu.
        let path_m = 1e-3 * 1.09_f64.sqrt();
        let expected_m = 10.0 * path_m * path_m / 2.0 * 0.3 / 1.09_f64.sqrt();
        assert!((moved_m(10.0) / expected_m - 1.0).abs() < 0.01, "{}", moved_m(10.0));
    }
}
