//! The error of every reader and writer: one line for the user, and whether a file was read or written.

use core::fmt;

/// The direction in which the data went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A file was read.
    Input,
    /// A file was written.
    Output,
}

/// Why a file could not be read or written: one line that names the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    direction: Direction,
}

impl Failure {
    /// A file that cannot be read, or whose content cannot be used.
    pub fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), direction: Direction::Input }
    }

    /// A file that cannot be written.
    pub fn output(message: impl Into<String>) -> Self {
        Self { message: message.into(), direction: Direction::Output }
    }

    /// The same failure with `before` and a colon in front of its message, such as the option that named the
    /// file.
    #[must_use]
    pub fn context(self, before: impl fmt::Display) -> Self {
        Self { message: format!("{before}: {}", self.message), ..self }
    }

    /// Whether the file was read or written.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}
