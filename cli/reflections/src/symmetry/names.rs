//! Names and numbers of space groups, in all settings of International Tables.
//!
//! A name is compared without blanks, underscores and quotes, `P2(1)` as `P21`, in any case. After a colon, or
//! for R groups as a last H or R, it may carry an extension: the origin choice, H or R for the axes of an R
//! group, or the setting as in the table. The first setting that fits is meant, so `P 21` has the unique axis
//! b, and origin choice 1 is meant where none is said (the choice changes neither |F| nor absences). An R
//! group has hexagonal axes, unless the cell says otherwise. `H 3` is `R 3:H`, as the PDB writes it.

use crate::cell::Cell;

/// A setting of a space group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    /// Number in International Tables.
    pub number: u32,
    /// Origin choice, unique axis and cell choice, or axes, as in the table.
    pub extension: &'static str,
    /// Hall symbol.
    pub hall: &'static str,
    /// Full Hermann-Mauguin symbol.
    pub full: &'static str,
    /// Short one; may be empty.
    pub short: &'static str,
}

impl Setting {
    /// The name by which the setting alone is meant, such as `P 1 21 1`, `P n n n:2`, `R 3:H`.
    pub(super) fn name(&self) -> String {
        match self.choice() {
            Some(choice) => format!("{}:{choice}", self.full),
            None => self.full.to_string(),
        }
    }

    /// Origin choice 1 or 2, or axes H or R.
    fn choice(&self) -> Option<char> {
        self.extension.chars().next().filter(|first| "12HR".contains(*first))
    }

    /// Whether an extension of a name means this setting.
    fn has(&self, extension: &str) -> bool {
        let choice = self.choice().map(String::from).unwrap_or_default();
        extension.eq_ignore_ascii_case(self.extension) || extension.eq_ignore_ascii_case(&choice)
    }
}

/// The 530 settings, in the order of International Tables.
fn settings() -> impl Iterator<Item = Setting> {
    rows(include_str!("data/settings.csv")).filter_map(setting)
}

/// Further names of settings, and settings beyond the 530.
fn further_names() -> impl Iterator<Item = Setting> {
    rows(include_str!("data/further_names.csv")).filter_map(setting)
}

/// The 530 settings, and those beyond them.
pub(super) fn all_settings() -> impl Iterator<Item = Setting> {
    settings().chain(further_names())
}

/// Lines below the source and the headings.
fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().skip(2)
}

fn setting(row: &'static str) -> Option<Setting> {
    let mut fields = row.split(';');
    let mut field = || fields.next();
    Some(Setting {
        number: field()?.parse().ok()?,
        extension: field()?,
        hall: field()?,
        full: field()?,
        short: field().unwrap_or_default(),
    })
}

/// All settings that a name could mean, the one that is meant without knowledge of the cell first.
pub(super) fn by_name(name: &str) -> Vec<Setting> {
    let (name, extension) = split_extension(name);
    let is_named = |setting: &Setting| {
        name == plain(setting.full) || (!setting.short.is_empty() && name == plain(setting.short))
    };
    let mut found: Vec<Setting> = settings().filter(is_named).collect();
    if found.is_empty() {
        found.extend(further_names().filter(is_named).map(listed));
    }
    found.retain(|setting| extension.as_ref().is_none_or(|extension| setting.has(extension)));
    found
}

/// All settings of a number, the standard one first.
pub(super) fn by_number(number: u32) -> Vec<Setting> {
    settings().filter(|setting| setting.number == number).collect()
}

/// The setting that is meant by the first of `settings`: of an R group, the one of the cell's axes.
pub(super) fn meant(settings: &[Setting], cell: Option<&Cell>) -> Option<Setting> {
    let first = settings.first()?;
    let rhombohedral = cell.is_some_and(|cell| {
        let [alpha, _, gamma] = cell.angles_deg;
        gamma < 1.125 * alpha
    });
    let other = settings.iter().find(|other| {
        rhombohedral && first.extension == "H" && other.extension == "R" && other.full == first.full
    });
    Some(*other.unwrap_or(first))
}

/// The first row with the Hall symbol of a further name: one of the 530, where it is among them.
fn listed(further: Setting) -> Setting {
    all_settings().find(|setting| setting.hall == further.hall).unwrap_or(further)
}

/// Without blanks, underscores, quotes and brackets around digits; the first letter upper, the others lower.
fn plain(name: &str) -> String {
    let letters: Vec<char> =
        name.chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '"' | '\'')).collect();
    let mut plain = String::with_capacity(letters.len());
    let mut rest = &letters[..];
    loop {
        rest = match rest {
            [] => return plain,
            ['(', digit, ')', after @ ..] if digit.is_ascii_digit() => {
                plain.push(*digit);
                after
            }
            [letter, after @ ..] => {
                let first = plain.is_empty();
                plain.push(if first { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() });
                after
            }
        };
    }
}

