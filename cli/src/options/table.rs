//! The table of options: every name, alias, unit, help line, default, and what each option sets.
//!
//! Source: the option names of `nanoBragg.c`, section by section. Special cases: the pivot follows the last option that
//! sets one; a named convention drops the axes given before it and an axis selects the custom convention; `-polar` and
//! `-nopolar`, like an output and its refusal, undo each other.

use super::{
    given::{Given, shown},
    model::{Attenuation, Dtype, HeaderStyle, LossKind, Misset, Options, TraceFormat},
    row::{
        Effect, Row, Scope, Section,
        Takes::{
            Cell, Choice, Depth, Each, File, Folder, Integer, Misset as MissetAngles, Names, Nothing, Number,
            Program, Range,
        },
        Unit::{Angstrom, Degree, ElectronVolt, Micrometre, Millimetre, Milliradian, Percent, Plain},
    },
};
use crate::error::Failure;
use widebragg::{
    detector::{Convention, CustomAxes, Pivot},
    lanes::SimdLevel,
    lattice::{CrystalShape, Precision},
    rotation::PhiMode,
    vector::Vec3,
};

/// The commands that may stand in the place of the first option, and what they do.
pub(super) const COMMANDS: [(&str, &str, &str); 10] = [
    ("demo", "[--out DIR]", "render a built-in crystal; needs no input files"),
    (
        "compare",
        "A B | --run CMD --run CMD -- OPTIONS",
        "where and how far two images differ: figures, pictures, report; exit code 3 below --threshold, 4 for two sizes",
    ),
    (
        "trace",
        "OPTIONS --pixel SLOW FAST",
        "every intermediate value of pixels of the render with these options; writes no image",
    ),
    (
        "trace-diff",
        "A B",
        "the first value in which two traces differ, and a table of all; traces are those of trace and the logs and JSON of \
         others; exit code 3 where they differ",
    ),
    (
        "gradient",
        "OPTIONS --wrt NAME,... [--against IMAGE | --weights FILE]",
        "how far the render is from an image, or a weighted sum of its pixels, and the derivatives by parameters, as JSON",
    ),
    (
        "gradcheck",
        "OPTIONS [--wrt NAME,...]",
        "derivatives against finite differences on a small region: -roi, or 2 x 2 pixels about the brightest; exit code 3 beyond \
         --tolerance",
    ),
    (
        "refine",
        "OPTIONS --against IMAGE --wrt NAME,...",
        "fit parameters to an image, from where the options have them, from low resolution outwards; exit code 3 where it has not \
         converged",
    ),
    ("bench", "[--json] [--simd LEVEL]", "measure what a step costs on this processor; needs no input files"),
    ("completions", "bash|zsh|fish", "print a completion script for the shell"),
    ("man", "", "print the manual page, in roff"),
];

/// Names that the reference's own examples use and the reference does not know, and the right ones.
pub(super) const MISNAMED: [(&str, &str); 3] = [
    ("-dispstep", "-dispsteps"),
    ("-hdiv", "-hdivrange or -hdivsteps"),
    ("-vdiv", "-vdivrange or -vdivsteps"),
];

/// All options, in the order of the help.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|section| section.rows)
}

/// The option with this name, this alias, or a lengthening of one of its stems. Commands may share a name: that of
/// `scope` goes first.
pub(super) fn find(name: &str, scope: Scope) -> Option<&'static Row> {
    let exact = |row: &&Row| row.spellings().any(|spelling| spelling == name);
    let here = |row: &&Row| row.scope.covers(scope);
    let exact = rows().find(|row| here(row) && exact(row)).or_else(|| rows().find(exact));
    exact.or_else(|| rows().find(|row| row.is_lengthened_by(name)))
}

/// The names of the values of an enumeration, as a list for [`Choice`]; words before them come first.
macro_rules! names {
    ($($first:literal,)* $type:ty) => {{
        const FIRST: &[&str] = &[$($first),*];
        const NAMES: [&str; FIRST.len() + <$type>::ALL.len()] = {
            let mut names = [""; FIRST.len() + <$type>::ALL.len()];
            let mut index = 0;
            while index < names.len() {
                names[index] = match index.checked_sub(FIRST.len()) {
                    Some(value) => <$type>::ALL[value].name(),
                    None => FIRST[index],
                };
                index += 1;
            }
            names
        };
        &NAMES
    }};
}

/// What goes through the render loop with options of the user's.
const RUNS: Scope = Scope::RENDER.and(Scope::DEMO).and(Scope::TRACE).and(Scope::SLOPES);

