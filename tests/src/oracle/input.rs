//! Readers of the reference's input files: A matrix, structure factors as text or dump, SMV headers and
//! masks, source lists.
//!
//! Every error names the file, and the line where there is one.

use super::vector::{Vector, cross, dot, unit};
use core::str::FromStr;
use std::fs;
use std::path::Path;

/// Upper limit for the number of grid points; more is taken for a mistake. This is 1 GiB of f64.
const MOST_GRID_POINTS: i64 = 1 << 27;

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A number that is neither infinite nor NaN.
pub(super) fn finite(word: &str) -> Result<f64, String> {
    f64::from_str(word).ok().filter(|x| x.is_finite()).ok_or_else(|| format!("'{word}' is not a number"))
}

/// Reads a*, b*, c* in 1/Angstrom from a file of nine numbers in units of 1/lambda. The axes are the columns.
///
/// # Errors
/// When the file cannot be read, holds fewer than nine numbers, or the matrix is singular.
pub fn read_matrix(path: &Path, lambda_m: f64) -> Result<[Vector; 3], String> {
    let name = path.display();
    let numbers = text(path)?
        .split_whitespace()
        .take(9)
        .map(finite)
        .collect::<Result<Vec<f64>, String>>()
        .map_err(|error| format!("{name}: {error}"))?;
    let [ax, bx, cx, ay, by, cy, az, bz, cz] =
        numbers[..].try_into().map_err(|_| format!("{name}: fewer than nine numbers"))?;
    let factor = 1e-10 / lambda_m;
    let axes = [[ax, ay, az], [bx, by, bz], [cx, cy, cz]].map(|axis| axis.map(|x: f64| x * factor));
    if dot(axes[0], cross(axes[1], axes[2])) == 0.0 {
        return Err(format!("{name}: the matrix is singular"));
    }
    Ok(axes)
}

/// Structure factors on the dense grid that spans the listed indices.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Lowest index on h, k, l.
    pub min: [i64; 3],
    /// Number of indices on h, k, l: max - min + 1.
    pub range: [i64; 3],
    /// Values, h-major, l fastest.
    pub F: Vec<f64>,
}

impl Grid {
    /// A grid with these limits, all of whose values are `fill`.
    fn spanning(min: [i64; 3], max: [i64; 3], fill: f64) -> Result<Grid, String> {
        let mut range = [0; 3];
        let mut points = 1_i64;
        for axis in 0..3 {
            range[axis] = max[axis].checked_sub(min[axis]).and_then(|n| n.checked_add(1)).unwrap_or(0);
            points = points.checked_mul(range[axis]).unwrap_or(0);
        }
        if points <= 0 || points > MOST_GRID_POINTS || range.iter().any(|&n| n <= 0) {
            return Err(format!("indices from {min:?} to {max:?} make no usable grid"));
        }
        Ok(Grid { min, range, F: vec![fill; points as usize] })
    }

    /// Reads lines of `h k l F`. Further columns are ignored, and the last line of an index counts.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, has a line that is not `h k l F`, or an index that is not an
    /// integer.
    pub fn read_text(path: &Path, default_F: f64) -> Result<Grid, String> {
        let mut reflections: Vec<([i64; 3], f64)> = Vec::new();
        for (number, line) in text(path)?.lines().enumerate() {
            let complain = |why: String| format!("{} line {}: {why}", path.display(), number + 1);
            let columns: Vec<&str> = line.split_whitespace().take(4).collect();
            if columns.is_empty() {
                continue;
            }
            let [h, k, l, F] = columns[..] else { return Err(complain("not h k l F".to_owned())) };
            let mut hkl = [0; 3];
            for (index, word) in hkl.iter_mut().zip([h, k, l]) {
                let value = finite(word).map_err(complain)?;
                if value.fract() != 0.0 || value.abs() > 1e9 {
                    return Err(complain(format!("'{word}' is not an integer index")));
                }
                *index = value as i64;
            }
            reflections.push((hkl, finite(F).map_err(complain)?));
        }
        let Some(&(first, _)) = reflections.first() else {
            return Err(format!("{}: no reflections", path.display()));
        };
        let (mut min, mut max) = (first, first);
        for (hkl, _) in &reflections {
            for axis in 0..3 {
                min[axis] = min[axis].min(hkl[axis]);
                max[axis] = max[axis].max(hkl[axis]);
            }
        }
        let mut grid =
            Grid::spanning(min, max, default_F).map_err(|error| format!("{}: {error}", path.display()))?;
        for (hkl, F) in reflections {
            if let Some(at) = grid.offset(hkl) {
                grid.F[at] = F;
            }
        }
        Ok(grid)
    }

    /// The dump as the reference writes it: the limits as text, then the grid with one plane of zeros added
    /// on each axis.
    pub fn to_dump(&self) -> Vec<u8> {
        let max = |axis: usize| self.min[axis] + self.range[axis] - 1;
        let mut bytes = format!(
            "{} {} {} {} {} {}\n\u{c}",
            self.min[0],
            max(0),
            self.min[1],
            max(1),
            self.min[2],
            max(2)
        )
        .into_bytes();
        for h in self.min[0]..=max(0) + 1 {
            for k in self.min[1]..=max(1) + 1 {
                for l in self.min[2]..=max(2) + 1 {
                    let value = self.offset([h, k, l]).map_or(0.0, |at| self.F[at]);
                    bytes.extend_from_slice(&value.to_ne_bytes());
                }
            }
        }
        bytes
    }

