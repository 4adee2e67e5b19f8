//! `widebragg noisify`.

use widebragg::noise::point_spread::Shape;
use widebragg::rotation::PhiMode;
use widebragg_formats::c_library::int_of;

use super::super::{
    companions::NoisifyOptions,
    message::shown,
    model::Command,
    spec::{CommandSpec, EXIT_CODES},
    substring::{Following, SubstringRow, SubstringSection, SubstringSyntax},
    takes::{
        Takes::{Choice, File, Integer, Nothing, Number},
        Unit::{Angstrom, Degree, Micrometre, Millimetre, Plain},
    },
};

type Row = SubstringRow<NoisifyOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "noisify",
    purpose: "add noise to an image of photons, as noisify",
    usage: &["noisify -floatfile FILE [OPTIONS]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["noisify"],
};

static SYNTAX: SubstringSyntax<NoisifyOptions> = SubstringSyntax {
    sections: &[FILES, NOISE, SPREAD, DETECTOR, HEADER, RUN],
    take_file,
    note: |options, note| options.notes.push(note),
    make: |options| Command::Noisify(Box::new(options)),
};

/// A word with this in it is the input without an option, too.
const USUAL_INPUT: &str = "floatimage.bin";

fn take_file(options: &mut NoisifyOptions, word: &str) -> bool {
    let is_input = word.contains(USUAL_INPUT);
    if is_input {
        options.float_file = Some(word.into());
    }
    is_input
}

/// The seed of a generator that is started with the negative of its option, in 32 bits.
pub(super) fn seed(given: Following<'_>) -> i64 {
    -i64::from(given.integer().wrapping_neg())
}

const FILES: SubstringSection<NoisifyOptions> = SubstringSection {
    heading: "Files of noisify",
    rows: &[
        Row::new("-floatfile", File, "photons as raw f32, slow-major", |o, v| {
            o.float_file = Some(v.word().into());
        })
        .or(&["-floatimage", "-bin"]),
        Row::new("-header", File, "SMV image whose header is copied and sets the size", |o, v| {
            o.header_file = Some(v.word().into());
        }),
        Row::new("-intfile", File, "SMV image without noise", |o, v| o.int_file = v.word().into())
            .or(&["-intimage"])
            .default("intimage.img"),
        Row::new("-noisefile", File, "SMV image with noise", |o, v| o.noise_file = v.word().into())
            .or(&["-noiseimage"])
            .default("noiseimage.img"),
        Row::new("-pgmfile", File, "PGM image without noise", |o, v| o.pgm_file = v.word().into())
            .or(&["-pgmimage"])
            .default("image.pgm"),
        Row::new("-nonoise", Nothing, "no image with noise; the other one is spread", |o, _| {
            o.has_noise = false;
        }),
        Row::new("-nopgm", Nothing, "no PGM image", |o, _| o.has_pgm = false),
        Row::new("-bits", Integer, "bits of a pixel, 16 or 32", |o, v| o.bits = v.integer()).default("16"),
    ],
};

const NOISE: SubstringSection<NoisifyOptions> = SubstringSection {
    heading: "Noise of noisify",
    rows: &[
        Row::new("-scale", Number(Plain("factor")), "factor on the photons", |o, v| o.scale = v.number())
            .default("1"),
        Row::new(
            "-fluence",
            Number(Plain("photons/m2")),
            "further factor, in units of its default",
            |o, v| {
                o.fluence_per_m2 = v.number();
            },
        )
        .default("1.26e29"),
        Row::new("-gain", Number(Plain("ADU")), "ADU for each photon", |o, v| o.gain = v.number())
            .default("1"),
        Row::new("-adc", Number(Plain("ADU")), "ADU without photons", |o, v| o.offset_adu = v.number())
            .default("40"),
        Row::new("-readout", Number(Plain("ADU")), "rms noise of the readout", |o, v| {
            o.readout_adu = v.number()
        })
        .or(&["-readnoi"])
        .default("0"),
        Row::new(
            "-flicker",
            Number(Plain("fraction")),
            "rms deviation of the source, for each pixel",
            |o, v| {
                o.flicker = v.number();
            },
        )
        .default("0"),
        Row::new("-calibration", Number(Plain("fraction")), "rms deviation of the pixels", |o, v| {
            o.calibration = v.number();
        })
        .default("0.03"),
        Row::new("-seed", Integer, "seed of all but the calibration", |o, v| o.seed = Some(seed(v)))
            .default("the time"),
        Row::new("-calib_seed", Integer, "seed of the calibration", |o, v| o.calibration_seed = seed(v))
            .default("-123456789"),
        Row::new("-badpix_seed", Integer, "has no effect", |_, _| ()),
        Row::new("-hotpix_seed", Integer, "has no effect", |_, _| ()),
    ],
};

