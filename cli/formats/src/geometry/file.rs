//! What a file of geometry holds, and how its format is recognised.

use std::io::{BufRead, Read};
use std::path::Path;

use super::groups::Group;
use super::vectors::{Matrix, length, plus, scaled, unit};
use super::{Beam, Crystal, Geometry, Panel, Scan, crystfel, dials, imgcif, mini_cbf, smv, xds};
use crate::cif;
use crate::failure::Failure;
use crate::kind::kind_of;
use crate::memory::filled;
use crate::text::{in_file, open, read_text, shown};
use crate::unpack::Unpacked;

/// Longest text of a geometry that is read. A list of thousands of experiments has some hundred megabytes.
const LIMIT_BYTES: u64 = 1 << 30;

/// Part of a pixel by which a corner may miss the border of a region on which it lies, for rounding.
const ROUNDING: f64 = 1e-6;

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
    /// Groups of panels that are nodes of a hierarchy.
    pub(super) nodes: Vec<Group>,
    /// Pixels that are to be left out.
    pub bad: Vec<BadRegion>,
    /// More of them, one by one.
    pub mask: Option<BlockMask>,
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

/// Single pixels that are to be left out, of the block of data of all panels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMask {
    /// Pixels of the block along fast.
    pub fast_pixels: usize,
    /// Whether a pixel is to be left out, slow-major.
    pub bad: Vec<bool>,
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
    /// The pixels whose first corner lies within a rectangle in x and y of the laboratory, its border included.
    Laboratory {
        /// The panel, counted from 0; `None`: all of them.
        panel: Option<usize>,
        /// The smallest and the largest x.
        x_m: [f64; 2],
        /// The smallest and the largest y.
        y_m: [f64; 2],
    },
}

