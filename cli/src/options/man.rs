//! The man page, in roff (man macros).

use super::{
    commands::{COMMANDS, RENDER},
    reader::GENERAL,
    row::OptionSpec,
    spec::EXIT_CODES,
    topics::TOPICS,
};

const DESCRIPTION: &str = "\
widebragg computes the X-ray diffraction image of a nanocrystal, spot shapes and all, and writes it as a raw float \
image, an SMV image, an SMV image with photon noise and a PGM preview. It takes the command lines of nanoBragg: options \
are words with one dash, their values follow as words of their own, negative numbers are values, and the last option \
wins. Options that nanoBragg does not have begin with two dashes and also take --name=value.";

const FILES: [(&str, &str); 6] = [
    ("floatimage.bin", "Raw little-endian 32-bit floats, fast axis first, no header."),
    ("intimage.img", "SMV image of unsigned 16-bit integers."),
    ("noiseimage.img", "The same with photon noise."),
    ("image.pgm", "Preview."),
    ("noiseimage.expt", "Experiment list for DIALS, beside a series."),
    ("Fdump.bin", "Binary copy of the structure factors, read when -hkl is absent."),
];

const EXAMPLES: [(&str, &str); 3] = [
    ("widebragg demo", "Render a built-in crystal."),
    (
        "widebragg -mat A.mat -hkl P1.hkl -lambda 0.9768 -distance 231.3 -pixel 0.172 -detpixels_x 2463 \
         -detpixels_y 2527 -N 40 -osc 0.1 -phisteps 10 -oversample 1 --png preview.png",
        "Render a 0.1 degree oscillation in ten steps.",
    ),
    (
        "widebragg completions bash > ~/.local/share/bash-completion/completions/widebragg",
        "Install completions.",
    ),
];

/// The man page, for `man -l` or a folder of man pages.
pub fn man() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(".TH WIDEBRAGG 1 \"\" \"widebragg {version}\" \"User Commands\"\n");
    page.push_str(".SH NAME\nwidebragg \\- X\\-ray diffraction images of nanocrystals\n.SH SYNOPSIS\n");
    page.push_str(".B widebragg\n.RI [ option \" [\" value ...]]...\n");
    let commands = || COMMANDS.into_iter().filter(|spec| spec.name != RENDER.name);
    for usage in commands().flat_map(|spec| spec.usage) {
        let (name, values) = usage.split_once(' ').unwrap_or((usage, ""));
        page.push_str(&format!(".br\n.B widebragg {}\n{}", escaped(name), italic(values)));
    }
    page.push_str(&format!(".SH DESCRIPTION\n{}\n.SH COMMANDS\n", escaped(DESCRIPTION)));
    for spec in commands() {
        page.push_str(&format!(".TP\n.B {}\n{}\n", escaped(spec.name), sentence(spec.purpose)));
    }
    page.push_str(".SH OPTIONS\n");
    for group in COMMANDS.into_iter().flat_map(|spec| spec.syntax.sections()) {
        page.push_str(&format!(".SS {}\n", escaped(group.heading)));
        group.options.into_iter().for_each(|spec| option(&mut page, spec));
    }
    page.push_str(".SS Options of every command\n");
    GENERAL.iter().for_each(|spec| option(&mut page, spec));
    exit_status(&mut page);
    page.push_str(".SH FILES\nWritten by default, into the current folder:\n");
    for (name, what) in FILES {
        page.push_str(&format!(".TP\n.I {}\n{}\n", escaped(name), escaped(what)));
    }
    page.push_str(".SH EXAMPLES\n");
    for (line, what) in EXAMPLES {
        let (what, line) = (escaped(what), escaped(line));
        page.push_str(&format!(".PP\n{what}\n.PP\n.RS\n.nh\n.na\n{line}\n.ad\n.hy\n.RE\n"));
    }
    page.push_str(".SH TOPICS\n");
    for topic in &TOPICS {
        if let Some(text) = topic.text.paragraphs() {
            page.push_str(&format!(".SS {}: {}\n", escaped(topic.name), escaped(topic.title)));
            paragraphs(&mut page, &text);
        }
    }
    page
}

fn exit_status(page: &mut String) {
    page.push_str(".SH EXIT STATUS\n.TP\n.B 0\nSuccess.\n");
    let mut codes = |codes: &[(u8, &str)], command: &str| {
        for (code, meaning) in codes {
            page.push_str(&format!(".TP\n.B {code}\n{}\n", sentence(&format!("{command}{meaning}"))));
        }
    };
    codes(EXIT_CODES, "");
    for spec in COMMANDS {
        let own: Vec<_> = spec.exit_codes.iter().copied().filter(|code| !EXIT_CODES.contains(code)).collect();
        codes(&own, &format!("{}: ", spec.name));
    }
}

/// Paragraphs of a topic; lines that begin with a space are kept as they are.
fn paragraphs(page: &mut String, text: &str) {
    for paragraph in text.split("\n\n") {
        let lines: Vec<_> = paragraph.lines().collect();
        let is_kept = |line: &&str| line.starts_with(' ');
        for part in lines.chunk_by(|a, b| is_kept(a) == is_kept(b)) {
            if part.iter().any(is_kept) {
                verbatim(page, part);
            } else {
                page.push_str(".PP\n");
                part.iter().for_each(|line| page.push_str(&format!("{}\n", escaped(line))));
            }
        }
    }
}

/// Lines that are neither filled nor hyphenated. They begin at the left margin, since they may be as wide as
/// the page.
fn verbatim(page: &mut String, lines: &[&str]) {
    let lines: Vec<_> = lines.iter().map(|line| escaped(line).replace(' ', "\\ ")).collect();
    page.push_str(&format!(".PP\n.RS -7\n.nh\n.na\n{}\n.ad\n.hy\n.RE\n", lines.join("\n.br\n")));
}

fn option(page: &mut String, option: &OptionSpec) {
    let names: Vec<_> = option.spellings().map(|name| format!("\\fB{}\\fR", escaped(name))).collect();
    let values = match option.takes.placeholder() {
        values if values.is_empty() => String::new(),
        values => format!(" \\fI{}\\fR", escaped(&values)),
    };
    page.push_str(&format!(".TP\n{}{values}\n{}\n", names.join(", "), sentence(&option.description())));
}

fn italic(values: &str) -> String {
    if values.is_empty() { String::new() } else { format!(".I {}\n", escaped(values)) }
}

/// A capital first and a full stop last.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    escaped(&format!("{first}{}.", rest.as_str()))
}

/// Text in which roff finds neither requests nor escapes.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('~', "\\(ti").replace('^', "\\(ha");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
