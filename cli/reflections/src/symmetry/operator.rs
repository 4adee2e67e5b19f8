//! Symmetry operators x' = R x + t.
//!
//! R is an integer matrix of determinant 1 or -1 that acts on columns of fractional coordinates; t is given in
//! 24ths of the axes and taken modulo 1. On Miller indices an operator acts from the right, h' = h R, with
//! F(h R) = F(h) exp(-2 pi i h.t).

use crate::failure::{Failure, quoted};
use crate::observations::Hkl;
use core::fmt;
use core::str::FromStr;

/// A 3 x 3 matrix of integers, by rows.
pub type Rotation = [[i32; 3]; 3];

/// Number of parts of an axis in which translations are counted.
pub(crate) const PARTS: i32 = 24;

/// How far a translation may be from a multiple of 1/24, in 24ths: 0.333 and 0.167 occur in files.
const TOLERANCE_24THS: f64 = 0.1;

/// Largest entry of a rotation. Cells of any use have entries of 0 and 1; powers of an operator of infinite
/// order grow beyond every bound.
const MAX_ENTRY: u32 = 100;

const NO_ROTATION: Rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];

/// An operator of a space group.
///
/// ```
/// use widebragg_reflections::symmetry::Operator;
///
/// let screw: Operator = "-y, x-y, z+1/3".parse()?;
/// assert_eq!(screw.image([1, 2, 3]), [2, -3, 3]);
/// assert_eq!(screw.to_string(), "-y,x-y,z+1/3");
/// # Ok::<(), widebragg_reflections::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator {
    rotation: Rotation,
    shift_24ths: [i32; 3],
}

impl Operator {
    /// The operator x, y, z.
    pub const IDENTITY: Self = Self { rotation: NO_ROTATION, shift_24ths: [0; 3] };

    /// x' = R x + t, with t in 24ths of the axes.
    ///
    /// # Errors
    /// A determinant other than 1 and -1, and entries of R beyond 100.
    pub fn new(rotation: Rotation, shift_24ths: [i32; 3]) -> Result<Self, Failure> {
        if rotation.iter().flatten().any(|entry| entry.unsigned_abs() > MAX_ENTRY) {
            return Err(Failure::new(format!("its rotation has numbers beyond {MAX_ENTRY}")));
        }
        let determinant = determinant(&rotation);
        if determinant.abs() != 1 {
            return Err(Failure::new(format!("its determinant is {determinant}, not 1 or -1")));
        }
        Ok(Self { rotation, shift_24ths: shift_24ths.map(|shift| shift.rem_euclid(PARTS)) })
    }

    /// A translation by `shift_24ths`.
    pub(crate) fn translation(shift_24ths: [i32; 3]) -> Self {
        Self { rotation: NO_ROTATION, shift_24ths: shift_24ths.map(|shift| shift.rem_euclid(PARTS)) }
    }

    /// R.
    #[must_use]
    pub fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// t in 24ths of the axes, each of 0 to 23.
    #[must_use]
    pub fn shift_24ths(&self) -> [i32; 3] {
        self.shift_24ths
    }

    /// Whether R is the identity.
    #[must_use]
    pub fn is_translation(&self) -> bool {
        self.rotation == NO_ROTATION
    }

    /// The equivalent index h R.
    #[must_use]
    pub fn image(&self, hkl: Hkl) -> Hkl {
        image(hkl, &self.rotation)
    }

    /// h.t modulo 1, in 24ths.
    #[must_use]
    pub fn phase_24ths(&self, hkl: Hkl) -> i32 {
        phase_24ths(hkl, self.shift_24ths)
    }

    /// R x + t, the place that this operator moves a place to; both in fractions of the cell.
    #[must_use]
    pub fn moved(&self, fractional: [f64; 3]) -> [f64; 3] {
        core::array::from_fn(|i| {
            let turned: f64 = self.rotation[i].iter().zip(fractional).map(|(&r, x)| f64::from(r) * x).sum();
            turned + f64::from(self.shift_24ths[i]) / f64::from(PARTS)
        })
    }

    /// h.t modulo 1, which the phase of F(h R) differs from that of F(h) by.
    #[must_use]
    pub fn phase_turns(&self, hkl: Hkl) -> f64 {
        f64::from(self.phase_24ths(hkl)) / f64::from(PARTS)
    }

