//! The topics of the help.

use super::help::{WIDTH, wrapped};
use super::message::listed;
use widebragg_experiment::detectors::{self, Converter, NamedDetector, SensorVariant};
use widebragg_formats::format_g::format_g;

/// A topic of `widebragg help TOPIC`.
pub(super) struct Topic {
    pub name: &'static str,
    /// What it is about: one line without a full stop.
    pub title: &'static str,
    pub text: Text,
}

/// The text of a topic.
#[derive(Clone, Copy)]
pub(super) enum Text {
    /// Paragraphs with empty lines between them; lines that begin with a space are kept as they are.
    Written(&'static str),
    /// The same, with the list of detectors after it.
    WithDetectors(&'static str),
    /// Made from the tables of all options.
    AllOptions,
}

impl Text {
    /// The paragraphs; `None` for what is made from the tables of all options.
    pub fn paragraphs(self) -> Option<String> {
        match self {
            Self::Written(text) => Some(text.to_owned()),
            Self::WithDetectors(text) => Some(format!("{text}\n{}", detectors())),
            Self::AllOptions => None,
        }
    }
}

/// A line for each detector that is known by name, and what is uncertain about it.
fn detectors() -> String {
    const INDENT: usize = 19;
    let refused: Vec<_> = detectors::refused().map(|(name, _)| name).collect();
    let refused =
        format!("Refused, since their geometry must come from a file, are {}.", listed(&refused, "and"));
    let mut text = wrapped(&refused, WIDTH).join("\n") + "\n\n";
    text += &format!("  {:<17}{:<13}{:<8}{:<9}sensor, um\n", "name", "pixels", "um", "modules");
    for detector in detectors::ALL {
        let by = |[fast, slow]: [usize; 2]| format!("{fast} x {slow}");
        let (pixels, modules) = (by(detector.pixels()), by(detector.modules.count));
        let pixel_um = format_g(detector.pixel_mm * 1e3);
        let converter =
            if detector.needs_file.is_some() { "refused".to_owned() } else { converter(detector) };
        text += &format!("  {:<17}{pixels:<13}{pixel_um:<8}{modules:<9}{converter}\n", detector.name);
        let also = (!detector.aliases.is_empty()).then(|| format!("also {}", detector.aliases.join(", ")));
        let remarks = [also.as_deref(), detector.doubt, detector.needs_file];
        for remark in remarks.into_iter().flatten() {
            for line in wrapped(remark, WIDTH - INDENT) {
                text += &format!("{:INDENT$}{line}\n", "");
            }
        }
    }
    text
}

/// The sensors that a detector is made with, or its screen.
fn converter(detector: &NamedDetector) -> String {
    let Converter::Sensor { variants, .. } = detector.converter else {
        let Converter::Screen(screen) = detector.converter else { return String::new() };
        return screen.to_owned();
    };
    let of_material = |variants: &[SensorVariant]| {
        let thicknesses: Vec<_> = variants.iter().map(|variant| format_g(variant.thickness_um)).collect();
        let material = variants.first().map_or("", |variant| variant.material.name());
        format!("{material} {}", thicknesses.join("/"))
    };
    let materials = variants.chunk_by(|a, b| a.material == b.material).map(of_material);
    materials.collect::<Vec<_>>().join(", ")
}

macro_rules! written {
    ($name:literal, $title:literal) => {
        Topic {
            name: $name,
            title: $title,
            text: Text::Written(include_str!(concat!("topics/", $name, ".txt"))),
        }
    };
}

/// All topics, in the order of the help.
pub(super) static TOPICS: [Topic; 26] = [
    Topic { name: "options", title: "all options, with units and defaults", text: Text::AllOptions },
    written!("units", "units of options and files"),
    written!("hkl", "the files of reflections that -hkl reads"),
    written!("models", "structure factors from the coordinates of atoms"),
    written!("geometry", "--geometry: panels, beam and crystal from a file"),
    written!("spectrum", "--spectrum: weights of the wavelengths of the beam"),
    written!("background", "--background: scattering of water, air, ice and the like"),
    written!("crystals", "sizes, spots, mosaic domains; several crystals and twins"),
    Topic {
        name: "detectors",
        title: "detectors by name (--detector), and their sensors",
        text: Text::WithDetectors(include_str!("topics/detectors.txt")),
    },
    written!("predictions", "--predictions: where reflections are on the images"),
    written!("output-files", "the files that a render writes, and when"),
    written!("headers", "geometry in SMV and CBF files, --header, --expt and --xds-inp"),
    written!("nxmx", "--nxmx: all frames and their geometry in an HDF5 file"),
    written!("modes", "--phi-carryover-mode spec|c-parity: the physics or nanoBragg"),
    written!("diagnose", "what the faults of nanoBragg do to an image"),
    written!("series", "--frames: a rotation series, resumed or shared between jobs"),
    written!("shots", "widebragg shots: many stills, each of crystals of its own"),
    written!("compare", "comparing two images or two programs"),
    written!("trace", "intermediate values of pixels, and where two programs differ"),
    written!("fit", "derivatives and the fit of parameters to an image"),
    written!("evidence", "--evidence: a record of a run that can be checked later"),
    written!("noise", "--noise-model: the noise of the detector, stage by stage"),
    written!("noisify", "noisify and nonbragg, nanoBragg's companions"),
    written!("performance", "--threads, --simd, --precision; speed"),
    written!("devices", "--device: images from a GPU, bit for bit"),
    written!("memory", "the memory that a run needs, and limits of size"),
];

/// Other words that find a topic, and its name.
const WORDS: [(&str, &str); 31] = [
    ("nexus", "nxmx"),
    ("hdf5", "nxmx"),
    ("smv", "headers"),
    ("cbf", "headers"),
    ("expt", "headers"),
    ("dials", "headers"),
    ("sensor", "detectors"),
    ("detector", "detectors"),
    ("gaps", "detectors"),
    ("light", "performance"),
    ("neglect", "performance"),
    ("precision", "performance"),
    ("threads", "performance"),
    ("simd", "performance"),
    ("device", "devices"),
    ("gpu", "devices"),
    ("opencl", "devices"),
    ("cuda", "devices"),
    ("vulkan", "devices"),
    ("readout", "noise"),
    ("gain", "noise"),
    ("gain-modes", "noise"),
    ("bad-pixels", "noise"),
    ("jungfrau", "noise"),
    ("pilatus", "noise"),
    ("eiger", "noise"),
    ("rayonix", "noise"),
    ("cspad", "noise"),
    ("frames", "series"),
    ("resume", "series"),
    ("space-group", "hkl"),
];

/// The topic of this name, or about the option or format that a word names.
pub(super) fn topic(name: &str) -> Option<&'static Topic> {
    let word = name.trim_start_matches('-').to_lowercase();
    let about = WORDS.iter().find(|(other, _)| *other == word).map(|&(_, topic)| topic);
    TOPICS.iter().find(|topic| topic.name == name || Some(topic.name) == about)
}