pub(super) static SECTIONS: [Section; 13] = [
    Section { heading: "Crystal", rows: CRYSTAL },
    Section { heading: "Structure factors", rows: STRUCTURE_FACTORS },
    Section { heading: "Beam", rows: BEAM },
    Section { heading: "Detector", rows: DETECTOR },
    Section { heading: "Sampling", rows: SAMPLING },
    Section { heading: "Output", rows: OUTPUT },
    Section { heading: "Series of images", rows: SERIES },
    Section { heading: "Comparing (widebragg compare)", rows: COMPARING },
    Section { heading: "Tracing (widebragg trace)", rows: TRACING },
    Section { heading: "Comparing traces (widebragg trace-diff)", rows: TRACE_COMPARING },
    Section { heading: "Derivatives (widebragg gradient, gradcheck, refine)", rows: DERIVATIVES },
    Section { heading: "Running", rows: RUNNING },
    Section { heading: "Accepted, without effect", rows: IGNORED },
];

static CRYSTAL: &[Row] = &[
    Row::new("-mat", File, "orientation matrix: nine numbers, columns a*, b*, c*", |o, v| {
        set(&mut o.mat, v.path())
    })
    .aliases(&["-matrix"])
    .stems(&["-mat"]),
    Row::new(
        "-cell",
        Cell,
        "unit cell, angstrom and degrees; missing lengths are a, missing angles 90",
        |o, v| set(&mut o.cell_angstrom_deg, v.cell()),
    ),
    Row::new(
        "-misset",
        MissetAngles,
        "turn the crystal about lab x, y, z by these degrees, or at random",
        misset,
    ),
    Row::new("-misset_seed", Integer, "seed of -misset random", |o, v| {
        set(&mut o.misset_seed_as_typed, v.integer())
    })
    .default("that of -seed"),
    Row::new("-N", Integer, "unit cells along each of a, b and c", |o, v| {
        o.n_cells = [Some(v.count()?); 3];
        Ok(())
    })
    .default("1"),
    Row::new("-Na", Integer, "unit cells along a", |o, v| set(&mut o.n_cells[0], v.count())).default("1"),
    Row::new("-Nb", Integer, "unit cells along b", |o, v| set(&mut o.n_cells[1], v.count())).default("1"),
    Row::new("-Nc", Integer, "unit cells along c", |o, v| set(&mut o.n_cells[2], v.count())).default("1"),
    Row::new("-samplesize", Number(Millimetre), "crystal size along a, b and c, instead of -N", |o, v| {
        o.sample_m = [Some(v.si()?); 3];
        Ok(())
    })
    .aliases(&["-sample_size", "-xtalsize", "-xtal_size"]),
    Row::new("-sample_x", Number(Millimetre), "crystal size along a", |o, v| set(&mut o.sample_m[0], v.si()))
        .aliases(&["-sample_thick", "-xtal_x", "-xtal_thick"]),
    Row::new("-sample_y", Number(Millimetre), "crystal size along b", |o, v| set(&mut o.sample_m[1], v.si()))
        .aliases(&["-sample_width", "-xtal_y", "-xtal_width", "-width"]),
    Row::new("-sample_z", Number(Millimetre), "crystal size along c", |o, v| set(&mut o.sample_m[2], v.si()))
        .aliases(&["-sample_height", "-xtal_z", "-xtal_height", "-height"])
        .stems(&["-sample_heigh", "-xtal_heigh", "-heigh"]),
    Row::new("-square_xtal", Nothing, "parallelepiped crystal, sincg spots; the default", |o, _| {
        put(&mut o.shape, CrystalShape::Square)
    }),
    Row::new("-round_xtal", Nothing, "ellipsoid crystal, sinc3 spots", |o, _| {
        put(&mut o.shape, CrystalShape::Round)
    }),
    Row::new("-gauss_xtal", Nothing, "Gaussian spots", |o, _| put(&mut o.shape, CrystalShape::Gauss)),
    Row::new("-tophat_spots", Nothing, "spots with a sharp edge and a flat top", |o, _| {
        put(&mut o.shape, CrystalShape::Tophat)
    })
    .aliases(&["-binary_spots"]),
    Row::new("-fudge", Number(Plain("factor")), "shrinks spots that are not square", |o, v| {
        set(&mut o.fudge, v.nonnegative())
    })
    .default("1"),
    Row::new("-mosaic", Number(Degree), "mosaic spread: domains are turned by up to this angle", |o, v| {
        set(&mut o.mosaic_spread_rad, v.si())
    })
    .aliases(&["-mosaicity", "-mosaic_spread"])
    .stems(&["-mosaici", "-mosaic_spr"])
    .default("0"),
    Row::new("-mosaic_domains", Integer, "mosaic domains", |o, v| set(&mut o.mosaic_domains, v.count()))
        .aliases(&["-mosaic_dom"])
        .stems(&["-mosaic_dom"])
        .default("10 with -mosaic, else 1"),
    Row::new("-mosaic_seed", Integer, "seed of the mosaic domains", |o, v| {
        set(&mut o.mosaic_seed_as_typed, v.integer())
    })
    .default("12345678"),
];

