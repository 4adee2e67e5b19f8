//! Names of frames within files: `FILE:/path:frame`.

use core::fmt;
use std::path::{Path, PathBuf};

use crate::text::shown;

/// The place of an image: a file, and where it holds several, which of them.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::hdf5::Place;
///
/// let place = Place::of(Path::new("scan.nxs:/entry/data/data:12"));
/// assert_eq!(place.file, Path::new("scan.nxs"));
/// assert_eq!((place.array.as_deref(), place.frame), (Some("/entry/data/data"), Some(12)));
/// assert_eq!(place.to_string(), "scan.nxs:/entry/data/data:12");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The path of the array in it; `None`: the file's own data.
    pub array: Option<String>,
    /// The frame, from 0; `None`: the only one.
    pub frame: Option<usize>,
}

impl Place {
    /// The place that a word names. A word that is the name of a file as it stands names that file.
    #[must_use]
    pub fn of(word: &Path) -> Self {
        let whole = || Self { file: word.to_owned(), array: None, frame: None };
        let Some(text) = word.to_str().filter(|_| !word.exists()) else { return whole() };
        let (rest, frame) = match text.rsplit_once(':') {
            Some((rest, digits))
                if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                match digits.parse() {
                    Ok(frame) => (rest, Some(frame)),
                    Err(_) => return whole(),
                }
            }
            _ => (text, None),
        };
        let (file, array) = match rest.rsplit_once(":/") {
            Some((file, array)) if !Path::new(rest).exists() => (file, Some(format!("/{array}"))),
            _ => (rest, None),
        };
        if file.is_empty() || (array.is_none() && frame.is_none()) {
            return whole();
        }
        Self { file: PathBuf::from(file), array, frame }
    }

    /// Which part of a word that names no file is wrong, where its beginning is a file.
    pub(crate) fn mistake(word: &Path) -> Option<String> {
        let text = word.to_str().filter(|_| !word.exists())?;
        let mut colons = text.match_indices(':').map(|(at, _)| at);
        let at = colons.find(|&at| text.get(..at).is_some_and(|file| Path::new(file).is_file()))?;
        let (file, rest) = (text.get(..at)?, text.get(at + 1..)?);
        let rest = shown(rest.as_bytes());
        Some(format!(
            "{file}: {rest} after it is neither the number of a frame, from 0, nor the path of an array, as /data"
        ))
    }

    /// Whether the word names more than a file.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.array.is_some() || self.frame.is_some()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(array) = &self.array {
            write!(f, ":{array}")?;
        }
        if let Some(frame) = self.frame {
            write!(f, ":{frame}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_apart() {
        for (word, file, array, frame) in [
            ("a.nxs", "a.nxs", None, None),
            ("a.nxs:3", "a.nxs", None, Some(3)),
            ("b/a.h5:/x/y", "b/a.h5", Some("/x/y"), None),
            ("b/a.h5:/x/y:0", "b/a.h5", Some("/x/y"), Some(0)),
            ("C:\\a.h5:/x:7", "C:\\a.h5", Some("/x"), Some(7)),
            ("C:/runs/a.h5:/x:7", "C:/runs/a.h5", Some("/x"), Some(7)),
            ("a.h5:last", "a.h5:last", None, None),
            ("a.h5:", "a.h5:", None, None),
            (":3", ":3", None, None),
            ("a:99999999999999999999999", "a:99999999999999999999999", None, None),
        ] {
            let place = Place::of(Path::new(word));
            assert_eq!(place.file, Path::new(file), "{word}");
            assert_eq!((place.array.as_deref(), place.frame), (array, frame), "{word}");
            assert_eq!(place.to_string(), word);
            assert_eq!(place.is_within(), array.is_some() || frame.is_some());
        }
    }

    #[test]
    fn a_file_whose_name_looks_like_a_place_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5:3");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(Place::of(&path), Place { file: path, array: None, frame: None });
    }

    #[test]
    fn the_part_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        std::fs::write(&path, b"").unwrap();
        let mistake = |rest: &str| Place::mistake(Path::new(&format!("{}{rest}", path.display())));
        for rest in ["last", "", "-1"] {
            let expected = format!(
                "{}: \"{rest}\" after it is neither the number of a frame, from 0, nor the path of an array, as /data",
                path.display()
            );
            assert_eq!(mistake(&format!(":{rest}")), Some(expected));
        }
        assert_eq!((mistake(""), mistake("x:3")), (None, None));
    }
}
