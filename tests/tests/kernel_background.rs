//! The background of spec: the curve through a table, the profile over wavelengths, and rows of photons against the
//! formula in plain f64 and against nonBragg and simtbx.

use core::f64::consts::PI;
use std::io::Read;

use flate2::read::GzDecoder;
use widebragg::Error;
use widebragg::background::{
    AmorphousMatter, BeamLine, Curve, Profile, Radial, RadialPoint, Slab, WeightedSource, molecules,
};
use widebragg::beam::{Polarization, PolarizedAt, Source, polarization_factor};
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::panel::{Bend, Panel};
use widebragg::scene::Sensor;
use widebragg::vector::Vec3;
use widebragg_tests::golden;

const ELECTRON_RADIUS_SQUARED_M2: f64 = 7.940_792_480_189_65e-30;

fn levels() -> impl Iterator<Item = Simd> {
    SimdLevel::ALL.into_iter().filter_map(Simd::exactly)
}

/// Numbers between 0 and 1 that look random.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn within(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.draw()
    }

    fn unit(&mut self) -> Vec3 {
        Vec3::new(self.within(-1.0, 1.0), self.within(-1.0, 1.0), self.within(-1.0, 1.0)).normalize()
    }
}

fn points(table: &[[f64; 2]]) -> Vec<RadialPoint> {
    table.iter().map(|&[s, f_electrons]| RadialPoint { s, f_electrons }).collect()
}

/// A table of `count` points, some of which are a thousand times as near to each other as others.
fn uneven(count: usize, random: &mut Random) -> Vec<RadialPoint> {
    let mut s = random.within(0.0, 0.1);
    let table = (0..count).map(|_| {
        s += if random.draw() < 0.5 { 0.04 } else { 0.000_04 } * random.within(0.1, 1.0);
        [s, random.within(-2.0, 20.0)]
    });
    points(&table.collect::<Vec<_>>())
}

