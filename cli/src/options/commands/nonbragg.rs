//! `widebragg nonbragg`.

use core::f64::consts::FRAC_1_PI;

use widebragg::detector::Pivot;
use widebragg_formats::c_library::int_of;
use widebragg_formats::stol::Abscissa;

use super::{
    super::{
        companions::{NonbraggOptions, RadialFile},
        model::Command,
        spec::{CommandSpec, EXIT_CODES},
        substring::{Following, SubstringRow, SubstringSection, SubstringSyntax},
        takes::{
            Takes::{Choice, Each, File, Integer, Nothing, Number},
            Unit::{Angstrom, Degree, ElectronVolt, Millimetre, Milliradian, Percent, Plain},
        },
    },
    noisify::{mode_of, seed},
};

type Row = SubstringRow<NonbraggOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "nonbragg",
    purpose: "compute the scattering of amorphous matter, as nonBragg",
    usage: &["nonbragg -stol FILE [OPTIONS]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["noisify"],
};

static SYNTAX: SubstringSyntax<NonbraggOptions> = SubstringSyntax {
    sections: &[FILES, SAMPLE, BEAM, DETECTOR, IMAGES, NO_EFFECT, RUN],
    take_file: |_, _| false,
    note: |options, note| options.notes.push(note),
    make: |options| Command::Nonbragg(Box::new(options)),
};

/// Degrees in a radian, as the reference has them.
const DEGREES: f64 = 180.0 * FRAC_1_PI;

fn metres(given: Following<'_>) -> f64 {
    given.number() / 1000.0
}

fn radians(given: Following<'_>) -> f64 {
    given.number() / DEGREES
}

fn table(options: &mut NonbraggOptions, given: Following<'_>, abscissa: Abscissa) {
    options.table = Some(RadialFile { path: given.word().into(), abscissa });
}

const FILES: SubstringSection<NonbraggOptions> = SubstringSection {
    heading: "Files of nonbragg",
    rows: &[
        Row::new("-stol", File, "lines of sin(theta)/lambda and F in electrons", |o, v| {
            table(o, v, Abscissa::S);
        })
        .whole(),
        Row::new("-4stol", File, "the same with 4 sin(theta)/lambda", |o, v| table(o, v, Abscissa::FourS))
            .whole(),
        Row::new("-Q", File, "the same with Q, 4 pi sin(theta)/lambda", |o, v| table(o, v, Abscissa::Q))
            .whole(),
        Row::new("-sourcefile", File, "lines of X Y Z weight lambda in m", |o, v| {
            o.source_file = Some(v.word().into());
        }),
        Row::new("-img", File, "SMV image to extract F from; its header counts", |o, v| {
            o.image = Some(v.word().into());
        }),
        Row::new("-ignore", Integer, "a pixel value to leave out of it", |o, v| {
            o.ignored.push(int_of(v.number()) as u16);
        }),
        Row::new("-stolout", File, "file of the extracted F", |o, v| o.table_out = v.word().into())
            .default("output.stol"),
        Row::new("-floatfile", File, "image as raw f32", |o, v| o.float_file = v.word().into())
            .or(&["-floatimage"])
            .default("floatimage.bin"),
        Row::new("-intfile", File, "SMV image", |o, v| o.int_file = v.word().into())
            .or(&["-intimage"])
            .default("intimage.img"),
        Row::new("-pgmfile", File, "PGM image", |o, v| o.pgm_file = v.word().into())
            .or(&["-pgmimage"])
            .default("image.pgm"),
        Row::new("-noisefile", File, "SMV image with noise", |o, v| {
            (o.noise_file, o.has_noise) = (v.word().into(), true);
        })
        .or(&["-noiseimage"])
        .default("noiseimage.img"),
        Row::new("-nonoise", Nothing, "no image with noise", |o, _| o.has_noise = false),
    ],
};

