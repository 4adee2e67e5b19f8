//! What the targets share: inputs in small pieces, and what a refusal must be.

use std::fmt::{Debug, Display};
use std::io::{self, Read};
use std::path::Path;

/// The name that readers are told.
pub const NAME: &str = "some.file";

/// Longest refusal: an option with six long words, each shortened to 100 characters, all of them escaped.
const MOST_BYTES: usize = 8000;

/// Bytes that arrive a few at a time, as from a pipe.
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

/// What a reader makes of `bytes`, the same however they arrive; a refusal is one line that names the file.
pub fn read<T: Debug, E: Debug + Display>(
    bytes: &[u8],
    parse: impl Fn(&mut dyn Read, &Path) -> Result<T, E>,
) -> Option<T> {
    let whole = parse(&mut &bytes[..], Path::new(NAME));
    let mut drops = Drops { bytes, most: bytes.len() % 13 + 1 };
    // As text, in which NaN equals NaN.
    let [one, other] = [&whole, &parse(&mut drops, Path::new(NAME))].map(|read| format!("{read:?}"));
    assert_eq!(one, other, "it depends on how the bytes arrive");
    whole.inspect_err(|failure| assert_refusal(failure, NAME)).ok()
}

/// Checks that a refusal is one readable line that begins with `name`.
///
/// # Panics
/// When it is not: that is a find.
pub fn assert_refusal(failure: &dyn Display, name: &str) {
    let line = failure.to_string();
    assert!(line.starts_with(name) && line.len() > name.len(), "{line:?} does not name {name}");
    assert!(!line.contains(char::is_control), "{line:?} is no readable line");
    assert!(line.len() < MOST_BYTES, "{line:?} is long");
}

/// The words of a text, as the readers of free-form numbers see them.
pub fn words(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).split_whitespace().map(str::to_owned).collect()
}
