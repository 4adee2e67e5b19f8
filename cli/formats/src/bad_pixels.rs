//! Lists of the bad pixels of a detector, as text.
//!
//! ```text
//! # panel fast slow kind
//! p0 17 230 hot
//! p0 18 230 dead
//! 3 0 0 dead
//! ```
//!
//! A line is a pixel: its panel, by its name or its number from 0, its fast and slow coordinates on that panel, counted from 0,
//! and `hot` or `dead`. The panel can be left out where the detector has only one. Blanks or commas separate words, `#` begins a
//! comment, and lines without anything else are left out. Lines may be in any order; a pixel may be listed again, but not as
//! both kinds. A hot pixel has the largest value, whatever falls on it, and a dead one that of no photons.

use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::memory::{push, reserved};
use crate::text::{at_line, in_file, read_text, shown};

/// Longest file that is read: millions of lines.
const LIMIT_BYTES: u64 = 1 << 28;

/// A panel whose pixels can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PanelSize<'n> {
    /// Its name.
    pub name: &'n str,
    /// Pixels along fast and slow.
    pub pixels: [usize; 2],
}

/// The bad pixels of a panel, each given by its number in a slow-major order; in rising order, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BadPixelsOfPanel {
    /// Those that have the largest value.
    pub hot: Vec<u32>,
    /// Those that have the value of no photons.
    pub dead: Vec<u32>,
}

/// What is wrong with a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Hot,
    Dead,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Dead => "dead",
        }
    }
}

/// A line of a list.
#[derive(Debug, Clone, Copy)]
struct Line {
    panel: usize,
    pixel: u32,
    kind: Kind,
    number: u64,
}

/// Parses a list, and returns the bad pixels of each of `panels`; `path` is its name in error messages.
///
/// # Errors
/// The file cannot be read, a line is no bad pixel of these panels, or a pixel is both hot and dead.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::bad_pixels::{PanelSize, parse_bad_pixels};
///
/// let panels = [PanelSize { name: "0", pixels: [10, 8] }];
/// let bad = parse_bad_pixels("3 2 hot # noisy\n9 7 dead\n".as_bytes(), Path::new("bad.txt"), &panels)?;
/// assert_eq!((&bad[0].hot[..], &bad[0].dead[..]), (&[23][..], &[79][..]));
/// # Ok::<(), widebragg_formats::failure::Failure>(())
/// ```
pub fn parse_bad_pixels(
    input: impl Read,
    path: &Path,
    panels: &[PanelSize<'_>],
) -> Result<Vec<BadPixelsOfPanel>, Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let no_memory = || in_file(path, "no memory for its pixels");
    let mut lines: Vec<Line> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let words = line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let read = line_of(words, number, panels).map_err(|what| at_line(path, number, what))?;
        if let Some(line) = read {
            push(&mut lines, line).ok_or_else(no_memory)?;
        }
    }
    lines.sort_unstable_by_key(|line| (line.panel, line.pixel, line.number));
    let both = lines.windows(2).find_map(|pair| match pair {
        [one, other] if (one.panel, one.pixel) == (other.panel, other.pixel) && one.kind != other.kind => {
            Some((one, other))
        }
        _ => None,
    });
    if let Some((one, other)) = both {
        let what =
            format!("the pixel is {}, and {} in line {}", other.kind.name(), one.kind.name(), one.number);
        return Err(at_line(path, other.number, what));
    }
    lines.dedup_by_key(|line| (line.panel, line.pixel));
    let mut bad = reserved(panels.len()).ok_or_else(no_memory)?;
    for panel in 0..panels.len() {
        let of_panel = &lines[lines.partition_point(|line| line.panel < panel)..];
        let of_panel = &of_panel[..of_panel.partition_point(|line| line.panel == panel)];
        let of_kind = |kind: Kind| {
            let pixels = of_panel.iter().filter(|line| line.kind == kind);
            let mut numbers = reserved(pixels.clone().count()).ok_or_else(no_memory)?;
            numbers.extend(pixels.map(|line| line.pixel));
            Ok(numbers)
        };
        bad.push(BadPixelsOfPanel { hot: of_kind(Kind::Hot)?, dead: of_kind(Kind::Dead)? });
    }
    Ok(bad)
}

