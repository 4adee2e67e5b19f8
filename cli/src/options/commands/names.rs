//! The names of an enumeration's values as the words of
//! [`Takes::Choice`](super::super::takes::Takes::Choice).

/// A list of the given words, then of the names of all values of an enumeration.
macro_rules! names {
    ($($first:literal,)* $type:ty) => {{
        const FIRST: &[&str] = &[$($first),*];
        const NAMES: [&str; FIRST.len() + <$type>::ALL.len()] = {
            let mut names = [""; FIRST.len() + <$type>::ALL.len()];
            let mut index = 0;
            while index < names.len() {
                names[index] = match index.checked_sub(FIRST.len()) {
                    Some(value) => <$type>::ALL[value].name(),
                    None => FIRST[index],
                };
                index += 1;
            }
            names
        };
        &NAMES
    }};
}

pub(super) use names;
