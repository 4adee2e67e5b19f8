//! The golden data: results of the reference.
//!
//! `golden/images/<case>` holds a command line, figures, float images and some of the written files.
//! `golden/inputs` holds the files that the command lines name, `golden/vec` tables of single functions, and
//! `golden/traces` intermediate values. One large run, the authoritative run, has inputs that are not part of
//! this repository: [`authoritative`] says where they are looked for.

use crate::oracle::{Mode, Simulation};
use crate::skipped::skipped;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folder of all golden data.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The folder of the input files that the golden command lines name.
pub fn inputs() -> PathBuf {
    root().join("inputs")
}

/// The folder of the authoritative run, if it exists: `WIDEBRAGG_AUTHORITATIVE` names it, or else it lies
/// beside the repository.
pub fn authoritative() -> Option<PathBuf> {
    let folder = env::var_os("WIDEBRAGG_AUTHORITATIVE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden/authoritative"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, String> {
    serde_json::from_slice(&bytes(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads a file of little-endian f32 values.
///
/// # Errors
/// When the file cannot be read.
pub fn read_f32(path: &Path) -> Result<Vec<f32>, String> {
    let chunks = bytes(path)?;
    Ok(chunks.chunks_exact(4).filter_map(|four| four.try_into().ok().map(f32::from_le_bytes)).collect())
}

/// Names of all golden images, in alphabetical order.
///
/// # Errors
/// When the folder cannot be read.
pub fn cases() -> Result<Vec<String>, String> {
    let folder = root().join("images");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// One golden image: its command line and what the reference printed and wrote.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Name of the case and of its folder.
    #[serde(skip)]
    pub name: String,
    /// Command line without the program's name and without output options.
    pub args: Vec<String>,
    /// Figures as printed; some cases have none.
    pub figures: BTreeMap<String, String>,
    /// SMV header through the form feed.
    pub smv_header: String,
    /// Whether the image differs when every phi step is rotated afresh.
    pub spec_image_differs: bool,
    /// Sum of the float image.
    pub sum: f64,
    /// Warnings printed.
    pub warnings: usize,
    /// The modes that the image is for, where it is not for both.
    #[serde(default)]
    modes: Option<Vec<String>>,
}

impl Case {
    /// Reads `case.json`.
    ///
    /// # Errors
    /// When it is missing or unreadable.
    pub fn load(name: &str) -> Result<Case, String> {
        let path = root().join("images").join(name).join("case.json");
        let case: Case = json(&path)?;
        Ok(Case { name: name.to_owned(), ..case })
    }

    /// The modes that the image is for.
    pub fn modes(&self) -> impl Iterator<Item = Mode> + '_ {
        let names = [(Mode::CParity, "c-parity"), (Mode::Spec, "spec")];
        let wanted =
            |name: &str| self.modes.as_ref().is_none_or(|modes| modes.iter().any(|mode| mode == name));
        names.into_iter().filter(move |&(_, name)| wanted(name)).map(|(mode, _)| mode)
    }

    /// The float image for a mode.
    ///
    /// # Errors
    /// When it is missing.
    pub fn image(&self, mode: Mode) -> Result<Vec<f32>, String> {
        let spec = mode == Mode::Spec && self.spec_image_differs;
        read_f32(&root().join("images").join(&self.name).join(if spec { "spec.f32" } else { "c.f32" }))
    }

    /// A file that the reference wrote (`i.img`, `n.img`, `p.pgm`), if the case has it.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        bytes(&root().join("images").join(&self.name).join(name)).ok()
    }
}

/// The rows of a table in `golden/vec`, all of them numbers, without the heading.
///
/// # Errors
/// When the table is missing or a cell is not a number.
pub fn table(name: &str) -> Result<Vec<Vec<f64>>, String> {
    rows(name)?
        .iter()
        .map(|row| row.split(',').map(|cell| cell.parse().map_err(|_| format!("{name}: '{cell}'"))).collect())
        .collect()
}

fn rows(name: &str) -> Result<Vec<String>, String> {
    let text = String::from_utf8_lossy(&bytes(&root().join("vec").join(name))?).into_owned();
    Ok(text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
}

/// An exact value of sin(pi N h) / sin(pi h).
#[derive(Clone, Copy, Debug)]
pub struct SincgExact {
    /// Miller index.
    pub h: f64,
    /// Number of unit cells.
    pub N: f64,
    /// The exact value as (nearest f64, remainder).
    pub exact: (f64, f64),
}

/// The rows of `sincg_exact.csv`.
///
/// # Errors
/// When the table is missing or a cell is not a number.
pub fn sincg_exact() -> Result<Vec<SincgExact>, String> {
    let parsed = |row: &str| {
        let mut cells = row.split(',');
        let h = cells.next()?.parse().ok()?;
        let N = cells.next()?.parse().ok()?;
        Some(SincgExact { h, N, exact: exact_pair(cells.next()?)? })
    };
    rows("sincg_exact.csv")?
        .iter()
        .map(|row| parsed(row).ok_or_else(|| format!("sincg_exact.csv: '{row}'")))
        .collect()
}

/// A decimal of up to 36 digits as (nearest f64, remainder); `None` for any other text.
///
/// Both the decimal and its nearest f64, whose decimal expansion the formatter gives exactly, become integers
/// times the same power of ten. Their difference is exact to 37 digits.
pub fn exact_pair(decimal: &str) -> Option<(f64, f64)> {
    const DIGITS: usize = 36;
    let hi: f64 = decimal.parse().ok().filter(|x: &f64| x.is_finite())?;
    if hi == 0.0 {
        return Some((hi, 0.0));
    }
    let (value, exponent) = scaled_integer(decimal, DIGITS)?;
    let (nearest, nearest_exponent) = scaled_integer(&format!("{hi:.*e}", DIGITS - 1), DIGITS)?;
    // The two may lie on either side of a power of ten. Then one of them is rescaled.
    let (value, nearest, exponent) = match exponent - nearest_exponent {
        0 => (value, nearest, exponent),
        1 => (value.checked_mul(10)?, nearest, nearest_exponent),
        -1 => (value, nearest.checked_mul(10)?, exponent),
        _ => return None,
    };
    let lo = format!("{}e{exponent}", value - nearest).parse().ok()?;
    Some((hi, lo))
}

/// A decimal as (integer of `digits` digits, power of ten).
fn scaled_integer(decimal: &str, digits: usize) -> Option<(i128, i32)> {
    let (mantissa, exponent) = decimal.split_once('e').unwrap_or((decimal, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or((1, mantissa), |rest| (-1, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let missing = digits.checked_sub(significant.len())?;
    let integer: i128 = format!("{significant}{}", "0".repeat(missing)).parse().ok()?;
    let exponent = exponent.parse::<i32>().ok()? - fraction.len() as i32 - missing as i32;
    Some((sign * integer, exponent))
}

/// The golden traces of one case.
#[derive(Clone, Debug, Deserialize)]
pub struct Trace {
    /// Name of the case.
    pub case: String,
    /// Command line.
    pub args: Vec<String>,
    /// Traced pixels.
    pub traces: Vec<TracedPixel>,
}

/// One traced pixel.
#[derive(Clone, Debug, Deserialize)]
pub struct TracedPixel {
    /// The pixel's position on the detector.
    pub pixel: PixelAddress,
    /// Intermediate values by name: one number or three.
    pub taps: BTreeMap<String, Tap>,
    /// For every phi step, intermediate values by name.
    pub per_phi: Vec<BTreeMap<String, f64>>,
}

/// The position of a pixel.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct PixelAddress {
    /// Row.
    pub slow: usize,
    /// Column.
    pub fast: usize,
}

/// An intermediate value, called a tap.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Tap {
    /// One number.
    Scalar(f64),
    /// x, y, z or h, k, l.
    Vector([f64; 3]),
}

/// All traces of `golden/traces`, sorted by name.
///
/// # Errors
/// When one is missing or unreadable.
pub fn traces() -> Result<Vec<Trace>, String> {
    let folder = root().join("traces");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().map(|path| json(path)).collect()
}

/// Chosen rows of the authoritative run.
#[derive(Clone, Debug, Deserialize)]
pub struct AuthoritativeRows {
    /// Rows of the detector.
    pub slow_pixels: usize,
    /// Columns of the detector.
    pub fast_pixels: usize,
    /// The rows that the files hold.
    pub rows: Vec<usize>,
    /// A pixel whose value depends on whether the reference ran with one thread or with two.
    pub two_thread_first_pixel: TwoThreadPixel,
    /// Sum of the whole c-parity image.
    pub sum_c: f64,
    /// Sum of the whole spec image.
    pub sum_spec: f64,
    #[serde(skip)]
    folder: PathBuf,
}

/// The first pixel of the second of two threads.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct TwoThreadPixel {
    /// Row.
    pub slow: usize,
    /// Column.
    pub fast: usize,
    /// Value with one thread.
    pub one_thread: f64,
    /// Value with two threads.
    pub two_threads: f64,
}

impl AuthoritativeRows {
    /// Reads `figures.json` in the authoritative folder.
    ///
    /// # Errors
    /// When it is missing or unreadable.
    pub fn load(folder: &Path) -> Result<AuthoritativeRows, String> {
        let rows: AuthoritativeRows = json(&folder.join("figures.json"))?;
        Ok(AuthoritativeRows { folder: folder.to_owned(), ..rows })
    }

    /// The pixels of all rows for a mode, one row after the other.
    ///
    /// # Errors
    /// When the file is missing.
    pub fn image(&self, mode: Mode) -> Result<Vec<f32>, String> {
        read_f32(&self.folder.join(if mode == Mode::Spec { "spec_rows.f32" } else { "c_rows.f32" }))
    }
}

/// The folder of the input files of a golden trace; `None` for the authoritative run where its folder does
/// not exist.
pub fn inputs_of(case: &str) -> Option<PathBuf> {
    if case == "authoritative" { authoritative() } else { Some(inputs()) }
}

/// The rows of the authoritative run and its simulation. Where its folder does not exist, prints a line and
/// returns `None`.
///
/// # Panics
/// When the folder exists and is incomplete.
pub fn authoritative_run() -> Option<(AuthoritativeRows, Simulation)> {
    let Some(folder) = authoritative() else {
        skipped("the authoritative run (set WIDEBRAGG_AUTHORITATIVE to its folder)");
        return None;
    };
    let rows = AuthoritativeRows::load(&folder).expect("figures.json");
    let traces = traces().expect("golden traces");
    let trace = traces.iter().find(|trace| trace.case == "authoritative").expect("its command line");
    Some((rows, Simulation::from_args(&trace.args, &folder).expect("command line")))
}
