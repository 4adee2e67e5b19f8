//! The text of `--help`: the table, grouped and aligned.

use super::{
    row::Row,
    table::{COMMANDS, SECTIONS},
};

/// No line is longer.
const WIDTH: usize = 100;
/// Where the descriptions start.
const COLUMN: usize = 36;

const OPENING: &str = "\
widebragg simulates X-ray diffraction images of nanocrystals, from the command lines of nanoBragg.

Examples
  widebragg -mat A.mat -hkl P1.hkl -lambda 0.9768 -distance 231.3 -pixel 0.172 -detpixels_x 2463 \\
            -detpixels_y 2527 -N 40 -osc 0.1 -phisteps 10 -oversample 1 --png preview.png
  widebragg -cell 70 70 30 90 90 90 -hkl P1.hkl -N 20 -distance 100 -misset 10 20 30 -nonoise

Commands
";

const CLOSING: &str = "
Values follow an option as words of their own; negative numbers are values. The last option wins.
Options with two dashes take --name=value too. Steps, ranges and counts that are not given follow
from those that are. Needed: a cell (-mat or -cell) and reflections (-hkl, a dump or -default_F).
";

/// The text of `--help`.
pub fn help() -> String {
    let mut text = OPENING.to_owned();
    for (name, values, what) in COMMANDS {
        entry(&mut text, format!("widebragg {name} {values}").trim_end(), what);
    }
    for section in &SECTIONS {
        text.push_str(&format!("\n{}\n", section.heading));
        for row in section.rows {
            entry(&mut text, format!("{} {}", row.name, row.takes.shown()).trim_end(), &description(row));
        }
    }
    text + CLOSING
}

/// Help, default and aliases; the latter two each stay on one line.
fn description(row: &Row) -> String {
    let mut text = row.help.to_owned();
    if !row.default.is_empty() {
        text += &format!(" {}", unbroken(&format!("(default {})", row.default)));
    }
    if !row.aliases.is_empty() {
        text += &format!(" {}", unbroken(&format!("[also {}]", row.aliases.join(" "))));
    }
    text
}

const NO_BREAK: &str = "\u{a0}";

fn unbroken(text: &str) -> String {
    text.replace(' ', NO_BREAK)
}

/// One entry: the description beside the name, or below it where the name is too long.
fn entry(text: &mut String, name: &str, what: &str) {
    let mut line = format!("  {name}");
    if line.chars().count() + 2 > COLUMN {
        text.push_str(&line);
        text.push('\n');
        line.clear();
    }
    for part in wrapped(what, WIDTH - COLUMN) {
        text.push_str(&format!("{line:<COLUMN$}{}\n", part.replace(NO_BREAK, " ")));
        line.clear();
    }
}

/// Lines of whole words, at most `width` characters where the words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
