//! Tiny scenes through the kernel at every level: no number causes a panic. Where the numbers are physically
//! sensible, the levels agree.

#![no_main]

mod input;

use input::{Input, Tables};
use libfuzzer_sys::fuzz_target;
use widebragg::carryover::{Carryover, Slot};
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::render::{PixelProbe, Scene, open_pixels, open_streams};
use widebragg::structure_factor::LookupRule;
use widebragg::{ELECTRON_RADIUS_SQUARED_M2, Error};

fuzz_target!(|input: Input| {
    // The kernel refuses the same scenes at every level.
    let Ok(mut tables) = input.tables() else { return };
    let Ok(portable) = image(&input, &mut tables, Simd::capped(SimdLevel::Portable)) else { return };
    if input.is_tame() {
        assert!(portable.iter().all(|pixel| pixel.is_finite()), "a pixel is not finite: {portable:?}");
    }
    for simd in Simd::available() {
        let pixels = image(&input, &mut tables, simd).expect("a scene that renders at another level");
        if input.is_tame() {
            compare(&input, &mut tables, simd, &portable, &pixels);
        }
    }
});

/// A slot for each stream, or for each pixel.
fn slots(input: &Input, scene: &Scene<'_>) -> Result<Vec<Slot>, Error> {
    let streams = usize::from(input.streams % 4);
    let mut slots = vec![Slot::default(); if streams == 0 { scene.panel().pixels() } else { streams }];
    if streams == 0 {
        open_pixels(scene, 1, &mut slots)?
    } else {
        open_streams(scene, &mut slots)?
    }
    Ok(slots)
}

fn carryover<'s>(input: &Input, slots: &'s mut [Slot]) -> Carryover<'s> {
    if input.streams.is_multiple_of(4) { Carryover::Pixels(slots) } else { Carryover::Streams(slots) }
}

/// The scene with its latch, where the input asks for one.
fn latched<'t>(input: &Input, scene: Scene<'t>, slots: &mut [Slot]) -> Result<Scene<'t>, Error> {
    let rows = 0..scene.panel().slow_pixels;
    let latch = if input.latches() { scene.find_latch(rows, &carryover(input, slots))? } else { None };
    Ok(latch.map_or(scene, |latch| scene.with_lookup(LookupRule::TricubicUntil(latch))))
}

/// Renders the image at a level, and checks that one of its pixels has the same bits alone.
fn image(input: &Input, tables: &mut Tables, simd: Simd) -> Result<Vec<f64>, Error> {
    let scene = input.scene(tables, simd)?;
    let mut slots = slots(input, &scene)?;
    let scene = latched(input, scene, &mut slots)?;
    let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
    let mut pixels = vec![f64::NAN; rows * columns];
    scene.render_rows(0..rows, &mut pixels, &mut carryover(input, &mut slots))?;

    let (slow, fast) = (usize::from(input.alone[0]) % rows, usize::from(input.alone[1]) % columns);
    let alone = scene.render_pixel(slow, fast, &mut carryover(input, &mut slots))?;
    let among = pixels[slow * columns + fast];
    assert!(
        alone.to_bits() == among.to_bits() || (alone.is_nan() && among.is_nan()),
        "{alone:e}, not {among:e}"
    );
    Ok(pixels)
}

/// The branches that the steps of a pixel took: the nearest reflection and the block of nodes.
type Choices = Vec<[i64; 6]>;

fn probe(
    input: &Input,
    tables: &mut Tables,
    simd: Simd,
    pixel: usize,
) -> Result<(PixelProbe, Choices), Error> {
    let scene = input.scene(tables, simd)?;
    let mut slots = slots(input, &scene)?;
    let scene = latched(input, scene, &mut slots)?;
    let columns = scene.panel().fast_pixels;
    let mut choices = Vec::new();
    let found =
        scene.probe_pixel(pixel / columns, pixel % columns, &carryover(input, &mut slots), &mut |step| {
            let [h, k, l] = step.hkl_rounded.map(|x| x as i64);
            let [i, j, m] = step.hkl.map(|x| x.floor() as i64);
            choices.push([h, k, l, i, j, m]);
        })?;
    Ok((found, choices))
}

/// Checks that levels differ only by rounding errors: at most 1e-12 of the largest value that the crystal can
/// give the pixel. Where an index is within rounding errors of a half or of an edge, levels may take
/// different branches, and the pixel is not compared.
fn compare(input: &Input, tables: &mut Tables, simd: Simd, portable: &[f64], pixels: &[f64]) {
    let largest = portable.iter().fold(0.0, |largest: f64, &pixel| largest.max(pixel.abs()));
    for (at, (&here, &there)) in pixels.iter().zip(portable).enumerate() {
        let off = (here - there).abs();
        if off <= 1e-12 * largest {
            continue;
        }
        let fluence = input.scene(tables, simd).map(|scene| scene.parts().fluence_per_m2).unwrap_or(0.0);
        let (here_probe, here_choices) = probe(input, tables, simd, at).expect("a probe");
        let portable_level = Simd::capped(SimdLevel::Portable);
        let (_, there_choices) = probe(input, tables, portable_level, at).expect("a probe");
        if here_choices != there_choices {
            continue;
        }
        let amplitude = input.cells().iter().product::<f64>() * Input::LARGEST_F;
        let PixelProbe { polarization, omega_sr, capture, .. } = here_probe;
        let photons = ELECTRON_RADIUS_SQUARED_M2 * fluence * polarization * omega_sr * capture;
        let peak = (photons * amplitude * amplitude).abs();
        assert!(
            off <= 1e-12 * peak.max(largest),
            "{}: pixel {at} is {here:e}, portable {there:e}, largest {largest:e}, peak {peak:e}",
            simd.level()
        );
    }
}