const SPREAD: SubstringSection<NoisifyOptions> = SubstringSection {
    heading: "Point spread of noisify",
    rows: &[
        Row::new("-psf", Choice(&["gauss", "fiber"]), "form of the point spread", spread)
            .whole()
            .default("none"),
        Row::new("-psf_fwhm", Number(Micrometre), "full width at half maximum", |o, v| {
            o.spread_width_m = (v.number() / 1e6) as f32;
        })
        .or(&["-psf_fw", "-psf_si", "-psf_wi"])
        .default("46"),
        Row::new("-psf_radius", Number(Plain("pixels")), "radius; 0: one for each pixel", |o, v| {
            o.spread_radius_px = int_of(v.number());
        })
        .or(&["-psf_rad"])
        .default("0"),
    ],
};

fn spread(options: &mut NoisifyOptions, given: Following<'_>) {
    let name = given.word();
    options.spread = match (name.contains("fiber"), name.contains("gauss")) {
        (true, _) => Some(Shape::Fiber),
        (false, true) => Some(Shape::Gauss),
        (false, false) => {
            options.notes.push(format!("-psf {} has no effect: neither gauss nor fiber", shown(name)));
            None
        }
    };
}

const DETECTOR: SubstringSection<NoisifyOptions> = SubstringSection {
    heading: "Detector of noisify",
    rows: &[
        Row::new("-detpixels", Integer, "pixels along both axes", |o, v| o.pixels = [v.integer(); 2])
            .whole()
            .default("from the file"),
        Row::new("-detpixels_x", Integer, "pixels along the fast axis", |o, v| o.pixels[0] = v.integer()),
        Row::new("-detpixels_y", Integer, "pixels along the slow axis", |o, v| o.pixels[1] = v.integer()),
        Row::new("-pixel", Number(Millimetre), "edge of a pixel", |o, v| o.pixel_m = v.number() / 1000.0)
            .default("0.1"),
        Row::new("-detsize", Number(Millimetre), "size, where pixels are not known", |o, v| {
            o.size_m = [v.number() / 1000.0; 2];
        })
        .whole(),
        Row::new("-detsize_x", Number(Millimetre), "size along the fast axis", |o, v| {
            o.size_m[0] = v.number() / 1000.0;
        }),
        Row::new("-detsize_y", Number(Millimetre), "size along the slow axis", |o, v| {
            o.size_m[1] = v.number() / 1000.0;
        }),
    ],
};

const HEADER: SubstringSection<NoisifyOptions> = SubstringSection {
    heading: "Header of noisify",
    rows: &[
        Row::new("-lambda", Number(Angstrom), "wavelength", |o, v| o.lambda_angstrom = v.number())
            .default("1"),
        Row::new("-distance", Number(Millimetre), "distance", |o, v| o.distance_m = v.number() / 1000.0)
            .default("100"),
        Row::new("-Xbeam", Number(Millimetre), "beam centre along the fast axis", |o, v| {
            o.beam_centre_m[0] = Some(v.number() / 1000.0);
        })
        .default("the middle"),
        Row::new("-Ybeam", Number(Millimetre), "beam centre along the slow axis", |o, v| {
            o.beam_centre_m[1] = Some(v.number() / 1000.0);
        })
        .default("the middle"),
        Row::new("-phi", Number(Degree), "spindle angle", |o, v| o.phi_deg = v.number()).default("0"),
        Row::new("-osc", Number(Degree), "oscillation", |o, v| o.osc_deg = v.number()).default("1"),
    ],
};

/// Takes a mode; a line is added to `notes` where it is none.
pub(super) fn mode_of(given: Following<'_>, mode: &mut PhiMode, notes: &mut Vec<String>) {
    match given.word().parse() {
        Ok(given) => *mode = given,
        Err(_) => {
            let word = shown(given.word());
            notes.push(format!("--mode {word} has no effect: neither c-parity nor spec"));
        }
    }
}

const RUN: SubstringSection<NoisifyOptions> = SubstringSection {
    heading: "Run of noisify",
    rows: &[
        Row::new("--mode", Choice(&["c-parity", "spec"]), "noise of noisify, or of spec", |o, v| {
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
