//! `--noise-model counter` and the stages of a detector's noise: the images are those of the kernel's stages, for any
//! threads, region and order of frames.

use widebragg::lanes::Simd;
use widebragg::noise::detector::{
    CommonMode, DeadTime, Expected, Limits, Place, fill_bad_pixels, fill_gain_map, shot_factor,
};
use widebragg_formats::nxmx::{LOWEST_COUNT, read_nxmx_geometry};
use widebragg_tests::program::{Workplace, smv_parts};

const COLUMNS: usize = 32;
const PIXELS: usize = 32 * 24;
const LINE: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels_x 32 -detpixels_y 24 -N 6 -oversample 2 \
    -phi -0.5 -osc 0.5 -phisteps 3 -seed 7 -fluence 1e30 -exposure 0.001 -nopgm -floatfile f.bin -intfile i.img -noisefile n.img";
const STAGES: &str = "--flicker 0.1 --pixel-flicker 0.05 --dead-time 500 --gain 1.5 --calibration 0.1 --calibration-seed 9 \
    --common-mode 4,8,5 --readout 6 --bad-pixels hot=3,dead=40,seed=5";

fn noise_image(place: &Workplace, name: &str) -> Vec<u16> {
    smv_parts(&place.read(name)).unwrap_or_else(|error| panic!("{name}: {error}")).1
}

/// What the stages of the kernel make of the photons of frame `frame`, counted from 1, before `-adc`.
fn by_the_kernel(mut pixels: Vec<f32>, frame: u32) -> Vec<i32> {
    let simd = Simd::detect();
    let place = Place { simd, seed: 7, frame, panel: 0, first: 0 };
    let mut gains = vec![0.0; PIXELS];
    fill_gain_map(simd, 0.1, 9, 0, 0, &mut gains);
    let mut bad = [0; 43];
    fill_bad_pixels(simd, 5, 0, PIXELS as u32, 0, &mut bad).unwrap();
    let (hot, dead) = bad.split_at(3);
    let mut stored = vec![0; PIXELS];
    let _ = Expected::new(place, &mut pixels)
        .times(shot_factor(simd, 0.1, 7, frame))
        .flicker(0.05)
        .count()
        .lose(&DeadTime { tau_s: 500.0 * 1e-9, exposure_s: 0.001, is_paralyzable: true })
        .amplify(1.5, Some(&gains))
        .unwrap()
        .add_common_mode(&CommonMode { rms_adu: 4.0, columns: COLUMNS, block: [8, 5] })
        .read_out(6.0)
        .store_into(Limits { least: -i32::MAX, largest: i32::MAX }, &mut stored)
        .unwrap()
        .set(hot, i32::MAX)
        .set(dead, 0);
    stored
}

#[test]
fn images_are_those_of_the_stages() {
    let place = Workplace::with_inputs();
    let line = format!("{LINE} {STAGES} --frames 2");
    let outcome = place.run_line(&format!("{line} --log summary")).well();
    assert!(!outcome.stderr.contains("noise"), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("flicker 0.1, flicker of pixels 0.05, photons counted, dead time 500 ns")
    );
    for frame in 1..=2 {
        let stored = by_the_kernel(place.float(&format!("f_0000{frame}.bin")), frame);
        assert!(stored.iter().any(|adu| *adu < 0) && stored.iter().filter(|adu| **adu > 50).count() > 20);
        let expected: Vec<u16> =
            stored.iter().map(|adu| adu.saturating_add(40).clamp(0, 65_535) as u16).collect();
        assert_eq!(noise_image(&place, &format!("n_0000{frame}.img")), expected);
    }
    // Neither threads nor the frames before change a frame.
    let again = Workplace::with_inputs();
    again.run_line(&format!("{line} --frame-range 2:2 --threads 1")).well();
    assert_eq!(noise_image(&again, "n_00002.img"), noise_image(&place, "n_00002.img"));
    assert_ne!(noise_image(&place, "n_00001.img"), noise_image(&place, "n_00002.img"));
}

#[test]
fn a_region_has_the_noise_of_the_whole() {
    let place = Workplace::with_inputs();
    for stages in ["--noise-model counter", STAGES] {
        place.run_line(&format!("{LINE} {stages}")).well();
        let whole = noise_image(&place, "n.img");
        assert!(whole.iter().filter(|count| **count > 50).count() > 20);
        place.run_line(&format!("{LINE} {stages} -roi 5 20 7 19")).well();
        for (pixel, (&part, &whole)) in noise_image(&place, "n.img").iter().zip(&whole).enumerate() {
            let (slow, fast) = (pixel / COLUMNS, pixel % COLUMNS);
            let is_inside = (5..=20).contains(&fast) && (7..=19).contains(&slow);
            assert_eq!(part, if is_inside { whole } else { 0 }, "{fast} {slow}");
        }
    }
}

#[test]
fn formats_keep_what_they_can_of_integers_below_0() {
    let place = Workplace::with_inputs();
    let line = format!("{LINE} --readout 6 --noise-cbf n.cbf --nxmx n.nxs --json");
    let report = place.run_line(&line).well().json();
    assert_eq!(report["images"][0].get("noise_photons"), None, "{report}");
    assert_eq!(report["images"][0]["noise_stages"], "photons counted, readout 6 ADU");
    let valid = read_nxmx_geometry(&place.path().join("n.nxs")).unwrap().panels[0].valid[0];
    assert_eq!(valid, Some(LOWEST_COUNT.into()));
    let pixels = |name: &str| {
        let report = place.run_line(&format!("compare {name} f.bin --json --out c --threshold 1")).json();
        (report["a"]["min"].as_f64().unwrap(), report["a"]["max"].as_f64().unwrap())
    };
    let ((least_cbf, most_cbf), (least_nxmx, most_nxmx)) = (pixels("n.cbf"), pixels("n.nxs:0"));
    assert_eq!((least_cbf, most_cbf), (0.0, most_nxmx));
    assert!(least_nxmx < -5.0, "{least_nxmx}");

    let report = place.run_line(&format!("{LINE} --noise-model counter --nxmx p.nxs --json")).well().json();
    assert!(report["images"][0]["noise_photons"].as_f64().is_some_and(|photons| photons > 100.0));
    let valid = read_nxmx_geometry(&place.path().join("p.nxs")).unwrap().panels[0].valid[0];
    assert_eq!(valid, Some(0.0));
}

#[test]
fn what_no_detector_does_is_refused() {
    let place = Workplace::with_inputs();
    for (more, words) in [
        ("--bad-pixels hot=700,dead=100", "700 hot and 100 dead pixels of a panel"),
        ("--bad-pixels hot=4294967295,dead=4294967295", "dead pixels of a panel"),
        ("--dead-time 100 -exposure 0", "a dead time needs an exposure above 0"),
        ("--gain nan", "--gain nan"),
    ] {
        let outcome = place.run_line(&format!("{LINE} {more}")).refused(more);
        assert!(outcome.stderr.contains(words), "{more}: {}", outcome.stderr);
    }
    let outcome = place.run_line(&format!("{LINE} -nonoise --readout 3")).well();
    assert!(outcome.stderr.contains("no effect: no image with noise is made"), "{}", outcome.stderr);
}
