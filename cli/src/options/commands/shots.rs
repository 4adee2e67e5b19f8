//! `widebragg shots`.

use super::{
    super::{
        given::Given,
        model::{Command, NoiseModel, ShotsOptions},
        row::{self, Section, put, set},
        spec::{CommandSpec, EXIT_CODES},
        syntax::{Line, Syntax},
        takes::{
            Takes::{Choice, File, Integer, Nothing, Number, Range, Text},
            Unit::{Millimetre, Plain},
        },
    },
    names::names,
    render::{IMAGE, complete_noise},
};
use crate::error::Failure;
use widebragg_experiment::shots::{Count, OrientationRule};

type Row = row::Row<ShotsOptions>;

pub(in super::super) static SPEC: CommandSpec = CommandSpec {
    name: "shots",
    purpose: "render many stills, each with crystals and a beam of its own",
    usage: &["shots RENDER-OPTIONS --shots N --nxmx FILE [--shot-table FILE]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["shots", "crystals", "spectrum", "options", "evidence"],
};

static SYNTAX: Syntax<ShotsOptions> = Syntax { render_sections: IMAGE, ..Syntax::new(&[OPTIONS], make) };

const OPTIONS: Section<ShotsOptions> = Section {
    heading: "Options of shots",
    rows: &[
        Row::new("--shots", Integer, "number of shots", |s, v| {
            s.has_count = true;
            put(&mut s.shots.count, v.count()?)
        }),
        Row::new("--shot-table", File, "what shots are: a table, or a stream of CrystFEL", |s, v| {
            set(&mut s.shots.table, v.path())
        }),
        Row::new("--shot-range", Range, "render only shots A to B, counted from 1", |s, v| {
            set(&mut s.render.frame_range, v.frame_range())
        }),
        Row::new("--shot-seed", Integer, "seed of everything that is drawn, noise included", |s, v| {
            let seed = u64::try_from(v.integer()?).map_err(|_| v.refuse("must not be negative"))?;
            put(&mut s.shots.seed, seed)
        })
        .default("1"),
        Row::new(
            "--orientation",
            Choice(names!(OrientationRule)),
            "of crystals: any, or that of the options",
            |s, v| put(&mut s.shots.distributions.orientation, v.choice(OrientationRule::ALL)?),
        )
        .default("random"),
        Row::new(
            "--crystals-per-shot",
            Text("N|A:B|poisson:MEAN"),
            "number of crystals; 0 is a blank",
            |s, v| put(&mut s.shots.distributions.crystals, crystals(v)?),
        )
        .default("1"),
        Row::new(
            "--size-spread",
            Number(Plain("fraction")),
            "spread of the cells of a crystal: log-normal",
            |s, v| put(&mut s.shots.distributions.size, v.nonnegative()?),
        )
        .default("0"),
        Row::new(
            "--cell-spread",
            Number(Plain("fraction")),
            "spread of the edges of the unit cell",
            |s, v| put(&mut s.shots.distributions.cell, v.nonnegative()?),
        )
        .default("0"),
        Row::new("--energy-spread", Number(Plain("eV")), "spread of the energy of the beam", |s, v| {
            put(&mut s.shots.distributions.energy_ev, v.nonnegative()?)
        })
        .default("0"),
        Row::new(
            "--fluence-spread",
            Number(Plain("fraction")),
            "spread of the fluence: log-normal",
            |s, v| put(&mut s.shots.distributions.fluence, v.nonnegative()?),
        )
        .default("0"),
        Row::new(
            "--shift-spread",
            Number(Millimetre),
            "spread of the detector's place along fast and slow",
            |s, v| put(&mut s.shots.distributions.shift_m, v.nonnegative()?),
        )
        .default("0"),
        Row::new("--truth", File, "table of all shots, for --shot-table", |s, v| {
            set(&mut s.shots.truth, v.path())
        })
        .default("beside that of --nxmx"),
        Row::new("--stream", File, "the same as a stream of CrystFEL", |s, v| {
            set(&mut s.shots.stream, v.path())
        }),
        Row::new("--resume", Nothing, "render only the shots that are missing or incomplete", |s, _| {
            put(&mut s.render.resume, true)
        }),
        Row::new(
            "--resume-anyway",
            Nothing,
            "as --resume, also for shots that another version of widebragg began",
            |s, _| {
                s.render.resume = true;
                put(&mut s.render.resume_anyway, true)
            },
        ),
    ],
};

/// `N`, `A:B` or `poisson:MEAN`.
fn crystals(given: &Given<'_>) -> Result<Count, Failure> {
    let text = given.text()?;
    let refused = || given.refuse("must be a number N, a range A:B, or poisson:MEAN");
    let whole = |word: &str| word.trim().parse::<usize>().map_err(|_| refused());
    match text.split_once(':') {
        None => whole(&text).map(|count| Count::Uniform(count, count)),
        Some(("poisson", mean)) => {
            let mean = mean.trim().parse::<f64>().ok().filter(|mean| *mean >= 0.0 && mean.is_finite());
            mean.map(Count::Poisson).ok_or_else(refused)
        }
        Some((least, most)) => {
            let (least, most) = (whole(least)?, whole(most)?);
            if least <= most { Ok(Count::Uniform(least, most)) } else { Err(refused()) }
        }
    }
}

fn make(line: Line<ShotsOptions>) -> Result<Command, Failure> {
    let ShotsOptions { mut render, shots, has_count } = line.options;
    let refused = |why: &str| Err(Failure::input(format!("shots: {why}")));
    if !has_count {
        return refused("how many? give --shots N");
    }
    // Nothing depends on the clock, so that jobs can begin at the same time.
    render.seed_as_typed = render.seed_as_typed.or(i64::try_from(shots.seed).ok());
    render.no_expt = true;
    render.names_flat_images = true;
    render.frames = Some(shots.count);
    render.shots = Some(shots);
    complete_noise(&mut render)?;
    if render.noise_model == Some(NoiseModel::Reference) {
        render.note(
            "--noise-model reference has no effect: shots have the noise of each pixel by itself".to_owned(),
        );
    }
    Ok(Command::Render(Box::new(render)))
}
