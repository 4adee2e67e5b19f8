//! `widebragg demo`.

use super::{
    super::{
        model::{Command, DemoOptions},
        row::{self, Section, put, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::Syntax,
        takes::Takes::Folder,
    },
    shared::{JSON, PHI_CARRYOVER_MODE, QUIET, SIMD, THREADS, simd},
};
use widebragg::rotation::PhiMode;

type Row = row::Row<DemoOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "demo",
    purpose: "render a built-in crystal; needs no input files",
    usage: &["demo [--out DIR]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["output-files", "modes"],
};

static SYNTAX: Syntax<DemoOptions> = Syntax::new(&[OPTIONS], |line| Ok(Command::Demo(line.options)));

const OPTIONS: Section<DemoOptions> = Section {
    heading: "Options of demo",
    rows: &[
        Row::new("--out", Folder, "folder for the files that it writes", |o, v| put(&mut o.out, v.path()?))
            .default("widebragg-demo"),
        Row::of(PHI_CARRYOVER_MODE, |o, v| put(&mut o.carryover_mode, v.choice(PhiMode::ALL)?)),
        Row::of(THREADS, |o, v| set(&mut o.threads, v.count())),
        Row::of(SIMD, |o, v| put(&mut o.simd, simd(v)?)),
        Row::of(JSON, |o, _| put(&mut o.json, true)),
        Row::of(QUIET, |o, _| put(&mut o.quiet, true)),
    ],
};
