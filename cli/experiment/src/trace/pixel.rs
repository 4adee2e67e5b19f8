//! A traced pixel: its taps and its steps, collected from the kernel's probe.

use widebragg::carryover::{CarryUse, Slot};
use widebragg::render::StepProbe;
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;

use super::taps::{Value, step_numbers, taps};
use crate::carryover::carryover;
use crate::failure::Failure;

/// Rounding of the values of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// Values are not rounded.
    #[default]
    None,
    /// To the nearest f32.
    Float32,
}

/// The steps to trace, and the rounding of their values.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// The only subpixel (slow, fast) to trace; `None`: all.
    pub subpixel: Option<(usize, usize)>,
    /// The only source to trace; `None`: all.
    pub source: Option<usize>,
    /// Rounding of the values.
    pub rounding: Rounding,
}

/// A traced pixel.
#[derive(Debug, Clone)]
pub struct PixelTrace {
    /// Row and column.
    pub position: [usize; 2],
    /// Whether it is rendered: a pixel that is masked or outside the region of interest has no taps.
    pub is_rendered: bool,
    /// Its taps, in order.
    pub taps: Vec<(&'static str, Value)>,
    /// Its steps, in the order of the loop.
    pub steps: Vec<StepTrace>,
}

/// A traced step.
#[derive(Debug, Clone)]
pub struct StepTrace {
    /// The counters of the loop, outermost first.
    pub counters: [(&'static str, usize); 6],
    /// Its values, in order.
    pub numbers: Vec<(&'static str, f64)>,
    /// The content of the carryover; `None` for steps at other phi than 0.
    pub carryover: Option<Carried>,
}

/// The vectors that a step at phi = 0 uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Those of spec mode: there is no carryover.
    Off,
    /// Those of the unrotated cell.
    Fresh,
    /// Those that the sweep of this pixel (slow, fast) left.
    Hit((usize, usize)),
}

impl Carried {
    /// The name in traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fresh => "fresh",
            Self::Hit(_) => "hit",
        }
    }
}

impl Rounding {
    fn apply(self, value: f64) -> f64 {
        match self {
            Self::None => value,
            Self::Float32 => f64::from(value as f32),
        }
    }
}

/// Traces the pixel at [slow, fast].
///
/// # Errors
/// A pixel outside the detector.
pub fn trace_pixel(
    scene: &Scene<'_>,
    slots: &[Slot],
    position: [usize; 2],
    chosen: &Chosen,
) -> Result<PixelTrace, Failure> {
    let [slow, fast] = position;
    let is_rendered = scene.is_selected(slow, fast);
    let mut trace = PixelTrace { position, is_rendered, taps: Vec::new(), steps: Vec::new() };
    if !is_rendered {
        return Ok(trace);
    }
    let mut slots = slots.to_vec();
    let mut first: Option<StepProbe> = None;
    let steps = &mut trace.steps;
    let pixel = scene.probe_pixel(slow, fast, &carryover(&mut slots), &mut |step| {
        let elsewhere = chosen.subpixel.is_some_and(|subpixel| subpixel != step.subpixel)
            || chosen.source.is_some_and(|source| source != step.source);
        if elsewhere {
            return;
        }
        first.get_or_insert(*step);
        steps.push(step_trace(scene, step, chosen.rounding));
    });
    let pixel = pixel.map_err(|error| Failure::input(format!("pixel {slow} {fast}: {error}")))?;
    trace.taps = taps(scene, &pixel, first.as_ref());
    for (_, value) in &mut trace.taps {
        *value = value.map(|x| chosen.rounding.apply(x));
    }
    Ok(trace)
}

fn step_trace(scene: &Scene<'_>, step: &StepProbe, rounding: Rounding) -> StepTrace {
    let sweep = scene.orientations().sweep();
    let phi_rad = sweep.phi_rad(step.phi_step);
    let mut numbers = step_numbers(step, phi_rad);
    for (_, value) in &mut numbers {
        *value = rounding.apply(*value);
    }
    let carryover = (phi_rad == 0.0).then_some(match step.carry {
        CarryUse::Hit { left_by } => Carried::Hit(left_by),
        CarryUse::NotUsed if sweep.mode == PhiMode::Spec => Carried::Off,
        CarryUse::NotUsed | CarryUse::Fresh => Carried::Fresh,
    });
    let (subpixel_slow, subpixel_fast) = step.subpixel;
    StepTrace {
        counters: [
            ("layer", step.layer),
            ("subpixel_slow", subpixel_slow),
            ("subpixel_fast", subpixel_fast),
            ("source", step.source),
            ("phi_tic", step.phi_step),
            ("domain", step.domain),
        ],
        numbers,
        carryover,
    }
}