impl GeometryFile {
    /// A file that holds nothing but a geometry.
    pub(crate) fn of(format: &'static str, geometry: Geometry) -> Self {
        Self {
            format,
            geometry,
            experiments: 1,
            beam_at_frames: Vec::new(),
            nodes: Vec::new(),
            bad: Vec::new(),
            mask: None,
            held: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The file, read from `path` for this experiment, if that can be used.
    pub(crate) fn checked(self, path: &Path, experiment: usize) -> Result<Self, Failure> {
        if experiment >= self.experiments {
            return Err(in_file(path, no_such_experiment(experiment, self.experiments)));
        }
        self.check().map_err(|what| in_file(path, what))?;
        Ok(self)
    }

    /// Refuses numbers that are too large or too small to compute with, which single values of a file need not show.
    fn check(&self) -> Result<(), String> {
        let is_positive = |number: f64| number > 0.0 && number.is_finite();
        let refused = |what: &str| Err(format!("{what} is too large or too small to compute with"));
        let Geometry { beam, panels, scan, crystal, .. } = &self.geometry;
        for beam in self.beam_at_frames.iter().chain([beam]) {
            if beam.lambda_m.is_some_and(|lambda_m| !is_positive(lambda_m)) {
                return refused("the wavelength");
            }
        }
        for panel in panels {
            let far_m = panel.position_m(panel.pixels.map(|count| count as f64));
            let is_finite = panel.origin_m.iter().chain(&far_m).all(|length_m| length_m.is_finite());
            if !(is_finite && panel.pixel_m.iter().all(|&edge_m| is_positive(edge_m))) {
                return refused(&format!("panel {}", shown(panel.name.as_bytes())));
            }
            if let Some(sensor) = &panel.sensor
                && !(is_positive(sensor.thickness_m) && sensor.attenuation_per_m.is_none_or(is_positive))
            {
                return refused("the sensor");
            }
        }
        if scan.is_some_and(|scan| !scan.start_deg.is_finite() || scan.width_deg == 0.0) {
            return refused("the scan");
        }
        let matrices =
            crystal.iter().flat_map(|crystal| crystal.a_at_frames.iter().chain([&crystal.a_matrix]));
        if matrices.flatten().flatten().any(|component| !component.is_finite()) {
            return refused("the A matrix");
        }
        Ok(())
    }

    /// The geometry of a frame by itself, counted from 0: beam and A are the means of those at its start and at its
    /// end, where they were refined frame by frame, and the scan has this one frame.
    ///
    /// A frame beyond the last of the scan is the last.
    #[must_use]
    pub fn at_frame(&self, frame: usize) -> Geometry {
        let whole = &self.geometry;
        let frame = whole.scan.map_or(0, |scan| frame.min(scan.frames.saturating_sub(1)));
        let at_frame = |crystal: &Crystal| Crystal {
            a_matrix: ends(&crystal.a_at_frames, frame)
                .map_or(crystal.a_matrix, |[start, end]| mean(start, end)),
            a_at_frames: Vec::new(),
            space_group: crystal.space_group.clone(),
        };
        Geometry {
            frame: whole.frame,
            beam: ends(&self.beam_at_frames, frame).map_or(whole.beam, |[start, end]| start.mean(end)),
            panels: whole.panels.clone(),
            spindle: whole.spindle,
            scan: whole.scan.map(|scan| Scan {
                first: scan.first + frame,
                frames: 1,
                start_deg: scan.start_deg + frame as f64 * scan.width_deg,
                ..scan
            }),
            crystal: whole.crystal.as_ref().map(at_frame),
        }
    }

    /// Which pixels of a panel, counted from 0, are to be left out; index = slow * fast_pixels + fast. `None` where
    /// nothing in the file concerns the panel.
    ///
    /// # Errors
    /// There is too little memory for the pixels.
    pub fn bad_pixels(&self, panel: usize) -> Result<Option<Vec<bool>>, Failure> {
        let Some(own) = self.geometry.panels.get(panel) else { return Ok(None) };
        let [fast_pixels, slow_pixels] = own.pixels;
        let concerns = |region: &&BadRegion| match region {
            BadRegion::Pixels { panel: of, .. } => *of == panel,
            BadRegion::Laboratory { panel: of, .. } => of.is_none_or(|of| of == panel),
            BadRegion::Block { .. } => true,
        };
        let regions: Vec<&BadRegion> = self.bad.iter().filter(concerns).collect();
        if regions.is_empty() && self.mask.is_none() {
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
            if let Some(mask) = &self.mask {
                mask.mark(own, slow, row);
            }
        }
        Ok(Some(bad))
    }
}

impl BlockMask {
    /// Marks its pixels in the row `slow` of a panel.
    fn mark(&self, panel: &Panel, slow: usize, row: &mut [bool]) {
        let [fast0, slow0] = panel.data_origin;
        let mut rows = self.bad.chunks_exact(self.fast_pixels.max(1));
        let bad = rows.nth(slow.saturating_add(slow0)).and_then(|bad| bad.get(fast0..));
        row.iter_mut().zip(bad.unwrap_or_default()).for_each(|(pixel, bad)| *pixel |= bad);
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
            Self::Laboratory { x_m, y_m, .. } => {
                let rounding_m = ROUNDING * panel.pixel_m[0];
                let is_within =
                    |at_m: f64, [low, high]: [f64; 2]| (low - rounding_m..=high + rounding_m).contains(&at_m);
                for (fast, pixel) in row.iter_mut().enumerate() {
                    let [x, y, _] = panel.position_m([fast as f64, slow as f64]);
                    *pixel |= is_within(x, x_m) && is_within(y, y_m);
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

/// What holds at the start and at the end of a frame; `None` where nothing was refined frame by frame.
fn ends<T>(at_frames: &[T], frame: usize) -> Option<[&T; 2]> {
    Some([at_frames.get(frame)?, at_frames.get(frame + 1)?])
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
    file.checked(path, experiment)
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
    if imgcif::has_axes(text.as_bytes()) { imgcif::parse(&text, path) } else { mini_cbf::parse(&text, path) }
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
        if start.starts_with(b"###CBF") || cif::begins(start) && imgcif::has_axes(start) {
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;
    use crate::image::{ImageHeader, NanobraggGeometry};
    use crate::{cbf, smv as smv_image};

    const GEOM: &str = "clen = 1\nres = 10\np/min_fs = 0\np/max_fs = 1\np/min_ss = 0\np/max_ss = 1\np/corner_x = 0\n\
                        p/corner_y = 0\np/fs = x\np/ss = y\n";

    /// What files of each format begin with.
    const STARTS: [&str; 9] =
        ["", "{\n", "{\"", "###CBF", "data_", "XPARM.XDS ", "NX= ", "p/fs = x\n", "1 2 3 "];

    fn format_of(bytes: &[u8]) -> Result<&'static str, String> {
        let read = parse_geometry(&mut &bytes[..], Path::new("some.file"), 0);
        read.map(|file| file.format).map_err(|failure| failure.to_string())
    }

    #[test]
    fn formats_are_recognised_by_content() {
        let header = ImageHeader {
            fast: 2,
            slow: 2,
            pixel_m: 1e-4,
            lambda_m: 1e-10,
            distance_m: 0.1,
            close_distance_m: 0.1,
            dials_axes: [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]],
            as_nanobragg: NanobraggGeometry { distance_m: 0.1, ..NanobraggGeometry::default() },
            ..ImageHeader::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        cbf::write_cbf(&path, &header, &[1, 2, 3, 4]).unwrap();
        assert_eq!(read_geometry(&path, 0).unwrap().format, "miniCBF image");
        let headers = [smv_image::header_readers(&header), smv_image::header_reference(&header)];
        for header in headers {
            assert_eq!(format_of(&header), Ok("SMV image"));
        }
        assert_eq!(format_of(GEOM.as_bytes()), Ok("CrystFEL geometry"));
        assert_eq!(format_of(format!("\u{feff}; with a mark\n{GEOM}").as_bytes()), Ok("CrystFEL geometry"));
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(GEOM.as_bytes()).unwrap();
        assert_eq!(format_of(&packed.finish().unwrap()), Ok("CrystFEL geometry"));
    }

    #[test]
    fn other_files_are_named() {
        for (bytes, expected) in [
            (&b"\x89HDF\r\n\x1a\n"[..], "this is an HDF5 file; a geometry is expected"),
            (b"\x89PNG\r\n", "this is a PNG picture; a geometry is expected"),
            (
                b"CrystFEL stream format 2.3\n",
                "this is a CrystFEL stream; the geometry file in it is expected by itself",
            ),
            (b"1 2 3 x\n", "this is neither an experiment list"),
            (b"", "this is neither an experiment list"),
            (b"{}", "not an experiment list: it has no list \"experiment\""),
            (b"{ \"a\": 1", "not JSON: EOF"),
            (b"1 2 3", "it has 3 numbers, an XPARM.XDS without heading has 42"),
            (b"NX= 5\n", "no NY="),
            (b"data_a\n", "this is a CIF file; a geometry is expected; -hkl reads such files"),
            (b"data_a\n _AXIS.id\n 1", "it has no _array_structure_list"),
            (b"###CBF: \ndata_a\n", "no usable X-Binary-Size-Fastest-Dimension in its header"),
        ] {
            let message = format_of(bytes).unwrap_err();
            assert!(message.starts_with(&format!("some.file: {expected}")), "{message}");
        }
        let one = parse_geometry(&mut GEOM.as_bytes(), Path::new("a.geom"), 2).unwrap_err();
        assert_eq!(one.to_string(), "a.geom: there is no experiment 2: it has one, number 0");
        assert!(
            read_geometry(Path::new("/nowhere/a.expt"), 0).unwrap_err().to_string().contains("cannot read")
        );
    }

    #[test]
    fn numbers_beyond_those_of_f64_are_refused() {
        for (lines, what) in [
            ("p/corner_x = 1e308\np/res = 1e-300\n", "panel \"p\""),
            ("p/fs = 1e308x\np/res = 1e-5\n", "panel \"p\""),
        ] {
            let message = format_of(format!("{GEOM}{lines}").as_bytes()).unwrap_err();
            assert_eq!(message, format!("some.file: {what} is too large or too small to compute with"));
        }
    }

    #[test]
    fn masks_of_more_pixels_than_there_is_memory_for_are_refused() {
        let most = i32::MAX;
        let text = format!(
            "{GEOM}p/max_fs = {most}\np/max_ss = {most}\nbadA/min_x = 0\nbadA/max_x = 1\nbadA/min_y = 0\nbadA/max_y = 1\n"
        );
        let file = parse_geometry(&mut text.as_bytes(), Path::new("a.geom"), 0).unwrap();
        assert!(
            file.bad_pixels(0).unwrap_err().to_string().starts_with("no memory for a mask of 2147483648 x")
        );
        assert_eq!(file.bad_pixels(1).unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            start in prop::sample::select(STARTS.to_vec()),
        ) {
            let bytes = [start.as_bytes(), &bytes].concat();
            if let Err(message) = format_of(&bytes) {
                let is_line = message.starts_with("some.file") && !message.contains(char::is_control);
                prop_assert!(is_line, "{}", message);
            }
        }
    }
}
