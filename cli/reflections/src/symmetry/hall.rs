//! Hall symbols: operators from a symbol such as `-P 2ac 2n` or `P 31 2 (0 0 4)`.
//!
//! A symbol is `[-]L W W W W [(basis)]`. The sign adds an inversion at the origin, L is the lattice, each word W
//! one generator `[-]N[axis][shifts]`, and the basis another origin or other axes: with V from the
//! bracket, a generator g becomes V g V^-1.
//!
//! Source: S. R. Hall, Acta Cryst. A37 (1981) 517-525; International Tables for Crystallography B (2001), 1.4,
//! appendix A1.4.2.

use super::operator::{Operator, Rotation, row};
use crate::failure::{Failure, quoted};

/// Rotations about z by 360/N degrees; N = 5 is none.
const ABOUT_Z: [Option<Rotation>; 6] = [
    Some([[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    Some([[-1, 0, 0], [0, -1, 0], [0, 0, 1]]),
    Some([[0, -1, 0], [1, -1, 0], [0, 0, 1]]),
    Some([[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    None,
    Some([[1, -1, 0], [1, 0, 0], [0, 0, 1]]),
];

/// Two-fold rotations between the axes x and y: `'` about a - b, `"` about a + b.
const DIAGONAL_MINUS: Rotation = [[0, -1, 0], [-1, 0, 0], [0, 0, -1]];
const DIAGONAL_PLUS: Rotation = [[0, 1, 0], [1, 0, 0], [0, 0, -1]];

/// Three-fold rotation about a + b + c, `*`.
const SPACE_DIAGONAL: Rotation = [[0, 0, 1], [1, 0, 0], [0, 1, 0]];

/// Where the axes x, y, z go when z becomes x, y or z.
pub(super) const Z_TO: [[usize; 3]; 3] = [[1, 2, 0], [2, 0, 1], [0, 1, 2]];

/// Generators of the group with this Hall symbol, the centring translations among them.
///
/// # Errors
/// A symbol that breaks the rules, and a basis of determinant other than 1 or -1.
pub(super) fn generators(symbol: &str) -> Result<Vec<Operator>, Failure> {
    let refuse = |why: &str| Failure::new(format!("the Hall symbol {}: {why}", quoted(symbol)));
    // `^` and `=` are other spellings of `'` and `"`, `_` of a blank, capitals of small letters.
    let plain: String = symbol
        .chars()
        .map(|c| match c {
            '_' => ' ',
            '^' => '\'',
            '=' => '"',
            _ => c.to_ascii_lowercase(),
        })
        .collect();
    let (words, basis) = match plain.split_once('(') {
        Some((words, bracket)) => {
            let inside = bracket.trim_end().strip_suffix(')').ok_or_else(|| refuse("its bracket is open"))?;
            (words, Some(inside))
        }
        None => (plain.as_str(), None),
    };
    let mut words = words.split_whitespace();
    let lattice = words.next().unwrap_or_default();
    let (centre, lattice) = match lattice.strip_prefix('-') {
        Some(lattice) => (true, lattice),
        None => (false, lattice),
    };
    let mut generators: Vec<Operator> = centring(lattice)
        .ok_or_else(|| refuse("it begins with none of the lattices P A B C I F R H S T"))?
        .iter()
        .map(|shift| Operator::translation(*shift))
        .collect();
    if centre {
        generators.push(Operator::new([[-1, 0, 0], [0, -1, 0], [0, 0, -1]], [0; 3])?);
    }
    let mut previous = Previous { order: 0, axis: 2 };
    for (i, word) in words.enumerate() {
        if i == 4 {
            return Err(refuse("it has more than four rotations"));
        }
        let generator = rotation_word(word, i, &mut previous)
            .ok_or_else(|| refuse(&format!("its rotation {} is unknown", quoted(word))))?;
        generators.push(generator);
    }
    if let Some(basis) = basis {
        let to_new = change_of_basis(basis).ok_or_else(|| refuse("its change of basis is unknown"))?;
        let to_old = to_new.inverse()?;
        for generator in &mut generators {
            *generator = to_new.after(generator)?.after(&to_old)?;
        }
    }
    Ok(generators)
}

/// Centring translations of a lattice in 24ths; `None` for another letter.
fn centring(lattice: &str) -> Option<&'static [[i32; 3]]> {
    Some(match lattice {
        "p" => &[],
        "a" => &[[0, 12, 12]],
        "b" => &[[12, 0, 12]],
        "c" => &[[12, 12, 0]],
        "i" => &[[12, 12, 12]],
        "f" => &[[0, 12, 12], [12, 0, 12], [12, 12, 0]],
        "r" => &[[16, 8, 8], [8, 16, 16]],
        "h" => &[[16, 8, 0], [8, 16, 0]],
        "s" => &[[8, 8, 16], [16, 16, 8]],
        "t" => &[[8, 16, 8], [16, 8, 16]],
        _ => return None,
    })
}

/// What the words before say of a word that names no axis.
struct Previous {
    order: u32,
    axis: usize,
}

/// The generator of a word, the `index`-th of its symbol.
fn rotation_word(word: &str, index: usize, previous: &mut Previous) -> Option<Operator> {
    let (improper, word) = match word.strip_prefix('-') {
        Some(word) => (true, word),
        None => (false, word),
    };
    let order = word.chars().next()?.to_digit(10)?;
    let about_z = ABOUT_Z.get(usize::try_from(order).ok()?.checked_sub(1)?).copied().flatten()?;
    let mut shifts = &word[1..];
    let named = shifts.chars().next().filter(|c| "xyz'\"*".contains(*c));
    if named.is_some() {
        shifts = &shifts[1..];
    }
    let axis = match (named, index, order) {
        (Some(axis), _, _) => axis,
        (None, 0, _) | (None, _, 1) => 'z',
        (None, 1, 2) if matches!(previous.order, 2 | 4) => 'x',
        (None, 1, 2) if matches!(previous.order, 3 | 6) => '\'',
        (None, 2, 3) => '*',
        _ => return None,
    };
    let along = match axis {
        'x' => Some(0),
        'y' => Some(1),
        'z' => Some(2),
        _ => None,
    };
    let proper = match (axis, order) {
        ('\'', 2) => Operator::new(DIAGONAL_MINUS, [0; 3]).ok()?.renamed(Z_TO[previous.axis]),
        ('"', 2) => Operator::new(DIAGONAL_PLUS, [0; 3]).ok()?.renamed(Z_TO[previous.axis]),
        ('*', 3) => Operator::new(SPACE_DIAGONAL, [0; 3]).ok()?,
        _ => Operator::new(about_z, [0; 3]).ok()?.renamed(Z_TO[along?]),
    };
    let mut shift = [0; 3];
    for letter in shifts.chars() {
        let added = match letter {
            'a' => [12, 0, 0],
            'b' => [0, 12, 0],
            'c' => [0, 0, 12],
            'n' => [12, 12, 12],
            'u' => [6, 0, 0],
            'v' => [0, 6, 0],
            'w' => [0, 0, 6],
            'd' => [6, 6, 6],
            _ => {
                let turns = letter.to_digit(10).filter(|turns| (1..order).contains(turns))?;
                let mut screw = [0; 3];
                screw[along?] = i32::try_from(24 * turns / order).ok()?;
                screw
            }
        };
        shift = core::array::from_fn(|i| shift[i] + added[i]);
    }
    *previous = Previous { order, axis: along.unwrap_or(previous.axis) };
    let rotation =
        if improper { proper.rotation().map(|row| row.map(|entry| -entry)) } else { *proper.rotation() };
    Operator::new(rotation, shift).ok()
}

/// V of a bracket: three integers, a shift in twelfths, or a triplet.
fn change_of_basis(inside: &str) -> Option<Operator> {
    if inside.contains(',') {
        let parts: Vec<String> =
            inside.split(',').map(|part| part.chars().filter(|c| !c.is_whitespace()).collect()).collect();
        let [x, y, z] = &parts[..] else { return None };
        let [x, y, z] = [row(x).ok()?, row(y).ok()?, row(z).ok()?];
        return Operator::new([x.0, y.0, z.0], [x.1, y.1, z.1]).ok();
    }
    let numbers: Vec<i32> = inside.split_whitespace().map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let twelfths: [i32; 3] = numbers.try_into().ok()?;
    let in_range = twelfths.iter().all(|n| n.abs() <= 12);
    in_range.then(|| Operator::translation(twelfths.map(|n| 2 * n)))
}
