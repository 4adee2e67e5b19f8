//! `widebragg diagnose`.

use super::{
    super::{
        model::{Command, DiagnoseOptions},
        row::{self, Section, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::Syntax,
        takes::Takes::Integer,
    },
    render::IMAGE,
};

type Row = row::Row<DiagnoseOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "diagnose",
    purpose: "tell what each fault of nanoBragg does to your image",
    usage: &["diagnose RENDER-OPTIONS [--pixels N]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["diagnose", "modes", "options", "evidence"],
};

static SYNTAX: Syntax<DiagnoseOptions> = Syntax {
    render_sections: IMAGE,
    ..Syntax::new(&[OPTIONS], |line| Ok(Command::Diagnose(Box::new(line.options))))
};

const OPTIONS: Section<DiagnoseOptions> = Section {
    heading: "Options of diagnose",
    rows: &[Row::new(
        "--pixels",
        Integer,
        "about how many pixels to compare, evenly spread over the region of interest",
        |d, v| set(&mut d.pixels, v.count()),
    )
    .default("about a second's work")],
};
