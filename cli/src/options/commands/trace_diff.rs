//! `widebragg trace-diff`.

use std::path::PathBuf;

use super::{
    super::{
        model::{Command, TraceDiffOptions},
        row::{self, Section, add_once, put},
        spec::CommandSpec,
        syntax::{Line, Operands, Syntax},
        takes::{
            Takes::{Each, Folder, Number},
            Unit::Plain,
        },
    },
    shared::{JSON, QUIET},
};
use crate::error::Failure;

type Row = row::Row<TraceDiffOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "trace-diff",
    purpose: "find the first value in which two traces differ",
    usage: &["trace-diff A B"],
    syntax: &SYNTAX,
    exit_codes: &[
        (1, "an error in the command line"),
        (2, "a trace cannot be used: it has no taps, is cut off, or shares none with the other"),
        (3, "the traces differ"),
    ],
    topics: &["trace"],
};

static SYNTAX: Syntax<TraceDiffOptions> =
    Syntax { operands: Operands::Files("trace"), ..Syntax::new(&[OPTIONS], make) };

const OPTIONS: Section<TraceDiffOptions> = Section {
    heading: "Options of trace-diff",
    rows: &[
        Row::new(
            "--rtol",
            Number(Plain("R")),
            "relative tolerance; differences of vectors are relative to the largest component",
            |t, v| put(&mut t.rtol, v.nonnegative()?),
        )
        .default("1e-6"),
        Row::new("--atol", Number(Plain("D")), "absolute tolerance", |t, v| {
            put(&mut t.atol, v.nonnegative()?)
        })
        .default("0"),
        Row::new(
            "--pixel",
            Each(&["slow", "fast"]),
            "pixel to compare; may be given several times",
            |t, v| add_once(&mut t.pixels, v.pixels()?),
        )
        .default("all that both traces have"),
        Row::new("--out", Folder, "folder for metrics.json", |t, v| put(&mut t.out, v.path()?))
            .default("the current folder"),
        Row::of(JSON, |t, _| put(&mut t.json, true)),
        Row::of(QUIET, |t, _| put(&mut t.quiet, true)),
    ],
};

fn make(line: Line<TraceDiffOptions>) -> Result<Command, Failure> {
    let [a, b] = &line.operands[..] else {
        let given = line.operands.len();
        return Err(Failure::input(format!("trace-diff: needs two traces, but {given} given")));
    };
    let traces = [a, b].map(PathBuf::from);
    Ok(Command::TraceDiff(Box::new(TraceDiffOptions { traces, ..line.options })))
}
