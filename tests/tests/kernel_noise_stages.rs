//! The stages of noise that reproduce `noisify.c`: arrays against single deviates, seeds that share a table, and the
//! point spread.

use widebragg::lanes::{Simd, SimdLevel};
use widebragg::noise::point_spread::{PointSpread, Radii, Shape, Spread, TableSize};
use widebragg::noise::shared::{Seed, SharedStreams};
use widebragg::noise::stages::{PhotonNoise, Readout, Stored};
use widebragg::random::Ran1;

fn levels() -> impl Iterator<Item = Simd> {
    SimdLevel::ALL.into_iter().filter_map(Simd::exactly)
}

/// Means of all kinds, in runs of a kind and mixed.
fn means() -> Vec<f32> {
    let mut random = Ran1::new(5);
    let kinds = [1e-9, 0.05, 3.0, 11.9, 12.0, 40.0, 3000.0, 9e5, 2e6];
    let mut means: Vec<f32> = kinds
        .iter()
        .flat_map(|&kind| (0..300).map(move |_| kind))
        .map(|kind: f32| kind * (0.9 + 0.2 * random.draw()))
        .collect();
    means.extend((0..2000).map(|_| kinds[(random.draw() * 9.0) as usize]));
    means.extend([0.0, -0.0, -3.0, f32::NAN, 7.0, f32::INFINITY, 15.0, f32::NEG_INFINITY, -1.0, 50.0]);
    means
}

/// The bits of values, with those of one NaN for all.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { f32::NAN } else { *value }.to_bits()).collect()
}

#[test]
fn arrays_of_uniform_deviates_are_single_ones() {
    // -2147483647 gives the state m, which leads to 0 and restarts the generator.
    let streams = [1, 77, 2_147_483_646].map(Ran1::new).into_iter();
    let after = [-5, -2_147_483_646, -2_147_483_647].map(|seed| Ran1::after(&Ran1::new(9), seed));
    for stream in streams.chain(after) {
        for simd in levels() {
            let (mut one_by_one, mut in_arrays) = (stream.clone(), stream.clone());
            for len in [1, 0, 127, 128, 129, 7, 3000] {
                let mut deviates = vec![0.0; len];
                in_arrays.draw_all(simd, &mut deviates);
                let expected: Vec<_> = (0..len).map(|_| one_by_one.draw()).collect();
                assert_eq!(bits(&deviates), bits(&expected), "{len}");
            }
        }
    }
}

#[test]
fn arrays_of_gaussian_deviates_are_single_ones() {
    for simd in levels() {
        let (mut one_by_one, mut in_arrays) = (SharedStreams::new(3, 42), SharedStreams::new(3, 42));
        for len in [0, 1, 2, 3, 127, 128, 129, 1, 0, 5000, 7] {
            let mut deviates = vec![0.0; len];
            in_arrays.gauss_into(simd, Seed::Noise, &mut deviates);
            let expected: Vec<_> = (0..len).map(|_| one_by_one.gauss(Seed::Noise)).collect();
            assert_eq!(bits(&deviates), bits(&expected), "{len}");
        }
        assert_eq!(in_arrays.gauss(Seed::Calibration), one_by_one.gauss(Seed::Calibration));
    }
}

#[test]
fn arrays_of_counts_are_single_ones() {
    let all = [(0.0, 0.0), (0.02, 0.0), (0.0, 0.03), (0.02, 0.03)];
    for simd in levels() {
        for (flicker, calibration) in all {
            let noise = PhotonNoise { flicker, calibration };
            let (mut one_by_one, mut in_arrays) = (SharedStreams::new(3, 42), SharedStreams::new(3, 42));
            // The second time a deviate may be spare.
            for _ in 0..2 {
                let mut counts = means();
                noise.count_all(simd, &mut in_arrays, &mut counts);
                let expected: Vec<_> = means()
                    .into_iter()
                    .map(|photons| {
                        let mut mean = f64::from(photons);
                        if flicker > 0.0 {
                            mean *= 1.0 + flicker * f64::from(one_by_one.gauss(Seed::Noise));
                        }
                        if calibration > 0.0 {
                            mean *= 1.0 + calibration * f64::from(one_by_one.gauss(Seed::Calibration));
                        }
                        one_by_one.count(mean as f32)
                    })
                    .collect();
                let first = counts.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
                assert_eq!(first, None, "{flicker} {calibration} {simd:?}");
            }
            assert_eq!(in_arrays.gauss(Seed::Noise), one_by_one.gauss(Seed::Noise));
            assert_eq!(in_arrays.count(5.0), one_by_one.count(5.0));
        }
    }
}

