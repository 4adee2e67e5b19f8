//! `widebragg compare`.

use std::path::PathBuf;

use super::{
    super::{
        model::{Command, CompareOptions},
        row::{self, Section, put, set},
        spec::CommandSpec,
        syntax::{Line, Operands, Syntax},
        takes::{
            Takes::{Each, File, Folder, Nothing, Number, Program},
            Unit::Plain,
        },
    },
    shared::{EVIDENCE, JSON, QUIET, THREADS},
};
use crate::error::Failure;

type Row = row::Row<CompareOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "compare",
    purpose: "compare two images, or the images of two programs",
    usage: &["compare A B [--size FAST SLOW]", "compare --run CMD --run CMD -- RENDER-OPTIONS"],
    syntax: &SYNTAX,
    exit_codes: &[
        (1, "an error in the command line"),
        (2, "a program or a file failed"),
        (3, "the correlation is below --threshold"),
        (4, "the images differ in size"),
    ],
    topics: &["compare", "evidence"],
};

static SYNTAX: Syntax<CompareOptions> =
    Syntax { operands: Operands::Files("image"), passes_on: true, ..Syntax::new(&[OPTIONS], make) };

const OPTIONS: Section<CompareOptions> = Section {
    heading: "Options of compare",
    rows: &[
        Row::new(
            "--run",
            Program,
            "run this program with the options after --, in a folder of its own (a, then b under --out), and compare \
             its float image; to be given twice",
            |c, v| {
                c.runs.push(v.text()?);
                Ok(())
            },
        ),
        Row::new(
            "--size",
            Each(&["fast", "slow"]),
            "size in pixels of float images, which have no header",
            |c, v| {
                let [fast, slow] = v.pixels()?;
                if fast == 0 || slow == 0 {
                    return Err(v.refuse("must be at least 1"));
                }
                put(&mut c.size_px, Some([fast, slow]))
            },
        )
        .default("that of the other image"),
        Row::new(
            "--roi",
            Each(&["xmin", "xmax", "ymin", "ymax"]),
            "pixels to compare, inclusive; x is fast",
            |c, v| set(&mut c.roi_px, v.region()),
        )
        .default("all"),
        Row::new(
            "--threshold",
            Number(Plain("C")),
            "end with exit code 3 where the correlation is below C",
            |c, v| match v.number(0)? {
                correlation if correlation > 1.0 => Err(v.refuse("a correlation is at most 1")),
                correlation => put(&mut c.threshold, Some(correlation)),
            },
        ),
        Row::new(
            "--rings",
            Nothing,
            "draw resolution rings, with the geometry in the header of A or B",
            |c, _| put(&mut c.rings, true),
        ),
        Row::new(
            "--geometry",
            File,
            "file with the geometry, for rings and for where panels stand: of DIALS, CrystFEL or XDS, an NXmx file, an SMV or \
             CBF image",
            |c, v| set(&mut c.geometry, v.path()),
        ),
        Row::new("--out", Folder, "folder for summary.json, report.html, pictures and runs", |c, v| {
            put(&mut c.out, v.path()?)
        })
        .default("widebragg-compare"),
        Row::of(EVIDENCE, |c, v| set(&mut c.evidence, v.path())),
        Row::of(THREADS, |c, v| set(&mut c.threads, v.count())),
        Row::of(JSON, |c, _| put(&mut c.json, true)),
        Row::of(QUIET, |c, _| put(&mut c.quiet, true)),
    ],
};

fn make(line: Line<CompareOptions>) -> Result<Command, Failure> {
    let Line { options, operands, passed_on } = line;
    let refused = |why: &str| Err(Failure::input(format!("compare: {why}")));
    match (operands.len(), options.runs.len()) {
        (2, 0) if !passed_on.is_empty() => return refused("options after -- are for programs (--run)"),
        (2, 0) | (0, 2) => {}
        (given, 0) => return refused(&format!("needs two images, but {given} given")),
        (0, _) => return refused("--run is needed twice, once for each program"),
        _ => return refused("either two images or --run twice, not both"),
    }
    let images = operands.into_iter().map(PathBuf::from).collect();
    Ok(Command::Compare(Box::new(CompareOptions { images, passed_on, ..options })))
}
