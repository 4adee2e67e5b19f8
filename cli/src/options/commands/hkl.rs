//! `widebragg hkl`.

use std::path::PathBuf;

use super::{
    super::{
        model::{Command, HklOptions},
        row::{self, Section, put, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::{Line, Operands, Syntax},
        takes::{
            Takes::{Cell, File, Number},
            Unit::{Angstrom, ElectronVolt},
        },
    },
    render::{MODEL, REFLECTIONS},
    shared::{JSON, QUIET},
};
use crate::error::Failure;

type Row = row::Row<HklOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "hkl",
    purpose: "tell what a file of reflections or atoms holds, and convert it",
    usage: &["hkl FILE [--out NAME.hkl|NAME.bin|NAME.mtz]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["hkl", "models"],
};

static SYNTAX: Syntax<HklOptions> = Syntax {
    render_sections: &[REFLECTIONS, MODEL],
    operands: Operands::Files("reflections or model"),
    ..Syntax::new(&[OPTIONS], make)
};

const OPTIONS: Section<HklOptions> = Section {
    heading: "Options of hkl",
    rows: &[
        Row::new(
            "--out",
            File,
            "file for the list of P 1, by its suffix as lines of h k l F (.hkl), dump (.bin) or MTZ (.mtz)",
            |h, v| set(&mut h.out, v.path()),
        ),
        Row::new("-cell", Cell, "unit cell in angstrom and degrees, where the file has none", |h, v| {
            set(&mut h.render.cell_angstrom_deg, v.cell())
        }),
        Row::new(
            "-dmin",
            Number(Angstrom),
            "smallest spacing of the F to compute from an atomic model",
            |h, v| set(&mut h.render.dmin_m, v.positive()),
        ),
        Row::new(
            "-lambda",
            Number(Angstrom),
            "wavelength of the f', f'' of a model; without it they are 0",
            |h, v| set(&mut h.render.lambda_m, v.positive()),
        ),
        Row::new("-energy", Number(ElectronVolt), "photon energy, instead of -lambda", |h, v| {
            set(&mut h.render.lambda_m, v.positive())
        }),
        Row::of(JSON, |h, _| put(&mut h.json, true)),
        Row::of(QUIET, |h, _| put(&mut h.quiet, true)),
    ],
};

fn make(line: Line<HklOptions>) -> Result<Command, Failure> {
    let Line { options, operands, .. } = line;
    match &operands[..] {
        [file] => Ok(Command::Hkl(Box::new(HklOptions { file: PathBuf::from(file), ..options }))),
        files => Err(Failure::input(format!(
            "hkl: needs one file of reflections or of a model, but {} given",
            files.len()
        ))),
    }
}
