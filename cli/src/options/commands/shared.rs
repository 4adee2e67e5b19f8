//! Options that several commands have under the same name and with the same meaning.

use widebragg::{lanes::SimdLevel, rotation::PhiMode};
use widebragg_devices::choice;

use super::{
    super::{
        given::Given,
        row::OptionSpec,
        takes::Takes::{Choice, Folder, Integer, Nothing, Text},
    },
    names::names,
};
use crate::error::Failure;

pub(super) const JSON: OptionSpec = OptionSpec::new("--json", Nothing, "print the summary as JSON");
pub(super) const QUIET: OptionSpec =
    OptionSpec::new("--quiet", Nothing, "print no progress, and no summary but that of --json");
pub(super) const THREADS: OptionSpec =
    OptionSpec::new("--threads", Integer, "worker threads; the result does not depend on their number")
        .default("all cores");
pub(super) const SIMD: OptionSpec =
    OptionSpec::new("--simd", Choice(names!("auto", SimdLevel)), "highest instruction set to use")
        .default("auto: the best that the processor has");
pub(super) const DEVICE: OptionSpec = OptionSpec::new(
    "--device",
    Text("cpu|auto|opencl[:N]|cuda[:N]|vulkan[:N]"),
    "what renders: the processor, a GPU if there is one, or a device of `widebragg devices`",
)
.default("cpu");
pub(super) const EVIDENCE: OptionSpec = OptionSpec::new(
    "--evidence",
    Folder,
    "record the run in a new folder (DIR-2, DIR-3, ... where DIR exists): copies of the files written, commands.txt, \
     env.json and sha256.txt",
);
pub(super) const PHI_CARRYOVER_MODE: OptionSpec = OptionSpec::new(
    "--phi-carryover-mode",
    Choice(names!(PhiMode)),
    "compute what the physics says, or reproduce nanoBragg's images with their errors",
)
.default("spec");

/// The value of [`DEVICE`].
pub(super) fn device(given: &Given<'_>) -> Result<choice::Choice, Failure> {
    given.text()?.parse().map_err(|expected: &str| given.refuse(&format!("expected {expected}")))
}

/// The value of [`SIMD`]: `None` for `auto`.
pub(super) fn simd(given: &Given<'_>) -> Result<Option<SimdLevel>, Failure> {
    let [portable, avx2, avx512] = SimdLevel::ALL.map(Some);
    given.choice(&[None, portable, avx2, avx512])
}