static STRUCTURE_FACTORS: &[Row] = &[
    Row::new("-hkl", File, "structure factors: h k l F on each line", |o, v| set(&mut o.hkl, v.path())),
    Row::new("-dump", File, "binary copy of -hkl: written with -hkl, read without", |o, v| {
        set(&mut o.dump, v.path())
    })
    .stems(&["-dump"])
    .default("Fdump.bin"),
    Row::new(
        "-default_F",
        Number(Plain("F")),
        "structure factor of reflections that are not listed",
        |o, v| set(&mut o.default_f, v.si()),
    )
    .default("0"),
    Row::new(
        "-interpolate",
        Nothing,
        "tricubic interpolation between reflections; the default if any of N is 1 or 2",
        |o, _| put(&mut o.interpolate, Some(true)),
    ),
    Row::new("-nointerpolate", Nothing, "structure factor of the nearest reflection", |o, _| {
        put(&mut o.interpolate, Some(false))
    }),
];

static BEAM: &[Row] = &[
    Row::new("-lambda", Number(Angstrom), "wavelength", |o, v| set(&mut o.lambda_m, v.positive()))
        .aliases(&["-wave", "-wavelength"])
        .stems(&["-wave"])
        .default("1"),
    Row::new("-energy", Number(ElectronVolt), "photon energy, instead of -lambda", |o, v| {
        set(&mut o.lambda_m, v.positive())
    }),
    Row::new("-dispersion", Number(Percent), "width of the spectrum", |o, v| {
        set(&mut o.dispersion_range, v.si())
    })
    .default("0"),
    Row::new("-dispsteps", Integer, "wavelengths across the spectrum", |o, v| {
        set(&mut o.dispersion_count, v.integer())
    }),
    Row::new("-divergence", Number(Milliradian), "beam divergence, horizontal and vertical", |o, v| {
        set(&mut o.hdiv_range_rad, v.si())?;
        set(&mut o.vdiv_range_rad, v.si())
    })
    .default("0"),
    Row::new("-hdivrange", Number(Milliradian), "horizontal divergence", |o, v| {
        set(&mut o.hdiv_range_rad, v.si())
    }),
    Row::new("-vdivrange", Number(Milliradian), "vertical divergence", |o, v| {
        set(&mut o.vdiv_range_rad, v.si())
    }),
    Row::new("-hdivstep", Number(Milliradian), "step of the horizontal divergence", |o, v| {
        set(&mut o.hdiv_step_rad, v.si())
    }),
    Row::new("-vdivstep", Number(Milliradian), "step of the vertical divergence", |o, v| {
        set(&mut o.vdiv_step_rad, v.si())
    }),
    Row::new("-divsteps", Integer, "steps of the divergence, horizontal and vertical", |o, v| {
        set(&mut o.hdiv_count, v.integer())?;
        set(&mut o.vdiv_count, v.integer())
    }),
    Row::new("-hdivsteps", Integer, "steps of the horizontal divergence", |o, v| {
        set(&mut o.hdiv_count, v.integer())
    }),
    Row::new("-vdivsteps", Integer, "steps of the vertical divergence", |o, v| {
        set(&mut o.vdiv_count, v.integer())
    }),
    Row::new("-round_div", Nothing, "leave out the corners of the divergence grid; the default", |o, _| {
        put(&mut o.square_div, false)
    }),
    Row::new("-square_div", Nothing, "keep the corners of the divergence grid", |o, _| {
        put(&mut o.square_div, true)
    }),
    Row::new("-sourcefile", File, "sources: X Y Z weight wavelength(m) on each line", |o, v| {
        set(&mut o.sourcefile, v.path())
    }),
    Row::new("-polar", Number(Plain("k")), "Kahn polarisation factor, -1 to 1", |o, v| {
        o.nopolar = false;
        set(&mut o.polar_kahn, v.si())
    })
    .default("0"),
    Row::new("-nopolar", Nothing, "no polarisation correction", |o, _| put(&mut o.nopolar, true)),
    Row::new("-fluence", Number(Plain("ph/m^2")), "photons on the sample", |o, v| {
        set(&mut o.fluence_per_m2, v.nonnegative())
    })
    .default("1.259e29"),
    Row::new(
        "-flux",
        Number(Plain("ph/s")),
        "photon rate; with -exposure and -beamsize it sets the fluence",
        |o, v| set(&mut o.flux_per_s, v.nonnegative()),
    ),
    Row::new("-exposure", Number(Plain("s")), "exposure time", |o, v| set(&mut o.exposure_s, v.si()))
        .default("1"),
    Row::new(
        "-beamsize",
        Number(Millimetre),
        "width of the square beam; larger samples are clipped to it",
        |o, v| set(&mut o.beamsize_m, v.si()),
    )
    .default("0.1"),
    Row::new("-water", Number(Micrometre), "edge of a water cube in the beam, for background", |o, v| {
        set(&mut o.water_m, v.nonnegative())
    })
    .default("0"),
];

