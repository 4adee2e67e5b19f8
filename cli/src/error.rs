//! What a run can fail with: one line for the user, and the exit code.

use std::fmt;

use widebragg_formats::failure;

/// A failed run: one line that names the file, line and option, and the exit code it ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Bad input or a file that cannot be used: exit code 2.
    pub fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// A failure with an exit code of its own.
    pub fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), code }
    }

    /// The same failure with words before its message, such as the option that named a file.
    #[must_use]
    pub fn context(self, before: impl fmt::Display) -> Self {
        Self { message: format!("{before}: {}", self.message), ..self }
    }

    /// The same failure as one of usage, for the commands that tell that from bad files: exit code 1.
    #[must_use]
    pub fn as_usage(self) -> Self {
        Self { code: 1, ..self }
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl From<failure::Failure> for Failure {
    /// A file that cannot be read or written: exit code 2.
    fn from(failure: failure::Failure) -> Self {
        Self { message: failure.to_string(), code: 2 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}
