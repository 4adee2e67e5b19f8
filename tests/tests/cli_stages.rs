//! What the noise of a detector has beside the stages of `cli_noise`: lists of bad pixels, gains that the charge switches,
//! saturation, and models of detectors; in single images, series, panels and shots.

use core::fmt::Write as _;

use widebragg::lanes::Simd;
use widebragg::noise::detector::{
    CommonMode, Expected, GainMode, GainSwitching, PixelDifferences, Place, Signal, fill_gain_map,
    fill_pedestal_map,
};
use widebragg_formats::cbf::Cbf;
use widebragg_formats::hdf5::Hdf5;
use widebragg_formats::image::ImageReader;
use widebragg_formats::nxmx::read_nxmx_geometry;
use widebragg_formats::png::write_preview;
use widebragg_tests::program::{Workplace, smv_parts};

const COLUMNS: usize = 32;
const ROWS: usize = 24;
const LINE: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels_x 32 -detpixels_y 24 -N 6 -oversample 2 \
    -phi -0.5 -osc 0.5 -phisteps 3 -seed 7 -fluence 1e30 -exposure 0.001 -nopgm -floatfile f.bin -intfile i.img -noisefile n.img";

/// Two panels of 30 x 20 pixels.
fn panels() -> String {
    let mut text = "photon_energy = 10000 eV\nclen = 0.1\nres = 2000\n".to_owned();
    for (panel, x) in [-31, 1].into_iter().enumerate() {
        let rows = 20 * panel;
        let _ = write!(
            text,
            "p{panel}/min_fs = 0\np{panel}/max_fs = 29\np{panel}/min_ss = {rows}\np{panel}/max_ss = {}\n\
             p{panel}/corner_x = {x}\np{panel}/corner_y = -10\np{panel}/fs = +1.0x\np{panel}/ss = +1.0y\n",
            rows + 19
        );
    }
    text
}

/// A crystal that lights most pixels of [`panels`], or of shots on them.
const ON_PANELS: &str = "-cell 70 80 90 85 95 100 -misset 10 20 30 -N 5 -default_F 100 -oversample 1 -fluence 1e30 -exposure 1 \
    --geometry p.geom --nxmx all.nxs --quiet";

