//! The stages of a detector: their formulas, their order in one pass, and independence of how a panel is split.

use widebragg::Error;
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::noise::counter::{Stage, Stream};
use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, GainMode, GainSwitching, Limits, PixelDifferences, Place,
    fill_bad_pixels, fill_gain_map, fill_pedestal_map, shot_factor,
};

const COLUMNS: usize = 100;
const PIXELS: usize = 100 * 61;

fn place(simd: Simd, first: usize) -> Place {
    Place { simd, seed: 11, frame: 4, panel: 2, first: first as u32 }
}

/// From 0 to 300 photons, with a few pixels that are none.
fn photons() -> Vec<f32> {
    let mut photons: Vec<f32> = (0..PIXELS).map(|i| (i * 7 % 601) as f32 * 0.5).collect();
    (photons[17], photons[18]) = (f32::NAN, -3.0);
    photons
}

const DEAD_TIME: DeadTime = DeadTime { tau_s: 120e-9, exposure_s: 1e-4, is_paralyzable: true };
const COMMON: CommonMode = CommonMode { rms_adu: 2.0, columns: COLUMNS, block: [32, 20] };
const LIMITS: Limits = Limits { least: -5, largest: 400 };

/// All stages over the pixels from `first` on.
fn all_stages(simd: Simd, first: usize, pixels: &mut [f32]) -> Vec<i32> {
    let place = place(simd, first);
    let mut gains = vec![0.0; pixels.len()];
    fill_gain_map(simd, 0.03, 99, place.panel, place.first, &mut gains);
    let mut stored = vec![0; pixels.len()];
    let image = Expected::new(place, pixels)
        .times(shot_factor(simd, 0.1, place.seed, place.frame))
        .flicker(0.01)
        .count()
        .lose(&DEAD_TIME)
        .amplify(1.3, Some(&gains))
        .unwrap()
        .add_pedestal(10.0)
        .add_common_mode(&COMMON)
        .read_out(3.0)
        .store_into(LIMITS, &mut stored)
        .unwrap();
    let mut mask = vec![1; PIXELS - first];
    mask[first % 10] = 0;
    image.set(&[0, 40, 4000], 400).set(&[41, 6000], 0).mask(&mask, -9).unwrap();
    stored
}

#[test]
fn levels_and_parts_have_the_same_integers() {
    let whole = all_stages(Simd::capped(SimdLevel::Portable), 0, &mut photons());
    for simd in SimdLevel::ALL.into_iter().filter_map(Simd::exactly) {
        assert_eq!(all_stages(simd, 0, &mut photons()), whole, "{}", simd.level());
        // The mask of a part is that of the whole where they start at a multiple of 10.
        for first in [10, 130, 3050, 6090] {
            let part = all_stages(simd, first, &mut photons()[first..]);
            assert_eq!(part[1..], whole[first + 1..], "from {first}");
        }
    }
}

#[test]
fn the_stages_are_their_formulas() {
    let simd = Simd::detect();
    let stored = all_stages(simd, 0, &mut photons());
    let gauss = |stage: Stage| {
        let mut deviates = vec![0.0; PIXELS];
        Stream::new(11, stage, 4, 2).fill_gauss(simd, 0, &mut deviates);
        deviates
    };
    let shot = 1.0 + 0.1 * Stream::new(11, Stage::Shot, 4, 0).gauss(simd, 0);
    assert_eq!(shot_factor(simd, 0.1, 11, 4), shot);
    let (flicker, readout, common) =
        (gauss(Stage::PixelFlicker), gauss(Stage::Readout), gauss(Stage::CommonMode));
    let mut own = vec![0.0; PIXELS];
    Stream::new(99, Stage::Gain, 0, 2).fill_gauss(simd, 0, &mut own);
    let mut counts: Vec<f32> = photons()
        .iter()
        .zip(&flicker)
        .map(|(&photons, g)| ((f64::from(photons) * shot) as f32 as f64 * (1.0 + 0.01 * g)) as f32)
        .collect();
    Stream::new(11, Stage::Photons, 4, 2).draw_poisson(simd, 0, &mut counts);
    let mut differences = 0;
    for pixel in 0..PIXELS {
        let n = f64::from(counts[pixel]);
        let (slow, fast) = (pixel / COLUMNS, pixel % COLUMNS);
        let block = slow / 20 * 4 + fast / 32;
        let adu = n * (-n * 120e-9 / 1e-4_f64).exp() * 1.3 * (1.0 + 0.03 * own[pixel])
            + 10.0
            + 2.0 * common[block]
            + 3.0 * readout[pixel];
        let expected = match pixel {
            0 => -9,
            40 | 4000 => 400,
            41 | 6000 => 0,
            _ => ((adu + 0.5).floor() as i32).clamp(-5, 400),
        };
        differences += usize::from(stored[pixel] != expected);
        assert!((stored[pixel] - expected).abs() <= 1, "{pixel}: {} {expected}", stored[pixel]);
    }
    // The stages round to f32, which seldom changes an integer.
    assert!(differences < 5, "{differences}");
}