/// The plain name and its extension; old and PDB's spellings made the table's.
fn split_extension(name: &str) -> (String, Option<String>) {
    let (mut name, mut extension) = match name.split_once(':') {
        Some((name, extension)) => (plain(name), Some(plain(extension))),
        None => (plain(name), None),
    };
    if extension.is_none() && name.starts_with('R') && name.len() > 1 && name.ends_with(['h', 'r']) {
        extension = name.pop().map(String::from);
    }
    // `H 3` says the axes itself.
    if let Some(rest) = name.strip_prefix('H').filter(|_| matches!(extension.as_deref(), None | Some("H"))) {
        name = format!("R{rest}");
        extension = Some("H".to_string());
    }
    // `P m 3` is the older symbol of `P m -3`.
    let mut letters = name.chars();
    if let (Some(lattice), Some(plane @ ('m' | 'n' | 'd' | 'a')), Some('3')) =
        (letters.next(), letters.next(), letters.next())
    {
        name = format!("{lattice}{plane}-3{}", letters.as_str());
    }
    (name, extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(name: &str) -> Option<String> {
        meant(&by_name(name), None).map(|setting| setting.name())
    }

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(settings().count(), 530);
        assert_eq!(further_names().count(), 227);
        for number in 1..=230 {
            assert!(!by_number(number).is_empty(), "{number}");
        }
        assert!(by_number(0).is_empty() && by_number(231).is_empty());
    }

    #[test]
    fn every_name_is_found() {
        for setting in settings() {
            let found = by_name(&setting.name());
            // Settings that differ in their axes only may share name and Hall symbol (`C c c a:1`).
            assert_eq!(found[0].hall, setting.hall, "{}", setting.name());
            assert_eq!(found[0].name(), setting.name());
            let whole = by_name(&format!("{}:{}", setting.full, setting.extension));
            assert!(setting.extension.is_empty() || whole[0] == setting, "{}", setting.name());
            assert!(
                setting.short.is_empty() || by_name(setting.short).contains(&setting),
                "{}",
                setting.short
            );
        }
        for further in further_names() {
            let found = by_name(further.full);
            assert!(found.iter().any(|setting| setting.hall == further.hall), "{}", further.full);
            assert!(found.iter().all(|setting| setting.number == further.number), "{}", further.full);
        }
    }

    #[test]
    fn spellings() {
        for (name, expected) in [
            ("P212121", "P 21 21 21"),
            ("p 2_1 2_1 2_1", "P 21 21 21"),
            ("P2(1)2(1)2(1)", "P 21 21 21"),
            ("'P 21'", "P 1 21 1"),
            ("P21/c", "P 1 21/c 1"),
            ("P2(1)/n", "P 1 21/n 1"),
            ("C 2", "C 1 2 1"),
            ("B 2", "B 1 1 2"),
            ("I2", "I 1 2 1"),
            ("I 21", "I 1 21 1"),
            ("P 1-", "P -1"),
            ("P 1 21 1:b", "P 1 21 1"),
            ("R 3", "R 3:H"),
            ("H 3", "R 3:H"),
            ("h32", "R 3 2:H"),
            ("H -3 m", "R -3 m:H"),
            ("R 3 :R", "R 3:R"),
            ("R32R", "R 3 2:R"),
            ("R 3 2 H", "R 3 2:H"),
            ("R -3 2/m :R", "R -3 m:R"),
            ("P m 3", "P m -3"),
            ("Fd3m", "F d -3 m:1"),
            ("F d -3 m:2", "F d -3 m:2"),
            ("I a 3 d", "I a -3 d"),
            ("P n n n", "P n n n:1"),
            ("P n n n :2", "P n n n:2"),
            ("P c n a:2bca", "P c n a:2"),
            ("A e m 2", "A b m 2"),
            ("Cmce", "C m c a"),
            ("P 2/m 2/m 2/m", "P m m m"),
            ("P 21 21 2 (a)", "P 21 21 2 (a)"),
            ("F 1 2 1", "F 1 2 1"),
        ] {
            assert_eq!(name_of(name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_not_guessed() {
        let unknown =
            ["", ":H", "P 99 99 99", "P 21:H", "P n n n:3", "H 3:R", "F 4 2 2", "P", "3", "P 21 21 21 x"];
        for name in unknown {
            assert_eq!(name_of(name), None, "{name}");
        }
    }

    #[test]
    fn the_cell_tells_the_axes_of_an_r_group() {
        let hexagonal = Cell { lengths_angstrom: [46.0, 46.0, 51.2], angles_deg: [90.0, 90.0, 120.0] };
        let rhombohedral = Cell { lengths_angstrom: [42.1; 3], angles_deg: [78.3; 3] };
        let choose = |name: &str, cell| meant(&by_name(name), Some(cell)).unwrap().name();
        assert_eq!(choose("R 3", &hexagonal), "R 3:H");
        assert_eq!(choose("R 3", &rhombohedral), "R 3:R");
        assert_eq!(choose("H 3", &rhombohedral), "R 3:H");
        assert_eq!(choose("R 3 :H", &rhombohedral), "R 3:H");
        assert_eq!(choose("P 3", &rhombohedral), "P 3");
        assert_eq!(meant(&by_number(155), Some(&rhombohedral)).unwrap().name(), "R 3 2:R");
        assert_eq!(meant(&by_number(155), None).unwrap().name(), "R 3 2:H");
        assert_eq!(meant(&by_number(4), Some(&hexagonal)).unwrap().name(), "P 1 21 1");
    }
}
