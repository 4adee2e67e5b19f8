//! Options of a render: output files, series, and how the program runs.

use super::super::super::{
    given::Given,
    message::shown,
    model::{HeaderStyle, Log, NxmxData, Options},
    row::{self, Section, put, set},
    takes::{
        Takes::{Choice, Each, File, Integer, Nothing, Number, Range, Text},
        Unit::Plain,
    },
};
use super::super::{
    names::names,
    shared::{DEVICE, EVIDENCE, JSON, PHI_CARRYOVER_MODE, QUIET, SIMD, THREADS, device, simd},
};
use super::{odd::printed_pixel, set_odd};
use crate::error::Failure;
use widebragg::{lattice::Precision, light::LightRule, rotation::PhiMode};
use widebragg_formats::nxmx::Compression;
use widebragg_formats::stol::Abscissa;

type Row = row::Row<Options>;

pub(super) const OUTPUT: Section<Options> = Section {
    heading: "Output",
    rows: &[
        Row::new("-floatfile", File, "float image: raw little-endian f32", |o, v| {
            set(&mut o.floatfile, v.path())
        })
        .aliases(&["-floatimage"])
        .default("floatimage.bin"),
        Row::new("-intfile", File, "integer image: SMV", |o, v| set(&mut o.intfile, v.path()))
            .aliases(&["-intimage"])
            .default("intimage.img"),
        Row::new("-scale", Number(Plain("factor")), "factor of the integer image", |o, v| {
            set(&mut o.scale, v.si())
        })
        .default("55000 / maximum"),
        Row::new("-adc", Number(Plain("offset")), "offset of the integer and noise images", |o, v| {
            set(&mut o.adc, v.si())
        })
        .default("40"),
        Row::new("-noisefile", File, "image with photon noise: SMV", |o, v| {
            o.nonoise = false;
            set(&mut o.noisefile, v.path())
        })
        .aliases(&["-noiseimage"])
        .default("noiseimage.img"),
        Row::new("-nonoise", Nothing, "no noise image", |o, _| put(&mut o.nonoise, true)),
        Row::new("-seed", Integer, "seed of the noise", |o, v| set(&mut o.seed_as_typed, v.integer()))
            .default("from the clock"),
        Row::new("-pgmfile", File, "PGM preview", |o, v| {
            o.nopgm = false;
            set(&mut o.pgmfile, v.path())
        })
        .aliases(&["-pgmimage"])
        .default("image.pgm"),
        Row::new("-pgmscale", Number(Plain("factor")), "factor of the PGM and PNG previews", |o, v| {
            set(&mut o.pgmscale, v.si())
        })
        .default("250 / (5 rmsd)"),
        Row::new("-nopgm", Nothing, "no PGM preview", |o, _| put(&mut o.nopgm, true)),
        Row::new("-printout", Nothing, "print the quantities of every pixel", |o, _| {
            put(&mut o.printout, true)
        }),
        Row::new("-printout_pixel", Each(&["f", "s"]), "print the quantities of this pixel only", |o, v| {
            set_odd(o, v, printed_pixel, |o| &mut o.printout_pixel)
        }),
        Row::new("-progress", Nothing, "show progress; the default on a terminal", |o, _| {
            put(&mut o.progress, Some(true))
        }),
        Row::new("-noprogress", Nothing, "show no progress", |o, _| put(&mut o.progress, Some(false))),
        Row::new("--png", File, "PNG preview, dark spots on a light background", |o, v| {
            set(&mut o.png, v.path())
        })
        .basic(),
        Row::new("--noise-png", File, "PNG preview of the image with noise", |o, v| {
            set(&mut o.noise_png, v.path())
        }),
        Row::new("--cbf", File, "miniCBF image: the float image times -scale", |o, v| {
            set(&mut o.cbf, v.path())
        }),
        Row::new("--noise-cbf", File, "miniCBF image with photon noise: counts without -adc", |o, v| {
            set(&mut o.noise_cbf, v.path())
        }),
        Row::new(
            "--mean-images",
            File,
            "means.bin writes means_lambda.bin, means_h.bin, ...: float images of the mean wavelength, h, k and l of each pixel",
            |o, v| set(&mut o.mean_images, v.path()),
        ),
        Row::new(
            "--nxmx",
            File,
            "HDF5 file of all frames, their geometry, and what they were computed from; see widebragg help nxmx",
            |o, v| set(&mut o.nxmx, v.path()),
        ),
        Row::new(
            "--nxmx-data",
            Choice(&["noise", "photons"]),
            "counts with photon noise, or expected photons as in the float image",
            |o, v| put(&mut o.nxmx_data, Some(v.choice(&[NxmxData::Noise, NxmxData::Photons])?)),
        )
        .default("noise; photons with -nonoise"),
        Row::new(
            "--nxmx-stages",
            Nothing,
            "keep the photons without noise, and the image after each stage of the noise, beside the counts",
            |o, _| put(&mut o.nxmx_stages, true),
        ),
        Row::new(
            "--nxmx-means",
            Nothing,
            "the mean wavelength, h, k and l of each pixel in the file as well, as --mean-images has them",
            |o, _| put(&mut o.nxmx_means, true),
        ),
        Row::new(
            "--nxmx-compression",
            Choice(&["gzip", "bslz4", "none"]),
            "gzip, which every reader has; the faster bitshuffle-LZ4; or none",
            |o, v| {
                let choices = [Compression::Gzip, Compression::BitshuffleLz4, Compression::None];
                put(&mut o.nxmx_compression, Some(v.choice(&choices)?))
            },
        )
        .default("gzip"),
        Row::new(
            "--nxmx-frames-per-file",
            Integer,
            "keep the frames in files of so many, and make the file of --nxmx their master",
            |o, v| set(&mut o.nxmx_frames_per_file, v.count()),
        )
        .default("all in one file"),
        Row::new("--expt", File, "experiment list for DIALS: the exact geometry and crystals", |o, v| {
            o.no_expt = false;
            set(&mut o.expt, v.path())
        })
        .default("beside a series only"),
        Row::new("--no-expt", Nothing, "no experiment list", |o, _| put(&mut o.no_expt, true)),
        Row::new("--xds-inp", File, "input of XDS: geometry, rotation, cell and gaps", |o, v| {
            set(&mut o.xds_inp, v.path())
        }),
        Row::new(
            "--predictions",
            File,
            "table (CSV) of the reflections that the images can show: pixel, phi, photons; see widebragg help predictions",
            |o, v| set(&mut o.predictions, v.path()),
        ),
        Row::new(
            "--header",
            Choice(&["readers", "reference"]),
            "SMV headers that reading programs expect, or those of nanoBragg byte for byte",
            |o, v| put(&mut o.header, v.choice(&[HeaderStyle::Readers, HeaderStyle::Reference])?),
        )
        .default("readers"),
        Row::new(
            "--log",
            Choice(&["all", "summary", "nanobragg"]),
            "on standard output: the summary, then nanoBragg's own lines for scripts; or only one of the two",
            |o, v| put(&mut o.log, v.choice(&[Log::All, Log::Summary, Log::NanoBragg])?),
        )
        .default("all"),
        Row::of(JSON, |o, _| put(&mut o.json, true)),
        Row::of(QUIET, |o, _| put(&mut o.quiet, true)),
    ],
};

