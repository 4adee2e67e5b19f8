//! Tiny scenes compared with the scalar oracle at every level: all shapes, lookups, modes and conventions
//! agree within the bound.
//!
//! The bound is 1e-12 of the image's maximum, plus the change of the oracle's own pixel when wavelengths and
//! the detector's position change in their last few digits. On the flank of a reflection, or within rounding
//! errors of the edge of a node, a block or a spot, no program is more accurate.

#![no_main]

use std::cmp::Ordering;
use std::path::Path;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use widebragg::lanes::Simd;
use widebragg_tests::oracle::input::Grid;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

/// Limit, as a fraction of the image's maximum.
const LIMIT: f64 = 1e-12;

/// The relative change of the input: about 20 ulp, which is the uncertainty of h, k and l.
const LAST_DIGITS: f64 = 4e-15;

/// Options with one range for each value. A knob of 0 gives exactly 0 where the range contains it.
const OPTIONS: [(&str, &[(f64, f64)]); 19] = [
    ("-cell", &[(15.0, 60.0), (15.0, 60.0), (15.0, 60.0), (65.0, 100.0), (65.0, 100.0), (65.0, 100.0)]),
    ("-misset", &[(-180.0, 180.0), (-180.0, 180.0), (-180.0, 180.0)]),
    ("-fudge", &[(0.3, 2.5)]),
    ("-lambda", &[(0.7, 2.0)]),
    ("-distance", &[(30.0, 300.0)]),
    ("-pixel", &[(0.05, 9.0)]),
    ("-Xbeam", &[(-10.0, 40.0)]),
    ("-Ybeam", &[(-10.0, 40.0)]),
    ("-detector_rotx", &[(-20.0, 20.0)]),
    ("-detector_roty", &[(-20.0, 20.0)]),
    ("-detector_rotz", &[(-20.0, 20.0)]),
    ("-twotheta", &[(-30.0, 30.0)]),
    ("-phi", &[(-5.0, 5.0)]),
    ("-osc", &[(0.0, 3.0)]),
    ("-mosaic", &[(0.0, 2.0)]),
    ("-hdivrange", &[(0.0, 5.0)]),
    ("-dispersion", &[(0.0, 3.0)]),
    ("-water", &[(0.0, 20.0)]),
    ("-dmin", &[(0.0, 4.0)]),
];

/// The fuzzer's input.
#[derive(Debug, Arbitrary)]
struct Input {
    knobs: [u16; 26],
    size: [u8; 2],
    cells: [u8; 3],
    counts: [u8; 6],
    grid_min: [i8; 3],
    grid_len: [u8; 3],
    shape: u8,
    lookup: u8,
    convention: u8,
    flags: u16,
    kahn: i8,
    threads: u8,
}

fuzz_target!(|input: Input| {
    let mode = if input.flag(0) { Mode::CParity } else { Mode::Spec };
    let threads = usize::from(input.threads % 3) + 1;
    // The oracle refuses angles that close no unit cell, and an aperture without a source.
    let Some(simulation) = input.simulation() else { return };
    let expected = simulation.render(mode, threads).value;
    assert!(expected.iter().all(|pixel| pixel.is_finite()), "{}", input.words().join(" "));
    let largest = largest(&expected);
    for simd in Simd::available() {
        let scene = KernelScene::from_simulation(&simulation, simd, mode);
        let pixels: Vec<f64> = scene.render(threads).expect("a scene that the oracle renders");
        let is_off = |pixel: f64, exact: f64, slack: f64| {
            let allowed = LIMIT * largest + slack;
            // A pixel that is not a number is off.
            (pixel - exact).abs().partial_cmp(&allowed).is_none_or(Ordering::is_gt)
        };
        let near = pixels.iter().zip(&expected).all(|(&pixel, &exact)| !is_off(pixel, exact, 0.0));
        if near {
            continue;
        }
        let slack = last_digits(&simulation, mode, threads);
        for (at, ((&pixel, &exact), &slack)) in pixels.iter().zip(&expected).zip(&slack).enumerate() {
            assert!(
                !is_off(pixel, exact, slack),
                "{}: pixel {at} is {pixel:e}, not {exact:e}: allowed {:e}, largest {largest:e}\n{}",
                simd.level(),
                LIMIT * largest + slack,
                input.words().join(" ")
            );
        }
    }
});

fn largest(pixels: &[f64]) -> f64 {
    // Far tails of Gaussian spots underflow to 0 in one of the two images before the other.
    pixels.iter().fold(1e-200, |largest: f64, pixel| largest.max(pixel.abs()))
}

