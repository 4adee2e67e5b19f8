//! Output of the program: results on standard output, everything else on standard error.

use std::io::{self, BufWriter, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::Failure;

/// Prints `text` on standard output. A closed pipe (`| head`) is not a failure.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    stream(|out| out.write_all(text.as_bytes()))
}

/// Calls `write` with standard output. A closed pipe is not a failure.
///
/// # Errors
/// Standard output cannot be written, or `write` fails.
pub fn stream(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::input(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line on standard error; control characters, which file names may have, are escaped.
pub fn complain(line: &str) {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let line: String = line.chars().map(escaped).collect();
    // Written as a whole, since other jobs may write to the same place. Where it is closed, there is none for the line.
    let _ = io::stderr().lock().write_all(format!("widebragg: {line}\n").as_bytes());
}

/// Prints a line of progress on standard error.
pub fn progress_line(line: &str) {
    // A run continues even if its progress cannot be printed.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A progress bar over `rows` rows; hidden where standard error is not a terminal, or where it is not
/// `wanted`.
#[must_use]
pub fn progress(rows: u64, wanted: bool) -> ProgressBar {
    if !wanted || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr_with_hz(8));
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %  {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message("rendering")
}