pub(super) const SERIES: Section<Options> = Section {
    heading: "Series of images",
    rows: &[
        Row::new(
            "--frames",
            Text("N|scan"),
            "rotation series of N images; phi advances by -osc from one to the next; scan: as many as --geometry has",
            frames,
        ),
        Row::new(
            "--frame-range",
            Range,
            "render only frames A to B of the series, counted from 1",
            |o, v| set(&mut o.frame_range, v.frame_range()),
        ),
        Row::new("--resume", Nothing, "render only the frames that are missing or incomplete", |o, _| {
            put(&mut o.resume, true)
        }),
        Row::new(
            "--resume-anyway",
            Nothing,
            "as --resume, also for a series that another version of widebragg began",
            |o, _| {
                o.resume = true;
                put(&mut o.resume_anyway, true)
            },
        ),
    ],
};

pub(super) const RUNNING: Section<Options> = Section {
    heading: "Running",
    rows: &[
        Row::of(PHI_CARRYOVER_MODE, |o, v| put(&mut o.carryover_mode, v.choice(PhiMode::ALL)?)),
        Row::new(
            "--reference-threads",
            Integer,
            "c-parity: threads of the nanoBragg run to reproduce",
            |o, v| set(&mut o.reference_threads, v.count()),
        )
        .default("1"),
        Row::of(THREADS, |o, v| set(&mut o.threads, v.count())),
        Row::of(SIMD, |o, v| put(&mut o.simd, simd(v)?)),
        Row::of(DEVICE, |o, v| put(&mut o.device, device(v)?)),
        Row::new("--precision", Choice(names!(Precision)), "arithmetic of the lattice factor", |o, v| {
            put(&mut o.precision, v.choice(Precision::ALL)?)
        })
        .default("f64"),
        Row::new(
            "--light",
            Choice(names!(LightRule)),
            "gauss, tophat: list of spots, or all pixels",
            |o, v| put(&mut o.light, v.choice(LightRule::ALL)?),
        )
        .default("auto"),
        Row::new(
            "--neglect",
            Number(Plain("photons")),
            "photons that a pixel may lack, for speed",
            |o, v| set(&mut o.neglected_photons, v.nonnegative()),
        )
        .default("0"),
        Row::of(EVIDENCE, |o, v| set(&mut o.evidence, v.path())),
    ],
};

