//! From words to a command.
//!
//! A word that starts with `-` and a letter (or with `--`) is an option; everything else is a value, so `-1e-05` and
//! `-.5` are numbers. Special cases: `-4stol` is an option in spite of its digit, `-inf` a (refused) number in spite of
//! its letter; one stray word after a switch, as in `-curved_det yes`, is dropped with a note, since scripts hold it.

use super::{
    given::{Given, quoted, shown},
    model::{
        BenchOptions, Command, CompareOptions, DemoOptions, GradientOptions, Options, Shell,
        TraceDiffOptions, TraceFormat, TraceOptions,
    },
    row::{Effect, Row, Scope},
    suggest::{unknown, unknown_command},
    table::{COMMANDS, find},
};
use crate::error::Failure;
use std::path::PathBuf;

/// Reads the command line, program name excluded.
///
/// # Errors
/// One line that names the option and its value; exit code 2.
pub fn parse(args: &[String]) -> Result<Command, Failure> {
    let Some((first, rest)) = args.split_first() else { return Ok(Command::Help) };
    match first.as_str() {
        "bench" => bench(rest),
        "demo" => demo(rest),
        "compare" => compare(rest).map_err(|failure| failure.as_usage()),
        "trace" => trace(rest),
        "trace-diff" => trace_diff(rest).map_err(|failure| failure.as_usage()),
        "completions" => completions(rest),
        "man" => no_more("man", rest).map(|()| Command::Man),
        "gradient" => slopes("gradient", Scope::GRADIENT, rest, Command::Gradient),
        "gradcheck" => slopes("gradcheck", Scope::GRADCHECK, rest, Command::Gradcheck),
        "refine" => slopes("refine", Scope::REFINE, rest, Command::Refine),
        word if !is_option(word) => Err(unknown_command(word, &COMMANDS.map(|(name, _, _)| name))),
        _ => render(args),
    }
}

fn render(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::RENDER);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let options = walk.options;
    if let (Some(frames), Some([first, last])) = (options.frames, options.frame_range)
        && last > frames
    {
        return Err(Failure::input(format!(
            "--frame-range {first}:{last}: the series has {frames} frames (--frames)"
        )));
    }
    Ok(Command::Render(Box::new(options)))
}

fn bench(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::BENCH);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let Options { simd, json, .. } = walk.options;
    Ok(Command::Bench(BenchOptions { simd, json }))
}

fn demo(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::DEMO);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let Options { threads, simd, quiet, json, carryover_mode, .. } = walk.options;
    Ok(Command::Demo(DemoOptions { threads, simd, quiet, json, carryover_mode, out: walk.out }))
}

fn compare(args: &[String]) -> Result<Command, Failure> {
    let (own, passed_on) = match args.iter().position(|word| word == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[][..]),
    };
    let mut walk = Walk::new(Scope::COMPARE);
    if let Some(command) = walk.all(own)? {
        return Ok(command);
    }
    let Options { threads, quiet, json, evidence, .. } = walk.options;
    let images: Vec<PathBuf> = walk.words.iter().map(PathBuf::from).collect();
    let refused = |why: &str| Err(Failure::input(format!("compare: {why}")));
    match (images.len(), walk.compare.runs.len()) {
        (2, 0) if !passed_on.is_empty() => return refused("options after -- are for programs (--run)"),
        (2, 0) | (0, 2) => {}
        (_, 0) => return refused(&format!("needs two images, but {} given", images.len())),
        (0, _) => return refused("--run is needed twice, once for each program"),
        _ => return refused("either two images or --run twice, not both"),
    }
    let passed_on = passed_on.to_vec();
    Ok(Command::Compare(Box::new(CompareOptions {
        images,
        passed_on,
        threads,
        quiet,
        json,
        evidence,
        ..walk.compare
    })))
}