#[test]
fn the_gain_map_is_static() {
    let simd = Simd::detect();
    let map = |seed, panel| {
        let mut gains = vec![0.0; 50_000];
        fill_gain_map(simd, 0.03, seed, panel, 0, &mut gains);
        gains
    };
    assert_eq!(map(1, 0), map(1, 0));
    assert!(map(1, 0) != map(2, 0) && map(1, 0) != map(1, 1));
    let gains = map(1, 0);
    let mean = gains.iter().map(|&g| f64::from(g)).sum::<f64>() / 5e4;
    let rms = (gains.iter().map(|&g| (f64::from(g) - 1.0).powi(2)).sum::<f64>() / 5e4).sqrt();
    assert!((mean - 1.0).abs() < 6e-4 && (rms - 0.03).abs() < 5e-4, "{mean} {rms}");
    let mut wide = vec![0.0; 1000];
    fill_gain_map(simd, 5.0, 1, 0, 0, &mut wide);
    assert!(wide.iter().all(|&gain| gain >= 0.0) && wide.contains(&0.0));
}

#[test]
fn dead_time_has_both_forms() {
    let paralyzable = DeadTime { tau_s: 1e-7, exposure_s: 1e-3, is_paralyzable: true };
    let not = DeadTime { is_paralyzable: false, ..paralyzable };
    // A tenth of the exposure is dead.
    assert!((paralyzable.counted(1000.0) - 1000.0 * (-0.1f64).exp()).abs() < 1e-9);
    assert!((not.counted(1000.0) - 1000.0 / 1.1).abs() < 1e-9);
    // The most that is counted: T/(tau e), and T/tau.
    assert!((paralyzable.counted(1e4) - 1e4 / core::f64::consts::E).abs() < 1e-8);
    assert!(not.counted(1e12) < 1e4 && paralyzable.counted(1e8) == 0.0);
    assert_eq!([paralyzable, not].map(|dead| dead.counted(0.0)), [0.0, 0.0]);
}

#[test]
fn integers_are_the_nearest_within_limits() {
    let simd = Simd::detect();
    let store = |least, largest| {
        let mut pixels =
            [-7.6, -1.5, -0.5, 0.49, 0.5, 1.5, 7.4, 7.5, 1e12, f32::NAN, f32::NEG_INFINITY, f32::INFINITY];
        let mut stored = [0; 12];
        let signal = Counts::new(place(simd, 0), &mut pixels).amplify(1.0, None).unwrap();
        let saturated = signal.store_into(Limits { least, largest }, &mut stored).unwrap().saturated();
        (stored, saturated)
    };
    assert_eq!(store(-2, 8), ([-2, -1, 0, 0, 1, 2, 7, 8, 8, -2, -2, 8], 3));
    assert_eq!(
        store(i32::MIN, i32::MAX).0,
        [-8, -1, 0, 0, 1, 2, 7, 8, i32::MAX, i32::MIN, i32::MIN, i32::MAX]
    );
    assert_eq!(store(0, i32::MAX).0, [0, 0, 0, 0, 1, 2, 7, 8, i32::MAX, 0, 0, i32::MAX]);
}

