//! `XDS.INP`: `KEYWORD= values`, several on a line, in any order; `!` begins a comment. The last value of a keyword
//! counts; each `SEGMENT=` begins a segment, and each `UNTRUSTED_RECTANGLE=` names one more rectangle.
//!
//! | keyword | here |
//! |---|---|
//! | NX NY QX QY ORGX ORGY DETECTOR_DISTANCE DIRECTION_OF_DETECTOR_X-AXIS, Y-AXIS | the detector |
//! | SEGMENT DIRECTION_OF_SEGMENT_X-AXIS, Y-AXIS SEGMENT_ORGX, ORGY SEGMENT_DISTANCE | its segments |
//! | SENSOR_THICKNESS (mm), SILICON (1/mm) | the sensor |
//! | MINIMUM_VALID_PIXEL_VALUE, OVERLOAD | the smallest and the largest valid value |
//! | UNTRUSTED_RECTANGLE x1 x2 y1 y2 | bad pixels, those strictly between |
//! | X-RAY_WAVELENGTH INCIDENT_BEAM_DIRECTION | the beam |
//! | FRACTION_OF_POLARIZATION p, POLARIZATION_PLANE_NORMAL n | k = 2p - 1, electric vector along n x s |
//! | ROTATION_AXIS OSCILLATION_RANGE STARTING_ANGLE (0) STARTING_FRAME (first of DATA_RANGE) DATA_RANGE | the scan |
//! | SPACE_GROUP_NUMBER UNIT_CELL_A-AXIS, B-AXIS, C-AXIS | the crystal |
//!
//! `UNIT_CELL_CONSTANTS` alone say nothing of the orientation, so that there is no crystal.

use std::path::Path;

use super::{Experiment, Plane, Segment, whole};
use crate::failure::Failure;
use crate::geometry::vectors::{Vector, across, cross, unit};
use crate::geometry::{BadRegion, GeometryFile, Held, Polarization, Scan, Sensor};
use crate::memory::push;
use crate::text::{at_line, finite, in_file};

/// Keywords by which such a file is told.
const TELLING: [&str; 6] =
    ["ORGX", "DETECTOR_DISTANCE", "X-RAY_WAVELENGTH", "OSCILLATION_RANGE", "INCIDENT_BEAM_DIRECTION", "NX"];

/// Keywords whose text is handed on as it is.
const HELD: [&str; 5] =
    ["NAME_TEMPLATE_OF_DATA_FRAMES", "DETECTOR", "UNIT_CELL_CONSTANTS", "BACKGROUND_RANGE", "SPOT_RANGE"];

/// Regions of other shapes, which are not read.
const OTHER_REGIONS: [&str; 2] = ["UNTRUSTED_ELLIPSE", "UNTRUSTED_QUADRILATERAL"];

/// Whether a text is such a file.
pub(in crate::geometry) fn is_such(text: &str) -> bool {
    entries(text).any(|entry| TELLING.contains(&entry.keyword))
}

/// A keyword, the text after its `=`, and its line.
#[derive(Debug, Clone, Copy)]
struct Entry<'t> {
    keyword: &'t str,
    values: &'t str,
    line: u64,
}

/// The keywords of a text. The words before an `=` are the values of the keyword before it, but for the last one, which is
/// the next keyword.
fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    (1..).zip(text.lines()).flat_map(|(line, whole)| {
        let mut rest = whole.split('!').next().unwrap_or_default();
        let mut keyword = None;
        core::iter::from_fn(move || {
            loop {
                let own = keyword;
                let Some((before, after)) = rest.split_once('=') else {
                    keyword = None;
                    return own.map(|keyword| Entry {
                        keyword,
                        values: core::mem::take(&mut rest).trim(),
                        line,
                    });
                };
                let before = before.trim();
                let next = before.split_whitespace().next_back().unwrap_or_default();
                let values = before.strip_suffix(next).unwrap_or_default().trim();
                (keyword, rest) = (Some(next), after);
                if let Some(keyword) = own {
                    return Some(Entry { keyword, values, line });
                }
            }
        })
    })
}

/// Reads a file.
pub(in crate::geometry) fn parse(text: &str, path: &Path) -> Result<GeometryFile, Failure> {
    let mut inp = Inp { text, path, warnings: Vec::new() };
    let experiment = inp.experiment()?;
    let mut file = GeometryFile::of("XDS.INP", experiment.geometry().map_err(|what| in_file(path, what))?);
    inp.add_untrusted(&mut file)?;
    for name in HELD {
        if let Some(entry) = inp.last(name) {
            file.held.push(Held { name: name.to_owned(), value: entry.values.to_owned() });
        }
    }
    for name in OTHER_REGIONS {
        if inp.last(name).is_some() {
            file.warnings.push(format!("{name} is not read: its pixels are taken as good."));
        }
    }
    file.warnings.append(&mut inp.warnings);
    Ok(file)
}

