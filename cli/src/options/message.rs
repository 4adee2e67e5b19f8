//! Parts of error messages: what the user typed, and lists of names.

/// What the user typed, on one line and shortened where it is very long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut line = String::new();
    for c in text.chars().take(LONGEST) {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        line.push_str("...");
    }
    line
}

/// What the user typed, between quotation marks.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", shown(text))
}

/// What the user typed, between quotation marks where its end would not be seen otherwise.
pub(super) fn quoted_if_odd(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) { quoted(word) } else { shown(word) }
}

/// `a, b or c`, with `conjunction` before the last.
pub(super) fn listed(names: &[&str], conjunction: &str) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [init @ .., last] => format!("{} {conjunction} {last}", init.join(", ")),
    }
}
