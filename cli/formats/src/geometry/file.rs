//! What a file of geometry holds, and how its format is recognised.

use std::io::{BufRead, Read};
use std::path::Path;

use super::vectors::{Matrix, length, plus, scaled, unit};
use super::{Beam, Geometry, Panel, crystfel, dials, imgcif, mini_cbf, smv, xds};
use crate::cif;
use crate::failure::Failure;
use crate::kind::kind_of;
use crate::memory::filled;
use crate::text::{in_file, open, read_text};
use crate::unpack::Unpacked;

/// Longest text of a geometry that is read. A list of thousands of experiments has some hundred megabytes.
const LIMIT_BYTES: u64 = 1 << 30;

/// A file of geometry, read.
#[derive(Debug, Clone, PartialEq)]
pub struct GeometryFile {
    /// The format, in words: "DIALS experiment list".
    pub format: &'static str,
    /// The geometry.
    pub geometry: Geometry,
    /// Experiments in the file, of which one was read.
    pub experiments: usize,
    /// The beam at the start of each frame and at the end of the last, where it was refined frame by frame; else empty.
    pub beam_at_frames: Vec<Beam>,
    /// Pixels that are to be left out.
    pub bad: Vec<BadRegion>,
    /// What else the file says, in its own words and order.
    pub held: Vec<Held>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
}

/// A fact of a file that is no geometry, such as where its images are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its name in the file.
    pub name: String,
    /// Its value in the file.
    pub value: String,
}

/// Pixels that are to be left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BadRegion {
    /// A rectangle of pixels of a panel.
    Pixels {
        /// The panel, counted from 0.
        panel: usize,
        /// The first and the last pixel along fast, counted from 0 in the panel.
        fast: [usize; 2],
        /// The first and the last pixel along slow.
        slow: [usize; 2],
    },
    /// A rectangle of the block of data of all panels.
    Block {
        /// The first and the last pixel along fast, counted from 0 in the block.
        fast: [usize; 2],
        /// The first and the last pixel along slow.
        slow: [usize; 2],
    },
    /// The pixels of all panels whose first corner lies within a rectangle in x and y of the laboratory, its border
    /// included. Lengths are in the edge of a pixel of the panel along fast.
    Laboratory {
        /// The smallest and the largest x.
        x: [f64; 2],
        /// The smallest and the largest y.
        y: [f64; 2],
    },
}

impl GeometryFile {
    /// A file that holds nothing but a geometry.
    pub(super) fn of(format: &'static str, geometry: Geometry) -> Self {
        Self {
            format,
            geometry,
            experiments: 1,
            beam_at_frames: Vec::new(),
            bad: Vec::new(),
            held: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The geometry of a frame, counted from 0: beam and A are the means of those at its start and at its end, where
    /// they were refined frame by frame.
    ///
    /// A frame beyond the last has the geometry of the last.
    #[must_use]
    pub fn at_frame(&self, frame: usize) -> Geometry {
        let mut geometry = self.geometry.clone();
        if let Some([start, end]) = ends(&self.beam_at_frames, frame) {
            geometry.beam = start.mean(end);
        }
        if let Some(crystal) = &mut geometry.crystal {
            if let Some([start, end]) = ends(&crystal.a_at_frames, frame) {
                crystal.a_matrix = mean(start, end);
            }
            crystal.a_at_frames = Vec::new();
        }
        geometry
    }

    /// Which pixels of a panel, counted from 0, are to be left out; index = slow * fast_pixels + fast. `None` where
    /// no region of the file concerns the panel.
    ///
    /// # Errors
    /// There is too little memory for the pixels.
    pub fn bad_pixels(&self, panel: usize) -> Result<Option<Vec<bool>>, Failure> {
        let Some(own) = self.geometry.panels.get(panel) else { return Ok(None) };
        let [fast_pixels, slow_pixels] = own.pixels;
        let concerns = |region: &&BadRegion| match region {
            BadRegion::Pixels { panel: of, .. } => *of == panel,
            BadRegion::Block { .. } | BadRegion::Laboratory { .. } => true,
        };
        let regions: Vec<&BadRegion> = self.bad.iter().filter(concerns).collect();
        if regions.is_empty() {
            return Ok(None);
        }
        let no_memory =
            || Failure::input(format!("no memory for a mask of {fast_pixels} x {slow_pixels} pixels"));
        let count = fast_pixels.checked_mul(slow_pixels).ok_or_else(no_memory)?;
        let mut bad = filled(count, false).ok_or_else(no_memory)?;
        for (slow, row) in bad.chunks_exact_mut(fast_pixels.max(1)).enumerate() {
            for region in &regions {
                region.mark(own, slow, row);
            }
        }
        Ok(Some(bad))
    }
}

impl BadRegion {
    /// Marks its pixels in the row `slow` of a panel.
    fn mark(&self, panel: &Panel, slow: usize, row: &mut [bool]) {
        let mut rectangle = |columns: [usize; 2], rows: [usize; 2], [fast0, slow0]: [usize; 2]| {
            if (rows[0]..=rows[1]).contains(&slow.saturating_add(slow0)) {
                let end = columns[1].saturating_add(1).saturating_sub(fast0).min(row.len());
                let first = columns[0].saturating_sub(fast0).min(end);
                row[first..end].fill(true);
            }
        };
        match *self {
            Self::Pixels { fast, slow, .. } => rectangle(fast, slow, [0, 0]),
            Self::Block { fast, slow } => rectangle(fast, slow, panel.data_origin),
            Self::Laboratory { x, y } => {
                let is_within =
                    |at_m: f64, [low, high]: [f64; 2], edge_m: f64| (low..=high).contains(&(at_m / edge_m));
                let edge_m = panel.pixel_m[0];
                for (fast, pixel) in row.iter_mut().enumerate() {
                    let [x_m, y_m, _] = panel.position_m([fast as f64, slow as f64]);
                    *pixel |= is_within(x_m, x, edge_m) && is_within(y_m, y, edge_m);
                }
            }
        }
    }
}

impl Beam {
    /// The beam whose wave vector, of length 1/lambda, is the mean of two; polarised as the first.
    fn mean(&self, other: &Self) -> Self {
        let wave_vector = |beam: &Self| scaled(1.0 / beam.lambda_m.unwrap_or(1.0), beam.direction);
        let sum = plus(wave_vector(self), 1.0, wave_vector(other));
        let Some(direction) = unit(sum) else { return *self };
        Self { direction, lambda_m: self.lambda_m.map(|_| 2.0 / length(sum)), ..*self }
    }
}

/// What holds at the start and at the end of a frame; of the last one for a frame beyond it.
fn ends<T>(at_frames: &[T], frame: usize) -> Option<[&T; 2]> {
    let last = at_frames.len().checked_sub(2)?;
    let start = frame.min(last);
    Some([at_frames.get(start)?, at_frames.get(start + 1)?])
}

fn mean(one: &Matrix, other: &Matrix) -> Matrix {
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| (one[row][column] + other[row][column]) / 2.0))
}

