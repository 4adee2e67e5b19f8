//! Shared by the targets: inputs that arrive in small pieces, and checks of error messages.

use std::fmt::{Debug, Display};
use std::io::{self, Read};
use std::path::Path;

/// The file name that is passed to readers.
pub const NAME: &str = "some.file";

/// Largest length of an error message: an option with six long arguments, each shortened to 100 characters,
/// all of them escaped.
const MOST_BYTES: usize = 8000;

/// A reader that returns a few bytes at a time, as a pipe does.
struct Drops<'a> {
    bytes: &'a [u8],
    most: usize,
}

impl Read for Drops<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = self.most.min(to.len());
        self.bytes.read(&mut to[..length])
    }
}

/// Parses `bytes`, whole and in small pieces, which must have the same result. An error must be one line that
/// names the file.
pub fn read<T: Debug, E: Debug + Display>(
    bytes: &[u8],
    parse: impl Fn(&mut dyn Read, &Path) -> Result<T, E>,
) -> Option<T> {
    let whole = parse(&mut &bytes[..], Path::new(NAME));
    let mut drops = Drops { bytes, most: bytes.len() % 13 + 1 };
    // Compared as text, in which NaN equals NaN.
    let [one, other] = [&whole, &parse(&mut drops, Path::new(NAME))].map(|read| format!("{read:?}"));
    assert_eq!(one, other, "the result depends on how the bytes arrive");
    whole.inspect_err(|failure| assert_refusal(failure, NAME)).ok()
}

/// Checks that an error message is one readable line that begins with `name`.
///
/// # Panics
/// When it is not, which the fuzzer reports.
pub fn assert_refusal(failure: &dyn Display, name: &str) {
    let line = failure.to_string();
    assert!(line.starts_with(name) && line.len() > name.len(), "{line:?} does not name {name}");
    assert!(!line.contains(char::is_control), "{line:?} has control characters");
    assert!(line.len() < MOST_BYTES, "{line:?} is too long");
}

/// The words of a text, divided as by the readers of free-form numbers.
pub fn words(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).split_whitespace().map(str::to_owned).collect()
}