    /// The operator that applies `first`, then this one.
    ///
    /// # Errors
    /// Entries of R beyond 100: the operators are in no finite group.
    pub fn after(&self, first: &Self) -> Result<Self, Failure> {
        let [x, y, z] = first.shift_24ths;
        let column = |j: usize| first.rotation.map(|row| row[j]);
        let columns = [column(0), column(1), column(2)];
        let dot = |a: [i32; 3], b: [i32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let rotation = self.rotation.map(|row| columns.map(|column| dot(row, column)));
        let turned = self.rotation.map(|row| dot(row, [x, y, z]));
        Self::new(rotation, core::array::from_fn(|i| turned[i] + self.shift_24ths[i]))
    }

    /// The operator that undoes this one.
    ///
    /// # Errors
    /// Entries of its R beyond 100.
    pub fn inverse(&self) -> Result<Self, Failure> {
        let r = &self.rotation;
        let cofactor = |i: usize, j: usize| {
            let at = |di: usize, dj: usize| r[(i + di) % 3][(j + dj) % 3];
            at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)
        };
        // The determinant is its own inverse.
        let sign = determinant(r);
        let rotation: Rotation = core::array::from_fn(|i| core::array::from_fn(|j| sign * cofactor(j, i)));
        let t = self.shift_24ths;
        Self::new(rotation, rotation.map(|row| -(row[0] * t[0] + row[1] * t[1] + row[2] * t[2])))
    }

    /// The same operator in axes that are renamed by `axis`: what happened along the axis i happens along
    /// `axis[i]`.
    pub(crate) fn renamed(&self, axis: [usize; 3]) -> Self {
        let mut renamed = *self;
        for i in 0..3 {
            renamed.shift_24ths[axis[i]] = self.shift_24ths[i];
            for j in 0..3 {
                renamed.rotation[axis[i]][axis[j]] = self.rotation[i][j];
            }
        }
        renamed
    }
}

/// h R.
pub(crate) fn image([h, k, l]: Hkl, [x, y, z]: &Rotation) -> Hkl {
    core::array::from_fn(|j| h * x[j] + k * y[j] + l * z[j])
}

/// h.t modulo 1 in 24ths. Without overflow for all indices, since t is less than 1.
pub(crate) fn phase_24ths([h, k, l]: Hkl, [x, y, z]: [i32; 3]) -> i32 {
    let [h, k, l] = [h, k, l].map(|index| index.rem_euclid(PARTS));
    (h * x + k * y + l * z) % PARTS
}

/// The determinant, 0 where it is not an i32.
fn determinant(rotation: &Rotation) -> i32 {
    let [[a, b, c], [d, e, f], [g, h, i]] = rotation.map(|row| row.map(i64::from));
    i32::try_from(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)).unwrap_or(0)
}

impl FromStr for Operator {
    type Err = Failure;

    /// Reads a triplet: three parts at commas, each a sum of signed x, y, z (any case), fractions and decimals
    /// in any order, with blanks anywhere and perhaps quotes around.
    fn from_str(text: &str) -> Result<Self, Failure> {
        let refuse = |why: &str| Failure::new(format!("the symmetry operator {}: {why}", quoted(text)));
        let plain: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect();
        let parts: Vec<&str> = plain.split(',').collect();
        let [x, y, z] = parts[..] else {
            return Err(refuse(&format!("it has {} parts, not three", parts.len())));
        };
        let mut rotation = [[0; 3]; 3];
        let mut shift_24ths = [0; 3];
        for (i, part) in [x, y, z].into_iter().enumerate() {
            (rotation[i], shift_24ths[i]) = row(part).map_err(|why| refuse(&why))?;
        }
        Self::new(rotation, shift_24ths).map_err(|why| refuse(&why.to_string()))
    }
}

/// One row of R and one component of t, from a part such as `x-y+1/3` without blanks.
pub(crate) fn row(part: &str) -> Result<([i32; 3], i32), String> {
    let unclear = || format!("{} is no sum of x, y, z and fractions", quoted(part));
    let mut coefficients = [0_i32; 3];
    let mut shift = 0.0;
    let mut rest = part;
    while !rest.is_empty() {
        let (sign, term) = match rest.as_bytes() {
            [b'-', ..] => (-1, &rest[1..]),
            [b'+', ..] => (1, &rest[1..]),
            // Only the first term needs no sign.
            _ if rest.len() == part.len() => (1, rest),
            _ => return Err(unclear()),
        };
        let (term, after) = term.split_at(term.find(['+', '-']).unwrap_or(term.len()));
        match term {
            "x" | "X" => coefficients[0] += sign,
            "y" | "Y" => coefficients[1] += sign,
            "z" | "Z" => coefficients[2] += sign,
            _ => shift += f64::from(sign) * fraction(term).ok_or_else(unclear)?,
        }
        rest = after;
    }
    if part.is_empty() {
        return Err(unclear());
    }
    let parts = shift * f64::from(PARTS);
    let nearest = parts.round();
    if (parts - nearest).abs() > TOLERANCE_24THS {
        return Err(format!("{} shifts by no multiple of 1/24", quoted(part)));
    }
    Ok((coefficients, nearest.rem_euclid(f64::from(PARTS)) as i32))
}

/// A number without sign and exponent, or two of them with `/` between.
fn fraction(term: &str) -> Option<f64> {
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if plain { digits.parse::<f64>().ok().filter(|value| *value < 1e6) } else { None }
    };
    match term.split_once('/') {
        Some((above, below)) => Some(number(above)? / number(below).filter(|below| *below > 0.0)?),
        None => number(term),
    }
}