const SAMPLE: SubstringSection<NonbraggOptions> = SubstringSection {
    heading: "Sample of nonbragg",
    rows: &[
        Row::new("-thick", Number(Millimetre), "along the beam", |o, v| o.sample_m[0] = metres(v))
            .or(&["-sample_thick", "-sample_x"])
            .default("0.1"),
        Row::new("-width", Number(Millimetre), "within the beam", |o, v| o.sample_m[1] = metres(v))
            .or(&["-sample_width", "-sample_y"]),
        Row::new("-heigh", Number(Millimetre), "within the beam", |o, v| o.sample_m[2] = metres(v))
            .or(&["-sample_heigh", "-sample_z"]),
        Row::new("-samplesize", Number(Millimetre), "all three", |o, v| o.sample_m = [metres(v); 3])
            .or(&["-sample_size"]),
        Row::new("-density", Number(Plain("g/cm3")), "density", |o, v| o.density_g_per_m3 = v.number() * 1e6)
            .or(&["-sample_den"])
            .default("1"),
        Row::new("-MW", Number(Plain("g/mol")), "molecular weight", |o, v| o.molecular_weight = v.number())
            .whole()
            .default("18"),
        Row::new("-molecular", Number(Plain("g/mol")), "molecular weight", |o, v| {
            o.molecular_weight = v.number();
        }),
        Row::new("-molecules", Number(Plain("n")), "their number, instead", |o, v| o.molecules = v.number())
            .or(&["-sample_molecules"]),
    ],
};

const BEAM: SubstringSection<NonbraggOptions> = SubstringSection {
    heading: "Beam of nonbragg",
    rows: &[
        Row::new("-lambda", Number(Angstrom), "wavelength", |o, v| o.lambda_m = Some(v.number() / 1.0e10))
            .or(&["-wave"])
            .default("1"),
        Row::new("-energy", Number(ElectronVolt), "photon energy", |o, v| {
            o.lambda_m = Some(12398.42 / v.number() / 1.0e10);
        }),
        Row::new("-fluence", Number(Plain("photons/m2")), "fluence", |o, v| o.fluence_per_m2 = v.number())
            .default("1.26e29"),
        Row::new("-flux", Number(Plain("photons/s")), "instead, with:", |o, v| o.flux_per_s = v.number()),
        Row::new("-exposure", Number(Plain("s")), "exposure", |o, v| o.exposure_s = v.number()).default("1"),
        Row::new("-beamsize", Number(Millimetre), "edge of the beam", |o, v| o.beamsize_m = metres(v))
            .default("0.1"),
        Row::new("-polar", Number(Plain("k")), "Kahn's polarisation factor", |o, v| {
            o.kahn = Some(v.number())
        })
        .whole()
        .default("0"),
        Row::new("-nopolar", Nothing, "no polarisation", |o, _| o.kahn = None),
        Row::new("-dispersion", Number(Percent), "spread of wavelengths", |o, v| {
            o.dispersion.0 = v.number() / 100.0;
        }),
        Row::new("-dispsteps", Integer, "number of wavelengths", |o, v| o.dispersion.1 = v.integer()),
        Row::new("-divergence", Number(Milliradian), "both divergences", |o, v| {
            (o.hdiv.0, o.vdiv.0) = (metres(v), metres(v));
        }),
        Row::new("-hdivrange", Number(Milliradian), "horizontal divergence", |o, v| o.hdiv.0 = metres(v)),
        Row::new("-vdivrange", Number(Milliradian), "vertical divergence", |o, v| o.vdiv.0 = metres(v)),
        Row::new("-hdivstep", Number(Milliradian), "its step", |o, v| o.hdiv.1 = metres(v)).whole(),
        Row::new("-vdivstep", Number(Milliradian), "its step", |o, v| o.vdiv.1 = metres(v)).whole(),
        Row::new("-hdivsteps", Integer, "its number of steps", |o, v| o.hdiv.2 = v.integer()),
        Row::new("-vdivsteps", Integer, "its number of steps", |o, v| o.vdiv.2 = v.integer()),
        Row::new("-divsteps", Integer, "both numbers of steps", |o, v| {
            (o.hdiv.2, o.vdiv.2) = (v.integer(), v.integer());
        }),
        Row::new("-round_div", Nothing, "without the corners, as usual", |o, _| o.round_div = true),
        Row::new("-square_div", Nothing, "with the corners", |o, _| o.round_div = false),
        Row::new("-source_distance", Number(Millimetre), "where sources have no place", |o, v| {
            o.source_distance_m = metres(v);
        })
        .default("10000"),
    ],
};

