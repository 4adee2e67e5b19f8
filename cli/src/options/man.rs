//! The man page, in roff (man macros).

use super::{
    row::Row,
    table::{COMMANDS, SECTIONS},
};

const DESCRIPTION: &str = "\
widebragg computes the X-ray diffraction image of a nanocrystal, spot shapes and all, and writes it as a raw float \
image, an SMV image, an SMV image with photon noise and a PGM preview. It takes the command lines of nanoBragg: options \
are words with one dash, their values follow as words of their own, negative numbers are values, and the last option \
wins. Options of its own have two dashes and take --name=value too.";

const FILES: [(&str, &str); 5] = [
    ("floatimage.bin", "Raw little-endian 32-bit floats, fast axis first, no header."),
    ("intimage.img", "SMV image of unsigned 16-bit integers."),
    ("noiseimage.img", "The same with photon noise."),
    ("image.pgm", "Preview."),
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
    for (name, values, _) in COMMANDS {
        page.push_str(&format!(".br\n.B widebragg {}\n{}", escaped(name), italic(values)));
    }
    page.push_str(&format!(".SH DESCRIPTION\n{}\n.SH COMMANDS\n", escaped(DESCRIPTION)));
    for (name, _, what) in COMMANDS {
        page.push_str(&format!(".TP\n.B {}\n{}\n", escaped(name), sentence(what)));
    }
    page.push_str(".SH OPTIONS\n");
    for section in &SECTIONS {
        page.push_str(&format!(".SS {}\n", escaped(section.heading)));
        section.rows.iter().for_each(|row| option(&mut page, row));
    }
    page.push_str(
        ".SH EXIT STATUS\n0 after a complete run, 2 after an error in the command line or a file: one line on standard \
         error says which. compare ends with 1 after an error in the command line, 2 when a program or a file failed, 3 \
         when the correlation is below the threshold, and 4 when the images have two sizes; trace-diff with 1 after an error \
         in the command line, 2 when a trace cannot be used, and 3 when the traces differ; gradcheck with 3 when a derivative is beyond the tolerance, refine with 3 when \
         it has not converged.\n.SH FILES\nWritten by default, into the current folder:\n",
    );
    for (name, what) in FILES {
        page.push_str(&format!(".TP\n.I {}\n{}\n", escaped(name), escaped(what)));
    }
    page.push_str(".SH EXAMPLES\n");
    for (line, what) in EXAMPLES {
        page.push_str(&format!(
            ".PP\n{}\n.PP\n.RS\n.nh\n.na\n{}\n.ad\n.hy\n.RE\n",
            escaped(what),
            escaped(line)
        ));
    }
    page
}

fn option(page: &mut String, row: &Row) {
    let names: Vec<_> = row.spellings().map(|name| format!("\\fB{}\\fR", escaped(name))).collect();
    let values = match row.takes.shown() {
        values if values.is_empty() => String::new(),
        values => format!(" \\fI{}\\fR", escaped(&values)),
    };
    page.push_str(&format!(".TP\n{}{values}\n{}\n", names.join(", "), sentence(&row.described())));
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

/// Text in which roff sees nothing of its own.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('~', "\\(ti").replace('^', "\\(ha");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
