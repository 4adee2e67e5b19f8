//! The name an unknown option was probably meant to be.
//!
//! First by meaning: names that other programs and papers have for the same quantity. Then the nearest by
//! Damerau-Levenshtein distance without the dashes, so that `--roi` finds `-roi`; far-off names get none.

use super::{
    commands::{COMMANDS, RENDER, command_words},
    message::{listed, quoted, shown},
    spec::CommandSpec,
    topics::TOPICS,
};
use crate::error::Failure;
use widebragg_experiment::detectors;

/// Words of other programs, without dashes and underscores and in small letters, and the options that mean the same.
///
/// A name is looked up with the unit at its end, if any, and without it.
pub(super) const SYNONYMS: &[(&[&str], &[&str])] = &[
    (&["orgx", "originx"], &["-ORGX"]),
    (&["orgy", "originy"], &["-ORGY"]),
    (&["org", "origin", "detectororigin"], &["-ORGX", "-ORGY"]),
    (
        &[
            "detectordistance",
            "detdistance",
            "detdist",
            "dist",
            "cameralength",
            "sampletodetectordistance",
            "clen",
        ],
        &["-distance"],
    ),
    (
        &["polarization", "polarisation", "polarizationfactor", "polarisationfactor", "kahn", "polarfactor"],
        &["-polar"],
    ),
    (&["nopolarization", "nopolarisation"], &["-nopolar"]),
    (
        &["beamcenter", "beamcentre", "beam", "center", "centre", "beamxy", "beamposition", "directbeam"],
        &["-Xbeam", "-Ybeam"],
    ),
    (&["beamcenterx", "beamcentrex", "beamx", "centerx", "centrex", "xcenter", "xcentre"], &["-Xbeam"]),
    (&["beamcentery", "beamcentrey", "beamy", "centery", "centrey", "ycenter", "ycentre"], &["-Ybeam"]),
    (&["lambda", "wavelength", "lam", "wl"], &["-lambda"]),
    (&["photonenergy", "xrayenergy", "ev", "kev"], &["-energy"]),
    (&["exposuretime", "exptime", "time"], &["-exposure"]),
    (&["photonflux"], &["-flux"]),
    (&["photons", "photonfluence", "intensity", "dose"], &["-fluence"]),
    (&["beamdiameter", "beamwidth", "spotsize", "focus"], &["-beamsize"]),
    (&["bandwidth", "bandpass", "spectralwidth", "dlambda", "deltalambda"], &["-dispersion"]),
    (&["mosaicspread", "mosaicblock", "mosaicityspread", "mosaicwidth", "mosaicangle"], &["-mosaic"]),
    (&["domains", "nmosaic", "nummosaic", "mosaicblocks"], &["-mosaic_domains"]),
    (&["pixelsize", "pixsize", "px"], &["-pixel"]),
    (&["npixels", "imagesize", "size", "detectorsize", "detsizepixels"], &["-detpixels"]),
    (
        &[
            "oscillation",
            "oscillationrange",
            "oscrange",
            "oscillationwidth",
            "phirange",
            "phiwidth",
            "rotation",
        ],
        &["-osc"],
    ),
    (&["phistart", "startphi", "phi0", "oscstart", "startangle", "startingangle"], &["-phi"]),
    (&["deltaphi", "dphi", "phiincrement"], &["-phistep"]),
    (&["nphi", "numphi"], &["-phisteps"]),
    (&["unitcell", "cellparameters", "latticeparameters"], &["-cell"]),
    (&["amatrix", "orientation", "orientationmatrix", "ubmatrix", "ub", "umat"], &["-mat"]),
    (&["structurefactors", "reflections", "fobs", "fcalc", "mtz", "sf", "hklfile", "hklin"], &["-hkl"]),
    (&["missets", "missetting", "missetangles", "rotate", "euler"], &["-misset"]),
    (&["ncells", "cells", "ncell", "numcells", "nabc"], &["-N"]),
    (&["crystalsize", "xtaldimension", "samplethickness"], &["-samplesize"]),
    (&["resolution", "highres", "highresolution", "dlimit", "reslimit"], &["-dmin"]),
    (&["sensorthickness", "detectorthickness", "thickness"], &["-detector_thick"]),
    (&["subpixels", "subpixel", "supersample", "supersampling", "oversampling"], &["-oversample"]),
    (&["2theta", "tth", "swing", "twothetaangle"], &["-twotheta"]),
    (&["tiltx"], &["-detector_rotx"]),
    (&["tilty"], &["-detector_roty"]),
    (&["tiltz"], &["-detector_rotz"]),
    (&["spindle", "rotationaxis", "goniometeraxis", "phiaxis"], &["-spindle_axis"]),
    (&["output", "out", "o", "outfile", "image", "outputfile"], &["-floatfile", "-intfile"]),
    (&["smv", "smvfile", "imgfile"], &["-intfile"]),
    (&["nthreads", "ncpu", "cpus", "cores", "j", "jobs", "nproc"], &["--threads"]),
    (&["noise", "addnoise"], &["-noisefile"]),
    (&["offset", "adcoffset", "pedestal", "bias"], &["-adc"]),
    (&["background", "solvent"], &["--background", "-water"]),
    (&["region", "window", "regionofinterest"], &["-roi"]),
    (&["nimages", "images", "nframes", "numframes"], &["--frames"]),
    (&["silent", "q"], &["--quiet"]),
];