const DETECTOR: SubstringSection<NonbraggOptions> = SubstringSection {
    heading: "Detector of nonbragg",
    rows: &[
        Row::new("-detpixels", Integer, "pixels along both axes", |o, v| o.pixels = [Some(v.integer()); 2])
            .whole(),
        Row::new("-detpixels_x", Integer, "along fast", |o, v| o.pixels[0] = Some(v.integer()))
            .or(&["-detpixels_f"]),
        Row::new("-detpixels_y", Integer, "along slow", |o, v| o.pixels[1] = Some(v.integer()))
            .or(&["-detpixels_s"]),
        Row::new("-pixel", Number(Millimetre), "edge of a pixel", |o, v| o.pixel_m = Some(metres(v)))
            .default("0.1"),
        Row::new("-detsize", Number(Millimetre), "size", |o, v| o.size_m = [Some(metres(v)); 2])
            .whole()
            .default("102.4"),
        Row::new("-detsize_x", Number(Millimetre), "along fast", |o, v| o.size_m[0] = Some(metres(v))),
        Row::new("-detsize_y", Number(Millimetre), "along slow", |o, v| o.size_m[1] = Some(metres(v))),
        Row::new("-distance", Number(Millimetre), "along the beam", |o, v| {
            (o.distance_m, o.pivot) = (Some(metres(v)), Pivot::Beam);
        })
        .default("100"),
        Row::new("-close_distance", Number(Millimetre), "along the normal", |o, v| {
            (o.close_distance_m, o.pivot) = (Some(metres(v)), Pivot::Sample);
        }),
        Row::new("-Xbeam", Number(Millimetre), "beam centre along fast", |o, v| {
            (o.beam_centre_m[0], o.pivot) = (Some(metres(v)), Pivot::Beam);
        }),
        Row::new("-Ybeam", Number(Millimetre), "beam centre along slow", |o, v| {
            (o.beam_centre_m[1], o.pivot) = (Some(metres(v)), Pivot::Beam);
        }),
        Row::new("-Xclose", Number(Millimetre), "foot of the normal along fast", |o, v| {
            (o.close_m[0], o.pivot) = (Some(metres(v)), Pivot::Sample);
        }),
        Row::new("-Yclose", Number(Millimetre), "foot of the normal along slow", |o, v| {
            (o.close_m[1], o.pivot) = (Some(metres(v)), Pivot::Sample);
        }),
        Row::new("-ORGX", Number(Plain("pixels")), "foot of the normal along fast", |o, v| {
            (o.org_px[0], o.pivot) = (Some(v.number()), Pivot::Sample);
        }),
        Row::new("-ORGY", Number(Plain("pixels")), "foot of the normal along slow", |o, v| {
            (o.org_px[1], o.pivot) = (Some(v.number()), Pivot::Sample);
        }),
        Row::new("-pivot", Choice(&["beam", "sample"]), "what rotations leave in place", |o, v| {
            o.pivot = match (v.word().contains("beam"), v.word().contains("sample")) {
                (true, _) => Pivot::Beam,
                (false, true) => Pivot::Sample,
                (false, false) => o.pivot,
            };
        }),
        Row::new("-detector_rotx", Number(Degree), "rotation about x", |o, v| o.rotation_rad[0] = radians(v)),
        Row::new("-detector_roty", Number(Degree), "rotation about y", |o, v| o.rotation_rad[1] = radians(v)),
        Row::new("-detector_rotz", Number(Degree), "rotation about z", |o, v| o.rotation_rad[2] = radians(v)),
        Row::new("-twotheta", Number(Degree), "swing", |o, v| {
            (o.twotheta_rad, o.pivot) = (radians(v), Pivot::Sample);
        }),
        Row::new("-twotheta_axis", Each(&["x", "y", "z"]), "its axis; x is also the swing", |o, v| {
            o.twotheta_axis = v.numbers();
        }),
        Row::new("-fdet_vector", Each(&["x", "y", "z"]), "fast axis", |o, v| o.fast = v.numbers()),
        Row::new("-sdet_vector", Each(&["x", "y", "z"]), "slow axis", |o, v| o.slow = v.numbers()),
        Row::new("-beam_vector", Each(&["x", "y", "z"]), "direction of the beam", |o, v| {
            o.beam = v.numbers()
        }),
        Row::new("-polar_vector", Each(&["x", "y", "z"]), "along E", |o, v| o.polarization = v.numbers()),
        Row::new("-point_pixel", Nothing, "pixels as points", |o, _| o.point_pixel = true),
        Row::new("-curved_det", Nothing, "curved, if a word follows", |o, _| o.curved = true)
            .needing_a_word(),
        Row::new("-oversample", Integer, "subpixels along each axis", |o, v| o.oversample = v.integer())
            .default("1"),
        Row::new("-roi", Each(&["x0", "x1", "y0", "y1"]), "first and last pixels", |o, v| {
            o.roi = v.integers()
        }),
    ],
};

