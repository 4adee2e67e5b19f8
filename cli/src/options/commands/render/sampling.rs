//! Options of a render: subpixels, phi steps and the resolution limit.

use super::super::super::{
    model::Options,
    row::{self, Section, put, set},
    takes::{
        Takes::{Choice, Integer, Nothing, Number},
        Unit::{Angstrom, Degree},
    },
};
use super::{
    odd::{range, steps, whole},
    set_odd,
};
use widebragg_experiment::parameters::PhiSampling;

type Row = row::Row<Options>;

pub(super) const SAMPLING: Section<Options> = Section {
    heading: "Sampling",
    rows: &[
        Row::new(
            "-oversample",
            Integer,
            "subpixels along each axis; 0: chosen from the spot size",
            |o, v| {
                o.oversample = usize::try_from(whole(o, v)?).ok().filter(|&subpixels| subpixels > 0);
                Ok(())
            },
        )
        .default("0"),
        Row::new("-oversample_thick", Nothing, "capture of each subpixel, not of the first alone", |o, _| {
            put(&mut o.oversample_thick, true)
        }),
        Row::new(
            "-oversample_polar",
            Nothing,
            "polarisation of each subpixel and source, not of the first alone",
            |o, _| put(&mut o.oversample_polar, true),
        ),
        Row::new(
            "-oversample_omega",
            Nothing,
            "solid angle of each subpixel, not of the first alone",
            |o, _| put(&mut o.oversample_omega, true),
        ),
        Row::new("-phi", Number(Degree), "spindle angle at the start", |o, v| set(&mut o.phi_rad, v.si()))
            .default("0"),
        Row::new("-osc", Number(Degree), "oscillation range", |o, v| set(&mut o.osc_rad, v.si()))
            .basic()
            .default("0"),
        Row::new("-phistep", Number(Degree), "phi step", |o, v| set_odd(o, v, range, |o| &mut o.phistep_rad)),
        Row::new("-phisteps", Integer, "number of phi steps", |o, v| {
            set_odd(o, v, steps, |o| &mut o.phisteps)
        }),
        Row::new(
            "--phi-sampling",
            Choice(&["start", "middle"]),
            "where in each phi step phi is sampled; middle in spec only",
            |o, v| put(&mut o.phi_sampling, v.choice(&[PhiSampling::Start, PhiSampling::Middle])?),
        )
        .default("start, as in nanoBragg"),
        Row::new("-dmin", Number(Angstrom), "resolution limit: smaller spacings are not rendered", |o, v| {
            set(&mut o.dmin_m, v.si())
        })
        .default("0"),
    ],
};