/// The change of each of the oracle's pixels with the last digits of the wavelengths and of the detector's
/// position.
fn last_digits(simulation: &Simulation, mode: Mode, threads: usize) -> Vec<f64> {
    let exact = simulation.render(mode, threads).value;
    let mut changes = vec![0.0; exact.len()];
    let mut add = |change: &dyn Fn(&mut Simulation)| {
        let mut changed = simulation.clone();
        change(&mut changed);
        let pixels = changed.render(mode, threads).value;
        for (sum, (pixel, exact)) in changes.iter_mut().zip(pixels.iter().zip(&exact)) {
            *sum += (pixel - exact).abs();
        }
    };
    for digits in [-LAST_DIGITS, LAST_DIGITS] {
        add(&|changed| changed.sources.iter_mut().for_each(|source| source.lambda *= 1.0 + digits));
        for axis in 0..3 {
            add(&|changed| changed.detector.pix0[axis] += digits * changed.detector.distance);
        }
    }
    changes
}

impl Input {
    fn flag(&self, bit: u32) -> bool {
        self.flags & (1 << bit) != 0
    }

    /// The command line.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |name: &str, values: &[&dyn ToString]| {
            words.push(name.to_owned());
            words.extend(values.iter().map(|value| value.to_string()));
        };
        let mut knobs = self.knobs.iter();
        for (name, ranges) in OPTIONS {
            let values = ranges.iter().zip(&mut knobs).map(|(&(low, high), &knob)| {
                let value = low + (high - low) * f64::from(knob) / f64::from(u16::MAX);
                if knob == 0 && low <= 0.0 { 0.0 } else { value }
            });
            let values: Vec<String> = values.map(|value| format!("{value:?}")).collect();
            say(name, &values.iter().map(|value| value as &dyn ToString).collect::<Vec<_>>());
        }
        let [fast, slow] = [self.size[0] % 19 + 1, self.size[1] % 2 + 1];
        say("-detpixels_x", &[&fast]);
        say("-detpixels_y", &[&slow]);
        for (name, cells) in ["-Na", "-Nb", "-Nc"].into_iter().zip(self.cells) {
            say(name, &[&(cells % 12 + 1)]);
        }
        for (name, (count, most)) in
            ["-phisteps", "-mosaic_domains", "-hdivsteps", "-vdivsteps", "-dispsteps", "-oversample"]
                .into_iter()
                .zip(self.counts.into_iter().zip([3, 2, 2, 1, 2, 2]))
        {
            say(name, &[&(count % most + 1)]);
        }
        say(
            ["-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots"][usize::from(self.shape % 4)],
            &[],
        );
        say(["-mosflm", "-xds", "-adxv", "-denzo", "-dials"][usize::from(self.convention % 5)], &[]);
        say("-default_F", &[&50]);
        say("-fluence", &[&"1e24"]);
        // The round aperture contains no source where there are few steps.
        if self.flag(10) {
            say("-square_div", &[]);
        }
        if self.flag(1) {
            say("-spindle_axis", &[&0.6, &-0.64, &0.48]);
        }
        // A curved detector can face away from its own normal, where the absorption in a sensor grows without
        // bound.
        if self.flag(2) && !self.flag(4) {
            say("-detector_thick", &[&300]);
            say("-detector_abs", &[&400]);
            say("-detector_thicksteps", &[&(self.counts[5] / 2 % 2 + 1)]);
        }
        if self.flag(3) {
            say("-roi", &[&(fast / 3), &(fast - 1 - fast / 4), &0, &(slow - 1)]);
        }
        for (bit, name) in
            [(4, "-curved_det"), (5, "-oversample_thick"), (6, "-oversample_polar"), (7, "-nopolar")]
        {
            if self.flag(bit) {
                say(name, &[]);
            }
        }
        // Never both: a solid angle above 1 that multiplies the sum at every step overflows f64.
        match self.flags >> 8 & 3 {
            1 => say("-point_pixel", &[]),
            2 => say("-oversample_omega", &[]),
            _ => {}
        }
        if !self.flag(7) {
            say("-polar", &[&(f64::from(self.kahn) / 128.0)]);
        }
        words
    }

    fn simulation(&self) -> Option<Simulation> {
        // A folder that contains no dump of structure factors.
        let mut simulation = Simulation::from_args(&self.words(), Path::new("/nowhere")).ok()?;
        simulation.precise = true;
        if self.lookup % 3 > 0 {
            let range = self.grid_len.map(|n| i64::from(n % 24) + 1);
            let nodes = range.iter().product::<i64>();
            simulation.grid = Some(Grid {
                min: self.grid_min.map(i64::from),
                range,
                F: (0..nodes).map(|i| (i * 7919 % 1001) as f64).collect(),
            });
            simulation.interpolate = self.lookup % 3 == 2;
        }
        Some(simulation)
    }
}
