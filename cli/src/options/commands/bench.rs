//! `widebragg bench`.

use super::{
    super::{
        model::{BenchOptions, Command},
        row::{self, Section, put},
        spec::{CommandSpec, EXIT_CODES},
        syntax::Syntax,
    },
    shared::{JSON, SIMD, simd},
};

type Row = row::Row<BenchOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "bench",
    purpose: "measure the speed of the render loop on this processor",
    usage: &["bench [--json] [--simd LEVEL]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["performance"],
};

static SYNTAX: Syntax<BenchOptions> = Syntax::new(&[OPTIONS], |line| Ok(Command::Bench(line.options)));

const OPTIONS: Section<BenchOptions> = Section {
    heading: "Options of bench",
    rows: &[Row::of(SIMD, |o, v| put(&mut o.simd, simd(v)?)), Row::of(JSON, |o, _| put(&mut o.json, true))],
};
