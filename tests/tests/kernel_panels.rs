//! A scene on another panel has the bits of a scene that was made for that panel, whatever it was made for first.

#![allow(non_snake_case, reason = "the field's symbols keep their case")]

#[path = "properties/small.rs"]
mod small;

use small::{Random, small};
use widebragg::carryover::{Carryover, Slot};
use widebragg::detector::Detector;
use widebragg::lanes::Simd;
use widebragg::render::open_streams;
use widebragg::rotation::PhiMode;
use widebragg::scene::{Roi, Scene, Sensor};
use widebragg::vector::Vec3;
use widebragg::{Error, structure_factor::LookupRule};
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::KernelScene;

/// The image of a scene, as the reference renders it with one thread, and the number of its carryover.
fn image(scene: &Scene<'_>) -> Result<(Vec<u64>, u64), Error> {
    let mut slots = [Slot::default()];
    open_streams(scene, &mut slots)?;
    let mut carry = Carryover::Streams(&mut slots);
    let rows = 0..scene.panel().slow_pixels;
    let mut scene = *scene;
    if scene.mode() == PhiMode::CParity
        && let Some(latch) = scene.find_latch(rows.clone(), &carry)?
    {
        scene = scene.with_lookup(LookupRule::TricubicUntil(latch));
    }
    let mut pixels = vec![f64::NAN; scene.panel().pixels()];
    scene.render_rows(rows, &mut pixels, &mut carry)?;
    Ok((pixels.iter().map(|pixel| pixel.to_bits()).collect(), scene.carryover_id()))
}

/// The same scene on a panel elsewhere, of another size, with another sensor, region and mask.
fn elsewhere(scene: &KernelScene, random: &mut Random) -> KernelScene {
    let d = scene.detector;
    let (fast_pixels, slow_pixels) = (random.whole(1, 9), random.whole(1, 5));
    let by_m = |random: &mut Random| d.pixel_m * random.within(-20.0, 20.0);
    let detector = Detector {
        fast_pixels,
        slow_pixels,
        pix0_m: d.pix0_m + Vec3::new(by_m(random), by_m(random), by_m(random)),
        ..d
    };
    let sensor = match random.chance(0.5) {
        true => Sensor { layers: 2, layer_m: 1e-4, attenuation_per_m: 3000.0 },
        false => Sensor::THIN,
    };
    let pixels = fast_pixels * slow_pixels;
    let mask = random.chance(0.5).then(|| (0..pixels).map(|_| u16::from(random.chance(0.8))).collect());
    let whole = KernelScene { detector, sensor, mask, ..scene.clone() };
    let roi = Roi { fast_min: (fast_pixels - 1) / 2, ..Roi::whole(&whole.panel()) };
    KernelScene { roi, ..whole }
}

#[test]
fn a_scene_on_a_panel_is_the_scene_of_that_panel() {
    let (mut bright, mut carried) = (0, 0);
    for seed in 0..400 {
        let small = small(seed);
        let mut random = Random(seed ^ 0x9a9e1);
        for mode in [Mode::Spec, Mode::CParity] {
            let first = KernelScene::from_simulation(&small.simulation, Simd::detect(), mode);
            let second = elsewhere(&first, &mut random);
            let expected = second.with(1, |scene, _| {
                let own = scene.on_panel(*scene.panel(), scene.parts().roi, scene.parts().mask)?;
                image(&own)
            });
            // The scene of the first panel may have its latch.
            let found = first.with(small.threads, |scene, _| {
                image(&scene.on_panel(second.panel(), second.roi, second.mask.as_deref())?)
            });
            let (expected, found) = (expected.expect("a scene"), found.expect("a scene"));
            assert!(found == expected, "{seed} {mode:?}: {}", small.line);
            let (pixels, id) = found.expect("an image");
            bright += usize::from(pixels.iter().any(|&bits| bits != 0));
            carried += usize::from(id != 0);
        }
    }
    assert!(bright > 400 && carried > 20, "{bright} {carried}");
}

#[test]
fn panels_that_cannot_be_rendered_are_refused() {
    let small = small(1);
    let first = KernelScene::from_simulation(&small.simulation, Simd::detect(), Mode::Spec);
    let refused = first.with(1, |scene, _| {
        let panel = *scene.panel();
        let whole = Roi::whole(&panel);
        let thick = |sensor: Sensor| scene.on_panel(widebragg::panel::Panel { sensor, ..panel }, whole, None);
        [
            thick(Sensor { layers: 0, ..panel.sensor }).is_err(),
            thick(Sensor { layer_m: f64::NAN, ..panel.sensor }).is_err(),
            scene.on_panel(panel, Roi { fast_max: panel.fast_pixels, ..whole }, None).is_err(),
            scene.on_panel(panel, whole, Some(&[])).is_err(),
        ]
    });
    assert_eq!(refused.expect("a scene"), [true; 4]);
}