    /// Reads such a dump.
    ///
    /// # Errors
    /// When the limits cannot be read or values are missing.
    pub fn from_dump(bytes: &[u8]) -> Result<Grid, String> {
        let end = bytes
            .windows(2)
            .position(|pair| pair == b"\n\x0c")
            .ok_or("dump: no form feed after the limits")?;
        let limits = core::str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|line| {
                line.split_whitespace().map(|word| word.parse().ok()).collect::<Option<Vec<i64>>>()
            })
            .ok_or("dump: the limits are not integers")?;
        let &[h_min, h_max, k_min, k_max, l_min, l_max] = &limits[..] else {
            return Err("dump: not six limits".to_owned());
        };
        let mut grid = Grid::spanning([h_min, k_min, l_min], [h_max, k_max, l_max], 0.0)?;
        let values: Vec<f64> = bytes[end + 2..]
            .chunks_exact(8)
            .map(|chunk| chunk.try_into().map_or(0.0, f64::from_ne_bytes))
            .collect();
        let padded = grid.range.map(|n| n as usize + 1);
        if values.len() < padded.iter().product() {
            return Err("dump: too few values".to_owned());
        }
        let mut kept = Vec::with_capacity(grid.F.len());
        for h in 0..padded[0] - 1 {
            for k in 0..padded[1] - 1 {
                let row = (h * padded[1] + k) * padded[2];
                kept.extend_from_slice(&values[row..row + padded[2] - 1]);
            }
        }
        grid.F = kept;
        Ok(grid)
    }

    /// The position of an index in `F`; `None` outside the limits.
    pub fn offset(&self, hkl: [i64; 3]) -> Option<usize> {
        let mut offset = 0;
        for ((index, min), range) in hkl.into_iter().zip(self.min).zip(self.range) {
            let index = index.checked_sub(min).filter(|index| (0..range).contains(index))?;
            offset = offset * range + index;
        }
        Some(offset as usize)
    }
}

/// An SMV image: header keys in file order, and 16-bit pixels.
#[derive(Clone, Debug)]
pub struct Smv {
    name: String,
    keys: Vec<(String, String)>,
    /// Pixels, slow-major.
    pub pixels: Vec<u16>,
}

impl Smv {
    /// Reads header and pixels.
    ///
    /// # Errors
    /// When the file cannot be read, is not an SMV file, or holds fewer pixels than SIZE1 x SIZE2.
    pub fn read(path: &Path) -> Result<Smv, String> {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        let end = bytes.iter().position(|&byte| byte == b'}');
        let Some(end) = end.filter(|_| bytes.starts_with(b"{")) else {
            return Err(format!("{name}: not an SMV file"));
        };
        let header = String::from_utf8_lossy(&bytes[1..end]);
        let keys = header
            .split([';', '\n'])
            .filter_map(|entry| entry.split_once('='))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let mut image = Smv { name, keys, pixels: Vec::new() };
        let header_bytes = image.number("HEADER_BYTES")?.unwrap_or(512.0);
        let [Some(fast), Some(slow)] = [image.number("SIZE1")?, image.number("SIZE2")?] else {
            return Err(format!("{}: no SIZE1 or SIZE2 in the header", image.name));
        };
        let data = bytes.get(header_bytes as usize..).unwrap_or_default();
        image.pixels = data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        if (image.pixels.len() as f64) < fast * slow {
            return Err(format!("{}: fewer pixels than SIZE1 x SIZE2", image.name));
        }
        Ok(image)
    }

    /// The number with a key; the last occurrence counts.
    ///
    /// # Errors
    /// When the value is not a number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, String> {
        let entry = self.keys.iter().rev().find(|(name, _)| name == key);
        entry
            .map(|(_, value)| finite(value).map_err(|error| format!("{}: {key}: {error}", self.name)))
            .transpose()
    }
}

/// One source: a direction from the sample towards it, and a wavelength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Unit vector from the sample to the source; the incident beam goes the other way.
    pub direction: Vector,
    /// Wavelength in metres.
    pub lambda: f64,
    /// Weight among the sources, which only spec heeds.
    pub weight: f64,
}

/// Reads lines of `X Y Z weight lambda`. Missing columns are taken from the beam, a missing weight is 1.
///
/// # Errors
/// When the file cannot be read or a line has no direction.
pub fn read_sources(path: &Path, beam: Vector, lambda_m: f64) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for (number, line) in text(path)?.lines().enumerate() {
        let complain = |why: String| format!("{} line {}: {why}", path.display(), number + 1);
        if line.trim_start().starts_with('#') {
            continue;
        }
        let columns = line
            .split(|c: char| c.is_whitespace() || ",;:!".contains(c))
            .filter(|word| !word.is_empty())
            .map(finite)
            .collect::<Result<Vec<f64>, String>>()
            .map_err(complain)?;
        if columns.is_empty() {
            continue;
        }
        let column = |at: usize, default: f64| columns.get(at).copied().unwrap_or(default);
        let direction =
            unit([column(0, -10.0 * beam[0]), column(1, -10.0 * beam[1]), column(2, -10.0 * beam[2])]);
        let lambda = column(4, lambda_m);
        if direction == [0.0; 3] || lambda <= 0.0 {
            return Err(complain("a source needs a direction and a wavelength".to_owned()));
        }
        sources.push(Source { direction, lambda, weight: column(3, 1.0) });
    }
    Ok(sources)
}
