//! Options of a render: the beam.

use super::super::super::{
    given::Given,
    message::quoted,
    model::Options,
    row::{self, Section, put, set},
    takes::{
        Takes::{File, Integer, Nothing, Number, Text},
        Unit::{Angstrom, ElectronVolt, Micrometre, Millimetre, Milliradian, Percent, Plain},
    },
};

use super::{
    odd::{range, steps},
    set_odd,
};

use crate::error::Failure;
use widebragg_experiment::spectrum::Peak;

type Row = row::Row<Options>;

pub(super) const BEAM: Section<Options> = Section {
    heading: "Beam",
    rows: &[
        Row::new("-lambda", Number(Angstrom), "wavelength", |o, v| set(&mut o.lambda_m, v.positive()))
            .basic()
            .aliases(&["-wave", "-wavelength"])
            .stems(&["-wave"])
            .default("1"),
        Row::new("-energy", Number(ElectronVolt), "photon energy, instead of -lambda", |o, v| {
            set(&mut o.lambda_m, v.positive())
        }),
        Row::new("-dispersion", Number(Percent), "width of the spectrum", |o, v| {
            set_odd(o, v, range, |o| &mut o.dispersion_range)
        })
        .default("0"),
        Row::new("-dispsteps", Integer, "wavelengths across the spectrum", |o, v| {
            set_odd(o, v, steps, |o| &mut o.dispersion_count)
        }),
        Row::new("-divergence", Number(Milliradian), "beam divergence, horizontal and vertical", |o, v| {
            set_odd(o, v, range, |o| &mut o.hdiv_range_rad)?;
            set_odd(o, v, range, |o| &mut o.vdiv_range_rad)
        })
        .default("0"),
        Row::new("-hdivrange", Number(Milliradian), "horizontal divergence", |o, v| {
            set_odd(o, v, range, |o| &mut o.hdiv_range_rad)
        }),
        Row::new("-vdivrange", Number(Milliradian), "vertical divergence", |o, v| {
            set_odd(o, v, range, |o| &mut o.vdiv_range_rad)
        }),
        Row::new("-hdivstep", Number(Milliradian), "step of the horizontal divergence", |o, v| {
            set_odd(o, v, range, |o| &mut o.hdiv_step_rad)
        }),
        Row::new("-vdivstep", Number(Milliradian), "step of the vertical divergence", |o, v| {
            set_odd(o, v, range, |o| &mut o.vdiv_step_rad)
        }),
        Row::new("-divsteps", Integer, "steps of the divergence, horizontal and vertical", |o, v| {
            set_odd(o, v, steps, |o| &mut o.hdiv_count)?;
            set_odd(o, v, steps, |o| &mut o.vdiv_count)
        }),
        Row::new("-hdivsteps", Integer, "steps of the horizontal divergence", |o, v| {
            set_odd(o, v, steps, |o| &mut o.hdiv_count)
        }),
        Row::new("-vdivsteps", Integer, "steps of the vertical divergence", |o, v| {
            set_odd(o, v, steps, |o| &mut o.vdiv_count)
        }),
        Row::new(
            "-round_div",
            Nothing,
            "leave out the corners of the divergence grid; the default",
            |o, _| put(&mut o.square_div, false),
        ),
        Row::new("-square_div", Nothing, "keep the corners of the divergence grid", |o, _| {
            put(&mut o.square_div, true)
        }),
        Row::new("-sourcefile", File, "sources: a line with X Y Z weight wavelength(m) for each", |o, v| {
            set(&mut o.sourcefile, v.path())
        }),
        Row::new(
            "--spectrum",
            File,
            "weights of wavelengths or energies; see widebragg help spectrum",
            |o, v| set(&mut o.spectrum.file, v.path()),
        ),
        Row::new("--spectrum-column", Integer, "which spectrum of a file of several, from 1", |o, v| {
            set(&mut o.spectrum.column, v.count())
        })
        .default("1"),
        Row::new(
            "--spectrum-gauss",
            Text("eV,eV[,weight][+...]"),
            "spectrum of Gaussian peaks: centre, full width at half height, weight",
            peaks,
        ),
        Row::new(
            "--spectrum-steps",
            Integer,
            "most wavelengths of a spectrum from a file, or of each peak",
            |o, v| set(&mut o.spectrum.steps, v.count()),
        )
        .default("all of a file, 20 of a peak"),
        Row::new("-polar", Number(Plain("k")), "Kahn polarisation factor, -1 to 1", |o, v| {
            o.nopolar = false;
            set(&mut o.polar_kahn, v.si())
        })
        .default("0"),
        Row::new("-nopolar", Nothing, "no polarisation correction", |o, _| put(&mut o.nopolar, true)),
        Row::new("-fluence", Number(Plain("ph/m^2")), "photon fluence on the sample", |o, v| {
            set(&mut o.fluence_per_m2, v.nonnegative())
        })
        .default("1.259e29"),
        Row::new(
            "-flux",
            Number(Plain("ph/s")),
            "photon rate; sets the fluence, together with -exposure and -beamsize",
            |o, v| set(&mut o.flux_per_s, v.nonnegative()),
        ),
        Row::new("-exposure", Number(Plain("s")), "exposure time", |o, v| set(&mut o.exposure_s, v.si()))
            .default("1"),
        Row::new(
            "-beamsize",
            Number(Millimetre),
            "width of the square beam; larger crystals are clipped to it",
            |o, v| set(&mut o.beamsize_m, v.si()),
        )
        .default("0.1"),
        Row::new(
            "-water",
            Number(Micrometre),
            "edge of a cube of water in the beam, which adds background",
            |o, v| set(&mut o.water_m, v.nonnegative()),
        )
        .default("0"),
    ],
};

/// Peaks with `+` between them: centre and full width at half height in eV, and weight.
fn peaks(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let peaks = text.split('+').map(|peak| {
        let number = |word: &str| {
            let number = word.trim().parse().ok().filter(|number: &f64| number.is_finite());
            number.ok_or_else(|| given.refuse(&format!("{} is not a number", quoted(word))))
        };
        let numbers = peak.split(',').map(number).collect::<Result<Vec<f64>, Failure>>()?;
        let (centre_ev, fwhm_ev, weight) = match numbers[..] {
            [centre_ev, fwhm_ev] => (centre_ev, fwhm_ev, 1.0),
            [centre_ev, fwhm_ev, weight] => (centre_ev, fwhm_ev, weight),
            _ => {
                let expected = "expected centre and width in eV, and a weight, such as 9500,30 or 9500,20,0.7+9570,20,0.3";
                return Err(given.refuse(expected));
            }
        };
        if centre_ev <= 0.0 || fwhm_ev < 0.0 || weight < 0.0 {
            return Err(given.refuse("a centre must be above 0, and no width or weight below 0"));
        }
        Ok(Peak { centre_ev, fwhm_ev, weight })
    });
    put(&mut options.spectrum.peaks, peaks.collect::<Result<_, _>>()?)
}
