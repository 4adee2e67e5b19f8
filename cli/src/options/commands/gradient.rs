//! `widebragg gradient`, `gradcheck` and `refine`.

use super::{
    super::{
        model::{Command, GradientOptions},
        row::{self, Section, put, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::{Line, Syntax},
        takes::{
            Takes::{Choice, File, Folder, Integer, Names, Nothing, Number, Text},
            Unit::Plain,
        },
    },
    render::IMAGE,
};
use crate::error::Failure;
use widebragg_experiment::gradient::loss::LossKind;

type Row = row::Row<GradientOptions>;

pub(super) static GRADIENT: CommandSpec = CommandSpec {
    name: "gradient",
    purpose: "compute a loss and its derivatives with respect to parameters",
    usage: &["gradient RENDER-OPTIONS --wrt NAME,... [--against IMAGE | --weights FILE]"],
    syntax: &GRADIENT_SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["fit", "options", "evidence"],
};

pub(super) static GRADCHECK: CommandSpec = CommandSpec {
    name: "gradcheck",
    purpose: "check derivatives against finite differences on a small region",
    usage: &["gradcheck RENDER-OPTIONS [--wrt NAME,...]"],
    syntax: &GRADCHECK_SYNTAX,
    exit_codes: &[EXIT_CODES[0], (3, "the error of a derivative is larger than --tolerance")],
    topics: &["fit", "options", "evidence"],
};

pub(super) static REFINE: CommandSpec = CommandSpec {
    name: "refine",
    purpose: "fit parameters to an image",
    usage: &["refine RENDER-OPTIONS --against IMAGE --wrt NAME,..."],
    syntax: &REFINE_SYNTAX,
    exit_codes: &[
        EXIT_CODES[0],
        (3, "the fit has not converged, or is not to be believed: the verdict says why"),
    ],
    topics: &["fit", "options", "evidence"],
};

static GRADIENT_SYNTAX: Syntax<GradientOptions> =
    Syntax { render_sections: IMAGE, ..Syntax::new(&[GRADIENT_OPTIONS], make_gradient) };
static GRADCHECK_SYNTAX: Syntax<GradientOptions> =
    Syntax { render_sections: IMAGE, ..Syntax::new(&[GRADCHECK_OPTIONS], make_gradcheck) };
static REFINE_SYNTAX: Syntax<GradientOptions> =
    Syntax { render_sections: IMAGE, ..Syntax::new(&[REFINE_OPTIONS], make_refine) };

const GRADIENT_OPTIONS: Section<GradientOptions> = Section {
    heading: "Options of gradient",
    rows: &[
        wrt(
            "parameters: the groups cell, vectors, misset, phi, osc, lambda, origin, distance, beam, detector, scale, \
             mosaic, N, cells, coupling, spectrum, default_F; single parameters (a, b_x, misset_z, detector_rotx, Nb, \
             ...); all; those of one of several crystals, or of each (crystal[2].weight, crystals.misset); motions of \
             panels (panel[NAME], panel[NAME].fast, panels) and of groups of them (group[NAME], groups); F for each \
             structure factor",
        ),
        PANEL_GROUP,
        AGAINST,
        OFFSET,
        SATURATION,
        Row::new("--weights", File, "float image of the pixels' weights, instead of --against", |g, v| {
            set(&mut g.weights, v.path())
        })
        .default("1 for every pixel"),
        loss("half the sum of squared differences, or the negative log-likelihood of counts"),
        out("folder for the JSON, images, and derivatives with respect to structure factors"),
        Row::new(
            "--images",
            Nothing,
            "write the derivative of the image with respect to each parameter to --out: a float image and a picture",
            |g, _| put(&mut g.images, true),
        ),
    ],
};

const GRADCHECK_OPTIONS: Section<GradientOptions> = Section {
    heading: "Options of gradcheck",
    rows: &[
        wrt(PARAMETERS).default("all"),
        PANEL_GROUP,
        Row::new(
            "--tolerance",
            Number(Plain("R")),
            "largest accepted relative error of a derivative",
            |g, v| put(&mut g.tolerance, v.nonnegative()?),
        )
        .default("1e-6"),
    ],
};

const REFINE_OPTIONS: Section<GradientOptions> = Section {
    heading: "Options of refine",
    rows: &[
        wrt(PARAMETERS),
        PANEL_GROUP,
        AGAINST,
        OFFSET,
        SATURATION,
        loss(
            "half the sum of squared differences, or the negative log-likelihood of counts (through the signed roots of \
             the deviance)",
        ),
        out("folder for the JSON, pictures before and after the fit, and the fitted matrix or geometry"),
        Row::new("--iterations", Integer, "largest number of steps, over all stages", |g, v| {
            put(&mut g.iterations, v.count()?)
        })
        .default("60"),
    ],
};

const PARAMETERS: &str = "parameters: the groups cell, vectors, misset, phi, osc, lambda, origin, distance, beam, \
                          detector, scale, mosaic, N, cells, coupling, spectrum, default_F; single parameters (a, \
                          b_x, misset_z, detector_rotx, Nb, ...); all; those of one of several crystals, or of each \
                          (crystal[2].weight, crystals.misset); motions of panels (panel[NAME], panel[NAME].fast, \
                          panels) and of groups of them (group[NAME], groups)";

const PANEL_GROUP: Row = Row::new(
    "--panel-group",
    Text("NAME=PANEL,..."),
    "panels of --geometry, by name or number from 0, that move together as group[NAME] of --wrt; may be repeated",
    |g, v| {
        g.panel_groups.push(v.text()?);
        Ok(())
    },
)
.default("those of a .geom file");

const AGAINST: Row = Row::new(
    "--against",
    File,
    "image that the render is compared with: SMV, CBF, a frame of HDF5, or floats in as many pixels as the detector has",
    |g, v| set(&mut g.against, v.path()),
);

const OFFSET: Row = Row::new(
    "--offset",
    Number(Plain("ADU")),
    "what the detector added to every pixel of --against (nanoBragg's -adc); it is subtracted",
    |g, v| set(&mut g.offset, v.si()),
)
.default("ADC_OFFSET of its header, else 0");

const SATURATION: Row = Row::new(
    "--saturation",
    Number(Plain("ADU")),
    "value from which pixels of --against are saturated and left out",
    |g, v| set(&mut g.saturation, v.positive()),
)
.default("that of its header, else 65535 in SMV");

const fn wrt(help: &'static str) -> Row {
    Row::new("--wrt", Names, help, |g, v| put(&mut g.wrt, v.names()?))
}

const fn loss(help: &'static str) -> Row {
    Row::new("--loss", Choice(&["least-squares", "poisson"]), help, |g, v| {
        put(&mut g.loss, v.choice(&[LossKind::LeastSquares, LossKind::Poisson])?)
    })
    .default("least-squares")
}

const fn out(help: &'static str) -> Row {
    Row::new("--out", Folder, help, |g, v| set(&mut g.out, v.path())).default("no files are written")
}

fn make_gradient(line: Line<GradientOptions>) -> Result<Command, Failure> {
    require_wrt("gradient", &line.options)?;
    Ok(Command::Gradient(Box::new(line.options)))
}

fn make_gradcheck(line: Line<GradientOptions>) -> Result<Command, Failure> {
    let mut options = line.options;
    if options.wrt.is_empty() {
        options.wrt = "all".to_owned();
    }
    Ok(Command::Gradcheck(Box::new(options)))
}

fn make_refine(line: Line<GradientOptions>) -> Result<Command, Failure> {
    require_wrt("refine", &line.options)?;
    if line.options.against.is_none() {
        return Err(Failure::input("refine: needs the image to fit, --against IMAGE"));
    }
    Ok(Command::Refine(Box::new(line.options)))
}

fn require_wrt(command: &str, options: &GradientOptions) -> Result<(), Failure> {
    if options.wrt.is_empty() {
        return Err(Failure::input(format!(
            "{command}: missing --wrt NAME,..., for example --wrt cell,misset"
        )));
    }
    Ok(())
}