fn trace(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::TRACE);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let mut trace = TraceOptions { render: walk.options, ..walk.trace };
    if trace.render.json {
        trace.format = TraceFormat::Json;
    }
    let refused = |why: &str| Err(Failure::input(format!("trace: {why}")));
    match (trace.pixels.is_empty(), trace.roi_px) {
        (true, None) => refused("which pixels? give --pixel SLOW FAST, also several times, or --roi"),
        (false, Some(_)) => refused("either --pixel or --roi, not both"),
        _ => Ok(Command::Trace(Box::new(trace))),
    }
}

fn trace_diff(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::TRACE_DIFF);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let [a, b] = &walk.words[..] else {
        return Err(Failure::input(format!("trace-diff: needs two traces, but {} given", walk.words.len())));
    };
    let traces = [a, b].map(PathBuf::from);
    let Options { json, quiet, .. } = walk.options;
    Ok(Command::TraceDiff(Box::new(TraceDiffOptions { traces, json, quiet, ..walk.trace_diff })))
}

fn slopes(
    command: &str,
    scope: Scope,
    args: &[String],
    of: fn(Box<GradientOptions>) -> Command,
) -> Result<Command, Failure> {
    let mut walk = Walk::new(scope);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let mut options = GradientOptions { render: walk.options, ..walk.gradient };
    if options.wrt.is_empty() {
        if scope != Scope::GRADCHECK {
            return Err(Failure::input(format!("{command}: by what? give --wrt NAME,..., as cell,misset")));
        }
        options.wrt = "all".to_owned();
    }
    if scope == Scope::REFINE && options.against.is_none() {
        return Err(Failure::input("refine: needs the image to fit, --against IMAGE"));
    }
    Ok(of(Box::new(options)))
}

fn completions(args: &[String]) -> Result<Command, Failure> {
    let Some((word, rest)) = args.split_first() else {
        return Err(Failure::input("completions: needs a shell: bash, zsh or fish"));
    };
    let shell = match word.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "--help" | "-help" | "-h" => return Ok(Command::Help),
        _ => return Err(Failure::input(format!("completions {}: expected bash, zsh or fish", shown(word)))),
    };
    no_more("completions", rest).map(|()| Command::Completions(shell))
}

fn no_more(command: &str, rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(word) => Err(Failure::input(format!("{command}: unexpected {}", quoted(word)))),
    }
}

/// The state while the words go by.
struct Walk {
    scope: Scope,
    options: Options,
    compare: CompareOptions,
    trace: TraceOptions,
    trace_diff: TraceDiffOptions,
    gradient: GradientOptions,
    /// Words that are no options, where a command takes such.
    words: Vec<String>,
    out: PathBuf,
    /// The option last met with its values, for the message about a stray word.
    last: String,
    /// Whether that was a switch of the reference's, after which one stray word is forgiven.
    forgiving: bool,
}

impl Walk {
    fn new(scope: Scope) -> Self {
        Self {
            scope,
            options: Options::default(),
            compare: CompareOptions::default(),
            trace: TraceOptions::default(),
            trace_diff: TraceDiffOptions::default(),
            gradient: GradientOptions::default(),
            words: Vec::new(),
            out: PathBuf::from("widebragg-demo"),
            last: String::new(),
            forgiving: false,
        }
    }