fn with_curve<T>(points: &[RadialPoint], run: impl FnOnce(Curve<'_>) -> T) -> T {
    let mut room = vec![0.0; Curve::room_len(points.len())];
    run(Curve::fill(points, 1e10, &mut room).expect("a curve"))
}

#[test]
fn a_curve_goes_through_its_points_and_stays_between_them() {
    let mut random = Random(1);
    for count in (1..12).chain([300]) {
        let points = uneven(count, &mut random);
        with_curve(&points, |curve| {
            for pair in points.windows(2) {
                let (low, high) = (pair[0].f_electrons, pair[1].f_electrons);
                let at =
                    |part: f64| curve.structure_factor((pair[0].s + (pair[1].s - pair[0].s) * part) * 1e10);
                assert!((at(0.0) - low).abs() < 1e-12 && (at(1.0) - high).abs() < 1e-9, "{count}");
                let between: Vec<f64> = (0..=50).map(|part| at(f64::from(part) / 50.0)).collect();
                let rises = |step: &[f64]| (step[1] - step[0]) * (high - low).signum() > -1e-9;
                assert!(between.windows(2).all(rises), "{count}: {between:?}");
            }
            let (first, last) = (points[0], points[count - 1]);
            for beyond in [1e-9, 0.1, 1e3] {
                assert_eq!(curve.structure_factor((first.s - beyond) * 1e10), first.f_electrons);
                assert_eq!(curve.structure_factor((last.s + beyond) * 1e10), last.f_electrons);
            }
        });
    }
}

#[test]
fn a_curve_reproduces_lines_and_follows_a_smooth_function() {
    let line: Vec<[f64; 2]> = [0.0, 0.01, 0.07, 0.2, 0.5].iter().map(|&s| [s, 3.0 + 4.0 * s]).collect();
    with_curve(&points(&line), |curve| {
        for s in [0.001, 0.05, 0.3, 0.499] {
            assert!((curve.structure_factor(s * 1e10) - (3.0 + 4.0 * s)).abs() < 1e-12);
        }
    });
    // The error of the slopes is of second order, so half the step gives a quarter of the error or less.
    let smooth = |s: f64| 10.0 * (-8.0 * s).exp();
    let largest_error = |steps: usize| {
        let table: Vec<[f64; 2]> =
            (0..=steps).map(|i| 0.5 * i as f64 / steps as f64).map(|s| [s, smooth(s)]).collect();
        with_curve(&points(&table), |curve| {
            let errors =
                (0..5000).map(|i| 1e-4 * f64::from(i)).map(|s| curve.structure_factor(s * 1e10) - smooth(s));
            errors.fold(0.0, |most: f64, error| most.max(error.abs()))
        })
    };
    assert!(largest_error(50) < 1e-3 && largest_error(100) < largest_error(50) / 4.0);
}

#[test]
fn tables_that_are_no_functions_are_refused() {
    let refused = |table: &[[f64; 2]]| {
        let mut room = vec![0.0; Curve::room_len(table.len())];
        Curve::fill(&points(table), 1e10, &mut room).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(refused(&[]), "points of a radial table is 0, must be at least 1");
    assert_eq!(
        refused(&[[0.1, 1.0], [0.1, 2.0]]),
        "s of a radial table is 0.1, must be above the s before it"
    );
    assert_eq!(
        refused(&[[0.2, 1.0], [0.1, 2.0]]),
        "s of a radial table is 0.1, must be above the s before it"
    );
    assert_eq!(refused(&[[0.2, f64::NAN]]), "F of a radial table is NaN, must be finite");
    assert_eq!(refused(&[[f64::INFINITY, 1.0]]), "s of a radial table is inf, must be finite");
    let mut room = [0.0; 3];
    let short = Curve::fill(&points(&[[0.1, 1.0]]), 1e10, &mut room);
    assert!(matches!(short, Err(Error::BufferTooShort { .. })));
}

/// The formula of [`AmorphousMatter`], in plain f64.
fn expected(matter: &AmorphousMatter<'_>, intensity: &dyn Fn(f64) -> f64, [fast, slow]: [usize; 2]) -> f64 {
    let panel = &matter.panel;
    let mut position = panel.position_m([fast as f64 + 0.5, slow as f64 + 0.5]);
    if let Some(bend) = panel.bend {
        let spot = bend.radius_m * bend.beam;
        let about_slow = rotated(spot, panel.slow, position.y / bend.radius_m);
        position = rotated(about_slow, panel.fast, position.z / bend.radius_m);
    }
    let from_matter = position - matter.origin_m;
    let distance = from_matter.length();
    let d = from_matter.normalize();
    let close = panel.close_distance_m - matter.origin_m.dot(panel.normal);
    let omega = match panel.point_pixel {
        true => 1.0 / (distance * distance),
        false => panel.pixel_m.powi(2) * close / distance.powi(3),
    };
    let sensor = panel.sensor;
    let captured = match sensor.layer_m > 0.0 {
        true => 1.0 - (-sensor.thickness_m() * sensor.attenuation_per_m / d.dot(panel.normal)).exp(),
        false => 1.0,
    };
    let escape = matter.slab.map_or(1.0, |slab| escape(slab, d));
    let (mut sum, mut weights) = (0.0, 0.0);
    for WeightedSource { source, weight } in matter.sources {
        let s_per_m = (d - source.incident).length() / 2.0 / source.lambda_m;
        let polarization = matter.polarization.map_or(1.0, |polarization| {
            polarization_factor(polarization.kahn, source.incident, d, polarization.axis)
        });
        sum += weight * intensity(s_per_m) * polarization;
        weights += weight;
    }
    ELECTRON_RADIUS_SQUARED_M2 * matter.fluence_per_m2 * matter.molecules * omega * captured * escape * sum
        / weights
}

fn rotated(v: Vec3, axis: Vec3, angle: f64) -> Vec3 {
    let (sin, cos) = angle.sin_cos();
    cos * v + sin * axis.cross(v) + (axis.dot(v) * (1.0 - cos)) * axis
}

/// The part of the photons that leaves a slab.
fn escape(slab: Slab, d: Vec3) -> f64 {
    let (m, c) = (slab.depth, d.dot(slab.normal));
    let (before, path) = if c > 0.0 { ((-m).exp(), m * (1.0 / c - 1.0)) } else { (1.0, m * (1.0 - 1.0 / c)) };
    if path == 0.0 { before } else { -before * (-path).exp_m1() / path }
}

#[test]
fn a_slab_lets_out_the_mean_over_its_layers() {
    for depth in [1e-3, 0.1, 2.0] {
        for c in [1.0, 0.999_999_9, 0.9, 0.3, 0.02, -0.02, -0.5, -1.0_f64] {
            let slab = Slab { normal: Vec3::new(0.0, 0.0, 1.0), depth };
            let layers = 20_000;
            let left = (0..layers).map(|layer| {
                let z = (f64::from(layer) + 0.5) / f64::from(layers);
                let out = if c > 0.0 { (1.0 - z) / c } else { z / -c };
                (-depth * (z + out)).exp()
            });
            let mean = left.sum::<f64>() / f64::from(layers);
            let found = escape(slab, Vec3::new((1.0 - c * c).max(0.0).sqrt(), 0.0, c));
            assert!((found / mean - 1.0).abs() < 1e-5, "{depth} {c}: {found} {mean}");
        }
    }
}

fn panel(random: &mut Random) -> Panel {
    let normal = random.unit();
    let fast = normal.cross(random.unit()).normalize();
    let close_distance_m = random.within(0.05, 0.3);
    let slow = normal.cross(fast);
    let corner = |random: &mut Random| random.within(-0.1, 0.0);
    let pix0_m = close_distance_m * normal + corner(random) * fast + corner(random) * slow;
    Panel {
        pixel_m: random.within(5e-5, 5e-3),
        fast_pixels: 300,
        slow_pixels: 40,
        pix0_m,
        fast,
        slow,
        normal,
        close_distance_m,
        point_pixel: random.draw() < 0.2,
        bend: None,
        sensor: match random.draw() < 0.5 {
            true => Sensor { layers: 3, layer_m: 1e-4, attenuation_per_m: 4000.0 },
            false => Sensor::THIN,
        },
    }
}

#[test]
fn rows_are_the_formula_at_every_level() {
    let mut random = Random(2);
    for round in 0..60 {
        let table = uneven(1 + round, &mut random);
        let source = |random: &mut Random| WeightedSource {
            source: Source { incident: random.unit(), lambda_m: random.within(0.5e-10, 2e-10) },
            weight: random.within(0.1, 3.0),
        };
        let sources: Vec<_> = (0..1 + round % 4).map(|_| source(&mut random)).collect();
        let mut panel = panel(&mut random);
        if round % 10 == 7 {
            panel.bend = Some(Bend { beam: panel.normal, radius_m: panel.close_distance_m });
        }
        let axis = random.unit();
        // For an axis along the beam psi is undefined.
        let axis = if round % 7 == 3 { sources[0].source.incident } else { axis };
        let slab = Slab { normal: random.unit(), depth: random.within(0.001, 1.0) };
        let origin_m = if round % 3 == 0 { 0.02 * random.unit() } else { Vec3::new(0.0, 0.0, 0.0) };
        let kahn = [0.0, 0.9][round % 2];
        with_curve(&table, |curve| {
            let matter = AmorphousMatter {
                panel,
                origin_m,
                sources: &sources,
                radial: Radial::Curve(curve),
                polarization: (round % 5 != 0).then_some(Polarization {
                    kahn,
                    axis,
                    at: PolarizedAt::default(),
                }),
                fluence_per_m2: 1e24,
                molecules: molecules(1e-3, 1e-8, 0.8, 20.0),
                slab: (round % 4 == 1).then_some(slab),
            };
            let intensity = |s_per_m: f64| {
                let f = curve.structure_factor(s_per_m);
                f * f.abs()
            };
            let columns = 3 + round..300 - 2 * round;
            for simd in levels() {
                let mut row = vec![1.0; columns.len()];
                matter.add_to_row(simd, 17, columns.clone(), &mut row).expect("a row");
                for (fast, photons) in columns.clone().zip(row) {
                    let expected = expected(&matter, &intensity, [fast, 17]);
                    // F may have a root, where it loses digits.
                    let size =
                        ELECTRON_RADIUS_SQUARED_M2 * 1e24 * matter.molecules * panel.pixel_m.powi(2) * 400.0;
                    let size = if panel.point_pixel { size / panel.pixel_m.powi(2) } else { size };
                    let near = size / panel.close_distance_m.powi(2);
                    let error = (photons - 1.0 - expected).abs();
                    assert!(
                        error <= 1e-11 * expected.abs() + 1e-13 * near + 1e-15,
                        "{round} {fast} {}: {photons} {expected}",
                        simd.level()
                    );
                }
            }
        });
    }
}

#[test]
fn a_profile_is_the_mean_over_its_wavelengths() {
    let mut random = Random(3);
    let table = [[0.0, 2.5], [0.05, 2.6], [0.12, 5.0], [0.16, 8.0], [0.2, 6.7], [0.3, 4.3], [0.5, 3.2]];
    with_curve(&points(&table), |curve| {
        let lines: Vec<BeamLine> = (0..30)
            .map(|_| BeamLine { lambda_m: random.within(0.9e-10, 1.1e-10), weight: random.within(0.1, 2.0) })
            .collect();
        let mut room = vec![0.0; Profile::room_len(4096)];
        let profile = Profile::fill(&curve, &lines, [0.0, 1.0], &mut room).expect("a profile");
        assert!(profile.error() < 1e-7 * profile.largest() && profile.largest() > 60.0);
        let incident = Vec3::new(0.0, 0.0, 1.0);
        let of_lines: Vec<_> = lines
            .iter()
            .map(|&BeamLine { lambda_m, weight }| WeightedSource {
                source: Source { incident, lambda_m },
                weight,
            })
            .collect();
        let panel = Panel { point_pixel: false, ..panel(&mut random) };
        let one = |radial, sources| AmorphousMatter {
            panel,
            origin_m: Vec3::new(0.0, 0.0, 0.0),
            sources,
            radial,
            polarization: Some(Polarization {
                kahn: 0.5,
                axis: Vec3::new(1.0, 0.0, 0.0),
                at: PolarizedAt::default(),
            }),
            fluence_per_m2: 1e24,
            molecules: 1e16,
            slab: None,
        };
        let common = [WeightedSource { source: Source { incident, lambda_m: 1e-10 }, weight: 7.0 }];
        let mut largest = 0.0f64;
        for simd in levels() {
            for slow in [0, 20, 39] {
                let (mut direct, mut looked_up) = (vec![0.0; 300], vec![0.0; 300]);
                one(Radial::Curve(curve), &of_lines)
                    .add_to_row(simd, slow, 0..300, &mut direct)
                    .expect("a row");
                one(Radial::Profile(profile), &common)
                    .add_to_row(simd, slow, 0..300, &mut looked_up)
                    .expect("a row");
                largest = largest.max(direct.iter().copied().fold(0.0, f64::max));
                for (direct, looked_up) in direct.iter().zip(&looked_up) {
                    // F^2 is at least a tenth of its largest, so the bound holds for each pixel.
                    assert!((direct - looked_up).abs() <= 10.0 * 1e-7 * direct, "{direct} {looked_up}");
                }
            }
        }
        assert!(largest > 0.0);
    });
}

#[test]
fn a_profile_reports_what_too_few_cells_lose() {
    let table: Vec<[f64; 2]> = (0..200).map(|i| [f64::from(i) * 2e-3, f64::from(i % 7)]).collect();
    with_curve(&points(&table), |curve| {
        let lines = [BeamLine { lambda_m: 1e-10, weight: 1.0 }];
        let errors = [64, 1024, 16_384].map(|cells| {
            let mut room = vec![0.0; Profile::room_len(cells)];
            Profile::fill(&curve, &lines, [0.0, 0.5], &mut room).expect("a profile").error()
        });
        assert!(errors[0] > 1.0 && errors[2] < 1e-2 * errors[0] && errors[1] > errors[2], "{errors:?}");
        let refused = |lines: &[BeamLine], sines, len| {
            let mut room = vec![0.0; len];
            Profile::fill(&curve, lines, sines, &mut room).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(refused(&[], [0.0, 1.0], 4), "wavelengths of a profile is 0, must be at least 1");
        assert_eq!(refused(&lines, [1.0, 1.0], 4), "end of a profile is 1, must be above its start");
        assert_eq!(refused(&lines, [0.0, 1.0], 3), "profile needs 4 elements, 3 given");
    });
}

fn unpacked(path: &str) -> Vec<u8> {
    let file = std::fs::File::open(golden::root().join("noise").join(path)).expect(path);
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect(path);
    bytes
}

/// The detector of the golden images: 64 x 48 pixels of 5 mm, 150 mm from the sample.
fn golden_panel(pix0_mm: [f64; 3]) -> Panel {
    let [x, y, z] = pix0_mm.map(|mm| mm / 1000.0);
    Panel {
        pixel_m: 5e-3,
        fast_pixels: 64,
        slow_pixels: 48,
        pix0_m: Vec3::new(x, y, z),
        fast: Vec3::new(0.0, 0.0, 1.0),
        slow: Vec3::new(0.0, -1.0, 0.0),
        normal: Vec3::new(1.0, 0.0, 0.0),
        close_distance_m: 0.15,
        point_pixel: false,
        bend: None,
        sensor: Sensor::THIN,
    }
}

fn golden_matter<'a>(panel: Panel, sources: &'a [WeightedSource], curve: Curve<'a>) -> AmorphousMatter<'a> {
    AmorphousMatter {
        panel,
        origin_m: Vec3::new(0.0, 0.0, 0.0),
        sources,
        radial: Radial::Curve(curve),
        polarization: Some(Polarization {
            kahn: 0.0,
            axis: Vec3::new(0.0, 0.0, 1.0),
            at: PolarizedAt::default(),
        }),
        fluence_per_m2: 1e17,
        molecules: molecules(1e-4, 1e-8, 1.0, 18.0),
        slab: None,
    }
}

fn image(matter: &AmorphousMatter<'_>) -> Vec<f64> {
    let mut image = vec![0.0; 64 * 48];
    for (slow, row) in image.chunks_exact_mut(64).enumerate() {
        matter.add_to_row(Simd::detect(), slow, 0..64, row).expect("a row");
    }
    image
}

fn along_beam(lambda_angstrom: f64) -> WeightedSource {
    let incident = Vec3::new(1.0, 0.0, 0.0);
    WeightedSource { source: Source { incident, lambda_m: lambda_angstrom * 1e-10 }, weight: 1.0 }
}

fn golden_floats(case: &str) -> Vec<f64> {
    let bytes = unpacked(&format!("nonbragg/{case}/f.f32.gz"));
    bytes
        .chunks_exact(4)
        .map(|four| f64::from(f32::from_le_bytes(four.try_into().expect("four bytes"))))
        .collect()
}

#[test]
fn photons_are_those_of_nonbragg() {
    let sources = [along_beam(1.0)];
    let panel = golden_panel([150.0, 122.5, -157.5]);
    let compare = |found: &[f64], case: &str, most: f64| {
        let golden = golden_floats(case);
        assert_eq!(found.len(), golden.len());
        for (pixel, (found, golden)) in found.iter().zip(&golden).enumerate() {
            assert!((found / golden - 1.0).abs() < most, "{case} {pixel}: {found} {golden}");
        }
    };
    // F is the same everywhere.
    with_curve(&points(&[[0.0, 2.57], [2.0, 2.57]]), |curve| {
        let matter = AmorphousMatter {
            polarization: None,
            fluence_per_m2: 1e24,
            molecules: molecules(1e-5, 1e-10, 1.0, 18.0),
            ..golden_matter(panel, &sources, curve)
        };
        compare(&image(&matter), "flat257", 1e-6);
    });
    // Points are so near to each other that the curve between them makes no difference. Beyond 0.5/Å nonBragg's F goes on
    // to fall, but no pixel is there.
    with_curve(&table_of("inputs/water.stol.gz"), |curve| {
        compare(&image(&golden_matter(panel, &sources, curve)), "water_flat_mono", 1e-4);
    });
}

#[test]
fn sensors_and_sources_are_those_of_simtbx() {
    let golden = |case: &str| -> Vec<f64> {
        let bytes = unpacked(&format!("simtbx/{case}.f64.gz"));
        bytes
            .chunks_exact(8)
            .map(|eight| f64::from_le_bytes(eight.try_into().expect("eight bytes")))
            .collect()
    };
    // simtbx has 3 layers that are half the thickness each, every one in its own place. A layer is what the sensor captures
    // down to its end less what it captures down to its begin.
    let panel = golden_panel([150.0, 125.0, -165.0]);
    let sources = [along_beam(1.0)];
    with_curve(&lagrange(&water(), 200_000), |curve| {
        let matter = golden_matter(panel, &sources, curve);
        let captured = |layer: usize, layers: usize| {
            let sensor = Sensor { layers, layer_m: 0.16e-3, attenuation_per_m: 4000.0 };
            let pix0_m = panel.pix0_m + layer as f64 * 0.16e-3 * panel.normal;
            match layers {
                0 => vec![0.0; 64 * 48],
                _ => image(&AmorphousMatter { panel: Panel { sensor, pix0_m, ..panel }, ..matter }),
            }
        };
        let mut thick = vec![0.0; 64 * 48];
        for layer in 0..3 {
            let ends = captured(layer, layer + 1).into_iter().zip(captured(layer, layer));
            thick.iter_mut().zip(ends).for_each(|(sum, (to, from))| *sum += to - from);
        }
        for (found, case) in [(image(&matter), "bg_mono"), (thick, "bg_thick")] {
            for (found, golden) in found.iter().zip(&golden(case)) {
                assert!((found / golden - 1.0).abs() < 1e-6, "{case}: {found} {golden}");
            }
        }
    });
}

/// A fine table of the cubic through the four points around each s, which is simtbx's curve; in the first and in the last
/// interval it is the parabola through three points.
fn lagrange(table: &[RadialPoint], count: usize) -> Vec<RadialPoint> {
    let (first, last) = (table[0].s, table[table.len() - 1].s);
    let at = |i: usize| {
        let s = first + (last - first) * i as f64 / count as f64;
        let after = table.partition_point(|point| point.s <= s).clamp(1, table.len() - 1);
        let near = &table[after.saturating_sub(2)..(after + 2).min(table.len())];
        let product = |one: &RadialPoint| {
            let others = near.iter().filter(|other| other.s != one.s);
            one.f_electrons * others.map(|other| (s - other.s) / (one.s - other.s)).product::<f64>()
        };
        RadialPoint { s, f_electrons: near.iter().map(product).sum() }
    };
    (0..=count).map(at).collect()
}

/// F of water, as simtbx's scripts have it.
fn water() -> Vec<RadialPoint> {
    table_of("inputs/water14.stol.gz")
}

fn table_of(path: &str) -> Vec<RadialPoint> {
    let text = String::from_utf8(unpacked(path)).expect("a table");
    let table: Vec<[f64; 2]> = text
        .lines()
        .map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse().expect("a number"));
            [numbers.next().expect("s"), numbers.next().expect("F")]
        })
        .collect();
    points(&table)
}

