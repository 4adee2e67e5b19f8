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
    is_of_system: bool,
}

impl Failure {
    /// A file that cannot be read, or whose content cannot be used.
    pub fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), direction: Direction::Input, is_of_system: false }
    }

    /// A file that cannot be written.
    pub fn output(message: impl Into<String>) -> Self {
        Self { message: message.into(), direction: Direction::Output, is_of_system: false }
    }

    /// The same failure with `before` and a colon in front of its message, such as the option that named the
    /// file.
    #[must_use]
    pub fn context(self, before: impl fmt::Display) -> Self {
        Self { message: format!("{before}: {}", self.message), ..self }
    }

    /// The same failure as one of the system, such as a file that is not there.
    #[must_use]
    pub fn of_system(self) -> Self {
        Self { is_of_system: true, ..self }
    }

    /// Whether the system refused the file; else its content cannot be used.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        self.is_of_system
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