#[test]
fn seeds_share_one_table() {
    let noise = |seed: i64| SharedStreams::new(seed, 42);
    // 0 counts as 1, and so does the first of all where it is below 0.
    assert_eq!(noise(0).count(30.0), noise(1).count(30.0));
    assert_eq!(noise(-7).count(30.0), noise(1).count(30.0));
    assert_ne!(noise(7).count(30.0), noise(1).count(30.0));
    // After another seed it goes on with that one's table.
    let after = |seed: i64| {
        let mut streams = noise(seed);
        streams.gauss(Seed::Calibration);
        streams.count(30.0)
    };
    assert_ne!(after(-7), noise(1).count(30.0));
    assert_eq!(after(7), noise(7).count(30.0));
    // A leading run of the value that the constants start with.
    let mut streams = noise(17);
    assert!((0..5).all(|_| (60.0..140.0).contains(&streams.count(-1.0))));
    assert_eq!((streams.count(3e6) > 2e6, streams.count(-1.0) > 60.0), (true, true));
    assert_eq!((streams.count(0.0), streams.count(-1.0)), (0.0, 0.0));
    assert!(streams.count(f32::NAN).is_nan());
}

#[test]
fn integers_are_cut_off_and_go_round() {
    let cases = [(41.99, 41), (-0.9, 0), (-1.0, 65_535), (-40.5, 65_496), (65_535.0, 65_535), (-3e9, 0)];
    for (adu, stored) in cases {
        assert_eq!(u16::truncated(adu), stored, "{adu}");
    }
    assert_eq!([41.9, -1.0, 2_147_483_647.0, f64::NAN].map(u32::truncated), [41, u32::MAX, 2_147_483_647, 0]);
    let readout = Readout { gain: 1000.0, offset_adu: 40.0, noise_adu: 0.0 };
    let (mut streams, mut stored) = (SharedStreams::new(1, 1), [0u16; 3]);
    let counts = [1.5, 65.25, 66.0];
    let overloads = readout.store_all(Simd::detect(), &mut streams, &counts, 65_535.0, &mut stored);
    assert_eq!((overloads, stored), (Ok(1), [1540, 65_290, 65_535]));
    assert!(readout.store_all(Simd::detect(), &mut streams, &counts, 1.0, &mut stored[1..]).is_err());
}

const SIZE: [usize; 2] = [23, 17];

/// The reference's loops: photons of each pixel in turn, over the columns and rows of its circle.
fn scattered(table: &[f64], size: TableSize, photons: &[f32], radius: impl Fn(usize) -> i32) -> Vec<f32> {
    let [fast, slow] = size.image().map(|pixels| pixels as i64);
    let (half_fast, half_slow) = ((size.columns() / 2) as i64, (size.rows() / 2) as i64);
    let mut out = vec![0f32; photons.len()];
    let lit = photons.iter().enumerate().filter(|(_, photons)| **photons > 0.0 || photons.is_nan());
    for (i, &photons) in lit {
        let (x0, y0, radius) = (i as i64 % fast, i as i64 / fast, i64::from(radius(i)));
        for dx in -radius..=radius {
            for dy in -radius..=radius {
                let (x, y) = (x0 + dx, y0 + dy);
                let at = y * fast + x;
                if dx * dx + dy * dy > radius * radius || x < 0 || x > fast || y < 0 || y >= slow {
                    continue;
                }
                if at >= fast * slow || dx.abs() > half_fast || dy.abs() > half_slow {
                    continue;
                }
                let share = table[((half_slow + dy) * (2 * half_fast + 1) + half_fast + dx) as usize];
                if share == 0.0 {
                    continue;
                }
                let pixel = &mut out[at as usize];
                *pixel = (f64::from(*pixel) + f64::from(photons) * share) as f32;
            }
        }
    }
    out
}