impl fmt::Display for Operator {
    /// The triplet, such as `-x+1/2,y,-z+1/3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (row, shift)) in self.rotation.iter().zip(self.shift_24ths).enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            let mut sign = "";
            for (coefficient, name) in row.iter().zip(["x", "y", "z"]) {
                for _ in 0..coefficient.abs() {
                    write!(f, "{}{name}", if *coefficient < 0 { "-" } else { sign })?;
                    sign = "+";
                }
            }
            if shift > 0 {
                let common = (1..=shift).rev().find(|n| shift % n == 0 && PARTS % n == 0).unwrap_or(1);
                write!(f, "+{}/{}", shift / common, PARTS / common)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(text: &str) -> Operator {
        text.parse().unwrap()
    }

    #[test]
    fn one_operator_is_written_in_many_ways() {
        let expected = Operator::new([[-1, 0, 0], [0, 1, 0], [0, 0, -1]], [0, 12, 8]).unwrap();
        for text in [
            "-x,y+1/2,-z+1/3",
            " - X , 1/2 + Y , 1/3 - Z ",
            "'-x, .5+y, -z+0.333'",
            "\"-X,Y-1/2,4/3-Z\"",
            "-x+1,y+12/24,-z-0.667",
            "-x,+1/4+y+1/4,-z+1/3",
        ] {
            assert_eq!(operator(text), expected, "{text}");
        }
        assert_eq!(expected.to_string(), "-x,y+1/2,-z+1/3");
    }

    #[test]
    fn what_is_no_operator_is_refused_in_words() {
        for (text, why) in [
            ("x,y", "it has 2 parts, not three"),
            ("x,y,z,", "it has 4 parts, not three"),
            ("x,,z", "\"\" is no sum of x, y, z and fractions"),
            ("x,y,z1/2", "\"z1/2\" is no sum of x, y, z and fractions"),
            ("x,y,2z", "\"2z\" is no sum of x, y, z and fractions"),
            ("x,y,z+1/0", "\"z+1/0\" is no sum of x, y, z and fractions"),
            ("x,y,--z", "\"--z\" is no sum of x, y, z and fractions"),
            ("x,y,z+", "\"z+\" is no sum of x, y, z and fractions"),
            ("x,y,z+1e3", "\"z+1e3\" is no sum of x, y, z and fractions"),
            ("x,y,z+inf", "\"z+inf\" is no sum of x, y, z and fractions"),
            ("x,y,z+0.3", "\"z+0.3\" shifts by no multiple of 1/24"),
            ("x,x,z", "its determinant is 0, not 1 or -1"),
            ("x+x,y,z", "its determinant is 2, not 1 or -1"),
        ] {
            let error = text.parse::<Operator>().unwrap_err().to_string();
            assert_eq!(error, format!("the symmetry operator \"{text}\": {why}"));
        }
        let long = format!("x{},y,z", "+y".repeat(101));
        assert!(long.parse::<Operator>().unwrap_err().to_string().ends_with("numbers beyond 100"));
    }

    #[test]
    fn indices_are_multiplied_from_the_left() {
        // A third of a turn: the images of h under R and under its inverse differ.
        let third = operator("-y,x-y,z");
        assert_eq!(third.image([1, 0, 0]), [0, -1, 0]);
        assert_eq!(third.inverse().unwrap().image([1, 0, 0]), [-1, 1, 0]);
        assert_eq!(operator("x,y,z+1/4").phase_24ths([7, 0, -3]), 6);
        assert_eq!(operator("x,y,z+1/4").phase_turns([7, 0, -3]), 0.25);
        assert_eq!(operator("x,y,z+23/24").phase_24ths([i32::MAX, i32::MIN, i32::MAX]), 17);
    }

    #[test]
    fn places_are_multiplied_from_the_right() {
        assert_eq!(operator("-y,x-y,z+2/3").moved([0.1, 0.2, 0.3]), [-0.2, -0.1, 0.3 + 2.0 / 3.0]);
    }

    #[test]
    fn products_and_inverses() {
        let screw = operator("-y,x-y,z+1/3");
        let square = screw.after(&screw).unwrap();
        assert_eq!(square, operator("-x+y,-x,z+2/3"));
        assert_eq!(square, screw.inverse().unwrap());
        let shear = operator("x+y,y,z");
        let mut power = shear;
        let refused = loop {
            match shear.after(&power) {
                Ok(next) => power = next,
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!(refused, "its rotation has numbers beyond 100");
    }

    #[test]
    fn renamed_axes() {
        assert_eq!(operator("-x,-y,z+1/2").renamed([1, 2, 0]), operator("x+1/2,-y,-z"));
        assert_eq!(operator("-y,x-y,z").renamed([1, 2, 0]), operator("x,-z,y-z"));
    }
}
