//! The beam: fluence, and sources from divergence and dispersion or from a file.
//!
//! Special case: an axis with a range of 0 makes the test for the round aperture NaN, which keeps the point.

use super::command::Command;
use super::detector::Detector;
use super::functions::rotate_axis;
use super::input::{Source, read_sources};
use super::sampling::axis_steps;
use super::vector::{scale, unit};

/// Upper limit for the number of sources, to bound memory.
const MOST_SOURCES: usize = 10_000_000;

/// The message for a command line that has no sources.
pub const NO_SOURCES: &str = "there are no sources";

/// Photons per square metre.
pub fn fluence(command: &Command) -> f64 {
    if command.flux != 0.0 && command.exposure > 0.0 && command.beamsize >= 0.0 {
        command.flux * command.exposure / command.beamsize / command.beamsize
    } else {
        command.fluence
    }
}

/// All sources. The loops over horizontal divergence, vertical divergence and wavelength run from outer to
/// inner.
///
/// # Errors
/// When the source file cannot be used, or there are no sources or too many.
pub fn sources(command: &Command, detector: &Detector) -> Result<Vec<Source>, String> {
    let sources = match &command.sourcefile {
        Some(path) => read_sources(path, detector.b, command.lambda)?,
        None => grid(command, detector)?,
    };
    if sources.is_empty() {
        return Err(NO_SOURCES.to_owned());
    }
    Ok(sources)
}

fn grid(command: &Command, detector: &Detector) -> Result<Vec<Source>, String> {
    let hdiv = axis_steps("-hdivrange", command.hdiv)?;
    let vdiv = axis_steps("-vdivrange", command.vdiv)?;
    let dispersion = axis_steps("-dispersion", command.dispersion)?;
    if hdiv.count.saturating_mul(vdiv.count).saturating_mul(dispersion.count) > MOST_SOURCES {
        return Err("divergence and dispersion make too many sources".to_owned());
    }
    let mut sources = Vec::new();
    for i in 0..hdiv.count {
        let h = hdiv.step * i as f64 - hdiv.range / 2.0;
        for j in 0..vdiv.count {
            let v = vdiv.step * j as f64 - vdiv.range / 2.0;
            if command.round_div {
                let even = |count: usize| 1.0 - (count % 2) as f64;
                let h_part = h * h - hdiv.step * hdiv.step / 4.0 * even(hdiv.count);
                let v_part = v * v - vdiv.step * vdiv.step / 4.0 * even(vdiv.count);
                let outside = h_part / (hdiv.range * hdiv.range) + v_part / (vdiv.range * vdiv.range);
                if 4.0 * outside > 1.1 {
                    continue;
                }
            }
            let towards = scale(-10.0, detector.b);
            let towards = rotate_axis(rotate_axis(towards, detector.p, v), detector.v, h);
            for k in 0..dispersion.count {
                let lambda = command.lambda * (1.0 + dispersion.step * k as f64 - dispersion.range / 2.0);
                sources.push(Source { direction: unit(towards), lambda, weight: 1.0 });
            }
        }
    }
    Ok(sources)
}
