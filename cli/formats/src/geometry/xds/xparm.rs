//! `XPARM.XDS` and `GXPARM.XDS`: numbers in free format, with or without a heading.
//!
//! | numbers | with heading, lines | without, lines |
//! |---|---|---|
//! | STARTING_FRAME, STARTING_ANGLE, OSCILLATION_RANGE, rotation axis | 2 | 1 |
//! | wavelength, incident beam | 3 | 2 |
//! | space group, cell | 4 | 8 |
//! | cell axes a, b, c | 5-7 | 9-11 |
//! | with heading: segments, NX, NY, QX, QY; without: NX, NY, QX, QY | 8 | 3 |
//! | with heading: ORGX, ORGY, F; without: F, ORGX, ORGY | 9 | 4 |
//! | X, Y and normal of the detector | 10-12 | 5-7 |
//! | for each segment: its number, x1 x2 y1 y2, and ORGXS ORGYS FS EDS1 EDS2 | 13- | none |
//!
//! Only the direction of the incident beam is used: its length is 1/wavelength in the files that XDS writes, and 1 in those of
//! other programs.
//! The normal is X x Y. The files do not say how many images there are: the scan has one, number STARTING_FRAME.

use std::path::Path;

use super::{Experiment, Plane, Segment, whole};
use crate::failure::Failure;
use crate::geometry::vectors::Vector;
use crate::geometry::{GeometryFile, Held, Scan};
use crate::memory::push;
use crate::text::{at_line, finite, in_file};

const HEADING: &str = "XPARM.XDS";

/// Numbers of a file without heading, and of one with heading before its segments.
const OLD_NUMBERS: usize = 42;
const NEW_NUMBERS: usize = 43;

/// Numbers of a segment.
const SEGMENT_NUMBERS: usize = 14;

/// Whether a text is such a file: it begins with the heading, or all its words are numbers.
pub(in crate::geometry) fn begins(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.clone().next() == Some(HEADING)
        || (words.clone().next().is_some() && words.all(|word| word.parse::<f64>().is_ok()))
}

/// Reads a file.
pub(in crate::geometry) fn parse(text: &str, path: &Path) -> Result<GeometryFile, Failure> {
    let mut numbers = Vec::new();
    let has_heading = text.trim_start_matches('\u{feff}').trim_start().starts_with(HEADING);
    let is_data =
        |(_, line): &(u64, &str)| !line.trim_start_matches('\u{feff}').trim_start().starts_with(HEADING);
    for (line, words) in (1..).zip(text.lines()).filter(is_data) {
        for word in words.split_whitespace() {
            let number = finite(word).map_err(|what| at_line(path, line, what))?;
            push(&mut numbers, number).ok_or_else(|| at_line(path, line, "no memory for its numbers"))?;
        }
    }
    let mut list = Numbers { rest: &numbers };
    let read = if has_heading { list.with_heading() } else { list.without_heading() };
    let (experiment, cell) = read.map_err(|what| in_file(path, what))?;
    let mut file = GeometryFile::of("XDS XPARM", experiment.geometry().map_err(|what| in_file(path, what))?);
    let cell = cell.map(|number| number.to_string()).join(" ");
    file.held.push(Held { name: "cell".to_owned(), value: cell });
    Ok(file)
}

/// The numbers that have not been read.
struct Numbers<'n> {
    rest: &'n [f64],
}

/// What is read before the detector.
struct Rotation {
    spindle: Vector,
    scan: Option<Scan>,
    wavelength_angstrom: f64,
    beam: Vector,
}

