//! `wb_sincg` called from Rust: what lanes give, at every level of this CPU.

use widebragg::lanes::{Kernel, Lanes, Level, Simd, SimdLevel};
use widebragg::math::sincg_rad;
use widebragg_ffi::wb_sincg;

struct Last(f64, f64);

impl Kernel for Last {
    type Output = f64;
    #[inline(always)]
    fn run<L: Level>(self, level: L) -> f64 {
        // Among other values, and in the last lane: a value must not depend on its neighbours.
        let mut x = vec![0.7; <L::F as Lanes>::LEN];
        x.pop();
        x.push(self.0);
        let value = sincg_rad(level.load(&x, 0.0), level.splat(self.1)).to_array();
        value.as_ref().last().copied().unwrap_or(f64::NAN)
    }
}

fn phases() -> impl Iterator<Item = f64> {
    (-2000..=2000).map(|i| f64::from(i) * 0.005).chain([1e-300, 1e-9, core::f64::consts::PI, 1e8, 1e300])
}

#[test]
fn same_bits_as_portable_lanes() {
    for x in phases() {
        for n in [1.0, 2.0, 36.0, 47.0, 99_999.0, 2.5] {
            let lanes = Simd::capped(SimdLevel::Portable).run(Last(x, n));
            assert_eq!(wb_sincg(x, n).to_bits(), lanes.to_bits(), "sincg({x:e}, {n})");
        }
    }
}

#[test]
fn within_rounding_of_every_level() {
    for simd in Simd::available() {
        for x in phases() {
            for n in [1.0, 2.0, 36.0, 47.0, 99_999.0] {
                let (here, lanes) = (wb_sincg(x, n), simd.run(Last(x, n)));
                // Both are within 4 ulp of the exact value.
                let allowed = 8.0 * f64::EPSILON * here.abs().max(lanes.abs());
                assert!((here - lanes).abs() <= allowed, "{}: sincg({x:e}, {n})", simd.level());
            }
        }
    }
}

#[test]
fn special_values() {
    assert_eq!(wb_sincg(0.0, 29.0), 29.0);
    assert_eq!(wb_sincg(-0.0, 29.0), 29.0);
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(wb_sincg(x, 29.0).is_nan());
    }
    for n in [f64::NAN, f64::INFINITY, -f64::INFINITY] {
        assert!(wb_sincg(0.3, n).is_nan());
    }
}
