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

/// The keywords of a text. The words before an `=` are the values of the keyword before it, but for the last one, which
/// is the next keyword.
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
        let size = |keyword: &str| {
            let entry = self.last(keyword).ok_or_else(|| in_file(self.path, format!("no {keyword}=")))?;
            self.wholes::<1>(entry).map(|[count]| count)
        };
        let pixels = [size("NX")?, size("NY")?];
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
            pixels,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::{Frame, Geometry};

    const INP: &str = "! a detector of 20 x 10 pixels\nNX= 20 NY=10 QX= 0.1 QY= 0.2\nORGX= 10.5 ORGY= 5.5\n\
                       DETECTOR_DISTANCE= -100 ! behind\nDIRECTION_OF_DETECTOR_X-AXIS= 2 0 0\n\
                       DIRECTION_OF_DETECTOR_Y-AXIS= 0 1 0\nX-RAY_WAVELENGTH=1.5\nINCIDENT_BEAM_DIRECTION= 0 0 3\n";

    fn read(text: &str) -> Result<GeometryFile, String> {
        parse(text, Path::new("XDS.INP")).map_err(|failure| failure.to_string())
    }

    fn with(text: &str) -> GeometryFile {
        read(&format!("{INP}{text}")).unwrap()
    }

    #[test]
    fn keywords_share_lines() {
        let text = "A=1 B= 2 3!C= 4\n! D= 5\nE =\n";
        let found: Vec<_> = entries(text).map(|entry| (entry.keyword, entry.values, entry.line)).collect();
        assert_eq!(found, [("A", "1", 1), ("B", "2 3", 1), ("E", "", 3)]);
        assert!(is_such(INP) && !is_such("! NX= 5\nFOO= 1\n") && !is_such("clen = 5\n"));
    }

    #[test]
    fn a_still_of_one_panel() {
        let file = with("");
        let Geometry { frame, beam, panels, spindle, scan, crystal } = &file.geometry;
        assert_eq!((*frame, *spindle, *scan, crystal), (Frame::Xds, None, None, &None));
        assert_eq!(
            (beam.direction, beam.lambda_m, beam.polarization),
            ([0.0, 0.0, 1.0], Some(1.5e-10), None)
        );
        let panel = &panels[0];
        assert_eq!((panel.pixels, panel.data_origin, panel.pixel_m), ([20, 10], [0, 0], [1e-4, 2e-4]));
        // The centre of pixel (10.5, 5.5) is 100 mm behind the crystal.
        let [x, y, z] = panel.origin_m;
        assert!(
            (x + 1e-3).abs() < 1e-17 && (y + 1e-3).abs() < 1e-17 && (z + 0.1).abs() < 1e-17,
            "{x} {y} {z}"
        );
        assert_eq!((panel.valid, &panel.sensor), ([None; 2], &None));
        assert_eq!(file.warnings, Vec::<String>::new());
    }

    #[test]
    fn the_first_image_of_the_range_begins_where_the_starting_frame_says() {
        let scan = |text: &str| with(&format!("ROTATION_AXIS= 1 0 0\n{text}")).geometry.scan.unwrap();
        let found = scan("OSCILLATION_RANGE= 0.5 DATA_RANGE= 11 30 STARTING_FRAME= 1 STARTING_ANGLE= 7");
        assert_eq!((found.first, found.frames, found.start_deg, found.width_deg), (11, 20, 12.0, 0.5));
        let found = scan("OSCILLATION_RANGE= 0.5 DATA_RANGE= 11 30 STARTING_ANGLE= 7");
        assert_eq!((found.first, found.frames, found.start_deg), (11, 20, 7.0));
        let found = scan("OSCILLATION_RANGE= 0.5");
        assert_eq!((found.first, found.frames, found.start_deg), (1, 1, 0.0));
        let found = scan("OSCILLATION_RANGE= 0.5 STARTING_FRAME= 9");
        assert_eq!((found.first, found.frames, found.start_deg), (9, 1, 0.0));
        assert_eq!(with("OSCILLATION_RANGE= 0").geometry.scan, None);
    }

    #[test]
    fn sensor_polarisation_and_valid_values() {
        let file = with(
            "SENSOR_THICKNESS= 0.32 SILICON= 3.9\nMINIMUM_VALID_PIXEL_VALUE= 0 OVERLOAD= 1000\n\
                         FRACTION_OF_POLARIZATION= 0.9 POLARIZATION_PLANE_NORMAL= 0 1 1\n",
        );
        let panel = &file.geometry.panels[0];
        let sensor = panel.sensor.clone().unwrap();
        assert_eq!((sensor.material.as_deref(), sensor.thickness_m), (Some("Si"), 0.32e-3));
        assert_eq!((sensor.attenuation_per_m, panel.valid), (Some(3900.0), [Some(0.0), Some(1000.0)]));
        // The part of the normal across the beam is y; y x z = x.
        let polarization = file.geometry.beam.polarization.unwrap();
        assert_eq!(polarization.electric_vector, [1.0, 0.0, 0.0]);
        assert!((polarization.kahn_factor - 0.8).abs() < 1e-15);
        let file = with("SENSOR_THICKNESS= 0.32\nFRACTION_OF_POLARIZATION= 0.9\n");
        let sensor = file.geometry.panels[0].sensor.clone().unwrap();
        assert_eq!((sensor.material, sensor.attenuation_per_m), (None, None));
        assert_eq!(file.geometry.beam.polarization, None);
        assert!(file.warnings[0].contains("no POLARIZATION_PLANE_NORMAL"), "{:?}", file.warnings);
    }

    #[test]
    fn untrusted_rectangles_have_their_borders_outside() {
        let file = with(
            "UNTRUSTED_RECTANGLE= 2 5 0 3\nUNTRUSTED_RECTANGLE= 19 40 9 40\nUNTRUSTED_ELLIPSE= 1 2 3 4\n\
                         UNTRUSTED_RECTANGLE= 4 5 4 5\n",
        );
        let mask = file.bad_pixels(0).unwrap().unwrap();
        // Pixels 3 and 4 along x, 1 and 2 along y, numbered from 1; and the last one.
        let bad: Vec<_> = (0..200).filter(|&at| mask[at]).map(|at| (at % 20 + 1, at / 20 + 1)).collect();
        assert_eq!(bad, [(3, 1), (4, 1), (3, 2), (4, 2), (20, 10)]);
        assert_eq!(file.warnings, ["UNTRUSTED_ELLIPSE is not read: its pixels are taken as good."]);
    }

    #[test]
    fn the_cell_alone_is_no_crystal() {
        let file = with(
            "UNIT_CELL_CONSTANTS= 10 20 30 90 90 90\nSPACE_GROUP_NUMBER= 19\n\
             NAME_TEMPLATE_OF_DATA_FRAMES= a_????.cbf\n",
        );
        assert_eq!(file.geometry.crystal, None);
        let held: Vec<_> = file.held.iter().map(|held| (held.name.as_str(), held.value.as_str())).collect();
        assert_eq!(
            held,
            [("NAME_TEMPLATE_OF_DATA_FRAMES", "a_????.cbf"), ("UNIT_CELL_CONSTANTS", "10 20 30 90 90 90")]
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let added = |text: &str| read(&format!("{INP}{text}")).unwrap_err();
        for (text, expected) in [
            ("NX= 0.5", ":9: NX: 0.5 is not a whole number from 0 to 2147483647"),
            ("NX= x", ":9: NX: \"x\" is not a number"),
            ("NX=", ":9: NX: too few values"),
            ("NX= 0", ": segment 1: it has no pixels"),
            ("QX= 0", ": pixels of 0 x 0.2 mm"),
            ("INCIDENT_BEAM_DIRECTION= 0 0 0", ": the incident beam has no direction"),
            ("X-RAY_WAVELENGTH= -1", ": a wavelength of -1 A"),
            ("DIRECTION_OF_DETECTOR_Y-AXIS= 1 0 0", ": the axes of the detector span no plane"),
            ("OSCILLATION_RANGE= 1", ": no ROTATION_AXIS="),
            ("OSCILLATION_RANGE= 1 ROTATION_AXIS= 0 0 0", ": the rotation axis has no direction"),
            ("OSCILLATION_RANGE= 1 DATA_RANGE= 9 3", ": DATA_RANGE= has no images"),
            ("SEGMENT_ORGX= 1", ":9: SEGMENT_ORGX= before the first SEGMENT="),
            ("SEGMENT= 1 5 1 50", ": segment 1: it reaches beyond the detector"),
            ("SEGMENT= 1 5 1 5\nSEGMENT= 6 5 1 5", ": segment 2: it has no pixels"),
            ("SEGMENT= 1 5 1 5 DIRECTION_OF_SEGMENT_X-AXIS= 0 1 0", ": segment 1: its axes span no plane"),
            ("UNIT_CELL_A-AXIS= 1 0 0", ": not all of UNIT_CELL_A-AXIS=, B-AXIS= and C-AXIS="),
            (
                "UNIT_CELL_A-AXIS= 1 0 0 UNIT_CELL_B-AXIS= 1 0 0 UNIT_CELL_C-AXIS= 0 0 1",
                ": the cell axes span no volume",
            ),
            ("FRACTION_OF_POLARIZATION= 1.5", ": FRACTION_OF_POLARIZATION= 1.5 is not within 0 to 1"),
            (
                "FRACTION_OF_POLARIZATION= 1 POLARIZATION_PLANE_NORMAL= 0 0 1",
                ": POLARIZATION_PLANE_NORMAL= is along the beam, or no direction",
            ),
        ] {
            assert_eq!(added(text), format!("XDS.INP{expected}"), "{text}");
        }
        assert_eq!(read("NX= 5").unwrap_err(), "XDS.INP: no NY=");
    }

    proptest! {
        #[test]
        fn no_text_panics(
            keywords in prop::collection::vec("(NX|QX|ORGX|SEGMENT|UNTRUSTED_RECTANGLE|DATA_RANGE|SEGMENT_ORGX)?", 10),
            values in prop::collection::vec("=?[-0-9 .e!=]{0,12}", 0..10),
        ) {
            let lines: Vec<_> = keywords.iter().zip(&values).map(|(key, value)| format!("{key}{value}")).collect();
            let _ = read(&lines.join("\n"));
            let _ = read(&format!("{INP}{}", lines.join("\n")));
        }
    }
}
