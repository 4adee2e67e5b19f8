//! Fields in fixed columns, as Fortran writes them.

use crate::text::shown;

/// The field from column `from` to before `to`, from 0, without the blanks around it; empty where the line is shorter.
/// Control characters count as blanks.
pub(super) fn field(line: &[u8], from: usize, to: usize) -> &[u8] {
    let mut field = line.get(from..to.min(line.len())).unwrap_or_default();
    let is_blank = |byte: &u8| *byte <= b' ';
    while let [first, rest @ ..] = field {
        if !is_blank(first) {
            break;
        }
        field = rest;
    }
    while let [rest @ .., last] = field {
        if !is_blank(last) {
            break;
        }
        field = rest;
    }
    field
}

/// What is wrong with a row in fixed columns, with the columns that it should have.
pub(super) fn not_in_columns(columns: &str, line: &[u8]) -> impl Fn(String) -> String {
    move |what| format!("{what} in {}, with columns {columns}", shown(line.trim_ascii_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lose_the_blanks_around_them() {
        let line = b" -10\t-12\0 7";
        assert_eq!(field(line, 0, 4), b"-10");
        assert_eq!(field(line, 4, 8), b"-12");
        assert_eq!(field(line, 8, 12), b"7");
        assert_eq!(field(line, 12, 20), b"");
        assert_eq!(field(b"  \t ", 0, 4), b"");
    }
}
