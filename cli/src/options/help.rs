//! The pages of the help: the short help, a page for each command, a page for each topic.

use super::{
    commands::{COMMANDS, RENDER, command},
    reader::GENERAL,
    row::OptionSpec,
    spec::CommandSpec,
    suggest::unknown_subject,
    syntax::Group,
    topics::{TOPICS, topic},
};
use crate::error::Failure;
use core::iter::once;

/// No line is longer.
pub(super) const WIDTH: usize = 78;
/// Where the descriptions of options start.
const COLUMN: usize = 28;
/// The same in the short help.
const SHORT: usize = 22;
/// Where those of commands, topics and exit codes start.
const NARROW: usize = 16;

const OPENING: &str = "\
widebragg simulates X-ray diffraction images of nanocrystals.
  widebragg demo                 render a built-in crystal
  widebragg OPTIONS              render images, with nanoBragg's command line
  widebragg help COMMAND|TOPIC   explain a command or a topic
  widebragg -hkl 1abc.pdb -lambda 1 -distance 200 -pixel 0.2 -N 20 --png a.png

First options (others, such as -detector_thicksteps: widebragg help options)
";

const CLOSING: &str = "
Values follow an option as words of their own; negative numbers are values.
The last option wins. Options with two dashes also take --name=value. Steps,
ranges and counts that are not given follow from those that are. A render
needs a cell (-mat or -cell) and structure factors (-hkl, a dump of them, or
-default_F).
";

/// The short help.
pub fn help() -> String {
    let mut text = OPENING.to_owned();
    let basic = RENDER.options().filter(|option| option.basic);
    basic.for_each(|option| entry(&mut text, SHORT, &label(option), option.help));
    text.push_str("\nCommands\n");
    for spec in COMMANDS.into_iter().filter(|spec| spec.name != RENDER.name) {
        entry(&mut text, NARROW, spec.name, spec.purpose);
    }
    text.push_str("\nTopics\n");
    for topic in TOPICS.iter().filter(|topic| command(topic.name).is_none()) {
        entry(&mut text, NARROW, topic.name, topic.title);
    }
    text
}

/// The page about a command or a topic; both where they share a name.
///
/// # Errors
/// There is neither a command nor a topic of this name.
pub fn help_on(subject: &str) -> Result<String, Failure> {
    let command = command(subject).map(command_page);
    let topic = topic(subject).map(|topic| match topic.text.paragraphs() {
        Some(text) => format!("{}: {}\n\n{text}", topic.name, topic.title),
        None => all_options(),
    });
    match (command, topic) {
        (None, None) => Err(unknown_subject(subject)),
        (page, topic) => {
            let parts: Vec<_> = page.into_iter().chain(topic).collect();
            Ok(parts.join("\n"))
        }
    }
}

fn command_page(spec: &CommandSpec) -> String {
    let mut text = format!("widebragg {}: {}\n\nUsage\n", spec.name, spec.purpose);
    spec.usage.iter().for_each(|usage| text.push_str(&format!("  widebragg {usage}\n")));
    options(&mut text, spec.syntax.sections());
    let of_render = spec.syntax.render_sections();
    if let [section] = &of_render[..] {
        options(&mut text, once(Group { heading: section.heading, options: section.options.clone() }));
    } else if !of_render.is_empty() {
        text.push_str("\nThe options of a render apply as well: see widebragg help render.\n");
    }
    options(&mut text, once(general()));
    if spec.name == RENDER.name {
        text.push_str(CLOSING);
    }
    text.push_str("\nExit codes\n");
    entry(&mut text, NARROW, "0", "success");
    for (code, meaning) in spec.exit_codes {
        entry(&mut text, NARROW, &code.to_string(), meaning);
    }
    // The topic of the command's own name follows on the same page.
    let topics: Vec<_> = spec.topics.iter().filter(|&&topic| topic != spec.name).collect();
    if !topics.is_empty() {
        text.push_str("\nRead on\n");
        topics.iter().for_each(|topic| text.push_str(&format!("  widebragg help {topic}\n")));
    }
    text
}

/// The options of a render, then those of the other commands.
fn all_options() -> String {
    let mut text = "options: the options of a render, then those of each other command\n".to_owned();
    options(&mut text, COMMANDS.into_iter().flat_map(|spec| spec.syntax.sections()));
    options(&mut text, once(general()));
    text + CLOSING
}

fn general() -> Group {
    Group { heading: "Options of every command", options: GENERAL.iter().collect() }
}

fn options(text: &mut String, groups: impl IntoIterator<Item = Group>) {
    for group in groups {
        text.push_str(&format!("\n{}\n", group.heading));
        group
            .options
            .into_iter()
            .for_each(|option| entry(text, COLUMN, &label(option), &description(option)));
    }
}

/// The name and the placeholders of the values.
fn label(option: &OptionSpec) -> String {
    format!("{} {}", option.name, option.takes.placeholder()).trim_end().to_owned()
}

/// Help, default and aliases; the latter two each stay on one line where they fit.
fn description(option: &OptionSpec) -> String {
    let mut text = option.help.to_owned();
    if !option.default.is_empty() {
        text += &format!(" {}", unbroken(&format!("(default {})", option.default)));
    }
    if !option.aliases.is_empty() {
        text += &format!(" {}", unbroken(&format!("[also {}]", option.aliases.join(" "))));
    }
    text
}

const NO_BREAK: &str = "\u{a0}";

fn unbroken(text: &str) -> String {
    text.replace(' ', NO_BREAK)
}

/// One entry: the description beside the label, or below it where the label is too long.
fn entry(text: &mut String, column: usize, label: &str, what: &str) {
    let mut line = format!("  {label}");
    if line.chars().count() + 2 > column {
        text.push_str(&line);
        text.push('\n');
        line.clear();
    }
    for part in wrapped(what, WIDTH - column) {
        text.push_str(&format!("{line:<column$}{}\n", part.replace(NO_BREAK, " ")));
        line.clear();
    }
}

/// Lines of whole words, at most `width` characters where the words allow it.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
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
