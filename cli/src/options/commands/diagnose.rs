//! `widebragg diagnose`.

use super::{
    super::{
        model::{Command, DiagnoseOptions},
        row::{self, Section, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::{Line, Syntax},
        takes::Takes::Integer,
    },
    render::IMAGE,
};
use crate::error::Failure;
use widebragg_experiment::parameters::PhiSampling;

type Row = row::Row<DiagnoseOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "diagnose",
    purpose: "tell by how much each fault of nanoBragg changes your image",
    usage: &["diagnose RENDER-OPTIONS [--pixels N]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["diagnose", "modes", "options", "evidence"],
};

static SYNTAX: Syntax<DiagnoseOptions> = Syntax { render_sections: IMAGE, ..Syntax::new(&[OPTIONS], make) };

const OPTIONS: Section<DiagnoseOptions> = Section {
    heading: "Options of diagnose",
    rows: &[Row::new(
        "--pixels",
        Integer,
        "about how many pixels to compare, evenly spread over the region of interest",
        |d, v| set(&mut d.pixels, v.count()),
    )
    .default("what takes about a second, at most 1000000")],
};

fn make(line: Line<DiagnoseOptions>) -> Result<Command, Failure> {
    let options = line.options;
    if options.render.phi_sampling == PhiSampling::Middle {
        return Err(Failure::input(
            "diagnose: not with --phi-sampling middle, since nanoBragg samples phi at the start of each step",
        ));
    }
    Ok(Command::Diagnose(Box::new(options)))
}