#[test]
fn the_point_spread_is_that_of_scattered_photons_in_any_bands() {
    let mut random = Ran1::new(9);
    let mut photons: Vec<f32> = (0..SIZE[0] * SIZE[1])
        .map(|i| if i % 7 == 3 { -1.0 } else { 1000.0 * random.draw().powi(9) })
        .collect();
    (photons[40], photons[333]) = (f32::INFINITY, f32::NAN);
    for shape in [Shape::Gauss, Shape::Fiber] {
        let spread = PointSpread::new(shape, 1.3).expect("a point spread");
        let own: Vec<_> = photons.iter().map(|&photons| spread.own_radius(photons).min(23)).collect();
        // 0 and -1: own radii, with tables of up to 64 and of more, which are summed in different ways.
        for radius in [1, 3, 22, 64, 65, 200, 0, -1] {
            let (radii, largest) = match radius {
                0 => (Radii::Own(&own), own.iter().copied().max().expect("pixels")),
                -1 => (Radii::Own(&own), 70),
                radius => (Radii::Same(radius), radius),
            };
            let size = TableSize::new(largest as u32, SIZE);
            let mut shares = vec![0.0; size.shares_len().expect("a size")];
            let rows = shares.chunks_mut(size.columns()).enumerate();
            rows.for_each(|(row, shares)| spread.fill_row(size, row, shares));
            let expected = scattered(&shares, size, &photons, |i| if radius <= 0 { own[i] } else { radius });
            let image = Spread { size, shares: &shares, photons: &photons, radii };
            for band in [17, 5, 1] {
                for simd in levels() {
                    let mut out = vec![0f32; photons.len()];
                    for (i, rows) in out.chunks_mut(band * SIZE[0]).enumerate() {
                        let first = i * band;
                        let last = first + rows.len() / SIZE[0];
                        image.add_to_rows(simd, first..last, rows).expect("rows of the image");
                    }
                    assert_eq!(bits(&out), bits(&expected), "{shape:?} {radius} {band} {simd:?}");
                }
            }
            // Not distributed below 0, and refused where arrays do not fit.
            let none = Spread { radii: Radii::Same(-1), ..image };
            let mut out = vec![0f32; photons.len()];
            none.add_to_rows(Simd::detect(), 0..17, &mut out).expect("rows of the image");
            assert!(out.iter().all(|&pixel| pixel == 0.0));
            assert!(image.add_to_rows(Simd::detect(), 0..18, &mut out).is_err());
            assert!(image.add_to_rows(Simd::detect(), 0..3, &mut out).is_err());
        }
    }
}

/// Rows that are wider than all that a block of pixels gets photons from: some of them have pixels that are not distributed,
/// and some none with photons.
#[test]
fn the_point_spread_of_wide_rows_is_that_of_scattered_photons() {
    let size = [331, 14];
    let mut random = Ran1::new(5);
    let mut photons: Vec<f32> = (0..size[0] * size[1]).map(|_| 50.0 * random.draw()).collect();
    photons[2 * size[0]..4 * size[0]].fill(0.0);
    for at in [size[0] * 5 + 160, size[0] * 9 + 161] {
        photons[at] = -3.0;
    }
    photons[size[0] * 11 + 165] = f32::NAN;
    for shape in [Shape::Gauss, Shape::Fiber] {
        let spread = PointSpread::new(shape, 1.3).expect("a point spread");
        let own: Vec<_> = photons.iter().map(|&photons| spread.own_radius(photons).min(64)).collect();
        for radius in [1, 4, 12, 64, 0] {
            let (radii, largest) = match radius {
                0 => (Radii::Own(&own), own.iter().copied().max().expect("pixels")),
                radius => (Radii::Same(radius), radius),
            };
            let table = TableSize::new(largest as u32, size);
            let mut shares = vec![0.0; table.shares_len().expect("a size")];
            let rows = shares.chunks_mut(table.columns()).enumerate();
            rows.for_each(|(row, shares)| spread.fill_row(table, row, shares));
            let expected = scattered(&shares, table, &photons, |i| if radius == 0 { own[i] } else { radius });
            let image = Spread { size: table, shares: &shares, photons: &photons, radii };
            for simd in levels() {
                let mut out = vec![0f32; photons.len()];
                image.add_to_rows(simd, 0..size[1], &mut out).expect("rows of the image");
                assert_eq!(bits(&out), bits(&expected), "{shape:?} {radius} {simd:?}");
            }
        }
    }
}

#[test]
fn shares_and_what_is_beyond_the_radius_add_up() {
    for (shape, radius, tolerance) in [(Shape::Gauss, 8, 1e-9), (Shape::Fiber, 40, 1e-3)] {
        let spread = PointSpread::new(shape, 2.0).expect("a point spread");
        let size = TableSize::new(radius, [1000, 1000]);
        let mut shares = vec![0.0; size.shares_len().expect("a size")];
        let rows = shares.chunks_mut(size.columns()).enumerate();
        rows.for_each(|(row, shares)| spread.fill_row(size, row, shares));
        let within: f64 = shares.iter().sum();
        let beyond = spread.lost(&[1.0], Radii::Same(radius as i32));
        assert!((within + beyond - 1.0).abs() < tolerance, "{shape:?}: {within} and {beyond}");
    }
    assert!(
        PointSpread::new(Shape::Gauss, 0.0).is_err() && PointSpread::new(Shape::Fiber, f64::NAN).is_err()
    );
    let gauss = PointSpread::new(Shape::Gauss, 1.0).expect("a point spread");
    assert!(gauss.own_radius(0.005) < 0 && gauss.own_radius(0.02) == 2);
}