/// What the words of a line say; `None` where there are none.
fn line_of<'w>(
    mut words: impl Iterator<Item = &'w str>,
    number: u64,
    panels: &[PanelSize<'_>],
) -> Result<Option<Line>, String> {
    let Some(first) = words.next() else { return Ok(None) };
    let (panel, fast, slow, kind) = match [words.next(), words.next(), words.next(), words.next()] {
        [Some(slow), Some(kind), None, None] if panels.len() == 1 => (None, first, slow, kind),
        [Some(_), Some(_), None, None] => {
            return Err(format!("of which of the {} panels? PANEL FAST SLOW hot|dead", panels.len()));
        }
        [Some(fast), Some(slow), Some(kind), None] => (Some(first), fast, slow, kind),
        _ => {
            return Err(
                "expected PANEL FAST SLOW hot|dead, or FAST SLOW hot|dead of a single panel".to_owned()
            );
        }
    };
    let panel = panel.map_or(Ok(0), |word| panel_of(word, panels))?;
    let kind = [Kind::Hot, Kind::Dead]
        .into_iter()
        .find(|known| known.name() == kind)
        .ok_or_else(|| format!("{} is neither hot nor dead", shown(kind.as_bytes())))?;
    let [fast_pixels, slow_pixels] = panels.get(panel).map_or([0; 2], |panel| panel.pixels);
    let [fast, slow] =
        [(fast, "fast", fast_pixels), (slow, "slow", slow_pixels)].map(|(word, axis, pixels)| {
            let index = word.parse::<usize>();
            index.ok().filter(|&index| index < pixels).ok_or_else(|| {
                format!(
                    "{} is no {axis} coordinate of the panel: 0 to {}",
                    shown(word.as_bytes()),
                    pixels.saturating_sub(1)
                )
            })
        });
    let pixel =
        u32::try_from(slow? * fast_pixels + fast?).map_err(|_| "the panel has too many pixels".to_owned())?;
    Ok(Some(Line { panel, pixel, kind, number }))
}

/// The panel of this name or number.
fn panel_of(word: &str, panels: &[PanelSize<'_>]) -> Result<usize, String> {
    let by_name = panels.iter().position(|panel| panel.name == word);
    let by_number = || word.parse().ok().filter(|&number| number < panels.len());
    by_name.or_else(by_number).ok_or_else(|| format!("the detector has no panel {}", shown(word.as_bytes())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: [PanelSize<'static>; 1] = [PanelSize { name: "0", pixels: [10, 8] }];
    const TWO: [PanelSize<'static>; 2] =
        [PanelSize { name: "left", pixels: [10, 8] }, PanelSize { name: "right", pixels: [4, 3] }];

    fn parsed(text: &str, panels: &[PanelSize<'_>]) -> Result<Vec<BadPixelsOfPanel>, String> {
        parse_bad_pixels(text.as_bytes(), Path::new("b.txt"), panels).map_err(|failure| failure.to_string())
    }

    #[test]
    fn pixels_are_sorted_by_panel_and_kind() {
        let one =
            parsed("# fast slow\n\n9,7,dead\r\n0 0 hot # corner\n 9\t7 dead\n0 1 0 hot\n", &ONE).unwrap();
        assert_eq!(one, [BadPixelsOfPanel { hot: vec![0, 1], dead: vec![79] }]);
        let two = parsed("right 3 2 hot\n0 1 1 dead\nleft 0 1 dead\n1 0 0 hot", &TWO).unwrap();
        let left = BadPixelsOfPanel { hot: Vec::new(), dead: vec![10, 11] };
        assert_eq!(two, [left, BadPixelsOfPanel { hot: vec![0, 11], dead: Vec::new() }]);
        assert_eq!(parsed("", &ONE).unwrap(), [BadPixelsOfPanel::default()]);
    }

    #[test]
    fn what_is_no_bad_pixel_is_refused_with_its_line() {
        let usage = "expected PANEL FAST SLOW hot|dead, or FAST SLOW hot|dead of a single panel";
        for (text, panels, error) in [
            ("1 hot\n", &ONE[..], format!("b.txt:1: {usage}")),
            ("\n1 2 3 hot 5\n", &ONE, format!("b.txt:2: {usage}")),
            ("1 2 hot", &TWO, "b.txt:1: of which of the 2 panels? PANEL FAST SLOW hot|dead".to_owned()),
            ("middle 1 2 hot", &TWO, "b.txt:1: the detector has no panel \"middle\"".to_owned()),
            ("2 1 2 hot", &TWO, "b.txt:1: the detector has no panel \"2\"".to_owned()),
            ("1 2 cold", &ONE, "b.txt:1: \"cold\" is neither hot nor dead".to_owned()),
            ("10 2 hot", &ONE, "b.txt:1: \"10\" is no fast coordinate of the panel: 0 to 9".to_owned()),
            ("1 8 hot", &ONE, "b.txt:1: \"8\" is no slow coordinate of the panel: 0 to 7".to_owned()),
            ("-1 2 hot", &ONE, "b.txt:1: \"-1\" is no fast coordinate of the panel: 0 to 9".to_owned()),
            ("1.5 2 hot", &ONE, "b.txt:1: \"1.5\" is no fast coordinate of the panel: 0 to 9".to_owned()),
            ("3 2 hot\n1 1 hot\n3 2 dead", &ONE, "b.txt:3: the pixel is dead, and hot in line 1".to_owned()),
        ] {
            assert_eq!(parsed(text, panels), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_list_or_one_line_of_error(text in "[-0-9a-fhot#., \n\t]{0,60}") {
            match parsed(&text, &TWO) {
                Ok(bad) => {
                    for (bad, panel) in bad.iter().zip(TWO) {
                        let pixels = panel.pixels.iter().product::<usize>();
                        prop_assert!(bad.hot.iter().chain(&bad.dead).all(|&pixel| (pixel as usize) < pixels));
                        prop_assert!(bad.hot.iter().all(|pixel| !bad.dead.contains(pixel)));
                    }
                }
                Err(error) => prop_assert!(error.starts_with("b.txt:") && !error.contains('\n'), "{error}"),
            }
        }
    }
}