fn noise_image(place: &Workplace, name: &str) -> (String, Vec<u16>) {
    smv_parts(&place.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A frame of an array of an NXmx file; gaps are NaN.
fn frame(place: &Workplace, name: &str) -> Vec<f32> {
    let path = place.path().join(name);
    Hdf5.read(&path, None).unwrap_or_else(|failure| panic!("{failure}")).pixels
}

fn refused(place: &Workplace, line: &str, words: &str) {
    let outcome = place.run_line(line).refused(line);
    assert!(outcome.stderr.contains(words), "{line}: {}", outcome.stderr);
}

#[test]
fn listed_pixels_are_hot_and_dead() {
    let place = Workplace::with_inputs();
    place.write("bad.txt", "# the worst two\n3 2 hot\n5 2 dead\n");
    let report =
        place.run_line(&format!("{LINE} --frames 2 --readout 5 --bad-pixels bad.txt --json")).well().json();
    let stages = "photons counted, readout 5 ADU, 1 hot and 1 dead pixels of a list";
    assert_eq!(report["images"][0]["noise_stages"], stages);
    let clean = Workplace::with_inputs();
    clean.run_line(&format!("{LINE} --frames 2 --readout 5")).well();
    for name in ["n_00001.img", "n_00002.img"] {
        let (with, without) = (noise_image(&place, name).1, noise_image(&clean, name).1);
        for (pixel, (with, without)) in with.into_iter().zip(without).enumerate() {
            let expected = match (pixel % COLUMNS, pixel / COLUMNS) {
                (3, 2) => u16::MAX,
                (5, 2) => 40,
                _ => without,
            };
            assert_eq!(with, expected, "{name} {pixel}");
        }
    }
    // Another list is another series.
    place.write("bad.txt", "3 2 hot\n");
    let line = format!("{LINE} --frames 2 --readout 5 --bad-pixels bad.txt --resume");
    let outcome = place.run_line(&line);
    assert!(
        outcome.stderr.contains("other contents of its input files (--bad-pixels)"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn lists_name_panels_in_images_and_shots() {
    let place = Workplace::empty();
    place.write("p.geom", panels());
    place.write("bad.txt", "p0 4 3 dead\n1 29 19 hot\n1 0 0 dead\n");
    for (line, frames) in [("", 1), ("shots --shots 3", 3)] {
        place.run_line(&format!("{line} {ON_PANELS} --bad-pixels bad.txt --overload 70000")).well();
        for number in 0..frames {
            let pixels = frame(&place, &format!("all.nxs:{number}"));
            assert_eq!([pixels[3 * 30 + 4], pixels[20 * 30]], [0.0; 2]);
            // A saturated pixel is no valid count; the readers here keep it as it is.
            assert_eq!(pixels[40 * 30 - 1], 70_000.0);
            assert!(pixels.iter().filter(|&&count| count > 50.0).count() > 100);
        }
        let valid = read_nxmx_geometry(&place.path().join("all.nxs")).unwrap().panels[0].valid;
        assert_eq!(valid, [Some(f64::from(widebragg_formats::nxmx::LOWEST_COUNT)), Some(69_999.0)]);
    }
    // The other panel is in the list, and not in the image.
    place.run_line(&format!("{ON_PANELS} --bad-pixels bad.txt --panel p1")).well();
    assert_eq!(frame(&place, "all.nxs:0")[0], 0.0);
}

#[test]
fn lists_that_are_wrong_are_refused_with_file_and_line() {
    let place = Workplace::with_inputs();
    place.write("p.geom", panels());
    for (list, words) in [
        (
            "1 2 hot\n40 2 dead\n",
            "--bad-pixels: bad.txt:2: \"40\" is no fast coordinate of the panel: 0 to 31",
        ),
        ("1 24 hot\n", "bad.txt:1: \"24\" is no slow coordinate of the panel: 0 to 23"),
        ("1 2 hot\n# again\n1 2 dead\n", "bad.txt:3: the pixel is dead, and hot in line 1"),
        ("1 2 warm\n", "bad.txt:1: \"warm\" is neither hot nor dead"),
        ("p7 1 2 hot\n", "bad.txt:1: the detector has no panel \"p7\""),
    ] {
        place.write("bad.txt", list);
        refused(&place, &format!("{LINE} --bad-pixels bad.txt"), words);
    }
    place.write("bad.txt", "1 2 hot\n");
    refused(&place, &format!("{ON_PANELS} --bad-pixels bad.txt"), "bad.txt:1: of which of the 2 panels?");
    refused(&place, &format!("{LINE} --bad-pixels none.txt"), "--bad-pixels: none.txt: cannot read");
    refused(&place, &format!("{LINE} --bad-pixels bad.txt -noisefile bad.txt"), "bad.txt");
}

/// Jungfrau's gains, at 12.4 keV/1.2: mode 1 from 31 photons, mode 2 from 310.
const MODES: &str = "--gain-modes 40,-1,-0.1 --gain-switch 320,3200 --mode-pedestals 2500,15000,14000 --mode-readout 60,8,7 \
    --calibration 0.05 --calibration-seed 3";

fn switching(photon_kev: f64) -> GainSwitching {
    let mode = |adu_per_kev, pedestal_adu, readout_adu| GainMode { adu_per_kev, pedestal_adu, readout_adu };
    let modes = [mode(40.0, 2500.0, 60.0), mode(-1.0, 15_000.0, 8.0), mode(-0.1, 14_000.0, 7.0)];
    GainSwitching { photon_kev, switch_kev: [320.0, 3200.0], modes }
}

/// The words of the kernel.
fn words(photons: Vec<f32>, photon_kev: f64, frame: u32, panel: u32) -> Vec<i32> {
    words_with(photons, photon_kev, (frame, panel), &PixelDifferences::default())
}

/// The words of the kernel with `more` differences of pixels beside their gains.
fn words_with(
    mut photons: Vec<f32>,
    photon_kev: f64,
    (frame, panel): (u32, u32),
    more: &PixelDifferences<'_>,
) -> Vec<i32> {
    let place = Place { simd: Simd::detect(), seed: 7, frame, panel, first: 0 };
    let mut gains = vec![0.0; photons.len()];
    fill_gain_map(place.simd, 0.05, 3, panel, 0, &mut gains);
    let mut stored = vec![0; photons.len()];
    let counts = Expected::new(place, &mut photons).count();
    let differences = PixelDifferences { gains: Some(&gains), ..*more };
    let _ = counts.switch_gain(&switching(photon_kev), &differences, &mut stored).unwrap();
    stored
}

#[test]
fn the_charge_switches_the_gain() {
    let place = Workplace::with_inputs();
    place.write("bad.txt", "3 2 hot\n5 2 dead\n");
    let line = format!("{LINE} {MODES} --frames 2 --bad-pixels bad.txt --noise-cbf n.cbf --nxmx w.nxs");
    place.run_line(&line).well();
    for number in 1..=2 {
        let photons = place.float(&format!("f_0000{number}.bin"));
        let mut expected = words(photons, 12.398_419_843_320_026 / 1.2, number, 0);
        for code in GainSwitching::CODES {
            assert!(
                expected.iter().filter(|&&word| word >> 14 == code).count() > 3,
                "no pixel of mode {code}"
            );
        }
        // The most that the third mode holds is no signal at all, since charge lowers it.
        (expected[2 * COLUMNS + 3], expected[2 * COLUMNS + 5]) = (3 << 14, 2500);
        let (header, image) = noise_image(&place, &format!("n_0000{number}.img"));
        assert!(header.contains("ADC_OFFSET=0;") && !header.contains("SATURATION"), "{header}");
        assert!(image.iter().map(|&word| i32::from(word)).eq(expected.iter().copied()));
        let of_nxmx = frame(&place, &format!("w.nxs:{}", number - 1));
        assert!(of_nxmx.iter().zip(&expected).all(|(&found, &word)| found == word as f32));
        let same = place.run_line(&format!("compare w.nxs:{} n_0000{number}.cbf --json --out c", number - 1));
        assert_eq!(same.well().json()["bit_identical_fraction"], 1.0);
    }
    // All words are valid, none is below 0.
    let valid = read_nxmx_geometry(&place.path().join("w.nxs")).unwrap().panels[0].valid;
    assert_eq!(valid, [Some(0.0), Some(65_535.0)]);
}

#[test]
fn pedestals_of_pixels_and_common_mode_are_added_in_the_mode_of_a_pixel() {
    let place = Workplace::with_inputs();
    let line = format!("{LINE} {MODES} --pedestal-spread 90,6,0 --common-mode 50,8,5 --frames 2");
    place.run_line(&line).well();
    for number in 1..=2 {
        let photons = place.float(&format!("f_0000{number}.bin"));
        let pixels = photons.len();
        let pedestals = [90.0, 6.0, 0.0].into_iter().zip(0..).map(|(rms_adu, mode)| {
            let mut map = vec![0.0; pixels];
            fill_pedestal_map(Simd::detect(), rms_adu, 3, 0, mode, 0, &mut map);
            map
        });
        let pedestals: Vec<Vec<f32>> = pedestals.collect();
        let mut common = vec![0.0; pixels];
        let at = Place { simd: Simd::detect(), seed: 7, frame: number, panel: 0, first: 0 };
        let blocks = CommonMode { rms_adu: 50.0, columns: COLUMNS, block: [8, 5] };
        let _ = Signal::new(at, &mut common).add_common_mode(&blocks);
        let differences = PixelDifferences {
            pedestals_adu: [0, 1, 2].map(|mode| Some(&pedestals[mode][..])),
            common_adu: Some(&common),
            ..PixelDifferences::default()
        };
        let photon_kev = 12.398_419_843_320_026 / 1.2;
        let expected = words_with(photons, photon_kev, (number, 0), &differences);
        let (_, image) = noise_image(&place, &format!("n_0000{number}.img"));
        assert!(image.iter().map(|&word| i32::from(word)).eq(expected));
    }
}

#[test]
fn gains_are_switched_on_panels_and_in_shots() {
    let place = Workplace::empty();
    place.write("p.geom", panels());
    let kev = |lambda_angstrom: f64| 12.398_419_843_320_026 / lambda_angstrom;
    place.run_line(&format!("{ON_PANELS} {MODES} -seed 7 -floatfile f.bin")).well();
    let check = |photons: &[f32], found: &[f32], photon_kev: f64, number: u32| {
        for panel in 0..2 {
            let part = 600 * panel..600 * (panel + 1);
            let expected = words(photons[part.clone()].to_vec(), photon_kev, number, panel as u32);
            assert!(found[part].iter().zip(&expected).all(|(&found, &word)| found == word as f32));
        }
    };
    check(&place.float("f.bin"), &frame(&place, "all.nxs:0"), kev(12_398.419_843_320_026 / 10_000.0), 1);

    // Shots with energies of their own: the same photons are another charge.
    place.write("shots.csv", "shot,energy_ev\n1,10000\n2,9000\n3,11000\n");
    let line = "shots --shots 3 --shot-seed 7 --shot-table shots.csv";
    place.run_line(&format!("{line} {ON_PANELS} {MODES} -floatfile f.bin")).well();
    for (number, energy_kev) in [(1, 10.0), (2, 9.0), (3, 11.0)] {
        let photons = place.float(&format!("f_0000{number}.bin"));
        check(&photons, &frame(&place, &format!("all.nxs:{}", number - 1)), energy_kev, number);
    }
}

#[test]
fn gains_that_cannot_be_are_refused() {
    let place = Workplace::with_inputs();
    let of_modes = "where each mode has a gain, readout and limit of its own";
    for (more, words) in [
        ("--gain-modes 40,-1", "expected 3 numbers with commas between them"),
        ("--gain-modes 40,-1,nan", "expected 3 numbers with commas between them"),
        ("--gain-modes 40,0,-1", "the gain of a mode must not be 0"),
        ("--gain-switch 300,200", "the charges must be above 0, and the second larger than the first"),
        ("--mode-pedestals 2500,15000,16384", "a pedestal is at least 0 and at most 16383"),
        ("--mode-readout 1,-2,3", "must not be negative"),
        ("--mode-readout 1,2,3", "--mode-readout: needs --gain-modes"),
        ("--pedestal-spread 1,2,3", "--pedestal-spread: needs --gain-modes"),
        (&format!("{MODES} --pedestal-spread 1,2,-3"), "must not be negative"),
        (
            "--gain-modes 40,-1,-0.1 --mode-readout 1,2,3",
            "--gain-modes: also give --gain-switch KEV,KEV and --mode-pedestals ADU,ADU,ADU",
        ),
        (&format!("{MODES} --gain 2"), of_modes),
        (&format!("{MODES} --gain-per-kev 2"), of_modes),
        (&format!("{MODES} --readout 2"), of_modes),
        (&format!("{MODES} --overload 2000"), of_modes),
        (&format!("{MODES} -adc 40"), "-adc: not with --gain-modes, whose raw words have no offset"),
        ("--gain-per-kev -1", "must be larger than zero"),
        ("--overload 0", "must be from 1 to 2147483647"),
        ("--detector-model lambda", "expected pilatus, eiger, jungfrau, rayonix or cspad"),
        (
            "--detector-model pilatus",
            "--detector-model pilatus: also give --dead-time NS, which no source tells",
        ),
        ("--detector-model eiger", "also give --dead-time NS and --overload ADU"),
        (
            "--detector-model jungfrau",
            "also give --mode-pedestals ADU,ADU,ADU and --mode-readout ADU,ADU,ADU",
        ),
        (
            "--detector-model jungfrau --gain 2",
            "--gain and --gain-per-kev: not with --detector-model jungfrau",
        ),
        ("--detector-model rayonix", "also give --gain ADU and --readout ADU"),
        ("--detector-model cspad", "also give --common-mode ADU"),
    ] {
        refused(&place, &format!("{LINE} {more}"), words);
    }
}

#[test]
fn models_give_what_is_known_of_them() {
    let place = Workplace::with_inputs();
    let stages = |more: &str| {
        let report = place.run_line(&format!("{LINE} {more} --json")).well().json();
        report["images"][0]["noise_stages"].as_str().expect("stages").to_owned()
    };
    let pilatus = "--detector-model pilatus --dead-time";
    assert_eq!(stages(&format!("{pilatus} 0")), "photons counted, saturation 1048575 ADU");
    assert!(noise_image(&place, "n.img").0.contains("ADC_OFFSET=0;"));
    assert_eq!(
        stages(&format!("{pilatus} 120,retrigger --readout 2 --overload 5000 -adc 10")),
        "photons counted, dead time 120 ns, not paralyzable, readout 2 ADU, saturation 5000 ADU"
    );
    let header = noise_image(&place, "n.img").0;
    assert!(header.contains("ADC_OFFSET=10;") && header.contains("CCD_IMAGE_SATURATION=5010;"), "{header}");
    assert_eq!(
        stages("--readout 3 --detector-model rayonix --gain 1.7"),
        "photons counted, point spread fiber of 80 um within 10 pixels, gain 1.7 ADU a photon, calibration 0.01 of seed 1, readout 3 \
         ADU, saturation 65525 ADU"
    );
    assert!(noise_image(&place, "n.img").0.contains("ADC_OFFSET=10;"));
    assert_eq!(
        stages("--detector-model rayonix --gain 1.7 --readout 0 --psf none --calibration 0 --overload 65535"),
        "photons counted, gain 1.7 ADU a photon, saturation 65535 ADU"
    );
    assert_eq!(
        stages("--detector-model cspad --common-mode 5,32,12"),
        "photons counted, gain 3.38 ADU a keV, common mode of 32 x 12 pixels 5 ADU, readout 3.38 ADU, saturation 9464 ADU"
    );
    assert_eq!(
        stages("--detector-model jungfrau --mode-pedestals 2500,15000,14000 --mode-readout 60,8,7"),
        "photons counted, gain 40/-1/-0.1 ADU a keV switched at 320 and 12000 keV with pedestals 2500/15000/14000 and readout 60/8/7 \
         ADU"
    );
    assert_eq!(
        stages("--detector-model eiger --dead-time 0 --overload 50649"),
        "photons counted, saturation 50649 ADU"
    );
}

/// The detector of a name says its size, and the model its noise; what is known of the name fills the model.
#[test]
fn models_go_together_with_detectors_by_name() {
    let place = Workplace::with_inputs();
    let line = format!("{LINE} --detector MAR165 --detector-model rayonix --readout 3");
    let line = line.replace("-pixel 0.4 -detpixels_x 32 -detpixels_y 24", "-roi 0 99 0 99");
    let report = place.run_line(&format!("{line} --nxmx m.nxs --json")).well().json();
    let stages = report["images"][0]["noise_stages"].as_str().expect("stages");
    assert!(!stages.contains("gain"), "the gain of a MAR165 is 1: {stages}");
    assert!(stages.ends_with("readout 3 ADU, saturation 65525 ADU"), "{stages}");
    let valid = read_nxmx_geometry(&place.path().join("m.nxs")).unwrap().panels[0].valid[1];
    assert_eq!(valid, Some(65_524.0));
}

/// The images that `--nxmx-stages` keeps are those of the stages, each of which begins with the one before.
#[test]
fn images_of_all_stages_are_kept() {
    let place = Workplace::with_inputs();
    let stages = "--flicker 0.1 --dead-time 500 --psf gauss,300,3 --gain 1.5 --calibration 0.1 --common-mode 4 --readout 6 \
                  --bad-pixels hot=1,dead=2 --overload 9000";
    let line = format!("{LINE} {stages} --frames 2 --nxmx s.nxs --nxmx-stages");
    // The two frames are made by two jobs, of which the second joins them.
    place.run_line(&format!("{line} --frame-range 2:2")).well();
    place.run_line(&format!("{line} --frame-range 1:1 --resume")).well();
    let other = Workplace::with_inputs();
    other.run_line(&line.replace("--nxmx-stages", "--threads 2")).well();
    for number in 0..2 {
        let data = frame(&place, &format!("s.nxs:{number}"));
        assert_eq!(data, frame(&other, &format!("s.nxs:{number}")), "the stages change nothing");
        let image = |name: &str| frame(&place, &format!("s.nxs:/entry/widebragg/stages/{name}:{number}"));
        let photons = place.float(&format!("f_0000{}.bin", number + 1));
        assert_eq!(image("photons"), photons);
        let varied = image("varied");
        let brightest =
            (0..photons.len()).max_by(|&a, &b| photons[a].total_cmp(&photons[b])).expect("pixels");
        let factor = varied[brightest] / photons[brightest];
        assert!((factor - 1.0).abs() > 1e-3);
        assert!(varied.iter().zip(&photons).all(|(a, b)| (a - factor * b).abs() <= 1e-5 * b));
        let (counts, left) = (image("counts"), image("dead_time"));
        assert!(counts.iter().all(|count| count.fract() == 0.0 && *count >= 0.0));
        let sum = |pixels: &[f32]| pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>();
        assert!((sum(&counts) / sum(&varied) - 1.0).abs() < 0.05);
        assert!(counts.iter().zip(&left).all(|(count, left)| left <= count) && sum(&left) < sum(&counts));
        let spread = image("spread");
        assert!(spread != left && sum(&spread) <= sum(&left) && sum(&spread) > 0.9 * sum(&left));
        let amplified = image("amplified");
        let gains: Vec<f32> = amplified.iter().zip(&spread).map(|(adu, count)| adu / count).collect();
        assert!(gains.iter().filter(|gain| gain.is_finite()).all(|gain| (gain - 1.5).abs() < 1.0));
        let common = image("common_mode");
        for (row, amplified) in common.chunks(COLUMNS).zip(amplified.chunks(COLUMNS)) {
            let shift = row[0] - amplified[0];
            assert!(row.iter().zip(amplified).all(|(row, adu)| (row - adu - shift).abs() < 1e-2));
        }
        let read_out = image("read_out");
        let nearest = |adu: f32| (f64::from(adu) + 0.5).floor().min(9000.0) as f32;
        let differ = read_out.iter().zip(&data).filter(|(adu, stored)| nearest(**adu) != **stored).count();
        assert!((2..=3).contains(&differ), "{differ} hot and dead pixels");
    }
    let report = place.run_line("compare s.nxs:/entry/widebragg/stages/photons:1 f_00002.bin --json --out c");
    assert_eq!(report.well().json()["bit_identical_fraction"], 1.0);
    // The same file without stages is another series.
    let outcome = place.run_line(&line.replace("--nxmx-stages", "--resume")).well();
    assert!(outcome.stderr.contains("not a readable file of this series"), "{}", outcome.stderr);
}

#[test]
fn stages_are_kept_on_panels_and_in_shots_and_of_nanobraggs_noise() {
    let place = Workplace::empty();
    place.write("p.geom", panels());
    let shots = "shots --shots 3 --shot-seed 7 --nxmx-frames-per-file 2";
    for (line, frames) in [("", 1), (shots, 3)] {
        let line = format!("{line} {ON_PANELS} --nxmx-stages --readout 3 -floatfile f.bin");
        place.run_line(&line).well();
        for number in 0..frames {
            let image =
                |name: &str| frame(&place, &format!("all.nxs:/entry/widebragg/stages/{name}:{number}"));
            let float = if frames == 1 { "f.bin".to_owned() } else { format!("f_0000{}.bin", number + 1) };
            assert_eq!(image("photons"), place.float(&float));
            let data = frame(&place, &format!("all.nxs:{number}"));
            let counts = image("counts");
            assert_eq!((data.len(), counts.len()), (1200, 1200));
            // Rounded noise of the readout of 3 ADU.
            let rms = data.iter().zip(&counts).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / 1200.0;
            assert!((rms.sqrt() - 3.0).abs() < 0.3, "{}", rms.sqrt());
            let absent = place.path().join("all.nxs:/entry/widebragg/stages/spread:0");
            assert!(Hdf5.read(&absent, None).is_err());
        }
    }
    // The noise of nanoBragg is of one stage.
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} --nxmx r.nxs --nxmx-stages")).well();
    assert_eq!(frame(&place, "r.nxs:/entry/widebragg/stages/photons:0"), place.float("f.bin"));
    refused(
        &place,
        &format!("{LINE} --nxmx r.nxs --nxmx-stages --nxmx-data photons"),
        "--nxmx-stages: the file has photons without noise",
    );
    let outcome = place.run_line(&format!("{LINE} --nxmx-stages")).well();
    assert!(outcome.stderr.contains("--nxmx-stages has no effect without --nxmx"), "{}", outcome.stderr);
}

/// The preview with noise is that of what the detector stores, and the other one that of the photons.
#[test]
fn previews_show_photons_or_noise() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} --gain 2 --png p.png --noise-png n.png --noise-cbf n.cbf")).well();
    let counts = Cbf.read(&place.path().join("n.cbf"), None).unwrap().pixels;
    let preview = |pixels: &[f32]| {
        write_preview(&place.path().join("expected.png"), COLUMNS, ROWS, pixels, None).unwrap();
        place.read("expected.png")
    };
    assert!(place.read("n.png") == preview(&counts));
    assert!(
        place.read("p.png") == preview(&place.float("f.bin")) && place.read("p.png") != place.read("n.png")
    );
}

/// Deviates are those of the number of the frame or shot: a part of a series has the noise of the whole.
#[test]
fn noise_belongs_to_the_number_of_the_frame_or_shot() {
    let place = Workplace::empty();
    place.write("p.geom", panels());
    let stages = "--flicker 0.1 --pixel-flicker 0.1 --dead-time 5 --psf fiber,300,3 --gain 2 --calibration 0.1 --common-mode 3,10,10 \
                  --readout 4 --bad-pixels hot=2,dead=2";
    for (all, part) in [
        ("--frames 3 -seed 5 -osc 0.1", "--frame-range 3:3 --threads 1"),
        ("shots --shots 3 --shot-seed 5", "--shot-range 3:3 --threads 1"),
    ] {
        for stages in [stages, MODES] {
            let line = format!("{all} {ON_PANELS} {stages} --noise-cbf n.cbf");
            place.run_line(&line).well();
            let [first, third] = [0, 2].map(|number| frame(&place, &format!("all.nxs:{number}")));
            assert!(first != third);
            let alone = Workplace::empty();
            alone.write("p.geom", panels());
            alone.run_line(&format!("{line} {part}")).well();
            let counts =
                |place: &Workplace| Cbf.read(&place.path().join("n_00003.cbf"), None).unwrap().pixels;
            assert!(counts(&alone) == counts(&place), "{line}");
            for entry in place.files().keys().filter(|name| name.contains("series.json")) {
                std::fs::remove_file(place.path().join(entry)).expect("a record");
            }
        }
    }
}

/// ADU of a gain by energy are those of a gain by photons of that energy.
#[test]
fn a_gain_by_energy_is_that_of_the_wavelength() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} --gain-per-kev 0.3 -noisefile e.img")).well();
    let per_photon = 0.3 * 12.398_419_843_320_026 / 1.2;
    place.run_line(&format!("{LINE} --gain {per_photon:?} -noisefile p.img")).well();
    assert_eq!(noise_image(&place, "e.img"), noise_image(&place, "p.img"));
    assert!(noise_image(&place, "e.img").1.iter().filter(|&&adu| adu > 60).count() > 20);
    assert_eq!(noise_image(&place, "e.img").1.len(), COLUMNS * ROWS);
}
