//! What spec repairs in images that have no phi of 0: layers, weights, oversample flags, water. Each is compared
//! with what must hold whatever the implementation.

use widebragg::lanes::Simd;
use widebragg::render::{Oversample, Sensor};
use widebragg_tests::golden;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

/// The scene of a command line in spec.
fn scene(line: &str, simd: Simd) -> KernelScene {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
    KernelScene::from_simulation(&simulation, simd, Mode::Spec)
}

fn image(scene: &KernelScene) -> Vec<f64> {
    scene.render(1).expect("a scene")
}

/// The largest difference of two images, relative to the pixel.
fn apart(image: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(image.len(), expected.len());
    let pairs = image.iter().zip(expected);
    pairs.fold(0.0, |worst: f64, (x, y)| worst.max((x - y).abs() / y.abs()))
}

/// A crystal of one cell scatters alike in all directions but for the factors of the pixel.
const FLAT: &str = "-cell 40 50 60 80 95 100 -N 1 -default_F 30 -lambda 1.1 -distance 60 -detpixels_x 37 \
                    -detpixels_y 23 -pixel 1.5 -twotheta 20 -detector_rotx 7 -oversample 1";

/// A crystal with spots.
const SPOTS: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -distance 70 -detpixels_x 41 -detpixels_y 30 \
                     -pixel 0.4 -N 6 -nointerpolate";

#[test]
fn layers_capture_what_the_whole_sensor_captures() {
    for simd in Simd::available() {
        let bare = scene(FLAT, simd);
        let without = image(&bare);
        let attenuation_per_m = 3000.0;
        for (layers, thickness_m) in [(1, 3e-4), (2, 3e-4), (5, 3e-4), (17, 3e-4)] {
            let sensor = Sensor { layers, layer_m: thickness_m / layers as f64, attenuation_per_m };
            let found = image(&KernelScene { sensor, ..bare.clone() });
            let columns = bare.detector.fast_pixels;
            for (index, (found, without)) in found.iter().zip(&without).enumerate() {
                let along = |i: usize| bare.detector.pixel_m * (i as f64 + 0.5);
                let (fast, slow) = (along(index % columns), along(index / columns));
                let pixel = bare.detector.pix0_m + fast * bare.detector.fast + slow * bare.detector.slow;
                let obliquity = pixel.normalize().dot(bare.detector.normal);
                let share = 1.0 - (-thickness_m * attenuation_per_m / obliquity).exp();
                // The directions of the deeper layers differ by less than a thousandth.
                assert!((found / without / share - 1.0).abs() < 1e-3, "{layers} layers, pixel {index}");
            }
        }
    }
}

/// With the depth of a layer as good as 0, all have the direction of the surface, and only rounding remains.
#[test]
fn the_shares_of_thin_layers_add_up_to_rounding() {
    for simd in Simd::available() {
        let bare = scene(FLAT, simd);
        let without = image(&bare);
        let whole = Sensor { layers: 1, layer_m: 1e-16, attenuation_per_m: 1e16 };
        let expected = image(&KernelScene { sensor: whole, ..bare.clone() });
        let obliquity = apart(&expected, &without);
        assert!((0.2..0.7).contains(&obliquity), "{obliquity}");
        for layers in [2, 3, 16] {
            let sensor = Sensor { layers, layer_m: whole.layer_m / layers as f64, ..whole };
            for thick in [false, true] {
                let oversample = Oversample { thick, ..bare.oversample };
                let found = image(&KernelScene { sensor, oversample, ..bare.clone() });
                assert!(apart(&found, &expected) < 1e-14 * layers as f64, "{layers} layers, thick {thick}");
            }
        }
    }
}