#[test]
fn matter_far_away_is_dimmer_by_the_square_of_its_distance() {
    let sources = [along_beam(1.0)];
    let panel = golden_panel([150.0, 122.5, -157.5]);
    with_curve(&points(&[[0.0, 2.0]]), |curve| {
        let near = AmorphousMatter { polarization: None, ..golden_matter(panel, &sources, curve) };
        let far = AmorphousMatter { origin_m: Vec3::new(-0.15, 0.0, 0.0), ..near };
        // The pixel next to the beam.
        let at = 24 * 64 + 31;
        let ratio = image(&far)[at] / image(&near)[at];
        assert!((ratio - 0.25).abs() < 1e-3, "{ratio}");
        // All that goes to a plane is half the sphere, for matter anywhere before it.
        let total = |matter: &AmorphousMatter<'_>| {
            let wide = Panel {
                pixel_m: 0.05,
                fast_pixels: 2000,
                slow_pixels: 2000,
                pix0_m: Vec3::new(0.15, 50.0, -50.0),
                ..panel
            };
            let matter = AmorphousMatter {
                panel: wide,
                fluence_per_m2: 1.0 / ELECTRON_RADIUS_SQUARED_M2,
                molecules: 1.0,
                ..*matter
            };
            let mut row = vec![0.0; 2000];
            let sum = |slow: usize| {
                row.fill(0.0);
                matter.add_to_row(Simd::detect(), slow, 0..2000, &mut row).expect("a row");
                row.iter().sum::<f64>()
            };
            (0..2000).map(sum).sum::<f64>() / 4.0
        };
        for matter in [near, far] {
            let total = total(&matter);
            assert!((total / (2.0 * PI) - 1.0).abs() < 0.01, "{total}");
        }
    });
}