impl Numbers<'_> {
    fn take<const N: usize>(&mut self) -> Result<[f64; N], String> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or("the file ends too early")?;
        self.rest = rest;
        Ok(*taken)
    }

    fn rotation(&mut self) -> Result<Rotation, String> {
        let [first, start_deg, width_deg] = self.take()?;
        let first = whole(first).map_err(|what| format!("STARTING_FRAME: {what}"))?;
        let scan = Scan { first, frames: 1, start_deg, width_deg, exposure_s: None };
        let spindle = self.take()?;
        let [wavelength_angstrom] = self.take()?;
        Ok(Rotation {
            spindle,
            scan: Some(scan).filter(|scan| scan.width_deg != 0.0),
            wavelength_angstrom,
            beam: self.take()?,
        })
    }

    fn with_heading(&mut self) -> Result<(Experiment, [f64; 6]), String> {
        let count = self.rest.len();
        if count < NEW_NUMBERS {
            return Err(format!("it has {count} numbers, an XPARM.XDS at least {NEW_NUMBERS}"));
        }
        let rotation = self.rotation()?;
        let [group] = self.take()?;
        let cell = self.take()?;
        let cell_axes = [self.take()?, self.take()?, self.take()?];
        let [segments, nx, ny, qx, qy] = self.take()?;
        let [org_x, org_y, distance_mm] = self.take()?;
        let axes = [self.take()?, self.take()?];
        let [_, _, _] = self.take()?;
        let plane = plane([nx, ny], [qx, qy], [org_x, org_y], distance_mm, axes)?;
        let stated = whole(segments).map_err(|what| format!("number of segments: {what}"))?;
        let segments = if self.rest.is_empty() && stated <= 1 {
            vec![Segment::whole(plane.pixels)]
        } else {
            if stated.checked_mul(SEGMENT_NUMBERS) != Some(self.rest.len()) || stated == 0 {
                let found = self.rest.len();
                return Err(format!(
                    "its {stated} segments have {found} numbers, not {SEGMENT_NUMBERS} each"
                ));
            }
            let mut segments = Vec::new();
            while !self.rest.is_empty() {
                push(&mut segments, self.segment()?).ok_or("no memory for its segments")?;
            }
            segments
        };
        Ok((experiment(rotation, plane, segments, cell_axes, group)?, cell))
    }

    fn segment(&mut self) -> Result<Segment, String> {
        let [_, x1, x2, y1, y2, org_x, org_y, distance_mm] = self.take()?;
        let range = |first, last| Ok::<_, String>([whole(first)?, whole(last)?]);
        Ok(Segment {
            x: range(x1, x2)?,
            y: range(y1, y2)?,
            foot_px: [org_x, org_y],
            distance_mm,
            axes: [self.take()?, self.take()?],
        })
    }

    fn without_heading(&mut self) -> Result<(Experiment, [f64; 6]), String> {
        let count = self.rest.len();
        if count != OLD_NUMBERS {
            return Err(format!("it has {count} numbers, an XPARM.XDS without heading has {OLD_NUMBERS}"));
        }
        let rotation = self.rotation()?;
        let [nx, ny, qx, qy] = self.take()?;
        let [distance_mm, org_x, org_y] = self.take()?;
        let axes = [self.take()?, self.take()?];
        let [_, _, _] = self.take()?;
        let plane = plane([nx, ny], [qx, qy], [org_x, org_y], distance_mm, axes)?;
        let [group] = self.take()?;
        let cell = self.take()?;
        let cell_axes = [self.take()?, self.take()?, self.take()?];
        let segments = vec![Segment::whole(plane.pixels)];
        Ok((experiment(rotation, plane, segments, cell_axes, group)?, cell))
    }
}

fn plane(
    pixels: [f64; 2],
    pixel_mm: [f64; 2],
    foot_px: [f64; 2],
    distance_mm: f64,
    axes: [Vector; 2],
) -> Result<Plane, String> {
    let [nx, ny] = pixels.map(|count| whole(count).map_err(|what| format!("NX, NY: {what}")));
    Ok(Plane { pixels: [nx?, ny?], pixel_mm, foot_px, distance_mm, axes, sensor: None, valid: [None; 2] })
}