#[test]
fn only_the_ratios_of_weights_count() {
    for simd in Simd::available() {
        let one = scene(&format!("{SPOTS} -hdivrange 3 -hdivsteps 4 -oversample 2"), simd);
        let weighted =
            |weights: &[f64]| image(&KernelScene { source_weights: Some(weights.to_vec()), ..one.clone() });
        let found = weighted(&[1.0, 3.0, 0.25, 2.0]);
        assert!(weighted(&[2.0, 6.0, 0.5, 4.0]) == found);
        assert!(apart(&weighted(&[0.1, 0.3, 0.025, 0.2]), &found) < 1e-14);
        // Their sum is beyond the range of f64.
        assert!(apart(&weighted(&[5e307, 1.5e308, 1.25e307, 1e308]), &found) < 1e-14);
        assert!(weighted(&[49.0; 4]) == weighted(&[1.0; 4]));
        assert!(apart(&image(&one), &found) > 1e-3);
        // The weighted mean of the images of the single sources.
        let mut mean = vec![0.0; found.len()];
        for (source, weight) in one.sources.iter().zip([1.0, 3.0, 0.25, 2.0]) {
            // Without the polarisation of the first source, which belongs to the whole pixel.
            let single = KernelScene { sources: vec![*source], polarization: None, ..one.clone() };
            mean.iter_mut().zip(image(&single)).for_each(|(sum, pixel)| *sum += pixel * weight / 6.25);
        }
        let weights = Some(vec![1.0, 3.0, 0.25, 2.0]);
        let found = image(&KernelScene { source_weights: weights, polarization: None, ..one.clone() });
        assert!(apart(&found, &mean) < 1e-13);
    }
}

/// Over pixels so small that the factors hardly vary, a flag hardly changes the image.
#[test]
fn flags_change_an_image_by_no_more_than_the_factors_vary_over_a_pixel() {
    let line = format!("{SPOTS} -oversample 3 -hdivrange 1 -hdivsteps 2 -osc 0.4 -phisteps 3 -phi 0.1");
    for simd in Simd::available() {
        let mut plain = scene(&line, simd);
        plain.sensor = Sensor { layers: 2, layer_m: 1e-4, attenuation_per_m: 4000.0 };
        let expected = image(&plain);
        // Solid angle, obliquity and polarisation vary by less than 1 % from edge to edge of a pixel, which is
        // 0.4 mm at 70 mm.
        for flags in 1..8 {
            let [thick, polar, omega] = [1, 2, 4].map(|flag| flags & flag != 0);
            let oversample = Oversample { per_axis: 3, thick, polar, omega };
            let found = image(&KernelScene { oversample, ..plain.clone() });
            let apart = apart(&found, &expected);
            assert!(apart > 0.0 && apart < 0.01, "{oversample:?}: {apart}");
        }
    }
}

#[test]
fn water_is_proportional_to_the_fluence_and_independent_of_the_steps() {
    for simd in Simd::available() {
        let dark = KernelScene { default_f: 0.0, ..scene(FLAT, simd) };
        let wet = KernelScene { water_m: 1e-4, fluence_per_m2: 1e24, ..dark.clone() };
        let background = image(&wet);
        assert!(background.iter().all(|&pixel| pixel > 0.0));
        let brighter = image(&KernelScene { fluence_per_m2: 3e24, ..wet.clone() });
        let expected: Vec<f64> = background.iter().map(|pixel| 3.0 * pixel).collect();
        assert!(apart(&brighter, &expected) < 1e-14);
        let thicker = image(&KernelScene { water_m: 2e-4, ..wet.clone() });
        let expected: Vec<f64> = background.iter().map(|pixel| 8.0 * pixel).collect();
        assert!(apart(&thicker, &expected) < 1e-14);
        let mut steps = wet.clone();
        steps.sweep.count = 7;
        steps.sweep.step_rad = 0.01;
        steps.sources.push(steps.sources[0]);
        assert!(image(&steps) == background);
        // Nor does the resolution limit switch it off.
        assert!(image(&KernelScene { d_min_m: 1e-9, ..wet.clone() }) == background);
        // At the centre of a pixel of its own, as oversampling would find it.
        for flags in
            [Oversample { polar: true, ..Oversample::NONE }, Oversample { omega: true, ..Oversample::NONE }]
        {
            assert!(image(&KernelScene { oversample: flags, ..wet.clone() }) == background);
        }
    }
}

/// r_e^2 fluence 2.57^2 N omega for N molecules of water, unpolarised, straight at a small pixel.
#[test]
fn water_has_the_brightness_of_its_molecules() {
    let line = "-cell 40 -N 1 -default_F 1 -lambda 1 -distance 1000 -detpixels 1 -pixel 0.1 -oversample 1 -Xbeam 0 \
                -Ybeam 0 -water 10 -fluence 1e24 -nopolar";
    let scene = KernelScene { default_f: 0.0, ..scene(line, Simd::detect()) };
    let molecules = 1e-5_f64.powi(3) * 1e6 / 18.0 * 6.022_141_79e23;
    let expected = 7.940_792_480_189_65e-30 * 1e24 * 2.57 * 2.57 * molecules * 1e-8;
    let found = image(&scene)[0];
    assert!((found / expected - 1.0).abs() < 1e-6, "{found}, not {expected}");
}
