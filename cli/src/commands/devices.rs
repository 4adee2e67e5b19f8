//! `widebragg devices`: the devices that `--device` names, each after its self-test.

use std::time::Instant;

use serde_json::{Value, json};
use widebragg::formulas::{LatticeFormula, LookupFormula, StepFormula};
use widebragg_devices::choice::{Choice, Kind, level_of};
use widebragg_devices::device::{self, Device};
use widebragg_devices::drivers::{Fault, Identity};

use crate::console;
use crate::error::Failure;
use crate::options::DevicesOptions;

/// The formula that devices are tested with here; a render tests those that it takes.
const TESTED: StepFormula = StepFormula { lattice: LatticeFormula::Square, lookup: LookupFormula::Nearest };

/// A device, and what its test found.
struct Tested {
    kind: Kind,
    identity: Identity,
    /// Time of the test, in s.
    test: Result<f64, Fault>,
}

/// Prints the devices.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(options: &DevicesOptions) -> Result<(), Failure> {
    let (mut tested, mut missing) = (Vec::new(), Vec::new());
    for kind in Kind::ALL {
        match device::devices(kind) {
            Ok(found) => tested.extend(found.into_iter().enumerate().map(|(index, identity)| Tested {
                kind,
                identity,
                test: test(kind, index),
            })),
            Err(fault) => missing.push((kind, fault)),
        }
    }
    console::print(&if options.json { as_json(&tested, &missing) } else { as_text(&tested, &missing) })
}

/// A device in words.
pub(crate) fn words(device: &Device) -> String {
    let Identity { option, name, driver, .. } = device.identity();
    format!("{option}, {name} ({driver})")
}

/// The warning that the processor went on for a device.
pub(crate) fn failure(device: &Device) -> Option<String> {
    let fault = device.failed()?;
    Some(format!("--device: {fault}; the processor went on at {}, with the same bits", device.level()))
}

/// A device as a JSON object, with what its self-test found.
pub(crate) fn members(device: &Device) -> Value {
    let Identity { option, name, driver, is_gpu, f64_slowdown } = device.identity();
    let formula = |StepFormula { lattice, lookup }: StepFormula| format!("{lattice}, {lookup}");
    json!({
        "device": option,
        "name": name,
        "driver": driver,
        "gpu": is_gpu,
        "f64_slowdown": f64_slowdown,
        "rounding": device.rounding().name(),
        "self_test": device.tested().into_iter().map(formula).collect::<Vec<_>>(),
        "fault": device.failed().map(|fault| &fault.what),
    })
}

fn test(kind: Kind, index: usize) -> Result<f64, Fault> {
    let (Some(device), _) = Device::open(Choice::Device(kind, index))? else {
        unreachable!("a device by its name is opened or refused")
    };
    // Compiles the program.
    device.test(TESTED)?;
    let started = Instant::now();
    device.test(TESTED)?;
    Ok(started.elapsed().as_secs_f64())
}

fn as_text(tested: &[Tested], missing: &[(Kind, Fault)]) -> String {
    let mut text = String::new();
    for Tested { kind, identity, test } in tested {
        let Identity { option, name, driver, is_gpu, .. } = identity;
        let what = if *is_gpu { "GPU" } else { "no GPU" };
        let found = match test {
            Ok(seconds) => {
                let (rounding, level) = (kind.rounding().name(), level_of(kind.rounding()));
                format!(
                    "{rounding} products and sums, the bits of {level}; self-test {:.1} ms",
                    1e3 * seconds
                )
            }
            Err(fault) => format!("cannot be used: {}", fault.what),
        };
        text += &format!("{option:<10} {name} ({what}, {driver}): {found}\n");
    }
    for (kind, fault) in missing {
        text += &format!("{:<10} {}\n", kind.name(), fault.what);
    }
    text
}

fn as_json(tested: &[Tested], missing: &[(Kind, Fault)]) -> String {
    let devices = tested.iter().map(|Tested { kind, identity, test }| {
        json!({
            "device": identity.option,
            "name": identity.name,
            "driver": identity.driver,
            "gpu": identity.is_gpu,
            "f64_slowdown": identity.f64_slowdown,
            "rounding": kind.rounding().name(),
            "level": level_of(kind.rounding()).name(),
            "self_test_s": test.as_ref().ok(),
            "fault": test.as_ref().err().map(|fault| &fault.what),
        })
    });
    let missing =
        missing.iter().map(|(kind, fault)| (kind.name().to_owned(), Value::from(fault.what.clone())));
    let value = json!({
        "devices": devices.collect::<Vec<_>>(),
        "missing": missing.collect::<serde_json::Map<_, _>>(),
    });
    format!("{value:#}\n")
}