static DETECTOR: &[Row] = &[
    Row::new("-pixel", Number(Millimetre), "pixel size", |o, v| set(&mut o.pixel_m, v.positive()))
        .default("0.1"),
    Row::new("-detpixels", Integer, "pixels along fast and slow", |o, v| {
        set(&mut o.detpixels_f, v.count())?;
        set(&mut o.detpixels_s, v.count())
    })
    .default("1024"),
    Row::new("-detpixels_f", Integer, "pixels along fast", |o, v| set(&mut o.detpixels_f, v.count()))
        .aliases(&["-detpixels_x"]),
    Row::new("-detpixels_s", Integer, "pixels along slow", |o, v| set(&mut o.detpixels_s, v.count()))
        .aliases(&["-detpixels_y"]),
    Row::new(
        "-detsize",
        Number(Millimetre),
        "detector size along fast and slow, instead of pixels",
        |o, v| {
            set(&mut o.detsize_f_m, v.positive())?;
            set(&mut o.detsize_s_m, v.positive())
        },
    )
    .default("102.4"),
    Row::new("-detsize_f", Number(Millimetre), "detector size along fast", |o, v| {
        set(&mut o.detsize_f_m, v.positive())
    })
    .aliases(&["-detsize_x"]),
    Row::new("-detsize_s", Number(Millimetre), "detector size along slow", |o, v| {
        set(&mut o.detsize_s_m, v.positive())
    })
    .aliases(&["-detsize_y"]),
    Row::new("-distance", Number(Millimetre), "sample to detector along the beam; pivot beam", |o, v| {
        pivot(o, Pivot::Beam);
        set(&mut o.distance_m, v.nonzero())
    })
    .default("100"),
    Row::new(
        "-close_distance",
        Number(Millimetre),
        "sample to the closest point of the detector; pivot sample",
        |o, v| {
            pivot(o, Pivot::Sample);
            set(&mut o.close_distance_m, v.nonzero())
        },
    ),
    Row::new("-Xbeam", Number(Millimetre), "beam centre X in the convention's sense; pivot beam", |o, v| {
        pivot(o, Pivot::Beam);
        set(&mut o.xbeam_m, v.si())
    })
    .default("the centre"),
    Row::new("-Ybeam", Number(Millimetre), "beam centre Y in the convention's sense; pivot beam", |o, v| {
        pivot(o, Pivot::Beam);
        set(&mut o.ybeam_m, v.si())
    })
    .default("the centre"),
    Row::new("-Xclose", Number(Millimetre), "closest point to the sample, X; pivot sample", |o, v| {
        pivot(o, Pivot::Sample);
        set(&mut o.xclose_m, v.si())
    }),
    Row::new("-Yclose", Number(Millimetre), "closest point to the sample, Y; pivot sample", |o, v| {
        pivot(o, Pivot::Sample);
        set(&mut o.yclose_m, v.si())
    }),
    Row::new(
        "-ORGX",
        Number(Plain("px")),
        "closest point to the sample along fast, as XDS; pivot sample",
        |o, v| {
            pivot(o, Pivot::Sample);
            set(&mut o.orgx_px, v.si())
        },
    ),
    Row::new(
        "-ORGY",
        Number(Plain("px")),
        "closest point to the sample along slow, as XDS; pivot sample",
        |o, v| {
            pivot(o, Pivot::Sample);
            set(&mut o.orgy_px, v.si())
        },
    ),
    Row::new("-twotheta", Number(Degree), "swing of the detector; pivot sample", |o, v| {
        pivot(o, Pivot::Sample);
        set(&mut o.twotheta_rad, v.si())
    })
    .default("0"),
    Row::new("-detector_rotx", Number(Degree), "turn of the detector about lab x", |o, v| turn(o, 0, v))
        .default("0"),
    Row::new("-detector_roty", Number(Degree), "turn of the detector about lab y", |o, v| turn(o, 1, v))
        .default("0"),
    Row::new("-detector_rotz", Number(Degree), "turn of the detector about lab z", |o, v| turn(o, 2, v))
        .default("0"),
    Row::new(
        "-pivot",
        Choice(names!(Pivot)),
        "fixed point of the rotations; a named convention overrides it",
        |o, v| set(&mut o.pivot, v.choice(Pivot::ALL)),
    ),
    Row::new("-mosflm", Nothing, "MOSFLM convention; the default", |o, _| {
        put(&mut o.convention, Convention::Mosflm)
    }),
    Row::new("-xds", Nothing, "XDS convention", |o, _| put(&mut o.convention, Convention::Xds)),
    Row::new("-adxv", Nothing, "ADXV convention", |o, _| put(&mut o.convention, Convention::Adxv)),
    Row::new("-denzo", Nothing, "DENZO convention", |o, _| put(&mut o.convention, Convention::Denzo)),
    Row::new("-dials", Nothing, "DIALS convention", |o, _| put(&mut o.convention, Convention::Dials)),
    Row::new("-fdet_vector", VECTOR, "fast axis; like all axes, selects a custom convention", |o, v| {
        axis(o, v, |axes| &mut axes.fast)
    }),
    Row::new("-sdet_vector", VECTOR, "slow axis", |o, v| axis(o, v, |axes| &mut axes.slow)),
    Row::new("-odet_vector", VECTOR, "detector normal", |o, v| axis(o, v, |axes| &mut axes.normal)),
    Row::new("-beam_vector", VECTOR, "direction of the beam", |o, v| axis(o, v, |axes| &mut axes.beam)),
    Row::new("-polar_vector", VECTOR, "polarisation axis", |o, v| axis(o, v, |axes| &mut axes.polarization)),
    Row::new("-spindle_axis", VECTOR, "axis of the phi rotation", |o, v| {
        axis(o, v, |axes| &mut axes.spindle)
    }),
    Row::new("-twotheta_axis", VECTOR, "axis of -twotheta, used as given", |o, v| {
        axis(o, v, |axes| &mut axes.twotheta)
    }),
    Row::new(
        "-pix0_vector",
        VECTOR,
        "detector origin: selects a custom convention, is then recomputed",
        |o, v| {
            v.triple()?;
            o.convention = Convention::Custom(custom(o));
            put(&mut o.pix0_given, true)
        },
    )
    .aliases(&["-pix0_vector_mm"]),
    Row::new("-point_pixel", Nothing, "pixels are points, without solid angle", |o, _| {
        put(&mut o.point_pixel, true)
    }),
    Row::new("-curved_det", Nothing, "all pixels at the same distance", |o, _| put(&mut o.curved_det, true)),
    Row::new("-detector_abs", Depth, "attenuation depth of the sensor; inf or 0: no thickness", attenuation)
        .aliases(&["-detector_absorb"])
        .stems(&["-detector_abs"])
        .default("the thickness"),
    Row::new("-detector_thick", Number(Micrometre), "sensor thickness", |o, v| {
        set(&mut o.detector_thick_m, v.nonnegative())
    })
    .default("0"),
    Row::new("-detector_thicksteps", Integer, "layers of the sensor", |o, v| {
        set(&mut o.detector_thicksteps, v.integer())
    })
    .aliases(&["-thicksteps"]),
    Row::new("-img", File, "SMV image whose header gives the geometry", |o, v| set(&mut o.img, v.path())),
    Row::new(
        "-mask",
        File,
        "SMV image: pixels that are 0 are skipped; its header gives the geometry",
        |o, v| set(&mut o.mask, v.path()),
    ),
    Row::new(
        "-roi",
        Each(&["xmin", "xmax", "ymin", "ymax"]),
        "pixels to render, inclusive; x is fast",
        |o, v| set(&mut o.roi_px, v.region()),
    )
    .default("all"),
];

