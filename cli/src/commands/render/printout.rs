//! `-printout`: the quantities that the reference prints for a pixel, in its format, from the kernel's probe.

use core::fmt::Write as _;

use widebragg::carryover::Slot;
use widebragg::render::StepProbe;
use widebragg::scene::Scene;
use widebragg_experiment::carryover::carryover;
use widebragg_formats::format_g::{format_g, format_significant};

use crate::error::Failure;

/// The lines for pixel (fast, slow); empty where it is not rendered.
///
/// # Errors
/// A pixel outside the detector.
pub fn pixel(
    lambda0_m: f64,
    scene: &Scene<'_>,
    slots: &[Slot],
    [fast, slow]: [usize; 2],
    stored: f32,
) -> Result<String, Failure> {
    let mut last: Option<StepProbe> = None;
    let mut slots = slots.to_vec();
    let done = scene
        .probe_pixel(slow, fast, &carryover(&mut slots), &mut |step| last = Some(*step))
        .map_err(|error| Failure::input(format!("-printout_pixel {fast} {slow}: {error}")))?;
    let Some(step) = last.filter(|_| scene.is_selected(slow, fast)) else {
        return Ok(String::new());
    };
    let q = step.scattering_per_m;
    let stol_per_m = 0.5 * q.length();
    let p = step.position_m;
    let across = (p.y * p.y + p.z * p.z).sqrt();
    // The same of an undivergent beam with a single wavelength.
    let nominal_per_angstrom = (across.atan2(p.x) / 2.0).sin() / (lambda0_m * 1e10);
    let [h, k, l] = step.hkl;
    // Without the sign of zero.
    let [h0, k0, l0] = step.hkl_rounded.map(|index| index + 0.0);
    let cell = step.orientation;
    let mut text = String::new();
    let g = format_g;
    let lines = [
        format!("{fast:4} {slow:4} : stol = {} or {}", g(stol_per_m), g(nominal_per_angstrom)),
        format!("at {} {} {}", g(p.x), g(p.y), g(p.z)),
        format!("hkl= {h:.6} {k:.6} {l:.6}  hkl0= {h0:.0} {k0:.0} {l0:.0}"),
        format!(" F_cell={}  F_latt={}   I = {}", g(step.f_cell), g(step.f_latt), g(done.intensity)),
        quantity("I/steps", done.intensity / scene.steps()),
        quantity("polar", done.polarization),
        quantity("omega", done.omega_sr),
        quantity("capfrac", done.capture),
        quantity("pixel", f64::from(stored)),
        "real-space cell vectors (Angstrom):".to_owned(),
        format!("     {:<10}  {:<10}  {:<10}", "a", "b", "c"),
        axis_line('X', [cell.a_m.x, cell.b_m.x, cell.c_m.x]),
        axis_line('Y', [cell.a_m.y, cell.b_m.y, cell.c_m.y]),
        axis_line('Z', [cell.a_m.z, cell.b_m.z, cell.c_m.z]),
    ];
    for line in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

/// A line with a name and a number of ten significant digits.
fn quantity(name: &str, value: f64) -> String {
    format!("{name:<7} {:>15}", format_significant(value, 10))
}

/// A line with one component of three axes, given in m and printed in Angstrom.
pub(super) fn axis_line(name: char, components_m: [f64; 3]) -> String {
    let [a, b, c] = components_m.map(|x| x * 1e10);
    format!("{name}: {a:11.8} {b:11.8} {c:11.8}")
}