/// Units that other programs write at the end of a name.
const UNITS: [&str; 14] = [
    "angstroms",
    "angstrom",
    "ang",
    "degrees",
    "deg",
    "pixels",
    "px",
    "mrad",
    "mm",
    "um",
    "ev",
    "percent",
    "sec",
    "a",
];

/// No option is near a name longer than this, and the distance costs length times length.
const LONGEST_NAME: usize = 40;

/// The error about an option that the command does not have.
pub(super) fn unknown_option(token: &str, spec: &CommandSpec) -> Failure {
    let name = token.split('=').next().unwrap_or(token);
    let spellings = || spec.options().flat_map(|option| option.spellings());
    // A spelling that is off by its capitals, dashes or underscores is no matter of meaning.
    let same = spellings().find(|spelling| plain(spelling) == plain(name));
    let same_meaning =
        synonyms(name).filter(|names| names.iter().all(|name| spec.syntax.find(name).is_some()));
    let hint = match (same, same_meaning) {
        (Some(name), _) => format!("did you mean {name}?"),
        (None, Some(names)) => format!("did you mean {}?", listed(names, "and")),
        (None, None) => match nearest(name, spellings()) {
            Some(name) => format!("did you mean {name}?"),
            None if spec.name == RENDER.name => "widebragg help options lists them all".to_owned(),
            None => format!("widebragg help {} lists them", spec.name),
        },
    };
    Failure::input(format!("unknown option {}; {hint}", shown(token)))
}

/// A name in small letters, without dashes and underscores.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !['-', '_', '.'].contains(c)).flat_map(char::to_lowercase).collect()
}

/// The options that mean the same as a name of another program.
fn synonyms(name: &str) -> Option<&'static [&'static str]> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let look_up =
        |word: &str| SYNONYMS.iter().find(|(words, _)| words.contains(&word)).map(|&(_, names)| names);
    let word = plain(name);
    look_up(&word).or_else(|| UNITS.iter().find_map(|unit| look_up(word.strip_suffix(unit)?)))
}

/// The error about a word that is not a command.
pub(super) fn unknown_command(word: &str) -> Failure {
    let commands = command_words();
    let hint = match nearest(word, commands.iter().copied()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            format!("commands are {}; --help lists the options", listed(&commands, "and"))
        }
    };
    Failure::input(format!("{} is neither an option nor a command; {hint}", quoted(word)))
}

/// The error about a subject on which there is no help.
pub(super) fn unknown_subject(subject: &str) -> Failure {
    let commands = COMMANDS.iter().map(|spec| spec.name);
    let names: Vec<_> = commands.chain(TOPICS.iter().map(|topic| topic.name)).collect();
    let hint = match nearest(subject, names.into_iter()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let topics: Vec<_> = TOPICS.iter().map(|topic| topic.name).collect();
            format!("topics are {}; widebragg help lists the commands", listed(&topics, "and"))
        }
    };
    Failure::input(format!("help: {} is neither a command nor a topic; {hint}", quoted(subject)))
}

/// The name that is nearest to what was typed, if one is near enough.
pub(super) fn nearest(token: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    nearest_of(
        token.trim_start_matches('-'),
        names.map(|name| (name.trim_start_matches('-').to_owned(), name)),
    )
}

/// The detector whose name is nearest to what was typed, if one is near enough.
pub(super) fn nearest_detector(name: &str) -> Option<&'static str> {
    let usable = detectors::ALL.iter().filter(|detector| detector.needs_file.is_none());
    let names = usable.flat_map(|detector| detector.names().map(|name| (name, detector.name)));
    nearest_of(&detectors::key(name), names.map(|(name, proper)| (detectors::key(name), proper)))
}

/// The value whose key is nearest to `bare`, if one is near enough.
fn nearest_of<T>(bare: &str, keys: impl Iterator<Item = (String, T)>) -> Option<T> {
    let length = bare.chars().count();
    if length > LONGEST_NAME {
        return None;
    }
    // A single letter is near every other one.
    let allowed = if length < 2 { 0 } else { (length / 3).clamp(1, 4) };
    keys.map(|(key, value)| (strsim::damerau_levenshtein(bare, &key), value))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, value)| value)
}