static SAMPLING: &[Row] = &[
    Row::new("-oversample", Integer, "subpixels along each axis; 0: from the spot size", |o, v| {
        o.oversample = usize::try_from(v.integer()?).ok().filter(|&subpixels| subpixels > 0);
        Ok(())
    })
    .default("0"),
    Row::new("-oversample_thick", Nothing, "sensor capture at every subpixel, on the running sum", |o, _| {
        put(&mut o.oversample_thick, true)
    }),
    Row::new("-oversample_polar", Nothing, "polarisation at every step, on the running sum", |o, _| {
        put(&mut o.oversample_polar, true)
    }),
    Row::new("-oversample_omega", Nothing, "solid angle at every subpixel, on the running sum", |o, _| {
        put(&mut o.oversample_omega, true)
    }),
    Row::new("-phi", Number(Degree), "spindle angle at the start", |o, v| set(&mut o.phi_rad, v.si()))
        .default("0"),
    Row::new("-osc", Number(Degree), "oscillation range", |o, v| set(&mut o.osc_rad, v.si())).default("0"),
    Row::new("-phistep", Number(Degree), "phi step", |o, v| set(&mut o.phistep_rad, v.si())),
    Row::new("-phisteps", Integer, "phi steps", |o, v| set(&mut o.phisteps, v.integer())),
    Row::new(
        "-dmin",
        Number(Angstrom),
        "resolution limit: nothing is rendered below this spacing",
        |o, v| set(&mut o.dmin_m, v.si()),
    )
    .default("0"),
];

