//! The error of this crate: one line for the user.

use core::fmt;

/// Number of characters of a text that a message quotes.
const MOST_QUOTED: usize = 60;

/// Why reflections or their symmetry cannot be used: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
}

impl Failure {
    /// A failure with this message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}

/// A text from a file, for a message of one line: in quotes, without line ends, and not too long.
pub(crate) fn quoted(text: &str) -> String {
    let mut characters = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let shown: String = characters.by_ref().take(MOST_QUOTED).collect();
    let more = if characters.next().is_some() { "..." } else { "" };
    format!("\"{shown}{more}\"")
}
