//! The device of `--device`.

use std::sync::Arc;

use widebragg::lanes::{Simd, SimdLevel};
use widebragg::light::LightRule;
use widebragg_devices::device::Device;
use widebragg_experiment::experiment::Experiment;

use crate::error::Failure;
use crate::options::Options;

/// How many times as long 64-bit arithmetic may take as 32-bit arithmetic on devices made for it.
const MOST_TIMES_SLOWER: u32 = 4;

/// The highest SIMD level to use: that of `--simd`, or the one whose bits the device has.
pub(crate) fn level(options: &Options) -> Option<SimdLevel> {
    options.simd.or(options.device.level())
}

/// The SIMD level of a run.
pub(crate) fn simd(options: &Options) -> Simd {
    level(options).map_or_else(Simd::detect, Simd::capped)
}

/// Refuses options that a device cannot follow.
///
/// # Errors
/// One of them is given.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    let Some(level) = options.device.level() else { return Ok(()) };
    let refused = |why: String| Err(Failure::input(format!("--device {}: {why}", options.device)));
    if let Some(given) = options.simd.filter(|&given| given != level) {
        return refused(format!("it has the bits of --simd {level}, not of {given}"));
    }
    if options.neglected_photons.is_some_and(|photons| photons > 0.0) {
        return refused("not with --neglect: a device renders every step".to_owned());
    }
    if options.light == LightRule::List {
        return refused("not with --light list: a device renders all pixels".to_owned());
    }
    Ok(())
}

/// The experiment on the device of its options. `warn` is told where the processor renders instead.
pub(super) fn opened(
    options: &Options,
    experiment: Experiment,
    warn: &dyn Fn(String),
) -> Result<Experiment, Failure> {
    check(options)?;
    let named = |what: String| Failure::input(format!("--device {}: {what}", options.device));
    let (device, missing) = Device::open(options.device).map_err(|fault| named(fault.to_string()))?;
    if let Some(fault) = missing {
        let level = experiment.simd.level();
        warn(format!("--device {}: {fault}; the processor renders at {level}", options.device));
    }
    let slowdown = device.as_ref().and_then(|device| device.identity().f64_slowdown);
    if let Some(times) = slowdown.filter(|&times| times > MOST_TIMES_SLOWER) {
        let why = format!("its 64-bit arithmetic takes {times} times as long as its 32-bit arithmetic");
        warn(format!("--device {}: {why}; the processor may be faster", options.device));
    }
    match device {
        Some(device) => experiment.on_device(Arc::new(device)).map_err(Failure::from),
        None => Ok(experiment),
    }
}