    /// Takes all words; a command where one of them (`--help`) ends the line.
    fn all(&mut self, args: &[String]) -> Result<Option<Command>, Failure> {
        let mut rest = args;
        while let Some((token, following)) = rest.split_first() {
            rest = following;
            if !is_option(token) {
                self.stray(token)?;
                continue;
            }
            let (name, attached) = match token.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some([value.to_owned()])),
                _ => (token.as_str(), None),
            };
            let row = find(name, self.scope).ok_or_else(|| unknown(token, self.scope))?;
            if !row.scope.covers(self.scope) {
                return Err(self.misplaced(name, row));
            }
            let words = match &attached {
                Some(value) => attached_words(row, name, value)?,
                None => {
                    let (words, beyond) = following.split_at(following_words(row, name, following)?);
                    rest = beyond;
                    words
                }
            };
            let given = Given { row, typed: name, words };
            match row.effect {
                Effect::Set(set) => set(&mut self.options, &given)?,
                Effect::Compare(set) => set(&mut self.compare, &given)?,
                Effect::Trace(set) => set(&mut self.trace, &given)?,
                Effect::TraceDiff(set) => set(&mut self.trace_diff, &given)?,
                Effect::Gradient(set) => set(&mut self.gradient, &given)?,
                Effect::OutFolder => self.out = given.path()?,
                Effect::Help => return Ok(Some(Command::Help)),
                Effect::Version => return Ok(Some(Command::Version)),
            }
            self.last = given.shown();
            self.forgiving = words.is_empty() && !row.has_two_dashes();
        }
        Ok(None)
    }

    fn stray(&mut self, word: &str) -> Result<(), Failure> {
        if Scope::COMPARE.and(Scope::TRACE_DIFF).covers(self.scope) {
            self.words.push(word.to_owned());
            return Ok(());
        }
        if self.forgiving {
            self.forgiving = false;
            self.options.note(format!(
                "{} after {} is ignored: the option takes no value",
                quoted(word),
                self.last
            ));
            return Ok(());
        }
        let place = if self.last.is_empty() { self.scope.name() } else { &self.last };
        Err(Failure::input(format!("stray word {} after {place}", quoted(word))))
    }

    fn misplaced(&self, name: &str, row: &Row) -> Failure {
        match self.scope {
            // The same word with one dash more or less may be what was meant.
            Scope::RENDER if names_differ_by_dashes(name) => unknown(name, self.scope),
            Scope::RENDER => {
                Failure::input(format!("{}: an option of {} only", shown(name), row.scope.name()))
            }
            scope => Failure::input(format!("{}: not an option of {}", shown(name), scope.name())),
        }
    }
}

/// Whether a render has an option of this name but for the dashes.
fn names_differ_by_dashes(name: &str) -> bool {
    let bare = name.trim_start_matches('-');
    ["-", "--"].iter().any(|dashes| {
        let other = format!("{dashes}{bare}");
        find(&other, Scope::RENDER).is_some_and(|row| row.scope.covers(Scope::RENDER))
    })
}

/// Whether a word is an option rather than a value.
fn is_option(word: &str) -> bool {
    let Some(name) = word.strip_prefix('-') else { return false };
    match name.chars().next() {
        Some('-') => true,
        Some(c) if c.is_alphabetic() => word.parse::<f64>().is_err(),
        _ => find(word, Scope::RENDER).is_some(),
    }
}

/// How many of the following words belong to the option.
fn following_words(row: &Row, name: &str, following: &[String]) -> Result<usize, Failure> {
    let (least, most) = row.takes.count(following);
    let there = following.iter().take(most).take_while(|word| !is_option(word)).count();
    if there >= least {
        return Ok(there);
    }
    let names = row.takes.shown();
    let wanted = match (least, most) {
        (1, 1) => format!("a value ({names})"),
        (least, most) if least == most => format!("{least} values ({names})"),
        (least, most) => format!("{least} to {most} values ({names})"),
    };
    let found = match (there, following.get(there)) {
        (0, None) => "nothing follows".to_owned(),
        (0, Some(word)) => format!("{} follows", shown(word)),
        (n, None) => format!("only {n} given"),
        (n, Some(word)) => format!("only {n} given before {}", shown(word)),
    };
    Err(Failure::input(format!("{}: needs {wanted}, but {found}", shown(name))))
}

/// The words of `--name=value`.
fn attached_words<'a>(row: &Row, name: &str, value: &'a [String; 1]) -> Result<&'a [String], Failure> {
    let [word] = value;
    match row.takes.count(value) {
        (0, 0) => Err(Failure::input(format!("{}={}: the option takes no value", shown(name), shown(word)))),
        _ => Ok(value),
    }
}