pub(super) const IGNORED: Section<Options> = Section {
    heading: "Accepted without effect",
    rows: &[
        Row::new("-density", Number(Plain("g/cm^3")), "sample density", ignored)
            .aliases(&["-sample_density"])
            .stems(&["-sample_den"]),
        Row::new("-MW", Number(Plain("g/mol")), "molecular weight", ignored)
            .aliases(&["-molecular_weight"])
            .stems(&["-molec"]),
        Row::new("-stol", File, "amorphous scattering against sin(theta)/lambda", |o, g| {
            unused_table(o, g, Abscissa::S)
        }),
        Row::new("-4stol", File, "amorphous scattering against 4 sin(theta)/lambda", |o, g| {
            unused_table(o, g, Abscissa::FourS)
        }),
        Row::new("-Q", File, "amorphous scattering against Q", |o, g| unused_table(o, g, Abscissa::Q)),
        Row::new("-stolout", File, "table of the amorphous scattering", ignored),
        Row::new("-coherent", Nothing, "sum of amplitudes", ignored),
        Row::new("-hdiv", Number(Plain("mrad")), "in examples of nanoBragg, for -hdivrange", misnamed),
        Row::new("-vdiv", Number(Plain("mrad")), "in examples of nanoBragg, for -vdivrange", misnamed),
        Row::new("-dispstep", Number(Plain("n")), "in examples of nanoBragg, for -dispsteps", misnamed),
    ],
};

fn ignored(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    options.note(format!("{} is accepted but has no effect, as in nanoBragg", shown(given.typed)));
    Ok(())
}

/// A table that nanoBragg reads and does not use, with its first column.
fn unused_table(options: &mut Options, given: &Given<'_>, abscissa: Abscissa) -> Result<(), Failure> {
    options.note(format!(
        "{} is accepted but has no effect, as in nanoBragg: --background FILE:{},THICKNESS_mm has one",
        shown(given.typed),
        abscissa.name()
    ));
    Ok(())
}

/// A name of nanoBragg's own examples that nanoBragg does not know.
fn misnamed(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let meant = match given.typed {
        "-hdiv" => "-hdivrange",
        "-vdiv" => "-vdivrange",
        _ => "-dispsteps",
    };
    options.note(format!("{} is accepted but has no effect, as in nanoBragg: give {meant}", given.shown()));
    Ok(())
}

/// The number of frames, or `scan`.
fn frames(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let is_scan = given.text()? == "scan";
    options.frames_of_scan = is_scan;
    if is_scan { put(&mut options.frames, None) } else { set(&mut options.frames, given.count()) }
}
