//! Deviates that are functions of a pixel: known answers, distributions, and independence of order, region and level.

use widebragg::lanes::{Simd, SimdLevel};
use widebragg::noise::counter::{Stage, Stream, philox_4x32_10};
use widebragg_tests::distributions::{chi_squared_p, poisson_histogram, poisson_probabilities};

fn levels() -> impl Iterator<Item = Simd> {
    SimdLevel::ALL.into_iter().filter_map(Simd::exactly)
}

fn stream(seed: u64) -> Stream {
    Stream::new(seed, Stage::Photons, 3, 1)
}

/// Means of all kinds, in runs of a kind and mixed.
fn means() -> Vec<f32> {
    let kinds = [0.0, 1e-9, 0.05, 3.0, 31.9, 32.0, 40.0, 3000.0, 9e5, 2e9, 3e13, -2.0];
    let mut means: Vec<f32> = kinds.iter().flat_map(|&kind| [kind; 150]).collect();
    means.extend((0..3000).map(|i| kinds[i * i % 11] * (1.0 + 1e-3 * i as f32)));
    means.extend([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE]);
    means
}

#[test]
fn words_of_known_answer() {
    // Published with J. K. Salmon et al. (2011) as kat_vectors.
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    let known = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
    ];
    for simd in levels() {
        for (counter, key, words) in known {
            assert_eq!(philox_4x32_10(simd, counter, key), words, "{}", simd.level());
        }
    }
}

/// The first uniform and Gaussian deviates from the words of their blocks, as documented.
#[test]
fn deviates_are_those_of_their_words() {
    let (seed, frame, panel, simd) = (0x0012_3456_789a_bcde_u64, 7, 2, Simd::detect());
    let stream = Stream::new(seed, Stage::Readout, frame, panel);
    let (mut uniform, mut gauss) = ([0.0; 40], [0.0; 40]);
    stream.fill_uniform(simd, 0, &mut uniform);
    stream.fill_gauss(simd, 0, &mut gauss);
    for pixel in 0..40 {
        let block = pixel / 16 * 8 + pixel % 8;
        let key = [seed as u32, (seed >> 32) as u32 | 6 << 24];
        let words = philox_4x32_10(simd, [block as u32, u32::MAX, frame, panel], key);
        let [a, b, c, d] = words.map(u64::from);
        let (first, second) = (a << 32 | b, c << 32 | d);
        let fraction = |bits: u64| ((bits as f64) + 0.5) / (1u64 << 52) as f64;
        let is_second = pixel / 8 % 2 == 1;
        assert_eq!(uniform[pixel], fraction(if is_second { second } else { first } >> 12));
        let radius = (-2.0 * fraction(first >> 12).ln()).sqrt() * if second >> 63 == 1 { -1.0 } else { 1.0 };
        let (sin, cos) = (core::f64::consts::PI * (fraction(second & ((1 << 52) - 1)) - 0.5)).sin_cos();
        let expected = radius * if is_second { sin } else { cos };
        assert!((gauss[pixel] - expected).abs() < 1e-14, "{pixel}: {} {expected}", gauss[pixel]);
    }
}

