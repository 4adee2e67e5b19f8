//! Mixed precision compared with f64: within 1e-5 on pixels above 1e-6 of the maximum, at every level, on all
//! golden images, for crystals of up to 10,000 cells along an axis.

use widebragg::carryover::Carryover;
use widebragg::lanes::Simd;
use widebragg::lattice::Precision;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

/// Largest relative difference from f64.
const LIMIT: f64 = 1e-5;

/// Pixels below this fraction of the maximum are not compared.
const FLOOR: f64 = 1e-6;

fn render(scene: &KernelScene, precision: Precision) -> Vec<f64> {
    scene
        .with(1, |scene, slots| {
            let scene = scene.with_precision(precision);
            let mut pixels = vec![f64::NAN; scene.panel().pixels()];
            let rows = 0..scene.panel().slow_pixels;
            scene.render_rows(rows, &mut pixels, &mut Carryover::Streams(slots)).expect("pixels");
            pixels
        })
        .expect("a scene")
}

/// Largest relative difference among pixels above the floor.
fn worst(mixed: &[f64], double: &[f64]) -> f64 {
    let max = double.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    let compared = mixed.iter().zip(double).filter(|(_, double)| double.abs() > FLOOR * max);
    compared.map(|(mixed, double)| ((mixed - double) / double).abs()).fold(0.0, |worst, x| {
        // A NaN must not be skipped: no comparison with it is true.
        if x <= worst { worst } else { x }
    })
}

fn simulation(case: &Case) -> Simulation {
    Simulation::from_args(&case.args, &golden::inputs()).expect("a golden command line")
}

#[test]
fn golden_images_agree_with_f64() {
    for name in golden::cases().expect("golden cases") {
        let simulation = simulation(&Case::load(&name).expect("a golden case"));
        for simd in Simd::available() {
            for mode in [Mode::CParity, Mode::Spec] {
                let scene = KernelScene::from_simulation(&simulation, simd, mode);
                let (mixed, double) = (render(&scene, Precision::Mixed), render(&scene, Precision::Double));
                let worst = worst(&mixed, &double);
                assert!(worst <= LIMIT, "{name} {mode:?} {}: {worst:e}", simd.level());
            }
        }
    }
}

#[test]
fn large_crystals_agree_with_f64() {
    let simulation = simulation(&Case::load("phi_zero_start").expect("a golden case"));
    for cells in [1usize, 2, 100, 1000, 9_999, 10_000] {
        for simd in Simd::available() {
            let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
            scene.crystallite.cells = [cells as f64, 10_000.0, 3.0];
            let (mixed, double) = (render(&scene, Precision::Mixed), render(&scene, Precision::Double));
            let worst = worst(&mixed, &double);
            assert!(worst <= LIMIT, "{cells} cells, {}: {worst:e}", simd.level());
            // The bits must differ, or the test would compare f64 with itself.
            assert!(mixed != double, "{cells} cells, {}: mixed has the bits of f64", simd.level());
        }
    }
}

/// Pixels so small that a whole row is next to a node, exactly on it and beside it, with crystal axes along
/// those of the laboratory.
#[test]
fn rows_next_to_nodes_agree_with_f64() {
    for pixel_mm in ["1e-3", "1e-4", "1e-6", "1e-8"] {
        for beam in ["", "-Xbeam 0.01234567 -Ybeam 0.0087654321"] {
            let line = format!(
                "-cell 30 30 30 90 90 90 -default_F 100 -lambda 1 -distance 1000 -N 10000 -oversample 1 \
                 -pixel {pixel_mm} -detpixels_x 40 -detpixels_y 9 {beam}"
            );
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let simulation = Simulation::from_args(&args, &golden::inputs()).expect("a command line");
            for simd in Simd::available() {
                let scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
                let (mixed, double) = (render(&scene, Precision::Mixed), render(&scene, Precision::Double));
                let worst = worst(&mixed, &double);
                assert!(worst <= LIMIT, "{line}, {}: {worst:e}", simd.level());
            }
        }
    }
}

/// Mixed precision falls back to f64 where its reduction would have too few bits for the number of cells.
#[test]
fn crystals_of_a_million_cells_use_f64() {
    let simulation = simulation(&Case::load("phi_zero_start").expect("a golden case"));
    for simd in Simd::available() {
        let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::Spec);
        scene.crystallite.cells = [5.0, 1_048_576.0, 5.0];
        assert!(render(&scene, Precision::Mixed) == render(&scene, Precision::Double), "{}", simd.level());
    }
}

#[test]
fn a_pixel_has_the_same_bits_alone_and_in_a_row() {
    let simulation = simulation(&Case::load("phi_zero_start").expect("a golden case"));
    for simd in Simd::available() {
        let scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
        let whole = render(&scene, Precision::Mixed);
        scene
            .with(1, |scene, slots| {
                let scene = scene.with_precision(Precision::Mixed);
                let columns = scene.panel().fast_pixels;
                for i in (0..whole.len()).step_by(37) {
                    let mut carry = Carryover::Streams(slots);
                    let pixel = scene.render_pixel(i / columns, i % columns, &mut carry).expect("a pixel");
                    assert_eq!(pixel.to_bits(), whole[i].to_bits(), "pixel {i}, {}", simd.level());
                }
            })
            .expect("a scene");
    }
}