#[test]
fn gains_are_switched_by_the_charge() {
    let mode = |adu_per_kev, pedestal_adu| GainMode { adu_per_kev, pedestal_adu, readout_adu: 0.0 };
    let switching = GainSwitching {
        photon_kev: 10.0,
        switch_kev: [320.0, 12_000.0],
        modes: [mode(40.0, 3000.0), mode(-1.0, 15_000.0), mode(-0.1, 15_000.0)],
    };
    let mut pixels = [0.0, 1.0, 31.0, 32.0, 100.0, 1199.0, 1200.0, 10_000.0, 20_000.0, f32::NAN];
    let mut words = [0; 10];
    let stored = Counts::new(place(Simd::detect(), 0), &mut pixels)
        .switch_gain(&switching, &PixelDifferences::default(), &mut words)
        .unwrap();
    assert_eq!(stored.saturated(), 1);
    let split: Vec<(i32, i32)> = words.iter().map(|word| (word >> 14, word & 0x3fff)).collect();
    let expected = [
        (0, 3000),
        (0, 3400),
        (0, 15_400),
        (1, 14_680),
        (1, 14_000),
        (1, 3010),
        (3, 13_800),
        (3, 5000),
        (3, 0),
    ];
    assert_eq!(split[..9], expected);
    // The same words without pixels, and the end of the last mode on either side.
    for (photons, &word) in [0.0, 1.0, 31.0, 32.0, 100.0, 1199.0, 1200.0, 10_000.0].iter().zip(&words) {
        assert_eq!(switching.word(photons * switching.photon_kev), word);
    }
    assert_eq!(switching.word(f64::INFINITY), 3 << 14);
    let rising = GainSwitching { modes: [mode(40.0, 0.0), mode(1.0, 0.0), mode(0.1, 0.0)], ..switching };
    assert_eq!(rising.word(f64::INFINITY), (3 << 14) + GainSwitching::LARGEST_ADU);

    // Own gains and the noise of the mode.
    let noisy = GainSwitching {
        modes: switching.modes.map(|mode| GainMode { readout_adu: 10.0, ..mode }),
        ..switching
    };
    let mut pixels = [1.0; 3000];
    let mut words = [0; 3000];
    let differences = PixelDifferences { gains: Some(&[0.5; 3000]), ..PixelDifferences::default() };
    let _ = Counts::new(place(Simd::detect(), 0), &mut pixels)
        .switch_gain(&noisy, &differences, &mut words)
        .unwrap();
    let mean = words.iter().sum::<i32>() as f64 / 3000.0;
    let rms = (words.iter().map(|&w| (f64::from(w) - 3200.0).powi(2)).sum::<f64>() / 3000.0).sqrt();
    assert!((mean - 3200.0).abs() < 1.0 && (rms - 10.0).abs() < 0.6, "{mean} {rms}");

    // What is added to the pedestal is that of the mode, and what pixels have in common is added in any.
    let maps = [[10.0; 3], [20.0; 3], [30.0; 3]];
    let differences = PixelDifferences {
        pedestals_adu: maps.each_ref().map(|map| Some(&map[..])),
        common_adu: Some(&[1.0, 2.0, 3.0]),
        ..PixelDifferences::default()
    };
    let mut words = [0; 3];
    let stored = Counts::new(place(Simd::detect(), 0), &mut [1.0, 100.0, 10_000.0])
        .switch_gain(&switching, &differences, &mut words)
        .map(|stored| stored.saturated());
    assert_eq!(stored, Ok(0));
    assert_eq!(words, [3400 + 11, (1 << 14) + 14_000 + 22, (3 << 14) + 5000 + 33]);
    let short = PixelDifferences { common_adu: Some(&[0.0; 2]), ..PixelDifferences::default() };
    let counts = Counts::new(place(Simd::detect(), 0), &mut [0.0; 3])
        .switch_gain(&switching, &short, &mut words)
        .err();
    assert_eq!(counts, Some(Error::BufferTooShort { buffer: "common mode", needed: 3, given: 2 }));
}