static OUTPUT: &[Row] = &[
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
    Row::new("-pgmscale", Number(Plain("factor")), "factor of the PGM preview", |o, v| {
        set(&mut o.pgmscale, v.si())
    })
    .default("250 / (5 rmsd)"),
    Row::new("-nopgm", Nothing, "no PGM preview", |o, _| put(&mut o.nopgm, true)),
    Row::new("-printout", Nothing, "print the quantities of every pixel", |o, _| put(&mut o.printout, true)),
    Row::new("-printout_pixel", Each(&["f", "s"]), "print the quantities of this pixel only", |o, v| {
        set(&mut o.printout_pixel, v.pixels())
    }),
    Row::new("-progress", Nothing, "show progress; the default on a terminal", |o, _| {
        put(&mut o.progress, Some(true))
    }),
    Row::new("-noprogress", Nothing, "show no progress", |o, _| put(&mut o.progress, Some(false))),
    Row::new("--png", File, "PNG preview, dark spots on light", |o, v| set(&mut o.png, v.path())),
    Row::new("--cbf", File, "miniCBF image", |o, v| set(&mut o.cbf, v.path())),
    Row::new(
        "--header",
        Choice(&["readers", "reference"]),
        "SMV headers as reading programs expect them, or byte for byte as the reference's",
        |o, v| put(&mut o.header, v.choice(&[HeaderStyle::Readers, HeaderStyle::Reference])?),
    )
    .default("readers"),
    Row::new("--json", Nothing, "summary as JSON", |o, _| put(&mut o.json, true)).scope(Scope::EVERYWHERE),
    Row::new("--quiet", Nothing, "no progress and no summary", |o, _| put(&mut o.quiet, true))
        .scope(RUNS.and(Scope::COMPARE).and(Scope::TRACE_DIFF)),
    Row::with("--out", Folder, "demo: folder for the files it writes", Effect::OutFolder)
        .default("widebragg-demo")
        .scope(Scope::DEMO),
];

static SERIES: &[Row] = &[
    Row::new(
        "--frames",
        Integer,
        "rotation series of n images, phi advanced by -osc from one to the next",
        |o, v| set(&mut o.frames, v.count()),
    )
    .scope(Scope::RENDER),
    Row::new("--frame-range", Range, "render only frames A to B of the series, counted from 1", |o, v| {
        set(&mut o.frame_range, v.frame_range())
    })
    .scope(Scope::RENDER),
    Row::new("--resume", Nothing, "render only the frames that are missing or incomplete", |o, _| {
        put(&mut o.resume, true)
    })
    .scope(Scope::RENDER),
];

static COMPARING: &[Row] = &[
    Row::compare(
        "--run",
        Program,
        "twice: programs to run first, each with the options after -- and in a folder of its own (a, b); what they write \
         is kept and their float images are compared",
        |c, v| {
            c.runs.push(v.text()?);
            Ok(())
        },
    ),
    Row::compare(
        "--size",
        Each(&["fast", "slow"]),
        "pixels of float images, which have no header",
        |c, v| {
            let [fast, slow] = v.pixels()?;
            if fast == 0 || slow == 0 {
                return Err(v.refuse("must be at least 1"));
            }
            set(&mut c.size_px, Ok([fast, slow]))
        },
    )
    .default("that of the other image"),
    Row::compare(
        "--roi",
        Each(&["xmin", "xmax", "ymin", "ymax"]),
        "pixels to compare, inclusive; x is fast",
        |c, v| set(&mut c.roi_px, v.region()),
    )
    .default("all"),
    Row::compare(
        "--threshold",
        Number(Plain("C")),
        "exit code 3 where the correlation is below C",
        |c, v| match v.number(0)? {
            correlation if correlation > 1.0 => Err(v.refuse("a correlation is at most 1")),
            correlation => put(&mut c.threshold, Some(correlation)),
        },
    ),
    Row::compare(
        "--rings",
        Nothing,
        "resolution rings on the pictures, from the header of A or B",
        |c, _| put(&mut c.rings, true),
    ),
    Row::compare("--geometry", File, "SMV or CBF image whose header --rings takes instead", |c, v| {
        set(&mut c.geometry, v.path())
    }),
    Row::compare(
        "--out",
        Folder,
        "compare: folder for summary.json, report.html, pictures and runs",
        |c, v| put(&mut c.out, v.path()?),
    )
    .default("widebragg-compare"),
];

