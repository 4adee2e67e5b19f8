//! The topics of the help.

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
    /// Made from the tables of all options.
    AllOptions,
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
pub(super) static TOPICS: [Topic; 15] = [
    Topic { name: "options", title: "all options, with units and defaults", text: Text::AllOptions },
    written!("units", "units of options and files"),
    written!("hkl", "the files of reflections that -hkl reads"),
    written!("models", "structure factors from the coordinates of atoms"),
    written!("output-files", "the files that a render writes, and when"),
    written!("headers", "--header: headers of SMV and CBF images"),
    written!("modes", "--phi-carryover-mode spec|c-parity: the physics or nanoBragg"),
    written!("diagnose", "what the faults of nanoBragg do to an image"),
    written!("series", "--frames: a rotation series, resumed or shared between jobs"),
    written!("compare", "comparing two images or two programs"),
    written!("trace", "intermediate values of pixels, and where two programs differ"),
    written!("fit", "derivatives and the fit of parameters to an image"),
    written!("evidence", "--evidence: a record of a run that can be checked later"),
    written!("performance", "--threads, --simd, --precision; speed"),
    written!("memory", "the memory that a run needs, and limits of size"),
];

/// The topic of this name.
pub(super) fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}