#[test]
fn what_no_row_has_is_refused() {
    let sources = [along_beam(1.0)];
    let panel = golden_panel([150.0, 122.5, -157.5]);
    with_curve(&points(&[[0.0, 2.0]]), |curve| {
        let matter = golden_matter(panel, &sources, curve);
        let add = |matter: &AmorphousMatter<'_>, slow, columns, len| {
            matter
                .add_to_row(Simd::detect(), slow, columns, &mut vec![0.0; len])
                .map_err(|error| error.to_string())
        };
        assert_eq!(add(&matter, 47, 63..64, 1), Ok(()));
        assert_eq!(add(&matter, 0, 0..0, 0), Ok(()));
        assert_eq!(add(&matter, 48, 0..1, 1), Err("48 is outside the detector, which ends at 48".into()));
        assert_eq!(add(&matter, 0, 60..65, 5), Err("64 is outside the detector, which ends at 64".into()));
        assert_eq!(add(&matter, 0, 0..2, 3), Err("photons needs 2 elements, 3 given".into()));
        let none = AmorphousMatter { sources: &[], ..matter };
        assert_eq!(add(&none, 0, 0..1, 1), Err("number of sources is 0, must be at least 1".into()));
        let negative = [WeightedSource { weight: -1.0, ..sources[0] }];
        let negative = AmorphousMatter { sources: &negative, ..matter };
        assert_eq!(add(&negative, 0, 0..1, 1), Err("weight of a source is -1, must be above 0".into()));
    });
}