struct Inp<'t> {
    text: &'t str,
    path: &'t Path,
    warnings: Vec<String>,
}

impl<'t> Inp<'t> {
    /// The last entry of a keyword.
    fn last(&self, keyword: &str) -> Option<Entry<'t>> {
        entries(self.text).filter(|entry| entry.keyword == keyword).last()
    }

    /// The values of an entry, the first N of them.
    fn numbers<const N: usize>(&self, entry: Entry<'_>) -> Result<[f64; N], Failure> {
        let refused = |what: &str| at_line(self.path, entry.line, format!("{}: {what}", entry.keyword));
        let mut numbers = [0.0; N];
        let mut words = entry.values.split_whitespace();
        for number in &mut numbers {
            let word = words.next().ok_or_else(|| refused("too few values"))?;
            *number = finite(word).map_err(|what| refused(&what))?;
        }
        Ok(numbers)
    }

    fn wholes<const N: usize>(&self, entry: Entry<'_>) -> Result<[usize; N], Failure> {
        let mut wholes = [0; N];
        for (to, number) in wholes.iter_mut().zip(self.numbers::<N>(entry)?) {
            *to = whole(number)
                .map_err(|what| at_line(self.path, entry.line, format!("{}: {what}", entry.keyword)))?;
        }
        Ok(wholes)
    }

    fn optional<const N: usize>(&self, keyword: &str) -> Result<Option<[f64; N]>, Failure> {
        self.last(keyword).map(|entry| self.numbers(entry)).transpose()
    }

    fn number(&self, keyword: &str) -> Result<Option<f64>, Failure> {
        Ok(self.optional::<1>(keyword)?.map(|[number]| number))
    }

    fn required<const N: usize>(&self, keyword: &str) -> Result<[f64; N], Failure> {
        self.optional(keyword)?.ok_or_else(|| in_file(self.path, format!("no {keyword}=")))
    }

    fn pair<const N: usize>(&self, keywords: [&str; 2]) -> Result<[[f64; N]; 2], Failure> {
        Ok([self.required(keywords[0])?, self.required(keywords[1])?])
    }

    fn experiment(&mut self) -> Result<Experiment, Failure> {
        let plane = self.plane()?;
        let mut segments = self.segments()?;
        if segments.is_empty() {
            segments.push(Segment::whole(plane.pixels));
        }
        let [wavelength_angstrom] = self.required("X-RAY_WAVELENGTH")?;
        let beam = self.required("INCIDENT_BEAM_DIRECTION")?;
        let scan = self.scan()?;
        let spindle = match scan {
            Some(_) => Some(self.required("ROTATION_AXIS")?),
            None => self.optional("ROTATION_AXIS")?,
        };
        let cell_axes = [
            self.optional("UNIT_CELL_A-AXIS")?,
            self.optional("UNIT_CELL_B-AXIS")?,
            self.optional("UNIT_CELL_C-AXIS")?,
        ];
        let cell_axes = match cell_axes {
            [Some(a), Some(b), Some(c)] => Some([a, b, c]),
            [None, None, None] => None,
            _ => return Err(in_file(self.path, "not all of UNIT_CELL_A-AXIS=, B-AXIS= and C-AXIS=")),
        };
        let group = self.last("SPACE_GROUP_NUMBER").map(|entry| self.wholes::<1>(entry)).transpose()?;
        Ok(Experiment {
            plane,
            segments,
            beam,
            wavelength_angstrom,
            polarization: self.polarization(beam)?,
            spindle,
            scan,
            cell_axes,
            space_group: group.map(|[number]| number).filter(|&number| number > 0),
        })
    }

    fn plane(&self) -> Result<Plane, Failure> {
        let sizes = ["NX", "NY"].map(|keyword| {
            let entry = self.last(keyword).ok_or_else(|| in_file(self.path, format!("no {keyword}=")))?;
            self.wholes::<1>(entry).map(|[count]| count)
        });
        let [nx, ny] = sizes;
        let [[qx], [qy]] = self.pair(["QX", "QY"])?;
        let [[org_x], [org_y]] = self.pair(["ORGX", "ORGY"])?;
        let [distance_mm] = self.required("DETECTOR_DISTANCE")?;
        let thickness_mm = self.number("SENSOR_THICKNESS")?.filter(|&thickness| thickness > 0.0);
        let silicon_per_mm = self.number("SILICON")?.filter(|&attenuation| attenuation > 0.0);
        let sensor = thickness_mm.map(|thickness_mm| Sensor {
            material: silicon_per_mm.map(|_| "Si".to_owned()),
            thickness_m: thickness_mm * 1e-3,
            attenuation_per_m: silicon_per_mm.map(|attenuation| attenuation * 1e3),
        });
        Ok(Plane {
            pixels: [nx?, ny?],
            pixel_mm: [qx, qy],
            foot_px: [org_x, org_y],
            distance_mm,
            axes: self.pair(["DIRECTION_OF_DETECTOR_X-AXIS", "DIRECTION_OF_DETECTOR_Y-AXIS"])?,
            sensor,
            valid: [self.number("MINIMUM_VALID_PIXEL_VALUE")?, self.number("OVERLOAD")?],
        })
    }

    fn segments(&self) -> Result<Vec<Segment>, Failure> {
        let mut segments: Vec<Segment> = Vec::new();
        for entry in entries(self.text) {
            if entry.keyword == "SEGMENT" {
                let [x1, x2, y1, y2] = self.wholes(entry)?;
                let segment = Segment { x: [x1, x2], y: [y1, y2], ..Segment::default() };
                push(&mut segments, segment)
                    .ok_or_else(|| at_line(self.path, entry.line, "no memory for its segments"))?;
                continue;
            }
            let known = [
                "DIRECTION_OF_SEGMENT_X-AXIS",
                "DIRECTION_OF_SEGMENT_Y-AXIS",
                "SEGMENT_ORGX",
                "SEGMENT_ORGY",
                "SEGMENT_DISTANCE",
            ];
            let Some(which) = known.iter().position(|keyword| *keyword == entry.keyword) else { continue };
            let Some(segment) = segments.last_mut() else {
                let what = format!("{}= before the first SEGMENT=", entry.keyword);
                return Err(at_line(self.path, entry.line, what));
            };
            match which {
                0 | 1 => segment.axes[which] = self.numbers(entry)?,
                2 | 3 => [segment.foot_px[which - 2]] = self.numbers(entry)?,
                _ => [segment.distance_mm] = self.numbers(entry)?,
            }
        }
        Ok(segments)
    }

    /// The images of DATA_RANGE; without it the one of STARTING_FRAME, or number 1.
    fn scan(&self) -> Result<Option<Scan>, Failure> {
        let Some(width_deg) = self.number("OSCILLATION_RANGE")?.filter(|&width| width != 0.0) else {
            return Ok(None);
        };
        let one = |keyword: &str| -> Result<Option<usize>, Failure> {
            Ok(self.last(keyword).map(|entry| self.wholes::<1>(entry)).transpose()?.map(|[number]| number))
        };
        let stated = one("STARTING_FRAME")?;
        let [first, last] = match self.last("DATA_RANGE") {
            Some(entry) => self.wholes(entry)?,
            None => [stated.unwrap_or(1); 2],
        };
        let frames = (last + 1).checked_sub(first).filter(|&frames| frames > 0);
        let frames = frames.ok_or_else(|| in_file(self.path, "DATA_RANGE= has no images"))?;
        let starting_deg = self.number("STARTING_ANGLE")?.unwrap_or(0.0);
        let before = first as f64 - stated.unwrap_or(first) as f64;
        let start_deg = starting_deg + width_deg * before;
        Ok(Some(Scan { first, frames, start_deg, width_deg, exposure_s: None }))
    }

    fn polarization(&mut self, beam: Vector) -> Result<Option<Polarization>, Failure> {
        let Some(fraction) = self.number("FRACTION_OF_POLARIZATION")? else { return Ok(None) };
        if !(0.0..=1.0).contains(&fraction) {
            return Err(in_file(
                self.path,
                format!("FRACTION_OF_POLARIZATION= {fraction} is not within 0 to 1"),
            ));
        }
        let Some(normal) = self.optional("POLARIZATION_PLANE_NORMAL")? else {
            self.warnings.push(
                "FRACTION_OF_POLARIZATION is not used, since there is no POLARIZATION_PLANE_NORMAL."
                    .to_owned(),
            );
            return Ok(None);
        };
        let direction = unit(beam).and_then(|beam| Some(cross(across(normal, beam)?, beam)));
        let electric_vector = direction.ok_or_else(|| {
            in_file(self.path, "POLARIZATION_PLANE_NORMAL= is along the beam, or no direction")
        })?;
        Ok(Some(Polarization { electric_vector, kahn_factor: 2.0 * fraction - 1.0 }))
    }

    /// The pixels strictly between the borders of the untrusted rectangles.
    fn add_untrusted(&self, file: &mut GeometryFile) -> Result<(), Failure> {
        for entry in entries(self.text).filter(|entry| entry.keyword == "UNTRUSTED_RECTANGLE") {
            let [x1, x2, y1, y2] = self.numbers(entry)?;
            // Pixel number 1 is 0 in the block.
            let between = |low: f64, high: f64| {
                let [first, end] = [low.floor().max(0.0), high.ceil() - 1.0];
                (first < end).then_some([first as usize, end as usize - 1])
            };
            if let (Some(fast), Some(slow)) = (between(x1, x2), between(y1, y2)) {
                push(&mut file.bad, BadRegion::Block { fast, slow })
                    .ok_or_else(|| at_line(self.path, entry.line, "no memory for its rectangles"))?;
            }
        }
        Ok(())
    }
}
