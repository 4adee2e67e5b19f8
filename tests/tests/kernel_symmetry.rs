//! Symmetries of the physics: transformations that must not change the kernel's image.

use proptest::prelude::*;
use widebragg::lanes::Simd;
use widebragg::rotation::{IDENTITY, Mat3, apply, rotate_xyz};
use widebragg::vector::Vec3;
use widebragg_tests::golden;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

fn simulation(line: &str) -> Simulation {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    Simulation::from_args(&args, &golden::inputs()).expect("command line")
}

/// The scene with everything in the laboratory rotated by the same rotation.
fn turned(scene: &KernelScene, angles_rad: [f64; 3]) -> KernelScene {
    let turn = |v: Vec3| rotate_xyz(v, angles_rad);
    // U becomes R U R^-1, whose columns are the images of the rotated axes.
    let [x, y, z] = IDENTITY.map(|unit| turn(Vec3::from(unit)));
    let conjugate = |u: &Mat3| -> Mat3 {
        let back = |v: Vec3| Vec3::new(x.dot(v), y.dot(v), z.dot(v));
        let columns = IDENTITY.map(|unit| turn(apply(u, back(Vec3::from(unit)))).to_array());
        core::array::from_fn(|i| core::array::from_fn(|j| columns[j][i]))
    };
    let mut turned = scene.clone();
    let d = &mut turned.detector;
    for v in [
        &mut d.pix0_m,
        &mut d.fast,
        &mut d.slow,
        &mut d.normal,
        &mut d.beam,
        &mut d.polarization,
        &mut d.vertical,
        &mut d.spindle,
        &mut turned.sweep.spindle,
    ] {
        *v = turn(*v);
    }
    turned.sources.iter_mut().for_each(|source| source.incident = turn(source.incident));
    turned.cell = turned.cell.map(turn);
    turned.crystallite.reciprocal_per_angstrom = turned.crystallite.reciprocal_per_angstrom.map(turn);
    turned.domains.iter_mut().skip(1).for_each(|u| *u = conjugate(u));
    if let Some(polarization) = &mut turned.polarization {
        polarization.axis = turn(polarization.axis);
    }
    turned
}

fn apart(x: &[f64], y: &[f64]) -> f64 {
    let max = y.iter().fold(0.0_f64, |max, &y| max.max(y));
    assert!(max > 0.0);
    x.iter().zip(y).fold(0.0, |worst, (x, y)| worst.max((x - y).abs() / max))
}

const COMMON: &str = "-hkl dense.hkl -mat tri.mat -lambda 1.2 -pixel 1.5 -detpixels_x 14 -detpixels_y 11 -distance 60 \
                      -N 6 -oversample 1 -phi 0 -osc 1 -phisteps 3 -mosaic 0.4 -mosaic_domains 3 -polar 0.9 \
                      -divergence 1 -divsteps 2 -detector_thick 300 -thicksteps 2 -nointerpolate";

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rotating_crystal_and_laboratory_changes_nothing(
        angles in prop::array::uniform3(-7.0..7.0_f64),
        shape in prop::sample::select(vec!["-square_xtal", "-round_xtal", "-gauss_xtal", "-nopolar", "-dmin 6"]),
    ) {
        let simulation = simulation(&format!("{COMMON} {shape}"));
        for mode in [Mode::CParity, Mode::Spec] {
            for simd in Simd::available() {
                let scene = KernelScene::from_simulation(&simulation, simd, mode);
                let image: Vec<f64> = scene.render(1).expect("an image");
                let after: Vec<f64> = turned(&scene, angles).render(1).expect("an image");
                prop_assert!(apart(&after, &image) <= 1e-9, "{:?} {}", mode, simd.level());
            }
        }
    }

    /// Scales wavelength, cell, sensor and distances; only ratios of lengths matter.
    #[test]
    fn scaling_all_lengths_changes_nothing(scale in 0.3..3.0_f64) {
        let simulation = simulation(COMMON);
        for simd in Simd::available() {
            let scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
            let image: Vec<f64> = scene.render(1).expect("an image");
            let mut larger = scene.clone();
            larger.detector.pixel_m *= scale;
            larger.detector.close_distance_m *= scale;
            larger.detector.pix0_m = scale * larger.detector.pix0_m;
            larger.sensor.layer_m *= scale;
            larger.sensor.attenuation_per_m /= scale;
            larger.cell = larger.cell.map(|v| scale * v);
            larger.sources.iter_mut().for_each(|source| source.lambda_m *= scale);
            let after: Vec<f64> = larger.render(1).expect("an image");
            prop_assert!(apart(&after, &image) <= 1e-9, "{}", simd.level());
        }
    }
}

/// The intensities of steps add up: an image of two sources is the mean of an image of each, and likewise for
/// phi steps and domains.
#[test]
fn intensities_of_steps_add_up() {
    let simulation = simulation(COMMON);
    for simd in Simd::available() {
        let scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
        let image: Vec<f64> = scene.render(1).expect("an image");
        let mean_of = |parts: Vec<KernelScene>| {
            let mut mean = vec![0.0; image.len()];
            for part in &parts {
                let pixels: Vec<f64> = part.render(1).expect("an image");
                mean.iter_mut().zip(pixels).for_each(|(sum, pixel)| *sum += pixel / parts.len() as f64);
            }
            mean
        };
        let phis = (0..3).map(|i| {
            let mut one = scene.clone();
            one.sweep.phi0_rad = scene.sweep.phi_rad(i);
            one.sweep.count = 1;
            one
        });
        assert!(apart(&mean_of(phis.collect()), &image) <= 1e-12, "phi, {}", simd.level());
        let domains = scene.domains.iter().map(|&u| KernelScene { domains: vec![u], ..scene.clone() });
        assert!(apart(&mean_of(domains.collect()), &image) <= 1e-12, "domains, {}", simd.level());
    }
}