const IMAGES: SubstringSection<NonbraggOptions> = SubstringSection {
    heading: "Images of nonbragg",
    rows: &[
        Row::new("-Fmap", Nothing, "F instead of photons", |o, _| o.is_map = true),
        Row::new("-scale", Number(Plain("factor")), "of the integers", |o, v| o.int_scale = v.number())
            .default("maximum at 55000"),
        Row::new("-pgmscale", Number(Plain("factor")), "of the PGM image", |o, v| o.pgm_scale = v.number()),
        Row::new("-adc", Number(Plain("ADU")), "ADU without photons", |o, v| o.offset_adu = v.number())
            .default("40"),
        Row::new("-gain", Number(Plain("ADU")), "ADU for a photon of -img", |o, v| o.gain = v.number())
            .default("1"),
        Row::new("-seed", Integer, "seed of the noise", |o, v| o.seed = Some(seed(v))).default("the time"),
        Row::new("-phi", Number(Degree), "for the header", |o, v| o.phi0_rad = Some(radians(v))).whole(),
        Row::new("-osc", Number(Degree), "for the header", |o, v| o.osc_rad = Some(radians(v))),
        Row::new("-phistep", Number(Degree), "for the header", |o, v| o.phi_steps.0 = radians(v)).whole(),
        Row::new("-phisteps", Integer, "for the header", |o, v| o.phi_steps.1 = v.integer()),
    ],
};

const NO_EFFECT: SubstringSection<NonbraggOptions> = SubstringSection {
    heading: "Options of nonbragg that have no effect",
    rows: &[
        Row::new("-odet_vector", Each(&["x", "y", "z"]), "is accepted", |_, _| ()),
        Row::new("-pix0_vector", Each(&["x", "y", "z"]), "is accepted", |_, _| ()),
        Row::new("-spindle_axis", Each(&["x", "y", "z"]), "is accepted", |_, _| ()),
        Row::new("-coherent", Nothing, "is accepted", |_, _| ()),
        Row::new("-nopgm", Nothing, "is accepted", |_, _| ()),
        Row::new("-noreject", Nothing, "is accepted", |_, _| ()),
        Row::new("-printout", Nothing, "is accepted", |_, _| ()),
        Row::new("-progress", Nothing, "is accepted", |_, _| ()),
        Row::new("-noprogress", Nothing, "is accepted", |_, _| ()),
    ],
};

const RUN: SubstringSection<NonbraggOptions> = SubstringSection {
    heading: "Run of nonbragg",
    rows: &[
        Row::new("--mode", Choice(&["c-parity", "spec"]), "photons of nonBragg, or of spec", |o, v| {
            mode_of(v, &mut o.mode, &mut o.notes);
        })
        .whole()
        .default("c-parity"),
        Row::new("--threads", Integer, "worker threads, which change no pixel", |o, v| {
            o.threads = usize::try_from(v.integer()).ok();
        })
        .whole()
        .default("all cores"),
        Row::new("--quiet", Nothing, "print no summary", |o, _| o.quiet = true).whole(),
    ],
};