#[test]
fn pedestals_differ_from_pixel_to_pixel_and_mode_to_mode() {
    let simd = Simd::detect();
    let map = |panel, mode, first, pixels| {
        let mut map = vec![0.0_f32; pixels];
        fill_pedestal_map(simd, 5.0, 7, panel, mode, first, &mut map);
        map
    };
    let whole = map(0, 1, 0, 20_000);
    let rms = (whole.iter().map(|&adu| f64::from(adu).powi(2)).sum::<f64>() / 20_000.0).sqrt();
    let mean = whole.iter().map(|&adu| f64::from(adu)).sum::<f64>() / 20_000.0;
    assert!((rms - 5.0).abs() < 0.1 && mean.abs() < 0.15, "{rms} {mean}");
    assert_eq!(map(0, 1, 777, 1000), whole[777..1777]);
    assert!(map(0, 0, 0, 20_000) != whole && map(1, 1, 0, 20_000) != whole);
}

#[test]
fn rows_have_their_deviation_in_common() {
    let mut pixels = [0.0; 1000];
    let mut stored = [0; 1000];
    let rows = CommonMode::of_rows(100.0, 100);
    let signal = Counts::new(place(Simd::detect(), 0), &mut pixels).amplify(1.0, None).unwrap();
    let _ =
        signal.add_common_mode(&rows).store_into(Limits { least: i32::MIN, largest: i32::MAX }, &mut stored);
    for row in stored.chunks(100) {
        assert!(row.iter().all(|adu| *adu == row[0]));
    }
    assert!((0..9).all(|row| stored[100 * row] != stored[100 * row + 100]));
}

#[test]
fn bad_pixels_are_distinct_and_static() {
    let draw = |seed, pixels: u32, first: u32, len: usize| {
        let mut numbers = vec![u32::MAX; len];
        fill_bad_pixels(Simd::detect(), seed, 2, pixels, first, &mut numbers).map(|()| numbers)
    };
    // All pixels in a random order, also where their number is no power of 4.
    for pixels in [1, 2, 3, 4, 5, 64, 1000, 4097] {
        let mut all = draw(1, pixels, 0, pixels as usize).unwrap();
        assert!(pixels < 64 || !all.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..pixels).collect::<Vec<_>>());
    }
    let numbers = draw(1, 4_000_000, 0, 2000).unwrap();
    assert_eq!(numbers[300..], draw(1, 4_000_000, 300, 1700).unwrap());
    assert_ne!(numbers, draw(2, 4_000_000, 0, 2000).unwrap());
    for simd in SimdLevel::ALL.into_iter().filter_map(Simd::exactly) {
        let mut again = vec![0; 2000];
        fill_bad_pixels(simd, 1, 2, 4_000_000, 0, &mut again).unwrap();
        assert_eq!(again, numbers, "{}", simd.level());
        fill_bad_pixels(simd, 1, 3, 4_000_000, 0, &mut again).unwrap();
        assert_ne!(again, numbers);
    }
    // They are spread evenly: 2000 in 20 parts are 100 in each, with a standard deviation of 10.
    let mut parts = [0; 20];
    numbers.iter().for_each(|number| parts[*number as usize / 200_000] += 1);
    let chi_squared: f64 = parts.iter().map(|&n| (f64::from(n) - 100.0).powi(2) / 100.0).sum();
    assert!((5.0..45.0).contains(&chi_squared), "{chi_squared}");

    assert_eq!(draw(1, 0, 0, 0).unwrap(), []);
    assert!(draw(1, u32::MAX, u32::MAX - 1, 1).unwrap()[0] < u32::MAX);
    for (pixels, first, len) in [(10, 0, 11), (10, 10, 1), (10, 11, 0), (0, 0, 1)] {
        assert!(draw(1, pixels, first, len).is_err());
    }
}

#[test]
fn lengths_must_agree() {
    let limits = Limits { least: 0, largest: 9 };
    let with = |gains: usize, stored: usize, mask: usize| {
        let (mut pixels, mut stored) = ([0.0; 10], vec![0; stored]);
        let signal =
            Counts::new(place(Simd::detect(), 0), &mut pixels).amplify(1.0, Some(&vec![1.0; gains]))?;
        signal.store_into(limits, &mut stored)?.mask(&vec![1; mask], -1)
    };
    assert!(with(10, 10, 10).is_ok());
    assert!(
        [[9, 10, 10], [10, 11, 10], [10, 10, 9]]
            .map(|[gains, stored, mask]| with(gains, stored, mask))
            .iter()
            .all(Result::is_err)
    );
}