static TRACING: &[Row] = &[
    Row::trace("--pixel", Each(&["slow", "fast"]), "pixel to trace; may be given several times", |t, v| {
        once(&mut t.pixels, v.pixels()?);
        Ok(())
    }),
    Row::trace(
        "--roi",
        Each(&["smin", "smax", "fmin", "fmax"]),
        "pixels to trace instead, inclusive; unlike -roi slow goes first",
        |t, v| match v.pixels()? {
            [smin, smax, _, _] if smin > smax => Err(v.refuse("smin is larger than smax")),
            [_, _, fmin, fmax] if fmin > fmax => Err(v.refuse("fmin is larger than fmax")),
            region => put(&mut t.roi_px, Some(region)),
        },
    ),
    Row::trace("--subpixel", Each(&["slow", "fast"]), "trace only the steps of this subpixel", |t, v| {
        set(&mut t.subpixel, v.pixels())
    })
    .default("all"),
    Row::trace("--source", Integer, "trace only the steps of this source, counted from 0", |t, v| {
        let source = usize::try_from(v.integer()?).map_err(|_| v.refuse("must not be negative"))?;
        put(&mut t.source, Some(source))
    })
    .default("all"),
    Row::trace("--dtype", Choice(&["float64", "float32"]), "what the values told are rounded to", |t, v| {
        put(&mut t.dtype, v.choice(&[Dtype::Float64, Dtype::Float32])?)
    })
    .default("float64"),
    Row::trace("--out", File, "trace: file for it", |t, v| set(&mut t.out, v.path()))
        .default("standard output"),
    Row::trace(
        "--format",
        Choice(&["text", "json"]),
        "lines with 15 digits, or JSON with all; --json is short for the latter",
        |t, v| put(&mut t.format, v.choice(&[TraceFormat::Text, TraceFormat::Json])?),
    )
    .default("text"),
];

static TRACE_COMPARING: &[Row] = &[
    Row::trace_diff(
        "--rtol",
        Number(Plain("R")),
        "largest relative difference that is none; of vectors relative to their largest component",
        |t, v| put(&mut t.rtol, v.nonnegative()?),
    )
    .default("1e-6"),
    Row::trace_diff("--atol", Number(Plain("D")), "largest absolute difference that is none", |t, v| {
        put(&mut t.atol, v.nonnegative()?)
    })
    .default("0"),
    Row::trace_diff(
        "--pixel",
        Each(&["slow", "fast"]),
        "pixel to compare; may be given several times",
        |t, v| {
            once(&mut t.pixels, v.pixels()?);
            Ok(())
        },
    )
    .default("all that both have"),
    Row::trace_diff("--out", Folder, "trace-diff: folder for metrics.json", |t, v| {
        put(&mut t.out, v.path()?)
    })
    .default("the current one"),
];

static DERIVATIVES: &[Row] = &[
    Row::gradient(
        "--wrt",
        Names,
        "parameters: cell, vectors, misset, phi, osc, lambda, origin, distance, beam, detector, scale, mosaic, default_F, single \
         ones of these (a, b_x, misset_z, detector_rotx, ...), all; gradient: also F, for each structure factor",
        |g, v| put(&mut g.wrt, v.names()?),
    )
    .default("gradcheck: all"),
    Row::gradient(
        "--against",
        File,
        "image that the render is compared with: float (as the detector has pixels), SMV or CBF",
        |g, v| set(&mut g.against, v.path()),
    )
    .scope(Scope::GRADIENT.and(Scope::REFINE)),
    Row::gradient("--weights", File, "float image of weights of the pixels, instead", |g, v| {
        set(&mut g.weights, v.path())
    })
    .default("1 for all")
    .scope(Scope::GRADIENT),
    Row::gradient(
        "--loss",
        Choice(&["least-squares", "poisson"]),
        "half the sum of squared differences, or the likelihood of counts (refine: by signed roots of the deviance)",
        |g, v| put(&mut g.loss, v.choice(&[LossKind::LeastSquares, LossKind::Poisson])?),
    )
    .default("least-squares")
    .scope(Scope::GRADIENT.and(Scope::REFINE)),
    Row::gradient(
        "--out",
        Folder,
        "folder; gradient: the JSON, images, derivatives by F; refine: the JSON, pictures before and after, the fitted matrix",
        |g, v| set(&mut g.out, v.path()),
    )
    .default("nothing is written")
    .scope(Scope::GRADIENT.and(Scope::REFINE)),
    Row::gradient(
        "--images",
        Nothing,
        "gradient: a float image and a picture of dI/dp for each parameter, into --out",
        |g, _| put(&mut g.images, true),
    )
    .scope(Scope::GRADIENT),
    Row::gradient(
        "--tolerance",
        Number(Plain("R")),
        "gradcheck: largest relative error of a derivative that is right",
        |g, v| put(&mut g.tolerance, v.nonnegative()?),
    )
    .default("1e-6")
    .scope(Scope::GRADCHECK),
    Row::gradient("--iterations", Integer, "refine: most steps, all stages together", |g, v| {
        put(&mut g.iterations, v.count()?)
    })
    .default("60")
    .scope(Scope::REFINE),
];