/// Reads the geometry of an experiment, in the format that the content of the file shows: a DIALS experiment list, a
/// geometry of CrystFEL, a file of XDS (`XDS.INP`, `XPARM.XDS`, `GXPARM.XDS`), or the header of an SMV, miniCBF or full
/// CBF image. Each may be in a gzip archive. Experiments count from 0.
///
/// # Errors
/// The file cannot be read, is of another kind, has no such experiment, or does not describe a geometry.
pub fn read_geometry(path: &Path, experiment: usize) -> Result<GeometryFile, Failure> {
    parse_geometry(&mut open(path)?, path, experiment)
}

/// [`read_geometry`] from a stream; `path` is its name in error messages, and files that it names are looked for in
/// the folder of `path`.
///
/// # Errors
/// As [`read_geometry`].
pub fn parse_geometry(input: &mut dyn Read, path: &Path, experiment: usize) -> Result<GeometryFile, Failure> {
    let mut input = Unpacked::new(input, path)?;
    let format = Format::of_start(input.start()).map_err(|(kind, advice)| {
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        in_file(path, format!("this is {kind}; a geometry is expected{advice}"))
    })?;
    let file = match format {
        Format::Smv => smv::parse(&mut input, path)?,
        Format::Cbf => parse_cbf(&mut input, path)?,
        Format::Text => {
            let text = read_text(&mut input, path, LIMIT_BYTES)?;
            match TextFormat::of(&text).map_err(|what| in_file(path, what))? {
                TextFormat::Dials => dials::parse(&text, path, experiment)?,
                TextFormat::Xparm => xds::xparm::parse(&text, path)?,
                TextFormat::XdsInp => xds::inp::parse(&text, path)?,
                TextFormat::CrystFel => crystfel::parse(&text, path)?,
            }
        }
    };
    if experiment >= file.experiments {
        return Err(in_file(path, no_such_experiment(experiment, file.experiments)));
    }
    Ok(file)
}

/// Says that an experiment is not among the `count` of a file.
pub(super) fn no_such_experiment(experiment: usize, count: usize) -> String {
    match count {
        0 => "it has no experiments".to_owned(),
        1 => format!("there is no experiment {experiment}: it has one, number 0"),
        _ => format!("there is no experiment {experiment}: it has {count}, counted from 0"),
    }
}

/// Reads the header of a CBF image, as full CBF where it has tables of axes.
fn parse_cbf(input: &mut dyn BufRead, path: &Path) -> Result<GeometryFile, Failure> {
    let text = imgcif::read_text_around_data(input, path)?;
    if imgcif::has_axes(&text) { imgcif::parse(&text, path) } else { mini_cbf::parse(&text, path) }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Smv,
    Cbf,
    Text,
}

impl Format {
    /// The format of a file that begins with `start`; of other kinds, what it is and what to do with it.
    fn of_start(start: &[u8]) -> Result<Self, (&'static str, &'static str)> {
        if start.starts_with(b"###CBF") || cif::begins(start) {
            return Ok(Self::Cbf);
        }
        let mut words = start.trim_ascii_start().iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        if words.next() == Some(b'{') && !matches!(words.next(), None | Some(b'"' | b'}')) {
            return Ok(Self::Smv);
        }
        match kind_of(start) {
            Some(kind) => Err(kind),
            None => Ok(Self::Text),
        }
    }
}

/// A format of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextFormat {
    Dials,
    Xparm,
    XdsInp,
    CrystFel,
}

impl TextFormat {
    fn of(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with(['{', '[']) {
            return Ok(Self::Dials);
        }
        if text.starts_with("CrystFEL stream") {
            return Err("this is a CrystFEL stream; the geometry file in it is expected by itself".to_owned());
        }
        if xds::xparm::begins(text) {
            return Ok(Self::Xparm);
        }
        if xds::inp::is_such(text) {
            return Ok(Self::XdsInp);
        }
        if crystfel::is_such(text) {
            return Ok(Self::CrystFel);
        }
        Err("this is neither an experiment list of DIALS, a geometry of CrystFEL, a file of XDS nor an image with a \
             header"
            .to_owned())
    }
}
