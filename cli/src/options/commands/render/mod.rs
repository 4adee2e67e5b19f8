//! The render command, which has no command word, and the tables of its options.

mod background;
mod beam;
mod crystal;
mod detector;
mod model;
mod noise;
mod odd;
mod output;
mod sampling;

use super::super::{
    given::Given,
    model::{Command, Options},
    row::Section,
    spec::{CommandSpec, EXIT_CODES},
    syntax::{Line, Syntax},
};
use crate::error::Failure;

use background::BACKGROUND;
use beam::BEAM;
pub(super) use crystal::REFLECTIONS;
use crystal::{CRYSTAL, STRUCTURE_FACTORS};
use detector::DETECTOR;
pub(super) use model::MODEL;
use noise::NOISE;
pub(super) use noise::complete as complete_noise;
use output::{IGNORED, OUTPUT, RUNNING, SERIES};
use sampling::SAMPLING;

pub(in super::super) static SPEC: CommandSpec = CommandSpec {
    name: "render",
    purpose: "render images, with the command line of nanoBragg",
    usage: &["OPTIONS"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &[
        "units",
        "hkl",
        "spectrum",
        "background",
        "models",
        "geometry",
        "detectors",
        "output-files",
        "noise",
        "predictions",
        "headers",
        "nxmx",
        "modes",
        "series",
    ],
};

static SYNTAX: Syntax<Options> = Syntax::new(RENDER, make);

const RENDER: &[Section<Options>] = &[
    CRYSTAL,
    STRUCTURE_FACTORS,
    REFLECTIONS,
    MODEL,
    BEAM,
    BACKGROUND,
    DETECTOR,
    SAMPLING,
    OUTPUT,
    NOISE,
    RUNNING,
    IGNORED,
    SERIES,
];

/// The options that describe one image, which are all but those of series: what the trace or the derivatives of a render take
/// as well.
pub(super) const IMAGE: &[Section<Options>] = match RENDER {
    [of_an_image @ .., _] => of_an_image,
    [] => &[],
};

fn make(line: Line<Options>) -> Result<Command, Failure> {
    let mut options = line.options;
    complete_noise(&mut options)?;
    if let (Some(frames), Some([first, last])) = (options.frames, options.frame_range)
        && last > frames
    {
        return Err(Failure::input(format!(
            "--frame-range {first}:{last}: the series has {frames} frames (--frames)"
        )));
    }
    Ok(Command::Render(Box::new(options)))
}

/// Stores a value that `read` may have found odd: it has then left a note.
fn set_odd<T>(
    options: &mut Options,
    given: &Given<'_>,
    read: fn(&mut Options, &Given<'_>) -> Result<T, Failure>,
    field: fn(&mut Options) -> &mut T,
) -> Result<(), Failure> {
    let value = read(options, given)?;
    *field(options) = value;
    Ok(())
}