fn experiment(
    rotation: Rotation,
    plane: Plane,
    segments: Vec<Segment>,
    cell_axes: [Vector; 3],
    group: f64,
) -> Result<Experiment, String> {
    let group = whole(group).map_err(|what| format!("space group: {what}"))?;
    Ok(Experiment {
        plane,
        segments,
        beam: rotation.beam,
        wavelength_angstrom: rotation.wavelength_angstrom,
        polarization: None,
        spindle: Some(rotation.spindle),
        scan: rotation.scan,
        cell_axes: Some(cell_axes),
        // XDS writes 0 where it does not know the group.
        space_group: Some(group).filter(|&group| group > 0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW: &str = " XPARM.XDS    VERSION March 30, 2013\n 5 7.5 0.5 0 2 0\n 1.25 0 0 0.8\n 19 10 20 40 90 90 90\n\
                       10 0 0\n 0 20 0\n 0 0 40\n 1 20 10 0.1 0.2\n 10.5 5.5 100\n 1 0 0\n 0 1 0\n 0 0 1\n";

    fn read(text: &str) -> Result<GeometryFile, String> {
        parse(text, Path::new("XPARM.XDS")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_file_without_segments_is_one_panel() {
        let file = read(NEW).unwrap();
        let segment = read(&format!("{NEW} 1 1 20 1 10\n 0 0 0 1 0 0 0 1 0\n")).unwrap();
        assert_eq!(file, segment);
        let geometry = file.geometry;
        assert_eq!((geometry.spindle, geometry.beam.direction), (Some([0.0, 1.0, 0.0]), [0.0, 0.0, 1.0]));
        let scan = Scan { first: 5, frames: 1, start_deg: 7.5, width_deg: 0.5, exposure_s: None };
        assert_eq!((geometry.beam.lambda_m, geometry.scan), (Some(1.25e-10), Some(scan)));
        let crystal = geometry.crystal.unwrap();
        assert_eq!((crystal.a_matrix[0], crystal.space_group.as_deref()), ([0.1, 0.0, 0.0], Some("19")));
        assert_eq!(file.held, [Held { name: "cell".to_owned(), value: "10 20 40 90 90 90".to_owned() }]);
    }

    #[test]
    fn files_are_told_by_their_words() {
        assert!(begins(NEW) && begins(" 1 2.5\n3e5 -1\n"));
        assert!(!begins("") && !begins("1 2 x") && !begins("GXPARM"));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let replaced = |from: &str, to: &str| read(&NEW.replace(from, to)).unwrap_err();
        for (message, expected) in [
            (replaced(" 0 0 1\n", " 0 0\n"), ": it has 42 numbers, an XPARM.XDS at least 43"),
            (replaced("10.5 5.5", "10.5 x"), ":9: \"x\" is not a number"),
            (replaced("10.5 5.5", "10.5 nan"), ":9: \"nan\" is not a finite number"),
            (replaced("\n 1 20", "\n 2 20"), ": its 2 segments have 0 numbers, not 14 each"),
            (
                replaced("\n 1 20", "\n 1.5 20"),
                ": number of segments: 1.5 is not a whole number from 0 to 2147483647",
            ),
            (replaced(" 1 20 10", " 1 -20 10"), ": NX, NY: -20 is not a whole number from 0 to 2147483647"),
            (replaced("0 0 0.8", "0 0 0"), ": the incident beam has no direction"),
            (replaced("0 2 0", "0 0 0"), ": the rotation axis has no direction"),
            (replaced("\n 0 1 0\n", "\n 1 0 0\n"), ": the axes of the detector span no plane"),
            (replaced("0 20 0\n", "0 0 0\n"), ": the cell axes span no volume"),
            (read("1 2 3").unwrap_err(), ": it has 3 numbers, an XPARM.XDS without heading has 42"),
            (
                read(&format!("{NEW} 1 1 20 1 10\n 0 0 0 1 0 0 0 1\n")).unwrap_err(),
                ": its 1 segments have 13 numbers, not 14 each",
            ),
        ] {
            assert_eq!(message, format!("XPARM.XDS{expected}"));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(
            numbers in prop::collection::vec("[-]?[0-9]{1,3}([.][0-9]{1,2}|e[0-9]{1,3})?", 0..80),
            heading in any::<bool>(),
        ) {
            let text = numbers.join(" ");
            let _ = read(&if heading { format!("XPARM.XDS\n{text}") } else { text });
        }
    }
}
