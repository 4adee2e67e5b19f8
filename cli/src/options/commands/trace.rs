//! `widebragg trace`.

use super::{
    super::{
        model::{Command, Dtype, TraceFormat, TraceOptions},
        row::{self, Section, add_once, put, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::{Line, Syntax},
        takes::Takes::{Choice, Each, File, Integer},
    },
    render::IMAGE,
};
use crate::error::Failure;

type Row = row::Row<TraceOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "trace",
    purpose: "print every intermediate value of single pixels",
    usage: &["trace RENDER-OPTIONS --pixel SLOW FAST"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["trace", "options", "evidence"],
};

static SYNTAX: Syntax<TraceOptions> = Syntax { render_sections: IMAGE, ..Syntax::new(&[OPTIONS], make) };

const OPTIONS: Section<TraceOptions> = Section {
    heading: "Options of trace",
    rows: &[
        Row::new("--pixel", Each(&["slow", "fast"]), "pixel to trace; may be given several times", |t, v| {
            add_once(&mut t.pixels, v.pixels()?)
        }),
        Row::new(
            "--roi",
            Each(&["smin", "smax", "fmin", "fmax"]),
            "region of pixels to trace instead, inclusive; slow first, unlike -roi",
            |t, v| match v.pixels()? {
                [smin, smax, _, _] if smin > smax => Err(v.refuse("smin is larger than smax")),
                [_, _, fmin, fmax] if fmin > fmax => Err(v.refuse("fmin is larger than fmax")),
                region => put(&mut t.roi_px, Some(region)),
            },
        ),
        Row::new("--subpixel", Each(&["slow", "fast"]), "trace only the steps of this subpixel", |t, v| {
            set(&mut t.subpixel, v.pixels())
        })
        .default("all"),
        Row::new("--source", Integer, "trace only the steps of this source, counted from 0", |t, v| {
            let source = usize::try_from(v.integer()?).map_err(|_| v.refuse("must not be negative"))?;
            put(&mut t.source, Some(source))
        })
        .default("all"),
        Row::new(
            "--dtype",
            Choice(&["float64", "float32"]),
            "type that printed values are rounded to",
            |t, v| put(&mut t.dtype, v.choice(&[Dtype::Float64, Dtype::Float32])?),
        )
        .default("float64"),
        Row::new("--out", File, "file for the trace", |t, v| set(&mut t.out, v.path()))
            .default("standard output"),
        Row::new(
            "--format",
            Choice(&["text", "json"]),
            "lines of text with 15 digits, or JSON with all digits; --json is short for the latter",
            |t, v| put(&mut t.format, v.choice(&[TraceFormat::Text, TraceFormat::Json])?),
        )
        .default("text"),
    ],
};

fn make(line: Line<TraceOptions>) -> Result<Command, Failure> {
    let mut options = line.options;
    if options.render.json {
        options.format = TraceFormat::Json;
    }
    let refused = |why: &str| Err(Failure::input(format!("trace: {why}")));
    match (options.pixels.is_empty(), options.roi_px) {
        (true, None) => refused("which pixels? give --pixel SLOW FAST, also several times, or --roi"),
        (false, Some(_)) => refused("either --pixel or --roi, not both"),
        _ => Ok(Command::Trace(Box::new(options))),
    }
}
