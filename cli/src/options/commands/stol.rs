//! `widebragg stol`.

use std::path::PathBuf;

use super::{
    super::{
        model::{Command, StolOptions},
        row::{self, Section, put, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::{Line, Operands, Syntax},
        takes::{
            Takes::{File, Integer, Number},
            Unit::Plain,
        },
    },
    render::IMAGE,
};
use crate::error::Failure;

type Row = row::Row<StolOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "stol",
    purpose: "make a table for --background from the background of an image",
    usage: &["stol IMAGE [RENDER-OPTIONS] --thickness mm [--out FILE]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["background", "geometry", "evidence"],
};

static SYNTAX: Syntax<StolOptions> =
    Syntax { render_sections: IMAGE, operands: Operands::Files("image"), ..Syntax::new(&[OPTIONS], make) };

const OPTIONS: Section<StolOptions> = Section {
    heading: "Options of stol",
    rows: &[
        Row::new("--thickness", Number(Plain("mm")), "thickness of the matter in the beam", |s, v| {
            put(&mut s.thickness_m, Some(v.positive()? / 1000.0))
        }),
        Row::new("--matter-density", Number(Plain("g/cm^3")), "density of the matter", |s, v| {
            put(&mut s.density_g_per_cm3, Some(v.positive()?))
        })
        .default("1"),
        Row::new("--matter-weight", Number(Plain("g/mol")), "molecular weight of the matter", |s, v| {
            put(&mut s.weight_g_per_mol, Some(v.positive()?))
        })
        .default("18"),
        Row::new("--bins", Integer, "number of rings of equal width in s", |s, v| {
            put(&mut s.bins, Some(v.count()?))
        })
        .default("200"),
        Row::new(
            "--offset",
            Number(Plain("ADU")),
            "what the detector added to every pixel of the image (nanoBragg's -adc); it is subtracted",
            |s, v| set(&mut s.offset_adu, v.si()),
        )
        .default("ADC_OFFSET of its header, else 0"),
        Row::new(
            "--adu-per-photon",
            Number(Plain("ADU")),
            "what the detector stored for each photon",
            |s, v| put(&mut s.adu_per_photon, Some(v.positive()?)),
        )
        .default("1"),
        Row::new("--out", File, "file for the table", |s, v| set(&mut s.out, v.path()))
            .default("standard output"),
    ],
};

fn make(line: Line<StolOptions>) -> Result<Command, Failure> {
    let Line { options, operands, .. } = line;
    match &operands[..] {
        [image] => Ok(Command::Stol(Box::new(StolOptions { image: PathBuf::from(image), ..options }))),
        files => Err(Failure::input(format!("stol: needs one image, but {} given", files.len()))),
    }
}