static RUNNING: &[Row] = &[
    Row::new(
        "--evidence",
        Folder,
        "a fresh folder (DIR-2, DIR-3, ... where DIR exists) with copies of what is written, commands.txt, env.json and \
         sha256.txt",
        |o, v| set(&mut o.evidence, v.path()),
    )
    .scope(Scope::RENDER.and(Scope::COMPARE).and(Scope::TRACE).and(Scope::SLOPES)),
    Row::new(
        "--phi-carryover-mode",
        Choice(names!(PhiMode)),
        "as the physics has it, or as the reference does it, defects included",
        |o, v| put(&mut o.carryover_mode, v.choice(PhiMode::ALL)?),
    )
    .default("spec")
    .scope(RUNS),
    Row::new("--reference-threads", Integer, "c-parity: as the reference with n threads", |o, v| {
        set(&mut o.reference_threads, v.count())
    })
    .default("1"),
    Row::new("--threads", Integer, "worker threads; the image does not depend on it", |o, v| {
        set(&mut o.threads, v.count())
    })
    .default("all cores")
    .scope(RUNS.and(Scope::COMPARE)),
    Row::new("--simd", Choice(names!("auto", SimdLevel)), "instruction set", |o, v| {
        let [portable, avx2, avx512] = SimdLevel::ALL.map(Some);
        put(&mut o.simd, v.choice(&[None, portable, avx2, avx512])?)
    })
    .default("auto: the best the processor has")
    .scope(RUNS.and(Scope::BENCH)),
    Row::new("--precision", Choice(names!(Precision)), "arithmetic of the lattice factor", |o, v| {
        put(&mut o.precision, v.choice(Precision::ALL)?)
    })
    .default("f64"),
    Row::with("--help", Nothing, "print the help", Effect::Help)
        .aliases(&["-h", "-help"])
        .scope(Scope::EVERYWHERE),
    Row::with("--version", Nothing, "print the version", Effect::Version).scope(Scope::EVERYWHERE),
];

static IGNORED: &[Row] = &[
    Row::new("-density", Number(Plain("g/cm^3")), "sample density", ignored)
        .aliases(&["-sample_density"])
        .stems(&["-sample_den"]),
    Row::new("-MW", Number(Plain("g/mol")), "molecular weight", ignored)
        .aliases(&["-molecular_weight"])
        .stems(&["-molec"]),
    Row::new("-stol", File, "amorphous scattering against sin(theta)/lambda", ignored),
    Row::new("-4stol", File, "amorphous scattering against 4 sin(theta)/lambda", ignored),
    Row::new("-Q", File, "amorphous scattering against Q", ignored),
];

const VECTOR: super::row::Takes = Each(&["x", "y", "z"]);

fn set<T>(field: &mut Option<T>, value: Result<T, Failure>) -> Result<(), Failure> {
    *field = Some(value?);
    Ok(())
}

/// Adds what is not there yet.
fn once(pixels: &mut Vec<[usize; 2]>, pixel: [usize; 2]) {
    if !pixels.contains(&pixel) {
        pixels.push(pixel);
    }
}

fn put<T>(field: &mut T, value: T) -> Result<(), Failure> {
    *field = value;
    Ok(())
}

fn misset(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    options.misset = match given.words {
        [word] if word == "random" => Misset::Random,
        _ => Misset::Given(given.angles()?),
    };
    Ok(())
}

fn pivot(options: &mut Options, pivot: Pivot) {
    options.pivot = Some(pivot);
}

fn turn(options: &mut Options, axis: usize, given: &Given<'_>) -> Result<(), Failure> {
    options.detector_rot_rad[axis] = given.si()?;
    Ok(())
}

/// The custom axes so far: none where a named convention stands.
fn custom(options: &Options) -> CustomAxes {
    match options.convention {
        Convention::Custom(axes) => axes,
        _ => CustomAxes::default(),
    }
}

fn axis(
    options: &mut Options,
    given: &Given<'_>,
    place: fn(&mut CustomAxes) -> &mut Option<Vec3>,
) -> Result<(), Failure> {
    let mut axes = custom(options);
    *place(&mut axes) = Some(given.direction()?.into());
    options.convention = Convention::Custom(axes);
    Ok(())
}

fn attenuation(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let infinite = given.words.first().and_then(|word| word.trim().parse().ok()) == Some(f64::INFINITY);
    let depth = if infinite || given.number(0)? == 0.0 {
        Attenuation::NoThickness
    } else {
        Attenuation::DepthM(given.positive()?)
    };
    options.detector_abs = Some(depth);
    Ok(())
}

fn ignored(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    options.note(format!("{} is accepted but has no effect, as in the reference", shown(given.typed)));
    Ok(())
}