#[test]
fn every_level_has_the_same_bits() {
    let portable = Simd::capped(SimdLevel::Portable);
    let (mut counts, mut gauss) = (means(), vec![0.0; 5000]);
    stream(1).draw_poisson(portable, 5, &mut counts);
    stream(1).fill_gauss(portable, 5, &mut gauss);
    for simd in levels() {
        let (mut again, mut gauss_again) = (means(), vec![0.0; 5000]);
        stream(1).draw_poisson(simd, 5, &mut again);
        stream(1).fill_gauss(simd, 5, &mut gauss_again);
        assert!(again.iter().zip(&counts).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", simd.level());
        assert!(gauss_again.iter().zip(&gauss).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", simd.level());
    }
}

#[test]
fn a_pixel_has_its_deviate_in_any_part() {
    let means = means();
    for simd in levels() {
        let mut whole = means.clone();
        let mut gauss = vec![0.0; means.len()];
        stream(9).draw_poisson(simd, 0, &mut whole);
        stream(9).fill_gauss(simd, 0, &mut gauss);
        // Parts of all lengths about a vector, a group and a block, the last ones first.
        let mut ends = vec![means.len()];
        for len in [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 1000, 5].into_iter().cycle() {
            let Some(next) = ends[ends.len() - 1].checked_sub(len) else { break };
            ends.push(next);
        }
        for part in ends.windows(2) {
            let range = part[1]..part[0];
            let mut counts = means[range.clone()].to_vec();
            let mut deviates = vec![0.0; range.len()];
            stream(9).draw_poisson(simd, range.start as u32, &mut counts);
            stream(9).fill_gauss(simd, range.start as u32, &mut deviates);
            assert_eq!(counts.iter().map(|c| c.to_bits()).collect::<Vec<_>>(), bits(&whole[range.clone()]));
            assert_eq!(deviates, gauss[range]);
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_mean_decides_alone() {
    // The deviate of a pixel does not depend on the means of its neighbours.
    let simd = Simd::detect();
    let mut mixed = means();
    stream(2).draw_poisson(simd, 0, &mut mixed);
    for (pixel, mean) in means().into_iter().enumerate() {
        let mut alone = [mean];
        stream(2).draw_poisson(simd, pixel as u32, &mut alone);
        assert_eq!(alone[0].to_bits(), mixed[pixel].to_bits(), "pixel {pixel}, mean {mean}");
    }
}

#[test]
fn seeds_stages_frames_and_panels_are_independent() {
    let simd = Simd::detect();
    let gauss = |stream: Stream| {
        let mut deviates = vec![0.0; 10_000];
        stream.fill_gauss(simd, 0, &mut deviates);
        deviates
    };
    let streams = [
        Stream::new(1, Stage::Photons, 0, 0),
        Stream::new(2, Stage::Photons, 0, 0),
        Stream::new(1 | 1 << 40, Stage::Photons, 0, 0),
        Stream::new(1, Stage::Readout, 0, 0),
        Stream::new(1, Stage::Photons, 1, 0),
        Stream::new(1, Stage::Photons, 0, 1),
    ];
    let deviates = streams.map(gauss);
    for (i, a) in deviates.iter().enumerate() {
        for b in &deviates[..i] {
            let correlation = a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / 1e4;
            assert!(correlation.abs() < 0.05, "{correlation}");
        }
        // Nor are neighbours of a row, of a group and of a block.
        for apart in [1, 2, 4, 8, 16] {
            let correlation = a.iter().zip(&a[apart..]).map(|(a, b)| a * b).sum::<f64>() / 1e4;
            assert!(correlation.abs() < 0.05, "{apart} apart: {correlation}");
        }
    }
}

#[test]
fn numbers_of_pixels_go_round() {
    let simd = Simd::detect();
    let (mut across, mut begin) = ([0.0; 600], [0.0; 300]);
    stream(4).fill_gauss(simd, u32::MAX - 299, &mut across);
    stream(4).fill_gauss(simd, 0, &mut begin);
    assert_eq!(across[300..], begin);
    for mean in [5.0, 100.0] {
        let (mut across, mut begin) = ([mean; 600], [mean; 300]);
        stream(4).draw_poisson(simd, u32::MAX - 299, &mut across);
        stream(4).draw_poisson(simd, 0, &mut begin);
        assert_eq!(across[300..], begin);
    }
}

#[test]
fn means_that_are_no_means_give_nothing() {
    let mut counts = [f32::NAN, -1.0, 0.0, -0.0, f32::NEG_INFINITY, f32::INFINITY, 1e-30];
    stream(1).draw_poisson(Simd::detect(), 0, &mut counts);
    assert_eq!(counts, [0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY, 0.0]);
    stream(1).draw_poisson(Simd::detect(), 0, &mut []);
}

/// Mean, variance and skewness, each within five standard deviations of what they should be.
#[test]
fn moments_over_twelve_decades() {
    let draws = 200_000;
    let mut mean = 1e-3;
    while mean < 1.5e9 {
        // The mean as the f32 that is drawn from.
        let exact = f64::from(mean as f32);
        let mut counts = vec![mean as f32; draws];
        stream(77).draw_poisson(Simd::detect(), 0, &mut counts);
        let n = draws as f64;
        let average = counts.iter().map(|&c| f64::from(c)).sum::<f64>() / n;
        let moment = |power| counts.iter().map(|&c| (f64::from(c) - exact).powi(power)).sum::<f64>() / n;
        // Counts above 2^24 are rounded to f32.
        let rounding = (exact * 2.0f64.powi(-24)).powi(2) / 3.0 * f64::from(u8::from(exact > 1.6e7));
        let deviation = |value: f64, expected: f64, variance: f64| (value - expected) / (variance / n).sqrt();
        let m = exact;
        let of_mean = deviation(average, m, m);
        let of_variance = deviation(moment(2) - rounding, m, m + 2.0 * m * m);
        // The sixth central moment is m + 25 m^2 + 15 m^3.
        let of_third = deviation(moment(3), m, m + 24.0 * m * m + 15.0 * m * m * m);
        for (name, deviation) in [("mean", of_mean), ("variance", of_variance), ("third", of_third)] {
            assert!(deviation.abs() < 5.0, "mean {mean:e}: {name} off by {deviation:.1} standard deviations");
        }
        mean *= 10f64.powf(0.5);
    }
}

#[test]
fn gaussian_deviates_have_their_moments() {
    let n = 400_000;
    let mut deviates = vec![0.0; n];
    stream(5).fill_gauss(Simd::detect(), 0, &mut deviates);
    let moment = |power: i32| deviates.iter().map(|g: &f64| g.powi(power)).sum::<f64>() / n as f64;
    // Standard deviations of the powers: sqrt(E g^2p - (E g^p)^2).
    for (power, expected, variance) in
        [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0), (6, 15.0, 10_170.0)]
    {
        let off = (moment(power) - expected) / (variance / n as f64).sqrt();
        assert!(off.abs() < 4.5, "moment {power}: {off} standard deviations");
    }
}

/// Means whose histograms are tested: both methods, their border, and each part of the rejection.
const HISTOGRAM_MEANS: [f64; 12] =
    [0.01, 0.5, 1.0, 5.0, 12.0, 25.0, 31.9, 32.0, 37.5, 100.0, 1000.0, 30_000.0];

/// The probability of a chi squared as large as that of `draws` deviates of a mean.
fn p_of_mean(mean: f64, draws: u64) -> f64 {
    // As the f32 that is drawn from.
    let mean = f64::from(mean as f32);
    let probabilities = poisson_probabilities(mean);
    let simd = Simd::detect();
    let mut counts = vec![0.0; 1 << 16];
    let mut done = 0;
    let mut histogram = poisson_histogram(&probabilities);
    while done < draws {
        counts.fill(mean as f32);
        let stream = Stream::new(2026, Stage::Photons, (done >> 32) as u32, 0);
        stream.draw_poisson(simd, done as u32, &mut counts);
        let used = (draws - done).min(counts.len() as u64) as usize;
        counts[..used].iter().for_each(|&count| histogram.add(count as u64));
        done += used as u64;
    }
    chi_squared_p(&histogram, &probabilities)
}

#[test]
fn histograms_pass_chi_squared() {
    for mean in HISTOGRAM_MEANS {
        let p = p_of_mean(mean, 300_000);
        assert!(p > 1e-4 && p < 1.0 - 1e-4, "mean {mean}: p = {p:e}");
    }
}

/// The same for 1e8 deviates of each mean, with the probabilities printed:
/// `cargo test --release -p widebragg-tests --test kernel_noise_counter -- --ignored --nocapture`.
#[test]
#[ignore = "takes a minute in a release build"]
fn a_hundred_million_deviates_pass_chi_squared() {
    for mean in HISTOGRAM_MEANS {
        let p = p_of_mean(mean, 100_000_000);
        println!("mean {mean}: p = {p:.4}");
        assert!(p > 1e-4 && p < 1.0 - 1e-4, "mean {mean}: p = {p:e}");
    }
}
